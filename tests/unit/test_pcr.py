"""Registers: constants that AWS or its documents published, and every refusal in words."""

import base64
import csv
import hashlib

import pytest

from nitroctl import pcr
from nitroctl.errors import CannotAnswer, NitroctlError, UsageError
from tests import images
from tests.conftest import vectors

EMPTY_PCR2 = "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"
#: AWS's documented example: arn:aws:iam::123456789012:role/Webserver
WEBSERVER_PCR3 = "78fce75db17cd4e0a3fb8dad3ad128ca5e77edbb2b2c7f75329dccd99aa5f6ef4fc1f1a452e315b9e98f9e312e6921e6"
INSTANCE = "i-0059d193987fc90bf"
INSTANCE_PCR4 = "af6d1f44eec93d1ff79d9cf68439254cc839365c61db79ded74181764fe93563c24ad1dc7bcfd5bf7309a34023e03f2c"


def test_an_image_with_one_ramdisk_has_the_published_pcr2() -> None:
    assert pcr.EMPTY_PCR2.hex() == EMPTY_PCR2


def test_aws_example_role_gives_its_published_pcr3() -> None:
    assert pcr.for_role("arn:aws:iam::123456789012:role/Webserver").hex() == WEBSERVER_PCR3


def test_a_role_read_from_a_file_may_end_in_a_line_feed() -> None:
    assert pcr.for_role("arn:aws:iam::123456789012:role/Webserver\n").hex() == WEBSERVER_PCR3


def test_a_role_with_a_path_is_extended_as_written() -> None:
    arn = "arn:aws-us-gov:iam::123456789012:role/team/Web+server"
    assert pcr.for_role(arn) == images.extended(arn.encode())


def test_an_instance_gives_the_pcr4_that_aws_signed() -> None:
    assert pcr.for_instance(INSTANCE).hex() == INSTANCE_PCR4


