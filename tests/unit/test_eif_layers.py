"""Layers over layers: whiteouts, links and parents as a container engine has them, in memory."""

import io
import stat
from collections.abc import Mapping
from contextlib import ExitStack

import pytest

from nitroctl.eif.layers import MAX_NAME, Budget, FileSystem
from nitroctl.eif.remarks import Remarks
from nitroctl.eif.spool import Spool
from nitroctl.eif.tree import Limits, Node, Remark
from nitroctl.errors import CannotAnswer
from tests.oci_images import (
    archive,
    directory,
    file,
    hard_link,
    header,
    opaque,
    pax,
    pax_records,
    symlink,
    whiteout,
)

EPOCH = 2000


class Applied:
    """The result of putting layers over each other."""

    nodes: Mapping[bytes, Node]
    remarks: Mapping[str, Remark]

    def __init__(self, *layers: bytes, limits: Limits | None = None) -> None:
        with ExitStack() as owned:
            remarks = Remarks()
            files = FileSystem(Spool(owned, None), Budget(limits or Limits(), "image"), remarks, epoch=EPOCH)
            for number, layer in enumerate(layers):
                files.apply(io.BytesIO(layer), where=f"layer {number}")
            self.nodes = files.nodes()
            self.root = files.root()
            self.contents = {
                name: b"".join(node.content.chunks()) for name, node in self.nodes.items() if node.content is not None
            }
            self.remarks = {remark.id: remark for remark in remarks.all()}

    @property
    def names(self) -> list[bytes]:
        return list(self.nodes)


def refusal(*layers: bytes, limits: Limits | None = None) -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as raised:
        Applied(*layers, limits=limits)
    return raised.value.code, raised.value.message


BASE = archive(
    directory(b"d"), file(b"d/a", b"1"), file(b"d/b", b"2"), directory(b"d/e"), file(b"d/e/f", b"3"), file(b"top", b"4")
)


def test_names_are_in_canonical_order_whatever_order_they_came_in() -> None:
    one = Applied(archive(file(b"a.b"), file(b"a/z"), file(b"a-"), file(b"\xff"), file(b"Z"), file(b"a/b/c")))
    assert one.names == [b"Z", b"a", b"a/b", b"a/b/c", b"a/z", b"a-", b"a.b", b"\xff"]


def test_an_upper_layer_replaces_files_and_merges_directories() -> None:
    found = Applied(BASE, archive(directory(b"d", mode=0o700, uid=3), file(b"d/a", b"new", mode=0o600)))
    assert found.names == [b"d", b"d/a", b"d/b", b"d/e", b"d/e/f", b"top"]
    assert (found.nodes[b"d"].mode, found.nodes[b"d"].uid) == (stat.S_IFDIR | 0o700, 3)
    assert found.contents[b"d/a"] == b"new"
    assert found.nodes[b"d/a"].mode == stat.S_IFREG | 0o600


def test_a_directory_that_becomes_a_file_loses_what_was_in_it() -> None:
    assert Applied(BASE, archive(file(b"d", b"f"))).names == [b"d", b"top"]


def test_a_file_that_becomes_a_directory_is_one() -> None:
    assert Applied(BASE, archive(directory(b"top"), file(b"top/x"))).names[-2:] == [b"top", b"top/x"]


def test_a_whiteout_hides_what_is_below() -> None:
    assert Applied(BASE, archive(whiteout(b"d/a"), whiteout(b"d/e"), whiteout(b"nothing"))).names == [
        b"d",
        b"d/b",
        b"top",
    ]


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_whiteout_never_hides_its_own_layer(*, first: bool) -> None:
    own = [directory(b"d/e"), file(b"d/e/new", b"n")]
    layer = archive(whiteout(b"d/e"), *own) if first else archive(*own, whiteout(b"d/e"))
    assert Applied(BASE, layer).names == [b"d", b"d/a", b"d/b", b"d/e", b"d/e/new", b"top"]


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_an_opaque_directory_keeps_only_its_own_layer(*, first: bool) -> None:
    own = [directory(b"d"), file(b"d/new")]
    layer = archive(opaque(b"d"), *own) if first else archive(*own, opaque(b"d"))
    assert Applied(BASE, layer).names == [b"d", b"d/new", b"top"]


