"""``nitroctl pcr import``: measurements that others wrote down go into the ledger."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.pcr_options import Records, ledger_path
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Headline, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.records import Entry, Recorded
    from nitroctl.records.importers import Imported, Source

EXAMPLES = """
nitroctl pcr import pcrs.json --component signer --environment prod --release 1.4.2
nitroctl pcr import history.json --component signer --environment prod --release old --all
nitroctl pcr import enclaves.json --component signer --environment prod --release 1.4.2 --select signer
"""


def import_(
    file: Annotated[str, typer.Argument(help="The file to take measurements from; - is stdin.", metavar="FILE")],
    *,
    component: Annotated[str, typer.Option("--component", help="What the image is.", metavar="NAME")],
    environment: Annotated[str, typer.Option("--environment", help="Where it is to run.", metavar="NAME")],
    release: Annotated[str, typer.Option("--release", help="The image's version.", metavar="VERSION")],
    select: Annotated[
        str | None,
        typer.Option(
            "--select", help="Of several: this one, by its name in the file or its number from 1.", metavar="NAME"
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Of several: all, as VERSION.1, VERSION.2 and so on.", show_default=False)
    ] = False,
    platform: Annotated[
        str | None,
        typer.Option(
            "--platform", help="nitro-enclave, nitro-tpm or another; told from the registers otherwise.", metavar="NAME"
        ),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option("--pin", help="Pin this register in place of all that are recorded. Repeatable.", metavar="PCR"),
    ] = None,
    notes: Annotated[str, typer.Option("--notes", help="A remark for whoever reads the record.", metavar="TEXT")] = "",
    records: Records = None,
) -> Result:
    """Record measurements from a file that others wrote, as candidates.

    The form is recognised: what nitro-cli (build-enclave, describe-eif, describe-enclaves) and nitro-tpm-pcr-compute
    print, an object of registers, a list of them, a release manifest, or an in-toto statement. Nothing in the file is
    verified; measure the image itself where you have it (pcr record --eif).
    """
    from nitroctl import records as ledgers
    from nitroctl.pcr import parse_name
    from nitroctl.records import importers

    path = ledger_path(records)
    source = importers.read(file)
    chosen = _chosen(source.found, select, file, every=every)
    pins = [parse_name(name) for name in pin] if pin else None
    at = _now()
    entries = [
        ledgers.new_entry(
            component=component,
            environment=environment,
            version=f"{release}.{number}" if every and len(chosen) > 1 else release,
            pcrs=each.pcrs,
            recorded_at=at,
            platform=platform or importers.platform_of(each.pcrs, where=file),
            pin=pins,
            notes=notes,
        )
        for number, each in enumerate(chosen, 1)
    ]
    return _result(path, file, source, ledgers.record_all(path, entries))


def _now() -> datetime:
    return datetime.now(UTC)


def _chosen(found: "Sequence[Imported]", select: str | None, file: str, *, every: bool) -> "Sequence[Imported]":
    """Return what is to be recorded. Raises UsageError ``records.select`` when that is not one thing, or not there."""
    names = [each.label or str(number) for number, each in enumerate(found, 1)]
    if every and select is not None:
        raise UsageError("--all and --select contradict each other", "usage.invalid", ["leave one out"])
    if select is not None:
        named = [each for name, each in zip(names, found, strict=True) if name == select]
        if not named and select.isdecimal() and 1 <= int(select) <= len(found):
            named = [found[int(select) - 1]]
        if len(named) == 1:
            return named
        what = "several sets" if named else "no set"
        raise UsageError(f"{file}: {what} of measurements called {select!r}", "records.select", [_listed(names)])
    if len(found) > 1 and not every:
        raise UsageError(
            f"{file}: {len(found)} sets of measurements", "records.select", [_listed(names), "or --all for every one"]
        )
    return found


def _listed(names: "Sequence[str]") -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""  # noqa: PLR2004
    return f"choose one with --select: {', '.join(names[:5])}{more}, or a number from 1"


def _result(path: str, file: str, source: "Source", done: "Sequence[Recorded]") -> Result:
    added = [each.entry for each in done if each.outcome.value == "added"]
    rows = [(each.entry.id, each.outcome.value, each.entry.status.value, _pins(each.entry)) for each in done]
    count = f"{len(added)} of {len(done)}" if len(added) != len(done) else str(len(done))
    headline = f"{count} {'set' if len(done) == 1 else 'sets'} of measurements recorded in {path} from {source.form}"
    notes = [f"{file} was believed: nothing in it is verified, and the image was not measured"]
    if source.caution:
        notes.append(source.caution)
    if added:
        notes.append("a candidate accepts nothing yet; nitroctl pcr rollout makes it a reference value")
    data = {
        "records": path,
        "file": file,
        "form": source.form,
        "recorded": [{"outcome": each.outcome.value, "entry": each.entry.as_json()} for each in done],
    }
    view: list[Block] = [Headline(headline), Table(("version", "outcome", "status", "pinned"), rows)]
    return Result(schema="pcr.import/1", data=data, view=view, notes=notes)


def _pins(entry: "Entry") -> str:
    from nitroctl import pcr

    return ", ".join(pcr.name(index) for index in entry.pin)
