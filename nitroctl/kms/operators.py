"""What IAM's condition operators make of a condition key: there with a value, absent, or not known.

The absent key is where policies go wrong: it makes a positive operator fail and a negated one hold, ``…IfExists`` and
``ForAllValues:`` hold, ``ForAnyValue:`` fail. Several values of a condition are alternatives; under a negated operator
none of them may match. Source: IAM user guide, "IAM JSON policy elements: Condition operators", "Multivalued context
keys".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from nitroctl.kms import patterns
from nitroctl.kms.document import Condition, Operator
from nitroctl.kms.letters import alike, folded
from nitroctl.kms.patterns import Lookup, Unresolved
from nitroctl.kms.truth import Truth, all_of, any_of, of

if TYPE_CHECKING:
    from decimal import Decimal


class Presence(StrEnum):
    """What is known of a condition key in a request.

    EITHER: it has the values, or is absent; it is not documented which.
    """

    PRESENT = "present"
    ABSENT = "absent"
    EITHER = "either"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Actual:
    """A condition key of a request: whether it is there, and its values then (several for a multivalued key)."""

    presence: Presence
    values: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What people read: the values, or ``absent``, or ``not given``."""
        values = ", ".join(self.values)
        words = {Presence.ABSENT: "absent", Presence.UNKNOWN: "not given", Presence.EITHER: f"{values}, or absent"}
        return words.get(self.presence, values)


ABSENT: Final = Actual(Presence.ABSENT)
UNKNOWN: Final = Actual(Presence.UNKNOWN)


def present(*values: str) -> Actual:
    """Return a key that is there with ``values``."""
    return Actual(Presence.PRESENT, values)


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether a condition holds. ``reason``: why it is open, when it is."""

    truth: Truth
    reason: str = ""


class _Malformed(ValueError):
    """A value that is not of the operator's type."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """One operator: its name as documented, whether it negates, and how a value of a policy meets one of a request."""

    name: str
    negated: bool
    meets: Callable[[str, str, Lookup | None], Truth | Unresolved]


def name(operator: Operator) -> str:
    """Return the operator's name as IAM documents it, without prefix and suffix; empty when there is no such one."""
    if folded(operator.name) == "null":
        return "" if operator.set_operator or operator.if_exists else "Null"
    meaning = _MEANINGS.get(folded(operator.name))
    return meaning.name if meaning else ""


def negated(operator: Operator) -> bool:
    """Whether the operator holds when none of the values matches (``StringNotEquals``)."""
    meaning = _MEANINGS.get(folded(operator.name))
    return meaning is not None and meaning.negated


def judge(condition: Condition, actual: Actual, lookup: Lookup | None = None) -> Judged:
    """Return whether ``condition`` holds for the key's ``actual`` state.

    ``lookup``: the values of policy variables; None where the policy's version has none.
    """
    obstacle = _obstacle(condition, actual)
    if obstacle:
        return Judged(Truth.OPEN, obstacle)
    if actual.presence is Presence.EITHER:
        found = {judge(condition, each, lookup) for each in (ABSENT, present(*actual.values))}
        if len(found) == 1:
            return found.pop()
        return Judged(Truth.OPEN, f"whether KMS has {condition.key} in such a request, which is not documented")
    if folded(condition.operator.name) == "null":
        return _null(condition, actual)
    values = actual.values
    if condition.operator.set_operator:  # an empty value counts as none at all
        values = tuple(value for value in values if value)
    if actual.presence is Presence.ABSENT or not values:
        return Judged(of(_when_absent(condition.operator)))
    return _present(condition, values, lookup)


def _obstacle(condition: Condition, actual: Actual) -> str:
    """Return why nobody could say whether the condition holds; empty when one can."""
    if not name(condition.operator):
        return f"{condition.operator.text}, which is no condition operator"
    if not condition.values:
        return f"the condition on {condition.key}, which has no values"
    if actual.presence is Presence.UNKNOWN:
        return f"{condition.key}, which was not given"
    if len(actual.values) > 1 and not condition.operator.set_operator and folded(condition.operator.name) != "null":
        return f"{condition.key}, which has several values where {condition.operator.text} takes one"
    return ""


