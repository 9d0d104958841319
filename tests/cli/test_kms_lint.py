"""``nitroctl kms lint``: whole outputs."""

import json
from pathlib import Path
from typing import Any

import pytest

from nitroctl.kms import lint
from tests.conftest import Cli, Ran, as_nobody
from tests.kms_policies import (
    ADMIN,
    DETOURS,
    GOOD,
    KEY,
    MANAGE,
    ONE,
    OTHERS,
    RELEASE,
    ROOT,
    SIGNER,
    UNATTESTED,
    WRITER,
    Json,
    allow,
    bound,
    policy,
)
from tests.records import active, pcrs, write

NOTE = f"nitroctl: note: {lint.NOT_MODELLED}\n"
NOT_ASKED = """\

Rules not asked, for want of
  KP041, KP042, KP043  --facts FILE: what aws kms describe-key prints
  KP044                --grants FILE: what aws kms list-grants prints
  KP045                --facts FILE: what aws kms list-key-policies prints
  KP046, KP047         --records FILE
  KP052                only a template says whether the check is left on
"""
WHATEVER = "the enclave may decrypt whatever was encrypted with the key, for whatever purpose"
LOOSE = policy(
    allow(
        ["kms:Decrypt", "kms:GenerateRandom"],
        bound("StringEqualsIfExists", PCR0=ONE.upper()),
        Sid="Enclave",
    ),
    DETOURS,
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(value: Json | str, name: str = "policy.json") -> str:
    Path(name).write_text(value if isinstance(value, str) else json.dumps(value, indent=2) + "\n")
    return name


def test_a_policy_that_holds(cli: Cli) -> None:
    put(GOOD)
    expected = f"✓ policy.json: no findings\n{NOT_ASKED}"
    assert cli("kms", "lint", "policy.json") == Ran(0, expected, NOTE)


def test_a_policy_that_does_not(cli: Cli) -> None:
    put(LOOSE)
    assert cli("kms", "lint", "policy.json") == Ran(
        1,
        f"""\
✗ policy.json: 1 critical, 1 medium, 1 low
✗ no attestation condition holds when there is no attestation (IfExists)
  critical: statement 2 (Enclave), line 31: StringEqualsIfExists on {KEY}PCR0 holds when the request attests nothing
  fix: drop IfExists
  [kp007.if-exists]
! registers are lower case and compared without regard to case
  medium: statement 2 (Enclave), line 31: StringEqualsIfExists on {KEY}PCR0 depends on the case in which KMS has it
  fix: StringEqualsIgnoreCase, and lower case
  [kp019.register-case]
! GenerateRandom, which has no key, is left to IAM
  low: statement 2 (Enclave), line 19: kms:GenerateRandom is authorised by IAM policies alone
  fix: take it out here, and allow it to the role in an IAM policy
  [kp022.generate-random]
{NOT_ASKED}""",
        NOTE,
    )


def test_the_same_for_machines(cli: Cli) -> None:
    put(LOOSE)
    ran = cli("kms", "lint", "policy.json", "--json")
    data = ran.json["data"]
    report = data.pop("report")
    [file] = data.pop("files")
    [found] = file.pop("policies")
    assert data == {"fail_on": "high", "accepted": [], "not_looked_at": lint.NOT_MODELLED}
    assert file == {"file": "policy.json", "kind": "policy", "verdict": "fail", "assumed": []}
    assert (found["name"], found["size_bytes"]) == ("", len(json.dumps(LOOSE, separators=(",", ":"))))
    assert found["findings"][0] == {
        "rule": "KP007",
        "id": "kp007.if-exists",
        "severity": "critical",
        "refuses": True,
        "statement": 2,
        "sid": "Enclave",
        "line": 31,
        "what": f"StringEqualsIfExists on {KEY}PCR0 holds when the request attests nothing",
        "why": "A condition on attestation ends in IfExists, and holds when the request attests nothing.",
        "fix": "drop IfExists",
        "fixable": True,
    }
    assert [each["rule"] for each in found["findings"]] == ["KP007", "KP019", "KP022"]
    assert sorted(found["not_asked"]) == ["KP041", "KP042", "KP043", "KP044", "KP045", "KP046", "KP047", "KP052"]
    assert report["counts"] == {"pass": 41, "fail": 1, "warn": 2, "skip": 8}
    assert {each["id"]: each.get("line") for each in report["checks"] if each["outcome"] == "fail"} == {
        "kp007.if-exists": 31
    }
    assert ran.status == 1


def test_for_code_scanning_every_finding_has_its_line_and_a_fingerprint_of_its_own(cli: Cli) -> None:
    put(policy(allow(Sid="A"), allow(Sid="B", to=ADMIN), DETOURS))
    log = json.loads(cli("kms", "lint", "policy.json", "--format", "sarif").stdout)
    results = [each for each in log["runs"][0]["results"] if each["ruleId"] == "kp001.unattested-allow"]
    places = [each["locations"][0]["physicalLocation"] for each in results]
    assert places == [{"artifactLocation": {"uri": "policy.json"}, "region": {"startLine": line}} for line in (19, 28)]
    assert len({each["partialFingerprints"]["nitroctl/1"] for each in results}) == 2


def test_for_github_an_annotation_names_file_and_line(cli: Cli) -> None:
    put(LOOSE)
    ran = cli("kms", "lint", "policy.json", "--format", "github")
    first, *_, last = ran.stdout.splitlines()
    assert first == (
        "::error file=policy.json,line=31,title=kp007.if-exists::not so: no attestation condition holds when there is"
        f" no attestation (IfExists); critical: statement 2 (Enclave), line 31: StringEqualsIfExists on {KEY}PCR0"
        " holds when the request attests nothing; fix: drop IfExists"
    )
    assert last == "nitroctl kms.lint/1: refused (41 pass, 1 fail, 2 warn, 8 skip)"


def test_a_hostile_sid_cannot_speak_for_us(cli: Cli) -> None:
    put(policy(allow(Sid="x\n::error::\x1b[31mowned\u202e")))
    for form in ("human", "github", "json", "junit", "sarif"):
        ran = cli("kms", "lint", "policy.json", "--format", form)
        assert "\x1b" not in ran.stdout
        assert "\u202e" not in ran.stdout
        assert "\n::error::" not in ran.stdout


def test_facts_grants_and_records_are_asked(cli: Cli, here: Path) -> None:
    put({**GOOD, "Statement": [MANAGE, RELEASE]})
    metadata = {"Arn": "arn:aws:kms:eu-west-1:111122223333:key/k", "Origin": "EXTERNAL", "KeyUsage": "SIGN_VERIFY"}
    put({"KeyMetadata": {**metadata, "MultiRegion": True}}, "key.json")
    put({"PolicyNames": ["AWS_RAM", "default"]}, "names.json")
    put({"Grants": [{"GrantId": "g", "GranteePrincipal": ADMIN, "Operations": ["Decrypt"]}]}, "grants.json")
    write(here / "measurements.json", active("1", pin=(0,)))
    asked = [
        "--facts",
        "key.json",
        "--facts",
        "names.json",
        "--grants",
        "grants.json",
        "--records",
        "measurements.json",
    ]
    [file] = cli("kms", "lint", "policy.json", *asked, "--json").json["data"]["files"]
    [found] = file["policies"]
    assert [each["rule"] for each in found["findings"]] == [f"KP04{n}" for n in range(1, 8)]
    assert list(found["not_asked"]) == ["KP052"]


def test_a_policy_of_recorded_measurements_passes(cli: Cli, here: Path) -> None:
    write(here / "measurements.json", active("1"), active("2", pin=(0, 1, 2)))
    roles = (
        "--enclave-role",
        SIGNER,
        "--admin-role",
        ADMIN,
        "--policy-writer",
        "arn:aws:iam::111122223333:role/policy",
    )
    assert cli("kms", "generate", *roles, "--output", "policy.json").status == 0
    ran = cli("kms", "lint", "policy.json", "--records", "measurements.json", "--policy-writer", WRITER, "--json")
    [file] = ran.json["data"]["files"]
    assert ran.status == 0
    assert {each["rule"]: each["severity"] for each in file["policies"][0]["findings"]} == {
        "KP032": "info",
        "KP038": "info",
    }


def test_a_revoked_release_in_the_policy_is_told(cli: Cli, here: Path) -> None:
    write(here / "measurements.json", active("1"))
    assert cli("pcr", "revoke", "signer-1@prod", "--reason", "leak").status == 0
    put(policy(allow(condition=bound(PCR0=pcrs("1")[0].hex()), to=SIGNER), UNATTESTED, DETOURS))
    ran = cli("kms", "lint", "policy.json", "--records", "measurements.json")
    assert f"PCR0 {pcrs('1')[0].hex()} is that of signer-1@prod, which is revoked" in ran.stdout
    assert ran.status == 1


def test_the_threshold_and_what_is_accepted(cli: Cli) -> None:
    put({**GOOD, "Statement": [RELEASE, UNATTESTED, OTHERS, DETOURS]})
    assert cli("kms", "lint", "policy.json").status == 1
    assert cli("kms", "lint", "policy.json", "--accept", "kp032").status == 0
    assert cli("kms", "lint", "policy.json", "--accept", "kp032.lockout").status == 0
    assert cli("kms", "lint", "policy.json", "--fail-on", "critical").status == 0
    assert cli("kms", "lint", "policy.json", "--exit-zero").status == 0


def test_debug_registers_are_told_when_they_are_meant(cli: Cli) -> None:
    put(policy(allow(condition=bound(PCR0="0" * 96)), DETOURS))
    assert cli("kms", "lint", "policy.json").status == 1
    assert cli("kms", "lint", "policy.json", "--allow-debug").status == 0


FIXED = policy(
    allow(["kms:Decrypt"], {"StringEqualsIgnoreCase": {f"{KEY}PCR0": ONE}}, Sid="Enclave"),
    DETOURS,
)


def test_what_is_safe_is_mended(cli: Cli) -> None:
    put(LOOSE)
    ran = cli("kms", "lint", "policy.json", "--fix")
    assert json.loads(Path("policy.json").read_text()) == FIXED
    assert ran == Ran(
        0,
        f"""\
policy.json: written again
--- policy.json
+++ policy.json (mended)
@@ -22,13 +22,12 @@
         "AWS": "{SIGNER}"
       }},
       "Action": [
-        "kms:Decrypt",
-        "kms:GenerateRandom"
+        "kms:Decrypt"
       ],
       "Resource": "*",
       "Condition": {{
-        "StringEqualsIfExists": {{
-          "kms:RecipientAttestation:PCR0": "{ONE.upper()}"
+        "StringEqualsIgnoreCase": {{
+          "kms:RecipientAttestation:PCR0": "{ONE}"
         }}
       }},
       "Sid": "Enclave"

What is left
✓ policy.json: 1 info
! decryption is held to an encryption context
  info: statement 2 (Enclave), line 19: {WHATEVER}
  fix: add a condition on kms:EncryptionContext:…, if the data has one (generate: --encryption-context)
  [kp038.no-encryption-context]
{NOT_ASKED}""",
        NOTE,
    )
    assert cli("kms", "lint", "policy.json", "--fix").stdout.startswith("policy.json: nothing to mend\n✓ policy.json")


def test_a_dry_run_writes_nothing(cli: Cli) -> None:
    put(LOOSE)
    before = Path("policy.json").read_bytes()
    ran = cli("kms", "lint", "policy.json", "--fix", "--dry-run", "--json")
    assert Path("policy.json").read_bytes() == before
    fix = ran.json["data"]["fix"]
    assert (fix["changed"], fix["written"], json.loads(fix["policy"])) == (True, False, FIXED)


def test_a_policy_without_faults_keeps_its_bytes(cli: Cli) -> None:
    Path("policy.json").write_text(json.dumps(GOOD))
    assert cli("kms", "lint", "policy.json", "--fix").status == 0
    assert Path("policy.json").read_text() == json.dumps(GOOD)


def test_what_is_not_a_policy_by_itself_is_not_mended(cli: Cli) -> None:
    put({"Policy": json.dumps(GOOD)})
    assert cli("kms", "lint", "policy.json", "--fix") == Ran(
        3,
        "",
        "nitroctl: error: policy.json: not a policy by itself, so it cannot be written again [kms.not-fixable]\n"
        "nitroctl: hint: change it where the policy is written\n",
    )


def test_a_file_that_cannot_be_written_keeps_its_content(cli: Cli) -> None:
    Path("locked").mkdir()
    put(LOOSE, "locked/policy.json")
    before = Path("locked/policy.json").read_bytes()
    Path("locked/policy.json").chmod(0o644)
    import subprocess

    from tests.conftest import program

    done = subprocess.run(
        [*as_nobody(), *program("kms", "lint", "locked/policy.json", "--fix")], capture_output=True, check=False
    )
    assert done.returncode == 3
    assert b"[file.unwritable]" in done.stderr or b"[file.unreadable]" in done.stderr
    assert Path("locked/policy.json").read_bytes() == before


def test_several_files_are_judged_each(cli: Cli) -> None:
    put(GOOD, "a.json")
    put(policy(allow(), DETOURS), "b.json")
    ran = cli("kms", "lint", "a.json", "b.json", "none.json")
    assert ran.status == 3
    assert ran.stdout.startswith(f"✓ a.json: no findings\n{NOT_ASKED}✗ b.json: 1 critical\n")
    assert ran.stderr.endswith(
        "nitroctl: error: none.json: cannot read: no such file or directory [file.unreadable]\n"
        "nitroctl: hint: check the path\n"
    )
    data = cli("kms", "lint", "a.json", "b.json", "--json").json["data"]
    assert [(each["file"], each["verdict"]) for each in data["files"]] == [("a.json", "pass"), ("b.json", "fail")]
    log = json.loads(cli("kms", "lint", "a.json", "b.json", "--format", "sarif").stdout)
    assert [each["ruleId"] for each in log["runs"][0]["results"]] == ["kp001.unattested-allow"]


def plan(*policies: Json) -> Json:
    resources = [
        {"address": f"aws_kms_key.k{n}", "type": "aws_kms_key", "values": {"policy": json.dumps(each)}}
        for n, each in enumerate(policies)
    ]
    return {"planned_values": {"root_module": {"resources": resources}}}


def test_a_plan_with_two_keys_names_each(cli: Cli) -> None:
    put(plan(GOOD, policy(allow(), DETOURS)), "plan.json")
    ran = cli("kms", "lint", "plan.json")
    assert ran.stdout.startswith("✗ plan.json: 2 policies: 1 critical\n")
    assert "  critical: aws_kms_key.k1, statement 2, line 16: " in ran.stdout
    assert ran.status == 1


def test_a_template_says_what_was_assumed(cli: Cli) -> None:
    value = {"Resources": {"Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": GOOD}}}}
    put(value, "template.json")
    ran = cli("kms", "lint", "template.json")
    assert ran.stderr == (
        "nitroctl: note: Key: the account is written 000000000000, and the template's own roles are called by logical"
        f" name\n{NOTE}"
    )


