"""One judge for many documents: authentic at an instant, and acceptable under a policy; the answer as a sentence.

A :class:`Judge` holds all that does not depend on the document and can be handed to another process. It keeps nothing
between documents: the same bytes get the same judgement, whatever was judged before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nitroctl import pcr
from nitroctl.appraisal import facts
from nitroctl.appraisal.appraise import Appraised, appraise, debug_registers
from nitroctl.appraisal.policy import Policy, Source
from nitroctl.checks import Check, Outcome, Report
from nitroctl.evidence import document as documents
from nitroctl.evidence.chain import instant
from nitroctl.evidence.document import Parsed
from nitroctl.evidence.roots import AWS_ROOTS, Root
from nitroctl.evidence.verify import Verified, verify

#: Handed on when the document's own time was asked for and there is no document: nothing is judged then.
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_WORDS: Final = {"now": "now", "document": "document time", "given": "as asked"}
_OF_TIME: Final = ("chain.begun", "chain.unexpired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What to judge by.

    ``roots``: the only accepted ones. ``policy``: None for authenticity only. ``at``: aware; None for each document's
    own time. ``chosen``: how the instant came about: ``now``, ``document`` or ``given``. ``strict``: hold to AWS's
    published text where AWS itself departs from it. ``crls``: revocation lists in DER.
    """

    roots: tuple[Root, ...] = AWS_ROOTS
    policy: Policy | None = None
    at: datetime | None = None
    chosen: str = "document"
    strict: bool = False
    crls: tuple[bytes, ...] = ()

    @property
    def source(self) -> Source | None:
        """The policy file that is applied, None when only options said what is required."""
        return self.policy.source if self.policy is not None else None

    def judge(self, cbor: bytes) -> "Judgement":
        """Judge the document ``cbor``. Never raises for bad content: that is an answer."""
        parsed = documents.parse(cbor, strict=self.strict)
        at = self.at or (parsed.document.time if parsed.document else None)
        verified = verify(parsed, self.roots, at=at or _NEVER, crls=self.crls)
        appraised = None
        if self.policy is not None:
            appraised = appraise(verified.report, parsed.document, verified.chain, self.policy, at=self.at)
        return Judgement(self, parsed, verified, appraised, at)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One document judged. ``appraised``: None when the judge has no policy. ``at``: None when there was no instant."""

    by: Judge
    parsed: Parsed
    verified: Verified
    appraised: Appraised | None
    at: datetime | None

    @property
    def report(self) -> Report:
        """Every check that was made, and those that were not with the reason."""
        return self.verified.report + self.appraised.report if self.appraised else self.verified.report

    @property
    def passed(self) -> bool:
        """Whether it is authentic and, when a policy was given, acceptable."""
        return self.report.passed

    @property
    def root(self) -> Root | None:
        """The accepted root the bundle begins with."""
        return self.verified.chain.root

    @property
    def sentence(self) -> str:
        """The answer in one line."""
        when = f"as of {instant(self.at)} ({_WORDS[self.by.chosen]})" if self.at else "at any time"
        if not self.verified.report.passed:
            return f"refused: not authentic {when}: {reason(self.verified.report)}"
        authentic = "authentic"
        if self.root and not self.root.aws:
            authentic = f"authentic under {self.root.name} (not an AWS root, accepted because --root names it)"
        if self.appraised is None:
            return f"{authentic}, not appraised, {when}"
        if self.appraised.report.passed:
            return f"{authentic} and acceptable {when}"
        return f"refused: {authentic} {when}, but not acceptable: {reason(self.appraised.report)}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a responder should know beside the answer."""
        document, policy = self.parsed.document, self.by.policy
        notes = []
        if self.verified.only_expired:
            notes.append(
                "nothing but time stands against it: its certificates last three hours. Judge it with --at document; "
                "that proves that it was signed then, not that it is fresh"
            )
        if self.appraised and self.appraised.report.passed and policy and policy.nonce is None:
            notes.append("it may be an old document played again: only --nonce shows that it answers this request")
        if self.appraised is None and document and debug_registers(document) and self.verified.report.passed:
            notes.append("the enclave runs in debug mode: the document does not say which image it is")
        return tuple(notes)

    def as_json(self, *, every: bool = True) -> dict[str, object]:
        """Return the members of attest.verify/1 that do not depend on its file; without ``every`` no PASS checks."""
        document, root = self.parsed.document, self.root
        return {
            "answer": self.sentence,
            "authentic": self.verified.report.passed,
            "acceptable": self.appraised.report.passed if self.appraised else None,
            "at": instant(self.at) if self.at else None,
            "at_chosen_by": self.by.chosen,
            "root": {"name": root.name, "sha256": root.fingerprint, "partition": root.partition} if root else None,
            "reference": self._reference(),
            "policy": self.by.source.as_json() if self.by.source else None,
            "document": facts.as_json(document, self.verified.chain.certificates) if document else None,
            "report": self.report.as_json(every=every),
        }

    def _reference(self) -> dict[str, object] | None:
        comparison = self.appraised.comparison if self.appraised else None
        if comparison is None:
            return None
        return {
            "label": comparison.reference.label,
            "matches": comparison.accepts,
            "status": comparison.standing or "active",
            "equal": [pcr.name(index) for index in comparison.equal],
            "differing": [pcr.name(index) for index in comparison.differing],
        }


def reason(report: Report) -> str:
    """Return the gravest refusal's sentence."""
    return gravest(report).detail


def gravest(report: Report) -> Check:
    """Return the check that refuses most; that a period is over says less than anything else."""
    failed = [check for check in report.refusals if check.outcome is Outcome.FAIL]
    return min(failed or report.refusals, key=lambda check: check.id in _OF_TIME)
