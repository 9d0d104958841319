"""``nitroctl attest open`` and ``request``, and the verdict in the formats of others: whole outputs."""

import base64
import functools
import hashlib
import json
import os
import stat
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nitroctl.evidence.document import MAX_BYTES
from nitroctl.standin.kms_recipient import Answer
from nitroctl.standin.lab_change import AT, NONCE, PCRS, Change, accepted, make, root
from tests.conftest import Cli, Ran, vectors
from tests.schemas import validator
from tests.unit.test_evidence_recipient import needs_asn1crypto, pem, private, spki

SECRET = bytes(range(32))
ENDS = "2026-11-20T13:00:00Z"
NOT_VERIFIED = (
    f"nitroctl: note: the document was not verified; its certificate ends at {ENDS}, and KMS refuses it after that\n"
)
UNSIGNED = "nitroctl: note: the result is not signed, and says nothing to others until whoever vouches for it signs it"
REPLAY = "nitroctl: note: it may be an old document played again: only --nonce shows that it answers this request\n"


@functools.cache
def document(public_key: bytes | None = None) -> bytes:
    key = spki() if public_key is None else public_key
    return make(Change(fields=lambda fields: [(k, key if k == "public_key" else v) for k, v in fields]))


@functools.cache
def answer() -> bytes:
    return Answer().wrap(SECRET, spki())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with a document, the drill's key and KMS's answer, at the time at which they were made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: AT.replace(microsecond=0))
    (tmp_path / "document.cbor").write_bytes(document())
    (tmp_path / "root.pem").write_bytes(root().pem)
    key = tmp_path / "recipient.pem"
    key.touch(mode=0o600)
    key.write_bytes(pem(private()))
    (tmp_path / "answer.ber").write_bytes(answer())
    text = base64.b64encode(answer()).decode()
    whole = {"KeyId": "arn:aws:kms:eu-west-1:111122223333:key/signer", "CiphertextForRecipient": text}
    (tmp_path / "answer.json").write_text(json.dumps(whole, indent=4))
    (tmp_path / "answer.b64").write_text(f"{text}\n")
    (tmp_path / "secret.bin").write_bytes(b"\x01\x02\x02\x00" + bytes(150))
    return tmp_path


# -- open


@needs_asn1crypto
def test_an_answer_is_opened_into_a_private_file(cli: Cli, here: Path) -> None:
    identifier = hashlib.sha256(spki()).hexdigest()
    assert cli("attest", "open", "answer.json", "--key", "recipient.pem", "--output", "data.key") == Ran(
        0,
        "opened: 32 bytes of plaintext in data.key\n"
        f"file       answer.json, json CiphertextForRecipient, {len(answer())} bytes of CMS\n"
        f"recipient  subject key identifier {identifier}\n"
        "key        RSA, 2048 bits\n",
        "",
    )
    made = here / "data.key"
    assert (made.read_bytes(), stat.S_IMODE(made.stat().st_mode)) == (SECRET, 0o600)


@needs_asn1crypto
def test_the_plaintext_is_not_in_the_json(cli: Cli) -> None:
    ran = cli("attest", "open", "answer.ber", "--key", "recipient.pem", "--output", "data.key", "--json")
    assert ran.json["data"] == {
        "file": "answer.ber",
        "encoding": "raw",
        "message_size_bytes": len(answer()),
        "recipient": f"subject key identifier {hashlib.sha256(spki()).hexdigest()}",
        "key_bits": 2048,
        "output": "data.key",
        "plaintext_size_bytes": 32,
    }
    for form in (SECRET.hex(), base64.b64encode(SECRET).decode()):
        assert form not in ran.stdout


@needs_asn1crypto
@pytest.mark.parametrize("file", ["answer.ber", "answer.b64", "answer.json"])
def test_into_a_pipe_goes_the_plaintext_and_nothing_else(cli: Cli, file: str) -> None:
    assert cli("attest", "open", file, "--key", "recipient.pem") == Ran(0, SECRET.decode(), "")


@needs_asn1crypto
def test_the_answer_may_come_through_a_pipe(cli: Cli) -> None:
    ran = cli("attest", "open", "-", "--key", "recipient.pem", stdin=answer())
    assert ran == Ran(0, SECRET.decode(), "")
    ran = cli("attest", "open", "-", "--key", "recipient.pem", stdin=b"")
    assert ran == Ran(3, "", "nitroctl: error: standard input: the file is empty [recipient.unreadable]\n")


