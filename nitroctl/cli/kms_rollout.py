"""``nitroctl kms rollout|finalize``: a recorded version becomes what a key opens to, in the key and in the records.

The key is written first, and the records follow when the key was seen to have its new policy. Whatever stops between
the two leaves a key that opens to what the records do not call active yet (rollout), or no longer to what they still
call active (finalize): in neither case is anything called accepted that the key refuses to what is new, and the same
command run again finishes the work. Records first would call a version active whose enclaves the key refuses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.kms_apply_options import Accept, BackupDir, DryRun, Replicas, Wait, Yes
from nitroctl.cli.kms_live import Key, Target
from nitroctl.cli.pcr_options import EntryName, Records
from nitroctl.errors import CannotAnswer, NitroctlError, UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Headline, Table

if TYPE_CHECKING:
    from nitroctl.cli.kms_apply_options import Options
    from nitroctl.cli.kms_apply_run import Run
    from nitroctl.kms.targets_file import KeyTargets
    from nitroctl.records import Entry, Ledger, Step

EXAMPLES = {
    "rollout": """
nitroctl kms rollout signer-1.4.3@prod --targets targets.yaml --dry-run
nitroctl kms rollout signer-1.4.3@prod --targets targets.yaml --yes
""",
    "finalize": """
nitroctl kms finalize signer-1.4.3@prod --targets targets.yaml --dry-run
nitroctl kms finalize signer-1.4.3@prod --targets targets.yaml --yes
""",
}

_Take = Callable[["Ledger", "Entry", datetime], "tuple[Step, ...]"]
TargetsOption = Annotated[
    str,
    typer.Option("--targets", help="Roles, context and releases of keys: YAML or JSON.", metavar="FILE"),
]


def rollout(
    entry: EntryName,
    *,
    targets: TargetsOption,
    target: Target = None,
    key: Key = None,
    records: Records = None,
    accept: Accept = None,
    replicas: Replicas = None,
    backup_dir: BackupDir = None,
    wait: Wait = 60,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """Open a key to a candidate beside what it is open to, then make the candidate active in the records.

    The policy is made as kms generate --onto makes it: of all active versions and this one, onto what the key has, so
    that statements of yours stay. It is judged, shown, kept and seen as by kms apply. The records change only when the
    key was seen to have it. Then replace what runs, and kms finalize.
    """
    from nitroctl.cli import kms_apply_options as given
    from nitroctl.records import lifecycle

    options = given.options(
        accept=accept, bypass=False, yes=yes, dry_run=dry_run, wait=wait, backup_dir=backup_dir, replicas=replicas
    )
    asked = _Asked(entry, targets, target, key, records, options)
    return _carried_out("rollout", lifecycle.rollout, asked)


def finalize(
    entry: EntryName,
    *,
    targets: TargetsOption,
    target: Target = None,
    key: Key = None,
    records: Records = None,
    accept: Accept = None,
    replicas: Replicas = None,
    backup_dir: BackupDir = None,
    wait: Wait = 60,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """Close a key to every other active version of the same component, then retire those in the records.

    ENTRY is the one that stays. Enclaves of the others cannot use the key from then on: replace what runs first. The
    rest is as by kms rollout.
    """
    from nitroctl.cli import kms_apply_options as given
    from nitroctl.records import lifecycle

    options = given.options(
        accept=accept, bypass=False, yes=yes, dry_run=dry_run, wait=wait, backup_dir=backup_dir, replicas=replicas
    )
    asked = _Asked(entry, targets, target, key, records, options)
    return _carried_out("finalize", lifecycle.finalize, asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was given: the version, the file of targets and the key in it, the key, the records; and how to write."""

    entry: str
    targets: str
    target: str | None
    key: str | None
    records: str | None
    options: "Options"

    def told(self, hint: str) -> str:
        """Return what to do of a step in the records as it is done here: with the key, and the options given."""
        import re
        import shlex

        among = [] if self.records is None else ["--records", self.records]
        words = ["--targets", self.targets]
        words += [] if self.target is None else ["--target", self.target]
        words += [] if self.key is None else ["--key", self.key]
        words += among
        words += ["--backup-dir", self.options.backup_dir] if self.options.own_backup_dir else []
        words += [] if self.options.replicas is None else ["--replicas", self.options.replicas]
        with_key, looked = shlex.join(words), "".join(f" {word}" for word in map(shlex.quote, among))
        hint = re.sub(r"nitroctl pcr (?:rollout|finalize) \S+", lambda told: f"{told[0]} {with_key}", hint)
        hint = re.sub(r"nitroctl pcr (?=rollout|finalize)", "nitroctl kms ", hint)
        return re.sub(r"nitroctl pcr (?:list|show \S+)", lambda told: f"{told[0]}{looked}", hint)


@dataclass(frozen=True, slots=True)
class _Planned:
    """What a verb is about to do: ``steps`` in the records, after which ``entries`` are what the key opens to."""

    chosen: "Entry"
    found: "KeyTargets"
    steps: "tuple[Step, ...]"
    entries: "tuple[Entry, ...]"

    @property
    def changed(self) -> "list[Step]":
        """The steps that change something."""
        return [step for step in self.steps if not step.unchanged]


