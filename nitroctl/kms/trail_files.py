"""CloudTrail's records from wherever they were captured, one at a time, in memory that does not grow with them.

Understood are the files that a trail delivers (``{"Records": […]}``, with gzip or without), directories of them as they
are copied from S3, what ``aws cloudtrail lookup-events`` and ``aws logs filter-log-events`` print, EventBridge's
envelope, arrays, JSON Lines, and single records. A file is decoded record by record. What cannot be read is yielded
as an error in its place; nothing is passed over in silence.
Source: CloudTrail user guide, "CloudTrail log file examples".
"""

import codecs
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Final, NamedTuple

from nitroctl import safefile, strict_json
from nitroctl.errors import AwsFailed, CannotAnswer, NitroctlError, UsageError
from nitroctl.kms.trail_paths import below

#: The most one record may have, in characters: CloudTrail cuts them at 256 KB, or 1 MB for some.
RECORD_LIMIT: Final = 4 * 1024 * 1024
SOURCE: Final = "kms.amazonaws.com"
#: What compressed logs may swell to whatever their size, and how many times their size beyond that.
_ALWAYS_EXPANDED: Final = 64 * 1024 * 1024
_MAX_RATIO: Final = 200
_CHUNK: Final = 256 * 1024
_GZIP: Final = b"\x1f\x8b"
_GZIP_FORMAT: Final = 31
_UNREADABLE: Final = "kms.trail-unreadable"
_FORMS: Final = "give CloudTrail's files as they are in S3, or what aws cloudtrail lookup-events prints"

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_LIST: Final = re.compile(r'\{[ \t\r\n]*"(?:Records|Events|events)"[ \t\r\n]*:[ \t\r\n]*\[')
_QUOTE_AND_SPACE: Final = ('" ', '"\n', '"\r', '"\t')
_KEY_END: Final = re.compile(r'"[ \t\r\n]*:')
#: The members of an element that hold the record itself, as text or as an object.
_WRAPPINGS: Final = ("CloudTrailEvent", "message", "detail")
_LISTS: Final = ("Records", "Events", "events")


class Found(NamedTuple):
    """A record that KMS wrote. ``where``: file and place in it, hostile text. ``record``: with no key twice."""

    where: str
    record: Mapping[str, Any]


class _Raw(NamedTuple):
    """The text that a value was read from: from ``start`` to ``end`` of ``text``."""

    text: str
    start: int
    end: int

    def has(self, part: str) -> bool:
        """Whether ``part`` stands in it."""
        return self.text.find(part, self.start, self.end) >= 0

    def key_ends(self) -> int:
        """Return how many quotes stand before a colon: no fewer than there are keys."""
        if any(map(self.has, _QUOTE_AND_SPACE)):
            return len(_KEY_END.findall(*self))
        return self.text.count('":', self.start, self.end)  # as CloudTrail writes it; ten times as fast


class _Broken(Exception):
    """The text cannot be read on; the message says why."""


