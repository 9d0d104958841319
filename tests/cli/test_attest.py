"""``nitroctl attest``: whole outputs."""

import base64
import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.evidence import container, roots
from nitroctl.standin.lab_change import AT, NONCE, PCRS, Change, accepted, flip, make, root
from tests.conftest import Cli, Ran, vectors

GOOD = make()
DEBUG = make(
    Change(
        fields=lambda fields: [
            (k, {**PCRS, 0: pcr.ZERO, 1: pcr.ZERO, 2: pcr.ZERO} if k == "pcrs" else v) for k, v in fields
        ]
    )
)
TAMPERED = make(Change(after_signing=lambda payload: payload.replace(PCRS[0], flip(PCRS[0]))))
ROOT = accepted()[0]
IMAGE = [f"--pcr=PCR{index}={PCRS[index].hex()}" for index in (0, 1, 2)]
MINE = ["--root", "root.pem", "--at", "document"]
NO_NONCE = "nitroctl: note: it may be an old document played again: only --nonce shows that it answers this request\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with documents, at the time at which they were made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: AT.replace(microsecond=0))
    for name, content in {"good": GOOD, "debug": DEBUG, "tampered": TAMPERED, "cut": GOOD[:-5]}.items():
        (tmp_path / f"{name}.cbor").write_bytes(content)
    (tmp_path / "root.pem").write_bytes(root().pem)
    return tmp_path


def record(path: str = "measurements.json", **changes: Any) -> None:
    """Write a ledger with one entry, a candidate unless said otherwise."""
    from nitroctl.records import new_entry
    from nitroctl.records import record as write

    options = {"component": "signer", "environment": "prod", "version": "1.4.2", "pin": (0, 1, 2)} | changes
    pcrs = options.pop("pcrs", {index: PCRS[index] for index in (0, 1, 2)})
    write(path, new_entry(pcrs=pcrs, recorded_at=AT, **options))


def file_rows(name: str, content: bytes, width: int = 15) -> str:
    return (
        f"{'file'.ljust(width)}{name}, raw, {len(content)} bytes of CBOR\n"
        f"{'SHA-256'.ljust(width)}{hashlib.sha256(content).hexdigest()}\n"
    )


SAID = (
    "kind           enclave\n"
    "module id      i-0123456789abcdef0-enc019aa0b0c0d0e0f0\n"
    "region         eu-west-1\n"
    "document time  2026-11-20T10:00:00.250Z\n"
)
UNPROVEN = "\nWhat it says, unproven\n" + "".join(f"  {line}\n" for line in SAID.splitlines())
UNDER = f"authentic under {ROOT.name} (not an AWS root, accepted because --root names it)"
ROOT_ROW = f"root           {ROOT.name}, SHA-256 {ROOT.fingerprint}\n"


# -- verify: the answers


def test_authentic_and_acceptable(cli: Cli) -> None:
    assert cli("attest", "verify", "good.cbor", *MINE, *IMAGE, "--nonce", NONCE.hex()) == Ran(
        0,
        f"✓ {UNDER} and acceptable as of 2026-11-20T10:00:00.250Z (document time)\n"
        f"{file_rows('good.cbor', GOOD)}{SAID}{ROOT_ROW}"
        "compared with  --pcr\n\n"
        "62 of 65 checks hold. Not checked: revocation (AWS's text says not to), its date against the clock "
        "(--at now), the age (--max-age). --json has them all.\n",
        "",
    )


def test_without_a_nonce_it_says_what_is_not_proven(cli: Cli) -> None:
    ran = cli("attest", "verify", "good.cbor", *MINE, *IMAGE)
    assert (ran.status, ran.stderr) == (0, NO_NONCE)


def test_the_clock_is_asked_by_default(cli: Cli) -> None:
    ran = cli("attest", "verify", "good.cbor", "--root", "root.pem", *IMAGE, "--max-age", "5m")
    assert ran.status == 0
    assert ran.stdout.splitlines()[0] == f"✓ {UNDER} and acceptable as of 2026-11-20T10:00:00Z (now)"


def test_authentic_but_not_appraised(cli: Cli) -> None:
    ran = cli("attest", "verify", "good.cbor", *MINE, "--authenticity-only")
    assert ran == Ran(
        0,
        f"✓ {UNDER}, not appraised, as of 2026-11-20T10:00:00.250Z (document time)\n"
        f"{file_rows('good.cbor', GOOD)}{SAID}{ROOT_ROW}\n"
        "55 of 56 checks hold. Not checked: revocation (AWS's text says not to). --json has them all.\n",
        "",
    )


