"""Platform configuration registers: values, the extend operation, and the registers that can be derived.

A register holds 48 bytes (SHA-384). It is written as 96 lower-case hexadecimal digits and named ``PCR0``, as
nitro-cli writes it. Extending is ``SHA-384(old ‖ data)``; a fresh register is 48 zero bytes. The Nitro hypervisor
extends PCR0, PCR1, PCR2 and PCR8 with a SHA-384 digest, PCR3 and PCR4 with the plain text itself.
Source: AWS Nitro Enclaves user guide, "Cryptographic attestation"; aws-nitro-enclaves-image-format.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Final

from nitroctl.errors import CannotAnswer, UsageError

PCR_BYTES: Final = 48
HEX_DIGITS: Final = 2 * PCR_BYTES
ZERO: Final = bytes(PCR_BYTES)
#: PCR2 of every image with a single ramdisk: the register extended with SHA-384 of nothing.
EMPTY_PCR2: Final = hashlib.sha384(ZERO + hashlib.sha384().digest()).digest()

_NAME = re.compile(r"(?:PCR)?(0|[1-9][0-9]?)", re.IGNORECASE)
_INSTANCE_ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,512}")

MEANINGS: Final[Mapping[int, str]] = {
    0: "the image: kernel, command line and every ramdisk",
    1: "kernel, command line and boot ramdisk",
    2: "application ramdisks",
    3: "IAM role of the parent instance",
    4: "instance id of the parent",
    8: "certificate that signed the image",
}


def extend(register: bytes, data: bytes) -> bytes:
    """Return ``SHA-384(register ‖ data)``: the register after being extended with ``data``."""
    return hashlib.sha384(register + data).digest()


def from_digest(digest: bytes) -> bytes:
    """Return the register that holds one SHA-384 ``digest`` (the form of PCR0, PCR1, PCR2 and PCR8)."""
    return extend(ZERO, digest)


def is_zero(register: bytes) -> bool:
    """Whether the register was never extended."""
    return not any(register)


def name(index: int) -> str:
    """Return the register's name as nitro-cli writes it: ``PCR0``."""
    return f"PCR{index}"


def meaning(index: int) -> str:
    """Return what an enclave's register stands for, in a few words."""
    if index in MEANINGS:
        return MEANINGS[index]
    return "extended and locked by the enclave itself" if index >= 16 else "not used"  # noqa: PLR2004


def parse_name(text: str) -> int:
    """Return the register index that ``text`` (``PCR8``, ``pcr8`` or ``8``) names, 0 to 31.

    Raises UsageError ``pcr.name``.
    """
    match = _NAME.fullmatch(text.strip())
    if not match or int(match[1]) > 31:  # noqa: PLR2004
        raise UsageError(f"not a PCR name: {text!r}", "pcr.name", ["write PCR0 to PCR31"])
    return int(match[1])


def parse_value(text: str, *, where: str = "PCR value") -> bytes:
    """Return the 48 bytes that ``text`` writes in hexadecimal; upper case is accepted, nothing else is guessed.

    Raises UsageError ``pcr.value`` saying what the text looks like instead (SHA-256, base64, ``0x``).
    """
    stripped = text.strip()
    if re.fullmatch(r"[0-9a-fA-F]{96}", stripped):
        return bytes.fromhex(stripped)
    raise UsageError(
        f"{where}: not a SHA-384 register: {_diagnose(stripped)}",
        "pcr.value",
        ["a register is written as 96 hexadecimal digits, as nitro-cli prints it"],
    )


def _diagnose(text: str) -> str:
    if text.lower().startswith("0x"):
        return "it begins with 0x; leave that out"
    if re.fullmatch(r"[0-9a-fA-F]+", text):
        kind = {64: ", the length of SHA-256", 128: ", the length of SHA-512", 40: ", the length of SHA-1"}
        return f"{len(text)} hexadecimal digits in place of 96{kind.get(len(text), '')}"
    if re.fullmatch(r"[A-Za-z0-9+/]{64}", text):
        return "it looks like base64, as CloudTrail writes registers"
    if not text:
        return "it is empty"
    return f"{len(text)} characters that are not all hexadecimal digits"


def from_base64(text: str, *, where: str = "PCR value") -> bytes:
    """Return the 48 bytes that ``text`` writes in base64 (the form in CloudTrail). Raises UsageError ``pcr.value``."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise UsageError(f"{where}: not base64", "pcr.value") from error
    if len(value) != PCR_BYTES:
        raise UsageError(f"{where}: {len(value)} bytes in place of {PCR_BYTES}", "pcr.value")
    return value


def parse_assignment(text: str) -> tuple[int, bytes]:
    """Return index and value of ``PCR0=<96 hex digits>`` (the form of ``--pcr``). Raises UsageError."""
    left, sign, right = text.partition("=")
    if not sign:
        raise UsageError(f"not an assignment: {text!r}", "pcr.name", ["write --pcr PCR0=<96 hexadecimal digits>"])
    index = parse_name(left)
    return index, parse_value(right, where=name(index))


def as_hex(pcrs: Mapping[int, bytes]) -> dict[str, str]:
    """Return ``{"PCR0": "<hex>", …}`` in index order."""
    return {name(index): pcrs[index].hex() for index in sorted(pcrs)}


def for_role(arn: str) -> bytes:
    """Return PCR3 for an enclave whose parent carries the IAM role ``arn``: the ARN text extended, no inner hash.

    The role's ARN, not the instance profile's. For a role with a path the ARN is used as written; AWS documents no
    example of one. Raises UsageError ``pcr.role``.
    """
    text = arn.strip()
    if ":instance-profile/" in text:
        raise UsageError(
            f"an instance profile, not a role: {text!r}",
            "pcr.role",
            ["PCR3 is made from the role's ARN: aws iam get-instance-profile shows it"],
        )
    if not _ROLE_ARN.fullmatch(text):
        raise UsageError(
            f"not an IAM role ARN: {text!r}", "pcr.role", ["write arn:aws:iam::<12-digit account>:role/<name>"]
        )
    return extend(ZERO, text.encode("ascii"))


def for_instance(instance_id: str) -> bytes:
    """Return PCR4 for an enclave on the EC2 instance ``instance_id``. Raises UsageError ``pcr.instance``."""
    text = instance_id.strip()
    if not _INSTANCE_ID.fullmatch(text):
        raise UsageError(
            f"not an EC2 instance id: {text!r}", "pcr.instance", ["write i- and 17 (or 8) lower-case hex digits"]
        )
    return extend(ZERO, text.encode("ascii"))


def for_certificate(der: bytes) -> bytes:
    """Return PCR8 for an image signed with the certificate ``der``: the register extended with SHA-384 of the DER."""
    return from_digest(hashlib.sha384(der).digest())


def certificate_der(pem: bytes, *, where: str) -> bytes:
    """Return the DER of the first certificate in ``pem``, as nitro-cli reads it. Raises CannotAnswer."""
    match = re.search(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]++)-----END CERTIFICATE-----", pem)
    if not match:
        raise CannotAnswer(
            f"{where}: no PEM certificate in it",
            "pcr.certificate",
            ["it should contain a block that begins with -----BEGIN CERTIFICATE-----"],
        )
    try:
        der = base64.b64decode(b"".join(match[1].split()), validate=True)
    except ValueError as error:
        raise CannotAnswer(f"{where}: the certificate's base64 is damaged", "pcr.certificate") from error
    if der[:1] != b"\x30":
        raise CannotAnswer(f"{where}: the PEM block does not hold a DER certificate", "pcr.certificate")
    return der
