"""Whether an image is sound, and whether it is the one expected.

Sound: every reader known sees the same image (:mod:`nitroctl.eif.structure`), checksum, metadata and signature hold,
AWS's own tools read it, and nitro-cli would run it at the instant asked. That says nothing about whose image it is:
only registers, a record of them, or the signing certificate do, and only when they are given to compare with.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import IO, Final

from nitroctl import pcr
from nitroctl.checks import Check, Outcome, Report, blocked, not_requested
from nitroctl.eif import builders, contents, cpio
from nitroctl.eif.format import SectionType
from nitroctl.eif.kernel import identify
from nitroctl.eif.measure import Measured, measure
from nitroctl.errors import UsageError

#: The registers that an image file decides.
REGISTERS: Final = (0, 1, 2, 8)
_DATES: Final = ("eif.certificate-dates", "The signing certificate is within its dates")
_DESCRIBED: Final = ("eif.described", "nitro-cli describe-eif reads the metadata")
_SIGNED_BY: Final = ("eif.signed-by", "The image is signed with the expected certificate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the image is to be. ``pcrs``: registers that must be equal. ``signer``: PCR8 of the expected certificate.

    Raises UsageError ``eif.expected`` for a register that no image file decides, or a zero one, which every enclave in
    debug mode or unsigned image has.
    """

    pcrs: Mapping[int, bytes] = field(default_factory=dict)
    signer: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse what no image can be, and what every image is."""
        signer = {} if self.signer is None else {8: self.signer}
        for index, value in sorted({**self.pcrs, **signer}.items()):
            if index not in REGISTERS:
                raise UsageError(
                    f"{pcr.name(index)} is not decided by an image file",
                    "eif.expected",
                    [f"an image file decides {', '.join(map(pcr.name, REGISTERS))}"],
                )
            if pcr.is_zero(value):
                whose = "unsigned image" if index == max(REGISTERS) else "enclave in debug mode"
                raise UsageError(
                    f"{pcr.name(index)} is expected to be zero, which it is of every {whose}",
                    "eif.expected",
                    ["use the measurements of the image itself: nitroctl eif measure"],
                )


@dataclass(frozen=True, slots=True)
class Verified:
    """An image and the report about it."""

    measured: Measured
    report: Report


def verify(path: str, *, at: datetime, expected: Expected) -> Verified:
    """Return every check of the image file ``path``: its soundness at ``at`` (aware), then what was ``expected``.

    Checks that were not asked for are SKIP. An image that cannot be measured has no registers to compare. Raises
    CannotAnswer ``file.unreadable``, ``file.not-regular`` or ``eif.changed``.
    """
    with contents.unchanged(path) as stream:
        measured = measure(path)
        kernels = measured.layout.of_type(SectionType.KERNEL) if measured.layout.agreed else ()
        kernel = identify(stream, kernels[0].data, kernels[0].size) if len(kernels) == 1 else None
        ramdisks = _ramdisks(stream, measured)
    checks = [
        *measured.report,
        _dates(measured, at),
        _described(measured),
        ramdisks,
        *builders.examine(measured, kernel),
        *_registers(measured, expected),
        _signer(measured, expected),
    ]
    return Verified(measured, Report.of(checks))


def _dates(measured: Measured, at: datetime) -> Check:
    """Return a FAIL outside of the certificate's dates: ``nitro-cli run-enclave`` refuses the image then."""
    if measured.signature is None:
        return _skipped(_DATES, "the image has no signature that can be read")
    from nitroctl.eif.signature import dates  # noqa: PLC0415  (most images need no cryptography)

    told = dates(measured.signature.certificate, at)
    return replace(told, outcome=Outcome.FAIL if told.outcome is Outcome.WARN else told.outcome, required=True)


def _described(measured: Measured) -> Check:
    """Return whether AWS's reader takes the metadata, where it asks for more than the published schema does."""
    metadata = measured.metadata
    if metadata is None:
        refused = [check.id for check in measured.report.refusals]
        by = [check_id for check_id in ("eif.views", "eif.metadata-section", "eif.metadata") if check_id in refused]
        return blocked(*_DESCRIBED, by[0]) if by else _skipped(_DESCRIBED, "the image has no metadata section")
    fault = ""
    if measured.report["eif.metadata"].outcome is Outcome.WARN:  # the one thing it warns of
        fault = "CustomMetadata is absent; the published schema allows that, and describe-eif stops at it"
    elif metadata.custom is not None and not isinstance(metadata.custom, dict):
        kind = _JSON_TYPES.get(type(metadata.custom), "number")
        fault = f"CustomMetadata is a {kind}; describe-eif cannot print what is neither an object nor null"
    return Check(
        id=_DESCRIBED[0],
        title=_DESCRIBED[1],
        outcome=Outcome.FAIL if fault else Outcome.PASS,
        detail=fault,
        remedy="build it again with an object, or null, as CustomMetadata; the registers stay the same"
        if fault
        else None,
        source="the reader of nitro-cli (aws-nitro-enclaves-image-format 0.5.0)",
    )


def _ramdisks(stream: IO[bytes], measured: Measured) -> Check:
    """Return a WARN for ramdisks that Linux does not unpack whole; contents are passed over where they can be."""
    if not measured.layout.agreed:
        return blocked(*contents.UNPACKED, measured.report.refusals[0].id)
    faults: list[tuple[int, cpio.Fault]] = []
    more = before = 0
    found = measured.layout.of_type(SectionType.RAMDISK)
    for number, section in enumerate(found, start=1):
        reading = cpio.read(stream, section.data, section.size, before=before, digests=False)
        deque(reading, maxlen=0)  # to its end, keeping nothing
        faults += [(number, fault) for fault in reading.faults]
        more += reading.more_faults
        before += section.size
    return contents.unpacked(faults, more, len(found))


_JSON_TYPES: Final[Mapping[type, str]] = {list: "list", str: "string", bool: "boolean"}


def _skipped(check: tuple[str, str], why: str) -> Check:
    return Check(id=check[0], title=check[1], outcome=Outcome.SKIP, detail=f"not checked: {why}", required=False)


# -- what was expected


def _registers(measured: Measured, expected: Expected) -> list[Check]:
    """Return a check for each expected register."""
    return [_register(measured, index, value) for index, value in sorted(expected.pcrs.items())]


def _register(measured: Measured, index: int, value: bytes) -> Check:
    check_id, title = f"measurement.pcr{index}", f"{pcr.name(index)} is the expected one"
    if not measured.measurable:
        return blocked(check_id, title, measured.report.refusals[0].id)
    return _compared(check_id, title, measured, index, value)


def _signer(measured: Measured, expected: Expected) -> Check:
    if expected.signer is None:
        return not_requested(*_SIGNED_BY, "--signed-by")
    if not measured.measurable:
        return blocked(*_SIGNED_BY, measured.report.refusals[0].id)
    return _compared(*_SIGNED_BY, measured, 8, expected.signer)


def _compared(check_id: str, title: str, measured: Measured, index: int, value: bytes) -> Check:
    actual = measured.pcrs.get(index)
    if actual == value:
        return Check(id=check_id, title=title, outcome=Outcome.PASS, actual=value.hex())
    found = "not the expected one" if actual else "the image is not signed"
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.FAIL,
        detail=f"{pcr.name(index)}, {pcr.meaning(index)}: {found}",
        expected=value.hex(),
        actual=actual.hex() if actual else None,
        remedy="find out where the image comes from before it runs"
        if actual
        else "sign it with the expected certificate's key, or obtain the signed image",
    )
