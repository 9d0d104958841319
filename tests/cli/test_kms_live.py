"""``kms show`` and ``kms diff``: a key as it is in AWS, and a policy held against it; whole outputs."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nitroctl.kms import canonical
from nitroctl.kms.document import parse
from tests import kms_live
from tests.conftest import Cli
from tests.kms_live import KEY, REQUEST, ROLE, A, B, Policy, default, good
from tests.kms_requests import PCR0, statement

if TYPE_CHECKING:
    from tests.fakes.kms import Kms

NOT_LOOKED_AT = (
    "nitroctl: note: not looked at: IAM policies, service and resource control policies, permission boundaries, session"
    " policies, VPC endpoint policies; no finding is no proof that the policy holds\n"
)


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def digest(policy: Policy) -> str:
    return canonical.digest(parse(json.dumps(policy), where="policy"))


def lines(text: str) -> list[str]:
    """Return the lines, with the columns of a table two spaces apart however wide they are."""
    return ["  ".join(re.split(r" {2,}", line)) for line in text.splitlines()]


def test_a_key_is_shown(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    ran = cli("kms", "show", "--key", KEY)
    assert (ran.status, ran.stderr) == (0, NOT_LOOKED_AT)
    assert re.fullmatch(r"read at  20[0-9-]{8}T[0-9:]{8}Z", lines(ran.stdout)[6])
    assert [*lines(ran.stdout)[:6], *lines(ran.stdout)[7:]] == [
        f"{KEY}: Enabled, no critical or high findings",
        "state  Enabled",
        "usage  ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT",
        "material  AWS_KMS",
        "multi-Region  no",
        "policies  default, 1408 of 32768 bytes",
        "",
        "Policy default",
        "statement  effect  who  what  if",
        f"Admin  Allow  {kms_live.ADMIN}  kms:DescribeKey, kms:EnableKey  always",
        (
            f"Writer  Allow  {kms_live.WRITER}"
            "  kms:DescribeKey, kms:GetKeyPolicy, kms:ListGrants, kms:ListKeyPolicies, kms:PutKeyPolicy  always"
        ),
        f"Use  Allow  {ROLE}  kms:Decrypt  StringEqualsIgnoreCase {PCR0}",
        (
            "Unattested  Deny  *  kms:Decrypt, kms:DeriveSharedSecret, kms:GenerateDataKey, kms:GenerateDataKeyPair"
            f"  Null {PCR0}"
        ),
        (
            "Other  Deny  *  kms:Decrypt, kms:DeriveSharedSecret, kms:GenerateDataKey, kms:GenerateDataKeyPair"
            f"  StringNotEqualsIgnoreCase {PCR0}"
        ),
        "Detours  Deny  *  kms:CreateGrant, kms:ReEncryptFrom  always",
        "",
        "Grants",
        "none",
    ]


def test_a_key_that_is_open_says_so_first(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A, Unattested=None, Other=None))
    shut = kms_service.grant(ROLE, "CreateGrant")
    harmless = kms_service.grant(ROLE, "DescribeKey")
    grant = kms_service.grant(ROLE, "Decrypt", "DescribeKey")
    alias = kms_service.alias("signer")
    kms_service.state("PendingDeletion")
    ran = cli("kms", "show", "--key", alias)
    shown = lines(ran.stdout)
    assert shown[:3] == [
        f"{KEY}: PendingDeletion, 1 critical finding, 1 open grant",
        f"asked for  {alias}",
        "state  PendingDeletion",
    ]
    assert shown[shown.index("Grants") :] == [
        "Grants",
        "grant  who  operations  data",
        f"{shut}  {ROLE}  CreateGrant  shut by the policy",
        f"{harmless}  {ROLE}  DescribeKey  no data",
        f"{grant}  {ROLE}  Decrypt, DescribeKey  open: kms:Decrypt",
        "",
        "Findings",
        "✗ no grant that exists goes past attestation",
        f"  critical: the grant {grant} lets {ROLE} use kms:Decrypt without a named image",
        (
            f"  fix: aws kms revoke-grant --region eu-west-1 --key-id {KEY} --grant-id {grant}, or deny unattested use"
            " to everybody"
        ),
        "  [kp044.live-grants]",
    ]
    assert ran.stderr == (
        "nitroctl: note: the key is PendingDeletion: KMS does not use it for data now\n" + NOT_LOOKED_AT
    )


def test_a_shown_key_as_json(cli: Cli, kms_service: "Kms") -> None:
    name = "mrk-1234abcd12ab34cd56ef1234567890ab"
    primary = kms_service.create(good(A), key_id=name, MultiRegion=True)
    replica = kms_service.replicate("us-east-1", key_id=name)
    kms_service.share(good(B), arn=primary)
    grant = kms_service.grant(ROLE, "Decrypt", key_id=name)
    ran = cli("kms", "show", "--key", primary, "--json")
    data = ran.json["data"]
    read_at = data["key"].pop("read_at")
    assert read_at.endswith("Z")
    assert data["key"] == {
        "arn": primary,
        "asked": primary,
        "account": "111122223333",
        "region": "eu-west-1",
        "state": "Enabled",
        "usage": "ENCRYPT_DECRYPT",
        "spec": "SYMMETRIC_DEFAULT",
        "origin": "AWS_KMS",
        "manager": "CUSTOMER",
        "multi_region": True,
        "region_type": "PRIMARY",
        "replicas": [replica],
    }
    assert [(each["name"], each["sha256"]) for each in data["policies"]] == [
        ("default", digest(good(A))),
        ("AWS_RAM", digest(good(B))),
    ]
    assert data["grants"] == [
        {
            "row": {
                "CreationDate": "2026-09-21T14:13:20Z",
                "KeyId": primary,
                "GrantId": grant,
                "GranteePrincipal": ROLE,
                "Operations": ["Decrypt"],
            },
            "data_operations": ["kms:Decrypt"],
            "open_operations": [],
        }
    ]
    assert [(each["policy"], each["rule"], each["severity"]) for each in data["findings"]] == [
        ("default", "KP032", "info"),
        ("default", "KP038", "info"),
        ("default", "KP043", "medium"),
        ("default", "KP045", "high"),
        ("AWS_RAM", "KP038", "info"),
    ]
    assert ran.json["notes"] == [
        f"the same key, with a policy of its own each, is {replica}",
        NOT_LOOKED_AT.removeprefix("nitroctl: note: ").rstrip(),
    ]
    assert data["not_looked_at"] == ran.json["notes"][1]


def test_a_shared_key_with_grants_is_shown_whole(cli: Cli, kms_service: "Kms") -> None:
    other = "arn:aws:iam::444455556666:root"
    kms_service.create(good(A, Unattested=None, Other=None))
    kms_service.share({"Statement": [statement(Sid="Shared", Principal={"AWS": other})]})
    grants = [kms_service.grant(f"{ROLE}-{number}", "Decrypt") for number in range(7)]
    ran = cli("kms", "show", "--key", KEY)
    shown = lines(ran.stdout)
    assert shown[0] == f"{KEY}: Enabled, 2 critical findings, 2 high findings, 7 open grants"
    told = "; ".join(f"{grant} lets {ROLE}-{number} use kms:Decrypt" for number, grant in enumerate(grants[:5]))
    assert shown[shown.index("Findings") :] == [
        "Findings",
        "✗ no account's IAM policies can open the key without attestation",
        (
            "  critical: AWS_RAM, statement 1 (Shared): any IAM policy of account 444455556666 can use kms:Decrypt"
            " without attestation"
        ),
        (
            "  fix: name roles and management actions in place of the account, or deny all four attested actions"
            " without attestation to everybody, as nitroctl kms generate does"
        ),
        "  [kp002.root-delegation]",
        "✗ no grant that exists goes past attestation",
        f"  critical: default: 7 grants give data without a named image: {told}; and 2 more",
        (
            f"  fix: revoke what nobody needs (aws kms revoke-grant --region eu-west-1 --key-id {KEY} --grant-id ID),"
            " or deny unattested use to everybody: a Deny is above every grant"
        ),
        "  [kp044.live-grants]",
        "✗ no other account decides who uses the key",
        (
            "  high: AWS_RAM, statement 1 (Shared): account 444455556666 is not the key's (111122223333), and its IAM"
            " policies decide who uses the key without attestation"
        ),
        "  fix: bind the statement to an image, or take it out",
        "  [kp040.cross-account]",
        "✗ the key has this policy and no other",
        "  high: default: the key has a second policy, AWS_RAM, which is judged together with this one",
        "  fix: see that what it allows is meant, or end the sharing in Resource Access Manager",
        "  [kp045.ram-policy]",
    ]
    assert (ran.status, ran.stderr) == (0, NOT_LOOKED_AT)


def test_the_policy_alone_is_a_file(cli: Cli, kms_service: "Kms", tmp_path: Path) -> None:
    kms_service.create(good(A))
    ran = cli("kms", "show", "--key", KEY, "--policy-only", "--quiet")
    (tmp_path / "policy.json").write_text(ran.stdout)
    assert cli("kms", "diff", "policy.json", "--key", KEY).status == 0


def test_a_key_that_cannot_be_read_is_no_answer(cli: Cli, kms_service: "Kms") -> None:
    ran = cli("kms", "show", "--key", KEY)
    assert (ran.status, ran.stdout) == (5, "")
    assert ran.stderr == (
        f"nitroctl: error: {KEY}: kms:DescribeKey was refused: NotFoundException: Key '{KEY}' does not exist {REQUEST}"
        " [aws.not-found]\n"
        "nitroctl: hint: check region, account and id; KMS knows no such key, alias or policy there\n"
    )


def test_hostile_text_of_a_live_key_stays_text(cli: Cli, kms_service: "Kms") -> None:
    sid = "a\x1b[31m\n::error::b"
    kms_service.create(good(A, Use=statement(Sid=sid, Condition={"StringEquals": {PCR0: A}})))
    ran = cli("kms", "show", "--key", KEY)
    assert "\x1b" not in ran.stdout
    assert not [line for line in ran.stdout.splitlines() if line.startswith("::")]
    ran = cli("kms", "diff", kms_live.write(Path("policy.json"), good(A)), "--key", KEY)
    assert "\x1b" not in ran.stdout
    assert not [line for line in ran.stdout.splitlines() if line.startswith("::")]


def test_policies_that_say_the_same(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A, B))
    ran = cli("kms", "diff", kms_live.write(Path("policy.json"), good(B, A)), "--key", KEY)
    assert (ran.status, ran.stdout, ran.stderr) == (0, f"✓ {KEY} and policy.json say the same\n", "")


def test_policies_that_differ_statement_by_statement(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A, Admin=None) | {"Id": "old"})
    changed = statement("Deny", Sid="Detours", Principal="*", Action="kms:ReEncryptFrom")
    ran = cli("kms", "diff", kms_live.write(Path("policy.json"), good(A, B, Detours=changed)), "--key", KEY)
    assert (ran.status, ran.stderr) == (1, "")
    assert ran.stdout == (
        f"✗ {KEY} and policy.json differ: 3 statements changed, 1 added, Id changed\n"
        "- Id: old\n"
        "  statement Use: changed\n"
        f"+     Condition/StringEqualsIgnoreCase/{PCR0}:\n+         {B}\n"
        "  statement Other: changed\n"
        f"+     Condition/StringNotEqualsIgnoreCase/{PCR0}:\n+         {B}\n"
        "  statement Detours: changed\n"
        "-     Action: kms:CreateGrant\n"
        "+ statement Admin: added\n"
        "+     Effect: Allow\n"
        f"+     Principal/AWS: {kms_live.ADMIN}\n"
        "+     Action: kms:DescribeKey\n"
        "+     Action: kms:EnableKey\n"
        "+     Resource: *\n"
    )


def test_a_sid_is_not_taken_for_the_place_of_a_statement(cli: Cli) -> None:
    kms_live.write(Path("a.json"), {"Statement": [statement(), statement("Deny", Sid="statement 1")]})
    kms_live.write(Path("b.json"), {"Statement": []})
    lines = cli("kms", "diff", "a.json", "b.json").stdout.splitlines()
    assert [line for line in lines if line.startswith("- statement")] == [
        "- statement 1: removed",
        "- statement statement 1: removed",
    ]


def test_two_files_are_compared_without_aws(cli: Cli) -> None:
    kms_live.write(Path("a.json"), good(A))
    kms_live.write(Path("b.json"), good(A, Use=None))
    ran = cli("kms", "diff", "a.json", "b.json", "--json")
    assert ran.status == 1
    assert ran.json["data"] == {
        "before": {"source": "a.json", "sha256": digest(good(A)), "statements": 6, "size_bytes": 1384},
        "after": {"source": "b.json", "sha256": digest(good(A, Use=None)), "statements": 5, "size_bytes": 1083},
        "difference": {
            "equal": False,
            "heads": [],
            "changes": [
                {
                    "kind": "removed",
                    "label": "Use",
                    "before": statement(Sid="Use", Condition={"StringEqualsIgnoreCase": {PCR0: A}}),
                    "after": None,
                    "parts": [],
                }
            ],
            "unchanged_statements": 5,
        },
    }


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["a.json"], "1 policies: write two policies, or one and --key ARN"),
        (["a.json", "a.json", "--key", KEY], "2 policies: write one policy to compare with the key's"),
        (["-", "-"], "several files are standard input"),
    ],
)
def test_what_is_compared_must_be_two_things(cli: Cli, argv: list[str], message: str) -> None:
    kms_live.write(Path("a.json"), good(A))
    ran = cli("kms", "diff", *argv)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: {message} [usage.invalid]\n")


def test_a_key_policy_of_kms_itself_is_open(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create()
    assert cli("kms", "show", "--key", KEY).stdout.startswith(f"{KEY}: Enabled, 3 critical findings, 1 high finding\n")
    assert cli("kms", "diff", kms_live.write(Path("p"), default() | {"Id": "key-default-1"}), "--key", KEY).status == 0


def test_the_program_reaches_the_service_too(cli: Cli, kms_service: "Kms", tmp_path: Path) -> None:
    kms_service.create(good(A))
    ran = cli.program("kms", "diff", kms_live.write(tmp_path / "p", good(B)), "--key", KEY, "--json", cwd=tmp_path)
    assert (ran.status, ran.json["status"]) == (1, "refused")
