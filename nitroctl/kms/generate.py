"""The key policy that recorded measurements ask for.

An Allow with a condition on PCR0 protects nothing by itself: another Allow, an account statement with IAM policies
behind it, or a grant lets callers in that attest nothing. So every Allow here is matched by Denies that reach all
principals and all paths:

- one Allow for each active release, with all its registers in one condition, so that registers of two releases cannot
  be mixed;
- Deny of the four attested actions without attestation: ``Null`` on a register that every attestation of the platform
  has, and that is absent from a request without one;
- Deny of images that are not recorded: for each register that *every* release is bound to, a statement of its own
  (several keys in one negated operator would have to differ all at once) that lists the values of all releases;
- where releases differ in what an image does not fix (signer, place, keys of Secure Boot), Deny of one release's image
  with another's register;
- Deny of PCR0 = 0, which an enclave in debug mode attests (a NitroTPM has no such mode);
- Deny of the ways past attestation: ReEncryptFrom, which cannot carry any, CreateGrant, whose constraints do not know
  it, and ReplicateKey, whose replica has a policy of its own.

A key for enclaves and NitroTPMs both has these Denies for each platform, held to requests that attest it (``Null`` is
false); without attestation is then: of neither platform. Comparison ignores case, values are lower case.
Source: KMS Developer Guide, "Conditions for attested platforms"; IAM "Condition operators" (absent keys, negated
operators).
"""

import bisect
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from nitroctl import pcr
from nitroctl.errors import CannotAnswer
from nitroctl.kms.generate_releases import (
    Bound,
    Mixture,
    anchor,
    another,
    bind,
    common,
    mixtures,
    register_name,
    releases,
)
from nitroctl.kms.key_policy import (
    EVERYBODY,
    NOTHING_KEPT,
    SID_PREFIX,
    SIZE_LIMIT,
    Conditions,
    Effect,
    Kept,
    KeyPolicy,
    Statement,
)
from nitroctl.kms.principals import Role
from nitroctl.kms.request import Platform
from nitroctl.kms.targets import ATTESTED_ACTIONS, DATA_WRITER_ACTIONS, Targets, parse_action, parse_context
from nitroctl.records import Entry

__all__ = [
    "ADMIN_ACTIONS",
    "ATTESTED_ACTIONS",
    "DETOURS",
    "WRITER_ACTIONS",
    "Targets",
    "generate",
    "parse_action",
    "parse_context",
    "releases",
    "room",
]

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
#: Ways to the data that no attestation can be asked for.
DETOURS: Final = ("kms:CreateGrant", "kms:ReEncryptFrom", "kms:ReplicateKey")

_SID_WORDS: Final = 40
_HOLDER: Final = {Platform.ENCLAVE: "an enclave", Platform.TPM: "an instance"}


def generate(entries: Sequence[Entry], targets: Targets, kept: Kept = NOTHING_KEPT) -> KeyPolicy:
    """Return the policy that lets the enclave roles of ``targets`` use the key from the images of ``entries`` only.

    ``kept``: statements of the operator's that stay in it. The same entries, targets and kept statements give the same
    bytes, in whatever order entries, roles and actions come. Raises UsageError ``kms.separation``, ``kms.principal``,
    ``kms.context``, ``kms.data-writer`` or ``kms.placement``, CannotAnswer ``kms.platform``, ``kms.tpm-registers``,
    ``kms.no-common-register`` or ``kms.policy-too-large``.
    """
    targets.hold()
    bound = bind(entries, targets.placement)
    groups = _groups(bound)
    policy = _policy(bound, groups, targets, kept)
    if policy.left < 0:
        raise _too_large(policy, bound, targets)
    return policy


