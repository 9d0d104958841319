"""How nitro-cli fails: numbered errors in three-part blocks on stderr, an error file each, and an exit status.

The literal first words of every error, the shape of the block and of the file, and the rule that the exit status is
the number, are nitro-cli's (1.5.0, ``src/common/document_errors.rs``, ``src/common/mod.rs``). The rest of each
sentence is the stand-in's own: wrappers must not read it.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from nitroctl.standin import knobs

DOCUMENTATION: Final = "https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html"
MISSING: Final = "MISSING_INFO"

#: Code: first words, what stands after them. ``{0}`` and ``{1}`` are details, ``MISSING_INFO`` where none came along.
ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    0: ("Unspecified error.", "Nothing more is known."),
    1: ("Missing mandatory argument.", "The argument {0} was not given."),
    2: ("Conflicting arguments.", "{0} and {1} exclude each other."),
    3: ("Invalid argument provided.", "The argument {0} cannot be {1}."),
    4: ("Socket pair creation failure.", "No stream sockets for a pair."),
    5: ("Process spawn failure.", "The enclave process could not be made."),
    6: ("Daemonize process failure.", "The enclave process could not detach."),
    7: ("Read from disk failure.", "The sockets directory cannot be listed."),
    8: ("Unusable connection error.", "The connection to the enclave process is of no use."),
    9: ("Socket close error.", "A socket could not be shut down."),
    10: ("Socket connect set timeout error.", "The time limit of a socket could not be set."),
    11: ("Socket error.", "The enclave process cannot be reached through its socket."),
    12: ("Epoll error.", "Waiting for descriptors failed."),
    13: ("Inotify error.", "The socket file cannot be watched."),
    14: ("Invalid command.", "The enclave process does not know the command."),
    15: ("Lock acquire failure.", "A lock of the enclave process is lost."),
    16: ("Thread join failure.", "A thread of the enclave process did not end."),
    17: ("Serde error.", "A structure could not be written or read."),
    18: ("File permissions error.", "The permissions of a file could not be set."),
    19: ("File operation failure.", "A file operation went wrong."),
    20: ("Invalid CPU configuration.", "A CPU is named twice in {0}."),
    21: ("No such CPU available in the pool.", "CPU {0} is not one of the pool's."),
    22: ("Insufficient CPUs available in the pool.", "{0} CPUs were asked for, the pool has {1}."),
    23: ("Malformed CPU ID error.", "The pool's list of CPUs has something that is no number."),
    24: ("CPU error.", "The pool's list of CPUs has an impossible interval."),
    25: ("No such hugepage flag error.", "There is no huge page of such a size."),
    26: ("Insufficient memory requested.", "{0} MiB were asked for, the image needs at least {1} MiB."),
    27: ("Insufficient memory available.", "{0} MiB of huge pages are not free."),
    28: ("Invalid enclave descriptor.", "The driver gave no usable descriptor."),
    29: ("Ioctl failure.", "The driver refused an operation."),
    30: ("Ioctl image get load info failure.", "The driver gave no load information."),
    31: ("Ioctl set memory region failure.", "The driver refused a memory region."),
    32: ("Ioctl add vCPU failure.", "The driver refused a vCPU."),
    33: ("Ioctl start enclave failure.", "The driver did not start the enclave."),
    34: ("Memory overflow.", "The image does not fit into the enclave's memory."),
    35: ("EIF file parsing error.", "The enclave image cannot be read."),
    36: ("Enclave boot failure.", "The enclave gave no sign of life."),
    37: ("Enclave event wait error.", "Waiting for an event of the enclave failed."),
    38: ("Enclave process command not executed error.", "The enclave process did not do as asked."),
    39: ("Enclave process connection failure.", "Not every enclave process gave an answer."),
    40: ("Socket path not found.", "The enclave's socket has no path."),
    41: ("Enclave process send reply failure.", "The enclave process could not answer."),
    42: ("Enclave mmap error.", "Memory could not be mapped."),
    43: ("Enclave munmap error.", "Memory could not be unmapped."),
    44: ("Enclave console connection failure.", "The enclave's console cannot be reached."),
    45: ("Enclave console read error.", "The enclave's console cannot be read."),
    46: ("Enclave console write output error.", "What the console said cannot be written."),
    47: ("Integer parsing error.", "A number does not fit."),
    48: ("EIF building error.", "The enclave image could not be built."),
    49: ("Docker image build error.", "docker could not build the image."),
    50: ("Docker image pull error.", "docker could not fetch the image."),
    51: ("Artifacts path environment variable not set.", "Set NITRO_CLI_ARTIFACTS."),
    52: ("Blobs path environment variable not set.", "Set NITRO_CLI_BLOBS."),
    53: ("Clock skew error.", "The clocks do not agree."),
    54: ("Signal masking error.", "Signals could not be masked."),
    55: ("Signal unmasking error.", "Signals could not be unmasked."),
    56: ("Logger error.", "The log could not be set up."),
    57: ("Hasher error.", "There was nothing to make a register of."),
    58: ("Naming error.", "The name does not lead to exactly one enclave."),
    59: ("EIF signature checker error.", "The image's signature or its certificate does not hold."),
    60: ("Signing error.", "The image could not be signed."),
}
#: Errors that ``explain`` does not know.
UNEXPLAINED: Final = (57, 58, 59)
#: Errors with a second line. (``{1}`` of E19 is what was tried.)
_SECOND_LINES: Final = {
    19: "File: '{0}', failing operation: '{1}'.",
    21: "The pool is filled by the service nitro-enclaves-allocator; is it enabled?",
    22: "The pool is filled by the service nitro-enclaves-allocator; is it enabled?",
    27: "Huge pages are reserved by the service nitro-enclaves-allocator; restart it after a change.",
}


class Failure(Exception):
    """One numbered error. ``cause`` is what only the error file says; ``info`` fills the sentence on stderr."""

    def __init__(self, code: int, cause: str, *info: str, within: Sequence[str] = ()) -> None:
        super().__init__(f"E{code:02}: {cause}")
        self.code = code
        self.cause = cause
        self.info = info
        self.within = tuple(within)
        frame = sys._getframe(1)  # noqa: SLF001  (the error file names the place, as the original's does)
        self.place = (os.path.basename(frame.f_code.co_filename), frame.f_lineno)  # noqa: PTH119


class Panic(Exception):
    """The original crashes here: Rust's text on stderr and status 101, or SIGABRT where it cannot have the memory."""

    def __init__(self, text: str, *, abort: bool = False) -> None:
        super().__init__(text)
        self.abort = abort


