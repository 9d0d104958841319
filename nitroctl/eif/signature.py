"""The signature section: who says that PCR0 is what it is.

The section is CBOR: an array of one map ``{"signing_certificate": PEM, "signature": COSE_Sign1}``, both values written
as arrays of small integers. The COSE payload is the map ``{"register_index": 0, "register_value": [48 integers]}``,
and readers compare its bytes, not its meaning. So one rule serves for all of it: decode, check every type, write the
same thing again and require the same bytes. That leaves no room for tags, indefinite lengths, duplicate keys, long
integers, another key order or trailing bytes, on which readers disagree.

Nothing here says whether the certificate deserves belief: it is whatever the signer chose. PCR8 names it.
Source: aws-nitro-enclaves-image-format, README "Signature section", and its reader; RFC 9052 section 4.4.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from nitroctl import pcr
from nitroctl.checks import Check, Outcome, blocked
from nitroctl.eif.format import SIGNATURE_LIMIT
from nitroctl.errors import CannotAnswer

SOURCE: Final = "EIF specification, signature section"
_COSE_SIGN1_TAG: Final = b"\xd2"
_MAX_DEPTH: Final = 8
_BYTE: Final = 0xFF


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An ECDSA algorithm of COSE: its name, number, curve, hash, and the bytes of each of r and s."""

    name: str
    number: int
    curve: str
    hash: hashes.HashAlgorithm
    width: int


ALGORITHMS: Final = (
    Algorithm("ES256", -7, "secp256r1", hashes.SHA256(), 32),
    Algorithm("ES384", -35, "secp384r1", hashes.SHA384(), 48),
    Algorithm("ES512", -36, "secp521r1", hashes.SHA512(), 66),
)


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


class _Malformed(Exception):
    """The section is not what the format says; the message is the clause for people."""


def examine(data: bytes, pcr0: bytes) -> tuple[tuple[Check, ...], Signature | None]:
    """Return the checks of a signature section against the PCR0 computed from the image, and what it holds.

    ``data``: the section's bytes. The signature is None when it could not be read. Never raises for hostile bytes.
    """
    try:
        signature, key = _parse(data)
    except _Malformed as error:
        unreadable = Check(
            id="eif.signature-format",
            title="The signature section is written as nitro-cli writes it",
            outcome=Outcome.FAIL,
            detail=f"the signature section cannot be read: {error}",
            remedy="sign the image again with nitro-cli sign-eif, or build it again",
            source=SOURCE,
        )
        by = "eif.signature-format"
        return (unreadable, blocked(*_VERIFIES, by, source=SOURCE), blocked(*_SIGNED_PCR0, by, source=SOURCE)), None
    return (
        Check(
            id="eif.signature-format",
            title="The signature section is written as nitro-cli writes it",
            outcome=Outcome.PASS,
            detail=f"{signature.algorithm}, one signature",
            source=SOURCE,
        ),
        _verify(signature, key),
        _compare(signature, pcr0),
    ), signature


_VERIFIES: Final = ("eif.signature", "The signature verifies with the certificate stored beside it")
_SIGNED_PCR0: Final = ("eif.signed-measurement", "The signature covers the PCR0 computed from the image")


def _verify(signature: Signature, key: ec.EllipticCurvePublicKey) -> Check:
    algorithm = next(known for known in ALGORITHMS if known.curve == key.curve.name)
    detail = ""
    if signature.protected != _protected(algorithm):
        detail = f"the protected header does not name {algorithm.name}, the algorithm of the certificate's key"
    elif len(signature.value) != 2 * algorithm.width:
        detail = f"{len(signature.value)} bytes of signature, {algorithm.name} has {2 * algorithm.width}"
    else:
        r, s = signature.value[: algorithm.width], signature.value[algorithm.width :]
        encoded = utils.encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
        try:
            key.verify(encoded, _to_be_signed(signature.protected, signature.payload), ec.ECDSA(algorithm.hash))
        except InvalidSignature:
            detail = "the signature is not one of these bytes by this certificate's key"
    return Check(
        id=_VERIFIES[0],
        title=_VERIFIES[1],
        outcome=Outcome.FAIL if detail else Outcome.PASS,
        detail=detail or f"{algorithm.name} by {signature.certificate.subject}",
        remedy="the image or its signature was altered; obtain it again, or build and sign it again"
        if detail
        else None,
        source="RFC 9052 section 4.4",
    )


