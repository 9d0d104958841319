"""Bytes of a ramdisk on their way to its reader: from the file, or out of a compressed stream inside it.

A :class:`Source` can be looked at before it is taken from, so that what follows decides how it is read, and what a
decompressor took too much of goes back. Memory is constant.
"""

from collections.abc import Callable
from typing import IO, Final, Protocol

from nitroctl.eif import compression
from nitroctl.errors import CannotAnswer

CHUNK: Final = 256 * 1024
_WINDOW: Final = 4096

#: What a compressed stream begins with, as Linux tells them apart.
COMPRESSIONS: Final = {
    b"\x1f\x8b": "gzip",
    b"\x1f\x9e": "gzip",
    b"BZ": "bzip2",
    b"\x5d\x00": "lzma",
    b"\xfd7": "xz",
    b"\x89L": "lzo",
    b"\x02\x21": "lz4",
    b"\x28\xb5": "zstd",
}


class Stop(Exception):
    """Nothing after this can be read; carries the offset and the clause for people."""

    def __init__(self, offset: int, text: str) -> None:
        super().__init__(text)
        self.offset = offset
        self.text = text


class Feed(Protocol):
    """Where a :class:`Source` gets its bytes."""

    def read(self, count: int) -> bytes:
        """Return some bytes, about ``count``; none at the end."""

    def skip(self, count: int) -> int:
        """Pass over at most ``count`` bytes without looking; return how many, 0 where they have to be read."""


class Part:
    """A part of a seekable file."""

    def __init__(self, stream: IO[bytes], start: int, size: int) -> None:
        self._stream = stream
        self._at = start
        self._end = start + size

    def read(self, count: int) -> bytes:
        """Return the next bytes of the part."""
        self._stream.seek(self._at)
        data = self._stream.read(min(count, self._end - self._at))
        self._at += len(data)
        return data

    def skip(self, count: int) -> int:
        """Pass over bytes without reading them."""
        passed = min(count, self._end - self._at)
        self._at += passed
        return passed


class Source:
    """Bytes with a position, that can be looked at before they are taken."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._held = b""
        self._next = 0
        self.position = 0

    def peek(self, count: int) -> bytes:
        """Return the next ``count`` bytes, fewer at the end, and leave them there."""
        while len(self._held) - self._next < count:
            more = self._feed.read(CHUNK)
            if not more:
                break
            self._held = self._held[self._next :] + more
            self._next = 0
        return self._held[self._next : self._next + count]

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes, fewer at the end; for small counts."""
        data = self.peek(count)
        self._advance(len(data))
        return data

    def piece(self, most: int) -> bytes:
        """Return the next bytes, at least one and at most ``most``; none at the end."""
        if self._next == len(self._held):
            self._held = self._feed.read(CHUNK)
            self._next = 0
        data = self._held[self._next : self._next + most]
        self._advance(len(data))
        return data

    def skip(self, count: int) -> int:
        """Pass over ``count`` bytes; return how many there were."""
        left = count
        while left:
            held = min(left, len(self._held) - self._next)
            self._advance(held)
            left -= held
            if not left:
                break
            passed = self._feed.skip(left)
            self.position += passed
            left -= passed
            if not passed and not self.peek(1):
                break
        return count - left

    def skip_zeros(self) -> None:
        """Pass over zero bytes."""
        while self.peek(1) == b"\0":
            window = self._held[self._next : self._next + _WINDOW]
            self._advance(len(window) - len(window.lstrip(b"\0")))

    def put_back(self, data: bytes) -> None:
        """Return bytes that were taken last and not used."""
        self._held = data + self._held[self._next :]
        self._next = 0
        self.position -= len(data)

    def _advance(self, count: int) -> None:
        self._next += count
        self.position += count


class Expanded:
    """What a compressed stream in a source expands to; the bytes after its end stay in the source.

    ``grown`` is called with the count of every piece, and of all of them so far. Raises Stop, when it is made, for a
    compression that cannot be read here.
    """

    def __init__(self, source: Source, name: str, grown: Callable[[int, int], None]) -> None:
        self._source = source
        self._expander = _expander(name, source.position)
        self._name = name
        self._grown = grown
        self._out = 0
        self._ended = False

    def read(self, count: int) -> bytes:
        """Return the next bytes that come out. Raises Stop where the stream is damaged or cut short."""
        while not self._ended:
            data = self._source.piece(CHUNK) if self._expander.needs_input else b""
            starved = self._expander.needs_input and not data
            try:
                out = self._expander.decompress(data, count)
            except Exception as error:
                if not compression.is_damage(error):
                    raise
                raise Stop(self._out, f"the {self._name} data is damaged: {error}") from error
            if self._expander.eof:
                self._ended = True
                self._source.put_back(self._expander.unused_data)
            if out:
                self._out += len(out)
                self._grown(len(out), self._out)
                return out
            if starved and not self._ended:
                raise Stop(self._out, f"the {self._name} data ends before its end")
        return b""

    def skip(self, count: int) -> int:  # noqa: ARG002  (compressed bytes have to be read)
        """Pass over nothing."""
        return 0


def _expander(name: str, at: int) -> compression.Unpacker:
    if name in ("lzo", "lz4"):
        raise Stop(at, f"compressed with {name}, which nitroctl does not read")
    try:
        return compression.unpacker(name, where="ramdisk")
    except CannotAnswer as error:
        raise Stop(at, f"compressed with {name}, and nothing that reads it is installed: {error.hints[0]}") from error
