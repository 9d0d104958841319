"""``nitroctl eif diff``: why the measurements of two images differ."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.render.result import Result
from nitroctl.render.view import Block, Headline

if TYPE_CHECKING:
    from nitroctl.eif.diff import Compared

EXAMPLES = """
nitroctl eif diff old.eif new.eif
nitroctl eif diff old.eif new.eif --json
"""


def diff(
    first: Annotated[str, typer.Argument(help="An enclave image file: A.", metavar="A")],
    second: Annotated[str, typer.Argument(help="The one to compare it with: B.", metavar="B")],
) -> Result:
    """Say which measurements of two images differ and why, down to the files in their ramdisks.

    Every difference is one that moves a register, or marked as not measured. Yes only when both images can be measured,
    every register is equal, and so are kernel, command line and each ramdisk.
    """
    from nitroctl.checks import Outcome
    from nitroctl.cli import eif_diff_json, eif_diff_view
    from nitroctl.eif.diff import compare
    from nitroctl.eif.diff_told import sentence

    compared = compare(first, second)
    text = sentence(compared)
    view: list[Block] = [
        Headline(text, Outcome.PASS if compared.same else Outcome.FAIL),
        *eif_diff_view.blocks(compared),
    ]
    return Result(
        schema="eif.diff/1",
        data=eif_diff_json.data(compared, text),
        view=view,
        refused=not compared.same,
        notes=_notes(compared),
    )


def _notes(compared: "Compared") -> list[str]:
    """Return what to do about differences that nobody wanted."""
    from nitroctl.eif.diff_ramdisk import Kind

    kinds = {kind for each in compared.differences if each.contents for kind in each.contents.kinds}
    accidental = {Kind.MTIME, Kind.ORDER, Kind.RECORD, Kind.COMPRESSION, Kind.ARCHIVE}
    if kinds and kinds <= accidental and all(each.contents for each in compared.differences):
        return ["the files are the same and their times, order or packing are not: nitroctl eif build fixes these"]
    return []
