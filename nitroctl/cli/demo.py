"""``nitroctl demo``: the whole life of an enclave on a stand-in host, each step the real command.

Every step runs ``nitroctl`` (or the worked project's own client) as a process of its own and shows what it printed.
A step that does not end as it should ends the demonstration with a failure: it is also a test.
"""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer

from nitroctl.cli.tree import single, verb
from nitroctl.errors import CannotAnswer, ExitCode
from nitroctl.render.result import Result, Stream

app = single()

_NONCE: Final = "0123456789abcdef0123456789abcdef"
_SHORT: Final = 40
_ROLE: Final = "arn:aws:iam::123456789012:role"


@verb(
    app,
    "demo",
    """
nitroctl demo
nitroctl demo --keep ./demo
""",
)
def demo(
    keep: Annotated[
        str | None,
        typer.Option(help="Keep the worked project and its files in DIR (new or empty).", metavar="DIR"),
    ] = None,
) -> Stream:
    """Watch the whole life of an enclave: build, measure, record, bind a key and prove it, run, attest, verify, refuse.

    Needs no AWS account, no Nitro hardware and no network: nitro-cli and the hypervisor are a stand-in, whose
    attestation documents are signed under a test root. Nothing accepts that root unless it is named.
    """
    demonstration = _Demonstration(Path(keep).absolute() if keep else None, terminal=sys.stdout.isatty())
    return Stream(
        chunks=demonstration.steps(),
        sanitise=False,
        finish=lambda: ExitCode.OK,
        result=demonstration.result,
    )


