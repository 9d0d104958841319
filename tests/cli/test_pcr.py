"""``nitroctl pcr``: whole outputs."""

import hashlib
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nitroctl.eif.write import write_image
from nitroctl.pcr import EMPTY_PCR2, ZERO
from tests.conftest import Cli, Ran, vectors
from tests.records import active, entry, pcrs, write

AT = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
SIGNER = ("--component", "signer", "--environment", "prod")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory of its own, at a fixed time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.cli.pcr_record._now", lambda: AT)
    return tmp_path


def image(path: str, kernel: bytes = b"kernel", ramdisk: bytes = b"ramdisk") -> dict[int, bytes]:
    """Write a small image and return its registers, from the definition."""
    with open(path, "wb") as stream:  # noqa: PTH123
        write_image(
            stream,
            architecture="x86_64",
            kernel=kernel,
            cmdline=b"quiet",
            ramdisks=[ramdisk],
            metadata=None,
            signature=None,
        )
    boot = hashlib.sha384(bytes(48) + hashlib.sha384(kernel + b"quiet" + ramdisk).digest()).digest()
    return {0: boot, 1: boot, 2: EMPTY_PCR2}


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


# -- record


def test_an_image_is_recorded_as_a_candidate(cli: Cli) -> None:
    found = image("app.eif")
    ran = cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1.4.2", "--source-commit", "abc")
    size = os.path.getsize("app.eif")  # noqa: PTH202
    assert ran == Ran(
        0,
        "recorded signer-1.4.2@prod in measurements.json: candidate\n"
        f"PCR0      {found[0].hex()}\n"
        f"PCR1      {found[1].hex()}\n"
        f"PCR2      {found[2].hex()}\n"
        "pinned    PCR0, PCR1, PCR2\n"
        "platform  nitro-enclave\n"
        f"image     app.eif, {size} bytes\n"
        f"SHA-256   {digest('app.eif')}\n"
        "commit    abc\n"
        "recorded  2026-11-20T10:00:00Z\n",
        "nitroctl: note: a candidate accepts nothing yet; nitroctl pcr rollout makes it a reference value\n",
    )
    assert json.loads(Path("measurements.json").read_text()) == {
        "schema": "urn:nitroctl:measurements:1",
        "entries": [
            {
                "id": "signer-1.4.2@prod",
                "component": "signer",
                "environment": "prod",
                "platform": "nitro-enclave",
                "version": "1.4.2",
                "status": "candidate",
                "artifact": {"name": "app.eif", "sha256": digest("app.eif"), "size": size},
                "measurements": {
                    "algorithm": "sha384",
                    "pcrs": {f"PCR{index}": value.hex() for index, value in found.items()},
                },
                "pin": ["PCR0", "PCR1", "PCR2"],
                "source": {"commit": "abc"},
                "recorded_at": "2026-11-20T10:00:00Z",
            }
        ],
    }


def test_recording_in_json_says_what_stands_now(cli: Cli) -> None:
    image("app.eif")
    data = cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1", "--activate", "--json").json["data"]
    assert (data["outcome"], data["records"], data["ignored"]) == ("added", "measurements.json", [])
    assert data["entry"] == json.loads(Path("measurements.json").read_text())["entries"][0]
    assert data["entry"]["activated_at"] == "2026-11-20T10:00:00Z"
    again = cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1", "--notes", "x", "--json").json
    assert (again["data"]["outcome"], again["data"]["ignored"]) == ("unchanged", ["notes"])
    assert again["notes"] == ["what stands was kept where this recording differs: notes"]


def test_a_candidate_is_activated(cli: Cli) -> None:
    image("app.eif")
    assert cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1").status == 0
    ran = cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1", "--activate")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("activated signer-1@prod in measurements.json\n")


def test_recording_the_same_again_says_so(cli: Cli) -> None:
    image("app.eif")
    assert cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1", "--activate").status == 0
    ran = cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("signer-1@prod already stands in measurements.json with these measurements: active\n")