def room(policy: KeyPolicy, entries: Sequence[Entry], targets: Targets) -> int:
    """Return how many releases more would fit into ``policy``, which was made of the others.

    Each as long as the longest there is, of an image of its own, with the same place, signer and Secure Boot keys.
    """
    bound = bind(entries, targets.placement)
    groups = _groups(bound)
    sizes = {len(json.dumps(_allow(each, targets).as_json())): each for each in bound}
    longest = sizes[max(sizes)]

    def full(count: int) -> bool:
        more = [another(longest, number) for number in range(count)]
        return _policy([*bound, *more], groups, targets, policy.kept).left < 0

    most = max(0, policy.left) // len(json.dumps(_allow(longest, targets).as_json(), separators=(",", ":")))
    return bisect.bisect_left(range(1, most + 1), x=True, key=full)


def _groups(bound: Sequence[Bound]) -> Mapping[Platform, Sequence[int]]:
    """Return for each platform of ``bound`` the registers of which all values are listed."""
    return {
        platform: common(bound, platform) for platform in Platform if any(each.platform is platform for each in bound)
    }


def _policy(
    bound: Sequence[Bound], groups: Mapping[Platform, Sequence[int]], targets: Targets, kept: Kept
) -> KeyPolicy:
    return KeyPolicy.of(tuple(_statements(bound, groups, targets)), kept)


def _too_large(policy: KeyPolicy, bound: Sequence[Bound], targets: Targets) -> CannotAnswer:
    """Return the error that says how much less would fit."""

    def fits(count: int) -> bool:
        return _policy(bound[:count], _groups(bound[:count]), targets, policy.kept).left >= 0

    most = bisect.bisect_left(range(1, len(bound) + 1), x=True, key=lambda count: not fits(count))
    kept = f", {policy.kept.size} of them the statements that are kept" if policy.kept.size else ""
    many = f"{len(bound) - most} releases too many" if most else "too much even for one release"
    return CannotAnswer(
        f"the policy of {len(bound)} releases has {policy.size} bytes{kept}; KMS takes {SIZE_LIMIT}: {many}",
        "kms.policy-too-large",
        list(_smaller(policy, bound, targets, some=most > 0)),
        {"size_bytes": policy.size, "limit_bytes": SIZE_LIMIT, "releases_too_many": len(bound) - most},
    )


def _smaller(policy: KeyPolicy, bound: Sequence[Bound], targets: Targets, *, some: bool) -> Iterator[str]:
    """Yield what makes the policy smaller, and only what does. ``some``: one release at least would fit."""
    one = _policy(bound[:1], _groups(bound[:1]), targets, replace(policy.kept, before=(), after=()))
    over = one.size + policy.kept.size - SIZE_LIMIT
    if not some and one.left >= 0:
        yield f"take out statements that are kept: {over} bytes less of them leave room for one release"
    elif not some:
        yield f"one release alone takes {one.size} bytes with these targets: name fewer roles"
    else:
        fewer = any(each.platform is Platform.ENCLAVE and set(each.entry.pin) - {0} for each in bound)
        pins = ", or pin fewer registers (PCR0 covers the whole image)" if fewer else ""
        yield f"retire releases that are no longer run{pins}"
        if len({each.entry.component for each in bound}) > 1:
            yield "give each component a key of its own: --component"
        if policy.kept.size:
            yield "take out statements that are kept and no longer needed"


def _statements(
    bound: Sequence[Bound], groups: Mapping[Platform, Sequence[int]], targets: Targets
) -> Iterator[Statement]:
    anchors = {platform: anchor(platform, registers) for platform, registers in groups.items()}
    mixed = len(groups) > 1
    yield _admin(targets)
    yield _writer(targets)
    if targets.data_writers:
        yield _data_writer(targets)
    for each in bound:
        yield _allow(each, targets)
    yield _deny_unattested(anchors)
    for platform, registers in groups.items():
        for index in registers:
            yield _deny_other(platform, index, bound, guard=anchors[platform] if mixed else None)
        for number, mixture in enumerate(mixtures(bound, platform, registers), 1):
            yield _deny_mixture(platform, mixture, number)
    if Platform.ENCLAVE in groups:
        yield _deny_debug()
    yield _deny_detours()


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


