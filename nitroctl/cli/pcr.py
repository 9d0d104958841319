"""``nitroctl pcr``: record measurements, compare with them, and calculate registers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nitroctl.cli import pcr_calculators
from nitroctl.cli.pcr_view import entry_fields
from nitroctl.cli.tree import noun, verb
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Cell, Checks, Fields, Headline, Style, Table

if TYPE_CHECKING:
    from nitroctl.records import Entry, Ledger, Recorded
    from nitroctl.records.compare import Compared
    from nitroctl.records.entry import Artifact, Signer

app = noun("Record measurements, compare with them, and calculate registers.")

Records = Annotated[
    str | None,
    typer.Option("--records", help="The file of recorded measurements.", metavar="FILE", show_default=False),
]
Component = Annotated[str | None, typer.Option("--component", help="Only entries of this component.", metavar="NAME")]
Environment = Annotated[
    str | None, typer.Option("--environment", help="Only entries for this environment.", metavar="NAME")
]


@verb(
    app,
    "record",
    """
nitroctl pcr record --eif app.eif --component signer --environment prod --release 1.4.2
nitroctl pcr record --eif app.eif --component signer --environment prod --release 1.4.2 --activate
nitroctl pcr record --measurements build.json --component signer --environment prod --release 1.4.2
""",
)
def record(
    *,
    component: Annotated[str, typer.Option("--component", help="What the image is.", metavar="NAME")],
    environment: Annotated[str, typer.Option("--environment", help="Where it is to run.", metavar="NAME")],
    release: Annotated[str, typer.Option("--release", help="The image's version.", metavar="VERSION")],
    eif: Annotated[str | None, typer.Option("--eif", help="Measure this image.", metavar="FILE")] = None,
    measurements: Annotated[
        str | None,
        typer.Option(
            "--measurements",
            help="Take what nitro-cli build-enclave or describe-eif printed; - is stdin.",
            metavar="FILE",
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

    The registers come from the image itself (--eif) or from nitro-cli's JSON (--measurements); with both they must
    agree. A version keeps its measurements for ever: recording it again with others is refused.
    """
    from nitroctl import records as ledger
    from nitroctl.pcr import parse_name

    path = _ledger_path(records)
    registers, artifact, signer = _measured(eif, measurements, pcr or [])
    entry = ledger.new_entry(
        component=component,
        environment=environment,
        version=release,
        pcrs=registers,
        recorded_at=_now(),
        status=ledger.Status.ACTIVE if activate else ledger.Status.CANDIDATE,
        pin=[parse_name(name) for name in pin] if pin else None,
        artifact=artifact,
        signer=signer,
        source=ledger.Source(uri=source_uri, ref=source_ref, commit=source_commit)
        if source_uri or source_ref or source_commit
        else None,
        notes=notes,
    )
    return _recorded(path, ledger.record(path, entry))


def _now() -> datetime:
    return datetime.now(UTC)


def _ledger_path(flag: str | None) -> str:
    from nitroctl import settings

    return settings.load({"records": flag})["records"]


def _measured(
    eif: str | None, measurements: str | None, assignments: Sequence[str]
) -> tuple[Mapping[int, bytes], "Artifact | None", "Signer | None"]:
    """Return registers, artifact and signer from all that was given; what disagrees is refused."""
    if eif is None and measurements is None:
        raise UsageError("nothing to record", "usage.invalid", ["name the image with --eif FILE"])
    registers = dict[int, bytes]()
    artifact = signer = None
    if eif is not None:
        registers, artifact, signer = _from_image(eif)
    if measurements is not None:
        from nitroctl.records import nitro_cli_json

        told = nitro_cli_json.read(measurements)
        if registers:
            _agree(registers, told, f"{eif} measures", f"{measurements} says")
        registers = registers or dict(told)
    return _with_assignments(registers, assignments), artifact, signer


def _from_image(path: str) -> tuple[dict[int, bytes], "Artifact", "Signer | None"]:
    import os.path

    from nitroctl.eif.measure import require
    from nitroctl.records import Artifact, Signer

    found = require(path)
    signer = Signer(found.signature.certificate.sha256) if found.signature else None
    return dict(found.pcrs), Artifact(os.path.basename(path), found.sha256, found.size), signer  # noqa: PTH119


def _agree(ours: Mapping[int, bytes], theirs: Mapping[int, bytes], we: str, they: str) -> None:
    from nitroctl.pcr import name

    for index in sorted({*ours, *theirs}):
        if ours.get(index) != theirs.get(index):
            values = [value.hex() if value else "no such register" for value in (ours.get(index), theirs.get(index))]
            raise CannotAnswer(
                f"{name(index)}: {they} another value than {we}",
                "records.disagreement",
                [f"{we}: {values[0]}", f"{they}: {values[1]}"],
            )