def test_another_root_is_refused_without_being_named(cli: Cli) -> None:
    reason = f"the bundle begins with {ROOT.name}, which is not an accepted root"
    known = " or ".join(known.fingerprint for known in roots.AWS_ROOTS)
    assert cli("attest", "verify", "good.cbor", "--at", "document", "--authenticity-only") == Ran(
        1,
        f"✗ refused: not authentic as of 2026-11-20T10:00:00.250Z (document time): {reason}\n"
        f"{file_rows('good.cbor', GOOD, 9)}{UNPROVEN}\n"
        "✗ the bundle begins with an accepted root\n"
        f"  {reason}\n"
        f"  expected  {known}\n"
        f"  actual    {ROOT.fingerprint}\n"
        "  fix: a root that is not AWS's is accepted only when --root names it\n"
        "  [chain.root-pinned]\n\n"
        "54 of 56 checks hold, 1 failed. Not checked: revocation (AWS's text says not to). "
        "--json has them all.\n",
        "",
    )


def test_a_named_root_stands_in_place_of_awss(cli: Cli) -> None:
    path = vectors("attestation", "real-tinfoilsh-20250110T034002-71bade19.cbor")
    ran = cli("attest", "verify", str(path), *MINE, "--authenticity-only")
    assert ran.status == 1
    assert "begins with AWS Nitro Enclaves Root G1, which is not among the roots given" in ran.stdout


def test_a_changed_document_is_refused(cli: Cli) -> None:
    reason = "the signature is not this document's: it was changed, or another key signed it"
    assert cli("attest", "verify", "tampered.cbor", *MINE, *IMAGE) == Ran(
        1,
        f"✗ refused: not authentic as of 2026-11-20T10:00:00.250Z (document time): {reason}\n"
        f"{file_rows('tampered.cbor', TAMPERED, 9)}{UNPROVEN}\n"
        "✗ the document is signed with the last certificate's key\n"
        f"  {reason}\n"
        "  [cose.signature]\n\n"
        "54 of 62 checks hold, 1 failed, 6 blocked by those that failed. Not checked: revocation (AWS's text "
        "says not to). --json has them all.\n",
        "",
    )


def test_a_debug_mode_enclave_is_refused(cli: Cli) -> None:
    record()
    ran = cli("attest", "verify", "debug.cbor", *MINE)
    assert ran.status == 1
    assert ran.stdout.splitlines()[0] == (
        f"✗ refused: {UNDER} as of 2026-11-20T10:00:00.250Z (document time), but not acceptable: PCR0, PCR1 and "
        "PCR2 are zero: the enclave runs in debug mode, so its console is open and no image is attested"
    )
    data = cli("attest", "verify", "debug.cbor", *MINE, "--json").json["data"]
    failed = [check["id"] for check in data["report"]["checks"] if check["outcome"] == "fail"]
    measured = ["measurement.match", "measurement.pcr0", "measurement.pcr1", "measurement.pcr2"]
    assert failed == ["appraisal.debug", *measured]
    assert (data["authentic"], data["acceptable"], data["document"]["debug_mode"]) == (True, False, True)


def test_debug_mode_can_be_allowed_for_tests(cli: Cli) -> None:
    zero = [f"--pcr=PCR{index}={pcr.ZERO.hex()}" for index in (0, 1, 2)]
    assert cli("attest", "verify", "debug.cbor", *MINE, *zero, "--allow-debug").status == 0
    ran = cli("attest", "verify", "debug.cbor", *MINE, *zero)
    assert (ran.status, ran.stdout) == (2, "")
    assert "PCR0 is expected to be zero, which every debug-mode enclave satisfies [attest.zero-reference]" in ran.stderr


def test_authenticity_alone_still_says_that_debug_mode_attests_no_image(cli: Cli) -> None:
    ran = cli("attest", "verify", "debug.cbor", *MINE, "--authenticity-only")
    assert ran.status == 0
    note = "the enclave runs in debug mode: the document does not say which image it is"
    assert ran.stderr == f"nitroctl: note: {note}\n"


