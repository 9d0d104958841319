"""The KMS of the tests does what the tests rely on: nothing is proved by a fake that lets everything by."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from nitroctl import aws
from nitroctl.evidence import recipient
from nitroctl.standin import nsm, pki
from tests.kms_live import KEY, ROLE, WRITER, A, good
from tests.kms_requests import AT, PCR0, statement

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.kms import Kms


@pytest.fixture
def service(kms_service: "Kms") -> Any:
    kms_service.create(good(A, Encrypt=statement(Sid="Encrypt", Principal={"AWS": ROLE}, Action="kms:Encrypt")))
    kms_service.caller = ROLE
    kms_service.iam = {"Version": "2012-10-17", "Statement": []}
    return aws.client("kms", "eu-west-1")


def refused(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def document(tmp_path: "Path", pcr0: str, public_key: bytes | None) -> bytes:
    return nsm.attest(
        pki.create(tmp_path / "pki", at=AT),
        module_id="i-0123456789abcdef0-enc0190e0c0368d490d",
        region="eu-west-1",
        pcrs={0: bytes.fromhex(pcr0)},
        at=AT,
        nonce=None,
        user_data=None,
        public_key=public_key,
    )


def test_decryption_without_attestation_is_denied_also_as_a_dry_run(service: Any) -> None:
    ciphertext = service.encrypt(KeyId=KEY, Plaintext=b"secret")["CiphertextBlob"]
    for how in ({}, {"DryRun": True}):
        with pytest.raises(ClientError) as caught:
            service.decrypt(KeyId=KEY, CiphertextBlob=ciphertext, **how)
        assert refused(caught) == "AccessDeniedException"
    with pytest.raises(ClientError) as caught:
        service.decrypt(KeyId=KEY, DryRun=True, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    assert refused(caught) == "AccessDeniedException"


def test_a_dry_run_that_would_succeed_says_so(kms_service: "Kms", service: Any) -> None:
    kms_service.put(good(A, Unattested=None, Other=None, Use=statement(Sid="Use")))
    with pytest.raises(ClientError) as caught:
        service.decrypt(KeyId=KEY, DryRun=True, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    assert refused(caught) == "DryRunOperationException"
    with pytest.raises(ClientError) as caught:
        service.decrypt(KeyId=KEY, CiphertextBlob=b"none", DryRun=True)
    assert refused(caught) == "InvalidCiphertextException"


def test_an_attested_call_is_answered_for_the_document_only(service: Any, tmp_path: "Path") -> None:
    private, public = recipient_keys()
    ciphertext = service.encrypt(KeyId=KEY, Plaintext=b"secret")["CiphertextBlob"]
    asked = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document(tmp_path, A, public)}
    answer = service.decrypt(KeyId=KEY, CiphertextBlob=ciphertext, Recipient=asked)
    assert "Plaintext" not in answer
    assert opened(answer["CiphertextForRecipient"], private) == b"secret"
    asked["AttestationDocument"] = document(tmp_path / "other", "cd" * 48, public)
    with pytest.raises(ClientError) as caught:
        service.decrypt(KeyId=KEY, CiphertextBlob=ciphertext, Recipient=asked)
    assert refused(caught) == "AccessDeniedException"


def recipient_keys() -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    der = serialization.PublicFormat.SubjectPublicKeyInfo
    return private, key.public_key().public_bytes(serialization.Encoding.DER, der)


def opened(message: bytes, private: bytes) -> bytes:
    return recipient.open_message(recipient.parse(message), recipient.load_key(private, where="key"))


def test_no_document_is_no_attestation(service: Any) -> None:
    asked = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"none"}
    with pytest.raises(ClientError) as caught:
        service.decrypt(KeyId=KEY, CiphertextBlob=b"x", Recipient=asked)
    assert refused(caught) == "ValidationException"


def test_a_policy_comes_back_in_other_words(kms_service: "Kms", service: Any) -> None:
    kms_service.caller = WRITER
    policy = good(A, Use=statement(Sid="Use", Action=["kms:Decrypt"], Condition={"StringEquals": {PCR0: [A]}}))
    service.put_key_policy(KeyId=KEY, PolicyName="default", Policy=json.dumps(policy))
    text = service.get_key_policy(KeyId=KEY)["Policy"]
    assert text != json.dumps(policy)
    back = {each["Sid"]: each for each in json.loads(text)["Statement"]}
    assert back["Use"]["Action"] == "kms:Decrypt"
    assert back["Use"]["Condition"] == {"StringEquals": {PCR0: A}}
    assert back["Unattested"]["Principal"] == {"AWS": "*"}


#: A policy that KMS does not take, and the code and words of its refusal.
BAD: dict[str, tuple[str, str, str]] = {
    "no JSON": ("{", "MalformedPolicyDocumentException", "not valid"),
    "no statements": ("{}", "MalformedPolicyDocumentException", "not valid"),
    "an odd character": (
        json.dumps(good(A) | {"Id": "€"}, ensure_ascii=False),
        "MalformedPolicyDocumentException",
        "not",
    ),
    "too many bytes": (
        json.dumps(good(A) | {"Id": "é" * 17_000}, ensure_ascii=False),
        "LimitExceededException",
        "32768",
    ),
    "a deleted role": (
        json.dumps(good(A, Use=statement(Sid="Use", Principal={"AWS": "AROAEXAMPLE"}))),
        "MalformedPolicyDocumentException",
        "invalid principals",
    ),
    "a wildcard in a principal": (
        json.dumps(good(A, Use=statement(Sid="Use", Principal={"AWS": f"{ROLE}*"}))),
        "MalformedPolicyDocumentException",
        "invalid principals",
    ),
    "a lockout": (json.dumps(good(A, Writer=None)), "MalformedPolicyDocumentException", "in the future"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_policy_is_refused(kms_service: "Kms", service: Any, name: str) -> None:
    text, code, words = BAD[name]
    kms_service.caller = WRITER
    before = kms_service.policy()
    with pytest.raises(ClientError) as caught:
        service.put_key_policy(KeyId=KEY, PolicyName="default", Policy=text)
    assert (refused(caught), words in str(caught.value)) == (code, True)
    assert kms_service.policy() == before


def test_the_policy_of_ram_is_read_and_not_written(kms_service: "Kms", service: Any) -> None:
    kms_service.share(good(A))
    assert service.list_key_policies(KeyId=KEY)["PolicyNames"] == ["default", "AWS_RAM"]
    with pytest.raises(ClientError) as caught:
        service.put_key_policy(KeyId=KEY, PolicyName="AWS_RAM", Policy=json.dumps(good(A)))
    assert refused(caught) == "ValidationException"
    with pytest.raises(ClientError) as caught:
        service.get_key_policy(KeyId=KEY, PolicyName="other")
    assert refused(caught) == "NotFoundException"


def test_an_alias_is_only_described(kms_service: "Kms", service: Any) -> None:
    alias = kms_service.alias("signer")
    assert service.describe_key(KeyId=alias)["KeyMetadata"]["Arn"] == KEY
    with pytest.raises(ClientError) as caught:
        service.get_key_policy(KeyId=alias)
    assert refused(caught) == "InvalidArnException"
