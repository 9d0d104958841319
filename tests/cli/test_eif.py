"""``nitroctl eif``: whole outputs for images that are well-formed, refused and unreadable."""

import hashlib
import json
import os
import re
import socket
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nitroctl.eif.ramdisk import directory, newc, regular
from nitroctl.eif.signature import sign
from tests import images
from tests.conftest import Cli, vectors
from tests.images import GOOD, forge


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def save(image: bytes, name: str = "image.eif") -> str:
    Path(name).write_bytes(image)
    return name


def signed() -> bytes:
    key, certificate = images.pair()
    section = sign(images.registers(forge())[0], private_key_pem=key, certificate_pem=certificate)
    return forge([*GOOD, (images.SIGNATURE, section)])


PCRS = {f"PCR{index}": value.hex() for index, value in images.registers(forge()).items()}


def test_measure_shows_the_registers_first(cli: Cli) -> None:
    ran = cli("eif", "measure", save(forge()))
    assert ran.stdout == (
        f"PCR0  {PCRS['PCR0']}\nPCR1  {PCRS['PCR1']}\nPCR2  {PCRS['PCR2']}\nsize  {len(forge())} bytes\n"
    )
    assert (ran.stderr, ran.status) == ("", 0)


def test_measure_computes_the_digest_of_the_file_when_asked(cli: Cli) -> None:
    """It is the dearest part of measuring an image, and no register needs it."""
    ran = cli("eif", "measure", save(forge()), "--sha256")
    assert ran.stdout.endswith(f"sha256  {hashlib.sha256(forge()).hexdigest()}\nsize    {len(forge())} bytes\n")
    assert (ran.stderr, ran.status) == ("", 0)
    data = cli("eif", "measure", "image.eif", "--sha256", "--json").json["data"]
    assert data["sha256"] == hashlib.sha256(forge()).hexdigest()
    assert cli("eif", "measure", "image.eif", "--json").json["data"]["sha256"] is None


