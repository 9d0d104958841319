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
from typing import TYPE_CHECKING, Final

from nitroctl.cli.attest_line import Clerk, Line
from nitroctl.errors import NitroctlError

if TYPE_CHECKING:
    from nitroctl.evidence.sources import Source

#: What goes to a process and comes back: the fields of a source with the width of its column, and those of a Line.
#: Plain tuples cost a tenth of what dataclasses do on the way.
_Sent = tuple[str, bytes | None, NitroctlError | None, int]
_Returned = tuple[object, ...]

#: A portion: so many documents, or so many bytes of them.
_PORTION: Final = 64
_PORTION_BYTES: Final = 512 * 1024
#: Portions under way for each process: one it works on, one it can go on with, one whose answer is awaited.
_AHEAD: Final = 3
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class WorkerLost(Exception):
    """A process ended before it gave its answers."""


def answers(clerk: Clerk, items: "Iterable[tuple[Source, int]]", *, jobs: int) -> Iterator[Line]:
    """Yield the clerk's answer to each item, in their order, from ``jobs`` processes. Raises WorkerLost."""
    pool = ProcessPoolExecutor(jobs, mp_context=_context(), initializer=_begin, initargs=(clerk,))
    under_way: deque[Future[list[_Returned]]] = deque()
    try:
        for portion in _portions(items):
            with _signals_held():  # a process begins with them held, until it has said what to do with them
                under_way.append(pool.submit(_answer, portion))
            while under_way and (len(under_way) >= jobs * _AHEAD or under_way[0].done()):
                yield from _lines(under_way.popleft())
        while under_way:
            yield from _lines(under_way.popleft())
    except BrokenProcessPool as error:
        raise WorkerLost("a process that judged documents ended before it gave its answers") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _lines(answered: Future[list[_Returned]]) -> Iterator[Line]:
    for fields in answered.result():
        yield Line(*fields)  # type: ignore[arg-type]  # as _answer took it apart


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


_clerk: Clerk | None = None


def _begin(clerk: Clerk) -> None:
    """Begin a process: who asked decides what an interrupt means, and its end is the end of this process too."""
    global _clerk  # noqa: PLW0603  (a process has one)
    _clerk = clerk
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


def _answer(portion: list[_Sent]) -> list[_Returned]:
    from nitroctl.evidence.sources import Source

    if _clerk is None:
        raise WorkerLost("a process was asked before it began")
    lines = (_clerk.answer(Source(name, raw, fault), width) for name, raw, fault, width in portion)
    return [(line.text, line.outcome, line.reason, line.title, line.root, line.notes, line.subject) for line in lines]
