"""What may stand around a document, and what is refused rather than guessed."""

import base64
import bz2
import gzip
import json
import lzma
import subprocess
import sys
import textwrap
import tracemalloc
import warnings
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.errors import CannotAnswer
from nitroctl.evidence import container
from nitroctl.evidence.container import Unwrapped, unwrap
from nitroctl.standin import pki
from nitroctl.standin.lab_change import AT, make

CBOR = make()
B64 = base64.b64encode(CBOR).decode()
LARGEST = b"\x84" * (32 * 1024)
URL = base64.urlsafe_b64encode(CBOR).decode()


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (CBOR, "raw"),
        (B64.encode(), "base64"),
        (B64.rstrip("=").encode() + b"\n", "base64"),
        (textwrap.fill(B64, 64).encode(), "base64"),
        (("\ufeff" + textwrap.fill(B64, 76).replace("\n", "\r\n")).encode(), "base64"),
        (URL.encode(), "base64url"),
        (CBOR.hex().encode(), "hex"),
        (CBOR.hex().upper().encode(), "hex"),
        (b"0x" + CBOR.hex().encode() + b"\n", "hex"),
        (textwrap.fill(CBOR.hex(), 32).encode(), "hex"),
        (b"-----BEGIN ATTESTATION DOCUMENT-----\n" + B64.encode() + b"\n-----END ATTESTATION DOCUMENT-----\n", "pem"),
        (json.dumps(B64).encode(), "json"),
        (json.dumps(list(CBOR)).encode(), "json"),
        (json.dumps({"attestation_document": B64}).encode(), "json attestation_document"),
        (json.dumps({"Recipient": {"AttestationDocument": CBOR.hex()}}).encode(), "json Recipient.AttestationDocument"),
        (json.dumps([{"document": list(CBOR), "name": "x"}]).encode(), "json [0].document"),
        (json.dumps({"document": {"type": "Buffer", "data": list(CBOR)}}).encode(), "json document"),
        (json.dumps({"document": B64, "doc": CBOR.hex()}).encode(), "json doc"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unwrapped(content: bytes, encoding: str) -> None:
    unwrapped = unwrap(content)
    assert unwrapped.cbor == CBOR
    assert unwrapped.encoding == encoding


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "evidence.empty"),
        (b" \n\t", "evidence.empty"),
        (b'""', "evidence.empty"),
        (b"hello, world", "evidence.unreadable"),
        (B64.encode() + b"!", "evidence.unreadable"),
        (B64[:100].encode() + b"*" + B64[100:].encode(), "evidence.unreadable"),
        (B64[:101].encode(), "evidence.unreadable"),
        (b"=" + B64.encode(), "evidence.unreadable"),
        (b"hEQ===", "evidence.unreadable"),
        (b"hER=", "evidence.unreadable"),
        (b"+/-_", "evidence.unreadable"),
        (CBOR.hex().encode() + b",", "evidence.unreadable"),
        (b"00" * 100, "evidence.ambiguous"),
        (b"{", "evidence.unreadable"),
        (b"{}", "evidence.unreadable"),
        (b"[]", "evidence.unreadable"),
        (b"[256]", "evidence.unreadable"),
        (b"[true, false]", "evidence.unreadable"),
        (b'{"document": 5}', "evidence.unreadable"),
        (b'{"document": "\xc3\xa9"}', "evidence.unreadable"),
        (b'{"document": NaN}', "evidence.unreadable"),
        (b'"\xff"', "evidence.unreadable"),
        (b"[" * 100_000, "evidence.unreadable"),
        (b"[" * 40 + b"]" * 40, "evidence.unreadable"),
        (json.dumps({"document": B64, "attestation": B64[:400]}).encode(), "evidence.ambiguous"),
        (f'{{"document": "{B64}", "document": "{B64}"}}'.encode(), "evidence.ambiguous"),
        (b"-----BEGIN A-----\nhEQ=\n-----END B-----\n", "evidence.unreadable"),
        (b"-----BEGIN A-----\nhEQ\xff=\n-----END A-----\n".replace(b"\xff", b"*"), "evidence.unreadable"),
        (b"-----BEGIN A-----\nhER=\n-----END A-----\n", "evidence.unreadable"),
        (b"-----BEGIN A-----\nhEQ=\n-----END A-----\n" * 2, "evidence.ambiguous"),
        (b"-----BEGIN CERTIFICATE-----\nhEQ=\n-----END CERTIFICATE-----\n", "evidence.unreadable"),
        (b"-----BEGIN PRIVATE KEY-----\nhEQ=\n-----END PRIVATE KEY-----\n", "evidence.unreadable"),
        (b"\x84" * (32 * 1024 + 1), "evidence.too-large"),
        (b"84" * (32 * 1024 + 1), "evidence.too-large"),
        (base64.b64encode(b"\x84" * (32 * 1024 + 3)), "evidence.too-large"),
        (json.dumps([132] * (32 * 1024 + 1)).encode(), "evidence.too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(content: bytes, code: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        unwrap(content)
    assert caught.value.code == code


FORMS = (
    "it may be raw CBOR, base64, hexadecimal, PEM-like text, JSON with a member attestation_document, "
    "or a certificate with it among its names"
)
ONE = ["pass one of them alone"]
LEAVE = ["leave only the member that is the document"]
BLOCK = ["leave one block from -----BEGIN to -----END"]
PEM_MARKS = "the text has PEM marks, but is not one block and nothing else"
NO_JSON = "the text looks like JSON but is not"
DEEP = "the JSON is nested too deeply"
MANY = {f"{number}": {"doc": f"84{number:02}"} for number in range(5)}


@pytest.mark.parametrize(
    ("content", "message", "hints"),
    [
        (b"", "there is no document: the input is empty", [FORMS]),
        (b'" "', "there is no document: the JSON text is empty", [FORMS]),
        (b"hello, world", "the text is not base64, hexadecimal, PEM or JSON", [FORMS]),
        (
            b"00" * 100,
            "the text can be read as hexadecimal and as base64, and neither reading stands out as a document",
            ["decode it first: xxd -r -p, or base64 -d"],
        ),
        (
            b"{",
            f"{NO_JSON}: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            [],
        ),
        (b"[NaN]", f"{NO_JSON}: NaN is not JSON", []),
        (b'"\xff"', "the text looks like JSON but is not UTF-8", []),
        (b"{}", "the JSON has no member that holds an attestation document", [FORMS]),
        (b'{"document": "\xc3\xa9"}', "in the JSON member document: the JSON text is not base64 or hexadecimal", LEAVE),
        (
            b'{"attestation_document": "8400", "report": "All is well."}',
            "in the JSON member report, beside attestation_document: the text is not base64, hexadecimal or PEM",
            LEAVE,
        ),
        (
            b'{"a": [{"report": "All is well."}], "doc": "8400"}',
            "in the JSON member a[0].report: the text is not base64, hexadecimal or PEM",
            LEAVE,
        ),
        (
            json.dumps({**MANY, "doc": ""}).encode(),
            "in the JSON member doc, beside 0.doc, 1.doc, 2.doc, 3.doc: there is no document: the JSON text is empty",
            LEAVE,
        ),
        (b'"All is well."', "the text is not base64, hexadecimal or PEM", [FORMS]),
        (b"[" * 100_000, DEEP, []),
        (b"[" * 17 + b'{"doc": "8400"}' + b"]" * 17, DEEP, []),
        (
            json.dumps(MANY).encode(),
            "the JSON has 5 different documents: 0.doc, 1.doc, 2.doc, 3.doc",
            ONE,
        ),
        (b'{"doc": "8400", "doc": "8400"}', "the JSON has a member twice", ["leave one of them"]),
        (b"-----BEGIN A-----\nhEQ=\n-----END B-----\n", PEM_MARKS, BLOCK),
        (b"-----BEGIN A-----\nhEQ=\n-----END A-----\n" * 2, PEM_MARKS, BLOCK),
        (
            b"-----BEGIN A-----\nhER=\n-----END A-----\n",
            "the base64 of the PEM block is damaged",
            ["copy it again, whole"],
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nhEQ=\n-----END CERTIFICATE-----\n",
            "the text is a PEM certificate that cannot be decoded",
            [FORMS],
        ),
        (
            b"-----BEGIN PRIVATE KEY-----\nhEQ=\n-----END PRIVATE KEY-----\n",
            "the text is a PEM private key, not an attestation document",
            [FORMS],
        ),
        (
            base64.b64encode(b"\x84" * (32 * 1024 + 3)),
            "the document would have 32770 bytes or so; at most 32768 are read, and a genuine one has 12288",
            ["check that it is the right file"],
        ),
        (
            b"0x" + b"84" * (32 * 1024 + 1),
            "the document would have 32769 bytes or so; at most 32768 are read, and a genuine one has 12288",
            ["check that it is the right file"],
        ),
    ],
    ids=range(24),
)
def test_refused_in_these_words(content: bytes, message: str, hints: list[str]) -> None:
    with pytest.raises(CannotAnswer) as caught:
        unwrap(content)
    assert (caught.value.message, list(caught.value.hints)) == (message, hints)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (LARGEST, "raw"),
        (LARGEST.hex().encode(), "hex"),
        (base64.b64encode(LARGEST), "base64"),
        (json.dumps(list(LARGEST)).encode(), "json"),
        (b"-----BEGIN A-----\n" + base64.b64encode(LARGEST) + b"\n-----END A-----", "pem"),
    ],
    ids=["raw", "hex", "base64", "json", "pem"],
)
def test_the_largest_is_taken_in_every_form(content: bytes, encoding: str) -> None:
    unwrapped = unwrap(content)
    assert (unwrapped.cbor, unwrapped.encoding) == (LARGEST, encoding)


