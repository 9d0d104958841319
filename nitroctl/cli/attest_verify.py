"""``nitroctl attest verify``: whether a document is authentic, and whether what it attests is acceptable."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import attest_file
from nitroctl.cli.attest_file import DocumentFile
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Fields, Headline, Text, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.appraisal.appraise import Appraised
    from nitroctl.appraisal.policy import Policy
    from nitroctl.checks import Report
    from nitroctl.evidence.container import Unwrapped
    from nitroctl.evidence.document import Parsed
    from nitroctl.evidence.roots import Root
    from nitroctl.evidence.verify import Verified

EXAMPLES = """
nitroctl attest verify document.cbor --records measurements.json --nonce 6e6f6e6365
nitroctl attest verify document.cbor --max-age 5m --json
nitroctl attest verify document.cbor --at document --authenticity-only
"""


def verify(
    file: DocumentFile,
    *,
    records: Annotated[
        str | None,
        typer.Option(
            "--records", help="Reference values: the active entries of this file.", metavar="FILE", show_default=False
        ),
    ] = None,
    pcr: Annotated[
        list[str] | None,
        typer.Option(
            "--pcr", help="Reference value in place of records. Repeatable; all must match.", metavar="PCR=HEX"
        ),
    ] = None,
    nonce: Annotated[
        str | None, typer.Option("--nonce", help="The nonce that was asked for, in hexadecimal.", metavar="HEX")
    ] = None,
    at: Annotated[
        str,
        typer.Option(
            "--at", help="The instant to judge at: now, document (its own time), or RFC 3339.", metavar="TIME"
        ),
    ] = "now",
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", help="Refuse a document older than this: 30s, 5m, 3h, 2d.", metavar="DURATION"),
    ] = None,
    root: Annotated[
        list[str] | None,
        typer.Option("--root", help="Accept this root in place of AWS's. Repeatable.", metavar="PEM"),
    ] = None,
    allow_debug: Annotated[
        bool, typer.Option("--allow-debug", help="Do not refuse a debug-mode enclave.", show_default=False)
    ] = False,
    authenticity_only: Annotated[
        bool,
        typer.Option("--authenticity-only", help="Ask who signed it and nothing else.", show_default=False),
    ] = False,
) -> Result:
    """Say whether an attestation document is authentic, and whether what it attests is acceptable.

    Authentic: the format, the certificate chain up to AWS's root and the signature hold at the instant asked.
    Acceptable: the registers are those of an active record (or of --pcr), not in debug mode, and the nonce and age are
    as asked. Documents outlive their certificates, which last three hours: judge a captured one with --at document.
    """
    from nitroctl.cli import attest_options as options

    appraising = {
        "--records": records is not None,
        "--pcr": bool(pcr),
        "--nonce": nonce is not None,
        "--max-age": max_age is not None,
        "--allow-debug": allow_debug,
    }
    options.refuse_contradictions(at, appraising, authenticity_only=authenticity_only)
    instant = options.instant(at)
    policy = None if authenticity_only else options.policy(records, pcr, nonce, max_age, allow_debug=allow_debug)
    roots = options.roots(root)
    unwrapped, parsed = attest_file.read(file)
    if instant is None and parsed.document:
        instant = parsed.document.time
    return _Answer(
        file=file, unwrapped=unwrapped, parsed=parsed, roots=roots, policy=policy, instant=instant, chosen=at
    ).result()


class _Answer:
    """One document judged: the reports, and the sentence they come to."""

    def __init__(
        self,
        *,
        file: str,
        unwrapped: "Unwrapped",
        parsed: "Parsed",
        roots: "tuple[Root, ...]",
        policy: "Policy | None",
        instant: "datetime | None",
        chosen: str,
    ) -> None:
        """Judge; ``instant`` is None when it is the document's time and there is no readable document."""
        from nitroctl.appraisal.appraise import appraise
        from nitroctl.cli.attest_options import now
        from nitroctl.evidence.verify import verify as verify_document

        self.file, self.unwrapped, self.parsed, self.policy = file, unwrapped, parsed, policy
        self.instant = instant
        self.chosen = {"now": "now", "document": "document"}.get(chosen, "given")
        judged_at = instant or now()  # with nothing to judge the instant does not matter
        self.verified: Verified = verify_document(parsed, roots, at=judged_at)
        self.root = self.verified.chain.root
        self.appraised: Appraised | None = None
        if policy:
            self.appraised = appraise(self.verified.report, parsed.document, self.root, policy, at=judged_at)

    @property
    def report(self) -> "Report":
        return self.verified.report + self.appraised.report if self.appraised else self.verified.report

    def sentence(self) -> str:
        """Return the answer in one line."""
        from nitroctl.cli.document import time

        words = {"now": "now", "document": "document time", "given": "as asked"}[self.chosen]
        when = f"as of {time(self.instant)} ({words})" if self.instant else "at any time"
        if not self.verified.report.passed:
            return f"refused: not authentic {when}: {attest_file.reason(self.verified.report)}"
        authentic = "authentic"
        if self.root and not self.root.aws:
            authentic = f"authentic under {self.root.name} (not an AWS root, accepted because --root names it)"
        if self.appraised is None:
            return f"{authentic}, not appraised, {when}"
        if self.appraised.report.passed:
            return f"{authentic} and acceptable {when}"
        return f"refused: {authentic} {when}, but not acceptable: {attest_file.reason(self.appraised.report)}"

    def notes(self) -> list[str]:
        """Return what a responder should know beside the answer."""
        from nitroctl.appraisal.appraise import debug_registers

        document = self.parsed.document
        notes = []
        if self.verified.only_expired:
            notes.append(
                "nothing but time stands against it: its certificates last three hours. Judge it with --at document; "
                "that proves that it was signed then, not that it is fresh"
            )
        if self.appraised and self.appraised.report.passed and self.policy and not self.policy.nonce:
            notes.append("it may be an old document played again: only --nonce shows that it answers this request")
        if self.appraised is None and document and debug_registers(document) and self.verified.report.passed:
            notes.append("the enclave runs in debug mode: the document does not say which image it is")
        return notes

    def result(self) -> Result:
        from nitroctl.checks import Outcome
        from nitroctl.cli import document as facts

        report = self.report
        sentence = self.sentence()
        view: list[Block] = [
            Headline(sentence, Outcome.PASS if report.passed else Outcome.FAIL),
            *self._facts(),
            *attest_file.told(report),
            Text(""),
            Text(attest_file.counts(report), "dim"),
        ]
        data: dict[str, object] = {
            **attest_file.members(self.file, self.unwrapped),
            "answer": sentence,
            "authentic": self.verified.report.passed,
            "acceptable": self.appraised.report.passed if self.appraised else None,
            "at": facts.time(self.instant),
            "at_chosen_by": self.chosen,
            "root": {"name": self.root.name, "sha256": self.root.fingerprint, "partition": self.root.partition}
            if self.root
            else None,
            "reference": self._reference(),
            "document": facts.as_json(self.parsed.document, self.verified.chain.certificates)
            if self.parsed.document
            else None,
            "report": report.as_json(),
        }
        return Result(
            schema="attest.verify/1",
            data=data,
            view=view,
            refused=not report.passed,
            notes=self.notes(),
            report=report,
            subject=self.file,
        )

    def _reference(self) -> dict[str, object] | None:
        from nitroctl.pcr import name

        comparison = self.appraised.comparison if self.appraised else None
        if comparison is None:
            return None
        return {
            "label": comparison.reference.label,
            "matches": comparison.accepts,
            "status": comparison.standing or "active",
            "equal": [name(index) for index in comparison.equal],
            "differing": [name(index) for index in comparison.differing],
        }

    def _facts(self) -> "list[Block]":
        """Return what was judged; what a document says that is not authentic is said to be unproven."""
        from nitroctl.cli.document import time
        from nitroctl.evidence.derived import derive

        rows = attest_file.rows(self.file, self.unwrapped)
        said: list[tuple[str, Value]] = []
        document = self.parsed.document
        if document:
            derived = derive(document, self.verified.chain.certificates)
            said += [("kind", document.kind.value), ("module id", document.module_id)]
            said += [("region", derived.region)] if derived.region else []
            said += [("document time", time(document.time) or "")]
        if not self.verified.report.passed:
            return [Fields(rows), *([Fields(said, title="What it says, unproven")] if said else [])]
        if self.root:
            said += [("root", f"{self.root.name}, SHA-256 {self.root.fingerprint}")]
        comparison = self.appraised.comparison if self.appraised else None
        if comparison:
            said += [("compared with", comparison.reference.label)]
        return [Fields([*rows, *said])]
