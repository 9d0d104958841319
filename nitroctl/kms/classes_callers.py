"""The callers that a policy can tell apart: those that it names, and for each account and for all others unnamed ones.

What a policy says of a caller is decided by which of its principals are the caller or the caller's account, and by the
condition keys that follow from who calls. So one caller stands for all of whom both are equal: every role, user and
session that is named; of a role with named sessions one in another session; of each account that is named its root user
and a role and a user that are not; and the same of an account that is not. Where conditions compare
``aws:PrincipalArn`` with patterns there is an unnamed role and user for every combination of patterns that some ARN
matches. Few texts say of which partition an account is, so that every account is looked at in each that is written;
nor which path the role of a session has. AWS services and federated users are no callers here:
:mod:`.prove_strangers` has them.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nitroctl.errors import UsageError
from nitroctl.kms import caller as callers
from nitroctl.kms.caller import Caller, Is, Named
from nitroctl.kms.classes import Atom, unclear
from nitroctl.kms.classes_budget import Budget
from nitroctl.kms.classes_text import Language, Shape, arn_languages, language, witnesses
from nitroctl.kms.document import PolicyDocument, Principal, Statement
from nitroctl.kms.letters import folded
from nitroctl.kms.operators import Actual, present
from nitroctl.kms.patterns import Unresolved, Wild, expand
from nitroctl.kms.request import account_of_key

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
_ACCOUNT_DIGITS: Final = 12
_DIGITS: Final = "0123456789"
_PARTITION: Final = re.compile(r"arn:(aws[a-z-]*):")
#: The partitions that AWS has or is known to build.
_PARTITIONS: Final = (
    "aws",
    "aws-cn",
    "aws-us-gov",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
    "aws-eusc",
)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+=,.@_-"
_NAME: Final = f"{_LETTERS}{_DIGITS}"
#: What a path may have, those first that a name has not.
_PRINTED: Final = "".join(sorted(map(chr, range(0x21, 0x7F)), key=str.isalnum))
_SESSION: Final = ":assumed-role/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerClass:
    """One caller, and in words for whom it stands. ``given``: condition keys that its ARN alone does not say.

    ``sure``: a principal names it, so that no other role or user of its account has its name.
    """

    caller: Caller
    what: str
    given: Mapping[str, Actual] = field(default_factory=dict)
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Callers:
    """All callers, and why some may be missing. ``places``: partition and account of each that a text names."""

    classes: tuple[CallerClass, ...]
    incomplete: str = ""
    places: tuple[tuple[str, str], ...] = ()


def of(
    policies: Sequence[PolicyDocument],
    atoms: Sequence[Atom],
    budget: Budget,
    *,
    grantees: Iterable[str] = (),
    key: str = "",
) -> Callers:
    """Return the callers that the key policies tell apart. ``key``: ARN of the key, empty when not known."""
    statements = [statement for policy in policies for statement in policy.statements]
    texts = dict.fromkeys([*(text for each in statements for text in each.principal.aws), *grantees])
    about = [each for each in atoms if each.variable in (*FROM_CALLER, *_ARNS)]
    said = dict.fromkeys(value for each in about for value in each.condition.values)
    places = _places(texts, said, about, key, budget)
    incomplete = _obstacle(about)
    found = list[CallerClass]()
    try:
        found += _named(texts, said, about, budget)
        own = [each.caller for each in found if each.sure]
        for account, partition in itertools.product([*places.accounts, places.unnamed], places.partitions):
            found += _others(account, partition, own, about, budget, known=account in places.accounts)
        for partition in places.partitions if about else ():
            found += _anywhere(partition, places.accounts, about, budget)
    except UsageError:
        incomplete = incomplete or "roles whose names the conditions on aws:PrincipalArn describe, and no role can have"
    unlike = {(each.caller, tuple(each.given.items())): each for each in reversed(found)}
    return Callers(tuple(reversed(unlike.values())), incomplete, tuple(places))


@dataclass(frozen=True, slots=True)
class _Places:
    """Partitions and accounts that callers may be of: every account in every partition, for few texts say which.

    ``unnamed``: an account that stands for those that no text names.
    """

    partitions: tuple[str, ...]
    accounts: Mapping[str, None]
    unnamed: str

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return itertools.product(self.partitions, self.accounts)


def _places(texts: Iterable[str], said: Iterable[str], about: Sequence[Atom], key: str, budget: Budget) -> _Places:
    """Return where callers may be of.

    KMS takes principals of the key's own partition only: where the key or a principal says which that is, no callers of
    other partitions are looked for but those that are written.
    """
    own = account_of_key(key)
    found = [own] if own else []
    found += [callers.account_of(text) for text in texts]
    found += [account for text in said for account in _ACCOUNT.findall(text)]
    accounts = dict.fromkeys(account for account in found if account)
    known = [match[1] for text in [key, *texts] if (match := _PARTITION.match(text))]
    named = [*known, *(match[1] for text in said if (match := _PARTITION.match(text)))]
    wild = [each for one in about if one.variable in _ARNS for each in _languages(one)]
    looked = () if known else reversed(dict.fromkeys((*named, *_PARTITIONS)))
    unlike = {_after(f"arn:{each}:", wild, budget): each for each in looked}
    unnamed = next(text for number in itertools.count(999988887777, -1) if (text := f"{number:012}") not in accounts)
    return _Places(tuple(dict.fromkeys([*named, *reversed(unlike.values())])), accounts, unnamed)


def _after(beginning: str, wild: Sequence[Language], budget: Budget) -> tuple[int, ...]:
    """Return where the patterns of ARNs stand after a beginning: all that the rest of an ARN can hang on."""
    budget.spend(len(beginning) * len(wild))
    return tuple(_reached(each, beginning) for each in wild)


def _obstacle(about: Sequence[Atom]) -> str:
    """Return why the callers cannot be told from each other in full; empty when they can."""
    for each in about:
        operator = folded(each.condition.operator.name)
        wild = any("*" in value or "?" in value for value in each.condition.values)
        if each.names or (wild and "like" in operator and each.variable not in _ARNS):
            return f"{each.condition.key}, which is compared with a pattern or a variable"
        if each.family not in ("text", ""):
            return f"{each.condition.key}, which is compared by {each.condition.operator.text}"
        if each.variable in _ARNS and operator.endswith("ignorecase"):
            return f"{each.condition.key}, which is compared without case"
    return unclear(about)


def _named(
    texts: Mapping[str, None], said: Iterable[str], about: Sequence[Atom], budget: Budget
) -> Iterator[CallerClass]:
    """Yield the roles, users and sessions that are named, and of a role with named sessions another session.

    KMS takes principals that exist only (``texts``), so that they tell the path of a role; what conditions compare with
    (``said``) does not, and a session does not either: its role may have any.
    """
    roles, sessions = dict[_Place, dict[str, Caller]](), dict[_Place, list[Caller]]()
    sure = set[str]()
    for text in [*texts, *said]:
        caller = None if "*" in text or "?" in text else _parsed(text)
        if caller is None or caller.kind is Is.ROOT:
            continue
        place = (caller.partition, caller.account, caller.kind.value, caller.name.lower())
        if caller.session is not None:
            sessions.setdefault(place, []).append(caller)
        else:
            roles.setdefault(place, {}).setdefault(caller.arn, caller)
            sure |= {caller.arn} if text in texts else set()
    for place, named in roles.items():
        for caller in named.values() if place not in sessions else ():
            yield CallerClass(caller=caller, what=f"the {caller.kind.value} that is named", sure=caller.arn in sure)
    for place, known in sessions.items():
        name, names = known[0].name, {each.session for each in known}
        other = next(text for number in itertools.count() if (text := f"session{number or ''}") not in names)
        another = callers.parse(f"arn:{place[0]}:sts::{place[1]}:assumed-role/{name}/{other}")
        prefix = f"arn:{place[0]}:iam::{place[1]}:role/"
        arns = [arn for arn in roles.get(place, ()) if arn in sure] or _paths(prefix, name, about, budget)
        for arn in arns:
            given = {"aws:principalarn": present(arn)}
            for each in known:
                yield CallerClass(caller=each, what="the session that is named", given=given, sure=True)
            yield CallerClass(caller=another, what="another session", given=given, sure=True)


def _paths(prefix: str, name: str, about: Sequence[Atom], budget: Budget) -> Iterator[str]:
    """Yield the ARN of a role of that name for each combination of patterns that one in some path meets."""
    own = [language(prefix + name), language([*prefix, Wild.MANY, "/", *name])]
    patterns = [pattern for each in about if each.variable in _ARNS for pattern in _languages(each)]
    if not patterns:
        yield prefix + name
        return
    for arn in witnesses([*patterns, *own], budget, shape=_path([*patterns, *own]), prefix=prefix):
        if any(_accepts(each, arn) for each in own):
            yield arn


def _parsed(text: str) -> Caller | None:
    """Return whom a principal or a value of ``aws:PrincipalArn`` names; None when that is nobody who calls."""
    try:
        return callers.parse(text)
    except UsageError:
        return None


def _others(  # noqa: PLR0913  (what is known of the account)
    account: str, partition: str, named: Sequence[Caller], about: Sequence[Atom], budget: Budget, *, known: bool
) -> Iterator[CallerClass]:
    """Yield the callers of an account whom nobody names."""
    whose = f"of account {account}" if known else "of an account that nobody names"
    budget.spend(80)
    for kind in (Is.ROLE, Is.USER):
        prefix = f"arn:{partition}:iam::{account}:{kind.value}/"
        own = [each for each in named if (each.partition, each.account, each.kind) == (partition, account, kind)]
        for arn in _arns(prefix, own, _of_kind(kind, about), budget):
            what = f"a {kind.value} {whose}" + (" that nobody names" if known else "")
            yield CallerClass(caller=callers.parse(arn), what=what)
    yield CallerClass(caller=Caller(kind=Is.ROOT, partition=partition, account=account), what=f"the root user {whose}")


def _of_kind(kind: Is, about: Sequence[Atom]) -> list[Language]:
    """Return what conditions tell roles, or users, from each other by: their ARNs, and the names of users."""
    found = [pattern for each in about if each.variable in _ARNS for pattern in _languages(each)]
    for each in about:
        if each.variable == "aws:username" and kind is Is.USER:
            caseless = folded(each.condition.operator.name).endswith("ignorecase")
            found += [language([Wild.MANY, "/", *name], caseless=caseless) for name in each.condition.values]
    return found


def _arns(prefix: str, own: Sequence[Caller], wild: Sequence[Language], budget: Budget) -> Iterator[str]:
    """Yield the ARN of a role or user of the account that is not of ``own``, for each combination of patterns."""
    budget.spend(8 + len(own))
    if not wild:
        taken = {caller.name.lower() for caller in own}
        yield prefix + next(name for n in itertools.count() if (name := f"anybody{n or ''}") not in taken)
        return
    names = [language(prefix + caller.name, caseless=True) for caller in own]
    names += [language([*prefix, Wild.MANY, "/", *caller.name], caseless=True) for caller in own]
    for arn in witnesses([*wild, *names], budget, shape=_path([*wild, *names]), prefix=prefix):
        if not any(_accepts(each, arn) for each in names):
            yield arn


def _accepts(language: Language, text: str) -> bool:
    return language.accepts(_reached(language, text))


def _reached(language: Language, text: str) -> int:
    places = language.start
    for character in text:
        places = language.step(places, character)
    return places


def foreign_arns(atoms: Sequence[Atom], budget: Budget) -> Iterator[str]:
    """Yield a text that is no ARN of IAM's for each combination of patterns: what the ARN of a stranger may be."""
    iam = language([*"arn:", Wild.MANY, *":iam::", Wild.MANY, ":", Wild.MANY], colons=False)

    def step(state: object, character: str) -> object:
        return iam.step(state, character) if isinstance(state, int) else None

    shape = Shape(iam.start, step, lambda state: isinstance(state, int) and not iam.accepts(state))
    yield from witnesses([pattern for each in atoms for pattern in _languages(each)], budget, shape=shape)


