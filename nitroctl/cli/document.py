"""Everything a document can be made to say, as JSON members. What it is worth is for the verb to say."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitroctl.errors import CannotAnswer

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from nitroctl.checks import Report
    from nitroctl.evidence.certificate import Certificate
    from nitroctl.evidence.contents import Reading
    from nitroctl.evidence.derived import Derived
    from nitroctl.evidence.diagnostic import Diagnosis
    from nitroctl.evidence.document import Document, Parsed
    from nitroctl.evidence.findings import Finding, Time
    from nitroctl.evidence.registers import Register, Role
    from nitroctl.records import Entry, Ledger

#: The fields that enclave code fills, as the document names them.
FILLED = ("nonce", "user_data", "public_key")


def time(at: "datetime | None") -> str | None:
    """Return an instant as RFC 3339, or None."""
    from nitroctl.evidence.chain import instant

    return instant(at) if at else None


def span(apart: "timedelta") -> str:
    """Return how long ``apart`` is, whichever its sign: ``3 h 20 min``, ``250 ms``."""
    from nitroctl.appraisal.appraise import duration

    length = abs(apart)
    return duration(length) if length.total_seconds() >= 1 else f"{length.microseconds // 1000} ms"


@dataclass(frozen=True, slots=True)
class Closest:
    """What the records say of a document's registers; ``entry`` is None when none of them comes near.

    ``file``: the ledger. ``count``: its entries for this kind of document.
    """

    file: str
    count: int
    entry: "Entry | None" = None
    equal: tuple[int, ...] = ()
    differing: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()

    @property
    def matches(self) -> bool:
        """Whether every register that the entry pins is equal."""
        return self.entry is not None and not self.differing and not self.absent


@dataclass(frozen=True, slots=True)
class View:
    """One document taken apart."""

    document: "Document"
    links: "tuple[Certificate, ...]"
    derived: "Derived"
    findings: "tuple[Finding, ...]"
    times: "tuple[Time, ...]"
    registers: "tuple[Register, ...]"
    roles: "tuple[Role, ...]"
    contents: "dict[str, Reading | None]"
    habits: "Report"

    @property
    def uptime(self) -> "timedelta | None":
        """How long the enclave had run when the document was made; None when the launch is not known or later."""
        launched = self.derived.launched
        return self.document.time - launched if launched and launched <= self.document.time else None


def look(data: bytes, parsed: "Parsed", links: "tuple[Certificate, ...]", roles: Sequence[str] = ()) -> View | None:
    """Take the document apart; None when its fields cannot be read. Raises UsageError ``pcr.role``."""
    from nitroctl.checks import Report
    from nitroctl.evidence import contents, findings, habits, registers
    from nitroctl.evidence.chain import Chain
    from nitroctl.evidence.derived import derive

    document = parsed.document
    if document is None:
        return None
    derived = derive(document, links)
    compared = registers.compare_roles(document, roles)
    fields = {name: getattr(document, name) for name in FILLED}
    return View(
        document=document,
        links=links,
        derived=derived,
        findings=findings.findings(data, document, parsed.envelope, derived),
        times=findings.times(document, derived, links),
        registers=registers.read(document, derived, compared),
        roles=compared,
        contents={
            name: contents.read(content, is_key=name == "public_key") if content is not None else None
            for name, content in fields.items()
        },
        habits=Report.of(habits.compare(document, Chain(links))),
    )


def closest(document: "Document", ledger: "Ledger", file: str) -> Closest:
    """Return the recorded version whose registers the document has, or the nearest."""
    from nitroctl.records import NITRO_ENCLAVE, NITRO_TPM
    from nitroctl.records import Ledger as Records

    platform = NITRO_ENCLAVE if document.kind == "enclave" else NITRO_TPM
    mine = Records(tuple(entry for entry in ledger if entry.platform == platform))
    matching = mine.matching(document.pcrs)
    if matching:
        entry = max(matching, key=lambda entry: (entry.status.value == "active", len(entry.pin), entry.recorded_at))
        return Closest(file, len(mine), entry, entry.pin)
    near = mine.nearest(document.pcrs)
    if near is None:
        return Closest(file, len(mine))
    return Closest(file, len(mine), near.entry, near.equal, near.differing, near.absent)


def recorded(document: "Document", records: str | None) -> tuple[Closest | None, str | None]:
    """Return what the records say, and a note when a ledger that nobody named cannot be read.

    ``records``: the file that was asked for. Raises CannotAnswer only for that one.
    """
    from nitroctl import settings

    setting = settings.load({"records": records}).values["records"]
    by_default = setting.origin == "default"
    if by_default and not os.path.lexists(setting.value):
        return None, None
    from nitroctl.records import load

    try:
        ledger = load(setting.value, missing_ok=by_default)
    except CannotAnswer as error:
        if not by_default:
            raise
        return None, f"the records were not looked at: {error.message} [{error.code}]"
    if by_default and not ledger.entries:
        return None, None
    return closest(document, ledger, setting.value), None


def as_json(view: View | None) -> dict[str, object]:
    """Return the forensic members of attest.show/1, empty ones when there is no document."""
    from nitroctl.appraisal import facts

    if view is None:
        return {
            "document": None,
            "findings": [],
            "times": [],
            "uptime_seconds": None,
            "registers": [],
            "roles": [],
            "contents": dict.fromkeys(FILLED),
            "certificates": [],
            "cross_checks": None,
        }
    return {
        "document": facts.as_json(view.document, view.links),
        "findings": [
            {
                "key": item.key,
                "value": item.value,
                "source": item.source,
                "standing": item.standing.value,
                "remark": item.remark or None,
            }
            for item in view.findings
        ],
        "times": [
            {
                "key": item.key,
                "at": time(item.at),
                "source": item.source,
                "standing": item.standing.value,
                "says": item.says,
                "does_not_say": item.not_said,
            }
            for item in view.times
        ],
        "uptime_seconds": int(view.uptime.total_seconds()) if view.uptime is not None else None,
        "registers": [_register(register) for register in view.registers],
        "roles": [{"arn": role.arn, "pcr3": role.pcr3.hex(), "matches": role.matches} for role in view.roles],
        "contents": {name: _reading(reading) if reading else None for name, reading in view.contents.items()},
        "certificates": certificates_json(view.links, view.document.time),
        "cross_checks": view.habits.as_json(),
    }


def _register(register: "Register") -> dict[str, object]:
    from nitroctl import pcr

    return {
        "name": pcr.name(register.index),
        "value": register.value.hex() if register.value is not None else None,
        "state": register.state.value,
        "meaning": register.meaning,
        "reading": register.reading or None,
        "standing": register.standing.value if register.standing else None,
        "agrees": register.agrees,
    }


def _reading(reading: "Reading") -> dict[str, object]:
    key = reading.key
    return {
        "size_bytes": len(reading.content),
        "hex": reading.content.hex(),
        "text": reading.text,
        "json": reading.json,
        "cbor_diagnostic": reading.cbor,
        "key": {
            "kind": key.kind,
            "bits": key.bits,
            "form": key.form,
            "sha256": key.fingerprint,
            "serves_kms": key.serves_kms,
        }
        if key
        else None,
        "guesses": list(reading.guesses),
    }


def certificates_json(links: "Sequence[Certificate]", at: "datetime") -> list[dict[str, object]]:
    """Return the chain, root first, each period judged at ``at``, the document's time."""
    from nitroctl.evidence.chain import role

    return [
        {
            "role": role(number, len(links)),
            "subject": link.subject_text,
            "serial": f"{link.serial:x}",
            "not_before": time(link.not_before),
            "not_after": time(link.not_after),
            "at_document_time": period(link, at),
            "sha256": link.fingerprint,
            "crl_addresses": list(link.crl_addresses),
        }
        for number, link in enumerate(links)
    ]


def period(link: "Certificate", at: "datetime") -> str:
    """Return where ``at`` lies: ``before``, ``inside`` or ``after`` the certificate's period."""
    return "before" if at < link.not_before else "after" if at > link.not_after else "inside"


def closest_json(found: Closest | None) -> dict[str, object] | None:
    """Return what the records say, as JSON members."""
    from nitroctl import pcr

    if found is None:
        return None
    return {
        "file": found.file,
        "entries": found.count,
        "entry": found.entry.id if found.entry else None,
        "status": found.entry.status.value if found.entry else None,
        "matches": found.matches,
        "equal": [pcr.name(index) for index in found.equal],
        "differing": [pcr.name(index) for index in found.differing],
        "absent": [pcr.name(index) for index in found.absent],
    }


def diagnosis_json(found: "Diagnosis | None") -> dict[str, object] | None:
    """Return the diagnostic notation and where it ends, as JSON members."""
    if found is None:
        return None
    return {
        "text": found.text,
        "fault": {"offset": found.fault.offset, "message": found.fault.message} if found.fault else None,
        "rest": {"offset": found.rest.offset, "items": list(found.rest.items)} if found.rest else None,
    }
