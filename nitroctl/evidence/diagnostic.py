"""CBOR as text, for looking at what a verifier refuses: diagnostic notation (RFC 8949, section 8).

Where the scanner (:mod:`nitroctl.evidence.cbor`) refuses, this shows: tags, floats, strings in chunks and long heads
with RFC 8949's encoding indicators, embedded CBOR as ``<<…>>`` (RFC 8610, appendix G.3). Where the bytes stop being
CBOR the text ends, and it is said at which byte, why, and from where on the rest can be read again.
Time is linear in the size of the input, nesting bounded by :data:`MAX_DEPTH`.
"""

import itertools
import struct
from dataclasses import dataclass, field
from typing import Final, NamedTuple

#: Deeper than anything a document could mean; what is deeper is not followed.
MAX_DEPTH: Final = 32
#: A container is written on one line up to this many characters.
_ONE_LINE: Final = 72
_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_DIRECT: Final = 23
_ONE_BYTE: Final = 24
_EIGHT_BYTES: Final = 27
_OPEN: Final = 31
_BREAK: Final = 0xFF
_SIMPLES: Final = {20: "false", 21: "true", 22: "null", 23: "undefined"}
_FLOATS: Final = {25: ">e", 26: ">f", 27: ">d"}
#: Elements of the envelope that hold CBOR themselves: protected header and payload; and where the envelope is.
_PROTECTED, _PAYLOAD, _ENVELOPE = 0, 2, -1


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the bytes stop being CBOR (from the start of the document), and how."""

    offset: int
    message: str


@dataclass(frozen=True, slots=True)
class Rest:
    """From ``offset`` to the end the bytes can be read again, as these items in a row, their nesting unknown."""

    offset: int
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``text``: all of it, or everything up to the fault. ``rest``: None when nothing behind the fault stands out."""

    text: str
    fault: Fault | None
    rest: Rest | None


def diagnose(data: bytes, *, envelope: bool = False) -> Diagnosis:
    """Return ``data`` in diagnostic notation; ``envelope`` shows what a COSE_Sign1's byte strings hold.

    Never raises, whatever ``data`` is.
    """
    reader = _Reader(data, 0, len(data))
    fault = None
    try:
        reader.item(reader.nodes, 0, _ENVELOPE if envelope else None)
        if reader.at != len(data):
            fault = Fault(reader.at, f"{len(data) - reader.at} bytes follow the end")
    except _Stop as stop:
        fault = Fault(stop.offset, stop.message)
    lines = [line for node in reader.nodes for line in _lines(node, "")]
    if fault:
        lines.append(f"/ byte {fault.offset}: {fault.message} /")
    return Diagnosis("\n".join(lines), fault, _rest(data, fault.offset) if fault else None)


class _Head(NamedTuple):
    """The first bytes of an item: where it begins, major type, additional information, and argument."""

    begin: int
    major: int
    info: int
    argument: int

    @property
    def mark(self) -> str:
        return _indicator(self.info, self.argument)


class _Stop(Exception):
    def __init__(self, offset: int, message: str) -> None:
        self.offset = offset
        self.message = message


@dataclass(slots=True)
class _Node:
    """A container being read: what opens and closes it, and its entries (one node, or key and value)."""

    opening: str
    closing: str
    entries: list[list["_Node | str"]] = field(default_factory=list)
    complete: bool = False
    #: of the one line that it would be, or None while that is unknown
    flat: str | None = None


