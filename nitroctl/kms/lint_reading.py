"""A key policy as the rules of ``kms lint`` see it: who is let in to what, and what every Deny shuts.

Four kinds of callers are told apart, as far as attestation goes: one that attests nothing, one that attests an enclave
image nobody named, one that attests a NitroTPM image nobody named, and those that are meant. A statement that lets one
of the first three in is *open* to it; a Deny that has no other condition and matches all of its principals *closes* it.
What a Deny with further conditions closes is not counted, nor what one on a register does that an image nobody named
can have as the policy wants it (:mod:`.lint_gates`). Source: IAM "Condition operators" (absent keys); KMS Developer
Guide, "Condition keys for attestation".
"""

import functools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nitroctl.kms import actions, operators, patterns
from nitroctl.kms.caller import account_of
from nitroctl.kms.document import Condition, PolicyDocument, Principal, Statement
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.letters import folded
from nitroctl.kms.lint_gates import OWN, Gate, Register, Stranger, register_of
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.truth import Truth
from nitroctl.records import Ledger

_ALL: Final = frozenset(actions.ALL)
_BY_NAME: Final = {action.lower(): action for action in actions.ALL}
_NAMES: Final = "\n".join(_BY_NAME)
_LONGEST: Final = max(map(len, _BY_NAME))
#: The attested actions, and those of them that are on a key.
DATA5: Final = frozenset(actions.ATTESTED)
DATA4: Final = DATA5.difference(actions.KEYLESS)
REENCRYPT: Final = "kms:ReEncryptFrom"
CREATE_GRANT: Final = "kms:CreateGrant"
PUT_POLICY: Final = "kms:PutKeyPolicy"

_SUSPECT: Final = re.compile(r"attest|pcr\d|imagesha|nitrotpm")
_ACCOUNT: Final = re.compile(r"(?:arn:[a-z0-9-]+:iam::)?([0-9]{12})(?::root)?")
#: Keys that say who calls or from which account or organisation, in lower case.
CALLER_KEYS: Final = {
    "aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:userid",
    "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourcearn", "kms:calleraccount",
}  # fmt: skip
#: Stands for the account that a plan or a template does not say.
SOME_ACCOUNT: Final = "000000000000"
CONTEXT_PREFIX: Final = "kms:encryptioncontext:"


@dataclass(frozen=True)
class View:
    """A statement taken apart. ``actions``: those of KMS that it reaches. ``others``: conditions not on attestation.

    ``applies``: it can be about this key; for a Deny, it surely is.
    """

    statement: Statement
    actions: frozenset[str]
    gates: tuple[Gate, ...]
    others: tuple[Condition, ...]
    applies: bool

    @property
    def allows(self) -> bool:
        """Whether it is an Allow that can be about this key."""
        return self.statement.effect is Effect.ALLOW and self.applies

    @property
    def denies(self) -> bool:
        """Whether it is a Deny."""
        return self.statement.effect is Effect.DENY

    @property
    def principal(self) -> Principal:
        """Whom it is about."""
        return self.statement.principal

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Its principals of any kind, as written; none when they are excepted."""
        who = self.principal
        return () if who.negated else (*who.aws, *who.services, *who.federated, *who.canonical_users)

    @functools.cached_property
    def everybody(self) -> bool:
        """Whether it is about everybody; an Allow that excepts somebody is."""
        return "*" in self.principal.aws if not self.principal.negated else self.statement.effect is Effect.ALLOW

    @functools.cached_property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that it names whole."""
        found = (_ACCOUNT.fullmatch(name) for name in (() if self.principal.negated else self.principal.aws))
        return tuple(match[1] for match in found if match)

    @functools.cached_property
    def bound(self) -> Mapping[Register, frozenset[str]]:
        """The registers that must be there, each with the values it may have, in lower case."""
        found: dict[Register, frozenset[str]] = {}
        present = {gate.register for gate in self.gates if gate.needs_presence}
        for gate in self.gates:
            if gate.register is not None and (gate.binding or (gate.positive and gate.register in present)):
                values = frozenset(value.lower() for value in gate.condition.values)
                found[gate.register] = found[gate.register] & values if gate.register in found else values
        return found

    def open_to(self, who: Stranger) -> bool:
        """Whether its conditions on attestation let ``who`` by."""
        return all(gate.holds(who) for gate in self.gates)

    def binds(self, register: Register) -> bool:
        """Whether it must have a value there that not every image can have."""
        values = self.bound.get(register, frozenset())
        return bool(values) and not any(wild(value) or register.may_be(value) for value in values)

    def shuts(self, who: Stranger, own: frozenset[Register]) -> bool:
        """Whether, for a Deny, its conditions on attestation surely hold for ``who``, as :meth:`Gate.shuts`."""
        return all(gate.shuts(who, own) for gate in self.gates)

    @functools.cached_property
    def attested(self) -> bool:
        """Whether it is an Allow for those who attest something, and nobody else."""
        return self.allows and bool(self.gates) and not self.open_to(Stranger.UNATTESTED)

    def has(self, keys: Iterable[str]) -> bool:
        """Whether a condition that must be met by a value that is there names one of ``keys``, in lower case."""
        return any(_demands(each) and folded(each.key) in keys for each in self.others)

    @property
    def context(self) -> bool:
        """Whether an encryption context is asked for."""
        return any(_demands(each) and folded(each.key).startswith(CONTEXT_PREFIX) for each in self.others)


