"""``nitroctl kms generate``: the key policy of recorded measurements."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Fields, Headline, Raw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.kms.generate import Targets
    from nitroctl.kms.key_policy import KeyPolicy
    from nitroctl.records import Entry

_ROLE: Final = "arn:aws:iam::111122223333:role"

EXAMPLES = (
    f"nitroctl kms generate --enclave-role {_ROLE}/signer --admin-role {_ROLE}/admin --policy-writer {_ROLE}/policy"
)


def generate(
    *,
    enclave_role: Annotated[
        list[str],
        typer.Option(
            "--enclave-role", help="Role of the enclave's parent: it may use the key. Repeatable.", metavar="ARN"
        ),
    ],
    admin_role: Annotated[
        list[str],
        typer.Option("--admin-role", help="Role that manages the key, without data. Repeatable.", metavar="ARN"),
    ],
    policy_writer: Annotated[
        list[str], typer.Option("--policy-writer", help="Role that may replace this policy. Repeatable.", metavar="ARN")
    ],
    component: Annotated[
        list[str] | None, typer.Option("--component", help="Releases of this component. Repeatable.", metavar="NAME")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="Releases for this environment.", metavar="NAME")
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(
            "--action",
            help="What the enclave may do: Decrypt, DeriveSharedSecret, GenerateDataKey, GenerateDataKeyPair."
            " Repeatable; Decrypt when not given.",
            metavar="NAME",
        ),
    ] = None,
    encryption_context: Annotated[
        list[str] | None,
        typer.Option("--encryption-context", help="Require this in every request. Repeatable.", metavar="NAME=VALUE"),
    ] = None,
    compact: Annotated[bool, typer.Option("--compact", help="Without white space: the form to send.")] = False,
    output: Annotated[str | None, typer.Option("--output", help="Write it to this file.", metavar="FILE")] = None,
    records: Annotated[
        str | None, typer.Option("--records", help="The file of recorded measurements.", metavar="FILE")
    ] = None,
) -> Result:
    """Write the key policy that lets the enclaves of active records use a key, and nobody else.

    One Allow for each active release, and explicit Denies that also hold against IAM policies and grants: no
    attestation, an image that is not recorded, debug mode, re-encryption, new grants. AWS is not asked anything.
    """
    from nitroctl import records as ledger
    from nitroctl import settings
    from nitroctl.kms import generate as kms
    from nitroctl.kms.principals import roles

    targets = kms.Targets(
        enclave_roles=roles(enclave_role, option="--enclave-role"),
        admin_roles=roles(admin_role, option="--admin-role"),
        policy_writers=roles(policy_writer, option="--policy-writer"),
        actions=tuple(kms.parse_action(name) for name in action or ["Decrypt"]),
        encryption_context=kms.parse_context(encryption_context or []),
    )
    path = settings.load({"records": records})["records"]
    if output is not None:
        _hold_output_apart(output, path)
    entries = kms.releases(ledger.load(path), components=component or [], environment=environment)
    policy = kms.generate(entries, targets)
    text = policy.compact() if compact else policy.pretty() + "\n"
    if output is not None:
        from nitroctl import safefile

        safefile.replace(output, text.encode("ascii"))
    notes = _limits(text, targets)
    return _generated(policy, text, entries, notes=notes, records=path, output=output)


def _hold_output_apart(output: str, records: str) -> None:
    import os.path

    if output == "-":
        raise UsageError("--output -: the policy goes to standard output without --output", "usage.invalid")
    if os.path.realpath(output) == os.path.realpath(records):
        raise UsageError("--output would overwrite the recorded measurements", "usage.invalid", ["name another file"])


def _generated(
    policy: "KeyPolicy", text: str, entries: "Sequence[Entry]", *, notes: list[str], records: str, output: str | None
) -> Result:
    from nitroctl.kms.key_policy import SIZE_LIMIT

    data: dict[str, object] = {
        "records": records,
        "releases": [entry.id for entry in entries],
        "policy": policy.document(),
        "statements": [
            {"sid": each.sid, "effect": each.effect.value, "purpose": each.purpose}
            | ({"entry": each.entry} if each.entry else {})
            for each in policy.statements
        ],
        "size_bytes": policy.size,
        "limit_bytes": SIZE_LIMIT,
        "remaining_bytes": policy.left,
    }
    size = f"{policy.size} bytes as compact JSON; KMS takes {SIZE_LIMIT}, {policy.left} are left"
    if output is None:
        view: list[Block] = [Raw(text if text.endswith("\n") else f"{text}\n")]
        return Result(schema="kms.generate/1", data=data, view=view, notes=[size, *notes])
    view = [
        Headline(f"wrote the key policy of {', '.join(entry.id for entry in entries)} to {output}"),
        Fields([("records", records), ("size", size)]),
        Fields([(each.sid, each.purpose) for each in policy.statements], title="Statements"),
    ]
    return Result(schema="kms.generate/1", data={**data, "output": output}, view=view, notes=notes)


def _limits(text: str, targets: "Targets") -> list[str]:
    """Return what the reader must know that the policy itself does not say."""
    from nitroctl.kms.key_policy import SIZE_LIMIT

    notes = [
        "nothing was checked against AWS: neither the key nor that the roles exist",
        (
            "not looked at: grants that exist, for what the Denies leave them (aws kms list-grants); the roles' IAM"
            " policies; a second policy of the key (AWS_RAM); replicas of a multi-Region key"
        ),
        "nobody is allowed kms:Encrypt; add a statement of your own for who prepares the secrets, under another Sid",
        "apply it as a --policy-writer: KMS refuses a policy that would lock its caller out",
    ]
    if len(text) > SIZE_LIMIT:
        notes.insert(0, f"this form has {len(text)} bytes, more than KMS takes: send the form that --compact prints")
    accounts = {role.account for role in targets.admin_roles}
    foreign = sorted({role.arn for role in targets.enclave_roles if role.account not in accounts})
    if foreign:
        notes.append(f"of another account than the admins, which must allow it too: {', '.join(foreign)}")
    return notes
