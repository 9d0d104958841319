"""``nitroctl kms apply``: give a key in AWS the policy in a file."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.kms_apply_options import Accept, BackupDir, Bypass, DryRun, Replicas, Wait, Yes
from nitroctl.cli.kms_live import KeyOption
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from nitroctl.cli.kms_apply_run import Wanted
    from nitroctl.kms.document import PolicyDocument
    from nitroctl.kms.live import LiveKey

_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

EXAMPLES = f"""
nitroctl kms apply policy.json --key {_KEY} --dry-run
nitroctl kms apply policy.json --key {_KEY} --yes
"""


def apply(
    file: Annotated[str, typer.Argument(help="The key policy; - is stdin.", metavar="POLICY")],
    *,
    key: KeyOption,
    records: Annotated[
        str | None, typer.Option("--records", help="Compare registers with these records.", metavar="FILE")
    ] = None,
    accept: Accept = None,
    bypass: Bypass = False,
    replicas: Replicas = None,
    backup_dir: BackupDir = None,
    wait: Wait = 60,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """Give a key in AWS the policy in a file, after looking at what it opens and whom it locks out.

    The key is read, the change shown and asked for; the old policy is kept in a file, the new one written and read
    back. Refused (exit 1) is what kms lint calls critical, what kms prove finds a way around, and a policy that the
    caller could not replace again. Nothing is written when another writer changed the policy meanwhile.
    """
    from nitroctl.cli import kms_apply_options as given
    from nitroctl.cli import kms_apply_run, kms_apply_view, kms_live

    options = given.options(
        accept=accept, bypass=bypass, yes=yes, dry_run=dry_run, wait=wait, backup_dir=backup_dir, replicas=replicas
    )
    side = kms_live.of_file(file)
    ledger = None
    if records is not None:
        from nitroctl import records as ledgers

        ledger = ledgers.load(records)

    def want(_live: "LiveKey") -> "Wanted":
        return kms_apply_run.Wanted(
            source=side.where, file=side.file, document=side.document, text=compact(side.document)
        )

    done = kms_apply_run.run(key, want, options, options.wish(ledger), at=datetime.now(UTC))
    return kms_apply_view.result("kms.apply/1", done, options)


def compact(document: "PolicyDocument") -> str:
    """Return a policy as it is sent: JSON without white space, of the same members."""
    import json

    return json.dumps(document.raw, separators=(",", ":"), ensure_ascii=False)
