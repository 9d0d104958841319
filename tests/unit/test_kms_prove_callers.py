"""Nobody is left out of a proof: callers of every partition and account, and those whom no request here can play."""

from typing import Any

import pytest

from nitroctl.kms import authorize
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.prove import Kind, Proof, prove
from nitroctl.kms.truth import Truth
from tests.kms_requests import ACCOUNT, AT, KEY, ROLE, ROOT, SESSION, policy, statement

READS = [
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:DeriveSharedSecret",
    "kms:ReEncryptFrom",
]
ARN, NAME, TYPE, OF = "aws:PrincipalArn", "aws:username", "aws:PrincipalType", "aws:PrincipalAccount"
NO_GRANTS = statement("Deny", Principal="*", Action="kms:CreateGrant")
ROOT_ALL = statement(Principal={"AWS": ROOT}, Action="kms:*")


def allow(who: Any = ROOT, **condition: Any) -> dict[str, Any]:
    """Return the statement that lets somebody have data."""
    return statement(Principal=who if isinstance(who, dict) else {"AWS": who}, Action=READS, Condition=condition)


def deny(*actions: str, who: Any = "*", **condition: Any) -> dict[str, Any]:
    """Return the statement that keeps somebody from data, or from other actions."""
    principal = who if who == "*" else {"AWS": who}
    return statement("Deny", Principal=principal, Action=actions or READS, Condition=condition)


def proved(*statements: Any, **changes: Any) -> Proof:
    grants = changes.pop("grants", None)
    found = prove(Policies(key=(policy(*statements),), grants=grants), **({"at": AT} | changes))
    for each in found.bypasses:
        assert authorize.decide(each.request, each.policies) == each.decision
        assert each.decision.verdict is Verdict.ALLOWED
    assert (found.holds is Truth.NO) is bool(found.bypasses)
    return found


# Callers with a request that gets by --------------------------------------------------------------------------------

GOV_KEY = KEY.replace("arn:aws:", "arn:aws-us-gov:")
CHINA = f"arn:aws-cn:iam::{ACCOUNT}"
NINE = [f"{100000000000 + number}" for number in range(9)]

#: The statements, the key, and the caller who gets by.
PLAYED: dict[str, tuple[list[Any], str, str]] = {
    "an account that a Deny also writes in another partition": (
        [ROOT_ALL, deny("kms:DescribeKey", ArnEquals={ARN: f"{CHINA}:role/x"})],
        "",
        f"arn:aws:iam::{ACCOUNT}:role/x",
    ),
    "an account that a principal also writes in another partition": (
        [ROOT_ALL, deny("kms:DescribeKey", who=f"{CHINA}:root")],
        "",
        f"arn:aws:iam::{ACCOUNT}:role/anybody",
    ),
    "an account by its number, of a partition that no pattern matches": (
        [allow(ACCOUNT), deny(ArnLike={ARN: "arn:aws:*:*:*:*"}), NO_GRANTS],
        "",
        f"arn:aws-cn:iam::{ACCOUNT}:role/x",
    ),
    "a pattern of accounts in the key's partition": (
        [allow("*", ArnLike={ARN: "arn:aws-us-gov:iam::*:role/Enc*"}), NO_GRANTS],
        GOV_KEY,
        f"arn:aws-us-gov:iam::{ACCOUNT}:role/Enc",
    ),
    "a pattern of accounts in another partition, the key not given": (
        [allow("*", StringLike={ARN: "arn:aws-us-gov:iam::*:role/Enc*"}), NO_GRANTS],
        "",
        "arn:aws-us-gov:iam::999988887777:role/Enc",
    ),
    "everybody of the key's partition": ([allow("*", ArnNotLike={ARN: "arn:aws:*:*:*:*"}), NO_GRANTS], GOV_KEY, ""),
    "a root user by a pattern of accounts": (
        [allow("*", ArnLike={ARN: "arn:aws:iam::1234*:root"}), NO_GRANTS],
        KEY,
        "arn:aws:iam::123400000000:root",
    ),
    "a user of that name in any account": (
        [allow("*", StringEquals={NAME: "bob"}), NO_GRANTS],
        "",
        "arn:aws:iam::999988887777:user/bob",
    ),
    "a user of that name in no account that is named": (
        [allow("*", StringEquals={NAME: "bob"}, StringNotEquals={OF: ACCOUNT}), NO_GRANTS],
        "",
        "arn:aws:iam::999988887777:user/bob",
    ),
    "a user of that name in the last of nine accounts": (
        [allow(NINE, StringEquals={NAME: "bob", OF: NINE[-1]}), NO_GRANTS],
        "",
        f"arn:aws:iam::{NINE[-1]}:user/bob",
    ),
    "a user of that name in another path": (
        [allow(StringEquals={NAME: "bob"}), deny(ArnLike={ARN: f"arn:aws:iam::{ACCOUNT}:user/bob"}), NO_GRANTS],
        "",
        "",
    ),
    "a user of that name by a pattern of accounts": (
        [allow("*", StringEquals={NAME: "bob"}, ArnLike={ARN: "arn:aws:iam::1234*:user/ops/*"})],
        "",
        "arn:aws:iam::123400000000:user/ops/bob",
    ),
    "a session of a role in another path than a Deny has": (
        [allow(SESSION), deny(ArnEquals={ARN: ROLE}), NO_GRANTS],
        "",
        SESSION,
    ),
    "a role that only a Deny names, in another path": (
        [allow(StringLike={ARN: "*/signer"}), deny(ArnEquals={ARN: ROLE})],
        "",
        "",
    ),
}


@pytest.mark.parametrize("name", PLAYED)
def test_who_gets_by_is_found_wherever_he_is(name: str) -> None:
    statements, key, who = PLAYED[name]
    found = proved(*statements, key=key)
    assert Kind.NOTHING in [each.kind for each in found.bypasses]
    if who:
        assert found.bypasses[0].request.caller.text == who


def test_a_role_that_is_a_principal_has_the_path_that_is_written() -> None:
    team = ROLE.replace("role/", "role/team/")
    shut = deny(ArnEquals={ARN: [ROLE, team]})
    assert proved(allow(ROLE), shut).holds is Truth.YES
    assert proved(allow([SESSION, team]), shut).holds is Truth.YES
    assert proved(allow(SESSION), shut).holds is Truth.NO
    every = deny(ArnLike={ARN: [ROLE, ROLE.replace("role/", "role/*/")]})
    assert proved(allow(SESSION), every).holds is Truth.YES
