"""``nitroctl pcr verify --bundle``: who signed the ledger or an image, with bundles of a sigstore of our own."""

import base64
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.records import Artifact, Build, Entry
from nitroctl.records.bundle import PROVENANCE
from nitroctl.records.statement import PREDICATE_TYPE, statement
from tests import sigstore_bundles as made
from tests.conftest import Cli, Ran
from tests.records import entry, full, write
from tests.sigstore_bundles import IDENTITY, ISSUER, Signing, World

pytest.importorskip("sigstore", reason="the optional dependency sigstore is not installed")

IMAGE = b"the image file"
RECORDED = dataclasses.replace(full(), artifact=Artifact("signer.eif", hashlib.sha256(IMAGE).hexdigest(), len(IMAGE)))
WHO = ("--identity", IDENTITY, "--issuer", ISSUER)
ASKED = ("pcr", "verify", "--bundle", "b.json", *WHO, "--trusted-root", "root.json")
FOR_ENTRY = ("--entry", "signer-1.4.2@prod")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory of its own, with a ledger and those who vouch."""
    monkeypatch.chdir(tmp_path)
    write(Path("measurements.json"), RECORDED, entry("1.5.0"))
    Path("root.json").write_text(json.dumps(made.WORLD.trusted_root()))
    return tmp_path


def ledger() -> bytes:
    return Path("measurements.json").read_bytes()


def attests(content: bytes, predicate_type: str = PROVENANCE, **changes: object) -> bytes:
    """Return a statement about a file with ``content``, as a build's attestation is."""
    subject = {"name": "a file", "digest": {"sha256": hashlib.sha256(content).hexdigest()}}
    members = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": predicate_type}
    return json.dumps({**members, "predicate": {}, **changes}).encode()


def exported(recorded: Entry = RECORDED, **changes: object) -> bytes:
    """Return what ``pcr export`` prints of ``recorded``, its predicate changed."""
    document: dict[str, Any] = statement(recorded)
    document["predicate"].update(changes)
    return json.dumps(document).encode()


def put(signing: Signing) -> None:
    Path("b.json").write_text(signing.text)


def root_fields() -> str:
    return f"trusted root  root.json; SHA-256 {hashlib.sha256(Path('root.json').read_bytes()).hexdigest()}\n"


def test_the_file_is_signed(cli: Cli) -> None:
    put(Signing(content=ledger()))
    assert cli(*ASKED) == Ran(
        0,
        f"✓ yes: measurements.json is in order; it is signed by {IDENTITY}\n"
        "entries       2: 1 candidate, 1 active, 0 retired, 0 revoked\n"
        + root_fields()
        + "logged at     2026-11-20T12:00:05Z\n"
        "✓ The file is written in the canonical form\n"
        "✓ The bundle is one that can be verified\n"
        "✓ The certificate is that of the identity\n"
        "✓ The identity was vouched for by the issuer\n"
        "✓ The certificate, its log, the signature's log and the signature hold\n"
        "✓ What is signed is the file\n",
        "",
    )
    assert cli(*ASKED, "--json").json["data"]["bundle"] == {
        "file": "b.json",
        "identity": IDENTITY,
        "issuer": ISSUER,
        "entry": None,
        "kind": "signature",
        "predicate_type": None,
        "logged_at": "2026-11-20T12:00:05Z",
        "trusted_root": {"file": "root.json", "sha256": root_fields().split()[-1]},
        "library": f"sigstore {version()}",
    }


def version() -> str:
    import sigstore

    return str(sigstore.__version__)


def test_the_exported_statement_of_an_entry_is_attested(cli: Cli) -> None:
    put(Signing(payload=exported()))
    assert cli(*ASKED, *FOR_ENTRY) == Ran(
        0,
        f"✓ yes: measurements.json is in order; the image of signer-1.4.2@prod is attested by {IDENTITY}\n"
        "entries       2: 1 candidate, 1 active, 0 retired, 0 revoked\n"
        "entry         signer-1.4.2@prod, active\n" + root_fields() + f"attested      {PREDICATE_TYPE}\n"
        "logged at     2026-11-20T12:00:05Z\n"
        "✓ The file is written in the canonical form\n"
        "✓ The bundle is one that can be verified\n"
        "✓ The certificate is that of the identity\n"
        "✓ The identity was vouched for by the issuer\n"
        "✓ The certificate, its log, the signature's log and the signature hold\n"
        "✓ What is attested is of the type that was asked for\n"
        "✓ What is signed is the image of signer-1.4.2@prod\n"
        "✓ The statement says what is recorded\n",
        "",
    )


