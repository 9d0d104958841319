"""``nitroctl attest show``: what a captured document says, none of it proven."""

from nitroctl.cli import attest_file
from nitroctl.cli.attest_file import DocumentFile
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Fields, Headline

EXAMPLES = """
nitroctl attest show document.cbor
nitroctl attest show document.cbor --json
"""


def show(file: DocumentFile) -> Result:
    """Show what an attestation document says, without verifying any of it.

    Nothing shown is proven: anybody can write a document that shows the same. nitroctl attest verify says whether it
    is authentic.
    """
    from nitroctl.checks import Outcome
    from nitroctl.cli import document as facts

    unwrapped, parsed = attest_file.read(file)
    links = attest_file.certificates(parsed)
    document = parsed.document
    data: dict[str, object] = {
        **attest_file.members(file, unwrapped),
        "verified": False,
        "well_formed": parsed.report.passed,
        "document": facts.as_json(document, links) if document else None,
        "certificates": facts.certificates_json(links),
        "report": parsed.report.as_json(),
    }
    if parsed.report.passed:
        headline = Headline("parsed, not verified: nitroctl attest verify says whether it is authentic", Outcome.WARN)
    else:
        headline = Headline(
            f"not a well-formed attestation document: {attest_file.reason(parsed.report)}", Outcome.FAIL
        )
    view: list[Block] = [
        headline,
        Fields(attest_file.rows(file, unwrapped)),
        *(facts.blocks(document, links) if document else ()),
        *attest_file.told(parsed.report),
    ]
    return Result(
        schema="attest.show/1",
        data=data,
        view=view,
        refused=not parsed.report.passed,
        report=parsed.report,
        subject=file,
    )
