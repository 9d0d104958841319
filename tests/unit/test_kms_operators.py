"""What condition operators make of a key that is there, absent, or not known: the documentation's table."""

from typing import Any

import pytest

from nitroctl.kms import operators
from nitroctl.kms.document import Condition, operator
from nitroctl.kms.operators import ABSENT, UNKNOWN, Actual, Presence, judge, present
from nitroctl.kms.patterns import Unresolved
from nitroctl.kms.truth import Truth

VALUE = "ab" * 48
YES, NO, OPEN = Truth.YES, Truth.NO, Truth.OPEN
_TRUTHS = {"T": YES, "F": NO, "?": OPEN}
_ACTUALS = {
    "absent": ABSENT,
    "equal": present(VALUE),
    "other case": present(VALUE.upper()),
    "different": present("cd" * 48),
}

#: Operator, value in the policy, and what it makes of an absent, an equal, an equal but for case, a different value.
TABLE = """
StringEquals                              V      F T F F
StringEqualsIgnoreCase                    V      F T T F
StringLike                                V      F T F F
StringLike                                *      F T T T
StringEqualsIfExists                      V      T T F F
StringEqualsIgnoreCaseIfExists            V      T T T F
StringLikeIfExists                        V      T T F F
StringNotEquals                           V      T F T T
StringNotEqualsIgnoreCase                 V      T F F T
StringNotLike                             V      T F T T
StringNotLike                             *      T F F F
StringNotEqualsIfExists                   V      T F T T
StringNotEqualsIgnoreCaseIfExists         V      T F F T
ForAllValues:StringEquals                 V      T T F F
ForAnyValue:StringEquals                  V      F T F F
ForAllValues:StringNotEquals              V      T F T T
ForAnyValue:StringNotEquals               V      F F T T
ForAnyValue:StringEqualsIfExists          V      T T F F
ForAnyValue:StringNotEqualsIfExists       V      T F T T
Null                                      true   T F F F
Null                                      false  F T T T
"""
ROWS = [
    (words[0], words[1], column, answer)
    for words in (line.split() for line in TABLE.strip().splitlines())
    for column, answer in zip(_ACTUALS, words[2:], strict=True)
]


def condition(written: str, *values: str, key: str = "kms:RecipientAttestation:PCR0") -> Condition:
    return Condition(operator(written), key, values, 1)


def truth(written: str, values: Any, actual: Actual) -> Truth:
    return judge(condition(written, *([values] if isinstance(values, str) else values)), actual).truth


@pytest.mark.parametrize(("written", "value", "column", "answer"), ROWS)
def test_the_table_of_absent_equal_and_different_values(written: str, value: str, column: str, answer: str) -> None:
    assert truth(written, {"V": VALUE}.get(value, value), _ACTUALS[column]) is _TRUTHS[answer]


@pytest.mark.parametrize("written", [row.split()[0] for row in TABLE.strip().splitlines()])
def test_a_key_that_is_not_known_decides_nothing(written: str) -> None:
    value = "true" if written == "Null" else VALUE
    judged = judge(condition(written, value), UNKNOWN)
    assert (judged.truth, judged.reason) == (OPEN, "kms:RecipientAttestation:PCR0, which was not given")


@pytest.mark.parametrize(
    ("written", "value", "answer"),
    [
        ("StringEquals", VALUE, NO),  # neither absent nor zero is the value
        ("StringNotEquals", VALUE, YES),
        ("StringEquals", "00" * 48, OPEN),
        ("Null", "true", OPEN),
        ("StringEqualsIfExists", VALUE, OPEN),
    ],
)
def test_a_key_that_may_be_absent_decides_only_what_both_readings_say(written: str, value: str, answer: Truth) -> None:
    assert truth(written, value, Actual(Presence.EITHER, ("00" * 48,))) is answer


