"""Whether a key policy lets anybody have data without attesting an image that it names: a proof, or a request.

Two properties can be asked for:

NO_UNATTESTED_DECRYPT
    Nobody is allowed an action that gives data (READS) with a request that attests nothing, an enclave in debug mode,
    or an image that the policy does not name. An image is named where its PCR0, or its PCR1 and PCR2, of a NitroTPM
    its PCR7, or its PCR4 and PCR12, have a value that an Allow asks for or a Deny makes an exception of. Nobody can
    make a grant (CreateGrant) that would allow it either.

ONLY_RECORDED
    The same of images that are not active in the ledger: the document matches no active entry in all that the entry
    pins, or is of an image that is revoked.

ONLY_WRITERS
    Nobody but some roles that are named may replace the policy (PutKeyPolicy).

Who may replace the gate (PutKeyPolicy) or make a second key of the same material (ReplicateKey) is told anyway, and is
no violation unless ONLY_WRITERS is asked for: somebody has to. IAM policies are taken at their worst: every caller has
one that allows everything.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from nitroctl.kms import caller as callers
from nitroctl.kms.authorize import Policies, Verdict, decide
from nitroctl.kms.classes_budget import Budget, Exhausted
from nitroctl.kms.classes_keys import OPERATIONS
from nitroctl.kms.grants import Grant, constrained
from nitroctl.kms.prove_answer import Bypass, Kind, Opening, Proof, Property, Then
from nitroctl.kms.prove_forbidden import Forbidden, named_registers, unnamed, unrecorded
from nitroctl.kms.prove_grants import GRANTEE, Working
from nitroctl.kms.prove_scene import Mode
from nitroctl.kms.prove_search import NOBODY, Found, Group, Search, Stranger, Told, unplayed
from nitroctl.kms.prove_strangers import UNNAMED
from nitroctl.kms.request import Platform
from nitroctl.kms.truth import Truth

if TYPE_CHECKING:
    from nitroctl.records import Ledger

__all__ = [
    "ASKED",
    "CREATE_GRANT",
    "GATE",
    "READS",
    "WORK",
    "Bypass",
    "Kind",
    "Opening",
    "Proof",
    "Property",
    "Then",
    "prove",
]

#: Actions that give data, or open it to another key: the four for which KMS evaluates attestation, and a way past it.
READS: Final = (
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:DeriveSharedSecret",
    "kms:ReEncryptFrom",
)
#: Actions that change the gate, or have no attestation to ask for; whoever holds them is told.
GATE: Final[Mapping[str, str]] = {
    "kms:PutKeyPolicy": "replaces this policy",
    "kms:ReplicateKey": "makes a replica of a multi-Region key, with a policy of its own",
    "kms:Decapsulate": "gives the secrets of a key that is made for that, for which there is no attestation",
}
CREATE_GRANT: Final = "kms:CreateGrant"
ASKED: Final = (*READS, CREATE_GRANT, *GATE)
#: Steps of the search, after which the answer is that it is not decided.
WORK: Final = 2_000_000
#: Kinds that differ by property: those with a document.
_DOCUMENTS: Final = (Kind.DEBUG, Kind.IMAGE, Kind.TPM)


def prove(  # noqa: PLR0913  (what is asked, and of what)
    policies: Policies,
    *,
    at: datetime,
    key: str = "",
    properties: Sequence[Property] = (Property.NO_UNATTESTED_DECRYPT,),
    recorded: "Ledger | None" = None,
    writers: Sequence[str] = (),
    work: int = WORK,
) -> Proof:
    """Return whether the ``properties`` hold under ``policies``, whose IAM policies are taken at their worst.

    ``at``: requests are made then or later. ``key``: ARN of the key; empty when it is not known. ``recorded``: the
    ledger, for ONLY_RECORDED. ``writers``: ARNs of roles, for ONLY_WRITERS. ``work``: steps after
    which the answer is OPEN.
    """
    budget = Budget(work)
    found = _Found()
    try:
        search = Search(policies, at=at, key=key, budget=budget, asked=ASKED)
        _look(search, found, _forbidden(policies, properties, recorded))
        if Property.ONLY_WRITERS in properties:
            _writers(search, found, writers)
    except Exhausted:
        found.open.setdefault(f"the search, which stopped after {work} steps: the policy tells too much apart")
    ordered = sorted(found.bypasses, key=lambda each: list(Kind).index(each.kind))
    holds = Truth.NO if ordered else Truth.OPEN if found.open else Truth.YES
    return Proof(
        properties=tuple(properties),
        at=at,
        holds=holds,
        bypasses=tuple(ordered),
        open=tuple(found.open),
        reasons={place: tuple(reasons) for place, reasons in found.reasons.items()},
        openings=tuple(found.openings),
        grants_closed=found.grants_closed,
        steps=min(budget.used, work),
    )


@dataclass(slots=True)
class _Found:
    """What the search has come to so far."""

    bypasses: list[Bypass] = field(default_factory=list)
    open: dict[str, None] = field(default_factory=dict)
    reasons: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
    grants_closed: Truth = Truth.OPEN
    _doubted: set[tuple[str, str]] = field(default_factory=set)

    def told(self, action: str, kind: Kind, told: Told) -> None:
        """Keep why a way is closed, or open."""
        self.reasons.setdefault((action, kind.value), {}).update(told.stopped)
        self.open.update(told.open)

    def doubt(self, strangers: Iterable[Stranger]) -> None:
        """Keep why it is not decided whether strangers get by: for each statement and action one of them."""
        for each in strangers:
            if (each.label, each.action) not in self._doubted:
                self._doubted.add((each.label, each.action))
                self.open[each.why] = None

    def has(self, kind: Kind, asked: Property) -> bool:
        """Whether a bypass of the kind was found already."""
        return any(each.kind is kind and (each.property is asked or kind not in _DOCUMENTS) for each in self.bypasses)


def _forbidden(
    policies: Policies, properties: Sequence[Property], recorded: "Ledger | None"
) -> Mapping[Property, Forbidden]:
    found: dict[Property, Forbidden] = {}
    for each in properties:
        if each is Property.NO_UNATTESTED_DECRYPT:
            found[each] = unnamed(named_registers(policies.key))
        elif each is Property.ONLY_RECORDED:
            if recorded is None:
                raise ValueError("only recorded images: of which ledger?")
            found[each] = unrecorded(recorded)
    return found


def _look(search: Search, found: _Found, forbidden: Mapping[Property, Forbidden]) -> None:
    """Fill in what every caller, action and way come to."""
    for action in READS:
        for group in search.groups:
            for mode in search.modes(group, action):
                for asked, clauses in forbidden.items():
                    _one(search, found, group, action, mode, asked, clauses)
    for action in READS:
        for mode, (asked, clauses) in itertools.product(unplayed(action), forbidden.items()):
            if not found.has(_kind(action, mode), asked):
                found.doubt(search.strangers(action, mode, clauses))
    if search.callers.incomplete:
        found.open.setdefault(search.callers.incomplete)
    _grants(search, found, forbidden)
    _openings(search, found)


def _one(  # noqa: PLR0913, PLR0917  (one way of the search)
    search: Search, found: _Found, group: Group, action: str, mode: Mode, asked: Property, clauses: Forbidden
) -> None:
    kind = _kind(action, mode)
    if found.has(kind, asked):
        return
    told = search.way(group, action, mode, clauses)
    if told.found is not None:
        found.bypasses.append(_bypass(told.found, group, kind, asked))
    else:
        found.told(action, kind, told)


def _kind(action: str, mode: Mode) -> Kind:
    if mode.via:
        return Kind.SERVICE
    if mode.platform is Platform.TPM:
        return Kind.TPM
    if mode.platform is Platform.ENCLAVE:
        return Kind.DEBUG if mode.debug else Kind.IMAGE
    return Kind.REENCRYPT if action == READS[-1] else Kind.NOTHING


def _bypass(found: Found, group: Group, kind: Kind, asked: Property, then: Then | None = None) -> Bypass:
    return Bypass(
        kind=kind,
        property=asked,
        who=group.first.what,
        request=found.request,
        decision=found.decision,
        policies=found.policies,
        iam=found.iam,
        then=then,
    )


# Grants -------------------------------------------------------------------------------------------------------------


def _grants(search: Search, found: _Found, forbidden: Mapping[Property, Forbidden]) -> None:
    """Look what a grant would open, and who could make one."""
    working = _working(search, forbidden)
    shut = Truth.OPEN if working.perhaps or not forbidden else Truth.YES
    found.grants_closed = Truth.NO if working.ways else shut
    for group in search.groups:
        for mode in search.modes(group, CREATE_GRANT):
            _made(search, found, group, mode, working)
    if (working.ways or working.perhaps) and not any(each.kind is Kind.GRANT for each in found.bypasses):
        for only in (working.only, working.further) if working.ways else (None,):
            found.doubt(search.strangers(CREATE_GRANT, only=only))


def _working(search: Search, forbidden: Mapping[Property, Forbidden]) -> Working:
    """Return what a grant would open."""
    working = Working()
    for action, group in itertools.product(READS, search.groups):
        for mode, (asked, clauses) in itertools.product(search.modes(group, action), forbidden.items()):
            told = search.way(group, action, mode, clauses, hypothetical=True)
            working.perhaps.update(told.open)
            for who in group.members:
                if told.found:
                    working.ways.setdefault((action, who.caller.arn), (asked, told.found))
                elif told.open:
                    working.maybe.add((action, who.caller.arn))
    _given_to_strangers(search, forbidden, working)
    for group in search.groups if working.ways else ():
        ways = (search.way(group, CREATE_GRANT, mode, hypothetical=True) for mode in search.modes(group, CREATE_GRANT))
        if any(told.found or told.open for told in ways):
            working.makers.update(who.caller.arn for who in group.members)
    return working


def _given_to_strangers(search: Search, forbidden: Mapping[Property, Forbidden], working: Working) -> None:
    """Add what a grant may open to somebody whom nobody here can play."""
    for action in READS:
        for mode, clauses in itertools.product(unplayed(action), forbidden.values()):
            more = search.strangers(action, mode, clauses, hypothetical=True)
            for each in more:
                working.perhaps[each.why] = None
                working.maybe.add((action, each.name))


def _made(search: Search, found: _Found, group: Group, mode: Mode, working: Working) -> None:
    """Look whether a caller of the group can make a grant that works."""
    if not working.ways and not working.perhaps:
        found.told(CREATE_GRANT, Kind.GRANT, Told(stopped={"every grant is denied again what it gives": None}))
        return
    told = search.way(group, CREATE_GRANT, mode, only=working.only if working.ways else None)
    if told.found is None:
        found.told(CREATE_GRANT, Kind.GRANT, told)
        more = search.way(group, CREATE_GRANT, mode, only=working.further) if working.ways else told
        if more.found or more.open:
            found.open.setdefault("a grant that somebody can make, and whose grantee can make another one")
        if told.open and GRANTEE in _keys(search):
            found.open.setdefault("whether kms:GranteePrincipal lets somebody have a grant whom nobody here can play")
    elif not working.ways:
        found.open.update(working.perhaps)
    elif not any(each.kind is Kind.GRANT for each in found.bypasses):
        _granting(search, found, group, told.found, working.ways)


def _granting(
    search: Search,
    found: _Found,
    group: Group,
    maker: Found,
    working: Mapping[tuple[str, str], tuple[Property, Found]],
) -> None:
    """Keep a grant that somebody can make, and the request that it allows."""
    parent = maker.decision.grant
    operations = maker.request.actual(OPERATIONS).values
    grantees = maker.request.actual(GRANTEE).values or (maker.request.caller.arn,)
    ordered = sorted(working.items(), key=lambda each: each[0][1] != maker.request.caller.arn)
    for (action, arn), (asked, allowed) in ordered:
        operation = action.removeprefix("kms:")
        if parent is not None and operation not in parent.operations:
            continue
        if (operations and operation not in operations) or (GRANTEE in _keys(search) and arn not in grantees):
            continue
        grant = Grant(id="made-by-the-caller", grantee=arn, operations=operations or (operation,))
        if parent is not None:  # a grant that is made by a grant has its constraints
            grant = replace(grant, equals=parent.equals, subset=parent.subset, unknown=parent.unknown)
        who = next(each for one in search.groups for each in one.members if each.caller.arn == arn)
        context = constrained(allowed.request.encryption_context, grant.context)
        request = replace(allowed.request, caller=who.caller, encryption_context=context)
        decision = decide(request, replace(allowed.policies, grants=(grant,)))
        if decision.verdict is Verdict.ALLOWED:
            then = Then(grant=grant, decision=decision, iam=allowed.iam)
            found.bypasses.append(_bypass(maker, group, Kind.GRANT, asked, then))
            return
    found.open.setdefault("a grant that somebody can make, and nobody that was tried can use")


def _keys(search: Search) -> set[str]:
    return {each.variable for rule in search.rules for each in rule.atoms}


def _writers(search: Search, found: _Found, writers: Sequence[str]) -> None:
    """Look whether somebody else may replace the policy."""
    action = "kms:PutKeyPolicy"
    known = {(caller.partition, caller.account, caller.name.lower()) for caller in map(callers.parse, writers)}
    for group in search.groups:
        others = [
            each
            for each in group.members
            if (each.caller.partition, each.caller.account, each.caller.name.lower()) not in known
            or each.caller.kind is not callers.Is.ROLE
        ]
        for mode in search.modes(group, action) if others else ():
            told = search.way(replace(group, first=others[0]), action, mode)
            if told.found is None:
                found.told(action, Kind.WRITER, told)
            elif not any(each.kind is Kind.WRITER for each in found.bypasses):
                found.bypasses.append(
                    _bypass(told.found, replace(group, first=others[0]), Kind.WRITER, Property.ONLY_WRITERS)
                )
    if not found.has(Kind.WRITER, Property.ONLY_WRITERS):
        found.doubt(search.strangers(action))


def _openings(search: Search, found: _Found) -> None:
    """Look who may change the gate."""
    for action in GATE:
        for group in search.groups:
            for mode in search.modes(group, action):
                told = search.way(group, action, mode)
                if told.found is None and not told.open:
                    continue
                found.openings += [
                    Opening(
                        action=action,
                        who=who,
                        request=told.found.request if told.found else None,
                        iam=told.found is None or told.found.iam,
                    )
                    for who in group.members
                ]
                break
        told_of = any(each.action == action for each in found.openings)
        names = dict.fromkeys(each.name for each in search.strangers(action))
        found.openings += [
            Opening(action=action, who=NOBODY, request=None, iam=True, name=name)
            for name in names
            if name != UNNAMED or not told_of  # who lets everybody or an account is told of already
        ]
