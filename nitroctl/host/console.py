"""An enclave's console: what nitro-cli passes on from it, without nitro-cli's own words."""

import re
import time
from collections.abc import Iterable, Iterator
from typing import Final

from nitroctl.errors import CannotAnswer, ExitCode
from nitroctl.host import process, replies
from nitroctl.host.nitro_cli import (
    MAY_HAVE_STARTED,
    Launch,
    NitroCli,
    boot_patience_s,
    console_arguments,
    nonsense,
    run_arguments,
)
from nitroctl.host.process import Child, Output

#: What nitro-cli itself writes to standard output before the console's first byte.
_BANNER: Final = (
    re.compile(rb"Connecting to the console for enclave [0-9]+\.\.\."),
    re.compile(rb"Successfully connected to the console\."),
)
_BANNER_LIMIT: Final = 200
_REPLY_LIMIT: Final = 64 * 1024


class Console:
    """A console that is attached. :meth:`chunks` is iterated once; :meth:`finish` says how it ended."""

    def __init__(self, cli: NitroCli, command: str, child: Child, stderr: Output, coming: Iterator[bytes]) -> None:
        self._cli = cli
        self._command = command
        self._child = child
        self._stderr = stderr
        self._coming = coming

    def chunks(self) -> Iterator[bytes]:
        """Yield the console's bytes as they come; ending early lets go of the console, not of the enclave."""
        try:
            yield from without_banner(self._coming)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the console."""
        self._child.close()

    def finish(self) -> ExitCode:
        """Return 0 when the console came to its end. Raises NitroCliFailed when it broke off."""
        status = self._child.wait()
        if status != 0:
            raise self._cli.failed(self._command, status, self._stderr.text())
        return ExitCode.OK


def attach(cli: NitroCli, enclave_id: str, *, disconnect_after_s: int | None) -> Console:
    """Return the console of the enclave ``enclave_id``, which runs in debug mode. Raises as :meth:`NitroCli.start`."""
    child = cli.start(console_arguments(enclave_id, disconnect_after_s))
    stderr = Output("stderr")
    return Console(cli, "console", child, stderr, process.passed_on(child, stderr))


def run_attached(cli: NitroCli, launch: Launch, *, eif_bytes: int) -> tuple[replies.Launched, Console]:
    """Start an enclave with its console; return what nitro-cli says it started, once it has booted, and the console.

    Raises as :meth:`NitroCli.run`; then nothing is left attached.
    """
    child = cli.start(run_arguments(launch))
    stderr = Output("stderr")
    coming = process.passed_on(child, stderr)
    try:
        reply, rest = _first_reply(coming, boot_patience_s(eif_bytes, launch.memory_mib))
        if not reply:
            status = child.wait()
            if status != 0:
                raise cli.failed("run-enclave", status, stderr.text())
            raise nonsense((cli.path, "run-enclave"), f"not a started enclave: {rest[:100]!a}")
        try:
            launched = replies.launched(reply.decode("utf-8", "backslashreplace"))
        except replies.Nonsense as error:
            raise nonsense((cli.path, "run-enclave"), str(error)) from error
    except BaseException:
        child.close()
        raise
    return launched, Console(cli, "run-enclave", child, stderr, _with_first(rest.lstrip(b"\r\n"), coming))


def _first_reply(coming: Iterator[bytes], patience_s: float) -> tuple[bytes, bytes]:
    """Return the JSON object that comes first and what came with it; an empty one when the output ends before."""
    deadline = time.monotonic() + patience_s
    buffer = b""
    for chunk in coming:
        buffer += chunk
        end = replies.complete(buffer) if chunk else None
        if end is not None:
            return buffer[:end], buffer[end:]
        if len(buffer) > _REPLY_LIMIT:
            break
        if time.monotonic() > deadline:
            raise CannotAnswer(
                f"nitro-cli run-enclave: no answer within {patience_s:.0f} s; it was ended",
                "nitro-cli.timeout",
                [MAY_HAVE_STARTED],
            )
    return b"", buffer


def _with_first(first: bytes, coming: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from coming


def without_banner(coming: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``coming`` without nitro-cli's two lines about connecting, if it begins with them, and without silence."""
    expected = list(_BANNER)
    held = b""
    for chunk in coming:
        held += chunk
        while expected and b"\n" in held:
            line, rest = held.split(b"\n", 1)
            if expected[0].fullmatch(line.removesuffix(b"\r")):
                held = rest
                expected.pop(0)
            else:
                expected = []
        if len(held) > _BANNER_LIMIT:
            expected = []
        if held and not expected:
            yield held
            held = b""
    if held:
        yield held
