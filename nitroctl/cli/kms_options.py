"""What the verbs about one request to KMS are asked: who calls, what the call carries, and what else decides."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from nitroctl.kms.authorize import Policies
    from nitroctl.kms.document import PolicyDocument
    from nitroctl.kms.grants import Grant
    from nitroctl.kms.operators import Actual

Principal = Annotated[
    str, typer.Option("--principal", help="Who calls: a role, a role's session, a user, an account.", metavar="ARN")
]
Records = Annotated[
    str | None,
    typer.Option("--records", help="The file of recorded measurements.", metavar="FILE", show_default=False),
]
Action = Annotated[str, typer.Option("--action", help="What is asked of KMS.", metavar="NAME")]
EncryptionContext = Annotated[
    list[str] | None,
    typer.Option("--encryption-context", help="The call carries this. Repeatable.", metavar="NAME=VALUE"),
]
KeyArn = Annotated[str | None, typer.Option("--key", help="The key; KMS compares its account.", metavar="ARN")]
IamPolicy = Annotated[
    list[str] | None, typer.Option("--iam-policy", help="An IAM policy of the caller. Repeatable.", metavar="FILE")
]
NoIamPolicy = Annotated[bool, typer.Option("--no-iam-policy", help="The caller has no IAM policy.", show_default=False)]
AnyIamPolicy = Annotated[
    bool, typer.Option("--any-iam-policy", help="The caller's IAM policies allow everything.", show_default=False)
]
RamPolicy = Annotated[
    str | None,
    typer.Option("--ram-policy", help="The key's other policy, AWS_RAM, when it is shared.", metavar="FILE"),
]
Grants = Annotated[
    str | None,
    typer.Option("--grants", help="The key's grants, as aws kms list-grants prints them.", metavar="FILE"),
]
Context = Annotated[
    list[str] | None,
    typer.Option("--context", help="Another condition key of the call. Repeatable.", metavar="KEY=VALUE"),
]
Absent = Annotated[
    list[str] | None,
    typer.Option("--absent", help="The call does not have this condition key. Repeatable.", metavar="KEY"),
]
CalledAt = Annotated[str, typer.Option("--at", help="When it is called: now, or RFC 3339.", metavar="TIME")]


def policies(
    policy: str,
    *,
    ram_policy: str | None,
    iam_policy: "Sequence[str] | None",
    no_iam_policy: bool,
    grant_file: str | None,
    any_iam_policy: bool = False,
) -> "Policies":
    """Return what decides, read from the files that were named. Raises UsageError, and CannotAnswer for a file."""
    from nitroctl.kms.authorize import Policies
    from nitroctl.kms.document import read

    own = identity(iam_policy, no_iam_policy=no_iam_policy, any_iam_policy=any_iam_policy)
    return Policies(
        key=tuple(read(path) for path in (policy, ram_policy) if path is not None),
        identity=own,
        grants=None if grant_file is None else _grants(grant_file),
    )


def identity(
    iam_policy: "Sequence[str] | None", *, no_iam_policy: bool, any_iam_policy: bool = False
) -> "tuple[PolicyDocument, ...] | None":
    """Return the caller's IAM policies, None when they were not given. Raises UsageError, and CannotAnswer."""
    from nitroctl.kms.document import Kind, read

    if no_iam_policy and (iam_policy or any_iam_policy):
        other = "--iam-policy" if iam_policy else "--any-iam-policy"
        raise UsageError(f"--no-iam-policy and {other} contradict each other", "usage.invalid")
    if iam_policy is None and not no_iam_policy and not any_iam_policy:
        return None
    found = tuple(read(path, kind=Kind.IDENTITY) for path in iam_policy or [])
    if any_iam_policy:
        from nitroctl.kms.everything import everything

        return (*found, everything())
    return found


def _grants(path: str) -> "tuple[Grant, ...]":
    from nitroctl.kms import grants

    return grants.read(path)


def encryption_context(texts: "Sequence[str] | None", action: str) -> "Mapping[str, str]":
    """Return the encryption context of a call of ``action``. Raises UsageError for one that takes none."""
    if not texts:
        return {}
    from nitroctl.kms import actions
    from nitroctl.kms.generate import parse_context

    if action not in actions.WITH_CONTEXT:
        raise UsageError(f"{action} takes no encryption context", "usage.invalid", ["leave out --encryption-context"])
    return parse_context(texts)


def one_stdin(paths: "Sequence[str | None]") -> None:
    """Refuse standard input that is named more than once. Raises UsageError."""
    if sum(path == "-" for path in paths) > 1:
        raise UsageError("several files are standard input", "usage.invalid", ["name all but one of them"])


def instant(text: str) -> "datetime":
    """Return when the call is made. Raises UsageError ``attest.at``."""
    from nitroctl.cli.attest_options import instant as parse

    found = parse(text)
    if found is None:
        raise UsageError("--at document: a call is made at a time of its own", "attest.at", ["write now, or RFC 3339"])
    return found


def key_arn(text: str | None) -> str:
    """Return the ARN of the key, empty when none was given. Raises UsageError ``kms.key``."""
    from nitroctl.kms.request import account_of_key

    if text is not None and not account_of_key(text):
        hint = "write arn:aws:kms:<region>:<account>:key/<id>, as aws kms describe-key shows it"
        raise UsageError(f"--key: not the ARN of a key: {text!r}", "kms.key", [hint])
    return text or ""


def given(assigned: "Sequence[str] | None", absent: "Sequence[str] | None") -> "dict[str, Actual]":
    """Return the condition keys of --context and --absent; one that is given twice has several values."""
    from nitroctl.kms.letters import folded
    from nitroctl.kms.operators import ABSENT, present
    from nitroctl.kms.request import register

    found: dict[str, Actual] = {}
    for text in assigned or []:
        name, sign, value = text.partition("=")
        if not sign or ":" not in name:
            raise UsageError(
                f"--context: not an assignment: {text!r}", "usage.invalid", ["write aws:PrincipalOrgID=o-1"]
            )
        if register(name) is not None:
            raise UsageError(f"--context: {name} is attested", "usage.invalid", ["give it with --pcr"])
        before = found.get(folded(name))
        found[folded(name)] = present(*(before.values if before else ()), value)
    for name in absent or []:
        if folded(name) in found:
            raise UsageError(f"--absent: {name} is also given by --context", "usage.invalid")
        found[folded(name)] = ABSENT
    return found
