"""What stands around a document: nothing, base64, hexadecimal, PEM-like text, JSON, or a TLS certificate.

Exactly one reading is accepted. Where text could be read in two ways, or JSON has two candidates, it is refused and
not guessed; a decoder here never drops a character. Sizes are judged before anything is decoded. What is compressed,
or text in UTF-16, is named and not read: as evidence it would be refused, which says something of the document.
"""

import base64
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.errors import CannotAnswer
from nitroctl.evidence.document import MAX_BYTES

#: The most that is read of a file: the largest document, as a JSON array of numbers among other members.
MAX_FILE: Final = 1024 * 1024
_UTF_8: Final = "save it as UTF-8; in PowerShell: Get-Content FILE | Set-Content -Encoding ascii COPY"
TOO_LARGE: Final = f"larger than {MAX_FILE} bytes, the most this command reads of one document"
_DOCUMENT_STARTS: Final = (0x84, 0xD2)
_SPACE: Final = b" \t\r\n"
_SEQUENCE: Final = b"\x30"  # every certificate in DER begins so, and no document does
_TEXT = re.compile(rb"[\t\r\n\x20-\x7e]*")
_HEX = re.compile(rb"(?:0[xX])?([0-9a-fA-F]+)")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]+|[A-Za-z0-9_-]+)={0,2}")
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]+)-----END \1-----")
_MEMBERS: Final = frozenset(
    {"attestationdocument", "attestationdoc", "attestation", "document", "doc", "evidence", "cosesign1", "report"}
)
_MAX_JSON_DEPTH: Final = 16
#: How what is not read begins, what it is, and what to do. No document begins so.
_PACKED: Final = (
    (b"\x1f\x8b", "the input is compressed with gzip", "decompress it first: gunzip"),
    (b"PK\x03\x04", "the input is a zip archive", "unpack it first: unzip"),
    (b"\xfd7zXZ\0", "the input is compressed with xz", "decompress it first: unxz"),
    (b"\x28\xb5\x2f\xfd", "the input is compressed with zstd", "decompress it first: unzstd"),
    (b"BZh", "the input is compressed with bzip2", "decompress it first: bunzip2"),
    (b"7z\xbc\xaf\x27\x1c", "the input is a 7z archive", "unpack it first: 7z x"),
    (b"\xff\xfe", "the input is text in UTF-16, not UTF-8", _UTF_8),
    (b"\xfe\xff", "the input is text in UTF-16, not UTF-8", _UTF_8),
)
_UNREADABLE: Final = "evidence.unreadable"
_AMBIGUOUS: Final = "evidence.ambiguous"
_FORMS: Final = (
    "it may be raw CBOR, base64, hexadecimal, PEM-like text, JSON with a member attestation_document, "
    "or a certificate with it among its names"
)


