"""A docker daemon that is not one: an image out of a Dockerfile and its directory, or out of nothing but a name.

Modelled, of the last stage of a Dockerfile: COPY and ADD of files and directories beside it (with ``*`` and ``?``),
ENV, WORKDIR, CMD and ENTRYPOINT in both forms, line continuations and comments. Not modelled: RUN is not run, base
images bring no files (any but ``scratch`` brings ``CMD ["/bin/sh"]``), COPY --from copies nothing, ARG is not
substituted, .dockerignore, USER and the rest are ignored. The instructions themselves lie in the image under
``.stand-in/``, so that a change of any of them changes the measurement, as it would in earnest.
"""

import contextlib
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from nitroctl.eif import ramdisk

_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class DockerError(Exception):
    """docker cannot do it; the text is what the daemon says."""


@dataclass(frozen=True, slots=True)
class DockerImage:
    """An image in the daemon's store: its files, and what ``docker inspect`` says of its start."""

    uri: str
    architecture: str
    files: Sequence[ramdisk.Entry]
    env: Sequence[str]
    cmd: Sequence[str] | None = None
    entrypoint: Sequence[str] | None = None

    @property
    def id(self) -> str:
        """The image id: 64 hexadecimal digits over everything in the image."""
        digest = hashlib.sha256(ramdisk.newc(self.files))
        digest.update(json.dumps([self.architecture, list(self.env), self.cmd, self.entrypoint]).encode())
        return digest.hexdigest()

    def inspect(self) -> dict[str, object]:
        """Return what ``docker inspect`` prints, as far as anybody reads it."""
        return {
            "Id": f"sha256:{self.id}",
            "RepoTags": [self.uri],
            "Architecture": self.architecture,
            "Os": "linux",
            "Config": {
                "Env": list(self.env),
                "Cmd": self.cmd and list(self.cmd),
                "Entrypoint": self.entrypoint and list(self.entrypoint),
            },
        }


def pull(uri: str, architecture: str) -> DockerImage:
    """Return the image named ``uri``: a command that says the name, the same for the same name."""
    files = [
        ramdisk.directory(".stand-in"),
        ramdisk.regular(".stand-in/image", f"{uri}\n".encode()),
        ramdisk.regular("command", f"#!/bin/sh\necho {shlex.quote(uri)}\n".encode(), permissions=0o755),
    ]
    return DockerImage(uri, architecture, files, (_PATH,), ("/command",))


@dataclass(slots=True)
class _Stage:
    """What the instructions read so far make of the image."""

    directory: Path
    architecture: str
    workdir: str = "/"
    env: list[str] = field(default_factory=lambda: [_PATH])
    cmd: Sequence[str] | None = None
    entrypoint: Sequence[str] | None = None
    files: dict[str, ramdisk.Entry] = field(default_factory=dict)
    instructions: list[str] = field(default_factory=list)


def build(directory: str, uri: str, architecture: str) -> DockerImage:
    """Return the image that ``directory``/Dockerfile describes. Raises DockerError."""
    try:
        text = (Path(directory) / "Dockerfile").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DockerError(f"cannot read Dockerfile: {error}") from error
    stage: _Stage | None = None
    for keyword, rest in _instructions(text):
        if keyword == "FROM":
            stage = _Stage(Path(directory), architecture, cmd=None if rest.split()[:1] == ["scratch"] else ["/bin/sh"])
        elif stage is None and keyword != "ARG":
            raise DockerError(f"no build stage in current context: {keyword}")
        if stage is not None:
            stage.instructions.append(f"{keyword} {rest}\n")
            _apply(stage, keyword, rest)
    if stage is None:
        raise DockerError("the Dockerfile has no FROM")
    _add(stage, ".stand-in/instructions", "".join(stage.instructions).encode(), executable=False)
    return DockerImage(uri, architecture, list(stage.files.values()), stage.env, stage.cmd, stage.entrypoint)


