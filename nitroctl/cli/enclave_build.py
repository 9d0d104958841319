"""``nitroctl enclave build``: nitro-cli builds, nitroctl measures, and the file appears only when both agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nitroctl.cli import image_build, image_build_view, image_output, image_recipe
from nitroctl.cli.pcr_options import Records
from nitroctl.errors import CannotAnswer, NitroctlError, UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline

if TYPE_CHECKING:
    from nitroctl.checks import Report
    from nitroctl.eif.measure import Measured
    from nitroctl.host.nitro_cli import Build, NitroCli
    from nitroctl.records import Recorded

EXAMPLES: Final = """
nitroctl enclave build --docker-uri signer:1.0.0 --output-file signer.eif
nitroctl enclave build --docker-uri signer:1.0.0 --docker-dir signer --output-file signer.eif \
--record --component signer --environment prod --release 1.0.0
nitroctl enclave build --docker-uri signer:1.0.0 --output-file signer.eif --reproducible --image-archive signer.tar
"""


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
    output_file: image_output.OutputFile,
    docker_dir: Annotated[
        str | None, typer.Option("--docker-dir", help="Build the Docker image from here first.", metavar="DIR")
    ] = None,
    signing_certificate: image_output.SigningCertificate = None,
    private_key: image_output.PrivateKey = None,
    name: image_output.Name = None,
    image_version: image_output.ImageVersion = None,
    metadata: image_output.Metadata = None,
    reproducible: Annotated[
        bool, typer.Option("--reproducible", help="Build without nitro-cli: the same bytes on every machine.")
    ] = False,
    image_archive: Annotated[
        str | None,
        typer.Option(
            "--image-archive",
            help="With --reproducible: the image from docker save or an OCI layout; docker is not asked.",
            metavar="PATH",
        ),
    ] = None,
    join_entrypoint: Annotated[
        bool, typer.Option("--join-entrypoint", help="With --reproducible: run ENTRYPOINT and CMD as one command.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain-reproducibility", help="With --reproducible: list the inputs that nothing pins."),
    ] = False,
    record: image_output.Record = False,
    activate: image_output.Activate = False,
    component: image_output.Component = None,
    environment: image_output.Environment = None,
    release: image_output.Release = None,
    source_uri: image_output.SourceUri = None,
    source_ref: image_output.SourceRef = None,
    source_commit: image_output.SourceCommit = None,
    records: Records = None,
) -> Result:
    """Build an image with nitro-cli, measure it again, and put it in place only when both measurements agree.

    The file appears whole or not at all; what was there before stays until then. When signing was asked for, a missing
    signature, or one by another certificate, is refused: some nitro-cli versions build an unsigned image and say
    nothing. Builds can run side by side.

    With --reproducible nitroctl builds the image itself (as nitroctl eif build does), with kernel, init and nsm.ko from
    the directory that NITRO_CLI_BLOBS names, and its registers are other ones than nitro-cli's. The Docker image comes
    from --image-archive, or else from docker save.
    """
    from nitroctl import settings

    image_output.require_file(output_file)
    image_output.require_pair(signing_certificate, private_key)
    setting = settings.load({"records": records})
    naming = image_output.naming(
        record=record,
        activate=activate,
        component=component,
        environment=environment,
        release=release,
        records=setting["records"],
        source=image_output.Origin(uri=source_uri, ref=source_ref, commit=source_commit),
        output=output_file,
    )
    if reproducible:
        if docker_dir is not None and image_archive is not None:
            raise UsageError(
                "--docker-dir and --image-archive: the image is built, or it is there already", "usage.invalid"
            )
        request_of = image_build.Request(
            source=image_archive or "",
            output=output_file,
            given=image_build.given(blobs=None, kernel=None, cmdline=None, init=None, nsm=None),
            join=join_entrypoint,
            name=name and image_build.as_utf8(name),
            version=image_version and image_build.as_utf8(image_version),
            metadata=metadata,
            certificate=signing_certificate,
            private_key=private_key,
        )
        made = reproducibly(request_of, docker_uri, docker_dir, setting["progress"])
        recorded, trouble = image_output.record(
            naming if made.report.passed else None, made.measured, output_file, image_recipe.build_of(made)
        )
        return _reproduced(made, recorded, trouble, setting.notes, explain=explain)
    if image_archive is not None or join_entrypoint or explain:
        raise UsageError(
            "--image-archive, --join-entrypoint and --explain-reproducibility are for --reproducible",
            "usage.invalid",
            ["add --reproducible"],
        )
    image_output.require_apart(output_file, signing_certificate, private_key, metadata)
    from nitroctl.host import nitro_cli

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
    tools = {"nitro-cli": ".".join(map(str, cli.version()))} if naming else {}
    with image_output.scratch(output_file) as scratch:
        said, measured = _built(cli, request, scratch, setting["progress"])
        report = _compare(said, measured, certificate_pcr8)
        if report.passed:
            from nitroctl import safefile

            safefile.put_in_place(measured.path, output_file)
    built = _Built(output_file, said, measured, report)
    recorded, trouble = image_output.record(
        naming if report.passed else None, measured, output_file, image_recipe.build_by_nitro_cli(tools)
    )
    return _result(built, recorded, trouble, setting.notes)


def reproducibly(request: image_build.Request, uri: str, directory: str | None, mode: str) -> image_build.Made:
    """Build with nitroctl's own builder from the archive that ``request`` names, or else from docker's image."""
    import dataclasses

    from nitroctl.cli.progress import Progress
    from nitroctl.host import docker

    if request.source:
        return image_build.make(dataclasses.replace(request, reference=docker.tagged(uri)), mode)
    with image_output.scratch(request.output) as scratch:
        archive = str(scratch / "image.tar")
        progress = Progress(f"saving {uri}", mode)
        try:
            saved = docker.save(uri, archive, directory=directory, on_line=progress.line, on_tick=progress.tick)
        finally:
            progress.clear()
        request = dataclasses.replace(request, source=archive, reference=saved, shown=f"docker: {uri}")
        return image_build.make(request, mode)


def _reproduced(
    made: image_build.Made,
    recorded: "Recorded | None",
    trouble: Sequence[NitroctlError],
    notes: Sequence[str],
    *,
    explain: bool,
) -> Result:
    data = {
        **image_build_view.outcome(made, recorded),
        "nitro_cli_pcrs": {},
        "reproducible": image_build_view.details(made),
        "report": made.report.as_json(),
    }
    return Result(
        schema="enclave.build/1",
        data=data,
        view=image_build_view.view(made, recorded, explain=explain),
        refused=not made.report.passed,
        notes=[*notes, *made.notes],
        report=made.report,
        subject=made.request.output,
        trouble=trouble,
    )


def _register_of(certificate: str) -> bytes:
    from nitroctl import pcr, safefile

    pem = safefile.read_bytes(certificate, limit=image_output.CERTIFICATE_LIMIT)
    return pcr.for_certificate(pcr.certificate_der(pem, where=certificate))


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
    from nitroctl.checks import Report
    from nitroctl.cli import image_checks

    able = image_checks.measurable(measured)
    same = image_checks.same_registers(
        said,
        measured.pcrs,
        able,
        check_id="build.registers",
        title="nitro-cli and nitroctl measure the same",
        other="not what nitro-cli printed",
        by="nitro-cli",
        remedy="do not use the image; build it again, on a machine you can rely on",
        source="AWS Nitro Enclaves user guide, cryptographic attestation",
    )
    checks = [able, same]
    if certificate is not None:
        checks.append(image_checks.signed(measured, certificate, able))
    return Report.of(checks)


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
        "reproducible": None,
        "signed": measured.signature is not None,
        "recorded": recorded and {"id": recorded.entry.id, "outcome": recorded.outcome.value},
        "report": report.as_json(),
    }
    if not report.passed:
        view: list[Block] = [Headline(f"{output}: not written: {report.refusals[0].detail}", Outcome.FAIL)]
        view += [Checks(report, every=True)]
        return Result(
            schema="enclave.build/1", data=data, view=view, refused=True, notes=notes, report=report, subject=output
        )
    view = [
        Headline(f"{output}: built; nitro-cli and nitroctl measure the same", Outcome.PASS),
        Fields(image_output.rows(measured, recorded)),
    ]
    return Result(
        schema="enclave.build/1", data=data, view=view, notes=notes, report=report, subject=output, trouble=trouble
    )
