"""Image layouts and docker archives: the image that is meant, every step by digest."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nitroctl.eif.tree import Concern, Kind, Limits, Tree, open_source
from nitroctl.errors import CannotAnswer
from tests.oci_images import (
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    PACKING,
    START,
    Parts,
    archive,
    as_archive,
    as_directory,
    compact,
    config,
    directory,
    docker_save,
    file,
    hard_link,
    header,
    image,
    layout,
    manifest,
    put,
    sha256,
    symlink,
    whiteout,
)

LOWER = archive(directory(b"bin"), file(b"bin/app", b"program", mode=0o755), file(b"gone", b"secret"))
UPPER = archive(file(b"etc/config", b"a=1\n"), whiteout(b"gone"))
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
KEPT_BACK = "application/vnd.oci.image.layer.nondistributable.v1.tar"
NAMES = [b"bin", b"bin/app", b"etc", b"etc/config"]


def opened(parts: Parts, tmp_path: Path, **how: Any) -> Tree:
    return open_source(str(as_directory(parts, tmp_path / "layout")), **how)


def refusal(parts: Parts, tmp_path: Path, **how: Any) -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as raised:
        opened(parts, tmp_path, **how)
    return raised.value.code, raised.value.message.replace(str(tmp_path), "")


def saved(parts: Parts, tmp_path: Path, **how: Any) -> Tree:
    path = tmp_path / "image.tar"
    path.write_bytes(as_archive(parts))
    return open_source(str(path), **how)


def save_refusal(parts: Parts, tmp_path: Path, **how: Any) -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as raised:
        saved(parts, tmp_path, **how)
    return raised.value.code, raised.value.message.replace(str(tmp_path), "")


@pytest.mark.parametrize("packing", PACKING)
def test_an_image_is_its_layers_over_each_other(packing: str, tmp_path: Path) -> None:
    with opened(image(LOWER, UPPER, packing=packing), tmp_path) as tree:
        assert (tree.kind, list(tree.nodes)) == ("oci", NAMES)
        content = tree.nodes[b"bin/app"].content
        assert content is not None
        assert (content.size, b"".join(content.chunks())) == (7, b"program")


def test_the_configuration_is_what_the_image_says(tmp_path: Path) -> None:
    parts = image(LOWER, UPPER)
    with opened(parts, tmp_path) as tree:
        found = tree.config
    assert found is not None
    assert (found.entrypoint, found.cmd, found.env) == (("/bin/app",), ("--serve",), ("PATH=/bin", "MODE=fast"))
    assert (found.working_dir, found.user, found.labels) == ("/srv", "app", {"team": "signing"})
    assert (found.platform, found.created) == ("linux/amd64", "2026-11-20T10:00:00Z")
    assert found.layers == (sha256(LOWER), sha256(UPPER))
    assert found.id == sha256(compact(config([LOWER, UPPER])))
    assert found.manifest == json.loads(parts["index.json"])["manifests"][0]["digest"]


def test_an_image_that_says_nothing_of_its_start_has_none(tmp_path: Path) -> None:
    with opened(image(LOWER, config={"Entrypoint": None, "Cmd": []}), tmp_path) as tree:
        assert tree.config is not None
        assert (tree.config.entrypoint, tree.config.cmd, tree.config.env) == (None, (), ())


def test_all_arrangements_of_one_image_give_one_tree(tmp_path: Path) -> None:
    parts = image(LOWER, UPPER)
    packed = tmp_path / "image.tar.gz"
    packed.write_bytes(PACKING["+gzip"](as_archive(parts)))
    old = tmp_path / "old.tar"
    old.write_bytes(as_archive(docker_save(LOWER, UPPER)))
    listed = compact([{"Config": tree_config(parts), "RepoTags": ["app:1"], "Layers": []}])
    new = tmp_path / "new.tar"
    new.write_bytes(as_archive({**parts, "manifest.json": listed}))
    sources = [str(as_directory(parts, tmp_path / "layout")), str(packed), str(old), str(new)]
    trees = [open_source(path) for path in sources]
    assert [tree.kind for tree in trees] == ["oci", "oci", "docker", "oci"]
    for tree in trees:
        with tree:
            assert list(tree.nodes) == NAMES
            assert tree.config is not None
            assert trees[0].config is not None
            assert tree.config.id == trees[0].config.id


def tree_config(parts: Parts) -> str:
    """Return the name of the one image's configuration in a layout."""
    [found] = json.loads(parts["index.json"])["manifests"]
    about = json.loads(parts["blobs/" + found["digest"].replace(":", "/")])
    return "blobs/" + str(about["config"]["digest"]).replace(":", "/")


