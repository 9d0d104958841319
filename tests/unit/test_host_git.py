"""What git is asked about a path, and when its answer is not enough."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nitroctl.errors import CannotAnswer
from nitroctl.host import git


def run(*arguments: str) -> str:
    """Run git here, as nobody in particular."""
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with an image's files in image/rootfs and an archive beside them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "image/rootfs/bin").mkdir(parents=True)
    (tmp_path / "image/rootfs/bin/app").write_text("app\n")
    (tmp_path / "image/app.tar").write_text("archive\n")
    (tmp_path / ".gitignore").write_text("*.o\n")
    (tmp_path / "README").write_text("about\n")
    run("init", "-q")
    run("add", ".")
    run("commit", "-q", "-m", "first")
    return tmp_path


def refused(path: str) -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as caught:
        git.of(path)
    return caught.value.code, caught.value.message


def test_a_directory_and_a_file_have_a_commit_and_a_place(checkout: Path) -> None:
    commit = run("rev-parse", "HEAD")
    top = str(checkout.resolve())
    assert git.of("image/rootfs") == git.Place(
        top=top, path="image/rootfs", commit=commit, ref="refs/heads/main", uri=""
    )
    assert git.of("image/app.tar").path == "image/app.tar"
    os.chdir("image")
    assert git.of("./rootfs/").path == "image/rootfs"


def test_a_link_is_followed_to_what_git_knows(checkout: Path) -> None:
    (checkout / "link").symlink_to("image/rootfs")
    assert git.of("link").path == "image/rootfs"


@pytest.mark.parametrize(
    ("origin", "uri"),
    [
        ("https://example.com/app.git", "https://example.com/app.git"),
        ("https://user:secret@example.com/app.git", "https://example.com/app.git"),
        ("https://token@example.com:8443/a@b.git", "https://example.com:8443/a@b.git"),
        ("ssh://git@example.com/app.git", "ssh://example.com/app.git"),
        ("git@example.com:team/app.git", "git@example.com:team/app.git"),
        ("/srv/git/app.git", ""),
        ("../app.git", ""),
        ("file:///srv/git/app.git", ""),
    ],
)
def test_where_it_is_from_has_no_secret_and_no_place_of_this_machine(origin: str, uri: str) -> None:
    run("remote", "add", "origin", origin)
    assert git.of("image/rootfs").uri == uri


def test_one_tag_names_the_commit_better_than_its_branch() -> None:
    run("tag", "v1")
    assert git.of("image/rootfs").ref == "refs/tags/v1"
    run("tag", "v1.0")
    assert git.of("image/rootfs").ref == "refs/heads/main"
    run("checkout", "-q", "--detach")
    assert git.of("image/rootfs").ref == ""


def ignored() -> None:
    Path("image/rootfs/bin/app.o").write_text("object\n")


def untracked() -> None:
    Path("image/rootfs/new").write_text("new\n")


def edited() -> None:
    Path("image/rootfs/bin/app").write_text("other\n")


def made_executable() -> None:
    Path("image/rootfs/bin/app").chmod(0o755)


def removed() -> None:
    Path("image/rootfs/bin/app").unlink()


def staged() -> None:
    edited()
    run("add", "image")


def looked_away() -> None:
    run("update-index", "--assume-unchanged", "image/rootfs/bin/app")
    edited()


def skipped() -> None:
    run("update-index", "--skip-worktree", "image/rootfs/bin/app")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (ignored, "image/rootfs/bin/app.o is ignored"),
        (untracked, "image/rootfs/new is untracked"),
        (edited, "image/rootfs/bin/app is changed"),
        (made_executable, "image/rootfs/bin/app is changed"),
        (removed, "image/rootfs/bin/app is changed"),
        (staged, "image/rootfs/bin/app is changed"),
        (looked_away, "image/rootfs/bin/app is not compared by git"),
        (skipped, "image/rootfs/bin/app is not compared by git"),
    ],
)
def test_what_is_not_as_the_commit_has_it_is_refused(change: Callable[[], None], said: str) -> None:
    change()
    assert refused("image/rootfs") == ("git.changed", f"image/rootfs: not as the commit has it: {said}")


def test_what_is_changed_elsewhere_is_no_concern() -> None:
    Path("README").write_text("other\n")
    Path("image/app.tar").write_text("other\n")
    assert git.of("image/rootfs").path == "image/rootfs"


def test_several_changes_are_counted() -> None:
    untracked()
    ignored()
    assert refused("image/rootfs")[1].endswith("image/rootfs/new is untracked, and 1 more")


def test_a_directory_without_a_file_is_not_in_a_commit() -> None:
    Path("empty").mkdir()
    assert refused("empty") == ("git.changed", "empty: not as the commit has it: nothing in it is committed")


def test_a_name_is_no_pattern() -> None:
    Path("i*").mkdir()
    Path("i*/file").write_text("x")
    assert refused("i*") == ("git.changed", "i*: not as the commit has it: i*/file is untracked")


def test_the_top_of_a_checkout_is_refused() -> None:
    assert refused(".") == ("git.whole", ".: is the top of a git checkout, and .git would be part of the image")


def test_what_is_not_there_cannot_be_read() -> None:
    assert refused("nosuch")[0] == "file.unreadable"


def test_outside_of_a_checkout_git_says_why_not(tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    code, message = refused(str(other))
    assert code == "git.failed"
    assert message.startswith(f"{other}: git rev-parse failed: fatal: not a git repository")


def test_a_checkout_without_a_commit(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("fresh"))
    run("init", "-q")
    Path("rootfs").mkdir()
    Path("rootfs/app").write_text("app")
    run("add", ".")
    assert refused("rootfs")[0] == "git.changed"


def test_a_hook_s_own_repository_is_not_taken_for_that_of_the_path(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = git.of("image/rootfs")
    monkeypatch.setenv("GIT_DIR", str(tmp_path_factory.mktemp("elsewhere") / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", "nosuch")
    assert git.of("image/rootfs") == expected


def test_a_checkout_does_not_start_programs(checkout: Path) -> None:
    program = checkout / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {checkout}/started\n")
    program.chmod(0o755)
    run("config", "core.fsmonitor", str(program))
    assert git.of("image/rootfs").path == "image/rootfs"
    assert not Path("started").exists()


def test_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert refused("image/rootfs") == ("git.missing", "git: no such program on PATH")


def test_a_git_that_cannot_be_started(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "bin").mkdir()
    (checkout / "bin/git").write_text("#!/nonexistent\n")
    (checkout / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", str(checkout / "bin"))
    assert refused("image/rootfs")[0] == "git.missing"
