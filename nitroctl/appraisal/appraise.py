"""Hold a document against a policy. Evidence that is not authentic is not appraised: every check says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from nitroctl import pcr
from nitroctl.appraisal.policy import IMAGE_REGISTERS, Names, Policy, ReferenceValues
from nitroctl.checks import Check, Report, not_requested
from nitroctl.evidence.chain import Chain, instant
from nitroctl.evidence.derived import TPM_MEANINGS
from nitroctl.evidence.document import Document, Kind
from nitroctl.evidence.registers import unlocked
from nitroctl.evidence.roots import Root
from nitroctl.evidence.rules import Rule, all_blocked

if TYPE_CHECKING:
    from nitroctl.appraisal.requirements import OfOrigin, OfRegisters

_GUIDE: Final = "Nitro Enclaves user guide"
_TPM_GUIDE: Final = "EC2 user guide, NitroTPM PCR measurements"
KIND: Final = Rule("appraisal.kind", "the document is of the kind the policy is for", "appraisal policy")
PARTITION: Final = Rule("appraisal.partition", "the root belongs to a wanted partition", "appraisal policy")
DEBUG: Final = Rule(
    "appraisal.debug", "the enclave does not run in debug mode", f"{_GUIDE}: PCR0 to PCR2 are zero then"
)
MATCH: Final = Rule("measurement.match", "all registers equal those of one accepted record", "appraisal policy")
NOT_REVOKED: Final = Rule("records.not-revoked", "no revoked record has the same image", "appraisal policy")
IMAGE: Final = Rule(
    "measurement.image", "the record says which image it is", f"{_GUIDE}: PCR0 covers the whole image; {_TPM_GUIDE}"
)
NONCE: Final = Rule("freshness.nonce", "the nonce is the one that was asked for", "RFC 9334, 10.1")
FUTURE: Final = Rule("freshness.future", "the document is not from the future", "RFC 9334, 10.1")
AGE: Final = Rule("freshness.age", "the document is not older than wanted", "RFC 9334, 10.1")
_GIVE_NONCE: Final = "give the nonce that was asked for: --nonce"
REGISTERS: Final = {
    kind: tuple(
        Rule(f"measurement.pcr{index}", f"{pcr.name(index)} is the recorded one", f"{guide}: {meaning(index)}")
        for index in range(32)
    )
    for kind, guide, meaning in (
        (Kind.ENCLAVE, _GUIDE, pcr.meaning),
        (Kind.NITROTPM, _TPM_GUIDE, lambda index: TPM_MEANINGS.get(index, "not used")),
    )
}
_UNNAMED: Final = {
    Kind.ENCLAVE: (
        "neither PCR0, PCR8 nor both of PCR1 and PCR2 are compared, so other images than the recorded one pass"
    ),
    Kind.NITROTPM: (
        "neither PCR4 with PCR12 nor PCR7 of Secure Boot is compared, so other images, or another command line, pass"
    ),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The reference values that match, or the nearest that do not: which registers are equal and which differ.

    ``kind``: whose registers they are. ``standing``: empty when the set may accept, else why not (``retired``).
    """

    kind: Kind
    reference: ReferenceValues
    standing: str
    equal: tuple[int, ...]
    differing: tuple[int, ...]

    @property
    def accepts(self) -> bool:
        """Whether the set may accept and every one of its registers is equal."""
        return not self.standing and not self.differing

    @property
    def names(self) -> Names:
        """What the set names."""
        return self.reference.names(self.kind)

    @property
    def sentence(self) -> str:
        """What was found, for a report."""
        label = self.reference.label
        names = listed(self.differing)
        count = len(self.equal) + len(self.differing)
        what = "a candidate" if self.standing == "candidate" else self.standing
        standing = f", which is {what}" if what else ""
        if not self.differing:
            how = f"all {count} registers equal those" if count > 1 else f"{pcr.name(self.equal[0])} equals that"
            return f"{how} of {label}{standing}"
        verb = "differs" if len(self.differing) == 1 else "differ"
        if not self.equal:
            return f"{names} {verb} from {label}{standing}"
        return f"{len(self.equal)} of {count} registers equal those of {label}{standing}; {names} {verb}"


@dataclass(frozen=True, slots=True)
class Appraised:
    """Every check, and the reference values that decided. Only ``report.passed`` says acceptable."""

    report: Report
    comparison: Comparison | None = None


