"""What a record of CloudTrail says: one change each."""

import base64
import json
from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.kms import trail_event
from nitroctl.kms.trail_event import Event
from nitroctl.kms.trail_files import Found
from tests import records, trails


def read(record: dict[str, Any]) -> Event:
    event = trail_event.read(Found("log: record 1", record))
    assert event is not None
    return event


def test_an_attested_call() -> None:
    event = read(trails.attested(3))
    assert event.attested is not None
    assert dict(event.attested.registers) == trails.registers()
    assert event.attested[:3] == ("nitro-enclave", trails.MODULE, trails.INSTANCE)
    assert event.attested.fault == ""
    assert event[:11] == (
        "2026-11-21T10:03:00Z",
        "event-3-Decrypt",
        "Decrypt",
        "log: record 1",
        trails.REGION,
        trails.KEY_ID,
        trails.KEY,
        f"arn:aws:sts::{trails.ACCOUNT}:assumed-role/signer/{trails.INSTANCE}",
        trails.ROLE,
        trails.INSTANCE,
        "192.0.2.7",
    )
    assert event.succeeded
    assert not event.denied


def test_base64_and_hexadecimal_are_the_same_registers() -> None:
    block = {"recipient": trails.recipient(trails.registers(), hexadecimal=True)}
    assert read(trails.attested(additionalEventData=block)).attested == read(trails.attested()).attested


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A" * 64, pcr.ZERO),
        ("0" * 96, pcr.ZERO),
        ("AB" * 48, b"\xab" * 48),
        (base64.b64encode(records.register(1)).decode(), records.register(1)),
    ],
)
def test_forms_of_a_register(text: str, expected: bytes) -> None:
    assert trail_event.register(text, where="x") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab" * 32,
        "AA" * 31 + "BB",
        "a" * 95,
        "0x" + "a" * 94,
        "A" * 63 + "=",
        "A" * 60 + "====",
        "a" * 128,
        "é" * 64,
    ],
)
def test_what_is_no_register_is_not_guessed_at(text: str) -> None:
    with pytest.raises(UsageError):
        trail_event.register(text, where="x")


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ("text", "the block about the recipient is not an object"),
        ({}, "no register is logged"),
        ({"attestationDocumentModuleId": trails.MODULE}, "no register is logged"),
        ({"attestationDocumentEnclaveImageDigest": 7}, "attestationDocumentEnclaveImageDigest: not a SHA-384 register"),
        (
            {"attestationDocumentEnclaveImageDigest": "A" * 64, "attestationDocumentEnclavePCR0": "z" * 64},
            "PCR0 is given twice, with two values",
        ),
        (
            {"attestationDocumentEnclaveImageDigest": "A" * 64, "attestationDocumentNitroTPMPCR4": "A" * 64},
            "registers of an enclave and of a NitroTPM",
        ),
        (
            trails.recipient(trails.registers(), module=f"{trails.INSTANCE}-tpm0000000000000000"),
            "is not that of a nitro-enclave",
        ),
    ],
)
def test_registers_that_cannot_be_believed(block: object, fault: str) -> None:
    attested = read(trails.attested(additionalEventData={"recipient": block})).attested
    assert attested is not None
    assert fault in attested.fault


def test_a_nitrotpm_is_another_platform() -> None:
    block = {
        "attestationDocumentModuleId": f"{trails.INSTANCE}-tpm0000000000000000",
        "attestationDocumentNitroTPMPCR4": base64.b64encode(b"\4" * 48).decode(),
        "attestationDocumentNitroTPMPCR12": "0" * 96,
    }
    attested = read(trails.attested(additionalEventData={"recipient": block})).attested
    assert attested == (
        "nitro-tpm",
        f"{trails.INSTANCE}-tpm0000000000000000",
        trails.INSTANCE,
        ((4, b"\4" * 48), (12, pcr.ZERO)),
        "",
    )


@pytest.mark.parametrize("name", ["DescribeKey", "Encrypt", "GetKeyPolicy", "GenerateDataKeyWithoutPlaintext"])
def test_what_gives_no_data_and_changes_nothing_is_left_out(name: str) -> None:
    assert trail_event.read(Found("x", trails.call(name=name))) is None


