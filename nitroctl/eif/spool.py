"""Where contents wait between reading and writing: one unnamed temporary file, referred to by offset.

The file has no name, so nobody can put another in its place, and it is gone when the process is. Runs of zeros and the
holes of sparse files take no room in it.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Final, Protocol

from nitroctl.eif.tree import CHUNK
from nitroctl.errors import CannotAnswer
from nitroctl.safefile import cannot_read, cannot_write

_ZEROS: Final = bytes(CHUNK)


class Bytes(Protocol):
    """What contents are kept in."""

    def read(self, start: int, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``start`` on, in pieces of at most 1 MiB."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The content of one file. ``pieces``: offset in the content, offset in what keeps it, length; else zeros."""

    size: int
    pieces: tuple[tuple[int, int, int], ...]
    keeper: Bytes = field(repr=False, compare=False)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in pieces of at most 1 MiB."""
        position = 0
        for offset, start, length in self.pieces:
            yield from _zeros(offset - position)
            yield from self.keeper.read(start, length)
            position = offset + length
        yield from _zeros(self.size - position)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        piece = _ZEROS[:count]
        yield piece
        count -= len(piece)


class Spool:
    """The temporary file. ``directory``: where it lies (None: the system's place); closed with ``owned``."""

    def __init__(self, owned: ExitStack, directory: str | None) -> None:
        self._where = directory or tempfile.gettempdir()
        try:
            made = tempfile.TemporaryFile(dir=directory, buffering=CHUNK)  # noqa: SIM115  (closed with the tree)
        except OSError as error:
            raise cannot_write(self._where, error) from error
        self._stream = owned.enter_context(made)
        self._end = 0

    def store(self, chunks: Iterator[bytes], size: int, segments: Sequence[tuple[int, int]] | None = None) -> Stored:
        """Keep what ``chunks`` yields as a content of ``size`` bytes.

        ``segments``: offset and length of the parts of a sparse content that ``chunks`` yields, in rising order;
        without them it yields the whole. Raises CannotAnswer ``file.unwritable`` when the disk is full.
        """
        pieces: list[tuple[int, int, int]] = []
        waiting = iter(segments if segments is not None else ((0, size),))
        position, room = next(waiting, (0, 0))
        for chunk in chunks:
            left = memoryview(chunk)
            while left:
                while not room:
                    position, room = next(waiting)
                part = left[:room]
                self._keep(part, position, pieces)
                left, position, room = left[len(part) :], position + len(part), room - len(part)
        return Stored(size, tuple(pieces), self)

    def _keep(self, part: memoryview, position: int, pieces: list[tuple[int, int, int]]) -> None:
        if len(part) == CHUNK and part == _ZEROS:
            return
        try:
            self._stream.write(part)
        except OSError as error:
            raise cannot_write(self._where, error) from error
        if pieces and pieces[-1][0] + pieces[-1][2] == position and pieces[-1][1] + pieces[-1][2] == self._end:
            offset, start, length = pieces[-1]
            pieces[-1] = (offset, start, length + len(part))
        else:
            pieces.append((position, self._end, len(part)))
        self._end += len(part)

    def finish(self) -> None:
        """Make what was stored readable. Raises CannotAnswer ``file.unwritable``."""
        try:
            self._stream.flush()
        except OSError as error:
            raise cannot_write(self._where, error) from error

    def read(self, start: int, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``start`` on, in pieces of at most 1 MiB. Raises CannotAnswer ``file.*``."""
        for piece in _read(self._stream.fileno(), start, length, self._where):
            if not piece:
                raise CannotAnswer(f"{self._where}: a temporary file lost its end", "file.unreadable")
            yield piece


class Unmoved:
    """An archive whose contents are read where they lie, as long as it is the file that was looked at."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self._descriptor, self._where = stream.fileno(), where
        self._listed = self._state()

    def store(self, start: int, size: int, segments: Sequence[tuple[int, int]] | None) -> Stored:
        """Return the content that is stored from ``start`` on; ``segments`` as in :meth:`Spool.store`."""
        pieces = []
        for offset, length in segments if segments is not None else ((0, size),):
            if length:
                pieces.append((offset, start, length))
            start += length
        return Stored(size, tuple(pieces), self)

    def read(self, start: int, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``start`` on. Raises CannotAnswer ``eif.source-changed``, ``file.unreadable``."""
        self._check()
        for piece in _read(self._descriptor, start, length, self._where):
            if not piece:
                break
            yield piece
        self._check()

    def _check(self) -> None:
        if self._state() != self._listed:
            raise CannotAnswer(f"{self._where}: changed while it was read", "eif.source-changed")

    def _state(self) -> tuple[int, int]:
        found = os.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns


def _read(descriptor: int, start: int, length: int, where: str) -> Iterator[bytes]:
    """Yield pieces of at most 1 MiB; an empty one where the file ends too early, and then no more."""
    while length:
        try:
            piece = os.pread(descriptor, min(length, CHUNK), start)
        except OSError as error:
            raise cannot_read(where, error) from error
        yield piece
        if not piece:
            return
        start, length = start + len(piece), length - len(piece)
