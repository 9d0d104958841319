"""Child processes: one runner for every program nitroctl starts.

No shell; arguments are a list. Both output streams are drained together by one selector, so that a chatty one cannot
block the other, into buffers with a bound. The child leads a process group of its own: Ctrl-C reaches nitroctl alone,
which passes the signal on to the whole group, waits a little, kills what is left, and only then lets the signal take
its course. A daemon that the child leaves behind with the streams open (nitro-cli leaves one) keeps nobody waiting.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Final, Literal, Self

from nitroctl.errors import Terminated

StreamName = Literal["stdout", "stderr"]
OnLine = Callable[[StreamName, str], None]

#: Bytes kept of each stream; more is counted, not kept.
LIMIT: Final = 8 * 1024 * 1024
#: Seconds between a forwarded signal and SIGKILL.
GRACE_S: Final = 5.0
_POLL_S: Final = 0.05
_CHUNK: Final = 64 * 1024
_LINE_LIMIT: Final = 16 * 1024
#: Seconds of silence, and seconds at most, to wait for last words when somebody else holds a dead child's streams.
_SILENCE_S: Final = 0.3
_LAST_WORDS_S: Final = 5.0
_FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    r"""What a child process did.

    ``status``: its exit status, or minus the signal that ended it. ``stdout``/``stderr``: UTF-8, undecodable bytes as
    ``\xff``; when more than the limit came, the first and last halves with a line between them that says how much
    is left out. ``timed_out``: it was ended by the runner because its time was up.
    """

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    stdout_dropped: int = 0
    stderr_dropped: int = 0
    timed_out: bool = False
    seconds: float = 0.0


def signal_name(status: int) -> str | None:
    """Return the name of the signal that a ``status`` below zero stands for (``SIGKILL``), or None."""
    if status >= 0:
        return None
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def run(  # noqa: PLR0913  (each is one property of a process)
    argv: Sequence[str],
    *,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    on_line: OnLine | None = None,
    on_tick: Callable[[float], None] | None = None,
    limit: int = LIMIT,
) -> Finished:
    """Run ``argv`` to its end and return what it did; standard input is empty.

    ``timeout`` in seconds: then the group gets SIGTERM, and SIGKILL after a grace. ``on_line`` is called in this thread
    with every line without its end (cut at 16 KiB); ``on_tick`` with the elapsed seconds, at least twenty times a
    second. A signal to nitroctl (INT, TERM, HUP) goes to the child's group; when that has ended, it is raised here as
    KeyboardInterrupt or Terminated. Raises OSError when the program cannot be started.
    """
    outputs = {name: Output(name, limit, on_line) for name in ("stdout", "stderr")}
    began = time.monotonic()
    timed_out = False
    with _HeldSignals() as held, Child(argv, env=env, cwd=cwd) as child:
        while not child.over:
            for name, chunk in child.pump():
                outputs[name].add(chunk)
            elapsed = time.monotonic() - began
            if held.received:
                child.end(held.received[0], patience=lambda: len(held.received) == 1)  # a second Ctrl-C: at once
            elif timeout is not None and elapsed > timeout and not timed_out:
                timed_out = True
                child.end(signal.SIGTERM)
            elif on_tick:
                on_tick(elapsed)
        status = child.wait()
        for output in outputs.values():
            output.finish()
    return Finished(
        argv=tuple(argv),
        status=status,
        stdout=outputs["stdout"].text(),
        stderr=outputs["stderr"].text(),
        stdout_dropped=outputs["stdout"].dropped,
        stderr_dropped=outputs["stderr"].dropped,
        timed_out=timed_out,
        seconds=time.monotonic() - began,
    )


def start(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> "Child":
    """Start ``argv`` and return the running child, which the caller closes; for output that is passed on as it comes.

    A signal that arrives meanwhile is not lost: it ends the child and is raised. Raises OSError.
    """
    with _HeldSignals() as held:
        child = Child(argv, env=env)
        if held.received:
            child.close()
    return child


class Child:
    """A running child process with both output streams, leader of its own process group.

    Closing it (the end of a ``with`` block) ends the group unless the child has ended by itself. Raises OSError when
    the program cannot be started.
    """

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (a list without a shell; the callers build it from options)
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            process_group=0,
            bufsize=0,
        )
        self._selector = selectors.DefaultSelector()
        streams: tuple[tuple[StreamName, IO[bytes] | None], ...] = (
            ("stdout", self._process.stdout),
            ("stderr", self._process.stderr),
        )
        self._streams = [stream for _, stream in streams if stream is not None]
        for name, stream in streams:
            if stream is not None:  # never, with PIPE
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, selectors.EVENT_READ, name)
        self._ended_at: float | None = None
        self._heard_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, signum: int = signal.SIGTERM) -> None:
        """End the group if the child still runs, and let go of the streams."""
        self.end(signum)
        self._selector.close()
        for stream in self._streams:
            stream.close()

    @property
    def over(self) -> bool:
        """Whether nothing more will come: the child gone, and its streams at their end or held by somebody silent."""
        if self._process.poll() is None:
            return False
        if not self._selector.get_map():
            return True
        now = time.monotonic()
        if self._ended_at is None:
            self._ended_at = self._heard_at = now
        return now - self._heard_at > _SILENCE_S or now - self._ended_at > _LAST_WORDS_S

    def pump(self) -> list[tuple[StreamName, bytes]]:
        """Wait a moment for output and return what came, in chunks of at most 64 KiB."""
        if not self._selector.get_map():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_POLL_S)
            return []
        chunks: list[tuple[StreamName, bytes]] = []
        for key, _ in self._selector.select(_POLL_S):
            try:
                chunk = os.read(key.fd, _CHUNK)
            except BlockingIOError:
                continue
            if chunk:
                chunks.append((key.data, chunk))
                self._heard_at = time.monotonic()
            else:
                self._selector.unregister(key.fileobj)
        return chunks

    def end(self, signum: int = signal.SIGTERM, *, patience: Callable[[], bool] = lambda: True) -> None:
        """End the group: ``signum``, then SIGKILL when the grace is over or ``patience()`` is; no-op when it is gone.

        Output that comes meanwhile is dropped, so that a child that writes while it ends is not stuck.
        """
        if self._process.poll() is not None:
            return
        self._signal(signum)
        deadline = time.monotonic() + GRACE_S
        while not self._has_exited() and time.monotonic() < deadline and patience():
            if not self.pump():
                time.sleep(_POLL_S / 5)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _has_exited(self) -> bool:
        """Whether the child has exited, without reaping it: its number must stay taken until the group is killed."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _signal(self, signum: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or changed its user
            os.killpg(self._process.pid, signum)

    def wait(self) -> int:
        """Return the exit status, or minus the signal."""
        return self._process.wait()


