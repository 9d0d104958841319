"""Whatever nitro-cli prints: it is read, or refused in one known way."""

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl.host import console, failure, replies
from nitroctl.host.machine import HugePages, plan_pages
from nitroctl.host.process import Output

KEYS = ["EnclaveName", "EnclaveID", "ProcessID", "EnclaveCID", "NumberOfCPUs", "CPUIDs", "MemoryMiB", "State"]
KEYS += ["Flags", "Measurements", "PCR0", "PCR1", "PCR2", "Terminated"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("ab" * 48),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner),
    max_leaves=20,
)
TEXT = st.text() | VALUES.map(json.dumps) | st.tuples(VALUES, st.text()).map(lambda pair: json.dumps(pair[0]) + pair[1])


@settings(max_examples=200)
@given(TEXT)
def test_every_reader_returns_or_says_nonsense_in_one_ascii_line(text: str) -> None:
    readers: list[Any] = [
        replies.version,
        replies.enclaves,
        replies.launched,
        replies.ended,
        replies.measurements,
        replies.one_value,
    ]
    for reader in readers:
        said = ""
        try:
            reader(text)
        except replies.Nonsense as error:
            said = str(error)
        assert said.replace("…", "").isascii()
        assert said.isprintable()


@settings(max_examples=200)
@given(st.binary() | TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_the_end_of_the_first_reply_is_inside_the_buffer(buffer: bytes) -> None:
    end = replies.complete(buffer)
    if end is not None:
        assert 0 < end <= len(buffer)
        json.loads(buffer[:end].decode("utf-8", "surrogateescape"))


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from('[ E0123456789]\n "err.log/foundat') | st.characters()))
def test_every_standard_error_has_at_most_one_cause(text: str) -> None:
    found = failure.blocks(text)
    cause = failure.cause(found)
    assert (cause is None) == (not found)
    failure.parse_log("x", text)


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=40)), st.integers(1, 5))
def test_a_console_loses_nothing_but_the_banner(chunks: list[bytes], size: int) -> None:
    banner = b"Connecting to the console for enclave 16...\nSuccessfully connected to the console.\n"
    content = b"".join(chunks)
    pieces = [banner[start : start + size] for start in range(0, len(banner), size)]
    assert b"".join(console.without_banner([*pieces, *chunks])) == content
    with contextlib.suppress(ValueError):
        content.index(b"Connecting")
        return
    assert b"".join(console.without_banner(chunks)) == content


@settings(max_examples=200)
@given(
    st.integers(1, 1 << 40),
    st.lists(
        st.builds(HugePages, st.integers(0, 1), st.sampled_from([64, 2048, 1048576]), st.just(0), st.integers(0, 900))
    ),
)
def test_pages_are_taken_from_what_is_free_and_are_enough_or_say_what_is_missing(
    need: int, pages: list[HugePages]
) -> None:
    plan = plan_pages(need, pages)
    usable = [item for item in pages if item.size_kib >= 2048]
    for size, count in plan.taken.items():
        assert 0 < count <= sum(item.free for item in usable if item.size_kib == size)
    stock = sum(item.free * item.size_kib * 1024 for item in usable)
    assert plan.missing_bytes == max(0, need - stock)
    if not plan.missing_bytes:
        assert plan.bytes >= need


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60)), st.integers(2, 100))
def test_kept_output_is_the_beginning_the_end_and_the_number_between(chunks: list[bytes], limit: int) -> None:
    output = Output("stdout", limit)
    for chunk in chunks:
        output.add(chunk)
    content = b"".join(chunks)
    text = output.text()
    assert output.dropped == max(0, len(content) - 2 * (limit // 2))
    if not output.dropped:
        assert text == content.decode("utf-8", "backslashreplace")
