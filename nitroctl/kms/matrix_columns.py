"""What a matrix asks about: the states of attestation that an auditor wants to see, by name.

Nothing, debug mode, an image that nobody recorded; every record; of every active one the same with another signer, role
or instance, where the policy looks at that. A register that is not recorded and that the policy looks at has the values
of the statements that ask for the image, and another one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitroctl import pcr
from nitroctl.kms.classes import Atom
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.prove_rules import Rule
from nitroctl.kms.request import Attested, Platform
from nitroctl.records.entry import Status

if TYPE_CHECKING:
    from nitroctl.records import Entry, Ledger

#: Registers that say which image it is; another value there is another image.
_IMAGE: Final = (0, 1, 2)
#: Sets of values of registers that are not recorded, as statements ask for them.
_ASKED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One state of attestation. ``name``: in words, unique. ``entry``: id and status of the record, where it is one."""

    name: str
    kind: str
    attested: Attested | None = None
    entry: str = ""
    status: str = ""


def columns(found: Sequence[Rule], ledger: "Ledger") -> tuple[Column, ...]:
    """Return the states of attestation for key policies and what is recorded."""
    atoms = [atom for rule in found for atom in rule.atoms if atom.place]
    looked = {platform: _looked(atoms, platform) for platform in Platform}
    listed = [Column(name="nothing", kind="nothing"), *_enclave(looked[Platform.ENCLAVE])]
    if looked[Platform.TPM] or any(entry.platform == Platform.TPM for entry in ledger):
        listed.append(_unknown(Platform.TPM, looked[Platform.TPM], "a NitroTPM state that nobody recorded"))
    for entry in sorted(ledger, key=lambda each: (each.status is not Status.ACTIVE, each.id)):
        if entry.platform in set(Platform):
            listed += _recorded(entry, found, looked[Platform(entry.platform)])
    return tuple(listed)


def _looked(atoms: Sequence[Atom], platform: Platform) -> list[int]:
    return sorted({each.place[1] for each in atoms if each.place and each.place[0] is platform})


def _enclave(looked: Sequence[int]) -> Iterator[Column]:
    others = {index: _other(Platform.ENCLAVE, index) for index in looked if index not in _IMAGE}
    zeros = dict.fromkeys(_IMAGE, pcr.ZERO)
    debug = Attested(platform=Platform.ENCLAVE, pcrs=zeros | others, complete=False)
    yield Column(name="debug mode", kind="debug-mode", attested=debug)
    yield _unknown(Platform.ENCLAVE, [*_IMAGE, *looked], "an image that nobody recorded")


def _unknown(platform: Platform, looked: Sequence[int], name: str) -> Column:
    registers = {index: _other(platform, index) for index in looked}
    return Column(name=name, kind="unknown", attested=Attested(platform=platform, pcrs=registers, complete=False))


def _recorded(entry: "Entry", found: Sequence[Rule], looked: Sequence[int]) -> Iterator[Column]:
    platform, own = Platform(entry.platform), {"entry": entry.id, "status": entry.status.value}
    missing = [index for index in looked if index not in entry.pcrs]
    asked = list(_asked(entry, found, missing)) if missing else [("", {})]

    def attested(changed: Mapping[int, bytes]) -> Attested:
        return Attested(platform=platform, pcrs={**entry.pcrs, **changed}, complete=False)

    name = f"{entry.id} ({entry.status.value})"
    for words, values in asked:
        yield Column(name=name + words, kind="recorded", attested=attested(values), **own)
    others = {index: _other(platform, index) for index in missing}
    if missing:
        words = f", another {_names(missing)}"
        yield Column(name=name + words, kind="recorded-elsewhere", attested=attested(others), **own)
    if entry.status is Status.ACTIVE:
        image = _IMAGE if platform is Platform.ENCLAVE else ()
        for index in looked:
            if index in entry.pcrs and index not in image:
                changed = {**(asked[0][1] if asked else others), index: _other(platform, index)}
                words = f", another {pcr.name(index)}"
                yield Column(name=name + words, kind="recorded-elsewhere", attested=attested(changed), **own)


def _asked(entry: "Entry", found: Sequence[Rule], missing: Sequence[int]) -> Iterator[tuple[str, dict[int, bytes]]]:
    """Yield values of registers that are not recorded, as Allow statements that may be about the image ask for them."""
    told = list[dict[int, bytes]]()
    for rule in found:
        values = dict[int, bytes]()
        for each in rule.atoms if rule.statement.effect is Effect.ALLOW else ():
            if not each.place or each.place[0] != entry.platform:
                continue
            literals = [bytes.fromhex(text) for text in each.condition.values if _is_register(text)]
            index = each.place[1]
            if index in entry.pcrs and literals and entry.pcrs[index] not in literals:
                break  # of another image
            if index in missing and literals:
                values[index] = literals[0]
        else:
            if values and values not in told and len(told) < _ASKED:
                told.append(values)
                rest = {index: _other(Platform(entry.platform), index) for index in missing if index not in values}
                yield f", {_names(values)} as {rule.label} asks", {**values, **rest}


def _names(indexes: Sequence[int] | Mapping[int, bytes]) -> str:
    return ", ".join(pcr.name(index) for index in sorted(indexes))


def _is_register(text: str) -> bool:
    return len(text) == pcr.HEX_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in text)


def _other(platform: Platform, index: int) -> bytes:
    """Return a value that no image has: the same every time, so that two matrices can be compared."""
    return pcr.from_digest(f"nobody recorded {platform} {index}".encode().ljust(pcr.PCR_BYTES))
