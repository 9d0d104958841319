"""One of two images to compare: its measurements, the digest of each section, and the entries of its ramdisks.

An image that cannot be measured has sections too, as far as they can be followed; which reader's they are is said.
Everything is read from one open file: what is compared is what was measured, or the answer is that it changed.
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from nitroctl.eif import contents, kernel
from nitroctl.eif.contents import Listing
from nitroctl.eif.format import MEASURED, Section, SectionType
from nitroctl.eif.kernel import Kernel
from nitroctl.eif.measure import CMDLINE_SHOWN, Measured, measure

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A section and the SHA-256 of its data. ``number``: 1 for the first section of its type."""

    section: Section
    number: int
    sha256: bytes

    @property
    def label(self) -> str:
        """What people call it: ``kernel``, ``command line``, ``ramdisk 2``."""
        if self.section.type == SectionType.RAMDISK:
            return f"ramdisk {self.number}"
        name = "command line" if self.section.type == SectionType.CMDLINE else self.section.kind
        return f"{name} {self.number}" if self.number > 1 else name


class Image:
    """An open image file. ``parts``: its sections in file order; ``reader``: whose view they are, empty for all."""

    def __init__(self, stream: IO[bytes], measured: Measured) -> None:
        """Read every section once."""
        self._stream = stream
        self.measured = measured
        layout = measured.layout
        self.reader = "" if layout.agreed else "nitro-cli"
        self.found = layout.sequence.complete and bool(layout.sequence.sections)
        self.parts = tuple(self._parts(layout.sequence.sections if self.found else ()))

    @property
    def measured_parts(self) -> tuple[Part, ...]:
        """The sections that PCR0 is made of."""
        return tuple(part for part in self.parts if part.section.type in MEASURED)

    def of_type(self, wanted: SectionType) -> tuple[Part, ...]:
        """Return the sections of one type, in file order."""
        return tuple(part for part in self.parts if part.section.type == wanted)

    def cmdline(self, part: Part) -> bytes:
        """Return a command line, at most its first 64 KiB."""
        self._stream.seek(part.section.data)
        return self._stream.read(min(CMDLINE_SHOWN, part.section.size))

    def listing(self, part: Part) -> Listing:
        """Return the entries of a ramdisk."""
        return contents.listing_of(self._stream, part.section.data, part.section.size)

    def kernel(self, part: Part) -> Kernel:
        """Return what a kernel says it is."""
        return kernel.identify(self._stream, part.section.data, part.section.size)

    def _parts(self, sections: tuple[Section, ...]) -> Iterator[Part]:
        numbers: Counter[int] = Counter()
        for section in sections:
            numbers[section.type] += 1
            yield Part(section, numbers[section.type], self._digest(section))

    def _digest(self, section: Section) -> bytes:
        digest = hashlib.sha256()
        self._stream.seek(section.data)
        left = section.size
        while left:
            piece = self._stream.read(min(left, _CHUNK))
            if not piece:  # it became shorter; what opened it says so at the end
                break
            digest.update(piece)
            left -= len(piece)
        return digest.digest()


@contextlib.contextmanager
def opened(path: str) -> Iterator[Image]:
    """Open, measure and read the image file ``path``; when the block ends the file has to be what it was.

    Raises CannotAnswer ``file.unreadable``, ``file.not-regular`` or ``eif.changed``.
    """
    with contents.unchanged(path) as stream:
        yield Image(stream, measure(path))
