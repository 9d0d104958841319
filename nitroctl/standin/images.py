"""Reading images as nitro-cli does: one walk along the sections, and what describe-eif and pcr print of it.

Written apart from :mod:`nitroctl.eif` on purpose, so that the stand-in is a second opinion on a measurement and has
the original's blind spots: magic, version, flags and the header's table are never judged, fewer than 12 bytes at the
end are ignored, and a wrong checksum is a field of the answer, not an error.
Source: aws-nitro-enclaves-image-format, reader; its command-line tool's describe output.
"""

import hashlib
import json
import mmap
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitroctl import pcr
from nitroctl.standin import knobs
from nitroctl.standin.failures import Failure, Panic

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_HEADER: Final = 548
_SECTION: Final = struct.Struct(">HHQ")
#: Memory the original asks for before it looks how long the file is, and dies when refused.
_TOO_MUCH: Final = 1 << 40
_KERNEL, _CMDLINE, _RAMDISK, _SIGNATURE, _METADATA = range(1, 6)
#: COSE algorithm: size of r and of s in bytes, and the digest of its curve.
_ALGORITHMS: Final = {
    -7: (32, "SHA256", "secp256r1"),
    -35: (48, "SHA384", "secp384r1"),
    -36: (66, "SHA512", "secp521r1"),
}
_ISSUER_NAMES: Final = {
    "2.5.4.3": "commonName",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "1.2.840.113549.1.9.1": "emailAddress",
}


@dataclass(frozen=True, slots=True)
class Signed:
    """The signature section: the certificate in it, and whether the signed register is this image's PCR0."""

    certificate: "Certificate"
    payload_matches: bool


@dataclass(frozen=True, slots=True)
class Image:
    """An image as nitro-cli's reader sees it. ``signature``: the section's data, empty where there is none."""

    version: int
    size: int
    pcrs: Mapping[int, bytes]
    crc_holds: bool
    signature: bytes
    metadata: Any
    bootable: bool

    def measurements(self, command: str) -> dict[str, str]:
        """Return ``Measurements`` as ``command`` prints it."""
        return measurements(pcr.as_hex(self.pcrs), command)


def measurements(registers: Mapping[str, str], command: str) -> dict[str, str]:
    """Return ``Measurements`` as ``command`` prints it: sorted keys, PCR8 for signed images only."""
    shown = dict(registers)
    tampered = knobs.names("TAMPER")
    if command in tampered or (command == "describe-enclaves" and "1" in tampered):
        shown["PCR0"] = bytes(octet ^ 0xFF for octet in bytes.fromhex(shown["PCR0"])).hex()
    return {"HashAlgorithm": knobs.hash_algorithm(), **shown}


def size(path: str) -> int:
    """Return the image's size in bytes. Raises Failure E19 where it cannot be opened."""
    try:
        with Path(path).open("rb") as stream:
            return stream.seek(0, 2)
    except OSError as error:
        raise Failure(19, f"enclave image: {error}", path, "Open") from error


def read(path: str) -> Image:
    """Return what nitro-cli's reader makes of the image at ``path``.

    Raises Failure E19 where the file cannot be opened, E35 where it cannot be parsed.
    """
    size(path)
    with Path(path).open("rb") as stream:
        try:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise Failure(35, f"the image cannot be read: {error}") from error
        with content:
            return _walk(content)


def _walk(content: mmap.mmap) -> Image:
    size = len(content)
    if size < _HEADER:
        raise Failure(35, "the file ends inside the header")
    everything, boot, rest = hashlib.sha384(), hashlib.sha384(), hashlib.sha384()
    crc = zlib.crc32(content[: _HEADER - 4])
    signature, metadata, certificates = b"", None, b""
    counts = dict.fromkeys(range(1, 6), 0)
    offset = _HEADER
    while offset + _SECTION.size <= size:
        kind, _, length = _SECTION.unpack_from(content, offset)
        start, end = offset + _SECTION.size, offset + _SECTION.size + length
        if kind not in counts:
            raise Failure(35, f"section type {kind} at byte {offset}")
        if length >= _TOO_MUCH:
            raise Panic(f"memory allocation of {length} bytes failed", abort=True)
        if end > size:
            raise Failure(35, f"a section of {length} bytes at byte {offset} ends beyond the file")
        with memoryview(content) as view, view[start:end] as data:
            if kind in (_KERNEL, _CMDLINE, _RAMDISK):
                everything.update(data)
                first_part = kind != _RAMDISK or not counts[_RAMDISK]
                (boot if first_part else rest).update(data)
            elif kind == _SIGNATURE:
                signature = bytes(data)
                certificates += _certificate_of(signature)[0]
            else:
                metadata = _metadata(bytes(data))
            crc = zlib.crc32(view[offset:end], crc)
        counts[kind] += 1
        offset = end
    pcrs = {index: pcr.from_digest(digest.digest()) for index, digest in ((0, everything), (1, boot), (2, rest))}
    if signature:
        pcrs[8] = pcr.for_certificate(certificates)  # of two signatures, both are in it
    crc_holds = crc == int.from_bytes(content[_HEADER - 4 : _HEADER])
    bootable = (
        content[:4] == b".eif" and crc_holds and counts[_KERNEL] == counts[_CMDLINE] == 1 and counts[_RAMDISK] > 0
    )
    version = int.from_bytes(content[4:6])
    return Image(version, size, pcrs, crc_holds, signature, metadata, bootable)


def _metadata(data: bytes) -> Any:  # noqa: ANN401  (JSON)
    try:
        document = json.loads(data)
        for key in ("ImageName", "ImageVersion", "BuildMetadata", "DockerInfo", "CustomMetadata"):
            document[key]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(35, f"metadata section: {error!r}") from error
    return document


