"""Where contents wait between reading and writing: one unnamed temporary file, referred to by offset.

The file has no name, so nobody can put another in its place, and it is gone when the process is. Runs of zeros and the
holes of sparse files take no room in it.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from nitroctl.eif.tree import CHUNK
from nitroctl.errors import CannotAnswer
from nitroctl.safefile import cannot_read, cannot_write

_ZEROS: Final = bytes(CHUNK)


@dataclass(frozen=True, slots=True)
class Stored:
    """The content of one file. ``pieces``: offset in the content, offset in the spool, length; zeros between them."""

    size: int
    pieces: tuple[tuple[int, int, int], ...]
    spool: "Spool" = field(repr=False, compare=False)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in pieces of at most 1 MiB."""
        position = 0
        for offset, start, length in self.pieces:
            yield from _zeros(offset - position)
            yield from self.spool.read(start, length)
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
        """Yield ``length`` bytes from ``start`` on, in pieces of at most 1 MiB."""
        descriptor = self._stream.fileno()
        while length:
            try:
                piece = os.pread(descriptor, min(length, CHUNK), start)
            except OSError as error:
                raise cannot_read(self._where, error) from error
            if not piece:
                raise CannotAnswer(f"{self._where}: a temporary file lost its end", "file.unreadable")
            yield piece
            start, length = start + len(piece), length - len(piece)
