"""Classes are exhaustive: whatever value a key has, one of the few that stand for all answers every condition alike."""

import itertools
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from nitroctl.kms import patterns
from nitroctl.kms.classes import Atom, Choice, atom, domain, instants, judged
from nitroctl.kms.classes_budget import Budget
from nitroctl.kms.classes_text import language, spelling, witnesses
from nitroctl.kms.document import Condition, operator
from nitroctl.kms.operators import ABSENT, present
from nitroctl.kms.patterns import Unresolved
from tests.kms_requests import policy

TEXTS: Final = ["".join(letters) for length in range(5) for letters in itertools.product("abAc:", repeat=length)]
#: Of which nobody says how many values it has.
KEY: Final = "a:b"
ATOMS: Final = st.sampled_from(["", "", "", "ForAllValues:", "ForAnyValue:"])
shapes = st.text("ab*?A:", max_size=5)


def compiled(text: str) -> patterns.Pattern:
    found = patterns.expand(text, None, wildcards=True)
    assert not isinstance(found, Unresolved)
    return found


@given(st.lists(shapes, min_size=1, max_size=3), st.sets(st.sampled_from(TEXTS), max_size=6))
def test_every_combination_of_patterns_has_its_witness(written: list[str], aside: set[str]) -> None:
    found = [compiled(text) for text in written]
    texts = list(witnesses([language(each) for each in found], Budget(10**7), texts=aside))

    def answers(text: str) -> tuple[bool, ...]:
        return tuple(patterns.matches(each, text) for each in found)

    assert not set(texts) & aside
    known = {answers(text) for text in texts}
    assert known >= {answers(text) for text in TEXTS if text not in aside}


@given(shapes, st.text("abAB", min_size=1, max_size=4))
def test_every_spelling_of_a_text_has_its_witness(written: str, text: str) -> None:
    found = compiled(written)
    known = {
        patterns.matches(found, each)
        for each in witnesses([language(found)], Budget(10**7), shape=spelling(text.lower()))
    }
    every = {"".join(letters) for letters in itertools.product(*((each.lower(), each.upper()) for each in text))}
    assert known == {patterns.matches(found, each) for each in every}


def answered(atoms: list[Atom], choice: Choice) -> tuple[str, ...]:
    return tuple(judged(each, choice, lambda _: Unresolved.UNKNOWN).truth.value for each in atoms)


def conditions(written: list[tuple[str, list[str]]], key: str = "aws:PrincipalTag/t") -> list[Atom]:
    document = policy()
    return [atom(document, Condition(operator(name), key, tuple(values), 1)) for name, values in written]


def stand_for(atoms: list[Atom], values: list[str]) -> None:
    """Assert that the domain answers as each of the values does, and as no value."""
    found = domain("aws:principaltag/t", atoms, lambda _: Unresolved.UNKNOWN, Budget(10**8))
    assert found.incomplete == ""
    known = {answered(atoms, each) for each in found.choices}
    for value in values:
        assert answered(atoms, Choice(present(value))) in known
    assert answered(atoms, Choice(ABSENT)) in known


strings = st.tuples(
    st.builds(
        lambda prefix, name, suffix: f"{prefix}{name}{suffix}",
        ATOMS,
        st.sampled_from(
            [
                "StringEquals",
                "StringNotEquals",
                "StringEqualsIgnoreCase",
                "StringNotEqualsIgnoreCase",
                "StringLike",
                "StringNotLike",
                "ArnLike",
                "ArnNotEquals",
            ]
        ),
        st.sampled_from(["", "IfExists"]),
    ),
    st.lists(shapes, min_size=1, max_size=2),
)


@given(st.lists(strings, min_size=1, max_size=3))
def test_texts(written: list[tuple[str, list[str]]]) -> None:
    stand_for(conditions([*written, ("Null", ["true"])]), TEXTS)


numbers = st.tuples(
    st.sampled_from(["NumericEquals", "NumericLessThan", "NumericGreaterThanEquals", "NumericNotEquals"]),
    st.lists(st.sampled_from(["0", "-3", "3", "3.5", "1e1", "10"]), min_size=1, max_size=2),
)


@given(st.lists(numbers, min_size=1, max_size=3))
def test_numbers(written: list[tuple[str, list[str]]]) -> None:
    stand_for(conditions(written), ["-4", "-3", "-1", "0", "0.5", "3", "3.25", "3.5", "4", "10", "11", "1000000"])


networks = st.tuples(
    st.sampled_from(["IpAddress", "NotIpAddress"]),
    st.lists(
        st.sampled_from(
            ["10.0.0.0/30", "10.0.0.0/31", "10.0.0.3/32", "10.0.0.2", "0.0.0.0/0", "2001:db8::/126", "::/0"]
        ),
        min_size=1,
        max_size=3,
    ),
)


@given(st.lists(networks, min_size=1, max_size=3))
def test_addresses(written: list[tuple[str, list[str]]]) -> None:
    inside = [f"10.0.0.{last}" for last in range(6)]
    outside = ["9.255.255.255", "255.255.255.255", "2001:db8::1", "2001:db8::4", "2001:db7::1"]
    stand_for(conditions(written), [*inside, *outside])


dates = st.tuples(
    st.sampled_from(["DateEquals", "DateLessThan", "DateGreaterThanEquals", "DateNotEquals"]),
    st.lists(
        st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:05+01:00", "1767225599"]),
        min_size=1,
        max_size=2,
    ),
)


@given(st.lists(dates, min_size=1, max_size=3))
def test_dates(written: list[tuple[str, list[str]]]) -> None:
    seconds = [f"2026-01-01T00:00:{second:02}Z" for second in range(5)]
    stand_for(conditions(written), [*seconds, "2025-12-31T23:00:05Z", "2025-12-31T23:00:04Z", "2025-12-31T23:59:59Z"])


def test_instants_are_in_order_and_each_once() -> None:
    found = instants(["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "no time", "1767225600"])
    assert [each.timestamp() for each in found] == [1767225599, 1767225600, 1767225601, 1767225602]


@given(st.lists(strings, min_size=1, max_size=2), st.lists(st.sampled_from(TEXTS), min_size=2, max_size=3))
def test_several_values(written: list[tuple[str, list[str]]], values: list[str]) -> None:
    several = [(f"ForAnyValue:{name.partition(':')[2] or name}", found) for name, found in written]
    several += [(f"ForAllValues:{name.partition(':')[2] or name}", found) for name, found in written]
    atoms = conditions(several, KEY)
    found = domain(KEY, atoms, lambda _: Unresolved.UNKNOWN, Budget(10**8))
    if not found.incomplete:
        assert answered(atoms, Choice(present(*values))) in {answered(atoms, each) for each in found.choices}


@given(st.lists(strings, min_size=1, max_size=2), st.sampled_from(["aws:SourceVpce", "aws:PrincipalTag/a"]))
def test_a_key_that_has_one_value_has_one(written: list[tuple[str, list[str]]], key: str) -> None:
    atoms = conditions(written, key)
    found = domain(key.lower(), atoms, lambda _: Unresolved.UNKNOWN, Budget(10**8))
    assert all(len(each.actual.values) <= 1 for each in found.choices)
    assert {answered(atoms, Choice(present(text))) for text in TEXTS} <= {
        answered(atoms, each) for each in found.choices
    }
