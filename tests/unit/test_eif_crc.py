"""The checksum of two pieces from that of each, against zlib on the whole."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl.eif.crc import combine


@given(st.binary(max_size=200), st.binary(max_size=2000))
def test_the_parts_give_what_the_whole_gives(first: bytes, second: bytes) -> None:
    assert combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 255, 256, (1 << 20) - 1, 1 << 20, (1 << 22) + 12345])
def test_long_pieces_and_none(length: int) -> None:
    first, second = zlib.crc32(b"first"), bytes(length)
    assert combine(first, zlib.crc32(second), length) == zlib.crc32(second, first)


def test_a_piece_longer_than_any_memory() -> None:
    """Three pieces may be joined from either side."""
    length = 5 << 40
    a, b, c = 0x12345678, 0x9ABCDEF0, 0x0F1E2D3C
    assert combine(combine(a, b, length), c, length) == combine(a, combine(b, c, length), 2 * length)
