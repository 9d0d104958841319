"""``nitroctl attest extract``: the bytes themselves, where they go, and what is refused."""

import hashlib
import os
import pty
import subprocess
from pathlib import Path

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from tests import documents
from tests.conftest import Cli, Ran, program, vectors
from tests.documents import document

NOTE = (
    "nitroctl: note: not verified: anybody can write a document with these bytes; nitroctl attest verify says if it is "
    "authentic\n"
)
BINARY = bytes(range(256))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(content: bytes) -> None:
    Path("document.cbor").write_bytes(content)


def piped(part: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    argv = program("attest", "extract", "document.cbor", part, *options)
    return subprocess.run(argv, capture_output=True, timeout=60, check=False)


def test_bytes_go_to_a_pipe_as_they_are(here: Path) -> None:
    write(document(user_data=BINARY))
    done = piped("user-data")
    assert (done.returncode, done.stdout, done.stderr.decode()) == (0, BINARY, NOTE)
    assert piped("user-data", "--quiet").stderr == b""
    assert piped("user-data", "--output", "-").stdout == BINARY


def test_bytes_go_to_a_file_whole(cli: Cli) -> None:
    write(document(nonce=BINARY))
    ran = cli("attest", "extract", "document.cbor", "nonce", "--output", "nonce.bin")
    digest = hashlib.sha256(BINARY).hexdigest()
    assert ran == Ran(0, f"wrote 256 bytes of nonce to nonce.bin\nSHA-256  {digest}\n", NOTE)
    assert Path("nonce.bin").read_bytes() == BINARY
    data = cli("attest", "extract", "document.cbor", "nonce", "--output", "nonce.bin", "--json").json["data"]
    assert (data["output"], data["content"]) == (
        "nonce.bin",
        {"size_bytes": 256, "sha256": digest, "base64": None},
    )


def test_json_holds_the_bytes_in_base64(cli: Cli) -> None:
    write(document(user_data=b"hello"))
    answer = cli("attest", "extract", "document.cbor", "user-data", "--json").json
    assert answer["data"]["content"] == {
        "size_bytes": 5,
        "sha256": hashlib.sha256(b"hello").hexdigest(),
        "base64": "aGVsbG8=",
    }
    assert (answer["data"]["verified"], answer["notes"][0][:12]) == (False, "not verified")


def test_the_payload_is_what_was_signed(cli: Cli) -> None:
    content = document(user_data=b"hello")
    write(content)
    assert cli("attest", "extract", "document.cbor", "payload", "--output", "payload.cbor").status == 0
    assert Path("payload.cbor").read_bytes() == cbor2.loads(content)[2]


def test_the_payload_comes_out_of_a_document_with_a_wrong_field(cli: Cli) -> None:
    write(document(digest="SHA256"))
    assert cli("attest", "extract", "document.cbor", "payload", "--output", "payload.cbor").status == 0
    ran = cli("attest", "extract", "document.cbor", "nonce")
    assert (ran.status, ran.stdout) == (1, "")
    assert "not a well-formed attestation document" in ran.stderr


def test_certificates_are_a_pem_chain_from_the_leaf_to_the_root(cli: Cli) -> None:
    write(document())
    assert cli("attest", "extract", "document.cbor", "certificates", "--output", "chain.pem").status == 0
    found = x509.load_pem_x509_certificates(Path("chain.pem").read_bytes())
    chain = documents.chain(documents.module_id())
    assert found == [identity.certificate for identity in reversed(chain)]
    same = cli("attest", "extract", "document.cbor", "certificates", "--pem", "--json").json["data"]["content"]
    assert same["sha256"] == hashlib.sha256(Path("chain.pem").read_bytes()).hexdigest()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
EC = ec.generate_private_key(ec.SECP256R1()).public_key()


@pytest.mark.parametrize(
    "content",
    [
        RSA.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        RSA.public_bytes(Encoding.DER, PublicFormat.PKCS1),
        RSA.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        EC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        EC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["rsa-der", "rsa-pkcs1-der", "rsa-pkcs1-pem", "ec-der", "ec-pem"],
)
def test_a_public_key_in_any_form_becomes_pem(cli: Cli, content: bytes) -> None:
    write(document(public_key=content))
    assert cli("attest", "extract", "document.cbor", "public-key", "--output", "raw").status == 0
    assert Path("raw").read_bytes() == content
    assert cli("attest", "extract", "document.cbor", "public-key", "--pem", "--output", "key.pem").status == 0
    pem = Path("key.pem").read_bytes()
    assert pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert load_pem_public_key(pem) in (RSA, EC)


def test_bytes_that_are_no_key_do_not_become_pem(cli: Cli) -> None:
    write(document(public_key=b"dummy"))
    ran = cli("attest", "extract", "document.cbor", "public-key", "--pem", "--output", "key.pem")
    assert ran == Ran(
        1,
        "",
        "nitroctl: note: document.cbor: the public key is 5 bytes that are not a key in a form that can be read; leave "
        "--pem out\n",
    )
    assert not Path("key.pem").exists()


def test_an_absent_field_is_a_no_and_an_empty_one_is_not(cli: Cli) -> None:
    write(document(user_data=b""))
    assert cli("attest", "extract", "document.cbor", "nonce", "--output", "nonce.bin") == Ran(
        1, "", "nitroctl: note: document.cbor: the document has no nonce\n"
    )
    assert not Path("nonce.bin").exists()
    assert cli("attest", "extract", "document.cbor", "user-data") == Ran(0, "", NOTE)
    data = cli("attest", "extract", "document.cbor", "public-key", "--json").json["data"]
    assert (data["found"], data["content"], data["reason"]) == (False, None, "the document has no public key")


def on_a_terminal(*argv: str) -> tuple[int, bytes]:
    """Return the exit status, and what the terminal got on standard output."""
    controller, terminal = pty.openpty()
    done = subprocess.run(program(*argv), stdout=terminal, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(controller, 4096):
            shown += piece
    except OSError:  # the terminal is closed: everything was read
        pass
    finally:
        os.close(controller)
    return done.returncode, shown


def test_a_terminal_gets_text_and_no_escapes() -> None:
    for content in (b"\x1b[2J", BINARY, b"\xc2\x9b31m", "\u202e".encode(), b"a\tb"):
        write(document(user_data=content))
        assert on_a_terminal("attest", "extract", "document.cbor", "user-data") == (2, b"")
    write(document(user_data="größe\nzwei\n".encode()))
    assert on_a_terminal("attest", "extract", "document.cbor", "user-data") == (0, "größe\r\nzwei\r\n".encode())
    status, shown = on_a_terminal("attest", "extract", "document.cbor", "certificates")
    assert (status, shown.count(b"-----BEGIN CERTIFICATE-----\r\n")) == (0, 5)


@pytest.mark.parametrize(
    "arguments", [["nonce", "--pem"], ["payload", "--pem"], ["signature"], [], ["nonce", "--format", "sarif"]]
)
def test_wrong_invocations(cli: Cli, arguments: list[str]) -> None:
    write(document(nonce=b"x"))
    assert cli("attest", "extract", "document.cbor", *arguments).status == 2


def test_a_file_that_cannot_be_written_is_one_clear_error(cli: Cli) -> None:
    write(document(nonce=b"x"))
    Path("directory").mkdir()
    for output, code in {"absent/nonce": "file.unwritable", "directory": "file.not-regular"}.items():
        ran = cli("attest", "extract", "document.cbor", "nonce", "--output", output, "--json")
        assert (ran.status, ran.json["errors"][0]["code"]) == (3, code)


def test_a_full_disk_is_one_clear_error() -> None:
    write(document(user_data=BINARY))
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        argv = program("attest", "extract", "document.cbor", "user-data")
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 3
    assert b"standard output: cannot write: no space left on device [file.unwritable]" in done.stderr


def test_every_part_of_every_captured_document(cli: Cli) -> None:
    for path in [*sorted(vectors("attestation").glob("*.cbor")), *sorted(vectors("nitrotpm").glob("*.cbor"))]:
        for part in ("public-key", "user-data", "nonce", "certificates", "payload"):
            answer = cli("attest", "extract", str(path), part, "--json").json
            data = answer["data"]
            assert answer["exit_code"] == (0 if data["found"] else 1)
            assert data["found"] or path.name.startswith("bad-") or data["reason"].startswith("the document has no ")
