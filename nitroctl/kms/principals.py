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
_PARENT: Final = "an enclave's parent must not manage the key that guards its secrets"
_SUBSTITUTION: Final = "an enclave's parent could put secrets of its own in place of those meant for the enclave"
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
    found = dict[tuple[str, str], Role]()
    for text in texts:
        role = parse(text, option=option)
        known = found.setdefault(role.identity, role)
        if known != role:
            raise UsageError(
                f"{option}: one role in two forms: {known.arn!r} and {role.arn!r}",
                "kms.principal",
                [f"a role's name is unique in its account; {_GET_ROLE}, with its path"],
            )
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


def hold_apart(
    enclave: Sequence[Role], admin: Sequence[Role], writer: Sequence[Role], data: Sequence[Role] = ()
) -> None:
    """Refuse one role in two duties that must not meet, and roles of different partitions.

    Whoever may rewrite the policy, manage the key or prepare its secrets must not be whose enclave decrypts; and who
    prepares secrets must not write the policy. Raises UsageError ``kms.separation`` or ``kms.principal``.
    """
    for one, other, why in (
        (("enclave role", enclave), ("admin role", admin), _PARENT),
        (("enclave role", enclave), ("policy writer", writer), _PARENT),
        (("enclave role", enclave), ("data writer", data), _SUBSTITUTION),
        (("policy writer", writer), ("data writer", data), "whoever decides who decrypts should not handle the data"),
    ):
        held = {role.identity for role in one[1]}
        for role in other[1]:
            if role.identity in held:
                raise UsageError(
                    f"{role.arn} is both {one[0]} and {other[0]}", "kms.separation", [f"{why}; name another role"]
                )
    partitions = sorted({role.partition for role in (*enclave, *admin, *writer, *data)})
    if len(partitions) > 1:
        raise UsageError(
            f"the roles are of different partitions: {', '.join(partitions)}",
            "kms.principal",
            ["a key and its principals belong to one partition"],
        )
