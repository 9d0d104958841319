"""What a record of CloudTrail says about the use of a KMS key: who, when, which key, and of which image.

Registers are written in base64 in real logs and in hexadecimal in AWS's documentation; both become 48 bytes. Members
are hostile text; one of a wrong type, or longer than anything AWS writes there, counts as absent. Source: KMS Developer
Guide, "Nitro Enclaves" and "NitroTPM" in "Logging AWS KMS API calls with AWS CloudTrail"; logs of demonstrations.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from nitroctl import pcr
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.kms import named
from nitroctl.kms.letters import folded
from nitroctl.kms.trail_files import Found
from nitroctl.records import NITRO_ENCLAVE, NITRO_TPM

#: What gives data under a key, and can be attested.
USES: Final = frozenset({"Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair"})
#: Attested, but without a key, and decrypting, but never attested.
RANDOM: Final = "GenerateRandom"
REENCRYPT: Final = "ReEncrypt"
POLICIES: Final = frozenset({"CreateKey", "PutKeyPolicy", "ReplicateKey"})
#: What changes who may use a key, or what a key is.
CHANGES: Final = POLICIES | {
    "CancelKeyDeletion",
    "CreateAlias",
    "CreateGrant",
    "DeleteAlias",
    "DeleteImportedKeyMaterial",
    "DisableKey",
    "EnableKey",
    "ImportKeyMaterial",
    "RetireGrant",
    "RevokeGrant",
    "ScheduleKeyDeletion",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdatePrimaryRegion",
}
#: What a grant may let its holder do that gives data: no grant knows of attestation.
_GIVES_DATA: Final = {*USES, "ReEncryptFrom", "CreateGrant"}
#: KMS's answer to a dry run that would have been allowed.
_WOULD_SUCCEED: Final = "DryRunOperation"
_DENIED: Final = ("AccessDenied", "AccessDeniedException")

#: Characters of a member; ARNs have up to 2048. Many records are held at once, and must not be made to fill memory.
_TEXT_LIMIT: Final = 4096
#: What the API takes of a policy, in characters; KMS itself takes a quarter.
_POLICY_LIMIT: Final = 131_072
#: Members of the block about a document: KMS writes ten.
_MOST_MEMBERS: Final = 64
_MOST_OPERATIONS: Final = 32

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_KEY_ID: Final = re.compile(r"(?:arn:[a-z-]+:kms:[a-z0-9-]*:[0-9]*:)?(?:key/)?([A-Za-z0-9-]{1,256})", re.ASCII)
_KEY_ARN: Final = re.compile(r"arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/([A-Za-z0-9-]{1,256})", re.ASCII)
_MODULE: Final = re.compile(r"(i-[0-9a-f]{8,17})-(enc|tpm)[0-9a-f]{1,32}", re.ASCII)
_INSTANCE: Final = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})", re.ASCII)
_DIGEST: Final = "attestationDocumentEnclaveImageDigest"
_REGISTER: Final = re.compile(r"attestationDocument(Enclave|NitroTPM)PCR([0-9]{1,2})", re.ASCII)
_HEX64: Final = re.compile(r"[0-9a-fA-F]{64}")
_ZERO_BASE64: Final = "A" * 64


class Attested(NamedTuple):
    """What KMS wrote of an attestation document. ``instance``: of the module id, else empty.

    ``platform``: ``nitro-enclave`` or ``nitro-tpm``. ``registers``: index and 48 bytes, those that are logged.
    ``fault``: why they cannot be believed, else empty.
    """

    platform: str
    module_id: str
    instance: str
    registers: tuple[tuple[int, bytes], ...]
    fault: str


class Change(NamedTuple):
    """A change of who may use a key. ``said``: what it does, as far as the record says. ``weakens``: look at it.

    ``policy``: the statements of the policy that it sets, None when it sets none. ``binds``: that policy names
    attestation.
    """

    said: str
    weakens: bool = False
    policy: tuple[named.Named, ...] | None = None
    binds: bool = False


class Event(NamedTuple):
    """One call of KMS. Texts are hostile; empty ones are not in the record.

    ``time``: UTC, RFC 3339, comparable as text. ``key_id``: what the key's ARN ends in, which the replicas of a
    multi-Region key share, empty for an alias; ``key``: its ARN, or what the caller wrote. ``role``: ARN of the role
    whose session called; ``instance``: the session's name when it is an instance id.
    """

    time: str
    id: str
    name: str
    where: str
    region: str
    key_id: str
    key: str
    principal: str
    role: str
    instance: str
    address: str
    agent: str
    error: str
    attested: Attested | None
    change: Change | None

    @property
    def denied(self) -> bool:
        """Whether KMS refused the caller."""
        return self.error in _DENIED

    @property
    def succeeded(self) -> bool:
        """Whether KMS did it, or said that it would have."""
        return not self.error or self.dry_run

    @property
    def dry_run(self) -> bool:
        """Whether it was a dry run that would have been allowed."""
        return self.error.startswith(_WOULD_SUCCEED)


def key_id(text: str) -> str:
    """Return the id that a key is known by, of ``text``: its ARN or its id. Raises UsageError ``kms.trail-key``."""
    match = _KEY_ID.fullmatch(text.strip())
    if not match:
        raise UsageError(
            f"--key: not the ARN or id of a KMS key: {text!r}",
            "kms.trail-key",
            ["an alias can lead elsewhere tomorrow: aws kms describe-key shows the key's ARN"],
        )
    return match[1]


def read(found: Found) -> Event | None:
    """Return what a record says, or None for a call that neither gives data nor changes who gets it.

    Raises CannotAnswer ``kms.trail-unreadable`` for a record without a name or a time.
    """
    record = found.record
    name = _text(record, "eventName")
    if not name:
        raise _unreadable(found, "no eventName")
    if name not in _MODELLED or record.get("eventCategory") == "Insight":
        return None
    time = _text(record, "eventTime")
    if not _TIME.fullmatch(time):
        raise _unreadable(found, "no eventTime as CloudTrail writes it (2026-11-20T10:00:00Z)")
    request = _object(record, "requestParameters")
    key = _key(record, request, name)
    error = _text(record, "errorCode")
    match = _KEY_ARN.fullmatch(key) or _KEY_ID.fullmatch(key)
    principal, role, instance = _caller(_object(record, "userIdentity"))
    return Event(
        time=time,
        id=_text(record, "eventID"),
        name=name,
        where=found.where,
        region=_text(record, "awsRegion"),
        key_id=match[1] if match else "",
        key=key,
        principal=principal,
        role=role,
        instance=instance,
        address=_text(record, "sourceIPAddress"),
        agent=_text(record, "userAgent"),
        error=error,
        attested=_attested(_object(record, "additionalEventData").get("recipient")),
        change=_change(name, request, found.where) if name in CHANGES else None,
    )


_MODELLED: Final = USES | CHANGES | {RANDOM, REENCRYPT}


def _unreadable(found: Found, what: str) -> CannotAnswer:
    return CannotAnswer(
        f"{found.where}: {what}", "kms.trail-unreadable", ["was the log changed after it was captured?"]
    )


def _text(members: Mapping[str, Any], key: str, limit: int = _TEXT_LIMIT) -> str:
    value = members.get(key)
    return value if isinstance(value, str) and len(value) <= limit else ""


def _object(members: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = members.get(key)
    return value if isinstance(value, dict) else {}


def _key(record: Mapping[str, Any], request: Mapping[str, Any], name: str) -> str:
    """Return the key that a call is about: for ReEncrypt the one that decrypts."""
    if name == RANDOM:
        return ""
    listed = record.get("resources")
    arns = [_text(each, "ARN") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    arns = [arn for arn in arns if _KEY_ARN.fullmatch(arn)]
    if name == REENCRYPT:
        source, destination = _text(request, "sourceKeyId"), _text(request, "destinationKeyId")
        others = [arn for arn in arns if arn != destination and not arn.endswith(f"/{destination}")]
        return source or (others[0] if len(others) == 1 else "")
    asked = _text(request, "keyId") or _text(request, "targetKeyId")
    created = _object(_object(record, "responseElements"), "keyMetadata")
    return next(iter(arns), "") or asked or _text(created, "arn")


def _caller(identity: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return who called, the role whose session it was, and the session's name when it is an instance id."""
    issuer = _object(_object(identity, "sessionContext"), "sessionIssuer")
    role = _text(issuer, "arn") if _text(issuer, "type") == "Role" else ""
    names = (_text(identity, "arn"), _text(identity, "invokedBy"), _text(identity, "principalId"))
    principal = next((name for name in (*names, _text(identity, "accountId")) if name), "")
    session = principal.rpartition("/")[2]
    return principal, role, session if _INSTANCE.fullmatch(session) else ""


