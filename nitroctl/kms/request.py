"""A request to KMS as a policy sees it: who, what, on which key, and every condition key as far as it is known.

A key is known to be there, known to be absent, or not known. Absent is only what such a request cannot carry (another
encryption context, a register that an attestation document does not have, what only an AWS service adds); whatever
depends on the account, the network or the key and was not given stays unknown. Source: KMS Developer Guide, "AWS KMS
condition keys", "AWS KMS condition keys for attested platforms"; IAM user guide, "AWS global condition context keys".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

from nitroctl import pcr
from nitroctl.kms import actions
from nitroctl.kms.caller import Caller, Is
from nitroctl.kms.letters import alike, folded
from nitroctl.kms.operators import ABSENT, UNKNOWN, Actual, Presence, present
from nitroctl.kms.patterns import Unresolved
from nitroctl.kms.truth import Truth

_KEY_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):key/[A-Za-z0-9-]{1,256}"
)
_ATTESTATION: Final = "kms:recipientattestation:"
_REGISTER: Final = re.compile(r"kms:recipientattestation:(?P<platform>nitrotpm)?pcr(?P<index>0|[1-9][0-9]?)")
_CONTEXT: Final = "kms:encryptioncontext:"
#: What a call that no AWS service makes for the caller does not carry.
_INDIRECT: Final = (
    "kms:viaservice",
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
)
#: Registers of an enclave: image, and those whose value an enclave that never set them has as zero.
_IMAGE: Final = (0, 1, 2)
_UNUSED: Final = (5, 6, 7, 9, 10, 11, 12, 13, 14, 15)


class Platform(StrEnum):
    """What attests; each has condition keys of its own."""

    ENCLAVE = "nitro-enclave"
    TPM = "nitro-tpm"

    @property
    def registers(self) -> int:
        """How many registers KMS knows of it."""
        return {Platform.ENCLAVE: 32, Platform.TPM: 24}[self]

    def key(self, index: int) -> str:
        """Return the condition key of a register: ``kms:RecipientAttestation:PCR0``."""
        return f"kms:RecipientAttestation:{'NitroTPM' if self is Platform.TPM else ''}PCR{index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What an attestation document in the request says. ``pcrs``: 48 bytes each, by index.

    ``complete``: registers that are not in ``pcrs`` are not in the document; otherwise they are not known, but for
    those that an enclave cannot set, which are zero.
    """

    platform: Platform
    pcrs: Mapping[int, bytes]
    complete: bool

    def actual(self, platform: Platform, index: int) -> Actual:
        """Return what is known of the condition key of a register."""
        if platform is not self.platform:
            return ABSENT
        value = self.pcrs.get(index)
        if value is None and not self.complete and platform is Platform.ENCLAVE and index in _UNUSED:
            value = pcr.ZERO
        if value is None:
            return ABSENT if self.complete else UNKNOWN
        if platform is Platform.ENCLAVE and pcr.is_zero(value) and index not in _IMAGE:
            return Actual(Presence.EITHER, (value.hex(),))  # zero, or left out: AWS does not say
        return present(value.hex())


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call. ``key``: ARN of the key, empty when not given. ``attested``: None for a call without attestation.

    ``given``: condition keys that somebody said, by name; they outweigh what is known otherwise. ``at``: when.
    """

    caller: Caller
    action: str
    at: datetime
    key: str = ""
    attested: Attested | None = None
    encryption_context: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Actual] = field(default_factory=dict)

    @property
    def carries_attestation(self) -> bool:
        """Whether KMS evaluates a document in this request: there is one, and the action takes it."""
        return self.attested is not None and self.action in actions.ATTESTED

    def actual(self, key: str) -> Actual:
        """Return what is known of a condition key; case does not count."""
        name = folded(key)
        found = self._known.get(name)
        others = self._beyond if name.isascii() else self._known
        like = [self._known[each] for each in others if each != name and alike(each, name) is Truth.OPEN]
        like = [each for each in like if each.presence is not Presence.ABSENT]
        if like:  # it has its own values, and those of which others nobody says
            known = [*([found] if found else []), *like]
            if any(each.presence is Presence.UNKNOWN for each in known):
                return UNKNOWN
            return Actual(Presence.EITHER, tuple(value for each in known for value in each.values))
        if found is not None:
            return found
        if name.startswith(_ATTESTATION) or f"{name}:" == _ATTESTATION:
            return self._register(name)
        if name.startswith(_CONTEXT) or name in _INDIRECT:
            return ABSENT
        return UNKNOWN

    def variable(self, key: str) -> str | Unresolved:
        """Return the text that the policy variable ``${key}`` stands for."""
        actual = self.actual(key)
        if actual.presence is Presence.ABSENT:
            return Unresolved.ABSENT
        known = actual.presence is Presence.PRESENT and len(actual.values) == 1
        return actual.values[0] if known else Unresolved.UNKNOWN

    def attesting(self, attested: Attested | None) -> "Request":
        """Return the same request with another document, or with none."""
        return replace(self, attested=attested)

    def _register(self, name: str) -> Actual:
        if self.attested is None or not self.carries_attestation:
            return ABSENT
        place = register(name)
        return self.attested.actual(*place) if place else ABSENT  # what is no key of KMS is never in a request

    @cached_property
    def _known(self) -> Mapping[str, Actual]:
        caller = self.caller
        found = {
            "aws:principalaccount": present(caller.account),
            "aws:principaltype": present({Is.ROLE: "AssumedRole", Is.USER: "User", Is.ROOT: "Account"}[caller.kind]),
            "aws:principalisawsservice": present("false"),
            "aws:viaawsservice": present("false"),
            "aws:securetransport": present("true"),  # KMS answers over TLS only
            "aws:currenttime": present(self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
            "aws:epochtime": present(str(int(self.at.timestamp()))),
            "kms:calleraccount": present(caller.account),
        }
        if caller.path is not None:
            found["aws:principalarn"] = present(caller.arn)
        if caller.kind is not Is.USER:
            found["aws:username"] = ABSENT
        else:
            found["aws:username"] = present(caller.name)
        if match := _KEY_ARN.fullmatch(self.key):
            found["aws:requestedregion"] = present(match["region"])
            found["aws:resourceaccount"] = present(match["account"])
        context = self.encryption_context
        found["kms:encryptioncontextkeys"] = present(*context) if context else ABSENT
        for name, value in context.items():  # names that differ in case only are one key
            key = folded(f"{_CONTEXT}{name}")
            found[key] = present(*(found[key].values if key in found else ()), value)
        return found | {folded(name): actual for name, actual in self.given.items()}

    @cached_property
    def _beyond(self) -> tuple[str, ...]:
        """The names that have letters beyond ASCII, of which IAM does not say whether case counts."""
        return tuple(name for name in self._known if not name.isascii())


def register(key: str) -> tuple[Platform, int] | None:
    """Return the platform and index of the register that a condition key is about; None for any other key."""
    name = folded(key)
    if name == f"{_ATTESTATION}imagesha384":
        return Platform.ENCLAVE, 0
    match = _REGISTER.fullmatch(name)
    if match is None:
        return None
    platform = Platform.TPM if match["platform"] else Platform.ENCLAVE
    return (platform, int(match["index"])) if int(match["index"]) < platform.registers else None


def account_of_key(arn: str) -> str:
    """Return the account in the ARN of a key; empty when ``arn`` is none."""
    match = _KEY_ARN.fullmatch(arn)
    return match["account"] if match else ""
