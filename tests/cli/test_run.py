"""The edge of the program: exit statuses, streams, colour, and what happens when the reader goes away."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nitroctl.cli
from nitroctl import __version__
from nitroctl.cli import output
from nitroctl.errors import Terminated
from tests.conftest import Cli, Ran, program


def test_the_version_alone(cli: Cli) -> None:
    assert cli.program("--version") == Ran(0, f"nitroctl {__version__}\n", "")


def test_the_version_as_json(cli: Cli) -> None:
    assert cli("--version", "--json").json["data"] == {"nitroctl": __version__}


def test_the_version_takes_no_other_option(cli: Cli) -> None:
    assert cli("--version", "--short") == Ran(
        2,
        "",
        "nitroctl: error: no such option: --short [usage.invalid]\n"
        "nitroctl: hint: --version takes --verbose and --json\n",
    )


def test_no_arguments_give_the_help_on_stderr(cli: Cli) -> None:
    ran = cli()
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr == cli("--help").stdout


def test_a_misspelt_noun(cli: Cli) -> None:
    assert cli("atest") == Ran(
        2,
        "",
        "nitroctl: error: no such command 'atest'. Did you mean 'attest'? [usage.invalid]\n"
        "nitroctl: hint: see nitroctl --help\n",
    )


def test_a_hostile_option_is_escaped(cli: Cli) -> None:
    ran = cli("explain", "--\x1b[31m\u202e")
    assert ran.status == 2
    assert "\x1b" not in ran.stderr
    assert "\u202e" not in ran.stderr


def test_a_usage_error_speaks_json_too(cli: Cli) -> None:
    ran = cli("explain", "--nope", "--json")
    assert ran.json == {
        "schema": "nitroctl/error/1",
        "status": "error",
        "exit_code": 2,
        "data": {},
        "notes": [],
        "errors": [
            {
                "code": "usage.invalid",
                "message": "no such option: --nope",
                "hints": ["see nitroctl explain --help"],
                "details": {},
            }
        ],
    }
    assert ran.stderr == (
        "nitroctl: error: no such option: --nope [usage.invalid]\nnitroctl: hint: see nitroctl explain --help\n"
    )


@pytest.mark.parametrize("options", [("--format", "yaml"), ("--format=yaml",), ("--format",)])
def test_an_unknown_format(cli: Cli, options: tuple[str, ...]) -> None:
    ran = cli("explain", "--list", *options)
    assert ran.status == 2
    assert ran.stderr.startswith("nitroctl: error: --format: not one of human, json, sarif, junit, github, ear, vsa")


def test_json_may_stand_before_or_after_the_words(cli: Cli) -> None:
    after = cli("schema", "pcrs/1", "--json").stdout
    assert cli("schema", "--json", "pcrs/1").stdout == after
    assert cli("schema", "pcrs/1", "--format", "json").stdout == after
    assert cli("schema", "pcrs/1", "--format=json").stdout == after


def test_what_follows_two_dashes_is_not_an_option(cli: Cli) -> None:
    ran = cli("explain", "--", "--json")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith("nitroctl: error: no such code: '--json' [explain.unknown]")


def test_a_bug_is_70_and_never_1(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("x\x1b")

    monkeypatch.setattr(nitroctl.cli, "_answer", broken)
    ran = cli("explain", "--list")
    assert (ran.status, ran.stdout) == (70, "")
    assert ran.stderr.startswith("nitroctl: error: a bug in nitroctl: ZeroDivisionError at test_run.py:")
    assert "\x1b" not in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "Traceback" in cli("explain", "--list", "--debug").stderr
    assert cli("explain", "--list", "--json").json["errors"][0]["code"] == "internal.bug"


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [(KeyboardInterrupt, 130, "interrupted"), (Terminated, 143, "terminated")],
)
def test_signals_have_their_statuses(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, raised: type[BaseException], status: int, said: str
) -> None:
    def stopped(*_: object) -> int:
        raise raised

    monkeypatch.setattr(nitroctl.cli, "_answer", stopped)
    assert cli("explain", "--list") == Ran(status, "", f"nitroctl: note: {said}\n")


def test_a_reader_that_goes_away_is_141_and_quiet() -> None:
    with subprocess.Popen(program("explain", "--list"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.close()
        assert child.wait(30) == 141
        assert child.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("form", ["--format=human", "--format=json"])
def test_a_full_disk_under_stdout_is_said(form: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            program("schema", form), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=30
        )
    assert done.returncode == 3
    assert done.stderr == (
        "nitroctl: error: standard output: cannot write: no space left on device [file.unwritable]\n"
    )


def test_sigterm_ends_with_143(tmp_path: Path) -> None:
    script = tmp_path / "slow.py"
    script.write_text(
        "import sys, time\nimport nitroctl.cli as c\n"
        "c._answer = lambda *a: (print('ready', flush=True), time.sleep(60))\nsys.exit(c.run(['x']))\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline() == b"ready\n"
        time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 143
        assert child.stderr.read() == b"nitroctl: note: terminated\n"


def on_terminal(*argv: str, **env: str) -> str:
    """Run on a pseudo-terminal of 80 columns and return what it shows."""
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(
        program(*argv), stdout=follower, stderr=follower, stdin=follower, env={**os.environ, "TERM": "xterm", **env}
    ) as child:
        os.close(follower)
        shown = b""
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        child.wait(30)
    os.close(leader)
    return shown.decode().replace("\r\n", "\n")


def test_colour_follows_the_option_then_the_environment_then_the_terminal() -> None:
    assert "\x1b[" in on_terminal("explain", "E36")
    assert "\x1b[" not in on_terminal("explain", "E36", "--color=never")
    assert "\x1b[" not in on_terminal("explain", "E36", NO_COLOR="1")
    assert "\x1b[" not in on_terminal("explain", "E36", TERM="dumb")
    assert "\x1b[" not in on_terminal("explain", "E36", FORCE_COLOR="0")
    assert "\x1b[" in on_terminal("explain", "E36", "--color", "always", NO_COLOR="1")


def test_a_pipe_has_no_colour_unless_forced(cli: Cli) -> None:
    assert "\x1b[" not in cli.program("explain", "E36").stdout
    assert "\x1b[" in cli.program("explain", "E36", env={"FORCE_COLOR": "1"}).stdout


def test_prose_is_wrapped_on_a_terminal_and_not_in_a_pipe(cli: Cli) -> None:
    assert max(len(line) for line in on_terminal("explain", "file.not-regular", "--color=never").splitlines()[:3]) <= 80
    assert cli("explain", "file.not-regular").stdout.splitlines()[1].endswith("nor replaces.")


def test_json_is_the_same_in_every_locale(cli: Cli) -> None:
    plain = cli.program("explain", "--list", "--json", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert plain.stdout == cli("explain", "--list", "--json").stdout
    assert json.loads(plain.stdout)["status"] == "ok"


def test_how_one_run_was_asked_to_answer_is_forgotten_with_it(cli: Cli) -> None:
    ran = cli("pcr", "role", "arn:aws:iam::123456789012:role/signer", "--format", "sarif")
    assert ran.status == 2
    assert output.asked() == output.Output()


@pytest.mark.parametrize("form", ["human", "json", "github"])
def test_a_no_can_be_told_without_failing_the_step(
    cli: Cli, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.cbor").write_bytes(b"\x84")
    no = cli("attest", "verify", "bad.cbor", "--authenticity-only", "--at", "document", "--format", form)
    told = cli("attest", "verify", "bad.cbor", "--authenticity-only", "--at=document", "--format", form, "--exit-zero")
    assert (no.status, told.status) == (1, 0)
    assert no.stdout == told.stdout


def test_what_could_not_be_looked_at_fails_the_step_all_the_same(cli: Cli) -> None:
    assert cli("eif", "measure", "missing.eif", "--exit-zero").status == 3
    assert cli("eif", "measure", "--exit-zero", "--no-such-option").status == 2
