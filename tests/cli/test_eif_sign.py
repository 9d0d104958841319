"""``nitroctl eif sign`` and ``unsign``: whole outputs, and files that are as they were whenever the answer is no."""

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import images
from tests.conftest import Cli, as_nobody, program, vectors
from tests.fakes import kms_signing
from tests.fakes.kms_signing import ALIAS, ARN, REQUEST_ID, Kms, Refusal
from tests.images import GOOD, forge

PCRS = {f"PCR{index}": value.hex() for index, value in images.registers(forge()).items()}
STAY = "PCR0, PCR1 and PCR2 are what they were"


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with an image, a key and its certificate, on a day on which the certificate holds."""
    monkeypatch.chdir(tmp_path)
    save(forge())
    pair("secp384r1", "key.pem", "certificate.pem")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: datetime(2026, 6, 1, tzinfo=UTC))


def save(image: bytes, name: str = "image.eif") -> str:
    Path(name).write_bytes(image)
    return name


def pair(curve: str, key: str, certificate: str, *, name: str = "tests") -> tuple[bytes, bytes]:
    private, public = images.pair(curve, name=name)
    Path(key).write_bytes(private)
    Path(certificate).write_bytes(public)
    return private, public


def pcr8(certificate_pem: bytes) -> str:
    return images.extended(hashlib.sha384(images.der(certificate_pem)).digest()).hex()


def sha256(name: str) -> str:
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def certificate_lines(certificate_pem: bytes, subject: str = "CN=tests") -> str:
    return (
        f"  subject    {subject}\n"
        f"  issuer     {subject}\n"
        "  serial     1234\n"
        f"  sha256     {hashlib.sha256(images.der(certificate_pem)).hexdigest()}\n"
        "  from       2026-01-01T00:00:00Z\n"
        "  to         2027-01-01T00:00:00Z\n"
    )


SIGN = ("eif", "sign", "image.eif", "--private-key", "key.pem", "--signing-certificate", "certificate.pem")


def test_signing_adds_a_signature_and_says_by_whom(cli: Cli) -> None:
    certificate = images.pair("secp384r1")[1]
    ran = cli(*SIGN)
    assert ran.stdout == (
        f"✓ image.eif: signed by CN=tests; {STAY}\n"
        f"sha256  {sha256('image.eif')}\n"
        f"size    {Path('image.eif').stat().st_size} bytes\n"
        "\n"
        "Signature\n"
        "  algorithm  ES384, deterministic (RFC 6979)\n"
        "  key        key.pem\n"
        f"{certificate_lines(certificate)}"
        "  as of      2026-06-01T00:00:00Z\n"
        "\n"
        "Measurements\n"
        f"  PCR0         {PCRS['PCR0']}\n"
        f"  PCR1         {PCRS['PCR1']}\n"
        f"  PCR2         {PCRS['PCR2']}\n"
        f"  PCR8         {pcr8(certificate)}\n"
        "  PCR8 before  absent: the image was not signed\n"
    )
    assert (ran.stderr, ran.status) == ("", 0)


def test_signing_changes_nothing_but_table_checksum_and_signature(cli: Cli) -> None:
    before = forge(flags=0x241)
    save(before)
    assert cli(*SIGN, "--quiet").status == 0
    after = Path("image.eif").read_bytes()
    section = after[len(before) :]
    slot = 28 + 8 * len(GOOD)
    expected = bytearray(before + section)
    expected[26:28] = (len(GOOD) + 1).to_bytes(2)
    expected[slot : slot + 8] = len(before).to_bytes(8)
    expected[256 + slot : 264 + slot] = (len(section) - 12).to_bytes(8)
    expected[544:548] = zlib.crc32(expected[548:], zlib.crc32(expected[:544])).to_bytes(4)
    assert after == expected
    assert section[:4] == b"\0\x04\0\0"


def test_signing_again_says_whose_signature_it_replaces(cli: Cli) -> None:
    first = images.pair("secp384r1")[1]
    second = pair("secp521r1", "other.pem", "other-certificate.pem", name="other")[1]
    cli(*SIGN)
    ran = cli(
        "eif", "sign", "image.eif", "--private-key", "other.pem", "--signing-certificate", "other-certificate.pem"
    )
    assert ran.stdout == (
        f"✓ image.eif: signed by CN=other in place of CN=tests; {STAY}\n"
        f"sha256  {sha256('image.eif')}\n"
        f"size    {Path('image.eif').stat().st_size} bytes\n"
        "\n"
        "Signature\n"
        "  algorithm  ES512, deterministic (RFC 6979)\n"
        "  key        other.pem\n"
        f"{certificate_lines(second, 'CN=other')}"
        "  as of      2026-06-01T00:00:00Z\n"
        "\n"
        "Signature before\n"
        "  algorithm  ES384\n"
        f"{certificate_lines(first)}"
        "\n"
        "Measurements\n"
        f"  PCR0         {PCRS['PCR0']}\n"
        f"  PCR1         {PCRS['PCR1']}\n"
        f"  PCR2         {PCRS['PCR2']}\n"
        f"  PCR8         {pcr8(second)}\n"
        f"  PCR8 before  {pcr8(first)}\n"
    )
    assert ran.stderr == (
        "nitroctl: note: what asks for the old PCR8 (key policies, records) does not accept this image\n"
    )
    assert cli("eif", "measure", "image.eif").status == 0


def test_signing_in_json(cli: Cli) -> None:
    certificate = images.pair("secp384r1")[1]
    data = cli(*SIGN, "--output-file", "signed.eif", "--json").json["data"]
    assert data["report"]["verdict"] == "pass"
    del data["report"]
    assert data == {
        "file": "image.eif",
        "output_file": "signed.eif",
        "written": True,
        "as_of": "2026-06-01T00:00:00Z",
        "size_bytes": Path("signed.eif").stat().st_size,
        "sha256": sha256("signed.eif"),
        "pcrs": {**PCRS, "PCR8": pcr8(certificate)},
        "pcr8": {"before": None, "after": pcr8(certificate)},
        "signature": {
            "algorithm": "ES384",
            "deterministic": True,
            "key": {"kind": "file", "name": "key.pem"},
            "certificate": {
                "subject": "CN=tests",
                "issuer": "CN=tests",
                "serial": "1234",
                "curve": "secp384r1",
                "not_before": "2026-01-01T00:00:00Z",
                "not_after": "2027-01-01T00:00:00Z",
                "sha256": hashlib.sha256(images.der(certificate)).hexdigest(),
                "pcr8": pcr8(certificate),
            },
        },
        "replaced": None,
        "remarks": [],
    }
    assert Path("image.eif").read_bytes() == forge()


def test_the_replaced_signature_is_in_the_json(cli: Cli) -> None:
    pair("secp256r1", "other.pem", "other-certificate.pem", name="other")
    cli(*SIGN)
    argv = ("--private-key", "other.pem", "--signing-certificate", "other-certificate.pem", "--json")
    data = cli("eif", "sign", "image.eif", *argv).json["data"]
    assert (data["replaced"]["algorithm"], data["replaced"]["certificate"]["subject"]) == ("ES384", "CN=tests")
    assert data["pcr8"]["before"] == data["replaced"]["certificate"]["pcr8"]
    assert data["pcr8"]["after"] == data["signature"]["certificate"]["pcr8"] == data["pcrs"]["PCR8"]


def test_signing_twice_with_one_key_leaves_the_file_alone(cli: Cli) -> None:
    cli(*SIGN)
    before = (Path("image.eif").stat().st_ino, sha256("image.eif"))
    ran = cli(*SIGN)
    assert ran.stdout.splitlines()[0] == (
        "✓ image.eif: is signed by CN=tests already, with these very bytes; it is not touched"
    )
    assert (Path("image.eif").stat().st_ino, sha256("image.eif")) == before
    data = cli(*SIGN, "--json").json["data"]
    assert (data["written"], data["replaced"]) == (False, None)


def test_the_same_image_key_and_certificate_give_the_same_bytes(cli: Cli) -> None:
    cli(*SIGN, "--output-file", "one.eif")
    cli(*SIGN, "--output-file", "two.eif")
    assert Path("one.eif").read_bytes() == Path("two.eif").read_bytes()


def test_a_library_without_deterministic_signatures_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.eif.sign._ecdsa", lambda algorithm: (ec.ECDSA(algorithm), False))
    ran = cli(*SIGN)
    assert "  algorithm  ES384, not deterministic: signing again gives other bytes\n" in ran.stdout
    assert ran.stderr == (
        "nitroctl: note: the OpenSSL behind nitroctl has no deterministic ECDSA (RFC 6979), which came with 3.2: "
        "signing this image again gives other bytes\n"
    )
    again = cli(*SIGN)
    assert again.stdout.splitlines()[0] == "✓ image.eif: signed again by CN=tests; every register is what it was"
    assert cli("eif", "measure", "image.eif").status == 0


def test_an_image_that_does_not_measure_is_not_signed(cli: Cli) -> None:
    damaged = save(forge(crc=1))
    before = Path(damaged).read_bytes()
    ran = cli(*SIGN)
    real = zlib.crc32(before[548:], zlib.crc32(before[:544]))
    assert ran.stdout == (
        "✗ image.eif: not signed, and nothing is written: the file was damaged or altered after it was written\n"
        f"sha256  {sha256('image.eif')}\n"
        f"size    {len(before)} bytes\n"
        "✗ The checksum in the header is that of the file\n"
        "  the file was damaged or altered after it was written\n"
        "  expected  00000001\n"
        f"  actual    {real:08x}\n"
        "  fix: copy it again, or build it again\n"
        "  [eif.crc]\n"
        "\n"
        "What readers that do not check would compute\n"
        f"  PCR0  {PCRS['PCR0']}\n"
        f"  PCR1  {PCRS['PCR1']}\n"
        f"  PCR2  {PCRS['PCR2']}\n"
    )
    assert (ran.stderr, ran.status) == ("", 1)
    assert Path(damaged).read_bytes() == before
    data = cli(*SIGN, "--output-file", "out.eif", "--json").json["data"]
    assert (data["written"], data["pcrs"], data["signature"]) == (False, {}, None)
    assert not Path("out.eif").exists()


def test_a_signature_that_does_not_hold_is_not_signed_over(cli: Cli) -> None:
    cli(*SIGN)
    signed = Path("image.eif").read_bytes()
    other = forge(
        [*GOOD[:-1], (images.RAMDISK, b"another application"), (images.SIGNATURE, signed[len(forge()) + 12 :])]
    )
    save(other)
    ran = cli(*SIGN)
    assert ran.status == 1
    assert ran.stdout.startswith(
        f"✗ image.eif: not signed, and nothing is written: the signature is about PCR0 {PCRS['PCR0']}\n"
    )
    assert Path("image.eif").read_bytes() == other


def test_a_certificate_out_of_its_dates_is_a_warning(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: datetime(2028, 1, 1, tzinfo=UTC))
    ran = cli(*SIGN)
    assert ran.stdout.endswith(
        "! The signing certificate is within its dates\n"
        "  2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z; as of 2028-01-01T00:00:00Z it had expired\n"
        "  fix: nitro-cli run-enclave refuses the image: sign it with a current certificate\n"
        "  [eif.certificate-dates]\n"
    )
    assert ran.status == 0


@pytest.mark.parametrize("at", ["now", "2028-01-01T00:00:00Z"])
def test_with_at_a_certificate_out_of_its_dates_is_a_no(cli: Cli, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: datetime(2028, 1, 1, tzinfo=UTC))
    dates = (
        "the certificate's dates are 2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z; "
        "as of 2028-01-01T00:00:00Z it had expired"
    )
    ran = cli(*SIGN, "--at", at)
    assert ran.stdout == (
        f"✗ image.eif: not signed, and nothing is written: {dates}\n"
        f"sha256  {sha256('image.eif')}\n"
        f"size    {len(forge())} bytes\n"
        "✗ The signing certificate is within its dates\n"
        f"  {dates}\n"
        "  fix: sign with a certificate that holds then\n"
        "  [eif.certificate-dates]\n"
    )
    assert (ran.stderr, ran.status) == ("", 1)
    assert Path("image.eif").read_bytes() == forge()


@pytest.mark.parametrize(
    ("name", "shown"),
    [("", "a certificate without a name"), ("a\x1b[31m\u202eb", "CN=a\\x1b[31m\\u202eb")],
)
def test_whatever_the_signer_calls_himself_is_shown_as_text(cli: Cli, name: str, shown: str) -> None:
    if name:
        pair("secp384r1", "key.pem", "certificate.pem", name=name)
    else:
        key = serialization.load_pem_private_key(images.pair()[0], None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        nameless = x509.Name([])
        made = x509.CertificateBuilder().subject_name(nameless).issuer_name(nameless).serial_number(0x1234)
        made = made.not_valid_before(images.NOT_BEFORE).not_valid_after(images.NOT_AFTER).public_key(key.public_key())
        pem = made.sign(key, hashes.SHA384()).public_bytes(serialization.Encoding.PEM)
        Path("certificate.pem").write_bytes(pem)
    assert cli(*SIGN).stdout.splitlines()[0] == f"✓ image.eif: signed by {shown}; {STAY}"
    ran = cli("eif", "unsign", "image.eif")
    assert ran.stdout.splitlines()[0] == f"✓ image.eif: the signature by {shown} is gone; {STAY}"


def test_with_at_a_certificate_within_its_dates_signs(cli: Cli) -> None:
    ran = cli(*SIGN, "--at", "2026-07-01T00:00:00Z", "--json")
    assert (ran.status, ran.json["data"]["as_of"]) == (0, "2026-07-01T00:00:00Z")


def encrypted_key() -> bytes:
    key = serialization.load_pem_private_key(images.pair()[0], None)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )


def test_an_encrypted_key_is_refused_with_the_way_out(cli: Cli) -> None:
    Path("key.pem").write_bytes(encrypted_key())
    ran = cli(*SIGN)
    assert ran.stderr == (
        "nitroctl: error: key.pem: the key cannot be used: it is encrypted [eif.signing-key]\n"
        "nitroctl: hint: give the key unencrypted, from memory: "
        "openssl pkey -in key.pem | nitroctl eif sign ... --private-key -\n"
        "nitroctl: hint: or keep the key in KMS and give its ARN\n"
    )
    assert (ran.stdout, ran.status) == ("", 3)
    assert Path("image.eif").read_bytes() == forge()


def test_the_key_can_come_from_standard_input(cli: Cli) -> None:
    argv = ("eif", "sign", "image.eif", "--private-key", "-", "--signing-certificate", "certificate.pem")
    ran = cli(*argv, stdin=images.pair()[0])
    assert ran.stdout.splitlines()[0] == f"✓ image.eif: signed by CN=tests; {STAY}"


def test_key_and_certificate_cannot_both_be_standard_input(cli: Cli) -> None:
    ran = cli("eif", "sign", "image.eif", "--private-key", "-", "--signing-certificate", "-")
    assert ran.stderr == (
        "nitroctl: error: standard input can be the key or the certificate, not both [usage.invalid]\n"
    )
    assert ran.status == 2


def test_a_key_of_another_certificate_is_refused(cli: Cli) -> None:
    pair("secp384r1", "other.pem", "other-certificate.pem", name="other")
    ran = cli("eif", "sign", "image.eif", "--private-key", "other.pem", "--signing-certificate", "certificate.pem")
    assert ran.stderr == (
        "nitroctl: error: other.pem: the key is not that of the certificate certificate.pem [eif.signing-key]\n"
        "nitroctl: hint: name the two halves of one pair\n"
    )
    assert (ran.stdout, ran.status) == ("", 3)
    assert Path("image.eif").read_bytes() == forge()


def test_a_private_key_never_gets_into_an_image(cli: Cli) -> None:
    both = images.pair()[0] + images.pair()[1]
    Path("both.pem").write_bytes(both)
    ran = cli("eif", "sign", "image.eif", "--private-key", "both.pem", "--signing-certificate", "both.pem")
    assert ran.stderr == (
        "nitroctl: error: both.pem: a private key is in it, and the whole file would be stored in the image "
        "[eif.signing-certificate]\n"
        "nitroctl: hint: name a PEM file that holds the certificate alone\n"
    )
    assert ran.status == 3
    assert Path("image.eif").read_bytes() == forge()


def test_an_image_of_a_format_without_signatures_is_not_signed(cli: Cli) -> None:
    parts = [part for part in GOOD if part[0] != images.METADATA]
    save(forge(parts, version=2))
    ran = cli(*SIGN)
    assert ran.stderr == (
        "nitroctl: error: image.eif: cannot be signed: version 2 of the format has no signatures [eif.not-signable]\n"
        "nitroctl: hint: build it again\n"
    )
    assert ran.status == 3
    assert Path("image.eif").read_bytes() == forge(parts, version=2)


@pytest.mark.parametrize("verb", ["sign", "unsign"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: None, "nothing.eif: cannot read: no such file or directory [file.unreadable]"),
        (lambda: Path("nothing.eif").mkdir(), "nothing.eif: is a directory [file.unwritable]"),
        (lambda: os.mkfifo("nothing.eif"), "nothing.eif: not a regular file [file.not-regular]"),
    ],
)
def test_what_is_no_file_is_told(cli: Cli, verb: str, make: object, said: str) -> None:
    assert callable(make)
    make()
    argv = SIGN[3:] if verb == "sign" else ()
    ran = cli("eif", verb, "nothing.eif", *argv)
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: {said}"
    assert (ran.stdout, ran.status) == ("", 3)


@pytest.mark.parametrize("verb", ["sign", "unsign"])
@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(2000), forge()[:-1]])
def test_what_is_no_image_is_a_no(cli: Cli, verb: str, content: bytes) -> None:
    save(content)
    ran = cli("eif", verb, "image.eif", *(SIGN[3:] if verb == "sign" else ()), "--json")
    assert (ran.status, ran.json["data"]["written"]) == (1, False)
    assert Path("image.eif").read_bytes() == content


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("-", "--output-file -: an image is not written to standard output [usage.invalid]"),
        ("key.pem", "--output-file key.pem: it is key.pem, which the image would replace [usage.invalid]"),
        (
            "./certificate.pem",
            "--output-file ./certificate.pem: it is certificate.pem, which the image would replace [usage.invalid]",
        ),
        (".", ".: is a directory [file.unwritable]"),
        ("missing/out.eif", "missing/out.eif: cannot write: no such file or directory [file.unwritable]"),
    ],
)
def test_an_output_that_cannot_be_is_refused(cli: Cli, output: str, said: str) -> None:
    files = {path.name: path.read_bytes() for path in Path().iterdir()}
    ran = cli(*SIGN, "--output-file", output)
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: {said}"
    assert ran.status in (2, 3)
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == files


def test_owner_mode_and_links_survive(cli: Cli) -> None:
    Path("image.eif").chmod(0o640)
    Path("link.eif").symlink_to("image.eif")
    if os.geteuid() == 0:
        os.chown("image.eif", 65534, 65534)
    owner = Path("image.eif").stat()
    argv = ("--private-key", "key.pem", "--signing-certificate", "certificate.pem")
    assert cli("eif", "sign", "link.eif", *argv).status == 0
    after = Path("image.eif").stat()
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (0o640, owner.st_uid, owner.st_gid)
    assert Path("link.eif").is_symlink()
    assert after.st_size > len(forge())


def test_a_user_without_rights_changes_nothing() -> None:
    nobody = as_nobody()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        for name in ("image.eif", "key.pem", "certificate.pem"):
            shutil.copy(name, directory)
            Path(directory, name).chmod(0o644)
        done = subprocess.run([*nobody, *program(*SIGN)], capture_output=True, text=True, check=False, cwd=directory)
        assert done.stderr == (
            "nitroctl: error: image.eif: cannot write: permission denied [file.unwritable]\n"
            "nitroctl: hint: run it as the file's owner, or with sudo\n"
        )
        assert (done.stdout, done.returncode) == ("", 3)
        assert sorted(path.name for path in Path(directory).iterdir()) == ["certificate.pem", "image.eif", "key.pem"]
        assert Path(directory, "image.eif").read_bytes() == forge()


def test_openssl_takes_the_signature(cli: Cli, tmp_path: Path) -> None:
    """A second implementation: the COSE_Sign1's signature by the certificate in the image."""
    import cbor2
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    cli(*SIGN)
    section = Path("image.eif").read_bytes()[len(forge()) + 12 :]
    entry = cbor2.loads(section)[0]
    protected, _, payload, value = cbor2.loads(bytes(entry["signature"]))
    Path("stored.pem").write_bytes(bytes(entry["signing_certificate"]))
    Path("message").write_bytes(cbor2.dumps(["Signature1", protected, b"", payload]))
    Path("value").write_bytes(encode_dss_signature(int.from_bytes(value[:48]), int.from_bytes(value[48:])))
    public = subprocess.run(
        ["openssl", "x509", "-in", "stored.pem", "-noout", "-pubkey"], capture_output=True, check=True
    ).stdout
    Path("public.pem").write_bytes(public)
    argv = ["openssl", "dgst", "-sha384", "-verify", "public.pem", "-signature", "value", "message"]
    assert subprocess.run(argv, capture_output=True, check=True).stdout == b"Verified OK\n"
    assert cbor2.loads(payload) == {"register_index": 0, "register_value": list(bytes.fromhex(PCRS["PCR0"]))}


