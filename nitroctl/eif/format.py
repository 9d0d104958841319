"""The enclave image format: file header, section headers, and the two ways there are of finding the sections.

All integers are big-endian and nothing is padded. A 548-byte file header holds a table of up to 32 section offsets and
sizes; each section is a 12-byte header (type, flags, size) and its data. nitro-cli finds the sections by following
their sizes from byte 548 and never looks at the table; QEMU follows the table; what the hypervisor does is not known.
So both walks are made here, bounded by the size of the file, and :mod:`nitroctl.eif.structure` compares them. Nothing
is allocated from a number that the file states.
Source: aws-nitro-enclaves-image-format, README; QEMU hw/core/eif.c.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import IO, Final

MAGIC: Final = b".eif"
VERSIONS: Final = (2, 3, 4)
MAX_SECTIONS: Final = 32
SIGNATURE_LIMIT: Final = 32768
#: A bound of nitroctl's own: the format sets none, and the section may hold all that ``docker inspect`` prints.
METADATA_LIMIT: Final = 4 * 1024 * 1024

FILE_HEADER: Final = struct.Struct(">4sHHQQHH32Q32QII")
SECTION_HEADER: Final = struct.Struct(">HHQ")
HEADER_BYTES: Final = FILE_HEADER.size
CRC_OFFSET: Final = HEADER_BYTES - 4

AARCH64_FLAG: Final = 0x0001
ARCHITECTURES: Final = ("x86_64", "aarch64")


class SectionType(IntEnum):
    """What a section holds; every other number is undefined."""

    KERNEL = 1
    CMDLINE = 2
    RAMDISK = 3
    SIGNATURE = 4
    METADATA = 5


#: The sections whose data goes into PCR0.
MEASURED: Final = (SectionType.KERNEL, SectionType.CMDLINE, SectionType.RAMDISK)
#: The version of the format that brought each section type.
SINCE: Final = {SectionType.SIGNATURE: 3, SectionType.METADATA: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The file header as it stands in the file, nothing judged. Offsets and sizes in bytes, 32 slots each."""

    magic: bytes
    version: int
    flags: int
    default_memory: int
    default_cpus: int
    reserved: int
    section_count: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    unused: int
    crc32: int

    @classmethod
    def parse(cls, data: bytes) -> "Header":
        """Return the header in the first 548 bytes of ``data``."""
        fields = FILE_HEADER.unpack_from(data)
        table = fields[7 : 7 + 2 * MAX_SECTIONS]
        return cls(
            magic=fields[0],
            version=fields[1],
            flags=fields[2],
            default_memory=fields[3],
            default_cpus=fields[4],
            reserved=fields[5],
            section_count=fields[6],
            offsets=table[:MAX_SECTIONS],
            sizes=table[MAX_SECTIONS:],
            unused=fields[-2],
            crc32=fields[-1],
        )

    @property
    def architecture(self) -> str:
        """``x86_64`` or ``aarch64``: bit 0 of the flags. Not measured, and not checked against the kernel."""
        return ARCHITECTURES[self.flags & AARCH64_FLAG]

    @property
    def unknown_flags(self) -> tuple[int, ...]:
        """The numbers of the flag bits that are set and that the specification does not define."""
        return tuple(bit for bit in range(1, 16) if self.flags & (1 << bit))


@dataclass(frozen=True, slots=True)
class Section:
    """A section header found at ``offset``; ``size`` counts the data bytes after the 12 bytes of the header."""

    offset: int
    type: int
    flags: int
    size: int

    @property
    def data(self) -> int:
        """Offset of the first data byte."""
        return self.offset + SECTION_HEADER.size

    @property
    def end(self) -> int:
        """Offset of the first byte after the data."""
        return self.data + self.size

    @property
    def kind(self) -> str:
        """The type's name in lower case, or ``type 6`` for an undefined one."""
        try:
            return SectionType(self.type).name.lower()
        except ValueError:
            return f"type {self.type}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a walk could not be made to its end: the check that fails because of it, and one clause for people."""

    check: str
    text: str


