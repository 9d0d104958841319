"""One reading of a file for several digests at once: a lane for each digest, and threads that serve the lanes.

A digest takes its bytes in order, so no single one can be shared out; different digests of the same bytes can be made
side by side, because hashlib and zlib give up the interpreter's lock while they work. The file is read once, piece by
piece, by one thread at a time. Every lane is a queue of pieces; a thread that has nothing to do takes the oldest piece
of a lane that no other thread is in. So all processors are busy to the end whatever the digests cost, each lane sees
its bytes in file order, and memory is that of a few pieces.
"""

import contextlib
import mmap
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Final, NamedTuple

#: What a lane does with a piece of data, which is overwritten after the call.
Taker = Callable[[memoryview], object]

#: Bytes of a piece: for several threads, and for one alone, in whose processor's own cache it stays.
PIECE: Final = 1024 * 1024
_ALONE: Final = 256 * 1024
#: Buffers are used in turn, and most of them rest: what another processor has just read is still in its cache, and
#: the kernel writes over that at a quarter of the speed.
_BUFFERS: Final = 16
_RESTING: Final = 12
#: Below this many bytes, threads take nearly as long to start as they save.
_WORTH_THREADS: Final = 8 * 1024 * 1024


class Shortened(Exception):
    """The file ended before the bytes that it had when its headers were read."""


class Span(NamedTuple):
    """``length`` bytes of the file from ``start``, and by lane what takes them; nothing reads a span without takers."""

    start: int
    length: int
    takers: Mapping[str, Taker]


def feed(stream: IO[bytes], spans: Sequence[Span]) -> None:
    """Read ``spans`` of ``stream``, in their order, and give each to its takers.

    Takers of one lane are called one at a time and in order, those of different lanes perhaps at the same time, and
    all of them perhaps in other threads. When this returns, or raises, no thread is left. Raises :class:`Shortened`,
    and passes on OSError and what a taker raises.
    """
    wanted = [span for span in spans if span.length and span.takers]
    length = sum(span.length for span in wanted)
    lanes = {lane for span in wanted for lane in span.takers}
    threads = min(_processors(), len(lanes) + 1) if length >= _WORTH_THREADS else 1
    if threads == 1:
        _feed_alone(stream, wanted)
    else:
        _Crew(stream, wanted, lanes).work(threads)


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cut(spans: Sequence[Span], size: int) -> Iterator[Span]:
    """Return the spans cut where the file's offset is a multiple of ``size``, that of a buffer."""
    for span in spans:
        start, left = span.start, span.length
        while left:
            length = min(left, size - start % size)
            yield Span(start, length, span.takers)
            start, left = start + length, left - length


def _read(stream: IO[bytes], piece: Span, buffer: memoryview) -> memoryview:
    """Return the bytes of ``piece``, in a part of ``buffer``.

    They lie there as in the kernel's pages if the buffer begins with one: current processors copy from byte 0 of a page
    to byte 16 of another, where malloc's memory begins, at half the speed (glibc bug 30994).
    """
    data = buffer[piece.start % len(buffer) :][: piece.length]
    stream.seek(piece.start)
    done = 0
    while done < len(data):
        count = stream.readinto(data[done:])  # type: ignore[attr-defined]  # IO[bytes] lacks it
        if not count:
            raise Shortened
        done += count
    return data


def _feed_alone(stream: IO[bytes], spans: Sequence[Span]) -> None:
    """Do everything in this thread."""
    buffer = memoryview(bytearray(_ALONE))
    for piece in _cut(spans, _ALONE):
        data = _read(stream, piece, buffer)
        for take in piece.takers.values():
            take(data)


@dataclass(slots=True)
class _Piece:
    """A piece that was read. ``waiting``: how many lanes have not taken it yet; then its buffer is free again."""

    number: int
    buffer: memoryview
    data: memoryview
    takers: Mapping[str, Taker]
    waiting: int


class _Crew:
    """Threads that read the spans and serve the lanes together, the calling thread among them."""

    def __init__(self, stream: IO[bytes], spans: Sequence[Span], lanes: set[str]) -> None:
        import threading  # noqa: PLC0415  (only large files need it)

        self._stream = stream
        self._failure: BaseException | None = None
        #: Guards what follows. The bytes in a buffer belong to the thread that reads them, then to their takers.
        self._changed = threading.Condition()
        self._unread = _cut(spans, PIECE)
        self._read = 0
        self._reading = self._ended = False
        self._free = deque(memoryview(mmap.mmap(-1, PIECE)) for _ in range(_BUFFERS))
        self._lanes: dict[str, deque[_Piece]] = {lane: deque() for lane in lanes}
        self._entered: set[str] = set()  # the lanes that some thread is in
        self._new_thread = threading.Thread

    def work(self, threads: int) -> None:
        """Do everything with so many threads, or fewer if no more can be had."""
        others = [self._new_thread(target=self._serve, daemon=True) for _ in range(threads - 1)]
        try:
            with contextlib.suppress(RuntimeError):  # a limit on threads
                for thread in others:
                    thread.start()
            self._serve()
        except BaseException as error:  # noqa: BLE001  (an interrupt; raised again below)
            self._fail(error)
        finally:
            for thread in others:
                with contextlib.suppress(RuntimeError):  # it has not begun, and would find nothing to do
                    thread.join()
        if self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        """Do one job after the other until there is none left or one has failed."""
        try:
            while (job := self._next()) is not None:
                job()
        except BaseException as error:  # noqa: BLE001  (the calling thread raises it)
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        """Return the next job, None when there will be no more; wait while others do all that can be done."""
        with self._changed:
            while self._failure is None:
                if len(self._free) > _RESTING and not (self._reading or self._ended):
                    self._reading = True
                    return partial(self._read_into, self._free.popleft())
                open_lanes = [lane for lane, queue in self._lanes.items() if queue and lane not in self._entered]
                if open_lanes:
                    lane = min(open_lanes, key=lambda lane: self._lanes[lane][0].number)
                    self._entered.add(lane)
                    return partial(self._take, lane, self._lanes[lane].popleft())
                if self._ended and not any(self._lanes.values()):
                    return None
                self._changed.wait()
            return None

    def _read_into(self, buffer: memoryview) -> None:
        span = next(self._unread, None)
        data = _read(self._stream, span, buffer) if span else None
        with self._changed:
            self._reading = False
            if span and data:
                piece = _Piece(self._read, buffer, data, span.takers, len(span.takers))
                self._read += 1
                for lane in span.takers:
                    self._lanes[lane].append(piece)
            self._ended = span is None
            self._changed.notify_all()

    def _take(self, lane: str, piece: _Piece) -> None:
        piece.takers[lane](piece.data)
        with self._changed:
            self._entered.discard(lane)
            piece.waiting -= 1
            if not piece.waiting:
                self._free.append(piece.buffer)
            self._changed.notify_all()
