"""Key policies for the tests: statements from which a test builds one, and changes a single thing."""

import json
from collections.abc import Mapping
from typing import Any

from nitroctl.kms import document
from nitroctl.kms.lint import findings
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import Reading, Wanted
from nitroctl.kms.lint_rules import Finding
from tests.records import register

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SIGNER, ADMIN, WRITER, FOREIGN = f"{ROLE}/signer", f"{ROLE}/admin", f"{ROLE}/policy", "arn:aws:iam::999900001111:role/x"
KEY = "kms:RecipientAttestation:"
ONE, TWO = register("one").hex(), register("two").hex()
ZERO = "0" * 96
DATA4 = ["kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair"]
CALLED = {"kms:EncryptionContext:purpose": "signing"}

#: What is known of a key, and wanted of its policy, when nobody says.
NOTHING, NOBODY = KeyFacts(), Wanted()

Json = dict[str, Any]


def statement(effect: str, principal: object, action: object, condition: object = None, **members: object) -> Json:
    made: Json = {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*"}
    if condition is not None:
        made["Condition"] = condition
    return {key: value for key, value in (made | members).items() if value is not ...}


def allow(action: object = "kms:Decrypt", condition: object = None, *, to: object = SIGNER, **members: object) -> Json:
    return statement("Allow", to if to == "*" else {"AWS": to}, action, condition, **members)


def deny(action: object = ..., condition: object = None, *, to: object = "*", **members: object) -> Json:
    return statement("Deny", {"AWS": to}, DATA4 if action is ... else action, condition, **members)


def bound(operator: str = "StringEqualsIgnoreCase", **registers: object) -> Json:
    """Return a condition on registers: ``bound(PCR0=ONE)``."""
    return {operator: {f"{KEY}{name}": value for name, value in registers.items()}}


RELEASE = allow(condition={**bound(PCR0=ONE), "StringEquals": CALLED}, Sid="Release")
MANAGE = allow(["kms:DescribeKey", "kms:PutKeyPolicy"], to=[ADMIN, WRITER], Sid="Manage")
UNATTESTED = deny(condition={"Null": {f"{KEY}PCR0": "true"}}, Sid="DenyUnattested")
OTHERS = deny(condition=bound("StringNotEqualsIgnoreCase", PCR0=ONE), Sid="DenyOthers")
DETOURS = deny(["kms:CreateGrant", "kms:ReEncryptFrom"], Sid="DenyDetours")


def policy(*statements: Json, **members: object) -> Json:
    """Return a policy of ``statements`` and of the one that manages the key."""
    return {"Version": "2012-10-17", "Statement": [MANAGE, *statements], **members}


GOOD = policy(RELEASE, UNATTESTED, OTHERS, DETOURS)


def reading(value: Mapping[str, Any], key: KeyFacts = NOTHING, wanted: Wanted = NOBODY) -> Reading:
    return Reading(document.parse(json.dumps(value, indent=1), where="policy.json"), key, wanted)


def found(value: Mapping[str, Any], number: str, key: KeyFacts = NOTHING, wanted: Wanted = NOBODY) -> list[Finding]:
    """Return the findings of one rule."""
    return [each for each in findings(reading(value, key, wanted)) if each.rule.number == number]
