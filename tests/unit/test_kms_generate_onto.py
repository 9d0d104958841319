"""A policy that is there, taken apart: the operator's statements stay as they are, nitroctl's are replaced."""

import json
from typing import Any

import pytest

from nitroctl.errors import CannotAnswer
from nitroctl.kms import document
from nitroctl.kms.generate import generate
from nitroctl.kms.generate_onto import Existing, split
from nitroctl.kms.key_policy import NOTHING_KEPT, KeyPolicy
from nitroctl.kms.principals import roles
from nitroctl.kms.targets import Targets
from nitroctl.records import Entry
from tests.records import active

Json = dict[str, Any]
ROLE = "arn:aws:iam::111122223333:role"
TARGETS = Targets(
    enclave_roles=roles([f"{ROLE}/signer"], option=""),
    admin_roles=roles([f"{ROLE}/admin"], option=""),
    policy_writers=roles([f"{ROLE}/writer"], option=""),
    data_writers=roles([f"{ROLE}/provisioner"], option=""),
    encryption_context={"app": "signer"},
)
ROOT = {
    "Sid": "Enable IAM User Permissions",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": ["kms:Describe*"],
    "Resource": "*",
}
#: Members in an order of their own, a list of one, no Sid, a letter beyond ASCII.
ODD = {
    "Resource": ["*"],
    "Condition": {"StringEquals": {"aws:PrincipalTag/team": ["clés"]}},
    "Action": "kms:Sign",
    "Principal": "*",
    "Effect": "Deny",
}


def apart(*statements: Json, **members: Any) -> Existing:
    value = {"Version": "2012-10-17", "Statement": list(statements)} | members
    return split(document.parse(json.dumps({k: v for k, v in value.items() if v is not None}), where="policy.json"))


def made(*entries: Entry, kept: Any = NOTHING_KEPT) -> KeyPolicy:
    return generate(entries, TARGETS, kept)


def ours(*entries: Entry) -> list[Json]:
    return [each.as_json() for each in made(*entries).statements]


ONE, TWO = active("1"), active("2")


def onto(policy: Json, *entries: Entry) -> KeyPolicy:
    return made(*entries, kept=split(document.parse(json.dumps(policy), where="policy.json")).kept)


def test_statements_of_the_operators_stay_in_their_order_and_words() -> None:
    found = apart(ROOT, *ours(ONE), ODD)
    assert list(found.kept.before) == [ROOT]
    assert list(found.kept.after) == [ODD]
    assert json.dumps(found.kept.after[0]) == json.dumps(ODD)
    assert [each.label for each in found.statements] == [
        "Enable IAM User Permissions",
        f"statement {len(ours(ONE)) + 2}",
    ]


def test_all_of_ours_are_replaced_and_stale_ones_swept() -> None:
    before = {"Version": "2012-10-17", "Statement": [ROOT, *ours(ONE), ODD]}
    after = onto(before, TWO).document()
    assert after["Statement"] == [ROOT, *ours(TWO), ODD]


def test_ours_that_were_pulled_apart_come_together_where_the_first_stood() -> None:
    first, *rest = ours(ONE)
    found = onto({"Statement": [ROOT, first, ODD, *rest]}, ONE)
    assert found.document()["Statement"] == [ROOT, *ours(ONE), ODD]


def test_without_any_of_ours_they_come_last() -> None:
    assert onto({"Statement": [ROOT, ODD]}, ONE).document()["Statement"] == [ROOT, ODD, *ours(ONE)]


def test_onto_its_own_output_it_writes_the_same_bytes() -> None:
    once = onto({"Id": "mine", "Statement": [ROOT, *ours(TWO), ODD]}, ONE)
    assert onto(once.document(), ONE).compact() == once.compact()


def test_what_the_aws_cli_prints_is_taken_apart_too() -> None:
    printed = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [ROOT]}), "PolicyName": "default"}
    assert split(document.parse(json.dumps(printed), where="policy.json")).kept.before == (ROOT,)


def test_a_single_statement_need_not_be_in_a_list() -> None:
    assert split(document.parse(json.dumps({"Statement": ROOT}), where="x")).kept.before == (ROOT,)


def as_kms_gives_it_back(statement: Json) -> Json:
    """Return it with a list for every text, as KMS may write it again."""
    lists = {
        name: [value] if isinstance(value, str) and name in ("Action", "Resource") else value
        for name, value in statement.items()
    }
    return dict(reversed(list(lists.items())))


def test_ours_are_known_again_after_kms_wrote_them_anew() -> None:
    found = apart(*map(as_kms_gives_it_back, ours(ONE)))
    assert found.kept == NOTHING_KEPT
    assert len(found.ours) == len(ours(ONE))


def test_ours_are_known_again_when_a_role_was_deleted() -> None:
    gone = json.loads(json.dumps(ours(ONE)).replace(f"{ROLE}/signer", "AROAEXAMPLE234567890A"))
    assert apart(*gone).kept == NOTHING_KEPT


def test_the_statement_of_before_without_replicas_is_ours_too() -> None:
    old = {
        "Sid": "NitroctlDenyDetours",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": ["kms:CreateGrant", "kms:ReEncryptFrom"],
        "Resource": "*",
    }
    assert apart(old).ours == ("NitroctlDenyDetours",)


