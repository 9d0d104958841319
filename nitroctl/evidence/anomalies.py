"""What stands out in a heap of authentic documents, with what it may mean and what it does not.

An anomaly is a reason to look, never a verdict: every document here is authentic. One finding is one subject (a nonce,
an enclave, a certificate) with the documents concerned.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from nitroctl import pcr
from nitroctl.checks import Check, Outcome
from nitroctl.evidence.chain import instant
from nitroctl.evidence.document import Kind
from nitroctl.evidence.survey import Enclave, Leaf, Seen, Survey

#: A leaf's time of issue is a whole second, a document's time has milliseconds.
_SECOND: Final = timedelta(seconds=1)
#: The order n of the P-384 group (SEC 2): where the signature (r, s) holds, (r, n less s) holds too.
_ORDER: Final = int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One kind of anomaly. ``title``: true when there is none. ``meaning``: what it may mean and what it does not.

    ``name``: what it is, for a heading.
    ``needs_ledger``: whether it can only be seen against recorded measurements.
    """

    id: str
    name: str
    title: str
    meaning: str
    needs_ledger: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One anomaly of one subject. ``detail``: what was found. ``documents``: those concerned, by time."""

    anomaly: Anomaly
    subject: str
    detail: str
    documents: tuple[Seen, ...]


NONCE_REUSED: Final = Anomaly(
    "survey.nonce-reused",
    "one nonce in several documents",
    "no nonce stands in two documents",
    "It may be one answer made to serve two requests, or a verifier that always sends the same nonce, which then "
    "proves no freshness; it does not mean that a document is forged.",
)
LEAF_REUSED: Final = Anomaly(
    "survey.leaf-reused",
    "one leaf certificate for several enclaves",
    "every leaf certificate belongs to one module id",
    "It may be that AWS has changed how it issues these certificates, or that one enclave's documents were signed with "
    "another's; it does not mean that a signature is wrong, for they all hold.",
)
CLOCK_JUMP: Final = Anomaly(
    "survey.clock-jump",
    "time that runs backward",
    "time runs forward through every enclave's certificates",
    "It may be that the clock behind the documents or the certificates was set, or that AWS now issues certificates "
    "that overlap; it does not show which of the times is wrong.",
)
PCR4: Final = Anomaly(
    "survey.pcr4",
    "PCR4 of another instance",
    "PCR4 is made from the instance id in the module id",
    "It may be that AWS has changed what PCR4 holds, or that module id and registers are of two instances; it does not "
    "mean that another image runs, which PCR4 does not cover.",
)
MODULE_CHANGED_IMAGE: Final = Anomaly(
    "survey.module-changed-image",
    "an enclave with several images",
    "every enclave attests one image",
    "It may be that two launches had one id, or that registers which are locked at launch have changed; it does not "
    "show which of the images is the wanted one.",
)
INSTANCE_CHANGED_REGION: Final = Anomaly(
    "survey.instance-changed-region",
    "an instance in several regions",
    "every instance stays in its region",
    "It may be that two instances have one id, or that a name in a certificate is wrong, for instances do not move; it "
    "does not show in which region it ran.",
)
DUPLICATE: Final = Anomaly(
    "survey.duplicate",
    "a document that is here twice",
    "no document is here twice",
    "It may be one capture stored twice, or a document played again; a copy under another signature or file hash is "
    "not a second attestation, for anybody can turn one ECDSA signature into another.",
)
DEBUG: Final = Anomaly(
    "survey.debug",
    "debug mode",
    "no enclave runs in debug mode",
    "It may be a trial, or a service whose console the parent can read; it does not say which image ran, wanted or "
    "not, because debug mode zeroes the image's registers.",
)
REVOKED_RECORD: Final = Anomaly(
    "survey.revoked-record",
    "an image that was revoked",
    "no document is of a revoked image",
    "It may be that a version that was withdrawn still runs, or ran before it was withdrawn; it does not mean that the "
    "document is old, which only its time and the record's show.",
    needs_ledger=True,
)
UNKNOWN_IMAGE: Final = Anomaly(
    "survey.unknown-image",
    "an image that is not recorded",
    "every image is recorded",
    "It may be an image that was never recorded, a build that is not reproducible, or somebody else's enclave; it does "
    "not mean that the image is harmful.",
    needs_ledger=True,
)
#: In the order of the answer.
ANOMALIES: Final = (
    NONCE_REUSED,
    LEAF_REUSED,
    CLOCK_JUMP,
    PCR4,
    MODULE_CHANGED_IMAGE,
    INSTANCE_CHANGED_REGION,
    DUPLICATE,
    REVOKED_RECORD,
    UNKNOWN_IMAGE,
    DEBUG,
)
REFUSED: Final = "survey.refused"
_SOURCE: Final = "nitroctl: comparison of documents with each other"


def find(survey: Survey) -> list[Finding]:
    """Return every finding, in the order of :data:`ANOMALIES`, within one kind by the time of the first document."""
    found = [
        *_nonces(survey),
        *_leaves(survey),
        *_clocks(survey),
        *_enclaves(survey),
        *_regions(survey),
        *_duplicates(survey),
        *_records(survey),
    ]
    return sorted(found, key=lambda finding: (ANOMALIES.index(finding.anomaly), finding.documents[0].time))


def checks(findings: Sequence[Finding], *, ledger: bool, refused: int, required: bool) -> list[Check]:
    """Return one check for each kind of anomaly, and one for refused documents.

    ``ledger``: whether there were recorded measurements. ``required``: whether a finding fails or warns.
    """
    bad = Outcome.FAIL if required else Outcome.WARN
    made = [_check(anomaly, findings, bad, ledger=ledger) for anomaly in ANOMALIES]
    return [
        Check(
            id=REFUSED,
            title="every document is authentic",
            outcome=bad if refused else Outcome.PASS,
            detail=f"{_count(refused, 'document')} refused, and of no account in the rest" if refused else "",
            remedy="nitroctl attest verify FILE --at document --authenticity-only says why" if refused else None,
            required=required,
        ),
        *made,
    ]


def _check(anomaly: Anomaly, findings: Sequence[Finding], bad: Outcome, *, ledger: bool) -> Check:
    mine = [finding for finding in findings if finding.anomaly is anomaly]
    required = bad is Outcome.FAIL
    if anomaly.needs_ledger and not ledger:
        return Check(
            id=anomaly.id,
            title=anomaly.title,
            outcome=Outcome.SKIP,
            detail="not checked: not requested (--records)",
            required=False,
        )
    if not mine:
        return Check(id=anomaly.id, title=anomaly.title, outcome=Outcome.PASS, required=required, source=_SOURCE)
    documents = len({seen for finding in mine for seen in finding.documents})
    many = f"{len(mine)} findings in {_count(documents, 'document')}"
    return Check(
        id=anomaly.id,
        title=anomaly.title,
        outcome=bad,
        detail=f"{mine[0].detail if len(mine) == 1 else many}. {anomaly.meaning}",
        required=required,
        source=_SOURCE,
    )


def _finding(anomaly: Anomaly, subject: str, detail: str, documents: Iterable[Seen]) -> Finding:
    ordered = sorted(documents, key=lambda seen: (seen.time, seen.name))
    return Finding(anomaly, subject, detail, tuple(ordered))


def _nonces(survey: Survey) -> Iterator[Finding]:
    for digest, members in survey.repeated(survey.nonces).items():
        enclaves = len({seen.enclave for seen in members})
        detail = f"one nonce in {len(members)} documents of {_count(enclaves, 'enclave')}"
        yield _finding(NONCE_REUSED, f"nonce with SHA-256 {digest.hex()}", detail, members)


def _leaves(survey: Survey) -> Iterator[Finding]:
    shared: dict[Leaf, list[Seen]] = {
        seen.leaf: [] for seen in survey.documents if seen.enclave is not seen.leaf.enclave
    }
    for seen in survey.documents if shared else ():
        if seen.leaf in shared:
            shared[seen.leaf].append(seen)
    for leaf, members in shared.items():
        modules = len({seen.enclave for seen in members})
        subject = f"leaf certificate with SHA-256 {leaf.fingerprint.hex()}"
        yield _finding(LEAF_REUSED, subject, f"one leaf certificate signs for {modules} module ids", members)


def _clocks(survey: Survey) -> Iterator[Finding]:
    for enclave in survey.enclaves.values():
        early = [seen for seen in enclave.documents if seen.time < seen.leaf.issued]
        if early:
            yield _finding(
                CLOCK_JUMP,
                enclave.module_id,
                f"a document says {instant(early[0].time)}, before its leaf was issued at "
                f"{instant(early[0].leaf.issued)}",
                early,
            )
        yield from _overtaken(enclave)


def _overtaken(enclave: Enclave) -> Iterator[Finding]:
    """Find documents under one leaf that are later than the issue of the enclave's next leaf."""
    issues = sorted({seen.leaf.issued for seen in enclave.documents})
    following = dict(itertools.pairwise(issues))
    late = [
        (seen, after)
        for seen in enclave.documents
        if (after := following.get(seen.leaf.issued)) and seen.time - after >= _SECOND
    ]
    if late:
        seen, after = late[0]
        detail = (
            f"a document of {instant(seen.time)} is signed under the leaf of {instant(seen.leaf.issued)}, although a "
            f"newer one was issued at {instant(after)}"
        )
        newer = {issued for _, issued in late}
        concerned = {one for one, _ in late} | {other for other in enclave.documents if other.leaf.issued in newer}
        yield _finding(CLOCK_JUMP, enclave.module_id, detail, concerned)


