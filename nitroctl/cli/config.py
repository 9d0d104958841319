"""``nitroctl config``: nitroctl's own settings."""

from typing import Annotated

import typer

from nitroctl.cli.tree import noun, verb
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Table

app = noun("Show nitroctl's own settings and where each comes from.")


@verb(
    app,
    "show",
    """
nitroctl config show
nitroctl config show --origin
""",
)
def show(
    origin: Annotated[
        bool, typer.Option("--origin", help="Show where each value comes from, and the files looked at.")
    ] = False,
) -> Result:
    """Show every setting with its value.

    Strongest first, a value comes from a flag, a NITROCTL_* variable, ./nitroctl.toml, the user's
    nitroctl/config.toml, /etc/nitroctl/config.toml, or is the default. NITROCTL_CONFIG names one file in place of the
    three. JSON always has the origins.
    """
    from nitroctl import settings

    found = settings.load()
    known = [(setting, found.values[setting.name]) for setting in settings.SETTINGS]
    data = {
        "settings": [
            {
                "name": setting.name,
                "value": value.value,
                "origin": value.origin,
                "default": setting.default,
                "variable": setting.variable,
                "meaning": setting.meaning,
            }
            for setting, value in known
        ],
        "files": [{"path": path, "state": state} for path, state in found.files],
    }
    view: list[Block]
    if origin:
        rows = [(setting.name, value.value, value.origin) for setting, value in known]
        view = [
            Table(("setting", "value", "origin"), rows),
            Table(("file", "state"), found.files, title="Files, weakest first"),
        ]
    else:
        view = [
            Table(
                ("setting", "value", "meaning"),
                [(setting.name, value.value, setting.meaning) for setting, value in known],
            )
        ]
    return Result(schema="config.show/1", data=data, view=view, notes=found.notes)
