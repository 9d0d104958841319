"""The signature section: AWS's own passes, ours is in AWS's form, and every deviation is refused with a reason."""

import base64
import hashlib
import struct
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from nitroctl.checks import Check, Outcome
from nitroctl.eif.signature import Signature, dates, examine, sign
from nitroctl.eif.signature_section import Malformed, read_payload
from nitroctl.errors import CannotAnswer
from tests import images
from tests.conftest import vectors

PCR0 = bytes(range(48))
NOT_A_REGISTER = "something that is not a register as nitro-cli writes it"
CURVES = {"secp256r1": ("ES256", -7, 32), "secp384r1": ("ES384", -35, 48), "secp521r1": ("ES512", -36, 66)}


def signed(curve: str = "secp384r1") -> bytes:
    key, certificate = images.pair(curve)
    return sign(PCR0, private_key_pem=key, certificate_pem=certificate)


def failing(data: bytes, pcr0: bytes = PCR0) -> dict[str, str]:
    checks, _ = examine(data, pcr0)
    return {check.id: check.detail for check in checks if check.outcome is Outcome.FAIL}


def opened(data: bytes) -> tuple[dict[str, Any], list[Any]]:
    """Return the section's one map and the parts of its COSE_Sign1."""
    entry: dict[str, Any] = cbor2.loads(data)[0]
    parts: list[Any] = cbor2.loads(bytes(entry["signature"]))
    return entry, parts


def closed(entry: dict[str, Any], parts: object) -> bytes:
    return cbor2.dumps([{**entry, "signature": list(cbor2.dumps(parts))}])


def test_a_section_by_the_aws_signer_passes() -> None:
    image = vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif").read_bytes()
    at = struct.unpack_from(">Q", image, 28 + 5 * 8)[0]
    checks, signature = examine(image[at + 12 :], images.registers(image)[0])
    assert [(check.id, check.outcome) for check in checks] == [
        ("eif.signature-format", Outcome.PASS),
        ("eif.signature", Outcome.PASS),
        ("eif.signed-measurement", Outcome.PASS),
    ]
    assert isinstance(signature, Signature)
    assert signature.algorithm == "ES384"
    assert signature.certificate.subject == "CN=eif-corpus-p384,O=Test,C=US"
    assert signature.certificate.sha256 == "1a6386373ef5c6a0a2902ddc7bef513a96506be6cb57274e74167f86c498b915"


@pytest.mark.parametrize("curve", CURVES)
def test_what_is_signed_here_is_in_the_form_of_the_specification(curve: str) -> None:
    algorithm, number, width = CURVES[curve]
    _, certificate = images.pair(curve)
    data = signed(curve)
    entry, parts = opened(data)
    assert list(entry) == ["signing_certificate", "signature"]
    assert bytes(entry["signing_certificate"]) == certificate
    protected, unprotected, payload, value = parts
    assert protected == cbor2.dumps({1: number})
    assert unprotected == {}
    assert payload == b"\xa2\x6eregister_index\x00\x6eregister_value" + cbor2.dumps(list(PCR0))
    assert len(value) == 2 * width
    checks, signature = examine(data, PCR0)
    assert [(check.id, check.title, check.outcome, check.detail) for check in checks] == [
        (
            "eif.signature-format",
            "The signature section is written as nitro-cli writes it",
            Outcome.PASS,
            f"{algorithm}, one signature",
        ),
        (
            "eif.signature",
            "The signature verifies with the certificate stored beside it",
            Outcome.PASS,
            f"{algorithm} by CN=tests",
        ),
        ("eif.signed-measurement", "The signature covers the PCR0 computed from the image", Outcome.PASS, ""),
    ]
    assert signature is not None
    assert (signature.algorithm, signature.certificate.curve) == (algorithm, curve)
    assert signature.certificate.pcr8 == images.extended(hashlib.sha384(images.der(certificate)).digest())
    assert signature.certificate.serial == "1234"


@pytest.mark.parametrize("curve", CURVES)
def test_the_same_inputs_give_the_same_section(curve: str) -> None:
    assert signed(curve) == signed(curve)


