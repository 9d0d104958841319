"""What several ``pcr`` verbs are asked, and where their registers come from."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.errors import CannotAnswer, UsageError

if TYPE_CHECKING:
    from nitroctl.records import Entry, Ledger
    from nitroctl.records.entry import Artifact, Signer

Records = Annotated[
    str | None,
    typer.Option("--records", help="The file of recorded measurements.", metavar="FILE", show_default=False),
]
Component = Annotated[str | None, typer.Option("--component", help="Only entries of this component.", metavar="NAME")]
Environment = Annotated[
    str | None, typer.Option("--environment", help="Only entries for this environment.", metavar="NAME")
]
EntryName = Annotated[
    str,
    typer.Argument(help="An entry's id; its environment may be left out where one has it.", metavar="ENTRY"),
]
Measurements = Annotated[
    str | None,
    typer.Option(
        "--measurements", help="What nitro-cli build-enclave or describe-eif printed; - is stdin.", metavar="FILE"
    ),
]
#: How a document is judged that registers are taken from.
DocumentTime = Annotated[
    str,
    typer.Option(
        "--at", help="With --document: judge it at now, document (its own time), or RFC 3339.", metavar="TIME"
    ),
]
DocumentRoot = Annotated[
    list[str] | None,
    typer.Option("--root", help="With --document: accept this root in place of AWS's.", metavar="PEM"),
]


def refuse_without_document(document: object, at: str, root: Sequence[str] | None) -> None:
    """Refuse ``--at`` and ``--root`` where ``document`` is None, for they would judge nothing. Raises UsageError."""
    if document is None and (root or at != "now"):
        raise UsageError(
            "--at and --root judge a document, and none is given", "usage.invalid", ["add --document FILE"]
        )


def ledger_path(flag: str | None) -> str:
    """Return the ledger's path: the option, else the setting ``records``."""
    from nitroctl import settings

    return settings.load({"records": flag})["records"]


def one(ledger: "Ledger", wanted: str, path: str) -> "Entry":
    """Return the one entry called ``wanted``. Raises UsageError or CannotAnswer ``records.no-such-entry``."""
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


def from_image(path: str) -> tuple[dict[int, bytes], "Artifact", "Signer | None"]:
    """Measure the image at ``path``. Raises what :func:`nitroctl.eif.measure.require` raises."""
    import os.path

    from nitroctl.eif.measure import require
    from nitroctl.records import Artifact, Signer

    found = require(path)
    signer = Signer(found.signature.certificate.sha256) if found.signature else None
    return dict(found.pcrs), Artifact(os.path.basename(path), found.sha256, found.size), signer  # noqa: PTH119


def agree(ours: Mapping[int, bytes], theirs: Mapping[int, bytes], we: str, they: str) -> None:
    """Refuse two accounts of one image that differ: CannotAnswer ``records.disagreement``. ``we``, ``they``: who."""
    from nitroctl.pcr import name

    for index in sorted({*ours, *theirs}):
        if ours.get(index) != theirs.get(index):
            values = [value.hex() if value else "no such register" for value in (ours.get(index), theirs.get(index))]
            raise CannotAnswer(
                f"{name(index)}: {they} another value than {we}",
                "records.disagreement",
                [f"{we}: {values[0]}", f"{they}: {values[1]}"],
            )


def with_assignments(registers: Mapping[int, bytes], assignments: Sequence[str]) -> dict[int, bytes]:
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