def test_measure_prints_the_pcrs_of_an_image_by_the_aws_builder(cli: Cli) -> None:
    ran = cli("eif", "measure", str(vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif")), "--sha256")
    assert ran.stdout == (
        "PCR0    e75c0890eef0e1cd56abbeb95ff5aa92eb13b16c484bfc274e4cbba3f184495b913e6850b1141b7c271514d57f9856cd\n"
        "PCR1    220b2e86f6fb99d58870308ef6282f838452438dc354886de5066202b0cd6b5a983efc52f6f3c5bae90ee4958e10c9b0\n"
        "PCR2    b8b75d74d8d720d051924d422b81fbec70fbd1eb4c5db7b67b21ae8b6ee644593cb9264fac7b43af6063ead106c5f4c5\n"
        "PCR8    af5f62fc8a6092d34a33686451ff2233df351a647b9f14ba8e97639645eaffeb80b70ff323c329f736f47e243b4ea83b\n"
        "sha256  586ccd1e2970557ea15abb2d7c473734de5feacb260a001e9eeb11f619c48892\n"
        "size    773545 bytes\n"
    )
    assert (ran.stderr, ran.status) == ("", 0)


def test_measure_in_json(cli: Cli) -> None:
    ran = cli("eif", "measure", save(forge()), "--json")
    document = ran.json
    assert (document["schema"], document["status"], ran.status) == ("nitroctl/eif.measure/1", "ok", 0)
    data = document["data"]
    assert data["pcrs"] == PCRS
    assert (data["file"], data["size_bytes"], data["measurable"]) == ("image.eif", len(forge()), True)
    assert data["views"] == []
    assert data["report"]["verdict"] == "pass"


def test_measure_tells_what_is_odd_after_the_registers(cli: Cli) -> None:
    ran = cli("eif", "measure", save(forge(flags=0x240)))
    assert ran.stdout.splitlines()[4:] == [
        "! Only the flag bits that the specification defines are set",
        "  flag bits 6, 9 are set; they are not measured and their meaning is not published",
        "  fix: check with the image's builder what they ask of the platform",
        "  [eif.flags]",
    ]
    assert ran.status == 0


def test_measure_refuses_a_hidden_ramdisk_and_shows_both_views(cli: Cli) -> None:
    hidden = struct.pack(">HHQ", images.RAMDISK, 0, 4) + b"evil"
    image = forge(trailing=hidden)
    other = images.registers(forge([*GOOD, (images.RAMDISK, b"evil")]))
    ran = cli("eif", "measure", save(image), "--sha256")
    fault = "readers that follow the table see another image than readers that follow the sizes"
    listed = "kernel at 548, cmdline at 602, metadata at 636, ramdisk at 905, ramdisk at 953"
    assert ran.stdout == (
        f"✗ image.eif cannot be measured: {fault}\n"
        f"sha256  {hashlib.sha256(image).hexdigest()}\n"
        f"size    {len(image)} bytes\n"
        "\n"
        "Checks\n"
        "✗ Following the table and following the sizes finds the same sections\n"
        f"  {fault}\n"
        f"  expected  table: {listed}\n"
        f"  actual    sizes: {listed}, ramdisk at 1060\n"
        "  fix: do not run it: nitro-cli and the hypervisor may measure different images\n"
        "  [eif.views]\n"
        "\n"
        "A reader that follows the header's table (QEMU)\n"
        "#  section   offset  bytes  flags\n"
        "0  kernel    548     42     0x0000\n"
        "1  cmdline   602     22     0x0000\n"
        "2  metadata  636     257    0x0000\n"
        "3  ramdisk   905     36     0x0000\n"
        "4  ramdisk   953     95     0x0000\n"
        f"PCR0  {PCRS['PCR0']}\n"
        f"PCR1  {PCRS['PCR1']}\n"
        f"PCR2  {PCRS['PCR2']}\n"
        "\n"
        "A reader that follows the section sizes (nitro-cli)\n"
        "#  section   offset  bytes  flags\n"
        "0  kernel    548     42     0x0000\n"
        "1  cmdline   602     22     0x0000\n"
        "2  metadata  636     257    0x0000\n"
        "3  ramdisk   905     36     0x0000\n"
        "4  ramdisk   953     95     0x0000\n"
        "5  ramdisk   1060    4      0x0000\n"
        f"PCR0  {other[0].hex()}\n"
        f"PCR1  {other[1].hex()}\n"
        f"PCR2  {other[2].hex()}\n"
    )
    assert (ran.stderr, ran.status) == ("", 1)


def test_measure_of_what_is_no_image_is_a_no_in_the_same_shape(cli: Cli) -> None:
    ran = cli("eif", "measure", save(b"\x7fELF" + bytes(1000)), "--sha256")
    assert ran.stdout == (
        "✗ image.eif cannot be measured: the file is not an enclave image\n"
        "sha256  not computed: the headers are those of no readable image\n"
        "size    1004 bytes\n"
        "\n"
        "Checks\n"
        "✗ The file begins with the mark of an enclave image\n"
        "  the file is not an enclave image\n"
        "  expected  2e 65 69 66\n"
        "  actual    7f 45 4c 46\n"
        "  fix: name the file that nitro-cli build-enclave wrote as --output-file\n"
        "  [eif.magic]\n"
    )
    assert (ran.stderr, ran.status) == ("", 1)
    document = cli("eif", "measure", "image.eif", "--sha256", "--json").json
    assert document["status"] == "refused"
    assert (document["data"]["sha256"], document["data"]["pcrs"]) == (None, {})
    assert [view["problems"] for view in document["data"]["views"]] == [["sections were not looked for"]] * 2


def test_measure_with_a_bad_signature_shows_the_one_set_of_registers_that_is_not_signed(cli: Cli) -> None:
    image = forge([*GOOD, (images.SIGNATURE, b"\x80")])
    ran = cli("eif", "measure", save(image))
    assert ran.status == 1
    assert ran.stdout.endswith(
        "What readers that do not check would compute\n"
        f"  PCR0  {PCRS['PCR0']}\n"
        f"  PCR1  {PCRS['PCR1']}\n"
        f"  PCR2  {PCRS['PCR2']}\n"
    )


CHECKS = """
Checks
✓ The file holds a whole file header
✓ The file begins with the mark of an enclave image
✓ The format version is one whose layout is known
✓ Only the flag bits that the specification defines are set
✓ Reserved fields and unused table slots are zero
✓ There are 2 to 32 sections
✓ Every section lies inside the file
✓ The header's table states the sizes that the sections have
✓ The header's table lists the sections without gap, overlap or reordering
✓ Following the table and following the sizes finds the same sections
✓ The last section ends where the file ends
✓ Every section is of a type that this version of the format defines
✓ Section flags are zero
✓ There is one kernel, before every ramdisk
✓ There is one kernel command line
✓ There is at least one ramdisk
✓ There is one metadata section of readable size where the version asks for it
✓ There is at most one signature section, of allowed size
✓ The checksum in the header is that of the file
✓ The kernel command line is plain text
✓ The metadata section is JSON of the published shape
"""

NO_ARCHIVE = "neither an archive in the newc form nor a compression that Linux knows: it begins"
ODD_RAMDISK = (
    "! Linux unpacks every ramdisk, whole and as other readers do\n"
    f"  ramdisk 1: {NO_ARCHIVE} 62 6f 6f 74 20 72; ramdisk 2: {NO_ARCHIVE} 61 70 70 6c 69 63\n"
    "  fix: look at it with nitroctl eif inspect --ramdisk 1 --list, and ask how it was made\n"
    "  [eif.ramdisk-contents]\n"
)


def test_inspect_shows_everything_an_unsigned_image_says(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(forge()))
    assert ran.stdout == (
        "✓ image.eif is well-formed: every known reader sees the same image\n"
        f"sha256          {hashlib.sha256(forge()).hexdigest()}\n"
        f"size            {len(forge())} bytes\n"
        "format          version 4, x86_64, flags 0x0000\n"
        f"checksum        {forge()[544:548].hex()}\n"
        "default memory  1073741824 bytes\n"
        "default CPUs    2\n"
        "\n"
        "Measurements\n"
        f"  PCR0  {PCRS['PCR0']}\n"
        f"  PCR1  {PCRS['PCR1']}\n"
        f"  PCR2  {PCRS['PCR2']}\n"
        "\n"
        "Sections\n"
        "#  section   offset  bytes  flags\n"
        "0  kernel    548     42     0x0000\n"
        "1  cmdline   602     22     0x0000\n"
        "2  metadata  636     257    0x0000\n"
        "3  ramdisk   905     36     0x0000\n"
        "4  ramdisk   953     95     0x0000\n"
        "\n"
        "Kernel\n"
        "  kind  not recognised\n"
        "\n"
        "Command line, 22 bytes\n"
        "  text  console=ttyS0 panic=30\n"
        "\n"
        "Ramdisks\n"
        "#  measured in  bytes  compression  entries  bytes in files  read\n"
        "1  PCR0, PCR1   36     –            0        0               in part\n"
        "2  PCR0, PCR2   95     –            0        0               in part\n"
        "\n"
        "Faults of ramdisks\n"
        f"ramdisk 1, byte 0: {NO_ARCHIVE} 62 6f 6f 74 20 72 (reading ended there)\n"
        f"ramdisk 2, byte 0: {NO_ARCHIVE} 61 70 70 6c 69 63 (reading ended there)\n"
        "\n"
        "Metadata (neither measured nor signed)\n"
        "  image name        signer\n"
        "  image version     1.4.2\n"
        "  built at          2026-11-20T10:00:00+00:00\n"
        "  built by          nitro-cli 1.4.2\n"
        "  operating system  Linux 4.14.256\n"
        "  Docker info       present (shown by --json)\n"
        "  custom            null\n"
        f"{CHECKS}"
        "– The signature verifies with the certificate stored beside it\n"
        "  not checked: the image has no such section\n"
        "  [eif.signature]\n"
        f"{ODD_RAMDISK}"
    )
    assert (ran.stderr, ran.status) == ("", 0)


def test_inspect_shows_the_certificate_of_a_signed_image_and_never_vouches_for_it(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(signed()))
    certificate = images.der(images.pair()[1])
    pcr8 = images.extended(hashlib.sha384(certificate).digest()).hex()
    as_of = re.search(r"as of +(\S+)", ran.stdout)
    assert as_of
    assert (
        "Signing certificate (trusted by nobody: chosen by the signer)\n"
        "  algorithm  ES384\n"
        "  subject    CN=tests\n"
        "  issuer     CN=tests\n"
        "  serial     1234\n"
        f"  sha256     {hashlib.sha256(certificate).hexdigest()}\n"
        f"  PCR8       {pcr8}\n"
        "  from       2026-01-01T00:00:00Z\n"
        "  to         2027-01-01T00:00:00Z\n"
        f"  as of      {as_of[1]}\n"
        f"{CHECKS}"
        "✓ The signature section is written as nitro-cli writes it\n"
        "✓ The signature verifies with the certificate stored beside it\n"
        "✓ The signature covers the PCR0 computed from the image\n"
        f"{ODD_RAMDISK}"
        "✓ The signing certificate is within its dates\n"
    ) in ran.stdout
    assert f"  PCR8  {pcr8}\n" in ran.stdout
    assert ran.status == 0
    assert not re.search(r"trusted(?! by nobody)|valid|golden|quote", ran.stdout)


def test_inspect_in_json(cli: Cli) -> None:
    data = cli("eif", "inspect", save(signed()), "--json").json["data"]
    assert data["header"] == {
        "magic": "2e656966",
        "version": 4,
        "architecture": "x86_64",
        "flags": 0,
        "unknown_flag_bits": [],
        "default_memory_bytes": 1 << 30,
        "default_cpus": 2,
        "section_count": 6,
        "crc32": signed()[544:548].hex(),
    }
    assert data["sections"][1] == {"type": 2, "kind": "cmdline", "offset": 602, "size_bytes": 22, "flags": 0}
    assert data["cmdline"] == {"text": "console=ttyS0 panic=30", "size_bytes": 22, "truncated": False}
    assert data["metadata"]["docker_info"] == {"Os": "linux"}
    assert data["signature"]["certificate"]["pcr8"] == data["pcrs"]["PCR8"]
    assert data["signature"]["certificate"]["not_after"] == "2027-01-01T00:00:00Z"
    assert [check["id"] for check in data["report"]["checks"]][-1] == "eif.certificate-dates"
    assert data["measurable"] is True


def test_an_expired_certificate_is_told_and_not_refused(cli: Cli) -> None:
    key, certificate = images.pair(not_after=datetime(2026, 1, 2, tzinfo=UTC))
    section = sign(images.registers(forge())[0], private_key_pem=key, certificate_pem=certificate)
    ran = cli("eif", "inspect", save(forge([*GOOD, (images.SIGNATURE, section)])), "--json")
    last = ran.json["data"]["report"]["checks"][-1]
    assert (last["id"], last["outcome"], ran.status) == ("eif.certificate-dates", "warn", 0)
    assert last["remedy"] == "nitro-cli run-enclave refuses the image: sign it with a current certificate"


def test_inspect_refuses_with_the_first_reason_in_the_first_line(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(forge(trailing=b"12345")))
    assert ran.stdout.startswith("✗ image.eif is refused: 5 bytes follow the last section; no reader measures them\n")
    assert (ran.stderr, ran.status) == ("", 1)


def test_inspect_of_half_a_header_is_a_no_in_the_same_shape(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(forge()[:200]), "--json")
    data = ran.json["data"]
    assert ran.status == 1
    assert (data["header"], data["sections"], data["cmdline"], data["metadata"]) == (None, [], None, None)
    assert data["report"]["checks"][0]["detail"] == "the file has 200 bytes, a file header has 548"


def test_text_from_the_image_is_shown_escaped(cli: Cli) -> None:
    document = {**images.DOCUMENT, "ImageName": "\x1b[2J::error::\N{RIGHT-TO-LEFT OVERRIDE}"}
    image = forge(
        [
            GOOD[0],
            (images.CMDLINE, b"panic=30\0\x1b]0;owned\x07\xff"),
            (images.METADATA, json.dumps(document).encode()),
            GOOD[3],
        ]
    )
    ran = cli("eif", "inspect", save(image))
    assert "  image name        \\x1b[2J::error::\\u202e\n" in ran.stdout
    assert "  text  panic=30\\x00\\x1b]0;owned\\x07\\xff\n" in ran.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", ran.stdout)
    assert ran.status == 0
    assert cli("eif", "inspect", "image.eif", "--json").json["data"]["metadata"]["image_name"] == document["ImageName"]


def test_a_command_line_too_long_to_show_is_shown_in_part(cli: Cli) -> None:
    image = forge([GOOD[0], (images.CMDLINE, b"x" * 70_000), *GOOD[2:]])
    ran = cli("eif", "inspect", save(image))
    assert f"Command line, 70000 bytes (the first 65536 bytes)\n  text  {'x' * 65536}\n" in ran.stdout
    assert cli("eif", "inspect", "image.eif", "--json").json["data"]["cmdline"]["truncated"] is True


def test_digests_are_whole_at_eighty_columns(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for verb in ("measure", "inspect"):
        assert PCRS["PCR0"] in cli("eif", verb, save(forge())).stdout


@pytest.mark.parametrize("verb", ["inspect", "measure"])
def test_what_cannot_be_read_is_no_answer(cli: Cli, verb: str) -> None:
    os.mkfifo("fifo")
    Path("directory").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        said = {
            "missing": ("missing: cannot read: no such file or directory [file.unreadable]", "check the path"),
            "directory": ("directory: cannot read: is a directory [file.unreadable]", "name a file in the directory"),
            "fifo": ("fifo: not a regular file [file.not-regular]", "copy it to a file first"),
            "/dev/zero": ("/dev/zero: not a regular file [file.not-regular]", "copy it to a file first"),
        }
        for name, (error, hint) in said.items():
            ran = cli("eif", verb, name)
            assert ran.stdout == ""
            assert ran.stderr == f"nitroctl: error: {error}\nnitroctl: hint: {hint}\n"
            assert ran.status == 3
        assert cli("eif", verb, "socket").status == 3


@pytest.mark.parametrize("verb", ["inspect", "measure"])
def test_no_permission_is_no_answer(cli: Cli, verb: str) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    Path(save(forge())).chmod(0)
    ran = cli("eif", verb, "image.eif")
    assert (ran.stdout, ran.status) == ("", 3)
    assert "[file.unreadable]" in ran.stderr


@pytest.mark.parametrize("verb", ["inspect", "measure"])
def test_an_empty_file_is_a_no(cli: Cli, verb: str) -> None:
    ran = cli("eif", verb, save(b""), "--json")
    checks = ran.json["data"]["report"]["checks"]
    assert (ran.status, checks[0]["id"], checks[0]["outcome"]) == (1, "eif.header", "fail")


@pytest.mark.parametrize("verb", ["inspect", "measure"])
def test_ten_gigabytes_of_nothing_are_answered_from_the_header(cli: Cli, verb: str) -> None:
    Path("disk.img").touch()
    os.truncate("disk.img", 10 << 30)
    ran = cli("eif", verb, "disk.img")
    assert ran.stdout.startswith("✗ disk.img ")
    assert ran.status == 1


def test_a_name_with_escapes_is_shown_escaped(cli: Cli) -> None:
    ran = cli("eif", "measure", "\x1b[2Jimage.eif")
    assert ran.stderr.startswith("nitroctl: error: \\x1b[2Jimage.eif: cannot read")


@pytest.mark.parametrize("verb", ["inspect", "measure"])
def test_as_a_program_with_warnings_as_errors(cli: Cli, verb: str) -> None:
    save(signed())
    ran = cli.program("eif", verb, "image.eif", env={"PYTHONWARNINGS": "error"})
    assert (ran.stderr, ran.status) == ("", 0)
    assert ran.stdout == cli("eif", verb, "image.eif").stdout or verb == "inspect"  # inspect names the instant


@pytest.mark.parametrize("verb", ["inspect", "measure"])
def test_the_examples_in_the_help_work(cli: Cli, verb: str) -> None:
    boot = newc([directory("dev"), regular("init", b"#!/bin/sh\n", permissions=0o755)])
    save(forge([*GOOD[:3], (images.RAMDISK, boot)]))
    text = cli("eif", verb, "--help").stdout
    examples = [line.split()[1:] for line in text.splitlines() if line.startswith(f"  nitroctl eif {verb}")]
    assert len(examples) >= 2
    for example in examples:
        assert cli(*example).status == 0


def test_an_unsigned_image_is_measured_without_loading_cryptography(cli: Cli) -> None:
    """Start-up: cryptography takes longer to load than everything else that measuring an image needs."""
    save(forge())
    ran = cli.program("eif", "measure", "image.eif", "--json", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert ran.status == 0
    assert "hashlib" in ran.stderr
    assert "cryptography" not in ran.stderr
    assert "cbor2" not in ran.stderr
