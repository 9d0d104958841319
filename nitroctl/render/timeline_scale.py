"""Where things stand on a timeline: episodes of activity, positions in them, and the marks on their axes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nitroctl.evidence.survey import Seen

#: Two periods further apart than this are drawn apart: an empty axis shows nothing.
GAP: Final = timedelta(hours=12)
#: Documents closer than this share of a panel's width are one mark.
_RESOLUTION: Final = 1 / 250
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS: Final = (
    *(_MINUTE * count for count in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * count for count in (1, 2, 3, 6, 12)),
    *(_DAY * count for count in (1, 2, 7, 14)),
)
_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 1200, 12000, 24000)
_MONTH: Final = 2_629_746
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of time laid over a width, a little wider than from ``first`` to ``last``, which it is drawn for.

    All are aware; the end is later than the begin.
    """

    begin: datetime
    end: datetime
    first: datetime
    last: datetime

    @classmethod
    def around(cls, times: Iterable[datetime]) -> "Scale":
        """Return the scale that holds every one of ``times`` with a little room, at least a minute."""
        known = list(times)
        first, last = min(known), max(known)
        room = max((last - first) / 50, timedelta(seconds=30))
        return cls(_moved(first, -room), _moved(last, room), first, last)

    def share(self, at: datetime) -> float:
        """Return where ``at`` is, from 0 to 1; what lies outside is at the edge."""
        return min(1.0, max(0.0, (at - self.begin) / (self.end - self.begin)))

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return at most ``most`` round times with their positions and labels."""
        seconds = (self.end - self.begin).total_seconds()
        step = next((step for step in _STEPS if seconds / step <= most), None)
        times = _every(self, step) if step else _months(self, seconds, most)
        return [(self.share(at), label) for at, label in times]


def _moved(at: datetime, by: timedelta) -> datetime:
    try:
        return at + by
    except OverflowError:  # the ends of the calendar, which a document may name
        return at


def _every(scale: Scale, step: int) -> Iterator[tuple[datetime, str]]:
    first, last = ((at - _EPOCH) // timedelta(seconds=step) for at in (scale.begin, scale.end))
    for number in range(first + 1, last + 1):
        at = _EPOCH + timedelta(seconds=number * step)
        midnight = at.hour == at.minute == 0
        yield at, f"{at:%m-%d}" if step < _DAY and midnight else f"{at:%H:%M}" if step < _DAY else f"{at:%Y-%m-%d}"


def _months(scale: Scale, seconds: float, most: int) -> Iterator[tuple[datetime, str]]:
    step = next((step for step in _MONTHS if seconds / (_MONTH * step) <= most), _MONTHS[-1])
    month = (scale.begin.year * _YEAR + scale.begin.month - 1) // step * step
    while month // _YEAR <= scale.end.year:
        month += step
        if not 1 <= month // _YEAR <= 9999:  # noqa: PLR2004  (the calendar's end)
            return
        at = datetime(month // _YEAR, month % _YEAR + 1, 1, tzinfo=UTC)
        if scale.begin <= at <= scale.end:
            yield at, f"{at:%Y}" if step >= _YEAR else f"{at:%Y-%m}"


@dataclass(frozen=True, slots=True)
class Episode:
    """Documents whose leaf periods follow each other without a gap of :data:`GAP`, and the scale they are drawn on."""

    scale: Scale
    documents: tuple[Seen, ...]


def episodes(documents: Sequence[Seen]) -> list[Episode]:
    """Return the documents in episodes, the earliest first."""
    found: list[Episode] = []
    members: list[Seen] = []
    until: datetime | None = None
    for seen in sorted(documents, key=lambda seen: (_begin(seen), seen.time, seen.name)):
        if until is not None and _begin(seen) - until > GAP:
            found.append(_episode(members))
            members, until = [], None
        members.append(seen)
        until = max(_end(seen), until or _end(seen))
    return [*found, _episode(members)] if members else found


def _begin(seen: Seen) -> datetime:
    return min(seen.leaf.begins, seen.time)


def _end(seen: Seen) -> datetime:
    return max(seen.leaf.ends, seen.time)


def _episode(members: Sequence[Seen]) -> Episode:
    scale = Scale.around(time for seen in members for time in (_begin(seen), _end(seen)))
    return Episode(scale, tuple(sorted(members, key=lambda seen: (seen.time, seen.name))))


def marks(scale: Scale, documents: Sequence[Seen]) -> list[tuple[float, list[Seen]]]:
    """Return the documents as marks with their positions, those too close to tell apart in one mark."""
    found: list[tuple[float, list[Seen]]] = []
    for seen in sorted(documents, key=lambda seen: (seen.time, seen.name)):
        share = scale.share(seen.time)
        if found and share - found[-1][0] < _RESOLUTION:
            found[-1][1].append(seen)
        else:
            found.append((share, [seen]))
    return found
