"""What the kernel has set aside for enclaves, and whether an allocator file can work on this host.

Everything is read from sysfs under a root that is ``/`` outside tests. A host without the driver, or a file that is
not there, is said and is no error. CPUs given to the pool are off-line, and the kernel shows no siblings of those.
Source: kernel documentation, "Nitro Enclaves"; ABI/stable/sysfs-devices-node, ABI/testing/sysfs-devices-system-cpu.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nitroctl import safefile
from nitroctl.checks import Check, Outcome, Report
from nitroctl.errors import CannotAnswer
from nitroctl.host import cpulist, machine
from nitroctl.host.allocator import RESTART, Reading
from nitroctl.host.machine import HugePages

_NODES: Final = "sys/devices/system/node"
_CPUS: Final = "sys/devices/system/cpu"
_SMALL: Final = 64 * 1024
_SOURCE: Final = "Linux nitro_enclaves driver, ne_cpus; nitro-enclaves-allocator of aws-nitro-enclaves-cli 1.5.0"
_MIB_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class HostState:
    """What the kernel says. ``pool``: CPUs of the enclave pool, None without the driver; empty: nothing allocated.

    ``cpus``: every CPU there is, on-line or not; empty when the kernel does not say. ``siblings``: of each on-line
    CPU, itself included. ``nodes``: NUMA node of each CPU whose node is known. ``memory_mib``: of each node.
    """

    pool: tuple[int, ...] | None
    hugepages: tuple[HugePages, ...]
    cpus: tuple[int, ...]
    siblings: Mapping[int, tuple[int, ...]]
    nodes: Mapping[int, int]
    memory_mib: Mapping[int, int]

    @property
    def reserved_mib(self) -> int:
        """Hugepages of every size and node, in MiB."""
        return sum(pages.total * pages.size_kib for pages in self.hugepages) // _MIB_KIB

    @property
    def threads(self) -> int:
        """Threads of a core, 0 when not known. CPU 0's core always stays whole and on-line."""
        return len(self.siblings.get(0, ()))


def state(root: str) -> HostState:
    """Return what the kernel under ``root`` says; what is absent is empty.

    Raises CannotAnswer ``allocator.kernel-file`` for a file that is not in the kernel's form.
    """
    base = Path(root)
    found = machine.read(root)
    cpus = _list(base / _CPUS / "present") or _list(base / _CPUS / "possible") or ()
    return HostState(
        pool=found.pool,
        hugepages=found.pages,
        cpus=cpus,
        siblings={
            cpu: siblings
            for cpu in cpus
            if (siblings := _list(base / _CPUS / f"cpu{cpu}/topology/thread_siblings_list"))
        },
        nodes=_node_of_cpus(base, cpus),
        memory_mib={node: mib for node, path in _numbered(base / _NODES, "node") if (mib := _memory(path / "meminfo"))},
    )


def _text(path: Path) -> str | None:
    """Return a kernel file's text, None when there is none or it may not be read."""
    try:
        return safefile.read_bytes(str(path), limit=_SMALL).decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise CannotAnswer(f"{path}: not text", "allocator.kernel-file") from error
    except CannotAnswer as error:
        if error.code == "file.unreadable":
            return None
        raise


def _list(path: Path) -> tuple[int, ...] | None:
    text = _text(path)
    if text is None:
        return None
    try:
        return cpulist.parse(text)
    except cpulist.NotACpuList as error:
        raise CannotAnswer(f"{path}: not a list of CPUs: {error}", "allocator.kernel-file") from error


def _numbered(directory: Path, prefix: str) -> Iterator[tuple[int, Path]]:
    """Yield the entries named prefix and a number, by number."""
    try:
        names = [entry.name for entry in directory.iterdir()]
    except OSError:
        return
    form = re.compile(re.escape(prefix) + r"([0-9]{1,9})")
    for number, name in sorted((int(match[1]), name) for name in names if (match := form.fullmatch(name))):
        yield number, directory / name


def _node_of_cpus(base: Path, cpus: tuple[int, ...]) -> dict[int, int]:
    """Return each CPU's node: from the link in its directory, which stays when it goes off-line, else from the node."""
    nodes = {cpu: node for node, path in _numbered(base / _NODES, "node") for cpu in _list(path / "cpulist") or ()}
    nodes |= {cpu: node for cpu in cpus for node, _ in _numbered(base / _CPUS / f"cpu{cpu}", "node")}
    return nodes


def _memory(meminfo: Path) -> int:
    match = re.search(r"MemTotal:\s+([0-9]{1,15}) kB", _text(meminfo) or "")
    return int(match[1]) // _MIB_KIB if match else 0


def agreement(reading: Reading, host: HostState) -> Check:
    """Return whether the kernel has what the file asks for; a WARN at most: the service may not have run since."""
    differing = [text for text in (_cpu_difference(reading, host), _memory_difference(reading, host)) if text]
    if host.pool is None:
        outcome, detail, remedy = Outcome.SKIP, "not checked: no Nitro Enclaves driver here", None
    elif not reading.accepted:
        outcome, detail, remedy = Outcome.SKIP, "not checked: the allocator refuses the file", None
    elif differing:
        outcome, detail, remedy = Outcome.WARN, "; ".join(differing), f"stop every enclave, then: {RESTART}"
    else:
        outcome, detail, remedy = Outcome.PASS, "", None
    return Check(
        id="allocator.kernel-agrees",
        title="the kernel has set aside what the file asks for",
        outcome=outcome,
        detail=detail,
        remedy=remedy,
        source=_SOURCE,
        required=False,
    )


