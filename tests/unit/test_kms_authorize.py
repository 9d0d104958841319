"""How KMS decides, in the order that its documentation gives; each case from a good one by a single change."""

from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.errors import UsageError
from nitroctl.kms import actions, authorize, caller
from nitroctl.kms.authorize import NO_IAM, Policies, Verdict, Way
from nitroctl.kms.document import Kind
from nitroctl.kms.grants import Grant
from nitroctl.kms.operators import ABSENT, UNKNOWN, Actual, Presence, present
from nitroctl.kms.request import Attested, Platform
from nitroctl.kms.trace import would_allow
from tests.kms_requests import (
    ACCOUNT,
    KEY,
    OTHER,
    PCR0,
    ROLE,
    ROOT,
    SESSION,
    attested,
    decide,
    identity,
    policy,
    request,
    statement,
)
from tests.records import register

ALLOWED, DENIED, UNDECIDED = Verdict.ALLOWED, Verdict.DENIED, Verdict.UNDECIDED
IMAGE, ANOTHER = register("image"), register("another")
ROOT_ALLOW = statement(Principal={"AWS": ROOT}, Action="kms:*")
DENY = statement("Deny", Principal="*")
ALLOW = statement()
GRANT = Grant(id="g-1", grantee=ROLE, operations=("Decrypt",))
FOREIGN = f"arn:aws:iam::{OTHER}:role/signer"


def test_nothing_allows_so_it_is_denied() -> None:
    decision = decide(statement(Action="kms:Encrypt"))
    assert (decision.verdict, decision.way, decision.deciding) == (DENIED, Way.NOTHING, ())


def test_a_key_policy_that_names_the_role_is_enough() -> None:
    decision = decide(ALLOW)
    assert (decision.verdict, decision.way) == (ALLOWED, Way.KEY_POLICY)
    assert [each.statement.number for each in decision.deciding] == [1]


def test_a_deny_outweighs_every_allow_wherever_it_stands() -> None:
    for decision in (
        decide(ALLOW, DENY),
        decide(DENY, ALLOW),
        decide(ALLOW, iam=(identity("Deny"),)),
        decide(DENY, ROOT_ALLOW, iam=(identity(),), grants=(GRANT,)),
    ):
        assert (decision.verdict, decision.way) == (DENIED, Way.DENY)
        assert [each.statement.effect.value for each in decision.deciding] == ["Deny"]


def test_a_second_key_policy_allows_and_denies_like_the_first() -> None:
    both = authorize.decide(
        request(), Policies(key=(policy(statement(Action="kms:Encrypt")), policy(ALLOW)), identity=())
    )
    assert both.verdict is ALLOWED
    both = authorize.decide(request(), Policies(key=(policy(ALLOW), policy(DENY)), identity=()))
    assert both.verdict is DENIED


@pytest.mark.parametrize("root", [ROOT, ACCOUNT])
def test_an_allow_for_the_account_lets_iam_policies_decide(root: str) -> None:
    allow = statement(Principal={"AWS": root})
    assert decide(allow, iam=(identity(),)).way is Way.ACCOUNT
    assert decide(allow, iam=(identity(),)).verdict is ALLOWED
    assert decide(allow, iam=()).verdict is DENIED
    assert decide(allow, iam=(identity(Action="kms:Encrypt"),)).verdict is DENIED
    assert (decide(allow, iam=None).verdict, decide(allow, iam=None).open) == (UNDECIDED, (NO_IAM,))


def test_without_an_allow_for_the_account_iam_policies_allow_nothing() -> None:
    assert decide(statement(Principal={"AWS": f"{ROLE}2"}), iam=(identity(),)).verdict is DENIED
    assert decide(statement(Principal={"AWS": f"{ROLE}2"}), iam=None).verdict is DENIED


def test_the_condition_of_the_account_statement_counts_on_the_way_through_iam() -> None:
    gated = statement(Principal={"AWS": ROOT}, Condition={"StringEquals": {PCR0: IMAGE.hex()}})
    assert decide(gated, iam=(identity(),)).verdict is DENIED
    assert decide(gated, iam=(identity(),), attested=attested(PCR0=IMAGE)).verdict is ALLOWED


