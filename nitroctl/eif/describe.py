"""What ``nitro-cli describe-eif`` prints of an image: the same JSON members, in the same order.

nitro-cli judges less than nitroctl does: it answers with ``CheckCRC`` or ``SignatureCheck`` false, and status 0, where
nitroctl refuses. What it prints is told here also then, as long as both ways of finding the sections agree. Where
it would print nothing but an error, there is nothing to tell.

Two of its texts are renderings of its libraries' own values and have changed with its versions: ``HashAlgorithm``, and
names in ``IssuerName`` that OpenSSL has no name for. Custom metadata stands beside the other members of ``Metadata``;
where it has a name of theirs nitro-cli writes that member twice, and here the later value stands alone.
Source: aws-nitro-enclaves-image-format, reader (SignCertificateInfo, EifReader), and its command-line tool.
"""

import json
import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from nitroctl import pcr
from nitroctl.checks import Outcome
from nitroctl.errors import CannotAnswer

if TYPE_CHECKING:
    from nitroctl.eif.measure import Measured
    from nitroctl.eif.metadata import Metadata

#: A rendering of the hash's type by nitro-cli up to 1.4; newer ones may print another. It identifies nothing.
HASH_ALGORITHM: Final = "Sha384 { ... }"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: What OpenSSL calls the attributes of a name, by object identifier.
_LONG_NAMES: Final = {
    "2.5.4.3": "commonName",
    "2.5.4.4": "surname",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.9": "streetAddress",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "2.5.4.12": "title",
    "2.5.4.13": "description",
    "2.5.4.15": "businessCategory",
    "2.5.4.17": "postalCode",
    "2.5.4.41": "name",
    "2.5.4.42": "givenName",
    "2.5.4.43": "initials",
    "2.5.4.44": "generationQualifier",
    "2.5.4.45": "x500UniqueIdentifier",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "2.5.4.97": "organizationIdentifier",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.1": "userId",
    "0.9.2342.19200300.100.1.25": "domainComponent",
}
#: What OpenSSL calls the algorithms that sign certificates.
_ALGORITHMS: Final = {
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.1": "ecdsa-with-SHA224",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.3.101.112": "ED25519",
    "1.3.101.113": "ED448",
}


def describe(measured: "Measured") -> dict[str, object]:
    """Return the members that ``describe-eif`` prints of a measured image.

    Raises CannotAnswer ``eif.no-description`` for an image of which it prints none, or of which readers do not see the
    same sections, so that it cannot be told what is described.
    """
    header, registers = measured.layout.header, measured.views[1].pcrs
    reason = _reason(measured)
    if reason or header is None:
        raise CannotAnswer(
            f"{measured.path}: nothing that nitro-cli describe-eif prints can be told: {reason}",
            "eif.no-description",
            [f"see nitroctl eif inspect {measured.path}"],
        )
    signature = measured.signature
    members: dict[str, object] = {
        "EifVersion": header.version,
        "Measurements": {
            "HashAlgorithm": HASH_ALGORITHM,
            **pcr.as_hex({**registers, **({8: signature.certificate.pcr8} if signature else {})}),
        },
        "IsSigned": signature is not None,
    }
    if signature:
        members["SigningCertificate"] = _certificate(signature.certificate.der)
    members["CheckCRC"] = _holds(measured, "eif.crc")
    if signature:
        members["SignatureCheck"] = _holds(measured, "eif.signed-measurement")
    if measured.metadata:
        members |= _identity(measured.metadata)
    return members


def text(members: Mapping[str, object]) -> str:
    """Return the members as nitro-cli writes them, with what a terminal would obey written as JSON escapes."""
    written = json.dumps(members, indent=2, ensure_ascii=False, allow_nan=False)
    shown = (
        character if character.isprintable() or character == "\n" else _escaped(character) for character in written
    )
    return "".join(shown) + "\n"


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1].replace("\x7f", "\\u007f")


def _reason(measured: "Measured") -> str:
    """Say why there is nothing to tell; empty when there is."""
    if not measured.layout.agreed or not measured.views[1].pcrs:
        refusals = measured.report.refusals
        return refusals[0].detail if refusals else "it is no image"
    for check in measured.report:
        if check.id in ("eif.metadata", "eif.signature-format", "eif.signature") and check.outcome is Outcome.FAIL:
            return check.detail
        if check.id in ("eif.metadata-section", "eif.signature-section") and check.outcome is Outcome.FAIL:
            return check.detail
    found = measured.metadata
    if found and found.custom is not None and not isinstance(found.custom, dict):
        return "its custom metadata is no object, and nitro-cli can only lay out an object"
    if found and measured.report["eif.metadata"].outcome is Outcome.WARN:
        return measured.report["eif.metadata"].detail
    return ""


def _holds(measured: "Measured", check_id: str) -> bool:
    return measured.report[check_id].outcome is Outcome.PASS


def _identity(metadata: "Metadata") -> dict[str, object]:
    custom = metadata.custom if isinstance(metadata.custom, dict) else {}
    return {
        "ImageName": metadata.image_name,
        "ImageVersion": metadata.image_version,
        "Metadata": {
            "BuildTime": metadata.build_time,
            "BuildTool": metadata.build_tool,
            "BuildToolVersion": metadata.build_tool_version,
            "OperatingSystem": metadata.operating_system,
            "KernelVersion": metadata.kernel_version,
            "DockerInfo": metadata.docker_info,
            **custom,
        },
    }


def _certificate(der: bytes) -> dict[str, object]:
    from cryptography import x509  # noqa: PLC0415  (unsigned images need no cryptography)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd serial number is the signer's choice: nothing rests on it
        certificate = x509.load_der_x509_certificate(der)
        names = {
            _LONG_NAMES.get(part.oid.dotted_string, part.oid.dotted_string): _plain(part.value)
            for part in certificate.issuer
        }
        algorithm = certificate.signature_algorithm_oid.dotted_string
        return {
            "IssuerName": dict(sorted(names.items())),
            "Algorithm": _ALGORITHMS.get(algorithm, algorithm),
            "NotBefore": _openssl_time(certificate.not_valid_before_utc),
            "NotAfter": _openssl_time(certificate.not_valid_after_utc),
            "Signature": ":".join(f"{octet:02X}" for octet in certificate.signature),
        }


def _plain(value: str | bytes) -> str:
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    return text.replace('"', "")  # nitro-cli takes them out


def _openssl_time(at: datetime) -> str:
    """Return an instant as OpenSSL prints it: ``Jan  1 00:00:00 2026 GMT``."""
    return f"{_MONTHS[at.month - 1]} {at.day:2d} {at:%H:%M:%S} {at.year} GMT"