@pytest.mark.parametrize("verb", ["sign", "unsign"])
def test_every_malformed_image_is_answered_and_what_is_written_measures_the_same(cli: Cli, verb: str) -> None:
    seen = {"written": 0, "not written": 0}
    for path in sorted(vectors("eif", "malformed").glob("*.eif")):
        before = path.read_bytes()
        argv = SIGN[3:] if verb == "sign" else ()
        ran = cli("eif", verb, str(path), *argv, "--output-file", "out.eif", "--json")
        assert path.read_bytes() == before
        document = ran.json
        if ran.status == 0:
            measured = cli("eif", "measure", str(path), "--json").json["data"]
            expected = {name: value for name, value in measured["pcrs"].items() if name != "PCR8"}
            assert {name: document["data"]["pcrs"][name] for name in expected} == expected
            assert Path("out.eif").read_bytes()[:26] == before[:26]
            Path("out.eif").unlink()
            seen["written"] += 1
        else:
            assert ran.status in (1, 3), path.name
            assert not Path("out.eif").exists()
            seen["not written"] += 1
    assert all(seen.values()), seen


# -- unsign


def test_unsigning_gives_the_unsigned_image_back(cli: Cli) -> None:
    certificate = images.pair("secp384r1")[1]
    cli(*SIGN)
    ran = cli("eif", "unsign", "image.eif")
    assert ran.stdout == (
        f"✓ image.eif: the signature by CN=tests is gone; {STAY}\n"
        f"sha256  {hashlib.sha256(forge()).hexdigest()}\n"
        f"size    {len(forge())} bytes\n"
        "\n"
        "Signature before\n"
        "  algorithm  ES384\n"
        f"{certificate_lines(certificate)}"
        "\n"
        "Measurements\n"
        f"  PCR0         {PCRS['PCR0']}\n"
        f"  PCR1         {PCRS['PCR1']}\n"
        f"  PCR2         {PCRS['PCR2']}\n"
        "  PCR8         absent: the image is not signed\n"
        f"  PCR8 before  {pcr8(certificate)}\n"
    )
    assert ran.stderr == "nitroctl: note: what asks for PCR8 (key policies, records) does not accept this image\n"
    assert ran.status == 0
    assert Path("image.eif").read_bytes() == forge()