def _demands(condition: Condition) -> bool:
    name = folded(condition.operator.name)
    if name == "null":
        return folded(condition.key).startswith(CONTEXT_PREFIX) and "false" in condition.values
    return (
        not condition.operator.if_exists
        and condition.operator.set_operator != "ForAllValues"
        and not operators.negated(condition.operator)
        and "*" not in condition.values
    )


class _Shut:
    """Whom Denies keep from one action: by name, or because they name the whole account."""

    __slots__ = ("accounts", "everybody", "names")

    def __init__(self) -> None:
        self.everybody = False
        self.names = set[str]()
        self.accounts = set[str]()

    def add(self, deny: View) -> None:
        self.everybody = self.everybody or deny.everybody
        self.names.update(deny.names)
        self.accounts.update(deny.accounts)

    def shuts(self, names: Collection[str]) -> bool:
        """Whether all of ``names`` are kept out."""
        return self.everybody or (bool(names) and bool(self.names) and all(map(self._covers, names)))

    def _covers(self, name: str) -> bool:
        return name in self.names or account_of(name) in self.accounts


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator says beside the policy. ``writers``: who may rewrite it, None when that was not said.

    ``ledger``: the recorded measurements, None when there are none to compare with. ``debug``: zero registers are
    meant.
    """

    writers: tuple[str, ...] | None = None
    ledger: Ledger | None = None
    debug: bool = False


@dataclass(frozen=True)
class Reading:
    """A policy, what is known of its key, and what is wanted of it."""

    document: PolicyDocument
    key: KeyFacts
    wanted: Wanted
    views: tuple[View, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Take the statements apart once."""
        views = tuple(_view(statement, self.key) for statement in self.document.statements)
        object.__setattr__(self, "views", views)

    @functools.cached_property
    def allows(self) -> tuple[View, ...]:
        """The statements that can allow something."""
        return tuple(view for view in self.views if view.allows)

    @functools.cached_property
    def denies(self) -> tuple[View, ...]:
        """The statements that deny."""
        return tuple(view for view in self.views if view.denies)

    @functools.cached_property
    def _shut(self) -> Mapping[Stranger, Sequence[Mapping[str, _Shut]]]:
        """For each stranger, as he may be, and each action whom a Deny that surely applies keeps out."""
        found: dict[Stranger, list[dict[str, _Shut]]] = {}
        denies = [view for view in self.denies if view.applies and not view.others]
        for who, own in ((who, own) for who, each in OWN.items() for own in each):
            here = {action: _Shut() for action in actions.ALL}
            found.setdefault(who, []).append(here)
            for view in denies:
                if view.shuts(who, own):
                    for action in view.actions:
                        here[action].add(view)
        return found

    def denied_to_all(self, who: Stranger) -> frozenset[str]:
        """Return the actions that are denied to everybody who comes as ``who``."""
        return frozenset(action for action in actions.ALL if all(each[action].everybody for each in self._shut[who]))

    def closed(self, view: View, action: str, who: Stranger) -> bool:
        """Whether Denies that surely apply shut ``action`` to all principals of ``view`` who come as ``who``.

        As far as ``view`` itself does not: it may ask for registers that only an image that is named has.
        """
        return all(
            shut[action].shuts(view.names) or any(map(view.binds, own))
            for own, shut in zip(OWN[who], self._shut[who], strict=True)
        )

    def ways(self, view: View, actions: Iterable[str]) -> dict[Stranger, list[str]]:
        """Return which of ``actions`` an Allow leaves to whom who should not have them, and no Deny closes."""
        found = {
            who: sorted(each for each in view.actions.intersection(actions) if not self.closed(view, each, who))
            for who in Stranger
            if view.open_to(who)
        }
        return {who: left for who, left in found.items() if left}

    def reaches(self, view: View, action: str) -> bool:
        """Whether an Allow gives ``action``, which carries no attestation, to somebody whom no Deny keeps from it."""
        return bool(self.ways(view, [action]).get(Stranger.UNATTESTED))

    @functools.cached_property
    def home(self) -> str:
        """The account of the key; empty when it cannot be told."""
        if self.key.account:
            return self.key.account
        writers = {each for view in self.allows if PUT_POLICY in view.actions for each in accounts_of(view)}
        return writers.pop() if len(writers) == 1 else ""


