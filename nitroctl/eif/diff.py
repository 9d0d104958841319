"""Why the measurements of two images differ, or why they are equal although the files are not.

PCR0 is made of the bytes of kernel, command line and ramdisks in file order, PCR1 of kernel, command line and the first
ramdisk, PCR2 of the other ramdisks, PCR8 of the signing certificate. So every difference between two images is either
a cause, in one of these, or it moves no register. Where one section ends and the next begins moves none either, though
it changes what runs: images with other sections are never called equal, whatever their registers say.
Source: aws-nitro-enclaves-image-format, README "PCRs".
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Final

from nitroctl.eif import diff_ramdisk, diff_unmeasured
from nitroctl.eif.diff_image import Image, Part, opened
from nitroctl.eif.diff_ramdisk import Contents
from nitroctl.eif.diff_unmeasured import Unmeasured
from nitroctl.eif.format import SectionType
from nitroctl.eif.kernel import Kernel
from nitroctl.eif.measure import Measured


class Cause(StrEnum):
    """What kind of difference makes a register move."""

    ADDED = "added"
    REMOVED = "removed"
    ORDER = "order"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A measured part in which the images differ.

    ``part``: ``kernel``, ``command line``, ``ramdisk 2`` (by its number in the second image unless that lacks it),
    ``sections``, ``ramdisks`` or ``signing certificate``. ``registers``: those it moves. ``numbers``: of a ramdisk in
    the first and the second image; ``sizes``: bytes of the section there. One of ``kernels``, ``cmdlines``,
    ``contents`` and ``certificates`` (their subjects) has what it is in detail when it is a change.
    """

    part: str
    cause: Cause
    registers: tuple[int, ...]
    numbers: tuple[int | None, int | None] = (None, None)
    sizes: tuple[int | None, int | None] = (None, None)
    kernels: tuple[Kernel, Kernel] | None = None
    cmdlines: "Cmdlines | None" = None
    contents: Contents | None = None
    certificates: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmdlines:
    """Two command lines: their first 64 KiB, and the words that one of them lacks, in their order."""

    first: bytes
    second: bytes
    removed: tuple[str, ...]
    added: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two images and everything in which they differ.

    ``differences``: in what is measured; none exactly when kernel, command line, ramdisks and signing certificate are
    the same bytes in the same sections. ``unmeasured``: the others. ``found``: whether both images have sections to
    compare. ``readers``: as whose reader the sections of each were followed, empty where all readers agree.
    """

    first: Measured
    second: Measured
    differences: tuple[Difference, ...]
    unmeasured: tuple[Unmeasured, ...]
    found: bool
    readers: tuple[str, str]

    @property
    def same_file(self) -> bool:
        """Whether the files are known to be equal, byte for byte."""
        return bool(self.first.sha256) and self.first.sha256 == self.second.sha256

    @property
    def unmeasurable(self) -> tuple[tuple[str, str], ...]:
        """The images without registers, ``A`` or ``B``, each with the reason."""
        sides = (("A", self.first), ("B", self.second))
        return tuple((letter, side.report.refusals[0].detail) for letter, side in sides if not side.measurable)

    @property
    def differing(self) -> tuple[int, ...] | None:
        """The registers that differ; None when an image has none to compare. PCR8 counts as absent when unsigned."""
        if self.unmeasurable:
            return None
        one, other = self.first.pcrs, self.second.pcrs
        return tuple(index for index in sorted({*one, *other}) if one.get(index) != other.get(index))

    @property
    def same(self) -> bool:
        """Whether both images can be measured, and to the same, and in the same sections."""
        return self.differing == () and not self.differences


def compare(first: str, second: str) -> Compared:
    """Return how the image files ``first`` and ``second`` differ.

    A malformed image is an answer. Raises CannotAnswer ``file.unreadable``, ``file.not-regular`` or ``eif.changed``.
    """
    with opened(first) as one, opened(second) as other:
        found = one.found and other.found
        differences = [*_sections(one, other), *_certificates(one, other)] if found else []
        compared = Compared(
            first=one.measured,
            second=other.measured,
            differences=tuple(differences),
            unmeasured=diff_unmeasured.compare(one, other),
            found=found,
            readers=(one.reader, other.reader),
        )
    moved = compared.differing
    if moved is None:
        return compared
    kept = tuple(
        replace(each, registers=tuple(index for index in each.registers if index in moved)) for each in differences
    )
    return replace(compared, differences=kept)


# -- sections

_BOOT: Final = (0, 1)
_APPLICATION: Final = (0, 2)
_ALL: Final = (0, 1, 2)


def _sections(one: Image, other: Image) -> Iterator[Difference]:
    """Yield the differences of what PCR0 is made of: none exactly when the sections are the same, in the same order."""
    if _content(one.measured_parts) == _content(other.measured_parts):
        return
    for kind in (SectionType.KERNEL, SectionType.CMDLINE):
        for before, after in _paired(one.of_type(kind), other.of_type(kind)):
            yield from _single(one, other, before, after)
    ramdisks = list(_ramdisks(one, other))
    yield from ramdisks
    lone = [each.numbers for each in ramdisks if each.cause in (Cause.ADDED, Cause.REMOVED)]
    kinds = [_kinds(image, {numbers[side] for numbers in lone}) for side, image in enumerate((one, other))]
    if kinds[0] != kinds[1] and Counter(kinds[0]) == Counter(kinds[1]):
        yield Difference(part="sections", cause=Cause.ORDER, registers=_ALL)


def _kinds(image: Image, lone: set[int | None]) -> list[int]:
    """Return the types of the sections in file order, without the ramdisks that the other image lacks."""
    return [
        part.section.type
        for part in image.measured_parts
        if part.section.type != SectionType.RAMDISK or part.number not in lone
    ]


def _content(parts: Iterable[Part]) -> list[tuple[int, bytes]]:
    return [(part.section.type, part.sha256) for part in parts]


def _paired(before: Sequence[Part], after: Sequence[Part]) -> Iterator[tuple[Part | None, Part | None]]:
    """Yield the sections of one type by number, None where one image has fewer."""
    for number in range(max(len(before), len(after))):
        yield (before[number] if number < len(before) else None), (after[number] if number < len(after) else None)


def _single(one: Image, other: Image, before: Part | None, after: Part | None) -> Iterator[Difference]:
    if before is None or after is None:
        yield _lone(before, after, _BOOT)
    elif before.sha256 != after.sha256:
        changed = _change(before, after, _BOOT)
        if before.section.type == SectionType.KERNEL:
            yield replace(changed, kernels=(one.kernel(before), other.kernel(after)))
        else:
            yield replace(changed, cmdlines=_cmdlines(one.cmdline(before), other.cmdline(after)))


def _lone(before: Part | None, after: Part | None, registers: tuple[int, ...]) -> Difference:
    part = before or after
    return Difference(
        part=part.label if part else "",
        cause=Cause.REMOVED if before else Cause.ADDED,
        registers=registers,
        numbers=_numbers(before, after),
        sizes=_sizes(before, after),
    )


def _change(before: Part, after: Part, registers: tuple[int, ...]) -> Difference:
    return Difference(
        part=after.label,
        cause=Cause.CHANGED,
        registers=registers,
        numbers=_numbers(before, after),
        sizes=_sizes(before, after),
    )


def _numbers(before: Part | None, after: Part | None) -> tuple[int | None, int | None]:
    part = before or after
    if part is None or part.section.type != SectionType.RAMDISK:
        return None, None
    return before.number if before else None, after.number if after else None


def _sizes(before: Part | None, after: Part | None) -> tuple[int | None, int | None]:
    return before.section.size if before else None, after.section.size if after else None


def _cmdlines(first: bytes, second: bytes) -> Cmdlines:
    before, after = (line.decode("utf-8", "backslashreplace").split() for line in (first, second))
    return Cmdlines(
        first=first,
        second=second,
        removed=tuple((Counter(before) - Counter(after)).elements()),
        added=tuple((Counter(after) - Counter(before)).elements()),
    )


def _ramdisks(one: Image, other: Image) -> Iterator[Difference]:
    """Pair the ramdisks by their numbers; where one was put in or left out, those around it by being equal."""
    before, after = one.of_type(SectionType.RAMDISK), other.of_type(SectionType.RAMDISK)
    old, new = ([part.sha256 for part in parts] for parts in (before, after))
    if old != new and Counter(old) == Counter(new):
        yield Difference(part="ramdisks", cause=Cause.ORDER, registers=_ALL)
        return
    runs: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(old), 0, len(new))]
    if len(old) != len(new):
        runs = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for tag, start, end, begin, stop in runs:
        if tag == "equal":
            continue
        for left, right in _paired(before[start:end], after[begin:stop]):
            if not (left and right and left.sha256 == right.sha256):
                yield _ramdisk(one, other, left, right)


def _ramdisk(one: Image, other: Image, before: Part | None, after: Part | None) -> Difference:
    if before is None or after is None:
        first = any(part and part.number == 1 for part in (before, after))
        return _lone(before, after, _ALL if first else _APPLICATION)  # the one after the first takes its place
    registers = tuple(sorted({index for part in (before, after) for index in (_BOOT, _APPLICATION)[part.number > 1]}))
    contents = diff_ramdisk.compare(one.listing(before), other.listing(after))
    return replace(_change(before, after, registers), contents=contents)


# -- who signed


def _certificates(one: Image, other: Image) -> Iterator[Difference]:
    """Yield the difference of what PCR8 is made of; signatures that cannot be read are told apart by their bytes."""
    sections = [image.of_type(SectionType.SIGNATURE) for image in (one, other)]
    signatures = [image.measured.signature for image in (one, other)]
    ders = [each.certificate.der if each else b"" for each in signatures]
    unreadable = [bool(found) and signature is None for found, signature in zip(sections, signatures, strict=True)]
    if any(unreadable):
        if [part.sha256 for part in sections[0]] != [part.sha256 for part in sections[1]]:
            yield Difference(part="signing certificate", cause=Cause.CHANGED, registers=(8,))
        return
    if ders[0] == ders[1]:
        return
    cause = Cause.ADDED if not ders[0] else Cause.REMOVED if not ders[1] else Cause.CHANGED
    subjects = tuple(each.certificate.subject if each else "" for each in signatures)
    yield Difference(part="signing certificate", cause=cause, registers=(8,), certificates=(subjects[0], subjects[1]))
