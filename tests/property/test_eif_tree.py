"""Layers over layers equal a model that is too simple to be wrong; and no bytes bring a reader down."""

import hashlib
import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nitroctl.eif import tar
from nitroctl.eif.tree import CHUNK, Limits, Tree, canonical, open_source
from nitroctl.errors import CannotAnswer
from tests.oci_images import (
    PACKING,
    Parts,
    archive,
    as_archive,
    as_directory,
    compact,
    directory,
    docker_save,
    file,
    hard_link,
    header,
    image,
    opaque,
    pax,
    symlink,
    whiteout,
)

bounded = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SMALL = Limits(entries=3000, size=64 << 20, names=1 << 20)

parts = st.sampled_from([b"a", b"b", b"c"])
paths = st.lists(parts, min_size=1, max_size=3).map(b"/".join)
steps = st.one_of(
    st.tuples(st.just("file"), paths, st.binary(max_size=3)),
    st.tuples(st.just("directory"), paths, st.just(b"")),
    st.tuples(st.just("whiteout"), paths, st.just(b"")),
    st.tuples(st.just("opaque"), paths, st.just(b"")),
    st.tuples(st.just("link"), paths, paths),
)
Step = tuple[str, bytes, bytes]
#: name -> content of a file, None of a directory.
Model = dict[bytes, bytes | None]


def under(model: Model, name: bytes) -> list[bytes]:
    return [other for other in model if other.startswith(name + b"/")]


def put(model: Model, name: bytes, content: bytes | None) -> bool:
    """Put one name into the model; say whether a container engine could."""
    pieces = name.split(b"/")
    for depth in range(1, len(pieces)):
        if model.setdefault(b"/".join(pieces[:depth]), None) is not None:
            return False
    if content is not None or model.get(name) is not None:
        for other in under(model, name):
            del model[other]
    model[name] = content
    return True


def hide(model: Model, layer: Sequence[Step]) -> None:
    for kind, name, _ in layer:
        if kind in ("whiteout", "opaque"):
            for other in under(model, name) + ([name] if kind == "whiteout" else []):
                model.pop(other, None)


def linked(model: Model, name: bytes, target: bytes) -> bytes | None:
    """Return what a hard link holds; None where it cannot be made."""
    pieces = name.split(b"/")
    blocked = any(model.get(b"/".join(pieces[:depth])) is not None for depth in range(1, len(pieces)))
    return None if blocked or target == name or target.startswith(name + b"/") else model.get(target)


def flattened(layers: Sequence[Sequence[Step]]) -> Model | None:
    """Return what the layers come to, from the specification's words; None where they cannot be applied."""
    model: Model = {}
    for layer in layers:
        hide(model, layer)
        for kind, name, value in layer:
            if kind in ("whiteout", "opaque"):
                continue
            content = {"file": value, "directory": None, "link": linked(model, name, value)}[kind]
            if (kind == "link" and content is None) or not put(model, name, content):
                return None
    return model


def layer_bytes(layer: Sequence[Step]) -> bytes:
    make: dict[str, Callable[[bytes, bytes], bytes]] = {
        "file": file,
        "directory": lambda name, _: directory(name),
        "whiteout": lambda name, _: whiteout(name),
        "opaque": lambda name, _: opaque(name),
        "link": hard_link,
    }
    return archive(*(make[kind](name, value) for kind, name, value in layer))


def contents(tree: Tree) -> Model:
    found: Model = {}
    for name, node in tree.nodes.items():
        holder = tree.nodes[node.hard_link] if node.hard_link else node
        found[name] = None if holder.content is None else b"".join(holder.content.chunks())
    return found


