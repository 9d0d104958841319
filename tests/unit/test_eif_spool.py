"""Contents kept in one file without a name: what goes in comes out, holes take no room."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from nitroctl.eif.spool import Spool, Stored
from nitroctl.eif.tree import CHUNK
from nitroctl.errors import CannotAnswer


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with ExitStack() as owned:
        yield Spool(owned, str(tmp_path))


def whole(content: Stored) -> bytes:
    pieces = list(content.chunks())
    assert all(0 < len(piece) <= CHUNK for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_what_goes_in_comes_out(size: int, spool: Spool) -> None:
    data = os.urandom(size)
    before = spool.store(iter([b"before"]), 6)
    content = spool.store(iter([data[: size // 3], data[size // 3 :]]), size)
    spool.finish()
    assert (content.size, whole(content), whole(before)) == (size, data, b"before")
    assert len(content.pieces) <= 1


@pytest.mark.parametrize("cuts", [[10], [1] * 10, [4, 6], [3, 4, 3]])
@pytest.mark.parametrize(
    "segments", [[(0, 10)], [(5, 10)], [(0, 4), (4, 6)], [(0, 4), (100, 0), (100, 6), (300, 0)], [(7, 3), (20, 7)]]
)
def test_parts_of_a_sparse_content_stand_where_they_belong(
    cuts: Sequence[int], segments: Sequence[tuple[int, int]], spool: Spool
) -> None:
    data, expected, at = b"0123456789", bytearray(300), 0
    for offset, length in segments:
        expected[offset : offset + length] = data[at : at + length]
        at += length
    ends = [sum(cuts[: number + 1]) for number in range(len(cuts))]
    pieces = (data[end - cut : end] for end, cut in zip(ends, cuts, strict=True))
    content = spool.store(pieces, 300, segments)
    spool.finish()
    assert whole(content) == bytes(expected)


def test_zeros_take_no_room(tmp_path: Path, spool: Spool) -> None:
    content = spool.store(iter([bytes(CHUNK)] * 50 + [b"end"]), 50 * CHUNK + 3)
    hole = spool.store(iter(()), 50 * CHUNK, ())
    spool.finish()
    assert content.pieces == ((50 * CHUNK, 0, 3),)
    assert whole(content) == bytes(50 * CHUNK) + b"end"
    assert sum(map(len, hole.chunks())) == 50 * CHUNK
    assert not list(tmp_path.iterdir())


def test_a_temporary_file_that_is_cut_is_an_error(spool: Spool) -> None:
    content = spool.store(iter([b"content"]), 7)
    spool.finish()
    os.truncate(spool._stream.fileno(), 3)
    with pytest.raises(CannotAnswer) as raised:
        whole(content)
    assert raised.value.code == "file.unreadable"
