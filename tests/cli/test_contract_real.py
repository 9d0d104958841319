"""The wrapper on a real nitro-cli: ``NITROCTL_REAL_NITRO_CLI=1``. Elsewhere each test is skipped, and counted.

Only what needs neither an enclave host nor Docker; the images are those that the stand-in builds.
"""
# ruff: noqa: F811  (fixtures are imported, and asked for by their names)

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

from nitroctl.eif.measure import measure
from nitroctl.errors import CannotAnswer, NitroCliFailed
from nitroctl.host.nitro_cli import Launch, NitroCli, find
from tests.standin_host import image, nitro_cli, standin  # noqa: F401  (fixtures)

#: Read before the fixtures clean the environment.
REAL: Final = shutil.which("nitro-cli") if os.environ.get("NITROCTL_REAL_NITRO_CLI") else None

pytestmark = pytest.mark.skipif(REAL is None, reason="no real nitro-cli asked for (NITROCTL_REAL_NITRO_CLI)")


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NitroCli:
    """The real program, with directories of its own for logs and sockets."""
    for variable in ("NITRO_CLI_LOGS_PATH", "NITRO_CLI_SOCKETS_PATH"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    return find(str(REAL))


def test_its_version_is_one_that_is_known(real: NitroCli) -> None:
    assert (1, 1, 0) <= real.version() < (2, 0, 0)


def test_it_measures_an_image_as_we_do(image: str, tmp_path: Path, real: NitroCli) -> None:
    path = str(tmp_path / image)
    assert real.describe_eif(path) == measure(path).pcrs


def test_no_enclaves_run_in_an_empty_sockets_directory(real: NitroCli) -> None:
    described = real.describe()
    assert (described.enclaves, described.trouble) == ((), None)


def test_a_missing_image_is_e19_with_its_log(tmp_path: Path, real: NitroCli) -> None:
    with pytest.raises(NitroCliFailed) as caught:
        real.describe_eif(str(tmp_path / "absent.eif"))
    assert caught.value.details["nitro_cli_code"] == "E19"
    assert caught.value.details["error_log"] is not None


def test_an_unknown_enclave_cannot_be_terminated(real: NitroCli) -> None:
    with pytest.raises((NitroCliFailed, CannotAnswer)):
        real.terminate("i-0123456789abcdef0-enc0123456789abcdef")


def test_a_bad_cid_is_e03_and_not_a_usage_error(image: str, tmp_path: Path, real: NitroCli) -> None:
    request = Launch(eif_path=str(tmp_path / image), memory_mib=64, cpu_count=2, cid=3)
    with pytest.raises(NitroCliFailed) as caught:
        real.run(request, eif_bytes=1)
    assert caught.value.details["nitro_cli_code"] == "E03"
