"""What enclaves can be given: the CPU pool and the huge pages, minus what running enclaves hold.

The stock is read from the stand-in host's sysfs files, as the kernel shows them; what is taken is written in one
record a running enclave, kept alive by a lock that its manager process holds. A record without a lock belongs to a
manager that died; whoever looks next removes it and corrects ``free_hugepages``.
"""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from nitroctl.standin.failures import Failure

NE_CPUS: Final = "sys/module/nitro_enclaves/parameters/ne_cpus"
NODES: Final = "sys/devices/system/node"
DEVICE: Final = "dev/nitro_enclaves"
ASSET_TAG: Final = "sys/devices/virtual/dmi/id/board_asset_tag"
NO_INSTANCE: Final = "i-0000000000000000"

#: The driver's least memory, and the image sizes that must fit into an enclave's memory.
MINIMUM_MIB: Final = 64
MEMORY_TO_IMAGE: Final = 4
_MIB: Final = 1024 * 1024
_FIRST_CID: Final = 16


@dataclass(frozen=True, slots=True)
class Hardware:
    """The machine under the stand-in host: what its sysfs does not show of CPUs that are offline."""

    cpus: int
    threads_per_core: int
    nodes: int

    @property
    def cores(self) -> int:
        """How many cores there are."""
        return self.cpus // self.threads_per_core

    def siblings(self, cpu: int) -> Sequence[int]:
        """Return the CPUs of one core: CPU 1 of 4 cores has the sibling 5."""
        return [cpu % self.cores + thread * self.cores for thread in range(self.threads_per_core)]

    def node(self, cpu: int) -> int:
        """Return the NUMA node of a CPU: the cores are dealt out in blocks."""
        return cpu % self.cores * self.nodes // self.cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What one enclave holds. ``pages``: huge page size in KiB, as text, to number of pages on ``node``."""

    slot: str
    pid: int
    cid: int
    name: str
    cpus: Sequence[int]
    node: int
    pages: Mapping[str, int]


def parse_cpus(text: str) -> list[int]:
    """Return the CPUs of a kernel list such as ``1-2,5``. Raises Failure E23 or E24."""
    cpus: list[int] = []
    for part in filter(None, text.strip().split(",")):
        match = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", part.strip())
        if not match:
            raise Failure(23, f"not a CPU or an interval: {part!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise Failure(24, f"an interval that runs backwards: {part!r}")
        cpus += range(first, last + 1)
    return cpus


def format_cpus(cpus: Sequence[int]) -> str:
    """Return the kernel's list of ``cpus``: ``1-2,5``."""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][-1] == cpu - 1:
            parts[-1].append(cpu)
        else:
            parts.append([cpu])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in parts)


