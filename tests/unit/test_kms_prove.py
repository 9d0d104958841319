"""What is proved of key policies: every shape that lets somebody by is found, with a request that replays."""

import dataclasses
from typing import Any

import pytest

from nitroctl import nitrotpm, pcr
from nitroctl.kms import authorize
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.grants import Grant
from nitroctl.kms.prove import Kind, Proof, Property, prove
from nitroctl.kms.request import Platform
from nitroctl.kms.truth import Truth
from nitroctl.records import Ledger, Status
from tests.kms_requests import ACCOUNT, AT, KEY, OTHER, PCR0, ROLE, ROOT, SESSION, policy, statement
from tests.records import active, entry, pcrs, register
from tests.unit.test_kms_bypasses import ADMIN, GOOD, HEX, IMAGE_1, PCR1, PCR8, SHAPES, SIGNER, closed, gate

TPM = "kms:RecipientAttestation:NitroTPMPCR"
DENY_NULL = statement("Deny", Sid="DenyUnattested", Principal="*", Condition={"Null": {PCR0: "true"}})
EVERYBODY = statement(Principal="*")


def proved(*statements: Any, **changes: Any) -> Proof:
    grants = changes.pop("grants", None)
    return prove(Policies(key=(policy(*statements),), grants=grants), **({"at": AT} | changes))


def kinds(found: Proof) -> list[Kind]:
    """Return the kinds of bypasses, after replaying each of them."""
    for each in found.bypasses:
        assert authorize.decide(each.request, each.policies) == each.decision
        assert each.decision.verdict is Verdict.ALLOWED
        if each.then is not None:
            assert each.then.decision.verdict is Verdict.ALLOWED
    assert (found.holds is Truth.NO) is bool(found.bypasses)
    return [each.kind for each in found.bypasses]


