"""What a document tells beside its fields: ids, places and times read from names, numbers and registers.

AWS documents the form of the ids and of PCR4; the launch time inside the enclave id and the layout of the leaf's
serial number are habits, true of every AWS-signed document known to us and promised nowhere.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nitroctl.evidence.certificate import Certificate
from nitroctl.evidence.document import Document
from nitroctl.evidence.remembered import remembered

#: EC2 user guide, "NitroTPM PCR measurements".
TPM_MEANINGS: Final = {
    **dict.fromkeys(range(8), "firmware"),
    4: "boot loader, kernel and command line (UEFI binaries)",
    7: "Secure Boot policy",
    **dict.fromkeys(range(8, 16), "operating system"),
    12: "UEFI command line",
    16: "debug; the operating system can reset it",
    23: "application; the operating system can reset it",
}
_MODULE_ID = re.compile(r"(i-[0-9a-f]{17}|i-[0-9a-f]{8})-(?:enc([0-9a-f]{16})|tpm[0-9a-f]{16})")
_REGION: Final = r"(?P<region>[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2})"
_PARTITION: Final = r"(?P<partition>aws[a-z-]*)"
_NAMES: Final = (
    re.compile(rf"(?P<id>[0-9a-f]{{1,16}})\.{_REGION}\.{_PARTITION}\.nitro-enclaves"),
    re.compile(rf"(?P<id>[0-9a-f]{{1,16}})\.zonal\.{_REGION}\.{_PARTITION}\.nitro-enclaves"),
    re.compile(rf"(?P<id>i-[0-9a-f]+)\.{_REGION}\.{_PARTITION}\.nitro-enclaves"),
    re.compile(rf"(?P<id>i-[0-9a-f]+-[0-9a-z]+)\.{_REGION}\.{_PARTITION}"),
)
_SERIAL: Final = re.compile(r"([0-9a-f]{16})00000000([0-9a-f]{8})")
_REMEMBERED: Final = 128
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Derived:
    """None where the document does not show it. ``regions``: as the names of the four certificates below the root say.

    ``instance_name``, ``leaf_name``: the ids in the names of the instance CA and the leaf.
    ``serial_enclave_id``, ``issued``: what the leaf's serial number holds. ``regional_id``, ``zonal_id``: the opaque
    ids in the names of those authorities. ``partitions``: as the same four names end.
    """

    instance_id: str | None
    enclave_id: str | None
    launched: datetime | None
    instance_name: str | None
    leaf_name: str | None
    regions: tuple[str | None, ...]
    serial_enclave_id: str | None
    issued: datetime | None
    regional_id: str | None
    zonal_id: str | None
    partitions: tuple[str | None, ...]

    @property
    def region(self) -> str | None:
        """The region that every certificate names, or None."""
        return self.regions[0] if len(set(self.regions)) == 1 else None


def derive(document: Document, links: Sequence[Certificate]) -> Derived:
    """Read what can be read; ``links``: the certificates, root first, empty when they could not be read."""
    return _derive(document.module_id, tuple(links))


@remembered(_REMEMBERED)
def _derive(module_id: str, links: tuple[Certificate, ...]) -> Derived:
    match = _MODULE_ID.fullmatch(module_id)
    instance_id, enclave_id = (match[1], match[2]) if match else (None, None)
    below = links[1:] if len(links) == len(_NAMES) + 1 else ()
    names = [pattern.fullmatch(link.common_name) for pattern, link in zip(_NAMES, below, strict=False)]
    serial = f"{links[-1].serial:x}" if links else ""
    serial_match = _SERIAL.fullmatch(serial.zfill(32)) if enclave_id and links else None
    seconds = int(serial_match[2], 16) if serial_match else _bare_seconds(serial) if not enclave_id else None
    return Derived(
        instance_id=instance_id,
        enclave_id=enclave_id,
        launched=_launch(enclave_id) if enclave_id else None,
        instance_name=_group(names, 2, "id"),
        leaf_name=_group(names, 3, "id"),
        regions=tuple(name["region"] if name else None for name in names),
        serial_enclave_id=serial_match[1] if serial_match else None,
        issued=_EPOCH + timedelta(seconds=seconds) if seconds is not None else None,
        regional_id=_group(names, 0, "id"),
        zonal_id=_group(names, 1, "id"),
        partitions=tuple(name["partition"] if name else None for name in names),
    )


def _launch(enclave_id: str) -> datetime | None:
    """Return the time in the first six bytes of an enclave id, None beyond the calendar: anybody can write one."""
    try:
        return _EPOCH + timedelta(milliseconds=int(enclave_id[:12], 16))
    except OverflowError:
        return None


def _group(names: Sequence[re.Match[str] | None], number: int, group: str) -> str | None:
    name = names[number] if names else None
    return name[group] if name else None


def _bare_seconds(serial: str) -> int | None:
    """Return the time in a NitroTPM leaf's serial number, which holds nothing else."""
    return int(serial, 16) if 0 < len(serial) <= 8 else None  # noqa: PLR2004  (four bytes)
