"""What ``kms lint`` answers: findings worst first for people, every rule with what became of it for machines."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from nitroctl.catalogue import CATALOGUE
from nitroctl.checks import Check, Outcome, Report, blocked
from nitroctl.errors import CannotAnswer, NitroctlError
from nitroctl.kms import lint, lint_fix, live_findings
from nitroctl.kms.lint_reading import Reading, Wanted
from nitroctl.kms.lint_rules import RULES, Finding, Severity, found
from nitroctl.kms.lint_sources import Source
from nitroctl.kms.live import LiveKey
from nitroctl.render import ci
from nitroctl.render.result import Result, Subject
from nitroctl.render.view import Block, Checks, Diff, Fields, Heading, Headline

#: The kind of what is no file: a key that was read from AWS, whole.
KEY: Final = "key"


@dataclass(frozen=True, slots=True)
class Asked:
    """How findings are judged. ``fail_on``: refused from there on. ``accepted``: rules that never refuse."""

    fail_on: Severity
    accepted: tuple[str, ...]
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Fix:
    """The file before and after --fix."""

    before: str
    after: str
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """What was found in one policy. ``missing``: rules that were not asked, with the option that would."""

    name: str
    size: int
    findings: tuple[Finding, ...]
    missing: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found in one file."""

    path: str
    kind: str
    policies: tuple[Policy, ...]
    report: Report
    assumed: tuple[str, ...]
    troubles: tuple[NitroctlError, ...]


def linted(source: Source, asked: Asked) -> Linted:
    """Ask every rule of every policy in a file."""
    report = Report(())
    policies = []
    for subject in source.subjects:
        reading = Reading(subject.document, subject.key, asked.wanted)
        findings, missing = lint.findings(reading), lint.unknown(reading)
        names = [subject.name] * len(findings)
        report += lint.report(findings, missing, fail_on=asked.fail_on, accepted=asked.accepted, names=names)
        policies.append(Policy(subject.name, subject.document.size, findings, tuple(missing.items())))
    assumed = tuple(text for subject in source.subjects for text in subject.assumed)
    return Linted(source.path, source.kind, tuple(policies), report, assumed, source.troubles)


def linted_key(live: LiveKey, asked: Asked) -> Linted:
    """Ask every rule of a key in AWS, of all its policies together."""
    documents, facts = live.named(), live.facts()
    missing = lint.unknown(live_findings.joint(documents, facts, asked.wanted))
    found = live_findings.findings(documents, facts, asked.wanted)
    several = len(documents) > 1
    report = lint.report(
        [each.finding for each in found],
        missing,
        fail_on=asked.fail_on,
        accepted=asked.accepted,
        names=[each.policy if several else "" for each in found],
    )
    policies = tuple(
        Policy(
            name if several else "",
            document.size,
            tuple(each.finding for each in found if each.policy == name),
            tuple(missing.items()),
        )
        for name, document in documents.items()
    )
    return Linted(live.arn, KEY, policies, report, (), ())


def doubled(path: str, error: CannotAnswer) -> Linted:
    """Return the answer for a file with equal keys: that, and that nothing else could be asked."""
    what = error.message.removeprefix(f"{path}: ")
    finding = found("KP036", what, "keep one of the keys; readers disagree about which counts")
    finding = replace(finding, severity=Severity.HIGH)
    rule = finding.rule
    report = Report.of(
        Check(id=rule.id, title=rule.title, outcome=Outcome.FAIL, detail=lint.told(finding), remedy=finding.fix)
        if number == rule.number
        else blocked(each.id, each.title, rule.id)
        for number, each in RULES.items()
    )
    return Linted(path, "policy", (Policy("", 0, (finding,), ()),), report, (), ())


def one(answer: Linted, asked: Asked, *, fix: Fix | None = None) -> Result:
    """Return the answer about one file."""
    refused = not answer.report.passed
    data: dict[str, object] = {**_data([answer], asked), "report": answer.report.as_json()}
    view: list[Block] = [_headline(answer, refused=refused)]
    if fix is not None:
        changed = fix.after != fix.before
        data["fix"] = {"changed": changed, "written": changed and not fix.dry_run, "policy": fix.after}
        view = [*_diff(answer.path, fix), *view]
    view += _findings(answer)
    return Result(
        schema="kms.lint/1",
        data=data,
        view=view,
        refused=refused,
        report=answer.report,
        subject=answer.path,
        trouble=answer.troubles,
        notes=_notes([answer]),
    )


