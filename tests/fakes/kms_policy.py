"""What KMS does to a key policy that is put, and moto does not: refuse it, or store it in a form of its own.

Source: KMS API reference, PutKeyPolicy; KMS Developer Guide, "Key policies in AWS KMS", "Resource quotas".
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

SIZE = 32_768
_CHARACTERS = re.compile("[\t\n\r\u0020-\u00ff]*")
_ACCOUNT = re.compile(r"[0-9]{12}")
_ROOT = re.compile(r"arn:aws:iam::[0-9]{12}:root")


@dataclass(frozen=True)
class Refusal:
    """An error that AWS answers with."""

    code: str
    message: str = "no"
    status: int = 400


INVALID_PRINCIPALS = Refusal(
    "MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals."
)
LOCKOUT = Refusal(
    "MalformedPolicyDocumentException",
    "The new key policy will not allow you to update the key policy in the future.",
)
SYNTAX = Refusal("MalformedPolicyDocumentException", "The policy document is not valid.")
TOO_LARGE = Refusal("LimitExceededException", "Maximum policy size of 32768 bytes exceeded.")


def fault(text: str, existing: Collection[str] | None) -> Refusal | None:
    """Return why KMS refuses a policy, whoever puts it; ``existing``: the roles and users there are, None for all."""
    if len(text.encode()) > SIZE:
        return TOO_LARGE
    try:
        document = json.loads(text)
        statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
        named = [each for statement in statements for each in _principals(statement)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return SYNTAX
    if not _CHARACTERS.fullmatch(text):
        return SYNTAX
    if any(not _exists(each, existing) for each in named):
        return INVALID_PRINCIPALS
    return None


def _principals(statement: dict[str, Any]) -> list[str]:
    value: Any = statement.get("Principal", statement.get("NotPrincipal"))
    if value == "*":
        return []
    aws = value.get("AWS", [])
    return [aws] if isinstance(aws, str) else aws


def _exists(principal: str, existing: Collection[str] | None) -> bool:
    if principal == "*" or _ACCOUNT.fullmatch(principal) or _ROOT.fullmatch(principal):
        return True
    if not re.fullmatch(r"arn:aws:(iam|sts)::[0-9]{12}:(role|user|assumed-role)/[^*?]+", principal):
        return False  # AROA… of one that was deleted, a wildcard, something else
    return existing is None or principal in existing


def stored(text: str) -> str:
    """Return a policy as KMS gives it back: parsed and written again."""
    document = json.loads(text)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    members = {name: document[name] for name in ("Version", "Id") if name in document}
    members["Statement"] = [_statement(each) for each in statements]
    return json.dumps(members, indent=2, separators=(",", " : "))


def _statement(statement: dict[str, Any]) -> dict[str, Any]:
    order = ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource")
    members = {name: _value(statement[name]) for name in order if name in statement}
    for name in ("Principal", "NotPrincipal"):
        if name in members:
            members[name] = _principal(members[name])
    if "Condition" in statement:
        members["Condition"] = {
            operator: {key: _value(values) for key, values in sorted(keys.items())}
            for operator, keys in sorted(statement["Condition"].items())
        }
    return members


def _principal(value: Any) -> dict[str, Any]:
    if value == "*":
        return {"AWS": "*"}
    found = {kind: _value(names) for kind, names in value.items()}
    if "AWS" in found:
        names = [found["AWS"]] if isinstance(found["AWS"], str) else sorted(found["AWS"], reverse=True)
        found["AWS"] = _value([f"arn:aws:iam::{each}:root" if _ACCOUNT.fullmatch(each) else each for each in names])
    return found


def _value(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
