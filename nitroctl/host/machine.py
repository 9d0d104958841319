"""What this host can give an enclave: the kernel's files about the driver, the CPU pool, hugepages and cores.

All are read under one root (``/``; another only in tests). A file that is absent is told apart from one that says
"none". CPUs in the pool are offline on the parent, so their core and NUMA node cannot be read; what is known about
threads and cores comes from CPU 0, which never leaves: Linux numbers the threads of all cores alike.
Source: kernel documentation (sysfs: cpu, hugepages); aws-nitro-enclaves-cli 1.5.0, which reads the same files.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nitroctl.host import cpulist

MIB: Final = 1024 * 1024
_LIMIT: Final = 64 * 1024
_DEVICE: Final = "dev/nitro_enclaves"
_POOL: Final = "sys/module/nitro_enclaves/parameters/ne_cpus"
_NODES: Final = "sys/devices/system/node"
_SIBLINGS: Final = "sys/devices/system/cpu/cpu0/topology/thread_siblings_list"
_ASSET_TAG: Final = "sys/devices/virtual/dmi/id/board_asset_tag"
_NODE = re.compile(r"node([0-9]{1,4})")
_PAGES = re.compile(r"hugepages-([0-9]{1,10})kB")
_INSTANCE = re.compile(r"i-(?:[0-9a-f]{17}|[0-9a-f]{8})")
#: The smallest hugepage an enclave's memory can be made of.
SMALLEST_PAGE_KIB: Final = 2048


@dataclass(frozen=True, slots=True, order=True)
class HugePages:
    """The hugepages of one size on one NUMA node."""

    node: int
    size_kib: int
    total: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What an enclave needs of the host.

    ``device``: whether the enclave device is there; ``usable``: whether this user may open it. ``pool``: the CPUs set
    aside for enclaves, empty when there are none, None when the driver is not loaded. ``first_core``: CPU 0 and the
    other threads of its core, empty when they cannot be read. ``instance_id``: of this EC2 instance, or None elsewhere.
    """

    device: bool
    usable: bool
    pool: tuple[int, ...] | None
    pages: tuple[HugePages, ...]
    first_core: tuple[int, ...]
    instance_id: str | None

    @property
    def threads_per_core(self) -> int | None:
        """1 or 2; None when it cannot be read."""
        return len(self.first_core) or None

    def core(self, cpu: int) -> tuple[int, ...]:
        """Return the CPUs of the core that ``cpu`` of the pool is on, going by how those of CPU 0's are numbered.

        Empty where that says nothing: CPU 0's core cannot be read, or the pool, which is whole cores, would not be.
        """
        pool = self.pool or ()
        return self._core(cpu) if pool and all(set(self._core(each)) <= set(pool) for each in pool) else ()

    def _core(self, cpu: int) -> tuple[int, ...]:
        count = len(self.first_core)
        if count < 2:  # noqa: PLR2004  (a second thread tells how far apart they are)
            return self.first_core and (cpu,)
        apart = self.first_core[1]
        first = cpu - cpu // apart % count * apart
        return tuple(first + thread * apart for thread in range(count))

    @property
    def free_bytes(self) -> int:
        """The memory in free hugepages, all sizes and nodes."""
        return sum(pages.free * pages.size_kib * 1024 for pages in self.pages)


@dataclass(frozen=True, slots=True)
class PagePlan:
    """Which hugepages a request takes: ``taken`` by size in KiB; ``missing_bytes`` when there are not enough."""

    taken: Mapping[int, int]
    missing_bytes: int

    @property
    def bytes(self) -> int:
        """The memory in the pages taken; can be more than was asked for."""
        return sum(count * size * 1024 for size, count in self.taken.items())


def read(root: str) -> Machine:
    """Return what the host under ``root`` can give. Files that are absent or unreadable count as absent."""
    base = Path(root)
    device = base / _DEVICE
    pool = _text(base / _POOL)
    siblings = _cpus(_text(base / _SIBLINGS))
    tag = (_text(base / _ASSET_TAG) or "").strip()
    return Machine(
        device=os.path.exists(device),  # noqa: PTH110  (Path.exists raises where the folder cannot be searched)
        usable=os.access(device, os.R_OK | os.W_OK),
        pool=_cpus(pool) if pool is not None else None,
        pages=tuple(sorted(_pages(base / _NODES))),
        first_core=siblings,
        instance_id=tag if _INSTANCE.fullmatch(tag) else None,
    )


def plan_pages(need_bytes: int, pages: Sequence[HugePages]) -> PagePlan:
    """Return which free pages nitro-cli takes for ``need_bytes``.

    The largest size first, as many whole pages as fit; then the remainder from the smallest size up, so that a lone
    1 GiB page is taken whole for a small request. Source: nitro-cli's resource manager.
    """
    free: dict[int, int] = {}
    for item in pages:
        if item.size_kib >= SMALLEST_PAGE_KIB:
            free[item.size_kib] = free.get(item.size_kib, 0) + item.free
    taken: dict[int, int] = {}
    missing = need_bytes
    for size in sorted(free, reverse=True):
        missing -= _take(size, missing // (size * 1024), free, taken)
    for size in sorted(free):
        if missing > 0:
            missing -= _take(size, -(-missing // (size * 1024)), free, taken)
    return PagePlan(taken, max(0, missing))


def _take(size_kib: int, count: int, free: dict[int, int], taken: dict[int, int]) -> int:
    """Move up to ``count`` pages from ``free`` to ``taken`` and return their bytes."""
    count = min(count, free[size_kib])
    if count > 0:
        free[size_kib] -= count
        taken[size_kib] = taken.get(size_kib, 0) + count
    return max(0, count) * size_kib * 1024


def _pages(nodes: Path) -> Iterable[HugePages]:
    for node in _children(nodes):
        number = _NODE.fullmatch(node.name)
        for folder in _children(node / "hugepages") if number else ():
            size = _PAGES.fullmatch(folder.name)
            if number and size:
                total, free = _number(folder / "nr_hugepages"), _number(folder / "free_hugepages")
                yield HugePages(int(number[1]), int(size[1]), total, min(free, total))


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str | None:
    """Return a kernel file's text, or None when it cannot be read."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        return stream.read(_LIMIT).decode("ascii", "backslashreplace")
    return None


def _number(path: Path) -> int:
    text = (_text(path) or "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else 0


def _cpus(text: str | None) -> tuple[int, ...]:
    try:
        return cpulist.parse((text or "").strip())
    except cpulist.NotACpuList:
        return ()
