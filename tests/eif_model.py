"""What hostile bytes mean, by readers that share nothing with nitroctl's: each the shortest that follows its format.

They may be slow, they keep everything in memory and they give up (None) at whatever is odd; where they do not, theirs
and nitroctl's answers must be the same.
"""

import base64
import bz2
import gzip
import hashlib
import io
import json
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import cbor2
import zstandard
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests import images

Sections = list[tuple[int, int, int, bytes]]  # offset, type, flags, data
_KNOWN: Final = (images.KERNEL, images.CMDLINE, images.RAMDISK, images.SIGNATURE, images.METADATA)


@dataclass(frozen=True)
class Seen:
    """What one reader of an image sees."""

    sections: Sections
    crc32: int
    pcrs: Mapping[int, bytes]


def by_table(image: bytes) -> Seen | None:
    """Return what a reader that follows the header's table sees, as QEMU does; None where it would stop."""
    header = struct.unpack(">4sHHQQHH32Q32QII", image[:548])
    count, offsets, sizes = header[6], header[7:39], header[39:71]
    if count > 32:
        return None
    sections: Sections = []
    for offset, size in list(zip(offsets, sizes, strict=True))[:count]:
        if offset < 548 or offset + 12 > len(image):
            return None
        kind, flags, stated = struct.unpack(">HHQ", image[offset : offset + 12])
        if stated != size or offset + 12 + size > len(image):
            return None
        sections.append((offset, kind, flags, image[offset + 12 : offset + 12 + size]))
    return _seen(image, sections)


def by_sizes(image: bytes) -> Seen | None:
    """Return what a reader that follows the sections' sizes sees, as nitro-cli does; None where it would stop."""
    sections: Sections = []
    at = 548
    while len(image) - at >= 12:
        kind, flags, size = struct.unpack(">HHQ", image[at : at + 12])
        if size > len(image) - at - 12 or len(sections) == 32:
            return None
        sections.append((at, kind, flags, image[at + 12 : at + 12 + size]))
        at += 12 + size
    return _seen(image, sections)


def _seen(image: bytes, sections: Sections) -> Seen:
    covered = image[:544] + b"".join(
        struct.pack(">HHQ", kind, flags, len(data)) + data for _, kind, flags, data in sections
    )
    inputs = {0: b"", 1: b"", 2: b""}
    ramdisks = 0
    for _, kind, _, data in sections:
        if kind in (images.KERNEL, images.CMDLINE, images.RAMDISK):
            ramdisks += kind == images.RAMDISK
            inputs[0] += data
            inputs[2 if kind == images.RAMDISK and ramdisks > 1 else 1] += data
    pcrs = {index: images.extended(hashlib.sha384(data).digest()) for index, data in inputs.items()}
    return Seen(sections, zlib.crc32(covered), pcrs)


def every_reader_agrees(image: bytes) -> bool:
    """Say whether an image is one that every reader takes for the same, signature and metadata left aside."""
    if len(image) < 548 or image[:4] != b".eif":
        return False
    table, sizes = by_table(image), by_sizes(image)
    version, count = struct.unpack(">H", image[4:6])[0], struct.unpack(">H", image[26:28])[0]
    if table is None or sizes is None or table != sizes or version not in (2, 3, 4) or not 2 <= count <= 32:
        return False
    kinds = [kind for _, kind, _, _ in sizes.sections]
    at, expected = 548, []
    for _, _, _, data in sizes.sections:
        expected.append(at)
        at += 12 + len(data)
    return (
        at == len(image)
        and [offset for offset, _, _, _ in sizes.sections] == expected
        and not any(flags for _, _, flags, _ in sizes.sections)
        and set(kinds) <= set(_KNOWN)
        and kinds.count(images.KERNEL) == kinds.count(images.CMDLINE) == 1
        and images.RAMDISK in kinds
        and kinds.index(images.KERNEL) < kinds.index(images.RAMDISK)
        and kinds.count(images.SIGNATURE) <= (1 if version >= 3 else 0)
        and kinds.count(images.METADATA) == (1 if version >= 4 else 0)
        and sizes.crc32 == struct.unpack(">I", image[544:548])[0]
    )


def metadata(data: bytes) -> Mapping[str, Any]:
    """Return the members of a metadata section. Raises ValueError or AssertionError."""
    found = json.loads(data.decode("utf-8"))
    assert isinstance(found, dict)
    return found


