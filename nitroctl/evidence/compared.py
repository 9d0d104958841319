"""Two documents side by side: which differences are those of one enclave's next document, and which are not.

From one document of an enclave to its next the time, the nonce, the certificates below the root (a leaf lasts three
hours, an instance's authority a day, a zone's a week or so) and the signature change. Whatever else differs says that
something else was attested. Nothing here says that either document is authentic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nitroctl import pcr
from nitroctl.evidence.certificate import Certificate
from nitroctl.evidence.chain import role
from nitroctl.evidence.cose import Envelope
from nitroctl.evidence.derived import TPM_MEANINGS, Derived, derive
from nitroctl.evidence.document import Document, Kind


class Relation(StrEnum):
    """How the two documents stand to each other."""

    SAME_DOCUMENT = "same-document"
    SAME_PAYLOAD = "same-payload"
    SAME_MODULE = "same-module"
    SAME_INSTANCE = "same-instance"
    OTHER_INSTANCE = "other-instance"
    UNKNOWN_INSTANCE = "unknown-instance"
    OTHER_KIND = "other-kind"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its CBOR, its envelope, what it says, and its certificates (empty when one cannot be read)."""

    data: bytes
    envelope: Envelope
    document: Document
    links: tuple[Certificate, ...]

    @property
    def derived(self) -> Derived:
        """What its names and numbers tell."""
        return derive(self.document, self.links)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two values of one thing; None where a document does not have it. ``usual``: it changes from one to the next."""

    key: str
    label: str
    first: str | None
    second: str | None
    usual: bool = False


@dataclass(frozen=True, slots=True)
class TimePair:
    """Two instants of one thing, the second minus the first being ``apart``; None where one is not known."""

    key: str
    label: str
    first: datetime | None
    second: datetime | None

    @property
    def apart(self) -> timedelta | None:
        """How much later the second is; negative when it is earlier."""
        return self.second - self.first if self.first and self.second else None


@dataclass(frozen=True, slots=True)
class LinkPair:
    """The certificates at one place of the two chains: the same, renewed (the same name), or another's."""

    role: str
    relation: str
    first: Certificate | None
    second: Certificate | None


@dataclass(frozen=True, slots=True)
class RegisterPair:
    """A register that differs, and what it stands for; None where a document does not have it."""

    index: int
    meaning: str
    first: bytes | None
    second: bytes | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What differs. ``kind``: the first document's. ``apart``: how much later the second document is.

    ``registers``: None when the documents are of two kinds, whose registers mean other things.
    """

    kind: Kind
    relation: Relation
    apart: timedelta
    identity: tuple[Pair, ...]
    registers: tuple[RegisterPair, ...] | None
    times: tuple[TimePair, ...]
    links: tuple[LinkPair, ...]
    contents: tuple[Pair, ...]
    form: tuple[Pair, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs but what changes from one document of an enclave to its next."""
        others = (*self.identity, *self.contents)
        return self.registers == () and all(pair.usual for pair in others) and self._same_root

    @property
    def _same_root(self) -> bool:
        return self.links[0].relation == "same"


def compare(first: Side, second: Side) -> Compared:
    """Return what differs between two documents."""
    one, two = first.document, second.document
    registers = None
    if one.kind is two.kind:
        indexes = sorted(set(one.pcrs) | set(two.pcrs))
        registers = tuple(
            RegisterPair(index, _meaning(one.kind, index), one.pcrs.get(index), two.pcrs.get(index))
            for index in indexes
            if one.pcrs.get(index) != two.pcrs.get(index)
        )
    return Compared(
        kind=one.kind,
        relation=_relation(first, second),
        apart=two.time - one.time,
        identity=_differing(_identity(first), _identity(second)),
        registers=registers,
        times=_times(first, second),
        links=_links(first, second),
        contents=_differing(_contents(one), _contents(two), usual=("nonce",)),
        form=_differing(_form(first), _form(second), usual=("signature", "form")),
    )


def _meaning(kind: Kind, index: int) -> str:
    return pcr.meaning(index) if kind is Kind.ENCLAVE else TPM_MEANINGS.get(index, "not used")


