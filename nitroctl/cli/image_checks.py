"""Whether an image that was made is the one that was meant, measured anew from the file: for every builder."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nitroctl.checks import Check
    from nitroctl.eif.measure import Measured


def measurable(measured: "Measured") -> "Check":
    """Return whether the image that was made is one that has measurements."""
    from nitroctl.checks import Check, Outcome

    refusal = measured.report.refusals[0] if not measured.report.passed else None
    return Check(
        id="build.measurable",
        title="The image is well-formed, so that it has measurements",
        outcome=Outcome.FAIL if refusal else Outcome.PASS,
        detail=f"{refusal.detail or refusal.title} [{refusal.id}]" if refusal else "",
        remedy="build it again; nitro-cli's own log may say why" if refusal else None,
    )


def signed(measured: "Measured", certificate: bytes, able: "Check") -> "Check":
    """Return whether the image is signed with the certificate of which ``certificate`` is the PCR8."""
    from nitroctl.checks import Check, Outcome, blocked

    check_id, title = "build.signed", "The image is signed with the certificate that was given"
    if able.outcome is not Outcome.PASS:
        return blocked(check_id, title, able.id)
    found = measured.pcrs.get(8)
    good = found == certificate
    missing = (
        "signing was asked for, but the image has no signature (nitro-cli before 1.5.0 goes on when the key fails)"
    )
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.PASS if good else Outcome.FAIL,
        detail="" if good else missing if found is None else "it is signed with another certificate",
        expected=None if good else f"PCR8 {certificate.hex()}",
        actual=None if good else f"PCR8 {register_text(found)}",
        remedy=None if good else "check the key, its permissions (kms:Sign, kms:GetPublicKey) and the credentials",
        source="aws-nitro-enclaves-cli issue 756",
    )


def register_text(register: bytes | None) -> str:
    """Return a register in hexadecimal, or that it is absent."""
    return register.hex() if register is not None else "absent"


def same_registers(
    said: Mapping[int, bytes],
    found: Mapping[int, bytes],
    able: "Check",
    *,
    check_id: str,
    title: str,
    other: str,
    by: str,
    remedy: str,
    source: str | None = None,
) -> "Check":
    """Return whether the registers ``found`` in the file are those ``said`` of it, each that either has.

    ``able``: the check without which there is nothing to compare. ``other``: how the sentence about those that differ
    ends; ``by``: who said the others.
    """
    from nitroctl import pcr
    from nitroctl.checks import Check, Outcome, blocked

    if able.outcome is not Outcome.PASS:
        return blocked(check_id, title, able.id)
    differing = sorted(index for index in {*said, *found} if said.get(index) != found.get(index))
    if not differing:
        return Check(id=check_id, title=title, outcome=Outcome.PASS, source=source)
    first = differing[0]
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.FAIL,
        detail=f"{', '.join(map(pcr.name, differing))} of the file is {other}",
        expected=f"{pcr.name(first)} {register_text(said.get(first))} ({by})",
        actual=f"{pcr.name(first)} {register_text(found.get(first))} (the file)",
        remedy=remedy,
        source=source,
    )
