"""``nitroctl eif verify``: whole outputs."""

import hashlib
import json
import os
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nitroctl.eif.signature import sign
from tests import images, records
from tests.archives import file, newc
from tests.conftest import Cli, Ran, vectors

GOOD = (
    *images.GOOD[:3],
    (images.RAMDISK, newc([file("init", b"boot")])),
    (images.RAMDISK, newc([file("cmd", b"/bin/app\n")])),
)
NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)


def forge(parts: Sequence[images.Part] = GOOD, **changes: Any) -> bytes:
    return images.forge(parts, **changes)


PCRS = {f"PCR{index}": value.hex() for index, value in images.registers(forge()).items()}
NOT_ASKED = "nitroctl: note: whose image it is was not asked; compare it with --pcr, --records or --signed-by\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory of its own, at a fixed time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: NOW)


def save(image: bytes, name: str = "image.eif") -> str:
    Path(name).write_bytes(image)
    return name


def signed() -> bytes:
    key, certificate = images.pair()
    section = sign(images.registers(forge())[0], private_key_pem=key, certificate_pem=certificate)
    return forge([*GOOD, (images.SIGNATURE, section)])


def pcr8() -> str:
    return images.extended(hashlib.sha384(images.der(images.pair()[1])).digest()).hex()


def facts(image: bytes, *, at: str = "2026-11-20T10:00:00Z", more: str = "") -> str:
    digest = hashlib.sha256(image).hexdigest()
    if more:
        return f"sha256   {digest}\nsize     {len(image)} bytes\nas of    {at}\n{more}"
    return f"sha256  {digest}\nsize    {len(image)} bytes\nas of   {at}\n"


MEASUREMENTS = f"\nMeasurements\n  PCR0  {PCRS['PCR0']}\n  PCR1  {PCRS['PCR1']}\n  PCR2  {PCRS['PCR2']}\n"


def test_a_sound_image_is_a_yes_that_says_what_was_not_asked(cli: Cli) -> None:
    assert cli("eif", "verify", save(forge())) == Ran(
        0,
        "✓ image.eif is sound: every known reader sees the same image\n"
        f"{facts(forge())}"
        f"{MEASUREMENTS}"
        "\n"
        "28 of 35 checks hold, 7 not asked for, or with nothing to look at. --json has them all.\n",
        NOT_ASKED,
    )


def test_a_forged_image_with_two_views_is_a_no_that_shows_both(cli: Cli) -> None:
    """Its checksum is right for either reader, and neither sees what the other runs."""
    path = vectors("eif", "malformed", "hidden-ramdisk-both-crc-valid.eif")
    image = path.read_bytes()
    save(image)
    fault = "readers that follow the table see another image than readers that follow the sizes"
    listed = "kernel at 548, cmdline at 600, metadata at 625, ramdisk at 887"
    pcr1 = "32836676bb9d720efe676d7334bc1ceed9e39ed43222e279f34dae5b17507a59cd92c10be5a650d6d976d55cc1161f05"
    assert cli("eif", "verify", "image.eif") == Ran(
        1,
        f"✗ image.eif is refused: {fault}\n"
        f"{facts(image)}"
        "\n"
        "✗ Following the table and following the sizes finds the same sections\n"
        f"  {fault}\n"
        f"  expected  table: {listed}\n"
        f"  actual    sizes: {listed}, ramdisk at 1411\n"
        "  fix: do not run it: nitro-cli and the hypervisor may measure different images\n"
        "  [eif.views]\n"
        "\n"
        "A reader that follows the header's table (QEMU)\n"
        "#  section   offset  bytes  flags\n"
        "0  kernel    548     40     0x0000\n"
        "1  cmdline   600     13     0x0000\n"
        "2  metadata  625     250    0x0000\n"
        "3  ramdisk   887     512    0x0000\n"
        f"PCR0  {pcr1}\n"
        f"PCR1  {pcr1}\n"
        "PCR2  21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a\n"
        "\n"
        "A reader that follows the section sizes (nitro-cli)\n"
        "#  section   offset  bytes  flags\n"
        "0  kernel    548     40     0x0000\n"
        "1  cmdline   600     13     0x0000\n"
        "2  metadata  625     250    0x0000\n"
        "3  ramdisk   887     512    0x0000\n"
        "4  ramdisk   1411    32     0x0000\n"
        "PCR0  2877c64417cbbe07e01524e3c0c5a422d212c0ee6afb24b6b91e41accbe8fb83f21826aa8dadf7d7e4efdabc6c2aeada\n"
        f"PCR1  {pcr1}\n"
        "PCR2  d1570fa843d932170c7376134f1fe683f5143c1c5230c9a7154d65b850827b6b7cbc827caddd63e25692e378373ca7b9\n"
        "\n"
        "9 of 35 checks hold, 1 failed, 14 blocked, 11 not asked for, or with nothing to look at."
        " --json has them all.\n",
        "",
    )


