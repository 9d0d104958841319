"""Which register values the Allow statements of a key policy name: a reading, and no proof of what the policy allows.

A statement can name a release and still let others by, and another statement can let everybody by; what a policy really
lets through is a question of its own. Here only drift is looked for: images that are named and not recorded, or the
other way round. Source: KMS Developer Guide, "AWS KMS condition keys for AWS Nitro Enclaves".
"""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nitroctl import safefile, strict_json
from nitroctl.errors import CannotAnswer
from nitroctl.kms.letters import folded

#: A key policy has at most 32 KiB; a file with it may be indented generously.
SIZE_LIMIT: Final = 1024 * 1024
#: What an enclave asks KMS for with an attestation document and gets data from.
ATTESTED: Final = ("kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair")
_KEY: Final = re.compile(r"kms:recipientattestation:(?:(nitrotpm)?pcr(\d{1,2})|imagesha384)", re.IGNORECASE | re.ASCII)
_OPERATORS: Final = {"stringequals", "stringequalsignorecase", "stringlike"}
_HEX: Final = re.compile(r"[0-9a-fA-F]{96}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One Allow statement for what enclaves ask for. ``label``: its Sid, or its place from 1.

    ``registers``: the values of an enclave's registers that it names, by index, any one of which is enough; ``tpm``:
    those of a NitroTPM's. No request has both. ``open``: it can match a request without attestation: it has no
    condition on a register, or only such that hold when the register is absent.
    """

    label: str
    registers: Mapping[int, frozenset[bytes]]
    open: bool
    tpm: Mapping[int, frozenset[bytes]] = field(default_factory=dict)


def read(path: str) -> tuple[Named, ...]:
    """Return the statements of the policy in the file ``path``, or on standard input for ``-``.

    Raises CannotAnswer ``file.*``, ``json.*`` or ``kms.policy`` (not a policy, or a value that is no register).
    """
    where = "standard input" if path == safefile.STDIN else path
    return parse(safefile.read_text(path, limit=SIZE_LIMIT), where=where)


def parse(text: str, *, where: str) -> tuple[Named, ...]:
    """Return the statements of the policy that the JSON ``text`` holds; ``where`` names it in errors."""
    document = strict_json.parse(text, where=where)
    if isinstance(document, dict) and isinstance(document.get("Policy"), str):  # what aws kms get-key-policy prints
        document = strict_json.parse(document["Policy"], where=f"{where}: /Policy")
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        raise _refused(f"{where}: not a key policy: no member Statement")
    found = []
    for number, statement in enumerate(statements):
        place = f"{where}: /Statement/{number}"
        if not isinstance(statement, dict):
            raise _refused(f"{place}: not an object")
        if statement.get("Effect") == "Allow" and _serves_enclaves(statement, place):
            found.append(_named(statement, number, place))
    return tuple(found)


def _serves_enclaves(statement: Mapping[str, Any], place: str) -> bool:
    if "NotAction" in statement:
        denied = [folded(action) for action in _texts(statement["NotAction"], f"{place}/NotAction")]
        return any(not _matches(denied, action) for action in ATTESTED)
    actions = [folded(action) for action in _texts(statement.get("Action", []), f"{place}/Action")]
    return any(_matches(actions, action) for action in ATTESTED)


def _matches(patterns: list[str], action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.replace("[", "[[]")) for pattern in patterns)


def _named(statement: Mapping[str, Any], number: int, place: str) -> Named:
    sid = statement.get("Sid")
    label = sid if isinstance(sid, str) and sid else f"statement {number + 1}"
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict):
        raise _refused(f"{place}/Condition: not an object")
    enclave: dict[int, frozenset[bytes]] = {}
    tpm: dict[int, frozenset[bytes]] = {}
    binding = False
    for operator, keys in conditions.items():
        at = f"{place}/Condition{strict_json.pointer([operator])}"
        if not isinstance(keys, dict):
            raise _refused(f"{at}: not an object")
        plain = folded(operator).partition(":")[2] or folded(operator)
        holds_when_absent = plain.endswith("ifexists") or folded(operator).startswith("forallvalues:")
        for key, values in keys.items():
            match = _KEY.fullmatch(key)
            if not match or plain.removesuffix("ifexists") not in _OPERATORS:
                continue
            named = _values(values, f"{at}{strict_json.pointer([key])}")
            binding = binding or not holds_when_absent
            registers, index = tpm if match[1] else enclave, int(match[2] or 0)
            registers[index] = registers[index] & named if index in registers else named
    return Named(label=label, registers=dict(sorted(enclave.items())), open=not binding, tpm=dict(sorted(tpm.items())))


def _values(values: object, place: str) -> frozenset[bytes]:
    found = set()
    for text in _texts(values, place):
        if not _HEX.fullmatch(text):
            raise _refused(f"{place}: not a SHA-384 register in hexadecimal: {text[:100]!r}")
        found.add(bytes.fromhex(text))
    return frozenset(found)


def _texts(value: object, place: str) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    found = [text for text in texts if isinstance(text, str)]
    if len(found) != len(texts):
        raise _refused(f"{place}: neither a string nor a list of strings")
    return found


def _refused(message: str) -> CannotAnswer:
    return CannotAnswer(
        message, "kms.policy", ["give the policy as aws kms get-key-policy prints it, or the document alone"]
    )
