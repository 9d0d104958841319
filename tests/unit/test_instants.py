"""Instants as they are printed."""

from datetime import UTC, datetime, timedelta, timezone

from nitroctl.instants import rfc3339, rfc3339_of


def test_an_instant_is_printed_in_utc_to_the_second() -> None:
    at = datetime(2026, 11, 20, 11, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert rfc3339(at) == "2026-11-20T10:30:15Z"
    assert rfc3339(datetime(2026, 11, 20, tzinfo=UTC)) == "2026-11-20T00:00:00Z"


def test_seconds_since_1970_are_printed_as_the_instant_they_are() -> None:
    assert rfc3339_of(0) == "1970-01-01T00:00:00Z"
    assert rfc3339_of(2**32 - 1) == "2106-02-07T06:28:15Z"  # the last one that a cpio member can have