def test_the_bytes_signed_are_those_of_cose() -> None:
    _, certificate = images.pair()
    _, (protected, _, payload, value) = opened(signed())
    key = x509.load_pem_x509_certificate(certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    length = len(payload)
    assert 24 <= length < 256
    message = b"\x84\x6aSignature1" + b"\x44" + protected + b"\x40" + b"\x58" + bytes([length]) + payload
    key.verify(
        encode_dss_signature(int.from_bytes(value[:48]), int.from_bytes(value[48:])),
        message,
        ec.ECDSA(hashes.SHA384()),
    )


def test_a_signature_about_another_image_is_refused_with_both_registers() -> None:
    other = bytes(48)
    checks, signature = examine(signed(), other)
    assert [check.outcome for check in checks] == [Outcome.PASS, Outcome.PASS, Outcome.FAIL]
    assert (checks[2].expected, checks[2].actual) == (f"PCR0 {other.hex()}", f"PCR0 {PCR0.hex()}")
    assert signature is not None


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (cbor2.dumps({"register_index": 1, "register_value": list(PCR0)}), f"PCR1 {PCR0.hex()}"),
        (cbor2.dumps({"register_index": 99, "register_value": list(PCR0)}), "a register that does not exist"),
        (cbor2.dumps({"register_index": 0, "register_value": []}), "PCR0 (empty)"),
        (cbor2.dumps({"register_index": 0, "register_value": PCR0}), NOT_A_REGISTER),
        (cbor2.dumps({"register_value": list(PCR0), "register_index": 0}), NOT_A_REGISTER),
        (cbor2.dumps({"register_index": -1, "register_value": list(PCR0)}), NOT_A_REGISTER),
        (cbor2.dumps({"register_index": 0}), NOT_A_REGISTER),
        (cbor2.dumps({"register_index": 0, "register_value": [], "x": 0}), NOT_A_REGISTER),
        (cbor2.dumps({"register_index": 0, "register_value": list(PCR0)}) + b"\0", NOT_A_REGISTER),
        (b"\xa3" + cbor2.dumps({"register_index": 0, "register_value": list(PCR0)})[1:], NOT_A_REGISTER),
        (b"\xff", NOT_A_REGISTER),
        (b"", NOT_A_REGISTER),
    ],
)
def test_a_signature_about_something_else_says_about_what(payload: bytes, said: str) -> None:
    private, certificate = images.pair()
    key = serialization.load_pem_private_key(private, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    protected = cbor2.dumps({1: -35})
    message = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA384())))
    parts = [protected, {}, payload, r.to_bytes(48) + s.to_bytes(48)]
    data = closed({"signing_certificate": list(certificate)}, parts)
    assert failing(data) == {"eif.signed-measurement": f"the signature is about {said}"}


def with_value(change: Callable[[bytes], bytes]) -> bytes:
    entry, (protected, unprotected, payload, value) = opened(signed())
    return closed(entry, [protected, unprotected, payload, change(value)])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (with_value(lambda v: v[:-1] + bytes([v[-1] ^ 1])), "the signature is not one of these bytes by"),
        (with_value(lambda _: bytes(96)), "the signature is not one of these bytes by"),
        (with_value(lambda _: b"\xff" * 96), "the signature is not one of these bytes by"),
        (with_value(lambda v: v[48:] + v[:48]), "the signature is not one of these bytes by"),
        (with_value(lambda v: v[:10]), "10 bytes of signature, ES384 has 96"),
        (with_value(lambda v: v + b"\0"), "97 bytes of signature, ES384 has 96"),
        (with_value(lambda _: b""), "0 bytes of signature, ES384 has 96"),
    ],
)
def test_a_signature_that_is_none_is_refused(data: bytes, said: str) -> None:
    found = failing(data)
    assert list(found) == ["eif.signature"]
    assert found["eif.signature"].startswith(said)


def test_a_certificate_put_in_place_of_the_signers_is_refused() -> None:
    entry, parts = opened(signed())
    other = images.pair(name="somebody else")[1]
    found = failing(closed({**entry, "signing_certificate": list(other)}, parts))
    assert list(found) == ["eif.signature"]


@pytest.mark.parametrize(
    "protected", [b"", cbor2.dumps({}), cbor2.dumps({1: -7}), cbor2.dumps({1: -1}), b"\xbf\x01\x38\x22\xff"]
)
def test_an_algorithm_that_is_not_the_keys_is_refused(protected: bytes) -> None:
    entry, (_, unprotected, payload, value) = opened(signed())
    found = failing(closed(entry, [protected, unprotected, payload, value]))
    assert found == {
        "eif.signature": "the protected header does not name ES384, the algorithm of the certificate's key"
    }