def test_another_image_under_a_recorded_version_is_refused(cli: Cli) -> None:
    image("app.eif")
    assert cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1").status == 0
    before = Path("measurements.json").read_bytes()
    image("app.eif", kernel=b"other")
    assert cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1") == Ran(
        3,
        "",
        "nitroctl: error: measurements.json: signer-1@prod is already recorded with other measurements:"
        " PCR0, PCR1 differ [records.version-taken]\n"
        "nitroctl: hint: a version has one set of measurements; give this build a version of its own\n"
        "nitroctl: hint: nitroctl pcr show signer-1@prod shows what stands\n",
    )
    assert Path("measurements.json").read_bytes() == before


def test_a_signed_image_is_recorded_with_its_signer(cli: Cli) -> None:
    path = vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif")
    told = json.loads(vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif.pcrs.json").read_text())
    found = cli("pcr", "record", "--eif", str(path), *SIGNER, "--release", "1", "--json").json["data"]["entry"]
    assert found["pin"] == ["PCR0", "PCR1", "PCR2", "PCR8"]
    assert set(found["measurements"]["pcrs"].items()) <= set(_flat(told).items())
    assert len(found["signer"]["certificate_sha256"]) == 64


def _flat(told: dict[str, object]) -> dict[str, object]:
    flat = dict(told)
    for value in told.values():
        if isinstance(value, dict):
            flat |= value
    return {key.upper(): value for key, value in flat.items()}


def measurements(**changes: str) -> str:
    values = {f"PCR{index}": value.hex() for index, value in pcrs("x").items()}
    return json.dumps({"Measurements": {"HashAlgorithm": "Sha384 { ... }", **values, **changes}})


def test_what_nitro_cli_printed_is_recorded_from_standard_input(cli: Cli) -> None:
    ran = cli(
        "pcr", "record", "--measurements", "-", *SIGNER, "--release", "1", "--json", stdin=measurements().encode()
    )
    found = ran.json["data"]["entry"]
    assert found["measurements"]["pcrs"] == {f"PCR{index}": value.hex() for index, value in pcrs("x").items()}
    assert "artifact" not in found


def test_an_image_and_what_nitro_cli_said_of_it_must_agree(cli: Cli) -> None:
    found = image("app.eif")
    told = {f"PCR{index}": value.hex() for index, value in found.items()}
    arguments = ("pcr", "record", "--eif", "app.eif", "--measurements", "build.json", *SIGNER, "--release", "1")
    Path("build.json").write_text(json.dumps({"Measurements": told}))
    assert cli(*arguments).status == 0
    Path("build.json").write_text(json.dumps({"Measurements": {**told, "PCR1": "ab" * 48}}))
    assert cli(*arguments) == Ran(
        3,
        "",
        "nitroctl: error: PCR1: build.json says another value than app.eif measures [records.disagreement]\n"
        f"nitroctl: hint: app.eif measures: {found[1].hex()}\n"
        f"nitroctl: hint: build.json says: {'ab' * 48}\n",
    )


def test_a_register_of_the_parent_is_recorded_too(cli: Cli) -> None:
    image("app.eif")
    role = cli("pcr", "role", "arn:aws:iam::111122223333:role/signer", "--json").json["data"]["pcrs"]["PCR3"]
    ran = cli("pcr", "record", "--eif", "app.eif", "--pcr", f"PCR3={role}", *SIGNER, "--release", "1", "--json")
    assert ran.json["data"]["entry"]["measurements"]["pcrs"]["PCR3"] == role
    assert ran.json["data"]["entry"]["pin"] == ["PCR0", "PCR1", "PCR2", "PCR3"]


def test_only_some_registers_are_pinned(cli: Cli) -> None:
    image("app.eif")
    ran = cli("pcr", "record", "--eif", "app.eif", "--pin", "pcr0", "--pin", "2", *SIGNER, "--release", "1", "--json")
    assert ran.json["data"]["entry"]["pin"] == ["PCR0", "PCR2"]


BAD_RECORDINGS = {
    "nothing": (
        (),
        2,
        "nitroctl: error: nothing to record [usage.invalid]\nnitroctl: hint: name the image with --eif FILE\n",
    ),
    "absent-image": (
        ("--eif", "no.eif"),
        3,
        (
            "nitroctl: error: no.eif: cannot read: no such file or directory [file.unreadable]\n"
            "nitroctl: hint: check the path\n"
        ),
    ),
    "directory": (
        ("--eif", "."),
        3,
        (
            "nitroctl: error: .: cannot read: is a directory [file.unreadable]\n"
            "nitroctl: hint: name a file in the directory\n"
        ),
    ),
    "time-without-document": (
        ("--eif", "app.eif", "--at", "document"),
        2,
        (
            "nitroctl: error: --at and --root judge a document, and none is given [usage.invalid]\n"
            "nitroctl: hint: add --document FILE\n"
        ),
    ),
    "contradiction": (
        ("--eif", "app.eif", "--pcr", f"PCR0={'ab' * 48}"),
        2,
        (
            "nitroctl: error: --pcr PCR0 contradicts another value of it [usage.invalid]\n"
            "nitroctl: hint: the other is {pcr0}\n"
        ),
    ),
    "sha-256": (
        ("--eif", "app.eif", "--pcr", f"PCR3={'ab' * 32}"),
        2,
        (
            "nitroctl: error: PCR3: not a SHA-384 register: 64 hexadecimal digits in place of 96,"
            " the length of SHA-256 [pcr.value]\n"
            "nitroctl: hint: a register is written as 96 hexadecimal digits, as nitro-cli prints it\n"
        ),
    ),
    "pin-that-is-not-recorded": (
        ("--eif", "app.eif", "--pin", "PCR0", "--pin", "PCR8"),
        3,
        "nitroctl: error: PCR8 is pinned but not recorded [records.pin]\n",
    ),
    "hostile-note": (
        ("--eif", "app.eif", "--notes", "\x1b[31m"),
        3,
        (
            "nitroctl: error: notes: has a control or format character [records.text]\n"
            "nitroctl: hint: write plain text on one line\n"
        ),
    ),
    "zero": (
        ("--pcr", f"PCR0={'00' * 48}", "--measurements", "zero.json"),
        3,
        (
            "nitroctl: error: PCR0 is zero, as an enclave in debug mode attests; that would admit any debug enclave"
            " [records.zero]\n"
            "nitroctl: hint: measure the image itself: nitroctl eif measure FILE\n"
        ),
    ),
    "empty-measurements": (
        ("--measurements", "empty"),
        3,
        "nitroctl: error: empty: empty, not JSON [json.syntax]\n",
    ),
    "fifo": (
        ("--measurements", "fifo"),
        3,
        "nitroctl: error: fifo: not a regular file [file.not-regular]\nnitroctl: hint: copy it to a file first\n",
    ),
}


@pytest.mark.parametrize("name", BAD_RECORDINGS)
def test_what_cannot_be_recorded_leaves_nothing(cli: Cli, name: str, here: Path) -> None:
    arguments, status, stderr = BAD_RECORDINGS[name]
    found = image("app.eif")
    os.mkfifo("fifo")
    Path("empty").touch()
    Path("zero.json").write_text(measurements(PCR0="00" * 48))
    ran = cli("pcr", "record", *arguments, *SIGNER, "--release", "1")
    assert ran == Ran(status, "", stderr.replace("{pcr0}", found[0].hex()))
    assert not (here / "measurements.json").exists()


def test_a_damaged_image_is_not_recorded(cli: Cli) -> None:
    image("app.eif")
    damaged = bytearray(Path("app.eif").read_bytes())
    damaged[-1] ^= 1
    Path("app.eif").write_bytes(damaged)
    ran = cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1")
    assert (ran.status, ran.stdout) == (3, "")
    assert "[eif.not-measurable]\n" in ran.stderr
    assert not Path("measurements.json").exists()


def test_the_ledger_keeps_its_mode(cli: Cli) -> None:
    image("app.eif")
    path = write(Path("measurements.json"), entry("1"))
    path.chmod(0o640)
    assert cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "2").status == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_setting_names_the_ledger_and_the_option_outweighs_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    image("app.eif")
    monkeypatch.setenv("NITROCTL_RECORDS", "set.json")
    assert cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1").status == 0
    assert cli("pcr", "record", "--eif", "app.eif", *SIGNER, "--release", "1", "--records", "given.json").status == 0
    assert sorted(path.name for path in Path().glob("*.json")) == ["given.json", "set.json"]


