"""Whether a policy should be given to a key: what is asked before anything is written.

KMS takes a policy that opens the key to everybody as readily as a good one; the only thing it asks is whether the
caller could still change it. So that is asked here first, and so is what ``kms lint`` and ``kms prove`` would say of
the key as it would then be, with its grants and its second policy. Source: KMS API reference, PutKeyPolicy; KMS
Developer Guide, "Key policies in AWS KMS", "Grants in AWS KMS".
"""

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from nitroctl.checks import Check, Outcome, Report
from nitroctl.kms import caller, canonical, lint, live_findings, live_grants, lockout, prove
from nitroctl.kms.authorize import Policies
from nitroctl.kms.canonical import Difference
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.key_policy import REFUSED, SIZE_LIMIT
from nitroctl.kms.lint_reading import Wanted
from nitroctl.kms.lint_rules import Severity
from nitroctl.kms.live import DEFAULT, RAM, LiveKey
from nitroctl.kms.truth import Truth
from nitroctl.records import Ledger

#: What ``--accept`` calls the proof; a finding is called by its rule.
PROOF: Final = "proof"
#: Of grants, in a sentence: a key may have 50,000.
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How it is to be judged. ``accepted``: rules and PROOF that are told and do not refuse.

    ``bypass``: the caller means to lose the policy; KMS is told not to ask. ``ledger``: records to compare with.
    """

    accepted: Collection[str] = ()
    bypass: bool = False
    ledger: Ledger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be written to a key, and what speaks against it. ``text``: the policy as it would be sent.

    ``no_way_back``: who cannot replace it again and why; empty when the caller may, or KMS has to say.
    """

    live: LiveKey
    before: PolicyDocument
    after: PolicyDocument
    text: str
    difference: Difference
    report: Report
    no_way_back: str = ""

    @property
    def needed(self) -> bool:
        """Whether the key does not say so already."""
        return not self.difference.none


def plan(  # noqa: PLR0913  (what to which key, by whom, and how it is judged)
    live: LiveKey, after: PolicyDocument, text: str, *, who: str, wish: Wish, at: datetime
) -> Plan:
    """Return what giving ``after`` to ``live`` would change, and whether it should be done.

    ``who``: ARN of the caller, as STS says it. Raises CannotAnswer for policies or grants that cannot be read.
    """
    documents = live.named()
    before, afterwards = documents[DEFAULT], documents | {DEFAULT: after}
    policies = Policies(key=tuple(afterwards.values()), grants=live.granted())
    way_back = lockout.judge(live, after, who, bypass=wish.bypass, at=at)
    checks = [
        _manager(live),
        _state(live),
        _size(after),
        _characters(text),
        _principals(after),
        way_back.check,
        _grants(live, afterwards),
        *_findings(live, afterwards, wish),
        _proof(live, policies, wish, at),
    ]
    return Plan(
        live=live,
        before=before,
        after=after,
        text=text,
        difference=canonical.difference(before, after),
        report=Report.of(checks),
        no_way_back=way_back.no_way_back,
    )


def _manager(live: LiveKey) -> Check:
    ok = live.manager == "CUSTOMER"
    return Check(
        id="apply.customer-key",
        title="the key's policy is the customer's to write",
        outcome=Outcome.PASS if ok else Outcome.FAIL,
        detail="" if ok else f"the key is managed by {live.manager}, whose policy nobody else can change",
        remedy=None if ok else "use a key of your own: aws kms create-key",
    )


def _state(live: LiveKey) -> Check:
    ok = live.state == "Enabled"
    return Check(
        id="apply.state",
        title="the key is enabled",
        outcome=Outcome.PASS if ok else Outcome.WARN,
        detail="" if ok else f"the key is {live.state}; its policy can be replaced, its data cannot be used",
        remedy=None if ok else "aws kms enable-key or cancel-key-deletion, if the key is still wanted",
        required=False,
    )


def _size(after: PolicyDocument) -> Check:
    return Check(
        id="apply.size",
        title="the policy fits into what KMS takes",
        outcome=Outcome.PASS if after.size <= SIZE_LIMIT else Outcome.FAIL,
        detail=f"{after.size} bytes as compact JSON",
        expected=f"at most {SIZE_LIMIT}",
        remedy="retire releases that are no longer run" if after.size > SIZE_LIMIT else None,
    )


def _characters(text: str) -> Check:
    odd = REFUSED.search(text)
    return Check(
        id="apply.characters",
        title="the policy has only characters that KMS takes",
        outcome=Outcome.FAIL if odd else Outcome.PASS,
        detail=f"it has U+{ord(odd[0]):04X}" if odd else "",
        expected="tab, line feed, carriage return, U+0020 to U+00FF",
        remedy="write ASCII" if odd else None,
    )


