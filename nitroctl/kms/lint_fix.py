"""``kms lint --fix``: the few changes that only make a policy say better what it says.

None lets more requests in: no statement is added, no image, principal or action. Dropping ``IfExists`` and
``ForAllValues`` from an Allow shuts out those who attest nothing, which is what the condition was written for.
Everything else needs somebody who knows what is meant. The file is written again as canonical JSON.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from nitroctl.kms.document import VERSION, operator
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.letters import folded
from nitroctl.kms.lint_gates import register_of
from nitroctl.kms.lint_rules import RULES

_CASELESS: Final = {
    "stringequals": "StringEqualsIgnoreCase",
    "stringnotequals": "StringNotEqualsIgnoreCase",
    "stringequalsignorecase": "StringEqualsIgnoreCase",
    "stringnotequalsignorecase": "StringNotEqualsIgnoreCase",
}
_REGISTER: Final = re.compile(r"[0-9a-fA-F]{96}")
#: Rules with findings that can be mended so.
FIXABLE: Final = tuple(RULES[number].number for number in ("KP007", "KP008", "KP019", "KP022", "KP051"))


def fix(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``policy``, a document that was read strictly, with what can be mended safely."""
    fixed = copy.deepcopy(dict(policy))
    listed = fixed["Statement"] if isinstance(fixed["Statement"], list) else [fixed["Statement"]]
    for statement in listed:
        _leave_random(statement)
        if "Condition" in statement:
            statement["Condition"] = _conditions(statement["Condition"], statement["Effect"])
    if fixed.get("Version") != VERSION and "${" not in json.dumps(policy):
        fixed = {"Version": VERSION} | {key: value for key, value in fixed.items() if key != "Version"}
    return fixed


def dumps(policy: Mapping[str, Any]) -> str:
    """Return the canonical text of a policy: JSON indented by two spaces, with a final newline."""
    return json.dumps(policy, indent=2, ensure_ascii=False) + "\n"


def _leave_random(statement: dict[str, Any]) -> None:
    """Take kms:GenerateRandom out of a list that has other actions."""
    actions = statement.get("Action")
    if isinstance(actions, list):
        left = [action for action in actions if folded(action) != "kms:generaterandom"]
        if left:
            statement["Action"] = left


def _conditions(conditions: Mapping[str, Mapping[str, Any]], effect: str) -> dict[str, dict[str, Any]]:
    """Return the conditions with attestation compared by operators that mean what they seem to."""
    found: dict[str, dict[str, Any]] = {}
    for written, key, given in _each(conditions):
        name, values = _compared(written, key, given, effect)
        here = found.setdefault(name, {})
        if key in here:  # two operators became one that cannot hold both: leave everything as it was
            return {each: dict(keys) for each, keys in conditions.items()}
        here[key] = values
    return found


def _each(conditions: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    for written, keys in conditions.items():
        for key, values in keys.items():
            yield written, key, values


def _compared(written: str, key: str, values: object, effect: str) -> tuple[str, object]:
    taken = operator(written)
    name = _CASELESS.get(folded(taken.name))
    if register_of(key) is None or name is None:
        return written, values
    lower = [_lower(value) for value in values] if isinstance(values, list) else _lower(values)
    positive_allow = effect == Effect.ALLOW and "Not" not in name
    if positive_allow:
        prefix = "ForAnyValue:" if taken.set_operator == "ForAnyValue" else ""
        return f"{prefix}{name}", lower
    prefix = f"{taken.set_operator}:" if taken.set_operator else ""
    return f"{prefix}{name}{'IfExists' if taken.if_exists else ''}", lower


def _lower(value: object) -> object:
    """Return a register in lower case; whatever else it is (base64, say) stays as it is."""
    return value.lower() if isinstance(value, str) and _REGISTER.fullmatch(value) else value
