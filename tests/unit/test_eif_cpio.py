"""The ramdisk reader, against archives written by hand from cpio(5) and the behaviour of Linux' init/initramfs.c."""

import bz2
import gzip
import hashlib
import importlib
import io
import lzma
import stat
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from nitroctl.eif import cpio
from nitroctl.eif.cpio import Fault, Limits, Member
from tests.conftest import vectors

FILE, DIRECTORY, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def entry(name: bytes, mode: int = FILE, data: bytes = b"", **other: Any) -> bytes:
    """Return one entry; ``other``: fields by name, ``magic``, ``name_size``, ``size``, or the raw ``stored`` name."""
    stored: bytes = other.get("stored", name + b"\0")
    fields = [
        other.get("ino", 1),
        mode,
        other.get("uid", 0),
        other.get("gid", 0),
        other.get("nlink", 1),
        other.get("mtime", 0),
        other.get("size", len(data)),
        *other.get("device", (3, 1)),
        *other.get("rdev", (0, 0)),
        other.get("name_size", len(stored)),
        other.get("check", 0),
    ]
    magic: bytes = other.get("magic", b"070701")
    header = magic + b"".join(b"%08X" % value for value in fields)
    head = header + stored
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


TRAILER = entry(b"TRAILER!!!", 0)
ARCHIVE = entry(b"dev", DIRECTORY) + entry(b"init", data=b"#!/bin/sh\n") + entry(b"sh", LINK, b"init") + TRAILER


def read(raw: bytes, **options: Any) -> tuple[list[Member], cpio.Reading]:
    """Read ``raw`` from the middle of a file."""
    reading = cpio.read(io.BytesIO(b"before" + raw + b"070701 after"), 6, len(raw), **options)
    return list(reading), reading


def names(raw: bytes, **options: Any) -> list[bytes]:
    return [member.name for member in read(raw, **options)[0]]


def stopped(raw: bytes, **options: Any) -> str:
    """Return the final fault of what cannot be read to its end."""
    _, reading = read(raw, **options)
    assert not reading.complete
    assert reading.faults[-1].final
    return reading.faults[-1].text


def test_every_field_of_an_entry_is_read() -> None:
    raw = entry(
        b"dev/console",
        stat.S_IFCHR | 0o600,
        ino=7,
        uid=1000,
        gid=100,
        nlink=3,
        mtime=1492533000,
        device=(8, 2),
        rdev=(5, 1),
    )
    (found,), reading = read(raw + TRAILER)
    assert found == Member(
        name=b"dev/console",
        mode=0o020600,
        uid=1000,
        gid=100,
        mtime=1492533000,
        ino=7,
        nlink=3,
        device=(8, 2),
        rdev=(5, 1),
        size=0,
        sha256=None,
        target=b"",
        archive=0,
        compression="none",
        offset=0,
    )
    assert (reading.faults, reading.archives, reading.compressions, reading.expanded) == ([], 1, ["none"], 0)


def test_contents_and_targets_are_read() -> None:
    (directory, init, shell), reading = read(ARCHIVE)
    assert (directory.size, directory.sha256, directory.target) == (0, None, b"")
    assert (init.size, init.sha256) == (10, hashlib.sha256(b"#!/bin/sh\n").digest())
    assert (shell.size, shell.sha256, shell.target) == (0, None, b"init")
    assert reading.complete


def test_without_digests_contents_are_passed_over() -> None:
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    big = entry(b"big", data=bytes(8 << 20)) + entry(b"small", data=b"x") + TRAILER
    stream = Counting(big)
    members = list(cpio.read(stream, 0, len(big), digests=False))
    assert [(member.name, member.size, member.sha256) for member in members] == [
        (b"big", 8 << 20, None),
        (b"small", 1, None),
    ]
    assert stream.taken <= 2 * 256 * 1024 + 1024


def test_a_file_of_many_chunks_has_its_digest() -> None:
    data = bytes(range(256)) * 5000
    (found,), _ = read(entry(b"big", data=data) + TRAILER)
    assert found.sha256 == hashlib.sha256(data).digest()


