"""``nitroctl pcr verify`` and ``merge``: whole outputs."""

import subprocess
from pathlib import Path

import pytest

from nitroctl.errors import CannotAnswer
from nitroctl.records import Ledger, form, quick, store
from tests.conftest import Cli, Ran, program
from tests.records import active, entry, pcrs, write


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_in_order(cli: Cli) -> None:
    write(Path("measurements.json"), active("1.4.1"), entry("1.4.2"))
    assert cli("pcr", "verify") == Ran(
        0,
        "✓ yes: measurements.json is in order\n"
        "entries  2: 1 candidate, 1 active, 0 retired, 0 revoked\n"
        "✓ The file is written in the canonical form\n",
        "",
    )


def test_a_file_that_another_program_wrote(cli: Cli) -> None:
    text = form.dumps(Ledger.of([active("1.4.1")]))
    Path("m.json").write_text(text.replace('  "entries"', '    "entries"'))
    ran = cli("pcr", "verify", "m.json")
    assert ran == Ran(
        1,
        "✗ no: m.json: line 3 would be written otherwise\n"
        "entries  1: 0 candidate, 1 active, 0 retired, 0 revoked\n"
        "✗ The file is written in the canonical form\n"
        "  line 3 would be written otherwise\n"
        "  fix: let nitroctl write it: nitroctl pcr merge FILE FILE FILE\n"
        "  [records.canonical]\n",
        "",
    )
    assert cli("pcr", "merge", "m.json", "m.json", "m.json").status == 0
    assert Path("m.json").read_text() == text
    Path("m.json").write_text(text.rstrip("\n"))
    assert "its end would be written otherwise" in cli("pcr", "verify", "m.json").stdout


def test_history_from_standard_input(cli: Cli) -> None:
    write(Path("measurements.json"), active("1.4.1"))
    old = form.dumps(Ledger.of([active("1.4.1"), entry("1.4.2")])).encode()
    ran = cli("pcr", "verify", "--against", "-", "--format", "github", stdin=old)
    assert ran == Ran(
        1,
        "::error file=measurements.json,title=history.entries::not so: Every entry that was recorded is still there; "
        "since standard input: signer-1.4.2@prod is gone; fix: restore what was recorded; what is to be accepted "
        "instead is a version of its own\n"
        "nitroctl pcr.verify/1: refused (6 pass, 1 fail, 0 warn, 0 skip)\n",
        "",
    )
    assert cli("pcr", "verify", "--against", "-", "--json", stdin=b"").json["data"]["against"] == "-"


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 3, "json.syntax"),
        (b"<<<<<<< ours\n{}\n", 3, "json.conflict-markers"),
        (b'{"schema": "urn:nitroctl:measurements:1", "entries": [], "entries": []}', 3, "json.duplicate-key"),
        (b"\xff", 3, "file.not-utf8"),
    ],
)
def test_what_cannot_be_read_is_no_answer(cli: Cli, content: bytes, status: int, code: str) -> None:
    Path("measurements.json").write_bytes(content)
    ran = cli("pcr", "verify")
    assert (ran.status, ran.stdout) == (status, "")
    assert f"[{code}]" in ran.stderr


def test_both_from_standard_input(cli: Cli) -> None:
    assert cli("pcr", "verify", "-", "--against", "-") == Ran(
        2,
        "",
        "nitroctl: error: FILE and --against are both standard input [usage.invalid]\n"
        "nitroctl: hint: name one of them\n",
    )


def test_two_sides_are_merged(cli: Cli) -> None:
    base = write(Path("base"), active("1.4.1"))
    write(Path("ours"), active("1.4.1"), entry("1.4.2"))
    write(Path("theirs"), active("1.4.1"), entry("1.4.3"))
    assert cli("pcr", "merge", str(base), "ours", "theirs", "--dry-run") == Ran(
        0, "✓ ours would be merged: 1 entry added, 0 changed\n", ""
    )
    assert cli("pcr", "merge", "base", "ours", "theirs") == Ran(0, "✓ ours merged: 1 entry added, 0 changed\n", "")
    assert Path("ours").read_text() == form.dumps(Ledger.of([active("1.4.1"), entry("1.4.2"), entry("1.4.3")]))


