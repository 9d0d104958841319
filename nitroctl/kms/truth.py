"""Yes, no, and "that was not said": the three answers that a statement can give about a request.

Who asks what a policy lets through rarely knows every condition key of the request (an organisation, a VPC endpoint, a
tag). What is not known stays open through every combination (strong Kleene logic), so that it can end neither in a yes
nor in a no that the policy did not give.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NoReturn


class Truth(StrEnum):
    """One of the three answers."""

    YES = "yes"
    NO = "no"
    OPEN = "open"

    def __bool__(self) -> NoReturn:
        message = "a Truth is not a boolean: compare it"
        raise TypeError(message)

    @property
    def inverse(self) -> "Truth":
        """No for yes, yes for no; what is open stays so."""
        return _INVERSE[self]


_INVERSE = {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.OPEN: Truth.OPEN}


def of(known: bool) -> Truth:  # noqa: FBT001  (a conversion)
    """Return the answer that a boolean is."""
    return Truth.YES if known else Truth.NO


def all_of(answers: Iterable[Truth]) -> Truth:
    """Return yes when every answer is, no when one is no; yes for none at all."""
    found = set(answers)
    return Truth.NO if Truth.NO in found else Truth.OPEN if Truth.OPEN in found else Truth.YES


def any_of(answers: Iterable[Truth]) -> Truth:
    """Return yes when one answer is, no when every one is no; no for none at all."""
    found = set(answers)
    return Truth.YES if Truth.YES in found else Truth.OPEN if Truth.OPEN in found else Truth.NO
