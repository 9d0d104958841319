"""The allocator's configuration, line by line, exactly as ``nitro-enclaves-allocator`` reads it.

``/etc/nitro_enclaves/allocator.yaml`` looks like YAML but is read by a shell script: everything before a line that is
exactly ``---`` is passed over, a last line without a newline is lost, a blank line or an unknown key is fatal, the last
of two equal keys wins, and nothing after a value is a comment. So the file is modelled as lines and edited as lines:
one value changes, every other byte stays. Bytes outside ASCII in an entry are read differently in different locales
and are never taken as understood.
Source: aws-nitro-enclaves-cli 1.5.0, bootstrap/nitro-enclaves-allocator; the results of running its reader on samples.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MEMORY: Final = "memory_mib"
CPU_COUNT: Final = "cpu_count"
CPU_POOL: Final = "cpu_pool"
KEYS: Final = (MEMORY, CPU_COUNT, CPU_POOL)
#: The most of the file that is read. The shipped one has under 1000 bytes.
LIMIT: Final = 64 * 1024
RESTART: Final = "sudo systemctl restart nitro-enclaves-allocator.service"

_BLANKS: Final = " \t"
_COMMENT = re.compile(r"[ \t\r\v\f]*#")
_KEY = re.compile(r"[-_A-Za-z0-9]+")
_UP_TO_LAST_COLON = re.compile(r"^.+:", re.DOTALL)
_FIRST_SPACE_AND_QUOTE = re.compile(r'[ \t\r\v\f]+"?')


class Kind(StrEnum):
    """What a line is to the allocator."""

    SKIPPED = "skipped"  # before the start marker
    COMMENT = "comment"
    START = "start"
    BLANK = "blank"
    ENTRY = "entry"  # anything else after the start marker, a known key or not
    LOST = "lost"  # the last line, when no newline ends it


@dataclass(frozen=True, slots=True)
class Line:
    """One line as the allocator's ``read`` takes it: a backslash before a newline joins the next one to it.

    ``number``: of its first line in the file, from 1. ``raw``: its bytes with the terminator. ``text``: what the
    allocator sees, blanks at both ends and backslashes gone; bytes that are not UTF-8 are shown as escapes.
    ``key`` and ``value``: of an ENTRY (or LOST) line, as the allocator would take them; either may be empty.
    """

    number: int
    raw: bytes
    kind: Kind
    text: str
    key: str = ""
    value: str = ""

    @property
    def known(self) -> bool:
        """Whether it is an entry the allocator takes a value from."""
        return self.kind is Kind.ENTRY and self.key in KEYS


@dataclass(frozen=True, slots=True)
class Reading:
    """What the allocator holds after reading, or the words it fails with.

    ``refusal``: empty when it reads the file to its end and finds all it needs (values are looked at later).
    ``line``: of the refusal, 0 when it is about the whole file.
    """

    memory_mib: str | None = None
    cpu_count: str | None = None
    cpu_pool: str | None = None
    refusal: str = ""
    line: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the allocator gets past reading."""
        return not self.refusal


@dataclass(frozen=True, slots=True)
class AllocatorFile:
    """The lines of one file; their ``raw`` joined is the file."""

    lines: tuple[Line, ...]

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return b"".join(line.raw for line in self.lines)

    @property
    def started(self) -> bool:
        """Whether there is a start marker."""
        return any(line.kind is Kind.START for line in self.lines)

    def entries(self, key: str) -> tuple[Line, ...]:
        """Return the entries with ``key``; the allocator takes the last."""
        return tuple(line for line in self.lines if line.known and line.key == key)

    def value(self, key: str) -> str | None:
        """Return the value the allocator takes for ``key`` if it gets to the end, None when the file has none."""
        entries = self.entries(key)
        return entries[-1].value if entries else None


def parse(content: bytes) -> AllocatorFile:
    """Return the lines of ``content``, whatever it is; nothing is refused here."""
    lines: list[Line] = []
    started = False
    for number, raw in _logical_lines(content):
        line = _line(number, raw, started=started)
        started = started or line.kind is Kind.START
        lines.append(line)
    return AllocatorFile(tuple(lines))


