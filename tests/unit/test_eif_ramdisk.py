"""The newc writer: the same bytes every time, and AWS's bytes for AWS's parts."""

import io
import itertools
import stat
import struct
from collections.abc import Iterator

import pytest

from nitroctl.eif import ramdisk
from nitroctl.eif.ramdisk import Bytes, Entry, directory, newc, regular, symlink, write_newc
from nitroctl.eif.tree import Node
from nitroctl.errors import CannotAnswer
from tests.conftest import vectors


def members(archive: bytes) -> list[tuple[str, list[int], bytes]]:
    """Read a newc archive back: name, the 13 numbers of the header, content."""
    found = []
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110 : at + 110 + numbers[11] - 1].decode()
        start = -(-(at + 110 + numbers[11]) // 4) * 4
        found.append((name, numbers, archive[start : start + numbers[6]]))
        at = -(-(start + numbers[6]) // 4) * 4
        if name == "TRAILER!!!":
            assert archive[at:].strip(b"\0") == b""
            return found


def test_entries_are_sorted_with_directories_before_what_is_in_them() -> None:
    archive = newc([regular("a-b", b""), regular("a/z", b"zz"), directory("a"), symlink("a/l", "../x")])
    assert [name for name, _, _ in members(archive)] == ["a", "a/l", "a/z", "a-b", "TRAILER!!!"]


def test_every_number_is_fixed_by_the_entries() -> None:
    found = members(newc([directory("d", permissions=0o700), regular("f", b"12345", mtime=7), symlink("l", "f")]))
    # ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
    assert [numbers for _, numbers, _ in found] == [
        [721, stat.S_IFDIR | 0o700, 0, 0, 2, 1492533000, 0, 3, 1, 0, 0, 2, 0],
        [722, stat.S_IFREG | 0o644, 0, 0, 1, 7, 5, 3, 1, 0, 0, 2, 0],
        [723, stat.S_IFLNK | 0o777, 0, 0, 1, 1492533000, 1, 3, 1, 0, 0, 2, 0],
        [724, 0, 0, 0, 1, 0, 0, 3, 1, 0, 0, 11, 0],
    ]
    assert [data for _, _, data in found] == [b"", b"12345", b"f", b""]


def test_the_order_in_which_entries_are_given_does_not_matter() -> None:
    entries = [regular(name, name.encode()) for name in ("b", "a", "c/d", "c")]
    assert newc(entries) == newc(reversed(entries))


def test_an_archive_is_a_multiple_of_512_bytes() -> None:
    assert [len(newc([regular("f", bytes(n))])) % 512 for n in range(600)] == [0] * 600
    assert len(newc([])) == 512


def test_names_that_are_not_utf8_survive() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert b"caf\xe9\0" in newc([regular(name, b"")])


@pytest.mark.parametrize("name", ["", "/etc", "a//b", "a/", "../a", "a/../b", ".", "a\0b", "TRAILER!!!"])
def test_a_name_that_an_unpacker_could_be_led_astray_by_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="it is not a name for a ramdisk entry"):
        newc([regular(name, b"")])


def test_one_name_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="the ramdisk cannot be written: a: two entries have this name"):
        newc([regular("a", b"1"), regular("a", b"2")])


@pytest.mark.parametrize("entry", [regular("a", b"", mtime=1 << 32), regular("a", b"", mtime=-1)])
def test_a_number_beyond_32_bits_is_refused(entry: Entry) -> None:
    with pytest.raises(ValueError, match=r"a: a number in it \(size, owner or time\) is beyond 32 bits"):
        newc([entry])


def test_the_boot_ramdisk_has_dev_init_and_the_driver() -> None:
    found = members(ramdisk.boot(init=b"i", nsm=b"n"))
    assert [(name, oct(numbers[1]), data) for name, numbers, data in found[:-1]] == [
        ("dev", "0o40755", b""),
        ("init", "0o100755", b"i"),
        ("nsm.ko", "0o100755", b"n"),
    ]
    assert [name for name, _, _ in members(ramdisk.boot(init=b"i"))] == ["dev", "init", "TRAILER!!!"]


def test_the_application_ramdisk_has_rootfs_and_beside_it_command_and_environment() -> None:
    files = [regular("app.py", b"print()"), directory("tmp", permissions=0o1777)]
    archive = ramdisk.application(files, command=["python3", "/app.py"], environment={"A": "1", "B": "x y"})
    found = {name: (oct(numbers[1]), data) for name, numbers, data in members(archive)}
    del found["TRAILER!!!"]
    assert found == {
        "cmd": ("0o100644", b"python3\n/app.py\n"),
        "env": ("0o100644", b"A=1\nB=x y\n"),
        "rootfs": ("0o40755", b""),
        "rootfs/app.py": ("0o100644", b"print()"),
        "rootfs/dev": ("0o40755", b""),
        "rootfs/proc": ("0o40755", b""),
        "rootfs/run": ("0o40755", b""),
        "rootfs/sys": ("0o40755", b""),
        "rootfs/tmp": ("0o41777", b""),
        "rootfs/var": ("0o40755", b""),
    }


@pytest.mark.parametrize("item", ["a\nb", "a\0b"])
def test_an_item_that_init_would_read_as_two_is_refused(item: str) -> None:
    with pytest.raises(ValueError, match="a line feed or NUL in a command or variable"):
        ramdisk.application([], command=[item], environment={})
    with pytest.raises(ValueError, match="a line feed or NUL in a command or variable"):
        ramdisk.application([], command=["true"], environment={"A": item})


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two ramdisk entries of one name: 'rootfs/a'"):
        ramdisk.application([regular("a", b""), regular("a", b"")], command=["true"], environment={})


