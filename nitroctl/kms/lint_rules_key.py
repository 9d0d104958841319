"""Rules about the key that the policy belongs to: what else opens it, and what a policy cannot hold.

They need to be told of the key; what is not known is not judged, and the report says so. Source: KMS API reference
(DescribeKey, ListGrants, ListKeyPolicies, PutKeyPolicy); KMS Developer Guide, "Multi-Region keys", "Importing key
material", "Custom key stores".
"""

import shlex
from collections.abc import Iterator
from typing import Final

from nitroctl.kms import live_grants
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import Reading
from nitroctl.kms.lint_rules import Finding, Severity, found

_UNATTESTED_USAGES: Final = {"SIGN_VERIFY", "GENERATE_VERIFY_MAC", "ENCAPSULATE_DECAPSULATE"}
#: Of grants, in a finding.
_SHOWN: Final = 5
_ORIGINS: Final = {
    "EXTERNAL": "whoever imported the material has it, and decrypts without KMS",
    "AWS_CLOUDHSM": "whoever runs the CloudHSM cluster is below the policy",
    "EXTERNAL_KEY_STORE": "whoever runs the external key store is below the policy",
}


def key_usage(reading: Reading) -> Iterator[Finding]:
    """KP041: KMS evaluates no attestation for signatures, MACs and encapsulation."""
    usage = reading.key.usage
    if usage in _UNATTESTED_USAGES and any(view.gates for view in reading.views):
        yield found(
            "KP041",
            f"the key is for {usage}, and none of its operations can be attested",
            "use a symmetric key, or one for KEY_AGREEMENT, and let the enclave hold the signing key under it",
        )


def key_origin(reading: Reading) -> Iterator[Finding]:
    """KP042: material that is known outside KMS can be used outside KMS."""
    origin = reading.key.origin
    if origin is not None and origin != "AWS_KMS":
        yield found(
            "KP042",
            f"the key's origin is {origin}: {_ORIGINS.get(origin, 'its material may be known elsewhere')}",
            "make a new key whose material KMS generates",
        )


def multi_region(reading: Reading) -> Iterator[Finding]:
    """KP043: a replica has the same material and a policy of its own, by default that of the whole account."""
    if reading.key.multi_region is False:
        return
    known = reading.key.multi_region is True
    if known:
        yield found(
            "KP043",
            "the key is multi-Region: each replica has a policy of its own, which was not looked at",
            "lint the policy of every replica, and keep them equal",
            severity=Severity.MEDIUM,
        )
    for view in reading.allows:
        if reading.reaches(view, "kms:ReplicateKey"):
            yield found(
                "KP043",
                "a replica can be made with a policy of the maker's choice"
                + ("" if known else ", if it is multi-Region"),
                "take kms:ReplicateKey out (also of wildcards), or deny it",
                view.statement,
                severity=None if known else Severity.LOW,
            )


def grants(reading: Reading) -> Iterator[Finding]:
    """KP044: a grant that exists gives data now, whatever Allows are in the policy; only a Deny is above it.

    All of them are one finding: a key may have 50,000.
    """
    judged = live_grants.judge(reading.key.grants or (), reading)
    left = [(each.grant, ", ".join(each.open)) for each in judged if each.open]
    if not left:
        return
    deny = "or deny unattested use to everybody"
    if len(left) == 1:
        [(grant, actions)] = left
        what = f"the grant {grant.id} lets {grant.grantee} use {actions} without a named image"
        yield found("KP044", what, f"{_revoking(reading.key, grant.id)}, {deny}")
        return
    told = "; ".join(f"{grant.id} lets {grant.grantee} use {actions}" for grant, actions in left[:_SHOWN])
    more = f"; and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    yield found(
        "KP044",
        f"{len(left)} grants give data without a named image: {told}{more}",
        f"revoke what nobody needs ({_revoking(reading.key, 'ID')}), {deny}: a Deny is above every grant",
    )


def _revoking(key: KeyFacts, grant: str) -> str:
    """Return the command that revokes a grant, whatever its id and the key's are: both are as somebody wrote them."""
    words = ["aws", "kms", "revoke-grant", *(["--region", key.region] if key.region else [])]
    return shlex.join([*words, "--key-id", key.arn or "KEY", "--grant-id", grant])


def ram_policy(reading: Reading) -> Iterator[Finding]:
    """KP045: a key shared through RAM has a second policy, which allows as much as this one."""
    others = sorted(set(reading.key.policies or ()) - {"default"})
    if not others:
        return
    what, names = f"the key has a second policy, {', '.join(others)}", set(others)
    if names <= {*reading.key.judged}:
        fix = "see that what it allows is meant, or end the sharing in Resource Access Manager"
        yield found("KP045", f"{what}, which is judged together with this one", fix)
        return
    yield found(
        "KP045",
        f"{what}, which was not looked at",
        "read it (aws kms get-key-policy --policy-name AWS_RAM) and lint it too, or end the sharing",
    )


def lockout_bypass(reading: Reading) -> Iterator[Finding]:
    """KP052: without the check a policy is taken that its writer can never change again."""
    if reading.key.bypass:
        yield found(
            "KP052",
            "the policy is put with the lockout check switched off",
            "leave BypassPolicyLockoutSafetyCheck out; --accept KP052 if the policy is meant to be final",
        )


RULES: Final = (key_usage, key_origin, multi_region, grants, ram_policy, lockout_bypass)
