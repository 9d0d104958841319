"""``nitroctl pcr verify``: whether the file of recorded measurements is in order, and a legal successor of another."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import pcr_verify_bundle
from nitroctl.cli.pcr_options import ledger_path
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline

if TYPE_CHECKING:
    from nitroctl.checks import Check
    from nitroctl.records import Ledger
    from nitroctl.records.quick import Known

EXAMPLES = """
nitroctl pcr verify --key ledger.pub
git show origin/main:measurements.json | nitroctl pcr verify --against - --format github
nitroctl pcr verify --bundle ledger.sigstore.json --identity ci@example.com --issuer https://accounts.example.com
"""


def verify(
    file: Annotated[
        str | None,
        typer.Argument(help="The file of recorded measurements; the setting otherwise.", metavar="[FILE]"),
    ] = None,
    *,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", help="The file as it was: nothing of it may be rewritten; - is stdin.", metavar="OLD"
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The file is signed by this key: P-384 or Ed25519, public (PEM).", metavar="PEM"),
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option(
            "--signature", help="With --key: the signature; otherwise the file's name and .sig.", metavar="FILE"
        ),
    ] = None,
    bundle: pcr_verify_bundle.Bundle = None,
    identity: pcr_verify_bundle.Identity = None,
    issuer: pcr_verify_bundle.Issuer = None,
    trusted_root: pcr_verify_bundle.TrustedRoot = None,
    entry: pcr_verify_bundle.EntryOption = None,
    predicate_type: pcr_verify_bundle.PredicateType = None,
) -> Result:
    """Say whether a file of recorded measurements is in order, and what another may have become.

    In order: it is read strictly, keeps every rule, and is written in the one canonical form. With --against: nothing
    that OLD recorded is gone or changed, and statuses only went forward. With --key: pcr sign, or openssl, signed these
    bytes with that key. A file that cannot be read is no answer (exit 3).

    With --bundle: who signed is --identity, vouched for by --issuer, and what is signed or attested is this file
    (cosign sign-blob, actions/attest), or the image of --entry (what pcr export printed, too). It needs the optional
    dependency sigstore (pip install 'nitroctl[sigstore]') and no network.
    """
    from nitroctl import records
    from nitroctl.checks import Outcome, Report
    from nitroctl.records import history

    path = ledger_path(file)
    if path == against == "-":
        raise UsageError("FILE and --against are both standard input", "usage.invalid", ["name one of them"])
    if signature is not None and key is None:
        raise UsageError("--signature is verified with a key", "usage.invalid", ["add --key PEM"])
    if key is not None and path == "-" and signature is None:
        raise UsageError("standard input has no signature beside it", "usage.invalid", ["add --signature FILE"])
    asked = pcr_verify_bundle.Asked(
        bundle=bundle,
        identity=identity,
        issuer=issuer,
        trusted_root=trusted_root,
        entry=entry,
        predicate_type=predicate_type,
    )
    asked.require(path, against, key, signature)
    known: Known = {}
    checks, ledger, text = _canonical(path, known)
    report, notes = Report.of(checks), list[str]()
    if key is not None:
        from nitroctl.records import signature as signatures

        signed = signatures.check(text.encode("utf-8"), signature or f"{path}.sig", key)
        report += Report.of([signed])
    vouched = None
    if bundle is not None:
        vouched = pcr_verify_bundle.answer(asked, text.encode("utf-8"), ledger, path)
        report += Report.of(vouched.judged.checks)
        notes += vouched.notes
    if against is not None:
        before = _before(against, known)
        if not len(before):
            notes.append(f"{_called(against)} records nothing: there was nothing to rewrite")
        report += history.compare(before, ledger, since=_called(against))
    counts = {status.value: len(ledger.select(status=status)) for status in records.Status}
    if report.passed:
        headline = Headline(
            f"yes: {path} is in order"
            + (f" and follows {_called(against)}" if against else "")
            + (f"; {vouched.said}" if vouched else ""),
            Outcome.PASS,
        )
    else:
        headline = Headline(f"no: {path}: {report.refusals[0].detail or report.refusals[0].title}", Outcome.FAIL)
    view: list[Block] = [
        headline,
        Fields(
            [
                ("entries", f"{len(ledger)}: " + ", ".join(f"{count} {status}" for status, count in counts.items())),
                *(vouched.fields if vouched else ()),
            ]
        ),
        Checks(report),
    ]
    data = {
        "records": path,
        "against": against,
        "key": key,
        "bundle": vouched.as_json() if vouched else None,
        "entries": len(ledger),
        "statuses": counts,
        "report": report.as_json(),
    }
    return Result(
        schema="pcr.verify/1", data=data, view=view, refused=not report.passed, notes=notes, report=report, subject=path
    )


def _called(path: str) -> str:
    return "standard input" if path == "-" else path


def _before(path: str, known: "Known") -> "Ledger":
    """Return the ledger that was, an empty one for an empty file. Raises CannotAnswer ``records.missing`` too.

    An empty pipe is refused: it is what a git show leaves that failed, as in a checkout without history.
    """
    from nitroctl import safefile
    from nitroctl.errors import CannotAnswer
    from nitroctl.records import Ledger, form, store

    text = safefile.read_text(path, limit=store.SIZE_LIMIT)
    if text:
        return form.loads(text, where=_called(path), known=known)
    if path == safefile.STDIN and _stdin_is_pipe():
        raise CannotAnswer(
            "standard input is empty: what was to write the file as it was has failed, or there was none",
            "records.missing",
            [
                "fetch the whole history, and see that the command in front succeeds",
                "where there was none: < /dev/null",
            ],
        )
    return Ledger()


def _stdin_is_pipe() -> bool:
    import os
    import stat

    from nitroctl import safefile

    try:
        return stat.S_ISFIFO(os.fstat(safefile.open_stdin().fileno()).st_mode)
    except (OSError, ValueError):  # no descriptor: nothing of the shell's
        return False


def _canonical(path: str, known: "Known") -> "tuple[list[Check], Ledger, str]":
    """Return whether the file at ``path`` has the canonical form, its ledger and text. Raises what reading raises."""
    from nitroctl import safefile
    from nitroctl.checks import Check, Outcome
    from nitroctl.records import form, store

    text = safefile.read_text(path, limit=store.SIZE_LIMIT)
    ledger = form.loads(text, where=path, known=known)
    detail = ""
    if not form.is_canonical(text, ledger):
        ours, theirs = form.dumps(ledger).splitlines(), text.splitlines()
        line = next((n for n, pair in enumerate(zip(ours, theirs, strict=False), 1) if pair[0] != pair[1]), None)
        detail = f"line {line} would be written otherwise" if line else "its end would be written otherwise"
    check = Check(
        id="records.canonical",
        title="The file is written in the canonical form",
        outcome=Outcome.FAIL if detail else Outcome.PASS,
        detail=detail,
        remedy="let nitroctl write it: nitroctl pcr merge FILE FILE FILE" if detail else None,
    )
    return [check], ledger, text