def _logical_lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each line with the number of its first, a line that ends in an unpaired backslash joined to the next."""
    pending, first = b"", 1
    for number, physical in enumerate(physical_lines(content), 1):
        if not pending:
            first = number
        pending += physical
        if physical.endswith(b"\n") and continues(physical):
            continue
        yield first, pending
        pending = b""
    if pending:
        yield first, pending


def physical_lines(content: bytes) -> list[bytes]:
    """Return the lines with their terminators, split after line feeds only: a lone carriage return ends no line."""
    parts = content.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + [part for part in parts[-1:] if part]


def continues(physical: bytes) -> bool:
    """Whether the newline of this line is escaped: an odd number of backslashes before it."""
    body = physical.removesuffix(b"\n")
    return (len(body) - len(body.rstrip(b"\\"))) % 2 == 1


def _line(number: int, raw: bytes, *, started: bool) -> Line:
    text = _as_read(raw)
    lost = not raw.endswith(b"\n") or continues(raw)
    if _COMMENT.match(text):
        return Line(number, raw, Kind.LOST if lost else Kind.COMMENT, text)
    if lost or (started and text not in ("", "---")):
        key, value = _entry(text)
        return Line(number, raw, Kind.LOST if lost else Kind.ENTRY, text, key, value)
    if text == "---":
        return Line(number, raw, Kind.START, text)
    return Line(number, raw, Kind.BLANK if started else Kind.SKIPPED, text)


def _as_read(raw: bytes) -> str:
    """Return the line as bash's ``read`` gives it: escapes resolved, then unescaped blanks at both ends gone."""
    text = raw.removesuffix(b"\n").replace(b"\0", b"").decode("utf-8", "surrogateescape")
    characters: list[tuple[str, bool]] = []
    escaped = False
    for character in text:
        if character == "\\" and not escaped:
            escaped = True
            continue
        if not (escaped and character == "\n"):
            characters.append((character, escaped))
        escaped = False
    while characters and characters[0][0] in _BLANKS and not characters[0][1]:
        del characters[0]
    while characters and characters[-1][0] in _BLANKS and not characters[-1][1]:
        del characters[-1]
    seen = "".join(character for character, _ in characters)
    return seen.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _entry(text: str) -> tuple[str, str]:
    """Return key and value as the script cuts them out.

    The key is what stands at the start and looks like one, whatever follows it before the colon; the value is what
    follows the *last* colon, less the first run of blanks with a double quote after it, less a double quote at the end.
    """
    match = _KEY.match(text)
    value = _UP_TO_LAST_COLON.sub("", text, count=1)
    value = _FIRST_SPACE_AND_QUOTE.sub("", value, count=1).removesuffix('"')
    return (match[0] if match else ""), value


def read(file: AllocatorFile) -> Reading:
    """Return what the allocator takes from the file, or the words in which it refuses it."""
    values: dict[str, str] = {}
    for line in file.lines:
        if line.kind not in (Kind.ENTRY, Kind.BLANK):
            continue
        if line.key not in KEYS:
            return Reading(refusal=f"unexpected: {line.key}".rstrip(), line=line.number)
        if not line.value:
            return Reading(refusal=f"missing value for {line.key}", line=line.number)
        values[line.key] = line.value
    found = Reading(values.get(MEMORY), values.get(CPU_COUNT), values.get(CPU_POOL))
    if found.memory_mib is None:
        return Reading(None, found.cpu_count, found.cpu_pool, "Config error: missing memory reservation")
    if found.cpu_count is None and found.cpu_pool is None:
        return Reading(found.memory_mib, None, None, "Config error: missing CPU reservation")
    if found.cpu_count is not None and found.cpu_pool is not None:
        conflict = "Config error: `cpu_count` conflicts with `cpu_pool`."
        return Reading(found.memory_mib, found.cpu_count, found.cpu_pool, conflict)
    return found


def with_values(file: AllocatorFile, values: Mapping[str, str]) -> AllocatorFile:
    """Return the file with ``values`` (of KEYS) set; comments and every other line keep their bytes.

    A value that the allocator takes already is left as it is written. cpu_count and cpu_pool replace each other on
    their line. A key that is nowhere is added after the last entry. The value stands as given: check it first.
    """
    for key, value in values.items():
        file = _with_value(file, key, value)
    return file


def _with_value(file: AllocatorFile, key: str, value: str) -> AllocatorFile:
    other = {CPU_COUNT: CPU_POOL, CPU_POOL: CPU_COUNT}.get(key, "")
    own = file.entries(key)
    rivals = file.entries(other)
    if own and not rivals and own[-1].value == value:
        return file
    target = (own or rivals or (None,))[-1]
    raws: list[bytes] = []
    for line in file.lines:
        if line is target:
            raws.append(_rewritten(line.raw, key, value))
        elif line not in rivals:
            raws.append(line.raw)
    if target is None:
        places = [number for number, line in enumerate(file.lines, 1) if line.kind in (Kind.ENTRY, Kind.START)]
        place = places[-1] if places else len(raws)
        if place and not raws[place - 1].endswith(b"\n"):
            raws[place - 1] += b"\n"
        raws.insert(place, f"{key}: {value}\n".encode())
    return parse(b"".join(raws))


_ENTRY: Final = (
    rb"(?P<indent>[ \t]*)[^:\r\n#]*(?P<colon>:[ \t]*|)(?P<value>[^\r\n]*?)"
    rb"(?P<comment>[ \t]+#[^\r\n]*)?[ \t]*(?P<end>\r?\n?)"
)


def _rewritten(raw: bytes, key: str, value: str) -> bytes:
    """Return an entry's line with another key or value: its indentation, spacing, comment and terminator are kept."""
    if b"\\" in raw:
        return f"{key}: {value}\n".encode()
    match = re.fullmatch(_ENTRY, raw)
    if not match:
        return f"{key}: {value}\n".encode()
    colon = match["colon"] if len(match["colon"]) > 1 else b": "
    return b"".join(
        (match["indent"], key.encode(), colon, value.encode(), match["comment"] or b"", match["end"] or b"\n")
    )