def _null(condition: Condition, actual: Actual) -> Judged:
    wanted = {folded(value) for value in condition.values}
    if not wanted <= {"true", "false"}:
        return Judged(Truth.OPEN, f"the condition on {condition.key}, where Null compares with neither true nor false")
    if actual.values == ("",):
        return Judged(Truth.OPEN, f"{condition.key}, which is empty: Null may take that for absent")
    absent = actual.presence is Presence.ABSENT or not actual.values
    return Judged(of(("true" if absent else "false") in wanted))


def _when_absent(operator: Operator) -> bool:
    if operator.if_exists or operator.set_operator == "ForAllValues":
        return True
    return not operator.set_operator and negated(operator)


def _present(condition: Condition, values: Sequence[str], lookup: Lookup | None) -> Judged:
    meaning = _MEANINGS[folded(condition.operator.name)]
    try:
        each = [_one(meaning, condition.values, value, lookup) for value in values]
    except _Malformed as error:
        return Judged(Truth.OPEN, f"the condition on {condition.key}: {error}")
    truth = any_of(each) if condition.operator.set_operator == "ForAnyValue" else all_of(each)
    if truth is Truth.OPEN:
        return Judged(truth, f"the values that {condition.key} is compared with, which are not all known")
    return Judged(truth)


def _one(meaning: _Meaning, wanted: Sequence[str], value: str, lookup: Lookup | None) -> Truth:
    def answers() -> Iterator[Truth]:
        for text in wanted:
            found = meaning.meets(text, value, lookup)
            if found is Unresolved.UNKNOWN:
                yield Truth.OPEN
            elif found is Unresolved.ABSENT:  # matches nothing; whether "not" then holds, nobody says
                yield Truth.OPEN if meaning.negated else Truth.NO
            else:
                yield found

    met = any_of(answers())
    return met.inverse if meaning.negated else met


# What each type of value means ------------------------------------------------------------------------------------


def _string(text: str, value: str, lookup: Lookup | None) -> Truth | Unresolved:
    pattern = patterns.expand(text, lookup, wildcards=False)
    return pattern if isinstance(pattern, Unresolved) else of("".join(map(str, pattern)) == value)


def _caseless(text: str, value: str, lookup: Lookup | None) -> Truth | Unresolved:
    pattern = patterns.expand(text, lookup, wildcards=False)
    return pattern if isinstance(pattern, Unresolved) else alike("".join(map(str, pattern)), value)


def _like(text: str, value: str, lookup: Lookup | None) -> Truth | Unresolved:
    pattern = patterns.expand(text, lookup, wildcards=True)
    return pattern if isinstance(pattern, Unresolved) else of(patterns.matches(pattern, value))


def _arn(text: str, value: str, lookup: Lookup | None) -> Truth | Unresolved:
    pattern = patterns.expand(text, lookup, wildcards=True)
    return pattern if isinstance(pattern, Unresolved) else patterns.matches_arn(pattern, value)


def _bool(text: str, value: str, lookup: Lookup | None) -> Truth | Unresolved:
    resolved = patterns.expand(text, lookup, wildcards=False)
    if isinstance(resolved, Unresolved):
        return resolved
    wanted = folded("".join(map(str, resolved)))
    for each in (wanted, folded(value)):
        if each not in ("true", "false"):
            raise _Malformed(f"{each[:100]!r} is neither true nor false")
    return of(wanted == folded(value))


def _binary(text: str, value: str, _: Lookup | None) -> Truth | Unresolved:
    import base64  # noqa: PLC0415  (rare, and the start counts)

    try:
        return of(base64.b64decode(text, validate=True) == base64.b64decode(value, validate=True))
    except ValueError as error:
        raise _Malformed("a value is not base64") from error


