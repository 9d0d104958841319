"""``nitroctl schema [NAME]``: the JSON Schemas of the outputs."""

import json
from importlib import resources
from typing import Annotated

import typer

from nitroctl.cli.tree import single, verb
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Raw, Table

app = single()


@verb(
    app,
    "schema",
    """
nitroctl schema
nitroctl schema attest.verify/1
""",
)
def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The schema's name, as in an answer's \"schema\"; the newest without a version.", metavar="NAME"
        ),
    ] = None,
) -> Result:
    """Print the JSON Schema (2020-12) of an output's data, or list the names."""
    files = {
        entry.name.removesuffix(".json"): entry
        for entry in resources.files("nitroctl").joinpath("schemas").iterdir()
        if entry.name.endswith(".json")
    }
    names = sorted(name.rpartition(".")[0] + "/" + name.rpartition(".")[2] for name in files)
    if name is None:
        return Result(schema="schema.list/1", data={"schemas": names}, view=[Table(("schema",), [(n,) for n in names])])
    wanted = name.removeprefix("nitroctl/").replace("/", ".")
    if wanted not in files:  # without a version: the newest
        wanted = max((each for each in files if each.rpartition(".")[0] == wanted), key=_version, default=wanted)
    if wanted not in files:
        raise UsageError(f"no such schema: {name!r}", "schema.unknown", ["nitroctl schema lists them"])
    text = files[wanted].read_text(encoding="utf-8")
    return Result(schema="schema/1", data={"schema": json.loads(text)}, view=[Raw(text)])


def _version(name: str) -> int:
    return int(name.rpartition(".")[2])
