"""How to answer: the output options, read from the arguments before they are parsed, and what stdout can show."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, TextIO

from nitroctl.errors import UsageError

_COLOURS: Final = ("auto", "always", "never")
#: Formats of others, and the one command that can answer in each; a Result says whether it does.
EXPORTS: Final = {"ear": "attest verify", "vsa": "attest verify", "nitro-cli": "eif inspect"}
_EXPORTED: Final = {
    "attest verify": "verdicts on one attestation document, and this is not one",
    "eif inspect": "what nitro-cli describe-eif prints of an image, and this is something else",
}
#: Forms of an answer's checks.
FOR_CHECKS: Final = ("sarif", "junit", "github")
_FORMATS: Final = ("human", "json", *FOR_CHECKS, *EXPORTS)


@dataclass(frozen=True, slots=True)
class Output:
    """How to answer, read from the arguments before they are parsed.

    ``form``: after --format. ``colour``: auto, always or never. ``quiet``: only errors on stderr. ``debug``: show
    tracebacks. ``exit_zero``: an answer of no is told, and does not fail the step that asked.
    """

    form: str = "human"
    colour: str = "auto"
    quiet: bool = False
    debug: bool = False
    exit_zero: bool = False


_ASKED: Final = ContextVar("_ASKED", default=Output())  # noqa: B039  (it is frozen)


@dataclass(frozen=True, slots=True)
class Canvas:
    """What stdout can show, for the parts of an answer that are drawn before it is shown: a Screen's arguments."""

    colour: bool
    width: int | None
    encoding: str


def canvas() -> Canvas:
    """Return what stdout can show, as the running command was asked to use it."""
    return Canvas(is_coloured(sys.stdout, asked().colour), width_of(sys.stdout), sys.stdout.encoding)


def asked() -> Output:
    """Return how the running command was asked to answer, for what it says on stderr while it works."""
    return _ASKED.get()


@contextmanager
def asking(output: Output) -> Iterator[None]:
    """Make ``output`` what :func:`asked` returns, for the block."""
    before = _ASKED.set(output)
    try:
        yield
    finally:
        _ASKED.reset(before)


def read(argv: Sequence[str]) -> Output:
    """Read the output options wherever they stand before ``--``.

    The last one wins. Raises UsageError for a value that is not one of the choices.
    """
    words = list(argv[: argv.index("--")] if "--" in argv else argv)
    form, colour = "human", os.environ.get("NITROCTL_COLOR", "auto")
    for number, word in enumerate(words):
        flag, sign, value = word.partition("=")
        if flag in ("--format", "--color"):
            value = value if sign else (words[number + 1] if number + 1 < len(words) else "")
            if flag == "--format":
                form = _choice(flag, value, _FORMATS)
            else:
                colour = _choice(flag, value, _COLOURS)
        elif word == "--json":
            form = "json"
    return Output(
        form=form,
        colour=colour if colour in _COLOURS else "auto",
        quiet="--quiet" in words,
        debug="--debug" in words,
        exit_zero="--exit-zero" in words,
    )


def _choice(flag: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise UsageError(f"{flag}: not one of {', '.join(choices)}: {value!r}", "usage.invalid")
    return value


def forms(command: str) -> tuple[str, ...]:
    """Return the forms that the answer of ``command`` (``attest verify``) can take, in the order of the help.

    Which answers have checks is what the schemas say.
    """
    from importlib import resources

    start = f"{command.replace(' ', '.')}."
    schemas = resources.files("nitroctl").joinpath("schemas").iterdir()
    checks = any('"report"' in file.read_text(encoding="utf-8") for file in schemas if file.name.startswith(start))
    exports = (form for form, only in EXPORTS.items() if only == command)
    return ("human", "json", *(FOR_CHECKS if checks else ()), *exports)


def require_form(command: str) -> None:
    """Refuse a ``--format`` that the answer of ``command`` cannot take, before anything is done.

    Raises UsageError ``usage.invalid``.
    """
    form = asked().form
    if form in ("human", "json"):
        return
    there = forms(command)
    if form not in there:
        raise no_export(form, there) if form in EXPORTS else no_checks(form, there)


def no_export(form: str, there: Sequence[str] = ("human", "json")) -> UsageError:
    """Return the error for a form of others that this answer has not. ``there``: the forms that it has."""
    command = EXPORTS[form]
    return UsageError(
        f"--format {form} is for {_EXPORTED[command]}",
        "usage.invalid",
        [f"use it with nitroctl {command} FILE; this command has {', '.join(there)}"],
    )


def no_checks(form: str, there: Sequence[str] = ("human", "json")) -> UsageError:
    """Return the error for a form of checks when this answer has none. ``there``: the forms that it has."""
    return UsageError(
        f"--format {form} is for commands that answer with checks, and this one does not",
        "usage.invalid",
        [f"this command has {', '.join(there)}"],
    )


def is_coloured(stream: TextIO, wanted: str) -> bool:
    """Whether to colour ``stream``: the option, then NO_COLOR, FORCE_COLOR (0 is off), TERM=dumb, then a terminal."""
    if wanted != "auto":
        return wanted == "always"
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR", "")
    if forced:
        return forced != "0"
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO) -> int | None:
    """Return the columns of ``stream``: COLUMNS, else the terminal's, else None (unlimited)."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None
