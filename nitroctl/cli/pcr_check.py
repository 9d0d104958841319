"""``nitroctl pcr check``: whether registers are those of an active recorded version."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.pcr_options import Component, Environment, Records, from_image, ledger_path, with_assignments
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Checks, Fields, Headline

if TYPE_CHECKING:
    from nitroctl.records.compare import Compared

EXAMPLES = """
nitroctl pcr check --eif app.eif --component signer --environment prod
nitroctl pcr check --eif app.eif --environment prod --format github
"""


def check(
    eif: Annotated[str | None, typer.Option("--eif", help="Measure this image.", metavar="FILE")] = None,
    pcr: Annotated[
        list[str] | None,
        typer.Option("--pcr", help="Compare this register. Repeatable.", metavar="PCR=HEX"),
    ] = None,
    component: Component = None,
    environment: Environment = None,
    records: Records = None,
) -> Result:
    """Say whether an image, or some registers, are those of an active recorded version.

    Yes only when every register that the version pins was given and is equal. Otherwise the nearest version is named,
    with the registers that differ.
    """
    from nitroctl import records as ledger
    from nitroctl.records.compare import compare

    registers = dict[int, bytes]()
    if eif is not None:
        registers, _, _ = from_image(eif)
    registers = with_assignments(registers, pcr or [])
    if not registers:
        raise UsageError("nothing to compare", "usage.invalid", ["give --eif FILE, or --pcr PCR0=<hex>"])
    path = ledger_path(records)
    compared = compare(registers, ledger.load(path).select(component, environment), what=_which(component, environment))
    return _compared(compared, registers, path, {"eif": eif, "component": component, "environment": environment})


def _which(component: str | None, environment: str | None) -> str:
    return f"{component or 'any component'} in {environment or 'any environment'}"


def _compared(
    compared: "Compared", registers: Mapping[int, bytes], path: str, asked: Mapping[str, str | None]
) -> Result:
    from nitroctl.checks import Outcome
    from nitroctl.pcr import as_hex, name

    subject = asked["eif"] or "these registers"
    ids = ", ".join(entry.id for entry in compared.matches)
    if compared.report.passed:
        headline = Headline(f"yes: {subject} {'is' if asked['eif'] else 'are those of'} {ids}", Outcome.PASS)
    else:
        headline = Headline(f"no: {compared.report.refusals[0].detail}", Outcome.FAIL)
    notes = []
    if compared.passed_over:
        names = ", ".join(name(index) for index in compared.passed_over)
        notes.append(f"{names}: not compared, because the recorded version does not pin it")
    data: dict[str, object] = {
        "records": path,
        **{key: value for key, value in asked.items() if value is not None},
        "pcrs": as_hex(registers),
        "matches": [entry.id for entry in compared.matches],
        "not_active": [{"entry": entry.id, "status": entry.status.value} for entry in compared.elsewhere],
        "report": compared.report.as_json(),
    }
    if compared.nearest:
        nearest = compared.nearest
        data["nearest"] = {
            "entry": nearest.entry.id,
            "equal": [name(index) for index in nearest.equal],
            "differing": [name(index) for index in nearest.differing],
            "absent": [name(index) for index in nearest.absent],
        }
    return Result(
        schema="pcr.check/1",
        data=data,
        view=[
            headline,
            Fields([("records", f"{path}, active entries of {_which(asked['component'], asked['environment'])}")]),
            Checks(compared.report),
        ],
        refused=not compared.report.passed,
        notes=notes,
        report=compared.report,
        subject=asked["eif"] or path,
    )
