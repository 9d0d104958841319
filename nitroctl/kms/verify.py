"""What a key in AWS was found to be, held against what was wanted: its policy, its images, a proof, and probes.

A probe asks KMS itself, as one caller, for data without attestation, as a dry run. That KMS refuses is about this
caller, this encryption context and this moment; the proof is about everybody, and about the policies as they were read.
Neither stands for the other. Source: KMS Developer Guide, "Testing your permissions"; KMS API reference, DryRun.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from nitroctl.checks import Check, Outcome, Report, not_requested
from nitroctl.errors import AwsFailed, CannotAnswer, NitroctlError, UsageError
from nitroctl.kms import authorize, caller, canonical, live_named, prove
from nitroctl.kms.authorize import Policies, Verdict, Way
from nitroctl.kms.canonical import Difference
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.live import LiveKey
from nitroctl.kms.prove import Property
from nitroctl.kms.request import Request
from nitroctl.kms.trace import label
from nitroctl.kms.truth import Truth
from nitroctl.records.threeway import View

if TYPE_CHECKING:
    from nitroctl.records import Ledger

#: Operations that give data, and that can be asked for as a dry run without any ciphertext or key of one's own.
PROBES: Final[Mapping[str, str]] = {
    "Decrypt": "verify.decrypt",
    "GenerateDataKey": "verify.data-key",
    "GenerateDataKeyPair": "verify.data-key-pair",
}
#: For every answer.
NOT_LOOKED_AT: Final = (
    "not looked at: service and resource control policies, permissions boundaries, session policies and VPC endpoint"
    " policies, which only deny; of IAM policies the proof takes the worst"
)
_POLICY: Final = "verify.policy"
_SYMMETRIC: Final = "SYMMETRIC_DEFAULT"
_FULLY: Final = "AWS_KMS"


class Said(StrEnum):
    """What KMS answered to a request without attestation.

    WOULD: to the dry run, that it would do it. DID: it did it, and took no notice of the dry run.
    """

    REFUSED = "refused"
    WOULD = "would-succeed"
    DID = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """One probe. ``error``: what KMS answered, for FAILED; None otherwise."""

    operation: str
    said: Said
    error: AwsFailed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the key is held against. ``policy``: None when only the records say what is wanted.

    ``ledger``: None for no records. ``probe``: KMS is asked as well.
    """

    policy: PolicyDocument | None = None
    ledger: "Ledger | None" = None
    probe: bool = False
    encryption_context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The answer. ``difference``: of the key's policy from the one wanted. ``trouble``: what could not be judged."""

    report: Report
    difference: Difference | None
    trouble: tuple[NitroctlError, ...]

    @property
    def passing(self) -> bool:
        """Whether what refuses may be otherwise once KMS has spread a policy that was put.

        Of a policy that is not the one wanted nothing else counts; of that one only probes may come late.
        """
        refusals = {check.id for check in self.report.refusals}
        return _POLICY in refusals or (bool(refusals) and refusals <= {*PROBES.values()})


def probes(live: LiveKey) -> tuple[str, ...]:
    """Return the operations of :data:`PROBES` that the key has."""
    if live.usage != "ENCRYPT_DECRYPT":
        return ()
    if live.spec != _SYMMETRIC:
        return ("Decrypt",)
    return tuple(PROBES) if live.origin in (_FULLY, "EXTERNAL") else ("Decrypt", "GenerateDataKey")


def verify(live: LiveKey, wanted: Wanted, probed: Sequence[Probed], who: str, at: datetime) -> Verified:
    """Return how the key ``live`` stands. ``who``: ARN of the caller that probed. ``at``: when.

    Raises CannotAnswer for policies or grants of the key that cannot be read.
    """
    policies = live.decisive()
    difference = None if wanted.policy is None else canonical.difference(wanted.policy, policies.key[0])
    trouble: list[NitroctlError] = [each.error for each in probed if each.error is not None]
    proof, doubt = _proof(live, policies, wanted, at)
    trouble += doubt
    if wanted.probe and not probes(live):
        trouble.append(
            CannotAnswer(
                f"{live.arn}: no operation of the key can be probed: it is for {live.usage}",
                "kms.no-probe",
                ["leave out --live; kms prove and kms lint judge its policy"],
            )
        )
    checks = [
        *_probe_checks(live, policies, wanted, probed, who, at),
        proof,
        _policy(wanted, difference),
        *_recorded(live, wanted),
        _state(live),
    ]
    report = Report.of(checks)
    failed = any(check.outcome is Outcome.FAIL for check in report)
    return Verified(report=report, difference=difference, trouble=() if failed else tuple(trouble))


def _probe_checks(  # noqa: PLR0913, PLR0917  (what a probe is judged by)
    live: LiveKey, policies: Policies, wanted: Wanted, probed: Sequence[Probed], who: str, at: datetime
) -> Iterator[Check]:
    answers = {each.operation: each for each in probed}
    for operation in probes(live) if wanted.probe else tuple(PROBES):
        check_id, title = PROBES[operation], f"KMS refuses {operation} without attestation to this caller"
        if not wanted.probe:
            yield not_requested(check_id, title, "--live")
            continue
        basis = _basis(live, policies, wanted, answers[operation], who, at)
        yield _probe(check_id, title, answers[operation], who, basis)


