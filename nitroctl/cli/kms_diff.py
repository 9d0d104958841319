"""``nitroctl kms diff``: in what two key policies differ, or a live key's from one in a file."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.kms_live import Key, Target, Targets
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.cli.kms_live import Side
    from nitroctl.kms.live import LiveKey

_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

EXAMPLES = f"""
nitroctl kms diff policy.json --key {_KEY}
nitroctl kms diff --targets targets.yaml
nitroctl kms diff old.json new.json
"""


def diff(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="One key policy, which the live key's is compared with, or two; - is stdin.", metavar="[POLICY]..."
        ),
    ] = None,
    *,
    key: Key = None,
    targets: Targets = None,
    target: Target = None,
    records: Annotated[
        str | None, typer.Option("--records", help="The active records that --targets are for.", metavar="FILE")
    ] = None,
) -> Result:
    """Say in what two key policies differ, statement by statement: the one before it, and what it would become.

    With --key the first is the policy that the key has in AWS; with --targets the second is what kms generate --onto
    would write for it. Compared is what the policies say, not how they are written: KMS writes a policy again in its
    own way. Exit 1 when they differ.
    """
    from nitroctl.checks import Outcome
    from nitroctl.cli import kms_diff_view as view
    from nitroctl.cli import kms_live
    from nitroctl.kms import canonical

    paths = list(files or [])
    if paths.count("-") > 1:
        raise UsageError("several files are standard input", "usage.invalid", ["name one of them"])
    if targets is not None:
        before, after, notes = _of_targets(paths, targets, target, key, records)
    elif target is not None or records is not None:
        raise UsageError("--target and --records are for --targets, which is not given", "usage.invalid")
    elif len(paths) != (2 if key is None else 1):
        wanted = "two policies, or one and --key ARN" if key is None else "one policy to compare with the key's"
        raise UsageError(f"{len(paths)} policies: write {wanted}", "usage.invalid")
    else:
        after = kms_live.of_file(paths[-1])
        before, notes = (kms_live.of_file(paths[0]), []) if key is None else _of_key(key)
    difference = canonical.difference(before.document, after.document)
    same = "say the same" if difference.none else f"differ: {view.counted(difference)}"
    return Result(
        schema="kms.diff/1",
        data={"before": before.as_json(), "after": after.as_json(), "difference": view.as_json(difference)},
        view=[
            Headline(f"{before.where} and {after.where} {same}", Outcome.PASS if difference.none else Outcome.FAIL),
            *view.blocks(difference),
        ],
        refused=not difference.none,
        notes=notes,
    )


def _of_key(key: str) -> "tuple[Side, list[str]]":
    from nitroctl import aws
    from nitroctl.cli import kms_live

    live = aws.keys.read(key)
    return kms_live.of_key(live), _notes(live)


def _of_targets(
    paths: "Sequence[str]", file: str, name: str | None, key: str | None, records: str | None
) -> "tuple[Side, Side, list[str]]":
    """Return the key's policy and the one it should have. Raises UsageError when a policy is given besides."""
    from datetime import UTC, datetime

    from nitroctl import aws
    from nitroctl import records as ledgers
    from nitroctl.cli import kms_live, kms_made
    from nitroctl.cli.pcr_options import ledger_path
    from nitroctl.kms.generate import releases

    if paths:
        raise UsageError("POLICY and --targets are two policies", "usage.invalid", ["leave one out"])
    at = datetime.now(UTC)
    found, asked = kms_made.targets(file, name, key)
    ledger = ledgers.load(ledger_path(records))
    entries = releases(ledger, components=found.components, environment=found.environment, records=records)
    live = aws.keys.read(asked, at=at)
    wanted = kms_made.wanted(live, entries, found, file, at)
    return kms_live.of_key(live), kms_live.Side(wanted.source, wanted.document), _notes(live)


def _notes(live: "LiveKey") -> "list[str]":
    from nitroctl.cli import kms_live

    return kms_live.notes(live, second="is not compared here")
