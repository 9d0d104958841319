"""What each register of a document says: its meaning, whether it was extended, and what its value can be told to be.

An enclave's document lists locked registers only: PCR0 to PCR15 are locked from the start, so one of PCR16 to PCR31
that is absent was never locked, which is not the same as zero. Source: AWS Nitro Enclaves user guide, "Cryptographic
attestation"; NSM API; EC2 user guide, "NitroTPM PCR measurements"; TCG PC Client Platform Firmware Profile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nitroctl import nitrotpm, pcr
from nitroctl.evidence.derived import TPM_MEANINGS, Derived
from nitroctl.evidence.document import Document, Kind
from nitroctl.evidence.standing import Standing

_ENCLAVE_REGISTERS: Final = 32
_TPM_REGISTERS: Final = 24
_LOCKED_FROM_THE_START: Final = 16
_BOOT, _APPLICATION, _ROLE, _INSTANCE, _SIGNER = 1, 2, 3, 4, 8
_IMAGE: Final = (0, 1, 2)

#: EC2 user guide, "NitroTPM PCR measurements".
_IDENTIFY: Final = {
    4: "with PCR12 it identifies an Attestable AMI",
    7: "it identifies an Attestable AMI, in place of PCR4 and PCR12",
    12: "with PCR4 it identifies an Attestable AMI",
}
#: PCR1 of images that boot AWS's own kernel and init: the same for everybody who builds with that nitro-cli.
KNOWN_BOOTS: Final[Mapping[str, str]] = {
    "bcdf05fefccaa8e55bf2c8d6dee9e79bbff31e34bf28a99aa19e6b29c37ee80b214a414b7607236edf26fcb78654e63f": (
        "the x86_64 kernel 4.14.256 and init that nitro-cli's blobs up to 1.3.0 have"
    ),
    "0343b056cd8485ca7890ddd833476d78460aed2aa161548e4e26bedf321726696257d623e8805f3f605946b3d8b0c6aa": (
        "the x86_64 kernel 4.14.256 and init that nitro-cli's blobs have since 1.3.1"
    ),
    "4b4d5b3661b3efc12920900c80e126e4ce783c522de6c02a2a5bf7af3a2b9327b86776f188e4be1c1c404a129dbda493": (
        "a boot set that unrelated projects share; which one is not traced"
    ),
    "52b919754e1643f4027eeee8ec39cc4a2cb931723de0c93ce5cc8d407467dc4302e86490c01c0d755acfe10dbf657546": (
        "a boot set that several projects share; which one is not traced"
    ),
}


class State(StrEnum):
    """What became of a register."""

    EXTENDED = "extended"
    ZERO = "zero"
    ONES = "ones"
    NOT_LOCKED = "not-locked"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Register:
    """One register. ``value``: None when the document does not have it. ``reading``: what the value tells, or empty.

    ``standing``: what the reading rests on, None without one. ``agrees``: whether a value that can be computed
    (PCR4 from the module id, PCR3 from a role) is the one found; None when there is nothing to compute.
    """

    index: int
    value: bytes | None
    state: State
    meaning: str
    reading: str = ""
    standing: Standing | None = None
    agrees: bool | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """A role that was asked about: the PCR3 it makes, and whether the document has it."""

    arn: str
    pcr3: bytes
    matches: bool


def compare_roles(document: Document, arns: Sequence[str]) -> tuple[Role, ...]:
    """Return each role with its PCR3 and whether it is the document's. Raises UsageError ``pcr.role``."""
    enclave = document.kind is Kind.ENCLAVE
    made = [(arn.strip(), pcr.for_role(arn)) for arn in arns]
    return tuple(Role(arn, value, enclave and document.pcrs.get(_ROLE) == value) for arn, value in made)


def read(document: Document, derived: Derived, roles: Sequence[Role] = ()) -> tuple[Register, ...]:
    """Return every register that a document of this kind can have, in order."""
    if document.kind is Kind.ENCLAVE:
        return tuple(_enclave(index, document, derived, roles) for index in range(_ENCLAVE_REGISTERS))
    count = max(_TPM_REGISTERS, 1 + max(document.pcrs))  # a TPM has 24, a document could claim more
    return tuple(_tpm(index, document.pcrs.get(index)) for index in range(count))


