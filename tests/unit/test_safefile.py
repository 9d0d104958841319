"""Files are read with a bound and replaced whole or not at all."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitroctl import safefile
from nitroctl.errors import CannotAnswer


def code(caught: pytest.ExceptionInfo[CannotAnswer]) -> str:
    return caught.value.code


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def test_replace_makes_a_file_with_the_mode_less_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        safefile.replace(str(tmp_path / "new"), b"new")
        safefile.replace(str(tmp_path / "private"), b"new", mode=0o600)
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600
    assert names(tmp_path) == ["new", "private"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_replace_keeps_the_mode(old: Path, mode: int) -> None:
    old.chmod(mode)
    safefile.replace(str(old), b"new", mode=0o777)
    assert (old.read_bytes(), stat.S_IMODE(old.stat().st_mode)) == (b"new", mode)


def test_replace_keeps_the_owner(old: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a file somebody else's")
    os.chown(old, 65534, 65533)
    safefile.replace(str(old), b"new")
    assert (old.stat().st_uid, old.stat().st_gid) == (65534, 65533)


def test_replace_keeps_extended_attributes(old: Path) -> None:
    try:
        os.setxattr(old, "user.nitroctl", b"kept")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")
    safefile.replace(str(old), b"new")
    assert os.getxattr(old, "user.nitroctl") == b"kept"


def test_replace_writes_through_a_symbolic_link(tmp_path: Path, old: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere/link"
    link.symlink_to("../file")
    safefile.replace(str(link), b"new")
    assert link.is_symlink()
    assert (old.read_bytes(), names(tmp_path / "elsewhere")) == (b"new", ["link"])


def test_replace_gives_a_new_inode_and_a_new_time(old: Path) -> None:
    os.utime(old, (1, 1))
    before = old.stat()
    with old.open("rb") as reader:
        safefile.replace(str(old), b"new")
        assert reader.read() == b"old"
    assert old.stat().st_ino != before.st_ino
    assert old.stat().st_mtime > 1


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), KeyboardInterrupt(), OSError(errno.EIO, "x"), CannotAnswer("x", "x.y")]
)
def test_an_exception_leaves_the_old_file_and_nothing_else(old: Path, error: BaseException) -> None:
    expected = CannotAnswer if isinstance(error, OSError) else type(error)

    def interrupted() -> None:
        with safefile.replacing(str(old)) as stream:
            stream.write(b"half of the new")
            raise error

    with pytest.raises(expected):
        interrupted()
    assert (old.read_bytes(), names(old.parent)) == (b"old", ["file"])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_leaves_the_old_file_and_nothing_else(old: Path, how: signal.Signals) -> None:
    script = (
        "import signal, sys, time; from nitroctl import safefile; from nitroctl.errors import Terminated\n"
        "def end(*_): raise Terminated\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "with safefile.replacing(sys.argv[1]) as stream:\n"
        "    stream.write(b'half'); stream.flush(); print('now', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(old)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"now\n"
        assert len(names(old.parent)) == 2
        process.send_signal(how)
    assert (old.read_bytes(), names(old.parent)) == (b"old", ["file"])


LIMITED = """
import resource, signal, sys
from nitroctl import safefile
from nitroctl.errors import CannotAnswer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    safefile.replace(sys.argv[1], b"x" * int(sys.argv[2]))
except CannotAnswer as error:
    print(error.code, error.message.rpartition(": ")[2])
"""


@pytest.mark.parametrize("size", [11, 10_000_000])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(old: Path, size: int) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, str(old), str(size)], capture_output=True, check=True)
    assert done.stdout == b"file.unwritable file too large\n"
    assert (old.read_bytes(), names(old.parent)) == (b"old", ["file"])


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB that is nearly full."""
    where = tmp_path / "tiny"
    where.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(where)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("may not mount a file system here")
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def test_no_space_is_said_and_the_old_file_stays(tiny: Path) -> None:
    path = tiny / "file"
    path.write_bytes(b"old")
    with pytest.raises(CannotAnswer) as caught:
        safefile.replace(str(path), bytes(1024 * 1024))
    assert code(caught) == "file.unwritable"
    assert caught.value.hints == ("free some space; the old file is unchanged",)
    assert (path.read_bytes(), names(tiny)) == (b"old", ["file"])


def test_a_directory_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(CannotAnswer) as caught:
        safefile.replace(str(tmp_path / "directory"), b"new")
    assert code(caught) == "file.not-regular"
    assert names(tmp_path) == ["directory"]


def test_a_fifo_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(CannotAnswer) as caught:
        safefile.replace(str(tmp_path / "fifo"), b"new")
    assert code(caught) == "file.not-regular"
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    assert names(tmp_path) == ["fifo"]


