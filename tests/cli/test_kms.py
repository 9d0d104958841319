"""``nitroctl kms generate``: whole outputs."""

import json
import shlex
from pathlib import Path

import pytest

from nitroctl.kms.generate import Targets, generate
from nitroctl.kms.principals import roles
from tests.conftest import Cli, Ran
from tests.records import active, entry, pcrs, write

ROLE = "arn:aws:iam::111122223333:role"
WHO = ("--enclave-role", f"{ROLE}/signer", "--admin-role", f"{ROLE}/admin", "--policy-writer", f"{ROLE}/policy")
LIMITS = (
    "nothing was checked against AWS: neither the key nor that the roles exist",
    (
        "not looked at: grants that exist, for what the Denies leave them (aws kms list-grants); the roles' IAM"
        " policies; a second policy of the key (AWS_RAM); replicas of a multi-Region key"
    ),
    "nobody is allowed kms:Encrypt: --data-writer names who prepares the secrets",
    "apply it as a --policy-writer: KMS refuses a policy that would lock its caller out",
)


def noted(*notes: str) -> str:
    return "".join(f"nitroctl: note: {note}\n" for note in notes)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory that has a ledger of one active release."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "measurements.json", active("1", pin=(0,)), entry("2"))
    return tmp_path


PCR0 = pcrs("1")[0].hex()
POLICY = f"""\
{{
  "Version": "2012-10-17",
  "Statement": [
    {{
      "Sid": "NitroctlAdmin",
      "Effect": "Allow",
      "Principal": {{
        "AWS": "arn:aws:iam::111122223333:role/admin"
      }},
      "Action": [
        "kms:CancelKeyDeletion",
        "kms:DescribeKey",
        "kms:DisableKey",
        "kms:DisableKeyRotation",
        "kms:EnableKey",
        "kms:EnableKeyRotation",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListGrants",
        "kms:ListKeyPolicies",
        "kms:ListKeyRotations",
        "kms:ListResourceTags",
        "kms:RevokeGrant",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateKeyDescription"
      ],
      "Resource": "*"
    }},
    {{
      "Sid": "NitroctlPolicyWriter",
      "Effect": "Allow",
      "Principal": {{
        "AWS": "arn:aws:iam::111122223333:role/policy"
      }},
      "Action": [
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:ListGrants",
        "kms:ListKeyPolicies",
        "kms:PutKeyPolicy"
      ],
      "Resource": "*"
    }},
    {{
      "Sid": "NitroctlAllowSigner1Proddc5b3b7b",
      "Effect": "Allow",
      "Principal": {{
        "AWS": "arn:aws:iam::111122223333:role/signer"
      }},
      "Action": "kms:Decrypt",
      "Resource": "*",
      "Condition": {{
        "StringEqualsIgnoreCase": {{
          "kms:RecipientAttestation:PCR0": "{PCR0}"
        }}
      }}
    }},
    {{
      "Sid": "NitroctlDenyUnattested",
      "Effect": "Deny",
      "Principal": {{
        "AWS": "*"
      }},
      "Action": [
        "kms:Decrypt",
        "kms:DeriveSharedSecret",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyPair"
      ],
      "Resource": "*",
      "Condition": {{
        "Null": {{
          "kms:RecipientAttestation:PCR0": "true"
        }}
      }}
    }},
    {{
      "Sid": "NitroctlDenyOtherPCR0",
      "Effect": "Deny",
      "Principal": {{
        "AWS": "*"
      }},
      "Action": [
        "kms:Decrypt",
        "kms:DeriveSharedSecret",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyPair"
      ],
      "Resource": "*",
      "Condition": {{
        "StringNotEqualsIgnoreCase": {{
          "kms:RecipientAttestation:PCR0": "{PCR0}"
        }}
      }}
    }},
    {{
      "Sid": "NitroctlDenyDebug",
      "Effect": "Deny",
      "Principal": {{
        "AWS": "*"
      }},
      "Action": [
        "kms:Decrypt",
        "kms:DeriveSharedSecret",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyPair"
      ],
      "Resource": "*",
      "Condition": {{
        "StringEqualsIgnoreCase": {{
          "kms:RecipientAttestation:PCR0": "{"0" * 96}"
        }}
      }}
    }},
    {{
      "Sid": "NitroctlDenyDetours",
      "Effect": "Deny",
      "Principal": {{
        "AWS": "*"
      }},
      "Action": [
        "kms:CreateGrant",
        "kms:ReEncryptFrom",
        "kms:ReplicateKey"
      ],
      "Resource": "*"
    }}
  ]
}}
"""
SIZE = len(json.dumps(json.loads(POLICY), separators=(",", ":")))
SIZE_NOTE = f"{SIZE} bytes as compact JSON; KMS takes 32768, {32768 - SIZE} are left: 70 releases more like these"


def test_the_policy_is_printed_as_it_is_to_be_sent(cli: Cli) -> None:
    assert cli("kms", "generate", *WHO) == Ran(0, POLICY, noted(SIZE_NOTE, *LIMITS))