def test_a_template_that_leaves_a_key_open_is_no_yes(cli: Cli) -> None:
    value = {
        "Resources": {
            "Open": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Fn::ImportValue": "x"}}},
            "Good": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": GOOD}},
        }
    }
    put(value, "template.json")
    ran = cli("kms", "lint", "template.json")
    assert ran.status == 3
    assert ran.stdout.startswith("template.json: ")
    assert "; 1 could not be judged\n" in ran.stdout
    assert "Fn::ImportValue is not followed" in ran.stderr
    assert cli("kms", "lint", "template.json", "--json").json["status"] == "error"


def test_standard_input(cli: Cli) -> None:
    ran = cli("kms", "lint", "-", stdin=json.dumps(policy(allow(), DETOURS)).encode())
    assert ran.stdout.startswith("✗ -: 1 critical\n")


def test_equal_keys_are_a_finding_and_nothing_else_is_judged(cli: Cli) -> None:
    put('{"Version": "2012-10-17", "Statement": [], "Statement": []}')
    ran = cli("kms", "lint", "policy.json", "--json")
    report = ran.json["data"]["report"]
    assert report["counts"] == {"pass": 0, "fail": 1, "warn": 0, "skip": 51}
    [failed] = [each for each in report["checks"] if each["outcome"] == "fail"]
    assert (failed["id"], failed["detail"]) == ("kp036.text", "high: /: the key 'Statement' occurs twice")
    assert cli("kms", "lint", "policy.json").stdout.startswith("✗ policy.json: 1 high\n")