def test_a_conflict_leaves_our_side_as_it_was(cli: Cli) -> None:
    Path("base").touch()
    write(Path("ours"), entry("1.4.2"))
    write(Path("theirs"), entry("1.4.2", pcrs=pcrs("other")))
    before = Path("ours").read_bytes()
    assert cli("pcr", "merge", "base", "ours", "theirs") == Ran(
        1,
        "✗ no: ours is left as it was\n"
        "✗ Both sides can be meant\n"
        "  signer-1.4.2@prod: it has other measurements on the two sides; "
        "give one of the two builds a version of its own\n"
        "  fix: change one side, then merge again\n"
        "  [records.mergeable]\n",
        "",
    )
    assert Path("ours").read_bytes() == before


def git(*words: str) -> subprocess.CompletedProcess[str]:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *identity, *words], capture_output=True, text=True, check=False)


def test_git_merges_two_branches_that_recorded_at_once() -> None:
    if git("--version").returncode:
        pytest.skip("no git here")
    git("init")
    git("config", "merge.nitroctl.driver", " ".join([*program(), "pcr", "merge", "%O", "%A", "%B"]))
    Path(".gitattributes").write_text("measurements.json merge=nitroctl\n")
    write(Path("measurements.json"), active("1.4.1"))
    git("add", ".")
    git("commit", "-m", "one")
    for branch, version in (("ours", "1.4.2"), ("theirs", "1.4.3")):
        git("checkout", "-b", branch, "main")
        write(Path("measurements.json"), active("1.4.1"), entry(version))
        git("commit", "-am", branch)
    ran = git("merge", "ours", "-m", "both")
    assert ran.returncode == 0, ran
    assert Path("measurements.json").read_text() == form.dumps(
        Ledger.of([active("1.4.1"), entry("1.4.2"), entry("1.4.3")])
    )


def test_an_empty_pipe_is_no_history(cli: Cli, tmp_path: Path) -> None:
    write(Path("measurements.json"), active("1.4.1"))
    ran = cli.program("pcr", "verify", "--against", "-", stdin=b"")
    assert (ran.status, ran.stdout) == (3, "")
    assert "standard input is empty: what was to write the file as it was has failed" in ran.stderr
    Path("empty").write_bytes(b"")
    ran = cli("pcr", "verify", "--against", "empty")
    assert (ran.status, ran.stderr) == (
        0,
        "nitroctl: note: empty records nothing: there was nothing to rewrite\n",
    )


def test_nothing_is_merged_into_standard_input(cli: Cli) -> None:
    write(Path("m.json"), active("1.4.1"))
    ran = cli("pcr", "merge", "m.json", "-", "m.json", stdin=Path("m.json").read_bytes())
    assert (ran.status, ran.stdout) == (2, "")
    assert not Path("-").exists()


def test_what_is_recorded_while_a_merge_is_worked_out_is_not_lost(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("base.json", "theirs.json", "m.json"):
        write(Path(name), active("1.4.1"))
    held: list[bool] = []
    loads = form.loads

    def watched(text: str, *, where: str, known: quick.Known | None = None) -> Ledger:
        if where == "m.json":
            with monkeypatch.context() as patch:
                patch.setattr(store, "PATIENCE", 0.0)
                with pytest.raises(CannotAnswer, match="held the lock"):
                    store.record("m.json", entry("1.4.3"))
            held.append(True)
        return loads(text, where=where, known=known)

    monkeypatch.setattr(form, "loads", watched)
    assert cli("pcr", "merge", "base.json", "m.json", "theirs.json").status == 0
    assert held == [True]
