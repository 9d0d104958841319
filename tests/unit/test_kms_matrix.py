"""A matrix is what the evaluator says: every cell, also those that one answer stands for."""

from dataclasses import replace
from typing import Any

import pytest

from nitroctl.kms import authorize
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.classes_budget import Exhausted
from nitroctl.kms.everything import everything
from nitroctl.kms.grants import Grant
from nitroctl.kms.matrix import ATTESTED, OTHERS, Answer, matrix
from nitroctl.kms.request import Request
from nitroctl.records import Ledger
from tests.kms_requests import AT, KEY, OTHER, PCR0, ROLE, ROOT, policy, statement
from tests.records import active, pcrs
from tests.unit.test_kms_bypasses import SHAPES, closed, gate

LEDGER = Ledger.of([active("1", pcrs=pcrs("1", 0, 1, 2, 8), pin=(0, 8))])


def expected(policies: Policies, asked: Request) -> Answer:
    without = authorize.decide(asked, replace(policies, identity=())).verdict
    with_iam = authorize.decide(asked, replace(policies, identity=(everything(),))).verdict
    if without is Verdict.ALLOWED:
        return Answer.ALLOWED
    if with_iam is Verdict.ALLOWED:
        return Answer.WITH_IAM
    return Answer.OPEN if Verdict.UNDECIDED in (without, with_iam) else Answer.DENIED


@pytest.mark.parametrize("name", ["root-delegation", "grant", "everybody-but", "deny-of-the-role-only"])
@pytest.mark.parametrize("close", [False, True], ids=["open", "closed"])
def test_every_cell_is_the_evaluators(name: str, *, close: bool) -> None:
    shape, _, others = SHAPES[name]
    document = closed(shape) if close else policy(*shape)
    policies = Policies(key=(document,), grants=others.get("grants"))
    table = matrix(policies, LEDGER, at=AT, key=KEY)
    states = {column.name: column.attested for column in table.columns}
    assert len(table.rows) > 5
    for row in table.rows:
        base = Request(caller=row.who.caller, action="kms:Decrypt", at=AT, key=KEY, given=row.who.given)
        for name_, told in row.attested.items():
            assert tuple(told) == ATTESTED
            for action, answer in told.items():
                assert answer is expected(policies, replace(base, action=action, attested=states[name_]))
        assert tuple(row.others) == OTHERS
        for action, answer in row.others.items():
            assert answer is expected(policies, replace(base, action=action))


def test_grants_are_asked_operation_by_operation() -> None:
    grant = Grant(id="g", grantee=ROLE, operations=("GenerateDataKey",))
    [row] = [
        each
        for each in matrix(Policies(key=(policy(),), grants=(grant,)), Ledger(), at=AT, key=KEY).rows
        if each.who.caller.arn == ROLE
    ]
    assert row.attested["nothing"]["kms:GenerateDataKey"] is Answer.ALLOWED
    assert row.attested["nothing"]["kms:Decrypt"] is Answer.DENIED


def test_what_is_open_says_why() -> None:
    odd: dict[str, Any] = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    [row] = [
        each
        for each in matrix(Policies(key=(policy(gate(**odd)),)), Ledger(), at=AT, key=KEY).rows
        if each.who.caller.arn == ROLE
    ]
    assert row.attested["nothing"]["kms:Decrypt"] is Answer.OPEN
    assert row.open == ("aws:SourceVpce, which was not given",)


def test_whether_it_takes_an_iam_policy_at_all_is_told_of_where_it_is_open() -> None:
    root = statement(Principal={"AWS": ROOT})
    odd = statement(Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}})

    def asked(*statements: dict[str, Any]) -> tuple[Answer, tuple[str, ...]]:
        rows = matrix(Policies(key=(policy(*statements),)), Ledger(), at=AT, key=KEY).rows
        [row] = [each for each in rows if each.who.caller.arn == ROLE]
        return row.attested["nothing"]["kms:Decrypt"], row.open

    assert asked(root, odd) == (Answer.WITH_IAM, ("aws:SourceVpce, which was not given",))
    assert asked(root, statement(Action="kms:Sign")) == (Answer.WITH_IAM, ())


def test_without_the_keys_arn_callers_of_several_accounts_may_need_iam_policies() -> None:
    both = statement(Principal={"AWS": [ROLE, f"arn:aws:iam::{OTHER}:role/x"]})
    why = "whether the key is of the caller's account: its ARN was not given"

    def asked(key: str) -> list[tuple[Answer, tuple[str, ...]]]:
        rows = matrix(Policies(key=(policy(both),)), Ledger(), at=AT, key=key).rows
        named = [each for each in rows if each.who.caller.arn in (ROLE, f"arn:aws:iam::{OTHER}:role/x")]
        return [(each.attested["nothing"]["kms:Decrypt"], each.open) for each in named]

    assert asked("") == [(Answer.WITH_IAM, (why,)), (Answer.WITH_IAM, (why,))]
    assert asked(KEY) == [(Answer.ALLOWED, ()), (Answer.WITH_IAM, ())]


def test_a_policy_that_tells_too_many_callers_apart_is_no_table() -> None:
    names = [
        statement(
            Principal="*",
            Condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::*:role/*{n}*{n + 1}*"}, "Null": {PCR0: "true"}},
        )
        for n in range(60)
    ]
    with pytest.raises(Exhausted):
        matrix(Policies(key=(policy(*names),)), Ledger(), at=AT)
