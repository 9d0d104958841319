"""``kms lint --fix``: what is mended, and what is left to somebody who knows what is meant."""

import copy
from typing import Any

import pytest

from nitroctl.kms import lint_fix
from tests.kms_policies import DATA4, GOOD, KEY, ONE, TWO, Json, allow, bound, deny, found, policy

PCR0 = f"{KEY}PCR0"


def fixed(*statements: Json) -> Any:
    """Return the mended statements, without the one that manages the key."""
    return lint_fix.fix(policy(*statements))["Statement"][1:]


@pytest.mark.parametrize(
    ("written", "mended"),
    [
        ("StringEqualsIfExists", "StringEqualsIgnoreCase"),
        ("StringEqualsIgnoreCaseIfExists", "StringEqualsIgnoreCase"),
        ("ForAllValues:StringEquals", "StringEqualsIgnoreCase"),
        ("ForAnyValue:StringEquals", "ForAnyValue:StringEqualsIgnoreCase"),
        ("stringequals", "StringEqualsIgnoreCase"),
        ("StringNotEquals", "StringNotEqualsIgnoreCase"),
        ("StringNotEqualsIfExists", "StringNotEqualsIgnoreCaseIfExists"),
        ("StringLike", "StringLike"),
        ("Null", "Null"),
    ],
)
def test_an_operator_of_an_allow(written: str, mended: str) -> None:
    value = "true" if written == "Null" else ONE
    assert fixed(allow(condition={written: {PCR0: value}})) == [allow(condition={mended: {PCR0: value}})]


@pytest.mark.parametrize("prefix", ["", "ForAnyValue:", "ForAllValues:"])
@pytest.mark.parametrize("suffix", ["", "IfExists"])
def test_a_deny_keeps_what_makes_it_match_the_absent(prefix: str, suffix: str) -> None:
    [mended] = fixed(deny(condition={f"{prefix}StringNotEquals{suffix}": {PCR0: ONE}}))
    assert mended == deny(condition={f"{prefix}StringNotEqualsIgnoreCase{suffix}": {PCR0: ONE}})


def test_only_registers_become_lower_case() -> None:
    base64 = "T37s" * 16
    [mended] = fixed(allow(condition=bound(PCR0=[ONE.upper(), base64, f"0x{TWO}".upper()])))
    assert mended["Condition"] == bound(PCR0=[ONE, base64, f"0x{TWO}".upper()])


def test_conditions_on_other_keys_stay() -> None:
    others = {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1", "kms:RecipientAttestation": ONE}}
    assert fixed(allow(condition=others)) == [allow(condition=others)]


def test_two_operators_that_would_become_one_with_two_lists_stay() -> None:
    both = {"StringEquals": {PCR0: ONE}, "StringEqualsIgnoreCase": {PCR0: [ONE, TWO]}}
    assert fixed(allow(condition=both)) == [allow(condition=both)]


def test_two_operators_on_two_keys_become_one() -> None:
    both = {"StringEquals": {PCR0: ONE}, "StringEqualsIgnoreCase": {f"{KEY}PCR8": TWO}}
    assert fixed(allow(condition=both)) == [allow(condition=bound(PCR0=ONE, PCR8=TWO))]


def test_generate_random_leaves_a_list_and_never_the_last_action() -> None:
    assert fixed(allow([*DATA4, "KMS:GenerateRandom"])) == [allow(DATA4)]
    assert fixed(allow(["kms:GenerateRandom"])) == [allow(["kms:GenerateRandom"])]
    assert fixed(allow("kms:GenerateRandom")) == [allow("kms:GenerateRandom")]


def test_the_version_is_set_first_where_it_changes_no_value() -> None:
    old = {**GOOD, "Version": "2008-10-17"}
    assert next(iter(lint_fix.fix(old).items())) == ("Version", "2012-10-17")
    assert lint_fix.fix({"Statement": GOOD["Statement"]})["Version"] == "2012-10-17"
    variable = {**old, "Id": "${aws:username}"}
    assert lint_fix.fix(variable) == variable


def test_a_single_statement_stays_single() -> None:
    value = {"Version": "2012-10-17", "Statement": allow(condition=bound("StringEquals", PCR0=ONE))}
    assert lint_fix.fix(value)["Statement"] == allow(condition=bound(PCR0=ONE))


def test_what_was_given_is_not_changed() -> None:
    value = policy(allow(condition=bound("StringEqualsIfExists", PCR0=ONE)))
    before = copy.deepcopy(value)
    lint_fix.fix(value)
    assert value == before


@pytest.mark.parametrize("number", lint_fix.FIXABLE)
def test_a_rule_that_is_said_to_be_fixable_finds_nothing_afterwards(number: str) -> None:
    value = {
        **policy(
            allow([*DATA4, "kms:GenerateRandom"], bound("StringEqualsIfExists", PCR0=ONE.upper())),
            allow(condition=bound("ForAllValues:StringEquals", PCR8=ONE)),
        ),
        "Version": "2008-10-17",
    }
    assert found(value, number)
    assert not found(lint_fix.fix(value), number)
