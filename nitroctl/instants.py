"""Instants as every answer prints them: RFC 3339 in UTC, to the second, ending in Z."""

from datetime import UTC, datetime


def rfc3339(at: datetime) -> str:
    """Return the aware instant ``at``; fractions of a second are cut off."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def rfc3339_of(epoch: int) -> str:
    """Return the instant that is ``epoch`` seconds after the start of 1970."""
    return rfc3339(datetime.fromtimestamp(epoch, UTC))
