"""Cases of the lab in which a certificate's key, its algorithm or its outer form is at fault."""

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitroctl.standin.lab_change import (
    INSTANCE_CA,
    LEAF,
    ZONAL,
    Case,
    Change,
    case,
    edited,
    good_chain,
    profile,
    rewritten,
    tlv,
)

_SHA384: Final = "300a06082a8648ce3d040303"
#: Of a signed part: its own head, and after it [0] with the version.
_HEAD: Final = 4
_VERSION: Final = 5


def _edited(number: int, old: str, new: str) -> Change:
    return Change(fields=edited(number, old, new))


def _body(edit: Callable[[bytes], bytes]) -> Change:
    """Change what stands inside the leaf's signed part, whatever becomes of its length."""
    return Change(fields=rewritten(LEAF, lambda signed: tlv(0x30, edit(signed[_HEAD:]))))


def _point(compression: PublicFormat) -> bytes:
    return good_chain()[LEAF].key.public_key().public_bytes(Encoding.X962, compression)


def _spki() -> bytes:
    return good_chain()[LEAF].key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _other_key(make: Callable[[], bytes]) -> Change:
    """Put another SubjectPublicKeyInfo into the leaf."""
    return _body(lambda body: body.replace(_spki(), make()))


def _rsa() -> bytes:
    key = rsa.generate_private_key(65537, 2048).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _ed25519() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _compressed() -> bytes:
    algorithm = bytes.fromhex("301006072a8648ce3d020106052b81040022")
    return tlv(0x30, algorithm + tlv(0x03, b"\x00" + _point(PublicFormat.CompressedPoint)))


def _hybrid() -> bytes:
    spki, point = _spki(), _point(PublicFormat.UncompressedPoint)
    return spki.replace(point, bytes([6 + point[-1] % 2]) + point[1:])


def _off_the_curve() -> bytes:
    spki = _spki()
    return spki[:-1] + bytes([spki[-1] ^ 1])


def _bare(body: bytes) -> bytes:
    """Leave out version and extensions, as in X.509 of 1988."""
    return body[_VERSION : body.index(_spki()) + len(_spki())]


CASES: Final[tuple[Case, ...]] = (
    case(
        "key-p-256-authority",
        "The zonal authority's key is on P-256.",
        "chain.keys",
        profile(ZONAL, curve=ec.SECP256R1()),
    ),
    case("key-p-256-leaf", "The leaf's key is on P-256.", "chain.keys", profile(LEAF, curve=ec.SECP256R1())),
    case(
        "key-secp256k1",
        "The instance authority's key is on secp256k1.",
        "chain.keys",
        profile(INSTANCE_CA, curve=ec.SECP256K1()),
    ),
    case(
        "key-brainpool",
        "The leaf's key is on brainpoolP384r1, as long as P-384.",
        "chain.keys",
        profile(LEAF, curve=ec.BrainpoolP384R1()),
    ),
    case(
        "key-hybrid-point",
        "The leaf's point is in the hybrid form, both coordinates and the parity of the second.",
        "chain.keys",
        _other_key(_hybrid),
    ),
    case(
        "algorithm-sha-256",
        "The instance authority is signed with SHA-256.",
        "chain.algorithms",
        profile(INSTANCE_CA, hash_=hashes.SHA256()),
    ),
    case(
        "algorithm-sha-512",
        "The leaf is signed with SHA-512.",
        "chain.algorithms",
        profile(LEAF, hash_=hashes.SHA512()),
    ),
    case(
        "algorithm-inside",
        "The leaf names another algorithm inside its signed part than outside.",
        "chain.algorithms",
        _edited(LEAF, _SHA384, "300a06082a8648ce3d040302"),
    ),
    case("key-rsa", "The leaf's key is RSA.", "chain.keys", _other_key(_rsa)),
    case("key-ed25519", "The leaf's key is Ed25519.", "chain.keys", _other_key(_ed25519)),
    case("key-compressed-point", "The leaf's point is compressed.", "chain.keys", _other_key(_compressed)),
    case("key-off-the-curve", "The leaf's point is not on its curve.", "chain.keys", _other_key(_off_the_curve)),
    case(
        "key-unknown-kind",
        "The leaf's key is of a kind that nobody knows.",
        "chain.keys",
        _edited(LEAF, "06072a8648ce3d0201", "06072a8648ce3d0279"),
    ),
    case(
        "key-unknown-curve",
        "The leaf's key is on a curve that nobody knows.",
        "chain.keys",
        _edited(LEAF, "06052b81040022", "06052b81040079"),
    ),
    case(
        "der-version-1-bare",
        "The leaf has neither version nor extensions, as in X.509 of 1988.",
        "chain.der",
        _body(_bare),
    ),
)
