"""Why two images differ: each scenario is one change, and the sentence names it."""

import bz2
import gzip
import json
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from nitroctl.eif.diff import Cause, Compared, compare
from nitroctl.eif.diff_ramdisk import Aspect, Contents, Kind
from nitroctl.eif.diff_told import sentence
from nitroctl.eif.signature import sign
from nitroctl.errors import CannotAnswer
from tests import images
from tests.archives import Entry, directory, file, newc, symlink
from tests.conftest import vectors
from tests.images import CMDLINE, DOCUMENT, GOOD, KERNEL, METADATA, RAMDISK, SIGNATURE, Part, forge

Compare = Callable[[bytes, bytes], Compared]
BASE = (
    directory("etc"),
    file("etc/passwd", b"root:x:0:0::/:/bin/sh\n"),
    file("etc/zone", b"UTC\n"),
    directory("bin"),
    file("bin/app", b"#!/bin/sh\n", mode=stat.S_IFREG | 0o755),
    symlink("bin/sh", "app"),
    Entry(name="dev/null", mode=stat.S_IFCHR | 0o666, rdev=(1, 3)),
)
PLAIN = newc(BASE)


@pytest.fixture
def compared(tmp_path: Path) -> Compare:
    def run(first: bytes, second: bytes) -> Compared:
        for name, image in (("a.eif", first), ("b.eif", second)):
            (tmp_path / name).write_bytes(image)
        return compare(str(tmp_path / "a.eif"), str(tmp_path / "b.eif"))

    return run


def image(*ramdisks: bytes, boot: bytes = images.BOOT_BYTES) -> bytes:
    """Return an image with a boot ramdisk and the given application ramdisks."""
    return forge([*GOOD[:3], (RAMDISK, boot), *((RAMDISK, data) for data in ramdisks)])


def changed(name: str, /, **fields: object) -> bytes:
    """Return the archive with one entry changed."""
    return newc([replace(entry, **fields) if entry.name == name else entry for entry in BASE])  # type: ignore[arg-type]


def contents(compared: Compared) -> Contents:
    found = [each.contents for each in compared.differences if each.contents]
    assert len(found) == 1
    return found[0]


# -- entries of a ramdisk

