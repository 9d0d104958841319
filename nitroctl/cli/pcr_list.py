"""``nitroctl pcr list`` and ``show``: what is recorded."""

from collections.abc import Mapping
from typing import Annotated, Final

import typer

from nitroctl.cli.output import asked
from nitroctl.cli.pcr_options import Component, EntryName, Environment, Records, ledger_path, one
from nitroctl.cli.pcr_view import entry_fields
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Cell, Headline, Style, Table, Value

EXAMPLES = {
    "list": """
nitroctl pcr list
nitroctl pcr list --component signer --environment prod --status active
""",
    "show": """
nitroctl pcr show signer-1.4.2@prod
nitroctl pcr show signer-1.4.2 --json
""",
}

_STATUS_STYLES: Final[Mapping[str, Style]] = {"active": "good", "candidate": "", "retired": "dim", "revoked": "bad"}


def list_(
    component: Component = None,
    environment: Environment = None,
    status: Annotated[
        str | None,
        typer.Option("--status", help="Only entries of this status.", metavar="[candidate|active|retired|revoked]"),
    ] = None,
    records: Records = None,
) -> Result:
    """List the recorded versions."""
    from nitroctl import records as ledger
    from nitroctl.pcr import name
    from nitroctl.records.entry import time_text
    from nitroctl.records.quick import uncollected

    if status is not None and status not in {each.value for each in ledger.Status}:
        raise UsageError(
            f"--status: not one of {', '.join(ledger.Status)}: {status!r}",
            "usage.invalid",
            ["see nitroctl pcr list --help"],
        )
    path = ledger_path(records)
    every = ledger.load(path)
    chosen = every.select(component, environment, ledger.Status(status) if status else None)
    entries, rows = list[dict[str, object]](), list[tuple[Value, ...]]()
    with uncollected():  # of a hundred thousand entries only what is shown is made
        if asked().form == "json":
            entries = [entry.as_json() for entry in chosen]
        else:
            statuses = {status: Cell(status, style) for status, style in _STATUS_STYLES.items()}
            rows = [
                (entry.id, statuses[entry.status.value], time_text(entry.since), ", ".join(map(name, entry.pin)))
                for entry in chosen
            ]
    count = f"{len(chosen)} of {len(every)}" if len(chosen) != len(every) else str(len(every))
    return Result(
        schema="pcr.list/1",
        data={"records": path, "recorded": len(every), "entries": entries},
        view=[
            Headline(f"{count} recorded {'version' if len(every) == 1 else 'versions'} in {path}"),
            Table(("version", "status", "since", "pinned"), rows),
        ],
    )


def show(
    entry: EntryName,
    records: Records = None,
) -> Result:
    """Show one recorded version: its registers, what is pinned, where it came from, and its times."""
    from nitroctl import records as ledger

    path = ledger_path(records)
    found = one(ledger.load(path), entry, path)
    return Result(
        schema="pcr.show/1",
        data={"records": path, "entry": found.as_json()},
        view=[Headline(f"{found.id}: {found.status}"), entry_fields(found)],
    )
