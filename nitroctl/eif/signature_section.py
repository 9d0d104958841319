"""The signature section's bytes: one form is read and the same form is written.

::

    section  = [ { "signing_certificate": octets, "signature": octets } ]     the PEM text, and a COSE_Sign1
    COSE     = [ bstr({1: algorithm}), {}, bstr(payload), bstr(r ‖ s) ]       tag 18 before it is let pass
    payload  = { "register_index": 0, "register_value": octets }              PCR0, 48 of them
    octets   = an array of integers of 0 to 255, never a byte string

All of it in CBOR with the shortest heads and the keys in this order, because readers compare bytes (nitro-cli) or
positions (QEMU). So no general decoder is let near these bytes: the reader here knows this shape and nothing else,
which leaves no room for tags, indefinite lengths, duplicate keys, long integers, deep nesting or trailing bytes.
The certificate's text is held to a form in which OpenSSL (nitro-cli) and GnuTLS (QEMU) find the same certificate.
Source: aws-nitro-enclaves-image-format, README "Signature section", and its reader; RFC 9052 section 4.4; RFC 7468.
"""

import hashlib
import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from nitroctl import pcr
from nitroctl.eif.format import SIGNATURE_LIMIT
from nitroctl.errors import CannotAnswer

_COSE_SIGN1_TAG: Final = b"\xd2"
_BYTES, _TEXT, _ARRAY, _MAP = 2, 3, 4, 5
_BLOCK: Final = re.compile(
    rb"^-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n"
    rb"(?:[A-Za-z0-9+/=]{1,254}[ \t]*\r?\n)+"
    rb"-----END \1-----[ \t]*\r?$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An ECDSA algorithm of COSE: its name, number, curve, hash, and the bytes of each of r and s."""

    name: str
    number: int
    curve: str
    hash: hashes.HashAlgorithm
    width: int

    @property
    def protected(self) -> bytes:
        """The protected header that names it."""
        return cbor2.dumps({1: self.number})


ALGORITHMS: Final = (
    Algorithm("ES256", -7, "secp256r1", hashes.SHA256(), 32),
    Algorithm("ES384", -35, "secp384r1", hashes.SHA384(), 48),
    Algorithm("ES512", -36, "secp521r1", hashes.SHA512(), 66),
)
CURVES: Final = "P-256, P-384 or P-521"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The signing certificate as stored: names in RFC 4514 form, an aware validity window, and its digests."""

    der: bytes
    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    sha256: str
    pcr8: bytes
    curve: str


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature section that could be read: the certificate and the parts of the COSE_Sign1."""

    certificate: Certificate
    algorithm: str
    protected: bytes
    payload: bytes
    value: bytes


class Malformed(Exception):
    """The section is not what the format says; the message is the clause for people."""


def algorithm_of(key: ec.EllipticCurvePublicKey) -> Algorithm | None:
    """Return the one algorithm that ``key`` signs with, or None for another curve."""
    return next((known for known in ALGORITHMS if known.curve == key.curve.name), None)


# -- reading


def read(data: bytes) -> tuple[Signature, ec.EllipticCurvePublicKey]:
    """Return what the section's bytes hold, and the certificate's key. Raises Malformed for every other form."""
    if len(data) > SIGNATURE_LIMIT:
        raise Malformed(f"{len(data)} bytes, at most {SIGNATURE_LIMIT} are allowed")
    reader = _Reader(data, "the section")
    entries = reader.head(_ARRAY, "an array")
    if entries != 1:
        raise Malformed(f"it holds {entries} signatures in place of one")
    if reader.head(_MAP, "a map of two in the array") != 2:  # noqa: PLR2004
        raise Malformed("its entry is not a map of signing_certificate and signature")
    reader.key("signing_certificate")
    pem = reader.octets("signing_certificate")
    reader.key("signature")
    cose = reader.octets("signature")
    reader.end()
    protected, payload, value = _read_cose(cose)
    try:
        certificate, key = read_certificate(pem)
    except Malformed as error:
        raise Malformed(f"its certificate {error}") from error
    algorithm = next((known for known in ALGORITHMS if protected == known.protected), None)
    name = algorithm.name if algorithm else f"protected header {protected.hex()}"
    return Signature(certificate, name, protected, payload, value), key


def _read_cose(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return protected header, payload and signature of a COSE_Sign1; the tag 18 is accepted, as nitro-cli does."""
    reader = _Reader(data.removeprefix(_COSE_SIGN1_TAG), "its COSE_Sign1")
    if reader.head(_ARRAY, "an array") != 4:  # noqa: PLR2004
        raise Malformed("its COSE_Sign1 is not an array of four")
    protected = reader.string("the protected header")
    if reader.head(_MAP, "a map of unprotected headers") != 0:
        raise Malformed("its COSE_Sign1 has unprotected headers")
    payload = reader.string("the payload")
    value = reader.string("the signature")
    reader.end()
    return protected, payload, value


def read_payload(payload: bytes) -> tuple[int, bytes]:
    """Return index and value of the register that a payload is about. Raises Malformed."""
    reader = _Reader(payload, "the payload")
    if reader.head(_MAP, "a map") != 2:  # noqa: PLR2004
        raise Malformed("the payload is not a map of register_index and register_value")
    reader.key("register_index")
    index = reader.head(0, "an integer")
    reader.key("register_value")
    value = reader.octets("register_value")
    reader.end()
    return index, value


class _Reader:
    """One pass over bytes whose shape is known; ``at`` is where it stands, ``what`` names the bytes in errors."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data = data
        self.what = what
        self.at = 0

    def head(self, major: int, wanted: str) -> int:
        """Pass over a head of the type ``major`` and return its argument, which must be written the shortest way."""
        begin = self.at
        if begin >= len(self.data):
            raise Malformed(f"{self.what} ends at byte {begin}, where {wanted} is expected")
        found, argument = self.data[begin] >> 5, self.data[begin] & 0x1F
        if found != major:
            raise Malformed(f"{self.what} does not have {wanted} at byte {begin}")
        self.at += 1
        if argument < 24:  # noqa: PLR2004  (RFC 8949, 3: the argument itself)
            return argument
        width = {24: 1, 25: 2, 26: 4, 27: 8}.get(argument)
        if width is None:
            raise Malformed(f"{self.what} has {wanted} of indefinite length at byte {begin}")
        written = self.data[self.at : self.at + width]
        self.at += width
        if len(written) < width:
            raise Malformed(f"{self.what} ends inside {wanted} at byte {begin}")
        value = int.from_bytes(written)
        if value < (24 if width == 1 else 1 << 4 * width):
            raise Malformed(f"{self.what} has a number at byte {begin} that is not written the shortest way")
        return value

    def string(self, wanted: str, major: int = _BYTES) -> bytes:
        """Pass over a byte string, or a text of the type ``major``, and return it."""
        begin = self.at
        length = self.head(major, f"{wanted} as a {'byte ' if major == _BYTES else ''}string")
        if length > len(self.data) - self.at:
            raise Malformed(f"{self.what} ends inside {wanted} at byte {begin}")
        self.at += length
        return self.data[self.at - length : self.at]

    def key(self, name: str) -> None:
        """Pass over the map key ``name``."""
        begin = self.at
        if self.string(f"the key {name}", _TEXT) != name.encode():
            raise Malformed(f"{self.what} does not have the key {name} at byte {begin}")

    def octets(self, what: str) -> bytes:
        """Pass over an array of small integers and return the bytes that it stands for."""
        count = self.head(_ARRAY, f"{what} as an array of integers")
        if count > len(self.data) - self.at:  # each item takes a byte at least
            raise Malformed(f"{what} claims {count} integers where {len(self.data) - self.at} bytes are left")
        found = bytearray()
        for _ in range(count):
            begin = self.at
            item = self.head(0, f"an integer of 0 to 255 in {what}")
            if item > 0xFF:  # noqa: PLR2004
                raise Malformed(f"{what} has {item} at byte {begin}, which is not an integer of 0 to 255")
            found.append(item)
        return bytes(found)

    def end(self) -> None:
        """Require that nothing follows."""
        if self.at != len(self.data):
            raise Malformed(f"{self.what} is followed by {len(self.data) - self.at} more bytes")


def read_certificate(pem: bytes) -> tuple[Certificate, ec.EllipticCurvePublicKey]:
    """Return the first certificate in ``pem`` and its key; every reader must find the same one. Raises Malformed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd serial number is the signer's choice: nothing rests on it
            der = pcr.certificate_der(pem, where="signing_certificate")
            if not _unmistakable(pem):
                raise Malformed("is not written so that every reader finds the same one")
            loaded = x509.load_der_x509_certificate(der)
            key = loaded.public_key()
            certificate = Certificate(
                der=der,
                subject=loaded.subject.rfc4514_string(),
                issuer=loaded.issuer.rfc4514_string(),
                serial=f"{loaded.serial_number:x}",
                not_before=loaded.not_valid_before_utc,
                not_after=loaded.not_valid_after_utc,
                sha256=hashlib.sha256(der).hexdigest(),
                pcr8=pcr.for_certificate(der),
                curve=key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else "",
            )
    except (CannotAnswer, ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise Malformed(f"cannot be read: {_first_line(error)}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm_of(key) is None:
        raise Malformed(f"has a key that is not on {CURVES}")
    return certificate, key


def _unmistakable(pem: bytes) -> bool:
    """Whether every reader of ``pem`` takes the same block for the first certificate.

    OpenSSL takes the first line that is a BEGIN of CERTIFICATE or X509 CERTIFICATE, and stumbles over a broken block
    before it. GnuTLS looks for either name anywhere, X509 CERTIFICATE first, and takes CERTIFICATE REQUEST for a
    certificate. So: the second name nowhere, the first one on lines of its own, no longer than OpenSSL reads at once,
    and before it no dashes but those of blocks that are as well-formed.
    """
    first = pem.find(b"-----BEGIN CERTIFICATE")
    block = _BLOCK.match(pem, first)
    before = _BLOCK.sub(b"", pem[:first])
    return (
        block is not None
        and block[1] == b"CERTIFICATE"
        and b"-----" not in before
        and b"-----BEGIN X509 CERTIFICATE" not in pem
    )


def _first_line(error: Exception) -> str:
    text = str(error).removeprefix("signing_certificate: ")
    return (text.splitlines() or [type(error).__name__])[0][:200]


# -- judging


def fault(signature: Signature, key: ec.EllipticCurvePublicKey) -> str:
    """Return why the signature is none of these bytes by ``key``; empty when it is one. RFC 9052, section 4.4."""
    algorithm = algorithm_of(key)
    if algorithm is None or signature.protected != algorithm.protected:
        name = algorithm.name if algorithm else "no algorithm"
        return f"the protected header does not name {name}, the algorithm of the certificate's key"
    if len(signature.value) != 2 * algorithm.width:
        return f"{len(signature.value)} bytes of signature, {algorithm.name} has {2 * algorithm.width}"
    r, s = signature.value[: algorithm.width], signature.value[algorithm.width :]
    encoded = utils.encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
    try:
        key.verify(encoded, to_be_signed(signature.protected, signature.payload), ec.ECDSA(algorithm.hash))
    except InvalidSignature:
        return "the signature is not one of these bytes by this certificate's key"
    return ""


# -- writing


def write(pem: bytes, protected: bytes, payload: bytes, value: bytes) -> bytes:
    """Return the bytes of a section."""
    cose = cbor2.dumps([protected, {}, payload, value])
    return cbor2.dumps([{"signing_certificate": list(pem), "signature": list(cose)}])


def payload_of(register: bytes) -> bytes:
    """Return what is signed about PCR0."""
    return cbor2.dumps({"register_index": 0, "register_value": list(register)})


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure of RFC 9052, section 4.4, without external data."""
    return cbor2.dumps(["Signature1", protected, b"", payload])
