"""Whom a key policy lets do what from which image: every principal it tells apart, action and state of attestation.

Every answer is :func:`nitroctl.kms.authorize.decide`'s, asked twice: for a caller without IAM policies, and for one
whose IAM policies allow everything. A request has the encryption context that a statement asks for, whichever lets it
go furthest. Where callers or actions are the same to every statement, one answer stands for them all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from nitroctl.kms import actions
from nitroctl.kms.authorize import Policies, Verdict, decide
from nitroctl.kms.classes_budget import Budget
from nitroctl.kms.classes_callers import CallerClass
from nitroctl.kms.classes_keys import CONTEXT
from nitroctl.kms.everything import everything
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.matrix_columns import Column, columns
from nitroctl.kms.prove_search import Group, Search
from nitroctl.kms.request import Request

if TYPE_CHECKING:
    from nitroctl.kms.operators import Actual
    from nitroctl.records import Ledger

#: Actions on a key whose answer can hang on what is attested.
ATTESTED: Final = tuple(action for action in actions.ATTESTED if action not in actions.KEYLESS)
#: All others on a key.
OTHERS: Final = tuple(action for action in actions.ALL if action not in (*ATTESTED, *actions.KEYLESS))
#: Encryption contexts that are tried.
_CONTEXTS: Final = 8
#: Steps for telling callers apart; a policy that takes more has too many for a table.
_WORK: Final = 5_000_000


class Answer(StrEnum):
    """What a policy says to a request. WITH_IAM: surely to a caller whose IAM policies allow it as well."""

    ALLOWED = "allowed"
    WITH_IAM = "allowed-with-iam"
    OPEN = "open"
    DENIED = "denied"


_ORDER: Final = tuple(Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One principal. ``attested``: the answers by column name and action. ``others``: by action. ``open``: why."""

    who: CallerClass
    attested: Mapping[str, Mapping[str, Answer]]
    others: Mapping[str, Answer]
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The table, and what it was asked with. ``incomplete``: why there may be principals that are not in it."""

    at: datetime
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    contexts: tuple[Mapping[str, str], ...]
    incomplete: str


def matrix(  # noqa: PLR0913  (what is asked, and of what)
    policies: Policies,
    ledger: "Ledger",
    *,
    at: datetime,
    key: str = "",
    contexts: Sequence[Mapping[str, str]] | None = None,
    given: "Mapping[str, Actual] | None" = None,
) -> Matrix:
    """Return the table of ``policies``, whose IAM policies do not count.

    ``contexts``: encryption contexts to try, those that statements ask for when None. ``given``: condition keys of
    every request. Raises :class:`nitroctl.kms.classes_budget.Exhausted` for a policy that tells too many callers apart.
    """
    asked = (*ATTESTED, *OTHERS)
    search = Search(policies, at=at, key=key, budget=Budget(_WORK), asked=asked)
    listed = columns(search.rules, ledger)
    tried = tuple(contexts) if contexts is not None else _contexts(search)
    cells = _Cells(search, policies, tried, given or {})
    order = {id(each): at for at, each in enumerate(search.callers.classes)}
    rows = [row for group in search.groups for row in cells.rows(group, listed)]
    return Matrix(
        at=at,
        columns=listed,
        rows=tuple(sorted(rows, key=lambda row: order[id(row.who)])),
        contexts=tried,
        incomplete=search.callers.incomplete,
    )


def _contexts(search: Search) -> tuple[Mapping[str, str], ...]:
    """Return the encryption contexts that Allow statements ask for, none at all first."""
    found: list[Mapping[str, str]] = [{}]
    for rule in search.rules:
        wanted = {
            each.condition.key[len(CONTEXT) :]: each.condition.values[0]
            for each in rule.atoms
            if each.variable.startswith(CONTEXT) and each.condition.values and each.family == "text"
        }
        if rule.statement.effect is Effect.ALLOW and wanted not in found and len(found) < _CONTEXTS:
            found.append(wanted)
    return tuple(found)


class _Cells:
    """Asks, and remembers what was asked already."""

    def __init__(
        self,
        search: Search,
        policies: Policies,
        contexts: Sequence[Mapping[str, str]],
        given: "Mapping[str, Actual]",
    ) -> None:
        self._search, self._contexts, self._given = search, contexts, given
        self._without = replace(policies, identity=())
        self._with = replace(policies, identity=(everything(),))
        self._grants = policies.grants or ()

    def rows(self, group: Group, listed: Sequence[Column]) -> Iterator[Row]:
        """Yield the rows of callers to whom every statement says the same."""
        known = dict[object, tuple[Answer, tuple[str, ...]]]()
        reasons = dict[str, None]()

        def answer(action: str, column: Column) -> Answer:
            place = (self._alike(group, action), column.name)
            if place not in known:
                known[place] = self._answer(group.first, action, column)
            found, why = known[place]
            reasons.update(dict.fromkeys(why))
            return found

        attested = {column.name: {action: answer(action, column) for action in ATTESTED} for column in listed}
        others = {action: answer(action, listed[0]) for action in OTHERS}
        for who in group.members:
            yield Row(who=who, attested=attested, others=others, open=tuple(reasons))

    def _alike(self, group: Group, action: str) -> object:
        """Return what actions have in common that no statement and no grant tells apart."""
        operation = action.removeprefix("kms:")
        return (
            tuple((each.rule, each.surely, each.direct) for each in group.about[action]),
            action in actions.ATTESTED,
            action in actions.WITH_CONTEXT,
            tuple(operation in grant.operations for grant in self._grants),
        )

    def _answer(self, who: CallerClass, action: str, column: Column) -> tuple[Answer, tuple[str, ...]]:
        best, reasons = Answer.DENIED, tuple[str, ...]()
        for context in self._contexts if action in actions.WITH_CONTEXT else ({},):
            request = Request(
                caller=who.caller,
                action=action,
                at=self._search.at,
                key=self._search.key,
                attested=column.attested,
                encryption_context=context,
                given={**self._given, **who.given},
            )
            found, why = self._asked(request)
            if _ORDER.index(found) < _ORDER.index(best):
                best, reasons = found, why
            elif found is best:
                reasons = tuple(dict.fromkeys((*reasons, *why)))
            if best is Answer.ALLOWED:
                break
        return best, reasons

    def _asked(self, request: Request) -> tuple[Answer, tuple[str, ...]]:
        """Return the answer to one request, and what it depends on: with IAM, whether it takes IAM policies at all."""
        alone, both = decide(request, self._without), decide(request, self._with)
        if alone.verdict is Verdict.ALLOWED:
            return Answer.ALLOWED, ()
        if both.verdict is Verdict.ALLOWED:
            return Answer.WITH_IAM, alone.open
        if Verdict.UNDECIDED in (alone.verdict, both.verdict):
            return Answer.OPEN, alone.open or both.open
        return Answer.DENIED, ()
