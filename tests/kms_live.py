"""Policies for the tests of live keys: one that holds, from which a test changes a single thing."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nitroctl.kms.live import LiveKey
from tests.kms_requests import ACCOUNT, PCR0, ROLE, ROOT, statement

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ADMIN, WRITER = f"arn:aws:iam::{ACCOUNT}:role/admin", f"arn:aws:iam::{ACCOUNT}:role/policy"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/policy/ci"
REQUEST = "(request id 5e1f0c4e-1111-2222-3333-444455556666)"
A, B = "ab" * 48, "cd" * 48
AT = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
_ATTESTED = ["kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair"]
_READ = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants", "kms:ListKeyPolicies"]

Policy = dict[str, Any]


def good(*images: str, **changes: Mapping[str, Any] | None) -> Policy:
    """Return a policy that holds for images (of PCR0); a change replaces the statement of a Sid, None takes it out."""
    listed: Sequence[str] | str = list(images) if len(images) > 1 else images[0]
    found: dict[str, Mapping[str, Any] | None] = {
        "Admin": statement(Sid="Admin", Principal={"AWS": ADMIN}, Action=["kms:DescribeKey", "kms:EnableKey"]),
        "Writer": statement(Sid="Writer", Principal={"AWS": WRITER}, Action=[*_READ, "kms:PutKeyPolicy"]),
        "Use": statement(Sid="Use", Condition={"StringEqualsIgnoreCase": {PCR0: listed}}),
        "Unattested": _deny("Unattested", {"Null": {PCR0: "true"}}),
        "Other": _deny("Other", {"StringNotEqualsIgnoreCase": {PCR0: listed}}),
        "Detours": statement("Deny", Sid="Detours", Principal="*", Action=["kms:CreateGrant", "kms:ReEncryptFrom"]),
    }
    found |= changes
    return {"Version": "2012-10-17", "Statement": [each for each in found.values() if each is not None]}


def default() -> Policy:
    """Return the policy that KMS gives a key for which none is written."""
    sid = "Enable IAM User Permissions"
    return {"Version": "2012-10-17", "Statement": [statement(Sid=sid, Principal={"AWS": ROOT}, Action="kms:*")]}


def _deny(sid: str, condition: Mapping[str, Any]) -> Mapping[str, Any]:
    return statement("Deny", Sid=sid, Principal="*", Action=_ATTESTED, Condition=condition)


def live(policy: Policy, **changes: Any) -> LiveKey:
    """Return a key with a policy, as it is read from KMS; ``changes``: what else is so of it."""
    key = LiveKey(
        asked=KEY, arn=KEY, partition="aws", account="111122223333", region="eu-west-1", state="Enabled",
        usage="ENCRYPT_DECRYPT", spec="SYMMETRIC_DEFAULT", origin="AWS_KMS", manager="CUSTOMER", multi_region=False,
        region_type="", replicas=(), policies={"default": json.dumps(policy)}, grants=(), read_at=AT,
    )  # fmt: skip
    return dataclasses.replace(key, **changes)


def write(path: Path, policy: Policy) -> str:
    """Write a policy to a file and return its path."""
    path.write_text(json.dumps(policy))
    return str(path)


__all__ = [
    "ADMIN", "AT", "KEY", "REQUEST", "ROLE", "SESSION", "WRITER", "A", "B", "default", "good", "live", "write",
]  # fmt: skip