def _compare(signature: Signature, pcr0: bytes) -> Check:
    good = signature.payload == _payload(pcr0)
    return Check(
        id=_SIGNED_PCR0[0],
        title=_SIGNED_PCR0[1],
        outcome=Outcome.PASS if good else Outcome.FAIL,
        detail="" if good else f"the signature is about {_about(signature.payload)}",
        expected=None if good else f"PCR0 {pcr0.hex()}",
        actual=None if good else _about(signature.payload),
        remedy=None if good else "the image was changed after it was signed; build and sign it again",
        source=SOURCE,
    )


def dates(certificate: Certificate, at: datetime) -> Check:
    """Return whether ``at`` (aware) lies in the certificate's validity window; a WARN when not.

    ``nitro-cli run-enclave`` refuses an image whose certificate has expired; PCR8 and the hypervisor do not care.
    """
    window = f"{_rfc3339(certificate.not_before)} to {_rfc3339(certificate.not_after)}"
    inside = certificate.not_before <= at <= certificate.not_after
    when = "" if inside else " it had expired" if at > certificate.not_after else " it did not hold yet"
    return Check(
        id="eif.certificate-dates",
        title="The signing certificate is within its dates",
        outcome=Outcome.PASS if inside else Outcome.WARN,
        detail=f"{window}; as of {_rfc3339(at)}{when}",
        remedy=None if inside else "nitro-cli run-enclave refuses the image: sign it with a current certificate",
        source="nitro-cli run-enclave, signature check",
        required=False,
    )


def _rfc3339(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")


# -- reading


def _parse(data: bytes) -> tuple[Signature, ec.EllipticCurvePublicKey]:
    if len(data) > SIGNATURE_LIMIT:
        raise _Malformed(f"{len(data)} bytes, at most {SIGNATURE_LIMIT} are allowed")
    entries = _decode(data, "the section")
    if type(entries) is not list:
        raise _Malformed("it is not an array")
    if len(entries) != 1:
        raise _Malformed(f"it holds {len(entries)} signatures in place of one")
    entry = entries[0]
    if type(entry) is not dict or set(entry) != {"signing_certificate", "signature"}:
        raise _Malformed("its entry is not a map of signing_certificate and signature")
    pem = _octets(entry["signing_certificate"], "signing_certificate")
    cose = _octets(entry["signature"], "signature")
    if _section(pem, cose) != data:
        raise _Malformed("it is not in the one encoding that nitro-cli writes (lengths, integer sizes or key order)")
    protected, payload, value = _parse_cose(cose)
    try:
        certificate, key = _parse_certificate(pem)
    except _Malformed as error:
        raise _Malformed(f"its certificate {error}") from error
    algorithm = next((known for known in ALGORITHMS if protected == _protected(known)), None)
    name = algorithm.name if algorithm else f"protected header {protected.hex()}"
    return Signature(certificate, name, protected, payload, value), key


def _decode(data: bytes, what: str) -> object:
    """Return the one CBOR item that ``data`` is; bounded in depth, without duplicate keys or trailing bytes."""
    stream = io.BytesIO(data)
    try:
        item: object = cbor2.CBORDecoder(stream, max_depth=_MAX_DEPTH, allow_duplicate_keys=False).decode()
    except Exception as error:
        raise _Malformed(f"{what} is not CBOR") from error
    if stream.tell() != len(data):
        raise _Malformed(f"{what} is followed by {len(data) - stream.tell()} more bytes")
    return item


def _octets(items: object, what: str) -> bytes:
    """Return the bytes that an array of small integers stands for."""
    if type(items) is not list:
        raise _Malformed(f"{what} is not an array of integers")
    if not all(type(item) is int and 0 <= item <= _BYTE for item in items):
        raise _Malformed(f"{what} has an item that is not an integer of 0 to 255")
    return bytes(items)


def _parse_cose(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return protected header, payload and signature of a COSE_Sign1; the tag 18 is accepted, as nitro-cli does."""
    untagged = data.removeprefix(_COSE_SIGN1_TAG)
    parts = _decode(untagged, "its COSE_Sign1")
    if type(parts) is not list or len(parts) != 4:  # noqa: PLR2004
        raise _Malformed("its COSE_Sign1 is not an array of four")
    protected, unprotected, payload, value = parts
    if type(protected) is not bytes or type(payload) is not bytes or type(value) is not bytes:
        raise _Malformed("a part of its COSE_Sign1 is not a byte string")
    if type(unprotected) is not dict or unprotected:
        raise _Malformed("its COSE_Sign1 has unprotected headers")
    if cbor2.dumps(parts) != untagged:
        raise _Malformed("its COSE_Sign1 is not in the shortest encoding")
    return protected, payload, value


def _parse_certificate(pem: bytes) -> tuple[Certificate, ec.EllipticCurvePublicKey]:
    """Return the first certificate in ``pem`` and its key; two PEM readers must find the same bytes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd serial number is the signer's choice: nothing rests on it
            der = pcr.certificate_der(pem, where="signing_certificate")
            loaded = x509.load_pem_x509_certificate(pem)
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
        raise _Malformed(f"cannot be read: {_first_line(error)}") from error
    if loaded.public_bytes(serialization.Encoding.DER) != der:
        raise _Malformed("reads as one certificate here and as another there")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in {known.curve for known in ALGORITHMS}:
        raise _Malformed("has a key that is not on P-256, P-384 or P-521")
    return certificate, key


def _first_line(error: Exception) -> str:
    text = str(error).removeprefix("signing_certificate: ")
    return (text.splitlines() or [type(error).__name__])[0][:200]


def _about(payload: bytes) -> str:
    """Say which register a payload claims, as far as it can be understood."""
    try:
        claim = _decode(payload, "the payload")
        if type(claim) is not dict or set(claim) != {"register_index", "register_value"}:
            return "something that is not a register"
        value = _octets(claim["register_value"], "register_value")
        index = claim["register_index"]
        if type(index) is not int or not 0 <= index < 32:  # noqa: PLR2004
            return "a register that does not exist"
    except _Malformed:
        return "something that is not a register"
    claimed = f"{pcr.name(index)} {value.hex() or '(empty)'}"
    return claimed if payload == _payload(value, index) else f"{claimed}, in another encoding"


# -- writing


def _section(pem: bytes, cose: bytes) -> bytes:
    return cbor2.dumps([{"signing_certificate": list(pem), "signature": list(cose)}])


def _protected(algorithm: Algorithm) -> bytes:
    return cbor2.dumps({1: algorithm.number})


def _payload(register: bytes, index: int = 0) -> bytes:
    return cbor2.dumps({"register_index": index, "register_value": list(register)})


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, b"", payload])


