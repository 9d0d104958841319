"""docker, where it is there: an image out of its store into an archive that nitroctl reads itself.

Nothing docker says is believed: the archive's digests are checked when it is read. Which daemon is asked is docker's
own affair (DOCKER_HOST, contexts); credentials never pass through here.
"""

import re
import shutil
from collections.abc import Callable, Sequence
from typing import Final

from nitroctl.errors import CannotAnswer
from nitroctl.host import process
from nitroctl.host.process import Finished, OnLine

_PROGRAM: Final = "docker"
_SAID: Final = 3
_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")


def tagged(uri: str) -> str:
    """Return the name of an image with its tag: docker takes ``latest`` when there is none."""
    return uri if "@" in uri or ":" in uri.rpartition("/")[2] else f"{uri}:latest"


def save(
    uri: str,
    archive: str,
    *,
    directory: str | None = None,
    on_line: OnLine | None = None,
    on_tick: Callable[[float], None] | None = None,
) -> str:
    """Write the image ``uri`` to the file ``archive``, as ``docker save`` does; return what to look for in it.

    That is the name with its tag; for a name with a digest, which an archive may not hold, the id docker has for it.

    As nitro-cli: with ``directory``, the image is built from the Dockerfile there and named ``uri`` first; without it
    the image that docker has is taken, and it is pulled only when there is none. Raises CannotAnswer
    ``docker.missing`` or ``docker.failed``.
    """
    path = shutil.which(_PROGRAM)
    if path is None:
        raise CannotAnswer(
            "docker: no such program on PATH",
            "docker.missing",
            [f"docker save -o image.tar {tagged(uri)}, where docker is, and name the file with --image-archive"],
        )

    def run(*arguments: str) -> Finished:
        try:
            return process.run([path, *arguments], on_line=on_line, on_tick=on_tick)
        except OSError as error:
            raise CannotAnswer(
                f"{path}: cannot be started: {(error.strerror or 'error').lower()}", "docker.missing"
            ) from error

    name = tagged(uri)
    if directory is not None:
        _require(run("build", "--tag", name, "--", directory), "build")
    elif run("image", "inspect", "--", name).status != 0:
        _require(run("pull", "--", name), "pull")
    _require(run("image", "save", "--output", archive, "--", name), "save")
    if "@" not in name:
        return name
    told = run("image", "inspect", "--format", "{{.Id}}", "--", name)
    _require(told, "image inspect")
    found = told.stdout.strip()
    if not _ID.fullmatch(found):
        raise CannotAnswer(f"docker image inspect: no id of an image: {found[:100]!r}", "docker.failed")
    return found


def _require(finished: Finished, verb: str) -> None:
    if finished.status == 0:
        return
    lines = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
    how = process.signal_name(finished.status) or f"exit status {finished.status}"
    raise CannotAnswer(
        f"docker {verb} failed: {lines[-1] if lines else how}",
        "docker.failed",
        _hints(lines),
        {"status": finished.status, "stderr": finished.stderr},
    )


def _hints(lines: Sequence[str]) -> list[str]:
    if any("daemon" in line and "connect" in line.lower() for line in lines):
        return ["start the docker daemon, or name an archive of docker save with --image-archive"]
    return [f"docker: {line}" for line in lines[-_SAID:-1]]
