"""A policy that is there, taken apart: what nitroctl wrote, which is replaced, and what is the operator's, which stays.

A statement is nitroctl's when it has a Sid that nitroctl gives, and says what nitroctl says under it. A statement with
such a Sid that says something else was changed by hand, or is somebody's own; neither is replaced without a word, so
both are refused. Nothing of the operator's is left out, put in another order, or written in other words.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from nitroctl import strict_json
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.kms import principals
from nitroctl.kms.caller import deleted
from nitroctl.kms.document import PolicyDocument, Statement
from nitroctl.kms.generate import ADMIN_ACTIONS, DETOURS, WRITER_ACTIONS
from nitroctl.kms.key_policy import EVERYBODY, REFUSED, SID_PREFIX, VERSION, Effect, Kept
from nitroctl.kms.letters import folded
from nitroctl.kms.request import register
from nitroctl.kms.targets import ATTESTED_ACTIONS, DATA_WRITER_ACTIONS

_CONTEXT: Final = "kms:encryptioncontext:"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What nitroctl writes under a Sid. ``attests``, ``context``: it may have conditions on those."""

    sid: re.Pattern[str]
    effect: Effect
    actions: tuple[str, ...]
    attests: bool = False
    context: bool = False


#: Everything that this nitroctl and those before it write.
_KINDS: Final = (
    _Kind(re.compile("Admin"), Effect.ALLOW, ADMIN_ACTIONS),
    _Kind(re.compile("PolicyWriter"), Effect.ALLOW, WRITER_ACTIONS),
    _Kind(re.compile("DataWriter"), Effect.ALLOW, DATA_WRITER_ACTIONS, context=True),
    _Kind(re.compile("Allow[A-Za-z0-9]{1,40}[0-9a-f]{8}"), Effect.ALLOW, ATTESTED_ACTIONS, attests=True, context=True),
    _Kind(
        re.compile("Deny(?:Unattested|Debug|(?:Other|Mixed[0-9]{1,4})(?:NitroTPM)?PCR[0-9]{1,2})"),
        Effect.DENY,
        ATTESTED_ACTIONS,
        attests=True,
    ),
    _Kind(re.compile("DenyDetours"), Effect.DENY, DETOURS),
)


@dataclass(frozen=True, slots=True)
class Existing:
    """A policy taken apart. ``kept``: what stays; ``statements``: the same as they were read. ``ours``: Sids."""

    kept: Kept
    statements: tuple[Statement, ...]
    ours: tuple[str, ...]


def split(policy: PolicyDocument) -> Existing:
    """Take ``policy`` apart. Ours are written where the first of them stood, else after all others.

    Raises CannotAnswer ``kms.foreign-sid`` for a statement that may be ours or not, ``kms.document`` for a character
    that KMS takes in no policy.
    """
    ours, kept = [], []
    sids = Counter(statement.sid for statement in policy.statements)
    for statement in policy.statements:
        if not folded(statement.sid).startswith(SID_PREFIX.lower()):
            kept.append(statement)
            continue
        problem = "the Sid is there twice" if sids[statement.sid] > 1 else _problem(statement)
        if problem:
            raise CannotAnswer(
                f"{policy.where}: line {statement.line}: {statement.sid[:100]!r}: {problem}",
                "kms.foreign-sid",
                [f"Sids that begin with {SID_PREFIX} are nitroctl's: give it another to keep it, or take it out"],
            )
        ours.append(statement)
    raw = policy.raw["Statement"]
    listed: list[Mapping[str, object]] = list(raw) if isinstance(raw, list) else [raw]  # type: ignore[list-item]
    first = ours[0].number if ours else len(listed) + 1
    members = {each.number: listed[each.number - 1] for each in kept}
    _refuse_characters(policy, members)
    return Existing(
        Kept(
            before=tuple(value for number, value in members.items() if number < first),
            after=tuple(value for number, value in members.items() if number > first),
            version=_version(policy, list(members.values())),
            id=policy.id,
        ),
        tuple(kept),
        tuple(each.sid for each in ours),
    )


def _version(policy: PolicyDocument, kept: list[Mapping[str, object]]) -> str:
    """Return the version of the language: ours, unless ``${…}`` would then mean something else in what is kept."""
    return policy.version if "${" in json.dumps(kept) else VERSION


def _refuse_characters(policy: PolicyDocument, kept: Mapping[int, Mapping[str, object]]) -> None:
    """Refuse what KMS cannot have given back; ``kept``: statements by their number."""
    for path, value in _values(policy, kept):
        for text in [value] if isinstance(value, str) else list(value) if isinstance(value, dict) else []:
            odd = REFUSED.search(text)
            if odd:
                raise CannotAnswer(
                    f"{policy.where}: {strict_json.pointer(path)}: U+{ord(odd[0]):04X}, a character that KMS refuses",
                    "kms.document",
                    ["write ASCII"],
                )


def _values(
    policy: PolicyDocument, kept: Mapping[int, Mapping[str, object]]
) -> Iterator[tuple[tuple[str | int, ...], object]]:
    yield ("Id",), policy.id
    for number, statement in kept.items():
        for path, value in strict_json.walk(statement):
            yield ("Statement", number - 1, *path), value


def _problem(statement: Statement) -> str:
    """Return what shows that a statement with a Sid like ours is not as we write it; empty when it is."""
    rest = statement.sid.removeprefix(SID_PREFIX)
    kind = next((kind for kind in _KINDS if statement.sid.startswith(SID_PREFIX) and kind.sid.fullmatch(rest)), None)
    if kind is None:
        return "no statement of nitroctl's has this Sid"
    known = {folded(action) for action in kind.actions}
    conditions = [folded(each.key) for each in statement.conditions]
    attests, contexts = ([key for key in conditions if test(key)] for test in (register, _is_context))
    for wrong, problem in (
        (statement.effect is not kind.effect, f"Effect is not {kind.effect.value}"),
        (not _ours(statement, kind), "other principals than nitroctl names"),
        (
            not statement.actions or not {folded(action) for action in statement.actions} <= known,
            "other actions than nitroctl names",
        ),
        (statement.resources != ("*",), 'Resource is not "*"'),
        (
            len(attests) + len(contexts) < len(conditions)
            or bool(attests) is not kind.attests
            or (bool(contexts) and not kind.context),
            "other conditions than nitroctl writes",
        ),
    ):
        if wrong:
            return f"{problem}: it was changed, or is somebody's own"
    return ""


def _is_context(key: str) -> bool:
    return key.startswith(_CONTEXT)


def _ours(statement: Statement, kind: _Kind) -> bool:
    who = statement.principal
    if who.negated or who.services or who.federated or who.canonical_users or not who.aws:
        return False
    return who.aws == EVERYBODY if kind.effect is Effect.DENY else all(_role(name) for name in who.aws)


def _role(name: str) -> bool:
    """Whether a principal is a role, or what KMS shows of one that was deleted."""
    try:
        principals.parse(name, option="")
    except UsageError:
        return deleted(name)
    return True
