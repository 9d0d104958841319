"""A key as KMS has it: description, policies by name, grants, replicas.

Each of the calls can be refused by itself, and what could not be read is an error, never an empty answer: a key whose
grants were not listed could have any. Source: KMS API reference, DescribeKey (takes an alias), ListKeyPolicies,
GetKeyPolicy (does not), ListGrants.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from nitroctl.aws.calls import calling, client, not_an_arn, said
from nitroctl.errors import AwsFailed
from nitroctl.kms.live import DEFAULT, RAM, LiveKey

__all__ = ["DEFAULT", "RAM", "LiveKey", "read", "region_of"]

#: Of a key or an alias, in any partition.
_ARN: Final = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):kms:(?P<region>[a-z]{2,8}(?:-[a-z]+)+-[0-9]{1,2}):(?P<account>[0-9]{12})"
    r":(?P<kind>key|alias)/(?P<id>[A-Za-z0-9/_-]{1,256})"
)
#: No key has as many: a list that does not end is none.
_PAGES: Final = 1_000
_WHOLE_ARN: Final = (
    "aws kms describe-key --key-id alias/NAME shows the ARN of a key; it has the region, which nothing else decides"
)


def region_of(key: str) -> str:
    """Return the region in the ARN of a key or alias. Raises UsageError ``aws.key-arn``."""
    return _arn(key)["region"]


def read(key: str, *, at: datetime | None = None) -> LiveKey:
    """Return the key that a key ARN or an alias ARN names, with its policies and grants, as KMS has it now.

    ``at``: the instant to put down; now when not given. The region is that of the ARN, never one of the environment.
    Raises UsageError ``aws.key-arn``, CannotAnswer ``aws.library``, AwsFailed ``aws.*`` for whichever call fails.
    """
    asked = _arn(key)
    service = client("kms", asked["region"])
    with calling("kms:DescribeKey", key):
        metadata = service.describe_key(KeyId=key)["KeyMetadata"]
        found = _same(asked, _text(metadata, "Arn"))
        regions = metadata.get("MultiRegionConfiguration") or {}
        described = {
            "state": _text(metadata, "KeyState"),
            "usage": _text(metadata, "KeyUsage"),
            "spec": _text(metadata, "KeySpec"),
            "origin": _text(metadata, "Origin"),
            "manager": _text(metadata, "KeyManager"),
            "region_type": _text(regions, "MultiRegionKeyType") if regions else "",
        }
        replicas = _replicas(found, regions) - {found[0]}
    arn = found[0]
    return LiveKey(
        asked=key,
        arn=arn,
        partition=found["partition"],
        account=found["account"],
        region=found["region"],
        multi_region=metadata.get("MultiRegion") is True,
        replicas=tuple(sorted(replicas)),
        policies=dict(_policies(service, arn)),
        grants=tuple(_grants(service, arn)),
        read_at=datetime.now(UTC) if at is None else at,
        **described,
    )


def policy(key: LiveKey) -> str:
    """Return the text of the policy ``default`` as KMS has it now. Raises AwsFailed ``aws.*``."""
    return _policy(client("kms", key.region), key.arn, DEFAULT)


def _arn(key: str) -> re.Match[str]:
    match = _ARN.fullmatch(key)
    if match is None:
        raise not_an_arn(key, [_WHOLE_ARN])
    return match


def _same(asked: re.Match[str], arn: str) -> re.Match[str]:
    """Return the ARN of the key taken apart, which is the one asked for, or an alias's target in the same place."""
    found = _ARN.fullmatch(arn)
    same = (
        found
        and found["kind"] == "key"
        and all(found[part] == asked[part] for part in ("partition", "region", "account"))
    )
    if not found or not same or (asked["kind"] == "key" and found[0] != asked[0]):
        raise AwsFailed(f"{asked[0]}: KMS describes another key: {said(arn)}", "aws.nonsense")
    return found


def _replicas(key: re.Match[str], regions: Mapping[str, Any]) -> set[str]:
    """Return the ARNs of a multi-Region key in every Region; none for a key of one.

    All are the same key of the same account: whatever is done to "all replicas" reaches nobody else's.
    """
    listed = [regions["PrimaryKey"], *regions.get("ReplicaKeys", [])] if regions else []
    arns = {_text(each, "Arn") for each in listed}
    for arn in arns:
        other = _ARN.fullmatch(arn)
        if not other or any(other[part] != key[part] for part in ("partition", "account", "kind", "id")):
            raise ValueError(f"a replica that is not the same key: {arn}")
    return arns


def _policies(service: Any, arn: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  (boto3's class)
    with calling("kms:ListKeyPolicies", arn):
        names = [name for page in _pages(service, "list_key_policies", arn) for name in page["PolicyNames"]]
        if DEFAULT not in names or not all(isinstance(name, str) for name in names):
            raise ValueError("the names of the policies do not have default among them")
    for name in sorted(set(names)):
        yield name, _policy(service, arn, name)


def _policy(service: Any, arn: str, name: str) -> str:  # noqa: ANN401
    with calling("kms:GetKeyPolicy", arn):
        return _text(service.get_key_policy(KeyId=arn, PolicyName=name), "Policy")


def _grants(service: Any, arn: str) -> Iterator[Mapping[str, object]]:  # noqa: ANN401
    with calling("kms:ListGrants", arn):
        for page in _pages(service, "list_grants", arn, PaginationConfig={"PageSize": 100}):
            for row in page["Grants"]:
                yield {name: _plain(value) for name, value in row.items()}


def _pages(service: Any, operation: str, arn: str, **how: object) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    """Yield the pages of a list to its end. Raises ValueError for one that never ends, or ends before its end."""
    for number, page in enumerate(service.get_paginator(operation).paginate(KeyId=arn, **how)):
        if number == _PAGES:
            raise ValueError(f"{operation} has more than {_PAGES} pages")
        if bool(page.get("Truncated")) != bool(page.get("NextMarker")):  # botocore stops there, and there is more
            raise ValueError(f"a page of {operation} says in one place that it is the last, and in another that not")
        yield page


def _plain(value: object) -> object:
    """Return a member of an answer as JSON has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def _text(members: Mapping[str, Any], name: str) -> str:
    """Return a text of an answer. Raises KeyError or TypeError, which :func:`calling` tells."""
    value = members[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value
