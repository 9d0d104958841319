"""What of a statement does not fit a call: principal, action, key, registers, encryption context, other conditions.

The Allow that would have let a call in is the one of which least does not fit. One that asks for no register at all is
not what an attested call was meant to go by, unless nothing else is there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nitroctl import pcr
from nitroctl.errors import UsageError
from nitroctl.kms import caller as callers
from nitroctl.kms.authorize import Decision, Met, Traced
from nitroctl.kms.document import Kind
from nitroctl.kms.explain_reason import Bearing, Difference, Reason
from nitroctl.kms.explain_registers import IMAGE, Origin, difference, listed
from nitroctl.kms.explain_registers import reasons as register_reasons
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.letters import folded
from nitroctl.kms.operators import Presence, name, negated
from nitroctl.kms.request import Platform, Request, register
from nitroctl.kms.trace import is_attestation, label
from nitroctl.kms.truth import Truth

_ATTESTATION: Final = "kms:recipientattestation"
_CONTEXT: Final = "kms:encryptioncontext"
#: Operators under which a value is one that a register may have.
EQUALS: Final = ("StringEquals", "StringEqualsIgnoreCase", "StringLike")
#: How far a statement is from the call, by what does not fit.
_FAR: Final = {"action": 6, "resource": 3, "principal": 2, "image": 3, "register": 1, "condition": 1}
_UNATTESTED: Final = 4
#: Characters of a policy's text in a sentence.
_TEXT: Final = 200


#: What to do about a document of another platform than a policy is for.
ATTEST_OTHER: Final = (
    "use what the policy is for; or, if both are to use the key, record a release of this platform too and write the"
    " policy again (nitroctl kms generate)"
)


class Part(StrEnum):
    """A part of a statement that does not fit."""

    PRINCIPAL = "principal"
    ACTION = "action"
    RESOURCE = "resource"
    CONDITION = "condition"


@dataclass(frozen=True, slots=True)
class Miss:
    """What does not fit. ``met``: the condition, for a condition."""

    part: Part
    met: Met | None = None


def misses(traced: Traced) -> tuple[Miss, ...]:
    """Return what of a statement does certainly not fit the request; nothing when all of it may."""
    parts = ((Part.PRINCIPAL, traced.principal), (Part.ACTION, traced.action), (Part.RESOURCE, traced.resource))
    found = [Miss(part) for part, truth in parts if truth is Truth.NO]
    return (*found, *(Miss(Part.CONDITION, met) for met in traced.conditions if met.truth is Truth.NO))


def nearest(decision: Decision) -> Traced | None:
    """Return the Allow of the key's policies of which least does not fit, but something; None when there is none."""
    allows = [
        each
        for each in decision.statements
        if each.statement.effect is Effect.ALLOW and each.policy.kind is Kind.KEY and each.truth is Truth.NO
    ]
    return min(allows, key=lambda each: (_distance(each, decision.request), each.statement.number), default=None)


def _distance(traced: Traced, request: Request) -> tuple[int, int]:
    far = _UNATTESTED if request.carries_attestation and not _asks(traced) else 0
    image = False
    for miss in misses(traced):
        place = register(miss.met.condition.key) if miss.met else None
        if place is None:
            far += _FAR[miss.part]
        elif not request.carries_attestation:
            continue
        elif place[1] in IMAGE[place[0]]:
            image = True
        else:
            far += _FAR["register"]
    equal = sum(met.truth is Truth.YES for met in traced.conditions if is_attestation(met))
    return far + (_FAR["image"] if image else 0), -equal


def _asks(traced: Traced) -> bool:
    """Whether a statement asks for a register."""
    return any(is_attestation(met) for met in traced.conditions)


