"""Which of a NitroTPM's registers name an image, and which say nothing though they look like measurements."""

import hashlib
import struct
import uuid

import pytest

from nitroctl import nitrotpm, pcr
from nitroctl.nitrotpm import NO_SECURE_BOOT, ONES, SEPARATOR

A, B = b"a" * 48, b"b" * 48
GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
IMAGE_SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")


def variable(vendor: uuid.UUID, name: str, data: bytes) -> bytes:
    """Return the digest of the event with which firmware measures a UEFI variable."""
    return hashlib.sha384(
        vendor.bytes_le + struct.pack("<QQ", len(name), len(data)) + name.encode("utf-16-le") + data
    ).digest()


def test_the_register_of_no_secure_boot_is_what_firmware_measures_then() -> None:
    """Secure Boot off, and none of the four lists of keys is there (UEFI 2.10, 32.4; TCG PC Client, 3.3.4.8)."""
    register = pcr.ZERO
    lists = ((GLOBAL, "PK"), (GLOBAL, "KEK"), (IMAGE_SECURITY, "db"), (IMAGE_SECURITY, "dbx"))
    for event in (variable(GLOBAL, "SecureBoot", b"\x00"), *(variable(vendor, name, b"") for vendor, name in lists)):
        register = pcr.extend(register, event)
    assert pcr.extend(register, hashlib.sha384(bytes(4)).digest()) == NO_SECURE_BOOT


def test_the_separator_is_what_real_firmware_leaves() -> None:
    assert (SEPARATOR.hex()[:8], SEPARATOR.hex()[-6:]) == ("518923b0", "bf23c4")
    assert bytes([0xFF] * 48) == ONES


@pytest.mark.parametrize(
    ("index", "value", "nothing"),
    [
        (4, A, False),
        (4, pcr.ZERO, True),
        (4, ONES, True),
        (4, SEPARATOR, True),
        (4, NO_SECURE_BOOT, False),
        (7, NO_SECURE_BOOT, True),
        (7, A, False),
    ],
)
def test_what_any_instance_can_have_says_nothing(index: int, value: bytes, *, nothing: bool) -> None:
    assert nitrotpm.says_nothing(index, value) is nothing


@pytest.mark.parametrize(
    ("registers", "image", "signer"),
    [
        ({}, False, False),
        ({4: A}, False, False),
        ({12: pcr.ZERO}, False, False),
        ({4: A, 12: pcr.ZERO}, True, False),
        ({4: A, 12: B}, True, False),
        ({4: pcr.ZERO, 12: pcr.ZERO}, False, False),
        ({4: SEPARATOR, 12: B}, False, False),
        ({7: A}, False, True),
        ({7: NO_SECURE_BOOT}, False, False),
        ({4: A, 7: NO_SECURE_BOOT}, False, False),
        ({4: A, 7: B, 12: pcr.ZERO}, True, True),
    ],
)
def test_what_registers_name(registers: dict[int, bytes], *, image: bool, signer: bool) -> None:
    assert nitrotpm.names_image(registers) is image
    assert nitrotpm.names_signer(registers) is signer
