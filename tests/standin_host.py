"""The stand-in host as fixtures: ``from tests.standin_host import standin`` and ask for ``standin``.

``standin`` makes this process's environment the host's. ``nitro_cli`` is the program on top of it, for tests of the
stand-in itself, and ``image`` the path of an image in its directory.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nitroctl.standin.host import StandinHost, create
from tests.conftest import STUB, Ran


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinHost]:
    """A host with 4 CPUs and 2 GiB for enclaves; its environment is this process's until the test ends."""
    directory = Path(tempfile.mkdtemp(prefix="nh-", dir="/tmp"))  # short: Unix sockets live below it
    host = create(directory)
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)
    try:
        yield host
    finally:
        host.stop()
        shutil.rmtree(directory, ignore_errors=True)


class NitroCli:
    """A nitro-cli on PATH, run in ``directory``."""

    def __init__(self, directory: Path, path: str) -> None:
        self.directory = directory
        self.path = path

    def environment(self, **variables: str) -> dict[str, str]:
        """The environment it runs in: this process's, and ``variables``."""
        return {**os.environ, "PATH": self.path, "NITROCTL_STUB_PYTHON": sys.executable, **variables}

    def __call__(self, *argv: str, **variables: str) -> Ran:
        done = subprocess.run(
            ["nitro-cli", *argv],
            cwd=self.directory,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *argv: str, **variables: str) -> subprocess.Popen[str]:
        """Start it and let it run."""
        return subprocess.Popen(
            ["nitro-cli", *argv],
            cwd=self.directory,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self, *argv: str, **variables: str) -> Any:
        """The JSON of a run that must succeed."""
        ran = self(*argv, **variables)
        assert ran.status == 0, ran.stderr
        assert ran.stdout == json.dumps(json.loads(ran.stdout), indent=2, ensure_ascii=False) + "\n"
        return json.loads(ran.stdout)


def codes(stderr: str) -> list[str]:
    """Return the codes of nitro-cli's error blocks, in order."""
    return re.findall(r"^\[ (E[0-9]{2}) \]", stderr, re.MULTILINE)


@pytest.fixture
def nitro_cli(standin: StandinHost, tmp_path: Path) -> NitroCli:
    return NitroCli(tmp_path, f"{STUB}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def image(nitro_cli: NitroCli) -> str:
    """An unsigned image, hello.eif, built by the stand-in in its directory."""
    nitro_cli.result("build-enclave", "--docker-uri", "hello:1", "--output-file", "hello.eif")
    return "hello.eif"
