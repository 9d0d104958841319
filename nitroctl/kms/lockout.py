"""Whether whoever gives a key a policy can replace it again: what KMS asks of the policy, and whether that lasts.

KMS asks whether the caller may call PutKeyPolicy under the new policy, as this session and at this moment. A policy
that names the session instead of its role, or that lets the caller in for a time, passes that and locks out later. So
the same is asked of another session of the role, and of the times that the policy names. What lasts is also a
statement for the key's account: its IAM policies then let somebody in. KMS looks at the policy ``default`` only; what
the key's second one denies is denied all the same, and what it allows is not counted on. Source: KMS API reference,
PutKeyPolicy (BypassPolicyLockoutSafetyCheck; "Cross-account use: No"); KMS Developer Guide, "Default key policy"; IAM
user guide, "Date condition operators".
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from nitroctl.checks import Check, Outcome
from nitroctl.errors import UsageError
from nitroctl.kms import authorize, caller, classes
from nitroctl.kms.authorize import Decision, Policies, Traced, Verdict
from nitroctl.kms.caller import Caller
from nitroctl.kms.document import PolicyDocument, Statement
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.letters import folded
from nitroctl.kms.live import DEFAULT, LiveKey
from nitroctl.kms.operators import present
from nitroctl.kms.request import Request
from nitroctl.kms.truth import Truth

_PUT: Final = "kms:PutKeyPolicy"
_CLOCK: Final = ("aws:currenttime", "aws:epochtime")
#: When every time that somebody means has passed.
_END: Final = datetime(9999, 12, 30, tzinfo=UTC)
#: Of the times that a policy names, the first that are asked about; the end of all times always is.
_TIMES: Final = 100
_SECOND: Final = timedelta(seconds=1)
#: Operators that compare a time as text, of which nobody lists the times: ``2027-*``.
_TEXTUAL: Final = ("stringlike", "stringnotlike")
#: A session that no statement names: no name of one has a space.
_ANOTHER: Final = "any other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered. ``no_way_back``: who cannot replace the policy again and why; empty when the caller may."""

    check: Check
    no_way_back: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """The key and what would decide about it: ``policies`` by ``names``, the new one first."""

    live: LiveKey
    names: tuple[str, ...]
    policies: tuple[PolicyDocument, ...]

    @classmethod
    def of(cls, live: LiveKey, after: PolicyDocument) -> "_Key":
        """Return ``live`` with ``after`` as its policy; of the others only what denies."""
        found = {DEFAULT: after}
        for name, document in live.named().items():
            if name != DEFAULT:
                denies = tuple(each for each in document.statements if each.effect is Effect.DENY)
                found[name] = replace(document, statements=denies)
        return cls(live=live, names=tuple(found), policies=tuple(found.values()))

    def decide(self, by: Caller, at: datetime) -> Decision:
        """Return whether ``by`` may replace the policy at ``at``; IAM policies are not known."""
        asked = Request(
            caller=by,
            action=_PUT,
            at=at,
            key=self.live.arn,
            given={"kms:bypasspolicylockoutsafetycheck": present("false"), "kms:policyname": present(DEFAULT)},
        )
        return authorize.decide(asked, Policies(key=self.policies))

    def account_may(self, at: datetime) -> bool:
        """Whether the key's account may replace the policy at ``at``, and so whomever its IAM policies let."""
        root = caller.parse(f"arn:{self.live.partition}:iam::{self.live.account}:root")
        return self.decide(root, at).verdict is Verdict.ALLOWED

    def label(self, traced: Traced) -> str:
        """Return what to call a statement; one of the second policy says so."""
        [name] = [name for name, each in zip(self.names, self.policies, strict=True) if each is traced.policy]
        return traced.statement.label if name == DEFAULT else f"{name}: {traced.statement.label}"

    def times(self, after: datetime) -> list[tuple[str, datetime]]:
        """Return the instants later than ``after`` at which a time of the policies has come, each as people read it."""
        named = {
            instant
            for document in self.policies
            for statement in document.statements
            for condition in statement.conditions
            if folded(condition.key) in _CLOCK
            for instant in map(classes.instant, condition.values)
            if instant is not None and after < instant < _END
        }
        found = [
            (instant.strftime("%Y-%m-%dT%H:%M:%SZ"), instant + past)
            for instant in sorted(named)[:_TIMES]
            for past in (timedelta(), _SECOND)  # "before" has ended then, "not after" a moment later
        ]
        return [*found, ("", _END)]

    def at_worst(self) -> "_Key":
        """Return the key as it is at the worst of the times that its policies compare as text."""
        policies = [replace(each, statements=tuple(map(_at_worst, each.statements))) for each in self.policies]
        return replace(self, policies=tuple(policies))


def _textual(statement: Statement) -> bool:
    return any(
        folded(condition.key) in _CLOCK and folded(condition.operator.name) in _TEXTUAL
        for condition in statement.conditions
    )


