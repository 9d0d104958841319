"""The requests that each property forbids, as clauses on the registers that a document has.

A register that no statement looks at may have any value, and so one that no image has: a clause with it holds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nitroctl import nitrotpm, pcr
from nitroctl.kms import operators
from nitroctl.kms.classes import atom
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.prove_boxes import Clause
from nitroctl.kms.prove_scene import Scene
from nitroctl.kms.request import Platform
from nitroctl.records.entry import Status

if TYPE_CHECKING:
    from nitroctl.records import Entry, Ledger

Registers = Mapping[tuple[Platform, int], frozenset[bytes]]
#: The requests that a property forbids: any of some sets of clauses, each of which has to hold whole.
Forbidden = Callable[[Scene], Sequence[Sequence[Clause]]]


def named_registers(found: Sequence[PolicyDocument]) -> Registers:
    """Return the values of registers that policies name as those of an image: asked for, or excepted from a Deny."""
    named: dict[tuple[Platform, int], set[bytes]] = {}
    for policy in found:
        for statement in policy.statements:
            for condition in statement.conditions:
                one = atom(policy, condition)
                negated = operators.negated(condition.operator)
                if one.place is None or one.family != "text" or negated is (statement.effect is Effect.ALLOW):
                    continue
                values = (value for value in condition.values if len(value) == pcr.HEX_DIGITS)
                for value in values:
                    try:
                        named.setdefault(one.place, set()).add(bytes.fromhex(value))
                    except ValueError:
                        continue
    return {place: frozenset(values) for place, values in named.items()}


def unnamed(named: Registers) -> Forbidden:
    """Return the documents that are of no image that the policies name."""

    def clauses(scene: Scene) -> Sequence[Sequence[Clause]]:
        platform, found = scene.mode.platform, list[Clause]()
        if platform is None or scene.mode.debug:
            return ((),)
        for identity in ((0,), (1, 2)) if platform is Platform.ENCLAVE else ((7,), (4, 12)):
            values = {}
            for index in identity:
                known = named.get((platform, index), frozenset())
                values[index] = frozenset(value for value in known if not _anybodys(platform, index, value))
            found += _unlike(scene, platform, values, "only the images that are named get by")
        return (found,)

    return clauses


def _anybodys(platform: Platform, index: int, value: bytes) -> bool:
    """Whether a register that has this value says nothing of the image that was booted."""
    if platform is Platform.ENCLAVE:
        return pcr.is_zero(value)
    return index != nitrotpm.COMMAND_LINE and nitrotpm.says_nothing(index, value)


def unrecorded(ledger: "Ledger") -> Forbidden:
    """Return the documents that match no active entry in what it pins, or are of an image that is revoked."""
    active, revoked = ledger.active(), ledger.select(status=Status.REVOKED).entries

    def clauses(scene: Scene) -> Sequence[Sequence[Clause]]:
        platform, found = scene.mode.platform, list[Clause]()
        if platform is None or scene.mode.debug:
            return ((),)
        for entry in active:
            if entry.platform == platform:
                for values in _identities(entry, {*entry.pin} - set(entry.image)):
                    found += _unlike(scene, platform, values, "only what active records say gets by")
        sets: list[Sequence[Clause]] = [found]
        for entry in revoked:
            for values in _identities(entry, set()) if entry.platform == platform else ():
                parts = [_alike(scene, platform, index, value) for index, [value] in values.items()]
                if all(parts):
                    sets.append([part for part in parts if part])
        return sets

    return clauses


def _identities(entry: "Entry", more: set[int]) -> Iterator[Mapping[int, frozenset[bytes]]]:
    """Yield the sets of registers any of which says that a document is of the entry's image, with ``more``."""
    if entry.platform == Platform.ENCLAVE:
        for identity in ({0}, {1, 2}):
            yield {index: frozenset({entry.pcrs[index]}) for index in sorted(identity | more)}
    else:
        yield {index: frozenset({value}) for index, value in entry.image.items()}


def _unlike(scene: Scene, platform: Platform, values: Mapping[int, frozenset[bytes]], why: str) -> Iterator[Clause]:
    """Yield the clause that one of the registers has another value; none where no statement looks at one of them."""
    parts = dict[str, int]()
    for index, known in values.items():
        variable = platform.key(index).lower()
        if variable not in scene.variables or not known:
            return
        domain = scene.domain(variable)
        parts[variable] = sum(1 << at for at, one in enumerate(domain.choices) if one.register not in known)
    yield Clause(parts, why)


def _alike(scene: Scene, platform: Platform, index: int, value: bytes) -> Clause | None:
    """Return the clause that a register has a value; None where the statements do not tell it from others."""
    variable = platform.key(index).lower()
    if variable not in scene.variables:
        return None
    bits = scene.domain(variable).where(lambda one: one.register == value)
    return Clause({variable: bits}, "no revoked image gets by") if bits else None
