"""Ramdisks and images written from any tree at all: read back they are that tree, and order decides nothing."""

import io
import random
import stat
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl.eif.format import SectionType
from nitroctl.eif.ramdisk import Bytes, write_newc
from nitroctl.eif.tree import Node, canonical
from nitroctl.eif.write import ImageWriter
from tests import images

_NUMBER = st.integers(0, 0xFFFFFFFF)
_PART = st.binary(min_size=1, max_size=12).filter(lambda part: not {0, 0x2F} & {*part} and part not in {b".", b".."})
_KINDS = st.sampled_from([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    """Nodes with names below one another, of every type, some of them further names of a file before them."""
    names = draw(st.lists(st.lists(_PART, min_size=1, max_size=3).map(b"/".join), unique=True, max_size=12))
    nodes: list[Node] = []
    for name in sorted(set(names) - {b"TRAILER!!!"}, key=canonical):
        kind = draw(_KINDS)
        files = [node.name for node in nodes if node.content]
        if kind == stat.S_IFREG and files and draw(st.booleans()):
            nodes.append(Node(name=name, mode=stat.S_IFREG, hard_link=draw(st.sampled_from(files))))
            continue
        nodes.append(
            Node(
                name=name,
                mode=kind | draw(st.integers(0, 0o7777)),
                uid=draw(_NUMBER),
                gid=draw(_NUMBER),
                mtime=draw(_NUMBER),
                content=Bytes(draw(st.binary(max_size=300))) if kind == stat.S_IFREG else None,
                target=draw(st.binary(min_size=1, max_size=20)).replace(b"\0", b"x") if kind == stat.S_IFLNK else b"",
                rdev=draw(st.tuples(_NUMBER, _NUMBER)) if kind in (stat.S_IFCHR, stat.S_IFBLK) else (0, 0),
            )
        )
    return nodes


def read_back(archive: bytes) -> list[tuple[bytes, list[int], bytes]]:
    """The members of a newc archive, read as its description has it."""
    found: list[tuple[bytes, list[int], bytes]] = []
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110 : at + 109 + numbers[11]]
        start = (at + 110 + numbers[11] + 3) & ~3
        if name == b"TRAILER!!!":
            assert not archive[start:].strip(b"\0")
            return found
        found.append((name, numbers, archive[start : start + numbers[6]]))
        at = (start + numbers[6] + 3) & ~3


@given(trees(), st.randoms())
def test_what_is_read_back_is_what_was_written(nodes: list[Node], chance: random.Random) -> None:
    stream = io.BytesIO()
    assert write_newc(stream, nodes) == len(stream.getvalue())
    shuffled, again = chance.sample(nodes, len(nodes)), io.BytesIO()
    write_newc(again, shuffled)
    assert again.getvalue() == stream.getvalue()
    found = read_back(stream.getvalue())
    assert [name for name, _, _ in found] == [node.name for node in nodes]
    holders = {node.name: node for node in nodes}
    inodes: dict[int, list[bytes]] = {}
    for (name, numbers, data), node in zip(found, nodes, strict=True):
        file = holders[node.hard_link] if node.hard_link else node
        inodes.setdefault(numbers[0], []).append(name)
        assert numbers[1:4] == [file.mode, file.uid, file.gid]
        assert (numbers[5], tuple(numbers[9:11])) == (file.mtime, file.rdev)
        if stat.S_ISLNK(file.mode):
            assert data == node.target
    contents = {numbers[0]: data for _, numbers, data in found}  # the last of a file's names brings it
    for names in inodes.values():
        one = holders[names[0]]
        assert {holders[name].hard_link or name for name in names} == {one.name}
        if isinstance(one.content, Bytes):
            number = next(numbers[0] for name, numbers, _ in found if name == one.name)
            assert contents[number] == one.content.data
            links = {numbers[4] for name, numbers, _ in found if name in names}
            assert links == {len(names)}


@settings(max_examples=100)
@given(
    st.lists(st.binary(max_size=5000), min_size=1, max_size=5),
    st.integers(1, 6000),
    st.fixed_dictionaries({"kernel": st.binary(max_size=5000), "cmdline": st.binary(max_size=100)}),
)
def test_an_image_is_the_same_however_its_data_comes(
    ramdisks: list[bytes], piece: int, others: Mapping[str, bytes]
) -> None:
    parts = [(1, others["kernel"]), (2, others["cmdline"]), (5, b"{}"), *((3, ramdisk) for ramdisk in ramdisks)]
    stream = io.BytesIO()
    with ImageWriter(stream, architecture="x86_64") as image:
        for kind, data in parts:
            with image.section(SectionType(kind)) as section:
                for start in range(0, len(data), piece):
                    section.write(data[start : start + piece])
        written = image.finish()
    assert stream.getvalue() == images.forge(parts)
    assert written.pcrs == images.registers(stream.getvalue())
