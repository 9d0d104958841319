"""Where the parts of a certificate lie in its bytes.

Nothing is judged here: the library has decoded the certificate before, and takes DER alone, in which there is one way
to write it (a test holds it to that). The parts are cut out as they came, so that names are compared and signatures
checked over the bytes received, and because the library makes them anew at a cost that would be half of what a chain
costs beside its signatures.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of a certificate, each with its own head (RFC 5280, 4.1)."""

    signed: bytes
    inner_algorithm: bytes
    issuer: bytes
    subject: bytes
    public_key: bytes
    outer_algorithm: bytes


def parts(der: bytes) -> Parts:
    """Return the parts of the version 3 certificate ``der``, which must have been decoded before."""
    signed = content(der, 0)
    version = content(der, signed)
    serial = _end(der, version)
    inner = _end(der, serial)
    issuer = _end(der, inner)
    validity = _end(der, issuer)
    subject = _end(der, validity)
    public_key = _end(der, subject)
    outer = _end(der, signed)
    return Parts(
        signed=der[signed:outer],
        inner_algorithm=der[inner:issuer],
        issuer=der[issuer:validity],
        subject=der[subject:public_key],
        public_key=der[public_key : _end(der, public_key)],
        outer_algorithm=der[outer : _end(der, outer)],
    )


def content(der: bytes, at: int) -> int:
    """Return where the content of the item at ``at`` begins; its tag has one byte, as all of a certificate's have."""
    size = der[at + 1]
    return at + 2 + (size & 0x7F if size & 0x80 else 0)


def _end(der: bytes, at: int) -> int:
    """Return where the item at ``at`` ends."""
    size = der[at + 1]
    if size < 0x80:  # noqa: PLR2004  (the length itself)
        return at + 2 + size
    begin = content(der, at)
    return begin + int.from_bytes(der[at + 2 : begin])
