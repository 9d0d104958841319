"""What ``nitro-cli describe-eif`` prints, against the stand-in's nitro-cli, which reads images on its own."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nitroctl.eif.describe import describe, text
from nitroctl.eif.measure import measure
from nitroctl.eif.signature import sign
from nitroctl.errors import CannotAnswer
from nitroctl.standin import images as standin
from tests import images
from tests.conftest import vectors
from tests.images import GOOD, forge


@pytest.fixture(autouse=True)
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stand-in be the version whose rendering of the hash's type is known from real output."""
    monkeypatch.setenv("NITROCTL_STANDIN_HASH_ALGORITHM", "Sha384 { ... }")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "image.eif"


def described(path: Path, image: bytes) -> dict[str, object]:
    path.write_bytes(image)
    return describe(measure(str(path)))


def same(path: Path, image: bytes) -> dict[str, object]:
    """Hold that both say the same, in the same order, and return it."""
    found = described(path, image)
    assert json.dumps(found, indent=2) == json.dumps(standin.describe(str(path)), indent=2)
    return found


def signed(image: bytes = b"", curve: str = "secp384r1") -> bytes:
    key, certificate = images.pair(curve)
    section = sign(images.registers(image or forge())[0], private_key_pem=key, certificate_pem=certificate)
    return forge([*GOOD, (images.SIGNATURE, section)])


def test_an_unsigned_image(path: Path) -> None:
    assert list(same(path, forge())) == [
        "EifVersion",
        "Measurements",
        "IsSigned",
        "CheckCRC",
        "ImageName",
        "ImageVersion",
        "Metadata",
    ]


@pytest.mark.parametrize("curve", ["secp256r1", "secp384r1", "secp521r1"])
def test_a_signed_image(path: Path, curve: str) -> None:
    found = same(path, signed(curve=curve))
    assert list(found) == [
        "EifVersion",
        "Measurements",
        "IsSigned",
        "SigningCertificate",
        "CheckCRC",
        "SignatureCheck",
        "ImageName",
        "ImageVersion",
        "Metadata",
    ]
    assert found["SigningCertificate"] == {
        "IssuerName": {"commonName": "tests"},
        "Algorithm": "ecdsa-with-SHA384",
        "NotBefore": "Jan  1 00:00:00 2026 GMT",
        "NotAfter": "Jan  1 00:00:00 2027 GMT",
        "Signature": x509.load_pem_x509_certificate(images.pair(curve)[1]).signature.hex(":").upper(),
    }


@pytest.mark.parametrize("name", ["ref-2ramdisk-x86_64-signed-p384", "ref-tiny-emptycmdline", "ref-tiny-unsigned"])
def test_images_by_the_aws_builder(name: str) -> None:
    path = vectors("eif", f"{name}.eif")
    found = describe(measure(str(path)))
    assert json.dumps(found) == json.dumps(standin.describe(str(path)))
    assert found["Measurements"] == json.loads(path.with_name(f"{name}.eif.pcrs.json").read_text())


def test_a_wrong_checksum_is_a_member(path: Path) -> None:
    assert same(path, forge(crc=1))["CheckCRC"] is False


def test_a_signature_of_another_image_is_a_member(path: Path) -> None:
    other = forge([(images.KERNEL, b"other"), *GOOD[1:]])
    assert same(path, signed(other))["SignatureCheck"] is False


def test_an_image_of_an_old_version_has_no_metadata(path: Path) -> None:
    parts = [part for part in GOOD if part[0] != images.METADATA]
    found = same(path, forge(parts, version=3))
    assert list(found) == ["EifVersion", "Measurements", "IsSigned", "CheckCRC"]


def test_custom_metadata_stands_beside_the_rest(path: Path) -> None:
    document = {**images.DOCUMENT, "CustomMetadata": {"team": "signing", "ticket": {"id": 7}}}
    found = same(path, forge([*GOOD[:2], (images.METADATA, json.dumps(document).encode()), *GOOD[3:]]))
    metadata = found["Metadata"]
    assert isinstance(metadata, dict)
    assert list(metadata)[-3:] == ["DockerInfo", "team", "ticket"]


def test_short_trailing_bytes_are_no_matter(path: Path) -> None:
    """nitroctl refuses the image, nitro-cli does not see them."""
    same(path, forge(trailing=b"12345"))