#: Where a JSON value stands: in which one, and the step from there. Written out only to be told: names may be long.
_Place = tuple[Any, str]


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The CBOR, and the form it came in: raw, base64, base64url, hex, pem, certificate, or json with the place."""

    cbor: bytes
    encoding: str


def unwrap(raw: bytes) -> Unwrapped:
    """Return the CBOR that ``raw``, the content of a file, holds; of a larger one, the first ``MAX_FILE + 1`` bytes.

    Bytes that are not text are taken as CBOR as they are; whether they are a document is for the parser to say.
    Raises CannotAnswer ``evidence.empty``, ``evidence.unreadable``, ``evidence.ambiguous``, ``evidence.too-large`` or
    ``file.too-large``.
    """
    if len(raw) > MAX_FILE:
        _refuse_packed(raw)
        raise CannotAnswer(TOO_LARGE, "file.too-large")
    text = raw.removeprefix(b"\xef\xbb\xbf").strip(_SPACE)
    if not text:
        raise CannotAnswer("there is no document: the input is empty", "evidence.empty", [_FORMS])
    if text[:1] in (b"{", b"[", b'"'):
        return _from_json(text)
    if not _TEXT.fullmatch(text):
        return _from_certificate(raw) if raw[:1] == _SEQUENCE else _bounded(Unwrapped(raw, "raw"))
    return _from_text(text)


def _from_text(text: bytes, forms: str = "base64, hexadecimal, PEM or JSON") -> Unwrapped:
    """Decode base64, hexadecimal or PEM-like text, line breaks and blanks between its characters allowed.

    ``forms``: what it might have been, for the error.
    """
    if b"-----BEGIN" in text:
        return _from_pem(text)
    joined = text.translate(None, _SPACE)
    hexadecimal = _hex(joined)
    if hexadecimal and hexadecimal.cbor[0] in _DOCUMENT_STARTS:  # as base64 the same text never begins so
        return hexadecimal
    other = _base64(joined)
    if hexadecimal and other:
        raise CannotAnswer(
            "the text can be read as hexadecimal and as base64, and neither reading stands out as a document",
            _AMBIGUOUS,
            ["decode it first: xxd -r -p, or base64 -d"],
        )
    reading = hexadecimal or other
    if not reading:
        raise CannotAnswer(f"the text is not {forms}", _UNREADABLE, [_FORMS])
    return reading


def _hex(text: bytes) -> Unwrapped | None:
    match = _HEX.fullmatch(text)
    if not match or len(text) % 2:
        return None
    _refuse_size(len(match[1]) // 2)
    return Unwrapped(bytes.fromhex(match[1].decode("ascii")), "hex")


def _base64(text: bytes) -> Unwrapped | None:
    """Decode base64 in either alphabet (RFC 4648, 4 and 5); None when it is not exactly that."""
    if not _BASE64.fullmatch(text):
        return None
    _refuse_size(len(text) * 3 // 4 - 2)
    bare = text.rstrip(b"=")
    if text != bare and len(text) % 4:
        return None
    padded = bare + b"=" * (-len(bare) % 4)
    standard = padded.translate(bytes.maketrans(b"-_", b"+/"))
    try:
        content = base64.b64decode(standard, validate=True)
    except ValueError:
        return None
    if base64.b64encode(content) != standard:  # left-over bits that no encoder writes
        return None
    return _bounded(Unwrapped(content, "base64url" if standard != padded else "base64"))


def _from_pem(text: bytes) -> Unwrapped:
    match = _PEM.fullmatch(text)
    if not match:
        raise CannotAnswer(
            "the text has PEM marks, but is not one block and nothing else",
            _AMBIGUOUS if text.count(b"-----BEGIN") > 1 else _UNREADABLE,
            ["leave one block from -----BEGIN to -----END"],
        )
    if match[1].endswith(b"KEY"):
        label = match[1].decode("ascii").lower()
        raise CannotAnswer(f"the text is a PEM {label}, not an attestation document", _UNREADABLE, [_FORMS])
    if match[1] == b"CERTIFICATE":
        return _from_certificate(_certificate_der(text))
    inner = _base64(match[2].translate(None, _SPACE))
    if inner is None:
        raise CannotAnswer("the base64 of the PEM block is damaged", _UNREADABLE, ["copy it again, whole"])
    return Unwrapped(inner.cbor, "pem")


def _certificate_der(text: bytes) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return x509.load_pem_x509_certificate(text).public_bytes(Encoding.DER)
    except ValueError as error:
        raise CannotAnswer("the text is a PEM certificate that cannot be decoded", _UNREADABLE, [_FORMS]) from error


def _from_certificate(der: bytes) -> Unwrapped:
    """Take the document out of a TLS certificate that has it in hexadecimal as the first label of a DNS name.

    Nothing else of the certificate is looked at: what vouches for the document is its own signature.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd certificate is no reason to talk: nothing of it is relied on
        try:
            extensions = x509.load_der_x509_certificate(der).extensions
            names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            labels = [name.partition(".")[0] for name in names.get_values_for_type(x509.DNSName)]
        except x509.ExtensionNotFound:
            labels = []
        except (ValueError, TypeError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType):
            return _bounded(Unwrapped(der, "raw"))  # the parser says where it stops being a document
    readings = {reading.cbor for label in labels if (reading := _hex(label.encode()))}
    documents = [cbor for cbor in readings if cbor[0] in _DOCUMENT_STARTS]
    if not documents:
        raise CannotAnswer("it is a certificate without an attestation document among its names", _UNREADABLE, [_FORMS])
    if len(documents) > 1:
        raise CannotAnswer(
            "the certificate has several attestation documents among its names", _AMBIGUOUS, ["pass one of them alone"]
        )
    return Unwrapped(documents[0], "certificate")


