"""Who calls KMS: a role (in a session), a user, or an account's root user; and which principals of a policy are that.

Source: IAM user guide, "AWS JSON policy elements: Principal", "NotPrincipal"; KMS Developer Guide, "Key policies".
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nitroctl.errors import UsageError
from nitroctl.kms.document import Principal
from nitroctl.kms.truth import Truth, any_of

_ROLE: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>[0-9]{12}):(?P<kind>role|user)"
    r"(?P<path>/(?:[\x21-\x7e]{1,510}/)?)(?P<name>[A-Za-z0-9+=,.@_-]{1,64})"
)
_SESSION: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sts::(?P<account>[0-9]{12}):assumed-role"
    r"/(?P<name>[A-Za-z0-9+=,.@_-]{1,64})/(?P<session>[A-Za-z0-9+=,.@_-]{2,64})"
)
_ROOT: Final = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>[0-9]{12}):root")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
#: What KMS shows in place of a principal that was deleted.
_UNIQUE_ID: Final = re.compile(r"A(?:ROA|IDA)[A-Z0-9]+")


class Is(StrEnum):
    """What kind of principal calls."""

    ROLE = "role"
    USER = "user"
    ROOT = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. ``path``: of the role or user, ``/`` when it has none, None when not known (a session does not say).

    ``session``: name of the role's session; None when not known.
    """

    kind: Is
    partition: str
    account: str
    name: str = ""
    path: str | None = "/"
    session: str | None = None

    @property
    def arn(self) -> str:
        """ARN of the role, user or account; for a role whose path is not known the one without."""
        if self.kind is Is.ROOT:
            return f"arn:{self.partition}:iam::{self.account}:root"
        return f"arn:{self.partition}:iam::{self.account}:{self.kind.value}{self.path or '/'}{self.name}"

    @property
    def text(self) -> str:
        """What people call it: the session's ARN when that is known."""
        if self.session is None:
            return self.arn
        return f"arn:{self.partition}:sts::{self.account}:assumed-role/{self.name}/{self.session}"


@dataclass(frozen=True, slots=True)
class Named:
    """Whether a statement is about the caller. ``direct``: by name or as everybody; ``account``: through its account.

    An Allow for the account does not allow by itself: it lets the account's IAM policies do so. ``reason``: why an
    answer is open.
    """

    direct: Truth
    account: Truth
    reason: str = ""

    @property
    def either(self) -> Truth:
        """Whether the statement is about the caller at all."""
        return any_of((self.direct, self.account))


def parse(text: str, *, option: str = "--principal") -> Caller:
    """Return who ``text`` names: the ARN of a role, a role's session, a user or an account's root user.

    Raises UsageError ``kms.caller``.
    """
    arn = text.strip()
    if match := _SESSION.fullmatch(arn):
        return Caller(kind=Is.ROLE, path=None, **match.groupdict())
    if match := _ROLE.fullmatch(arn):
        return Caller(
            kind=Is(match["kind"]),
            partition=match["partition"],
            account=match["account"],
            name=match["name"],
            path=match["path"],
        )
    if match := _ROOT.fullmatch(arn):
        return Caller(kind=Is.ROOT, **match.groupdict())
    hint = "write arn:aws:iam::<12-digit account>:role/<name>, or the session's ARN (aws sts get-caller-identity)"
    if ":instance-profile/" in arn:
        hint = "an instance profile calls nobody: aws iam get-instance-profile shows its role"
    raise UsageError(
        f"{option}: neither a role, a session, a user nor an account's root: {text!r}", "kms.caller", [hint]
    )


def named(principal: Principal, caller: Caller) -> Named:
    """Return whether ``principal`` of a statement, be it NotPrincipal, is about ``caller``."""
    if principal.negated:
        return _excepted(principal, caller)
    direct, account, reason = Truth.NO, Truth.NO, ""
    for text in principal.aws:
        found, why = _is(text, caller)
        reason = reason or why
        if _account(text, caller) and caller.kind is not Is.ROOT:
            account = Truth.YES
        else:
            direct = any_of((direct, found))
    return Named(direct, account, reason)


def _excepted(principal: Principal, caller: Caller) -> Named:
    """Return whether a NotPrincipal statement is about the caller: all its names must be excepted for it not to be.

    A session's names are the account, the role and the session. IAM does not say what happens when some are missing
    ("might deny"), so that stays open.
    """
    forms = {
        "account": any_of(Truth.YES if _account(text, caller) else Truth.NO for text in principal.aws),
        "role or user": any_of(_is(text, caller, session=False)[0] for text in principal.aws),
    }
    if caller.kind is Is.ROOT:
        del forms["role or user"]
    if caller.kind is Is.ROLE:
        forms["session"] = any_of(_is(text, caller, role=False)[0] for text in principal.aws)
    if "*" in principal.aws or all(truth is Truth.YES for truth in forms.values()):
        return Named(Truth.NO, Truth.NO)
    if all(truth is Truth.NO for truth in forms.values()):
        return Named(Truth.YES, Truth.NO)
    missing = ", ".join(what for what, truth in forms.items() if truth is not Truth.YES)
    return Named(
        Truth.OPEN, Truth.NO, f"NotPrincipal, which names the caller but not its {missing}: what IAM then does varies"
    )


def _account(text: str, caller: Caller) -> bool:
    root = f"arn:{caller.partition}:iam::{caller.account}:root"
    return text == root or (text == caller.account and _ACCOUNT.fullmatch(text) is not None)


def _is(text: str, caller: Caller, *, role: bool = True, session: bool = True) -> tuple[Truth, str]:
    """Return whether the AWS principal ``text`` is the caller by name, and why that is open."""
    if text == "*":
        return Truth.YES, ""
    if caller.kind is Is.ROOT:
        return (Truth.YES if _account(text, caller) else Truth.NO), ""
    if session and (match := _SESSION.fullmatch(text)):
        return _is_session(match, caller)
    if (match := _ROLE.fullmatch(text)) and "*" not in text and "?" not in text:
        same = (match["partition"], match["account"], match["kind"], match["name"].lower()) == (
            caller.partition,
            caller.account,
            caller.kind.value,
            caller.name.lower(),  # unique in its account whatever its path or case
        )
        return (Truth.YES if same and role else Truth.NO), ""
    if ("*" in text or "?" in text) and role:
        return Truth.OPEN, f"the principal {text[:200]}: KMS takes no wildcard in an ARN"
    return Truth.NO, ""


def _is_session(match: re.Match[str], caller: Caller) -> tuple[Truth, str]:
    named = (match["partition"], match["account"], match["name"].lower())
    if caller.kind is not Is.ROLE or named != (caller.partition, caller.account, caller.name.lower()):
        return Truth.NO, ""
    if caller.session is None:
        return Truth.OPEN, f"the caller's session, which was not given: {match[0]} is one of the role's"
    return (Truth.YES if match["session"] == caller.session else Truth.NO), ""


def deleted(text: str) -> bool:
    """Whether a principal is the unique id that KMS shows of a deleted role or user; it is nobody any more."""
    return _UNIQUE_ID.fullmatch(text) is not None


def account_of(text: str) -> str:
    """Return the account that an AWS principal belongs to; empty for ``*`` and what names none."""
    if _ACCOUNT.fullmatch(text):
        return text
    parts = text.split(":")
    return parts[4] if len(parts) > 4 and _ACCOUNT.fullmatch(parts[4]) else ""  # noqa: PLR2004  (arn:p:service:region:account)
