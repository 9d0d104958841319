"""Measuring: the registers AWS's builder printed, and no registers where readers would not agree."""

import csv
import dataclasses
import hashlib
import io
import json
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from nitroctl.checks import Outcome
from nitroctl.eif import measure as module
from nitroctl.eif.format import Layout, read_layout
from nitroctl.eif.measure import Measured, measure, require
from nitroctl.eif.signature import sign
from nitroctl.eif.write import write_image
from nitroctl.errors import CannotAnswer
from tests import images
from tests.conftest import vectors
from tests.images import GOOD, forge

Make = Callable[[bytes], Measured]


@pytest.fixture
def measured(tmp_path: Path) -> Make:
    """Measure an image given as bytes."""

    def of(image: bytes) -> Measured:
        path = tmp_path / "image.eif"
        path.write_bytes(image)
        return measure(str(path))

    return of


def outcomes(found: Measured, outcome: Outcome) -> list[str]:
    return [check.id for check in found.report.having(outcome)]


def rows(*parts: str) -> list[dict[str, str]]:
    with vectors("eif", *parts).open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_every_image_of_the_manifest_has_the_registers_that_the_aws_builder_printed() -> None:
    manifest = rows("MANIFEST.tsv")
    assert manifest
    for row in manifest:
        found = measure(str(vectors("eif", row["file"])))
        assert found.report.passed, row["file"]
        expected = {int(name.removeprefix("PCR")): value for name, value in json.loads(row["expected_pcrs"]).items()}
        assert {index: value.hex() for index, value in found.pcrs.items()} == expected, row["file"]
        assert found.sha256 == row["sha256"]


#: What the format, its readers and its builders make of each file: (checks that fail, checks that warn).
OBSERVED: dict[str, tuple[list[str], list[str]]] = {
    # builders really make these, and every reader takes them
    "ok-control.eif": ([], []),
    "metadata-extra-keys.eif": ([], []),
    "flags-pcie.eif": ([], ["eif.flags"]),
    "v2.eif": ([], ["eif.version"]),
    "cmdline-with-nul.eif": ([], ["eif.cmdline-text"]),
    # not an image, or not of a known version
    "truncated-header.eif": (["eif.header"], []),
    "bad-magic.eif": (["eif.magic"], []),
    "v5.eif": (["eif.version"], []),
    # the table cannot be followed
    "header-only.eif": (["eif.section-bounds", "eif.views"], []),
    "num-sections-33.eif": (["eif.section-count", "eif.views"], []),
    "size-1TiB.eif": (["eif.section-bounds", "eif.table-sizes", "eif.views"], []),
    "size-past-eof.eif": (["eif.section-bounds", "eif.table-sizes", "eif.views"], []),
    "table-size-mismatch.eif": (["eif.table-sizes", "eif.views"], []),
    # both can be followed and lead to different images
    "gap-between-sections.eif": (["eif.section-bounds", "eif.contiguity", "eif.views"], []),
    "hidden-ramdisk-both-crc-valid.eif": (["eif.views"], []),
    "table-order-differs-from-file-order.eif": (["eif.contiguity", "eif.views"], []),
    # one list of sections, and something wrong with it
    "trailing-5-bytes.eif": (["eif.file-end"], []),
    "section-type-6.eif": (["eif.section-types"], []),
    "no-kernel.eif": (["eif.kernel"], []),
    "metadata-not-json.eif": (["eif.metadata"], []),
    "sig-empty-array.eif": (["eif.signature-format"], []),
}


def test_every_malformed_file_gets_its_reasoned_answer() -> None:
    answers = {}
    for row in rows("malformed", "OBSERVED.tsv"):
        found = measure(str(vectors("eif", "malformed", row["file"])))
        answers[row["file"]] = (outcomes(found, Outcome.FAIL), outcomes(found, Outcome.WARN))
        assert found.report.passed == (not OBSERVED[row["file"]][0]) == bool(found.pcrs)
    assert answers == OBSERVED


def said(text: str) -> dict[int, str]:
    """Return the PCR0 and PCR2 in an observation of another reader."""
    words = dict(word.split("=", 1) for word in text.split() if "=" in word)
    return {index: words[f"PCR{index}"] for index in (0, 2) if f"PCR{index}" in words}