OTHERS: list[tuple[str, Any, Actual, Truth]] = [
    # several values of a condition are alternatives; under a negation none of them may match
    ("StringEquals", ("a", "b"), present("b"), YES),
    ("StringNotEquals", ("a", "b"), present("b"), NO),
    ("StringNotEquals", ("a", "b"), present("c"), YES),
    # sets
    ("ForAllValues:StringEquals", ("a", "b"), present("a", "b"), YES),
    ("ForAllValues:StringEquals", ("a", "b"), present("a", "c"), NO),
    ("ForAnyValue:StringEquals", ("a", "b"), present("c", "b"), YES),
    ("ForAnyValue:StringEquals", ("a", "b"), present("c", "d"), NO),
    ("ForAnyValue:StringNotEquals", ("a",), present("a", "b"), YES),
    ("ForAllValues:StringNotEquals", ("a",), present("a", "b"), NO),
    ("ForAllValues:StringEquals", ("a",), present(""), YES),  # an empty value counts as none
    ("ForAnyValue:StringEquals", ("",), present(""), NO),
    ("StringEquals", ("a",), present("a", "b"), OPEN),  # several values without a set operator
    ("StringEquals", "", present(""), YES),
    # wildcards are of the Like operators only
    ("StringLike", "a*c?", present("abbbcd"), YES),
    ("StringLike", "a*c?", present("abbbc"), NO),
    ("StringLike", "*", present(""), YES),
    ("StringEquals", "a*", present("ab"), NO),
    ("StringLike", "A*", present("ab"), NO),
    # case of operators, prefixes and suffixes
    ("forallvalues:stringequalsifexists", "a", present("a"), YES),
    ("STRINGEQUALS", "a", present("a"), YES),
    # numbers
    ("NumericEquals", "10", present("10.0"), YES),
    ("NumericNotEquals", "10", present("10"), NO),
    ("NumericLessThan", "10", present("9"), YES),
    ("NumericLessThan", "10", present("10"), NO),
    ("NumericLessThanEquals", "10", present("10"), YES),
    ("NumericGreaterThan", "10", present("10"), NO),
    ("NumericGreaterThan", "10", present("11"), YES),
    ("NumericGreaterThanEquals", "10", present("10"), YES),
    ("NumericEquals", "ten", present("10"), OPEN),
    ("NumericEquals", "10", present("NaN"), OPEN),
    ("NumericNotEquals", "10", ABSENT, YES),
    ("NumericLessThan", "10", ABSENT, NO),
    # times
    ("DateEquals", "2026-01-01T00:00:00Z", present("1767225600"), YES),
    ("DateNotEquals", "2026-01-01T00:00:00Z", present("2026-01-01T01:00:00+01:00"), NO),
    ("DateLessThan", "2026-01-02", present("2026-01-01T00:00:00Z"), YES),
    ("DateLessThan", "2026-01-01", present("2026-01-01T00:00:00Z"), NO),
    ("DateLessThanEquals", "2026-01-01", present("2026-01-01T00:00:00Z"), YES),
    ("DateGreaterThan", "2026-01-01", present("2026-01-01T00:00:00Z"), NO),
    ("DateGreaterThan", "2026-01-01", present("2026-01-01T00:00:01Z"), YES),
    ("DateGreaterThanEquals", "2026-01-01", present("2026-01-01T00:00:00Z"), YES),
    ("DateLessThan", "tomorrow", present("2026-01-01T00:00:00Z"), OPEN),
    ("DateLessThan", "9" * 30, present("2026-01-01T00:00:00Z"), OPEN),
    # the others
    ("Bool", "true", present("True"), YES),
    ("Bool", "true", present("false"), NO),
    ("Bool", "false", ABSENT, NO),
    ("BoolIfExists", "false", ABSENT, YES),
    ("Bool", "yes", present("true"), OPEN),
    ("BinaryEquals", "QQ==", present("QQ=="), YES),
    ("BinaryEquals", "QQ==", present("Qg=="), NO),
    ("BinaryEquals", "not base64", present("QQ=="), OPEN),
    ("IpAddress", "203.0.113.0/24", present("203.0.113.9"), YES),
    ("IpAddress", "203.0.113.0/24", present("203.0.114.9"), NO),
    ("NotIpAddress", "203.0.113.0/24", present("203.0.113.9"), NO),
    ("NotIpAddress", "2001:db8::/32", present("203.0.113.9"), YES),
    ("IpAddress", "everywhere", present("203.0.113.9"), OPEN),
    ("ArnEquals", "arn:aws:iam::1:role/*", present("arn:aws:iam::1:role/a/b"), YES),
    ("ArnLike", "arn:aws:iam::1:role/a", present("arn:aws:iam::1:role/b"), NO),
    ("ArnNotLike", "arn:aws:iam::1:role/*", present("arn:aws:iam::1:role/b"), NO),
    ("ArnNotEquals", "arn:aws:iam::1:role/a", present("arn:aws:iam::1:role/b"), YES),
    ("ArnNotEquals", "arn:aws:iam::1:role/a", ABSENT, YES),
    ("ArnLike", "arn:aws:*:role/b", present("arn:aws:iam::1:role/b"), OPEN),  # only across the colons
    # what nobody can evaluate
    ("StringMatches", "a", present("a"), OPEN),
    ("NullIfExists", "true", present("a"), OPEN),
    ("ForAllValues:Null", "true", ABSENT, OPEN),
    ("Null", "maybe", ABSENT, OPEN),
    ("Null", "true", present(""), OPEN),
    ("Null", ("true", "false"), ABSENT, YES),
    ("StringEquals", (), present("a"), OPEN),
    ("StringNotEquals", (), ABSENT, OPEN),
]


