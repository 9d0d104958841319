"""``nitroctl init``: a small worked project, written whole or not at all."""

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from nitroctl.cli.tree import single, verb
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Headline, Table, Text

app = single()

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PLACEHOLDER: Final = b"@NAME@"
#: In templates/ a leading dot is written so, for tools that pass over hidden files when they pack.
_DOT: Final = "dot-"


@verb(
    app,
    "init",
    """
nitroctl init signer
nitroctl init ./projects/new --name signer
""",
)
def init(
    directory: Annotated[str, typer.Argument(help="Where the project goes: new, or empty.", metavar="DIR")],
    name: Annotated[
        str | None, typer.Option("--name", help="The project's name.  [default: the directory's]", metavar="NAME")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Add what is missing to a directory with files; none is overwritten.")
    ] = False,
) -> Result:
    """Write a small worked project: enclave, parent client, allocator, key policy inputs, CI.

    A new directory appears whole or not at all. README.md in it is the walk from building the image to verifying an
    attestation document, every command as it is to be typed.
    """
    path = Path(directory)
    if name is None:
        name = Path(os.path.realpath(directory)).name
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"not a project name: {name!r}",
            "init.name",
            ["give --name: a lower-case letter, then up to 62 lower-case letters, digits or hyphens"],
        )
    files = project(name)
    try:
        actions = _into_existing(path, files, force=force) if os.path.lexists(path) else _whole(path, files)
    except OSError as error:
        from nitroctl import safefile

        raise safefile.cannot_write(directory, error) from error
    kept = [file for file, action in actions.items() if action == "kept"]
    created = sum(action == "created" for action in actions.values())
    notes = [f"{directory}/{file} differs from what init writes, and is kept as it is" for file in kept]
    return Result(
        schema="init/1",
        data={
            "directory": directory,
            "name": name,
            "files": [{"path": file, "action": action} for file, action in actions.items()],
        },
        view=[
            Headline(f"{directory}: {created} file{'' if created == 1 else 's'} of project {name} written"),
            Table(("file", "action"), list(actions.items())),
            Text(f"Next: cd {directory}, and follow README.md."),
        ],
        notes=notes,
    )


def templates() -> Path:
    """Return the directory of the templates: in the package when installed, beside it in a checkout.

    Raises CannotAnswer ``init.templates``.
    """
    package = Path(__file__).parent.parent
    for candidate in (package / "templates", package.parent / "templates"):
        if (candidate / "enclave" / "Dockerfile").is_file():
            return candidate
    raise CannotAnswer("the project templates are not installed", "init.templates", ["install nitroctl again"])


def project(name: str) -> dict[str, bytes]:
    """Return the files of a project by relative path, its name in place. ``name``: checked by the caller."""
    source = templates()
    found: dict[str, bytes] = {}
    for path in sorted(source.rglob("*")):
        if not path.is_file() or "__pycache__" in path.parts:
            continue
        parts = [re.sub(rf"^{_DOT}", ".", part) for part in path.relative_to(source).parts]
        found["/".join(parts)] = path.read_bytes().replace(_PLACEHOLDER, name.encode("ascii"))
    return dict(sorted(found.items()))


def _whole(path: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """Write a directory that is not there: beside its place, then moved there in one step."""
    import shutil
    import tempfile

    parent = Path(os.path.abspath(path)).parent  # noqa: PTH100  (no link is to be followed: the name is what is given)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=parent))
    try:
        for file, content in files.items():
            target = scratch / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        umask = os.umask(0)
        os.umask(umask)
        scratch.chmod(0o777 & ~umask)
        scratch.rename(path)  # fails when something with files in it appeared there meanwhile
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return dict.fromkeys(files, "created")


def _into_existing(path: Path, files: Mapping[str, bytes], *, force: bool) -> dict[str, str]:
    """Add the files to a directory that is there: all of them when it is empty, with ``force`` those it lacks.

    A failure takes away again what was added.
    """
    if not path.is_dir():
        raise CannotAnswer(f"{path}: not a directory", "init.not-empty", ["name a new directory"])
    if any(path.iterdir()) and not force:
        raise CannotAnswer(
            f"{path}: not empty", "init.not-empty", ["name a new directory, or add --force to add what is missing"]
        )
    actions = {file: _action(path, file, content) for file, content in files.items()}
    with contextlib.ExitStack() as undo:
        for file, action in actions.items():
            if action == "created":
                _add(path, file, files[file], undo)
        undo.pop_all()
    return actions


def _add(path: Path, file: str, content: bytes, undo: contextlib.ExitStack) -> None:
    """Write one new file and the directories it needs; ``undo`` learns how to remove them again."""
    from nitroctl import safefile

    for missing in reversed([parent for parent in (path / file).parents if not parent.exists()]):
        missing.mkdir()
        undo.callback(missing.rmdir)
    safefile.replace(str(path / file), content)
    undo.callback((path / file).unlink)


def _action(path: Path, file: str, content: bytes) -> str:
    """Return what is to be done about one file. Raises CannotAnswer ``init.outside``."""
    target = path / file
    if Path(os.path.realpath(target.parent)) != Path(os.path.realpath(path)) / Path(file).parent:
        raise CannotAnswer(
            f"{target}: a link leads out of its place", "init.outside", ["remove the link, or name another directory"]
        )
    if not os.path.lexists(target):
        return "created"
    same = target.is_file() and not target.is_symlink() and target.stat().st_size == len(content)
    return "unchanged" if same and target.read_bytes() == content else "kept"
