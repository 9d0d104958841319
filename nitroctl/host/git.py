"""git, where it is there: which commit a directory or a file is of, and whether it is as that commit has it.

Only questions are asked: nothing is fetched, checked out or written, and no lock is taken. What a checkout's own
configuration would start (a file system monitor, hooks) is switched off. Whether content is as committed is git's
answer; filters that the checkout configures are part of it.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nitroctl import safefile
from nitroctl.errors import CannotAnswer
from nitroctl.host import process

_PROGRAM: Final = "git"
_QUIET: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=true")
#: Variables by which a hook or a script points git at another repository than the one of the directory.
_ELSEWHERE: Final = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE"})
_URL: Final = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/@]*@)?(.*)", re.DOTALL)
_SCP: Final = re.compile(r"(?:[^/@:]+@)?[^/@:]+:(?!//).+", re.DOTALL)
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What git says of a path: ``top`` of its checkout, ``path`` from there, and the full ``commit``.

    ``ref``: the tag of the commit when it has one, else the branch, else empty. ``uri``: where the remote ``origin``
    is, without user and password; empty for none, or one on this machine.
    """

    top: str
    path: str
    commit: str
    ref: str
    uri: str


def of(path: str) -> Place:
    """Return what git says of ``path``, which is as its commit has it, to the last file.

    Raises CannotAnswer ``git.missing``, ``git.failed`` (no checkout, no commit), ``git.changed`` when something in it
    is changed, untracked, ignored or left out, ``git.whole`` for the top of a checkout, and ``file.unreadable``.
    """
    real = os.path.realpath(path)
    try:
        os.stat(real)  # noqa: PTH116  (for the error)
    except OSError as error:
        raise safefile.cannot_read(path, error) from error
    inside = real if os.path.isdir(real) else os.path.dirname(real)  # noqa: PTH112, PTH120  (as text)
    top = os.path.realpath(_line(path, inside, "rev-parse", "--show-toplevel"))
    relative = os.path.relpath(real, top)
    if relative == ".":
        raise CannotAnswer(
            f"{path}: is the top of a git checkout, and .git would be part of the image",
            "git.whole",
            ["keep the image's root file system in a directory of its own"],
        )
    _require_committed(path, top, relative)
    return Place(
        top=top,
        path=relative,
        commit=_line(path, top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"),
        ref=_ref(top),
        uri=_public(_said(top, "config", "--get", "remote.origin.url").strip()),
    )


def _require_committed(path: str, top: str, relative: str) -> None:
    """Refuse a path in which something is not as the commit has it, also where git was told to look away."""
    pathspec = f":(literal){relative}"
    listed = [line for line in _output(path, top, "ls-files", "-v", "--", pathspec).splitlines() if line]
    status = _output(
        path, top, "status", "--porcelain=v1", "--untracked-files=all", "--ignored=matching", "--", pathspec
    )
    kinds = {"??": "untracked", "!!": "ignored"}
    wrong = [f"{line[3:]} is {kinds.get(line[:2], 'changed')}" for line in status.splitlines() if line]
    wrong += [f"{line[2:]} is not compared by git" for line in listed if not line.startswith("H ")]
    if not listed and not wrong:
        wrong = ["nothing in it is committed"]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise CannotAnswer(
            f"{path}: not as the commit has it: {wrong[0]}{more}",
            "git.changed",
            ["commit it or remove it: nobody could build the same image from the commit"],
        )


def _ref(top: str) -> str:
    tags = _said(top, "tag", "--points-at", "HEAD").split()
    return f"refs/tags/{tags[0]}" if len(tags) == 1 else _said(top, "symbolic-ref", "--quiet", "HEAD").strip()


def _public(uri: str) -> str:
    """Return a repository's address without who fetched it; empty for one that only this machine has."""
    url = _URL.fullmatch(uri)
    if url:
        return "" if url[1] == "file://" else url[1] + url[2]
    return uri if _SCP.fullmatch(uri) else ""


def _line(path: str, directory: str, *arguments: str) -> str:
    return _output(path, directory, *arguments).removesuffix("\n")


def _output(path: str, directory: str, *arguments: str) -> str:
    """Return what git prints. Raises CannotAnswer ``git.failed`` when it fails, or prints more than is kept."""
    done = _run(directory, *arguments)
    if done.status != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise CannotAnswer(
            f"{path}: git {arguments[0]} failed: {lines[0] if lines else f'exit status {done.status}'}",
            "git.failed",
            ["name what is in a git checkout with a commit, with git 2.16 or later"],
        )
    if done.stdout_dropped:
        raise CannotAnswer(f"{path}: git {arguments[0]} prints more than is read", "git.failed")
    return done.stdout


def _said(directory: str, *arguments: str) -> str:
    """Return what git prints, empty when it has no answer."""
    done = _run(directory, *arguments)
    return done.stdout if done.status == 0 and not done.stdout_dropped else ""


def _run(directory: str, *arguments: str) -> process.Finished:
    program = shutil.which(_PROGRAM)
    if program is None:
        raise CannotAnswer(
            "git: no such program on PATH", "git.missing", ["install git, or say where the source is from yourself"]
        )
    kept = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    env = {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return process.run([program, *_QUIET, *arguments], cwd=Path(directory), env=env, timeout=_PATIENCE_S)
    except OSError as error:
        raise CannotAnswer(
            f"{program}: cannot be started: {(error.strerror or 'error').lower()}", "git.missing"
        ) from error
