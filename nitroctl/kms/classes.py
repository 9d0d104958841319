"""The values of condition keys that a policy can tell apart: a few for each key stand for all others.

For every value that a key can have there is one among the :class:`Domain`'s on which every condition of the policy
gives the same answer, because the answer depends on nothing but

- strings: which literals the value equals, and equals but for case, and which patterns it matches
  (:mod:`.classes_text` finds one text for every combination of these);
- numbers and times: whether it is below, at or above each bound of the policy;
- addresses: which of the networks contain it, and these are nested or apart;
- a key with several values: for which conditions one value is a witness or a counterexample; as many values as there
  are conditions are enough for any combination, and any two for operators that take one, of which then nothing is sure
  (names of an encryption context that differ in case only are one key); keys that are documented to have one value
  have one;
- registers: 48 bytes, which a request has in lower case; zero, a recorded or named value, or another;
- and for every key, that it is absent or empty.

Where that is not all (a variable whose value the request chooses, a key compared as text and as a number), the domain
is not ``complete``: it may show a bypass, and cannot prove that there is none. Characters are those that KMS takes in a
policy. Source: IAM user guide, "IAM JSON policy elements: Condition operators", "Multivalued context keys".
"""

import base64
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nitroctl import pcr
from nitroctl.kms import operators, patterns
from nitroctl.kms.classes_budget import Budget
from nitroctl.kms.classes_keys import several, single
from nitroctl.kms.classes_text import Language, arn_languages, exactly, language, spelling, witnesses
from nitroctl.kms.document import Condition, PolicyDocument
from nitroctl.kms.letters import folded
from nitroctl.kms.operators import ABSENT, Actual, present
from nitroctl.kms.patterns import Lookup, Pattern, Unresolved, Wild
from nitroctl.kms.request import Attested, Platform, register

#: The one variable behind the two keys of the time of a call.
TIME: Final = "time"
TIMES: Final = ("aws:currenttime", "aws:epochtime")
#: Registers that every document of an enclave has.
ALWAYS: Final = (0, 1, 2)
_HEX: Final = "0123456789abcdef"
_REGISTER: Final = re.compile(r"[0-9a-fA-F]{96}")
#: Years that a second more or less does not leave.
_YEARS: Final = (1, 9999)
#: Sets of values of one key; more are not tried, and the domain is not complete then.
_SETS: Final = 4_000
_FAMILIES: Final = {"string": "text", "arn": "text", "numeric": "number", "date": "date", "bool": "bool"} | {
    "binary": "binary",
    "ip": "address",
    "notip": "address",
    "null": "",
}


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """One condition of a policy, and the variable of the search that it is about. Compared by identity."""

    policy: PolicyDocument
    condition: Condition
    variable: str
    place: tuple[Platform, int] | None
    family: str
    #: keys that the values name as ``${…}``, in lower case; empty for one that cannot be read
    names: frozenset[str]


def atom(policy: PolicyDocument, condition: Condition) -> Atom:
    """Return a condition taken apart."""
    place = register(condition.key)
    name = folded(condition.key)
    variable = place[0].key(place[1]).lower() if place else TIME if name in TIMES else name
    operator = folded(condition.operator.name)
    family = next((kind for prefix, kind in _FAMILIES.items() if operator.startswith(prefix)), "none")
    names = set[str]()
    if policy.variables:
        names = {found for value in condition.values for found in patterns.names(value)}
    return Atom(policy, condition, variable, place, family, frozenset(names))


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a variable. ``register``: of a register; ``at``: of the time."""

    actual: Actual
    register: bytes | None = None
    at: datetime | None = None

    def seen(self, atom: Atom) -> Actual:
        """Return what the condition's key has in a request with this value."""
        if self.at is None:
            return self.actual
        return present(_instant(self.at) if folded(atom.condition.key) == TIMES[0] else str(int(self.at.timestamp())))


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """The values of one variable. ``incomplete``: why they do not stand for all; empty when they do."""

    choices: tuple[Choice, ...]
    incomplete: str = ""

    @property
    def all(self) -> int:
        """A bit for each choice."""
        return (1 << len(self.choices)) - 1

    def where(self, holds: Callable[[Choice], bool]) -> int:
        """Return the bits of the choices for which something holds."""
        return sum(1 << at for at, choice in enumerate(self.choices) if holds(choice))


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# Registers ----------------------------------------------------------------------------------------------------------


def registers(place: tuple[Platform, int], atoms: Sequence[Atom], budget: Budget) -> Domain:
    """Return the values of a register: one that nothing names first, zero, those that are named, absent."""
    platform, index = place
    named = dict.fromkeys(bytes.fromhex(value) for each in atoms for value in _literals(each))
    taken = {*named, pcr.ZERO}
    wild = [
        language(pattern)
        for each in atoms
        if each.family == "text"
        for pattern in _shapes(each, None)
        if not isinstance(pattern, str)
    ]
    others = [_fresh(platform, index, taken)]
    if wild:
        texts = witnesses(
            wild,
            budget,
            shape=exactly(pcr.HEX_DIGITS, _HEX),
            texts=[value.hex() for value in taken],
        )
        others += [bytes.fromhex(text) for text in texts]
    values: list[bytes | None] = [*dict.fromkeys([*others, pcr.ZERO, *named])]
    if platform is not Platform.ENCLAVE or index not in ALWAYS:
        values.append(None)
    choices = []
    for value in values:
        document = Attested(platform=platform, pcrs={} if value is None else {index: value}, complete=True)
        choices.append(Choice(document.actual(platform, index), register=value))
    return Domain(tuple(choices), _mixed(atoms, {"text", ""}))


