"""A policy as somebody wrote it: read strictly, with the line of everything that a person may have to change.

What KMS stores can be odd (a statement without Action is kept, and dead), so the odd is kept too; what two readers
could understand differently, or what no policy may have, is refused: equal keys, ``NaN``, unknown members, wrong types,
``Action`` beside ``NotAction``. Source: IAM JSON policy elements reference and grammar; KMS Developer Guide, "Key
policies in AWS KMS".
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from nitroctl import safefile, strict_json
from nitroctl.errors import CannotAnswer
from nitroctl.kms import places
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.letters import folded

#: KMS takes 32,768 bytes; a file may be indented generously.
SIZE_LIMIT: Final = 1024 * 1024
#: No policy that KMS takes has as many: the shortest statement has some fifty bytes.
STATEMENT_LIMIT: Final = 1000
#: The version whose values may hold variables (``${…}``).
VERSION: Final = "2012-10-17"
_VERSIONS: Final = (VERSION, "2008-10-17")
#: Characters of a Sid in a sentence.
_LABEL: Final = 200

_POLICY_MEMBERS: Final = {"Version", "Id", "Statement"}
_STATEMENT_MEMBERS: Final = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
_PRINCIPALS: Final = {"AWS": "aws", "Service": "services", "Federated": "federated", "CanonicalUser": "canonical_users"}

SetOperator = Literal["", "ForAnyValue", "ForAllValues"]


class Kind(StrEnum):
    """Where a policy hangs: on a key (with principals), or on a role or user (without)."""

    KEY = "key"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Operator:
    """A condition operator taken apart: ``ForAnyValue:StringEqualsIfExists`` is StringEquals, a set operator, and more.

    ``name``: without prefix and suffix, as written; nothing says that it exists (see :mod:`nitroctl.kms.operators`).
    """

    name: str
    set_operator: SetOperator = ""
    if_exists: bool = False

    @property
    def text(self) -> str:
        """The operator as a policy has it."""
        prefix = f"{self.set_operator}:" if self.set_operator else ""
        return f"{prefix}{self.name}{'IfExists' if self.if_exists else ''}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator, and the values that it is compared with. ``line``: of the key, from 1."""

    operator: Operator
    key: str
    values: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whom a statement is about. ``"*"`` alone is read as ``{"AWS": "*"}``, as KMS gives it back.

    ``negated``: it is NotPrincipal. An identity policy's statements have an empty one. ``line``: from 1.
    """

    aws: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()
    canonical_users: tuple[str, ...] = ()
    negated: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. ``number``: its place, from 1. ``line``: where it begins, from 1.

    An empty ``actions`` and ``not_actions``, or ``resources`` and ``not_resources``, say that the member is missing or
    an empty list: KMS stores such a statement and it matches nothing.
    """

    number: int
    sid: str
    effect: Effect
    principal: Principal
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[Condition, ...]
    line: int

    @property
    def label(self) -> str:
        """What to call it: its Sid, or its place. Of a Sid that is longer than anybody writes, the beginning."""
        sid = self.sid if len(self.sid) <= _LABEL else f"{self.sid[:_LABEL]}…"
        return sid or f"statement {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """A policy. ``where``: its file. ``version``: empty when it has none, and values are literal text then.

    ``size``: bytes of its compact form, which KMS counts. ``raw``: the JSON object it was read from.
    """

    where: str
    kind: Kind
    version: str
    id: str
    statements: tuple[Statement, ...]
    size: int
    raw: Mapping[str, object] = field(repr=False, compare=False)

    @property
    def variables(self) -> bool:
        """Whether ``${…}`` in its values is a variable."""
        return self.version == VERSION


def read(path: str, *, kind: Kind = Kind.KEY) -> PolicyDocument:
    """Return the policy in the file ``path``, or on standard input for ``-``.

    Raises CannotAnswer ``file.*``, ``json.*`` or ``kms.document``.
    """
    where = "standard input" if path == safefile.STDIN else path
    return parse(safefile.read_text(path, limit=SIZE_LIMIT), where=where, kind=kind)


def parse(text: str, *, where: str, kind: Kind = Kind.KEY) -> PolicyDocument:
    """Return the policy that the JSON ``text`` holds; ``where`` names it in errors.

    Accepted are the document alone and what the AWS CLI prints around it: ``{"Policy": "…"}`` of get-key-policy; for an
    identity policy also get-role-policy's and get-policy-version's. Raises CannotAnswer ``json.*`` or ``kms.document``.
    """
    document = strict_json.parse(text, where=where)
    inside: places.Path = ()
    if isinstance(document, dict):
        for path in (("Policy",), ("PolicyDocument",), ("PolicyVersion", "Document")):
            found = _at(document, path)
            if found is not None and "Statement" not in document:
                document, inside = found, path
                break
    lines = places.lines(text)
    if isinstance(document, str):  # a document within a string: all of it stands on one line of the file
        line = lines[inside]
        document = strict_json.parse(document, where=f"{where}: {strict_json.pointer(inside)}")
        return of(document, where=where, kind=kind, lines={(): line})
    return of(document, where=where, kind=kind, lines=lines, inside=inside)


def _at(document: Mapping[str, object], path: Sequence[str]) -> object:
    here: object = document
    for key in path:
        here = here.get(key) if isinstance(here, dict) else None
    return here


def of(
    document: object,
    *,
    where: str,
    kind: Kind = Kind.KEY,
    lines: Mapping[places.Path, int],
    inside: places.Path = (),
) -> PolicyDocument:
    """Return the policy that a JSON value is, which stands at the path ``inside`` of a text with these ``lines``.

    A value that ``lines`` does not have is said to be where what contains it is. Raises CannotAnswer ``kms.document``.
    """
    return _Reader(where, kind, lines, inside).policy(document)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one policy; knows where it stands."""

    where: str
    kind: Kind
    lines: Mapping[places.Path, int]
    inside: places.Path

    def policy(self, document: object) -> PolicyDocument:
        members = self._object(document, (), _POLICY_MEMBERS, "a policy")
        if "Statement" not in members:
            raise self._refused((), "not a policy: no member Statement")
        version = self._text(members.get("Version", ""), ("Version",))
        if version and version not in _VERSIONS:
            raise self._refused(("Version",), f"{version[:100]!r} is no version of the policy language")
        statements = members["Statement"]
        single = isinstance(statements, dict)
        listed = [statements] if single else statements
        if not isinstance(listed, list):
            raise self._refused(("Statement",), "neither an object nor a list")
        if len(listed) > STATEMENT_LIMIT:
            raise self._refused(("Statement",), f"{len(listed)} statements, more than any key policy can hold")
        return PolicyDocument(
            where=self.where,
            kind=self.kind,
            version=version,
            id=self._text(members.get("Id", ""), ("Id",)),
            statements=tuple(
                self._statement(each, number, ("Statement",) if single else ("Statement", number))
                for number, each in enumerate(listed)
            ),
            size=len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")),
            raw=members,
        )

    def _statement(self, statement: object, number: int, path: places.Path) -> Statement:
        members = self._object(statement, path, _STATEMENT_MEMBERS, "a statement")
        for name in ("Principal", "Action", "Resource"):
            if name in members and f"Not{name}" in members:
                raise self._refused(path, f"both {name} and Not{name}")
        effect = members.get("Effect")
        if effect not in (Effect.ALLOW, Effect.DENY):
            raise self._refused((*path, "Effect"), "Effect is neither Allow nor Deny")
        for name in ("NotPrincipal", "NotAction", "NotResource"):
            if members.get(name) in ([], {}):
                raise self._refused((*path, name), "an empty list, which would match everything or nothing")
        found = {
            name: self._texts(members.get(name, []), (*path, name))
            for name in ("Action", "NotAction", "Resource", "NotResource")
        }
        return Statement(
            number=number + 1,
            sid=self._text(members.get("Sid", ""), (*path, "Sid")),
            effect=Effect(str(effect)),
            principal=self._principal(members, path),
            actions=found["Action"],
            not_actions=found["NotAction"],
            resources=found["Resource"],
            not_resources=found["NotResource"],
            conditions=tuple(self._conditions(members.get("Condition", {}), (*path, "Condition"))),
            line=self._line(path),
        )

    def _principal(self, members: Mapping[str, object], path: places.Path) -> Principal:
        name = "NotPrincipal" if "NotPrincipal" in members else "Principal"
        if self.kind is Kind.IDENTITY:
            if name in members:
                raise self._refused((*path, name), "an identity policy has no principals; is it a key policy?")
            return Principal(line=self._line(path))
        path = (*path, name)
        if name not in members:
            raise self._refused(path[:-1], "no Principal, which a statement of a key policy must have")
        value = members[name]
        if isinstance(value, str):
            if value != "*":
                raise self._refused(path, f'{value[:100]!r} alone is no principal: write "*", or {{"AWS": …}}')
            value = {"AWS": value}
        kinds = self._object(value, path, set(_PRINCIPALS), "principals")
        found = {_PRINCIPALS[kind]: self._texts(texts, (*path, kind)) for kind, texts in kinds.items()}
        return Principal(**found, negated=name == "NotPrincipal", line=self._line(path))

    def _conditions(self, conditions: object, path: places.Path) -> Iterator[Condition]:
        for written, keys in self._object(conditions, path, None, "conditions").items():
            at = (*path, written)
            for key, values in self._object(keys, at, None, "keys of an operator").items():
                place = (*at, key)
                listed = self._texts(values, place, scalars=True)
                yield Condition(operator(written), key, listed, self._line(place))

    def _object(self, value: object, path: places.Path, members: set[str] | None, what: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self._refused(path, f"not an object, as {what} must be")
        for key in value:
            if members is not None and key not in members:
                near = next((known for known in sorted(members) if known.lower() == key.lower()), "")
                hint = f"; did you mean {near}?" if near else ""
                raise self._refused((*path, key), f"{key[:100]!r} is no member of {what}{hint}")
        return value

    def _text(self, value: object, path: places.Path) -> str:
        if not isinstance(value, str):
            raise self._refused(path, "not a string")
        return value

    def _texts(self, value: object, path: places.Path, *, scalars: bool = False) -> tuple[str, ...]:
        """Return a string or a list of strings; with ``scalars`` booleans and whole numbers are text too, as in IAM."""
        found = []
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                found.append(each)
            elif scalars and isinstance(each, bool | int):
                found.append(json.dumps(each))
            else:
                raise self._refused(path, "neither a string nor a list of strings")
        return tuple(found)

    def _line(self, path: places.Path) -> int:
        path = (*self.inside, *path)
        return next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1)

    def _refused(self, path: places.Path, what: str) -> CannotAnswer:
        place = strict_json.pointer((*self.inside, *path)) or "/"
        return CannotAnswer(
            f"{self.where}: line {self._line(path)}: {place}: {what}",
            "kms.document",
            ["give the policy as the AWS CLI prints it, or the document alone"],
        )


def operator(written: str) -> Operator:
    """Return the operator that a policy writes as ``ForAllValues:StringEqualsIfExists``; case does not count."""
    prefix, colon, rest = written.partition(":")
    sets: dict[str, SetOperator] = {"foranyvalue": "ForAnyValue", "forallvalues": "ForAllValues"}
    chosen: SetOperator = sets.get(folded(prefix), "") if colon else ""
    name = rest if chosen else written
    if_exists = folded(name).endswith("ifexists")
    return Operator(name[: -len("IfExists")] if if_exists else name, chosen, if_exists)
