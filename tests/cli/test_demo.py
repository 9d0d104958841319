"""The demonstration: every step the real command, and every step ends as it should."""

import errno
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import Cli, Ran, as_nobody, program

STEPS = [
    ("nitroctl init signer", 0, "signer: 12 files of project signer written"),
    ("nitroctl enclave build", 0, "✓ signer.eif: built; nitro-cli and nitroctl measure the same"),
    ("nitroctl eif measure", 0, "PCR0"),
    ("nitroctl pcr record", 0, "recorded signer-1.0.0@prod in measurements.json: active"),
    ("nitroctl kms generate", 0, "wrote the key policy of signer-1.0.0@prod to policy.json"),
    ("nitroctl kms prove", 0, "✓ proved: no-unattested-decrypt"),
    ("nitroctl allocator show", 0, "the allocator will reserve 2048 MiB and 4 CPUs"),
    ("nitroctl enclave run", 0, "✓ signer is running and measures as signer.eif does"),
    ("nitroctl enclave describe", 0, "signer-1.0.0@prod"),
    ("python3 signer/parent/client.py", 0, "document: document.cbor"),
    ("nitroctl attest verify document.cbor", 0, "not an AWS root, accepted because --root names it) and acceptable"),
    ("nitroctl kms simulate policy.json", 0, "✓ yes: NitroctlAllowSigner"),
    ("nitroctl attest verify document.cbor", 1, "which is not an accepted root"),
    ("nitroctl attest verify tampered.cbor", 1, "the signature is not this document's"),
    ("nitroctl enclave terminate signer", 0, "✓ signer is terminated"),
    ("nitroctl enclave run", 0, "DEBUG MODE"),
    ("python3 signer/parent/client.py", 0, "document: debug.cbor"),
    ("nitroctl attest verify debug.cbor", 1, "the enclave runs in debug mode"),
    ("nitroctl kms simulate policy.json", 1, "NitroctlDenyDebug"),
    ("nitroctl enclave terminate signer", 0, "✓ signer is terminated"),
    ("nitroctl enclave describe", 0, "no enclave is running"),
]


def test_the_whole_life_of_an_enclave(cli: Cli, tmp_path: Path) -> None:
    keep = tmp_path / "demo"
    ran = cli.program("demo", "--keep", str(keep), "--json", timeout=300)
    assert (ran.status, ran.stderr) == (0, "")
    steps = ran.json["data"]["steps"]
    assert [
        (step["command"][: len(command)], step["status"]) for step, (command, _, _) in zip(steps, STEPS, strict=True)
    ] == [(command, status) for command, status, _ in STEPS]
    for step, (_, _, said) in zip(steps, STEPS, strict=True):
        assert said in step["stdout"] + step["stderr"], step
    assert {path.name for path in keep.iterdir()} == {
        "debug.cbor",
        "document.cbor",
        "measurements.json",
        "policy.json",
        "signer",
        "signer.eif",
        "standin-root.pem",
        "tampered.cbor",
    }


def test_people_see_the_commands_and_what_they_printed(cli: Cli) -> None:
    ran = cli.program("demo", timeout=300)
    assert (ran.status, ran.stderr) == (0, "")
    commands = [line.removeprefix("$ ") for line in ran.stdout.splitlines() if line.startswith("$ ")]
    assert [command for command, _, _ in STEPS] == [
        command[: len(start)] for command, (start, _, _) in zip(commands, STEPS, strict=True)
    ]
    assert ran.stdout.endswith("\nDone: 21 commands, each ended as it should.\n")
    assert re.search(r"\x1b", ran.stdout) is None


def test_a_directory_with_files_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    assert cli("demo", "--keep", str(tmp_path)) == Ran(
        3,
        "",
        f"nitroctl: error: {tmp_path}: not empty [demo.directory]\nnitroctl: hint: name a new directory with --keep\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_nothing_of_the_stand_in_host_is_left(cli: Cli) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        assert cli.program("demo", env={"TMPDIR": short}, timeout=300).status == 0
        assert list(Path(short).iterdir()) == []


def test_a_temporary_directory_too_long_for_sockets_is_not_used(cli: Cli, tmp_path: Path) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    assert cli.program("demo", env={"TMPDIR": str(long)}, timeout=300).status == 0
    assert list(long.iterdir()) == []


def test_a_directory_that_may_not_be_looked_into_is_an_error_and_not_a_bug(cli: Cli) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as theirs:
        drop = as_nobody()
        done = subprocess.run([*drop, *program("demo", "--keep", theirs)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"nitroctl: error: {theirs}: cannot write: permission denied [file.unwritable]\n"
        "nitroctl: hint: run it as the file's owner, or with sudo\n"
    )


def test_a_full_disk_is_an_error_and_not_a_bug(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "there")

    monkeypatch.setattr(shutil, "copyfile", full)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ran = cli("demo", "--keep", str(tmp_path / "keep"))
    assert (ran.status, ran.stderr) == (
        3,
        (
            "nitroctl: error: there: cannot write: no space left on device [file.unwritable]\n"
            "nitroctl: hint: free some space; the old file is unchanged\n"
        ),
    )


def test_this_machines_configuration_does_not_lead_it_elsewhere(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "nitroctl").mkdir()
    (tmp_path / "nitroctl/config.toml").write_text('nitro_cli = "/nonexistent"\nrecords = "/nonexistent/records"\n')
    assert cli.program("demo", env={"XDG_CONFIG_HOME": str(tmp_path)}, timeout=300).status == 0
