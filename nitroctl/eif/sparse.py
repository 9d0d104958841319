"""Sparse files in tar archives: GNU's old form and the three forms in pax headers.

All give the parts of a content that are stored, as offset and length in rising order; what lies between is zeros. A
fault is a ValueError that says what is wrong with the map. Source: GNU tar manual, "Storing Sparse Files".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

Segments = tuple[tuple[int, int], ...]
#: A map with more parts than this is refused; a real file of that many holes is denser in whole.
MAX_SEGMENTS: Final = 65_536
_BLOCK: Final = 512
_ENTRY: Final = 24
_NUMBER: Final = re.compile(rb"[0-9]{1,19}")


def gnu(header: bytes, block: Callable[[], bytes], number: Callable[[bytes, str], int]) -> Segments:
    """Return the map of a member of type S: 4 entries in its header, 21 in every block that follows.

    ``block`` gives the next block of the archive, ``number`` reads a number field.
    """
    found: list[tuple[int, int]] = []
    at, entries, more = 386, 4, 482
    while True:
        for start in range(at, at + entries * _ENTRY, _ENTRY):
            offset, length = header[start : start + 12], header[start + 12 : start + _ENTRY]
            if not offset.strip(b"\0"):
                break
            found.append((number(offset, "sparse map"), number(length, "sparse map")))
        if not header[more]:
            return tuple(found)
        _bound(len(found))
        header, at, entries, more = block(), 0, 21, 504


def listed(records: Mapping[bytes, bytes]) -> Segments:
    """Return the map of the forms 0.0 and 0.1: numbers with commas between, and how many pairs there are."""
    text = records.get(b"GNU.sparse.map", b"")
    numbers = [_number(part) for part in text.split(b",")] if text else []
    if len(numbers) % 2 or (len(numbers) // 2 != _number(records.get(b"GNU.sparse.numblocks", b""))):
        raise ValueError("its map has not as many entries as it says")
    _bound(len(numbers) // 2)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def leading(records: Mapping[bytes, bytes], block: Callable[[], bytes]) -> Segments:
    """Return the map of the form 1.0: lines of decimal numbers before the content, filled up to whole blocks."""
    version = (records.get(b"GNU.sparse.major"), records.get(b"GNU.sparse.minor"))
    if version != (b"1", b"0"):
        raise ValueError("its map is of a form that is not known")
    rest = b""

    def line() -> int:
        nonlocal rest
        while b"\n" not in rest:
            if len(rest) > _BLOCK:
                raise ValueError("its map is not numbers")
            rest += block()
        found, rest = rest.split(b"\n", 1)
        return _number(found)

    count = line()
    _bound(count)
    return tuple((line(), line()) for _ in range(count))


def check(segments: Sequence[tuple[int, int]], *, stored: int, size: int) -> None:
    """Refuse a map whose parts overlap, go back or reach beyond ``size``, or do not hold ``stored`` bytes."""
    position = 0
    for offset, length in segments:
        if offset < position or offset + length > size:
            raise ValueError("its map has parts that overlap or lie outside")
        position = offset + length
    if sum(length for _, length in segments) != stored:
        raise ValueError("its map does not fit what is stored")


def _number(text: bytes) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("its map is not numbers")
    return int(text)


def _bound(count: int) -> None:
    if count > MAX_SEGMENTS:
        raise ValueError(f"its map has more than {MAX_SEGMENTS} parts")
