"""The completion scripts in real shells: they parse, and they complete what a user would type."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli

SCRIPTS = {"bash": "nitroctl.bash", "zsh": "_nitroctl", "fish": "nitroctl.fish"}


def shell(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not on this machine")
    return found


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_command_prints_the_committed_script(cli: Cli, name: str) -> None:
    ran = cli("completion", name)
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == (ROOT / "completions" / SCRIPTS[name]).read_text()
    assert cli("completion", name, "--json").json["data"] == {"shell": name, "script": ran.stdout}


def test_an_unknown_shell(cli: Cli) -> None:
    ran = cli("completion", "tcsh")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr == (
        "nitroctl: error: invalid value for 'shell': 'tcsh' is not one of 'bash', 'zsh', 'fish' "
        "[usage.invalid]\nnitroctl: hint: see nitroctl completion --help\n"
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_shell_accepts_the_script(name: str) -> None:
    subprocess.run([shell(name), "-n", str(ROOT / "completions" / SCRIPTS[name])], check=True, timeout=30)


CASES = [
    ("nitroctl att", {"attest"}),
    ("nitroctl attest v", {"verify"}),
    ("nitroctl attest verify --auth", {"--authenticity-only"}),
    ("nitroctl attest verify --format ", {"human", "json", "sarif", "junit", "github", "ear", "vsa"}),
    ("nitroctl eif inspect --format ", {"human", "json", "sarif", "junit", "github", "nitro-cli"}),
    ("nitroctl pcr list --format ", {"human", "json"}),
    ("nitroctl completion ", {"bash", "zsh", "fish"}),
    ("nitroctl eif measure ap", {"app.eif"}),
]


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_bash_completes(line: str, expected: set[str], tmp_path: Path) -> None:
    (tmp_path / "app.eif").touch()
    empty = '""' if line.endswith(" ") else ""
    script = (
        f"source {ROOT}/completions/nitroctl.bash\n"
        f"COMP_WORDS=({line}{empty})\n"
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_nitroctl\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    done = subprocess.run(
        [shell("bash"), "--norc", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=30
    )
    assert (set(done.stdout.split()), done.stderr) == (expected, "")


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish_completes(line: str, expected: set[str], tmp_path: Path) -> None:
    (tmp_path / "app.eif").touch()
    script = f"source {ROOT}/completions/nitroctl.fish; complete -C '{line}'"
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=30,
    )
    assert {word.split("\t")[0] for word in done.stdout.splitlines()} == expected