def test_a_grant_allows_without_attestation_and_only_a_deny_stops_it() -> None:
    gated = statement(Condition={"StringEquals": {PCR0: IMAGE.hex()}})
    unattested = statement("Deny", Principal="*", Condition={"Null": {PCR0: "true"}})
    assert decide(gated).verdict is DENIED
    assert decide(gated, grants=(GRANT,)).way is Way.GRANT
    assert decide(gated, grants=(GRANT,)).verdict is ALLOWED
    assert decide(gated, unattested, grants=(GRANT,)).verdict is DENIED


GRANTS: dict[str, tuple[dict[str, Any], dict[str, Any], Verdict]] = {
    "of the role": ({}, {}, ALLOWED),
    "of the session's role": ({}, {"who": SESSION}, ALLOWED),
    "of another role": ({"grantee": f"{ROLE}2"}, {}, DENIED),
    "of an AWS service": ({"grantee": "ec2.amazonaws.com"}, {}, DENIED),
    "of another operation": ({"operations": ("Encrypt",)}, {}, DENIED),
    "with the same context": ({"equals": {"a": "1"}}, {"encryption_context": {"a": "1"}}, ALLOWED),
    "with more context than it says": ({"equals": {"a": "1"}}, {"encryption_context": {"a": "1", "b": "2"}}, DENIED),
    "with context that contains its": ({"subset": {"a": "1"}}, {"encryption_context": {"a": "1", "b": "2"}}, ALLOWED),
    "with none of its context": ({"subset": {"a": "1"}}, {}, DENIED),
    "with an unknown constraint": ({"unknown": ("SourceArn",)}, {}, UNDECIDED),
    "of a session that is not given": ({"grantee": SESSION}, {}, UNDECIDED),
    "of the session": ({"grantee": SESSION}, {"who": SESSION}, ALLOWED),
}


@pytest.mark.parametrize("name", GRANTS)
def test_grants(name: str) -> None:
    changes, asked, verdict = GRANTS[name]
    grant = Grant(**({"id": "g-1", "grantee": ROLE, "operations": ("Decrypt",)} | changes))
    assert decide(grants=(grant,), **asked).verdict is verdict


@pytest.mark.parametrize(
    ("kind", "wanted", "context", "verdict"),
    [
        ("equals", {"App": "x"}, {"app": "x"}, Verdict.ALLOWED),
        ("subset", {"App": "x"}, {"app": "x", "b": "y"}, Verdict.ALLOWED),
        ("equals", {"App": "x"}, {"app": "X"}, Verdict.DENIED),
        ("equals", {"App": "x"}, {"app": "x", "b": "y"}, Verdict.DENIED),
        ("equals", {"App": "x", "b": "y"}, {"app": "x"}, Verdict.DENIED),
        ("subset", {"App": "x"}, {}, Verdict.DENIED),
        # Which of two names that differ in case is meant, nobody says.
        ("equals", {"app": "x", "App": "y"}, {"app": "x", "App": "y"}, Verdict.ALLOWED),
        ("equals", {"app": "x", "App": "y"}, {"app": "y", "App": "x"}, Verdict.UNDECIDED),
        ("subset", {"app": "x"}, {"app": "x", "App": "y"}, Verdict.UNDECIDED),
        ("subset", {"app": "x"}, {"app": "z", "App": "y"}, Verdict.DENIED),
        ("equals", {"É": "x"}, {"é": "x"}, Verdict.UNDECIDED),
        ("equals", {}, {}, Verdict.ALLOWED),
    ],
)
def test_a_grants_constraints_compare_names_without_case_and_values_with_it(
    kind: str, wanted: dict[str, str], context: dict[str, str], verdict: Verdict
) -> None:
    limits: dict[str, Any] = {kind: wanted}
    grant = Grant(id="g-1", grantee=ROLE, operations=("Decrypt",), **limits)
    found = decide(grants=(grant,), encryption_context=context)
    assert found.verdict is verdict
    several = "grant g-1, whose encryption context has a name that several of the call's may be"
    assert found.open == ((several,) if verdict is Verdict.UNDECIDED else ())


