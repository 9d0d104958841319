"""Whether whoever gives a key a policy can replace it again: what KMS asks of the policy, and whether that lasts.

KMS asks whether the caller may call PutKeyPolicy under the new policy, as this session and at this moment. A policy
that names the session instead of its role, or that lets the caller in for a time, passes that and locks out later. So
the same is asked of another session of the role, and of the times that the policy names. What lasts is also a
statement for the key's account: its IAM policies then let somebody in. Source: KMS API reference, PutKeyPolicy
(BypassPolicyLockoutSafetyCheck); KMS Developer Guide, "Default key policy"; IAM user guide, "Date condition operators".
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from nitroctl.checks import Check, Outcome
from nitroctl.errors import UsageError
from nitroctl.kms import authorize, caller, operators
from nitroctl.kms.authorize import Decision, Policies, Traced, Verdict
from nitroctl.kms.caller import Caller
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.key_policy import Effect
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """The key and the policy that it would have."""

    live: LiveKey
    after: PolicyDocument

    def decide(self, by: Caller, at: datetime) -> Decision:
        """Return whether ``by`` may replace the policy at ``at``; IAM policies are not known."""
        asked = Request(
            caller=by,
            action=_PUT,
            at=at,
            key=self.live.arn,
            given={"kms:bypasspolicylockoutsafetycheck": present("false"), "kms:policyname": present(DEFAULT)},
        )
        return authorize.decide(asked, Policies(key=(self.after,)))

    def account_may(self, at: datetime) -> bool:
        """Whether the key's account may replace the policy at ``at``, and so whomever its IAM policies let."""
        root = caller.parse(f"arn:{self.live.partition}:iam::{self.live.account}:root")
        return self.decide(root, at).verdict is Verdict.ALLOWED

    def times(self, after: datetime) -> list[tuple[str, datetime]]:
        """Return the instants later than ``after`` at which a time of the policy has come, each as people read it."""
        named = {
            instant
            for statement in self.after.statements
            for condition in statement.conditions
            if condition.key.lower() in _CLOCK
            for instant in map(_instant, condition.values)
            if after < instant < _END
        }
        found = [
            (instant.strftime("%Y-%m-%dT%H:%M:%SZ"), instant + past)
            for instant in sorted(named)[:_TIMES]
            for past in (timedelta(), _SECOND)  # "before" has ended then, "not after" a moment later
        ]
        return [*found, ("", _END)]


def judge(live: LiveKey, after: PolicyDocument, who: str, *, bypass: bool, at: datetime) -> Check:
    """Return whether the caller ``who`` (an ARN of STS) could replace ``after``, were it the policy of ``live``.

    ``bypass``: a no is told and does not refuse. What KMS would take, and will not last, is told and does not refuse.
    """
    key = _Key(live=live, after=after)
    try:
        by = caller.parse(who)
    except UsageError:
        return _unjudged(key, who, at)
    now = key.decide(by, at)
    if now.verdict is Verdict.DENIED:
        return _refused(now, who, bypass=bypass)
    weak = _weakness(key, by, now, at)
    if now.verdict is Verdict.UNDECIDED:
        detail = f"for {who} it depends on {'; '.join(now.open)}; KMS asks it too"
        return _warned(f"{detail}; {weak.denied}" if weak.reasons else detail, weak.remedy(by))
    if weak.reasons:
        return _warned(f"{who} may call {_PUT}{weak.limit}: {'; '.join(weak.reasons)}", weak.remedy(by))
    lasting = key.decide(replace(by, session=None), _END).verdict is Verdict.ALLOWED
    detail = f"{who} may call {_PUT}" + ("" if lasting else ", and later whoever the account's IAM policies let")
    return _check(Outcome.PASS, detail)


def _refused(now: Decision, who: str, *, bypass: bool) -> Check:
    names = ", ".join(each.statement.label for each in now.deciding)
    why = f"{names} denies it" if names else "no statement allows it"
    if bypass:
        return _warned(f"{who} may not replace it again: {why}; accepted with --bypass-lockout-check")
    return replace(
        _check(Outcome.FAIL, f"{who} may not call {_PUT} under the new policy: {why}"),
        remedy="run it as a role that the policy lets replace it, or add this one; --bypass-lockout-check if it is"
        " meant to be final",
    )


