"""``nitroctl kms lint --key``: the rules asked of a key in AWS, with all that AWS tells of it."""

import json
import re
from typing import Any

import pytest

from nitroctl.kms.lint_rules import RULES
from tests import kms_live
from tests.conftest import Cli
from tests.fakes.kms import KEY, REGION, Kms, Refusal
from tests.kms_live import A, B, default, good
from tests.kms_requests import ROLE, statement

READ = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z")


def lint(cli: Cli, *more: str, key: str = KEY) -> Any:
    return cli("kms", "lint", "--key", key, *more)


def findings(cli: Cli, *more: str) -> list[tuple[str, str]]:
    found = lint(cli, "--json", *more).json["data"]["files"][0]["policies"]
    return [(policy["name"], finding["rule"]) for policy in found for finding in policy["findings"]]


def test_a_key_that_holds_is_judged_with_all_that_aws_tells_of_it(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    ran = lint(cli)
    assert ran.status == 0
    assert ran.stdout.splitlines()[0].startswith(f"✓ {KEY}: ")
    assert READ.sub("NOW", ran.stderr) == (
        "nitroctl: note: the key is judged as AWS told of it at NOW; lines are those of the policy as KMS prints it\n"
        "nitroctl: note: not looked at: IAM policies, service and resource control policies, permission boundaries,"
        " session policies, VPC endpoint policies; no finding is no proof that the policy holds\n"
    )
    file = lint(cli, "--json").json["data"]["files"][0]
    assert (file["file"], file["kind"], file["verdict"]) == (KEY, "key", "pass")
    # what files would have had to say: only the records and a template's switch are missing
    assert sorted(file["policies"][0]["not_asked"]) == ["KP046", "KP047", "KP052"]


def test_an_alias_is_looked_up_and_the_key_named(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    alias = kms_service.alias("signer")
    assert lint(cli, "--json", key=alias).json["data"]["files"][0]["file"] == KEY


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ({"Origin": "EXTERNAL"}, "KP042"),
        ({"MultiRegion": True}, "KP043"),
        ({"KeyUsage": "SIGN_VERIFY", "KeySpec": "ECC_NIST_P256"}, "KP041"),
    ],
    ids=["origin", "multi-region", "usage"],
)
def test_the_rules_about_the_key_are_asked_of_its_description(
    cli: Cli, kms_service: Kms, how: dict[str, Any], rule: str
) -> None:
    kms_service.create(good(A))
    assert rule not in [found for _, found in findings(cli)]
    kms_service.create(good(A), **how)
    assert rule in [found for _, found in findings(cli)]


def test_grants_that_exist_are_one_finding(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A, Unattested=None, Other=None))
    assert "KP044" not in [rule for _, rule in findings(cli)]
    ids = [kms_service.grant(f"{ROLE}-{number}", "Decrypt") for number in range(120)]
    assert [rule for _, rule in findings(cli)].count("KP044") == 1
    told = "; ".join(f"{each} lets {ROLE}-{number} use kms:Decrypt" for number, each in enumerate(ids[:5]))
    ran = lint(cli, "--format", "github")
    assert ran.stdout.splitlines()[0].endswith(
        ",title=kp044.live-grants::not so: no grant that exists goes past attestation; critical: 120 grants give data"
        f" without a named image: {told}; and 115 more; fix: revoke what nobody needs (aws kms revoke-grant"
        f" --region eu-west-1 --key-id {KEY} --grant-id ID), or deny unattested use to everybody: a Deny is above every"
        " grant"
    )
    junit = lint(cli, "--format", "junit").stdout
    assert junit.count('name="kp044.live-grants"') == 1
    sarif = json.loads(lint(cli, "--format", "sarif").stdout)
    assert [each["ruleId"] for each in sarif["runs"][0]["results"]].count("kp044.live-grants") == 1


