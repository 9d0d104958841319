"""``nitroctl eif inspect``: into kernel and ramdisks, files out of them, and in the words of nitro-cli."""

import gzip
import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from nitroctl.eif.signature import sign
from tests import archives, images
from tests.conftest import Cli, Ran, vectors
from tests.images import GOOD, forge
from tests.unit.test_eif_kernel import BANNER, bz_image


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


INIT = b"#!/bin/sh\nexec /cmd\n"
TOOL = b"tool" * 300
DIGEST = {name: hashlib.sha256(data).hexdigest() for name, data in {"init": INIT, "tool": TOOL}.items()}
BOOT = archives.newc([archives.directory("dev"), archives.file("init", INIT, mode=stat.S_IFREG | 0o755)])
APPLICATION = archives.newc(
    [
        archives.directory("rootfs"),
        archives.directory("rootfs/bin"),
        archives.Entry(name="rootfs/bin/tool", mode=stat.S_IFREG | 0o4755, uid=1000, gid=1000, ino=77, nlink=2),
        archives.Entry(
            name="rootfs/bin/alias", mode=stat.S_IFREG | 0o4755, data=TOOL, ino=77, nlink=2, uid=1000, gid=1000
        ),
        archives.symlink("rootfs/lib", "usr/lib"),
        archives.Entry(name="rootfs/console", mode=stat.S_IFCHR | 0o600, rdev=(5, 1)),
        archives.file("rootfs/empty"),
    ]
)
PARTS = [
    (images.KERNEL, bz_image()),
    *GOOD[1:3],
    (images.RAMDISK, BOOT),
    (images.RAMDISK, gzip.compress(APPLICATION, mtime=0)),
]
TIME = "2023-11-14T22:13:20Z"
ABSENT = hashlib.sha256(b"").hexdigest()


def save(image: bytes = b"", name: str = "image.eif") -> str:
    Path(name).write_bytes(image or forge(PARTS))
    return name


def test_kernel_and_ramdisks_are_summed_up(cli: Cli) -> None:
    ran = cli("eif", "inspect", save())
    packed = len(PARTS[4][1])
    assert (
        "Kernel\n"
        "  kind         bzImage, boot protocol 2.15\n"
        f"  version      {BANNER.decode()}\n"
        "  processor    x86_64\n"
        "  compression  zstd\n"
        "\n"
        "Command line, 22 bytes\n"
        "  text  console=ttyS0 panic=30\n"
        "\n"
        "Ramdisks\n"
        "#  measured in  bytes  compression  entries  bytes in files  read\n"
        f"1  PCR0, PCR1   {len(BOOT)}    none         2        {len(INIT)}              whole\n"
        f"2  PCR0, PCR2   {packed}    gzip         7        {len(TOOL)}            whole\n"
        "\n"
        "Metadata (neither measured nor signed)\n"
    ) in ran.stdout
    assert "✓ Linux unpacks every ramdisk, whole and as other readers do\n" in ran.stdout
    assert (ran.stderr, ran.status) == ("", 0)


WIDE = f"""\
✓ image.eif is well-formed: every known reader sees the same image

Ramdisk 1: 1 file, 1 directory
drwxr-xr-x 0:0  0 {TIME} {"":64} dev
-rwxr-xr-x 0:0 20 {TIME} {DIGEST["init"]} init

Ramdisk 2: 3 files, 2 directories, 1 symlink, 1 character device
drwxr-xr-x 0:0          0 {TIME} {"":64} rootfs
drwxr-xr-x 0:0          0 {TIME} {"":64} rootfs/bin
-rwsr-xr-x 1000:1000 1200 {TIME} {DIGEST["tool"]} rootfs/bin/tool
-rwsr-xr-x 1000:1000 1200 {TIME} {DIGEST["tool"]} rootfs/bin/alias = rootfs/bin/tool
lrwxrwxrwx 0:0          0 {TIME} {"":64} rootfs/lib -> usr/lib
crw------- 0:0        5,1 {TIME} {"":64} rootfs/console
-rw-r--r-- 0:0          0 {TIME} {ABSENT} rootfs/empty
"""


