"""Documents judged by several processes, answered in the order in which they came.

The only module that knows :mod:`multiprocessing`. A bounded number of portions is under way at a time, so memory does
not grow with the number of documents. No process outlives the answer: not after an interrupt, not when whoever asked
is killed. A process that dies is a fault of nitroctl's (exit status 70), never a verdict.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from nitroctl.errors import NitroctlError

if TYPE_CHECKING:
    from nitroctl.evidence.sources import Source

Answer = TypeVar("Answer")

#: What goes to a process: the fields of a source, with the width of its column.
_Sent = tuple[str, bytes | None, NitroctlError | None, int]

#: A portion: so many documents, or so many bytes of them.
_PORTION: Final = 64
_PORTION_BYTES: Final = 512 * 1024
#: Portions under way for each process: one it works on, one it can go on with, one whose answer is awaited.
_AHEAD: Final = 3
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Worker(Protocol[Answer]):
    """What judges documents, copied to each process, and how its answers come back from there.

    Plain tuples cost a tenth of what dataclasses do on the way.
    """

    def answer(self, source: "Source", width: int, /) -> Answer:
        """Judge what stands at ``source``; ``width``: of the column of names, for people."""

    def packed(self, answer: Answer, /) -> object:
        """Return an answer as it is sent."""

    def unpacked(self, sent: Any, /) -> Answer:  # noqa: ANN401  (what packed made of one)
        """Return the answer that was sent."""


class WorkerLost(Exception):
    """A process ended before it gave its answers."""


def answers(worker: Worker[Answer], items: "Iterable[tuple[Source, int]]", *, jobs: int) -> Iterator[Answer]:
    """Yield the worker's answer to each item, in their order, from ``jobs`` processes. Raises WorkerLost."""
    pool = ProcessPoolExecutor(jobs, mp_context=_context(), initializer=_begin, initargs=(worker,))
    under_way: deque[Future[list[object]]] = deque()
    try:
        for portion in _portions(items):
            with _signals_held():  # a process begins with them held, until it has said what to do with them
                under_way.append(pool.submit(_answer, portion))
            while under_way and (len(under_way) >= jobs * _AHEAD or under_way[0].done()):
                yield from map(worker.unpacked, under_way.popleft().result())
        while under_way:
            yield from map(worker.unpacked, under_way.popleft().result())
    except BrokenProcessPool as error:
        raise WorkerLost("a process that judged documents ended before it gave its answers") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _portions(items: "Iterable[tuple[Source, int]]") -> Iterator[list[_Sent]]:
    portion: list[_Sent] = []
    size = 0
    for source, width in items:
        portion.append((source.name, source.raw, source.fault, width))
        size += len(source.raw or b"")
        if len(portion) >= _PORTION or size >= _PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _context() -> multiprocessing.context.BaseContext:
    """Return how processes begin: as copies where that is safe, for they need not import everything again.

    A copy of a process with threads can hang on a lock that a thread held; macOS's libraries start threads themselves.
    """
    copies = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if copies else "spawn")


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: Worker[Any] | None = None


def _begin(worker: Worker[Any]) -> None:
    """Begin a process: who asked decides what an interrupt means, and its end is the end of this process too."""
    global _worker  # noqa: PLW0603  (a process has one)
    _worker = worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(portion: list[_Sent]) -> list[object]:
    from nitroctl.evidence.sources import Source

    if _worker is None:
        raise WorkerLost("a process was asked before it began")
    return [_worker.packed(_worker.answer(Source(name, raw, fault), width)) for name, raw, fault, width in portion]
