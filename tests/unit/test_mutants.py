"""The tool that measures the tests finds what they do not notice, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.perf.mutants import explanations
from tests.perf.mutations import Module

MODULE = '''\
"""A module with a constant, a rule that is tested, and one that is not."""

LIMIT = 9
NAMES = ["one"]


def within(value: int) -> bool:
    """Whether value is in the limit."""
    return value <= LIMIT


def forgotten(value: int) -> int:
    if value > 5:
        raise ValueError(f"{value} is too much")
    return value
'''
TESTS = """\
import pytest

from nitroctl_planted.rule import NAMES, forgotten, within


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    assert name == "one"


def test_within():
    assert [value for value in range(12) if within(value)] == list(range(10))


def test_forgotten():
    assert forgotten(2) == 2
"""


def measured(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.perf.mutants", "nitroctl_planted/rule.py", "--tests", "test_rule.py", *options],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the tool forks and asks the kernel to end what it forked")
def test_planted_survivors_are_found_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "nitroctl_planted").mkdir()
    (tmp_path / "nitroctl_planted" / "__init__.py").touch()
    (tmp_path / "nitroctl_planted" / "rule.py").write_text(MODULE)
    (tmp_path / "test_rule.py").write_text(TESTS)
    ran = measured(tmp_path, "--results", "results.jsonl")
    assert ran.stdout == (
        "module                           mutants  killed timeouts  alive explained\n"
        "nitroctl_planted.rule                 11       6        0      5         0\n"
        "all                                   11       6        0      5         0\n"
        "\n"
        "nitroctl_planted.rule:13 forgotten: condition value > 5 never\n    NOT EXPLAINED\n"
        "nitroctl_planted.rule:13 forgotten: value > 5: Gt to GtE\n    NOT EXPLAINED\n"
        "nitroctl_planted.rule:13 forgotten: 5 to 6\n    NOT EXPLAINED\n"
        "nitroctl_planted.rule:13 forgotten: 5 to 4\n    NOT EXPLAINED\n"
        "nitroctl_planted.rule:14 forgotten: statement raise ValueError(f'{value} is too much') dropped\n"
        "    NOT EXPLAINED\n"
    ), ran.stderr
    assert ran.returncode == 1
    known = len((tmp_path / "results.jsonl").read_text().splitlines())
    again = measured(tmp_path, "--results", "results.jsonl")
    assert again.stdout == ran.stdout
    rows = [json.loads(row) for row in (tmp_path / "results.jsonl").read_text().splitlines()[known:]]
    assert {row["verdict"] for row in rows} == {"alive"}  # what was noticed was not tried again


def test_tests_that_fail_as_they_are_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "nitroctl_planted").mkdir()
    (tmp_path / "nitroctl_planted" / "__init__.py").touch()
    (tmp_path / "nitroctl_planted" / "rule.py").write_text(MODULE)
    (tmp_path / "test_rule.py").write_text(TESTS.replace("== 2", "== 3"))
    ran = measured(tmp_path)
    assert "left out: test_rule.py::test_forgotten: it fails\n" in ran.stderr
    assert "nitroctl_planted.rule                 11       5        0      6         0\n" in ran.stdout


def test_words_types_and_docstrings_are_not_changed() -> None:
    source = '''
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Either = int | str
LIMIT: Final[int | None] = None


def told(name: "str | None") -> "tuple[str, ...]":
    """Return 1 or 2."""
    raise ValueError("too much", remedy="less")
'''
    changes = [mutant.change for mutant in Module(source, "told.py").mutants]
    assert changes == ["statement raise ValueError('too much', remedy='less') dropped"]


def test_each_change_is_a_program_of_its_own_and_undone() -> None:
    source = "def f(a, b):\n    if a and not b or a in (1, 2):\n        return a + 1\n    return {'x': a, 'y': b}\n"
    module = Module(source, "f.py")
    codes = [module.mutated(mutant) for mutant in module.mutants]
    assert len(set(codes)) == len(codes) == len({mutant.name for mutant in module.mutants})
    assert module.code not in codes
    assert [module.mutated(mutant) for mutant in module.mutants] == codes
    assert [mutant.name for mutant in module.mutants] == [mutant.name for mutant in Module(source, "f.py").mutants]


def test_what_is_explained_is_a_change_that_can_be_made() -> None:
    for module, reasons in explanations().items():
        path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        known = {mutant.name for mutant in Module(path.read_text(), str(path)).mutants}
        assert set(reasons) <= known, module
