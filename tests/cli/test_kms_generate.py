"""``nitroctl kms generate`` with targets, onto a policy that is there, and for infrastructure: whole outputs.

What the options alone give stands in test_kms.py.
"""

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Cli, Ran
from tests.records import active, entry, pcrs, register, write

ROLE = "arn:aws:iam::111122223333:role"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
WHO = ("--enclave-role", f"{ROLE}/signer", "--admin-role", f"{ROLE}/admin", "--policy-writer", f"{ROLE}/policy")
TARGETS = f"""\
schema: urn:nitroctl:kms-targets:1
keys:
  signing:
    enclave_roles: [{ROLE}/signer]
    admin_roles: [{ROLE}/admin]
    policy_writers: [{ROLE}/policy]
"""
#: What every answer says of itself, less how much room is left.
LIMITS = (
    "nothing was checked against AWS: neither the key nor that the roles exist",
    (
        "not looked at: grants that exist, for what the Denies leave them (aws kms list-grants); the roles' IAM"
        " policies; a second policy of the key (AWS_RAM); replicas of a multi-Region key"
    ),
    "nobody is allowed kms:Encrypt: --data-writer names who prepares the secrets",
    "apply it as a --policy-writer: KMS refuses a policy that would lock its caller out",
)
ROOT = {
    "Sid": "Enable IAM User Permissions",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": ["kms:Describe*", "kms:List*"],
    "Resource": "*",
}
STALE = {
    "Sid": "Mine",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "kms:Decrypt",
    "Resource": "*",
    "Condition": {"StringNotEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": register("the image before").hex()}},
}


def noted(*notes: str) -> str:
    return "".join(f"nitroctl: note: {note}\n" for note in notes)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory that has a ledger of one active release, and targets for it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "measurements.json", active("1", pin=(0,)), entry("2"))
    (tmp_path / "targets.yaml").write_text(TARGETS)
    return tmp_path


def policy(name: str, *statements: dict[str, Any], **members: Any) -> str:
    value = {"Version": "2012-10-17", "Statement": list(statements)} | members
    Path(name).write_text(json.dumps(value))
    return name


def data(cli: Cli, *arguments: str) -> dict[str, Any]:
    return cli("kms", "generate", *arguments, "--json").json["data"]  # type: ignore[no-any-return]


def dated(text: str) -> str:
    return re.sub(r"as of \S+Z", "as of NOW", text)


# -- targets


def test_targets_say_what_the_options_say(cli: Cli) -> None:
    assert cli("kms", "generate", "--targets", "targets.yaml") == cli("kms", "generate", *WHO)


def test_the_answer_names_the_targets(cli: Cli) -> None:
    assert data(cli, "--targets", "targets.yaml")["targets"] == {"file": "targets.yaml", "name": "signing"}
    out = cli("kms", "generate", "--targets", "targets.yaml", "--output", "policy.json").stdout
    assert "targets  targets.yaml: signing\nrecords  measurements.json\n" in out


