"""The envelope: COSE_Sign1 (RFC 9052), as the NSM writes it and nothing wider.

The bytes that were signed are cut out of the document as it came; nothing is encoded again but the four heads of the
Sig_structure around them.
"""

from dataclasses import dataclass
from typing import Any, Final

from nitroctl.checks import Check, Outcome
from nitroctl.evidence import backend, cbor, rules
from nitroctl.evidence.backend import Verifier

PARTS: Final = 4
MAX_PAYLOAD: Final = 16384
SIGNATURE_BYTES: Final = 96
_ALGORITHM: Final = 1
_ES384: Final = -35
_UNSIGNED: Final = rules.COSE_UNPROTECTED_EMPTY.id
_NAMES: Final = {-7: "ES256", -36: "ES512", -8: "EdDSA", -37: "PS256", -257: "RS256"}
#: Every type of value that the reader of CBOR returns.
_KINDS: Final = {
    bool: "a boolean",
    int: "a number",
    bytes: "a byte string",
    str: "a text",
    list: "an array",
    dict: "a map",
    type(None): "null",
    type(...): "absent",
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A COSE_Sign1 taken apart: the content of its byte strings, and where the payload begins in the document.

    ``fault``: the check because of which its signature cannot be judged, or None.
    """

    protected: bytes
    payload: bytes
    signature: bytes
    payload_offset: int
    fault: str | None = None

    @property
    def signed_bytes(self) -> bytes:
        """The Sig_structure ``["Signature1", protected, h'', payload]`` (RFC 9052, 4.4), from the bytes received."""
        return (
            b"\x84\x6aSignature1"
            + _head(self.protected)
            + self.protected
            + b"\x40"
            + _head(self.payload)
            + self.payload
        )


def open_envelope(scanned: cbor.Scanned) -> tuple[list[Check], Envelope | None]:
    """Hold the scanned document against the envelope's rules; the envelope when its shape holds.

    Raises CborFault with an offset into the document for a protected header that is not CBOR.
    """
    fault = _shape_fault(scanned.value)
    if fault:
        return [rules.COSE_SHAPE.failed(fault)], None
    protected, unprotected, payload, signature = scanned.value
    ends = [end for _, end in scanned.children]
    header = _header(protected, ends[0] - len(protected))
    checks = [
        rules.COSE_SHAPE.passed(),
        _protected_check(header),
        _algorithm_check(header),
        rules.COSE_UNPROTECTED_EMPTY.of(
            f"the unprotected header has {len(unprotected)} entries, which nothing signs" if unprotected else None
        ),
        rules.COSE_PAYLOAD_SIZE.of(
            None if 1 <= len(payload) <= MAX_PAYLOAD else f"the payload has {len(payload)} bytes"
        ),
        rules.COSE_SIGNATURE_SIZE.of(_signature_fault(signature)),
    ]
    fault = next((check.id for check in checks if check.outcome is not Outcome.PASS and check.id != _UNSIGNED), None)
    return checks, Envelope(protected, payload, signature, ends[2] - len(payload), fault)


def _shape_fault(value: Any) -> str | None:  # noqa: ANN401
    if type(value) is not list:
        return f"the document is {described(value)}, not an array of four"
    if len(value) != PARTS:
        return f"the document is an array of {len(value)}, not of four"
    wanted = (("protected header", bytes), ("unprotected header", dict), ("payload", bytes), ("signature", bytes))
    for (name, kind), part in zip(wanted, value, strict=True):
        if type(part) is not kind:
            return f"the {name} is {described(part)}, not a {'map' if kind is dict else 'byte string'}"
    return None


def _header(protected: bytes, offset: int) -> Any:  # noqa: ANN401
    try:
        return cbor.scan(protected).value
    except cbor.CborFault as fault:
        raise cbor.CborFault(fault.rule, offset + fault.offset, f"{fault.message}, in the protected header") from fault


def _protected_check(header: Any) -> Check:  # noqa: ANN401
    if type(header) is not dict:
        return rules.COSE_PROTECTED_HEADER.failed(f"the protected header is {described(header)}, not a map")
    others = [key for key in header if key != _ALGORITHM]
    if others:
        return rules.COSE_PROTECTED_HEADER.failed(
            f"the protected header has an entry {others[0]!r} beside the algorithm"
        )
    return rules.COSE_PROTECTED_HEADER.passed()


def _algorithm_check(header: Any) -> Check:  # noqa: ANN401
    if type(header) is not dict:
        return rules.COSE_ALGORITHM.blocked(rules.COSE_PROTECTED_HEADER.id)
    if _ALGORITHM not in header:
        return rules.COSE_ALGORITHM.failed("the protected header names no algorithm", expected="ES384 (-35)")
    value = header[_ALGORITHM]
    if value == _ES384:
        return rules.COSE_ALGORITHM.passed()
    name = f"{_NAMES[value]} ({value})" if type(value) is int and value in _NAMES else repr(value)
    return rules.COSE_ALGORITHM.failed("the algorithm is another", expected="ES384 (-35)", actual=name)


def _signature_fault(signature: bytes) -> str | None:
    if len(signature) == SIGNATURE_BYTES:
        return None
    looks = "; it looks like DER" if signature[:1] == b"\x30" else ""
    return f"the signature has {len(signature)} bytes{looks}"


def signature_holds(envelope: Envelope, verifier: Verifier) -> bool:
    """Whether the key behind ``verifier`` made the envelope's signature over exactly the bytes received."""
    return verifier(backend.der_of(envelope.signature), envelope.signed_bytes)


def _head(content: bytes) -> bytes:
    """Return the shortest head of a byte string (RFC 8949, 3.1)."""
    size = len(content)
    if size <= 23:  # noqa: PLR2004  (the argument fits in the head itself)
        return bytes([0x40 + size])
    if size <= 0xFF:  # noqa: PLR2004
        return bytes([0x58, size])
    return b"\x59" + size.to_bytes(2)  # a document, and so any part of it, is smaller than 64 KiB


def described(value: object) -> str:
    """Return what kind of CBOR item a decoded value is, with its article; ``...`` is one that is not there."""
    return _KINDS[type(value)]