def test_a_boot_ramdisk_shaped_by_linuxkit_is_reproduced_byte_for_byte() -> None:
    image = vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif").read_bytes()
    at = struct.unpack_from(">Q", image, 28 + 3 * 8)[0]
    size = struct.unpack_from(">Q", image, at + 4)[0]
    reference = image[at + 12 : at + 12 + size]
    contents = {name: data for name, _, data in members(reference)}
    assert ramdisk.boot(init=contents["init"], nsm=contents["nsm.ko"]) == reference


# -- the stream


def file(name: bytes, data: bytes = b"", *, permissions: int = 0o644, hard_link: bytes = b"") -> Node:
    content = None if hard_link else Bytes(data)
    return Node(name=name, mode=stat.S_IFREG | permissions, content=content, hard_link=hard_link)


def archived(*nodes: Node) -> list[tuple[str, list[int], bytes]]:
    stream = io.BytesIO()
    size = write_newc(stream, nodes)
    assert size == len(stream.getvalue())
    assert size % 512 == 0
    return members(stream.getvalue())


def refusal(*nodes: Node) -> str:
    with pytest.raises(CannotAnswer) as caught:
        archived(*nodes)
    assert caught.value.code == "eif.not-buildable"
    return caught.value.message.removeprefix("the ramdisk cannot be written: ")


def test_names_of_one_file_share_its_number_and_the_last_brings_the_content() -> None:
    holder = file(b"b", b"content", permissions=0o755)
    found = archived(holder, file(b"c", hard_link=b"b"), file(b"d"), file(b"e", hard_link=b"b"))
    assert [(name, numbers[0], oct(numbers[1]), numbers[4], data) for name, numbers, data in found] == [
        ("b", 721, "0o100755", 3, b""),
        ("c", 721, "0o100755", 3, b""),
        ("d", 722, "0o100644", 1, b""),
        ("e", 721, "0o100755", 3, b"content"),
        ("TRAILER!!!", 723, "0o0", 1, b""),
    ]


def test_an_empty_file_may_have_two_names() -> None:
    found = archived(file(b"a"), file(b"b", hard_link=b"a"))
    assert [(name, numbers[4], data) for name, numbers, data in found[:-1]] == [("a", 2, b""), ("b", 2, b"")]


def test_devices_and_owners_are_carried() -> None:
    node = Node(name=b"null", mode=stat.S_IFCHR | 0o666, uid=7, gid=8, mtime=9, rdev=(1, 3))
    ((_, numbers, _), _) = archived(node)
    assert numbers == [721, stat.S_IFCHR | 0o666, 7, 8, 1, 9, 0, 3, 1, 1, 3, 5, 0]


def test_what_linux_would_skip_is_refused() -> None:
    assert refusal(file(b"a" * 256)) == f"{'a' * 256}: its name or target is longer than Linux takes"
    long = b"/".join([b"a" * 255] * 16)
    assert archived(file(long[:4095]))
    assert refusal(file(long + b"a")).endswith("a: its name or target is longer than Linux takes")
    link = Node(name=b"l", mode=stat.S_IFLNK | 0o777, target=b"a" * 4096)
    assert refusal(link) == "l: its name or target is longer than Linux takes"
    assert refusal(Node(name=b"l", mode=stat.S_IFLNK | 0o777)) == "l: it is a symbolic link to nothing"


def test_a_name_that_ends_the_archive_is_refused_only_where_it_would() -> None:
    assert refusal(file(b"TRAILER!!!")) == "TRAILER!!!: it is not a name for a ramdisk entry"
    assert [name for name, _, _ in archived(file(b"d/TRAILER!!!"))] == ["d/TRAILER!!!", "TRAILER!!!"]


def test_a_file_larger_than_the_form_holds_is_refused_before_it_is_read() -> None:
    class Endless:
        size = 1 << 32

        def chunks(self) -> Iterator[bytes]:
            raise AssertionError

    node = Node(name=b"a", mode=stat.S_IFREG | 0o644, content=Endless())
    assert refusal(node) == "a: a number in it (size, owner or time) is beyond 32 bits"


@pytest.mark.parametrize("there", [b"", b"1234", b"123456"])
def test_a_content_that_is_not_as_long_as_it_was_is_refused(there: bytes) -> None:
    class Moving:
        size = 5

        def chunks(self) -> Iterator[bytes]:
            yield from (there[:3], there[3:])

    with pytest.raises(CannotAnswer) as caught:
        archived(Node(name=b"a", mode=stat.S_IFREG | 0o644, content=Moving()))
    assert (caught.value.code, caught.value.message) == (
        "eif.source-changed",
        "a: its content changed while it was read",
    )


def test_a_link_to_what_is_no_file_is_refused() -> None:
    assert refusal(file(b"b", hard_link=b"a")) == "b: it is a hard link to a, and there is no such file"
    directory_ = Node(name=b"a", mode=stat.S_IFDIR | 0o755)
    assert refusal(directory_, file(b"b", hard_link=b"a")) == "b: it is a hard link to a, and there is no such file"


def test_nothing_is_held_in_memory() -> None:
    """A file of 64 MiB passes in the pieces it comes in."""
    largest = 0

    class Large:
        size = 64 << 20

        def chunks(self) -> Iterator[bytes]:
            return itertools.repeat(bytes(1 << 20), 64)

    class Drain:
        def write(self, data: bytes) -> None:
            nonlocal largest
            largest = max(largest, len(data))

    assert write_newc(Drain(), [Node(name=b"a", mode=stat.S_IFREG | 0o644, content=Large())]) == (64 << 20) + 512
    assert largest == 1 << 20
