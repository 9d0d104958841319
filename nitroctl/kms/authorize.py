"""Whether KMS allows a request: key policies, the IAM policies of the caller, and grants, in the order KMS goes by.

1. A Deny that matches, wherever it stands, ends it.
2. An Allow of the key's policies that names the caller (or everybody) is enough within the key's account.
3. An Allow that names the account only lets the account's IAM policies decide: both must allow.
4. A grant is enough as well.
5. Otherwise the answer is no. A caller of another account needs the key's side and an IAM policy of its own; to read
   or replace the key's policy KMS takes from nobody else than the key's account.

Service and resource control policies, permissions boundaries, session policies and VPC endpoint policies are not
looked at: they only take away. Source: KMS Developer Guide, "Determining access to AWS KMS keys", "Default key
policy"; KMS API reference, PutKeyPolicy ("Cross-account use"); IAM user guide, "Policy evaluation logic".
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from nitroctl.kms import actions, patterns
from nitroctl.kms import caller as callers
from nitroctl.kms.caller import Named
from nitroctl.kms.document import Condition, Kind, PolicyDocument, Principal, Statement
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.operators import Actual, judge
from nitroctl.kms.patterns import Unresolved
from nitroctl.kms.request import Request, account_of_key
from nitroctl.kms.truth import Truth, all_of, any_of, of

if TYPE_CHECKING:
    from nitroctl.kms.grants import Grant


class Verdict(StrEnum):
    """What is decided. UNDECIDED: it depends on something that was not given."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNDECIDED = "undecided"


class Way(StrEnum):
    """How it came to the verdict."""

    DENY = "explicit-deny"
    NOTHING = "nothing-allows"
    KEY_POLICY = "key-policy"
    ACCOUNT = "account-and-iam"
    IAM = "iam"
    GRANT = "grant"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What is known that decides. ``key``: the key's policies, ``default`` and ``AWS_RAM``.

    ``identity``: the caller's IAM policies; None when they were not given. ``grants``: likewise.
    """

    key: tuple[PolicyDocument, ...]
    identity: tuple[PolicyDocument, ...] | None = None
    grants: "tuple[Grant, ...] | None" = None


@dataclass(frozen=True, slots=True)
class Met:
    """One condition of a statement, what the request has for its key, and whether it holds."""

    condition: Condition
    actual: Actual
    truth: Truth
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One statement and whether it is about the request, part by part."""

    policy: PolicyDocument
    statement: Statement
    named: Named
    action: Truth
    resource: Truth
    resource_reason: str
    conditions: tuple[Met, ...]

    @property
    def principal(self) -> Truth:
        """Whether it is about the caller."""
        return self.named.either

    @property
    def truth(self) -> Truth:
        """Whether all of it matches."""
        return all_of((self.principal, self.rest))

    @property
    def rest(self) -> Truth:
        """Whether all of it but the principal matches."""
        return all_of((self.action, self.resource, *(met.truth for met in self.conditions)))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is open; empty when it is not."""
        if self.truth is not Truth.OPEN:
            return ()
        found = [self.named.reason if self.principal is Truth.OPEN else "", self.resource_reason]
        found += [met.reason for met in self.conditions]
        return tuple(dict.fromkeys(reason for reason in found if reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict on a request. ``deciding``: the statements because of which, beside the ``grant`` if it is one.

    ``open``: what it depends on, when it is undecided. ``statements``: all that were looked at, in their order.
    """

    request: Request
    verdict: Verdict
    way: Way
    deciding: tuple[Traced, ...]
    grant: "Grant | None"
    open: tuple[str, ...]
    statements: tuple[Traced, ...]


_PUT: Final = "kms:PutKeyPolicy"
NO_KEY: Final = "whether the key is of the caller's account: its ARN was not given"
NO_IAM: Final = "the IAM policies of the caller, which were not given"


