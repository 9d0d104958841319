"""Whatever KMS does to the writing of a policy is no difference; whatever changes what it says is one."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nitroctl.kms import canonical
from nitroctl.kms.document import PolicyDocument, parse
from tests.fakes import kms_policy

_ACTIONS = st.sampled_from(["kms:Decrypt", "kms:decrypt", "kms:*", "kms:Encrypt", "kms:PutKeyPolicy"])
_ROLES = st.sampled_from([f"arn:aws:iam::111122223333:role/{name}" for name in "abc"])
_NAMES = st.one_of(_ROLES, st.sampled_from(["*", "111122223333", "arn:aws:iam::111122223333:root"]))
_VALUES = st.text('abAB0*é \n"', max_size=4)
_OPERATORS = st.sampled_from(["StringEquals", "stringequals", "StringLikeIfExists", "ForAnyValue:StringEquals", "Null"])
_KEYS = st.sampled_from(["kms:ViaService", "kms:RecipientAttestation:PCR0", "aws:PrincipalArn"])


def _plain_or_list(values: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.one_of(values, st.lists(values, min_size=1, max_size=3))


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Deny"])),
        draw(st.sampled_from(["Principal", "NotPrincipal"])): draw(
            st.one_of(st.just("*"), _plain_or_list(_NAMES).map(lambda names: {"AWS": names}))
        ),
        draw(st.sampled_from(["Action", "NotAction"])): draw(_plain_or_list(_ACTIONS)),
        "Resource": draw(_plain_or_list(st.just("*"))),
    }
    if draw(st.booleans()):
        found["Sid"] = draw(st.text("ab\n", max_size=2))
    if draw(st.booleans()):
        keys = st.dictionaries(_KEYS, _plain_or_list(_VALUES), min_size=1, max_size=2)
        found["Condition"] = draw(st.dictionaries(_OPERATORS, keys, max_size=2))
    return found


policies = st.lists(statements(), min_size=1, max_size=4)


def read(listed: list[dict[str, Any]]) -> PolicyDocument:
    return parse(json.dumps({"Version": "2012-10-17", "Statement": listed}), where="policy")


@given(policies)
def test_what_kms_gives_back_says_the_same(listed: list[dict[str, Any]]) -> None:
    put = read(listed)
    back = parse(kms_policy.stored(json.dumps(put.raw)), where="live")
    assert canonical.difference(put, back).none
    assert canonical.digest(put) == canonical.digest(back)


@given(policies, st.randoms(use_true_random=False))
def test_no_order_is_a_difference(listed: list[dict[str, Any]], chance: Any) -> None:
    other = [dict(chance.sample(list(each.items()), len(each))) for each in listed]
    chance.shuffle(other)
    assert canonical.difference(read(listed), read(other)).none


@given(policies, policies)
def test_a_difference_is_one_both_ways_and_the_digest_knows(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    before, after = read(one), read(other)
    found, back = canonical.difference(before, after), canonical.difference(after, before)
    assert found.none == back.none == (canonical.digest(before) == canonical.digest(after))
    assert (found.same, len(found.changes)) == (back.same, len(back.changes))


@given(policies)
def test_the_statement_as_shown_is_the_statement(listed: list[dict[str, Any]]) -> None:
    for each in canonical.statements(read(listed)):
        [again] = canonical.statements(read([each.as_json()]))
        assert again.form == each.form


@given(policies, statements())
def test_one_statement_more_is_one_difference(listed: list[dict[str, Any]], more: dict[str, Any]) -> None:
    found = canonical.difference(read(listed), read([*listed, {**more, "Sid": "more"}]))
    assert found.same == len(listed)
    assert [change.kind.value for change in found.changes] == ["added"]