def test_an_expired_certificate_refuses_at_the_instant_asked(cli: Cli) -> None:
    save(signed())
    assert cli("eif", "verify", "image.eif", "--at", "2027-02-01T00:00:00Z") == Ran(
        1,
        "✗ image.eif is refused: 2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z; as of 2027-02-01T00:00:00Z it had"
        " expired\n"
        f"{facts(signed(), at='2027-02-01T00:00:00Z')}"
        f"{MEASUREMENTS}"
        f"  PCR8  {pcr8()}\n"
        "\n"
        "✗ The signing certificate is within its dates\n"
        "  2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z; as of 2027-02-01T00:00:00Z it had expired\n"
        "  fix: nitro-cli run-enclave refuses the image: sign it with a current certificate\n"
        "  [eif.certificate-dates]\n"
        "\n"
        "32 of 37 checks hold, 1 failed, 4 not asked for, or with nothing to look at. --json has them all.\n",
        "",
    )
    assert cli("eif", "verify", "image.eif", "--at", "2026-06-01T02:00:00+02:00").status == 0


# -- whose it is


def test_the_expected_registers_and_signer_make_the_yes_say_more(cli: Cli) -> None:
    Path("certificate.pem").write_bytes(images.pair()[1])
    save(signed())
    ran = cli("eif", "verify", "image.eif", "--pcr", f"PCR0={PCRS['PCR0']}", "--signed-by", "certificate.pem")
    assert ran.stdout.splitlines()[0] == (
        "✓ image.eif is sound: every known reader sees the same image, and its registers are those expected, and it is"
        " signed as expected"
    )
    assert (ran.stderr, ran.status) == ("", 0)
    by_register = cli("eif", "verify", "image.eif", "--signed-by", pcr8().upper(), "--json").json["data"]
    assert by_register["compared_with"] == {"pcrs": {}, "signer_pcr8": pcr8(), "records": None}


def test_another_register_is_a_sound_image_and_a_no(cli: Cli) -> None:
    save(forge())
    assert cli("eif", "verify", "image.eif", "--pcr", f"PCR2={'ab' * 48}") == Ran(
        1,
        "✗ image.eif is sound, but not the image expected: PCR2, application ramdisks: not the expected one\n"
        f"{facts(forge())}"
        f"{MEASUREMENTS}"
        "\n"
        "✗ PCR2 is the expected one\n"
        "  PCR2, application ramdisks: not the expected one\n"
        f"  expected  {'ab' * 48}\n"
        f"  actual    {PCRS['PCR2']}\n"
        "  fix: find out where the image comes from before it runs\n"
        "  [measurement.pcr2]\n"
        "\n"
        "28 of 36 checks hold, 1 failed, 7 not asked for, or with nothing to look at. --json has them all.\n",
        "",
    )


def test_an_unsigned_image_is_not_signed_by_anybody(cli: Cli) -> None:
    Path("certificate.pem").write_bytes(images.pair()[1])
    ran = cli("eif", "verify", save(forge()), "--signed-by", "certificate.pem")
    assert ran.stdout.splitlines()[0] == (
        "✗ image.eif is sound, but not the image expected: PCR8, certificate that signed the image: the image is not"
        " signed"
    )
    assert ran.status == 1


