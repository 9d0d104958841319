"""Files out of ramdisks: what is made is what was asked for, below the directory named, or nothing at all."""

import errno
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from nitroctl.eif import extract
from nitroctl.eif.contents import Listing, listing_of
from nitroctl.eif.extract import Extracted, Located, Skipped, copy, extracting, locate
from nitroctl.eif.format import Section
from nitroctl.errors import CannotAnswer
from tests import archives


class Ramdisk:
    """A ramdisk as it stands in a file, with its listing."""

    def __init__(self, *entries: archives.Entry) -> None:
        raw = archives.newc(entries)
        self.stream = io.BytesIO(b"before" + raw)
        self.section = Section(6 - 12, 3, 0, len(raw))

    @property
    def listing(self) -> Listing:
        return listing_of(self.stream, self.section.data, self.section.size, digests=False)

    def unpack(self, directory: Path) -> Extracted:
        with extracting(self.stream, self.section, self.listing, str(directory)) as made:
            return made


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


TREE = (
    archives.directory("dev"),
    archives.directory("usr"),
    archives.directory("usr/bin"),
    archives.file("usr/bin/tool", b"#!/bin/sh\n", mode=stat.S_IFREG | 0o755),
    archives.file("empty"),
    archives.symlink("bin", "usr/bin"),
    archives.Entry(name="dev/console", mode=stat.S_IFCHR | 0o600, rdev=(5, 1)),
)


def test_a_file_is_found_by_its_path() -> None:
    assert locate(Ramdisk(*TREE).listing, b"/usr/./bin//tool") == Located(3, 3)


@pytest.mark.parametrize(
    ("wanted", "entry", "reason"),
    [
        (b"nothing", None, "there is no such entry"),
        (b"bin/tool", None, "there is no such entry"),
        (b"bin", 5, "it is a symbolic link, to usr/bin; name the file it leads to"),
        (b"usr", 1, "it is no file but a directory"),
        (b"dev/console", 6, "it is no file but a character device"),
    ],
)
def test_what_is_no_file_is_told(wanted: bytes, entry: int | None, reason: str) -> None:
    assert locate(Ramdisk(*TREE).listing, wanted) == Located(entry, None, reason)


def test_the_later_of_two_entries_and_the_link_with_the_content_are_taken() -> None:
    listing = Ramdisk(
        archives.file("a", b"old"),
        archives.file("a", ino=5, nlink=2),
        archives.file("b", b"new", ino=5, nlink=2),
    ).listing
    assert locate(listing, b"a") == Located(1, 2)


def test_one_content_is_copied() -> None:
    ramdisk = Ramdisk(archives.file("a", b"first"), archives.file("b", b"second" * 100_000), archives.file("c", b"x"))
    taken = io.BytesIO()
    member = copy(ramdisk.stream, ramdisk.section, 1, taken.write)
    assert (member.name, taken.getvalue()) == (b"b", b"second" * 100_000)
    assert member.sha256 is not None


def test_a_ramdisk_that_lost_the_entry_is_no_answer() -> None:
    ramdisk = Ramdisk(archives.file("a", b"first"))
    with pytest.raises(CannotAnswer) as caught:
        copy(ramdisk.stream, ramdisk.section, 7, io.BytesIO().write)
    assert caught.value.code == "eif.changed"


def test_files_and_directories_are_made_and_nothing_else(out: Path) -> None:
    assert Ramdisk(*TREE).unpack(out) == Extracted(
        files=2,
        directories=3,
        hard_links=0,
        size_bytes=10,
        skipped=(
            Skipped(b"bin", "symlink", "symbolic links are not made"),
            Skipped(b"dev/console", "character-device", "devices, pipes and sockets are not made"),
        ),
    )
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == [
        "dev",
        "empty",
        "usr",
        "usr/bin",
        "usr/bin/tool",
    ]
    tool = out / "usr/bin/tool"
    assert tool.read_bytes() == b"#!/bin/sh\n"
    assert (stat.S_IMODE(tool.stat().st_mode), tool.stat().st_mtime) == (0o755, archives.MTIME)


