"""What was really required of a document, by one digest: policy file, records, roots and flags together."""

import hashlib
import json
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nitroctl.appraisal.judge import Judge
    from nitroctl.appraisal.policy import Policy

_FORM: Final = "nitroctl/effective-policy/1"
#: Members of a policy that do not bear on what it accepts.
_SILENT: Final = ("known", "source")


def effective_digest(judge: "Judge") -> str:
    """Return the SHA-256, in hex, of what ``judge`` requires, whichever way it was asked for.

    Two results have the same digest when the same was required of both. In it: every member of the policy with the
    reference values that accept, the roots, strictness, revocation lists, and how the instant was chosen. Not in it:
    the nonce's value and the instant, which differ from request to request; records that never accept; file names.
    """
    members = {
        "form": _FORM,
        "roots": sorted(root.fingerprint for root in judge.roots),
        "strict": judge.strict,
        "crls": sorted(hashlib.sha256(crl).hexdigest() for crl in judge.crls),
        "instant": judge.chosen,
        "policy": None if judge.policy is None else _members(judge.policy),
    }
    return hashlib.sha256(_canonical(members).encode("ascii")).hexdigest()


def _members(policy: "Policy") -> dict[str, object]:
    members = {each.name: getattr(policy, each.name) for each in fields(policy) if each.name not in _SILENT}
    members["accepted"] = sorted(policy.accepted, key=_canonical)  # any of them accepts, whatever their order
    members["nonce"] = policy.nonce is not None
    return members


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    """Return what JSON has no form for in one that it has; a type that no policy has is a bug."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, frozenset):
        return sorted(value)
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    raise TypeError(f"a policy has no {type(value).__name__}")
