"""``nitroctl eif diff``: whole outputs."""

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from nitroctl.eif.signature import sign
from tests import images
from tests.archives import MTIME, Entry, directory, file, newc, symlink
from tests.conftest import Cli, Ran
from tests.images import CMDLINE, GOOD, RAMDISK, SIGNATURE, forge

MANY = [file(f"usr/lib/{number:04}.py", b"x", ino=number + 100) for number in range(1214)]
OLD = [
    directory("etc"),
    file("etc/app.conf", b"port=1\n"),
    file("etc/gone", b"old\n"),
    file("bin/app", b"ELF one", mode=stat.S_IFREG | 0o755),
    symlink("bin/sh", "app"),
    Entry(name="dev/null", mode=stat.S_IFCHR | 0o666, rdev=(1, 3)),
    *MANY,
]
NEW = [
    directory("etc"),
    file("etc/app.conf", b"port=22\n"),
    file("etc/new", b"brand new"),
    file("bin/app", b"ELF two", mode=stat.S_IFREG | stat.S_ISUID | 0o755, uid=1000),
    symlink("bin/sh", "dash"),
    Entry(name="dev/null", mode=stat.S_IFCHR | 0o666, rdev=(1, 5)),
    *(replace(entry, mtime=MTIME + 3600) for entry in MANY),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def save(image: bytes, name: str) -> bytes:
    Path(name).write_bytes(image)
    return image


def image(entries: list[Entry], cmdline: bytes = images.CMDLINE_BYTES, flags: int = 0) -> bytes:
    return forge([GOOD[0], (CMDLINE, cmdline), *GOOD[2:4], (RAMDISK, newc(entries))], flags=flags)


def registers(image: bytes) -> list[str]:
    return [value.hex() for _, value in sorted(images.registers(image).items())]


def test_everything_that_differs_stands_under_one_sentence(cli: Cli) -> None:
    old = save(image(OLD), "old.eif")
    new = save(image(NEW, b"console=ttyS0 panic=30 quiet", flags=0x40), "new.eif")
    (old0, old1, old2), (new0, new1, new2) = registers(old), registers(new)
    assert cli("eif", "diff", "old.eif", "new.eif") == Ran(
        1,
        "✗ PCR0, PCR1 and PCR2 differ: the command line differs: 'quiet' only in B; 4 entries in ramdisk 2 changed, 1"
        " was added, 1 was removed, 1,214 differ only in mtime\n"
        f"A  old.eif, {len(old)} bytes\n"
        f"B  new.eif, {len(new)} bytes\n"
        "\n"
        "Registers\n"
        "  PCR0  differs: the image: kernel, command line and every ramdisk\n"
        f"    A   {old0}\n"
        f"    B   {new0}\n"
        "  PCR1  differs: kernel, command line and boot ramdisk\n"
        f"    A   {old1}\n"
        f"    B   {new1}\n"
        "  PCR2  differs: application ramdisks\n"
        f"    A   {old2}\n"
        f"    B   {new2}\n"
        "\n"
        "Causes\n"
        "  PCR0 and PCR1  the command line differs: 'quiet' only in B\n"
        "  PCR0 and PCR2  4 entries in ramdisk 2 changed, 1 was added, 1 was removed, 1,214 differ only in mtime\n"
        "\n"
        "Command line\n"
        "  A  console=ttyS0 panic=30\n"
        "  B  console=ttyS0 panic=30 quiet\n"
        "\n"
        "Ramdisk 2: entries changed\n"
        "  bin/app       content 7 bytes in both; mode 0755 → 4755; owner 0:0 → 1000:0\n"
        "  bin/sh        target app → dash\n"
        "  dev/null      device 1:3 → 1:5\n"
        "  etc/app.conf  content 7 → 8 bytes\n"
        "\n"
        "Ramdisk 2: entries only in B\n"
        "  etc/new  file, 9 bytes, 0644, 0:0, 2023-11-14T22:13:20Z\n"
        "\n"
        "Ramdisk 2: entries only in A\n"
        "  etc/gone  file, 4 bytes, 0644, 0:0, 2023-11-14T22:13:20Z\n"
        "\n"
        "Ramdisk 2: entries that differ only in mtime\n"
        "  usr/lib/0000.py  2023-11-14T22:13:20Z → 2023-11-14T23:13:20Z\n"
        "  usr/lib/0001.py  2023-11-14T22:13:20Z → 2023-11-14T23:13:20Z\n"
        "  usr/lib/0002.py  2023-11-14T22:13:20Z → 2023-11-14T23:13:20Z\n"
        "  and 1,211 more; --json has all\n"
        "\n"
        "Ramdisk 2: entries\n"
        "  without a difference  1\n"
        "\n"
        "Not measured\n"
        "  header: flags  0x0000 → 0x0040\n",
        "",
    )


def test_in_json_every_entry_is_there(cli: Cli) -> None:
    old = save(image(OLD), "old.eif")
    save(image(NEW), "new.eif")
    document = cli("eif", "diff", "old.eif", "new.eif", "--json").json
    assert (document["schema"], document["status"], document["exit_code"]) == ("nitroctl/eif.diff/1", "refused", 1)
    data = document["data"]
    assert data["sentence"].startswith("PCR0 and PCR2 differ: 4 entries in ramdisk 2 changed")
    assert (data["same"], data["same_file"], data["compared"]) == (False, False, True)
    assert data["first"] == {
        "file": "old.eif",
        "size_bytes": len(old),
        "sha256": hashlib.sha256(old).hexdigest(),
        "measurable": True,
        "refusal": None,
        "sections_as_seen_by": "every reader",
        "pcrs": dict(zip(("PCR0", "PCR1", "PCR2"), registers(old), strict=True)),
    }
    assert [(each["name"], each["equal"]) for each in data["registers"]] == [
        ("PCR0", False),
        ("PCR1", True),
        ("PCR2", False),
    ]
    [difference] = data["differences"]
    assert (difference["part"], difference["registers"]) == ("ramdisk 2", ["PCR0", "PCR2"])
    assert difference["first"] == {"ramdisk": 2, "size_bytes": len(newc(OLD))}
    contents = difference["contents"]
    assert contents["kinds"] == {"added": 1, "removed": 1, "changed": 4, "mtime-only": 1214}
    assert len(contents["entries"]) == 1220
    assert contents["entries"][0] == {
        "path": "bin/app",
        "kind": "changed",
        "aspects": ["content", "mode", "owner"],
        "first": {
            "type": "file",
            "mode": "0755",
            "uid": 0,
            "gid": 0,
            "mtime": "2023-11-14T22:13:20Z",
            "size_bytes": 7,
            "sha256": hashlib.sha256(b"ELF one").hexdigest(),
            "target": None,
            "device": None,
        },
        "second": {
            "type": "file",
            "mode": "4755",
            "uid": 1000,
            "gid": 0,
            "mtime": "2023-11-14T22:13:20Z",
            "size_bytes": 7,
            "sha256": hashlib.sha256(b"ELF two").hexdigest(),
            "target": None,
            "device": None,
        },
    }


def test_equal_registers_of_different_files_are_explained(cli: Cli) -> None:
    first = save(image(OLD), "a.eif")
    save(image(OLD, flags=1), "b.eif")
    pcr0, pcr1, pcr2 = registers(first)
    assert cli("eif", "diff", "a.eif", "b.eif") == Ran(
        0,
        "✓ PCR0, PCR1 and PCR2 are equal: the files differ only in what is not measured: header\n"
        f"A  a.eif, {len(first)} bytes\n"
        f"B  b.eif, {len(first)} bytes\n"
        "\n"
        "Registers\n"
        "  PCR0    equal\n"
        f"    A, B  {pcr0}\n"
        "  PCR1    equal\n"
        f"    A, B  {pcr1}\n"
        "  PCR2    equal\n"
        f"    A, B  {pcr2}\n"
        "\n"
        "Not measured\n"
        "  header: architecture  x86_64 → aarch64\n"
        "  header: flags         0x0000 → 0x0001\n",
        "",
    )


def test_a_copy_is_the_same_file(cli: Cli) -> None:
    first = save(image(OLD), "a.eif")
    save(first, "b.eif")
    assert cli("eif", "diff", "a.eif", "b.eif") == Ran(
        0,
        f"✓ A and B are the same file, byte for byte\nA  a.eif, {len(first)} bytes\nB  b.eif, {len(first)} bytes\n",
        "",
    )


def test_signing_moves_pcr8_alone(cli: Cli) -> None:
    key, certificate = images.pair()
    section = sign(images.registers(forge())[0], private_key_pem=key, certificate_pem=certificate)
    first, second = save(forge(), "a.eif"), save(forge([*GOOD, (SIGNATURE, section)]), "b.eif")
    pcr0, pcr1, pcr2 = registers(first)
    pcr8 = images.extended(hashlib.sha384(images.der(certificate)).digest()).hex()
    assert cli("eif", "diff", "a.eif", "b.eif") == Ran(
        1,
        "✗ PCR8 differs: only B is signed\n"
        f"A  a.eif, {len(first)} bytes\n"
        f"B  b.eif, {len(second)} bytes\n"
        "\n"
        "Registers\n"
        "  PCR0    equal\n"
        f"    A, B  {pcr0}\n"
        "  PCR1    equal\n"
        f"    A, B  {pcr1}\n"
        "  PCR2    equal\n"
        f"    A, B  {pcr2}\n"
        "  PCR8    differs: certificate that signed the image\n"
        "    A     zero: not signed\n"
        f"    B     {pcr8}\n"
        "\n"
        "Causes\n"
        "  PCR8  only B is signed\n"
        "\n"
        "Signing certificate\n"
        "  A  not signed\n"
        "  B  CN=tests\n"
        "\n"
        "Not measured\n"
        "  signature: section  none → ES384\n",
        "",
    )


def test_a_kernel_an_order_and_the_spacing_of_metadata(cli: Cli) -> None:
    def kernel(version: bytes) -> bytes:
        banner = b"Linux version " + version + b" (root@host) #1 SMP\n\0"
        return b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\0" + bytes(64) + banner

    entries = [replace(entry, ino=number) for number, entry in enumerate(OLD[:6], start=1)]
    last = (RAMDISK, newc(entries))
    moved = (RAMDISK, newc([*entries[1:], entries[0]]))
    spaced = (images.METADATA, images.METADATA_JSON.replace(b",", b", "))
    first = save(forge([(images.KERNEL, kernel(b"4.14.256")), *GOOD[1:4], last]), "a.eif")
    second = save(forge([(images.KERNEL, kernel(b"6.6.79")), GOOD[1], spaced, GOOD[3], moved]), "b.eif")
    shown = cli("eif", "diff", "a.eif", "b.eif")
    assert shown.stdout.partition("\nCauses\n")[2] == (
        "  PCR0 and PCR1  the kernel is another: 4.14.256 in A, 6.6.79 in B\n"
        "  PCR0 and PCR2  1 entry in ramdisk 2 stands in another order\n"
        "\n"
        "Kernel\n"
        "  A  ELF, x86_64, 4.14.256 (root@host) #1 SMP\n"
        "  B  ELF, x86_64, 6.6.79 (root@host) #1 SMP\n"
        "\n"
        "Ramdisk 2: entries\n"
        "  without a difference                            6\n"
        "  that stand elsewhere in the order of unpacking  1\n"
        "\n"
        "Not measured\n"
        "  metadata: spacing, order, or members that the format does not define  differs\n"
    )
    data = cli("eif", "diff", "a.eif", "b.eif", "--json").json["data"]
    assert data["differences"][0]["kernels"] == [
        {"format": "ELF", "version": version, "banner": f"{version} (root@host) #1 SMP", "architecture": "x86_64"}
        for version in ("4.14.256", "6.6.79")
    ]
    assert data["differences"][1]["contents"]["kinds"] == {"order": 1}
    assert (data["first"]["size_bytes"], data["second"]["size_bytes"]) == (len(first), len(second))


def test_times_alone_come_with_what_to_do_about_them(cli: Cli) -> None:
    save(image(OLD), "a.eif")
    save(image([*OLD[:-1], replace(OLD[-1], mtime=1)]), "b.eif")
    ran = cli("eif", "diff", "a.eif", "b.eif")
    assert ran.stdout.splitlines()[0] == "✗ PCR0 and PCR2 differ: 1 file in ramdisk 2 differs only in mtime"
    assert ran.stderr == (
        "nitroctl: note: the files are the same and their times, order or packing are not: nitroctl eif build fixes"
        " these\n"
    )
    assert ran.status == 1


def test_an_image_that_cannot_be_measured_is_no_yes(cli: Cli) -> None:
    first, second = save(forge(), "a.eif"), save(forge(trailing=b"12345"), "b.eif")
    assert cli("eif", "diff", "a.eif", "b.eif") == Ran(
        1,
        "✗ the measurements cannot be compared: B cannot be measured: 5 bytes follow the last section; no reader"
        " measures them; kernel, command line, ramdisks and signing certificate are the same\n"
        f"A  a.eif, {len(first)} bytes\n"
        f"B  b.eif, {len(second)} bytes\n"
        "\n"
        "Not measured\n"
        "  layout: bytes after the last section  0 → 5\n",
        "",
    )
    data = cli("eif", "diff", "a.eif", "b.eif", "--json").json["data"]
    assert (data["registers"], data["compared"], data["same"]) == (None, True, False)
    assert data["second"]["refusal"] == "eif.file-end"


def test_of_two_views_the_one_that_is_compared_is_named(cli: Cli) -> None:
    save(forge(count=4), "a.eif")
    second = save(forge([*GOOD[:4], (RAMDISK, b"other")]), "b.eif")
    first_line, *files = cli("eif", "diff", "a.eif", "b.eif").stdout.splitlines()[:3]
    assert first_line.startswith(
        "✗ the measurements cannot be compared: A cannot be measured: readers that follow the table see another image"
        " than readers that follow the sizes; of the sections as nitro-cli follows them: ramdisk 2 cannot be read to"
        " the end: in A neither an archive"
    )
    assert files == [
        f"A  a.eif, {len(forge())} bytes, sections as nitro-cli follows them",
        f"B  b.eif, {len(second)} bytes",
    ]
    assert cli("eif", "diff", "a.eif", "b.eif").status == 1


def test_what_is_no_image_has_nothing_to_compare(cli: Cli) -> None:
    save(forge(), "a.eif")
    save(b"", "b.eif")
    data = cli("eif", "diff", "a.eif", "b.eif", "--json").json["data"]
    assert (data["compared"], data["same"], data["differences"]) == (False, False, [])
    assert data["sentence"] == (
        "the measurements cannot be compared: B cannot be measured: the file has 0 bytes, a file header has 548"
    )


def test_names_and_words_from_the_images_are_shown_escaped(cli: Cli) -> None:
    save(image([file("\x1b[2Jevil\n::error::\u202e", b"1")]), "a.eif")
    save(image([file("\x1b[2Jevil\n::error::\u202e", b"2")], b"\x1b]0;owned\x07"), "b.eif")
    ran = cli("eif", "diff", "a.eif", "b.eif")
    assert "  \\x1b[2Jevil\\n::error::\\u202e  content 1 bytes in both\n" in ran.stdout
    assert not any(character in ran.stdout for character in "\x1b\x07\u202e")
    assert not any(line.startswith("::") for line in ran.stdout.splitlines())


def test_a_long_value_from_the_metadata_is_cut_and_whole_in_json(cli: Cli) -> None:
    import json

    document = {**images.DOCUMENT, "ImageName": "n" * 5000}
    save(forge(), "a.eif")
    save(forge([*GOOD[:2], (images.METADATA, json.dumps(document).encode()), *GOOD[3:]]), "b.eif")
    shown = cli("eif", "diff", "a.eif", "b.eif").stdout
    assert f"  metadata: ImageName  B  {'n' * 160} … (5000 characters, --json has all)\n" in shown
    data = cli("eif", "diff", "a.eif", "b.eif", "--json").json["data"]
    assert data["not_measured"] == [{"part": "metadata", "field": "ImageName", "first": "signer", "second": "n" * 5000}]


def test_digests_are_whole_at_eighty_columns(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    first, second = save(image(OLD), "a.eif"), save(image(NEW), "b.eif")
    shown = cli("eif", "diff", "a.eif", "b.eif").stdout
    assert all(value in shown for value in [*registers(first), *registers(second)])


def test_what_cannot_be_read_is_no_answer(cli: Cli) -> None:
    save(forge(), "a.eif")
    os.mkfifo("fifo")
    said = {
        "missing": "missing: cannot read: no such file or directory [file.unreadable]",
        ".": ".: cannot read: is a directory [file.unreadable]",
        "fifo": "fifo: not a regular file [file.not-regular]",
        "/dev/zero": "/dev/zero: not a regular file [file.not-regular]",
    }
    for name, message in said.items():
        for pair in (("a.eif", name), (name, "a.eif")):
            ran = cli("eif", "diff", *pair)
            assert ran.stderr.startswith(f"nitroctl: error: {message}\n")
            assert (ran.stdout, ran.status) == ("", 3)


def test_a_ten_gigabyte_hole_is_answered_from_its_header(cli: Cli) -> None:
    save(forge(), "a.eif")
    Path("disk.img").touch()
    os.truncate("disk.img", 10 << 30)
    assert cli("eif", "diff", "a.eif", "disk.img").status == 1


def test_it_has_no_checks_for_ci_systems(cli: Cli) -> None:
    save(forge(), "a.eif")
    ran = cli("eif", "diff", "a.eif", "a.eif", "--format", "sarif")
    assert (ran.stdout, ran.status) == ("", 2)


def test_as_a_program_with_warnings_as_errors(cli: Cli) -> None:
    save(image(OLD), "old.eif")
    save(image(NEW), "new.eif")
    ran = cli.program("eif", "diff", "old.eif", "new.eif", env={"PYTHONWARNINGS": "error", "PYTHONUTF8": "1"})
    assert ran == cli("eif", "diff", "old.eif", "new.eif")
