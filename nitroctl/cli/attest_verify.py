"""``nitroctl attest verify``: whether a document is authentic, and whether what it attests is acceptable."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import attest_file, attest_result
from nitroctl.render.result import Result, Stream
from nitroctl.render.view import Block, Fields, Headline, Text, Value

if TYPE_CHECKING:
    from nitroctl.appraisal.judge import Judge, Judgement
    from nitroctl.evidence.container import Unwrapped

EXAMPLES = """
nitroctl attest verify document.cbor --records measurements.json --nonce 6e6f6e6365
nitroctl attest verify document.cbor --policy policy.yaml --nonce 6e6f6e6365 --json
nitroctl attest verify document.cbor --at document --authenticity-only
"""


def verify(
    files: Annotated[
        list[str],
        typer.Argument(
            help="The document: raw CBOR, base64, hex, PEM-like text, or JSON around them; - is stdin. Several, a"
            " directory, a pattern, JSON Lines or tar: a line each.",
            metavar="FILE...",
        ),
    ],
    policy: Annotated[
        str | None,
        typer.Option("--policy", help="What is acceptable; the options below replace its fields.", metavar="FILE"),
    ] = None,
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
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", help="Refuse a document older than this: 30s, 5m, 3h, 2d.", metavar="DURATION"),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", help="Accept this region and no other. Repeatable.", metavar="NAME"),
    ] = None,
    partition: Annotated[
        list[str] | None,
        typer.Option(
            "--partition", help="Accept this partition and no other: aws, aws-us-gov. Repeatable.", metavar="NAME"
        ),
    ] = None,
    allow_debug: Annotated[
        bool, typer.Option("--allow-debug", help="Do not refuse a debug-mode enclave.", show_default=False)
    ] = False,
    at: Annotated[
        str,
        typer.Option(
            "--at", help="The instant to judge at: now, document (its own time), or RFC 3339.", metavar="TIME"
        ),
    ] = "now",
    root: Annotated[
        list[str] | None,
        typer.Option("--root", help="Accept this root in place of AWS's. Repeatable.", metavar="PEM"),
    ] = None,
    crl: Annotated[
        list[str] | None,
        typer.Option("--crl", help="Check revocation with this list, PEM or DER. Repeatable.", metavar="FILE"),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Hold to AWS's published text where AWS's own documents do not.", show_default=False
        ),
    ] = False,
    authenticity_only: Annotated[
        bool,
        typer.Option("--authenticity-only", help="Ask who signed it and nothing else.", show_default=False),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", help="Processes for several documents; 0: one a processor.", metavar="N"),
    ] = None,
) -> "Result | Stream":
    """Say whether an attestation document is authentic, and whether what it attests is acceptable.

    Authentic: the format, the certificate chain up to AWS's root and the signature hold at the instant asked.
    Acceptable: the registers are those of an active record (or of --pcr), not in debug mode, and all that --policy and
    the options ask for holds. Documents outlive their certificates, which last three hours: judge a captured one with
    --at document.
    """
    from nitroctl.cli import attest_options as options

    judge = options.judge(
        options.Asked(
            policy=policy,
            records=records,
            pcr=pcr or (),
            nonce=nonce,
            max_age=max_age,
            region=region or (),
            partition=partition or (),
            at=at,
            root=root or (),
            crl=crl or (),
            allow_debug=allow_debug,
            strict=strict,
            authenticity_only=authenticity_only,
        )
    )
    if jobs is not None or _many(files):
        from nitroctl.cli.attest_many import verify_many

        return verify_many(files, judge, jobs=1 if jobs is None else jobs)
    unwrapped = attest_file.unwrap(files[0])
    return _result(files[0], unwrapped, judge.judge(unwrapped.cbor))


def _many(files: list[str]) -> bool:
    from nitroctl.cli.attest_many import is_many

    return is_many(files)


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
    rows += policy_rows(judgement.by)
    if not judgement.verified.report.passed:
        return [Fields(rows), *([Fields(said, title="What it says, unproven")] if said else [])]
    if judgement.root:
        said += [("root", f"{judgement.root.name}, SHA-256 {judgement.root.fingerprint}")]
    comparison = judgement.appraised.comparison if judgement.appraised else None
    if comparison:
        said += [("compared with", comparison.reference.label)]
    return [Fields([*rows, *said])]


def policy_rows(judge: "Judge") -> "list[tuple[str, Value]]":
    """Return which policy file is applied, by its digest, and which of its fields options replaced."""
    if judge.source is None:
        return []
    rows: list[tuple[str, Value]] = [("policy", judge.source.text)]
    return [*rows, ("replaced in it", ", ".join(judge.source.overridden))] if judge.source.overridden else rows
