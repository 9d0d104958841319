"""Values that a proof once overlooked, or could not end with: each gets by, is open, or is kept out, and quickly."""

import dataclasses
import subprocess
from typing import Any

import pytest

from nitroctl.cli.kms_prove_replay import Files, command
from nitroctl.cli.kms_prove_view import mixtures
from nitroctl.kms.authorize import Verdict
from nitroctl.kms.grants import Grant
from nitroctl.kms.operators import present
from nitroctl.kms.prove import READS, WORK, Kind
from nitroctl.kms.prove_grants import GRANTEE
from nitroctl.kms.truth import Truth
from tests import kms_live
from tests.kms_requests import ACCOUNT, KEY, PCR0, ROLE, SESSION, decide, policy, request, statement
from tests.unit.test_kms_bypasses import ADMIN, GOOD, HEX, gate
from tests.unit.test_kms_prove import APP, KEYS, TAG, denied, kinds, proved

EVERYTHING = statement(Principal="*", Action="kms:*")

# Numbers that nobody should write out -----------------------------------------------------------------------------

HUGE = ("1e999999999", "-1e999999999", "1e-999999999", "9e65", "0e99999", "1E9999999999999999999")


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("key", ["aws:EpochTime", "a:b"])
def test_a_number_with_a_huge_exponent_is_open_and_not_written_out(key: str, number: str) -> None:
    there = denied(Null={key: "true"}) | {"Action": "kms:*"}
    found = proved(EVERYTHING, denied(NumericLessThan={key: number}) | {"Action": "kms:*"}, there)
    assert (found.holds, found.bypasses) == (Truth.OPEN, ())
    written = f"{number!r} is no number, or none that can be compared here"
    assert f"statement 2: the condition on {key}: {written}" in found.open


def test_huge_and_tiny_numbers_side_by_side_are_open() -> None:
    both = denied(NumericEqualsIfExists={"a:b": ["1e999999999", "1e-999999999"]}) | {"Action": "kms:*"}
    assert proved(EVERYTHING, both).holds is Truth.OPEN


def test_numbers_that_can_be_compared_still_are() -> None:
    bounds = ["1e64", "1e-64", "-1e64"]
    found = proved(EVERYTHING, denied(NumericLessThan={"a:b": bounds}), denied(NumericGreaterThan={"a:b": "9e64"}))
    assert "attests-nothing" in kinds(found)


@pytest.mark.parametrize("number", HUGE)
def test_a_request_with_a_huge_number_is_undecided(number: str) -> None:
    given: dict[str, Any] = {"a:b": present("5")}
    limit = statement("Deny", Principal="*", Condition={"NumericLessThan": {"a:b": number}})
    assert decide(statement(), limit, given=given).verdict is Verdict.UNDECIDED
    other = statement("Deny", Principal="*", Condition={"NumericLessThan": {"a:b": "7"}})
    assert decide(statement(), other, given={"a:b": present(number)}).verdict is Verdict.UNDECIDED


# Encryption contexts ----------------------------------------------------------------------------------------------


def maker(**condition: Any) -> dict[str, Any]:
    return statement(Action="kms:CreateGrant", Condition=condition)


@pytest.mark.parametrize("kind", ["equals", "subset"])
def test_the_names_of_a_grants_context_are_among_those_of_a_request(kind: str) -> None:
    limits: dict[str, Any] = {kind: {"app": "x"}}
    grant = Grant(id="g", grantee=ROLE, operations=("Decrypt",), **limits)
    found = proved(GOOD, denied(**{"ForAnyValue:StringEquals": {KEYS: "forbidden"}}), grants=(grant,))
    assert kinds(found)[0] is Kind.NOTHING
    assert found.bypasses[0].request.encryption_context == {"app": "x"}


def test_a_grants_context_that_a_deny_asks_for_is_kept_out() -> None:
    grant = Grant(id="g", grantee=ADMIN, operations=("Decrypt",), equals={"app": "x"})
    named = {"ForAnyValue:StringEqualsIgnoreCase": {KEYS: "app"}}
    assert proved(GOOD, denied(**named), grants=(grant,)).holds is Truth.YES


