"""``nitroctl attest survey``: whole outputs on built heaps, and the real documents with their counts."""

import dataclasses
import hashlib
import io
import json
import os
import re
import tarfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nitroctl import pcr
from tests.conftest import Cli, Ran, vectors
from tests.heaps import AT, IMAGE, ISSUED, ONE, OTHER, Wanted, accepted, doubled, root

MINE = ["--root", "root.pem"]
FIRST, SECOND = Wanted(nonce=b"one"), Wanted(nonce=b"two", at=AT + timedelta(minutes=1))
THIRD = Wanted(nonce=b"three", instance=OTHER, enclave=2)
DEBUG = dataclasses.replace(THIRD, pcrs=dict.fromkeys((0, 1, 2), pcr.ZERO))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with an empty heap."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: AT.replace(microsecond=0) + timedelta(days=1))
    (tmp_path / "heap").mkdir()
    (tmp_path / "root.pem").write_bytes(root().pem)
    return tmp_path


def fill(**documents: Wanted | bytes) -> None:
    for name, wanted in documents.items():
        Path(f"heap/{name}.cbor").write_bytes(wanted if isinstance(wanted, bytes) else wanted.document())


def record(status: str) -> None:
    """Write a ledger that records the image of these heaps."""
    from nitroctl.records import new_entry
    from nitroctl.records import record as write

    entry = new_entry(
        component="signer", environment="prod", version="1.4.2", pcrs=IMAGE, pin=(0, 1, 2), recorded_at=AT
    )
    write("measurements.json", entry)
    if status == "revoked":
        ledger = json.loads(Path("measurements.json").read_text())
        ledger["entries"][0] |= {"status": "revoked", "revoked_at": "2026-11-21T00:00:00Z"}
        Path("measurements.json").write_text(json.dumps(ledger))


EACH = "judged each as of its own time (document time)"
ROOT = f"{accepted().name}, SHA-256 {accepted().fingerprint}"


def summary(count: int, last: str, *, debug: str = "none", enclaves: int = 2, images: int = 1) -> str:
    return (
        f"authentic   {count}: {count} of enclaves, 0 of NitroTPMs\n"
        "from        2026-11-20T10:00:00.250Z\n"
        f"to          {last}\n"
        f"debug mode  {debug}\n"
        f"enclaves    {enclaves}\n"
        f"instances   {enclaves}, with those of NitroTPMs\n"
        f"images      {images}, not counting debug mode, which attests none\n"
        f"root        {ROOT}\n"
    )


NO_RECORDS = "records     none: images have no names without --records\n"
CALM = f"""
Images, by PCR0
  3 documents, 2 enclaves  {"10" * 48}

Kernels and boot ramdisks, by PCR1
  3 documents, 2 enclaves  {"11" * 48}

Roles, by PCR3
  3 documents, 2 enclaves  zero: the parent has no role

Signers, by PCR8
  3 documents, 2 enclaves  zero: not signed, or debug mode

Regions
documents  enclaves  first       last        region     partition
3          2         2026-11-20  2026-11-20  eu-west-1  not AWS's

Instances
documents  enclaves  first       last        instance             region
2          1         2026-11-20  2026-11-20  i-0123456789abcdef0  eu-west-1
1          1         2026-11-20  2026-11-20  i-0fedcba9876543210  eu-west-1

Enclaves and NitroTPMs
documents  leaves  launched, by its id       module id
2          1       2026-11-20T09:50:00.250Z  {FIRST.module_id}
1          1       2026-11-20T09:50:00.250Z  {THIRD.module_id}
"""


# -- whole outputs


def test_a_calm_heap(cli: Cli) -> None:
    fill(a=FIRST, b=SECOND, c=THIRD)
    assert cli("attest", "survey", "heap", *MINE) == Ran(
        0,
        f"✓ 3 documents, {EACH}: 3 authentic, 0 refused; no anomaly\n"
        f"{summary(3, '2026-11-20T10:01:00.250Z')}{NO_RECORDS}{CALM}",
        "",
    )


def test_a_calm_heap_passes_the_check(cli: Cli) -> None:
    fill(a=FIRST, b=SECOND, c=THIRD)
    assert cli("attest", "survey", "heap", *MINE, "--check").status == 0


