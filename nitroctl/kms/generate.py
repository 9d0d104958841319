"""The key policy that recorded measurements ask for.

An Allow with a condition on PCR0 protects nothing by itself: another Allow, an account statement with IAM policies
behind it, or a grant lets callers in that attest nothing. So every Allow here is matched by Denies that reach all
principals and all paths:

- one Allow for each active release, with all its pinned registers in one condition, so that registers of two releases
  cannot be mixed;
- Deny of the four attested actions without attestation: ``Null`` on PCR0, which is absent from such a request;
- Deny of images that are not recorded: for each register that *every* release pins, a statement of its own (several
  keys in one negated operator would have to differ all at once) that lists the values of all releases;
- Deny of PCR0 = 0, which an enclave in debug mode attests;
- Deny of the two ways past attestation: ReEncryptFrom, which cannot carry any, and CreateGrant, whose constraints do
  not know it.

Comparison ignores case, values are lower case. Source: KMS Developer Guide, "Conditions for AWS Nitro Enclaves";
IAM "Condition operators" (absent keys, negated operators).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nitroctl import pcr
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.kms.key_policy import EVERYBODY, SID_PREFIX, Conditions, Effect, KeyPolicy, Statement, attestation_key
from nitroctl.kms.principals import Role, hold_apart
from nitroctl.records import NITRO_ENCLAVE, Entry, Ledger, Status

#: The actions on a key for which KMS evaluates attestation. GenerateRandom does too, but has no key.
ATTESTED_ACTIONS: Final = ("kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair")

#: Managing the key: nothing that touches data, no CreateGrant, no PutKeyPolicy, nothing that makes a second key of
#: the same material (ReplicateKey, ImportKeyMaterial) or points clients elsewhere (aliases).
ADMIN_ACTIONS: Final = (
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
)
#: Writing the policy, and reading what shows whether it holds.
WRITER_ACTIONS: Final = (
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:PutKeyPolicy",
)
#: Registers that identify the image. A union of images can be denied when all releases pin one of these sets.
_IDENTIFYING: Final = ({0}, {1, 2})

_SID_WORDS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Who and what a key policy is for. ``actions``: of ATTESTED_ACTIONS; see :func:`parse_action`."""

    enclave_roles: tuple[Role, ...]
    admin_roles: tuple[Role, ...]
    policy_writers: tuple[Role, ...]
    actions: tuple[str, ...] = ("kms:Decrypt",)
    encryption_context: Mapping[str, str] = field(default_factory=dict)


def parse_action(text: str) -> str:
    """Return the attested action that ``text`` names, as ``Decrypt`` or ``kms:Decrypt``.

    Raises UsageError ``kms.action``.
    """
    wanted = text.strip().lower().removeprefix("kms:")
    for action in ATTESTED_ACTIONS:
        if action.lower() == f"kms:{wanted}":
            return action
    if wanted == "generaterandom":
        reason = "kms:GenerateRandom uses no key, so a key policy cannot allow or bind it"
        hint = "allow it to the role in an IAM policy"
    else:
        reason = f"--action: KMS does not evaluate attestation for {text!r}"
        hint = f"the attested actions on a key: {', '.join(ATTESTED_ACTIONS)}"
    raise UsageError(reason, "kms.action", [hint])


def parse_context(texts: Iterable[str]) -> dict[str, str]:
    """Return the encryption context that ``name=value`` texts give, sorted by name.

    Raises UsageError ``kms.context``.
    """
    found = dict[str, str]()
    for text in texts:
        name, sign, value = text.partition("=")
        problem = _context_problem(name, value) if sign else "write name=value"
        if name.lower() in {known.lower() for known in found}:
            problem = "the name is given twice (case does not count in condition keys)"
        if problem:
            raise UsageError(f"--encryption-context {text!r}: {problem}", "kms.context")
        found[name] = value
    return dict(sorted(found.items()))


