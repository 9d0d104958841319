"""What is in an image's ramdisks: every entry, what could not be read, and what the entries come to.

The contents are read from the file as it stands; whether the image is one that every reader sees alike, and what its
registers are, is :mod:`nitroctl.eif.measure`'s answer.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import IO, Final

from nitroctl import safefile
from nitroctl.checks import Check, Outcome
from nitroctl.eif import cpio
from nitroctl.eif.cpio import LIMITS, Fault, Limits, Member
from nitroctl.eif.format import Section
from nitroctl.errors import CannotAnswer

#: The types of entries, by the letters of ls(1).
LETTERS: Final = {
    stat.S_IFREG: "-",
    stat.S_IFDIR: "d",
    stat.S_IFLNK: "l",
    stat.S_IFCHR: "c",
    stat.S_IFBLK: "b",
    stat.S_IFIFO: "p",
    stat.S_IFSOCK: "s",
}
KINDS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "character-device",
    stat.S_IFBLK: "block-device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}

UNPACKED: Final = ("eif.ramdisk-contents", "Linux unpacks every ramdisk, whole and as other readers do")
#: Faults of ramdisks that the check tells one by one.
_TOLD: Final = 3


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What one ramdisk comes to.

    ``counts``: how many entries there are of each kind that there is one of. ``content_bytes``: of all files together.
    ``faults``: what is wrong with it, the final one last; ``more_faults``: how many others there are. ``archives``:
    trailers met. ``compressions``: of its streams in order, ``none`` for what is not compressed. ``size_bytes``: of
    the ramdisk in the image; ``expanded_bytes``: of what came out of compressed streams.
    """

    counts: Mapping[str, int]
    content_bytes: int
    faults: tuple[Fault, ...]
    more_faults: int
    archives: int
    compressions: tuple[str, ...]
    size_bytes: int
    expanded_bytes: int

    @property
    def complete(self) -> bool:
        """Whether everything in the ramdisk was read."""
        return not any(fault.final for fault in self.faults)


@dataclass(frozen=True, kw_only=True)
class Listing(Summary):
    """The entries of one ramdisk in the order of the archives, and what they come to."""

    members: tuple[Member, ...]

    @cached_property
    def _groups(self) -> dict[int, tuple[int, int]]:
        """For the entries that are hard links of one file: the first of them, and the one that has the content."""
        groups: dict[tuple[int, tuple[int, int], int], list[int]] = {}
        for index, member in enumerate(self.members):
            if member.nlink > 1 and stat.S_ISREG(member.mode):
                groups.setdefault((member.archive, member.device, member.ino), []).append(index)
        found: dict[int, tuple[int, int]] = {}
        for group in groups.values():
            holder = next((index for index in reversed(group) if self.members[index].size), group[0])
            found.update(dict.fromkeys(group, (group[0], holder)))
        return found

    def holder(self, index: int) -> Member:
        """Return the entry that has the content of entry ``index``: itself, or another hard link of the same file."""
        return self.members[self.holder_index(index)]

    def holder_index(self, index: int) -> int:
        """Return the number of the entry that has the content of entry ``index``."""
        return self._groups.get(index, (index, index))[1]

    def hard_link(self, index: int) -> bytes:
        """Return the name of the earlier entry that entry ``index`` is a hard link to; nothing when it is none."""
        first = self._groups.get(index, (index, index))[0]
        return b"" if first == index else self.members[first].name

    @cached_property
    def final(self) -> dict[bytes, int]:
        """For every path, the entry that is there in the end: a later one takes the place of an earlier one."""
        return {path(member.name): index for index, member in enumerate(self.members)}


def path(name: bytes) -> bytes:
    """Return the path that Linux, whose working directory is the root then, finds under ``name``.

    No leading slash, no ``.`` and no empty component; ``..`` is left as it is. The root itself is ``.``.
    """
    return b"/".join(part for part in name.split(b"/") if part not in (b"", b".")) or b"."


@dataclass(frozen=True, slots=True)
class Image:
    """An image file that is open, for several readings of the same bytes."""

    path: str
    stream: IO[bytes]
    before: os.stat_result

    def require_unchanged(self) -> None:
        """Raise CannotAnswer ``eif.changed`` when the file, or the file under that name, is another by now."""
        after, named = os.fstat(self.stream.fileno()), os.stat(self.path)  # noqa: PTH116  (as it was opened)
        if not _identity(self.before) == _identity(after) == _identity(named):
            raise CannotAnswer(
                f"{self.path}: changed while it was read", "eif.changed", ["wait until it is written, then repeat"]
            )