def changed(parts: Parts, what: str, change: Callable[[Any], object]) -> Parts:
    """Return ``parts`` with the index, manifest or config changed, and every digest right."""
    index = json.loads(parts["index.json"])
    [found] = index["manifests"]
    about = json.loads(parts["blobs/" + found["digest"].replace(":", "/")])
    inner = json.loads(parts["blobs/" + about["config"]["digest"].replace(":", "/")])
    parts = dict(parts)
    change({"index": index, "manifest": about, "config": inner, "descriptor": found}[what])
    if what == "config":
        about["config"] = put(parts, compact(inner), CONFIG_TYPE)
    if what in ("config", "manifest"):
        index["manifests"] = [{**found, **put(parts, compact(about), MANIFEST_TYPE)}]
    return {**parts, "index.json": compact(index)}


def setting(*path: str | int, to: object) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for part in path[:-1]:
            value = value[part]
        value[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("what", "change", "message"),
    [
        ("index", setting("manifests", to={}), "index.json: manifests is not a list"),
        ("index", setting("manifests", to=[7]), "index.json: manifests/0: not a JSON object"),
        ("descriptor", setting("digest", to="sha256:x"), "'sha256:x' is no sha256 or sha512 digest"),
        ("descriptor", setting("digest", to="md5:" + "0" * 32), "is no sha256 or sha512 digest"),
        ("descriptor", setting("digest", to="sha256:../../../etc/passwd"), "is no sha256 or sha512 digest"),
        ("descriptor", setting("size", to=-1), "size is not a whole number"),
        ("descriptor", setting("size", to=True), "size is not a whole number"),
        ("manifest", setting("schemaVersion", to=1), "not an image manifest of schema version 2"),
        ("manifest", setting("mediaType", to=INDEX_TYPE), "not an image manifest of schema version 2"),
        ("manifest", setting("config", "mediaType", to="application/vnd.helm+json"), "another thing than an image"),
        ("manifest", setting("layers", to=[]), "0 layers, but its configuration has 1"),
        ("manifest", setting("layers", 0, "mediaType", to=FOREIGN), "which cannot be used"),
        ("manifest", setting("layers", 0, "mediaType", to=LAYER_TYPE + "+gzip+encrypted"), "which cannot be used"),
        ("manifest", setting("layers", 0, "mediaType", to=KEPT_BACK), "which cannot be used"),
        ("config", setting("rootfs", "diff_ids", to=["sha256:short"]), "is no sha256 or sha512 digest"),
        ("config", setting("rootfs", "type", to="tree"), "rootfs is not of layers"),
        ("config", setting("rootfs", to=None), "1 layers, but its configuration has 0"),
        ("config", setting("config", "Cmd", to="--serve"), "Cmd is not a list of strings"),
        ("config", setting("config", "Env", to=[1]), "Env is not a list of strings"),
        ("config", setting("config", "Env", to=["A=\ud800"]), "Env is not a list of strings"),
        ("config", setting("config", "Labels", to={"\udfff": ""}), "Labels is not strings"),
        ("config", setting("config", "User", to=0), "User is not a string"),
        ("config", setting("config", "Labels", to={"a": 1}), "Labels is not strings"),
        ("config", setting("config", to=[]), "not a JSON object"),
        ("config", setting("architecture", to=["amd64"]), "architecture is not a string"),
    ],
)  # fmt: skip
def test_json_of_another_shape_is_refused(
    what: str, change: Callable[[Any], object], message: str, tmp_path: Path
) -> None:
    code, said = refusal(changed(image(LOWER), what, change), tmp_path)
    assert code == "eif.source-format"
    assert message in said


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "json.syntax"),
        (b"[" * 100_000, "json.nesting"),
        (b'{"manifests":[],"manifests":[]}', "json.duplicate-key"),
        (b'{"manifests":NaN}', "json.not-a-number"),
        (b'{"manifests":[]', "json.syntax"),
        (b'{"manifests":' + b"9" * 5000 + b"}", "json.syntax"),
        (b"\xff", "eif.source-format"),
        (b"[]", "eif.source-format"),
        (b" " * ((8 << 20) + 1), "eif.source-limit"),
    ],
)
def test_json_that_two_readers_could_take_differently_is_refused(text: bytes, code: str, tmp_path: Path) -> None:
    assert refusal({**image(LOWER), "index.json": text}, tmp_path)[0] == code