def test_unsigning_in_json(cli: Cli) -> None:
    certificate = images.pair("secp384r1")[1]
    cli(*SIGN)
    data = cli("eif", "unsign", "image.eif", "--output-file", "unsigned.eif", "--json").json["data"]
    assert (data["written"], data["output_file"], data["sha256"]) == (True, "unsigned.eif", sha256("unsigned.eif"))
    assert data["pcr8"] == {"before": pcr8(certificate), "after": None}
    assert data["removed"]["certificate"]["subject"] == "CN=tests"
    assert data["pcrs"] == PCRS
    assert Path("unsigned.eif").read_bytes() == forge()
    assert Path("image.eif").read_bytes() != forge()


def test_unsigning_what_is_not_signed_does_nothing(cli: Cli) -> None:
    before = Path("image.eif").stat().st_ino
    ran = cli("eif", "unsign", "image.eif")
    assert ran.stdout == (
        "✓ image.eif: is not signed, so there is nothing to take out\n"
        f"sha256  {hashlib.sha256(forge()).hexdigest()}\n"
        f"size    {len(forge())} bytes\n"
        "\n"
        "Measurements\n"
        f"  PCR0  {PCRS['PCR0']}\n"
        f"  PCR1  {PCRS['PCR1']}\n"
        f"  PCR2  {PCRS['PCR2']}\n"
    )
    assert (ran.stderr, ran.status, Path("image.eif").stat().st_ino) == ("", 0, before)


