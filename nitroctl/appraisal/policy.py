"""The appraisal policy: what evidence must show to be acceptable.

A policy without reference values accepts nothing, and reference values that expect a zero image register (what debug
mode and unsigned images have) cannot be made: both would say yes to anything. How a policy is written in a file is
:mod:`nitroctl.appraisal.policy_file`'s.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from nitroctl import nitrotpm, pcr
from nitroctl.errors import UsageError
from nitroctl.evidence.document import Kind

#: Registers that identify the image: zero in debug mode.
IMAGE_REGISTERS: Final = (0, 1, 2)
#: Registers that say nothing when zero is expected: the image's, and its signing certificate's.
_SIGNER_REGISTER: Final = 8
_NEVER_ZERO: Final = (*IMAGE_REGISTERS, _SIGNER_REGISTER)
#: How far a document may lie in the future of the clock that asks.
CLOCK_SKEW: Final = timedelta(minutes=5)
_DURATION: Final = re.compile(r"(0|[1-9][0-9]{0,6})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

#: What a member of JSON user data may be compared with.
Scalar = str | int | bool | None


def parse_duration(text: str) -> timedelta | None:
    """Return the time span that ``30s``, ``5m``, ``3h`` or ``2d`` writes, None when ``text`` is no such."""
    match = _DURATION.fullmatch(text)
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]]) if match else None


class Names(Enum):
    """What a set of registers names: the image that runs, whoever signed it, or neither."""

    IMAGE = auto()
    SIGNER = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class ReferenceValues:
    """One set of recorded measurements: every register in it must be equal. ``label``: what people call it.

    ``artifact``: SHA-256 in hex of the image file that was measured, None when the record does not have it. Raises
    UsageError ``attest.no-reference-values`` when empty: that would match everything.
    """

    label: str
    pcrs: Mapping[int, bytes]
    artifact: str | None = None

    def __post_init__(self) -> None:
        """Refuse an empty set."""
        if not self.pcrs:
            raise UsageError(f"{self.label}: no registers to compare", "attest.no-reference-values")

    def differing(self, pcrs: Mapping[int, bytes]) -> tuple[int, ...]:
        """Return the registers of this set that ``pcrs`` lacks or has otherwise, in order."""
        return tuple(index for index in sorted(self.pcrs) if pcrs.get(index) != self.pcrs[index])

    def names(self, kind: Kind) -> Names:
        """Return what the set names.

        An enclave's image: PCR0, or PCR1 and PCR2; its signer: PCR8. For a NitroTPM see :mod:`nitroctl.nitrotpm`.
        """
        if kind is Kind.ENCLAVE:
            image = 0 in self.pcrs or {1, 2} <= self.pcrs.keys()
            signer = _SIGNER_REGISTER in self.pcrs
        else:
            image, signer = nitrotpm.names_image(self.pcrs), nitrotpm.names_signer(self.pcrs)
        return Names.IMAGE if image else Names.SIGNER if signer else Names.NOTHING


@dataclass(frozen=True, slots=True)
class RegisterRule:
    """What is required of registers beside the reference values: each of ``indexes`` has one of the values ``any_of``.

    Without values the register has to be in the document: for PCR16 to PCR31 that means that the enclave locked it.
    PCR3, PCR4 and PCR8 of an enclave must not be zero then, for zero says that there is no role, instance or signer.
    """

    indexes: tuple[int, ...]
    any_of: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is required of a field that enclave code fills: nothing in it (``absent``), or some bytes and all the rest.

    ``equals``: the exact bytes. ``sha256``: of the bytes. ``members``: the bytes are JSON in which each member, a name
    or a JSON Pointer (RFC 6901), has the value, of the same type.
    """

    absent: bool = False
    equals: bytes | None = None
    sha256: bytes | None = None
    members: tuple[tuple[str, Scalar], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyContent(Content):
    """What is required of the public key. ``type``: ``rsa``, ``ec`` or ``ed25519``. ``minimum_bits``: least size."""

    type: str | None = None
    minimum_bits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file a policy came from: its path, the SHA-256 of its canonical form in hex, and what flags replaced."""

    file: str
    sha256: str
    overridden: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """File and digest, as they stand beside a verdict."""
        return f"{self.file}, SHA-256 {self.sha256} of its canonical form"

    def as_json(self) -> dict[str, object]:
        """Return it as JSON members (schema: attest.verify/1, policy)."""
        return {"file": self.file, "sha256": self.sha256, "overridden": list(self.overridden)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is required.

    ``accepted``: any one of these sets must match whole. ``known``: sets that never accept, each with why
    (``signer-1.4.1`` → ``retired``), named when they are the nearest. ``nonce``: the exact bytes to compare with;
    ``nonce_required``: without them nothing is acceptable. ``max_age``: of the document at the instant asked.
    ``partitions``, ``regions``, ``instance_ids``, ``module_ids``: those wanted, None for any. ``roles``: ARNs, one of
    which the parent instance must carry (PCR3). ``parent_instance``: PCR4 must be that of the instance in the module
    id. ``source``: where it was written, None for flags alone.

    Raises UsageError ``attest.zero-reference`` when an accepted set has nothing but zero registers or, for an enclave,
    expects PCR8 or (without ``allow_debug``) an image register to be zero; for a NitroTPM when every register of a set
    has what any instance's can have.
    """

    accepted: tuple[ReferenceValues, ...]
    known: tuple[tuple[ReferenceValues, str], ...] = ()
    kind: Kind = Kind.ENCLAVE
    allow_debug: bool = False
    registers: tuple[RegisterRule, ...] = ()
    nonce: bytes | None = None
    nonce_required: bool = False
    user_data: Content | None = None
    public_key: KeyContent | None = None
    module_ids: frozenset[str] | None = None
    instance_ids: frozenset[str] | None = None
    regions: frozenset[str] | None = None
    partitions: frozenset[str] | None = None
    roles: tuple[str, ...] | None = None
    parent_instance: bool = False
    max_age: timedelta | None = None
    clock_skew: timedelta = CLOCK_SKEW
    source: Source | None = None

    @property
    def requires_more(self) -> bool:
        """Whether it has any of the requirements of :mod:`nitroctl.appraisal.requirements`."""
        asked = (self.module_ids, self.instance_ids, self.regions, self.roles, self.user_data, self.public_key)
        return bool(self.registers) or self.parent_instance or any(each is not None for each in asked)

    def __post_init__(self) -> None:
        """Refuse reference values that every debug-mode enclave, every unsigned image, or anything satisfies."""
        for reference in self.accepted:
            zero = [index for index in sorted(reference.pcrs) if pcr.is_zero(reference.pcrs[index])]
            telling = [index for index in zero if self.kind is Kind.ENCLAVE and index in _NEVER_ZERO]
            telling = [index for index in telling if not (self.allow_debug and index in IMAGE_REGISTERS)]
            if telling:
                whose = "debug-mode enclave" if telling[0] in IMAGE_REGISTERS else "unsigned image"
                raise _zero(f"{reference.label}: {pcr.name(telling[0])} is expected to be zero, which every {whose}")
            if len(zero) == len(reference.pcrs) and not (self.allow_debug and {*zero} & {*IMAGE_REGISTERS}):
                raise _zero(f"{reference.label}: every register is expected to be zero, which nearly everything")
            if self.kind is Kind.NITROTPM and all(nitrotpm.says_nothing(*each) for each in reference.pcrs.items()):
                raise UsageError(
                    f"{reference.label}: every register is expected to be as any instance's can be",
                    "attest.zero-reference",
                    ["pin PCR4 and PCR12, or with Secure Boot PCR7"],
                )


def _zero(what: str) -> UsageError:
    return UsageError(
        f"{what} satisfies", "attest.zero-reference", ["use the measurements of the image itself: nitroctl eif measure"]
    )