ANOMALY = f"""
! no enclave runs in debug mode
  PCR0, PCR1 or PCR2 is zero. It may be a trial, or a service whose console the parent can read; it does not say which image ran, wanted or not, because debug mode zeroes the image's registers.
  [survey.debug]

Debug mode
  found  PCR0, PCR1 or PCR2 is zero
  in     {DEBUG.module_id}
         heap/b.cbor, 2026-11-20T10:00:00.250Z

Images, by PCR0
  1 document, 1 enclave  {"10" * 48}
  1 document, 1 enclave  debug mode, which attests no image
"""  # noqa: E501  (lines of an output)


def test_an_anomaly_is_found_and_the_answer_is_not_no(cli: Cli) -> None:
    fill(a=FIRST, b=DEBUG)
    ran = cli("attest", "survey", "heap", *MINE)
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith(
        f"! 2 documents, {EACH}: 2 authentic, 0 refused; 1 kind of anomaly\n"
        f"{summary(2, '2026-11-20T10:00:00.250Z', debug='1 of 2')}{NO_RECORDS}{ANOMALY}"
    )


def test_an_anomaly_is_a_no_when_asked_to_check(cli: Cli) -> None:
    fill(a=FIRST, b=DEBUG)
    ran = cli("attest", "survey", "heap", *MINE, "--check")
    assert (ran.status, ran.stderr) == (1, "")
    assert ran.stdout.startswith(f"✗ 2 documents, {EACH}: 2 authentic, 0 refused; 1 kind of anomaly\n")
    assert "\n✗ no enclave runs in debug mode\n" in ran.stdout


def test_refused_documents_stand_apart(cli: Cli) -> None:
    fill(a=FIRST, b=SECOND, c=THIRD, cut=FIRST.document()[:-5])
    ran = cli("attest", "survey", "heap", *MINE)
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == (
        f"! 4 documents, {EACH}: 3 authentic, 1 refused; no anomaly\n"
        f"{summary(3, '2026-11-20T10:01:00.250Z')}{NO_RECORDS}\n"
        "! every document is authentic\n"
        "  1 document refused, and of no account in the rest\n"
        "  fix: nitroctl attest verify FILE --at document --authenticity-only says why\n"
        "  [survey.refused]\n"
        f"{CALM}\n"
        "Refused, and of no account in the above\n"
        "document       check          reason\n"
        f"heap/cut.cbor  cbor.complete  byte {len(FIRST.document()) - 98}: a string of 96 bytes where 91 are left\n"
    )


def test_a_refused_document_fails_the_check(cli: Cli) -> None:
    fill(a=FIRST, cut=FIRST.document()[:-5])
    assert cli("attest", "survey", "heap", *MINE, "--check").status == 1


def test_without_the_root_everything_is_refused_and_nothing_is_said_of_it(cli: Cli) -> None:
    fill(a=FIRST, b=DEBUG)
    ran = cli("attest", "survey", "heap")
    assert (ran.status, ran.stderr) == (0, "")
    reason = f"the bundle begins with {accepted().name}, which is not an accepted root"
    assert ran.stdout == (
        f"! 2 documents, {EACH}: 0 authentic, 2 refused; no anomaly\n\n"
        "! every document is authentic\n"
        "  2 documents refused, and of no account in the rest\n"
        "  fix: nitroctl attest verify FILE --at document --authenticity-only says why\n"
        "  [survey.refused]\n\n"
        "Refused, and of no account in the above\n"
        "document     check              reason\n"
        f"heap/a.cbor  chain.root-pinned  {reason}\n"
        f"heap/b.cbor  chain.root-pinned  {reason}\n"
    )


# -- inputs that cannot be read


REASON = "heap/x.txt: the text is not base64, hexadecimal, PEM or JSON"
UNREAD = f"\nNot read\n{'input'.ljust(len(REASON))}  code\n{REASON}  evidence.unreadable\n"


def test_what_cannot_be_read_is_trouble(cli: Cli) -> None:
    fill(a=FIRST, b=SECOND, c=THIRD)
    Path("heap/x.txt").write_text("no document!")
    ran = cli("attest", "survey", "heap", *MINE)
    assert ran == Ran(
        3,
        f"! 3 documents, {EACH}: 3 authentic, 0 refused, 1 not read; no anomaly\n"
        f"{summary(3, '2026-11-20T10:01:00.250Z')}{NO_RECORDS}{CALM}{UNREAD}",
        "nitroctl: error: 1 of 4 inputs could not be read [survey.unread]\n"
        "nitroctl: hint: the list of them says why; name only what holds documents\n",
    )


