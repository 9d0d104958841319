"""Policies and requests for the tests of the evaluator: good ones, from which a test changes a single thing."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nitroctl.kms import authorize, caller
from nitroctl.kms.authorize import Decision, Policies
from nitroctl.kms.document import Kind, PolicyDocument, parse
from nitroctl.kms.grants import Grant
from nitroctl.kms.operators import Actual
from nitroctl.kms.request import Attested, Platform, Request

AT = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
ACCOUNT, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/signer"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/signer/i-0123456789abcdef0"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PCR0 = "kms:RecipientAttestation:PCR0"


def statement(effect: str = "Allow", **changes: Any) -> dict[str, Any]:
    """Return a statement about the role and Decrypt; a change to None takes a member out."""
    members: dict[str, Any] = {"Effect": effect, "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt", "Resource": "*"}
    members |= changes
    return {name: value for name, value in members.items() if value is not None}


def identity(effect: str = "Allow", **changes: Any) -> dict[str, Any]:
    """Return a statement of an IAM policy that is about every action and key."""
    return statement(effect, **({"Principal": None, "Action": "kms:*"} | changes))


def policy(*statements: Mapping[str, Any], version: str | None = "2012-10-17", kind: Kind = Kind.KEY) -> PolicyDocument:
    """Return a policy of the statements."""
    document = {"Version": version, "Statement": list(statements)} if version else {"Statement": list(statements)}
    return parse(json.dumps(document), where="policy.json", kind=kind)


def attested(*, complete: bool = True, platform: Platform = Platform.ENCLAVE, **pcrs: bytes) -> Attested:
    """Return what a document says: ``attested(PCR0=…)``."""
    return Attested(
        platform=platform,
        pcrs={int(name.removeprefix("PCR")): value for name, value in pcrs.items()},
        complete=complete,
    )


def request(who: str = ROLE, action: str = "kms:Decrypt", **changes: Any) -> Request:
    """Return a request of the role for Decrypt that attests nothing."""
    given: dict[str, Any] = {"caller": caller.parse(who), "action": action, "at": AT, "key": KEY}
    return Request(**(given | changes))


def decide(
    *statements: Mapping[str, Any],
    iam: tuple[Mapping[str, Any], ...] | None = (),
    grants: tuple[Grant, ...] | None = None,
    asked: Request | None = None,
    **changes: Any,
) -> Decision:
    """Return the decision on a request under a key policy of ``statements``, and IAM policies and grants."""
    policies = Policies(
        key=(policy(*statements),),
        identity=None if iam is None else (policy(*iam, kind=Kind.IDENTITY),),
        grants=grants,
    )
    return authorize.decide(asked or request(**changes), policies)


def given(**keys: Actual) -> dict[str, Actual]:
    """Return condition keys by name, with ``__`` for a colon."""
    return {name.replace("__", ":"): actual for name, actual in keys.items()}
