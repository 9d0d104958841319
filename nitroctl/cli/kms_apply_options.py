"""The options of the verbs that give a key another policy, and what they were given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.errors import UsageError

if TYPE_CHECKING:
    from nitroctl.kms.apply import Wish
    from nitroctl.kms.live import LiveKey
    from nitroctl.records import Ledger

Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        help="Write in spite of this: a rule of kms lint, or proof for what kms prove finds. Repeatable.",
        metavar="RULE",
    ),
]
Bypass = Annotated[
    bool,
    typer.Option(
        "--bypass-lockout-check",
        help="The policy is meant to be final: nobody can replace it, and KMS is told not to ask.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Write without asking.", show_default=False)]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.", show_default=False)
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        help="How long to wait for new roles to be known, and for the new policy to be seen.",
        metavar="SECONDS",
        min=0,
        max=600,
    ),
]
BackupDir = Annotated[
    str | None,
    typer.Option(
        "--backup-dir",
        help="Where the replaced policy is kept; ~/.local/state/nitroctl/key-policies otherwise.",
        metavar="DIR",
    ),
]
Replicas = Annotated[
    str | None,
    typer.Option(
        "--replicas", help="Of a key in several Regions: all, one after another, or none but this.", metavar="WHICH"
    ),
]
_WHICH = ("all", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was given. ``backup_dir``: where replaced policies are kept; ``own_backup_dir``: somebody said so."""

    accept: Sequence[str]
    bypass: bool
    yes: bool
    dry_run: bool
    wait_s: float
    backup_dir: str
    own_backup_dir: bool
    replicas: str | None

    def wish(self, ledger: "Ledger | None" = None) -> "Wish":
        """Return how the new policy is to be judged."""
        from nitroctl.kms.apply import Wish

        return Wish(accepted=tuple(self.accept), bypass=self.bypass, ledger=ledger)

    def undo(self, live: "LiveKey", backup: str = "") -> str:
        """Return the command that puts the policy of a key back, from where this one keeps it; of a replica, only that.

        ``backup``: the file to take. Without one undo takes the policy in whose place the key's present one was put,
        which is another when KMS still shows the one before.
        """
        import shlex

        words = ["nitroctl", "kms", "undo", "--key", live.arn]
        words += ["--from", backup] if backup else []
        words += ["--backup-dir", self.backup_dir] if self.own_backup_dir else []
        words += ["--replicas", "none"] if live.replicas else []
        return shlex.join(words)


def options(
    *,
    accept: Sequence[str] | None,
    bypass: bool,
    yes: bool,
    dry_run: bool,
    wait: float,
    backup_dir: str | None,
    replicas: str | None,
) -> Options:
    """Return the options as given. Raises UsageError ``usage.invalid``, ``kms.rule``; CannotAnswer without a home."""
    import os

    from nitroctl.kms import backups

    if replicas is not None and replicas not in _WHICH:
        raise UsageError(f"--replicas: not one of {', '.join(_WHICH)}: {replicas!r}", "usage.invalid")
    if wait != wait:  # noqa: PLR0124  (not a number, which is in every range for the parser)
        raise UsageError("--wait: not a number of seconds: nan", "usage.invalid")
    return Options(
        accept=[_accepted(text) for text in accept or []],
        bypass=bypass,
        yes=yes,
        dry_run=dry_run,
        wait_s=wait,
        backup_dir=backups.directory(os.environ) if backup_dir is None else backup_dir,
        own_backup_dir=backup_dir is not None,
        replicas=replicas,
    )


def _accepted(text: str) -> str:
    from nitroctl.kms.apply import PROOF
    from nitroctl.kms.lint_rules import RULES

    if text.strip().lower() == PROOF:
        return PROOF
    number = text.strip().partition(".")[0].upper()
    if number not in RULES:
        raise UsageError(f"--accept: no such rule: {text!r}", "kms.rule", [f"write KP001 to KP052, or {PROOF}"])
    return number
