"""The grants of a live key, judged: which of them give data to somebody who attests no image that the policy names.

A grant knows nothing of attestation, and no change of the policy takes it away; only a Deny is above it.
Source: KMS Developer Guide, "Grants in AWS KMS".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl.kms.grants import Grant
from nitroctl.kms.lint_gates import Stranger
from nitroctl.kms.lint_reading import CREATE_GRANT, DATA4, REENCRYPT, Reading

_REACHING: Final = DATA4 | {REENCRYPT, CREATE_GRANT}


@dataclass(frozen=True, slots=True)
class Judged:
    """A grant. ``data``: its operations that give data, or make a grant that does; ``open``: those no Deny shuts."""

    grant: Grant
    data: tuple[str, ...]
    open: tuple[str, ...]


def judge(grants: Sequence[Grant], reading: Reading) -> tuple[Judged, ...]:
    """Return each of ``grants`` with what it leaves open under the policy of ``reading``."""
    shut = frozenset.intersection(*(reading.denied_to_all(who) for who in Stranger))
    found = []
    for grant in grants:
        data = sorted({f"kms:{operation}" for operation in grant.operations} & _REACHING)
        found.append(Judged(grant, tuple(data), tuple(action for action in data if action not in shut)))
    return tuple(found)
