"""CRC-32 of parts: the checksum of two pieces together, from that of each.

The checksum of an image covers the file header first, and the header's table is known only when the last section is
written. So the body is summed while it streams, and the header is put before it afterwards, without reading it again.
Source: ISO-HDLC CRC-32 as in zlib; appending zero bytes is a linear map over GF(2), so it has a matrix to be squared.
"""

from functools import cache
from typing import Final

_POLYNOMIAL: Final = 0xEDB88320
_BITS: Final = 32


def combine(first: int, second: int, length: int) -> int:
    """Return the CRC-32 of A ‖ B from that of A (``first``), that of B (``second``) and B's ``length`` in bytes."""
    power = 0
    while length:
        if length & 1:
            first = _apply(_zero_bytes(power), first)
        length >>= 1
        power += 1
    return first ^ second


@cache
def _zero_bytes(power: int) -> tuple[int, ...]:
    """Return the matrix, a column a bit, that takes a register past 2 to the ``power`` zero bytes."""
    if power == 0:
        one_bit = (_POLYNOMIAL, *(1 << bit for bit in range(_BITS - 1)))
        matrix = one_bit
        for _ in range(3):  # one bit, two, four, eight
            matrix = _square(matrix)
        return matrix
    return _square(_zero_bytes(power - 1))


def _square(matrix: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(_apply(matrix, column) for column in matrix)


def _apply(matrix: tuple[int, ...], vector: int) -> int:
    result = 0
    for column in matrix:
        if vector & 1:
            result ^= column
        vector >>= 1
        if not vector:
            break
    return result
