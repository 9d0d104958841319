"""``nitroctl attest verify`` over many documents: a line for each as it is judged, and what they come to."""

import os
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.render.result import Result, Stream, Subject
from nitroctl.render.view import Block, Fields, Headline, Text, Value

if TYPE_CHECKING:
    from nitroctl.appraisal.judge import Judge
    from nitroctl.cli.attest_line import Clerk, Line
    from nitroctl.cli.progress import Progress
    from nitroctl.evidence.sources import Source

Key = TypeVar("Key", str, tuple[str, str])

#: The column of names grows with the names, between these.
_LEAST_NAME: Final = 16
_MOST_NAME: Final = 48
_MOST_JOBS: Final = 256
#: Different notes that are kept; they are few, and what documents say must not make them many.
_MOST_NOTES: Final = 50
#: How many reasons people are shown; --json has all.
_SHOWN: Final = 10


def is_many(paths: Sequence[str]) -> bool:
    """Whether ``paths`` may stand for several documents: several paths, or one that can hold several."""
    from nitroctl.evidence import sources

    return len(paths) != 1 or sources.holds_many(paths[0])


def verify_many(paths: Sequence[str], judge: "Judge", *, jobs: int = 1) -> Stream:
    """Judge every document in ``paths`` with ``jobs`` processes, 0 for as many as there are processors.

    Exit status: 1 when any document is refused; else 3 when any could not be read; else 0. Raises UsageError.
    """
    from nitroctl.cli.attest_line import Clerk
    from nitroctl.cli.output import EXPORTS, asked, canvas
    from nitroctl.evidence import sources

    jobs = processes(jobs)
    form = asked().form
    if form in EXPORTS:
        raise UsageError(
            f"--format {form} is for one document, and these are several",
            "usage.invalid",
            ["use --json, which prints a line for each document", "or verify them one by one"],
        )
    clerk = Clerk(judge, form, canvas())
    tally = Tally(judge)
    return Stream(
        chunks=_told(clerk, tally, sources.documents(paths), jobs),
        sanitise=False,
        summary=tally.summary,
    )


def processes(jobs: int) -> int:
    """Return how many processes ``--jobs`` asks for, 0 for as many as there are processors. Raises UsageError."""
    if not 0 <= jobs <= _MOST_JOBS:
        raise UsageError(f"--jobs: not from 0 to {_MOST_JOBS}: {jobs}", "usage.invalid")
    affinity = getattr(os, "sched_getaffinity", None)
    return jobs or min(_MOST_JOBS, len(affinity(0)) if affinity else os.cpu_count() or 1)


def _told(clerk: "Clerk", tally: "Tally", documents: "Iterator[Source]", jobs: int) -> Iterator[bytes]:
    """Yield each document's line, counting it; the status goes on beside them where nobody watches the lines."""
    progress = _progress()
    began = time.monotonic()
    lines = _lines(clerk, _measured(documents), jobs)
    try:
        for line in lines:
            tally.add(line)
            yield line.text
            if progress:
                progress.line("", tally.status)
                progress.tick(time.monotonic() - began)
    finally:
        lines.close()
        if progress:
            progress.clear()


def _lines(clerk: "Clerk", items: "Iterator[tuple[Source, int]]", jobs: int) -> "Generator[Line]":
    if jobs > 1:
        from nitroctl.cli import attest_pool

        yield from attest_pool.answers(clerk, items, jobs=jobs)
    else:
        for source, width in items:
            yield clerk.answer(source, width)


def _measured(documents: "Iterator[Source]") -> "Iterator[tuple[Source, int]]":
    """Yield each source with the width of the names' column, which the names up to it decide and nothing else."""
    from nitroctl.render.plain import visible

    width = _LEAST_NAME
    for source in documents:
        width = max(width, min(len(visible(source.name)), _MOST_NAME))
        yield source, width


def _progress() -> "Progress | None":
    """Return where to show how far it is, when the lines themselves are not watched and somebody is there to look."""
    import sys

    if sys.stdout.isatty() or not sys.stderr.isatty():
        return None
    from nitroctl import settings
    from nitroctl.cli.progress import Progress

    return Progress("verifying", settings.load({}).values["progress"].value)


