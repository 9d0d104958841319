"""Comparing images: nothing differs from itself, and every difference in measured bytes has a cause, and only those."""

import stat
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nitroctl.eif.diff import Compared, compare
from nitroctl.eif.diff_ramdisk import Kind
from nitroctl.eif.diff_told import sentence
from tests.archives import Entry, newc
from tests.images import CMDLINE, GOOD, KERNEL, METADATA, METADATA_JSON, RAMDISK, Part, forge

MEASURED = (KERNEL, CMDLINE, RAMDISK)
BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

#: Few values, so that images often are equal in part.
datas = st.sampled_from([b"", b"a", b"b", b"ab", b"070701"])
ramdisks = st.lists(datas, min_size=1, max_size=4)
names = st.sampled_from(["a", "b", "dir/a", "dir/b", "c", "d", "e"])
modes = st.sampled_from([stat.S_IFREG | 0o644, stat.S_IFREG | 0o755, stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755])


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Return entries of different names; only files and links have data."""
    found = []
    for number, name in enumerate(draw(st.lists(names, unique=True, max_size=7)), start=1):
        mode = draw(modes)
        data = b"" if stat.S_ISDIR(mode) else draw(st.sampled_from([b"x", b"y", b"longer"]))
        uid, mtime = draw(st.integers(0, 1)), draw(st.integers(0, 1))
        found.append(Entry(name=name, mode=mode, data=data, uid=uid, mtime=mtime, ino=number))
    return found


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    """Return the sections of an image that can be measured, the metadata anywhere."""
    measured = [(KERNEL, draw(datas)), (CMDLINE, draw(datas)), *((RAMDISK, data) for data in draw(ramdisks))]
    if draw(st.booleans()):
        measured[0], measured[1] = measured[1], measured[0]
    at = draw(st.integers(0, len(measured)))
    return [*measured[:at], (METADATA, METADATA_JSON), *measured[at:]]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path


def run(directory: Path, first: bytes, second: bytes) -> Compared:
    for name, image in (("a.eif", first), ("b.eif", second)):
        (directory / name).write_bytes(image)
    return compare(str(directory / "a.eif"), str(directory / "b.eif"))


def measured_parts(sections: Sequence[Part]) -> list[Part]:
    return [part for part in sections if part[0] in MEASURED]


@BOUNDED
@given(sections=parts())
def test_an_image_does_not_differ_from_itself(here: Path, sections: list[Part]) -> None:
    found = run(here, forge(sections), forge(sections))
    assert found.same
    assert found.same_file
    assert (found.differences, found.unmeasured, found.differing) == ((), (), ())


ADDED_AND_MOVED = (
    [(METADATA, METADATA_JSON), (CMDLINE, b"a"), (KERNEL, b"b"), (RAMDISK, b"a")],
    [(METADATA, METADATA_JSON), (KERNEL, b"b"), (CMDLINE, b"a"), (RAMDISK, b"a"), (RAMDISK, b"")],
)


@BOUNDED
@example(*ADDED_AND_MOVED)  # PCR1 moves by the order alone, while the added ramdisk moves PCR0
@given(first=parts(), second=parts())
def test_there_is_a_cause_exactly_when_the_measured_sections_are_not_equal(
    here: Path, first: list[Part], second: list[Part]
) -> None:
    found = run(here, forge(first), forge(second))
    equal = measured_parts(first) == measured_parts(second)
    assert (found.differences == ()) == equal
    assert found.same == equal
    if found.differing:  # a register never moves without a cause of its own
        assert {index for each in found.differences for index in each.registers} == {*found.differing}
    assert sentence(found)


@BOUNDED
@given(first=st.binary(max_size=1200), second=parts())
def test_what_is_no_image_is_the_same_as_nothing(here: Path, first: bytes, second: list[Part]) -> None:
    found = run(here, first, forge(second))
    assert (found.same, found.differing) == (False, None)
    assert sentence(found).startswith("the measurements cannot be compared: A cannot be measured: ")


@BOUNDED
@given(data=st.data())
def test_a_damaged_image_is_an_answer(here: Path, data: st.DataObject) -> None:
    """Any byte of an image changed: it is told to differ, in a measured part or in what is not measured."""
    image = forge()
    at = data.draw(st.integers(0, len(image) - 1))
    bit = data.draw(st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]))
    damaged = image[:at] + bytes([image[at] ^ bit]) + image[at + 1 :]
    found = run(here, image, damaged)
    assert not found.same  # the checksum does not fit
    assert not found.same_file
    assert sentence(found)


def longest_in_order(places: Sequence[int]) -> int:
    """Return the length of the longest part that ascends, by trying all of them."""
    for length in range(len(places), 0, -1):
        if any(list(chosen) == sorted(chosen) for chosen in combinations(places, length)):
            return length
    return 0


# -- ramdisks, held against the comparison of two dictionaries


def fields(entry: Entry) -> tuple[object, ...]:
    return entry.mode, entry.data, entry.uid, entry.mtime


@BOUNDED
@given(first=entries(), second=entries())
def test_entries_are_told_apart_as_their_fields_are(here: Path, first: list[Entry], second: list[Entry]) -> None:
    old, new = newc(first), newc(second)
    found = run(here, forge([*GOOD[:4], (RAMDISK, old)]), forge([*GOOD[:4], (RAMDISK, new)]))
    if old == new:
        assert found.differences == ()
        return
    [difference] = found.differences
    contents = difference.contents
    assert contents is not None
    before, after = ({entry.name: entry for entry in each} for each in (first, second))
    told = {change.name.decode(): change.kind for change in contents.changes if change.kind is not Kind.RECORD}
    assert {name for name, kind in told.items() if kind is Kind.ADDED} == after.keys() - before.keys()
    assert {name for name, kind in told.items() if kind is Kind.REMOVED} == before.keys() - after.keys()
    differing = {name for name in before.keys() & after.keys() if fields(before[name]) != fields(after[name])}
    assert {name for name, kind in told.items() if kind not in (Kind.ADDED, Kind.REMOVED)} == differing
    for name in differing:
        substance = [(stat.S_IFMT(each[name].mode), each[name].data) for each in (before, after)]
        rights = [(stat.S_IMODE(each[name].mode), each[name].uid) for each in (before, after)]
        kind = Kind.CHANGED if substance[0] != substance[1] else Kind.MODE if rights[0] != rights[1] else Kind.MTIME
        assert told[name] is kind
    assert contents.kinds
    order = [[name for name in each if name in before.keys() & after.keys()] for each in (before, after)]
    assert (contents.moved == 0) == (order[0] == order[1])


@BOUNDED
@given(listed=entries(), data=st.data())
def test_moving_entries_is_told_as_that_alone(here: Path, listed: list[Entry], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(listed))
    images = [forge([*GOOD[:4], (RAMDISK, newc(each))]) for each in (listed, shuffled)]
    found = run(here, *images)
    if listed == shuffled:
        assert found.same
        return
    contents = found.differences[0].contents
    assert contents is not None
    assert (contents.changes, contents.same) == ((), len(listed))
    assert contents.moved == len(listed) - longest_in_order([shuffled.index(entry) for entry in listed])


@BOUNDED
@given(listed=entries(), padding=st.sampled_from([4, 512, 1024]), mtime=st.integers(2, 3))
def test_padding_is_a_cause_when_nothing_else_is(here: Path, listed: list[Entry], padding: int, mtime: int) -> None:
    one, other = newc(listed), newc(listed, padding=padding)
    images = [forge([*GOOD[:4], (RAMDISK, each)]) for each in (one, other)]
    found = run(here, *images)
    assert found.same == (one == other)
    if one != other:
        contents = found.differences[0].contents
        assert contents is not None
        assert contents.kinds == {Kind.ARCHIVE: 0}
    if listed:
        later = newc([replace(listed[0], mtime=mtime), *listed[1:]], padding=padding)
        contents = run(here, images[0], forge([*GOOD[:4], (RAMDISK, later)])).differences[0].contents
        assert contents is not None
        assert contents.kinds == {Kind.MTIME: 1}
