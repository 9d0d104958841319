"""Compressed layers and archives, unpacked as they are read: bounded memory, and a broken end is an error.

What a stream is packed with is told by its first bytes: media types and file names only claim it. gzip, bzip2 and xz
come with Python; zstd with Python 3.14 or the package ``zstandard``. Source: RFC 1952, RFC 8878.
"""

import bz2
import importlib
import io
import lzma
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from nitroctl.errors import CannotAnswer

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]  # 3.12

_READ: Final = 1 << 18
#: xz -9 needs 65 MiB, zstd without --long and gzip less.
_MEMORY: Final = 128 << 20
_WINDOW_LOG: Final = 27
#: More than this many bytes out of one, beyond the first GiB, is a bomb.
_RATIO: Final = 200
_RATIO_FROM: Final = 1 << 30

_MAGICS: Final = {
    b"\x1f\x8b\x08": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
}
_LONGEST_MAGIC: Final = 6
_SKIPPED: Final = (
    b"\x2a\x4d\x18"  # after a byte 50 to 5f: a zstd frame without content, as zstd:chunked layers end with
)


def compression(start: bytes) -> str:
    """Return what a stream that begins with ``start`` is packed with: gzip, zstd, xz, bzip2, or "" for nothing."""
    if start[1:4] == _SKIPPED and start[0] & 0xF0 == 0x50:  # noqa: PLR2004  (RFC 8878 3.1.2)
        return "zstd"
    return next((name for magic, name in _MAGICS.items() if start.startswith(magic)), "")


class Unpacker(Protocol):
    """What Python's decompressor objects have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out before more goes in."""

    @property
    def unused_data(self) -> bytes:
        """What was put in after the end of the stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most ``max_length`` bytes of what ``data``, and what was held back, unpacks to."""


class _Gzip:
    """zlib's object in the form of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._rest = b""
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._inner.decompress(self._rest + data if self._rest else data, max_length)
        self._rest = self._inner.unconsumed_tail
        self.needs_input = not self._rest and len(piece) < max_length
        return piece


class Unpacked(io.RawIOBase):
    """What a packed stream unpacks to, forward only. Several members or frames in a row are one content."""

    def __init__(self, packed: io.BufferedIOBase, name: str, make: Callable[[], Unpacker], where: str) -> None:
        self._packed, self._name, self._make, self._where = packed, name, make, where
        self._member = make()
        self._taken = self._given = 0
        self._ended = False

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: "Buffer") -> int:
        """Fill ``buffer`` as far as one step goes. Raises CannotAnswer ``eif.source-compression``."""
        view = memoryview(buffer).cast("B")
        while not self._ended:
            piece = self._step(len(view))
            if piece:
                view[: len(piece)] = piece
                self._count(len(piece))
                return len(piece)
        return 0

    def _step(self, most: int) -> bytes:
        if self._member.eof:
            self._next_member()
            return b""
        data = b""
        if self._member.needs_input:
            data = self._read()
            if not data:
                raise self._fault("ends in the middle")
        try:
            return self._member.decompress(data, most)
        except Exception as error:
            if not is_damage(error):
                raise
            raise self._fault(f"damaged: {error}") from error

    def _read(self) -> bytes:
        data = self._packed.read(_READ)
        self._taken += len(data)
        return data

    def _next_member(self) -> None:
        """Go on after the end of a member: another member, padding of zeros, or the end."""
        rest = self._member.unused_data
        while len(rest) < _LONGEST_MAGIC:
            more = self._read()
            if not more:
                break
            rest += more
        if compression(rest) == self._name:
            self._member = self._make()
            self._packed = _Pushed(rest, self._packed)
            self._taken -= len(rest)
            return
        while rest:
            if rest.strip(b"\0"):
                raise self._fault("has other bytes after its end")
            rest = self._read()
        self._ended = True

    def _count(self, size: int) -> None:
        self._given += size
        if self._given > _RATIO_FROM and self._given > _RATIO * self._taken:
            raise CannotAnswer(
                f"{self._where}: unpacks to more than {_RATIO} times its size",
                "eif.source-limit",
                ["unpack it yourself if that is meant"],
            )

    def _fault(self, what: str) -> CannotAnswer:
        return CannotAnswer(f"{self._where}: {self._name} data {what}", "eif.source-compression")


class _Pushed(io.BufferedIOBase):
    """A stream with bytes put back before it."""

    def __init__(self, start: bytes, rest: io.BufferedIOBase) -> None:
        self._start, self._rest = start, rest

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the bytes put back, then the others."""
        if self._start:
            start, self._start = self._start, b""
            return start
        return self._rest.read(size)


