"""Cases of the lab in which the encoding is at fault: what a CBOR decoder tends to hide."""

from typing import Final

from nitroctl.standin import nsm
from nitroctl.standin.lab_change import AT, GOOD, Case, Change, also, case, make, put
from nitroctl.standin.nsm import Encoded

_SIGNATURE_ITEM: Final = 98


def _document(old: bytes, new: bytes) -> Change:
    """Exchange the first bytes of the document."""
    return Change(document=lambda content: new + content.removeprefix(old))


def _nonce(hexadecimal: str) -> Change:
    return Change(fields=put(nonce=Encoded(bytes.fromhex(hexadecimal))))


def _chunked_payload(content: bytes) -> bytes:
    """Make the payload one chunk of a byte string of indefinite length."""
    start = len(b"\x84\x44" + nsm.PROTECTED + b"\xa0")
    return content[:start] + b"\x5f" + content[start:-_SIGNATURE_ITEM] + b"\xff" + content[-_SIGNATURE_ITEM:]


CASES: Final[tuple[Case, ...]] = (
    case(
        "cbor-byte-after-document",
        "A zero byte follows the document.",
        "cbor.trailing-bytes",
        Change(document=lambda content: content + b"\x00"),
    ),
    case(
        "cbor-line-feed-after-document",
        "A line feed follows the document.",
        "cbor.trailing-bytes",
        Change(document=lambda content: content + b"\n"),
    ),
    case(
        "cbor-two-documents",
        "A second document, just as good, follows the first.",
        "cbor.trailing-bytes",
        Change(document=lambda content: content + make(GOOD)),
    ),
    case(
        "cbor-item-before-document",
        "A zero stands before the document.",
        "cbor.trailing-bytes",
        Change(document=lambda content: b"\x00" + content),
    ),
    case(
        "cbor-byte-after-payload",
        "A zero byte follows the payload's map, inside the signed bytes.",
        "cbor.trailing-bytes",
        Change(payload=lambda content: content + b"\x00"),
    ),
    case(
        "cbor-byte-after-protected-header",
        "A zero byte follows the protected header's map.",
        "cbor.trailing-bytes",
        Change(protected=nsm.PROTECTED + b"\x00"),
    ),
    case(
        "cbor-nonce-twice",
        "The payload has the key nonce twice, with different values.",
        "cbor.unique-keys",
        Change(fields=also("nonce", b"other")),
    ),
    case(
        "cbor-nonce-twice-equal",
        "The payload has the key nonce twice, with the same value.",
        "cbor.unique-keys",
        Change(fields=lambda fields: [*fields, fields[-1]]),
    ),
    case(
        "cbor-pcrs-twice",
        "The payload has the key pcrs twice; the second has other registers.",
        "cbor.unique-keys",
        Change(fields=also("pcrs", {0: bytes(48)})),
    ),
    case(
        "cbor-register-twice",
        "The registers' map has PCR0 twice.",
        "cbor.unique-keys",
        Change(fields=put(pcrs=Encoded(b"\xa2" + (b"\x00\x58\x30" + bytes(48)) * 2))),
    ),
    case(
        "cbor-algorithm-twice",
        "The protected header names the algorithm twice.",
        "cbor.unique-keys",
        Change(protected=bytes.fromhex("a2013822013822")),
    ),
    case(
        "cbor-long-head-array",
        "The outer array's length is written in two bytes.",
        "cbor.shortest-heads",
        _document(b"\x84", b"\x98\x04"),
    ),
    case(
        "cbor-long-head-register-index",
        "The index of PCR0 is written in two bytes.",
        "cbor.shortest-heads",
        Change(fields=put(pcrs=Encoded(b"\xa1\x18\x00\x58\x30" + bytes(48)))),
    ),
    case(
        "cbor-register-twice-by-long-head",
        "The registers' map has PCR0 twice, once with its index in two bytes.",
        "cbor.shortest-heads",
        Change(
            fields=put(pcrs=Encoded(b"\xa2\x00\x58\x30" + b"\x10" * 48 + b"\x18\x00\x58\x30" + bytes(48))),
        ),
    ),
    case(
        "cbor-long-head-nonce",
        "The nonce's length is written in three bytes where one is enough.",
        "cbor.shortest-heads",
        _nonce("590001aa"),
    ),
    case(
        "cbor-long-head-algorithm",
        "The algorithm's number is written in three bytes where two are enough.",
        "cbor.shortest-heads",
        Change(protected=bytes.fromhex("a101390022")),
    ),
    case(
        "cbor-chunked-nonce",
        "The nonce is a byte string in chunks.",
        "cbor.definite-strings",
        _nonce("5f41aaff"),
    ),
    case(
        "cbor-chunked-module-id",
        "The module id is a text in chunks.",
        "cbor.definite-strings",
        Change(fields=put(module_id=Encoded(b"\x7f\x61\x69\xff"))),
    ),
    case(
        "cbor-chunked-payload",
        "The payload is a byte string in chunks; the signature is over their content.",
        "cbor.definite-strings",
        Change(document=_chunked_payload),
    ),
    case("cbor-tag-18-twice", "Tag 18 stands twice before the document.", "cbor.tags", _document(b"", b"\xd2\xd2")),
    case("cbor-tag-17", "Tag 17, COSE_Mac0, stands before the document.", "cbor.tags", _document(b"", b"\xd1")),
    case("cbor-tag-98", "Tag 98, COSE_Sign, stands before the document.", "cbor.tags", _document(b"", b"\xd8\x62")),
    case(
        "cbor-tag-self-described",
        "The tag of self-described CBOR stands before the document.",
        "cbor.tags",
        _document(b"", b"\xd9\xd9\xf7"),
    ),
    case(
        "cbor-tag-18-long",
        "Tag 18 before the document is written in two bytes.",
        "cbor.tags",
        _document(b"", b"\xd8\x12"),
    ),
    case(
        "cbor-tag-on-payload",
        "Tag 18 stands before the payload's map.",
        "cbor.tags",
        Change(payload=lambda content: b"\xd2" + content),
    ),
    case(
        "cbor-bignum-timestamp",
        "The timestamp is a bignum.",
        "cbor.tags",
        Change(fields=put(timestamp=Encoded(b"\xc2\x48" + nsm.milliseconds(AT).to_bytes(8)))),
    ),
    case(
        "cbor-bignum-algorithm",
        "The algorithm is the bignum -35.",
        "cbor.tags",
        Change(protected=bytes.fromhex("a101c34122")),
    ),
    case(
        "cbor-shared-reference",
        "The nonce is an array that contains itself, by sharing tags.",
        "cbor.tags",
        _nonce("d81c81d81d00"),
    ),
    case(
        "cbor-regular-expression",
        "The nonce is a regular expression by its tag.",
        "cbor.tags",
        _nonce("d8236428612a29"),
    ),
    case(
        "cbor-date-timestamp",
        "The timestamp is a date by its tag.",
        "cbor.tags",
        Change(fields=put(timestamp=Encoded(bytes.fromhex("c074323032362d31312d32305431303a30303a30305a")))),
    ),
    case("cbor-float-timestamp", "The timestamp is a float.", "cbor.types", Change(fields=put(timestamp=1.5e12))),
    case("cbor-undefined-nonce", "The nonce is undefined.", "cbor.types", _nonce("f7")),
    case("cbor-simple-value", "The nonce is an unassigned simple value.", "cbor.types", _nonce("f820")),
    case("cbor-simple-false-long", "The nonce is false, written in two bytes.", "cbor.types", _nonce("f814")),
    case(
        "cbor-text-not-utf-8",
        "The module id is not UTF-8.",
        "cbor.types",
        Change(fields=put(module_id=Encoded(b"\x61\xff"))),
    ),
    case(
        "cbor-text-overlong",
        "The module id is UTF-8 of more bytes than needed.",
        "cbor.types",
        Change(fields=put(module_id=Encoded(b"\x62\xc1\xa9"))),
    ),
    case(
        "cbor-text-surrogate",
        "The module id has half a surrogate pair.",
        "cbor.types",
        Change(fields=put(module_id=Encoded(b"\x63\xed\xa0\x80"))),
    ),
    case("cbor-null-key", "A key of the payload is null.", "cbor.types", Change(fields=also(None, 1))),
    case("cbor-array-key", "A key of the payload is an array.", "cbor.types", Change(fields=also(Encoded(b"\x80"), 1))),
    case(
        "cbor-boolean-register-index",
        "The index of a register is false, which some languages take for 0.",
        "cbor.types",
        Change(fields=put(pcrs=Encoded(b"\xa1\xf4\x58\x30" + bytes(48)))),
    ),
    case(
        "cbor-float-register-index",
        "The index of a register is the float 0.0.",
        "cbor.types",
        Change(fields=put(pcrs=Encoded(b"\xa1\xf9\x00\x00\x58\x30" + bytes(48)))),
    ),
    case("cbor-reserved-head", "The nonce has a head that CBOR reserves.", "cbor.types", _nonce("1c")),
    case(
        "cbor-reserved-head-array",
        "The nonce is an array whose head CBOR reserves, and ends with a break.",
        "cbor.types",
        _nonce("9cff"),
    ),
    case("cbor-indefinite-integer", "The nonce is an integer of indefinite length.", "cbor.types", _nonce("1f")),
    case(
        "cbor-break-for-value",
        "The payload's last key has a break in place of its value.",
        "cbor.types",
        Change(payload=lambda content: content[:-1] + b"\x61\x78\xff"),
    ),
    case("cbor-break-alone", "There is a break and nothing else.", "cbor.types", Change(document=lambda _: b"\xff")),
    case(
        "cbor-last-byte-missing",
        "The document lacks its last byte.",
        "cbor.complete",
        Change(document=lambda content: content[:-1]),
    ),
    case(
        "cbor-cut-in-head",
        "The document ends in the head of its payload.",
        "cbor.complete",
        Change(document=lambda content: content[:8]),
    ),
    case(
        "cbor-cut-in-half",
        "Only the first half of the document is there.",
        "cbor.complete",
        Change(document=lambda content: content[: len(content) // 2]),
    ),
    case("cbor-tag-alone", "There is tag 18 and nothing else.", "cbor.complete", Change(document=lambda _: b"\xd2")),
    case(
        "cbor-break-missing",
        "The payload's map of indefinite length lacks its break.",
        "cbor.complete",
        Change(payload=lambda content: content[:-1]),
    ),
    case(
        "cbor-empty-protected-header",
        "The protected header is an empty byte string.",
        "cbor.complete",
        Change(protected=b""),
    ),
    case(
        "cbor-string-claims-2-63",
        "The nonce claims 2^63 bytes.",
        "cbor.complete",
        _nonce("5b8000000000000000"),
    ),
    case(
        "cbor-array-claims-2-64",
        "The nonce is an array that claims 2^64-1 items.",
        "cbor.complete",
        _nonce("9bffffffffffffffff"),
    ),
    case(
        "cbor-map-claims-2-32",
        "The registers are a map that claims 2^32 pairs.",
        "cbor.complete",
        Change(fields=put(pcrs=Encoded(bytes.fromhex("bb0000000100000000")))),
    ),
    case(
        "cbor-nested-20",
        "The nonce is twenty arrays in each other.",
        "cbor.bounds",
        Change(fields=put(nonce=Encoded(b"\x81" * 20 + b"\x00"))),
    ),
    case(
        "cbor-nested-10000",
        "The document is ten thousand arrays in each other.",
        "cbor.bounds",
        Change(document=lambda _: b"\x9f" * 10000),
    ),
    case(
        "cbor-3000-items", "An unknown field has three thousand items.", "cbor.bounds", Change(fields=put(x=[0] * 3000))
    ),
    case(
        "cbor-40000-bytes",
        "The document has forty thousand bytes.",
        "cbor.size",
        Change(fields=put(user_data=bytes(40000))),
    ),
)
