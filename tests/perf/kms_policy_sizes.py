"""Print how large key policies are, and how many releases fit, for the registers that releases are bound to.

    python -m tests.perf.kms_policy_sizes

One enclave role, one admin role and one policy writer, of the names in docs/key-policies.md, which has this table (a
test compares the two). ``one``: bytes of the policy of one release; ``more``: bytes of each further one, of an image of
its own with the same place and signer; ``most``: how many fit. The default policy of KMS kept beside it costs what the
last line says. Nothing but arithmetic: the numbers are the same everywhere.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from nitroctl import pcr
from nitroctl.kms.generate import generate, room
from nitroctl.kms.key_policy import Kept
from nitroctl.kms.principals import roles
from nitroctl.kms.targets import Placement, Targets
from nitroctl.records import NITRO_TPM, Entry
from tests.records import active, register

ROLE: Final = "arn:aws:iam::111122223333:role"
TARGETS: Final = Targets(
    enclave_roles=roles([f"{ROLE}/signer"], option=""),
    admin_roles=roles([f"{ROLE}/kms-admin"], option=""),
    policy_writers=roles([f"{ROLE}/kms-policy"], option=""),
)
DEFAULT: Final = {
    "Sid": "Enable IAM User Permissions",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "kms:*",
    "Resource": "*",
}


def enclave(number: int, *pin: int) -> Entry:
    """Return a release of an image of its own; who signed it is the same for all."""
    registers = {index: register((number if index in (0, 1, 2) else "same", index)) for index in {0, 1, 2, *pin}}
    return active(f"1.{number}.0", pcrs=registers, pin=pin)


def machine(number: int, *pin: int) -> Entry:
    """Return a NitroTPM release of a boot of its own; the keys of Secure Boot are the same for all."""
    registers = {index: register((number if index == 4 else "same", index)) for index in pin}
    return active(f"1.{number}.0", platform=NITRO_TPM, pcrs=registers | ({12: pcr.ZERO} if 12 in pin else {}), pin=pin)


PLACED: Final = replace(TARGETS, placement=Placement(parent_roles=(f"{ROLE}/signer",)))
SHAPES: Final = {
    "PCR0": (enclave, (0,), TARGETS),
    "PCR0, the parent's role": (enclave, (0,), PLACED),
    "PCR0, PCR8": (enclave, (0, 8), TARGETS),
    "PCR0, PCR1, PCR2": (enclave, (0, 1, 2), TARGETS),
    "PCR0, PCR1, PCR2, PCR8, the parent's role": (enclave, (0, 1, 2, 8), PLACED),
    "NitroTPM PCR4, PCR12": (machine, (4, 12), TARGETS),
    "NitroTPM PCR4, PCR7": (machine, (4, 7), TARGETS),
}


def table() -> Iterator[str]:
    """Yield the table's lines, in Markdown."""
    yield "| registers | one | more | most |"
    yield "| --- | --- | --- | --- |"
    for name, (made, pin, targets) in SHAPES.items():
        two = [made(number, *pin) for number in (10, 11)]
        one = generate(two[:1], targets)
        more = generate([*two, made(12, *pin)], targets).size - generate(two, targets).size
        yield f"| {name} | {one.size} | {more} | {1 + room(one, two[:1], targets)} |"
    kept = generate([enclave(10, 0)], TARGETS, Kept(before=(DEFAULT,))).size - generate([enclave(10, 0)], TARGETS).size
    yield f"| the default policy's statement, kept | {kept} | | |"


def main() -> None:
    """Print the table."""
    sys.stdout.write("\n".join(table()) + "\n")


if __name__ == "__main__":
    main()