def _data_writer(targets: Targets) -> Statement:
    return Statement(
        sid=f"{SID_PREFIX}DataWriter",
        effect=Effect.ALLOW,
        principals=_arns(targets.data_writers),
        actions=DATA_WRITER_ACTIONS,
        purpose="prepare secrets for the enclave, without attestation: it can replace them, and not read them",
        conditions={"StringEquals": _context(targets)},
    )


def _allow(bound: Bound, targets: Targets) -> Statement:
    conditions: dict[str, Mapping[str, tuple[str, ...]]] = {
        "StringEqualsIgnoreCase": {
            bound.platform.key(index): tuple(sorted(value.hex() for value in values))
            for index, values in bound.registers.items()
        }
    }
    if targets.encryption_context:
        conditions["StringEquals"] = _context(targets)
    entry = bound.entry
    return Statement(
        sid=_release_sid(entry.id),
        effect=Effect.ALLOW,
        principals=_arns(targets.enclave_roles),
        actions=tuple(action for action in ATTESTED_ACTIONS if action in targets.actions),
        purpose=f"use the key from {_HOLDER[bound.platform]} that attests {bound.names} of {entry.id}",
        conditions=conditions,
        entry=entry.id,
    )


def _context(targets: Targets) -> Mapping[str, tuple[str, ...]]:
    return {f"kms:EncryptionContext:{name}": (value,) for name, value in sorted(targets.encryption_context.items())}


def _release_sid(entry_id: str) -> str:
    """Return a Sid of letters and digits that people recognise and no two ids share."""
    words = "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", entry_id))
    return f"{SID_PREFIX}Allow{words[:_SID_WORDS]}{hashlib.sha256(entry_id.encode()).hexdigest()[:8]}"


def _deny_unattested(anchors: Mapping[Platform, int]) -> Statement:
    """Return the Deny of requests that have the register of no platform; several keys are all to be absent."""
    return _deny(
        "DenyUnattested",
        {"Null": {platform.key(index): ("true",) for platform, index in anchors.items()}},
        "no use without attestation, not by IAM policies or grants either",
    )


def _deny_other(platform: Platform, index: int, bound: Sequence[Bound], *, guard: int | None) -> Statement:
    """Return the Deny of values that no release has.

    ``guard``: a register that must be there for it to apply, where another platform attests too: the negated operator
    holds for an absent register, and would shut that platform out.
    """
    values = {value.hex() for each in bound if each.platform is platform for value in each.registers[index]}
    name = register_name(platform, index)
    conditions: dict[str, Mapping[str, tuple[str, ...]]] = {
        "StringNotEqualsIgnoreCase": {platform.key(index): tuple(sorted(values))}
    }
    if guard is not None:
        conditions["Null"] = {platform.key(guard): ("false",)}
    return _deny(f"DenyOther{name}", conditions, f"no use with a {name} that no active release has")


def _deny_mixture(platform: Platform, mixture: Mixture, number: int) -> Statement:
    other = register_name(platform, mixture.index)
    image = {platform.key(index): tuple(each.hex() for each in values) for index, values in mixture.image.items()}
    names = ", ".join(register_name(platform, index) for index in mixture.image)
    return _deny(
        f"DenyMixed{number}{other}",
        {
            "StringEqualsIgnoreCase": image,
            "StringNotEqualsIgnoreCase": {platform.key(mixture.index): tuple(each.hex() for each in mixture.values)},
        },
        f"no use with {names} of one release and {other} of another",
    )


def _deny_debug() -> Statement:
    return _deny(
        "DenyDebug",
        {"StringEqualsIgnoreCase": {Platform.ENCLAVE.key(0): (pcr.ZERO.hex(),)}},
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
        actions=DETOURS,
        purpose="no re-encryption, new grants or replicas: none can be made to attest",
    )


def _arns(roles: Iterable[Role]) -> tuple[str, ...]:
    return tuple(sorted(role.arn for role in roles))
