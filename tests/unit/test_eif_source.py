"""What a path is taken for, and that nothing but its bytes decides what comes out."""

import os
import resource
from pathlib import Path

import pytest

from nitroctl.eif.tree import Kind, Limits, Tree, open_source
from nitroctl.errors import CannotAnswer
from tests.oci_images import (
    PACKING,
    archive,
    as_archive,
    as_directory,
    directory,
    docker_save,
    file,
    hard_link,
    header,
    image,
    padded,
    pax,
    whiteout,
)

ROOT = archive(directory(b"."), directory(b"bin"), file(b"bin/app", b"program", mode=0o755), file(b"z", mtime=1 << 32))
NO_END = "ends without the blocks of zeros that end an archive"


def put(data: bytes, path: Path) -> str:
    path.write_bytes(data)
    return str(path)


def refusal(path: str, kind: Kind = "auto", **limits: int) -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as raised:
        open_source(path, kind=kind, limits=Limits(**limits))
    return raised.value.code, raised.value.message.removeprefix(path)


def contents(tree: Tree) -> dict[bytes, bytes]:
    with tree:
        return {name: b"".join(node.content.chunks()) for name, node in tree.nodes.items() if node.content is not None}


@pytest.mark.parametrize("packing", PACKING)
def test_a_root_file_system_in_a_tar_archive_is_taken_as_it_is(packing: str, tmp_path: Path) -> None:
    with open_source(put(PACKING[packing](ROOT), tmp_path / "root.tar")) as tree:
        assert (tree.kind, tree.config, list(tree.nodes)) == ("tar", None, [b"bin", b"bin/app", b"z"])
        assert tree.nodes[b"bin/app"].mode & 0o7777 == 0o755
        assert [(remark.id, remark.count) for remark in tree.remarks] == [("source.times-clamped", 1)]
    assert contents(open_source(str(tmp_path / "root.tar"))) == {b"bin/app": b"program", b"z": b""}


def test_contents_of_an_archive_can_be_read_again_and_again(tmp_path: Path) -> None:
    large = bytes(range(256)) * 10_000
    sparse = pax(GNU_sparse_map="1000,3,5000,3", GNU_sparse_numblocks="2", GNU_sparse_size="9000", GNU_sparse_name="s")
    path = put(archive(file(b"l", large), sparse + file(b"x", b"abcdef")), tmp_path / "root.tar")
    expected = bytes(1000) + b"abc" + bytes(3997) + b"def" + bytes(3997)
    with open_source(path) as tree:
        for name, content in ((b"l", large), (b"s", expected)):
            node = tree.nodes[name]
            assert node.content is not None
            assert node.content.size == len(content)
            for _ in range(2):
                assert b"".join(node.content.chunks()) == content
            assert max(map(len, node.content.chunks())) <= 1 << 20


@pytest.mark.parametrize("change", ["longer", "same-size"])
def test_an_archive_that_changes_before_it_is_read_is_an_error(change: str, tmp_path: Path) -> None:
    path = tmp_path / "root.tar"
    with open_source(put(ROOT, path)) as tree:
        content = tree.nodes[b"bin/app"].content
        assert content is not None
        with path.open("r+b") as stream:
            stream.write(ROOT.replace(b"program", b"malware") + (b"x" if change == "longer" else b""))
        os.utime(path, (5, 5))
        with pytest.raises(CannotAnswer) as raised:
            list(content.chunks())
    assert (raised.value.code, raised.value.message) == ("eif.source-changed", f"{path}: changed while it was read")


def test_names_that_hide_others_hide_nothing_in_a_root_file_system(tmp_path: Path) -> None:
    with open_source(put(archive(file(b"a"), whiteout(b"a")), tmp_path / "root.tar")) as tree:
        assert list(tree.nodes) == [b".wh.a", b"a"]
        assert [(remark.id, remark.examples) for remark in tree.remarks] == [("source.whiteout-names", (b".wh.a",))]


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"", "eif.source-kind", ": not a tar archive"),
        (b".eif" + bytes(600), "eif.source-kind", ": not a tar archive"),
        (b"text\n" * 200, "eif.source-kind", ": not a tar archive"),
        (ROOT[:-1024], "eif.source-tar", f": tar archive, at byte 2560: {NO_END}"),
        (PACKING["+gzip"](ROOT)[:-9], "eif.source-compression", ": gzip data ends in the middle"),
        (PACKING["+gzip"](b"text"), "eif.source-kind", ": not a tar archive"),
        (archive(hard_link(b"h", b"/etc/x")), "eif.source-layer", ": h: a hard link to /etc/x, which is not there"),
        (archive(file(b"../x")), "eif.source-name", ": ../x: leads out of its directory"),
        (archive(), "eif.source-empty", ": an empty tar archive, and an enclave could run nothing of it"),
        (bytes(10_240), "eif.source-empty", ": an empty tar archive, and an enclave could run nothing of it"),
    ],
)  # fmt: skip
def test_what_is_no_source_is_refused(data: bytes, code: str, message: str, tmp_path: Path) -> None:
    assert refusal(put(data, tmp_path / "file")) == (code, message)


