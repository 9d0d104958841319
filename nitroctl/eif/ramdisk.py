"""Ramdisks: a cpio archive in the "newc" form, written the same way from the same entries every time.

The bytes of a ramdisk are measured, so nothing here comes from the machine: entries are sorted, inode numbers count up
from 721, modification times are what the caller gives, and the archive is not compressed. The constants are those of
the writer behind nitro-cli (linuxkit), and an archive of the same entries in the same order is equal to its byte for
byte; nitro-cli's order is that of ``docker export``, so an image of its making has other registers.
Source: cpio(5), "New ASCII Format"; linuxkit's initrd writer.
"""

import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: When linuxkit says its own entries were modified: 2017-04-18T16:30:00Z.
EPOCH: Final = 1492533000
_FIRST_INODE: Final = 721
_DEVICE: Final = (3, 1)
_BLOCK: Final = 512
_MAX_FIELD: Final = 0xFFFFFFFF
_TRAILER: Final = b"TRAILER!!!"
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


def newc(entries: Iterable[Entry]) -> bytes:
    """Return the archive of ``entries``, sorted by path so that a directory comes before what is in it.

    Padded with zeros to a multiple of 512 bytes. Raises ValueError for a name that is absolute, climbs, is empty or
    comes twice, and for a number that does not fit the format's 32 bits.
    """
    ordered = sorted(entries, key=lambda entry: entry.name.split("/"))
    archive = bytearray()
    seen: set[str] = set()
    inode = _FIRST_INODE
    for entry in ordered:
        _check_name(entry.name, seen)
        name = entry.name.encode("utf-8", "surrogateescape")
        links = 2 if stat.S_ISDIR(entry.mode) else 1
        archive += _member(name, (inode, entry.mode, entry.uid, entry.gid, links, entry.mtime), entry.data)
        inode += 1
    archive += _member(_TRAILER, (inode, 0, 0, 0, 1, 0), b"")
    archive += bytes(-len(archive) % _BLOCK)
    return bytes(archive)


def _check_name(name: str, seen: set[str]) -> None:
    parts = name.split("/")
    if "" in parts or "." in parts or ".." in parts or "\0" in name or name == _TRAILER.decode():
        raise ValueError(f"not a name for a ramdisk entry: {name!r}")
    if name in seen:
        raise ValueError(f"two ramdisk entries of one name: {name!r}")
    seen.add(name)


def _member(name: bytes, numbers: tuple[int, int, int, int, int, int], data: bytes) -> bytes:
    """Return one header with name and data, each padded to four bytes."""
    fields = (*numbers, len(data), *_DEVICE, 0, 0, len(name) + 1, 0)
    if not all(0 <= number <= _MAX_FIELD for number in fields):
        raise ValueError(f"a number does not fit the archive: {name!r}")
    header = b"070701" + b"".join(b"%08x" % number for number in fields) + name + b"\0"
    return header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4)


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
