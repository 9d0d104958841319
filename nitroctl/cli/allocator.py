"""``nitroctl allocator``: show, check and edit what the Nitro Enclaves allocator is told to reserve."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.checks import Check, Outcome, Report
from nitroctl.cli.tree import noun, verb
from nitroctl.errors import CannotAnswer, Declined, UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Diff, Fields, Headline, Table, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitroctl.host.allocator import AllocatorFile, Reading
    from nitroctl.host.allocator_host import HostState
    from nitroctl.settings import Settings

app = noun(
    "Show, check and edit the Nitro Enclaves allocator's configuration.\n\n"
    "The file looks like YAML and is read by a shell script; nitroctl reads it as that script does. Nothing here "
    "restarts the allocator's service."
)

File = Annotated[
    str | None,
    typer.Option("--file", help="The allocator's file.  [default: /etc/nitro_enclaves/allocator.yaml]", metavar="FILE"),
]

_AFTERWARDS = (
    "nothing was restarted; the allocator reads the file when its service does",
    "the restart fails while enclaves run",
    "CPUs given to the pool go offline on this host; people have lost their SSH session to it: have another way in",
)


@verb(
    app,
    "show",
    """
nitroctl allocator show
nitroctl allocator show --file allocator.yaml --json
""",
)
def show(file: File = None) -> Result:
    """Show what the file asks for and what the kernel has.

    The file as the allocator will read it, what the kernel has set aside now, and whether they agree.
    """
    from nitroctl import settings
    from nitroctl.host import allocator, allocator_host, allocator_store

    setting = settings.load({"allocator": file})
    path = setting["allocator"]
    reading = allocator.read(allocator.parse(allocator_store.read(path)))
    host = allocator_host.state(setting["host_root"])
    agrees = allocator_host.agreement(reading, host)
    data = {
        "file": path,
        "reading": _reading_json(reading),
        "kernel": _kernel_json(host),
        "agrees": {Outcome.PASS: True, Outcome.WARN: False}.get(agrees.outcome),
    }
    if reading.accepted:
        headline = Headline(f"{path}: the allocator will reserve {_wanted(reading)}")
    else:
        where = f"line {reading.line}: " if reading.line else ""
        headline = Headline(f"{path}: the allocator refuses it: {where}{reading.refusal}", Outcome.FAIL)
    view: list[Block] = [
        headline,
        Fields(
            [
                ("kernel's pool", _pool_text(host)),
                ("kernel's hugepages", f"{host.reserved_mib} MiB" if host.hugepages else "none known here"),
                ("agree", _agreement_text(agrees)),
            ]
        ),
    ]
    if host.pool is not None and host.hugepages:
        rows = [(str(p.node), f"{p.size_kib} kB", str(p.total), str(p.free)) for p in host.hugepages]
        view.append(Table(("node", "page", "reserved", "free"), rows, title="Hugepages"))
    notes = [*setting.notes]
    if not reading.accepted:
        notes.append("nitroctl allocator check says everything that is wrong with it, and what to do")
    return Result(schema="allocator.show/1", data=data, view=view, notes=notes)


@verb(
    app,
    "check",
    """
nitroctl allocator check
nitroctl allocator check --file allocator.yaml
""",
)
def check(file: File = None) -> Result:
    """Check that the allocator will accept its file.

    Also that it reads from it what is written there, and that the host can do what is asked, as far as the kernel
    says where the Nitro Enclaves driver is loaded. Exit status 1 when not.
    """
    from nitroctl import settings
    from nitroctl.host import allocator, allocator_host, allocator_rules, allocator_store

    setting = settings.load({"allocator": file})
    path = setting["allocator"]
    parsed = allocator.parse(allocator_store.read(path))
    reading = allocator.read(parsed)
    report = allocator_rules.report(parsed) + allocator_host.report(reading, allocator_host.state(setting["host_root"]))
    if report.passed:
        headline = Headline(f"{path}: the allocator will reserve {_wanted(reading)}", Outcome.PASS)
    else:
        failed = len(report.having(Outcome.FAIL))
        headline = Headline(f"{path}: {failed} of {len(report)} checks fail", Outcome.FAIL)
    looked_at = Report.of(item for item in report if not _blocked(item))
    view: list[Block] = [headline, Checks(looked_at)]
    if len(looked_at) < len(report):
        missed = len(report) - len(looked_at)
        view.append(Text(f"{missed} more checks are not made: the allocator reads nothing before a line that is ---."))
    data = {
        "file": path,
        "reading": _reading_json(reading),
        "findings": [finding.as_json() for finding in allocator_rules.findings(parsed)],
        "report": report.as_json(),
    }
    return Result(
        schema="allocator.check/1",
        data=data,
        view=view,
        refused=not report.passed,
        notes=setting.notes,
        report=report,
        subject=path,
    )


@verb(
    app,
    "set",
    """