MOVED = "PCR0 and PCR2 differ: "
ENTRIES: dict[str, tuple[bytes, str, set[Kind]]] = {
    "content": (changed("etc/zone", data=b"CET\n"), "1 file in ramdisk 2 changed", {Kind.CHANGED}),
    "content of another size": (changed("etc/zone", data=b"Z"), "1 file in ramdisk 2 changed", {Kind.CHANGED}),
    "target": (changed("bin/sh", data=b"dash"), "1 entry in ramdisk 2 changed", {Kind.CHANGED}),
    "device": (changed("dev/null", rdev=(1, 5)), "1 entry in ramdisk 2 changed", {Kind.CHANGED}),
    "type": (changed("etc/zone", mode=stat.S_IFLNK | 0o777), "1 entry in ramdisk 2 changed", {Kind.CHANGED}),
    "added": (newc([*BASE, file("etc/new", b"new")]), "1 file in ramdisk 2 was added", {Kind.ADDED}),
    "removed": (newc(BASE[:-1]), "1 entry in ramdisk 2 was removed", {Kind.REMOVED}),
    "mode": (
        changed("bin/app", mode=stat.S_IFREG | 0o4755),
        "1 file in ramdisk 2 has another mode or owner",
        {Kind.MODE},
    ),
    "owner": (changed("bin/app", uid=1000), "1 file in ramdisk 2 has another mode or owner", {Kind.MODE}),
    "group": (changed("bin/app", gid=1000), "1 file in ramdisk 2 has another mode or owner", {Kind.MODE}),
    "mtime": (changed("bin/app", mtime=1), "1 file in ramdisk 2 differs only in mtime", {Kind.MTIME}),
    "inode": (
        changed("bin/app", ino=900),
        "1 file in ramdisk 2 differs only in the archive's own numbers",
        {Kind.RECORD},
    ),
    "name as stored": (
        changed("bin/app", name="./bin/app"),
        "1 file in ramdisk 2 differs only in the archive's own numbers",
        {Kind.RECORD},
    ),
    "padding": (
        PLAIN + bytes(512),
        "ramdisk 2 has the same entries, and only the archive's padding or notation differs",
        {Kind.ARCHIVE},
    ),
    "notation": (
        PLAIN.replace(b"000081a4", b"000081A4"),
        "ramdisk 2 has the same entries, and only the archive's padding or notation differs",
        {Kind.ARCHIVE},
    ),
    "compression": (
        gzip.compress(PLAIN, mtime=0),
        "ramdisk 2 has the same entries, compressed otherwise (none in A, gzip in B)",
        {Kind.COMPRESSION},
    ),
    "end of the archive": (
        PLAIN[:600],
        "ramdisk 2 cannot be read to the end: in B the ramdisk ends inside the header of an entry",
        {Kind.UNREAD},
    ),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_one_change_of_one_entry_is_named(compared: Compare, name: str) -> None:
    ramdisk, text, kinds = ENTRIES[name]
    found = compared(image(PLAIN), image(ramdisk))
    assert sentence(found) == MOVED + text
    assert {*contents(found).kinds} - {Kind.RECORD} == kinds - {Kind.RECORD}
    assert (found.same, found.differing) == (False, (0, 2))
    assert found.unmeasured == ()


def test_what_only_one_ramdisk_has_is_told_by_its_path(compared: Compare) -> None:
    found = contents(compared(image(PLAIN), image(newc([*BASE[:-1], file("./new")]))))
    assert [(each.name, each.kind) for each in found.changes] == [(b"dev/null", Kind.REMOVED), (b"new", Kind.ADDED)]


def test_many_changes_are_counted_apart(compared: Compare) -> None:
    many = [file(f"usr/{number:04}", b"x", ino=number + 1) for number in range(1220)]
    after = [
        *(replace(entry, data=b"y", mtime=1) for entry in many[:3]),
        *(replace(entry, mtime=1) for entry in many[3:1217]),
        *many[1217:],
    ]
    found = compared(image(newc(many)), image(newc(after)))
    assert sentence(found) == "PCR0 and PCR2 differ: 3 files in ramdisk 2 changed, 1,214 differ only in mtime"
    assert contents(found).same == 3


def test_entries_that_are_renumbered_after_an_added_one_are_a_consequence(compared: Compare) -> None:
    found = compared(image(PLAIN), image(newc([file("a"), *BASE])))
    assert sentence(found) == f"{MOVED}1 file in ramdisk 2 was added"
    assert contents(found).kinds == {Kind.ADDED: 1, Kind.RECORD: len(BASE)}


def test_another_order_is_told_by_the_fewest_moves(compared: Compare) -> None:
    numbered = [replace(entry, ino=number) for number, entry in enumerate(BASE, start=1)]
    found = compared(image(newc(numbered)), image(newc([*numbered[1:], numbered[0]])))
    assert sentence(found) == f"{MOVED}1 entry in ramdisk 2 stands in another order"
    assert contents(found).changes == ()


def test_every_aspect_of_a_changed_entry_is_listed(compared: Compare) -> None:
    found = compared(
        image(PLAIN), image(changed("bin/app", data=b"x", mode=stat.S_IFREG | 0o700, uid=1, mtime=2, ino=77))
    )
    [change] = contents(found).changes
    assert change.aspects == (Aspect.CONTENT, Aspect.MODE, Aspect.OWNER, Aspect.MTIME, Aspect.RECORD)


def test_a_file_of_one_name_twice_is_paired_in_the_order_of_unpacking(compared: Compare) -> None:
    twice = [*BASE, file("etc/zone", b"second")]
    found = compared(image(newc(twice)), image(newc([*BASE, file("etc/zone", b"another")])))
    [change] = contents(found).changes
    assert (change.first and change.first.size, change.kind) == (6, Kind.CHANGED)


@pytest.mark.parametrize("first", [True, False])
def test_hard_links_have_the_content_wherever_the_archiver_put_it(compared: Compare, first: bool) -> None:  # noqa: FBT001
    links = [file(name, b"content", nlink=2, ino=9) for name in ("a", "b")]
    moved = [replace(link, data=b"" if (number == 0) is first else b"content") for number, link in enumerate(links)]
    found = compared(image(newc(links)), image(newc(moved)))
    assert contents(found).kinds == {Kind.ARCHIVE: 0}
    emptied = [replace(link, data=b"") for link in links]
    assert contents(compared(image(newc(links)), image(newc(emptied)))).kinds == {Kind.CHANGED: 2}


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        (gzip.compress(PLAIN, mtime=0), gzip.compress(PLAIN, mtime=7), "both gzip"),
        (gzip.compress(PLAIN, 1, mtime=0), gzip.compress(PLAIN, 9, mtime=0), "both gzip"),
        (gzip.compress(PLAIN, mtime=0), bz2.compress(PLAIN), "gzip in A, bzip2 in B"),
    ],
    ids=["time in the header", "level", "another"],
)
def test_the_same_entries_compressed_otherwise(compared: Compare, before: bytes, after: bytes, how: str) -> None:
    found = compared(image(before), image(after))
    assert sentence(found) == f"{MOVED}ramdisk 2 has the same entries, compressed otherwise ({how})"