def test_a_terminal_is_not_shown_the_plaintext(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests import conftest

    monkeypatch.setattr(conftest._Capture, "isatty", lambda _: True, raising=False)
    assert cli("attest", "open", "answer.ber", "--key", "recipient.pem") == Ran(
        2,
        "",
        "nitroctl: error: the plaintext is not shown on a terminal [usage.invalid]\n"
        "nitroctl: hint: name a file for it: --output FILE; or pipe it on\n",
    )


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "github", "ear", "vsa"])
def test_no_format_holds_the_plaintext(cli: Cli, form: str) -> None:
    ran = cli("attest", "open", "answer.ber", "--key", "recipient.pem", "--format", form)
    assert ran.status == 2
    assert SECRET.decode() not in ran.stdout
    if form == "json":
        assert ran.stderr == (
            "nitroctl: error: --format json would hold the plaintext, and logs keep such answers [usage.invalid]\n"
            "nitroctl: hint: name a file for the plaintext: --output FILE\n"
        )


@needs_asn1crypto
def test_a_file_that_is_there_is_not_written_to(cli: Cli, here: Path) -> None:
    (here / "data.key").write_text("old")
    (here / "elsewhere").symlink_to(here / "nowhere")
    for output in ("data.key", "elsewhere"):
        assert cli("attest", "open", "answer.ber", "--key", "recipient.pem", "--output", output) == Ran(
            3,
            "",
            f"nitroctl: error: {output}: is there already, and a secret is not written into it [file.exists]\n"
            "nitroctl: hint: name a new file\n",
        )
    assert (here / "data.key").read_text() == "old"
    assert not (here / "nowhere").exists()


@needs_asn1crypto
def test_a_full_disk_leaves_no_part_of_the_secret(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.fsync", full)
    ran = cli("attest", "open", "answer.ber", "--key", "recipient.pem", "--output", "data.key")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith("nitroctl: error: data.key: cannot write: no space left on device [file.unwritable]\n")
    assert not (here / "data.key").exists()


@needs_asn1crypto
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_warned_about(cli: Cli, here: Path, mode: int) -> None:
    (here / "recipient.pem").chmod(mode)
    note = (
        f"nitroctl: note: recipient.pem has mode {mode:04o}: others than its owner can use the key; chmod 600 it, and "
        "take a new one\n"
    )
    assert cli("attest", "open", "answer.ber", "--key", "recipient.pem") == Ran(0, SECRET.decode(), note)
    assert cli("attest", "open", "answer.ber", "--key", "recipient.pem", "--quiet").stderr == ""
    ran = cli("attest", "open", "answer.ber", "--key", "recipient.pem", "--output", "data.key")
    assert (ran.status, ran.stderr) == (0, note)


@needs_asn1crypto
def test_another_key_does_not_open_it(cli: Cli, here: Path) -> None:
    (here / "recipient.pem").write_bytes(pem(private(1)))
    assert cli("attest", "open", "answer.ber", "--key", "recipient.pem", "--output", "data.key") == Ran(
        3,
        "",
        "nitroctl: error: answer.ber: the message cannot be opened with this key [recipient.not-opened]\n"
        "nitroctl: hint: it was made for another key, or was damaged; which of the two, nobody is told\n",
    )
    assert not (here / "data.key").exists()


def test_an_answer_with_plaintext_is_refused(cli: Cli, here: Path) -> None:
    (here / "open.json").write_text(json.dumps({"KeyId": "k", "Plaintext": "c2VjcmV0"}))
    ran = cli("attest", "open", "open.json", "--key", "recipient.pem")
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: open.json: the answer has Plaintext: it was given without attestation, to anybody who asked "
        "[recipient.plaintext]\n"
        "nitroctl: hint: send the request with a Recipient, and let the key policy refuse it without one\n",
    )


