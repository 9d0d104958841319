"""Values that a proof once overlooked, or could not end with: each gets by, is open, or is kept out, and quickly."""

from typing import Any

import pytest

from nitroctl.kms.authorize import Verdict
from nitroctl.kms.operators import present
from nitroctl.kms.truth import Truth
from tests.kms_requests import decide, statement
from tests.unit.test_kms_prove import denied, kinds, proved

EVERYTHING = statement(Principal="*", Action="kms:*")

# Numbers that nobody should write out -----------------------------------------------------------------------------

HUGE = ("1e999999999", "-1e999999999", "1e-999999999", "9e65", "0e99999", "1E9999999999999999999")


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("key", ["aws:EpochTime", "a:b"])
def test_a_number_with_a_huge_exponent_is_open_and_not_written_out(key: str, number: str) -> None:
    there = denied(Null={key: "true"}) | {"Action": "kms:*"}
    found = proved(EVERYTHING, denied(NumericLessThan={key: number}) | {"Action": "kms:*"}, there)
    assert (found.holds, found.bypasses) == (Truth.OPEN, ())
    written = f"{number!r} is no number, or none that can be compared here"
    assert f"statement 2: the condition on {key}: {written}" in found.open


def test_huge_and_tiny_numbers_side_by_side_are_open() -> None:
    both = denied(NumericEqualsIfExists={"a:b": ["1e999999999", "1e-999999999"]}) | {"Action": "kms:*"}
    assert proved(EVERYTHING, both).holds is Truth.OPEN


def test_numbers_that_can_be_compared_still_are() -> None:
    bounds = ["1e64", "1e-64", "-1e64"]
    found = proved(EVERYTHING, denied(NumericLessThan={"a:b": bounds}), denied(NumericGreaterThan={"a:b": "9e64"}))
    assert "attests-nothing" in kinds(found)


@pytest.mark.parametrize("number", HUGE)
def test_a_request_with_a_huge_number_is_undecided(number: str) -> None:
    given: dict[str, Any] = {"a:b": present("5")}
    limit = statement("Deny", Principal="*", Condition={"NumericLessThan": {"a:b": number}})
    assert decide(statement(), limit, given=given).verdict is Verdict.UNDECIDED
    other = statement("Deny", Principal="*", Condition={"NumericLessThan": {"a:b": "7"}})
    assert decide(statement(), other, given={"a:b": present(number)}).verdict is Verdict.UNDECIDED
