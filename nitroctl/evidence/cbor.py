"""A reader for the small part of CBOR (RFC 8949) that attestation documents use.

It refuses, with the byte offset, what general decoders hide: bytes after the end, keys that occur twice, lengths not
written the shortest way, strings in chunks, tags, floats. Maps and arrays may be of indefinite length: AWS writes its
payloads so. The values come out of the same pass that judges the bytes, so that there is no second reading to differ
from the first. Time and memory are bounded by the size of the input, nesting by :data:`MAX_DEPTH`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from nitroctl.evidence import rules
from nitroctl.evidence.rules import Rule

#: A real document nests three deep.
MAX_DEPTH: Final = 8
#: A real payload has about 70 items.
MAX_ITEMS: Final = 2048

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = (major << 5 for major in range(7))
_MAJOR: Final = 0xE0
_INFO: Final = 0x1F
_KEY_TYPES: Final = frozenset({int, bytes, str})
_INDEFINITE: Final = -1
_BREAK: Final = 0xFF
_SIMPLE: Final = {0xF4: False, 0xF5: True, 0xF6: None}
_DIRECT: Final = 23  # additional information up to here is the argument itself
_ONE_BYTE: Final = 24
_EIGHT_BYTES: Final = 27
#: How many bytes hold the argument, and the least value that needs as many.
_WIDTHS: Final = ((1, 24), (2, 1 << 8), (4, 1 << 16), (8, 1 << 32))
_CHUNKED: Final = 31
_SIGN1_TAG: Final = 0xD2  # tag 18


class CborFault(Exception):
    """The bytes break a rule: ``rule``, where (``offset`` from the start of the scanned bytes), and how."""

    def __init__(self, rule: Rule, offset: int, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.offset = offset
        self.message = message


@dataclass(frozen=True, slots=True)
class Scanned:
    """The one item that the bytes hold.

    ``value``: as int, bytes, str, list, dict, bool and None. ``start``: where it begins, after a leading tag.
    ``children``: begin and end of each item directly inside it (for a map keys and values in turn).
    """

    value: Any
    start: int
    children: tuple[tuple[int, int], ...]


def scan(data: bytes, *, leading_tag: bool = False) -> Scanned:
    """Return the one item that ``data`` holds; ``leading_tag`` lets tag 18 stand before it. Raises CborFault."""
    start = 1 if leading_tag and data[:1] == bytes([_SIGN1_TAG]) else 0
    reader = _Reader(data, start)
    value = reader.item(0)
    if reader.at != reader.size:
        raise CborFault(rules.CBOR_TRAILING_BYTES, reader.at, f"{reader.size - reader.at} bytes follow the end")
    return Scanned(value, start, tuple(reader.children))


class _Reader:
    """One pass over the bytes; ``at`` is where it stands."""

    __slots__ = ("at", "children", "data", "items", "size")

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.size = len(data)
        self.at = at
        self.items = 0
        self.children: list[tuple[int, int]] = []

    def item(self, depth: int) -> Any:  # noqa: ANN401, C901  (whatever the item is; one branch for each kind)
        """Pass over one item and return what it means. The common kinds come first: this is the hot path."""
        begin = self.at
        self.items += 1
        if self.items > MAX_ITEMS:
            raise CborFault(rules.CBOR_BOUNDS, begin, f"more than {MAX_ITEMS} items")
        if begin >= self.size:
            raise CborFault(rules.CBOR_COMPLETE, begin, "an item is missing: the bytes end here")
        initial = self.data[begin]
        major = initial & _MAJOR
        argument = initial & _INFO
        if major >= _TAG:
            return self.simple(begin, initial)
        if argument <= _DIRECT:
            self.at = begin + 1
        else:
            argument = self.argument(begin, argument, major)
        if major == _BYTES:
            start, self.at = self.at, self.at + argument
            return self.data[start : self.at] if self.at <= self.size else self.cut(begin, start, argument)
        if major == _UINT:
            return argument
        if major == _TEXT:
            return self.text(begin, argument)
        if major == _NINT:
            return -1 - argument
        if depth >= MAX_DEPTH:
            raise CborFault(rules.CBOR_BOUNDS, begin, f"nesting deeper than {MAX_DEPTH}")
        left = self.size - self.at
        if argument > left:  # each item takes a byte at least
            raise CborFault(rules.CBOR_COMPLETE, begin, f"{argument} items claimed where {left} bytes are left")
        return self.map(argument, depth) if major == _MAP else self.array(argument, depth)

    def simple(self, begin: int, initial: int) -> bool | None:
        if initial not in _SIMPLE:
            if initial & _MAJOR == _TAG:
                raise CborFault(rules.CBOR_TAGS, begin, "a tag")
            what = "a break outside a map or array" if initial == _BREAK else "a float or a simple value"
            raise CborFault(rules.CBOR_TYPES, begin, what)
        self.at = begin + 1
        return _SIMPLE[initial]

    def argument(self, begin: int, info: int, major: int) -> int:
        """Return the argument written behind the head's first byte (:data:`_INDEFINITE` for an open array or map)."""
        if info > _EIGHT_BYTES:
            return self.indefinite(begin, info, major)
        width, least = _WIDTHS[info - _ONE_BYTE]
        end = begin + 1 + width
        if end > self.size:
            raise CborFault(rules.CBOR_COMPLETE, begin, "a length is cut off: the bytes end inside it")
        value = int.from_bytes(self.data[begin + 1 : end])
        if value < least:
            raise CborFault(
                rules.CBOR_SHORTEST_HEADS, begin, f"{value} is written in {width} bytes, which is not the fewest"
            )
        self.at = end
        return value

    def indefinite(self, begin: int, info: int, major: int) -> int:
        if info < _CHUNKED:
            raise CborFault(rules.CBOR_TYPES, begin, f"a head with the reserved value {info}")
        if major in {_BYTES, _TEXT}:
            raise CborFault(rules.CBOR_DEFINITE_STRINGS, begin, "a string in chunks")
        if major not in {_ARRAY, _MAP}:
            raise CborFault(rules.CBOR_TYPES, begin, "an integer of indefinite length")
        self.at = begin + 1
        return _INDEFINITE

    def cut(self, begin: int, start: int, length: int) -> NoReturn:
        left = self.size - start
        raise CborFault(rules.CBOR_COMPLETE, begin, f"a string of {length} bytes where {left} are left")

    def text(self, begin: int, length: int) -> str:
        start, self.at = self.at, self.at + length
        if self.at > self.size:
            self.cut(begin, start, length)
        try:
            return self.data[start : self.at].decode("utf-8")
        except UnicodeDecodeError as error:
            raise CborFault(rules.CBOR_TYPES, start + error.start, "text that is not UTF-8") from error

    def array(self, count: int, depth: int) -> list[Any]:
        values: list[Any] = []
        for _ in self.turns(count):
            begin = self.at
            values.append(self.item(depth + 1))
            if depth == 0:
                self.children.append((begin, self.at))
        return values

    def map(self, count: int, depth: int) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        for _ in self.turns(count):
            begin = self.at
            key = self.item(depth + 1)
            middle = self.at
            if type(key) not in _KEY_TYPES:  # of these no two that are written differently are equal
                raise CborFault(rules.CBOR_TYPES, begin, "a map key that is neither a number nor a string")
            if key in values:
                raise CborFault(rules.CBOR_UNIQUE_KEYS, begin, f"the key {_shown(key)} occurs a second time")
            values[key] = self.item(depth + 1)
            if depth == 0:
                self.children += ((begin, middle), (middle, self.at))
        return values

    def turns(self, count: int) -> Iterable[object]:
        """Return something to loop over: ``count`` times, or until a break where ``count`` is :data:`_INDEFINITE`."""
        return range(count) if count >= 0 else iter(self.unbroken, False)

    def unbroken(self) -> bool:
        """Whether another item follows; passes over the break when none does."""
        if self.at < self.size and self.data[self.at] == _BREAK:
            self.at += 1
            return False
        return True


def _shown(key: int | bytes | str) -> str:
    return repr(key) if not isinstance(key, bytes) else f"h'{key.hex()}'"
