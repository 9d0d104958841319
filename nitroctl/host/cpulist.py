"""Lists of CPUs as the Linux kernel writes them: ``2,3,6-9``.

Source: kernel documentation, "Kernel parameters", cpu lists. The forms with strides (``0-7:1/2``) and words (``all``)
are not read: the allocator's file cannot carry a colon, and nitroctl writes neither.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

#: The largest CPU number accepted; the kernel is built for at most 8192 CPUs.
HIGHEST: Final = 8191

_PART = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


class NotACpuList(ValueError):
    """The text is not a list of CPUs; the message says where."""


def parse(text: str) -> tuple[int, ...]:
    """Return the CPUs that ``text`` names, ascending, each once; the empty text names none.

    Raises NotACpuList naming the part that is not a number or a range from low to high.
    """
    cpus: set[int] = set()
    for part in text.split(",") if text else ():
        match = _PART.fullmatch(part)
        if not match:
            raise NotACpuList(f"{part!r} is not a CPU number or a range such as 6-9")
        low, high = int(match[1]), int(match[2] or match[1])
        if high > HIGHEST:
            raise NotACpuList(f"CPU {high} is above {HIGHEST}, the highest number a kernel knows")
        if low > high:
            raise NotACpuList(f"the range {part} goes down")
        cpus.update(range(low, high + 1))
    return tuple(sorted(cpus))


def show(cpus: Iterable[int]) -> str:
    """Return ``cpus`` as the kernel writes them: ascending, neighbours joined into ranges."""
    ordered = sorted(set(cpus))
    if not ordered:
        return ""
    breaks = [(low, high) for low, high in pairwise(ordered) if high != low + 1]
    starts = [ordered[0], *(high for _, high in breaks)]
    ends = [*(low for low, _ in breaks), ordered[-1]]
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in zip(starts, ends, strict=True))
