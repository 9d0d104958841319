"""What ``kms apply`` and its like answer: what became of each key, and how to get back."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from nitroctl.checks import Outcome as Found
from nitroctl.checks import Report
from nitroctl.cli import kms_apply_run, kms_diff_view, kms_live
from nitroctl.cli.kms_apply_run import TOUCHED, Outcome, Run, Target
from nitroctl.errors import NitroctlError
from nitroctl.kms import canonical
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Lines

if TYPE_CHECKING:
    from nitroctl.cli.kms_apply_options import Options


def result(
    schema: str,
    run: Run,
    options: "Options",
    *,
    data: Mapping[str, object] | None = None,
    view: Sequence[Block] = (),
    trouble: Sequence[NitroctlError] = (),
    notes: Sequence[str] = (),
) -> Result:
    """Return the answer. ``data``, ``view``, ``trouble``, ``notes``: what the verb adds."""
    report = Report(tuple(check for target in run.targets for check in target.plan.report))
    planned = options.dry_run and all(target.outcome in (Outcome.PLANNED, Outcome.UNCHANGED) for target in run.targets)
    return Result(
        schema=schema,
        data={
            "dry_run": options.dry_run,
            "caller": run.caller,
            "targets": [_target(target, options) for target in run.targets],
            "report": report.as_json(),
            **(data or {}),
        },
        view=[*(block for target in run.targets for block in _blocks(target, options)), *view],
        refused=not (run.done or planned),
        report=report,
        subject=run.targets[0].file or run.targets[0].plan.live.arn,
        trouble=[*(target.trouble for target in run.targets if target.trouble is not None), *trouble],
        notes=[*kms_apply_run.notes(run), *_all_the_same(report), *notes],
    )


def _all_the_same(report: Report) -> list[str]:
    """Return the options that accept everything that refused, when all of it can be accepted."""
    from nitroctl.kms.apply import PROOF
    from nitroctl.kms.lint_rules import RULES

    refusals = list(dict.fromkeys(check.id for check in report.refusals))
    names = [PROOF if each == "apply.proof" else each.partition(".")[0].upper() for each in refusals]
    if not names or any(name != PROOF and name not in RULES for name in names):
        return []
    return [f"to write it all the same, add {' '.join(f'--accept {name}' for name in names)}"]


def _target(target: Target, options: "Options") -> dict[str, object]:
    plan, found = target.plan, target.found
    return {
        "key": plan.live.arn,
        "outcome": target.outcome.value,
        "before": kms_live.of_key(plan.live).as_json(),
        "after": kms_live.Side(target.source, plan.after).as_json(),
        "difference": kms_diff_view.as_json(plan.difference),
        "backup": target.backup or None,
        "undo": (_undo(target, options) or None) if target.outcome in TOUCHED else None,
        "found_sha256": None if found is None else canonical.digest(found),
    }


def _blocks(target: Target, options: "Options") -> list[Block]:
    plan = target.plan
    arn, counted = plan.live.arn, kms_diff_view.counted(plan.difference)
    told = Report.of(check for check in plan.report if check.outcome in (Found.FAIL, Found.WARN))
    checks: list[Block] = [Checks(told)] if len(told) else []
    match target.outcome:
        case Outcome.REFUSED:
            count = len(plan.report.refusals)
            text = f"{arn}: not written from {target.source}: {count} check{'s' if count > 1 else ''} refused it"
            return [Headline(text, Found.FAIL), *kms_diff_view.blocks(plan.difference), *checks]
        case Outcome.PLANNED if not options.dry_run:
            return [Headline(f"{arn}: not written, because another was refused: {counted}", Found.FAIL), *checks]
        case Outcome.PLANNED:
            first = Headline(f"{arn}: would be written from {target.source}: {counted}")
            return [first, *kms_diff_view.blocks(plan.difference), *checks]
        case Outcome.UNCHANGED:
            return [Headline(f"{arn} has this policy already: nothing was written", Found.PASS), *checks]
        case Outcome.FAILED | Outcome.NOT_REACHED:
            more = " any more" if target.outcome is Outcome.NOT_REACHED else ""
            return [Headline(f"{arn}: not written{more}, it has the policy it had", Found.FAIL)]
    headline, outcome = _written(target, counted, options)
    return [Headline(headline, outcome), *_instead(target), _kept(target), _ways(target, options)]


def _written(target: Target, counted: str, options: "Options") -> tuple[str, Found]:
    arn = target.plan.live.arn
    wrote = "written" if target.confirmed else "KMS did not confirm the write"
    match target.outcome:
        case Outcome.WRITTEN:
            return f"{arn} has the new policy: {counted}", Found.PASS
        case Outcome.NOT_SEEN if not target.confirmed:
            text = f"{wrote}, and shows the old policy after {options.wait_s:g} s"
        case Outcome.NOT_SEEN if target.trouble is not None:
            text = "KMS took the new policy, still showed the old one, and then could not be asked"
        case Outcome.NOT_SEEN:
            text = f"KMS took the new policy, and still shows the old one after {options.wait_s:g} s"
        case Outcome.OVERWRITTEN:
            text = f"{wrote}, and now it has another policy than the new one"
        case _:
            text = f"{wrote}, and what it has now could not be read"
    return f"{arn}: {text}", Found.FAIL


def _instead(target: Target) -> list[Block]:
    """Return in what the key's policy differs from the one that was written, when it does."""
    if target.outcome is not Outcome.OVERWRITTEN or target.found is None:
        return []
    difference = canonical.difference(target.plan.after, target.found)
    what = f"what it has differs from what was written: {kms_diff_view.counted(difference)}"
    return [Headline(what), *kms_diff_view.blocks(difference)]


#: As wide as the labels of :func:`_kept` and the space behind them.
_LABEL: Final = "policy before  "


def _kept(target: Target) -> Fields:
    plan = target.plan
    return Fields(
        [
            ("from", target.source),
            ("policy before", canonical.digest(plan.before)),
            ("policy wanted", canonical.digest(plan.after)),
            ("kept in", target.backup),
        ]
    )


def _ways(target: Target, options: "Options") -> Lines:
    """Return the commands that come next: never wrapped, so that they can be pasted."""
    arn, back = target.plan.live.arn, ("to go back", _undo(target, options) or target.plan.no_way_back)
    look = f"diff {shlex.quote(target.file)}" if target.file else "show"
    again = f"nitroctl kms {look} --key {arn}"
    match target.outcome:
        case Outcome.WRITTEN:
            rows = [back]
        case Outcome.OVERWRITTEN:
            first = f"another writer, or KMS keeps it otherwise: nitroctl kms show --key {arn}"
            rows = [("look first", first), back, ("to look again", again)]
        case _:
            rows = [("look first", again), back]
    return Lines("\n".join(f"{label:{len(_LABEL)}}{words}" for label, words in rows))


def _undo(target: Target, options: "Options") -> str:
    """Return the command that puts the old policy back; it names the file where the key may show another.

    Empty when the caller may not, by the policy that was written; what it may by another writer's is not known.
    """
    if target.outcome is Outcome.OVERWRITTEN:
        return options.undo(target.plan.live, target.backup)
    return kms_apply_run.undo(target.plan, options, "" if target.outcome is Outcome.WRITTEN else target.backup)
