"""``nitroctl attest``: what a captured attestation document is, whether it is authentic, and whether acceptable."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.tree import noun, verb
from nitroctl.errors import CannotAnswer
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Text, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.appraisal.appraise import Appraised
    from nitroctl.appraisal.policy import Policy
    from nitroctl.checks import Report
    from nitroctl.evidence.certificate import Certificate
    from nitroctl.evidence.container import Unwrapped
    from nitroctl.evidence.document import Parsed
    from nitroctl.evidence.roots import Root
    from nitroctl.evidence.verify import Verified

app = noun("Show and verify captured attestation documents, offline.")

_File = Annotated[
    str,
    typer.Argument(
        help="The document: raw CBOR, base64, hex, PEM-like text, or JSON around them; - is stdin.", metavar="FILE"
    ),
]


@verb(
    app,
    "show",
    """
nitroctl attest show document.cbor
nitroctl attest show document.cbor --json
""",
)
def show(file: _File) -> Result:
    """Show what an attestation document says, without verifying any of it.

    Nothing shown is proven: anybody can write a document that shows the same. nitroctl attest verify says whether it
    is authentic.
    """
    from nitroctl.checks import Outcome
    from nitroctl.cli import document as facts

    unwrapped, parsed = _open(file)
    links = _certificates(parsed)
    document = parsed.document
    data: dict[str, object] = {
        **_file_members(file, unwrapped),
        "verified": False,
        "well_formed": parsed.report.passed,
        "document": facts.as_json(document, links) if document else None,
        "certificates": facts.certificates_json(links),
        "report": parsed.report.as_json(),
    }
    if parsed.report.passed:
        headline = Headline("parsed, not verified: nitroctl attest verify says whether it is authentic", Outcome.WARN)
    else:
        headline = Headline(f"not a well-formed attestation document: {_reason(parsed.report)}", Outcome.FAIL)
    view: list[Block] = [
        headline,
        Fields(_file_rows(file, unwrapped)),
        *(facts.blocks(document, links) if document else ()),
        *_told(parsed.report),
    ]
    return Result(
        schema="attest.show/1",
        data=data,
        view=view,
        refused=not parsed.report.passed,
        report=parsed.report,
        subject=file,
    )


@verb(
    app,
    "verify",
    """
nitroctl attest verify document.cbor --records measurements.json --nonce 6e6f6e6365
nitroctl attest verify document.cbor --max-age 5m --json
nitroctl attest verify document.cbor --at document --authenticity-only
""",
)
def verify(
    file: _File,
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
    unwrapped, parsed = _open(file)
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
            return f"refused: not authentic {when}: {_reason(self.verified.report)}"
        authentic = "authentic"
        if self.root and not self.root.aws:
            authentic = f"authentic under {self.root.name} (not an AWS root, accepted because --root names it)"
        if self.appraised is None:
            return f"{authentic}, not appraised, {when}"
        if self.appraised.report.passed:
            return f"{authentic} and acceptable {when}"
        return f"refused: {authentic} {when}, but not acceptable: {_reason(self.appraised.report)}"

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
            *_told(report),
            Text(""),
            Text(_counts(report), "dim"),
        ]
        data: dict[str, object] = {
            **_file_members(self.file, self.unwrapped),
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

        rows = _file_rows(self.file, self.unwrapped)
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


def _told(report: "Report") -> "list[Block]":
    """Return what people see of the checks: what failed, then what warned; not what those blocked."""
    from nitroctl.checks import Outcome, Report

    told = [*report.having(Outcome.FAIL), *report.having(Outcome.WARN)]
    return [Text(""), Checks(Report.of(told))] if told else []


def _counts(report: "Report") -> str:
    """Return how many checks came to what, and what nobody asked for."""
    from nitroctl.checks import Outcome

    skipped = report.having(Outcome.SKIP)
    counts = (
        (len(report.having(Outcome.FAIL)), "failed"),
        (len(report.having(Outcome.WARN)), "warned"),
        (sum(check.required for check in skipped), "blocked by those that failed"),
    )
    parts = [f"{len(report.having(Outcome.PASS))} of {len(report)} checks hold"]
    parts += [f"{count} {what}" for count, what in counts if count]
    not_made = ", ".join(_NOT_MADE.get(check.id, check.id) for check in skipped if not check.required)
    return (
        ". ".join([", ".join(parts), *([f"Not checked: {not_made}"] if not_made else []), "--json has them all"]) + "."
    )


_NOT_MADE = {
    "chain.revocation": "revocation (AWS's text says not to)",
    "freshness.nonce": "the nonce (--nonce)",
    "freshness.age": "the age (--max-age)",
}


def _reason(report: "Report") -> str:
    """Return the gravest refusal's sentence; that a period is over says less than anything else."""
    from nitroctl.checks import Outcome

    failed = [check for check in report.refusals if check.outcome is Outcome.FAIL]
    of_time = ("chain.begun", "chain.unexpired")
    gravest = min(failed, key=lambda check: check.id in of_time)
    return gravest.detail


def _open(file: str) -> "tuple[Unwrapped, Parsed]":
    from nitroctl import safefile
    from nitroctl.evidence import container, document

    raw = safefile.read_bytes(file, limit=container.MAX_FILE)
    try:
        unwrapped = container.unwrap(raw)
    except CannotAnswer as error:
        name = "standard input" if file == safefile.STDIN else file
        raise CannotAnswer(f"{name}: {error.message}", error.code, error.hints) from error
    return unwrapped, document.parse(unwrapped.cbor)


def _certificates(parsed: "Parsed") -> "tuple[Certificate, ...]":
    """Return the chain's certificates when each can be read, else none."""
    from nitroctl.evidence import certificate

    try:
        return tuple(certificate.load(der) for der in parsed.document.chain) if parsed.document else ()
    except certificate.CertificateFault:
        return ()


def _file_members(file: str, unwrapped: "Unwrapped") -> dict[str, object]:
    import hashlib

    return {
        "file": file,
        "encoding": unwrapped.encoding,
        "size_bytes": len(unwrapped.cbor),
        "sha256": hashlib.sha256(unwrapped.cbor).hexdigest(),
    }


def _file_rows(file: str, unwrapped: "Unwrapped") -> list[tuple[str, Value]]:
    import hashlib

    return [
        ("file", f"{file}, {unwrapped.encoding}, {len(unwrapped.cbor)} bytes of CBOR"),
        ("SHA-256", hashlib.sha256(unwrapped.cbor).hexdigest()),
    ]