def accounts_of(view: View) -> frozenset[str]:
    """Return the accounts whose principals a statement names."""
    return frozenset(filter(None, map(account_of, view.names)))


def _view(statement: Statement, key: KeyFacts) -> View:
    gates, others = [], []
    for condition in statement.conditions:
        lower = folded(condition.key)
        if lower.startswith("kms:recipientattestation") or (_SUSPECT.search(lower) and not _context(lower)):
            gates.append(Gate(condition, register_of(condition.key), statement.effect))
        else:
            others.append(condition)
    return View(statement, reached(statement), tuple(gates), tuple(others), _applies(statement, key))


def _context(key: str) -> bool:
    return key.startswith((CONTEXT_PREFIX, "aws:", "kms:resourcealiases", "kms:requestalias"))


def reached(statement: Statement) -> frozenset[str]:
    """Return the actions of KMS that a statement is about."""
    if statement.not_actions:
        return _ALL.difference(*(matching(pattern) for pattern in statement.not_actions))
    return frozenset[str]().union(*(matching(pattern) for pattern in statement.actions))


@functools.lru_cache(maxsize=1 << 18)  # more than a policy of the largest size can name
def matching(pattern: str) -> frozenset[str]:
    """Return the actions of KMS that one pattern of a policy matches; case does not count."""
    if len(pattern) - pattern.count("*") > _LONGEST:
        return frozenset()
    return frozenset(_BY_NAME[name] for name in patterns.lines(folded(pattern), _NAMES))


def wild(pattern: str) -> bool:
    """Whether a pattern has a wildcard."""
    return "*" in pattern or "?" in pattern


def _applies(statement: Statement, key: KeyFacts) -> bool:
    """Whether a statement is about this key: for an Allow when it may be, for a Deny when it must be."""
    allow = statement.effect is Effect.ALLOW
    if statement.not_resources:
        return allow
    return any(names_key(pattern, key.arn, guess=allow) for pattern in statement.resources)


def names_key(pattern: str, arn: str, *, guess: bool) -> bool:
    """Whether a resource pattern names the key ``arn``; ``guess``: what to say of a key's ARN when that is empty."""
    if pattern == "*":
        return True
    if not arn:
        return guess and (re.search(r":key/|\*", pattern) is not None)
    shape = patterns.expand(pattern, None, wildcards=True)
    return not isinstance(shape, patterns.Unresolved) and patterns.matches_arn(shape, arn) is Truth.YES
