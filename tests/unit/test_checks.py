import pytest

from nitroctl.checks import Check, Outcome, Report, blocked, not_requested


def check(outcome: Outcome, *, required: bool = True, check_id: str = "a.b") -> Check:
    return Check(id=check_id, title="it holds", outcome=outcome, required=required)


PASS, FAIL, WARN, SKIP = (check(outcome) for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.WARN, Outcome.SKIP))


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ([], Outcome.FAIL),
        ([PASS], Outcome.PASS),
        ([PASS, FAIL], Outcome.FAIL),
        ([PASS, WARN], Outcome.FAIL),
        ([PASS, SKIP], Outcome.FAIL),
        ([PASS, check(Outcome.WARN, required=False)], Outcome.PASS),
        ([PASS, check(Outcome.SKIP, required=False)], Outcome.PASS),
        ([PASS, check(Outcome.FAIL, required=False)], Outcome.FAIL),
        ([PASS, blocked("c.d", "t", "a.b")], Outcome.FAIL),
        ([PASS, not_requested("c.d", "t", "--nonce")], Outcome.PASS),
    ],
)
def test_the_verdict_fails_closed(checks: list[Check], verdict: Outcome) -> None:
    report = Report.of(checks)
    assert report.verdict is verdict
    assert report.passed is (verdict is Outcome.PASS)


def test_a_report_is_not_a_boolean() -> None:
    with pytest.raises(TypeError, match=r"ask for \.verdict"):
        bool(Report.of([PASS]))


def test_a_report_as_json() -> None:
    report = Report.of([PASS, blocked("c.d", "it follows", "a.b")])
    assert report.as_json() == {
        "verdict": "fail",
        "counts": {"pass": 1, "fail": 0, "warn": 0, "skip": 1},
        "checks": [
            {"id": "a.b", "title": "it holds", "outcome": "pass", "required": True},
            {
                "id": "c.d",
                "title": "it follows",
                "outcome": "skip",
                "required": True,
                "detail": "not checked: blocked by a.b",
            },
        ],
    }


def test_a_check_is_found_by_its_id() -> None:
    report = Report.of([PASS, FAIL])
    assert report["a.b"] is PASS
    with pytest.raises(KeyError):
        report["x.y"]