def test_every_entry_is_listed_on_one_line_where_there_is_room(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert cli("eif", "inspect", save(), "--list") == Ran(0, WIDE, "")


def test_one_ramdisk_is_listed_on_a_narrow_screen(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = cli("eif", "inspect", save(), "--ramdisk", "1", "--list")
    assert ran.stdout == (
        "✓ image.eif is well-formed: every known reader sees the same image\n"
        "\n"
        "Ramdisk 1: 1 file, 1 directory\n"
        f"drwxr-xr-x 0:0  0 {TIME} dev\n"
        f"-rwxr-xr-x 0:0 20 {TIME} init\n"
        f"           {DIGEST['init']}\n"
    )
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert (ran.stderr, ran.status) == ("", 0)


def test_a_listing_in_json(cli: Cli) -> None:
    data = cli("eif", "inspect", save(), "--ramdisk", "2", "--list", "--json").json["data"]
    first, second = data["ramdisks"]
    assert first["entries"] is None
    assert {name: value for name, value in second.items() if name != "entries"} == {
        "ramdisk": 2,
        "measured_in": ["PCR0", "PCR2"],
        "size_bytes": len(PARTS[4][1]),
        "expanded_bytes": len(APPLICATION),
        "compressions": ["gzip"],
        "archives": 1,
        "counts": {"file": 3, "directory": 2, "symlink": 1, "character-device": 1},
        "content_bytes": len(TOOL),
        "complete": True,
        "faults": [],
        "more_faults": 0,
    }
    assert second["entries"][3] == {
        "name": "rootfs/bin/alias",
        "name_hex": None,
        "kind": "file",
        "mode": "4755",
        "uid": 1000,
        "gid": 1000,
        "mtime": TIME,
        "size_bytes": 1200,
        "sha256": DIGEST["tool"],
        "target": None,
        "hard_link_to": "rootfs/bin/tool",
        "device": None,
        "archive": 0,
        "compression": "gzip",
    }
    assert [entry["sha256"] for entry in second["entries"]][2] == DIGEST["tool"]
    assert second["entries"][4]["target"] == "usr/lib"
    assert second["entries"][5]["device"] == {"major": 5, "minor": 1}
    assert data["kernel"] == {
        "format": "bzImage",
        "version": "6.1.0-56-cloud-amd64",
        "banner": BANNER.decode(),
        "architecture": "x86_64",
        "compression": "zstd",
        "boot_protocol": "2.15",
    }


def test_names_are_shown_escaped_and_given_whole(cli: Cli) -> None:
    archive = archives.newc([archives.file("line\nfeed\tand\x1b[2J", b"x")]).replace(b"feed", b"f\xffed")
    ran = cli("eif", "inspect", save(forge([*GOOD[:3], (images.RAMDISK, archive)])), "--list")
    assert ran.stdout.splitlines()[3].endswith(" line\\nf\\xffed\\tand\\x1b[2J")
    (entry,) = cli("eif", "inspect", "image.eif", "--list", "--json").json["data"]["ramdisks"][0]["entries"]
    assert entry["name"] == "line\nf\\xffed\tand\x1b[2J"
    assert bytes.fromhex(entry["name_hex"]) == b"line\nf\xffed\tand\x1b[2J"


def test_no_name_is_a_command_to_a_ci_job(cli: Cli) -> None:
    archive = archives.newc([archives.file("##[error]a"), archives.symlink("b", "##[warning]c")])
    ran = cli("eif", "inspect", save(forge([*GOOD[:3], (images.RAMDISK, archive)])), "--list")
    assert "##[" not in ran.stdout
    assert ran.stdout.endswith("b -> #\\x23[warning]c\n")


def test_a_ramdisk_that_is_no_archive_is_told_and_not_refused(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(forge([*GOOD[:3], (images.RAMDISK, BOOT + b"hsqs file system")])), "--list")
    assert ran.stdout.endswith(
        f"-rwxr-xr-x 0:0 20 {TIME} {DIGEST['init']} init\n"
        "\n"
        "Faults of ramdisks\n"
        f"ramdisk 1, byte {len(BOOT)}: neither an archive in the newc form nor a compression that Linux knows: "
        "it begins 68 73 71 73 20 66 (reading ended there)\n"
    )
    assert (ran.stderr, ran.status) == ("", 0)
    checks = cli("eif", "inspect", "image.eif", "--json").json["data"]["report"]["checks"]
    (check,) = [check for check in checks if check["id"] == "eif.ramdisk-contents"]
    assert (check["outcome"], check["required"]) == ("warn", False)


def test_a_ramdisk_that_linux_finds_off_the_grid_is_told(cli: Cli) -> None:
    """All ramdisks are one to Linux; a compressed one of odd length hides a plain one after it."""
    odd = gzip.compress(BOOT, mtime=0)
    odd += bytes((1 - len(odd)) % 4)
    save(forge([*PARTS[:3], (images.RAMDISK, odd), (images.RAMDISK, APPLICATION)]))
    checks = cli("eif", "inspect", "image.eif", "--json").json["data"]["report"]["checks"]
    (check,) = [check for check in checks if check["id"] == "eif.ramdisk-contents"]
    said = f"with the ramdisks before, it begins at byte {len(odd)}, no multiple of four: Linux does not take it"
    assert (check["outcome"], check["detail"]) == ("warn", f"ramdisk 2: {said}")


# -- files out of a ramdisk


def test_one_file_is_written(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(), "--ramdisk", "2", "--extract", "/rootfs/bin/tool", "--output", "tool")
    assert ran == Ran(0, f"wrote 1200 bytes of /rootfs/bin/tool in ramdisk 2 to tool\nsha256  {DIGEST['tool']}\n", "")
    assert Path("tool").read_bytes() == TOOL
    assert Path("tool").stat().st_mode & 0o7000 == 0


def test_one_file_in_json(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(), "--ramdisk", "1", "--extract", "init", "--output", "init.bin", "--json")
    extracted = ran.json["data"]["extracted"]
    assert {name: value for name, value in extracted.items() if name != "entry"} == {
        "ramdisk": 1,
        "path": "init",
        "found": True,
        "reason": None,
        "output": "init.bin",
    }
    assert (extracted["entry"]["sha256"], extracted["entry"]["mode"]) == (DIGEST["init"], "0755")
    assert Path("init.bin").read_bytes() == INIT


def test_one_file_goes_to_standard_output_byte_for_byte(cli: Cli) -> None:
    ran = cli.program("eif", "inspect", save(), "--ramdisk", "1", "--extract", "init")
    assert ran == Ran(0, INIT.decode(), "")


def test_a_large_file_goes_through_a_pipe_whole(cli: Cli) -> None:
    data = b"0123456789abcde\n" * (1 << 20)
    archive = archives.newc([archives.file("big", data)])
    save(forge([*GOOD[:3], (images.RAMDISK, archive)]))
    ran = cli.program("eif", "inspect", "image.eif", "--ramdisk", "1", "--extract", "big")
    assert hashlib.sha256(ran.stdout.encode()).digest() == hashlib.sha256(data).digest()
    assert (ran.stderr, ran.status) == ("", 0)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing", "there is no such entry"),
        ("rootfs", "it is no file but a directory"),
        ("rootfs/lib", "it is a symbolic link, to usr/lib; name the file it leads to"),
        ("rootfs/console", "it is no file but a character device"),
    ],
)
def test_what_is_no_file_is_a_no(cli: Cli, path: str, reason: str) -> None:
    said = f"nitroctl: note: image.eif, ramdisk 2: {path}: {reason}\n"
    argv = ("eif", "inspect", save(), "--ramdisk", "2", "--extract", path, "--output", "out")
    assert cli(*argv) == Ran(1, "", said)
    assert not Path("out").exists()
    data = cli(*argv, "--json").json["data"]["extracted"]
    assert (data["found"], data["reason"], data["output"]) == (False, reason, None)
    assert (data["entry"] is None) is (path == "nothing")


