"""``nitroctl attest verify`` over many documents: whole outputs, whatever the number of processes."""

import base64
import contextlib
import gzip
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.standin.lab_change import AT, PCRS, Change, accepted, good_chain, make, root
from tests.conftest import Cli, Ran, program
from tests.schemas import validate_envelope

GOOD = make()
TAMPERED = make(Change(after_signing=lambda payload: payload.replace(PCRS[0], bytes([0x11]) + PCRS[0][1:])))
OTHER_IMAGE = make(
    Change(fields=lambda fields: [(k, {**PCRS, 2: b"\x13" * 48} if k == "pcrs" else v) for k, v in fields])
)
ROOT = accepted()[0]
MINE = ["--root", "root.pem", "--at", "document"]
IMAGE = [f"--pcr=PCR{index}={PCRS[index].hex()}" for index in (0, 1, 2)]
ONLY = "--authenticity-only"
SAID = "i-0123456789abcdef0-enc019aa0b0c0d0e0f0  eu-west-1       2026-11-20T10:00:00.250Z"
SIGNATURE = "the signature is not this document's: it was changed, or another key signed it [cose.signature]"
UNDER = f"{ROOT.name}, SHA-256 {ROOT.fingerprint}"
EVERY_JOBS = [[], ["--jobs", "1"], ["--jobs", "2"], ["--jobs", "0"]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with a root, at the time at which the documents were made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: AT.replace(microsecond=0))
    Path("root.pem").write_bytes(root().pem)
    return tmp_path


@pytest.fixture
def heap() -> None:
    """A directory as a responder gets it."""
    Path("heap/sub").mkdir(parents=True)
    for name, content in {"good.cbor": GOOD, "cut.cbor": GOOD[:-5], "empty": b"", "sub/other": OTHER_IMAGE}.items():
        Path("heap", name).write_bytes(content)
    os.mkfifo("heap/fifo")
    Path("heap/dump.jsonl").write_text(f'"{GOOD.hex()}"\nnonsense\n{{"document": "{base64.b64encode(GOOD).decode()}"}}')
    with tarfile.open("heap/heap.tgz", "w:gz") as archive:
        for name, content in {"../../etc/\x1b[31mpasswd": GOOD, "b\u202e::error::.cbor": TAMPERED}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


UNREADABLE = (
    "heap/c\\n::error::x: the text is not base64, hexadecimal, PEM or JSON; fix: it may be raw CBOR, base64, "
    "hexadecimal, PEM-like text, JSON with a member attestation_document, or a certificate with it among its names"
)


def lines(ran: Ran) -> list[dict[str, Any]]:
    """Return the JSON Lines of an answer, each held against its schema; the last one decides the exit status."""
    assert ran.stdout.isascii()
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    for line in found:
        validate_envelope(line)
    assert found[-1]["schema"] == "nitroctl/attest.verify.many/1"
    assert found[-1]["exit_code"] == ran.status
    assert {line["schema"] for line in found[:-1]} == {"nitroctl/attest.verify.line/1"}
    return found


def dump(path: str, count: int, *documents: bytes) -> None:
    """Write JSON Lines of ``count`` documents, taking turns."""
    with Path(path).open("w") as file:
        file.writelines(f'"{documents[number % len(documents)].hex()}"\n' for number in range(count))


# -- whole outputs


