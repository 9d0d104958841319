"""A CloudTrail on this machine for the tests: LookupEvents over records that a test gives, as its reference says.

Newest first, fifty at a time, one attribute, inclusive times. It is no witness for AWS: what a real event history lists
under a key's ARN is not documented to the last event.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.fakes.kms_http import Answer
from tests.fakes.kms_policy import Refusal


class EventHistory:
    """What LookupEvents answers from. ``events``: records. ``refuse_after``: answers before a refusal; None is never.

    ``bare``: answers have events without their record. ``same_token``: every page says that the same one follows.
    """

    def __init__(self, *events: Mapping[str, Any]) -> None:
        self.events = list(events)
        self.requests: list[dict[str, Any]] = []
        self.refuse_after: int | None = None
        self.refusal = Refusal("ThrottlingException", "Rate exceeded")
        self.bare = False
        self.same_token = False

    def __call__(self, body: dict[str, Any]) -> Answer:
        """Answer one request."""
        self.requests.append(body)
        if self.refuse_after is not None and len(self.requests) > self.refuse_after:
            return self.refusal
        [attribute] = body["LookupAttributes"]
        if body["StartTime"] > body["EndTime"]:
            return Refusal("InvalidTimeRangeException", "the start is after the end")
        found = [
            each
            for each in self.events
            if _has(each, attribute) and body["StartTime"] <= _when(each) <= body["EndTime"]
        ]
        found.sort(key=_when, reverse=True)
        first, most = 0 if self.same_token else int(body.get("NextToken", 0)), body["MaxResults"]
        page = [self._told(each) for each in found[first : first + most]]
        more = {"NextToken": str(first + most)} if first + most < len(found) else {}
        return {"Events": page, **({"NextToken": "again"} if self.same_token and page else more)}

    def _told(self, record: Mapping[str, Any]) -> dict[str, Any]:
        event = {"EventId": record["eventID"], "EventName": record["eventName"], "EventTime": _when(record)}
        return event if self.bare else event | {"CloudTrailEvent": json.dumps(record)}


def _when(record: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(record["eventTime"]).timestamp()


def _has(record: Mapping[str, Any], attribute: Mapping[str, str]) -> bool:
    if attribute["AttributeKey"] == "EventSource":
        return bool(record["eventSource"] == attribute["AttributeValue"])
    assert attribute["AttributeKey"] == "ResourceName", attribute
    return any(each.get("ARN") == attribute["AttributeValue"] for each in record["resources"])