def test_the_output_is_not_a_device(cli: Cli) -> None:
    os.mkfifo("fifo")
    ran = cli("eif", "inspect", save(), "--ramdisk", "1", "--extract", "init", "--output", "fifo")
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: fifo: not a regular file [file.not-regular]\nnitroctl: hint: name a file to make\n",
    )


@pytest.mark.parametrize("output", ["image.eif", "./image.eif", "link"])
def test_the_output_is_not_the_image(cli: Cli, output: str) -> None:
    Path("link").symlink_to("image.eif")
    before = Path(save()).read_bytes()
    ran = cli("eif", "inspect", "image.eif", "--ramdisk", "1", "--extract", "init", "--output", output)
    assert ran == Ran(
        2,
        "",
        "nitroctl: error: --output: it is the image itself [usage.invalid]\nnitroctl: hint: name another file\n",
    )
    assert Path("image.eif").read_bytes() == before


def test_files_of_a_refused_image_are_written_with_a_no(cli: Cli) -> None:
    """Somebody who looks into a damaged image wants its files; the status says that the image is refused."""
    ran = cli("eif", "inspect", save(forge(PARTS, crc=1)), "--ramdisk", "1", "--extract", "init", "--output", "out")
    assert (ran.status, Path("out").read_bytes()) == (1, INIT)
    assert ran.stderr == (
        "nitroctl: note: the image is refused: the file was damaged or altered after it was written\n"
    )
    ran = cli.program("eif", "inspect", "image.eif", "--ramdisk", "1", "--extract", "init")
    assert (ran.status, ran.stdout) == (1, INIT.decode())


