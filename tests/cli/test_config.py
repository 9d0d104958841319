"""``nitroctl config show``."""

from pathlib import Path

import pytest

from nitroctl import settings
from tests.conftest import Cli, Ran


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "SYSTEM_FILE", "/nonexistent/config.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("NITROCTL_PROGRESS", "plain")
    monkeypatch.setenv("NITROCTL_LOCK_DIR", "/locks")
    (tmp_path / "nitroctl.toml").write_text('records = "here.json"\n')


def test_with_origins(cli: Cli, tmp_path: Path) -> None:
    project = f"{tmp_path}/nitroctl.toml"
    width = max(len(project), len(f"{tmp_path}/nitroctl/config.toml"))
    assert cli("config", "show", "--origin") == Ran(
        0,
        "setting    value                               origin\n"
        "nitro_cli  nitro-cli                           default\n"
        f"records    here.json                           {project}\n"
        "allocator  /etc/nitro_enclaves/allocator.yaml  default\n"
        "host_root  /                                   default\n"
        "lock_dir   /locks                              NITROCTL_LOCK_DIR\n"
        "progress   plain                               NITROCTL_PROGRESS\n"
        "\n"
        "Files, weakest first\n"
        f"{'file':<{width}}  state\n"
        f"{'/nonexistent/config.toml':<{width}}  absent\n"
        f"{f'{tmp_path}/nitroctl/config.toml':<{width}}  absent\n"
        f"{project:<{width}}  read\n",
        "",
    )


def test_without_origins_the_meanings_are_shown(cli: Cli) -> None:
    ran = cli("config", "show")
    assert ran.status == 0
    lines = ran.stdout.splitlines()
    assert lines[0].split() == ["setting", "value", "meaning"]
    assert [line.split()[0] for line in lines[1:]] == [setting.name for setting in settings.SETTINGS]
    assert lines[2] == "records    here.json                           the file of recorded measurements"


def test_json_always_has_the_origins(cli: Cli, tmp_path: Path) -> None:
    data = cli("config", "show", "--json").json["data"]
    assert data["settings"][1] == {
        "name": "records",
        "value": "here.json",
        "origin": f"{tmp_path}/nitroctl.toml",
        "default": "measurements.json",
        "variable": "NITROCTL_RECORDS",
        "meaning": "the file of recorded measurements",
    }
    assert [file["state"] for file in data["files"]] == ["absent", "absent", "read"]


def test_what_is_ignored_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "nitroctl.toml").chmod(0o666)
    ran = cli("config", "show")
    assert ran.stderr == (
        f"nitroctl: note: {tmp_path}/nitroctl.toml is ignored: it belongs to, or can be written by, another user\n"
    )


def test_bad_configuration_is_an_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "nitroctl.toml").write_text('nitro_cli = "./evil"\n')
    assert cli("config", "show") == Ran(
        3,
        "",
        f"nitroctl: error: {tmp_path}/nitroctl.toml: nitro_cli names a program, which a project file may not do "
        "[settings.file]\n"
        "nitroctl: hint: set it in the user's configuration file or in NITROCTL_NITRO_CLI\n",
    )