OPTIONS = {
    "enclave-role": (("--enclave-role", f"{ROLE}/other"), {"enclave_roles": [f"{ROLE}/other"]}),
    "admin-role": (("--admin-role", f"{ROLE}/other"), {"admin_roles": [f"{ROLE}/other"]}),
    "policy-writer": (("--policy-writer", f"{ROLE}/other"), {"policy_writers": [f"{ROLE}/other"]}),
    "action": (("--action", "GenerateDataKey"), {"actions": ["GenerateDataKey"]}),
    "context": (("--encryption-context", "app=x"), {"encryption_context": {"app": "x"}}),
    "data-writer": (
        ("--data-writer", f"{ROLE}/other", "--encryption-context", "app=x"),
        {"data_writers": [f"{ROLE}/other"], "encryption_context": {"app": "x"}},
    ),
    "parent-role": (("--parent-role", f"{ROLE}/signer"), {"placement": {"parent_roles": [f"{ROLE}/signer"]}}),
    "instance": (("--parent-instance", "i-01234567"), {"placement": {"instances": ["i-01234567"]}}),
    "signer": (("--signer", "ab" * 48), {"placement": {"signers": ["AB" * 48]}}),
    "component": (("--component", "signer"), {"components": ["signer"]}),
    "environment": (("--environment", "prod"), {"environment": "prod"}),
    "key": (("--key", KEY), {"key": KEY}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_takes_the_place_of_a_field(cli: Cli, name: str) -> None:
    options, fields = OPTIONS[name]
    value = yaml.safe_load(TARGETS)
    value["keys"]["signing"] |= fields
    Path("wanted.json").write_text(json.dumps(value))
    wanted = cli("kms", "generate", "--targets", "wanted.json")
    assert wanted.status == 0
    assert cli("kms", "generate", "--targets", "targets.yaml", *options) == wanted
    assert cli("kms", "generate", "--targets", "wanted.json", *options) == wanted  # takes its place, and adds nothing


def test_the_order_of_options_does_not_matter(cli: Cli) -> None:
    many = [("--enclave-role", f"{ROLE}/b"), ("--enclave-role", f"{ROLE}/a"), ("--parent-role", f"{ROLE}/b"),
            ("--parent-role", f"{ROLE}/a"), ("--action", "GenerateDataKey"), ("--action", "Decrypt"),
            ("--encryption-context", "b=1"), ("--encryption-context", "a=1")]  # fmt: skip
    forward = [word for pair in many for word in pair]
    back = [word for pair in reversed(many) for word in pair]
    assert cli("kms", "generate", *WHO[2:], *forward) == cli("kms", "generate", *back, *WHO[2:])


def test_a_file_to_start_from(cli: Cli) -> None:
    text = resources.files("nitroctl.kms").joinpath("starting_targets.yaml").read_text("utf-8")
    assert cli("kms", "generate", "--init") == Ran(0, text, "")
    assert cli("kms", "generate", "--init", "--output", "new.yaml") == Ran(
        0,
        "wrote targets to start from to new.yaml\n"
        "Next: name your roles in it, then nitroctl kms generate --targets new.yaml\n",
        "",
    )
    assert Path("new.yaml").read_text("utf-8") == text
    assert cli("kms", "generate", "--targets", "new.yaml").status == 0
    assert cli("kms", "generate", "--init", "--json").json["data"] == {"text": text}


# -- notes of what a policy cannot say


def test_data_writers_are_told_of_with_what_they_can_do(cli: Cli) -> None:
    options = ("--data-writer", f"{ROLE}/provisioner", "--encryption-context", "app=signer")
    ran = cli("kms", "generate", *WHO, *options)
    assert (
        "nitroctl: note: a data writer can put a secret of its own in place of another: what the enclave decrypts is"
        " not genuine because it decrypts\n"
    ) in ran.stderr
    assert "nobody is allowed kms:Encrypt" not in ran.stderr


def test_a_role_of_another_account_than_the_key_is_noted(cli: Cli) -> None:
    other = KEY.replace("111122223333", "444455556666")
    ran = cli("kms", "generate", *WHO, "--key", other)
    assert ran.stderr.endswith(noted(f"of another account than the key, which must allow it too: {ROLE}/signer"))


def test_what_registers_of_a_nitrotpm_do_not_say_is_noted(cli: Cli) -> None:
    write(
        Path("measurements.json"),
        active("1", platform="nitro-tpm", pcrs={4: register(4)}),
        active("1", platform="nitro-tpm", component="other", pcrs={7: register(7)}),
    )
    ran = cli("kms", "generate", *WHO, "--component", "signer")
    assert ran.stderr.endswith(
        noted(
            "PCR12 is not pinned by signer-1@prod: it is bound to zero all the same, so that nobody adds to the"
            " kernel's command line"
        )
    )
    ran = cli("kms", "generate", *WHO, "--component", "other")
    assert ran.stderr.endswith(
        noted("other-1@prod: PCR7 names the keys of Secure Boot, not an image: what they signed is let in")
    )


# -- forms


def test_terraform(cli: Cli) -> None:
    ran = cli("kms", "generate", "--targets", "targets.yaml", "--as", "terraform")
    value = json.loads(cli("kms", "generate", *WHO).stdout)
    body = json.dumps(value, indent=2).replace("\n", "\n  ")
    assert ran.stdout == (
        'resource "aws_kms_key_policy" "signing" {\n'
        "  key_id = aws_kms_key.signing.key_id\n"
        f"  policy = jsonencode({body})\n"
        "}\n"
    )
    assert ran.stderr.endswith(
        noted(
            *LIMITS[:3],
            "the resource refers to an aws_kms_key that is yours to declare; --key names a key that exists",
            "Terraform gives the key the default policy, which opens it to the account, when the resource is destroyed",
        )
    )
    named = data(cli, *WHO, "--as", "terraform", "--key", KEY)
    assert named["text"].startswith(f'resource "aws_kms_key_policy" "enclave" {{\n  key_id = "{KEY}"\n')
    assert (named["form"], named["key"]) == ("terraform", KEY)


def test_cloudformation_is_what_kms_lint_reads(cli: Cli) -> None:
    ran = cli("kms", "generate", "--targets", "targets.yaml", "--as", "cloudformation", "--output", "template.json")
    assert ran.status == 0
    assert ran.stderr == noted(
        *LIMITS[:3], "the template makes a new key; in a template of yours take over the property KeyPolicy"
    )
    linted = cli("kms", "lint", "template.json", "--fail-on", "medium")
    assert linted.status == 0
    assert "SigningKey" in linted.stdout


def test_a_key_to_agree_on_keys_lacks_its_curve(cli: Cli) -> None:
    ran = cli("kms", "generate", *WHO, "--action", "DeriveSharedSecret", "--as", "cloudformation")
    assert ran.stderr.endswith(noted("add the KeySpec that you agree keys on"))


def test_compact_is_a_form_too(cli: Cli) -> None:
    assert cli("kms", "generate", *WHO, "--as", "compact") == cli("kms", "generate", *WHO, "--compact")
    assert cli("kms", "generate", *WHO, "--as", "json") == cli("kms", "generate", *WHO)


# -- onto a policy that is there


def test_the_operators_statements_stay_as_they_are(cli: Cli) -> None:
    policy("current.json", ROOT, Id="mine")
    ran = cli("kms", "generate", *WHO, "--onto", "current.json")
    fresh = json.loads(cli("kms", "generate", *WHO).stdout)
    assert json.loads(ran.stdout) == {
        "Version": "2012-10-17",
        "Id": "mine",
        "Statement": [ROOT, *fresh["Statement"]],
    }
    assert dated(ran.stderr.splitlines()[1]) == (
        "nitroctl: note: as of NOW: what is kept of current.json opens no way around"
    )


def test_onto_its_own_output_it_writes_the_same_bytes(cli: Cli) -> None:
    policy("current.json", ROOT)
    cli("kms", "generate", *WHO, "--onto", "current.json", "--output", "current.json")
    once = Path("current.json").read_bytes()
    cli("kms", "generate", *WHO, "--onto", "current.json", "--output", "current.json")
    assert Path("current.json").read_bytes() == once
    assert cli("kms", "generate", *WHO, "--onto", "-", stdin=once).stdout.encode() == once


def test_what_became_of_each_statement_is_told(cli: Cli) -> None:
    policy("current.json", ROOT)
    cli("kms", "generate", *WHO, "--onto", "current.json", "--output", "current.json")
    write(Path("measurements.json"), active("3", pin=(0,)))
    ran = cli("kms", "generate", *WHO, "--onto", "current.json", "--output", "policy.json")
    assert ("kept     Enable IAM User Permissions\nswept    NitroctlAllowSigner1Proddc5b3b7b\n") in ran.stdout
    found = data(cli, *WHO, "--onto", "current.json")["onto"]
    assert found["kept"] == [{"number": 1, "sid": "Enable IAM User Permissions", "effect": "Allow"}]
    assert found["swept"] == ["NitroctlAllowSigner1Proddc5b3b7b"]
    assert found["added"] == ["NitroctlAllowSigner3Prod" + found["added"][0][-8:]]
    assert found["replaced"][:2] == ["NitroctlAdmin", "NitroctlPolicyWriter"]
    assert found["report"]["verdict"] == "pass"


def test_a_statement_that_shuts_the_release_out_is_a_no_and_nothing_is_written(cli: Cli) -> None:
    policy("current.json", STALE)
    ran = cli("kms", "generate", *WHO, "--onto", "current.json", "--output", "policy.json")
    assert ran.status == 1
    assert ran.stdout == (
        "✗ not written: with the statements kept of current.json, kms:Decrypt to signer with signer-1@prod is denied by"
        " Mine\n"
        "\n"
        "✗ every release may use the key\n"
        "  kms:Decrypt to signer with signer-1@prod is denied by Mine\n"
        "  fix: change or take out the statement that is kept\n"
        "  [generated.let-in]\n"
    )
    assert not Path("policy.json").exists()
    answer = cli("kms", "generate", *WHO, "--onto", "current.json", "--json")
    assert (answer.status, answer.json["status"]) == (1, "refused")
    assert answer.json["data"]["onto"]["report"]["verdict"] == "fail"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (ROOT, "nobody is allowed kms:Encrypt"),
        (ROOT | {"Sid": "Use", "Action": "kms:En*"}, "kms:Encrypt may be allowed by Use, which is kept"),
        (
            ROOT | {"Effect": "Deny", "Action": "kms:*", "Principal": {"AWS": f"{ROLE}/x"}},
            "nobody is allowed kms:Encrypt",
        ),
    ],
)
def test_who_may_encrypt_is_said_of_what_is_kept_too(cli: Cli, statement: dict[str, Any], said: str) -> None:
    ran = cli("kms", "generate", *WHO, "--onto", policy("there.json", statement))
    assert ran.status == 0
    assert f"nitroctl: note: {said}: --data-writer names who prepares the secrets\n" in ran.stderr


