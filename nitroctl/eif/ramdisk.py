"""Ramdisks: a cpio archive in the "newc" form, written the same way from the same entries every time.

The bytes of a ramdisk are measured, so nothing here comes from the machine: entries are sorted, inode numbers count up
from 721, modification times are what the caller gives, and the archive is not compressed. The constants are those of
the writer behind nitro-cli (linuxkit), and an archive of the same entries in the same order is equal to its byte for
byte; nitro-cli's order is that of ``docker export``, so an image of its making has other registers.
Source: cpio(5), "New ASCII Format"; linuxkit's initrd writer.
"""

import io
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from nitroctl.eif import tree
from nitroctl.eif.tree import Node
from nitroctl.errors import CannotAnswer

#: When linuxkit says its own entries were modified: 2017-04-18T16:30:00Z.
EPOCH: Final = 1492533000
_FIRST_INODE: Final = 721
_DEVICE: Final = (3, 1)
_BLOCK: Final = 512
_MAX_FIELD: Final = 0xFFFFFFFF
_HEADER: Final = b"070701" + 13 * b"%08x"
_TRAILER: Final = b"TRAILER!!!"
#: Linux skips an entry, silently, whose name with its final NUL has more bytes than this.
_PATH_MAX: Final = 4096
_NAME_MAX: Final = 255
_MOUNT_POINTS: Final = ("dev", "proc", "run", "sys", "tmp", "var")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a ramdisk.

    ``name``: path without a leading slash; ``mode``: type and permission bits as in stat(2); ``data``: the content,
    or a symbolic link's target; ``mtime``: seconds since 1970. Owner is root unless said otherwise.
    """

    name: str
    mode: int
    data: bytes = b""
    mtime: int = EPOCH
    uid: int = 0
    gid: int = 0


def directory(name: str, *, permissions: int = 0o755, mtime: int = EPOCH) -> Entry:
    """Return a directory."""
    return Entry(name=name, mode=stat.S_IFDIR | permissions, mtime=mtime)


def regular(name: str, data: bytes, *, permissions: int = 0o644, mtime: int = EPOCH) -> Entry:
    """Return a regular file."""
    return Entry(name=name, mode=stat.S_IFREG | permissions, data=data, mtime=mtime)


def symlink(name: str, target: str, *, mtime: int = EPOCH) -> Entry:
    """Return a symbolic link."""
    return Entry(name=name, mode=stat.S_IFLNK | 0o777, data=target.encode("utf-8", "surrogateescape"), mtime=mtime)


class Sink(Protocol):
    """Where an archive goes: a stream, or a section of an image."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


def write_newc(stream: Sink, nodes: Iterable[Node]) -> int:
    """Write the archive of ``nodes``, in the order of their names, to ``stream``; return its size in bytes.

    Contents are streamed. Names of one file stay names of one file: they share its inode number and attributes, and
    the content comes with the last of them, as cpio does it. The end is padded with zeros to a multiple of 512 bytes.
    Raises CannotAnswer ``eif.not-buildable`` for what the form, or the kernel that unpacks it, cannot take (the kernel
    skips what it cannot, and says nothing), and ``eif.source-changed`` when a content is not as long as it was.
    """
    ordered = sorted(nodes, key=lambda node: tree.canonical(node.name))
    names = {node.name: node for node in ordered}
    if len(names) != len(ordered):
        twice = Counter(node.name for node in ordered).most_common(1)[0][0]
        raise _unfit(twice, "two entries have this name")
    return _Archive(stream, names).write()


@dataclass(slots=True)
class _Archive:
    """One archive as it is written."""

    stream: Sink
    nodes: Mapping[bytes, Node]
    size: int = 0
    _inodes: dict[bytes, int] = field(default_factory=dict)

    def write(self) -> int:
        links = Counter(node.hard_link for node in self.nodes.values() if node.hard_link)
        left = {holder: count + 1 for holder, count in links.items()}
        for node in self.nodes.values():
            file = self._file(node)
            self._inodes.setdefault(file.name, _FIRST_INODE + len(self._inodes))
            if file.name in left:
                left[file.name] -= 1
                self._put(node, file, links[file.name] + 1, last=not left[file.name])
            else:
                self._put(node, file, 2 if stat.S_ISDIR(node.mode) else 1, last=True)
        inode = _FIRST_INODE + len(self._inodes)
        self._send(_header(_TRAILER, (inode, 0, 0, 0, 1, 0, 0, *_DEVICE, 0, 0)))
        self._send(bytes(-self.size % _BLOCK))
        return self.size

    def _file(self, node: Node) -> Node:
        """Return the node that holds content and attributes of ``node``: itself, or what it is another name of."""
        if not node.hard_link:
            return node
        holder = self.nodes.get(node.hard_link)
        if holder is None or holder.hard_link or not stat.S_ISREG(holder.mode):
            raise _unfit(node.name, f"it is a hard link to {_shown(node.hard_link)}, and there is no such file")
        return holder

    def _put(self, node: Node, file: Node, links: int, *, last: bool) -> None:
        """Write one member; of several names of a file only the ``last`` brings the content."""
        _check(node, file)
        content = file.content if last else None
        size = content.size if content else len(file.target)
        numbers = (
            self._inodes[file.name],
            file.mode,
            file.uid,
            file.gid,
            links,
            file.mtime,
            size,
            *_DEVICE,
            *file.rdev,
        )
        self._send(_header(node.name, numbers))
        if content is None:
            self._send(file.target)
        else:
            self._stream(node.name, content)
        self._send(bytes(-self.size % 4))

    def _stream(self, name: bytes, content: tree.Content) -> None:
        left = content.size
        for chunk in content.chunks():
            left -= len(chunk)
            if left < 0:
                break
            self._send(chunk)
        if left:
            raise CannotAnswer(
                f"{_shown(name)}: its content changed while it was read",
                "eif.source-changed",
                ["wait until nothing writes to it, then build again"],
            )

    def _send(self, data: bytes) -> None:
        self.stream.write(data)
        self.size += len(data)


