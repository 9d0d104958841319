"""``nitroctl explain CODE``: what stands in [brackets] after an error, a check id, or a nitro-cli E-code."""

import difflib
import re
from typing import Annotated

import typer

from nitroctl.cli.tree import single, verb
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Fields, Headline, Table, Text

app = single()


@verb(
    app,
    "explain",
    """
nitroctl explain E26
nitroctl explain chain.root-pinned
nitroctl explain --list
""",
)
def explain(
    code: Annotated[
        str | None, typer.Argument(help="The code, as printed: E36, allocator.crlf.", metavar="CODE")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List every code with its meaning.")] = False,
) -> Result:
    """Explain an error code or a check: what it means, its likely causes, and what to do."""
    if list_ == (code is not None):
        raise UsageError("name one code, or --list", "usage.invalid", ["nitroctl explain E26"])
    if code is None:
        return _all()
    wanted = code.strip().strip("[]").strip()
    if re.fullmatch(r"[eE][0-9]{2}", wanted):
        return _nitro_cli(wanted.upper())
    if re.fullmatch(r"[kK][pP][0-9]{3}", wanted):
        return _own(_rule(wanted.lower()))
    return _own(wanted.lower())


def _own(code: str) -> Result:
    from nitroctl.catalogue import CATALOGUE

    if code not in CATALOGUE:
        near = difflib.get_close_matches(code, CATALOGUE, n=3, cutoff=0.5)
        hints = [f"did you mean {', '.join(near)}?"] if near else []
        raise UsageError(
            f"no such code: {code!r}", "explain.unknown", [*hints, "nitroctl explain --list names them all"]
        )
    found = CATALOGUE[code]
    return _result(code, "nitroctl", found.meaning, found.causes, found.remedy)


def _rule(number: str) -> str:
    """Return the whole id of the rule that ``kms lint`` calls by a number; the number when there is none."""
    from nitroctl.catalogue import CATALOGUE

    return next((code for code in CATALOGUE if code.startswith(f"{number}.")), number)


def _nitro_cli(code: str) -> Result:
    from nitroctl.host.nitro_cli_errors import NITRO_CLI_ERRORS

    if code not in NITRO_CLI_ERRORS:
        raise UsageError(f"nitro-cli has no error {code}", "explain.unknown", ["nitro-cli 1.5.0 defines E00 to E60"])
    found = NITRO_CLI_ERRORS[code]
    return _result(code, "nitro-cli", found.meaning, found.causes, found.remedy)


def _result(code: str, program: str, meaning: str, causes: tuple[str, ...], remedy: str) -> Result:
    data = {"code": code, "program": program, "meaning": meaning, "causes": list(causes), "remedy": remedy}
    view: list[Block] = [
        Headline(f"{code} ({program})"),
        Text(meaning),
        Fields([(f"{number}.", cause) for number, cause in enumerate(causes, 1)], title="Likely causes"),
        Fields([("", remedy)], title="What to do"),
    ]
    return Result(schema="explain/1", data=data, view=view)


def _all() -> Result:
    from nitroctl.catalogue import CATALOGUE
    from nitroctl.host.nitro_cli_errors import NITRO_CLI_ERRORS

    entries = [(code, "nitroctl", found.meaning) for code, found in CATALOGUE.items()]
    entries += [(code, "nitro-cli", found.meaning) for code, found in NITRO_CLI_ERRORS.items()]
    data = {"codes": [{"code": code, "program": program, "meaning": meaning} for code, program, meaning in entries]}
    return Result(
        schema="explain.list/1",
        data=data,
        view=[Table(("code", "meaning"), [(code, text) for code, _, text in entries])],
    )
