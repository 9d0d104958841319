"""Conditions on attestation as the rules of ``kms lint`` see them: which of those let in whom, and which shut him out.

Three kinds of callers should not be let in: one that attests nothing, one that attests an enclave image nobody named,
and one that attests a NitroTPM image nobody named. What such an image has otherwise than any that is named are the
registers that identify images; in all others, and where a value says nothing of an image, it may be as a policy wants
it. Source: IAM "Condition operators" (absent keys); KMS Developer Guide, "Condition keys for attestation"; Nitro
Enclaves user guide, "Cryptographic attestation" (PCR0 to PCR2); EC2 user guide, "NitroTPM PCR measurements".
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nitroctl import nitrotpm, pcr
from nitroctl.kms import operators, request
from nitroctl.kms.document import Condition
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.letters import folded
from nitroctl.kms.request import Platform
from nitroctl.kms.truth import Truth

_HEX: Final = re.compile(r"[0-9a-fA-F]{96}")
_POSITIVE: Final = {"stringequals", "stringequalsignorecase", "stringlike"}
#: A register that is there with a value that no statement names.
_NOBODY: Final = "nobody"


class Stranger(StrEnum):
    """A kind of caller that a policy should not let in, by what it attests."""

    UNATTESTED = "without attestation"
    ENCLAVE = "with an enclave image that is not named"
    TPM = "with a NitroTPM image that is not named"


@dataclass(frozen=True, slots=True, order=True)
class Register:
    """A register that a condition key names; ImageSha384 is PCR0."""

    platform: Platform
    index: int

    def __str__(self) -> str:
        return f"{'NitroTPM' if self.platform is Platform.TPM else ''}PCR{self.index}"

    def attested_by(self, who: Stranger) -> bool:
        """Whether a document of ``who`` has it."""
        return self.platform is {Stranger.ENCLAVE: Platform.ENCLAVE, Stranger.TPM: Platform.TPM}.get(who)

    def may_be(self, text: str) -> bool:
        """Whether it may have the value ``text`` whatever the image: in debug mode, or if nothing was measured."""
        if not _HEX.fullmatch(text):
            return False  # no register, and so no register's value
        value = bytes.fromhex(text)
        if self.platform is Platform.ENCLAVE:
            return pcr.is_zero(value)
        return self.index != nitrotpm.COMMAND_LINE and nitrotpm.says_nothing(self.index, value)


IMAGE: Final = Register(Platform.ENCLAVE, 0)
_BOOTED, _SIGNER, _LINE = (
    Register(Platform.TPM, index) for index in (nitrotpm.BOOTED, nitrotpm.SECURE_BOOT, nitrotpm.COMMAND_LINE)
)
#: Registers that an image which is not named has otherwise than any that is. It may have only its PCR1, or only its
#: PCR2, of its own; of a NitroTPM, beside other keys in PCR7, another boot file or another command line.
OWN: Final[Mapping[Stranger, tuple[frozenset[Register], ...]]] = {
    Stranger.UNATTESTED: (frozenset(),),
    Stranger.ENCLAVE: tuple(frozenset({IMAGE, Register(Platform.ENCLAVE, index)}) for index in (1, 2)),
    Stranger.TPM: (frozenset({_SIGNER, _BOOTED}), frozenset({_SIGNER, _LINE})),
}
#: Registers that identify an image, alone or together.
_TELLING: Final = frozenset[Register]().union(*(own for each in OWN.values() for own in each))


@dataclass(frozen=True)
class Gate:
    """A condition about attestation. ``register``: None when KMS knows no such key, and it is always absent."""

    condition: Condition
    register: Register | None
    effect: Effect

    @property
    def name(self) -> str:
        """The operator without prefix and suffix, in lower case."""
        return folded(self.condition.operator.name)

    @property
    def negated(self) -> bool:
        """Whether it holds for values that are not listed."""
        return operators.negated(self.condition.operator)

    @property
    def positive(self) -> bool:
        """Whether it compares with the values that are listed, and so wants one of them."""
        return self.name in _POSITIVE

    @property
    def binding(self) -> bool:
        """Whether it needs the register to be there and to have a listed value."""
        operator = self.condition.operator
        return self.positive and not operator.if_exists and operator.set_operator != "ForAllValues"

    @property
    def needs_presence(self) -> bool:
        """Whether it asks for the register to be there, with whatever value."""
        return self.name == "null" and "false" in (folded(value) for value in self.condition.values)

    @functools.cached_property
    def wildcards(self) -> tuple[str, ...]:
        """The values that stand for many."""
        like = self.name in ("stringlike", "stringnotlike")
        return tuple(value for value in self.condition.values if like and re.search(r"[*?]", value))

    def shuts(self, who: Stranger, own: frozenset[Register]) -> bool:
        """Whether a Deny's condition surely holds for ``who`` with other values in the ``own`` registers alone."""
        if self.register is None or not self.register.attested_by(who):
            return self.holds(who)
        if self.name == "null":
            return self.register in _TELLING and self.holds(who)
        mine = self.register in own and not any(map(self.register.may_be, self.condition.values))
        return mine and self.holds(who)

    def holds(self, who: Stranger) -> bool:
        """Whether a request of ``who`` meets it; in doubt an Allow's condition does, and a Deny's does not."""
        doubt = self.effect is Effect.ALLOW
        present = self.register is not None and self.register.attested_by(who)
        if not present or self.name == "null":
            actual = operators.present(_NOBODY) if present else operators.ABSENT
            truth = operators.judge(self.condition, actual).truth
            return truth is Truth.YES or (truth is Truth.OPEN and doubt)
        everything = "*" in self.wildcards
        if self.positive:
            return everything or (doubt and bool(self.wildcards))
        if self.negated:
            return not everything and (doubt or not self.wildcards)
        return doubt


def register_of(key: str) -> Register | None:
    """Return the register that a condition key names; None when KMS knows no such key."""
    found = request.register(key)
    return Register(*found) if found else None
