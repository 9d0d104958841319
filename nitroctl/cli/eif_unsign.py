"""``nitroctl eif unsign``: take the signature out of an image."""

from nitroctl.cli.eif_signature_view import (
    OutputFile,
    destination,
    image_json,
    measurements,
    refused,
    signature_before,
    signature_json,
    who,
)
from nitroctl.cli.eif_view import ImageFile, identity, told
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Value

EXAMPLES = """
nitroctl eif unsign image.eif
nitroctl eif unsign image.eif --output-file unsigned.eif
"""
_SCHEMA = "eif.unsign/1"


def unsign(file: ImageFile, *, output_file: OutputFile = None) -> Result:
    """Take the signature out of an image, and change nothing else in it.

    PCR0, PCR1 and PCR2 stay; PCR8 is gone. The image must be one that every reader sees the same. The new file is
    measured before it takes its name, and what was there before stays until then. An image without a signature is left
    as it is.
    """
    from nitroctl.checks import Outcome
    from nitroctl.eif.measure import measure
    from nitroctl.eif.rewrite import rewrite

    output = destination(file, output_file)
    old = measure(file)
    if not old.measurable:
        data = {**image_json(file, output, old, None, old.report), "removed": None}
        return refused(_SCHEMA, file, "unsigned", data, old.report, old)
    new = rewrite(old, output, None, pcr8=None)
    rows: list[tuple[str, Value]] = [*([("image", file)] if output != file else []), *identity(new)]
    notes = []
    if old.signature is None:
        copied = "" if new is old else f"; {output} is a copy"
        headline = f"{file}: is not signed, so there is nothing to take out{copied}"
    else:
        by = who(old.signature.certificate)
        headline = f"{output}: the signature by {by} is gone; PCR0, PCR1 and PCR2 are what they were"
        notes.append("what asks for PCR8 (key policies, records) does not accept this image")
    view: list[Block] = [
        Headline(headline, Outcome.PASS),
        Fields(rows),
        *([signature_before(old.signature)] if old.signature else []),
        measurements(old, new),
        Checks(told(old.report)),
    ]
    data = {**image_json(file, output, old, new, old.report), "removed": signature_json(old.signature)}
    return Result(schema=_SCHEMA, data=data, view=view, notes=notes, report=old.report, subject=file)