def test_without_asn1crypto_it_says_how_to_get_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asn1crypto.cms", None)
    assert cli("attest", "open", "answer.ber", "--key", "recipient.pem") == Ran(
        3,
        "",
        "nitroctl: error: reading CMS needs asn1crypto, which is not installed [recipient.extra]\n"
        "nitroctl: hint: pip install 'nitroctl[recipient]'\n",
    )


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("missing", "file.unreadable"),
        (".", "file.unreadable"),
        ("fifo", "file.not-regular"),
        ("empty", "recipient.unreadable"),
        ("sparse", "file.too-large"),
        ("latin", "recipient.unreadable"),
    ],
)
@needs_asn1crypto
def test_bad_input(cli: Cli, here: Path, file: str, code: str) -> None:
    os.mkfifo(here / "fifo")
    (here / "empty").touch()
    with (here / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)
    (here / "latin").write_bytes(b'{"CiphertextForRecipient": "\xe9"}')
    ran = cli("attest", "open", file, "--key", "recipient.pem")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.splitlines()[0].endswith(f"[{code}]")
    assert file in ran.stderr


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (64 * 1024, "error: the ciphertext has 65536 bytes; KMS takes at most 6144 [recipient.unreadable]"),
        (64 * 1024 + 1, "error: ciphertext: larger than 65536 bytes, the most this command reads [file.too-large]"),
    ],
)
def test_64_kib_are_read_of_a_file_around_a_message(cli: Cli, size: int, said: str) -> None:
    Path("ciphertext").write_bytes(b"\xff" * size)
    options = ["--document", "document.cbor", "--operation", "decrypt", "--ciphertext", "ciphertext"]
    ran = cli("attest", "request", *options)
    assert (ran.status, ran.stdout, ran.stderr.splitlines()[0].split(": ", 1)[1]) == (3, "", said)


def test_a_key_is_read_from_a_file_only(cli: Cli) -> None:
    ran = cli("attest", "open", "answer.ber", "--key", "-", stdin=pem(private()))
    assert ran == Ran(2, "", "nitroctl: error: --key: a private key is read from a file only [usage.invalid]\n")
    ran = cli("attest", "open", "answer.ber", "--key", "answer.ber")
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: answer.ber: no private key in PEM, or a damaged one [recipient.key]\n"
        "nitroctl: hint: pass the PEM file of the private key\n",
    )


# -- request


def body(ran: Ran) -> Any:
    assert ran.stderr == NOT_VERIFIED
    assert ran.status == 0
    return json.loads(ran.stdout)


RECIPIENT = {
    "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    "AttestationDocument": base64.b64encode(document()).decode(),
}


def test_a_request_to_decrypt(cli: Cli) -> None:
    options = ["--ciphertext", "secret.bin", "--encryption-context", "stage=prod", "--key-id", "alias/signer"]
    ran = cli("attest", "request", "--operation", "decrypt", "--document", "document.cbor", *options)
    wanted = {
        "KeyId": "alias/signer",
        "CiphertextBlob": base64.b64encode(b"\x01\x02\x02\x00" + bytes(150)).decode(),
        "EncryptionContext": {"stage": "prod"},
        "Recipient": RECIPIENT,
    }
    assert ran == Ran(0, json.dumps(wanted, indent=2) + "\n", NOT_VERIFIED)


def test_the_document_may_be_written_in_any_form(cli: Cli, here: Path) -> None:
    (here / "document.b64").write_text(base64.b64encode(document()).decode())
    options = ["--operation", "generate-random", "--bytes", "16", "--document"]
    wanted = {"NumberOfBytes": 16, "Recipient": RECIPIENT}
    assert body(cli("attest", "request", *options, "document.b64")) == wanted
    assert body(cli("attest", "request", *options, "-", stdin=document().hex().encode())) == wanted


def test_a_request_as_json(cli: Cli) -> None:
    options = ["--operation", "generate-data-key", "--key-id", "k", "--document", "document.cbor"]
    ran = cli("attest", "request", *options, "--json")
    assert ran.json["data"] == {
        "operation": "generate-data-key",
        "request": {"KeyId": "k", "KeySpec": "AES_256", "Recipient": RECIPIENT},
        "file": "document.cbor",
        "encoding": "raw",
        "size_bytes": len(document()),
        "sha256": hashlib.sha256(document()).hexdigest(),
        "public_key": {"kind": "RSA", "bits": 2048, "sha256": hashlib.sha256(spki()).hexdigest()},
        "certificate_ends": ENDS,
    }


def test_botocore_accepts_the_body(cli: Cli, here: Path) -> None:
    """Hold every body against the service model that the AWS CLI validates with."""
    session = pytest.importorskip("botocore.session").get_session()
    validate = pytest.importorskip("botocore.validate").ParamValidator()
    model = session.get_service_model("kms")
    (here / "peer.der").write_bytes(spki())
    cases = {
        "Decrypt": ["decrypt", "--ciphertext", "secret.bin", "--encryption-context", "a=b"],
        "GenerateDataKey": ["generate-data-key", "--key-id", "k"],
        "GenerateDataKeyPair": ["generate-data-key-pair", "--key-id", "k", "--key-spec", "ECC_NIST_P256"],
        "GenerateRandom": ["generate-random", "--bytes", "32"],
        "DeriveSharedSecret": ["derive-shared-secret", "--key-id", "k", "--peer-key", "peer.der"],
    }
    for name, options in cases.items():
        made = body(cli("attest", "request", "--document", "document.cbor", "--operation", *options))
        report = validate.validate(made, model.operation_model(name).input_shape)
        assert not report.has_errors(), report.generate_report()


