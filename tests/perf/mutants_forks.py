"""Work done in a copy of this process: what it may take is limited, and nothing outlives the one that began it."""

import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

#: The statuses of a copy that did not end by returning one: it ended by itself in another way, or took too long.
CRASHED, TOO_LONG = 70, -1
#: What memory a copy may have, in bytes.
_MEMORY: Final = 4 << 30
_PR_SET_PDEATHSIG: Final = 1


def forked(work: Callable[[int], int], limit: float) -> tuple[int, str]:
    """Run ``work`` in a copy of this process; return its status, and what it wrote to the descriptor it is given.

    The status is ``TOO_LONG`` when it took longer than ``limit`` seconds, and ``CRASHED`` when it ended by itself in
    another way than by returning.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(work, writing)
    os.close(writing)
    status = _status(pid, limit)
    with suppress(ProcessLookupError):  # what it left behind, in the group that is its own
        os.killpg(pid, signal.SIGKILL)
    with os.fdopen(reading, "rb") as said:
        return status, said.read(1024).decode()


def _status(pid: int, limit: float) -> int:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else CRASHED
        time.sleep(0.003)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return TOO_LONG


def _child(work: Callable[[int], int], said: int) -> NoReturn:
    status = CRASHED
    try:
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        status = work(said)
    finally:
        os._exit(status)