def test_each_view_is_what_that_reader_computed() -> None:
    """Wherever both the other reader and we give registers, they are the same; bad-magic and v5 are not read here."""
    compared = 0
    for row in rows("malformed", "OBSERVED.tsv"):
        table, sequence = measure(str(vectors("eif", "malformed", row["file"]))).views
        for view, text in ((table, row["independent_table_walk"]), (sequence, row["aws_reference_reader_0.5.0"])):
            theirs = said(text)
            if theirs and view.pcrs:
                assert {index: view.pcrs[index].hex() for index in (0, 2)} == theirs, row["file"]
                compared += 1
    assert compared >= 20


def test_registers_are_those_of_the_description(measured: Make) -> None:
    image = forge()
    found = measured(image)
    assert found.pcrs == images.registers(image)
    assert found.pcrs[0] != found.pcrs[1]
    assert found.sha256 == hashlib.sha256(image).hexdigest()
    assert found.size == len(image)
    assert found.cmdline == images.CMDLINE_BYTES
    assert found.signature is None
    assert found.metadata is not None
    assert found.metadata.image_name == "signer"


@pytest.mark.parametrize(
    "parts",
    [
        GOOD[:4],
        [*GOOD, (images.RAMDISK, b"third")],
        [GOOD[0], GOOD[3], GOOD[2], GOOD[4], GOOD[1]],
        [GOOD[1], GOOD[0], *GOOD[2:]],
        [GOOD[2], GOOD[0], GOOD[1], GOOD[3], (images.RAMDISK, b""), GOOD[4]],
        [(images.KERNEL, b""), (images.CMDLINE, b""), (images.METADATA, images.METADATA_JSON), (images.RAMDISK, b"")],
        [(images.KERNEL, bytes(3 << 20)), *GOOD[1:4], (images.RAMDISK, bytes((2 << 20) + 1))],
    ],
    ids=[
        "one ramdisk",
        "three ramdisks",
        "the command line last",
        "the command line first",
        "metadata first",
        "empty sections",
        "sections of several chunks",
    ],
)
def test_order_and_number_of_sections_count_as_described(measured: Make, parts: list[images.Part]) -> None:
    image = forge(parts)
    found = measured(image)
    assert found.report.passed
    # the description's PCR1 is over kernel, command line and first ramdisk in file order
    measured_data = [data for kind, data in parts if kind in (images.KERNEL, images.CMDLINE, images.RAMDISK)]
    ramdisks = [data for kind, data in parts if kind == images.RAMDISK]
    boot, seen = b"", 0
    for kind, data in parts:
        seen += kind == images.RAMDISK
        if kind in (images.KERNEL, images.CMDLINE) or (kind == images.RAMDISK and seen == 1):
            boot += data
    assert found.pcrs == {
        0: images.extended(hashlib.sha384(b"".join(measured_data)).digest()),
        1: images.extended(hashlib.sha384(boot).digest()),
        2: images.extended(hashlib.sha384(b"".join(ramdisks[1:])).digest()),
    }


def test_header_and_metadata_are_not_measured(measured: Make) -> None:
    good = measured(forge())
    other = measured(forge([*GOOD[:2], (images.METADATA, images.METADATA_JSON.replace(b"1.4.2", b"9.9.9")), *GOOD[3:]]))
    arm = measured(forge(flags=1))
    assert good.pcrs == other.pcrs == arm.pcrs
    assert len({good.sha256, other.sha256, arm.sha256}) == 3


def test_without_the_file_s_digest_everything_else_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "image.eif"
    for image in (forge(), forge(trailing=b"five!"), forge(trailing=struct.pack(">HHQ", images.RAMDISK, 0, 4) + b"e")):
        path.write_bytes(image)
        whole = measure(str(path))
        assert whole.sha256 == hashlib.sha256(image).hexdigest()
        assert measure(str(path), file_digest=False) == dataclasses.replace(whole, sha256="")


def signed_image(pcr0: bytes | None = None) -> bytes:
    key, certificate = images.pair()
    register = images.registers(forge())[0] if pcr0 is None else pcr0
    section = sign(register, private_key_pem=key, certificate_pem=certificate)
    return forge([*GOOD, (images.SIGNATURE, section)])