def test_the_compact_form_is_the_same_policy(cli: Cli) -> None:
    ran = cli("kms", "generate", *WHO, "--compact", "--quiet")
    assert ran == Ran(0, json.dumps(json.loads(POLICY), separators=(",", ":")) + "\n", "")


def test_the_same_ledger_in_another_order_gives_the_same_bytes(cli: Cli) -> None:
    write(Path("measurements.json"), active("1"), active("2"))
    once = cli("kms", "generate", *WHO).stdout
    document = json.loads(Path("measurements.json").read_text())
    document["entries"].reverse()
    Path("measurements.json").write_text(json.dumps(document))
    assert cli("kms", "generate", *WHO).stdout == once


def test_in_json_every_statement_is_explained(cli: Cli) -> None:
    document = cli("kms", "generate", *WHO, "--json").json
    assert document["notes"] == [SIZE_NOTE, *LIMITS]
    assert document["data"] == {
        "records": "measurements.json",
        "releases": ["signer-1@prod"],
        "policy": json.loads(POLICY),
        "statements": [
            {
                "sid": "NitroctlAdmin",
                "effect": "Allow",
                "purpose": "manage the key, without data, grants, policy, aliases or replicas",
            },
            {
                "sid": "NitroctlPolicyWriter",
                "effect": "Allow",
                "purpose": "replace this policy: whoever has the role decides who decrypts",
            },
            {
                "sid": "NitroctlAllowSigner1Proddc5b3b7b",
                "effect": "Allow",
                "purpose": "use the key from an enclave that attests PCR0 of signer-1@prod",
                "entry": "signer-1@prod",
            },
            {
                "sid": "NitroctlDenyUnattested",
                "effect": "Deny",
                "purpose": "no use without attestation, not by IAM policies or grants either",
            },
            {
                "sid": "NitroctlDenyOtherPCR0",
                "effect": "Deny",
                "purpose": "no use with a PCR0 that no active release has",
            },
            {
                "sid": "NitroctlDenyDebug",
                "effect": "Deny",
                "purpose": "no use from an enclave in debug mode (PCR0 is zero)",
            },
            {
                "sid": "NitroctlDenyDetours",
                "effect": "Deny",
                "purpose": "no re-encryption, new grants or replicas: none can be made to attest",
            },
        ],
        "form": "json",
        "size_bytes": SIZE,
        "limit_bytes": 32768,
        "remaining_bytes": 32768 - SIZE,
        "remaining_releases": 70,
    }


def test_the_policy_is_written_to_a_file(cli: Cli) -> None:
    assert cli("kms", "generate", *WHO, "--output", "policy.json") == Ran(
        0,
        "wrote the key policy of signer-1@prod to policy.json\n"
        "records  measurements.json\n"
        f"size     {SIZE_NOTE}\n"
        "\n"
        "Statements\n"
        "  NitroctlAdmin                     manage the key, without data, grants, policy, aliases or replicas\n"
        "  NitroctlPolicyWriter              replace this policy: whoever has the role decides who decrypts\n"
        "  NitroctlAllowSigner1Proddc5b3b7b  use the key from an enclave that attests PCR0 of signer-1@prod\n"
        "  NitroctlDenyUnattested            no use without attestation, not by IAM policies or grants either\n"
        "  NitroctlDenyOtherPCR0             no use with a PCR0 that no active release has\n"
        "  NitroctlDenyDebug                 no use from an enclave in debug mode (PCR0 is zero)\n"
        "  NitroctlDenyDetours               no re-encryption, new grants or replicas: none can be made to attest\n",
        noted(*LIMITS),
    )
    assert Path("policy.json").read_text() == POLICY
    ran = cli("kms", "generate", *WHO, "--output", "policy.json", "--compact", "--json")
    assert ran.json["data"]["output"] == "policy.json"
    assert Path("policy.json").read_text() == json.dumps(json.loads(POLICY), separators=(",", ":"))


def test_options_reach_the_policy(cli: Cli) -> None:
    data = cli(
        "kms", "generate", *WHO, "--enclave-role", f"{ROLE}/signer-2", "--action", "generatedatakey",
        "--action", "kms:Decrypt", "--encryption-context", "app=signer", "--json",
    ).json["data"]  # fmt: skip
    allow = data["policy"]["Statement"][2]
    assert allow["Principal"] == {"AWS": [f"{ROLE}/signer", f"{ROLE}/signer-2"]}
    assert allow["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert allow["Condition"] == {
        "StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": PCR0},
        "StringEquals": {"kms:EncryptionContext:app": "signer"},
    }


def test_an_enclave_role_of_another_account_is_noted(cli: Cli) -> None:
    other = "arn:aws:iam::444455556666:role/signer"
    ran = cli("kms", "generate", "--enclave-role", other, *WHO[2:])
    assert ran.status == 0
    assert ran.stderr.endswith(noted(f"of another account than the admins, which must allow it too: {other}"))


