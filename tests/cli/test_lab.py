"""``nitroctl lab``: whole outputs."""

import hashlib
import json
from pathlib import Path

import pytest

from nitroctl.standin.lab import CASES
from tests.conftest import Cli, Ran

ACCEPTED = sum(case.accepted for case in CASES)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list_for_people(cli: Cli) -> None:
    ran = cli("lab", "list")
    lines = ran.stdout.splitlines()
    assert (ran.status, ran.stderr) == (0, "")
    assert lines[0] == f"{len(CASES)} cases: {ACCEPTED} must be accepted, {len(CASES) - ACCEPTED} refused"
    words = [line.split() for line in lines[1:]]
    assert words[0] == ["name", "must", "be", "what", "is", "special"]
    assert words[1] == ["good", "accepted", "A", "document", "as", "AWS", "encodes", "it", "today."]
    assert [word[0] for word in words[1:]] == [case.name for case in CASES]
    twice = next(line for line in lines if line.startswith("cbor-nonce-twice "))
    assert twice.split(maxsplit=4)[1:] == [
        "refused",
        "by",
        "cbor.unique-keys",
        "The payload has the key nonce twice, with different values.",
    ]


def test_list_for_machines(cli: Cli) -> None:
    cases = cli("lab", "list", "--json").json["data"]["cases"]
    assert [case["name"] for case in cases] == [case.name for case in CASES]
    assert cases[0] == {
        "name": "good",
        "description": "A document as AWS encodes it today.",
        "expected": "accepted",
        "checks": [],
        "warnings": [],
        "at": "2026-11-20T10:00:00.250Z",
        "profile": "lenient",
    }
    assert next(case for case in cases if case["name"] == "leaf-over")["checks"] == [
        "chain.document-time",
        "chain.unexpired",
    ]


def test_mint_two(cli: Cli, here: Path) -> None:
    ran = cli("lab", "mint", "cbor-nonce-twice", "good", "--out", "two")
    manifest = json.loads((here / "two" / "manifest.json").read_text())
    assert ran == Ran(
        0,
        "minted 2 cases: 1 must be accepted, 1 refused\n"
        "directory     two\n"
        "manifest      two/manifest.json\n"
        "root          two/root.pem\n"
        f"root SHA-256  {manifest['root']['sha256']}\n",
        "nitroctl: note: the root's key was not kept: nothing else can be made under it\n",
    )
    assert sorted(path.name for path in (here / "two").iterdir()) == [
        "cbor-nonce-twice.cbor",
        "good.cbor",
        "manifest.json",
        "root.pem",
    ]
    good = hashlib.sha256((here / "two" / "good.cbor").read_bytes()).hexdigest()
    assert [(case["name"], case["file"]) for case in manifest["cases"]] == [
        ("good", "good.cbor"),
        ("cbor-nonce-twice", "cbor-nonce-twice.cbor"),
    ]
    assert manifest["cases"][0]["sha256"] == good


def test_mint_all_for_machines(cli: Cli, here: Path) -> None:
    data = cli("lab", "mint", "--all", "--out", "suite", "--json").json["data"]
    manifest = json.loads((here / "suite" / "manifest.json").read_text())
    assert data == {
        "directory": "suite",
        "manifest": "suite/manifest.json",
        "root": {"file": "suite/root.pem", "sha256": manifest["root"]["sha256"]},
        "accepted": ACCEPTED,
        "refused": len(CASES) - ACCEPTED,
        "names": [case.name for case in CASES],
    }


def test_the_command_line_itself_passes_the_suite(cli: Cli, here: Path) -> None:
    """What docs/lab.md tells others to do, done with nitroctl: exit status 0 and 1 as the manifest says."""
    names = [
        "good",
        "good-nitrotpm",
        "noted-serial",
        "strict-good",
        "strict-null-public-key",
        "strict-good",
        "judged-after-leaf",
        "cose-sha-256",
        "root-left-out",
    ]
    assert cli("lab", "mint", *names, "--out", "suite").status == 0
    manifest = json.loads((here / "suite" / "manifest.json").read_text())
    for case in manifest["cases"]:
        argv = ["attest", "verify", f"suite/{case['file']}", "--authenticity-only", "--at", case["at"]]
        strict = ["--strict"] if case["profile"] == "strict" else []
        answer = cli(*argv, *strict, "--root", "suite/root.pem", "--json").json
        assert answer["status"] == {"accepted": "ok", "refused": "refused"}[case["expected"]]
        failed = [check["id"] for check in answer["data"]["report"]["checks"] if check["outcome"] == "fail"]
        assert sorted(failed) == case["checks"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            ["--out", "x"],
            (
                "nitroctl: error: no case is named [usage.invalid]\n"
                "nitroctl: hint: nitroctl lab list names them; --all is every case\n"
            ),
        ),
        (
            ["good", "--all", "--out", "x"],
            (
                "nitroctl: error: name cases or pass --all, not both [usage.invalid]\n"
                "nitroctl: hint: nitroctl lab list names them; --all is every case\n"
            ),
        ),
        (
            ["goood", "--out", "x"],
            (
                "nitroctl: error: no case of the lab is called 'goood' [lab.unknown-name]\n"
                "nitroctl: hint: did you mean good?\n"
            ),
        ),
        (
            ["good"],
            "nitroctl: error: missing option '--out' [usage.invalid]\nnitroctl: hint: see nitroctl lab mint --help\n",
        ),
    ],
    ids=["nothing named", "both", "misspelt", "no directory"],
)
def test_a_wrong_invocation(cli: Cli, here: Path, argv: list[str], said: str) -> None:
    assert cli("lab", "mint", *argv) == Ran(2, "", said)
    assert list(here.iterdir()) == []


def test_a_full_directory_is_left_alone(cli: Cli, here: Path) -> None:
    (here / "suite").mkdir()
    (here / "suite" / "mine").touch()
    assert cli("lab", "mint", "good", "--out", "suite") == Ran(
        3,
        "",
        "nitroctl: error: suite: is not empty [lab.directory]\n"
        "nitroctl: hint: name a new one: the keys of two suites do not mix\n",
    )
    assert [path.name for path in (here / "suite").iterdir()] == ["mine"]
