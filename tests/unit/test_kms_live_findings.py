"""What the rules find of a key with all its policies and grants: a finding once, of the policy that it is about."""

import json
from typing import Any

import pytest

from nitroctl.kms import document, lint, live_findings
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.grants import Grant
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import Reading, Wanted
from tests.kms_live import KEY, ROLE, A, Policy, good
from tests.kms_requests import statement

FACTS = KeyFacts(arn=KEY, usage="ENCRYPT_DECRYPT", origin="AWS_KMS", multi_region=False, grants=())


def parsed(policy: Policy) -> PolicyDocument:
    return document.parse(json.dumps(policy), where="policy")


def found(default: Policy, ram: Policy | None = None, **facts: Any) -> list[tuple[str, str]]:
    documents = {"default": parsed(default)} | ({} if ram is None else {"AWS_RAM": parsed(ram)})
    key = KeyFacts(**{**{name: getattr(FACTS, name) for name in ("arn", "usage", "grants")}, **facts})
    return [(each.policy, each.finding.rule.number) for each in live_findings.findings(documents, key, Wanted())]


def policy(*statements: Any, **members: Any) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements), **members}


def test_of_one_policy_it_is_what_the_rules_find_of_it() -> None:
    loose = good(A, Unattested=None, Use=statement(Sid="Use"))
    documents = {"default": parsed(loose)}
    alone = lint.findings(Reading(documents["default"], FACTS, Wanted()))
    assert tuple(each.finding for each in live_findings.findings(documents, FACTS, Wanted())) == alone
    assert alone


def test_a_deny_of_one_policy_shuts_what_the_other_allows() -> None:
    shared = policy(statement(Sid="Shared"))
    assert found(good(A), shared) == [("default", "KP032"), ("default", "KP038")]
    assert ("AWS_RAM", "KP001") in found(good(A, Unattested=None, Other=None), shared)


def test_a_deny_of_the_second_policy_counts_too() -> None:
    without = good(A, Detours=None)
    grant = Grant(id="g", grantee=ROLE, operations=("CreateGrant",))
    shut = policy(statement("Deny", Sid="No", Principal="*", Action="kms:CreateGrant"))
    assert ("default", "KP044") in found(without, grants=(grant,))
    assert ("default", "KP044") not in found(without, shut, grants=(grant,))


def test_who_may_replace_the_one_policy_is_not_looked_for_in_the_other() -> None:
    assert [rule for name, rule in found(good(A), policy(statement(Sid="Shared"))) if name == "AWS_RAM"] == []


def test_one_sid_in_both_policies_is_no_fault() -> None:
    assert "KP036" not in [rule for _, rule in found(good(A), policy(statement(Sid="Use")))]


@pytest.mark.parametrize(
    ("default", "ram", "expected"),
    [
        (good(A), policy(statement(Sid="Use"), statement(Sid="Use")), ("AWS_RAM", "KP036")),
        (good(A), {"Statement": [statement(Sid="Use")]}, ("AWS_RAM", "KP051")),
        (good(A), policy(Id="x" * 33_000), ("AWS_RAM", "KP035")),
        ({"Statement": good(A)["Statement"]}, policy(), ("default", "KP051")),
        (good(A) | {"Id": "x" * 33_000}, policy(), ("default", "KP035")),
        (good(A) | {"Id": "€"}, policy(), ("default", "KP036")),
    ],
    ids=["two-sids", "no-version", "size", "no-version-of-the-first", "size-of-the-first", "characters-of-the-first"],
)
def test_what_is_about_a_text_is_asked_of_each(default: Policy, ram: Policy, expected: tuple[str, str]) -> None:
    rules = found(default, ram)
    assert rules.count(expected) == 1
    assert [rule for _, rule in rules].count(expected[1]) == 1


def test_what_is_of_the_key_is_told_once() -> None:
    rules = found(good(A), policy(statement(Sid="Shared")), origin="EXTERNAL", multi_region=True)
    assert [each for each in rules if each[1] in ("KP042", "KP043")] == [("default", "KP042"), ("default", "KP043")]


def one(grants: int, arn: str = KEY, called: str = "g") -> tuple[str, str]:
    given = tuple(Grant(id=f"{called}-{number}", grantee=ROLE, operations=("Decrypt",)) for number in range(grants))
    read = Reading(parsed(good(A, Unattested=None, Other=None)), KeyFacts(arn=arn, grants=given), Wanted())
    [finding] = [each for each in lint.findings(read) if each.rule.number == "KP044"]
    return finding.detail, finding.fix


def listed(count: int) -> str:
    return "; ".join(f"g-{number} lets {ROLE} use kms:Decrypt" for number in range(count))


@pytest.mark.parametrize(
    ("grants", "detail"),
    [
        (1, f"the grant g-0 lets {ROLE} use kms:Decrypt without a named image"),
        (2, f"2 grants give data without a named image: {listed(2)}"),
        (5, f"5 grants give data without a named image: {listed(5)}"),
        (6, f"6 grants give data without a named image: {listed(5)}; and 1 more"),
        (50_000, f"50000 grants give data without a named image: {listed(5)}; and 49995 more"),
    ],
    ids=["1", "2", "5", "6", "50000"],
)
def test_all_open_grants_are_one_finding(grants: int, detail: str) -> None:
    assert one(grants)[0] == detail


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        (KEY, f"--region eu-west-1 --key-id {KEY}"),
        ("", "--key-id KEY"),
        ("arn:$(x)", "--key-id 'arn:$(x)'"),
        (f"{KEY}; x", f"--region eu-west-1 --key-id '{KEY}; x'"),
    ],
    ids=["a-known-key", "an-unknown-key", "no-key", "more-than-a-key"],
)
def test_the_grants_can_be_revoked_as_it_says(arn: str, words: str) -> None:
    revoke, deny = f"aws kms revoke-grant {words} --grant-id", "or deny unattested use to everybody"
    assert one(1, arn)[1] == f"{revoke} g-0, {deny}"
    assert one(2, arn)[1] == f"revoke what nobody needs ({revoke} ID), {deny}: a Deny is above every grant"


def test_a_grants_id_is_no_command() -> None:
    assert one(1, called="0; touch x #")[1].startswith(
        f"aws kms revoke-grant --region eu-west-1 --key-id {KEY} --grant-id '0; touch x #-0', or deny"
    )
