"""What differs between two images and moves no register: file header, metadata, the signature's own bytes.

It explains why two files are not equal although their measurements are, and it matters all the same: the header says
for which processor an image is, and the metadata is what people read.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nitroctl.eif.diff_image import Image
from nitroctl.eif.format import Header, SectionType
from nitroctl.eif.metadata import Metadata

#: Different leaves of a JSON document that are told one by one; what a document could make of it is not bounded.
_MOST_LEAVES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A difference that no register shows. ``part``: ``header``, ``layout``, ``metadata`` or ``signature``.

    ``first``, ``second``: the values as text, None where there is none.
    """

    part: str
    field: str
    first: str | None
    second: str | None


def compare(first: Image, second: Image) -> tuple[Unmeasured, ...]:
    """Return every difference that is not measured, the signing certificate (PCR8) not among them."""
    return (*_header(first, second), *_layout(first, second), *_metadata(first, second), *_signature(first, second))


# -- the file header


def _header(first: Image, second: Image) -> Iterator[Unmeasured]:
    one, other = (_fields(image.measured.layout.header) for image in (first, second))
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield Unmeasured("header", name, one.get(name), other.get(name))


def _fields(header: Header | None) -> dict[str, str]:
    """Return the fields that are not a consequence of the sections (checksum, count and table are)."""
    if header is None:
        return {}
    slots = list(enumerate(zip(header.offsets, header.sizes, strict=True)))[header.section_count :]
    unused = [f"{number}: {offset}, {size}" for number, (offset, size) in slots if offset or size]
    return {
        "magic": header.magic.hex(" "),
        "version": str(header.version),
        "architecture": header.architecture,
        "flags": f"0x{header.flags:04x}",
        "default_memory_bytes": str(header.default_memory),
        "default_cpus": str(header.default_cpus),
        "reserved": f"{header.reserved}, {header.unused}",
        "unused table slots": "; ".join(unused) or "zero",
    }


def _layout(first: Image, second: Image) -> Iterator[Unmeasured]:
    """Tell where unmeasured sections stand, and what follows the last one."""
    kinds = [", ".join(part.section.kind for part in image.parts) for image in (first, second)]
    counts = [sorted(part.section.type for part in image.parts) for image in (first, second)]
    if first.found and second.found and kinds[0] != kinds[1] and counts[0] == counts[1]:
        yield Unmeasured("layout", "order of sections", *kinds)
    rests = [image.measured.size - image.measured.layout.end for image in (first, second)]
    if first.found and second.found and rests[0] != rests[1]:
        yield Unmeasured("layout", "bytes after the last section", *map(str, rests))


# -- metadata


def _metadata(first: Image, second: Image) -> Iterator[Unmeasured]:
    digests = [[part.sha256 for part in image.of_type(SectionType.METADATA)] for image in (first, second)]
    if digests[0] == digests[1]:
        return
    one, other = first.measured.metadata, second.measured.metadata
    if one is None or other is None:
        yield Unmeasured("metadata", "section", *(_said(image) for image in (first, second)))
        return
    leaves = [dict(_leaves("", _document(each))) for each in (one, other)]
    found = False
    for number, name in enumerate(dict.fromkeys([*leaves[0], *leaves[1]])):
        values = [each.get(name) for each in leaves]
        if values[0] != values[1]:
            found = True
            yield Unmeasured("metadata", name, *values)
        if number == _MOST_LEAVES:
            yield Unmeasured("metadata", f"more than {_MOST_LEAVES} members, the others not compared", None, None)
            return
    if not found:
        yield Unmeasured("metadata", "spacing, order, or members that the format does not define", None, None)


def _said(image: Image) -> str | None:
    if image.measured.metadata:
        return "readable"
    return "not readable" if image.of_type(SectionType.METADATA) else None


def _document(metadata: Metadata) -> dict[str, object]:
    return {
        "ImageName": metadata.image_name,
        "ImageVersion": metadata.image_version,
        "BuildTime": metadata.build_time,
        "BuildTool": metadata.build_tool,
        "BuildToolVersion": metadata.build_tool_version,
        "OperatingSystem": metadata.operating_system,
        "KernelVersion": metadata.kernel_version,
        "DockerInfo": metadata.docker_info,
        "CustomMetadata": metadata.custom,
    }


def _leaves(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the scalars of a JSON value with where they stand (``DockerInfo/Config/Env/0``).

    Empty lists and objects are told as scalars are. The reader of metadata bounds the depth.
    """
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if members:
        for key, inner in members:
            escaped = str(key).replace("~", "~0").replace("/", "~1")  # as in JSON Pointer, RFC 6901
            yield from _leaves(f"{name}/{escaped}" if name else escaped, inner)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


# -- the signature


def _signature(first: Image, second: Image) -> Iterator[Unmeasured]:
    """Tell what differs beside the certificate: a new signature by the same key is another one every time."""
    digests = [[part.sha256 for part in image.of_type(SectionType.SIGNATURE)] for image in (first, second)]
    if digests[0] == digests[1]:
        return
    one, other = first.measured.signature, second.measured.signature
    if one is None or other is None:
        texts = ["not readable" if found else None for found in digests]
        texts = [each.algorithm if each else text for each, text in zip((one, other), texts, strict=True)]
        yield Unmeasured("signature", "section", *texts)
        return
    if one.algorithm != other.algorithm:
        yield Unmeasured("signature", "algorithm", one.algorithm, other.algorithm)
    if one.payload != other.payload:
        yield Unmeasured("signature", "what is signed", one.payload.hex(), other.payload.hex())
    if one.value != other.value:
        yield Unmeasured("signature", "signature", one.value.hex(), other.value.hex())
    elif one.certificate.der == other.certificate.der:
        yield Unmeasured("signature", "text around the certificate", None, None)