def test_unsigning_what_is_not_signed_to_another_file_copies_it(cli: Cli) -> None:
    ran = cli("eif", "unsign", "image.eif", "--output-file", "copy.eif")
    assert ran.stdout.splitlines()[0] == (
        "✓ image.eif: is not signed, so there is nothing to take out; copy.eif is a copy"
    )
    assert Path("copy.eif").read_bytes() == forge()


def test_an_image_by_the_aws_builder_is_signed_and_unsigned_without_a_trace(cli: Cli) -> None:
    original = vectors("eif", "ref-tiny-unsigned.eif").read_bytes()
    save(original)
    assert cli(*SIGN).status == 0
    assert cli("eif", "unsign", "image.eif").status == 0
    assert Path("image.eif").read_bytes() == original


def test_an_image_that_aws_signed_is_signed_again(cli: Cli) -> None:
    save(vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif").read_bytes())
    ran = cli(*SIGN)
    assert ran.stdout.splitlines()[0] == (
        f"✓ image.eif: signed by CN=tests in place of CN=eif-corpus-p384,O=Test,C=US; {STAY}"
    )
    assert cli("eif", "measure", "image.eif").status == 0


# -- KMS


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kms]:
    with kms_signing.running(Kms(images.pair()[0])) as service:
        kms_signing.reachable(service, monkeypatch)
        yield service