def _attested(recipient: object) -> Attested | None:
    if recipient is None:
        return None
    if not isinstance(recipient, dict):
        return Attested(NITRO_ENCLAVE, "", "", (), "the block about the recipient is not an object")
    if len(recipient) > _MOST_MEMBERS:
        return Attested(NITRO_ENCLAVE, "", "", (), "the block about the recipient has more members than KMS writes")
    module_id = _text(recipient, "attestationDocumentModuleId")
    module = _MODULE.fullmatch(module_id)
    texts = tuple((key, _text(recipient, key)) for key in sorted(recipient) if len(key) <= _TEXT_LIMIT)
    platform, registers, fault = _registers(texts)
    if not fault and module and (module[2] == "tpm") != (platform == NITRO_TPM):
        fault = f"the module id {module_id} is not that of a {platform}"
    return Attested(platform, module_id, module[1] if module else "", registers, fault)


@lru_cache(maxsize=4096)
def _registers(texts: Sequence[tuple[str, str]]) -> tuple[str, tuple[tuple[int, bytes], ...], str]:
    """Return platform, registers and fault of the members of a recipient's block."""
    found: dict[tuple[str, int], bytes] = {}
    for key, text in texts:
        match = _REGISTER.fullmatch(key)
        if match or key == _DIGEST:
            place = (match[1], int(match[2])) if match else ("Enclave", 0)
            try:
                value = register(text, where=key)
            except UsageError as error:
                return NITRO_ENCLAVE, (), error.message
            if found.setdefault(place, value) != value:
                return NITRO_ENCLAVE, (), f"{pcr.name(place[1])} is given twice, with two values"
    kinds = {kind for kind, _ in found}
    if len(kinds) != 1:
        return NITRO_ENCLAVE, (), "registers of an enclave and of a NitroTPM" if kinds else "no register is logged"
    platform = NITRO_TPM if kinds == {"NitroTPM"} else NITRO_ENCLAVE
    return platform, tuple((index, found[kind, index]) for kind, index in sorted(found)), ""


