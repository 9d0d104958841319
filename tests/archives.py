"""Ramdisks for the tests, laid out by hand from cpio(5): nothing here uses nitroctl.eif."""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

MTIME = 1_700_000_000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry; a test changes a single field of it with ``dataclasses.replace``. ``ino`` 0: the next number."""

    name: str
    mode: int = stat.S_IFREG | 0o644
    data: bytes = b""
    mtime: int = MTIME
    uid: int = 0
    gid: int = 0
    nlink: int = 1
    ino: int = 0
    rdev: tuple[int, int] = (0, 0)


def file(name: str, data: bytes = b"", **fields: int) -> Entry:
    return Entry(name=name, data=data, **fields)  # type: ignore[arg-type]  # only the numbers are given so


def directory(name: str, mode: int = 0o755) -> Entry:
    return Entry(name=name, mode=stat.S_IFDIR | mode, nlink=2)


def symlink(name: str, target: str) -> Entry:
    return Entry(name=name, mode=stat.S_IFLNK | 0o777, data=target.encode())


def newc(entries: Iterable[Entry], *, padding: int = 512) -> bytes:
    """Return an archive of ``entries`` in their order, with its trailer, padded with zeros."""
    archive = b""
    for number, entry in enumerate([*entries, Entry(name="TRAILER!!!", mode=0, mtime=0)], start=1):
        name = entry.name.encode() + b"\0"
        ino = 0 if entry.name == "TRAILER!!!" else entry.ino or number
        numbers = (
            *(ino, entry.mode, entry.uid, entry.gid, entry.nlink, entry.mtime, len(entry.data)),
            *(3, 1, *entry.rdev, len(name), 0),
        )
        archive += _padded(b"070701" + b"".join(b"%08x" % number for number in numbers) + name)
        archive += _padded(entry.data)
    return archive + bytes(-len(archive) % padding)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