def signed(section: bytes, pcr0: bytes) -> bytes | None:
    """Return the DER of the certificate by whose key a signature section signs ``pcr0``, None when it does not."""
    [entry] = cbor2.loads(section)
    pem, cose = bytes(entry["signing_certificate"]), bytes(entry["signature"])
    protected, _, payload, value = cbor2.loads(cose)
    if cbor2.loads(payload) != {"register_index": 0, "register_value": list(pcr0)}:
        return None
    text = pem.split(b"-----BEGIN CERTIFICATE-----", 1)[1].split(b"-----END", 1)[0]
    der = base64.b64decode(text)
    key = x509.load_der_x509_certificate(der).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return None
    half = len(value) // 2
    algorithm = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
    message = cbor2.dumps(["Signature1", protected, b"", payload])
    pair = utils.encode_dss_signature(int.from_bytes(value[:half]), int.from_bytes(value[half:]))
    key.verify(pair, message, ec.ECDSA(algorithm))  # raises when it is not
    return der


# -- ramdisks

_Expand = Callable[[], Any]
_STREAMS: Final[Mapping[bytes, tuple[str, _Expand]]] = {
    b"\x1f\x8b": ("gzip", lambda: zlib.decompressobj(31)),
    b"\x1f\x9e": ("gzip", lambda: zlib.decompressobj(31)),
    b"BZ": ("bzip2", bz2.BZ2Decompressor),
    b"\xfd7": ("xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)),
    b"\x5d\x00": ("lzma", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)),
    b"\x28\xb5": ("zstd", lambda: zstandard.ZstdDecompressor().decompressobj()),
}


@dataclass(frozen=True)
class Entry:
    """One entry of a ramdisk."""

    name: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    ino: int
    nlink: int
    content: bytes
    archive: int
    compression: str


def ramdisk(data: bytes) -> list[Entry]:
    """Return the entries of a ramdisk in which nothing is odd. Raises ValueError, and what decompressors raise."""
    found: list[Entry] = []
    trailers = 0
    at = 0
    while at < len(data):
        if data[at] == 0:
            at += 1
        elif data[at : at + 5] == b"07070":
            trailers, at = _plain(data, at, "none", trailers, found)
        else:
            name, make = _STREAMS[data[at : at + 2]]
            expander = make()
            inside = expander.decompress(data[at:])
            if not expander.eof:
                raise ValueError(at)
            at = len(data) - len(expander.unused_data)
            place = 0
            while place < len(inside):
                if inside[place] == 0:
                    place += 1
                else:
                    trailers, place = _plain(inside, place, name, trailers, found)
    return found


def _plain(data: bytes, at: int, compression: str, trailers: int, found: list[Entry]) -> tuple[int, int]:
    """Read one entry at ``at``; return the trailers so far, and where the entry ends."""
    if data[at : at + 6] not in (b"070701", b"070702") or at % 4:
        raise ValueError(at)
    numbers = [int(data[at + 6 + 8 * index : at + 14 + 8 * index].decode("ascii"), 16) for index in range(13)]
    ino, mode, uid, gid, nlink, mtime, size = numbers[:7]
    start = at + 110 + numbers[11]
    name = data[at + 110 : start]
    start += -start % 4
    content = data[start : start + size]
    if len(content) < size:
        raise ValueError(at)
    end = start + size
    end += -end % 4
    name = name[: name.index(0)]
    if name == b"TRAILER!!!":
        return trailers + 1, end
    found.append(Entry(name, mode, uid, gid, mtime, ino, nlink, content, trailers, compression))
    return trailers, end


# -- archives


def unpacked(data: bytes) -> bytes:
    """Return what a packed stream of any number of members unpacks to. Raises what the library raises."""
    if data[:3] == b"\x1f\x8b\x08":
        return gzip.decompress(data)
    if data[:3] == b"BZh":
        return bz2.decompress(data)
    if data[:6] == b"\xfd7zXZ\0":
        return lzma.decompress(data.rstrip(b"\0"), lzma.FORMAT_XZ)  # Python knows no padding of 8 bytes
    return data


@dataclass(frozen=True)
class Archived:
    """One member of a tar archive. ``place``: where its own header lies."""

    name: bytes
    kind: bytes
    size: int
    link: bytes
    content: bytes
    place: int


def tar(data: bytes) -> list[Archived] | None:
    """Return the members of an archive as Python reads them, as far as it goes: it ends silently where it is lost."""
    found = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isreg() else None
                found.append(
                    Archived(
                        member.name.encode("utf-8", "surrogateescape"),
                        member.type,
                        member.size,
                        member.linkname.encode("utf-8", "surrogateescape"),
                        stream.read() if stream else b"",
                        member.offset_data - 512,
                    )
                )
    except (tarfile.TarError, ValueError, OverflowError, UnicodeError):
        return None
    return found