def test_the_tag_of_cose_sign1_is_accepted_as_nitro_cli_accepts_it() -> None:
    entry, parts = opened(signed())
    data = cbor2.dumps([{**entry, "signature": list(b"\xd2" + cbor2.dumps(parts))}])
    assert failing(data) == {}


def malformed() -> dict[str, tuple[bytes, str]]:
    good = signed()
    entry, parts = opened(good)
    protected, unprotected, payload, value = parts
    cose = bytes(entry["signature"])
    pem = bytes(entry["signing_certificate"])

    def with_pem(text: bytes) -> bytes:
        return cbor2.dumps([{"signing_certificate": list(text), "signature": entry["signature"]}])

    def with_cose(octets: bytes) -> bytes:
        return cbor2.dumps([{"signing_certificate": entry["signing_certificate"], "signature": list(octets)}])

    def re_encoded(old: bytes, new: bytes) -> bytes:
        assert good.count(old) >= 1
        return good.replace(old, new, 1)

    cut = good[:22]
    assert cut == b"\x81\xa2\x73signing_certificate"
    return {
        "empty": (b"", "the section ends at byte 0, where an array is expected"),
        "not CBOR": (b"\xff\xff", "the section does not have an array at byte 0"),
        "cut short": (good[:-1], "the section ends "),
        "cut in a head": (b"\x81\xa2\x78", "the section ends inside the key signing_certificate as a string at byte 2"),
        "cut in a key": (good[:9], "the section ends inside the key signing_certificate at byte 2"),
        "trailing byte": (good + b"\0", "the section is followed by 1 more bytes"),
        "nested deep": (b"\x81" * 32000 + b"\0", "the section does not have a map of two in the array at byte 1"),
        "claims 2 to the 63 signatures": (
            b"\x9b\x7f" + b"\xff" * 7,
            f"it holds {2**63 - 1} signatures in place of one",
        ),
        "claims 2 to the 63 octets": (
            cut + b"\x9b\x7f" + b"\xff" * 7,
            f"signing_certificate claims {2**63 - 1} integers where 0 bytes are left",
        ),
        "claims one octet more than there is": (
            cut + b"\x83\x00\x00",
            "signing_certificate claims 3 integers where 2 bytes are left",
        ),
        "a key with a byte missing": (good[:21], "the section ends inside the key signing_certificate at byte 2"),
        "claims a key of 2 to the 63 bytes": (
            b"\x81\xa2\x7b\x7f" + b"\xff" * 7,
            "the section ends inside the key signing_certificate at byte 2",
        ),
        "list in itself": (b"\xd8\x1c\x81\xd8\x1d\x00", "the section does not have an array at byte 0"),
        "regular expression": (b"\xd8\x23\x61\x28", "the section does not have an array at byte 0"),
        "a bigfloat": (b"\xc5\x82\x1b" + b"\x7f" * 8 + b"\x01", "the section does not have an array at byte 0"),
        "no signature": (b"\x80", "it holds 0 signatures in place of one"),
        "two signatures": (cbor2.dumps([entry, entry]), "it holds 2 signatures in place of one"),
        "a map": (cbor2.dumps(entry), "the section does not have an array at byte 0"),
        "no map": (cbor2.dumps([1]), "the section does not have a map of two in the array at byte 1"),
        "a missing key": (
            cbor2.dumps([{"signature": entry["signature"]}]),
            "its entry is not a map of signing_certificate and signature",
        ),
        "another key": (
            cbor2.dumps([{**entry, "x": 1}]),
            "its entry is not a map of signing_certificate and signature",
        ),
        "a duplicate key": (
            cbor2.dumps([{"signing_certificate": entry["signing_certificate"], "x": 1}]).replace(
                b"\x61x\x01", b"\x73signing_certificate\x80"
            ),
            "the section does not have the key signature at byte ",
        ),
        "byte strings": (
            cbor2.dumps([{"signing_certificate": pem, "signature": cose}]),
            "the section does not have signing_certificate as an array of integers at byte 22",
        ),
        "an item of 256": (
            cbor2.dumps([{**entry, "signature": [256]}]),
            "signature has 256 at byte ",
        ),
        "an item of -1": (
            cbor2.dumps([{**entry, "signature": [-1]}]),
            "the section does not have an integer of 0 to 255 in signature at byte ",
        ),
        "an item of true": (
            cbor2.dumps([{**entry, "signature": [True]}]),
            "the section does not have an integer of 0 to 255 in signature at byte ",
        ),
        "an item of 1.0": (
            cbor2.dumps([{**entry, "signature": [1.0]}]),
            "the section does not have an integer of 0 to 255 in signature at byte ",
        ),
        "keys in the other order": (
            cbor2.dumps([{"signature": entry["signature"], "signing_certificate": entry["signing_certificate"]}]),
            "the section does not have the key signing_certificate at byte 2",
        ),
        "an indefinite array": (
            b"\x9f" + good[1:] + b"\xff",
            "the section has an array of indefinite length at byte 0",
        ),
        "an indefinite map": (
            b"\x81\xbf" + good[2:] + b"\xff",
            "the section has a map of two in the array of indefinite length at byte 1",
        ),
        "indefinite octets": (
            cut + b"\x9f\x18\x2d\xff",
            "the section has signing_certificate as an array of integers of indefinite length at byte 22",
        ),
        "a key in chunks": (
            good.replace(b"\x73signing", b"\x7f\x73signing", 1),
            "the section has the key signing_certificate as a string of indefinite length at byte 2",
        ),
        "a long integer": (
            re_encoded(b"\x18\x2d", b"\x19\x00\x2d"),
            "the section has a number at byte 25 that is not written the shortest way",
        ),
        "a small integer in two bytes": (
            re_encoded(b"\x0a", b"\x18\x0a"),
            "the section has a number at byte 79 that is not written the shortest way",
        ),
        "a long length": (
            b"\x98\x01" + good[1:],
            "the section has a number at byte 0 that is not written the shortest way",
        ),
        "a bignum": (
            re_encoded(b"\x18\x2d", b"\xc2\x41\x2d"),
            "the section does not have an integer of 0 to 255 in signing_certificate at byte 25",
        ),
        "a tag around it": (b"\xd9\xd9\xf7" + good, "the section does not have an array at byte 0"),
        "a reserved head": (b"\x9c" + good[1:], "the section has an array of indefinite length at byte 0"),
        "COSE is not CBOR": (with_cose(b"\xff"), "its COSE_Sign1 does not have an array at byte 0"),
        "COSE is empty": (with_cose(b""), "its COSE_Sign1 ends at byte 0, where an array is expected"),
        "COSE has trailing bytes": (with_cose(cose + b"\0"), "its COSE_Sign1 is followed by 1 more bytes"),
        "COSE of three": (with_cose(cbor2.dumps(parts[:3])), "its COSE_Sign1 is not an array of four"),
        "COSE with another tag": (
            with_cose(b"\xd1" + cose),
            "its COSE_Sign1 does not have an array at byte 0",
        ),
        "COSE with the tag twice": (
            with_cose(b"\xd2\xd2" + cose),
            "its COSE_Sign1 does not have an array at byte 0",
        ),
        "COSE with the tag in two bytes": (
            with_cose(b"\xd8\x12" + cose),
            "its COSE_Sign1 does not have an array at byte 0",
        ),
        "COSE with a text": (
            with_cose(cbor2.dumps(["protected", unprotected, payload, value])),
            "its COSE_Sign1 does not have the protected header as a byte string at byte 1",
        ),
        "COSE without payload": (
            with_cose(cbor2.dumps([protected, unprotected, None, value])),
            "its COSE_Sign1 does not have the payload as a byte string at byte ",
        ),
        "COSE with unprotected headers": (
            with_cose(cbor2.dumps([protected, {1: -35}, payload, value])),
            "its COSE_Sign1 has unprotected headers",
        ),
        "COSE in indefinite form": (
            with_cose(b"\x9f" + cose[1:] + b"\xff"),
            "its COSE_Sign1 has an array of indefinite length at byte 0",
        ),
        "no certificate": (
            with_pem(b"text"),
            "its certificate cannot be read: no PEM certificate in it",
        ),
        "a certificate cut short": (
            with_pem(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
            "its certificate cannot be read: ",
        ),
        "a private key": (
            with_pem(images.pair()[0]),
            "its certificate cannot be read: no PEM certificate in it",
        ),
        "an RSA certificate": (
            with_pem(foreign_certificate(rsa.generate_private_key(65537, 2048))),
            "its certificate has a key that is not on P-256, P-384 or P-521",
        ),
        "an Ed25519 certificate": (
            with_pem(foreign_certificate(ed25519.Ed25519PrivateKey.generate())),
            "its certificate has a key that is not on P-256, P-384 or P-521",
        ),
        "a certificate on another curve": (
            with_pem(images.pair("secp256k1")[1]),
            "its certificate has a key that is not on P-256, P-384 or P-521",
        ),
        "beyond its limit": (bytes(32769), "32769 bytes, at most 32768 are allowed"),
    }


def foreign_certificate(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "foreign")])
    algorithm = hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey) else None
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(images.NOT_BEFORE)
        .not_valid_after(images.NOT_AFTER)
        .sign(key, algorithm)
        .public_bytes(serialization.Encoding.PEM)
    )


