"""``nitroctl enclave run``: look first, launch alone, look again."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nitroctl.cli.pcr_options import Records
from nitroctl.errors import CannotAnswer, NitroctlError, Terminated, UsageError
from nitroctl.render.result import Result, Stream
from nitroctl.render.view import Block, Cell, Checks, Fields, Headline, Value

if TYPE_CHECKING:
    from nitroctl.checks import Report
    from nitroctl.eif.measure import Measured
    from nitroctl.host.console import Console
    from nitroctl.host.nitro_cli import Launch, NitroCli
    from nitroctl.host.replies import Enclave, Launched
    from nitroctl.records import Entry

EXAMPLES: Final = """
nitroctl enclave run --eif-path signer.eif --memory 512 --cpu-count 2
nitroctl enclave run --eif-path signer.eif --memory 512 --cpu-ids 2 3 --require-recorded
nitroctl enclave run --eif-path signer.eif --memory 512 --cpu-count 2 --attach-console
"""

#: The state that nitro-cli gives an enclave that runs; the others are EMPTY and TERMINATING.
_RUNNING: Final = "RUNNING"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Situation:
    """What is known before the launch. ``records``: the entries that have the image's registers."""

    launch: "Launch"
    measured: "Measured"
    at: datetime
    records: "tuple[Entry, ...]"
    notes: tuple[str, ...] = ()


def run(
    *,
    eif_path: Annotated[str, typer.Option("--eif-path", help="The image file.", metavar="FILE", show_default=False)],
    memory: Annotated[int, typer.Option("--memory", help="Memory in MiB.", metavar="MIB", min=1, show_default=False)],
    cpu_count: Annotated[
        int | None, typer.Option("--cpu-count", help="How many CPUs of the pool.", metavar="N")
    ] = None,
    cpu_ids: Annotated[
        str | None, typer.Option("--cpu-ids", help="Which CPUs of the pool: 2 3, or 2,3.", metavar="CPU...")
    ] = None,
    more_cpu_ids: Annotated[
        list[str] | None, typer.Argument(hidden=True, help="More of --cpu-ids.", metavar="CPU")
    ] = None,
    enclave_cid: Annotated[
        int | None, typer.Option("--enclave-cid", help="Its vsock CID, 4 or above; 0: any.", metavar="CID", min=0)
    ] = None,
    enclave_name: Annotated[
        str | None, typer.Option("--enclave-name", help="Its name; else the image file's.", metavar="NAME")
    ] = None,
    debug_mode: Annotated[
        bool, typer.Option("--debug-mode", help="With a console; its attestation shows zeros.")
    ] = False,
    attach_console: Annotated[bool, typer.Option("--attach-console", help="Debug mode, and show the console.")] = False,
    require_recorded: Annotated[
        bool, typer.Option("--require-recorded", help="Only an image that is an active record.")
    ] = False,
    component: Annotated[
        str | None, typer.Option("--component", help="With --require-recorded: of this component.", metavar="NAME")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="With --require-recorded: for it.", metavar="NAME")
    ] = None,
    records: Records = None,
) -> Result | Stream:
    """Run an image as an enclave, and see that what runs is what the file is.

    Whatever nitro-cli or the driver would refuse is refused before, with the number that is missing. One launch at a
    time: two at once make nitro-cli fail. Afterwards the running enclave's measurements are compared with the file's;
    if they differ the answer is no, and the enclave is left running for you to look at.
    """
    from nitroctl import settings
    from nitroctl.eif.measure import require
    from nitroctl.host import launch, machine, nitro_cli

    if (component or environment) and not require_recorded:
        raise UsageError("--component and --environment are for --require-recorded", "usage.invalid")
    setting = settings.load({"records": records})
    request = nitro_cli.Launch(
        eif_path=eif_path,
        memory_mib=memory,
        cpu_count=cpu_count,
        cpu_ids=_cpu_ids(cpu_ids, more_cpu_ids),
        cid=enclave_cid or None,
        name=enclave_name,
        debug=debug_mode,
        console=attach_console,
    )
    launch.require_arguments(request)
    cli = nitro_cli.find(setting["nitro_cli"])
    measured = require(eif_path)
    looked, entries = _recorded(
        measured, setting["records"], required=require_recorded, component=component, environment=environment
    )
    situation = _Situation(
        launch=request, measured=measured, at=datetime.now(UTC), records=entries, notes=tuple(setting.notes)
    )
    if not looked.passed and require_recorded:
        return _refused(situation, looked)
    host = machine.read(setting["host_root"])
    launch.require_host(host)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_turn())
        described = cli.describe()
        if described.trouble:
            note = "not every running enclave answered; what the silent ones hold is not known"
            situation = replace(situation, notes=(*situation.notes, note))
        report = looked + launch.preflight(request, measured, host, described.enclaves, at=situation.at)
        if not report.passed:
            return _refused(situation, report)
        started, console = _launch(cli, situation, setting["progress"])
    try:
        result = _look_again(cli, situation, report, started)
    except BaseException:
        if console:
            console.close()
        raise
    if console is None:
        return result
    if result.refused or result.trouble:
        console.close()
        return result
    return Stream(chunks=console.chunks(), finish=console.finish, preface=result)


