"""What long work says on standard error while it goes on: one live line on a terminal, a line now and then elsewhere.

There is no percentage to be had from nitro-cli, and none is shown. ``--quiet`` and the setting ``progress = none``
silence it; a failure's log is shown all the same.
"""

import os
import shutil
import sys
from typing import Final

from nitroctl.cli.output import asked
from nitroctl.render.plain import encodable, inert, visible, visible_lines

#: Seconds between two lines where nobody watches.
HEARTBEAT_S: Final = 30
_FRAME_S: Final = 0.5
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """The status of one piece of long work. ``what``: ``building signer.eif``. ``mode``: the setting ``progress``."""

    def __init__(self, what: str, mode: str) -> None:
        silent = mode == "none" or asked().quiet
        watched = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._mode = "none" if silent else "live" if mode == "auto" and watched else "plain"
        self._what = what
        self._last = ""
        self._next = 0.0
        self._drawn = False

    def line(self, _stream: str, text: str) -> None:
        """Take a line that the work printed; the last one is part of the status."""
        if text.strip():
            self._last = text.strip()

    def tick(self, elapsed: float) -> None:
        """Show the status again when its time has come; ``elapsed`` in seconds since the work began."""
        if self._mode == "none" or elapsed < self._next:
            return
        last = f": {self._last}" if self._last else ""
        text = f"{self._what}, {_duration(elapsed)}{last}"
        if self._mode == "live":
            self._next = elapsed + _FRAME_S
            width = shutil.get_terminal_size().columns
            self._drawn = True
            _write(_CLEAR + _safe(text)[: max(1, width - 1)])
        else:
            if self._next:
                note(text)
            self._next = elapsed + HEARTBEAT_S

    def clear(self) -> None:
        """Remove the live line."""
        if self._drawn:
            self._drawn = False
            _write(_CLEAR)

    def replay(self, log: str) -> None:
        """Show everything the work said, because it failed."""
        self.clear()
        if log.strip():
            _write("".join(f"nitro-cli: {_safe_line(line)}\n" for line in visible_lines(log)))


def note(text: str, *, always: bool = False) -> None:
    """Say something at once, while the work still goes on; under ``--quiet`` only what must ``always`` be known."""
    if always or not asked().quiet:
        _write(f"nitroctl: note: {_safe(text)}\n")


def _safe(text: str) -> str:
    return _safe_line(visible(text))


def _safe_line(line: str) -> str:
    return encodable(inert(line), sys.stderr.encoding)


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # nobody listens; the work goes on
        pass


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
