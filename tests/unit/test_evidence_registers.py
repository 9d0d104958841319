"""What is said of every register, in each state that it can have."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources

import pytest

from nitroctl import nitrotpm, pcr
from nitroctl.evidence import registers
from nitroctl.evidence.derived import derive
from nitroctl.evidence.document import Document, Kind, parse
from nitroctl.evidence.registers import Register, Role, State
from nitroctl.evidence.standing import Standing
from nitroctl.standin.lab_change import INSTANCE, MODULE_ID, make

SET = b"\x01" * 48
ONES = b"\xff" * 48
SEPARATOR = hashlib.sha384(bytes(48) + hashlib.sha384(bytes(4)).digest()).digest()
ARN = "arn:aws:iam::123456789012:role/parent"
BOOTS = {
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
MISSING = "not in the document, though every enclave's document has it"
Reading = tuple[State, str, Standing | None, bool | None]


def document(pcrs: Mapping[int, bytes], *, module_id: str = MODULE_ID, kind: Kind = Kind.ENCLAVE) -> Document:
    found = parse(make()).document
    assert found is not None
    return replace(found, pcrs=pcrs, module_id=module_id, kind=kind)


def read(pcrs: Mapping[int, bytes], module_id: str = MODULE_ID, kind: Kind = Kind.ENCLAVE) -> tuple[Register, ...]:
    found = document(pcrs, module_id=module_id, kind=kind)
    return registers.read(found, derive(found, ()))


def said(register: Register) -> Reading:
    return register.state, register.reading, register.standing, register.agrees


@pytest.mark.parametrize(
    ("index", "pcrs", "expected"),
    [
        (0, {0: SET}, (State.EXTENDED, "", None)),
        (0, {}, (State.ABSENT, MISSING, Standing.DOCUMENTED)),
        *((i, {i: bytes(48)}, (State.ZERO, "zero, as in debug mode: no image is attested")) for i in (0, 1, 2)),
        *((1, {1: bytes.fromhex(value)}, (State.EXTENDED, text, Standing.HABIT)) for value, text in BOOTS.items()),
        (0, {0: bytes.fromhex(next(iter(BOOTS)))}, (State.EXTENDED, "", None)),
        (1, {1: SET}, (State.EXTENDED, "", None)),
        (
            2,
            {2: pcr.EMPTY_PCR2},
            (
                State.EXTENDED,
                "SHA-384 of nothing, extended: the image has a single ramdisk, so PCR0 and PCR1 are equal",
            ),
        ),
        (1, {1: pcr.EMPTY_PCR2}, (State.EXTENDED, "", None)),
        (2, {2: SET}, (State.EXTENDED, "", None)),
        (5, {5: bytes(48)}, (State.ZERO, "zero: locked from the start")),
        (15, {15: bytes(48)}, (State.ZERO, "zero: locked from the start")),
        (5, {5: SET}, (State.EXTENDED, "extended, as in no known document of AWS's", Standing.HABIT)),
        (15, {15: SET}, (State.EXTENDED, "extended, as in no known document of AWS's", Standing.HABIT)),
        (15, {}, (State.ABSENT, MISSING)),
        (
            8,
            {0: SET, 1: SET, 2: SET, 8: SET},
            (State.EXTENDED, "it is signed: nitroctl pcr certificate computes the register from a certificate"),
        ),
        (8, {0: SET, 1: SET, 2: SET, 8: bytes(48)}, (State.ZERO, "zero: it is not signed")),
        *(
            (
                8,
                {**dict.fromkeys({0, 1, 2} - {debug}, SET), 8: bytes(48)},
                (State.ZERO, "zero, as in debug mode: whether the image is signed is not told"),
            )
            for debug in (0, 1, 2)
        ),
        (8, {}, (State.ABSENT, MISSING)),
        (16, {}, (State.NOT_LOCKED, "not in the document: it was never locked, whatever it holds")),
        (31, {}, (State.NOT_LOCKED, "not in the document: it was never locked, whatever it holds")),
        (16, {16: bytes(48)}, (State.ZERO, "zero: locked by the enclave without having been extended")),
        (16, {16: SET}, (State.EXTENDED, "", None)),
        (31, {31: ONES}, (State.EXTENDED, "", None)),
    ],
)
def test_what_is_said_of_an_enclaves_register(
    index: int, pcrs: Mapping[int, bytes], expected: tuple[object, ...]
) -> None:
    found = read(pcrs)[index]
    assert said(found) == (*(*expected, Standing.DOCUMENTED)[:3], None)
    assert (found.index, found.value) == (index, pcrs.get(index))


def test_every_enclave_register_is_listed_with_its_meaning() -> None:
    assert [register.index for register in read({})] == list(range(32))
    meanings = [register.meaning for register in read({})]
    assert meanings[:16] == [pcr.meaning(index) for index in range(16)]
    assert set(meanings[16:]) == {"free for the enclave's own code"}
    assert read({16: SET})[16].meaning == "extended and locked by the enclave itself"


def test_pcr4_is_compared_with_the_module_ids_instance() -> None:
    expected = pcr.for_instance(INSTANCE)
    good = f"SHA-384 of 48 zero bytes and {INSTANCE}: it is the module id's instance"
    bad = f"NOT made from the module id's instance {INSTANCE}, which would give {expected.hex()}"
    assert said(read({4: expected})[4]) == (State.EXTENDED, good, Standing.DOCUMENTED, True)
    assert said(read({4: SET})[4]) == (State.EXTENDED, bad, Standing.DOCUMENTED, False)
    assert said(read({4: bytes(48)})[4]) == (State.ZERO, bad, Standing.DOCUMENTED, False)
    assert said(read({})[4]) == (State.ABSENT, bad, Standing.DOCUMENTED, False)
    unknown = read({4: expected}, module_id="sandbox")[4]
    assert said(unknown) == (State.EXTENDED, "not compared: the module id names no instance", None, None)
    assert {read(pcrs)[4].meaning for pcrs in ({}, {4: SET}, {4: expected})} == {unknown.meaning}
    assert [register.value for register in (unknown, read({4: SET})[4])] == [expected, SET]
    assert unknown.meaning == "instance id of the parent"


def test_pcr3_is_compared_with_the_roles_that_were_asked_about() -> None:
    value = pcr.for_role(ARN)
    mine, other, third = Role(ARN, value, matches=True), Role("x", SET, matches=False), Role("y", SET, matches=False)
    zero, absent = "zero: the instance had no IAM role when the enclave was launched", MISSING

    def pcr3(value: bytes | None, *roles: Role) -> Reading:
        found = document({} if value is None else {3: value})
        register = registers.read(found, derive(found, ()), roles)[3]
        assert (register.index, register.value, register.meaning) == (3, value, "IAM role of the parent instance")
        return said(register)

    def documented(state: State, reading: str, agrees: bool | None) -> Reading:  # noqa: FBT001  (what is compared)
        return state, reading, Standing.DOCUMENTED, agrees

    asked = "set: --role tells whether it is the one you expect"
    assert pcr3(value) == documented(State.EXTENDED, asked, None)
    assert pcr3(value, other, mine) == documented(State.EXTENDED, f"the instance's role was {ARN}", True)
    assert pcr3(value, other) == documented(State.EXTENDED, "set, but not to the role asked about", False)
    assert pcr3(value, other, third) == documented(
        State.EXTENDED, "set, but not to any of the 2 roles asked about", False
    )
    assert pcr3(bytes(48)) == documented(State.ZERO, zero, None)
    assert pcr3(bytes(48), other) == documented(State.ZERO, zero, False)
    assert pcr3(None) == documented(State.ABSENT, absent, None)
    assert pcr3(None, other) == documented(State.ABSENT, absent, False)


def test_a_role_is_compared_without_the_blanks_around_it_and_in_enclaves_only() -> None:
    value = pcr.for_role(ARN)
    other = f"{ARN}s"
    found = registers.compare_roles(document({3: value}), [f" {ARN}\n", other])
    assert found == (Role(ARN, value, matches=True), Role(other, pcr.for_role(other), matches=False))
    (tpm,) = registers.compare_roles(document({3: value}, kind=Kind.NITROTPM), [ARN])
    assert tpm == Role(ARN, value, matches=False)
    (absent,) = registers.compare_roles(document({}), [ARN])
    assert absent.matches is False


FIRMWARE, SYSTEM = "firmware", "operating system"
TPM_MEANINGS = {
    **dict.fromkeys(range(8), FIRMWARE),
    4: "boot loader, kernel and command line (UEFI binaries)",
    7: "Secure Boot policy",
    **dict.fromkeys(range(8, 16), SYSTEM),
    12: "UEFI command line",
    16: "debug; the operating system can reset it",
    **dict.fromkeys(range(17, 23), "not used"),
    23: "application; the operating system can reset it",
}


def test_every_tpm_register_is_listed_with_its_meaning() -> None:
    found = read({0: SET}, kind=Kind.NITROTPM)
    assert {register.index: register.meaning for register in found} == TPM_MEANINGS
    more = read({25: SET}, kind=Kind.NITROTPM)
    assert [register.index for register in more] == list(range(26))
    assert (more[25].meaning, more[24].state) == ("not used", State.ABSENT)


@pytest.mark.parametrize(
    ("index", "value", "expected"),
    [
        (0, None, (State.ABSENT, "not in the document", None)),
        (0, SET, (State.EXTENDED, "", None)),
        (0, bytes(48), (State.ZERO, "zero: nothing was measured into it", Standing.DOCUMENTED)),
        (17, ONES, (State.ONES, "all ones: no dynamic launch took place", Standing.DOCUMENTED)),
        (
            1,
            SEPARATOR,
            (
                State.EXTENDED,
                "the separator alone: firmware measured nothing of that sort",
                Standing.DOCUMENTED,
            ),
        ),
        (4, SET, (State.EXTENDED, "with PCR12 it identifies an Attestable AMI", Standing.DOCUMENTED)),
        (
            7,
            SET,
            (State.EXTENDED, "it identifies an Attestable AMI, in place of PCR4 and PCR12", Standing.DOCUMENTED),
        ),
        (
            7,
            nitrotpm.NO_SECURE_BOOT,
            (
                State.EXTENDED,
                "Secure Boot is off and has no keys, as on every instance without it: it identifies nothing",
                Standing.HABIT,
            ),
        ),
        (12, SET, (State.EXTENDED, "with PCR4 it identifies an Attestable AMI", Standing.DOCUMENTED)),
        (
            4,
            SEPARATOR,
            (State.EXTENDED, "the separator alone: firmware measured nothing of that sort", Standing.DOCUMENTED),
        ),
        (4, bytes(48), (State.ZERO, "zero: nothing was measured into it", Standing.DOCUMENTED)),
    ],
)
def test_what_is_said_of_a_tpms_register(
    index: int, value: bytes | None, expected: tuple[State, str, Standing | None]
) -> None:
    found = read({23: SET} if value is None else {index: value}, kind=Kind.NITROTPM)[index]
    assert said(found) == (*expected, None)
    assert (found.index, found.value) == (index, value)
    assert found.meaning == ("dynamic launch (not used)" if value == ONES else TPM_MEANINGS[index])


def test_only_an_enclave_has_registers_that_it_may_leave_unlocked() -> None:
    told = {(kind, index): registers.unlocked(kind, index) for kind in Kind for index in (0, 15, 16, 31)}
    unlocked = {(Kind.ENCLAVE, 16), (Kind.ENCLAVE, 31)}
    assert told == {each: ": it was never locked" if each in unlocked else "" for each in told}


def test_a_state_is_written_as_the_schema_has_it() -> None:
    schema = json.loads((resources.files("nitroctl") / "schemas" / "attest.show.1.json").read_text())
    assert {"enum": [state.value for state in State]} in _under(schema, "state")


def _under(found: object, name: str) -> list[object]:
    """Return what stands under a name, anywhere."""
    if isinstance(found, dict):
        here = [found[name]] if name in found else []
        return here + [each for value in found.values() for each in _under(value, name)]
    return []