@pytest.mark.parametrize("path", ["none/file", "file/below", "x" * 300, "a\0b", ""])
def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: Path, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CannotAnswer) as caught:
        safefile.replace(path, b"new")
    assert code(caught) in ("file.unwritable", "file.not-regular")
    assert names(tmp_path) == ["file"]


def test_a_finished_file_is_put_in_place(tmp_path: Path, old: Path) -> None:
    finished = tmp_path / "finished"
    finished.write_bytes(b"new")
    safefile.put_in_place(str(finished), str(old))
    assert (old.read_bytes(), names(tmp_path)) == (b"new", ["file"])


def test_a_finished_file_replaces_a_links_target(tmp_path: Path, old: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "finished").write_bytes(b"new")
    safefile.put_in_place(str(tmp_path / "finished"), str(tmp_path / "link"))
    assert (old.read_bytes(), (tmp_path / "link").is_symlink()) == (b"new", True)


def test_nothing_can_be_put_in_place(tmp_path: Path, old: Path) -> None:
    with pytest.raises(CannotAnswer) as caught:
        safefile.put_in_place(str(tmp_path / "none"), str(old))
    assert code(caught) == "file.unwritable"
    assert old.read_bytes() == b"old"


def test_read_up_to_the_limit(old: Path) -> None:
    assert safefile.read_bytes(str(old), limit=3) == b"old"
    with pytest.raises(CannotAnswer) as caught:
        safefile.read_bytes(str(old), limit=2)
    assert code(caught) == "file.too-large"


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as stream:
        stream.truncate(10 * 2**30)
    with pytest.raises(CannotAnswer) as caught:
        safefile.read_bytes(str(path), limit=1024)
    assert caught.value.message == f"{path}: larger than 1024 bytes, the most this command reads"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing", "file.unreadable"),
        ("directory", "file.unreadable"),
        ("fifo", "file.not-regular"),
        ("device", "file.not-regular"),
        ("loop", "file.unreadable"),
        ("nul", "file.unreadable"),
    ],
)
def test_what_is_not_read(tmp_path: Path, kind: str, expected: str) -> None:
    path = tmp_path / "x"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to("x")
    name = {"device": "/dev/zero", "nul": "a\0b"}.get(kind, str(path))
    with pytest.raises(CannotAnswer) as caught:
        safefile.read_bytes(name, limit=10)
    assert code(caught) == expected


def test_a_file_one_may_not_read(old: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    old.chmod(0)
    with pytest.raises(CannotAnswer) as caught:
        safefile.read_bytes(str(old), limit=10)
    assert caught.value.hints == ("check the permissions, or run as the user who may read it",)


def test_text_is_utf8_or_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("Größe".encode())
    assert safefile.read_text(str(path), limit=10) == "Größe"
    path.write_bytes(b"ab\xff")
    with pytest.raises(CannotAnswer) as caught:
        safefile.read_text(str(path), limit=10)
    assert (code(caught), caught.value.message) == ("file.not-utf8", f"{path}: not UTF-8 text: byte 2")


def test_a_lock_is_held_for_the_block_only(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with safefile.locked(path, what="the thing"):
        with pytest.raises(CannotAnswer) as caught, safefile.locked(path, what="the thing", wait=False):
            pass
        assert code(caught) == "file.locked"
        assert caught.value.message == "the thing is in use by another nitroctl"
    with safefile.locked(path, what="the thing", wait=False):
        pass
    assert names(tmp_path) == ["lock"]


def test_a_waiting_lock_gets_its_turn(tmp_path: Path) -> None:
    path, order = str(tmp_path / "lock"), []

    def second() -> None:
        with safefile.locked(path, what="x"):
            order.append("second")

    with safefile.locked(path, what="x"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)  # gives a lock that does not hold the chance to show it
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("target")
    with pytest.raises(CannotAnswer) as caught, safefile.locked(str(tmp_path / "lock"), what="x"):
        pass
    assert code(caught) == "file.unwritable"
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_nothing_is_put_in_place_of_what_is_not_a_file(tmp_path: Path, kind: str) -> None:
    finished, there = tmp_path / "finished", tmp_path / "there"
    finished.write_bytes(b"new")
    os.mkfifo(there) if kind == "fifo" else there.mkdir()
    before = there.lstat()
    with pytest.raises(CannotAnswer) as caught:
        safefile.put_in_place(str(finished), str(there))
    assert caught.value.code == {"fifo": "file.not-regular", "directory": "file.unwritable"}[kind]
    assert (there.lstat().st_ino, there.lstat().st_mode) == (before.st_ino, before.st_mode)
