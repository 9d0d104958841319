"""Writing an enclave image: sections streamed behind a header that is written last, with its table and checksum.

The same inputs give the same bytes. Only kernel, command line and ramdisks are measured; architecture, metadata and
signature change the file's digest and no PCR but PCR8. What is written is never read back here: the registers and the
checksum grow while the bytes pass, so an image of any size takes the memory of two blocks.
Source: aws-nitro-enclaves-image-format, README and builder.
"""

import contextlib
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Final, Literal, Self

from nitroctl import pcr
from nitroctl.eif import crc
from nitroctl.eif.format import (
    ARCHITECTURES,
    CRC_OFFSET,
    HEADER_BYTES,
    MAX_SECTIONS,
    MEASURED,
    METADATA_LIMIT,
    SECTION_HEADER,
    SIGNATURE_LIMIT,
    Section,
    SectionType,
    pack_header,
)
from nitroctl.errors import CannotAnswer

#: What nitro-cli writes; the platform takes memory and CPUs from the command that runs the enclave.
DEFAULT_MEMORY: Final = 1 << 30
DEFAULT_CPUS: Final = 2
_BLOCK: Final = 1024 * 1024
_LIMITS: Final = {SectionType.SIGNATURE: SIGNATURE_LIMIT, SectionType.METADATA: METADATA_LIMIT}

Architecture = Literal["x86_64", "aarch64"]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: registers 0, 1 and 2, the checksum in the header, the file's size, the sections in order."""

    pcrs: Mapping[int, bytes]
    crc32: int
    size: int
    sections: tuple[Section, ...]


class SectionWriter:
    """Takes the data of one section, in pieces of any size, as a file would."""

    def __init__(self, image: "ImageWriter", hashers: Sequence["hashlib._Hash"]) -> None:
        self._image = image
        self._hashers = hashers
        self._buffer = bytearray()
        self.size = 0
        self.crc32 = 0

    def write(self, data: bytes | memoryview) -> int:
        """Append ``data``; it may change afterwards."""
        self._buffer += data
        if len(self._buffer) >= _BLOCK:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Hand on what is held back."""
        block, self._buffer = self._buffer, bytearray()
        self.size += len(block)
        self._image.pass_on(block, self._hashers)
        self.crc32 = zlib.crc32(block, self.crc32)


class ImageWriter:
    """Writes one image to a seekable stream that is at its beginning. A context manager: it holds two threads.

    Sections are added in file order, kernel and command line before the ramdisks; :meth:`finish` makes the file an
    image, and without it there is none: the place of the header holds zeros.
    """

    def __init__(self, stream: IO[bytes], *, architecture: Architecture, version: int = 4) -> None:
        """Begin an image of the format's ``version``: 4, or 3 for one without metadata."""
        self._stream = stream
        self._architecture = architecture
        self._version = version
        self._sections: list[Section] = []
        self._crc = 0  # of all that follows the file header
        self._everything = hashlib.sha384()
        self._boot = self._everything  # PCR1's input is PCR0's until a second ramdisk comes
        self._application = hashlib.sha384()
        self._threads = ThreadPoolExecutor(max_workers=2)
        self._pending: list[Future[None]] = []
        stream.write(bytes(HEADER_BYTES))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._threads.shutdown()

    def add(self, kind: SectionType, data: bytes) -> None:
        """Append a section that is there already. Raises CannotAnswer ``eif.not-buildable`` for one too large."""
        if len(data) > _LIMITS.get(kind, len(data)):
            raise _too_large(kind, len(data))
        with self.section(kind) as section:
            section.write(data)

    @contextlib.contextmanager
    def section(self, kind: SectionType) -> Iterator[SectionWriter]:
        """Append a section whose data is written in the block. Raises CannotAnswer ``eif.not-buildable``."""
        if len(self._sections) == MAX_SECTIONS:
            raise _not_buildable(f"more than {MAX_SECTIONS} sections")
        offset = self._sections[-1].end if self._sections else HEADER_BYTES
        self._stream.write(bytes(SECTION_HEADER.size))
        section = SectionWriter(self, self._hashers(kind))
        yield section
        section.flush()
        head = SECTION_HEADER.pack(kind, 0, section.size)
        self._stream.seek(offset)
        self._stream.write(head)
        self._sections.append(Section(offset, kind, 0, section.size))
        self._stream.seek(self._sections[-1].end)
        self._crc = crc.combine(zlib.crc32(head, self._crc), section.crc32, section.size)

    def _hashers(self, kind: SectionType) -> "Sequence[hashlib._Hash]":
        if kind not in MEASURED:
            return ()
        ramdisks = sum(section.type == SectionType.RAMDISK for section in self._sections)
        if kind is not SectionType.RAMDISK:
            if ramdisks:
                raise _not_buildable(f"the {kind.name.lower()} comes after a ramdisk")
            return (self._everything,)
        if ramdisks == 0:
            return (self._everything,)
        self._settle()
        if self._boot is self._everything:
            self._boot = self._everything.copy()
        return (self._everything, self._application)

    def pass_on(self, block: bytearray, hashers: "Sequence[hashlib._Hash]") -> None:
        """Write one block and hash it, each hash in its own thread; the block is nobody else's from here on."""
        self._settle()
        self._pending = [self._threads.submit(hasher.update, block) for hasher in hashers]
        self._stream.write(block)

    def _settle(self) -> None:
        pending, self._pending = self._pending, []
        for future in pending:
            future.result()

    @property
    def pcrs(self) -> Mapping[int, bytes]:
        """Registers 0, 1 and 2 of the sections so far, as the platform will compute them."""
        self._settle()
        digests = {0: self._everything, 1: self._boot, 2: self._application}
        return {index: pcr.from_digest(hasher.digest()) for index, hasher in digests.items()}

    def finish(self) -> Written:
        """Write the file header: now it is an image. Raises CannotAnswer ``eif.not-buildable`` without a ramdisk."""
        kinds = [section.type for section in self._sections]
        if SectionType.RAMDISK not in kinds:
            raise _not_buildable("no ramdisk, an enclave needs at least one")

        def header(checksum: int) -> bytes:
            return pack_header(
                version=self._version,
                flags=ARCHITECTURES.index(self._architecture),
                default_memory=DEFAULT_MEMORY,
                default_cpus=DEFAULT_CPUS,
                sections=self._sections,
                crc32=checksum,
            )

        size = self._sections[-1].end
        checksum = crc.combine(zlib.crc32(header(0)[:CRC_OFFSET]), self._crc, size - HEADER_BYTES)
        self._stream.seek(0)
        self._stream.write(header(checksum))
        self._stream.seek(size)
        return Written(self.pcrs, checksum, size, tuple(self._sections))


