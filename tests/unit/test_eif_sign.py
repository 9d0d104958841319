"""The signer: two halves of one pair, in files or with somebody who holds the key, and a result that is verified."""

import base64
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import cbor2
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils

from nitroctl.checks import Outcome
from nitroctl.eif import sign as signing
from nitroctl.eif.sign import Signer, signer
from nitroctl.eif.signature import examine
from nitroctl.errors import CannotAnswer
from tests import images

PCR0 = bytes(range(48))
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
HASHES: dict[int, hashes.HashAlgorithm] = {32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}
ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def nobody(arn: str) -> NoReturn:
    raise AssertionError(f"asked for {arn}")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for curve in CURVES:
        key, certificate = images.pair(curve)
        Path(f"{curve}.key").write_bytes(key)
        Path(f"{curve}.pem").write_bytes(certificate)
    return tmp_path


def verified(data: bytes) -> None:
    checks, _ = examine(data, PCR0)
    assert [check.outcome for check in checks] == [Outcome.PASS] * 3


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("curve", CURVES)
def test_a_key_in_a_file_signs_the_same_way_each_time(curve: str) -> None:
    made = signer(f"{curve}.key", f"{curve}.pem", kms=nobody)
    assert (made.algorithm, made.kind, made.key, made.deterministic, made.remarks) == (
        CURVES[curve],
        "file",
        f"{curve}.key",
        True,
        (),
    )
    data = made.sign(PCR0)
    verified(data)
    assert data == signer(f"{curve}.key", f"{curve}.pem", kms=nobody).sign(PCR0)
    assert data != made.sign(bytes(48))


def test_the_nonce_is_that_of_rfc_6979() -> None:
    """Appendix A.2.6 of the RFC: P-384, SHA-384, message "sample"."""
    secret = 0x6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5
    key = ec.derive_private_key(secret, ec.SECP384R1())
    ecdsa, deterministic = signing._ecdsa(hashes.SHA384())
    assert deterministic
    r, s = utils.decode_dss_signature(key.sign(b"sample", ecdsa))
    assert f"{r:096X}" == (
        "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46"
    )
    assert f"{s:096X}" == (
        "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"
    )


@pytest.mark.usefixtures("files")
def test_where_openssl_cannot_do_that_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ec.ECDSA

    def old(algorithm: hashes.HashAlgorithm, *, deterministic_signing: bool = False) -> ec.ECDSA:
        if deterministic_signing:
            raise UnsupportedAlgorithm("ECDSA with deterministic signature (RFC 6979) is not supported")
        return real(algorithm)

    monkeypatch.setattr("nitroctl.eif.sign.ec.ECDSA", old)
    made = signer("secp384r1.key", "secp384r1.pem", kms=nobody)
    assert not made.deterministic
    assert len(made.remarks) == 1
    verified(made.sign(PCR0))
    assert made.sign(PCR0) != made.sign(PCR0)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "argv",
    [
        ["ecparam", "-name", "secp384r1", "-genkey"],
        ["ecparam", "-name", "secp384r1", "-genkey", "-noout"],
        ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    ],
)
def test_keys_as_openssl_writes_them_are_taken(argv: list[str]) -> None:
    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    openssl(*argv, "-out", "made.key")
    openssl("req", "-new", "-x509", "-key", "made.key", "-subj", "/CN=made", "-out", "made.pem")
    verified(signer("made.key", "made.pem", kms=nobody).sign(PCR0))


def private_pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "content",
    [
        private_pem(rsa.generate_private_key(65537, 2048)),
        private_pem(ed25519.Ed25519PrivateKey.generate()),
        images.pair("secp256k1")[0],
    ],
)
def test_keys_of_other_kinds_are_refused(content: bytes) -> None:
    Path("other.key").write_bytes(content)
    with pytest.raises(CannotAnswer) as caught:
        signer("other.key", "secp384r1.pem", kms=nobody)
    assert caught.value.code == "eif.signing-key"
    assert caught.value.message == "other.key: the key cannot be used: it is not on P-256, P-384 or P-521"


EC_KEY, UNKNOWN_KEY = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d7f7f")


@pytest.mark.usefixtures("files")
def test_a_key_of_an_unknown_kind_is_refused() -> None:
    key = serialization.load_pem_private_key(images.pair()[0], None)
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).replace(EC_KEY, UNKNOWN_KEY)
    content = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END PRIVATE KEY-----\n"
    Path("other.key").write_bytes(content)
    with pytest.raises(CannotAnswer) as caught:
        signer("other.key", "secp384r1.pem", kms=nobody)
    assert caught.value.message == "other.key: the key cannot be used: not a PEM private key"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"\xff" * 100, images.pair()[1], images.pair()[0][:100]],
    ids=["empty", "text", "octets", "certificate", "cut-off"],
)
def test_what_is_no_key_is_refused(content: bytes) -> None:
    Path("other.key").write_bytes(content)
    with pytest.raises(CannotAnswer) as caught:
        signer("other.key", "secp384r1.pem", kms=nobody)
    assert caught.value.message == "other.key: the key cannot be used: not a PEM private key"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", ["secp384r1.key", "secp384r1.pem"])
def test_a_huge_file_is_not_read(name: str) -> None:
    with Path(name).open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(CannotAnswer) as caught:
        signer("secp384r1.key", "secp384r1.pem", kms=nobody)
    assert caught.value.code == "file.too-large"


