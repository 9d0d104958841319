"""How KMS decides, as far as the generated policies need it: written from the IAM documentation, not from nitroctl.

An absent key makes a positive operator false and a negated one true, ``Null`` asks for absence; several operators and
several keys are all to hold; of several values any, under a negated operator none. A Deny that matches wins; otherwise
an Allow is needed, from the policy or (root delegation with an IAM policy, a grant) from elsewhere.
Source: IAM user guide, "Condition operators", "Conditions with multiple context keys or values".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """A call: who, what, and the condition keys that it carries."""

    principal: str
    action: str = "kms:Decrypt"
    context: Mapping[str, str] = field(default_factory=dict)


def attested(principal: str, pcrs: Mapping[int, bytes], action: str = "kms:Decrypt", **context: str) -> Request:
    """Return a call that carries an attestation document with ``pcrs``, and an encryption context."""
    keys = {f"kms:RecipientAttestation:PCR{index}": value.hex() for index, value in pcrs.items()}
    keys["kms:RecipientAttestation:ImageSha384"] = pcrs[0].hex()
    keys |= {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
    return Request(principal, action, keys)


def allowed(policy: Mapping[str, Any], request: Request, *, elsewhere: bool = False) -> bool:
    """Return what KMS decides; ``elsewhere``: an IAM policy or a grant allows it."""
    effects = {statement["Effect"] for statement in policy["Statement"] if _matches(statement, request)}
    return "Deny" not in effects and (elsewhere or "Allow" in effects)


def _matches(statement: Mapping[str, Any], request: Request) -> bool:
    principals = _values(statement["Principal"]["AWS"])
    actions = [action.lower() for action in _values(statement["Action"])]
    assert statement["Resource"] == "*"
    assert not any("*" in action for action in actions)
    return (
        ("*" in principals or request.principal in principals)
        and request.action.lower() in actions
        and all(
            holds(operator, request.context.get(key), _values(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def holds(operator: str, actual: str | None, values: Sequence[str]) -> bool:
    """Return whether one operator holds for one key; ``actual`` is None when the request does not carry it."""
    match operator:
        case "StringEquals":
            return actual is not None and actual in values
        case "StringEqualsIgnoreCase":
            return actual is not None and actual.lower() in {value.lower() for value in values}
        case "StringNotEqualsIgnoreCase":
            return actual is None or actual.lower() not in {value.lower() for value in values}
        case "Null":
            return (actual is None) == (values == ["true"])
    raise AssertionError(operator)


def _values(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
