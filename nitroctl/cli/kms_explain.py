"""``nitroctl kms explain``: why KMS refuses an attested call, and what to do about it."""

from typing import Annotated

import typer

from nitroctl.cli import kms_options as options
from nitroctl.render.result import Result

_ROLE = "arn:aws:iam::111122223333:role"

EXAMPLES = f"""
nitroctl kms explain signer.cbor --policy policy.json --principal {_ROLE}/signer
nitroctl kms explain signer.cbor --policy policy.json --principal {_ROLE}/signer --at 2026-11-20T10:00:00Z --json
nitroctl kms explain signer.cbor --policy policy.json --principal {_ROLE}/signer --iam-policy signer-iam.json
"""


def explain(
    document: Annotated[
        str,
        typer.Argument(help="The attestation document that the call carried; - is stdin.", metavar="DOCUMENT"),
    ],
    *,
    policy: Annotated[
        str,
        typer.Option("--policy", help="The key policy, as aws kms get-key-policy prints it.", metavar="FILE"),
    ],
    principal: options.Principal,
    action: options.Action = "Decrypt",
    encryption_context: options.EncryptionContext = None,
    key: options.KeyArn = None,
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
    records: Annotated[
        str | None,
        typer.Option("--records", help="The file of recorded measurements.", metavar="FILE", show_default=False),
    ] = None,
) -> Result:
    """Say why KMS refuses an attested call, and what to do about it.

    For an AccessDeniedException or ValidationException: the document itself and its age, the statement that would have
    let the call in and what of it does not fit, the register that differs and since which recorded version, and every
    Deny. What files cannot show is said as possible. Offline; what was not given and matters is no answer (exit 3).
    """
    from nitroctl.cli import attest_file, kms_attested, kms_explained
    from nitroctl.cli import attest_options as judging
    from nitroctl.kms import actions, caller
    from nitroctl.kms.explain import explain as explained
    from nitroctl.kms.explain_document import present
    from nitroctl.kms.request import Request

    options.one_stdin([document, policy, ram_policy, grants, *(iam_policy or [])])
    asked = actions.parse(action)
    request = Request(
        caller=caller.parse(principal),
        action=asked,
        at=options.instant(at),
        key=options.key_arn(key),
        encryption_context=options.encryption_context(encryption_context, asked),
        given=options.given(context, absent),
    )
    policies = options.policies(
        policy, ram_policy=ram_policy, iam_policy=iam_policy, no_iam_policy=no_iam_policy, grant_file=grants
    )
    ledger = kms_attested.ledger(
        kms_attested.Asked(None, None, None, [], None, debug_mode=False, root=[], records=records)
    )
    name = "standard input" if document == "-" else document
    presented = present(attest_file.unwrap(document).cbor, where=name, at=request.at, roots=judging.roots(root or None))
    return kms_explained.result(explained(presented, request, policies, ledger), policies, ledger, name)
