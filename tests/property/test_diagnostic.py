"""Whatever the bytes: diagnostic notation ends, agrees with the decoder on what is CBOR, and contents never raise."""

import io
import json
from typing import Any

import cbor2
from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl.evidence import contents
from nitroctl.evidence.diagnostic import diagnose
from tests.documents import document

GOOD = document(user_data=b"hello", nonce=b"\x07" * 8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 99) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(values)
@settings(max_examples=200)
def test_what_an_encoder_writes_is_read_whole(value: Any) -> None:
    found = diagnose(cbor2.dumps(value))
    assert (found.fault, found.rest) == (None, None)
    if not isinstance(value, (dict, list)):
        return
    assert found.text.count("h'") >= sum(isinstance(item, bytes) for item in value)


@given(values.filter(lambda value: not isinstance(value, bytes)))
@settings(max_examples=200)
def test_every_cut_is_a_fault_inside_what_is_left(value: Any) -> None:
    encoded = cbor2.dumps(value)
    found = diagnose(encoded[:-1])
    assert found.fault is not None
    assert 0 <= found.fault.offset < len(encoded)


@given(st.binary(max_size=200))
@settings(max_examples=400)
def test_bytes_that_a_decoder_reads_whole_have_no_fault(content: bytes) -> None:
    found = diagnose(content)
    stream = io.BytesIO(content)
    decoder = cbor2.CBORDecoder(stream, max_depth=20)
    try:
        decoder.decode()
        whole = stream.tell() == len(content)
    except Exception:  # noqa: BLE001  (whatever it refuses; tags may raise anything)
        return
    if whole:
        assert found.fault is None


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=12), st.integers(0, 12))
@settings(max_examples=300)
def test_a_damaged_document_is_shown_and_the_same_every_time(at: int, put: bytes, dropped: int) -> None:
    damaged = GOOD[:at] + put + GOOD[at + dropped :]
    found = diagnose(damaged, envelope=True)
    assert found == diagnose(damaged, envelope=True)
    assert all(character.isprintable() or character == "\n" for character in found.text)
    if found.fault:
        assert 0 <= found.fault.offset <= len(damaged)
        if found.rest:
            assert found.fault.offset < found.rest.offset < len(damaged)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode) | values.map(cbor2.dumps), st.booleans())
@settings(max_examples=400)
def test_any_content_has_its_readings(content: bytes, is_key: bool) -> None:  # noqa: FBT001
    reading = contents.read(content, is_key=is_key)
    json.dumps(reading.json, allow_nan=False)
    assert reading == contents.read(content, is_key=is_key)