def with_kms(arn: str = ARN) -> tuple[str, ...]:
    return ("eif", "sign", "image.eif", "--private-key", arn, "--signing-certificate", "certificate.pem")


def test_a_key_in_kms_signs(cli: Cli, kms: Kms) -> None:
    certificate = images.pair("secp384r1")[1]
    ran = cli(*with_kms())
    assert ran.stdout == (
        f"✓ image.eif: signed by CN=tests; {STAY}\n"
        f"sha256  {sha256('image.eif')}\n"
        f"size    {Path('image.eif').stat().st_size} bytes\n"
        "\n"
        "Signature\n"
        "  algorithm  ES384, not deterministic: signing again gives other bytes\n"
        f"  key        {ARN}\n"
        f"{certificate_lines(certificate)}"
        "  as of      2026-06-01T00:00:00Z\n"
        "\n"
        "Measurements\n"
        f"  PCR0         {PCRS['PCR0']}\n"
        f"  PCR1         {PCRS['PCR1']}\n"
        f"  PCR2         {PCRS['PCR2']}\n"
        f"  PCR8         {pcr8(certificate)}\n"
        "  PCR8 before  absent: the image was not signed\n"
    )
    assert (ran.stderr, ran.status) == ("", 0)
    assert kms.operations == ["GetPublicKey", "Sign"]
    assert cli("eif", "measure", "image.eif").status == 0


