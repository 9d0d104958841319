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

#: What KMS accepts, in bytes of UTF-8 as sent. A fixed quota.
SIZE_LIMIT: Final = 32_768
SID_PREFIX: Final = "Nitroctl"
#: The version of the policy language whose values may hold variables (``${…}``).
VERSION: Final = "2012-10-17"
#: Characters that KMS takes in no policy.
REFUSED: Final = re.compile(r"[^\t\n\r\u0020-\u00ff]")
#: Principal of a statement about everybody.
EVERYBODY: Final = ("*",)

_CONTROLS: Final = re.compile(r"[\u007f-\u009f\u00ad]")
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
class Kept:
    """What stays of a policy that is written anew: the operator's statements before and after ours, as they stand.

    ``version``: of the policy language, empty for none. ``id``: the policy's, empty when it has none.
    """

    before: tuple[Mapping[str, object], ...] = ()
    after: tuple[Mapping[str, object], ...] = ()
    version: str = VERSION
    id: str = ""

    @property
    def size(self) -> int:
        """Bytes of the statements in the compact form."""
        return sum(len(_compact(each).encode()) + 1 for each in (*self.before, *self.after))


#: A policy of our statements alone.
NOTHING_KEPT: Final = Kept()


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """A policy of statements in their order. Made by :meth:`of`, which holds it to the characters KMS accepts.

    ``statements``: ours; ``kept``: the operator's around them.
    """

    statements: tuple[Statement, ...]
    kept: Kept = NOTHING_KEPT

    @classmethod
    def of(cls, statements: tuple[Statement, ...], kept: Kept = NOTHING_KEPT) -> "KeyPolicy":
        """Return the policy of ``statements``. Its size is not held to the limit: see :attr:`left`.

        ValueError for what only a bug can do: a Sid that is not ours or not unique, a character KMS refuses.
        """
        sids = [statement.sid for statement in statements]
        if len(set(sids)) != len(sids) or not all(_SID.fullmatch(sid) for sid in sids):
            raise ValueError(f"Sids not unique or not ours: {sids}")
        policy = cls(statements, kept)
        if REFUSED.search(policy.compact()):
            raise ValueError("characters that KMS refuses")
        return policy

    def document(self) -> dict[str, object]:
        """Return the policy as JSON members."""
        members: dict[str, object] = {"Version": self.kept.version} if self.kept.version else {}
        if self.kept.id:
            members["Id"] = self.kept.id
        ours = (statement.as_json() for statement in self.statements)
        return members | {"Statement": [*self.kept.before, *ours, *self.kept.after]}

    def compact(self) -> str:
        """Return the policy as JSON without white space: the form to send."""
        return _compact(self.document())

    def pretty(self) -> str:
        """Return the policy as JSON indented by two spaces: the form to read and to commit."""
        return _written(json.dumps(self.document(), indent=2, ensure_ascii=False))

    @property
    def size(self) -> int:
        """Bytes of the compact form."""
        return len(self.compact().encode())

    @property
    def left(self) -> int:
        """Bytes that the compact form may still grow; negative when KMS takes no policy as long."""
        return SIZE_LIMIT - self.size


def _compact(value: object) -> str:
    return _written(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def _written(text: str) -> str:
    """Return JSON with escapes for what KMS takes in a policy and a terminal takes for a command."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
