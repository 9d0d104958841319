"""Nobody is left out of a proof: callers of every partition and account, and those whom no request here can play."""

from typing import Any

import pytest

from nitroctl.kms import authorize
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.grants import Grant
from nitroctl.kms.prove import Kind, Proof, Property, prove
from nitroctl.kms.truth import Truth
from tests.kms_requests import ACCOUNT, AT, KEY, PCR0, ROLE, ROOT, SESSION, policy, statement
from tests.unit.test_kms_bypasses import HEX

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
        f"arn:aws-cn:iam::{ACCOUNT}:role/w",
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
    "a role in a path with what no name has": (
        [allow(ArnLike={ARN: f"arn:aws:iam::{ACCOUNT}:role/a!b:c/*"}), NO_GRANTS],
        "",
        "",
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


# Callers whose requests nobody here can write -------------------------------------------------------------------------

FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
TRAIL = {"Service": "cloudtrail.amazonaws.com"}
UNATTESTED = {"Null": {PCR0: "true"}}
OTHER_IMAGE = {"StringNotEquals": {PCR0: HEX}}
SOMEBODY = "a federated user or an AWS service"
ATTESTED = {"Null": {PCR0: "false"}}


def except_services(*actions: str, **condition: Any) -> dict[str, Any]:
    return deny(*actions, **{**condition, "Bool": {"aws:PrincipalIsAWSService": "false"}})


#: Statements of a policy that says nothing of grants, the statement that lets a stranger by, and who that is.
UNPLAYED: dict[str, tuple[list[Any], str, str]] = {
    "a federated user who attests": ([allow(FEDERATED, **ATTESTED)], "statement 1", FEDERATED),
    "a web identity that attests": (
        [allow({"Federated": "cognito-identity.amazonaws.com"}, **ATTESTED)],
        "statement 1",
        "cognito-identity.amazonaws.com",
    ),
    "federated users of the account only": (
        [allow(StringEquals={TYPE: "FederatedUser"})],
        "statement 1",
        SOMEBODY,
    ),
    "federated users of a user": (
        [allow(f"arn:aws:iam::{ACCOUNT}:user/bob", StringEquals={TYPE: "FederatedUser"})],
        "statement 1",
        SOMEBODY,
    ),
    "a Deny of all but federated users": (
        [allow(), deny(StringNotEquals={TYPE: "FederatedUser"})],
        "statement 1",
        SOMEBODY,
    ),
    "a Deny of the ARNs of roles and users only": (
        [allow(), deny(ArnLike={ARN: "arn:aws:iam::*"}, **UNATTESTED), deny(**OTHER_IMAGE | ATTESTED)],
        "statement 1",
        SOMEBODY,
    ),
    "AWS services only": ([allow("*", Bool={"aws:PrincipalIsAWSService": "true"})], "statement 1", SOMEBODY),
    "Denies of all but AWS services": (
        [ROOT_ALL, except_services(*READS, "kms:CreateGrant", **UNATTESTED), except_services(**OTHER_IMAGE)],
        "statement 1",
        SOMEBODY,
    ),
    "what an AWS service calls for itself": (
        [allow(TRAIL, StringEquals={"aws:SourceArn": "arn:x"}), deny(Bool={"aws:ViaAWSService": "true"})],
        "statement 1",
        TRAIL["Service"],
    ),
    "an AWS service by its name": (
        [
            allow(TRAIL, StringEquals={"aws:PrincipalServiceName": TRAIL["Service"]}),
            deny(Bool={"aws:ViaAWSService": "true"}),
        ],
        "statement 1",
        TRAIL["Service"],
    ),
    "everybody but a service": (
        [
            statement(Principal=None, NotPrincipal={"Service": "ec2.amazonaws.com"}, Action=READS, Condition=ATTESTED),
            deny(ArnLike={ARN: "arn:*:iam::*:*"}),
        ],
        "statement 1",
        SOMEBODY,
    ),
    "a Deny that excepts a service": (
        [
            allow("*"),
            deny(ArnLike={ARN: "arn:*:iam::*:*"}),
            statement("Deny", Principal=None, NotPrincipal=TRAIL, Action=READS),
        ],
        "statement 1",
        SOMEBODY,
    ),
}


@pytest.mark.parametrize("name", UNPLAYED)
def test_whom_nobody_here_can_play_is_no_proof(name: str) -> None:
    statements, label, who = UNPLAYED[name]
    found = proved(*statements, NO_GRANTS)
    assert (found.holds, found.bypasses) == (Truth.OPEN, ())
    assert f"{who}, to whom {label} allows kms:Decrypt and whom nobody here can play" in found.open
    shut = proved(*statements, NO_GRANTS, deny(**UNATTESTED), deny(**OTHER_IMAGE))
    assert (shut.holds, shut.open, shut.grants_closed) == (Truth.YES, (), Truth.YES)


def test_of_many_strangers_one_is_told_for_each_statement() -> None:
    many = [f"arn:aws:sts::{account}:federated-user/bob" for account in NINE]
    found = proved(allow(many), statement(Principal={"AWS": many}), NO_GRANTS)
    assert len(found.open) == len(READS) + 1


@pytest.mark.parametrize("grantee", ["rds.us-east-1.amazonaws.com", FEDERATED])
def test_a_grant_to_somebody_whom_nobody_here_can_play_is_no_proof(grantee: str) -> None:
    grant = Grant(id="g", grantee=grantee, operations=("Decrypt",))
    found = proved(NO_GRANTS, grants=(grant,))
    assert (found.holds, found.open) == (
        Truth.OPEN,
        (f"{grantee}, to whom grant g allows kms:Decrypt and whom nobody here can play",),
    )
    assert proved(NO_GRANTS, deny(**UNATTESTED), deny(**OTHER_IMAGE), grants=(grant,)).holds is Truth.YES
    harmless = Grant(id="g", grantee=grantee, operations=("Encrypt",))
    assert proved(NO_GRANTS, grants=(harmless,)).holds is Truth.YES


def test_a_role_that_was_deleted_is_nobody() -> None:
    grant = Grant(id="g", grantee="AROAEXAMPLEEXAMPLE12", operations=("Decrypt",))
    assert proved(NO_GRANTS, grants=(grant,)).holds is Truth.YES


MAKERS: dict[str, Any] = {
    "a federated user": {"AWS": FEDERATED},
    "an AWS service": {"Service": "rds.amazonaws.com"},
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_stranger_who_makes_grants_is_no_proof(name: str) -> None:
    def maker(**condition: Any) -> Any:
        return statement(Principal=MAKERS[name], Action="kms:CreateGrant", Condition=condition)

    assert proved(maker()).holds is Truth.OPEN
    harmless = {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "DescribeKey"]}}
    assert proved(maker(**harmless)).holds is Truth.YES
    assert proved(maker(), deny(**UNATTESTED), deny(**OTHER_IMAGE)).holds is Truth.YES