READ = (
    "nitroctl: note: of the attestation, who made it, its type and its subjects were read, not what it says of them\n"
)
UNSIGNED = (
    "nitroctl: note: the bundle is about the image file; the registers recorded for signer-1.4.2@prod are not signed\n"
)


@pytest.mark.parametrize(
    ("signing", "words", "notes"),
    [
        (lambda: Signing(content=ledger(), digest=False), (), ""),
        (lambda: Signing(content=ledger(), before=0), (), ""),
        (lambda: Signing(content=ledger(), issuers=(ISSUER, None)), (), ""),
        (lambda: Signing(content=ledger(), issuers=(None, ISSUER)), (), ""),
        (lambda: Signing(payload=attests(ledger())), (), READ),
        (lambda: Signing(payload=attests(ledger(), _type="https://in-toto.io/Statement/v0.1")), (), READ),
        (lambda: Signing(payload=attests(ledger(), "urn:x")), ("--predicate-type", "urn:x"), READ),
        (lambda: Signing(content=IMAGE), FOR_ENTRY, UNSIGNED),
        (lambda: Signing(payload=attests(IMAGE)), FOR_ENTRY, READ + UNSIGNED),
        (lambda: Signing(payload=exported()), (*FOR_ENTRY, "--predicate-type", PREDICATE_TYPE), ""),
        (lambda: Signing(payload=exported(without("source", "build", "signer"))), FOR_ENTRY, ""),
        (lambda: Signing(payload=exported(reproduced())), FOR_ENTRY, ""),
    ],
    ids=[
        "a signature that does not say over what",
        "the only entry of the log",
        "an issuer as it was written at first",
        "an issuer in DER alone",
        "a build's attestation of the file",
        "an older statement",
        "another type, asked for",
        "a signature over the image",
        "a build's attestation of the image",
        "the exported statement, asked for",
        "less than is recorded by now",
        "fewer who reproduced it",
    ],
)
def test_what_else_vouches(cli: Cli, signing: Callable[[], Signing], words: tuple[str, ...], notes: str) -> None:
    put(signing())
    ran = cli(*ASKED, *words)
    assert (ran.status, ran.stderr) == (0, notes), ran.stdout


def without(*names: str) -> Entry:
    return dataclasses.replace(RECORDED, **dict.fromkeys(names))  # type: ignore[arg-type]


def reproduced() -> Entry:
    assert RECORDED.build
    return dataclasses.replace(RECORDED, build=dataclasses.replace(RECORDED.build, reproduced_by=()))


def test_an_address_is_an_identity_too(cli: Cli) -> None:
    put(Signing(content=ledger(), identity="me@example.com"))
    asked = ("pcr", "verify", "--bundle", "b.json", "--issuer", ISSUER, "--trusted-root", "root.json")
    assert cli(*asked, "--identity", "me@example.com").status == 0
    assert cli(*asked, "--identity", "me@example.co").status == 1


def entry_of(other: Signing) -> Callable[[dict[str, Any]], object]:
    entries = other.bundle()["verificationMaterial"]["tlogEntries"]
    return lambda bundle: bundle["verificationMaterial"].update(tlogEntries=entries)


