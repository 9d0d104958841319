"""What a kernel section holds: the kind of file, the version it says it is, the processor it is for.

The bytes are measured, so what stands here is as sure as PCR1; but a kernel says of itself what its builder made it
say. Nothing is executed or unpacked to disk, and a file that is none of the known kinds is an answer.
Source: Linux, Documentation/arch/x86/boot.rst, Documentation/arch/arm64/booting.rst, drivers/firmware/efi/libstub
(zboot header); ELF, System V ABI.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO, Final

UNKNOWN: Final = "unknown"
_CHUNK: Final = 1024 * 1024
#: What a compressed kernel is unpacked to at most, looking for its version.
EXPANDED_LIMIT: Final = 256 * 1024 * 1024
_TEXT_LIMIT: Final = 512
#: What a kernel begins with when it boots: ``Linux version 6.12.9 (builder@host) (compiler) #1 SMP date``.
_BANNER: Final = re.compile(rb"Linux version (\d[\x21-\x7e]{0,127}) ([\x20-\x7e]{1,384})")
_OVERLAP: Final = 2 * _TEXT_LIMIT

_BOOT_FLAG: Final = (0x1FE, b"\x55\xaa")
_SETUP_HEADER: Final = (0x202, b"HdrS")
_SECTOR: Final = 512
_DEFAULT_SETUP_SECTORS: Final = 4
_LOADED_HIGH: Final = 0x01
_KERNEL_64: Final = 0x01
_HAS_PAYLOAD: Final = 0x0208
_HAS_XLOADFLAGS: Final = 0x020C
_ARM64: Final = (0x38, b"ARM\x64")
_MACHINES: Final = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64"}
_PAYLOADS: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\x5d\x00\x00": "lzma",
    b"\xfd7zXZ": "xz",
    b"\x89LZO": "lzo",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x7fELF": "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What a kernel file says it is; everything but ``format`` is empty where it cannot be told.

    ``format``: ``bzImage``, ``zImage``, ``arm64 Image``, ``gzip arm64 Image``, ``EFI zboot``, ``ELF``, or ``unknown``.
    ``version``: the release, ``6.12.9-cloud-amd64``. ``banner``: release, builder and build number in one line.
    ``architecture``: ``x86_64``, ``aarch64`` … ``compression``: of the kernel inside. ``protocol``: of the x86 boot
    header, ``2.15``.
    """

    format: str = UNKNOWN
    version: str = ""
    banner: str = ""
    architecture: str = ""
    compression: str = ""
    protocol: str = ""


def identify(stream: IO[bytes], start: int, size: int) -> Kernel:
    """Return what the kernel in ``size`` bytes of ``stream`` from ``start`` is; OSError passes through."""
    head = next(_pieces(stream, start, min(size, _CHUNK)), b"")
    if _stands(head, *_BOOT_FLAG) and _stands(head, *_SETUP_HEADER):
        return _x86(head, stream, start, size)
    if head[:4] == b"MZ\0\0" and head[4:8] == b"zimg":
        return _zboot(head)
    if head[:2] == b"\x1f\x8b":
        return _gzip(_pieces(stream, start, size))
    return _plain(head, _pieces(stream, start, size))


def _plain(head: bytes, pieces: Iterator[bytes]) -> Kernel:
    """Identify a kernel that is not compressed and has its version somewhere in its data."""
    if _stands(head, *_ARM64):
        found = Kernel(format="arm64 Image", architecture="aarch64", compression="none")
    elif head[:4] == b"\x7fELF" and len(head) >= _SECTOR // 8:
        order = ">" if head[5:6] == b"\x02" else "<"
        machine = struct.unpack_from(f"{order}H", head, 18)[0]
        found = Kernel(format="ELF", architecture=_MACHINES.get(machine, f"machine {machine}"), compression="none")
    else:
        return Kernel()
    return _with_banner(found, _search(pieces))


