"""What may stand around a document, and what is refused rather than guessed."""

import base64
import json
import textwrap

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.errors import CannotAnswer
from nitroctl.evidence.container import unwrap
from nitroctl.standin import pki
from nitroctl.standin.lab_change import AT, make

CBOR = make()
B64 = base64.b64encode(CBOR).decode()
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


@pytest.mark.parametrize("names", [(), ("enclave.invalid",), ("abc.invalid", "ab.invalid", "xyz84.invalid")])
@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_a_certificate_without_a_document_is_no_document(names: tuple[str, ...], encoding: Encoding) -> None:
    with pytest.raises(CannotAnswer) as caught:
        unwrap(certificate(*names).public_bytes(encoding))
    assert caught.value.code == "evidence.unreadable"
    assert "certificate without an attestation document" in caught.value.message


def test_a_document_in_a_certificate_is_not_larger_than_any_other() -> None:
    with pytest.raises(CannotAnswer) as caught:
        unwrap(certificate(f"{'84' * (32 * 1024 + 1)}.invalid").public_bytes(Encoding.DER))
    assert caught.value.code == "evidence.too-large"


def test_what_only_begins_like_a_certificate_is_left_to_the_parser() -> None:
    der = certificate("enclave.invalid").public_bytes(Encoding.DER)
    assert unwrap(der[:-1]).encoding == unwrap(b"\x30\x82\xff").encoding == "raw"
