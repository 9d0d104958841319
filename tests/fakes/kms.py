"""A KMS on this machine for the tests: moto keeps keys, aliases and grants; what moto lacks is added around it.

Added: policies as KMS refuses and stores them (size, characters, principals, lockout, its own JSON), the policy
AWS_RAM, replicas with policies of their own, pages, authorisation of Decrypt and GenerateDataKey by nitroctl's own
evaluator with and without attestation, DryRun, answers for a Recipient; and knobs for what can go wrong: refusals,
stumbles, another writer, reads that are late.

It is no witness for AWS: what it does is what the documentation says, read by the same people. Not checked: the
signature of an attestation document, quotas other than the size, the key's state for each operation.
"""

import base64
import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.core.exceptions import JsonRESTError
from moto.kms.models import kms_backends
from moto.kms.responses import KmsResponse

from nitroctl.kms import authorize, caller, document, grants
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Kind
from nitroctl.kms.operators import Actual, present
from nitroctl.kms.request import Attested, Platform, Request
from tests.fakes import kms_http, kms_policy
from tests.fakes.kms_http import REQUEST_ID, Answer, serving
from tests.fakes.kms_policy import Refusal

__all__ = ["ACCOUNT", "ADMIN", "ENCLAVE", "KEY", "KEY_ID", "REGION", "REQUEST_ID", "WRITER", "Kms", "Refusal", "allow"]

ACCOUNT = "111122223333"
REGION = "eu-west-1"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}"
ENCLAVE, ADMIN, WRITER = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("signer", "admin", "policy"))
#: The session that calls, unless a test says otherwise.
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/policy/ci"
DENIED = "User: {} is not authorized to perform: {} on resource: {} because no resource-based policy allows it"