def _relation(first: Side, second: Side) -> Relation:
    one, two = first.document, second.document
    if first.data == second.data:
        return Relation.SAME_DOCUMENT
    if first.envelope.payload == second.envelope.payload:
        return Relation.SAME_PAYLOAD
    if one.kind is not two.kind:
        return Relation.OTHER_KIND
    if one.module_id == two.module_id:
        return Relation.SAME_MODULE
    here, there = _instance(first), _instance(second)
    if not here or not there:
        return Relation.UNKNOWN_INSTANCE
    return Relation.SAME_INSTANCE if here == there else Relation.OTHER_INSTANCE


def _instance(side: Side) -> str | None:
    """Return the instance that the module id names, else the one that its authority's certificate names."""
    return side.derived.instance_id or side.derived.instance_name


_Named = Sequence[tuple[str, str, str | None]]


def _differing(first: _Named, second: _Named, usual: Sequence[str] = ()) -> tuple[Pair, ...]:
    pairs = zip(first, second, strict=True)
    return tuple(Pair(key, label, one, two, key in usual) for (key, label, one), (_, _, two) in pairs if one != two)


def _identity(side: Side) -> _Named:
    document, derived = side.document, side.derived
    return (
        ("kind", "kind", document.kind.value),
        ("module_id", "module id", document.module_id),
        ("instance_id", "instance id", derived.instance_id),
        ("enclave_id", "enclave id", derived.enclave_id),
        ("region", "region", derived.region),
    )


def _contents(document: Document) -> _Named:
    fields = (
        ("nonce", "nonce", document.nonce),
        ("user_data", "user data", document.user_data),
        ("public_key", "public key", document.public_key),
    )
    return tuple((key, label, content.hex() if content is not None else None) for key, label, content in fields)


def _form(side: Side) -> _Named:
    open_map = side.envelope.payload[:1] == b"\xbf"
    tag = "tag 18" if side.data[:1] == b"\xd2" else "no tag"
    return (
        ("signature", "signature", side.envelope.signature.hex()),
        ("form", "encoding", f"{tag}, payload map of {'indefinite' if open_map else 'definite'} length"),
    )


def _times(first: Side, second: Side) -> tuple[TimePair, ...]:
    one, two = first.derived, second.derived
    leaves = [side.links[-1] if side.links else None for side in (first, second)]
    ends = [leaf.not_after if leaf else None for leaf in leaves]
    pairs = [
        TimePair("launched", "enclave launched", one.launched, two.launched),
        TimePair("leaf_issued", "leaf issued", one.issued, two.issued),
        TimePair("document", "document", first.document.time, second.document.time),
        TimePair("leaf_expires", "leaf expires", ends[0], ends[1]),
    ]
    return tuple(pair for pair in pairs if pair.key == "document" or pair.first != pair.second)


def _links(first: Side, second: Side) -> tuple[LinkPair, ...]:
    """Compare the chains place by place; the root alone when a certificate cannot be read."""
    one_chain, two_chain = first.links, second.links
    if not one_chain or not two_chain:
        same_root = first.document.cabundle[0] == second.document.cabundle[0]
        return (LinkPair("root", "same" if same_root else "other", None, None),)
    count = max(len(one_chain), len(two_chain))
    found = []
    for number in range(count):
        one = one_chain[number] if number < len(one_chain) else None
        two = two_chain[number] if number < len(two_chain) else None
        found.append(LinkPair(role(number, count), _link_relation(one, two), one, two))
    return tuple(found)


def _link_relation(one: Certificate | None, two: Certificate | None) -> str:
    if one is None or two is None:
        return "other"
    if one.der == two.der:
        return "same"
    return "renewed" if one.subject == two.subject else "other"


def subject(compared: Compared) -> str:
    """Return whose two documents these are, in a few words."""
    if compared.relation is Relation.SAME_MODULE:
        return "same enclave" if compared.kind is Kind.ENCLAVE else "same instance"
    return {
        Relation.SAME_DOCUMENT: "the same document, byte for byte",
        Relation.SAME_PAYLOAD: "the same payload in another envelope",
        Relation.SAME_INSTANCE: "another enclave on the same instance",
        Relation.OTHER_INSTANCE: "another instance",
        Relation.UNKNOWN_INSTANCE: "another module, and whether on the same instance is not told",
        Relation.OTHER_KIND: "a document of the other kind, whose registers mean other things",
    }[compared.relation]
