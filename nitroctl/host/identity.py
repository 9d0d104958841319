"""Whether an image, or an enclave that runs, is what it should be: compared with the file, and with the records."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from nitroctl import pcr
from nitroctl.checks import Check, Outcome, Report
from nitroctl.host.replies import Enclave

if TYPE_CHECKING:
    from nitroctl.records import Entry, Ledger

#: The registers that an image file determines.
IMAGE_REGISTERS: Final = (0, 1, 2, 8)
RECORDED: Final = "The image is an active record"


def compare(measured: Mapping[int, bytes], enclave: Enclave, *, debug: bool) -> Report:
    """Return whether the running ``enclave`` is the image with the registers ``measured``, run as was asked."""
    differing = [
        index for index in IMAGE_REGISTERS if measured.get(index, pcr.ZERO) != enclave.pcrs.get(index, pcr.ZERO)
    ]
    first = differing[0] if differing else 0
    return Report.of(
        [
            Check(
                id="launch.measurements",
                title="The running enclave has the image's measurements",
                outcome=Outcome.FAIL if differing else Outcome.PASS,
                detail=f"{', '.join(map(pcr.name, differing))} of the running enclave is not that of the image file; "
                "the file was exchanged during the launch, or nitro-cli cannot be believed"
                if differing
                else "",
                expected=f"{pcr.name(first)} {measured.get(first, pcr.ZERO).hex()}" if differing else None,
                actual=f"{pcr.name(first)} {enclave.pcrs.get(first, pcr.ZERO).hex()}" if differing else None,
                remedy=f"it still runs; end it: nitroctl enclave terminate {enclave.id}" if differing else None,
                source="AWS Nitro Enclaves user guide, cryptographic attestation",
            ),
            Check(
                id="launch.mode",
                title="The enclave runs in the mode that was asked for",
                outcome=Outcome.PASS if enclave.debug == debug else Outcome.FAIL,
                detail=f"its flags are {enclave.flags}",
                remedy=None if enclave.debug == debug else f"end it: nitroctl enclave terminate {enclave.id}",
                source="aws-nitro-enclaves-cli 1.5.0, describe-enclaves",
            ),
        ]
    )


def entries_for(ledger: "Ledger", pcrs: Mapping[int, bytes]) -> tuple["Entry", ...]:
    """Return the entries whose pinned image registers (0, 1, 2, 8) all have the values in ``pcrs``.

    Registers of the parent (3, 4) cannot be known from an image or from nitro-cli and are left out. Entries of other
    platforms, and any that pins no image register, match nothing.
    """
    found = []
    for entry in _of_enclaves(ledger):
        pinned = [index for index in entry.pin if index in IMAGE_REGISTERS]
        if pinned and all(pcrs.get(index, pcr.ZERO) == entry.pcrs[index] for index in pinned):
            found.append(entry)
    return tuple(found)


def _of_enclaves(ledger: "Ledger") -> "list[Entry]":
    from nitroctl.records import NITRO_ENCLAVE  # noqa: PLC0415  (describe must not pay for it without records)

    return [entry for entry in ledger if entry.platform == NITRO_ENCLAVE]


def label(entry: "Entry") -> str:
    """Return how an entry is named beside an enclave: its id, and its status unless that is active."""
    return entry.id if entry.status == "active" else f"{entry.id} ({entry.status})"


def recorded(ledger: "Ledger", pcrs: Mapping[int, bytes], *, of: str) -> Check:
    """Return whether an active entry of ``ledger`` has the registers ``pcrs``; ``of`` says which ledger and filter."""
    found = entries_for(ledger, pcrs)
    active = [entry for entry in found if entry.status == "active"]
    revoked = type(ledger).of(_of_enclaves(ledger)).revoking(pcrs)
    if active and not revoked:
        return Check(
            id="launch.recorded",
            title=RECORDED,
            outcome=Outcome.PASS,
            detail=", ".join(entry.id for entry in active),
        )
    nearest = type(ledger).of(_of_enclaves(ledger)).nearest(pcrs)
    if found or revoked:  # one that is revoked outweighs an active one with the same registers
        detail = "; ".join(f"{entry.id} is {entry.status}, not active" for entry in revoked or found)
    elif nearest:
        detail = f"no entry of {of} matches; nearest: {nearest.text}"
    else:
        detail = f"no entry of {of} has any register in common with it"
    return Check(
        id="launch.recorded",
        title=RECORDED,
        outcome=Outcome.FAIL,
        detail=detail,
        remedy="launch a recorded image, or review this one and nitroctl pcr record --activate it",
    )
