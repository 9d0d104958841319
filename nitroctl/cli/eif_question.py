"""What ``nitroctl eif verify`` asks of an image, and the answer about one file in every form."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitroctl.cli.eif_view import identity, view_json, views
from nitroctl.instants import rfc3339
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Text, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.checks import Report
    from nitroctl.eif.measure import Measured
    from nitroctl.eif.verify import Expected
    from nitroctl.records import Ledger
    from nitroctl.records.compare import Compared

#: What a yes does not say when nothing was given to compare with.
NOT_ASKED = "whose image it is was not asked; compare it with --pcr, --records or --signed-by"
#: The ids of the checks about which image it is, not whether it is sound.
_EXPECTATIONS = ("measurement.", "records.", "eif.signed-by")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The entries to compare with: of which file, and in words which of it."""

    path: str
    entries: "Ledger"
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of an image. ``at``: aware. ``recorded``: None when no record was asked for."""

    at: "datetime"
    expected: "Expected"
    recorded: Recorded | None

    def ask(self, file: str) -> "Answer":
        """Return the answer about one image file. Raises CannotAnswer as :func:`nitroctl.eif.verify.verify`."""
        from nitroctl.eif.verify import verify

        verified = verify(file, at=self.at, expected=self.expected)
        compared, recorded = _compared(verified.measured, self.recorded)
        return Answer(self, file, verified.measured, verified.report + recorded, compared)

    @property
    def notes(self) -> list[str]:
        """What a yes leaves open."""
        asked = self.recorded or self.expected.pcrs or self.expected.signer
        return [] if asked else [NOT_ASKED]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer about one file. ``compared``: how it stands to the records, None when they were not looked at."""

    question: Question
    file: str
    measured: "Measured"
    report: "Report"
    compared: "Compared | None"

    @property
    def reason(self) -> str:
        """Why the answer is no; empty when it is yes."""
        if self.report.passed:
            return ""
        about_expected = all(check.id.startswith(_EXPECTATIONS) for check in self.report.refusals)
        what = "sound, but not the image expected" if about_expected else "refused"
        return f"{what}: {self.report.refusals[0].detail}"

    @property
    def sentence(self) -> str:
        """The answer in one line."""
        if not self.report.passed:
            return f"{self.file} is {self.reason}"
        known = []
        if self.compared:
            known.append(f"it is {', '.join(entry.id for entry in self.compared.matches)}")
        if self.question.expected.pcrs:
            known.append("its registers are those expected")
        if self.question.expected.signer:
            known.append("it is signed as expected")
        return ", and ".join([f"{self.file} is sound: every known reader sees the same image", *known])

    def result(self) -> Result:
        """Return the whole answer."""
        from nitroctl.checks import Outcome

        report, measured = self.report, self.measured
        view: list[Block] = [
            Headline(self.sentence, Outcome.PASS if report.passed else Outcome.FAIL),
            *self._facts(),
            *_told(report, measurable=measured.measurable),
            *([] if measured.measurable else views(measured)),
            Text(""),
            Text(_counts(report), "dim"),
        ]
        return Result(
            schema="eif.verify/1",
            data=self.data(),
            view=view,
            refused=not report.passed,
            notes=self.question.notes if report.passed else [],
            report=report,
            subject=self.file,
        )

    def data(self, *, every: bool = True) -> dict[str, object]:
        """Return the answer as JSON members (schema: eif.verify/1); without ``every`` no checks that passed."""
        from nitroctl import pcr

        question, measured = self.question, self.measured
        return {
            "file": self.file,
            "sentence": self.sentence,
            "as_of": rfc3339(question.at),
            "size_bytes": measured.size,
            "sha256": measured.sha256 or None,
            "measurable": measured.measurable,
            "pcrs": pcr.as_hex(measured.pcrs),
            "compared_with": {
                "pcrs": pcr.as_hex(question.expected.pcrs),
                "signer_pcr8": question.expected.signer.hex() if question.expected.signer else None,
                "records": question.recorded.path if question.recorded else None,
            },
            "matches": [entry.id for entry in self.compared.matches] if self.compared else [],
            "views": [] if measured.measurable else [view_json(view) for view in measured.views],
            "report": self.report.as_json(every=every),
        }

    def _facts(self) -> list[Block]:
        from nitroctl import pcr

        recorded = self.question.recorded
        rows: list[tuple[str, Value]] = [*identity(self.measured), ("as of", rfc3339(self.question.at))]
        if recorded:
            rows.append(("records", f"{recorded.path}, active entries of {recorded.what}"))
        found: list[Block] = [Fields(rows)]
        if self.measured.measurable:
            found.append(Fields(list(pcr.as_hex(self.measured.pcrs).items()), title="Measurements"))
        return found


def _compared(measured: "Measured", recorded: Recorded | None) -> "tuple[Compared | None, Report]":
    """Return how the registers stand to the records; an image without registers is like none of them."""
    from nitroctl.checks import Report, blocked, not_requested

    match = ("records.match", "Every register that an active record pins is equal")
    if recorded is None:
        return None, Report.of([not_requested(*match, "--records")])
    if not measured.measurable:
        return None, Report.of([blocked(*match, measured.report.refusals[0].id)])
    from nitroctl.records.compare import compare

    found = compare(measured.pcrs, recorded.entries, what=recorded.what)
    return found, found.report


# -- for people


def _told(report: "Report", *, measurable: bool) -> list[Block]:
    """Return what failed, then what warned; not what an image without registers blocks."""
    from nitroctl.checks import Outcome, Report

    missing = [check for check in report.refusals if check.outcome is Outcome.SKIP and measurable]
    told = [*report.having(Outcome.FAIL), *missing, *report.having(Outcome.WARN)]
    return [Text(""), Checks(Report.of(told))] if told else []


def _counts(report: "Report") -> str:
    from nitroctl.checks import Outcome

    skipped = report.having(Outcome.SKIP)
    counts = (
        (len(report.having(Outcome.FAIL)), "failed"),
        (len(report.having(Outcome.WARN)), "warned"),
        (sum(check.required for check in skipped), "blocked"),
        (sum(not check.required for check in skipped), "not asked for, or with nothing to look at"),
    )
    held = f"{len(report.having(Outcome.PASS))} of {len(report)} checks hold"
    return ", ".join([held, *(f"{count} {what}" for count, what in counts if count)]) + ". --json has them all."
