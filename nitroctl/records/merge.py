"""Two ledgers that grew from one, made one again: what ``git merge`` cannot do with lines.

Entries of both sides are kept. An entry that both changed keeps the status that is further on and every time that was
written; of two times for the same step, the earlier. Registers are never chosen between: that is a conflict.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nitroctl.records.entry import Build, Entry, Status, first_fault
from nitroctl.records.ledger import Ledger
from nitroctl.records.ledger import first_fault as first_fault_between

#: Between the words of two sides.
JOINT: Final = "; "
_FURTHER: Final = (Status.CANDIDATE, Status.ACTIVE, Status.RETIRED, Status.REVOKED)
_TIMES: Final[Mapping[Status, Sequence[str]]] = {
    Status.CANDIDATE: (),
    Status.ACTIVE: ("activated_at",),
    Status.RETIRED: ("activated_at", "retired_at"),
    Status.REVOKED: ("activated_at", "retired_at", "revoked_at"),
}


@dataclass(frozen=True, slots=True)
class Merged:
    """The ledger of both sides; or, with ``conflicts``, why there is none. ``ledger`` is that of ours then."""

    ledger: Ledger
    conflicts: tuple[str, ...] = ()


def merge(base: Ledger, ours: Ledger, theirs: Ledger) -> Merged:
    """Return the ledger that holds what both sides recorded since ``base``, or what they cannot both mean."""

    def lost(side: Ledger) -> list[Entry]:
        there = {entry.id for entry in side}
        return [old for old in base if old.id not in there]

    conflicts = [
        f"{old.id} was recorded before both sides, and is gone from {side}"
        for side, ledger in (("ours", ours), ("theirs", theirs))
        for old in lost(ledger)
    ]
    mine = {entry.id: entry for entry in ours}
    merged = dict(mine)
    for entry in theirs:
        if entry.id not in mine:
            merged[entry.id] = entry
            continue
        both, why = _both(mine[entry.id], entry)
        conflicts += [f"{entry.id}: {each}" for each in why]
        merged[entry.id] = both
    ledger = Ledger.of(merged.values(), _limit(base, ours, theirs))
    if not conflicts:
        broken = first_fault_between(ledger.entries, ledger.max_active)
        if broken:
            conflicts.append(broken[1].message)
    return Merged(ours, tuple(conflicts)) if conflicts else Merged(ledger)


def _limit(base: Ledger, ours: Ledger, theirs: Ledger) -> int:
    """Return the number that a side changed; of two changes the stricter."""
    changed = [side.max_active for side in (ours, theirs) if side.max_active != base.max_active]
    return min(changed, default=base.max_active)


def _both(ours: Entry, theirs: Entry) -> tuple[Entry, list[str]]:
    """Return the entry that both sides mean, and what they mean differently."""
    if ours == theirs:
        return ours, []
    if (ours.pcrs, ours.pin, ours.platform) != (theirs.pcrs, theirs.pin, theirs.platform):
        return ours, ["it has other measurements on the two sides; give one of the two builds a version of its own"]
    status = max(ours.status, theirs.status, key=_FURTHER.index)
    pairs = [(name, getattr(ours, name), getattr(theirs, name)) for name in ("artifact", "source", "signer")]
    why = [f"it has another {name} on the two sides" for name, one, other in pairs if one and other and one != other]
    allowed = _TIMES[status]
    both = dataclasses.replace(
        ours,
        status=status,
        artifact=ours.artifact or theirs.artifact,
        source=ours.source or theirs.source,
        build=_build(ours, theirs, why),
        signer=ours.signer or theirs.signer,
        recorded_at=min(ours.recorded_at, theirs.recorded_at),
        activated_at=_earlier(ours.activated_at, theirs.activated_at) if "activated_at" in allowed else None,
        retired_at=_earlier(ours.retired_at, theirs.retired_at) if "retired_at" in allowed else None,
        revoked_at=_earlier(ours.revoked_at, theirs.revoked_at) if "revoked_at" in allowed else None,
        revoked_because=_joined(ours.revoked_because, theirs.revoked_because),
        notes=_joined(ours.notes, theirs.notes),
    )
    fault = first_fault(both)
    return both, [*why, *([fault.message] if fault else [])]


def _build(ours: Entry, theirs: Entry, why: list[str]) -> Build | None:
    one, other = ours.build, theirs.build
    if one is None or other is None:
        return one or other
    if dataclasses.replace(one, reproduced_by=()) != dataclasses.replace(other, reproduced_by=()):
        why.append("it has another build on the two sides")
    return dataclasses.replace(one, reproduced_by=tuple(dict.fromkeys([*one.reproduced_by, *other.reproduced_by])))


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _joined(one: str, other: str) -> str:
    """Return the words of both sides, what they have in common once; merging again changes nothing."""
    return JOINT.join(dict.fromkeys(part for text in (one, other) if text for part in text.split(JOINT)))