def test_archives_follow_each_other_with_zeros_between() -> None:
    members, reading = read(ARCHIVE + bytes(512) + ARCHIVE + bytes(20))
    assert [member.archive for member in members] == [0, 0, 0, 1, 1, 1]
    assert (reading.archives, reading.faults) == (2, [])


def test_entries_after_a_trailer_are_unpacked_too() -> None:
    """A trailer ends nothing: an archiver that stops there does not see what Linux unpacks."""
    assert names(TRAILER + entry(b"hidden", data=b"x") + TRAILER) == [b"hidden"]


def test_zeros_between_entries_are_passed_over() -> None:
    assert names(entry(b"a") + bytes(8) + entry(b"b") + TRAILER) == [b"a", b"b"]


def test_zeros_that_fill_megabytes_cost_no_time() -> None:
    many = b"".join(entry(b"a") + bytes(4) for _ in range(3000))
    assert len(names(many + bytes(4 << 20) + TRAILER)) == 3000


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}


@pytest.mark.parametrize("name", PACKERS)
def test_a_compressed_archive_is_read(name: str) -> None:
    members, reading = read(PACKERS[name](ARCHIVE))
    assert [(member.name, member.compression, member.offset) for member in members] == [
        (b"dev", name, 0),
        (b"init", name, len(entry(b"dev"))),
        (b"sh", name, len(entry(b"dev") + entry(b"init", data=b"#!/bin/sh\n"))),
    ]
    assert (reading.faults, reading.compressions, reading.expanded) == ([], [name], len(ARCHIVE))


def test_plain_and_compressed_archives_follow_each_other() -> None:
    """As for microcode: a plain archive first, then a compressed one."""
    raw = ARCHIVE + gzip.compress(ARCHIVE) + gzip.compress(ARCHIVE) + bytes(3)
    raw += bytes(-len(raw) % 4) + ARCHIVE
    members, reading = read(raw)
    assert reading.compressions == ["none", "gzip", "gzip", "none"]
    assert (len(members), reading.archives, reading.faults) == (12, 4, [])