def test_every_instance_of_the_vectors_gives_the_pcr4_that_aws_signed() -> None:
    with vectors("eif", "pcr4-vectors.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert rows
    assert {row["instance_id"]: pcr.for_instance(row["instance_id"]).hex() for row in rows} == {
        row["instance_id"]: row["PCR4"] for row in rows
    }


def test_pcr8_is_made_from_the_certificates_der() -> None:
    _, certificate = images.pair()
    der = pcr.certificate_der(certificate, where="cert.pem")
    assert der == images.der(certificate)
    assert pcr.for_certificate(der) == images.extended(hashlib.sha384(der).digest())


def test_the_first_of_several_certificates_counts() -> None:
    first, second = images.pair()[1], images.pair("secp256r1")[1]
    assert pcr.certificate_der(b"Bag Attributes\n" + first + second, where="chain.pem") == images.der(first)


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        (b"", "no PEM certificate in it"),
        (b"\xff\xfe not text", "no PEM certificate in it"),
        (images.pair()[0], "no PEM certificate in it"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "no PEM certificate in it"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB=A\n-----END CERTIFICATE-----\n", "the certificate's base64 is damaged"),
        (
            b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"text") + b"\n-----END CERTIFICATE-----\n",
            "the PEM block does not hold a DER certificate",
        ),
    ],
)
def test_what_is_not_a_certificate_is_refused(pem: bytes, said: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        pcr.certificate_der(pem, where="cert.pem")
    assert (caught.value.message, caught.value.code) == (f"cert.pem: {said}", "pcr.certificate")


@pytest.mark.timeout(30)
@pytest.mark.parametrize("filler", [b"\n", b" \n", b"A", b"-----BEGIN CERTIFICATE-----\n"])
def test_a_megabyte_of_pem_without_an_end_does_not_make_the_pattern_backtrack(filler: bytes) -> None:
    with pytest.raises(CannotAnswer):
        pcr.certificate_der(b"-----BEGIN CERTIFICATE-----" + filler * (1_000_000 // len(filler)), where="x")


def test_extending_hashes_the_old_value_and_the_data() -> None:
    assert pcr.extend(pcr.ZERO, b"") == images.extended(b"")
    assert pcr.from_digest(b"d" * 48) == images.extended(b"d" * 48)
    assert pcr.is_zero(pcr.ZERO)
    assert not pcr.is_zero(pcr.EMPTY_PCR2)


def test_names_and_meanings() -> None:
    assert [pcr.parse_name(text) for text in ("PCR0", "pcr8", "31", " 4 ")] == [0, 8, 31, 4]
    assert pcr.as_hex({8: pcr.ZERO, 0: pcr.EMPTY_PCR2}) == {"PCR0": EMPTY_PCR2, "PCR8": "00" * 48}
    assert list(pcr.as_hex({8: pcr.ZERO, 0: pcr.EMPTY_PCR2})) == ["PCR0", "PCR8"]
    assert pcr.meaning(8) == "certificate that signed the image"
    assert pcr.meaning(7) == "not used"
    assert pcr.meaning(16) == "extended and locked by the enclave itself"


@pytest.mark.parametrize("text", ["PCR32", "PCR00", "PCR-1", "", "PCR", "99", "zero", "PCR٣"])
def test_what_is_not_a_register_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        pcr.parse_name(text)
    assert caught.value.code == "pcr.name"


def test_values_are_read_in_hexadecimal_of_either_case() -> None:
    assert pcr.parse_value(EMPTY_PCR2.upper() + "\n") == pcr.EMPTY_PCR2
    assert pcr.parse_assignment(f"pcr2={EMPTY_PCR2}") == (2, pcr.EMPTY_PCR2)
    assert pcr.from_base64(base64.b64encode(pcr.EMPTY_PCR2).decode()) == pcr.EMPTY_PCR2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ab" * 32, "64 hexadecimal digits in place of 96, the length of SHA-256"),
        ("ab" * 64, "128 hexadecimal digits in place of 96, the length of SHA-512"),
        ("ab" * 20, "40 hexadecimal digits in place of 96, the length of SHA-1"),
        ("ab", "2 hexadecimal digits in place of 96"),
        ("0x" + "ab" * 48, "it begins with 0x; leave that out"),
        (base64.b64encode(pcr.EMPTY_PCR2).decode(), "it looks like base64, as CloudTrail writes registers"),
        ("", "it is empty"),
        ("z" * 96, "96 characters that are not all hexadecimal digits"),
    ],
)
def test_what_is_not_a_value_is_diagnosed(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        pcr.parse_value(text, where="PCR0")
    assert (caught.value.message, caught.value.code) == (f"PCR0: not a SHA-384 register: {said}", "pcr.value")


def test_an_assignment_needs_an_equals_sign() -> None:
    with pytest.raises(UsageError) as caught:
        pcr.parse_assignment("PCR0")
    assert caught.value.message == "not an assignment: 'PCR0'"


@pytest.mark.parametrize(("text", "said"), [("*", "not base64"), ("YWJj", "3 bytes in place of 48")])
def test_what_is_not_a_register_in_base64_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        pcr.from_base64(text, where="PCR0")
    assert caught.value.message == f"PCR0: {said}"


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "Webserver",
        "arn:aws:iam::1234:role/Webserver",
        "arn:aws:iam::123456789012:user/Webserver",
        "arn:aws:sts::123456789012:assumed-role/Webserver/session",
        "arn:aws:iam::123456789012:instance-profile/Webserver",
        "arn:aws:iam::123456789012:role/Web server",
        "arn:aws:iam::123456789012:role/",
    ],
)
def test_what_is_not_a_role_is_refused(arn: str) -> None:
    with pytest.raises(NitroctlError) as caught:
        pcr.for_role(arn)
    assert caught.value.code == "pcr.role"


@pytest.mark.parametrize(
    "text", ["", "i-123", "i-0059D193987FC90BF", "i-0059d193987fc90bf-enc123", "0059d193987fc90bf"]
)
def test_what_is_not_an_instance_is_refused(text: str) -> None:
    with pytest.raises(NitroctlError) as caught:
        pcr.for_instance(text)
    assert caught.value.code == "pcr.instance"
