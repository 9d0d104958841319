"""Whether an image is built so that every reader sees the same one.

nitro-cli follows the sections' sizes, QEMU the header's table, and nobody outside knows what the hypervisor does. An
image may be measured only when the two walks agree, nothing lies before, between or after the sections, and what the
readers are known to disagree on does not occur. What no reader looks at (unknown flag bits, reserved fields) is told
and not refused: AWS and others put such things there.
Source: aws-nitro-enclaves-image-format, README; observed behaviour of its reader 0.5.0 and of QEMU 10.
"""

from collections.abc import Sequence
from typing import Final

from nitroctl.checks import Check, Outcome, blocked
from nitroctl.eif.format import (
    HEADER_BYTES,
    MAGIC,
    MAX_SECTIONS,
    METADATA_LIMIT,
    SIGNATURE_LIMIT,
    SINCE,
    VERSIONS,
    Header,
    Layout,
    Section,
    SectionType,
)

_SPEC: Final = "EIF specification"
_MIN_SECTIONS: Final = 2
_REBUILD: Final = "build the image again; if it came from elsewhere, ask how it was made"

#: Every structural check in the order it is made: id to title (true when it passes).
TITLES: Final[dict[str, str]] = {
    "eif.header": "The file holds a whole file header",
    "eif.magic": "The file begins with the mark of an enclave image",
    "eif.version": "The format version is one whose layout is known",
    "eif.flags": "Only the flag bits that the specification defines are set",
    "eif.reserved": "Reserved fields and unused table slots are zero",
    "eif.section-count": "There are 2 to 32 sections",
    "eif.section-bounds": "Every section lies inside the file",
    "eif.table-sizes": "The header's table states the sizes that the sections have",
    "eif.contiguity": "The header's table lists the sections without gap, overlap or reordering",
    "eif.views": "Following the table and following the sizes finds the same sections",
    "eif.file-end": "The last section ends where the file ends",
    "eif.section-types": "Every section is of a type that this version of the format defines",
    "eif.section-flags": "Section flags are zero",
    "eif.kernel": "There is one kernel, before every ramdisk",
    "eif.cmdline": "There is one kernel command line",
    "eif.ramdisks": "There is at least one ramdisk",
    "eif.metadata-section": "There is one metadata section of readable size where the version asks for it",
    "eif.signature-section": "There is at most one signature section, of allowed size",
}


def examine(layout: Layout) -> list[Check]:
    """Return the structural checks of an image: always the same ids, in the order of :data:`TITLES`."""
    header = layout.header
    if header is None:
        short = f"the file has {layout.size} bytes, a file header has {HEADER_BYTES}"
        return _rest_blocked([_check("eif.header", short)])
    start = [_check("eif.header"), _magic(header)]
    if header.magic != MAGIC:
        return _rest_blocked(start)
    start.append(_version(header))
    if header.version not in VERSIONS:
        return _rest_blocked(start)
    start += [_flags(header), _reserved(header), *_table(layout, header)]
    return [*start, *_sections(layout, header)] if layout.agreed else _rest_blocked(start)


def _check(  # noqa: PLR0913  (the parts of a check)
    check_id: str,
    fault: str = "",
    *,
    found: str = "",
    expected: str | None = None,
    actual: str | None = None,
    remedy: str | None = _REBUILD,
    source: str = _SPEC,
) -> Check:
    """Return a FAIL for ``fault``, or a PASS that says what was found."""
    return Check(
        id=check_id,
        title=TITLES[check_id],
        outcome=Outcome.FAIL if fault else Outcome.PASS,
        detail=fault or found,
        expected=expected if fault else None,
        actual=actual if fault else None,
        remedy=remedy if fault else None,
        source=source,
    )


def _warning(check_id: str, remark: str, remedy: str | None = None) -> Check:
    """Return a check that never refuses: a WARN for ``remark``, or a PASS."""
    return Check(
        id=check_id,
        title=TITLES[check_id],
        outcome=Outcome.WARN if remark else Outcome.PASS,
        detail=remark,
        remedy=remedy if remark else None,
        source=_SPEC,
        required=False,
    )


def _rest_blocked(checks: list[Check]) -> list[Check]:
    """Add the checks that were not reached, blocked by the last one made."""
    by = checks[-1].id
    remaining = tuple(TITLES)[len(checks) :]
    return [*checks, *(blocked(check_id, TITLES[check_id], by, source=_SPEC) for check_id in remaining)]


# -- the file header


