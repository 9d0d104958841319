"""Anything may be offered as evidence: an answer comes, and it is no unless the bytes are the signed ones."""

import base64

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl.errors import NitroctlError
from nitroctl.evidence import cbor, container
from nitroctl.evidence.document import Document, parse
from nitroctl.evidence.verify import Verified, verify
from nitroctl.standin.lab_change import AT, accepted, make

GOOD = make()
SIZE = len(GOOD)

mutations = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "delete", "repeat", "cut"]),
        st.integers(0, SIZE - 1),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=6,
)


def judged(document: bytes) -> tuple[Document | None, Verified]:
    parsed = parse(document)
    return parsed.document, verify(parsed, accepted(), at=AT)


def mutated(edits: list[tuple[str, int, bytes]]) -> bytes:
    content = bytearray(GOOD)
    for what, at, new in edits:
        if what == "set":
            content[at : at + len(new)] = new
        elif what == "insert":
            content[at:at] = new
        elif what == "delete":
            del content[at : at + len(new)]
        elif what == "repeat":
            content[at:at] = content[at : at + 64]
        else:
            del content[at:]
    return bytes(content)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_get_an_answer(content: bytes) -> None:
    assert not judged(content)[1].report.passed
    try:
        unwrapped = container.unwrap(content)
    except NitroctlError:
        return
    assert not judged(unwrapped.cbor)[1].report.passed


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='0123456789abcdefABCDEF+/-_=xX {}[]":,\n-BEGIN', max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    try:
        unwrapped = container.unwrap(text.encode())
    except NitroctlError:
        return
    assert not judged(unwrapped.cbor)[1].report.passed


@settings(max_examples=300, deadline=None)
@given(mutations)
def test_a_mutated_document_gets_an_answer_and_is_authentic_only_when_it_says_the_same(
    edits: list[tuple[str, int, bytes]],
) -> None:
    content = mutated(edits)
    document, verified = judged(content)
    if verified.report.passed:
        assert document == judged(GOOD)[0]


@settings(max_examples=400, deadline=None)
@given(st.integers(0, SIZE - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(position: int, change: int) -> None:
    content = bytearray(GOOD)
    content[position] ^= change
    assert not judged(bytes(content))[1].report.passed


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8) | st.integers(0, 99), inner),
        max_leaves=20,
    )
)
def test_what_the_scanner_passes_has_one_reading(value: object) -> None:
    content = cbor2.dumps(value)
    if depth(value) > cbor.MAX_DEPTH:
        with pytest.raises(cbor.CborFault, match="nesting deeper than 8"):
            cbor.scan(content)
    else:
        assert cbor.scan(content).value == value


def depth(value: object) -> int:
    inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=60))
def test_what_the_scanner_passes_another_decoder_reads_alike_and_encodes_to_itself(content: bytes) -> None:
    try:
        value = cbor.scan(content).value
    except cbor.CborFault:
        return
    other = cbor2.loads(content)
    assert (other, repr(other)) == (value, repr(value))
    assert cbor2.dumps(value) == content or any(head in content for head in (b"\x9f", b"\xbf"))


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.sampled_from(["{}", '"{}"', '{{"attestation_document": "{}"}}']))
def test_every_form_gives_the_same_bytes_back(content: bytes, form: str) -> None:
    document = b"\x84" + content
    text = base64.b64encode(document).decode()
    assert container.unwrap(form.format(text).encode()).cbor == document
    assert container.unwrap(document.hex().encode()).cbor == document
