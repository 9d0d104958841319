"""Reading ramdisks as Linux unpacks them: cpio archives in the "newc" form, one after another, plain or compressed.

Linux takes a ramdisk to be any sequence of archives, entries and compressed streams with zero bytes between them. An
entry begins at a multiple of four; ``TRAILER!!!`` ends nothing but the memory of hard links; an entry that Linux
cannot use is passed over without a word. So the walk here is the kernel's, and whatever it would pass over, stop at
or that another archiver would read otherwise is a :class:`Fault` beside the members that were found.

Memory is constant, however large the files in the archive are, and nothing is allocated from a number that the
archive states. What compressed streams may grow to is bounded by :class:`Limits`.
Source: cpio(5), "New ASCII Format"; Linux, Documentation/driver-api/early-userspace/buffer-format.rst and
init/initramfs.c.
"""

import bz2
import hashlib
import lzma
import stat
import struct
import zlib
from binascii import unhexlify
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO, Final, NamedTuple, Protocol

MAGICS: Final = (b"070701", b"070702")
TRAILER: Final = b"TRAILER!!!"
HEADER_BYTES: Final = 110
#: The longest name, and the longest target of a symbolic link, that Linux takes; with the final NUL.
PATH_MAX: Final = 4096
PLAIN: Final = "none"

