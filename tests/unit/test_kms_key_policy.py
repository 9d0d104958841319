"""The key policy as a document."""

import json

import pytest

from nitroctl.kms.key_policy import EVERYBODY, SIZE_LIMIT, Conditions, Effect, KeyPolicy, Statement, attestation_key


def statement(sid: str = "NitroctlX", actions: tuple[str, ...] = ("kms:Decrypt",), entry: str = "") -> Statement:
    return Statement(
        sid=sid, effect=Effect.DENY, principals=EVERYBODY, actions=actions, purpose="why", entry=entry, conditions=NULL
    )


NULL: Conditions = {"Null": {attestation_key(0): ("true",)}}


def test_the_document_is_as_kms_gives_it_back() -> None:
    policy = KeyPolicy.of((statement(),))
    assert policy.compact() == (
        '{"Version":"2012-10-17","Statement":[{"Sid":"NitroctlX","Effect":"Deny","Principal":{"AWS":"*"},'
        '"Action":"kms:Decrypt","Resource":"*","Condition":{"Null":{"kms:RecipientAttestation:PCR0":"true"}}}]}'
    )
    assert json.loads(policy.pretty()) == json.loads(policy.compact()) == policy.document()


def test_several_values_are_a_list_and_no_condition_is_no_member() -> None:
    several = Statement(
        sid="NitroctlX",
        effect=Effect.ALLOW,
        principals=("arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"),
        actions=("kms:DescribeKey", "kms:GetKeyPolicy"),
        purpose="why",
    )
    assert several.as_json() == {
        "Sid": "NitroctlX",
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"]},
        "Action": ["kms:DescribeKey", "kms:GetKeyPolicy"],
        "Resource": "*",
    }


def test_the_size_is_that_of_the_compact_form() -> None:
    policy = KeyPolicy.of((statement(),))
    assert policy.size == len(policy.compact().encode())
    assert policy.left == 32_768 - policy.size


def of_size(size: int) -> tuple[Statement, ...]:
    """Return statements whose policy has exactly ``size`` bytes."""
    short = KeyPolicy.of((statement(actions=("kms:",), entry="x"),)).size
    return (statement(actions=("kms:" + "D" * (size - short),), entry="x"),)


def test_a_policy_of_just_the_limit_is_made() -> None:
    assert KeyPolicy.of(of_size(SIZE_LIMIT)).left == 0


def test_of_a_policy_of_one_byte_more_nothing_is_left() -> None:
    assert KeyPolicy.of(of_size(SIZE_LIMIT + 1)).left == -1


@pytest.mark.parametrize("sids", [("NitroctlX", "NitroctlX"), ("Mine",), ("Nitroctl",), ("Nitroctl X",)])
def test_sids_are_unique_and_ours(sids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="Sids"):
        KeyPolicy.of(tuple(statement(sid) for sid in sids))
