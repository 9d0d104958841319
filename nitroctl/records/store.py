"""The ledger's file: read whole, added to under a lock, replaced whole or not at all."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nitroctl import pcr, safefile
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.records import form, quick
from nitroctl.records.entry import Entry, Status
from nitroctl.records.ledger import Ledger, first_fault
from nitroctl.records.lifecycle import Step, activated, changed, refuse_revoked

#: The most a ledger may hold: some 110,000 entries with every member there is.
SIZE_LIMIT: Final = 256 * 1024 * 1024
#: How long a writer waits for the others, in seconds.
PATIENCE: Final = 60.0

_PAUSE: Final = 0.005


class Outcome(StrEnum):
    """What became of a recording."""

    ADDED = "added"
    ACTIVATED = "activated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What :func:`record` did. ``entry`` is the entry as the ledger has it now.

    ``ignored``: members in which the offered entry differs from the one that stands (never registers or pins).
    """

    entry: Entry
    outcome: Outcome
    ignored: tuple[str, ...] = ()


def load(path: str, *, missing_ok: bool = False, empty_ok: bool = False, known: quick.Known | None = None) -> Ledger:
    """Return the ledger in the file ``path``.

    It is an empty one for an absent file when ``missing_ok``, and for an empty file when ``empty_ok``. ``known``: the
    entries of other versions of it, which are not taken apart again; its own are added.

    Raises CannotAnswer ``records.missing``, ``file.*``, ``json.*`` or ``records.*`` (see :func:`form.loads`).
    """
    try:
        text = safefile.read_text(path, limit=SIZE_LIMIT)
    except CannotAnswer as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        if missing_ok:
            return Ledger()
        raise CannotAnswer(
            f"{path}: no recorded measurements",
            "records.missing",
            ["nitroctl pcr record makes it", "name another file with --records or NITROCTL_RECORDS"],
        ) from error
    return Ledger() if empty_ok and not text else form.loads(text, where=path, known=known)


def record(path: str, entry: Entry) -> Recorded:
    """Add ``entry`` to the ledger at ``path``; :func:`record_all` for one."""
    return record_all(path, [entry])[0]


def record_all(path: str, entries: Sequence[Entry]) -> tuple[Recorded, ...]:
    """Add ``entries`` to the ledger at ``path`` under its lock, all or none, making the file if need be.

    Recording what already stands is a no-op that says so; an active entry makes the same candidate active. Raises
    CannotAnswer ``records.version-taken`` for a version that stands with other registers or pins,
    ``records.not-active`` for one that was retired or revoked, ``records.time-order`` when the clock has gone back,
    ``records.not-revoked`` for an active one whose image was revoked under another name, ``records.too-many-active``,
    ``records.busy``, and whatever :func:`load` and :func:`safefile.replace` raise.
    """
    if path == safefile.STDIN:
        raise UsageError("the ledger to record in cannot be standard input", "usage.invalid", ["name a file"])
    with _alone(path):
        ledger = load(path, missing_ok=True)
        standing = {known.id: known for known in ledger}
        done: list[Recorded] = []
        for entry in entries:
            recorded = _merged(path, standing.get(entry.id), entry)
            if recorded.outcome is not Outcome.UNCHANGED and recorded.entry.status is Status.ACTIVE:
                refuse_revoked(ledger, recorded.entry)
            standing[entry.id] = recorded.entry
            done.append(recorded)
        if any(each.outcome is not Outcome.UNCHANGED for each in done):
            after = Ledger.of(standing.values(), ledger.max_active)
            _hold_to_rules(path, after, done[-1].entry)
            safefile.replace(path, form.dumps(after).encode("ascii"))
        return tuple(done)


def change(path: str, steps: Callable[[Ledger], Sequence[Step]]) -> tuple[Step, ...]:
    """Take ``steps``, worked out from the ledger at ``path`` while its lock is held, and write what changed.

    Returns the steps. All are taken or none; nothing is written when none changes anything. Raises what ``steps``
    raises, CannotAnswer ``records.too-many-active``, ``records.busy``, and whatever :func:`load` and
    :func:`safefile.replace` raise.
    """
    _refuse_stdin(path)
    with _alone(path):
        ledger = load(path)
        taken = tuple(steps(ledger))
        entries = changed(taken)
        if entries:
            after = ledger.replacing(entries)
            _hold_to_rules(path, after, entries[0])
            safefile.replace(path, form.dumps(after).encode("ascii"))
        return taken


