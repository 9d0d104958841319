"""A key policy for who else writes it: Terraform, CloudFormation, and as JSON for everything that reads that.

What is written means the same there: in Terraform a ``${`` of the policy language would be an interpolation, so its
dollar sign is written as an escape that both JSON and HCL read; CloudFormation has nothing to escape a dynamic
reference or a function with, so a policy that has one is refused. Source: Terraform, "Strings and Templates",
aws_kms_key_policy; AWS CloudFormation template reference, AWS::KMS::Key, "Dynamic references", "Intrinsic functions".
"""

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from nitroctl import strict_json
from nitroctl.errors import CannotAnswer
from nitroctl.kms.key_policy import KeyPolicy
from nitroctl.kms.targets import Targets

#: What a key is called that the targets do not name.
UNNAMED: Final = "enclave"

_TEMPLATE: Final = re.compile(r"[$%](?=\{)")
_FUNCTION: Final = re.compile(r"Ref|Fn::.*", re.DOTALL)
_REFERENCE: Final = "{{resolve:"


class Form(StrEnum):
    """What a policy is written as. ``json`` is also what the CDK and the AWS CLI take."""

    JSON = "json"
    COMPACT = "compact"
    TERRAFORM = "terraform"
    CLOUDFORMATION = "cloudformation"


def write(policy: KeyPolicy, form: Form, targets: Targets, *, name: str = UNNAMED) -> str:
    """Return the policy as text; ``name`` is the key's in the targets.

    Raises CannotAnswer ``kms.not-expressible`` when the form cannot say it.
    """
    match form:
        case Form.JSON:
            return policy.pretty() + "\n"
        case Form.COMPACT:
            return policy.compact()
        case Form.TERRAFORM:
            return _terraform(policy, targets, name)
        case Form.CLOUDFORMATION:
            return _cloudformation(policy, targets, name)


def _terraform(policy: KeyPolicy, targets: Targets, name: str) -> str:
    """Return a resource for the policy alone: of the key itself more has to be said than is known here."""
    key = json.dumps(targets.key) if targets.key else f"aws_kms_key.{name}.key_id"
    body = _TEMPLATE.sub(lambda match: f"\\u{ord(match[0]):04x}", policy.pretty()).replace("\n", "\n  ")
    return f'resource "aws_kms_key_policy" "{name}" {{\n  key_id = {key}\n  policy = jsonencode({body})\n}}\n'


def _cloudformation(policy: KeyPolicy, targets: Targets, name: str) -> str:
    document = policy.document()
    for path, value in strict_json.walk(document):
        texts = [value] if isinstance(value, str) else list(value) if isinstance(value, Mapping) else []
        function = isinstance(value, Mapping) and len(value) == 1 and _FUNCTION.fullmatch(texts[0])
        if function or any(_REFERENCE in text for text in texts):
            raise CannotAnswer(
                f"{strict_json.pointer(path)}: CloudFormation would put something else in place of {texts[0][:100]!r}",
                "kms.not-expressible",
                ["change the statement that is kept, or write the policy as json"],
            )
    properties: dict[str, object] = {"KeyPolicy": document}
    if set(targets.actions) == {"kms:DeriveSharedSecret"}:
        properties = {"KeyUsage": "KEY_AGREEMENT"} | properties
    resource = {
        "Type": "AWS::KMS::Key",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {logical_name(name): resource}}
    return json.dumps(template, indent=2, ensure_ascii=True) + "\n"


def logical_name(name: str) -> str:
    """Return what CloudFormation calls the key: letters and digits, ending in Key."""
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", name)) + "Key"
