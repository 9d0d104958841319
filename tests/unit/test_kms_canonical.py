"""What KMS writes otherwise is no difference; what decides otherwise is one, statement by statement."""

import json
from itertools import product
from typing import Any

import pytest

from nitroctl.kms import canonical
from nitroctl.kms.canonical import Kind, Part
from nitroctl.kms.document import PolicyDocument, parse
from tests.fakes import kms_policy
from tests.kms_requests import ACCOUNT, PCR0, ROLE, ROOT, policy, statement

OTHER = f"arn:aws:iam::{ACCOUNT}:role/other"
A, B = "ab" * 48, "cd" * 48


def pinned(*values: str, sid: str = "Use", **changes: Any) -> dict[str, Any]:
    return statement(Sid=sid, Condition={"StringEqualsIgnoreCase": {PCR0: list(values)}}, **changes)


def raw(**members: Any) -> PolicyDocument:
    return parse(json.dumps(members), where="policy.json")


#: What is written otherwise and says the same.
ALIKE: dict[str, tuple[PolicyDocument, PolicyDocument]] = {
    "everybody": (policy(statement(Principal="*")), policy(statement(Principal={"AWS": "*"}))),
    "a list of one": (policy(statement(Action=["kms:Decrypt"])), policy(statement(Action="kms:Decrypt"))),
    "the order of a list": (policy(statement(Action=["kms:A", "kms:B"])), policy(statement(Action=["kms:B", "kms:A"]))),
    "a value twice": (policy(pinned(A, B)), policy(pinned(B, A, B))),
    "the case of an action": (policy(statement(Action="KMS:decrypt")), policy(statement(Action="kms:Decrypt"))),
    "the case of a condition key": (
        policy(statement(Condition={"StringEquals": {PCR0.upper(): A}})),
        policy(statement(Condition={"stringequals": {PCR0: A}})),
    ),
    "an account's number": (policy(statement(Principal={"AWS": ACCOUNT})), policy(statement(Principal={"AWS": ROOT}))),
    "a boolean": (
        policy(statement(Condition={"Bool": {"a:b": True}})),
        policy(statement(Condition={"Bool": {"a:b": "true"}})),
    ),
    "no conditions": (policy(statement(Condition={})), policy(statement())),
    "one statement without its list": (
        raw(Version="2012-10-17", Statement=[statement()]),
        raw(Version="2012-10-17", Statement=statement()),
    ),
    "the order of statements": (
        policy(statement(Sid="A"), statement("Deny", Sid="B")),
        policy(statement("Deny", Sid="B"), statement(Sid="A")),
    ),
    "no version": (policy(statement(), version=None), policy(statement(), version="2008-10-17")),
}


@pytest.mark.parametrize("name", ALIKE)
def test_what_is_only_written_otherwise_is_no_difference(name: str) -> None:
    before, after = ALIKE[name]
    assert canonical.difference(before, after) == canonical.Difference((), (), len(before.statements))
    assert canonical.difference(before, after).none
    assert canonical.digest(before) == canonical.digest(after)


