"""What every test gets: no network, a clean environment, and ways to run the command line whole."""

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest
from hypothesis import HealthCheck, settings

from tests.schemas import validate_envelope

if TYPE_CHECKING:
    from tests.fakes.kms import Kms

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A gate answers the same for the same commit: its examples are fixed. `make explore` draws others, and many more.
settings.register_profile("gate", settings.get_profile("untimed"), derandomize=True)
settings.register_profile("explore", settings.get_profile("untimed"), max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("NITROCTL_TEST_PROFILE", "gate"))

ROOT = Path(__file__).parent.parent
VECTORS = ROOT.parent / "shared" / "vectors"
STUB = ROOT / "tests" / "stub"


@dataclass(frozen=True)
class Ran:
    """What one run of the command line did."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout, validated against its schema."""
        document = json.loads(self.stdout)
        validate_envelope(document)
        assert document["exit_code"] == self.status
        return document


class Cli:
    """Runs ``nitroctl`` in this process (fast) or as a program of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, *argv: str, stdin: bytes | None = None) -> Ran:
        """Run in this process; stdout and stderr are pipes as far as nitroctl can tell."""
        from nitroctl.cli import run

        out, err = _Capture(), _Capture()
        with self._monkeypatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin or b""), encoding="utf-8"))
            status = run(list(argv))
            out.flush()
            err.flush()
        return Ran(int(status), out.text(), err.text())

    def program(
        self,
        *argv: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> Ran:
        """Run as a process of its own, with the interpreter's warnings as errors."""
        done = subprocess.run(
            program(*argv),
            input=stdin,
            capture_output=True,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def program(*argv: str) -> Sequence[str]:
    """Return the argv that runs nitroctl as a process."""
    return [sys.executable, "-m", "nitroctl", *argv]


class _Capture(io.TextIOWrapper):
    """A text stream over memory, as wide as a pipe."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self) -> str:
        return cast("io.BytesIO", self.buffer).getvalue().decode()


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(monkeypatch)


@pytest.fixture
def kms_service(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator["Kms"]:
    """A KMS on this machine that AWS calls come to, in this process and in programs; it has no keys yet."""
    from tests.fakes import kms

    with kms.running(kms.Kms()) as service:
        kms.reachable(service, monkeypatch, connect=_connect)
        yield service


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A home of its own, no settings from outside, no AWS, no colours, and no way to the network."""
    for variable in list(os.environ):
        if variable.startswith(("NITROCTL_", "NITRO_CLI_", "AWS_", "GITHUB_", "XDG_")):
            monkeypatch.delenv(variable)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NITROCTL_LOCK_DIR", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for variable in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "CI", "PYTHONUNBUFFERED"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(socket.socket, "connect", _guarded_connect)


_connect = socket.socket.connect


def _guarded_connect(self: socket.socket, address: Any) -> None:
    if self.family == socket.AF_UNIX:
        _connect(self, address)
        return
    _no_network()


def _no_network() -> NoReturn:
    raise AssertionError("a test tried to reach the network")


def as_nobody() -> list[str]:
    """Return the words before a command that make it run as a user without rights; skips where that cannot be."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if shutil.which("setpriv") is None or os.geteuid() != 0:
        pytest.skip("needs root and setpriv")
    if subprocess.run([*drop, sys.executable, "-c", "pass"], capture_output=True, check=False).returncode:
        pytest.skip("a user without rights cannot reach this interpreter")
    return drop


def vectors(*parts: str) -> Path:
    """Return a path among the shared vectors; skips the test, visibly, where they are absent."""
    path = VECTORS.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared vectors absent: {'/'.join(parts)}")
    return path