@pytest.mark.parametrize(
    "name",
    [
        *("attestation_document", "attestationDoc", "attestation", "document", "doc", "evidence", "cose_sign1"),
        *("report", "Attestation-Document", "COSE-Sign1"),
    ],
)
def test_a_member_with_the_name_of_a_document_is_taken(name: str) -> None:
    assert unwrap(json.dumps({"a": 1, name: B64}).encode()).encoding == f"json {name}"


@pytest.mark.parametrize("name", ["", "nonce", "documents", "adoc", "attestation.document"])
def test_another_member_is_not(name: str) -> None:
    with pytest.raises(CannotAnswer, match="no member that holds"):
        unwrap(json.dumps({name: B64}).encode())


@pytest.mark.parametrize(
    "value",
    [
        {"type": "Buffer"},
        {"type": "Buffer", "data": "hEQ="},
        {"type": "Buffer", "data": [132, 0], "more": 1},
        {"type": "List", "data": [132, 0]},
        {"data": [132, 0]},
    ],
)
def test_only_nodes_buffer_is_a_buffer(value: object) -> None:
    with pytest.raises(CannotAnswer, match="no member that holds"):
        unwrap(json.dumps({"document": value}).encode())


def test_a_mebibyte_is_read_of_a_file() -> None:
    """A largest document as a JSON array of numbers takes a seventh of it."""
    assert container.MAX_FILE == 1 << 20


