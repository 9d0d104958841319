"""A public key infrastructure of our own with the shape of the one behind real attestation documents.

Root, regional CA, zonal CA, instance CA, leaf: P-384 and ecdsa-with-SHA384 throughout, with the lifetimes, path
lengths, key usages, criticalities, identifiers and name orders that AWS uses, so that what accepts these documents
accepts real ones. The root says in its subject that it is a test root; no AWS root is, or can be, imitated here.

A certificate is made from a :class:`Profile`; a wrong one from a profile with one field replaced.
"""

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nitroctl import safefile
from nitroctl.errors import CannotAnswer

ORGANISATION: Final = "nitroctl stand-in"
ROOT_NAME: Final = "standin.nitro-enclaves"
ROOT_FILE: Final = "root.pem"
_KEY_FILE: Final = "root.key.pem"
_FILE_LIMIT: Final = 64 * 1024

#: Wire orders of the relative distinguished names.
_CA_ORDER: Final = ("C", "O", "OU", "CN")
_ZONAL_ORDER: Final = ("CN", "OU", "O", "C", "ST", "L")
_INSTANCE_ORDER: Final = ("C", "ST", "L", "O", "OU", "CN")
_NAME_OIDS: Final = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}
_SIGNS_ALL: Final = frozenset({"digital_signature", "key_cert_sign", "crl_sign"})
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
#: What a certificate must still have left when it is used again for a new document.
_LEAF_LIFETIME: Final = timedelta(hours=3)
#: A leaf is never the first thing an instance's authority lives to see.
_INSTANCE_AGE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Everything about a certificate but its keys.

    ``ca``: None leaves basicConstraints out. ``key_usage``: empty leaves it out. ``extra``: further extensions with
    their criticality. ``hash_`` is the issuer's digest, ``curve`` the subject's key.
    """

    subject: x509.Name
    not_before: datetime
    not_after: datetime
    serial: int = field(default_factory=x509.random_serial_number)
    ca: bool | None = True
    path_length: int | None = None
    basic_constraints_critical: bool = True
    key_usage: frozenset[str] = _SIGNS_ALL
    key_usage_critical: bool = True
    subject_key_identifier: bool = True
    authority_key_identifier: bool = True
    crl: str | None = None
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    hash_: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 = field(default_factory=hashes.SHA384)
    curve: ec.EllipticCurve = field(default_factory=ec.SECP384R1)
    issuer: x509.Name | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key and the certificate for it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class TestPki:
    """A test root and the directory in which it and the authorities under it are kept."""

    __test__: ClassVar[bool] = False  # not a test case, whatever pytest thinks of the name

    directory: Path
    root: Identity

    @property
    def root_certificate(self) -> Path:
        """The PEM file to pass as ``--root``."""
        return self.directory / ROOT_FILE

    def chain(self, *, module_id: str, region: str, at: datetime) -> tuple[Identity, ...]:
        """Return root, regional, zonal, instance and leaf for a document made at ``at`` (aware).

        Authorities are kept and used again while they last another three hours; the leaf is always new.
        """
        instance_id = module_id.rpartition("-")[0] or module_id
        regional = self._kept(f"regional-{region}", regional_profile(region, at=at), self.root, at)
        zonal = self._kept(f"zonal-{region}", zonal_profile(region, at=at), regional, at)
        instance = self._kept(f"{instance_id}-{region}", instance_profile(instance_id, region, at=at), zonal, at)
        leaf = issue(leaf_profile(module_id, region, at=at), instance)
        return self.root, regional, zonal, instance, leaf

    def _kept(self, name: str, profile: Profile, issuer: Identity, at: datetime) -> Identity:
        """Return the kept authority ``name`` under exactly this issuer, made from ``profile`` when there is none."""
        parent = issuer.certificate.fingerprint(hashes.SHA256()).hex()[:16]
        path = self.directory / f"{name}-{parent}.pem"
        if path.exists():
            with contextlib.suppress(ValueError):
                kept = _from_pem(safefile.read_bytes(str(path), limit=_FILE_LIMIT))
                certificate = kept.certificate
                lasts = certificate.not_valid_after_utc >= at + _LEAF_LIFETIME
                if lasts and certificate.not_valid_before_utc <= at:
                    return kept
        fresh = issue(profile, issuer)
        safefile.replace(str(path), _private_pem(fresh.key) + fresh.pem, mode=0o600)
        return fresh


def create(directory: Path, *, at: datetime) -> TestPki:
    """Make a new test root in ``directory`` (made if need be), good for thirty years from ``at``.

    Raises CannotAnswer ``file.unwritable``.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise safefile.cannot_write(str(directory), error) from error
    root = issue(root_profile(at=at), None)
    safefile.replace(str(directory / _KEY_FILE), _private_pem(root.key), mode=0o600)
    safefile.replace(str(directory / ROOT_FILE), root.pem)
    return TestPki(directory, root)


def load(directory: Path) -> TestPki:
    """Return the test root that :func:`create` left in ``directory``. Raises CannotAnswer."""
    key = safefile.read_bytes(str(directory / _KEY_FILE), limit=_FILE_LIMIT)
    certificate = safefile.read_bytes(str(directory / ROOT_FILE), limit=_FILE_LIMIT)
    try:
        return TestPki(directory, _from_pem(key + certificate))
    except ValueError as error:
        raise CannotAnswer(f"{directory}: not a stand-in's key and root certificate", "standin.pki") from error


