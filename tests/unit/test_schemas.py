"""The JSON Schemas themselves: well-formed, named after their file, and strict."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import Cli
from tests.schemas import SCHEMAS

FILES = sorted(SCHEMAS.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_schema_is_well_formed_and_named_after_its_file(path: Any) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    name, _, version = path.stem.rpartition(".")
    assert schema["$id"] == f"urn:nitroctl:{name}:{version}"
    assert schema["title"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_command_prints_it(cli: Cli, path: Any) -> None:
    name, _, version = path.stem.rpartition(".")
    assert cli("schema", f"{name}/{version}").stdout == path.read_text()
    assert cli("schema", f"{name}/{version}", "--json").json["data"]["schema"] == json.loads(path.read_text())


def test_without_a_version_it_is_the_newest(cli: Cli) -> None:
    assert cli("schema", "measurements") == cli("schema", "measurements/1")
    assert cli("schema", "measurement").status == 2


def test_the_command_lists_them(cli: Cli) -> None:
    names = sorted(f"{path.stem.rpartition('.')[0]}/{path.stem.rpartition('.')[2]}" for path in FILES)
    assert cli("schema", "--json").json["data"] == {"schemas": names}
