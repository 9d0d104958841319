"""``nitroctl kms lint``: what is wrong with key policies, rule by rule, with line and fix."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.errors import NitroctlError, UsageError
from nitroctl.render.result import Result, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.cli.kms_lint_view import Asked, Linted
    from nitroctl.kms.lint_reading import Wanted
    from nitroctl.kms.lint_sources import Source

EXAMPLES = """
nitroctl kms lint policy.json --records measurements.json --facts key.json --grants grants.json
nitroctl kms lint plan.json template.yaml --format sarif
nitroctl kms lint policy.json --fix --dry-run
nitroctl kms lint --key arn:aws:kms:eu-west-1:111122223333:alias/signer --records measurements.json
"""


def lint(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Key policies as aws kms get-key-policy prints them, Terraform plans (terraform show -json),"
            " CloudFormation templates; - is stdin.",
            metavar="FILE...",
        ),
    ] = None,
    *,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            help="In place of files: this key in AWS, its policies, grants and description.",
            metavar="ARN",
        ),
    ] = None,
    facts: Annotated[
        list[str] | None,
        typer.Option(
            "--facts",
            help="What aws kms describe-key or list-key-policies prints of the key. Repeatable.",
            metavar="FILE",
        ),
    ] = None,
    grants: Annotated[
        str | None,
        typer.Option("--grants", help="The key's grants, as aws kms list-grants prints them.", metavar="FILE"),
    ] = None,
    records: Annotated[
        str | None, typer.Option("--records", help="Compare registers with these records.", metavar="FILE")
    ] = None,
    policy_writer: Annotated[
        list[str] | None,
        typer.Option("--policy-writer", help="Role that is meant to replace the policy. Repeatable.", metavar="ARN"),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", help="A parameter of the template. Repeatable.", metavar="NAME=VALUE"),
    ] = None,
    fail_on: Annotated[
        str,
        typer.Option(
            "--fail-on", help="The answer is no from this on: critical, high, medium, low, info.", metavar="SEVERITY"
        ),
    ] = "high",
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", help="Tell of this rule's findings, but do not fail. Repeatable.", metavar="RULE"),
    ] = None,
    allow_debug: Annotated[
        bool, typer.Option("--allow-debug", help="The key is for tests: zero registers are meant.", show_default=False)
    ] = False,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Write the policy again with what can be mended safely.", show_default=False),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --fix: show the change, and write nothing.", show_default=False)
    ] = False,
) -> Result:
    """Say what is wrong with key policies that are meant to be bound to attestation.

    Rules KP001 to KP052 (docs/kms-lint.md), each finding with statement, line, reason and fix. Without --key only files
    are read, and what was not given is not judged. No finding is no proof: ask kms prove, or kms simulate of a request.
    """
    from nitroctl.cli import kms_lint_view as view
    from nitroctl.kms.lint_rules import Severity

    if fail_on not in list(Severity):
        raise UsageError(f"--fail-on: not one of {', '.join(Severity)}: {fail_on!r}", "usage.invalid")
    files = files or []
    about = _About(tuple(facts or []), grants)
    _refuse_contradictions(files, about, fix=fix, dry_run=dry_run)
    if key is not None and (files or facts or grants is not None or parameter or fix):
        hint = "leave files, --facts, --grants, --parameter and --fix out"
        raise UsageError("--key is judged by itself: AWS says what files would", "usage.invalid", [hint])
    if key is None and not files:
        raise UsageError("no policy to judge", "usage.invalid", ["name a file, or a key in AWS: --key ARN"])
    judged = view.Asked(
        fail_on=Severity(fail_on),
        accepted=tuple(_rule(text) for text in accept or []),
        wanted=_wanted(policy_writer, records, debug=allow_debug),
    )
    if key is not None:
        return _live(key, judged)
    parameters = _parameters(parameter or [])
    if fix:
        return _fixed(files[0], about, judged, dry_run=dry_run)
    if len(files) == 1:
        return view.one(_linted(files[0], about, parameters, judged), judged)
    answers: list[Linted | Subject] = []
    for path in files:
        try:
            answers.append(_linted(path, about, parameters, judged))
        except NitroctlError as error:
            if not error.code.startswith(("file.", "json.", "kms.document", "kms.template")):
                raise
            answers.append(Subject(path, [], refused=False, trouble=error))
    return view.several(answers, judged)


def _refuse_contradictions(files: "Sequence[str]", about: "_About", *, fix: bool, dry_run: bool) -> None:
    if [*files, *about.facts, about.grants].count("-") > 1:
        raise UsageError("several files are standard input", "usage.invalid", ["name all but one of them"])
    if dry_run and not fix:
        raise UsageError("--dry-run is for --fix: without it nothing is written", "usage.invalid")
    if fix and len(files) > 1:
        raise UsageError("--fix is for one policy", "usage.invalid", ["name one file"])


def _live(key: str, judged: "Asked") -> Result:
    """Return what the rules say of every policy of a key in AWS, with all that AWS tells of the key."""
    import dataclasses

    from nitroctl import aws
    from nitroctl.cli import kms_lint_view as view

    live = aws.keys.read(key)
    answer = view.one(view.linted_key(live, judged), judged)
    read_at = live.read_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    notes = [f"the key is judged as AWS told of it at {read_at}; lines are those of the policy as KMS prints it"]
    if live.state != "Enabled":
        notes.append(f"the key is {live.state}: KMS does not use it for data now")
    if live.replicas:
        notes.append(f"not judged: the same key, with a policy of its own each, in {', '.join(live.replicas)}")
    return dataclasses.replace(answer, notes=[*notes, *answer.notes])


@dataclass(frozen=True, slots=True)
class _About:
    """Files about the key beside its policy."""

    facts: tuple[str, ...]
    grants: str | None


def _linted(path: str, about: "_About", parameters: dict[str, str], judged: "Asked") -> "Linted":
    """Return what the rules say of every policy in a file."""
    from nitroctl.cli import kms_lint_view as view
    from nitroctl.errors import CannotAnswer
    from nitroctl.kms import lint_sources

    try:
        source = lint_sources.read(path, parameters)
    except CannotAnswer as error:
        if error.code != "json.duplicate-key":
            raise
        return view.doubled(path, error)  # what readers understand differently is a finding, and nothing else is one
    return view.linted(_known(source, about), judged)


def _known(source: "Source", about: "_About") -> "Source":
    """Return the source with what is known of the key beside its policy."""
    import dataclasses

    from nitroctl.kms import grants as granted
    from nitroctl.kms import lint_key

    if not about.facts and about.grants is None:
        return source
    if source.kind != "policy":
        raise UsageError("--facts and --grants are about one key: a template or plan may have several", "usage.invalid")
    [subject] = source.subjects
    key = subject.key
    for path in about.facts:
        key = lint_key.read(path, key)
    if about.grants is not None:
        key = dataclasses.replace(key, grants=granted.read(about.grants))
    return dataclasses.replace(source, subjects=(dataclasses.replace(subject, key=key),))


def _fixed(path: str, about: "_About", judged: "Asked", *, dry_run: bool) -> Result:
    from nitroctl import safefile, strict_json
    from nitroctl.cli import kms_lint_view as view
    from nitroctl.errors import CannotAnswer
    from nitroctl.kms import document, lint_fix, lint_sources

    if path == "-":
        raise UsageError("--fix writes the file again, and standard input is none", "usage.invalid", ["name a file"])
    source = lint_sources.read(path, {})
    before = safefile.read_text(path, limit=lint_sources.SIZE_LIMIT)
    written = strict_json.parse(before, where=path) if source.kind == "policy" else None
    if not isinstance(written, dict) or "Statement" not in written:
        raise CannotAnswer(
            f"{path}: not a policy by itself, so it cannot be written again",
            "kms.not-fixable",
            ["change it where the policy is written"],
        )
    mended = lint_fix.fix(written)
    after = lint_fix.dumps(mended) if mended != written else before
    if not dry_run and after != before:
        safefile.replace(path, after.encode())
    subject = lint_sources.Subject(name="", document=document.parse(after, where=path), key=source.subjects[0].key)
    changed = lint_sources.Source(path=path, kind="policy", subjects=(subject,))
    return view.one(view.linted(_known(changed, about), judged), judged, fix=view.Fix(before, after, dry_run=dry_run))


def _wanted(writers: "Sequence[str] | None", records: str | None, *, debug: bool) -> "Wanted":
    from nitroctl import records as ledger
    from nitroctl.kms.lint_reading import Wanted
    from nitroctl.kms.principals import roles

    return Wanted(
        writers=None if writers is None else tuple(role.arn for role in roles(writers, option="--policy-writer")),
        ledger=None if records is None else ledger.load(records),
        debug=debug,
    )


def _rule(text: str) -> str:
    from nitroctl.kms.lint_rules import RULES

    number = text.strip().partition(".")[0].upper()
    if number not in RULES:
        raise UsageError(f"--accept: no such rule: {text!r}", "kms.rule", ["write KP001 to KP052"])
    return number


def _parameters(texts: "Sequence[str]") -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--parameter: not NAME=VALUE: {text!r}", "usage.invalid")
        found[name] = value
    return found
