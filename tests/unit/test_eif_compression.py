"""Packed streams: unpacked in bounded memory, and a broken one is an error."""

import bz2
import gzip
import io
import lzma
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest
import zstandard

from nitroctl.eif.compression import compression, unpacked
from nitroctl.errors import CannotAnswer

DATA = bytes(range(256)) * 3000 + bytes(500_000) + b"end"


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def skippable(size: int) -> bytes:
    return b"\x5a\x2a\x4d\x18" + size.to_bytes(4, "little") + b"s" * size


PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


def read(data: bytes, *, step: int = 70_000) -> bytes:
    stream = unpacked(io.BufferedReader(io.BytesIO(data)), where="blob")
    return b"".join(iter(lambda: stream.read(step), b""))


def refusal(data: bytes) -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as raised:
        read(data)
    return raised.value.code, raised.value.message


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_what_was_packed_comes_out(name: str, step: int) -> None:
    packed = PACKERS[name](DATA)
    assert compression(packed[:6]) == name
    assert read(packed, step=step) == DATA


@pytest.mark.parametrize("name", PACKERS)
def test_several_members_are_one_content(name: str) -> None:
    pack = PACKERS[name]
    assert read(pack(DATA[:5]) + pack(b"") + pack(DATA[5:])) == DATA
    assert read(pack(b"")) == b""


@pytest.mark.parametrize("name", PACKERS)
def test_zeros_after_the_end_are_padding(name: str) -> None:
    assert read(PACKERS[name](DATA) + bytes(600_000)) == DATA


@pytest.mark.parametrize("name", PACKERS)
def test_other_bytes_after_the_end_are_refused(name: str) -> None:
    message = f"blob: {name} data has other bytes after its end"
    assert refusal(PACKERS[name](DATA) + b"junk") == ("eif.source-compression", message)
    assert refusal(PACKERS[name](DATA) + bytes(600_000) + b"junk") == ("eif.source-compression", message)


@pytest.mark.parametrize("name", PACKERS)
def test_a_stream_that_was_cut_anywhere_is_refused(name: str) -> None:
    packed = PACKERS[name](DATA[:2000])
    for size in range(6, len(packed)):
        assert refusal(packed[:size]) == ("eif.source-compression", f"blob: {name} data ends in the middle"), size


@pytest.mark.parametrize("name", PACKERS)
def test_a_damaged_stream_is_refused(name: str) -> None:
    packed = bytearray(PACKERS[name](DATA))
    packed[-2 if name == "zstd" else len(packed) // 2] ^= 0xFF
    code, message = refusal(bytes(packed))
    assert code == "eif.source-compression"
    assert message.startswith(f"blob: {name} data damaged: ")


def test_zstd_frames_without_content_are_passed_over() -> None:
    assert read(skippable(300_000) + zstd(DATA[:9]) + skippable(0) + zstd(DATA[9:]) + skippable(20)) == DATA
    assert refusal(zstd(DATA) + skippable(20)[:-1])[1] == "blob: zstd data ends in the middle"


@pytest.mark.parametrize("before", range(20))
def test_a_frame_may_begin_just_before_the_end_of_a_read(before: int) -> None:
    first = skippable((1 << 18) - 8 - before)
    assert read(first + zstd(DATA)) == DATA
    assert read(first + skippable(9) + zstd(DATA)) == DATA
    assert refusal(first + zstd(DATA)[:-1])[0] == "eif.source-compression"
    if before:
        assert refusal(first + zstd(DATA)[:before])[0] == "eif.source-compression"


def test_zstd_frames_that_want_more_memory_than_any_layer_are_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=28, compression_level=1)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    packed = packer.compress(DATA) + packer.flush()
    assert refusal(packed)[0] == "eif.source-compression"


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_is_unpacked_piece_by_piece(name: str) -> None:
    packed = PACKERS[name](bytes(48 << 20))
    stream = unpacked(io.BufferedReader(io.BytesIO(packed)), where="blob")
    stream.read(10)  # what is imported and made once is not counted
    tracemalloc.start()
    while stream.read(1 << 18):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_bomb_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.eif.compression._RATIO_FROM", 1 << 20)
    assert refusal(gzip.compress(bytes(3 << 20))) == (
        "eif.source-limit",
        "blob: unpacks to more than 200 times its size",
    )


def test_without_a_reader_of_zstd_the_way_to_get_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(CannotAnswer) as raised:
        read(zstd(DATA))
    assert raised.value.code == "eif.source-zstd"
    assert raised.value.hints == ("pip install 'nitroctl[zstd]'", "or pack the layers with gzip")


def test_pythons_own_reader_of_zstd_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held against the documented interface of Python 3.14, with bz2 in the place of zstd."""
    asked: list[Any] = []

    def make(*, options: Any) -> bz2.BZ2Decompressor:
        asked.append(options)
        return bz2.BZ2Decompressor()

    module = ModuleType("compression.zstd")
    module.ZstdDecompressor = make  # type: ignore[attr-defined]
    module.DecompressionParameter = type("DecompressionParameter", (), {"window_log_max": 100})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "compression", ModuleType("compression"))
    monkeypatch.setitem(sys.modules, "compression.zstd", module)
    monkeypatch.setattr("nitroctl.eif.compression.compression", lambda start: "zstd" if start[:1] == b"B" else "")
    assert read(bz2.compress(DATA)) == DATA
    assert asked == [{100: 27}]


def test_what_is_not_packed_comes_out_as_it_is() -> None:
    assert read(DATA) == DATA
    assert read(b"") == b""