def test_a_signed_image_has_pcr8_and_the_other_registers_unchanged(measured: Make) -> None:
    found = measured(signed_image())
    der = images.der(images.pair()[1])
    assert found.report.passed
    assert found.pcrs == {**images.registers(forge()), 8: images.extended(hashlib.sha384(der).digest())}
    assert found.signature is not None


def test_a_signature_about_another_image_leaves_no_registers(measured: Make) -> None:
    found = measured(signed_image(bytes(48)))
    assert found.pcrs == {}
    assert outcomes(found, Outcome.FAIL) == ["eif.signed-measurement"]
    assert found.views[0].pcrs == images.registers(forge())


@pytest.mark.parametrize("at", [3, 30, 600, -1])
def test_a_single_changed_bit_leaves_no_registers(measured: Make, at: int) -> None:
    image = bytearray(forge())
    image[at] ^= 0x40
    found = measured(bytes(image))
    assert found.pcrs == {}
    assert not found.report.passed


def test_a_wrong_checksum_is_told_with_both_values(measured: Make) -> None:
    image = forge()
    right = image[544:548].hex()
    found = measured(forge(crc=0xDEADBEEF))
    check = found.report["eif.crc"]
    assert outcomes(found, Outcome.FAIL) == ["eif.crc"]
    assert (check.expected, check.actual) == ("deadbeef", right)
    assert found.pcrs == {}


def test_an_unsigned_image_says_that_nothing_was_checked_about_a_signature(measured: Make) -> None:
    check = measured(forge()).report["eif.signature"]
    assert (check.outcome, check.required) == (Outcome.SKIP, False)
    assert check.detail == "not checked: the image has no such section"


@pytest.mark.parametrize(
    ("cmdline", "said_of_it"),
    [
        (b"", ""),
        (b"panic=30", ""),
        (b"panic=30\n", ""),
        (b"panic=30\0", ""),
        (b"panic=30\n\0", ""),
        (b"panic=30\0init=/bin/sh", "it has a NUL; the 12 bytes after it are measured, and the kernel never sees them"),
        (b"panic=30\n\n", "it has control or non-ASCII characters"),
        (b"\x1b[2Jpanic=30", "it has control or non-ASCII characters"),
        ("p\N{RIGHT-TO-LEFT OVERRIDE}anic=30".encode(), "it has control or non-ASCII characters"),
    ],
)
def test_what_cannot_be_seen_in_a_command_line_is_told(measured: Make, cmdline: bytes, said_of_it: str) -> None:
    found = measured(forge([GOOD[0], (images.CMDLINE, cmdline), *GOOD[2:]]))
    check = found.report["eif.cmdline-text"]
    assert found.report.passed
    assert (check.outcome, check.detail) == (Outcome.WARN if said_of_it else Outcome.PASS, said_of_it)


def test_what_was_not_looked_at_of_a_command_line_is_told(measured: Make) -> None:
    shown = 64 * 1024
    for cmdline, said_of_it in (
        (b" " * shown, ""),
        (
            b" " * shown + b"\0init=/bin/sh",
            f"it has {shown + 13} bytes, of which only the first {shown} were looked at",
        ),
        (
            b"a\0" + b" " * shown,
            f"it has a NUL; the {shown} bytes after it are measured, and the kernel never sees them",
        ),
    ):
        check = measured(forge([GOOD[0], (images.CMDLINE, cmdline), *GOOD[2:]])).report["eif.cmdline-text"]
        assert (check.outcome, check.detail) == (Outcome.WARN if said_of_it else Outcome.PASS, said_of_it)


def test_a_huge_command_line_is_kept_in_part(measured: Make) -> None:
    found = measured(forge([GOOD[0], (images.CMDLINE, b"x" * 3_000_000), *GOOD[2:]]))
    assert found.report.passed
    assert found.cmdline == b"x" * 65536


def test_a_hidden_ramdisk_gives_each_reader_its_own_registers(measured: Make) -> None:
    hidden = struct.pack(">HHQ", images.RAMDISK, 0, 4) + b"evil"
    found = measured(forge(trailing=hidden))
    table, sequence = found.views
    assert (table.name, sequence.name) == ("table", "sequence")
    assert table.pcrs == images.registers(forge())
    assert sequence.pcrs == images.registers(forge([*GOOD, (images.RAMDISK, b"evil")]))
    assert table.crc32 == struct.unpack(">I", forge()[544:548])[0] != sequence.crc32
    assert found.pcrs == {}