def test_a_caller_of_another_account_needs_an_iam_policy_as_well() -> None:
    for who in (FOREIGN, f"arn:aws:iam::{OTHER}:root", "*"):
        allow = statement(Principal={"AWS": who})
        assert decide(allow, asked=request(FOREIGN)).verdict is DENIED
        assert decide(allow, asked=request(FOREIGN), iam=(identity(),)).way is Way.ACCOUNT
        assert decide(allow, asked=request(FOREIGN), iam=(identity(),)).verdict is ALLOWED
        assert decide(allow, asked=request(FOREIGN), iam=None).open == (NO_IAM,)


def test_whose_account_the_key_is_of_may_be_open() -> None:
    allow = statement(Principal={"AWS": [f"arn:aws:iam::{OTHER}:role/x", "*"]})
    decision = decide(allow, key="")
    assert decision.verdict is UNDECIDED
    assert decision.open == ("whether the key is of the caller's account: its ARN was not given",)
    assert decide(allow, key="", iam=(identity(),)).verdict is ALLOWED  # either way
    assert decide(allow).verdict is ALLOWED


def test_of_two_accounts_that_are_named_either_may_have_the_key() -> None:
    allow = statement(Principal={"AWS": [ROLE, f"arn:aws:iam::{OTHER}:role/x"]})
    for who in (ROLE, f"arn:aws:iam::{OTHER}:role/x"):
        found = decide(allow, who=who, key="")
        assert (found.verdict, found.open) == (
            UNDECIDED,
            ("whether the key is of the caller's account: its ARN was not given",),
        )
        assert decide(allow, who=who, key="", iam=(identity(),)).verdict is ALLOWED  # either way
    assert decide(allow, who=ROLE).verdict is ALLOWED
    assert decide(allow, who=f"arn:aws:iam::{OTHER}:role/x").verdict is Verdict.DENIED
    assert decide(statement(), key="").verdict is UNDECIDED


WRITER = statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/writer"}, Action="kms:Put*")
ABROAD = f"arn:aws:iam::{OTHER}:role/x"


@pytest.mark.parametrize(
    ("rest", "verdict"),
    [
        ((WRITER,), ALLOWED),
        ((WRITER, statement(Principal={"AWS": ABROAD})), ALLOWED),
        ((WRITER, WRITER | {"Principal": {"AWS": [ABROAD, "*"]}}), UNDECIDED),
        ((WRITER | {"Principal": {"AWS": ABROAD}},), UNDECIDED),
        ((WRITER | {"Principal": "*"},), UNDECIDED),
        ((WRITER | {"Effect": "Deny"},), UNDECIDED),
        ((WRITER | {"Action": "kms:GetKeyPolicy"},), UNDECIDED),
        ((), UNDECIDED),
    ],
)
def test_a_key_is_of_the_account_that_may_replace_its_policies_and_of_no_other_that_is_named(
    rest: tuple[dict[str, Any], ...], verdict: Verdict
) -> None:
    for principal in ("*", {"AWS": ROLE}):
        found = decide(statement(Principal=principal), *rest, key="")
        assert found.verdict is verdict
        if verdict is UNDECIDED:
            assert found.open == ("whether the key is of the caller's account: its ARN was not given",)


