"""What the three fields that enclave code fills hold: bytes, and how else those bytes can be read.

A public key that can be read, JSON and CBOR are what they are. What the bytes were for is nowhere stated: every
sentence of :func:`guesses` is a guess from their shape and is shown as one.
"""

import hashlib
import json
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from nitroctl.evidence.diagnostic import diagnose

#: Curve points are read on these curves, by the length of the point; P-256 and secp256k1 points look alike.
_CURVES: Final[dict[int, tuple[type[ec.EllipticCurve], ...]]] = {
    33: (ec.SECP256R1, ec.SECP256K1),
    49: (ec.SECP384R1,),
    65: (ec.SECP256R1, ec.SECP256K1),
    67: (ec.SECP521R1,),
    97: (ec.SECP384R1,),
    133: (ec.SECP521R1,),
}
_BY_LENGTH: Final = {
    20: "20 bytes: the length of SHA-1, and of an Ethereum address",
    32: "32 bytes: the length of SHA-256, and of a random challenge",
    48: "48 bytes: the length of SHA-384, and of a register",
    64: "64 bytes: the length of SHA-512, and of an Ed25519 signature",
}
_KEY_BY_LENGTH: Final = {
    32: "32 bytes: the length of an Ed25519 or X25519 public key; every value has that form",
    64: "64 bytes: the length of two 256-bit coordinates",
}
_CURVE_NAMES: Final[dict[str, str]] = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_MULTIHASHES: Final = re.compile(rb"\x12\x20(.{32})\x12\x20(.{32})", re.DOTALL)
_NOTHING: Final = {
    hashlib.sha256().digest(): "SHA-256",
    hashlib.sha384().digest(): "SHA-384",
    hashlib.sha512().digest(): "SHA-512",
}
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}){8,})")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_UNIX_SECONDS: Final = re.compile(r"1[5-9][0-9]{8}|2[0-9]{9}")
_TINK: Final = b"type.googleapis.com/google.crypto.tink."
#: Text with more unprintable characters than this share is not text.
_UNPRINTABLE_SHARE: Final = 4
_MAX_JSON_DEPTH: Final = 32
_PEM: Final = b"-----BEGIN"
_PEM_SPKI: Final = b"-----BEGIN PUBLIC KEY-----"
_SPKI_DER: Final = "SubjectPublicKeyInfo in DER"
#: Major types (RFC 8949, 3.1) that bytes seldom have by chance: array, map, tag.
_CONTAINERS: Final = (4, 5, 6)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that could be read. ``fingerprint``: SHA-256 of ``spki``, its SubjectPublicKeyInfo in DER.

    ``form``: how it is written: SubjectPublicKeyInfo or PKCS #1, DER or PEM.
    """

    kind: str
    bits: int | None
    fingerprint: str
    form: str
    spki: bytes

    @property
    def name(self) -> str:
        """Kind and size: ``RSA, 2048 bits``."""
        return f"{self.kind}, {self.bits} bits" if self.bits else self.kind

    @property
    def serves_kms(self) -> bool:
        """Whether AWS KMS can encrypt to it: RSA, SubjectPublicKeyInfo in DER."""
        return self.kind == "RSA" and self.form == _SPKI_DER

    @property
    def pem(self) -> bytes:
        """The key as PEM (RFC 7468, 13)."""
        key = load_der_public_key(self.spki)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a field's bytes can be read; None where they cannot. ``text``: as it is, unprintable characters included."""

    content: bytes
    text: str | None
    json: Any
    cbor: str | None
    key: PublicKey | None
    guesses: tuple[str, ...]


def read(content: bytes, *, is_key: bool = False) -> Reading:
    """Return every reading of ``content``; ``is_key`` for the field public_key. Never raises."""
    key = public_key(content)
    document = _json(content)
    text = shown_text(content)
    cbor = _cbor(content) if text is None else None
    known = key or document is not None or cbor is not None
    return Reading(content, text, document, cbor, key, () if known else tuple(guesses(content, is_key=is_key)))


def text_of(content: bytes) -> str | None:
    """Return ``content`` as text when it is printable UTF-8, else None."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text and text.isprintable() else None


def shown_text(content: bytes) -> str | None:
    """Return ``content`` as text when it is UTF-8 and mostly printable: line ends and terminal escapes may be in it."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    odd = sum(not character.isprintable() and character not in "\r\n\t" for character in text)
    return text if text and odd * _UNPRINTABLE_SHARE <= len(text) else None