def _address(text: str, value: str, _: Lookup | None) -> Truth | Unresolved:
    import ipaddress  # noqa: PLC0415  (rare, and the start counts)

    try:
        return of(ipaddress.ip_address(value) in ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise _Malformed(f"{text[:100]!r} or {value[:100]!r} is no address or range") from error


def number(text: str) -> "Decimal | None":
    """Return the number that ``text`` writes; None when it is none, or longer, larger or finer than anybody means.

    What IAM makes of a number such as 1e999999999 is not documented, and nobody should have to write it out.
    """
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415  (rare, and the start counts)

    try:
        found = Decimal(text) if len(text) < _DIGITS else Decimal("NaN")
    except InvalidOperation:
        return None
    if not found.is_finite() or not -_EXPONENT <= found.adjusted() <= _EXPONENT:
        return None
    return found


def _number(text: str) -> "Decimal":
    found = number(text)
    if found is None:
        raise _Malformed(f"{text[:100]!r} is no number, or none that can be compared here")
    return found


def _time(text: str) -> datetime:
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text[:_DIGITS]), tz=UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise _Malformed(f"{text[:100]!r} is no time") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _numeric(holds: "Callable[[Decimal, Decimal], bool]") -> Callable[[str, str, Lookup | None], Truth | Unresolved]:
    return lambda text, value, _: of(holds(_number(value), _number(text)))


def _date(holds: Callable[[datetime, datetime], bool]) -> Callable[[str, str, Lookup | None], Truth | Unresolved]:
    return lambda text, value, _: of(holds(_time(value), _time(text)))


#: More digits than any number or time in a policy has.
_DIGITS: Final = 40
#: Powers of ten between which numbers are compared.
_EXPONENT: Final = 64
_ALL: Final = (
    _Meaning("StringEquals", False, _string),
    _Meaning("StringNotEquals", True, _string),
    _Meaning("StringEqualsIgnoreCase", False, _caseless),
    _Meaning("StringNotEqualsIgnoreCase", True, _caseless),
    _Meaning("StringLike", False, _like),
    _Meaning("StringNotLike", True, _like),
    _Meaning("NumericEquals", False, _numeric(lambda actual, wanted: actual == wanted)),
    _Meaning("NumericNotEquals", True, _numeric(lambda actual, wanted: actual == wanted)),
    _Meaning("NumericLessThan", False, _numeric(lambda actual, wanted: actual < wanted)),
    _Meaning("NumericLessThanEquals", False, _numeric(lambda actual, wanted: actual <= wanted)),
    _Meaning("NumericGreaterThan", False, _numeric(lambda actual, wanted: actual > wanted)),
    _Meaning("NumericGreaterThanEquals", False, _numeric(lambda actual, wanted: actual >= wanted)),
    _Meaning("DateEquals", False, _date(lambda actual, wanted: actual == wanted)),
    _Meaning("DateNotEquals", True, _date(lambda actual, wanted: actual == wanted)),
    _Meaning("DateLessThan", False, _date(lambda actual, wanted: actual < wanted)),
    _Meaning("DateLessThanEquals", False, _date(lambda actual, wanted: actual <= wanted)),
    _Meaning("DateGreaterThan", False, _date(lambda actual, wanted: actual > wanted)),
    _Meaning("DateGreaterThanEquals", False, _date(lambda actual, wanted: actual >= wanted)),
    _Meaning("Bool", False, _bool),
    _Meaning("BinaryEquals", False, _binary),
    _Meaning("IpAddress", False, _address),
    _Meaning("NotIpAddress", True, _address),
    _Meaning("ArnEquals", False, _arn),
    _Meaning("ArnLike", False, _arn),
    _Meaning("ArnNotEquals", True, _arn),
    _Meaning("ArnNotLike", True, _arn),
)
_MEANINGS: Final = {folded(meaning.name): meaning for meaning in _ALL}