def _context_problem(name: str, value: str) -> str:
    if not name or not value:
        return "name and value must not be empty"
    if not re.fullmatch(r"[!-~]+", name) or not re.fullmatch(r"[ -~]+", value):
        return "only printable ASCII can be compared safely in a policy"
    return "a policy would read ${…} as a variable" if "${" in name + value else ""


def releases(ledger: Ledger, *, components: Sequence[str] = (), environment: str | None = None) -> tuple[Entry, ...]:
    """Return the active entries that a key is for.

    All of one environment, and of one component unless ``components`` names several: a key that also opens to the
    test environment's images protects nothing in production. Raises CannotAnswer ``kms.no-active-records``,
    ``kms.platform`` or ``records.not-revoked``, UsageError ``kms.several-environments`` or ``kms.several-components``.
    """
    chosen = [
        entry
        for entry in ledger.select(environment=environment, status=Status.ACTIVE)
        if not components or entry.component in components
    ]
    _refuse_revoked(ledger, chosen)
    missing = sorted(set(components) - {entry.component for entry in chosen})
    if missing or not chosen:
        what = f"of {', '.join(missing) or 'any component'} in {environment or 'any environment'}"
        raise CannotAnswer(
            f"no active record {what}: there is nothing to bind a key to",
            "kms.no-active-records",
            ["nitroctl pcr list shows the records; pcr record … --activate makes one active"],
        )
    environments = sorted({entry.environment for entry in chosen})
    if len(environments) > 1:
        raise UsageError(
            f"active records are of several environments: {', '.join(environments)}",
            "kms.several-environments",
            ["say which the key is for: --environment NAME"],
        )
    found = sorted({entry.component for entry in chosen})
    if len(found) > 1 and not components:
        raise UsageError(
            f"active records are of several components: {', '.join(found)}",
            "kms.several-components",
            ["say which the key is for: --component NAME (repeat it for a shared key)"],
        )
    for entry in chosen:
        if entry.platform != NITRO_ENCLAVE:
            raise CannotAnswer(
                f"{entry.id} is of the platform {entry.platform}; policies are written for {NITRO_ENCLAVE} only",
                "kms.platform",
                ["its condition keys differ (kms:RecipientAttestation:NitroTPMPCR…); nothing is guessed"],
            )
    return tuple(chosen)


def _refuse_revoked(ledger: Ledger, chosen: Sequence[Entry]) -> None:
    """Refuse a release whose image is also recorded as revoked, under whatever name and wherever."""
    for entry in chosen:
        for other in ledger.revoking(entry.pcrs):
            raise CannotAnswer(
                f"{entry.id} is active, but the same image is {other.id}, which is revoked",
                "records.not-revoked",
                [f"revoke or retire it too: nitroctl pcr revoke {entry.id} --reason TEXT"],
            )


def generate(entries: Sequence[Entry], targets: Targets) -> KeyPolicy:
    """Return the policy that lets the enclave roles of ``targets`` use the key from the images of ``entries`` only.

    The same entries and targets give the same bytes. Raises UsageError ``kms.separation``, ``kms.principal`` or
    ``kms.context``, CannotAnswer ``kms.no-common-register`` or ``kms.policy-too-large``.
    """
    hold_apart(targets.enclave_roles, targets.admin_roles, targets.policy_writers)
    if targets.encryption_context and "kms:DeriveSharedSecret" in targets.actions:
        raise UsageError("kms:DeriveSharedSecret takes no encryption context, so it could never be met", "kms.context")
    common = _common_registers(entries)
    return KeyPolicy.of(
        (
            _admin(targets),
            _writer(targets),
            *(_allow(entry, targets) for entry in entries),
            _deny_unattested(),
            *(_deny_other(index, entries) for index in common),
            _deny_debug(),
            _deny_detours(),
        )
    )


