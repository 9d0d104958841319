"""What nitroctl says of every case of the lab, in its own words: kept as a file, so that a changed sentence is seen."""

import re

from nitroctl.checks import Check, Outcome
from nitroctl.evidence.document import parse
from nitroctl.evidence.verify import verify
from nitroctl.standin.lab import CASES
from nitroctl.standin.lab_change import accepted

_RANDOM = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{16}(?=\.(?:zonal|eu-west-1)))\b")
#: Sizes and places of what has a signature in DER in it or before it.
_VARYING = re.compile(r"(?<=byte )\d{3,}|\d{3,}(?= (?:bytes|are left))")
#: What follows is the library's text, which its versions word differently.
_FOREIGN = re.compile(r"(cannot be (?:decoded|read): ).*")


def sentences() -> str:
    """Return, for each case, the checks that did not pass and what they say, random names and digests masked."""
    lines = []
    for case in CASES:
        report = verify(parse(case.build(), strict=case.strict), accepted(), at=case.at).report
        lines.append(f"{case.name}: {report.verdict.value}")
        told = [check for check in report if check.outcome in {Outcome.FAIL, Outcome.WARN}]
        lines += [f"  {check.id}: {_said(check)}" for check in told]
        blocked = _blocked(report.checks).items()
        lines += [f"  {why}: {ids[0]} to {ids[-1]}, {len(ids)}" for why, ids in blocked]
    return "\n".join(lines) + "\n"


def _said(check: Check) -> str:
    compared = f" ({check.expected} / {check.actual})" if check.expected or check.actual else ""
    return _RANDOM.sub("…", _VARYING.sub("…", _FOREIGN.sub(r"\1…", check.detail)) + compared)


def _blocked(checks: tuple[Check, ...]) -> dict[str, list[str]]:
    """Return what was not checked, by the reason."""
    found: dict[str, list[str]] = {}
    for check in checks:
        if check.outcome is Outcome.SKIP and check.id != "chain.revocation":
            found.setdefault(check.detail, []).append(check.id)
    return found