@dataclass(slots=True)
class _Demonstration:
    keep: Path | None
    terminal: bool
    done: list[dict[str, object]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    directory: Path = field(default_factory=Path)

    def steps(self) -> Iterator[bytes]:
        """Yield what is to be seen, step by step. Raises CannotAnswer ``demo.*`` or ``file.unwritable``."""
        from nitroctl.safefile import cannot_write

        try:
            yield from self._on_a_stand_in_host()
        except OSError as error:
            raise cannot_write(str(error.filename2 or error.filename or "the temporary directory"), error) from error

    def _on_a_stand_in_host(self) -> Iterator[bytes]:
        """Yield the steps; the host is stopped, and what it was made of is gone, however they end."""
        import shutil
        import tempfile

        from nitroctl.standin import host

        if self.keep:
            _make_empty(self.keep)
        # the stand-in's unix sockets need a short path: 108 bytes is all that an address holds
        short = None if len(tempfile.gettempdir()) <= _SHORT else "/tmp"  # noqa: S108  (mkdtemp makes it private)
        scratch = Path(tempfile.mkdtemp(prefix="nitroctl-", dir=short))
        standin: host.StandinHost | None = None
        try:
            standin = host.create(scratch / "host")
            self.directory = self.keep or scratch / "work"
            self.directory.mkdir(exist_ok=True)
            nothing = scratch / "nitroctl.toml"  # in place of this machine's configuration files
            nothing.touch()
            self.environment = {**_clean(os.environ), **standin.environment, "NITROCTL_CONFIG": str(nothing)}
            if self.terminal:
                size = shutil.get_terminal_size()
                self.environment |= {"FORCE_COLOR": "1", "COLUMNS": str(size.columns)}
            shutil.copyfile(standin.root_certificate, self.directory / "standin-root.pem")
            yield from self._story()
        finally:
            if standin is not None:
                standin.stop()
            shutil.rmtree(scratch, ignore_errors=True)
        where = f"Everything it made is in {self.keep}.\n" if self.keep else ""
        yield self._paint(f"\nDone: {len(self.done)} commands, each ended as it should.\n{where}", "1")

    def _story(self) -> Iterator[bytes]:
        verify = f"nitroctl attest verify {{}} --records measurements.json --nonce {_NONCE} --root standin-root.pem"
        simulate = (
            f"nitroctl kms simulate policy.json --principal {_ROLE}/signer --document {{}} --root standin-root.pem"
        )
        yield self._say(
            "A stand-in host: its nitro-cli, sysfs and NSM are nitroctl's own; the commands are the real ones."
        )
        yield from self._step("Start from a small worked project.", "nitroctl init signer --name signer")
        yield from self._step(
            "Build the image. nitroctl measures the file itself and compares with what nitro-cli printed.",
            "nitroctl enclave build --docker-dir signer/enclave --docker-uri signer:1.0.0 --output-file signer.eif",
        )
        yield from self._step("Measure it again, without nitro-cli.", "nitroctl eif measure signer.eif")
        yield from self._step(
            "Record the measurement as the release that may run in production.",
            "nitroctl pcr record --eif signer.eif --component signer --environment prod --release 1.0.0 --activate",
        )
        yield from self._step(
            "Write the key policy: only this image, under this role, may use the key.",
            f"nitroctl kms generate --enclave-role {_ROLE}/signer --admin-role {_ROLE}/kms-admin "
            f"--policy-writer {_ROLE}/kms-policy-writer --output policy.json",
        )
        yield from self._step(
            "Prove of it that nobody gets data who does not attest the image, whatever IAM policies they have.",
            "nitroctl kms prove policy.json",
        )
        yield from self._step("See what the host can give.", "nitroctl allocator show")
        yield from self._step(
            "Run it: only an active record may.",
            "nitroctl enclave run --eif-path signer.eif --memory 512 --cpu-count 2 --require-recorded",
        )
        yield from self._step("What runs is what was recorded.", "nitroctl enclave describe")
        yield from self._attestation("document.cbor")
        yield from self._step(
            "Verify it: who signed it, when, and is it the recorded image?", verify.format("document.cbor")
        )
        yield from self._step(
            "Would KMS let it use the key? This statement, these registers.", simulate.format("document.cbor")
        )
        yield from self._step(
            "Without the test root named, the same document is refused.",
            verify.format("document.cbor").partition(" --root")[0],
            expect=ExitCode.REFUSED,
        )
        self._tamper("document.cbor", "tampered.cbor")
        yield from self._step(
            "One bit of PCR0 changed: refused.", verify.format("tampered.cbor"), expect=ExitCode.REFUSED
        )
        yield from self._step("Now the same image in debug mode.", "nitroctl enclave terminate signer")
        yield from self._step(
            "",
            "nitroctl enclave run --eif-path signer.eif --memory 512 --cpu-count 2 --debug-mode",
        )
        yield from self._attestation("debug.cbor")
        yield from self._step(
            "In debug mode nothing attests the image, so its document is refused.",
            verify.format("debug.cbor"),
            expect=ExitCode.REFUSED,
        )
        yield from self._step(
            "KMS would not let it either, and these statements say so.",
            simulate.format("debug.cbor"),
            expect=ExitCode.REFUSED,
        )
        yield from self._step("Terminate it.", "nitroctl enclave terminate signer")
        yield from self._step("", "nitroctl enclave describe")

    def _attestation(self, output: str) -> Iterator[bytes]:
        sockets = sorted((Path(self.environment["NITROCTL_STANDIN_HOST"]) / "vsock").glob("*_5005.sock"))
        if not sockets:
            raise CannotAnswer("the stand-in enclave does not listen", "demo.step")
        yield from self._step(
            "Ask the enclave for an attestation document, with the project's own parent client.",
            f"python3 signer/parent/client.py --socket $ENCLAVE --nonce {_NONCE} --output {output}",
            ENCLAVE=str(sockets[0]),
        )

    def _step(self, why: str, command: str, *, expect: ExitCode = ExitCode.OK, **environment: str) -> Iterator[bytes]:
        """Show the command, run it, show what it printed; raise CannotAnswer when its status is not as expected."""
        from nitroctl.host import process

        yield self._paint(f"\n# {why}\n" if why else "\n", "2") + self._paint(f"$ {command}\n", "1;36")
        argv = [environment.get(word.removeprefix("$"), word) for word in shlex.split(command)]
        program = [sys.executable, "-m", "nitroctl"] if argv[0] == "nitroctl" else [sys.executable]
        ran = process.run([*program, *argv[1:]], env=self.environment, cwd=self.directory, timeout=300)
        yield (ran.stdout + ran.stderr).encode()
        self.done.append(
            {"command": command, "status": ran.status, "stdout": ran.stdout, "stderr": ran.stderr, "why": why}
        )
        if expect is not ExitCode.OK:
            yield self._paint(f"(exit status {ran.status}: the answer is no)\n", "2")
        if ran.status != expect:
            raise CannotAnswer(
                f"the demonstration stopped: exit status {ran.status} in place of {int(expect)}: {command}", "demo.step"
            )

    def _tamper(self, source: str, target: str) -> None:
        """Flip one bit of PCR0 in a copy of the document."""
        from nitroctl.records import load

        document = bytearray((self.directory / source).read_bytes())
        pcr0 = load(str(self.directory / "measurements.json")).entries[0].pcrs[0]
        document[document.index(pcr0)] ^= 1
        (self.directory / target).write_bytes(document)

    def result(self) -> Result:
        """Return the steps as data."""
        return Result(schema="demo/1", data={"steps": self.done}, view=[])

    def _say(self, text: str) -> bytes:
        return self._paint(f"# {text}\n", "2")

    def _paint(self, text: str, style: str) -> bytes:
        return (f"\x1b[{style}m{text}\x1b[0m" if self.terminal and not os.environ.get("NO_COLOR") else text).encode()


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without settings that would lead the demonstration elsewhere."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("NITROCTL_", "NITRO_CLI_", "AWS_")) and name != "COLUMNS"
    }


def _make_empty(directory: Path) -> None:
    from nitroctl.safefile import cannot_write

    try:
        directory.mkdir(parents=True, exist_ok=True)
        empty = not any(directory.iterdir())
    except OSError as error:
        raise cannot_write(str(directory), error) from error
    if not empty:
        raise CannotAnswer(f"{directory}: not empty", "demo.directory", ["name a new directory with --keep"])
