"""Measuring an image: the registers a Nitro hypervisor will hold, computed from the file in one pass.

With H = SHA-384 and E(x) = H(48 zero bytes ‖ x): PCR0 is E(H(kernel, command line and ramdisks in file order)); PCR1
the same over kernel, command line and the first ramdisk; PCR2 over the other ramdisks; PCR8 is E(H(the signing
certificate's DER)). Section headers, the file header and the metadata are not measured.

An image is measured only when every structural check, the checksum and, where there is one, the signature hold.
Otherwise there are no registers to speak of; what each kind of reader would compute is then told beside the verdict.
Source: aws-nitro-enclaves-image-format, README "PCRs"; equal to its builder and to QEMU on the same files.
"""

import hashlib
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from nitroctl import pcr, safefile
from nitroctl.checks import Check, Outcome, Report, blocked
from nitroctl.eif import metadata as metadata_section
from nitroctl.eif import structure
from nitroctl.eif.format import (
    CRC_OFFSET,
    HEADER_BYTES,
    MEASURED,
    METADATA_LIMIT,
    SECTION_HEADER,
    SIGNATURE_LIMIT,
    Layout,
    Section,
    SectionType,
    Walk,
    read_layout,
)
from nitroctl.eif.lanes import Shortened, Span, Taker, feed
from nitroctl.eif.metadata import Metadata
from nitroctl.errors import CannotAnswer

if TYPE_CHECKING:
    from nitroctl.eif.signature import Signature

#: How much of a command line is kept to be shown. Linux itself takes 2048 bytes.
CMDLINE_SHOWN: Final = 64 * 1024
_KEPT: Final = {
    SectionType.CMDLINE: CMDLINE_SHOWN,
    SectionType.METADATA: METADATA_LIMIT,
    SectionType.SIGNATURE: SIGNATURE_LIMIT,
}


@dataclass(frozen=True, slots=True)
class View:
    """What one kind of reader sees: ``table`` (QEMU) or ``sequence`` (nitro-cli).

    ``pcrs``: registers 0, 1 and 2 as that reader computes them, empty where it would stop. ``crc32``: of the sections
    it sees, None where it would stop.
    """

    name: str
    walk: Walk
    pcrs: Mapping[int, bytes] = field(default_factory=dict)
    crc32: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The answer about one image file.

    ``report``: structural checks, checksum, metadata and signature. ``pcrs``: registers 0, 1, 2, and 8 when signed;
    empty unless the verdict is PASS. ``sha256``: of the whole file in hexadecimal, empty when it was not asked for or
    the headers already made clear that no reader takes it. ``size``: bytes. ``views``: table and sequence, in this
    order. ``cmdline``: the first 64 KiB of the command line. ``metadata``, ``signature``: None when absent or
    unreadable.
    """

    path: str
    size: int
    report: Report
    layout: Layout
    sha256: str
    pcrs: Mapping[int, bytes]
    views: tuple[View, View]
    cmdline: bytes | None
    metadata: Metadata | None
    signature: "Signature | None"

    @property
    def measurable(self) -> bool:
        """Whether the registers of this image can be stated."""
        return self.report.passed


def measure(path: str, *, file_digest: bool = True) -> Measured:
    """Return what the image file ``path`` is and, when that is unambiguous, its registers.

    ``file_digest``: whether to compute the SHA-256 of the file too, which no register needs. Reads the file once, in
    constant memory; a file that is not an image is answered from its header. A malformed image is an answer. Raises
    CannotAnswer ``file.unreadable``, ``file.not-regular`` or ``eif.changed``.
    """
    with safefile.open_regular(path) as stream:
        try:
            before = os.fstat(stream.fileno())
            layout = read_layout(stream, before.st_size)
            reading, views = _read(stream, layout, file_digest=file_digest)
            after = os.fstat(stream.fileno())
        except Shortened as error:
            raise _changed(path) from error
        except OSError as error:
            raise safefile.cannot_read(path, error) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _changed(path)
    checks, metadata, signature = _examine(layout, reading)
    report = Report.of(checks)
    registers = dict(reading.pcrs)
    if signature:
        registers[8] = signature.certificate.pcr8
    return Measured(
        path=path,
        size=layout.size,
        report=report,
        layout=layout,
        sha256=reading.sha256,
        pcrs=registers if report.passed else {},
        views=views,
        cmdline=reading.kept.get(SectionType.CMDLINE),
        metadata=metadata,
        signature=signature,
    )


def require(path: str) -> Measured:
    """Return :func:`measure` of an image that has registers. Raises CannotAnswer ``eif.not-measurable`` otherwise."""
    measured = measure(path)
    if measured.measurable:
        return measured
    refusal = measured.report.refusals[0]
    raise CannotAnswer(
        f"{path}: cannot be measured: {refusal.detail}",
        "eif.not-measurable",
        [f"see nitroctl eif inspect {path}", *([refusal.remedy] if refusal.remedy else [])],
        {"check": refusal.id},
    )


# -- reading


def _changed(path: str) -> CannotAnswer:
    return CannotAnswer(f"{path}: changed while it was read", "eif.changed", ["wait until it is written, then repeat"])


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one pass along some sections gave. ``kept``: the first bytes of the small sections, by type."""

    pcrs: Mapping[int, bytes] = field(default_factory=dict)
    crc32: int | None = None
    sha256: str = ""
    kept: Mapping[int, bytes] = field(default_factory=dict)


