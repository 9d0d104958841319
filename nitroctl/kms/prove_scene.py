"""One caller who asks for one action: the statements about it, the keys they look at, and the values that these have.

What a request carries depends on how it comes about (:class:`Mode`): attesting nothing, through an AWS service, from an
enclave in debug mode or not, from a NitroTPM. Keys that follow from it, or from who calls, have one value each; all
others are free, be they ever so unlikely: what was not said may be so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from nitroctl import pcr
from nitroctl.kms import actions, patterns
from nitroctl.kms.classes import (
    ALWAYS,
    TIME,
    TIMES,
    Atom,
    Choice,
    Domain,
    domain,
    judged,
    registers,
    times,
)
from nitroctl.kms.classes_budget import Budget
from nitroctl.kms.classes_callers import FROM_CALLER, CallerClass, foreign_arns
from nitroctl.kms.classes_keys import CONTEXT, CONTEXT_KEYS
from nitroctl.kms.grants import constrained
from nitroctl.kms.letters import folded
from nitroctl.kms.operators import ABSENT, Actual, Presence, present
from nitroctl.kms.patterns import Unresolved
from nitroctl.kms.prove_rules import About
from nitroctl.kms.request import Attested, Platform, Request, register
from nitroctl.kms.truth import Truth

ATTESTATION: Final = "kms:recipientattestation"
CREATE_GRANT: Final = "kms:CreateGrant"
_REENCRYPT: Final = "kms:ReEncryptFrom"
#: Keys that only an AWS service that calls for somebody adds.
_VIA: Final = (
    "kms:viaservice",
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
)
_VIA_SERVICE: Final = "aws:viaawsservice"
_SAME_KEY: Final = "kms:reencryptonsamekey"
#: Keys of which nobody says what they have when a federated user calls, or a service for itself.
_OF_STRANGERS: Final = (*FROM_CALLER, *_VIA, _VIA_SERVICE)
_OF_WHOM: Final = "aws:principal"
_OF_GRANTS: Final = (
    "kms:grantconstrainttype",
    "kms:grantconstraintsourcearn",
    "kms:granteeprincipal",
    "kms:grantisforawsresource",
    "kms:grantoperations",
    "kms:retiringprincipal",
)
#: Steps that a comparison of a type takes, where it is more than text takes.
_COSTLY: Final = {"address": 20, "date": 8, "number": 4, "binary": 4}
#: What a variable stands for whose value the request is free to choose.
_GUESS: Final = "other"


@dataclass(frozen=True, slots=True)
class Mode:
    """How a request comes about. ``platform``: what attests, None for nothing. ``debug``: an enclave in debug mode."""

    platform: Platform | None = None
    debug: bool = False
    via: bool = False


@dataclass(slots=True, kw_only=True)
class Values:
    """Domains and the answers of conditions on them, worked out once.

    ``arns``: of callers. ``contexts``: values of an encryption context that grants name, by condition key; ``names``:
    its names, as the grants write them.
    """

    at: datetime
    budget: Budget
    arns: Sequence[str] = ()
    contexts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Sequence[str] = ()
    _domains: dict[object, Domain] = field(default_factory=dict)
    _answers: dict[object, tuple[int, int]] = field(default_factory=dict)
    _present: dict[Domain, tuple[int, int]] = field(default_factory=dict)

    def of(self, key: object, make: Callable[[], Domain]) -> Domain:
        """Return the domain of that key, made at the first time."""
        if key not in self._domains:
            self._domains[key] = make()
        return self._domains[key]

    def present(self, values: Domain) -> tuple[int, int]:
        """Return the bits of the values with which a key is there, and of those without."""
        if values not in self._present:
            self.budget.spend(len(values.choices))
            self._present[values] = (
                values.where(lambda one: one.actual.presence is Presence.PRESENT),
                values.where(lambda one: one.actual.presence is Presence.ABSENT),
            )
        return self._present[values]

    def answers(self, key: object, atom: Atom, values: Domain, lookup: patterns.Lookup) -> tuple[int, int]:
        """Return the bits of the values for which a condition holds, and of those for which it does not."""
        found = self._answers.get((key, atom, values))
        if found is None:
            costs = _COSTLY.get(atom.family, 2)
            self.budget.spend(costs * len(values.choices) * (4 + len(atom.condition.values)))
            truths = [judged(atom, choice, lookup).truth for choice in values.choices]
            found = (
                sum(1 << at for at, truth in enumerate(truths) if truth is Truth.YES),
                sum(1 << at for at, truth in enumerate(truths) if truth is Truth.NO),
            )
            self._answers[key, atom, values] = found
        return found


class Scene:
    """One caller, action and mode under the rules. ``stranger``: somebody whom no :class:`Caller` can be."""

    def __init__(  # noqa: PLR0913  (what a request has)
        self,
        who: CallerClass,
        action: str,
        mode: Mode,
        about: Sequence[About],
        values: Values,
        *,
        key: str = "",
        stranger: bool = False,
    ) -> None:
        self.who, self.action, self.mode, self.values = who, action, mode, values
        self.base = Request(caller=who.caller, action=action, at=values.at, key=key, given=who.given)
        self.about = about
        self._stranger = stranger
        self._by: dict[str, list[Atom]] = {}
        for each in about:
            for one in each.rule.atoms:
                self._by.setdefault(one.variable, []).append(one)
        self._domains: dict[str, Domain] = {}
        self._own = (who.caller, action, mode)  # what the values of policy variables hang on
        self.names = {name for atoms in self._by.values() for each in atoms for name in each.names}

    @property
    def variables(self) -> Iterable[str]:
        """The keys that the statements look at."""
        return self._by

    @property
    def indirect(self) -> bool:
        """Whether a statement looks at what only an AWS service adds."""
        return any(name in self._by for name in (*_VIA, _VIA_SERVICE))

    def attests(self, platform: Platform) -> bool:
        """Whether a statement looks at a register of the platform."""
        return any(atom.place and atom.place[0] is platform for atoms in self._by.values() for atom in atoms)

    def fixed(self, variable: str) -> Actual | None:  # noqa: PLR0911  (a table of cases)
        """Return what a key has in every request of the scene; None when it is free."""
        if variable.startswith(ATTESTATION):
            free = self.mode.platform is not None and any(
                each.place and each.place[0] is self.mode.platform for each in self._by.get(variable, ())
            )
            return None if free else ABSENT
        if variable in (TIME, *TIMES) or (
            self._stranger and (variable in _OF_STRANGERS or variable.startswith(_OF_WHOM))
        ):
            return None
        if variable in _VIA:
            return None if self.mode.via else ABSENT
        if variable == _SAME_KEY and self.action == _REENCRYPT:
            return present("false")  # a ciphertext that the same key opens again gives nothing that Decrypt does not
        if variable == _VIA_SERVICE:
            return present("true" if self.mode.via else "false")
        if variable.startswith(CONTEXT) or variable == CONTEXT_KEYS:
            return None if self.action in (*actions.WITH_CONTEXT, CREATE_GRANT) else ABSENT
        if variable in _OF_GRANTS and self.action != CREATE_GRANT:
            return ABSENT
        actual = self.base.actual(variable)
        return None if actual.presence is Presence.UNKNOWN else actual

    def domain(self, variable: str) -> Domain:
        """Return the values of a key."""
        if variable not in self._domains:
            self._domains[variable] = self._made(variable)
        return self._domains[variable]

    def _made(self, variable: str) -> Domain:
        fixed = self.fixed(variable)
        if fixed is not None:
            return self.values.of((variable, fixed), lambda: Domain((Choice(fixed),)))
        atoms = self._by.get(variable, [])
        key = (variable, frozenset(atoms), self._own if any(each.names for each in atoms) else None)
        budget = self.values.budget
        if variable == TIME:
            return self.values.of(key, lambda: times(atoms, self.values.at))
        place = next((each.place for each in atoms if each.place), None) or register(variable)
        if place is not None:
            known = place
            return self.values.of(key, lambda: registers(known, atoms, budget))
        if self._stranger and variable == "aws:principalarn":
            arns = (Choice(present(arn)) for arn in foreign_arns(atoms, budget))
            return self.values.of(("stranger", key), lambda: Domain((*arns, Choice(ABSENT))))
        if variable == "kms:granteeprincipal":
            return self.values.of(key, lambda: self._grantees(atoms))
        wanted = [*([_GUESS] if variable in self.names else []), *self.values.contexts.get(variable, ())]
        if variable == "kms:grantoperations":
            wanted += [action.removeprefix("kms:") for action in (*actions.ATTESTED[:4], _REENCRYPT, CREATE_GRANT)]
        spelled: list[str] = []
        if variable == CONTEXT_KEYS:
            spelled = [self.context_name(each) for each in self._by if each.startswith(CONTEXT)]
            spelled += self.values.names  # a grant's constraints compare names without case
            wanted = [*dict.fromkeys([*wanted, *spelled])]
        return self.values.of(
            (key, tuple(wanted)), lambda: domain(variable, atoms, self.lookup, budget, wanted, spelled)
        )

    def _grantees(self, atoms: Sequence[Atom]) -> Domain:
        """Return the callers that there are, and every other text that the policy tells apart."""
        others = domain("kms:granteeprincipal", atoms, self.lookup, self.values.budget)
        known = {choice.actual.values for choice in others.choices}
        own = [Choice(present(arn)) for arn in self.values.arns if (arn,) not in known]
        return Domain((*own, *others.choices), others.incomplete)

    def context_name(self, variable: str) -> str:
        """Return the name of an encryption context's member as the policy writes it."""
        atoms = self._by.get(variable)
        return (atoms[0].condition.key if atoms else variable)[len(CONTEXT) :]

    def lookup(self, key: str) -> str | Unresolved:
        """Return the text of a policy variable: as the caller has it, or a guess where the request may choose."""
        fixed = self.fixed(folded(key))
        if fixed is None:
            return _GUESS if ":" in key else Unresolved.UNKNOWN
        if fixed.presence is Presence.ABSENT:
            return Unresolved.ABSENT
        return fixed.values[0] if len(fixed.values) == 1 else Unresolved.UNKNOWN

    def answers(self, atom: Atom, *, strict: bool) -> tuple[int, int]:
        """Return the bits of the values for which a condition may hold, and of those for which it may fail.

        ``strict``: what is open is neither; otherwise it is both.
        """
        values = self.domain(atom.variable)
        yes, no = self.values.answers(self._own if atom.names else None, atom, values, self.lookup)
        if strict:
            return yes, no
        if values.incomplete or self.opaque(atom):
            return values.all, values.all
        return values.all & ~no, values.all & ~yes

    def opaque(self, atom: Atom) -> bool:
        """Whether a condition compares with what the request may choose, or with what a caller is called."""
        return self.chosen(atom) or not atom.names.isdisjoint(FROM_CALLER)

    def chosen(self, atom: Atom) -> bool:
        """Whether a condition compares with what the request may choose."""
        return any(name.startswith(ATTESTATION) or self.fixed(name) is None for name in atom.names)

    def start(self) -> dict[str, int]:
        """Return the box of all values that the mode allows."""
        box = {variable: self.domain(variable).all for variable in dict.fromkeys([*self._by, *self._chosen()])}
        for variable in box:
            values = self.domain(variable)
            place = register(variable)
            if variable == "kms:viaservice" and self.mode.via:
                box[variable] &= values.where(lambda choice: choice.actual.presence is not Presence.ABSENT)
            if place and place[0] is Platform.ENCLAVE and self.mode.platform is Platform.ENCLAVE and place[1] in ALWAYS:
                zero = values.where(lambda choice: choice.register == pcr.ZERO)
                box[variable] &= zero if self.mode.debug else ~zero
        return box

    def _chosen(self) -> Iterator[str]:
        """Yield the keys that policy variables name and the request is free to have."""
        for name in sorted(self.names):
            if ":" in name and name not in TIMES and self.fixed(name) is None:
                yield name

    def request(self, box: Mapping[str, int], wanted: Mapping[str, str]) -> Request:
        """Return a request that has a value of the box for each key, and ``wanted`` in its encryption context."""
        chosen = {variable: self._choose(variable, bits) for variable, bits in box.items()}
        given, at, pcrs = dict(self.who.given), self.values.at, dict[int, bytes]()
        if self.mode.platform is Platform.ENCLAVE:
            pcrs = {index: pcr.ZERO if self.mode.debug else _any_register(index) for index in ALWAYS}
        contexts = self.action in actions.WITH_CONTEXT
        said = chosen[CONTEXT_KEYS].actual.values if CONTEXT_KEYS in chosen else ()
        context = constrained(dict.fromkeys(said, _GUESS), wanted) if contexts else {}
        names = {folded(name): name for name in context}
        for variable, choice in chosen.items():
            place = register(variable)
            if choice.at is not None:
                at = choice.at
            elif place and self.fixed(variable) is None:
                if choice.register is None:
                    given[variable] = ABSENT
                else:
                    pcrs[place[1]] = choice.register
            elif contexts and variable.startswith(CONTEXT):
                if choice.actual.presence is Presence.PRESENT:
                    context[names.get(variable[len(CONTEXT) :], self.context_name(variable))] = choice.actual.values[0]
            elif not (contexts and variable == CONTEXT_KEYS) and choice.actual != self.base.actual(variable):
                given[variable] = choice.actual
        attested = None
        if self.mode.platform is not None:
            attested = Attested(platform=self.mode.platform, pcrs=pcrs, complete=False)
        return Request(
            caller=self.who.caller,
            action=self.action,
            at=at,
            key=self.base.key,
            attested=attested,
            encryption_context=context,
            given=given,
        )

    def _choose(self, variable: str, bits: int) -> Choice:
        """Return one of the values: that the key is absent if it may be, but of a register one that nothing names."""
        choices = self.domain(variable).choices
        last = choices[-1]
        if variable in self.names:
            guess = self.domain(variable).where(lambda one: one.actual.values == (_GUESS,))
            bits = bits & guess or bits
        absent = last.actual.presence is Presence.ABSENT and last.at is None and not register(variable)
        if absent and bits >> (len(choices) - 1) & 1:
            return last
        return choices[(bits & -bits).bit_length() - 1]

    def fits(self, box: Mapping[str, int], *, strict: bool) -> Mapping[str, int] | None:
        """Return the box with an encryption context whose names are those that its keys say; None if there is none."""
        if CONTEXT_KEYS not in box or self.action not in actions.WITH_CONTEXT:
            return box
        keys = self.domain(CONTEXT_KEYS)
        names = [(each, each[len(CONTEXT) :]) for each in box if each.startswith(CONTEXT)]
        # Which names are one but for case is open beyond ASCII.
        if not strict and (keys.incomplete or not all(name.isascii() for _, name in names)):
            return box
        # Names that the other keys of the box ask for, or do not allow.
        ways = {each: [bool(box[each] & bits) for bits in self.values.present(self.domain(each))] for each, _ in names}
        needed = {name for each, name in names if not ways[each][1]}
        barred = {name for each, name in names if not ways[each][0]}
        self.values.budget.spend(len(names) + len(keys.choices))
        for at, choice in sorted(enumerate(keys.choices), key=lambda each: len(each[1].actual.values)):
            if not box[CONTEXT_KEYS] >> at & 1 or "" in choice.actual.values:
                continue
            said = {folded(name) for name in choice.actual.values}
            twice = len(said) < len(choice.actual.values)  # in letters of another case: one key, of several values
            if needed <= said and said.isdisjoint(barred) and not (strict and twice):
                there = {each: self.values.present(self.domain(each))[name not in said] for each, name in names}
                return {**box, CONTEXT_KEYS: 1 << at, **{each: box[each] & bits for each, bits in there.items()}}
        return None


def _any_register(index: int) -> bytes:
    return pcr.from_digest(f"{Platform.ENCLAVE} {index}".encode().ljust(pcr.PCR_BYTES))
