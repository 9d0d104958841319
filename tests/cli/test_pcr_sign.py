"""``nitroctl pcr sign``, ``export`` and ``verify --key``: whole outputs, and openssl as the second opinion."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.conftest import Cli, Ran
from tests.records import active, entry, full, write
from tests.schemas import validator

KEYS: dict[str, Callable[[], ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey]] = {
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory of its own, with a ledger."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "measurements.json", full(), entry("1.5.0"))
    return tmp_path


def write_keys(kind: str, name: str = "key") -> None:
    key = KEYS[kind]()
    Path(name).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    Path(f"{name}.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@pytest.mark.parametrize("kind", KEYS)
def test_what_is_signed_is_verified(cli: Cli, kind: str) -> None:
    write_keys(kind)
    digest = hashlib.sha256(Path("measurements.json").read_bytes()).hexdigest()
    assert cli("pcr", "sign", "--key", "key") == Ran(
        0,
        f"measurements.json signed into measurements.json.sig\nSHA-256      {digest}\nof the file  measurements.json\n",
        "",
    )
    first = Path("measurements.json.sig").read_bytes()
    ran = cli("pcr", "sign", "--key", "key", "--output", "again.sig", "--json").json["data"]
    assert (ran["sha256"], ran["public_key"]) == (digest, Path("key.pub").read_text())
    assert Path("again.sig").read_bytes() == first
    assert cli("pcr", "verify", "--key", "key.pub") == Ran(
        0,
        "✓ yes: measurements.json is in order\n"
        "entries  2: 1 candidate, 1 active, 0 retired, 0 revoked\n"
        "✓ The file is written in the canonical form\n"
        "✓ The signature is that of the given key over the file\n",
        "",
    )
    Path("moved.json").write_bytes(Path("measurements.json").read_bytes())
    assert cli("pcr", "verify", "moved.json", "--key", "key.pub", "--signature", "again.sig").status == 0


@pytest.mark.parametrize("kind", KEYS)
def test_what_changed_after_it_was_signed_is_refused(cli: Cli, kind: str) -> None:
    write_keys(kind)
    write_keys(kind, "other")
    cli("pcr", "sign", "--key", "key")
    assert cli("pcr", "verify", "--key", "other.pub").status == 1
    write(Path("measurements.json"), full())
    assert cli("pcr", "verify", "--key", "key.pub") == Ran(
        1,
        "✗ no: measurements.json: measurements.json.sig is no signature of key.pub over these bytes\n"
        "entries  1: 0 candidate, 1 active, 0 retired, 0 revoked\n"
        "✓ The file is written in the canonical form\n"
        "✗ The signature is that of the given key over the file\n"
        "  measurements.json.sig is no signature of key.pub over these bytes\n"
        "  fix: see what changed since it was signed (pcr verify --against); then sign it again\n"
        "  [records.signature]\n",
        "",
    )
    Path("measurements.json.sig").write_bytes(b"")
    assert cli("pcr", "verify", "--key", "key.pub").status == 1


def test_openssl_says_the_same(cli: Cli) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    write_keys("p384")
    cli("pcr", "sign", "--key", "key")
    words = [
        openssl,
        "dgst",
        "-sha384",
        "-verify",
        "key.pub",
        "-signature",
        "measurements.json.sig",
        "measurements.json",
    ]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    made = [openssl, "dgst", "-sha384", "-sign", "key", "-out", "measurements.json.sig", "measurements.json"]
    assert subprocess.run(made, capture_output=True, check=False).returncode == 0
    assert cli("pcr", "verify", "--key", "key.pub").status == 0


def unusable() -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    write_keys("p384")
    Path("rsa").write_bytes(rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    Path("rsa.pub").write_bytes(rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    p256 = ec.generate_private_key(ec.SECP256R1())
    Path("p256").write_bytes(p256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    locked = p256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    Path("locked").write_bytes(locked)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("sign", "--key", "rsa"), 3, "rsa: neither a P-384 nor an Ed25519 key [records.signing-key]"),
        (("sign", "--key", "p256"), 3, "p256: neither a P-384 nor an Ed25519 key [records.signing-key]"),
        (("sign", "--key", "locked"), 3, "locked: the key is encrypted with a passphrase [records.signing-key]"),
        (("sign", "--key", "key.pub"), 3, "key.pub: not a private key in PEM [records.signing-key]"),
        (("sign", "--key", "none"), 3, "none: cannot read: no such file or directory [file.unreadable]"),
        (
            ("sign", "--key", "key", "--output", "-"),
            2,
            "the ledger and its signature are files, not standard input [usage.invalid]",
        ),
        (("verify", "--key", "rsa.pub"), 3, "rsa.pub: neither a P-384 nor an Ed25519 key [records.signing-key]"),
        (("verify", "--key", "key"), 3, "key: not a public key in PEM [records.signing-key]"),
        (("verify", "--signature", "x"), 2, "--signature is verified with a key [usage.invalid]"),
        (("verify", "-", "--key", "key.pub"), 2, "standard input has no signature beside it [usage.invalid]"),
    ],
)
def test_keys_that_cannot(cli: Cli, words: tuple[str, ...], status: int, message: str) -> None:
    unusable()
    Path("measurements.json.sig").write_bytes(b"before")
    ran = cli("pcr", *words)
    assert (ran.status, ran.stdout, ran.stderr.splitlines()[0]) == (status, "", f"nitroctl: error: {message}")
    assert Path("measurements.json.sig").read_bytes() == b"before"


def test_what_another_program_wrote_is_not_signed(cli: Cli) -> None:
    write_keys("p384")
    Path("measurements.json").write_text(Path("measurements.json").read_text().replace("  ", " "))
    ran = cli("pcr", "sign", "--key", "key")
    assert ran.stderr.startswith(
        "nitroctl: error: measurements.json: not in the canonical form, so the next recording would break the signature"
    )
    assert not Path("measurements.json.sig").exists()


def test_a_statement_about_the_image_file(cli: Cli) -> None:
    recorded = full()
    ran = cli("pcr", "export", "signer-1.4.2@prod")
    statement = json.loads(ran.stdout)
    members = recorded.as_json()
    expected = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "signer.eif", "digest": {"sha256": "ab" * 32}}],
        "predicateType": "urn:nitroctl:predicate.measurements:1",
        "predicate": {
            name: members[name]
            for name in (
                "id",
                "component",
                "environment",
                "platform",
                "version",
                "measurements",
                "pin",
                "source",
                "build",
                "signer",
            )
        },
    }
    assert statement == expected
    assert (
        ran.stderr
        == "nitroctl: note: nobody has signed this; its predicate type is urn:nitroctl:predicate.measurements:1\n"
    )
    validator("predicate.measurements.1").validate(statement["predicate"])
    assert cli("pcr", "export", "signer-1.4.2", "--json").json["data"]["statement"] == expected
    assert json.loads(cli("pcr", "export", "signer-1.4.2", "--predicate").stdout) == expected["predicate"]
    assert cli("pcr", "export", "signer-1.4.2", "--output", "s.json").stdout == "signer-1.4.2@prod written to s.json\n"
    assert json.loads(Path("s.json").read_text()) == expected


def test_a_statement_can_be_imported_elsewhere(cli: Cli) -> None:
    cli("pcr", "export", "signer-1.4.2", "--output", "s.json")
    naming = ("--component", "signer", "--environment", "prod", "--release", "1.4.2", "--records", "other.json")
    assert cli("pcr", "import", "s.json", *naming).status == 0
    assert cli("pcr", "diff", "measurements.json", "other.json").status == 1
    assert cli("pcr", "diff", "signer-1.4.2@prod", "s.json").status == 0


def test_there_is_no_statement_about_an_unknown_file(cli: Cli) -> None:
    write(Path("measurements.json"), active("1.4.2"))
    assert cli("pcr", "export", "signer-1.4.2") == Ran(
        3,
        "",
        "nitroctl: error: signer-1.4.2@prod: the image file is not recorded, and a statement is about a file's digest "
        "[records.no-artifact]\n"
        "nitroctl: hint: record the version from the image: nitroctl pcr record --eif FILE\n",
    )


@pytest.mark.parametrize("target", ["measurements.json", "./measurements.json", "link", "key"])
def test_a_signature_is_not_written_over_what_was_read(cli: Cli, target: str) -> None:
    write_keys("ed25519")
    Path("link").symlink_to("measurements.json")
    before = Path("measurements.json").read_bytes(), Path("key").read_bytes()
    ran = cli("pcr", "sign", "--key", "key", "--output", target)
    assert (ran.status, ran.stdout) == (2, "")
    assert f"--output {target}: this would write over" in ran.stderr
    assert (Path("measurements.json").read_bytes(), Path("key").read_bytes()) == before


def test_a_statement_is_not_written_over_the_ledger(cli: Cli) -> None:
    before = Path("measurements.json").read_bytes()
    ran = cli("pcr", "export", "signer-1.4.2@prod", "--output", "measurements.json")
    assert ran == Ran(
        2,
        "",
        "nitroctl: error: --output measurements.json: this would write over measurements.json [usage.invalid]\n"
        "nitroctl: hint: name another file\n",
    )
    assert Path("measurements.json").read_bytes() == before
