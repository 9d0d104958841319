"""What a command returns: data for machines, blocks for people, and whether the answer is yes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nitroctl.checks import Check, Report
from nitroctl.errors import ExitCode, NitroctlError
from nitroctl.render.view import Block


@dataclass(frozen=True, slots=True)
class Export:
    """The answer in a format that is not ours. ``text``: makes it. ``note``: what to know of it, for stderr."""

    text: Callable[[], str]
    note: str


@dataclass(frozen=True, slots=True)
class Subject:
    """One of several things that one command judged.

    ``name``: its path. ``findings``: the checks worth a line, as :func:`nitroctl.render.ci.findings` has them.
    ``refused``: the answer about it is no. ``trouble``: why it could not be looked at, when it could not.
    """

    name: str
    findings: Sequence[Check]
    refused: bool
    trouble: NitroctlError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer to one command.

    ``schema``: name and version of the JSON shape of ``data`` (``attest.verify/1``); nitroctl/schemas has it.
    ``data``: JSON-ready members. ``view``: the human answer. ``refused``: the answer is no (exit 1).
    ``notes``: sentences for stderr, shown to people after the answer. ``report``: for SARIF, JUnit and GitHub.
    ``subject``: the path of the file that was judged, for their locations. ``trouble``: what could not be looked at
    although the rest of the answer stands (some enclaves did not reply); reported as errors beside the answer.
    ``exports``: the formats of others that the answer can be given in, by their name after ``--format``.
    ``subjects``: what was judged, when it is several things; takes the place of ``report`` then.
    """

    schema: str
    data: Mapping[str, object]
    view: Sequence[Block]
    refused: bool = False
    notes: Sequence[str] = ()
    report: Report | None = None
    subject: str = ""
    trouble: Sequence[NitroctlError] = ()
    exports: Mapping[str, Export] = field(default_factory=dict)
    subjects: Sequence[Subject] | None = None

    @property
    def exit_code(self) -> ExitCode:
        """That of the first trouble; else 0 for done or yes, 1 for no."""
        if self.trouble:
            return self.trouble[0].exit_code
        return ExitCode.REFUSED if self.refused else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer that arrives piece by piece (a console, the demonstration): bytes for stdout as they come.

    ``chunks`` is iterated once; closing it ends what feeds it. ``sanitise``: escape control bytes when stdout is a
    terminal. ``finish``: called after the last chunk; gives the exit status. ``result``: called after the last chunk
    under ``--json``, in place of writing the chunks; where there is none, the chunks are written in either form.
    ``preface``: an answer that is shown first, in the form asked for (the enclave whose console follows). ``notes``:
    sentences for stderr, shown after the last chunk. ``summary``: called after the last chunk; the answer to the whole
    in place of ``finish``, shown after the chunks in the form asked for, which the chunks are in already: under
    ``--json`` each is a line or more, and the summary is the last one (JSON Lines).
    """

    chunks: Iterator[bytes]
    sanitise: bool = True
    finish: Callable[[], ExitCode] = lambda: ExitCode.OK
    result: Callable[[], Result] | None = None
    preface: Result | None = None
    notes: Sequence[str] = ()
    summary: Callable[[], Result] | None = None
