"""An image as ``eif inspect`` reads it: measured, its kernel identified and its ramdisks listed, all of one state."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitroctl.errors import CannotAnswer

if TYPE_CHECKING:
    from nitroctl.eif.contents import Image, Listing, Summary
    from nitroctl.eif.format import Section
    from nitroctl.eif.kernel import Kernel
    from nitroctl.eif.measure import Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is in an image, and the image itself to read on.

    ``kernel``: None, and no ``ramdisks``, when readers do not agree on the sections. ``summaries``: of each ramdisk.
    ``listings``: of those that were asked for, by their number from 1.
    """

    image: "Image"
    measured: "Measured"
    kernel: "Kernel | None"
    ramdisks: "tuple[Section, ...]"
    summaries: "tuple[Summary, ...]"
    listings: "Mapping[int, Listing]"


@contextlib.contextmanager
def opened(file: str, chosen: int | None, *, listed: bool, needed: bool) -> Iterator[Found]:
    """Open and read the image ``file``. ``listed``: with digests of what is in the ramdisk ``chosen``, or in all.

    Raises CannotAnswer as :func:`nitroctl.eif.contents.opened`, and ``eif.no-ramdisk`` when a ramdisk is ``needed``
    and there is none, or not that one.
    """
    from nitroctl.eif import contents, kernel
    from nitroctl.eif.format import SectionType
    from nitroctl.eif.measure import measure

    with contents.opened(file) as image:
        measured = measure(file)
        layout = measured.layout
        ramdisks = layout.of_type(SectionType.RAMDISK) if layout.agreed else ()
        if needed:
            _require(measured, len(ramdisks), chosen)
        kernels = layout.of_type(SectionType.KERNEL) if layout.agreed else ()
        listings: dict[int, Listing] = {}
        summaries: list[Summary] = []
        before = 0
        for number, section in enumerate(ramdisks, 1):
            place = (image.stream, section.data, section.size)
            if needed and chosen in (None, number):
                listings[number] = contents.listing_of(*place, before=before, digests=listed)
                summaries.append(listings[number])
            else:
                summaries.append(contents.summary_of(*place, before=before))
            before += section.size
        yield Found(
            image=image,
            measured=measured,
            kernel=kernel.identify(image.stream, kernels[0].data, kernels[0].size) if kernels else None,
            ramdisks=ramdisks,
            summaries=tuple(summaries),
            listings=listings,
        )


def _require(measured: "Measured", count: int, chosen: int | None) -> None:
    if not measured.layout.agreed:
        raise CannotAnswer(
            f"{measured.path}: which ramdisks it has cannot be told: {measured.report.refusals[0].detail}",
            "eif.no-ramdisk",
            [f"see nitroctl eif inspect {measured.path}"],
        )
    if not count or (chosen is not None and not 1 <= chosen <= count):
        there = f"it has {count}, numbered from 1" if count else "it has none"
        which = f"no ramdisk {chosen}" if chosen is not None else "no ramdisk"
        raise CannotAnswer(
            f"{measured.path}: there is {which}: {there}",
            "eif.no-ramdisk",
            [f"see nitroctl eif inspect {measured.path}"],
        )