def test_the_nearest_record_is_named(cli: Cli) -> None:
    record(pcrs={0: PCRS[0], 1: PCRS[1], 2: b"\x01" * 48})
    record("active.json", pcrs={0: PCRS[0], 1: PCRS[1], 2: b"\x01" * 48}, status=_status("active"))
    ran = cli("attest", "verify", "good.cbor", *MINE, "--records", "active.json")
    assert ran.status == 1
    assert ran.stdout.splitlines()[0] == (
        f"✗ refused: {UNDER} as of 2026-11-20T10:00:00.250Z (document time), but not acceptable: "
        "2 of 3 registers equal those of signer-1.4.2@prod; PCR2 differs"
    )
    ran = cli("attest", "verify", "good.cbor", *MINE)
    assert "equal those of signer-1.4.2@prod, which is a candidate; PCR2 differs" in ran.stdout


def _status(name: str) -> Any:
    from nitroctl.records import Status

    return Status(name)


def test_an_active_record_accepts_and_a_candidate_does_not(cli: Cli) -> None:
    record("candidate.json")
    record("active.json", status=_status("active"))
    data = cli("attest", "verify", "good.cbor", *MINE, "--records", "active.json", "--json").json["data"]
    assert (data["acceptable"], data["reference"]) == (
        True,
        {
            "label": "signer-1.4.2@prod",
            "matches": True,
            "status": "active",
            "equal": ["PCR0", "PCR1", "PCR2"],
            "differing": [],
        },
    )
    data = cli("attest", "verify", "good.cbor", *MINE, "--records", "candidate.json", "--json").json["data"]
    assert (data["acceptable"], data["reference"]["status"], data["reference"]["matches"]) == (
        False,
        "candidate",
        False,
    )
    assert data["answer"].endswith("all 3 registers equal those of signer-1.4.2@prod, which is a candidate")


def test_another_nonce_is_refused(cli: Cli) -> None:
    ran = cli("attest", "verify", "good.cbor", *MINE, *IMAGE, "--nonce", "00")
    assert ran.status == 1
    assert ran.stdout.splitlines()[0].endswith("but not acceptable: the document has another nonce")


def test_an_expired_document_says_what_a_responder_should_do(cli: Cli) -> None:
    options = ["--root", "root.pem", "--at", "2026-11-20T14:00:00+01:00", *IMAGE]
    assert cli("attest", "verify", "good.cbor", *options).status == 0
    ran = cli("attest", "verify", "good.cbor", "--root", "root.pem", "--at", "2026-11-20T13:00:01Z", *IMAGE)
    assert ran.status == 1
    assert ran.stdout.splitlines()[0] == (
        "✗ refused: not authentic as of 2026-11-20T13:00:01Z (as asked): the leaf (certificate 5 of 5) ended at "
        "2026-11-20T13:00:00Z, before 2026-11-20T13:00:01Z"
    )
    assert ran.stderr == (
        "nitroctl: note: nothing but time stands against it: its certificates last three hours. Judge it with "
        "--at document; that proves that it was signed then, not that it is fresh\n"
    )


def test_a_document_that_cannot_be_read_is_an_answer(cli: Cli) -> None:
    cut = GOOD[:-5]
    where = len(GOOD) - 98
    assert cli("attest", "verify", "cut.cbor", *MINE, "--authenticity-only") == Ran(
        1,
        f"✗ refused: not authentic at any time: byte {where}: a string of 96 bytes where 91 are left\n"
        f"{file_rows('cut.cbor', cut, 9)}\n"
        "✗ every CBOR item ends inside the document\n"
        f"  byte {where}: a string of 96 bytes where 91 are left\n"
        "  [cbor.complete]\n\n"
        "1 of 45 checks hold, 1 failed, 43 blocked by those that failed. --json has them all.\n",
        "",
    )
    data = cli("attest", "verify", "cut.cbor", *MINE, "--authenticity-only", "--json").json["data"]
    assert (data["authentic"], data["at"], data["document"], data["root"]) == (False, None, None, None)


def test_a_tpm_document_is_recognised_and_not_held_against_an_enclaves_registers(cli: Cli) -> None:
    path = vectors("nitrotpm", "nitrotpm-i-000fa553dad58a9f1-usw2.cbor")
    document = json.loads(cli("attest", "show", str(path), "--json").stdout)["data"]["document"]
    assert (document["kind"], document["debug_mode"]) == ("nitrotpm", None)
    same = f"--pcr=PCR4={document['pcrs']['PCR4']}"
    ran = cli("attest", "verify", str(path), "--at", "document", same)
    assert ran.status == 1
    assert ran.stdout.splitlines()[0].endswith("it is a nitrotpm document, whose registers mean other things")


