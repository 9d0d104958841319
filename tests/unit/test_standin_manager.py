"""The process behind an enclave: how it ends, what it gives back, and what it attests to."""
# ruff: noqa: F811  (fixtures are imported, and asked for by their names)

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import cbor2
import pytest

from nitroctl import pcr
from nitroctl.standin import images
from nitroctl.standin.host import INSTANCE_ID, StandinHost
from tests.conftest import Cli
from tests.standin_host import NitroCli, codes, image, nitro_cli, standin  # noqa: F401  (fixtures)
from tests.unit.test_standin_contract import signer, signing  # noqa: F401  (fixtures)

RUN = ["run-enclave", "--eif-path", "hello.eif", "--memory", "512", "--cpu-count", "2"]
ROLE = "arn:aws:iam::123456789012:role/Webserver"


def eventually(predicate: Callable[[], bool]) -> None:
    """Wait for what another process does; the limit is only there to end a test that fails."""
    limit = time.monotonic() + 30
    while not predicate():
        assert time.monotonic() < limit, "it never came to be"
        time.sleep(0.01)


def free_pages(host: StandinHost) -> int:
    return int((host.root / "sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages").read_text())


def gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def left_over(host: StandinHost) -> list[str]:
    return [path.name for name in ("run", "vsock") for path in (host.directory / name).iterdir()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_signals_end_the_enclave(standin: StandinHost, nitro_cli: NitroCli, image: str, number: int) -> None:
    launched = nitro_cli.result(*RUN)
    assert free_pages(standin) == 1024 - 256
    os.kill(launched["ProcessID"], number)
    eventually(lambda: gone(launched["ProcessID"]))
    assert free_pages(standin) == 1024
    assert left_over(standin) == []
    assert nitro_cli.result("describe-enclaves") == []


def test_deleting_the_socket_ends_the_enclave(standin: StandinHost, nitro_cli: NitroCli, image: str) -> None:
    launched = nitro_cli.result(*RUN)
    slot = launched["EnclaveID"].rpartition("-enc")[2]
    (standin.directory / f"run/{slot}.sock").unlink()
    eventually(lambda: gone(launched["ProcessID"]))
    assert free_pages(standin) == 1024


def test_removing_the_host_ends_the_enclave(standin: StandinHost, nitro_cli: NitroCli, image: str) -> None:
    launched = nitro_cli.result(*RUN)
    shutil.rmtree(standin.directory)
    eventually(lambda: gone(launched["ProcessID"]))


def test_a_killed_manager_is_found_out(standin: StandinHost, nitro_cli: NitroCli, image: str) -> None:
    launched = nitro_cli.result(*RUN)
    os.kill(launched["ProcessID"], signal.SIGKILL)
    eventually(lambda: gone(launched["ProcessID"]))
    assert left_over(standin) != []
    assert nitro_cli.result("describe-enclaves") == []
    assert list((standin.directory / "run").iterdir()) == [], "describe deletes stale sockets"
    assert free_pages(standin) == 1024
    ran = nitro_cli("terminate-enclave", "--enclave-id", launched["EnclaveID"])
    assert (ran.status, codes(ran.stderr)) == (11, ["E11"])


def test_stop_ends_everything(standin: StandinHost, nitro_cli: NitroCli, image: str) -> None:
    processes = [nitro_cli.result(*RUN)["ProcessID"] for _ in range(2)]
    assert sorted(standin.managers()) == sorted(processes)
    standin.stop()
    assert standin.managers() == []
    eventually(lambda: all(gone(process) for process in processes))


def test_an_enclave_vanishes(nitro_cli: NitroCli, image: str) -> None:
    launched = nitro_cli.result(*RUN, NITROCTL_STANDIN_VANISH="0")
    eventually(lambda: gone(launched["ProcessID"]))
    assert nitro_cli.result("describe-enclaves") == []


def test_the_manager_lets_go_of_the_callers_streams(nitro_cli: NitroCli, image: str) -> None:
    """A caller that reads to the end of the streams comes back, though the enclave runs on."""
    with nitro_cli.start(*RUN) as process:
        stdout, _ = process.communicate(timeout=60)
    assert not gone(json.loads(stdout)["ProcessID"])


def reads_until(stream: IO[str] | None, beginning: str) -> None:
    """Read lines until one begins so; the stream must not end before."""
    assert stream
    assert any(line.startswith(beginning) for line in stream)


def test_two_launches_at_once_clash(standin: StandinHost, nitro_cli: NitroCli, image: str) -> None:
    with nitro_cli.start(*RUN, NITROCTL_STANDIN_SLOW_BOOT="600") as first:
        reads_until(first.stderr, "Started enclave")
        assert nitro_cli.result("describe-enclaves") == [], "an enclave that boots is not listed"
        second = nitro_cli(*RUN)
        standin.stop()
        stdout, stderr = first.communicate(timeout=60)
    assert (second.status, codes(second.stderr)) == (39, ["E36", "E39"])
    assert "Started enclave" not in second.stderr
    assert (first.returncode, stdout, codes(stderr)) == (39, "", ["E39"]), "it was ended while it booted"
    assert free_pages(standin) == 1024
    assert nitro_cli(*RUN).status == 0


def test_a_describe_that_fails_ends_the_enclave(standin: StandinHost, nitro_cli: NitroCli) -> None:
    (nitro_cli.directory / "m.json").write_text('["no", "object"]')
    build = ["build-enclave", "--docker-uri", "h", "--output-file", "hello.eif", "--metadata", "m.json"]
    nitro_cli.result(*build)
    nitro_cli.result(*RUN)
    assert len(nitro_cli.result("describe-enclaves")) == 1
    ran = nitro_cli("describe-enclaves", "--metadata")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (39, "[]\n", ["E17", "E39"])
    eventually(lambda: standin.managers() == [])


def test_peers_that_talk_nonsense_get_no_answer_and_do_no_harm(
    standin: StandinHost,
    nitro_cli: NitroCli,
    image: str,
) -> None:
    launched = nitro_cli.result(*RUN)
    slot = launched["EnclaveID"].rpartition("-enc")[2]
    for path in (standin.directory / f"run/{slot}.sock", standin.service(16)):
        for nonsense in (b"\n", b"\xff\n", b"[]\n", b"{}\n" if path.parent.name == "run" else b'{"nonce": "x"}\n', b""):
            assert ask(path, nonsense) == b""
    assert len(nitro_cli.result("describe-enclaves")) == 1


def ask(path: Path, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(question)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while data := connection.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def attested(host: StandinHost, cid: int = 16, **fields: str | None) -> tuple[bytes, dict[str, Any]]:
    """Return a document and its payload."""
    question = {"nonce": None, "user_data": None, "public_key": None} | fields
    document = ask(host.service(cid), json.dumps(question).encode() + b"\n")
    return document, cbor2.loads(cbor2.loads(document)[2])


def test_attestation_of_a_signed_image(
    standin: StandinHost,
    nitro_cli: NitroCli,
    signer: dict[str, str],
) -> None:
    nitro_cli.result("build-enclave", "--docker-uri", "h", "--output-file", "hello.eif", *signing(signer))
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    launched = nitro_cli.result(*RUN, NITROCTL_STANDIN_ROLE_ARN=ROLE)
    _, payload = attested(standin, nonce="aabb", user_data="", public_key=None)
    measured = images.read(str(nitro_cli.directory / "hello.eif")).pcrs
    assert sorted(measured) == [0, 1, 2, 8]
    assert payload["pcrs"] == dict.fromkeys(range(16), pcr.ZERO) | dict(measured) | {
        3: pcr.for_role(ROLE),
        4: pcr.for_instance(INSTANCE_ID),
    }
    assert (payload["nonce"], payload["user_data"], payload["public_key"]) == (b"\xaa\xbb", b"", None)
    slot = int(launched["EnclaveID"].rpartition("-enc")[2], 16)
    assert payload["module_id"] == f"{INSTANCE_ID}-enc{slot:016x}"
    launch = datetime.fromtimestamp((slot >> 16) / 1000, UTC)
    assert before <= launch <= datetime.now(UTC)


def test_debug_mode_zeroes_the_images_registers_and_no_others(
    standin: StandinHost,
    nitro_cli: NitroCli,
    signer: dict[str, str],
) -> None:
    nitro_cli.result("build-enclave", "--docker-uri", "h", "--output-file", "hello.eif", *signing(signer))
    nitro_cli.result(*RUN, "--debug-mode", NITROCTL_STANDIN_ROLE_ARN=ROLE)
    registers = attested(standin)[1]["pcrs"]
    assert [index for index, value in registers.items() if any(value)] == [3, 4]
    assert registers[4] == pcr.for_instance(INSTANCE_ID)


def test_nothing_is_authentic_unless_the_root_is_named(
    standin: StandinHost,
    nitro_cli: NitroCli,
    image: str,
    cli: Cli,
) -> None:
    nitro_cli.result(*RUN)
    path = nitro_cli.directory / "document.cbor"
    path.write_bytes(attested(standin)[0])
    verify = ["attest", "verify", str(path), "--authenticity-only"]
    refused = cli.program(*verify, "--json")
    assert (refused.status, refused.json["status"]) == (1, "refused")
    accepted = cli.program(*verify, "--root", str(standin.root_certificate))
    assert accepted.status == 0, accepted.stdout + accepted.stderr
    assert "authentic" in accepted.stdout.splitlines()[0]


def test_the_console_is_read_by_any_number_and_ends_with_the_enclave(
    nitro_cli: NitroCli,
    image: str,
) -> None:
    launched = nitro_cli.result(*RUN, "--debug-mode", NITROCTL_STANDIN_CONSOLE="the end")
    readers = [nitro_cli.start("console", "--enclave-id", launched["EnclaveID"]) for _ in range(2)]
    for reader in readers:
        reads_until(reader.stdout, "the end")
    nitro_cli.result("terminate-enclave", "--all")
    for reader in readers:
        with reader:
            stdout, stderr = reader.communicate(timeout=60)
        assert (reader.returncode, stdout, stderr) == (0, "", "")


def test_an_interrupted_nitro_cli_leaves_the_launch_to_go_on(nitro_cli: NitroCli, image: str) -> None:
    with nitro_cli.start(*RUN, NITROCTL_STANDIN_SLOW_BOOT="3") as process:
        reads_until(process.stderr, "Started enclave")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    eventually(lambda: len(nitro_cli.result("describe-enclaves")) == 1)


def test_other_users_may_look_but_not_end(standin: StandinHost, nitro_cli: NitroCli, image: str) -> None:
    """Authorisation is by the peer's uid, whatever it says of itself."""
    if os.geteuid() != 0:
        pytest.skip("needs root to act as another user")
    launched = nitro_cli.result(*RUN)
    standin.directory.chmod(0o755)
    slot = launched["EnclaveID"].rpartition("-enc")[2]
    path = standin.directory / f"run/{slot}.sock"
    script = (
        "import os, socket, sys; os.setuid(65534); c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]);"
        "c.sendall(sys.argv[2].encode() + b'\\n'); print(c.makefile().read())"
    )

    def as_nobody(command: str) -> str:
        path.chmod(0o777)
        question = json.dumps({"command": command, "outsider": False})
        done = subprocess.run(
            ["python3", "-c", script, str(path), question], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert json.loads(as_nobody("name")) == {"answer": "hello"}
    assert as_nobody("terminate") == ""
    assert len(nitro_cli.result("describe-enclaves")) == 1
