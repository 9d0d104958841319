"""``nitroctl kms apply``: give a key in AWS the policy in a file."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.kms_apply_options import Accept, BackupDir, Bypass, DryRun, Replicas, Wait, Yes
from nitroctl.cli.kms_live import Key, Target, Targets
from nitroctl.errors import UsageError
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from nitroctl.cli.kms_apply_run import Want
    from nitroctl.kms.document import PolicyDocument
    from nitroctl.records import Ledger

_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

EXAMPLES = f"""
nitroctl kms apply policy.json --key {_KEY} --dry-run
nitroctl kms apply policy.json --key {_KEY} --yes
nitroctl kms apply --targets targets.yaml --yes
"""


def apply(
    file: Annotated[
        str | None, typer.Argument(help="The key policy, in place of --targets; - is stdin.", metavar="[POLICY]")
    ] = None,
    *,
    key: Key = None,
    targets: Targets = None,
    target: Target = None,
    records: Annotated[
        str | None,
        typer.Option("--records", help="What --targets are for, and what registers are compared with.", metavar="FILE"),
    ] = None,
    accept: Accept = None,
    bypass: Bypass = False,
    replicas: Replicas = None,
    backup_dir: BackupDir = None,
    wait: Wait = 60,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """Give a key in AWS another policy, after looking at what it opens and whom it locks out.

    The key is read, the change shown and asked for; the old policy is kept in a file, the new one written and read
    back. Refused (exit 1) is what kms lint calls critical, what kms prove finds a way around, and a policy that the
    caller could not replace again. Nothing is written when another writer changed the policy meanwhile. With --targets
    the policy is that of all active records, as kms generate --onto makes it onto what the key has.
    """
    from nitroctl.cli import kms_apply_options as given
    from nitroctl.cli import kms_apply_run, kms_apply_view

    if targets is not None and file is not None:
        raise UsageError("POLICY and --targets are two policies", "usage.invalid", ["leave one out"])
    if targets is None and target is not None:
        raise UsageError("--target names a key of --targets, which is not given", "usage.invalid")
    options = given.options(
        accept=accept, bypass=bypass, yes=yes, dry_run=dry_run, wait=wait, backup_dir=backup_dir, replicas=replicas
    )
    at = datetime.now(UTC)
    asked, want, ledger = _of_targets(targets, target, key, records, at) if targets else _of_file(file, key, records)
    done = kms_apply_run.run(asked, want, options, options.wish(ledger), at=at)
    return kms_apply_view.result("kms.apply/1", done, options)


def _of_file(file: str | None, key: str | None, records: str | None) -> "tuple[str, Want, Ledger | None]":
    from nitroctl import records as ledgers
    from nitroctl.cli import kms_apply_run, kms_live

    if file is None or key is None:
        raise UsageError("what is to be given to which key: write POLICY and --key ARN, or --targets", "usage.invalid")
    side = kms_live.of_file(file)
    wanted = kms_apply_run.Wanted(
        source=side.where, file=side.file, document=side.document, text=compact(side.document)
    )
    return key, lambda _: wanted, None if records is None else ledgers.load(records)


def _of_targets(
    file: str, name: str | None, key: str | None, records: str | None, at: datetime
) -> "tuple[str, Want, Ledger | None]":
    from nitroctl import records as ledgers
    from nitroctl.cli import kms_made
    from nitroctl.cli.pcr_options import ledger_path
    from nitroctl.kms.generate import releases

    found, asked = kms_made.targets(file, name, key)
    ledger = ledgers.load(ledger_path(records))
    entries = releases(ledger, components=found.components, environment=found.environment, records=records)
    return asked, lambda live: kms_made.wanted(live, entries, found, file, at), ledger


def compact(document: "PolicyDocument") -> str:
    """Return a policy as it is sent: JSON without white space, of the same members."""
    import json

    return json.dumps(document.raw, separators=(",", ":"), ensure_ascii=False)