def test_a_change_inside_a_compressed_ramdisk_is_named(compared: Compare) -> None:
    found = compared(image(PLAIN), image(gzip.compress(changed("etc/zone", data=b"CET\n"))))
    assert sentence(found) == f"{MOVED}1 file in ramdisk 2 changed, it is compressed otherwise (none in A, gzip in B)"


def test_of_a_ramdisk_that_cannot_be_read_to_the_end_nothing_missing_is_told(compared: Compare) -> None:
    """What B lacks may stand where it cannot be read; what both have can still be compared."""
    found = compared(image(PLAIN), image(changed("etc/passwd", data=b"toor")[:600]))
    assert [(change.name, change.kind) for change in contents(found).changes] == [(b"etc/passwd", Kind.CHANGED)]
    assert sentence(found) == (
        f"{MOVED}1 file in ramdisk 2 changed, it cannot be read to the end: in B the ramdisk ends inside the name of"
        " an entry"
    )


# -- sections

OTHER_KERNEL = forge([(KERNEL, b"another"), *GOOD[1:]])
SECTIONS: dict[str, tuple[bytes, bytes, str]] = {
    "kernel": (forge(), OTHER_KERNEL, "PCR0 and PCR1 differ: the kernel is another"),
    "command line": (
        forge(),
        forge([GOOD[0], (CMDLINE, b"console=ttyS0 quiet panic=1"), *GOOD[2:]]),
        "PCR0 and PCR1 differ: the command line differs: 'panic=30' only in A, 'quiet' and 'panic=1' only in B",
    ),
    "order of words": (
        forge(),
        forge([GOOD[0], (CMDLINE, b"panic=30 console=ttyS0"), *GOOD[2:]]),
        "PCR0 and PCR1 differ: the command line has the same words in another order",
    ),
    "end of the command line": (
        forge(),
        forge([GOOD[0], (CMDLINE, images.CMDLINE_BYTES + b"\n"), *GOOD[2:]]),
        "PCR0 and PCR1 differ: the command line differs only in spaces, or in how it ends",
    ),
    "long command line": (
        forge([GOOD[0], (CMDLINE, b"x" * 70_000), *GOOD[2:]]),
        forge([GOOD[0], (CMDLINE, b"x" * 70_000 + b"y"), *GOOD[2:]]),
        "PCR0 and PCR1 differ: the command line differs after its first 65536 bytes",
    ),
    "boot ramdisk": (
        image(PLAIN, boot=PLAIN),
        image(PLAIN, boot=newc(BASE[:-1])),
        "PCR0 and PCR1 differ: 1 entry in ramdisk 1 was removed",
    ),
    "ramdisk added": (
        image(PLAIN),
        image(PLAIN, b"more"),
        "PCR0 and PCR2 differ: ramdisk 3, 4 bytes, is only in B",
    ),
    "ramdisk removed": (
        image(PLAIN, b"more"),
        image(PLAIN),
        "PCR0 and PCR2 differ: ramdisk 3, 4 bytes, is only in A",
    ),
    "ramdisk put in between": (
        image(PLAIN),
        image(b"more", PLAIN),
        "PCR0 and PCR2 differ: ramdisk 2, 4 bytes, is only in B",
    ),
    "ramdisk put in front": (
        image(PLAIN),
        image(images.BOOT_BYTES, PLAIN, boot=b"more"),
        "PCR0, PCR1 and PCR2 differ: ramdisk 1, 4 bytes, is only in B",
    ),
    "ramdisks exchanged": (
        image(PLAIN, b"more"),
        image(b"more", PLAIN),
        "PCR0 and PCR2 differ: the same ramdisks stand in another order",
    ),
    "sections exchanged": (
        forge(),
        forge([GOOD[1], GOOD[0], *GOOD[2:]]),
        "PCR0 and PCR1 differ: the same sections stand in another order",
    ),
    "command line behind another ramdisk": (
        forge([GOOD[0], GOOD[3], GOOD[1], GOOD[2], GOOD[4], (RAMDISK, b"more")]),
        forge([GOOD[0], GOOD[3], GOOD[4], GOOD[1], GOOD[2], (RAMDISK, b"more")]),
        "PCR0 differs: the same sections stand in another order",
    ),
    "no ramdisk that is one": (
        image(b"this is no archive"),
        image(b"nor is this, you see"),
        (
            "PCR0 and PCR2 differ: ramdisk 2 cannot be read to the end: in A neither an archive in the newc form nor a"
            " compression that Linux knows: it begins 74 68 69 73 20 69; in B neither an archive in the newc form nor a"
            " compression that Linux knows: it begins 6e 6f 72 20 69 73"
        ),
    ),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_one_change_of_a_section_is_named_with_the_registers_it_moves(compared: Compare, name: str) -> None:
    first, second, text = SECTIONS[name]
    found = compared(first, second)
    assert sentence(found) == text
    [difference] = found.differences
    assert difference.registers == found.differing
    assert not found.same


def test_a_difference_says_where_it_is_in_either_image(compared: Compare) -> None:
    found = compared(forge(), forge([(KERNEL, b"another"), *GOOD[1:3], (RAMDISK, b"more"), *GOOD[3:]]))
    assert [(each.part, each.numbers, each.sizes) for each in found.differences] == [
        ("kernel", (None, None), (42, 7)),
        ("ramdisk 1", (None, 1), (None, 4)),
    ]
    [difference] = compared(image(b"1234"), image(b"12345")).differences
    assert (difference.numbers, difference.sizes) == ((2, 2), (4, 5))


def test_a_kernel_is_named_by_its_version(compared: Compare) -> None:
    def kernel(banner: bytes) -> bytes:
        data = bytes(4096) + b"Linux version " + banner + b"\n\0"
        return forge([(KERNEL, b"\x7fELF\x02\x01\x01" + data), *GOOD[1:]])

    old = kernel(b"4.14.256 (root@host) (gcc) #1 SMP Tue Jan 1")
    new = kernel(b"6.6.79 (root@host) (gcc) #1 SMP Tue Jan 1")
    again = kernel(b"4.14.256 (root@host) (gcc) #1 SMP Wed Jan 2")
    assert sentence(compared(old, new)) == "PCR0 and PCR1 differ: the kernel is another: 4.14.256 in A, 6.6.79 in B"
    assert sentence(compared(old, again)) == (
        "PCR0 and PCR1 differ: the kernel differs: 4.14.256 in both, built another time"
    )


def test_several_causes_are_named_in_the_order_of_the_sections(compared: Compare) -> None:
    second = forge([(KERNEL, b"another"), (CMDLINE, b"quiet"), *GOOD[2:4], (RAMDISK, newc(BASE[:-1]))])
    assert sentence(compared(image(PLAIN), second)) == (
        "PCR0, PCR1 and PCR2 differ: the kernel is another; the command line differs: 'console=ttyS0' and 'panic=30'"
        " only in A, 'quiet' only in B; 1 entry in ramdisk 2 was removed"
    )


def test_an_order_moves_registers_also_where_a_ramdisk_was_added(compared: Compare) -> None:
    """Kernel and command line change places, which moves PCR1; the added ramdisk alone would not."""
    second = forge([GOOD[1], GOOD[0], *GOOD[2:], (RAMDISK, b"more")])
    found = compared(forge(), second)
    assert found.differing == (0, 1, 2)
    assert [(each.part, each.cause, each.registers) for each in found.differences] == [
        ("ramdisk 3", Cause.ADDED, (0, 2)),
        ("sections", Cause.ORDER, (0, 1, 2)),
    ]


# -- equal registers

KERNEL_BYTES, CMDLINE_BYTES = images.KERNEL_BYTES, images.CMDLINE_BYTES
BOUNDARIES: dict[str, Sequence[Part]] = {
    "kernel and command line": [(KERNEL, KERNEL_BYTES[:-1]), (CMDLINE, KERNEL_BYTES[-1:] + CMDLINE_BYTES), *GOOD[2:]],
    "an empty ramdisk at the end": [*GOOD, (RAMDISK, b"")],
    "an application ramdisk in two": [*GOOD[:4], (RAMDISK, GOOD[4][1][:9]), (RAMDISK, GOOD[4][1][9:])],
}


@pytest.mark.parametrize("name", BOUNDARIES)
def test_other_sections_with_the_same_registers_are_never_called_the_same(compared: Compare, name: str) -> None:
    """Where one section ends and the next begins is not measured, and it changes what runs."""
    found = compared(forge(), forge(BOUNDARIES[name]))
    assert found.differing == ()
    assert not found.same
    text = sentence(found)
    assert text.startswith("no register differs, and yet the images do: ")
    assert text.endswith("; where sections begin and end is not measured")


def signed(parts: Sequence[Part] = GOOD, **certificate: str) -> bytes:
    key, pem = images.pair(**certificate)  # type: ignore[arg-type]
    pcr0 = images.registers(forge(parts))[0]
    return forge([*parts, (SIGNATURE, sign(pcr0, private_key_pem=key, certificate_pem=pem))])


def with_metadata(**members: object) -> bytes:
    return forge([*GOOD[:2], (METADATA, json.dumps({**DOCUMENT, **members}).encode()), *GOOD[3:]])


def test_a_file_and_its_copy_are_the_same(compared: Compare) -> None:
    found = compared(forge(), forge())
    assert sentence(found) == "A and B are the same file, byte for byte"
    assert (found.same, found.same_file, found.differences, found.unmeasured) == (True, True, (), ())


UNMEASURED: dict[str, tuple[bytes, bytes, str, list[tuple[str, str | None, str | None]]]] = {
    "architecture": (
        forge(),
        forge(flags=1),
        "header",
        [("architecture", "x86_64", "aarch64"), ("flags", "0x0000", "0x0001")],
    ),
    "unknown flags": (forge(), forge(flags=0x240), "header", [("flags", "0x0000", "0x0240")]),
    "version": (
        forge([*GOOD[:2], *GOOD[3:]], version=2),
        forge([*GOOD[:2], *GOOD[3:]], version=3),
        "header",
        [("version", "2", "3")],
    ),
    "reserved": (forge(), forge(reserved=7), "header", [("reserved", "0, 0", "7, 0")]),
    "table": (forge(), forge(offsets={9: 7}), "header", [("unused table slots", "zero", "9: 7, 0")]),
    "table, twice odd": (
        forge(offsets={9: 7}),
        forge(sizes={9: 7, 31: 1}),
        "header",
        [("unused table slots", "9: 7, 0", "9: 0, 7; 31: 0, 1")],
    ),
    "image name": (
        with_metadata(),
        with_metadata(ImageName="other"),
        "metadata",
        [("ImageName", "signer", "other")],
    ),
    "deep in Docker's information": (
        with_metadata(DockerInfo={"Config": {"Env": ["A=1", "B=2"], "a/b": None}}),
        with_metadata(DockerInfo={"Config": {"Env": ["A=1"], "a/b": True}}),
        "metadata",
        [("DockerInfo/Config/Env/1", "B=2", None), ("DockerInfo/Config/a~1b", "null", "true")],
    ),
    "spacing": (
        forge(),
        with_metadata(),
        "metadata",
        [("spacing, order, or members that the format does not define", None, None)],
    ),
    "place of the metadata": (
        forge(),
        forge([GOOD[0], GOOD[1], GOOD[3], GOOD[4], GOOD[2]]),
        "layout",
        [
            (
                "order of sections",
                "kernel, cmdline, metadata, ramdisk, ramdisk",
                "kernel, cmdline, ramdisk, ramdisk, metadata",
            )
        ],
    ),
}


@pytest.mark.parametrize("name", UNMEASURED)
def test_what_moves_no_register_is_named_as_not_measured(compared: Compare, name: str) -> None:
    first, second, part, fields = UNMEASURED[name]
    found = compared(first, second)
    assert sentence(found) == f"PCR0, PCR1 and PCR2 are equal: the files differ only in what is not measured: {part}"
    assert [(each.field, each.first, each.second) for each in found.unmeasured] == fields
    assert {each.part for each in found.unmeasured} == {part}
    assert (found.same, found.same_file, found.differences) == (True, False, ())


def test_two_signatures_by_one_certificate_are_not_measured(compared: Compare) -> None:
    """Of a library that signs at random, every signature is another; here the text around the certificate is."""
    key, pem = images.pair()
    pcr0 = images.registers(forge())[0]
    again = sign(pcr0, private_key_pem=key, certificate_pem=pem + b"\n")
    found = compared(signed(), forge([*GOOD, (SIGNATURE, again)]))
    assert found.same
    assert {each.part for each in found.unmeasured} == {"signature"}
    assert sentence(found) == (
        "PCR0, PCR1, PCR2 and PCR8 are equal: the files differ only in what is not measured: signature"
    )


def test_a_signature_about_another_register_is_told_as_that(compared: Compare) -> None:
    """The second image was changed after it was signed; its signature can be read, and does not hold."""
    key, pem = images.pair()
    section = sign(bytes([1]) * 48, private_key_pem=key, certificate_pem=pem)
    found = compared(signed(), forge([*GOOD, (SIGNATURE, section)]))
    assert [each.field for each in found.unmeasured] == ["what is signed", "signature"]
    assert not found.same


def test_metadata_that_is_absent_or_unreadable_is_told_as_that(compared: Compare) -> None:
    before = forge([*GOOD[:2], *GOOD[3:]], version=3)
    unreadable = forge([*GOOD[:2], (METADATA, b"{}"), *GOOD[3:]])

    def told(first: bytes, second: bytes) -> list[tuple[str | None, str | None]]:
        return [(each.first, each.second) for each in compared(first, second).unmeasured if each.part == "metadata"]

    assert told(before, forge()) == [(None, "readable")]
    assert told(forge(), before) == [("readable", None)]
    assert told(before, unreadable) == [(None, "not readable")]
    assert told(unreadable, forge()) == [("not readable", "readable")]


def test_metadata_of_very_many_members_is_compared_in_part_and_says_so(compared: Compare) -> None:
    many = {f"k{number:05}": number for number in range(12_000)}
    found = compared(with_metadata(CustomMetadata=many), with_metadata(CustomMetadata=many | {"k11999": None}))
    assert [each.field for each in found.unmeasured] == ["more than 10000 members, the others not compared"]
    assert found.same


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (forge(), signed(), "PCR8 differs: only B is signed"),
        (signed(), forge(), "PCR8 differs: only A is signed"),
        (signed(name="old"), signed(name="new"), "PCR8 differs: signed by CN=new in place of CN=old"),
        (
            signed(),
            signed(curve="secp256r1"),
            "PCR8 differs: signed with another certificate of the same name, CN=tests",
        ),
    ],
)
def test_another_signer_moves_pcr8_alone(compared: Compare, first: bytes, second: bytes, text: str) -> None:
    found = compared(first, second)
    assert sentence(found) == text
    assert (found.same, found.differing) == (False, (8,))
    assert [(each.part, each.registers) for each in found.differences] == [("signing certificate", (8,))]


