"""``nitroctl kms simulate``: whether KMS would allow a request, and which statement, condition and register decides."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.errors import UsageError
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from nitroctl.kms.grants import Grant
    from nitroctl.kms.operators import Actual

_ROLE = "arn:aws:iam::111122223333:role"

EXAMPLES = f"""
nitroctl kms simulate policy.json --principal {_ROLE}/signer --entry signer-1.4.2@prod
nitroctl kms simulate policy.json --principal {_ROLE}/signer --document signer.cbor --json
nitroctl kms simulate policy.json --principal {_ROLE}/admin --iam-policy admin.json
"""


def simulate(
    file: Annotated[
        str,
        typer.Argument(help="The key policy, as aws kms get-key-policy prints it; - is stdin.", metavar="POLICY"),
    ],
    *,
    principal: Annotated[
        str,
        typer.Option("--principal", help="Who calls: a role, a role's session, a user, an account.", metavar="ARN"),
    ],
    action: Annotated[str, typer.Option("--action", help="What is asked of KMS.", metavar="NAME")] = "Decrypt",
    document: Annotated[
        str | None,
        typer.Option("--document", help="The call carries this attestation document.", metavar="FILE"),
    ] = None,
    entry: Annotated[
        str | None,
        typer.Option("--entry", help="The call comes from this recorded version.", metavar="ENTRY"),
    ] = None,
    eif: Annotated[
        str | None, typer.Option("--eif", help="The call comes from this image, which is measured.", metavar="FILE")
    ] = None,
    pcr: Annotated[
        list[str] | None,
        typer.Option("--pcr", help="The call attests this register. Repeatable.", metavar="PCR=HEX"),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option("--platform", help="What --pcr is of: nitro-enclave (otherwise), nitro-tpm.", metavar="NAME"),
    ] = None,
    debug_mode: Annotated[
        bool,
        typer.Option(
            "--debug-mode", help="The enclave runs in debug mode: PCR0, PCR1, PCR2 are 0.", show_default=False
        ),
    ] = False,
    encryption_context: Annotated[
        list[str] | None,
        typer.Option("--encryption-context", help="The call carries this. Repeatable.", metavar="NAME=VALUE"),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="The key; KMS compares its account.", metavar="ARN")] = None,
    iam_policy: Annotated[
        list[str] | None,
        typer.Option("--iam-policy", help="An IAM policy of the caller. Repeatable.", metavar="FILE"),
    ] = None,
    no_iam_policy: Annotated[
        bool, typer.Option("--no-iam-policy", help="The caller has no IAM policy.", show_default=False)
    ] = False,
    ram_policy: Annotated[
        str | None,
        typer.Option("--ram-policy", help="The key's other policy, AWS_RAM, when it is shared.", metavar="FILE"),
    ] = None,
    grants: Annotated[
        str | None,
        typer.Option("--grants", help="The key's grants, as aws kms list-grants prints them.", metavar="FILE"),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", help="Another condition key of the call. Repeatable.", metavar="KEY=VALUE"),
    ] = None,
    absent: Annotated[
        list[str] | None,
        typer.Option("--absent", help="The call does not have this condition key. Repeatable.", metavar="KEY"),
    ] = None,
    at: Annotated[str, typer.Option("--at", help="When it is called: now, or RFC 3339.", metavar="TIME")] = "now",
    root: Annotated[
        list[str] | None,
        typer.Option("--root", help="With --document: accept this root in place of AWS's.", metavar="PEM"),
    ] = None,
    records: Annotated[
        str | None,
        typer.Option("--records", help="The file of recorded measurements.", metavar="FILE", show_default=False),
    ] = None,
) -> Result:
    """Say whether KMS would allow a request, and which statement, condition and register decides.

    Without --document, --entry, --eif or --pcr the call attests nothing. What was not given and matters (an IAM policy,
    a condition key) is no answer (exit 3), never a guess. Only files are read: AWS is not asked. Service and resource
    control policies, permissions boundaries, session and VPC endpoint policies are not looked at; they only deny.
    """
    from nitroctl.cli import kms_attested, kms_simulated
    from nitroctl.kms import actions, authorize, caller
    from nitroctl.kms.document import Kind, read
    from nitroctl.kms.request import Request

    _one_stdin([file, document, ram_policy, grants, *(iam_policy or [])])
    if no_iam_policy and iam_policy:
        raise UsageError("--no-iam-policy and --iam-policy contradict each other", "usage.invalid")
    asked = actions.parse(action)
    who = caller.parse(principal)
    instant = _instant(at)
    source = kms_attested.Asked(document, entry, eif, pcr or [], platform, debug_mode, root or [], records)
    attested = kms_attested.attested(source)
    encryption = _encryption_context(encryption_context)
    if encryption and asked not in actions.WITH_CONTEXT:
        raise UsageError(f"{asked} takes no encryption context", "usage.invalid", ["leave out --encryption-context"])
    policies = authorize.Policies(
        key=tuple(read(path) for path in (file, ram_policy) if path is not None),
        identity=None
        if iam_policy is None and not no_iam_policy
        else tuple(read(path, kind=Kind.IDENTITY) for path in iam_policy or []),
        grants=None if grants is None else _grants(grants),
    )
    request = Request(
        caller=who,
        action=asked,
        at=instant,
        key=_key(key),
        attested=attested.attested,
        encryption_context=encryption,
        given=_given(context or [], absent or []),
    )
    decision = authorize.decide(request, policies)
    return kms_simulated.result(decision, policies, attested, kms_attested.ledger(source))


def _encryption_context(texts: "Sequence[str] | None") -> "Mapping[str, str]":
    if not texts:
        return {}
    from nitroctl.kms.generate import parse_context

    return parse_context(texts)


def _grants(path: str) -> "tuple[Grant, ...]":
    from nitroctl.kms import grants

    return grants.read(path)


def _one_stdin(paths: "Sequence[str | None]") -> None:
    if sum(path == "-" for path in paths) > 1:
        raise UsageError("several files are standard input", "usage.invalid", ["name all but one of them"])


def _instant(text: str) -> "datetime":
    from nitroctl.cli.attest_options import instant

    found = instant(text)
    if found is None:
        raise UsageError("--at document: a call is made at a time of its own", "attest.at", ["write now, or RFC 3339"])
    return found


def _key(text: str | None) -> str:
    from nitroctl.kms.request import account_of_key

    if text is not None and not account_of_key(text):
        hint = "write arn:aws:kms:<region>:<account>:key/<id>, as aws kms describe-key shows it"
        raise UsageError(f"--key: not the ARN of a key: {text!r}", "kms.key", [hint])
    return text or ""


def _given(assigned: "Sequence[str]", absent: "Sequence[str]") -> "dict[str, Actual]":
    """Return the condition keys of --context and --absent; one that is given twice has several values."""
    from nitroctl.kms.operators import ABSENT, present
    from nitroctl.kms.request import register

    found: dict[str, Actual] = {}
    for text in assigned:
        name, sign, value = text.partition("=")
        if not sign or ":" not in name:
            raise UsageError(
                f"--context: not an assignment: {text!r}", "usage.invalid", ["write aws:PrincipalOrgID=o-1"]
            )
        if register(name) is not None:
            raise UsageError(f"--context: {name} is attested", "usage.invalid", ["give it with --pcr"])
        before = found.get(name.lower())
        found[name.lower()] = present(*(before.values if before else ()), value)
    for name in absent:
        if name.lower() in found:
            raise UsageError(f"--absent: {name} is also given by --context", "usage.invalid")
        found[name.lower()] = ABSENT
    return found
