"""Give keys another policy: plan, show, ask, keep the old one, write, and see that it is there.

Nothing is written before all of it is planned and nothing is refused. From the first write on nothing is raised any
more: what became of each key is part of the answer, with the way back.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from nitroctl.checks import Report
from nitroctl.cli import kms_diff_view, kms_live, progress
from nitroctl.cli.output import asked, is_coloured, width_of
from nitroctl.errors import AwsFailed, CannotAnswer, Declined, NitroctlError, UsageError
from nitroctl.render.view import Block, Checks, Headline

if TYPE_CHECKING:
    from nitroctl.cli.kms_apply_options import Options
    from nitroctl.kms.apply import Plan, Wish
    from nitroctl.kms.document import PolicyDocument
    from nitroctl.kms.live import LiveKey


class Outcome(StrEnum):
    """What became of one key."""

    PLANNED = "planned"
    REFUSED = "refused"
    UNCHANGED = "unchanged"
    WRITTEN = "written"
    NOT_SEEN = "not-seen"
    OVERWRITTEN = "overwritten"
    UNREAD = "unread"
    FAILED = "failed"
    NOT_REACHED = "not-reached"


#: Outcomes after which the key has, or may have, another policy than before.
TOUCHED = (Outcome.WRITTEN, Outcome.NOT_SEEN, Outcome.OVERWRITTEN, Outcome.UNREAD)
#: Outcomes after which the key was seen to have the wanted policy.
DONE = (Outcome.WRITTEN, Outcome.UNCHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The policy that a key should have, and where it is from. ``text``: as it would be sent.

    ``file``: what ``kms diff`` can be given, empty when it was made here. ``checks``: what was asked of it besides.
    """

    source: str
    file: str = ""
    document: "PolicyDocument"
    text: str
    checks: Report = field(default_factory=lambda: Report(()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One key, what is planned for it, and what became of it.

    ``source``, ``file``: as of :class:`Wanted`. ``backup``: path of the policy that was replaced. ``confirmed``: KMS
    said that it took the new policy. ``found``: what the key was last seen to have. ``trouble``: why it could not be
    written, whether it was is not known, or it could not be read back.
    """

    plan: "Plan"
    source: str
    file: str
    outcome: Outcome
    backup: str = ""
    confirmed: bool = True
    found: "PolicyDocument | None" = None
    trouble: NitroctlError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of all keys. ``caller``: ARN of who asked. ``done``: every key has the wanted policy."""

    caller: str
    targets: tuple[Target, ...]

    @property
    def done(self) -> bool:
        """Whether every key was seen to have the wanted policy."""
        return all(target.outcome in DONE for target in self.targets)


Want = Callable[["LiveKey"], Wanted]


def undo(plan: "Plan", options: "Options", backup: str = "") -> str:
    """Return the command that puts the old policy back, as :meth:`Options.undo`; empty when nobody asked here can."""
    return "" if plan.no_way_back else options.undo(plan.live, backup)


def _way_back(plan: "Plan", options: "Options", backup: str = "") -> str:
    """Return the same as the end of a sentence."""
    if plan.no_way_back:
        return f"to go back: {plan.no_way_back}"
    return f"{undo(plan, options, backup)} puts it back"


def run(key: str, want: Want, options: "Options", wish: "Wish", *, at: datetime, question: str = "") -> Run:
    """Give ``key``, and its replicas where that is asked for, what ``want`` returns for each, and return what became.

    ``question``: what else is done when the answer is yes. Raises what is raised before the first write: nothing was
    changed then.
    """
    from nitroctl import aws, settings
    from nitroctl.kms import apply

    live = aws.keys.read(key, at=at)
    keys = _keys(live, options, at)
    with _locked(keys, settings.load()["lock_dir"], options):
        who = aws.identity.caller(live.region)
        targets = []
        for each in keys:
            wanted = want(each)
            plan = apply.plan(each, wanted.document, wanted.text, who=who, wish=wish, at=at)
            plan = replace(plan, report=plan.report + wanted.checks)
            targets.append(Target(plan=plan, source=wanted.source, file=wanted.file, outcome=_planned(plan)))
        if options.dry_run or any(target.outcome is Outcome.REFUSED for target in targets):
            return Run(caller=who, targets=tuple(targets))
        if any(target.outcome is Outcome.PLANNED for target in targets):
            _confirm(targets, options, question)
        return Run(caller=who, targets=tuple(_write_all(targets, options, who, at)))


def _planned(plan: "Plan") -> Outcome:
    if not plan.report.passed:
        return Outcome.REFUSED
    return Outcome.PLANNED if plan.needed else Outcome.UNCHANGED


def _keys(live: "LiveKey", options: "Options", at: datetime) -> "list[LiveKey]":
    """Return the keys to write to. Raises UsageError ``kms.replicas`` when there are others and nobody said which."""
    from nitroctl import aws

    if live.replicas and options.replicas is None:
        raise UsageError(
            f"{live.arn} is one key in several Regions, each with a policy of its own: {', '.join(live.replicas)}",
            "kms.replicas",
            ["--replicas all gives them the same policy, one after another", "--replicas none leaves them as they are"],
        )
    others = live.replicas if options.replicas == "all" else ()
    return [live, *(aws.keys.read(arn, at=at) for arn in others)]


@contextlib.contextmanager
def _locked(keys: "Sequence[LiveKey]", lock_dir: str, options: "Options") -> Iterator[None]:
    """Keep another nitroctl on this machine from the same keys. Raises CannotAnswer ``file.locked``."""
    from nitroctl import safefile
    from nitroctl.kms import backups

    where = lock_dir
    if not os.access(lock_dir, os.W_OK | os.X_OK):
        backups.prepare(options.backup_dir)
        where = options.backup_dir
        progress.note(f"{lock_dir} cannot be written to: locked in {where}, which keeps only this user's runs apart")
    with contextlib.ExitStack() as stack:
        for each in sorted(keys, key=lambda each: each.arn):
            name = f"nitroctl-kms-{each.account}-{each.region}-{each.arn.rpartition('/')[2]}.lock"
            stack.enter_context(safefile.locked(str(Path(where) / name), what=each.arn, wait=False))
        yield


def preview(targets: Sequence[Target]) -> list[Block]:
    """Return what would be written to each key, and what is to be known of it."""
    from nitroctl.checks import Outcome as Found

    blocks: list[Block] = []
    for target in targets:
        plan = target.plan
        what = kms_diff_view.counted(plan.difference)
        blocks.append(Headline(f"{plan.live.arn}, from {target.source}: {what}"))
        blocks += kms_diff_view.blocks(plan.difference)
        told = [check for check in plan.report if check.outcome in (Found.FAIL, Found.WARN)]
        if told:
            blocks.append(Checks(Report.of(told)))
    return blocks


def _confirm(targets: Sequence[Target], options: "Options", question: str) -> None:
    """Show what will be written, and ask. Raises Declined ``kms.declined``."""
    hints = ["add --yes to write it; --dry-run shows the change"]
    if not options.yes and not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise Declined("nothing was written: there is no terminal to ask on", "kms.declined", hints)
    if options.yes and asked().quiet:
        return
    from nitroctl.render.human import Screen

    colour = is_coloured(sys.stderr, asked().colour)
    sys.stderr.write(
        Screen(colour=colour, width=width_of(sys.stderr), encoding=sys.stderr.encoding).draw(preview(targets))
    )
    sys.stderr.flush()
    if options.yes:
        return
    arns = ", ".join(target.plan.live.arn for target in targets if target.outcome is Outcome.PLANNED)
    wanted, prompt = ("y", "yes"), f"Write this to {arns}{question}? [y/N] "
    if options.bypass:
        key_id = targets[0].plan.live.arn.rpartition("/")[2]
        wanted, prompt = (
            (key_id, key_id),
            f"Nobody can change it afterwards. Type the key's id, {key_id}, to write it: ",
        )
    sys.stderr.write(prompt)
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):  # the end of input leaves the cursor behind the question
        sys.stderr.write("\n")
    if answer.strip().lower() not in wanted:
        raise Declined("nothing was written: declined", "kms.declined")


def _write_all(targets: Sequence[Target], options: "Options", who: str, at: datetime) -> Iterator[Target]:
    """Write to each key that needs it, one after another, until one cannot be written."""
    touched: list[Target] = []
    stopped = False
    for target in targets:
        if stopped and target.outcome is Outcome.PLANNED:
            yield replace(target, outcome=Outcome.NOT_REACHED)
            continue
        if target.outcome is not Outcome.PLANNED:
            yield target
            continue
        try:
            done = _write(target, options, who, at)
        except NitroctlError as error:
            if not touched:
                raise
            done = replace(target, outcome=Outcome.FAILED, trouble=error)
        except BaseException:
            for each in touched:  # there will be no answer to tell of them
                progress.note(
                    f"{each.plan.live.arn} was written to before that; the old policy is {each.backup}; "
                    + _way_back(each.plan, options),
                    always=True,
                )
            raise
        touched.append(done)
        stopped = done.outcome is not Outcome.WRITTEN
        yield done


def _write(target: Target, options: "Options", who: str, at: datetime) -> Target:
    """Keep the old policy, write the new one, and read it back. Raises when nothing was written."""
    from nitroctl import aws
    from nitroctl.kms import backups, canonical, document

    plan = target.plan
    live = plan.live
    now = document.parse(aws.keys.policy(live), where=live.place())
    if canonical.digest(now) != canonical.digest(plan.before):
        raise CannotAnswer(
            f"{live.arn}: another writer changed the policy meanwhile: "
            f"{kms_diff_view.counted(canonical.difference(plan.before, now))}; nothing was written to it",
            "kms.changed-meanwhile",
            ["run it again: the new policy is then planned against what the key has now"],
        )
    backup = backups.save(options.backup_dir, live, plan.before, plan.after, who=who, at=at)
    try:
        written = aws.policies.write(
            live,
            plan.text,
            before=plan.before,
            after=plan.after,
            bypass=options.bypass,
            wait_s=options.wait_s,
            say=progress.note,
        )
    except AwsFailed as error:  # refused: the key has what it had
        with contextlib.suppress(OSError):
            Path(backup).unlink()
        told = "nothing was written: the key has the policy it had"
        raise AwsFailed(error.message, error.code, [told, *error.hints], error.details) from error
    except BaseException:
        progress.note(
            f"{live.arn}: stopped while writing: KMS may have the new policy; the old one is {backup}; "
            f"nitroctl kms show --key {live.arn} tells, {_way_back(plan, options, backup)}",
            always=True,
        )
        raise
    outcome = {
        aws.policies.Seen.NEW: Outcome.WRITTEN,
        aws.policies.Seen.OLD: Outcome.NOT_SEEN,
        aws.policies.Seen.OTHER: Outcome.OVERWRITTEN,
        aws.policies.Seen.NOTHING: Outcome.UNREAD,
    }[written.seen]
    trouble = None if outcome is Outcome.WRITTEN else written.doubt or written.unread
    return replace(
        target,
        outcome=outcome,
        backup=backup,
        confirmed=written.doubt is None,
        found=written.found,
        trouble=trouble,
    )


def notes(run: Run) -> list[str]:
    """Return what the reader must know of the keys besides."""
    second = "was judged together with it, and is not written"
    found = (note for target in run.targets for note in kms_live.notes(target.plan.live, second=second))
    return list(dict.fromkeys(found))
