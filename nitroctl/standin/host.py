"""A nitro host that is not one: one directory with all that ``nitro-cli``, the allocator and a kernel would show.

::

    bin/nitro-cli       the stand-in program              run/     NITRO_CLI_SOCKETS_PATH: one socket an enclave
    root/               /sys and /dev of the host         log/     NITRO_CLI_LOGS_PATH
    allocator.yaml      as the package ships it           blobs/   NITRO_CLI_BLOBS: labelled placeholders
    pki/root.pem        root of its own attestation PKI   vsock/   <cid>_5005.sock: the enclave's service
    state/              what running enclaves hold        lock/    NITROCTL_LOCK_DIR

Put ``environment`` on top of a process's environment and ``nitro-cli`` is the stand-in. Nothing it attests to is
accepted by a verifier that was not handed ``root_certificate``. Paths of Unix sockets are short by law (107 bytes), so
the directory's path should be, too. Managers end by themselves when the directory is removed; :meth:`StandinHost.stop`
ends them at once.

The knobs, environment variables read by the program (and kept by an enclave from its launch on):

========================== ====================================================================================
NITROCTL_STANDIN_…         effect
========================== ====================================================================================
HOST                       directory of the stand-in host (in ``environment``); without it no enclave can run
VERSION                    nitro-cli version to be, default 1.5.0: flags, shapes and failures follow it
ARCHITECTURE               architecture of every docker image: amd64 (default), arm64, or one that cannot be built
BUILD                      build-enclave ends with fail (E48), pull (E50), dockerfile (E49), docker-down (E49/E50),
                           nospace (E48, ``no space left on device``), panic (status 101), or hang (never)
SLOW_BUILD                 seconds a build takes
LINUXKIT                   KiB of linuxkit output a build lets through to stderr
SIGNING                    fail: the signing key cannot be used. From 1.5.0 E48, before: unsigned image, status 0
SLOW_BOOT                  seconds between the line ``Started enclave`` and the heartbeat
HEARTBEAT                  fail: none comes (E36, E39)
CLASH                      1: port 9000 is taken by another launch (E36, E39). Two real launches clash by themselves
VANISH                     seconds after its launch at which the enclave ends by itself
MUTE                       1: the enclave's manager closes every connection without an answer
STATE                      State that describe-enclaves reports of the enclave
CONSOLE                    text on the enclave's console after the boot lines
ROLE_ARN                   IAM role of the parent: PCR3
NOT_OWNER                  1: the caller is neither root nor the enclave's owner (terminate: E39)
STRAY                      run-enclave leaves a directory of this name among the sockets (terminate --all: E39)
HASH_ALGORITHM             text of HashAlgorithm
TAMPER                     subcommands that print another PCR0 than the image's; 1 is describe-enclaves
NONSENSE                   in place of JSON: text, empty, truncated, binary, null, scalar
HANG                       subcommands that never come back; all
========================== ====================================================================================

A name that is not in the table stops the program with status 70.
"""

import contextlib
import json
import os
import shlex
import signal
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from nitroctl.standin import build, pki
from nitroctl.standin.pool import ASSET_TAG, DEVICE, NE_CPUS, NODES, Hardware, Pool, format_cpus, parse_cpus

INSTANCE_ID: Final = "i-0123456789abcdef0"
_PATIENCE: Final = 5.0

#: Runs the program from wherever this package is; nothing of the caller's directory is put in front.
_PROGRAM: Final = """\
import sys
sys.path.append({package!r})
from nitroctl.standin.nitro_cli import main
sys.exit(main())
"""

_ALLOCATOR: Final = """\
---
# Configuration of the service nitro-enclaves-allocator.
#
# Memory for enclaves, in MiB.
memory_mib: {memory_mib}
#
# CPUs for enclaves: their number ...
cpu_count: {cpu_count}
#
# ... or a list of them in place of the number.
# cpu_pool: 2,3,6-9
"""


