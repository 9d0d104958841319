"""``nitroctl kms matrix``: whom a key policy lets do what from which image, in one table."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import kms_options as options
from nitroctl.cli.pcr_options import Component, Environment, Records
from nitroctl.errors import CannotAnswer
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = """
nitroctl kms matrix policy.json
nitroctl kms matrix policy.json --environment prod --json > matrix.json
nitroctl kms matrix policy.json --environment prod --expect matrix.json
"""


def matrix(
    file: Annotated[
        str,
        typer.Argument(help="The key policy, as aws kms get-key-policy prints it; - is stdin.", metavar="POLICY"),
    ],
    *,
    component: Component = None,
    environment: Environment = None,
    encryption_context: Annotated[
        list[str] | None,
        typer.Option(
            "--encryption-context",
            help="Every call carries this, in place of what statements ask for. Repeatable.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    key: options.KeyArn = None,
    ram_policy: options.RamPolicy = None,
    grants: options.Grants = None,
    context: options.Context = None,
    absent: options.Absent = None,
    expect: Annotated[
        str | None,
        typer.Option("--expect", help="The answer is no when this earlier answer with --json differs.", metavar="FILE"),
    ] = None,
    at: options.CalledAt = "now",
    records: Records = None,
) -> Result:
    """Say of every principal, action and image whether a key policy lets it by, in one table to sign.

    Principals are those that the policy tells apart; images the recorded ones, whatever their status, debug mode, an
    unknown image, and a recorded one with another signer, role or instance. What only callers whose IAM policies allow
    it too may do is told apart. --expect makes it a test: exit 1 when anything changed. Only files are read.
    """
    from nitroctl.cli import kms_matrix_view as view
    from nitroctl.cli import kms_prove_sources as sources
    from nitroctl.cli.kms_matrix_expect import read
    from nitroctl.cli.pcr_options import ledger_path
    from nitroctl.kms.classes_budget import Exhausted
    from nitroctl.kms.matrix import matrix as table
    from nitroctl.records import load

    options.one_stdin([file, ram_policy, grants, expect])
    instant, arn = options.instant(at), options.key_arn(key)
    given, contexts = options.given(context, absent), _contexts(encryption_context)
    found = sources.read(file, ram_policy=ram_policy, grants=grants)
    ledger = load(ledger_path(records), missing_ok=records is None)
    files = (*found.files, *([sources.records(records)] if len(ledger) or records else []))
    chosen = ledger.concerning(component, environment)
    before = None if expect is None else read(expect)
    try:
        made = table(found.policies, chosen, at=instant, key=arn, contexts=contexts, given=given)
    except Exhausted as error:
        raise CannotAnswer(
            f"{file}: the policy tells more callers apart than a table can hold", "kms.unproved"
        ) from error
    return view.result(made, found.policies, files, view.Shown(arn, records=len(chosen)), before)


def _contexts(texts: "Sequence[str] | None") -> "list[dict[str, str]] | None":
    from nitroctl.kms.generate import parse_context

    return [parse_context(texts)] if texts else None
