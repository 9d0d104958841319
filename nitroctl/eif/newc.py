"""The header of one entry of a cpio archive in the "newc" form: magic and thirteen numbers of eight hexadecimal digits.

Source: cpio(5), "New ASCII Format"; Linux, init/initramfs.c for what becomes of which entry.
"""

import stat
import struct
from binascii import unhexlify
from typing import Final, NamedTuple

from nitroctl.eif.ramdisk_bytes import Stop

MAGICS: Final = (b"070701", b"070702")
SIZE: Final = 110
#: The longest name, and the longest target of a symbolic link, that Linux takes; with the final NUL.
PATH_MAX: Final = 4096
#: How many bytes of something unknown are shown.
SHOWN: Final = 6
_NUMBERS: Final = struct.Struct(">13I")
_SUMMED: Final = b"070702"
_OLD: Final = b"070707"
_TYPES: Final = frozenset(
    {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}
)
TYPE_BITS: Final = 0o170000


class Header(NamedTuple):
    """The numbers of an entry's header, and whether its checksum counts."""

    ino: int
    mode: int
    uid: int
    gid: int
    nlink: int
    mtime: int
    size: int
    major: int
    minor: int
    rdev_major: int
    rdev_minor: int
    name_size: int
    checksum: int
    summed: bool

    @property
    def kind(self) -> int:
        """The type bits of the mode."""
        return self.mode & TYPE_BITS

    @property
    def ends(self) -> bool:
        """Whether Linux looks at the name, and takes that of a trailer for one."""
        return self.kind == stat.S_IFREG or (self.kind != stat.S_IFLNK and not self.size)


def parse(data: bytes, at: int) -> Header:
    """Return the header in ``data``, which stands at byte ``at``. Raises Stop when Linux would stop there."""
    if len(data) < SIZE:
        raise Stop(at, "the ramdisk ends inside the header of an entry")
    if data[:6] == _OLD:
        raise Stop(at, "an archive in the old portable form (070707), which Linux does not read")
    if data[:6] not in MAGICS:
        raise Stop(at, f"no entry in the newc form: it begins {data[:SHOWN].hex(' ')}")
    try:
        return Header._make((*_NUMBERS.unpack(unhexlify(data[6:])), data[:6] == _SUMMED))
    except ValueError as error:  # binascii.Error is one
        raise Stop(at, "a number in the header of an entry is not hexadecimal") from error


def ignored(header: Header) -> str:
    """Say why Linux makes nothing of an entry; empty when it makes something."""
    if header.kind not in _TYPES:
        return f"its type {header.kind:o} is none that there is"
    if header.kind == stat.S_IFLNK:
        return f"a symbolic link whose target has {header.size} bytes" if header.size > PATH_MAX else ""
    return f"{header.size} bytes of data in what is no file" if header.size and header.kind != stat.S_IFREG else ""
