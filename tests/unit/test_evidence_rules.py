"""What every rule is called, states and rests on, and the checks that a rule makes."""

import pytest

from nitroctl.checks import Check, Outcome
from nitroctl.evidence import rules
from nitroctl.evidence.rules import Rule
from nitroctl.evidence.standing import Standing
from tests.conftest import ROOT

RULE = Rule("x.y", "a title", "a source")
ALL = [rule for rule in vars(rules).values() if isinstance(rule, Rule)]


def test_every_rule_states_this_and_rests_on_that() -> None:
    """A changed word is seen: the file is what a report shows of a rule, and is edited with it."""
    stated = "".join(f"{rule.id}\n  {rule.title}\n  {rule.source}\n" for rule in ALL)
    assert stated == (ROOT / "tests" / "assets" / "evidence-rules.txt").read_text()


def test_the_groups_hold_their_rules_in_the_order_of_a_report() -> None:
    grouped = (*rules.CBOR_RULES, *rules.COSE_RULES, *rules.DOCUMENT_RULES, *rules.CHAIN_RULES, *rules.HABIT_RULES)
    alone = (
        rules.DOCUMENT_NULLS,
        rules.DOCUMENT_LENGTHS,
        rules.DOCUMENT_FIELDS,
        rules.CHAIN_REVOCATION,
        rules.COSE_SIGNATURE,
    )
    assert list(grouped) == [rule for rule in ALL if rule not in alone]


def made(outcome: Outcome, detail: str = "", *, required: bool = True, **compared: str) -> Check:
    return Check(
        id="x.y",
        title="a title",
        outcome=outcome,
        detail=detail,
        source="a source",
        required=required,
        expected=compared.get("expected"),
        actual=compared.get("actual"),
        remedy=compared.get("remedy"),
    )


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (RULE.passed(), made(Outcome.PASS)),
        (RULE.passed("so"), made(Outcome.PASS, "so")),
        (RULE.failed("no"), made(Outcome.FAIL, "no")),
        (
            RULE.failed("no", expected="a", actual="b", remedy="c"),
            made(Outcome.FAIL, "no", expected="a", actual="b", remedy="c"),
        ),
        (RULE.warned("odd"), made(Outcome.WARN, "odd", required=False)),
        (
            RULE.warned("odd", expected="a", actual="b", remedy="c"),
            made(Outcome.WARN, "odd", required=False, expected="a", actual="b", remedy="c"),
        ),
        (RULE.unknown("it is not shown"), made(Outcome.SKIP, "not checked: it is not shown", required=False)),
        (RULE.blocked("a.b"), made(Outcome.SKIP, "not checked: blocked by a.b")),
        (RULE.of(None), made(Outcome.PASS)),
        (RULE.of("no"), made(Outcome.FAIL, "no")),
        (RULE.of(""), made(Outcome.FAIL)),
    ],
    ids=range(11),
)
def test_a_rule_makes_its_own_checks(check: Check, expected: Check) -> None:
    assert check == expected


def test_what_a_statement_rests_on_is_said_in_these_words() -> None:
    assert [standing.value for standing in Standing] == ["stated", "documented", "undocumented habit", "guess"]


def test_what_is_blocked_is_blocked_in_order() -> None:
    second = Rule("z", "another", "elsewhere")
    assert rules.all_blocked((RULE, second), "a.b") == [RULE.blocked("a.b"), second.blocked("a.b")]


def test_rules_are_the_same_when_they_say_the_same() -> None:
    assert Rule("x.y", "a title", "a source") == RULE
    assert repr(RULE) == "Rule(id='x.y', title='a title', source='a source')"