def test_an_alias_is_looked_up_once_and_its_key_signs(cli: Cli, kms: Kms) -> None:
    ran = cli(*with_kms(ALIAS), "--json")
    data = ran.json["data"]
    assert data["signature"]["key"] == {"kind": "kms", "name": ARN}
    assert data["remarks"] == [
        f"{ALIAS} leads to {ARN} today; nitro-cli takes no alias: it would look for a file of that name"
    ]
    assert [(operation, body["KeyId"]) for operation, body in kms.requests] == [("GetPublicKey", ALIAS), ("Sign", ARN)]


def test_no_request_is_made_for_an_image_that_is_not_signed(cli: Cli, kms: Kms) -> None:
    save(forge(crc=1))
    assert cli(*with_kms()).status == 1
    assert kms.requests == []


def test_no_signature_is_asked_for_with_a_certificate_out_of_its_dates(cli: Cli, kms: Kms) -> None:
    assert cli(*with_kms(), "--at", "2028-01-01T00:00:00Z").status == 1
    assert kms.operations == ["GetPublicKey"]


def denied(kms: Kms) -> None:
    message = "User: arn:aws:iam::123456789012:user/me is not authorized to perform: kms:Sign on this resource."
    kms.knobs.refuse["Sign"] = Refusal("AccessDeniedException", message)


def throttled(kms: Kms) -> None:
    kms.knobs.stumble = 100


def wrong_signature(kms: Kms) -> None:
    def other(answer: dict[str, object]) -> dict[str, object]:
        stranger = Kms(images.pair(name="stranger")[0])
        return {**answer, "Signature": stranger.answer("Sign", kms.requests[-1][1])["Signature"]}  # type: ignore[index,call-overload]

    kms.knobs.replace["Sign"] = other


