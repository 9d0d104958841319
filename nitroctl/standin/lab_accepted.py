"""Cases of the lab that a verifier must accept: what AWS does, did, or may do; and the edges of what is allowed.

A verifier that refuses everything fails here. Those with ``warns`` are in order but worth a remark; those that AWS's
text forbids to the letter have a twin that is judged strictly.
"""

from datetime import timedelta
from typing import Final

from nitroctl.standin import nsm, pki
from nitroctl.standin.lab_change import (
    AT,
    INSTANCE,
    INSTANCE_CA,
    LEAF,
    MODULE_ID,
    PCRS,
    REGION,
    ZONAL,
    Case,
    Change,
    also,
    case,
    extension,
    profile,
    put,
    serial,
)
from nitroctl.standin.lab_cose import ORDER

_SECOND: Final = AT.replace(microsecond=0)
_TPM: Final = f"{INSTANCE}-tpm0000000000000000"
_NEIGHBOUR: Final = f"{MODULE_ID[:-1]}f"
_UNKNOWN: Final = f"{INSTANCE}-sandbox0"


def _put(**values: object) -> Change:
    return Change(fields=put(**values))


def _s_in(*, upper_half: bool) -> Change:
    """Choose, of s and its negative, which verify alike, the one in the upper or the lower half of the group."""

    def edit(raw: bytes) -> bytes:
        s = int.from_bytes(raw[48:])
        return raw[:48] + (s if (s > ORDER // 2) is upper_half else ORDER - s).to_bytes(48)

    return Change(signature=edit)


def _open(head: bytes, content: bytes) -> nsm.Encoded:
    return nsm.Encoded(head + content + b"\xff")


_REGISTERS: Final = b"".join(nsm.encode(index) + nsm.encode(PCRS.get(index, bytes(48))) for index in range(16))
_NULLS_OUT: Final = put(public_key=...)

CASES: Final[tuple[Case, ...]] = (
    case("good", "A document as AWS encodes it today."),
    case(
        "good-tag-18", "Tag 18 stands before the document.", change=Change(document=lambda content: b"\xd2" + content)
    ),
    case(
        "good-definite-map",
        "The payload is a map of definite length, as AWS wrote it until 2025.",
        change=Change(payload=lambda content: b"\xa9" + content[1:-1]),
    ),
    case(
        "good-open-array",
        "The outer array is of indefinite length.",
        change=Change(document=lambda content: b"\x9f" + content[1:] + b"\xff"),
    ),
    case(
        "good-open-unprotected",
        "The unprotected header is an empty map of indefinite length.",
        change=Change(unprotected=b"\xbf\xff"),
    ),
    case(
        "good-open-registers",
        "The registers are a map of indefinite length.",
        change=_put(pcrs=_open(b"\xbf", _REGISTERS)),
    ),
    case("good-absent-public-key", "The public key is left out in place of null.", change=_put(public_key=...)),
    case(
        "good-absent-optionals",
        "All three optional fields are left out.",
        change=_put(public_key=..., user_data=..., nonce=...),
    ),
    case("good-null-optionals", "All three optional fields are null.", change=_put(user_data=None, nonce=None)),
    case("good-empty-nonce", "The nonce is there and empty.", change=_put(nonce=b"")),
    case("good-empty-user-data", "The user data is there and empty.", change=_put(user_data=b"")),
    case(
        "good-512-bytes",
        "Nonce and user data have the published 512 bytes.",
        change=_put(nonce=bytes(512), user_data=bytes(512)),
    ),
    case("good-public-key-1024", "The public key has the published 1024 bytes.", change=_put(public_key=bytes(1024))),
    case(
        "good-other-order",
        "The payload's fields are in the reverse order.",
        change=Change(fields=lambda fields: fields[::-1]),
    ),
    case("good-low-s", "s is in the lower half of the group.", change=_s_in(upper_half=False)),
    case(
        "good-high-s",
        "s is in the upper half of the group, as in half of AWS's documents.",
        change=_s_in(upper_half=True),
    ),
    case(
        "good-32-registers",
        "PCR16 to PCR31 are locked as well.",
        change=_put(pcrs={index: PCRS.get(index, bytes(48)) for index in range(32)}),
    ),
    case("good-pcr16", "PCR16 alone is locked beside the first sixteen.", change=_put(pcrs={**PCRS, 16: b"\x16" * 48})),
    case(
        "good-debug",
        "PCR0, PCR1, PCR2 and PCR8 are zero, as in debug mode: authentic, though no image's.",
        change=_put(pcrs={index: PCRS[4] if index == 4 else bytes(48) for index in range(16)}),  # noqa: PLR2004  (PCR4)
    ),
    case(
        "good-nitrotpm",
        "It is a NitroTPM's document.",
        change=Change(
            profiles=lambda wanted: [*wanted[:LEAF], pki.leaf_profile(_TPM, REGION, at=AT)],
            fields=put(module_id=_TPM, pcrs=..., nitrotpm_pcrs={index: bytes(48) for index in range(24)}),
        ),
    ),
    case(
        "good-leaf-first-second",
        "The document is judged in the first second of its leaf's period.",
        at=_SECOND - timedelta(seconds=3),
    ),
    case(
        "good-leaf-last-second",
        "The document is judged in the last second of its leaf's period.",
        at=_SECOND + timedelta(hours=3),
    ),
    case(
        "good-authority-identifiers-absent",
        "The instance authority has no key identifiers, as until 2024.",
        change=profile(INSTANCE_CA, subject_key_identifier=False, authority_key_identifier=False),
    ),
    case(
        "good-serial-21-octets",
        "The instance authority's serial number has 160 bits and so takes 21 octets, as half of AWS's do.",
        change=Change(fields=serial(INSTANCE_CA, b"\x00\x93" + bytes(19))),
    ),
    case(
        "good-leaf-usage-critical", "The leaf's key usage is critical.", change=profile(LEAF, key_usage_critical=True)
    ),
    case(
        "good-path-length-generous",
        "The zonal authority allows more authorities below it than it has.",
        change=profile(ZONAL, path_length=5),
    ),
    case(
        "good-path-length-unset",
        "The zonal authority does not bound the path.",
        change=profile(ZONAL, path_length=None),
    ),
    case(
        "good-extension-unknown",
        "The leaf has an extension that nobody knows and that is not critical.",
        change=profile(LEAF, extra=((extension("1.3.6.1.4.1.99999.1"), False),)),
    ),
    case(
        "noted-unknown-field",
        "The payload has a field that AWS has not published.",
        change=Change(fields=also("from_the_future", [1, True, {"a": None}])),
        warns="document.fields",
    ),
    case(
        "noted-empty-public-key",
        "The public key is there and empty.",
        change=_put(public_key=b""),
        warns="document.lengths",
    ),
    case("noted-1025-nonce", "The nonce has 1025 bytes.", change=_put(nonce=bytes(1025)), warns="document.lengths"),
    case(
        "noted-4050-user-data",
        "The user data has 4050 bytes.",
        change=_put(user_data=bytes(4050)),
        warns="document.lengths",
    ),
    case("noted-one-register", "PCR0 is the only register.", change=_put(pcrs={0: PCRS[0]}), warns="habit.pcr4"),
    case(
        "noted-other-pcr4",
        "PCR4 is not made from the instance id.",
        change=_put(pcrs={**PCRS, 4: b"\x14" * 48}),
        warns="habit.pcr4",
    ),
    case(
        "noted-module-id-form",
        "The module id has a form that AWS has not used so far.",
        change=Change(
            profiles=lambda wanted: [*wanted[:LEAF], pki.leaf_profile(_UNKNOWN, REGION, at=AT)],
            fields=put(module_id=_UNKNOWN),
        ),
        warns="habit.module-id",
    ),
    case(
        "noted-leaf-name",
        "The leaf is named after another enclave of the instance.",
        change=profile(LEAF, subject=pki.leaf_profile(_NEIGHBOUR, REGION, at=AT).subject),
        warns="habit.leaf-name",
    ),
    case(
        "noted-instance-name",
        "The instance authority is named after another instance.",
        change=profile(INSTANCE_CA, subject=pki.instance_profile("i-0fedcba9876543210", REGION, at=AT).subject),
        warns="habit.instance-name",
    ),
    case(
        "noted-region",
        "The zonal authority names another region than the others.",
        change=profile(ZONAL, subject=pki.zonal_profile("us-east-1", at=AT).subject),
        warns="habit.region",
    ),
    case(
        "noted-serial",
        "The leaf's serial number holds another enclave's id.",
        change=profile(LEAF, serial=pki.leaf_serial(_NEIGHBOUR, AT)),
        warns="habit.serial",
    ),
    case(
        "noted-times",
        "The document is older than its leaf's issue by a second, within the leaf's period.",
        change=_put(timestamp=nsm.milliseconds(_SECOND) - 1000),
        warns="habit.times",
    ),
    case(
        "strict-good",
        "A document that keeps to AWS's published text to the letter.",
        change=Change(fields=_NULLS_OUT),
        strict=True,
    ),
)

#: What AWS signs beside its own text: refused by the letter of it, and accepted above.
STRICT_CASES: Final[tuple[Case, ...]] = (
    case("strict-null-public-key", "The public key is null.", "document.nulls", strict=True),
    case(
        "strict-513-nonce",
        "The nonce has 513 bytes.",
        "document.lengths",
        Change(fields=put(public_key=..., nonce=bytes(513))),
        strict=True,
    ),
    case(
        "strict-1025-public-key",
        "The public key has 1025 bytes.",
        "document.lengths",
        _put(public_key=bytes(1025)),
        strict=True,
    ),
    case(
        "strict-empty-public-key",
        "The public key is there and empty.",
        "document.lengths",
        _put(public_key=b""),
        strict=True,
    ),
    case(
        "strict-unknown-field",
        "The payload has a field that AWS has not published.",
        "document.fields",
        Change(fields=lambda fields: [*_NULLS_OUT(fields), ("from_the_future", 1)]),
        strict=True,
    ),
)