def test_what_the_kept_statements_leave_open_is_told(cli: Cli) -> None:
    policy("current.json", ROOT | {"Action": "kms:PutKeyPolicy"})
    ran = cli("kms", "generate", *WHO, "--onto", "current.json")
    assert ran.status == 0
    assert dated(ran.stderr.splitlines()[1]) == (
        "nitroctl: note: as of NOW, with current.json: high: statement 1 (Enable IAM User Permissions):"
        " arn:aws:iam::111122223333:root can replace the policy, and is no --policy-writer [kp030.policy-writers]"
    )


def test_what_lets_the_release_in_only_from_somewhere_is_told(cli: Cli) -> None:
    policy("current.json", STALE | {"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}})
    ran = cli("kms", "generate", *WHO, "--onto", "current.json")
    assert ran.status == 0
    note = dated(ran.stderr.splitlines()[1])
    assert note.startswith("nitroctl: note: as of NOW, with current.json: depends on ")
    assert "aws:SourceVpce" in note
    assert note.endswith(" [generated.let-in]")


# -- what cannot be generated


REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "targets-that-are-not-there": (
        ("--targets", "no.yaml"),
        3,
        "no.yaml: cannot read: no such file or directory [file.unreadable]",
    ),
    "targets-on-standard-input": (
        ("--targets", "-"),
        2,
        "targets are not read from standard input [usage.invalid]",
    ),
    "a-name-without-a-file": (
        (*WHO, "--target", "x"),
        2,
        "--target names a key of --targets, which is not given [usage.invalid]",
    ),
    "another-name": (
        ("--targets", "targets.yaml", "--target", "x"),
        2,
        "targets.yaml: no key 'x' [kms-targets.choice]",
    ),
    "one-role-in-an-option-and-the-file": (
        ("--targets", "targets.yaml", "--admin-role", f"{ROLE}/signer"),
        2,
        f"{ROLE}/signer is both enclave role and admin role [kms.separation]",
    ),
    "two-forms-of-one-role": (
        (*WHO, "--enclave-role", "arn:aws:iam::111122223333:role/path/signer"),
        2,
        (
            f"--enclave-role: one role in two forms: '{ROLE}/signer' and"
            " 'arn:aws:iam::111122223333:role/path/signer' [kms.principal]"
        ),
    ),
    "no-such-form": ((*WHO, "--as", "pulumi"), 2, "--as: no such form: 'pulumi' [usage.invalid]"),
    "two-forms": (
        (*WHO, "--as", "terraform", "--compact"),
        2,
        "--compact and --as terraform are two forms [usage.invalid]",
    ),
    "a-key-by-alias": (
        (*WHO, "--key", "alias/x"),
        2,
        "--key: an alias, which can be pointed at another key: 'alias/x' [kms.key]",
    ),
    "a-zero-signer": (
        (*WHO, "--signer", "0" * 96),
        2,
        "--signer: PCR8 is zero: an image that nobody signed [pcr.value]",
    ),
    "a-signer-that-is-not-there": (
        (*WHO, "--signer", "no.pem"),
        3,
        "no.pem: cannot read: no such file or directory [file.unreadable]",
    ),
    "writers-without-context": (
        (*WHO, "--data-writer", f"{ROLE}/p"),
        2,
        (
            "data writers without an encryption context: what they encrypt for one purpose could be given to the"
            " enclave for another [kms.data-writer]"
        ),
    ),
    "output-over-the-targets": (
        ("--targets", "targets.yaml", "--output", "./targets.yaml"),
        2,
        "--output would overwrite the targets [usage.invalid]",
    ),
    "init-with-more": (
        ("--init", *WHO),
        2,
        "--init writes targets to start from, and takes --output only [usage.invalid]",
    ),
    "init-over-a-file": (
        ("--init", "--output", "targets.yaml"),
        3,
        "targets.yaml: is there already, and targets are not overwritten [file.exists]",
    ),
    "init-to-standard-output": (
        ("--init", "--output", "-"),
        2,
        "--output -: the targets go to standard output without --output [usage.invalid]",
    ),
    "onto-nothing": (
        (*WHO, "--onto", "no.json"),
        3,
        "no.json: cannot read: no such file or directory [file.unreadable]",
    ),
    "onto-something-else": (
        (*WHO, "--onto", "measurements.json"),
        3,
        "measurements.json: line 2: /schema: 'schema' is no member of a policy [kms.document]",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_generated_is_said_and_writes_nothing(cli: Cli, name: str) -> None:
    arguments, status, message = REFUSED[name]
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    ran = cli("kms", "generate", *arguments)
    assert (ran.status, ran.stdout) == (status, "")
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: {message}"
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


def test_a_sid_like_ours_that_is_not_is_refused(cli: Cli) -> None:
    policy("current.json", ROOT | {"Sid": "NitroctlBreakGlass"})
    ran = cli("kms", "generate", *WHO, "--onto", "current.json")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr == (
        "nitroctl: error: current.json: line 1: 'NitroctlBreakGlass': no statement of nitroctl's has this Sid"
        " [kms.foreign-sid]\n"
        "nitroctl: hint: Sids that begin with Nitroctl are nitroctl's: give it another to keep it, or take it out\n"
    )


def test_a_policy_over_the_quota_says_by_how_many_releases(cli: Cli) -> None:
    many = [active("1", component=f"c{number}", pcrs=pcrs(number)) for number in range(60)]
    write(Path("measurements.json"), *many)
    components = [word for each in many for word in ("--component", each.component)]
    ran = cli("kms", "generate", *WHO, *components, "--json")
    assert ran.status == 3
    (error,) = ran.json["errors"]
    assert error["code"] == "kms.policy-too-large"
    assert error["message"].endswith("; KMS takes 32768: 26 releases too many")


def test_room_for_one_more_and_for_none(cli: Cli) -> None:
    def of(count: int) -> str:
        many = [active("1", component=f"c{number:02}", pcrs=pcrs(number)) for number in range(count)]
        write(Path("measurements.json"), *many)
        components = [word for each in many for word in ("--component", each.component)]
        return cli("kms", "generate", *WHO, *components, "--compact").stderr.splitlines()[0]

    assert of(33).endswith("are left: 1 release more like these")
    assert of(34).endswith("are left: no release more")