def register(text: str, *, where: str) -> bytes:
    """Return the 48 bytes that CloudTrail writes as ``text``, in base64 or hexadecimal.

    64 characters that are all hexadecimal digits could be SHA-256 or base64, and are neither guessed to be; 64 times A
    is a zero register in base64. Raises UsageError ``pcr.value``.
    """
    if len(text) == len(_ZERO_BASE64) and (text == _ZERO_BASE64 or not _HEX64.fullmatch(text)):
        return pcr.from_base64(text, where=where)
    return pcr.parse_value(text, where=where)


def _change(name: str, request: Mapping[str, Any], where: str) -> Change:
    if name in POLICIES:
        return _policy_change(name, request, where)
    if name == "CreateGrant":
        listed = request.get("operations")
        listed = listed[:_MOST_OPERATIONS] if isinstance(listed, list) else []
        operations = sorted(each[:_MOST_OPERATIONS] for each in listed if isinstance(each, str))
        said = (
            f"to {_text(request, 'granteePrincipal') or 'somebody'}: {', '.join(operations) or 'operations not logged'}"
        )
        return Change(said, weakens=not operations or bool(_GIVES_DATA & set(operations)))
    if name in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
        return Change(_text(request, "aliasName"))
    if name in ("RetireGrant", "RevokeGrant"):
        return Change(_text(request, "grantId"))
    return Change("", weakens=name == "ImportKeyMaterial")


def _policy_change(name: str, request: Mapping[str, Any], where: str) -> Change:
    """Read the policy that a call sets; what it lets through is not proved here, only what its statements name."""
    text = _text(request, "policy", _POLICY_LIMIT)
    bypass = request.get("bypassPolicyLockoutSafetyCheck") is True
    more = "; the lockout check was bypassed" if bypass else ""
    if not text:
        default = name != "PutKeyPolicy" and "policy" not in request
        said = (
            "with the default policy, which lets the account's IAM policies decide"
            if default
            else "its text is not in the record, or too long"
        )
        return Change(said + more, weakens=True)
    binds = "recipientattestation" in folded(text)
    try:
        policy = named.parse(text, where=where)
    except CannotAnswer as error:
        return Change(
            f"a policy that cannot be read: {error.message.removeprefix(f'{where}: ')}{more}", True, (), binds
        )
    unbound = [each.label for each in policy if each.open]
    said = f"open without attestation, unless a Deny covers it: {', '.join(unbound)}" if unbound else ""
    return Change((said or "every Allow of data names attestation") + more, bool(unbound) or bypass, policy, binds)
