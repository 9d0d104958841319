"""A root file system in a directory: whose copy it is does not show, and no link is followed."""

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from nitroctl.eif.tree import EPOCH, Concern, Limits, Node, Tree, open_source
from nitroctl.errors import CannotAnswer
from tests.conftest import as_nobody


def make(place: Path, *, mask: int = 0o022, time: int = 1_700_000_000) -> Path:
    """Make a small root file system as a checkout with the umask ``mask`` at ``time`` would."""
    old = os.umask(mask)
    try:
        (place / "bin").mkdir(parents=True)
        (place / "bin" / "app").write_bytes(b"#!/bin/sh\n")
        (place / "bin" / "app").chmod(0o777 & ~mask)
        (place / "etc").mkdir()
        (place / "etc" / "config").write_bytes(b"a=1\n")
        (place / "etc" / "empty").touch()
        (place / "sh").symlink_to("bin/app")
    finally:
        os.umask(old)
    for path in (place, *place.rglob("*")):
        os.utime(path, (time, time), follow_symlinks=False)
    return place


def taken(tree: Tree) -> dict[bytes, tuple[Node, bytes]]:
    """Return nodes without their content, and their content."""
    found = {}
    for name, node in tree.nodes.items():
        content = b"".join(node.content.chunks()) if node.content is not None else b""
        fields = {field: getattr(node, field) for field in Node.__dataclass_fields__ if field != "content"}
        found[name] = (Node(**fields), content)
    return found


def refusal(path: Path, **how: int) -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as raised:
        open_source(str(path), limits=Limits(**how))
    return raised.value.code, raised.value.message


def test_the_tree_has_stated_owners_modes_and_times(tmp_path: Path) -> None:
    with open_source(str(make(tmp_path / "root", mask=0o077))) as tree:
        assert tree.kind == "directory"
        assert tree.config is None
        assert tree.root == Node(name=b"", mode=stat.S_IFDIR | 0o755)
        assert taken(tree) == {
            b"bin": (Node(name=b"bin", mode=stat.S_IFDIR | 0o755), b""),
            b"bin/app": (Node(name=b"bin/app", mode=stat.S_IFREG | 0o755), b"#!/bin/sh\n"),
            b"etc": (Node(name=b"etc", mode=stat.S_IFDIR | 0o755), b""),
            b"etc/config": (Node(name=b"etc/config", mode=stat.S_IFREG | 0o644), b"a=1\n"),
            b"etc/empty": (Node(name=b"etc/empty", mode=stat.S_IFREG | 0o644), b""),
            b"sh": (Node(name=b"sh", mode=stat.S_IFLNK | 0o777, target=b"bin/app"), b""),
        }
        assert [(remark.id, remark.concern, remark.count) for remark in tree.remarks] == [
            ("source.times-set", Concern.CHANGED, 0),
            ("source.modes-set", Concern.CHANGED, 6),
        ]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077])
def test_copies_of_two_users_are_one_tree(mask: int, tmp_path: Path) -> None:
    mine = make(tmp_path / "mine")
    theirs = make(tmp_path / "theirs", mask=mask, time=1_000_000_000 + mask)
    if os.geteuid() == 0:
        for path in (theirs, *theirs.rglob("*")):
            os.chown(path, 1234, 5678, follow_symlinks=False)
    with open_source(str(mine)) as one, open_source(str(theirs)) as other:
        assert list(one.nodes) == list(other.nodes)
        assert taken(one) == taken(other)
        assert one.root == other.root


def test_a_copy_without_hard_links_is_the_same_tree(tmp_path: Path) -> None:
    mine, theirs = make(tmp_path / "mine"), make(tmp_path / "theirs")
    (mine / "second").hardlink_to(mine / "bin" / "app")
    (theirs / "second").write_bytes(b"#!/bin/sh\n")
    (theirs / "second").chmod(0o755)
    with open_source(str(mine)) as one, open_source(str(theirs)) as other:
        assert taken(one) == taken(other)
        [split] = [remark for remark in one.remarks if remark.id == "source.links-split"]
        assert (split.count, split.examples) == (1, (b"second",))


