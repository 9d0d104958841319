"""What differs between two ramdisks, entry by entry: which is how a register that moved gets its explanation.

Entries are paired by name, and several of one name in the order in which Linux unpacks them. What Linux makes of an
entry (type, content, target, device, mode, owner, time) is told apart from the archive's own bookkeeping (inode
numbers, link counts, archives): all of it is measured, and only the former is anybody's intention.
"""

import stat
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from nitroctl.eif.contents import Listing, path
from nitroctl.eif.cpio import Member


class Aspect(StrEnum):
    """In what two entries of one name differ, the gravest first."""

    TYPE = "type"
    CONTENT = "content"
    TARGET = "target"
    DEVICE = "device"
    MODE = "mode"
    OWNER = "owner"
    MTIME = "mtime"
    RECORD = "record"


#: Differences in what an entry is, rather than in who may use it and when it was made.
SUBSTANCE: Final = frozenset({Aspect.TYPE, Aspect.CONTENT, Aspect.TARGET, Aspect.DEVICE})


class Kind(StrEnum):
    """What became of an entry, or why two ramdisks with the same entries differ."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MODE = "mode-or-owner"
    MTIME = "mtime-only"
    RECORD = "record-only"
    ORDER = "order"
    COMPRESSION = "compression"
    ARCHIVE = "archive"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Change:
    """An entry that one ramdisk lacks, or that is another in it: in which ``aspects``, in the order of their class."""

    name: bytes
    first: Member | None
    second: Member | None
    aspects: tuple[Aspect, ...] = ()

    @property
    def kind(self) -> Kind:
        """What became of it: the gravest that applies."""
        if self.first is None:
            return Kind.ADDED
        if self.second is None:
            return Kind.REMOVED
        if SUBSTANCE.intersection(self.aspects):
            return Kind.CHANGED
        if {Aspect.MODE, Aspect.OWNER}.intersection(self.aspects):
            return Kind.MODE
        return Kind.MTIME if Aspect.MTIME in self.aspects else Kind.RECORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """How two ramdisks whose bytes differ are told apart.

    ``changes``: by name. ``moved``: entries that stand elsewhere in the order of unpacking. ``same``: entries without a
    difference. ``compressions``, ``archives``: of both. ``stopped``: why one or both could not be read to the end; then
    entries that are missing on one side are not told, for they may be in what was not read.
    """

    changes: tuple[Change, ...]
    moved: int
    same: int
    compressions: tuple[tuple[str, ...], tuple[str, ...]]
    archives: tuple[int, int]
    stopped: tuple[str, str]

    @property
    def complete(self) -> bool:
        """Whether both ramdisks were read to their end."""
        return not any(self.stopped)

    @property
    def kinds(self) -> dict[Kind, int]:
        """Every kind of difference with how many entries it is of, 0 where it is not of entries; never empty.

        Differing bytes that no entry explains are the compression's, where there is one, or the archive's own.
        """
        counts = Counter(change.kind for change in self.changes)
        found = {kind: counts[kind] for kind in Kind if counts[kind]}
        if self.moved:
            found[Kind.ORDER] = self.moved
        if not self.complete:
            found[Kind.UNREAD] = 0
        elif self.compressions[0] != self.compressions[1]:
            found[Kind.COMPRESSION] = 0
        if not found:
            compressed = any(name != "none" for name in self.compressions[0])
            found[Kind.COMPRESSION if compressed else Kind.ARCHIVE] = 0
        return found

    def of_kind(self, kind: Kind) -> tuple[Change, ...]:
        """Return the changes of one kind, in the order of their names."""
        return tuple(change for change in self.changes if change.kind is kind)


def compare(first: Listing, second: Listing) -> Contents:
    """Return what differs between the entries of two ramdisks."""
    before, after = _keyed(first), _keyed(second)
    stopped = (_stopped(first), _stopped(second))
    changes = []
    same = 0
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key), after.get(key)
        if one and other:
            aspects = tuple(_differing(one, other))
            if not aspects:
                same += 1
                continue
            changes.append(Change(key[0], one, other, aspects))
        elif not any(stopped):
            changes.append(Change(key[0], one, other))
    return Contents(
        changes=tuple(changes),
        moved=_moved(list(before), list(after)),
        same=same,
        compressions=(first.compressions, second.compressions),
        archives=(first.archives, second.archives),
        stopped=stopped,
    )


_Key = tuple[bytes, int]


def _keyed(listing: Listing) -> dict[_Key, Member]:
    """Return the entries by path and, for several of one path, by their number, in the order of unpacking.

    Every hard link of a file is given the content that the file comes to have: archivers store it with the first link
    or with the last one, Linux gives it to all of them.
    """
    seen: Counter[bytes] = Counter()
    found: dict[_Key, Member] = {}
    for index, member in enumerate(listing.members):
        holder = listing.holder(index)
        if holder is not member:
            member = replace(member, size=holder.size, sha256=holder.sha256)  # noqa: PLW2901  (the same entry, whole)
        name = path(member.name)
        found[name, seen[name]] = member
        seen[name] += 1
    return found


def _stopped(listing: Listing) -> str:
    return next((fault.text for fault in listing.faults if fault.final), "")


def _differing(one: Member, other: Member) -> Iterator[Aspect]:
    if stat.S_IFMT(one.mode) != stat.S_IFMT(other.mode):
        yield Aspect.TYPE
    elif (one.size, one.sha256) != (other.size, other.sha256):
        yield Aspect.CONTENT
    if one.target != other.target:
        yield Aspect.TARGET
    if one.rdev != other.rdev:
        yield Aspect.DEVICE if _is_device(one) or _is_device(other) else Aspect.RECORD
    if stat.S_IMODE(one.mode) != stat.S_IMODE(other.mode):
        yield Aspect.MODE
    if (one.uid, one.gid) != (other.uid, other.gid):
        yield Aspect.OWNER
    if one.mtime != other.mtime:
        yield Aspect.MTIME
    if _record(one) != _record(other):
        yield Aspect.RECORD


def _is_device(member: Member) -> bool:
    return stat.S_ISCHR(member.mode) or stat.S_ISBLK(member.mode)


def _record(member: Member) -> tuple[object, ...]:
    """Return what the archive notes for itself, compression aside."""
    return member.name, member.ino, member.nlink, member.device, member.archive


def _moved(before: Iterable[_Key], after: Sequence[_Key]) -> int:
    """Return how many of the entries in both would have to be moved to bring them into the same order.

    All of them but the longest run that is in order already (patience: the length of the last pile's chain).
    """
    places = {key: place for place, key in enumerate(after)}
    common = [places[key] for key in before if key in places]
    piles: list[int] = []
    for place in common:
        at = bisect_left(piles, place)
        piles[at : at + 1] = [place]
    return len(common) - len(piles)
