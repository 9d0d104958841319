"""Small inputs that the fuzzer kept because each reached something new; what is said of each, word for word."""

import pytest

from nitroctl.checks import Outcome
from nitroctl.errors import NitroctlError
from nitroctl.evidence import container, diagnostic, document


def answer(raw: bytes) -> tuple[str, str]:
    """Return the code and the sentence with which the input is refused."""
    try:
        unwrapped = container.unwrap(raw)
    except NitroctlError as error:
        return error.code, error.message
    diagnostic.diagnose(unwrapped.cbor)
    first = document.parse(unwrapped.cbor).report.having(Outcome.FAIL)[0]
    return first.id, first.detail


@pytest.mark.parametrize(
    ("seed", "code", "sentence"),
    [
        ("07", "cose.shape", "the document is a number, not an array of four"),
        ("1c", "cbor.types", "byte 0: a head with the reserved value 28"),
        ("20", "evidence.empty", "there is no document: the input is empty"),
        ("38", "evidence.unreadable", "the text is not base64, hexadecimal, PEM or JSON"),
        ("9b", "cbor.complete", "byte 0: a length is cut off: the bytes end inside it"),
        ("0080", "cbor.trailing-bytes", "byte 1: 1 bytes follow the end"),
        (
            "6141",
            "evidence.ambiguous",
            "the text can be read as hexadecimal and as base64, and neither reading stands out as a document",
        ),
        ("7b97", "evidence.unreadable", "the text looks like JSON but is not UTF-8"),
        ("003000", "cbor.trailing-bytes", "byte 1: 2 bytes follow the end"),
        ("a237f5", "cbor.complete", "byte 3: an item is missing: the bytes end here"),
        ("00000061", "cbor.trailing-bytes", "byte 1: 3 bytes follow the end"),
        ("64445857", "cbor.complete", "byte 0: a string of 20 bytes where 2 are left"),
        ("a22080f7", "cbor.types", "byte 3: a float or a simple value"),
        ("0000006161", "cbor.trailing-bytes", "byte 1: 4 bytes follow the end"),
        ("841111ff12", "cbor.types", "byte 3: a break outside a map or array"),
        ("844084d81c", "cbor.complete", "byte 2: 4 items claimed where 2 bytes are left"),
        ("84cfeeff8b", "cbor.tags", "byte 1: a tag"),
        ("000000616100", "cbor.trailing-bytes", "byte 1: 5 bytes follow the end"),
        ("4a40f509ad1b", "cbor.complete", "byte 0: a string of 10 bytes where 5 are left"),
        ("84a044093837", "cbor.complete", "byte 2: a string of 4 bytes where 3 are left"),
        ("9f9fbfffffff", "cose.shape", "the document is an array of 1, not of four"),
        ("bf8016020098", "cbor.types", "byte 1: a map key that is neither a number nor a string"),
        ("0000000095616100", "cbor.trailing-bytes", "byte 1: 7 bytes follow the end"),
        ("8438221ff5241143", "cbor.types", "byte 3: an integer of indefinite length"),
        (
            "7d2d2d2d2d2d424547494e20582d",
            "evidence.unreadable",
            "the text has PEM marks, but is not one block and nothing else",
        ),
        ("8437a301004100205f5911f9bf6f", "cbor.definite-strings", "byte 8: a string in chunks"),
        (
            "8444a10138f5a0180e3cbf698484",
            "cbor.shortest-heads",
            "byte 7: 14 is written in 1 bytes, which is not the fewest",
        ),
        (
            "bf014a65647569a17e27602f303232233465667f3022101024f501d2",
            "cbor.unique-keys",
            "byte 26: the key 1 occurs a second time",
        ),
        (
            "8444d8a12c2277a0b8f54b80aaa326fa000000002000b742fa00bfff0000fc",
            "cbor.types",
            "byte 7: text that is not UTF-8",
        ),
    ],
)
def test_a_seed_of_the_fuzzer_is_refused_in_the_same_words_each_time(seed: str, code: str, sentence: str) -> None:
    raw = bytes.fromhex(seed)
    assert answer(raw) == (code, sentence)
    assert answer(raw) == (code, sentence)
