"""Where documents come from: files, directories, patterns, JSON Lines, tar archives and standard input.

Sources come one at a time, in an order that names alone decide, and in memory that does not grow with their number
(the names in one directory are held, to sort them). Nothing is passed over in silence: whatever stands where a
document could stand and cannot be read is a source with a fault. That includes hidden files, for a heap of evidence is
not a source tree; symbolic links to directories inside a directory, which are not followed, so that nothing can loop;
special files, which are not opened; and whatever holds no document at all.
"""

import io
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Final

from nitroctl import safefile
from nitroctl.errors import CannotAnswer, NitroctlError, UsageError
from nitroctl.evidence import container
from nitroctl.evidence.container import MAX_FILE, Unwrapped

_LINES: Final = (".jsonl", ".ndjson")
ARCHIVES: Final = (".tar", ".tar.gz", ".tgz")
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\r\n"
_JSON_STARTS: Final = (b'"', b"{", b"[")
#: The rest of a line that is too long is passed over up to here; beyond, the file is given up.
_MAX_SKIPPED: Final = 64 * 1024 * 1024
_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """One place at which a document stands, or should.

    ``name``: the path, with the line of JSON Lines (``dump.jsonl:17``) or the member of an archive
    (``heap.tar!a.cbor``) where there is one; hostile text. ``raw``: what stands there, still in its container.
    ``fault``: why there is nothing; exactly one of the two is None.
    """

    name: str
    raw: bytes | None = None
    fault: NitroctlError | None = None

    def unwrap(self) -> Unwrapped:
        """Return the CBOR that stands here. Raises the fault, or CannotAnswer ``evidence.*`` naming the place."""
        if self.fault is not None:
            raise self.fault
        try:
            return container.unwrap(self.raw or b"")
        except CannotAnswer as error:
            name = "standard input" if self.name == safefile.STDIN else self.name
            raise CannotAnswer(f"{name}: {error.message}", error.code, error.hints) from error


def documents(paths: Sequence[str]) -> Iterator[Source]:
    """Yield what stands in ``paths``, in their order; a directory's files by name, what is in a directory after it.

    Raises UsageError when standard input (``-``) is named more than once; nothing else is ever raised.
    """
    if list(paths).count(safefile.STDIN) > 1:
        raise UsageError("standard input (-) is named twice, and can be read once", "usage.invalid")
    return (source for path in paths for source in _argument(path))


def one(path: str) -> Source:
    """Return the one document at ``path``, a file however it is called or standard input.

    Raises CannotAnswer ``file.*``.
    """
    try:
        if path == safefile.STDIN:
            return Source(path, safefile.open_stdin().read(MAX_FILE + 1))
        with safefile.open_regular(path) as stream:
            return Source(path, stream.read(MAX_FILE + 1))
    except OSError as error:
        raise safefile.cannot_read("standard input" if path == safefile.STDIN else path, error) from error


def holds_many(path: str) -> bool:
    """Whether ``path`` may stand for several documents: a directory, a pattern, an archive or JSON Lines.

    Standard input is looked into up to its second line, and nothing of it is lost for who reads it next.
    """
    if path == safefile.STDIN:
        return _stdin_holds_many()
    if _is_pattern(path) or path.lower().endswith((*_LINES, *ARCHIVES)):
        return True
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  (not Path: a name may hold anything)
        if not stat.S_ISREG(mode):
            return stat.S_ISDIR(mode)
        with safefile.open_regular(path) as stream:
            return _begin_lines(stream)[0]
    except (OSError, ValueError, CannotAnswer):  # for the reading of the one file to say
        return False


def fault(name: str, what: str, code: str, hints: Sequence[str] = ()) -> Source:
    """Return a source that could not be read."""
    return Source(name, fault=CannotAnswer(f"{name}: {what}", code, hints))


def too_large(name: str) -> Source:
    """Return a source that is larger than any file with one document is."""
    return fault(name, container.TOO_LARGE, "file.too-large")


def not_regular(name: str, what: str = "not a regular file", hint: str = "copy it to a file first") -> Source:
    """Return a source that is not a file with content."""
    return fault(name, what, "file.not-regular", [hint])


