"""Whether some registers are those of a recorded version: the report behind ``nitroctl pcr check``."""

from collections.abc import Mapping
from dataclasses import dataclass

from nitroctl import pcr
from nitroctl.checks import Check, Outcome, Report
from nitroctl.records.entry import Entry, Status, time_text
from nitroctl.records.ledger import Ledger, Nearest

_STANDING = {
    Status.CANDIDATE: "which is a candidate and accepts nothing yet",
    Status.RETIRED: "which is retired since {}",
    Status.REVOKED: "which was revoked at {}{}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The answer, and what it rests on.

    ``matches``: active entries. ``elsewhere``: entries of another status with the same registers. ``nearest``: the
    closest active entry when none matches. ``revoked``: entries of the same image that were revoked, whatever else they
    pin. ``passed_over``: given registers that the matching, or the nearest, entry
    does not pin. ``what``: which entries were compared with, in words.
    """

    what: str
    pcrs: Mapping[int, bytes]
    active: tuple[Entry, ...]
    matches: tuple[Entry, ...]
    elsewhere: tuple[Entry, ...]
    nearest: Nearest | None
    revoked: tuple[Entry, ...] = ()

    @property
    def closest(self) -> Entry | None:
        """The entry whose registers the report shows: a match, else the nearest."""
        if self.matches:
            return self.matches[0]
        return self.nearest.entry if self.nearest else None

    @property
    def passed_over(self) -> tuple[int, ...]:
        """Indexes that were given and not compared."""
        return tuple(sorted(set(self.pcrs) - set(self.closest.pin))) if self.closest else ()

    @property
    def report(self) -> Report:
        """Yes only when an active entry has every pinned register given and equal."""
        if not self.active:
            return Report.of([_active(self)])
        registers = (
            [_register(index, self.pcrs.get(index), self.closest) for index in self.closest.pin] if self.closest else []
        )
        return Report.of([_active(self), _match(self), *_revoked(self), *registers])


def compare(pcrs: Mapping[int, bytes], ledger: Ledger, *, what: str) -> Compared:
    """Return whether ``pcrs`` are those of an active entry of ``ledger``; ``what`` says which entries these are.

    Every pinned register must be given and equal: one that was not given is not checked, and that is not a yes.
    """
    active = ledger.select(status=Status.ACTIVE)
    matches = active.matching(pcrs)
    return Compared(
        what=what,
        pcrs=pcrs,
        active=active.entries,
        matches=matches,
        elsewhere=tuple(entry for entry in ledger.matching(pcrs) if entry.status is not Status.ACTIVE),
        nearest=None if matches else active.nearest(pcrs),
        revoked=ledger.revoking(pcrs),
    )


def _active(compared: Compared) -> Check:
    ids = ", ".join(entry.id for entry in compared.active)
    return Check(
        id="records.active",
        title=f"There is an active record of {compared.what}",
        outcome=Outcome.PASS if ids else Outcome.FAIL,
        detail=ids or f"no entry of {compared.what} is active",
        remedy=None if ids else "record the image that may run: nitroctl pcr record … --activate",
    )


def _match(compared: Compared) -> Check:
    title = "Every register that an active record pins is equal"
    nearest = compared.nearest
    if compared.matches:
        detail = ", ".join(entry.id for entry in compared.matches)
        return Check(id="records.match", title=title, outcome=Outcome.PASS, detail=detail)
    if nearest and not nearest.differing:
        return Check(
            id="records.match",
            title=title,
            outcome=Outcome.SKIP,
            detail=f"not every pinned register was given: {nearest.text}",
            remedy="give the other registers too, or the image with --eif",
        )
    detail, remedy = _why(compared)
    return Check(id="records.match", title=title, outcome=Outcome.FAIL, detail=detail, remedy=remedy)


def _revoked(compared: Compared) -> list[Check]:
    """Return a refusal when a revoked entry has the registers too: an active one of another name does not undo that."""
    revoked = compared.revoked
    if not (compared.matches and revoked):
        return []
    return [
        Check(
            id="records.not-revoked",
            title="No revoked record has the same image",
            outcome=Outcome.FAIL,
            detail="the same image is "
            + ", ".join(f"{each.id}, revoked at {time_text(each.since)}{_because(each)}" for each in revoked),
            remedy="run another image: a revocation is not taken back",
        )
    ]


def _because(entry: Entry) -> str:
    return f" ({entry.revoked_because})" if entry.revoked_because else ""


def _why(compared: Compared) -> tuple[str, str]:
    """Return what the registers are instead, and what to do."""
    if compared.revoked or compared.elsewhere:
        known = (compared.revoked or compared.elsewhere)[-1]  # that it was revoked is the graver thing to know
        standing = _STANDING[known.status].format(time_text(known.since), _because(known))
        return f"the registers are those of {known.id}, {standing}", "run a version that is active"
    if any(index in compared.pcrs and pcr.is_zero(compared.pcrs[index]) for index in (0, 1, 2)):
        return "PCR0, PCR1 or PCR2 is zero, as an enclave in debug mode attests", "run the enclave without debug mode"
    remedy = "build from the recorded source, or record this image as a version of its own"
    if compared.nearest:
        return compared.nearest.text, remedy
    return f"no register is that of an active record of {compared.what}", remedy


def _register(index: int, actual: bytes | None, entry: Entry) -> Check:
    expected = entry.pcrs[index]
    check_id, title = f"measurement.pcr{index}", f"{pcr.name(index)} equals that of {entry.id}"
    if actual is None:
        return Check(
            id=check_id,
            title=title,
            outcome=Outcome.SKIP,
            detail=f"not checked: {pcr.name(index)} was not given",
            expected=expected.hex(),
        )
    if actual == expected:
        return Check(id=check_id, title=title, outcome=Outcome.PASS, actual=actual.hex())
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.FAIL,
        detail=f"{pcr.meaning(index)}: not the recorded one",
        expected=expected.hex(),
        actual=actual.hex(),
    )
