"""Why an explicit Deny matches a call: one that is meant to, one left over from an earlier release, one that is broken.

A Deny that excepts images matches an image that is in none of its values. When an Allow names that very image all the
same, one of the two is likely from another release; an Allow that names no image says nothing of the kind. Source: KMS
Developer Guide, "Policy evaluation logic"; kms generate's own shape.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from nitroctl import pcr
from nitroctl.kms.authorize import Met, Traced
from nitroctl.kms.document import Kind
from nitroctl.kms.explain_reason import Bearing, Difference, Reason
from nitroctl.kms.explain_registers import IMAGE, Origin, debug, listed, standing
from nitroctl.kms.explain_registers import reasons as register_reasons
from nitroctl.kms.explain_statements import ATTEST_OTHER, EQUALS, differing, shown, unattested
from nitroctl.kms.letters import folded
from nitroctl.kms.operators import Presence, name
from nitroctl.kms.request import Attested, Platform, Request, register
from nitroctl.kms.trace import is_attestation, label
from nitroctl.kms.truth import Truth
from nitroctl.records import Status

#: How what is said of a Deny begins that is not the key's.
_OF_IAM: Final = "an IAM policy of the caller, "
_IN_IAM: Final = "that Deny stands in an IAM policy of the caller, and is changed there"
_REGENERATE: Final = (
    "if the image is meant to have the key, write the policy again from the records (nitroctl kms generate), which"
    " writes such Denies anew"
)
_CHANGE_IAM: Final = (
    "if the image is meant to have the key, change that Deny in the caller's IAM policy: a new key policy (nitroctl kms"
    " generate) does not"
)


def reasons(deny: Traced, allows: Sequence[Traced], request: Request, origin: Origin) -> Iterator[Reason]:
    """Yield why ``deny`` matches. ``allows``: the statements of the key's policy that let the same call in."""
    if request.attested is None:
        return
    conditions = [met for met in deny.conditions if folded(met.condition.key).startswith("kms:recipientattestation")]
    if conditions and not request.carries_attestation:
        yield unattested(deny, request)
        return
    bare = next((met for met in conditions if not is_attestation(met)), None)
    if bare is not None:
        said = f"{label(deny)} goes by {shown(bare.condition.key)}, which is no key of KMS and in no request"
        yield _reason("explain.unknown-key", deny, said, "write kms:RecipientAttestation:PCR0, or ImageSha384")
        return
    absent = next((met for met in conditions if met.actual.presence is Presence.ABSENT), None)
    differences = differing(deny, request, origin)
    if absent is not None:
        yield _absent(deny, absent, request)
    elif naming := _naming(allows, differences, request.attested, origin):
        yield _stale(deny, naming, differences, request, origin)
    elif differences:
        for each in register_reasons(differences, (deny,), request.attested, origin):
            yield replace(each, do=f"{each.do}; {_IN_IAM}") if deny.policy.kind is Kind.IDENTITY else each
    elif any(name(met.condition.operator) != "Null" for met in conditions):
        yield _named(deny, request, origin)
    else:
        yield _plain(deny, request)


def _naming(
    allows: Sequence[Traced], differences: Sequence[Difference], attested: Attested, origin: Origin
) -> Traced | None:
    """Return an Allow that names the values because of which a Deny matches, or the image that has them.

    None as well for what no Allow should name: zeros, and an image that was revoked.
    """
    recorded = standing(attested, origin.ledger)
    if not differences or debug(attested) or (recorded and recorded[0].status is Status.REVOKED):
        return None
    image = IMAGE[attested.platform]
    wanted = {each.index for each in differences}
    for allow in allows:
        places = {register(met.condition.key) for met in allow.conditions if _names(met)}
        named = {place[1] for place in places if place is not None and place[0] is attested.platform}
        if wanted <= (named | set(image) if named & set(image) else named):
            return allow
    return None


def _names(met: Met) -> bool:
    """Whether a condition holds because one of its values is the register's own, and no pattern."""
    own = {value.lower() for value in met.actual.values}
    exact = any(value.lower() in own for value in met.condition.values)
    return met.truth is Truth.YES and name(met.condition.operator) in EQUALS and exact


def _reason(reason_id: str, deny: Traced, said: str, do: str, registers: Sequence[Difference] = ()) -> Reason:
    return Reason(
        id=reason_id, bearing=Bearing.DECIDES, said=said, do=do, statements=(deny,), registers=tuple(registers)
    )


def _absent(deny: Traced, met: Met, request: Request) -> Reason:
    place = register(met.condition.key)
    attested = request.attested
    if place is not None and attested is not None and place[0] is not attested.platform:
        wanted = {Platform.ENCLAVE: "an enclave", Platform.TPM: "a NitroTPM"}
        said = (
            f"{label(deny)} denies what has no register of {wanted[place[0]]}, and the document is of"
            f" {wanted[attested.platform]}"
        )
        return _reason("explain.platform", deny, said, ATTEST_OTHER)
    said = f"{label(deny)} denies what does not attest {shown(met.condition.key)}, and the document does not have it"
    do = "let the enclave extend and lock that register before it asks for the document, or deny by PCR0"
    return _reason("explain.absent", deny, said, do)


def _stale(deny: Traced, allow: Traced, differences: Sequence[Difference], request: Request, origin: Origin) -> Reason:
    recorded = standing(request.attested, origin.ledger) if request.attested else ()
    image = f"this image ({recorded[0].id})" if recorded else "this image"
    ids = sorted({entry.id for each in differences for entry in each.expected_of})
    but = f"all but {listed(ids)}" if ids else "all but others that are not recorded"
    names = listed(each.name for each in differences)
    whose, do = "", _REGENERATE
    if deny.policy.kind is Kind.IDENTITY:
        whose, do = _OF_IAM, _CHANGE_IAM
    said = f"{whose}{label(deny)} seems left over: by {names} it denies {but}, and {label(allow)} lets {image} in"
    return _reason("explain.stale-deny", deny, said, do, differences)


def _named(deny: Traced, request: Request, origin: Origin) -> Reason:
    """Return the reason for a Deny of exactly the registers that the document has."""
    attested = request.attested
    recorded = standing(attested, origin.ledger) if attested else ()
    if attested and attested.platform is Platform.ENCLAVE and attested.pcrs.get(0) == pcr.ZERO:
        said = f"the enclave ran in debug mode, which {label(deny)} denies: PCR0 is zero"
        return _reason("explain.debug", deny, said, "run it without --debug-mode")
    if recorded and recorded[0].status is Status.REVOKED:
        said = f"the image is {recorded[0].id}, which was revoked and which {label(deny)} denies"
        return _reason("explain.revoked", deny, said, "run a version that is active")
    said = f"{label(deny)} denies the registers that this document has"
    return _reason("explain.deny", deny, said, "run another image, or take them out of the Deny if that is an error")


def _plain(deny: Traced, request: Request) -> Reason:
    wheres = [f"{shown(met.condition.key)} {met.condition.operator.text}" for met in deny.conditions]
    by = f", by its condition on {listed(wheres)}" if wheres else ", whatever it attests"
    whose = _OF_IAM if deny.policy.kind is Kind.IDENTITY else ""
    said = f"{whose}{label(deny)} denies {request.action} to {request.caller.text}{by}"
    do = "change that Deny if the call is meant: no Allow, IAM policy or grant is above it"
    return _reason("explain.deny", deny, said, do)