def test_an_opaque_top_hides_everything_below() -> None:
    assert Applied(BASE, archive(file(b".wh..wh..opq"), file(b"only"))).names == [b"only"]


def test_what_was_hidden_can_come_back_in_a_later_layer() -> None:
    found = Applied(BASE, archive(whiteout(b"d")), archive(file(b"d/a", b"again")))
    assert (found.names, found.contents[b"d/a"]) == ([b"d", b"d/a", b"top"], b"again")
    assert found.nodes[b"d"].mode == stat.S_IFDIR | 0o755


@pytest.mark.parametrize("name", [b".wh.", b"d/.wh..", b"d/.wh..."])
def test_a_whiteout_of_its_own_directory_or_of_the_one_above_is_refused(name: bytes) -> None:
    assert refusal(BASE, archive(file(name))) == (
        "eif.source-layer",
        f"layer 1: {name.decode()}: hides its own directory or the one above it",
    )


def test_a_name_below_a_whiteout_is_refused() -> None:
    assert refusal(archive(file(b".wh.d/x")))[1] == "layer 0: .wh.d/x: a name below one that hides another"


def test_the_books_of_a_storage_driver_are_left_out() -> None:
    found = Applied(archive(directory(b".wh..wh.plnk"), file(b".wh..wh.plnk/1.2"), file(b".wh..wh.aufs"), file(b"f")))
    assert found.names == [b"f"]
    assert found.remarks["source.housekeeping"].examples == (b".wh..wh.plnk", b".wh..wh.plnk/1.2", b".wh..wh.aufs")


def test_a_hard_link_is_another_name_of_the_first_in_canonical_order() -> None:
    found = Applied(archive(file(b"z", b"content", mode=0o755), hard_link(b"a", b"./z", mode=0o755)))
    assert found.contents == {b"a": b"content"}
    assert (found.nodes[b"z"].hard_link, found.nodes[b"z"].mode) == (b"a", found.nodes[b"a"].mode)


def test_a_hard_link_has_the_attributes_that_came_last_under_both_names() -> None:
    found = Applied(archive(file(b"a", mode=0o755, uid=1), hard_link(b"b", b"a", mode=0o600, uid=2, mtime=5)))
    assert {(node.mode, node.uid, node.mtime) for node in found.nodes.values()} == {(stat.S_IFREG | 0o600, 2, 5)}
    assert found.remarks["source.link-attributes"].examples == (b"b",)


def test_a_hard_link_across_layers_outlives_its_target() -> None:
    found = Applied(archive(file(b"a", b"content")), archive(hard_link(b"b", b"a")), archive(whiteout(b"a")))
    assert (found.names, found.contents, found.nodes[b"b"].hard_link) == ([b"b"], {b"b": b"content"}, b"")


def test_a_file_that_replaces_one_name_leaves_the_other_as_it_was() -> None:
    found = Applied(archive(file(b"a", b"old"), hard_link(b"b", b"a")), archive(file(b"a", b"new")))
    assert found.contents == {b"a": b"new", b"b": b"old"}


def test_a_hard_link_to_a_symbolic_link_is_a_symbolic_link() -> None:
    found = Applied(archive(symlink(b"s", b"nowhere"), hard_link(b"h", b"s")))
    assert (found.nodes[b"h"].target, found.nodes[b"h"].hard_link) == (b"nowhere", b"")
    assert found.nodes[b"h"].mode == stat.S_IFLNK | 0o777


@pytest.mark.parametrize(
    ("upper", "message"),
    [
        (archive(whiteout(b"top"), hard_link(b"h", b"top")), "h: a hard link to top, which is not there"),
        (archive(hard_link(b"h", b"later"), file(b"later")), "h: a hard link to later, which is not there"),
        (archive(hard_link(b"top", b"top")), "top: a hard link to top, which is not there"),
        (archive(hard_link(b"d", b"d/a")), "d: a hard link to d/a, which is not there"),
        (archive(hard_link(b"h", b"top/x")), "h: a hard link to top/x, which is not there"),
        (archive(hard_link(b"h", b"")), "h: a hard link to , which is not there"),
        (archive(hard_link(b"h", b"d")), "h: a hard link to d, a directory"),
    ],
)
def test_a_hard_link_to_what_is_not_there_is_refused(upper: bytes, message: str) -> None:
    assert refusal(BASE, upper) == ("eif.source-layer", f"layer 1: {message}")