def _common_registers(entries: Sequence[Entry]) -> list[int]:
    """Return the registers that every release pins; only their values can be listed without shutting a release out."""
    common = set.intersection(*(set(entry.pin) for entry in entries))
    if not any(needed <= common for needed in _IDENTIFYING):
        raise CannotAnswer(
            "the active releases have no image register in common: neither PCR0 nor PCR1 and PCR2 are pinned by all",
            "kms.no-common-register",
            ["images that are not recorded could not be denied; record the releases with PCR0 pinned"],
        )
    return sorted(common)


def _admin(targets: Targets) -> Statement:
    return Statement(
        sid=f"{SID_PREFIX}Admin",
        effect=Effect.ALLOW,
        principals=_arns(targets.admin_roles),
        actions=ADMIN_ACTIONS,
        purpose="manage the key, without data, grants, policy, aliases or replicas",
    )


def _writer(targets: Targets) -> Statement:
    return Statement(
        sid=f"{SID_PREFIX}PolicyWriter",
        effect=Effect.ALLOW,
        principals=_arns(targets.policy_writers),
        actions=WRITER_ACTIONS,
        purpose="replace this policy: whoever has the role decides who decrypts",
    )


def _allow(entry: Entry, targets: Targets) -> Statement:
    conditions: dict[str, Mapping[str, tuple[str, ...]]] = {
        "StringEqualsIgnoreCase": {attestation_key(index): (value.hex(),) for index, value in entry.pinned.items()}
    }
    if targets.encryption_context:
        conditions["StringEquals"] = {
            f"kms:EncryptionContext:{name}": (value,) for name, value in targets.encryption_context.items()
        }
    registers = ", ".join(pcr.name(index) for index in entry.pin)
    return Statement(
        sid=_release_sid(entry.id),
        effect=Effect.ALLOW,
        principals=_arns(targets.enclave_roles),
        actions=tuple(action for action in ATTESTED_ACTIONS if action in targets.actions),
        purpose=f"use the key from an enclave that attests {registers} of {entry.id}",
        conditions=conditions,
        entry=entry.id,
    )


def _release_sid(entry_id: str) -> str:
    """Return a Sid of letters and digits that people recognise and no two ids share."""
    words = "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", entry_id))
    return f"{SID_PREFIX}Allow{words[:_SID_WORDS]}{hashlib.sha256(entry_id.encode()).hexdigest()[:8]}"


def _deny_unattested() -> Statement:
    return _deny(
        "DenyUnattested",
        {"Null": {attestation_key(0): ("true",)}},
        "no use without attestation, not by IAM policies or grants either",
    )


def _deny_other(index: int, entries: Sequence[Entry]) -> Statement:
    values = tuple(sorted({entry.pcrs[index].hex() for entry in entries}))
    return _deny(
        f"DenyOther{pcr.name(index)}",
        {"StringNotEqualsIgnoreCase": {attestation_key(index): values}},
        f"no use with a {pcr.name(index)} that no active release has",
    )


def _deny_debug() -> Statement:
    return _deny(
        "DenyDebug",
        {"StringEqualsIgnoreCase": {attestation_key(0): (pcr.ZERO.hex(),)}},
        "no use from an enclave in debug mode (PCR0 is zero)",
    )


def _deny(name: str, conditions: Conditions, purpose: str) -> Statement:
    return Statement(
        sid=f"{SID_PREFIX}{name}",
        effect=Effect.DENY,
        principals=EVERYBODY,
        actions=ATTESTED_ACTIONS,
        purpose=purpose,
        conditions=conditions,
    )


def _deny_detours() -> Statement:
    return Statement(
        sid=f"{SID_PREFIX}DenyDetours",
        effect=Effect.DENY,
        principals=EVERYBODY,
        actions=("kms:CreateGrant", "kms:ReEncryptFrom"),
        purpose="no re-encryption and no new grants: neither can be made to attest",
    )


def _arns(roles: Iterable[Role]) -> tuple[str, ...]:
    return tuple(role.arn for role in roles)