def sentence(code: int, info: Sequence[str] = ()) -> str:
    """Return what stands after ``[ Enn ] `` on stderr, second line included."""
    first, rest = ERRORS[code]
    details = [*info, MISSING, MISSING]
    text = f"{first} {rest.format(*details)}"
    if code in _SECOND_LINES:
        text += "\n" + _SECOND_LINES[code].format(*details)
    return text


def block(failure: Failure, action: str) -> str:
    """Write the error file and return the block for stderr."""
    name = f"E{failure.code:02}"
    parts = [f"[ {name} ] {sentence(failure.code, failure.info)}"]
    if os.environ.get("BACKTRACE") == "1":
        parts.append(f"Backtrace:\n{_story(failure, action)}".rstrip("\n"))
    parts.append(f"For more details, please visit {DOCUMENTATION}#{name}")
    path = _write_error_file(failure, action)
    if path:
        parts.append(f'If you open a support ticket, please provide the error log found at "{path}"')
    return "\n\n".join(parts) + "\n"


def _story(failure: Failure, action: str) -> str:
    file, line = failure.place
    subactions = "".join(f"    {text}\n" for text in (*failure.within, failure.cause))
    ending = f"  Version: {knobs.version()}" if knobs.since("1.2.1") else "  Build commit: not a real nitro-cli"
    return (
        f"  Action: {action}\n  Subactions:\n{subactions}  Root error file: standin/{file}\n"
        f"  Root error line: {line}\n{ending}\n"
    )


def _write_error_file(failure: Failure, action: str) -> str:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    path = knobs.logs() / f"err{now}.log"
    try:
        path.write_text(_story(failure, action), encoding="utf-8")
    except OSError:
        return ""
    return str(path)


def log(who: str, level: str, text: str) -> None:
    """Append a line to the log file. Raises Failure E19: a command that cannot log does nothing else."""
    path = knobs.logs() / "nitro_enclaves.log"
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(f"[{who}:{os.getpid()}][{level}][{now}][standin] {text}\n")
    except OSError as error:
        raise Failure(19, f"log file: {error}", str(path), "Open") from error
