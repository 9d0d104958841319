"""Solves what is left of a policy for one caller and one action: a value for each key so that no Deny matches.

A *box* holds, as bits, the values that each key may still have. An Allow cuts the box down to where its conditions
hold; a Deny is a *clause*: one of its conditions must fail. Clauses of one condition cut the box at once, and what is
left is tried condition by condition, the shortest clause first. The walk ends: every branch takes values away.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nitroctl.kms.classes_budget import Budget

#: Bits of the values that a key may have, by key.
Box = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Clause:
    """One of ``parts`` must hold: a key has a value of some bits. ``why``: what the clause is of."""

    parts: Mapping[str, int]
    why: str


@dataclass(slots=True)
class Walk:
    """Looks for boxes in which every value will do. ``stopped``: what stood in the way, in the order it was met."""

    budget: Budget
    stopped: dict[str, None] = field(default_factory=dict)

    def boxes(
        self, box: Box, clauses: Sequence[Clause], fits: Callable[[Box], Box | None] = lambda box: box
    ) -> Iterator[Box]:
        """Yield boxes that meet all clauses, and that ``fits`` cuts down to some that are possible together."""
        first: list[tuple[Box, Sequence[Clause]]] = [(box, clauses)]
        untried = [iter(first)]  # a stack of its own: as many Denies as a policy holds can be nested
        while untried:
            following = next(untried[-1], None)
            if following is None:
                untried.pop()
                continue
            found = self._cut(dict(following[0]), list(following[1]))
            if found is None:
                continue
            here, left = found
            if left:
                untried.append(_branches(here, left))
                continue
            fitting = fits(here)
            if fitting is None:
                self.stopped.setdefault("the encryption context, which cannot be all that at once")
            else:
                yield fitting

    def _cut(self, box: dict[str, int], clauses: list[Clause]) -> tuple[dict[str, int], list[Clause]] | None:
        """Return the box after all clauses with a single way left, and the clauses that are still open."""
        if not all(box.values()):
            return None
        self.budget.spend(1 + len(box) // 16)
        changed = True
        while changed:
            changed, left = False, []
            for clause in clauses:
                self.budget.spend(1 + len(clause.parts))
                ways = [(key, bits & box[key]) for key, bits in clause.parts.items() if bits & box[key]]
                if any(bits == box[key] for key, bits in ways):
                    continue
                if not ways:
                    self.stopped.setdefault(clause.why)
                    return None
                if len(ways) == 1:
                    [(key, bits)] = ways
                    box[key] = bits
                    changed = True
                else:
                    left.append(clause)
            clauses = left
        return box, clauses


def _branches(here: Box, left: Sequence[Clause]) -> Iterator[tuple[Box, Sequence[Clause]]]:
    """Yield the box with each way to meet the shortest clause, less the ways before."""
    clause = min(left, key=lambda each: len(each.parts))
    rest = dict(here)
    for key, bits in clause.parts.items():
        if rest[key] & bits:
            yield {**rest, key: rest[key] & bits}, left
        rest[key] &= ~bits
        if not rest[key]:
            return
