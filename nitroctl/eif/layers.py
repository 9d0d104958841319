"""Layers, applied one over the other to a file system that exists in memory only.

Names are looked up as a kernel would in a root of that content: symbolic links in parents are followed inside of it,
``..`` at the top stays there, and 40 links in a row are a loop. What a layer hides (``.wh.name``, ``.wh..wh..opq``) is
hidden in the layers below and never in itself, so the order of entries within a layer does not matter for that.
Source: OCI image specification, "Image Layer Filesystem Changeset".
"""

import io
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from nitroctl.eif import tar
from nitroctl.eif.remarks import Remarks
from nitroctl.eif.spool import Spool, Stored, Unmoved
from nitroctl.eif.tree import Limits, Node
from nitroctl.errors import CannotAnswer

WHITEOUT: Final = b".wh."
OPAQUE: Final = b".wh..wh..opq"
_HOUSEKEEPING: Final = b".wh..wh."
_MAX_LINKS: Final = 40
#: The kernel skips a ramdisk member whose name, with "rootfs/" before it and NUL after it, exceeds PATH_MAX.
MAX_NAME: Final = 4096 - len(b"rootfs/") - 1
_MAX_COMPONENT: Final = 255
_MAX_TARGET: Final = 4095
_TYPES: Final = {
    tar.REGULAR: stat.S_IFREG,
    tar.SYMLINK: stat.S_IFLNK,
    tar.CHARACTER: stat.S_IFCHR,
    tar.BLOCK_DEVICE: stat.S_IFBLK,
    tar.DIRECTORY: stat.S_IFDIR,
    tar.FIFO: stat.S_IFIFO,
}
_CAPABILITY: Final = b"security.capability"
Parts = tuple[bytes, ...]


def shown(name: bytes) -> str:
    """Return a name as text for an error message."""
    return name.decode("utf-8", "backslashreplace")


