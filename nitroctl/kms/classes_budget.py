"""How much a search may do: a policy is hostile until it is checked, and no answer is better than none in time."""

from dataclasses import dataclass


class Exhausted(Exception):
    """The steps are used up."""


@dataclass(slots=True)
class Budget:
    """Steps that may still be taken. One step is about a microsecond's work; the machine's speed is no part of it."""

    limit: int
    used: int = 0

    def spend(self, steps: int = 1) -> None:
        """Take steps. Raises Exhausted when there are not as many left."""
        self.used += steps
        if self.used > self.limit:
            raise Exhausted
