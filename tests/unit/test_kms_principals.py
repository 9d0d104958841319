"""Who may be named in a key policy."""

import pytest

from nitroctl.errors import UsageError
from nitroctl.kms.principals import Role, hold_apart, parse, roles

ROLE = "arn:aws:iam::111122223333:role/signer"


@pytest.mark.parametrize(
    ("arn", "role"),
    [
        (ROLE, Role(ROLE, "aws", "111122223333", "signer")),
        (f" {ROLE}\n", Role(ROLE, "aws", "111122223333", "signer")),
        (
            "arn:aws-us-gov:iam::111122223333:role/a/b/Signer_1+=,.@-",
            Role(
                "arn:aws-us-gov:iam::111122223333:role/a/b/Signer_1+=,.@-",
                "aws-us-gov",
                "111122223333",
                "Signer_1+=,.@-",
            ),
        ),
        (
            "arn:aws-cn:iam::111122223333:role/signer",
            Role("arn:aws-cn:iam::111122223333:role/signer", "aws-cn", "111122223333", "signer"),
        ),
    ],
)
def test_a_role_is_taken_apart(arn: str, role: Role) -> None:
    assert parse(arn, option="--enclave-role") == role


REFUSED = {
    "session": (
        "arn:aws:sts::111122223333:assumed-role/signer/i-0123456789abcdef0",
        "a session of a role, not the role",
        f"name the role: {ROLE} (with its path, if it has one)",
    ),
    "everybody": ("*", "a wildcard is anybody", None),
    "wildcard-in-the-name": ("arn:aws:iam::111122223333:role/*", "a wildcard is anybody", None),
    "wildcard-account": ("arn:aws:iam::*:role/signer", "a wildcard is anybody", None),
    "root": (
        "arn:aws:iam::111122223333:root",
        "a whole account, whose IAM policies could then let anybody decrypt without attestation",
        None,
    ),
    "account": (
        "111122223333",
        "a whole account, whose IAM policies could then let anybody decrypt without attestation",
        None,
    ),
    "instance-profile": (
        "arn:aws:iam::111122223333:instance-profile/signer",
        "an instance profile, not a role",
        "aws iam get-instance-profile shows its role",
    ),
    "user": (
        "arn:aws:iam::111122223333:user/alice",
        "a user, whose long-lived credentials can leave the host",
        "let the user assume a role and name that",
    ),
    "group": ("arn:aws:iam::111122223333:group/ops", "a group, which cannot be a principal", "name a role"),
    "unique-id": (
        "AROAEXAMPLEEXAMPLEEXA",
        "the unique id of a principal, as KMS shows a deleted one",
        None,
    ),
    "bare-name": ("signer", "not the ARN of an IAM role", None),
    "service": ("ec2.amazonaws.com", "not the ARN of an IAM role", None),
    "empty": ("", "not the ARN of an IAM role", None),
    "short-account": ("arn:aws:iam::11112222333:role/signer", "not the ARN of an IAM role", None),
    "with-region": ("arn:aws:iam:eu-west-1:111122223333:role/signer", "not the ARN of an IAM role", None),
    "policy-variable": ("arn:aws:iam::111122223333:role/${aws:username}", "not the ARN of an IAM role", None),
    "two-lines": (f"{ROLE}\n{ROLE}", "not the ARN of an IAM role", None),
    "non-ascii-digits": ("arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:role/signer", "not the ARN of an IAM role", None),
    "long-name": (f"arn:aws:iam::111122223333:role/{'a' * 65}", "not the ARN of an IAM role", None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_a_role_is_refused_with_what_it_is(name: str) -> None:
    text, what, hint = REFUSED[name]
    with pytest.raises(UsageError) as caught:
        parse(text, option="--enclave-role")
    assert caught.value.code == "kms.principal"
    assert caught.value.message == f"--enclave-role: {what}: {text.strip()!r}"
    assert hint is None or caught.value.hints == (hint,)
    assert caught.value.hints


def test_roles_are_sorted_and_each_once() -> None:
    found = roles([f"{ROLE}-b", ROLE, f"{ROLE}-a", ROLE], option="--enclave-role")
    assert [role.name for role in found] == ["signer", "signer-a", "signer-b"]


def one(arn: str) -> tuple[Role, ...]:
    return roles([arn], option="--x")


ADMIN, WRITER = f"{ROLE}-admin", f"{ROLE}-writer"


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(ROLE, id="the-same"),
        pytest.param("arn:aws:iam::111122223333:role/Signer", id="in-another-case"),
        pytest.param("arn:aws:iam::111122223333:role/path/signer", id="with-a-path"),
    ],
)
def test_the_enclaves_role_is_neither_admin_nor_policy_writer(same: str) -> None:
    for admin, writer, duty in ((same, WRITER, "admin role"), (ADMIN, same, "policy writer")):
        with pytest.raises(UsageError) as caught:
            hold_apart(one(ROLE), one(admin), one(writer))
        assert caught.value.code == "kms.separation"
        assert caught.value.message == f"{same} is both enclave role and {duty}"


def test_admin_and_policy_writer_may_be_one() -> None:
    hold_apart(one(ROLE), one(ADMIN), one(ADMIN))


def test_the_same_name_in_another_account_is_another_role() -> None:
    hold_apart(one(ROLE), one("arn:aws:iam::444455556666:role/signer"), one(WRITER))


def test_roles_of_two_partitions_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        hold_apart(one(ROLE), one("arn:aws-cn:iam::111122223333:role/admin"), one(WRITER))
    assert caught.value.message == "the roles are of different partitions: aws, aws-cn"