def _no_constant(name: str) -> float:
    raise _Broken(f"{name} is not a JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


class Files:
    """Reads the records in files, and counts what it read.

    ``files``: that could be opened. ``records``: all of them, of every service. ``digests``: CloudTrail's own digest
    files. ``unfinished``: answers of AWS that say that there is more.
    """

    def __init__(self, paths: Sequence[str], answers: Iterable[tuple[str, bytes]] = ()) -> None:
        """Read ``paths``: files, directories, ``-`` once. Raises UsageError when standard input is named twice.

        ``answers``: what AWS answered, each with the name to give it; read after the paths, one by one.
        """
        if list(paths).count(safefile.STDIN) > 1:
            raise UsageError("standard input (-) is named twice, and can be read once", "usage.invalid")
        self._paths = paths
        self._answers = answers
        self.files = self.records = self.digests = self.unfinished = 0
        self._name = ""  # of the file that is read, and the records before it
        self._before = 0

    def found(self) -> Iterator[Found | NitroctlError]:
        """Yield the records that KMS wrote, and an error for whatever could not be read, in the order of the names.

        Raises what ``answers`` raises before the first of them; after that it is an error in its place.
        """
        for argument in self._paths:
            for path in below(argument):
                if isinstance(path, NitroctlError):
                    yield path
                else:
                    yield from self._file(path)
        try:
            for name, content in self._answers:
                yield from self._answer(name, content)
        except AwsFailed as error:
            if not self.files:
                raise
            yield error

    def _answer(self, name: str, content: bytes) -> Iterator[Found | NitroctlError]:
        try:
            yield from self._stream(name, io.BytesIO(content))
        except CannotAnswer as error:
            yield error

    def _file(self, path: str) -> Iterator[Found | NitroctlError]:
        name = "standard input" if path == safefile.STDIN else path
        try:
            if path == safefile.STDIN:
                yield from self._stream(name, safefile.open_stdin())
            else:
                with safefile.open_regular(path) as stream:
                    yield from self._stream(name, stream)
        except OSError as error:
            yield safefile.cannot_read(name, error)
        except NitroctlError as error:
            yield error

    def _stream(self, name: str, stream: IO[bytes]) -> Iterator[Found | NitroctlError]:
        """Yield what an open file holds. Raises OSError and CannotAnswer where it cannot be read on."""
        self._name, self._before = name, self.records
        text = _Text(_chunks(stream))
        try:
            seen = False
            while text.peek():
                if not seen:
                    seen, self.files = True, self.files + 1
                yield from self._value(text)
        except UnicodeDecodeError as error:
            raise CannotAnswer(f"{name}: not UTF-8 text", "file.not-utf8", [_FORMS]) from error
        except RecursionError as error:
            raise self._unreadable("nested too deeply") from error
        except _Broken as error:
            raise self._unreadable(str(error)) from error
        except json.JSONDecodeError as error:
            what = error.msg[:1].lower() + error.msg[1:]
            if not text.ended:
                what = f"a record is damaged, or longer than {RECORD_LIMIT} characters: {what}"
            raise self._unreadable(what) from error
        except (ValueError, zlib.error) as error:
            raise self._unreadable(str(error)) from error
        if not seen:
            raise CannotAnswer(f"{name}: there is no record: the file is empty", _UNREADABLE, [_FORMS])

    def _unreadable(self, what: str) -> CannotAnswer:
        read = self.records - self._before
        after = f"after {read} record{'' if read == 1 else 's'}: " if read else ""
        return CannotAnswer(f"{self._name}: {after}not CloudTrail's JSON: {what}", _UNREADABLE, [_FORMS])

    def _value(self, text: "_Text") -> Iterator[Found | NitroctlError]:
        """Yield the records in the next JSON value of a file: a list, an object with one, or a record."""
        first = text.peek()
        while not text.ended and len(text.buffer) - text.at < _PEEKED:
            text.more(_CHUNK)
        listed = _LIST.match(text.buffer, text.at) if first == "{" else None
        if listed:
            text.at = listed.end()
            yield from self._elements(text)
            rest: dict[str, object] = {}
            while text.expect(",}") == ",":
                key, _ = text.value()
                text.expect(":")
                rest[str(key)], _ = text.value()
                if key in _LISTS:
                    raise _Broken("two lists of records")
            self._outer(rest)
        elif first == "[":
            text.at += 1
            yield from self._elements(text)
        elif first == "{":
            value, raw = text.value()
            yield from self._object(value, raw)
        else:
            raise _Broken("no object or array where one must begin")

    def _elements(self, text: "_Text") -> Iterator[Found | NitroctlError]:
        """Yield the records in a list whose bracket was read, and read its end."""
        if text.peek() == "]":
            text.at += 1
            return
        while True:
            if text.peek() != "{":
                raise _Broken("what stands in the list is not an object")
            value, raw = text.value()
            found = self._record(value, raw)
            if found is not None:
                yield found
            if text.expect(",]") == "]":
                return

    def _object(self, value: dict[str, Any], raw: _Raw) -> Iterator[Found | NitroctlError]:
        """Yield the records in an object that stands alone: it may be one, or have a list of them, or be a digest."""
        lists = [key for key in _LISTS if isinstance(value.get(key), list)]
        if "eventSource" in value or not lists:
            if not lists and "digestS3Bucket" in value and "logFiles" in value:
                self.digests += 1
                return
            found = self._record(value, raw)
            if found is not None:
                yield found
            return
        _strict(value, raw, self._name)
        if len(lists) > 1:
            raise _Broken("two lists of records")
        self._outer(value)
        for element in value[lists[0]]:
            if not isinstance(element, dict):
                raise _Broken("what stands in the list is not an object")
            found = self._record(element, raw, checked=True)
            if found is not None:
                yield found

    def _outer(self, members: Mapping[str, object]) -> None:
        if any(members.get(token) for token in ("NextToken", "nextToken")):
            self.unfinished += 1

    def _record(self, value: dict[str, Any], raw: _Raw, *, checked: bool = False) -> Found | NitroctlError | None:
        """Return a record of KMS, None for one of another service, or the error why it is neither.

        What KMS wrote has the name of its service somewhere, as text or with escapes: nothing else is looked into.
        """
        self.records += 1
        inner = None
        if "eventSource" not in value:
            inner = next((value[key] for key in _WRAPPINGS if isinstance(value.get(key), str | dict)), None)
            if inner is None or "eventSource" not in inner:
                return self._refused("no eventSource, so it is no record of CloudTrail")
        if not raw.has("kms.") and not raw.has("\\u"):
            return None
        where = f"{self._name}: record {self.records - self._before}"
        record: Any = value if inner is None else inner
        try:
            if not checked:
                _strict(value, raw, where)
            if isinstance(record, str):
                text, record = record, _DECODER.decode(record)
                _strict(record, _Raw(text, 0, len(text)), where)
        except CannotAnswer as error:
            return error
        except (ValueError, RecursionError, _Broken):
            return self._refused("the record within it is no JSON")
        if not isinstance(record, dict) or "eventSource" not in record:
            return self._refused("no eventSource, so it is no record of CloudTrail")
        return Found(where, record) if record["eventSource"] == SOURCE else None

    def _refused(self, what: str) -> CannotAnswer:
        return CannotAnswer(f"{self._name}: record {self.records - self._before}: {what}", _UNREADABLE, [_FORMS])


#: Characters that are looked at to tell what begins.
_PEEKED: Final = 64


def _strict(value: object, raw: _Raw, where: str) -> None:
    """Refuse a value with a key twice, of which Python's reader keeps the last. Raises CannotAnswer ``json.*``.

    No more keys can end in the text than quotes before colons stand there. Only where that is not the number of keys
    that were kept is it read again, slowly: text within strings can look like keys.
    """
    if raw.key_ends() != _keys(value):
        strict_json.parse(raw.text[raw.start : raw.end], where=where)


def _keys(value: object) -> int:
    """Return how many keys all the objects in a value have. For every record of KMS: exact types, no calls in vain."""
    count = 0
    inside: Iterable[object] = ()
    if isinstance(value, dict):
        count, inside = len(value), value.values()
    elif isinstance(value, list):
        inside = value
    for inner in inside:
        kind = type(inner)
        if kind is dict or kind is list:
            count += _keys(inner)
    return count


class _Text:
    """JSON text that arrives in pieces. ``at``: where to read on in ``buffer``. ``ended``: nothing more arrives."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.buffer = ""
        self.at = 0
        self.ended = False

    def more(self, least: int) -> bool:
        """Add at least so many characters, fewer at the end; False when there are none."""
        pieces, length = [self.buffer[self.at :]], 0
        while length < least and not self.ended:
            chunk = next(self._chunks, None)
            self.ended = chunk is None
            pieces.append(self._decoder.decode(chunk or b"", final=chunk is None))
            length += len(pieces[-1])
        self.buffer, self.at = "".join(pieces), 0
        return length > 0

    def peek(self) -> str:
        """Return the next character that is not space, and stop before it; nothing at the end."""
        while True:
            space = _SPACE.match(self.buffer, self.at)
            self.at = space.end() if space else self.at
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more(_CHUNK):
                return ""

    def expect(self, characters: str) -> str:
        """Return the next character, one of ``characters``, and go past it. Raises _Broken."""
        character = self.peek()
        if not character or character not in characters:
            raise _Broken("it breaks off" if not character else "a comma or bracket is missing")
        self.at += 1
        return character

    def value(self) -> tuple[Any, _Raw]:
        """Return the next value and its text. Raises JSONDecodeError, RecursionError, _Broken."""
        self.peek()
        least = _CHUNK
        while True:
            try:
                value, end = _DECODER.raw_decode(self.buffer, self.at)
            except json.JSONDecodeError:
                if len(self.buffer) - self.at > RECORD_LIMIT or not self.more(least):
                    raise
                least *= 2
                continue
            start, self.at = self.at, end
            return value, _Raw(self.buffer, start, end)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a stream, decompressed where it begins as gzip does. Raises _Broken, zlib.error, OSError."""
    data = stream.read(max(_CHUNK, len(_GZIP)))
    if data.startswith(_GZIP):
        yield from _inflated(data, stream)
        return
    while data:
        yield data
        data = stream.read(_CHUNK)


def _inflated(data: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    taken, given = len(data), 0
    while data:
        member = zlib.decompressobj(_GZIP_FORMAT)
        while not member.eof:
            piece = member.decompress(data, _CHUNK)
            data = member.unconsumed_tail
            given += len(piece)
            if given > max(_ALWAYS_EXPANDED, _MAX_RATIO * taken):
                raise _Broken(f"it expands to more than {_MAX_RATIO} times its size")
            if piece:
                yield piece
            if not data and not member.eof:
                data = stream.read(_CHUNK)
                taken += len(data)
                if not data and not piece:
                    raise _Broken("the compressed data breaks off")
        data = member.unused_data or stream.read(_CHUNK)
        taken += len(data)
