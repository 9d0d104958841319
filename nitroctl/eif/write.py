"""Writing an enclave image: the sections in nitro-cli's order under a header with their table and checksum.

The same inputs give the same bytes. Only kernel, command line and ramdisks are measured; architecture, metadata and
signature change the file's digest and no PCR but PCR8.
Source: aws-nitro-enclaves-image-format, README and builder.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import IO, Final, Literal

from nitroctl.eif.format import (
    ARCHITECTURES,
    CRC_OFFSET,
    HEADER_BYTES,
    MAX_SECTIONS,
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


def write_image(  # noqa: PLR0913  (the parts of an image)
    stream: IO[bytes],
    *,
    architecture: Literal["x86_64", "aarch64"],
    kernel: bytes,
    cmdline: bytes,
    ramdisks: Sequence[bytes],
    metadata: bytes | None,
    signature: bytes | None,
) -> None:
    """Write an image to ``stream``: kernel, command line, metadata, ramdisks, signature.

    ``cmdline``: as measured, so without a final line feed to equal nitro-cli. ``metadata``: from
    :func:`metadata_json`; without it the image is of version 3, in which it is not mandatory. ``signature``: from
    :func:`nitroctl.eif.signature.sign`. Raises CannotAnswer ``eif.not-buildable`` for parts that no reader would take.
    """
    parts = [(SectionType.KERNEL, kernel), (SectionType.CMDLINE, cmdline)]
    if metadata is not None:
        parts.append((SectionType.METADATA, metadata))
    parts += [(SectionType.RAMDISK, ramdisk) for ramdisk in ramdisks]
    if signature is not None:
        parts.append((SectionType.SIGNATURE, signature))
    _check(parts)
    sections: list[Section] = []
    offset = HEADER_BYTES
    for kind, data in parts:
        sections.append(Section(offset, kind, 0, len(data)))
        offset = sections[-1].end

    def header(crc: int) -> bytes:
        return pack_header(
            version=3 if metadata is None else 4,
            flags=ARCHITECTURES.index(architecture),
            default_memory=DEFAULT_MEMORY,
            default_cpus=DEFAULT_CPUS,
            sections=sections,
            crc32=crc,
        )

    heads = [SECTION_HEADER.pack(section.type, section.flags, section.size) for section in sections]
    crc = zlib.crc32(header(0)[:CRC_OFFSET])
    for head, (_, data) in zip(heads, parts, strict=True):
        crc = zlib.crc32(data, zlib.crc32(head, crc))
    stream.write(header(crc))
    for head, (_, data) in zip(heads, parts, strict=True):
        stream.write(head)
        stream.write(data)


def _check(parts: Sequence[tuple[SectionType, bytes]]) -> None:
    if len(parts) > MAX_SECTIONS:
        raise _not_buildable(f"{len(parts)} sections, the format holds {MAX_SECTIONS}")
    if all(kind is not SectionType.RAMDISK for kind, _ in parts):
        raise _not_buildable("no ramdisk, an enclave needs at least one")
    limits = {SectionType.SIGNATURE: SIGNATURE_LIMIT, SectionType.METADATA: METADATA_LIMIT}
    for kind, data in parts:
        if len(data) > limits.get(kind, len(data)):
            raise _not_buildable(f"{len(data)} bytes of {kind.name.lower()}, at most {limits[kind]} are read")


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
