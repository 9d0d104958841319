"""One X.509 certificate of an attestation document's bundle, reduced to what the chain's rules ask about.

Everything here is a function of the exact bytes, so it is remembered by them; nothing about time, position or trust
is decided here.
"""

import hashlib
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from nitroctl.evidence import backend
from nitroctl.evidence.der import Parts, parts
from nitroctl.evidence.remembered import remembered

#: AlgorithmIdentifier of ecdsa-with-SHA384, no parameters (RFC 5758, 3.2).
ECDSA_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
#: A SubjectPublicKeyInfo up to and with the 04 that begins an uncompressed point (RFC 5480, 2).
_UNCOMPRESSED_P384: Final = bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004")
_PROCESSED: Final = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})
#: Enough for 500 enclaves at once; about 5 KiB each.
_REMEMBERED: Final = 1024


class CertificateFault(Exception):
    """The bytes are not one certificate; the message says how."""


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """What the rules need to know. ``*_fault``: None, or what is wrong, as the end of a sentence.

    ``subject``/``issuer``: the names in DER. ``signed``: the part that ``signature`` (r and s in DER) is over.
    ``verifier``: of its key; None unless P-384. ``ca``: None without basicConstraints. ``usages``: the keyUsage bits
    asked about, None without keyUsage. ``unprocessed``: critical extensions that no rule looks at, dotted.
    """

    der: bytes
    fingerprint: str
    subject: bytes
    issuer: bytes
    common_name: str
    serial: int
    not_before: datetime
    not_after: datetime
    signed: bytes
    signature: bytes
    verifier: backend.Verifier | None
    key_fault: str | None
    algorithm_fault: str | None
    extension_fault: str | None
    unprocessed: tuple[str, ...]
    ca: bool | None
    path_length: int | None
    usages: frozenset[str] | None
    crl_addresses: tuple[str, ...]

    @property
    def subject_text(self) -> str:
        """The subject as RFC 4514 writes it."""
        return x509.load_der_x509_certificate(self.der).subject.rfc4514_string()


@remembered(_REMEMBERED)
def load(der: bytes) -> Certificate:
    """Return what the certificate ``der`` says. Raises CertificateFault when it is not exactly one v3 certificate."""
    with warnings.catch_warnings():
        # what the library only frowns at (a negative serial, NULL parameters) is refused
        warnings.simplefilter("error")
        try:
            certificate = x509.load_der_x509_certificate(der)
            return _read(der, certificate)
        except (ValueError, TypeError, x509.InvalidVersion, Warning) as error:
            raise CertificateFault(f"cannot be decoded: {reason(error)}") from error


@remembered(_REMEMBERED)
def signed_by(parent_der: bytes, child_der: bytes) -> bool:
    """Whether the P-384 key of the certificate ``parent_der`` signed ``child_der``; remembered by both exact bytes."""
    child = load(child_der)
    return key_signed(parent_der, child.signature, child.signed)


def key_signed(der: bytes, signature: bytes, content: bytes) -> bool:
    """Whether the P-384 key of the certificate ``der`` made ``signature`` (DER) over ``content``, with SHA-384."""
    verifier = load(der).verifier
    return verifier is not None and verifier(signature, content)


def _read(der: bytes, certificate: x509.Certificate) -> Certificate:
    if certificate.version is not x509.Version.v3:
        raise CertificateFault("is not an X.509 v3 certificate")
    found = parts(der)
    verifier, key_fault = _key(certificate, found.public_key)
    extensions, extension_fault = _extensions(certificate)
    values = {type(extension.value): extension.value for extension in extensions}
    constraints, usage = values.get(x509.BasicConstraints), values.get(x509.KeyUsage)
    points = values.get(x509.CRLDistributionPoints)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Certificate(
        der=der,
        fingerprint=hashlib.sha256(der).hexdigest(),
        subject=found.subject,
        issuer=found.issuer,
        common_name=str(names[0].value) if len(names) == 1 else "",
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        signed=found.signed,
        signature=certificate.signature,
        verifier=verifier,
        key_fault=key_fault,
        algorithm_fault=_algorithm_fault(certificate, found),
        extension_fault=extension_fault,
        unprocessed=tuple(
            extension.oid.dotted_string
            for extension in extensions
            if extension.critical and extension.oid not in _PROCESSED
        ),
        ca=constraints.ca if isinstance(constraints, x509.BasicConstraints) else None,
        path_length=constraints.path_length if isinstance(constraints, x509.BasicConstraints) else None,
        usages=_usages(usage) if isinstance(usage, x509.KeyUsage) else None,
        crl_addresses=_crl_addresses(points) if isinstance(points, x509.CRLDistributionPoints) else (),
    )


def _key(certificate: x509.Certificate, spki: bytes) -> tuple[backend.Verifier | None, str | None]:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        return None, f"has a key that cannot be read: {reason(error)}"
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return None, "has a key that is not on an elliptic curve"
    if not isinstance(key.curve, ec.SECP384R1):
        return None, f"has a key on the curve {key.curve.name}"
    if not spki.startswith(_UNCOMPRESSED_P384):
        return None, "has a key that is not an uncompressed point"
    return backend.verifier(key, spki), None


def _algorithm_fault(certificate: x509.Certificate, found: Parts) -> str | None:
    """Judge the algorithm, inside and outside the signed part, by its exact bytes: no parameters, no other form."""
    if found.inner_algorithm == found.outer_algorithm == ECDSA_SHA384:
        return None
    name = certificate.signature_algorithm_oid._name  # noqa: SLF001  (the library's only name for it)
    if name == "ecdsa-with-SHA384":
        return "names its signature algorithm with parameters, or another one inside the signed part"
    return f"is signed with {name}"


def _extensions(certificate: x509.Certificate) -> tuple[list[x509.Extension[x509.ExtensionType]], str | None]:
    try:
        return list(certificate.extensions), None
    except x509.DuplicateExtension as error:
        return [], f"has the extension {error.oid.dotted_string} twice"
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType) as error:
        return [], f"has an extension that cannot be read: {reason(error)}"


def _usages(usage: x509.KeyUsage) -> frozenset[str]:
    bits = (
        ("digitalSignature", usage.digital_signature),
        ("nonRepudiation", usage.content_commitment),
        ("keyCertSign", usage.key_cert_sign),
        ("cRLSign", usage.crl_sign),
    )
    return frozenset([name for name, is_set in bits if is_set])


def _crl_addresses(points: x509.CRLDistributionPoints) -> tuple[str, ...]:
    return tuple(
        name.value
        for point in points
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    )


def reason(error: Exception) -> str:
    """Return what the library says of bytes that it does not take, in one line of at most 120 characters."""
    return " ".join(str(error).split())[:120]
