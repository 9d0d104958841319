"""What made an image, for its record; and the record read back, for building the image again."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import nitroctl
from nitroctl.cli import image_build
from nitroctl.cli.image_build import Made, Request

if TYPE_CHECKING:
    from nitroctl.eif.parts import Given
    from nitroctl.records import Build, Recipe

#: Who built it, in a record.
BUILDER = "nitroctl"


def build_of(made: Made) -> "Build":
    """Return builder, versions, digests and options of an image that was made."""
    from nitroctl.records import Build

    config, parts = made.plan.source.config, made.plan.parts
    inputs = {part.role: part.sha256 for part in parts.inputs}
    inputs["cmdline"] = hashlib.sha256(parts.cmdline).hexdigest()
    if config:
        inputs["image"] = config.id.rpartition(":")[2]
    return Build(builder=BUILDER, versions={"nitroctl": nitroctl.__version__}, inputs=inputs, recipe=_recipe(made))


def build_by_nitro_cli(versions: Mapping[str, str]) -> "Build":
    """Return what is known of an image that nitro-cli built: by which version, and who measured it."""
    from nitroctl.records import Build

    return Build(builder="nitro-cli", versions={"nitroctl": nitroctl.__version__, **versions})


def _recipe(made: Made) -> "Recipe":
    """Return the options that were given, and the platform where nothing else says it."""
    from nitroctl.eif.parts import PLATFORMS

    request, plan = made.request, made.plan
    told = next((f"linux/{name}" for name, known in PLATFORMS.items() if known == plan.parts.architecture), "")
    return recipe_of(request, epoch=plan.epoch, platform=request.platform or ("" if plan.source.config else told))


def recipe_of(request: Request, *, epoch: int, platform: str = "") -> "Recipe":
    """Return what ``request`` asks for, as far as it decides a register."""
    from nitroctl.records import Recipe

    return Recipe(
        source_date_epoch=epoch,
        kind="" if request.kind == "auto" else request.kind,
        platform=platform,
        reference=request.reference or "",
        exact=request.exact,
        as_is=request.as_is,
        join_entrypoint=request.join,
        cmd=None if request.cmd is None else tuple(request.cmd),
        entrypoint=None if request.entrypoint is None else tuple(request.entrypoint),
        env=tuple(request.env),
    )


def request_of(recipe: "Recipe", *, source: str, output: str, given: "Given", reference: str | None) -> Request:
    """Return the same request for files on this machine. ``reference``: in the place of the recorded one."""
    return Request(
        source=source,
        output=output,
        given=given,
        kind=image_build.kind_of(recipe.kind or "auto"),
        platform=recipe.platform or None,
        reference=reference or recipe.reference or None,
        exact=recipe.exact,
        as_is=recipe.as_is,
        cmd=recipe.cmd,
        entrypoint=recipe.entrypoint,
        env=recipe.env,
        join=recipe.join_entrypoint,
        epoch=recipe.source_date_epoch,
    )