@pytest.mark.parametrize(("written", "values", "actual", "answer"), OTHERS)
def test_every_other_operator(written: str, values: Any, actual: Actual, answer: Truth) -> None:
    assert truth(written, values, actual) is answer


VARIABLES = [
    ("StringEquals", "${aws:username}", "ada", YES),
    ("StringEquals", "x-${ aws:username }-y", "x-ada-y", YES),
    ("StringNotEquals", "${aws:username}", "ada", NO),
    ("StringEquals", "${aws:absent}", "ada", NO),
    ("StringNotEquals", "${aws:absent}", "ada", OPEN),
    ("StringEquals", "${aws:absent, 'ada'}", "ada", YES),
    ("StringEquals", "${aws:unknown}", "ada", OPEN),
    ("StringEquals", ("${aws:unknown}", "ada"), "ada", YES),
    ("StringLike", "${*}${?}${$}*", "*?$anything", YES),
    ("StringLike", "${*}", "anything", NO),
    ("StringLike", "${aws:star}", "anything", NO),  # what a variable brings in is literal
    ("StringLike", "${aws:star}", "*", YES),
]


@pytest.mark.parametrize(("written", "values", "actual", "answer"), VARIABLES)
def test_variables(written: str, values: Any, actual: str, answer: Truth) -> None:
    def lookup(key: str) -> str | Unresolved:
        known: dict[str, str | Unresolved] = {"aws:username": "ada", "aws:star": "*", "aws:absent": Unresolved.ABSENT}
        return known.get(key, Unresolved.UNKNOWN)

    wanted = [values] if isinstance(values, str) else values
    assert judge(condition(written, *wanted, key="k"), present(actual), lookup).truth is answer


def test_without_the_newer_version_a_variable_is_text() -> None:
    assert truth("StringEquals", "${aws:username}", present("${aws:username}")) is YES


def test_names_are_as_documented() -> None:
    assert operators.name(operator("ForAnyValue:stringnotequalsignorecaseIfExists")) == "StringNotEqualsIgnoreCase"
    assert operators.name(operator("null")) == "Null"
    assert operators.name(operator("Foo:StringEquals")) == ""
    assert operator("ForAnyValue:StringLikeIfExists").text == "ForAnyValue:StringLikeIfExists"
    assert operators.negated(operator("NotIpAddress"))
    assert not operators.negated(operator("Nonsense"))


def test_a_pattern_of_many_wildcards_takes_no_longer_than_the_text_is_long() -> None:
    assert truth("StringLike", "*a" * 2000 + "*b", present("a" * 20_000)) is NO


@pytest.mark.parametrize("value", ["${" * 200_000, "${a " + " " * 200_000, "${a, '" * 100_000, "${" + "a" * 200_000])
def test_openings_without_an_end_are_read_in_one_pass(value: str) -> None:
    judged = judge(condition("StringLike", value, key="k"), present("x"), lambda _: Unresolved.ABSENT)
    assert judged.truth is NO


def test_a_truth_is_no_boolean() -> None:
    with pytest.raises(TypeError, match="not a boolean"):
        bool(Truth.NO)