def _at_worst(statement: Statement) -> Statement:
    """Return a statement that compares the time as text as it is when it helps least."""
    if not _textual(statement):
        return statement
    if statement.effect is Effect.ALLOW:
        return replace(statement, actions=(), not_actions=())
    kept = [
        each
        for each in statement.conditions
        if folded(each.key) not in _CLOCK or folded(each.operator.name) not in _TEXTUAL
    ]
    return replace(statement, conditions=tuple(kept))


def judge(live: LiveKey, after: PolicyDocument, who: str, *, bypass: bool, at: datetime) -> Answer:
    """Return whether the caller ``who`` (an ARN of STS) could replace ``after``, were it the policy of ``live``.

    ``bypass``: a no is told and does not refuse. What KMS would take, and will not last, is told and does not refuse.
    Raises CannotAnswer as :meth:`LiveKey.named`.
    """
    key = _Key.of(live, after)
    if caller.account_of(who) not in ("", live.account):
        return _foreign(live, who)
    try:
        by = caller.parse(who)
    except UsageError:
        return Answer(check=_unjudged(key, who, at))
    now = key.decide(by, at)
    if now.verdict is Verdict.DENIED:
        return _refused(key, now, who, bypass=bypass)
    return Answer(check=_judged(key, by, now, who, at))


def _judged(key: _Key, by: Caller, now: Decision, who: str, at: datetime) -> Check:
    """Return what is told of a caller whom KMS may let replace it."""
    weak = _weakness(key, by, now, at)
    if now.verdict is Verdict.UNDECIDED:
        detail = f"for {who} it depends on {'; '.join(now.open)}; KMS asks it too"
        if weak is None:
            return _warned(detail)
        return _warned(f"{detail}; {weak.denied}: {'; '.join(weak.reasons)}", weak.remedy)
    if weak:
        return _warned(f"{who} may call {_PUT}{weak.limit}: {'; '.join(weak.reasons)}", weak.remedy)
    lasting = key.decide(_another(by), _END).verdict is Verdict.ALLOWED
    detail = f"{who} may call {_PUT}" + ("" if lasting else ", and later whoever the account's IAM policies let")
    return _check(Outcome.PASS, detail)


def _another(by: Caller) -> Caller:
    """Return another session of the same role; a user and an account have none."""
    return by if by.session is None else replace(by, session=_ANOTHER)


def _refused(key: _Key, now: Decision, who: str, *, bypass: bool) -> Answer:
    names = ", ".join(map(key.label, now.deciding))
    why = f"{names} denies it" if names else "no statement allows it"
    nobody = not any(
        each.effect is Effect.ALLOW and authorize.about_action(each, _PUT) is not Truth.NO
        for each in key.policies[0].statements
    )
    no_way_back = f"nobody can, for no statement lets anybody call {_PUT}" if nobody else f"{who} cannot, for {why}"
    if bypass:
        told = _warned(f"{who} may not replace it again: {why}; accepted with --bypass-lockout-check")
        return Answer(check=told, no_way_back=no_way_back)
    refused = replace(
        _check(Outcome.FAIL, f"{who} may not call {_PUT} under the new policy: {why}"),
        remedy="run it as a role that the policy lets replace it, or add this one; --bypass-lockout-check if it is"
        " meant to be final",
    )
    return Answer(check=refused, no_way_back=no_way_back)


def _foreign(live: LiveKey, who: str) -> Answer:
    """Refuse a caller of another account, whom KMS lets call PutKeyPolicy under no policy."""
    why = f"KMS takes it from the key's own account only, {live.account}"
    return Answer(
        check=replace(
            _check(Outcome.FAIL, f"{who} may not call {_PUT}: {why}"),
            remedy=f"run it as a role of the account {live.account}",
        ),
        no_way_back=f"{who} cannot, for {why}",
    )


def _unjudged(key: _Key, who: str, at: datetime) -> Check:
    """Tell of a caller that nobody here can judge; a federated session that the policy names is one that ends."""
    detail = f"whether it can was not judged: {who} is neither a role, a user nor an account's root; KMS asks it"
    named = [
        statement.label
        for statement in key.policies[0].statements
        if statement.effect is Effect.ALLOW
        and who in statement.principal.aws
        and authorize.about_action(statement, _PUT) is Truth.YES
    ]
    if not named or ":federated-user/" not in who or (key.account_may(at) and key.account_may(_END)):
        return _warned(detail)
    return _warned(
        f"{detail}; {', '.join(named)} names it, and a federated session ends",
        "name a role or a user in place of the session, and run it as that one",
    )


