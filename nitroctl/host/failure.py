"""Why nitro-cli failed: the cause found in what it said, in its own log file, and at last in its exit status.

nitro-cli prints ``[ E27 ] text``, a second line for some codes, and the path of an error log that alone holds the
cause (which request, which errno). What goes wrong in the process that keeps an enclave is printed first and then
wrapped in E39. So the first code that is not E39 is the cause. A usage error has no code and status 2, a panic 101.
The error log is somebody else's file: it is opened only as a regular file directly in the logs directory, and only
the lines that an error log has are quoted.
"""

import contextlib
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl.errors import NitroCliFailed
from nitroctl.host.nitro_cli_errors import ENVELOPE, NITRO_CLI_ERRORS
from nitroctl.host.process import Finished, signal_name

_BLOCK = re.compile(r"^\[ (E[0-9]{2}) \] ?(.*)$", re.MULTILINE)
_LOG = re.compile(r'error log found at "([^"\n]{1,4096})"')
_LOG_NAME = re.compile(r"err[0-9A-Za-z:.+_-]{1,200}\.log")
_END_OF_TEXT = re.compile(r"^(?:For more details, please|If you open a support ticket|Backtrace:|Failed connections:)")
_LOG_LIMIT: Final = 64 * 1024
_STDERR_QUOTED: Final = 16 * 1024
_LINES_QUOTED: Final = 12
_USAGE_STATUS: Final = 2
_PANIC_STATUS: Final = 101
DEFAULT_LOGS: Final = "/var/log/nitro_enclaves"


@dataclass(frozen=True, slots=True)
class Block:
    """One ``[ Enn ]`` block of standard error. ``log``: the path of the error log it names, not yet believed."""

    code: str
    text: str
    log: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLog:
    """An error log of nitro-cli. ``subactions``: outermost first; ``cause``: the last, which is the reason."""

    path: str
    action: str
    subactions: tuple[str, ...]
    version: str

    @property
    def cause(self) -> str:
        """The innermost thing that failed."""
        return self.subactions[-1] if self.subactions else self.action


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why one nitro-cli command failed. ``code``: None for a usage error, a panic or a signal."""

    command: str
    code: str | None
    text: str
    status: int
    stderr: str
    log: ErrorLog | None = None

    def error(self) -> NitroCliFailed:
        """Return it as the error nitroctl reports: our meaning, the cause that nitro-cli logged, what to do."""
        hints = [f"{self.log.path}: {_joined(self.log)}"] if self.log else []
        if self.code:
            known = NITRO_CLI_ERRORS.get(self.code)
            said = f"{self.code}: {self.text}" if self.text else self.code
            if known:
                hints = [known.meaning, *hints, known.remedy, f"nitroctl explain {self.code} says more"]
        else:
            said = self.text
        details: dict[str, object] = {
            "command": self.command,
            "nitro_cli_code": self.code,
            "exit_status": self.status if self.status >= 0 else None,
            "signal": signal_name(self.status),
            "stderr": self.stderr[-_STDERR_QUOTED:],
            "error_log": None,
        }
        if self.log:
            details["error_log"] = {
                "path": self.log.path,
                "action": self.log.action,
                "subactions": list(self.log.subactions),
            }
        return NitroCliFailed(f"nitro-cli {self.command} failed: {said}", "nitro-cli.failed", hints, details)


def blocks(stderr: str) -> tuple[Block, ...]:
    """Return the ``[ Enn ]`` blocks of ``stderr`` in order."""
    matches = list(_BLOCK.finditer(stderr))
    found = []
    for number, match in enumerate(matches):
        end = matches[number + 1].start() if number + 1 < len(matches) else len(stderr)
        rest = stderr[match.end() : end]
        log = _LOG.search(rest)
        found.append(Block(match[1], _text(match[2], rest), log[1] if log else None))
    return tuple(found)


def _text(first: str, rest: str) -> str:
    """Return the block's own lines as one: the first, and the second that E19, E21, E22 and E27 add."""
    lines = [first.strip()]
    for line in rest.split("\n")[1:]:
        if not line.strip() or _END_OF_TEXT.match(line):
            break
        lines.append(line.strip())
    return " ".join(line for line in lines if line).rstrip(".")


def cause(found: Sequence[Block]) -> Block | None:
    """Return the block that is the cause: the first that is not the envelope E39, else E39 itself."""
    return next((block for block in found if block.code != ENVELOPE), found[0] if found else None)


def read(command: str, finished: Finished, environ: Mapping[str, str]) -> Failure:
    """Return why ``nitro-cli <command>`` failed. ``environ``: the child's, for its logs directory."""
    found = blocks(finished.stderr)
    first = cause(found)
    if first is None:
        return Failure(
            command=command,
            code=None,
            text=_without_code(finished),
            status=finished.status,
            stderr=finished.stderr,
        )
    directory = environ.get("NITRO_CLI_LOGS_PATH") or DEFAULT_LOGS
    return Failure(
        command=command,
        code=first.code,
        text=first.text,
        status=finished.status,
        stderr=finished.stderr,
        log=error_log(first.log, directory) if first.log else None,
    )


def _without_code(finished: Finished) -> str:
    """Say what a failure without an E-code is."""
    lines = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
    said = f": {lines[0]}" if lines else ""
    name = signal_name(finished.status)
    if name:
        return f"ended by {name}{said}"
    if finished.status == _USAGE_STATUS:
        return f"it refused its arguments{said}"
    if finished.status == _PANIC_STATUS:
        start = next((number for number, line in enumerate(lines) if "panicked" in line), 0)
        return "it crashed" + (f": {' '.join(lines[start : start + 2])}" if lines else "")
    name = f"E{finished.status:02d}"
    if name in NITRO_CLI_ERRORS and finished.status:
        return f"exit status {finished.status}, the number of {name} ({NITRO_CLI_ERRORS[name].name}){said}"
    return f"exit status {finished.status}{said}"


def error_log(path: str, directory: str) -> ErrorLog | None:
    """Return the error log at ``path``; None when it is not one, or is not a regular file directly in ``directory``."""
    parent, name = os.path.split(os.path.normpath(path))
    if not _LOG_NAME.fullmatch(name) or os.path.realpath(parent) != os.path.realpath(directory):
        return None
    with contextlib.ExitStack() as stack:
        try:
            folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, folder)
            # Members of group ne can write here: neither a link nor a FIFO put in its place is followed.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
            stack.callback(os.close, descriptor)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = os.read(descriptor, _LOG_LIMIT)
        except OSError:
            return None
    return parse_log(path, content.decode("utf-8", "backslashreplace"))


def parse_log(path: str, text: str) -> ErrorLog | None:
    """Return what an error log says, or None when the text is not one."""
    action = version = ""
    subactions: list[str] = []
    inside = False
    for line in text.splitlines():
        label, _, value = line.strip().partition(":")
        if label in ("Action", "Subactions", "Root error file", "Root error line", "Version", "Build commit"):
            inside = label == "Subactions"
            action = value.strip() if label == "Action" else action
            version = value.strip() if label == "Version" else version
        elif inside and line.strip() and len(subactions) < _LINES_QUOTED:
            subactions.append(line.strip())
    if not action:
        return None
    return ErrorLog(path=path, action=action, subactions=tuple(subactions), version=version)


def _joined(log: ErrorLog) -> str:
    return "; ".join([log.action, *log.subactions])