def blob(parts: Parts, kind: str) -> str:
    """Return the name of the manifest, the configuration or the layer of the one image."""
    [found] = json.loads(parts["index.json"])["manifests"]
    name = "blobs/" + found["digest"].replace(":", "/")
    about = json.loads(parts[name])
    inner: Mapping[str, str] = {
        "manifest": name,
        "config": "blobs/" + about["config"]["digest"].replace(":", "/"),
        "layer": "blobs/" + about["layers"][0]["digest"].replace(":", "/"),
    }
    return inner[kind]


@pytest.mark.parametrize("kind", ["manifest", "config", "layer"])
@pytest.mark.parametrize("packing", PACKING)
def test_a_blob_of_which_one_bit_changed_is_refused_by_its_digest(kind: str, packing: str, tmp_path: Path) -> None:
    parts = image(LOWER, packing=packing)
    name = blob(parts, kind)
    for place in (0, len(parts[name]) // 2, len(parts[name]) - 1):
        bad = bytearray(parts[name])
        bad[place] ^= 1
        expected = f"the content does not have the digest sha256:{name[-64:]}"
        assert refusal({**parts, name: bytes(bad)}, tmp_path) == ("eif.source-digest", f"/layout: {name}: {expected}")


@pytest.mark.parametrize("kind", ["manifest", "config", "layer"])
def test_a_blob_of_another_size_is_refused(kind: str, tmp_path: Path) -> None:
    parts = image(LOWER)
    name = blob(parts, kind)
    for bad in (parts[name][:-1], parts[name] + b" ", b""):
        assert refusal({**parts, name: bad}, tmp_path)[0] == "eif.source-digest"


def test_a_size_that_only_the_descriptor_has_is_refused(tmp_path: Path) -> None:
    for what, path in (
        ("manifest", ("layers", 0, "size")),
        ("manifest", ("config", "size")),
        ("descriptor", ("size",)),
    ):
        code, message = refusal(changed(image(LOWER), what, setting(*path, to=1)), tmp_path)
        assert code == "eif.source-digest"
        assert message.endswith("but its descriptor says 1")


def test_a_layer_that_unpacks_to_another_archive_is_refused(tmp_path: Path) -> None:
    parts = changed(image(LOWER), "config", setting("rootfs", "diff_ids", to=[sha256(UPPER)]))
    code, message = refusal(parts, tmp_path)
    assert code == "eif.source-digest"
    assert message.endswith(f", unpacked: the content does not have the digest {sha256(UPPER)}")


def test_an_archive_that_goes_on_after_its_end_is_digested_to_its_end(tmp_path: Path) -> None:
    longer = LOWER + b"more"
    with opened(image(longer), tmp_path) as tree:
        assert list(tree.nodes) == [b"bin", b"bin/app", b"gone"]
    parts = changed(image(longer), "config", setting("rootfs", "diff_ids", to=[sha256(LOWER)]))
    assert refusal(parts, tmp_path)[0] == "eif.source-digest"


def test_digests_may_be_sha512(tmp_path: Path) -> None:
    parts = image(LOWER, packing="")
    name = blob(parts, "layer")
    long = hashlib.sha512(parts[name]).hexdigest()
    parts[f"blobs/sha512/{long}"] = parts.pop(name)
    parts = changed(parts, "manifest", setting("layers", 0, "digest", to=f"sha512:{long}"))
    with opened(parts, tmp_path) as tree:
        assert b"bin/app" in tree.nodes
    parts[f"blobs/sha512/{long}"] += b"x"
    assert refusal(parts, tmp_path)[0] == "eif.source-digest"


@pytest.mark.parametrize("kind", ["manifest", "config", "layer"])
def test_a_missing_blob_is_told(kind: str, tmp_path: Path) -> None:
    parts = image(LOWER)
    name = blob(parts, kind)
    del parts[name]
    assert refusal(parts, tmp_path) == (
        "file.unreadable",
        f"/layout/{name}: cannot read: no such file or directory",
    )
    assert save_refusal(parts, tmp_path) == (
        "eif.source-format",
        f"/image.tar: '{name}' is missing from the archive",
    )


@pytest.mark.parametrize("version", ["2.0.0", "", "v1"])
def test_a_layout_of_another_version_is_refused(version: str, tmp_path: Path) -> None:
    parts = {**image(LOWER), "oci-layout": compact({"imageLayoutVersion": version})}
    assert refusal(parts, tmp_path)[0] == "eif.source-format"


def several() -> Parts:
    """Return a layout as builders write it: an index of two platforms and what is said about one of them."""
    parts: Parts = {}
    platforms = {"amd64": LOWER, "arm64": UPPER}
    inner = [
        manifest(
            parts,
            [layer],
            about=config([layer], architecture=name, **({"variant": "v8"} if name == "arm64" else {})),
            platform={"os": "linux", "architecture": name},
        )
        for name, layer in platforms.items()
    ]
    said = {"schemaVersion": 2, "config": put(parts, b"{}", CONFIG_TYPE), "layers": []}
    inner.append(
        put(
            parts,
            compact(said),
            MANIFEST_TYPE,
            platform={"os": "unknown", "architecture": "unknown"},
            annotations={"vnd.docker.reference.type": "attestation-manifest"},
        )
    )
    index = compact({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": inner})
    name = {"org.opencontainers.image.ref.name": "1", "io.containerd.image.name": "docker.io/library/app:1"}
    return layout(put(parts, index, INDEX_TYPE, annotations=name), parts=parts)


@pytest.mark.parametrize(
    ("platform", "names"),
    [
        ("linux/amd64", [b"bin", b"bin/app", b"gone"]),
        ("linux/arm64", [b"etc", b"etc/config"]),
        ("linux/arm64/v8", [b"etc", b"etc/config"]),
    ],
)
def test_of_several_platforms_the_one_that_was_asked_for_is_taken(
    platform: str, names: list[bytes], tmp_path: Path
) -> None:
    with opened(several(), tmp_path, platform=platform) as tree:
        assert list(tree.nodes) == names
        assert tree.config is not None
        assert tree.config.names == ("1", "docker.io/library/app:1")
        assert tree.remarks[0].id == "source.parents-made" if b"etc" in names else not tree.remarks


def test_of_several_platforms_none_is_taken_unasked(tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as raised:
        opened(several(), tmp_path)
    assert raised.value.code == "eif.source-choice"
    assert raised.value.message.endswith(": 2 images fit")
    assert [hint.split()[0] for hint in raised.value.hints] == ["choose", "linux/amd64", "linux/arm64"]


@pytest.mark.parametrize("platform", ["linux/s390x", "windows/amd64", "linux/arm64/v9", "linux/arm"])
def test_a_platform_that_is_not_there_is_told(platform: str, tmp_path: Path) -> None:
    code, message = refusal(several(), tmp_path, platform=platform)
    assert (code, message) == ("eif.source-choice", f"/layout: an image for {platform} is not in it")


def test_a_single_image_for_another_platform_is_refused(tmp_path: Path) -> None:
    assert refusal(image(LOWER), tmp_path, platform="linux/arm64")[0] == "eif.source-choice"


def test_platforms_that_were_not_saved_are_no_choice(tmp_path: Path) -> None:
    parts = several()
    [outer] = json.loads(parts["index.json"])["manifests"]
    arm = json.loads(parts["blobs/" + outer["digest"].replace(":", "/")])["manifests"][1]["digest"]
    del parts["blobs/" + arm.replace(":", "/")]
    with opened(parts, tmp_path) as tree:
        assert tree.config is not None
        assert tree.config.architecture == "amd64"


@pytest.mark.parametrize("reference", ["1", "app:1", "library/app:1", "docker.io/library/app:1"])
def test_a_tag_chooses_and_pins_nothing(reference: str, tmp_path: Path) -> None:
    with opened(several(), tmp_path, platform="linux/amd64", reference=reference) as tree:
        [remark] = tree.remarks
    assert (remark.id, remark.concern) == ("source.tag", Concern.UNPINNED)
    assert remark.detail == f"the image was chosen by the tag {reference}, which can be given to another one"


def test_a_digest_chooses_and_pins(tmp_path: Path) -> None:
    parts = several()
    [outer] = json.loads(parts["index.json"])["manifests"]
    inner = json.loads(parts["blobs/" + outer["digest"].replace(":", "/")])["manifests"][0]
    id_ = json.loads(parts["blobs/" + inner["digest"].replace(":", "/")])["config"]["digest"]
    for reference, platform in (
        (inner["digest"], None),
        (outer["digest"], "linux/amd64"),
        (f"team/app@{inner['digest']}", None),
        (id_, None),
    ):
        with opened(parts, tmp_path, reference=reference, platform=platform) as tree:
            assert tree.config is not None
            assert (tree.config.manifest, tree.remarks) == (inner["digest"], ())


@pytest.mark.parametrize("reference", ["2", "pp:1", "sha256:" + "0" * 64])
def test_a_reference_that_is_not_there_is_told(reference: str, tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as raised:
        opened(several(), tmp_path, reference=reference)
    assert raised.value.code == "eif.source-choice"
    assert raised.value.hints == ("it has 1", "it has docker.io/library/app:1")


def test_an_index_that_contradicts_the_image_is_told(tmp_path: Path) -> None:
    parts: Parts = {}
    wrong = manifest(parts, [LOWER], platform={"os": "linux", "architecture": "arm64"})
    with opened(layout(wrong, parts=parts), tmp_path, platform="linux/arm64") as tree:
        assert [remark.id for remark in tree.remarks] == ["source.platform-label"]


def test_indexes_in_indexes_end_somewhere(tmp_path: Path) -> None:
    parts: Parts = {}
    found = manifest(parts, [LOWER])
    for _ in range(3):
        found = put(parts, compact({"manifests": [found]}), INDEX_TYPE)
    with opened(layout(found, parts=parts), tmp_path) as tree:
        assert b"bin/app" in tree.nodes
    found = put(parts, compact({"manifests": [found]}), INDEX_TYPE)
    assert refusal(layout(found, parts=parts), tmp_path)[0] == "eif.source-limit"


def test_indexes_that_multiply_end_somewhere(tmp_path: Path) -> None:
    parts: Parts = {}
    found = manifest(parts, [LOWER])
    for _ in range(2):
        found = put(parts, compact({"manifests": [found] * 100}), INDEX_TYPE)
    assert refusal(layout(found, parts=parts), tmp_path)[0] == "eif.source-limit"


def test_what_is_no_image_is_passed_over_in_an_index(tmp_path: Path) -> None:
    parts: Parts = {}
    other = put(parts, b"{}", "application/vnd.example+json")
    with opened(layout(other, manifest(parts, [LOWER]), parts=parts), tmp_path) as tree:
        assert b"bin/app" in tree.nodes
    assert refusal(layout(other, parts={}), tmp_path)[0] == "eif.source-choice"


def test_an_image_without_a_file_is_refused(tmp_path: Path) -> None:
    """Nothing of it could run; a layer of zeros is an empty archive, and as good as none."""
    why = ("eif.source-empty", "/layout: an image without a file, and an enclave could run nothing of it")
    assert refusal(image(), tmp_path) == why
    assert refusal(image(bytes(1024)), tmp_path) == why


def test_contents_stay_until_the_tree_is_closed_and_no_longer(tmp_path: Path) -> None:
    tree = opened(image(LOWER), tmp_path)
    content = tree.nodes[b"bin/app"].content
    assert content is not None
    assert list(content.chunks()) == list(content.chunks()) == [b"program"]
    tree.close()
    with pytest.raises(ValueError, match="closed file"):
        list(content.chunks())


def test_limits_hold_over_all_layers_together(tmp_path: Path) -> None:
    both = len(LOWER) + len(UPPER)
    opened(image(LOWER, UPPER), tmp_path, limits=Limits(size=both, entries=6)).close()
    assert refusal(image(LOWER, UPPER), tmp_path, limits=Limits(size=both - 1))[0] == "eif.source-limit"
    assert refusal(image(LOWER, UPPER), tmp_path, limits=Limits(entries=5))[0] == "eif.source-limit"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    code, message = refusal(image(LOWER), tmp_path, scratch="/nowhere/at/all")
    assert (code, message) == ("file.unwritable", "/nowhere/at/all: cannot write: no such file or directory")


def test_docker_saves_what_it_says(tmp_path: Path) -> None:
    with saved(docker_save(LOWER, UPPER, tags=["app:2", "app:1"]), tmp_path) as tree:
        assert (tree.kind, list(tree.nodes)) == ("docker", NAMES)
        assert tree.config is not None
        assert (tree.config.names, tree.config.manifest) == (("app:1", "app:2"), "")
        assert tree.config.id == sha256(compact(config([LOWER, UPPER])))
        assert tree.config.entrypoint == tuple(START["Entrypoint"])  # type: ignore[arg-type]


def test_docker_stores_one_layer_once_and_links_to_it(tmp_path: Path) -> None:
    parts = docker_save(LOWER, LOWER)
    [listed] = json.loads(parts["manifest.json"])
    first, second = listed["Layers"]
    del parts[second]
    for link in (symlink(b"", b""), hard_link(b"", b"")):
        kind = link[156:157]
        target = f"../{first}" if kind == b"2" else first
        path = tmp_path / f"{kind!r}.tar"
        linked = header(second.encode(), kind, link=target.encode())
        path.write_bytes(archive(*(file(name.encode(), data) for name, data in parts.items()), linked))
        with open_source(str(path)) as tree:
            assert list(tree.nodes) == [b"bin", b"bin/app", b"gone"]


def test_links_in_a_circle_between_layers_are_missing_layers(tmp_path: Path) -> None:
    parts = docker_save(LOWER)
    [listed] = json.loads(parts["manifest.json"])
    name = listed["Layers"][0]
    del parts[name]
    path = tmp_path / "image.tar"
    path.write_bytes(archive(*(file(n.encode(), d) for n, d in parts.items()), symlink(name.encode(), b"layer.tar")))
    with pytest.raises(CannotAnswer) as raised:
        open_source(str(path))
    assert raised.value.code == "eif.source-format"


def two_images() -> Parts:
    first, second = docker_save(LOWER, tags=["app:1"]), docker_save(UPPER, tags=["reg.example/app:2"])
    [listed] = json.loads(second["manifest.json"])
    renamed = [name.replace("/layer.tar", "x/layer.tar") for name in listed["Layers"]]
    second |= {new: second[old] for new, old in zip(renamed, listed["Layers"], strict=True)}
    both = [*json.loads(first["manifest.json"]), {**listed, "Layers": renamed}]
    return {**second, **first, "manifest.json": compact(both)}


@pytest.mark.parametrize(
    ("reference", "name"), [("app:1", b"bin/app"), ("app:2", b"etc/config"), ("reg.example/app:2", b"etc/config")]
)
def test_of_several_saved_images_a_tag_chooses(reference: str, name: bytes, tmp_path: Path) -> None:
    with saved(two_images(), tmp_path, reference=reference) as tree:
        assert name in tree.nodes
        assert [remark.id for remark in tree.remarks if remark.id == "source.tag"] == ["source.tag"]


def test_of_several_saved_images_none_is_taken_unasked(tmp_path: Path) -> None:
    assert save_refusal(two_images(), tmp_path) == ("eif.source-choice", "/image.tar: 2 images fit")
    assert save_refusal(two_images(), tmp_path, reference="app:3")[0] == "eif.source-choice"
    with saved(two_images(), tmp_path, reference=sha256(compact(config([UPPER])))) as tree:
        assert not [remark for remark in tree.remarks if remark.id == "source.tag"]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"manifest.json": b"{}"}, "eif.source-format", "manifest.json: not a list of at most 1000 images"),
        ({"manifest.json": b'[{"Config":1}]'}, "eif.source-format", "0: Config is not a string"),
        ({"manifest.json": b'[{"Config":"\\ud800"}]'}, "eif.source-format", "0: Config is not a string"),
        ({"manifest.json": b"[]"}, "eif.source-choice", "an image is not in it"),
        (
            {"manifest.json": b'[{"Config":"../../etc/passwd"}]'},
            "eif.source-format",
            "'../../etc/passwd' is missing from the archive",
        ),
    ],
)
def test_a_manifest_of_another_shape_is_refused(change: Parts, code: str, message: str, tmp_path: Path) -> None:
    assert save_refusal({**docker_save(LOWER), **change}, tmp_path, kind="docker")[0] == code
    assert save_refusal({**docker_save(LOWER), **change}, tmp_path, kind="docker")[1].endswith(message)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "a\0b"])