@pytest.mark.usefixtures("heap")
@pytest.mark.parametrize("jobs", EVERY_JOBS, ids=" ".join)
def test_a_mixed_heap(cli: Cli, jobs: list[str]) -> None:
    ran = cli("attest", "verify", "heap", *MINE, *IMAGE, *jobs)
    assert ran == Ran(
        1,
        f"✗ heap/cut.cbor     not authentic: byte {len(GOOD) - 98}: a string of 96 bytes where 91 are left "
        "[cbor.complete]\n"
        f"✓ heap/dump.jsonl:1  {SAID}  --pcr\n"
        "– heap/dump.jsonl:2  not read: the line is not a JSON string, object or array [evidence.unreadable]\n"
        f"✓ heap/dump.jsonl:3  {SAID}  --pcr\n"
        "– heap/empty         not read: there is no document: the input is empty [evidence.empty]\n"
        "– heap/fifo          not read: not a regular file [file.not-regular]\n"
        f"✓ heap/good.cbor     {SAID}  --pcr\n"
        f"✓ heap/heap.tgz!../../etc/\\x1b[31mpasswd  {SAID}  --pcr\n"
        f"✗ heap/heap.tgz!b\\u202e::error::.cbor     not authentic: {SIGNATURE}\n"
        "✗ heap/sub/other                          not acceptable: 2 of 3 registers equal those of --pcr; PCR2 differs "
        "[measurement.match]\n"
        "\n"
        "✗ 4 of 10 documents are authentic and acceptable, each at its own time (document time); "
        "3 refused, 3 could not be read\n"
        "\n"
        "Under the root\n"
        f"  4 documents  {UNDER}\n"
        "\n"
        "Refused because this does not hold\n"
        "  1  every CBOR item ends inside the document [cbor.complete]\n"
        "  1  the document is signed with the last certificate's key [cose.signature]\n"
        "  1  all registers equal those of one accepted record [measurement.match]\n"
        "\n"
        "Not read because\n"
        "  1  There is no attestation document to look at: the input is empty. [evidence.empty]\n"
        "  1  The input is not an attestation document in any of the forms that are read. [evidence.unreadable]\n"
        "  1  The path names a FIFO, device or socket, which nitroctl neither reads, for it could block, nor replaces. "
        "[file.not-regular]\n",
        "nitroctl: note: 4 documents: it may be an old document played again: only --nonce shows that it answers this "
        "request\n"
        "nitroctl: note: 3 documents could not be read; of what cannot be read nothing is said\n",
    )


@pytest.mark.usefixtures("heap")
@pytest.mark.parametrize("jobs", EVERY_JOBS, ids=" ".join)
def test_a_mixed_heap_as_json_lines(cli: Cli, jobs: list[str]) -> None:
    ran = cli("attest", "verify", "heap", *MINE, *IMAGE, "--json", *jobs)
    *each, summary = lines(ran)
    found = [
        (
            line["data"]["file"],
            line["status"],
            line["exit_code"],
            [
                check["id"]
                for check in line["data"].get("report", {"checks": []})["checks"]
                if check["outcome"] == "fail"
            ],
            [error["code"] for error in line["errors"]],
        )
        for line in each
    ]
    assert found == [
        ("heap/cut.cbor", "refused", 1, ["cbor.complete"], []),
        ("heap/dump.jsonl:1", "ok", 0, [], []),
        ("heap/dump.jsonl:2", "error", 3, [], ["evidence.unreadable"]),
        ("heap/dump.jsonl:3", "ok", 0, [], []),
        ("heap/empty", "error", 3, [], ["evidence.empty"]),
        ("heap/fifo", "error", 3, [], ["file.not-regular"]),
        ("heap/good.cbor", "ok", 0, [], []),
        ("heap/heap.tgz!../../etc/\x1b[31mpasswd", "ok", 0, [], []),
        ("heap/heap.tgz!b\u202e::error::.cbor", "refused", 1, ["cose.signature"], []),
        ("heap/sub/other", "refused", 1, ["measurement.match", "measurement.pcr2"], []),
    ]
    assert each[4] == {
        "schema": "nitroctl/attest.verify.line/1",
        "status": "error",
        "exit_code": 3,
        "data": {"file": "heap/empty"},
        "notes": [],
        "errors": [
            {
                "code": "evidence.empty",
                "message": "heap/empty: there is no document: the input is empty",
                "hints": ["capture the documents again"],
                "details": {},
            }
        ],
    }
    assert summary == {
        "schema": "nitroctl/attest.verify.many/1",
        "status": "refused",
        "exit_code": 1,
        "data": {
            "answer": "4 of 10 documents are authentic and acceptable, each at its own time (document time); "
            "3 refused, 3 could not be read",
            "documents": 10,
            "accepted": 4,
            "refused": 3,
            "unread": 3,
            "appraised": True,
            "policy": None,
            "at": None,
            "at_chosen_by": "document",
            "refusals": [
                {"check": "cbor.complete", "title": "every CBOR item ends inside the document", "documents": 1},
                {
                    "check": "cose.signature",
                    "title": "the document is signed with the last certificate's key",
                    "documents": 1,
                },
                {
                    "check": "measurement.match",
                    "title": "all registers equal those of one accepted record",
                    "documents": 1,
                },
            ],
            "faults": [
                {"code": "evidence.empty", "documents": 1},
                {"code": "evidence.unreadable", "documents": 1},
                {"code": "file.not-regular", "documents": 1},
            ],
            "roots": [{"name": ROOT.name, "sha256": ROOT.fingerprint, "documents": 4}],
        },
        "notes": [
            "4 documents: it may be an old document played again: only --nonce shows that it answers this request",
            "3 documents could not be read; of what cannot be read nothing is said",
        ],
        "errors": [],
    }
    assert ran.stderr == ""


