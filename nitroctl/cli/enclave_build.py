"""``nitroctl enclave build``: nitro-cli builds, nitroctl measures, and the file appears only when both agree."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nitroctl.errors import CannotAnswer, NitroctlError, UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Checks, Fields, Headline

if TYPE_CHECKING:
    from nitroctl.checks import Check, Report
    from nitroctl.eif.measure import Measured
    from nitroctl.host.nitro_cli import Build, NitroCli
    from nitroctl.records import Artifact, Entry, Recorded, Signer

EXAMPLES: Final = """
nitroctl enclave build --docker-uri signer:1.0.0 --output-file signer.eif
nitroctl enclave build --docker-uri signer:1.0.0 --docker-dir signer --output-file signer.eif \
--record --component signer --environment prod --release 1.0.0
"""
_CERTIFICATE_LIMIT: Final = 1024 * 1024
#: Registers used to hold a record's names to the rules before the image exists.
_PLACEHOLDER: Final = dict.fromkeys((0, 1, 2), b"\x01" * 48)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Naming:
    """How the image is to be recorded."""

    component: str
    environment: str
    release: str
    activate: bool
    records: str


@dataclass(frozen=True, slots=True)
class _Built:
    """What came of a build. ``said``: the registers nitro-cli printed."""

    output: str
    said: Mapping[int, bytes]
    measured: "Measured"
    report: "Report"


def build(
    *,
    docker_uri: Annotated[
        str, typer.Option("--docker-uri", help="The Docker image, by name and tag.", metavar="URI", show_default=False)
    ],
    output_file: Annotated[
        str,
        typer.Option("--output-file", "--output", help="The image file to make.", metavar="FILE", show_default=False),
    ],
    docker_dir: Annotated[
        str | None, typer.Option("--docker-dir", help="Build the Docker image from here first.", metavar="DIR")
    ] = None,
    signing_certificate: Annotated[
        str | None, typer.Option("--signing-certificate", help="Sign: the certificate (PEM).", metavar="FILE")
    ] = None,
    private_key: Annotated[
        str | None, typer.Option("--private-key", help="Sign: the key (PEM), or a KMS key's ARN.", metavar="KEY")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Image name in the metadata.", metavar="NAME")] = None,
    image_version: Annotated[
        str | None, typer.Option("--image-version", help="Image version in the metadata.", metavar="VERSION")
    ] = None,
    metadata: Annotated[
        str | None, typer.Option("--metadata", help="Further metadata: a JSON object.", metavar="FILE")
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="Record the measurements, as a candidate.")] = False,
    activate: Annotated[bool, typer.Option("--activate", help="With --record: make the record active.")] = False,
    component: Annotated[
        str | None, typer.Option("--component", help="With --record: what the image is.", metavar="NAME")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="With --record: where it is to run.", metavar="NAME")
    ] = None,
    release: Annotated[
        str | None, typer.Option("--release", help="With --record: the image's version.", metavar="VERSION")
    ] = None,
    records: Annotated[
        str | None, typer.Option("--records", help="The file of recorded measurements.", metavar="FILE")
    ] = None,
) -> Result:
    """Build an image with nitro-cli, measure it again, and put it in place only when both measurements agree.

    The file appears whole or not at all; what was there before stays until then. When signing was asked for, a missing
    signature, or one by another certificate, is refused: some nitro-cli versions build an unsigned image and say
    nothing. Builds can run side by side.
    """
    from nitroctl import settings
    from nitroctl.host import nitro_cli

    if output_file == "-":
        raise UsageError(
            "--output-file -: an image is not written to standard output", "usage.invalid", ["name a file"]
        )
    if (signing_certificate is None) != (private_key is None):
        raise UsageError("signing takes both --signing-certificate and --private-key", "enclave.signing")
    setting = settings.load({"records": records})
    naming = _naming(
        record=record,
        activate=activate,
        component=component,
        environment=environment,
        release=release,
        records=setting["records"],
    )
    certificate_pcr8 = _register_of(signing_certificate) if signing_certificate is not None else None
    request = nitro_cli.Build(
        docker_uri=docker_uri,
        output=output_file,
        docker_dir=docker_dir,
        certificate=signing_certificate,
        private_key=private_key,
        name=name,
        version=image_version,
        metadata=metadata,
    )
    cli = nitro_cli.find(setting["nitro_cli"])
    cli.require(*request.needs)
    with _scratch(output_file) as scratch:
        said, measured = _built(cli, request, scratch, setting["progress"])
        report = _compare(said, measured, certificate_pcr8)
        if report.passed:
            from nitroctl import safefile

            safefile.put_in_place(measured.path, output_file)
    built = _Built(output_file, said, measured, report)
    trouble: list[NitroctlError] = []
    recorded = None
    if naming and report.passed:
        try:
            recorded = _record(naming, measured, output_file)
        except NitroctlError as error:  # the image is there: say both
            trouble.append(error)
    return _result(built, recorded, trouble, setting.notes)


def _naming(
    *, record: bool, activate: bool, component: str | None, environment: str | None, release: str | None, records: str
) -> _Naming | None:
    given = (component, environment, release)
    if not record:
        if activate or any(value is not None for value in given):
            raise UsageError(
                "--activate, --component, --environment and --release are for --record",
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
    naming = _Naming(component=component, environment=environment, release=release, activate=activate, records=records)
    _entry(naming, _PLACEHOLDER)  # a bad name is refused before minutes of building
    return naming


def _entry(
    naming: _Naming,
    pcrs: Mapping[int, bytes],
    artifact: "Artifact | None" = None,
    signer: "Signer | None" = None,
) -> "Entry":
    from nitroctl.records import Status, new_entry

    return new_entry(
        component=naming.component,
        environment=naming.environment,
        version=naming.release,
        pcrs=pcrs,
        recorded_at=datetime.now(UTC),
        status=Status.ACTIVE if naming.activate else Status.CANDIDATE,
        artifact=artifact,
        signer=signer,
    )


def _record(naming: _Naming, measured: "Measured", output: str) -> "Recorded":
    from nitroctl import records

    artifact = records.Artifact(Path(output).name, measured.sha256, measured.size)
    signer = records.Signer(measured.signature.certificate.sha256) if measured.signature else None
    return records.record(naming.records, _entry(naming, measured.pcrs, artifact, signer))


def _register_of(certificate: str) -> bytes:
    from nitroctl import pcr, safefile

    pem = safefile.read_bytes(certificate, limit=_CERTIFICATE_LIMIT)
    return pcr.for_certificate(pcr.certificate_der(pem, where=certificate))


@contextlib.contextmanager
def _scratch(output: str) -> Iterator[Path]:
    """Yield a private directory beside ``output``; it and all in it are gone when the block ends."""
    from nitroctl import safefile

    target = safefile.require_replaceable(output)
    try:
        scratch = tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise safefile.cannot_write(output, error) from error
    try:
        yield Path(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _built(cli: "NitroCli", request: "Build", scratch: Path, mode: str) -> "tuple[dict[int, bytes], Measured]":
    """Build into ``scratch``; return the registers nitro-cli prints and our own reading of the file."""
    import dataclasses

    from nitroctl.cli.progress import Progress
    from nitroctl.eif.measure import measure

    artifacts = scratch / "artifacts"  # nitro-cli's own scratch files have fixed names: builds would collide
    artifacts.mkdir()
    inside = scratch / Path(request.output).name
    cli = dataclasses.replace(cli, environ={"NITRO_CLI_ARTIFACTS": str(artifacts)})
    progress = Progress(f"building {request.output}", mode)
    try:
        said = cli.build(dataclasses.replace(request, output=str(inside)), on_line=progress.line, on_tick=progress.tick)
    except NitroctlError as error:
        progress.replay(str(error.details.get("stderr", "")))
        raise
    finally:
        progress.clear()
    if not inside.is_file():
        raise CannotAnswer(
            "nitro-cli build-enclave: it reports success but wrote no image", "nitro-cli.nonsense", ["read its log"]
        )
    return said, measure(str(inside))


def _compare(said: Mapping[int, bytes], measured: "Measured", certificate: bytes | None) -> "Report":
    """Return whether the image is what nitro-cli says it built, and signed as it was asked to be."""
    from nitroctl import pcr
    from nitroctl.checks import Check, Outcome, Report, blocked

    measurable = _measurable(measured)
    agree, title = "build.registers", "nitro-cli and nitroctl measure the same"
    checks = [measurable]
    if measurable.outcome is not Outcome.PASS:
        checks.append(blocked(agree, title, measurable.id))
    else:
        differing = sorted(
            index for index in {*said, *measured.pcrs} if said.get(index, b"") != measured.pcrs.get(index, b"")
        )
        first = differing[0] if differing else 0
        checks.append(
            Check(
                id=agree,
                title=title,
                outcome=Outcome.FAIL if differing else Outcome.PASS,
                detail=f"{', '.join(map(pcr.name, differing))} of the file is not what nitro-cli printed"
                if differing
                else "",
                expected=f"{pcr.name(first)} {_hex(said.get(first))} (nitro-cli)" if differing else None,
                actual=f"{pcr.name(first)} {_hex(measured.pcrs.get(first))} (the file)" if differing else None,
                remedy="do not use the image; build it again, on a machine you can rely on" if differing else None,
                source="AWS Nitro Enclaves user guide, cryptographic attestation",
            )
        )
    if certificate is not None:
        checks.append(_signed(measured, certificate, measurable))
    return Report.of(checks)


def _measurable(measured: "Measured") -> "Check":
    from nitroctl.checks import Check, Outcome

    refusal = measured.report.refusals[0] if not measured.report.passed else None
    return Check(
        id="build.measurable",
        title="The image is well-formed, so that it has measurements",
        outcome=Outcome.FAIL if refusal else Outcome.PASS,
        detail=f"{refusal.detail or refusal.title} [{refusal.id}]" if refusal else "",
        remedy="build it again; nitro-cli's own log may say why" if refusal else None,
    )


def _signed(measured: "Measured", certificate: bytes, measurable: "Check") -> "Check":
    from nitroctl.checks import Check, Outcome, blocked

    check_id, title = "build.signed", "The image is signed with the certificate that was given"
    if measurable.outcome is not Outcome.PASS:
        return blocked(check_id, title, measurable.id)
    found = measured.pcrs.get(8)
    good = found == certificate
    missing = (
        "signing was asked for, but the image has no signature (nitro-cli before 1.5.0 goes on when the key fails)"
    )
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.PASS if good else Outcome.FAIL,
        detail="" if good else missing if found is None else "it is signed with another certificate",
        expected=None if good else f"PCR8 {certificate.hex()}",
        actual=None if good else f"PCR8 {_hex(found)}",
        remedy=None if good else "check the key, its permissions (kms:Sign, kms:GetPublicKey) and the credentials",
        source="aws-nitro-enclaves-cli issue 756",
    )


def _hex(register: bytes | None) -> str:
    return register.hex() if register is not None else "absent"


def _result(
    built: _Built, recorded: "Recorded | None", trouble: Sequence[NitroctlError], notes: Sequence[str]
) -> Result:
    from nitroctl import pcr
    from nitroctl.checks import Outcome

    output, measured, report = built.output, built.measured, built.report

    data: dict[str, object] = {
        "output_file": output,
        "written": report.passed,
        "size_bytes": measured.size,
        "sha256": measured.sha256,
        "pcrs": pcr.as_hex(measured.pcrs),
        "nitro_cli_pcrs": pcr.as_hex(built.said),
        "signed": measured.signature is not None,
        "recorded": recorded and {"id": recorded.entry.id, "outcome": recorded.outcome.value},
        "report": report.as_json(),
    }
    if not report.passed:
        view: list[Block] = [Headline(f"{output}: not written: {report.refusals[0].detail}", Outcome.FAIL)]
        view += [Checks(report, every=True)]
        return Result(schema="enclave.build/1", data=data, view=view, refused=True, notes=notes, report=report)
    rows: list[tuple[str, str | Cell]] = [
        ("size", f"{measured.size} bytes"),
        ("SHA-256", measured.sha256),
        ("signer", measured.signature.certificate.subject if measured.signature else Cell("not signed", "dim")),
        *pcr.as_hex(measured.pcrs).items(),
    ]
    if recorded:
        rows.append(("recorded", f"{recorded.entry.id}, {recorded.entry.status} ({recorded.outcome.value})"))
    view = [Headline(f"{output}: built; nitro-cli and nitroctl measure the same", Outcome.PASS), Fields(rows)]
    return Result(schema="enclave.build/1", data=data, view=view, notes=notes, report=report, trouble=trouble)
