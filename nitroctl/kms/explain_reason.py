"""One reason why KMS refuses a call: what is wrong, what to do, and how much it weighs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from nitroctl import pcr

if TYPE_CHECKING:
    from nitroctl.kms.authorize import Traced
    from nitroctl.kms.request import Platform
    from nitroctl.records import Entry


class Bearing(StrEnum):
    """How much a reason weighs.

    DECIDES: with it in the way KMS refuses. ALSO: it would be in the way if what decides were not. POSSIBLE: the files
    cannot show whether it is so.
    """

    DECIDES = "decides"
    ALSO = "also"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A register that is not what a statement asks for. ``expected``: what would do, in hex. ``actual``: in words.

    ``value``: what is attested; None when the document does not have the register. ``expected_of``: the recorded
    versions with an expected value; ``actual_of``: those with the attested one, ``since`` the first of them. ``until``:
    the last recorded version with an expected value.
    """

    platform: "Platform"
    index: int
    expected: tuple[str, ...]
    actual: str
    value: bytes | None
    expected_of: "tuple[Entry, ...]" = ()
    actual_of: "tuple[Entry, ...]" = ()

    @property
    def name(self) -> str:
        """``PCR0``."""
        return pcr.name(self.index)

    @property
    def key(self) -> str:
        """Its condition key."""
        return self.platform.key(self.index)

    @property
    def since(self) -> "Entry | None":
        """The version that was the first to have the attested value."""
        return min(self.actual_of, key=lambda entry: entry.recorded_at, default=None)

    @property
    def until(self) -> "Entry | None":
        """The version that was the last to have an expected value, of the component that changed."""
        here = [each for each in self.expected_of if self.since is None or each.component == self.since.component]
        return max(here, key=lambda entry: entry.recorded_at, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why KMS refuses, or may. ``id``: explained in the catalogue. ``said``, ``do``: sentences without a full stop.

    ``statements``: of the policies, that it is about. ``registers``: that differ.
    """

    id: str
    bearing: Bearing
    said: str
    do: str
    statements: "tuple[Traced, ...]" = ()
    registers: tuple[Difference, ...] = ()