class _Registers:
    """PCR0, PCR1 and PCR2 as they grow, no byte hashed twice for one of them.

    PCR1's input is PCR0's until the second ramdisk begins, so its hash parts from PCR0's only there, in PCR0's lane.
    """

    def __init__(self) -> None:
        self._all = hashlib.sha384()
        self._boot = self._all
        self._application = hashlib.sha384()
        self._ramdisks = 0

    def takers(self, section: Section) -> dict[str, Taker]:
        """Return what takes the data of ``section``, the next one in order; nothing for an unmeasured one."""
        self._ramdisks += section.type == SectionType.RAMDISK
        if section.type not in MEASURED:
            return {}
        if section.type == SectionType.RAMDISK and self._ramdisks > 1:
            return {"PCR0 and PCR1": self._after_boot, "PCR2": self._application.update}
        return {"PCR0 and PCR1": self._at_boot}

    def _at_boot(self, data: memoryview) -> None:
        self._all.update(data)
        if self._boot is not self._all:
            self._boot.update(data)

    def _after_boot(self, data: memoryview) -> None:
        if self._boot is self._all:
            self._boot = self._all.copy()
        self._all.update(data)

    def values(self) -> dict[int, bytes]:
        """Return the registers after the last section."""
        digests = {0: self._all, 1: self._boot, 2: self._application}
        return {index: pcr.from_digest(hasher.digest()) for index, hasher in digests.items()}


class _Crc:
    """A running CRC-32 with the interface of a hash."""

    def __init__(self) -> None:
        self.value = 0

    def update(self, data: memoryview) -> None:
        self.value = zlib.crc32(data, self.value)


def _read(stream: IO[bytes], layout: Layout, *, file_digest: bool) -> tuple[_Reading, tuple[View, View]]:
    """Read what the walks found: once when they agree, and once more along the table when they do not."""
    table, sequence = View("table", layout.table), View("sequence", layout.sequence)
    if not (layout.table.complete or layout.sequence.complete):
        return _Reading(), (table, sequence)
    reading = _pass(stream, layout.sequence.sections, until=layout.size if file_digest else None)
    if layout.sequence.complete:
        # nitro-cli stops at a section of undefined type, QEMU skips it
        stops = any(section.type not in tuple(SectionType) for section in layout.sequence.sections)
        sequence = View("sequence", layout.sequence, {} if stops else reading.pcrs, None if stops else reading.crc32)
    if layout.agreed:
        return reading, (View("table", layout.table, reading.pcrs, reading.crc32), sequence)
    if layout.table.complete and _bounded(layout.table.sections, layout.size):
        along = _pass(stream, layout.table.sections)
        table = View("table", layout.table, along.pcrs, along.crc32)
    return reading, (table, sequence)


def _bounded(sections: Iterable[Section], size: int) -> bool:
    """Whether reading ``sections``, which may overlap, is no more work than reading the file twice."""
    return sum(section.end - section.offset for section in sections) <= 2 * size


def _pass(stream: IO[bytes], sections: tuple[Section, ...], *, until: int | None = None) -> _Reading:
    """Read the file header and ``sections`` in their order; up to byte ``until`` and with the file's SHA-256 if given.

    The checksum covers the header without its last four bytes, then every section header and its data. In a large
    file, each of the lanes "SHA-256", "CRC-32", "PCR0 and PCR1" and "PCR2" goes on beside the others.
    """
    crc, registers, whole = _Crc(), _Registers(), hashlib.sha256()
    kept: dict[int, bytearray] = {}
    file: dict[str, Taker] = {} if until is None else {"SHA-256": whole.update}
    checked = {**file, "CRC-32": crc.update}
    spans = [Span(0, CRC_OFFSET, checked), Span(CRC_OFFSET, HEADER_BYTES - CRC_OFFSET, file)]
    for section in sections:
        takers = {**checked, **registers.takers(section)}
        if section.type in _KEPT and section.type not in kept:
            kept[section.type] = bytearray()
            takers["kept"] = _keeper(kept[section.type], _KEPT[SectionType(section.type)])
        spans += [Span(section.offset, SECTION_HEADER.size, checked), Span(section.data, section.size, takers)]
    if until is not None:
        end = sections[-1].end if sections else HEADER_BYTES
        spans.append(Span(end, until - end, file))
    feed(stream, spans)
    contents = {kind: bytes(data) for kind, data in kept.items()}
    return _Reading(registers.values(), crc.value, whole.hexdigest() if until is not None else "", contents)