def test_a_table_that_would_be_read_many_times_over_is_not_followed(measured: Make) -> None:
    """Thirty-two entries on one large section: following them is work without bound, so no registers for that view."""
    parts = [*GOOD[:4], (images.RAMDISK, bytes(100_000))]
    offset = len(forge(parts)) - 100_012
    slots = range(5, 32)
    image = forge(parts, count=32, offsets=dict.fromkeys(slots, offset), sizes=dict.fromkeys(slots, 100_000))
    found = measured(image)
    assert found.views[0].walk.complete
    assert found.views[0].pcrs == {}
    assert found.views[1].pcrs == images.registers(forge(parts))


def test_a_file_that_is_no_image_is_answered_from_its_header(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with path.open("wb") as stream:
        stream.truncate(10 << 30)
    found = measure(str(path))
    assert (found.size, found.sha256, found.pcrs) == (10 << 30, "", {})
    assert outcomes(found, Outcome.FAIL) == ["eif.magic"]


def test_a_sparse_file_with_an_image_s_header_and_nothing_in_it_is_answered_at_once(tmp_path: Path) -> None:
    path = tmp_path / "hole.eif"
    path.write_bytes(forge()[:548])
    os.truncate(path, 10 << 30)
    found = measure(str(path))
    assert found.sha256 == ""
    assert "eif.views" in outcomes(found, Outcome.FAIL)


def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    path = tmp_path / "large.eif"
    with path.open("wb") as stream:
        write_image(
            stream,
            architecture="x86_64",
            kernel=b"k",
            cmdline=b"c",
            ramdisks=[bytes(64 << 20)],
            metadata=images.METADATA_JSON,
            signature=None,
        )
    tracemalloc.start()
    try:
        assert measure(str(path)).report.passed
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_require_gives_a_good_image_and_names_what_is_wrong_with_another(tmp_path: Path) -> None:
    path = tmp_path / "image.eif"
    path.write_bytes(forge())
    assert require(str(path)).pcrs == images.registers(forge())
    path.write_bytes(forge(count=4))
    with pytest.raises(CannotAnswer) as caught:
        require(str(path))
    error = caught.value
    assert error.code == "eif.not-measurable"
    assert error.message == (
        f"{path}: cannot be measured: "
        "readers that follow the table see another image than readers that follow the sizes"
    )
    assert error.hints == (
        f"see nitroctl eif inspect {path}",
        "do not run it: nitro-cli and the hypervisor may measure different images",
    )
    assert error.details == {"check": "eif.views"}


def grown(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"x")


def cut(path: Path) -> None:
    os.truncate(path, 700)


def touched(path: Path) -> None:
    path.write_bytes(forge(crc=1))
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [grown, cut, touched])
def test_a_file_that_changes_while_it_is_read_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "image.eif"
    path.write_bytes(forge())

    def meanwhile(stream: IO[bytes], size: int) -> Layout:
        found = read_layout(stream, size)
        change(path)
        return found

    monkeypatch.setattr(module, "read_layout", meanwhile)
    with pytest.raises(CannotAnswer) as caught:
        measure(str(path))
    assert (caught.value.code, caught.value.message) == ("eif.changed", f"{path}: changed while it was read")


def test_an_input_error_of_the_disk_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "image.eif"
    path.write_bytes(forge())

    def failing(_stream: IO[bytes], _size: int) -> Layout:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module, "read_layout", failing)
    with pytest.raises(CannotAnswer) as caught:
        measure(str(path))
    assert (caught.value.code, caught.value.message) == (
        "file.unreadable",
        f"{path}: cannot read: input/output error",
    )


def test_what_is_written_is_measured(measured: Make) -> None:
    stream = io.BytesIO()
    write_image(
        stream,
        architecture="aarch64",
        kernel=images.KERNEL_BYTES,
        cmdline=images.CMDLINE_BYTES,
        ramdisks=[images.BOOT_BYTES, images.APPLICATION_BYTES],
        metadata=images.METADATA_JSON,
        signature=None,
    )
    found = measured(stream.getvalue())
    assert found.report.passed
    assert found.pcrs == images.registers(forge())
    assert found.layout.header is not None
    assert found.layout.header.architecture == "aarch64"