def test_only_the_owner_may_enter(out: Path) -> None:
    Ramdisk(*TREE).unpack(out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


def test_no_bit_beyond_reading_writing_and_running_is_given(out: Path) -> None:
    Ramdisk(
        archives.file("su", b"x", mode=stat.S_IFREG | 0o6777),
        archives.file("none", b"x", mode=stat.S_IFREG),
    ).unpack(out)
    assert stat.S_IMODE((out / "su").stat().st_mode) == 0o755
    assert stat.S_IMODE((out / "none").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/../evil", "..", "a/.."])
def test_a_name_that_leads_outside_is_not_made(out: Path, name: str) -> None:
    made = Ramdisk(archives.file(name, b"evil"), archives.file("good", b"x")).unpack(out)
    assert made.skipped == (Skipped(name.encode(), "file", "its name leads outside"),)
    assert sorted(path.name for path in out.parent.iterdir()) == ["out"]
    assert [path.name for path in out.iterdir()] == ["good"]


def test_an_absolute_name_is_below_the_directory(out: Path) -> None:
    Ramdisk(archives.file("/etc/motd", b"x")).unpack(out)
    assert (out / "etc/motd").read_bytes() == b"x"


def test_nothing_is_written_through_a_link_of_the_ramdisk(out: Path) -> None:
    witness = out.parent / "witness"
    witness.mkdir()
    made = Ramdisk(archives.symlink("lib", str(witness)), archives.file("lib/evil", b"evil")).unpack(out)
    assert [skipped.name for skipped in made.skipped] == [b"lib"]
    assert (out / "lib/evil").read_bytes() == b"evil"
    assert list(witness.iterdir()) == []


def test_a_file_in_what_is_a_file_is_not_made(out: Path) -> None:
    made = Ramdisk(archives.file("a", b"file"), archives.file("a/b", b"in it")).unpack(out)
    assert made.skipped == (Skipped(b"a/b", "file", "not a directory"),)
    assert (out / "a").read_bytes() == b"file"


def test_a_file_where_a_directory_is_is_not_made(out: Path) -> None:
    made = Ramdisk(archives.file("a/b", b"in it"), archives.file("a", b"file")).unpack(out)
    assert made.skipped == (Skipped(b"a", "file", "file exists"),)


def test_a_name_that_no_file_system_takes_is_not_made(out: Path) -> None:
    long = "n" * 300
    made = Ramdisk(archives.file(long, b"x"), archives.directory(f"d{long}"), archives.file("good", b"x")).unpack(out)
    assert [skipped.reason for skipped in made.skipped] == ["file name too long", "file name too long"]
    assert made.files == 1


def test_a_file_for_the_root_is_not_made(out: Path) -> None:
    made = Ramdisk(archives.directory("."), archives.file("./.", b"x")).unpack(out)
    assert made.skipped == (Skipped(b"./.", "file", "it stands for the directory itself"),)


def test_what_is_too_deep_is_not_made(out: Path) -> None:
    made = Ramdisk(archives.file("d/" * 99 + "f", b"x"), archives.file("e/" * 100 + "f", b"x")).unpack(out)
    assert made.files == 1
    assert [skipped.reason for skipped in made.skipped] == ["it is more than 100 directories deep"]


def test_hard_links_are_made_as_such(out: Path) -> None:
    made = Ramdisk(
        archives.file("a", ino=5, nlink=3),
        archives.file("d/b", b"content", ino=5, nlink=3),
        archives.file("c" * 300, ino=5, nlink=3),
    ).unpack(out)
    assert (made.files, made.hard_links, made.size_bytes) == (1, 1, 7)
    assert (out / "a").read_bytes() == b"content"
    assert (out / "a").stat().st_ino == (out / "d/b").stat().st_ino
    assert [skipped.name for skipped in made.skipped] == [b"c" * 300]


def test_a_hard_link_whose_first_name_cannot_be_made_is_made_under_another(out: Path) -> None:
    made = Ramdisk(archives.file("c" * 300, b"content", ino=5, nlink=2), archives.file("d", ino=5, nlink=2)).unpack(out)
    assert (made.files, made.hard_links) == (1, 0)
    assert (out / "d").read_bytes() == b"content"


def test_of_two_entries_of_one_path_the_later_is_made(out: Path) -> None:
    made = Ramdisk(archives.file("a", b"old"), archives.file("./a", b"new")).unpack(out)
    assert (made.files, (out / "a").read_bytes()) == (1, b"new")


@pytest.mark.parametrize(
    "occupy",
    [
        lambda path: path.write_bytes(b"here"),
        lambda path: path.symlink_to("elsewhere"),
        lambda path: (path.mkdir(), (path / "here").touch()),
        os.mkfifo,
    ],
    ids=["file", "link", "directory", "fifo"],
)
def test_what_is_there_is_left_alone(out: Path, occupy: Callable[[Path], object]) -> None:
    occupy(out)
    before = out.lstat()
    with pytest.raises(CannotAnswer) as caught:
        Ramdisk(*TREE).unpack(out)
    assert caught.value.code == "file.exists"
    assert (out.lstat().st_ino, out.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_empty_directory_is_filled(out: Path) -> None:
    out.mkdir()
    assert Ramdisk(*TREE).unpack(out).files == 2


def test_a_place_that_is_not_there_is_no_answer(out: Path) -> None:
    with pytest.raises(CannotAnswer) as caught:
        Ramdisk(*TREE).unpack(out / "below")
    assert caught.value.code == "file.unwritable"


def test_a_name_with_a_nul_is_no_answer() -> None:
    with pytest.raises(CannotAnswer) as caught:
        extract.require_new("a\0b")
    assert caught.value.code == "file.unwritable"


def test_a_full_disk_leaves_nothing(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "utime", full)
    with pytest.raises(CannotAnswer) as caught:
        Ramdisk(*TREE).unpack(out)
    assert caught.value.message == f"{out}: cannot write: no space left on device"
    assert list(out.parent.iterdir()) == []


def test_too_many_files_leave_nothing(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "MAX_NODES", 4)
    with pytest.raises(CannotAnswer) as caught:
        Ramdisk(*TREE).unpack(out)
    assert caught.value.code == "eif.too-many-files"
    assert list(out.parent.iterdir()) == []


def test_nothing_appears_when_the_block_ends_badly(out: Path) -> None:
    ramdisk = Ramdisk(*TREE)
    with (
        pytest.raises(KeyboardInterrupt),
        extracting(ramdisk.stream, ramdisk.section, ramdisk.listing, str(out)),
    ):
        raise KeyboardInterrupt
    assert list(out.parent.iterdir()) == []
