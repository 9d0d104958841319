"""A root file system in a directory, read without following a link and without writing anywhere.

Whose copy of the directory it is must not show: a checkout has its user's owners, its umask's modes and the time it was
made. So owners become 0:0, modes 0755 or 0644, times one and the same, and hard links separate files, unless the
caller wants the attributes exactly as they are.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from nitroctl.eif.layers import MAX_NAME, Budget, shown
from nitroctl.eif.remarks import Remarks
from nitroctl.eif.tree import CHUNK, Node
from nitroctl.errors import CannotAnswer
from nitroctl.instants import rfc3339_of
from nitroctl.safefile import cannot_read

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_SPECIAL: Final = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_CAPABILITY: Final = "security.capability"


@dataclass(frozen=True, slots=True)
class _Place:
    """The directory that is read: its path as the user wrote it, and a descriptor, so that a rename changes nothing."""

    path: str
    descriptor: int

    def of(self, name: bytes) -> str:
        """Return a file's path for error messages."""
        return os.path.join(self.path, shown(name))  # noqa: PTH118  (text, not a path to open)

    @contextmanager
    def opened(self, name: bytes, flags: int) -> Iterator[int]:
        """Open what is at ``name`` and no link on the way. Raises CannotAnswer ``file.unreadable``."""
        try:
            here = os.dup(self.descriptor)
            parts = name.split(b"/") if name else []
            for number, part in enumerate(parts, 1):
                step = flags if number == len(parts) else os.O_DIRECTORY
                try:
                    below = os.open(part, _FLAGS | step, dir_fd=here)
                finally:
                    os.close(here)
                here = below
        except OSError as error:
            raise cannot_read(self.of(name), error) from error
        try:
            yield here
        finally:
            os.close(here)