@pytest.mark.parametrize("kind", ["equals", "subset"])
def test_a_grants_context_gets_by_in_another_case_than_the_one_that_is_denied(kind: str) -> None:
    limits: dict[str, Any] = {kind: {"app": "x"}}
    grant = Grant(id="g", grantee=ADMIN, operations=("Decrypt",), **limits)
    found = proved(GOOD, denied(**{"ForAnyValue:StringEquals": {KEYS: "app"}}), grants=(grant,))
    assert found.bypass is not None
    ((name, value),) = found.bypass.request.encryption_context.items()
    assert (name != "app", name.lower(), value) == (True, "app", "x")
    assert found.bypass.decision.grant == grant


def test_a_grant_that_is_made_by_a_grant_has_its_context_once_in_whatever_case() -> None:
    parent = Grant(id="g", grantee=ADMIN, operations=("CreateGrant", "Decrypt"), equals={"App": "x"})
    asked = denied(Null={APP: "true"})
    assert "makes-a-grant" in kinds(proved(asked, grants=(parent,)))


def test_a_grants_context_is_nothing_to_an_action_that_has_none() -> None:
    grant = Grant(id="g", grantee=ADMIN, operations=("DeriveSharedSecret",), equals={"app": "x"})
    assert Kind.NOTHING in kinds(proved(GOOD, gate(StringEquals={APP: "x"}), grants=(grant,)))


def test_more_names_of_grants_than_can_be_tried_are_open() -> None:
    grants = tuple(
        Grant(id=f"g{n}", grantee=ADMIN, operations=("Decrypt",), equals={f"{n}{name}": "x" for name in "abcdef"})
        for n in range(9)
    )
    shut = denied(**{"ForAllValues:StringEquals": {KEYS: "forbidden"}})
    assert proved(GOOD, shut, grants=grants).holds is not Truth.YES


def test_two_names_that_different_conditions_ask_for_go_together() -> None:
    both = gate(StringEquals={APP: "x"}, **{"ForAnyValue:StringEquals": {KEYS: "tenant"}})
    found = proved(both)
    assert kinds(found)[0] is Kind.NOTHING
    assert set(found.bypasses[0].request.encryption_context) == {"app", "tenant"}


def test_a_dozen_names_that_a_request_must_have_are_no_proof() -> None:
    names = {f"kms:EncryptionContext:k{n}": "v" for n in range(12)}
    assert proved(gate(StringEquals=names, Null={KEYS: "false"})).holds is not Truth.YES


@pytest.mark.parametrize("pattern", ["StringEquals", "StringLike"])
def test_a_name_in_another_case_than_any_that_is_denied_gets_by(pattern: str) -> None:
    names = ["App", "app"] if pattern == "StringEquals" else ["App", "a*"]
    found = proved(
        gate(StringEquals={"kms:EncryptionContext:App": "x"}), denied(**{f"ForAnyValue:{pattern}": {KEYS: names}})
    )
    assert kinds(found)[0] is Kind.NOTHING
    [name] = found.bypasses[0].request.encryption_context
    assert name.lower() == "app"
    assert name not in names


def test_a_name_that_is_denied_in_any_case_gets_by_in_none() -> None:
    caseless = {"ForAnyValue:StringEqualsIgnoreCase": {KEYS: "APP"}}
    assert proved(gate(StringEquals={"kms:EncryptionContext:App": "x"}), denied(**caseless)).holds is Truth.YES
    patterns = {"ForAnyValue:StringLike": {KEYS: ["a??", "A??"]}}
    assert proved(gate(StringEquals={"kms:EncryptionContext:App": "x"}), denied(**patterns)).holds is Truth.YES


# What a request or a caller fills in --------------------------------------------------------------------------------

KEYS_OF_CALLERS = ("aws:username", "aws:PrincipalAccount", "aws:PrincipalArn", "kms:CallerAccount")


@pytest.mark.parametrize("key", KEYS_OF_CALLERS)
def test_a_value_that_the_caller_fills_in_is_no_proof(key: str) -> None:
    asked = {"StringEquals": {APP: f"${{{key}}}"}, "StringLike": {APP: "*svc-2*"}}
    found = proved(statement(Principal="*", Condition=asked))
    assert found.holds is Truth.OPEN
    assert f"{APP}, which is compared with what a caller is called" in found.open


