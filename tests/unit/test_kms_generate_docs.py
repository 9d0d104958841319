"""docs/key-policies.md says what is so: its table of sizes, its example, and the statements that it names."""

import re
from pathlib import Path

import pytest

from nitroctl.kms import targets_file
from nitroctl.kms.generate import generate
from tests.conftest import ROOT
from tests.perf import kms_policy_sizes
from tests.records import active, pcrs, register

PAGE = (ROOT / "docs" / "key-policies.md").read_text("utf-8")


def test_the_table_of_sizes_is_what_the_command_prints() -> None:
    assert "\n".join(kms_policy_sizes.table()) in PAGE


def test_the_example_is_a_file_of_targets(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "targets.yaml").write_text(text)
    assert list(targets_file.read(str(tmp_path / "targets.yaml")).keys) == ["signer"]


@pytest.mark.parametrize("row", re.findall(r"^\| `Nitroctl([A-Za-z]+)(?:\.\.\.)?` ", PAGE, re.MULTILINE))
def test_each_statement_that_it_names_is_written(tmp_path: Path, row: str) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "targets.yaml").write_text(text)
    targets = targets_file.read(str(tmp_path / "targets.yaml")).keys["signer"].targets
    two = [active(name, pcrs={**pcrs(name), 8: register(name)}, pin=(0, 8)) for name in ("1", "2")]
    sids = [each.sid for each in generate(two, targets).statements]
    assert [sid for sid in sids if sid.startswith(f"Nitroctl{row}")]


def test_every_statement_that_is_written_is_named(tmp_path: Path) -> None:
    named = tuple(f"Nitroctl{each}" for each in re.findall(r"^\| `Nitroctl([A-Za-z]+)", PAGE, re.MULTILINE))
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "targets.yaml").write_text(text)
    targets = targets_file.read(str(tmp_path / "targets.yaml")).keys["signer"].targets
    two = [active(name, pcrs={**pcrs(name), 8: register(name)}, pin=(0, 8)) for name in ("1", "2")]
    assert [each.sid for each in generate(two, targets).statements if not each.sid.startswith(named)] == []