def no_signature(kms: Kms) -> None:
    kms.knobs.replace["Sign"] = lambda answer: {**answer, "Signature": "AAAA"}


def another_key(kms: Kms) -> None:
    kms.key = serialization.load_pem_private_key(images.pair(name="stranger")[0], None)


def another_curve(kms: Kms) -> None:
    kms.key = ec.generate_private_key(ec.SECP256K1())


def an_encryption_key(kms: Kms) -> None:
    kms.knobs.refuse["GetPublicKey"] = Refusal("UnsupportedOperationException", "")


def key_agreement(kms: Kms) -> None:
    kms.knobs.replace["GetPublicKey"] = lambda answer: {**answer, "KeyUsage": "KEY_AGREEMENT"}


def disabled(kms: Kms) -> None:
    kms.knobs.refuse["GetPublicKey"] = Refusal("DisabledException", "the key is disabled")


def expired(kms: Kms) -> None:
    kms.knobs.refuse["GetPublicKey"] = Refusal(
        "ExpiredTokenException", "The security token included in the request is expired"
    )


def a_web_page(kms: Kms) -> None:
    kms.knobs.replace["GetPublicKey"] = lambda _: b"<html>sign in to the network</html>"


def an_empty_answer(kms: Kms) -> None:
    kms.knobs.replace["Sign"] = lambda _: {}


def escapes(kms: Kms) -> None:
    kms.knobs.refuse["Sign"] = Refusal("NoSuch\x1b[31m", "a\r\n::error::b\x1b]0;c\x07")


REQUEST = f"(request id {REQUEST_ID})"
FAILURES = {
    "access denied": (
        denied,
        (
            f"{ARN}: kms:Sign was refused: AccessDeniedException: "
            "User: arn:aws:iam::123456789012:user/me is not authorized "
            f"to perform: kms:Sign on this resource {REQUEST} [aws.access-denied]"
        ),
    ),
    "throttled": (
        throttled,
        f"{ARN}: kms:GetPublicKey was refused: ThrottlingException: Rate exceeded {REQUEST} [aws.throttled]",
    ),
    "a signature by another key": (
        wrong_signature,
        (
            f"{ARN}: the signature cannot be used: "
            "the signature is not one of these bytes by this certificate's key [eif.signing-result]"
        ),
    ),
    "no signature": (
        no_signature,
        f"{ARN}: the signature cannot be used: what came back is no ES384 signature [eif.signing-result]",
    ),
    "the key of another certificate": (
        another_key,
        f"{ARN}: the key is not that of the certificate certificate.pem [eif.signing-key]",
    ),
    "a key on another curve": (
        another_curve,
        f"{ARN}: the key cannot be used: it is not on P-256, P-384 or P-521 [eif.signing-key]",
    ),
    "an encryption key": (
        an_encryption_key,
        f"{ARN}: kms:GetPublicKey was refused: UnsupportedOperationException {REQUEST} [aws.refused]",
    ),
    "a key for key agreement": (
        key_agreement,
        f"{ARN}: not a key to sign with: its usage is KEY_AGREEMENT [aws.key-usage]",
    ),
    "a disabled key": (
        disabled,
        f"{ARN}: kms:GetPublicKey was refused: DisabledException: the key is disabled {REQUEST} [aws.key-state]",
    ),
    "an expired session": (
        expired,
        (
            f"{ARN}: kms:GetPublicKey was refused: ExpiredTokenException: "
            f"The security token included in the request is expired {REQUEST} [aws.credentials]"
        ),
    ),
    "a web page": (a_web_page, f"{ARN}: kms:GetPublicKey failed: the answer has no KeyId [aws.nonsense]"),
    "an empty answer": (an_empty_answer, f"{ARN}: kms:Sign failed: the answer has no Signature [aws.nonsense]"),
    "terminal escapes": (
        escapes,
        f"{ARN}: kms:Sign was refused: NoSuch\\x1b[31m: a ::error::b\\x1b]0;c\\x07 {REQUEST} [aws.refused]",
    ),
}


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without their pauses: what is awaited is the count, not the clock."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("name", FAILURES)
def test_whatever_fails_in_kms_nothing_is_written(cli: Cli, kms: Kms, name: str) -> None:
    break_it, said = FAILURES[name]
    break_it(kms)
    ran = cli(*with_kms())
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: {said}"
    assert (ran.stdout, ran.status) == ("", 3 if "[eif." in said else 5)
    assert sorted(path.name for path in Path().iterdir()) == ["certificate.pem", "image.eif", "key.pem"]
    assert Path("image.eif").read_bytes() == forge()


@pytest.mark.usefixtures("no_pauses")
def test_throttling_that_ends_is_waited_out(cli: Cli, kms: Kms) -> None:
    kms.knobs.stumble = 3
    assert cli(*with_kms()).status == 0
    assert kms.operations == ["GetPublicKey"] * 4 + ["Sign"]