def _enclaves(survey: Survey) -> Iterator[Finding]:
    for enclave in survey.enclaves.values():
        wrong = [seen for seen in enclave.documents if seen.registers.instance_holds is False]
        if wrong:
            detail = f"PCR4 is not SHA-384(48 zero bytes ‖ {enclave.instance_id})"
            yield _finding(PCR4, enclave.module_id, detail, wrong)
        images = {seen.registers.image for seen in enclave.documents}
        if enclave.kind is Kind.ENCLAVE and len(images) > 1:
            detail = f"one enclave attests {len(images)} different images"
            yield _finding(MODULE_CHANGED_IMAGE, enclave.module_id, detail, enclave.documents)
        debug = [seen for seen in enclave.documents if seen.registers.image.debug]
        if debug:
            yield _finding(DEBUG, enclave.module_id, "PCR0, PCR1 or PCR2 is zero", debug)


def _regions(survey: Survey) -> Iterator[Finding]:
    by_instance: dict[str, list[Seen]] = {}
    for seen in survey.documents:
        if seen.enclave.instance_id and seen.region:
            by_instance.setdefault(seen.enclave.instance_id, []).append(seen)
    for instance_id, members in by_instance.items():
        regions = sorted({str(seen.region) for seen in members})
        if len(regions) > 1:
            detail = f"the certificates of one instance name {' and '.join(regions)}"
            yield _finding(INSTANCE_CHANGED_REGION, instance_id, detail, members)


