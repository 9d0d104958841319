"""Launching: what nitro-cli would refuse late and in its own words, refused first and with the number that is missing.

nitro-cli checks in the middle of a launch, after pages are taken, and reports through a chain of two errors. Everything
here can be known before: the image, the pool, the pages, what else runs. Two launches at the same moment fight over one
heartbeat port and both fail, so launches take turns. After a launch the running enclave is compared with the file: the
file could have been exchanged in between. Source: aws-nitro-enclaves-cli 1.5.0, resource manager; AWS documentation.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from nitroctl import safefile
from nitroctl.checks import Check, Outcome, Report
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.host import cpulist
from nitroctl.host.machine import MIB, Machine, PagePlan, plan_pages
from nitroctl.host.nitro_cli import DEFAULT_SOCKETS, Launch
from nitroctl.host.replies import Enclave
from nitroctl.records.entry import time_text

if TYPE_CHECKING:
    from nitroctl.eif.measure import Measured

#: An enclave's memory is at least this many times the size of its image file.
IMAGE_RATIO: Final = 4
LEAST_MIB: Final = 64
MOST_ENCLAVES: Final = 4
_LOWEST_CID: Final = 4
_HIGHEST_CID: Final = 2**32 - 2
_RESTART: Final = "sudo systemctl restart nitro-enclaves-allocator.service"
_SOURCE: Final = "aws-nitro-enclaves-cli 1.5.0, resource manager"


def require_arguments(launch: Launch) -> None:
    """Refuse a request that no host could fulfil. Raises UsageError ``enclave.cpus`` or ``enclave.cid``."""
    if bool(launch.cpu_ids) == (launch.cpu_count is not None):
        raise UsageError(
            "name either --cpu-count or --cpu-ids", "enclave.cpus", ["--cpu-count 2 lets nitro-cli choose"]
        )
    if len(set(launch.cpu_ids)) < len(launch.cpu_ids):
        raise UsageError(f"a CPU is named twice: {_words(launch.cpu_ids)}", "enclave.cpus")
    if launch.cpu_count is not None and launch.cpu_count < 1:
        raise UsageError(f"an enclave has at least one CPU, not {launch.cpu_count}", "enclave.cpus")
    if launch.cid and not _LOWEST_CID <= launch.cid <= _HIGHEST_CID:
        raise UsageError(
            f"CID {launch.cid} is reserved" if launch.cid < _LOWEST_CID else f"CID {launch.cid} is out of range",
            "enclave.cid",
            [f"use {_LOWEST_CID} to {_HIGHEST_CID}, or leave it out and get a free one"],
        )


def require_host(machine: Machine) -> None:
    """Refuse a host that cannot run enclaves.

    Raises CannotAnswer ``host.not-enclave-enabled`` or ``host.no-permission``.
    """
    if not machine.device or machine.pool is None:
        what = "there is no /dev/nitro_enclaves" if not machine.device else "the driver nitro_enclaves is not loaded"
        raise CannotAnswer(
            f"this host cannot run enclaves: {what}",
            "host.not-enclave-enabled",
            [
                "load the driver: sudo modprobe nitro_enclaves",
                "the instance must have been started with enclaves enabled (--enclave-options Enabled=true)",
            ],
        )
    if not machine.usable:
        raise CannotAnswer(
            "no permission to use /dev/nitro_enclaves",
            "host.no-permission",
            ["sudo usermod -aG ne $USER, then log in again", "or run it as root"],
        )


@contextlib.contextmanager
def alone(environ: Mapping[str, str], *, wait: bool) -> Iterator[None]:
    """Hold the host's launch lock for the block: an advisory lock on the directory of the enclaves' sockets.

    Everybody who may launch can open that directory, whoever they are, which no lock file offers; nothing is created
    in it, because nitro-cli deletes what it does not know there. Raises CannotAnswer ``file.locked`` when ``wait`` is
    false and another launch is under way; ``host.no-sockets`` when the directory is not there.
    """
    directory = environ.get("NITRO_CLI_SOCKETS_PATH") or DEFAULT_SOCKETS
    if not os.path.isdir(directory):  # noqa: PTH112  (a setting's text)
        raise CannotAnswer(
            f"{directory}: nitro-cli's directory of enclave sockets is not there",
            "host.no-sockets",
            ["sudo systemd-tmpfiles --create makes it (root:ne, mode 0775)"],
        )
    with safefile.locked(os.path.realpath(directory), what="launching enclaves on this host", wait=wait):
        yield


def preflight(
    launch: Launch, measured: "Measured", machine: Machine, running: Sequence[Enclave], *, at: datetime
) -> Report:
    """Return whether ``launch`` would go well, each thing nitro-cli or the driver would refuse its own check.

    ``measured``: the image, which has registers. ``at``: the instant for the dates of a signing certificate.
    """
    plan = plan_pages(launch.memory_mib * MIB, machine.pages)
    return Report.of(
        [
            _memory_for_image(launch, measured.size),
            _pages(launch, machine, plan),
            *_cpus(launch, machine, running),
            _cid(launch, running),
            _name(launch, running),
            _certificate(measured, at),
            _slots(running),
            _debug(launch),
        ]
    )


def _memory_for_image(launch: Launch, size: int) -> Check:
    least = max(LEAST_MIB, -(-IMAGE_RATIO * size // MIB))
    enough = launch.memory_mib >= least
    return Check(
        id="launch.memory-for-image",
        title=f"The memory is at least {IMAGE_RATIO} times the image, and at least {LEAST_MIB} MiB",
        outcome=Outcome.PASS if enough else Outcome.FAIL,
        detail=f"{launch.memory_mib} MiB for an image of {size} bytes"
        + ("" if enough else f": {least - launch.memory_mib} MiB short"),
        expected=None if enough else f"{least} MiB or more",
        actual=None if enough else f"{launch.memory_mib} MiB",
        remedy=None if enough else f"--memory {least}, or a smaller image",
        source=_SOURCE,
    )


def _pages(launch: Launch, machine: Machine, plan: PagePlan) -> Check:
    title = "There are enough free hugepages for the memory"
    stock = ", ".join(
        f"{item.free} of {item.total} x {item.size_kib // 1024} MiB" for item in machine.pages if item.total
    )
    if plan.missing_bytes:
        missing = -(-plan.missing_bytes // MIB)
        return Check(
            id="launch.hugepages",
            title=title,
            outcome=Outcome.FAIL,
            detail=f"{missing} MiB short; free hugepages: {stock or 'none are set aside'}",
            expected=f"{launch.memory_mib} MiB free",
            actual=f"{machine.free_bytes // MIB} MiB free",
            remedy=f"terminate an enclave, or raise memory_mib (nitroctl allocator set) and {_RESTART}",
            source=_SOURCE,
        )
    nodes = {item.node for item in machine.pages}
    fits = [
        node
        for node in nodes
        if not plan_pages(launch.memory_mib * MIB, [item for item in machine.pages if item.node == node]).missing_bytes
    ]
    if not fits:
        return Check(
            id="launch.hugepages",
            title=title,
            outcome=Outcome.WARN,
            detail="no NUMA node has enough by itself, and an enclave's memory and CPUs come from one",
            remedy="reserve the memory on the node of the CPU pool",
            source=_SOURCE,
            required=False,
        )
    excess = plan.bytes // MIB - launch.memory_mib
    return Check(
        id="launch.hugepages",
        title=title,
        outcome=Outcome.WARN if excess else Outcome.PASS,
        detail=f"{plan.bytes // MIB} MiB will be taken for {launch.memory_mib}: memory comes in whole hugepages"
        if excess
        else f"{_taken(plan)} of {stock}",
        remedy=f"--memory {plan.bytes // MIB} would use all of it" if excess else None,
        source=_SOURCE,
        required=not excess,
    )


def _taken(plan: PagePlan) -> str:
    return ", ".join(f"{count} x {size // 1024} MiB" for size, count in sorted(plan.taken.items(), reverse=True))


def _cpus(launch: Launch, machine: Machine, running: Sequence[Enclave]) -> list[Check]:
    pool = set(machine.pool or ())
    used = {cpu: enclave.name for enclave in running for cpu in enclave.cpu_ids}
    free = sorted(pool - set(used))
    count = len(launch.cpu_ids) or launch.cpu_count or 0
    detail = f"pool {cpulist.show(pool) or 'empty'}; free: {cpulist.show(free) or 'none'}"
    remedy = None
    if not pool:
        outcome, remedy = Outcome.FAIL, f"check nitroctl allocator show, then {_RESTART}"
        detail = "no CPU is set aside for enclaves: the pool is empty"
    elif launch.cpu_ids:
        strange = [cpu for cpu in launch.cpu_ids if cpu not in pool]
        busy = [cpu for cpu in launch.cpu_ids if cpu in used]
        outcome = Outcome.FAIL if strange or busy else Outcome.PASS
        faults = [f"not in the pool: {_words(strange)}"] if strange else []
        faults += [f"in use: {', '.join(f'{cpu} by {used[cpu]}' for cpu in busy)}"] if busy else []
        detail = "; ".join([*faults, detail])
        remedy = f"choose from {cpulist.show(free)}" if faults and free else None
    else:
        outcome = Outcome.PASS if count <= len(free) else Outcome.FAIL
        if outcome is Outcome.FAIL:
            holders = ", ".join(sorted({name for cpu, name in used.items() if cpu in pool}))
            detail = f"{count - len(free)} of {count} CPUs short; {detail}" + (
                f"; the others run {holders}" if holders else ""
            )
            remedy = f"terminate an enclave, ask for fewer, or raise cpu_count (nitroctl allocator set) and {_RESTART}"
    failed = outcome is Outcome.FAIL
    return [
        Check(
            id="launch.cpus",
            title="The CPUs are in the pool and free",
            outcome=outcome,
            detail=detail,
            expected=f"{count} free" if failed and not launch.cpu_ids else None,
            actual=f"{len(free)} free" if failed and not launch.cpu_ids else None,
            remedy=remedy,
            source=_SOURCE,
        ),
        _full_cores(launch, count, machine),
    ]


def _full_cores(launch: Launch, count: int, machine: Machine) -> Check:
    threads, named = machine.threads_per_core, set(launch.cpu_ids)
    outcome, remedy = Outcome.PASS, None
    detail = f"{count} CPUs at {threads} threads per core"
    lacking = {cpu: rest for cpu in launch.cpu_ids if (rest := sorted(set(machine.core(cpu)) - named))}
    if threads is None:
        outcome, detail = Outcome.SKIP, "not checked: the threads per core of this host cannot be read"
    elif count % threads:
        outcome, remedy = Outcome.FAIL, f"ask for {count + threads - count % threads}: an enclave gets whole cores"
    elif lacking:
        halves = ", ".join(f"{cpu} without {_words(rest)}" for cpu, rest in lacking.items())
        outcome, detail = Outcome.FAIL, f"half cores: {halves} (going by CPU 0's core)"
        remedy = f"--cpu-count {count} takes whole cores; or name both threads of each"
    elif threads > 1 and any(not machine.core(cpu) for cpu in launch.cpu_ids):
        outcome = Outcome.SKIP
        detail = "not checked: which of these CPUs share a core cannot be told while they are set aside"
    return Check(
        id="launch.full-cores",
        title="The CPUs make whole cores",
        outcome=outcome,
        detail=detail,
        remedy=remedy,
        source="Linux driver nitro_enclaves: full cores" if outcome is not Outcome.SKIP else None,
        required=outcome is not Outcome.SKIP,
    )


def _cid(launch: Launch, running: Sequence[Enclave]) -> Check:
    holder = next((enclave for enclave in running if launch.cid and enclave.cid == launch.cid), None)
    return Check(
        id="launch.cid",
        title="The CID is free",
        outcome=Outcome.FAIL if holder else Outcome.PASS,
        detail=f"CID {launch.cid} is {holder.name}'s ({holder.id})"
        if holder
        else (f"CID {launch.cid}" if launch.cid else "nitro-cli chooses one"),
        remedy="leave --enclave-cid out, or choose another" if holder else None,
        source="vsock(7)",
    )


def _name(launch: Launch, running: Sequence[Enclave]) -> Check:
    holder = next((enclave for enclave in running if enclave.name == launch.name), None)
    return Check(
        id="launch.name",
        title="No running enclave has the name that was given",
        outcome=Outcome.FAIL if holder else Outcome.PASS,
        detail=f"{launch.name} is running already ({holder.id}); nitro-cli would silently add a number"
        if holder
        else "",
        remedy=f"nitroctl enclave terminate {holder.id}, or another --enclave-name" if holder else None,
        source=_SOURCE,
    )


def _certificate(measured: "Measured", at: datetime) -> Check:
    title = "The image's signing certificate is in force"
    if measured.signature is None:
        return Check(
            id="launch.certificate-dates",
            title=title,
            outcome=Outcome.SKIP,
            detail="not checked: the image is not signed",
            required=False,
        )
    certificate = measured.signature.certificate
    good = certificate.not_before <= at <= certificate.not_after
    return Check(
        id="launch.certificate-dates",
        title=title,
        outcome=Outcome.PASS if good else Outcome.FAIL,
        detail=f"{time_text(certificate.not_before)} to {time_text(certificate.not_after)}; as of {time_text(at)}",
        remedy=None if good else "sign the image again with a certificate in force, and check this host's clock",
        source=f"{_SOURCE}: E59",
    )


def _slots(running: Sequence[Enclave]) -> Check:
    full = len(running) >= MOST_ENCLAVES
    return Check(
        id="launch.slots",
        title=f"Fewer than {MOST_ENCLAVES} enclaves are running",
        outcome=Outcome.WARN if full else Outcome.PASS,
        detail=f"{len(running)} are running" + (f"; AWS supports {MOST_ENCLAVES} on one instance" if full else ""),
        remedy="terminate one first" if full else None,
        source="AWS Nitro Enclaves user guide, considerations",
        required=False,
    )


def _debug(launch: Launch) -> Check:
    debug = launch.debug or launch.console
    return Check(
        id="launch.debug-mode",
        title="The enclave's attestation will carry its measurements",
        outcome=Outcome.WARN if debug else Outcome.PASS,
        detail=DEBUG_WARNING if debug else "",
        remedy="leave --debug-mode and --attach-console out for anything that holds secrets" if debug else None,
        source="AWS Nitro Enclaves user guide, debug mode",
        required=False,
    )


DEBUG_WARNING: Final = (
    "DEBUG MODE: PCR0, PCR1, PCR2 and PCR8 are zero in its attestation documents, so a KMS policy that names them "
    "refuses it; anybody on this host can read its console"
)


def _words(cpus: Sequence[int]) -> str:
    return " ".join(map(str, cpus))
