"""The process behind one enclave: it launches it, owns it, answers for it, and ends with it.

run-enclave forks it; its process id is ``ProcessID``. It ends on SIGTERM, SIGINT, SIGHUP and SIGQUIT, when its socket
file is deleted, when it fails to answer describe (as the original does), and when the stand-in host's directory goes.
Whatever goes wrong in it comes back to nitro-cli as text for stderr and no answer, which makes E39 there. A nitro-cli
that is interrupted meanwhile does not stop the launch (the worse case for a wrapper; the original was not observed).

The enclave inside is none: nothing boots, and an image that could not (no magic, wrong checksum, not one kernel and
one command line) gets no heartbeat, which is a guess about the hypervisor. What it does have is a Nitro Secure Module
(:mod:`nitroctl.standin.nsm`), reached on ``vsock/<cid>_5005.sock``, and with debug mode a console on
``vsock/0_<cid + 10000>.sock``.
"""

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, NoReturn, Self

from nitroctl import pcr
from nitroctl.standin import images, knobs, pool, wire
from nitroctl.standin.failures import Failure, Panic, block, log

_TICK: Final = 0.05
_ENDINGS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
#: What a user who owns nothing may ask.
_FOR_ALL: Final = ("describe", "name", "id", "cid", "flags")
RESERVED_CIDS: Final = (1, 2, 3, 0xFFFFFFFF)
SERVICE_PORT: Final = 5005
CONSOLE_PORT: Final = 10000
#: Registers that read zero when an enclave runs in debug mode.
_ZERO_IN_DEBUG: Final = (0, 1, 2, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What run-enclave asks for. ``cid`` 0: any. Memory in MiB."""

    eif_path: str
    name: str
    memory_mib: int
    cpu_count: int | None
    cpu_ids: Sequence[int] | None
    cid: int
    debug: bool


class _Ended(BaseException):
    """A signal came: the enclave ends."""


def spawn(request: Request) -> socket.socket:
    """Start a manager for ``request``; its answer, or none, comes over the socket that is returned."""
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        theirs.close()
        os.waitpid(child, 0)
        return ours
    ours.close()
    os.setsid()
    if not os.fork():
        _manage(request, theirs)
    os._exit(0)


def _manage(request: Request, channel: socket.socket) -> NoReturn:
    try:
        _detach()
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        for number in _ENDINGS:
            signal.signal(number, _end)
        with contextlib.suppress(_Ended), _launched(request, channel) as enclave:
            enclave.serve()
    except Failure as failure:
        with contextlib.suppress(Failure):
            log("enc-xxxxxxx", "ERROR", str(failure))
        wire.send(channel, stderr=block(failure, "Run Enclave"))
    except Panic as panic:
        wire.send(channel, stderr=f"thread 'main' panicked at src/enclave_proc/mod.rs:1:1:\n{panic}\n")
    except BaseException:  # noqa: BLE001  (a slip in the stand-in: say so where somebody sees it)
        wire.send(channel, stderr=traceback.format_exc())
    finally:
        os._exit(0)


def _detach() -> None:
    """Let go of the caller's standard streams: whoever reads them must see their end when nitro-cli ends."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    os.close(nothing)


def _end(_signum: int, _frame: object) -> NoReturn:
    raise _Ended


@contextlib.contextmanager
def _launched(request: Request, channel: socket.socket) -> Iterator["_Enclave"]:
    """Launch in nitro-cli's order of checks and answer; on leaving, everything taken is given back."""
    size = images.size(request.eif_path)
    directory = knobs.host()
    if directory is None:
        raise Failure(19, "CPU pool: No such file or directory", f"/{pool.NE_CPUS}", "Open")
    stock = pool.Pool(directory)
    configured = stock.configured_cpus()
    pool.check_cpus(request.cpu_count, request.cpu_ids, configured)
    pool.check_memory(request.memory_mib, size)
    stock.require_device()
    image = images.read(request.eif_path)
    images.judge_signer(image, datetime.now(UTC))
    wire.send(channel, stderr="Start allocating memory...\n")
    with contextlib.ExitStack() as held:
        record, stream = _take(request, stock, configured)
        held.callback(stream.close)
        held.callback(stock.leave, record.slot)
        with _port_9000(directory):
            cpus = ", ".join(map(str, record.cpus))
            memory = _mib(record)
            wire.send(
                channel,
                stderr=f"Started enclave with enclave-cid: {record.cid}, memory: {memory} MiB, cpu-ids: [{cpus}]\n",
            )
            _boot(image)
        enclave = held.enter_context(_Enclave(request, record, stock, image))
        held.callback(signal.pthread_sigmask, signal.SIG_BLOCK, _ENDINGS)  # first of all: no end amid the ending
        wire.send(channel, answer=enclave.summary())
        channel.close()
        yield enclave


def _take(request: Request, stock: pool.Pool, configured: Sequence[int]) -> tuple[pool.Running, IO[str]]:
    """Take pages, CPUs and a CID. Raises Failure E27 or E29."""
    with stock.locked():
        stock.settle()
        running = stock.running()
        hardware = stock.hardware
        node = hardware.node(configured[0]) if configured else 0
        pages = pool.choose_pages(request.memory_mib, stock.free_pages(node))
        pool.check_driver_memory(sum(size * number for size, number in pages.items()) // 1024)
        used = [cpu for record in running for cpu in record.cpus]
        cpus = pool.choose_cpus(request.cpu_count, request.cpu_ids, configured, used, hardware)
        if request.cid in RESERVED_CIDS or request.cid in [record.cid for record in running]:
            raise Failure(29, f"ioctl: start: CID {request.cid} is reserved or in use")
        record = pool.record_of(
            slot=f"{pool.new_slot(time.time_ns() // 1_000_000):x}",
            pid=os.getpid(),
            cid=request.cid or stock.next_cid(),
            name=request.name,
            cpus=cpus,
            node=node,
            pages=pages,
        )
        return record, stock.enter(record)


@contextlib.contextmanager
def _port_9000(directory: Path) -> Iterator[None]:
    """Hold the port for the heartbeat: one launch at a time. Raises Failure E36."""
    with (directory / "state/port9000").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(36, "VsockBindingError: port 9000 is in use") from error
        if knobs.get("CLASH"):
            raise Failure(36, "VsockBindingError: port 9000 is in use")
        yield


def _boot(image: images.Image) -> None:
    time.sleep(knobs.seconds("SLOW_BOOT"))
    if knobs.get("HEARTBEAT") == "fail" or not image.bootable:
        raise Failure(36, "VsockTimeoutError: no heartbeat")


def _mib(record: pool.Running) -> int:
    return sum(int(size) * number for size, number in record.pages.items()) // 1024


class _Enclave:
    """A running enclave: its sockets, its console, its end."""

    def __init__(self, request: Request, record: pool.Running, stock: pool.Pool, image: images.Image) -> None:
        self.record = record
        self.stock = stock
        self.image = image
        self.debug = request.debug
        self.id = f"{stock.instance_id()}-enc{record.slot}"
        self.over = False
        self.console = _boot_messages(record)
        self.readers: dict[socket.socket, int] = {}
        self.selector = selectors.DefaultSelector()
        self.paths: list[Path] = []
        self.commands: Mapping[str, Callable[[dict[str, Any]], Any]] = {
            "describe": self.describe,
            "name": lambda _: record.name,
            "id": lambda request: self.id if request["name"] == record.name else None,
            "cid": lambda _: record.cid,
            "flags": lambda _: int(self.debug),
            "terminate": lambda _: None,
        }

    def __enter__(self) -> Self:
        vsock = self.stock.directory / "vsock"
        self.listen(knobs.sockets() / f"{self.record.slot}.sock", self.answer)
        self.listen(vsock / f"{self.record.cid}_{SERVICE_PORT}.sock", self.attest)
        if self.debug:
            self.listen(vsock / f"0_{self.record.cid + CONSOLE_PORT}.sock", self.watch)
        return self

    def __exit__(self, *_: object) -> None:
        for path in self.paths:
            path.unlink(missing_ok=True)

    def listen(self, path: Path, handler: Callable[[socket.socket], None]) -> None:
        """Answer on a socket file that any local user may connect to, as the original's."""
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o766)
        listener.listen(16)
        self.paths.append(path)
        self.selector.register(listener, selectors.EVENT_READ, handler)

    def summary(self) -> dict[str, Any]:
        """Return what run-enclave prints, and describe-enclaves begins with."""
        return {
            "EnclaveName": self.record.name,
            "EnclaveID": self.id,
            "ProcessID": self.record.pid,
            "EnclaveCID": self.record.cid,
            "NumberOfCPUs": len(self.record.cpus),
            "CPUIDs": list(self.record.cpus),
            "MemoryMiB": _mib(self.record),
        }

    def serve(self) -> None:
        """Answer until the enclave's end."""
        vanish = time.monotonic() + knobs.seconds("VANISH") if knobs.get("VANISH") else None
        own = self.paths[0].stat().st_ino
        log(f"enc-{self.record.slot}", "INFO", "enclave started")
        while not self.over and (vanish is None or time.monotonic() < vanish) and _is(self.paths[0], own):
            for key, _ in self.selector.select(_TICK):
                if not isinstance(key.fileobj, socket.socket):
                    continue
                if key.data is None:
                    self.forget(key.fileobj)
                    continue
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # a peer that talks nonsense
                    key.data(key.fileobj.accept()[0])
            self.pour()

    def answer(self, connection: socket.socket) -> None:
        """Answer one command. Closing without an answer is the refusal."""
        with connection:
            connection.settimeout(wire.PATIENCE)
            with connection.makefile("rb") as stream:
                request = json.loads(stream.readline() or b'{"command": ""}')
            command = request["command"]
            if knobs.get("MUTE") or command not in self.commands or not self.may(connection, request):
                return
            try:
                answer = self.commands[command](request)
            except Failure as failure:
                self.over = True
                wire.send(connection, stderr=block(failure, "Describe Enclaves"))
                return
            if command == "terminate":
                answer = self.terminate(connection)
            wire.send(connection, answer=answer)

    def may(self, connection: socket.socket, request: Mapping[str, Any]) -> bool:
        """Whether the peer may ask for this: root and the user who launched everything, others little."""
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        uid = struct.unpack("3i", credentials)[1]
        owner = uid in (0, os.getuid()) and not request.get("outsider")
        return owner or request["command"] in _FOR_ALL

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the enclave's element of describe-enclaves; registers are the image's, in debug mode too."""
        extra = images.identity(self.image) if request.get("metadata") else {}
        return {
            **self.summary(),
            "State": knobs.get("STATE", "RUNNING"),
            "Flags": "DEBUG_MODE" if self.debug else "NONE",
            "Measurements": pcr.as_hex(self.image.pcrs),
            **extra,
        }

    def terminate(self, connection: socket.socket) -> dict[str, Any]:
        """End the enclave: by the time of the answer everything is given back."""
        self.over = True
        self.__exit__()
        self.stock.leave(self.record.slot)
        wire.send(connection, stderr=f"Successfully terminated enclave {self.id}.\n")
        return {"EnclaveName": self.record.name, "EnclaveID": self.id, "Terminated": True}

    def attest(self, connection: socket.socket) -> None:
        """Answer the service's port with an attestation document; a question that is none gets no answer."""
        from nitroctl.standin import nsm, pki  # noqa: PLC0415  (start-up: most enclaves are never asked)

        with connection:
            connection.settimeout(wire.PATIENCE)
            try:
                with connection.makefile("rb") as stream:
                    asked = json.loads(stream.readline(65536))
                values = {key: asked.get(key) for key in ("nonce", "user_data", "public_key")}
                given = {key: None if value is None else bytes.fromhex(value) for key, value in values.items()}
            except (ValueError, AttributeError, TypeError):
                return
            document = nsm.attest(
                pki.load(self.stock.directory / "pki"),
                module_id=f"{self.stock.instance_id()}-enc{int(self.record.slot, 16):016x}",
                region="us-east-1",
                pcrs=self.registers(),
                at=datetime.now(UTC),
                **given,
            )
            self.console += b"service: attestation document issued\n"
            connection.sendall(document)

    def registers(self) -> dict[int, bytes]:
        """Return PCR0 to PCR15 as the hypervisor shows them to the enclave."""
        shown = dict.fromkeys(range(16), pcr.ZERO)
        shown |= {} if self.debug else self.image.pcrs
        role = knobs.get("ROLE_ARN")
        if role:
            shown[3] = pcr.for_role(role)
        shown[4] = pcr.extend(pcr.ZERO, self.stock.instance_id().encode())
        return shown

    def watch(self, connection: socket.socket) -> None:
        """Let the peer read the console from its beginning."""
        connection.setblocking(False)
        self.readers[connection] = 0
        self.selector.register(connection, selectors.EVENT_READ, None)

    def forget(self, connection: socket.socket) -> None:
        """Drop a console reader that went away."""
        self.selector.unregister(connection)
        self.readers.pop(connection, None)
        connection.close()

    def pour(self) -> None:
        """Give every console reader what it can take."""
        for connection in list(self.readers):
            try:
                while self.readers[connection] < len(self.console):
                    sent = connection.send(self.console[self.readers[connection] :])
                    self.readers[connection] += sent
            except BlockingIOError:
                continue
            except OSError:
                self.forget(connection)


def _is(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except OSError:
        return False


def _boot_messages(record: pool.Running) -> bytes:
    """Return what the console of a freshly started enclave shows: a stand-in's boot, and what the knob adds."""
    lines = [
        "[    0.000000] stand-in: no kernel was started",
        f"[    0.000000] Memory: {_mib(record)}MiB, CPUs: {len(record.cpus)}",
        "[    0.101000] nsm: loaded",
        "[    0.202000] init: heartbeat sent to CID 3 port 9000",
        f"service: listening on vsock {record.cid}:{SERVICE_PORT}",
    ]
    extra = knobs.get("CONSOLE")
    return "".join(f"{line}\n" for line in lines).encode() + (f"{extra}\n".encode() if extra else b"")