def well_formed(tree: Tree) -> None:
    """Hold what is true of every tree."""
    names = list(tree.nodes)
    assert names == sorted(names, key=canonical)
    for name, node in tree.nodes.items():
        assert node.name == name
        assert b"\0" not in name
        assert not {b"", b".", b".."} & set(name.split(b"/"))
        above = name.rpartition(b"/")[0]
        assert not above or tree.nodes[above].mode >> 12 == 4
        assert (node.mode >> 12 == 8) == (node.content is not None or bool(node.hard_link))
        assert not node.hard_link or (canonical(node.hard_link) < canonical(name) and node.content is None)
        assert not node.hard_link or tree.nodes[node.hard_link].content is not None
        assert (node.mode >> 12 == 10) == bool(node.target)
        assert 0 <= node.mtime < 1 << 32
        if node.content is not None:
            sizes = [len(piece) for piece in node.content.chunks()]
            assert sum(sizes) == node.content.size
            assert all(0 < size <= CHUNK for size in sizes)


@bounded
@given(st.lists(st.lists(steps, max_size=8), max_size=4))
@example([[("file", b"a/b", b"1")], [("whiteout", b"a", b""), ("link", b"c", b"a/b")]])
@example([[("file", b"a/b", b"1"), ("link", b"c", b"a/b")], [("opaque", b"a", b""), ("file", b"a/b", b"2")]])
@example([[("file", b"a/a/a", b"")], [("link", b"a/a", b"a/a/a")]])
@example([[("directory", b"a", b""), ("file", b"a", b""), ("directory", b"a", b"")]])
def test_layers_come_to_what_the_specification_says(tmp_path: Path, layers: Sequence[Sequence[Step]]) -> None:
    expected = flattened(layers)
    path = tmp_path / "image.tar"
    path.write_bytes(as_archive(docker_save(*map(layer_bytes, layers))))
    try:
        with open_source(str(path)) as tree:
            well_formed(tree)
            assert contents(tree) == expected
    except CannotAnswer as error:
        refused = "eif.source-layer" if expected is None else "eif.source-empty" if not expected else ""
        if error.code != refused:
            raise


