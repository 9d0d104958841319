"""What a judged document says, member by member."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitroctl import pcr
from nitroctl.appraisal import facts
from nitroctl.appraisal.judge import Judge
from nitroctl.evidence.document import Document, Kind
from nitroctl.evidence.roots import AWS_ROOTS, pem
from nitroctl.standin.lab_change import INSTANCE, MODULE_ID, NONCE, PCRS, accepted, make

JUDGED = Judge(roots=accepted()).judge(make())
LINKS = JUDGED.verified.chain.certificates


def document(**changes: Any) -> Document:
    assert JUDGED.parsed.document is not None
    return replace(JUDGED.parsed.document, **changes)


def test_everything_a_document_says() -> None:
    assert facts.as_json(document(), LINKS) == {
        "kind": "enclave",
        "module_id": MODULE_ID,
        "instance_id": INSTANCE,
        "enclave_id": "019aa0b0c0d0e0f0",
        "region": "eu-west-1",
        "partition": None,
        "time": "2026-11-20T10:00:00.250Z",
        "launched_at": "2025-11-20T09:55:29.616Z",
        "certificate_issued_at": "2026-11-20T10:00:00Z",
        "debug_mode": False,
        "pcrs": {f"PCR{index}": PCRS.get(index, pcr.ZERO).hex() for index in range(16)},
        "nonce": {"size_bytes": 20, "hex": NONCE.hex(), "text": None},
        "user_data": {"size_bytes": 5, "hex": "68656c6c6f", "text": "hello"},
        "public_key": None,
    }


def test_what_names_and_serial_numbers_do_not_tell_is_not_told() -> None:
    said = facts.as_json(document(module_id="x"), ())
    names = ("instance_id", "enclave_id", "region", "launched_at", "certificate_issued_at")
    assert [said[name] for name in names] == [None] * 5


def test_the_partition_is_that_of_the_root_in_the_document() -> None:
    for root in AWS_ROOTS:
        bundle = (pcr.certificate_der(pem(root), where=""), *document().cabundle[1:])
        assert facts.as_json(document(cabundle=bundle), LINKS)["partition"] == root.partition


def test_debug_mode_is_said_of_enclaves_only() -> None:
    zero = {0: pcr.ZERO, 1: pcr.ZERO, 2: pcr.ZERO}
    assert facts.as_json(document(pcrs=zero), LINKS)["debug_mode"] is True
    assert facts.as_json(document(pcrs=zero, kind=Kind.NITROTPM), LINKS)["debug_mode"] is None


@pytest.mark.parametrize("content", [b"", b"\xff"])
def test_a_public_key_that_cannot_be_read_is_bytes(content: bytes) -> None:
    members = {"size_bytes": len(content), "hex": content.hex(), "text": None, "key": None}
    assert facts.as_json(document(public_key=content), LINKS)["public_key"] == members


def test_a_public_key_that_can_be_read_has_kind_size_and_digest() -> None:
    key = rsa.RSAPublicNumbers(65537, (1 << 2047) + 1).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    said = facts.as_json(document(public_key=der), LINKS)["public_key"]
    read = {"kind": "RSA", "bits": 2048, "sha256": hashlib.sha256(der).hexdigest()}
    assert said == {"size_bytes": 294, "hex": der.hex(), "text": None, "key": read}
