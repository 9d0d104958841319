"""Letters that are one but for case: ASCII's surely, none beyond ASCII as one of ASCII's, and others nobody says."""

import sys
from typing import Any

import pytest

from nitroctl.kms import actions, named, operators, patterns
from nitroctl.kms.authorize import Verdict
from nitroctl.kms.document import operator
from nitroctl.kms.grants import Grant
from nitroctl.kms.key_policy import REFUSED
from nitroctl.kms.letters import alike, folded, perhaps
from nitroctl.kms.lint_reading import matching
from nitroctl.kms.operators import ABSENT, UNKNOWN, Actual, Presence, present
from nitroctl.kms.truth import Truth
from tests.kms_requests import ROLE, decide, policy, request, statement
from tests.unit.test_kms_prove import APP, KEYS, TAG, denied, proved

YES, NO, OPEN = Truth.YES, Truth.NO, Truth.OPEN
KELVIN, LONG_S, DOTLESS, DOTTED = "\u212a", "\u017f", "\u0131", "\u0130"
NAMED = "kms:EncryptionContext:é"


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ("Kms:DECRYPT", "kms:decrypt", YES),
        ("k", "l", NO),
        ("É", "É", YES),
        ("É", "é", OPEN),
        ("É", "e", NO),
        ("É", "éé", NO),
        (KELVIN, "k", OPEN),
        (LONG_S, "s", OPEN),
        (DOTLESS, "I", OPEN),
        (DOTTED, "i", OPEN),
        (DOTTED, DOTLESS, OPEN),
        ("ß", "ss", NO),
        ("µ", "\u03bc", OPEN),
        ("ÿ", "Ÿ", OPEN),
    ],
)
def test_ascii_is_sure_and_what_is_beyond_is_open(one: str, other: str, answer: Truth) -> None:
    assert (alike(one, other), alike(other, one)) == (answer, answer)


def test_whatever_unicode_calls_one_letter_may_be_one() -> None:
    letters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    for letter in letters:
        assert {perhaps(each) for each in (letter.lower(), letter.upper(), letter.casefold(), letter.title())} == {
            perhaps(letter)
        }


def test_no_character_that_kms_takes_is_a_letter_of_ascii_in_another_case() -> None:
    taken = [chr(code) for code in range(128, 256) if not REFUSED.search(chr(code))]
    assert len(taken) == 128
    ascii_ = [chr(code) for code in range(128)]
    assert {alike(one, other) for one in taken for other in ascii_} == {NO}


# Actions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [f"{KELVIN}ms:Decrypt", f"{KELVIN}ms:*", f"kms:{LONG_S}ign"])
def test_a_letter_beyond_ascii_is_in_no_actions_name(pattern: str) -> None:
    assert not any(patterns.matches_action(pattern, action) for action in actions.ALL)
    assert matching(pattern) == frozenset()
    assert named.parse(policy_text(pattern), where="p") == ()


def policy_text(action: str) -> str:
    return f'{{"Statement":{{"Effect":"Allow","Principal":"*","Action":"{action}","Resource":"*"}}}}'


def test_case_does_not_count_in_an_actions_name() -> None:
    assert patterns.matches_action("KMS:dEcRyPt", "kms:Decrypt")


def test_a_deny_of_what_only_looks_like_kms_is_not_relied_on() -> None:
    shut = statement("Deny", Principal="*", Action=f"{KELVIN}ms:*")
    assert decide(statement(), shut).verdict is Verdict.ALLOWED
    assert proved(statement(), shut).holds is NO


# Operators --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [f"StringLi{KELVIN}e", f"{LONG_S}tringEquals", f"StringEquals{DOTTED}fExists"])
def test_an_operator_with_a_letter_beyond_ascii_is_none(written: str) -> None:
    assert operators.name(operator(written)) == ""


@pytest.mark.parametrize(
    ("written", "value", "actual", "answer"),
    [
        ("StringEqualsIgnoreCase", "CAFÉ", "café", OPEN),
        ("StringEqualsIgnoreCase", "CAFÉ", "cafÉ", YES),
        ("StringEqualsIgnoreCase", "CAFÉ", "cafe", NO),
        ("StringEqualsIgnoreCase", "kelvin", f"{KELVIN}elvin", OPEN),
        ("StringNotEqualsIgnoreCase", "CAFÉ", "café", OPEN),
        ("StringNotEqualsIgnoreCase", "CAFÉ", "cafÉ", NO),
        ("StringNotEqualsIgnoreCase", "CAFÉ", "cafe", YES),
        ("StringEquals", "CAFÉ", "café", NO),
        ("Bool", "true", f"tru{DOTLESS}", OPEN),
    ],
)
def test_values_beyond_ascii_without_case(written: str, value: str, actual: str, answer: Truth) -> None:
    condition = policy(statement(Condition={written: {"a:b": value}})).statements[0].conditions[0]
    assert operators.judge(condition, present(actual)).truth is answer