def unpacked(stream: "io.BufferedReader[Any]", *, where: str) -> "io.BufferedReader[Any]":
    """Return the content of ``stream``, unpacked when its first bytes say that it is packed.

    Raises CannotAnswer ``eif.source-compression``, ``eif.source-limit`` (a bomb) here or when it is read, and
    ``eif.source-zstd`` when nothing that reads zstd is installed.
    """
    name = compression(stream.peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC])
    if not name:
        return stream
    return io.BufferedReader(Unpacked(stream, name, lambda: unpacker(name, where=where), where), _READ)


def unpacker(name: str, *, where: str) -> Unpacker:
    """Return an unpacker of one gzip, bzip2, xz, lzma or zstd stream, which takes bounded memory.

    It raises an exception of its library for damaged data, which :func:`is_damage` knows. Raises
    CannotAnswer ``eif.source-zstd`` when nothing that reads zstd is installed.
    """
    makers: dict[str, Callable[[], Unpacker]] = {
        "gzip": _Gzip,
        "bzip2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY),
        "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY),
        "zstd": lambda: _zstd(where),
    }
    return makers[name]()


def is_damage(error: Exception) -> bool:
    """Whether an unpacker raised ``error`` for what it was given: zstd's class depends on where its reader is from."""
    return isinstance(error, (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)) or (
        type(error).__name__ == "ZstdError"
    )


def _zstd(where: str) -> Unpacker:
    """Return an unpacker of one zstd frame. Raises CannotAnswer ``eif.source-zstd``."""
    try:
        module: Any = importlib.import_module("compression.zstd")
    except ImportError:
        return _Zstandard(where)
    unpacker: Unpacker = module.ZstdDecompressor(options={module.DecompressionParameter.window_log_max: _WINDOW_LOG})
    return unpacker


class _Zstandard:
    """One zstd frame through the package ``zstandard``, which is given a block at a time.

    A block unpacks to 128 KiB at most, so memory stays bounded where the package itself knows no bound; and as the
    blocks are counted, the end of the frame is known and a missing one is noticed. Source: RFC 8878 3.1.
    """

    def __init__(self, where: str) -> None:
        try:
            module: Any = importlib.import_module("zstandard")
        except ImportError as error:
            raise CannotAnswer(
                f"{where}: packed with zstd, and nothing that reads it is installed",
                "eif.source-zstd",
                ["pip install 'nitroctl[zstd]'", "or pack the layers with gzip"],
            ) from error
        self._module = module
        self._inner: Any = module.ZstdDecompressor(max_window_size=1 << _WINDOW_LOG).decompressobj()
        self._input, self._at = b"", 0
        self._output, self._given = b"", 0
        self._next: Callable[[], int | None] = self._header
        self._skip = 0
        self._checksum = 0
        self.eof = False
        self.needs_input = True

    @property
    def unused_data(self) -> bytes:
        return self._input[self._at :]

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._input, self._at = self._input[self._at :] + data, 0
        while self._given == len(self._output):
            size = None if self.eof else self._next()
            if size is None:
                self.needs_input = True
                return b""
            self._output, self._given = self._inner.decompress(self._input[self._at : self._at + size]), 0
            self._at += size
        self.needs_input = False
        piece = self._output[self._given : self._given + max_length]
        self._given += len(piece)
        return piece

    def _header(self) -> int | None:
        """Return the size of the frame header, None while it is not there whole; go on with the blocks."""
        start = self._input[self._at : self._at + 18]
        if start[1:4] == _SKIPPED:
            if len(start) < 8:  # noqa: PLR2004  (magic and size)
                return None
            self._skip = 8 + int.from_bytes(start[4:8], "little")
            self._next = self._skipped
            return self._skipped()
        try:
            size: int = self._module.frame_header_size(start)
            whole = len(start) >= size
            self._checksum = 4 * self._module.get_frame_parameters(start).has_checksum if whole else 0
        except self._module.ZstdError:
            if len(start) == 18:  # noqa: PLR2004  (no header is longer)
                raise
            return None
        if not whole:
            return None
        self._next = self._block
        return size

    def _skipped(self) -> int | None:
        """Pass over a frame without content."""
        step = min(self._skip, len(self._input) - self._at)
        self._at, self._skip = self._at + step, self._skip - step
        self.eof = not self._skip
        return None

    def _block(self) -> int | None:
        """Return the size of the next block with its header, None while it is not there whole."""
        head = int.from_bytes(self._input[self._at : self._at + 3], "little")
        repeated = head >> 1 & 3 == 1
        size = 3 + (1 if repeated else head >> 3) + (self._checksum if head & 1 else 0)
        if len(self._input) - self._at < max(size, 3):
            return None
        if head & 1:
            self._next = self._end
        return size

    def _end(self) -> int | None:
        if not self._inner.eof:
            raise self._module.ZstdError("the frame does not end with its last block")
        self.eof = True
        return None
