"""``nitroctl enclave``: whole outputs on the stand-in host, and a nitro-cli that fails in every way it can."""
# ruff: noqa: F811  (fixtures are imported, and asked for by their names)

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nitroctl.host import nitro_cli as wrapper
from nitroctl.standin.host import StandinHost
from tests.conftest import Cli, Ran, as_nobody, program
from tests.standin_host import standin  # noqa: F401  (a fixture)

ID = re.compile(r"i-[0-9a-f]{17}-enc[0-9a-f]{12,16}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?Z")
HEX = re.compile(r"[0-9a-f]{64,}")


def steady(text: str, standin: StandinHost | None = None) -> str:
    """``text`` with what differs from run to run replaced: enclave ids, times, digests, the host's directory."""
    if standin:
        text = text.replace(str(standin.directory), "HOST")
    return HEX.sub("HEX", TIME.sub("TIME", ID.sub("ID", text)))


def says(error: str, *hints: str) -> str:
    """What stderr holds after an error with its hints."""
    return f"nitroctl: error: {error}\n" + "".join(f"nitroctl: hint: {hint}\n" for hint in hints)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: StandinHost) -> Path:
    """A working directory on the stand-in host."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def app(work: Path, cli: Cli) -> str:
    """An image, app.eif."""
    assert cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif").status == 0
    return "app.eif"


def launch(cli: Cli, *more: str, memory: int = 256) -> Ran:
    return cli("enclave", "run", "--eif-path", "app.eif", "--memory", str(memory), *more)


def fake(directory: Path, body: str) -> Mapping[str, str]:
    """The environment with a nitro-cli of a few lines of shell."""
    path = directory / "nitro-cli"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return {"NITROCTL_NITRO_CLI": str(path)}


# -- build


def test_build_makes_an_image_that_both_measure_the_same(work: Path, cli: Cli) -> None:
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif")
    size = (work / "app.eif").stat().st_size
    assert (ran.status, ran.stderr) == (0, "")
    assert steady(ran.stdout) == (
        "✓ app.eif: built; nitro-cli and nitroctl measure the same\n"
        f"size     {size} bytes\n"
        "SHA-256  HEX\n"
        "signer   not signed\n"
        "PCR0     HEX\n"
        "PCR1     HEX\n"
        "PCR2     HEX\n"
    )
    assert os.listdir(work) == ["app.eif"]  # noqa: PTH208
    assert (work / "app.eif").stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_build_can_record_what_it_built(work: Path, cli: Cli) -> None:
    naming = ["--record", "--component", "app", "--environment", "prod", "--release", "1.0.0"]
    built = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", *naming, "--json").json
    assert built["data"]["recorded"] == {"id": "app-1.0.0@prod", "outcome": "added"}
    (entry,) = json.loads((work / "measurements.json").read_text())["entries"]
    assert entry["status"] == "candidate"
    assert entry["measurements"]["pcrs"] == built["data"]["pcrs"] == built["data"]["nitro_cli_pcrs"]
    assert entry["artifact"] == {
        "name": "app.eif",
        "sha256": built["data"]["sha256"],
        "size": built["data"]["size_bytes"],
    }


def test_build_that_cannot_be_recorded_keeps_the_image_and_says_both(work: Path, cli: Cli) -> None:
    naming = ["--record", "--component", "app", "--environment", "prod", "--release", "1.0.0"]
    assert cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", *naming).status == 0
    ran = cli("enclave", "build", "--docker-uri", "other:1", "--output-file", "app.eif", *naming, "--json")
    assert ran.status == 3
    assert ran.json["data"]["written"] is True
    assert ran.json["data"]["recorded"] is None
    assert [error["code"] for error in ran.json["errors"]] == ["records.version-taken"]


def test_build_refuses_a_bad_record_name_before_it_builds(work: Path, cli: Cli) -> None:
    naming = ["--record", "--component", "-app", "--environment", "prod", "--release", "1.0.0"]
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", *naming)
    assert (ran.status, ran.stdout) == (3, "")
    assert "[records.name]" in ran.stderr
    assert not (work / "app.eif").exists()


@pytest.fixture
def signer(work: Path) -> None:
    """key.pem, and its certificate cert.pem."""
    key = ec.generate_private_key(ec.SECP384R1())
    for name in ("cert.pem", "other.pem"):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC).replace(microsecond=0)
        built = x509.CertificateBuilder(
            subject, subject, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1)
        ).sign(key, hashes.SHA384())
        (work / name).write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (work / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


SIGN = ["--signing-certificate", "cert.pem", "--private-key", "key.pem"]


def test_build_signs(work: Path, cli: Cli, signer: None) -> None:
    data = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", *SIGN, "--json").json["data"]
    register = cli("pcr", "certificate", "cert.pem", "--json").json["data"]
    assert data["signed"] is True
    assert data["pcrs"]["PCR8"] == register["pcrs"]["PCR8"]


def test_build_refuses_an_image_that_was_silently_left_unsigned(
    work: Path, cli: Cli, signer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_VERSION", "1.4.2")
    monkeypatch.setenv("NITROCTL_STANDIN_SIGNING", "fail")
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", *SIGN)
    assert ran.status == 1
    assert steady(ran.stdout) == (
        "✗ app.eif: not written: signing was asked for, but the image has no signature (nitro-cli before 1.5.0 goes on "
        "when the key fails)\n"
        "✓ The image is well-formed, so that it has measurements\n"
        "✓ nitro-cli and nitroctl measure the same\n"
        "✗ The image is signed with the certificate that was given\n"
        "  signing was asked for, but the image has no signature (nitro-cli before 1.5.0 goes on when the key fails)\n"
        "  expected  PCR8 HEX\n"
        "  actual    PCR8 absent\n"
        "  fix: check the key, its permissions (kms:Sign, kms:GetPublicKey) and the credentials\n"
        "  [build.signed]\n"
    )
    assert not (work / "app.eif").exists()


def test_build_says_no_when_nitro_cli_prints_other_measurements(
    app: str, work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (work / "app.eif").read_bytes()
    monkeypatch.setenv("NITROCTL_STANDIN_TAMPER", "build-enclave")
    ran = cli("enclave", "build", "--docker-uri", "new:1", "--output-file", "app.eif")
    assert ran.status == 1
    assert steady(ran.stdout) == (
        "✗ app.eif: not written: PCR0 of the file is not what nitro-cli printed\n"
        "✓ The image is well-formed, so that it has measurements\n"
        "✗ nitro-cli and nitroctl measure the same\n"
        "  PCR0 of the file is not what nitro-cli printed\n"
        "  expected  PCR0 HEX (nitro-cli)\n"
        "  actual    PCR0 HEX (the file)\n"
        "  fix: do not use the image; build it again, on a machine you can rely on\n"
        "  [build.registers]\n"
    )
    assert (work / "app.eif").read_bytes() == before
    assert os.listdir(work) == ["app.eif"]  # noqa: PTH208


def test_build_refuses_an_image_that_is_none(work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = json.dumps({"Measurements": {f"PCR{n}": "aa" * 48 for n in range(3)}})
    body = f"""for a in "$@"; do case "$a" in --output-file=*) echo junk > "${{a#*=}}";; esac; done; echo '{reply}'"""
    for name, value in fake(work, body).items():
        monkeypatch.setenv(name, value)
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", "--json")
    assert ran.status == 1
    report = ran.json["data"]["report"]
    assert [check["outcome"] for check in report["checks"]] == ["fail", "skip"]
    assert os.listdir(work) == ["nitro-cli"]  # noqa: PTH208


def test_build_that_wrote_nothing_is_not_believed(work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = json.dumps({"Measurements": {f"PCR{n}": "aa" * 48 for n in range(3)}})
    for name, value in fake(work, f"echo '{reply}'").items():
        monkeypatch.setenv(name, value)
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr == (
        "nitroctl: error: nitro-cli build-enclave: it reports success but wrote no image [nitro-cli.nonsense]\n"
        "nitroctl: hint: read its log\n"
    )


def test_build_failure_shows_the_whole_log_and_keeps_the_old_image(
    app: str, work: Path, cli: Cli, standin: StandinHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (work / "app.eif").read_bytes()
    monkeypatch.setenv("NITROCTL_STANDIN_BUILD", "nospace")
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif")
    assert (ran.status, ran.stdout) == (4, "")
    assert steady(ran.stderr, standin) == (
        "nitro-cli: Start building the Enclave Image...\n"
        "nitro-cli: Using the locally available Docker image...\n"
        "nitro-cli: Linuxkit reported an error while creating the customer ramfs: write /tmp/layer: "
        "no space left on device\n"
        "nitro-cli: [ E48 ] EIF building error. The enclave image could not be built.\n"
        "nitro-cli: \n"
        "nitro-cli: For more details, please visit "
        "https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html#E48\n"
        "nitro-cli: \n"
        "nitro-cli: If you open a support ticket, please provide the error log found at "
        '"HOST/log/errTIME.log"\n'
        "nitroctl: error: nitro-cli build-enclave failed: E48: EIF building error. The enclave image could not be "
        "built [nitro-cli.failed]\n"
        "nitroctl: hint: The image could not be assembled.\n"
        "nitroctl: hint: HOST/log/errTIME.log: Build Enclave; LinuxkitExecError\n"
        "nitroctl: hint: Read the quoted error log: it names the step.\n"
        "nitroctl: hint: nitroctl explain E48 says more\n"
    )
    assert (work / "app.eif").read_bytes() == before
    assert os.listdir(work) == ["app.eif"]  # noqa: PTH208


def test_build_failure_is_machine_readable(work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_BUILD", "panic")
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", "--json")
    (error,) = ran.json["errors"]
    assert (ran.status, error["code"]) == (4, "nitro-cli.failed")
    assert error["details"]["nitro_cli_code"] is None
    assert error["details"]["exit_status"] == 101
    assert "panicked" in error["details"]["stderr"]


@pytest.mark.parametrize(
    ("arguments", "status", "stderr"),
    [
        (
            ["--signing-certificate", "cert.pem"],
            2,
            says("signing takes both --signing-certificate and --private-key [enclave.signing]"),
        ),
        (
            ["--signing-certificate", "absent.pem", "--private-key", "key.pem"],
            3,
            says("absent.pem: cannot read: no such file or directory [file.unreadable]", "check the path"),
        ),
        (
            ["--record"],
            2,
            says(
                "--record needs --component, --environment and --release [usage.invalid]",
                "--record --component signer --environment prod --release 1.0.0",
            ),
        ),
        (
            ["--activate"],
            2,
            says(
                "--activate, --component, --environment, --release and --source-… are for --record [usage.invalid]",
                "add --record",
            ),
        ),
    ],
)
def test_build_invocations_that_are_wrong(arguments: list[str], status: int, stderr: str, work: Path, cli: Cli) -> None:
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", *arguments)
    assert ran == Ran(status, "", stderr)


@pytest.mark.parametrize(
    ("output", "stderr"),
    [
        (".", says(".: is a directory [file.unwritable]", "name a file in it")),
        (
            "absent/app.eif",
            says(
                "absent/app.eif: cannot write: no such file or directory [file.unwritable]", "make the directory first"
            ),
        ),
    ],
)
def test_build_into_places_where_no_file_can_be(output: str, stderr: str, work: Path, cli: Cli) -> None:
    assert cli("enclave", "build", "--docker-uri", "app:1", "--output-file", output) == Ran(3, "", stderr)


def test_build_does_not_replace_what_is_not_a_file(work: Path, cli: Cli) -> None:
    os.mkfifo(work / "app.eif")
    assert cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif") == Ran(
        3, "", says("app.eif: not a regular file [file.not-regular]", "name a file to make")
    )
    assert (work / "app.eif").is_fifo()


def test_build_through_a_link_replaces_what_it_points_to(work: Path, cli: Cli) -> None:
    (work / "images").mkdir()
    (work / "app.eif").symlink_to("images/app-1.eif")
    assert cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif").status == 0
    assert (work / "app.eif").is_symlink()
    assert os.listdir(work / "images") == ["app-1.eif"]  # noqa: PTH208


def test_build_with_a_full_disk_leaves_nothing(app: str, work: Path) -> None:
    before = (work / "app.eif").read_bytes()
    command = " ".join(program("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 4; exec {command}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert (work / "app.eif").read_bytes() == before
    assert os.listdir(work) == ["app.eif"]  # noqa: PTH208


def test_builds_side_by_side(work: Path) -> None:
    running = [
        subprocess.Popen(
            program("enclave", "build", "--docker-uri", f"app:{n}", "--output-file", f"{n}.eif"),
            env={**os.environ, "NITROCTL_STANDIN_SLOW_BUILD": "1"},
            stdout=subprocess.DEVNULL,
        )
        for n in range(2)
    ]
    assert [child.wait(60) for child in running] == [0, 0]
    assert sorted(os.listdir(work)) == ["0.eif", "1.eif"]  # noqa: PTH208


@contextlib.contextmanager
def started(*argv: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """nitroctl as a process in the middle of something; killed in the end if it still runs."""
    with subprocess.Popen(
        program(*argv),
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def wait_for(what: str, *, timeout: float = 30) -> None:
    """Wait until some process has ``what`` in its command line."""
    deadline = time.monotonic() + timeout
    while not commands(what):
        assert time.monotonic() < deadline, f"no process with {what}"
        time.sleep(0.02)


def commands(what: str) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = place.read_bytes().split(b"\0")
            if any(what.encode() in word for word in words) and b"nitroctl" not in words:
                found.append(b" ".join(words).decode())
    return found


@pytest.mark.parametrize(
    ("signum", "status", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_build_interrupted_leaves_no_process_and_no_file(
    signum: signal.Signals, status: int, said: str, app: str, work: Path
) -> None:
    before = (work / "app.eif").read_bytes()
    arguments = ("enclave", "build", "--docker-uri", "app:2", "--output-file", "app.eif")
    with started(*arguments, NITROCTL_STANDIN_SLOW_BUILD="60") as child:
        wait_for(f"--output-file={work.resolve()}/.app.eif.")
        child.send_signal(signum)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (status, "", f"nitroctl: note: {said}\n")
    assert commands(f"--output-file={work.resolve()}/.app.eif.") == []
    assert (work / "app.eif").read_bytes() == before
    assert os.listdir(work) == ["app.eif"]  # noqa: PTH208


def on_a_terminal(*argv: str, keys: bytes = b"", env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run nitroctl with a terminal for stdin and stderr; return its status and what the terminal showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        program(*argv),
        env={**os.environ, "TERM": "xterm", **(env or {})},
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as child:
        os.close(theirs)
        os.write(ours, keys)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal is gone with the last process on it
            while chunk := os.read(ours, 4096):
                shown += chunk
        os.close(ours)
        return child.wait(60), shown.decode()


def test_build_on_a_terminal_shows_one_live_line_and_removes_it(work: Path) -> None:
    status, shown = on_a_terminal(
        "enclave",
        "build",
        "--docker-uri",
        "app:1",
        "--output-file",
        "app.eif",
        env={"NITROCTL_STANDIN_SLOW_BUILD": "1.2"},
    )
    assert status == 0
    assert shown.startswith("\r\x1b[Kbuilding app.eif, 0 s")
    assert "\r\x1b[Kbuilding app.eif, 1 s: Using the locally available Docker image..." in shown
    assert shown.endswith("\r\x1b[K")
    assert "\n" not in shown


@pytest.mark.parametrize("arguments", [["--quiet"], []])
def test_build_on_a_terminal_can_be_silent(arguments: list[str], work: Path) -> None:
    status, shown = on_a_terminal(
        "enclave",
        "build",
        "--docker-uri",
        "app:1",
        "--output-file",
        "app.eif",
        *arguments,
        env={} if arguments else {"NITROCTL_PROGRESS": "none"},
    )
    assert (status, shown) == (0, "")


def test_build_elsewhere_gives_a_sign_of_life(work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.cli.progress.HEARTBEAT_S", 1)
    monkeypatch.setenv("NITROCTL_STANDIN_SLOW_BUILD", "1.5")
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif")
    lines = ran.stderr.splitlines()
    assert lines  # how many says how busy the machine is
    for line in lines:
        assert re.fullmatch(
            r"nitroctl: note: building app\.eif, \d+ s: Using the locally available Docker image\.\.\.", line
        )


# -- run


def test_run_says_what_runs(app: str, cli: Cli) -> None:
    ran = launch(cli, "--cpu-count", "2")
    assert (ran.status, ran.stderr) == (0, "")
    assert steady(ran.stdout) == (
        "✓ app is running and measures as app.eif does\n"
        "name    app\n"
        "id      ID\n"
        "CID     16\n"
        "CPUs    1 5\n"
        "memory  256 MiB\n"
        "mode    normal\n"
        "record  none\n"
        "PCR0    HEX\n"
        "PCR1    HEX\n"
        "PCR2    HEX\n"
        "as of   TIME\n"
    )


def test_run_in_json(app: str, cli: Cli) -> None:
    data = launch(cli, "--cpu-ids", "2", "6", "--enclave-cid", "40", "--enclave-name", "-x", "--json").json["data"]
    assert data["launched"]["cpu_ids"] == [2, 6]
    assert data["launched"]["cid"] == 40
    assert data["launched"]["name"] == "-x"
    assert data["running_pcrs"] == data["pcrs"]
    assert data["report"]["verdict"] == "pass"


@pytest.mark.parametrize("version", ["1.1.0", "1.2.0", "1.3.0", "1.4.2", "1.4.3", "1.5.0"])
def test_every_version_from_build_to_terminate(
    version: str, work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_VERSION", version)
    assert cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif").status == 0
    assert launch(cli, "--cpu-count", "2").status == 0
    (enclave,) = cli("enclave", "describe", "--json").json["data"]["enclaves"]
    assert enclave["name"] == "app"
    assert cli("enclave", "terminate", "--all", "--yes").status == 0


def test_an_option_that_this_version_does_not_know(work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_VERSION", "1.1.0")
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", "--name", "app")
    assert ran == Ran(
        3,
        "",
        says(
            "nitro-cli 1.1.0 does not know --name: it came with 1.2.0 [nitro-cli.too-old]",
            "upgrade aws-nitro-enclaves-cli, or leave the option out",
        ),
    )


def test_run_beside_an_enclave_that_does_not_answer(app: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_MUTE", "1")
    launch(cli, "--cpu-count", "2", "--enclave-name", "b")
    monkeypatch.delenv("NITROCTL_STANDIN_MUTE")
    ran = launch(cli, "--cpu-ids", "2", "6")
    assert (ran.status, ran.stderr) == (
        0,
        "nitroctl: note: not every running enclave answered; what the silent ones hold is not known\n",
    )


def test_run_a_second_time_says_the_real_name_loudly(app: str, cli: Cli) -> None:
    assert launch(cli, "--cpu-count", "2").status == 0
    ran = launch(cli, "--cpu-count", "2")
    assert ran.status == 0
    assert ran.stdout.startswith("✓ app_1 is running and measures as app.eif does\nname    app_1\n")
    assert ran.stderr == "nitroctl: note: THE NAME IS app_1, not app: an enclave of that name was running already\n"


def test_run_refuses_a_given_name_that_is_taken(app: str, cli: Cli) -> None:
    assert launch(cli, "--cpu-count", "2").status == 0
    ran = launch(cli, "--cpu-count", "2", "--enclave-name", "app")
    assert ran.status == 1
    assert steady(ran.stdout) == (
        "✗ app.eif: not launched: app is running already (ID); nitro-cli would silently add a number\n"
        "✗ No running enclave has the name that was given\n"
        "  app is running already (ID); nitro-cli would silently add a number\n"
        "  fix: nitroctl enclave terminate ID, or another --enclave-name\n"
        "  [launch.name]\n"
    )
    assert len(cli("enclave", "describe", "--json").json["data"]["enclaves"]) == 1


def test_run_refuses_what_the_host_cannot_give_with_every_number(app: str, cli: Cli) -> None:
    assert launch(cli, "--cpu-count", "2").status == 0
    ran = launch(cli, "--cpu-count", "3", memory=4096)
    assert (ran.status, ran.stderr) == (1, "")
    assert ran.stdout == (
        "✗ app.eif: not launched: 2304 MiB short; free hugepages: 896 of 1024 x 2 MiB\n"
        "✗ There are enough free hugepages for the memory\n"
        "  2304 MiB short; free hugepages: 896 of 1024 x 2 MiB\n"
        "  expected  4096 MiB free\n"
        "  actual    1792 MiB free\n"
        "  fix: terminate an enclave, or raise memory_mib (nitroctl allocator set) and sudo systemctl restart "
        "nitro-enclaves-allocator.service\n"
        "  [launch.hugepages]\n"
        "✗ The CPUs are in the pool and free\n"
        "  1 of 3 CPUs short; pool 1-2,5-6; free: 2,6; the others run app\n"
        "  expected  3 free\n"
        "  actual    2 free\n"
        "  fix: terminate an enclave, ask for fewer, or raise cpu_count (nitroctl allocator set) and sudo systemctl "
        "restart nitro-enclaves-allocator.service\n"
        "  [launch.cpus]\n"
        "✗ The CPUs make whole cores\n"
        "  3 CPUs at 2 threads per core\n"
        "  fix: ask for 4: an enclave gets whole cores\n"
        "  [launch.full-cores]\n"
    )


def test_run_is_loud_about_debug_mode(app: str, cli: Cli) -> None:
    ran = launch(cli, "--cpu-count", "2", "--debug-mode")
    assert ran.status == 0
    assert "\nmode    debug\n" in ran.stdout
    assert ran.stderr == (
        "nitroctl: note: DEBUG MODE: PCR0, PCR1, PCR2 and PCR8 are zero in its attestation documents, so a KMS policy "
        "that names them refuses it; anybody on this host can read its console\n"
    )


def record(cli: Cli, *more: str) -> None:
    naming = ["--component", "app", "--environment", "prod", "--release", "1"]
    assert cli("pcr", "record", "--eif", "app.eif", *naming, *more).status == 0


def test_run_of_an_active_record(app: str, cli: Cli) -> None:
    record(cli, "--activate")
    ran = launch(cli, "--cpu-count", "2", "--require-recorded", "--component", "app", "--environment", "prod", "--json")
    assert ran.status == 0
    assert ran.json["data"]["records"] == [{"id": "app-1@prod", "status": "active"}]


@pytest.mark.parametrize(
    ("recording", "more", "detail"),
    [
        ([], [], "app-1@prod is candidate, not active"),
        (["--activate"], ["--component", "b"], "no entry of measurements.json (b) has any register in common with it"),
    ],
)
def test_run_refuses_an_image_that_is_no_active_record(
    recording: list[str], more: list[str], detail: str, app: str, cli: Cli
) -> None:
    record(cli, *recording)
    ran = launch(cli, "--cpu-count", "2", "--require-recorded", *more)
    assert ran == Ran(
        1,
        f"✗ app.eif: not launched: {detail}\n"
        "✗ The image is an active record\n"
        f"  {detail}\n"
        "  fix: launch a recorded image, or review this one and nitroctl pcr record --activate it\n"
        "  [launch.recorded]\n",
        "",
    )
    assert cli("enclave", "describe", "--json").json["data"]["enclaves"] == []


def test_run_that_requires_records_that_are_not_there(app: str, cli: Cli) -> None:
    ran = launch(cli, "--cpu-count", "2", "--require-recorded")
    assert (ran.status, ran.stdout) == (3, "")
    assert "[records.missing]" in ran.stderr


def test_run_says_no_when_the_running_enclave_measures_otherwise(
    app: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_TAMPER", "describe-enclaves")
    ran = launch(cli, "--cpu-count", "2")
    assert (ran.status, ran.stderr) == (1, "")
    out = steady(ran.stdout)
    assert out.startswith(
        "✗ app was launched, but: PCR0 of the running enclave is not that of the image file; the file was exchanged "
        "during the launch, or nitro-cli cannot be believed\n"
    )
    assert out.endswith(
        "✗ The running enclave has the image's measurements\n"
        "  PCR0 of the running enclave is not that of the image file; the file was exchanged during the launch, or "
        "nitro-cli cannot be believed\n"
        "  expected  PCR0 HEX\n"
        "  actual    PCR0 HEX\n"
        "  fix: it still runs; end it: nitroctl enclave terminate ID\n"
        "  [launch.measurements]\n"
    )
    monkeypatch.delenv("NITROCTL_STANDIN_TAMPER")
    assert len(cli("enclave", "describe", "--json").json["data"]["enclaves"]) == 1


def test_run_of_an_enclave_that_ends_at_once(app: str, cli: Cli, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started_json = {
        "EnclaveName": "app",
        "EnclaveID": "i-0123456789abcdef0-enc0123456789abcdef",
        "ProcessID": 1,
        "EnclaveCID": 16,
        "NumberOfCPUs": 2,
        "CPUIDs": [1, 5],
        "MemoryMiB": 256,
    }
    body = f"""case "$1" in run-enclave) echo '{json.dumps(started_json)}';; *) echo '[]';; esac"""
    for name, value in fake(work, body).items():
        monkeypatch.setenv(name, value)
    ran = launch(cli, "--cpu-count", "2", "--json")
    assert ran.status == 1
    assert ran.json["data"]["running_pcrs"] is None
    assert [check["id"] for check in ran.json["data"]["report"]["checks"] if check["outcome"] == "fail"] == [
        "launch.running"
    ]


@pytest.mark.parametrize("state", ["TERMINATING", "EMPTY"])
def test_run_of_an_enclave_that_is_listed_but_does_not_run(
    state: str, app: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_STATE", state)
    ran = launch(cli, "--cpu-count", "2")
    assert ran.status == 1
    first = steady(ran.stdout).splitlines()[0]
    assert first == f"✗ app was launched, but: ID was started, but its state is {state}"


def test_run_says_which_pinned_register_it_cannot_see(app: str, cli: Cli) -> None:
    record = ("pcr", "record", "--eif", "app.eif", "--component", "app", "--environment", "prod", "--release", "1")
    assert cli(*record, "--pcr", f"PCR3={'ab' * 48}", "--activate").status == 0
    ran = launch(cli, "--cpu-count", "2", "--require-recorded")
    assert (ran.status, ran.stderr) == (
        0,
        "nitroctl: note: app-1@prod pins PCR3 too: not checked, only an attestation document shows it\n",
    )


def test_run_whose_boot_fails_names_the_first_code_and_the_logged_cause(
    app: str, cli: Cli, standin: StandinHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_HEARTBEAT", "fail")
    ran = launch(cli, "--cpu-count", "2")
    assert (ran.status, ran.stdout) == (4, "")
    assert steady(ran.stderr, standin) == (
        "nitroctl: error: nitro-cli run-enclave failed: E36: Enclave boot failure. The enclave gave no sign of life "
        "[nitro-cli.failed]\n"
        "nitroctl: hint: The enclave was started but did not report that it had booted.\n"
        "nitroctl: hint: HOST/log/errTIME.log: Run Enclave; VsockTimeoutError: no heartbeat\n"
        "nitroctl: hint: Launch one at a time (nitroctl does), give more memory, and watch it boot with --debug-mode "
        "--attach-console.\n"
        "nitroctl: hint: nitroctl explain E36 says more\n"
    )


def test_run_with_the_console_shows_the_enclave_first(app: str, cli: Cli) -> None:
    ran = cli.program(
        *("enclave", "run", "--eif-path", "app.eif", "--memory", "256", "--cpu-count", "2", "--attach-console"),
        env={"NITROCTL_STANDIN_VANISH": "1.5", "NITROCTL_STANDIN_CONSOLE": "hello from inside"},
    )
    assert ran.status == 0
    assert ran.stdout.startswith("✓ app is running and measures as app.eif does\nname    app\n")
    assert "hello from inside" in ran.stdout.partition("\nas of")[2]
    assert "Connecting to the console" not in ran.stdout
    assert ran.stderr.startswith("nitroctl: note: DEBUG MODE: ")


def test_run_with_the_console_in_json_begins_with_one_document(app: str, cli: Cli) -> None:
    ran = cli.program(
        *("enclave", "run", "--eif-path", "app.eif", "--memory", "256", "--cpu-count", "2", "--attach-console"),
        "--json",
        env={"NITROCTL_STANDIN_VANISH": "1.5", "NITROCTL_STANDIN_CONSOLE": "hello from inside"},
    )
    document, end = json.JSONDecoder().raw_decode(ran.stdout)
    assert document["schema"] == "nitroctl/enclave.run/1"
    assert "hello from inside" in ran.stdout[end:]


def test_run_with_the_console_that_does_not_boot(app: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_HEARTBEAT", "fail")
    ran = launch(cli, "--cpu-count", "2", "--attach-console")
    assert (ran.status, ran.stdout) == (4, "")
    assert ran.stderr.startswith("nitroctl: error: nitro-cli run-enclave failed: E36: ")


def test_launches_take_turns(app: str, work: Path, standin: StandinHost) -> None:
    arguments = ("enclave", "run", "--eif-path", "app.eif", "--memory", "256", "--cpu-count", "2")
    with started(*arguments, NITROCTL_STANDIN_SLOW_BOOT="2") as first:
        until_locked(standin)
        with started(*arguments) as second:
            results = [child.communicate(timeout=60) for child in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], results
    assert results[0][1] == ""
    assert results[1][1] == (
        "nitroctl: note: another launch is under way on this host; waiting for it to end\n"
        "nitroctl: note: THE NAME IS app_1, not app: an enclave of that name was running already\n"
    )


def locked(standin: StandinHost) -> bool:
    descriptor = os.open(standin.directory / "run", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def until_locked(standin: StandinHost) -> None:
    deadline = time.monotonic() + 30
    while not locked(standin):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("signum", "status", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_run_interrupted_frees_the_lock_and_says_what_may_follow(
    signum: signal.Signals, status: int, said: str, app: str, standin: StandinHost
) -> None:
    image = str(Path(app).absolute())
    arguments = ("enclave", "run", "--eif-path", image, "--memory", "256", "--cpu-count", "2")
    with started(*arguments, NITROCTL_STANDIN_SLOW_BOOT="60") as child:
        wait_for(f"--eif-path={image}")
        child.send_signal(signum)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (status, "")
    assert err == (
        f"nitroctl: note: an enclave may still come up: look with nitroctl enclave describe\nnitroctl: note: {said}\n"
    )
    assert not locked(standin)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("dev/nitro_enclaves", "host.not-enclave-enabled"),
        ("sys/module/nitro_enclaves/parameters/ne_cpus", "host.not-enclave-enabled"),
    ],
)
def test_run_on_a_host_without_enclaves(change: str, code: str, app: str, cli: Cli, standin: StandinHost) -> None:
    (standin.root / change).unlink()
    ran = launch(cli, "--cpu-count", "2")
    assert (ran.status, ran.stdout) == (3, "")
    assert f"[{code}]" in ran.stderr


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "eif.not-measurable"), (b"x" * 5000, "eif.not-measurable"), (None, "file.unreadable")]
)
def test_run_of_a_file_that_is_no_image(content: bytes | None, code: str, work: Path, cli: Cli) -> None:
    if content is not None:
        (work / "app.eif").write_bytes(content)
    ran = launch(cli, "--cpu-count", "2")
    assert (ran.status, ran.stdout) == (3, "")
    assert f"[{code}]" in ran.stderr


def test_run_of_places_that_are_no_file(work: Path, cli: Cli) -> None:
    os.mkfifo(work / "app.eif")
    assert "[file.not-regular]" in launch(cli, "--cpu-count", "2").stderr
    (work / "app.eif").unlink()
    (work / "app.eif").mkdir()
    assert "[file.unreadable]" in launch(cli, "--cpu-count", "2").stderr


def test_run_of_a_huge_file_that_is_no_image(work: Path, cli: Cli) -> None:
    with (work / "app.eif").open("wb") as stream:
        stream.truncate(10 * 1024**3)
    assert launch(cli, "--cpu-count", "2").status == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name either --cpu-count or --cpu-ids [enclave.cpus]"),
        (["--cpu-count", "2", "--cpu-ids", "1"], "name either --cpu-count or --cpu-ids [enclave.cpus]"),
        (["--cpu-ids", "x"], "--cpu-ids: 'x' is not a CPU number or a range such as 6-9 [enclave.cpus]"),
        (["--cpu-count", "2", "5"], "unexpected argument: '5' [usage.invalid]"),
        (["--cpu-count", "2", "--enclave-cid", "3"], "CID 3 is reserved [enclave.cid]"),
        (
            ["--cpu-count", "2", "--component", "x"],
            "--component and --environment are for --require-recorded [usage.invalid]",
        ),
    ],
)
def test_run_invocations_that_are_wrong(arguments: list[str], said: str, work: Path, cli: Cli) -> None:
    ran = launch(cli, *arguments)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: {said}"


# -- describe


def test_describe_nothing(work: Path, cli: Cli) -> None:
    assert cli("enclave", "describe") == Ran(0, "no enclave is running\n", "")


def test_describe_all_and_one(app: str, cli: Cli) -> None:
    record(cli)
    launch(cli, "--cpu-count", "2")
    launch(cli, "--cpu-count", "2", "--enclave-name", "b", "--debug-mode")
    ran = cli("enclave", "describe")
    note = "nitroctl: note: b runs in debug mode: its attestation carries zeros, not these measurements\n"
    assert (ran.status, ran.stderr) == (0, note)
    assert [line.split() for line in steady(ran.stdout).splitlines()] == [
        ["name", "id", "CID", "CPUs", "memory", "state", "mode", "record"],
        ["app", "ID", "16", "1", "5", "256", "MiB", "RUNNING", "normal", "app-1@prod", "(candidate)"],
        ["b", "ID", "17", "2", "6", "256", "MiB", "RUNNING", "debug", "app-1@prod", "(candidate)"],
    ]
    one = steady(cli("enclave", "describe", "app").stdout)
    assert re.sub(r"process  \d+", "process  N", one) == (
        "app\n"
        "id       ID\n"
        "state    RUNNING\n"
        "mode     normal\n"
        "CID      16\n"
        "CPUs     1 5\n"
        "memory   256 MiB\n"
        "process  N\n"
        "record   app-1@prod (candidate)\n"
        "PCR0     HEX\n"
        "PCR1     HEX\n"
        "PCR2     HEX\n"
    )


def test_describe_with_records_that_cannot_be_read_still_describes(app: str, work: Path, cli: Cli) -> None:
    launch(cli, "--cpu-count", "2")
    (work / "measurements.json").write_text("{")
    ran = cli("enclave", "describe")
    assert ran.status == 0
    assert ran.stderr.startswith("nitroctl: note: the records were not looked at: measurements.json")


def test_describe_keeps_what_answered_when_one_did_not(
    app: str, cli: Cli, monkeypatch: pytest.MonkeyPatch, standin: StandinHost
) -> None:
    launch(cli, "--cpu-count", "2")
    monkeypatch.setenv("NITROCTL_STANDIN_MUTE", "1")
    launch(cli, "--cpu-count", "2", "--enclave-name", "b")
    monkeypatch.delenv("NITROCTL_STANDIN_MUTE")
    ran = cli("enclave", "describe", "--json")
    assert (ran.status, ran.json["status"], ran.json["data"]["partial"]) == (4, "error", True)
    assert [enclave["name"] for enclave in ran.json["data"]["enclaves"]] == ["app"]
    (error,) = ran.json["errors"]
    assert (error["code"], error["details"]["nitro_cli_code"]) == ("nitro-cli.failed", "E39")
    human = cli("enclave", "describe")
    assert (human.status, human.stdout.splitlines()[1].split()[0]) == (4, "app")
    assert human.stderr.startswith("nitroctl: error: nitro-cli describe-enclaves failed: E39: ")


@pytest.mark.parametrize("verb", ["describe", "console", "terminate"])
def test_a_name_that_nobody_has(verb: str, app: str, cli: Cli) -> None:
    launch(cli, "--cpu-count", "2")
    ran = cli("enclave", verb, "nope")
    assert (ran.status, ran.stdout) == (3, "")
    assert steady(ran.stderr) == (
        "nitroctl: error: no enclave has the name or id 'nope' [enclave.unknown]\nnitroctl: hint: running: app (ID)\n"
    )


# -- console


def test_console_of_an_enclave_in_debug_mode(app: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITROCTL_STANDIN_CONSOLE", "hello \x1b[31mred")
    launch(cli, "--cpu-count", "2", "--debug-mode")
    ran = cli.program("enclave", "console", "app", "--disconnect-timeout", "1")
    assert (ran.status, ran.stderr) == (0, "")
    assert "hello \x1b[31mred" in ran.stdout
    assert not ran.stdout.startswith("Connecting")


def test_console_needs_debug_mode(app: str, cli: Cli) -> None:
    launch(cli, "--cpu-count", "2")
    assert cli("enclave", "console", "app") == Ran(
        3,
        "",
        "nitroctl: error: app has no console: it does not run in debug mode [enclave.no-console]\n"
        "nitroctl: hint: terminate it and run it with --debug-mode; its attestation then shows zeros\n",
    )


def test_console_interrupted_lets_go_of_the_console_and_not_of_the_enclave(app: str, cli: Cli) -> None:
    launch(cli, "--cpu-count", "2", "--debug-mode")
    with started("enclave", "console", "app") as child:
        assert child.stdout is not None
        assert child.stdout.readline() != ""
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (130, "nitroctl: note: interrupted\n")
    assert [e["name"] for e in cli("enclave", "describe", "--json").json["data"]["enclaves"]] == ["app"]


# -- terminate


def test_terminate_by_name_and_by_id(app: str, cli: Cli) -> None:
    launch(cli, "--cpu-count", "2")
    launch(cli, "--cpu-count", "2", "--enclave-name", "b")
    ran = cli("enclave", "terminate", "app")
    assert Ran(ran.status, steady(ran.stdout), ran.stderr) == Ran(0, "✓ app is terminated (ID)\n", "")
    (left,) = cli("enclave", "describe", "--json").json["data"]["enclaves"]
    data = cli("enclave", "terminate", left["id"], "--json").json["data"]
    assert data == {"terminated": [{"name": "b", "id": left["id"]}], "left_alone": []}


def test_terminate_all_leaves_the_acm_agents_enclave_alone(app: str, cli: Cli) -> None:
    launch(cli, "--cpu-count", "2")
    launch(cli, "--cpu-count", "2", "--enclave-name", "p11ne")
    ran = cli("enclave", "terminate", "--all", "--yes")
    assert Ran(ran.status, steady(ran.stdout), ran.stderr) == Ran(
        0,
        "✓ app is terminated (ID)\n",
        "nitroctl: note: p11ne is the ACM agent's and was left alone; --include-acm takes it too\n",
    )
    ran = cli("enclave", "terminate", "--all", "--yes", "--include-acm")
    assert Ran(ran.status, steady(ran.stdout), ran.stderr) == Ran(
        0,
        "✓ p11ne is terminated (ID)\n",
        "nitroctl: note: p11ne is the ACM agent's: nitro-enclaves-acm.service will start it again\n",
    )
    assert cli("enclave", "terminate", "--all", "--yes") == Ran(0, "nothing was terminated\n", "")


def test_terminate_all_asks_and_takes_no_for_an_answer(app: str, cli: Cli) -> None:
    launch(cli, "--cpu-count", "2")
    status, shown = on_a_terminal("enclave", "terminate", "--all", keys=b"n\n")
    assert status == 3
    assert "terminate app (" in shown
    assert "nitroctl: error: nothing was terminated [enclave.declined]" in shown
    assert len(cli("enclave", "describe", "--json").json["data"]["enclaves"]) == 1
    assert on_a_terminal("enclave", "terminate", "--all", keys=b"y\n")[0] == 0
    assert cli("enclave", "describe", "--json").json["data"]["enclaves"] == []


def test_terminate_all_needs_yes_where_nobody_can_be_asked(app: str, cli: Cli) -> None:
    launch(cli, "--cpu-count", "2")
    assert cli.program("enclave", "terminate", "--all") == Ran(
        2,
        "",
        "nitroctl: error: --all would terminate 1 enclave, and nobody can be asked [enclave.confirm]\n"
        "nitroctl: hint: add --yes\n",
    )


def test_terminate_of_somebody_elses_enclave(app: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    launch(cli, "--cpu-count", "2")
    monkeypatch.setenv("NITROCTL_STANDIN_NOT_OWNER", "1")
    ran = cli("enclave", "terminate", "app", "--json")
    assert ran.status == 4
    assert ran.json["data"] == {"terminated": [], "left_alone": []}
    assert ran.json["errors"][0]["details"]["nitro_cli_code"] == "E39"


@pytest.mark.parametrize("arguments", [[], ["app", "--all"], ["app", "--include-acm"]])
def test_terminate_invocations_that_are_wrong(arguments: list[str], work: Path, cli: Cli) -> None:
    ran = cli("enclave", "terminate", *arguments)
    assert (ran.status, ran.stdout) == (2, "")


# -- a nitro-cli that is absent, broken or strange

EVERY = {
    "build": ["build", "--docker-uri", "app:1", "--output-file", "x.eif"],
    "run": ["run", "--eif-path", "app.eif", "--memory", "256", "--cpu-count", "2"],
    "describe": ["describe"],
    "console": ["console", "app"],
    "terminate": ["terminate", "app"],
}


@pytest.mark.parametrize("verb", EVERY)
def test_without_a_nitro_cli(verb: str, app: str, work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(work))
    ran = cli("enclave", *EVERY[verb])
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: nitro-cli: no such program on PATH [nitro-cli.missing]\n"
        "nitroctl: hint: install it: sudo dnf install aws-nitro-enclaves-cli aws-nitro-enclaves-cli-devel\n"
        "nitroctl: hint: or name it in NITROCTL_NITRO_CLI\n",
    )
    assert os.listdir(work) == ["app.eif"]  # noqa: PTH208


STRANGE = {
    "not executable": ("", 3, "nitro-cli.not-executable"),
    "hanging": ("sleep 1000", 3, "nitro-cli.timeout"),
    "nonsense": ("echo hello", 3, "nitro-cli.nonsense"),
    "silent": ("exit 0", 3, "nitro-cli.nonsense"),
    "huge": ("head -c 30000000 /dev/zero", 3, "nitro-cli.nonsense"),
    "invalid UTF-8": (r"printf '[\377]'", 3, "nitro-cli.nonsense"),
    "chatty": ("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 7", 4, "nitro-cli.failed"),
    "killed": ("kill -KILL $$", 4, "nitro-cli.failed"),
    "escaping": (r"printf '[ E11 ] \033[2J\n' >&2; exit 11", 4, "nitro-cli.failed"),
}


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("verb", ["run", "describe", "console", "terminate"])
def test_a_strange_nitro_cli(kind: str, verb: str, work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    body, status, code = STRANGE[kind]
    monkeypatch.setattr(wrapper, "PATIENCE_S", 0.5)
    for name, value in fake(work, body).items():
        monkeypatch.setenv(name, value)
    if kind == "not executable":
        (work / "nitro-cli").chmod(0o644)
    ran = cli("enclave", *EVERY[verb])
    assert (ran.status, ran.stdout) == (status, "")
    assert f"[{code}]" in ran.stderr
    assert "\x1b" not in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_build_into_a_directory_that_cannot_be_written(work: Path, cli: Cli) -> None:
    (work / "out").mkdir(mode=0o500)
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "out/app.eif")
    assert (ran.status, ran.stdout) == (3, "")
    assert "[file.unwritable]" in ran.stderr


def test_a_user_without_permission_on_the_device(app: str, work: Path, standin: StandinHost) -> None:
    for place in (work, *work.parents):
        if str(place).startswith("/tmp/"):
            place.chmod(0o755)
    standin.directory.chmod(0o755)
    (standin.root / "dev/nitro_enclaves").chmod(0o660)
    drop = as_nobody()
    done = subprocess.run([*drop, *program("enclave", *EVERY["run"])], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "nitroctl: error: no permission to use /dev/nitro_enclaves [host.no-permission]\n"
        "nitroctl: hint: sudo usermod -aG ne $USER, then log in again\n"
        "nitroctl: hint: or run it as root\n"
    )
