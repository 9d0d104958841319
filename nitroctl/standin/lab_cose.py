"""Cases of the lab in which the envelope or its signature is at fault."""

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from nitroctl.standin import nsm
from nitroctl.standin.lab_change import (
    LEAF,
    NONCE,
    PCRS,
    REGIONAL,
    Case,
    Change,
    Signer,
    case,
    flip,
    good_chain,
    other_root,
    put,
)

#: Order of the group of P-384 (SEC 2, 2.5.1).
ORDER: Final = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
)
_HALF: Final = 48
#: The signature, its head, and nothing after it.
_SIGNATURE_ITEM: Final = 98


def _raw(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(_HALF) + s.to_bytes(_HALF)


def _signed_as(structure: Callable[[bytes, bytes], bytes], digest: hashes.HashAlgorithm | None = None) -> Signer:
    """Sign another Sig_structure than COSE's, or with another digest than ES384's."""
    return lambda key, protected, content: _raw(
        key.sign(structure(protected, content), ec.ECDSA(digest or hashes.SHA384()))
    )


def _plain(key: ec.EllipticCurvePrivateKey, protected: bytes, content: bytes) -> bytes:
    """Sign so that the signature does not happen to begin as DER does, which a verifier may remark upon."""
    while (raw := nsm.signature(key, protected, content))[:1] == b"\x30":
        pass
    return raw


def _der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:]))


def _halves(change: Callable[[int, int], tuple[int, int]]) -> Change:
    """Change r and s as numbers."""

    def edit(raw: bytes) -> bytes:
        r, s = change(int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:]))
        return r.to_bytes(_HALF) + s.to_bytes(_HALF)

    return Change(signature=edit)


def _protected(hexadecimal: str) -> Change:
    return Change(protected=bytes.fromhex(hexadecimal))