@pytest.mark.usefixtures("no_pauses")
def test_throttling_that_does_not_end_is_given_up(cli: Cli, kms: Kms) -> None:
    throttled(kms)
    ran = cli(*with_kms(), "--json")
    assert len(kms.requests) == 4
    error = ran.json["errors"][0]
    assert error["code"] == "aws.throttled"
    assert error["details"] == {
        "operation": "kms:GetPublicKey",
        "aws_code": "ThrottlingException",
        "request_id": REQUEST_ID,
        "http_status": 400,
    }


@pytest.mark.usefixtures("no_pauses")
def test_an_endpoint_that_does_not_answer_in_time(cli: Cli, kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.aws.calls.READ_TIMEOUT", 0.2)
    kms.knobs.stall = 1
    ran = cli(*with_kms())
    assert ran.stderr == (
        f'nitroctl: error: {ARN}: kms:GetPublicKey failed: Read timeout on endpoint URL: "{kms.url}/" '
        "[aws.unreachable]\n"
        "nitroctl: hint: check network, proxy and AWS_ENDPOINT_URL_KMS\n"
    )
    assert (ran.stdout, ran.status) == ("", 5)
    assert Path("image.eif").read_bytes() == forge()


@pytest.mark.usefixtures("no_pauses")
def test_an_endpoint_that_hangs_up(cli: Cli, kms: Kms) -> None:
    kms.knobs.hang_up = True
    ran = cli(*with_kms())
    assert ran.stderr.splitlines()[0] == (
        f"nitroctl: error: {ARN}: kms:GetPublicKey failed: Connection was closed before we received a valid response "
        f'from endpoint URL: "{kms.url}/" [aws.unreachable]'
    )
    assert ran.status == 5
    assert Path("image.eif").read_bytes() == forge()


@pytest.mark.usefixtures("no_pauses")
def test_an_endpoint_that_is_not_there(cli: Cli, kms: Kms) -> None:
    with kms_signing.running(Kms(images.pair()[0])) as gone:
        url = gone.url
    ran = cli.program(*with_kms(), env={**kms_signing.environment(gone), "AWS_ENDPOINT_URL_KMS": url})
    assert ran.stderr.splitlines()[0] == (
        f'nitroctl: error: {ARN}: kms:GetPublicKey failed: Could not connect to the endpoint URL: "{url}/" '
        "[aws.unreachable]"
    )
    assert ran.status == 5
    assert Path("image.eif").read_bytes() == forge()


def test_without_credentials_nothing_is_asked(cli: Cli, kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ran = cli(*with_kms())
    assert ran.stderr == (
        f"nitroctl: error: {ARN}: kms:GetPublicKey failed: Unable to locate credentials [aws.credentials]\n"
        "nitroctl: hint: sign in (aws sso login), name a profile in AWS_PROFILE, or give the instance a role\n"
    )
    assert (ran.status, kms.requests) == (5, [])
    assert Path("image.eif").read_bytes() == forge()


def test_a_profile_that_is_not_there(cli: Cli, kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    ran = cli(*with_kms())
    assert ran.stderr.splitlines()[0] == (
        "nitroctl: error: AWS: making a client of kms in eu-west-1 failed: "
        "The config profile (nobody) could not be found [aws.configuration]"
    )
    assert (ran.status, kms.requests) == (5, [])


def test_the_endpoint_must_be_an_address(cli: Cli, kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "localhost")
    ran = cli(*with_kms())
    assert ran.stderr.splitlines()[0] == (
        "nitroctl: error: AWS: making a client of kms in eu-west-1 failed: Invalid endpoint: localhost [aws.nonsense]"
    )
    assert (ran.status, kms.requests) == (5, [])


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:kms:eu-west-1:123456789012:key/",
        "arn:aws:kms::123456789012:key/1234abcd",
        "arn:aws:kms:eu-west-1:1234:key/1234abcd",
        "arn:aws-iso:kms:us-iso-east-1:123456789012:key/1234abcd",
        "arn:aws:iam::123456789012:role/signer",
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd\n",
        "arn:aws:kms:evil.example/eu-west-1:123456789012:key/1234abcd",
    ],
)
def test_what_is_no_kms_arn_is_a_wrong_invocation(cli: Cli, kms: Kms, arn: str) -> None:
    ran = cli(*with_kms(arn), "--json")
    assert (ran.status, ran.json["errors"][0]["code"], kms.requests) == (2, "aws.key-arn", [])


def test_no_credential_is_ever_shown(cli: Cli, kms: Kms) -> None:
    denied(kms)
    ran = cli(*with_kms(), "--debug")
    assert "only-for-tests" not in ran.stdout + ran.stderr
    assert "Traceback" in ran.stderr


def test_as_a_program_with_warnings_as_errors(cli: Cli, kms: Kms) -> None:
    ran = cli.program(*with_kms(), "--json", env={"PYTHONWARNINGS": "error"})
    assert (ran.status, ran.json["data"]["written"], ran.stderr) == (0, True, "")
