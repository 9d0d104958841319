"""Standard streams that are closed or full, directories that are gone, values that are empty: the status is never 1."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli, Ran, program
from tests.images import forge

FULL = "nitroctl: error: standard output: cannot write: no space left on device [file.unwritable]\n"
CLOSED = "nitroctl: error: standard output: cannot write: bad file descriptor [file.unwritable]\n"


def shell(redirection: str, *argv: str, cwd: Path | None = None) -> Ran:
    """Run nitroctl through a shell that redirects its streams."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirection}', "sh", *program(*argv)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("argv", [("--version",), ("--help",), ("explain", "E26"), ("explain", "E26", "--json")])
@pytest.mark.parametrize(("redirection", "said"), [(">/dev/full", FULL), (">&-", CLOSED)])
def test_an_answer_that_cannot_be_written_is_3(redirection: str, said: str, argv: tuple[str, ...]) -> None:
    assert shell(redirection, *argv) == Ran(3, "", said)


@pytest.mark.parametrize(
    ("argv", "status"), [(("explain", "E26"), 0), (("explain", "E99"), 2), ((), 2), (("eif", "measure", "none"), 3)]
)
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_the_status_is_the_same_where_nobody_reads_the_errors(
    tmp_path: Path, redirection: str, argv: tuple[str, ...], status: int
) -> None:
    ran = shell(redirection, *argv, cwd=tmp_path)
    assert (ran.status, ran.stderr) == (status, "")


def test_everything_closed_and_a_file_written_has_its_own_bytes_only(tmp_path: Path) -> None:
    (tmp_path / "app.eif").write_bytes(forge())
    recorded = ("pcr", "record", "--eif", "app.eif", "--component", "a", "--environment", "b", "--release", "1")
    assert shell("<&- >&- 2>&-", *recorded, cwd=tmp_path).status == 3
    listed = shell("", "pcr", "list", cwd=tmp_path)
    assert (listed.status, listed.stdout.splitlines()[0]) == (0, "1 recorded version in measurements.json")


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (("config", "show"), 0, ""),
        (("pcr", "list"), 3, "nitroctl: error: measurements.json: no recorded measurements [records.missing]\n"),
        (
            ("init", "new"),
            3,
            (
                "nitroctl: error: the current directory is not there any more [file.unreadable]\n"
                "nitroctl: hint: change to one that is there: cd\n"
            ),
        ),
    ],
)
def test_a_current_directory_that_is_gone(tmp_path: Path, argv: tuple[str, ...], status: int, said: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["/bin/sh", "-c", 'rmdir "$PWD"; "$@"', "sh", *program(*argv)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=gone,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()[: len(said)]) == (status, said)


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (("eif", "measure", ""), "FILE"),
        (("pcr", "list", "--records", ""), "--records"),
        (("pcr", "check", "--pcr", ""), "--pcr"),
        (("pcr", "check", "--pcr", f"PCR0={'0' * 96}", "--environment="), "--environment"),
        (
            ("enclave", "build", "--docker-uri", "a", "--output-file", "b", "--signing-certificate", ""),
            "--signing-certificate",
        ),
        (("enclave", "build", "--docker-uri", "a", "--output-file", "b", "--docker-dir", ""), "--docker-dir"),
    ],
)
def test_an_empty_value_is_a_variable_that_was_not_set(cli: Cli, argv: tuple[str, ...], what: str) -> None:
    assert cli(*argv) == Ran(
        2,
        "",
        f"nitroctl: error: {what}: the value is empty [usage.empty]\nnitroctl: hint: was a variable not set?\n",
    )


@pytest.mark.parametrize("form", ["sarif", "junit", "github", "ear", "vsa", "nitro-cli"])
def test_a_form_that_the_answer_cannot_take_is_refused_before_anything_is_done(
    cli: Cli, tmp_path: Path, form: str
) -> None:
    ran = cli("init", str(tmp_path / "new"), "--name", "new", "--format", form)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: --format {form} is for ")
    assert not (tmp_path / "new").exists()


def test_a_missing_argument_is_asked_for_in_one_line(cli: Cli) -> None:
    assert cli("completion") == Ran(
        2,
        "",
        "nitroctl: error: missing argument 'shell'. Choose from: bash, zsh, fish [usage.invalid]\n"
        "nitroctl: hint: see nitroctl completion --help\n",
    )


def test_an_image_does_not_go_to_standard_output(cli: Cli) -> None:
    assert cli("enclave", "build", "--docker-uri", "a:1", "--output-file", "-") == Ran(
        2,
        "",
        "nitroctl: error: --output-file -: an image is not written to standard output [usage.invalid]\n"
        "nitroctl: hint: name a file\n",
    )