def _languages(atom: Atom) -> Iterator[Language]:
    operator = folded(atom.condition.operator.name)
    for value in atom.condition.values:
        pattern = expand(value, None, wildcards="like" in operator or operator.startswith("arn"))
        if isinstance(pattern, Unresolved):
            continue
        yield from arn_languages(pattern) if operator.startswith("arn") else [language(pattern)]


def _path_step(state: object, character: str) -> object | None:
    """Return where a path and name are: before a part, in one that may be the name, or in one that must be a path's."""
    if character == "/":
        return "path" if state == "first" else "/"
    if character in _NAME and state != "path":
        return "name"
    return "path" if character in _PRINTED else None


def _path(languages: Iterable[Language]) -> Shape:
    """Return the paths and names of roles and users, behind the prefix that says which they are."""
    return Shape("first", _path_step, lambda state: state == "name", _characters(languages))


def _characters(languages: Iterable[Language]) -> str:
    """Return the characters that patterns have, and of digits, letters and what only paths have one for all others."""
    own = {form for each in languages for letter in each.steps for form in (letter, letter.lower(), letter.upper())}
    found = {"/", ":"}
    for alike in (_DIGITS, _LETTERS, _PRINTED):
        found |= own & set(alike)
        found |= set(next((each for each in alike if each not in own and each not in "/:"), ""))
    return "".join(sorted(found))