@pytest.mark.usefixtures("files")
def test_a_certificate_that_readers_read_differently_is_refused() -> None:
    pem = images.pair("secp384r1")[1]
    Path("two.pem").write_bytes(b" " + pem + images.pair("secp256r1")[1])
    with pytest.raises(CannotAnswer) as caught:
        signer("secp384r1.key", "two.pem", kms=nobody)
    assert (caught.value.code, caught.value.message) == (
        "eif.signing-certificate",
        "two.pem: the certificate is not written so that every reader finds the same one",
    )


@pytest.mark.usefixtures("files")
def test_a_chain_is_stored_as_it_is_and_its_first_certificate_counts() -> None:
    chain = images.pair("secp384r1")[1] + images.pair("secp256r1")[1]
    Path("chain.pem").write_bytes(chain)
    data = signer("secp384r1.key", "chain.pem", kms=nobody).sign(PCR0)
    verified(data)
    assert bytes(cbor2.loads(data)[0]["signing_certificate"]) == chain


# -- a key that others hold


@dataclass
class Held:
    """A key with somebody else. ``change``: what is made of its signature on the way."""

    key: Any
    name: str = ARN
    remarks: tuple[str, ...] = ("looked up",)
    change: Callable[[bytes], bytes] = bytes

    @property
    def public_key(self) -> bytes:
        public: bytes = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return public

    def sign(self, digest: bytes) -> bytes:
        return self.change(self.key.sign(digest, ec.ECDSA(utils.Prehashed(HASHES[len(digest)]))))


def held(curve: str = "secp384r1", **options: Any) -> Signer:
    key = Held(serialization.load_pem_private_key(images.pair(curve)[0], None), **options)
    return signer(ARN, f"{curve}.pem", kms=lambda arn: key if arn == ARN else nobody(arn))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("curve", CURVES)
def test_a_key_that_others_hold_signs(curve: str) -> None:
    made = held(curve)
    assert (made.algorithm, made.kind, made.key, made.deterministic, made.remarks) == (
        CURVES[curve],
        "kms",
        ARN,
        False,
        ("looked up",),
    )
    verified(made.sign(PCR0))


def swapped(encoded: bytes) -> bytes:
    r, s = utils.decode_dss_signature(encoded)
    return utils.encode_dss_signature(s, r)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: b"", "what came back is no ES384 signature"),
        (lambda encoded: encoded + b"\0", "what came back is no ES384 signature"),
        (lambda encoded: encoded[:-1], "what came back is no ES384 signature"),
        (lambda _: utils.encode_dss_signature(1 << 384, 1), "what came back is no ES384 signature"),
        (lambda _: b"\x30\x06\x02\x01\xff\x02\x01\x01", "what came back is no ES384 signature"),  # r is -1
        (
            lambda _: utils.encode_dss_signature(0, 0),
            "the signature is not one of these bytes by this certificate's key",
        ),
        (swapped, "the signature is not one of these bytes by this certificate's key"),
    ],
)
def test_what_is_no_signature_by_the_certificate_is_never_handed_on(
    change: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(CannotAnswer) as caught:
        held(change=change).sign(PCR0)
    assert caught.value.code == "eif.signing-result"
    assert caught.value.message == f"{ARN}: the signature cannot be used: {said}"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("key", "said"),
    [
        (
            ec.generate_private_key(ec.SECP384R1()),
            f"{ARN}: the key is not that of the certificate secp384r1.pem",
        ),
        (
            ec.generate_private_key(ec.SECP256R1()),
            f"{ARN}: the key is not that of the certificate secp384r1.pem",
        ),
        (
            ec.generate_private_key(ec.SECP256K1()),
            f"{ARN}: the key cannot be used: it is not on P-256, P-384 or P-521",
        ),
        (
            rsa.generate_private_key(65537, 2048),
            f"{ARN}: the key cannot be used: it is not on P-256, P-384 or P-521",
        ),
    ],
)
def test_a_key_that_is_not_the_certificates_is_refused_before_it_signs(key: Any, said: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        signer(ARN, "secp384r1.pem", kms=lambda _: Held(key))
    assert (caught.value.code, caught.value.message) == ("eif.signing-key", said)


PUBLIC = (
    serialization.load_pem_private_key(images.pair()[0], None)
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("der", [b"", b"\x30\x00", PUBLIC[:-1], PUBLIC.replace(EC_KEY, UNKNOWN_KEY)])
def test_a_public_key_that_is_none_is_refused(der: bytes) -> None:
    @dataclass
    class Odd(Held):
        @property
        def public_key(self) -> bytes:
            return der

    with pytest.raises(CannotAnswer) as caught:
        signer(ARN, "secp384r1.pem", kms=lambda _: Odd(None))
    assert caught.value.message == f"{ARN}: the key cannot be used: its public key cannot be read"


@pytest.mark.usefixtures("files")
def test_nobody_is_asked_when_the_certificate_cannot_be_stored() -> None:
    Path("both.pem").write_bytes(images.pair()[1] + images.pair()[0])
    with pytest.raises(CannotAnswer) as caught:
        signer(ARN, "both.pem", kms=nobody)
    assert caught.value.code == "eif.signing-certificate"