def is_lines(name: str) -> bool:
    """Whether a file of this name is JSON Lines."""
    return name.lower().endswith(_LINES)


def lines(name: str, stream: IO[bytes]) -> Iterator[Source]:
    """Yield the lines of JSON Lines, each a JSON string, object or array that holds one document; empty ones do not.

    Raises what reading ``stream`` raises.
    """
    number, found = 0, False
    while line := stream.readline(MAX_FILE + 1):
        number += 1
        place = f"{name}:{number}"
        if len(line) > MAX_FILE and not line.endswith(b"\n"):
            found = True
            yield too_large(place)
            if not _pass_over_line(stream):
                yield fault(place, "the line does not end; what follows is not read", "file.too-large")
                return
            continue
        text = (line.removeprefix(_BOM) if number == 1 else line).strip(_SPACE)
        if not text:
            continue
        found = True
        if text.startswith(_JSON_STARTS):
            yield Source(place, text)
        else:
            yield fault(place, "the line is not a JSON string, object or array", "evidence.unreadable", [_LINE_FORM])
    if not found:
        yield empty(name)


_LINE_FORM: Final = 'write one document a line: "hE…" in base64 or hexadecimal, or {"attestation_document": "hE…"}'


def empty(name: str, what: str = "there is no document: the input is empty") -> Source:
    """Return a source in which there is nothing."""
    return fault(name, what, "evidence.empty", ["capture the documents again"])


def _pass_over_line(stream: IO[bytes]) -> bool:
    """Read on to the end of the line; False when it is nowhere near."""
    passed = 0
    while passed < _MAX_SKIPPED:
        piece = stream.readline(_CHUNK)
        if not piece or piece.endswith(b"\n"):
            return True
        passed += len(piece)
    return False


def _argument(path: str) -> Iterator[Source]:
    if path == safefile.STDIN:
        yield from _stdin()
        return
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except FileNotFoundError as error:
        yield from _pattern(path) if _is_pattern(path) else [Source(path, fault=safefile.cannot_read(path, error))]
    except OSError as error:
        yield Source(path, fault=safefile.cannot_read(path, error))
    except ValueError:
        yield fault(path, "cannot read: the name has a NUL character", "file.unreadable")
    else:
        yield from _there(path, mode)


def _there(path: str, mode: int) -> Iterator[Source]:
    """Yield what stands at a path whose mode is known: a directory, a file, or something else."""
    if not stat.S_ISDIR(mode):
        yield from _file(path) if stat.S_ISREG(mode) else [not_regular(path)]
        return
    found = False
    for source in _directory(path):
        found = True
        yield source
    if not found:
        yield empty(path, "there is no document: the directory has no files")


def _is_pattern(path: str) -> bool:
    """Whether it is a pattern that no shell has expanded: a file of that very name comes first."""
    return any(character in path for character in "*?[") and not os.path.lexists(path)


def _pattern(pattern: str) -> Iterator[Source]:
    import glob  # noqa: PLC0415  (start-up)

    paths = sorted(glob.glob(pattern))  # noqa: PTH207  (not recursive: what matches and is a directory is walked)
    for path in paths:
        yield from _argument(path)
    if not paths:
        yield fault(pattern, "nothing matches the pattern", "file.unreadable", ["check the path"])


def _directory(top: str) -> Iterator[Source]:
    """Yield the files below ``top``, depth first, by name; no directory is entered through a symbolic link."""
    entered: list[tuple[str, list[str]]] = []  # each directory on the way down, and its names still to come
    path, is_directory = top, True
    while True:
        if is_directory:
            try:
                entered.append((path, _names(path, follow=path == top)))
            except OSError as error:
                yield Source(path, fault=safefile.cannot_read(path, error))
        else:
            yield from _entry(path)
        while entered and not entered[-1][1]:
            entered.pop()
        if not entered:
            return
        directory, names = entered[-1]
        path = os.path.join(directory, names.pop())  # noqa: PTH118  (not Path: it would mend the name)
        is_directory = _is_directory(path)


