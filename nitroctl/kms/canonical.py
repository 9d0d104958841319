"""What a key policy says, apart from how it is written; and in what two of them differ, statement by statement.

KMS parses a policy and writes it again: ``"*"`` comes back as ``{"AWS": "*"}``, a list of one as its value, lists and
members in another order, an account's number as the ARN of its root. The canonical form has lists sorted and each value
once and no order of statements; an account is compared by its number (in whatever partition: a key is in one), and
names that IAM reads without regard to case (actions, condition operators and keys) are compared so, in ASCII. Two
policies with the same form decide every request alike; the reverse does not hold. Source: KMS API reference,
PutKeyPolicy; IAM user guide, "JSON policy elements".
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final

from nitroctl.kms.document import Condition, PolicyDocument, Principal, Statement
from nitroctl.kms.letters import folded

_ACCOUNT: Final = re.compile(r"([0-9]{12})|arn:aws[a-z-]*:iam::([0-9]{12}):root")
#: What stands for the values of a member that is there and has none.
_NO_VALUE: Final = ("(no value)",)
#: What a policy without Version is read as.
_OLD_VERSION: Final = "2008-10-17"
_FOLDED: Final = ("Action", "NotAction")
_PRINCIPALS: Final = ("Principal", "NotPrincipal")

#: One statement's members as paths, each with its values: ``Condition/StringEquals/kms:ViaService``.
Members = Mapping[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Canonical:
    """One statement. ``members``: paths and sorted values as shown; ``form``: what is compared, equal when alike."""

    label: str
    sid: str
    members: Members
    form: str

    def as_json(self) -> dict[str, object]:
        """Return the statement as a policy may have it, in canonical order; a list of one is its value."""
        found: dict[str, object] = {}
        for path, values in self.members.items():
            here = found
            for step in path[:-1]:
                here = here.setdefault(step, {})  # type: ignore[assignment]
            here[path[-1]] = values[0] if len(values) == 1 else list(values)
        return found


class Kind(StrEnum):
    """What became of a statement."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Part:
    """One member of a statement that changed: values that are gone and values that are new."""

    path: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One statement that differs. ``before`` is None for one that was added, ``after`` for one that was removed."""

    kind: Kind
    label: str
    before: Canonical | None
    after: Canonical | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """In what two policies differ. ``heads``: Version and Id. ``same``: statements that do not differ, counted."""

    heads: tuple[Part, ...]
    changes: tuple[Change, ...]
    same: int

    @property
    def none(self) -> bool:
        """Whether they say the same."""
        return not self.heads and not self.changes


def statements(policy: PolicyDocument) -> tuple[Canonical, ...]:
    """Return the statements of ``policy`` in their order, each in canonical form."""
    return tuple(_canonical(each) for each in policy.statements)


def digest(policy: PolicyDocument) -> str:
    """Return SHA-256 over what ``policy`` says, in lower-case hex: the same however it is written."""
    heads = [list(part) for part in _heads(policy)]
    forms = sorted(each.form for each in statements(policy))
    return hashlib.sha256(json.dumps([heads, forms], separators=(",", ":")).encode()).hexdigest()


def difference(before: PolicyDocument, after: PolicyDocument) -> Difference:
    """Return in what ``after`` differs from ``before``: statements are matched by Sid, and otherwise by content."""
    old, new = list(statements(before)), list(statements(after))
    same = _take_equal(old, new)
    changes = [_changed(*pair) for pair in _take_named(old, new)]
    changes += [Change(Kind.REMOVED, each.label, each, None, _parts(each.members, {})) for each in old]
    changes += [Change(Kind.ADDED, each.label, None, each, _parts({}, each.members)) for each in new]
    heads = [
        Part((name,), (was,) if was else (), (now,) if now else ())
        for (name, was), (_, now) in zip(_heads(before), _heads(after), strict=True)
        if was != now
    ]
    return Difference(tuple(heads), tuple(changes), same)


def _heads(policy: PolicyDocument) -> list[tuple[str, str]]:
    return [("Version", policy.version or _OLD_VERSION), ("Id", policy.id)]


def _take_equal(old: list[Canonical], new: list[Canonical]) -> int:
    """Take the statements that both have out of both lists; each counts once."""
    both = Counter(each.form for each in old) & Counter(each.form for each in new)
    for each in (old, new):
        left = Counter(both)
        kept = []
        for statement in each:
            if left[statement.form]:
                left[statement.form] -= 1
            else:
                kept.append(statement)
        each[:] = kept
    return both.total()


def _take_named(old: list[Canonical], new: list[Canonical]) -> list[tuple[Canonical, Canonical]]:
    """Take the statements out of both lists whose Sid stands exactly once in each, paired."""
    names = [_once(each) for each in (old, new)]
    pairs = [(names[0][sid], names[1][sid]) for sid in names[0] if sid in names[1]]
    for was, now in pairs:
        old.remove(was)
        new.remove(now)
    return pairs


def _once(listed: Sequence[Canonical]) -> dict[str, Canonical]:
    counts = Counter(each.sid for each in listed)
    return {each.sid: each for each in listed if each.sid and counts[each.sid] == 1}


def _changed(was: Canonical, now: Canonical) -> Change:
    return Change(Kind.CHANGED, now.label, was, now, _parts(was.members, now.members))


def _parts(was: Members, now: Members) -> tuple[Part, ...]:
    found = []
    for path in dict.fromkeys((*was, *now)):
        old, new = was.get(path), now.get(path)
        if old != new:
            old, new = (() if each is None else each or _NO_VALUE for each in (old, new))
            removed = tuple(value for value in old if value not in new)
            added = tuple(value for value in new if value not in old)
            found.append(Part(path, removed, added))
    return tuple(found)


def _canonical(statement: Statement) -> Canonical:
    members = dict(_members(statement))
    compared = sorted((_compared(path), _values(path, values)) for path, values in members.items())
    form = json.dumps(compared, separators=(",", ":"))
    return Canonical(statement.label, statement.sid, members, form)


def _compared(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(folded(step) for step in path) if path[0] == "Condition" else path


def _values(path: tuple[str, ...], values: Sequence[str]) -> list[str]:
    if path[0] in _FOLDED:
        return sorted({folded(value) for value in values})
    if path[-1] == "AWS" and path[0] in _PRINCIPALS:
        return sorted({_account(value) for value in values})
    return list(values)


def _account(principal: str) -> str:
    """Return the number of the account that a principal is all of; any other principal as it is."""
    match = _ACCOUNT.fullmatch(principal)
    return match[1] or match[2] if match else principal


def _members(statement: Statement) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    if statement.sid:
        yield ("Sid",), (statement.sid,)
    yield ("Effect",), (statement.effect.value,)
    yield from _principal(statement.principal)
    for name, values in (
        ("Action", statement.actions),
        ("NotAction", statement.not_actions),
        ("Resource", statement.resources),
        ("NotResource", statement.not_resources),
    ):
        if values:
            yield (name,), _sorted(values)
    yield from _conditions(statement.conditions)


def _principal(principal: Principal) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    name = "NotPrincipal" if principal.negated else "Principal"
    kinds = (
        ("AWS", principal.aws),
        ("Service", principal.services),
        ("Federated", principal.federated),
        ("CanonicalUser", principal.canonical_users),
    )
    for kind, values in kinds:
        if values:
            yield (name, kind), _sorted(values)
    if principal.negated and not any(values for _, values in kinds):
        yield (name, "AWS"), ()  # everybody but nobody, where a Principal without names is nobody


def _conditions(conditions: Sequence[Condition]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield each condition by itself: one key twice under one operator, differently written, has to match both."""
    seen, spellings = set[tuple[str, ...]](), dict[tuple[str, str], Iterator[str]]()
    for each in sorted(
        conditions, key=lambda each: (each.operator.text.lower(), each.key.lower(), _sorted(each.values))
    ):
        text, key = each.operator.text, each.key
        left = spellings.setdefault((text, key), _spellings(text))
        path = next(path for path in (("Condition", spelling, key) for spelling in left) if path not in seen)
        seen.add(path)
        yield path, _sorted(each.values)


def _spellings(text: str) -> Iterator[str]:
    """Yield ``text`` and then the same in other letter case, each once: more than a policy can have of one operator."""
    letters = ((each, each.swapcase()) if each.isascii() and each.isalpha() else (each,) for each in text)
    return ("".join(chosen) for chosen in product(*letters))


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))