def test_a_directory_of_parts_is_not_left(name: str, tmp_path: Path) -> None:
    parts = {**docker_save(LOWER), "manifest.json": compact([{"Config": name, "Layers": []}])}
    (tmp_path / "secret").write_bytes(b"{}")
    assert refusal(parts, tmp_path, kind="docker") == (
        "eif.source-format",
        f"/layout: {name!r} is no name of a part",
    )


def test_docker_archives_may_be_unpacked_into_a_directory(tmp_path: Path) -> None:
    with opened(docker_save(LOWER, UPPER), tmp_path, kind="docker") as tree:
        assert list(tree.nodes) == NAMES


def test_a_configuration_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    parts = docker_save(LOWER)
    [listed] = json.loads(parts["manifest.json"])
    parts[listed["Config"]] += b" "
    assert save_refusal(parts, tmp_path)[0] == "eif.source-digest"


def test_a_saved_layer_that_changed_is_refused(tmp_path: Path) -> None:
    parts = docker_save(LOWER)
    [listed] = json.loads(parts["manifest.json"])
    parts[listed["Layers"][0]] = LOWER.replace(b"program", b"malware")
    assert save_refusal(parts, tmp_path)[0] == "eif.source-digest"


def test_layers_that_the_configuration_does_not_have_are_refused(tmp_path: Path) -> None:
    parts = docker_save(LOWER)
    [listed] = json.loads(parts["manifest.json"])
    parts["manifest.json"] = compact([{**listed, "Layers": listed["Layers"] * 2}])
    assert save_refusal(parts, tmp_path)[1].endswith("2 layers, but the configuration has 1")


def test_an_archive_from_before_digests_is_refused(tmp_path: Path) -> None:
    parts = docker_save(LOWER)
    del parts["manifest.json"]
    code, message = save_refusal(parts, tmp_path, kind="docker")
    assert (code, message) == ("eif.source-format", "/image.tar: manifest.json is missing")


def test_an_archive_whose_two_indexes_are_of_two_images_is_refused(tmp_path: Path) -> None:
    parts = {**docker_save(UPPER), **image(LOWER)}
    code, message = save_refusal(parts, tmp_path)
    assert code == "eif.source-format"
    assert "manifest.json is about the image" in message


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    members = [file(name.encode(), data) for name, data in image(LOWER).items()]
    path.write_bytes(archive(*members, file(b"./index.json", b"{}")))
    with pytest.raises(CannotAnswer) as raised:
        open_source(str(path))
    assert raised.value.message == f"{path}: two members are called 'index.json'"


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_a_root_file_system_is_not_taken_for_an_image(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(LOWER)
    with pytest.raises(CannotAnswer) as raised:
        open_source(str(path), kind=kind)
    assert raised.value.code == "eif.source-format"