MALFORMED = malformed()


@pytest.mark.parametrize("name", MALFORMED)
def test_a_section_in_another_form_is_refused(name: str) -> None:
    data, said = MALFORMED[name]
    checks, signature = examine(data, PCR0)
    assert signature is None
    assert [(check.id, check.outcome) for check in checks] == [
        ("eif.signature-format", Outcome.FAIL),
        ("eif.signature", Outcome.SKIP),
        ("eif.signed-measurement", Outcome.SKIP),
    ]
    assert all(check.required for check in checks)
    assert checks[0].detail.startswith(f"the signature section cannot be read: {said}")


def dated(at: datetime) -> Check:
    _, signature = examine(signed(), PCR0)
    assert signature is not None
    return dates(signature.certificate, at)


@pytest.mark.parametrize(
    ("at", "outcome", "said"),
    [
        (images.NOT_BEFORE, Outcome.PASS, "as of 2026-01-01T00:00:00Z"),
        (images.NOT_AFTER, Outcome.PASS, "as of 2027-01-01T00:00:00Z"),
        (images.NOT_BEFORE - timedelta(seconds=1), Outcome.WARN, "as of 2025-12-31T23:59:59Z it did not hold yet"),
        (images.NOT_AFTER + timedelta(seconds=1), Outcome.WARN, "as of 2027-01-01T00:00:01Z it had expired"),
    ],
)
def test_dates_are_told_and_never_refuse(at: datetime, outcome: Outcome, said: str) -> None:
    check = dated(at)
    assert (check.outcome, check.required) == (outcome, False)
    assert check.detail == f"2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z; {said}"


