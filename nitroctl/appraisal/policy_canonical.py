"""The canonical form of a policy: what is digested, so that a verdict can name the policy it was made under.

Fields that have their default are left out; durations are in seconds, hexadecimal is lower case, lists of which any
member will do are sorted. The canonical form is itself a policy file, with the same digest.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nitroctl import pcr
from nitroctl.appraisal.policy import Content, KeyContent, ReferenceValues, RegisterRule

if TYPE_CHECKING:
    from datetime import timedelta

    from nitroctl.appraisal.policy_file import Records


def digest(canonical: Mapping[str, object]) -> str:
    """Return the SHA-256, in hex, of a canonical form: ASCII JSON, sorted names, no white space."""
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def references(value: "tuple[Records | None, tuple[ReferenceValues, ...]]") -> dict[str, object]:
    """Return the reference values' form."""
    records, sets = value
    return _given(
        records=_given(file=records.file, component=records.component, environment=records.environment)
        if records
        else None,
        any_of=[{"label": each.label, "pcrs": pcr.as_hex(each.pcrs)} for each in sets] or None,
    )


def registers(rules: tuple[RegisterRule, ...]) -> dict[str, object]:
    """Return the form of what is required of other registers."""
    return {range_name(rule.indexes): [each.hex() for each in rule.any_of] or "present" for rule in rules}


def range_name(indexes: Sequence[int]) -> str:
    """Return ``PCR16``, or ``PCR16-PCR19`` for several."""
    first, last = pcr.name(indexes[0]), pcr.name(indexes[-1])
    return first if first == last else f"{first}-{last}"


def nonce(value: tuple[bytes | None, bool]) -> dict[str, object]:
    """Return the nonce's form."""
    equals, required = value
    return _given(equals=equals.hex() if equals else None, required=required or None)


def content(wanted: Content) -> object:
    """Return the form of what is required of user data or of the public key."""
    if wanted.absent:
        return "absent"
    members = _given(
        equals=wanted.equals.hex() if wanted.equals else None,
        sha256=wanted.sha256.hex() if wanted.sha256 else None,
        json=dict(wanted.members) or None,
    )
    if isinstance(wanted, KeyContent):
        members |= _given(type=wanted.type, minimum_bits=wanted.minimum_bits)
    return members or "present"


def names(value: tuple[str, ...]) -> list[str]:
    """Return the form of a list of which any one will do."""
    return sorted(value)


def duration(span: "timedelta") -> str:
    """Return a time span in seconds."""
    return f"{int(span.total_seconds())}s"


def _given(**members: object) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}
