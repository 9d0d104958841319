"""``nitroctl kms generate``: the key policy of recorded measurements."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from nitroctl.errors import UsageError
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from nitroctl.cli.kms_generate_result import Layered, Made
    from nitroctl.kms.generate_onto import Existing
    from nitroctl.kms.infrastructure import Form
    from nitroctl.kms.targets import Placement, Targets
    from nitroctl.kms.targets_file import KeyTargets

    _T = TypeVar("_T")

_ROLE: Final = "arn:aws:iam::111122223333:role"

EXAMPLES = f"""
nitroctl kms generate --enclave-role {_ROLE}/signer --admin-role {_ROLE}/admin --policy-writer {_ROLE}/policy
nitroctl kms generate --targets targets.yaml --as terraform
nitroctl kms generate --targets targets.yaml --onto current.json --output policy.json
nitroctl kms generate --init --output new-targets.yaml
"""


def generate(
    *,
    targets: Annotated[
        str | None,
        typer.Option("--targets", help="Roles, context and releases of keys: YAML or JSON.", metavar="FILE"),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", help="The key in --targets, when it has several.", metavar="NAME"),
    ] = None,
    enclave_role: Annotated[
        list[str] | None,
        typer.Option(
            "--enclave-role", help="Role of the enclave's parent: it may use the key. Repeatable.", metavar="ARN"
        ),
    ] = None,
    admin_role: Annotated[
        list[str] | None,
        typer.Option("--admin-role", help="Role that manages the key, without data. Repeatable.", metavar="ARN"),
    ] = None,
    policy_writer: Annotated[
        list[str] | None,
        typer.Option("--policy-writer", help="Role that may replace this policy. Repeatable.", metavar="ARN"),
    ] = None,
    data_writer: Annotated[
        list[str] | None,
        typer.Option(
            "--data-writer",
            help="Role that may encrypt without attestation, to prepare secrets. Repeatable.",
            metavar="ARN",
        ),
    ] = None,
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
    parent_role: Annotated[
        list[str] | None,
        typer.Option("--parent-role", help="Only where the parent carries this role: PCR3. Repeatable.", metavar="ARN"),
    ] = None,
    parent_instance: Annotated[
        list[str] | None,
        typer.Option("--parent-instance", help="Only on this EC2 instance: PCR4. Repeatable.", metavar="ID"),
    ] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option(
            "--signer", help="Only images signed with this certificate: PCR8, or a PEM. Repeatable.", metavar="FILE"
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The key's ARN, for what is written; AWS is not asked.", metavar="ARN"),
    ] = None,
    onto: Annotated[
        str | None,
        typer.Option(
            "--onto",
            help="A policy that is there: statements of yours stay as they are, nitroctl's are replaced; - is stdin.",
            metavar="FILE",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="json (also for the CDK), compact, terraform or cloudformation; json when not given.",
            metavar="FORM",
        ),
    ] = None,
    compact: Annotated[bool, typer.Option("--compact", help="As --as compact: the form to send.")] = False,
    output: Annotated[str | None, typer.Option("--output", help="Write it to this file.", metavar="FILE")] = None,
    records: Annotated[
        str | None, typer.Option("--records", help="The file of recorded measurements.", metavar="FILE")
    ] = None,
    init: Annotated[bool, typer.Option("--init", help="Write targets to start from, every field explained.")] = False,
) -> Result:
    """Write the key policy that lets the enclaves of active records use a key, and nobody else.

    One Allow for each active release, and explicit Denies that also hold against IAM policies and grants: no
    attestation, an image that is not recorded, debug mode, re-encryption, new grants. AWS is not asked anything.
    An option takes the place of the field in --targets that it stands for. With --onto the answer is no (1), and
    nothing is written, when a statement that stays shuts a release out or lets somebody else in.
    """
    from nitroctl import records as ledger
    from nitroctl import settings
    from nitroctl.cli import kms_generate_result as result
    from nitroctl.kms import generate as kms
    from nitroctl.kms import infrastructure

    if init:
        given = [targets, target, enclave_role, admin_role, policy_writer, key, form, onto]
        return result.start(output, alone=not compact and all(each is None for each in given))
    chosen = _form(form, compact=compact)
    name, found = _file(targets, target)
    wanted = _targets(
        found,
        roles=(enclave_role, admin_role, policy_writer, data_writer),
        actions=action,
        context=encryption_context,
        places=(parent_role, parent_instance, signer),
        key=key,
    )
    path = settings.load({"records": records})["records"]
    if output is not None:
        _hold_output_apart(output, {"the recorded measurements": path, "the targets": targets})
    entries = kms.releases(
        ledger.load(path),
        components=component or (found.components if found else ()),
        environment=environment or (found.environment if found else None),
        records=records,
    )
    existing = _existing(onto)
    policy = kms.generate(entries, wanted, existing.kept) if existing else kms.generate(entries, wanted)
    text = infrastructure.write(policy, chosen, wanted, name=name or infrastructure.UNNAMED)
    made = result.Made(policy, text, chosen, wanted, entries, path, output)
    layered = _layered(made, existing, onto) if existing and onto else None
    if output is not None and (layered is None or layered.report.passed):
        from nitroctl import safefile

        safefile.replace(output, text.encode())
    source = {"file": targets, "name": name} if targets is not None else None
    return result.generated(made, source=source, layered=layered)


def _existing(path: str | None) -> "Existing | None":
    if path is None:
        return None
    from nitroctl.kms import document, generate_onto

    return generate_onto.split(document.read(path))


def _layered(made: "Made", existing: "Existing", onto: str) -> "Layered":
    from datetime import UTC, datetime

    from nitroctl.cli.kms_generate_result import Layered
    from nitroctl.kms import generate_judge

    at = datetime.now(UTC).replace(microsecond=0)
    return Layered(onto, existing, at, generate_judge.judge(made.policy, made.entries, made.targets, at=at))


def _form(name: str | None, *, compact: bool) -> "Form":
    from nitroctl.kms.infrastructure import Form

    if name is None:
        return Form.COMPACT if compact else Form.JSON
    if name not in set(Form):
        raise UsageError(f"--as: no such form: {name!r}", "usage.invalid", [f"one of {', '.join(Form)}"])
    if compact and name != Form.COMPACT:
        raise UsageError(f"--compact and --as {name} are two forms", "usage.invalid", ["leave one out"])
    return Form(name)


def _file(path: str | None, name: str | None) -> "tuple[str | None, KeyTargets | None]":
    if path is None:
        if name is not None:
            raise UsageError("--target names a key of --targets, which is not given", "usage.invalid")
        return None, None
    from nitroctl.kms import targets_file

    found = targets_file.read(path)
    chosen = found.choose(name)
    return chosen, found.keys[chosen]


def _targets(
    found: "KeyTargets | None",
    *,
    roles: "tuple[Sequence[str] | None, ...]",
    actions: "Sequence[str] | None",
    context: "Sequence[str] | None",
    places: "tuple[Sequence[str] | None, ...]",
    key: str | None,
) -> "Targets":
    """Return the targets of the file, with the options that are given in place of its fields."""
    import dataclasses

    from nitroctl.kms import principals
    from nitroctl.kms import targets as kms

    nobody = kms.Targets(enclave_roles=(), admin_roles=(), policy_writers=())
    wanted = found.targets if found else nobody
    fields = ("enclave_roles", "admin_roles", "policy_writers", "data_writers")
    options = ("--enclave-role", "--admin-role", "--policy-writer", "--data-writer")
    changed: dict[str, object] = {}
    for field, option, texts in zip(fields, options, roles, strict=True):
        if texts:
            changed[field] = principals.roles(texts, option=option)
        elif found is None and option != "--data-writer":
            raise UsageError(f"missing option '{option}'", "usage.invalid", ["give it, or --targets FILE"])
    if actions:
        changed["actions"] = tuple(kms.parse_action(name) for name in actions)
    if context:
        changed["encryption_context"] = kms.parse_context(context)
    if key is not None:
        changed["key"] = kms.parse_key(key, option="--key")
    return dataclasses.replace(wanted, **changed, placement=_placement(wanted.placement, places))  # type: ignore[arg-type]


def _placement(found: "Placement", places: "tuple[Sequence[str] | None, ...]") -> "Placement":
    import dataclasses

    from nitroctl import pcr
    from nitroctl.kms.targets_file import signer

    roles, instances, signers = places
    changed: dict[str, object] = {}
    if roles:
        changed["parent_roles"] = _each(roles, lambda text: _kept(text, pcr.for_role))
    if instances:
        changed["instances"] = _each(instances, lambda text: _kept(text, pcr.for_instance))
    if signers:
        changed["signers"] = _each(signers, lambda text: signer(text, option="--signer"))
    return dataclasses.replace(found, **changed)  # type: ignore[arg-type]


def _each(texts: "Sequence[str]", read: "Callable[[str], _T]") -> "tuple[_T, ...]":
    return tuple(dict.fromkeys(read(text) for text in texts))


def _kept(text: str, derive: "Callable[[str], bytes]") -> str:
    derive(text)  # for its error: what no register can be made from
    return text.strip()


def _hold_output_apart(output: str, inputs: "Mapping[str, str | None]") -> None:
    import os.path

    if output == "-":
        raise UsageError("--output -: the policy goes to standard output without --output", "usage.invalid")
    for what, path in inputs.items():
        if path is not None and os.path.realpath(output) == os.path.realpath(path):
            raise UsageError(f"--output would overwrite {what}", "usage.invalid", ["name another file"])
