"""Reading ramdisks as Linux unpacks them: cpio archives in the "newc" form, one after another, plain or compressed.

Linux takes a ramdisk to be any sequence of archives, entries and compressed streams with zero bytes between them. An
entry begins at a multiple of four; ``TRAILER!!!`` ends nothing but the memory of hard links; an entry that Linux
cannot use is passed over without a word. So the walk here is the kernel's, and whatever it would pass over, stop at
or that another archiver would read otherwise is a :class:`Fault` beside the members that were found.

Memory is constant, however large the files in the archive are, and nothing is allocated from a number that the
archive states. What compressed streams may grow to is bounded by :class:`Limits`.
Source: EIF specification, "Background on ramdisk composition and loading"; cpio(5), "New ASCII Format"; Linux,
Documentation/driver-api/early-userspace/buffer-format.rst and init/initramfs.c.
"""

import hashlib
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO, Final

from nitroctl.eif import newc
from nitroctl.eif.ramdisk_bytes import CHUNK, COMPRESSIONS, Expanded, Part, Source, Stop

TRAILER: Final = b"TRAILER!!!"
PLAIN: Final = "none"

_UMODE: Final = 0xFFFF
#: What a small ramdisk may list, however well it is compressed; a larger one may list an entry for every 32 bytes,
#: and four bytes of text for every byte. An entry takes 112 bytes at least.
_ENTRIES: Final = 100_000
_ENTRY_BYTES: Final = 32
_TEXT: Final = 32 * 1024 * 1024
_TEXT_RATIO: Final = 4
_NOT_TAKEN: Final = "Linux does not take it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a ramdisk is read.

    ``members``: entries, and ``text``: bytes of their names and targets; fewer where the ramdisk is small, for a
    listing must not be much larger than the file. ``streams``: compressed streams, and stretches between them.
    ``faults``: how many are kept. ``expanded``, ``ratio``: compressed streams may grow to ``expanded`` bytes, or to
    ``ratio`` times the ramdisk's size if that is more.
    """

    members: int = 250_000
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
    before: int = 0,
    limits: Limits = LIMITS,
    digests: bool = True,
    take: Taker | None = None,
) -> "Reading":
    """Return an iterator over the members of the ramdisk in ``size`` bytes of ``stream`` from ``start``.

    ``before``: bytes of the image's ramdisks before this one; Linux gets them all as one. Without ``digests`` contents
    are passed over, which costs no reading where they are not compressed. ``take``: see :data:`Taker`. Hostile bytes
    raise nothing; OSError of the stream passes through.
    """
    return Reading(stream, start, size, limits, before=before, digests=digests, take=take)


class Reading(Iterator[Member]):
    """The members, and after the last one what became of the rest.

    ``faults``: at most ``limits.faults`` of them and ``more_faults`` others. ``archives``: trailers met.
    ``compressions``: of the streams in their order, ``none`` for what is not compressed. ``expanded``: bytes that came
    out of compressed streams.
    """

    def __init__(  # noqa: PLR0913  (those of read)
        self,
        stream: IO[bytes],
        start: int,
        size: int,
        limits: Limits,
        *,
        before: int,
        digests: bool,
        take: Taker | None,
    ) -> None:
        self.faults: list[Fault] = []
        self.more_faults = 0
        self.archives = 0
        self.compressions: list[str] = []
        self.expanded = 0
        self._limits = limits
        self._allowed = max(limits.expanded, limits.ratio * size)
        self._most = min(limits.members, max(_ENTRIES, size // _ENTRY_BYTES))
        self._most_text = min(limits.text, max(_TEXT, size * _TEXT_RATIO))
        self._before = before
        self._shifted = False
        self._digests = digests
        self._take = take
        self._count = 0
        self._text = 0
        self._open = False  # members since the last trailer
        self._members = self._guarded(Source(Part(stream, start, size)))

    def __next__(self) -> Member:
        """Return the next member."""
        return next(self._members)

    @property
    def complete(self) -> bool:
        """Whether the end was reached."""
        return not any(fault.final for fault in self.faults)

    # -- the walk

    def _guarded(self, source: "Source") -> Iterator[Member]:
        try:
            yield from self._walk(source, PLAIN)
        except Stop as stop:
            self._fault(stop.offset, stop.text, final=True)
            return
        if self._open:
            self._fault(source.position, "the last archive has no trailer: other programs than Linux may refuse it")

    def _walk(self, source: "Source", compression: str) -> Iterator[Member]:
        """Follow entries, padding and, on the outside, compressed streams."""
        while start := source.peek(newc.SHOWN):
            if start[0] == 0:
                source.skip_zeros()
            elif start[:1] == b"0":
                self._require_grid(source.position, self._before if compression == PLAIN else 0)
                if compression == PLAIN and self.compressions[-1:] != [PLAIN]:
                    self._begun(source.position, PLAIN)
                member = self._entry(source, compression)
                if member:
                    yield member
            elif compression == PLAIN:
                yield from self._stream(source, start)
            else:
                raise Stop(source.position, f"something that is no entry follows inside it: {start.hex(' ')}")

    def _require_grid(self, at: int, before: int) -> None:
        """Require that an entry begins where Linux looks for one; a ramdisk shifted as a whole is read all the same."""
        if not (before + at) % 4:
            return
        if at % 4:
            raise Stop(at, f"an entry begins at byte {before + at}, no multiple of four: {_NOT_TAKEN}")
        if not self._shifted:
            self._shifted = True
            self._fault(
                at, f"with the ramdisks before, it begins at byte {before + at}, no multiple of four: {_NOT_TAKEN}"
            )

    def _stream(self, source: "Source", start: bytes) -> Iterator[Member]:
        at = source.position
        name = next((name for magic, name in COMPRESSIONS.items() if start.startswith(magic)), "")
        if not name:
            text = f"neither an archive in the newc form nor a compression that Linux knows: it begins {start.hex(' ')}"
            raise Stop(at, text)
        self._begun(at, name)
        inside = Source(Expanded(source, name, self._grown))
        try:
            yield from self._walk(inside, name)
        except Stop as stop:
            raise Stop(stop.offset, f"in the {name} stream at byte {at}: {stop.text}") from stop

    def _begun(self, at: int, name: str) -> None:
        if len(self.compressions) == self._limits.streams:
            raise Stop(at, f"more than {self._limits.streams} compressed streams; the others are not read")
        self.compressions.append(name)

    def _grown(self, count: int, at: int) -> None:
        self.expanded += count
        if self.expanded > self._allowed:
            raise Stop(at, f"it expands to more than {self._allowed} bytes, the most that nitroctl reads of it")

    # -- one entry

    def _entry(self, source: "Source", compression: str) -> Member | None:
        """Read one entry; None for a trailer and for what Linux passes over."""
        at = source.position
        header = newc.parse(source.take(newc.SIZE), at)
        name = self._name(source, at, header)
        if name is None:
            return None
        ends = name == TRAILER and header.ends
        if ends:
            self.archives += 1
            self._open = False
            ignored = f"the trailer has {header.size} bytes of data" if header.size else ""
        else:
            ignored = newc.ignored(header)
        if ignored:
            self._fault(at, f"{_shown(name)}: {ignored}: Linux passes over it")
        if name == TRAILER and not ends:
            self._fault(at, f"{_shown(name)}: other archivers end here, Linux does not")
        if ignored or ends:
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
        padding = -header.size % 4
        if source.skip(padding) < padding and compression != PLAIN:
            self._fault(at, f"{_shown(name)}: the {compression} stream ends before its padding: Linux refuses that")
        self._open = True
        return member

    def _name(self, source: "Source", at: int, header: newc.Header) -> bytes | None:
        """Read the name of an entry; None, and the entry passed over, when Linux does not take it."""
        length = header.name_size
        padding = -(newc.SIZE + length) % 4
        if not 0 < length <= newc.PATH_MAX:
            self._fault(at, f"an entry with a name of {length} bytes: Linux passes over it")
            self._pass_over(source, at, length + padding + header.size)
            return None
        stored = source.take(length)
        source.take(padding)
        if len(stored) < length:
            raise Stop(at, "the ramdisk ends inside the name of an entry")
        if stored[-1]:
            raise Stop(at, "a name does not end with NUL: Linux refuses the ramdisk")
        name = stored[: stored.index(0)]
        if len(name) + 1 < length:
            self._fault(at, f"{_shown(name)}: bytes follow the NUL after its name, which Linux does not see")
        if header.mode > _UMODE:
            self._fault(at, f"{_shown(name)}: its mode {header.mode:o} has bits that Linux drops")
        return name

    def _target(self, source: "Source", at: int, name: bytes, size: int) -> bytes:
        """Read where a symbolic link leads."""
        stored = source.take(size)
        if len(stored) < size:
            raise Stop(at, f"the ramdisk ends inside the target of {_shown(name)}")
        target = stored.split(b"\0", 1)[0]
        if len(target) < size:
            self._fault(at, f"{_shown(name)}: bytes follow the NUL in its target, which Linux does not see")
        return target

    def _content(self, source: "Source", member: Member, checksum: int | None) -> Member:
        """Read the content of a regular file, and return the member with its digest."""
        consumer = self._take(member) if self._take else None
        cut = f"{_shown(member.name)} claims {member.size} bytes, the ramdisk ends before"
        if not self._digests and consumer is None:
            if source.skip(member.size) < member.size:
                raise Stop(member.offset, cut)
            return member
        digest = hashlib.sha256()
        left, total = member.size, 0
        while left:
            piece = source.piece(min(left, CHUNK))
            if not piece:
                raise Stop(member.offset, cut)
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

    def _pass_over(self, source: "Source", at: int, count: int) -> None:
        if source.skip(count) < count:
            raise Stop(at, "the ramdisk ends inside an entry")
        source.skip(-source.position % 4)

    def _count_in(self, at: int, text: int) -> None:
        self._count += 1
        self._text += text
        if self._count > self._most:
            raise Stop(at, f"more than {self._most} entries; the others are not read")
        if self._text > self._most_text:
            raise Stop(at, f"names and links of more than {self._most_text} bytes; the other entries are not read")

    def _fault(self, offset: int, text: str, *, final: bool = False) -> None:
        if len(self.faults) < self._limits.faults or final:
            self.faults.append(Fault(offset, text, final))
        else:
            self.more_faults += 1


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
