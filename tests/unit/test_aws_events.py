"""CloudTrail's event history: no faster than AWS lets it be, and in slices that cover the period once."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from nitroctl.aws import events
from nitroctl.aws.calls import calling
from nitroctl.errors import AwsFailed
from tests.fakes.cloudtrail import EventHistory
from tests.fakes.kms import REGION, Kms, Refusal
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


@pytest.mark.parametrize(
    ("aws_code", "hint"),
    [
        ("AccessDeniedException", "the caller needs cloudtrail:LookupEvents in its IAM policy"),
        ("ThrottlingException", "wait a minute and repeat; CloudTrail limits the requests of an account"),
        (
            "InternalFailure",
            "CloudTrail failed four times: wait and repeat; the AWS Health Dashboard tells of trouble",
        ),
    ],
)
def test_what_to_do_about_a_refusal_is_about_the_service_that_refused(
    kms_service: Kms, aws_code: str, hint: str
) -> None:
    kms_service.knobs.refuse["LookupEvents"] = Refusal(aws_code)
    assert failed().hints == (hint,)


def test_an_address_that_is_wrong_is_named_by_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", "localhost")
    assert failed().hints == ("is AWS_ENDPOINT_URL_CLOUDTRAIL the address of CloudTrail?",)
    with pytest.raises(AwsFailed) as caught, calling("cloudtrail:LookupEvents", REGION):
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    assert caught.value.hints == ("check network, proxy and AWS_ENDPOINT_URL_CLOUDTRAIL",)


def failed() -> AwsFailed:
    with pytest.raises(AwsFailed) as caught:
        list(events.look_up(REGION, ("EventSource", "x"), AT, AT, pause=lambda _: None))
    return caught.value