def test_what_a_caller_fills_in_beside_a_gate_is_still_proved() -> None:
    narrow = {"StringEquals": {PCR0: HEX, APP: "${aws:username}"}}
    assert proved(gate(**narrow)).holds is Truth.YES


@pytest.mark.parametrize("variable", ["${*x}", "${x}", "${a b}", "${aws:x"])
def test_a_variable_that_is_no_condition_key_is_no_proof(variable: str) -> None:
    found = proved(gate(StringEquals={TAG: variable}, StringLike={TAG: "vpc-*"}))
    assert found.holds is Truth.OPEN


VARIABLE_RESOURCES = {
    "an encryption context": (KEY.rpartition("/")[0] + "/${kms:EncryptionContext:k}", {}),
    "the service": ("*${kms:ViaService}", {"Null": {"kms:ViaService": "false"}}),
    "a tag": (KEY.rpartition("/")[0] + "/${aws:PrincipalTag/k}", {}),
    "the caller": (f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/${{aws:username}}", {}),
}


@pytest.mark.parametrize("key", ["", KEY])
@pytest.mark.parametrize("name", VARIABLE_RESOURCES)
def test_a_resource_that_the_request_fills_in_is_no_proof(name: str, key: str) -> None:
    resource, condition = VARIABLE_RESOURCES[name]
    found = proved(statement(Resource=resource, Condition=condition), key=key)
    assert found.holds is Truth.OPEN
    assert "whether statement 1 is about it" in found.open
    other = statement("Deny", Principal="*", NotResource=resource, Resource=None)
    assert proved(statement(), other, key=key).holds is not Truth.YES
    assert proved(statement(), statement("Deny", Principal="*", Resource=resource), key=key).holds is not Truth.YES


def test_a_resource_that_the_key_fills_in_is_decided() -> None:
    own = KEY.replace(ACCOUNT, "${aws:ResourceAccount}").replace("eu-west-1", "${aws:RequestedRegion}")
    assert kinds(proved(statement(Resource=own), key=KEY)) == [Kind.NOTHING]
    assert proved(statement(), denied() | {"Resource": own}, key=KEY).holds is Truth.YES
    beside = ["arn:aws:kms:*:*:key/${aws:PrincipalTag/k}", KEY]
    assert kinds(proved(statement(Resource=beside), key=KEY)) == [Kind.NOTHING]
    assert proved(statement(), denied() | {"Resource": beside}, key=KEY).holds is Truth.YES


# Grants that somebody makes -----------------------------------------------------------------------------------------

GRANTEES = {
    "a session": {"StringEquals": SESSION},
    "sessions of a role": {"StringLike": SESSION.rpartition("/")[0] + "/*"},
    "a service": {"StringEquals": "rds.amazonaws.com"},
    "a federated user": {"StringEquals": f"arn:aws:sts::{ACCOUNT}:federated-user/bob"},
    "federated users": {"ArnLike": f"arn:aws:sts::{ACCOUNT}:federated-user/*"},
    "a service, or nobody": {"StringEqualsIfExists": "rds.amazonaws.com"},
    "nobody who is named": {"Null": "true"},
}


@pytest.mark.parametrize("name", GRANTEES)
def test_a_grantee_whom_nobody_here_can_play_is_no_proof(name: str) -> None:
    limits = {operator: {GRANTEE: value} for operator, value in GRANTEES[name].items()}
    found = proved(maker(**limits))
    assert (found.holds, kinds(found)) == (Truth.OPEN, [])
    assert "whether kms:GranteePrincipal lets somebody have a grant whom nobody here can play" in found.open


def test_an_absent_grantee_gets_by_a_deny_of_all_others() -> None:
    shut = statement("Deny", Principal="*", Action="kms:CreateGrant", Condition={"StringLike": {GRANTEE: "*"}})
    assert proved(maker(), shut).holds is not Truth.YES


X = f"arn:aws:iam::{ACCOUNT}:role/x"
NO_DATA = statement("Deny", Principal={"AWS": X}, Action=[*READS])
NO_GRANT = statement("Deny", Principal={"AWS": X}, Action="kms:CreateGrant")


def test_who_may_grant_to_one_role_only_may_not_to_others() -> None:
    to_x: dict[str, Any] = {"StringEquals": {GRANTEE: X}}
    assert kinds(proved(maker(**to_x))) == [Kind.GRANT]
    assert proved(maker(**to_x), NO_DATA, NO_GRANT).holds is Truth.YES


def test_a_grantee_who_can_make_a_grant_is_no_proof() -> None:
    to_x: dict[str, Any] = {"StringEquals": {GRANTEE: X}}
    found = proved(maker(**to_x), NO_DATA)
    assert found.holds is Truth.OPEN
    assert found.open == ("a grant that somebody can make, and whose grantee can make another one",)
    several = "ForAllValues:StringEquals"
    tight = {several: {"kms:GrantOperations": ["Decrypt", "Encrypt"]}}
    assert proved(maker(**to_x, **tight), NO_DATA).holds is Truth.YES
    useless = {several: {"kms:GrantOperations": ["CreateGrant", "Encrypt"]}}
    assert proved(maker(**to_x, **useless), NO_DATA).holds is Truth.YES
    enough = {several: {"kms:GrantOperations": ["CreateGrant", "Decrypt"]}}
    assert proved(maker(**to_x, **enough), NO_DATA).holds is Truth.OPEN


def test_a_grant_gives_no_operations_on_but_its_own() -> None:
    useless = Grant(id="g", grantee=ROLE, operations=("CreateGrant", "Encrypt"))
    assert proved(statement(Action="kms:DescribeKey"), grants=(useless,)).holds is Truth.YES
    given = dataclasses.replace(useless, operations=("CreateGrant", "Encrypt", "GenerateDataKey"), subset={"app": "x"})
    shut = statement("Deny", Action=[*READS])
    found = proved(shut, grants=(given,))
    assert kinds(found) == [Kind.GRANT]
    then = found.bypasses[0].then
    assert then is not None
    assert (then.grant.operations, then.grant.subset) == (("GenerateDataKey",), {"app": "x"})
    assert then.decision.request.encryption_context == {"app": "x"}


@pytest.mark.parametrize("who", [{"Service": "rds.amazonaws.com"}, {"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/b"}])
def test_a_service_or_federated_user_who_may_make_grants_is_no_proof(who: dict[str, str]) -> None:
    assert proved(statement(Principal=who, Action="kms:CreateGrant")).holds is Truth.OPEN


# Policies made to be slow -------------------------------------------------------------------------------------------


def test_as_many_denies_as_can_be_of_two_keys_are_nested_no_deeper_than_can_be() -> None:
    shut = [denied(Null={f"a:{n}": "true", f"b:{n}": "true"}) | {"Action": "kms:*"} for n in range(999)]
    assert Kind.NOTHING in kinds(proved(EVERYTHING, *shut))


def test_hundreds_of_names_of_an_encryption_context_are_counted() -> None:
    names = {f"kms:EncryptionContext:k{n}": "v" for n in range(600)}
    everybody = EVERYTHING | {"Condition": {"StringEquals": names, "Null": {KEYS: "false"}}}
    assert proved(everybody).holds is not Truth.YES


SLOW = {
    "patterns of ARNs": {"ArnLike": {"aws:PrincipalArn": [f"arn:aws:iam::*:role/*{n}*" for n in range(1000)]}},
    "partitions": {"ArnLike": {"aws:PrincipalArn": [f"arn:aws-{n:03}:iam::*:role/*" for n in range(800)]}},
    "one long pattern": {"StringLike": {"a:b": "*a" * 16_000}},
    "one long pattern of an ARN": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/" + "*a" * 16_000}},
}


@pytest.mark.parametrize("name", SLOW)
def test_what_tells_too_much_apart_ends_at_the_bound(name: str) -> None:
    found = proved(EVERYTHING, statement("Deny", Principal="*", Action="kms:*", Condition=SLOW[name]))
    assert found.holds is not Truth.YES
    assert found.steps <= WORK


# Re-encryption on the same key --------------------------------------------------------------------------------------


def test_re_encryption_on_the_same_key_gives_nothing() -> None:
    def asked(value: str) -> dict[str, Any]:
        return statement(Action="kms:ReEncrypt*", Condition={"Bool": {"kms:ReEncryptOnSameKey": value}})

    assert proved(asked("true")).holds is Truth.YES
    assert kinds(proved(asked("false"))) == [Kind.REENCRYPT]


# The command that asks again ----------------------------------------------------------------------------------------

ODD = [
    "a\tb",
    "a\rb",
    "a\nb",
    "a\x1b[31mb",
    "a\u00a0b",
    "a\u202eb",
    "a\x85b",
    "it's\t\\x",
    "plain",
    "a=b",
    "\u00e9 $(x)",
]


def again(condition: dict[str, Any]) -> str:
    found = proved(gate(**condition))
    return command(found.bypasses[0].request, Files("policy.json"), iam=found.bypasses[0].iam)


def shell_words(line: str) -> list[str]:
    """Return the words that a shell makes of a line."""
    done = subprocess.run(["/bin/bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("text", ODD)
def test_the_command_has_what_cannot_be_printed_as_bytes(text: str) -> None:
    for condition in ({"StringEquals": {TAG: text}}, {"StringEquals": {APP: text}}):
        line = again(condition)
        assert line.isprintable()
        assert any(word.endswith(f"={text}") for word in shell_words(line))
    if "=" not in text:
        line = again({"StringEquals": {f"aws:PrincipalTag/{text}": "1"}})
        assert line.isprintable()
        assert f"aws:principaltag/{text.lower()}=1" in shell_words(line)


@pytest.mark.parametrize("name", ["aws:PrincipalTag/a=b", "kms:EncryptionContext:a=b=c", "plain"])
def test_what_no_option_can_name_has_no_command(name: str) -> None:
    assert again({"StringEquals": {name: "1"}}) == ""


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_command_line_can_carry_has_no_command(text: str) -> None:
    assert again({"StringEquals": {TAG: text}}) == ""


# One value, or several --------------------------------------------------------------------------------------------


def between(key: str) -> Any:
    """Return the proof of an Allow for a value among others, and a Deny of that value without others."""
    allowed = statement(Principal="*", Condition={"ForAnyValue:StringEquals": {key: "one"}})
    return proved(allowed, denied(**{"ForAllValues:StringEquals": {key: "one"}}))


@pytest.mark.parametrize(
    "key", ["aws:SourceVpce", "aws:PrincipalTag/team", "aws:RequestTag/a", "AWS:SOURCEIP", "kms:RequestAlias"]
)
def test_a_request_has_one_value_of_a_key_that_is_documented_to_have_one(key: str) -> None:
    assert between(key).holds is Truth.YES


@pytest.mark.parametrize("key", ["aws:PrincipalOrgPaths", "aws:VpceOrgPaths", "kms:ResourceAliases", "a:b"])
def test_of_any_other_key_a_request_may_have_several(key: str) -> None:
    found = between(key)
    assert found.holds is Truth.NO
    assert found.bypass is not None
    values = found.bypass.request.actual(key).values
    assert "one" in values
    assert len(values) == 2


def test_names_that_differ_in_case_are_one_key_with_several_values() -> None:
    assert between(APP).holds is Truth.OPEN  # what KMS makes of app and App in one call, nobody says
    asked: dict[str, Any] = {"encryption_context": {"app": "one", "App": "two"}}
    assert request(**asked).actual(APP).values == ("one", "two")
    assert decide(statement(Condition={"StringEquals": {APP: "one"}}), **asked).verdict is Verdict.UNDECIDED


def test_what_an_operator_for_one_value_makes_of_several_is_no_proof() -> None:
    def asked(key: str) -> Truth:
        allowed = statement(Principal="*", Condition={"ForAnyValue:StringEquals": {key: "one"}})
        return proved(allowed, denied(StringEquals={key: "one"})).holds

    assert asked("aws:SourceVpce") is Truth.YES
    assert (asked("a:b"), asked("aws:PrincipalOrgPaths")) == (Truth.OPEN, Truth.OPEN)


@pytest.mark.parametrize("key", [APP, "a:b", "kms:RecipientInfo"])
def test_an_allow_and_a_deny_that_cancel_out_for_one_value_prove_nothing_for_two(key: str) -> None:
    found = proved(statement(Condition={"StringEquals": {key: "x"}}), denied(StringNotEquals={key: "y"}))
    assert (found.holds, found.bypasses) == (Truth.OPEN, ())
    assert f"statement 1: {key}, which has several values where StringEquals takes one" in found.open


@pytest.mark.parametrize("key", ["aws:SourceVpce", "aws:PrincipalTag/team"])
def test_an_allow_and_a_deny_that_cancel_out_for_the_one_value_of_a_key_prove_it(key: str) -> None:
    assert proved(statement(Condition={"StringEquals": {key: "x"}}), denied(StringNotEquals={key: "y"})).holds is (
        Truth.YES
    )


def test_two_names_in_one_case_or_another_are_what_the_evaluator_does_not_decide_either() -> None:
    allow, shut = statement(Condition={"StringEquals": {APP: "x"}}), denied(StringNotEquals={APP: "y"})
    assert decide(allow, shut, encryption_context={"app": "x", "App": "y"}).verdict is Verdict.UNDECIDED
    for names in (["app"], ["app", "App"]):
        counted = denied(**{"ForAnyValue:StringNotEquals": {KEYS: names}})
        assert proved(allow, shut, counted).holds is Truth.OPEN
    assert proved(allow, shut, denied(Null={APP: "false"})).holds is Truth.YES
    assert proved(allow, denied(StringEquals={APP: "x"})).holds is Truth.OPEN
    assert proved(allow, denied()).holds is Truth.YES


@pytest.mark.parametrize("kind", ["equals", "subset"])
def test_the_context_of_a_grant_may_be_that_of_two_names(kind: str) -> None:
    limits: dict[str, Any] = {kind: {"app": "x"}}
    grant = Grant(id="g", grantee=ROLE, operations=("Decrypt",), **limits)
    shut = denied(StringEquals={APP: "x"})
    assert proved(shut, grants=(grant,)).holds is Truth.OPEN
    twice = decide(shut, grants=(grant,), encryption_context={"app": "x", "App": "x"})
    assert twice.verdict is Verdict.UNDECIDED
    assert proved(denied(Null={APP: "false"}), grants=(grant,)).holds is Truth.YES
    assert kinds(proved(denied(StringEquals={APP: "y"}), grants=(grant,)))[0] is Kind.NOTHING


# Lists of several registers -----------------------------------------------------------------------------------------


def test_a_proof_beside_lists_of_several_registers_says_that_they_mix() -> None:
    one, two = ["a1" * 48, "a2" * 48], ["b1" * 48, "b2" * 48]
    pcr1, pcr2 = "kms:RecipientAttestation:PCR1", "kms:RecipientAttestation:PCR2"
    mixed = gate(StringEquals={pcr1: one, pcr2: two})
    assert proved(mixed).holds is Truth.YES
    [note] = mixtures([policy(mixed)])
    assert note == (
        "statement 1 lists values of PCR1 and PCR2: every combination counts as named, also one that no release has"
        " (KP024); --only-recorded asks for that"
    )
    assert mixtures([policy(gate(StringEquals={pcr1: one, pcr2: two[:1]}))]) == []
    assert mixtures([policy(gate(StringNotEquals={pcr1: one, pcr2: two}), denied(StringEquals={pcr1: one}))]) == []


# What must stay proved ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [(kms_live.A,), (kms_live.A, kms_live.B)])
@pytest.mark.parametrize("key", ["", KEY])
def test_a_good_policy_is_proved_alone_and_beside_the_statement_that_keys_begin_with(
    images: tuple[str, ...], key: str
) -> None:
    own, default = kms_live.good(*images)["Statement"], kms_live.default()["Statement"]
    assert (proved(*own, key=key).holds, proved(*own, key=key).open) == (Truth.YES, ())
    beside = proved(*default, *own, key=key)
    assert (beside.holds, beside.open, beside.grants_closed) == (Truth.YES, (), Truth.YES)
