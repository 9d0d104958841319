"""``nitroctl kms diff``: in what two key policies differ, or a live key's from one in a file."""

from typing import Annotated

import typer

from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Headline

_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

EXAMPLES = f"""
nitroctl kms diff policy.json --key {_KEY}
nitroctl kms diff old.json new.json
"""


def diff(
    files: Annotated[
        list[str],
        typer.Argument(
            help="One key policy, which the live key's is compared with, or two; - is stdin.", metavar="POLICY..."
        ),
    ],
    *,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The key in AWS: its ARN, or the ARN of an alias.", metavar="ARN"),
    ] = None,
) -> Result:
    """Say in what two key policies differ, statement by statement: the one before it, and what it would become.

    With --key the first is the policy that the key has in AWS. Compared is what the policies say, not how they are
    written: KMS writes a policy again in its own way. Exit 1 when they differ.
    """
    from nitroctl.checks import Outcome
    from nitroctl.cli import kms_diff_view as view
    from nitroctl.cli import kms_live
    from nitroctl.kms import canonical

    if len(files) != (2 if key is None else 1):
        wanted = "two policies, or one and --key ARN" if key is None else "one policy to compare with the key's"
        raise UsageError(f"{len(files)} policies: write {wanted}", "usage.invalid")
    if files.count("-") > 1:
        raise UsageError("several files are standard input", "usage.invalid", ["name one of them"])
    notes: list[str] = []
    after = kms_live.of_file(files[-1])
    if key is None:
        before = kms_live.of_file(files[0])
    else:
        from nitroctl import aws

        live = aws.keys.read(key)
        before, notes = kms_live.of_key(live), kms_live.notes(live)
    difference = canonical.difference(before.document, after.document)
    same = "say the same" if difference.none else f"differ: {view.counted(difference)}"
    return Result(
        schema="kms.diff/1",
        data={"before": before.as_json(), "after": after.as_json(), "difference": view.as_json(difference)},
        view=[
            Headline(f"{before.where} and {after.where} {same}", Outcome.PASS if difference.none else Outcome.FAIL),
            *view.blocks(difference),
        ],
        refused=not difference.none,
        notes=notes,
    )
