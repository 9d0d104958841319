"""What a heap of authentic documents comes to: images, enclaves, instances, places and times.

Documents are taken one by one and only a few hundred bytes of each are kept: its name, its time, its signature, and
references to the enclave, the leaf certificate and the registers it shares with others. Nothing is judged here: only
what :func:`nitroctl.evidence.verify.verify` reported authentic may be taken, and what stands out is for
:mod:`nitroctl.evidence.anomalies` to say.
"""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from nitroctl import pcr
from nitroctl.evidence.derived import derive
from nitroctl.evidence.document import Kind

if TYPE_CHECKING:
    from nitroctl.evidence.chain import Chain
    from nitroctl.evidence.document import Parsed
    from nitroctl.evidence.roots import Root
    from nitroctl.records import Entry, Ledger

#: The registers that say what runs: Nitro Enclaves user guide; EC2 user guide, "NitroTPM PCR measurements".
IMAGE_REGISTERS: Final[Mapping[Kind, tuple[int, ...]]] = {Kind.ENCLAVE: (0, 1, 2), Kind.NITROTPM: (4, 7, 12)}
KERNEL, ROLE, INSTANCE, SIGNER = 1, 3, 4, 8

_K = TypeVar("_K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a survey takes from one authentic document.

    ``leaf``, ``payload``: SHA-256. ``issued``: of the leaf, by its serial number (a habit), else the begin of its
    period. ``signature``: r ‖ s, 96 bytes.
    """

    name: str
    kind: Kind
    module_id: str
    instance_id: str | None
    launched: datetime | None
    region: str | None
    root: "Root"
    time: datetime
    leaf: bytes
    begins: datetime
    issued: datetime
    ends: datetime
    pcrs: Mapping[int, bytes]
    nonce: bytes | None
    payload: bytes
    signature: bytes


def facts(name: str, parsed: "Parsed", chain: "Chain") -> Facts:
    """Return what the authentic document ``name`` says. Raises ValueError when it cannot have been authentic."""
    document, envelope, root = parsed.document, parsed.envelope, chain.root
    if document is None or envelope is None or root is None or not chain.certificates:
        message = "only an authentic document has facts"
        raise ValueError(message)
    leaf, derived = chain.certificates[-1], derive(document, chain.certificates)
    return Facts(
        name=name,
        kind=document.kind,
        module_id=document.module_id,
        instance_id=derived.instance_id,
        launched=derived.launched,
        region=derived.region,
        root=root,
        time=document.time,
        leaf=bytes.fromhex(leaf.fingerprint),
        begins=leaf.not_before,
        issued=derived.issued or leaf.not_before,
        ends=leaf.not_after,
        pcrs=document.pcrs,
        nonce=document.nonce,
        payload=hashlib.sha256(envelope.payload).digest(),
        signature=envelope.signature,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """What runs, as far as the registers say. ``pcrs``: those of :data:`IMAGE_REGISTERS` that the document has."""

    kind: Kind
    pcrs: Mapping[int, bytes]

    @property
    def debug(self) -> bool:
        """Whether an enclave's PCR0, PCR1 or PCR2 is zero or absent: debug mode, and no image is attested."""
        wanted = IMAGE_REGISTERS[self.kind]
        return self.kind is Kind.ENCLAVE and any(pcr.is_zero(self.pcrs.get(index, pcr.ZERO)) for index in wanted)


@dataclass(frozen=True, slots=True, eq=False)
class Registers:
    """What documents with the same image, role and signer share.

    ``role``, ``signer``: PCR3 and PCR8 of an enclave, None when zero or absent. ``instance_holds``: whether PCR4 is
    made from the instance id; None where that cannot be asked. ``records``: the ledger's entries that match.
    """

    image: Image
    role: bytes | None
    signer: bytes | None
    instance_holds: bool | None
    records: "tuple[Entry, ...]"


@dataclass(slots=True, eq=False)
class Enclave:
    """One launch of an enclave, or the NitroTPM of one instance, by its module id. ``documents``: in order taken."""

    module_id: str
    kind: Kind
    instance_id: str | None
    launched: datetime | None
    documents: "list[Seen]" = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A certificate that signs documents. ``enclave``: the one it was first seen with."""

    fingerprint: bytes
    begins: datetime
    issued: datetime
    ends: datetime
    enclave: Enclave


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One authentic document, as little of it as the answer needs."""

    name: str
    time: datetime
    enclave: Enclave
    leaf: Leaf
    registers: Registers
    region: str | None
    root: "Root"
    signature: bytes


def image(seen: Seen) -> Image:
    """Return what runs."""
    return seen.registers.image


def kernel(seen: Seen) -> bytes | None:
    """Return PCR1 of an enclave, which stands for its kernel and boot ramdisk; None when zero, as in debug mode."""
    return _extended(seen.registers.image.pcrs.get(KERNEL, pcr.ZERO))


def role(seen: Seen) -> bytes | None:
    """Return PCR3 of an enclave, None when the parent has no role."""
    return seen.registers.role


def signer(seen: Seen) -> bytes | None:
    """Return PCR8 of an enclave, None when the image is not signed, or in debug mode."""
    return seen.registers.signer


def place(seen: Seen) -> "tuple[str | None, Root]":
    """Return the region that the certificates name, and the root that stands for the partition."""
    return seen.region, seen.root


def instance(seen: Seen) -> tuple[str | None, str | None]:
    """Return the instance and its region; an instance that is in two regions is two, for the anomaly to explain."""
    return seen.enclave.instance_id, seen.region


@dataclass(frozen=True, slots=True)
class Group:
    """Documents that have something in common. ``enclaves``, ``instances``, ``images``: how many different ones."""

    documents: int
    enclaves: int
    instances: int
    images: int
    debug: int
    first: datetime
    last: datetime


class Survey:
    """Authentic documents, taken one by one.

    ``documents``: in the order taken. ``payloads``: what was signed, by SHA-256, with every document that holds it.
    ``nonces``: SHA-256 of each nonce that is neither absent nor empty, with the first document of each payload.
    """

    def __init__(self, ledger: "Ledger | None" = None) -> None:
        """Begin with nothing; ``ledger``: recorded measurements to name images by, None when there are none."""
        self.ledger = ledger
        self.documents: list[Seen] = []
        self.enclaves: dict[str, Enclave] = {}
        self.leaves: dict[bytes, Leaf] = {}
        self.payloads: dict[bytes, Seen | list[Seen]] = {}
        self.nonces: dict[bytes, Seen | list[Seen]] = {}
        self._images: dict[Hashable, Image] = {}
        self._registers: dict[Hashable, Registers] = {}
        self._names: dict[str, str] = {}
        self._pinned = sorted({index for entry in ledger.entries for index in entry.pin}) if ledger else []

    def add(self, document: Facts) -> None:
        """Take one document."""
        enclave = self.enclaves.get(document.module_id)
        if enclave is None:
            enclave = Enclave(document.module_id, document.kind, document.instance_id, document.launched)
            self.enclaves[document.module_id] = enclave
        leaf = self.leaves.get(document.leaf)
        if leaf is None:
            leaf = Leaf(document.leaf, document.begins, document.issued, document.ends, enclave)
            self.leaves[document.leaf] = leaf
        region = self._names.setdefault(document.region, document.region) if document.region else None
        seen = Seen(
            name=document.name,
            time=document.time,
            enclave=enclave,
            leaf=leaf,
            registers=self._registers_of(document),
            region=region,
            root=document.root,
            signature=document.signature,
        )
        self.documents.append(seen)
        enclave.documents.append(seen)
        if _file(self.payloads, document.payload, seen) and document.nonce:
            _file(self.nonces, hashlib.sha256(document.nonce).digest(), seen)

    def _registers_of(self, document: Facts) -> Registers:
        """Return what the document's registers come to, one value for all documents in which it is the same."""
        indexes = IMAGE_REGISTERS[document.kind]
        values = tuple(document.pcrs.get(index) for index in indexes)
        enclave = document.kind is Kind.ENCLAVE
        role, signer = (_extended(document.pcrs.get(index, pcr.ZERO)) if enclave else None for index in (ROLE, SIGNER))
        holds = None
        if enclave and document.instance_id:
            holds = document.pcrs.get(INSTANCE) == pcr.for_instance(document.instance_id)
        pinned = tuple(document.pcrs.get(index) for index in self._pinned)
        key = (document.kind, values, role, signer, holds, pinned)
        found = self._registers.get(key)
        if found is None:
            image = self._images.setdefault(
                (document.kind, values),
                Image(document.kind, {index: document.pcrs[index] for index in indexes if index in document.pcrs}),
            )
            found = self._registers[key] = Registers(image, role, signer, holds, self._recorded(document))
        return found

    def _recorded(self, document: Facts) -> "tuple[Entry, ...]":
        if self.ledger is None:
            return ()
        platform = {Kind.ENCLAVE: "nitro-enclave", Kind.NITROTPM: "nitro-tpm"}[document.kind]
        return tuple(entry for entry in self.ledger.matching(document.pcrs) if entry.platform == platform)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The earliest and the latest document time, None when there is no document."""
        times = [seen.time for seen in self.documents]
        return (min(times), max(times)) if times else None

    def grouped(self, key: Callable[[Seen], _K], kind: Kind | None = None) -> dict[_K, Group]:
        """Return the documents, or those of one ``kind``, grouped by ``key``: the largest first, then the earliest."""
        found: dict[_K, list[Seen]] = {}
        for seen in self.documents:
            if kind in (None, seen.enclave.kind):
                found.setdefault(key(seen), []).append(seen)
        groups = {value: _group(members) for value, members in found.items()}
        return dict(sorted(groups.items(), key=lambda item: (-item[1].documents, item[1].first)))

    def repeated(self, index: "dict[bytes, Seen | list[Seen]]") -> dict[bytes, list[Seen]]:
        """Return what occurs more than once in ``payloads`` or ``nonces``, with its documents."""
        return {key: members for key, members in index.items() if isinstance(members, list)}


def _file(index: dict[bytes, Seen | list[Seen]], key: bytes, seen: Seen) -> bool:
    """Put a document under ``key``, alone as long as it is alone; whether it was the first."""
    there = index.get(key)
    if there is None:
        index[key] = seen
    elif isinstance(there, list):
        there.append(seen)
    else:
        index[key] = [there, seen]
    return there is None


def _extended(register: bytes) -> bytes | None:
    return None if pcr.is_zero(register) else register


def _group(members: Iterable[Seen]) -> Group:
    members = list(members)
    return Group(
        documents=len(members),
        enclaves=len({seen.enclave for seen in members}),
        instances=len({seen.enclave.instance_id for seen in members if seen.enclave.instance_id}),
        images=len({seen.registers.image for seen in members if not seen.registers.image.debug}),
        debug=sum(seen.registers.image.debug for seen in members),
        first=min(seen.time for seen in members),
        last=max(seen.time for seen in members),
    )
