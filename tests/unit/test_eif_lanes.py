"""Lanes: every taker gets the bytes of its spans, once and in order, with any number of threads; and none is left."""

import hashlib
import io
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import pytest

from nitroctl.eif import lanes
from nitroctl.eif.lanes import Shortened, Span, feed
from nitroctl.eif.measure import measure
from tests import images
from tests.images import forge

CONTENT = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(4000))


@pytest.fixture(params=[1, 2, 3, 8], ids=lambda count: f"{count} processors")
def small_pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Work in pieces of a page and with threads from the first byte; no thread may be left over."""
    monkeypatch.setattr(lanes, "PIECE", 4096)
    monkeypatch.setattr(lanes, "_ALONE", 4096)
    monkeypatch.setattr(lanes, "_WORTH_THREADS", 0)
    monkeypatch.setattr(lanes, "_processors", lambda: request.param)
    before = threading.active_count()
    yield request.param
    assert threading.active_count() == before


class Takers:
    """Takers that remember what they were given, and notice a second thread in their lane."""

    def __init__(self) -> None:
        self.taken: dict[str, bytearray] = {}
        self.threads: set[int] = set()

    def __call__(self, lane: str) -> Callable[[memoryview], object]:
        store = self.taken.setdefault(lane, bytearray())
        alone = threading.Lock()

        def take(data: memoryview) -> None:
            assert alone.acquire(blocking=False)
            self.threads.add(threading.get_ident())
            store.extend(data)
            time.sleep(0)  # let others in
            alone.release()

        return take


@pytest.mark.usefixtures("small_pieces")
def test_each_lane_gets_its_spans_once_and_in_order() -> None:
    takers = Takers()
    first, second, third = takers("first"), takers("second"), takers("third")
    spans = [
        Span(0, 548, {"first": first}),
        Span(548, 4, {}),
        Span(552, 50_000, {"first": first, "second": second}),
        Span(60_000, 0, {"third": third}),
        Span(60_000, 4096, {"second": second, "third": third}),
        Span(10, 10, {"third": third}),  # back again: a table may list sections in any order
        Span(70_001, len(CONTENT) - 70_001, {"first": first, "second": second, "third": third}),
    ]
    feed(io.BytesIO(CONTENT), spans)
    assert takers.taken == {
        lane: b"".join(CONTENT[span.start :][: span.length] for span in spans if lane in span.takers)
        for lane in ("first", "second", "third")
    }


def test_several_threads_take_part(small_pieces: int) -> None:
    takers = Takers()
    spans = [Span(0, len(CONTENT), {str(lane): takers(str(lane)) for lane in range(9)})]
    feed(io.BytesIO(CONTENT), spans)
    assert (len(takers.threads) > 1) == (small_pieces > 1)


@pytest.mark.usefixtures("small_pieces")
def test_nothing_to_read_is_read() -> None:
    class Unreadable(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise AssertionError

    feed(Unreadable(), [])
    feed(Unreadable(), [Span(0, 10, {}), Span(5, 0, {"lane": Takers()("lane")})])


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("missing", [1, 4096, len(CONTENT)])
def test_a_file_that_ends_early_is_noticed(missing: int) -> None:
    takers = Takers()
    with pytest.raises(Shortened):
        feed(io.BytesIO(CONTENT[:-missing]), [Span(0, len(CONTENT), {"a": takers("a"), "b": takers("b")})])
    assert CONTENT.startswith(takers.taken["a"])


class Broken(io.BytesIO):
    """A file on a failing disk."""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.tell() > 50_000:
            raise OSError(5, "Input/output error")
        return super().readinto(buffer)


@pytest.mark.usefixtures("small_pieces")
def test_an_error_of_the_disk_is_passed_on() -> None:
    takers = Takers()
    with pytest.raises(OSError, match="Input/output error"):
        feed(Broken(CONTENT), [Span(0, len(CONTENT), {"a": takers("a"), "b": takers("b")})])


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_whatever_a_taker_raises_ends_the_work_of_all(error: type[BaseException]) -> None:
    calls = []

    def failing(data: memoryview) -> None:
        calls.append(len(data))
        if len(calls) == 3:
            raise error

    with pytest.raises(error):
        feed(io.BytesIO(CONTENT), [Span(0, len(CONTENT), {"failing": failing, "other": Takers()("other")})])
    assert len(calls) == 3


@pytest.mark.usefixtures("small_pieces")
def test_an_interrupt_of_the_calling_thread_ends_the_work_of_all() -> None:
    calls = []

    def slow(_data: memoryview) -> None:
        calls.append(threading.get_ident())
        if len(calls) == 3:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.001)

    with pytest.raises(KeyboardInterrupt):
        feed(io.BytesIO(CONTENT), [Span(0, len(CONTENT), {"slow": slow, "other": Takers()("other")})])
    assert len(calls) < len(CONTENT) // 4096


@pytest.mark.usefixtures("small_pieces")
def test_a_limit_on_threads_makes_it_slower_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    takers = Takers()
    feed(io.BytesIO(CONTENT), [Span(0, len(CONTENT), {"a": takers("a"), "b": takers("b")})])
    assert takers.taken == {"a": CONTENT, "b": CONTENT}


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("order", sorted(set(permutations("KCRRR"))), ids="".join)
def test_registers_are_those_of_the_description_in_any_order_and_number_of_threads(
    order: tuple[str, ...], tmp_path: Path
) -> None:
    parts = [(images.METADATA, images.METADATA_JSON)]
    for number, letter in enumerate(order):
        kind = {"K": images.KERNEL, "C": images.CMDLINE, "R": images.RAMDISK}[letter]
        parts.append((kind, CONTENT[number * 9000 :][: 9000 + number]))
    image = forge(parts)
    path = tmp_path / "image.eif"
    path.write_bytes(image)
    found = measure(str(path))
    assert found.sha256 == hashlib.sha256(image).hexdigest()
    assert found.views[0].crc32 == int.from_bytes(image[544:548])
    assert found.views[0].pcrs == found.views[1].pcrs == registers_in_file_order(parts)


def registers_in_file_order(parts: list[images.Part]) -> dict[int, bytes]:
    """Return the registers as the description has them: PCR1 without the ramdisks after the first."""
    inputs = {0: b"", 1: b"", 2: b""}
    ramdisks = 0
    for kind, data in parts:
        if kind == images.METADATA:
            continue
        ramdisks += kind == images.RAMDISK
        inputs[0] += data
        inputs[2 if kind == images.RAMDISK and ramdisks > 1 else 1] += data
    return {index: images.extended(hashlib.sha384(data).digest()) for index, data in inputs.items()}


def test_a_small_image_is_measured_without_threads(tmp_path: Path) -> None:
    path = tmp_path / "image.eif"
    path.write_bytes(forge())
    script = (
        "import sys\n"
        "from nitroctl.eif.measure import measure\n"
        f"assert measure({str(path)!r}).measurable\n"
        "sys.exit('threading' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