@pytest.mark.parametrize("action", ["kms:PutKeyPolicy", "kms:GetKeyPolicy"])
def test_a_policy_is_read_and_replaced_from_the_keys_account_alone(action: str) -> None:
    allow = statement(Principal={"AWS": [ABROAD, ROLE]}, Action="kms:*")
    found = decide(allow, iam=(identity(),), asked=request(ABROAD, action=action))
    assert (found.verdict, found.way, authorize.from_abroad(found.request)) == (DENIED, Way.NOTHING, True)
    assert decide(allow, iam=None, asked=request(ABROAD, action=action)).verdict is DENIED
    mine = decide(allow, asked=request(ROLE, action=action))
    assert (mine.verdict, authorize.from_abroad(mine.request)) == (ALLOWED, False)
    for who in (ABROAD, ROLE):  # the key may be of either account
        unknown = decide(allow, iam=(identity(),), asked=request(who, action=action, key=""))
        assert (unknown.verdict, unknown.open, authorize.from_abroad(unknown.request)) == (
            UNDECIDED,
            ("whether the key is of the caller's account: its ARN was not given",),
            False,
        )
    root = statement(Principal={"AWS": [ROOT, OTHER]}, Action="kms:*")
    assert decide(root, iam=(identity(),), asked=request(ROLE, action=action, key="")).open == unknown.open
    assert decide(root, iam=(identity(),), asked=request(ROLE, action=action)).verdict is ALLOWED
    assert decide(root, iam=(identity(),), asked=request(ABROAD, action=action)).verdict is DENIED


def test_other_actions_are_taken_from_abroad() -> None:
    allow = statement(Principal={"AWS": ABROAD}, Action="kms:*")
    for action in ("kms:Decrypt", "kms:ListGrants", "kms:CreateGrant"):
        found = decide(allow, iam=(identity(),), asked=request(ABROAD, action=action))
        assert (found.verdict, authorize.from_abroad(found.request)) == (ALLOWED, False)


def test_a_grant_and_an_iam_policy_are_enough_in_whatever_account() -> None:
    for who in (ROLE, f"arn:aws:iam::{OTHER}:role/x"):
        grant = Grant(id="g-1", grantee=who, operations=("Decrypt",))
        for key in (KEY, ""):
            found = decide(grants=(grant,), who=who, key=key, iam=(identity(),))
            assert (found.verdict, found.grant) == (ALLOWED, grant)


def test_a_grant_to_another_account_is_not_decided() -> None:
    grant = Grant(id="g-1", grantee=FOREIGN, operations=("Decrypt",))
    decision = decide(grants=(grant,), asked=request(FOREIGN))
    assert decision.verdict is UNDECIDED
    assert decision.open == ("whether grant g-1 alone is enough for a caller of another account",)


# Principals -------------------------------------------------------------------------------------------------------

USER = f"arn:aws:iam::{ACCOUNT}:user/team/ada"
PRINCIPALS: dict[str, tuple[Any, str, Verdict]] = {
    "everybody": ("*", ROLE, ALLOWED),
    "everybody in a list": ({"AWS": ["*"]}, ROLE, ALLOWED),
    "one of several": ({"AWS": [f"{ROLE}2", ROLE]}, ROLE, ALLOWED),
    "the role, for its session": ({"AWS": ROLE}, SESSION, ALLOWED),
    "the role with its path, for a session": ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/team/signer"}, SESSION, ALLOWED),
    "the role in other case": ({"AWS": ROLE.replace("signer", "Signer")}, ROLE, ALLOWED),
    "the session": ({"AWS": SESSION}, SESSION, ALLOWED),
    "another session": ({"AWS": f"{SESSION}1"}, SESSION, DENIED),
    "a session, for a role": ({"AWS": SESSION}, ROLE, UNDECIDED),
    "a session of another role": ({"AWS": SESSION.replace("signer", "other")}, ROLE, DENIED),
    "the role of another account": ({"AWS": FOREIGN}, ROLE, DENIED),
    "the role of another partition": ({"AWS": ROLE.replace("arn:aws:", "arn:aws-cn:")}, ROLE, DENIED),
    "a user of the same name": ({"AWS": ROLE.replace("role/", "user/")}, ROLE, DENIED),
    "the user": ({"AWS": USER}, USER, ALLOWED),
    "another account": ({"AWS": OTHER}, ROLE, DENIED),
    "the account, for its root user": ({"AWS": ACCOUNT}, ROOT, ALLOWED),
    "a service": ({"Service": "ec2.amazonaws.com"}, ROLE, DENIED),
    "a federated provider": ({"Federated": "cognito-identity.amazonaws.com"}, ROLE, DENIED),
    "a deleted role's id": ({"AWS": "AROAEXAMPLEEXAMPLE12"}, ROLE, DENIED),
    "a wildcard in an ARN": ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"}, ROLE, UNDECIDED),
    "nobody": ({"AWS": []}, ROLE, DENIED),
}


