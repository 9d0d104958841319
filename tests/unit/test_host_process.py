"""Child processes, real ones: nothing hangs, nothing is lost, nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nitroctl.host import process
from nitroctl.host.process import Output, passed_on, run, signal_name, start


def python(code: str) -> list[str]:
    return [sys.executable, "-IS", "-c", code]


def test_a_child_is_run_with_its_arguments_and_no_shell(tmp_path: Path) -> None:
    done = run(["/bin/echo", "a  b", "$HOME;ls", "*"], cwd=tmp_path)
    assert (done.status, done.stdout, done.stderr) == (0, "a  b $HOME;ls *\n", "")
    assert done.argv == ("/bin/echo", "a  b", "$HOME;ls", "*")


def test_the_exit_status_and_both_streams_are_kept_apart() -> None:
    done = run(["/bin/sh", "-c", "echo out; echo err >&2; exit 39"])
    assert (done.status, done.stdout, done.stderr) == (39, "out\n", "err\n")


def test_standard_input_is_empty() -> None:
    assert run(["/bin/cat"]).stdout == ""


def test_the_environment_is_the_one_given() -> None:
    assert run(["/usr/bin/env"], env={"ONLY": "this"}).stdout == "ONLY=this\n"


def test_a_chatty_stderr_does_not_block_stdout() -> None:
    code = "import sys\nsys.stderr.write('x' * 3_000_000); sys.stderr.flush(); sys.stdout.write('answer')"
    done = run(python(code))
    assert done.stdout == "answer"
    assert len(done.stderr) == 3_000_000


def test_output_beyond_the_limit_keeps_its_beginning_and_its_end_and_says_how_much_is_missing() -> None:
    done = run(python("import sys\nsys.stdout.write('a' * 1000 + 'b' * 500_000 + 'c' * 1000)"), limit=2000)
    assert done.stdout == "a" * 1000 + "\n… 500000 bytes left out …\n" + "c" * 1000
    assert done.stdout_dropped == 500_000


def test_bytes_that_are_not_utf8_are_shown_as_escapes() -> None:
    done = run(["/bin/sh", "-c", r"printf '\377\303\244'"])
    assert done.stdout == "\\xffä"


def test_a_signal_that_ends_the_child_is_named() -> None:
    done = run(["/bin/sh", "-c", "kill -KILL $$"])
    assert done.status == -signal.SIGKILL
    assert signal_name(done.status) == "SIGKILL"


@pytest.mark.parametrize(
    ("status", "name"), [(0, None), (39, None), (-15, "SIGTERM"), (-64, "SIGRTMAX"), (-63, "signal 63")]
)
def test_signal_names(status: int, name: str | None) -> None:
    assert signal_name(status) == name


def test_lines_are_passed_on_whole_with_their_stream() -> None:
    heard: list[tuple[str, str]] = []
    run(
        ["/bin/sh", "-c", r"printf 'one\r\ntw'; sleep 0.1; printf 'o\nlast'; echo err >&2"],
        on_line=lambda name, line: heard.append((name, line)),
    )
    assert [line for name, line in heard if name == "stdout"] == ["one", "two", "last"]
    assert [line for name, line in heard if name == "stderr"] == ["err"]


def test_a_line_without_end_is_cut() -> None:
    heard: list[str] = []
    run(python("print('x' * 100_000, end='')"), on_line=lambda _, line: heard.append(line))
    assert max(map(len, heard)) == 16 * 1024


def test_a_child_whose_time_is_up_is_ended_with_everything_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    done = run(["/bin/sh", "-c", f"sleep 1000 & echo $! > {pid}; wait"], timeout=0.5)
    assert done.timed_out
    assert done.status == -signal.SIGTERM
    assert is_gone(int(pid.read_text()))


def test_a_child_that_ignores_the_polite_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.3)
    done = run(["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], timeout=0.3)
    assert done.timed_out
    assert done.status == -signal.SIGKILL


def test_a_daemon_that_keeps_the_streams_open_keeps_nobody_waiting(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    done = run(["/bin/sh", "-c", f"setsid sleep 1000 & echo $! > {pid}; echo answer"])
    assert (done.status, done.stdout) == (0, "answer\n")
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_the_clock_is_shown_while_the_child_works() -> None:
    ticks: list[float] = []
    run(["/bin/sleep", "0.3"], on_tick=ticks.append)
    assert len(ticks) > 2
    assert ticks == sorted(ticks)


def test_a_program_that_is_not_there_cannot_be_started() -> None:
    with pytest.raises(FileNotFoundError):
        run(["/nonexistent/program"])


def test_a_program_without_the_execute_bit_cannot_be_started(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(PermissionError):
        run([str(program)])


def test_an_error_in_a_callback_ends_the_child(tmp_path: Path) -> None:
    def fail(_name: str, line: str) -> None:
        heard.append(int(line))
        raise ZeroDivisionError

    heard: list[int] = []
    with pytest.raises(ZeroDivisionError):
        run(["/bin/sh", "-c", "echo $$; exec sleep 1000"], on_line=fail)
    assert is_gone(heard[0])


PARENT = """
import sys
from nitroctl.host.process import run
try:
    run(["/bin/sh", "-c", sys.argv[1]], on_line=lambda name, line: name == "stdout" and print(line, flush=True))
except BaseException as error:
    print(type(error).__name__, flush=True)
"""
CHILD = """
trap 'echo got INT; exit 7' INT
trap 'echo got TERM; exit 7' TERM
trap 'echo got HUP; exit 7' HUP
echo ready
while :; do sleep 0.05; done
"""


@pytest.mark.parametrize(
    ("signum", "raised"),
    [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated"), (signal.SIGHUP, "Terminated")],
)
def test_a_signal_reaches_the_child_first_and_then_takes_its_course(
    signum: signal.Signals, raised: str, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    child = CHILD.replace("echo got ", f"echo >{said} got ")
    with subprocess.Popen([sys.executable, "-c", PARENT, child], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        parent.send_signal(signum)
        assert parent.stdout.read() == f"{raised}\n"
    assert said.read_text() == f"got {signum.name[3:]}\n"


def test_a_second_interrupt_kills_a_child_that_ignores_the_first() -> None:
    child = "trap 'echo ignored' INT; echo $$; while :; do sleep 0.05; done"
    with subprocess.Popen([sys.executable, "-c", PARENT, child], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGINT)
        time.sleep(0.3)
        parent.send_signal(signal.SIGINT)
        assert parent.stdout.read().endswith("KeyboardInterrupt\n")
    assert is_gone(pid)


def test_what_is_passed_on_comes_as_it_is_and_stderr_is_kept_for_the_end() -> None:
    child = start(["/bin/sh", "-c", r"printf 'a\377'; echo trouble >&2; exit 3"])
    stderr = Output("stderr")
    assert b"".join(passed_on(child, stderr)) == b"a\xff"
    assert (child.wait(), stderr.text()) == (3, "trouble\n")
    child.close()


def test_closing_ends_a_child_that_still_talks() -> None:
    child = start(["/bin/sh", "-c", "echo $$; exec sleep 1000"])
    coming = passed_on(child, Output("stderr"))
    pid = int(next(chunk for chunk in coming if chunk))
    child.close()
    assert is_gone(pid)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has reaped yet counts as ended."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
