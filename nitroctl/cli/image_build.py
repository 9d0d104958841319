"""Building an image with nitroctl's own builder: what ``eif build`` and ``enclave build --reproducible`` both do."""

import json
import os
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nitroctl.cli import image_output
from nitroctl.errors import CannotAnswer, UsageError

if TYPE_CHECKING:
    from nitroctl.checks import Check, Report
    from nitroctl.eif.build import Plan
    from nitroctl.eif.measure import Measured
    from nitroctl.eif.parts import Given, Parts
    from nitroctl.eif.sign import Signer
    from nitroctl.eif.tree import Remark, Tree
    from nitroctl.eif.write import Architecture, Written

_KINDS = ("auto", "oci", "docker", "directory", "tar")
_METADATA_LIMIT = 4096
_PLATFORM = re.compile(r"linux/(amd64|arm64)(/v[0-9])?")
#: Remarks that say something about how the enclave will behave: told without being asked for.
_TOLD = ("build.entrypoint", "build.working-directory", "build.user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be built. ``source``, ``kind``, ``platform``, ``reference``: see open_source. Paths are as given.

    ``shown``: what the answer calls the source, when its path says nothing. ``epoch``: in the place of
    SOURCE_DATE_EPOCH.
    """

    source: str
    output: str
    given: "Given"
    kind: Literal["auto", "oci", "docker", "directory", "tar"] = "auto"
    platform: str | None = None
    reference: str | None = None
    exact: bool = False
    as_is: bool = False
    cmd: Sequence[str] | None = None
    entrypoint: Sequence[str] | None = None
    env: Sequence[str] = ()
    join: bool = False
    name: str | None = None
    version: str | None = None
    metadata: str | None = None
    certificate: str | None = None
    private_key: str | None = None
    shown: str = ""
    epoch: int | None = None

    @property
    def called(self) -> str:
        """What people know the source by."""
        return self.shown or self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of it. ``remarks``: all there is to say about making it again."""

    request: Request
    plan: "Plan"
    written: "Written"
    measured: "Measured"
    report: "Report"
    remarks: "tuple[Remark, ...]"
    notes: Sequence[str] = field(default=())


def as_utf8(text: str) -> str:
    """Return an argument as UTF-8 has it: Python reads arguments by the locale, and an image depends on none."""
    return os.fsencode(text).decode("utf-8", "surrogateescape")


def words(text: str | None, option: str) -> list[str] | None:
    """Return a command in words: a JSON array of strings, or words as a shell would split them; None for none.

    Raises UsageError ``usage.invalid``.
    """
    if text is None:
        return None
    hints = ["""write --cmd '["/app", "--option"]', or --cmd '/app --option'"""]
    text = as_utf8(text)
    try:
        found: object = json.loads(text) if text.lstrip().startswith("[") else shlex.split(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option}: not a command: {error}", "usage.invalid", hints) from error
    if not isinstance(found, list) or not found or not found[0] or not all(isinstance(word, str) for word in found):
        raise UsageError(f"{option}: not a JSON array of strings with a command in it", "usage.invalid", hints)
    return found


def kind_of(text: str) -> Literal["auto", "oci", "docker", "directory", "tar"]:
    """Return what a source is to be taken for. Raises UsageError ``usage.invalid``."""
    for known in ("auto", "oci", "docker", "directory", "tar"):
        if text == known:
            return known
    raise UsageError(f"--kind: not one of {', '.join(_KINDS)}: {text!r}", "usage.invalid")


def given(*, blobs: str | None, kernel: str | None, cmdline: str | None, init: str | None, nsm: str | None) -> "Given":
    """Return where kernel and the rest come from: the option, else NITRO_CLI_BLOBS, else where nitro-cli looks."""
    from nitroctl.eif.parts import DEFAULT_DIRECTORY, Given

    directory = blobs or os.environ.get("NITRO_CLI_BLOBS") or DEFAULT_DIRECTORY
    return Given(directory=directory, kernel=kernel, cmdline=cmdline, init=init, nsm=nsm)


def make(request: Request, progress_mode: str) -> Made:
    """Build the image beside its place, measure the file, and put it in place when every check passes."""
    from nitroctl import safefile
    from nitroctl.cli.progress import Progress
    from nitroctl.eif import build, recipe, unpinned
    from nitroctl.eif.measure import measure
    from nitroctl.eif.tree import open_source

    _require_apart(request)
    if request.platform is not None and not _PLATFORM.fullmatch(request.platform):
        raise UsageError(
            f"--platform: enclaves run on linux/amd64 and linux/arm64, not on {request.platform!r}", "usage.invalid"
        )
    stated = os.environ.get("SOURCE_DATE_EPOCH") if request.epoch is None else None
    epoch = build.source_date_epoch(stated) if request.epoch is None else request.epoch
    custom = _custom(request.metadata)
    request.given.require()
    signer = _signer(request)
    progress = Progress(f"building {request.output}", progress_mode)
    began = time.monotonic()
    with image_output.scratch(request.output) as scratch:
        with open_source(
            request.source,
            kind=request.kind,
            platform=request.platform,
            reference=request.reference,
            epoch=epoch,
            exact=request.exact,
            scratch=str(scratch),
        ) as source:
            start = recipe.command(
                source.config, cmd=request.cmd, entrypoint=request.entrypoint, env=request.env, join=request.join
            )
            planned = build.plan(
                source,
                _parts(request, source),
                start,
                epoch=epoch,
                as_is=request.as_is,
                name=request.name,
                version=request.version,
                custom=custom,
                sign=signer.sign if signer else None,
            )
            inside = scratch / Path(request.output).name
            try:
                with inside.open("xb") as stream:
                    written = build.write(stream, planned, on_bytes=lambda _: progress.tick(time.monotonic() - began))
            except OSError as error:
                raise safefile.cannot_write(request.output, error) from error
            finally:
                progress.clear()
            program = _program(source, start.words[0])
        measured = measure(str(inside))
        report = _judge(written, measured, program, signer)
        if report.passed:
            safefile.put_in_place(str(inside), request.output)
    remarks = unpinned.remarks(
        planned, deterministic_signature=signer.deterministic if signer else None, epoch_given=bool(stated)
    )
    notes = [remark.detail for remark in remarks if remark.id in _TOLD]
    notes += [*planned.parts.remarks, *(signer.remarks if signer else ())]
    return Made(
        request=request,
        plan=planned,
        written=written,
        measured=measured,
        report=report,
        remarks=remarks,
        notes=notes,
    )


def _require_apart(request: Request) -> None:
    """Refuse to write the image over what it is made of, or into it: the next build would be another one.

    Raises UsageError ``usage.invalid``.
    """
    from nitroctl.eif.parts import NAMES

    parts = request.given
    image_output.require_apart(
        request.output,
        *(request.source, parts.kernel, parts.cmdline, parts.init, parts.nsm),
        *(os.path.join(parts.directory, name) for name in NAMES),  # noqa: PTH118  (as it was written)
        *(request.metadata, request.certificate, request.private_key),
    )
    output = Path(os.path.realpath(request.output))
    source = Path(os.path.realpath(request.source))
    if source.is_dir() and source in output.parents:
        raise UsageError(
            f"--output-file {request.output}: is in {request.source}, and would be part of the next image",
            "usage.invalid",
            ["name a file elsewhere"],
        )


def _custom(path: str | None) -> "dict[str, object] | None":
    if path is None:
        return None
    from nitroctl import safefile
    from nitroctl.eif import metadata

    return dict(metadata.custom(safefile.read_bytes(path, limit=_METADATA_LIMIT), where=path))


def _signer(request: Request) -> "Signer | None":
    if request.certificate is None or request.private_key is None:
        return None
    from nitroctl import aws
    from nitroctl.eif.sign import signer

    return signer(request.private_key, request.certificate, kms=aws.kms_key)


def _parts(request: Request, source: "Tree") -> "Parts":
    from nitroctl.eif import parts

    config = source.config
    stated = config.architecture if config else (request.platform or "").partition("/")[2].partition("/")[0]
    wanted: Architecture | None = None
    if stated:
        wanted = parts.PLATFORMS.get(stated)
        if wanted is None or (config and config.os not in ("", "linux")):
            raise CannotAnswer(
                f"{request.called}: is for {config.platform if config else stated}, "
                "and enclaves run on linux/amd64 (x86_64) and linux/arm64 (aarch64)",
                "eif.architecture",
            )
    return parts.find(request.given, architecture=wanted, wanted_by=request.called)


def _program(source: "Tree", word: str) -> "Check":
    """Return whether the command's first word is a program in the image, as a warning."""
    from nitroctl.checks import Check, Outcome
    from nitroctl.eif.recipe import SEARCH, find_program

    found = find_program(source, word)
    where = "from /" if "/" in word else "in " + ", ".join(f"/{place.decode()}" for place in SEARCH)
    return Check(
        id="build.command",
        title="The command is a program in the image",
        outcome=Outcome.WARN if found is None else Outcome.PASS,
        detail=f"init looks for {word} {where}, and there is no program of that name" if found is None else "",
        remedy="name it by its path, or build it into the image: the enclave would stop at once"
        if found is None
        else None,
        source="aws-nitro-enclaves-sdk-bootstrap, init.c",
        required=False,
    )


def _judge(written: "Written", measured: "Measured", program: "Check", signer: "Signer | None") -> "Report":
    """Return whether the file is the image that was written, measured anew from the disk."""
    from nitroctl.checks import Report
    from nitroctl.cli import image_checks

    able = image_checks.measurable(measured)
    same = image_checks.same_registers(
        written.pcrs,
        {index: value for index, value in measured.pcrs.items() if index in written.pcrs},  # PCR8: of the signature
        able,
        check_id="build.written",
        title="The file measures what was computed while it was written",
        other="another than was written",
        by="written",
        remedy="do not use the image; look for a fault of the disk or the memory",
    )
    checks = [able, same]
    if signer:
        from nitroctl.eif.signature import dates

        checks.append(image_checks.signed(measured, signer.certificate.pcr8, able))
        checks.append(dates(signer.certificate, datetime.now(UTC).replace(microsecond=0)))
    return Report.of([*checks, program])
