"""A Nitro Secure Module that is not one: attestation documents encoded as AWS encodes them today.

An untagged COSE_Sign1 array; the protected header's four bytes ``a1 01 38 22`` (ES384); an empty unprotected map; the
payload's map of indefinite length with all nine keys in AWS's order and ``null`` for what was not asked for; inner
map, array and strings definite; a raw 96-byte signature. Each layer is a function of its own, so that a wrong
document is a right one with one argument changed.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from nitroctl import pcr
from nitroctl.standin.pki import Identity, TestPki

PROTECTED: Final = bytes.fromhex("a1013822")
_COORDINATE: Final = 48
#: PCR0 to PCR15 are locked from the start, and a document holds the locked registers only.
_ALWAYS_LOCKED: Final = 16


@dataclass(frozen=True, slots=True)
class Encoded:
    """A CBOR item that is encoded already: written as it is."""

    cbor: bytes


Fields = list[tuple[str, object]]


def attest(  # noqa: PLR0913  (one parameter a field of the document)
    test_pki: TestPki,
    *,
    module_id: str,
    region: str,
    pcrs: Mapping[int, bytes],
    at: datetime,
    nonce: bytes | None,
    user_data: bytes | None,
    public_key: bytes | None,
) -> bytes:
    """Return the attestation document an enclave would get: COSE_Sign1 in CBOR.

    ``pcrs``: the registers that are not zero; the rest of PCR0 to PCR15 is filled in. ``at``: aware; the document's
    time, to the millisecond, and the leaf's time of issue.
    """
    chain = test_pki.chain(module_id=module_id, region=region, at=at)
    document = fields(
        chain, module_id=module_id, pcrs=pcrs, at=at, nonce=nonce, user_data=user_data, public_key=public_key
    )
    return sign1(chain[-1].key, payload(document))


def new_module_id(instance_id: str, *, at: datetime) -> str:
    """Return a module id for an enclave launched at ``at``: its id begins with the launch time in milliseconds."""
    return f"{instance_id}-enc{milliseconds(at):012x}{os.urandom(2).hex()}"


def fields(  # noqa: PLR0913  (one parameter a field of the document)
    chain: tuple[Identity, ...],
    *,
    module_id: str,
    pcrs: Mapping[int, bytes],
    at: datetime,
    nonce: bytes | None = None,
    user_data: bytes | None = None,
    public_key: bytes | None = None,
) -> Fields:
    """Return the payload's nine fields in the order AWS writes them; ``chain`` is root first, leaf last."""
    registers = dict.fromkeys(range(_ALWAYS_LOCKED), pcr.ZERO) | dict(pcrs)
    return [
        ("module_id", module_id),
        ("digest", "SHA384"),
        ("timestamp", milliseconds(at)),
        ("pcrs", {index: registers[index] for index in sorted(registers)}),
        ("certificate", chain[-1].der),
        ("cabundle", [authority.der for authority in chain[:-1]]),
        ("public_key", public_key),
        ("user_data", user_data),
        ("nonce", nonce),
    ]


def payload(pairs: Iterable[tuple[object, object]], *, indefinite: bool = True) -> bytes:
    """Return the payload: a map of indefinite length as AWS writes it since 2025, or of definite length as before."""
    items = [encode(key) + encode(value) for key, value in pairs]
    if indefinite:
        return b"\xbf" + b"".join(items) + b"\xff"
    return bytes([0xA0 + len(items)]) + b"".join(items)


def sign1(
    key: ec.EllipticCurvePrivateKey, content: bytes, *, protected: bytes = PROTECTED, unprotected: bytes = b"\xa0"
) -> bytes:
    """Return the COSE_Sign1 of ``content`` (RFC 9052, 4.2), signed over exactly the bytes that are in it."""
    return envelope(protected, unprotected, content, signature(key, protected, content))


def envelope(protected: bytes, unprotected: bytes, content: bytes, raw_signature: bytes) -> bytes:
    """Return the untagged array of four; ``unprotected`` is a CBOR item, the others become byte strings."""
    return b"\x84" + encode(protected) + unprotected + encode(content) + encode(raw_signature)


def signature(key: ec.EllipticCurvePrivateKey, protected: bytes, content: bytes) -> bytes:
    """Return the raw signature r ‖ s over the Sig_structure (RFC 9052, 4.4; RFC 9053, 2.1)."""
    r, s = decode_dss_signature(key.sign(signed_bytes(protected, content), ec.ECDSA(hashes.SHA384())))
    return r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE)


def signed_bytes(protected: bytes, content: bytes) -> bytes:
    """Return the Sig_structure: ``["Signature1", protected, h'', payload]``."""
    return encode(["Signature1", protected, b"", content])


def encode(item: object) -> bytes:
    """Return ``item`` in CBOR with the shortest heads."""
    return item.cbor if isinstance(item, Encoded) else cbor2.dumps(item)


def milliseconds(at: datetime) -> int:
    """Return ``at`` as milliseconds since 1970, exactly."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000