@pytest.mark.parametrize("levels", [16, 17])
def test_sixteen_levels_of_members_are_searched(levels: int) -> None:
    text = b'{"a":' * levels + b'{"doc": "8400"}' + b"}" * levels
    if levels == 16:
        assert unwrap(text) == Unwrapped(b"\x84\x00", f"json {'a.' * 16}doc")
    else:
        with pytest.raises(CannotAnswer, match="nested too deeply"):
            unwrap(text)


def test_sixteen_levels_of_json_are_searched() -> None:
    unwrapped = unwrap(b"[" * 16 + b'{"doc": "8400"}' + b"]" * 16)
    assert (unwrapped.cbor, unwrapped.encoding) == (b"\x84\x00", f"json {'[0]' * 16}.doc")


@pytest.mark.parametrize("text", ["84000000", "d2000000", "D2000000", "0x840000", "0Xd20000"])
def test_hexadecimal_that_begins_as_a_document_never_does_as_base64(text: str) -> None:
    """Every such text is base64 as well when its length is divisible by four."""
    assert base64.b64decode(text)[0] not in {0x84, 0xD2}
    assert unwrap(text.encode()) == Unwrapped(bytes.fromhex(text[-6:] if "x" in text.lower() else text), "hex")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (b"hEQ", b"\x84\x44"),
        (b"hEQ=", b"\x84\x44"),
        (b"hEQ==", None),
        (b"hEQA", b"\x84\x44\x00"),
        (b"hEQA=", None),
        (b"hEQA==", None),
        (b"hEQAA", None),
        (b"hEQAAA", b"\x84\x44\x00\x00"),
        (b"hEQAAA=", None),
        (b"hEQAAA==", b"\x84\x44\x00\x00"),
    ],
)
def test_base64_is_padded_whole_or_not_at_all(text: bytes, content: bytes | None) -> None:
    if content is None:
        with pytest.raises(CannotAnswer, match="is not base64"):
            unwrap(text)
    else:
        assert unwrap(text) == Unwrapped(content, "base64")