def decide(request: Request, policies: Policies) -> Decision:
    """Return what KMS decides about ``request`` under ``policies``, with every statement's part in it."""
    keyless = request.action in actions.KEYLESS
    key = [trace(document, each, request) for document in policies.key for each in document.statements]
    identity = [trace(document, each, request) for document in policies.identity or () for each in document.statements]
    traced = (*([] if keyless else key), *identity)
    denies = [each for each in traced if each.statement.effect is Effect.DENY]
    explicit = [each for each in denies if each.truth is Truth.YES]
    if explicit:
        return _decision(request, Verdict.DENIED, Way.DENY, traced, deciding=explicit)
    ways = list(_ways(request, policies, [] if keyless else key, identity, keyless=keyless))
    allowed = any_of(way.truth for way in ways)
    if allowed is Truth.NO:
        return _decision(request, Verdict.DENIED, Way.NOTHING, traced)
    doubts = [reason for each in denies for reason in each.reasons]
    if allowed is Truth.YES and not any(each.truth is Truth.OPEN for each in denies):
        way = next(way for way in ways if way.truth is Truth.YES)
        return _decision(request, Verdict.ALLOWED, way.way, traced, deciding=way.statements, grant=way.grant)
    if allowed is Truth.OPEN:
        doubts = [reason for way in ways if way.truth is Truth.OPEN for reason in way.open] + doubts
    return _decision(request, Verdict.UNDECIDED, Way.OPEN, traced, open_=doubts)