def test_a_recorded_image_is_named(cli: Cli, tmp_path: Path) -> None:
    entry = records.active(pcrs=images.registers(forge()))
    records.write(tmp_path / "measurements.json", entry)
    save(forge())
    scope = ("--component", "signer", "--environment", "prod")
    assert cli("eif", "verify", "image.eif", *scope) == Ran(
        0,
        f"✓ image.eif is sound: every known reader sees the same image, and it is {entry.id}\n"
        f"{facts(forge(), more='records  measurements.json, active entries of signer in prod' + chr(10))}"
        f"{MEASUREMENTS}"
        "\n"
        "33 of 39 checks hold, 6 not asked for, or with nothing to look at. --json has them all.\n",
        "",
    )
    data = cli("eif", "verify", "image.eif", "--records", "measurements.json", "--json").json["data"]
    assert data["matches"] == [entry.id]
    assert data["compared_with"] == {"pcrs": {}, "signer_pcr8": None, "records": "measurements.json"}


def test_an_image_that_is_not_recorded_is_a_no_with_the_nearest_record(cli: Cli, tmp_path: Path) -> None:
    entry = records.active(pcrs={**images.registers(forge()), 2: bytes([7]) * 48})
    records.write(tmp_path / "measurements.json", entry)
    ran = cli("eif", "verify", save(forge()), "--records", "measurements.json")
    assert ran.stdout.splitlines()[0].startswith("✗ image.eif is sound, but not the image expected: 2 of 3 ")
    assert ran.status == 1


def test_an_image_without_registers_is_like_no_record(cli: Cli, tmp_path: Path) -> None:
    """Though what readers that do not check would compute is recorded."""
    image = forge(crc=0)
    records.write(tmp_path / "measurements.json", records.active(pcrs=images.registers(image)))
    ran = cli("eif", "verify", save(image), "--records", "measurements.json", "--json")
    last = ran.json["data"]["report"]["checks"][-1]
    assert (last["id"], last["outcome"], last["detail"]) == (
        "records.match",
        "skip",
        "not checked: blocked by eif.crc",
    )
    assert (ran.json["data"]["matches"], ran.status) == ([], 1)


# -- other answers


def test_in_json(cli: Cli) -> None:
    data = cli("eif", "verify", save(signed()), "--json").json["data"]
    assert data["sentence"] == "image.eif is sound: every known reader sees the same image"
    assert (data["file"], data["as_of"], data["measurable"]) == ("image.eif", "2026-11-20T10:00:00Z", True)
    assert data["pcrs"] == {**PCRS, "PCR8": pcr8()}
    assert (data["views"], data["matches"]) == ([], [])
    assert data["report"]["verdict"] == "pass"


def test_what_is_no_image_is_a_no_in_the_same_shape(cli: Cli) -> None:
    for image in (b"", b"\x7fELF" * 400, forge()[:200]):
        ran = cli("eif", "verify", save(image), "--json")
        assert ran.status == 1
        assert (ran.json["data"]["sha256"], ran.json["data"]["pcrs"]) == (None, {})


def test_for_ci_systems(cli: Cli) -> None:
    save(forge(trailing=b"12345"))
    github = cli("eif", "verify", "image.eif", "--format", "github")
    assert github.stdout.startswith("::error file=image.eif,title=eif.file-end::")
    assert github.status == 1
    sarif = json.loads(cli("eif", "verify", "image.eif", "--format", "sarif").stdout)
    [result] = sarif["runs"][0]["results"][:1]
    assert result["ruleId"] == "eif.file-end"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "image.eif"
    assert '<testsuite name="nitroctl eif.verify/1"' in cli("eif", "verify", "image.eif", "--format", "junit").stdout