def _magic(header: Header) -> Check:
    good = header.magic == MAGIC
    return _check(
        "eif.magic",
        "" if good else "the file is not an enclave image",
        expected=MAGIC.hex(" "),
        actual=header.magic.hex(" "),
        remedy="name the file that nitro-cli build-enclave wrote as --output-file",
    )


def _version(header: Header) -> Check:
    """Versions 2 and 3 are nitro-cli before 1.2.0: of the same layout, without metadata; a WARN, for QEMU wants 4."""
    if header.version not in VERSIONS:
        return _check(
            "eif.version",
            f"version {header.version} is not one of {', '.join(map(str, VERSIONS))}",
            expected="2, 3 or 4",
            actual=str(header.version),
            remedy="use a nitroctl that knows this version, or build the image with a released nitro-cli",
        )
    if header.version == max(VERSIONS):
        return _check("eif.version", found=f"version {header.version}")
    remark = f"version {header.version} is that of nitro-cli before 1.2.0; QEMU does not run it"
    return _warning("eif.version", remark, "build the image with a current nitro-cli")


def _flags(header: Header) -> Check:
    bits = ", ".join(map(str, header.unknown_flags))
    remark = f"flag bits {bits} are set; they are not measured and their meaning is not published" if bits else ""
    return _warning("eif.flags", remark, "check with the image's builder what they ask of the platform")


def _reserved(header: Header) -> Check:
    count = header.section_count
    found = []
    if header.reserved:
        found.append(f"bytes 24 to 25 hold {header.reserved}")
    if header.unused:
        found.append(f"bytes 540 to 543 hold {header.unused}")
    if any(header.offsets[count:]) or any(header.sizes[count:]):
        found.append(f"the section table has entries beyond its count of {count}")
    return _warning("eif.reserved", "; ".join(found), _REBUILD)


# -- the two walks


def _table(layout: Layout, header: Header) -> list[Check]:
    overrun = _told(layout, "eif.section-bounds")
    checks = [
        _section_count(layout, header),
        _check("eif.section-bounds", overrun, source=f"{_SPEC}; nitro-cli stops or crashes on it"),
    ]
    if header.section_count > MAX_SECTIONS:  # there is no such table
        unreadable = ("eif.table-sizes", "eif.contiguity")
        checks += [blocked(check_id, TITLES[check_id], checks[0].id, source=_SPEC) for check_id in unreadable]
    else:
        checks += [_table_sizes(layout, header), _contiguity(layout, header)]
    return [*checks, _views(layout)]


def _told(layout: Layout, check_id: str) -> str:
    """Return what the walks ran into under ``check_id``, each thing once."""
    problems = [*layout.table.problems, *layout.sequence.problems]
    return "; ".join(dict.fromkeys(problem.text for problem in problems if problem.check == check_id))


def _section_count(layout: Layout, header: Header) -> Check:
    fault = _told(layout, "eif.section-count")
    if not fault and header.section_count < _MIN_SECTIONS:
        fault = "an image has at least a kernel and a command line"
    return _check(
        "eif.section-count",
        fault,
        found=f"{header.section_count} sections",
        expected=f"{_MIN_SECTIONS} to {MAX_SECTIONS}",
        actual=str(header.section_count),
    )


def _table_sizes(layout: Layout, header: Header) -> Check:
    """Return a FAIL naming nitro-cli's own fault where it is that: signing again in place leaves the old size there."""
    fault = _told(layout, "eif.table-sizes")
    wrong = [number for number, section in enumerate(layout.listed) if section and section.size != header.sizes[number]]
    last = layout.listed[-1] if layout.listed else None
    if last and last.type == SectionType.SIGNATURE and wrong == [len(layout.listed) - 1]:
        fault += "; nitro-cli sign-eif leaves that behind when it signs a signed image again"
        return _check("eif.table-sizes", fault, remedy="sign the unsigned image, in place of the signed one")
    return _check("eif.table-sizes", fault, source=f"{_SPEC}; nitro-cli ignores the table, QEMU refuses the image")


def _contiguity(layout: Layout, header: Header) -> Check:
    expected = HEADER_BYTES
    for index, section in enumerate(layout.listed):
        if header.offsets[index] != expected:
            return _check(
                "eif.contiguity",
                f"table entry {index} is not where the section before it ends",
                expected=f"byte {expected}",
                actual=f"byte {header.offsets[index]}",
            )
        if section is None:
            break
        expected = section.end
    return _check("eif.contiguity", "" if layout.listed else "the table lists no section")