_CHUNK: Final = 256 * 1024
_WINDOW: Final = 4096
_NUMBERS: Final = struct.Struct(">13I")
_SUMMED: Final = b"070702"
_OLD: Final = b"070707"
_TYPES: Final = frozenset(
    {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}
)
_UMODE: Final = 0xFFFF
_TYPE_BITS: Final = 0o170000
_MEMORY: Final = 128 * 1024 * 1024
_SHOWN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a ramdisk is read.

    ``members``: entries. ``streams``: compressed streams, and stretches between them. ``text``: bytes of names and
    link targets together. ``faults``: how many are kept. ``expanded``, ``ratio``: compressed streams may grow to
    ``expanded`` bytes, or to ``ratio`` times the ramdisk's size if that is more.
    """

    members: int = 1_000_000
    streams: int = 1024
    text: int = 256 * 1024 * 1024
    faults: int = 64
    expanded: int = 1024 * 1024 * 1024
    ratio: int = 64


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of a ramdisk as it is stored.

    ``name``: up to its first NUL. ``mode``: type and permission bits as in stat(2). ``size``: bytes of a regular
    file's content, ``sha256`` its digest, None when it was not asked for. ``target``: where a symbolic link leads.
    ``device`` and ``ino`` tell which entries are hard links of one file; often only one of them has the content.
    ``archive``: the number of trailers before it. ``compression``: ``none``, ``gzip`` … ``offset``: of its header, in
    the ramdisk or in the expanded stream.
    """

    name: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    ino: int
    nlink: int
    device: tuple[int, int]
    rdev: tuple[int, int]
    size: int
    sha256: bytes | None
    target: bytes
    archive: int
    compression: str
    offset: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at ``offset`` (in the ramdisk or in the expanded stream); ``final``: reading ended there."""

    offset: int
    text: str
    final: bool = False


#: Called with a regular file before its content is read; returns what is to be called with each piece, or None.
Taker = Callable[[Member], Callable[[bytes], object] | None]


def read(  # noqa: PLR0913  (where it is, and how to read it)
    stream: IO[bytes],
    start: int,
    size: int,
    *,
    limits: Limits = LIMITS,
    digests: bool = True,
    take: Taker | None = None,
) -> "Reading":
    """Return an iterator over the members of the ramdisk in ``size`` bytes of ``stream`` from ``start``.

    Without ``digests`` contents are passed over, which costs no reading where they are not compressed. ``take``: see
    :data:`Taker`. Hostile bytes raise nothing; OSError of the stream passes through.
    """
    return Reading(stream, start, size, limits, digests=digests, take=take)


class _Stop(Exception):
    """Nothing after this can be read; carries the offset and the clause for people."""

    def __init__(self, offset: int, text: str) -> None:
        super().__init__(text)
        self.offset = offset
        self.text = text


class Reading(Iterator[Member]):
    """The members, and after the last one what became of the rest.

    ``faults``: at most ``limits.faults`` of them and ``more_faults`` others. ``archives``: trailers met.
    ``compressions``: of the streams in their order, ``none`` for what is not compressed. ``expanded``: bytes that came
    out of compressed streams.
    """

    def __init__(  # noqa: PLR0913  (those of read)
        self, stream: IO[bytes], start: int, size: int, limits: Limits, *, digests: bool, take: Taker | None
    ) -> None:
        self.faults: list[Fault] = []
        self.more_faults = 0
        self.archives = 0
        self.compressions: list[str] = []
        self.expanded = 0
        self._limits = limits
        self._allowed = max(limits.expanded, limits.ratio * size)
        self._digests = digests
        self._take = take
        self._count = 0
        self._text = 0
        self._open = False  # members since the last trailer
        self._members = self._guarded(_Source(_Part(stream, start, size)))

    def __next__(self) -> Member:
        """Return the next member."""
        return next(self._members)

    @property
    def complete(self) -> bool:
        """Whether the end was reached."""
        return not any(fault.final for fault in self.faults)

    # -- the walk

    def _guarded(self, source: "_Source") -> Iterator[Member]:
        try:
            yield from self._walk(source, PLAIN)
        except _Stop as stop:
            self._fault(stop.offset, stop.text, final=True)
            return
        if self._open:
            self._fault(source.position, "the last archive has no trailer: other programs than Linux may refuse it")

    def _walk(self, source: "_Source", compression: str) -> Iterator[Member]:
        """Follow entries, padding and, on the outside, compressed streams."""
        while start := source.peek(_SHOWN):
            if start[0] == 0:
                source.skip_zeros()
            elif start[:1] == b"0":
                if source.position % 4:
                    text = f"an entry begins at byte {source.position}, no multiple of four: Linux does not take it"
                    raise _Stop(source.position, text)
                if compression == PLAIN and self.compressions[-1:] != [PLAIN]:
                    self._begun(source.position, PLAIN)
                member = self._entry(source, compression)
                if member:
                    yield member
            elif compression == PLAIN:
                yield from self._stream(source, start)
            else:
                raise _Stop(source.position, f"something that is no entry follows inside it: {start.hex(' ')}")

    def _stream(self, source: "_Source", start: bytes) -> Iterator[Member]:
        at = source.position
        name = next((name for magic, name in _COMPRESSIONS.items() if start.startswith(magic)), "")
        if not name:
            text = f"neither an archive in the newc form nor a compression that Linux knows: it begins {start.hex(' ')}"
            raise _Stop(at, text)
        expander = _expander(name)
        self._begun(at, name)
        if expander is None:
            raise _Stop(at, f"compressed with {name}, which nitroctl does not read here")
        inside = _Source(_Expanded(source, expander, name, self._grown))
        try:
            yield from self._walk(inside, name)
        except _Stop as stop:
            raise _Stop(stop.offset, f"in the {name} stream at byte {at}: {stop.text}") from stop

    def _begun(self, at: int, name: str) -> None:
        if len(self.compressions) == self._limits.streams:
            raise _Stop(at, f"more than {self._limits.streams} compressed streams; the others are not read")
        self.compressions.append(name)

    def _grown(self, count: int, at: int) -> None:
        self.expanded += count
        if self.expanded > self._allowed:
            raise _Stop(at, f"it expands to more than {self._allowed} bytes, the most that nitroctl reads of it")

    # -- one entry

    def _entry(self, source: "_Source", compression: str) -> Member | None:
        """Read one entry; None for a trailer and for what Linux passes over."""
        at = source.position
        header = _header(source.take(HEADER_BYTES), at)
        name = self._name(source, at, header)
        if name is None:
            return None
        if name == TRAILER:
            self.archives += 1
            self._open = False
            ignored = f"the trailer has {header.size} bytes of data" if header.size else ""
        else:
            ignored = _ignored(header)
        if ignored:
            self._fault(at, f"{_shown(name)}: {ignored}: Linux passes over it")
        if ignored or name == TRAILER:
            self._pass_over(source, at, header.size)
            return None
        link = header.size if header.kind == stat.S_IFLNK else 0
        self._count_in(at, len(name) + link)
        member = Member(
            name=name,
            mode=header.mode & _UMODE,
            uid=header.uid,
            gid=header.gid,
            mtime=header.mtime,
            ino=header.ino,
            nlink=header.nlink,
            device=(header.major, header.minor),
            rdev=(header.rdev_major, header.rdev_minor),
            size=header.size - link,
            sha256=None,
            target=self._target(source, at, name, link) if link else b"",
            archive=self.archives,
            compression=compression,
            offset=at,
        )
        if header.kind == stat.S_IFREG:
            member = self._content(source, member, header.checksum if header.summed else None)
        source.skip(-header.size % 4)
        self._open = True
        return member

    def _name(self, source: "_Source", at: int, header: "_Header") -> bytes | None:
        """Read the name of an entry; None, and the entry passed over, when Linux does not take it."""
        length = header.name_size
        padding = -(HEADER_BYTES + length) % 4
        if not 0 < length <= PATH_MAX:
            self._fault(at, f"an entry with a name of {length} bytes: Linux passes over it")
            self._pass_over(source, at, length + padding + header.size)
            return None
        stored = source.take(length)
        source.take(padding)
        if len(stored) < length:
            raise _Stop(at, "the ramdisk ends inside the name of an entry")
        if stored[-1]:
            raise _Stop(at, "a name does not end with NUL: Linux refuses the ramdisk")
        name = stored[: stored.index(0)]
        if len(name) + 1 < length:
            self._fault(at, f"{_shown(name)}: bytes follow the NUL after its name, which Linux does not see")
        if header.mode > _UMODE:
            self._fault(at, f"{_shown(name)}: its mode {header.mode:o} has bits that Linux drops")
        return name

    def _target(self, source: "_Source", at: int, name: bytes, size: int) -> bytes:
        """Read where a symbolic link leads."""
        stored = source.take(size)
        if len(stored) < size:
            raise _Stop(at, f"the ramdisk ends inside the target of {_shown(name)}")
        target = stored.split(b"\0", 1)[0]
        if len(target) < size:
            self._fault(at, f"{_shown(name)}: bytes follow the NUL in its target, which Linux does not see")
        return target

    def _content(self, source: "_Source", member: Member, checksum: int | None) -> Member:
        """Read the content of a regular file, and return the member with its digest."""
        consumer = self._take(member) if self._take else None
        cut = f"{_shown(member.name)} claims {member.size} bytes, the ramdisk ends before"
        if not self._digests and consumer is None:
            if source.skip(member.size) < member.size:
                raise _Stop(member.offset, cut)
            return member
        digest = hashlib.sha256()
        left, total = member.size, 0
        while left:
            piece = source.piece(min(left, _CHUNK))
            if not piece:
                raise _Stop(member.offset, cut)
            digest.update(piece)
            if consumer:
                consumer(piece)
            if checksum is not None:
                total += sum(piece)
            left -= len(piece)
        if checksum is not None and total & 0xFFFFFFFF != checksum:
            text = f"{_shown(member.name)}: its checksum is {checksum:08x}, its content's {total & 0xFFFFFFFF:08x}"
            self._fault(member.offset, text)
        return replace(member, sha256=digest.digest())

    def _pass_over(self, source: "_Source", at: int, count: int) -> None:
        if source.skip(count) < count:
            raise _Stop(at, "the ramdisk ends inside an entry")
        source.skip(-source.position % 4)

    def _count_in(self, at: int, text: int) -> None:
        self._count += 1
        self._text += text
        if self._count > self._limits.members:
            raise _Stop(at, f"more than {self._limits.members} entries; the others are not read")
        if self._text > self._limits.text:
            raise _Stop(at, f"names and links of more than {self._limits.text} bytes; the other entries are not read")

    def _fault(self, offset: int, text: str, *, final: bool = False) -> None:
        if len(self.faults) < self._limits.faults or final:
            self.faults.append(Fault(offset, text, final))
        else:
            self.more_faults += 1


class _Header(NamedTuple):
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
        return self.mode & _TYPE_BITS


def _header(data: bytes, at: int) -> _Header:
    if len(data) < HEADER_BYTES:
        raise _Stop(at, "the ramdisk ends inside the header of an entry")
    if data[:6] == _OLD:
        raise _Stop(at, "an archive in the old portable form (070707), which Linux does not read")
    if data[:6] not in MAGICS:
        raise _Stop(at, f"no entry in the newc form: it begins {data[:_SHOWN].hex(' ')}")
    try:
        return _Header._make((*_NUMBERS.unpack(unhexlify(data[6:])), data[:6] == _SUMMED))
    except ValueError as error:  # binascii.Error is one
        raise _Stop(at, "a number in the header of an entry is not hexadecimal") from error


def _ignored(header: _Header) -> str:
    """Say why Linux makes nothing of an entry; empty when it makes something."""
    if header.kind not in _TYPES:
        return f"its type {header.kind:o} is none that there is"
    if header.kind == stat.S_IFLNK:
        return f"a symbolic link whose target has {header.size} bytes" if header.size > PATH_MAX else ""
    return f"{header.size} bytes of data in what is no file" if header.size and header.kind != stat.S_IFREG else ""


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


# -- bytes


class _Feed(Protocol):
    """Where a :class:`_Source` gets its bytes."""

    def read(self, count: int) -> bytes:
        """Return some bytes, about ``count``; none at the end."""

    def skip(self, count: int) -> int:
        """Pass over at most ``count`` bytes without looking; return how many, 0 where they have to be read."""


class _Part:
    """A part of a seekable file."""

    def __init__(self, stream: IO[bytes], start: int, size: int) -> None:
        self._stream = stream
        self._at = start
        self._end = start + size

    def read(self, count: int) -> bytes:
        self._stream.seek(self._at)
        data = self._stream.read(min(count, self._end - self._at))
        self._at += len(data)
        return data

    def skip(self, count: int) -> int:
        passed = min(count, self._end - self._at)
        self._at += passed
        return passed


class _Source:
    """Bytes with a position, that can be looked at before they are taken."""

    def __init__(self, feed: _Feed) -> None:
        self._feed = feed
        self._held = b""
        self._next = 0
        self.position = 0

    def peek(self, count: int) -> bytes:
        """Return the next ``count`` bytes, fewer at the end, and leave them there."""
        while len(self._held) - self._next < count:
            more = self._feed.read(_CHUNK)
            if not more:
                break
            self._held = self._held[self._next :] + more
            self._next = 0
        return self._held[self._next : self._next + count]

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes, fewer at the end; for small counts."""
        data = self.peek(count)
        self._advance(len(data))
        return data

    def piece(self, most: int) -> bytes:
        """Return the next bytes, at least one and at most ``most``; none at the end."""
        if self._next == len(self._held):
            self._held = self._feed.read(_CHUNK)
            self._next = 0
        data = self._held[self._next : self._next + most]
        self._advance(len(data))
        return data

    def skip(self, count: int) -> int:
        """Pass over ``count`` bytes; return how many there were."""
        left = count
        while left:
            held = min(left, len(self._held) - self._next)
            self._advance(held)
            left -= held
            if not left:
                break
            passed = self._feed.skip(left)
            self.position += passed
            left -= passed
            if not passed and not self.peek(1):
                break
        return count - left

    def skip_zeros(self) -> None:
        """Pass over zero bytes."""
        while self.peek(1) == b"\0":
            window = self._held[self._next : self._next + _WINDOW]
            self._advance(len(window) - len(window.lstrip(b"\0")))

    def put_back(self, data: bytes) -> None:
        """Return bytes that were taken last and not used."""
        self._held = data + self._held[self._next :]
        self._next = 0
        self.position -= len(data)

    def _advance(self, count: int) -> None:
        self._next += count
        self.position += count