def _header(name: bytes, numbers: Sequence[int]) -> bytes:
    """Return a member's header with its name, padded to four bytes. ``numbers``: all up to the device's minor."""
    fields = (*numbers, len(name) + 1, 0)
    if min(fields) < 0 or max(fields) > _MAX_FIELD:
        raise _unfit(name, "a number in it (size, owner or time) is beyond 32 bits")
    header = _HEADER % fields + name + b"\0"
    return header + bytes(-len(header) % 4)


def _check(node: Node, file: Node) -> None:
    parts = node.name.split(b"/")
    if b"" in parts or b"." in parts or b".." in parts or b"\0" in node.name or node.name == _TRAILER:
        raise _unfit(node.name, "it is not a name for a ramdisk entry")
    if len(node.name) >= _PATH_MAX or max(map(len, parts)) > _NAME_MAX or len(file.target) >= _PATH_MAX:
        raise _unfit(node.name, "its name or target is longer than Linux takes")
    if stat.S_ISLNK(file.mode) and (not file.target or b"\0" in file.target):
        raise _unfit(node.name, "it is a symbolic link to nothing")


def _unfit(name: bytes, why: str) -> CannotAnswer:
    return CannotAnswer(f"the ramdisk cannot be written: {_shown(name)}: {why}", "eif.not-buildable")


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Bytes:
    """Content that is in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        """Yield them."""
        for start in range(0, len(self.data), tree.CHUNK):
            yield self.data[start : start + tree.CHUNK]


def newc(entries: Iterable[Entry]) -> bytes:
    """Return the archive of ``entries``, as :func:`write_newc` writes it. Raises ValueError where that one refuses."""
    archive = io.BytesIO()
    try:
        write_newc(archive, [_node(entry) for entry in entries])
    except CannotAnswer as error:
        raise ValueError(error.message) from error
    return archive.getvalue()


def _node(entry: Entry) -> Node:
    link = stat.S_ISLNK(entry.mode)
    return tree.Node(
        name=entry.name.encode("utf-8", "surrogateescape"),
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        mtime=entry.mtime,
        content=None if link or not entry.data else Bytes(entry.data),
        target=entry.data if link else b"",
    )


def boot(*, init: bytes, nsm: bytes | None = None) -> bytes:
    """Return nitro-cli's first ramdisk: ``dev/``, the program ``init`` and, when given, the driver ``nsm.ko``."""
    entries = [directory("dev"), regular("init", init, permissions=0o755)]
    if nsm is not None:
        entries.append(regular("nsm.ko", nsm, permissions=0o755))
    return newc(entries)


def application(files: Iterable[Entry], *, command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """Return nitro-cli's second ramdisk: ``files`` under ``rootfs/``, and ``cmd`` and ``env`` beside it.

    ``command`` and ``environment`` are written one item a line, as init reads them, so an item may hold no line feed
    (ValueError). The mount points dev, proc, run, sys, tmp and var are made when ``files`` lack them.
    """
    entries = {"rootfs": directory("rootfs")}
    for entry in files:
        moved = Entry(
            name=f"rootfs/{entry.name}",
            mode=entry.mode,
            data=entry.data,
            mtime=entry.mtime,
            uid=entry.uid,
            gid=entry.gid,
        )
        if moved.name in entries:
            raise ValueError(f"two ramdisk entries of one name: {moved.name!r}")
        entries[moved.name] = moved
    for name in _MOUNT_POINTS:
        entries.setdefault(f"rootfs/{name}", directory(f"rootfs/{name}"))
    settings = [f"{name}={value}" for name, value in environment.items()]
    return newc([*entries.values(), regular("cmd", _lines(command)), regular("env", _lines(settings))])


def _lines(items: Sequence[str]) -> bytes:
    for item in items:
        if "\n" in item or "\0" in item:
            raise ValueError(f"a line feed or NUL in a command or variable: {item!r}")
    return "".join(f"{item}\n" for item in items).encode("utf-8", "surrogateescape")
