"""Which releases a key is for, and which registers each is bound to, on the platform it is of.

Of an enclave that is PCR0, or PCR1 and PCR2, and what else is pinned or the targets say of its place. Of a NitroTPM it
is the boot (PCR4) together with a command line that nobody added to (PCR12 zero), or the keys that Secure Boot accepts
(PCR7). Source: Nitro Enclaves user guide, "Cryptographic attestation"; EC2 user guide, "Prepare for the attestation
service"; GHSA-xrv8-2pf5-f3q7 (a command line from outside shows in PCR12 alone).
"""

import hashlib
import itertools
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from nitroctl import nitrotpm, pcr
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.kms.request import Platform
from nitroctl.kms.targets import Placement
from nitroctl.records import NITRO_ENCLAVE, NITRO_TPM, Entry, Ledger, Status

_PLATFORMS: Final = {NITRO_ENCLAVE: Platform.ENCLAVE, NITRO_TPM: Platform.TPM}
#: Registers that identify an image. A union of images can be denied when all releases have one of these sets.
_IDENTIFYING: Final = {Platform.ENCLAVE: ({0}, {1, 2}), Platform.TPM: ({4, 12}, {7})}
#: Candidates that a hint names.
_LISTED: Final = 5
_BOOT, _SECURE_BOOT, _COMMAND_LINE = 4, 7, 12
_NAMES: Final = {
    Platform.ENCLAVE: "neither PCR0 nor PCR1 and PCR2 are pinned by all",
    Platform.TPM: "neither PCR4 (with PCR12) nor PCR7 is pinned by all",
}


@dataclass(frozen=True, slots=True)
class Bound:
    """A release and the registers it is bound to: by index the values of which it must have one, 48 bytes each."""

    entry: Entry
    platform: Platform
    registers: Mapping[int, frozenset[bytes]]

    @property
    def names(self) -> str:
        """The registers by name, as condition keys have them."""
        return ", ".join(register_name(self.platform, index) for index in self.registers)


def register_name(platform: Platform, index: int) -> str:
    """Return a register's name as condition keys have it: ``PCR0``, ``NitroTPMPCR4``."""
    return platform.key(index).rpartition(":")[2]


def releases(
    ledger: Ledger, *, components: Sequence[str] = (), environment: str | None = None, records: str | None = None
) -> tuple[Entry, ...]:
    """Return the active entries that a key is for. ``records``: the ``--records`` that was given, for what to do.

    All of one environment, and of one component unless ``components`` names several: a key that also opens to the
    test environment's images protects nothing in production. Raises CannotAnswer ``kms.no-active-records``,
    ``kms.platform`` or ``records.not-revoked``, UsageError ``kms.several-environments`` or ``kms.several-components``.
    """
    option = f" --records {shlex.quote(records)}" if records else ""
    chosen = [
        entry
        for entry in ledger.select(environment=environment, status=Status.ACTIVE)
        if not components or entry.component in components
    ]
    _refuse_revoked(ledger, chosen, option)
    missing = sorted(set(components) - {entry.component for entry in chosen})
    if missing or not chosen:
        what = f"of {', '.join(missing) or 'any component'} in {environment or 'any environment'}"
        raise CannotAnswer(
            f"no active record {what}: there is nothing to bind a key to",
            "kms.no-active-records",
            [_activate(ledger, missing, environment, option)],
        )
    environments = sorted({entry.environment for entry in chosen})
    if len(environments) > 1:
        raise UsageError(
            f"active records are of several environments: {', '.join(environments)}",
            "kms.several-environments",
            ["say which the key is for: --environment NAME"],
        )
    found = sorted({entry.component for entry in chosen})
    if len(found) > 1 and not components:
        raise UsageError(
            f"active records are of several components: {', '.join(found)}",
            "kms.several-components",
            ["say which the key is for: --component NAME (repeat it for a shared key)"],
        )
    for entry in chosen:
        _platform(entry)
    return tuple(chosen)


def _platform(entry: Entry) -> Platform:
    if entry.platform not in _PLATFORMS:
        raise CannotAnswer(
            f"{entry.id} is of the platform {entry.platform}; policies are written for {' and '.join(_PLATFORMS)} only",
            "kms.platform",
            ["KMS knows condition keys for those two; nothing is guessed"],
        )
    return _PLATFORMS[entry.platform]


