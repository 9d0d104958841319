"""The stand-in host as a fixture: ``from tests.standin_host import standin`` and ask for ``standin``."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitroctl.standin.host import StandinHost, create


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
        shutil.rmtree(directory)
