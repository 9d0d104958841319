"""``nitroctl eif build``: an image from files alone, the same bytes on every machine."""

from typing import Annotated, Final

import typer

from nitroctl.cli import image_build, image_build_view, image_output, image_recipe
from nitroctl.cli.pcr_options import Records
from nitroctl.render.result import Result

EXAMPLES: Final = """
nitroctl eif build signer.tar --output-file signer.eif
nitroctl eif build rootfs/ --cmd '/bin/app --listen' --platform linux/amd64 --blobs blobs --output-file app.eif
nitroctl eif build image/rootfs --cmd /bin/app --output-file app.eif \
--record --component signer --environment prod --release 1.4.2 --source-git
"""


def build(
    source: Annotated[
        str,
        typer.Argument(
            help="An archive of docker save, an OCI image layout, or a root file system: a directory or tar archive.",
            metavar="SOURCE",
        ),
    ],
    *,
    output_file: image_output.OutputFile,
    kind: Annotated[
        str,
        typer.Option(
            "--kind", help="What SOURCE is, where it cannot be told.", metavar="[auto|oci|docker|directory|tar]"
        ),
    ] = "auto",
    reference: Annotated[
        str | None, typer.Option("--reference", help="Which image in SOURCE: a tag or a digest.", metavar="NAME")
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", help="For which processor: linux/amd64 or linux/arm64.", metavar="NAME")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Of a directory: keep owners, modes and times as they are there.")
    ] = False,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Leave /etc/hosts and the other files that nitro-cli replaces.")
    ] = False,
    cmd: Annotated[
        str | None, typer.Option("--cmd", help="What to run: a JSON array, or words.", metavar="COMMAND")
    ] = None,
    entrypoint: Annotated[
        str | None, typer.Option("--entrypoint", help="In the place of the image's ENTRYPOINT.", metavar="COMMAND")
    ] = None,
    join_entrypoint: Annotated[
        bool, typer.Option("--join-entrypoint", help="Run ENTRYPOINT and CMD as one command, as Docker does.")
    ] = False,
    env: Annotated[
        list[str] | None, typer.Option("--env", help="A variable; can be given again.", metavar="NAME=VALUE")
    ] = None,
    blobs: image_output.Blobs = None,
    kernel: image_output.Kernel = None,
    cmdline: image_output.Cmdline = None,
    init: image_output.Init = None,
    nsm: image_output.Nsm = None,
    signing_certificate: image_output.SigningCertificate = None,
    private_key: image_output.PrivateKey = None,
    name: image_output.Name = None,
    image_version: image_output.ImageVersion = None,
    metadata: image_output.Metadata = None,
    explain: Annotated[
        bool,
        typer.Option("--explain-reproducibility", help="List the inputs that nothing pins, and what was set."),
    ] = False,
    record: image_output.Record = False,
    activate: image_output.Activate = False,
    component: image_output.Component = None,
    environment: image_output.Environment = None,
    release: image_output.Release = None,
    source_uri: image_output.SourceUri = None,
    source_ref: image_output.SourceRef = None,
    source_commit: image_output.SourceCommit = None,
    source_git: Annotated[
        bool,
        typer.Option(
            "--source-git",
            help="With --record: take repository, ref and commit from the git checkout that SOURCE is in.",
        ),
    ] = False,
    records: Records = None,
) -> Result:
    """Build an image from files alone, without Docker, nitro-cli, root or network: same inputs, same bytes.

    Kernel, command line, init and nsm.ko come from nitro-cli's blobs directory (--blobs, NITRO_CLI_BLOBS, or where its
    package puts them) or from files. As with nitro-cli, CMD runs when there is one, else ENTRYPOINT. Times after
    SOURCE_DATE_EPOCH, or after 2017-04-18 when it is not set, are set to it. The file is measured again and appears
    whole or not at all. Its registers differ from those of an image that nitro-cli makes of the same files: there,
    their order and times are those of the build. --record also writes what nitroctl pcr reproduce needs: the options,
    and the digests of kernel, command line, init, nsm.ko and container image.
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
        source=image_output.Origin(
            uri=source_uri, ref=source_ref, commit=source_commit, checkout=source if source_git else None
        ),
        output=output_file,
    )
    request = image_build.Request(
        source=source,
        output=output_file,
        given=image_build.given(blobs=blobs, kernel=kernel, cmdline=cmdline, init=init, nsm=nsm),
        kind=image_build.kind_of(kind),
        platform=platform,
        reference=reference,
        exact=exact,
        as_is=as_is,
        cmd=image_build.words(cmd, "--cmd"),
        entrypoint=image_build.words(entrypoint, "--entrypoint"),
        env=[image_build.as_utf8(item) for item in env or ()],
        join=join_entrypoint,
        name=name and image_build.as_utf8(name),
        version=image_version and image_build.as_utf8(image_version),
        metadata=metadata,
        certificate=signing_certificate,
        private_key=private_key,
    )
    image_output.require_recordable(naming, image_recipe.recipe_of(request, epoch=0))
    made = image_build.make(request, setting["progress"])
    recorded, trouble = image_output.record(
        naming if made.report.passed else None, made.measured, output_file, image_recipe.build_of(made)
    )
    data = {
        **image_build_view.outcome(made, recorded),
        **image_build_view.details(made),
        "report": made.report.as_json(),
    }
    return Result(
        schema="eif.build/1",
        data=data,
        view=image_build_view.view(made, recorded, explain=explain),
        refused=not made.report.passed,
        notes=[*setting.notes, *made.notes],
        report=made.report,
        subject=output_file,
        trouble=trouble,
    )