def _carried_out(verb: str, take: _Take, asked: _Asked) -> Result:
    from nitroctl import records as ledgers
    from nitroctl.cli import kms_apply_run, kms_apply_view, kms_made
    from nitroctl.cli.pcr_options import ledger_path, one
    from nitroctl.records.lifecycle import changed

    at, path, options = datetime.now(UTC), ledger_path(asked.records), asked.options
    found, key = kms_made.targets(asked.targets, asked.target, asked.key)
    ledger = ledgers.load(path)
    try:
        chosen = one(ledger, asked.entry, path)
        steps = take(ledger, chosen, at)
    except CannotAnswer as error:
        hints = [asked.told(hint) for hint in error.hints]
        raise CannotAnswer(error.message, error.code, hints, error.details) from error
    after = ledger.replacing(changed(steps))
    planned = _Planned(chosen, found, steps, _releases(after, chosen, found, asked.records))
    if not options.dry_run:
        _require_writable(path)
    done = kms_apply_run.run(
        key,
        lambda live: kms_made.wanted(live, planned.entries, found, asked.targets, at),
        options,
        options.wish(after),
        at=at,
        question=_question(verb, planned, path),
    )
    trouble: list[NitroctlError] = []
    follow = done.done and not options.dry_run
    if follow:
        try:
            ledgers.change(path, lambda now: _again(now, planned, take(now, one(now, chosen.id, path), at), path))
        except NitroctlError as error:
            trouble.append(_left(error, path, asked))
    written = follow and not trouble
    return kms_apply_view.result(
        f"kms.{verb}/1",
        done,
        options,
        data={
            "releases": [entry.id for entry in planned.entries],
            "ledger": {
                "records": path,
                "written": written and bool(planned.changed),
                "changed": [_step(step) for step in planned.changed],
            },
        },
        view=_view(planned, path, done, written=written, dry_run=options.dry_run),
        trouble=trouble,
        notes=_notes(planned, path, done, written=written),
    )


def _step(step: "Step") -> dict[str, object]:
    before = step.before.status.value if step.before else None
    return {"entry": step.after.id, "before": before, "after": step.after.status.value}


def _releases(after: "Ledger", chosen: "Entry", found: "KeyTargets", records: str | None = None) -> "tuple[Entry, ...]":
    """Return the versions that the key is to open to, ``chosen`` among them. Raises UsageError ``kms.not-of-key``."""
    from nitroctl.kms.generate import releases

    components = found.components or (chosen.component,)
    environment = found.environment or chosen.environment
    if chosen.component not in components or chosen.environment != environment:
        raise UsageError(
            f"{chosen.id} is not what the key is for: {', '.join(components)} in {environment}",
            "kms.not-of-key",
            ["name another entry, or another key of the targets: --target NAME"],
        )
    return releases(after, components=components, environment=environment, records=records)


def _require_writable(path: str) -> None:
    """Refuse before the key is written when the records could not follow. Raises CannotAnswer ``file.unwritable``."""
    import errno
    import os
    from pathlib import Path

    from nitroctl import safefile

    if not os.access(Path(os.path.realpath(path)).parent, os.W_OK | os.X_OK):
        error = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        raise safefile.cannot_write(path, error) from error


def _again(now: "Ledger", planned: _Planned, steps: "tuple[Step, ...]", path: str) -> "tuple[Step, ...]":
    """Return ``steps`` of the records as they are now, when they lead to what the key was written for."""
    from nitroctl.records.lifecycle import changed

    if _releases(now.replacing(changed(steps)), planned.chosen, planned.found) != planned.entries or changed(
        steps
    ) != changed(planned.steps):
        raise CannotAnswer(
            f"{path}: changed by somebody else meanwhile", "kms.records-changed", ["look at it: nitroctl pcr list"]
        )
    return steps


def _left(error: NitroctlError, path: str, asked: _Asked) -> NitroctlError:
    """Return the error of records that did not follow the key, with what that means."""
    hints = [
        f"the key has its new policy, and {path} has not followed",
        "run the same command again: it leaves the key as it is where that fits the records",
        *(asked.told(hint) for hint in error.hints),
    ]
    return CannotAnswer(error.message, error.code, hints, error.details)


def _question(verb: str, planned: _Planned, path: str) -> str:
    names = ", ".join(step.after.id for step in planned.changed)
    what = "make active" if verb == "rollout" else "retire"
    return f" and {what} {names} in {path}" if names else ""


def _view(planned: _Planned, path: str, done: "Run", *, written: bool, dry_run: bool) -> list[Block]:
    from nitroctl.cli.kms_apply_run import Outcome

    steps = planned.changed
    if not steps:
        return [Headline(f"{path} says so already")]
    rows = [(step.after.id, step.before.status.value if step.before else "", step.after.status.value) for step in steps]
    if written:
        return [Headline(f"{path} follows"), Table(("version", "was", "is"), rows)]
    if dry_run:
        return [Headline(f"{path} would follow"), Table(("version", "is", "would be"), rows)]
    late = any(target.outcome in (Outcome.NOT_SEEN, Outcome.UNREAD) for target in done.targets)
    finish = ": the same command, run again, looks at the key and finishes it" if late else ""
    return [Headline(f"{path} was not changed{finish}")]


def _notes(planned: _Planned, path: str, done: "Run", *, written: bool) -> list[str]:
    """Return that an undo is of the key alone, where one is offered and the records have changed."""
    from nitroctl.cli.kms_apply_run import TOUCHED

    offered = any(target.outcome in TOUCHED for target in done.targets)
    told = f"nitroctl kms undo puts the key's policy back, and leaves {path} as it is now"
    return [told] if written and planned.changed and offered else []