def test_a_no_is_not_hidden_by_what_cannot_be_read(cli: Cli) -> None:
    fill(a=DEBUG)
    Path("heap/x.txt").write_text("no document!")
    ran = cli("attest", "survey", "heap", *MINE, "--check")
    assert (ran.status, ran.stderr) == (
        1,
        "nitroctl: note: 1 of 2 inputs could not be read; of what cannot be read nothing is said\n",
    )


def test_a_check_is_no_yes_when_something_cannot_be_read(cli: Cli) -> None:
    fill(a=FIRST)
    os.mkfifo("heap/pipe")
    assert cli("attest", "survey", "heap", *MINE, "--check").status == 3


@pytest.mark.parametrize(
    ("path", "code"),
    [("absent", "file.unreadable"), ("heap", "evidence.empty"), ("none*", "file.unreadable")],
)
def test_nothing_to_survey_is_no_answer(cli: Cli, path: str, code: str) -> None:
    document = cli("attest", "survey", path, "--check", "--json").json
    assert document["exit_code"] == 3
    assert [one["code"] for one in document["data"]["unread"]] == [code]
    assert document["data"]["counts"]["documents"] == 0
    assert document["data"]["span"] is None


def test_standard_input_twice_is_a_wrong_invocation(cli: Cli) -> None:
    ran = cli("attest", "survey", "-", "-")
    assert (ran.status, ran.stdout) == (2, "")


def test_documents_come_from_lines_and_archives_and_standard_input(cli: Cli) -> None:
    Path("heap/dump.jsonl").write_text(f'"{FIRST.document().hex()}"\n"{SECOND.document().hex()}"\n')
    content = THIRD.document()
    with tarfile.open("heap/evidence.tar", "w") as archive:
        member = tarfile.TarInfo("a.cbor")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    ran = cli("attest", "survey", "heap", "-", *MINE, "--json", stdin=DEBUG.document())
    data = ran.json["data"]
    assert (ran.status, data["counts"]["authentic"]) == (0, 4)
    assert [one["documents"][0]["file"] for one in data["anomalies"] if one["id"] == "survey.debug"] == ["-"]


# -- the instant


def test_at_now_what_has_expired_is_refused(cli: Cli) -> None:
    fill(a=FIRST)
    ran = cli("attest", "survey", "heap", *MINE, "--at", "now", "--json")
    data = ran.json["data"]
    assert (data["at"], data["at_chosen_by"]) == ("2026-11-21T10:00:00Z", "now")
    assert [(one["file"], one["check"]) for one in data["refused"]] == [("heap/a.cbor", "chain.unexpired")]
    assert data["answer"] == "1 document, judged as of 2026-11-21T10:00:00Z (now): 0 authentic, 1 refused; no anomaly"


def test_at_an_instant(cli: Cli) -> None:
    fill(a=FIRST)
    data = cli("attest", "survey", "heap", *MINE, "--at", "2026-11-20T12:00:00Z", "--json").json["data"]
    assert (data["at"], data["at_chosen_by"], data["counts"]["authentic"]) == ("2026-11-20T12:00:00Z", "given", 1)


# -- every anomaly, one change each


LATE = Wanted(nonce=b"late", at=ISSUED + timedelta(hours=2, seconds=1))
RENEWED = Wanted(nonce=b"four", issued=ISSUED + timedelta(hours=2), at=AT + timedelta(hours=2))