# -- images that cannot be measured

CANNOT = "the measurements cannot be compared: "
UNMEASURABLE: dict[str, tuple[bytes, bytes, str]] = {
    "bytes after the end": (
        forge(),
        forge(trailing=b"12345"),
        (
            "B cannot be measured: 5 bytes follow the last section; no reader measures them; kernel, command line,"
            " ramdisks and signing certificate are the same"
        ),
    ),
    "checksum": (
        forge(crc=0),
        OTHER_KERNEL,
        (
            "A cannot be measured: the file was damaged or altered after it was written; of the sections: the kernel is"
            " another"
        ),
    ),
    "no image": (forge(), b"\x7fELF" * 300, "B cannot be measured: the file is not an enclave image"),
    "nothing": (b"", forge(), "A cannot be measured: the file has 0 bytes, a file header has 548"),
    "neither": (
        b"",
        b"\x7fELF" * 300,
        (
            "A cannot be measured: the file has 0 bytes, a file header has 548; B cannot be measured: the file is not"
            " an enclave image"
        ),
    ),
    "a section beyond the end": (
        forge(stated={4: 1 << 40}),
        forge(),
        "A cannot be measured: the section at byte 953 (ramdisk) claims 1099511627776 bytes, 95 are left in the file",
    ),
    "signature": (
        signed(),
        forge([*GOOD, (SIGNATURE, b"\x80")]),
        (
            "B cannot be measured: the signature section cannot be read: it holds 0 signatures in place of one; of the"
            " sections: the signatures differ, and not both can be read"
        ),
    ),
    "no kernel": (
        forge(GOOD[1:]),
        forge(),
        "A cannot be measured: there are 0 kernel sections; of the sections: kernel, 42 bytes, is only in B",
    ),
    "two command lines": (
        forge([*GOOD, (CMDLINE, b"quiet")]),
        forge(),
        ("A cannot be measured: there are 2 cmdline sections; of the sections: command line 2, 5 bytes, is only in A"),
    ),
    "two views": (
        forge(count=4),
        forge(),
        (
            "A cannot be measured: readers that follow the table see another image than readers that follow the sizes;"
            " kernel, command line, ramdisks and signing certificate as nitro-cli follows them are the same"
        ),
    ),
}


