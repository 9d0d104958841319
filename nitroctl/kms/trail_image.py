"""Which recorded image an attested call came from, by what CloudTrail logs of its registers, and whether it might then.

CloudTrail logs PCR0 to PCR4 and PCR8 of an enclave (older trails PCR0 alone), and some of a NitroTPM's. What is pinned
and not logged is not compared, and that is said. The status that counts is the one at the time of the call; that an
image was revoked later is told beside it. Source: KMS Developer Guide, "Attested calls in CloudTrail".
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from nitroctl import pcr
from nitroctl.checks import Outcome
from nitroctl.errors import UsageError
from nitroctl.kms import named
from nitroctl.kms.trail_event import Attested, Event
from nitroctl.records import NITRO_TPM, Entry, Ledger, Status
from nitroctl.records.entry import time_text

_IMAGE: Final = (0, 1, 2)
#: A NitroTPM's registers that say which image booted; one of them must have been logged.
_BOOTED: Final = (4, 7)
#: Which status counts when several entries are the image: a revoked image is revoked under every name.
_GRAVITY: Final = ("revoked", "active", "retired", "early", "candidate")


class Judged(NamedTuple):
    """What became of an attested call. ``id``: the finding, explained in the catalogue.

    ``entry``: the recorded image, with what was ``compared`` and what is pinned but was ``not_logged``.
    ``nearest``: the nearest recorded image, in words, when it is none of them.
    """

    id: str
    outcome: Outcome
    said: str
    entry: Entry | None = None
    compared: tuple[int, ...] = ()
    not_logged: tuple[int, ...] = ()
    nearest: str = ""


class _Match(NamedTuple):
    entry: Entry
    compared: tuple[int, ...]
    differing: tuple[int, ...]


class Images:
    """The recorded images, asked again and again. ``ledger``: None when nothing is to be compared."""

    def __init__(self, ledger: Ledger | None) -> None:
        self.ledger = ledger
        self._enclaves: dict[bytes, list[Entry]] = {}
        self._tpms: list[Entry] = []
        for entry in ledger or ():
            if entry.platform == NITRO_TPM:
                self._tpms.append(entry)
            elif 0 in entry.pcrs:
                self._enclaves.setdefault(entry.pcrs[0], []).append(entry)
        self._near = Ledger(tuple(entry for entries in self._enclaves.values() for entry in entries))
        self._near_tpm = Ledger(tuple(self._tpms))
        self._matches = lru_cache(maxsize=4096)(self._find)

    def judge(self, attested: Attested, at: str) -> Judged:
        """Return what is known of an image whose call was at ``at`` (RFC 3339, UTC)."""
        registers = dict(attested.registers)
        if attested.fault:
            return Judged("trail.registers-unreadable", Outcome.FAIL, f"attested, but {attested.fault}")
        if attested.platform != NITRO_TPM and _is_debug(registers):
            return Judged("trail.debug", Outcome.FAIL, "an enclave in debug mode: its image registers are zero")
        if self.ledger is None:
            return Judged("trail.not-compared", Outcome.SKIP, f"attested by {_first(registers)}, not compared")
        matches, nearest = self._matches(attested.platform, attested.registers)
        whole = [match for match in matches if not match.differing]
        if whole:
            return _standing(whole, at, registers)
        if matches:
            match = matches[0]
            names = ", ".join(pcr.name(index) for index in match.differing)
            said = f"the image of {match.entry.id}, but {names} is not what is recorded"
            return Judged("trail.registers", Outcome.FAIL, said, match.entry, match.compared)
        near = f"; {nearest}" if nearest else ""
        said = f"an image that is not recorded, {_first(registers)}{near}"
        return Judged("trail.unknown", Outcome.FAIL, said, nearest=nearest)

    def _find(self, platform: str, registers: Sequence[tuple[int, bytes]]) -> tuple[tuple[_Match, ...], str]:
        """Return the entries of the same image, and the nearest one in words when there is none."""
        logged = dict(registers)
        tpm = platform == NITRO_TPM
        found = []
        for entry in self._tpms if tpm else self._enclaves.get(logged.get(0, b""), ()):
            identity = _BOOTED if tpm else _IMAGE
            compared = tuple(sorted(index for index in {*entry.pin, *identity} & {*entry.pcrs} if index in logged))
            differing = tuple(index for index in compared if logged[index] != entry.pcrs[index])
            if set(compared) & set(identity) and not set(differing) & set(identity):
                found.append(_Match(entry, compared, differing))
        near = None if found else (self._near_tpm if tpm else self._near).nearest(logged)
        return tuple(found), near.text if near else ""

    def let_in(self, policy: Sequence[named.Named]) -> tuple[tuple[str, ...], int]:
        """Return the recorded images that a policy's statements name, and how many name none of them."""
        found: dict[str, None] = {}
        others = 0
        for statement in policy:
            if not statement.registers:
                continue
            values = statement.registers
            images = (
                self._enclaves.get(next(iter(values[0])), ()) if 0 in values and len(values[0]) == 1 else self._near
            )
            ids = [
                entry.id
                for entry in images
                if all(index in entry.pcrs and entry.pcrs[index] in named for index, named in values.items())
            ]
            found.update(dict.fromkeys(ids))
            others += not ids
        return tuple(found), others