@pytest.mark.parametrize("name", PRINCIPALS)
def test_principals(name: str) -> None:
    principal, who, verdict = PRINCIPALS[name]
    assert decide(statement(Principal=principal), asked=request(who)).verdict is verdict


NOT_PRINCIPALS: dict[str, tuple[Any, str, Verdict]] = {
    "others only": ([f"{ROLE}2"], ROLE, DENIED),
    "the role alone": ([ROLE], SESSION, UNDECIDED),
    "the role and its account": ([ROLE, ROOT], SESSION, UNDECIDED),
    "the role, its account and its session": ([ROLE, ROOT, SESSION], SESSION, ALLOWED),
    "all but the session's name is known": ([ROLE, ROOT, SESSION], ROLE, UNDECIDED),
    "everybody": (["*"], ROLE, ALLOWED),
}


@pytest.mark.parametrize("name", NOT_PRINCIPALS)
def test_a_deny_for_all_but_some(name: str) -> None:
    excepted, who, verdict = NOT_PRINCIPALS[name]
    deny = statement("Deny", Principal=None, NotPrincipal={"AWS": excepted})
    assert decide(statement(Principal="*"), deny, asked=request(who)).verdict is verdict


def test_an_allow_for_all_but_some_is_for_nearly_everybody() -> None:
    allow = statement(Principal=None, NotPrincipal={"AWS": f"{ROLE}2"})
    assert decide(allow).verdict is ALLOWED


def test_a_deny_for_the_account_is_for_everybody_in_it() -> None:
    deny = statement("Deny", Principal={"AWS": ACCOUNT})
    assert decide(ALLOW, deny).verdict is DENIED
    assert decide(ALLOW, statement("Deny", Principal={"AWS": OTHER})).verdict is ALLOWED


@pytest.mark.parametrize(
    "text",
    [f"arn:aws:iam::{ACCOUNT}:instance-profile/x", "*", ACCOUNT, "signer", f"arn:aws:iam::{ACCOUNT}:group/x", ""],
)
def test_who_cannot_call_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        caller.parse(text)
    assert caught.value.code == "kms.caller"


