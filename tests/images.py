"""Enclave images for the tests, laid out by hand from the format's description: nothing here uses nitroctl.eif."""

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KERNEL, CMDLINE, RAMDISK, SIGNATURE, METADATA = 1, 2, 3, 4, 5
NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2027, 1, 1, tzinfo=UTC)

DOCUMENT: Mapping[str, object] = {
    "ImageName": "signer",
    "ImageVersion": "1.4.2",
    "BuildMetadata": {
        "BuildTime": "2026-11-20T10:00:00+00:00",
        "BuildTool": "nitro-cli",
        "BuildToolVersion": "1.4.2",
        "OperatingSystem": "Linux",
        "KernelVersion": "4.14.256",
    },
    "DockerInfo": {"Os": "linux"},
    "CustomMetadata": None,
}
METADATA_JSON = json.dumps(DOCUMENT, separators=(",", ":")).encode()
KERNEL_BYTES, CMDLINE_BYTES = b"kernel" * 7, b"console=ttyS0 panic=30"
BOOT_BYTES, APPLICATION_BYTES = b"boot ramdisk" * 3, b"application ramdisk" * 5
Part = tuple[int, bytes]
GOOD: Sequence[Part] = (
    (KERNEL, KERNEL_BYTES),
    (CMDLINE, CMDLINE_BYTES),
    (METADATA, METADATA_JSON),
    (RAMDISK, BOOT_BYTES),
    (RAMDISK, APPLICATION_BYTES),
)


def forge(
    parts: Sequence[Part] = GOOD,
    *,
    magic: bytes = b".eif",
    version: int = 4,
    flags: int = 0,
    reserved: int = 0,
    unused: int = 0,
    count: int | None = None,
    offsets: Mapping[int, int] | None = None,
    sizes: Mapping[int, int] | None = None,
    stated: Mapping[int, int] | None = None,
    section_flags: Mapping[int, int] | None = None,
    gaps: Mapping[int, bytes] | None = None,
    trailing: bytes = b"",
    crc: int | None = None,
) -> bytes:
    """Return an image of ``parts`` with a right checksum, and with whatever is to be wrong about it.

    ``offsets``, ``sizes``: other values for table slots. ``stated``: other sizes in section headers.
    ``section_flags``: by section. ``gaps``: bytes before a section. The checksum is that of the table's reader.
    """
    table_offsets, table_sizes, body = [0] * 32, [0] * 32, b""
    covered = b""
    for number, (kind, data) in enumerate(parts):
        body += (gaps or {}).get(number, b"")
        if number < 32:
            table_offsets[number], table_sizes[number] = 548 + len(body), len(data)
        size = (stated or {}).get(number, len(data))
        section = struct.pack(">HHQ", kind, (section_flags or {}).get(number, 0), size) + data
        body += section
        covered += section
    for slot, value in (offsets or {}).items():
        table_offsets[slot] = value
    for slot, value in (sizes or {}).items():
        table_sizes[slot] = value
    header = struct.pack(
        ">4sHHQQHH", magic, version, flags, 1 << 30, 2, reserved, len(parts) if count is None else count
    )
    header += struct.pack(">32Q32QI", *table_offsets, *table_sizes, unused)
    checksum = zlib.crc32(header + covered) if crc is None else crc
    return header + struct.pack(">I", checksum) + body + trailing


def registers(image: bytes) -> dict[int, bytes]:
    """Return PCR0, PCR1 and PCR2 of a well-formed image, straight from their description."""
    kernel, cmdline, ramdisks = b"", b"", []
    at = 548
    everything = b""
    while at < len(image):
        kind, _, size = struct.unpack(">HHQ", image[at : at + 12])
        data = image[at + 12 : at + 12 + size]
        at += 12 + size
        kernel += data if kind == KERNEL else b""
        cmdline += data if kind == CMDLINE else b""
        ramdisks += [data] if kind == RAMDISK else []
        everything += data if kind in (KERNEL, CMDLINE, RAMDISK) else b""
    inputs = {0: everything, 1: kernel + cmdline + ramdisks[0], 2: b"".join(ramdisks[1:])}
    return {index: extended(hashlib.sha384(data).digest()) for index, data in inputs.items()}


def extended(data: bytes) -> bytes:
    return hashlib.sha384(bytes(48) + data).digest()


def pair(curve: str = "secp384r1", *, not_after: datetime = NOT_AFTER, name: str = "tests") -> tuple[bytes, bytes]:
    """Return a private key and its self-signed certificate, both PEM; the same ones for the same arguments."""
    return _pair(curve, not_after, name)


@cache
def _pair(curve: str, not_after: datetime, name: str) -> tuple[bytes, bytes]:
    curves = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1(), "secp521r1": ec.SECP521R1()}
    key = ec.generate_private_key(curves.get(curve) or ec.SECP256K1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(0x1234)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(not_after)
        .sign(key, hashes.SHA384())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)


def der(certificate_pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(certificate_pem).public_bytes(serialization.Encoding.DER)
