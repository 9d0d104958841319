"""JSON that is written fast is what the library writes."""

import json
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl import strict_json


class Word(StrEnum):
    YES = "yés"


class Number(IntEnum):
    ONE = 1


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from([Word.YES, Number.ONE, "\ud800", "\u2028", 10**40])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.just(Word.YES), inner, max_size=4)
        | st.dictionaries(st.integers() | st.none() | st.booleans(), inner, max_size=2)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_fast_is_what_the_library_writes(value: object) -> None:
    assert strict_json.indented(value) == json.dumps(value, indent=2, allow_nan=False)


@given(st.dictionaries(st.text(), st.lists(LEAVES, max_size=3), max_size=3), st.integers(0, 3))
def test_depth_is_that_of_what_is_around(value: dict[str, object], depth: int) -> None:
    whole: object = value
    for _ in range(depth):
        whole = [whole]
    around = "".join(f"[\n{'  ' * (each + 1)}" for each in range(depth))
    assert json.dumps(whole, indent=2).startswith(around + strict_json.indented(value, depth))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")], {"a": float("nan")}])
def test_a_number_that_json_has_not_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict_json.indented(value)


@pytest.mark.parametrize("value", [b"", [object()], {"a": {1, 2}}, {(1,): 2}])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        strict_json.indented(value)
