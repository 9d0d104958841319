"""``nitroctl attest survey``: what a heap of documents comes to, and what stands out in it."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.errors import CannotAnswer, NitroctlError, UsageError
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.appraisal.judge import Judge
    from nitroctl.cli.progress import Progress
    from nitroctl.evidence.anomalies import Finding
    from nitroctl.records import Ledger

EXAMPLES = """
nitroctl attest survey evidence
nitroctl attest survey evidence --records measurements.json --html survey.html
nitroctl attest survey evidence --check --json
"""


def survey(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Documents: files, directories, patterns, JSON Lines, tar archives, or - for standard input.",
            metavar="PATH...",
            show_default=False,
        ),
    ],
    *,
    at: Annotated[
        str,
        typer.Option(
            "--at", help="The instant to judge at: document (each its own time), now, or RFC 3339.", metavar="TIME"
        ),
    ] = "document",
    root: Annotated[
        list[str] | None,
        typer.Option("--root", help="Accept this root in place of AWS's. Repeatable.", metavar="PEM"),
    ] = None,
    records: Annotated[
        str | None,
        typer.Option(
            "--records", help="Recorded measurements to name the images by.", metavar="FILE", show_default=False
        ),
    ] = None,
    html: Annotated[
        str | None,
        typer.Option("--html", help="Write a report with a timeline to this file too.", metavar="FILE"),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Processes; 0: one a processor.", metavar="N")] = 1,
    check: Annotated[
        bool,
        typer.Option("--check", help="Answer no (exit 1) to any anomaly or refused document.", show_default=False),
    ] = False,
) -> Result:
    """Say what a heap of attestation documents comes to: images, enclaves, instances, regions, times, anomalies.

    Everything is taken from authentic documents only; those that are refused are counted and listed apart. An anomaly
    is a reason to look and no verdict, so the exit status is 0 when everything was surveyed; with --check it is 1 when
    there is any anomaly or refused document. Inputs that cannot be read make it 3, for nothing is known of them.
    """
    from nitroctl.appraisal.judge import Judge
    from nitroctl.cli import attest_options as options
    from nitroctl.cli.attest_many import processes

    jobs = processes(jobs)
    if html is not None:
        _refuse_overwriting(html)
    chosen = at if at in {"now", "document"} else "given"
    judge = Judge(roots=options.roots(root), policy=None, at=options.instant(at), chosen=chosen)
    ledger, ledger_path = _ledger(records)
    heap = Heap(judge, ledger)
    heap.take(paths, jobs=jobs)
    return heap.answer(subject=paths[0] if len(paths) == 1 else "", records=ledger_path, html=html, check=check)


class Heap:
    """The documents of one call: the authentic ones surveyed, the others listed with the reason."""

    def __init__(self, judge: "Judge", ledger: "Ledger | None") -> None:
        from nitroctl.evidence.survey import Survey

        self.judge = judge
        self.survey: Survey = Survey(ledger)
        self.refused: list[tuple[str, str, str]] = []
        self.unread: list[tuple[str, NitroctlError]] = []

    def take(self, paths: "Sequence[str]", *, jobs: int) -> None:
        """Judge everything in ``paths`` with ``jobs`` processes. Raises UsageError: standard input is named twice."""
        import time

        from nitroctl.cli import attest_survey_one as one
        from nitroctl.evidence import sources

        progress, began = _progress(), time.monotonic()
        found = one.judged(self.judge, sources.documents(paths), jobs=jobs)
        try:
            for each in found:
                match each:
                    case one.Unread(name, error):
                        self.unread.append((name, error))
                    case one.Refused():
                        self.refused.append(each)
                    case facts:
                        self.survey.add(facts)
                if progress:
                    progress.line("", f"{self.count} documents, {len(self.refused)} refused")
                    progress.tick(time.monotonic() - began)
        finally:
            found.close()
            if progress:
                progress.clear()

    @property
    def count(self) -> int:
        """How many documents were judged."""
        return len(self.survey.documents) + len(self.refused)

    @property
    def judged(self) -> str:
        """At which time, in words."""
        from nitroctl.evidence.chain import instant

        if self.judge.at is None:
            return "each as of its own time (document time)"
        return f"as of {instant(self.judge.at)} ({'now' if self.judge.chosen == 'now' else 'as asked'})"

    def answer(self, *, subject: str, records: str | None, html: str | None, check: bool) -> Result:
        """Return the result, after writing the report to ``html``. Raises CannotAnswer when it cannot be written.

        ``subject``: the one path that was surveyed, empty when it was several.
        """
        from nitroctl.checks import Report
        from nitroctl.cli import attest_survey_view as shown
        from nitroctl.evidence import anomalies

        findings = anomalies.find(self.survey)
        ledger = self.survey.ledger is not None
        report = Report.of(anomalies.checks(findings, ledger=ledger, refused=len(self.refused), required=check))
        if html is not None:
            self._write(html, findings)
        answer = shown.Answer(self, findings, report, records=records, html=html, check=check)
        refused = check and not report.passed
        notes, trouble = self._unread(refused=refused)
        return Result(
            schema="attest.survey/1",
            data=answer.data(),
            view=answer.view(),
            refused=refused,
            notes=notes,
            report=report,
            subject=subject,
            trouble=trouble,
        )

    def _unread(self, *, refused: bool) -> tuple[list[str], list[NitroctlError]]:
        """Return what is said of inputs that could not be read: a no is not hidden by them, a yes cannot be given."""
        if not self.unread:
            return [], []
        count = len(self.unread)
        what = f"{count} of {count + self.count} inputs could not be read"
        if refused:
            return [f"{what}; of what cannot be read nothing is said"], []
        hints = ["the list of them says why; name only what holds documents"]
        return [], [CannotAnswer(what, "survey.unread", hints)]

    def _write(self, path: str, findings: "Sequence[Finding]") -> None:
        from nitroctl import safefile
        from nitroctl.render.survey_page import Page

        page = Page(
            survey=self.survey,
            findings=findings,
            judged=self.judged,
            refused=self.refused,
            unread=[(name, error.message) for name, error in self.unread],
        )
        safefile.replace(path, page.html())


def _ledger(records: str | None) -> "tuple[Ledger | None, str | None]":
    """Return the recorded measurements and their file; none where nobody named one and there is none."""
    from nitroctl import settings
    from nitroctl.records import load

    setting = settings.load({"records": records}).values["records"]
    ledger = load(setting.value, missing_ok=setting.origin == "default")
    return (ledger, setting.value) if ledger.entries or setting.origin != "default" else (None, None)


def _refuse_overwriting(path: str) -> None:
    """Refuse to write the report over anything but an older report: what stands there may be evidence."""
    from nitroctl import safefile
    from nitroctl.render.survey_page import BEGINNING

    if path == safefile.STDIN:
        raise UsageError("--html: standard output carries the answer", "usage.invalid", ["name a file"])
    beginning = BEGINNING.encode()
    try:
        with safefile.open_regular(path) as stream:
            there = stream.read(len(beginning))
    except CannotAnswer as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return
        raise
    if there and there != beginning:
        raise CannotAnswer(
            f"{path}: not written: what stands there is not a survey's report",
            "attest.survey-file",
            ["name another file, or remove this one"],
        )


def _progress() -> "Progress | None":
    """Return where to show how far it is, when somebody is there to look."""
    import sys

    if not sys.stderr.isatty():
        return None
    from nitroctl import settings
    from nitroctl.cli.progress import Progress

    return Progress("surveying", settings.load({}).values["progress"].value)