def test_a_real_document_whole_in_json(cli: Cli) -> None:
    path = vectors("attestation", "real-tinfoilsh-20250110T034002-71bade19.cbor")
    answer = cli("attest", "verify", str(path), "--at", "document", "--authenticity-only", "--json").json
    data = answer["data"]
    assert data.pop("report")["counts"] == {"pass": 55, "fail": 0, "warn": 0, "skip": 1}
    registers = data["document"].pop("pcrs")
    assert registers["PCR0"].startswith("4406a820aa96a103")
    assert data == {
        "file": str(path),
        "encoding": "raw",
        "size_bytes": 4459,
        "sha256": "71bade1940ed7c479a4d78e626d47059f5ccf190c63c18f6139b9afed4bdfa80",
        "answer": "authentic, not appraised, as of 2025-01-10T03:40:02.571Z (document time)",
        "authentic": True,
        "acceptable": None,
        "at": "2025-01-10T03:40:02.571Z",
        "at_chosen_by": "document",
        "root": {
            "name": "AWS Nitro Enclaves Root G1",
            "sha256": "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b",
            "partition": "aws",
        },
        "reference": None,
        "policy": None,
        "document": {
            "kind": "enclave",
            "module_id": "i-084ee521d5f921096-enc0193697df8e47063",
            "instance_id": "i-084ee521d5f921096",
            "enclave_id": "0193697df8e47063",
            "region": "us-east-2",
            "partition": "aws",
            "time": "2025-01-10T03:40:02.571Z",
            "launched_at": "2024-11-26T17:21:23.684Z",
            "certificate_issued_at": "2025-01-10T02:49:02Z",
            "debug_mode": False,
            "nonce": None,
            "user_data": None,
            "public_key": None,
        },
    }


# -- verify: wrong invocations


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], "attest.no-reference-values"),
        (["--pcr", "PCR0=00"], "pcr.value"),
        (["--pcr", "PCR0"], "pcr.name"),
        ([*IMAGE, f"--pcr=PCR0={'ab' * 48}"], "usage.invalid"),
        ([*IMAGE, "--records", "measurements.json"], "usage.invalid"),
        ([f"--pcr=PCR8={'00' * 48}"], "attest.zero-reference"),
        ([*IMAGE, "--nonce", ""], "usage.empty"),
        ([*IMAGE, "--nonce", "abc"], "attest.nonce"),
        ([*IMAGE, "--nonce", "0x00"], "attest.nonce"),
        ([*IMAGE, "--at", "yesterday"], "attest.at"),
        ([*IMAGE, "--at", "2026-11-20T10:00:00"], "attest.at"),
        ([*IMAGE, "--at", "2026-11-20"], "attest.at"),
        ([*IMAGE, "--at", "2026-02-30T10:00:00Z"], "attest.at"),
        ([*IMAGE, "--at", "0001-01-01T00:00:00+23:00"], "attest.at"),
        ([*IMAGE, "--at", "2026-11-20T10:00:06:59Z"], "attest.at"),
        ([*IMAGE, "--at", "2026-11-20T10:00.500Z"], "attest.at"),
        ([*IMAGE, "--at", "2026-11-20T10000000Z"], "attest.at"),
        ([*IMAGE, "--at", "2026-11-20T10:00:06+14:99"], "attest.at"),
        ([*IMAGE, "--max-age", "5"], "attest.max-age"),
        ([*IMAGE, "--max-age", "5m", "--at", "document"], "usage.invalid"),
        (["--authenticity-only", "--nonce", "00"], "usage.invalid"),
        (["--authenticity-only", *IMAGE], "usage.invalid"),
        (["--authenticity-only", "--allow-debug"], "usage.invalid"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else value,
)
def test_a_wrong_invocation_is_no_answer(cli: Cli, options: list[str], code: str) -> None:
    ran = cli("attest", "verify", "good.cbor", "--json", *options)
    assert ran.status == 2
    assert ran.json["errors"][0]["code"] == code


def test_no_reference_values_says_what_to_do(cli: Cli) -> None:
    assert cli("attest", "verify", "good.cbor") == Ran(
        2,
        "",
        "nitroctl: error: measurements.json: no reference values, and without them nothing is acceptable "
        "[attest.no-reference-values]\n"
        "nitroctl: hint: record the image: nitroctl pcr record --help\n"
        "nitroctl: hint: or give its registers: --pcr PCR0=<96 hexadecimal digits>\n"
        "nitroctl: hint: or ask only who signed it: --authenticity-only\n",
    )