def test_a_directory_without_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rootfs").mkdir()
    before = descriptors()
    why = ("eif.source-empty", ": an empty directory, and an enclave could run nothing of it")
    assert refusal(str(tmp_path / "rootfs")) == why
    assert descriptors() == before


def test_a_file_that_claims_more_than_it_has_is_refused(tmp_path: Path) -> None:
    for size in (1, 1 << 20, (1 << 33) - 1):
        data = archive(file(b"a"), header(b"f", size=size), end=b"")
        assert refusal(put(data, tmp_path / "file"))[0] == "eif.source-tar"


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(str(tmp_path / "missing"))[0] == "file.unreadable"
    assert refusal(str(tmp_path / "pipe"))[0] == "file.not-regular"
    assert refusal("/dev/zero")[0] == "file.not-regular"
    assert refusal(str(tmp_path / "missing"), kind="directory")[0] == "eif.source-kind"


def test_kinds_are_recognised_by_what_is_inside(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    found = {
        "directory": str(root),
        "oci": str(as_directory(image(ROOT), tmp_path / "layout")),
        "docker": put(as_archive(docker_save(ROOT)), tmp_path / "docker.tar"),
        "tar": put(ROOT, tmp_path / "root.tar"),
    }
    for kind, path in found.items():
        with open_source(path) as tree:
            assert tree.kind == kind


@pytest.mark.parametrize("text", [b"", b"{}", b'{"name":"app"}', b"[1]", b'[{"src":"a"}]', b"[" * 100_000])
def test_a_root_file_system_may_have_a_manifest_of_its_own(text: bytes, tmp_path: Path) -> None:
    with open_source(put(archive(file(b"manifest.json", text), file(b"a")), tmp_path / "root.tar")) as tree:
        assert (tree.kind, list(tree.nodes)) == ("tar", [b"a", b"manifest.json"])


def test_an_image_is_found_behind_many_members(tmp_path: Path) -> None:
    many = [file(b"blobs/sha256/%064d" % number) for number in range(9_000)]
    members = [file(name.encode(), data) for name, data in image(ROOT).items()]
    with open_source(put(archive(*many, *members), tmp_path / "image.tar")) as tree:
        assert tree.kind == "oci"


def test_a_root_file_system_is_known_by_its_many_members(tmp_path: Path) -> None:
    members = file(b"f") * 10_002 + file(b"oci-layout") + file(b"index.json")
    with open_source(put(archive(members), tmp_path / "root.tar")) as tree:
        assert tree.kind == "tar"


def test_a_layout_can_be_read_as_the_directory_it_is(tmp_path: Path) -> None:
    with open_source(str(as_directory(image(ROOT), tmp_path / "layout")), kind="directory") as tree:
        assert {b"oci-layout", b"index.json"} <= set(tree.nodes)


def test_limits_hold_for_archives_too(tmp_path: Path) -> None:
    path = put(ROOT, tmp_path / "root.tar")
    assert refusal(path, entries=3) == ("eif.source-limit", ": more than 3 entries")
    assert refusal(path, size=6) == ("eif.source-limit", ": more than 6 bytes when unpacked")
    packed = put(PACKING["+zstd"](ROOT + bytes(1 << 20)), tmp_path / "packed")
    assert refusal(packed, size=1 << 20)[0] == "eif.source-limit"


def test_an_archive_of_nothing_but_headers_ends_at_the_limit(tmp_path: Path) -> None:
    packed = PACKING["+gzip"](archive(file(b"f") * 5000))
    assert refusal(put(packed, tmp_path / "many.tar.gz"), entries=4000)[0] == "eif.source-limit"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_temporary_files_are_given_back_when_reading_fails(tmp_path: Path) -> None:
    path = put(PACKING["+gzip"](archive(file(b"../x"))), tmp_path / "file")
    before = descriptors()
    refusal(path)
    assert descriptors() == before
    open_source(put(ROOT, tmp_path / "root.tar")).close()
    assert descriptors() == before


def test_padding_of_the_last_member_may_not_be_missing(tmp_path: Path) -> None:
    whole = archive(file(b"f", b"x"))
    assert refusal(put(whole[: 512 + 1], tmp_path / "file"))[0] == "eif.source-tar"
    assert padded(b"x") == whole[512:1024]


@pytest.mark.parametrize("kind", ["docker", "tar"])
def test_a_disk_that_is_full_is_told_as_that_and_nothing_is_left(kind: str, tmp_path: Path) -> None:
    large = archive(file(b"f", bytes(range(256)) * 20_000))
    path = put(PACKING["+gzip"](as_archive(docker_save(large)) if kind == "docker" else large), tmp_path / "source")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))
    try:
        with pytest.raises(CannotAnswer) as raised:
            open_source(path, scratch=str(scratch))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (raised.value.code, raised.value.message) == (
        "file.unwritable",
        f"{scratch}: cannot write: file too large",
    )
    assert not list(scratch.iterdir())
