"""``nitroctl attest policy``: write, check and show what makes evidence acceptable."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from nitroctl.cli.tree import noun, verb
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Raw, Text, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.appraisal.policy import ReferenceValues
    from nitroctl.appraisal.policy_file import PolicyFile
    from nitroctl.checks import Report

app = noun("Write, check and show appraisal policies: what makes evidence acceptable.")

_STARTING: Final = "starting_policy.yaml"

PolicyArgument = Annotated[str, typer.Argument(help="The policy: YAML, or JSON.", metavar="FILE")]


@verb(
    app,
    "init",
    """
nitroctl attest policy init --output policy.yaml
nitroctl attest policy init
""",
)
def init(
    output: Annotated[
        str | None,
        typer.Option("--output", help="Write it to this file, which must not be there yet.", metavar="FILE"),
    ] = None,
) -> Result:
    """Write a policy to start from, every field explained beside it.

    It accepts the active entries of measurements.json beside it, with a nonce, for five minutes.
    """
    from importlib import resources

    text = resources.files("nitroctl.appraisal").joinpath(_STARTING).read_text("utf-8")
    data: dict[str, object] = {"output": output, "policy": text}
    if output is None:
        return Result(schema="attest.policy.init/1", data=data, view=[Raw(text)])
    _write_new(output, text)
    view: list[Block] = [
        Headline(f"wrote a policy to start from to {output}"),
        Text(f"Next: nitroctl attest policy check {output}"),
    ]
    return Result(schema="attest.policy.init/1", data=data, view=view)


def _write_new(output: str, text: str) -> None:
    import os.path

    from nitroctl import safefile
    from nitroctl.errors import CannotAnswer, UsageError

    if output == safefile.STDIN:
        raise UsageError("--output -: the policy goes to standard output without --output", "usage.invalid")
    if os.path.lexists(output):
        raise CannotAnswer(
            f"{output}: is there already, and a policy is not overwritten",
            "file.exists",
            ["name another file, or move this one away"],
        )
    safefile.replace(output, text.encode("utf-8"))


@verb(
    app,
    "check",
    """
nitroctl attest policy check policy.yaml
nitroctl attest policy check policy.yaml --json
""",
)
def check(file: PolicyArgument) -> Result:
    """Check that a policy can be used: well-formed, with reference values, and no contradiction seen in it.

    Exit status 1 when not. Warnings say where it is weaker than it looks: no nonce, debug mode, the signer alone. Not
    every contradiction can be seen: judge a document that should be acceptable before relying on it.
    """
    from nitroctl.appraisal import policy_review
    from nitroctl.checks import Outcome, Report

    report, found = policy_review.review(file, _recorded)
    warnings = len(report.having(Outcome.WARN))
    view: list[Block] = [
        Headline(_sentence(report, file, warnings), Outcome.FAIL if not report.passed else Outcome.PASS),
        *([Fields(_identity(found))] if found else []),
    ]
    told = [*report.having(Outcome.FAIL), *report.having(Outcome.WARN)]
    if told:
        view += [Text(""), Checks(Report.of(told))]
    data: dict[str, object] = {
        "file": file,
        "usable": report.passed,
        "sha256": found.sha256 if found else None,
        "report": report.as_json(),
    }
    return Result(
        schema="attest.policy.check/1", data=data, view=view, refused=not report.passed, report=report, subject=file
    )


def _sentence(report: "Report", file: str, warnings: int) -> str:
    from nitroctl.checks import Outcome

    failed = report.having(Outcome.FAIL)
    if failed:
        return f"{file}: cannot be used: {failed[0].detail}"
    if not warnings:
        return f"{file}: can be used"
    return f"{file}: can be used; {warnings} thing{'s' if warnings > 1 else ''} to know"


def _recorded(found: "PolicyFile") -> "Sequence[ReferenceValues]":
    """Return the reference values of the ledger that a policy names: those that accept."""
    from nitroctl.cli.attest_options import reference_values
    from nitroctl.records import load

    path = found.records_path
    return reference_values(load(path), found)[0] if path else ()


def _identity(found: "PolicyFile") -> list[tuple[str, Value]]:
    rows: list[tuple[str, Value]] = [("description", found.description)] if found.description else []
    return [*rows, ("SHA-256", f"{found.sha256}, of its canonical form")]


@verb(
    app,
    "show",
    """
nitroctl attest policy show policy.yaml
nitroctl attest policy show policy.yaml --json
""",
)
def show(file: PolicyArgument) -> Result:
    """Show what a policy requires in words, and its digest.

    The digest is that of the canonical form, which --json shows: comments, order and white space do not change it. It
    goes with every verdict made under the policy.
    """
    from nitroctl.appraisal import policy_file, policy_review

    found = policy_file.read(file)
    words = policy_review.words(found)
    data: dict[str, object] = {
        "file": file,
        "sha256": found.sha256,
        "policy": found.canonical,
        "requires": [{"what": what, "requirement": text} for what, text in words],
    }
    view: list[Block] = [
        Headline(f"{file}: an appraisal policy"),
        Fields(_identity(found)),
        Fields([(label, text) for label, text in words], title="Requires"),
    ]
    return Result(schema="attest.policy.show/1", data=data, view=view)
