"""What is installed is what was tested: the wheel holds the templates, schemas, roots and completions."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nitroctl import __version__
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = directory.glob("*.whl")
    assert wheel.name == f"nitroctl-{__version__}-py3-none-any.whl"
    return set(zipfile.ZipFile(wheel).namelist())


def tracked(folder: str, pattern: str = "*") -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_every_template_is_in_it(names: set[str]) -> None:
    assert {name for name in names if name.startswith("nitroctl/templates/")} == {
        f"nitroctl/{name}" for name in tracked("templates")
    }


def test_the_package_is_in_it_with_its_data(names: set[str]) -> None:
    assert tracked("nitroctl") <= names
    assert any(Path(name).suffix == ".pem" for name in names)


def test_the_completions_are_where_shells_look(names: set[str]) -> None:
    shared = {name.partition(".data/data/")[2] for name in names if ".data/data/" in name}
    assert shared == {
        "share/bash-completion/completions/nitroctl",
        "share/zsh/site-functions/_nitroctl",
        "share/fish/vendor_completions.d/nitroctl.fish",
    }


def test_nothing_else_is_in_it(names: set[str]) -> None:
    assert {name.partition("/")[0] for name in names} == {
        "nitroctl",
        f"nitroctl-{__version__}.dist-info",
        f"nitroctl-{__version__}.data",
    }
