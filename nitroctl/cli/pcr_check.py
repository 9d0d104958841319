"""``nitroctl pcr check``: whether registers are those of an active recorded version."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.pcr_options import (
    Component,
    DocumentRoot,
    DocumentTime,
    Environment,
    Measurements,
    Records,
    from_image,
    ledger_path,
    refuse_without_document,
    with_assignments,
)
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Checks, Fields, Headline

if TYPE_CHECKING:
    from nitroctl.records.compare import Compared

EXAMPLES = """
nitroctl pcr check --eif app.eif --component signer --environment prod
nitroctl pcr check --eif app.eif --key arn:aws:kms:eu-west-1:111122223333:alias/signer --environment prod
nitroctl pcr check --running --key-policy policy.json --component signer --environment prod
nitroctl pcr check --document signer.cbor --at document --component signer --environment prod
"""


def check(
    *,
    eif: Annotated[str | None, typer.Option("--eif", help="Measure this image.", metavar="FILE")] = None,
    measurements: Measurements = None,
    running: Annotated[bool, typer.Option("--running", help="The enclaves that run on this host.")] = False,
    document: Annotated[
        list[str] | None,
        typer.Option("--document", help="What this attestation document attests. Repeatable.", metavar="FILE"),
    ] = None,
    at: DocumentTime = "now",
    root: DocumentRoot = None,
    key_policy: Annotated[
        str | None, typer.Option("--key-policy", help="The key policy, for the images that it names.", metavar="FILE")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The policies of this key in AWS, in place of --key-policy.", metavar="ARN"),
    ] = None,
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
    with the registers that differ. With what runs, what was attested or what a key policy names, the answer is all of
    them beside the records, and every drift.
    """
    from nitroctl import records as ledger
    from nitroctl.records.compare import compare

    refuse_without_document(document, at, root)
    if key is not None and key_policy is not None:
        raise UsageError("--key and --key-policy are one policy each", "usage.invalid", ["leave one of the two out"])
    if measurements is not None or running or document or key_policy is not None or key is not None:
        from nitroctl.cli import pcr_threeway

        if pcr:
            raise UsageError("--pcr is compared alone", "usage.invalid", ["leave out what it was given with"])
        path = ledger_path(records)
        asked = pcr_threeway.Asked(eif, measurements, running, document or (), at, root or (), key_policy, key)
        return pcr_threeway.check(asked, path, component, environment)
    registers = dict[int, bytes]()
    if eif is not None:
        registers, _, _ = from_image(eif)
    registers = with_assignments(registers, pcr or [])
    if not registers:
        raise UsageError("nothing to compare", "usage.invalid", ["give --eif FILE, or --pcr PCR0=<hex>"])
    path = ledger_path(records)
    entries = ledger.load(path).concerning(component, environment)
    if eif is not None:  # equal registers of another platform mean something else
        entries = entries.on(ledger.NITRO_ENCLAVE)
    compared = compare(registers, entries, what=_which(component, environment))
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
