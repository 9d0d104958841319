"""What the builders share: options, where the image is made and put, and its record."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nitroctl.errors import NitroctlError, UsageError
from nitroctl.render.view import Cell

if TYPE_CHECKING:
    from nitroctl.eif.measure import Measured
    from nitroctl.records import Artifact, Build, Entry, Recipe, Recorded, Signer, Source

OutputFile = Annotated[
    str, typer.Option("--output-file", "--output", help="The image file to make.", metavar="FILE", show_default=False)
]
Blobs = Annotated[
    str | None, typer.Option("--blobs", help="nitro-cli's directory of kernel, init, nsm.ko.", metavar="DIR")
]
Kernel = Annotated[str | None, typer.Option("--kernel", help="This kernel; then nsm.ko only by --nsm.", metavar="FILE")]
Cmdline = Annotated[
    str | None, typer.Option("--cmdline", help="The file with the kernel command line.", metavar="FILE")
]
Init = Annotated[str | None, typer.Option("--init", help="This init.", metavar="FILE")]
Nsm = Annotated[str | None, typer.Option("--nsm", help="This nsm.ko.", metavar="FILE")]
SigningCertificate = Annotated[
    str | None, typer.Option("--signing-certificate", help="Sign: the certificate (PEM).", metavar="FILE")
]
PrivateKey = Annotated[
    str | None, typer.Option("--private-key", help="Sign: the key (PEM), or a KMS key's ARN.", metavar="KEY")
]
Name = Annotated[str | None, typer.Option("--name", help="Image name in the metadata.", metavar="NAME")]
ImageVersion = Annotated[
    str | None, typer.Option("--image-version", help="Image version in the metadata.", metavar="VERSION")
]
Metadata = Annotated[str | None, typer.Option("--metadata", help="Further metadata: a JSON object.", metavar="FILE")]
Record = Annotated[bool, typer.Option("--record", help="Record the measurements, as a candidate.")]
Activate = Annotated[bool, typer.Option("--activate", help="With --record: make the record active.")]
Component = Annotated[str | None, typer.Option("--component", help="With --record: what the image is.", metavar="NAME")]
Environment = Annotated[
    str | None, typer.Option("--environment", help="With --record: where it is to run.", metavar="NAME")
]
Release = Annotated[
    str | None, typer.Option("--release", help="With --record: the image's version.", metavar="VERSION")
]
SourceUri = Annotated[
    str | None, typer.Option("--source-uri", help="With --record: the repository it is built from.", metavar="URI")
]
SourceRef = Annotated[str | None, typer.Option("--source-ref", help="With --record: branch or tag.", metavar="REF")]
SourceCommit = Annotated[str | None, typer.Option("--source-commit", help="With --record: commit.", metavar="HASH")]

CERTIFICATE_LIMIT: Final = 1024 * 1024
#: Registers used to hold a record's names to the rules before the image exists.
_PLACEHOLDER: Final = dict.fromkeys((0, 1, 2), b"\x01" * 48)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the source is from, as told; ``checkout``: a path in a git checkout that is to be asked instead."""

    uri: str | None = None
    ref: str | None = None
    commit: str | None = None
    checkout: str | None = None

    @property
    def given(self) -> bool:
        """Whether anything was told."""
        return any(value is not None for value in (self.uri, self.ref, self.commit, self.checkout))

    def found(self) -> "Source | None":
        """Return it for the record. Raises UsageError ``usage.invalid``, and what :func:`nitroctl.host.git.of` does."""
        from nitroctl.records import Source

        if not self.given:
            return None
        if self.checkout is None:
            return Source(uri=self.uri or "", ref=self.ref or "", commit=self.commit or "")
        if self.ref is not None or self.commit is not None:
            raise UsageError(
                "--source-git finds ref and commit itself, and one of them is given", "usage.invalid", ["leave one out"]
            )
        from nitroctl.host import git

        place = git.of(self.checkout)
        return Source(uri=self.uri or place.uri, ref=place.ref, commit=place.commit, path=place.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How the image is to be recorded."""

    component: str
    environment: str
    release: str
    activate: bool
    records: str
    source: "Source | None" = None


def require_file(output_file: str) -> None:
    """Refuse standard output. Raises UsageError ``usage.invalid``."""
    if output_file == "-":
        raise UsageError(
            "--output-file -: an image is not written to standard output", "usage.invalid", ["name a file"]
        )


def require_apart(output: str, *paths: str | None) -> None:
    """Refuse to put the image where one of the files ``paths`` is that it is made of. Raises UsageError."""
    target = os.path.realpath(output)
    if any(path and os.path.realpath(path) == target for path in paths):
        raise UsageError(
            f"--output-file {output}: the image is made of this file, which would be gone",
            "usage.invalid",
            ["name another file"],
        )


def require_pair(certificate: str | None, private_key: str | None) -> None:
    """Refuse one half of a signing pair. Raises UsageError ``enclave.signing``."""
    if (certificate is None) != (private_key is None):
        raise UsageError("signing takes both --signing-certificate and --private-key", "enclave.signing")


def naming(
    *,
    record: bool,
    activate: bool,
    component: str | None,
    environment: str | None,
    release: str | None,
    records: str,
    source: Origin,
    output: str,
) -> Naming | None:
    """Return how the image is to be recorded, None when it is not. Raises UsageError, and what a bad name raises."""
    given = (component, environment, release)
    if not record:
        if activate or source.given or any(value is not None for value in given):
            raise UsageError(
                "--activate, --component, --environment, --release and --source-… are for --record",
                "usage.invalid",
                ["add --record"],
            )
        return None
    if component is None or environment is None or release is None:
        raise UsageError(
            "--record needs --component, --environment and --release",
            "usage.invalid",
            ["--record --component signer --environment prod --release 1.0.0"],
        )
    if os.path.realpath(records) == os.path.realpath(output):
        raise UsageError(
            f"--output-file {output}: the image would be recorded in this file, which would be gone",
            "usage.invalid",
            ["name another file"],
        )
    asked = Naming(
        component=component,
        environment=environment,
        release=release,
        activate=activate,
        records=records,
        source=source.found(),
    )
    _entry(asked, _PLACEHOLDER)  # a bad name is refused before minutes of building
    return asked


def require_recordable(asked: Naming | None, recipe: "Recipe") -> None:
    """Refuse options that a record cannot hold before the image is built. Raises CannotAnswer ``records.text``."""
    if asked is not None:
        from nitroctl.records import Build

        _entry(asked, _PLACEHOLDER, build=Build(recipe=recipe))


def _entry(
    asked: Naming,
    pcrs: Mapping[int, bytes],
    artifact: "Artifact | None" = None,
    signer: "Signer | None" = None,
    build: "Build | None" = None,
) -> "Entry":
    from nitroctl.records import Status, new_entry

    return new_entry(
        component=asked.component,
        environment=asked.environment,
        version=asked.release,
        pcrs=pcrs,
        recorded_at=datetime.now(UTC),
        status=Status.ACTIVE if asked.activate else Status.CANDIDATE,
        artifact=artifact,
        signer=signer,
        source=asked.source,
        build=build,
    )


def record(
    asked: Naming | None, measured: "Measured", output: str, build: "Build"
) -> "tuple[Recorded | None, list[NitroctlError]]":
    """Record an image that is in place, if it was asked for; what keeps it from being recorded is said beside it."""
    if asked is None:
        return None, []
    from nitroctl import records

    try:
        artifact = records.Artifact(Path(output).name, measured.sha256, measured.size)
        signer = records.Signer(measured.signature.certificate.sha256) if measured.signature else None
        return records.record(asked.records, _entry(asked, measured.pcrs, artifact, signer, build)), []
    except NitroctlError as error:
        return None, [error]


@contextlib.contextmanager
def scratch(output: str) -> Iterator[Path]:
    """Yield a private directory beside ``output``; it and all in it are gone when the block ends."""
    from nitroctl import safefile

    target = safefile.require_replaceable(output)
    try:
        directory = tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise safefile.cannot_write(output, error) from error
    try:
        yield Path(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def rows(measured: "Measured", recorded: "Recorded | None") -> list[tuple[str, str | Cell]]:
    """Return what is said of an image that was made: its size, digest, signer and registers, and its record."""
    from nitroctl import pcr

    found: list[tuple[str, str | Cell]] = [
        ("size", f"{measured.size} bytes"),
        ("SHA-256", measured.sha256),
        ("signer", measured.signature.certificate.subject if measured.signature else Cell("not signed", "dim")),
        *pcr.as_hex(measured.pcrs).items(),
    ]
    if recorded:
        found.append(("recorded", f"{recorded.entry.id}, {recorded.entry.status} ({recorded.outcome.value})"))
    return found
