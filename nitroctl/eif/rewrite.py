"""An image with another signature, or with none: everything else is the same bytes.

The signature keeps its place among the sections, or comes last where there was none. What depends on it is computed
anew: the table's offsets and sizes, the count of sections and the checksum (nitro-cli sign-eif with 0.5.0 of the image
format leaves the size of the old signature in the table, which QEMU refuses). Version, flags with those nobody has
defined, memory, CPUs, reserved fields, metadata and every measured byte are copied.

The new file is measured before it takes its name, and appears whole or not at all.
Source: aws-nitro-enclaves-image-format, README "File header".
"""

import dataclasses
import hashlib
import os
import struct
import zlib
from collections.abc import Sequence
from typing import IO, Final

from nitroctl import safefile
from nitroctl.eif.format import (
    CRC_OFFSET,
    HEADER_BYTES,
    MAX_SECTIONS,
    SECTION_HEADER,
    SINCE,
    Layout,
    Section,
    SectionType,
)
from nitroctl.eif.measure import Measured, measure
from nitroctl.errors import CannotAnswer

_CHUNK: Final = 1024 * 1024
_COUNT: Final = struct.Struct(">H")
_COUNT_OFFSET: Final = 26
_TABLE: Final = struct.Struct(f">{MAX_SECTIONS}Q")
_OFFSETS_OFFSET: Final = 28
_SIZES_OFFSET: Final = _OFFSETS_OFFSET + _TABLE.size


def require_signable(measured: Measured) -> None:
    """Raise CannotAnswer ``eif.not-signable`` for an image whose format has no place for a signature."""
    header, sections = measured.layout.header, measured.layout.sections
    version = header.version if header else 0
    if version < SINCE[SectionType.SIGNATURE]:
        raise _not_signable(measured.path, f"version {version} of the format has no signatures")
    if len(sections) == MAX_SECTIONS and not measured.layout.of_type(SectionType.SIGNATURE):
        raise _not_signable(measured.path, f"it has {MAX_SECTIONS} sections already, all that the format holds")


def _not_signable(path: str, why: str) -> CannotAnswer:
    return CannotAnswer(f"{path}: cannot be signed: {why}", "eif.not-signable", ["build it again"])


def rewrite(measured: Measured, output: str, signature: bytes | None, *, pcr8: bytes | None) -> Measured:
    """Write the measured image to ``output`` with ``signature`` as its signature section, or without one for None.

    ``output`` may be the image itself. ``pcr8``: the register that the new image must have, None for none. Returns the
    new image's measurement; when the file at ``output`` is the image and would become what it is, it is not touched.
    Raises CannotAnswer ``eif.changed`` when the image is not the one measured any more, ``eif.not-rewritten``,
    ``eif.not-signable`` and ``file.*``; ``output`` is then as it was.
    """
    if signature is not None:
        require_signable(measured)
    with safefile.open_regular(measured.path) as source:
        opened = os.fstat(source.fileno())
        if _same_file(opened, output) and signature == _present(source, measured):
            return measured
        with safefile.replacing(output) as target:
            _copy(source, target, measured, signature)
            target.flush()
            # by its descriptor, for it has no name to be found under yet
            written = measure(f"/proc/self/fd/{target.fileno()}")
            _require_equal(measured, written, output, pcr8)
            if not _unmoved(opened, measured.path):
                raise _changed(measured.path)
    return dataclasses.replace(written, path=output)


def _copy(source: IO[bytes], target: IO[bytes], measured: Measured, signature: bytes | None) -> None:
    """Write the image to ``target``. Raises CannotAnswer ``eif.changed`` unless ``source`` is what was measured."""
    plan = _plan(measured.layout.sections, signature)
    reader = _Reader(source, measured.path)
    header = _header(reader.exactly(HEADER_BYTES), measured.layout, plan)
    crc = zlib.crc32(header)
    target.write(header)
    target.write(bytes(HEADER_BYTES - CRC_OFFSET))
    for old, new in plan:
        if new is not None:
            head = SECTION_HEADER.pack(new.type, new.flags, new.size)
            data = signature if signature is not None and new.type == SectionType.SIGNATURE else b""
            crc = zlib.crc32(data, zlib.crc32(head, crc))
            target.write(head)
            target.write(data)
        if old is None:
            continue
        reader.exactly(SECTION_HEADER.size)
        left = old.size
        while left:
            block = reader.exactly(min(left, _CHUNK))
            left -= len(block)
            if old.type != SectionType.SIGNATURE:
                crc = zlib.crc32(block, crc)
                target.write(block)
    reader.require(measured.sha256)
    target.seek(CRC_OFFSET)
    target.write(struct.pack(">I", crc))