def _activate(ledger: Ledger, components: Sequence[str], environment: str | None, option: str) -> str:
    """Return how a release of ``components`` (of any, without one) becomes active; a revoked image never does."""
    found = [
        entry.id
        for entry in ledger.select(environment=environment, status=Status.CANDIDATE)
        if (not components or entry.component in components) and not ledger.on(entry.platform).revoking(entry.pcrs)
    ]
    if not found:
        return f"nitroctl pcr list{option} shows the records; pcr record …{option} --activate makes one active"
    if len(found) == 1:
        return f"{found[0]} is a candidate: nitroctl pcr rollout {found[0]}{option} makes it active"
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return f"candidates are {', '.join(found[:_LISTED])}{more}: nitroctl pcr rollout ID{option} makes one active"


def _refuse_revoked(ledger: Ledger, chosen: Sequence[Entry], option: str) -> None:
    """Refuse a release whose image is also recorded as revoked, under whatever name and wherever."""
    for entry in chosen:
        for other in ledger.on(entry.platform).revoking(entry.pcrs):
            raise CannotAnswer(
                f"{entry.id} is active, but the same image is {other.id}, which is revoked",
                "records.not-revoked",
                [f"revoke or retire it too: nitroctl pcr revoke {entry.id}{option} --reason TEXT"],
            )


def bind(entries: Sequence[Entry], placement: Placement) -> tuple[Bound, ...]:
    """Return what each of ``entries`` is bound to, in the ledger's order whatever the order they come in.

    Raises CannotAnswer ``kms.platform`` or ``kms.tpm-registers``, UsageError ``kms.placement``.
    """
    found = []
    for entry in Ledger.of(entries).entries:
        platform = _platform(entry)
        if platform is Platform.TPM:
            found.append(Bound(entry, platform, _tpm(entry, placement)))
        else:
            found.append(Bound(entry, platform, _enclave(entry, placement)))
    return tuple(found)


def _enclave(entry: Entry, placement: Placement) -> Mapping[int, frozenset[bytes]]:
    registers = {index: frozenset({value}) for index, value in entry.pinned.items()}
    for index, values in placement.registers.items():
        if index in registers and not registers[index] <= values:
            raise UsageError(
                f"{entry.id} pins another {pcr.name(index)} than the targets' {_PLACED[index]}",
                "kms.placement",
                [f"leave {_PLACED[index]} out of the targets, or record the release without that register"],
            )
        registers.setdefault(index, values)
    return dict(sorted(registers.items()))


#: What any instance could have in PCR4 or PCR7, whatever it booted; a PCR7 without Secure Boot is seen to below.
_UNMEASURED: Final = {
    pcr.ZERO: "zero: nothing was measured",
    nitrotpm.ONES: "ones: nothing was measured",
    nitrotpm.SEPARATOR: "the firmware's separator alone: nothing was measured",
}
_PLACED: Final = {3: "parent roles", 4: "instances", 8: "signers"}


def _tpm(entry: Entry, placement: Placement) -> Mapping[int, frozenset[bytes]]:
    if placement.registers:
        raise UsageError(
            f"{entry.id} is of a NitroTPM, whose PCR3, PCR4 and PCR8 do not say where it runs or who signed it",
            "kms.placement",
            ["leave placement out, or give the enclaves a key of their own; the role is the instance's in any case"],
        )
    registers = dict(entry.pinned)
    unknown = [pcr.name(index) for index in registers if index >= Platform.TPM.registers]
    if unknown:
        raise _tpm_refused(entry, f"pins {', '.join(unknown)}, for which KMS has no condition key", "pin PCR0 to PCR23")
    if not registers.keys() & {_BOOT, _SECURE_BOOT}:
        raise _tpm_refused(
            entry,
            "pins neither PCR4 nor PCR7, so any image could have its registers",
            "pin PCR4 and PCR12, or PCR7 with Secure Boot",
        )
    for index in (_BOOT, _SECURE_BOOT):
        what = _UNMEASURED.get(registers.get(index, b""))
        if what:
            raise _tpm_refused(entry, f"pins a {pcr.name(index)} of {what}", "measure the image again")
    if not nitrotpm.names_signer(registers):  # the command line shows in PCR12 alone, and must be the image's own
        if _BOOT not in registers:
            raise _tpm_refused(
                entry,
                "pins a PCR7 that every instance without Secure Boot has, and no PCR4",
                "pin PCR4 and PCR12, or PCR7 with Secure Boot",
            )
        if not pcr.is_zero(entry.pcrs.get(_COMMAND_LINE, pcr.ZERO)):
            raise _tpm_refused(
                entry,
                "has a PCR12 that is not zero: a command line or credentials from outside the image were measured",
                "build them into the image, or use Secure Boot and pin PCR7",
            )
        registers[_COMMAND_LINE] = pcr.ZERO
    return {index: frozenset({registers[index]}) for index in sorted(registers)}


def _tpm_refused(entry: Entry, what: str, hint: str) -> CannotAnswer:
    return CannotAnswer(f"{entry.id} {what}", "kms.tpm-registers", [hint])