BAD: dict[str, tuple[list[str], int, str]] = {
    "missing": (["none.json"], 3, "file.unreadable"),
    "directory": (["."], 3, "file.unreadable"),
    "empty": (["empty.json"], 3, "json.syntax"),
    "nan": (["nan.json"], 3, "json.not-a-number"),
    "types": (["types.json"], 3, "kms.document"),
    "binary": (["binary.json"], 3, "file.not-utf8"),
    "huge": (["huge.json"], 3, "file.too-large"),
    "rule": (["policy.json", "--accept", "KP053"], 2, "kms.rule"),
    "severity": (["policy.json", "--fail-on", "bad"], 2, "usage.invalid"),
    "dry-run": (["policy.json", "--dry-run"], 2, "usage.invalid"),
    "fix-two": (["policy.json", "policy.json", "--fix"], 2, "usage.invalid"),
    "fix-stdin": (["-", "--fix"], 2, "usage.invalid"),
    "stdin-twice": (["-", "--facts", "-"], 2, "usage.invalid"),
    "parameter": (["policy.json", "--parameter", "x"], 2, "usage.invalid"),
    "writer": (["policy.json", "--policy-writer", "x"], 2, "kms.principal"),
    "records": (["policy.json", "--records", "none.json"], 3, "records.missing"),
    "facts": (["policy.json", "--facts", "policy.json"], 3, "kms.key-facts"),
    "grants": (["policy.json", "--grants", "policy.json"], 3, "kms.grants"),
    "facts-plan": (["plan.json", "--facts", "policy.json"], 2, "usage.invalid"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_an_error_with_a_code(name: str, cli: Cli) -> None:
    put(GOOD)
    put("", "empty.json")
    put('{"Statement": NaN}', "nan.json")
    put({"Statement": [{"Effect": "Allow", "Principal": 7}]}, "types.json")
    Path("binary.json").write_bytes(b"\xff\xfe{")
    with Path("huge.json").open("wb") as stream:
        stream.truncate(1 << 40)
    put(plan(GOOD), "plan.json")
    argv, status, code = BAD[name]
    ran = cli("kms", "lint", *argv)
    assert (ran.status, ran.stdout) == (status, "")
    assert f" [{code}]\n" in ran.stderr


def test_the_default_policy_is_refused_for_what_it_is(cli: Cli) -> None:
    put({"Version": "2012-10-17", "Statement": allow("kms:*", to=ROOT)})
    found: Any = cli("kms", "lint", "policy.json", "--json").json["data"]["files"][0]["policies"][0]["findings"]
    assert [(each["rule"], each["severity"]) for each in found] == [
        ("KP002", "critical"),
        ("KP004", "high"),
        ("KP005", "critical"),
        ("KP006", "critical"),
        ("KP030", "medium"),
        ("KP037", "medium"),
        ("KP043", "low"),
    ]


def test_a_rule_is_explained_by_its_number(cli: Cli) -> None:
    ran = cli("explain", "KP007")
    assert ran.stdout == cli("explain", "kp007.if-exists").stdout
    assert ran.stdout.startswith("kp007.if-exists (nitroctl)\nA condition on attestation ends in IfExists")
    assert "no such code: 'kp053'" in cli("explain", "KP053").stderr