def refused_request(cli: Cli, *options: str) -> tuple[int, str]:
    ran = cli("attest", "request", *options)
    assert ran.stdout == ""
    return ran.status, ran.stderr.splitlines()[0].removeprefix("nitroctl: error: ")


def test_a_document_without_a_key_for_kms_makes_no_request(cli: Cli, here: Path) -> None:
    (here / "none.cbor").write_bytes(make())
    (here / "text.cbor").write_bytes(document(b"hello"))
    options = ["--operation", "generate-random", "--bytes", "1", "--document"]
    assert refused_request(cli, *options, "none.cbor") == (
        3,
        "none.cbor: the document has no public_key, so KMS has nothing to encrypt its answer to [recipient.public-key]",
    )
    assert refused_request(cli, *options, "text.cbor") == (
        3,
        "text.cbor: the document's public_key, 5 bytes, is not a SubjectPublicKeyInfo in DER [recipient.public-key]",
    )


def test_what_is_no_document_makes_no_request(cli: Cli, here: Path) -> None:
    (here / "cut.cbor").write_bytes(document()[:-5])
    status, error = refused_request(cli, "--operation", "generate-random", "--bytes", "1", "--document", "cut.cbor")
    assert status == 3
    assert error.startswith("cut.cbor: not a well-formed attestation document: ")
    assert error.endswith("[recipient.document]")


def test_options_that_do_not_fit_the_operation(cli: Cli) -> None:
    options = ["--document", "document.cbor", "--operation"]
    names = "decrypt, generate-data-key, generate-data-key-pair, generate-random, derive-shared-secret"
    assert refused_request(cli, *options, "encrypt") == (
        2,
        f"--operation: not one of {names}: 'encrypt' [usage.invalid]",
    )
    assert refused_request(cli, *options, "decrypt") == (2, "decrypt needs --ciphertext [usage.invalid]")
    assert refused_request(cli, *options, "decrypt", "--encryption-context", "a") == (
        2,
        "--encryption-context: not key=value: 'a' [usage.invalid]",
    )


def test_the_whole_drill(cli: Cli, here: Path) -> None:
    """A request is made, the stand-in answers it as KMS would, and the answer is opened."""
    pytest.importorskip("asn1crypto", reason="asn1crypto absent: the extra 'recipient' is not installed")
    from nitroctl.evidence.document import parse

    options = ["--operation", "generate-random", "--bytes", "24", "--document", "document.cbor"]
    asked = body(cli("attest", "request", *options))
    parsed = parse(base64.b64decode(asked["Recipient"]["AttestationDocument"]))
    assert parsed.document is not None
    assert parsed.document.public_key is not None
    secret = b"x" * asked["NumberOfBytes"]
    wrapped = base64.b64encode(Answer().wrap(secret, parsed.document.public_key)).decode()
    (here / "answer.json").write_text(json.dumps({"CiphertextForRecipient": wrapped, "Plaintext": ""}))
    assert cli("attest", "open", "answer.json", "--key", "recipient.pem").stdout == secret.decode()


# -- the verdict in the formats of others

MINE = ["--root", "root.pem", "--at", "document"]
IMAGE = [f"--pcr=PCR{index}={PCRS[index].hex()}" for index in (0, 1, 2)]


def exported(ran: Ran, form: str) -> Any:
    made = json.loads(ran.stdout)
    validator(f"{form}.1").validate(made)
    return made


def test_a_verdict_as_ear(cli: Cli) -> None:
    options = [*MINE, *IMAGE, "--nonce", NONCE.hex()]
    ran = cli("attest", "verify", "document.cbor", *options, "--format", "ear")
    assert (ran.status, ran.stderr) == (0, f"{UNSIGNED}: as JWT or CWT\n")
    made = exported(ran, "ear")
    assert made["iat"] == int(AT.timestamp())
    appraisal = made["submods"]["aws-nitro-enclave"]
    assert appraisal["ear_status"] == "warning"
    assert appraisal["ear_trustworthiness_vector"] == {"executables": 3, "hardware": -33}
    said = appraisal["ear_verifier_claims"]["nitroctl"]
    assert said["evidence_sha256"] == hashlib.sha256(document()).hexdigest()
    assert said["root"] == {"name": accepted()[0].name, "sha256": accepted()[0].fingerprint, "partition": None}
    assert said["answer"] == cli("attest", "verify", "document.cbor", *options, "--json").json["data"]["answer"]