_SESSION: Final = "names this session, not its role"
_TIME: Final = "holds for a time only"
_LATER: Final = "denies it later"
_TEXT: Final = "compares the time as text"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lapse:
    """Somebody who is let in no more, or not surely: what is decided ``then``, and why it is another decision.

    ``when``: as a sentence begins; empty when it is so at once. ``until``: the time that the policy names for it, empty
    when none is. ``gap``: it ends again. ``text``: it may be at times that are compared as text.
    """

    then: Decision
    reasons: tuple[str, ...]
    until: str = ""
    at_once: bool = False
    gap: bool = False
    text: bool = False

    @property
    def when(self) -> str:
        """The beginning of a sentence about it."""
        if self.at_once:
            return ""
        if self.text:
            return "at some times perhaps "
        return f"{'for a while ' if self.gap else ''}from {self.until or 'some time'} on "

    @property
    def open(self) -> str:
        """What it depends on then; empty when the answer is no."""
        return "; ".join(self.then.open) if self.then.verdict is Verdict.UNDECIDED else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weakness:
    """Why what lets the caller in does not last: the lapse of the caller ``by`` itself, or else of ``others``.

    ``others``: what to call the other sessions of its role, when it is only they; empty otherwise.
    """

    by: Caller
    lapse: _Lapse
    others: str
    reasons: tuple[str, ...]

    @property
    def limit(self) -> str:
        """What follows on: the caller may."""
        lapse = self.lapse
        if self.others or lapse.open:
            return f", and {self.denied}"
        if lapse.text:
            return ", but perhaps not at all times"
        if lapse.gap:
            return f", but for a while from {lapse.until} on it may not"
        return f" until {lapse.until} only" if lapse.until else " for a time only"

    @property
    def denied(self) -> str:
        """The same as a sentence of its own."""
        lapse = self.lapse
        if lapse.open:
            whom = "for another session of its role " if self.others else ""
            return f"{lapse.when}{whom}it depends on {lapse.open}"
        return f"{lapse.when}{self.others or 'nothing allows it'}"

    @property
    def remedy(self) -> str:
        """What to write in its place."""
        told, of_sessions = [], [each.endswith(_SESSION) for each in self.reasons]
        if any(of_sessions):
            role = f"aws iam get-role --role-name {self.by.name} shows its ARN"
            told.append(f"name the role in place of its session: {role}")
        if not all(of_sessions):
            told.append("let a role replace the policy at any time, without a condition on the time")
        return "; ".join(told)


def _weakness(key: _Key, by: Caller, now: Decision, at: datetime) -> _Weakness | None:
    """Return why what lets ``by`` in ``now`` does not last; None when it does.

    It lasts when other sessions of the role are let in as well, at every time, or else the key's account is.
    """
    others, own = (_lapse(key, who, now, at) for who in (_another(by), by))
    lapse = own or others
    if lapse is None:
        return None
    found = dict.fromkeys(reason for each in (others, own) if each for reason in each.reasons)
    whom = "" if own else _others(key, by)
    return _Weakness(by=by, lapse=lapse, others=whom, reasons=tuple(found))


def _others(key: _Key, by: Caller) -> str:
    """Return what to say of the other sessions of the caller's role, some of which the policy may name."""
    sessions = by.text.rpartition("/")[0].lower() + "/"
    named = any(
        text != by.text and text.lower().startswith(sessions)
        for statement in key.policies[0].statements
        if statement.effect is Effect.ALLOW
        for text in statement.principal.aws
    )
    return "no session of its role may that is not named" if named else "no other session of its role may"


def _lapse(key: _Key, who: Caller, now: Decision, at: datetime) -> _Lapse | None:
    """Return the first time at which neither ``who`` nor the key's account is let in as surely as ``now``."""

    def less(key: _Key, instant: datetime) -> Decision | None:
        then = key.decide(who, instant)
        worse = then.verdict is Verdict.DENIED or (now.verdict is Verdict.ALLOWED and then.verdict is not now.verdict)
        return then if worse and not key.account_may(instant) else None

    if then := less(key, at):
        return _Lapse(then=then, reasons=tuple(_reasons(key, now, then)), at_once=True)
    for until, instant in key.times(at):
        if then := less(key, instant):
            gap = less(key, _END) is None
            return _Lapse(then=then, reasons=tuple(_reasons(key, now, then)), until=until, gap=gap)
    if then := less(key.at_worst(), at):
        return _Lapse(then=then, reasons=tuple(_reasons(key, now, then)), text=True)
    return None


def _reasons(key: _Key, now: Decision, then: Decision) -> Iterator[str]:
    """Yield what is otherwise ``then``: the same statements, asked of somebody or at a time that is not of ``now``."""
    for was, will in zip(now.statements, then.statements, strict=True):
        name = key.label(was)
        if was.statement.effect is Effect.DENY:
            if will.truth is not was.truth and will.truth is not Truth.NO:
                later = _TEXT if will.statement is not was.statement else _LATER
                yield f"{name} {later if was.rest is Truth.NO else _SESSION}"
        elif was.truth is not Truth.NO:
            if _direct(was) and not _direct(will):
                yield f"{name} {_SESSION}"
            if will.rest is Truth.NO:
                yield f"{name} {_TEXT if will.statement is not was.statement else _TIME}"


def _direct(traced: Traced) -> bool:
    return traced.named.direct is Truth.YES


def _warned(detail: str, remedy: str | None = None) -> Check:
    return replace(_check(Outcome.WARN, detail), remedy=remedy, required=False)


def _check(outcome: Outcome, detail: str) -> Check:
    title = "the caller can still replace the policy afterwards"
    return Check(id="apply.lockout", title=title, outcome=outcome, detail=detail)