def _from_json(text: bytes) -> Unwrapped:
    try:
        document = json.loads(text.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise CannotAnswer("the text looks like JSON but is not UTF-8", _UNREADABLE) from error
    except RecursionError as error:
        raise CannotAnswer("the JSON is nested too deeply", _UNREADABLE) from error
    except ValueError as error:
        raise CannotAnswer(f"the text looks like JSON but is not: {error}", _UNREADABLE) from error
    direct = _value(document)
    if direct is not None:
        return Unwrapped(direct().cbor, "json")
    found: dict[bytes, _Place] = {}
    for place, make in _candidates(document, None, 0):
        try:
            found[make().cbor] = place
        except CannotAnswer as error:
            beside = f", beside {_called(found.values())}" if found else ""
            raise CannotAnswer(
                f"in the JSON member {_called([place])}{beside}: {error.message}",
                error.code,
                ["leave only the member that is the document"],
            ) from error
    if len(found) > 1:
        raise CannotAnswer(
            f"the JSON has {len(found)} different documents: {_called(found.values())}",
            _AMBIGUOUS,
            ["pass one of them alone"],
        )
    if not found:
        raise CannotAnswer("the JSON has no member that holds an attestation document", _UNREADABLE, [_FORMS])
    ((cbor, place),) = found.items()
    return Unwrapped(cbor, f"json {_called([place])}")


def _called(places: Iterable[_Place]) -> str:
    """Return what up to four places in JSON are called: names of members with points between, numbers in brackets."""
    called = []
    for place in islice(places, 4):
        steps: list[str] = []
        here: _Place | None = place
        while here:
            here, step = here
            steps.append(step)
        called.append("".join(reversed(steps)).removeprefix("."))
    return ", ".join(called)


def _candidates(
    value: Any,  # noqa: ANN401
    where: _Place | None,
    depth: int,
) -> Iterator[tuple[_Place, Callable[[], Unwrapped]]]:
    """Yield the members, anywhere inside, that are named like a document and hold a text or bytes."""
    if depth > _MAX_JSON_DEPTH:
        raise CannotAnswer("the JSON is nested too deeply", _UNREADABLE)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _candidates(item, (where, f"[{number}]"), depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            place = (where, f".{name}")
            make = _value(item) if re.sub("[-_]", "", name).lower() in _MEMBERS else None
            if make:
                yield place, make
            else:
                yield from _candidates(item, place, depth + 1)


def _value(value: Any) -> Callable[[], Unwrapped] | None:  # noqa: ANN401
    """Return how to read a JSON value that could be a document: a text, byte numbers, or Node's Buffer form."""
    if isinstance(value, str):
        return lambda: _from_json_text(value)
    if isinstance(value, dict) and value.get("type") == "Buffer" and set(value) == {"type", "data"}:
        return _value(value["data"]) if isinstance(value["data"], list) else None
    if isinstance(value, list) and value and all(type(item) is int and 0 <= item <= 255 for item in value):  # noqa: PLR2004
        return lambda: _bounded(Unwrapped(bytes(value), "json"))
    return None


def _from_json_text(text: str) -> Unwrapped:
    try:
        content = text.encode("ascii").strip(_SPACE)
    except UnicodeEncodeError as error:
        raise CannotAnswer("the JSON text is not base64 or hexadecimal", _UNREADABLE, [_FORMS]) from error
    if not content:
        raise CannotAnswer("there is no document: the JSON text is empty", "evidence.empty", [_FORMS])
    return _from_text(content, "base64, hexadecimal or PEM")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise CannotAnswer("the JSON has a member twice", _AMBIGUOUS, ["leave one of them"])
    return members


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _bounded(unwrapped: Unwrapped) -> Unwrapped:
    _refuse_packed(unwrapped.cbor)
    _refuse_size(len(unwrapped.cbor))
    return unwrapped


def _refuse_packed(content: bytes) -> None:
    for begin, what, hint in _PACKED:
        if content.startswith(begin):
            raise CannotAnswer(what, _UNREADABLE, [hint])


def _refuse_size(size: int) -> None:
    if size > MAX_BYTES:
        raise CannotAnswer(
            f"the document would have {size} bytes or so; at most {MAX_BYTES} are read, and a genuine one has 12288",
            "evidence.too-large",
            ["check that it is the right file"],
        )