def _with_assignments(registers: Mapping[int, bytes], assignments: Sequence[str]) -> dict[int, bytes]:
    """Return ``registers`` with those of ``--pcr``; one that is given twice must be equal."""
    from nitroctl.pcr import name, parse_assignment

    found = dict(registers)
    for text in assignments:
        index, value = parse_assignment(text)
        if found.setdefault(index, value) != value:
            raise UsageError(
                f"--pcr {name(index)} contradicts another value of it",
                "usage.invalid",
                [f"the other is {found[index].hex()}"],
            )
    return dict(sorted(found.items()))


def _recorded(path: str, done: "Recorded") -> Result:
    from nitroctl.records import Outcome, Status

    entry = done.entry
    text = {
        Outcome.ADDED: f"recorded {entry.id} in {path}: {entry.status}",
        Outcome.ACTIVATED: f"activated {entry.id} in {path}",
        Outcome.UNCHANGED: f"{entry.id} already stands in {path} with these measurements: {entry.status}",
    }[done.outcome]
    notes = []
    if entry.status is Status.CANDIDATE:
        notes.append("a candidate accepts nothing yet; pcr record … --activate makes it a reference value")
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


_STATUS_STYLES: Final[Mapping[str, Style]] = {"active": "good", "candidate": "", "retired": "dim", "revoked": "bad"}


@verb(
    app,
    "list",
    """
nitroctl pcr list
nitroctl pcr list --component signer --environment prod --status active
""",
)
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

    if status is not None and status not in {each.value for each in ledger.Status}:
        raise UsageError(
            f"--status: not one of {', '.join(ledger.Status)}: {status!r}",
            "usage.invalid",
            ["see nitroctl pcr list --help"],
        )
    path = _ledger_path(records)
    every = ledger.load(path)
    chosen = every.select(component, environment, ledger.Status(status) if status else None)
    rows = [
        (
            entry.id,
            Cell(entry.status.value, _STATUS_STYLES[entry.status.value]),
            time_text(entry.since),
            ", ".join(name(index) for index in entry.pin),
        )
        for entry in chosen
    ]
    count = f"{len(chosen)} of {len(every)}" if len(chosen) != len(every) else str(len(every))
    return Result(
        schema="pcr.list/1",
        data={"records": path, "recorded": len(every), "entries": [entry.as_json() for entry in chosen]},
        view=[
            Headline(f"{count} recorded {'version' if len(every) == 1 else 'versions'} in {path}"),
            Table(("version", "status", "since", "pinned"), rows),
        ],
    )


@verb(
    app,
    "show",
    """
nitroctl pcr show signer-1.4.2@prod
nitroctl pcr show signer-1.4.2 --json
""",
)
def show(
    entry: Annotated[
        str,
        typer.Argument(help="An entry's id; its environment may be left out where one has it.", metavar="ENTRY"),
    ],
    records: Records = None,
) -> Result:
    """Show one recorded version: its registers, what is pinned, where it came from, and its times."""
    from nitroctl import records as ledger

    path = _ledger_path(records)
    found = _one(ledger.load(path), entry, path)
    return Result(
        schema="pcr.show/1",
        data={"records": path, "entry": found.as_json()},
        view=[Headline(f"{found.id}: {found.status}"), entry_fields(found)],
    )


def _one(ledger: "Ledger", wanted: str, path: str) -> "Entry":
    found = ledger.find(wanted)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{wanted!r} is recorded in several environments",
            "records.no-such-entry",
            [f"name one of {', '.join(each.id for each in found)}"],
        )
    import difflib

    near = difflib.get_close_matches(wanted, [each.id for each in ledger], n=3)
    hint = f"near it: {', '.join(near)}" if near else "nitroctl pcr list lists them"
    raise CannotAnswer(f"{path}: no entry {wanted!r}", "records.no-such-entry", [hint])


@verb(
    app,
    "check",
    """
nitroctl pcr check --eif app.eif --component signer --environment prod
nitroctl pcr check --eif app.eif --environment prod --format github
""",
)
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
        registers, _, _ = _from_image(eif)
    registers = _with_assignments(registers, pcr or [])
    if not registers:
        raise UsageError("nothing to compare", "usage.invalid", ["give --eif FILE, or --pcr PCR0=<hex>"])
    path = _ledger_path(records)
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


pcr_calculators.add_to(app)