# -- compression

#: What a compressed stream begins with, as Linux tells them apart.
_COMPRESSIONS: Final = {
    b"\x1f\x8b": "gzip",
    b"\x1f\x9e": "gzip",
    b"BZ": "bzip2",
    b"\x5d\x00": "lzma",
    b"\xfd7": "xz",
    b"\x89L": "lzo",
    b"\x02\x21": "lz4",
    b"\x28\xb5": "zstd",
}


class _Expander(Protocol):
    """A decompressor of the standard library, one stream long."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether more bytes are needed before more come out."""

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most ``max_length`` bytes of what ``data``, and what is held back, expands to."""


class _Gzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _expander(name: str) -> _Expander | None:
    """Return a decompressor, or None for a compression that cannot be read here."""
    if name == "gzip":
        return _Gzip()
    if name == "bzip2":
        return bz2.BZ2Decompressor()
    if name in ("xz", "lzma"):
        form = lzma.FORMAT_XZ if name == "xz" else lzma.FORMAT_ALONE
        return lzma.LZMADecompressor(form, memlimit=_MEMORY)
    return None


class _Expanded:
    """What a compressed stream in a source expands to; the bytes after its end stay in the source."""

    def __init__(self, source: _Source, expander: _Expander, name: str, grown: Callable[[int, int], None]) -> None:
        self._source = source
        self._expander = expander
        self._name = name
        self._grown = grown
        self._out = 0
        self._ended = False

    def read(self, count: int) -> bytes:
        while not self._ended:
            data = self._source.piece(_CHUNK) if self._expander.needs_input else b""
            starved = self._expander.needs_input and not data
            try:
                out = self._expander.decompress(data, count)
            except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
                raise _Stop(self._out, f"the {self._name} data is damaged: {error}") from error
            if self._expander.eof:
                self._ended = True
                self._source.put_back(self._expander.unused_data)
            if out:
                self._out += len(out)
                self._grown(len(out), self._out)
                return out
            if starved and not self._ended:
                raise _Stop(self._out, f"the {self._name} data ends before its end")
        return b""

    def skip(self, count: int) -> int:  # noqa: ARG002  (compressed bytes have to be read)
        return 0
