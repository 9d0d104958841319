import importlib.metadata
import platform
from pathlib import Path

import pytest

from nitroctl import __version__
from nitroctl.standin.host import StandinHost
from tests.conftest import Cli
from tests.standin_host import standin

__all__ = ["standin"]

LIBRARIES = ["typer", "rich", "boto3", "cbor2", "cryptography", "PyYAML"]


def test_what_it_runs_on_with_nitro_cli(cli: Cli, standin: StandinHost) -> None:
    program = Path(standin.environment["PATH"].partition(":")[0]) / "nitro-cli"
    assert cli("--version", "--verbose", "--json").json["data"] == {
        "nitroctl": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "nitro_cli": {"found": True, "path": str(program), "version": "1.5.0"},
    }
    assert cli("--version", "--verbose").stdout.splitlines()[-1] == f"nitro-cli     1.5.0 ({program})"


def test_what_it_runs_on_without_nitro_cli(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    ran = cli("--version", "--verbose")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "nitro-cli     nitro-cli: no such program on PATH"