def _cpu_ids(first: str | None, more: Sequence[str] | None) -> tuple[int, ...]:
    """Return the CPUs of ``--cpu-ids 2 3`` (nitro-cli's form: the first is the option's value) or ``2,3``."""
    from nitroctl.host import cpulist

    if first is None:
        if more:
            raise UsageError(
                f"unexpected argument: {more[0]!r}", "usage.invalid", ["the image is named with --eif-path"]
            )
        return ()
    cpus: list[int] = []
    for word in (first, *(more or ())):
        try:
            cpus += cpulist.parse(word)
        except cpulist.NotACpuList as error:
            raise UsageError(f"--cpu-ids: {error}", "enclave.cpus") from error
    return tuple(cpus)


def _recorded(
    measured: "Measured", path: str, *, required: bool, component: str | None, environment: str | None
) -> "tuple[Report, tuple[Entry, ...]]":
    """Return the check of ``--require-recorded``, and the entries that have the image's registers."""
    from nitroctl import records
    from nitroctl.checks import Report, not_requested
    from nitroctl.host import identity

    if not required:
        try:
            ledger = records.load(path, missing_ok=True)
        except CannotAnswer:  # nobody asked for the records
            ledger = records.Ledger()
        check = not_requested("launch.recorded", identity.RECORDED, "--require-recorded")
        return Report.of([check]), identity.entries_for(ledger, measured.pcrs)
    ledger = records.load(path).concerning(component, environment)
    wanted = " ".join(word for word in (component, environment) if word)
    check = identity.recorded(ledger, measured.pcrs, of=f"{path} ({wanted})" if wanted else path)
    return Report.of([check]), identity.entries_for(ledger, measured.pcrs)


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Hold the host's launch lock; say so when there is another launch to wait for."""
    from nitroctl.cli import progress
    from nitroctl.host import launch

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(launch.alone(os.environ, wait=False))
        except CannotAnswer as error:
            if error.code != "file.locked":
                raise
            progress.note("another launch is under way on this host; waiting for it to end")
            stack.enter_context(launch.alone(os.environ, wait=True))
        yield


def _launch(cli: "NitroCli", situation: _Situation, mode: str) -> "tuple[Launched, Console | None]":
    from nitroctl.cli.progress import Progress, note
    from nitroctl.host import console
    from nitroctl.host.nitro_cli import MAY_HAVE_STARTED

    request, size = situation.launch, situation.measured.size
    progress = Progress(f"launching {request.eif_path}", mode)
    try:
        if request.console:
            cli.require((1, 2, 0), "--attach-console")
            return console.run_attached(cli, request, eif_bytes=size)
        return cli.run(request, eif_bytes=size, on_line=progress.line, on_tick=progress.tick), None
    except (KeyboardInterrupt, Terminated):
        progress.clear()
        note(MAY_HAVE_STARTED)
        raise
    finally:
        progress.clear()


def _look_again(cli: "NitroCli", situation: _Situation, report: "Report", started: "Launched") -> Result:
    """Return the answer: what nitro-cli now says is running, compared with the image and with what was asked."""
    from nitroctl.checks import Check, Outcome, Report
    from nitroctl.host import identity

    trouble: list[NitroctlError] = []
    found: Enclave | None = None
    try:
        described = cli.describe()
        found = next((enclave for enclave in described.enclaves if enclave.id == started.id), None)
        if found is None and described.trouble:
            trouble.append(described.trouble)
    except NitroctlError as error:
        trouble.append(error)
    debug = situation.launch.debug or situation.launch.console
    running = found is not None and found.state == _RUNNING
    if found is None:
        why = "it could not be asked" if trouble else "it has ended already"
        detail = f"{started.id} was started, but nitro-cli does not list it: {why}"
    else:
        detail = "" if running else f"{started.id} was started, but its state is {found.state}"
    state = Check(
        id="launch.running",
        title="The enclave is running",
        outcome=Outcome.PASS if running else Outcome.FAIL,
        detail=detail,
        remedy=None if running else "run it with --attach-console to see what it says before it ends",
    )
    report += Report.of([state])
    if found:
        report += identity.compare(situation.measured.pcrs, found, debug=debug)
    return _answer(situation, report, started, found, trouble)