@pytest.mark.parametrize(
    ("anomaly", "changed", "names"),
    [
        ("survey.nonce-reused", dataclasses.replace(THIRD, nonce=b"one"), ["a", "c"]),
        ("survey.leaf-reused", dataclasses.replace(THIRD, instance=ONE, leaf_of=FIRST.module_id), ["a", "c", "b"]),
        ("survey.clock-jump", dataclasses.replace(SECOND, nonce=b"x", at=AT - timedelta(seconds=2)), ["c"]),
        ("survey.pcr4", dataclasses.replace(THIRD, pcrs={4: pcr.for_instance(ONE)}), ["c"]),
        (
            "survey.module-changed-image",
            dataclasses.replace(FIRST, nonce=b"x", pcrs={0: b"\xff" * 48}),
            ["a", "c", "b"],
        ),
        (
            "survey.instance-changed-region",
            dataclasses.replace(THIRD, instance=ONE, region="us-east-1"),
            ["a", "c", "b"],
        ),
        ("survey.debug", DEBUG, ["c"]),
    ],
)
def test_each_anomaly_is_found_alone(cli: Cli, anomaly: str, changed: Wanted, names: list[str]) -> None:
    fill(a=FIRST, b=SECOND, c=changed)
    data = cli("attest", "survey", "heap", *MINE, "--json").json["data"]
    assert [(one["id"], [seen["file"] for seen in one["documents"]]) for one in data["anomalies"]] == [
        (anomaly, [f"heap/{name}.cbor" for name in names])
    ]
    outcomes = {check["id"]: check["outcome"] for check in data["report"]["checks"]}
    assert [name for name, outcome in outcomes.items() if outcome == "warn"] == [anomaly]


def test_a_document_under_an_overtaken_leaf(cli: Cli) -> None:
    fill(a=FIRST, b=LATE, c=RENEWED)
    data = cli("attest", "survey", "heap", *MINE, "--json").json["data"]
    assert [one["id"] for one in data["anomalies"]] == ["survey.clock-jump"]


def test_a_copy_under_a_doubled_signature(cli: Cli) -> None:
    document = FIRST.document()
    fill(a=document, b=doubled(document))
    data = cli("attest", "survey", "heap", *MINE, "--json").json["data"]
    (found,) = data["anomalies"]
    assert (found["id"], data["counts"]["authentic"], data["counts"]["different"]) == ("survey.duplicate", 2, 1)
    assert "its double r ‖ n − s" in found["detail"]


# -- records


def test_records_name_the_images(cli: Cli) -> None:
    fill(a=FIRST, b=SECOND, c=THIRD)
    record("candidate")
    ran = cli("attest", "survey", "heap", *MINE, "--records", "measurements.json")
    named = CALM.replace(f"{'10' * 48}\n", f"{'10' * 48}\n{' ' * 27}signer-1.4.2@prod (candidate)\n")
    assert ran == Ran(
        0,
        f"✓ 3 documents, {EACH}: 3 authentic, 0 refused; no anomaly\n"
        f"{summary(3, '2026-11-20T10:01:00.250Z')}records     measurements.json\n{named}",
        "",
    )
    assert cli("attest", "survey", "heap", *MINE).stdout == ran.stdout  # the setting's default, where it is there


def test_a_revoked_record(cli: Cli) -> None:
    fill(a=FIRST)
    record("revoked")
    (found,) = cli("attest", "survey", "heap", *MINE, "--json").json["data"]["anomalies"]
    assert (found["id"], found["subject"]) == (
        "survey.revoked-record",
        "signer-1.4.2@prod, revoked at 2026-11-21T00:00:00Z",
    )


def test_an_unknown_image(cli: Cli) -> None:
    fill(a=dataclasses.replace(FIRST, pcrs={0: b"\xee" * 48}))
    record("candidate")
    data = cli("attest", "survey", "heap", *MINE, "--json").json["data"]
    assert [one["id"] for one in data["anomalies"]] == ["survey.unknown-image"]
    assert data["images"][0]["records"] == []


def test_records_that_are_not_there(cli: Cli) -> None:
    fill(a=FIRST)
    ran = cli("attest", "survey", "heap", *MINE, "--records", "absent.json")
    assert (ran.status, ran.stdout) == (3, "")
    assert "[records.missing]" in ran.stderr


# -- the report


def test_the_report_is_written_and_written_again(cli: Cli) -> None:
    fill(a=FIRST, b=DEBUG)
    ran = cli("attest", "survey", "heap", *MINE, "--html", "survey.html")
    assert ran.status == 0
    assert "report      survey.html\n" in ran.stdout
    first = Path("survey.html").read_bytes()
    assert first.startswith(b'<!DOCTYPE html>\n<!-- nitroctl attest survey -->\n<html lang="en">')
    assert cli("attest", "survey", "heap", *MINE, "--html", "survey.html").status == 0
    assert Path("survey.html").read_bytes() == first


