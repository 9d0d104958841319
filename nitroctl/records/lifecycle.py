"""The life of an entry: candidate, active, retired, revoked; only ever forward, and never deleted.

Each step is a function from a ledger to the entries that it changes, so that a step can be shown before it is taken.
Whoever asks later which image was accepted when finds the answer in the times.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nitroctl.errors import CannotAnswer
from nitroctl.records.entry import Entry, Fault, Status, first_fault, time_text
from nitroctl.records.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Step:
    """What a step changes. ``before`` is None for an entry that is new; ``unchanged``: the ledger has it already."""

    before: Entry | None
    after: Entry

    @property
    def unchanged(self) -> bool:
        """Whether nothing is to be written."""
        return self.before == self.after


def promote(ledger: Ledger, entry: Entry, environment: str, at: datetime) -> tuple[Step, ...]:
    """Take what is recorded for one environment over to another, as a candidate there: the same image, unbuilt anew.

    Raises CannotAnswer ``records.transition`` for a revoked entry, ``records.version-taken`` when the other
    environment has this version with other measurements, and what :func:`first_fault` finds.
    """
    if entry.status is Status.REVOKED:
        raise _impossible(entry, "it is not taken to another environment")
    after = dataclasses.replace(
        entry,
        environment=environment,
        status=Status.CANDIDATE,
        recorded_at=_second(at),
        activated_at=None,
        retired_at=None,
        revoked_at=None,
        revoked_because="",
    )
    _hold(after)
    if after.recorded_at < entry.recorded_at:
        raise _backwards(entry, after.recorded_at)
    standing = next((known for known in ledger if known.id == after.id), None)
    if standing is None:
        return (Step(None, after),)
    if (standing.pcrs, standing.pin, standing.platform) != (entry.pcrs, entry.pin, entry.platform):
        raise CannotAnswer(
            f"{standing.id} is already recorded with other measurements than {entry.id}",
            "records.version-taken",
            ["a version has one set of measurements; give one of the two builds a version of its own"],
        )
    return (Step(standing, standing),)


def rollout(ledger: Ledger, entry: Entry, at: datetime) -> tuple[Step, ...]:
    """Make a candidate active, beside what is active already.

    Raises CannotAnswer ``records.transition`` for an entry that was retired or revoked, ``records.not-revoked`` when a
    revoked entry has the same image, ``records.too-many-active``.
    """
    if entry.status is Status.ACTIVE:
        return (Step(entry, entry),)
    if entry.status is not Status.CANDIDATE:
        raise _impossible(entry, "it does not become active again")
    refuse_revoked(ledger, entry)
    others = ledger.active(entry.component, entry.environment)
    if len(others) >= ledger.max_active:
        raise CannotAnswer(
            f"{entry.id} would be one more than {ledger.max_active} active entries: "
            + ", ".join(known.id for known in others),
            "records.too-many-active",
            [f"finish the last rollout first: nitroctl pcr finalize {others[-1].id}"],
        )
    return (_moved(entry, Status.ACTIVE, at),)


def activated(entry: Entry, at: datetime) -> Entry:
    """Return a candidate as it is once active. Raises CannotAnswer ``records.time-order`` when the clock went back."""
    return _moved(entry, Status.ACTIVE, at).after


def refuse_revoked(ledger: Ledger, entry: Entry) -> None:
    """Refuse to make an image active that was revoked under another name: CannotAnswer ``records.not-revoked``."""
    for known in ledger.on(entry.platform).revoking(entry.pcrs):
        if known.id != entry.id:
            why = f": {known.revoked_because}" if known.revoked_because else ""
            raise CannotAnswer(
                f"{entry.id} is the same image as {known.id}, revoked at {time_text(known.since)}{why}",
                "records.not-revoked",
                ["build another image", f"nitroctl pcr show {known.id} shows what was revoked"],
            )


def finalize(ledger: Ledger, entry: Entry, at: datetime) -> tuple[Step, ...]:
    """Retire every other active entry of the same component and environment: the rollout of ``entry`` is done.

    Raises CannotAnswer ``records.transition`` when ``entry`` is not active.
    """
    if entry.status is not Status.ACTIVE:
        raise CannotAnswer(
            f"{entry.id} is {entry.status}: a rollout is finished by the entry that stays active",
            "records.transition",
            [f"nitroctl pcr rollout {entry.id}"] if entry.status is Status.CANDIDATE else ["name the active entry"],
        )
    others = [known for known in ledger.active(entry.component, entry.environment) if known.id != entry.id]
    return (Step(entry, entry), *(_moved(known, Status.RETIRED, at) for known in others))


def retire(ledger: Ledger, entry: Entry, at: datetime, *, last: bool = False) -> tuple[Step, ...]:
    """Retire a candidate or an active entry: nothing is wrong with it, and it is no longer run.

    Raises CannotAnswer ``records.transition`` for a revoked one, ``records.last-active`` when nothing would be left
    active and ``last`` does not say that this is meant.
    """
    if entry.status is Status.RETIRED:
        return (Step(entry, entry),)
    if entry.status is Status.REVOKED:
        raise _impossible(entry, "it does not become retired")
    active = ledger.active(entry.component, entry.environment)
    if not last and [known.id for known in active] == [entry.id]:
        raise CannotAnswer(
            f"{entry.id} is the only active entry of {entry.component} in {entry.environment}: "
            "nothing would be accepted there any more",
            "records.last-active",
            ["roll out its successor first: nitroctl pcr rollout ENTRY", "or say --last, when it is meant"],
        )
    return (_moved(entry, Status.RETIRED, at),)


def revoke(ledger: Ledger, entry: Entry, at: datetime, because: str, *, everywhere: bool = False) -> tuple[Step, ...]:
    """Revoke an entry, whatever its status: its image must not run again.

    ``everywhere``: every entry with the same image too, in other environments and under other names. Raises
    CannotAnswer ``records.reason`` without a reason, ``records.text`` for one that cannot be written.
    """
    if not because.strip():
        raise CannotAnswer(f"{entry.id}: a revocation has a reason", "records.reason", ["say it with --reason TEXT"])
    concerned = [entry, *(same_image(ledger, entry) if everywhere else ())]
    return tuple(_revoked(known, at, because) for known in concerned)


def _revoked(entry: Entry, at: datetime, because: str) -> Step:
    if entry.status is Status.REVOKED:
        return Step(entry, entry)
    return _moved(dataclasses.replace(entry, revoked_because=because.strip()), Status.REVOKED, at, before=entry)


def same_image(ledger: Ledger, entry: Entry) -> tuple[Entry, ...]:
    """Return the other entries with the image of ``entry``, also where they pin another parent or signer."""
    found = ledger.of_image(entry.pcrs)
    return tuple(known for known in found if known.id != entry.id and known.platform == entry.platform)


_STAMPS = {Status.ACTIVE: "activated_at", Status.RETIRED: "retired_at", Status.REVOKED: "revoked_at"}


def _moved(entry: Entry, status: Status, at: datetime, before: Entry | None = None) -> Step:
    stamp = _second(at)
    if stamp < entry.since:
        raise _backwards(entry, stamp)
    after = dataclasses.replace(entry, status=status, **{_STAMPS[status]: stamp})  # type: ignore[arg-type]
    _hold(after)
    return Step(before or entry, after)


def _second(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _hold(entry: Entry) -> None:
    fault: Fault | None = first_fault(entry)
    if fault:
        raise CannotAnswer(f"{entry.id}: {fault.message}", fault.code, [fault.hint] if fault.hint else [])


def _backwards(entry: Entry, at: datetime) -> CannotAnswer:
    return CannotAnswer(
        f"{entry.id} has its status since {time_text(entry.since)}, and the clock says {time_text(at)}",
        "records.time-order",
        ["set the clock of this machine, or of the one that wrote the entry"],
    )


def _impossible(entry: Entry, what: str) -> CannotAnswer:
    why = f": {entry.revoked_because}" if entry.revoked_because else ""
    return CannotAnswer(
        f"{entry.id} is {entry.status} since {time_text(entry.since)}{why}; {what}",
        "records.transition",
        ["give the build that is to run a version of its own"],
    )


def changed(steps: Sequence[Step]) -> tuple[Entry, ...]:
    """Return the entries that are to be written."""
    return tuple(step.after for step in steps if not step.unchanged)