def test_all_files_are_written_below_a_new_directory(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(), "--ramdisk", "2", "--extract-to", "out")
    assert ran.stdout == (
        "wrote the files of ramdisk 2 to out\n"
        "files        2\n"
        "directories  2\n"
        "hard links   1\n"
        "bytes        1200\n"
        "\n"
        "Not made (each is named by --json)\n"
        "entries  why\n"
        "1        devices, pipes and sockets are not made\n"
        "1        symbolic links are not made\n"
    )
    assert (ran.stderr, ran.status) == ("", 0)
    assert Path("out/rootfs/bin/tool").read_bytes() == TOOL
    assert stat.S_IMODE(Path("out/rootfs/bin/tool").stat().st_mode) == 0o755
    assert not Path("out/rootfs/lib").is_symlink()


def test_all_files_in_json(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(), "--ramdisk", "2", "--extract-to", "out", "--json")
    assert ran.json["data"]["unpacked"] == {
        "ramdisk": 2,
        "directory": "out",
        "complete": True,
        "files": 2,
        "directories": 2,
        "hard_links": 1,
        "size_bytes": 1200,
        "skipped": [
            {"name": "rootfs/lib", "kind": "symlink", "reason": "symbolic links are not made"},
            {
                "name": "rootfs/console",
                "kind": "character-device",
                "reason": "devices, pipes and sockets are not made",
            },
        ],
    }


def test_a_ramdisk_read_in_part_is_written_in_part_with_a_no(cli: Cli) -> None:
    save(forge([*GOOD[:3], (images.RAMDISK, BOOT + b"junk")]))
    ran = cli("eif", "inspect", "image.eif", "--ramdisk", "1", "--extract-to", "out")
    assert ran.stdout.startswith("wrote the files of ramdisk 1 to out, as far as it could be read\n")
    assert (ran.status, Path("out/init").read_bytes()) == (1, INIT)


