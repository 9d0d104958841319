"""What a responder can read out of one document: places, ids and times, each with what it rests on.

Nothing here says that the document is authentic. A habit is true of every AWS-signed document known to us and
documented nowhere; items that several places state are compared, and a disagreement is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from nitroctl import pcr
from nitroctl.evidence.certificate import Certificate
from nitroctl.evidence.cose import Envelope
from nitroctl.evidence.derived import Derived
from nitroctl.evidence.document import Document, Kind
from nitroctl.evidence.roots import AWS_ROOTS, find
from nitroctl.evidence.standing import Standing

KINDS: Final = {Kind.ENCLAVE: "Nitro Enclave", Kind.NITROTPM: "NitroTPM of an EC2 instance"}
_AUTHORITIES: Final = ("regional CA", "zonal CA", "instance CA", "leaf")
_OPEN_MAP: Final = 0xBF
_TAGGED: Final = 0xD2
_INSTANCE_REGISTER: Final = 4
_INSTANCE_CA: Final = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One item. ``value``: None when the document does not tell. ``source``: where it is stated. ``remark``: limits."""

    key: str
    label: str
    value: str | None
    source: str
    standing: Standing
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Time:
    """One instant, aware. ``says``: what it shows. ``not_said``: what it is easily taken for and does not show."""

    key: str
    label: str
    at: datetime
    source: str
    standing: Standing
    says: str
    not_said: str


def findings(data: bytes, document: Document, envelope: Envelope | None, derived: Derived) -> tuple[Finding, ...]:
    """Return who, where and how. ``data``: the document's CBOR."""
    enclave = document.kind is Kind.ENCLAVE
    field = "pcrs" if enclave else "nitrotpm_pcrs"
    found = [
        Finding("kind", "kind", KINDS[document.kind], f"it has the field {field}", Standing.DOCUMENTED),
        Finding("module_id", "module id", document.module_id, "field module_id", Standing.STATED),
        _instance(document, derived),
    ]
    if enclave:
        found.append(
            _told(
                Finding(
                    "enclave_id",
                    "enclave id",
                    derived.enclave_id,
                    "the module id",
                    Standing.DOCUMENTED,
                    "unique in AWS",
                )
            )
        )
    return (*found, _region(derived), _partition(document, derived), *_authority_ids(derived), _form(data, envelope))


def _told(finding: Finding) -> Finding:
    """Return the finding, or that the name it is read from does not have the form in which it would be."""
    if finding.value is not None:
        return finding
    return replace(finding, source=f"{finding.source} has an unknown form", remark="")


def _instance(document: Document, derived: Derived) -> Finding:
    value = derived.instance_id
    if value is None:
        return Finding("instance_id", "instance id", None, "the module id has an unknown form", Standing.DOCUMENTED)
    places = [("the instance CA's name", derived.instance_name == value)]
    if document.kind is Kind.ENCLAVE:
        places.append(("PCR4", document.pcrs.get(_INSTANCE_REGISTER) == pcr.for_instance(value)))
    agree = [place for place, equal in places if equal]
    other = [place for place, equal in places if not equal]
    source = f"module id{', ' if len(agree) > 1 else ' and ' if agree else ''}{' and '.join(agree)}"
    remark = f"{' and '.join(other)} {'says' if len(other) == 1 else 'say'} otherwise" if other else ""
    return Finding("instance_id", "instance id", value, source, Standing.DOCUMENTED, remark)


def _region(derived: Derived) -> Finding:
    named = [(place, name) for place, name in zip(_AUTHORITIES, derived.regions, strict=False) if name]
    if derived.region:
        source = "the names of regional, zonal and instance CA and of the leaf"
        return Finding("region", "region", derived.region, source, Standing.HABIT)
    source = "; ".join(f"the {place}'s name says {name}" for place, name in named) or "no certificate's name says it"
    return Finding("region", "region", None, source, Standing.HABIT)


def _partition(document: Document, derived: Derived) -> Finding:
    root = find(document.cabundle[0], AWS_ROOTS)
    named = derived.partitions[0] if len(set(derived.partitions)) == 1 else None
    if root is None:
        remark = f"the certificates' names say {named}" if named else ""
        source = "the bundle's root is none of AWS's"
        return Finding("partition", "partition", None, source, Standing.DOCUMENTED, remark)
    remark = f"but the certificates' names say {named}" if named and named != root.partition else ""
    return Finding("partition", "partition", root.partition, f"the root is {root.name}", Standing.DOCUMENTED, remark)


def _authority_ids(derived: Derived) -> tuple[Finding, Finding]:
    remark = "opaque: the same id elsewhere means the same zone in the same days; the zone's name is nowhere"
    return (
        _told(
            Finding("regional_ca_id", "regional CA id", derived.regional_id, "the regional CA's name", Standing.HABIT)
        ),
        _told(Finding("zonal_ca_id", "zonal CA id", derived.zonal_id, "the zonal CA's name", Standing.HABIT, remark)),
    )


def _form(data: bytes, envelope: Envelope | None) -> Finding:
    tagged = "tag 18" if data[:1] == bytes([_TAGGED]) else "no tag"
    if envelope is None:
        return Finding("form", "encoding", tagged, "first byte", Standing.HABIT)
    if envelope.payload[:1] == bytes([_OPEN_MAP]):
        form, when = "payload map of indefinite length", "as AWS has written it since August 2025 at the latest"
    else:
        form, when = "payload map of definite length", "as AWS wrote it until April 2025 at least"
    remark = "; AWS never writes the tag" if tagged == "tag 18" else ""
    return Finding("form", "encoding", f"{tagged}, {form}", "first bytes", Standing.HABIT, when + remark)


def times(document: Document, derived: Derived, links: Sequence[Certificate]) -> tuple[Time, ...]:
    """Return every instant that the document states or lets be read, the earliest first."""
    found = [
        Time(
            "document",
            "document",
            document.time,
            "field timestamp",
            Standing.STATED,
            "when the Nitro hypervisor made the document; it is inside what is signed",
            "that the document is fresh: it can have been kept and shown again",
        )
    ]
    if derived.launched:
        found.append(
            Time(
                "launched",
                "enclave launched",
                derived.launched,
                "the first six bytes of the enclave id",
                Standing.HABIT,
                "when the hypervisor made the enclave",
                "when the instance started, or when the enclave's own code began to work",
            )
        )
    if derived.issued:
        found.append(
            Time(
                "leaf_issued",
                "leaf issued",
                derived.issued,
                "the leaf's serial number",
                Standing.HABIT,
                "when the certificate that signs the document was made; documents of the next hours share it",
                "when the document was made",
            )
        )
    if len(links) > _INSTANCE_CA:
        found.append(
            Time(
                "instance_ca_issued",
                "instance CA begins",
                links[_INSTANCE_CA].not_before,
                "the instance CA's notBefore",
                Standing.STATED,
                "when the instance's authority was last renewed: every day",
                "when the instance started",
            )
        )
    if links:
        found.append(
            Time(
                "leaf_expires",
                "leaf expires",
                links[-1].not_after,
                "the leaf's notAfter",
                Standing.STATED,
                "until when the document can be judged as of now",
                "that the enclave ended: one that runs gets a new leaf every three hours",
            )
        )
    return tuple(sorted(found, key=lambda time: time.at))