def test_records_that_were_named_must_be_there(cli: Cli) -> None:
    ran = cli("attest", "verify", "good.cbor", "--records", "absent.json", "--json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (3, "records.missing")


def test_a_root_must_be_one_certificate(cli: Cli) -> None:
    Path("two.pem").write_bytes(root().pem * 2)
    for name, code in {"two.pem": "evidence.root", "good.cbor": "pcr.certificate", "absent": "file.unreadable"}.items():
        ran = cli("attest", "verify", "good.cbor", "--root", name, *IMAGE, "--json")
        assert (ran.status, ran.json["errors"][0]["code"]) == (3, code)


# -- forms and files

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda content: content,
    "base64": base64.b64encode,
    "hex": lambda content: content.hex().encode(),
    "json document": lambda content: json.dumps({"document": base64.b64encode(content).decode()}).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_from_a_file_and_from_standard_input(cli: Cli, form: str) -> None:
    content = FORMS[form](GOOD)
    Path("any").write_bytes(content)
    from_file = cli("attest", "verify", "any", *MINE, *IMAGE, "--json").json["data"]
    from_stdin = cli("attest", "verify", "-", *MINE, *IMAGE, "--json", stdin=content).json["data"]
    assert from_file["encoding"] == form
    assert from_file["acceptable"] is True
    assert from_stdin == {**from_file, "file": "-"}


@pytest.mark.parametrize("verb", ["show", "verify"])
def test_bad_files_are_one_clear_error(cli: Cli, verb: str) -> None:
    os.mkfifo("fifo")
    Path("directory").mkdir()
    Path("empty").touch()
    Path("text").write_text("hello, world\n")
    Path("other.json").write_text("{}")
    with open("huge", "wb") as stream:  # noqa: PTH123
        stream.truncate(10 * 1024**3)
    options = ["--authenticity-only"] if verb == "verify" else []
    wanted = {
        "absent": "file.unreadable",
        **({"directory": "file.unreadable"} if verb == "show" else {}),  # verify looks for documents in it
        "fifo": "file.not-regular",
        "empty": "evidence.empty",
        "text": "evidence.unreadable",
        "other.json": "evidence.unreadable",
        "huge": "file.too-large",
    }
    for name, code in wanted.items():
        ran = cli("attest", verb, name, *options, "--json")
        assert (ran.status, ran.json["errors"][0]["code"]) == (3, code), name
        assert ran.json["errors"][0]["message"].startswith(f"{name}: ")


def test_an_error_about_standard_input_names_it(cli: Cli) -> None:
    ran = cli("attest", "show", "-", stdin=b"")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith(
        "nitroctl: error: standard input: there is no document: the input is empty [evidence.empty]\n"
    )


def test_the_largest_json_around_the_largest_document_is_read(cli: Cli) -> None:
    numbers = json.dumps({"document": [132] * (32 * 1024)}, indent=12).encode()
    assert len(numbers) < container.MAX_FILE
    Path("numbers.json").write_bytes(numbers)
    assert cli("attest", "show", "numbers.json").status == 1


def test_as_a_program_of_its_own(cli: Cli, here: Path) -> None:
    ran = cli.program("attest", "verify", "good.cbor", *MINE, *IMAGE, cwd=here)
    assert (ran.status, ran.stderr) == (0, NO_NONCE)
    assert ran.stdout.startswith(f"✓ {UNDER} and acceptable as of ")


def test_a_document_made_now_is_acceptable_now(cli: Cli, here: Path) -> None:
    from nitroctl.standin import nsm, pki

    now = datetime.now(UTC)
    test_pki = pki.create(here / "pki", at=now)
    document = nsm.attest(
        test_pki,
        module_id=nsm.new_module_id("i-0123456789abcdef0", at=now),
        region="eu-west-1",
        pcrs=PCRS,
        at=now,
        nonce=NONCE,
        user_data=None,
        public_key=None,
    )
    (here / "now.cbor").write_bytes(document)
    options = ["--root", "pki/root.pem", *IMAGE, "--nonce", NONCE.hex(), "--max-age", "5m"]
    ran = cli.program("attest", "verify", "now.cbor", *options, cwd=here)
    assert (ran.status, ran.stderr) == (0, "")