def _refused(situation: _Situation, report: "Report") -> Result:
    from nitroctl.checks import Outcome

    view: list[Block] = [
        Headline(f"{situation.launch.eif_path}: not launched: {report.refusals[0].detail}", Outcome.FAIL),
        *_remarks(report),
    ]
    return Result(
        schema="enclave.run/1",
        data=_data(situation, report, None, None),
        view=view,
        refused=True,
        notes=situation.notes,
        report=report,
        subject=situation.launch.eif_path,
    )


def _remarks(report: "Report", but: Sequence[str] = ()) -> list[Block]:
    """Return the checks that failed or warn; what was not asked for is left to the JSON."""
    from nitroctl.checks import Outcome, Report

    shown = [check for check in report if check.outcome in (Outcome.FAIL, Outcome.WARN) and check.id not in but]
    return [Checks(Report.of(shown))] if shown else []


def _answer(
    situation: _Situation,
    report: "Report",
    started: "Launched",
    found: "Enclave | None",
    trouble: Sequence[NitroctlError],
) -> Result:
    from nitroctl import pcr
    from nitroctl.checks import Outcome
    from nitroctl.host import identity
    from nitroctl.host.enclaves import default_name
    from nitroctl.host.launch import DEBUG_WARNING
    from nitroctl.records.entry import time_text

    asked = situation.launch.name or default_name(situation.launch.eif_path)
    notes = list(situation.notes)
    if started.name != asked:
        notes.append(f"THE NAME IS {started.name}, not {asked}: an enclave of that name was running already")
    debug = situation.launch.debug or situation.launch.console
    if debug:
        notes.append(DEBUG_WARNING)
    for entry in situation.records:
        unseen = [pcr.name(index) for index in entry.pin if index not in identity.IMAGE_REGISTERS]
        if unseen:
            notes.append(f"{entry.id} pins {', '.join(unseen)} too: not checked, only an attestation document shows it")
    headline = (
        Headline(f"{started.name} is running and measures as {situation.launch.eif_path} does", Outcome.PASS)
        if report.passed
        else Headline(f"{started.name} was launched, but: {report.refusals[0].detail}", Outcome.FAIL)
    )
    rows: list[tuple[str, Value]] = [
        ("name", started.name),
        ("id", started.id),
        ("CID", str(started.cid)),
        ("CPUs", " ".join(map(str, started.cpu_ids))),
        ("memory", f"{started.memory_mib} MiB"),
        ("mode", Cell("debug", "bad") if debug else "normal"),
        ("record", ", ".join(map(identity.label, situation.records)) or Cell("none", "dim")),
        *pcr.as_hex(situation.measured.pcrs).items(),
        ("as of", time_text(situation.at)),
    ]
    return Result(
        schema="enclave.run/1",
        data=_data(situation, report, started, found),
        view=[headline, Fields(rows), *_remarks(report, but=("launch.debug-mode",))],  # a note says that one
        refused=not report.passed,
        notes=notes,
        report=report,
        subject=situation.launch.eif_path,
        trouble=trouble,
    )


def _data(
    situation: _Situation, report: "Report", started: "Launched | None", found: "Enclave | None"
) -> dict[str, object]:
    from nitroctl import pcr
    from nitroctl.records.entry import time_text

    launched = started and {
        "name": started.name,
        "id": started.id,
        "process_id": started.process_id,
        "cid": started.cid,
        "cpu_ids": list(started.cpu_ids),
        "memory_mib": started.memory_mib,
        "other": dict(started.other),
    }
    return {
        "eif_path": situation.launch.eif_path,
        "size_bytes": situation.measured.size,
        "sha256": situation.measured.sha256,
        "pcrs": pcr.as_hex(situation.measured.pcrs),
        "records": [{"id": entry.id, "status": entry.status.value} for entry in situation.records],
        "debug_mode": situation.launch.debug or situation.launch.console,
        "as_of": time_text(situation.at),
        "launched": launched,
        "running_pcrs": pcr.as_hex(found.pcrs) if found else None,
        "report": report.as_json(),
    }
