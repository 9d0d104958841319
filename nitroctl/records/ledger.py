"""All entries together: the rules between them, and the questions asked of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitroctl import pcr
from nitroctl.records.entry import Entry, Fault, Status

if TYPE_CHECKING:
    from datetime import datetime

#: An old release and the one that replaces it; more at once is a rollout that was never finished. A ledger may say
#: another number, up to this limit.
MAX_ACTIVE: Final = 2
MAX_ACTIVE_LIMIT: Final = 64

_STATUS_RANK: Final = {Status.ACTIVE: 3, Status.CANDIDATE: 2, Status.RETIRED: 1, Status.REVOKED: 0}


@dataclass(frozen=True, slots=True)
class Nearest:
    """The entry that comes closest to some registers.

    ``equal`` and ``differing`` are pinned indexes; ``absent`` are pinned ones for which no value was given.
    """

    entry: Entry
    equal: tuple[int, ...]
    differing: tuple[int, ...]
    absent: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """``2 of 3 registers equal those of signer-1.4.2@prod; PCR2 differs``."""
        names = ", ".join(pcr.name(index) for index in self.differing)
        missing = ", ".join(pcr.name(index) for index in self.absent)
        parts = [f"{len(self.equal)} of {len(self.entry.pin)} registers equal those of {self.entry.id}"]
        if names:
            parts.append(f"{names} {'differs' if len(self.differing) == 1 else 'differ'}")
        if missing:
            parts.append(f"{missing} not given")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Recorded entries in canonical order: component, environment, time of recording, version.

    ``max_active``: how many entries of one component in one environment may be active at a time.
    """

    entries: tuple[Entry, ...] = ()
    max_active: int = MAX_ACTIVE

    @classmethod
    def of(cls, entries: Iterable[Entry], max_active: int = MAX_ACTIVE) -> "Ledger":
        """Return a ledger of ``entries`` in canonical order. The rules between entries are :func:`first_fault`'s."""
        return cls(tuple(sorted(entries, key=_order)), max_active)

    def replacing(self, changed: Iterable[Entry]) -> "Ledger":
        """Return the ledger with the entries of ``changed`` in place of those of the same ids, new ones added."""
        entries = {entry.id: entry for entry in self.entries} | {entry.id: entry for entry in changed}
        return Ledger.of(entries.values(), self.max_active)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def select(
        self, component: str | None = None, environment: str | None = None, status: Status | None = None
    ) -> "Ledger":
        """Return the ledger of the entries that have all the given members; None means any."""
        return Ledger(
            tuple(
                entry
                for entry in self.entries
                if component in (None, entry.component)
                and environment in (None, entry.environment)
                and status in (None, entry.status)
            ),
            self.max_active,
        )

    def concerning(self, component: str | None = None, environment: str | None = None) -> "Ledger":
        """Return the entries that speak about ``component`` in ``environment``; None means any.

        Those of both, and every revoked one: an image that was revoked is revoked under every name and everywhere, so
        whoever asks whether an image is acceptable has to see it.
        """
        chosen = self.select(component, environment).entries
        ids = {entry.id for entry in chosen}
        revoked = (entry for entry in self.entries if entry.status is Status.REVOKED and entry.id not in ids)
        return Ledger.of((*chosen, *revoked), self.max_active)

    def active(self, component: str | None = None, environment: str | None = None) -> tuple[Entry, ...]:
        """Return the active entries, the only ones that speak for acceptance."""
        return self.select(component, environment, Status.ACTIVE).entries

    def matching(self, pcrs: Mapping[int, bytes]) -> tuple[Entry, ...]:
        """Return the entries, of every status, whose pinned registers all have the values in ``pcrs``.

        A register that ``pcrs`` does not have is not equal. Ask ``select(status=Status.ACTIVE)`` first for acceptance.
        """
        return tuple(
            entry for entry in self.entries if all(pcrs.get(index) == entry.pcrs[index] for index in entry.pin)
        )

    def of_image(self, pcrs: Mapping[int, bytes]) -> tuple[Entry, ...]:
        """Return the entries, of every status, whose image ``pcrs`` are of, whatever else they pin."""
        return tuple(entry for entry in self.entries if entry.is_image(pcrs))

    def revoking(self, pcrs: Mapping[int, bytes]) -> tuple[Entry, ...]:
        """Return the revoked entries of the image that ``pcrs`` are of: it is refused under every name."""
        return tuple(entry for entry in self.entries if entry.status is Status.REVOKED and entry.is_image(pcrs))

    def on(self, platform: str) -> "Ledger":
        """Return the ledger of the entries of ``platform``: equal numbers mean something else on another."""
        return Ledger(tuple(entry for entry in self.entries if entry.platform == platform), self.max_active)

    def nearest(self, pcrs: Mapping[int, bytes]) -> Nearest | None:
        """Return the entry with most pinned registers equal to ``pcrs``, or None when none has any in common.

        The PCR2 of an image without an application ramdisk is the same for all of them and does not make two images
        near. Of equally near entries an active one is named first, then the one recorded last.
        """
        best: tuple[tuple[int, int, datetime, str], Nearest] | None = None
        for entry in self.entries:
            equal = tuple(index for index in entry.pin if pcrs.get(index) == entry.pcrs[index])
            telling = sum(entry.pcrs[index] != pcr.EMPTY_PCR2 for index in equal)
            if not telling:
                continue
            rank = (telling, _STATUS_RANK[entry.status], entry.recorded_at, entry.id)
            if best is None or rank > best[0]:
                absent = tuple(index for index in entry.pin if index not in pcrs)
                differing = tuple(index for index in entry.pin if index not in equal and index in pcrs)
                best = rank, Nearest(entry, equal, differing, absent)
        return best[1] if best else None

    def find(self, name: str) -> tuple[Entry, ...]:
        """Return the entries called ``name``: by id (``signer-1.4.2@prod``), or by id less its environment."""
        return tuple(entry for entry in self.entries if name in (entry.id, f"{entry.component}-{entry.version}"))


def _order(entry: Entry) -> tuple[object, ...]:
    return entry.component, entry.environment, entry.recorded_at, entry.version


def first_fault(entries: Sequence[Entry], max_active: int = MAX_ACTIVE) -> tuple[int, Fault] | None:
    """Return the position of the first entry that breaks a rule between entries, and the rule; None when all hold."""
    seen = dict[str, int]()
    active = Counter[tuple[str, str]]()
    for position, entry in enumerate(entries):
        if entry.id in seen:
            return position, Fault(
                "", f"{entry.id} is recorded twice, first at /entries/{seen[entry.id]}", "records.version-taken"
            )
        seen[entry.id] = position
        if entry.status is Status.ACTIVE:
            group = (entry.component, entry.environment)
            active[group] += 1
            if active[group] > max_active:
                return position, Fault(
                    "/status",
                    f"more than {max_active} active entries of {entry.component} in {entry.environment}",
                    "records.too-many-active",
                    "retire the ones that no longer run: nitroctl pcr finalize, or nitroctl pcr retire",
                )
    return None
