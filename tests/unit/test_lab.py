"""Every document of the lab is judged as it says, and the table covers every check."""

import pytest

from nitroctl.checks import Outcome, Report
from nitroctl.evidence.document import parse
from nitroctl.evidence.verify import verify
from nitroctl.standin.lab import CASES
from nitroctl.standin.lab_change import Case, accepted


def judged(case: Case) -> Report:
    return verify(parse(case.build(), strict=case.strict), accepted(), at=case.at).report


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_judged_as_it_says(case: Case) -> None:
    report = judged(case)
    assert {check.id for check in report.having(Outcome.FAIL)} == case.fails
    assert report.passed is case.accepted
    if case.accepted:
        assert {check.id for check in report.having(Outcome.WARN)} == case.warns