def test_a_directory_that_is_there_is_left_alone(cli: Cli) -> None:
    Path("out").mkdir()
    Path("out/mine").touch()
    ran = cli("eif", "inspect", save(), "--ramdisk", "1", "--extract-to", "out")
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: out: is there already, and not an empty directory [file.exists]\n"
        "nitroctl: hint: name a new directory\n",
    )
    assert sorted(path.name for path in Path().iterdir()) == ["image.eif", "out"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--ramdisk", "1"), "--ramdisk: what to do with it is not said"),
        (("--extract", "init"), "--extract: which ramdisk is not said"),
        (("--extract-to", "out"), "--extract-to: which ramdisk is not said"),
        (("--output", "out"), "--output is for --extract"),
        (("--ramdisk", "1", "--list", "--output", "out"), "--output is for --extract"),
        (("--ramdisk", "1", "--list", "--extract", "init"), "--list and --extract exclude each other"),
        (("--ramdisk", "1", "--extract", "a", "--extract-to", "b"), "--extract and --extract-to exclude each other"),
        (
            ("--ramdisk", "1", "--extract", "init", "--json"),
            "--format json and the file itself cannot both go to stdout",
        ),
        (("--list", "--format", "nitro-cli"), "--list: --format nitro-cli has no place for it"),
        (("--at", "yesterday"), "--at: neither now nor an RFC 3339 time: 'yesterday'"),
        (("--at", "document"), "--at: neither now nor an RFC 3339 time: 'document'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(cli: Cli, options: tuple[str, ...], error: str) -> None:
    ran = cli("eif", "inspect", save(), *options)
    assert ran.stderr.startswith(f"nitroctl: error: {error} [usage.invalid]\n")
    assert ran.status == 2
    assert [path.name for path in Path().iterdir()] == ["image.eif"]


@pytest.mark.parametrize("number", ["0", "3", "-1"])
def test_a_ramdisk_that_is_not_there_is_no_answer(cli: Cli, number: str) -> None:
    ran = cli("eif", "inspect", save(), "--ramdisk", number, "--list")
    assert ran == Ran(
        3,
        "",
        f"nitroctl: error: image.eif: there is no ramdisk {number}: it has 2, numbered from 1 [eif.no-ramdisk]\n"
        "nitroctl: hint: see nitroctl eif inspect image.eif\n",
    )


def test_an_image_without_ramdisks_has_none_to_list(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(forge(GOOD[:3])), "--list")
    assert ran.stderr.startswith("nitroctl: error: image.eif: there is no ramdisk: it has none [eif.no-ramdisk]\n")
    assert ran.status == 3


@pytest.mark.parametrize(
    "options", [("--list",), ("--ramdisk", "1", "--extract", "init"), ("--ramdisk", "1", "--extract-to", "out")]
)
def test_where_readers_do_not_agree_nothing_is_listed_or_taken_out(cli: Cli, options: tuple[str, ...]) -> None:
    hidden = b"\0\3\0\0" + len(BOOT).to_bytes(8) + BOOT
    ran = cli("eif", "inspect", save(forge(PARTS, trailing=hidden)), *options)
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: image.eif: which ramdisks it has cannot be told: readers that follow the table see another "
        "image than readers that follow the sizes [eif.no-ramdisk]\n"
        "nitroctl: hint: see nitroctl eif inspect image.eif\n",
    )
    data = cli("eif", "inspect", "image.eif", "--json").json["data"]
    assert (data["kernel"], data["ramdisks"], data["measurable"]) == (None, [], False)


# -- dates, and the words of nitro-cli


def signed() -> bytes:
    key, certificate = images.pair()
    section = sign(images.registers(forge(PARTS))[0], private_key_pem=key, certificate_pem=certificate)
    return forge([*PARTS, (images.SIGNATURE, section)])


@pytest.mark.parametrize(
    ("at", "outcome", "said"),
    [
        ("2026-06-01T12:00:00+02:00", "pass", "as of 2026-06-01T10:00:00Z"),
        ("2027-01-01T00:00:00Z", "pass", "as of 2027-01-01T00:00:00Z"),
        ("2027-01-01T00:00:01Z", "warn", "as of 2027-01-01T00:00:01Z it had expired"),
        ("2025-12-31T23:59:59Z", "warn", "as of 2025-12-31T23:59:59Z it did not hold yet"),
    ],
)
def test_the_dates_are_judged_at_the_instant_asked(cli: Cli, at: str, outcome: str, said: str) -> None:
    ran = cli("eif", "inspect", save(signed()), "--at", at, "--json")
    check = ran.json["data"]["report"]["checks"][-1]
    assert (check["id"], check["outcome"]) == ("eif.certificate-dates", outcome)
    assert check["detail"] == f"2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z; {said}"
    assert ran.status == 0
    assert cli("eif", "inspect", "image.eif", "--at", at).stdout.count("trusted by nobody: chosen by the signer") == 1


def test_in_the_words_of_nitro_cli(cli: Cli) -> None:
    """Real bytes: an image by AWS' builder, and what nitro-cli's reader makes of it."""
    image = vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif")
    ran = cli("eif", "inspect", str(image), "--format", "nitro-cli")
    document = json.loads(ran.stdout)
    assert ran.stdout == json.dumps(document, indent=2) + "\n"
    assert document["Measurements"] == json.loads(Path(f"{image}.pcrs.json").read_text())
    assert list(document) == [
        "EifVersion",
        "Measurements",
        "IsSigned",
        "SigningCertificate",
        "CheckCRC",
        "SignatureCheck",
        "ImageName",
        "ImageVersion",
        "Metadata",
    ]
    assert ran.stderr == (
        "nitroctl: note: as nitro-cli describe-eif prints it; that judges neither dates nor the header's table\n"
    )
    assert ran.status == 0


def test_a_wrong_checksum_is_printed_as_nitro_cli_does_and_refused_all_the_same(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(forge(PARTS, crc=1)), "--format", "nitro-cli")
    assert json.loads(ran.stdout)["CheckCRC"] is False
    assert ran.stderr == (
        "nitroctl: note: nitroctl refuses this image: the file was damaged or altered after it was written\n"
    )
    assert ran.status == 1


def test_where_nitro_cli_prints_an_error_nothing_is_printed(cli: Cli) -> None:
    ran = cli("eif", "inspect", save(forge([*GOOD, (images.SIGNATURE, b"\x80")])), "--format", "nitro-cli")
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: image.eif: nothing that nitro-cli describe-eif prints can be told: the signature section "
        "cannot be read: it holds 0 signatures in place of one [eif.no-description]\n"
        "nitroctl: hint: see nitroctl eif inspect image.eif\n",
    )