def test_dates_cannot_be_judged_by_a_naive_instant() -> None:
    with pytest.raises(TypeError):
        dated(datetime(2026, 6, 1))  # noqa: DTZ001  (what is under test)
    assert dated(datetime(2026, 6, 1, tzinfo=UTC)).outcome is Outcome.PASS


def encrypted() -> bytes:
    key = serialization.load_pem_private_key(images.pair()[0], None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def pem_of(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


NO_KEY = "the private key: the key cannot be used: not a PEM private key"
OTHER_CURVE = "the private key: the key cannot be used: it is not on P-256, P-384 or P-521"


@pytest.mark.parametrize(
    ("key", "certificate", "code", "said"),
    [
        (b"", images.pair()[1], "eif.signing-key", NO_KEY),
        (images.pair()[1], images.pair()[1], "eif.signing-key", NO_KEY),
        (encrypted(), images.pair()[1], "eif.signing-key", "the private key: the key cannot be used: it is encrypted"),
        (
            pem_of(rsa.generate_private_key(65537, 2048)),
            images.pair()[1],
            "eif.signing-key",
            OTHER_CURVE,
        ),
        (
            *images.pair("secp256k1"),
            "eif.signing-key",
            OTHER_CURVE,
        ),
        (
            images.pair("secp256r1")[0],
            images.pair()[1],
            "eif.signing-key",
            "the private key: the key is not that of the certificate the signing certificate",
        ),
        (
            images.pair()[0],
            images.pair()[0],
            "eif.signing-certificate",
            "the signing certificate: a private key is in it, and the whole file would be stored in the image",
        ),
        (
            images.pair()[0],
            b"text",
            "eif.signing-certificate",
            "the signing certificate: the certificate cannot be read: no PEM certificate in it",
        ),
        (
            images.pair()[0],
            images.pair()[1] + images.pair()[0],
            "eif.signing-certificate",
            "the signing certificate: a private key is in it, and the whole file would be stored in the image",
        ),
        (
            images.pair()[0],
            images.pair()[1] * 40,
            "eif.signing-certificate",
            "the signing certificate's file is too large: ",
        ),
    ],
)
def test_a_key_or_certificate_that_no_reader_would_take_is_refused(
    key: bytes, certificate: bytes, code: str, said: str
) -> None:
    with pytest.raises(CannotAnswer) as caught:
        sign(PCR0, private_key_pem=key, certificate_pem=certificate)
    assert caught.value.code == code
    assert caught.value.message.startswith(said)


def test_an_odd_serial_number_is_shown_and_nothing_warns() -> None:
    der = images.der(images.pair()[1]).replace(b"\x02\x02\x12\x34", b"\x02\x02\x92\x34", 1)
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    entry, _ = opened(signed())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, signature = examine(cbor2.dumps([{**entry, "signing_certificate": list(pem)}]), PCR0)
    assert signature is not None
    assert signature.certificate.serial == "-6dcc"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("06072a8648ce3d0201", "06072a8648ce3d7f7f", "Unknown key type"),
        ("a003020102", "a003020142", "66 is not a valid X509 version"),
    ],
)
def test_a_certificate_that_the_library_does_not_know_is_refused(old: str, new: str, said: str) -> None:
    der = images.der(images.pair()[1]).replace(bytes.fromhex(old), bytes.fromhex(new), 1)
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    entry, _ = opened(signed())
    found = failing(cbor2.dumps([{**entry, "signing_certificate": list(pem)}]))
    start = "the signature section cannot be read: its certificate cannot be read: "
    assert found["eif.signature-format"].startswith(start + said)


