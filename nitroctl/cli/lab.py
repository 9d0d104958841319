"""``nitroctl lab``: documents that a verifier must refuse, and some it must accept, to try any verifier on."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.tree import noun, verb
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Fields, Headline, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.standin.lab_change import Case

app = noun("Mint documents that a verifier must refuse, and some it must accept.")


@verb(app, "list", "nitroctl lab list\nnitroctl lab list --json")
def list_() -> Result:
    """List the cases: what is wrong with each document, and the checks that must refuse it.

    A case that must be accepted names no check. Each is judged at the instant and in the profile it states: strict
    is AWS's published text to the letter, lenient what AWS really signs.
    """
    from nitroctl.standin import lab

    rows = [
        (
            case.name,
            "accepted" if case.accepted else f"refused by {', '.join(sorted(case.fails))}",
            case.description,
        )
        for case in lab.CASES
    ]
    return Result(
        schema="lab.list/1",
        data={"cases": [lab.as_json(case) for case in lab.CASES]},
        view=[Headline(_counted(lab.CASES)), Table(("name", "must be", "what is special"), rows)],
    )


@verb(
    app,
    "mint",
    """
nitroctl lab mint --all --out suite
nitroctl lab mint good cbor-nonce-twice --out two
""",
)
def mint(
    *,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Cases of the lab.", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every case.")] = False,
    out: Annotated[str, typer.Option("--out", help="Write the suite as this directory, new or empty.", metavar="DIR")],
) -> Result:
    """Write documents, the root they stand under, and a manifest that says what a verifier must make of each.

    The manifest (schema lab.manifest/1) has for each file its SHA-256, whether it must be accepted or refused, the
    checks that must refuse it, and the instant and profile to judge it at. All is written, or nothing. Keys are new
    in every suite, and so are the documents' bytes; names, instants and verdicts stay.
    """
    from nitroctl.standin import lab

    if all_ is bool(names):
        raise UsageError(
            "name cases or pass --all, not both" if names else "no case is named",
            "usage.invalid",
            ["nitroctl lab list names them; --all is every case"],
        )
    minted = lab.mint(lab.CASES if all_ else lab.find(names or ()), out)
    return Result(
        schema="lab.mint/1",
        data={
            "directory": minted.directory,
            "manifest": minted.manifest,
            "root": {"file": minted.root, "sha256": minted.root_sha256},
            "accepted": sum(case.accepted for case in minted.cases),
            "refused": sum(not case.accepted for case in minted.cases),
            "names": [case.name for case in minted.cases],
        },
        view=[
            Headline(f"minted {_counted(minted.cases)}"),
            Fields(
                [
                    ("directory", minted.directory),
                    ("manifest", minted.manifest),
                    ("root", minted.root),
                    ("root SHA-256", minted.root_sha256),
                ]
            ),
        ],
        notes=["the root's key was not kept: nothing else can be made under it"],
    )


def _counted(cases: "Sequence[Case]") -> str:
    accepted = sum(case.accepted for case in cases)
    many = f"{len(cases)} cases" if len(cases) != 1 else "1 case"
    return f"{many}: {accepted} must be accepted, {len(cases) - accepted} refused"