# Actions and resources --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "verdict"),
    [
        ({"Action": "KMS:dECRYPT"}, ALLOWED),
        ({"Action": ["kms:Encrypt", "kms:De*"]}, ALLOWED),
        ({"Action": "kms:D?crypt"}, ALLOWED),
        ({"Action": "*"}, ALLOWED),
        ({"Action": "kms:De"}, DENIED),
        ({"Action": None}, DENIED),
        ({"Action": []}, DENIED),
        ({"Action": None, "NotAction": "kms:Encrypt"}, ALLOWED),
        ({"Action": None, "NotAction": ["kms:Encrypt", "kms:*crypt"]}, DENIED),
        ({"Resource": KEY}, ALLOWED),
        ({"Resource": f"arn:aws:kms:*:{ACCOUNT}:key/*"}, ALLOWED),
        ({"Resource": "arn:aws:kms:*:key/*"}, UNDECIDED),  # only if * runs across colons
        ({"Resource": KEY.replace("1234", "5678")}, DENIED),
        ({"Resource": f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/*"}, DENIED),
        ({"Resource": None}, DENIED),
        ({"Resource": None, "NotResource": KEY}, DENIED),
        ({"Resource": None, "NotResource": KEY.replace("1234", "5678")}, ALLOWED),
        ({"Resource": "arn:aws:kms:eu-west-1:${aws:PrincipalAccount}:key/*"}, ALLOWED),
        ({"Resource": None, "NotResource": "${aws:SourceArn}"}, UNDECIDED),
    ],
)
def test_actions_and_resources(members: dict[str, Any], verdict: Verdict) -> None:
    assert decide(statement(**members)).verdict is verdict


def test_a_resource_is_open_when_the_key_is_not_given() -> None:
    decision = decide(statement(Resource=KEY), WRITER, key="")
    assert (decision.verdict, decision.open) == (UNDECIDED, ("which key it is: its ARN was not given",))


def test_an_action_without_a_key_is_allowed_by_iam_policies_only() -> None:
    asked = request(action="kms:GenerateRandom")
    assert decide(statement(Action="kms:*"), asked=asked).verdict is DENIED
    assert decide(DENY, asked=asked, iam=(identity(),)).way is Way.IAM
    assert decide(DENY, asked=asked, iam=(identity(),)).verdict is ALLOWED
    assert decide(asked=asked, iam=(identity(Resource=KEY),)).verdict is DENIED
    assert decide(asked=asked, iam=None).open == (NO_IAM,)


def test_names_of_actions() -> None:
    assert actions.parse("decrypt") == actions.parse(" KMS:Decrypt ") == "kms:Decrypt"
    for text, hint in (("Decryptt", "did you mean kms:Decrypt"), ("ReEncrypt", "two actions"), ("xyzzy", "")):
        with pytest.raises(UsageError) as caught:
            actions.parse(text)
        assert caught.value.code == "kms.unknown-action"
        assert hint in " ".join(caught.value.hints)


# Condition keys ---------------------------------------------------------------------------------------------------


def gated(operator: str, name: str, value: str, **changes: Any) -> Verdict:
    """Return the decision under an Allow with one condition."""
    return decide(statement(Condition={operator: {name: value}}), **changes).verdict


CONTEXT: list[tuple[str, str, str, dict[str, Any], Verdict]] = [
    ("StringEquals", "kms:EncryptionContext:app", "signer", {"encryption_context": {"app": "signer"}}, ALLOWED),
    ("StringEquals", "KMS:encryptioncontext:APP", "signer", {"encryption_context": {"app": "signer"}}, ALLOWED),
    ("StringEquals", "kms:EncryptionContext:app", "signer", {"encryption_context": {"b": "signer"}}, DENIED),
    ("Null", "kms:EncryptionContextKeys", "true", {}, ALLOWED),
    ("ForAllValues:StringEquals", "kms:EncryptionContextKeys", "a", {"encryption_context": {"a": "1"}}, ALLOWED),
    ("ForAllValues:StringEquals", "kms:EncryptionContextKeys", "a", {"encryption_context": {"b": "1"}}, DENIED),
    ("StringEquals", "kms:CallerAccount", ACCOUNT, {}, ALLOWED),
    ("StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com", {}, DENIED),
    ("StringNotEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com", {}, ALLOWED),
    ("StringEquals", "aws:PrincipalAccount", ACCOUNT, {}, ALLOWED),
    ("StringEquals", "aws:PrincipalType", "AssumedRole", {}, ALLOWED),
    ("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/*", {}, ALLOWED),
    ("ArnLike", "aws:PrincipalArn", ROLE, {"asked": request(SESSION)}, UNDECIDED),  # its path is not known
    ("Bool", "aws:SecureTransport", "true", {}, ALLOWED),
    ("Bool", "aws:PrincipalIsAWSService", "true", {}, DENIED),
    ("DateLessThan", "aws:CurrentTime", "2026-11-20T10:00:01Z", {}, ALLOWED),
    ("DateLessThan", "aws:CurrentTime", "2026-11-20T10:00:00Z", {}, DENIED),
    ("NumericLessThan", "aws:EpochTime", "1795168801", {}, ALLOWED),
    ("StringEquals", "aws:RequestedRegion", "eu-west-1", {}, ALLOWED),
    ("StringEquals", "aws:RequestedRegion", "eu-west-1", {"key": ""}, UNDECIDED),
    ("StringEquals", "aws:username", "ada", {}, DENIED),
    ("StringEquals", "aws:PrincipalOrgID", "o-1", {}, UNDECIDED),
    ("StringEquals", "aws:PrincipalOrgID", "o-1", {"given": {"aws:PrincipalOrgID": present("o-1")}}, ALLOWED),
    ("StringEquals", "aws:PrincipalOrgID", "o-1", {"given": {"AWS:principalorgid": ABSENT}}, DENIED),
    ("StringEquals", "aws:SecureTransport", "true", {"given": {"aws:SecureTransport": UNKNOWN}}, UNDECIDED),
]


@pytest.mark.parametrize(("operator", "key", "value", "changes", "verdict"), CONTEXT)
def test_condition_keys(operator: str, key: str, value: str, changes: dict[str, Any], verdict: Verdict) -> None:
    assert gated(operator, key, value, **changes) is verdict


def test_a_deny_on_what_is_not_known_leaves_an_allow_undecided() -> None:
    deny = statement("Deny", Principal="*", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})
    decision = decide(ALLOW, deny)
    assert (decision.verdict, decision.open) == (UNDECIDED, ("aws:SourceVpce, which was not given",))
    assert decide(deny).verdict is DENIED  # nothing allows it anyway
    assert decide(ALLOW, deny, given={"aws:SourceVpce": present("vpce-1")}).verdict is ALLOWED


def test_several_operators_and_keys_must_all_hold() -> None:
    both = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT, "kms:CallerAccount": OTHER}}
    assert decide(statement(Condition=both)).verdict is DENIED
    both = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}, "StringLike": {"kms:CallerAccount": "*"}}
    assert decide(statement(Condition=both)).verdict is ALLOWED


# Attestation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "actual"),
    [
        ("kms:RecipientAttestation:PCR0", present(IMAGE.hex())),
        ("kms:recipientattestation:imagesha384", present(IMAGE.hex())),
        ("kms:RecipientAttestation:PCR1", ABSENT),
        ("kms:RecipientAttestation:PCR32", ABSENT),
        ("kms:RecipientAttestation:PCR00", ABSENT),
        ("kms:RecipientAttestation", ABSENT),
        ("kms:RecipientAttestation:NitroTPMPCR4", ABSENT),
        # zero and not of the image: AWS does not say whether KMS has it
        ("kms:RecipientAttestation:PCR8", Actual(Presence.EITHER, (pcr.ZERO.hex(),))),
    ],
)
def test_what_a_document_says(key: str, actual: Actual) -> None:
    asked = request(attested=attested(PCR0=IMAGE, PCR8=pcr.ZERO))
    assert asked.actual(key) == actual


def test_what_is_recorded_says_nothing_of_other_registers() -> None:
    asked = request(attested=attested(PCR0=IMAGE, complete=False))
    assert asked.actual(PCR0) == present(IMAGE.hex())
    for index in (1, 3, 4, 8, 16, 31):
        assert asked.actual(f"kms:RecipientAttestation:PCR{index}") == UNKNOWN
    for index in (5, 7, 9, 15):
        assert asked.actual(f"kms:RecipientAttestation:PCR{index}").presence is Presence.EITHER
    assert asked.actual("kms:RecipientAttestation:NitroTPMPCR4") == ABSENT


def test_a_debug_enclave_attests_zeros_that_match_zeros() -> None:
    asked = attested(PCR0=pcr.ZERO)
    assert gated("StringEquals", PCR0, "00" * 48, attested=asked) is ALLOWED
    assert gated("Null", PCR0, "true", attested=asked) is DENIED


def test_a_nitrotpm_document_has_keys_of_its_own() -> None:
    asked = request(attested=attested(PCR4=IMAGE, PCR12=pcr.ZERO, platform=Platform.TPM))
    assert asked.actual("kms:RecipientAttestation:NitroTPMPCR4") == present(IMAGE.hex())
    assert asked.actual("kms:RecipientAttestation:NitroTPMPCR12") == present(pcr.ZERO.hex())  # and must be zero
    assert asked.actual("kms:RecipientAttestation:NitroTPMPCR24") == ABSENT
    assert asked.actual("kms:RecipientAttestation:PCR4") == ABSENT
    assert asked.actual("kms:RecipientAttestation:ImageSha384") == ABSENT


@pytest.mark.parametrize("action", [action for action in actions.ALL if action not in actions.KEYLESS])
def test_only_four_actions_on_a_key_carry_attestation(action: str) -> None:
    carries = action in ("kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair")
    allow = statement(Action=action, Condition={"StringEquals": {PCR0: IMAGE.hex()}})
    verdict = decide(allow, asked=request(action=action, attested=attested(PCR0=IMAGE))).verdict
    assert verdict is (ALLOWED if carries else DENIED)


def test_a_bare_attestation_key_is_never_in_a_request() -> None:
    deny = statement("Deny", Principal="*", Condition={"Null": {"kms:RecipientAttestation": "true"}})
    assert decide(ALLOW, deny, attested=attested(PCR0=IMAGE)).verdict is DENIED


# What would have to be attested -----------------------------------------------------------------------------------


def answers(*statements: Any, asked: Attested | None = None) -> list[tuple[int, dict[str, tuple[str, ...]]]]:
    """Return the statements that would allow it, by number, and the registers they want."""
    policies = Policies(key=(policy(*statements),), identity=())
    decision = authorize.decide(request(attested=asked), policies)
    return [
        (each.statement.statement.number, {change.key: change.expected for change in each.changes})
        for each in would_allow(decision, policies)
    ]


def release(*values: bytes, **others: bytes) -> dict[str, Any]:
    registers = {PCR0: [value.hex() for value in values]}
    registers |= {f"kms:RecipientAttestation:{name}": [value.hex()] for name, value in others.items()}
    return statement(Condition={"StringEqualsIgnoreCase": registers})


def test_what_would_be_allowed_names_the_registers_that_differ() -> None:
    signed = release(IMAGE, PCR8=ANOTHER)
    expected = [(1, {"kms:RecipientAttestation:PCR8": (ANOTHER.hex(),)})]
    assert answers(signed, asked=attested(PCR0=IMAGE, PCR8=IMAGE)) == expected
    assert answers(signed, asked=attested(PCR0=IMAGE, PCR8=ANOTHER)) == []


def test_the_nearest_is_named_first() -> None:
    near, far = release(IMAGE, PCR8=ANOTHER), release(ANOTHER, PCR8=ANOTHER)
    assert [number for number, _ in answers(far, near, asked=attested(PCR0=IMAGE, PCR8=IMAGE))] == [2, 1]


def test_an_allow_that_a_leftover_deny_shuts_out_is_not_named() -> None:
    stale = statement("Deny", Principal="*", Condition={"StringNotEquals": {PCR0: ANOTHER.hex()}})
    assert answers(release(IMAGE), stale) == []
    assert answers(release(IMAGE)) == [(1, {PCR0: (IMAGE.hex(),)})]


def test_what_no_register_can_mend_is_not_named() -> None:
    elsewhere = release(IMAGE)
    elsewhere["Condition"]["StringEquals"] = {"kms:EncryptionContext:app": "x"}
    assert answers(elsewhere) == []
    assert answers(statement(Condition={"StringLike": {PCR0: "ab*"}})) == []
    assert answers(statement(Condition={"StringEquals": {PCR0: "tbd"}})) == []
    both = {PCR0: IMAGE.hex(), "kms:RecipientAttestation:ImageSha384": ANOTHER.hex()}
    assert answers(statement(Condition={"StringEquals": both})) == []
    mixed = {PCR0: IMAGE.hex(), "kms:RecipientAttestation:NitroTPMPCR4": ANOTHER.hex()}
    assert answers(statement(Condition={"StringEquals": mixed})) == []


def test_identity_policies_have_no_principal() -> None:
    assert policy(identity(), kind=Kind.IDENTITY).statements[0].principal.aws == ()