def test_other_commands_have_no_words_of_nitro_cli(cli: Cli) -> None:
    assert cli("eif", "measure", save(), "--format", "nitro-cli") == Ran(
        2,
        "",
        "nitroctl: error: --format nitro-cli is for what nitro-cli describe-eif prints of an image, and this is "
        "something else [usage.invalid]\n"
        "nitroctl: hint: use it with nitroctl eif inspect FILE; this command has human, json, sarif, junit, github\n",
    )


@pytest.mark.parametrize("options", [(), ("--list",), ("--json",), ("--list", "--json"), ("--format", "nitro-cli")])
def test_every_malformed_image_gets_an_answer(cli: Cli, options: tuple[str, ...]) -> None:
    files = sorted(vectors("eif", "malformed").glob("*.eif"))
    assert len(files) > 15
    for file in files:
        assert cli("eif", "inspect", str(file), *options).status in (0, 1, 3), file


def test_of_a_file_that_is_no_image_it_is_said_once_that_nothing_else_was_checked(cli: Cli) -> None:
    Path("program").write_bytes(b"\x7fELF" + bytes(1000))
    assert cli("eif", "inspect", "program") == Ran(
        1,
        "✗ program is refused: the file is not an enclave image\n"
        "sha256  not computed: the headers are those of no readable image\n"
        "size    1004 bytes\n"
        "\n"
        "Checks\n"
        "✓ The file holds a whole file header\n"
        "✗ The file begins with the mark of an enclave image\n"
        "  the file is not an enclave image\n"
        "  expected  2e 65 69 66\n"
        "  actual    7f 45 4c 46\n"
        "  fix: name the file that nitro-cli build-enclave wrote as --output-file\n"
        "  [eif.magic]\n"
        "20 more checks are blocked by what failed; --json has them all.\n",
        "",
    )
    checks = cli("eif", "inspect", "program", "--json").json["data"]["report"]["checks"]
    assert sum(check.get("detail") == "not checked: blocked by eif.magic" for check in checks) == 20
