"""The actions of KMS that a policy can name, and which of them attestation, a key, or an encryption context is for.

Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management Service"
(2026-10); KMS Developer Guide, "AWS KMS condition keys", "Encryption context"; KMS API reference, GetKeyPolicy and
PutKeyPolicy ("Cross-account use").
"""

from typing import Final

from nitroctl.errors import UsageError
from nitroctl.kms.letters import folded

#: Actions for which KMS evaluates attestation; the last one has no key.
ATTESTED: Final = (
    "kms:Decrypt",
    "kms:DeriveSharedSecret",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateRandom",
)
#: Actions on no key: a key policy can neither allow nor deny them.
KEYLESS: Final = (
    "kms:ConnectCustomKeyStore",
    "kms:CreateCustomKeyStore",
    "kms:CreateKey",
    "kms:DeleteCustomKeyStore",
    "kms:DescribeCustomKeyStores",
    "kms:DisconnectCustomKeyStore",
    "kms:GenerateRandom",
    "kms:ListAliases",
    "kms:ListKeys",
    "kms:ListRetirableGrants",
    "kms:UpdateCustomKeyStore",
)
#: Actions that KMS takes from the key's own account alone, whomever the policy allows them.
AT_HOME: Final = ("kms:GetKeyPolicy", "kms:PutKeyPolicy")
#: Actions whose request may carry an encryption context.
WITH_CONTEXT: Final = (
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
ALL: Final = tuple(
    sorted(
        {
            *ATTESTED,
            *KEYLESS,
            *WITH_CONTEXT,
            "kms:CancelKeyDeletion",
            "kms:CreateAlias",
            "kms:CreateGrant",
            "kms:Decapsulate",
            "kms:DeleteAlias",
            "kms:DeleteImportedKeyMaterial",
            "kms:DescribeKey",
            "kms:DisableKey",
            "kms:DisableKeyRotation",
            "kms:EnableKey",
            "kms:EnableKeyRotation",
            "kms:Encapsulate",
            "kms:GenerateMac",
            "kms:GetKeyLastUsage",
            "kms:GetKeyPolicy",
            "kms:GetKeyRotationStatus",
            "kms:GetParametersForImport",
            "kms:GetPublicKey",
            "kms:ImportKeyMaterial",
            "kms:ListGrants",
            "kms:ListKeyPolicies",
            "kms:ListKeyRotations",
            "kms:ListResourceTags",
            "kms:PutKeyPolicy",
            "kms:ReplicateKey",
            "kms:RetireGrant",
            "kms:RevokeGrant",
            "kms:RotateKeyOnDemand",
            "kms:ScheduleKeyDeletion",
            "kms:Sign",
            "kms:SynchronizeMultiRegionKey",
            "kms:TagResource",
            "kms:UntagResource",
            "kms:UpdateAlias",
            "kms:UpdateKeyDescription",
            "kms:UpdatePrimaryRegion",
            "kms:Verify",
            "kms:VerifyMac",
        }
    )
)
_BY_NAME: Final = {action.lower(): action for action in ALL}


def parse(text: str, *, option: str = "--action") -> str:
    """Return the action that ``text`` names, as ``Decrypt`` or ``kms:Decrypt`` in any case.

    Raises UsageError ``kms.unknown-action``, with the nearest names.
    """
    wanted = folded(text.strip()).removeprefix("kms:")
    if f"kms:{wanted}" in _BY_NAME:
        return _BY_NAME[f"kms:{wanted}"]
    if wanted == "reencrypt":
        hints = ["re-encryption is two actions: ReEncryptFrom on the old key, ReEncryptTo on the new one"]
    else:
        import difflib  # noqa: PLC0415  (only for a mistake)

        near = difflib.get_close_matches(f"kms:{wanted}", list(_BY_NAME), n=3, cutoff=0.5)
        hints = [f"did you mean {', '.join(_BY_NAME[name] for name in near)}?"] if near else []
    raise UsageError(f"{option}: KMS has no action {text!r}", "kms.unknown-action", hints)