def _fresh(platform: Platform, index: int, taken: set[bytes]) -> bytes:
    """Return a register that nobody names."""
    value = pcr.from_digest(f"{platform} {index}".encode().ljust(pcr.PCR_BYTES))
    while value in taken:
        value = pcr.from_digest(value)
    return value


def _literals(atom: Atom) -> Iterator[str]:
    return (value for value in atom.condition.values if _REGISTER.fullmatch(value))


# Other keys ---------------------------------------------------------------------------------------------------------


def domain(  # noqa: PLR0913, PLR0917  (what the values are of, and which to have)
    variable: str,
    atoms: Sequence[Atom],
    lookup: Lookup,
    budget: Budget,
    more: Sequence[str] = (),
    spelled: Sequence[str] = (),
) -> Domain:
    """Return the values of a key that a request is free to have, absent last. ``more``: values to have anyway.

    ``lookup``: the values of policy variables, as far as the request's caller says them. ``spelled``: those of ``more``
    that a request may write in any case.
    """
    kinds = {each.family for each in atoms} - {"", "none"}
    texts = _texts(atoms, lookup, budget, more, spelled) if not kinds or "text" in kinds or more else ()
    found = dict.fromkeys(texts)
    for kind in sorted(kinds & set(_VALUES)):
        values = [value for each in atoms if each.family == kind for value in each.condition.values]
        found |= dict.fromkeys(_VALUES[kind](values))
    singles = list(found) or ["other"]
    sets = {(each.condition.operator.set_operator, id(each)) for each in atoms if each.condition.operator.set_operator}
    incomplete = _mixed(atoms, kinds if len(kinds) < 2 else set()) or unclear(atoms)  # noqa: PLR2004  (two kinds)
    choices = [Choice(present(text)) for text in singles]
    if several(variable) or (sets and not single(variable)):
        # One value alone does not show what an operator for one value makes of more.
        plain = any(each.family not in ("", "none") and not each.condition.operator.set_operator for each in atoms)
        most = max(len(sets) + len(more), 2 if plain else 0)
        groups = itertools.islice(
            itertools.chain.from_iterable(
                itertools.combinations([text for text in singles if text], size) for size in range(2, most + 1)
            ),
            _SETS + 1,
        )
        listed = list(groups)
        if len(listed) > _SETS:
            incomplete = incomplete or f"{variable}, whose values can be combined in too many ways"
        choices += [Choice(present(*group)) for group in listed[:_SETS]]
    elif kinds and not single(variable):
        # What operators for one value make of two is open, whichever two they are.
        choices.append(Choice(present(singles[0], singles[0])))
    return Domain((*choices, Choice(ABSENT)), incomplete)


def _mixed(atoms: Sequence[Atom], kinds: set[str]) -> str:
    """Return why the values do not stand for all others; empty when they do."""
    for each in atoms:
        if each.family not in kinds | {"", "none"}:
            return f"{each.condition.key}, which is compared as different types"
    return ""


def unclear(atoms: Iterable[Atom]) -> str:
    """Return the condition that compares letters beyond ASCII without case; empty if there is none."""
    for each in atoms:
        if _caseless(each) and not all(value.isascii() for value in each.condition.values):
            return f"{each.condition.key}, which is compared without case with letters beyond ASCII"
    return ""


def _texts(
    atoms: Sequence[Atom], lookup: Lookup, budget: Budget, more: Sequence[str], spelled: Sequence[str]
) -> Iterator[str]:
    """Yield a text for every combination of answers that strings and patterns give."""
    exact, caseless = dict.fromkeys(more), dict[str, str]()
    wild: list[Language] = []
    for each in atoms:
        if each.family != "text":
            continue
        for pattern in _shapes(each, lookup):
            if isinstance(pattern, str):
                exact[pattern] = None
                if _caseless(each):
                    caseless.setdefault(folded(pattern), pattern)
            elif folded(each.condition.operator.name).startswith("arn"):
                wild += arn_languages(pattern)
            else:
                wild.append(language(pattern))
    yield _free(exact, caseless)
    yield from exact
    for lower in caseless:
        own = [language(text) for text in exact if folded(text) == lower]
        yield from witnesses([*own, *wild], budget, shape=spelling(lower))
    told = [text for each in atoms if not _caseless(each) for text in _shapes(each, lookup) if isinstance(text, str)]
    yield from _spellings([text for text in spelled if folded(text) not in caseless], told, wild, budget)
    if wild:
        yield from witnesses(wild, budget, texts=[*exact, ""], lower=caseless)
    yield ""  # apart from all others: Null and set operators may take it for absent