def _principals(after: PolicyDocument) -> Check:
    """Ask for what KMS refuses as invalid principals whatever exists: ids of deleted ones, and wildcards in ARNs."""
    check_id, title = "apply.principals", "no principal is deleted or a pattern, which KMS refuses"
    for statement in after.statements:
        for name in statement.principal.aws:
            if caller.deleted(name) or (name != "*" and ("*" in name or "?" in name)):
                what = "the id of one that was deleted" if caller.deleted(name) else "a pattern"
                return Check(
                    id=check_id,
                    title=title,
                    outcome=Outcome.FAIL,
                    detail=f"{statement.label} names {name}, {what}",
                    remedy="name the role or user by its ARN, or take it out",
                )
    return Check(id=check_id, title=title, outcome=Outcome.PASS)


def _grants(live: LiveKey, afterwards: Mapping[str, PolicyDocument]) -> Check:
    """Tell of the grants that only Denies shut; those that nothing shuts are KP044's."""
    check_id, title = "apply.grants", "no grant gives data"
    judged = live_grants.judge(live.granted(), live_findings.joint(afterwards, live.facts(), Wanted()))
    shut = [f"{each.grant.id} to {each.grant.grantee}" for each in judged if each.data and not each.open]
    if not shut:
        return Check(id=check_id, title=title, outcome=Outcome.PASS, required=False)
    more = f" and {len(shut) - _SHOWN} more; nitroctl kms show lists them" if len(shut) > _SHOWN else ""
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.WARN,
        detail=f"shut by the policy's Denies only: {', '.join(shut[:_SHOWN])}{more}",
        remedy="aws kms revoke-grant, when nobody needs it",
        required=False,
    )


def _findings(live: LiveKey, afterwards: Mapping[str, PolicyDocument], wish: Wish) -> Iterator[Check]:
    """Ask the rules of ``kms lint``: a critical finding refuses, a high one is told."""
    facts = replace(live.facts(), bypass=wish.bypass)
    told = [
        each
        for each in live_findings.findings(afterwards, facts, Wanted(ledger=wish.ledger))
        if (each.finding.severity.reaches(Severity.HIGH) or each.finding.rule.number == "KP052")
        and (each.policy, each.finding.rule.number) != (DEFAULT, "KP035")  # which is apply.size
    ]
    found = [each.finding for each in told]
    names = [each.policy if len(afterwards) > 1 else "" for each in told]
    rules = {finding.rule.id for finding in found}
    report = lint.report(found, {}, fail_on=Severity.CRITICAL, accepted=tuple(wish.accepted), names=names)
    for check in report:
        if check.id in rules:
            number = check.id.partition(".")[0].upper()
            remedy = f"{check.remedy}; or --accept {number}" if check.outcome is Outcome.FAIL else check.remedy
            yield replace(check, remedy=remedy)
    if not rules:
        yield Check(id="apply.findings", title="kms lint finds nothing critical or high", outcome=Outcome.PASS)


def _proof(live: LiveKey, policies: Policies, wish: Wish, at: datetime) -> Check:
    """Ask for a proof that nobody reads data without attesting an image that the policy names."""
    check_id, title = "apply.proof", "nobody gets data without attesting an image that the policy names"
    proof = prove.prove(policies, at=at, key=live.arn)
    if proof.holds is Truth.YES:
        return Check(id=check_id, title=title, outcome=Outcome.PASS, detail="proved, as kms prove does")
    if proof.holds is Truth.OPEN or proof.bypass is None:
        detail = f"not proved: it depends on {'; '.join(proof.open)}"
        return Check(id=check_id, title=title, outcome=Outcome.WARN, detail=detail, required=False)
    way = proof.bypass
    detail = f"{way.who} is allowed {way.request.action} ({way.kind.value.replace('-', ' ')})"
    if PROOF in wish.accepted:
        detail = f"{detail}; accepted"
        return Check(id=check_id, title=title, outcome=Outcome.WARN, detail=detail, required=False)
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.FAIL,
        detail=detail,
        remedy=f"{_proving(live)} shows the request; or --accept {PROOF}",
    )


def _proving(live: LiveKey) -> str:
    """Return the command that proves the same, of a policy with the key's grants and its second policy."""
    words = ["nitroctl", "kms", "prove", "POLICY", "--key", live.arn]
    words += ["--grants", "GRANTS"] if live.grants else []
    words += ["--ram-policy", RAM] if RAM in live.policies else []
    return shlex.join(words)
