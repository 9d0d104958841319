"""Headers and the two walks: read as they stand, bounded, never raising."""

import io
import struct

import pytest

from nitroctl.eif.format import MAGIC, Header, Layout, Section, pack_header, read_layout
from tests import images
from tests.images import GOOD, forge

OVERRUN = (
    "eif.section-bounds: the section at byte 953 (ramdisk) claims 9223372036854775808 bytes, 95 are left in the file"
)


def layout(image: bytes) -> Layout:
    return read_layout(io.BytesIO(image), len(image))


def test_the_header_is_548_bytes_and_read_field_by_field() -> None:
    image = forge(flags=0x0241, reserved=7, unused=9, crc=0xDEADBEEF)
    header = Header.parse(image)
    assert (header.magic, header.version, header.flags) == (MAGIC, 4, 0x0241)
    assert (header.default_memory, header.default_cpus) == (1 << 30, 2)
    assert (header.reserved, header.section_count, header.unused, header.crc32) == (7, 5, 9, 0xDEADBEEF)
    assert header.offsets == (548, 602, 636, 905, 953) + (0,) * 27
    assert header.sizes == (42, 22, 257, 36, 95) + (0,) * 27
    assert header.architecture == "aarch64"
    assert header.unknown_flags == (6, 9)


def test_a_header_is_packed_as_it_is_read() -> None:
    image = forge(flags=1)
    header = Header.parse(image)
    packed = pack_header(
        version=4,
        flags=1,
        default_memory=1 << 30,
        default_cpus=2,
        sections=layout(image).sections,
        crc32=header.crc32,
    )
    assert packed == image[:548]


def test_both_walks_find_the_sections_of_a_good_image() -> None:
    found = layout(forge())
    assert found.agreed
    assert found.sections == found.table.sections == found.sequence.sections
    assert [section.kind for section in found.sections] == ["kernel", "cmdline", "metadata", "ramdisk", "ramdisk"]
    assert found.sections[1] == Section(602, 2, 0, 22)
    assert (found.sections[1].data, found.sections[1].end) == (614, 636)
    assert found.end == found.size


def test_an_undefined_type_is_named_by_its_number() -> None:
    assert Section(548, 6, 0, 0).kind == "type 6"


@pytest.mark.parametrize("length", [0, 1, 547])
def test_a_file_shorter_than_a_header_has_none(length: int) -> None:
    found = layout(forge()[:length])
    assert (found.header, found.agreed) == (None, False)


@pytest.mark.parametrize("image", [forge(magic=b"\x7fELF"), forge(version=1), forge(version=5)])
def test_a_file_of_unknown_layout_is_not_walked(image: bytes) -> None:
    found = layout(image)
    assert not found.table.complete
    assert not found.sequence.complete
    assert not found.agreed
    assert not found.sections


def test_a_section_that_is_only_in_the_file_is_found_by_its_size_alone() -> None:
    found = layout(forge(count=4))
    assert (len(found.table.sections), len(found.sequence.sections)) == (4, 5)
    assert not found.agreed


def test_a_table_in_another_order_is_followed_in_that_order() -> None:
    good = layout(forge())
    swapped = {3: good.sections[4].offset, 4: good.sections[3].offset}
    found = layout(forge(offsets=swapped, sizes={3: 95, 4: 36}))
    assert found.table.sections == (*good.sections[:3], good.sections[4], good.sections[3])
    assert not found.agreed


def test_up_to_eleven_bytes_at_the_end_are_no_section() -> None:
    found = layout(forge(trailing=bytes(11)))
    assert found.agreed
    assert found.size - found.end == 11


def test_twelve_bytes_at_the_end_are_one() -> None:
    found = layout(forge(trailing=struct.pack(">HHQ", 3, 0, 0)))
    assert len(found.sequence.sections) == 6
    assert not found.agreed


@pytest.mark.parametrize(
    ("image", "table", "sequence"),
    [
        (
            forge(count=33),
            ["eif.section-count: the header counts 33 sections, its table holds 32"],
            [],
        ),
        (
            forge(offsets={0: 4}),
            ["eif.section-bounds: table entry 0 points at byte 4, inside the file header"],
            [],
        ),
        (
            forge(offsets={4: 2**64 - 1}),
            ["eif.section-bounds: table entry 4 points at byte 18446744073709551615, beyond the end of the file"],
            [],
        ),
        (
            forge(sizes={4: 96}),
            ["eif.table-sizes: table entry 4 states 96 bytes, its section header 95"],
            [],
        ),
        (
            forge(stated={4: 2**63}, sizes={4: 2**63}),
            [OVERRUN],
            [OVERRUN],
        ),
        (
            forge(stated={4: 96}, sizes={4: 96}),
            ["eif.section-bounds: the section at byte 953 (ramdisk) claims 96 bytes, 95 are left in the file"],
            ["eif.section-bounds: the section at byte 953 (ramdisk) claims 96 bytes, 95 are left in the file"],
        ),
        (
            forge([(images.KERNEL, b"")] * 33, count=32),
            [],
            ["eif.section-count: a section follows the 32nd, at byte 932"],
        ),
    ],
)
def test_what_stops_a_walk_is_told(image: bytes, table: list[str], sequence: list[str]) -> None:
    found = layout(image)
    assert [f"{problem.check}: {problem.text}" for problem in found.table.problems] == table
    assert [f"{problem.check}: {problem.text}" for problem in found.sequence.problems] == sequence
    assert not found.agreed


def test_a_file_full_of_empty_sections_is_not_followed_to_its_end() -> None:
    image = forge([(images.RAMDISK, b"")] * 5000, count=32)
    assert len(layout(image).sequence.sections) == 32


def test_a_stream_shorter_than_was_said_is_a_problem_and_no_crash() -> None:
    image = forge()
    found = read_layout(io.BytesIO(image[:-200]), len(image))
    assert not found.agreed
    assert [problem.text for problem in found.sequence.problems] == ["no section header can be read at byte 905"]


def test_the_good_parts_are_what_the_facts_describe() -> None:
    assert [kind for kind, _ in GOOD] == [1, 2, 5, 3, 3]