A, B = images.pair()[1], images.pair(name="other")[1]


def renamed(pem: bytes, name: bytes) -> bytes:
    return pem.replace(b"CERTIFICATE-----", name + b"-----")


@pytest.mark.parametrize(
    "pem",
    [
        renamed(B, b"CERTIFICATE REQUEST") + A,  # GnuTLS takes it for a certificate
        renamed(B, b"X509 CERTIFICATE") + A,  # OpenSSL takes it too
        A + renamed(B, b"X509 CERTIFICATE"),  # GnuTLS looks for it first
        b" " + B + A,  # OpenSSL passes over an indented one
        b"-----BEGIN PKCS7-----\nName: value\n\nAAAA\n-----END PKCS7-----\n" + A,  # OpenSSL stumbles
        A.replace(b"-----\n", b"-----\nName: value\n\n", 1) + B,
        b"".join([*A.splitlines(keepends=True)[:1], *A.splitlines()[1:-1], b"\n-----END CERTIFICATE-----\n"]),
    ],
)
def test_a_text_in_which_readers_may_find_different_certificates_is_refused(pem: bytes) -> None:
    entry, _ = opened(signed())
    assert failing(cbor2.dumps([{**entry, "signing_certificate": list(pem)}])) == {
        "eif.signature-format": "the signature section cannot be read: "
        "its certificate is not written so that every reader finds the same one"
    }


@pytest.mark.parametrize(
    ("head", "value"),
    [
        ("00", 0),
        ("17", 23),
        ("1817", None),
        ("1818", 24),
        ("18ff", 255),
        ("1900ff", None),
        ("190100", 256),
        ("1a0000ffff", None),
        ("1a00010000", 65536),
        ("1b00000000ffffffff", None),
        ("1b0000000100000000", 1 << 32),
        ("1bffffffffffffffff", (1 << 64) - 1),
        ("1c", None),
        ("1f", None),
        ("18", None),
        ("1b00000001000000", None),
    ],
)
def test_a_number_is_read_in_its_shortest_form_only(head: str, value: int | None) -> None:
    payload = b"\xa2\x6eregister_index" + bytes.fromhex(head) + b"\x6eregister_value\x80"
    if value is None:
        with pytest.raises(Malformed):
            read_payload(payload)
    else:
        assert read_payload(payload) == (value, b"")


@pytest.mark.parametrize(("beyond", "outcome"), [(0, {}), (1, {"eif.signature-format": 32769})])
def test_a_section_may_have_32768_bytes(beyond: int, outcome: dict[str, int]) -> None:
    entry, _ = opened(signed())
    data = signed()
    while len(data) < 32768 + beyond:  # a line feed takes one byte in the section
        entry["signing_certificate"] += [0x0A] * (32768 + beyond - len(data))
        data = cbor2.dumps([entry])
        while len(data) > 32768 + beyond:
            entry["signing_certificate"].pop()
            data = cbor2.dumps([entry])
    assert len(data) == 32768 + beyond
    assert list(failing(data)) == list(outcome)
