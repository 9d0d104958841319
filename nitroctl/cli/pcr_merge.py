"""``nitroctl pcr merge``: two ledgers that grew from one; git calls it as a merge driver."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Headline

if TYPE_CHECKING:
    from nitroctl.checks import Report
    from nitroctl.records import Ledger
    from nitroctl.records.merge import Merged
    from nitroctl.records.quick import Known

EXAMPLES = """
nitroctl pcr merge base.json ours.json theirs.json
nitroctl pcr merge base.json ours.json theirs.json --dry-run
"""


def merge(
    base: Annotated[str, typer.Argument(help="The file before both sides (%O of git).", metavar="BASE")],
    ours: Annotated[str, typer.Argument(help="Our side; the merged file is written here (%A).", metavar="OURS")],
    theirs: Annotated[str, typer.Argument(help="The other side (%B).", metavar="THEIRS")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of it; write nothing.")] = False,
) -> Result:
    """Merge two files of recorded measurements entry by entry, where git would leave conflict markers.

    The entries of both sides are kept, statuses only go forward, and registers are never chosen between: where the two
    sides cannot both be meant, the answer is no and OURS stays as it is. Let git use it: the line "measurements.json
    merge=nitroctl" in .gitattributes, and git config merge.nitroctl.driver "nitroctl pcr merge %O %A %B".
    """
    from nitroctl import records
    from nitroctl.checks import Check, Outcome, Report
    from nitroctl.records.merge import merge as merge_ledgers

    known: Known = {}
    before = records.load(base, empty_ok=True, known=known)  # git's is empty where the sides have none in common
    other = records.load(theirs, known=known)
    sides: list[tuple[Ledger, Merged]] = []

    def become(mine: "Ledger") -> "Ledger | None":
        sides.append((mine, merge_ledgers(before, mine, other)))
        return None if dry_run or sides[0][1].conflicts else sides[0][1].ledger

    if dry_run:
        become(records.load(ours, known=known))
    else:  # what others record in OURS meanwhile must not be lost
        records.rewrite(ours, become, known)
    mine, merged = sides[0]
    known = {entry.id: entry for entry in mine}
    added = [entry.id for entry in merged.ledger if entry.id not in known]
    changed = [entry.id for entry in merged.ledger if entry.id in known and known[entry.id] != entry]
    check = Check(
        id="records.mergeable",
        title="Both sides can be meant",
        outcome=Outcome.FAIL if merged.conflicts else Outcome.PASS,
        detail="; ".join(merged.conflicts),
        remedy="change one side, then merge again" if merged.conflicts else None,
    )
    report = Report.of([check])
    return _result(ours, report, added, changed, dry_run=dry_run)


def _result(ours: str, report: "Report", added: list[str], changed: list[str], *, dry_run: bool) -> Result:
    from nitroctl.checks import Outcome

    if report.passed:
        would = "would be " if dry_run else ""
        counts = f"{len(added)} {'entry' if len(added) == 1 else 'entries'} added, {len(changed)} changed"
        view: list[Block] = [Headline(f"{ours} {would}merged: {counts}", Outcome.PASS)]
    else:
        view = [Headline(f"no: {ours} is left as it was", Outcome.FAIL), Checks(report)]
    data = {
        "file": ours,
        "dry_run": dry_run,
        "added": added if report.passed else [],
        "changed": changed if report.passed else [],
        "report": report.as_json(),
    }
    return Result(schema="pcr.merge/1", data=data, view=view, refused=not report.passed, report=report, subject=ours)
