"""Listings of ramdisks: hard links, paths that come twice, counts, and files that change while they are read."""

import io
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from nitroctl.eif import contents
from nitroctl.eif.contents import Listing, listing, listing_of, path, summary_of
from nitroctl.eif.format import SectionType, read_layout
from nitroctl.errors import CannotAnswer
from tests import archives, images


def linked(name: str, data: bytes = b"") -> archives.Entry:
    """Return one of three hard links of a file."""
    return archives.Entry(name=name, data=data, ino=9, nlink=3)


def listed(*entries: archives.Entry, raw: bytes = b"") -> Listing:
    archive = archives.newc(entries) + raw
    return listing_of(io.BytesIO(archive), 0, len(archive))


def test_the_content_of_hard_links_is_where_it_is_stored() -> None:
    """Archivers store it once, with the last of the links."""
    found = listed(linked("a"), linked("b"), linked("c", b"content"))
    assert [found.holder(index).name for index in range(3)] == [b"c", b"c", b"c"]
    assert [found.hard_link(index) for index in range(3)] == [b"", b"a", b"a"]
    assert found.content_bytes == len(b"content")


def test_hard_links_of_an_empty_file() -> None:
    found = listed(linked("a"), linked("b"))
    assert (found.holder(1).name, found.holder(1).size, found.hard_link(1)) == (b"a", 0, b"a")


def test_the_last_content_is_the_one_that_stays() -> None:
    found = listed(linked("a", b"first"), linked("b", b"second"))
    assert found.holder(0).name == b"b"


@pytest.mark.parametrize(
    "other", [{"ino": 10, "nlink": 3}, {"ino": 9, "nlink": 1}, {"ino": 9, "nlink": 2, "mode": stat.S_IFIFO | 0o600}]
)
def test_what_is_no_hard_link_stands_alone(other: dict[str, int]) -> None:
    found = listed(linked("a"), replace(archives.file("b"), **other))  # type: ignore[arg-type]
    assert (found.holder(0).name, found.holder(1).name, found.hard_link(1)) == (b"a", b"b", b"")


def test_hard_links_end_at_a_trailer() -> None:
    second = archives.newc([linked("b", b"x")])
    found = listed(linked("a"), raw=second)
    assert (found.archives, found.holder(0).name, found.hard_link(1)) == (2, b"a", b"")


def test_of_two_entries_of_one_path_the_later_one_stays() -> None:
    found = listed(archives.file("etc/motd", b"1"), archives.file("other"), archives.file("./etc//motd", b"22"))
    assert found.final == {b"etc/motd": 2, b"other": 1}


@pytest.mark.parametrize(
    ("name", "there"),
    [
        (b"/init", b"init"),
        (b"./bin/./sh", b"bin/sh"),
        (b"a//b/", b"a/b"),
        (b".", b"."),
        (b"/", b"."),
        (b"../etc", b"../etc"),
        (b"a/../b", b"a/../b"),
        (b"...", b"..."),
    ],
)
def test_the_path_of_a_name(name: bytes, there: bytes) -> None:
    assert path(name) == there


def test_entries_are_counted_by_kind() -> None:
    found = listed(
        archives.directory("dev"),
        archives.file("a", b"12"),
        archives.file("b", b"345"),
        archives.symlink("c", "a"),
        archives.Entry(name="d", mode=stat.S_IFBLK | 0o600, rdev=(8, 1)),
    )
    assert found.counts == {"file": 2, "directory": 1, "symlink": 1, "block-device": 1}
    assert found.content_bytes == 5


def test_a_summary_is_that_of_the_listing() -> None:
    raw = archives.newc([archives.directory("dev"), archives.file("a", b"12")]) + b"junk"
    whole = listing_of(io.BytesIO(raw), 0, len(raw))
    summed = summary_of(io.BytesIO(raw), 0, len(raw))
    assert summed.counts == {"file": 1, "directory": 1}
    assert not summed.complete
    for name in ("counts", "content_bytes", "faults", "archives", "compressions", "size_bytes", "expanded_bytes"):
        assert getattr(summed, name) == getattr(whole, name)


def test_a_ramdisk_in_an_image(tmp_path: Path) -> None:
    boot, application = archives.newc([archives.file("init", b"x")]), archives.newc([archives.directory("rootfs")])
    image = tmp_path / "image.eif"
    image.write_bytes(images.forge([*images.GOOD[:3], (images.RAMDISK, boot), (images.RAMDISK, application)]))
    with image.open("rb") as stream:
        sections = read_layout(stream, image.stat().st_size).of_type(SectionType.RAMDISK)
    first, second = (listing(str(image), section) for section in sections)
    assert [member.name for member in first.members] == [b"init"]
    assert [member.name for member in second.members] == [b"rootfs"]
    assert (first.size_bytes, first.expanded_bytes, first.complete) == (len(boot), 0, True)
    assert listing(str(image), sections[0], digests=False).members[0].sha256 is None


def test_an_image_that_grows_while_it_is_read_is_no_answer(tmp_path: Path) -> None:
    image = tmp_path / "image.eif"
    image.write_bytes(images.forge())
    with pytest.raises(CannotAnswer) as caught, contents.opened(str(image)), image.open("ab") as stream:
        stream.write(b"more")
    assert caught.value.code == "eif.changed"
    assert caught.value.message == f"{image}: changed while it was read"


def test_an_image_that_is_replaced_while_it_is_read_is_no_answer(tmp_path: Path) -> None:
    image, other = tmp_path / "image.eif", tmp_path / "other.eif"
    image.write_bytes(images.forge())
    other.write_bytes(images.forge())
    with pytest.raises(CannotAnswer) as caught, contents.opened(str(image)):
        other.rename(image)
    assert caught.value.code == "eif.changed"


def test_an_image_that_is_removed_while_it_is_read_is_no_answer(tmp_path: Path) -> None:
    image = tmp_path / "image.eif"
    image.write_bytes(images.forge())
    with pytest.raises(CannotAnswer) as caught, contents.unchanged(str(image)):
        image.unlink()
    assert caught.value.code == "file.unreadable"