def _duplicates(survey: Survey) -> Iterator[Finding]:
    for digest, members in survey.repeated(survey.payloads).items():
        signatures = {seen.signature for seen in members}
        detail = f"{len(members)} documents hold one signed payload, {_alike(signatures)}"
        yield _finding(DUPLICATE, f"payload with SHA-256 {digest.hex()}", detail, members)


def _alike(signatures: set[bytes]) -> str:
    """Say how the signatures over one payload differ."""
    if len(signatures) == 1:
        return "under the same signature"
    if len({_folded(signature) for signature in signatures}) == 1:
        return "under a signature r ‖ s and its double r ‖ n − s, which anybody can make"
    return f"under {len(signatures)} signatures made one by one"


def _folded(signature: bytes) -> tuple[bytes, int]:
    """Return r, and the lower of s and n less s: the same for a signature and its double."""
    half = len(signature) // 2
    s = int.from_bytes(signature[half:])
    return signature[:half], min(s, _ORDER - s)


def _records(survey: Survey) -> Iterator[Finding]:
    if survey.ledger is None:
        return
    revoked: dict[str, list[Seen]] = {}
    unknown: dict[str, list[Seen]] = {}
    for seen in survey.documents:
        image = seen.registers.image
        for entry in seen.registers.records:
            if entry.status.value == "revoked":
                revoked.setdefault(f"{entry.id}, revoked at {instant(entry.since)}", []).append(seen)
        if not seen.registers.records and not image.debug:
            names = "; ".join(f"{pcr.name(index)} {value.hex()}" for index, value in image.pcrs.items())
            unknown.setdefault(f"{image.kind.value} image {names}", []).append(seen)
    for subject, members in revoked.items():
        yield _finding(REVOKED_RECORD, subject, "the registers are those of a revoked record", members)
    for subject, members in unknown.items():
        yield _finding(UNKNOWN_IMAGE, subject, "no record has these registers", members)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
