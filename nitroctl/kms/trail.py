"""What CloudTrail tells about keys bound to attestation: which image used which key when, and what went past it.

A key counts as bound when it was named as such, when a logged policy of it names attestation, or when it was used with
attestation. Records pass through a window that puts them in order of time; what is kept beside it is bounded. A call
that KMS denied is logged without the document, so a wrong image cannot be told from no attestation there.
Source: KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail".
"""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from nitroctl.checks import Outcome
from nitroctl.errors import CannotAnswer, NitroctlError
from nitroctl.kms import trail_event
from nitroctl.kms.trail_event import CHANGES, RANDOM, REENCRYPT, Change, Event
from nitroctl.kms.trail_files import Found
from nitroctl.kms.trail_image import Images, Judged, instance_and_role, names_image
from nitroctl.records import NITRO_TPM

#: Records that are held back to put them in order: more than an answer of LookupEvents has in its reverse order.
WINDOW: Final = 10_000
#: Ids of records that are remembered, at least: trails of an organisation and of an account deliver the same ones.
_REMEMBERED: Final = 50_000
#: Different keys, and kinds of lines, that are followed; policies kept of each key.
_MOST_KEYS: Final = 10_000
_MOST_GROUPS: Final = 10_000
_MOST_POLICIES: Final = 64

_WORSE: Final = (Outcome.FAIL, Outcome.WARN, Outcome.PASS, Outcome.SKIP)
#: Remarks that are a no by themselves.
_GRAVE: Final = frozenset({"trail.instance"})


class Policy(NamedTuple):
    """The policy of a key that was set last before a call, as far as the records tell.

    ``names_image``: whether it names the image that called, None when that cannot be told.
    """

    time: str
    event_id: str
    names_image: bool | None


class Line(NamedTuple):
    """What became of one record. ``id``: the finding; ``remarks``: others, with words, that ``said`` has too.

    ``new``: the first of its kind, which is what people are shown.
    """

    event: Event
    outcome: Outcome
    id: str
    said: str
    new: bool
    remarks: tuple[tuple[str, str], ...] = ()
    judged: Judged | None = None
    policy: Policy | None = None


@dataclass(slots=True)
class Key:
    """What was seen of a key. ``bound``: why it counts as bound: ``named``, ``policy``, ``used``; empty when not.

    ``missed``: unattested uses that were passed over because nothing said yet that it is bound.
    """

    id: str
    name: str
    bound: str = ""
    attested: int = 0
    unattested: int = 0
    denied: int = 0
    changes: int = 0
    missed: int = 0
    missed_first: str = ""
    missed_last: str = ""
    policies: list[tuple[str, str, str, Change]] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """Lines of one kind. ``line``: the first of them. ``first``, ``last``: times."""

    line: Line
    count: int
    first: str
    last: str