def _unjudged(key: _Key, who: str, at: datetime) -> Check:
    """Tell of a caller that nobody here can judge; a federated session that the policy names is one that ends."""
    detail = f"whether it can was not judged: {who} is neither a role, a user nor an account's root; KMS asks it"
    named = [
        statement.label
        for statement in key.after.statements
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weakness:
    """Why what lets the caller in does not last; no ``reasons`` when it does.

    ``until``: the time that the policy names for it, empty when none is. ``gap``: it ends again.
    """

    reasons: tuple[str, ...]
    until: str
    gap: bool

    @property
    def _session_only(self) -> bool:
        return all(each.endswith(_SESSION) for each in self.reasons)

    @property
    def limit(self) -> str:
        """What follows on: the caller may."""
        if self._session_only:
            return ", and no other session of its role may"
        if self.gap:
            return f", but for a while from {self.until} on it may not"
        return f" until {self.until} only" if self.until else " for a time only"

    @property
    def denied(self) -> str:
        """The same as a sentence of its own, of a caller for whom it depends on something else as well."""
        begins = f"from {self.until or 'some time'} on nothing allows it"
        return f"{'for a while ' if self.gap else ''}{begins}: {'; '.join(self.reasons)}"

    def remedy(self, by: Caller) -> str | None:
        """Return what to write in its place."""
        told = []
        if any(each.endswith(_SESSION) for each in self.reasons):
            told.append(f"name the role in place of its session: aws iam get-role --role-name {by.name} shows its ARN")
        if not self._session_only:
            told.append("let a role replace the policy at any time, without a condition on the time")
        return "; ".join(told) or None


def _weakness(key: _Key, by: Caller, now: Decision, at: datetime) -> _Weakness:
    """Return why what lets ``by`` in ``now`` does not last.

    It lasts when other sessions of the role are let in as well, at every time, or else the key's account is.
    """
    found, until, gap = dict[str, None](), "", True
    for who in (replace(by, session=None), by):
        for text, instant in (("", at), *key.times(at)):
            then = key.decide(who, instant)
            if _less(then, now) and not key.account_may(instant):
                found |= dict.fromkeys(_reasons(now, then))
                until = until or text
                break
        gap = gap and (not _less(key.decide(who, _END), now) or key.account_may(_END))
    return _Weakness(reasons=tuple(found), until=until, gap=gap)


def _less(then: Decision, now: Decision) -> bool:
    return then.verdict is Verdict.DENIED or (now.verdict is Verdict.ALLOWED and then.verdict is not Verdict.ALLOWED)


def _reasons(now: Decision, then: Decision) -> Iterator[str]:
    """Yield what is otherwise ``then``: the same statements, asked of somebody or at a time that is not of ``now``."""
    for was, will in zip(now.statements, then.statements, strict=True):
        name = was.statement.label
        if was.statement.effect is Effect.DENY:
            if was.truth is Truth.NO and will.truth is not Truth.NO:
                yield f"{name} {_LATER if was.rest is Truth.NO else _SESSION}"
        elif was.truth is not Truth.NO:
            if _direct(was) and not _direct(will):
                yield f"{name} {_SESSION}"
            if will.rest is Truth.NO:
                yield f"{name} {_TIME}"


def _direct(traced: Traced) -> bool:
    return traced.named.direct is Truth.YES


def _warned(detail: str, remedy: str | None = None) -> Check:
    return replace(_check(Outcome.WARN, detail), remedy=remedy, required=False)


def _check(outcome: Outcome, detail: str) -> Check:
    title = "the caller can still replace the policy afterwards"
    return Check(id="apply.lockout", title=title, outcome=outcome, detail=detail)


def _instant(text: str) -> datetime:
    """Return the instant that a value of a condition names; one that has passed for what names none."""
    try:
        if (seconds := operators.number(text)) is not None:
            return datetime.fromtimestamp(float(seconds), tz=UTC)
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.min.replace(tzinfo=UTC)