def reasons(traced: Traced, request: Request, origin: Origin) -> Iterator[Reason]:
    """Yield why an Allow does not let a request in, in the order in which a person would mend it."""
    found = misses(traced)
    if any(miss.part is Part.ACTION for miss in found) and request.carries_attestation and not _asks(traced):
        yield _action(traced, request)  # nothing else of it matters: it was not meant for this call
        return
    for part, tell in ((Part.ACTION, _action), (Part.RESOURCE, _resource), (Part.PRINCIPAL, _principal)):
        if any(miss.part is part for miss in found):
            yield tell(traced, request)
    conditions = [miss.met for miss in found if miss.met is not None]
    attested = [met for met in conditions if folded(met.condition.key).startswith(_ATTESTATION)]
    yield from _attestation(traced, attested, request, origin)
    for met in conditions:
        if met not in attested:
            context = folded(met.condition.key).startswith(_CONTEXT)
            yield _context(traced, met) if context else _condition(traced, met)


# Who, what, which key ---------------------------------------------------------------------------------------------


def _reason(reason_id: str, traced: Traced, said: str, do: str) -> Reason:
    return Reason(id=reason_id, bearing=Bearing.DECIDES, said=said, do=do, statements=(traced,))


def _principal(traced: Traced, request: Request) -> Reason:
    principal = traced.statement.principal
    names = [*principal.aws, *principal.services, *principal.federated, *principal.canonical_users]
    who = listed(shown(name) for name in names) or "nobody"
    said = f"{label(traced)} {'is about all but' if principal.negated else 'names'} {who}, and the caller is"
    if any(callers.deleted(text) for text in principal.aws):
        said = f"{label(traced)} names {who}, of which KMS shows only the id because it was deleted; the caller is"
    do = "call with the credentials of the role that it names, or name the caller's role"
    return _reason("explain.principal", traced, f"{said} {request.caller.text}", do)


def _action(traced: Traced, request: Request) -> Reason:
    actions = traced.statement.actions or [f"all but {each}" for each in traced.statement.not_actions]
    about = f"is about {listed(shown(each) for each in actions)}" if actions else "has no Action, and so is about none"
    said = f"no statement allows {request.action}: the nearest, {label(traced)}, {about}"
    do = f"add {request.action} to the statement that names the image"
    if not _asks(traced):
        do = "write the policy from the records, with a statement for each image: nitroctl kms generate"
    if not request.carries_attestation:
        do = f"allow {request.action} in a statement of its own: KMS takes no attestation document for it"
    return _reason("explain.not-allowed", traced, said, do)


def _resource(traced: Traced, request: Request) -> Reason:
    resources = traced.statement.resources or [f"all but {each}" for each in traced.statement.not_resources]
    about = f"is about {listed(shown(each) for each in resources)}" if resources else "has no Resource, and so is dead"
    key = request.key or "this key"
    return _reason("explain.resource", traced, f"{label(traced)} {about}, not {key}", 'write "Resource": "*"')


# Conditions -------------------------------------------------------------------------------------------------------


def _attestation(traced: Traced, conditions: Sequence[Met], request: Request, origin: Origin) -> Iterator[Reason]:
    """Yield why conditions on registers do not hold."""
    if not conditions or request.attested is None:
        return
    if not request.carries_attestation:
        yield unattested(traced, request)
        return
    platform = request.attested.platform
    expected: dict[tuple[Platform, int], tuple[str, ...]] = {}
    for met in conditions:
        place = register(met.condition.key)
        fault = _fault(traced, met, place, platform)
        if fault is not None:
            yield fault
        elif place is not None:
            values = tuple(dict.fromkeys(each.lower() for each in met.condition.values if _is_register(each)))
            expected[place] = tuple(value for value in expected.get(place, values) if value in values)
    differences = [
        difference(place, values, request.attested, origin.ledger) for place, values in sorted(expected.items())
    ]
    yield from register_reasons(differences, (traced,), request.attested, origin)


def unattested(traced: Traced, request: Request) -> Reason:
    """Return the reason for an action whose requests carry no document, whatever the policy asks of one."""
    said = f"KMS takes no attestation document for {request.action}, so what {label(traced)} asks of one is never met"
    do = "use Decrypt, DeriveSharedSecret, GenerateDataKey or GenerateDataKeyPair, or allow it without attestation"
    return _reason("explain.action", traced, said, do)