# -- list and show


def test_the_recorded_versions_are_listed(cli: Cli) -> None:
    write(Path("measurements.json"), active("1"), entry("2", pin=(0,)), entry("3", environment="dev"))
    assert cli("pcr", "list") == Ran(
        0,
        "3 recorded versions in measurements.json\n"
        "version        status     since                 pinned\n"
        "signer-3@dev   candidate  2026-11-20T10:00:00Z  PCR0, PCR1, PCR2\n"
        "signer-1@prod  active     2026-11-20T10:00:00Z  PCR0, PCR1, PCR2\n"
        "signer-2@prod  candidate  2026-11-20T10:00:00Z  PCR0\n",
        "",
    )


def test_a_choice_of_versions_is_listed(cli: Cli) -> None:
    write(Path("measurements.json"), active("1"), entry("2"), entry("3", environment="dev"))
    assert cli("pcr", "list", *SIGNER, "--status", "active").stdout == (
        "1 of 3 recorded versions in measurements.json\n"
        "version        status  since                 pinned\n"
        "signer-1@prod  active  2026-11-20T10:00:00Z  PCR0, PCR1, PCR2\n"
    )
    assert cli("pcr", "list", "--component", "api").stdout == "0 of 3 recorded versions in measurements.json\nnone\n"
    data = cli("pcr", "list", "--environment", "dev", "--json").json["data"]
    assert data == {
        "records": "measurements.json",
        "recorded": 3,
        "entries": [entry("3", environment="dev").as_json()],
    }


