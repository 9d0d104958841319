"""A KMS key policy as a document: statements in order, one JSON form, and the limits KMS sets.

Statements that nitroctl writes have a Sid that begins with ``Nitroctl``: those it may replace, all others are the
operator's. Source: KMS Developer Guide, "Key policies in AWS KMS" (structure, characters, 32 KB); IAM JSON policy
elements reference.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from nitroctl.errors import CannotAnswer

#: What KMS accepts, in bytes of UTF-8 as sent. A fixed quota.
SIZE_LIMIT: Final = 32_768
SID_PREFIX: Final = "Nitroctl"
#: Principal of a statement about everybody.
EVERYBODY: Final = ("*",)

_SID: Final = re.compile(r"Nitroctl[A-Za-z0-9]{1,100}")
_ATTESTATION_KEY: Final = "kms:RecipientAttestation:PCR{}"

#: Condition of a statement: operator -> condition key -> values. Operators and keys are all to hold, of values any.
Conditions = Mapping[str, Mapping[str, tuple[str, ...]]]


class Effect(StrEnum):
    """What a statement does when it matches; one Deny outweighs every Allow."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. ``principals``: ARNs, or EVERYBODY. ``purpose``: a few words for people, not in the document.

    ``entry``: id of the ledger entry it stands for, empty when none. The resource is always this key.
    """

    sid: str
    effect: Effect
    principals: tuple[str, ...]
    actions: tuple[str, ...]
    purpose: str
    conditions: Conditions = field(default_factory=dict)
    entry: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the statement as it stands in the document; a list of one is written as its one value."""
        members: dict[str, object] = {
            "Sid": self.sid,
            "Effect": self.effect.value,
            "Principal": {"AWS": _plain(self.principals)},
            "Action": _plain(self.actions),
            "Resource": "*",
        }
        if self.conditions:
            members["Condition"] = {
                operator: {key: _plain(values) for key, values in keys.items()}
                for operator, keys in self.conditions.items()
            }
        return members


def attestation_key(index: int) -> str:
    """Return the condition key of an enclave's register: ``kms:RecipientAttestation:PCR0``."""
    return _ATTESTATION_KEY.format(index)


def _plain(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """A policy of statements in their order. Made by :meth:`of`, which holds it to what KMS accepts."""

    statements: tuple[Statement, ...]

    @classmethod
    def of(cls, statements: tuple[Statement, ...]) -> "KeyPolicy":
        """Return the policy of ``statements``. Raises CannotAnswer ``kms.policy-too-large``.

        ValueError for what only a bug can do: a Sid that is not ours or not unique, a character KMS refuses.
        """
        sids = [statement.sid for statement in statements]
        if len(set(sids)) != len(sids) or not all(_SID.fullmatch(sid) for sid in sids):
            raise ValueError(f"Sids not unique or not ours: {sids}")
        policy = cls(statements)
        if not all(" " <= character <= "~" for character in policy.compact()):
            raise ValueError("characters that KMS refuses")
        if policy.size > SIZE_LIMIT:
            count = sum(bool(statement.entry) for statement in statements)
            raise CannotAnswer(
                f"the policy of {count} releases has {policy.size} bytes; KMS takes {SIZE_LIMIT}",
                "kms.policy-too-large",
                [
                    "retire releases that are no longer run, or pin fewer registers (PCR0 covers the whole image)",
                    "give each component a key of its own: --component",
                ],
                {"size_bytes": policy.size, "limit_bytes": SIZE_LIMIT},
            )
        return policy

    def document(self) -> dict[str, object]:
        """Return the policy as JSON members."""
        return {"Version": "2012-10-17", "Statement": [statement.as_json() for statement in self.statements]}

    def compact(self) -> str:
        """Return the policy as JSON without white space: the form to send."""
        return json.dumps(self.document(), separators=(",", ":"))

    def pretty(self) -> str:
        """Return the policy as JSON indented by two spaces: the form to read and to commit."""
        return json.dumps(self.document(), indent=2)

    @property
    def size(self) -> int:
        """Bytes of the compact form."""
        return len(self.compact().encode("ascii"))

    @property
    def left(self) -> int:
        """Bytes that the compact form may still grow."""
        return SIZE_LIMIT - self.size