class Budget:
    """What may still be used up of :class:`~nitroctl.eif.tree.Limits`."""

    def __init__(self, limits: Limits, where: str) -> None:
        self._limits, self._where = limits, where
        self._entries = self._size = 0

    def entry(self) -> None:
        """Count one name. Raises CannotAnswer ``eif.source-limit``."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise self.exceeded(f"more than {self._limits.entries} entries")

    def bytes(self, count: int) -> None:
        """Count unpacked bytes. Raises CannotAnswer ``eif.source-limit``."""
        self._size += count
        if self._size > self._limits.size:
            raise self.exceeded(f"more than {self._limits.size} bytes when unpacked")

    def names(self, total: int) -> None:
        """Refuse a result whose names have ``total`` bytes. Raises CannotAnswer ``eif.source-limit``."""
        if total > self._limits.names:
            raise self.exceeded(f"names of more than {self._limits.names} bytes altogether")

    def exceeded(self, what: str) -> CannotAnswer:
        """Return the error for a source that is too large."""
        return CannotAnswer(
            f"{self._where}: {what}",
            "eif.source-limit",
            ["an enclave's image has to fit into its memory; leave files out"],
        )


class _Inode:
    """A file as it is, whatever its names. ``entries``: of a directory; ``made``: no entry has described it."""

    __slots__ = ("content", "entries", "gid", "made", "mode", "mtime", "rdev", "target", "uid", "xattrs")

    def __init__(self, mode: int, *, mtime: int, made: bool = False) -> None:
        self.mode, self.mtime, self.made = mode, mtime, made
        self.uid = self.gid = 0
        self.content: Stored | None = None
        self.target = b""
        self.rdev = (0, 0)
        self.xattrs: tuple[bytes, ...] = ()
        self.entries: dict[bytes, _Inode] | None = {} if stat.S_ISDIR(mode) else None

    def describe(self, member: tar.Member) -> None:
        """Take mode, owner and time of ``member``."""
        self.mode = stat.S_IFMT(self.mode) | (0o777 if self.target else member.mode)
        self.uid, self.gid, self.mtime = member.uid, member.gid, member.mtime
        self.xattrs, self.made = member.xattrs, False


class FileSystem:
    """Files in memory, contents in ``spool``. Times that nobody gave are ``epoch``.

    Every method raises CannotAnswer: ``eif.source-tar``, ``eif.source-name``, ``eif.source-layer``,
    ``eif.source-limit``, ``file.unwritable``.
    """

    def __init__(self, spool: Spool, budget: Budget, remarks: Remarks, *, epoch: int) -> None:
        self._spool, self._budget, self._remarks, self._epoch = spool, budget, remarks, epoch
        self._root = _Inode(stat.S_IFDIR | 0o755, mtime=epoch)
        self._where = ""

    def apply(self, stream: io.BufferedIOBase, *, where: str, place: Unmoved | None = None) -> None:
        """Put the archive ``stream`` over what is there.

        With ``place`` it is a root file system, whose contents stay where they are; else a layer, in which names with
        ``.wh.`` hide others.
        """
        self._where = where
        archive = tar.Archive(stream, where=where, end=place is not None)
        members: list[tuple[Parts, tar.Member, Stored | None]] = []
        hidden: list[Parts] = []
        for member in archive:
            self._budget.entry()
            parts = self.parts(member.name)
            if place is not None:
                if parts and parts[-1].startswith(WHITEOUT):
                    self._remarks.about("source.whiteout-names", b"/".join(parts))
                self._put(parts, member, self._content(archive, member, place))
            elif any(part.startswith(WHITEOUT) for part in parts):
                self._hide(parts, hidden)
            else:
                members.append((parts, member, self._content(archive, member, None)))
        named = {parts for parts, _, _ in members} if hidden else set[Parts]()
        for parts in hidden:
            self._apply_whiteout(parts, named)
        for parts, member, content in members:
            self._put(parts, member, content)

    def _content(self, archive: tar.Archive, member: tar.Member, place: Unmoved | None) -> Stored | None:
        if member.kind != tar.REGULAR:
            return None
        if place is not None:
            self._budget.bytes(member.size)
            return place.store(archive.offset, member.size, member.segments)
        if member.segments is not None:
            self._budget.bytes(member.size)
        return self._spool.store(archive.chunks(), member.size, member.segments)

    def parts(self, name: bytes) -> Parts:
        """Return the components of a name; a leading slash means the top, as everywhere in archives."""
        parts = tuple(part for part in name.split(b"/") if part not in (b"", b"."))
        if b".." in parts:
            raise self._odd(name, "leads out of its directory")
        if any(len(part) > _MAX_COMPONENT for part in parts):
            raise self._odd(name, f"a component of more than {_MAX_COMPONENT} bytes")
        if len(name) > MAX_NAME:
            raise self._odd(name, f"longer than the {MAX_NAME} bytes that a kernel unpacks")
        if not name:
            raise self._odd(name, "a member without a name")
        return parts

    def _odd(self, name: bytes, what: str) -> CannotAnswer:
        return CannotAnswer(f"{self._where}: {shown(name[:200])}: {what}", "eif.source-name")

    def _fault(self, parts: Parts, what: str) -> CannotAnswer:
        return CannotAnswer(f"{self._where}: {shown(b'/'.join(parts)[:200])}: {what}", "eif.source-layer")

    def _hide(self, parts: Parts, hidden: list[Parts]) -> None:
        """Remember a whiteout."""
        if parts[-1] != OPAQUE and any(part.startswith(_HOUSEKEEPING) for part in parts):
            self._remarks.about("source.housekeeping", b"/".join(parts))
            return
        if any(part.startswith(WHITEOUT) for part in parts[:-1]):
            raise self._fault(parts, "a name below one that hides another")
        if parts[-1].removeprefix(WHITEOUT) in (b"", b".", b".."):
            raise self._fault(parts, "hides its own directory or the one above it")
        hidden.append(parts)

    def _apply_whiteout(self, parts: Parts, named: set[Parts]) -> None:
        """Hide what lower layers have; a parent that this layer itself replaces (``named``) hides nothing."""
        parent = self._directory(parts[:-1], make=False, named=named)
        if parent is None or parent.entries is None:
            return
        if parts[-1] == OPAQUE:
            parent.entries.clear()
        else:
            parent.entries.pop(parts[-1].removeprefix(WHITEOUT), None)

    def _directory(self, parts: Parts, *, make: bool, named: set[Parts] | None = None) -> _Inode | None:
        """Return the directory that ``parts`` leads to; what is missing is made, or without ``make`` None returned."""
        path = [self._root]
        waiting = list(reversed(parts))
        links = 0
        while waiting:
            part = waiting.pop()
            if part in (b"", b".", b".."):
                if part == b".." and len(path) > 1:
                    path.pop()
                continue
            inode = self._entry(path[-1], part, make=make)
            if inode is None:
                return None
            if inode.target:
                if not links and named and parts[: len(path)] in named:
                    return None
                links += 1
                if links > _MAX_LINKS:
                    raise self._fault(parts, "symbolic links that lead in a circle")
                waiting.extend(reversed(inode.target.split(b"/")))
                path = path[:1] if inode.target.startswith(b"/") else path
            elif inode.entries is not None:
                path.append(inode)
            elif make:
                raise self._fault(parts, f"{shown(part)} is no directory")
            else:
                return None
        return path[-1]

    def _entry(self, directory: _Inode, part: bytes, *, make: bool) -> _Inode | None:
        """Return what is named ``part``, with ``make`` a new directory when there is nothing."""
        assert directory.entries is not None  # noqa: S101  (only directories are looked into)
        inode = directory.entries.get(part)
        if inode is None and make:
            self._budget.entry()
            inode = directory.entries[part] = _Inode(stat.S_IFDIR | 0o755, mtime=self._epoch, made=True)
        return inode

    def _put(self, parts: Parts, member: tar.Member, content: Stored | None) -> None:
        if not parts:
            if member.kind != tar.DIRECTORY:
                raise self._fault((b".",), "the top of the tree is no directory")
            self._root.describe(member)
            return
        parent = self._directory(parts[:-1], make=True)
        assert parent is not None  # noqa: S101  (make)
        assert parent.entries is not None  # noqa: S101  (it is a directory)
        inode = parent.entries.pop(parts[-1], None)
        if member.kind == tar.LINK:
            inode = self._linked(parts, member)
            if not inode.target and (stat.S_IMODE(inode.mode), inode.uid, inode.gid) != (
                member.mode,
                member.uid,
                member.gid,
            ):
                self._remarks.about("source.link-attributes", b"/".join(parts))
        elif inode is None or inode.entries is None or member.kind != tar.DIRECTORY:
            inode = self._new(parts, member, content)
        inode.describe(member)
        parent.entries[parts[-1]] = inode

    def _linked(self, parts: Parts, member: tar.Member) -> _Inode:
        """Return what a hard link is another name of: the last component is not followed, as link(2) does not."""
        target = self.parts(member.link) if member.link else ()
        parent = self._directory(target[:-1], make=False) if target else None
        inode = parent.entries.get(target[-1]) if parent is not None and parent.entries is not None else None
        if inode is None:
            raise self._fault(parts, f"a hard link to {shown(member.link[:200])}, which is not there")
        if inode.entries is not None:
            raise self._fault(parts, f"a hard link to {shown(member.link[:200])}, a directory")
        return inode

    def _new(self, parts: Parts, member: tar.Member, content: Stored | None) -> _Inode:
        inode = _Inode(_TYPES[member.kind], mtime=member.mtime)
        inode.content, inode.rdev = content, member.rdev
        if member.kind == tar.SYMLINK:
            if not 0 < len(member.link) <= _MAX_TARGET:
                raise self._fault(parts, f"a symbolic link of {len(member.link)} bytes")
            inode.target = member.link
        return inode

    def root(self) -> Node:
        """Return the top directory."""
        return self._node(b"", self._root)

    def nodes(self) -> Mapping[bytes, Node]:
        """Return every name, in canonical order, with times at most ``epoch``."""
        self._spool.finish()
        found: dict[bytes, Node] = {}
        first: dict[int, bytes] = {}
        total = 0
        for name, inode in self._walk():
            total += len(name)
            self._budget.names(total)
            if len(name) > MAX_NAME:
                raise self._odd(name, f"longer than the {MAX_NAME} bytes that a kernel unpacks")
            holder = first.setdefault(id(inode), name) if inode.content is not None else name
            found[name] = self._node(name, inode, holder=holder)
        return found

    def _walk(self) -> Iterator[tuple[bytes, _Inode]]:
        waiting: list[Iterator[tuple[bytes, _Inode]]] = [_sorted(b"", self._root)]
        while waiting:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                continue
            yield step
            if step[1].entries:
                waiting.append(_sorted(step[0] + b"/", step[1]))

    def _node(self, name: bytes, inode: _Inode, *, holder: bytes | None = None) -> Node:
        if inode.made:
            self._remarks.about("source.parents-made", name)
        self._tell_lost(name, inode.xattrs)
        again = holder is not None and holder != name
        return Node(
            name=name,
            mode=inode.mode,
            uid=inode.uid,
            gid=inode.gid,
            mtime=self._remarks.clamped(inode.mtime, self._epoch, name),
            content=None if again else inode.content,
            target=inode.target,
            rdev=inode.rdev,
            hard_link=holder if again and holder is not None else b"",
        )

    def _tell_lost(self, name: bytes, xattrs: Iterable[bytes]) -> None:
        capabilities = [key for key in xattrs if key.endswith(_CAPABILITY)]
        if capabilities:
            self._remarks.about("source.capabilities", name)
        if len(capabilities) < len(tuple(xattrs)):
            self._remarks.about("source.xattrs", name)


def _sorted(prefix: bytes, directory: _Inode) -> Iterator[tuple[bytes, _Inode]]:
    entries = directory.entries or {}
    for part in sorted(entries):
        yield prefix + part, entries[part]