def names_image(policy: Sequence[named.Named], registers: Mapping[int, bytes]) -> bool:
    """Whether a statement of a policy names an image, by those of its registers that are logged."""
    return any(
        each.registers
        and all(registers.get(index, None) in {*values, None} for index, values in each.registers.items())
        for each in policy
    )


def _is_debug(registers: Mapping[int, bytes]) -> bool:
    return all(pcr.is_zero(registers[index]) for index in _IMAGE if index in registers) and 0 in registers


def _first(registers: Mapping[int, bytes]) -> str:
    index = min((index for index in (0, *_BOOTED) if index in registers), default=None)
    return f"{pcr.name(index)} {registers[index].hex()}" if index is not None else "without an image register"


def _standing(matches: Sequence[_Match], at: str, registers: Mapping[int, bytes]) -> Judged:
    """Return what the entries of an image say of a call at ``at``."""
    match = min(matches, key=lambda match: _GRAVITY.index(_status(match.entry, at)))
    entry, then = match.entry, _status(match.entry, at)
    not_logged = tuple(index for index in entry.pin if index not in registers)
    later = next((each.entry for each in matches if each.entry.status is Status.REVOKED), None)
    revoked_at = time_text(later.revoked_at) if later and later.revoked_at else ""

    def judged(name: str, outcome: Outcome, said: str) -> Judged:
        return Judged(name, outcome, said, entry, match.compared, not_logged)

    if then == "revoked":
        return judged("trail.revoked", Outcome.FAIL, f"{entry.id}, revoked since {revoked_at}")
    if then == "active":
        if later:
            return judged("trail.revoked-later", Outcome.WARN, f"{entry.id}, active then, revoked at {revoked_at}")
        return judged("trail.recorded", Outcome.PASS, entry.id)
    if then == "retired":
        since = time_text(entry.retired_at) if entry.retired_at else ""
        return judged("trail.retired", Outcome.FAIL, f"{entry.id}, retired since {since}")
    if then == "early":
        since = time_text(entry.activated_at) if entry.activated_at else ""
        return judged("trail.early", Outcome.WARN, f"{entry.id}, which became active only at {since}")
    return judged("trail.candidate", Outcome.FAIL, f"{entry.id}, which was not active")


def _status(entry: Entry, at: str) -> str:
    """Return what an entry was at a time."""
    for name, when in (("revoked", entry.revoked_at), ("retired", entry.retired_at), ("active", entry.activated_at)):
        if when is not None and at >= time_text(when):
            return name
    return "early" if entry.activated_at is not None else "candidate"


def instance_and_role(event: Event, attested: Attested) -> tuple[tuple[str, str], ...]:
    """Return what does not fit between a document and the credentials of its call: finding and words."""
    registers = dict(attested.registers)
    found = []
    if attested.platform == NITRO_TPM:
        registers = {}
    instance = _instance_register(attested.instance) if attested.instance else None
    if attested.instance and not pcr.is_zero(registers.get(4, pcr.ZERO)) and registers[4] != instance:
        found.append(("trail.instance", f"PCR4 is not that of {attested.instance}, which its module id names"))
    if event.instance and attested.instance and event.instance != attested.instance:
        found.append(("trail.credentials", f"credentials of {event.instance} with a document of {attested.instance}"))
    role = _role_register(event.role) if event.role else None
    if role is not None and not pcr.is_zero(registers.get(3, pcr.ZERO)) and registers[3] != role:
        found.append(("trail.role", f"PCR3 is not that of {event.role}, whose credentials were used"))
    return tuple(found)


@lru_cache(maxsize=4096)
def _instance_register(instance: str) -> bytes | None:
    """Return PCR4 on an instance, None for what is no instance's id."""
    try:
        return pcr.for_instance(instance)
    except UsageError:
        return None


@lru_cache(maxsize=4096)
def _role_register(role: str) -> bytes | None:
    """Return PCR3 where the parent has a role, None for what is no role's ARN."""
    try:
        return pcr.for_role(role)
    except UsageError:
        return None
