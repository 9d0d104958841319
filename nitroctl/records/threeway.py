"""Recorded, running, allowed by the key: three accounts of which images there are, side by side.

Each account is compared with the ledger by the registers that it can know. An image file and nitro-cli cannot know
those of the parent (PCR3, PCR4); a document knows all. A key policy is read for the values that it names, which is less
than what it allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitroctl import nitrotpm, pcr
from nitroctl.checks import Check, Outcome, Report
from nitroctl.records.entry import NITRO_ENCLAVE, NITRO_TPM, Entry, Status, time_text
from nitroctl.records.ledger import Ledger

if TYPE_CHECKING:
    from nitroctl.kms.named import Named

#: What an image determines; the other registers are those of where it runs.
IMAGE_REGISTERS: Final = (0, 1, 2, 8)
_OF_THE_PARENT: Final = (3, 4)
#: Of a NitroTPM: what boots (PCR4) or who may sign it (PCR7), and the command line from outside of it.
_BOOTED: Final = (4, 7)
_COMMAND_LINE: Final = 12

_TITLES: Final = {
    "drift.image": "The image file is an active record",
    "drift.build": "What the build printed is an active record",
    "drift.running": "The running enclave is an active record",
    "drift.document": "The document attests an active record",
    "drift.key-recorded": "The key policy names active records only",
    "drift.key-complete": "The key policy names every active record",
    "drift.key-bound": "Every statement of the key policy that serves enclaves is bound to an image",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody's account of one image. ``kind``: image, build, running or document; ``name``: a path, an enclave.

    ``whole``: it knows all registers, not only those that the image determines. ``debug``: it runs in debug mode.
    ``platform``: what its registers are of; equal ones of another platform mean something else.
    """

    kind: str
    name: str
    pcrs: Mapping[int, bytes]
    whole: bool = False
    debug: bool = False
    platform: str = NITRO_ENCLAVE

    def matching(self, ledger: Ledger) -> tuple[Entry, ...]:
        """Return the entries, of every status, that this account can be of, as far as it knows."""
        if self.debug:
            return ()
        found = []
        image_only = self.platform == NITRO_ENCLAVE and not self.whole
        for entry in ledger.on(self.platform):
            pins = [index for index in entry.pin if not image_only or index in IMAGE_REGISTERS]
            if pins and all(self.pcrs.get(index) == entry.pcrs[index] for index in pins):
                found.append(entry)
        return tuple(found)

    def revoked(self, ledger: Ledger) -> tuple[Entry, ...]:
        """Return the revoked entries of the image that this is an account of, whatever else they pin."""
        return () if self.debug else ledger.on(self.platform).revoking(self.pcrs)


@dataclass(frozen=True, slots=True)
class View:
    """All accounts beside the ledger. ``key``: the statements of a key policy, None when none was given."""

    ledger: Ledger
    accounts: Sequence[Account]
    key: "Sequence[Named] | None"

    @property
    def report(self) -> Report:
        """A check for each account, and three for the key policy."""
        checks = [_account(account, self.ledger) for account in self.accounts]
        if self.key is not None:
            checks += [_recorded(self.key, self.ledger), _complete(self.key, self.ledger), _bound(self.key)]
        return Report.of(checks)

    def naming(self, entry: Entry) -> tuple[str, ...]:
        """Return the labels of the statements that name ``entry``."""
        return tuple(named.label for named in self.key or () if _names(named, entry))


def _binds_image(named: "Named") -> bool:
    """Whether the statement asks for PCR0, or for both PCR1 and PCR2: less lets more than one image by.

    Of a NitroTPM for PCR4 or PCR7: whether that and the command line are asked for together is kms lint's matter.
    """
    if named.tpm:
        return not named.registers and any(
            index in named.tpm and not any(nitrotpm.says_nothing(index, value) for value in named.tpm[index])
            for index in _BOOTED
        )
    return 0 in named.registers or {1, 2} <= named.registers.keys()


def _names(named: "Named", entry: Entry) -> bool:
    """Whether every register that the statement asks for has a value of the entry's, the image's own among them.

    Where the image runs (PCR3, PCR4) is the policy's own matter unless the entry says it too; so is that no command
    line came from outside (a NitroTPM's PCR12 is zero). Registers of the other platform are never there.
    """
    if not _binds_image(named):
        return False
    if named.tpm:
        return entry.platform == NITRO_TPM and all(
            entry.pcrs[index] in values if index in entry.pcrs else index == _COMMAND_LINE and pcr.ZERO in values
            for index, values in named.tpm.items()
        )
    return entry.platform == NITRO_ENCLAVE and all(
        entry.pcrs[index] in values if index in entry.pcrs else index in _OF_THE_PARENT
        for index, values in named.registers.items()
    )


