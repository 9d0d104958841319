"""What is known of a key beside its policy, from what the AWS CLI prints or a template says; None is: not known.

Source: KMS API reference, DescribeKey, ListGrants, ListKeyPolicies.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from nitroctl import safefile, strict_json
from nitroctl.errors import CannotAnswer
from nitroctl.kms.grants import Grant

_LIMIT: Final = 16 * 1024 * 1024
_ARN: Final = re.compile(r"arn:[a-z0-9-]+:kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """``usage``: ENCRYPT_DECRYPT, KEY_AGREEMENT … ``origin``: AWS_KMS, EXTERNAL … ``policies``: names of the key's.

    ``bypass``: the policy is to be put without the lockout check. ``judged``: the policies that
    are judged together.
    """

    arn: str = ""
    usage: str | None = None
    origin: str | None = None
    multi_region: bool | None = None
    grants: tuple[Grant, ...] | None = None
    policies: tuple[str, ...] | None = None
    bypass: bool | None = None
    judged: tuple[str, ...] = ()

    @property
    def account(self) -> str:
        """The key's account; empty when its ARN is not known."""
        match = _ARN.match(self.arn)
        return match["account"] if match else ""

    @property
    def region(self) -> str:
        """The key's Region; empty when its ARN is not known."""
        match = _ARN.match(self.arn)
        return match["region"] if match else ""


def read(path: str, known: KeyFacts) -> KeyFacts:
    """Return ``known`` and what the file ``path`` adds: the output of describe-key or list-key-policies.

    Raises CannotAnswer ``file.*``, ``json.*`` or ``kms.key-facts``.
    """
    document = strict_json.parse(safefile.read_text(path, limit=_LIMIT), where=path)
    if isinstance(document, dict):
        try:
            if "KeyMetadata" in document:
                return _described(document["KeyMetadata"], known)
            if "PolicyNames" in document:
                _refuse_part(document, path)
                return replace(known, policies=tuple(_text(each) for each in _list(document["PolicyNames"])))
        except (KeyError, TypeError, AttributeError) as error:
            raise _refused(f"{path}: not as the AWS CLI prints it: {error}") from error
    raise _refused(f"{path}: neither a key's description nor the names of its policies")


def _described(
    metadata: Any,  # noqa: ANN401  (JSON)
    known: KeyFacts,
) -> KeyFacts:
    multi = metadata.get("MultiRegion")
    if multi is not None and not isinstance(multi, bool):
        raise TypeError("MultiRegion is no boolean")
    usage, origin = (_text(metadata[name]) if name in metadata else None for name in ("KeyUsage", "Origin"))
    return replace(known, arn=_text(metadata["Arn"]), usage=usage, origin=origin, multi_region=multi)


def _refuse_part(document: dict[str, Any], path: str) -> None:
    if document.get("Truncated") or document.get("NextToken"):
        raise CannotAnswer(
            f"{path}: a part of a longer list",
            "kms.key-facts",
            ["let the AWS CLI fetch all pages: leave --max-items and --no-paginate out"],
        )


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _refused(message: str) -> CannotAnswer:
    return CannotAnswer(
        message,
        "kms.key-facts",
        ["give what aws kms describe-key or list-key-policies prints; grants are for --grants"],
    )
