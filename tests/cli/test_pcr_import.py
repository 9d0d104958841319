"""``nitroctl pcr import``, and ``pcr record`` from what runs and from what was captured: whole outputs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl import pcr
from nitroctl.standin.host import StandinHost
from nitroctl.standin.lab_change import PCRS, Change, make, root
from tests.conftest import Cli, Ran
from tests.records import pcrs
from tests.standin_host import standin  # noqa: F401  (a fixture)

AT = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
SIGNER = ("--component", "signer", "--environment", "prod", "--release", "1.4.2")
A, B = pcrs("a"), pcrs("b")
BELIEVED = "nitroctl: note: {} was believed: nothing in it is verified, and the image was not measured\n"
CANDIDATE = "nitroctl: note: a candidate accepts nothing yet; nitroctl pcr rollout makes it a reference value\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory of its own, at a fixed time."""
    monkeypatch.chdir(tmp_path)
    for module in ("pcr_record", "pcr_import"):
        monkeypatch.setattr(f"nitroctl.cli.{module}._now", lambda: AT)
    return tmp_path


def entries() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(Path("measurements.json").read_text())["entries"]
    return found


def test_one_set_of_registers(cli: Cli) -> None:
    Path("pcrs.json").write_text(json.dumps(pcr.as_hex(A)))
    assert cli("pcr", "import", "pcrs.json", *SIGNER) == Ran(
        0,
        "1 set of measurements recorded in measurements.json from an object of registers\n"
        "version            outcome  status     pinned\n"
        "signer-1.4.2@prod  added    candidate  PCR0, PCR1, PCR2\n",
        BELIEVED.format("pcrs.json") + CANDIDATE,
    )
    (entry,) = entries()
    assert entry["measurements"] == {"algorithm": "sha384", "pcrs": pcr.as_hex(A)}
    again = cli("pcr", "import", "pcrs.json", *SIGNER)
    assert again.stdout.startswith("0 of 1 set of measurements recorded")
    assert len(entries()) == 1


def history() -> None:
    sets = [{**pcr.as_hex(A), "timestamp": 1}, {**pcr.as_hex(B), "timestamp": 2}]
    Path("history.json").write_text(json.dumps(sets))


def test_of_several_one_is_chosen_or_all(cli: Cli) -> None:
    history()
    assert cli("pcr", "import", "history.json", *SIGNER) == Ran(
        2,
        "",
        "nitroctl: error: history.json: 2 sets of measurements [records.select]\n"
        "nitroctl: hint: choose one with --select: 1, 2, or a number from 1\n"
        "nitroctl: hint: or --all for every one\n",
    )
    assert not Path("measurements.json").exists()
    assert cli("pcr", "import", "history.json", *SIGNER, "--select", "2").status == 0
    assert [entry["measurements"] for entry in entries()] == [{"algorithm": "sha384", "pcrs": pcr.as_hex(B)}]
    ran = cli("pcr", "import", "history.json", *SIGNER[:5], "old", "--all", "--json").json
    assert [each["entry"]["id"] for each in ran["data"]["recorded"]] == ["signer-old.1@prod", "signer-old.2@prod"]
    assert len(entries()) == 3


@pytest.mark.parametrize(
    ("options", "status", "stderr"),
    [
        (
            ["--select", "9"],
            2,
            (
                "nitroctl: error: history.json: no set of measurements called '9' [records.select]\n"
                "nitroctl: hint: choose one with --select: 1, 2, or a number from 1\n"
            ),
        ),
        (
            ["--select", "1", "--all"],
            2,
            (
                "nitroctl: error: --all and --select contradict each other [usage.invalid]\n"
                "nitroctl: hint: leave one out\n"
            ),
        ),
        (
            ["--select", "1", "--platform", "nitro-tpm", "--pin", "PCR7"],
            3,
            "nitroctl: error: PCR7 is pinned but not recorded [records.pin]\n",
        ),
    ],
)
def test_what_is_not_there_is_not_recorded(cli: Cli, options: list[str], status: int, stderr: str) -> None:
    history()
    assert cli("pcr", "import", "history.json", *SIGNER, *options) == Ran(status, "", stderr)
    assert not Path("measurements.json").exists()


def test_all_are_recorded_or_none(cli: Cli) -> None:
    sets = [pcr.as_hex(A), {**pcr.as_hex(B), "PCR0": "00" * 48}]
    Path("history.json").write_text(json.dumps(sets))
    ran = cli("pcr", "import", "history.json", *SIGNER, "--all")
    assert (ran.status, Path("measurements.json").exists()) == (3, False)
    assert "[records.zero]" in ran.stderr


def test_registers_of_a_nitrotpm_image(cli: Cli) -> None:
    Path("tpm.json").write_text(
        json.dumps({"Measurements": {"HashAlgorithm": "SHA384", **pcr.as_hex(pcrs("t", 4, 7, 12))}})
    )
    assert cli("pcr", "import", "tpm.json", *SIGNER).status == 0
    (entry,) = entries()
    assert (entry["platform"], entry["pin"]) == ("nitro-tpm", ["PCR4", "PCR7", "PCR12"])
    assert "[records.registers]" in cli("pcr", "import", "tpm.json", *SIGNER, "--platform", "nitro-enclave").stderr