#: A section as it is and as it will be; None where it is not yet, or will be no more.
_Step = tuple[Section | None, Section | None]


def _plan(sections: Sequence[Section], signature: bytes | None) -> list[_Step]:
    """Return what becomes of each section, in file order."""
    steps: list[_Step] = []
    offset = HEADER_BYTES
    found: Sequence[Section | None] = sections
    if all(section.type != SectionType.SIGNATURE for section in sections):
        found = [*sections, None]
    for old in found:
        new: Section | None
        if old is not None and old.type != SectionType.SIGNATURE:
            new = dataclasses.replace(old, offset=offset)
        elif signature is None:
            new = None
        else:
            new = Section(offset, SectionType.SIGNATURE, 0, len(signature))
        if new is not None:
            offset = new.end
        steps.append((old, new))
    return steps


def _header(old: bytes, layout: Layout, plan: Sequence[_Step]) -> bytes:
    """Return the file header up to its checksum: the old one with count and table changed and nothing else."""
    sections = [new for _, new in plan if new is not None]
    touched = max(len(sections), len(layout.sections))  # what stands in slots that were never used stays there
    padding = [0] * (touched - len(sections))
    header = bytearray(old[:CRC_OFFSET])
    _COUNT.pack_into(header, _COUNT_OFFSET, len(sections))
    for at, values in (
        (_OFFSETS_OFFSET, [section.offset for section in sections]),
        (_SIZES_OFFSET, [section.size for section in sections]),
    ):
        rest = _TABLE.unpack_from(header, at)[touched:]
        _TABLE.pack_into(header, at, *values, *padding, *rest)
    return bytes(header)


class _Reader:
    """The image read once from its start, with its digest; ``path`` names it in errors."""

    def __init__(self, stream: IO[bytes], path: str) -> None:
        self._stream = stream
        self._path = path
        self._digest = hashlib.sha256()
        self._stream.seek(0)

    def exactly(self, count: int) -> bytes:
        """Return the next ``count`` bytes. Raises CannotAnswer ``eif.changed`` where there are fewer."""
        data = _read(self._stream, count, self._path)
        if len(data) != count:
            raise _changed(self._path)
        self._digest.update(data)
        return data

    def require(self, sha256: str) -> None:
        """Require that what was read is the whole file and has this digest."""
        if _read(self._stream, 1, self._path) or self._digest.hexdigest() != sha256:
            raise _changed(self._path)


def _read(stream: IO[bytes], count: int, path: str) -> bytes:
    """Read, and tell of a fault of the image here: outside it would look like one of the new file, or of nitroctl."""
    try:
        return stream.read(count)
    except OSError as error:
        raise safefile.cannot_read(path, error) from error


def _present(source: IO[bytes], measured: Measured) -> bytes | None:
    """Return the data of the image's signature section, None when there is none."""
    for section in measured.layout.of_type(SectionType.SIGNATURE):
        source.seek(section.data)
        return _read(source, section.size, measured.path)
    return None


def _same_file(opened: os.stat_result, path: str) -> bool:
    try:
        return os.path.samestat(opened, os.stat(path))  # noqa: PTH116
    except OSError:
        return False


def _unmoved(opened: os.stat_result, path: str) -> bool:
    """Whether ``path`` still leads to the file that was opened, and nobody wrote to it."""
    try:
        now = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    return os.path.samestat(opened, now) and (opened.st_size, opened.st_mtime_ns) == (now.st_size, now.st_mtime_ns)


def _require_equal(old: Measured, new: Measured, output: str, pcr8: bytes | None) -> None:
    """Require that nothing but the signature differs. Raises CannotAnswer ``eif.not-rewritten``."""
    expected = {index: value for index, value in old.pcrs.items() if index != 8}  # noqa: PLR2004
    if pcr8 is not None:
        expected[8] = pcr8
    if not new.measurable:
        refusal = new.report.refusals[0]
        why = f"it does not measure: {refusal.detail} [{refusal.id}]"
    elif dict(new.pcrs) != expected:
        why = "its registers are not those of the old one and the certificate"
    elif (new.metadata, new.cmdline) != (old.metadata, old.cmdline):
        why = "its metadata or command line is not the old one's"
    else:
        return
    raise CannotAnswer(
        f"{output}: the new image is not as it should be: {why}",
        "eif.not-rewritten",
        ["nothing was written; look at the disk"],
    )


def _changed(path: str) -> CannotAnswer:
    return CannotAnswer(f"{path}: changed while it was read", "eif.changed", ["wait until it is written, then repeat"])