def _certificate_of(section: bytes) -> tuple[bytes, bytes]:
    """Return the certificate (DER) and the COSE signature in a signature section. Raises Failure E35."""
    import cbor2  # noqa: PLC0415  (start-up: signed images only)

    try:
        entries = cbor2.loads(section)
        if entries == []:
            raise Panic("index out of bounds: the len is 0 but the index is 0")
        entry = entries[0]
        pem, cose = bytes(entry["signing_certificate"]), bytes(entry["signature"])
        return pcr.certificate_der(pem, where="signature section"), cose
    except Panic:
        raise
    except Exception as error:
        raise Failure(35, f"signature section: {error!r}") from error


def check_signature(image: Image) -> Signed:
    """Return the signer's certificate and whether it was PCR0 that was signed.

    Raises Failure E35 where the signature does not verify under the certificate beside it. Dates are not judged.
    """
    import cbor2  # noqa: PLC0415  (start-up: signed images only)
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    der, cose = _certificate_of(image.signature)
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        envelope = cbor2.loads(cose)
        protected, _, payload, raw = getattr(envelope, "value", envelope)
        size, digest, curve = _ALGORITHMS[cbor2.loads(protected)[1]]
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != curve or len(raw) != 2 * size:
            raise Failure(35, "signature section: algorithm and key do not go together")
        pair = utils.encode_dss_signature(int.from_bytes(raw[:size]), int.from_bytes(raw[size:]))
        signed = cbor2.dumps(["Signature1", protected, b"", payload])
        key.verify(pair, signed, ec.ECDSA(getattr(hashes, digest)()))
    except Failure:
        raise
    except Exception as error:
        raise Failure(35, f"signature section: {error!r}") from error
    expected = cbor2.dumps({"register_index": 0, "register_value": list(image.pcrs[0])})
    return Signed(certificate, payload == expected)


def judge_signer(image: Image, at: datetime) -> None:
    """Refuse what run-enclave refuses of a signed image: a signature that does not verify, a certificate out of date.

    Raises Failure E59. That PCR0 is what was signed is not looked at here, as in the original.
    """
    if not image.signature:
        return
    try:
        certificate = check_signature(image).certificate
    except Failure as failure:
        raise Failure(59, failure.cause) from failure
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise Failure(59, "the signing certificate has expired or is not valid yet")


def describe(path: str) -> dict[str, Any]:
    """Return what ``describe-eif`` prints of the image at ``path``. Raises Failure E19 or E35, E17 for odd metadata."""
    image = read(path)
    document: dict[str, Any] = {
        "EifVersion": image.version,
        "Measurements": image.measurements("describe-eif"),
        "IsSigned": bool(image.signature),
    }
    signed = check_signature(image) if image.signature else None
    if signed:
        document["SigningCertificate"] = _certificate(signed.certificate)
    document["CheckCRC"] = image.crc_holds
    if signed:
        document["SignatureCheck"] = signed.payload_matches
    return document | identity(image)


def identity(image: Image) -> dict[str, Any]:
    """Return ``ImageName``, ``ImageVersion`` and ``Metadata`` as they are printed; nothing for images without them.

    Custom metadata stands beside the other keys of ``Metadata``; what is no object cannot, which is E17.
    """
    if image.metadata is None or not knobs.since("1.2.0"):
        return {}
    stored = image.metadata
    custom = stored["CustomMetadata"]
    if custom is not None and not isinstance(custom, dict):
        raise Failure(17, "can only flatten structs and maps")
    metadata = {**stored["BuildMetadata"], "DockerInfo": stored["DockerInfo"], **(custom or {})}
    return {"ImageName": stored["ImageName"], "ImageVersion": stored["ImageVersion"], "Metadata": metadata}


def _certificate(certificate: "Certificate") -> dict[str, Any]:
    names = {
        _ISSUER_NAMES.get(part.oid.dotted_string, part.oid.dotted_string): str(part.value)
        for part in certificate.issuer
    }
    digest = certificate.signature_hash_algorithm
    return {
        "IssuerName": dict(sorted(names.items())),
        "Algorithm": f"ecdsa-with-{digest.name.upper()}" if digest else "undefined",
        "NotBefore": _openssl_time(certificate.not_valid_before_utc),
        "NotAfter": _openssl_time(certificate.not_valid_after_utc),
        "Signature": ":".join(f"{octet:02X}" for octet in certificate.signature),
    }


def _openssl_time(at: datetime) -> str:
    """Write a time as OpenSSL does: ``Jan  1 00:00:00 2026 GMT``."""
    months = "JanFebMarAprMayJunJulAugSepOctNovDec"
    return f"{months[3 * at.month - 3 : 3 * at.month]} {at.day:2} {at:%H:%M:%S} {at.year} GMT"


def register_of_file(path: str) -> dict[str, str]:
    """Return what ``pcr --input`` prints. Raises Failure E19."""
    return {"PCR": pcr.from_digest(hashlib.sha384(_bytes(path)).digest()).hex()}


def register_of_certificate(path: str) -> dict[str, str]:
    """Return what ``pcr --signing-certificate`` prints. Raises Failure E19, or E57 where there is no certificate."""
    content = _bytes(path)
    try:
        return {"PCR8": pcr.for_certificate(pcr.certificate_der(content, where=path)).hex()}
    except Exception as error:
        raise Failure(57, f"no certificate: {error}") from error


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Failure(19, str(error), path, "Open") from error


def sections(data: bytes) -> Sequence[tuple[int, bytes]]:
    """Return type and data of every section of an image that was read before, in file order."""
    found = []
    offset = _HEADER
    while offset + _SECTION.size <= len(data):
        kind, _, length = _SECTION.unpack_from(data, offset)
        offset += _SECTION.size + length
        found.append((kind, data[offset - length : offset]))
    return found
