"""The statements of key policies, and which of them are, or may be, about a caller who asks for an action."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from nitroctl.kms import patterns
from nitroctl.kms.authorize import about_action, about_resource
from nitroctl.kms.classes import Atom, atom
from nitroctl.kms.classes_callers import CallerClass, Index
from nitroctl.kms.document import PolicyDocument, Statement
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.request import Request
from nitroctl.kms.truth import Truth

#: Policy variables that the key's ARN says.
_OF_THE_KEY: Final = frozenset({"aws:resourceaccount", "aws:requestedregion"})


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One statement of a key policy, its conditions taken apart, and whom it is about."""

    policy: PolicyDocument
    statement: Statement
    atoms: tuple[Atom, ...]
    index: Index

    @property
    def label(self) -> str:
        """What people call it."""
        return self.statement.label


def rules(policies: Iterable[PolicyDocument]) -> tuple[Rule, ...]:
    """Return the statements of key policies."""
    return tuple(
        Rule(policy, each, tuple(atom(policy, condition) for condition in each.conditions), Index(each))
        for policy in policies
        for each in policy.statements
    )


@dataclass(frozen=True, slots=True)
class About:
    """A statement that may be about a request. ``surely``: its principal and resource are.

    ``direct``: it names the caller, or everybody, and not only the caller's account.
    """

    rule: Rule
    surely: bool
    direct: bool = True


def about(found: Sequence[Rule], who: CallerClass, action: str, request: Request) -> Iterator[About]:
    """Yield the statements that are or may be about the caller and the action."""
    for rule in found:
        if about_action(rule.statement, action) is not Truth.YES:
            continue
        named = rule.index.named(who.caller)
        principal = named.either
        resource = about_key(rule, request)
        if Truth.NO not in (principal, resource):
            yield About(rule, principal is Truth.YES and resource is Truth.YES, named.direct is not Truth.NO)


def about_key(rule: Rule, request: Request) -> Truth:
    """Return whether a statement is about the key; open where a variable in it is for the request or caller to say."""
    statement = rule.statement
    texts = statement.not_resources or statement.resources
    plain = tuple(text for text in texts if not rule.policy.variables or _OF_THE_KEY.issuperset(patterns.names(text)))
    if len(plain) == len(texts):
        return about_resource(rule.policy, statement, request)[0]
    if statement.not_resources:
        without = about_resource(rule.policy, replace(statement, not_resources=plain), request)[0] if plain else None
        return Truth.NO if without is Truth.NO else Truth.OPEN
    without = about_resource(rule.policy, replace(statement, resources=plain), request)[0] if plain else None
    return Truth.YES if without is Truth.YES else Truth.OPEN


def allows(found: Sequence[About]) -> list[About]:
    """Return the Allow statements."""
    return [each for each in found if each.rule.statement.effect is Effect.ALLOW]


def denies(found: Sequence[About]) -> list[About]:
    """Return the Deny statements."""
    return [each for each in found if each.rule.statement.effect is Effect.DENY]
