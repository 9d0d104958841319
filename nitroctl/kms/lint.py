"""``kms lint``: every rule asked of one policy. A finding is a fault of the policy; none is no proof that it holds.

The rules see what a policy says; whether a request is let through at the end is :mod:`nitroctl.kms.authorize`'s to say.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nitroctl.checks import Check, Outcome, Report, not_requested
from nitroctl.kms import (
    lint_rules_conditions,
    lint_rules_document,
    lint_rules_key,
    lint_rules_paths,
    lint_rules_registers,
)
from nitroctl.kms.lint_reading import Reading
from nitroctl.kms.lint_rules import RULES, Finding, Severity

_ASKED: Final = (
    *lint_rules_paths.RULES,
    *lint_rules_conditions.RULES,
    *lint_rules_registers.RULES,
    *lint_rules_document.RULES,
    *lint_rules_key.RULES,
)
_KEY: Final = "--facts FILE: what aws kms describe-key prints"
_GRANTS: Final = "--grants FILE: what aws kms list-grants prints"
_POLICIES: Final = "--facts FILE: what aws kms list-key-policies prints"
_RECORDS: Final = "--records FILE"

_NEVER: Final = "IAM policies, service and resource control policies, permission boundaries, session policies, VPC"
_NO_PROOF: Final = "no finding is no proof that the policy holds"
#: What no rule looks at, whatever it was told: for every answer about files.
NOT_MODELLED: Final = f"not looked at: {_NEVER} endpoint policies, and grants that were not given; {_NO_PROOF}"
#: The same for a key that was read whole, with its grants and every policy of its own.
NOT_MODELLED_OF_A_KEY: Final = f"not looked at: {_NEVER} endpoint policies; {_NO_PROOF}"


def findings(reading: Reading) -> tuple[Finding, ...]:
    """Return what the rules find, by rule and then by place."""
    every = [finding for rule in _ASKED for finding in rule(reading)]
    return tuple(
        sorted(
            every,
            key=lambda each: (each.rule.number, each.statement.number if each.statement else 0, each.line),
        )
    )


def unknown(reading: Reading) -> Mapping[str, str]:
    """Return the rules that could not be asked, each with the option that would tell what they need."""
    key, missing = reading.key, {}
    if key.usage is None:
        missing["KP041"] = _KEY
    if key.origin is None:
        missing["KP042"] = _KEY
    if key.multi_region is None:
        missing["KP043"] = _KEY
    if key.grants is None:
        missing["KP044"] = _GRANTS
    if key.policies is None:
        missing["KP045"] = _POLICIES
    if reading.wanted.ledger is None:
        missing |= {"KP046": _RECORDS, "KP047": _RECORDS}
    if key.bypass is None:
        missing["KP052"] = "only a template says whether the check is left on"
    return missing


def report(
    found: Sequence[Finding],
    missing: Mapping[str, str],
    *,
    fail_on: Severity = Severity.HIGH,
    accepted: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Report:
    """Return a check for each finding, and for each rule without one whether it was asked.

    Findings as bad as ``fail_on`` refuse, unless their rule is one of ``accepted``. ``names``: the policy of each
    finding, where there are several.
    """
    return Report.of(_checks(found, missing, fail_on, accepted, names or [""] * len(found)))


def _checks(
    found: Sequence[Finding],
    missing: Mapping[str, str],
    fail_on: Severity,
    accepted: Sequence[str],
    names: Sequence[str],
) -> Iterator[Check]:
    of_rule: dict[str, list[tuple[Finding, str]]] = {number: [] for number in RULES}
    for finding, name in zip(found, names, strict=True):
        of_rule[finding.rule.number].append((finding, name))
    for number, rule in RULES.items():
        for finding, name in of_rule[number]:
            refuses = finding.severity.reaches(fail_on) and number not in accepted
            yield Check(
                id=rule.id,
                title=rule.title,
                outcome=Outcome.FAIL if refuses else Outcome.WARN,
                detail=told(finding, name, accepted=number in accepted),
                remedy=finding.fix,
                required=refuses,
                line=finding.line or None,
            )
        if not of_rule[number]:
            if number in missing:
                yield not_requested(rule.id, rule.title, missing[number])
            else:
                yield Check(id=rule.id, title=rule.title, outcome=Outcome.PASS)


def told(finding: Finding, name: str = "", *, accepted: bool = False) -> str:
    """Return a finding in one sentence: how bad, where, what."""
    place = [name] if name else []
    if finding.statement is not None:
        sid = f" ({finding.statement.sid})" if finding.statement.sid else ""
        place.append(f"statement {finding.statement.number}{sid}")
    if finding.line:
        place.append(f"line {finding.line}")
    severity = f"{finding.severity.value}, accepted" if accepted else finding.severity.value
    return f"{severity}{': ' if place else ''}{', '.join(place)}: {finding.detail}"
