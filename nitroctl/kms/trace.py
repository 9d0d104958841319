"""What would have to be attested for a refused request to be allowed.

Every answer was tried: the request with those registers is allowed by the same policies. An Allow that names a release
is not enough when a Deny that was left over still shuts it out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from nitroctl import pcr
from nitroctl.kms.authorize import Decision, Met, Policies, Traced, Verdict, decide
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.operators import name, negated
from nitroctl.kms.request import Attested, Platform, register
from nitroctl.kms.truth import Truth

#: How many Allow statements are tried, those that need least changed first, and how many answers are given.
_TRIED: Final = 32
_ANSWERS: Final = 3
_EQUALS: Final = ("StringEquals", "StringEqualsIgnoreCase", "StringLike")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One register that would have to be otherwise. ``expected``: the values any of which would do, in hex."""

    platform: Platform
    index: int
    expected: tuple[str, ...]
    actual: str

    @property
    def key(self) -> str:
        """Its condition key."""
        return self.platform.key(self.index)


@dataclass(frozen=True, slots=True)
class WouldAllow:
    """A statement that would allow the request if all ``changes`` were made."""

    statement: Traced
    changes: tuple[Change, ...]


def would_allow(decision: Decision, policies: Policies) -> tuple[WouldAllow, ...]:
    """Return the statements that would allow a refused request with other registers, the nearest first."""
    if decision.verdict is Verdict.ALLOWED:
        return ()
    found = sorted(_candidates(decision), key=lambda each: len(each.changes))
    return tuple(islice((each for each in found[:_TRIED] if _holds(each, decision, policies)), _ANSWERS))


def label(traced: Traced) -> str:
    """Return what to call a statement: its Sid or place, and where it stands."""
    return f"{traced.statement.label} ({traced.policy.where} line {traced.statement.line})"


def is_attestation(met: Met) -> bool:
    """Whether a condition is about a register that a document attests."""
    return register(met.condition.key) is not None


def _candidates(decision: Decision) -> Iterator[WouldAllow]:
    for each in decision.statements:
        others = [met.truth for met in each.conditions if not is_attestation(met)]
        if each.statement.effect is not Effect.ALLOW or each.truth is Truth.YES:
            continue
        if Truth.NO in (each.principal, each.action, each.resource, *others):
            continue
        changes = _changes([met for met in each.conditions if is_attestation(met)])
        if changes:
            yield WouldAllow(each, changes)


def _changes(conditions: Sequence[Met]) -> tuple[Change, ...]:
    """Return what the conditions ask for and do not get; nothing when that cannot be had by other registers."""
    wanted: dict[tuple[Platform, int], tuple[str, ...]] = {}
    actual: dict[tuple[Platform, int], str] = {}
    for met in conditions:
        place = register(met.condition.key)
        plain = name(met.condition.operator) in _EQUALS and not negated(met.condition.operator)
        if place is None or not plain:
            if met.truth is Truth.NO and name(met.condition.operator) != "Null":
                return ()
            continue
        values = tuple(dict.fromkeys(value.lower() for value in met.condition.values if _is_register(value)))
        both = tuple(value for value in wanted.get(place, values) if value in values)
        if not both:
            return ()
        wanted[place] = both
        actual[place] = met.actual.text
    if len({platform for platform, _ in wanted}) != 1:
        return ()
    return tuple(
        Change(platform=platform, index=index, expected=values, actual=actual[platform, index])
        for (platform, index), values in wanted.items()
        if actual[platform, index] not in values
    )


def _is_register(text: str) -> bool:
    return len(text) == pcr.HEX_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in text)


def _holds(candidate: WouldAllow, decision: Decision, policies: Policies) -> bool:
    changed = {change.index: bytes.fromhex(change.expected[0]) for change in candidate.changes}
    platform = candidate.changes[0].platform
    attested = decision.request.attested
    kept: Mapping[int, bytes] = attested.pcrs if attested and attested.platform is platform else {}
    complete = attested is not None and attested.platform is platform and attested.complete
    request = decision.request.attesting(Attested(platform=platform, pcrs={**kept, **changed}, complete=complete))
    return decide(request, policies).verdict is Verdict.ALLOWED
