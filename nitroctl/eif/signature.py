"""The signature section judged: who says that PCR0 is what it is.

Nothing here says whether the certificate deserves belief: it is whatever the signer chose. PCR8 names it. The form of
the bytes is :mod:`nitroctl.eif.signature_section`'s, making a signature :mod:`nitroctl.eif.sign`'s.
Source: aws-nitro-enclaves-image-format, README "Signature section", and its reader; RFC 9052 section 4.4.
"""

from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from nitroctl import pcr
from nitroctl.checks import Check, Outcome, blocked
from nitroctl.eif.sign import sign
from nitroctl.eif.signature_section import (
    ALGORITHMS,
    Certificate,
    Malformed,
    Signature,
    fault,
    payload_of,
    read,
    read_payload,
)
from nitroctl.instants import rfc3339

__all__ = ["ALGORITHMS", "Certificate", "Signature", "dates", "examine", "sign"]

SOURCE: Final = "EIF specification, signature section"


def examine(data: bytes, pcr0: bytes) -> tuple[tuple[Check, ...], Signature | None]:
    """Return the checks of a signature section against the PCR0 computed from the image, and what it holds.

    ``data``: the section's bytes. The signature is None when it could not be read. Never raises for hostile bytes.
    """
    try:
        signature, key = read(data)
    except Malformed as error:
        unreadable = Check(
            id="eif.signature-format",
            title="The signature section is written as nitro-cli writes it",
            outcome=Outcome.FAIL,
            detail=f"the signature section cannot be read: {error}",
            remedy="sign the image again with nitro-cli sign-eif, or build it again",
            source=SOURCE,
        )
        by = "eif.signature-format"
        return (unreadable, blocked(*_VERIFIES, by, source=SOURCE), blocked(*_SIGNED_PCR0, by, source=SOURCE)), None
    return (
        Check(
            id="eif.signature-format",
            title="The signature section is written as nitro-cli writes it",
            outcome=Outcome.PASS,
            detail=f"{signature.algorithm}, one signature",
            source=SOURCE,
        ),
        _verify(signature, key),
        _compare(signature, pcr0),
    ), signature


_VERIFIES: Final = ("eif.signature", "The signature verifies with the certificate stored beside it")
_SIGNED_PCR0: Final = ("eif.signed-measurement", "The signature covers the PCR0 computed from the image")


def _verify(signature: Signature, key: ec.EllipticCurvePublicKey) -> Check:
    detail = fault(signature, key)
    return Check(
        id=_VERIFIES[0],
        title=_VERIFIES[1],
        outcome=Outcome.FAIL if detail else Outcome.PASS,
        detail=detail or f"{signature.algorithm} by {signature.certificate.subject}",
        remedy="the image or its signature was altered; obtain it again, or build and sign it again"
        if detail
        else None,
        source="RFC 9052 section 4.4",
    )


def _compare(signature: Signature, pcr0: bytes) -> Check:
    good = signature.payload == payload_of(pcr0)
    return Check(
        id=_SIGNED_PCR0[0],
        title=_SIGNED_PCR0[1],
        outcome=Outcome.PASS if good else Outcome.FAIL,
        detail="" if good else f"the signature is about {_about(signature.payload)}",
        expected=None if good else f"PCR0 {pcr0.hex()}",
        actual=None if good else _about(signature.payload),
        remedy=None if good else "the image was changed after it was signed; build and sign it again",
        source=SOURCE,
    )


def _about(payload: bytes) -> str:
    """Say which register a payload claims, as far as it can be understood."""
    try:
        index, value = read_payload(payload)
    except Malformed:
        return "something that is not a register as nitro-cli writes it"
    if index >= 32:  # noqa: PLR2004
        return "a register that does not exist"
    return f"{pcr.name(index)} {value.hex() or '(empty)'}"


def dates(certificate: Certificate, at: datetime) -> Check:
    """Return whether ``at`` (aware) lies in the certificate's validity window; a WARN when not.

    ``nitro-cli run-enclave`` refuses an image whose certificate has expired; PCR8 and the hypervisor do not care.
    """
    window = f"{rfc3339(certificate.not_before)} to {rfc3339(certificate.not_after)}"
    inside = certificate.not_before <= at <= certificate.not_after
    when = "" if inside else " it had expired" if at > certificate.not_after else " it did not hold yet"
    return Check(
        id="eif.certificate-dates",
        title="The signing certificate is within its dates",
        outcome=Outcome.PASS if inside else Outcome.WARN,
        detail=f"{window}; as of {rfc3339(at)}{when}",
        remedy=None if inside else "nitro-cli run-enclave refuses the image: sign it with a current certificate",
        source="nitro-cli run-enclave, signature check",
        required=False,
    )