@pytest.mark.parametrize("name", UNMEASURABLE)
def test_an_image_without_registers_is_the_same_as_none(compared: Compare, name: str) -> None:
    first, second, text = UNMEASURABLE[name]
    found = compared(first, second)
    assert sentence(found) == CANNOT + text
    assert (found.same, found.differing) == (False, None)


def test_the_same_unmeasurable_file_is_said_to_be_that_and_not_to_measure_the_same(compared: Compare) -> None:
    found = compared(forge(crc=0), forge(crc=0))
    assert sentence(found) == (
        "A and B are the same file, byte for byte; it cannot be measured: the file was damaged or altered after it was"
        " written"
    )
    assert (found.same, found.same_file) == (False, True)


def test_every_malformed_vector_compares_with_a_good_image() -> None:
    good = str(vectors("eif", "ref-tiny-unsigned.eif"))
    for path in sorted(vectors("eif", "malformed").glob("*.eif")):
        for pair in ((good, str(path)), (str(path), good), (str(path), str(path))):
            found = compare(*pair)
            assert sentence(found)
            assert found.same <= (found.first.measurable and found.second.measurable)


def test_the_images_of_the_aws_builder() -> None:
    first, second = (str(vectors("eif", f"ref-tiny-{name}.eif")) for name in ("unsigned", "emptycmdline"))
    assert sentence(compare(first, second)) == (
        "PCR0 and PCR1 differ: the command line differs: 'console=ttyS0' only in A"
    )


def test_a_file_that_changes_meanwhile_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "a.eif", tmp_path / "b.eif"
    first.write_bytes(image(PLAIN))
    second.write_bytes(image(newc(BASE[:-1])))
    from nitroctl.eif import diff_ramdisk

    real = diff_ramdisk.compare

    def and_write(*listings: object) -> object:
        first.write_bytes(forge())
        return real(*listings)  # type: ignore[arg-type]

    monkeypatch.setattr(diff_ramdisk, "compare", and_write)
    with pytest.raises(CannotAnswer) as caught:
        compare(str(first), str(second))
    assert caught.value.code == "eif.changed"


def test_causes_beyond_the_fifth_are_counted_in_the_sentence(compared: Compare) -> None:
    found = compared(image(*(b"%d" % number for number in range(8))), image(*(b"x%d" % number for number in range(8))))
    assert len(found.differences) == 8
    assert {each.cause for each in found.differences} == {Cause.CHANGED}
    assert sentence(found).endswith("; and 3 more differences")
