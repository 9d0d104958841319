"""Building an image: from a tree of files and nitro-cli's parts to the bytes of an EIF, the same ones every time.

Nothing but the inputs decides a byte: no clock, user, locale, file-system order or hash seed. Times come from the
inputs, and those after SOURCE_DATE_EPOCH, or after a constant where it is not set, are that instant; so is BuildTime.
Kernel, command line, metadata, ramdisks and signature are written in this order, as nitro-cli does, while they are
read: what is in the image is never in memory as a whole.
Source: aws-nitro-enclaves-image-format, README and builder; reproducible-builds.org, SOURCE_DATE_EPOCH.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Final

import nitroctl
from nitroctl.eif import metadata as metadata_section
from nitroctl.eif import ramdisk, recipe, tree
from nitroctl.eif.format import SectionType
from nitroctl.eif.parts import Parts
from nitroctl.eif.recipe import Application, Command
from nitroctl.eif.tree import ImageConfig, Tree
from nitroctl.eif.write import ImageWriter, SectionWriter, Written, metadata_json
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.instants import rfc3339_of

#: The largest instant that a ramdisk's 32 bits hold: 2106-02-07T06:28:15Z.
_LATEST: Final = 0xFFFFFFFF
_UNNAMED: Final = "rootfs"
_UNVERSIONED: Final = "unversioned"


def source_date_epoch(text: str | None) -> int:
    """Return the instant in the variable SOURCE_DATE_EPOCH, seconds since 1970; nitroctl's constant when it is unset.

    Raises UsageError ``usage.invalid``.
    """
    if not text:
        return tree.EPOCH
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > _LATEST:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is not a number of seconds from 0 to {_LATEST}: {text!r}",
            "usage.invalid",
            ["export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"],
        )
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides the bytes of an image. ``sign``: from PCR0 to a signature section, None for unsigned."""

    source: Tree
    parts: Parts
    start: Command
    application: Application
    metadata: bytes
    epoch: int
    sign: Callable[[bytes], bytes] | None = None


def plan(  # noqa: PLR0913  (what decides an image)
    source: Tree,
    parts: Parts,
    start: Command,
    *,
    epoch: int,
    as_is: bool = False,
    name: str | None = None,
    version: str | None = None,
    custom: Mapping[str, object] | None = None,
    sign: Callable[[bytes], bytes] | None = None,
) -> Plan:
    """Return the plan of an image. ``name``, ``version``: in the metadata, in the place of what the source says.

    Raises CannotAnswer ``eif.not-buildable``.
    """
    return Plan(
        source=source,
        parts=parts,
        start=start,
        application=recipe.application(source, start, epoch=epoch, as_is=as_is),
        metadata=_metadata(source, parts, epoch=epoch, name=name, version=version, custom=custom),
        epoch=epoch,
        sign=sign,
    )


def write(stream: IO[bytes], planned: Plan, *, on_bytes: Callable[[int], object] = lambda _: None) -> Written:
    """Write the image to ``stream``, a seekable file at its beginning, and return its registers.

    ``on_bytes``: called with the size of each piece that was written. Raises CannotAnswer ``eif.not-buildable``,
    ``eif.source-changed``, ``file.*`` and what signing raises; OSError of ``stream`` passes through.
    """
    parts = planned.parts
    with ImageWriter(stream, architecture=parts.architecture) as image:
        with image.section(SectionType.KERNEL) as section:
            for chunk in parts.kernel.chunks():
                section.write(chunk)
                on_bytes(len(chunk))
        image.add(SectionType.CMDLINE, parts.cmdline)
        image.add(SectionType.METADATA, planned.metadata)
        for nodes in (recipe.boot(parts.init, parts.nsm, epoch=planned.epoch), planned.application.nodes):
            with image.section(SectionType.RAMDISK) as section:
                ramdisk.write_newc(_Watched(section, on_bytes), nodes)
        if planned.sign:
            image.add(SectionType.SIGNATURE, planned.sign(image.pcrs[0]))
        return image.finish()


@dataclass(frozen=True, slots=True)
class _Watched:
    """A section, and who wants to know how it grows."""

    section: SectionWriter
    on_bytes: Callable[[int], object]

    def write(self, data: bytes) -> None:
        self.section.write(data)
        self.on_bytes(len(data))


# -- metadata


def _metadata(  # noqa: PLR0913  (what the section is made of)
    source: Tree,
    parts: Parts,
    *,
    epoch: int,
    name: str | None,
    version: str | None,
    custom: Mapping[str, object] | None,
) -> bytes:
    config = source.config
    tag = config.names[0] if config and config.names else ""
    data = metadata_json(
        image_name=name or _repository(tag) or _UNNAMED,
        image_version=version or (config.id.rpartition(":")[2] if config else "") or _UNVERSIONED,
        build_time=rfc3339_of(epoch),
        build_tool="nitroctl",
        build_tool_version=nitroctl.__version__,
        operating_system=parts.system,
        kernel_version=parts.release,
        docker_info=_docker_info(config) if config else None,
        custom=custom,
    )
    check, found = metadata_section.examine(data)
    if found is None:
        raise CannotAnswer(f"the image cannot be written: {check.detail}", "eif.not-buildable")
    return data


def _repository(tag: str) -> str:
    """Return a tag's name without the tag: ``localhost:5000/signer:1.4`` is ``localhost:5000/signer``."""
    name = tag.partition("@")[0]
    head, colon, last = name.rpartition(":")
    return head if colon and "/" not in last else name


def _docker_info(config: ImageConfig) -> dict[str, object]:
    """Return what of ``docker inspect`` the source itself says, in that shape."""
    return {
        "Id": config.id,
        "RepoTags": list(config.names),
        "Architecture": config.architecture,
        "Os": config.os,
        "Config": {
            "User": config.user,
            "Env": list(config.env),
            "Cmd": None if config.cmd is None else list(config.cmd),
            "WorkingDir": config.working_dir,
            "Entrypoint": None if config.entrypoint is None else list(config.entrypoint),
            "Labels": dict(config.labels),
        },
    }
