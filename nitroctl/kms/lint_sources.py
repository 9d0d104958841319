"""Where key policies come from: a policy by itself, a Terraform plan in JSON, or a CloudFormation template.

What a plan or template leaves open is not guessed: a key whose policy cannot be known is an error beside the answer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nitroctl import safefile, strict_json
from nitroctl.errors import CannotAnswer, NitroctlError
from nitroctl.kms import document
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.lint_key import KeyFacts

#: A plan has the whole state in it.
SIZE_LIMIT: Final = 64 * 1024 * 1024
#: The section that every template must have.
_YAML: Final = re.compile(r"^Resources\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One key policy. ``name``: of the key in its template, empty for a policy by itself. ``assumed``: to be told."""

    name: str
    document: PolicyDocument
    key: KeyFacts
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one file has. ``kind``: policy, terraform or cloudformation. ``troubles``: keys that cannot be judged."""

    path: str
    kind: str
    subjects: tuple[Subject, ...]
    troubles: tuple[NitroctlError, ...] = ()


def read(path: str, parameters: Mapping[str, str]) -> Source:
    """Return the key policies in the file ``path``, or on standard input for ``-``.

    ``parameters``: values for those of a CloudFormation template. Raises CannotAnswer ``file.*``, ``json.*``,
    ``kms.document`` or ``kms.template``.
    """
    where = "standard input" if path == safefile.STDIN else path
    text = safefile.read_text(path, limit=SIZE_LIMIT)
    if _YAML.search(text) and not text.lstrip().startswith("{"):
        from nitroctl.kms import lint_cloudformation  # noqa: PLC0415  (YAML only for a template)

        return lint_cloudformation.from_yaml(text, path=path, where=where, parameters=parameters)
    value = strict_json.parse(text, where=where)
    if isinstance(value, dict):
        if "planned_values" in value:
            from nitroctl.kms import lint_terraform  # noqa: PLC0415  (only for a plan)

            return lint_terraform.from_plan(value, text, path=path, where=where)
        if isinstance(value.get("Resources"), dict):
            from nitroctl.kms import lint_cloudformation  # noqa: PLC0415  (YAML only for a template)

            return lint_cloudformation.from_json(value, text, path=path, where=where, parameters=parameters)
    return Source(
        path=path,
        kind="policy",
        subjects=(Subject(name="", document=document.parse(text, where=where), key=KeyFacts()),),
    )


def default(where: str, line: int, account: str) -> PolicyDocument:
    """Return the policy that KMS gives a key for which none is written: the whole account may do everything."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    value: dict[str, Any] = {"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}
    return document.of(value, where=where, lines={(): line})


def no_keys(where: str, what: str) -> CannotAnswer:
    """Return the error for a template or plan without a KMS key."""
    return CannotAnswer(f"{where}: no KMS key in this {what}", "kms.template", ["is it the file that makes the key?"])
