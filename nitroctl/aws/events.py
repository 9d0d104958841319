"""CloudTrail's event history of a Region, asked from the oldest to the newest, no faster than AWS lets it be.

LookupEvents answers the newest event first, two requests a second for an account and Region, fifty events each, ninety
days back; it can filter by one attribute. A period is therefore asked in slices, so that what comes is nearly in order.
Source: CloudTrail API reference, LookupEvents; KMS Developer Guide, "Determining past usage of a KMS key".
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from nitroctl.aws.calls import calling, client

#: Seconds between the beginnings of two requests: AWS takes two a second.
INTERVAL_S: Final = 0.5
#: How far back the event history goes.
HISTORY: Final = timedelta(days=90)
#: The most that AWS gives at a time.
PAGE: Final = 50
_SLICE: Final = timedelta(days=3)
_SECOND: Final = timedelta(seconds=1)
_OPERATION: Final = "cloudtrail:LookupEvents"


def look_up(  # noqa: PLR0913  (what, when, and a clock)
    region: str,
    attribute: tuple[str, str],
    since: datetime,
    until: datetime,
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[bytes]:
    """Yield AWS's answers about events from ``since`` to ``until`` (aware), as ``aws cloudtrail lookup-events`` prints.

    ``attribute``: name and value (``EventSource``, ``ResourceName``). Events of a slice come newest first. Raises
    CannotAnswer ``aws.library``, AwsFailed ``aws.*``.
    """
    service = client("cloudtrail", region)
    ready = clock()
    begin = since
    while begin <= until:
        end = min(begin + _SLICE - _SECOND, until)
        token: str | None = None
        seen = set[str]()
        while True:
            pause(max(0.0, ready - clock()))
            ready = clock() + INTERVAL_S
            answer = _page(service, region, attribute, (begin, end), token)
            yield _printed(answer)
            token = answer.get("NextToken")
            if token is None:
                break
            with calling(_OPERATION, region):
                if not isinstance(token, str) or token in seen:
                    raise ValueError("the same page again")
            seen.add(token)
        begin = end + _SECOND


def _page(
    service: Any,  # noqa: ANN401  (boto3's class)
    region: str,
    attribute: tuple[str, str],
    period: tuple[datetime, datetime],
    token: str | None,
) -> dict[str, Any]:
    """Return one answer. Raises AwsFailed."""
    name, value = attribute
    with calling(_OPERATION, region):
        answer = service.lookup_events(
            LookupAttributes=[{"AttributeKey": name, "AttributeValue": value}],
            StartTime=period[0],
            EndTime=period[1],
            MaxResults=PAGE,
            **({"NextToken": token} if token else {}),
        )
        if not isinstance(answer["Events"], list):
            raise TypeError("Events is no list")
    return dict(answer)


def _printed(answer: dict[str, Any]) -> bytes:
    """Return an answer as JSON with the records themselves; an event without one is an empty object, told later."""
    events = [
        {"CloudTrailEvent": each["CloudTrailEvent"]} if "CloudTrailEvent" in each else {} for each in answer["Events"]
    ]
    return json.dumps({"Events": events}).encode("utf-8", "backslashreplace")