def _probe(check_id: str, title: str, found: Probed, who: str, basis: str) -> Check:
    if found.said is Said.REFUSED:
        detail = f"KMS refused it to {who}; {basis}"
        return Check(id=check_id, title=title, outcome=Outcome.PASS, detail=detail)
    if found.said is Said.FAILED:
        why = found.error.message if found.error else "no answer"
        return Check(id=check_id, title=title, outcome=Outcome.SKIP, detail=f"not known: {why}")
    how = "would give" if found.said is Said.WOULD else "GAVE, in spite of the dry run,"
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.FAIL,
        detail=f"KMS {how} {who} data by {found.operation} without any attestation; {basis}",
        remedy="nitroctl kms prove shows the way in; deny unattested use: nitroctl kms generate, nitroctl kms apply",
    )


def _basis(  # noqa: PLR0913, PLR0917  (a request's parts)
    live: LiveKey, policies: Policies, wanted: Wanted, found: Probed, who: str, at: datetime
) -> str:
    """Return what the policies and grants, as they were read, say of the same request."""
    try:
        asked = Request(
            caller=caller.parse(who),
            action=f"kms:{found.operation}",
            at=at,
            key=live.arn,
            encryption_context=wanted.encryption_context,
        )
    except UsageError:
        return "what the policies say of it was not judged: the caller is neither a role, a user nor an account's root"
    decision = authorize.decide(asked, policies)
    if decision.way is Way.DENY:
        what = label(decision.deciding[0]).replace(f"{live.arn}: ", "")  # the key is what all of this is about
        return f"{what} denies it, whatever IAM policies and grants there are"
    if decision.verdict is Verdict.DENIED:
        return "nothing in the key's policies and grants allows it to this caller"
    if decision.verdict is Verdict.ALLOWED:
        return "the key's policies and grants, as they were read, allow it"
    left = f"the key's policies leave that to {'; '.join(decision.open)}"
    return f"{left}, so that the next caller may be let in" if found.said is Said.REFUSED else left


def _proof(live: LiveKey, policies: Policies, wanted: Wanted, at: datetime) -> tuple[Check, list[NitroctlError]]:
    """Return whether the policies and grants let anybody by, and why that is open."""
    check_id, title = "verify.proof", "Nobody gets data without attesting an image that the policy names"
    properties = [Property.NO_UNATTESTED_DECRYPT]
    if wanted.ledger is not None:
        title = "Nobody gets data without attesting a recorded and active image"
        properties.append(Property.ONLY_RECORDED)
    proof = prove.prove(policies, at=at, key=live.arn, properties=properties, recorded=wanted.ledger)
    if proof.holds is Truth.YES:
        detail = "proved of its policies and grants as they were read, with any IAM policies"
        return Check(id=check_id, title=title, outcome=Outcome.PASS, detail=detail), []
    if proof.bypass is not None:
        way = proof.bypass
        how = way.kind.value.replace("-", " ")
        more = len(proof.bypasses) - 1
        also = f", and {more} more {'ways' if more > 1 else 'way'}" if more else ""
        return Check(
            id=check_id,
            title=title,
            outcome=Outcome.FAIL,
            detail=f"{way.who} is allowed {way.request.action}: {how}{also}",
            remedy="nitroctl kms show --policy-only and kms prove show the request; kms generate writes one that holds",
        ), []
    open_ = "; ".join(proof.open)
    doubt = CannotAnswer(f"not proved: it depends on {open_}", "kms.undecided", ["nitroctl kms prove tells more"])
    return Check(id=check_id, title=title, outcome=Outcome.SKIP, detail=doubt.message), [doubt]


def _policy(wanted: Wanted, difference: Difference | None) -> Check:
    check_id, title = _POLICY, "The key has the policy that was wanted"
    if wanted.policy is None or difference is None:
        return not_requested(check_id, title, "name the policy")
    if difference.none:
        return Check(id=check_id, title=title, outcome=Outcome.PASS, detail=f"that of {wanted.policy.where}")
    labels = [f"{each.label} {_WORDS[each.kind]}" for each in difference.changes]
    labels += [f"{part.path[0]} differs" for part in difference.heads]
    shown = "; ".join(labels[:_SHOWN]) + (f"; and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else "")
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.FAIL,
        detail=f"its policy is not that of {wanted.policy.where}: {shown}",
        remedy="put it on the key (nitroctl kms apply), or find out who changed it: nitroctl kms trail --lookup",
    )


_WORDS: Final = {
    canonical.Kind.ADDED: "is in the key's only",
    canonical.Kind.REMOVED: "is missing in the key's",
    canonical.Kind.CHANGED: "differs",
}
_SHOWN: Final = 5


def _recorded(live: LiveKey, wanted: Wanted) -> Iterator[Check]:
    if wanted.ledger is not None:
        yield from View(wanted.ledger, (), live_named.read(live)).report


def _state(live: LiveKey) -> Check:
    enabled = live.state == "Enabled"
    return Check(
        id="verify.state",
        title="The key is enabled",
        outcome=Outcome.PASS if enabled else Outcome.WARN,
        detail="" if enabled else f"it is {live.state}, and gives data to nobody whatever its policy says",
        required=False,
    )
