"""``nitroctl eif verify`` of several images: whole outputs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import images, records
from tests.archives import file, newc
from tests.conftest import Cli, Ran
from tests.schemas import validate_envelope

NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
PARTS = (*images.GOOD[:3], (images.RAMDISK, newc([file("init", b"boot")])))
SOUND, OTHER = images.forge(PARTS), images.forge([*PARTS, (images.RAMDISK, newc([]))])
CUT = images.forge(PARTS, trailing=b"12345")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory with four images, at a fixed time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: NOW)
    for name, image in (("a.eif", SOUND), ("other.eif", OTHER), ("cut.eif", CUT), ("empty.eif", b"")):
        Path(name).write_bytes(image)


def pcr0(image: bytes) -> str:
    return images.registers(image)[0].hex()


def lines(ran: Ran) -> list[Any]:
    """Return the documents of a JSON Lines answer, each held against its schema."""
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    for document in found:
        validate_envelope(document)
    return found


NOT_ASKED = "nitroctl: note: whose image it is was not asked; compare it with --pcr, --records or --signed-by\n"


def test_a_line_for_each_and_what_they_come_to(cli: Cli) -> None:
    assert cli("eif", "verify", "a.eif", "other.eif", "cut.eif", "empty.eif", "missing.eif") == Ran(
        1,
        f"✓ a.eif        sound  PCR0 {pcr0(SOUND)}\n"
        f"✓ other.eif    sound  PCR0 {pcr0(OTHER)}\n"
        "✗ cut.eif      refused: 5 bytes follow the last section; no reader measures them [eif.file-end]\n"
        "✗ empty.eif    refused: the file has 0 bytes, a file header has 548 [eif.header]\n"
        "– missing.eif  not read: cannot read: no such file or directory [file.unreadable]\n"
        "\n"
        "✗ 2 of 5 images are sound, as of 2026-11-20T10:00:00Z; 2 refused, 1 could not be read\n",
        f"{NOT_ASKED}nitroctl: note: 1 could not be read; of what cannot be read nothing is said\n",
    )


def test_all_of_them_sound_is_a_yes(cli: Cli) -> None:
    assert cli("eif", "verify", "a.eif", "other.eif") == Ran(
        0,
        f"✓ a.eif      sound  PCR0 {pcr0(SOUND)}\n"
        f"✓ other.eif  sound  PCR0 {pcr0(OTHER)}\n"
        "\n"
        "✓ all 2 images are sound, as of 2026-11-20T10:00:00Z\n",
        NOT_ASKED,
    )


def test_what_could_not_be_read_is_no_yes(cli: Cli) -> None:
    assert cli("eif", "verify", "a.eif", "missing.eif") == Ran(
        3,
        f"✓ a.eif        sound  PCR0 {pcr0(SOUND)}\n"
        "– missing.eif  not read: cannot read: no such file or directory [file.unreadable]\n"
        "\n"
        "! 1 of 2 images is sound, as of 2026-11-20T10:00:00Z; 1 could not be read\n",
        f"{NOT_ASKED}"
        "nitroctl: error: 1 of 2 images could not be read [eif.unread]\n"
        "nitroctl: hint: the answer about each says why\n",
    )


def test_each_is_held_against_the_records(cli: Cli, tmp_path: Path) -> None:
    entry = records.active(pcrs=images.registers(SOUND))
    records.write(tmp_path / "measurements.json", entry)
    ran = cli("eif", "verify", "a.eif", "other.eif", "--records", "measurements.json")
    first, second, _, last = ran.stdout.splitlines()
    assert first == f"✓ a.eif      {entry.id}  PCR0 {pcr0(SOUND)}"
    assert second.startswith("✗ other.eif  sound, but not the image expected: ")
    assert second.endswith(" [records.match]")
    assert last == "✗ 1 of 2 images is sound, and the image expected, as of 2026-11-20T10:00:00Z; 1 refused"
    assert (ran.stderr, ran.status) == ("", 1)


def test_in_json_a_line_for_each_and_one_for_all(cli: Cli) -> None:
    ran = cli("eif", "verify", "a.eif", "cut.eif", "missing.eif", "--json")
    sound, refused, unread, total = lines(ran)
    assert [each["schema"] for each in (sound, refused, unread)] == ["nitroctl/eif.verify.line/1"] * 3
    assert [each["exit_code"] for each in (sound, refused, unread)] == [0, 1, 3]
    assert sound["data"]["pcrs"]["PCR0"] == pcr0(SOUND)
    assert {check["outcome"] for check in sound["data"]["report"]["checks"]} == {"skip"}
    assert [view["reader"] for view in refused["data"]["views"]] == ["table", "sequence"]
    assert (unread["data"], unread["errors"][0]["code"]) == ({"file": "missing.eif"}, "file.unreadable")
    assert total["data"] == {
        "sentence": "1 of 3 images is sound, as of 2026-11-20T10:00:00Z; 1 refused, 1 could not be read",
        "as_of": "2026-11-20T10:00:00Z",
        "images": 3,
        "sound": 1,
        "refused": 1,
        "unread": 1,
    }
    assert (total["exit_code"], ran.status) == (1, 1)


def test_for_ci_systems_each_image_is_a_subject(cli: Cli) -> None:
    ran = cli("eif", "verify", "a.eif", "cut.eif", "missing.eif", "--format", "github")
    assert [line.split(",title=")[0] for line in ran.stdout.splitlines()[:-1]] == [
        "::error file=cut.eif",
        "::error file=missing.eif",
    ]
    assert ran.status == 1
    sarif = json.loads(cli("eif", "verify", "a.eif", "cut.eif", "--format", "sarif").stdout)
    assert [result["ruleId"] for result in sarif["runs"][0]["results"]] == ["eif.file-end"]
    junit = cli("eif", "verify", "a.eif", "cut.eif", "missing.eif", "--format", "junit").stdout
    assert 'tests="3" failures="1" errors="1"' in junit


def test_names_are_shown_escaped(cli: Cli) -> None:
    Path("\x1b[2J.eif").write_bytes(SOUND)
    ran = cli("eif", "verify", "\x1b[2J.eif", "a.eif")
    assert ran.stdout.startswith(f"✓ \\x1b[2J.eif  sound  PCR0 {pcr0(SOUND)}\n✓ a.eif        sound")


def test_as_a_program_with_warnings_as_errors(cli: Cli) -> None:
    ran = cli.program(
        *("eif", "verify", "a.eif", "other.eif", "--at", "2026-11-20T10:00:00Z"), env={"PYTHONWARNINGS": "error"}
    )
    assert ran == cli("eif", "verify", "a.eif", "other.eif")
