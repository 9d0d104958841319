"""The callers that a policy can tell apart: those that it names, and for each account and for all others unnamed ones.

What a policy says of a caller is decided by which of its principals are the caller or the caller's account, and by the
condition keys that follow from who calls. So one caller stands for all of whom both are equal: every role, user and
session that is named; of a role with named sessions one in another session; of each account that is named its root user
and a role and a user that are not; and the same of an account that is not. Where conditions compare
``aws:PrincipalArn`` with patterns there is an unnamed role and user for every combination of patterns that some ARN
matches. AWS services, federated users and what KMS takes for no principal are nobody here who calls: a statement about
them is answered by itself (:mod:`.prove_search`).
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nitroctl.errors import UsageError
from nitroctl.kms import caller as callers
from nitroctl.kms.caller import Caller, Is, Named
from nitroctl.kms.classes import Atom
from nitroctl.kms.classes_budget import Budget
from nitroctl.kms.classes_text import Language, Shape, arn_languages, language, witnesses
from nitroctl.kms.document import PolicyDocument, Principal, Statement
from nitroctl.kms.operators import Actual, present
from nitroctl.kms.patterns import Unresolved, Wild, expand

#: Condition keys whose values follow from who calls.
FROM_CALLER: Final = (
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principaltype",
    "aws:username",
    "kms:calleraccount",
)
#: What makes a role or user one: partition, account, kind and name, whatever its path or case.
_Place = tuple[str, str, str, str]
#: Condition keys that have a caller's ARN.
_ARNS: Final = ("aws:principalarn", "kms:granteeprincipal")
_ACCOUNT: Final = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
_DIGITS: Final = "0123456789"
_NAME: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-"
_SESSION: Final = ":assumed-role/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerClass:
    """One caller, and in words for whom it stands. ``given``: condition keys that its ARN alone does not say."""

    caller: Caller
    what: str
    given: Mapping[str, Actual] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Callers:
    """All callers, and why some may be missing."""

    classes: tuple[CallerClass, ...]
    incomplete: str = ""


def of(
    policies: Sequence[PolicyDocument],
    atoms: Sequence[Atom],
    budget: Budget,
    *,
    grantees: Iterable[str] = (),
    key_account: str = "",
) -> Callers:
    """Return the callers that the key policies tell apart. ``key_account``: of the key, empty when not known."""
    statements = [statement for policy in policies for statement in policy.statements]
    texts = dict.fromkeys([*(text for each in statements for text in each.principal.aws), *grantees])
    about = [each for each in atoms if each.variable in (*FROM_CALLER, *_ARNS)]
    said = dict.fromkeys(value for each in about for value in each.condition.values)
    named = _named([*texts, *said])
    accounts = dict[str, str]()  # account -> partition
    for text in [*texts, *said]:
        partition = text.split(":")[1] if text.startswith("arn:") and text.count(":") > 1 else ""
        for account in [callers.account_of(text)] if text in texts else _ACCOUNT.findall(text):
            if account and (partition or account not in accounts):
                accounts[account] = partition or "aws"
    if key_account:
        accounts.setdefault(key_account, "aws")
    home = [key_account] if key_account else [*accounts][:1]
    ordered = dict.fromkeys([*home, *accounts])
    partitions = {**accounts, _unnamed_account(accounts): next(iter(accounts.values()), "aws")}
    incomplete = _obstacle(about)
    found = [*named]
    try:
        for account in [*ordered, _unnamed_account(accounts)]:
            found += _others(account, partitions[account], named, about, budget, known=account in accounts)
        if not accounts or about:
            found += _anywhere(accounts, about, budget)
    except UsageError:
        incomplete = incomplete or "roles whose names the conditions on aws:PrincipalArn describe, and no role can have"
    users = {value for each in about if each.variable == "aws:username" for value in each.condition.values}
    for name, account in itertools.product(sorted(users), [*accounts][:8]):
        if set(name) <= set(_NAME) and name:
            arn = f"arn:{accounts[account]}:iam::{account}:user/{name}"
            found.append(CallerClass(caller=callers.parse(arn), what="a user of that name"))
    return Callers(tuple(found), incomplete)


def _obstacle(about: Iterable[Atom]) -> str:
    """Return why the callers cannot be told from each other in full; empty when they can."""
    for each in about:
        operator = each.condition.operator.name.lower()
        wild = any("*" in value or "?" in value for value in each.condition.values)
        if each.names or (wild and "like" in operator and each.variable not in _ARNS):
            return f"{each.condition.key}, which is compared with a pattern or a variable"
        if each.family not in ("text", ""):
            return f"{each.condition.key}, which is compared by {each.condition.operator.text}"
        if each.variable in _ARNS and operator.endswith("ignorecase"):
            return f"{each.condition.key}, which is compared without case"
    return ""


def _named(texts: Iterable[str]) -> list[CallerClass]:
    """Return the roles, users and sessions that are named, and of a role with named sessions another session.

    A role that is named with several paths is one for each: which is its own, the policy does not say.
    """
    roles, sessions = dict[_Place, dict[str, Caller]](), dict[_Place, list[Caller]]()
    for text in texts:
        caller = None if "*" in text or "?" in text else _parsed(text)
        if caller is None or caller.kind is Is.ROOT:
            continue
        place = (caller.partition, caller.account, caller.kind.value, caller.name.lower())
        if caller.session is not None:
            sessions.setdefault(place, []).append(caller)
        else:
            roles.setdefault(place, {}).setdefault(caller.arn, caller)
    found = [
        CallerClass(caller=caller, what=f"the {caller.kind.value} that is named")
        for place, named in roles.items()
        if place not in sessions
        for caller in named.values()
    ]
    for place, known in sessions.items():
        name, names = known[0].name, {each.session for each in known}
        other = next(text for number in itertools.count() if (text := f"session{number or ''}") not in names)
        another = callers.parse(f"arn:{place[0]}:sts::{place[1]}:assumed-role/{name}/{other}")
        for arn in roles.get(place, {f"arn:{place[0]}:iam::{place[1]}:role/{name}": another}):
            for caller, what in [
                *((each, "the session that is named") for each in known),
                (another, "another session"),
            ]:
                found.append(CallerClass(caller=caller, what=what, given={"aws:principalarn": present(arn)}))
    return found


def _parsed(text: str) -> Caller | None:
    """Return whom a principal or a value of ``aws:PrincipalArn`` names; None when that is nobody who calls."""
    try:
        return callers.parse(text)
    except UsageError:
        return None


def _unnamed_account(accounts: Iterable[str]) -> str:
    taken = set(accounts)
    return next(text for number in itertools.count(999988887777, -1) if (text := f"{number:012}") not in taken)


def _others(  # noqa: PLR0913  (what is known of the account)
    account: str, partition: str, named: Sequence[CallerClass], about: Sequence[Atom], budget: Budget, *, known: bool
) -> Iterator[CallerClass]:
    """Yield the callers of an account whom nobody names."""
    whose = f"of account {account}" if known else "of an account that nobody names"
    for kind in (Is.ROLE, Is.USER):
        prefix = f"arn:{partition}:iam::{account}:{kind.value}/"
        own = [each.caller for each in named if each.caller.account == account and each.caller.kind is kind]
        for arn in _arns(prefix, own, about, budget):
            what = f"a {kind.value} {whose}" + (" that nobody names" if known else "")
            yield CallerClass(caller=callers.parse(arn), what=what)
    yield CallerClass(caller=Caller(kind=Is.ROOT, partition=partition, account=account), what=f"the root user {whose}")


def _arns(prefix: str, own: Sequence[Caller], about: Sequence[Atom], budget: Budget) -> Iterator[str]:
    """Yield the ARN of a role or user of the account that is not of ``own``, for each combination of patterns."""
    wild = [pattern for each in about if each.variable in _ARNS for pattern in _languages(each)]
    if not wild:
        taken = {caller.name.lower() for caller in own}
        yield prefix + next(name for n in itertools.count() if (name := f"anybody{n or ''}") not in taken)
        return
    names = [language(prefix + caller.name, caseless=True) for caller in own]
    names += [language([*prefix, Wild.MANY, "/", *caller.name], caseless=True) for caller in own]
    for arn in witnesses([*wild, *names], budget, shape=_PATH, prefix=prefix):
        if not any(_accepts(each, arn) for each in names):
            yield arn


def _accepts(language: Language, text: str) -> bool:
    places = language.start
    for character in text:
        places = language.step(places, character)
    return language.accepts(places)


def _languages(atom: Atom) -> Iterator[Language]:
    operator = atom.condition.operator.name.lower()
    for value in atom.condition.values:
        pattern = expand(value, None, wildcards="like" in operator or operator.startswith("arn"))
        if isinstance(pattern, Unresolved):
            continue
        yield from arn_languages(pattern) if operator.startswith("arn") else [language(pattern)]


def _path_step(state: object, character: str) -> object | None:
    if character == "/":
        return None if state == "/" else "/"
    return "name" if character in _NAME else None


#: Paths and names of roles and users, behind the prefix that says which they are.
_PATH: Final = Shape("/", _path_step, lambda state: state == "name", f"{_NAME}/")


def _anywhere(accounts: Iterable[str], about: Sequence[Atom], budget: Budget) -> Iterator[CallerClass]:
    """Yield callers of accounts that no text names in full and a pattern of ARNs tells from others."""
    wild = [each for each in about if each.variable in _ARNS]
    languages = [each for one in wild for each in _languages(one)]
    taken = set(accounts)
    for kind in (Is.ROLE, Is.USER) if languages else ():
        middle = f":{kind.value}/"

        def step(state: object, character: str, middle: str = middle) -> object | None:
            at = state if isinstance(state, int) else 0
            if isinstance(state, str):
                return _path_step(state, character)
            if at < 12:  # noqa: PLR2004  (digits of an account)
                return at + 1 if character in _DIGITS else None
            if character != middle[at - 12]:
                return None
            return "/" if at - 12 == len(middle) - 1 else at + 1

        shape = Shape(0, step, lambda state: state == "name", f"{_NAME}/:")
        known = [language([*f"arn:aws:iam::{account}:", Wild.MANY]) for account in taken]
        for arn in witnesses([*languages, *known], budget, shape=shape, prefix="arn:aws:iam::"):
            caller = callers.parse(arn)
            if caller.account not in taken:
                what = f"a {kind.value} of an account that nobody names, with an ARN that a pattern matches"
                yield CallerClass(caller=caller, what=what)


# Whom a statement is about ------------------------------------------------------------------------------------------


class Index:
    """The principals of a statement by account, so that thousands of them need not all be compared with a caller."""

    def __init__(self, statement: Statement) -> None:
        self._principal = statement.principal
        self._always: list[str] = []
        self._by: dict[tuple[str, str], list[str]] = {}
        for text in statement.principal.aws:
            account, name = callers.account_of(text), _last(text)
            if not account or "*" in text or "?" in text:
                self._always.append(text)
            else:
                self._by.setdefault((account, name), []).append(text)

    def named(self, caller: Caller) -> Named:
        """Return what :func:`nitroctl.kms.caller.named` does."""
        own = [*self._always, *self._by.get((caller.account, ""), ()), *self._by.get(_place(caller), ())]
        return callers.named(
            Principal(aws=tuple(dict.fromkeys(own)), negated=self._principal.negated, line=self._principal.line), caller
        )


def _place(caller: Caller) -> tuple[str, str]:
    return caller.account, caller.name.lower()


def _last(text: str) -> str:
    """Return the name of a role or user in lower case; empty for an account."""
    if "/" not in text:
        return ""
    return (text.split("/")[1] if _SESSION in text else text.rpartition("/")[2]).lower()


def strangers(statement: Statement) -> tuple[str, ...]:
    """Return the principals of a statement that nobody here can play: services, federated users and the like."""
    principal = statement.principal
    return (
        *principal.services,
        *principal.federated,
        *principal.canonical_users,
        *(text for text in principal.aws if _stranger(text)),
    )


def _stranger(text: str) -> bool:
    if text == "*" or callers.deleted(text) or _ACCOUNT.fullmatch(text):
        return False
    if "*" in text or "?" in text:
        return False  # open for every caller already
    return _parsed(text) is None