def _decision(  # noqa: PLR0913  (a value's parts)
    request: Request,
    verdict: Verdict,
    way: Way,
    traced: Sequence[Traced],
    *,
    deciding: Sequence[Traced] = (),
    grant: "Grant | None" = None,
    open_: Sequence[str] = (),
) -> Decision:
    return Decision(
        request=request,
        verdict=verdict,
        way=way,
        deciding=tuple(deciding),
        grant=grant,
        open=tuple(dict.fromkeys(open_)),
        statements=tuple(traced),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Allowing:
    """One way in which the request may be allowed, and whether it is."""

    way: Way
    truth: Truth
    statements: Sequence[Traced] = ()
    grant: "Grant | None" = None
    open: Sequence[str] = ()


def _ways(
    request: Request, policies: Policies, key: Sequence[Traced], identity: Sequence[Traced], *, keyless: bool
) -> Iterator[_Allowing]:
    iam, iam_open = _iam(policies, identity)
    by_iam = [each for each in identity if each.statement.effect is Effect.ALLOW and each.truth is Truth.YES]
    if keyless:
        yield _Allowing(way=Way.IAM, truth=iam, statements=by_iam, open=iam_open)
        return
    home = home_of(request.caller.account, request.key, lambda: writers(policies.key))
    taken = home if request.action in actions.AT_HOME else Truth.YES
    for each in key:
        if each.statement.effect is not Effect.ALLOW:
            continue
        direct = all_of((each.named.direct, each.rest))
        account = all_of((each.named.account, each.rest))
        # Within the account naming the caller is enough; otherwise an IAM policy has to allow it too.
        alone = all_of((direct, home))
        both = all_of((any_of((direct, account)), iam, taken))
        needs_iam = iam is Truth.OPEN and (account is not Truth.NO or home is not Truth.YES)
        reasons = [*each.reasons, *(iam_open if needs_iam else ())]
        if home is Truth.OPEN and (direct is not Truth.NO or taken is Truth.OPEN):
            reasons.append(NO_KEY)
        if alone is Truth.YES or (alone is Truth.OPEN and both is Truth.NO):
            yield _Allowing(way=Way.KEY_POLICY, truth=alone, statements=[each], open=reasons)
        else:
            truth = any_of((alone, both))
            yield _Allowing(way=Way.ACCOUNT, truth=truth, statements=[each, *by_iam], open=reasons)
    for grant in policies.grants or ():
        truth, reason = grant.allows(request)
        both_sides = Truth.YES if iam is Truth.YES else Truth.OPEN
        truth = all_of((truth, any_of((home, both_sides))))
        other = f"whether grant {grant.id} alone is enough for a caller of another account"
        with_iam = () if home is Truth.YES else by_iam
        yield _Allowing(way=Way.GRANT, truth=truth, statements=with_iam, grant=grant, open=[reason or other])


def _iam(policies: Policies, identity: Sequence[Traced]) -> tuple[Truth, tuple[str, ...]]:
    """Return whether the caller's IAM policies allow it, and why that is open."""
    if policies.identity is None:
        return Truth.OPEN, (NO_IAM,)
    allows = [each for each in identity if each.statement.effect is Effect.ALLOW]
    return any_of(each.truth for each in allows), tuple(reason for each in allows for reason in each.reasons)


def home_of(account: str, key: str, writers: Callable[[], AbstractSet[str]]) -> Truth:
    """Return whether a key is of an account: by its ARN, or by the accounts that may replace its policies.

    KMS takes PutKeyPolicy from the key's account alone, so that policies which name one account for it are of that one.
    Other accounts that a policy names, or none, say nothing of where the key is.
    """
    own = account_of_key(key)
    if own:
        return of(account == own)
    return Truth.YES if writers() == {account} else Truth.OPEN


def writers(policies: Sequence[PolicyDocument]) -> AbstractSet[str]:
    """Return the accounts whose principals key policies allow to replace them."""
    named = {
        callers.account_of(text)
        for document in policies
        for statement in document.statements
        if statement.effect is Effect.ALLOW and about_action(statement, _PUT) is Truth.YES
        for text in statement.principal.aws
    }
    return named - {""}


def from_abroad(request: Request) -> bool:
    """Whether KMS refuses the action whatever the policies say: the key is of another account than the caller."""
    account = account_of_key(request.key)
    return request.action in actions.AT_HOME and account not in {"", request.caller.account}


def trace(policy: PolicyDocument, statement: Statement, request: Request) -> Traced:
    """Return whether ``statement`` of ``policy`` is about ``request``, part by part."""
    resource, reason = about_resource(policy, statement, request)
    return Traced(
        policy=policy,
        statement=statement,
        named=_named(policy, statement.principal, request),
        action=about_action(statement, request.action),
        resource=resource,
        resource_reason=reason,
        conditions=tuple(_met(policy, condition, request) for condition in statement.conditions),
    )


def _named(policy: PolicyDocument, principal: Principal, request: Request) -> Named:
    if policy.kind is Kind.IDENTITY:
        return Named(Truth.YES, Truth.NO)
    return callers.named(principal, request.caller)


def about_action(statement: Statement, action: str) -> Truth:
    """Return whether ``statement`` is about an action."""
    if statement.not_actions:
        return of(not any(patterns.matches_action(pattern, action) for pattern in statement.not_actions))
    return of(any(patterns.matches_action(pattern, action) for pattern in statement.actions))


def about_resource(policy: PolicyDocument, statement: Statement, request: Request) -> tuple[Truth, str]:
    """Return whether the statement is about the key; for an action on no key, whether it is about everything."""
    inverted = bool(statement.not_resources)
    found = any_of(_is_key(policy, text, request) for text in statement.not_resources or statement.resources)
    if inverted and found is Truth.NO and policy.variables and any("${" in text for text in statement.not_resources):
        found = Truth.OPEN  # a variable without a value names nothing, and "not nothing" would be everything
    reason = "which key it is: its ARN was not given" if found is Truth.OPEN else ""
    return (found.inverse if inverted else found), reason


def _is_key(policy: PolicyDocument, text: str, request: Request) -> Truth:
    if text == "*":
        return Truth.YES
    if request.action in actions.KEYLESS:
        return Truth.NO
    pattern = patterns.expand(text, request.variable if policy.variables else None, wildcards=True)
    if isinstance(pattern, Unresolved):
        return Truth.NO if pattern is Unresolved.ABSENT else Truth.OPEN
    return patterns.matches_arn(pattern, request.key) if request.key else Truth.OPEN


def _met(policy: PolicyDocument, condition: Condition, request: Request) -> Met:
    actual = request.actual(condition.key)
    judged = judge(condition, actual, request.variable if policy.variables else None)
    return Met(condition, actual, judged.truth, judged.reason)