def refused(path: Path, image: bytes) -> str:
    with pytest.raises(CannotAnswer) as caught:
        described(path, image)
    assert caught.value.code == "eif.no-description"
    start = f"{path}: nothing that nitro-cli describe-eif prints can be told: "
    assert caught.value.message.startswith(start)
    return caught.value.message.removeprefix(start)


def test_a_signature_that_does_not_verify_is_an_error(path: Path) -> None:
    image = bytearray(signed())
    image[-1] ^= 1  # the last byte of s; the checksum is wrong now, which alone would be a member
    assert refused(path, bytes(image)) == "the signature is not one of these bytes by this certificate's key"


def test_metadata_that_nitro_cli_does_not_read_is_an_error(path: Path) -> None:
    parts = [*GOOD[:2], (images.METADATA, b"{"), *GOOD[3:]]
    assert refused(path, forge(parts)).startswith("the metadata is not JSON: ")


def test_metadata_without_custom_metadata_is_an_error(path: Path) -> None:
    document = {name: value for name, value in images.DOCUMENT.items() if name != "CustomMetadata"}
    said = refused(path, forge([*GOOD[:2], (images.METADATA, json.dumps(document).encode()), *GOOD[3:]]))
    assert said.endswith("nitro-cli describe-eif fails on it")


def test_custom_metadata_that_is_no_object_is_an_error(path: Path) -> None:
    document = {**images.DOCUMENT, "CustomMetadata": ["a"]}
    said = refused(path, forge([*GOOD[:2], (images.METADATA, json.dumps(document).encode()), *GOOD[3:]]))
    assert said == "its custom metadata is no object, and nitro-cli can only lay out an object"


def test_readers_that_do_not_agree_have_no_common_description(path: Path) -> None:
    assert refused(path, forge(trailing=b"\0\3\0\0" + bytes(7) + b"\4evil")) == (
        "readers that follow the table see another image than readers that follow the sizes"
    )


def test_a_section_of_undefined_type_is_an_error(path: Path) -> None:
    assert "undefined type 6" in refused(path, forge([*GOOD, (6, b"x")]))


def test_what_is_no_image_is_an_error(path: Path) -> None:
    assert refused(path, b"\x7fELF" + bytes(1000)) == "the file is not an enclave image"


def test_names_of_the_issuer_are_those_of_openssl(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    oid = x509.NameOID
    values = {
        oid.COUNTRY_NAME: "DE",
        oid.ORGANIZATION_NAME: 'Quoted "GmbH"',
        oid.USER_ID: "u1",
        oid.SERIAL_NUMBER: "42",
        x509.ObjectIdentifier("1.2.3.4"): "unknown",
        oid.COMMON_NAME: "signer",
    }
    name = x509.Name([x509.NameAttribute(kind, value) for kind, value in values.items()])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 11, 21, 3, 4, 5, tzinfo=UTC))
        .not_valid_after(datetime(2036, 2, 3, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    section = sign(images.registers(forge())[0], private_key_pem=private, certificate_pem=pem)
    found = described(path, forge([*GOOD, (images.SIGNATURE, section)]))["SigningCertificate"]
    assert isinstance(found, dict)
    assert found["IssuerName"] == {
        "1.2.3.4": "unknown",
        "commonName": "signer",
        "countryName": "DE",
        "organizationName": "Quoted GmbH",
        "serialNumber": "42",
        "userId": "u1",
    }
    assert list(found["IssuerName"]) == sorted(found["IssuerName"])
    assert (found["Algorithm"], found["NotBefore"]) == ("ecdsa-with-SHA256", "Nov 21 03:04:05 2026 GMT")
    assert found["NotAfter"] == "Feb  3 00:00:00 2036 GMT"


def test_the_text_is_laid_out_as_nitro_cli_lays_it_out() -> None:
    assert text({"EifVersion": 4, "Measurements": {"PCR0": "00"}}) == (
        '{\n  "EifVersion": 4,\n  "Measurements": {\n    "PCR0": "00"\n  }\n}\n'
    )


def test_the_text_holds_nothing_that_a_terminal_obeys() -> None:
    name = "\x1b[2J \x7f \x9b \N{RIGHT-TO-LEFT OVERRIDE} \N{LATIN SMALL LETTER U WITH DIAERESIS} \U000e0001"
    written = text({"ImageName": name})
    assert all(character.isprintable() or character == "\n" for character in written)
    assert "ü" in written
    assert json.loads(written) == {"ImageName": name}