def test_registers_of_no_known_platform(cli: Cli) -> None:
    Path("odd.json").write_text(json.dumps(pcr.as_hex(pcrs("x", 9))))
    assert cli("pcr", "import", "odd.json", *SIGNER) == Ran(
        3,
        "",
        "nitroctl: error: odd.json: PCR9: neither an enclave's PCR0, PCR1 and PCR2, nor what nitro-tpm-pcr-compute "
        "computes [records.platform]\n"
        "nitroctl: hint: say what platform it is: --platform nitro-enclave, nitro-tpm, or another name\n",
    )


# -- from a document


def write_document(change: Change | None = None) -> None:
    Path("root.pem").write_bytes(root().certificate.public_bytes(Encoding.PEM))
    Path("doc.cbor").write_bytes(make(change) if change else make())


def test_an_authentic_document_is_recorded(cli: Cli) -> None:
    write_document()
    ran = cli("pcr", "record", "--document", "doc.cbor", "--at", "document", "--root", "root.pem", *SIGNER)
    assert ran.status == 0
    assert ran.stdout.splitlines()[0] == "recorded signer-1.4.2@prod in measurements.json: candidate"
    note, candidate = ran.stderr.splitlines()
    assert note.startswith("nitroctl: note: authentic under CN=")
    assert note.endswith("; the image itself was not measured")
    assert f"{candidate}\n" == CANDIDATE
    (entry,) = entries()
    assert entry["measurements"] == {"algorithm": "sha384", "pcrs": pcr.as_hex({n: PCRS[n] for n in (0, 1, 2)})}


def zeros(payload: list[tuple[str, object]]) -> list[tuple[str, object]]:
    return [(k, {**PCRS, 0: bytes(48), 1: bytes(48), 2: bytes(48)} if k == "pcrs" else v) for k, v in payload]


@pytest.mark.parametrize(
    ("prepare", "options", "status", "code"),
    [
        (write_document, ["--document", "doc.cbor", "--root", "root.pem"], 3, "records.evidence"),
        (write_document, ["--document", "doc.cbor", "--at", "document"], 3, "records.evidence"),
        (
            lambda: write_document(Change(after_signing=lambda payload: payload + b"\0")),
            ["--document", "doc.cbor", "--at", "document", "--root", "root.pem"],
            3,
            "records.evidence",
        ),
        (
            lambda: write_document(Change(fields=zeros)),
            ["--document", "doc.cbor", "--at", "document", "--root", "root.pem"],
            3,
            "records.debug",
        ),
        (write_document, ["--document", "missing", "--at", "document"], 3, "file.unreadable"),
        (write_document, ["--root", "root.pem", "--enclave", "x"], 2, "usage.invalid"),
    ],
)
def test_a_document_that_says_nothing_is_not_recorded(
    cli: Cli, prepare: Callable[[], None], options: list[str], status: int, code: str
) -> None:
    prepare()
    ran = cli("pcr", "record", *options, *SIGNER)
    assert (ran.status, ran.stdout, Path("measurements.json").exists()) == (status, "", False)
    assert f"[{code}]" in ran.stderr


def test_a_document_of_another_image_than_the_one_measured(cli: Cli) -> None:
    write_document()
    Path("build.json").write_text(json.dumps({"Measurements": pcr.as_hex(A)}))
    options = ["--document", "doc.cbor", "--at", "document", "--root", "root.pem", "--measurements", "build.json"]
    ran = cli("pcr", "record", *options, *SIGNER)
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: PCR0: doc.cbor attests another value than build.json says [records.disagreement]\n"
        f"nitroctl: hint: build.json says: {A[0].hex()}\n"
        f"nitroctl: hint: doc.cbor attests: {PCRS[0].hex()}\n",
    )


# -- from what runs


def test_a_running_enclave_is_recorded_unless_it_runs_in_debug_mode(cli: Cli, standin: StandinHost) -> None:  # noqa: F811
    assert cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif").status == 0
    run = ("enclave", "run", "--eif-path", "app.eif", "--memory", "128", "--cpu-count", "2")
    assert cli(*run, "--enclave-name", "good").status == 0
    ran = cli("pcr", "record", "--enclave", "good", *SIGNER)
    assert (ran.status, ran.stderr) == (
        0,
        "nitroctl: note: nitro-cli's word was taken for what runs; an attestation document would prove it\n"
        + CANDIDATE,
    )
    (entry,) = entries()
    assert entry["measurements"] == {
        "algorithm": "sha384",
        "pcrs": cli("eif", "measure", "app.eif", "--json").json["data"]["pcrs"],
    }
    assert cli("enclave", "terminate", "good").status == 0
    assert cli(*run, "--enclave-name", "bad", "--debug-mode").status == 0
    assert "[records.debug]" in cli("pcr", "record", "--enclave", "bad", *SIGNER).stderr
    assert "[enclave.unknown]" in cli("pcr", "record", "--enclave", "none", *SIGNER).stderr