def _instructions(text: str) -> list[tuple[str, str]]:
    """Return keyword and arguments of every instruction, continued lines joined, comments left out."""
    found = []
    line = ""
    for part in text.splitlines():
        if part.lstrip().startswith("#") or (not part.strip() and not line):
            continue
        line += part.rstrip()
        if line.endswith("\\"):
            line = line[:-1]
            continue
        keyword, _, rest = line.strip().partition(" ")
        found.append((keyword.upper(), rest.strip()))
        line = ""
    return found


def _apply(stage: _Stage, keyword: str, rest: str) -> None:
    if keyword in ("COPY", "ADD"):
        _copy(stage, rest)
    elif keyword == "ENV":
        stage.env += _variables(rest)
    elif keyword == "WORKDIR":
        stage.workdir = str(PurePosixPath(stage.workdir) / rest)
    elif keyword == "CMD":
        stage.cmd = _command(rest)
    elif keyword == "ENTRYPOINT":
        stage.entrypoint, stage.cmd = _command(rest), None


def _command(rest: str) -> Sequence[str]:
    """Return the words of a CMD or ENTRYPOINT: a JSON array, or a line for the shell."""
    try:
        words = json.loads(rest)
    except ValueError:
        return ("/bin/sh", "-c", rest)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return ("/bin/sh", "-c", rest)
    return words


def _variables(rest: str) -> list[str]:
    """Return the assignments of an ENV: ``A=1 B="two words"``, or the old form ``A value``."""
    words = shlex.split(rest)
    if words and "=" not in words[0]:
        return [f"{words[0]}={rest.partition(' ')[2].strip()}"]
    return words


def _copy(stage: _Stage, rest: str) -> None:
    words = [word for word in shlex.split(rest) if not word.startswith("--")]
    if "--from=" in rest:
        return
    with contextlib.suppress(ValueError):
        words = json.loads(rest)
    if len(words) < 2:  # noqa: PLR2004  (source and destination)
        raise DockerError(f"COPY needs a source and a destination: {rest}")
    *sources, destination = words
    target = PurePosixPath(stage.workdir) / destination
    into = destination.endswith("/") or destination in (".", "..") or len(sources) > 1
    for source in sources:
        _copy_one(stage, source, target, into=into)


def _copy_one(stage: _Stage, source: str, target: PurePosixPath, *, into: bool) -> None:
    base = stage.directory.resolve()
    pattern = source.lstrip("/")
    found = sorted(base.glob(pattern)) if any(sign in pattern for sign in "*?[") else [base / pattern]
    found = [path for path in found if path.exists()]
    if not found:
        raise DockerError(f"COPY failed: {source}: file does not exist in build context")
    for path in found:
        real = path.resolve()
        if real != base and base not in real.parents:
            raise DockerError(f"COPY failed: {source}: outside of the build context")
        if real.is_dir():
            for inner in sorted(real.rglob("*")):
                if inner.is_file():
                    _add_file(stage, str(target / inner.relative_to(real)), inner)
        else:
            _add_file(stage, str(target / path.name if into else target), real)


def _add_file(stage: _Stage, name: str, path: Path) -> None:
    _add(stage, name, path.read_bytes(), executable=bool(path.stat().st_mode & 0o100))


def _add(stage: _Stage, name: str, data: bytes, *, executable: bool) -> None:
    """Put a file into the image, with the directories above it. No time of this machine goes in."""
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", ".")]
    if ".." in parts or not parts:
        raise DockerError(f"COPY failed: not a path in the image: {name}")
    for depth in range(1, len(parts)):
        above = "/".join(parts[:depth])
        stage.files.setdefault(above, ramdisk.directory(above))
    full = "/".join(parts)
    stage.files[full] = ramdisk.regular(full, data, permissions=0o755 if executable else 0o644)


def environment(env: Sequence[str]) -> Mapping[str, str]:
    """Return ``NAME=value`` lines as a mapping; the last one of a name counts."""
    return dict(line.partition("=")[::2] for line in env)
