"""A scanner for the small part of CBOR (RFC 8949) that attestation documents use.

It stands in front of the decoder and refuses, with the byte offset, what a decoder hides: bytes after the end, keys
that occur twice, lengths not written the shortest way, strings in chunks, tags, floats. Maps and arrays may be of
indefinite length: AWS writes its payloads so. What passes has exactly one reading, so that :func:`decode` may be
left to cbor2. Time and memory are bounded by the size of the input, nesting by :data:`MAX_DEPTH`.
"""

from dataclasses import dataclass
from typing import Any, Final

import cbor2

from nitroctl.evidence import rules
from nitroctl.evidence.rules import Rule

#: A real document nests three deep.
MAX_DEPTH: Final = 8
#: A real payload has about 70 items.
MAX_ITEMS: Final = 2048

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_KEY_TYPES: Final = frozenset({_UINT, _NINT, _BYTES, _TEXT})
_INDEFINITE: Final = -1
_BREAK: Final = 0xFF
_FALSE, _TRUE, _NULL = 20, 21, 22
_DIRECT: Final = 23  # additional information up to here is the argument itself
_EIGHT_BYTES: Final = 27
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
    """Bytes that passed the scanner: where the top item begins (after a leading tag) and where its children do."""

    start: int
    children: tuple[tuple[int, int], ...]


def scan(data: bytes, *, leading_tag: bool = False) -> Scanned:
    """Return the layout of the one item that ``data`` holds; ``leading_tag`` lets tag 18 stand before it.

    ``children``: begin and end of each item directly inside it (for a map keys and values in turn).
    Raises CborFault.
    """
    scanner = _Scanner(data)
    if leading_tag and data[:1] == bytes([_SIGN1_TAG]):
        scanner.at = 1
    start = scanner.at
    scanner.item(0)
    if scanner.at != len(data):
        left = len(data) - scanner.at
        raise CborFault(rules.CBOR_TRAILING_BYTES, scanner.at, f"{left} bytes follow the end")
    return Scanned(start, tuple(scanner.children))


def decode(data: bytes, scanned: Scanned) -> Any:  # noqa: ANN401  (whatever the item is)
    """Return what ``data`` means, as int, bytes, str, list, dict, bool and None. ``scanned``: that it passed."""
    return cbor2.loads(data[scanned.start :], max_depth=MAX_DEPTH + 1, allow_duplicate_keys=False)


class _Scanner:
    """One pass over the bytes; ``at`` is where it stands."""

    __slots__ = ("at", "children", "data", "items", "size")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.at = 0
        self.items = 0
        self.children: list[tuple[int, int]] = []

    def item(self, depth: int) -> int:
        """Pass over one item and return its major type."""
        begin = self.at
        major, argument = self.head(begin)
        if major in (_BYTES, _TEXT):
            self.string(begin, major, argument)
        elif major == _ARRAY:
            self.array(begin, argument, depth)
        elif major == _MAP:
            self.map(begin, argument, depth)
        if depth == 1:
            self.children.append((begin, self.at))
        return major

    def head(self, begin: int) -> tuple[int, int]:
        """Pass over a head and return major type and argument (:data:`_INDEFINITE` for an open array or map)."""
        self.items += 1
        if self.items > MAX_ITEMS:
            raise CborFault(rules.CBOR_BOUNDS, begin, f"more than {MAX_ITEMS} items")
        if begin >= self.size:
            raise CborFault(rules.CBOR_COMPLETE, begin, "an item is missing: the bytes end here")
        major, info = divmod(self.data[begin], 32)
        if major == _TAG:
            raise CborFault(rules.CBOR_TAGS, begin, "a tag")
        if major == _SIMPLE:
            return self.simple(begin, info)
        if info <= _DIRECT:
            self.at = begin + 1
            return major, info
        if info <= _EIGHT_BYTES:
            return major, self.argument(begin, 1 << (info - 24))
        if info < _CHUNKED:
            raise CborFault(rules.CBOR_TYPES, begin, f"a head with the reserved value {info}")
        if major in (_BYTES, _TEXT):
            raise CborFault(rules.CBOR_DEFINITE_STRINGS, begin, "a string in chunks")
        if major not in (_ARRAY, _MAP):
            raise CborFault(rules.CBOR_TYPES, begin, "an integer of indefinite length")
        self.at = begin + 1
        return major, _INDEFINITE

    def simple(self, begin: int, info: int) -> tuple[int, int]:
        if info not in (_FALSE, _TRUE, _NULL):
            what = "a break outside a map or array" if info == _CHUNKED else "a float or a simple value"
            raise CborFault(rules.CBOR_TYPES, begin, what)
        self.at = begin + 1
        return _SIMPLE, info

    def argument(self, begin: int, width: int) -> int:
        """Return the argument written in the ``width`` bytes after the head's first."""
        end = begin + 1 + width
        if end > self.size:
            raise CborFault(rules.CBOR_COMPLETE, begin, "a length is cut off: the bytes end inside it")
        value = int.from_bytes(self.data[begin + 1 : end])
        shortest = 24 if width == 1 else 1 << (4 * width)
        if value < shortest:
            raise CborFault(
                rules.CBOR_SHORTEST_HEADS, begin, f"{value} is written in {width} bytes, which is not the fewest"
            )
        self.at = end
        return value

    def string(self, begin: int, major: int, length: int) -> None:
        end = self.at + length
        if end > self.size:
            left = self.size - self.at
            raise CborFault(rules.CBOR_COMPLETE, begin, f"a string of {length} bytes where {left} are left")
        if major == _TEXT:
            try:
                self.data[self.at : end].decode("utf-8")
            except UnicodeDecodeError as error:
                raise CborFault(rules.CBOR_TYPES, self.at + error.start, "text that is not UTF-8") from error
        self.at = end

    def array(self, begin: int, count: int, depth: int) -> None:
        self.descend(begin, count, depth)
        left = count
        while not self.ended(left):
            self.item(depth + 1)
            left -= 1

    def map(self, begin: int, count: int, depth: int) -> None:
        self.descend(begin, count, depth)
        keys: set[bytes] = set()
        left = count
        while not self.ended(left):
            key_begin = self.at
            if self.item(depth + 1) not in _KEY_TYPES:
                raise CborFault(rules.CBOR_TYPES, key_begin, "a map key that is neither a number nor a string")
            key = self.data[key_begin : self.at]
            if key in keys:
                raise CborFault(rules.CBOR_UNIQUE_KEYS, key_begin, f"the key {_shown(key)} occurs a second time")
            keys.add(key)
            self.item(depth + 1)
            left -= 1

    def descend(self, begin: int, count: int, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise CborFault(rules.CBOR_BOUNDS, begin, f"nesting deeper than {MAX_DEPTH}")
        if count > self.size - self.at:  # each item takes a byte at least
            left = self.size - self.at
            raise CborFault(rules.CBOR_COMPLETE, begin, f"{count} items claimed where {left} bytes are left")

    def ended(self, left: int) -> bool:
        """Whether the open array or map ends here: no item is left, or (``left`` below 0) a break stands here."""
        if left >= 0:
            return left == 0
        if self.at < self.size and self.data[self.at] == _BREAK:
            self.at += 1
            return True
        return False


def _shown(key: bytes) -> str:
    value = cbor2.loads(key)
    return repr(value) if not isinstance(value, bytes) else f"h'{value.hex()}'"
