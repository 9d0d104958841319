"""run-enclave, describe-enclaves, terminate-enclave and console: nitro-cli's side of running enclaves."""

import json
import re
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitroctl.standin import images, knobs, manager, pool, wire
from nitroctl.standin.failures import Failure

if TYPE_CHECKING:
    from nitroctl.standin.usage import Parsed

_U32: Final = 2**32 - 1
_UNITS: Final = {"": 1, "M": 1, "G": 1024, "T": 1024 * 1024}
Print = Callable[[object], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What run-enclave was told, by flags or by a file."""

    eif_path: str
    name: str | None
    memory_mib: int
    cpu_count: int | None
    cpu_ids: Sequence[int] | None
    cid: int
    debug: bool
    attach: bool


def run_enclave(args: "Parsed", emit: Print) -> None:
    """Do ``run-enclave``. Raises Failure; whatever goes wrong in the manager is E39, its own error is on stderr."""
    wanted = _from_config(str(args.get("config"))) if args.has("config") else _from_flags(args)
    names, _ = wire.ask_all("name")
    stray = knobs.get("STRAY")
    if stray:
        (knobs.sockets() / stray).mkdir(exist_ok=True)
    request = manager.Request(
        eif_path=wanted.eif_path,
        name=new_name(wanted.name, wanted.eif_path, names),
        memory_mib=wanted.memory_mib,
        cpu_count=wanted.cpu_count,
        cpu_ids=wanted.cpu_ids,
        cid=wanted.cid,
        debug=wanted.debug,
    )
    try:
        with manager.spawn(request) as channel:
            summary = wire.receive(channel)
    except wire.NoAnswer as error:
        raise _failed_connections(1) from error
    if not knobs.since("1.1.0"):
        del summary["EnclaveName"]
    emit(summary)
    if wanted.attach:
        _read_console(summary["EnclaveCID"], None)


def _from_flags(args: "Parsed") -> _Wanted:
    """Return what the flags say. Raises Failure E03."""
    ids = args.values.get("cpu-ids")
    count = args.get("cpu-count")
    attach = args.has("attach-console")
    return _Wanted(
        eif_path=str(args.get("eif-path")),
        name=args.get("enclave-name"),
        memory_mib=parse_memory(str(args.get("memory"))),
        cpu_count=None if count is None else _number("cpu-count", count, _U32),
        cpu_ids=None if ids is None else [_number("cpu-ids", cpu, _U32) for cpu in ids],
        cid=_parse_cid(args.get("enclave-cid")),
        debug=attach or args.has("debug-mode"),
        attach=attach,
    )


def parse_memory(text: str) -> int:
    """Return MiB: digits and at most one unit of one letter (from 1.2.3 on). Raises Failure E03."""
    match = re.fullmatch(r"([0-9]+)([MGT]?)", text, re.IGNORECASE | re.ASCII)
    if not match or (match[2] and not knobs.since("1.2.3")):
        raise Failure(3, "the memory is not a number of MiB", "memory", text)
    return int(match[1]) * _UNITS[match[2].upper()]


def _number(name: str, text: str, largest: int) -> int:
    if not re.fullmatch(r"[0-9]+", text, re.ASCII) or int(text) > largest:
        raise Failure(3, f"{name} is not a number, or too large", name, text)
    return int(text)


def _parse_cid(text: str | None) -> int:
    """Return the CID asked for, 0 for any. Raises Failure E03, without details for a reserved one."""
    if text is None:
        return 0
    cid = _number("enclave-cid", text, 2**64 - 1)
    if cid == 0:
        sys.stderr.write("The enclave CID will be auto-generated as the provided CID is 0\n")
    elif cid in manager.RESERVED_CIDS or cid > _U32:
        raise Failure(3, f"CID {cid} is reserved or too large")
    return cid


def _from_config(path: str) -> _Wanted:
    """Return what the JSON file says; unknown keys are ignored, CIDs not checked. Raises Failure E01, E02, E17, E19."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise Failure(19, f"config file: {error}", path, "Open") from error
    try:
        document = json.loads(content)
    except ValueError as error:
        raise Failure(17, f"config file: {error}") from error
    if not isinstance(document, dict):
        raise Failure(17, "config file: not an object")
    count = _key(document, "cpu_count", int, None)
    ids = _key(document, "cpu_ids", list, None)
    if ids is not None and not all(type(cpu) is int and 0 <= cpu <= _U32 for cpu in ids):
        raise Failure(17, "config file: cpu_ids is not a list of numbers")
    attach = _key(document, "attach_console", bool, default=False)
    wanted = _Wanted(
        eif_path=_key(document, "eif_path", str),
        name=_key(document, "enclave_name", str, None),
        memory_mib=_key(document, "memory_mib", int),
        cpu_count=count,
        cpu_ids=ids,
        cid=_key(document, "enclave_cid", int, None) or 0,
        debug=attach or _key(document, "debug_mode", bool, default=False),
        attach=attach,
    )
    if count is None and ids is None:
        raise Failure(1, "neither cpu_count nor cpu_ids")
    if count is not None and ids is not None:
        raise Failure(2, "both cpu_count and cpu_ids")
    return wanted


_REQUIRED: Final = object()


def _key(document: dict[str, Any], name: str, kind: type, default: object = _REQUIRED) -> Any:  # noqa: ANN401  (JSON)
    value = document.get(name, default)
    if value is _REQUIRED:
        raise Failure(17, f"config file: missing field `{name}`")
    if value is None and default is None:
        return None
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise Failure(17, f"config file: {name} is of another type")
    return value


def new_name(given: str | None, eif_path: str, taken: Sequence[str]) -> str:
    """Return the name for a new enclave: the given one, else the image's file name without ``.eif``.

    A name that a running enclave has gets ``_1``, ``_2``, … also when it was given.
    """
    name = given
    if name is None:
        name = eif_path.rpartition("/")[2]
        while name.endswith(".eif"):
            name = name.removesuffix(".eif")
    chosen, number = name, 0
    while chosen in taken:
        number += 1
        chosen = f"{name}_{number}"
    return chosen


def describe_enclaves(args: "Parsed", emit: Print) -> None:
    """Do ``describe-enclaves``. What answered is printed also when something did not (E39)."""
    answers, failed = wire.ask_all("describe", metadata=args.has("metadata"))
    _forget_the_dead()
    _emit_all([_as_shown(answer) for answer in answers], failed, emit, array=True)


def _forget_the_dead() -> None:
    """Count what managers held that were killed as free again, which the kernel would have done at once."""
    directory = knobs.host()
    if directory and (directory / "state").is_dir():
        stock = pool.Pool(directory)
        with stock.locked():
            stock.settle()


def _as_shown(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an element in the shape of the version at hand."""
    if not knobs.since("1.1.0"):
        return {key: value for key, value in answer.items() if key not in ("EnclaveName", "Measurements")}
    return answer | {"Measurements": images.measurements(answer["Measurements"], "describe-enclaves")}


def terminate_enclave(args: "Parsed", emit: Print) -> None:
    """Do ``terminate-enclave``. Raises Failure E11 for an id nobody has, E58 for a name, E39 for no answer."""
    if args.has("all"):
        _terminate_all(emit)
        return
    path = wire.socket_of(_resolve(args))
    try:
        ended = wire.ask(path, "terminate")
    except wire.NoAnswer as error:
        raise _failed_connections(1) from error
    except OSError as error:
        raise Failure(11, f"{path}: {error}") from error
    emit(_ended(ended))


def _ended(answer: dict[str, Any]) -> dict[str, Any]:
    return answer if knobs.since("1.1.0") else {key: answer[key] for key in ("EnclaveID", "Terminated")}


def _terminate_all(emit: Print) -> None:
    """End whatever has a socket. Every entry of the directory is tried, and deleted when it cannot be reached."""
    ended, failed = [], 0
    try:
        found = wire.entries()
    except OSError as error:
        raise Failure(19, f"sockets directory: {error}", str(knobs.sockets()), "Read") from error
    for entry in found:
        try:
            ended.append(_ended(wire.ask(Path(entry.path), "terminate", patience=wire.PATIENCE)))
        except wire.NoAnswer:
            failed += 1
        except OSError:
            failed += 1
            if not entry.is_dir(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)
    _emit_all(ended, failed, emit, array=knobs.since("1.4.3"))


def _emit_all(answers: Sequence[object], failed: int, emit: Print, *, array: bool) -> None:
    failure = _failed_connections(failed) if failed else None
    if array:
        emit(answers)
    else:
        for answer in answers:
            emit(answer)
    if failure:
        raise failure


def _failed_connections(number: int) -> Failure:
    sys.stderr.write(f"Failed connections: {number}\n")
    return Failure(39, f"no answer from {number} enclave processes")


def _resolve(args: "Parsed") -> str:
    """Return the id that ``--enclave-id`` gives or that ``--enclave-name`` leads to. Raises Failure E58."""
    name = args.get("enclave-name")
    if name is None:
        return str(args.get("enclave-id"))
    found = [answer for answer in wire.ask_all("id", name=name)[0] if answer]
    if len(found) != 1:
        raise Failure(58, f"{len(found)} enclaves are named so")
    return str(found[0])


def console(args: "Parsed") -> None:
    """Do ``console``. Raises Failure E03, E11, E44, or E58."""
    timeout = args.get("disconnect-timeout")
    seconds = None if timeout is None else _number("disconnect-timeout", timeout, 2**64 - 1)
    path = wire.socket_of(_resolve(args))
    try:
        cid, debug = wire.ask(path, "cid"), wire.ask(path, "flags")
    except (OSError, wire.NoAnswer) as error:
        raise Failure(11, f"{path}: {error}") from error
    if not debug:
        raise Failure(44, "the enclave is not in debug mode")
    _read_console(cid, seconds)


def _read_console(cid: int, seconds: int | None) -> None:
    """Copy an enclave's console to stdout until it ends, or until ``seconds`` after connecting."""
    out = sys.stdout
    out.write(f"Connecting to the console for enclave {cid}...\n")
    out.flush()
    host = knobs.host()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(Path(host or "/nonexistent") / f"vsock/0_{cid + manager.CONSOLE_PORT}.sock"))
        except OSError as error:
            raise Failure(44, f"console of {cid}: {error}") from error
        out.write("Successfully connected to the console.\n")
        out.flush()
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            connection.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
            try:
                data = connection.recv(65536)
            except TimeoutError:
                break
            if not data:
                break
            out.buffer.write(data)
            out.flush()
