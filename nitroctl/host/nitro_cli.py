"""nitro-cli, wrapped: what it is told, how long it may take, and what becomes of its answer.

The argument lists are pure functions; :class:`NitroCli` runs them. nitro-cli prints results on standard output and
everything else on standard error; a success is an exit status of 0 *and* an answer that can be read. What it says is
hostile text until :mod:`nitroctl.host.replies` has read it; why it failed is :mod:`nitroctl.host.failure`'s business.
Source: aws-nitro-enclaves-cli 1.1.0 to 1.5.0.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from nitroctl.errors import CannotAnswer, NitroCliFailed
from nitroctl.host import failure, process, replies
from nitroctl.host.process import Child, Finished, OnLine

#: Seconds for everything but a launch and a build. A first describe after a launch waits for hashing.
PATIENCE_S = 120.0
#: Seconds added to the time nitro-cli itself gives an enclave to boot.
BOOT_MARGIN_S: Final = 60.0
_BOOT_STEP_S: Final = 90
_EIF_STEP: Final = 6 * 1024**3
_MEMORY_STEP_MIB: Final = 100 * 1024
_REPLY_LIMIT: Final = 4 * 1024 * 1024
_AUTO_CID: Final = 0
DEFAULT_SOCKETS: Final = "/run/nitro_enclaves"

MAY_HAVE_STARTED: Final = "an enclave may still come up: look with nitroctl enclave describe"

Version = tuple[int, int, int]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What ``run-enclave`` is asked for. Exactly one of ``cpu_count`` and ``cpu_ids``; ``cid`` 0 or None: any."""

    eif_path: str
    memory_mib: int
    cpu_count: int | None = None
    cpu_ids: tuple[int, ...] = ()
    cid: int | None = None
    name: str | None = None
    debug: bool = False
    console: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What ``build-enclave`` is asked for. ``certificate``, ``private_key`` (PEM file or KMS ARN): both or none."""

    docker_uri: str
    output: str
    docker_dir: str | None = None
    certificate: str | None = None
    private_key: str | None = None
    name: str | None = None
    version: str | None = None
    metadata: str | None = None

    @property
    def needs(self) -> tuple[Version, str]:
        """The oldest nitro-cli that knows the options in use, and the option that asks for it."""
        if self.private_key is not None and self.private_key.startswith("arn:"):
            return (1, 4, 0), "a KMS key for --private-key"
        for value, option in ((self.name, "--name"), (self.version, "--image-version"), (self.metadata, "--metadata")):
            if value is not None:
                return (1, 2, 0), option
        return (0, 0, 0), ""


@dataclass(frozen=True, slots=True)
class Described:
    """The running enclaves; ``trouble``: why some could not be asked, when not all answered."""

    enclaves: tuple[replies.Enclave, ...]
    trouble: NitroCliFailed | None = None


def run_arguments(launch: Launch) -> list[str]:
    """Return the arguments of ``run-enclave``; values that may begin with a dash stand in one word."""
    arguments = ["run-enclave", f"--eif-path={launch.eif_path}", "--memory", str(launch.memory_mib)]
    if launch.cpu_ids:
        arguments += ["--cpu-ids", *map(str, launch.cpu_ids)]
    else:
        arguments += ["--cpu-count", str(launch.cpu_count)]
    if launch.cid not in (None, _AUTO_CID):
        arguments += ["--enclave-cid", str(launch.cid)]
    if launch.name is not None:
        arguments += [f"--enclave-name={launch.name}"]
    if launch.debug:
        arguments += ["--debug-mode"]
    if launch.console:
        arguments += ["--attach-console"]
    return arguments


def build_arguments(build: Build) -> list[str]:
    """Return the arguments of ``build-enclave``."""
    arguments = ["build-enclave", f"--docker-uri={build.docker_uri}", f"--output-file={build.output}"]
    optional = (
        ("--docker-dir", build.docker_dir),
        ("--signing-certificate", build.certificate),
        ("--private-key", build.private_key),
        ("--name", build.name),
        ("--version", build.version),
        ("--metadata", build.metadata),
    )
    return arguments + [f"{flag}={value}" for flag, value in optional if value is not None]


def terminate_arguments(enclave_id: str) -> list[str]:
    """Return the arguments of ``terminate-enclave`` for one enclave.

    Its ``--all`` is never used: that would take the ACM agent's enclave too.
    """
    return ["terminate-enclave", f"--enclave-id={enclave_id}"]


def console_arguments(enclave_id: str, disconnect_after_s: int | None = None) -> list[str]:
    """Return the arguments of ``console``. ``disconnect_after_s``: counted from the connection, not from silence."""
    arguments = ["console", f"--enclave-id={enclave_id}"]
    return arguments if disconnect_after_s is None else [*arguments, "--disconnect-timeout", str(disconnect_after_s)]


def boot_patience_s(eif_bytes: int, memory_mib: int) -> float:
    """Return the seconds to wait for ``run-enclave``: nitro-cli's own limit for this image and memory, and a margin.

    nitro-cli waits 90 s for every begun 6 GiB of image and 90 s for every begun 100 GiB of memory.
    """
    steps = max(1, -(-eif_bytes // _EIF_STEP)) + max(1, -(-memory_mib // _MEMORY_STEP_MIB))
    return steps * _BOOT_STEP_S + BOOT_MARGIN_S


def find(program: str) -> "NitroCli":
    """Return the nitro-cli that the setting ``program`` names: a path, or a name looked up on PATH.

    Raises CannotAnswer ``nitro-cli.missing`` or ``nitro-cli.not-executable``.
    """
    path = shutil.which(program)
    if path:
        return NitroCli(path)
    candidates = [program] if "/" in program else [f"{d}/{program}" for d in os.get_exec_path() if d]
    there = next((name for name in candidates if os.path.exists(name)), None)  # noqa: PTH110  (a setting's text)
    if there:
        raise _not_executable(there)
    raise CannotAnswer(
        f"{program}: no such program" + ("" if "/" in program else " on PATH"),
        "nitro-cli.missing",
        [
            "install it: sudo dnf install aws-nitro-enclaves-cli aws-nitro-enclaves-cli-devel",
            "or name it in NITROCTL_NITRO_CLI",
        ],
    )


def _not_executable(path: str) -> CannotAnswer:
    return CannotAnswer(
        f"{path}: cannot be executed", "nitro-cli.not-executable", ["check its mode, owner and file type"]
    )


@dataclass(frozen=True, slots=True)
class NitroCli:
    """One nitro-cli program. ``environ``: what is added to this process's environment for it.

    Every method raises NitroCliFailed ``nitro-cli.failed`` when nitro-cli says it failed, and CannotAnswer
    ``nitro-cli.not-executable``, ``nitro-cli.timeout`` or ``nitro-cli.nonsense`` when it gave no answer.
    """

    path: str
    environ: Mapping[str, str] = field(default_factory=dict)

    def version(self) -> Version:
        """Return the version of the program."""
        return self._read(replies.version, self._done(["--version"], PATIENCE_S))

    def require(self, needed: Version, option: str) -> None:
        """Refuse ``option`` when the program is older than ``needed``. Raises CannotAnswer ``nitro-cli.too-old``."""
        if not option:
            return
        found = self.version()
        if found < needed:
            wanted = ".".join(map(str, needed))
            raise CannotAnswer(
                f"nitro-cli {'.'.join(map(str, found))} does not know {option}: it came with {wanted}",
                "nitro-cli.too-old",
                ["upgrade aws-nitro-enclaves-cli, or leave the option out"],
            )

    def describe(self) -> Described:
        """Return the running enclaves: also those that answered when others did not."""
        finished = self._finished(["describe-enclaves"], PATIENCE_S)
        if finished.status == 0:
            return Described(self._read(replies.enclaves, finished))
        trouble = failure.read("describe-enclaves", finished, self._environment()).error()
        if not finished.stdout.strip():
            raise trouble
        try:
            return Described(replies.enclaves(finished.stdout), trouble)
        except replies.Nonsense as error:
            raise trouble from error

    def run(
        self,
        launch: Launch,
        *,
        eif_bytes: int,
        on_line: OnLine | None = None,
        on_tick: Callable[[float], None] | None = None,
    ) -> replies.Launched:
        """Start an enclave and return what nitro-cli says it started; it is not yet compared with anything."""
        patience = boot_patience_s(eif_bytes, launch.memory_mib)
        finished = self._done(run_arguments(launch), patience, on_line=on_line, on_tick=on_tick)
        return self._read(replies.launched, finished)

    def build(
        self,
        build: Build,
        *,
        on_line: OnLine | None = None,
        on_tick: Callable[[float], None] | None = None,
    ) -> dict[int, bytes]:
        """Build an image and return the registers nitro-cli prints. A build has no time limit of ours."""
        finished = self._done(build_arguments(build), None, on_line=on_line, on_tick=on_tick)
        return self._read(replies.measurements, finished)

    def terminate(self, enclave_id: str) -> replies.Ended:
        """End one enclave by its id."""
        finished = self._done(terminate_arguments(enclave_id), PATIENCE_S)
        ended = [item for item in self._read(replies.ended, finished) if item.id == enclave_id]
        if not ended or not ended[0].terminated:
            raise nonsense(finished.argv, f"it does not say that {enclave_id} has ended")
        return ended[0]

    def describe_eif(self, path: str) -> dict[int, bytes]:
        """Return the registers nitro-cli computes for an image file; exit 0 says nothing about its checks."""
        return self._read(replies.measurements, self._done(["describe-eif", f"--eif-path={path}"], PATIENCE_S))

    def start(self, arguments: Sequence[str]) -> Child:
        """Start a command whose output is passed on as it comes (a console); the caller closes it."""
        try:
            return process.start([self.path, *arguments], env=self._environment())
        except OSError as error:
            raise _cannot_start(self.path, error) from error

    def failed(self, command: str, status: int, stderr: str) -> NitroCliFailed:
        """Return why a command that was started by :meth:`start` failed."""
        finished = Finished(argv=(self.path, command), status=status, stdout="", stderr=stderr)
        return failure.read(command, finished, self._environment()).error()

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environ}

    def _finished(
        self,
        arguments: Sequence[str],
        patience_s: float | None,
        *,
        on_line: OnLine | None = None,
        on_tick: Callable[[float], None] | None = None,
    ) -> Finished:
        argv = [self.path, *arguments]
        try:
            finished = process.run(
                argv,
                timeout=patience_s,
                env=self._environment(),
                on_line=on_line,
                on_tick=on_tick,
                limit=2 * _REPLY_LIMIT,
            )
        except OSError as error:
            raise _cannot_start(self.path, error) from error
        if finished.timed_out:
            raise CannotAnswer(
                f"nitro-cli {arguments[0]}: no answer within {patience_s:.0f} s; it was ended",
                "nitro-cli.timeout",
                [
                    "run it by hand to see what it waits for",
                    *([MAY_HAVE_STARTED] if arguments[0] == "run-enclave" else []),
                    *_said(finished.stderr),
                ],
                {"command": arguments[0], "patience_s": patience_s, "stderr": finished.stderr[-_REPLY_LIMIT:]},
            )
        return finished

    def _done(
        self,
        arguments: Sequence[str],
        patience_s: float | None,
        *,
        on_line: OnLine | None = None,
        on_tick: Callable[[float], None] | None = None,
    ) -> Finished:
        """Run a command that must succeed."""
        finished = self._finished(arguments, patience_s, on_line=on_line, on_tick=on_tick)
        if finished.status != 0:
            raise failure.read(arguments[0], finished, self._environment()).error()
        return finished

    def _read(self, reader: Callable[[str], _T], finished: Finished) -> _T:
        try:
            if finished.stdout_dropped:
                raise replies.Nonsense("its answer is larger than any it has to give")
            return reader(finished.stdout)
        except replies.Nonsense as error:
            raise nonsense(finished.argv, str(error)) from error


def nonsense(argv: Sequence[str], said: str) -> CannotAnswer:
    """Return the error for an answer that nitro-cli cannot have meant."""
    return CannotAnswer(
        f"nitro-cli {argv[1]}: its answer cannot be used: {said}",
        "nitro-cli.nonsense",
        [f"check that {argv[0]} is nitro-cli, version 1.1 or later"],
    )


def _cannot_start(path: str, error: OSError) -> CannotAnswer:
    if isinstance(error, FileNotFoundError):  # the file is there: what it names as its interpreter is not
        return _not_executable(path)
    reason = (error.strerror or type(error).__name__).lower()
    return CannotAnswer(
        f"{path}: cannot be executed: {reason}", "nitro-cli.not-executable", ["check its mode and type"]
    )


def _said(stderr: str) -> list[str]:
    lines = [line for line in stderr.splitlines() if line.strip()]
    return [f"its last words: {lines[-1][:200]}"] if lines else []