def rewrite(path: str, become: Callable[[Ledger], Ledger | None], known: quick.Known | None = None) -> None:
    """Make the ledger at ``path`` what ``become`` makes of it while its lock is held; None leaves the file as it is.

    ``known``: as for :func:`load`.

    Raises what ``become``, :func:`load` and :func:`safefile.replace` raise, CannotAnswer ``records.busy``.
    """
    _refuse_stdin(path)
    with _alone(path):
        after = become(load(path, known=known))
        if after is not None:
            safefile.replace(path, form.dumps(after).encode("ascii"))


def write(path: str, ledger: Ledger) -> None:
    """Write ``ledger`` to ``path`` under its lock, whole or not at all. Raises what :func:`safefile.replace` raises."""
    _refuse_stdin(path)
    with _alone(path):
        safefile.replace(path, form.dumps(ledger).encode("ascii"))


def _refuse_stdin(path: str) -> None:
    if path == safefile.STDIN:
        raise UsageError("the ledger to change cannot be standard input", "usage.invalid", ["name a file"])


def _merged(path: str, standing: Entry | None, entry: Entry) -> Recorded:
    """Return what becomes of ``entry`` beside the entry of the same version that already stands."""
    if standing is None:
        return Recorded(entry, Outcome.ADDED)
    if (standing.component, standing.version) != (entry.component, entry.version):
        raise CannotAnswer(
            f"{path}: the id {entry.id} is taken by version {standing.version} of {standing.component}",
            "records.version-taken",
            ["call the component or the version something else"],
        )
    if (standing.pcrs, standing.pin, standing.platform) != (entry.pcrs, entry.pin, entry.platform):
        raise CannotAnswer(
            f"{path}: {entry.id} is already recorded with other measurements: {_difference(standing, entry)}",
            "records.version-taken",
            [
                "a version has one set of measurements; give this build a version of its own",
                f"nitroctl pcr show {entry.id} shows what stands",
            ],
        )
    ignored = tuple(
        name for name in ("artifact", "source", "build", "signer", "notes") if _offers_other(standing, entry, name)
    )
    if entry.status is not Status.ACTIVE or standing.status is Status.ACTIVE:
        return Recorded(standing, Outcome.UNCHANGED, ignored)
    if standing.status is not Status.CANDIDATE:
        raise CannotAnswer(
            f"{path}: {entry.id} is {standing.status} and does not become active again",
            "records.not-active",
            ["give this build a version of its own"],
        )
    return Recorded(activated(standing, entry.recorded_at), Outcome.ACTIVATED, ignored)


def _offers_other(standing: Entry, entry: Entry, name: str) -> bool:
    return bool(getattr(entry, name)) and getattr(entry, name) != getattr(standing, name)


def _difference(standing: Entry, entry: Entry) -> str:
    registers = [
        pcr.name(index)
        for index in sorted({*standing.pcrs, *entry.pcrs})
        if standing.pcrs.get(index) != entry.pcrs.get(index)
    ]
    if registers:
        return f"{', '.join(registers)} {'differs' if len(registers) == 1 else 'differ'}"
    return "other registers are pinned" if standing.pin != entry.pin else "another platform"


def _hold_to_rules(path: str, ledger: Ledger, entry: Entry) -> None:
    broken = first_fault(ledger.entries, ledger.max_active)
    if broken is None:
        return
    fault = broken[1]
    others = ", ".join(known.id for known in ledger.active(entry.component, entry.environment) if known.id != entry.id)
    raise CannotAnswer(
        f"{path}: {entry.id} would be one more than {ledger.max_active} active entries: {others}",
        fault.code,
        ["record it as a candidate (without --activate)", fault.hint],
    )


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """Hold the lock of the ledger at ``path`` for the block.

    The lock is on the directory that holds the ledger. A lock file beside it would litter repositories and be
    committed; one in a lock directory would not be seen from a container that shares the checkout, and would belong
    to whoever came first; and the ledger itself is a new file after every write. A directory needs only be readable,
    leaves nothing behind, and every writer of the file must be in it.
    """
    directory = os.path.dirname(os.path.realpath(path))  # noqa: PTH120
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise safefile.cannot_write(path, error) from error
    try:
        _wait_for(descriptor, path, directory)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, path: str, directory: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise CannotAnswer(
                    f"{path}: another program has held the lock on {directory} for {PATIENCE:.0f} s",
                    "records.busy",
                    ["run it again when the other has ended; fuser shows which it is"],
                ) from error
            time.sleep(_PAUSE)
        except OSError as error:
            raise CannotAnswer(
                f"{path}: the directory {directory} cannot be locked: {(error.strerror or '').lower()}",
                "records.busy",
                ["keep the ledger on a local file system while it is written"],
            ) from error
        else:
            return