def root_profile(*, at: datetime) -> Profile:
    """Return the test root: no path length, no authority key identifier, thirty years."""
    return Profile(
        subject=name(CN=ROOT_NAME, order=_CA_ORDER),
        not_before=_second(at) - timedelta(hours=1),
        not_after=_second(at) + timedelta(days=30 * 365),
        authority_key_identifier=False,
    )


def regional_profile(region: str, *, at: datetime) -> Profile:
    """Return a regional CA: 20 days and 1 hour, path length 2."""
    return Profile(
        subject=name(CN=f"{secrets.token_hex(8)}.{region}.aws.nitro-enclaves", order=_CA_ORDER),
        not_before=_second(at) - timedelta(hours=1),
        not_after=_second(at) + timedelta(days=20),
        path_length=2,
        crl="http://crl.standin.invalid/crl/root.crl",
    )


def zonal_profile(region: str, *, at: datetime) -> Profile:
    """Return a zonal CA: 6 days and 1 hour, path length 1, its name written backwards."""
    return Profile(
        subject=name(CN=f"{secrets.token_hex(8)}.zonal.{region}.aws.nitro-enclaves", order=_ZONAL_ORDER, state="WA"),
        not_before=_second(at) - timedelta(hours=1),
        not_after=_second(at) + timedelta(days=6),
        path_length=1,
        crl=f"http://crl-{region}.standin.invalid/crl/zonal.crl",
    )


def instance_profile(instance_id: str, region: str, *, at: datetime) -> Profile:
    """Return an instance CA: 24 hours, five minutes of them over, path length 0, certificate signing only."""
    return Profile(
        subject=name(CN=f"{instance_id}.{region}.aws.nitro-enclaves", order=_INSTANCE_ORDER),
        not_before=_second(at) - _INSTANCE_AGE,
        not_after=_second(at) - _INSTANCE_AGE + timedelta(hours=24),
        path_length=0,
        key_usage=frozenset({"key_cert_sign"}),
    )


def leaf_profile(module_id: str, region: str, *, at: datetime) -> Profile:
    """Return the certificate that signs documents: 3 hours, begun 3 seconds early, no key identifiers.

    Its serial number is the enclave id, four zero bytes and the second of issue, as AWS's are; a module id without
    an enclave id gets the second alone.
    """
    second = _second(at)
    return Profile(
        subject=name(CN=f"{module_id}.{region}.aws", order=_INSTANCE_ORDER),
        not_before=second - timedelta(seconds=3),
        not_after=second + _LEAF_LIFETIME,
        serial=leaf_serial(module_id, second),
        ca=False,
        key_usage=frozenset({"digital_signature", "content_commitment"}),
        key_usage_critical=False,
        subject_key_identifier=False,
        authority_key_identifier=False,
    )


def leaf_serial(module_id: str, issued: datetime) -> int:
    """Return the serial number AWS would give the leaf of ``module_id`` issued at ``issued``."""
    seconds = int(issued.timestamp())
    _, mark, enclave = module_id.rpartition("-enc")
    try:
        enclave_id = bytes.fromhex(enclave) if mark else b""
    except ValueError:
        enclave_id = b""
    return int.from_bytes(enclave_id + bytes(4) + seconds.to_bytes(4)) if enclave_id else seconds


def name(*, CN: str, order: Sequence[str], state: str = "Washington") -> x509.Name:  # noqa: N803  (the attribute's name)
    """Return a distinguished name with its attributes in ``order`` on the wire."""
    values = {"C": "US", "ST": state, "L": "Seattle", "O": ORGANISATION, "OU": "test", "CN": CN}
    return x509.Name([x509.NameAttribute(_NAME_OIDS[key], values[key]) for key in order])


def issue(profile: Profile, issuer: Identity | None, *, key: ec.EllipticCurvePrivateKey | None = None) -> Identity:
    """Return a certificate made from ``profile`` for ``key`` (new by default), signed by ``issuer`` or by itself."""
    key = key or ec.generate_private_key(profile.curve)
    signer = issuer.key if issuer else key
    issuer_name = profile.issuer or (issuer.certificate.subject if issuer else profile.subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(profile.subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(profile.serial)
        .not_valid_before(profile.not_before)
        .not_valid_after(profile.not_after)
    )
    for extension, critical in _extensions(profile, key.public_key(), signer.public_key()):
        builder = builder.add_extension(extension, critical)
    return Identity(key, builder.sign(signer, profile.hash_))


def _extensions(
    profile: Profile, public: ec.EllipticCurvePublicKey, issuer: ec.EllipticCurvePublicKey
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if profile.ca is not None:
        constraints = x509.BasicConstraints(ca=profile.ca, path_length=profile.path_length if profile.ca else None)
        found.append((constraints, profile.basic_constraints_critical))
    if profile.authority_key_identifier:
        found.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False))
    if profile.subject_key_identifier:
        found.append((x509.SubjectKeyIdentifier.from_public_key(public), False))
    if profile.key_usage:
        usage = x509.KeyUsage(**{usage: usage in profile.key_usage for usage in _USAGES})
        found.append((usage, profile.key_usage_critical))
    if profile.crl:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(profile.crl)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return [*found, *profile.extra]


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _from_pem(pem: bytes) -> Identity:
    """Return key and certificate from one PEM text. Raises ValueError."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic curve key")  # noqa: TRY004  (the one kind the callers handle)
    return Identity(key, x509.load_pem_x509_certificate(pem))
