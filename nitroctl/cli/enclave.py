"""``nitroctl enclave``: nitro-cli's own verbs, checked on both sides."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import enclave_build, enclave_run
from nitroctl.cli.pcr_options import Records
from nitroctl.cli.tree import noun, verb
from nitroctl.errors import CannotAnswer, Declined, NitroctlError, UsageError
from nitroctl.render.result import Result, Stream
from nitroctl.render.view import Block, Cell, Fields, Headline, Table, Value

if TYPE_CHECKING:
    from nitroctl.host.replies import Enclave
    from nitroctl.records import Entry, Ledger
    from nitroctl.settings import Settings

app = noun("Build, run, describe, watch and terminate enclaves through nitro-cli.")

Which = Annotated[str, typer.Argument(help="The enclave, by name or id.", metavar="NAME|ID")]
MaybeWhich = Annotated[str | None, typer.Argument(help="The enclave, by name or id.", metavar="NAME|ID")]

verb(app, "build", enclave_build.EXAMPLES)(enclave_build.build)
verb(app, "run", enclave_run.EXAMPLES)(enclave_run.run)


@verb(
    app,
    "describe",
    """
nitroctl enclave describe
nitroctl enclave describe signer --json
""",
)
def describe(
    *,
    which: MaybeWhich = None,
    records: Records = None,
) -> Result:
    """Show the running enclaves, or one of them, and which recorded image each was started from.

    When some enclaves do not answer, those that did are shown, and the exit status is 4. The measurements are those of
    the image, also in debug mode, where attestation documents carry zeros.
    """
    from nitroctl import settings
    from nitroctl.host import enclaves, identity, nitro_cli

    setting = settings.load({"records": records})
    described = nitro_cli.find(setting["nitro_cli"]).describe()
    partial = described.trouble is not None
    shown = sorted(described.enclaves, key=lambda enclave: (enclave.name, enclave.id))
    if which is not None:
        shown = [enclaves.resolve(shown, which, partial=partial)]
    ledger, notes = _ledger(setting)
    entries = {enclave.id: identity.entries_for(ledger, enclave.pcrs) for enclave in shown}
    notes += [
        f"{enclave.name} runs in debug mode: its attestation carries zeros, not these measurements"
        for enclave in shown
        if enclave.debug
    ]
    data = {"partial": partial, "enclaves": [_enclave_json(enclave, entries[enclave.id]) for enclave in shown]}
    return Result(
        schema="enclave.describe/1",
        data=data,
        view=_one(shown[0], entries[shown[0].id]) if which is not None else _all(shown, entries),
        notes=notes,
        trouble=[described.trouble] if described.trouble else [],
    )


def _ledger(setting: "Settings") -> "tuple[Ledger, list[str]]":
    """Return the records and the notes so far; records that cannot be read are a note, as nobody asked for them."""
    from nitroctl import records

    notes = list(setting.notes)
    try:
        return records.load(setting["records"], missing_ok=True), notes
    except CannotAnswer as error:
        return records.Ledger(), [*notes, f"the records were not looked at: {error.message} [{error.code}]"]


def _enclave_json(enclave: "Enclave", entries: "Sequence[Entry]") -> dict[str, object]:
    from nitroctl import pcr

    return {
        "name": enclave.name,
        "id": enclave.id,
        "process_id": enclave.process_id,
        "cid": enclave.cid,
        "cpu_count": enclave.cpu_count,
        "cpu_ids": list(enclave.cpu_ids),
        "memory_mib": enclave.memory_mib,
        "state": enclave.state,
        "flags": enclave.flags,
        "debug_mode": enclave.debug,
        "pcrs": pcr.as_hex(enclave.pcrs),
        "records": [{"id": entry.id, "status": entry.status.value} for entry in entries],
        "other": dict(enclave.other),
    }


def _mode(enclave: "Enclave") -> Value:
    return Cell("debug", "bad") if enclave.debug else "normal"


def _record(entries: "Sequence[Entry]") -> Value:
    from nitroctl.host import identity

    return ", ".join(map(identity.label, entries)) or Cell("none", "dim")


def _all(shown: "Sequence[Enclave]", entries: "Mapping[str, Sequence[Entry]]") -> list[Block]:
    rows: list[Sequence[Value]] = [
        (
            Cell(enclave.name, "strong"),
            enclave.id,
            str(enclave.cid),
            " ".join(map(str, enclave.cpu_ids)),
            f"{enclave.memory_mib} MiB",
            enclave.state,
            _mode(enclave),
            _record(entries[enclave.id]),
        )
        for enclave in shown
    ]
    columns = ("name", "id", "CID", "CPUs", "memory", "state", "mode", "record")
    return [Table(columns, rows, empty="no enclave is running")]


def _one(enclave: "Enclave", entries: "Sequence[Entry]") -> list[Block]:
    from nitroctl import pcr

    rows: list[tuple[str, Value]] = [
        ("id", enclave.id),
        ("state", enclave.state),
        ("mode", _mode(enclave)),
        ("CID", str(enclave.cid)),
        ("CPUs", " ".join(map(str, enclave.cpu_ids))),
        ("memory", f"{enclave.memory_mib} MiB"),
        ("process", str(enclave.process_id)),
        ("record", _record(entries)),
        *pcr.as_hex(enclave.pcrs).items(),
    ]
    return [Headline(enclave.name), Fields(rows)]


@verb(
    app,
    "console",
    """