def test_text_from_the_image_is_shown_escaped(cli: Cli) -> None:
    name = "\x1b[2Jregistry"
    document = {**images.DOCUMENT, "ImageName": name, "DockerInfo": {"RepoTags": [f"{name}:5000/\u202eapp"]}}
    image = forge([*GOOD[:2], (images.METADATA, json.dumps(document).encode()), *GOOD[3:]])
    ran = cli("eif", "verify", save(image))
    assert "! The image name is not cut at a registry's port\n" in ran.stdout
    assert not any(character in ran.stdout for character in "\x1b\u202e")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--pcr", "PCR3=" + "ab" * 48], "PCR3 is not decided by an image file [eif.expected]"),
        (["--pcr", "PCR0=" + "00" * 48], "PCR0 is expected to be zero, which it is of every enclave in debug mode"),
        (["--signed-by", "00" * 48], "PCR8 is expected to be zero, which it is of every unsigned image"),
        (["--pcr", "PCR0=" + "ab" * 48, "--pcr", "PCR0=" + "cd" * 48], "--pcr: PCR0 is given two values"),
        (["--pcr", "PCR0=" + "ab" * 48, "--records", "measurements.json"], "--pcr and --records exclude each other"),
        (["--pcr", "PCR0=" + "ab" * 48, "--component", "signer"], "--pcr and --records exclude each other"),
        (["--at", "yesterday"], "--at: neither now nor an RFC 3339 time: 'yesterday' [usage.invalid]"),
        (["--at", "document"], "--at: neither now nor an RFC 3339 time: 'document' [usage.invalid]"),
    ],
)
def test_a_wrong_question_is_not_answered(cli: Cli, argv: list[str], message: str) -> None:
    ran = cli("eif", "verify", save(forge()), *argv)
    assert ran.stderr.startswith(f"nitroctl: error: {message}")
    assert (ran.stdout, ran.status) == ("", 2)


def test_what_cannot_be_read_is_no_answer(cli: Cli) -> None:
    os.mkfifo("fifo")
    Path("key.pem").write_bytes(images.pair()[0])
    said = {
        ("missing",): "missing: cannot read: no such file or directory [file.unreadable]",
        (".",): ".: cannot read: is a directory [file.unreadable]",
        ("fifo",): "fifo: not a regular file [file.not-regular]",
        (save(forge()), "--signed-by", "missing.pem"): "missing.pem: cannot read: no such file or directory",
        ("image.eif", "--signed-by", "key.pem"): "key.pem: no PEM certificate in it [pcr.certificate]",
        ("image.eif", "--signed-by", "fifo"): "fifo: not a regular file [file.not-regular]",
        ("image.eif", "--records", "missing.json"): "missing.json: no recorded measurements [records.missing]",
    }
    for argv, message in said.items():
        ran = cli("eif", "verify", *argv)
        assert ran.stderr.startswith(f"nitroctl: error: {message}"), argv
        assert (ran.stdout, ran.status) == ("", 3)


def test_a_hole_of_ten_gigabytes_is_answered_from_its_header(cli: Cli) -> None:
    Path("disk.img").touch()
    os.truncate("disk.img", 10 << 30)
    assert cli("eif", "verify", "disk.img").status == 1


def test_a_section_that_claims_more_than_there_is_allocates_nothing(cli: Cli) -> None:
    image = bytearray(forge())
    struct.pack_into(">Q", image, 552, 1 << 62)
    ran = cli("eif", "verify", save(bytes(image)))
    assert ran.stdout.startswith("✗ image.eif is refused: the section at byte 548 (kernel) claims 4611686018427387904")
    assert ran.status == 1


def test_as_a_program_with_warnings_as_errors(cli: Cli) -> None:
    save(signed())
    ran = cli.program(*("eif", "verify", "image.eif", "--at", "2026-11-20T10:00:00Z"), env={"PYTHONWARNINGS": "error"})
    assert ran == cli("eif", "verify", "image.eif")


def test_an_unsigned_image_is_verified_without_loading_cryptography(cli: Cli) -> None:
    save(forge())
    ran = cli.program("eif", "verify", "image.eif", "--json", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert ran.status == 0
    assert "hashlib" in ran.stderr
    assert "cryptography" not in ran.stderr
    assert "cbor2" not in ran.stderr