def _cpu_difference(reading: Reading, host: HostState) -> str:
    pool = host.pool or ()
    have = f"the kernel's pool is {cpulist.show(pool)}" if pool else "the kernel's pool is empty"
    if reading.cpu_pool is not None and _cpus(reading.cpu_pool) != pool:
        return f"the file asks for CPUs {reading.cpu_pool}, {have}"
    if reading.cpu_count is not None and reading.cpu_count != str(len(pool)):
        return f"the file asks for {reading.cpu_count} CPUs, {have}"
    return ""


def _memory_difference(reading: Reading, host: HostState) -> str:
    # the allocator rounds up to the smallest page, so a little more than asked for is agreement
    wanted = _mib(reading)
    slack = min((pages.size_kib for pages in host.hugepages), default=0) // _MIB_KIB
    if wanted is None or wanted <= host.reserved_mib <= wanted + slack:
        return ""
    return f"the file asks for {wanted} MiB, the kernel has {host.reserved_mib} MiB of hugepages"


def _cpus(text: str | None) -> tuple[int, ...]:
    try:
        return cpulist.parse((text or "").replace(" ", ""))
    except cpulist.NotACpuList:
        return ()


def _mib(reading: Reading) -> int | None:
    text = reading.memory_mib or ""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def report(reading: Reading, host: HostState) -> Report:
    """Return whether what the allocator takes from the file can work on this host, as far as the kernel says.

    Without the driver nothing is looked at: the file may be for another host.
    """
    if host.pool is None or not reading.accepted:
        return Report.of([agreement(reading, host)])
    checks = [
        _cpus_exist(reading, host),
        _cores_whole(reading, host),
        _one_node(reading, host),
        _memory_fits(reading, host),
    ]
    return Report.of([*checks, agreement(reading, host)])


def _check(check_id: str, title: str, problem: str, remedy: str, *, known: bool) -> Check:
    if not known:
        detail = "not checked: the kernel does not say here"
        return Check(id=check_id, title=title, outcome=Outcome.SKIP, detail=detail, source=_SOURCE, required=False)
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.FAIL if problem else Outcome.PASS,
        detail=problem,
        remedy=remedy if problem else None,
        source=_SOURCE,
    )


def _count(reading: Reading) -> int:
    text = reading.cpu_count or ""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def _cpus_exist(reading: Reading, host: HostState) -> Check:
    wanted, count = _cpus(reading.cpu_pool), _count(reading)
    missing = [cpu for cpu in wanted if cpu not in host.cpus]
    problem = ""
    if missing:
        problem = f"there is no CPU {cpulist.show(missing)}; there are {cpulist.show(host.cpus)}"
    elif count > len(host.cpus):
        problem = f"cpu_count is {count}, the host has {len(host.cpus)} CPUs"
    return _check(
        "allocator.host-cpus",
        "the CPUs asked for exist",
        problem,
        "ask for CPUs the host has",
        known=bool(host.cpus),
    )


def _cores_whole(reading: Reading, host: HostState) -> Check:
    """Whole cores only, and never CPU 0's. Siblings of off-line CPUs are not known; what is in the pool now, fits."""
    wanted, count = set(_cpus(reading.cpu_pool)), _count(reading)
    parent = set(host.siblings.get(0, ()))
    problem = ""
    if wanted & parent:
        problem = f"CPU {cpulist.show(wanted & parent)} is CPU 0 or its sibling, which stay with the parent"
    else:
        broken = sorted(cpu for cpu in wanted if not set(host.siblings.get(cpu, ())) <= wanted)
        lacking = sorted({sibling for cpu in broken for sibling in host.siblings[cpu]} - wanted)
        if broken:
            problem = f"CPU {cpulist.show(broken)} without the other thread of its core, CPU {cpulist.show(lacking)}"
        elif host.threads and count % host.threads:
            problem = f"cpu_count is {count}, not a multiple of {host.threads}, the threads of a core"
    return _check(
        "allocator.host-cores",
        "whole cores are asked for, and CPU 0's is not among them",
        problem,
        "ask for whole cores; lscpu -e=CPU,CORE,NODE shows them",
        known=bool(problem)
        or (bool(host.siblings) and (wanted <= set(host.siblings) or wanted == set(host.pool or ()))),
    )


def _one_node(reading: Reading, host: HostState) -> Check:
    wanted, count = _cpus(reading.cpu_pool), _count(reading)
    nodes = sorted({host.nodes[cpu] for cpu in wanted if cpu in host.nodes})
    parent = set(host.siblings.get(0, (0,)))
    known = bool(host.nodes) and all(cpu in host.nodes for cpu in wanted or host.cpus)
    problem = ""
    if len(nodes) > 1:
        problem = f"CPUs {reading.cpu_pool} are on NUMA nodes {', '.join(map(str, nodes))}"
    elif known and count:
        room = Counter(node for cpu, node in host.nodes.items() if cpu not in parent)
        most = max(room.values(), default=0)
        if count > most:
            problem = f"cpu_count is {count}, and no NUMA node has more than {most} beside CPU 0's core"
    return _check(
        "allocator.host-node",
        "the CPUs are on one NUMA node",
        problem,
        "ask for CPUs of one node; lscpu -e=CPU,CORE,NODE shows them",
        known=known or bool(problem),
    )


def _memory_fits(reading: Reading, host: HostState) -> Check:
    wanted = _mib(reading)
    nodes = {host.nodes[cpu] for cpu in _cpus(reading.cpu_pool) if cpu in host.nodes} or set(host.memory_mib)
    most = max((host.memory_mib.get(node, 0) for node in nodes), default=0)
    problem = ""
    if wanted is not None and most and wanted >= most:
        problem = f"memory_mib is {wanted}, and the NUMA node has {most} MiB in all"
    return _check(
        "allocator.host-memory",
        "the memory asked for is less than one NUMA node has",
        problem,
        "ask for less, and leave the parent some; free -m shows what is used",
        known=bool(most),
    )