def _views(layout: Layout) -> Check:
    """Return whether there is one list of sections; nothing more can be said about the image when there is not."""
    if layout.agreed:
        return _check("eif.views", found=f"{len(layout.sections)} sections")
    if layout.table.complete and layout.sequence.complete:
        fault = "readers that follow the table see another image than readers that follow the sizes"
    else:
        ways = [("the table", layout.table), ("the sizes", layout.sequence)]
        fault = f"following {' or '.join(name for name, walk in ways if not walk.complete)} does not reach the end"
    return _check(
        "eif.views",
        fault,
        expected=f"table: {_listing(layout.table.sections)}" if layout.table.complete else None,
        actual=f"sizes: {_listing(layout.sequence.sections)}" if layout.sequence.complete else None,
        remedy="do not run it: nitro-cli and the hypervisor may measure different images",
        source="nitro-cli follows the sizes, QEMU the table",
    )


def _listing(sections: Sequence[Section]) -> str:
    return ", ".join(f"{section.kind} at {section.offset}" for section in sections) or "no section"


# -- the sections, once there is one list of them


def _sections(layout: Layout, header: Header) -> list[Check]:
    rest = layout.size - layout.end
    return [
        _check("eif.file-end", f"{rest} bytes follow the last section; no reader measures them" if rest else ""),
        _section_types(layout, header),
        _section_flags(layout),
        _kernel(layout),
        _exactly_one(layout, SectionType.CMDLINE, "eif.cmdline"),
        _check(
            "eif.ramdisks",
            "" if layout.of_type(SectionType.RAMDISK) else "there is no ramdisk",
            found=f"{len(layout.of_type(SectionType.RAMDISK))} ramdisks",
            source="QEMU; nitro-cli accepts none",
        ),
        _metadata_section(layout, header),
        _signature_section(layout),
    ]


def _section_types(layout: Layout, header: Header) -> Check:
    faults = []
    for section in layout.sections:
        if section.type not in tuple(SectionType):
            faults.append(f"the section at byte {section.offset} is of the undefined type {section.type}")
        elif SINCE.get(SectionType(section.type), 0) > header.version:
            faults.append(f"version {header.version} has no {section.kind} section; one is at byte {section.offset}")
    return _check("eif.section-types", "; ".join(faults), source=f"{_SPEC}; nitro-cli stops at it, QEMU skips it")


def _section_flags(layout: Layout) -> Check:
    faults = [
        f"the section at byte {section.offset} ({section.kind}) has flags 0x{section.flags:04x}"
        for section in layout.sections
        if section.flags
    ]
    return _check("eif.section-flags", "; ".join(faults), source=f"{_SPEC}; QEMU refuses it")


def _kernel(layout: Layout) -> Check:
    check = _exactly_one(layout, SectionType.KERNEL, "eif.kernel")
    ramdisks = layout.of_type(SectionType.RAMDISK)
    if check.outcome is Outcome.FAIL or not ramdisks:
        return check
    kernel = layout.of_type(SectionType.KERNEL)[0]
    return _check("eif.kernel", "a ramdisk comes before the kernel" if ramdisks[0].offset < kernel.offset else "")


def _exactly_one(layout: Layout, wanted: SectionType, check_id: str) -> Check:
    count = len(layout.of_type(wanted))
    fault = "" if count == 1 else f"there are {count} {wanted.name.lower()} sections"
    return _check(check_id, fault, expected="1", actual=str(count))


def _metadata_section(layout: Layout, header: Header) -> Check:
    found = layout.of_type(SectionType.METADATA)
    fault = ""
    if len(found) > 1:
        fault = f"there are {len(found)} metadata sections"
    elif not found and header.version >= SINCE[SectionType.METADATA]:
        fault = f"there is none, and version {header.version} requires one"
    elif found and found[0].size > METADATA_LIMIT:
        fault = f"it has {found[0].size} bytes, more than the {METADATA_LIMIT} that nitroctl reads"
    return _check("eif.metadata-section", fault)


def _signature_section(layout: Layout) -> Check:
    found = layout.of_type(SectionType.SIGNATURE)
    fault = ""
    if len(found) > 1:
        fault = f"there are {len(found)} signature sections; nitro-cli puts all of them into PCR8, QEMU the last"
    elif found and found[0].size > SIGNATURE_LIMIT:
        fault = f"it has {found[0].size} bytes, {SIGNATURE_LIMIT} are allowed"
    return _check("eif.signature-section", fault)
