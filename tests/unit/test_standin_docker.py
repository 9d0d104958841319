"""The stand-in's docker: what of a Dockerfile ends up in an image."""

from pathlib import Path

import pytest

from nitroctl.standin import docker


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text("print()\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "README").write_text("not copied\n")
    return tmp_path


def built(context: Path, text: str) -> docker.DockerImage:
    (context / "Dockerfile").write_text(text)
    return docker.build(str(context), "x:1", "amd64")


def names(image: docker.DockerImage) -> list[str]:
    return sorted(entry.name for entry in image.files if not entry.name.startswith(".stand-in"))


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        ("COPY run.sh /", ["run.sh"]),
        ("COPY run.sh /bin/start", ["bin", "bin/start"]),
        ("COPY app /srv", ["srv", "srv/main.py"]),
        ("COPY --chmod=755 app/*.py run.sh /srv/", ["srv", "srv/main.py", "srv/run.sh"]),
        ('COPY ["run.sh", "/a b"]', ["a b"]),
        ("WORKDIR /srv\nADD run.sh .", ["srv", "srv/run.sh"]),
        ("COPY --from=builder /x /y", []),
        ("COPY run.sh \\\n  # said in between\n  /", ["run.sh"]),
    ],
)
def test_copy(context: Path, copy: str, expected: list[str]) -> None:
    assert names(built(context, f"FROM scratch\n{copy}\n")) == expected


def test_executables_stay_so_and_times_stay_out(context: Path) -> None:
    first = built(context, "FROM scratch\nCOPY run.sh README /\n")
    modes = {entry.name: entry.mode & 0o777 for entry in first.files}
    assert (modes["run.sh"], modes["README"]) == (0o755, 0o644)
    (context / "run.sh").touch()
    assert built(context, "FROM scratch\nCOPY run.sh README /\n").id == first.id


def test_the_last_stage_counts(context: Path) -> None:
    image = built(context, "ARG V=1\nFROM golang AS builder\nCOPY run.sh /\nCMD x\nFROM scratch\nCOPY README /\n")
    assert names(image) == ["README"]
    assert image.cmd is None


@pytest.mark.parametrize(
    ("text", "cmd", "entrypoint"),
    [
        ('FROM scratch\nCMD ["/a", "b c"]', ["/a", "b c"], None),
        ("FROM scratch\nCMD a b", ["/bin/sh", "-c", "a b"], None),
        ('FROM alpine\nENTRYPOINT ["/a"]', None, ["/a"]),
        ('FROM scratch\nENTRYPOINT ["/a"]\nCMD ["b"]', ["b"], ["/a"]),
        ("FROM alpine", ["/bin/sh"], None),
        ("FROM scratch", None, None),
    ],
)
def test_start(context: Path, text: str, cmd: list[str] | None, entrypoint: list[str] | None) -> None:
    image = built(context, text)
    assert (image.cmd and list(image.cmd), image.entrypoint and list(image.entrypoint)) == (cmd, entrypoint)


def test_environment(context: Path) -> None:
    image = built(context, 'FROM scratch\nENV A=1 B="two words"\nENV OLD the old form\n')
    assert docker.environment(image.env[1:]) == {"A": "1", "B": "two words", "OLD": "the old form"}
    assert image.env[0].startswith("PATH=")


def test_any_instruction_changes_the_image(context: Path) -> None:
    ids = {built(context, f"FROM scratch\n{line}\n").id for line in ("RUN a", "RUN b", "USER 1", "")}
    assert len(ids) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RUN x",
        "FROM scratch\nCOPY absent /",
        "FROM scratch\nCOPY run.sh",
        "FROM scratch\nCOPY ../../etc/passwd /",
        "FROM scratch\nCOPY run.sh /../x",
    ],
)
def test_dockerfiles_that_cannot_be_built(context: Path, text: str) -> None:
    with pytest.raises(docker.DockerError):
        built(context, text)


def test_a_pulled_image_is_the_same_for_the_same_name() -> None:
    assert docker.pull("a:1", "amd64").id == docker.pull("a:1", "amd64").id != docker.pull("a:2", "amd64").id
