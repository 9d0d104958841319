"""``nitroctl eif verify``: whether an image is sound, and whether it is the one expected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.eif_view import ImageFile, identity, time, view_json, views
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Text, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.checks import Report
    from nitroctl.eif.measure import Measured
    from nitroctl.eif.verify import Expected
    from nitroctl.records import Ledger
    from nitroctl.records.compare import Compared

EXAMPLES = """
nitroctl eif verify image.eif
nitroctl eif verify image.eif --records measurements.json --component signer --environment prod
nitroctl eif verify image.eif --signed-by certificate.pem --format github
"""
_PEM_LIMIT = 64 * 1024


def verify(
    file: ImageFile,
    pcr: Annotated[
        list[str] | None,
        typer.Option("--pcr", help="Require this register. Repeatable; all must match.", metavar="PCR=HEX"),
    ] = None,
    records: Annotated[
        str | None,
        typer.Option(
            "--records",
            help="Require the registers of an active entry of this file.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    component: Annotated[
        str | None, typer.Option("--component", help="Only entries of this component.", metavar="NAME")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="Only entries for this environment.", metavar="NAME")
    ] = None,
    signed_by: Annotated[
        str | None,
        typer.Option(
            "--signed-by", help="Require this signing certificate: a PEM file, or its PCR8.", metavar="PEM|PCR8"
        ),
    ] = None,
    at: Annotated[
        str, typer.Option("--at", help="The instant to judge the certificate at: now, or RFC 3339.", metavar="TIME")
    ] = "now",
) -> Result:
    """Say whether an image is sound: every reader sees the same one, and nitro-cli takes it.

    The header's table and the section sizes must lead to the same image; checksum, metadata and signature must hold,
    and the signing certificate must be within its dates. Otherwise the answer is no, and what each kind of reader would
    compute is shown. Whose image it is takes something to compare with: --pcr, --records or --signed-by.
    """
    if pcr and (records or component or environment):
        raise UsageError("--pcr and --records exclude each other", "usage.invalid", ["leave one of the two out"])
    question = _Question(
        at=_instant(at), expected=_expected(pcr or (), signed_by), recorded=_recorded(records, component, environment)
    )
    return question.answer(file)


# -- what is asked


@dataclass(frozen=True, slots=True)
class _Recorded:
    """The entries to compare with: of which file, and in words which of it."""

    path: str
    entries: "Ledger"
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is asked of an image. ``at``: aware. ``recorded``: None when no record was asked for."""

    at: "datetime"
    expected: "Expected"
    recorded: _Recorded | None

    def answer(self, file: str) -> Result:
        """Return the answer about one image file. Raises CannotAnswer as :func:`nitroctl.eif.verify.verify`."""
        from nitroctl.checks import Outcome
        from nitroctl.eif.verify import verify as verify_image

        verified = verify_image(file, at=self.at, expected=self.expected)
        measured = verified.measured
        compared, recorded = _compared(measured, self.recorded)
        report = verified.report + recorded
        sentence = self._sentence(file, report, compared)
        asked = self.recorded or self.expected.pcrs or self.expected.signer
        view: list[Block] = [
            Headline(sentence, Outcome.PASS if report.passed else Outcome.FAIL),
            *self._facts(measured),
            *_told(report, measurable=measured.measurable),
            *([] if measured.measurable else views(measured)),
            Text(""),
            Text(_counts(report), "dim"),
        ]
        return Result(
            schema="eif.verify/1",
            data=self._data(file, sentence, measured, report, compared),
            view=view,
            refused=not report.passed,
            notes=[_NOT_ASKED] if report.passed and not asked else [],
            report=report,
            subject=file,
        )

    def _sentence(self, file: str, report: "Report", compared: "Compared | None") -> str:
        if not report.passed:
            about_expected = all(check.id.startswith(_EXPECTATIONS) for check in report.refusals)
            what = "sound, but not the image expected" if about_expected else "refused"
            return f"{file} is {what}: {report.refusals[0].detail}"
        known = []
        if compared:
            known.append(f"it is {', '.join(entry.id for entry in compared.matches)}")
        if self.expected.pcrs:
            known.append("its registers are those expected")
        if self.expected.signer:
            known.append("it is signed as expected")
        return ", and ".join([f"{file} is sound: every known reader sees the same image", *known])

    def _facts(self, measured: "Measured") -> list[Block]:
        from nitroctl import pcr

        rows: list[tuple[str, Value]] = [*identity(measured), ("as of", time(self.at))]
        if self.recorded:
            rows.append(("records", f"{self.recorded.path}, active entries of {self.recorded.what}"))
        found: list[Block] = [Fields(rows)]
        if measured.measurable:
            found.append(Fields(list(pcr.as_hex(measured.pcrs).items()), title="Measurements"))
        return found

    def _data(
        self, file: str, sentence: str, measured: "Measured", report: "Report", compared: "Compared | None"
    ) -> dict[str, object]:
        from nitroctl import pcr

        return {
            "file": file,
            "sentence": sentence,
            "as_of": time(self.at),
            "size_bytes": measured.size,
            "sha256": measured.sha256 or None,
            "measurable": measured.measurable,
            "pcrs": pcr.as_hex(measured.pcrs),
            "compared_with": {
                "pcrs": pcr.as_hex(self.expected.pcrs),
                "signer_pcr8": self.expected.signer.hex() if self.expected.signer else None,
                "records": self.recorded.path if self.recorded else None,
            },
            "matches": [entry.id for entry in compared.matches] if compared else [],
            "views": [] if measured.measurable else [view_json(view) for view in measured.views],
            "report": report.as_json(),
        }