def test_an_insight_is_no_call() -> None:
    assert trail_event.read(Found("x", trails.call(eventCategory="Insight"))) is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"eventName": None}, "no eventName"),
        ({"eventTime": None}, "no eventTime"),
        ({"eventTime": "2026-11-21 10:00"}, "no eventTime"),
        ({"eventTime": "２０２６-11-21T10:00:00Z"}, "no eventTime"),
    ],
)
def test_a_record_without_name_or_time_is_refused(change: dict[str, Any], what: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        read(trails.call(**change))
    assert caught.value.code == "kms.trail-unreadable"
    assert caught.value.message.startswith(f"log: record 1: {what}")


@pytest.mark.parametrize(
    ("change", "key", "key_id"),
    [
        ({}, trails.KEY, trails.KEY_ID),
        ({"resources": []}, "", ""),
        ({"resources": None, "requestParameters": {"keyId": trails.KEY_ID}}, trails.KEY_ID, trails.KEY_ID),
        ({"resources": [], "requestParameters": {"keyId": trails.KEY}}, trails.KEY, trails.KEY_ID),
        ({"resources": [], "requestParameters": {"keyId": "alias/signer"}}, "alias/signer", ""),
        ({"resources": ["x", {"ARN": 7}, {"ARN": trails.OTHER}]}, trails.OTHER, trails.OTHER_ID),
        ({"eventName": "GenerateRandom"}, "", ""),
        (
            {
                "eventName": "ReEncrypt",
                "requestParameters": {"sourceKeyId": trails.OTHER, "destinationKeyId": trails.KEY},
            },
            trails.OTHER,
            trails.OTHER_ID,
        ),
        (
            {
                "eventName": "ReEncrypt",
                "requestParameters": {"destinationKeyId": trails.OTHER_ID},
                "resources": [{"ARN": trails.OTHER}, {"ARN": trails.KEY}],
            },
            trails.KEY,
            trails.KEY_ID,
        ),
    ],
)
def test_which_key(change: dict[str, Any], key: str, key_id: str) -> None:
    event = read(trails.call(**change))
    assert (event.key, event.key_id) == (key, key_id)


def test_which_of_two_keys_reencryption_decrypts_is_not_guessed() -> None:
    both: dict[str, Any] = {"resources": [{"ARN": trails.OTHER}, {"ARN": trails.KEY}], "requestParameters": {}}
    assert read(trails.call(name="ReEncrypt", **both)).key_id == ""


@pytest.mark.parametrize("member", ["userAgent", "errorCode", "eventID", "sourceIPAddress"])
def test_a_text_longer_than_anything_aws_writes_counts_as_absent(member: str) -> None:
    long, short = (read(trails.call() | {member: "a" * length}) for length in (4097, 4096))
    assert short._asdict().items() - long._asdict().items() == {(_FIELDS[member], "a" * 4096)}


_FIELDS = {"userAgent": "agent", "errorCode": "error", "eventID": "id", "sourceIPAddress": "address"}


def test_a_policy_longer_than_the_api_takes_is_not_read() -> None:
    change = read(trails.policy(1, trails.allow() | {"Sid": "a" * 131_072})).change
    assert change is not None
    assert change[:3] == ("its text is not in the record, or too long", True, None)


def test_a_block_with_more_members_than_kms_writes_is_not_believed() -> None:
    block = trails.recipient(trails.registers()) | {f"x{number}": "" for number in range(64)}
    attested = read(trails.attested(additionalEventData={"recipient": block})).attested
    assert attested is not None
    assert attested.fault == "the block about the recipient has more members than KMS writes"


@pytest.mark.parametrize(
    ("error", "denied", "succeeded", "dry"),
    [
        ("AccessDenied", True, False, False),
        ("AccessDeniedException", True, False, False),
        ("DryRunOperation", False, True, True),
        ("DryRunOperationException", False, True, True),
        ("ThrottlingException", False, False, False),
    ],
)
def test_errors(error: str, *, denied: bool, succeeded: bool, dry: bool) -> None:
    event = read(trails.call(errorCode=error))
    assert (event.denied, event.succeeded, event.dry_run) == (denied, succeeded, dry)


@pytest.mark.parametrize("member", ["userIdentity", "requestParameters", "additionalEventData", "resources", "eventID"])
@pytest.mark.parametrize("value", [None, 7, "text", [], {}, [[]]])
def test_members_of_a_wrong_type_count_as_absent(member: str, value: object) -> None:
    event = read(trails.call() | {member: value})
    assert event.attested is None


def test_the_root_user_and_a_service_have_names() -> None:
    assert read(trails.call(userIdentity={"type": "AWSService", "invokedBy": "s3.amazonaws.com"})).principal == (
        "s3.amazonaws.com"
    )
    assert read(trails.call(userIdentity={})).principal == ""


@pytest.mark.parametrize(
    ("record", "said", "weakens", "binds"),
    [
        (trails.policy(1, trails.allow()), "every Allow of data names attestation", False, True),
        (
            trails.policy(1, trails.allow(), bypassPolicyLockoutSafetyCheck=True),
            "every Allow of data names attestation; the lockout check was bypassed",
            True,
            True,
        ),
        (
            trails.policy(1, trails.allow() | {"Condition": {}}),
            "open without attestation, unless a Deny covers it: Release 1.4.2",
            True,
            False,
        ),
        (trails.call(1, "PutKeyPolicy"), "its text is not in the record, or too long", True, False),
        (
            trails.call(1, "CreateKey"),
            "with the default policy, which lets the account's IAM policies decide",
            True,
            False,
        ),
    ],
)
def test_what_a_policy_names(record: dict[str, Any], said: str, *, weakens: bool, binds: bool) -> None:
    change = read(record).change
    assert change is not None
    assert (change.said, change.weakens, change.binds) == (said, weakens, binds)


def test_a_policy_that_cannot_be_read_is_told_and_weakens() -> None:
    parameters = {"keyId": trails.KEY_ID, "policy": '{"Statement": 7} kms:RecipientAttestation:PCR0'}
    change = read(trails.call(1, "PutKeyPolicy", requestParameters=parameters)).change
    assert change is not None
    assert change.said.startswith("a policy that cannot be read: line 1, column 18: not JSON")
    assert change[1:] == (True, (), True)


@pytest.mark.parametrize(
    ("request_", "said", "weakens"),
    [
        ({"granteePrincipal": "p", "operations": ["Decrypt", "DescribeKey"]}, "to p: Decrypt, DescribeKey", True),
        ({"granteePrincipal": "p", "operations": ["ReEncryptFrom"]}, "to p: ReEncryptFrom", True),
        ({"granteePrincipal": "p", "operations": ["DescribeKey"]}, "to p: DescribeKey", False),
        ({}, "to somebody: operations not logged", True),
    ],
)
def test_grants(request_: dict[str, Any], said: str, *, weakens: bool) -> None:
    change = read(trails.call(1, "CreateGrant", requestParameters=request_)).change
    assert change is not None
    assert (change.said, change.weakens) == (said, weakens)


@pytest.mark.parametrize(
    ("name", "request_", "said"),
    [
        ("UpdateAlias", {"aliasName": "alias/signer", "targetKeyId": trails.KEY}, "alias/signer"),
        ("RevokeGrant", {"grantId": "g1"}, "g1"),
        ("ImportKeyMaterial", {}, ""),
    ],
)
def test_other_changes(name: str, request_: dict[str, Any], said: str) -> None:
    change = read(trails.call(1, name, requestParameters=request_)).change
    assert change is not None
    assert (change.said, change.weakens) == (said, name == "ImportKeyMaterial")


@pytest.mark.parametrize("text", [trails.KEY, trails.KEY_ID, f" {trails.KEY} ", f"key/{trails.KEY_ID}"])
def test_a_key_is_known_by_its_id(text: str) -> None:
    assert trail_event.key_id(text) == trails.KEY_ID


@pytest.mark.parametrize("text", ["alias/signer", "", "arn:aws:s3:::bucket", f"{trails.KEY}/x", json.dumps(trails.KEY)])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        trail_event.key_id(text)
    assert caught.value.code == "kms.trail-key"
