"""Whether one ledger is what another may have become: the question of a review, and of a signature's reader.

Entries are added and go forward in their lives. None is deleted, no register changes, no time that was written changes.
What could be left out of an entry at first may be filled in later (who reproduced it, where it was built).
"""

from collections.abc import Iterator, Mapping
from typing import Final

from nitroctl import pcr
from nitroctl.checks import Check, Outcome, Report
from nitroctl.records.entry import Entry, Status, time_text
from nitroctl.records.ledger import Ledger
from nitroctl.records.merge import JOINT

#: status -> what it may have become.
FORWARD: Final[Mapping[Status, frozenset[Status]]] = {
    Status.CANDIDATE: frozenset(Status),
    Status.ACTIVE: frozenset({Status.ACTIVE, Status.RETIRED, Status.REVOKED}),
    Status.RETIRED: frozenset({Status.RETIRED, Status.REVOKED}),
    Status.REVOKED: frozenset({Status.REVOKED}),
}
_TIMES: Final = ("recorded_at", "activated_at", "retired_at", "revoked_at")
_FACTS: Final = ("artifact", "source", "build", "signer", "revoked_because", "notes")
#: Words, to which a merge adds those of the other side.
_WORDS: Final = ("revoked_because", "notes")

_TITLES: Final = {
    "history.entries": "Every entry that was recorded is still there",
    "history.measurements": "No recorded entry has other registers, pins or platform than before",
    "history.status": "Every status is what it was, or further on",
    "history.times": "No time that was written has changed",
    "history.origin": "No image, source, builder, signer, reason or note that was written has changed",
    "history.limit": "As many versions may be active at a time as before",
}


def compare(before: Ledger, after: Ledger, *, since: str) -> Report:
    """Return whether ``after`` may follow ``before``. ``since``: what ``before`` is, in words (a file, a commit)."""
    entries = {entry.id: entry for entry in after}
    both = [(old, entries.get(old.id)) for old in before]
    pairs = [(old, new) for old, new in both if new is not None and old != new]
    lost = [old.id for old, new in both if new is None]
    faults = {
        "history.entries": [f"{each} is gone" for each in lost],
        "history.measurements": [fault for old, new in pairs for fault in _measurements(old, new)],
        "history.status": [
            f"{old.id} was {old.status} and is {new.status}"
            for old, new in pairs
            if new.status not in FORWARD[old.status]
        ],
        "history.times": [fault for old, new in pairs for fault in _times(old, new)],
        "history.origin": [f"{old.id}: {name}" for old, new in pairs for name in _FACTS if not _kept(old, new, name)],
    }
    checks = [_check(check_id, found, since) for check_id, found in faults.items()]
    return Report.of([*checks, _limit(before, after)])


def _check(check_id: str, faults: list[str], since: str) -> Check:
    shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")  # noqa: PLR2004
    return Check(
        id=check_id,
        title=_TITLES[check_id],
        outcome=Outcome.FAIL if faults else Outcome.PASS,
        detail=f"since {since}: {shown}" if faults else "",
        remedy="restore what was recorded; what is to be accepted instead is a version of its own" if faults else None,
    )


def _measurements(old: Entry, new: Entry) -> Iterator[str]:
    changed = [index for index in sorted({*old.pcrs, *new.pcrs}) if old.pcrs.get(index) != new.pcrs.get(index)]
    if changed:
        yield f"{old.id}: {', '.join(pcr.name(index) for index in changed)}"
    if old.pin != new.pin:
        yield f"{old.id}: pinned are {', '.join(map(pcr.name, new.pin))}, and were {', '.join(map(pcr.name, old.pin))}"
    if old.platform != new.platform:
        yield f"{old.id}: platform {new.platform}, was {old.platform}"


def _times(old: Entry, new: Entry) -> Iterator[str]:
    for name in _TIMES:
        was, now = getattr(old, name), getattr(new, name)
        if was is not None and was != now:
            yield f"{old.id}: {name} {time_text(now) if now else 'is gone'}, was {time_text(was)}"


def _kept(old: Entry, new: Entry, name: str) -> bool:
    """Whether what was written stands. Of a build, who reproduced it may grow; words may get more."""
    was, now = getattr(old, name), getattr(new, name)
    if not was or was == now:
        return True
    if name in _WORDS:
        return set(was.split(JOINT)) <= set(now.split(JOINT))
    if name != "build" or now is None:
        return False
    added = set(now.reproduced_by) >= set(was.reproduced_by)
    same = all(
        not getattr(was, part) or getattr(was, part) == getattr(now, part)
        for part in ("builder", "run", "versions", "inputs", "recipe")
    )
    return added and same


def _limit(before: Ledger, after: Ledger) -> Check:
    """Warn: to let more versions be active is a decision, and nothing that was recorded changes by it."""
    changed = before.max_active != after.max_active
    return Check(
        id="history.limit",
        title=_TITLES["history.limit"],
        outcome=Outcome.WARN if changed else Outcome.PASS,
        detail=f"it was {before.max_active} and is {after.max_active}" if changed else "",
        required=False,
    )