NOTHING, DEBUG, OTHER_IMAGE, REENCRYPT, GRANT = Kind.NOTHING, Kind.DEBUG, Kind.IMAGE, Kind.REENCRYPT, Kind.GRANT
ALL_OPEN = [NOTHING, DEBUG, OTHER_IMAGE]
EXPECTED = {
    "root-delegation": [NOTHING, REENCRYPT, GRANT, DEBUG, OTHER_IMAGE],
    "root-delegation-wrong-image": [NOTHING, REENCRYPT, GRANT, DEBUG, OTHER_IMAGE],
    "admin-with-everything": [NOTHING, REENCRYPT, GRANT],
    "grant": ALL_OPEN,
    "second-allow": ALL_OPEN,
    "wildcard-action": ALL_OPEN,
    "if-exists": [NOTHING],
    "for-all-values": [NOTHING],
    "blocklist": ALL_OPEN,
    "null-only": [DEBUG, OTHER_IMAGE],
    "like-everything": [DEBUG, OTHER_IMAGE],
    "zeros": [DEBUG],
    "signer-only": [DEBUG, OTHER_IMAGE],
    "signer-only-debug": [DEBUG, OTHER_IMAGE],
    "boot-only": [OTHER_IMAGE],
    "everybody-but": ALL_OPEN,
    "deny-without-absence": [NOTHING, REENCRYPT, GRANT],
    "deny-of-the-role-only": [NOTHING, REENCRYPT, GRANT, DEBUG, OTHER_IMAGE],
    "deny-of-two-keys-at-once": [DEBUG, OTHER_IMAGE],
    "detour-re-encryption": [REENCRYPT],
    "detour-create-grant": [GRANT],
    "another-attested-action": [NOTHING],
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_found_and_the_generated_denies_close_it(name: str) -> None:
    shape, _, others = SHAPES[name]
    found = proved(*shape, grants=others.get("grants"))
    assert kinds(found) == EXPECTED[name]
    mended = prove(Policies(key=(closed(shape),), grants=others.get("grants")), at=AT)
    assert (mended.holds, mended.open, mended.grants_closed) == (Truth.YES, (), Truth.YES)


def test_a_good_gate_is_proved_and_grants_that_may_exist_are_told() -> None:
    found = proved(GOOD)
    assert (found.holds, found.grants_closed, found.openings) == (Truth.YES, Truth.NO, ())
    assert found.reasons["kms:Decrypt", "attests-nothing"] == ("the conditions of statement 1",)
    assert found.reasons["kms:ReEncryptFrom", "re-encryption"] == ()
    assert proved(GOOD, DENY_NULL).reasons["kms:DeriveSharedSecret", "attests-nothing"] == ()


def test_a_policy_without_statements_is_proved() -> None:
    assert proved().holds is Truth.YES


# Callers ----------------------------------------------------------------------------------------------------------

CALLERS: dict[str, tuple[list[Any], str]] = {
    "the role that is named": ([statement()], ROLE),
    "an account, by one of its roles": (
        [statement(Principal={"AWS": ACCOUNT})],
        f"arn:aws:iam::{ACCOUNT}:role/anybody",
    ),
    "its root user alone": (
        [statement(Principal={"AWS": ROOT}, Condition={"StringEquals": {"aws:PrincipalType": "Account"}})],
        ROOT,
    ),
    "a user alone": (
        [statement(Principal={"AWS": ROOT}, Condition={"StringEquals": {"aws:username": "ada"}})],
        f"arn:aws:iam::{ACCOUNT}:user/ada",
    ),
    "everybody but who is named": (
        [EVERYBODY, statement("Deny", Principal={"AWS": [ACCOUNT, OTHER]})],
        "arn:aws:iam::999988887777:role/anybody",
    ),
    "another session of a role": (
        [statement(), statement("Deny", Principal={"AWS": SESSION})],
        SESSION.replace("i-0123456789abcdef0", "session"),
    ),
    "a role of a pattern": (
        [
            statement(
                Principal={"AWS": ROOT},
                Condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/ops-*"}},
            ),
            statement("Deny", Principal="*", Condition={"StringLike": {"aws:PrincipalArn": "*ops-a*"}}),
        ],
        f"arn:aws:iam::{ACCOUNT}:role/ops-",
    ),
    "a role by another path than a Deny has": (
        [
            statement("Deny", Principal="*", Condition={"StringEquals": {"aws:PrincipalArn": ROLE}}),
            statement(
                Principal={"AWS": ROOT},
                Condition={"StringEquals": {"aws:PrincipalArn": ROLE.replace("role/", "role/team/")}},
            ),
        ],
        ROLE.replace("role/", "role/team/"),
    ),
    "a role of another account by a pattern": (
        [statement(Principal="*", Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::1234*:role/ops"}})],
        "arn:aws:iam::123400000000:role/ops",
    ),
}


@pytest.mark.parametrize("name", CALLERS)
def test_who_gets_by_is_found(name: str) -> None:
    statements, who = CALLERS[name]
    found = proved(*statements)
    assert NOTHING in kinds(found)
    assert found.bypasses[0].request.caller.text == who


def test_a_grant_is_a_bypass_also_where_the_policy_names_several_accounts() -> None:
    both = statement(Principal={"AWS": [ROLE, "arn:aws:iam::444455556666:role/x"]}, Action="kms:CreateGrant")
    found = proved(both)
    assert "makes-a-grant" in kinds(found)
    grant = Grant(id="g", grantee=ADMIN, operations=("Decrypt",))
    other = statement(Principal={"AWS": "arn:aws:iam::444455556666:role/x"}, Action="kms:Sign")
    assert "attests-nothing" in kinds(proved(other, grants=(grant,)))


def test_what_no_caller_here_can_play_is_no_proof() -> None:
    service = statement(Principal={"Service": "ec2.amazonaws.com"})
    found = proved(GOOD, service)
    assert found.holds is Truth.OPEN
    assert found.open == ("ec2.amazonaws.com, to whom statement 2 allows kms:Decrypt and whom nobody here can play",)
    assert proved(GOOD, service, DENY_NULL).holds is Truth.OPEN  # it may attest any image
    assert proved(GOOD, service, DENY_NULL, denied(StringNotEquals={PCR0: HEX})).holds is Truth.YES
    federated = statement(Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/ada"})
    assert proved(GOOD, federated).holds is Truth.OPEN
    assert proved(GOOD, statement(Principal={"AWS": "AROAEXAMPLEEXAMPLE12"})).holds is Truth.YES  # nobody any more


# Condition keys ---------------------------------------------------------------------------------------------------

TAG, APP, KEYS = "aws:PrincipalTag/team", "kms:EncryptionContext:app", "kms:EncryptionContextKeys"


def denied(**condition: Any) -> dict[str, Any]:
    return statement("Deny", Principal="*", Condition=condition)


OPEN_SHAPES: dict[str, list[Any]] = {
    "a number between two bounds": [
        gate(NumericGreaterThan={"aws:MultiFactorAuthAge": "1"}, NumericLessThan={"aws:MultiFactorAuthAge": "1.0001"})
    ],
    "a second of the future": [gate(DateEquals={"aws:CurrentTime": "2030-01-01T00:00:00Z"})],
    "an address in a gap": [
        gate(IpAddress={"aws:SourceIp": "10.0.0.0/30"}),
        denied(IpAddress={"aws:SourceIp": ["10.0.0.0/31", "10.0.0.3/32"]}),
    ],
    "a text that one of two patterns matches": [gate(StringLike={TAG: "a*"}), denied(StringLike={TAG: "*z"})],
    "other case": [gate(StringEqualsIgnoreCase={TAG: "ab"}), denied(StringEquals={TAG: ["ab", "AB", "Ab"]})],
    "two values of a key": [
        gate(**{"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/a"}}),
        denied(**{"ForAllValues:StringEquals": {"kms:ResourceAliases": "alias/a"}}),
    ],
    "an encryption context of two names": [
        gate(StringEquals={APP: "x"}, **{"ForAnyValue:StringEquals": {KEYS: "more"}}),
        denied(**{"ForAllValues:StringEquals": {KEYS: "app"}}),
    ],
    "an encryption context of three names": [
        gate(StringEquals={APP: "x", f"{APP}2": "y"}, **{"ForAnyValue:StringEquals": {KEYS: "more"}}),
    ],
    "a key under an operator that is none, elsewhere": [
        gate(Null={TAG: "false"}),
        statement("Deny", Principal="*", Action="kms:Encrypt", Condition={"Odd": {TAG: "a"}}),
    ],
    "an empty value": [gate(StringLike={TAG: "*"}), denied(StringLike={TAG: "?*"})],
    "an absent tag": [gate(Bool={"aws:SecureTransport": "true"}), denied(Null={TAG: "false"})],
    "through a service": [gate(StringEquals={"kms:ViaService": "s3.eu-west-1.amazonaws.com"})],
    "a variable of the caller's": [gate(StringEquals={TAG: "${aws:PrincipalAccount}"})],
    "a variable that the request chooses": [gate(StringEquals={TAG: "${kms:EncryptionContext:app}"})],
}


@pytest.mark.parametrize("name", OPEN_SHAPES)
def test_a_value_that_gets_by_is_found(name: str) -> None:
    found = proved(*OPEN_SHAPES[name])
    assert kinds(found)[0] is (Kind.SERVICE if name == "through a service" else NOTHING)


SHUT_SHAPES: dict[str, list[Any]] = {
    "no number between": [
        gate(NumericGreaterThan={"aws:MultiFactorAuthAge": "1"}, NumericLessThan={"aws:MultiFactorAuthAge": "1"})
    ],
    "a second of the past": [gate(DateEquals={"aws:CurrentTime": "2020-01-01T00:00:00Z"})],
    "no gap between addresses": [
        gate(IpAddress={"aws:SourceIp": "10.0.0.0/30"}),
        denied(IpAddress={"aws:SourceIp": ["10.0.0.0/31", "10.0.0.2/31"]}),
    ],
    "a pattern within another": [gate(StringLike={TAG: "abc*"}), denied(StringLike={TAG: "a*"})],
    "case and all": [gate(StringEquals={TAG: "ab"}), denied(StringEqualsIgnoreCase={TAG: "AB"})],
    "one name only, and not that": [
        gate(StringEquals={APP: "x"}, **{"ForAllValues:StringEquals": {KEYS: "other"}}),
    ],
    "a service in a direct call": [
        gate(StringEquals={"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
        denied(Bool={"aws:ViaAWSService": "true"}),
    ],
    "two values that a key cannot have at once": [gate(StringEquals={TAG: "a"}), denied(StringLike={TAG: "?"})],
    "PCR0 and its other name": [
        gate(StringEquals={PCR0: HEX, "kms:RecipientAttestation:ImageSha384": register("else").hex()})
    ],
    "an enclave and a NitroTPM": [gate(StringLike={PCR8: "*", f"{TPM}4": "*"})],
}


@pytest.mark.parametrize("name", SHUT_SHAPES)
def test_what_no_value_meets_is_proved(name: str) -> None:
    found = proved(*SHUT_SHAPES[name])
    assert (found.holds, found.open) == (Truth.YES, ())


UNDECIDED: dict[str, tuple[list[Any], str]] = {
    "more names than can be tried": (
        [gate(StringEquals={f"{APP}{n}": "x" for n in range(14)}, **{"ForAllValues:StringLike": {KEYS: "a*"}})],
        "kms:encryptioncontextkeys, whose values can be combined in too many ways",
    ),
    "a register as a variable": (
        [gate(StringEquals={TAG: f"${{{PCR0}}}"})],
        "aws:PrincipalTag/team, which is compared with what the request itself may choose",
    ),
    "who makes a grant for a service": (
        [GOOD, statement(Principal={"Service": "ec2.amazonaws.com"}, Action="kms:CreateGrant")],
        "ec2.amazonaws.com, to whom statement 2 allows kms:CreateGrant and whom nobody here can play",
    ),
    "an operator that is none": (
        [gate(StringEqual={TAG: "a"})],
        "statement 1: StringEqual, which is no condition operator",
    ),
    "a Deny that nobody can evaluate": (
        [statement(), denied(Null={TAG: "perhaps"})],
        "statement 2: the condition on aws:PrincipalTag/team, where Null compares with neither true nor false",
    ),
    "a wildcard in a principal": (
        [statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"})],
        "whether statement 1 is about it",
    ),
    "a resource without the key": ([statement(Resource=KEY)], "whether statement 1 is about it"),
    "a key of two types": (
        [
            gate(StringLike={TAG: "1*"}),
            denied(NumericLessThan={TAG: "20"}),
            denied(NumericGreaterThanEquals={TAG: "20"}),
        ],
        "aws:PrincipalTag/team, which is compared as different types",
    ),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_cannot_be_decided_is_no_proof(name: str) -> None:
    statements, reason = UNDECIDED[name]
    found = proved(*statements)
    assert (found.holds, found.bypasses) == (Truth.OPEN, ())
    assert reason in found.open


def test_naming_the_key_decides_what_resources_are() -> None:
    assert kinds(proved(statement(Resource=KEY), key=KEY)) == [NOTHING]
    assert proved(statement(Resource=f"{KEY}0"), key=KEY).holds is Truth.YES


# Images -----------------------------------------------------------------------------------------------------------


def test_an_image_is_named_by_pcr0_or_by_pcr1_and_pcr2() -> None:
    both = {PCR1: IMAGE_1.hex(), "kms:RecipientAttestation:PCR2": register("2").hex()}
    assert proved(gate(StringEquals=both)).holds is Truth.YES
    assert kinds(proved(gate(StringEquals={PCR1: IMAGE_1.hex(), PCR8: SIGNER.hex()}))) == [OTHER_IMAGE]


def test_a_nitrotpm_is_named_by_pcr7_or_by_pcr4_and_pcr12() -> None:
    value, zero = register("boot").hex(), pcr.ZERO.hex()
    assert proved(gate(StringEquals={f"{TPM}7": value})).holds is Truth.YES
    assert proved(gate(StringEquals={f"{TPM}4": value, f"{TPM}12": zero})).holds is Truth.YES
    found = proved(gate(StringEquals={f"{TPM}4": value}))
    assert kinds(found) == [Kind.TPM]
    assert found.bypasses[0].request.attested is not None
    assert found.bypasses[0].request.attested.platform is Platform.TPM


def test_a_register_that_any_instance_has_names_no_image() -> None:
    none = nitrotpm.NO_SECURE_BOOT.hex()
    assert kinds(proved(gate(StringEquals={f"{TPM}7": none}))) == [Kind.TPM]
    assert kinds(proved(gate(StringEquals={f"{TPM}7": [none, register("keys").hex()]}))) == [Kind.TPM]
    separator = nitrotpm.SEPARATOR.hex()
    assert kinds(proved(gate(StringEquals={f"{TPM}4": separator, f"{TPM}12": pcr.ZERO.hex()}))) == [Kind.TPM]
    line = gate(StringEquals={f"{TPM}4": register("boot").hex(), f"{TPM}7": none, f"{TPM}12": separator})
    assert proved(line).holds is Truth.YES


def test_what_a_deny_names_as_bad_is_not_named_as_an_image() -> None:
    revoked = denied(StringEquals={PCR0: HEX})
    assert kinds(proved(gate(Null={PCR0: "false"}), revoked)) == [DEBUG, OTHER_IMAGE]
    assert proved(gate(Null={PCR0: "false"}), denied(StringNotEquals={PCR0: HEX})).holds is Truth.YES


def recorded(*statements: Any, ledger: Ledger) -> Proof:
    return proved(*statements, properties=(Property.ONLY_RECORDED,), recorded=ledger)


def release(version: str, *indexes: int) -> dict[str, Any]:
    image = pcrs(version, 0, 1, 2, 8)
    return gate(
        StringEqualsIgnoreCase={f"kms:RecipientAttestation:PCR{index}": image[index].hex() for index in indexes}
    )


def test_only_recorded_images_get_by() -> None:
    one = active("1", pcrs=pcrs("1", 0, 1, 2, 8), pin=(0, 8))
    ledger = Ledger.of([one])
    assert recorded(release("1", 0, 8), ledger=ledger).holds is Truth.YES
    assert kinds(recorded(release("1", 0, 8), release("2", 0, 8), ledger=ledger)) == [OTHER_IMAGE]
    assert kinds(recorded(release("1", 0), ledger=ledger)) == [OTHER_IMAGE]  # with any signer
    assert kinds(recorded(release("1", 0, 8), statement(), ledger=ledger)) == [NOTHING, DEBUG, OTHER_IMAGE]
    assert recorded(release("1", 1, 2, 8), ledger=ledger).holds is Truth.YES  # the same image by other registers
    assert kinds(recorded(release("1", 0, 8), ledger=Ledger())) == [OTHER_IMAGE]
    candidate = Ledger.of([entry("1", pcrs=pcrs("1", 0, 1, 2, 8), pin=(0, 8))])
    assert kinds(recorded(release("1", 0, 8), ledger=candidate)) == [OTHER_IMAGE]


def test_lists_that_mix_releases_let_images_by_that_nobody_recorded() -> None:
    ledger = Ledger.of([active(version, pcrs=pcrs(version), pin=(0, 1, 2)) for version in ("1", "2")])
    both = {
        f"kms:RecipientAttestation:PCR{index}": [pcrs("1")[index].hex(), pcrs("2")[index].hex()] for index in (1, 2)
    }
    mixed = gate(StringEquals=both)
    assert proved(mixed).holds is Truth.YES  # both are named
    assert kinds(recorded(mixed, ledger=ledger)) == [OTHER_IMAGE]


def test_an_image_that_is_also_revoked_gets_by_no_more() -> None:
    image = pcrs("1")
    one = active("1", pcrs=image)
    two = entry("1b", pcrs=image, component="other")
    revoked = dataclasses.replace(two, status=Status.REVOKED)
    assert recorded(release("1", 0), ledger=Ledger.of([one])).holds is Truth.YES
    assert kinds(recorded(release("1", 0), ledger=Ledger.of([one, revoked]))) == [OTHER_IMAGE]


# Grants -----------------------------------------------------------------------------------------------------------


def test_a_grant_with_a_context_is_used_with_that_context() -> None:
    grant = Grant(id="g", grantee=ADMIN, operations=("Decrypt",), equals={"app": "signer"})
    found = proved(GOOD, grants=(grant,))
    assert kinds(found)[0] is NOTHING
    assert found.bypasses[0].request.encryption_context == {"app": "signer"}
    shut = denied(Null={APP: "false"})
    assert proved(GOOD, shut, grants=(grant,)).holds is Truth.YES
    perhaps = proved(GOOD, denied(StringEquals={APP: "signer"}), grants=(grant,))  # {app: signer, App: signer}
    assert (perhaps.holds, len(perhaps.open)) == (Truth.OPEN, 1)
    assert perhaps.open[0].endswith("kms:EncryptionContext:app, which has several values where StringEquals takes one")
    assert kinds(proved(GOOD, denied(StringEquals={APP: "else"}), grants=(grant,)))[0] is NOTHING


def test_a_grant_for_what_gives_no_data_is_none() -> None:
    grant = Grant(id="g", grantee=ADMIN, operations=("Encrypt", "DescribeKey"))
    assert proved(GOOD, grants=(grant,)).holds is Truth.YES


def test_grants_that_may_be_made_are_those_that_the_conditions_let_be() -> None:
    def maker(**condition: Any) -> dict[str, Any]:
        return statement(Principal={"AWS": ADMIN}, Action="kms:CreateGrant", Condition=condition)

    assert kinds(proved(GOOD, maker())) == [GRANT]
    tight = {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "DescribeKey"]}}
    assert proved(GOOD, maker(**tight)).holds is Truth.YES
    some = proved(GOOD, maker(**{"ForAnyValue:StringEquals": {"kms:GrantOperations": "Encrypt"}}))
    assert kinds(some) == [GRANT]
    then = some.bypasses[0].then
    assert then is not None
    assert sorted(then.grant.operations) == ["Decrypt", "Encrypt"]
    other = proved(GOOD, maker(StringEquals={"kms:GranteePrincipal": ROLE}))
    assert kinds(other) == [GRANT]
    assert other.bypasses[0].then is not None
    assert other.bypasses[0].then.grant.grantee == ROLE
    shut = [each | {"Action": "kms:*"} for each in (DENY_NULL, denied(StringNotEquals={PCR0: HEX}))]
    assert proved(GOOD, maker(), *shut).holds is Truth.YES


# The gate itself ----------------------------------------------------------------------------------------------------


def test_who_may_replace_the_policy_is_told_and_judged_when_asked() -> None:
    writer = statement(Principal={"AWS": ADMIN}, Action="kms:PutKeyPolicy")
    found = proved(GOOD, writer)
    assert [(each.action, each.who.caller.text, each.iam) for each in found.openings] == [
        ("kms:PutKeyPolicy", ADMIN, False)
    ]
    asked: dict[str, Any] = {"properties": (Property.NO_UNATTESTED_DECRYPT, Property.ONLY_WRITERS)}
    assert proved(GOOD, writer, writers=[ADMIN], **asked).holds is Truth.YES
    other = proved(GOOD, writer, writers=[f"{ADMIN}2"], **asked)
    assert kinds(other) == [Kind.WRITER]
    root = statement(Principal={"AWS": ROOT}, Action="kms:Put*")
    assert kinds(proved(GOOD, writer, root, writers=[ADMIN], **asked)) == [Kind.WRITER]


def test_who_is_of_another_account_than_the_key_replaces_no_policy() -> None:
    asked: dict[str, Any] = {"properties": (Property.ONLY_WRITERS,), "writers": [ADMIN]}
    writer = statement(Principal={"AWS": ADMIN}, Action="kms:PutKeyPolicy")
    for abroad in (f"arn:aws:iam::{OTHER}:role/x", f"arn:aws:iam::{OTHER}:root"):
        foreign = statement(Principal={"AWS": abroad}, Action="kms:PutKeyPolicy")
        found = proved(writer, foreign, key=KEY, **asked)
        assert (found.holds, [each.who.caller.text for each in found.openings]) == (Truth.YES, [ADMIN])
        somewhere = proved(writer, foreign, **asked)
        assert (somewhere.holds, somewhere.bypasses) == (Truth.OPEN, ())  # or the key is of that one
        assert authorize.NO_KEY in somewhere.open
        assert proved(foreign, writer, key=KEY.replace(ACCOUNT, OTHER), **asked).holds is Truth.NO


def test_only_writers_alone_asks_nothing_else() -> None:
    found = proved(EVERYBODY, properties=(Property.ONLY_WRITERS,), writers=[ADMIN])
    assert found.holds is Truth.YES


# Bounds -----------------------------------------------------------------------------------------------------------


def test_a_search_that_takes_too_long_is_no_proof() -> None:
    found = proved(GOOD, work=100)
    assert found.holds is Truth.OPEN
    assert found.open == ("the search, which stopped after 100 steps: the policy tells too much apart",)


def test_what_was_found_before_the_end_of_the_search_still_counts() -> None:
    patterns = [f"*{number}*{number + 1}*{number + 2}*" for number in range(40)]
    found = proved(statement(), denied(StringLike={TAG: patterns}), work=50_000)
    assert found.holds is not Truth.YES


def test_the_second_key_policy_counts() -> None:
    first, second = policy(GOOD), policy(statement())
    assert kinds(prove(Policies(key=(first, second)), at=AT)) == ALL_OPEN
    assert prove(Policies(key=(policy(statement()), policy(DENY_NULL))), at=AT).bypasses[0].kind is DEBUG
