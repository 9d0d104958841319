"""Key policies of a Terraform plan, as ``terraform show -json PLAN`` prints it.

Source: Terraform "JSON Output Format" (planned_values, resource_changes, configuration); AWS provider, aws_kms_key,
aws_kms_key_policy, aws_kms_replica_key, aws_kms_external_key.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nitroctl import strict_json
from nitroctl.errors import CannotAnswer, NitroctlError
from nitroctl.kms import document, lint_sources, places
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import SOME_ACCOUNT
from nitroctl.kms.lint_sources import Source, Subject

_KEYS: Final = {"aws_kms_key", "aws_kms_replica_key", "aws_kms_external_key", "aws_kms_replica_external_key"}
_POLICY: Final = "aws_kms_key_policy"
#: Stands for the account in a policy that nobody wrote.
_ACCOUNT: Final = SOME_ACCOUNT
_DEPTH: Final = 64


def from_plan(plan: Mapping[str, Any], text: str, *, path: str, where: str) -> Source:
    """Return the policies of the keys in a plan. Raises CannotAnswer ``kms.template`` when there is no key."""
    lines = places.lines(text)
    unknown = _unknown(plan)
    written = dict(_written(plan.get("configuration")))
    subjects: list[Subject] = []
    troubles: list[NitroctlError] = []
    found = list(_resources(plan.get("planned_values"), where))
    policed = set(_policed(plan.get("configuration")))
    if any(resource["type"] == _POLICY for resource, _ in found):
        policed.add("")  # which key each is for is known of the root module alone
    for resource, inside in found:
        try:
            subjects += _subjects(resource, inside, where, lines, _Plan(unknown, written, policed))
        except CannotAnswer as error:
            troubles.append(error)
    if not subjects and not troubles:
        raise lint_sources.no_keys(where, "plan")
    return Source(path=path, kind="terraform", subjects=tuple(subjects), troubles=tuple(troubles))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a plan says beside values. ``unknown``: addresses whose policy comes after apply.

    ``written``: whether a resource writes its policy. ``policed``: keys that an aws_kms_key_policy is for, and the
    empty string when there is such a resource at all.
    """

    unknown: set[str]
    written: Mapping[str, bool]
    policed: set[str]


def _subjects(
    resource: Mapping[str, Any], inside: places.Path, where: str, lines: Mapping[places.Path, int], plan: _Plan
) -> Iterator[Subject]:
    address, values = str(resource.get("address", "")), resource.get("values")
    values = values if isinstance(values, dict) else {}
    line = next((lines[inside[:end]] for end in range(len(inside), 0, -1) if inside[:end] in lines), 1)
    policy = values.get("policy")
    key = _facts(resource["type"], values)
    if isinstance(policy, str) and policy:
        line = lines.get((*inside, "values", "policy"), line)
        value = strict_json.parse(policy, where=f"{where}: {address}: policy")
        yield Subject(name=address, document=document.of(value, where=where, lines={(): line}), key=key)
        return
    if resource["type"] != _POLICY and not plan.written.get(_plain(address), address in plan.unknown):
        if _plain(address) in plan.policed:
            return  # its policy is a resource of its own, which is judged
        if address.startswith("module.") and "" in plan.policed:
            raise CannotAnswer(
                f"{where}: line {line}: {address}: whether an aws_kms_key_policy is for it cannot be told",
                "kms.template",
                ["write the policy in the key's resource, or lint it after apply: aws kms get-key-policy"],
            )
        yield Subject(
            name=address,
            document=lint_sources.default(where, line, _ACCOUNT),
            key=key,
            assumed=(f"{address} has no policy: KMS gives it one that leaves all to the account's IAM policies",),
        )
        return
    raise CannotAnswer(
        f"{where}: line {line}: {address}: the policy is known only after apply",
        "kms.template",
        ["use literal values in the policy, or lint the key's policy after apply: aws kms get-key-policy"],
    )


def _facts(kind: str, values: Mapping[str, Any]) -> KeyFacts:
    bypass = bool(values.get("bypass_policy_lockout_safety_check"))
    arn = values["arn"] if isinstance(values.get("arn"), str) else ""
    if kind == _POLICY:
        return KeyFacts(bypass=bypass)
    usage, multi = values.get("key_usage"), values.get("multi_region")
    origin = "EXTERNAL" if "external" in kind else "AWS_KMS"
    if values.get("custom_key_store_id"):
        origin = "EXTERNAL_KEY_STORE" if values.get("xks_key_id") else "AWS_CLOUDHSM"
    return KeyFacts(
        arn=arn,
        usage=usage if isinstance(usage, str) else "ENCRYPT_DECRYPT",
        origin=origin if "replica" not in kind or "external" in kind else None,
        multi_region="replica" in kind or bool(multi),
        bypass=bypass,
    )


def _resources(planned: object, where: str) -> Iterator[tuple[Mapping[str, Any], places.Path]]:
    """Yield the resources about key policies in all modules, each with the path to it."""
    root = planned.get("root_module") if isinstance(planned, dict) else None
    waiting: list[tuple[object, places.Path]] = [(root, ("planned_values", "root_module"))]
    while waiting:
        module, inside = waiting.pop()
        if not isinstance(module, dict) or len(inside) > _DEPTH:
            raise CannotAnswer(f"{where}: {strict_json.pointer(inside)}: not a module of a plan", "kms.template")
        listed, below = module.get("resources", []), module.get("child_modules", [])
        if not isinstance(listed, list) or not isinstance(below, list):
            raise CannotAnswer(f"{where}: {strict_json.pointer(inside)}: not a module of a plan", "kms.template")
        for number, resource in enumerate(listed):
            if isinstance(resource, dict) and resource.get("type") in {*_KEYS, _POLICY}:
                yield resource, (*inside, "resources", number)
        waiting += [(each, (*inside, "child_modules", number)) for number, each in enumerate(below)]


def _unknown(plan: Mapping[str, Any]) -> set[str]:
    """Return the addresses of resources whose policy is known only after apply."""
    found = set()
    changes = plan.get("resource_changes")
    for change in changes if isinstance(changes, list) else []:
        inner = change.get("change") if isinstance(change, dict) else None
        after = inner.get("after_unknown") if isinstance(inner, dict) else None
        if isinstance(after, dict) and after.get("policy"):
            found.add(str(change.get("address", "")))
    return found


def _written(configuration: object) -> Iterator[tuple[str, bool]]:
    """Yield for every resource of the root module's configuration whether it writes a policy."""
    root = configuration.get("root_module") if isinstance(configuration, dict) else None
    listed = root.get("resources") if isinstance(root, dict) else None
    for resource in listed if isinstance(listed, list) else []:
        if isinstance(resource, dict) and isinstance(resource.get("expressions"), dict):
            yield str(resource.get("address", "")), "policy" in resource["expressions"]


def _policed(configuration: object) -> Iterator[str]:
    """Yield the keys of the root module that an aws_kms_key_policy refers to."""
    root = configuration.get("root_module") if isinstance(configuration, dict) else None
    listed = root.get("resources") if isinstance(root, dict) else None
    for resource in listed if isinstance(listed, list) else []:
        if isinstance(resource, dict) and resource.get("type") == _POLICY:
            expressions = resource.get("expressions")
            key = expressions.get("key_id") if isinstance(expressions, dict) else None
            references = key.get("references") if isinstance(key, dict) else None
            yield from (str(each) for each in (references if isinstance(references, list) else []))


def _plain(address: str) -> str:
    """Return the address as the configuration has it: without the index of count and for_each."""
    return address.partition("[")[0]
