"""A policy written onto another, judged as a whole: whether the releases are let in still, and nobody else.

What nitroctl writes holds by itself; the statements that stay beside it may shut a release out (a Deny that names the
image before) or open a way around. Both are asked of the evaluator and of the search for bypasses; what the rules of
``kms lint`` find besides is told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from nitroctl.checks import Check, Outcome, Report
from nitroctl.kms import authorize, caller, document, lint, prove
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Kind, PolicyDocument
from nitroctl.kms.generate_releases import Bound, bind
from nitroctl.kms.key_policy import KeyPolicy
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import Reading, Wanted
from nitroctl.kms.lint_rules import Severity
from nitroctl.kms.request import Attested, Request
from nitroctl.kms.targets import Targets
from nitroctl.kms.truth import Truth
from nitroctl.records import Entry, Ledger

_EVERYTHING: Final = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
#: Who else may replace the policy is told, and no reason to refuse: that is for the operator to keep.
_PROPERTIES: Final = (prove.Property.NO_UNATTESTED_DECRYPT, prove.Property.ONLY_RECORDED)
_STATEMENTS: Final = "change or take out the statement that is kept"


def judge(policy: KeyPolicy, entries: Sequence[Entry], targets: Targets, *, at: datetime) -> Report:
    """Return whether ``policy``, made of the others, lets in each release and nobody else. ``at``: as of when."""
    parsed = document.parse(policy.compact(), where="the policy")
    key = targets.key or f"arn:aws:kms:us-east-1:{targets.admin_roles[0].account}:key/unknown"
    return Report.of(
        [
            _let_in(parsed, bind(entries, targets.placement), targets, key, at),
            _nobody_else(parsed, entries, key, at),
            *_findings(parsed, targets),
        ]
    )


def _let_in(policy: PolicyDocument, bound: Sequence[Bound], targets: Targets, key: str, at: datetime) -> Check:
    title = "every release may use the key"
    everything = document.parse(_EVERYTHING, where="IAM", kind=Kind.IDENTITY)
    policies = Policies(key=(policy,), identity=(everything,))
    depends: list[str] = []
    for asked, what in _requests(bound, targets, key, at):
        decision = authorize.decide(asked, policies)
        if decision.verdict is Verdict.DENIED:
            denying = ", ".join(each.statement.label for each in decision.deciding)
            return Check(
                id="generated.let-in",
                title=title,
                outcome=Outcome.FAIL,
                detail=f"{what} is denied{f' by {denying}' if denying else ''}",
                remedy=_STATEMENTS,
            )
        if decision.verdict is Verdict.UNDECIDED:
            depends += decision.open
    if depends:
        told = "; ".join(dict.fromkeys(depends))
        return Check(
            id="generated.let-in",
            title=title,
            outcome=Outcome.WARN,
            detail=f"depends on {told}",
            remedy="nitroctl kms simulate answers for a request in full",
            required=False,
        )
    return Check(id="generated.let-in", title=title, outcome=Outcome.PASS)


def _requests(bound: Sequence[Bound], targets: Targets, key: str, at: datetime) -> Iterator[tuple[Request, str]]:
    for each in bound:
        registers = dict(each.entry.pcrs) | {index: min(values) for index, values in each.registers.items()}
        attested = Attested(platform=each.platform, pcrs=registers, complete=False)
        for role in targets.enclave_roles:
            for action in targets.actions:
                request = Request(
                    caller=caller.parse(role.arn),
                    action=action,
                    at=at,
                    key=key,
                    attested=attested,
                    encryption_context=targets.encryption_context,
                )
                yield request, f"{action} to {role.name} with {each.entry.id}"


def _nobody_else(policy: PolicyDocument, entries: Sequence[Entry], key: str, at: datetime) -> Check:
    title = "nobody else may, whatever IAM policies say"
    proof = prove.prove(
        Policies(key=(policy,)),
        at=at,
        key=key,
        properties=_PROPERTIES,
        recorded=Ledger.of(entries),
    )
    if proof.holds is Truth.YES:
        return Check(id="generated.nobody-else", title=title, outcome=Outcome.PASS)
    bypass = proof.bypass
    if proof.holds is Truth.NO and bypass is not None:
        allowing = ", ".join(each.statement.label for each in bypass.decision.deciding if each.policy is policy)
        return Check(
            id="generated.nobody-else",
            title=title,
            outcome=Outcome.FAIL,
            detail=f"{bypass.who}: {bypass.request.action} is allowed by {allowing} ({bypass.kind.value})",
            remedy=_STATEMENTS,
        )
    return Check(
        id="generated.nobody-else",
        title=title,
        outcome=Outcome.WARN,
        detail=f"whether somebody else may use the key depends on {'; '.join(proof.open)}",
        remedy=_STATEMENTS,
    )


def _findings(policy: PolicyDocument, targets: Targets) -> Iterator[Check]:
    """Yield what the rules find of the policy as a whole, from medium on; what is remarked is for kms lint to say."""
    writers = tuple(role.arn for role in targets.policy_writers)
    reading = Reading(policy, KeyFacts(arn=targets.key), Wanted(writers=writers))
    for finding in lint.findings(reading):
        if finding.severity.reaches(Severity.MEDIUM):
            yield Check(
                id=finding.rule.id,
                title=finding.rule.title,
                outcome=Outcome.WARN,
                detail=lint.told(replace(finding, line=0)),  # lines are of a text that nobody has
                remedy=finding.fix,
                required=False,
            )