def allow(*actions: str) -> dict[str, Any]:
    """Return an IAM policy that allows actions on every key."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@dataclass
class Knobs:
    """What goes wrong. ``refuse``: by operation (``*`` is any), every time. ``stumble``: refusals to give first.

    ``before`` and ``after``: what happens around an operation, once. ``late``: as many reads of a policy give the one
    before it. ``late_roles``: as many times PutKeyPolicy does not know a new role yet. ``replace``: what is made of
    the right answer. ``hang_up``: operations that get no answer.
    """

    refuse: dict[str, Refusal] = field(default_factory=dict)
    stumble: dict[str, list[Refusal]] = field(default_factory=dict)
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    after: dict[str, Callable[[], object]] = field(default_factory=dict)
    replace: dict[str, Callable[[dict[str, Any]], Answer]] = field(default_factory=dict)
    hang_up: set[str] = field(default_factory=set)
    late: int = 0
    late_roles: int = 0


class Kms:
    """The service. ``caller``: who calls. ``iam``: the caller's IAM policy. ``roles``: that exist; None is all.

    ``enforce``: every operation is authorised, not only those that use the key. ``operations``: for other services,
    what answers an operation by name.
    """

    def __init__(self) -> None:
        self.caller = SESSION
        self.iam: Mapping[str, Any] = allow("kms:*")
        self.roles: set[str] | None = None
        self.enforce = False
        self.knobs = Knobs()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.operations: dict[str, Callable[[dict[str, Any]], Answer]] = {}
        self.url = ""
        self._ram: dict[str, str] = {}
        self._past: dict[str, str] = {}
        self._lock = threading.RLock()

    # -- for the tests

    def create(
        self, policy: Mapping[str, Any] | str | None = None, *, key_id: str = KEY_ID, region: str = REGION, **how: Any
    ) -> str:
        """Make a key with a policy (KMS's own when none is given) and return its ARN."""
        made = {"KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": False} | how
        told = json.loads(self._moto(region, "create_key", made))["KeyMetadata"]
        keys = kms_backends[ACCOUNT][region].keys
        key = keys[key_id] = keys.pop(told["KeyId"])
        key.id, key.arn = key_id, f"arn:aws:kms:{region}:{ACCOUNT}:key/{key_id}"
        if how.get("MultiRegion"):
            key.multi_region_configuration["PrimaryKey"]["Arn"] = key.arn
        if policy is not None:
            key.policy = kms_policy.stored(policy if isinstance(policy, str) else json.dumps(policy))
        return str(key.arn)

    def replicate(self, region: str, policy: Mapping[str, Any] | None = None, *, key_id: str = KEY_ID) -> str:
        """Make a replica; without a policy it gets KMS's own, as in AWS."""
        kms_backends[ACCOUNT][REGION].replicate_key(key_id, region)  # moto's interface does not know ids as mrk-…
        key = kms_backends[ACCOUNT][region].keys[key_id]
        key.multi_region_configuration = {**key.multi_region_configuration, "MultiRegionKeyType": "REPLICA"}
        key.grants = {}
        key.policy = key.generate_default_policy() if policy is None else kms_policy.stored(json.dumps(policy))
        return str(key.arn)

    def alias(self, name: str, *, key_id: str = KEY_ID, region: str = REGION) -> str:
        """Give a key another name and return the alias's ARN."""
        self._moto(region, "create_alias", {"AliasName": f"alias/{name}", "TargetKeyId": key_id})
        return f"arn:aws:kms:{region}:{ACCOUNT}:alias/{name}"

    def grant(self, grantee: str, *operations: str, key_id: str = KEY_ID, **how: Any) -> str:
        """Grant operations and return the grant's id."""
        body = {"KeyId": key_id, "GranteePrincipal": grantee, "Operations": list(operations), **how}
        return str(json.loads(self._moto(REGION, "create_grant", body))["GrantId"])

    def share(self, policy: Mapping[str, Any], *, arn: str = KEY) -> None:
        """Give a key the second policy, that of Resource Access Manager."""
        self._ram[arn] = kms_policy.stored(json.dumps(policy))

    def policy(self, *, arn: str = KEY) -> dict[str, Any]:
        """Return the policy that the key has now."""
        return dict(json.loads(self._key(arn).policy))

    def put(self, policy: Mapping[str, Any], *, arn: str = KEY) -> None:
        """Change the policy as another writer does."""
        self._key(arn).policy = kms_policy.stored(json.dumps(policy))

    def state(self, name: str, *, arn: str = KEY, **members: Any) -> None:
        """Put the key into a state, and change other members of its description."""
        key = self._key(arn)
        key.key_state, key.enabled = name, name == "Enabled"
        key.deletion_date = datetime(2026, 12, 24, tzinfo=UTC).replace(tzinfo=None)
        for member, value in members.items():
            setattr(key, member, value)

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """Return the requests of an operation that were made."""
        return [body for name, body in self.requests if name == operation]

    # -- the service

    def receive(self, service: str, operation: str, body: dict[str, Any], region: str) -> Answer | None:
        """Answer one request."""
        with self._lock:
            self.requests.append((operation, body))
            knobs = self.knobs
            if operation in knobs.hang_up:
                return None
            if knobs.stumble.get(operation):
                return knobs.stumble[operation].pop(0)
            refusal = knobs.refuse.get(operation) or knobs.refuse.get("*")
            if refusal:
                return refusal
            if operation in knobs.before:
                knobs.before.pop(operation)()
            answer = self._answer(service, operation, body, region)
            if operation in knobs.after:
                knobs.after.pop(operation)()
            if operation in knobs.replace and isinstance(answer, dict):
                return knobs.replace[operation](answer)
            return answer

    def _answer(self, service: str, operation: str, body: dict[str, Any], region: str) -> Answer:
        if operation in self.operations:
            return self.operations[operation](body)
        if operation == "GetCallerIdentity":
            return {"Arn": self.caller, "UserId": "AROAEXAMPLE:ci", "Account": self.caller.split(":")[4]}
        assert service == "kms", (service, operation)
        try:
            if self.enforce and not self._allowed(f"kms:{operation}", self._target(body, region), given=_given(body)):
                return self._denied(f"kms:{operation}", self._target(body, region))
            own = getattr(self, f"_{_snake(operation)}", None)
            if own is not None:
                answered: Answer = own(body, region)
                return answered
            return dict(json.loads(self._moto(region, _snake(operation), body)) or {})
        except JsonRESTError as error:
            return Refusal(str(error.error_type), str(error.message))

    def _put_key_policy(self, body: dict[str, Any], region: str) -> Answer:
        if body.get("PolicyName", "default") != "default":
            return Refusal("ValidationException", "PolicyName must be default")
        key = self._at(body, region)
        refusal = kms_policy.fault(body["Policy"], self.roles)
        if refusal is None and self.knobs.late_roles:
            self.knobs.late_roles -= 1
            refusal = kms_policy.INVALID_PRINCIPALS
        if refusal is not None:
            return refusal
        if not body.get("BypassPolicyLockoutSafetyCheck") and not self._may_put(body["Policy"], key.arn):
            return kms_policy.LOCKOUT
        self._past[key.arn], key.policy = key.policy, kms_policy.stored(body["Policy"])
        return {}

    def _get_key_policy(self, body: dict[str, Any], region: str) -> Answer:
        key, name = self._at(body, region), body.get("PolicyName", "default")
        if name == "AWS_RAM" and key.arn in self._ram:
            return {"Policy": self._ram[key.arn], "PolicyName": name}
        if name != "default":
            return Refusal("NotFoundException", "No such policy exists")
        if self.knobs.late and key.arn in self._past:
            self.knobs.late -= 1
            return {"Policy": self._past[key.arn], "PolicyName": name}
        return {"Policy": key.policy, "PolicyName": name}

    def _list_key_policies(self, body: dict[str, Any], region: str) -> Answer:
        shared = ["AWS_RAM"] if self._at(body, region).arn in self._ram else []
        return {"PolicyNames": ["default", *shared], "Truncated": False}

    def _list_grants(self, body: dict[str, Any], region: str) -> Answer:
        key = self._at(body, region)
        rows = [{**grant.to_json(), "KeyId": key.arn} for grant in key.list_grants(body.get("GrantId"))]
        first, limit = int(body.get("Marker", 0)), body.get("Limit", 50)
        page = [{"CreationDate": 1_790_000_000, **row} for row in rows[first : first + limit]]
        page = [{name: value for name, value in row.items() if value is not None} for row in page]
        more = {"NextMarker": str(first + limit)} if first + limit < len(rows) else {}
        return {"Grants": page, "Truncated": bool(more), **more}

    def _decrypt(self, body: dict[str, Any], region: str) -> Answer:
        return self._used("Decrypt", "Plaintext", body, region)

    def _generate_data_key(self, body: dict[str, Any], region: str) -> Answer:
        return self._used("GenerateDataKey", "Plaintext", body, region)

    def _generate_data_key_pair(self, body: dict[str, Any], region: str) -> Answer:
        """Answer a dry run: moto makes no pairs."""
        assert body.get("DryRun"), body
        return self._used("GenerateDataKeyPair", "", {**body, "KeySpec": "AES_256"}, region)

    def _used(self, operation: str, member: str, body: dict[str, Any], region: str) -> Answer:
        """Use a key for data: authorised, attested if the request says so, and answered accordingly."""
        arn = self._target(body, region)
        recipient = body.get("Recipient")
        attested, public_key = _read(recipient) if recipient else (None, b"")
        if recipient and attested is None:
            return Refusal("ValidationException", "The attestation document cannot be parsed.")
        context = body.get("EncryptionContext") or {}
        if not self._allowed(f"kms:{operation}", arn, attested=attested, context=context):
            return self._denied(f"kms:{operation}", arn)
        ciphertext = base64.b64decode(body.get("CiphertextBlob", ""))
        if operation == "Decrypt" and "IGNORE_CIPHERTEXT" not in body.get("DryRunModifiers", ()):
            try:
                answer = json.loads(self._moto(region, "decrypt", body))
            except (JsonRESTError, ValueError, KeyError, IndexError):
                return Refusal("InvalidCiphertextException", f"{len(ciphertext)} bytes that are no ciphertext")
        else:
            answer = {} if operation == "Decrypt" else json.loads(self._moto(region, "generate_data_key", body))
        if body.get("DryRun"):
            return Refusal(
                "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.", 412
            )
        if recipient:
            from nitroctl.standin import kms_recipient

            message = kms_recipient.Answer().wrap(base64.b64decode(answer.pop(member)), public_key)
            answer["CiphertextForRecipient"] = base64.b64encode(message).decode()
        return dict(answer)

    # -- how it decides

    def _may_put(self, policy: str, arn: str) -> bool:
        return self._allowed("kms:PutKeyPolicy", arn, policy=policy, given=_given({}))

    def _allowed(
        self,
        action: str,
        arn: str,
        *,
        policy: str = "",
        attested: Attested | None = None,
        context: Mapping[str, str] | None = None,
        given: Mapping[str, Actual] | None = None,
    ) -> bool:
        key = self._key(arn)
        rows = {"Grants": [grant.to_json() for grant in key.list_grants("")]}
        texts = [policy or key.policy, *([self._ram[arn]] if arn in self._ram else [])]
        policies = Policies(
            key=tuple(document.parse(text, where=arn) for text in texts),
            identity=(document.parse(json.dumps(self.iam), where="iam", kind=Kind.IDENTITY),),
            grants=grants.parse(json.dumps(rows), where=arn),
        )
        asked = Request(
            caller=caller.parse(self.caller),
            action=action,
            at=datetime(2026, 11, 20, 10, tzinfo=UTC),
            key=arn,
            attested=attested,
            encryption_context=context or {},
            given=given or {},
        )
        return authorize.decide(asked, policies).verdict is Verdict.ALLOWED

    def _denied(self, action: str, arn: str) -> Refusal:
        return Refusal("AccessDeniedException", DENIED.format(self.caller, action, arn))

    def _target(self, body: dict[str, Any], region: str) -> str:
        """Return the ARN of the key that a request is about, which an alias may name."""
        told = json.loads(self._moto(region, "describe_key", {"KeyId": body.get("KeyId", KEY)}))
        return str(told["KeyMetadata"]["Arn"])

    def _at(self, body: dict[str, Any], region: str) -> Any:
        if ":alias/" in body["KeyId"] or body["KeyId"].startswith("alias/"):
            raise JsonRESTError("InvalidArnException", "an alias is not taken here")
        return self._key(self._target(body, region))

    def _key(self, arn: str) -> Any:
        return kms_backends[ACCOUNT][arn.split(":")[3]].keys[arn.rpartition("/")[2]]

    def _moto(self, region: str, operation: str, body: Mapping[str, Any]) -> str:
        response: Any = KmsResponse()
        response.region, response.current_account, response.headers = region, ACCOUNT, {}
        response.body = json.dumps(body)
        return str(getattr(response, operation)())


def _given(body: Mapping[str, Any]) -> dict[str, Actual]:
    """Return the condition keys that a request carries itself."""
    bypass = str(body.get("BypassPolicyLockoutSafetyCheck", False)).lower()
    return {"kms:BypassPolicyLockoutSafetyCheck": present(bypass)}


def _snake(operation: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()


def _read(recipient: Mapping[str, str]) -> tuple[Attested | None, bytes]:
    """Return what the document of a Recipient attests, and its public key; its signature is not looked at."""
    from nitroctl.evidence.document import Kind as Evidence
    from nitroctl.evidence.document import parse

    found = parse(base64.b64decode(recipient["AttestationDocument"])).document
    if found is None or found.public_key is None:
        return None, b""
    platform = Platform.ENCLAVE if found.kind is Evidence.ENCLAVE else Platform.TPM
    return Attested(platform=platform, pcrs=dict(found.pcrs), complete=True), found.public_key


@contextlib.contextmanager
def running(kms: Kms) -> Iterator[Kms]:
    """Serve ``kms`` for the block, with no keys at its beginning."""
    kms_backends.reset()
    with serving(kms) as kms.url:
        yield kms
    kms_backends.reset()


def environment(kms: Kms) -> dict[str, str]:
    """Return the environment in which AWS calls come to ``kms``."""
    return kms_http.environment(kms.url)


def reachable(kms: Kms, monkeypatch: pytest.MonkeyPatch, *, connect: Callable[[socket.socket, Any], None]) -> None:
    """Lead AWS calls to ``kms``, as :func:`tests.fakes.kms_http.reachable` does, and retries without pauses."""
    kms_http.reachable(kms.url, monkeypatch, connect=connect)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
