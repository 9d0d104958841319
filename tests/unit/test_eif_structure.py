"""Structural checks: each refused for one reason, from a good image by one change."""

import io
import struct

import pytest

from nitroctl.checks import Check, Outcome, Report
from nitroctl.eif import structure
from nitroctl.eif.format import read_layout
from tests import images
from tests.images import APPLICATION_BYTES, BOOT_BYTES, GOOD, METADATA_JSON, forge


def examined(image: bytes) -> Report:
    return Report.of(structure.examine(read_layout(io.BytesIO(image), len(image))))


def with_outcome(report: Report, outcome: Outcome) -> list[str]:
    return [check.id for check in report.having(outcome)]


def without(kind: int) -> list[tuple[int, bytes]]:
    return [part for part in GOOD if part[0] != kind]


SIGNED = [*GOOD, (images.SIGNATURE, b"not looked into here")]
HIDDEN = struct.pack(">HHQ", images.RAMDISK, 0, 4) + b"evil"


def test_a_good_image_passes_every_check() -> None:
    report = examined(forge())
    assert [check.id for check in report] == list(structure.TITLES)
    assert with_outcome(report, Outcome.PASS) == list(structure.TITLES)


@pytest.mark.parametrize(
    "image",
    [
        forge(flags=1),
        forge(SIGNED),
        forge([*without(images.METADATA), (images.METADATA, METADATA_JSON)]),
        forge([(images.KERNEL, b""), (images.CMDLINE, b""), (images.RAMDISK, b""), (images.METADATA, b"")]),
        forge([*GOOD, *[(images.RAMDISK, b"r")] * 27]),
    ],
    ids=["aarch64", "signed", "metadata last", "empty sections", "32 sections"],
)
def test_other_images_that_builders_make_pass(image: bytes) -> None:
    assert with_outcome(examined(image), Outcome.PASS) == list(structure.TITLES)


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        (forge(flags=0x0240), "eif.flags"),
        (forge(reserved=1), "eif.reserved"),
        (forge(unused=1), "eif.reserved"),
        (forge(offsets={31: 548}), "eif.reserved"),
        (forge(sizes={5: 1}), "eif.reserved"),
        (forge(without(images.METADATA), version=2), "eif.version"),
        (forge([*without(images.METADATA), (images.SIGNATURE, b"s")], version=3), "eif.version"),
    ],
    ids=[
        "flag bits 6 and 9",
        "reserved at 24",
        "reserved at 540",
        "offset in an unused slot",
        "size in an unused slot",
        "version 2",
        "version 3",
    ],
)
def test_what_no_reader_minds_is_told_and_not_refused(image: bytes, warned: str) -> None:
    report = examined(image)
    assert report.passed
    assert with_outcome(report, Outcome.WARN) == [warned]


SECTIONS = list(structure.TITLES)[10:]