nitroctl allocator set --memory-mib 2048 --cpu-count 2 --dry-run
sudo nitroctl allocator set --cpu-pool 2,3,6-9 --yes
nitroctl allocator set --file allocator.yaml --repair --yes
""",
)
def set_(
    memory_mib: Annotated[
        int | None, typer.Option("--memory-mib", help="Memory for all enclaves together, in MiB; even.", metavar="N")
    ] = None,
    cpu_count: Annotated[
        int | None, typer.Option("--cpu-count", help="CPUs for enclaves; the allocator chooses which.", metavar="N")
    ] = None,
    cpu_pool: Annotated[
        str | None, typer.Option("--cpu-pool", help="The CPUs for enclaves, such as 2,3,6-9.", metavar="LIST")
    ] = None,
    file: File = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend first what the check says has one way out.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change and write nothing.")] = False,
    check_only: Annotated[
        bool, typer.Option("--check", help="With --dry-run: exit status 1 when something would change.")
    ] = False,
) -> Result:
    """Change what the allocator reserves, showing it first.

    One value changes on its line; comments and everything else stay byte for byte. The old file is kept beside it.
    A result that nitroctl allocator check would refuse is not written; what the kernel here says counts only for the
    file of this host, not for one named with --file. Nothing is restarted: the command for that is printed.
    """
    from datetime import UTC, datetime

    from nitroctl import settings
    from nitroctl.host import allocator, allocator_repair, allocator_store

    values = _values(memory_mib, cpu_count, cpu_pool)
    if not values and not repair:
        raise UsageError("nothing to set", "usage.invalid", ["give --memory-mib, --cpu-count, --cpu-pool or --repair"])
    if check_only and not dry_run:
        raise UsageError("--check goes with --dry-run", "usage.invalid", ["nitroctl allocator check checks the file"])
    setting = settings.load({"allocator": file})
    path = setting["allocator"]
    old = allocator_store.read(path)
    new_file = allocator.with_values(allocator.parse(allocator_repair.repair(old) if repair else old), values)
    new = new_file.content
    notes = [*setting.notes, *_refuse_unfit(path, new_file, setting, named=file is not None)]
    diff = _diff(path, old, new)
    changed = new != old
    backup = None
    if changed and not dry_run:
        try:
            allocator_store.require_writable(path)
            if not yes:
                _confirm(path, diff)
            backup = allocator_store.write(path, old, new, lock_dir=setting["lock_dir"], at=datetime.now(UTC))
        except CannotAnswer as error:
            if not isinstance(error.__cause__, PermissionError):
                raise
            again = _command(values, path, repair=repair)
            raise CannotAnswer(error.message, error.code, [f"run: {again}"]) from error
        notes += _AFTERWARDS
    before, after = allocator.read(allocator.parse(old)), allocator.read(new_file)
    data = {
        "file": path,
        "changed": changed,
        "written": backup is not None,
        "before": _reading_json(before),
        "after": _reading_json(after),
        "diff": diff,
        "backup": backup,
        "restart_command": allocator.RESTART if backup else None,
    }
    view: list[Block] = [Headline(_done(path, changed=changed, written=backup is not None), None)]
    if changed:
        view.append(Diff(diff))
    if backup:
        rows = [("the allocator will reserve", _wanted(after)), ("old file", backup), ("to apply", allocator.RESTART)]
        view.append(Fields(rows))
    return Result(schema="allocator.set/1", data=data, view=view, refused=bool(check_only and changed), notes=notes)


def _values(memory_mib: int | None, cpu_count: int | None, cpu_pool: str | None) -> "dict[str, str]":
    """Return what is to be set, once each value is known to be one that can work somewhere."""
    from nitroctl.host import allocator, allocator_rules, cpulist

    if cpu_count is not None and cpu_pool is not None:
        raise UsageError("--cpu-count and --cpu-pool exclude each other", "usage.invalid", ["the allocator takes one"])
    values: dict[str, str] = {}
    if memory_mib is not None:
        problem, _ = allocator_rules.memory_problem(str(memory_mib))
        if problem:
            raise UsageError(f"--memory-mib: {problem}", "allocator.value", ["give an even number, 64 or more"])
        values[allocator.MEMORY] = str(memory_mib)
    if cpu_count is not None:
        problem = allocator_rules.count_problem(str(cpu_count))
        if problem:
            raise UsageError(f"--cpu-count: {problem}", "allocator.value", ["give a number of CPUs, 1 or more"])
        values[allocator.CPU_COUNT] = str(cpu_count)
    if cpu_pool is not None:
        try:
            cpus = cpulist.parse(cpu_pool)
        except cpulist.NotACpuList as error:
            raise UsageError(f"--cpu-pool: {error}", "allocator.value", ["write it as 2,3,6-9"]) from error
        if not cpus or 0 in cpus:
            problem = "CPU 0 stays with the parent" if cpus else "no CPU is named"
            raise UsageError(f"--cpu-pool {cpu_pool!r}: {problem}", "allocator.value", ["write it as 2,3,6-9"])
        values[allocator.CPU_POOL] = cpu_pool
    return values


def _refuse_unfit(path: str, new: "AllocatorFile", setting: "Settings", *, named: bool) -> list[str]:
    """Refuse a result the allocator would not take, or that this host cannot do; return what is only worth a note."""
    from nitroctl.host import allocator, allocator_host, allocator_repair, allocator_rules

    report = allocator_rules.report(new)
    if not report.passed:
        failed = report.having(Outcome.FAIL)
        mended = allocator_repair.repair(new.content)
        left = allocator_rules.report(allocator.parse(mended)).having(Outcome.FAIL)
        hints = [f"{item.detail}: {item.remedy}" for item in left]
        if mended != new.content:
            hints.append("the rest is mended by --repair" if left else "run it again with --repair, which mends that")
        raise CannotAnswer(
            f"{path}: nothing written: {_first_words(failed[0].id, failed[0].detail, len(failed))}",
            "allocator.unfit",
            [*hints, "nitroctl allocator check says everything that is wrong"],
        )
    host = allocator_host.report(allocator.read(new), allocator_host.state(setting["host_root"]))
    problems = [(item.id, item.detail) for item in host.having(Outcome.FAIL)]
    if problems and not named:
        raise CannotAnswer(
            f"{path}: nothing written: {_first_words(*problems[0], len(problems))}",
            "allocator.impossible",
            ["for another host's file, name it with --file"],
        )
    return [f"this host could not do it: {detail}" for _, detail in problems]


def _first_words(check_id: str, detail: str, count: int) -> str:
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"{detail} [{check_id}]{more}"


def _diff(path: str, old: bytes, new: bytes) -> str:
    import difflib

    before, after = _shown_lines(old), _shown_lines(new)
    lines = difflib.unified_diff(before, after, f"{path}", f"{path} (new)", lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _shown_lines(content: bytes) -> list[str]:
    """Return the lines for a diff: a carriage return at an end is shown, and so is a missing last newline."""
    *lines, last = content.decode("utf-8", "backslashreplace").replace("\r", "\\r").split("\n")
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def _confirm(path: str, diff: str) -> None:
    """Show the change on stderr and ask; anything but yes declines."""
    from nitroctl.render.plain import encodable, visible, visible_lines

    hints = ["add --yes to write it; --dry-run shows the change"]
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise Declined(f"{path}: not written: there is no terminal to ask on", "allocator.declined", hints)
    for line in visible_lines(diff):
        sys.stderr.write(encodable(line, sys.stderr.encoding) + "\n")
    sys.stderr.write(encodable(f"Write this to {visible(path)}? [y/N] ", sys.stderr.encoding))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Declined(f"{path}: not written: declined", "allocator.declined", hints)


def _command(values: "Mapping[str, str]", path: str, *, repair: bool) -> str:
    """Return the command line that does the same again as root; the file is named, for sudo drops the environment."""
    from pathlib import Path

    words = ["sudo", "nitroctl", "allocator", "set"]
    for key, value in values.items():
        words += [f"--{key.replace('_', '-')}", value]
    words += ["--repair"] if repair else []
    return shlex.join([*words, "--file", str(Path(path).absolute())])


def _done(path: str, *, changed: bool, written: bool) -> str:
    if not changed:
        return f"{path}: already so; nothing written"
    return f"{path}: written" if written else f"{path}: would change; nothing written"


def _wanted(reading: "Reading") -> str:
    cpus = f"CPUs {reading.cpu_pool}" if reading.cpu_pool is not None else f"{reading.cpu_count} CPUs"
    return f"{reading.memory_mib} MiB and {cpus}"


def _agreement_text(agrees: Check) -> str:
    words = {Outcome.PASS: "yes", Outcome.WARN: "no", Outcome.SKIP: "not known"}
    detail = agrees.detail.removeprefix("not checked: ")
    return words[agrees.outcome] + (f": {detail}" if detail else "")


def _blocked(check: Check) -> bool:
    return check.outcome is Outcome.SKIP and check.required


def _pool_text(host: "HostState") -> str:
    from nitroctl.host import cpulist

    if host.pool is None:
        return "no Nitro Enclaves driver here"
    return f"CPUs {cpulist.show(host.pool)}" if host.pool else "empty: the allocator has not run, or failed"


def _reading_json(reading: "Reading") -> dict[str, object]:
    return {
        "accepted": reading.accepted,
        "memory_mib": reading.memory_mib,
        "cpu_count": reading.cpu_count,
        "cpu_pool": reading.cpu_pool,
        "refusal": reading.refusal or None,
        "line": reading.line or None,
    }


def _kernel_json(host: "HostState") -> dict[str, object]:
    from nitroctl.host import cpulist

    return {
        "driver": host.pool is not None,
        "cpu_pool": None if host.pool is None else cpulist.show(host.pool),
        "cpus": None if host.pool is None else list(host.pool),
        "hugepages": [
            {"node": p.node, "size_kib": p.size_kib, "reserved_pages": p.total, "free_pages": p.free}
            for p in host.hugepages
        ],
        "reserved_mib": host.reserved_mib,
    }