def test_a_verdict_as_vsa(cli: Cli) -> None:
    ran = cli("attest", "verify", "document.cbor", *MINE, *IMAGE, "--format=vsa")
    assert (ran.status, ran.stderr) == (0, f"{REPLAY}{UNSIGNED}: in a DSSE envelope\n")
    predicate = exported(ran, "vsa")["predicate"]
    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("PASSED", [])


def test_a_refusal_is_a_refusal_in_every_format(cli: Cli, here: Path) -> None:
    (here / "cut.cbor").write_bytes(document()[:-5])
    for form in ("ear", "vsa"):
        ran = cli("attest", "verify", "cut.cbor", *MINE, *IMAGE, "--format", form, "--quiet")
        assert (ran.status, ran.stderr) == (1, "")
        made = exported(ran, form)
        if form == "ear":
            appraisal = made["submods"]["unreadable-evidence"]
            assert appraisal["ear_status"] == "contraindicated"
            assert appraisal["ear_verifier_claims"]["nitroctl"]["failed"] == ["cbor.complete"]
        else:
            assert made["predicate"]["verificationResult"] == "FAILED"
            assert made["predicate"]["urn:nitroctl:verification"]["failed"] == ["cbor.complete"]


def test_authenticity_alone_has_no_summary(cli: Cli) -> None:
    options = [*MINE, "--authenticity-only", "--format"]
    (appraisal,) = exported(cli("attest", "verify", "document.cbor", *options, "ear"), "ear")["submods"].values()
    assert (appraisal["ear_status"], appraisal["ear_trustworthiness_vector"]) == ("none", {"hardware": -33})
    assert cli("attest", "verify", "document.cbor", *options, "vsa") == Ran(
        2,
        "",
        "nitroctl: error: --format vsa: a verification summary is of a policy, and --authenticity-only has none "
        "[usage.invalid]\n"
        "nitroctl: hint: give reference values: --records or --pcr; or use --format ear\n",
    )


@pytest.mark.parametrize("form", ["ear", "vsa"])
def test_other_commands_have_no_such_form(cli: Cli, form: str) -> None:
    effect = ["attest", "extract", "document.cbor", "public-key", "--output", "made"]
    checked = "human, json, sarif, junit, github"
    for command, forms in (
        (["attest", "show", "document.cbor"], checked),
        (["schema"], "human, json"),
        (effect, "human, json"),
    ):
        assert cli(*command, "--format", form) == Ran(
            2,
            "",
            f"nitroctl: error: --format {form} is for verdicts on one attestation document, and this is not one "
            "[usage.invalid]\n"
            f"nitroctl: hint: use it with nitroctl attest verify FILE; this command has {forms}\n",
        )
    assert not Path("made").exists()


def test_a_document_of_awss_is_affirmed_with_its_file(cli: Cli) -> None:
    """The one way to the level: AWS's root, and the image that the record names."""
    from nitroctl.evidence.container import unwrap
    from nitroctl.evidence.document import parse
    from nitroctl.records import Artifact, Status, new_entry, record

    path = vectors("attestation", "real-tinfoilsh-20250110T034002-71bade19.cbor")
    parsed = parse(unwrap(path.read_bytes()).cbor)
    assert parsed.document is not None
    pcrs = {index: parsed.document.pcrs[index] for index in (0, 1, 2)}
    file = Artifact("image.eif", "ef" * 32, MAX_BYTES)
    options: Any = {"component": "signer", "environment": "prod", "version": "1", "pin": (0, 1, 2)}
    entry = new_entry(pcrs=pcrs, artifact=file, status=Status.ACTIVE, recorded_at=AT - timedelta(days=1), **options)
    record("measurements.json", entry)
    ran = cli("attest", "verify", str(path), "--at", "document", "--format", "vsa")
    made = exported(ran, "vsa")
    assert made["subject"] == [{"name": "signer-1@prod", "digest": {"sha256": "ef" * 32}}]
    assert made["predicate"]["resourceUri"] == "urn:nitroctl:record:signer-1@prod"
    assert made["predicate"]["verifiedLevels"] == ["NITROCTL_AUTHENTIC_AND_ACCEPTABLE"]
    ran = cli("attest", "verify", str(path), "--at", "document", "--format", "ear")
    (appraisal,) = exported(ran, "ear")["submods"].values()
    assert appraisal["ear_status"] == "affirming"
    assert appraisal["ear_trustworthiness_vector"] == {"executables": 3, "hardware": 2}
