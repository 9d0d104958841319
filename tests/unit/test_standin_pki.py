"""The stand-in's documents have AWS's shape, and say at their root that they are not AWS's."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2
import pytest
from cryptography import x509

from nitroctl.checks import Outcome
from nitroctl.errors import CannotAnswer
from nitroctl.evidence import certificate, roots
from nitroctl.evidence.document import parse
from nitroctl.evidence.verify import verify
from nitroctl.standin import nsm, pki
from tests.conftest import vectors

AT = datetime(2026, 11, 20, 10, 0, 0, 123000, tzinfo=UTC)
MODULE_ID = "i-0123456789abcdef0-enc019aa0b0c0d0e0f0"


def attest(test_pki: pki.TestPki, at: datetime = AT) -> bytes:
    return nsm.attest(
        test_pki,
        module_id=MODULE_ID,
        region="eu-west-1",
        pcrs={0: b"\x01" * 48},
        at=at,
        nonce=b"n",
        user_data=None,
        public_key=None,
    )


def real_chain() -> list[x509.Certificate]:
    path = vectors("attestation", "real-maceip-20260414T103849-84279ebd.cbor")
    document = parse(path.read_bytes()).document
    assert document is not None
    return [x509.load_der_x509_certificate(der) for der in document.chain]


def shape(found: x509.Certificate) -> object:
    """Everything about a certificate but keys, names' values, times and serial number."""
    extensions = {extension.oid.dotted_string: extension.critical for extension in found.extensions}
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    return (
        found.version,
        found.signature_algorithm_oid.dotted_string,
        [attribute.oid.dotted_string for attribute in found.subject],
        [attribute.oid.dotted_string for attribute in found.issuer],
        extensions,
        (constraints.ca, constraints.path_length),
        (usage.digital_signature, usage.content_commitment, usage.key_cert_sign, usage.crl_sign),
    )


def test_the_chain_has_the_shape_of_a_real_one(tmp_path: Path) -> None:
    chain = pki.create(tmp_path, at=AT).chain(module_id=MODULE_ID, region="eu-west-1", at=AT)
    ours = [identity.certificate for identity in chain]
    assert [shape(found) for found in ours] == [shape(found) for found in real_chain()]
    assert [found.not_valid_after_utc - found.not_valid_before_utc for found in ours[1:]] == [
        timedelta(days=20, hours=1),
        timedelta(days=6, hours=1),
        timedelta(days=1),
        timedelta(hours=3, seconds=3),
    ]


def test_the_document_is_encoded_as_aws_encodes_it(tmp_path: Path) -> None:
    document = attest(pki.create(tmp_path, at=AT))
    real = vectors("attestation", "real-maceip-20260414T103849-84279ebd.cbor").read_bytes()
    assert document[:7] == bytes.fromhex("8444a1013822a0") == real[:7]
    ours, theirs = (cbor2.loads(encoded)[2] for encoded in (document, real))
    assert (ours[0], ours[-1]) == (theirs[0], theirs[-1]) == (0xBF, 0xFF)
    assert list(cbor2.loads(ours)) == list(cbor2.loads(theirs))
    assert list(cbor2.loads(ours)["pcrs"]) == list(cbor2.loads(theirs)["pcrs"])
    assert cbor2.loads(ours)["user_data"] is None


def test_every_habit_of_aws_is_kept(tmp_path: Path) -> None:
    test_pki = pki.create(tmp_path, at=AT)
    pcrs = {0: b"\x01" * 48, 4: b""}
    from nitroctl.pcr import for_instance

    pcrs[4] = for_instance("i-0123456789abcdef0")
    document = nsm.attest(
        test_pki,
        module_id=nsm.new_module_id("i-0123456789abcdef0", at=AT - timedelta(hours=1)),
        region="eu-west-1",
        pcrs=pcrs,
        at=AT,
        nonce=None,
        user_data=None,
        public_key=None,
    )
    root = roots.from_pem(test_pki.root_certificate.read_bytes(), where="root.pem")
    report = verify(parse(document), (root,), at=AT).report
    assert report.passed
    assert not report.having(Outcome.WARN)


def test_nothing_it_issues_is_accepted_without_its_root(tmp_path: Path) -> None:
    report = verify(parse(attest(pki.create(tmp_path, at=AT))), at=AT).report
    assert [check.id for check in report.having(Outcome.FAIL)] == ["chain.root-pinned"]


def test_the_root_says_that_it_is_a_test(tmp_path: Path) -> None:
    found = certificate.load(pki.create(tmp_path, at=AT).root.der)
    assert found.subject_text == "CN=standin.nitro-enclaves,OU=test,O=nitroctl stand-in,C=US"
    for identity in pki.load(tmp_path).chain(module_id=MODULE_ID, region="eu-west-1", at=AT):
        assert "Amazon" not in certificate.load(identity.der).subject_text


def test_authorities_are_kept_while_they_last_and_leaves_are_not(tmp_path: Path) -> None:
    test_pki = pki.create(tmp_path, at=AT)
    options = {"module_id": MODULE_ID, "region": "eu-west-1"}
    first = test_pki.chain(**options, at=AT)
    again = pki.load(tmp_path).chain(**options, at=AT + timedelta(hours=1))
    assert [identity.der for identity in again[:-1]] == [identity.der for identity in first[:-1]]
    assert again[-1].der != first[-1].der
    next_day = test_pki.chain(**options, at=AT + timedelta(days=1))
    assert [a.der == b.der for a, b in zip(first, next_day, strict=True)] == [True, True, True, False, False]
    next_month = test_pki.chain(**options, at=AT + timedelta(days=30))
    assert [a.der == b.der for a, b in zip(first, next_month, strict=True)] == [True, False, False, False, False]


def test_a_document_lives_three_hours_even_from_an_authority_about_to_end(tmp_path: Path) -> None:
    test_pki = pki.create(tmp_path, at=AT)
    root = roots.from_pem(test_pki.root.pem, where="root")
    for hours in range(0, 30, 4):
        at = AT + timedelta(hours=hours)
        verified = verify(parse(attest(test_pki, at)), (root,), at=at + timedelta(hours=2, minutes=59))
        assert verified.report.passed


def test_private_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    pki.create(tmp_path, at=AT).chain(module_id=MODULE_ID, region="eu-west-1", at=AT)
    for path in tmp_path.iterdir():
        if b"PRIVATE KEY" in path.read_bytes():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as caught:
        pki.load(tmp_path)
    assert caught.value.code == "file.unreadable"
    pki.create(tmp_path, at=AT)
    (tmp_path / "root.key.pem").write_bytes(b"x")
    with pytest.raises(CannotAnswer) as caught:
        pki.load(tmp_path)
    assert caught.value.code == "standin.pki"


def test_a_damaged_authority_is_made_anew(tmp_path: Path) -> None:
    test_pki = pki.create(tmp_path, at=AT)
    attest(test_pki)
    for path in tmp_path.glob("zonal-*"):
        path.write_bytes(b"damaged")
    root = roots.from_pem(test_pki.root.pem, where="root")
    assert verify(parse(attest(test_pki)), (root,), at=AT).report.passed


def test_the_leafs_serial_number_holds_enclave_and_second() -> None:
    assert f"{pki.leaf_serial(MODULE_ID, AT):x}" == f"19aa0b0c0d0e0f000000000{int(AT.timestamp()):x}"
    assert pki.leaf_serial("i-0123456789abcdef0-tpm0000000000000000", AT) == int(AT.timestamp())