def _names(path: str, *, follow: bool) -> list[str]:
    """Return the names in a directory, the first one last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        return sorted(os.listdir(descriptor), reverse=True)  # noqa: PTH208  (a descriptor cannot be swapped)
    finally:
        os.close(descriptor)


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114  (not Path: it would mend the name)


def _entry(path: str) -> Iterator[Source]:
    """Yield what an entry of a directory holds that is not a directory."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError as error:
        yield Source(path, fault=safefile.cannot_read(path, error))
        return
    if stat.S_ISDIR(mode):
        yield not_regular(path, "a symbolic link to a directory, not followed", "name the directory itself as well")
    else:
        yield from _there(path, mode)


def _file(path: str) -> Iterator[Source]:
    try:
        with safefile.open_regular(path) as stream:
            yield from _content(path, stream)
    except OSError as error:
        yield Source(path, fault=safefile.cannot_read(path, error))
    except CannotAnswer as error:
        yield Source(path, fault=error)


def _content(path: str, stream: IO[bytes]) -> Iterator[Source]:
    """Yield the documents in an open file. Raises OSError when it cannot be read on."""
    if path.lower().endswith(ARCHIVES):
        from nitroctl.evidence import archives  # noqa: PLC0415  (start-up: tarfile is for archives only)

        yield from archives.members(path, stream)
    elif is_lines(path):
        yield from lines(path, stream)
    else:
        several, head = _begin_lines(stream)
        if several:
            stream.seek(0)
            yield from lines(path, stream)
        else:
            yield _one(path, head, stream)


def _one(name: str, head: bytes, stream: IO[bytes]) -> Source:
    raw = head + stream.read(max(0, MAX_FILE + 1 - len(head)))
    return Source(name, raw) if raw else empty(name)


def _begin_lines(stream: IO[bytes]) -> tuple[bool, bytes]:
    """Return whether JSON Lines begin here, and what was read to tell: a whole JSON value on a line, then another line.

    One document never looks so: JSON that is a value on its first line ends there, and no other form begins like JSON.
    """
    head = stream.readline(MAX_FILE + 1)
    text = head.removeprefix(_BOM).strip(_SPACE)
    if not text.startswith(_JSON_STARTS) or not _is_json(text):
        return False, head
    grown = bytearray(head)  # with bytes, each of a million empty lines would copy all before it
    while len(grown) <= MAX_FILE and (line := stream.readline(MAX_FILE + 1)):
        grown += line
        if line.strip(_SPACE):
            return True, bytes(grown)
    return False, bytes(grown)


def _is_json(text: bytes) -> bool:
    import json  # noqa: PLC0415  (start-up)

    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _stdin() -> Iterator[Source]:
    try:
        stream = safefile.open_stdin()
        several, head = _begin_lines(stream)
        if several:
            yield from lines(safefile.STDIN, _PutBack.before(head, stream))
        else:
            yield _one(safefile.STDIN, head, stream)
    except OSError as error:
        yield Source(safefile.STDIN, fault=safefile.cannot_read("standard input", error))
    except CannotAnswer as error:
        yield Source(safefile.STDIN, fault=error)


def _stdin_holds_many() -> bool:
    try:
        stream = safefile.open_stdin()
        several, head = _begin_lines(stream)
    except (OSError, CannotAnswer):  # for the reading to say
        return False
    sys.stdin = io.TextIOWrapper(_PutBack.before(head, stream, sys.stdin), encoding="utf-8")
    return several


class _PutBack(io.RawIOBase):
    """A stream with bytes put back before what it still holds."""

    def __init__(self, head: bytes, rest: IO[bytes], owner: object = None) -> None:
        self._head = memoryview(head)  # cut without copying
        self._rest = rest
        self._owner = owner  # which would close ``rest`` when nobody holds it any more

    @classmethod
    def before(cls, head: bytes, rest: IO[bytes], owner: object = None) -> io.BufferedReader:
        """Return a buffered stream of ``head``, then ``rest``, which is ``owner``'s."""
        return io.BufferedReader(cls(head, rest, owner))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer, in its stub
        piece: bytes | memoryview
        if self._head:
            piece, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            read1 = getattr(self._rest, "read1", self._rest.read)  # what is there now: a slow pipe is not waited for
            piece = read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