@pytest.mark.parametrize("name", PACKERS)
def test_a_compressed_archive_cut_short_is_told(name: str) -> None:
    packed = PACKERS[name](ARCHIVE)
    text = stopped(packed[: len(packed) // 2])
    assert text.startswith(f"in the {name} stream at byte 0: ")


@pytest.mark.parametrize("name", PACKERS)
def test_a_damaged_stream_is_told(name: str) -> None:
    packed = bytearray(PACKERS[name](ARCHIVE * 20))
    packed[len(packed) // 2] ^= 0xFF
    assert stopped(bytes(packed)).startswith(f"in the {name} stream at byte 0: ")


@pytest.mark.parametrize(("start", "name"), [(b"\x02\x21\x4c\x18", "lz4"), (b"\x89LZO", "lzo")])
def test_a_compression_that_is_not_read_is_named(start: bytes, name: str) -> None:
    members, reading = read(start + bytes(40))
    assert members == []
    assert reading.faults == [Fault(0, f"compressed with {name}, which nitroctl does not read", final=True)]
    assert reading.compressions == [name]


def test_a_compression_that_nothing_installed_reads_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert stopped(PACKERS["zstd"](ARCHIVE)) == (
        "compressed with zstd, and nothing that reads it is installed: pip install 'nitroctl[zstd]'"
    )


def test_a_bomb_is_stopped() -> None:
    packed = gzip.compress(entry(b"bomb", data=bytes(4 << 20)) + TRAILER)
    limits = Limits(expanded=1 << 20, ratio=4)
    assert stopped(packed, limits=limits) == (
        "in the gzip stream at byte 0: it expands to more than 1048576 bytes, the most that nitroctl reads of it"
    )
    assert names(packed, limits=Limits(expanded=8 << 20)) == [b"bomb"]


def test_the_bound_is_of_all_streams_together() -> None:
    packed = gzip.compress(entry(b"part", data=bytes(1 << 20)) + TRAILER)
    members, reading = read(packed * 8, limits=Limits(expanded=3 << 20, ratio=1))
    assert len(members) == 2
    assert not reading.complete


def test_streams_without_number_are_stopped() -> None:
    text = stopped(gzip.compress(b"") * 5, limits=Limits(streams=4))
    assert text == "more than 4 compressed streams; the others are not read"


def test_entries_without_number_are_stopped() -> None:
    members, reading = read(entry(b"a") * 10, limits=Limits(members=4))
    assert len(members) == 4
    assert reading.faults[-1].text == "more than 4 entries; the others are not read"


def test_a_small_compressed_ramdisk_cannot_have_a_million_entries() -> None:
    """A listing of them would be hundreds of times larger than the file."""
    text = stopped(gzip.compress(entry(b"a") * 100_001))
    assert text == "in the gzip stream at byte 0: more than 100000 entries; the others are not read"


def test_names_without_number_are_stopped() -> None:
    text = stopped(entry(b"a" * 1000) * 3, limits=Limits(text=2500))
    assert text == "names and links of more than 2500 bytes; the other entries are not read"


def test_a_stream_inside_a_stream_is_not_opened() -> None:
    inner = gzip.compress(ARCHIVE)
    assert stopped(gzip.compress(inner)) == (
        f"in the gzip stream at byte 0: something that is no entry follows inside it: {inner[:6].hex(' ')}"
    )


def test_an_empty_ramdisk_is_empty() -> None:
    """Some builders write one, because readers ask for a ramdisk."""
    assert read(b"")[1].faults == []
    assert names(b"") == []
    assert read(bytes(512))[1].complete


def test_what_is_no_archive_is_told() -> None:
    assert stopped(b"hsqs" + bytes(100)) == (
        "neither an archive in the newc form nor a compression that Linux knows: it begins 68 73 71 73 00 00"
    )


def test_an_old_archive_is_told() -> None:
    assert stopped(b"070707" + bytes(200)) == (
        "an archive in the old portable form (070707), which Linux does not read"
    )


def test_another_magic_is_told() -> None:
    assert stopped(ARCHIVE + b"070703" + bytes(200)) == "no entry in the newc form: it begins 30 37 30 37 30 33"


def test_an_entry_off_the_grid_is_told() -> None:
    """Linux asks for multiples of four: entries after three zeros are not unpacked."""
    assert stopped(ARCHIVE + bytes(3) + ARCHIVE) == (
        f"an entry begins at byte {len(ARCHIVE) + 3}, no multiple of four: Linux does not take it"
    )


@pytest.mark.parametrize("before", [1, 2, 3])
def test_a_ramdisk_off_the_grid_is_told_once_and_read(before: int) -> None:
    """Linux gets all ramdisks as one: a compressed one of odd length before this one, and nothing of this is taken."""
    members, reading = read(ARCHIVE + ARCHIVE, before=512 + before)
    said = f"with the ramdisks before, it begins at byte {512 + before}, no multiple of four: Linux does not take it"
    assert len(members) == 6
    assert reading.faults == [Fault(0, said)]


def test_zeros_before_an_entry_can_bring_it_back_to_the_grid() -> None:
    assert read(bytes(3) + entry(b"a") + TRAILER, before=513)[1].faults == []
    assert read(gzip.compress(ARCHIVE), before=513)[1].faults == []


@pytest.mark.parametrize("digit", [b"g", b" ", b"+", b"_", b"\xb2"])
def test_a_number_that_is_not_hexadecimal_is_told(digit: bytes) -> None:
    raw = entry(b"a")
    assert stopped(raw[:13] + digit + raw[14:]) == "a number in the header of an entry is not hexadecimal"


@pytest.mark.parametrize("length", [1, 100, 109])
def test_a_header_cut_short_is_told(length: int) -> None:
    assert stopped(ARCHIVE + entry(b"a")[:length]) == "the ramdisk ends inside the header of an entry"


def test_a_name_cut_short_is_told() -> None:
    assert stopped(entry(b"a" * 40)[:130]) == "the ramdisk ends inside the name of an entry"


def test_a_file_larger_than_the_ramdisk_is_told() -> None:
    """A size is a claim: nothing is allocated for it."""
    raw = entry(b"big", data=b"abc", size=0xFFFFFFFF)
    text = "big claims 4294967295 bytes, the ramdisk ends before"
    assert stopped(raw) == text
    assert stopped(raw, digests=False) == text


def test_a_target_cut_short_is_told() -> None:
    assert stopped(entry(b"link", LINK, b"abc", size=4000)) == "the ramdisk ends inside the target of link"


def test_a_name_without_its_nul_is_told() -> None:
    assert stopped(entry(b"", stored=b"init")) == "a name does not end with NUL: Linux refuses the ramdisk"


@pytest.mark.parametrize("size", [0, 4097, 0xFFFF])
def test_a_name_of_impossible_length_is_passed_over(size: int) -> None:
    raw = entry(b"", stored=bytes(size), data=b"data") + entry(b"next") + TRAILER
    members, reading = read(raw)
    assert [member.name for member in members] == [b"next"]
    assert reading.faults == [Fault(0, f"an entry with a name of {size} bytes: Linux passes over it")]


def test_an_entry_passed_over_beyond_the_end_is_told() -> None:
    assert stopped(entry(b"", stored=b"", name_size=0xFFFFFFFF)) == "the ramdisk ends inside an entry"


def test_bytes_after_the_nul_of_a_name_are_told() -> None:
    """Linux sees ``init``; who prints the stored name sees another."""
    members, reading = read(entry(b"", stored=b"init\0evil\0", data=b"x") + TRAILER)
    assert [member.name for member in members] == [b"init"]
    assert reading.faults == [Fault(0, "init: bytes follow the NUL after its name, which Linux does not see")]


def test_bytes_after_the_nul_of_a_target_are_told() -> None:
    members, reading = read(entry(b"sh", LINK, b"init\0evil") + TRAILER)
    assert members[0].target == b"init"
    assert reading.faults == [Fault(0, "sh: bytes follow the NUL in its target, which Linux does not see")]


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (DIRECTORY, "4 bytes of data in what is no file"),
        (stat.S_IFCHR | 0o600, "4 bytes of data in what is no file"),
        (0o644, "its type 0 is none that there is"),
        (0o170644, "its type 170000 is none that there is"),
    ],
)
def test_an_entry_that_linux_passes_over_is_told(mode: int, said: str) -> None:
    members, reading = read(entry(b"odd", mode, b"data") + entry(b"next") + TRAILER)
    assert [member.name for member in members] == [b"next"]
    assert reading.faults == [Fault(0, f"odd: {said}: Linux passes over it")]


def test_a_link_with_a_target_too_long_is_passed_over() -> None:
    members, reading = read(entry(b"link", LINK, b"a" * 4097) + entry(b"next") + TRAILER)
    assert [member.name for member in members] == [b"next"]
    assert reading.faults[0].text == "link: a symbolic link whose target has 4097 bytes: Linux passes over it"
    assert read(entry(b"link", LINK, b"a" * 4096) + TRAILER)[1].faults == []


def test_a_mode_of_more_than_sixteen_bits_is_told() -> None:
    members, reading = read(entry(b"init", 0x10000 | FILE) + TRAILER)
    assert members[0].mode == FILE
    assert reading.faults == [Fault(0, "init: its mode 300644 has bits that Linux drops")]


def test_a_trailer_with_data_is_told() -> None:
    members, reading = read(entry(b"TRAILER!!!", FILE, b"data") + entry(b"next") + TRAILER)
    assert [member.name for member in members] == [b"next"]
    assert reading.faults == [Fault(0, "TRAILER!!!: the trailer has 4 bytes of data: Linux passes over it")]
    assert reading.archives == 2


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (LINK, []),
        (0, ["TRAILER!!!: its type 0 is none that there is: Linux passes over it"]),
        (DIRECTORY, ["TRAILER!!!: 4 bytes of data in what is no file: Linux passes over it"]),
    ],
)
def test_what_only_others_take_for_a_trailer_is_told(mode: int, said: list[str]) -> None:
    """Linux does not look at the names of some entries, and makes a link of any name."""
    members, reading = read(entry(b"TRAILER!!!", mode, b"data") + entry(b"next") + TRAILER)
    assert [member.name for member in members] == [*([b"TRAILER!!!"] if mode == LINK else []), b"next"]
    assert [fault.text for fault in reading.faults] == [*said, "TRAILER!!!: other archivers end here, Linux does not"]
    assert reading.archives == 1