LINKED = archive(directory(b"usr"), directory(b"usr/lib"), file(b"usr/lib/old"), symlink(b"lib", b"usr/lib"))


def test_a_layer_writes_through_a_symbolic_link_of_a_lower_one() -> None:
    found = Applied(LINKED, archive(file(b"lib/new.so", b"so"), hard_link(b"lib/also.so", b"/lib/new.so")))
    assert found.names == [b"lib", b"usr", b"usr/lib", b"usr/lib/also.so", b"usr/lib/new.so", b"usr/lib/old"]


def test_a_whiteout_reaches_through_a_symbolic_link_of_a_lower_layer() -> None:
    assert Applied(LINKED, archive(whiteout(b"lib/old"))).names == [b"lib", b"usr", b"usr/lib"]


@pytest.mark.parametrize("marker", [whiteout(b"lib/old"), opaque(b"lib")])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_link_that_the_layer_itself_replaces_leads_a_whiteout_nowhere(*, marker: bytes, first: bool) -> None:
    own = [directory(b"lib"), file(b"lib/own")]
    found = Applied(LINKED, archive(marker, *own) if first else archive(*own, marker))
    assert found.names == [b"lib", b"lib/own", b"usr", b"usr/lib", b"usr/lib/old"]


def test_links_lead_nowhere_but_into_the_tree() -> None:
    links = [symlink(b"up", b"../../../.."), symlink(b"abs", b"/d"), symlink(b"d/back", b"../up/e")]
    found = Applied(archive(directory(b"d"), *links, file(b"up/etc/passwd"), file(b"abs/x"), file(b"d/back/y")))
    assert found.names == [b"abs", b"d", b"d/back", b"d/x", b"e", b"e/y", b"etc", b"etc/passwd", b"up"]


@pytest.mark.parametrize(
    "links",
    [
        [symlink(b"a", b"a")],
        [symlink(b"a", b"b"), symlink(b"b", b"/a")],
        [symlink(b"a", b"a/" * 30)],
    ],
)
def test_links_in_a_circle_are_an_error_and_no_hang(links: list[bytes]) -> None:
    assert refusal(archive(*links, file(b"a/x"))) == (
        "eif.source-layer",
        "layer 0: a: symbolic links that lead in a circle",
    )


def test_a_name_below_a_file_is_refused() -> None:
    assert refusal(BASE, archive(file(b"top/x"))) == ("eif.source-layer", "layer 1: top: top is no directory")


def test_the_top_is_a_directory_whose_attributes_count() -> None:
    found = Applied(archive(directory(b".", mode=0o711, uid=5)))
    assert (found.root.mode, found.root.uid, found.names) == (stat.S_IFDIR | 0o711, 5, [])
    assert refusal(archive(file(b".")))[1] == "layer 0: .: the top of the tree is no directory"


def test_parents_that_no_entry_describes_are_made_and_told() -> None:
    found = Applied(archive(file(b"a/b/c"), directory(b"a", mode=0o700)))
    assert found.nodes[b"a/b"] == Node(name=b"a/b", mode=stat.S_IFDIR | 0o755, mtime=EPOCH)
    assert found.remarks["source.parents-made"].examples == (b"a/b",)


def test_times_are_clamped_and_told() -> None:
    found = Applied(archive(file(b"a", mtime=EPOCH + 1), file(b"b", mtime=EPOCH), pax(mtime="-5") + file(b"c")))
    assert [node.mtime for node in found.nodes.values()] == [EPOCH, EPOCH, 0]
    assert (found.remarks["source.times-clamped"].count, found.remarks["source.times-clamped"].examples) == (
        2,
        (b"a", b"c"),
    )


