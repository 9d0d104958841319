"""Tar archives, read as the tools that make containers read them, and without forgiveness.

Python's own reader ends silently at a damaged header, keeps every member in memory, takes extended headers of any size
and changed its mind between releases; the same archive must give the same image everywhere. Where the readers in use
(Go's, which container engines have, GNU tar, libarchive) understand an archive differently, it is refused.
Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Tar Internals".
"""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from nitroctl.eif import sparse
from nitroctl.eif.tree import CHUNK
from nitroctl.errors import CannotAnswer

BLOCK: Final = 512
_EMPTY: Final = bytes(BLOCK)
_HEADER: Final = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
#: The longest extended header or long name; what Go reads too.
_MAX_EXTENSION: Final = 1 << 20
_MAX_NUMBER: Final = (1 << 63) - 1
_MAX_ID: Final = (1 << 32) - 1
_XATTRS: Final = (b"SCHILY.xattr.", b"LIBARCHIVE.xattr.", b"RHT.security.", b"SCHILY.acl.")
#: Records that say what a header's own fields say; an empty one is "as in the header" to some, empty or 0 to others.
_MEANT: Final = frozenset({b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime"})
_KINDS: Final = "give an OCI layout, an archive of docker save, or a root file system: a directory or tar archive"
#: In GNU's own form, times stand where others have the first part of a long name.
_GNU_MAGIC: Final = b"ustar  \0"
_OCTAL: Final = re.compile(rb"[0-7]*")
_DECIMAL: Final = re.compile(rb"[0-9]{1,20}")
_TIME: Final = re.compile(rb"(-?[0-9]{1,20})(?:\.([0-9]*))?")

REGULAR, LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_OLD_REGULAR, _CONTIGUOUS, _GNU_SPARSE = b"\0", b"7", b"S"
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"
_MEMBERS: Final = (REGULAR, LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of an archive, as stored.

    ``name`` and ``link``: bytes without NUL; ``kind``: one of the constants of this module; ``mode``: the low 12 bits;
    ``size``: of the content; ``segments``: offset and length of what is stored of a sparse one; ``xattrs``: names of
    extended attributes.
    """

    name: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    link: bytes = b""
    rdev: tuple[int, int] = (0, 0)
    segments: tuple[tuple[int, int], ...] | None = None
    xattrs: tuple[bytes, ...] = ()


class Archive:
    """The members of one archive, read once, in order. ``where`` names it in errors.

    ``end``: whether the zeros that fill up the last block, and the blocks of zeros after it, must be there; without a
    digest nothing else tells a whole archive from the first part of one. Raises CannotAnswer ``eif.source-tar``.
    """

    def __init__(self, stream: io.BufferedIOBase, *, where: str, end: bool = True) -> None:
        self._stream, self._where, self._end = stream, where, end
        self._seekable = stream.seekable()
        self._at = 0
        self._left = 0
        self._padding = 0
        self._longs: dict[bytes, bytes] = {}
        self._pax: dict[bytes, bytes] = {}
        self._named: tuple[bytes, ...] = ()

    @property
    def offset(self) -> int:
        """Where the next byte of the current member's stored content lies in the archive."""
        return self._at

    def __iter__(self) -> Iterator[Member]:
        while (block := self._next_header()) is not None:
            fields = _HEADER.unpack(block)
            kind = fields[7]
            size = self._number(fields[4], "size")
            if kind in (_LONG_NAME, _LONG_LINK):
                self._once(kind)
                self._longs[kind] = self._long(self._extension(size))
            elif kind == _PAX:
                self._once(kind)
                self._records(self._extension(size))
            elif kind == _PAX_GLOBAL:
                self._global(self._extension(size))
            else:
                yield self._member(block, fields, kind, size)
                self._named, self._longs, self._pax = (), {}, {}
        if self._named:
            self._refuse("ends after an extended header")

    def chunks(self) -> Iterator[bytes]:
        """Yield what is stored of the current member's content, once, in pieces of at most 1 MiB."""
        while self._left:
            piece = self._stream.read(min(self._left, CHUNK))
            if not piece:
                self._refuse("ends in the middle of a file")
            self._left -= len(piece)
            self._at += len(piece)
            yield piece

    def _next_header(self) -> bytes | None:
        """Return the next header block, its checksum right; None at the end of the archive."""
        self._skip()
        first = not self._at
        block = self._read_block()
        if block is None:
            if first:
                raise self._no_archive()
            if self._end:
                self._refuse(
                    "ends without the blocks of zeros that end an archive", "it may be cut short: copy it again"
                )
            return None
        if block != _EMPTY:
            if not self._checks(block):
                if first:
                    raise self._no_archive()
                self._refuse("a header whose checksum is wrong")
            return block
        block = self._read_block()
        if block is not None and block != _EMPTY:
            self._refuse("a single block of zeros between members")
        return None

    def _read_block(self) -> bytes | None:
        block = self._stream.read(BLOCK)
        if not block:
            return None
        if len(block) < BLOCK:
            if not self._at:
                raise self._no_archive()
            self._refuse("ends in the middle of a header")
        self._at += BLOCK
        return block

    def _skip(self) -> None:
        """Pass over what was not read of the current member."""
        content, padding, self._left, self._padding = self._left, self._padding, 0, 0
        if self._seekable:
            self._stream.seek(content + padding, io.SEEK_CUR)
            self._at += content + padding
            return
        missing = content + padding
        while missing:
            piece = self._stream.read(min(missing, CHUNK))
            if not piece:
                break
            missing, self._at = missing - len(piece), self._at + len(piece)
        # umoci insert (0.4.7) fills up the last block of a layer no more than it writes blocks of zeros; Go reads it
        if missing > (0 if self._end else padding):
            self._refuse("ends in the middle of a file")

    def _checks(self, block: bytes) -> bool:
        """Say whether a header has the checksum that it states, over unsigned bytes or, as in old archives, signed."""
        text = block[148:156].strip(b" \0")
        if not _OCTAL.fullmatch(text) or not text:
            return False
        rest = block[:148] + b" " * 8 + block[156:]
        unsigned, stated = sum(rest), int(text, 8)
        return stated == unsigned or stated == unsigned - 256 * sum(byte > 127 for byte in rest)  # noqa: PLR2004

    def _no_archive(self) -> CannotAnswer:
        return CannotAnswer(f"{self._where}: not a tar archive", "eif.source-kind", [_KINDS])

    def _once(self, kind: bytes) -> None:
        if kind in self._named:
            self._refuse("two extended headers of one kind before a member, which readers understand differently")
        self._named += (kind,)

    def _extension(self, size: int) -> bytes:
        if size > _MAX_EXTENSION:
            self._refuse(f"an extended header of {size} bytes")
        data = self._stream.read(size)
        if len(data) < size:
            self._refuse("ends in an extended header")
        self._at += size
        self._padding = -size % BLOCK
        return data

    def _long(self, data: bytes) -> bytes:
        """Return a long name, which ends with a NUL: without one, some readers go on into the padding."""
        name, end, _ = data.partition(b"\0")
        if not end or not name:
            self._refuse("a long name that is empty or does not end")
        return name

    def _records(self, data: bytes) -> None:
        """Take the records of a pax header: ``length key=value``, a later one in place of an earlier one."""
        numbers: list[bytes] = []
        while data:
            head, space, _ = data.partition(b" ")
            length = int(head) if _DECIMAL.fullmatch(head) else 0
            record = data[len(head) + 1 : length]
            key, equals, value = record[:-1].partition(b"=")
            if not (space and equals and key) or record[-1:] != b"\n" or length > len(data):
                self._refuse("a pax header that is no list of records")
            if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
                if key != (b"GNU.sparse.offset", b"GNU.sparse.numbytes")[len(numbers) % 2]:
                    self._refuse("a sparse map whose offsets and lengths do not alternate")
                numbers.append(value)
            elif not value and key in _MEANT:
                self._refuse(f"a pax header with an empty {key.decode()}, which readers understand differently")
            elif key in self._pax:
                self._refuse(f"a pax header with two records of {key!r}")
            else:
                self._pax[key] = value
            data = data[length:]
        if numbers:
            if b"GNU.sparse.map" in self._pax:
                self._refuse("a pax header with two sparse maps")
            self._pax[b"GNU.sparse.map"] = b",".join(numbers)

    def _global(self, data: bytes) -> None:
        """Take a pax header for all members: engines ignore it, tar does not, so it may hold nothing but a comment."""
        own, self._pax = self._pax, {}
        self._records(data)
        if set(self._pax) - {b"comment"}:
            self._refuse("a global pax header, which container engines ignore and tar does not")
        self._pax = own

    def _member(self, block: bytes, fields: tuple[bytes, ...], kind: bytes, size: int) -> Member:
        name = self._name(fields, kind)
        link = self._text(b"linkpath", _LONG_LINK, _until_nul(fields[8]))
        if kind in (_OLD_REGULAR, _CONTIGUOUS, _GNU_SPARSE):
            kind = DIRECTORY if kind == _OLD_REGULAR and name.endswith(b"/") else REGULAR
        if kind not in _MEMBERS:
            self._refuse(f"a member of type {fields[7]!r}, which is not known")
        if kind not in (DIRECTORY, LINK, SYMLINK) and name.endswith(b"/"):
            self._refuse("a name that ends in / and is no directory's")
        stored = self._decimal(b"size", size)
        if kind != REGULAR:
            stored = 0
        self._left, self._padding = stored, -stored % BLOCK
        size, segments = self._sparse(block, fields[7], stored)
        return Member(
            name=name,
            kind=kind,
            mode=self._number(fields[1], "mode") & 0o7777,
            uid=self._id(b"uid", fields[2]),
            gid=self._id(b"gid", fields[3]),
            mtime=self._mtime(fields[5]),
            size=size,
            link=link if kind in (LINK, SYMLINK) else b"",
            rdev=(self._number(fields[12], "device"), self._number(fields[13], "device"))
            if kind in (CHARACTER, BLOCK_DEVICE)
            else (0, 0),
            segments=segments,
            xattrs=tuple(key for key in self._pax if key.startswith(_XATTRS)),
        )

    def _name(self, fields: tuple[bytes, ...], kind: bytes) -> bytes:
        name = _until_nul(fields[0])
        prefix = _until_nul(fields[14]) if kind != _GNU_SPARSE else b""
        if prefix and fields[9].startswith(b"ustar\0"):
            name = prefix + b"/" + name
        elif prefix and fields[9] != _GNU_MAGIC:
            self._refuse(
                "a header of the oldest form with the first part of a name, which readers understand differently"
            )
        if b"GNU.sparse.name" in self._pax:
            self._pax[b"path"] = self._pax.pop(b"GNU.sparse.name")
        return self._text(b"path", _LONG_NAME, name)

    def _text(self, key: bytes, long: bytes, own: bytes) -> bytes:
        """Return a name: that of a pax record, of a GNU extension, or the header's own."""
        pax = self._pax.get(key)
        if pax is not None and b"\0" in pax:
            self._refuse("a name with a NUL in it")
        if pax and long in self._longs and self._longs[long] != pax:
            self._refuse("two long names for one member")
        return pax or self._longs.get(long) or own

    def _sparse(self, block: bytes, kind: bytes, stored: int) -> tuple[int, tuple[tuple[int, int], ...] | None]:
        """Return the size of the content and, of a sparse one, what is stored of it."""
        try:
            if kind == _GNU_SPARSE:
                size, segments = (
                    self._number(block[483:495], "size"),
                    sparse.gnu(block, self._sparse_block, self._number),
                )
            elif not any(key.startswith(b"GNU.sparse.") for key in self._pax):
                return stored, None
            elif self._pax.get(b"GNU.sparse.major", b"0") == b"0":
                size, segments = self._sparse_size(b"GNU.sparse.size"), sparse.listed(self._pax)
            else:
                size = self._sparse_size(b"GNU.sparse.realsize")
                segments = sparse.leading(self._pax, self._content_block)
            sparse.check(segments, stored=self._left, size=size)
        except ValueError as error:
            self._refuse(f"a sparse file: {error}")
        return size, segments

    def _sparse_size(self, key: bytes) -> int:
        if key not in self._pax:
            raise ValueError(f"no {key.decode()}")
        return self._decimal(key, 0)

    def _sparse_block(self) -> bytes:
        block = self._read_block()
        if block is None:
            self._refuse("ends in a sparse map")
        return block

    def _content_block(self) -> bytes:
        """Return the next block of the content, which is part of the sparse map."""
        if self._left < BLOCK:
            raise ValueError("its map does not end")
        self._left -= BLOCK
        return self._sparse_block()

    def _number(self, field: bytes, what: str) -> int:
        """Return a number field: octal digits, or GNU's binary form for what does not fit."""
        if field[0] & 0x80:
            value = int.from_bytes(field, "big") - (1 << 8 * len(field) if field[0] & 0x40 else 1 << 8 * len(field) - 1)
        else:
            digits, _, rest = field.lstrip(b" ").partition(b"\0")
            digits = digits.rstrip(b" ")
            if not _OCTAL.fullmatch(digits) or (not digits and rest.strip(b" \0")):
                self._refuse(f"a header whose {what} is no number")
            value = int(digits or b"0", 8)
        if value > _MAX_NUMBER or (value < 0 and what != "time"):
            self._refuse(f"a header whose {what} is {value}")
        return value

    def _decimal(self, key: bytes, own: int) -> int:
        """Return the number of a pax record, or the header's own."""
        text = self._pax.get(key)
        if text is None:
            return own
        if not _DECIMAL.fullmatch(text) or int(text) > _MAX_NUMBER:
            self._refuse(f"a pax header whose {key.decode()} is no number")
        return int(text)

    def _id(self, key: bytes, field: bytes) -> int:
        value = self._decimal(key, self._number(field, key.decode()))
        if value > _MAX_ID:
            self._refuse(f"a {key.decode()} of {value}, which no file can have")
        return value

    def _mtime(self, field: bytes) -> int:
        """Return whole seconds, rounded down."""
        text = self._pax.get(b"mtime")
        if text is None:
            return self._number(field, "time")
        found = _TIME.fullmatch(text)
        if found is None:
            self._refuse("a pax header whose mtime is no time")
        seconds = int(found[1])
        return seconds - 1 if text.startswith(b"-") and (found[2] or b"").strip(b"0") else seconds

    def _refuse(
        self, what: str, hint: str = "make the archive again with GNU tar or the tool it came from"
    ) -> NoReturn:
        raise CannotAnswer(f"{self._where}: tar archive, at byte {self._at}: {what}", "eif.source-tar", [hint])


def _until_nul(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]
