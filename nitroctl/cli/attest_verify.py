"""``nitroctl attest verify``: whether a document is authentic, and whether what it attests is acceptable."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import attest_file, attest_result
from nitroctl.cli.attest_file import DocumentFile
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Fields, Headline, Text, Value

if TYPE_CHECKING:
    from nitroctl.appraisal.judge import Judgement
    from nitroctl.evidence.container import Unwrapped

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
    from nitroctl.appraisal.judge import Judge
    from nitroctl.cli import attest_options as options

    appraising = {
        "--records": records is not None,
        "--pcr": bool(pcr),
        "--nonce": nonce is not None,
        "--max-age": max_age is not None,
        "--allow-debug": allow_debug,
    }
    options.refuse_contradictions(at, appraising, authenticity_only=authenticity_only)
    judge = Judge(
        at=options.instant(at),
        chosen=at if at in {"now", "document"} else "given",
        policy=None if authenticity_only else options.policy(records, pcr, nonce, max_age, allow_debug=allow_debug),
        roots=options.roots(root),
    )
    unwrapped = attest_file.unwrap(file)
    return _result(file, unwrapped, judge.judge(unwrapped.cbor))


def _result(file: str, unwrapped: "Unwrapped", judgement: "Judgement") -> Result:
    from nitroctl.checks import Outcome

    report = judgement.report
    view: list[Block] = [
        Headline(judgement.sentence, Outcome.PASS if report.passed else Outcome.FAIL),
        *_facts(file, unwrapped, judgement),
        *attest_file.told(report),
        Text(""),
        Text(attest_file.counts(report), "dim"),
    ]
    return Result(
        schema="attest.verify/1",
        data={**attest_file.members(file, unwrapped), **judgement.as_json()},
        view=view,
        refused=not report.passed,
        notes=list(judgement.notes),
        report=report,
        subject=file,
        exports=attest_result.exports(judgement, unwrapped.cbor),
    )


def _facts(file: str, unwrapped: "Unwrapped", judgement: "Judgement") -> "list[Block]":
    """Return what was judged; what a document says that is not authentic is said to be unproven."""
    from nitroctl.cli.document import time
    from nitroctl.evidence.derived import derive

    rows = attest_file.rows(file, unwrapped)
    said: list[tuple[str, Value]] = []
    document = judgement.parsed.document
    if document:
        derived = derive(document, judgement.verified.chain.certificates)
        said += [("kind", document.kind.value), ("module id", document.module_id)]
        said += [("region", derived.region)] if derived.region else []
        said += [("document time", time(document.time) or "")]
    if not judgement.verified.report.passed:
        return [Fields(rows), *([Fields(said, title="What it says, unproven")] if said else [])]
    if judgement.root:
        said += [("root", f"{judgement.root.name}, SHA-256 {judgement.root.fingerprint}")]
    comparison = judgement.appraised.comparison if judgement.appraised else None
    if comparison:
        said += [("compared with", comparison.reference.label)]
    return [Fields([*rows, *said])]