@pytest.mark.usefixtures("heap")
def test_a_line_is_the_answer_to_its_document_alone_without_what_holds(cli: Cli) -> None:
    names = ["heap/good.cbor", "heap/cut.cbor", "heap/sub/other"]
    many = lines(cli("attest", "verify", *names, *MINE, *IMAGE, "--json"))
    for name, line in zip(names, many, strict=False):
        alone = cli("attest", "verify", name, *MINE, *IMAGE, "--json").json
        report = alone["data"]["report"]
        report["checks"] = [check for check in report["checks"] if check["outcome"] != "pass"]
        assert {**line, "schema": "nitroctl/attest.verify/1"} == alone


def test_all_are_accepted(cli: Cli) -> None:
    Path("a").write_bytes(GOOD)
    Path("b").write_bytes(OTHER_IMAGE)
    assert cli("attest", "verify", "a", "b", "--root", "root.pem", ONLY) == Ran(
        0,
        f"✓ a                 {SAID}  not appraised\n"
        f"✓ b                 {SAID}  not appraised\n"
        "\n"
        "✓ all 2 documents are authentic, not appraised, as of 2026-11-20T10:00:00Z (now)\n"
        "\n"
        "Under the root\n"
        f"  2 documents  {UNDER}\n",
        "",
    )