@dataclass(frozen=True, slots=True)
class Walk:
    """The sections found one way, in the order they were found, and what kept it from its end."""

    sections: tuple[Section, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every section was found and lies in the file."""
        return not self.problems


NOT_WALKED: Final = Walk((), (Problem("eif.header", "sections were not looked for"),))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is in a file of ``size`` bytes. ``header`` is None when the file is too short for one.

    ``table``: the walk along the header's table. ``sequence``: the walk from byte 548 by section sizes.
    ``listed``: the section header at each table entry as far as it can be read, also when the walk has problems.
    """

    size: int
    header: Header | None
    table: Walk = NOT_WALKED
    sequence: Walk = NOT_WALKED
    listed: tuple[Section | None, ...] = ()

    @property
    def agreed(self) -> bool:
        """Whether both walks reached their end and found the same sections in the same order."""
        return self.table.complete and self.sequence.complete and self.table.sections == self.sequence.sections

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections in file order, as far as they could be followed."""
        return self.sequence.sections

    @property
    def end(self) -> int:
        """Offset of the first byte after the last section that was followed."""
        return self.sequence.sections[-1].end if self.sequence.sections else HEADER_BYTES

    def of_type(self, wanted: SectionType) -> tuple[Section, ...]:
        """Return the sections of one type, in file order."""
        return tuple(section for section in self.sections if section.type == wanted)


def read_layout(stream: IO[bytes], size: int) -> Layout:
    """Return what the headers in ``stream``, a seekable file of ``size`` bytes, say about its sections.

    Reads at most 65 section headers, whatever the file says. A file that is not an EIF of a known version is not
    walked: the meaning of its table is not known. Nothing is raised for hostile bytes; OSError passes through.
    """
    stream.seek(0)
    start = stream.read(HEADER_BYTES)
    if len(start) < HEADER_BYTES:
        return Layout(size, None)
    header = Header.parse(start)
    if header.magic != MAGIC or header.version not in VERSIONS:
        return Layout(size, header)
    table, listed = _walk_table(stream, size, header)
    return Layout(size, header, table, _walk_sequence(stream, size), listed)


def _walk_table(stream: IO[bytes], size: int, header: Header) -> tuple[Walk, tuple[Section | None, ...]]:
    if header.section_count > MAX_SECTIONS:
        text = f"the header counts {header.section_count} sections, its table holds {MAX_SECTIONS}"
        return Walk((), (Problem("eif.section-count", text),)), ()
    problems: list[Problem] = []
    listed: list[Section | None] = []
    for index in range(header.section_count):
        offset, stated = header.offsets[index], header.sizes[index]
        section = _section_at(stream, offset, size) if offset >= HEADER_BYTES else None
        listed.append(section)
        if offset < HEADER_BYTES:
            problems.append(_outside(f"table entry {index} points at byte {offset}, inside the file header"))
        elif section is None:
            problems.append(_outside(f"table entry {index} points at byte {offset}, beyond the end of the file"))
        else:
            if section.end > size:
                problems.append(_overrun(section, size))
            if section.size != stated:
                text = f"table entry {index} states {stated} bytes, its section header {section.size}"
                problems.append(Problem("eif.table-sizes", text))
    found = () if problems else tuple(section for section in listed if section)
    return Walk(found, tuple(problems)), tuple(listed)


def _walk_sequence(stream: IO[bytes], size: int) -> Walk:
    """Follow the sections from byte 548; as in nitro-cli, fewer than 12 bytes before the end are no section."""
    found: list[Section] = []
    offset = HEADER_BYTES
    while size - offset >= SECTION_HEADER.size:
        section = _section_at(stream, offset, size)
        if section is None:  # the file became shorter
            return Walk(tuple(found), (_outside(f"no section header can be read at byte {offset}"),))
        if section.end > size:
            return Walk(tuple(found), (_overrun(section, size),))
        if len(found) == MAX_SECTIONS:
            text = f"a section follows the 32nd, at byte {offset}"
            return Walk(tuple(found), (Problem("eif.section-count", text),))
        found.append(section)
        offset = section.end
    return Walk(tuple(found))


def _section_at(stream: IO[bytes], offset: int, size: int) -> Section | None:
    """Return the section whose header begins at ``offset``, or None when the file ends before the header does."""
    if offset + SECTION_HEADER.size > size:
        return None
    stream.seek(offset)
    data = stream.read(SECTION_HEADER.size)
    return Section(offset, *SECTION_HEADER.unpack(data)) if len(data) == SECTION_HEADER.size else None


def _outside(text: str) -> Problem:
    return Problem("eif.section-bounds", text)


def _overrun(section: Section, size: int) -> Problem:
    return _outside(
        f"the section at byte {section.offset} ({section.kind}) claims {section.size} bytes, "
        f"{size - section.data} are left in the file"
    )


def pack_header(  # noqa: PLR0913  (the fields of the header)
    *,
    version: int,
    flags: int,
    default_memory: int,
    default_cpus: int,
    sections: Sequence[Section],
    crc32: int,
) -> bytes:
    """Return the 548 bytes of a file header for ``sections``, at most 32 of them."""
    padding = (0,) * (MAX_SECTIONS - len(sections))
    offsets = tuple(section.offset for section in sections) + padding
    sizes = tuple(section.size for section in sections) + padding
    start = (MAGIC, version, flags, default_memory, default_cpus, 0, len(sections))
    return FILE_HEADER.pack(*start, *offsets, *sizes, 0, crc32)
