"""Records of CloudTrail for the tests: good ones of KMS, from which a test changes a single thing."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from nitroctl import pcr
from tests import records

ACCOUNT = "111122223333"
REGION = "eu-west-1"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}"
OTHER_ID = "99990000-12ab-34cd-56ef-1234567890ab"
OTHER = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{OTHER_ID}"
INSTANCE = "i-0123456789abcdef0"
MODULE = f"{INSTANCE}-enc0190e0c0368d490d"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/signer"
ADMIN = f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/alice"
_NAMES = {0: "ImageDigest"}


def at(minute: int) -> str:
    return f"2026-11-21T10:{minute:02}:00Z"


def identity(role: str = "signer", session: str = INSTANCE) -> dict[str, Any]:
    """Return who called: a session of a role."""
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
        "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}},
    }


def call(minute: int = 0, name: str = "Decrypt", **members: Any) -> dict[str, Any]:
    """Return the record of a call without attestation that succeeded."""
    record = {
        "eventVersion": "1.11",
        "userIdentity": identity("admin", "alice"),
        "eventTime": at(minute),
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2.31.0",
        "requestParameters": {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        "responseElements": None,
        "requestID": f"request-{minute}",
        "eventID": f"event-{minute}-{name}",
        "readOnly": True,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": KEY}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return record | members


def registers(seed: object = "1.4.2") -> dict[int, bytes]:
    """Return what is logged of an enclave of the version ``seed``, unsigned, whose parent has the role signer."""
    return {
        **records.pcrs(seed),
        3: pcr.for_role(ROLE),
        4: pcr.for_instance(INSTANCE),
        8: pcr.ZERO,
    }


def recipient(logged: Mapping[int, bytes], *, module: str = MODULE, hexadecimal: bool = False) -> dict[str, str]:
    """Return the block about an attestation document, in base64 as real logs have it."""
    return {"attestationDocumentModuleId": module} | {
        f"attestationDocumentEnclave{'ImageDigest' if index == 0 else f'PCR{index}'}": (
            value.hex() if hexadecimal else base64.b64encode(value).decode()
        )
        for index, value in logged.items()
    }


def attested(minute: int = 0, seed: object = "1.4.2", name: str = "Decrypt", **members: Any) -> dict[str, Any]:
    """Return the record of an attested call of the recorded image ``seed``."""
    block = {"recipient": recipient(registers(seed))}
    return call(minute, name, userIdentity=identity(), additionalEventData=block) | members


def denied(minute: int = 0, **members: Any) -> dict[str, Any]:
    return call(minute, errorCode="AccessDenied", errorMessage="User is not authorized", **members)


def policy(minute: int, *statements: Mapping[str, Any], **request: Any) -> dict[str, Any]:
    """Return the record of PutKeyPolicy with a policy of ``statements``."""
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    parameters = {"keyId": KEY_ID, "policyName": "default", "policy": text, **request}
    return call(minute, "PutKeyPolicy", requestParameters=parameters, readOnly=False)


def allow(seed: object = "1.4.2") -> dict[str, Any]:
    """Return the statement that lets an image decrypt."""
    return {
        "Sid": f"Release {seed}",
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {
            "StringEqualsIgnoreCase": {
                f"kms:RecipientAttestation:PCR{index}": value.hex() for index, value in records.pcrs(seed).items()
            }
        },
    }


def delivered(*events: Mapping[str, Any]) -> bytes:
    """Return a file as CloudTrail delivers it, before compression."""
    return json.dumps({"Records": list(events)}, separators=(",", ":")).encode()


def looked_up(*events: Mapping[str, Any], **more: Any) -> bytes:
    """Return what ``aws cloudtrail lookup-events`` prints: the newest first."""
    found = [
        {"EventId": event.get("eventID", ""), "CloudTrailEvent": json.dumps(event, separators=(",", ":"))}
        for event in reversed(events)
    ]
    return json.dumps({"Events": found, **more}, indent=4).encode()