def test_a_form_that_is_too_long_to_send_is_noted(cli: Cli) -> None:
    many = [active("1", component=f"c{number}", pcrs=pcrs(number)) for number in range(30)]
    write(Path("measurements.json"), *many)
    components = [word for each in many for word in ("--component", each.component)]
    targets = Targets(
        enclave_roles=roles([f"{ROLE}/signer"], option=""),
        admin_roles=roles([f"{ROLE}/admin"], option=""),
        policy_writers=roles([f"{ROLE}/policy"], option=""),
    )
    size = len(generate(many, targets).pretty()) + 1
    ran = cli("kms", "generate", *WHO, *components)
    assert ran.status == 0
    assert (
        f"nitroctl: note: this form has {size} bytes, more than KMS takes: send the form that --compact prints\n"
    ) in ran.stderr


def test_a_policy_over_the_quota_is_refused(cli: Cli) -> None:
    many = [active("1", component=f"c{number}", pcrs=pcrs(number)) for number in range(60)]
    write(Path("measurements.json"), *many)
    components = [word for each in many for word in ("--component", each.component)]
    ran = cli("kms", "generate", *WHO, *components, "--output", "policy.json")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith("nitroctl: error: the policy of 60 releases has ")
    assert "[kms.policy-too-large]\n" in ran.stderr
    assert not Path("policy.json").exists()


REFUSED = {
    "session-as-enclave-role": (
        ("--enclave-role", "arn:aws:sts::111122223333:assumed-role/signer/i-0", *WHO[2:]),
        2,
        (
            "--enclave-role: a session of a role, not the role: 'arn:aws:sts::111122223333:assumed-role/signer/i-0'"
            " [kms.principal]"
        ),
    ),
    "root-as-admin": (
        (*WHO, "--admin-role", "arn:aws:iam::111122223333:root"),
        2,
        (
            "--admin-role: a whole account, whose IAM policies could then let anybody decrypt without attestation:"
            " 'arn:aws:iam::111122223333:root' [kms.principal]"
        ),
    ),
    "one-role-for-both": (
        (*WHO, "--admin-role", f"{ROLE}/signer"),
        2,
        f"{ROLE}/signer is both enclave role and admin role [kms.separation]",
    ),
    "unattested-action": (
        (*WHO, "--action", "Encrypt"),
        2,
        "--action: KMS does not evaluate attestation for 'Encrypt' [kms.action]",
    ),
    "context-without-value": (
        (*WHO, "--encryption-context", "app"),
        2,
        "--encryption-context 'app': write name=value [kms.context]",
    ),
    "environment-without-records": (
        (*WHO, "--environment", "dev"),
        3,
        "no active record of any component in dev: there is nothing to bind a key to [kms.no-active-records]",
    ),
    "no-ledger": (
        (*WHO, "--records", "no.json"),
        3,
        "no.json: no recorded measurements [records.missing]",
    ),
    "output-over-the-ledger": (
        (*WHO, "--output", "./measurements.json"),
        2,
        "--output would overwrite the recorded measurements [usage.invalid]",
    ),
    "output-to-standard-output": (
        (*WHO, "--output", "-"),
        2,
        "--output -: the policy goes to standard output without --output [usage.invalid]",
    ),
    "output-nowhere": (
        (*WHO, "--output", "no/policy.json"),
        3,
        "no/policy.json: cannot write: no such file or directory [file.unwritable]",
    ),
    "no-policy-writer": (WHO[:4], 2, "missing option '--policy-writer' [usage.invalid]"),
}


def test_where_only_a_candidate_is_recorded_the_hint_makes_it_active(cli: Cli) -> None:
    write(Path("measurements.json"), entry("2"))
    ran = cli("kms", "generate", *WHO)
    told = (
        "nitroctl: error: no active record of any component in any environment: there is nothing to bind a key to"
        " [kms.no-active-records]\n"
        "nitroctl: hint: signer-2@prod is a candidate: nitroctl pcr rollout signer-2@prod makes it active\n"
    )
    assert (ran.status, ran.stdout, ran.stderr) == (3, "", told)
    assert cli("pcr", "rollout", "signer-2@prod").status == 0
    assert cli("kms", "generate", *WHO).status == 0


def test_what_the_hint_says_is_done_in_the_records_that_were_given(cli: Cli) -> None:
    write(Path("my records.json"), entry("2"))
    ran = cli("kms", "generate", *WHO, "--records", "my records.json")
    hint = ran.stderr.splitlines()[1]
    assert hint == (
        "nitroctl: hint: signer-2@prod is a candidate: nitroctl pcr rollout signer-2@prod --records 'my records.json'"
        " makes it active"
    )
    command = shlex.split(hint.partition("nitroctl pcr")[2].partition(" makes")[0])
    assert cli("pcr", *command).status == 0
    assert cli("kms", "generate", *WHO, "--records", "my records.json").status == 0


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_generated_is_said_and_writes_nothing(cli: Cli, name: str) -> None:
    arguments, status, message = REFUSED[name]
    before = Path("measurements.json").read_bytes()
    ran = cli("kms", "generate", *arguments)
    assert (ran.status, ran.stdout) == (status, "")
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: {message}"
    assert Path("measurements.json").read_bytes() == before
    assert sorted(path.name for path in Path().iterdir()) == ["measurements.json"]