@dataclass(frozen=True, slots=True)
class StandinHost:
    """A stand-in host under ``directory``; all its state is there, so a second object is the same host."""

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that make this the host, ``PATH`` with the program in front."""
        place = self.directory
        return {
            "PATH": f"{place / 'bin'}{os.pathsep}{os.environ.get('PATH') or os.defpath}",
            "NITRO_CLI_SOCKETS_PATH": str(place / "run"),
            "NITRO_CLI_LOGS_PATH": str(place / "log"),
            "NITRO_CLI_BLOBS": str(place / "blobs"),
            "NITRO_CLI_ARTIFACTS": str(place / "artifacts"),
            "NITROCTL_HOST_ROOT": str(self.root),
            "NITROCTL_ALLOCATOR": str(self.allocator),
            "NITROCTL_LOCK_DIR": str(place / "lock"),
            "NITROCTL_STANDIN_HOST": str(place),
        }

    @property
    def root(self) -> Path:
        """Return the directory that stands for ``/``."""
        return self.directory / "root"

    @property
    def allocator(self) -> Path:
        """Return the path of allocator.yaml."""
        return self.directory / "allocator.yaml"

    @property
    def root_certificate(self) -> Path:
        """Return the path of the PKI's root, PEM."""
        return self.directory / "pki/root.pem"

    def service(self, cid: int) -> Path:
        """Return the socket of the enclave's service, which hands out attestation documents."""
        return self.directory / f"vsock/{cid}_5005.sock"

    def allocate(self, pool_cpus: str, memory_mib: int, *, pages_1g: int = 0) -> None:
        """Give CPUs and huge pages to enclaves, as the allocator service does when it is restarted.

        ``pool_cpus``: a kernel list, empty for none. ``memory_mib``: in pages of 2 MiB; ``pages_1g``: pages of 1 GiB
        beside them. No enclave may be running.
        """
        stock = Pool(self.directory)
        hardware = stock.hardware
        pool = parse_cpus(pool_cpus)
        _write(self.root / NE_CPUS, format_cpus(pool))
        online = [cpu for cpu in range(hardware.cpus) if cpu not in pool]
        cpus = self.root / "sys/devices/system/cpu"
        _write(cpus / "possible", format_cpus(range(hardware.cpus)))
        _write(cpus / "online", format_cpus(online))
        _write(cpus / "offline", format_cpus(pool))
        for cpu in range(hardware.cpus):
            _topology(cpus / f"cpu{cpu}/topology", cpu, online, hardware)
        for node in range(hardware.nodes):
            place = self.root / NODES / f"node{node}"
            _write(place / "cpulist", format_cpus([cpu for cpu in online if hardware.node(cpu) == node]))
            here = node == (hardware.node(pool[0]) if pool else 0)
            for size, number in ((2048, memory_mib // 2), (1048576, pages_1g)):
                for name in ("nr_hugepages", "free_hugepages"):
                    _write(place / f"hugepages/hugepages-{size}kB/{name}", str(number if here else 0))
        with stock.locked():
            stock.settle()

    def managers(self) -> list[int]:
        """Return the process ids of the managers that are alive."""
        stock = Pool(self.directory)
        if not stock.state.is_dir():
            return []
        with stock.locked():
            stock.settle()
            return [record.pid for record in stock.running()]

    def stop(self) -> None:
        """End every enclave and wait for its manager; what does not heed SIGTERM within seconds is killed."""
        deadline = time.monotonic() + _PATIENCE
        while alive := self.managers():
            late = time.monotonic() > deadline
            for process in alive:
                _signal(process, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(0.01)


def create(  # noqa: PLR0913  (the properties of a machine)
    directory: Path,
    *,
    cpus: int = 8,
    threads_per_core: int = 2,
    numa_nodes: int = 1,
    pool_cpus: str = "1-2,5-6",
    memory_mib: int = 2048,
    pages_1g: int = 0,
    instance_id: str = INSTANCE_ID,
    at: datetime | None = None,
) -> StandinHost:
    """Lay out a stand-in host in ``directory``, which must be empty or absent, and return it.

    ``memory_mib``: in pages of 2 MiB; ``pages_1g``: pages of 1 GiB beside them. ``at``: when its PKI began (now).
    The defaults are an instance with 8 CPUs, half of the cores given to enclaves with 2 GiB.
    """
    host = StandinHost(directory.resolve())
    for name in ("bin", "run", "log", "artifacts", "vsock", "state", "lock"):
        (host.directory / name).mkdir(parents=True)
    shim = host.directory / "bin/nitro-cli"
    program = _PROGRAM.format(package=str(Path(__file__).parents[2]))
    shim.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -c {shlex.quote(program)} "$@"\n', encoding="utf-8"
    )
    shim.chmod(0o755)
    list(build.lay_blobs(host.directory / "blobs"))
    hardware = Hardware(cpus=cpus, threads_per_core=threads_per_core, nodes=numa_nodes)
    _write(host.directory / "hardware.json", json.dumps(asdict(hardware)))
    _write(host.root / ASSET_TAG, instance_id)
    _write(host.root / DEVICE, "")
    (host.root / DEVICE).chmod(0o660)
    host.allocate(pool_cpus, memory_mib, pages_1g=pages_1g)
    allocator = _ALLOCATOR.format(memory_mib=memory_mib + 1024 * pages_1g, cpu_count=len(parse_cpus(pool_cpus)))
    host.allocator.write_text(allocator, encoding="utf-8")
    (host.directory / "pki").mkdir()
    pki.create(host.directory / "pki", at=at or datetime.now(UTC))
    return host


def _topology(directory: Path, cpu: int, online: list[int], hardware: Hardware) -> None:
    """Show a CPU's core and siblings, as sysfs does for CPUs that are online only."""
    names = {
        "core_id": str(cpu % hardware.cores),
        "thread_siblings_list": format_cpus([sibling for sibling in hardware.siblings(cpu) if sibling in online]),
    }
    for name, content in names.items():
        if cpu in online:
            _write(directory / name, content)
        else:
            (directory / name).unlink(missing_ok=True)


def _write(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{line}\n" if line else "", encoding="utf-8")


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)
