"""``nitroctl eif verify``: whether an image is sound, and whether it is the one expected."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.eif_view import instant
from nitroctl.cli.pcr_options import Component, Environment
from nitroctl.errors import UsageError
from nitroctl.render.result import Result, Stream

if TYPE_CHECKING:
    from nitroctl.cli.eif_question import Recorded
    from nitroctl.eif.verify import Expected

EXAMPLES = """
nitroctl eif verify image.eif
nitroctl eif verify image.eif --records measurements.json --component signer --environment prod
nitroctl eif verify image.eif --signed-by certificate.pem --format github
nitroctl eif verify old.eif new.eif --json
"""
_PEM_LIMIT = 64 * 1024


def verify(
    files: Annotated[
        list[str], typer.Argument(help="The enclave image file (EIF); of several, a line each.", metavar="FILE...")
    ],
    pcr: Annotated[
        list[str] | None,
        typer.Option("--pcr", help="Require this register. Repeatable; all must match.", metavar="PCR=HEX"),
    ] = None,
    records: Annotated[
        str | None,
        typer.Option(
            "--records",
            help="Require the registers of an active entry of this file.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    component: Component = None,
    environment: Environment = None,
    signed_by: Annotated[
        str | None,
        typer.Option(
            "--signed-by", help="Require this signing certificate: a PEM file, or its PCR8.", metavar="PEM|PCR8"
        ),
    ] = None,
    at: Annotated[
        str, typer.Option("--at", help="The instant to judge the certificate at: now, or RFC 3339.", metavar="TIME")
    ] = "now",
) -> Result | Stream:
    """Say whether an image is sound: every reader sees the same one, and nitro-cli takes it.

    The header's table and the section sizes must lead to the same image; checksum, metadata and signature must hold,
    and the signing certificate must be within its dates. Otherwise the answer is no, and what each kind of reader would
    compute is shown. Whose image it is takes something to compare with: --pcr, --records or --signed-by.
    """
    from nitroctl.cli.eif_question import Question

    if pcr and (records or component or environment):
        raise UsageError("--pcr and --records exclude each other", "usage.invalid", ["leave one of the two out"])
    question = Question(
        at=instant(at), expected=_expected(pcr or (), signed_by), recorded=_recorded(records, component, environment)
    )
    if len(files) == 1:
        return question.ask(files[0]).result()
    from nitroctl.cli.eif_verify_many import verify_many

    return verify_many(files, question)


def _expected(assignments: Sequence[str], signed_by: str | None) -> "Expected":
    from nitroctl.eif.verify import Expected
    from nitroctl.pcr import name, parse_assignment

    registers: dict[int, bytes] = {}
    for text in assignments:
        index, value = parse_assignment(text)
        if registers.setdefault(index, value) != value:
            raise UsageError(f"--pcr: {name(index)} is given two values", "usage.invalid")
    return Expected(pcrs=registers, signer=_signer(signed_by) if signed_by else None)


def _signer(text: str) -> bytes:
    """Return the PCR8 that ``--signed-by`` means: itself, or that of a certificate file."""
    from nitroctl import pcr, safefile

    if len(text) == pcr.HEX_DIGITS and all(character in "0123456789abcdefABCDEF" for character in text):
        return bytes.fromhex(text)
    return pcr.for_certificate(pcr.certificate_der(safefile.read_bytes(text, limit=_PEM_LIMIT), where=text))


def _recorded(records: str | None, component: str | None, environment: str | None) -> "Recorded | None":
    """Return the entries to compare with, None when no option asks for that."""
    if records is None and component is None and environment is None:
        return None
    from nitroctl import settings
    from nitroctl.cli.eif_question import Recorded
    from nitroctl.records import load

    path = settings.load({"records": records})["records"]
    what = f"{component or 'any component'} in {environment or 'any environment'}"
    return Recorded(path, load(path).concerning(component, environment), what)
