"""What the three fields that enclave code fills hold: bytes, a text perhaps, a public key perhaps."""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that could be read. ``fingerprint``: SHA-256 of its SubjectPublicKeyInfo in DER."""

    kind: str
    bits: int | None
    fingerprint: str

    @property
    def name(self) -> str:
        """Kind and size: ``RSA, 2048 bits``."""
        return f"{self.kind}, {self.bits} bits" if self.bits else self.kind


def text_of(content: bytes) -> str | None:
    """Return ``content`` as text when it is printable UTF-8, else None."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text and text.isprintable() else None


def public_key(content: bytes) -> PublicKey | None:
    """Return what key ``content`` is (SubjectPublicKeyInfo in DER, or PEM), or None when it is not one."""
    loader = load_pem_public_key if content.startswith(b"-----BEGIN") else load_der_public_key
    try:
        key = loader(content)
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None
    fingerprint = hashlib.sha256(der).hexdigest()
    if isinstance(key, rsa.RSAPublicKey):
        return PublicKey("RSA", key.key_size, fingerprint)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return PublicKey(f"elliptic curve {key.curve.name}", key.key_size, fingerprint)
    kind = "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__.removesuffix("PublicKey")
    return PublicKey(kind, None, fingerprint)