@dataclass(frozen=True, slots=True)
class InFile:
    """The content of a file where it lies; read only while it is the file that was listed."""

    size: int
    name: bytes
    place: _Place = field(repr=False, compare=False)
    listed: tuple[int, int, int, int] = field(repr=False, compare=False)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in pieces of at most 1 MiB. Raises CannotAnswer ``eif.source-changed``, ``file.*``."""
        with self.place.opened(self.name, 0) as descriptor:
            self._check(descriptor)
            left = self.size
            while left:
                try:
                    piece = os.read(descriptor, min(left, CHUNK))
                except OSError as error:
                    raise cannot_read(self.place.of(self.name), error) from error
                if not piece:
                    raise self._changed()
                left -= len(piece)
                yield piece
            self._check(descriptor)

    def _check(self, descriptor: int) -> None:
        if _identity(os.fstat(descriptor)) != self.listed:
            raise self._changed()

    def _changed(self) -> CannotAnswer:
        return CannotAnswer(f"{self.place.of(self.name)}: changed while it was read", "eif.source-changed")


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Reader:
    """Reads one directory. Raises CannotAnswer ``file.unreadable``, ``eif.source-name``, ``eif.source-limit``."""

    def __init__(self, path: str, budget: Budget, remarks: Remarks, *, epoch: int, exact: bool) -> None:
        self._budget, self._remarks, self._epoch, self._exact = budget, remarks, epoch, exact
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise cannot_read(path, error) from error
        self._place = _Place(path, descriptor)
        self._first: dict[tuple[int, int], bytes] = {}

    def close(self) -> None:
        """Let go of the directory; no content can be read after that."""
        os.close(self._place.descriptor)

    def root(self) -> Node:
        """Return the top directory."""
        return self._node(b"", os.fstat(self._place.descriptor), b"")

    def nodes(self) -> Mapping[bytes, Node]:
        """Return every name below the top, in canonical order."""
        found: dict[bytes, Node] = {}
        total = 0
        waiting = [iter(self._entries(b""))]
        while waiting:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                continue
            name, status, target = step
            total += len(name)
            self._budget.names(total)
            if stat.S_ISSOCK(status.st_mode):
                self._remarks.about("source.sockets", name)
                continue
            found[name] = self._node(name, status, target)
            if stat.S_ISDIR(status.st_mode):
                waiting.append(iter(self._entries(name)))
        return found

    def _entries(self, name: bytes) -> list[tuple[bytes, os.stat_result, bytes]]:
        """Return what is in a directory, by name, with the targets of links."""
        found = []
        with self._place.opened(name, os.O_DIRECTORY) as descriptor:
            try:
                with closing(os.scandir(descriptor)) as entries:
                    for entry in entries:
                        self._budget.entry()
                        part = os.fsencode(entry.name)
                        status = os.stat(part, dir_fd=descriptor, follow_symlinks=False)
                        target = os.readlink(part, dir_fd=descriptor) if stat.S_ISLNK(status.st_mode) else b""
                        found.append((part, status, target))
            except OSError as error:
                raise cannot_read(self._place.of(name), error) from error
        found.sort(key=lambda entry: entry[0])
        prefix = name + b"/" if name else b""
        return [(prefix + part, status, target) for part, status, target in found]

    def _node(self, name: bytes, status: os.stat_result, target: bytes) -> Node:
        if len(name) > MAX_NAME:
            raise CannotAnswer(
                f"{self._place.path}: {shown(name[:200])}: longer than the {MAX_NAME} bytes that a kernel unpacks",
                "eif.source-name",
            )
        regular = stat.S_ISREG(status.st_mode)
        holder = self._holder(name, status) if regular else b""
        if regular:
            self._budget.bytes(status.st_size)
            self._tell_capabilities(name)
        device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
        return Node(
            name=name,
            mode=self._mode(name, status.st_mode),
            uid=status.st_uid if self._exact else 0,
            gid=status.st_gid if self._exact else 0,
            mtime=self._mtime(name, status),
            content=InFile(status.st_size, name, self._place, _identity(status)) if regular and not holder else None,
            target=target,
            rdev=(os.major(status.st_rdev), os.minor(status.st_rdev)) if device else (0, 0),
            hard_link=holder,
        )

    def _holder(self, name: bytes, status: os.stat_result) -> bytes:
        """Return the name that holds the content when this is another one of the same file."""
        if status.st_nlink == 1:
            return b""
        first = self._first.setdefault((status.st_dev, status.st_ino), name)
        if first == name:
            return b""
        if not self._exact:
            self._remarks.about("source.links-split", name)
            return b""
        return first

    def _mode(self, name: bytes, mode: int) -> int:
        kind = stat.S_IFMT(mode)
        if kind == stat.S_IFLNK:
            return kind | 0o777
        if self._exact:
            return mode
        if mode & _SPECIAL:
            self._remarks.about("source.special-bits", name)
        if kind == stat.S_IFDIR:
            wanted = 0o755
        elif kind == stat.S_IFREG:
            wanted = 0o755 if mode & stat.S_IXUSR else 0o644
        else:  # a device's mode was chosen, not inherited from the umask
            return mode & ~_SPECIAL
        if mode & 0o777 != wanted:
            self._remarks.about("source.modes-set", name)
        return kind | wanted

    def _mtime(self, name: bytes, status: os.stat_result) -> int:
        if self._exact:
            return self._remarks.clamped(status.st_mtime_ns // 1_000_000_000, self._epoch, name)
        self._remarks.about("source.times-set", value=rfc3339_of(self._epoch))
        if (status.st_uid, status.st_gid) != (0, 0):
            self._remarks.about("source.owners-set", name)
        return self._epoch

    def _tell_capabilities(self, name: bytes) -> None:
        path = os.path.join(os.fsencode(self._place.path), name)  # noqa: PTH118  (bytes)
        with suppress(OSError):
            if _CAPABILITY in os.listxattr(path, follow_symlinks=False):
                self._remarks.about("source.capabilities", name)