class _Reader:
    """One pass over ``data[at:end]``; what was read stands in ``nodes`` even when it stops."""

    __slots__ = ("at", "data", "end", "nodes")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end
        self.nodes: list[_Node | str] = []

    def item(self, into: list[_Node | str], depth: int, place: int | None = None) -> None:
        """Read one item into ``into``; ``place``: its number in the envelope's array, None where that is nothing."""
        head = self.head(self.at)
        if head.major == _UINT:
            into.append(f"{head.argument}{head.mark}")
        elif head.major == _NINT:
            into.append(f"{-1 - head.argument}{head.mark}")
        elif head.major in (_BYTES, _TEXT):
            self.string(into, head, place)
        elif head.major == _SIMPLE:
            into.append(_simple(head, self.data[head.begin + 1 : self.at]))
        else:
            self.container(into, head, depth, place)

    def head(self, begin: int) -> _Head:
        if begin >= self.end:
            raise _Stop(begin, "an item is missing: the bytes end here")
        major, info = divmod(self.data[begin], 32)
        if info <= _DIRECT:
            self.at = begin + 1
            return _Head(begin, major, info, info)
        if info <= _EIGHT_BYTES:
            self.at = begin + 1 + (1 << (info - _ONE_BYTE))
            if self.at > self.end:
                raise _Stop(begin, "a length is cut off: the bytes end inside it")
            return _Head(begin, major, info, int.from_bytes(self.data[begin + 1 : self.at]))
        if info < _OPEN:
            raise _Stop(begin, f"a head with the reserved value {info}")
        if major in (_UINT, _NINT, _TAG):
            raise _Stop(begin, "an integer or tag of indefinite length")
        self.at = begin + 1
        return _Head(begin, major, info, 0)

    def string(self, into: list[_Node | str], head: _Head, place: int | None) -> None:
        if head.info == _OPEN:
            self.chunks(into, head.major)
            return
        start, end = self.at, min(self.at + head.argument, self.end)
        map_inside = head.major == _BYTES and place == _PAYLOAD and start < end and self.data[start] >> 5 == _MAP
        if map_inside:
            self.payload(into, start, end)
        content = self.content(head)
        header = self.header(start) if head.major == _BYTES and place == _PROTECTED else None
        if header:
            into.append(header)
        elif not map_inside:
            into.append(_string(head.major, content) + head.mark)

    def chunks(self, into: list[_Node | str], major: int) -> None:
        chunks = []
        while not self.ended():
            head = self.head(self.at)
            if head.major != major or head.info == _OPEN:
                raise _Stop(head.begin, "a chunk that is not a string of the same kind")
            chunks.append(_string(major, self.content(head)) + head.mark)
        empty = "''_" if major == _BYTES else '""_'
        into.append(f"(_ {', '.join(chunks)})" if chunks else empty)

    def content(self, head: _Head) -> bytes:
        start, end = self.at, self.at + head.argument
        if end > self.end:
            raise _Stop(head.begin, f"a string of {head.argument} bytes where {self.end - start} are left")
        content = self.data[start:end]
        if head.major == _TEXT:
            try:
                content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise _Stop(start + error.start, "text that is not UTF-8") from error
        self.at = end
        return content

    def payload(self, into: list[_Node | str], start: int, end: int) -> None:
        """Read the map in the payload's bytes; of a payload cut short, as far as it goes."""
        inside = _Reader(self.data, start, end)
        node = _Node("<<", ">>", [inside.nodes])
        into.append(node)
        inside.item(inside.nodes, 1)
        if inside.at != end:
            raise _Stop(inside.at, f"{end - inside.at} bytes follow the end of the payload")
        node.complete = True

    def header(self, start: int) -> _Node | None:
        """Return what the byte string that ends here holds when that is one item of CBOR."""
        inside = _Reader(self.data, start, self.at)
        try:
            inside.item(inside.nodes, 1)
        except _Stop:
            return None
        return _Node("<<", ">>", [inside.nodes], complete=True) if inside.at == self.at else None

    def container(self, into: list[_Node | str], head: _Head, depth: int, place: int | None) -> None:
        if depth >= MAX_DEPTH:
            raise _Stop(head.begin, f"nesting deeper than {MAX_DEPTH}, not followed")
        is_open = head.info == _OPEN
        mark = "_ " if is_open else f"{head.mark} " if head.mark else ""
        if head.major == _TAG:
            node = _Node(f"{head.argument}{head.mark}(", ")")
        else:
            node = _Node(f"[{mark}", "]") if head.major == _ARRAY else _Node(f"{{{mark}", "}")
        into.append(node)
        for number in itertools.count() if is_open else range(1 if head.major == _TAG else head.argument):
            if is_open and self.ended():
                break
            entry: list[_Node | str] = []
            node.entries.append(entry)
            inner = {_ARRAY: number, _TAG: _ENVELOPE}.get(head.major) if place == _ENVELOPE else None
            self.item(entry, depth + 1, inner)
            if head.major == _MAP:
                self.item(entry, depth + 1)
        node.complete = True

    def ended(self) -> bool:
        if self.at < self.end and self.data[self.at] == _BREAK:
            self.at += 1
            return True
        return False


def _indicator(info: int, argument: int) -> str:
    """Return ``_0`` to ``_3`` for a head of known length that is longer than its argument needs (RFC 8949, 8.1)."""
    if info <= _DIRECT:
        return ""
    width = info - _ONE_BYTE
    shortest = _ONE_BYTE if width == 0 else 1 << (4 << width)
    return f"_{width}" if argument < shortest else ""


