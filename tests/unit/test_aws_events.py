"""CloudTrail's event history: no faster than AWS lets it be, and in slices that cover the period once."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from nitroctl.aws import events
from tests.fakes.cloudtrail import EventHistory
from tests.fakes.kms import REGION, Kms
from tests.trails import KEY

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


class Clock:
    """A clock that only pauses move, and a little with each look."""

    def __init__(self) -> None:
        self.time = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        self.time += 0.125
        return self.time

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


def test_two_requests_a_second_and_no_more(kms_service: Kms) -> None:
    history = kms_service.operations["LookupEvents"] = EventHistory()
    clock = Clock()
    period = AT, AT + timedelta(days=9)
    found = events.look_up(REGION, ("ResourceName", KEY), *period, pause=clock.pause, clock=clock)
    begun = [clock.time for _ in found]
    assert len(begun) == len(history.requests) == 4
    assert clock.pauses[0] == 0
    assert all(later - earlier >= events.INTERVAL_S for earlier, later in itertools.pairwise(begun))


@pytest.mark.parametrize(
    ("span", "slices"),
    [(timedelta(0), 1), (timedelta(days=3, seconds=-1), 1), (timedelta(days=3), 2), (events.HISTORY, 31)],
    ids=["instant", "slice", "over", "all"],
)
def test_a_period_is_covered_once_to_its_last_second(kms_service: Kms, span: timedelta, slices: int) -> None:
    history = kms_service.operations["LookupEvents"] = EventHistory()
    list(events.look_up(REGION, ("EventSource", "x"), AT, AT + span, pause=lambda _: None))
    asked = [(each["StartTime"], each["EndTime"]) for each in history.requests]
    assert len(asked) == slices
    assert (asked[0][0], asked[-1][1]) == (AT.timestamp(), (AT + span).timestamp())
    assert all(later[0] == earlier[1] + 1 for earlier, later in itertools.pairwise(asked))
