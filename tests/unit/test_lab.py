"""Every document of the lab is judged as it says, and the table covers every check of authenticity."""

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from nitroctl.catalogue import CATALOGUE
from nitroctl.checks import Outcome, Report
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.evidence import roots, rules
from nitroctl.evidence.document import parse
from nitroctl.evidence.verify import verify
from nitroctl.standin import lab, lab_change
from nitroctl.standin.lab import CASES
from nitroctl.standin.lab_change import Case, accepted
from tests.schemas import validator

ACCEPTED = [case for case in CASES if case.accepted]
REFUSED = [case for case in CASES if not case.accepted]
#: Checks that no document alone can fail, each with why.
NEVER_ALONE = {
    "chain.revocation": "fails only against a revocation list, which is no part of a document: test_evidence_crl",
    "habit.module-id": "warns and never refuses",
    "habit.leaf-name": "warns and never refuses",
    "habit.instance-name": "warns and never refuses",
    "habit.region": "warns and never refuses",
    "habit.pcr4": "warns and never refuses",
    "habit.serial": "warns and never refuses",
    "habit.times": "warns and never refuses",
}


def judged(case: Case, *, at: Any = None) -> Report:
    return verify(parse(case.build(), strict=case.strict), accepted(), at=at or case.at).report


def every_rule() -> set[str]:
    return {rule.id for rule in vars(rules).values() if isinstance(rule, rules.Rule)}


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_accepted_with_exactly_these_warnings(case: Case) -> None:
    report = judged(case)
    assert report.refusals == ()
    assert report.passed
    assert {check.id for check in report.having(Outcome.WARN)} == case.warns


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused_by_exactly_these_checks(case: Case) -> None:
    report = judged(case)
    assert {check.id for check in report.having(Outcome.FAIL)} == case.fails
    assert not report.passed


@pytest.mark.parametrize("case", [case for case in ACCEPTED if not case.strict], ids=lambda case: case.name)
def test_nothing_is_accepted_under_the_roots_of_aws(case: Case) -> None:
    report = verify(parse(case.build()), roots.AWS_ROOTS, at=case.at).report
    assert {check.id for check in report.having(Outcome.FAIL)} == {"chain.root-pinned"}


def test_every_check_is_the_only_one_that_catches_some_case() -> None:
    alone = {next(iter(case.fails)) for case in REFUSED if len(case.fails) == 1}
    assert every_rule() - alone == set(NEVER_ALONE)


def test_every_habit_is_the_only_one_that_warns_in_some_case() -> None:
    alone = {next(iter(case.warns)) for case in ACCEPTED if len(case.warns) == 1}
    assert {rule.id for rule in rules.HABIT_RULES} <= alone


def test_the_table_is_in_order() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)
    assert all(case.description.endswith(".") and "\n" not in case.description for case in CASES)
    assert len({case.description for case in CASES if not case.strict}) == len([c for c in CASES if not c.strict])
    assert all(case.fails | case.warns <= every_rule() for case in CASES)
    assert not [case.name for case in CASES if case.fails and case.warns]
    assert not [check for case in CASES for check in case.fails | case.warns if check not in CATALOGUE]
    assert len(REFUSED) >= 240
    assert len(ACCEPTED) >= 40


def test_a_suite_is_whole_and_says_what_it_holds(tmp_path: Path) -> None:
    minted = lab.mint(CASES, str(tmp_path / "new" / "suite"))
    directory = tmp_path / "new" / "suite"
    manifest = json.loads((directory / "manifest.json").read_text())
    validator("lab.manifest.1").validate(manifest)
    assert [entry["name"] for entry in manifest["cases"]] == [case.name for case in CASES]
    files = {"manifest.json", "root.pem", *(entry["file"] for entry in manifest["cases"])}
    assert {path.name for path in directory.iterdir()} == files
    assert minted.root_sha256 == manifest["root"]["sha256"]
    root = roots.from_pem((directory / "root.pem").read_bytes(), where="root.pem")
    assert root.fingerprint == minted.root_sha256
    for entry, case in zip(manifest["cases"], CASES, strict=True):
        content = (directory / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        report = verify(parse(content, strict=entry["profile"] == "strict"), (root,), at=case.at).report
        assert ("accepted" if report.passed else "refused") == entry["expected"]
        assert sorted(check.id for check in report.having(Outcome.FAIL)) == entry["checks"]
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755


def test_what_is_fixed_of_a_suite_is_the_same_in_the_next(tmp_path: Path) -> None:
    def fixed(name: str) -> list[dict[str, object]]:
        lab.mint(CASES, str(tmp_path / name))
        cases = json.loads((tmp_path / name / "manifest.json").read_text())["cases"]
        return [{key: value for key, value in case.items() if key != "sha256"} for case in cases]

    assert fixed("one") == fixed("two")


def test_an_empty_directory_is_taken_and_a_full_one_left_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    lab.mint(CASES[:1], str(tmp_path / "empty"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    with pytest.raises(CannotAnswer, match="is not empty") as caught:
        lab.mint(CASES[:1], str(tmp_path / "full"))
    assert caught.value.code == "lab.directory"
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


@pytest.mark.parametrize("name", [".", "./", "../here"])
def test_the_working_directory_is_not_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(CannotAnswer, match="is the working directory"):
        lab.mint(CASES[:1], name)
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "symlink", "fifo"])
def test_what_is_no_directory_is_left_alone(tmp_path: Path, kind: str) -> None:
    import os

    target = tmp_path / "target"
    if kind == "file":
        target.write_text("mine")
    elif kind == "fifo":
        os.mkfifo(target)
    else:
        (tmp_path / "elsewhere").mkdir()
        target.symlink_to("elsewhere")
    before = target.lstat()
    with pytest.raises(CannotAnswer, match="is not a directory"):
        lab.mint(CASES[:1], str(target))
    assert target.lstat() == before


def test_nothing_is_left_of_a_suite_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CannotAnswer, match="no space left on device") as caught:
        lab.mint(CASES[:1], str(tmp_path / "suite"))
    assert caught.value.code == "file.unwritable"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_gets_the_near_ones() -> None:
    assert [case.name for case in lab.find(["cbor-tag-17", "good"])] == ["good", "cbor-tag-17"]
    with pytest.raises(UsageError) as caught:
        lab.find(["good", "cbor-tag-71"])
    assert (caught.value.code, caught.value.message) == (
        "lab.unknown-name",
        "no case of the lab is called 'cbor-tag-71'",
    )
    assert caught.value.hints[0].startswith("did you mean cbor-tag-17 or")
    with pytest.raises(UsageError) as caught:
        lab.find(["§"])
    assert caught.value.hints == ("see nitroctl lab list",)


def test_an_edit_that_would_change_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="00ff00ff"):
        lab_change.make(lab_change.Change(fields=lab_change.edited(lab_change.LEAF, "00ff00ff", "00ff00fe")))
