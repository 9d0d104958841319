"""What KMS makes of an attestation document before it reads a policy: a refusal, or registers.

KMS verifies signature and certificates, and their period at the time of the call: a certificate lasts three hours, so
a document that was kept is refused although nothing is wrong with it. It encrypts its answer to the document's public
key. Source: KMS API reference, RecipientInfo; KMS Developer Guide, "Cryptographic attestation support".
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from nitroctl.appraisal.judge import Judge, Judgement, gravest
from nitroctl.errors import CannotAnswer
from nitroctl.evidence.chain import instant
from nitroctl.evidence.document import Document, Kind
from nitroctl.evidence.recipient import recipient_key
from nitroctl.evidence.roots import Root
from nitroctl.kms.explain_reason import Bearing, Reason
from nitroctl.kms.request import Attested, Platform

#: What KMS answers for a document that it does not accept.
VALIDATION: Final = "ValidationException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A document as it came to KMS. ``faults``: why KMS does not take it.

    ``document``: None when it cannot be read. ``attested``: None when it was not authentic at any time. ``root``: the
    accepted root that it is under. ``begins``, ``ends``: the period in which all its certificates hold.
    """

    faults: tuple[Reason, ...]
    document: Document | None = None
    attested: Attested | None = None
    root: Root | None = None
    begins: datetime | None = None
    ends: datetime | None = None

    @property
    def authentic(self) -> bool:
        """Whether it was authentic at some time."""
        return self.attested is not None

    @property
    def lasting(self) -> bool:
        """Whether it was authentic at the time of the call."""
        return self.authentic and not any(fault.id == "explain.lifetime" for fault in self.faults)


def present(cbor: bytes, *, where: str, at: datetime, roots: tuple[Root, ...], assumed: bool = False) -> Presented:
    """Return what KMS makes of the document ``cbor`` in a call at ``at``. Never raises for bad content.

    ``assumed``: nobody said when the call was; it is taken to be made now.
    """
    judge = Judge(roots=roots, at=at)
    judged = judge.judge(cbor)
    made = judged if judged.passed else replace(judge, at=None).judge(cbor)
    document = judged.parsed.document
    if document is None or not made.passed:
        return Presented(faults=(_not_authentic(made, where),), document=document)
    links = made.verified.chain.certificates
    begins, ends = max(link.not_before for link in links), min(link.not_after for link in links)
    faults = [] if judged.passed else [_lifetime(where, at, begins, ends, assumed=assumed)]
    faults += _public_key(document, where)
    platform = Platform.ENCLAVE if document.kind is Kind.ENCLAVE else Platform.TPM
    return Presented(
        faults=tuple(faults),
        document=document,
        attested=Attested(platform=platform, pcrs=dict(document.pcrs), complete=True),
        root=made.root,
        begins=begins,
        ends=ends,
    )


def _not_authentic(judged: Judgement, where: str) -> Reason:
    check = gravest(judged.report)
    return Reason(
        id="explain.authentic",
        bearing=Bearing.DECIDES,
        said=f"{where} is not an authentic attestation document: {check.detail.removesuffix('.')}",
        do=f"send the document as the NSM returned it; nitroctl attest verify {where} --authenticity-only shows all",
    )


def _lifetime(where: str, at: datetime, begins: datetime, ends: datetime, *, assumed: bool) -> Reason:
    if at < begins:
        said = f"{where} is from later than the call: its certificates begin at {instant(begins)}"
        do = "give the time of the call with --at, or the document of that call"
    elif assumed:
        said = (
            f"{where} is out of date: its certificates ended at {instant(ends)}, and the call is taken to be made now,"
            f" at {instant(at)}"
        )
        do = "give the time of the call with --at; if it is made now, let the enclave ask the NSM for a new document"
    else:
        said = f"{where} was out of date: its certificates ended at {instant(ends)}, the call was at {instant(at)}"
        do = "let the enclave ask the NSM for a new document for each call, or give the time of the call with --at"
    return Reason(id="explain.lifetime", bearing=Bearing.DECIDES, said=said, do=do)


def _public_key(document: Document, where: str) -> list[Reason]:
    try:
        recipient_key(document.public_key)
    except CannotAnswer as error:
        said = f"{where}: {error.message}"
        return [Reason(id="explain.public-key", bearing=Bearing.DECIDES, said=said, do="; ".join(error.hints))]
    return []
