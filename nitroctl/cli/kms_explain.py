"""``nitroctl kms explain``: why KMS refuses an attested call, and what to do about it."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import kms_options as options
from nitroctl.errors import UsageError
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from nitroctl.kms.live import LiveKey

_ROLE = "arn:aws:iam::111122223333:role"

EXAMPLES = f"""
nitroctl kms explain signer.cbor --policy policy.json --principal {_ROLE}/signer
nitroctl kms explain signer.cbor --policy policy.json --principal {_ROLE}/signer --at 2026-11-20T10:00:00Z --json
nitroctl kms explain signer.cbor --policy policy.json --principal {_ROLE}/signer --iam-policy signer-iam.json
nitroctl kms explain signer.cbor --key arn:aws:kms:eu-west-1:111122223333:alias/signer --principal {_ROLE}/signer
"""


def explain(
    document: Annotated[
        str,
        typer.Argument(help="The attestation document that the call carried; - is stdin.", metavar="DOCUMENT"),
    ],
    *,
    policy: Annotated[
        str | None,
        typer.Option("--policy", help="The key policy, as aws kms get-key-policy prints it.", metavar="FILE"),
    ] = None,
    principal: options.Principal,
    action: options.Action = "Decrypt",
    encryption_context: options.EncryptionContext = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            help="The key; KMS compares its account. Without --policy its policies and grants are read in AWS.",
            metavar="ARN",
        ),
    ] = None,
    iam_policy: options.IamPolicy = None,
    no_iam_policy: options.NoIamPolicy = False,
    ram_policy: options.RamPolicy = None,
    grants: options.Grants = None,
    context: options.Context = None,
    absent: options.Absent = None,
    at: options.CalledAt = "now",
    root: Annotated[
        list[str] | None,
        typer.Option("--root", help="Accept this root in place of AWS's.", metavar="PEM"),
    ] = None,
    records: options.Records = None,
) -> Result:
    """Say why KMS refuses an attested call, and what to do about it.

    For an AccessDeniedException or ValidationException: the document itself and its age, the statement that would have
    let the call in and what of it does not fit, the register that differs and since which recorded version, and every
    Deny. What files cannot show is said as possible. AWS is asked only where --policy is left out. What was not given
    and matters is no answer (exit 3).
    """
    from nitroctl.cli import attest_file, kms_attested, kms_explained
    from nitroctl.cli import attest_options as judging
    from nitroctl.kms import actions, caller
    from nitroctl.kms.explain import explain as explained
    from nitroctl.kms.explain_document import present
    from nitroctl.kms.request import Request

    options.one_stdin([document, policy, ram_policy, grants, *(iam_policy or [])])
    asked = actions.parse(action)
    who, at_ = caller.parse(principal), options.instant(at)
    context_sent, given = options.encryption_context(encryption_context, asked), options.given(context, absent)
    live = None
    if policy is None:
        own = options.identity(iam_policy, no_iam_policy=no_iam_policy)
        live = _live(key, ram_policy, grants)
        policies = live.decisive(own)
    else:
        policies = options.policies(
            policy, ram_policy=ram_policy, iam_policy=iam_policy, no_iam_policy=no_iam_policy, grant_file=grants
        )
    request = Request(
        caller=who,
        action=asked,
        at=at_,
        key=live.arn if live else options.key_arn(key),
        encryption_context=context_sent,
        given=given,
    )
    ledger = kms_attested.ledger(
        kms_attested.Asked(None, None, None, [], None, debug_mode=False, root=[], records=records)
    )
    name = "standard input" if document == "-" else document
    presented = present(
        attest_file.unwrap(document).cbor,
        where=name,
        at=request.at,
        roots=judging.roots(root or None),
        assumed=at == "now",
    )
    return kms_explained.result(explained(presented, request, policies, ledger), policies, ledger, name, live)


def _live(key: str | None, ram_policy: str | None, grants: str | None) -> "LiveKey":
    """Return the key in AWS. Raises UsageError when there is none to read, or files would say the same."""
    if key is None:
        raise UsageError(
            "no key policy to go by", "usage.invalid", ["name its file with --policy, or a key in AWS with --key ARN"]
        )
    if ram_policy is not None or grants is not None:
        raise UsageError(
            "AWS says what --ram-policy and --grants would", "usage.invalid", ["leave them out, or add --policy FILE"]
        )
    from nitroctl import aws

    return aws.keys.read(key)
