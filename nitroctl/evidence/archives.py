"""Documents in tar archives, read onwards only and never unpacked.

The library reads the headers; it ends quietly where an archive is damaged, keeps what it has seen, and believes the
sizes it is told. So it reads through a stream of ours that goes nowhere but on, hands out headers in small pieces,
stops where compressed data swells, and knows at the end whether the archive ended or broke off.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final, cast

from nitroctl.evidence.container import MAX_FILE
from nitroctl.evidence.sources import (
    ARCHIVES,
    Source,
    empty,
    fault,
    is_lines,
    lines,
    not_regular,
)

_GZIP: Final = b"\x1f\x8b"
_BLOCK: Final = tarfile.BLOCKSIZE
#: A header, with the long names and attributes that may belong to it.
_MAX_HEADER: Final = 64 * 1024
#: What an archive may swell to whatever its size, and how many times its size beyond that: documents are mostly
#: signatures and certificates, which do not compress.
_ALWAYS_EXPANDED: Final = 64 * 1024 * 1024
_MAX_RATIO: Final = 200
_CHUNK: Final = 64 * 1024
#: All headers up to a member's content, which the library holds: the map of a sparse file has as many as it likes.
_MAX_HEADERS: Final = 1024 * 1024
#: Zeros after the end mark, which tar writes to fill a record: of 10 KiB, of 1 MiB where someone asks for it. A sparse
#: file can have them without end.
_MAX_FILLING: Final = 16 * 1024 * 1024
_MARK: Final = b"\0" * _BLOCK
#: What the library raises over damaged archives and compressed data.
_DAMAGE: Final = (
    tarfile.TarError,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    ArithmeticError,
    LookupError,
)
_AGAIN: Final = ("copy the archive again, whole",)


class _Broken(Exception):
    """The archive cannot be read on; the message says why."""


class _Onward:
    """What :mod:`tarfile` reads from: a stream that can only go on."""

    def __init__(self, stream: IO[bytes], compressed: IO[bytes] | None) -> None:
        self._stream = stream
        self._compressed = compressed
        self._position = 0
        self.last = b""  # what was read last
        self.headers = 0  # bytes of headers since the last member

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        """Return the next bytes of a header. Raises _Broken."""
        if not 0 <= size <= _MAX_HEADER:
            raise _Broken(f"a header at byte {self._position} claims to have {size} bytes")
        self.headers += size
        if self.headers > _MAX_HEADERS:
            raise _Broken("its headers do not end")
        self.last = self.content(size)
        return self.last

    def content(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer at the end. Raises _Broken."""
        content = self._stream.read(size)
        self._position += len(content)
        if self._compressed and self._position > max(_ALWAYS_EXPANDED, _MAX_RATIO * self._compressed.tell()):
            raise _Broken(f"it expands to more than {_MAX_RATIO} times its size")
        return content

    def seek(self, position: int) -> None:
        """Go on to ``position``. Raises _Broken when that is not onwards."""
        if position < self._position:
            raise _Broken(f"a header before byte {self._position} points back")
        if self._compressed is None:
            self._stream.seek(position)
            self._position = position
            return
        while self._position < position:
            if not self.content(min(_CHUNK, position - self._position)):
                return

    def must_be_over(self) -> None:
        """Raise _Broken unless the end-of-archive mark was read and nothing follows it but zeros."""
        if self.last != _MARK:
            how = "is damaged" if len(self.last) == _BLOCK else "ends without an end mark"
            raise _Broken(f"it {how} at byte {self._position - len(self.last)}; what follows is not read")
        end = self._position + _MAX_FILLING
        while rest := self.content(_CHUNK):
            if rest.count(0) != len(rest):
                raise _Broken("something follows its end mark, and is not read")
            if self._position > end:
                raise _Broken(f"more than {_MAX_FILLING} zeros follow its end mark; what follows them is not read")


def members(name: str, stream: IO[bytes]) -> Iterator[Source]:
    """Yield what the members of the tar archive in ``stream`` (seekable, at its start) hold. Never raises."""
    found = False
    try:
        for source in _members(name, stream):
            found = True
            yield source
        if not found:
            yield empty(name, "there is no document: the archive has no files")
    except _Broken as error:
        yield fault(name, f"the archive cannot be read on: {error}", "evidence.unreadable", _AGAIN)
    except RecursionError:
        yield fault(name, "the archive cannot be read on: its headers do not end", "evidence.unreadable", _AGAIN)
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        yield fault(name, f"the archive cannot be read on: {reason}", "evidence.unreadable", _AGAIN)


def _members(name: str, stream: IO[bytes]) -> Iterator[Source]:
    compressed = stream.read(len(_GZIP)) == _GZIP
    stream.seek(0)
    onward = _Onward(cast("IO[bytes]", gzip.GzipFile(fileobj=stream)), stream) if compressed else _Onward(stream, None)
    archive: Any = tarfile.TarFile(fileobj=cast("IO[bytes]", onward))
    while (member := archive.next()) is not None:
        onward.headers = 0
        archive.members.clear()  # or it would remember every one
        archive.pax_headers.clear()
        yield from _member(f"{name}!{member.name}", member, onward)
    onward.must_be_over()


def _member(name: str, member: tarfile.TarInfo, onward: _Onward) -> Iterator[Source]:
    """Yield the documents in one member; directories hold none."""
    if member.size < 0:
        raise _Broken(f"a header before byte {onward.tell()} points back")
    if member.isdir():
        return
    if not member.isreg() or member.issparse():
        yield not_regular(name, hint="put a copy of the file itself into the archive")
        return
    lower = member.name.lower()
    if lower.endswith(ARCHIVES):
        yield fault(name, "an archive in an archive is not read", "evidence.unreadable", ["unpack the outer one"])
    elif is_lines(name):
        yield from lines(name, io.BufferedReader(_Part(onward, member.size)))
    else:
        size = min(member.size, MAX_FILE + 1)
        raw = onward.content(size)
        if len(raw) < size:
            raise _Broken(f"it is cut off in {member.name}")
        yield Source(name, raw) if raw else empty(name)


class _Part(io.RawIOBase):
    """The next ``size`` bytes of an archive. Raises _Broken when they are not there."""

    def __init__(self, onward: _Onward, size: int) -> None:
        self._onward = onward
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer, in its stub
        piece = self._onward.content(min(len(buffer), self._left))
        if self._left and not piece:
            raise _Broken(f"it is cut off {self._left} bytes before the end of a member")
        self._left -= len(piece)
        buffer[: len(piece)] = piece
        return len(piece)
