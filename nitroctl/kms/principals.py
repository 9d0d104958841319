"""Who may be named in a generated key policy: IAM roles, each by its own ARN, and no two duties in one hand.

A policy that names an account lets that account's IAM policies decide, and IAM knows nothing of this policy's
conditions; a session or an instance profile is not what KMS compares; a wildcard is anybody.
Source: KMS Developer Guide, "Default key policy"; IAM "AWS JSON policy elements: Principal".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl.errors import UsageError

_ROLE: Final = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):iam::(?P<account>[0-9]{12}):role/"
    r"(?P<path>(?:[\w+=,.@-]+/)*)(?P<name>[\w+=,.@-]{1,64})",
    re.ASCII,
)
_SESSION: Final = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):sts::(?P<account>[0-9]{12}):assumed-role/(?P<name>[^/]+)/.*", re.ASCII
)
_GET_ROLE: Final = "aws iam get-role --role-name <name> shows a role's ARN"


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role, taken apart."""

    arn: str
    partition: str
    account: str
    name: str

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two roles the same: a name is unique in its account whatever its path or case."""
        return self.account, self.name.lower()


def roles(texts: Sequence[str], *, option: str) -> tuple[Role, ...]:
    """Return the roles that ``texts`` name, sorted and each once. Raises UsageError ``kms.principal``."""
    found = {role.identity: role for role in (parse(text, option=option) for text in texts)}
    return tuple(sorted(found.values(), key=lambda role: role.arn))


def parse(text: str, *, option: str) -> Role:
    """Return the role that ``text`` names; ``option`` is where it stands.

    Raises UsageError ``kms.principal``, which says what it is instead and how to get the role.
    """
    arn = text.strip()
    match = _ROLE.fullmatch(arn)
    if match:
        return Role(arn, match["partition"], match["account"], match["name"])
    what, hint = _diagnose(arn)
    raise UsageError(f"{option}: {what}: {arn!r}", "kms.principal", [hint])


def _diagnose(arn: str) -> tuple[str, str]:
    session = _SESSION.fullmatch(arn)
    if session:
        role = f"arn:{session['partition']}:iam::{session['account']}:role/{session['name']}"
        return "a session of a role, not the role", f"name the role: {role} (with its path, if it has one)"
    if re.search(r"[*?]", arn):
        return "a wildcard is anybody", f"name each role by its full ARN; {_GET_ROLE}"
    if re.fullmatch(r"[0-9]{12}|arn:[a-z-]+:iam::[0-9]{12}:root", arn):
        return (
            "a whole account, whose IAM policies could then let anybody decrypt without attestation",
            f"name a role; {_GET_ROLE}",
        )
    for part, what, hint in (
        (":instance-profile/", "an instance profile, not a role", "aws iam get-instance-profile shows its role"),
        (
            ":user/",
            "a user, whose long-lived credentials can leave the host",
            "let the user assume a role and name that",
        ),
        (":group/", "a group, which cannot be a principal", "name a role"),
    ):
        if part in arn:
            return what, hint
    if re.fullmatch(r"A(?:ROA|IDA)[A-Z0-9]+", arn):
        return "the unique id of a principal, as KMS shows a deleted one", f"name the role by its ARN; {_GET_ROLE}"
    return "not the ARN of an IAM role", "write arn:aws:iam::<12-digit account>:role/<name>"


def hold_apart(enclave: Sequence[Role], admin: Sequence[Role], writer: Sequence[Role]) -> None:
    """Refuse one role in two duties that must not meet, and roles of different partitions.

    Whoever may rewrite the policy or manage the key must not be who decrypts with it. Raises UsageError
    ``kms.separation`` or ``kms.principal``.
    """
    decrypting = {role.identity: role for role in enclave}
    for option, others in (("--admin-role", admin), ("--policy-writer", writer)):
        for role in others:
            if role.identity in decrypting:
                raise UsageError(
                    f"{role.arn} is both --enclave-role and {option}",
                    "kms.separation",
                    ["an enclave's parent must not manage the key that guards its secrets; name another role"],
                )
    partitions = sorted({role.partition for role in (*enclave, *admin, *writer)})
    if len(partitions) > 1:
        raise UsageError(
            f"the roles are of different partitions: {', '.join(partitions)}",
            "kms.principal",
            ["a key and its principals belong to one partition"],
        )
