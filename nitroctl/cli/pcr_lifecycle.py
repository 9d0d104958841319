"""``nitroctl pcr promote|rollout|finalize|retire|revoke``: the steps in the life of a recorded version."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.pcr_options import EntryName, Records, ledger_path, one
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Headline, Table

if TYPE_CHECKING:
    from nitroctl.records import Entry, Ledger, Step

EXAMPLES = {
    "promote": """
nitroctl pcr promote signer-1.4.2@staging --to prod
nitroctl pcr promote signer-1.4.2@staging --to prod --dry-run
""",
    "rollout": """
nitroctl pcr rollout signer-1.4.2@prod
nitroctl pcr rollout signer-1.4.2@prod --dry-run
""",
    "finalize": """
nitroctl pcr finalize signer-1.4.2@prod
nitroctl pcr finalize signer-1.4.2@prod --dry-run
""",
    "retire": """
nitroctl pcr retire signer-1.4.1@prod
nitroctl pcr retire signer-1.4.2@prod --last
""",
    "revoke": """
nitroctl pcr revoke signer-1.4.1@prod --reason "CVE-2026-0001 in its TLS library"
nitroctl pcr revoke signer-1.4.1@prod --reason "key leaked" --everywhere
""",
}

_Steps = Callable[["Ledger", "Entry", datetime], "tuple[Step, ...]"]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]


def promote(
    entry: EntryName,
    *,
    to: Annotated[str, typer.Option("--to", help="The environment.", metavar="ENVIRONMENT", show_default=False)],
    dry_run: DryRun = False,
    records: Records = None,
) -> Result:
    """Take a recorded version over to another environment, as a candidate.

    The image stays the one that was measured: its registers, file, source, build and signer are copied, not made anew.
    """
    from nitroctl.records import lifecycle

    def steps(ledger: "Ledger", chosen: "Entry", at: datetime) -> "tuple[Step, ...]":
        return lifecycle.promote(ledger, chosen, to, at)

    return _taken("promote", entry, steps, records=records, dry_run=dry_run)


def rollout(entry: EntryName, *, dry_run: DryRun = False, records: Records = None) -> Result:
    """Make a candidate active, beside the version that is active already.

    Both are accepted from then on: write the key policy from both (kms generate), replace what runs, then finalize.
    """
    from nitroctl.records import lifecycle

    return _taken("rollout", entry, lifecycle.rollout, records=records, dry_run=dry_run)


def finalize(entry: EntryName, *, dry_run: DryRun = False, records: Records = None) -> Result:
    """Finish a rollout: retire every other active version of the same component and environment.

    ENTRY is the one that stays active.
    """
    from nitroctl.records import lifecycle

    return _taken("finalize", entry, lifecycle.finalize, records=records, dry_run=dry_run)


def retire(
    entry: EntryName,
    *,
    last: Annotated[bool, typer.Option("--last", help="Even when nothing is left that is accepted.")] = False,
    dry_run: DryRun = False,
    records: Records = None,
) -> Result:
    """Retire a version that is no longer run.

    It stays in the file, because whoever reads an old attestation document must still find what it was.
    """
    from nitroctl.records import lifecycle

    def steps(ledger: "Ledger", chosen: "Entry", at: datetime) -> "tuple[Step, ...]":
        return lifecycle.retire(ledger, chosen, at, last=last)

    return _taken("retire", entry, steps, records=records, dry_run=dry_run)


def revoke(
    entry: EntryName,
    *,
    reason: Annotated[
        str,
        typer.Option("--reason", help="Why, for whoever is refused because of it.", metavar="TEXT", show_default=False),
    ],
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Every entry with the same image too, whatever its name.")
    ] = False,
    dry_run: DryRun = False,
    records: Records = None,
) -> Result:
    """Revoke a version whose image must not run again.

    From then on the image is refused under every name and in every environment, also where another entry with the same
    registers is active. A revocation cannot be taken back. Key policies do not follow by themselves: generate them
    again.
    """
    from nitroctl.records import lifecycle

    def steps(ledger: "Ledger", chosen: "Entry", at: datetime) -> "tuple[Step, ...]":
        return lifecycle.revoke(ledger, chosen, at, reason, everywhere=everywhere)

    return _taken("revoke", entry, steps, records=records, dry_run=dry_run)


def _now() -> datetime:
    return datetime.now(UTC)


def _taken(verb: str, wanted: str, steps: _Steps, *, records: str | None, dry_run: bool) -> Result:
    """Take the steps that ``steps`` works out for the entry called ``wanted``, and say what they changed."""
    from nitroctl import records as ledgers

    path, at = ledger_path(records), _now()
    seen: list[Ledger] = []

    def worked_out(ledger: "Ledger") -> "tuple[Step, ...]":
        seen.append(ledger)
        return steps(ledger, one(ledger, wanted, path), at)

    taken = worked_out(ledgers.load(path)) if dry_run else ledgers.change(path, worked_out)
    after = seen[-1].replacing(step.after for step in taken)
    return _result(verb, path, taken, after, dry_run=dry_run)


def _result(verb: str, path: str, taken: "Sequence[Step]", after: "Ledger", *, dry_run: bool) -> Result:
    from nitroctl.records import lifecycle

    changed = [step for step in taken if not step.unchanged]
    subject = taken[0].after
    active = after.active(subject.component, subject.environment)
    data = {
        "records": path,
        "dry_run": dry_run,
        "changed": [
            {"entry": step.after.as_json(), "status_before": step.before.status.value if step.before else None}
            for step in changed
        ],
        "active": [entry.id for entry in active],
    }
    view: list[Block] = [Headline(_sentence(verb, path, changed, subject, dry_run=dry_run))]
    if changed:
        rows = [
            (
                step.after.id,
                step.before.status.value if step.before else Cell("not recorded", "dim"),
                Cell(step.after.status.value, "bad" if step.after.status.value == "revoked" else ""),
            )
            for step in changed
        ]
        view.append(Table(("version", "was", "is"), rows))
    notes = [
        f"accepted of {subject.component} in {subject.environment}: {', '.join(e.id for e in active) or 'nothing'}"
    ]
    if verb == "revoke":
        others = [each.id for each in lifecycle.same_image(after, subject) if each.status.value != "revoked"]
        if others:
            notes.append(
                f"the same image stands as {', '.join(others)}, and is refused there too; --everywhere revokes those"
            )
        notes.append("running enclaves go on, and key policies still allow it: nitroctl kms generate, then apply it")
    return Result(schema=f"pcr.{verb}/1", data=data, view=view, notes=notes)


def _sentence(verb: str, path: str, changed: "Sequence[Step]", subject: "Entry", *, dry_run: bool) -> str:
    if not changed:
        return f"nothing to change in {path}: {subject.id} is {subject.status}" + (
            " and the only active one" if verb == "finalize" else ""
        )
    would = "would be " if dry_run else ""
    done = {"promote": "recorded as candidate", "rollout": "made active", "finalize": "retired"}
    what = done.get(verb, f"{subject.status}")
    names = ", ".join(step.after.id for step in changed)
    return f"{names} {would}{what} in {path}"