class Output:
    """What one stream said: its first and last halves within a bound, and each line to a callback."""

    def __init__(self, name: StreamName, limit: int = LIMIT, on_line: OnLine | None = None) -> None:
        self._name = name
        self._half = limit // 2
        self._on_line = on_line
        self._head = bytearray()
        self._tail = bytearray()
        self._line = b""
        self.dropped = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * self._half:
            self._trim()
        if self._on_line:
            *complete, self._line = (self._line + chunk).split(b"\n")
            for line in complete:
                self._say(line)
            if len(self._line) > _LINE_LIMIT:
                self.finish()

    def finish(self) -> None:
        """Pass on the last line, which has no end."""
        line, self._line = self._line, b""
        if line:
            self._say(line)

    def _say(self, line: bytes) -> None:
        if self._on_line:
            self._on_line(self._name, line[:_LINE_LIMIT].decode("utf-8", "backslashreplace").rstrip("\r"))

    def _trim(self) -> None:
        excess = len(self._tail) - self._half
        if excess > 0:
            del self._tail[:excess]
            self.dropped += excess

    def text(self) -> str:
        """Return what was kept, as text."""
        self._trim()
        gap = f"\n… {self.dropped} bytes left out …\n".encode() if self.dropped else b""
        return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "backslashreplace")


def passed_on(child: Child, stderr: Output) -> Iterator[bytes]:
    """Yield the child's standard output as it comes, and empty bytes in silence; standard error goes to ``stderr``."""
    while not child.over:
        came = child.pump()
        if not came:
            yield b""
        for name, chunk in came:
            if name == "stdout":
                yield chunk
            else:
                stderr.add(chunk)
    stderr.finish()


class _HeldSignals:
    """Notes signals while a child runs, and lets them take their course when the block ends.

    Nothing is raised in the middle of starting, draining or ending the child, so that no child is left behind. In any
    thread but the main one signals are not ours to handle, and nothing happens.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in _FORWARDED:
                if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup stays nohup
                    self._before[signum] = signal.signal(signum, self._note)
        return self

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        self.received.append(signum)

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        if not self.received:
            return
        before = self._before[self.received[0]]
        if callable(before):
            before(self.received[0], None)
        raise KeyboardInterrupt if self.received[0] == signal.SIGINT else Terminated