class Trail:
    """Follows keys through records. ``named``: ids of keys that are bound; with any, no other key is looked at.

    ``kms``: records of KMS read. ``unread``: errors. ``doubled``: records that were read twice and counted once.
    ``disordered``: lines whose time is before that of a line before them. ``overflow``: calls of keys beyond those that
    are followed. ``keyless``: unattested uses that name no key. ``counts``: lines by outcome and finding; ``remarks``
    by finding. ``not_logged``: registers that are pinned, and could not be compared.
    """

    def __init__(self, images: Images, named: Collection[str] = (), *, window: int = WINDOW) -> None:
        self._images = images
        self._named = frozenset(named)
        self._window = window
        self._seen: dict[str, int] = {}
        self._seen_before: dict[str, int] = {}
        self.keys = {key: Key(key, key, "named") for key in sorted(self._named)}
        self.groups: dict[tuple[str, ...], Group] = {}
        self.counts: Counter[tuple[Outcome, str]] = Counter()
        self.remarks: Counter[str] = Counter()
        self.not_logged: set[int] = set()
        self.kms = self.unread = self.doubled = self.disordered = self.overflow = self.keyless = 0
        self.first = self.last = ""

    def lines(self, found: Iterable[Found | NitroctlError]) -> Iterator[Line | NitroctlError]:
        """Yield what there is to say of records, in order of their time as far as the window reaches."""
        waiting: list[tuple[str, int, Event]] = []
        for each in found:
            if isinstance(each, NitroctlError):
                self.unread += 1
                yield each
                continue
            self.kms += 1
            try:
                event = trail_event.read(each)
            except CannotAnswer as error:
                self.unread += 1
                yield error
                continue
            if event is None or not self._is_ours(event) or self._is_double(event):
                continue
            self._learn(event)
            item = (event.time, self.kms, event)
            if len(waiting) < self._window:
                heapq.heappush(waiting, item)
                continue
            line = self._line(heapq.heappushpop(waiting, item)[2])
            if line is not None:
                yield line
        while waiting:
            line = self._line(heapq.heappop(waiting)[2])
            if line is not None:
                yield line

    def missed(self) -> list[Key]:
        """Return the bound keys whose unattested uses were passed over, before anything said that they are bound."""
        return [key for key in self.keys.values() if key.bound and key.missed]

    @property
    def refused(self) -> bool:
        """Whether anything was found that must not be."""
        return any(outcome is Outcome.FAIL for outcome, _ in self.counts) or bool(self.missed())

    def bound(self) -> list[Key]:
        """Return the keys bound to attestation, by name."""
        return sorted((key for key in self.keys.values() if key.bound), key=lambda key: (key.name, key.id))

    def _is_ours(self, event: Event) -> bool:
        """Whether to look at a record: with named keys, at theirs, and at those that do not say whose they are."""
        return not self._named or event.key_id in self._named or not event.key_id

    def _is_double(self, event: Event) -> bool:
        """Whether the record was read before: the same id with the same content."""
        if not event.id:
            return False
        content = hash((event.time, event.name, event.key_id, event.principal, event.error, event.attested))
        if self._seen.get(event.id) == content or self._seen_before.get(event.id) == content:
            self.doubled += 1
            return True
        self._seen[event.id] = content
        if len(self._seen) >= _REMEMBERED:
            self._seen_before, self._seen = self._seen, {}
        return False

    def _learn(self, event: Event) -> None:
        """Take from a record, as it is read, whether its key is bound, and what its policy became."""
        if not event.key_id:
            return
        key = self.keys.get(event.key_id)
        if key is None:
            if len(self.keys) >= _MOST_KEYS:
                self.overflow += 1
                return
            key = self.keys[event.key_id] = Key(event.key_id, event.key)
        if event.key.startswith("arn:"):
            key.name = event.key if not key.name.startswith("arn:") else min(key.name, event.key)
        if not event.succeeded:
            return
        if event.attested:
            key.bound = key.bound or "used"
        change = event.change
        if change and change.policy is not None and not event.error:
            if change.binds and key.bound != "named":
                key.bound = "policy"
            key.policies.append((event.time, event.id, event.region, change))
            key.policies.sort(key=lambda item: item[:3])
            del key.policies[:-_MOST_POLICIES]

    def _line(self, event: Event) -> Line | None:
        """Return the line about a record, None when there is nothing to say of it, and count it."""
        line = self._told(event, self.keys.get(event.key_id))
        if line is None:
            return None
        if event.time < self.last:
            self.disordered += 1
        self.first = min(self.first or event.time, event.time)
        self.last = max(self.last, event.time)
        self.counts[line.outcome, line.id] += 1
        self.remarks.update(name for name, _ in line.remarks)
        if line.judged:
            self.not_logged.update(line.judged.not_logged)
        return line._replace(new=self._is_new(line))

    def _is_new(self, line: Line) -> bool:
        event = line.event
        whom = "" if line.judged else event.role or event.principal
        more = (event.id, event.time) if event.change else (line.said if line.judged else "", event.error)
        kind = (line.id, event.name, event.key_id, event.region, whom, *more)
        group = self.groups.get(kind)
        if group is None:
            if len(self.groups) < _MOST_GROUPS:
                self.groups[kind] = Group(line, 1, event.time, event.time)
            return True
        group.count += 1
        group.first, group.last = min(group.first, event.time), max(group.last, event.time)
        return False

    def _told(self, event: Event, key: Key | None) -> Line | None:
        if event.attested and event.succeeded and (event.name in trail_event.USES or event.name == RANDOM):
            return self._attested(event, key)
        if key is None:
            self.keyless += not event.key_id and event.succeeded and event.name != RANDOM and not event.change
            return None
        if event.name in CHANGES:
            return self._changed(event, key)
        return self._unattested(event, key) if event.succeeded else _in_vain(event, key)

    def _unattested(self, event: Event, key: Key) -> Line | None:
        key.unattested += 1
        if not key.bound:
            key.missed += 1
            key.missed_first = min(key.missed_first or event.time, event.time)
            key.missed_last = max(key.missed_last, event.time)
            return None
        if event.name == REENCRYPT:
            return Line(
                event, Outcome.FAIL, "trail.reencrypt", f"decrypted without attestation {_by(event)}", new=False
            )
        dry = "a dry run would have been allowed " if event.dry_run else ""
        return Line(event, Outcome.FAIL, "trail.unattested", f"{dry}without attestation {_by(event)}", new=False)

    def _attested(self, event: Event, key: Key | None) -> Line | None:
        attested = event.attested
        if attested is None:
            return None
        if key:
            key.attested += 1
        judged = self._images.judge(attested, event.time)
        remarks = list(instance_and_role(event, attested))
        policy = _policy_at(key, event) if key else None
        if policy and policy.names_image is False:
            remarks.append(("trail.policy", f"the policy set at {policy.time} does not name it"))
        outcome = judged.outcome
        if any(name in _GRAVE for name, _ in remarks):
            outcome = Outcome.FAIL
        elif remarks and outcome is not Outcome.FAIL:
            outcome = Outcome.WARN
        said = "; ".join([judged.said, *(text for _, text in remarks)])
        return Line(event, outcome, judged.id, said, False, tuple(remarks), judged, policy)

    def _changed(self, event: Event, key: Key) -> Line | None:
        change = event.change
        key.changes += not event.error
        if change is None or not key.bound:
            return None
        if event.error:
            return Line(event, Outcome.SKIP, "trail.failed", f"failed {_by(event)}: {event.error}", new=False)
        said = [change.said] if change.said else []
        if change.policy:
            ids, others = self._images.let_in(change.policy)
            said += [f"names {', '.join(ids)}"] if ids else []
            said += [f"names {others} image{'s that are' if others > 1 else ' that is'} not recorded"] if others else []
        said.append(_by(event))
        weak = change.weakens or bool(change.policy and self._images.ledger is not None and others)
        finding = "trail.weakened" if weak else "trail.changed"
        return Line(event, Outcome.WARN if weak else Outcome.SKIP, finding, "; ".join(said), new=False)