nitroctl enclave console signer
nitroctl enclave console signer --disconnect-timeout 10 > boot.log
""",
)
def console(
    *,
    which: Which,
    disconnect_timeout: Annotated[
        int | None,
        typer.Option("--disconnect-timeout", help="Let go after so long, busy or not.", metavar="SECONDS", min=1),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Pass control characters on to the terminal.")] = False,
) -> Stream:
    """Show the console of an enclave that runs in debug mode, until it ends or Ctrl-C.

    What the enclave writes could drive your terminal; control characters are shown escaped there, unless --raw. A file
    or a pipe gets the bytes as they are.
    """
    from nitroctl import settings
    from nitroctl.host import console as enclave_console
    from nitroctl.host import enclaves, nitro_cli

    cli = nitro_cli.find(settings.load()["nitro_cli"])
    described = cli.describe()
    enclave = enclaves.resolve(described.enclaves, which, partial=described.trouble is not None)
    if not enclave.debug:
        raise CannotAnswer(
            f"{enclave.name} has no console: it does not run in debug mode",
            "enclave.no-console",
            ["terminate it and run it with --debug-mode; its attestation then shows zeros"],
        )
    attached = enclave_console.attach(cli, enclave.id, disconnect_after_s=disconnect_timeout)
    return Stream(chunks=attached.chunks(), sanitise=not raw, finish=attached.finish)


@verb(
    app,
    "terminate",
    """
nitroctl enclave terminate signer
nitroctl enclave terminate --all --yes
""",
)
def terminate(
    *,
    which: MaybeWhich = None,
    all_: Annotated[bool, typer.Option("--all", help="Every enclave but the ACM agent's.")] = False,
    include_acm: Annotated[bool, typer.Option("--include-acm", help="With --all: the ACM agent's too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --all: do not ask.")] = False,
) -> Result:
    """Terminate an enclave, or all of them one by one.

    --all leaves the enclave of ACM for Nitro Enclaves alone: its service would start it again. It asks first, and
    needs --yes where nobody can be asked.
    """
    from nitroctl import settings
    from nitroctl.host import enclaves, nitro_cli

    if (which is None) == (not all_):
        raise UsageError("name one enclave, or --all", "usage.invalid", ["nitroctl enclave describe shows them"])
    if include_acm and not all_:
        raise UsageError("--include-acm is for --all", "usage.invalid", ["name the enclave, and it is terminated"])
    setting = settings.load()
    cli = nitro_cli.find(setting["nitro_cli"])
    described = cli.describe()
    trouble: list[NitroctlError] = [described.trouble] if described.trouble and all_ else []
    names = enclaves.acm_names(setting["host_root"])
    if which is not None:
        chosen = [enclaves.resolve(described.enclaves, which, partial=described.trouble is not None)]
        spared: list[Enclave] = []
    else:
        spared = [enclave for enclave in described.enclaves if enclaves.is_acm(enclave, names) and not include_acm]
        chosen = [enclave for enclave in described.enclaves if enclave not in spared]
        if chosen and not yes:
            _ask(chosen)
    ended: list[Enclave] = []
    for enclave in chosen:
        try:
            cli.terminate(enclave.id)
        except NitroctlError as error:
            trouble.append(error)
        else:
            ended.append(enclave)
    notes = [f"{enclave.name} is the ACM agent's and was left alone; --include-acm takes it too" for enclave in spared]
    notes += [
        f"{enclave.name} is the ACM agent's: nitro-enclaves-acm.service will start it again"
        for enclave in ended
        if enclaves.is_acm(enclave, names)
    ]
    return _terminated(ended, spared, [*setting.notes, *notes], trouble)


def _ask(chosen: "Sequence[Enclave]") -> None:
    """Ask whether to terminate ``chosen``. Raises Declined, or UsageError where nobody can be asked."""
    from nitroctl.render.plain import encodable, visible

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"--all would terminate {len(chosen)} {'enclave' if len(chosen) == 1 else 'enclaves'}, and nobody can be "
            "asked",
            "enclave.confirm",
            ["add --yes"],
        )
    listed = ", ".join(f"{enclave.name} ({enclave.id})" for enclave in chosen)
    sys.stderr.write(encodable(f"terminate {visible(listed)}? [y/N] ", sys.stderr.encoding))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Declined("nothing was terminated", "enclave.declined")


def _terminated(
    ended: "Sequence[Enclave]", spared: "Sequence[Enclave]", notes: Sequence[str], trouble: Sequence[NitroctlError]
) -> Result:
    from nitroctl.checks import Outcome

    view: list[Block] = [
        Headline(f"{enclave.name} is terminated ({enclave.id})", Outcome.PASS) for enclave in ended
    ] or [Headline("nothing was terminated")]
    data = {
        "terminated": [{"name": enclave.name, "id": enclave.id} for enclave in ended],
        "left_alone": [{"name": enclave.name, "id": enclave.id} for enclave in spared],
    }
    return Result(schema="enclave.terminate/1", data=data, view=view, notes=notes, trouble=trouble)
