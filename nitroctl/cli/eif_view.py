"""What the verbs of ``nitroctl eif`` share: an image's identity, its sections, and the views that readers have."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.errors import UsageError
from nitroctl.render.view import Block, Cell, Fields, Heading, Table, Value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nitroctl.checks import Report
    from nitroctl.eif.format import Section
    from nitroctl.eif.measure import Measured, View

ImageFile = Annotated[str, typer.Argument(help="The enclave image file (EIF).", metavar="FILE")]
_READERS = {
    "sequence": "A reader that follows the section sizes (nitro-cli)",
    "table": "A reader that follows the header's table (QEMU)",
}


def instant(text: str) -> "datetime":
    """Return the instant that ``--at`` names: the clock's for ``now``. Raises UsageError ``usage.invalid``."""
    from nitroctl.cli import attest_options

    try:
        found = attest_options.instant(text)
    except UsageError:
        found = None
    if found is None:  # "document": an image has no time of its own
        raise UsageError(
            f"--at: neither now nor an RFC 3339 time: {text!r}", "usage.invalid", ["write 2026-11-20T10:00:00Z"]
        )
    return found


def told(report: "Report") -> "Report":
    """Return the checks that failed or warn: what an answer about registers has to mention."""
    from nitroctl.checks import Outcome, Report

    return Report.of(check for check in report if check.outcome in (Outcome.FAIL, Outcome.WARN))


def identity(measured: "Measured", *, digest: bool = True) -> "list[tuple[str, Value]]":
    """Return the rows that say which file it is; without ``digest`` its SHA-256 was not asked for."""
    unread = Cell("not computed: the headers are those of no readable image", "dim")
    rows: list[tuple[str, Value]] = [("sha256", measured.sha256 or unread)] if digest else []
    return [*rows, ("size", f"{measured.size} bytes")]


def section_table(sections: "Sequence[Section]", title: str) -> Table:
    """Return the table of sections."""
    rows = [
        (str(number), section.kind, str(section.offset), str(section.size), f"0x{section.flags:04x}")
        for number, section in enumerate(sections)
    ]
    return Table(("#", "section", "offset", "bytes", "flags"), rows, title=title, empty="no section")


def views(measured: "Measured") -> list[Block]:
    """Show what each kind of reader would make of a file that has no measurements of its own."""
    from nitroctl import pcr

    if not any(view.walk.sections or view.pcrs for view in measured.views):
        return []
    table, sequence = measured.views
    if table.walk == sequence.walk and table.pcrs == sequence.pcrs:
        rows = list(pcr.as_hex(table.pcrs).items())
        return [Fields(rows, title="What readers that do not check would compute")]
    blocks: list[Block] = []
    for view in measured.views:
        blocks.append(Heading(_READERS[view.name]))
        if view.walk.sections:
            blocks.append(section_table(view.walk.sections, ""))
        if view.pcrs:
            blocks.append(Fields(list(pcr.as_hex(view.pcrs).items())))
        else:
            reason = "; ".join(problem.text for problem in view.walk.problems) or "not computed"
            blocks.append(Fields([("no registers", Cell(reason, "dim"))]))
    return blocks


# -- for machines


def section_json(section: "Section") -> dict[str, object]:
    """Return a section as JSON members."""
    return {
        "type": section.type,
        "kind": section.kind,
        "offset": section.offset,
        "size_bytes": section.size,
        "flags": section.flags,
    }


def view_json(view: "View") -> dict[str, object]:
    """Return what one kind of reader sees, as JSON members."""
    from nitroctl import pcr

    return {
        "reader": view.name,
        "sections": [section_json(section) for section in view.walk.sections],
        "problems": [problem.text for problem in view.walk.problems],
        "crc32": None if view.crc32 is None else f"{view.crc32:08x}",
        "pcrs": pcr.as_hex(view.pcrs),
    }
