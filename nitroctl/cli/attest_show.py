"""``nitroctl attest show``: what a captured document says, none of it proven."""

from typing import Annotated

import typer

from nitroctl.cli import attest_file
from nitroctl.cli.attest_file import DocumentFile
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Fields, Headline

EXAMPLES = """
nitroctl attest show document.cbor
nitroctl attest show document.cbor --role arn:aws:iam::123456789012:role/parent
nitroctl attest show document.cbor --diagnostic
"""


def show(
    file: DocumentFile,
    role: Annotated[
        list[str] | None,
        typer.Option(help="An IAM role to compare PCR3 with, by its ARN; may be repeated.", metavar="ARN"),
    ] = None,
    records: Annotated[
        str | None, typer.Option(help="The records to look for the nearest version in.", metavar="FILE")
    ] = None,
    diagnostic: Annotated[
        bool, typer.Option("--diagnostic", help="Show the CBOR too, in diagnostic notation, as far as it can be read.")
    ] = False,
) -> Result:
    """Show everything an attestation document says, without verifying any of it.

    Nothing shown is proven: anybody can write a document that shows the same. nitroctl attest verify says whether it
    is authentic. Beside each item stands what it rests on: stated (a field says so), documented (AWS says how to read
    it), undocumented habit (true of every document known, promised nowhere) or guess (from the shape of bytes).
    """
    from nitroctl.checks import Outcome
    from nitroctl.cli import document as facts
    from nitroctl.cli import document_view as shown
    from nitroctl.evidence.diagnostic import diagnose

    unwrapped, parsed = attest_file.read(file)
    view = facts.look(unwrapped.cbor, parsed, attest_file.certificates(parsed), role or ())
    nearest, note = facts.recorded(view.document, records) if view else (None, None)
    diagnosis = diagnose(unwrapped.cbor, envelope=True) if diagnostic else None
    notes = [note] if note else []
    data: dict[str, object] = {
        **attest_file.members(file, unwrapped),
        "verified": False,
        "well_formed": parsed.report.passed,
        **facts.as_json(view),
        "nearest": facts.closest_json(nearest),
        "diagnostic": facts.diagnosis_json(diagnosis),
        "report": parsed.report.as_json(),
    }
    if parsed.report.passed:
        headline = Headline(
            "NOT VERIFIED: anybody can write what follows; nitroctl attest verify says whether it is authentic",
            Outcome.WARN,
        )
    else:
        headline = Headline(
            f"not a well-formed attestation document: {attest_file.reason(parsed.report)}", Outcome.FAIL
        )
    if not parsed.report.passed and not diagnostic:
        notes.append("--diagnostic shows how far the CBOR can be read, and where it goes wrong")
    blocks: list[Block] = [
        headline,
        Fields(attest_file.rows(file, unwrapped)),
        *(shown.blocks(view) if view else ()),
        *(shown.closest(nearest) if nearest else ()),
        *(shown.diagnosis(diagnosis) if diagnosis else ()),
        *attest_file.told(parsed.report),
    ]
    return Result(
        schema="attest.show/1",
        data=data,
        view=blocks,
        refused=not parsed.report.passed,
        notes=notes,
        report=parsed.report,
        subject=file,
    )