def test_a_status_that_is_none_is_a_wrong_invocation(cli: Cli) -> None:
    assert cli("pcr", "list", "--status", "ACTIVE") == Ran(
        2,
        "",
        "nitroctl: error: --status: not one of candidate, active, retired, revoked: 'ACTIVE' [usage.invalid]\n"
        "nitroctl: hint: see nitroctl pcr list --help\n",
    )


@pytest.mark.parametrize("arguments", [("list",), ("show", "x"), ("check", "--pcr", f"0={'ab' * 48}")])
def test_without_a_ledger_nothing_is_answered(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli("pcr", *arguments) == Ran(
        3,
        "",
        "nitroctl: error: measurements.json: no recorded measurements [records.missing]\n"
        "nitroctl: hint: nitroctl pcr record makes it\n"
        "nitroctl: hint: name another file with --records or NITROCTL_RECORDS\n",
    )


def test_a_ledger_in_conflict_is_named_as_such(cli: Cli) -> None:
    path = write(Path("measurements.json"), entry("1"))
    path.write_text(path.read_text().replace('  "entries"', '<<<<<<< HEAD\n  "entries"'))
    assert cli("pcr", "list") == Ran(
        3,
        "",
        "nitroctl: error: measurements.json: line 3: a merge conflict that was not resolved [json.conflict-markers]\n"
        "nitroctl: hint: keep the entries of both sides, remove the marker lines, and run the command again\n",
    )


def test_one_version_is_shown(cli: Cli) -> None:
    write(Path("measurements.json"), active("1", notes="audited"), entry("2"))
    found = pcrs("1")
    expected = Ran(
        0,
        "signer-1@prod: active\n"
        f"PCR0       {found[0].hex()}\n"
        f"PCR1       {found[1].hex()}\n"
        f"PCR2       {found[2].hex()}\n"
        "pinned     PCR0, PCR1, PCR2\n"
        "platform   nitro-enclave\n"
        "notes      audited\n"
        "recorded   2026-11-20T10:00:00Z\n"
        "activated  2026-11-20T10:00:00Z\n",
        "",
    )
    assert cli("pcr", "show", "signer-1@prod") == cli("pcr", "show", "signer-1") == expected
    assert cli("pcr", "show", "signer-1", "--json").json["data"] == {
        "records": "measurements.json",
        "entry": active("1", notes="audited").as_json(),
    }


def test_digests_are_never_shortened(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("measurements.json"), active("1"))
    wide = cli("pcr", "show", "signer-1").stdout
    monkeypatch.setenv("COLUMNS", "40")
    assert cli("pcr", "show", "signer-1").stdout == wide


def test_a_version_that_is_not_recorded_is_said_with_those_near_it(cli: Cli) -> None:
    write(Path("measurements.json"), entry("1.0.0"))
    assert cli("pcr", "show", "signer-1.0.1@prod") == Ran(
        3,
        "",
        "nitroctl: error: measurements.json: no entry 'signer-1.0.1@prod' [records.no-such-entry]\n"
        "nitroctl: hint: near it: signer-1.0.0@prod\n",
    )


def test_a_version_of_several_environments_must_be_named_whole(cli: Cli) -> None:
    write(Path("measurements.json"), entry("1"), entry("1", environment="dev"))
    assert cli("pcr", "show", "signer-1") == Ran(
        2,
        "",
        "nitroctl: error: 'signer-1' is recorded in several environments [records.no-such-entry]\n"
        "nitroctl: hint: name one of signer-1@dev, signer-1@prod\n",
    )


# -- check


def test_a_recorded_image_is_a_yes(cli: Cli) -> None:
    found = image("app.eif")
    write(Path("measurements.json"), active("1"), active("2", pcrs=found))
    assert cli("pcr", "check", "--eif", "app.eif", *SIGNER) == Ran(
        0,
        "✓ yes: app.eif is signer-2@prod\n"
        "records  measurements.json, active entries of signer in prod\n"
        "✓ There is an active record of signer in prod\n"
        "✓ Every register that an active record pins is equal\n"
        "✓ PCR0 equals that of signer-2@prod\n"
        "✓ PCR1 equals that of signer-2@prod\n"
        "✓ PCR2 equals that of signer-2@prod\n",
        "",
    )


def test_a_drifted_image_is_a_no_that_names_the_nearest_version(cli: Cli) -> None:
    found = image("app.eif")
    write(Path("measurements.json"), active("1"), active("2", pcrs={**found, 2: pcrs("2")[2]}))
    assert cli("pcr", "check", "--eif", "app.eif", *SIGNER) == Ran(
        1,
        "✗ no: 2 of 3 registers equal those of signer-2@prod; PCR2 differs\n"
        "records  measurements.json, active entries of signer in prod\n"
        "✓ There is an active record of signer in prod\n"
        "✗ Every register that an active record pins is equal\n"
        "  2 of 3 registers equal those of signer-2@prod; PCR2 differs\n"
        "  fix: build from the recorded source, or record this image as a version of its own\n"
        "  [records.match]\n"
        "✓ PCR0 equals that of signer-2@prod\n"
        "✓ PCR1 equals that of signer-2@prod\n"
        "✗ PCR2 equals that of signer-2@prod\n"
        "  application ramdisks: not the recorded one\n"
        f"  expected  {pcrs('2')[2].hex()}\n"
        f"  actual    {found[2].hex()}\n"
        "  [measurement.pcr2]\n",
        "",
    )


def assignments(given: dict[int, bytes]) -> list[str]:
    return [word for index, value in given.items() for word in ("--pcr", f"PCR{index}={value.hex()}")]


def test_a_no_in_json_has_the_nearest_version_and_the_report(cli: Cli) -> None:
    write(Path("measurements.json"), active("1"))
    given = {0: pcrs("2")[0], 1: pcrs("1")[1]}
    ran = cli("pcr", "check", *assignments(given), "--json")
    document = ran.json
    assert (document["status"], document["exit_code"]) == ("refused", 1)
    data = document["data"]
    assert data["nearest"] == {"entry": "signer-1@prod", "equal": ["PCR1"], "differing": ["PCR0"], "absent": ["PCR2"]}
    assert data["matches"] == []
    assert data["report"]["verdict"] == "fail"
    assert data["report"]["counts"] == {"pass": 2, "fail": 2, "warn": 0, "skip": 1}


def test_a_no_in_ci_annotates_the_image_with_what_differs(cli: Cli) -> None:
    found = image("app.eif")
    write(Path("measurements.json"), active("2", pcrs={**found, 2: pcrs("2")[2]}))
    ran = cli("pcr", "check", "--eif", "app.eif", *SIGNER, "--format", "github")
    assert ran.status == 1
    match, register = [line for line in ran.stdout.splitlines() if line.startswith("::error ")]
    assert match.startswith("::error file=app.eif,title=records.match::")
    assert "2 of 3 registers equal those of signer-2@prod; PCR2 differs" in match
    assert register.startswith("::error file=app.eif,title=measurement.pcr2::")
    assert pcrs("2")[2].hex() in register


def test_registers_of_a_record_that_is_not_active_are_a_no(cli: Cli) -> None:
    write(Path("measurements.json"), active("1"), entry("2"))
    ran = cli("pcr", "check", *assignments(pcrs("2")))
    assert ran.status == 1
    assert ran.stdout.startswith(
        "✗ no: the registers are those of signer-2@prod, which is a candidate and accepts nothing yet\n"
    )
    data = cli("pcr", "check", *assignments(pcrs("2")), "--json").json["data"]
    assert data["not_active"] == [{"entry": "signer-2@prod", "status": "candidate"}]


def test_a_debug_enclave_is_a_no(cli: Cli) -> None:
    write(Path("measurements.json"), active("1"))
    ran = cli("pcr", "check", *assignments(dict.fromkeys((0, 1, 2), ZERO)))
    assert ran.status == 1
    assert ran.stdout.startswith("✗ no: PCR0, PCR1 or PCR2 is zero, as an enclave in debug mode attests\n")


def test_a_record_of_another_environment_is_a_no(cli: Cli) -> None:
    write(Path("measurements.json"), active("1", environment="dev"))
    ran = cli("pcr", "check", *assignments(pcrs("1")), *SIGNER)
    assert ran == Ran(
        1,
        "✗ no: no entry of signer in prod is active\n"
        "records  measurements.json, active entries of signer in prod\n"
        "✗ There is an active record of signer in prod\n"
        "  no entry of signer in prod is active\n"
        "  fix: record the image that may run: nitroctl pcr record … --activate\n"
        "  [records.active]\n",
        "",
    )


def test_a_register_that_is_not_pinned_is_noted(cli: Cli) -> None:
    write(Path("measurements.json"), active("1"))
    ran = cli("pcr", "check", *assignments({**pcrs("1"), 8: pcrs("x")[0]}))
    assert ran.status == 0
    assert ran.stderr == "nitroctl: note: PCR8: not compared, because the recorded version does not pin it\n"


@pytest.mark.parametrize("option", [("--at", "document"), ("--root", "root.pem")], ids=["at", "root"])
def test_how_to_judge_a_document_that_is_not_given_is_a_wrong_invocation(cli: Cli, option: tuple[str, str]) -> None:
    image("app.eif")
    assert cli("pcr", "check", "--eif", "app.eif", *option) == Ran(
        2,
        "",
        "nitroctl: error: --at and --root judge a document, and none is given [usage.invalid]\n"
        "nitroctl: hint: add --document FILE\n",
    )


def test_nothing_to_compare_is_a_wrong_invocation(cli: Cli) -> None:
    write(Path("measurements.json"), active("1"))
    assert cli("pcr", "check") == Ran(
        2,
        "",
        "nitroctl: error: nothing to compare [usage.invalid]\nnitroctl: hint: give --eif FILE, or --pcr PCR0=<hex>\n",
    )


# -- calculators


def test_the_register_of_a_role(cli: Cli) -> None:
    arn = "arn:aws:iam::111122223333:role/signer"
    value = hashlib.sha384(bytes(48) + arn.encode()).hexdigest()
    assert cli("pcr", "role", arn) == Ran(0, f"PCR3  {value}\nrole  {arn}\n", "")
    assert cli("pcr", "role", arn, "--json").json["data"] == {"role": arn, "pcrs": {"PCR3": value}}


def test_a_session_of_a_role_has_no_register(cli: Cli) -> None:
    arn = "arn:aws:sts::111122223333:assumed-role/signer/i-0"
    ran = cli("pcr", "role", arn)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: not an IAM role ARN: '{arn}' [pcr.role]\n")


def test_the_register_of_an_instance(cli: Cli) -> None:
    instance = "i-0123456789abcdef0"
    value = hashlib.sha384(bytes(48) + instance.encode()).hexdigest()
    assert cli("pcr", "instance", instance) == Ran(0, f"PCR4      {value}\ninstance  {instance}\n", "")
    assert cli("pcr", "instance", instance, "--json").json["data"] == {"instance": instance, "pcrs": {"PCR4": value}}


DER = b"\x30\x03\x02\x01\x01"
PEM = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"


def test_the_register_of_a_certificate(cli: Cli) -> None:
    Path("signing.pem").write_text(f"preamble\n{PEM}{PEM}")
    value = hashlib.sha384(bytes(48) + hashlib.sha384(DER).digest()).hexdigest()
    fingerprint = hashlib.sha256(DER).hexdigest()
    assert cli("pcr", "certificate", "signing.pem") == Ran(
        0,
        f"PCR8         {value}\ncertificate  signing.pem\nSHA-256      {fingerprint}\n",
        "nitroctl: note: signing.pem holds 2 certificates; nitro-cli signs with the first\n",
    )
    assert cli("pcr", "certificate", "-", "--json", stdin=PEM.encode()).json["data"] == {
        "file": "-",
        "certificate_sha256": fingerprint,
        "pcrs": {"PCR8": value},
    }


def test_a_private_key_is_no_certificate(cli: Cli) -> None:
    Path("key.pem").write_text(PEM.replace("CERTIFICATE", "PRIVATE KEY"))
    assert cli("pcr", "certificate", "key.pem") == Ran(
        3,
        "",
        "nitroctl: error: key.pem: no PEM certificate in it [pcr.certificate]\n"
        "nitroctl: hint: it should contain a block that begins with -----BEGIN CERTIFICATE-----\n",
    )


@pytest.mark.parametrize("content", [b"", b"abc", bytes(3_000_000)], ids=["empty", "small", "large"])
def test_the_register_of_a_file(cli: Cli, content: bytes) -> None:
    Path("app.bin").write_bytes(content)
    inner = hashlib.sha384(content)
    value = hashlib.sha384(bytes(48) + inner.digest()).hexdigest()
    assert cli("pcr", "file", "app.bin") == Ran(
        0, f"register  {value}\nSHA-384   {inner.hexdigest()}\nsize      {len(content)} bytes\n", ""
    )
    assert cli("pcr", "file", "app.bin", "--json").json["data"] == {
        "file": "app.bin",
        "size_bytes": len(content),
        "sha384": inner.hexdigest(),
        "register": value,
    }


@pytest.mark.parametrize("path", ["no.bin", ".", "fifo"])
def test_what_is_not_a_file_has_no_register(cli: Cli, path: str) -> None:
    os.mkfifo("fifo")
    ran = cli("pcr", "file", path)
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith(f"nitroctl: error: {path}: ")
