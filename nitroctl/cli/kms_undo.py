"""``nitroctl kms undo``: give a key the policy back that was replaced."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.kms_apply_options import Accept, BackupDir, DryRun, Replicas, Wait, Yes
from nitroctl.cli.kms_live import KeyOption
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from nitroctl.cli.kms_apply_run import Wanted
    from nitroctl.kms.backups import Backup
    from nitroctl.kms.live import LiveKey

_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

EXAMPLES = f"""
nitroctl kms undo --key {_KEY} --dry-run
nitroctl kms undo --key {_KEY} --yes
"""


def undo(
    *,
    key: KeyOption,
    from_: Annotated[
        str | None, typer.Option("--from", help="Put this kept policy back, and no other.", metavar="FILE")
    ] = None,
    accept: Accept = None,
    replicas: Replicas = None,
    backup_dir: BackupDir = None,
    wait: Wait = 60,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """Give a key the policy back that kms apply, rollout or finalize replaced.

    Taken is the newest kept policy in whose place the key's present one was put; when somebody changed the policy
    since, none fits, and --from names one. The same questions are asked as by kms apply, and what is replaced now is
    kept too, so that an undo can be undone.
    """
    from nitroctl.cli import kms_apply_options as given
    from nitroctl.cli import kms_apply_run, kms_apply_view
    from nitroctl.cli.kms_apply import compact

    options = given.options(
        accept=accept, bypass=False, yes=yes, dry_run=dry_run, wait=wait, backup_dir=backup_dir, replicas=replicas
    )
    taken: dict[str, object] = {}

    def want(live: "LiveKey") -> "Wanted":
        backup = _named(from_, live) if from_ is not None else _newest(options.backup_dir, live)
        taken[live.arn] = {"backup": backup.path, "saved_at": backup.saved_at, "saved_by": backup.saved_by}
        return kms_apply_run.Wanted(
            source=backup.path, file=backup.path, document=backup.policy, text=compact(backup.policy)
        )

    done = kms_apply_run.run(key, want, options, options.wish(), at=datetime.now(UTC))
    return kms_apply_view.result("kms.undo/1", done, options, data={"taken": taken})


def _named(path: str, live: "LiveKey") -> "Backup":
    import shlex

    from nitroctl.kms import backups

    backup = backups.load(path)
    if backup.key != live.arn:
        hint = f"--key {shlex.quote(backup.key)}"
        raise UsageError(f"{path}: kept of another key: {backup.key}", "kms.other-key", [hint])
    return backup


def _newest(where: str, live: "LiveKey") -> "Backup":
    import shlex

    from nitroctl.kms import backups

    backup = backups.replaced(where, live, live.documents()[0])
    if backup is None:
        kept = backups.of_key(where, live)
        elsewhere = "say where the replaced policies are kept: --backup-dir DIR"
        if not kept:
            raise CannotAnswer(f"{live.arn}: no policy of it is kept in {where}", "kms.nothing-to-undo", [elsewhere])
        raise CannotAnswer(
            f"{live.arn}: its present policy replaced none of the kept ones ({len(kept)} in {where})",
            "kms.nothing-to-undo",
            [
                f"the newest is {kept[0]}: nitroctl kms diff {shlex.quote(kept[0])} --key {live.arn}, then --from it",
                elsewhere,
            ],
        )
    return backup
