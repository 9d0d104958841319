"""What a NitroTPM's registers name: the image that was booted, whoever may sign one, or nothing at all.

Firmware fills most of them with what any instance has. A set of such values looks like a measurement, and every
instance satisfies it. Sources: EC2 user guide, "NitroTPM PCR measurements"; TCG PC Client Platform Firmware Profile,
3.3.4; GHSA-xrv8-2pf5-f3q7 (without Secure Boot, PCR4 does not show the kernel's command line, and PCR12 does).
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from nitroctl import pcr

BOOTED, SECURE_BOOT, COMMAND_LINE = 4, 7, 12
#: The register of a dynamic launch (PCR17 to PCR22) that did not take place.
ONES: Final = b"\xff" * pcr.PCR_BYTES
#: A register into which firmware put the event "end of the firmware's measurements" and nothing else.
SEPARATOR: Final = pcr.from_digest(hashlib.sha384(bytes(4)).digest())
#: PCR7 of every instance that boots with Secure Boot off and no keys enrolled.
NO_SECURE_BOOT: Final = bytes.fromhex(
    "98441c7f7625d10058c47683aec486ce311c633235eb555593a7ee791121e3578ae72d04ecef661f272d59058b77af35"
)


def says_nothing(index: int, value: bytes) -> bool:
    """Whether a register has what any instance's can have, whatever it booted."""
    return pcr.is_zero(value) or value in {ONES, SEPARATOR} or (index == SECURE_BOOT and value == NO_SECURE_BOOT)


def names_image(registers: Mapping[int, bytes]) -> bool:
    """Whether the registers name what was booted: PCR4, and PCR12 against a command line from outside."""
    return COMMAND_LINE in registers and not says_nothing(BOOTED, registers.get(BOOTED, pcr.ZERO))


def names_signer(registers: Mapping[int, bytes]) -> bool:
    """Whether PCR7 is one of Secure Boot, so that only what its keys signed was booted."""
    return not says_nothing(SECURE_BOOT, registers.get(SECURE_BOOT, pcr.ZERO))