_NOT_ASKED = "whose image it is was not asked; compare it with --pcr, --records or --signed-by"
#: The ids of the checks about which image it is, not whether it is sound.
_EXPECTATIONS = ("measurement.", "records.", "eif.signed-by")


def _instant(text: str) -> "datetime":
    from nitroctl.cli import attest_options

    try:
        found = attest_options.instant(text)
    except UsageError:
        found = None
    if found is None:  # an image has no time of its own
        raise UsageError(
            f"--at: neither now nor an RFC 3339 time: {text!r}", "usage.invalid", ["write 2026-11-20T10:00:00Z"]
        )
    return found


def _expected(assignments: Sequence[str], signed_by: str | None) -> "Expected":
    from nitroctl.eif.verify import Expected
    from nitroctl.pcr import name, parse_assignment

    registers: dict[int, bytes] = {}
    for text in assignments:
        index, value = parse_assignment(text)
        if registers.setdefault(index, value) != value:
            raise UsageError(f"--pcr: {name(index)} is given two values", "usage.invalid")
    return Expected(pcrs=registers, signer=_signer(signed_by) if signed_by else None)


def _signer(text: str) -> bytes:
    """Return the PCR8 that ``--signed-by`` means: itself, or that of a certificate file."""
    from nitroctl import pcr, safefile

    if len(text) == pcr.HEX_DIGITS and all(character in "0123456789abcdefABCDEF" for character in text):
        return bytes.fromhex(text)
    return pcr.for_certificate(pcr.certificate_der(safefile.read_bytes(text, limit=_PEM_LIMIT), where=text))


def _recorded(records: str | None, component: str | None, environment: str | None) -> _Recorded | None:
    """Return the entries to compare with, None when no option asks for that."""
    if records is None and component is None and environment is None:
        return None
    from nitroctl import settings
    from nitroctl.records import load

    path = settings.load({"records": records})["records"]
    what = f"{component or 'any component'} in {environment or 'any environment'}"
    return _Recorded(path, load(path).select(component, environment), what)


def _compared(measured: "Measured", recorded: _Recorded | None) -> "tuple[Compared | None, Report]":
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