class Tally:
    """What the documents come to."""

    def __init__(self, judge: "Judge") -> None:
        self._judge = judge
        self._outcomes: Counter[str] = Counter()
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._faults: Counter[str] = Counter()
        self._roots: Counter[tuple[str, str]] = Counter()
        self._notes: Counter[str] = Counter()
        self._subjects: list[Subject] = []

    def add(self, line: "Line") -> None:
        """Count one document."""
        self._outcomes[line.outcome] += 1
        if line.subject:
            self._subjects.append(line.subject)
        if line.outcome == "refused":
            self._refusals[line.reason, line.title] += 1
        elif line.outcome == "unread":
            self._faults[line.reason] += 1
        if line.root:
            self._roots[line.root] += 1
        self._notes.update(note for note in line.notes if note in self._notes or len(self._notes) < _MOST_NOTES)

    @property
    def status(self) -> str:
        """How far it is."""
        return f"{_counted(self._outcomes.total())}, {self._outcomes['refused']} refused"

    def summary(self) -> Result:
        """Return what they come to: refused when any is, trouble when none is and any could not be read."""
        refused, unread = self._outcomes["refused"], self._outcomes["unread"]
        count = self._outcomes.total()
        notes = [f"{_counted(number)}: {note}" for note, number in _by_number(self._notes)]
        trouble = []
        if unread and refused:
            notes.append(f"{_counted(unread)} could not be read; of what cannot be read nothing is said")
        elif unread:
            trouble.append(
                CannotAnswer(
                    f"{unread} of {_counted(count)} could not be read",
                    "attest.unread",
                    ["the answer about each says why; name only what holds documents"],
                )
            )
        return Result(
            schema="attest.verify.many/1",
            data=self._data(count),
            view=self._view(count),
            refused=bool(refused),
            notes=notes,
            trouble=trouble,
            subjects=self._subjects,
        )

    def _data(self, count: int) -> dict[str, object]:
        return {
            "answer": self._sentence(count),
            "documents": count,
            "accepted": self._outcomes["accepted"],
            "refused": self._outcomes["refused"],
            "unread": self._outcomes["unread"],
            "appraised": self._judge.policy is not None,
            "policy": self._judge.source.as_json() if self._judge.source else None,
            "at": self._instant(),
            "at_chosen_by": self._judge.chosen,
            "refusals": [
                {"check": check, "title": title, "documents": number}
                for (check, title), number in _by_number(self._refusals)
            ],
            "faults": [{"code": code, "documents": number} for code, number in _by_number(self._faults)],
            "roots": [
                {"name": name, "sha256": fingerprint, "documents": number}
                for (name, fingerprint), number in _by_number(self._roots)
            ],
        }

    def _instant(self) -> str | None:
        from nitroctl.evidence.chain import instant

        return instant(self._judge.at) if self._judge.at else None

    def _sentence(self, count: int) -> str:
        accepted, refused, unread = (self._outcomes[outcome] for outcome in ("accepted", "refused", "unread"))
        how = {"now": "now", "document": "document time", "given": "as asked"}[self._judge.chosen]
        when = f"as of {self._instant()} ({how})" if self._judge.at else f"each at its own time ({how})"
        what = "authentic and acceptable" if self._judge.policy else "authentic, not appraised"
        comma = "" if self._judge.policy and self._judge.at else ","
        of = f"{accepted} of {_counted(count)}" if accepted != count or count == 1 else f"all {_counted(count)}"
        verb = "is" if 1 in {accepted, count} else "are"
        rest = [f"{refused} refused"] if refused else []
        rest += [f"{unread} could not be read"] if unread else []
        return f"{of} {verb} {what}{comma} {when}" + (f"; {', '.join(rest)}" if rest else "")

    def _view(self, count: int) -> list[Block]:
        from nitroctl import catalogue
        from nitroctl.checks import Outcome
        from nitroctl.cli import attest_verify

        refused, unread = self._outcomes["refused"], self._outcomes["unread"]
        outcome = Outcome.FAIL if refused else Outcome.WARN if unread else Outcome.PASS
        view: list[Block] = [Text(""), Headline(self._sentence(count), outcome)]
        if self._judge.source:
            view.append(Fields(attest_verify.policy_rows(self._judge)))
        if self._roots:
            rows: list[tuple[str, Value]] = [
                (_counted(number), f"{name}, SHA-256 {fingerprint}")
                for (name, fingerprint), number in _by_number(self._roots)
            ]
            view.append(Fields(rows, title="Under the root"))
        refusals = [(str(number), f"{title} [{check}]") for (check, title), number in _by_number(self._refusals)]
        faults = [
            (str(number), f"{catalogue.CATALOGUE[code].meaning} [{code}]") for code, number in _by_number(self._faults)
        ]
        for title, reasons in (("Refused because this does not hold", refusals), ("Not read because", faults)):
            if reasons:
                view.append(Fields(_shown(reasons), title=title))
        return view


def _shown(reasons: Sequence[tuple[str, str]]) -> list[tuple[str, Value]]:
    left_out = len(reasons) - _SHOWN
    rows: list[tuple[str, Value]] = list(reasons[:_SHOWN])
    return [*rows, ("", f"and {left_out} more reasons; --json has them all")] if left_out > 0 else rows


def _counted(count: int) -> str:
    return "1 document" if count == 1 else f"{count} documents"


def _by_number(counter: "Counter[Key]") -> "list[tuple[Key, int]]":
    """Return what was counted, the most frequent first, equal ones by name."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))
