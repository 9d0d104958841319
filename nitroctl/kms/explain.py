"""Why KMS refuses an attested call: every reason that policies, document and records show, what decides first.

KMS looks at the document before any policy; then an explicit Deny ends it; then the Allow counts that was meant for the
call, which is the one of which least does not fit. IAM policies and grants are other ways, and told of after it. What
files cannot show, whether the document was in the request above all, is said as possible and never as found.
Source: the order of :mod:`nitroctl.kms.authorize`; KMS Developer Guide, "Troubleshooting key access".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from nitroctl.evidence.chain import instant
from nitroctl.kms import actions, authorize, explain_denies, explain_statements
from nitroctl.kms.authorize import Decision, Policies, Traced, Verdict, Way
from nitroctl.kms.caller import named
from nitroctl.kms.document import Kind, Principal
from nitroctl.kms.explain_document import VALIDATION, Presented
from nitroctl.kms.explain_reason import Bearing, Reason
from nitroctl.kms.explain_registers import Origin, listed, standing
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.request import Request, account_of_key
from nitroctl.kms.trace import is_attestation, label
from nitroctl.kms.truth import Truth
from nitroctl.records import Entry, Ledger

#: What KMS answers to what no policy allows.
ACCESS_DENIED: Final = "AccessDeniedException"
_OF_THE_IMAGE: Final = ("explain.debug", "explain.image", "explain.revoked")
#: Clocks differ; a document that is later than the call by more was not in it.
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a call is refused. ``decision``: of the policies, None when the document is not authentic.

    ``without``: what they decide about the same call without a document. ``recorded``: the recorded versions of its
    image, the one that says most first. ``reasons``: what decides, then what would, then what may be.
    """

    presented: Presented
    request: Request
    decision: Decision | None
    without: Decision
    recorded: tuple[Entry, ...]
    reasons: tuple[Reason, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether KMS would allow the call with this document."""
        if self.presented.faults or self.decision is None:
            return Verdict.DENIED
        return self.decision.verdict

    @property
    def error(self) -> str:
        """What KMS answers when it refuses; empty when it does not, when that is open, and where AWS does not say."""
        if self.verdict is not Verdict.DENIED:
            return ""
        fault = self.presented.faults[0].id if self.presented.faults else ""
        return {"": ACCESS_DENIED, "explain.authentic": VALIDATION}.get(fault, "")

    @property
    def sentence(self) -> str:
        """The answer in one sentence that a person can act on."""
        first = next(iter(self.reasons), None)
        if self.verdict is Verdict.DENIED and first:
            return f"no: {first.said}; {first.do}"
        if self.verdict is Verdict.ALLOWED or self.decision is None:
            deciding = self.decision.deciding if self.decision else ()
            granted = ["a grant"] if not deciding or (self.decision and self.decision.grant) else []
            by = " and ".join([*granted, *map(label, deciding)])
            return f"yes: {by} would allow it; if KMS refused, see first that the document was in the request"
        open_ = listed(map(explain_statements.shown, self.decision.open))
        also = f"; what is certain: {first.said}" if first and first.bearing is Bearing.DECIDES else ""
        return f"not decided: it depends on {open_}{also}"


def explain(presented: Presented, request: Request, policies: Policies, ledger: Ledger) -> Explanation:
    """Return why KMS refuses ``request`` with the document ``presented``, or that it would not."""
    request = request.attesting(presented.attested)
    without = authorize.decide(request.attesting(None), policies)
    if presented.attested is None:
        return Explanation(
            presented=presented,
            request=request,
            decision=None,
            without=without,
            recorded=(),
            reasons=presented.faults,
        )
    decision = authorize.decide(request, policies)
    origin = Origin(
        caller=request.caller,
        module_id=presented.document.module_id if presented.document else "",
        roles=tuple(
            text for policy in policies.key for each in policy.statements for text in each.principal.aws if text != "*"
        ),
        ledger=ledger,
    )
    found = [] if decision.verdict is Verdict.ALLOWED else _unique(_of_policies(decision, policies, origin))
    if presented.faults:  # KMS refuses before it reads a policy
        found = [replace(each, bearing=Bearing.ALSO) if each.bearing is Bearing.DECIDES else each for each in found]
    else:
        found += _possible(presented, decision, without)
    rank = list(Bearing)
    reasons = [*presented.faults, *sorted(found, key=lambda each: rank.index(each.bearing))]
    return Explanation(
        presented=presented,
        request=request,
        decision=decision,
        without=without,
        recorded=standing(presented.attested, ledger),
        reasons=tuple(reasons),
    )


def _unique(reasons: Iterator[Reason]) -> list[Reason]:
    """Return reasons with those that are the same as one, about the statements and registers of all of them."""
    found: list[Reason] = []
    for each in reasons:
        place = next((number for number, other in enumerate(found) if _same(other, each)), None)
        if place is None:
            found.append(each)
            continue
        before = found[place]
        places = {(one.platform, one.index) for one in before.registers}
        more = tuple(one for one in each.registers if (one.platform, one.index) not in places)
        statements = (*before.statements, *(one for one in each.statements if one not in before.statements))
        found[place] = replace(before, statements=statements, registers=(*before.registers, *more))
    return found


def _same(one: Reason, other: Reason) -> bool:
    """Whether two reasons are one: the image of a document is one, whichever of its registers are asked for."""
    if one.id != other.id:
        return False
    places = [{(each.platform, each.index) for each in reason.registers} for reason in (one, other)]
    return one.said == other.said or one.id in _OF_THE_IMAGE or bool(places[0] & places[1])


def _of_policies(decision: Decision, policies: Policies, origin: Origin) -> Iterator[Reason]:
    request = decision.request
    if request.action in actions.KEYLESS and decision.way is not Way.DENY:
        yield _keyless(request)
        return
    # What is open of an Allow is not why it is refused where it is refused whatever that comes to.
    shut = decision.way is Way.NOTHING
    allows = [
        each
        for each in decision.statements
        if each.policy.kind is Kind.KEY
        and each.statement.effect is Effect.ALLOW
        and (each.truth is Truth.YES or (shut and each.truth is Truth.OPEN))
    ]
    direct = [each for each in allows if each.named.direct is Truth.YES or (shut and each.named.direct is Truth.OPEN)]
    delegating = [each for each in allows if each.named.direct is Truth.NO]
    open_ = not shut and _may_let_in(decision)
    meant = None if direct or open_ else explain_statements.nearest(decision)
    if meant is not None and delegating and not any(is_attestation(met) for met in meant.conditions):
        meant = None  # the account's IAM policies were meant to decide
    allowed = [] if meant is None else list(explain_statements.reasons(meant, request, origin))
    denied = [
        reason
        for each in (decision.deciding if decision.way is Way.DENY else ())
        for reason in explain_denies.reasons(each, direct, request, origin)
    ]
    # Of a Deny and an Allow that miss the same registers the Allow says which image was meant.
    yield from (each for each in denied if not any(_same(each, other) for other in allowed))
    yield from allowed
    yield from denied
    if decision.way is Way.DENY:
        return
    yield from _other_ways(decision, policies, direct, delegating, deciding=meant is None and not open_)


def _may_let_in(decision: Decision) -> bool:
    """Whether an Allow of the key's policies is open: then no other is what the call was meant for."""
    return any(
        each.policy.kind is Kind.KEY and each.statement.effect is Effect.ALLOW and each.truth is Truth.OPEN
        for each in decision.statements
    )


def _keyless(request: Request) -> Reason:
    said = f"{request.action} uses no key, so no key policy allows it: only an IAM policy of the caller can"
    attested = "; conditions on registers work there as well" if request.action in actions.ATTESTED else ""
    do = f"allow {request.action} in an IAM policy of the role{attested}"
    return Reason(id="explain.keyless", bearing=Bearing.DECIDES, said=said, do=do)


def _other_ways(
    decision: Decision,
    policies: Policies,
    direct: Sequence[Traced],
    delegating: Sequence[Traced],
    *,
    deciding: bool,
) -> Iterator[Reason]:
    """Yield why neither the account's IAM policies nor a grant let the call in."""
    request = decision.request
    bearing = Bearing.DECIDES if deciding else Bearing.ALSO
    owner = account_of_key(request.key)
    identity = [each for each in decision.statements if each.policy.kind is Kind.IDENTITY]
    allowing = [each for each in identity if each.statement.effect is Effect.ALLOW and each.truth is Truth.YES]
    if direct and owner and owner != request.caller.account and policies.identity is not None:
        lets = "lets" if direct[0].truth is Truth.YES else "may let"
        said = (
            f"the key is of the account {owner} and the caller of {request.caller.account}: {label(direct[0])} {lets}"
            " it in, and none of the caller's IAM policies allows it as well"
        )
        do = f"allow {request.action} on the key in an IAM policy of the caller"
        yield Reason(id="explain.account", bearing=bearing, said=said, do=do, statements=(direct[0],))
    elif delegating and policies.identity is None:
        said = f"{label(delegating[0])} lets the account's IAM policies decide, and they were not given"
        yield Reason(
            id="explain.iam",
            bearing=Bearing.POSSIBLE,
            said=said,
            do="give them with --iam-policy FILE, or say --no-iam-policy",
            statements=(delegating[0],),
        )
    elif delegating and not allowing:
        lets = "lets" if delegating[0].truth is Truth.YES else "may let"
        said = f"{label(delegating[0])} {lets} the account's IAM policies decide, and none that was given allows it"
        do = f"allow {request.action} in a statement of the key policy that names the image; IAM would go around it"
        yield Reason(id="explain.iam", bearing=bearing, said=said, do=do, statements=(delegating[0],))
    elif allowing and not direct and not delegating:
        said = (
            f"{label(allowing[0])} of the caller's IAM policies allows it, but no statement of the key policy lets the"
            " account's IAM policies decide"
        )
        do = "name the role and the image in the key policy; a statement for the account would go around attestation"
        yield Reason(id="explain.iam", bearing=bearing, said=said, do=do, statements=(allowing[0],))
    yield from _grants(request, policies)
    if deciding and not (direct or delegating or allowing or decision.open):
        said = f"the key policy has no Allow statement that could let {request.action} in"
        yield Reason(
            id="explain.nothing",
            bearing=bearing,
            said=said,
            do="write the policy from the records: nitroctl kms generate",
        )


def _grants(request: Request, policies: Policies) -> Iterator[Reason]:
    for grant in policies.grants or ():
        if named(Principal(aws=(grant.grantee,)), request.caller).direct is not Truth.YES:
            continue
        truth, _ = grant.allows(request)
        if truth is not Truth.NO:
            continue
        name = explain_statements.shown(grant.id)
        if request.action.removeprefix("kms:") not in grant.operations:
            operations = listed(map(explain_statements.shown, grant.operations))
            said = f"the grant {name} is for {operations}, not {request.action}"
        else:
            said = f"the grant {name} asks for another encryption context than the call has"
        do = "let the key policy name the image in place of it: a grant knows nothing of attestation"
        yield Reason(id="explain.grant", bearing=Bearing.ALSO, said=said, do=do)


def _possible(presented: Presented, decision: Decision, without: Decision) -> list[Reason]:
    """Return what no file can show."""
    document, at = presented.document, decision.request.at
    if document is not None and document.time > at + _SKEW:
        said = f"the document was made at {instant(document.time)}, after the call: it was not in it"
    else:
        words = {Verdict.ALLOWED: "allow it", Verdict.DENIED: "refuse it in the same words"}
        said = "the document may not have been in the request"
        if without.verdict in words:
            said += f": without one KMS would {words[without.verdict]}"
    found = []
    if decision.request.action in actions.ATTESTED:
        found.append(
            Reason(
                id="explain.not-sent",
                bearing=Bearing.POSSIBLE,
                said=said,
                do="see that the call itself has Recipient with AttestationDocument and RSAES_OAEP_SHA_256; CloudTrail"
                " does not log the document of a refused call",
            )
        )
    if decision.verdict is Verdict.ALLOWED:
        found.append(
            Reason(
                id="explain.other-policy",
                bearing=Bearing.POSSIBLE,
                said="another policy may have been in effect, or another key: an alias, a replica, a Region",
                do="compare with aws kms get-key-policy; what was put takes effect after seconds to minutes",
            )
        )
        found.append(
            Reason(
                id="explain.only-denies",
                bearing=Bearing.POSSIBLE,
                said="what only denies was not looked at: service and resource control policies, permissions"
                " boundaries, session policies, VPC endpoint policies",
                do="read the whole message of the AccessDeniedException: it names the kind of policy that denied",
            )
        )
    return found