def test_a_stream_that_ends_before_its_padding_is_told() -> None:
    raw = entry(b"a", data=b"abc")[:-1]
    members, reading = read(gzip.compress(raw))
    assert [member.name for member in members] == [b"a"]
    assert reading.faults[0] == Fault(0, "a: the gzip stream ends before its padding: Linux refuses that")
    assert [fault.text for fault in read(raw)[1].faults] == [
        "the last archive has no trailer: other programs than Linux may refuse it"
    ]


def test_a_missing_trailer_is_told() -> None:
    _, reading = read(entry(b"init", data=b"x"))
    assert reading.faults == [Fault(120, "the last archive has no trailer: other programs than Linux may refuse it")]
    assert reading.complete


def test_a_checksum_is_compared_where_there_is_one() -> None:
    good = entry(b"a", data=b"abc", magic=b"070702", check=sum(b"abc"))
    bad = entry(b"a", data=b"abc", magic=b"070702", check=1)
    assert read(good + TRAILER)[1].faults == []
    assert read(bad + TRAILER)[1].faults == [Fault(0, "a: its checksum is 00000001, its content's 00000126")]
    assert read(entry(b"a", data=b"abc", check=1) + TRAILER)[1].faults == []


def test_faults_without_number_are_counted() -> None:
    _, reading = read(entry(b"odd", 0o644) * 10 + b"junk", limits=Limits(faults=3))
    assert [fault.final for fault in reading.faults] == [False, False, False, True]
    assert reading.more_faults == 7