def _x86(head: bytes, stream: IO[bytes], start: int, size: int) -> Kernel:
    """Identify a kernel by the header of the x86 boot protocol, which points at the version."""
    protocol, pointer = _number(head, 0x206, 2), _number(head, 0x20E, 2)
    found = Kernel(
        format="bzImage" if _number(head, 0x211, 1) & _LOADED_HIGH else "zImage",
        protocol=f"{protocol >> 8}.{protocol & 0xFF:02d}",
    )
    if protocol >= _HAS_XLOADFLAGS:
        architecture = "x86_64" if _number(head, 0x236, 2) & _KERNEL_64 else "i386"
        found = replace(found, architecture=architecture)
    if protocol >= _HAS_PAYLOAD:
        sectors = 1 + (_number(head, 0x1F1, 1) or _DEFAULT_SETUP_SECTORS)
        at = sectors * _SECTOR + _number(head, 0x248, 4)
        if at < size:
            stream.seek(start + at)
            found = replace(found, compression=_payload(stream.read(min(8, size - at))))
    if not pointer:
        return found
    banner = _text(head[_SECTOR + pointer :][:_TEXT_LIMIT].split(b"\0", 1)[0])
    return replace(found, version=banner.split(" ", 1)[0], banner=banner)


def _zboot(head: bytes) -> Kernel:
    """Identify the EFI program that unpacks a kernel: its header names the compression, and no version."""
    compression = _text(head[24:56].split(b"\0", 1)[0])
    at = _number(head, 0x3C, 4)
    machine = {0xAA64: "aarch64", 0x8664: "x86_64"}.get(_number(head, at + 4, 2), "")
    return Kernel(format="EFI zboot", architecture=machine, compression=compression)


def _gzip(pieces: Iterator[bytes]) -> Kernel:
    unpacked = _unpacked(pieces)
    head = b""
    while len(head) < _SECTOR and (piece := next(unpacked, b"")):
        head += piece
    inside = _plain(head, chain([head], unpacked))
    if inside.format == UNKNOWN:
        return Kernel(compression="gzip")
    return replace(inside, format=f"gzip {inside.format}", compression="gzip")


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what a gzip stream holds, as far as it goes and up to a bound."""
    expander = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    total = 0
    for piece in pieces:
        data = piece
        while data and not expander.eof:
            try:
                out = expander.decompress(data, _CHUNK)
            except zlib.error:
                return
            total += len(out)
            if total > EXPANDED_LIMIT:
                return
            yield out
            data = expander.unconsumed_tail


def _search(pieces: Iterator[bytes]) -> bytes:
    """Return the first banner in the pieces, or nothing."""
    kept = b""
    for piece in pieces:
        window = kept + piece
        # a banner that the piece cuts short is looked at again with the next one
        for match in _BANNER.finditer(window):
            if match.end() < len(window):
                return match[1] + b" " + match[2]
        kept = window[-_OVERLAP:]
    last = _BANNER.search(kept)
    return last[1] + b" " + last[2] if last else b""


def _with_banner(kernel: Kernel, banner: bytes) -> Kernel:
    text = _text(banner)
    return replace(kernel, version=text.split(" ", 1)[0], banner=text)


def _pieces(stream: IO[bytes], start: int, size: int) -> Iterator[bytes]:
    at, left = start, size
    while left:
        stream.seek(at)
        piece = stream.read(min(left, _CHUNK))
        if not piece:
            return
        yield piece
        at += len(piece)
        left -= len(piece)


def _stands(head: bytes, offset: int, mark: bytes) -> bool:
    return head[offset : offset + len(mark)] == mark


def _number(head: bytes, offset: int, width: int) -> int:
    return int.from_bytes(head[offset : offset + width], "little")


def _payload(start: bytes) -> str:
    return next((name for mark, name in _PAYLOADS.items() if start.startswith(mark)), "")


def _text(data: bytes) -> str:
    return data.decode("ascii", "backslashreplace").strip()
