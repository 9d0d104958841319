"""``nitroctl --version [--verbose]``: the version, and what it runs on."""

from collections.abc import Sequence

from nitroctl import __version__
from nitroctl.errors import NitroctlError, UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Fields, Raw

_LIBRARIES = ("typer", "rich", "boto3", "cbor2", "cryptography", "PyYAML")


def version(arguments: Sequence[str]) -> Result:
    """Answer ``--version`` with whatever options follow it."""
    known = {"--verbose", "--json", "--quiet", "--debug"}
    verbose = "--verbose" in arguments
    unknown = [word for word in arguments if word.startswith("--") and word.partition("=")[0] not in known]
    if unknown:
        raise UsageError(f"no such option: {unknown[0]}", "usage.invalid", ["--version takes --verbose and --json"])
    data: dict[str, object] = {"nitroctl": __version__}
    if not verbose:
        return Result(schema="version/1", data=data, view=[Raw(f"nitroctl {__version__}\n")])
    import platform
    from importlib import metadata

    data["python"] = platform.python_version()
    data["platform"] = platform.platform()
    data["libraries"] = {name: metadata.version(name) for name in _LIBRARIES}
    rows = [("nitroctl", __version__), ("Python", platform.python_version()), ("platform", platform.platform())]
    rows += [(name, metadata.version(name)) for name in _LIBRARIES]
    data["nitro_cli"], shown = _nitro_cli()
    rows.append(("nitro-cli", shown))
    return Result(schema="version/1", data=data, view=[Fields(rows)])


def _nitro_cli() -> tuple[dict[str, object], str]:
    """Return what nitro-cli says of itself, or why it cannot be asked: this command answers either way."""
    from nitroctl import settings
    from nitroctl.host import nitro_cli

    try:
        found = nitro_cli.find(settings.load()["nitro_cli"])
        version = ".".join(map(str, found.version()))
    except NitroctlError as error:
        return {"found": False, "problem": error.message}, error.message
    return {"found": True, "path": found.path, "version": version}, f"{version} ({found.path})"