@bounded
@given(st.lists(st.lists(steps, max_size=8), min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_where_the_whiteouts_stand_in_a_layer_does_not_matter(
    tmp_path: Path, layers: Sequence[Sequence[Step]], chance: random.Random
) -> None:
    said = []
    for _ in range(2):
        moved = []
        for layer in layers:
            own = [step for step in layer if step[0] not in ("whiteout", "opaque")]
            for step in layer:
                if step[0] in ("whiteout", "opaque"):
                    own.insert(chance.randint(0, len(own)), step)
            moved.append(own)
        path = tmp_path / "image.tar"
        path.write_bytes(as_archive(docker_save(*map(layer_bytes, moved))))
        try:
            with open_source(str(path)) as tree:
                said.append((contents(tree), [(node.mode, node.hard_link) for node in tree.nodes.values()]))
        except CannotAnswer as error:
            said.append(({}, [(0, error.code.encode())]))
    assert said[0] == said[1]


SEEDS = [
    archive(directory(b"d"), file(b"d/f", b"content" * 100), symlink(b"s", b"d"), hard_link(b"h", b"s/f")),
    archive(pax(path="p" * 300, mtime="1.5", uid="9"), file(b"x", b"y"), header(b"n", b"3", rdev=(1, 3))),
    archive(
        pax(GNU_sparse_map="0,3,900,3", GNU_sparse_numblocks="2", GNU_sparse_size="1000", GNU_sparse_name="s"),
        file(b"x", b"abcdef"),
    ),
    archive(file(b".wh.a"), file(b"b/.wh..wh..opq"), file(b"a/x", b"1")),
]
changes = st.lists(
    st.tuples(
        st.integers(0, 1 << 16), st.one_of(st.binary(min_size=1, max_size=12), st.sampled_from([b"\0", b"7777"]))
    ),
    max_size=5,
)


def mutated(data: bytes, edits: Sequence[tuple[int, bytes]], *, mend: bool) -> bytes:
    """Overwrite some bytes; with ``mend`` every block's checksum is made right, so that more is read."""
    found = bytearray(data)
    for where, value in edits:
        place = where % len(found)
        found[place : place + len(value)] = value
    if mend:
        for start in range(0, len(found) - 511, 512):
            block = found[start : start + 512]
            if any(block) and block[257:262] == b"ustar":
                block[148:156] = b" " * 8
                found[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    return bytes(found)


def answered(path: Path) -> None:
    try:
        with open_source(str(path), limits=SMALL) as tree:
            well_formed(tree)
    except CannotAnswer as error:
        if not error.code.startswith(("eif.source-", "json.", "file.")):
            raise


@bounded
@given(st.sampled_from(SEEDS), changes, st.integers(0, 4096), st.sampled_from(list(PACKING)))
def test_a_damaged_archive_has_an_answer(
    tmp_path: Path, seed: bytes, edits: Sequence[tuple[int, bytes]], cut: int, packing: str
) -> None:
    path = tmp_path / "root.tar"
    for mend in (True, False):
        data = mutated(seed, edits, mend=mend)
        path.write_bytes(PACKING[packing](data[: len(data) - cut] if cut < 1024 else data))
        answered(path)


@bounded
@given(st.sampled_from(SEEDS), changes, st.sampled_from(list(PACKING)))
def test_a_damaged_layer_with_right_digests_has_an_answer(
    tmp_path: Path, seed: bytes, edits: Sequence[tuple[int, bytes]], packing: str
) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(as_archive(image(SEEDS[0], mutated(seed, edits, mend=True), packing=packing)))
    answered(path)


@bounded
@given(st.sampled_from(list(PACKING)), changes)
def test_a_damaged_packed_stream_has_an_answer(
    tmp_path: Path, packing: str, edits: Sequence[tuple[int, bytes]]
) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(mutated(PACKING[packing](SEEDS[0] + random.Random(1).randbytes(5000)), edits, mend=False))
    answered(path)


@bounded
@given(st.binary(max_size=2000))
def test_any_bytes_have_an_answer(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    answered(path)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just("sha256:" + "0" * 64)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["digest", "size", "mediaType", "config", "layers", "platform", "manifests", "Cmd"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


def replaced(value: object, way: list[int], new: object) -> object:
    """Return ``value`` with something inside of it replaced."""
    if way and isinstance(value, dict) and value:
        key = sorted(value)[way[0] % len(value)]
        return {**value, key: replaced(value[key], way[1:], new)}
    if way and isinstance(value, list) and value:
        place = way[0] % len(value)
        return [*value[:place], replaced(value[place], way[1:], new), *value[place + 1 :]]
    return new


def rehashed(layout: Parts, old: str, new: bytes) -> Parts:
    """Return a layout with one JSON part exchanged and everything that points to it put right."""
    if not old.startswith("blobs/"):
        return {**layout, old: new}
    name = "blobs/sha256/" + hashlib.sha256(new).hexdigest()
    found = {key: data for key, data in layout.items() if key != old} | {name: new}
    for key, data in layout.items():
        if old[-64:].encode() in data and data[:1] == b"{":
            text = data.replace(old[-64:].encode(), name[-64:].encode())
            return rehashed(found, key, text.replace(b'"size":%d' % len(layout[old]), b'"size":%d' % len(new)))
    return found


@bounded
@given(st.integers(0, 3), st.lists(st.integers(0, 9), max_size=5), values)
def test_json_of_any_shape_has_an_answer(tmp_path: Path, which: int, way: list[int], new: object) -> None:
    layout = image(SEEDS[0])
    names = [name for name, data in layout.items() if data[:1] == b"{"]
    name = names[which % len(names)]
    changed = rehashed(layout, name, compact(replaced(json.loads(layout[name]), way, new)))
    path = tmp_path / str(len(list(tmp_path.iterdir())))
    path.mkdir()
    answered(as_directory(changed, path))


@bounded
@given(
    st.lists(
        st.tuples(st.binary(min_size=1, max_size=120), st.binary(max_size=600), st.integers(0, 0o7777)), max_size=5
    )
)
def test_members_come_out_as_they_went_in(members: Sequence[tuple[bytes, bytes, int]]) -> None:
    cleaned = [(name.replace(b"\0", b"0").rstrip(b"/") + b"f", data, mode) for name, data, mode in members]
    made = archive(*(pax(path=name) + file(b"x", data, mode=mode) for name, data, mode in cleaned))
    found = tar.Archive(io.BytesIO(made), where="archive")
    assert [(member.name, b"".join(found.chunks()), member.mode) for member in found] == cleaned