def _fault(traced: Traced, met: Met, place: tuple[Platform, int] | None, platform: Platform) -> Reason | None:
    """Return why a condition cannot hold for any document of the platform; None when another register would do."""
    condition = met.condition
    if place is None:
        said = f"{label(traced)} asks for {shown(condition.key)}, which is no key of KMS and in no request"
        return _reason("explain.unknown-key", traced, said, "write kms:RecipientAttestation:PCR0, or ImageSha384")
    if place[0] is not platform:
        wanted = {Platform.ENCLAVE: "an enclave", Platform.TPM: "a NitroTPM"}
        said = f"{label(traced)} asks for registers of {wanted[place[0]]}, and the document is of {wanted[platform]}"
        return _reason("explain.platform", traced, said, ATTEST_OTHER)
    pattern = name(condition.operator) == "StringLike" and any(set("*?") & set(each) for each in condition.values)
    if pattern or name(condition.operator) not in EQUALS or negated(condition.operator):
        return _condition(traced, met)
    values = [each for each in condition.values if _is_register(each)]
    if not values:
        said = (
            f"{label(traced)} asks {pcr.name(place[1])} for what no register can have: {_diagnosed(condition.values)}"
        )
        return _reason(
            "explain.value", traced, said, "write the register as nitro-cli prints it: 96 hexadecimal digits"
        )
    if any(each.lower() in met.actual.values for each in values):
        said = (
            f"{label(traced)} asks for {pcr.name(place[1])} in upper case, which {condition.operator.text} tells apart"
            " from the lower case that KMS is taken to use"
        )
        return _reason("explain.value", traced, said, "write it in lower case, and use StringEqualsIgnoreCase")
    return None


def _diagnosed(values: Sequence[str]) -> str:
    try:
        pcr.parse_value(values[0] if values else "", where="")
    except UsageError as error:
        return error.message.rpartition("register: ")[2]
    return shown(values[0])


def _context(traced: Traced, met: Met) -> Reason:
    wanted = listed(shown(value) for value in met.condition.values)
    what = met.condition.key.partition(":")[2].partition(":")[2] or "keys"
    has = "has none" if met.actual.presence is Presence.ABSENT else f"has {listed(map(shown, met.actual.values))}"
    if {each.lower() for each in met.actual.values} & {each.lower() for each in met.condition.values}:
        has += "; case counts"
    asked = f"the encryption context {shown(what)} {met.condition.operator.text} {wanted}"
    said = f"{label(traced)} asks for {asked}, and the call {has}"
    do = "send the context with which the data was encrypted; say here what was sent with --encryption-context"
    return _reason("explain.context", traced, said, do)


def _condition(traced: Traced, met: Met) -> Reason:
    wanted = listed(shown(value) for value in met.condition.values)
    has = "does not have it" if met.actual.presence is Presence.ABSENT else f"has {shown(met.actual.text)}"
    asked = f"{shown(met.condition.key)} {met.condition.operator.text} {wanted}"
    said = f"{label(traced)} asks for {asked}, and the call {has}"
    return _reason("explain.condition", traced, said, "call so that it holds, or change the condition")


def _is_register(text: str) -> bool:
    return len(text) == pcr.HEX_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in text)


def shown(text: str) -> str:
    """Return text of a policy for a sentence: not more of it than a sentence can bear."""
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"


def differing(traced: Traced, request: Request, origin: Origin) -> list[Difference]:
    """Return the registers because of which a Deny matches: it excepts values, and the document has none of them."""
    attested = request.attested
    if attested is None:
        return []
    found = []
    for met in traced.conditions:
        place = register(met.condition.key)
        excepts = place is not None and negated(met.condition.operator) and met.truth is Truth.YES
        if place is not None and excepts and place[0] is attested.platform:
            values = tuple(dict.fromkeys(each.lower() for each in met.condition.values if _is_register(each)))
            found.append(difference(place, values, attested, origin.ledger))
    return found
