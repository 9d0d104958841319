"""Whatever stands in the place of KMS's answer, it is opened or refused in our words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl.errors import CannotAnswer
from nitroctl.evidence import recipient
from nitroctl.kms import exchange
from tests.unit.test_evidence_recipient import PLAINTEXT, message, needs_asn1crypto, private

CODES = {"recipient.unreadable", "recipient.unsupported", "recipient.not-opened"}
MESSAGES = [message(), message(chunk=16), message(outer_definite=True, chunk=None)]


def tried(ber: bytes) -> bytes | str:
    """Return the plaintext, or the code of the refusal."""
    try:
        return recipient.open_message(recipient.parse(ber), private())
    except CannotAnswer as error:
        return error.code


@needs_asn1crypto
@settings(max_examples=200)
@given(st.binary(max_size=600))
def test_any_bytes_are_refused(ber: bytes) -> None:
    assert tried(ber) in CODES


@needs_asn1crypto
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MESSAGES), st.data())
def test_any_change_of_a_message_is_opened_or_refused(good: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 8)))
    changed = good[:start] + data.draw(st.binary(max_size=8)) + good[end:]
    answer = tried(changed)
    assert isinstance(answer, bytes) or answer in CODES
    if changed == good:
        assert answer == PLAINTEXT


@needs_asn1crypto
@pytest.mark.parametrize("good", MESSAGES, ids=["as-kms", "chunks", "der"])
def test_no_beginning_of_a_message_is_opened(good: bytes) -> None:
    assert {tried(good[:size]) for size in range(len(good))} == {"recipient.unreadable"}


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_file_is_a_blob_or_refused(content: bytes) -> None:
    try:
        blob = exchange.blob(content, "CiphertextForRecipient")
    except CannotAnswer as error:
        assert error.code.startswith(("recipient.", "json."))  # noqa: PT017  (either way is an answer)
    else:
        assert blob.content