def test_grants_are_closed_only_when_they_are_to_strangers_too() -> None:
    for statements, *_ in (
        UNPLAYED["Denies of all but AWS services"],
        UNPLAYED["a Deny of the ARNs of roles and users only"],
        UNPLAYED["a Deny of all but federated users"],
    ):
        assert proved(*statements).grants_closed is Truth.OPEN
    assert proved(deny(**UNATTESTED), deny(**OTHER_IMAGE)).grants_closed is Truth.YES
    writers = proved(properties=[Property.ONLY_WRITERS], writers=[ROLE])
    assert (writers.holds, writers.grants_closed) == (Truth.YES, Truth.OPEN)  # nobody asked


def test_strangers_who_may_change_the_gate_are_told() -> None:
    service, write = "cloudformation.amazonaws.com", "kms:PutKeyPolicy"
    both = statement(Principal={"Service": service, "AWS": FEDERATED}, Action=write)
    found = proved(both)
    assert [(each.action, each.name, each.request) for each in found.openings] == [
        (write, service, None),
        (write, FEDERATED, None),
    ]
    some = proved(statement(Principal="*", Action=write, Condition={"Bool": {"aws:PrincipalIsAWSService": "true"}}))
    assert [each.name for each in some.openings] == [SOMEBODY]
    root = proved(statement(Principal={"AWS": ROOT}, Action=write))
    assert {each.name for each in root.openings} == {""}  # the account says it already
    asked: Any = {"properties": [Property.ONLY_WRITERS], "writers": [ROLE]}
    assert proved(both, **asked).holds is Truth.OPEN
    assert proved(both, deny(write), **asked).holds is Truth.YES


# Policies that hold, as people write them -----------------------------------------------------------------------------

USE = statement(Action=READS[:4], Condition={"StringEqualsIgnoreCase": {PCR0: HEX}})
MANAGE = statement(
    Principal={"AWS": ROOT},
    Action=["kms:DescribeKey", "kms:Get*", "kms:List*", "kms:PutKeyPolicy", "kms:Tag*", "kms:ScheduleKeyDeletion"],
)
DENIES = [deny(*READS[:4], **UNATTESTED), deny(*READS[:4], **OTHER_IMAGE), deny("kms:CreateGrant", READS[4])]
HOLD: dict[str, list[Any]] = {
    "a role, and the root user limited to management": [USE, MANAGE, *DENIES],
    "the same for a key of several Regions": [USE, MANAGE, statement(Action="kms:ReplicateKey"), *DENIES],
    "beside the statement that KMS writes": [ROOT_ALL, USE, *DENIES],
    "a role alone": [USE, MANAGE],
    "Denies of the account": [ROOT_ALL, USE, *(each | {"Principal": {"AWS": ROOT}} for each in DENIES)],
    "only the role, whatever else it does": [
        ROOT_ALL,
        USE,
        deny(*READS, "kms:CreateGrant", ArnNotEquals={ARN: ROLE}),
        deny(*READS[:4], who=ROLE, **UNATTESTED),
        deny(*READS[:4], who=ROLE, **OTHER_IMAGE),
        deny("kms:CreateGrant", READS[4], who=ROLE),
    ],
    "only roles of a pattern": [
        ROOT_ALL,
        deny(*READS, "kms:CreateGrant", ArnNotLike={ARN: f"arn:*:iam::{ACCOUNT}:role/enclave-*"}),
        *DENIES,
    ],
    "the services of the account, and attested at that": [
        USE,
        statement(Principal=TRAIL, Action=["kms:Encrypt", "kms:DescribeKey"]),
        *DENIES,
    ],
}


@pytest.mark.parametrize("name", HOLD)
@pytest.mark.parametrize("key", ["", KEY])
def test_good_policies_stay_proved(name: str, key: str) -> None:
    found = proved(*HOLD[name], key=key)
    assert (found.holds, found.open) == (Truth.YES, ())