@pytest.mark.parametrize(
    ("image", "failed", "blocked"),
    [
        (b"", ["eif.header"], list(structure.TITLES)[1:]),
        (forge()[:547], ["eif.header"], list(structure.TITLES)[1:]),
        (forge(magic=b".EIF"), ["eif.magic"], list(structure.TITLES)[2:]),
        (forge(version=1), ["eif.version"], list(structure.TITLES)[3:]),
        (forge(version=5), ["eif.version"], list(structure.TITLES)[3:]),
        (
            forge(count=33),
            ["eif.section-count", "eif.views"],
            ["eif.table-sizes", "eif.contiguity", *SECTIONS],
        ),
        (
            forge(count=65535),
            ["eif.section-count", "eif.views"],
            ["eif.table-sizes", "eif.contiguity", *SECTIONS],
        ),
        (forge([*GOOD, *[(images.RAMDISK, b"")] * 28], count=32), ["eif.section-count", "eif.views"], SECTIONS),
        (forge(count=0), ["eif.section-count", "eif.contiguity", "eif.views"], SECTIONS),
        (forge(count=4), ["eif.views"], SECTIONS),
        (forge(trailing=HIDDEN), ["eif.views"], SECTIONS),
        (forge(offsets={0: 4}), ["eif.section-bounds", "eif.contiguity", "eif.views"], SECTIONS),
        (forge(offsets={4: 1 << 40}), ["eif.section-bounds", "eif.contiguity", "eif.views"], SECTIONS),
        (forge()[:-1], ["eif.section-bounds", "eif.views"], SECTIONS),
        (forge(stated={4: 2**64 - 1}, sizes={4: 2**64 - 1}), ["eif.section-bounds", "eif.views"], SECTIONS),
        (forge(sizes={2: 1}), ["eif.table-sizes", "eif.views"], SECTIONS),
        (forge(gaps={1: bytes(7)}), ["eif.section-bounds", "eif.contiguity", "eif.views"], SECTIONS),
        (forge(offsets={4: 905}, sizes={4: 36}), ["eif.contiguity", "eif.views"], SECTIONS),
        (forge(trailing=b"x"), ["eif.file-end"], []),
        (forge([*GOOD, (6, b"")]), ["eif.section-types"], []),
        (forge([*GOOD, (0, b"")]), ["eif.section-types"], []),
        (forge([*without(images.METADATA), (images.SIGNATURE, b"")], version=2), ["eif.section-types"], []),
        (forge(version=3), ["eif.section-types"], []),
        (forge(section_flags={3: 1}), ["eif.section-flags"], []),
        (forge(without(images.KERNEL)), ["eif.kernel"], []),
        (forge([GOOD[0], *GOOD]), ["eif.kernel"], []),
        (forge([GOOD[3], *GOOD]), ["eif.kernel"], []),
        (forge(without(images.CMDLINE)), ["eif.cmdline"], []),
        (forge([*GOOD, GOOD[1]]), ["eif.cmdline"], []),
        (forge(without(images.RAMDISK)), ["eif.ramdisks"], []),
        (forge(without(images.METADATA)), ["eif.metadata-section"], []),
        (forge([*GOOD, GOOD[2]]), ["eif.metadata-section"], []),
        (forge([*without(images.METADATA), (images.METADATA, bytes((4 << 20) + 1))]), ["eif.metadata-section"], []),
        (forge([*SIGNED, SIGNED[-1]]), ["eif.signature-section"], []),
        (forge([*GOOD, (images.SIGNATURE, bytes(32769))]), ["eif.signature-section"], []),
    ],
    ids=[
        "an empty file",
        "half a header",
        "another magic",
        "version 1",
        "version 5",
        "33 sections counted",
        "65535 sections counted",
        "33 sections in the file",
        "no section counted",
        "a section the table leaves out",
        "a section appended after the table was made",
        "an offset into the header",
        "an offset beyond the file",
        "the last byte missing",
        "a size of 2 to the 64",
        "a table size that is stale",
        "a gap between sections",
        "one ramdisk listed twice",
        "a byte after the last section",
        "an undefined type",
        "the type 0",
        "a signature in version 2",
        "metadata in version 3",
        "section flags",
        "no kernel",
        "two kernels",
        "a ramdisk before the kernel",
        "no command line",
        "two command lines",
        "no ramdisk",
        "no metadata in version 4",
        "two metadata sections",
        "metadata beyond what is read",
        "two signature sections",
        "a signature section beyond its limit",
    ],
)
def test_refused(image: bytes, failed: list[str], blocked: list[str]) -> None:
    report = examined(image)
    assert not report.passed
    assert [check.id for check in report] == list(structure.TITLES)
    assert with_outcome(report, Outcome.FAIL) == failed
    assert with_outcome(report, Outcome.SKIP) == blocked


def test_a_signature_section_at_its_limit_is_allowed() -> None:
    assert examined(forge([*GOOD, (images.SIGNATURE, bytes(32768))])).passed


def one(image: bytes, check_id: str) -> Check:
    return examined(image)[check_id]


def test_the_size_that_nitro_cli_leaves_stale_when_signing_again_is_named() -> None:
    check = one(forge(SIGNED, sizes={5: 99}), "eif.table-sizes")
    assert check.detail == (
        "table entry 5 states 99 bytes, its section header 20; "
        "nitro-cli sign-eif leaves that behind when it signs a signed image again"
    )
    assert check.remedy == "sign the unsigned image, in place of the signed one"


def test_another_stale_size_is_not_blamed_on_signing() -> None:
    check = one(forge(SIGNED, sizes={4: 1}), "eif.table-sizes")
    assert check.detail == "table entry 4 states 1 bytes, its section header 95"


def test_a_hidden_ramdisk_is_told_by_both_lists() -> None:
    check = one(forge(count=4), "eif.views")
    listed = "kernel at 548, cmdline at 602, metadata at 636, ramdisk at 905"
    assert (check.expected, check.actual) == (f"table: {listed}", f"sizes: {listed}, ramdisk at 953")
    assert check.remedy == "do not run it: nitro-cli and the hypervisor may measure different images"


def test_every_failure_says_what_was_found_and_what_to_do() -> None:
    for image in (forge(count=33), forge(offsets={0: 4}), forge(magic=b"XXXX"), forge(without(images.KERNEL))):
        for check in examined(image).having(Outcome.FAIL):
            assert check.detail
            assert check.remedy
            assert check.source


def test_the_two_ramdisks_of_the_good_image_differ() -> None:
    assert BOOT_BYTES != APPLICATION_BYTES
