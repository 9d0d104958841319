"""A key as it is in AWS: what KMS said of it at one instant, and the same as the domain reads it.

A value only; :mod:`nitroctl.aws.keys` fills it. What it holds is what AWS answered, which is hostile until parsed.
Source: KMS API reference, DescribeKey, ListKeyPolicies, GetKeyPolicy, ListGrants; KMS Developer Guide, "Multi-Region
keys" (every replica has a policy of its own).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nitroctl.kms import document, grants
from nitroctl.kms.authorize import Policies
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.grants import Grant
from nitroctl.kms.lint_key import KeyFacts

#: The policy that people write. The other, AWS_RAM, belongs to Resource Access Manager.
DEFAULT: Final = "default"
RAM: Final = "AWS_RAM"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveKey:
    """A key that was read. ``arn``: of the key, also where an alias was asked for, which is ``asked``.

    ``state``: Enabled, Disabled, PendingDeletion …; ``origin``: AWS_KMS, EXTERNAL …; ``manager``: CUSTOMER or AWS.
    ``region_type``: PRIMARY or REPLICA, empty for a key of one Region. ``replicas``: ARNs of the same key in other
    Regions, primary included. ``policies``: text by name. ``grants``: rows of list-grants, with times as text.
    """

    asked: str
    arn: str
    partition: str
    account: str
    region: str
    state: str
    usage: str
    spec: str
    origin: str
    manager: str
    multi_region: bool
    region_type: str
    replicas: tuple[str, ...]
    policies: Mapping[str, str]
    grants: tuple[Mapping[str, object], ...]
    read_at: datetime

    def documents(self) -> tuple[PolicyDocument, ...]:
        """Return the key's policies, ``default`` first. Raises CannotAnswer ``json.*`` or ``kms.document``."""
        return tuple(document.parse(self.policies[name], where=self.place(name)) for name in self.names())

    def named(self) -> dict[str, PolicyDocument]:
        """Return the key's policies by name, ``default`` first. Raises CannotAnswer as :meth:`documents`."""
        return dict(zip(self.names(), self.documents(), strict=True))

    def names(self) -> tuple[str, ...]:
        """Return the names of the key's policies, ``default`` first."""
        return tuple(sorted(self.policies, key=lambda name: (name != DEFAULT, name)))

    def granted(self) -> tuple[Grant, ...]:
        """Return the key's grants. Raises CannotAnswer ``kms.grants``."""
        text = json.dumps({"Grants": [dict(row) for row in self.grants]})
        return grants.parse(text, where=f"{self.arn}: grants")

    def decisive(self, identity: tuple[PolicyDocument, ...] | None = None) -> Policies:
        """Return what decides about requests to the key; ``identity``: the caller's IAM policies, if known."""
        return Policies(key=self.documents(), identity=identity, grants=self.granted())

    def facts(self) -> KeyFacts:
        """Return what is known of the key beside its policy, for the rules of ``kms lint``."""
        return KeyFacts(
            arn=self.arn,
            usage=self.usage,
            origin=self.origin,
            multi_region=self.multi_region,
            grants=self.granted(),
            policies=tuple(self.policies),
        )

    def place(self, name: str = DEFAULT) -> str:
        """Return what to call a policy of the key in errors and traces."""
        return f"{self.arn}: policy {name}"