def log(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    return lambda bundle: change(bundle["verificationMaterial"]["tlogEntries"][0])


def said(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    return lambda bundle: change(bundle["messageSignature"])


def becomes(**members: object) -> Callable[[dict[str, Any]], object]:
    def edit(bundle: dict[str, Any]) -> None:
        bundle.clear()
        bundle.update(members)

    return edit


def flipped(text: str) -> str:
    """Return base64 of other octets: one bit of the last but few is another."""
    octets = bytearray(base64.b64decode(text))
    octets[-1] ^= 1
    return made.b64(bytes(octets))


#: What is wrong -> the signing, more words, the first check that refuses, and what it says (the library's in part).
REFUSED: dict[str, tuple[Callable[[], Signing], tuple[str, ...], str, str]] = {
    "another file was signed": (
        lambda: Signing(content=ledger() + b" "),
        (),
        "sigstore.subject",
        "b.json is over other bytes",
    ),
    "the image was signed, not the file": (
        lambda: Signing(content=IMAGE),
        (),
        "sigstore.subject",
        "b.json is over other bytes",
    ),
    "the file was signed, not the image": (
        lambda: Signing(content=ledger()),
        FOR_ENTRY,
        "sigstore.subject",
        "b.json is over other bytes",
    ),
    "a digest is claimed that was not signed": (
        lambda: Signing(
            content=b"other",
            edit=said(lambda it: it["messageDigest"].update(digest=made.b64(hashlib.sha256(ledger()).digest()))),
        ),
        (),
        "sigstore.signature",
        "Signature is invalid for input",
    ),
    "a signature of somebody else": (
        lambda: Signing(
            content=ledger(), edit=said(lambda it: it.update(signature=made.b64(made.sign("other", ledger()))))
        ),
        (),
        "sigstore.signature",
        "Signature is invalid for input",
    ),
    "an attestation of another file": (
        lambda: Signing(payload=attests(b"other")),
        (),
        "sigstore.subject",
        "the attestation is about other files",
    ),
    "an attestation of no file": (
        lambda: Signing(payload=attests(b"other", subject=[{"digest": 1}, 2, {"digest": {"sha512": "00"}}])),
        (),
        "sigstore.subject",
        "the attestation is about other files",
    ),
    "an attestation of another type": (
        lambda: Signing(payload=attests(ledger(), "https://example.com/tests-failed")),
        (),
        "sigstore.predicate",
        "the attestation is about something else",
    ),
    "a known type where another was asked for": (
        lambda: Signing(payload=attests(ledger())),
        ("--predicate-type", "urn:x"),
        "sigstore.predicate",
        "the attestation is about something else",
    ),
    "a signature where an attestation was asked for": (
        lambda: Signing(content=ledger()),
        ("--predicate-type", PROVENANCE),
        "sigstore.predicate",
        "a signature over bytes attests nothing",
    ),
    "the statement of one entry for the file": (
        lambda: Signing(payload=exported()),
        (),
        "sigstore.predicate",
        "the attestation is about something else",
    ),
    "the statement of another entry": (
        lambda: Signing(payload=exported(version="1.4.3", id="signer-1.4.3@prod")),
        FOR_ENTRY,
        "sigstore.statement",
        "it says other than signer-1.4.2@prod: id, version",
    ),
    "a statement with other registers": (
        lambda: Signing(payload=exported(measurements=entry("9").as_json()["measurements"])),
        FOR_ENTRY,
        "sigstore.statement",
        "it says other than signer-1.4.2@prod: measurements",
    ),
    "a statement with another source and build": (
        lambda: Signing(
            payload=exported(dataclasses.replace(RECORDED, build=Build(builder="me")), source={"uri": "x"})
        ),
        FOR_ENTRY,
        "sigstore.statement",
        "it says other than signer-1.4.2@prod: source, build builder",
    ),
    "a statement of a build that more reproduced than are recorded": (
        lambda: Signing(payload=exported(build={"reproduced_by": ["laptop", "nobody"]})),
        FOR_ENTRY,
        "sigstore.statement",
        "it says other than signer-1.4.2@prod: build reproduced_by",
    ),
    "a statement with a member that nobody compares": (
        lambda: Signing(payload=exported(unless={"weather": "bad"})),
        FOR_ENTRY,
        "sigstore.statement",
        "it says other than signer-1.4.2@prod: the unknown member 'unless'",
    ),
    "a statement without a predicate": (
        lambda: Signing(payload=attests(IMAGE, PREDICATE_TYPE, predicate=None)),
        FOR_ENTRY,
        "sigstore.statement",
        "it says other than signer-1.4.2@prod: it has no predicate",
    ),
    "a payload of another type": (
        lambda: Signing(payload=attests(ledger()), payload_type="text/plain"),
        (),
        "sigstore.predicate",
        "what is attested is no in-toto statement: it is of the type text/plain",
    ),
    "a payload that is no statement": (
        lambda: Signing(payload=attests(ledger(), _type="x")),
        (),
        "sigstore.predicate",
        "what is attested is no in-toto statement: no member _type that says so",
    ),
    "a payload without subjects": (
        lambda: Signing(payload=attests(ledger(), subject={})),
        (),
        "sigstore.predicate",
        "what is attested is no in-toto statement: no predicateType, or no list of subjects",
    ),
    "a payload that is no text": (
        lambda: Signing(payload=b"\xff"),
        (),
        "sigstore.predicate",
        "what is attested is no in-toto statement: not UTF-8",
    ),
    "a payload with a key twice": (
        lambda: Signing(payload=attests(b"other")[:-1] + b"," + attests(ledger())[1:]),
        (),
        "sigstore.predicate",
        "what is attested: /: the key '_type' occurs twice",
    ),
    "a payload that was changed": (
        lambda: Signing(
            payload=attests(b"other"), edit=lambda it: it["dsseEnvelope"].update(payload=made.b64(attests(ledger())))
        ),
        (),
        "sigstore.signature",
        "DSSE: invalid signature",
    ),
    "another identity": (
        lambda: Signing(content=ledger(), identity=f"{IDENTITY}x"),
        (),
        "sigstore.identity",
        "the certificate is of another identity",
    ),
    "an identity that begins alike": (
        lambda: Signing(content=ledger(), identity=IDENTITY[:-1]),
        (),
        "sigstore.identity",
        "the certificate is of another identity",
    ),
    "another issuer": (
        lambda: Signing(content=ledger(), issuers=("https://example.com", "https://example.com")),
        (),
        "sigstore.issuer",
        "the certificate is of another issuer",
    ),
    "another issuer in one of two places": (
        lambda: Signing(content=ledger(), issuers=(ISSUER, "https://example.com")),
        (),
        "sigstore.issuer",
        "the certificate is of another issuer",
    ),
    "another issuer in the other place": (
        lambda: Signing(content=ledger(), issuers=("https://example.com", ISSUER)),
        (),
        "sigstore.issuer",
        "the certificate is of another issuer",
    ),
    "no issuer": (
        lambda: Signing(content=ledger(), issuers=(None, None)),
        (),
        "sigstore.issuer",
        "the certificate is of another issuer",
    ),
    "another authority": (
        lambda: Signing(content=ledger(), world=World(authority="other")),
        (),
        "sigstore.signature",
        "failed to build timestamp certificate chain",
    ),
    "another certificate log": (
        lambda: Signing(content=ledger(), world=World(certificates="other")),
        (),
        "sigstore.signature",
        "failed to verify SCT on signing certificate",
    ),
    "another log": (
        lambda: Signing(content=ledger(), world=World(log="other")),
        (),
        "sigstore.signature",
        "invalid log entry: checkpoint: invalid signature: keyring: invalid signature",
    ),
    "a certificate for something else": (
        lambda: Signing(content=ledger(), code_signing=False),
        (),
        "sigstore.signature",
        "Extended usage does not contain `code signing`",
    ),
    "a certificate that had run out": (
        lambda: Signing(content=ledger(), logged_at=made.AT + timedelta(minutes=11)),
        (),
        "sigstore.signature",
        "failed to build timestamp certificate chain",
    ),
    "a certificate that was not good yet": (
        lambda: Signing(content=ledger(), logged_at=made.AT - timedelta(seconds=1)),
        (),
        "sigstore.signature",
        "failed to build timestamp certificate chain",
    ),
    "no time that a log signed for": (
        lambda: Signing(content=ledger(), promised=False),
        (),
        "sigstore.bundle",
        "not a bundle that sigstore verifies: bundle must contain an inclusion promise or signed timestamp(s)",
    ),
    "a time that was changed": (
        lambda: Signing(
            content=ledger(),
            edit=log(lambda it: it.update(integratedTime=str(int(it["integratedTime"]) + 1))),
        ),
        (),
        "sigstore.signature",
        "invalid log entry: SET: invalid inclusion promise: keyring: invalid signature",
    ),
    "a time beyond all times": (
        lambda: Signing(content=ledger(), edit=log(lambda it: it.update(integratedTime=str(2**64 - 1)))),
        (),
        "sigstore.signature",
        "",
    ),
    "an entry that was changed": (
        lambda: Signing(
            content=ledger(), edit=log(lambda it: it.update(canonicalizedBody=flipped(it["canonicalizedBody"])))
        ),
        (),
        "sigstore.signature",
        "invalid log entry: inclusion proof contains invalid root hash",
    ),
    "a proof that was changed": (
        lambda: Signing(
            content=ledger(),
            edit=log(lambda it: it["inclusionProof"]["hashes"].__setitem__(0, made.b64(bytes(32)))),
        ),
        (),
        "sigstore.signature",
        "invalid log entry: inclusion proof contains invalid root hash",
    ),
    "a head that was changed": (
        lambda: Signing(
            content=ledger(),
            edit=log(lambda it: it["inclusionProof"]["checkpoint"].update(envelope=grown(it))),
        ),
        (),
        "sigstore.signature",
        "invalid log entry: checkpoint: invalid signature: keyring: invalid signature",
    ),
    "the log's entry of another signature": (
        lambda: Signing(content=ledger(), edit=entry_of(Signing(content=ledger()))),
        (),
        "sigstore.signature",
        "transparency log entry is inconsistent with other materials",
    ),
    "no entry of a log": (
        lambda: Signing(content=ledger(), edit=lambda it: it["verificationMaterial"].update(tlogEntries=[])),
        (),
        "sigstore.bundle",
        "not a bundle that sigstore verifies: expected exactly one log entry in bundle",
    ),
    "another form of bundle": (
        lambda: Signing(content=ledger(), edit=lambda it: it.update(mediaType="x")),
        (),
        "sigstore.bundle",
        "not a bundle that sigstore verifies: failed to load bundle",
    ),
    "nothing signed": (
        lambda: Signing(content=ledger(), edit=lambda it: it.pop("messageSignature")),
        (),
        "sigstore.bundle",
        "Exactly one of messageSignature or dsseEnvelope must be set",
    ),
    "cosign's older form": (
        lambda: Signing(edit=becomes(base64Signature="", cert="", rekorBundle={})),
        (),
        "sigstore.bundle",
        "a bundle of cosign's own older form, which has no proof that the log has it",
    ),
    "what an interface of GitHub answers": (
        lambda: Signing(edit=becomes(attestations=[])),
        (),
        "sigstore.bundle",
        "not a bundle that sigstore verifies: failed to load bundle",
    ),
}


def grown(entry: dict[str, Any]) -> str:
    text: str = entry["inclusionProof"]["checkpoint"]["envelope"]
    return text.replace("\n7\n", "\n8\n", 1)


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_vouch(cli: Cli, name: str) -> None:
    signing, words, check_id, detail = REFUSED[name]
    put(signing())
    ran = cli(*ASKED, *words, "--json")
    assert (ran.status, ran.stderr) == (1, "")
    refusals = [check for check in ran.json["data"]["report"]["checks"] if check["outcome"] == "fail"]
    assert refusals[0]["id"] == check_id
    assert detail in refusals[0]["detail"]
    assert refusals[0]["remedy"]


def test_another_trusted_root(cli: Cli) -> None:
    put(Signing(content=ledger()))
    for part in ("authority", "certificates", "log"):
        Path("root.json").write_text(json.dumps(World(**{part: "other"}).trusted_root()))
        ran = cli(*ASKED, "--json")
        assert (ran.status, first_refusal(ran)) == (1, "sigstore.signature")


def first_refusal(ran: Ran) -> str:
    return next(str(check["id"]) for check in ran.json["data"]["report"]["checks"] if check["outcome"] == "fail")


def test_who_signed_instead_is_shown(cli: Cli) -> None:
    put(Signing(content=ledger(), identity="https://example.com/mine"))
    assert cli(*ASKED).stdout == (
        "✗ no: measurements.json: the certificate is of another identity\n"
        "entries       2: 1 candidate, 1 active, 0 retired, 0 revoked\n"
        + root_fields()
        + "✓ The file is written in the canonical form\n"
        "✓ The bundle is one that can be verified\n"
        "✗ The certificate is that of the identity\n"
        "  the certificate is of another identity\n"
        f"  expected  {IDENTITY}\n"
        "  actual    https://example.com/mine\n"
        "  fix: if that is who should sign, say so: --identity\n"
        "  [sigstore.identity]\n"
        "✓ The identity was vouched for by the issuer\n"
        "– The certificate, its log, the signature's log and the signature hold\n"
        "  not checked: blocked by sigstore.identity\n"
        "  [sigstore.signature]\n"
        "– What is signed is the file\n"
        "  not checked: blocked by sigstore.signature\n"
        "  [sigstore.subject]\n"
    )


def test_without_a_trusted_root_that_of_the_library_is_used_and_nothing_fetched_or_written(cli: Cli) -> None:
    put(Signing(content=ledger()))
    ran = cli("pcr", "verify", "--bundle", "b.json", *WHO)
    assert (ran.status, ran.stderr) == (1, "")
    origin = re.search(
        r"^trusted root  sigstore's public instance, as sigstore (\S+) came with it; ", ran.stdout, re.MULTILINE
    )
    assert origin is not None
    assert origin[1] == version()
    assert list(Path(os.environ["HOME"]).iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--identity", "x"), "--identity is a question about a bundle"),
        (("--issuer", "x"), "--issuer is a question about a bundle"),
        (("--trusted-root", "x"), "--trusted-root is a question about a bundle"),
        (("--entry", "x"), "--entry is a question about a bundle"),
        (("--predicate-type", "x"), "--predicate-type is a question about a bundle"),
        (("--bundle", "b.json"), "anybody can have a bundle made: say who has to have signed it"),
        (("--bundle", "b.json", "--identity", "x"), "anybody can have a bundle made: say who has to have signed it"),
        (("--bundle", "-", *WHO, "--against", "-"), "only one file can be standard input"),
        (("--bundle", "-", *WHO, "--trusted-root", "-"), "only one file can be standard input"),
    ],
)
def test_questions_that_are_not_whole(cli: Cli, words: tuple[str, ...], message: str) -> None:
    ran = cli("pcr", "verify", *words)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: {message} [usage.invalid]\n")


def directory(path: str) -> None:
    Path(path).unlink()
    Path(path).mkdir()


def sparse(path: str) -> None:
    with Path(path).open("wb") as stream:
        stream.truncate(2**33)


@pytest.mark.parametrize("path", ["b.json", "root.json"])
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: Path(path).write_text("no JSON"), "json.syntax"),
        (lambda path: Path(path).write_text("{}\n{}\n"), "json.syntax"),
        (lambda path: Path(path).write_text('{"a": 1, "a": 2}'), "json.duplicate-key"),
        (lambda path: Path(path).write_text("[" * 10_000), "json.nesting"),
        (lambda path: Path(path).write_text(""), "json.syntax"),
        (sparse, "file.too-large"),
        (directory, "file.unreadable"),
        (lambda path: Path(path).unlink(), "file.unreadable"),
    ],
    ids=["no JSON", "two lines", "a key twice", "nested", "empty", "huge", "a directory", "missing"],
)
def test_what_cannot_be_read_is_no_answer(cli: Cli, path: str, make: Callable[[str], object], code: str) -> None:
    put(Signing(content=ledger()))
    make(path)
    ran = cli(*ASKED)
    assert (ran.status, ran.stdout) == (3, "")
    assert f"[{code}]\n" in ran.stderr


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b"1", b"\xff", b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}']
)
def test_what_is_no_trusted_root(cli: Cli, content: bytes) -> None:
    put(Signing(content=ledger()))
    Path("root.json").write_bytes(content)
    ran = cli(*ASKED)
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith("nitroctl: error: root.json: not a trusted root of sigstore: ")
    assert "[sigstore.trusted-root]\n" in ran.stderr


