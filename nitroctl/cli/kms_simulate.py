"""``nitroctl kms simulate``: whether KMS would allow a request, and which statement, condition and register decides."""

from typing import Annotated

import typer

from nitroctl.cli import kms_options as options
from nitroctl.render.result import Result

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
    principal: options.Principal,
    action: options.Action = "Decrypt",
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
    encryption_context: options.EncryptionContext = None,
    key: options.KeyArn = None,
    iam_policy: options.IamPolicy = None,
    no_iam_policy: options.NoIamPolicy = False,
    any_iam_policy: options.AnyIamPolicy = False,
    ram_policy: options.RamPolicy = None,
    grants: options.Grants = None,
    context: options.Context = None,
    absent: options.Absent = None,
    at: options.CalledAt = "now",
    root: Annotated[
        list[str] | None,
        typer.Option("--root", help="With --document: accept this root in place of AWS's.", metavar="PEM"),
    ] = None,
    records: options.Records = None,
) -> Result:
    """Say whether KMS would allow a request, and which statement, condition and register decides.

    Without --document, --entry, --eif or --pcr the call attests nothing. What was not given and matters (an IAM policy,
    a condition key) is no answer (exit 3), never a guess. Only files are read: AWS is not asked. Service and resource
    control policies, permissions boundaries, session and VPC endpoint policies are not looked at; they only deny.
    """
    from nitroctl.cli import kms_attested, kms_simulated
    from nitroctl.kms import actions, authorize, caller
    from nitroctl.kms.request import Request

    options.one_stdin([file, document, ram_policy, grants, *(iam_policy or [])])
    asked = actions.parse(action)
    who = caller.parse(principal)
    instant = options.instant(at)
    source = kms_attested.Asked(document, entry, eif, pcr or [], platform, debug_mode, root or [], records)
    attested = kms_attested.attested(source)
    encryption = options.encryption_context(encryption_context, asked)
    policies = options.policies(
        file,
        ram_policy=ram_policy,
        iam_policy=iam_policy,
        no_iam_policy=no_iam_policy,
        any_iam_policy=any_iam_policy,
        grant_file=grants,
    )
    request = Request(
        caller=who,
        action=asked,
        at=instant,
        key=options.key_arn(key),
        attested=attested.attested,
        encryption_context=encryption,
        given=options.given(context, absent),
    )
    decision = authorize.decide(request, policies)
    return kms_simulated.result(decision, policies, attested, kms_attested.ledger(source))