@pytest.mark.parametrize("text", [b"XEQX", b"XEQX\n", b" XEQXXA=="])
def test_no_character_of_a_text_is_dropped_but_blanks(text: bytes) -> None:
    assert unwrap(text).cbor == base64.b64decode(text.strip(), validate=True)


def test_hexadecimal_that_is_no_base64_is_left_to_the_parser() -> None:
    assert unwrap(b"01") == Unwrapped(b"\x01", "hex")


POWERSHELL = "save it as UTF-8; in PowerShell: Get-Content FILE | Set-Content -Encoding ascii COPY"
PACKED = {
    "gzip": (gzip.compress(CBOR), "compressed with gzip", "decompress it first: gunzip"),
    "zip": (b"PK\x03\x04\x14\x00", "a zip archive", "unpack it first: unzip"),
    "xz": (lzma.compress(CBOR), "compressed with xz", "decompress it first: unxz"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04", "compressed with zstd", "decompress it first: unzstd"),
    "bzip2": (bz2.compress(CBOR), "compressed with bzip2", "decompress it first: bunzip2"),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00", "a 7z archive", "unpack it first: 7z x"),
    "utf-16-le": (f"\ufeff{B64}".encode("utf-16-le"), "text in UTF-16, not UTF-8", POWERSHELL),
    "utf-16-be": (f"\ufeff{B64}".encode("utf-16-be"), "text in UTF-16, not UTF-8", POWERSHELL),
}


@pytest.mark.parametrize("kind", PACKED)
def test_what_is_compressed_or_in_utf_16_is_named_and_not_judged(kind: str) -> None:
    content, what, hint = PACKED[kind]
    large = content + bytes(container.MAX_FILE + 1 - len(content))
    in_json = json.dumps({"document": base64.b64encode(content).decode()}).encode()
    for raw, before in ((content, ""), (base64.b64encode(content), ""), (large[:40_000], ""), (large, "")):
        with pytest.raises(CannotAnswer) as caught:
            unwrap(raw)
        assert (caught.value.message, caught.value.code) == (f"{before}the input is {what}", "evidence.unreadable")
        assert list(caught.value.hints) == [hint]
    with pytest.raises(CannotAnswer, match=f"^in the JSON member document: the input is {what}$"):
        unwrap(in_json)


@pytest.mark.parametrize(("size", "code"), [(1 << 20, "evidence.too-large"), ((1 << 20) + 1, "file.too-large")])
def test_of_a_mebibyte_and_more_nothing_is_decoded(size: int, code: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        unwrap(b"\x84" * size)
    assert caught.value.code == code
    if code == "file.too-large":
        assert caught.value.message == "larger than 1048576 bytes, the most this command reads of one document"


_GROWTH = """
import re, sys
from nitroctl.errors import CannotAnswer
from nitroctl.evidence.container import unwrap
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
raw = {}
before = peak()
try:
    unwrap(raw)
except CannotAnswer as error:
    print(error.code, peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read the peak of memory from")
@pytest.mark.parametrize(
    "text",
    ["b'ab' * 524_288", "b'A' * 1_048_576", "b'-' * 1_048_576", "b'ab ' * 349_525"],
    ids=["hex", "both", "base64url", "words"],
)
def test_a_mebibyte_of_text_takes_no_more_than_a_few(text: str) -> None:
    """Matched pair by pair, the hexadecimal took 92 MiB, in the C library, where tracemalloc does not look."""
    code = _GROWTH.replace("{}", text)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    error, kib = ran.stdout.split()
    assert error == "evidence.too-large"
    assert int(kib) < 8 * 1024


@pytest.mark.parametrize("text", [b"8", b"840", b"0x840", b"0x"])
def test_half_a_byte_is_no_hexadecimal(text: bytes) -> None:
    try:
        assert unwrap(text).encoding == "base64"
    except CannotAnswer as error:
        assert error.message == "the text is not base64, hexadecimal, PEM or JSON"  # noqa: PT017  (one of the two)


def test_names_in_json_are_not_written_out_for_every_member() -> None:
    """200 documents below a name of half a mebibyte had places of 100 MiB; many more fit into one file."""
    name = "a" * 500_000
    text = json.dumps({name: [{"doc": f"84{number:02x}"} for number in range(200)]}).encode()
    tracemalloc.start()
    with pytest.raises(CannotAnswer) as caught:
        unwrap(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    places = ", ".join(f"{name}[{number}].doc" for number in range(4))
    assert caught.value.message == f"the JSON has 200 different documents: {places}"
    assert peak < 20 * len(text)


def test_bytes_that_are_no_text_are_left_to_the_parser() -> None:
    assert unwrap(b"\x89PNG\r\n").encoding == "raw"
    assert unwrap(CBOR + b"\n").cbor == CBOR + b"\n"


def certificate(*names: str) -> x509.Certificate:
    """A TLS certificate of our own with those DNS names; no names, no extension."""
    extra = ((x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False),) if names else ()
    subject = pki.name(CN="enclave.invalid", order=("CN",))
    return pki.issue(pki.Profile(subject=subject, not_before=AT, not_after=AT, ca=False, extra=extra), None).certificate


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_a_document_among_the_names_of_a_certificate(encoding: Encoding) -> None:
    names = "enclave.invalid", f"{CBOR.hex()}.enclave.invalid", f"{CBOR.hex().upper()}.elsewhere.invalid", "84.invalid."
    carrier = certificate(*names[:3]).public_bytes(encoding)
    assert unwrap(carrier).cbor == CBOR
    assert unwrap(carrier).encoding == "certificate"
    with pytest.raises(CannotAnswer) as caught:
        unwrap(certificate(*names).public_bytes(encoding))
    assert caught.value.code == "evidence.ambiguous"
    assert caught.value.message == "the certificate has several attestation documents among its names"
    assert list(caught.value.hints) == ONE


@pytest.mark.parametrize("names", [(), ("enclave.invalid",), ("abc.invalid", "ab.invalid", "xyz84.invalid")])
@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_a_certificate_without_a_document_is_no_document(names: tuple[str, ...], encoding: Encoding) -> None:
    with pytest.raises(CannotAnswer) as caught:
        unwrap(certificate(*names).public_bytes(encoding))
    assert caught.value.code == "evidence.unreadable"
    assert caught.value.message == "it is a certificate without an attestation document among its names"


def test_a_document_in_a_certificate_is_not_larger_than_any_other() -> None:
    with pytest.raises(CannotAnswer) as caught:
        unwrap(certificate(f"{'84' * (32 * 1024 + 1)}.invalid").public_bytes(Encoding.DER))
    assert caught.value.code == "evidence.too-large"


def unread(oid: str, value: str) -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), bytes.fromhex(value)), False


def odd(old: str, new: str, *extra: tuple[x509.ExtensionType, bool]) -> bytes:
    """A TLS certificate with one edit, both in hexadecimal; its signature does not matter."""
    subject = pki.name(CN="enclave.invalid", order=("CN",))
    profile = pki.Profile(subject=subject, not_before=AT, not_after=AT, serial=5, ca=False, extra=extra)
    der = pki.issue(profile, None).der
    assert bytes.fromhex(old) in der
    return der.replace(bytes.fromhex(old), bytes.fromhex(new), 1)


@pytest.mark.parametrize(
    "der",
    [
        odd("", "", unread("2.5.29.17", "3002a300")),
        odd("", "", unread("2.5.29.17", "300fa40d300b3109300706035504030300")),
        odd("", "", unread("2.5.29.17", "30")),
        odd("06032a0304", "06032a0305", unread("1.2.3.4", "0500"), unread("1.2.3.5", "0500")),
        odd("a003020102", "a003020103"),
    ],
    ids=["a kind of name", "a name in a bit string", "no ASN.1", "an extension twice", "another version"],
)
def test_a_certificate_that_cannot_be_read_is_left_to_the_parser(der: bytes) -> None:
    assert unwrap(der) == Unwrapped(der, "raw")


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_the_library_says_nothing_about_an_odd_certificate(encoding: Encoding) -> None:
    names = x509.SubjectAlternativeName([x509.DNSName(f"{CBOR.hex()}.invalid")]), False
    der = odd("a003020102020105", "a0030201020201fb", names)
    text = base64.encodebytes(der).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n".encode()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unwrap(der if encoding is Encoding.DER else pem) == Unwrapped(CBOR, "certificate")


def test_what_only_begins_like_a_certificate_is_left_to_the_parser() -> None:
    der = certificate("enclave.invalid").public_bytes(Encoding.DER)
    assert unwrap(der[:-1]).encoding == unwrap(b"\x30\x82\xff").encoding == "raw"