def compare(pcrs: Mapping[int, bytes], policy: Policy) -> Comparison | None:
    """Return the accepted set that matches, else the nearest set of all; None when several are equally far.

    Nearest: most equal registers, then fewest that differ, then sets that may accept before others, which is the order
    they are looked at. The PCR2 of an image without an application ramdisk is everybody's and makes no two images near.
    """
    every = [(reference, "") for reference in policy.accepted] + list(policy.known)
    found = []
    for reference, standing in every:
        differing = reference.differing(pcrs)
        equal = tuple(index for index in sorted(reference.pcrs) if index not in differing)
        found.append(Comparison(policy.kind, reference, standing, equal, differing))
    accepting = [comparison for comparison in found if comparison.accepts]
    if accepting:
        return max(accepting, key=lambda comparison: len(comparison.equal))
    nearest = min(found, key=_distance, default=None)
    return nearest if nearest and (len(found) == 1 or _telling(nearest)) else None


def _distance(item: Comparison) -> tuple[bool, int, int]:
    return bool(item.differing), -_telling(item), len(item.differing)


def _telling(item: Comparison) -> int:
    return sum(item.reference.pcrs[index] != pcr.EMPTY_PCR2 for index in item.equal)


def appraise(
    authentic: Report,
    document: Document | None,
    chain: Chain,
    policy: Policy,
    *,
    at: datetime | None,
) -> Appraised:
    """Judge whether ``document``, which :func:`nitroctl.evidence.verify.verify` reported ``authentic``, is acceptable.

    ``chain``: as it was walked for that. ``at``: the instant asked, aware; None for the document's own time, at which
    it has no age: then a policy that limits the age accepts nothing.
    """
    registers, origin = _requirements(policy)
    about_registers, about_origin = tuple(rule for rule, _ in registers), tuple(rule for rule, _ in origin)
    of_kind = (DEBUG,) if policy.kind is Kind.ENCLAVE else ()  # no other has a debug mode
    if document is None or chain.root is None or not authentic.passed:
        blocker = authentic.refusals[0].id if authentic.refusals else "evidence"
        every = (KIND, *of_kind, MATCH, *about_registers, *about_origin, NONCE, FUTURE, AGE)
        return Appraised(Report.of(all_blocked(every, blocker)))
    kind = _kind(document, policy)
    comparison = None
    if document.kind is policy.kind:
        comparison = compare(document.pcrs, policy)
        measured = [
            *(_debug(document, policy) for _ in of_kind),
            *_measurements(document, policy, comparison),
            *(judge(document) for _, judge in registers),
        ]
    else:  # registers of another kind mean other things: they are not compared
        measured = all_blocked((*of_kind, MATCH, *about_registers), kind.id)
    checks = [
        kind,
        *_partition(chain.root, policy),
        *measured,
        *(judge(document, chain.certificates) for _, judge in origin),
        *_fresh(document, policy, at),
    ]
    return Appraised(Report.of(checks), comparison)


def _requirements(policy: Policy) -> "tuple[list[OfRegisters], list[OfOrigin]]":
    if not policy.requires_more:
        return [], []
    from nitroctl.appraisal import requirements  # noqa: PLC0415  (start-up: only a policy file or a flag asks for them)

    return requirements.of_registers(policy), requirements.of_origin(policy)


def debug_registers(document: Document) -> tuple[int, ...]:
    """Return the image registers that are zero or absent: any of them means debug mode, or nothing measured."""
    if document.kind is not Kind.ENCLAVE:
        return ()
    return tuple(index for index in IMAGE_REGISTERS if pcr.is_zero(document.pcrs.get(index, pcr.ZERO)))


def said_of_debug(document: Document, zero: Sequence[int]) -> str:
    """Return what it means that these of its image registers are zero or absent."""
    absent = _absent(document)
    if absent:
        return f"{listed(absent)} {_is(absent)} not in the document, as in no enclave's: no image is attested"
    mode = "the enclave runs in debug mode, so its console is open and no image is attested"
    return f"{listed(zero)} {_is(zero)} zero: {mode}"


def _absent(document: Document) -> tuple[int, ...]:
    return tuple(index for index in IMAGE_REGISTERS if index not in document.pcrs)


def _is(indexes: Sequence[int]) -> str:
    return "is" if len(indexes) == 1 else "are"


def _kind(document: Document, policy: Policy) -> Check:
    if document.kind is policy.kind:
        return KIND.passed(f"{document.kind.value} document")
    return KIND.failed(
        f"it is a {document.kind.value} document, whose registers mean other things",
        expected=policy.kind.value,
        actual=document.kind.value,
    )


def _partition(root: Root, policy: Policy) -> list[Check]:
    if policy.partitions is None:
        return []
    if root.partition in policy.partitions:
        return [PARTITION.passed(str(root.partition))]
    wanted, actual = ", ".join(sorted(policy.partitions)), root.partition or f"none: {root.name}"
    return [PARTITION.failed("the root belongs to another partition", expected=wanted, actual=actual)]