@contextlib.contextmanager
def opened(path: str) -> Iterator[Image]:
    """Open the image ``path``, and see at the end of the block that it is still the same.

    Raises CannotAnswer ``file.unreadable``, ``file.not-regular`` or ``eif.changed``. OSError in the block is taken for
    the image's.
    """
    with safefile.open_regular(path) as stream:
        try:
            image = Image(path, stream, os.fstat(stream.fileno()))
            yield image
            image.require_unchanged()
        except OSError as error:
            raise safefile.cannot_read(path, error) from error


@contextlib.contextmanager
def unchanged(path: str) -> Iterator[IO[bytes]]:
    """Open the image ``path`` as :func:`opened` does, for who needs the stream alone."""
    with opened(path) as image:
        yield image.stream


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def listing(path: str, section: Section, *, digests: bool = True, limits: Limits = LIMITS) -> Listing:
    """Return what is in the ramdisk ``section`` of the image ``path``; without ``digests`` no content is read.

    A malformed ramdisk is an answer. Raises CannotAnswer as :func:`opened` does.
    """
    with opened(path) as image:
        return listing_of(image.stream, section.data, section.size, digests=digests, limits=limits)


def listing_of(  # noqa: PLR0913  (those of cpio.read)
    stream: IO[bytes], start: int, size: int, *, before: int = 0, digests: bool = True, limits: Limits = LIMITS
) -> Listing:
    """Return what is in the ramdisk in ``size`` bytes of ``stream`` from ``start``; OSError passes through.

    ``before``: bytes of the image's ramdisks before this one; Linux gets them all as one.
    """
    reading = cpio.read(stream, start, size, before=before, digests=digests, limits=limits)
    members: list[Member] = []
    summed = _summed(reading, size, members.append)
    return Listing(members=tuple(members), **{field.name: getattr(summed, field.name) for field in fields(summed)})


def summary_of(stream: IO[bytes], start: int, size: int, *, before: int = 0, limits: Limits = LIMITS) -> Summary:
    """Return what the ramdisk in ``size`` bytes of ``stream`` from ``start`` comes to, in constant memory.

    ``before`` as for :func:`listing_of`. Contents are not read; OSError passes through.
    """
    return _summed(cpio.read(stream, start, size, before=before, digests=False, limits=limits), size, lambda _: None)


def _summed(reading: cpio.Reading, size: int, keep: Callable[[Member], object]) -> Summary:
    """Read everything, give each entry to ``keep``, and return the sums."""
    counts = dict.fromkeys(KINDS, 0)
    content = 0
    for member in reading:
        keep(member)
        counts[stat.S_IFMT(member.mode)] += 1
        content += member.size
    return Summary(
        counts={KINDS[kind]: count for kind, count in counts.items() if count},
        content_bytes=content,
        faults=tuple(reading.faults),
        more_faults=reading.more_faults,
        archives=reading.archives,
        compressions=tuple(reading.compressions),
        size_bytes=size,
        expanded_bytes=reading.expanded,
    )


def unpacked(faults: Sequence[tuple[int, Fault]], more: int, ramdisks: int) -> Check:
    """Return whether Linux unpacks all of an image's ramdisks; a WARN when not, for it may be meant so.

    ``faults``: with the number of the ramdisk, from 1. ``more``: how many others there are. ``ramdisks``: how many.
    """
    others = len(faults[_TOLD:]) + more
    told = [f"ramdisk {number}: {fault.text}" for number, fault in faults[:_TOLD]]
    return Check(
        id=UNPACKED[0],
        title=UNPACKED[1],
        outcome=Outcome.WARN if faults else Outcome.PASS,
        detail="; ".join([*told, f"and {others} more"] if others else told) or f"{ramdisks} ramdisks",
        remedy=f"look at it with nitroctl eif inspect --ramdisk {faults[0][0]} --list, and ask how it was made"
        if faults
        else None,
        source="EIF specification, ramdisk loading; Linux, initramfs buffer format",
        required=False,
    )