def test_the_second_policy_is_judged_as_well(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A, Unattested=None, Other=None))
    kms_service.share({"Statement": [statement(Sid="Shared", Principal="*")]})
    ran = lint(cli, "--json")
    assert ran.status == 1
    assert [
        (policy["name"], finding["rule"], finding["severity"])
        for policy in ran.json["data"]["files"][0]["policies"]
        for finding in policy["findings"]
    ] == [
        ("default", "KP032", "info"),
        ("default", "KP038", "info"),
        ("default", "KP045", "high"),
        ("AWS_RAM", "KP001", "critical"),
        ("AWS_RAM", "KP003", "critical"),
        ("AWS_RAM", "KP051", "low"),
    ]
    checks = ran.json["data"]["report"]["checks"]
    asked = [check["id"] for check in checks]
    assert len(asked) == len(RULES)  # one answer for each rule: no policy passes what another fails
    [shared] = [check["detail"] for check in checks if check["id"] == "kp045.ram-policy"]
    assert shared == "high: default: the key has a second policy, AWS_RAM, which is judged together with this one"


def test_what_one_policy_allows_another_may_deny(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    kms_service.share({"Version": "2012-10-17", "Statement": [statement(Sid="Use")]})
    kms_service.grant(ROLE, "Decrypt", "CreateGrant")
    assert findings(cli) == [("default", "KP032"), ("default", "KP038"), ("default", "KP045")]


def test_the_default_policy_of_kms_is_refused(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(default())
    ran = lint(cli)
    assert ran.status == 1
    assert ran.stdout.startswith(f"✗ {KEY}: ")
    assert "KP002" in [rule for _, rule in findings(cli)]


def test_a_disabled_key_and_replicas_are_told_beside_the_answer(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A), MultiRegion=True)
    replica = kms_service.replicate("eu-north-1")
    kms_service.state("Disabled")
    notes = lint(cli).stderr
    assert "nitroctl: note: the key is Disabled: KMS does not use it for data now\n" in notes
    assert f"nitroctl: note: not judged: the same key, with a policy of its own each, in {replica}\n" in notes


def test_registers_are_compared_with_the_records(cli: Cli, kms_service: Kms, tmp_path: Any) -> None:
    from tests import records

    path = records.write(tmp_path / "measurements.json", records.active())
    kms_service.create(good(B))
    assert {"KP046", "KP047"} <= {rule for _, rule in findings(cli, "--records", str(path))}


@pytest.mark.parametrize(
    ("operation", "refusal", "code"),
    [
        ("GetKeyPolicy", Refusal("AccessDeniedException", "no"), "aws.access-denied"),
        ("ListGrants", Refusal("AccessDeniedException", "no"), "aws.access-denied"),
        ("DescribeKey", Refusal("NotFoundException", "none"), "aws.not-found"),
    ],
    ids=["policy", "grants", "key"],
)
def test_what_could_not_be_read_is_no_answer(
    cli: Cli, kms_service: Kms, operation: str, refusal: Refusal, code: str
) -> None:
    kms_service.create(good(A))
    kms_service.knobs.refuse[operation] = refusal
    ran = lint(cli)
    assert (ran.status, ran.stdout) == (5, "")
    assert f"[{code}]\n" in ran.stderr


def test_a_policy_of_kms_that_cannot_be_read_is_no_answer(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    kms_service.knobs.replace["GetKeyPolicy"] = lambda _: {"Policy": "{}", "PolicyName": "default"}
    ran = lint(cli)
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith(f"nitroctl: error: {KEY}: policy default: ")


def test_hostile_texts_of_a_live_policy_are_escaped(cli: Cli, kms_service: Kms) -> None:
    policy = good(A, Use=statement(Sid="a\x9b\xad", Principal="*"))
    kms_service.create(policy)
    ran = lint(cli)
    assert ran.status == 1
    assert not set("\x9b\xad") & set(ran.stdout)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), "no policy to judge"),
        (("--key", KEY, "policy.json"), "--key is judged by itself"),
        (("--key", KEY, "--facts", "x"), "--key is judged by itself"),
        (("--key", KEY, "--grants", "x"), "--key is judged by itself"),
        (("--key", KEY, "--fix"), "--key is judged by itself"),
        (("--key", f"alias/{REGION}"), "not the ARN of a KMS key"),
    ],
    ids=["nothing", "file", "facts", "grants", "fix", "no-arn"],
)
def test_wrong_invocations(cli: Cli, argv: tuple[str, ...], said: str) -> None:
    ran = cli("kms", "lint", *argv)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: {said}")


def test_the_key_of_the_tests_of_live_keys_is_the_one_of_the_service() -> None:
    assert kms_live.KEY == KEY
