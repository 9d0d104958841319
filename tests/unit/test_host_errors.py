"""Why nitro-cli failed: the first code, the log it names, and the exit status only when there is nothing else."""

import os
from pathlib import Path

import pytest

from nitroctl.host import failure
from nitroctl.host.nitro_cli_errors import NITRO_CLI_ERRORS
from nitroctl.host.process import Finished


def block(code: str, text: str, log: str | None = None) -> str:
    lines = [f"[ {code} ] {text}", ""]
    lines += [f"For more details, please visit https://docs.aws.amazon.com/x.html#{code}", ""]
    if log:
        lines += [f'If you open a support ticket, please provide the error log found at "{log}"']
    return "\n".join(lines) + "\n"


LOG = """  Action: Run Enclave
  Subactions:
    Failed to handle Enclave process run command
    Failed to trigger enclave run
    Waiting for the heartbeat failed: VsockTimeoutError
  Root error file: src/enclave_proc/resource_manager.rs
  Root error line: 1234
  Version: 1.5.0
"""


def failed(stderr: str, status: int = 39, command: str = "run-enclave", logs: Path | None = None) -> failure.Failure:
    environ = {"NITRO_CLI_LOGS_PATH": str(logs)} if logs else {}
    return failure.read(
        command, Finished(argv=("nitro-cli", command), status=status, stdout="", stderr=stderr), environ
    )


def test_every_code_has_words_of_its_own() -> None:
    assert list(NITRO_CLI_ERRORS) == [f"E{number:02d}" for number in range(61)]
    for code, known in NITRO_CLI_ERRORS.items():
        assert known.meaning.endswith("."), code
        assert known.remedy.endswith("."), code
        assert known.causes, code
        assert all(not cause.endswith(".") for cause in known.causes), code


@pytest.mark.parametrize(
    ("stderr", "code", "text"),
    [
        (
            block("E26", "Insufficient memory requested. At least 64 MiB."),
            "E26",
            "Insufficient memory requested. At least 64 MiB",
        ),
        (
            "Start allocating memory...\n" + block("E36", "Boot.") + "Failed connections: 1\n" + block("E39", "C."),
            "E36",
            "Boot",
        ),
        (block("E39", "Connection."), "E39", "Connection"),
        (block("E39", "Connection.") + block("E11", "Socket."), "E11", "Socket"),
        (
            "[ E22 ] Insufficient CPUs.\nEnable the allocator.\n\nFor more details, please",
            "E22",
            "Insufficient CPUs. Enable the allocator",
        ),
        ("[ E19 ] File.\nBacktrace:\n  at x\n", "E19", "File"),
        ("[ E19 ]", "E19", ""),
    ],
)
def test_the_first_code_that_is_not_the_envelope_is_the_cause(stderr: str, code: str, text: str) -> None:
    found = failed(stderr)
    assert (found.code, found.text) == (code, text)


@pytest.mark.parametrize(
    ("stderr", "status", "text"),
    [
        (
            "error: unexpected argument '--x' found\n\nUsage: …",
            2,
            "it refused its arguments: error: unexpected argument '--x' found",
        ),
        (
            "thread 'main' panicked at src/lib.rs:1:\nbad key\n",
            101,
            "it crashed: thread 'main' panicked at src/lib.rs:1: bad key",
        ),
        ("", 101, "it crashed"),
        ("", -9, "ended by SIGKILL"),
        ("out of memory\n", -6, "ended by SIGABRT: out of memory"),
        ("", 27, "exit status 27, the number of E27 (Insufficient memory available)"),
        ("", 99, "exit status 99"),
        (
            "E26 without brackets",
            1,
            "exit status 1, the number of E01 (Missing mandatory argument): E26 without brackets",
        ),
    ],
)
def test_without_a_code_the_exit_status_is_the_last_resort(stderr: str, status: int, text: str) -> None:
    found = failed(stderr, status)
    assert (found.code, found.text) == (None, text)


def test_the_log_of_the_cause_is_quoted_and_not_the_one_of_the_envelope(tmp_path: Path) -> None:
    first, second = tmp_path / "err2026-01-01T00:00:00.1Z.log", tmp_path / "err2026-01-01T00:00:00.2Z.log"
    first.write_text(LOG)
    second.write_text("  Action: Nothing of interest\n")
    error = failed(block("E36", "Boot.", str(first)) + block("E39", "C.", str(second)), logs=tmp_path).error()
    said = [
        "Failed to handle Enclave process run command",
        "Failed to trigger enclave run",
        "Waiting for the heartbeat failed: VsockTimeoutError",
    ]
    assert error.message == "nitro-cli run-enclave failed: E36: Boot"
    assert error.code == "nitro-cli.failed"
    assert error.hints == (
        NITRO_CLI_ERRORS["E36"].meaning,
        f"{first}: Run Enclave; {'; '.join(said)}",
        NITRO_CLI_ERRORS["E36"].remedy,
        "nitroctl explain E36 says more",
    )
    assert error.details["nitro_cli_code"] == "E36"
    assert error.details["exit_status"] == 39
    assert error.details["error_log"] == {
        "path": str(first),
        "action": "Run Enclave",
        "subactions": said,
    }


def test_a_log_names_its_cause_and_version() -> None:
    log = failure.parse_log("x", LOG)
    assert log is not None
    assert log.cause == "Waiting for the heartbeat failed: VsockTimeoutError"
    assert log.version == "1.5.0"


NAME = "err2026-01-01T00:00:00Z.log"


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(LOG)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / NAME).symlink_to(tmp_path / "secret")
    assert failure.error_log(str(tmp_path / "logs" / NAME), str(tmp_path / "logs")) is None


def test_a_log_that_is_a_fifo_is_not_opened_for_long(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    assert failure.error_log(str(tmp_path / NAME), str(tmp_path)) is None


@pytest.mark.parametrize(
    "path", ["other/" + NAME, "logs/../other/" + NAME, "logs/deep/" + NAME, "logs/passwd", "logs/err.txt"]
)
def test_a_log_outside_the_logs_directory_or_of_another_name_is_not_opened(path: str, tmp_path: Path) -> None:
    place = tmp_path / path
    (tmp_path / "logs").mkdir()
    (tmp_path / "other").mkdir()
    place.parent.mkdir(exist_ok=True, parents=True)
    place.write_text(LOG)
    assert failure.error_log(str(place), str(tmp_path / "logs")) is None


def test_a_log_that_is_gone_or_is_no_log_is_left_out(tmp_path: Path) -> None:
    assert failure.error_log(str(tmp_path / NAME), str(tmp_path)) is None
    (tmp_path / NAME).write_text("root:x:0:0::/root:/bin/sh\n")
    assert failure.error_log(str(tmp_path / NAME), str(tmp_path)) is None


def test_a_log_is_read_with_a_bound_and_its_bytes_are_escaped(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"  Action: \xff\n  Subactions:\n" + b"    again\n" * 1_000_000)
    log = failure.error_log(str(tmp_path / NAME), str(tmp_path))
    assert log is not None
    assert log.action == "\\xff"
    assert len(log.subactions) == 12