def test_hostile_names_are_shown_as_text() -> None:
    _, reading = read(entry(b"\xff\x1b[2J", 0o644) + TRAILER)
    assert reading.faults[0].text == "\\xff\x1b[2J: its type 0 is none that there is: Linux passes over it"


def test_who_takes_contents_gets_them_in_pieces() -> None:
    data = bytes(range(256)) * 4096
    got: list[bytes] = []
    raw = entry(b"other", data=b"no") + entry(b"wanted", data=data) + TRAILER
    read(raw, digests=False, take=lambda member: got.append if member.name == b"wanted" else None)
    assert b"".join(got) == data
    assert max(map(len, got)) <= 256 * 1024


def test_a_file_that_became_shorter_is_told() -> None:
    reading = cpio.read(io.BytesIO(ARCHIVE[:200]), 0, len(ARCHIVE))
    assert [member.name for member in reading] == [b"dev"]
    assert reading.faults[-1].final


def test_ramdisks_by_the_aws_builder() -> None:
    from nitroctl.eif.format import SectionType, read_layout

    path = vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif")
    with path.open("rb") as stream:
        layout = read_layout(stream, path.stat().st_size)
        boot, application = layout.of_type(SectionType.RAMDISK)
        first = cpio.read(stream, boot.data, boot.size)
        assert [(member.name, member.ino, member.nlink) for member in first] == [
            (b"dev", 721, 2),
            (b"init", 722, 1),
            (b"nsm.ko", 723, 1),
        ]
        second = cpio.read(stream, application.data, application.size)
        assert [member.name for member in second][:3] == [b"rootfs", b"rootfs/bin", b"rootfs/bin/hello.sh"]
        assert (first.faults, second.faults) == ([], [])