# Condition keys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "key", "found"),
    [
        ({"É": "x"}, "KMS:EncryptionContext:É", present("x")),
        ({"É": "x"}, NAMED, Actual(Presence.EITHER, ("x",))),
        ({"K": "x"}, f"kms:EncryptionContext:{KELVIN}", Actual(Presence.EITHER, ("x",))),
        ({KELVIN: "x"}, "kms:EncryptionContext:K", Actual(Presence.EITHER, ("x",))),
        ({"É": "x"}, "kms:EncryptionContext:E", Actual(Presence.ABSENT)),
        ({}, NAMED, Actual(Presence.ABSENT)),
        ({"É": "x", "é": "y"}, "kms:EncryptionContext:É", Actual(Presence.EITHER, ("x", "y"))),
        ({"É": "x", "é": "y"}, NAMED, Actual(Presence.EITHER, ("y", "x"))),
        ({"É": "x", "e": "y"}, "kms:EncryptionContext:É", present("x")),
        ({"K": "x", KELVIN: "y"}, "kms:EncryptionContext:k", Actual(Presence.EITHER, ("x", "y"))),
        ({DOTTED: "x", DOTLESS: "y"}, "kms:EncryptionContext:i", Actual(Presence.EITHER, ("x", "y"))),
    ],
)
def test_a_name_that_is_one_but_for_a_letter_beyond_ascii_may_be_there(
    context: dict[str, str], key: str, found: Actual
) -> None:
    assert request(encryption_context=context).actual(key) == found


def test_a_key_that_only_looks_like_one_of_kms_is_not_known() -> None:
    assert request().actual(f"{KELVIN}ms:ViaService").presence is Presence.UNKNOWN
    assert list(patterns.names(f"${{{KELVIN}ms:ViaService}}")) == [f"{KELVIN}ms:viaservice"]
    assert folded(f"{KELVIN}MS") == f"{KELVIN}ms"


def test_a_decision_that_hangs_on_such_a_name_is_open() -> None:
    asked: dict[str, Any] = {"encryption_context": {"É": "x"}}
    found = decide(statement(Condition={"StringEquals": {NAMED: "x"}}), **asked)
    reason = f"whether KMS has {NAMED} in such a request, which is not documented"
    assert (found.verdict, found.open) == (Verdict.UNDECIDED, (reason,))
    assert decide(statement(), statement("Deny", Condition={"Null": {NAMED: "false"}}), **asked).verdict is (
        Verdict.UNDECIDED
    )


def test_two_names_that_may_be_one_are_no_surer_than_two_that_are() -> None:
    for one, other in (("E", "e"), ("É", "é")):
        asked: dict[str, Any] = {"encryption_context": {one: "x", other: "y"}}
        for name in (one, other):
            allow = statement(Condition={"StringEquals": {f"kms:EncryptionContext:{name}": "x"}})
            found = decide(allow, **asked)
            reason = f"kms:EncryptionContext:{name}, which has several values where StringEquals takes one"
            assert (found.verdict, found.open) == (Verdict.UNDECIDED, (reason,))
    lists = statement(Condition={"ForAnyValue:StringEquals": {NAMED: "x"}})
    assert decide(lists, encryption_context={"É": "x", "é": "y"}).verdict is Verdict.UNDECIDED
    assert decide(lists, encryption_context={"É": "z", "é": "y"}).verdict is Verdict.DENIED


def test_what_was_said_of_such_a_name_counts() -> None:
    asked: dict[str, Any] = {"encryption_context": {"É": "x"}}
    mine = "kms:encryptioncontext:É"
    assert request(**asked, given={NAMED: ABSENT}).actual(mine) == present("x")
    assert request(**asked, given={NAMED: UNKNOWN}).actual(mine) == UNKNOWN
    assert request(**asked, given={mine: UNKNOWN}).actual(NAMED) == UNKNOWN
    assert request(given={mine: ABSENT}).actual(NAMED) == ABSENT


# Proofs -----------------------------------------------------------------------------------------------------------

BEYOND = f"{TAG}, which is compared without case with letters beyond ASCII"


def test_what_hangs_on_letters_beyond_ascii_without_case_is_no_proof() -> None:
    # A text that ends in é and is KÉ but for case: there is one if É and é are one letter.
    allowed = statement(Principal="*", Condition={"StringEqualsIgnoreCase": {TAG: "KÉ"}, "StringLike": {TAG: "*é"}})
    found = proved(allowed)
    assert (found.holds, found.bypasses) == (OPEN, ())
    assert BEYOND in found.open


def test_a_bypass_beside_letters_beyond_ascii_is_found() -> None:
    assert proved(statement(Principal="*", Condition={"StringEqualsIgnoreCase": {TAG: "KÉ"}})).holds is NO
    assert proved(statement(), denied(StringEqualsIgnoreCase={TAG: "KÉ"})).holds is NO


def test_letters_beyond_ascii_that_nothing_hangs_on_leave_a_proof() -> None:
    shut = statement("Deny", Principal="*", Action="kms:*")
    assert proved(statement(Condition={"StringEqualsIgnoreCase": {TAG: "KÉ"}}), shut).holds is YES


def test_names_of_an_encryption_context_beyond_ascii_are_no_proof() -> None:
    # The only name that may be there is é; whether É is there then, IAM does not say.
    only = denied(**{"ForAnyValue:StringNotEquals": {KEYS: "é"}})
    assert proved(statement(Condition={"StringEquals": {f"{APP[:-3]}É": "x"}}), only).holds is OPEN


def test_a_grants_name_beyond_ascii_is_no_proof() -> None:
    grant = Grant(id="g", grantee=ROLE, operations=("Decrypt",), equals={"é": "x"})
    there = denied(Null={f"{APP[:-3]}É": "true"}) | {"Action": "kms:*"}
    assert proved(there, grants=(grant,)).holds is OPEN
    assert proved(denied(Null={APP: "true"}) | {"Action": "kms:*"}, grants=(grant,)).holds is YES


def test_the_same_of_a_name_in_ascii_is_found() -> None:
    only = denied(**{"ForAnyValue:StringNotEquals": {KEYS: "e"}})
    assert proved(statement(Condition={"StringEquals": {f"{APP[:-3]}E": "x"}}), only).holds is NO