def several(answers: Sequence[Linted | Subject], asked: Asked) -> Result:
    """Return the answer about several files, of which some could not be read."""
    read = [each for each in answers if isinstance(each, Linted)]
    subjects = [
        each
        if isinstance(each, Subject)
        else Subject(each.path.removeprefix("./"), ci.findings(each.report), refused=not each.report.passed)
        for each in answers
    ]
    trouble = [each.trouble for each in subjects if each.trouble is not None]
    for each in read:
        trouble += each.troubles
    view: list[Block] = []
    for each in read:
        view += [_headline(each, refused=not each.report.passed), *_findings(each)]
    return Result(
        schema="kms.lint/1",
        data=_data(read, asked),
        view=view,
        refused=any(each.refused for each in subjects),
        subjects=subjects,
        trouble=trouble,
        notes=_notes(read),
    )


def _data(answers: Sequence[Linted], asked: Asked) -> dict[str, object]:
    return {
        "files": [
            {
                "file": each.path,
                "kind": each.kind,
                "verdict": each.report.verdict.value,
                "policies": [_policy(policy, asked) for policy in each.policies],
                "assumed": list(each.assumed),
            }
            for each in answers
        ],
        "fail_on": asked.fail_on.value,
        "accepted": list(asked.accepted),
        "not_looked_at": _not_looked_at(answers),
    }


def _policy(policy: Policy, asked: Asked) -> dict[str, object]:
    return {
        "name": policy.name,
        "size_bytes": policy.size,
        "findings": [_finding(finding, asked) for finding in policy.findings],
        "not_asked": dict(policy.missing),
    }


def _finding(finding: Finding, asked: Asked) -> dict[str, object]:
    rule, statement = finding.rule, finding.statement
    members: dict[str, object] = {
        "rule": rule.number,
        "id": rule.id,
        "severity": finding.severity.value,
        "refuses": finding.severity.reaches(asked.fail_on) and rule.number not in asked.accepted,
        "statement": statement.number if statement else None,
        "sid": statement.sid if statement else None,
        "line": finding.line or None,
        "what": finding.detail,
        "why": CATALOGUE[rule.id].meaning,
        "fix": finding.fix,
        "fixable": rule.number in lint_fix.FIXABLE,
    }
    return {key: value for key, value in members.items() if value not in (None, "")}


def _headline(answer: Linted, *, refused: bool) -> Headline:
    counts = Counter(finding.severity for policy in answer.policies for finding in policy.findings)
    told = ", ".join(f"{counts[severity]} {severity.value}" for severity in Severity if counts[severity])
    many = f"{len(answer.policies)} policies: " if len(answer.policies) > 1 else ""
    text = f"{answer.path}: {many}{told or 'no findings'}"
    if answer.troubles and not refused:
        return Headline(f"{text}; {len(answer.troubles)} could not be judged")
    return Headline(text, Outcome.FAIL if refused else Outcome.PASS)


def _findings(answer: Linted) -> list[Block]:
    """Return the findings, worst first, and which rules nobody could ask."""
    worst = list(Severity)
    checks = [check for check in answer.report if check.outcome in (Outcome.FAIL, Outcome.WARN)]
    checks.sort(key=lambda check: worst.index(Severity(check.detail.split(":")[0].split(",")[0])))
    view: list[Block] = [Checks(Report.of(checks))] if checks else []
    ways: dict[str, list[str]] = {}
    for number, how in sorted({pair for policy in answer.policies for pair in policy.missing}):
        ways.setdefault(how, []).append(number)
    if ways:
        rows = [(", ".join(numbers), how) for how, numbers in ways.items()]
        view.append(Fields(rows, title="Rules not asked, for want of"))
    return view


def _diff(path: str, fix: Fix) -> list[Block]:
    if fix.before == fix.after:
        return [Headline(f"{path}: nothing to mend")]
    lines = difflib.unified_diff(
        fix.before.splitlines(keepends=True), fix.after.splitlines(keepends=True), path, f"{path} (mended)"
    )
    done = "would be written again" if fix.dry_run else "written again"
    return [Headline(f"{path}: {done}"), Diff("".join(lines)), Heading("What is left")]


def _notes(answers: Sequence[Linted]) -> list[str]:
    return [*(text for each in answers for text in each.assumed), _not_looked_at(answers)]


def _not_looked_at(answers: Sequence[Linted]) -> str:
    of_a_key = [each.kind for each in answers] == [KEY]
    return lint.NOT_MODELLED_OF_A_KEY if of_a_key else lint.NOT_MODELLED