def _debug(document: Document, policy: Policy) -> Check:
    zero = debug_registers(document)
    if not zero:
        return DEBUG.passed()
    detail = said_of_debug(document, zero)
    if _absent(document):
        return DEBUG.failed(detail, remedy="find out what made the document: an enclave's has PCR0 to PCR15")
    if policy.allow_debug:
        written = policy.source is not None and "debug" not in policy.source.overridden
        return DEBUG.warned(f"{detail}; allowed by {'the policy' if written else '--allow-debug'}")
    return DEBUG.failed(detail, remedy="run the enclave without --debug-mode and without --attach-console")


def _measurements(document: Document, policy: Policy, comparison: Comparison | None) -> list[Check]:
    remedy = "if this image is wanted, record it as active; if not, find out who runs it"
    if debug_registers(document):
        remedy = "in debug mode PCR0 to PCR2 are zero whatever runs: no record of an image can match"
    if comparison is None:
        count = len(policy.accepted) + len(policy.known)
        none = "the policy has no reference values, so nothing is acceptable"
        return [MATCH.failed(f"no register equals that of any of {count} records" if count else none, remedy=remedy)]
    found = comparison.sentence
    match = MATCH.passed(found) if comparison.accepts else MATCH.failed(found, remedy=remedy)
    checks = [match, *_revoked(document, policy, comparison)]
    for index in sorted(comparison.reference.pcrs):
        expected, actual = comparison.reference.pcrs[index], document.pcrs.get(index)
        if actual == expected:
            checks.append(REGISTERS[policy.kind][index].passed())
            continue
        checks.append(
            REGISTERS[policy.kind][index].failed(
                "the register differs" if actual else f"the document does not have it{unlocked(policy.kind, index)}",
                expected=expected.hex(),
                actual=actual.hex() if actual is not None else None,
            )
        )
    if comparison.names is Names.NOTHING:
        checks.append(IMAGE.warned(_UNNAMED[policy.kind]))
    return checks


def _revoked(document: Document, policy: Policy, comparison: Comparison) -> list[Check]:
    """Return a refusal when a revoked set matches too: an active record of another name does not undo that."""
    if not comparison.accepts:
        return []
    revoked = [
        reference.label
        for reference, standing in policy.known
        if standing == "revoked" and not reference.differing(document.pcrs)
    ]
    if not revoked:
        return []
    return [
        NOT_REVOKED.failed(
            f"the same image is {', '.join(revoked)}, which was revoked",
            remedy="run another image: a revocation is not taken back",
        )
    ]


def _fresh(document: Document, policy: Policy, at: datetime | None) -> list[Check]:
    return [_nonce(document, policy), _future(document, policy, at), _age(document, policy, at)]


def _nonce(document: Document, policy: Policy) -> Check:
    if policy.nonce is None:
        if policy.nonce_required:
            return NONCE.failed("the policy requires a nonce, and none was given to compare with", remedy=_GIVE_NONCE)
        return not_requested(NONCE.id, NONCE.title, "--nonce")
    if document.nonce == policy.nonce:
        return NONCE.passed()
    return NONCE.failed(
        "the document has another nonce" if document.nonce is not None else "the document has no nonce",
        expected=policy.nonce.hex(),
        actual=document.nonce.hex() if document.nonce is not None else None,
        remedy="it answers another request, or is an old document played again",
    )


def _future(document: Document, policy: Policy, at: datetime | None) -> Check:
    if at is None:
        return FUTURE.unknown("at its own time no document is from the future")
    if document.time - at > policy.clock_skew:
        return FUTURE.failed(
            "the document's time is after the instant asked", expected=instant(at), actual=instant(document.time)
        )
    return FUTURE.passed()


def _age(document: Document, policy: Policy, at: datetime | None) -> Check:
    if policy.max_age is None:
        return not_requested(AGE.id, AGE.title, "--max-age")
    if at is None:
        return AGE.failed("at its own time a document has no age", remedy="name the instant at which it was received")
    age = at - document.time
    if age <= policy.max_age:
        return AGE.passed(f"{duration(age)} old")
    return AGE.failed(
        f"the document is {duration(age)} old",
        expected=f"at most {duration(policy.max_age)}",
        actual=duration(age),
        remedy="ask the enclave for a new document",
    )


def listed(indexes: Sequence[int]) -> str:
    """Return registers' names as a phrase: ``PCR0, PCR1 and PCR2``."""
    names = [pcr.name(index) for index in indexes]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def duration(span: timedelta) -> str:
    """Return a time span in its two largest units: ``3 h 20 min``, ``45 s``; a negative one as ``0 s``."""
    seconds = max(0, int(span.total_seconds()))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for unit, size in units:
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2]) or "0 s"