def _account(account: Account, ledger: Ledger) -> Check:
    matches = account.matching(ledger)
    active = [entry for entry in matches if entry.status is Status.ACTIVE]
    revoked = account.revoked(ledger)
    check_id = f"drift.{account.kind}"
    if active and not revoked:
        return Check(
            id=check_id,
            title=_TITLES[check_id],
            outcome=Outcome.PASS,
            detail=f"{account.name} is {', '.join(entry.id for entry in active)}",
        )
    return Check(
        id=check_id,
        title=_TITLES[check_id],
        outcome=Outcome.FAIL,
        detail=f"{account.name} {_instead(account, revoked or list(matches), ledger)}",
        remedy="end it, and run a version that is active"
        if account.kind == "running"
        else "use a version that is active",
    )


def _instead(account: Account, matches: Sequence[Entry], ledger: Ledger) -> str:
    """Return what the account is of, when it is of no active entry."""
    if account.debug:
        return "runs in debug mode, and attests no image"
    if matches:
        return "is " + ", ".join(_standing(entry) for entry in matches)
    nearest = ledger.nearest(account.pcrs)
    return f"is not recorded; {nearest.text}" if nearest else "is not recorded, and near nothing that is"


def _standing(entry: Entry) -> str:
    if entry.status is Status.CANDIDATE:
        return f"{entry.id}, a candidate"
    because = f" ({entry.revoked_because})" if entry.revoked_because else ""
    return f"{entry.id}, {entry.status} since {time_text(entry.since)}{because}"


def _recorded(key: "Sequence[Named]", ledger: Ledger) -> Check:
    """Every value of PCR0, or pair of PCR1 and PCR2, that a statement names is of an active entry that it names."""
    faults = []
    running = {_image(entry) for entry in ledger.active()}
    for named in key:
        entries = [entry for entry in ledger if _names(named, entry)]
        faults += [
            f"{named.label} names {_standing(entry)}"
            for entry in entries
            if entry.status is Status.REVOKED or _image(entry) not in running
        ]
        for index, name, values in _of_the_image(named):
            known = {entry.pcrs.get(index) for entry in entries}
            unknown = [value for value in sorted(values) if value not in known]
            recorded = {entry.pcrs.get(index) for entry in ledger.on(NITRO_TPM if named.tpm else NITRO_ENCLAVE)}
            faults += [
                f"{named.label} names {name} {value.hex()}, which is "
                + ("recorded with other values than it asks for beside it" if value in recorded else "not recorded")
                for value in unknown
            ]
    return _key_check("drift.key-recorded", faults, "write the policy again from the records: nitroctl kms generate")


def _of_the_image(named: "Named") -> list[tuple[int, str, frozenset[bytes]]]:
    """Return the registers of the image that the statement asks for: index, name and values."""
    return [
        *((index, pcr.name(index), named.registers[index]) for index in (0, 1, 2) if index in named.registers),
        *((index, _tpm_name(index), named.tpm[index]) for index in _BOOTED if index in named.tpm),
    ]


def _tpm_name(index: int) -> str:
    return f"NitroTPM{pcr.name(index)}"


def _image(entry: Entry) -> tuple[str, Sequence[tuple[int, bytes]]]:
    """Return what all entries of one image have in common."""
    return entry.platform, tuple(entry.image.items())


def _complete(key: "Sequence[Named]", ledger: Ledger) -> Check:
    absent = [entry.id for entry in ledger.active() if not any(_names(named, entry) for named in key)]
    faults = [f"no statement names {', '.join(absent)}: it cannot use the key by an attested request"] if absent else []
    return _key_check("drift.key-complete", faults, "write the policy again from the records: nitroctl kms generate")


def _bound(key: "Sequence[Named]") -> Check:
    """Warn: whether a Deny stops what such a statement lets by is not looked at here."""
    open_ones = ", ".join(named.label for named in key if named.open)
    faults = [f"{open_ones}: matches requests without attestation"] if open_ones else []
    for named in key:
        names = ", ".join([*map(pcr.name, named.registers), *map(_tpm_name, named.tpm)])
        if named.registers and named.tpm:
            faults.append(f"{named.label}: asks for {names}, which no request has together")
        elif names and not named.open and not _binds_image(named):
            faults.append(f"{named.label}: asks for {names} only, which more than one image can have")
    return Check(
        id="drift.key-bound",
        title=_TITLES["drift.key-bound"],
        outcome=Outcome.WARN if faults else Outcome.PASS,
        detail="; ".join([*faults, "whether a Deny stops them was not looked at"]) if faults else "",
        remedy="bind it to an image by PCR0 (NitroTPM: PCR4 or PCR7), or take the data operations out of it"
        if faults
        else None,
        required=False,
    )


def _key_check(check_id: str, faults: Sequence[str], remedy: str) -> Check:
    return Check(
        id=check_id,
        title=_TITLES[check_id],
        outcome=Outcome.FAIL if faults else Outcome.PASS,
        detail="; ".join(faults),
        remedy=remedy if faults else None,
    )