def _policy_at(key: Key, event: Event) -> Policy | None:
    """Return the last policy that the records show to be set before a call, in its Region: replicas have their own."""
    before = [item for item in key.policies if item[0] <= event.time and item[2] == event.region]
    if not before or event.attested is None:
        return None
    time, event_id, _, change = before[-1]
    names: bool | None = None
    if event.attested.platform != NITRO_TPM and change.policy and not event.attested.fault:
        names = names_image(change.policy, dict(event.attested.registers))
    return Policy(time, event_id, names)


def _in_vain(event: Event, key: Key) -> Line | None:
    """Return the line about a call that KMS did not answer."""
    if not key.bound:
        return None
    if event.denied:
        key.denied += 1
        said = f"denied {_by(event)}; with what document, if any, is not logged"
        return Line(event, Outcome.SKIP, "trail.denied", said, new=False)
    return Line(event, Outcome.SKIP, "trail.failed", f"failed {_by(event)}: {event.error}", new=False)


def _by(event: Event) -> str:
    where = f" from {event.address}" if event.address else ""
    return f"by {event.principal or 'somebody'}{where}"


def gravest(groups: Iterable[Group]) -> list[Group]:
    """Return groups, refusals first, each kind in order of time."""
    return sorted(groups, key=lambda group: (_WORSE.index(group.line.outcome), group.first, group.line.said))
