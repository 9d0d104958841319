"""``nitroctl pcr reproduce``: a recorded image built again, and whether it measures the same."""

import contextlib
import dataclasses
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nitroctl.cli import image_output, pcr_reproduce_view
from nitroctl.cli.pcr_options import EntryName, Records, one
from nitroctl.cli.pcr_reproduce_view import Done
from nitroctl.errors import NitroctlError, UsageError
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nitroctl.checks import Check
    from nitroctl.cli.image_build import Made, Request
    from nitroctl.eif.parts import Given
    from nitroctl.records import Entry, Source, Step

EXAMPLES: Final = """
nitroctl pcr reproduce signer-1.4.2@prod --checkout . --as auditor
nitroctl pcr reproduce signer-1.4.2@prod --source rootfs/ --blobs blobs --image signer.eif
nitroctl pcr reproduce signer-1.4.2@prod --docker-uri signer:1.4.2
"""
#: What the new image is called where it is not kept.
_REBUILT: Final = "rebuilt.eif"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Where the files are, as given; exactly one of the three sources. ``image``: the recorded image itself."""

    source: str | None
    checkout: str | None
    docker_uri: str | None
    docker_dir: str | None
    reference: str | None
    given: "Given"
    image: str | None
    output: str | None
    progress: str


def reproduce(
    entry: EntryName,
    *,
    source: Annotated[
        str | None,
        typer.Option("--source", help="Build from this directory or archive, as eif build takes it.", metavar="PATH"),
    ] = None,
    checkout: Annotated[
        str | None,
        typer.Option("--checkout", help="Build from this git checkout, at the recorded commit.", metavar="DIR"),
    ] = None,
    docker_uri: Annotated[
        str | None, typer.Option("--docker-uri", help="Build from this image of docker's.", metavar="URI")
    ] = None,
    docker_dir: Annotated[
        str | None, typer.Option("--docker-dir", help="Build the Docker image from here first.", metavar="DIR")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="Which image in --source, where it has another tag here.", metavar="NAME"),
    ] = None,
    blobs: image_output.Blobs = None,
    kernel: image_output.Kernel = None,
    cmdline: image_output.Cmdline = None,
    init: image_output.Init = None,
    nsm: image_output.Nsm = None,
    image: Annotated[
        str | None,
        typer.Option("--image", help="The recorded image: say down to the file what differs.", metavar="FILE"),
    ] = None,
    output_file: Annotated[
        str | None, typer.Option("--output-file", "--output", help="Keep the new image here.", metavar="FILE")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", help="When it measures the same, record that NAME reproduced it.", metavar="NAME"),
    ] = None,
    records: Records = None,
) -> Result:
    """Build a recorded image again, and say whether it measures the same.

    It is built as nitroctl eif build did it, with the recorded options, from --source, from a git --checkout that is at
    the recorded commit without a change, or from an image of docker's. Compared are PCR0, PCR1 and PCR2: the new image
    is not signed. Yes only when all three are equal. Entries that nitroctl built with --record can be built again;
    those of nitro-cli cannot, for it dates what it packs.
    """
    from nitroctl import records as ledgers
    from nitroctl import settings
    from nitroctl.cli import image_build
    from nitroctl.records import reproduce as rules

    if sum(where is not None for where in (source, checkout, docker_uri)) != 1:
        raise UsageError(
            "one of --source, --checkout and --docker-uri says what to build from",
            "usage.invalid",
            ["--checkout ., in a git checkout at the recorded commit"],
        )
    if docker_dir is not None and docker_uri is None:
        raise UsageError("--docker-dir is for --docker-uri", "usage.invalid", ["add --docker-uri NAME"])
    if output_file is not None:
        image_output.require_file(output_file)
    if docker_uri is not None and reference is not None:
        raise UsageError("--reference is for --source; --docker-uri names the image itself", "usage.invalid")
    if name is not None:
        rules.require_name(name)
    setting = settings.load({"records": records})
    path = setting["records"]
    if name is not None and path == "-":
        raise UsageError("--as writes to the ledger, and standard input cannot be written", "usage.invalid")
    if output_file is not None:
        _require_apart(output_file, (image, path))
    chosen = one(ledgers.load(path), entry, path)
    asked = _Asked(
        source=source,
        checkout=checkout,
        docker_uri=docker_uri,
        docker_dir=docker_dir,
        reference=reference,
        given=image_build.given(blobs=blobs, kernel=kernel, cmdline=cmdline, init=init, nsm=nsm),
        image=image,
        output=output_file,
        progress=setting["progress"],
    )
    done = _done(chosen, asked)
    step, trouble = _credited(path, chosen, name) if name is not None and done.report.passed else (None, [])
    return pcr_reproduce_view.result(path, done, step, trouble, [*setting.notes, *done.made.notes])


def _done(entry: "Entry", asked: _Asked) -> Done:
    """Build the image again and compare it; the new file is gone afterwards unless it was asked for."""
    from nitroctl.checks import Report
    from nitroctl.cli import image_recipe
    from nitroctl.eif.diff import compare
    from nitroctl.records import reproduce as rules

    recipe = rules.recipe_of(entry)
    _require_recorded(entry, asked.image)
    where = _checked_out(entry, asked.checkout) if asked.checkout is not None else asked.source or ""
    with _place(asked.output) as output:
        request = image_recipe.request_of(
            recipe, source=where, output=output, given=asked.given, reference=asked.reference
        )
        made = _built(request, asked)
        build = image_recipe.build_of(made)
        failed = made.report.refusals[0].id if not made.report.passed else ""
        pcrs = {} if failed else made.measured.pcrs
        checks: list[Check] = [*made.report, rules.source_check(entry, asked.checkout)]
        report = Report.of([*checks, *rules.judge(entry, build, pcrs, failed)])
        differing = () if failed else tuple(index for index in rules.IMAGE if pcrs.get(index) != entry.pcrs[index])
        compared = compare(asked.image, output) if asked.image is not None and differing else None
    if compared and asked.output is None:
        gone = dataclasses.replace(compared.second, path=_REBUILT)
        compared = dataclasses.replace(compared, second=gone)
    return Done(
        entry=entry,
        made=made,
        build=build,
        report=report,
        differing=differing,
        causes=rules.causes(entry, build, differing),
        compared=compared,
        output=asked.output if made.report.passed else None,
    )


@contextlib.contextmanager
def _place(output: str | None) -> "Iterator[str]":
    """Yield where the new image is made: ``output``, or a place that is gone when the block ends."""
    from nitroctl import safefile

    if output is not None:
        yield output
        return
    try:
        scratch = tempfile.mkdtemp(prefix="nitroctl-")
    except OSError as error:
        raise safefile.cannot_write("a directory for temporary files (TMPDIR)", error) from error
    try:
        yield str(Path(scratch) / _REBUILT)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _require_apart(output: str, others: "Sequence[str | None]") -> None:
    """Refuse to write the new image over a file that it is compared with. Raises UsageError ``usage.invalid``."""
    if any(other is not None and Path(other).resolve() == Path(output).resolve() for other in others):
        raise UsageError(
            f"--output-file {output}: the new image is compared with this file, which would be gone",
            "usage.invalid",
            ["name another file"],
        )


def _built(request: "Request", asked: _Asked) -> "Made":
    from nitroctl.cli import enclave_build, image_build

    if asked.docker_uri is None:
        return image_build.make(request, asked.progress)
    return enclave_build.reproducibly(request, asked.docker_uri, asked.docker_dir, asked.progress)


def _require_recorded(entry: "Entry", image: str | None) -> None:
    """Refuse an --image that is another one than was recorded: the differences would be of something else."""
    if image is None:
        return
    from nitroctl.cli.pcr_options import agree, from_image
    from nitroctl.records.reproduce import IMAGE

    pcrs = from_image(image)[0]
    agree(
        {index: entry.pcrs[index] for index in IMAGE},
        {index: pcrs[index] for index in IMAGE},
        f"{entry.id} says",
        f"{image} measures",
    )


def _checked_out(entry: "Entry", directory: str) -> str:
    """Return the path in a checkout of what the image was built from, which is as the recorded commit has it."""
    from nitroctl.errors import CannotAnswer
    from nitroctl.host import git
    from nitroctl.records.reproduce import committed

    recorded: Source = committed(entry)
    path = str(Path(directory) / recorded.path)
    place = git.of(path)
    if place.commit != recorded.commit:
        raise CannotAnswer(
            f"{directory}: is at commit {place.commit}, and {entry.id} was built from {recorded.commit}",
            "git.commit",
            [f"git -C {directory} checkout {recorded.commit}"],
        )
    if place.path != recorded.path:
        raise CannotAnswer(
            f"{path}: is {place.path} of its checkout, and {entry.id} was built from {recorded.path}",
            "git.commit",
            ["name the top of the checkout"],
        )
    return path


def _credited(path: str, entry: "Entry", name: str) -> "tuple[Step | None, list[NitroctlError]]":
    """Record who reproduced it; what keeps it from being recorded is said beside the answer, which stands."""
    from nitroctl import records as ledgers
    from nitroctl.records import reproduce as rules

    try:
        return ledgers.change(path, lambda ledger: (rules.credited(ledger, entry, name),))[0], []
    except NitroctlError as error:
        return None, [error]