def _spellings(names: Sequence[str], told: Sequence[str], wild: Sequence[Language], budget: Budget) -> Iterator[str]:
    """Yield for each name a text that is it but for its case, for each combination of answers that it has not itself.

    ``told``: the texts that are compared with, case and all.
    """
    by = dict[str, dict[str, None]]()
    for text in told:
        by.setdefault(folded(text), {})[text] = None
    for name in names:
        own = [*map(language, by.get(folded(name), ())), *wild]
        budget.spend(1 + len(name) * len(own))
        known = _answers(own, name)
        for text in witnesses(own, budget, shape=spelling(folded(name))) if own else ():
            if _answers(own, text) != known:
                yield text


def _caseless(atom: Atom) -> bool:
    return folded(atom.condition.operator.name).endswith("ignorecase")


def _answers(languages: Sequence[Language], text: str) -> tuple[bool, ...]:
    return tuple(each.has(text) for each in languages)


def _free(exact: Iterable[str], caseless: Iterable[str]) -> str:
    """Return a text that is none of the literals in any case."""
    taken = {folded(text) for text in exact} | set(caseless)
    return next(text for number in itertools.count() if (text := f"other{number or ''}") not in taken)


def _shapes(atom: Atom, lookup: Lookup | None) -> Iterator[Pattern]:
    """Yield the patterns of a condition, those without a wildcard as text."""
    operator = folded(atom.condition.operator.name)
    wildcards = "like" in operator or operator.startswith("arn")
    for value in atom.condition.values:
        found = patterns.expand(value, lookup if atom.policy.variables else None, wildcards=wildcards)
        if isinstance(found, Unresolved):
            continue  # matches nothing, or is for the caller of this function to see to
        yield found if any(isinstance(piece, Wild) for piece in found) else "".join(map(str, found))


def _numbers(values: Sequence[str]) -> Iterator[str]:
    from decimal import localcontext  # noqa: PLC0415  (rare, and the start counts)

    ordered = sorted({number for value in values if (number := operators.number(value)) is not None})
    if not ordered:
        yield "0"
        return
    with localcontext() as context:
        context.prec = 200  # exact between any two numbers that a policy can write
        found = [*ordered, *((low + high) / 2 for low, high in itertools.pairwise(ordered))]
        found += [ordered[0] - 1, ordered[-1] + 1]
        yield from (f"{number:f}" if abs(number.adjusted()) < 30 else str(number) for number in found)  # noqa: PLR2004


def _dates(values: Sequence[str]) -> Iterator[str]:
    yield from values
    yield from (_instant(at) for at in instants(values)) if values else ()


def _booleans(_: Sequence[str]) -> Iterator[str]:
    yield from ("true", "false")


def _binaries(values: Sequence[str]) -> Iterator[str]:
    yield from values
    yield base64.b64encode(b"other than these").decode()


def _addresses(values: Sequence[str]) -> Iterator[str]:
    import ipaddress  # noqa: PLC0415  (rare, and the start counts)

    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    for value in values:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            continue
        found.append(network.network_address)
        if int(network.broadcast_address) + 1 < 1 << network.max_prefixlen:
            found.append(network.broadcast_address + 1)
    # A part of a network that no smaller one takes begins with it, or behind one.
    yield from ("0.0.0.0", "::", *map(str, found))  # noqa: S104  (addresses of callers)


_VALUES: Final[dict[str, Callable[[Sequence[str]], Iterator[str]]]] = {
    "number": _numbers,
    "date": _dates,
    "bool": _booleans,
    "binary": _binaries,
    "address": _addresses,
}


# Time ---------------------------------------------------------------------------------------------------------------


def times(atoms: Sequence[Atom], since: datetime) -> Domain:
    """Return the instants from ``since`` on that the policy tells apart, ``since`` first."""
    values = [value for each in atoms if each.family in ("date", "number") for value in each.condition.values]
    first = since.astimezone(UTC).replace(microsecond=0)
    found = tuple(Choice(ABSENT, at=at) for at in [first, *(at for at in instants(values) if at > first)])
    return Domain(found, "the time of the call, which is compared as text" if _mixed(atoms, {"date", "number"}) else "")


def instants(values: Iterable[str]) -> list[datetime]:
    """Return the seconds before, at and after each time in ``values``."""
    bounds = {bound for value in values if (bound := instant(value)) is not None}
    return sorted({bound + timedelta(seconds=step) for bound in bounds for step in (-1, 0, 1)})


def instant(value: str) -> datetime | None:
    """Return the second that a value of a condition names, UTC; None for what names none, or one beyond the years."""
    number = operators.number(value)
    try:
        found = datetime.fromisoformat(value) if number is None else datetime.fromtimestamp(int(number), tz=UTC)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found.replace(microsecond=0) if _YEARS[0] < found.year < _YEARS[1] else None


def judged(atom: Atom, choice: Choice, lookup: Lookup) -> operators.Judged:
    """Return whether the condition holds for a value."""
    return operators.judge(atom.condition, choice.seen(atom), lookup if atom.policy.variables else None)