def _keeper(store: bytearray, limit: int) -> Taker:
    def keep(data: memoryview) -> None:
        store.extend(data[: limit - len(store)])

    return keep


# -- judging


def _examine(layout: Layout, reading: _Reading) -> "tuple[list[Check], Metadata | None, Signature | None]":
    """Return every check of an image, and its metadata and signature as far as they can be read."""
    checks = structure.examine(layout)
    if not layout.agreed:
        failed = [check.id for check in checks if check.outcome is Outcome.FAIL]
        by = "eif.views" if "eif.views" in failed else failed[0]
        return [*checks, *(blocked(check_id, title, by) for check_id, title in _CONTENTS.items())], None, None
    checks += [_checksum(layout, reading), *_cmdline(layout, reading)]
    metadata: Metadata | None = None
    signature: Signature | None = None
    refused = {check.id for check in checks if check.outcome is Outcome.FAIL}
    if layout.of_type(SectionType.METADATA) and "eif.metadata-section" not in refused:
        check, metadata = metadata_section.examine(reading.kept[SectionType.METADATA])
        checks.append(check)
    else:
        checks.append(_absent(metadata_section.CHECK_ID, metadata_section.TITLE, "eif.metadata-section", refused))
    if layout.of_type(SectionType.SIGNATURE) and "eif.signature-section" not in refused:
        from nitroctl.eif import signature as signature_section  # noqa: PLC0415  (most images need no cryptography)

        found, signature = signature_section.examine(reading.kept[SectionType.SIGNATURE], reading.pcrs[0])
        checks += found
    else:
        checks.append(_absent("eif.signature", _CONTENTS["eif.signature"], "eif.signature-section", refused))
    return checks, metadata, signature


_CONTENTS: Final = {
    "eif.crc": "The checksum in the header is that of the file",
    "eif.cmdline-text": "The kernel command line is plain text",
    metadata_section.CHECK_ID: metadata_section.TITLE,
    "eif.signature": "The signature verifies with the certificate stored beside it",
}


def _absent(check_id: str, title: str, section_check: str, refused: set[str]) -> Check:
    """Return the SKIP for contents that are not there, or that a failed check keeps from being looked at."""
    if section_check in refused:
        return blocked(check_id, title, section_check)
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.SKIP,
        detail="not checked: the image has no such section",
        required=False,
    )


def _checksum(layout: Layout, reading: _Reading) -> Check:
    stated = layout.header.crc32 if layout.header else 0
    good = stated == reading.crc32
    return Check(
        id="eif.crc",
        title=_CONTENTS["eif.crc"],
        outcome=Outcome.PASS if good else Outcome.FAIL,
        detail="" if good else "the file was damaged or altered after it was written",
        expected=None if good else f"{stated:08x}",
        actual=None if good else f"{reading.crc32:08x}",
        remedy=None if good else "copy it again, or build it again",
        source="EIF specification, file header: CRC-32",
    )


def _cmdline(layout: Layout, reading: _Reading) -> list[Check]:
    """Warn of what a person would not see: control characters, above all a NUL, after which the kernel sees nothing."""
    sections = layout.of_type(SectionType.CMDLINE)
    if not sections:
        return []
    shown = reading.kept[SectionType.CMDLINE]
    text = shown.removesuffix(b"\0").removesuffix(b"\n")  # some builders leave one
    remark = ""
    if b"\0" in text:
        rest = sections[0].size - len(shown) + len(text) - text.index(b"\0") - 1
        remark = f"it has a NUL; the {rest} bytes after it are measured, and the kernel never sees them"
    elif any(not 0x20 <= byte <= 0x7E for byte in text):  # noqa: PLR2004  (printable ASCII)
        remark = "it has control or non-ASCII characters"
    elif sections[0].size > len(shown):
        remark = f"it has {sections[0].size} bytes, of which only the first {len(shown)} were looked at"
    return [
        Check(
            id="eif.cmdline-text",
            title=_CONTENTS["eif.cmdline-text"],
            outcome=Outcome.WARN if remark else Outcome.PASS,
            detail=remark,
            remedy="look at it closely, and ask how it was made" if remark else None,
            source="Linux boot protocol: the command line ends at its first NUL",
            required=False,
        )
    ]