def sign(pcr0: bytes, *, private_key_pem: bytes, certificate_pem: bytes) -> bytes:
    """Return the data of a signature section over ``pcr0`` (48 bytes), as ``nitro-cli sign-eif`` writes it.

    Deterministic ECDSA (RFC 6979) where the library has it, so that the same inputs give the same image. Raises
    CannotAnswer ``eif.signing-key`` for a key that is encrypted, not on P-256, P-384 or P-521, or not the
    certificate's, and ``eif.signing-certificate`` for a certificate that no reader would take.
    """
    key = _signing_key(private_key_pem)
    try:
        _, public = _parse_certificate(certificate_pem)
    except _Malformed as error:
        raise CannotAnswer(
            f"the signing certificate {error}",
            "eif.signing-certificate",
            ["name the PEM certificate of the private key"],
        ) from error
    if public != key.public_key():
        raise CannotAnswer(
            "the private key is not the signing certificate's", "eif.signing-key", ["name the two halves of one pair"]
        )
    algorithm = next(known for known in ALGORITHMS if known.curve == key.curve.name)
    protected, payload = _protected(algorithm), _payload(pcr0)
    r, s = utils.decode_dss_signature(key.sign(_to_be_signed(protected, payload), _ecdsa(algorithm.hash)))
    value = r.to_bytes(algorithm.width) + s.to_bytes(algorithm.width)
    data = _section(certificate_pem, cbor2.dumps([protected, {}, payload, value]))
    if len(data) > SIGNATURE_LIMIT:
        raise CannotAnswer(
            f"the signing certificate's file is too large: the section would have {len(data)} bytes, "
            f"at most {SIGNATURE_LIMIT} are allowed",
            "eif.signing-certificate",
            ["name a PEM file that holds the one certificate"],
        )
    return data


def _signing_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    hints = ["make one with: openssl ecparam -name secp384r1 -genkey -noout"]
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it is encrypted
        raise CannotAnswer(
            "the private key cannot be used: it is encrypted, or not a PEM private key", "eif.signing-key", hints
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in {known.curve for known in ALGORITHMS}:
        raise CannotAnswer(
            "the private key cannot be used: it is not on P-256, P-384 or P-521", "eif.signing-key", hints
        )
    return key


def _ecdsa(algorithm: hashes.HashAlgorithm) -> ec.ECDSA:
    try:
        return ec.ECDSA(algorithm, deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(algorithm)