class Pool:
    """The stock of one stand-in host, under ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.state = directory / "state"

    @property
    def hardware(self) -> Hardware:
        """Return the machine, as host.create made it."""
        return Hardware(**json.loads((self.directory / "hardware.json").read_text(encoding="utf-8")))

    def configured_cpus(self) -> list[int]:
        """Return the CPUs in the pool, used or not. Raises Failure E19, E23 or E24."""
        path = self.root / NE_CPUS
        try:
            return parse_cpus(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise Failure(19, f"CPU pool: {error}", f"/{NE_CPUS}", "Open") from error

    def require_device(self) -> None:
        """Raise Failure E19 where the driver's device is absent."""
        if not (self.root / DEVICE).exists():
            raise Failure(19, "the driver's device: No such file or directory", f"/{DEVICE}", "Open")

    def instance_id(self) -> str:
        """Return the parent's instance id; the original's placeholder where the machine does not tell."""
        try:
            return (self.root / ASSET_TAG).read_text(encoding="utf-8").strip() or NO_INSTANCE
        except OSError:
            return NO_INSTANCE

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the stock still: whoever takes or returns something does so alone."""
        with (self.state / "lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def running(self) -> list[Running]:
        """Return what is taken, and forget what dead managers left behind. The lock must be held."""
        found = []
        for path in sorted(self.state.glob("*.json")):
            with path.open(encoding="utf-8") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    found.append(Running(**json.load(stream)))
                    continue
            path.unlink()
        return found

    def enter(self, record: Running) -> IO[str]:
        """Write down what an enclave holds; it counts as long as the stream stays open. The lock must be held."""
        stream = (self.state / f"{record.slot}.json").open("w", encoding="utf-8")
        fcntl.flock(stream, fcntl.LOCK_EX)
        json.dump(asdict(record), stream)
        stream.flush()
        self.settle()
        return stream

    def leave(self, slot: str) -> None:
        """Give everything back that the enclave held."""
        with contextlib.suppress(FileNotFoundError), self.locked():
            (self.state / f"{slot}.json").unlink(missing_ok=True)
            self.settle()

    def settle(self) -> None:
        """Make every ``free_hugepages`` true. The lock must be held."""
        taken = self.running()
        for path in (self.root / NODES).glob("node*/hugepages/hugepages-*kB/free_hugepages"):
            size, node = _size(path.parent), _node(path.parent.parent.parent)
            used = sum(record.pages.get(str(size), 0) for record in taken if record.node == node)
            free = max(0, _number(path.with_name("nr_hugepages")) - used)
            if _number(path) != free:
                path.write_text(f"{free}\n", encoding="utf-8")

    def free_pages(self, node: int) -> dict[int, int]:
        """Return the free huge pages of a node: size in KiB to number."""
        directories = (self.root / NODES / f"node{node}/hugepages").glob("hugepages-*kB")
        return {_size(directory): _number(directory / "free_hugepages") for directory in directories}

    def next_cid(self) -> int:
        """Return a CID that no enclave has and none had lately. The lock must be held."""
        path = self.state / "cid"
        cid = _number(path) or _FIRST_CID
        while cid in {record.cid for record in self.running()}:
            cid += 1
        path.write_text(f"{cid + 1}\n", encoding="utf-8")
        return cid


def _size(directory: Path) -> int:
    return int(directory.name.removeprefix("hugepages-").removesuffix("kB"))


def _node(directory: Path) -> int:
    return int(directory.name.removeprefix("node"))


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def check_cpus(count: int | None, ids: Sequence[int] | None, pool: Sequence[int]) -> None:
    """Refuse what nitro-cli itself refuses, used or free: E20, E21 or E22."""
    if ids is not None:
        doubled = next((cpu for number, cpu in enumerate(ids) if cpu in ids[:number]), None)
        if doubled is not None:
            raise Failure(20, f"CPU {doubled} is named twice", str(list(ids)))
        for cpu in ids:
            if cpu not in pool:
                raise Failure(21, f"CPU {cpu} is not in the pool {format_cpus(pool)!r}", str(cpu))
    elif count is not None and count > len(pool):
        raise Failure(22, "the pool is too small", str(count), str(len(pool)))


def choose_cpus(
    count: int | None, ids: Sequence[int] | None, pool: Sequence[int], used: Sequence[int], hardware: Hardware
) -> list[int]:
    """Return the CPUs the driver gives. Raises Failure E29, as for everything the driver refuses.

    ``used``: CPUs of running enclaves. Whole cores only; one enclave's CPUs are of one NUMA node.
    """
    free = [cpu for cpu in pool if cpu not in used]
    if ids is not None:
        if set(ids) & set(used):
            raise _ioctl("add vCPU: the vCPU is used already")
        chosen = list(ids)
    else:
        cores = {cpu % hardware.cores: None for cpu in free}
        in_core_order = [cpu for core in cores for cpu in hardware.siblings(core) if cpu in free]
        chosen = sorted(in_core_order[: count or 0])
        if len(chosen) < (count or 0):
            raise _ioctl("add vCPU: no CPUs available in the pool")
    if not chosen:
        raise _ioctl("start: no vCPUs were added")
    if any(sibling not in chosen for cpu in chosen for sibling in hardware.siblings(cpu)):
        raise _ioctl("start: full cores are not set")
    if len({hardware.node(cpu) for cpu in chosen}) > 1:
        raise _ioctl("add vCPU: the vCPUs are of different NUMA nodes")
    return chosen


def choose_pages(wanted_mib: int, free: Mapping[int, int]) -> dict[int, int]:
    """Return the huge pages that make up at least ``wanted_mib``: size in KiB to number. Raises Failure E27.

    The largest size first while it fits; the rest from the smallest size up, so a lone 1 GiB page is taken whole.
    """
    missing = wanted_mib * 1024
    taken = dict.fromkeys(free, 0)
    for size in sorted(free, reverse=True):
        taken[size] = min(free[size], missing // size)
        missing -= taken[size] * size
    for size in sorted(free):
        more = min(free[size] - taken[size], -(-missing // size)) if missing > 0 else 0
        taken[size] += more
        missing -= more * size
    if missing > 0:
        raise Failure(27, f"{wanted_mib} MiB of huge pages are not to be had", str(wanted_mib))
    return {size: number for size, number in taken.items() if number}


def check_memory(memory_mib: int, image_bytes: int) -> None:
    """Refuse less memory than four times the image. Raises Failure E26."""
    if MEMORY_TO_IMAGE * image_bytes > memory_mib * _MIB:
        least = MEMORY_TO_IMAGE * -(-image_bytes // _MIB)
        raise Failure(26, "the image is too large for the memory", str(memory_mib), str(least))


def check_driver_memory(memory_mib: int) -> None:
    """Refuse less memory than the driver's minimum. Raises Failure E29."""
    if memory_mib < MINIMUM_MIB:
        raise _ioctl("start: the memory is below the minimum")


def _ioctl(what: str) -> Failure:
    return Failure(29, f"ioctl: {what}", within=("Failed to run enclave",))


def new_slot(milliseconds: int) -> int:
    """Return a slot: 48 bits of launch time in milliseconds since 1970, 16 bits of chance."""
    return milliseconds << 16 | int.from_bytes(os.urandom(2))


def record_of(**fields: Any) -> Running:  # noqa: ANN401  (the fields of Running)
    """Return a record with page sizes as text, as JSON keeps them."""
    fields["pages"] = {str(size): number for size, number in fields["pages"].items()}
    return Running(**fields)