def _anywhere(partition: str, taken: Iterable[str], about: Sequence[Atom], budget: Budget) -> Iterator[CallerClass]:
    """Yield callers of accounts that no text names in full and a pattern of ARNs tells from others."""
    if not any(each.variable in _ARNS for each in about):
        return
    prefix, accounts = f"arn:{partition}:iam::", set(taken)
    known = [language([*prefix, *account, ":", Wild.MANY]) for account in accounts]
    for kind in (Is.ROLE, Is.USER, Is.ROOT):
        wild = [*_of_kind(kind, about), *known]
        for arn in witnesses(wild, budget, shape=_of_any_account(kind, _characters(wild)), prefix=prefix):
            caller = callers.parse(arn)
            if caller.account not in accounts:
                whose = "of an account that nobody names, with an ARN that a pattern matches"
                what = f"the root user {whose}" if kind is Is.ROOT else f"a {kind.value} {whose}"
                yield CallerClass(caller=caller, what=what)


def _of_any_account(kind: Is, characters: str) -> Shape:
    """Return what stands behind ``arn:aws:iam::`` of a role, user or root user: account, kind, path and name."""
    middle = ":root" if kind is Is.ROOT else f":{kind.value}/"

    def step(state: object, character: str) -> object | None:
        if not isinstance(state, int):
            return None if kind is Is.ROOT else _path_step(state, character)
        if state < _ACCOUNT_DIGITS:
            return state + 1 if character in _DIGITS else None
        at = state - _ACCOUNT_DIGITS
        if character != middle[at]:
            return None
        return state + 1 if at + 1 < len(middle) else "name" if kind is Is.ROOT else "first"

    return Shape(0, step, lambda state: state == "name", f"{characters}{middle}")


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


def stranger(text: str) -> bool:
    """Whether a principal is somebody whom no request here can play: a service, a federated user and the like."""
    if text == "*" or callers.deleted(text) or _ACCOUNT.fullmatch(text):
        return False
    if "*" in text or "?" in text:
        return False  # open for every caller already
    return _parsed(text) is None