def public_key(content: bytes) -> PublicKey | None:
    """Return what key ``content`` is (SubjectPublicKeyInfo or PKCS #1, DER or PEM), or None when it is not one."""
    load = load_pem_public_key if content.startswith(_PEM) else load_der_public_key
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a curve is old is not what was asked
        try:
            key = load(content)
            der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except (ValueError, UnsupportedAlgorithm):
            return None
    form, fingerprint = _form(content, key, der), hashlib.sha256(der).hexdigest()
    if isinstance(key, rsa.RSAPublicKey):
        return PublicKey("RSA", key.key_size, fingerprint, form, der)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return PublicKey(f"elliptic curve {key.curve.name}", key.key_size, fingerprint, form, der)
    return PublicKey(type(key).__name__.removesuffix("PublicKey"), None, fingerprint, form, der)


def _form(content: bytes, key: object, spki: bytes) -> str:
    """Return how ``content`` writes ``key``, which is ``spki`` in exact DER."""
    if content.startswith(_PEM):
        return f"{'SubjectPublicKeyInfo' if content.startswith(_PEM_SPKI) else 'PKCS #1'} in PEM"
    if content == spki:
        return _SPKI_DER
    if isinstance(key, rsa.RSAPublicKey) and content == key.public_bytes(Encoding.DER, PublicFormat.PKCS1):
        return "PKCS #1 in DER"
    return "an unusual SubjectPublicKeyInfo in DER"


def _cbor(content: bytes) -> str | None:
    """Return ``content`` in diagnostic notation when it is one CBOR array, map or tagged item; else None."""
    diagnosis = diagnose(content)
    return diagnosis.text if diagnosis.fault is None and content[0] >> 5 in _CONTAINERS else None


def _json(content: bytes) -> Any:  # noqa: ANN401  (whatever it holds)
    """Return the JSON object or array (RFC 8259) that ``content`` is, no name twice; else None."""
    try:
        text = content.decode("utf-8")
        if not text.lstrip().startswith(("{", "[")):
            return None
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return value if _depth(value) <= _MAX_JSON_DEPTH else None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _depth(value: Any) -> int:  # noqa: ANN401
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inside), default=0)


def guesses(content: bytes, *, is_key: bool) -> Iterator[str]:
    """Yield what ``content`` may be, by its shape: sentences without a full stop."""
    text = text_of(content.strip(b"\r\n\t "))
    if len(content) > 1 and len(set(content)) == 1:
        yield f"every byte is {content[0]:02x}: a placeholder"
    elif match := _MULTIHASHES.fullmatch(content):
        application = "zero, so none was set" if not any(match[2]) else match[2].hex()
        yield (
            "two SHA-256 multihashes, the form in which nitriding writes the hash of its TLS certificate, "
            f"{match[1].hex()}, and that of the application's key material, {application}"
        )
    elif text:
        yield from _text_guesses(text)
    elif content:
        yield from _binary_guesses(content, is_key=is_key)


def _binary_guesses(content: bytes, *, is_key: bool) -> Iterator[str]:
    points = _points(content)
    if points:
        yield f"a point on {' or '.join(points)}: a bare elliptic curve public key"
    if _TINK in content:
        yield "a serialised Tink keyset (protocol buffers)"
    bare = content.rstrip(b"\x00")
    if len(bare) <= len(content) // 2:
        empty = _NOTHING.get(content[:32]) or _NOTHING.get(content[:48])
        what = f"; it begins with the {empty} of nothing" if empty else ""
        yield f"zero from byte {len(bare)} on: padded to {len(content)} bytes, as report data of other TEEs is{what}"
    elif content in _NOTHING:
        yield f"the {_NOTHING[content]} of nothing"
    elif len(content) in (by_length := _KEY_BY_LENGTH if is_key else _BY_LENGTH):
        yield by_length[len(content)]


def _text_guesses(text: str) -> Iterator[str]:
    if _UNIX_SECONDS.fullmatch(text):
        at = datetime.fromtimestamp(int(text), UTC).isoformat().replace("+00:00", "Z")
        yield f"a Unix time in seconds: {at}"
    elif _UUID.fullmatch(text):
        yield "a UUID"
    elif match := _HEX.fullmatch(text):
        yield f"{len(match[1]) // 2} bytes written in hexadecimal"


def _points(content: bytes) -> list[str]:
    """Return the names of the curves on which ``content`` is a point."""
    found = []
    for curve in (make() for make in _CURVES.get(len(content), ())):
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(curve, content)
        except (ValueError, UnsupportedAlgorithm):
            continue
        found.append(_CURVE_NAMES.get(curve.name, curve.name))
    return found