def test_capabilities_and_other_attributes_are_told_as_lost() -> None:
    both = [("SCHILY.xattr.security.capability", "x"), ("SCHILY.xattr.user.a", "y")]
    found = Applied(archive(pax_records(both) + file(b"a"), pax_records(both[:1]) + file(b"b"), file(b"c")))
    assert found.remarks["source.capabilities"].examples == (b"a", b"b")
    assert found.remarks["source.xattrs"].examples == (b"a",)


def test_devices_and_pipes_are_carried_over() -> None:
    found = Applied(archive(header(b"null", b"3", mode=0o666, rdev=(1, 3)), header(b"pipe", b"6", mode=0o600)))
    assert found.nodes[b"null"].rdev == (1, 3)
    assert found.nodes[b"null"].mode == stat.S_IFCHR | 0o666
    assert found.nodes[b"pipe"].mode == stat.S_IFIFO | 0o600


def test_the_last_of_two_entries_counts() -> None:
    found = Applied(archive(file(b"f", b"1"), file(b"./f", b"2"), file(b"//f", b"3")))
    assert found.contents == {b"f": b"3"}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (b"../x", "leads out of its directory"),
        (b"a/../../x", "leads out of its directory"),
        (b"a/../x", "leads out of its directory"),
        (b"/..", "leads out of its directory"),
        (b"a" * 256, "a component of more than 255 bytes"),
        (b"a/" * 2048 + b"a", f"longer than the {MAX_NAME} bytes that a kernel unpacks"),
    ],
)
def test_a_name_that_no_ramdisk_can_hold_is_refused(name: bytes, what: str) -> None:
    code, message = refusal(archive(pax(path=name) + file(b"x")))
    assert (code, message) == ("eif.source-name", f"layer 0: {name[:200].decode()}: {what}")
    assert refusal(archive(file(b"x"), pax(linkpath=name) + hard_link(b"h", b"x")))[0] == "eif.source-name"


def test_a_member_without_a_name_is_refused() -> None:
    assert refusal(archive(file(b""))) == ("eif.source-name", "layer 0: : a member without a name")


def test_a_name_that_links_make_too_long_is_refused() -> None:
    deep = b"/".join([b"d" * 250] * 15)
    layer = archive(
        pax(path=deep) + directory(b"x"),
        pax(linkpath=deep) + symlink(b"l", b"x"),
        pax(path=b"l/" + b"e/" * 200 + b"f") + file(b"x"),
    )
    assert refusal(layer)[0] == "eif.source-name"


def test_strange_names_and_absolute_ones_are_carried_over_as_bytes() -> None:
    names = [b"\xff\xfe", b"new\nline", b"\x1b[31m", b"-rf", b"TRAILER!!!"]
    assert sorted(Applied(archive(*(file(b"/" + name) for name in names))).names) == sorted(names)


@pytest.mark.parametrize("target", [b"", b"t" * 4096])
def test_a_symbolic_link_that_no_kernel_would_make_is_refused(target: bytes) -> None:
    assert (
        refusal(archive((pax(linkpath=target) if target else b"") + symlink(b"s", b"")))[1]
        == f"layer 0: s: a symbolic link of {len(target)} bytes"
    )


def test_more_entries_than_the_limit_are_refused_made_ones_too() -> None:
    limits = Limits(entries=3)
    assert Applied(archive(file(b"a/b/c")), limits=limits).names == [b"a", b"a/b", b"a/b/c"]
    message = "image: more than 3 entries"
    assert refusal(archive(file(b"a/b/c/d")), limits=limits) == ("eif.source-limit", message)
    assert refusal(archive(*[file(b"f")] * 4), limits=limits) == ("eif.source-limit", message)


def test_holes_count_as_much_as_bytes() -> None:
    hole = pax(GNU_sparse_map="", GNU_sparse_numblocks="0", GNU_sparse_size=str(1 << 40), GNU_sparse_name="f") + file(
        b"x"
    )
    assert refusal(archive(hole))[0] == "eif.source-limit"


def test_long_names_in_deep_directories_are_bounded() -> None:
    deep = b"d" * 90
    layer = archive(directory(deep), symlink(b"l", deep), *(file(b"l/%d" % number) for number in range(20)))
    assert refusal(layer, limits=Limits(names=1000)) == (
        "eif.source-limit",
        "image: names of more than 1000 bytes altogether",
    )