def changed(sid: str, **members: Any) -> Json:
    (statement,) = (each for each in ours(ONE) if each["Sid"].startswith(sid))
    return {name: value for name, value in (statement | members).items() if value is not None}


AMBIGUOUS = {
    "another-name": (ROOT | {"Sid": "NitroctlBreakGlass"}, "no statement of nitroctl's has this Sid"),
    "another-case": (ROOT | {"Sid": "nitroctlAdmin"}, "no statement of nitroctl's has this Sid"),
    "with-a-space": (ROOT | {"Sid": "Nitroctl Admin"}, "no statement of nitroctl's has this Sid"),
    "another-effect": (changed("NitroctlAdmin", Effect="Deny"), "Effect is not Allow"),
    "another-action": (changed("NitroctlAdmin", Action=["kms:DescribeKey", "kms:Decrypt"]), "other actions"),
    "a-wildcard": (changed("NitroctlAdmin", Action="kms:*"), "other actions"),
    "excepted-actions": (changed("NitroctlAdmin", Action=None, NotAction="kms:Decrypt"), "other actions"),
    "an-account": (changed("NitroctlAdmin", Principal={"AWS": "111122223333"}), "other principals"),
    "a-service": (changed("NitroctlAdmin", Principal={"Service": "s3.amazonaws.com"}), "other principals"),
    "everybody": (changed("NitroctlAllow", Principal="*"), "other principals"),
    "excepted": (changed("NitroctlDenyDebug", Principal=None, NotPrincipal={"AWS": "*"}), "other principals"),
    "a-deny-of-some": (changed("NitroctlDenyUnattested", Principal={"AWS": f"{ROLE}/x"}), "other principals"),
    "another-key": (changed("NitroctlAdmin", Resource="arn:aws:kms:eu-west-1:111122223333:key/k"), "Resource is not"),
    "a-condition": (
        changed("NitroctlDenyDetours", Condition={"StringNotEquals": {"aws:PrincipalArn": "x"}}),
        "other conditions",
    ),
    "no-condition": (changed("NitroctlAllow", Condition=None), "other conditions"),
    "a-condition-more": (
        changed(
            "NitroctlDenyDebug",
            Condition={"Null": {"kms:RecipientAttestation:PCR0": "false", "aws:SourceVpce": "true"}},
        ),
        "other conditions",
    ),
    "a-deny-with-a-context": (
        changed(
            "NitroctlDenyDebug",
            Condition={"StringEquals": {"kms:RecipientAttestation:PCR0": "0" * 96, "kms:EncryptionContext:app": "x"}},
        ),
        "other conditions",
    ),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_statement_that_may_be_somebody_elses_is_not_replaced_without_a_word(name: str) -> None:
    statement, problem = AMBIGUOUS[name]
    with pytest.raises(CannotAnswer) as caught:
        apart(ODD, statement)
    assert caught.value.code == "kms.foreign-sid"
    assert caught.value.message.startswith(f"policy.json: line 1: {statement['Sid']!r}: {problem}")


def test_one_sid_twice_is_not_ours_to_choose_from() -> None:
    with pytest.raises(CannotAnswer) as caught:
        apart(*ours(ONE), ours(ONE)[0])
    assert caught.value.message == "policy.json: line 1: 'NitroctlAdmin': the Sid is there twice"


@pytest.mark.parametrize(
    ("version", "statement", "becomes"),
    [
        ("2012-10-17", ROOT, "2012-10-17"),
        ("2008-10-17", ROOT, "2012-10-17"),
        (None, ROOT, "2012-10-17"),
        ("2008-10-17", ODD | {"Condition": {"StringEquals": {"aws:username": "${aws:username}"}}}, "2008-10-17"),
        (None, ODD | {"Condition": {"StringEquals": {"aws:username": "${aws:username}"}}}, None),
    ],
)
def test_the_version_is_ours_unless_it_would_change_what_is_kept(
    version: str | None, statement: Json, becomes: str | None
) -> None:
    kept = apart(statement, Version=version).kept
    assert generate([ONE], TARGETS, kept).document().get("Version") == becomes


@pytest.mark.parametrize("text", ["\u4e2d", "\u0001", "\ud800", "\u0100"])
def test_a_character_that_kms_refuses_is_not_kept(text: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        apart(ODD, ODD | {"Sid": f"x{text}"}, ROOT)
    assert caught.value.message == (f"policy.json: /Statement/1/Sid: U+{ord(text):04X}, a character that KMS refuses")


def test_what_a_terminal_would_take_for_a_command_is_written_as_an_escape() -> None:
    hostile = ODD | {"Sid": "x\u009b31m\u007f"}
    policy = onto({"Statement": [hostile]}, ONE)
    for text in (policy.compact(), policy.pretty()):
        assert "\\u009b31m\\u007f" in text
        assert json.loads(text)["Statement"][0] == hostile
    assert onto(policy.document(), ONE).compact() == policy.compact()


def test_letters_that_kms_takes_are_kept_and_counted_as_they_are_sent() -> None:
    policy = onto({"Statement": [ODD]}, ONE)
    assert "clés" in policy.compact()
    assert policy.size == len(policy.compact().encode("utf-8")) == len(policy.compact()) + 1