def test_special_bits_are_dropped_and_told(tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    (root / "bin" / "app").chmod(0o4755)
    with open_source(str(root)) as tree:
        assert tree.nodes[b"bin/app"].mode == stat.S_IFREG | 0o755
        assert [remark.examples for remark in tree.remarks if remark.id == "source.special-bits"] == [(b"bin/app",)]


def test_attributes_are_kept_exactly_when_asked_for(tmp_path: Path) -> None:
    root = make(tmp_path / "root", time=1_000_000_000)
    (root / "bin" / "app").chmod(0o4750)
    (root / "second").hardlink_to(root / "bin" / "app")
    os.utime(root / "bin" / "app", (0, 1_000_000_000))
    os.utime(root / "etc" / "config", (EPOCH + 5, EPOCH + 5))
    with open_source(str(root), exact=True) as tree:
        app = tree.nodes[b"bin/app"]
        assert (app.mode, app.uid, app.mtime) == (stat.S_IFREG | 0o4750, os.geteuid(), 1_000_000_000)
        assert (tree.nodes[b"second"].hard_link, tree.nodes[b"second"].content) == (b"bin/app", None)
        assert tree.nodes[b"etc/config"].mtime == EPOCH
        assert b"etc/config" in next(r for r in tree.remarks if r.id == "source.times-clamped").examples


def test_links_are_carried_over_and_never_followed(tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to("/etc")
    (root / "up").symlink_to("..")
    with open_source(str(root)) as tree:
        assert [tree.nodes[name].target for name in (b"loop", b"out", b"up")] == [b"loop", b"/etc", b".."]
        assert not [name for name in tree.nodes if name.startswith((b"out/", b"up/", b"loop/"))]


def test_pipes_and_devices_are_carried_over_and_sockets_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(tmp_path / "root")
    os.mkfifo(root / "pipe", 0o600)
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with open_source(".") as tree:
            assert stat.S_ISFIFO(tree.nodes[b"pipe"].mode)
            assert b"socket" not in tree.nodes
            assert [(r.concern, r.examples) for r in tree.remarks if r.id == "source.sockets"] == [
                (Concern.LOST, (b"socket",))
            ]


def test_devices_keep_their_numbers_and_modes(tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    try:
        os.mknod(root / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        (root / "null").chmod(0o666)
    except PermissionError:
        pytest.skip("needs the right to make devices")
    with open_source(str(root)) as tree:
        assert tree.nodes[b"null"] == Node(name=b"null", mode=stat.S_IFCHR | 0o666, rdev=(1, 3))


def test_capabilities_are_told_as_lost(tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    try:
        os.setxattr(root / "bin" / "app", "security.capability", bytes.fromhex("0100000200200000") + bytes(12))
    except OSError:
        pytest.skip("needs the right to set capabilities")
    with open_source(str(root)) as tree:
        assert [(r.concern, r.examples) for r in tree.remarks if r.id == "source.capabilities"] == [
            (Concern.LOST, (b"bin/app",))
        ]


def test_names_are_bytes(tmp_path: Path) -> None:
    root = os.fsencode(make(tmp_path / "root"))
    for name in (b"\xff", b"new\nline"):
        os.close(os.open(root + b"/" + name, os.O_CREAT))
    with open_source(os.fsdecode(root)) as tree:
        assert {b"\xff", b"new\nline"} <= set(tree.nodes)


def test_the_locale_changes_nothing(tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    for name in ("Ä", "a", "B", "z"):
        (root / name).touch()
    import sys

    script = "import sys; from nitroctl.eif.tree import open_source; print(list(open_source(sys.argv[1]).nodes))"
    said = {
        subprocess.run(
            [sys.executable, "-c", script, str(root)],
            env={**os.environ, "LC_ALL": locale, "PYTHONUTF8": utf8},
            capture_output=True,
            check=True,
        ).stdout
        for locale, utf8 in (("C", "0"), ("C.UTF-8", "0"), ("POSIX", "1"))
    }
    assert len(said) == 1


@pytest.mark.parametrize("change", ["longer", "shorter", "same-size", "replaced", "gone", "link"])
def test_a_file_that_changes_before_it_is_read_is_an_error(change: str, tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    path = root / "etc" / "config"
    with open_source(str(root)) as tree:
        content = tree.nodes[b"etc/config"].content
        assert content is not None
        if change in ("longer", "shorter", "same-size"):
            path.write_bytes({"longer": b"a=1\nb=2\n", "shorter": b"", "same-size": b"a=2\n"}[change])
        else:
            path.unlink()
        if change == "replaced":
            path.write_bytes(b"a=1\n")
        if change == "link":
            path.symlink_to("/etc/passwd")
        with pytest.raises(CannotAnswer) as raised:
            list(content.chunks())
        assert raised.value.code == ("file.unreadable" if change in ("gone", "link") else "eif.source-changed")


def test_a_directory_that_becomes_a_link_is_not_followed(tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    with open_source(str(root)) as tree:
        (root / "etc").rename(tmp_path / "aside")
        (root / "etc").symlink_to(tmp_path / "aside")
        content = tree.nodes[b"etc/config"].content
        assert content is not None
        with pytest.raises(CannotAnswer) as raised:
            list(content.chunks())
    assert raised.value.code == "file.unreadable"


def test_limits_hold_for_directories_too(tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    assert refusal(root, entries=5) == ("eif.source-limit", f"{root}: more than 5 entries")
    assert refusal(root, size=13) == ("eif.source-limit", f"{root}: more than 13 bytes when unpacked")
    assert refusal(root, names=10) == ("eif.source-limit", f"{root}: names of more than 10 bytes altogether")
    with (root / "huge").open("wb") as stream:
        stream.truncate(1 << 40)
    assert refusal(root)[0] == "eif.source-limit"


def test_a_name_longer_than_a_kernel_unpacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.chdir(root)
    for _ in range(17):
        Path("d" * 250).mkdir()
        os.chdir("d" * 250)
    monkeypatch.chdir(tmp_path)
    code, message = refusal(root)
    assert code == "eif.source-name"
    assert message.endswith("longer than the 4088 bytes that a kernel unpacks")


def test_a_directory_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    import sys

    root = make(tmp_path / "root")
    (root / "etc").chmod(0o700)
    for path in (tmp_path, *tmp_path.parents[:3]):
        if path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o055)
    script = "import sys; from nitroctl.eif.tree import open_source; open_source(sys.argv[1])"
    done = subprocess.run(
        [*as_nobody(), sys.executable, "-c", script, str(root)], capture_output=True, text=True, check=False
    )
    assert f"nitroctl.errors.CannotAnswer: {root}/etc: cannot read: permission denied" in done.stderr


@pytest.mark.parametrize("kind", ["tar", "oci", "docker"])
def test_a_directory_is_not_taken_for_what_it_is_not(kind: str, tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    with pytest.raises(CannotAnswer) as raised:
        open_source(str(root), kind=kind)  # type: ignore[arg-type]
    assert raised.value.code in ("eif.source-kind", "file.unreadable", "eif.source-format")