def write_image(  # noqa: PLR0913  (the parts of an image)
    stream: IO[bytes],
    *,
    architecture: Architecture,
    kernel: bytes,
    cmdline: bytes,
    ramdisks: Sequence[bytes],
    metadata: bytes | None,
    signature: bytes | None,
) -> None:
    """Write an image of parts in memory to ``stream``: kernel, command line, metadata, ramdisks, signature.

    ``cmdline``: as measured, so without a final line feed to equal nitro-cli. ``metadata``: from
    :func:`metadata_json`; without it the image is of version 3, in which it is not mandatory. ``signature``: from
    :func:`nitroctl.eif.signature.sign`. Raises CannotAnswer ``eif.not-buildable`` for parts that no reader would take,
    before anything is written.
    """
    parts = [(SectionType.KERNEL, kernel), (SectionType.CMDLINE, cmdline)]
    if metadata is not None:
        parts.append((SectionType.METADATA, metadata))
    parts += [(SectionType.RAMDISK, ramdisk) for ramdisk in ramdisks]
    if signature is not None:
        parts.append((SectionType.SIGNATURE, signature))
    _check(parts)
    with ImageWriter(stream, architecture=architecture, version=3 if metadata is None else 4) as image:
        for kind, data in parts:
            image.add(kind, data)
        image.finish()


def _check(parts: Sequence[tuple[SectionType, bytes]]) -> None:
    if len(parts) > MAX_SECTIONS:
        raise _not_buildable(f"{len(parts)} sections, the format holds {MAX_SECTIONS}")
    if all(kind is not SectionType.RAMDISK for kind, _ in parts):
        raise _not_buildable("no ramdisk, an enclave needs at least one")
    for kind, data in parts:
        if len(data) > _LIMITS.get(kind, len(data)):
            raise _too_large(kind, len(data))


def _too_large(kind: SectionType, size: int) -> CannotAnswer:
    return _not_buildable(f"{size} bytes of {kind.name.lower()}, at most {_LIMITS[kind]} are read")


def _not_buildable(why: str) -> CannotAnswer:
    return CannotAnswer(f"the image cannot be written: {why}", "eif.not-buildable")


def metadata_json(  # noqa: PLR0913  (the fields of the section)
    *,
    image_name: str,
    image_version: str,
    build_time: str,
    build_tool: str,
    build_tool_version: str,
    operating_system: str,
    kernel_version: str,
    docker_info: Mapping[str, object] | None = None,
    custom: Mapping[str, object] | None = None,
) -> bytes:
    """Return the data of a metadata section: compact JSON with the keys in nitro-cli's order.

    ``build_time``: RFC 3339. ``docker_info``: what ``docker inspect`` prints. ``custom``: the operator's own fields.
    nitro-cli's reader requires CustomMetadata to be there, so it is written also when it is null. Raises CannotAnswer
    ``eif.not-buildable`` for text that UTF-8 cannot hold.
    """
    document = {
        "ImageName": image_name,
        "ImageVersion": image_version,
        "BuildMetadata": {
            "BuildTime": build_time,
            "BuildTool": build_tool,
            "BuildToolVersion": build_tool_version,
            "OperatingSystem": operating_system,
            "KernelVersion": kernel_version,
        },
        "DockerInfo": docker_info,
        "CustomMetadata": custom,
    }
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
    except ValueError as error:  # half a surrogate pair, NaN
        raise _not_buildable(f"its metadata cannot be written as JSON in UTF-8: {error}") from error
