"""A detached signature over the ledger's canonical bytes: ECDSA on P-384 with SHA-384, or Ed25519.

The signature is what openssl writes and reads: the DER of an Ecdsa-Sig-Value (RFC 3279, section 2.2.3), or the 64 bytes
of RFC 8032. So nobody needs this program to verify it:
``openssl dgst -sha384 -verify key.pub -signature measurements.json.sig measurements.json``.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from nitroctl import safefile
from nitroctl.checks import Check, Outcome
from nitroctl.errors import CannotAnswer

#: Keys and signatures are small.
SIZE_LIMIT: Final = 64 * 1024
CHECK_ID: Final = "records.signature"
_TITLE: Final = "The signature is that of the given key over the file"
_MAKE_KEY: Final = (
    "make one with: openssl genpkey -algorithm ed25519, or -algorithm EC -pkeyopt ec_paramgen_curve:P-384"
)


def sign(content: bytes, key_path: str) -> tuple[bytes, bytes]:
    """Return the signature over ``content`` by the private key (PEM) in ``key_path``, and the public key in PEM.

    Deterministic where the linked OpenSSL can make ECDSA so (RFC 6979); Ed25519 is always. Raises CannotAnswer
    ``file.*`` or ``records.signing-key``.
    """
    pem = safefile.read_bytes(key_path, limit=SIZE_LIMIT)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise _key(
            f"{key_path}: the key is encrypted with a passphrase", "write it without one to a file only you read"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _key(f"{key_path}: not a private key in PEM", _MAKE_KEY) from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(content)
    elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1):
        try:
            signature = key.sign(content, ec.ECDSA(hashes.SHA384(), deterministic_signing=True))
        except UnsupportedAlgorithm:
            signature = key.sign(content, ec.ECDSA(hashes.SHA384()))
    else:
        raise _key(f"{key_path}: neither a P-384 nor an Ed25519 key", _MAKE_KEY)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return signature, key.public_key().public_bytes(serialization.Encoding.PEM, form)


def check(content: bytes, signature_path: str, key_path: str) -> Check:
    """Return whether the signature in ``signature_path`` is that of the public key in ``key_path`` over ``content``.

    Raises CannotAnswer ``file.*`` or ``records.signing-key`` for a key that is none.
    """
    pem = safefile.read_bytes(key_path, limit=SIZE_LIMIT)
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _key(f"{key_path}: not a public key in PEM", "openssl pkey -in key.pem -pubout writes one") from error
    signature = safefile.read_bytes(signature_path, limit=SIZE_LIMIT)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, content)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
            key.verify(signature, content, ec.ECDSA(hashes.SHA384()))
        else:
            raise _key(f"{key_path}: neither a P-384 nor an Ed25519 key", _MAKE_KEY)
    except InvalidSignature:
        return Check(
            id=CHECK_ID,
            title=_TITLE,
            outcome=Outcome.FAIL,
            detail=f"{signature_path} is no signature of {key_path} over these bytes",
            remedy="see what changed since it was signed (pcr verify --against); then sign it again",
        )
    return Check(id=CHECK_ID, title=_TITLE, outcome=Outcome.PASS, detail=f"{signature_path}, {key_path}")


def _key(message: str, hint: str) -> CannotAnswer:
    return CannotAnswer(message, "records.signing-key", [hint])