def test_the_report_never_replaces_evidence(cli: Cli) -> None:
    fill(a=FIRST)
    before = Path("heap/a.cbor").read_bytes()
    assert cli("attest", "survey", "heap", *MINE, "--html", "heap/a.cbor") == Ran(
        3,
        "",
        "nitroctl: error: heap/a.cbor: not written: what stands there is not a survey's report [attest.survey-file]\n"
        "nitroctl: hint: name another file, or remove this one\n",
    )
    assert Path("heap/a.cbor").read_bytes() == before


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("-", 2, "usage.invalid"),
        ("heap", 3, "file.unreadable"),
        ("pipe", 3, "file.not-regular"),
        ("absent/survey.html", 3, "file.unwritable"),
    ],
)
def test_where_no_report_can_be_written(cli: Cli, path: str, status: int, code: str) -> None:
    fill(a=FIRST)
    os.mkfifo("pipe")
    ran = cli("attest", "survey", "heap", *MINE, "--html", path)
    assert (ran.status, ran.stdout) == (status, "")
    assert f"[{code}]" in ran.stderr


def test_hostile_names_stay_text_everywhere(cli: Cli) -> None:
    name = "<img src=x onerror=alert(1)>\x1b[31m\u202e::error::"
    Path(f"heap/{name}").write_bytes(DEBUG.document())
    Path(f"heap/{name}2").write_bytes(DEBUG.document()[:-5])
    shown = cli("attest", "survey", "heap", *MINE, "--html", "survey.html")
    page = Path("survey.html").read_bytes()
    for raw in (b"\x1b", "\u202e".encode()):
        assert raw not in shown.stdout.encode()
        assert raw not in page
    assert b"<img" not in page
    for form in ("github", "sarif", "junit"):
        assert "\x1b" not in cli("attest", "survey", "heap", *MINE, "--format", form).stdout


def test_a_name_that_is_not_utf_8(cli: Cli) -> None:
    Path(os.fsdecode(b"heap/\xff.cbor")).write_bytes(DEBUG.document())
    ran = cli("attest", "survey", "heap", *MINE, "--html", "survey.html", "--json")
    assert ran.json["data"]["anomalies"][0]["documents"][0]["file"] == "heap/\udcff.cbor"
    assert b"heap/\\udcff.cbor" in Path("survey.html").read_bytes()
    assert "heap/\\udcff.cbor" in cli("attest", "survey", "heap", *MINE).stdout


# -- processes


@pytest.mark.parametrize(
    ("jobs", "form"),
    [
        ("2", []),
        ("2", ["--check", "--records", "measurements.json"]),
        ("2", ["--json"]),
        ("3", ["--format", "sarif"]),
        ("0", ["--json"]),
    ],
    ids=lambda value: " ".join(value) or "human" if isinstance(value, list) else value,
)
def test_several_processes_answer_as_one_does(cli: Cli, jobs: str, form: list[str]) -> None:
    """Refused documents, inputs that cannot be read and anomalies, in the order of the names."""
    many = {f"n{number:03}": dataclasses.replace(FIRST, nonce=bytes([number])) for number in range(70)}
    fill(a=FIRST, b=b"\x84", c=SECOND, d=b"", e=THIRD, f=FIRST, g=DEBUG, **many)
    record("revoked")
    Path("heap/h").symlink_to("..")
    alone = cli("attest", "survey", "heap", *MINE, *form, "--html", "survey.html")
    assert alone.stdout
    page = Path("survey.html").read_bytes()
    assert cli("attest", "survey", "heap", *MINE, *form, "--html", "survey.html", "--jobs", jobs) == alone
    assert Path("survey.html").read_bytes() == page


def test_the_real_documents_by_several_processes(cli: Cli) -> None:
    arguments = ["attest", "survey", str(vectors("attestation")), "--json"]
    assert cli(*arguments, "--jobs", "2") == cli(*arguments)


@pytest.mark.parametrize("jobs", ["-1", "257"])
def test_jobs_have_bounds(cli: Cli, jobs: str) -> None:
    assert cli("attest", "survey", "heap", *MINE, f"--jobs={jobs}") == Ran(
        2, "", f"nitroctl: error: --jobs: not from 0 to 256: {jobs} [usage.invalid]\n"
    )


