"""Who and what a key policy is for: roles with their duties, actions, encryption context, and where enclaves may run.

Nobody has two duties that must not meet: whoever may rewrite the policy, or prepare the secrets, must not be whose
enclave decrypts. Source: KMS Developer Guide, "Encryption context", "Condition keys for AWS Nitro Enclaves"; Nitro
Enclaves user guide, "Cryptographic attestation" (PCR3, PCR4, PCR8).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from nitroctl import pcr
from nitroctl.errors import UsageError
from nitroctl.kms.letters import folded
from nitroctl.kms.principals import Role, hold_apart

#: The actions on a key for which KMS evaluates attestation. GenerateRandom does too, but has no key.
ATTESTED_ACTIONS: Final = ("kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair")
#: What a data writer may do: none of it gives anything that was encrypted, none of it can attest.
DATA_WRITER_ACTIONS: Final = ("kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext")

_KEY: Final = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):key/[A-Za-z0-9-]{1,256}"
)
_ROLE, _INSTANCE, _SIGNER = 3, 4, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an enclave may run and who signed it; of each kind any one, nothing when empty.

    ``parent_roles``: ARNs of roles, of which the parent carries one (PCR3). ``instances``: ids of parents (PCR4).
    ``signers``: PCR8 values, 48 bytes each.
    """

    parent_roles: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    signers: tuple[bytes, ...] = ()

    @property
    def registers(self) -> Mapping[int, frozenset[bytes]]:
        """The registers that are bound, each with the values it may have."""
        found = {
            _ROLE: frozenset(pcr.for_role(arn) for arn in self.parent_roles),
            _INSTANCE: frozenset(pcr.for_instance(each) for each in self.instances),
            _SIGNER: frozenset(self.signers),
        }
        return {index: values for index, values in found.items() if values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Who and what a key policy is for. ``actions``: of ATTESTED_ACTIONS; see :func:`parse_action`.

    ``key``: ARN of the key, empty when it is not said; the policy is the same with and without. ``data_writers``:
    roles that may encrypt without attestation.
    """

    enclave_roles: tuple[Role, ...]
    admin_roles: tuple[Role, ...]
    policy_writers: tuple[Role, ...]
    data_writers: tuple[Role, ...] = ()
    actions: tuple[str, ...] = ("kms:Decrypt",)
    encryption_context: Mapping[str, str] = field(default_factory=dict)
    placement: Placement = field(default_factory=Placement)
    key: str = ""

    def hold(self) -> None:
        """Refuse targets that contradict themselves.

        Raises UsageError ``kms.separation``, ``kms.principal``, ``kms.context`` or ``kms.placement``.
        """
        hold_apart(self.enclave_roles, self.admin_roles, self.policy_writers, self.data_writers)
        self._hold_key()
        self._hold_context()
        several = [pcr.name(index) for index, values in self.placement.registers.items() if len(values) > 1]
        if len(several) > 1:
            raise UsageError(
                f"{' and '.join(several)} may each have several values, and every combination would be accepted",
                "kms.placement",
                ["give several roles, or instances, or signers; not several of two kinds"],
            )

    def _hold_key(self) -> None:
        match = _KEY.fullmatch(self.key)
        roles = (*self.enclave_roles, *self.admin_roles, *self.policy_writers, *self.data_writers)
        foreign = [role.arn for role in roles if match and role.partition != match["partition"]]
        if foreign:
            raise UsageError(
                f"{foreign[0]} is of another partition than the key {self.key}",
                "kms.principal",
                ["a key and its principals belong to one partition"],
            )

    def _hold_context(self) -> None:
        if self.encryption_context and "kms:DeriveSharedSecret" in self.actions:
            raise UsageError(
                "kms:DeriveSharedSecret takes no encryption context, so it could never be met", "kms.context"
            )
        if not self.data_writers:
            return
        if set(self.actions) == {"kms:DeriveSharedSecret"}:
            raise UsageError(
                "data writers, but the key is for kms:DeriveSharedSecret: such a key encrypts nothing",
                "kms.data-writer",
                ["leave the data writers out: the other side needs the public key only"],
            )
        if not self.encryption_context:
            raise UsageError(
                "data writers without an encryption context: what they encrypt for one purpose could be given to the"
                " enclave for another",
                "kms.data-writer",
                ["say what the data is for: --encryption-context name=value, which every request must then carry"],
            )

    @property
    def account(self) -> str:
        """The account of the key; empty when it was not said."""
        match = _KEY.fullmatch(self.key)
        return match["account"] if match else ""


def parse_key(text: str, *, option: str) -> str:
    """Return the ARN of a key that ``text`` is; ``option`` is where it stands. Raises UsageError ``kms.key``."""
    arn = text.strip()
    if _KEY.fullmatch(arn):
        return arn
    what = "an alias, which can be pointed at another key" if ":alias/" in arn or arn.startswith("alias/") else ""
    raise UsageError(
        f"{option}: {what or 'not the ARN of a key'}: {arn!r}",
        "kms.key",
        ["write arn:aws:kms:<region>:<12-digit account>:key/<id>; aws kms describe-key shows it"],
    )


def parse_action(text: str, *, option: str = "--action") -> str:
    """Return the attested action that ``text`` names, as ``Decrypt`` or ``kms:Decrypt``.

    Raises UsageError ``kms.action``.
    """
    wanted = folded(text.strip()).removeprefix("kms:")
    for action in ATTESTED_ACTIONS:
        if action.lower() == f"kms:{wanted}":
            return action
    if wanted == "generaterandom":
        reason = "kms:GenerateRandom uses no key, so a key policy cannot allow or bind it"
        hint = "allow it to the role in an IAM policy"
    else:
        reason = f"{option}: KMS does not evaluate attestation for {text!r}"
        hint = f"the attested actions on a key: {', '.join(ATTESTED_ACTIONS)}"
    raise UsageError(reason, "kms.action", [hint])


def parse_context(texts: Iterable[str]) -> dict[str, str]:
    """Return the encryption context that ``name=value`` texts give, sorted by name.

    Raises UsageError ``kms.context``.
    """
    found = dict[str, str]()
    for text in texts:
        name, sign, value = text.partition("=")
        problem = context_problem(name, value, found) if sign else "write name=value"
        if problem:
            raise UsageError(f"--encryption-context {text!r}: {problem}", "kms.context")
        found[name] = value
    return dict(sorted(found.items()))


def context_problem(name: str, value: str, others: Iterable[str]) -> str:
    """Return why a policy cannot require ``name`` to be ``value`` beside ``others``; empty when it can."""
    if name.lower() in {known.lower() for known in others}:
        return "the name is given twice (case does not count in condition keys)"
    if not name or not value:
        return "name and value must not be empty"
    if not re.fullmatch(r"[!-~]+", name) or not re.fullmatch(r"[ -~]+", value):
        return "only printable ASCII can be compared safely in a policy"
    return "a policy would read ${…} as a variable" if "${" in name + value else ""