def test_a_trusted_root_that_trusts_nobody(cli: Cli) -> None:
    put(Signing(content=ledger()))
    for part in ("tlogs", "certificateAuthorities"):
        Path("root.json").write_text(json.dumps({**made.WORLD.trusted_root(), part: []}))
        ran = cli(*ASKED)
        assert (ran.status, ran.stdout) == (3, "")
    Path("root.json").write_text(json.dumps({**made.WORLD.trusted_root(), "ctlogs": []}))
    assert cli(*ASKED).status == 1


@pytest.mark.parametrize("module", ["sigstore", "sigstore.verify"])
def test_without_the_library_there_is_no_answer(cli: Cli, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(Signing(content=ledger()))
    monkeypatch.setitem(__import__("sys").modules, module, None)
    ran = cli(*ASKED)
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.endswith(
        "[sigstore.missing]\n"
        "nitroctl: hint: pip install 'nitroctl[sigstore]'\n"
        "nitroctl: hint: or verify it with cosign, and a key of your own with --key\n"
    )


def test_an_entry_whose_image_is_not_known(cli: Cli) -> None:
    put(Signing(content=ledger()))
    ran = cli(*ASKED, "--entry", "signer-1.5.0@prod")
    assert (ran.status, ran.stdout) == (3, "")
    assert "[records.no-artifact]" in ran.stderr


EVIL = "\x1b[31m\n::error::x\u202e" + "A" * 5000


@pytest.mark.parametrize(
    "signing",
    [
        lambda: Signing(content=ledger(), edit=lambda it: it.update(mediaType=EVIL)),
        lambda: Signing(content=ledger(), identity=f"https://example.com/{EVIL[:3]}{'A' * 5000}"),
        lambda: Signing(content=ledger(), issuers=(EVIL, None)),
        lambda: Signing(content=ledger(), edit=log(lambda it: it["kindVersion"].update(kind=EVIL))),
        lambda: Signing(
            content=ledger(), edit=log(lambda it: it["inclusionProof"]["checkpoint"].update(envelope=EVIL))
        ),
        lambda: Signing(payload=attests(ledger(), EVIL)),
        lambda: Signing(payload=attests(ledger()), payload_type=EVIL),
        lambda: Signing(payload=exported(RECORDED, **{EVIL: 1})),
    ],
)
@pytest.mark.parametrize("form", ["human", "github", "json"])
def test_what_a_bundle_says_is_escaped_and_bounded(cli: Cli, signing: Callable[[], Signing], form: str) -> None:
    put(signing())
    ran = cli(*ASKED, *FOR_ENTRY, "--format", form)
    assert ran.status == 1
    assert not {"\x1b", "\u202e"} & set(ran.stdout + ran.stderr)
    assert "\n::error::x" not in ran.stdout
    assert "A" * 1000 not in ran.stdout + ran.stderr


def test_what_the_library_logs_stays_away(cli: Cli) -> None:
    """A bundle of the older form that brings the root along: the library warns of it."""

    def older(bundle: dict[str, Any]) -> None:
        material = bundle["verificationMaterial"]
        root = made.b64(made.WORLD.root().public_bytes(Encoding.DER))
        material["x509CertificateChain"] = {"certificates": [material.pop("certificate"), {"rawBytes": root}]}
        bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"

    put(Signing(content=ledger(), edit=older))
    ran = cli.program(*ASKED)
    assert (ran.status, ran.stderr) == (0, "")


def test_everything_is_asked_at_once(cli: Cli) -> None:
    put(Signing(content=ledger()))
    Path("old.json").write_bytes(ledger())
    ran = cli(*ASKED, "--against", "old.json")
    assert ran.stdout.splitlines()[0] == (
        f"✓ yes: measurements.json is in order and follows old.json; it is signed by {IDENTITY}"
    )
    ran = cli("pcr", "verify", "-", *ASKED[2:], stdin=ledger())
    assert ran.status == 0
