"""``nitroctl eif measure``: the registers of an image, from the file alone."""

from typing import Annotated

import typer

from nitroctl.cli.eif_view import ImageFile, identity, told, view_json, views
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Heading, Headline

EXAMPLES = """
nitroctl eif measure image.eif
nitroctl eif measure image.eif --sha256 --json
"""


def measure(
    file: ImageFile,
    sha256: Annotated[
        bool, typer.Option("--sha256", help="Compute the SHA-256 of the whole file too; it takes longer.")
    ] = False,
) -> Result:
    """Compute an image's PCR0, PCR1, PCR2 and, when it is signed, PCR8 from the file alone.

    The registers are those that nitro-cli prints and that the enclave's attestation documents carry. A file that not
    every reader would take for the same image has none: the answer is no, and what each reader would compute is shown.
    """
    from nitroctl import pcr
    from nitroctl.checks import Outcome
    from nitroctl.eif.measure import measure as measure_file

    measured = measure_file(file, file_digest=sha256)
    odd = told(measured.report)
    data = {
        "file": file,
        "size_bytes": measured.size,
        "sha256": measured.sha256 or None,
        "measurable": measured.measurable,
        "pcrs": pcr.as_hex(measured.pcrs),
        "views": [] if measured.measurable else [view_json(view) for view in measured.views],
        "report": measured.report.as_json(),
    }
    view: list[Block]
    if measured.measurable:
        view = [Fields([*pcr.as_hex(measured.pcrs).items(), *identity(measured, digest=sha256)]), Checks(odd)]
    else:
        headline = Headline(f"{file} cannot be measured: {measured.report.refusals[0].detail}", Outcome.FAIL)
        view = [headline, Fields(identity(measured, digest=sha256)), Heading("Checks"), Checks(odd), *views(measured)]
    return Result(
        schema="eif.measure/1",
        data=data,
        view=view,
        refused=not measured.measurable,
        report=measured.report,
        subject=file,
    )