#: What decides otherwise: a change of the first statement's member.
UNLIKE: dict[str, tuple[PolicyDocument, PolicyDocument]] = {
    "the effect": (policy(statement()), policy(statement("Deny"))),
    "who is named": (policy(statement()), policy(statement(Principal={"AWS": OTHER}))),
    "everybody but": (
        policy(statement(Principal={"AWS": ROLE})),
        policy(statement(Principal=None, NotPrincipal={"AWS": ROLE})),
    ),
    "a service of the name of a role": (policy(statement()), policy(statement(Principal={"Service": ROLE}))),
    "an action": (policy(statement()), policy(statement(Action="kms:Encrypt"))),
    "all actions but": (policy(statement()), policy(statement(Action=None, NotAction="kms:Decrypt"))),
    "the resource": (policy(statement()), policy(statement(Resource="arn:aws:kms:eu-west-1:1:key/1"))),
    "a condition": (policy(statement()), policy(pinned(A))),
    "a value": (policy(pinned(A)), policy(pinned(B))),
    "the case of a value": (policy(pinned(A)), policy(pinned(A.upper()))),
    "IfExists": (
        policy(statement(Condition={"StringEquals": {PCR0: A}})),
        policy(statement(Condition={"StringEqualsIfExists": {PCR0: A}})),
    ),
    "a set operator": (
        policy(statement(Condition={"StringEquals": {PCR0: A}})),
        policy(statement(Condition={"ForAllValues:StringEquals": {PCR0: A}})),
    ),
    "nobody, and everybody but nobody": (
        policy(statement(Principal={})),
        policy(statement(Principal=None, NotPrincipal={"AWS": []})),
    ),
    "two values that both have to match": (
        policy(statement(Condition={"StringEqualsIfExists": {PCR0: A}, "StringEqualsifexists": {PCR0: B}})),
        policy(statement(Condition={"StringEqualsIfExists": {PCR0: [A, B]}})),
    ),
    "two set operators that both have to match": (
        policy(statement(Condition={"ForAnyValue:StringEquals": {PCR0: A}, "foranyvalue:StringEquals": {PCR0: B}})),
        policy(statement(Condition={"ForAnyValue:StringEquals": {PCR0: [A, B]}})),
    ),
    "a letter that Unicode folds and ASCII does not": (
        policy(statement(Action="kms:Decrypt")),
        policy(statement(Action="\u212ams:Decrypt")),
    ),
    "such a letter in a condition key": (
        policy(statement(Condition={"Null": {"kms:ViaService": "true"}})),
        policy(statement(Condition={"Null": {"\u212ams:ViaService": "true"}})),
    ),
    "an account and what is no principal": (
        policy(statement(Principal={"AWS": ROOT})),
        policy(statement(Principal={"AWS": ROOT.removesuffix(":root")})),
    ),
    "an account's number and what is no principal": (
        policy(statement(Principal={"AWS": ACCOUNT})),
        policy(statement(Principal={"AWS": f"{ACCOUNT}:root"})),
    ),
    "a condition without values": (
        policy(statement()),
        policy(statement(Condition={"StringEquals": {PCR0: []}})),
    ),
    "the version, on which variables depend": (policy(statement()), policy(statement(), version="2008-10-17")),
    "how often it stands there": (policy(statement()), policy(statement(), statement())),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_what_decides_otherwise_is_a_difference(name: str) -> None:
    before, after = UNLIKE[name]
    assert not canonical.difference(before, after).none
    assert not canonical.difference(after, before).none
    assert canonical.digest(before) != canonical.digest(after)


def test_statements_of_one_sid_are_compared_member_by_member() -> None:
    before = policy(pinned(A), statement(Sid="Same"), statement(Sid="Gone"))
    after = policy(statement(Sid="New"), statement(Sid="Same"), pinned(A, B, Action=["kms:Decrypt", "kms:Encrypt"]))
    found = canonical.difference(before, after)
    assert found.same == 1
    assert [(each.kind, each.label) for each in found.changes] == [
        (Kind.CHANGED, "Use"),
        (Kind.REMOVED, "Gone"),
        (Kind.ADDED, "New"),
    ]
    assert found.changes[0].parts == (
        Part(("Action",), (), ("kms:Encrypt",)),
        Part(("Condition", "StringEqualsIgnoreCase", PCR0), (), (B,)),
    )
    assert found.changes[1].parts[0] == Part(("Sid",), ("Gone",), ())
    assert found.changes[2].parts[0] == Part(("Sid",), (), ("New",))


def test_a_member_without_values_is_told_of() -> None:
    empty = {"StringEquals": {PCR0: list[str]()}}
    found = canonical.difference(policy(statement(Sid="A")), policy(statement(Sid="A", Condition=empty)))
    assert found.changes[0].parts == (Part(("Condition", "StringEquals", PCR0), (), ("(no value)",)),)


def test_one_key_under_one_operator_in_many_spellings_stays_apart() -> None:
    spellings = {"".join(pair) for pair in product(*((each, each.upper()) for each in "ifexists"))}
    many = {f"StringEquals{spelling}": {PCR0: A} for spelling in spellings}
    [found] = canonical.statements(policy(statement(Condition=many)))
    assert sum(path[0] == "Condition" for path in found.members) == len(many) == 2**8
    assert canonical.statements(policy(found.as_json()))[0].form == found.form


def test_a_sid_that_stands_twice_pairs_nothing() -> None:
    found = canonical.difference(policy(pinned(A), pinned(B)), policy(pinned(A), pinned("ef" * 48)))
    assert [(each.kind, each.label) for each in found.changes] == [(Kind.CHANGED, "Use")]
    found = canonical.difference(policy(pinned(A), pinned(B)), policy(pinned("ef" * 48)))
    assert [each.kind for each in found.changes] == [Kind.REMOVED, Kind.REMOVED, Kind.ADDED]


def test_a_statement_without_a_sid_is_called_by_its_place() -> None:
    found = canonical.difference(policy(statement()), policy(statement(Action="kms:Encrypt")))
    assert [(each.kind, each.label) for each in found.changes] == [
        (Kind.REMOVED, "statement 1"),
        (Kind.ADDED, "statement 1"),
    ]


def test_version_and_id_are_heads() -> None:
    before, after = raw(Version="2012-10-17", Id="a", Statement=[]), raw(Statement=[])
    assert canonical.difference(before, after).heads == (
        Part(("Version",), ("2012-10-17",), ("2008-10-17",)),
        Part(("Id",), ("a",), ()),
    )


def test_a_statement_in_canonical_order_is_the_statement() -> None:
    wanted = pinned(B, A, Principal={"AWS": [ROLE, OTHER], "Service": "a.amazonaws.com"})
    [found] = canonical.statements(policy(wanted))
    assert found.as_json() == {
        "Sid": "Use",
        "Effect": "Allow",
        "Principal": {"AWS": [OTHER, ROLE], "Service": "a.amazonaws.com"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEqualsIgnoreCase": {PCR0: [A, B]}},
    }
    assert canonical.statements(policy(found.as_json()))[0].form == found.form


@pytest.mark.parametrize("name", ALIKE)
def test_what_kms_gives_back_says_what_was_put(name: str) -> None:
    for each in ALIKE[name]:
        back = parse(kms_policy.stored(json.dumps(each.raw)), where="live")
        assert canonical.difference(each, back).none