def _enclave(index: int, document: Document, derived: Derived, roles: Sequence[Role]) -> Register:
    value = document.pcrs.get(index)
    state = _state(index, value)
    meaning = pcr.meaning(index) if state is not State.NOT_LOCKED else "free for the enclave's own code"
    if index == _INSTANCE:
        return _instance(value, state, derived)
    if index == _ROLE:
        return _role(value, state, roles)
    reading, standing = "", Standing.DOCUMENTED
    if state is State.ABSENT:
        reading = "not in the document, though every enclave's document has it"
    elif state is State.NOT_LOCKED:
        reading = "not in the document: it was never locked, whatever it holds"
    elif state is State.ZERO:
        reading = _zero(index, document)
    elif index == _APPLICATION and value == pcr.EMPTY_PCR2:
        reading = "SHA-384 of nothing, extended: the image has a single ramdisk, so PCR0 and PCR1 are equal"
    elif index == _BOOT and value is not None and value.hex() in KNOWN_BOOTS:
        reading, standing = KNOWN_BOOTS[value.hex()], Standing.HABIT
    elif index == _SIGNER:
        reading = "it is signed: nitroctl pcr certificate computes the register from a certificate"
    elif index < _LOCKED_FROM_THE_START and index not in pcr.MEANINGS:
        reading, standing = "extended, as in no known document of AWS's", Standing.HABIT
    return Register(index, value, state, meaning, reading, standing if reading else None)


def _zero(index: int, document: Document) -> str:
    if index in _IMAGE:
        return "zero, as in debug mode: no image is attested"
    if index == _SIGNER:
        debug = any(pcr.is_zero(document.pcrs.get(image, pcr.ZERO)) for image in _IMAGE)
        return "zero, as in debug mode: whether the image is signed is not told" if debug else "zero: it is not signed"
    if index < _LOCKED_FROM_THE_START:
        return "zero: locked from the start"
    return "zero: locked by the enclave without having been extended"


def _instance(value: bytes | None, state: State, derived: Derived) -> Register:
    meaning = pcr.meaning(_INSTANCE)
    if derived.instance_id is None:
        return Register(_INSTANCE, value, state, meaning, "not compared: the module id names no instance")
    expected = pcr.for_instance(derived.instance_id)
    if value == expected:
        reading = f"SHA-384 of 48 zero bytes and {derived.instance_id}: it is the module id's instance"
        return Register(_INSTANCE, value, state, meaning, reading, Standing.DOCUMENTED, agrees=True)
    reading = f"NOT made from the module id's instance {derived.instance_id}, which would give {expected.hex()}"
    return Register(_INSTANCE, value, state, meaning, reading, Standing.DOCUMENTED, agrees=False)


def _role(value: bytes | None, state: State, roles: Sequence[Role]) -> Register:
    meaning = pcr.meaning(_ROLE)
    found = next((role for role in roles if role.matches), None)
    if state is State.ZERO:
        reading, agrees = "zero: the instance had no IAM role when the enclave was launched", False if roles else None
    elif state is State.ABSENT:
        reading, agrees = "not in the document, though every enclave's document has it", False if roles else None
    elif found:
        reading, agrees = f"the instance's role was {found.arn}", True
    elif roles:
        count = len(roles)
        which = "the role asked about" if count == 1 else f"any of the {count} roles asked about"
        reading, agrees = f"set, but not to {which}", False
    else:
        reading, agrees = "set: --role tells whether it is the one you expect", None
    return Register(_ROLE, value, state, meaning, reading, Standing.DOCUMENTED, agrees)


def _tpm(index: int, value: bytes | None) -> Register:
    meaning = TPM_MEANINGS.get(index, "dynamic launch (not used)" if value == nitrotpm.ONES else "not used")
    if value is None:
        return Register(index, None, State.ABSENT, meaning, "not in the document")
    state = State.ONES if value == nitrotpm.ONES else State.ZERO if pcr.is_zero(value) else State.EXTENDED
    reading, standing = _IDENTIFY.get(index, ""), Standing.DOCUMENTED
    if state is State.ONES:
        reading = "all ones: no dynamic launch took place"
    elif state is State.ZERO:
        reading = "zero: nothing was measured into it"
    elif value == nitrotpm.SEPARATOR:
        reading = "the separator alone: firmware measured nothing of that sort"
    elif nitrotpm.says_nothing(index, value):
        reading = "Secure Boot is off and has no keys, as on every instance without it: it identifies nothing"
        standing = Standing.HABIT
    return Register(index, value, state, meaning, reading, standing if reading else None)


def unlocked(kind: Kind, index: int) -> str:
    """Return the colon and the reason why a genuine document may lack a register; empty where it may not."""
    return ": it was never locked" if kind is Kind.ENCLAVE and index >= _LOCKED_FROM_THE_START else ""


def _state(index: int, value: bytes | None) -> State:
    if value is None:
        return State.NOT_LOCKED if index >= _LOCKED_FROM_THE_START else State.ABSENT
    return State.ZERO if pcr.is_zero(value) else State.EXTENDED