CASES: Final[tuple[Case, ...]] = (
    case("cose-es256", "The algorithm is ES256.", "cose.algorithm", _protected("a10126")),
    case("cose-es512", "The algorithm is ES512.", "cose.algorithm", _protected("a1013823")),
    case("cose-hmac", "The algorithm is HMAC 384.", "cose.algorithm", _protected("a10106")),
    case("cose-algorithm-text", "The algorithm is the text ES384.", "cose.algorithm", _protected("a101654553333834")),
    case("cose-algorithm-null", "The algorithm is null.", "cose.algorithm", _protected("a101f6")),
    case(
        "cose-algorithm-positive",
        "The algorithm is 34, as -35 looks unsigned.",
        "cose.algorithm",
        _protected("a1011822"),
    ),
    case("cose-no-algorithm", "The protected header is an empty map.", "cose.algorithm", _protected("a0")),
    case(
        "cose-algorithm-text-label",
        "The algorithm's label is the text 1.",
        "cose.algorithm cose.protected-header",
        _protected("a161313822"),
    ),
    case(
        "cose-algorithm-unsigned",
        "The algorithm stands only in the header that nothing signs.",
        "cose.algorithm cose.unprotected-empty",
        Change(protected=b"\xa0", unprotected=b"\xa1\x01\x38\x22"),
    ),
    case(
        "cose-protected-key-id",
        "The protected header has a key id beside the algorithm.",
        "cose.protected-header",
        _protected("a20138220441aa"),
    ),
    case(
        "cose-protected-critical",
        "The protected header names a critical header.",
        "cose.protected-header",
        _protected("a2013822028104"),
    ),
    case("cose-protected-array", "The protected header is an array.", "cose.protected-header", _protected("80")),
    case(
        "cose-unprotected-key-id",
        "The unprotected header has a key id.",
        "cose.unprotected-empty",
        Change(unprotected=bytes.fromhex("a10441aa")),
    ),
    case(
        "cose-unprotected-algorithm",
        "The unprotected header names the algorithm a second time.",
        "cose.unprotected-empty",
        Change(unprotected=bytes.fromhex("a1013822")),
    ),
    case(
        "cose-unprotected-open-map",
        "The unprotected header is a map of indefinite length with an entry.",
        "cose.unprotected-empty",
        Change(unprotected=bytes.fromhex("bf0441aaff")),
    ),
    case("cose-unprotected-null", "The unprotected header is null.", "cose.shape", Change(unprotected=b"\xf6")),
    case("cose-unprotected-array", "The unprotected header is an array.", "cose.shape", Change(unprotected=b"\x80")),
    case(
        "cose-unprotected-wrapped",
        "The unprotected header is an empty map in a byte string.",
        "cose.shape",
        Change(unprotected=b"\x41\xa0"),
    ),
    case(
        "cose-protected-bare",
        "The protected header is a map that no byte string wraps.",
        "cose.shape",
        Change(document=lambda content: content.replace(b"\x44" + nsm.PROTECTED, nsm.PROTECTED, 1)),
    ),
    case(
        "cose-array-of-five",
        "The document is an array of five.",
        "cose.shape",
        Change(document=lambda content: b"\x85" + content[1:] + b"\x00"),
    ),
    case(
        "cose-array-of-three",
        "The document is an array of three, without signature.",
        "cose.shape",
        Change(document=lambda content: b"\x83" + content[1:-_SIGNATURE_ITEM]),
    ),
    case(
        "cose-map",
        "The document is a map in place of the array.",
        "cose.shape",
        Change(document=lambda content: b"\xa2" + content[1:]),
    ),
    case("cose-empty-array", "The document is an empty array.", "cose.shape", Change(document=lambda _: b"\x80")),
    case(
        "cose-payload-alone",
        "The document is its payload alone.",
        "cose.shape",
        Change(document=lambda content: content[10:-_SIGNATURE_ITEM]),
    ),
    case(
        "cose-wrapped-in-bytes",
        "The document is wrapped in a byte string.",
        "cose.shape",
        Change(document=nsm.encode),
    ),
    case(
        "cose-signature-text",
        "The signature is a text.",
        "cose.shape",
        Change(document=lambda content: content[:-_SIGNATURE_ITEM] + b"\x61x"),
    ),
    case(
        "cose-signature-null",
        "The signature is null.",
        "cose.shape",
        Change(document=lambda content: content[:-_SIGNATURE_ITEM] + b"\xf6"),
    ),
    case(
        "cose-payload-null",
        "The payload is null, as where it travels apart.",
        "cose.shape",
        Change(document=lambda content: b"\x84\x44" + nsm.PROTECTED + b"\xa0\xf6" + content[-_SIGNATURE_ITEM:]),
    ),
    case("cose-payload-empty", "The payload is empty.", "cose.payload-size", Change(payload=lambda _: b"")),
    case(
        "cose-payload-17000",
        "The payload has more than 16384 bytes.",
        "cose.payload-size",
        Change(fields=put(user_data=bytes(17000))),
    ),
    case("cose-signature-der", "The signature is in DER.", "cose.signature-size", Change(signature=_der)),
    case(
        "cose-signature-97",
        "The signature has a byte more.",
        "cose.signature-size",
        Change(sign=_plain, signature=lambda raw: raw + b"\x00"),
    ),
    case(
        "cose-signature-95",
        "The signature has a byte less.",
        "cose.signature-size",
        Change(sign=_plain, signature=lambda raw: raw[:-1]),
    ),
    case(
        "cose-signature-98",
        "Both halves of the signature have a leading zero byte more.",
        "cose.signature-size",
        Change(signature=lambda raw: b"\x00" + raw[:_HALF] + b"\x00" + raw[_HALF:]),
    ),
    case("cose-signature-empty", "The signature is empty.", "cose.signature-size", Change(signature=lambda _: b"")),
    case("cose-signature-bit", "One bit of the signature is changed.", "cose.signature", Change(signature=flip)),
    case("cose-signature-zero", "r and s are zero.", "cose.signature", _halves(lambda _r, _s: (0, 0))),
    case("cose-signature-r-zero", "r is zero.", "cose.signature", _halves(lambda _r, s: (0, s))),
    case("cose-signature-s-zero", "s is zero.", "cose.signature", _halves(lambda r, _s: (r, 0))),
    case("cose-signature-r-order", "r is the order of the group.", "cose.signature", _halves(lambda _r, s: (ORDER, s))),
    case("cose-signature-s-order", "s is the order of the group.", "cose.signature", _halves(lambda r, _s: (r, ORDER))),
    case("cose-signature-ones", "r and s are all ones.", "cose.signature", Change(signature=lambda _: b"\xff" * 96)),
    case("cose-signature-swapped", "r and s are exchanged.", "cose.signature", _halves(lambda r, s: (s, r))),
    case(
        "cose-nonce-changed",
        "The nonce was changed after signing.",
        "cose.signature",
        Change(after_signing=lambda content: content.replace(NONCE, flip(NONCE))),
    ),
    case(
        "cose-pcr0-changed",
        "PCR0 was changed after signing.",
        "cose.signature",
        Change(after_signing=lambda content: content.replace(PCRS[0], flip(PCRS[0]))),
    ),
    case(
        "cose-payload-encoded-anew",
        "The payload was encoded anew after signing, as a map of definite length.",
        "cose.signature",
        Change(after_signing=lambda content: b"\xa9" + content[1:-1]),
    ),
    case(
        "cose-other-key",
        "Another key made the signature.",
        "cose.signature",
        Change(sign=lambda _key, *parts: nsm.signature(other_root(same_name=True).key, *parts)),
    ),
    case(
        "cose-issuer-key",
        "The key of a certificate authority of the chain made the signature, not the leaf's.",
        "cose.signature",
        Change(sign=lambda _key, *parts: nsm.signature(good_chain()[REGIONAL].key, *parts)),
    ),
    case(
        "cose-other-payload",
        "The signature is that of another document under the same leaf.",
        "cose.signature",
        Change(signature=lambda _: nsm.signature(good_chain()[LEAF].key, nsm.PROTECTED, b"\xa0")),
    ),
    case(
        "cose-context-sign",
        "What was signed has the context of COSE_Sign, Signature.",
        "cose.signature",
        Change(sign=_signed_as(lambda protected, content: nsm.encode(["Signature", protected, b"", content]))),
    ),
    case(
        "cose-external-data",
        "What was signed has external data that the document does not show.",
        "cose.signature",
        Change(sign=_signed_as(lambda protected, content: nsm.encode(["Signature1", protected, b"x", content]))),
    ),
    case(
        "cose-payload-signed-bare",
        "The payload alone was signed, without the Sig_structure.",
        "cose.signature",
        Change(sign=_signed_as(lambda _protected, content: content)),
    ),
    case(
        "cose-header-not-signed",
        "What was signed has an empty protected header.",
        "cose.signature",
        Change(sign=_signed_as(lambda _protected, content: nsm.signed_bytes(b"", content))),
    ),
    case(
        "cose-sha-256",
        "The signature was made with SHA-256 though the header says ES384.",
        "cose.signature",
        Change(sign=_signed_as(nsm.signed_bytes, hashes.SHA256())),
    ),
    case(
        "cose-sha-512",
        "The signature was made with SHA-512 though the header says ES384.",
        "cose.signature",
        Change(sign=_signed_as(nsm.signed_bytes, hashes.SHA512())),
    ),
)