PACKED = {
    "good.cbor.gz": (gzip.compress(GOOD), "compressed with gzip", "decompress it first: gunzip"),
    "good.zip": (b"PK\x03\x04" + GOOD, "a zip archive", "unpack it first: unzip"),
    "good.txt": (
        b"\xff\xfe" + base64.b64encode(GOOD).decode().encode("utf-16-le"),
        "text in UTF-16, not UTF-8",
        "save it as UTF-8; in PowerShell: Get-Content FILE | Set-Content -Encoding ascii COPY",
    ),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_is_packed_is_no_refusal_alone_and_in_a_list_by_any_verb(cli: Cli, name: str) -> None:
    content, what, hint = PACKED[name]
    Path(name).write_bytes(content)
    Path("good.cbor").write_bytes(GOOD)
    said = f"nitroctl: error: {name}: the input is {what} [evidence.unreadable]\nnitroctl: hint: {hint}\n"
    for verb in (
        ["show", name],
        ["verify", name, *MINE, ONLY],
        ["extract", name, "payload", "--output", "payload.cbor"],
        ["diff", "good.cbor", name],
    ):
        assert cli("attest", *verb) == Ran(3, "", said), verb
    standard = cli("attest", "verify", "-", *MINE, ONLY, stdin=content)
    assert standard == Ran(3, "", said.replace(name, "standard input"))
    many = cli("attest", "verify", name, "good.cbor", *MINE, ONLY)
    assert many.status == 3
    assert many.stdout.splitlines()[0] == f"– {name.ljust(16)}  not read: the input is {what} [evidence.unreadable]"
    survey = cli("attest", "survey", name, "--root", "root.pem")
    assert (survey.status, f"{name}: the input is {what}" in survey.stdout) == (3, True)


def test_a_sparse_file_called_an_archive_is_given_up_and_the_rest_is_judged(cli: Cli) -> None:
    with Path("a.tar").open("wb") as archive:
        archive.truncate(1 << 40)
    Path("good.cbor").write_bytes(GOOD)
    ran = cli("attest", "verify", "a.tar", "good.cbor", *MINE, ONLY)
    assert ran.status == 3
    why = "the archive cannot be read on: more than 16777216 zeros follow its end mark; what follows them is not read"
    assert ran.stdout.splitlines()[:2] == [
        f"– a.tar             not read: {why} [evidence.unreadable]",
        f"✓ good.cbor         {SAID}  not appraised",
    ]


def test_some_cannot_be_read_and_none_is_refused(cli: Cli) -> None:
    Path("a").write_bytes(GOOD)
    ran = cli("attest", "verify", "a", "missing", *MINE, ONLY)
    assert ran == Ran(
        3,
        f"✓ a                 {SAID}  not appraised\n"
        "– missing           not read: cannot read: no such file or directory [file.unreadable]\n"
        "\n"
        "! 1 of 2 documents is authentic, not appraised, each at its own time (document time); "
        "1 could not be read\n"
        "\n"
        "Under the root\n"
        f"  1 document  {UNDER}\n"
        "\n"
        "Not read because\n"
        "  1  A file could not be opened or read. [file.unreadable]\n",
        "nitroctl: error: 1 of 2 documents could not be read [attest.unread]\n"
        "nitroctl: hint: the answer about each says why; name only what holds documents\n",
    )
    summary = lines(cli("attest", "verify", "a", "missing", *MINE, ONLY, "--json"))[-1]
    assert (summary["status"], summary["errors"][0]["code"]) == ("error", "attest.unread")


def test_a_directory_without_documents_is_not_a_yes(cli: Cli) -> None:
    Path("nothing/at/all").mkdir(parents=True)
    ran = cli("attest", "verify", "nothing", *MINE, ONLY)
    assert ran.status == 3
    assert ran.stdout.startswith("– nothing           not read: there is no document: the directory has no files [")
    assert "! 0 of 1 document is authentic" in ran.stdout


def test_what_only_time_refuses_is_said_once(cli: Cli) -> None:
    dump("dump.jsonl", 3, GOOD)
    ran = cli("attest", "verify", "dump.jsonl", "--root", "root.pem", "--at", "2027-01-01T00:00:00Z", ONLY)
    assert ran.status == 1
    assert (
        "✗ 0 of 3 documents are authentic, not appraised, as of 2027-01-01T00:00:00Z (as asked); 3 refused\n"
        in ran.stdout
    )
    assert ran.stderr == (
        "nitroctl: note: 3 documents: nothing but time stands against it: its certificates last three hours. Judge it "
        "with --at document; that proves that it was signed then, not that it is fresh\n"
    )
    quiet = cli("attest", "verify", "dump.jsonl", "--root", "root.pem", "--at", "2027-01-01T00:00:00Z", ONLY, "--quiet")
    assert quiet == Ran(1, ran.stdout, "")


LISTED = "a revocation list that was given names a certificate of the chain, and does not count as its issuer's word"
UNUSED = "a revocation list that was given could not be used"


def revocation_list(signer: int, *revoked: int, begin: timedelta = timedelta(0)) -> bytes:
    """Return a list by the root that names these links of the chain, signed by that link."""
    links = good_chain()
    builder = x509.CertificateRevocationListBuilder().issuer_name(links[0].certificate.subject)
    builder = builder.last_update(AT + begin).next_update(AT + begin + timedelta(hours=1))
    for number in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(links[number].certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(AT).build())
    return builder.sign(links[signer].key, hashes.SHA384()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("given", "note"),
    [
        (lambda: revocation_list(2, 1), LISTED),
        (lambda: revocation_list(0, begin=timedelta(hours=-3)), UNUSED),
        (lambda: revocation_list(0), None),
    ],
    ids=["not signed", "stale", "used"],
)
def test_what_a_list_given_for_all_does_not_settle_is_said_once(
    cli: Cli, given: Callable[[], bytes], note: str | None
) -> None:
    for name in ("a.cbor", "b.cbor"):
        Path(name).write_bytes(GOOD)
    Path("given.crl").write_bytes(given())
    command = ("attest", "verify", "a.cbor", "b.cbor", *MINE, ONLY, "--crl", "given.crl")
    whole = f"2 documents: {note}; --json has why [chain.revocation]"
    ran = cli(*command)
    assert (ran.status, ran.stderr) == (0, f"nitroctl: note: {whole}\n" if note else "")
    ran = cli(*command, "--json")
    assert (ran.status, lines(ran)[-1].get("notes", [])) == (0, [whole] if note else [])
    ran = cli(*command, "--format", "github")
    assert (ran.status, ran.stdout.count("::warning file=")) == (0, 2 if note else 0)


def test_a_document_under_a_revoked_authority_is_refused_by_a_line(cli: Cli) -> None:
    Path("a.cbor").write_bytes(GOOD)
    Path("given.crl").write_bytes(revocation_list(0, 1))
    ran = cli("attest", "verify", "a.cbor", "a.cbor", *MINE, ONLY, "--crl", "given.crl")
    assert ran.status == 1
    then = "2026-11-20T10:00:00Z"
    assert ran.stdout.splitlines()[0] == (
        f"✗ a.cbor            not authentic: the regional CA (certificate 2 of 5) is revoked since {then}, "
        f"says its issuer's list of {then} [chain.revocation]"
    )


@pytest.mark.usefixtures("heap")
def test_colour_changes_nothing_but_colour(cli: Cli) -> None:
    arguments = ["attest", "verify", "heap", *MINE, *IMAGE]
    plain = cli(*arguments).stdout
    coloured = cli(*arguments, "--color", "always").stdout
    assert coloured != plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_reasons_beyond_ten_are_summed_up(cli: Cli) -> None:
    """Ten are shown to people, and JSON has all."""
    from nitroctl.standin.lab import CASES

    Path("heap").mkdir()
    for case in CASES[::5]:
        Path("heap", case.name).write_bytes(case.build())
    ran = cli("attest", "verify", "heap", *MINE, ONLY)
    summary = lines(cli("attest", "verify", "heap", *MINE, ONLY, "--json"))[-1]["data"]
    left_out = len(summary["refusals"]) - 10
    assert left_out > 0
    assert ran.stdout.endswith(f"     and {left_out} more reasons; --json has them all\n")
    assert sum(reason["documents"] for reason in summary["refusals"]) == summary["refused"]


# -- where documents come from


def test_standard_input_with_several_lines_is_many(cli: Cli) -> None:
    several = f'"{GOOD.hex()}"\n"{TAMPERED.hex()}"\n'.encode()
    found = lines(cli("attest", "verify", "-", *MINE, ONLY, "--json", stdin=several))
    assert [(line["data"].get("file"), line["status"]) for line in found] == [
        ("-:1", "ok"),
        ("-:2", "refused"),
        (None, "refused"),
    ]
    one = cli("attest", "verify", "-", *MINE, ONLY, "--json", stdin=f'"{GOOD.hex()}"\n'.encode())
    assert one.json["schema"] == "nitroctl/attest.verify/1"


def test_one_document_is_answered_by_a_line_when_processes_are_asked_for(cli: Cli) -> None:
    Path("a").write_bytes(GOOD)
    assert len(lines(cli("attest", "verify", "a", *MINE, ONLY, "--json", "--jobs", "1"))) == 2


@pytest.mark.parametrize("jobs", ["-1", "257"])
def test_jobs_have_bounds(cli: Cli, jobs: str) -> None:
    assert cli("attest", "verify", ".", *MINE, ONLY, f"--jobs={jobs}") == Ran(
        2, "", f"nitroctl: error: --jobs: not from 0 to 256: {jobs} [usage.invalid]\n"
    )


def test_standard_input_twice(cli: Cli) -> None:
    assert cli("attest", "verify", "-", "-", *MINE, ONLY) == Ran(
        2, "", "nitroctl: error: standard input (-) is named twice, and can be read once [usage.invalid]\n"
    )


@pytest.mark.parametrize("form", ["ear", "vsa"])
def test_forms_for_one_document(cli: Cli, form: str) -> None:
    assert cli("attest", "verify", ".", *MINE, ONLY, "--format", form) == Ran(
        2,
        "",
        f"nitroctl: error: --format {form} is for one document, and these are several [usage.invalid]\n"
        "nitroctl: hint: use --json, which prints a line for each document\n"
        "nitroctl: hint: or verify them one by one\n",
    )


@pytest.mark.parametrize("jobs", EVERY_JOBS)
def test_forms_for_ci_are_one_answer_about_all(cli: Cli, jobs: list[str]) -> None:
    Path("heap").mkdir()
    for name, content in (("a-bad", TAMPERED), ("b-good", GOOD), ("c\n::error::x", b"junk!")):
        Path("heap", name).write_bytes(content)
    asked = ["attest", "verify", "heap", *MINE, ONLY, *jobs, "--format"]
    github, junit, sarif = (cli(*asked, form) for form in ("github", "junit", "sarif"))
    assert [ran.status for ran in (github, junit, sarif)] == [1, 1, 1]
    assert [line.partition("::not so")[0] for line in github.stdout.splitlines()] == [
        "::error file=heap/a-bad,title=cose.signature",
        f"::error file=heap/c\\n%3A%3Aerror%3A%3Ax,title=evidence.unreadable::{UNREADABLE}",
        "nitroctl attest.verify.many/1: refused (1 ok, 1 refused, 1 not read)",
    ]
    (suite,) = ET.fromstring(junit.stdout)
    assert suite.attrib == {
        "name": "nitroctl attest.verify.many/1",
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }
    assert [(case.get("name"), [(part.tag, part.get("type")) for part in case]) for case in suite] == [
        ("heap/a-bad", [("failure", "cose.signature")]),
        ("heap/b-good", []),
        ("heap/c\\n::error::x", [("error", "evidence.unreadable")]),
    ]
    (run,) = json.loads(sarif.stdout)["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["cose.signature", "evidence.unreadable"]
    assert [
        (found["ruleId"], found["level"], found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        for found in run["results"]
    ] == [
        ("cose.signature", "error", "heap/a-bad"),
        ("evidence.unreadable", "error", "heap/c%0A%3A%3Aerror%3A%3Ax"),
    ]


def test_what_cannot_be_read_is_no_yes_for_ci(cli: Cli) -> None:
    Path("good").write_bytes(GOOD)
    Path("junk").write_bytes(b"junk!")
    ran = cli("attest", "verify", "good", "junk", *MINE, ONLY, "--format", "github")
    assert (ran.status, ran.stdout.splitlines()[-1]) == (
        3,
        "nitroctl attest.verify.many/1: not read (1 ok, 0 refused, 1 not read)",
    )
    ran = cli("attest", "verify", "good", "good", *MINE, ONLY, "--format", "github")
    assert ran == Ran(0, "nitroctl attest.verify.many/1: ok (2 ok, 0 refused, 0 not read)\n", ran.stderr)


# -- processes


def test_answers_come_in_the_order_of_the_documents(cli: Cli) -> None:
    dump("dump.jsonl", 300, GOOD, TAMPERED, b"\x84", OTHER_IMAGE, b"")
    arguments = ["attest", "verify", "dump.jsonl", *MINE, *IMAGE, "--json"]
    one, two, three = (cli(*arguments, "--jobs", jobs) for jobs in ("1", "2", "3"))
    assert one == two == three
    found = lines(one)
    assert [line["data"]["file"] for line in found[:-1]] == [f"dump.jsonl:{number}" for number in range(1, 301)]
    assert [line["status"] for line in found[:5]] == ["ok", "refused", "refused", "refused", "error"]


@pytest.mark.usefixtures("heap")
def test_new_processes_answer_as_copies_do(cli: Cli, here: Path) -> None:
    """Where a process cannot be copied safely everything is handed over."""
    script = (
        "import multiprocessing, sys\n"
        "from nitroctl.cli import attest_pool, run\n"
        "attest_pool._context = lambda: multiprocessing.get_context('spawn')\n"
        "if __name__ == '__main__': sys.exit(run(sys.argv[1:]))\n"
    )
    Path("spawning.py").write_text(script)
    for form in ([], ["--json"]):
        arguments = ["attest", "verify", "heap", *MINE, *IMAGE, *form]
        done = subprocess.run(
            [sys.executable, "spawning.py", *arguments, "--jobs", "2"],
            capture_output=True,
            check=False,
            cwd=here,
            env={**os.environ},  # as Python has it: readline changes it behind our back
        )
        ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert ran == cli.program(*arguments, "--jobs", "1")


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (
            lambda *_: os.kill(os.getpid(), signal.SIGKILL),
            "a process that judged documents ended before it gave its answers",
        ),
        (lambda *_: os._exit(0), "a process that judged documents ended before it gave its answers"),
        (lambda *_: 1 / 0, "division by zero"),
    ],
    ids=["killed", "exit", "bug"],
)
def test_a_process_that_dies_is_no_verdict(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, happens: Callable[..., object], said: str
) -> None:
    dump("dump.jsonl", 100, GOOD)
    monkeypatch.setattr("nitroctl.cli.attest_line.Clerk.answer", happens)
    ran = cli("attest", "verify", "dump.jsonl", *MINE, ONLY, "--json", "--jobs", "2")
    assert ran.status == 70
    assert [json.loads(ran.stdout)[member] for member in ("schema", "status")] == ["nitroctl/error/1", "error"]
    assert said in ran.stderr
    assert "[internal.bug]" in ran.stderr


@contextlib.contextmanager
def verifying(*options: str) -> Iterator[tuple["subprocess.Popen[bytes]", list[int]]]:
    """Run over standard input that stays open, in a process group of its own, until answers come; give its children."""
    argv = program("attest", "verify", "-", *MINE, ONLY, "--jobs", "2", *options)
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b"".join(b'"%s"\n' % GOOD.hex().encode() for _ in range(450)))  # more than are under way
        running.stdin.flush()
        assert running.stdout.readline().startswith("✓ -:1 ".encode())
        try:
            yield running, children(running.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pids: list[int]) -> bool:
    """Whether the processes end; waits, because being killed takes a moment."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 143, "terminated")],
)
@pytest.mark.parametrize("whole_group", [False, True], ids=["alone", "with its group"])
def test_an_interrupt_leaves_no_process(number: signal.Signals, status: int, said: str, *, whole_group: bool) -> None:
    with verifying() as (running, workers):
        assert len(workers) == 2
        if whole_group and number is signal.SIGINT:  # as a terminal does it
            os.killpg(running.pid, number)
        else:
            running.send_signal(number)
        _, stderr = running.communicate(timeout=60)
        assert (running.returncode, stderr.decode()) == (status, f"nitroctl: note: {said}\n")
        assert gone(workers)


def test_no_process_outlives_one_that_is_killed() -> None:
    with verifying() as (running, workers):
        assert len(workers) == 2
        running.kill()
        assert gone(workers)


def test_a_reader_that_goes_away_ends_it() -> None:
    with verifying() as (running, workers):
        assert running.stdout
        assert running.stdin
        running.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            while running.poll() is None:
                running.stdin.write(b'"%s"\n' % GOOD.hex().encode())
        with contextlib.suppress(BrokenPipeError):
            running.stdin.close()
        assert running.wait(60) == 141
        assert gone(workers)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full")
def test_a_full_disk_is_said() -> None:
    dump("dump.jsonl", 100, GOOD)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            program("attest", "verify", "dump.jsonl", *MINE, ONLY, "--jobs", "2"),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr.decode()) == (
        3,
        "nitroctl: error: standard output: cannot write: no space left on device [file.unwritable]\n",
    )


def test_progress_is_for_who_watches_standard_error_and_not_the_lines() -> None:
    dump("dump.jsonl", 3, GOOD)
    argv = program("attest", "verify", "dump.jsonl", *MINE, ONLY)
    ours, theirs = pty.openpty()
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=theirs, check=False, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert shown == "\r\x1b[Kverifying, 0 s: 1 document, 0 refused\r\x1b[K"
