"""The appraisal policy: what evidence must show to be acceptable.

A policy without reference values accepts nothing, and reference values that expect a zero image register (what debug
mode and unsigned images have) cannot be made: both would say yes to anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from nitroctl import pcr
from nitroctl.errors import UsageError
from nitroctl.evidence.document import Kind

#: Registers that identify the image: zero in debug mode.
IMAGE_REGISTERS: Final = (0, 1, 2)
#: Registers that say nothing when zero is expected: the image's, and its signing certificate's.
_NEVER_ZERO: Final = (*IMAGE_REGISTERS, 8)
#: How far a document may lie in the future of the clock that asks.
CLOCK_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ReferenceValues:
    """One set of recorded measurements: every register in it must be equal. ``label``: what people call it.

    Raises UsageError ``attest.no-reference-values`` when empty: that would match everything.
    """

    label: str
    pcrs: Mapping[int, bytes]

    def __post_init__(self) -> None:
        """Refuse an empty set."""
        if not self.pcrs:
            raise UsageError(f"{self.label}: no registers to compare", "attest.no-reference-values")

    def differing(self, pcrs: Mapping[int, bytes]) -> tuple[int, ...]:
        """Return the registers of this set that ``pcrs`` lacks or has otherwise, in order."""
        return tuple(index for index in sorted(self.pcrs) if pcrs.get(index) != self.pcrs[index])


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is required.

    ``accepted``: any one of these sets must match whole. ``known``: sets that never accept, each with why
    (``signer-1.4.1`` → ``retired``), named when they are the nearest. ``nonce``: the exact bytes, None for not
    required. ``max_age``: of the document at the instant asked. ``partitions``: of the root, None for any.

    Raises UsageError ``attest.zero-reference`` when an accepted set expects PCR8 to be zero, or (without
    ``allow_debug``) an image register.
    """

    accepted: tuple[ReferenceValues, ...]
    known: tuple[tuple[ReferenceValues, str], ...] = ()
    kind: Kind = Kind.ENCLAVE
    allow_debug: bool = False
    nonce: bytes | None = None
    max_age: timedelta | None = None
    clock_skew: timedelta = CLOCK_SKEW
    partitions: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Refuse reference values that every debug-mode enclave, or every unsigned image, satisfies."""
        for reference in self.accepted:
            zero = [index for index in _NEVER_ZERO if index in reference.pcrs and pcr.is_zero(reference.pcrs[index])]
            zero = [index for index in zero if not (self.allow_debug and index in IMAGE_REGISTERS)]
            if zero:
                whose = "debug-mode enclave" if zero[0] in IMAGE_REGISTERS else "unsigned image"
                raise UsageError(
                    f"{reference.label}: {pcr.name(zero[0])} is expected to be zero, which every {whose} satisfies",
                    "attest.zero-reference",
                    ["use the measurements of the image itself: nitroctl eif measure"],
                )
