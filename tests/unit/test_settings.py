"""Settings: the strongest origin wins, and a project file may not name what is run."""

import os
from pathlib import Path

import pytest

from nitroctl import settings
from nitroctl.errors import CannotAnswer
from nitroctl.settings import Origin, load


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A system, a user and a project file that may be written, and the directory that is worked in."""
    found = {
        "system": tmp_path / "etc/config.toml",
        "user": tmp_path / "home/nitroctl/config.toml",
        "project": tmp_path / "project/nitroctl.toml",
    }
    for path in found.values():
        path.parent.mkdir(parents=True)
    monkeypatch.setattr(settings, "SYSTEM_FILE", str(found["system"]))
    return found


def loaded(places: dict[str, Path], flags: dict[str, str | None] | None = None, **environ: str) -> settings.Settings:
    environ = {"XDG_CONFIG_HOME": str(places["user"].parent.parent), **environ}
    return load(flags, environ=environ, directory=places["project"].parent)


def test_defaults(places: dict[str, Path]) -> None:
    found = loaded(places)
    assert found.values == {s.name: Origin(s.default, "default") for s in settings.SETTINGS}
    assert found.notes == ()
    assert found.files == tuple((str(places[name]), "absent") for name in ("system", "user", "project"))


def test_each_origin_is_stronger_than_the_one_before(places: dict[str, Path]) -> None:
    expected = []
    for name in ("system", "user", "project"):
        places[name].write_text(f'records = "{name}.json"\n')
        expected.append((str(places[name]), "read"))
        assert loaded(places).values["records"] == Origin(f"{name}.json", str(places[name]))
    assert loaded(places).files == tuple(expected)
    assert loaded(places, NITROCTL_RECORDS="v.json").values["records"] == Origin("v.json", "NITROCTL_RECORDS")
    found = loaded(places, {"records": "flag.json"}, NITROCTL_RECORDS="v.json")
    assert found.values["records"] == Origin("flag.json", "flag")
    assert found["records"] == "flag.json"


def test_a_flag_that_was_not_given_and_an_empty_variable_count_for_nothing(places: dict[str, Path]) -> None:
    assert loaded(places, {"records": None}, NITROCTL_RECORDS="").values["records"].origin == "default"


def test_one_file_in_place_of_all(places: dict[str, Path], tmp_path: Path) -> None:
    places["user"].write_text('records = "user.json"\n')
    only = tmp_path / "only.toml"
    only.write_text('progress = "none"\n')
    found = loaded(places, NITROCTL_CONFIG=str(only))
    assert found.values["progress"] == Origin("none", str(only))
    assert found.values["records"].origin == "default"
    assert found.files == ((str(only), "read"),)


def test_a_file_that_was_named_must_be_there(places: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as caught:
        loaded(places, NITROCTL_CONFIG=str(tmp_path / "none.toml"))
    assert caught.value.code == "file.unreadable"


@pytest.mark.parametrize("name", [setting.name for setting in settings.SETTINGS if setting.program])
def test_a_project_file_names_no_program(places: dict[str, Path], name: str) -> None:
    places["project"].write_text(f'{name} = "/tmp/evil"\n')
    with pytest.raises(CannotAnswer) as caught:
        loaded(places)
    assert caught.value.code == "settings.file"
    assert caught.value.message == f"{places['project']}: {name} names a program, which a project file may not do"
    places["project"].rename(places["user"])
    assert loaded(places)[name] == "/tmp/evil"


def test_the_programs_are_the_ones_that_are_run_or_believed() -> None:
    assert {setting.name for setting in settings.SETTINGS if setting.program} == {"nitro_cli", "host_root"}


def test_a_project_file_that_others_can_write_is_ignored_with_a_note(places: dict[str, Path]) -> None:
    places["project"].write_text('records = "theirs.json"\n')
    places["project"].chmod(0o666)
    found = loaded(places)
    assert found.values["records"].origin == "default"
    assert found.notes == (f"{places['project']} is ignored: it belongs to, or can be written by, another user",)
    assert found.files[-1] == (str(places["project"]), "ignored")


def test_a_project_file_of_another_user_is_ignored(places: dict[str, Path]) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a file somebody else's")
    places["project"].write_text('records = "theirs.json"\n')
    os.chown(places["project"], 65534, 65534)
    assert loaded(places).values["records"].origin == "default"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"records = ", "not TOML: Invalid value (at end of document)"),
        (b"\xff", "not TOML: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b'record = "x"', "unknown setting 'record'"),
        (b"records = 1", "records is not a string"),
        (b'[records]\nx = "y"', "records is not a string"),
    ],
)
def test_files_that_say_what_they_may_not(places: dict[str, Path], content: bytes, words: str) -> None:
    places["user"].write_bytes(content)
    with pytest.raises(CannotAnswer) as caught:
        loaded(places)
    assert (caught.value.code, caught.value.message) == ("settings.file", f"{places['user']}: {words}")


def test_a_value_outside_the_choices(places: dict[str, Path]) -> None:
    with pytest.raises(CannotAnswer) as caught:
        loaded(places, NITROCTL_PROGRESS="fancy")
    assert caught.value.code == "settings.value"
    assert caught.value.message == "NITROCTL_PROGRESS: progress is not one of auto, plain, none: 'fancy'"


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_configuration_that_is_not_a_file(places: dict[str, Path], kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(places["user"])
    else:
        places["user"].mkdir()
    with pytest.raises(CannotAnswer) as caught:
        loaded(places)
    assert caught.value.code in ("file.unreadable", "file.not-regular")
