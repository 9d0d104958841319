"""Taking files out of a ramdisk without letting it choose where they go.

Regular files and directories are made, nothing else: no symbolic links, no devices, no set-user-ID bits, no owners.
Everything is made below a new directory of ours, one path component after another from its descriptor, following no
link; so no name leads outside, whatever it holds and whatever else is in the ramdisk. What is not made is told with
the reason. The directory appears under its name when it is finished, or not at all.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from nitroctl import safefile
from nitroctl.eif import cpio
from nitroctl.eif.contents import KINDS, Listing, path
from nitroctl.eif.cpio import Member
from nitroctl.eif.format import Section
from nitroctl.errors import CannotAnswer

#: How deep a path may be, and how many files and directories are made at most.
MAX_DEPTH: Final = 100
MAX_NODES: Final = 1_000_000
#: What is wrong with one name, and not with the disk.
_NAME_ERRORS: Final = frozenset(
    {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP}
)
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Located:
    """What is at a path: the number of the entry, and of the one that has its content; or why there is no content."""

    entry: int | None
    content: int | None
    reason: str = ""


def locate(listing: Listing, wanted: bytes) -> Located:
    """Return which entry is the regular file at ``wanted`` once Linux has unpacked all of it, following no link."""
    index = listing.final.get(path(wanted))
    if index is None:
        return Located(None, None, "there is no such entry")
    member = listing.members[index]
    if stat.S_ISLNK(member.mode):
        target = member.target.decode("utf-8", "backslashreplace")
        return Located(index, None, f"it is a symbolic link, to {target}; name the file it leads to")
    if not stat.S_ISREG(member.mode):
        return Located(index, None, f"it is no file but a {KINDS[stat.S_IFMT(member.mode)].replace('-', ' ')}")
    return Located(index, listing.holder_index(index))


def copy(stream: IO[bytes], section: Section, index: int, write: Callable[[bytes], object]) -> Member:
    """Give the content of entry ``index`` of the ramdisk ``section`` to ``write``; return the entry with its digest.

    ``index`` is that of a regular file in the listing of the same ramdisk.
    """
    found: list[Member] = []

    def take(_member: Member) -> Callable[[bytes], object] | None:
        return write if len(found) == index else None

    for member in cpio.read(stream, section.data, section.size, digests=False, take=take):
        found.append(member)
        if len(found) > index:
            return member
    raise CannotAnswer(
        "the ramdisk changed while it was read", "eif.changed", ["wait until it is written, then repeat"]
    )


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that was not made, and why."""

    name: bytes
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What was made. ``size_bytes``: of all files together, each counted once."""

    files: int
    directories: int
    hard_links: int
    size_bytes: int
    skipped: tuple[Skipped, ...]


def require_new(directory: str) -> None:
    """Refuse a place where something is. Raises CannotAnswer ``file.exists`` or ``file.unwritable``."""
    try:
        mode = os.lstat(directory).st_mode
        free = stat.S_ISDIR(mode) and not os.listdir(directory)  # noqa: PTH208
    except FileNotFoundError:
        return
    except OSError as error:
        raise safefile.cannot_write(directory, error) from error
    except ValueError as error:
        raise CannotAnswer(f"{directory}: cannot write: the name has a NUL character", "file.unwritable") from error
    if not free:
        raise CannotAnswer(
            f"{directory}: is there already, and not an empty directory", "file.exists", ["name a new directory"]
        )


@contextlib.contextmanager
def extracting(stream: IO[bytes], section: Section, listing: Listing, directory: str) -> Iterator[Extracted]:
    """Make the files of a ramdisk, and at the end of the block let them appear as ``directory``; on an exception not.

    ``directory`` is not there yet, or empty. Only its owner may enter it. Raises CannotAnswer ``file.exists``,
    ``file.unwritable``.
    """
    require_new(directory)
    target = Path(os.path.abspath(directory))  # noqa: PTH100  (".." as the system resolves it)
    try:
        temporary = tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise safefile.cannot_write(directory, error) from error
    try:
        root = os.open(temporary, _DIRECTORY)
        try:
            made = _Tree(root, listing).make(stream, section)
        finally:
            os.close(root)
        yield made
        os.rename(temporary, target)  # noqa: PTH104
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise safefile.cannot_write(directory, error) from error
        raise


@dataclass(slots=True)
class _Tree:
    """The files on their way to the disk, below the directory with the descriptor ``root``."""

    root: int
    listing: Listing
    skipped: list[Skipped] = field(default_factory=list)
    wanted: dict[int, list[int]] = field(default_factory=dict)
    nodes: int = 0
    directories: int = 0
    files: int = 0
    links: int = 0
    size: int = 0

    def make(self, stream: IO[bytes], section: Section) -> Extracted:
        """Make everything that can be made, in one reading of the ramdisk."""
        self._plan()
        count = 0
        output: IO[bytes] | None = None

        def take(_member: Member) -> Callable[[bytes], object] | None:
            nonlocal output
            if count not in self.wanted:
                return None
            output = self._create(self.wanted[count])
            return output.write if output else None

        try:
            for _ in cpio.read(stream, section.data, section.size, digests=False, take=take):
                if output:
                    output.close()
                    output = None
                    self._made(self.wanted[count])
                count += 1
        finally:
            if output:
                output.close()
        return Extracted(
            files=self.files,
            directories=self.directories,
            hard_links=self.links,
            size_bytes=self.size,
            skipped=tuple(self.skipped),
        )

    def _plan(self) -> None:
        """Make the directories, and note which entries' contents are wanted, under which entries' names."""
        for name, index in self.listing.final.items():
            mode = self.listing.members[index].mode
            reason = _reason(name, mode)
            if reason:
                self._skip(index, reason)
            elif stat.S_ISDIR(mode):
                try:
                    os.close(self._enter([] if name == b"." else name.split(b"/")))
                except OSError as error:
                    self._refused(index, error)
            else:
                self.wanted.setdefault(self.listing.holder_index(index), []).append(index)

    def _create(self, names: list[int]) -> IO[bytes] | None:
        """Open the first of ``names`` that can be made; the others become hard links of it."""
        while names:
            try:
                return self._open(names[0])
            except OSError as error:
                self._refused(names.pop(0), error)
        return None

    def _open(self, index: int) -> IO[bytes]:
        member = self.listing.members[index]
        *parents, name = path(member.name).split(b"/")
        parent = self._enter(parents)
        try:
            self._count()
            descriptor = os.open(name, _NEW, 0o600, dir_fd=parent)
        finally:
            os.close(parent)
        os.fchmod(descriptor, member.mode & 0o755 | 0o600)
        return os.fdopen(descriptor, "wb")

    def _made(self, names: list[int]) -> None:
        """Count a file whose content is written, and link its other names to it."""
        self.files += 1
        self.size += self.listing.holder(names[0]).size
        self._stamp(names[0])
        for other in names[1:]:
            try:
                self._link(names[0], other)
            except OSError as error:
                self._refused(other, error)

    def _stamp(self, index: int) -> None:
        member = self.listing.members[index]
        *parents, name = path(member.name).split(b"/")
        parent = self._enter(parents)
        try:
            os.utime(name, (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(parent)

    def _link(self, first: int, other: int) -> None:
        *parents, name = path(self.listing.members[first].name).split(b"/")
        *other_parents, other_name = path(self.listing.members[other].name).split(b"/")
        source = self._enter(parents)
        try:
            parent = self._enter(other_parents)
            try:
                self._count()
                os.link(name, other_name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            finally:
                os.close(parent)
        finally:
            os.close(source)
        self.links += 1

    def _enter(self, parts: list[bytes]) -> int:
        """Return a descriptor of the directory at ``parts``, made where it is missing."""
        current = os.dup(self.root)
        for part in parts:
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=current)
                    self._count()
                    self.directories += 1
                below = os.open(part, _DIRECTORY, dir_fd=current)
            finally:
                os.close(current)
            current = below
        return current

    def _refused(self, index: int, error: OSError) -> None:
        """Skip an entry whose name the file system does not take; raise ``error`` when it is about something else."""
        if error.errno not in _NAME_ERRORS:
            raise error
        self._skip(index, (error.strerror or "the file system does not take it").lower())

    def _skip(self, index: int, reason: str) -> None:
        member = self.listing.members[index]
        self.skipped.append(Skipped(member.name, KINDS[stat.S_IFMT(member.mode)], reason))

    def _count(self) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise CannotAnswer(f"more than {MAX_NODES} files and directories are not made", "eif.too-many-files")


def _reason(name: bytes, mode: int) -> str:
    """Say why an entry is not made; empty when it is."""
    parts = name.split(b"/")
    if b".." in parts:
        return "its name leads outside"
    if len(parts) > MAX_DEPTH:
        return f"it is more than {MAX_DEPTH} directories deep"
    if stat.S_ISLNK(mode):
        return "symbolic links are not made"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "devices, pipes and sockets are not made"
    return "it stands for the directory itself" if name == b"." and stat.S_ISREG(mode) else ""