def test_a_process_that_dies_is_no_survey(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(a=FIRST, b=SECOND)
    monkeypatch.setattr("nitroctl.cli.attest_survey_one.Surveyor.answer", lambda *_: os._exit(0))
    ran = cli("attest", "survey", "heap", *MINE, "--json", "--html", "survey.html", "--jobs", "2")
    assert (ran.status, ran.json["status"]) == (70, "error")
    assert "a process that judged documents ended before it gave its answers" in ran.stderr
    assert not Path("survey.html").exists()


def test_checks_for_ci(cli: Cli) -> None:
    fill(a=FIRST, b=DEBUG)
    ran = cli("attest", "survey", "heap", *MINE, "--check", "--format", "github")
    assert ran.status == 1
    assert ran.stdout.startswith("::error file=heap,title=survey.debug::")


# -- the real documents


@pytest.fixture
def real(cli: Cli) -> dict[str, Any]:
    ran = cli("attest", "survey", f"{vectors('attestation')}/*.cbor", "--json")
    assert (ran.status, ran.stderr) == (0, "")
    data: dict[str, Any] = ran.json["data"]
    return data


def test_the_real_documents_by_number(real: dict[str, Any]) -> None:
    assert real["counts"] == {
        "documents": 80,
        "authentic": 73,
        "refused": 7,
        "unread": 0,
        "different": 73,
        "enclave_documents": 71,
        "nitrotpm_documents": 2,
        "debug_documents": 44,
        "images": 28,
        "enclaves": 59,
        "instances": 45,
        "regions": 7,
        "leaf_certificates": 68,
        "anomalies": 34,
    }
    assert real["span"] == {"first": "2021-03-05T17:01:49.526Z", "last": "2026-05-03T22:09:47.185Z"}
    assert Counter({one["region"]: one["documents"] for one in real["regions"]}) == Counter(
        {
            "us-east-1": 41,
            "us-east-2": 16,
            "ap-south-1": 9,
            "eu-west-1": 4,
            "eu-west-3": 1,
            "ap-southeast-2": 1,
            "eu-central-1": 1,
        }
    )
    assert {(one["partition"], one["root"]) for one in real["regions"]} == {("aws", "AWS Nitro Enclaves Root G1")}
    assert [(one["PCR1"] or "")[:12] for one in real["kernels"]][:3] == ["", "bcdf05fefcca", "4b4d5b3661b3"]
    assert [one["documents"] for one in real["kernels"]][:3] == [44, 9, 5]
    assert [one["documents"] for one in real["roles"] if one["PCR3"] is None] == [30]
    assert [one["documents"] for one in real["signers"] if one["PCR8"] is None] == [68]


def test_every_group_counts_every_document_once(real: dict[str, Any]) -> None:
    for name in ("images", "regions", "instances", "enclaves"):
        assert sum(one["documents"] for one in real[name]) == 73, name
    for name in ("kernels", "roles", "signers"):
        assert sum(one["documents"] for one in real[name]) == 71, name


def test_what_stands_out_in_the_real_documents(real: dict[str, Any]) -> None:
    kinds = Counter(one["id"] for one in real["anomalies"])
    assert kinds == Counter({"survey.debug": 32, "survey.nonce-reused": 2})
    reused = [one for one in real["anomalies"] if one["id"] == "survey.nonce-reused"]
    nonces = (bytes(19) + b"\1", b"\1" * 1024)
    assert [(one["subject"], len(one["documents"])) for one in reused] == [
        (f"nonce with SHA-256 {hashlib.sha256(nonce).hexdigest()}", number)
        for nonce, number in zip(nonces, (16, 2), strict=True)
    ]


def test_what_is_refused_of_the_real_documents(real: dict[str, Any]) -> None:
    assert [Path(one["file"]).name.partition("-")[0] for one in real["refused"]] == ["bad"] * 7
    assert [one["check"] for one in real["refused"]].count("cose.signature") == 2


def test_the_report_of_the_real_documents(cli: Cli) -> None:
    heap = vectors("attestation")
    assert cli("attest", "survey", f"{heap}/*.cbor", "--html", "survey.html").status == 0
    page = Path("survey.html").read_text()
    assert page.count('class="row"') == 64  # an enclave has one for each episode
    assert len(re.findall('class="panel(?: wide)?"', page)) == 52