def common(bound: Sequence[Bound], platform: Platform) -> tuple[int, ...]:
    """Return the registers that every release of ``platform`` is bound to: only of those can all values be listed.

    Raises CannotAnswer ``kms.no-common-register`` when they identify no image.
    """
    found = set.intersection(*(set(each.registers) for each in bound if each.platform is platform))
    if not any(needed <= found for needed in _IDENTIFYING[platform]):
        raise CannotAnswer(
            f"the active releases have no image register in common: {_NAMES[platform]}",
            "kms.no-common-register",
            ["images that are not recorded could not be denied; record the releases with the same registers pinned"],
        )
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Mixture:
    """Registers that no release has together: any of ``image``, by index, and one of ``index`` not among ``values``."""

    image: Mapping[int, tuple[bytes, ...]]
    index: int
    values: tuple[bytes, ...]


def mixtures(bound: Sequence[Bound], platform: Platform, registers: Sequence[int]) -> tuple[Mixture, ...]:
    """Return the mixtures of releases of ``platform`` that lists of the values of all, by register, would accept.

    ``registers``: those of which all values are listed. What an image fixes by itself (PCR0 its PCR1 and PCR2) cannot
    be mixed, and none is named for it; nor for a register that a release leaves open which has all before it (so that
    of one image recorded twice, with different registers pinned, either is let in whole or in part).
    """
    mine = [each.registers for each in bound if each.platform is platform]
    image = next(index for index in _IMAGE[platform] if index in registers)
    fixed = {0, 1, 2} if image == 0 else {image}
    telling = [image, *(index for index in registers if index not in fixed)]
    found: list[Mixture] = []
    for index in (*telling[1:], *sorted({index for each in mine for index in each}.difference(telling, fixed))):
        before = telling[: telling.index(index)] if index in telling else telling
        found += _mixtures(mine, before, index, listed=index in registers)
    return tuple(found)


def _mixtures(
    mine: Sequence[Mapping[int, frozenset[bytes]]], before: Sequence[int], index: int, *, listed: bool
) -> Iterator[Mixture]:
    """Yield the mixtures of ``index`` with the registers ``before`` it, which all releases are bound to.

    ``listed``: what no release at all has is denied elsewhere.
    """
    union = frozenset[bytes]().union(*(each.get(index, _NONE) for each in mine))
    allowed: dict[tuple[bytes, ...], frozenset[bytes] | None] = {}
    for each in mine:
        for cell in itertools.product(*(sorted(each[register]) for register in before)):
            known, here = allowed.get(cell, _NONE), each.get(index)
            allowed[cell] = None if known is None or here is None else known | here
    by_image: dict[bytes, set[frozenset[bytes] | None]] = {}
    for cell, values in allowed.items():
        by_image.setdefault(cell[0], set()).add(values)
    groups: dict[tuple[tuple[bytes, ...], frozenset[bytes]], list[bytes]] = {}
    for cell, values in sorted(allowed.items(), key=lambda item: item[0]):
        if values is None or (listed and values == union):
            continue
        rest = cell[1:] if len(by_image[cell[0]]) > 1 else ()  # the image alone tells, unless it is recorded twice
        images = groups.setdefault((rest, values), [])
        if cell[0] not in images:
            images.append(cell[0])
    for (rest, values), images in groups.items():
        key = {before[0]: tuple(images)} | {
            register: (value,) for register, value in zip(before[1:], rest, strict=False)
        }
        yield Mixture(key, index, tuple(sorted(values)))


_NONE: Final = frozenset[bytes]()
#: Which register stands for the image, where all releases are bound to it, the best first.
_IMAGE: Final = {Platform.ENCLAVE: (0, 1), Platform.TPM: (_BOOT, _SECURE_BOOT)}


def another(bound: Bound, number: int) -> Bound:
    """Return a release like ``bound``, of an image of its own: what one more would look like in the policy."""
    seed = f"{bound.entry.id}/{number}"
    version = hashlib.sha256(seed.encode()).hexdigest()[: max(8, len(bound.entry.version))]
    own = {0, 1, 2} if bound.platform is Platform.ENCLAVE else {_BOOT}
    registers = {
        index: frozenset({hashlib.sha384(f"{seed}/{index}".encode()).digest()}) if index in own else values
        for index, values in bound.registers.items()
    }
    return Bound(replace(bound.entry, version=version), bound.platform, registers)


def anchor(platform: Platform, registers: Sequence[int]) -> int:
    """Return the register that says whether a request has an attestation of ``platform``."""
    if platform is Platform.ENCLAVE:
        return 0
    return _BOOT if _BOOT in registers else _SECURE_BOOT