def _string(major: int, content: bytes) -> str:
    if major == _BYTES:
        return f"h'{content.hex()}'"
    return f'"{"".join(_character(character) for character in content.decode("utf-8"))}"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _simple(head: _Head, content: bytes) -> str:
    if head.info == _OPEN:
        raise _Stop(head.begin, "a break outside a map, array or string")
    if head.info in _FLOATS:
        value = struct.unpack(_FLOATS[head.info], content)[0]
        text = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(str(value), str(value))
        return f"{text}_{head.info - _ONE_BYTE}"
    if head.info == _ONE_BYTE and head.argument < 32:  # noqa: PLR2004  (RFC 8949, 3.3: not well-formed)
        raise _Stop(head.begin, f"the simple value {head.argument} in two bytes")
    return _SIMPLES.get(head.argument, f"simple({head.argument})")


def _flat(node: _Node | str) -> str:
    if isinstance(node, str):
        return node
    if node.flat is None:
        entries = ", ".join(": ".join(_flat(part) for part in entry) for entry in node.entries)
        node.flat = f"{node.opening}{entries}{node.closing}"
    return node.flat


def _lines(node: _Node | str, indent: str) -> list[str]:
    """Return the node over lines: short ones on one, an unfinished one without what would close it."""
    if isinstance(node, str) or (node.complete and len(indent + _flat(node)) <= _ONE_LINE):
        return [indent + _flat(node)]
    lines = [indent + node.opening.rstrip()]
    inner = indent + "  "
    for number, entry in enumerate(node.entries):
        key = f"{_flat(entry[0])}: " if len(entry) > 1 else ""
        of_entry = _lines(entry[-1], inner) if entry else []
        if key:
            of_entry[0] = inner + key + of_entry[0].removeprefix(inner)
        elif node.opening[:1] == "{" and of_entry:
            of_entry[-1] += ":"  # the key whose value could not be read
        if number < len(node.entries) - 1:
            of_entry[-1] += ","
        lines += of_entry
    return [*lines, indent + node.closing] if node.complete else lines


# -- what can be read after a fault

#: What a document holds and damage seldom makes by itself: the names of its fields, and its signature.
_NAMES: Final = frozenset(
    {
        b"module_id",
        b"digest",
        b"timestamp",
        b"pcrs",
        b"nitrotpm_pcrs",
        b"certificate",
        b"cabundle",
        b"public_key",
        b"user_data",
        b"nonce",
    }
)
_SIGNATURE_BYTES: Final = 96
#: The largest length or count that a genuine document has by major type; numbers may be any.
_MOST: Final = {_BYTES: 16384, _TEXT: 64, _ARRAY: 64, _MAP: 64}
#: What is whole in one byte: open array, open map, false, true, null, break.
_SINGLE: Final = (0x9F, 0xBF, 0xF4, 0xF5, 0xF6, _BREAK)


def _rest(data: bytes, after: int) -> Rest | None:
    """Return the first place behind ``after`` that begins like a field and reads, head by head, to the end."""
    size = len(data)
    readable = {size}
    first = None
    for at in range(size - 1, after, -1):
        end, landmark = _token(data, at)
        if end in readable:
            readable.add(at)
            if landmark:
                first = at
    if first is None:
        return None
    items, at = [], first
    while at < size:
        end, _ = _token(data, at)
        items.append(_shown(data, at, end))
        at = end
    return Rest(first, tuple(items))


def _token(data: bytes, at: int) -> tuple[int, bool]:
    """Return where the head at ``at`` (with a string's content) ends, 0 when it is none AWS would write.

    And whether it is a landmark: a field's name, or what is as long as the signature.
    """
    major, info = divmod(data[at], 32)
    if data[at] in _SINGLE:
        return at + 1, False
    if major in (_TAG, _SIMPLE) or info > _EIGHT_BYTES:
        return 0, False
    start = at + 1 if info <= _DIRECT else at + 1 + (1 << (info - _ONE_BYTE))
    argument = info if info <= _DIRECT else int.from_bytes(data[at + 1 : start])
    end = start + argument if major in (_BYTES, _TEXT) else start
    if end > len(data) or argument > _MOST.get(major, argument) or _indicator(info, argument):
        return 0, False
    content = data[start:end]
    if major == _TEXT and not (content.isascii() and content.decode().isprintable()):
        return 0, False
    return end, content in _NAMES if major == _TEXT else major == _BYTES and argument == _SIGNATURE_BYTES


def _shown(data: bytes, at: int, end: int) -> str:
    major, info = divmod(data[at], 32)
    if data[at] == _BREAK:
        return "a break: the end of an open map or array"
    if major in (_ARRAY, _MAP):
        kind = "an array" if major == _ARRAY else "a map"
        count = info if info <= _DIRECT else int.from_bytes(data[at + 1 : end])
        return f"{kind}, open" if info == _OPEN else f"{kind} of {count}"
    reader = _Reader(data, at, end)
    reader.item(reader.nodes, 0)
    return _flat(reader.nodes[0])
