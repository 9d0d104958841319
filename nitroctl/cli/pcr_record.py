"""``nitroctl pcr record``: what an image measures to goes into the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.pcr_options import (
    DocumentRoot,
    DocumentTime,
    Measurements,
    Records,
    agree,
    from_image,
    ledger_path,
    refuse_without_document,
    with_assignments,
)
from nitroctl.cli.pcr_view import entry_fields
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Headline

if TYPE_CHECKING:
    from nitroctl.records import Recorded
    from nitroctl.records.entry import Artifact, Signer

EXAMPLES = """
nitroctl pcr record --eif app.eif --component signer --environment prod --release 1.4.2
nitroctl pcr record --eif app.eif --component signer --environment prod --release 1.4.2 --activate
nitroctl pcr record --measurements build.json --component signer --environment prod --release 1.4.2
nitroctl pcr record --document signer.cbor --at document --component signer --environment prod --release 1.4.2
"""


def record(
    *,
    component: Annotated[str, typer.Option("--component", help="What the image is.", metavar="NAME")],
    environment: Annotated[str, typer.Option("--environment", help="Where it is to run.", metavar="NAME")],
    release: Annotated[str, typer.Option("--release", help="The image's version.", metavar="VERSION")],
    eif: Annotated[str | None, typer.Option("--eif", help="Measure this image.", metavar="FILE")] = None,
    measurements: Measurements = None,
    document: Annotated[
        str | None,
        typer.Option("--document", help="Take what this attestation document says, if authentic.", metavar="FILE"),
    ] = None,
    at: DocumentTime = "now",
    root: DocumentRoot = None,
    enclave: Annotated[
        str | None, typer.Option("--enclave", help="Take those of this running enclave.", metavar="NAME|ID")
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            "--platform", help="nitro-enclave, nitro-tpm or another; told from the registers otherwise.", metavar="NAME"
        ),
    ] = None,
    pcr: Annotated[
        list[str] | None,
        typer.Option("--pcr", help="Record this register too (PCR3, PCR4). Repeatable.", metavar="PCR=HEX"),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option("--pin", help="Pin this register in place of all that are recorded. Repeatable.", metavar="PCR"),
    ] = None,
    activate: Annotated[
        bool, typer.Option("--activate", help="Make it active: a reference value from now on.")
    ] = False,
    source_uri: Annotated[str, typer.Option("--source-uri", help="Repository it was built from.", metavar="URI")] = "",
    source_ref: Annotated[str, typer.Option("--source-ref", help="Branch or tag.", metavar="REF")] = "",
    source_commit: Annotated[str, typer.Option("--source-commit", help="Commit.", metavar="HASH")] = "",
    notes: Annotated[str, typer.Option("--notes", help="A remark for whoever reads the record.", metavar="TEXT")] = "",
    records: Records = None,
) -> Result:
    """Record what an image measures to, as a candidate or an active version.

    The registers come from the image itself (--eif), from nitro-cli's JSON (--measurements), from a running enclave, or
    from an attestation document; of several, all must agree. A version keeps its measurements for ever: recording it
    again with others is refused.
    """
    from nitroctl import records as ledger
    from nitroctl.pcr import parse_name
    from nitroctl.records import importers

    path = ledger_path(records)
    given = _Given(eif, measurements, document, enclave, at, root or ())
    registers, artifact, signer, remarks = _measured(given, pcr or [])
    entry = ledger.new_entry(
        component=component,
        environment=environment,
        version=release,
        pcrs=registers,
        recorded_at=_now(),
        platform=platform or importers.platform_of(registers, where="these registers"),
        status=ledger.Status.ACTIVE if activate else ledger.Status.CANDIDATE,
        pin=[parse_name(name) for name in pin] if pin else None,
        artifact=artifact,
        signer=signer,
        source=ledger.Source(uri=source_uri, ref=source_ref, commit=source_commit)
        if source_uri or source_ref or source_commit
        else None,
        notes=notes,
    )
    return _recorded(path, ledger.record(path, entry), remarks)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Given:
    """Where the registers are to come from, as given; None where not. ``at``, ``root``: how to judge ``document``."""

    eif: str | None
    measurements: str | None
    document: str | None
    enclave: str | None
    at: str
    root: Sequence[str]


def _measured(
    given: _Given, assignments: Sequence[str]
) -> tuple[Mapping[int, bytes], "Artifact | None", "Signer | None", list[str]]:
    """Return registers, artifact, signer and what is to be known of them; accounts that disagree are refused."""
    from nitroctl.cli import pcr_sources

    refuse_without_document(given.document, given.at, given.root)
    accounts: list[tuple[str, Mapping[int, bytes]]] = []
    artifact = signer = None
    remarks = []
    if given.eif is not None:
        registers, artifact, signer = from_image(given.eif)
        accounts.append((f"{given.eif} measures", registers))
    if given.measurements is not None:
        from nitroctl.records import nitro_cli_json

        accounts.append((f"{given.measurements} says", nitro_cli_json.read(given.measurements)))
    taken = []
    if given.document is not None:
        taken.append(pcr_sources.from_document(given.document, at=given.at, root=given.root))
    if given.enclave is not None:
        taken.append(pcr_sources.from_enclave(given.enclave))
    accounts += [(each.how, each.pcrs) for each in taken]
    if not accounts:
        raise UsageError("nothing to record", "usage.invalid", ["name the image with --eif FILE"])
    how, registers = accounts[0][0], dict(accounts[0][1])
    for they, others in accounts[1:]:
        agree(registers, others, how, they)
    if given.eif is None:
        remarks = [each.note for each in taken]
    return with_assignments(registers, assignments), artifact, signer, remarks


def _recorded(path: str, done: "Recorded", remarks: Sequence[str]) -> Result:
    from nitroctl.records import Outcome, Status

    entry = done.entry
    text = {
        Outcome.ADDED: f"recorded {entry.id} in {path}: {entry.status}",
        Outcome.ACTIVATED: f"activated {entry.id} in {path}",
        Outcome.UNCHANGED: f"{entry.id} already stands in {path} with these measurements: {entry.status}",
    }[done.outcome]
    notes = list(remarks)
    if entry.status is Status.CANDIDATE:
        notes.append("a candidate accepts nothing yet; nitroctl pcr rollout makes it a reference value")
    if entry.status in (Status.RETIRED, Status.REVOKED):
        notes.append(f"this version is {entry.status}: it accepts nothing")
    if done.ignored:
        notes.append(f"what stands was kept where this recording differs: {', '.join(done.ignored)}")
    data = {
        "outcome": done.outcome.value,
        "records": path,
        "entry": entry.as_json(),
        "ignored": list(done.ignored),
    }
    return Result(schema="pcr.record/1", data=data, view=[Headline(text), entry_fields(entry)], notes=notes)
