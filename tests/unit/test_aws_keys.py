"""A live key is read whole, and whatever keeps it from being read is told with the permission that is missing."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from nitroctl.aws import keys
from nitroctl.errors import AwsFailed, NitroctlError, UsageError
from nitroctl.kms.authorize import Policies
from nitroctl.kms.grants import Grant
from nitroctl.kms.lint_key import KeyFacts
from tests.kms_requests import statement

if TYPE_CHECKING:
    from tests.fakes.kms import Kms

ACCOUNT, REGION = "111122223333", "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
REQUEST = "(request id 5e1f0c4e-1111-2222-3333-444455556666)"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/signer"
POLICY = {"Version": "2012-10-17", "Statement": [statement(Sid="Use"), statement(Sid="All", Principal="*")]}


def test_a_key_is_read_whole(kms_service: "Kms") -> None:
    kms_service.create(POLICY)
    grant = kms_service.grant(ROLE, "Decrypt", Name="backup")
    kms_service.requests.clear()
    live = keys.read(KEY, at=AT)
    assert (live.asked, live.arn, live.partition, live.account, live.region) == (KEY, KEY, "aws", ACCOUNT, REGION)
    assert (live.state, live.usage, live.spec) == ("Enabled", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT")
    assert (live.origin, live.manager, live.read_at) == ("AWS_KMS", "CUSTOMER", AT)
    assert (live.multi_region, live.region_type, live.replicas) == (False, "", ())
    assert list(live.policies) == ["default"]
    assert live.grants == (
        {
            "CreationDate": "2026-09-21T14:13:20Z",
            "KeyId": KEY,
            "GrantId": grant,
            "Name": "backup",
            "GranteePrincipal": ROLE,
            "Operations": ["Decrypt"],
        },
    )
    assert kms_service.requests == [
        ("DescribeKey", {"KeyId": KEY}),
        ("ListKeyPolicies", {"KeyId": KEY}),
        ("GetKeyPolicy", {"KeyId": KEY, "PolicyName": "default"}),
        ("ListGrants", {"KeyId": KEY, "Limit": 100}),
    ]


def test_what_was_read_is_what_the_domain_judges(kms_service: "Kms") -> None:
    kms_service.create(POLICY)
    grant = kms_service.grant(ROLE, "Decrypt")
    kms_service.share({"Version": "2012-10-17", "Statement": [statement(Sid="Shared")]})
    live = keys.read(KEY, at=AT)
    documents = live.documents()
    assert [each.where for each in documents] == [f"{KEY}: policy default", f"{KEY}: policy AWS_RAM"]
    assert [each.sid for document in documents for each in document.statements] == ["Use", "All", "Shared"]
    assert live.granted() == (Grant(id=grant, grantee=ROLE, operations=("Decrypt",)),)
    assert live.decisive() == Policies(key=documents, identity=None, grants=live.granted())
    assert live.facts() == KeyFacts(
        arn=KEY,
        usage="ENCRYPT_DECRYPT",
        origin="AWS_KMS",
        multi_region=False,
        grants=live.granted(),
        policies=("AWS_RAM", "default"),
    )


def test_an_alias_is_resolved_once_and_the_key_is_asked_from_then_on(kms_service: "Kms") -> None:
    kms_service.create(POLICY)
    alias = kms_service.alias("signer")
    kms_service.requests.clear()
    live = keys.read(alias, at=AT)
    assert (live.asked, live.arn) == (alias, KEY)
    assert [body["KeyId"] for _, body in kms_service.requests] == [alias, KEY, KEY, KEY]


def test_all_pages_of_the_grants_are_read(kms_service: "Kms") -> None:
    kms_service.create(POLICY)
    made = {kms_service.grant(ROLE, "Decrypt") for _ in range(230)}
    live = keys.read(KEY, at=AT)
    assert {row["GrantId"] for row in live.grants} == made
    assert [body.get("Marker") for body in kms_service.asked("ListGrants")] == [None, "100", "200"]


def test_the_same_key_in_other_regions_is_named(kms_service: "Kms") -> None:
    name = "mrk-1234abcd12ab34cd56ef1234567890ab"
    primary = kms_service.create(POLICY, key_id=name, MultiRegion=True)
    replica = kms_service.replicate("us-east-1", key_id=name)
    here, there = keys.read(primary, at=AT), keys.read(replica, at=AT)
    assert (here.multi_region, here.region_type, here.replicas) == (True, "PRIMARY", (replica,))
    assert (there.region_type, there.replicas) == ("REPLICA", (primary,))
    assert there.policies != here.policies  # a replica's policy is its own


def test_the_region_is_that_of_the_arn_whatever_the_environment_says(
    kms_service: "Kms", monkeypatch: pytest.MonkeyPatch
) -> None:
    kms_service.create(POLICY)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert keys.read(KEY, at=AT).region == REGION


@pytest.mark.parametrize(
    "text",
    ["1234abcd-12ab-34cd-56ef-1234567890ab", "alias/signer", KEY.replace(":kms:", ":s3:"), f"{KEY}\n", ""],
)
def test_a_key_without_its_region_is_a_wrong_invocation(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        keys.read(text)
    assert (caught.value.code, caught.value.message) == ("aws.key-arn", f"not the ARN of a KMS key: {text!r}")
    assert any("aws kms describe-key" in hint for hint in caught.value.hints)


@pytest.mark.parametrize("operation", ["DescribeKey", "ListKeyPolicies", "GetKeyPolicy", "ListGrants"])
def test_a_permission_that_is_missing_is_named(kms_service: "Kms", operation: str) -> None:
    from tests.fakes.kms import WRITER, allow

    kms_service.create(
        POLICY | {"Statement": [statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Action="kms:*")]}
    )
    needed = ["kms:DescribeKey", "kms:ListKeyPolicies", "kms:GetKeyPolicy", "kms:ListGrants"]
    needed.remove(f"kms:{operation}")
    kms_service.enforce, kms_service.caller, kms_service.iam = True, WRITER, allow(*needed)
    error = failed()
    assert (error.code, error.hints) == (
        "aws.access-denied",
        (f"the caller needs kms:{operation} on the key, in its IAM policy or the key's policy",),
    )
    assert error.message == (
        f"{KEY}: kms:{operation} was refused: AccessDeniedException: User: {WRITER} is not authorized to perform: "
        f"kms:{operation} on resource: {KEY} because no resource-based policy allows it {REQUEST}"
    )


def failed() -> AwsFailed:
    with pytest.raises(AwsFailed) as caught:
        keys.read(KEY, at=AT)
    return caught.value


@pytest.mark.parametrize(
    ("aws_code", "code"),
    [
        ("ThrottlingException", "aws.throttled"),
        ("ExpiredTokenException", "aws.credentials"),
        ("NotFoundException", "aws.not-found"),
        ("KMSInvalidStateException", "aws.key-state"),
        ("DependencyTimeoutException", "aws.unavailable"),
        ("KMSInternalException", "aws.unavailable"),
        ("InvalidArnException", "aws.refused"),
    ],
)
def test_what_kms_refuses_has_its_code_and_request_id(kms_service: "Kms", aws_code: str, code: str) -> None:
    from tests.fakes.kms import Refusal

    kms_service.create(POLICY)
    kms_service.knobs.refuse["ListGrants"] = Refusal(aws_code, "so it is.")
    error = failed()
    assert (error.code, error.message) == (code, f"{KEY}: kms:ListGrants was refused: {aws_code}: so it is {REQUEST}")


@pytest.mark.parametrize(
    ("aws_code", "status"),
    [("ThrottlingException", 400), ("DependencyTimeoutException", 503), ("KMSInternalException", 500)],
)
def test_three_stumbles_are_got_over_and_four_are_not(kms_service: "Kms", aws_code: str, status: int) -> None:
    from tests.fakes.kms import Refusal

    kms_service.create(POLICY)
    kms_service.knobs.stumble["GetKeyPolicy"] = [Refusal(aws_code, "no", status)] * 3
    assert keys.read(KEY, at=AT).state == "Enabled"
    kms_service.knobs.stumble["GetKeyPolicy"] = [Refusal(aws_code, "no", status)] * 4
    assert failed().details["aws_code"] == aws_code


def test_a_key_that_is_not_there(kms_service: "Kms") -> None:
    assert (
        failed().message
        == f"{KEY}: kms:DescribeKey was refused: NotFoundException: Key '{KEY}' does not exist {REQUEST}"
    )


def test_a_connection_that_ends_without_an_answer(kms_service: "Kms") -> None:
    kms_service.create(POLICY)
    kms_service.knobs.hang_up.add("GetKeyPolicy")
    assert failed().code == "aws.unreachable"


def test_without_credentials_nothing_is_asked(kms_service: "Kms", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert (failed().code, kms_service.requests) == ("aws.credentials", [])


#: Operation, member of its answer, what stands there in place of the right thing.
NONSENSE: list[tuple[str, dict[str, Any]]] = [
    ("DescribeKey", {"KeyMetadata": {}}),
    ("DescribeKey", {"KeyMetadata": {"KeyId": "1", "Arn": KEY}}),
    ("DescribeKey", {"KeyMetadata": {"KeyId": "1", "Arn": KEY.replace("1234abcd-", "0000abcd-")}}),
    ("DescribeKey", {"KeyMetadata": {"KeyId": "1", "Arn": KEY.replace("1111", "9999")}}),
    ("ListKeyPolicies", {"PolicyNames": []}),
    ("ListKeyPolicies", {"PolicyNames": ["AWS_RAM"]}),
    ("ListKeyPolicies", {}),
    ("GetKeyPolicy", {}),
    ("ListGrants", {}),
    ("ListGrants", {"Grants": "none"}),
    ("ListGrants", {"Grants": ["none"]}),
    ("ListGrants", {"Grants": [{"GrantId": "1", "CreationDate": 1e300}]}),
    ("ListGrants", {"Grants": [], "Truncated": True}),
    ("ListGrants", {"Grants": [], "Truncated": False, "NextMarker": "1"}),
    ("ListKeyPolicies", {"PolicyNames": ["default"], "Truncated": True}),
    ("DescribeKey", {"KeyMetadata": "none"}),
]
#: What is no answer at all.
NO_ANSWER = {"null": b"null", "a list": b"[]", "a text": b'"none"', "too deep": b'{"KeyMetadata":' + b"[" * 100_000}


@pytest.mark.parametrize(("operation", "answer"), NONSENSE, ids=[f"{each[0]}-{n}" for n, each in enumerate(NONSENSE)])
def test_an_answer_that_is_none_is_no_empty_one(kms_service: "Kms", operation: str, answer: dict[str, Any]) -> None:
    kms_service.create(POLICY)
    kms_service.knobs.replace[operation] = lambda _: answer
    assert failed().code == "aws.nonsense"


@pytest.mark.parametrize("name", NO_ANSWER)
def test_what_is_no_answer_is_no_bug_of_ours(kms_service: "Kms", name: str) -> None:
    kms_service.create(POLICY)
    kms_service.knobs.replace["DescribeKey"] = lambda _: NO_ANSWER[name]
    error = failed()
    assert (error.code, error.message) == (
        "aws.nonsense",
        f"{KEY}: kms:DescribeKey failed: the answer is not of the form that it has from AWS",
    )


@pytest.mark.parametrize(
    ("part", "other"),
    [(ACCOUNT, "999999999999"), (":key/", ":alias/"), ("1234abcd", "0000abcd"), ("arn:aws", "arn:aws-cn")],
)
def test_a_replica_that_is_not_the_same_key_is_refused(kms_service: "Kms", part: str, other: str) -> None:
    kms_service.create(POLICY)
    replica = KEY.replace(REGION, "us-east-1")
    regions = {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": KEY, "Region": REGION},
        "ReplicaKeys": [{"Arn": replica, "Region": "us-east-1"}],
    }

    def described(answer: dict[str, Any]) -> dict[str, Any]:
        return {"KeyMetadata": {**answer["KeyMetadata"], "MultiRegion": True, "MultiRegionConfiguration": regions}}

    kms_service.knobs.replace["DescribeKey"] = described
    assert keys.read(KEY, at=AT).replicas == (replica,)
    foreign = replica.replace(part, other)
    regions["ReplicaKeys"] = [{"Arn": foreign, "Region": "us-east-1"}]
    error = failed()
    assert (error.code, error.message) == (
        "aws.nonsense",
        f"{KEY}: kms:DescribeKey failed: a replica that is not the same key: {foreign}",
    )


def test_a_list_that_never_ends_is_refused(kms_service: "Kms", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_PAGES", 3)
    kms_service.create(POLICY)
    count = iter(range(100))
    kms_service.knobs.replace["ListGrants"] = lambda answer: {
        **answer,
        "Truncated": True,
        "NextMarker": f"{next(count)}",
    }
    assert failed().message == f"{KEY}: kms:ListGrants failed: list_grants has more than 3 pages"


def test_every_error_here_is_ours() -> None:
    assert issubclass(AwsFailed, NitroctlError)
