"""A key policy for Terraform and CloudFormation: what kms lint reads back is what was meant."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nitroctl.errors import CannotAnswer
from nitroctl.kms import lint_sources
from nitroctl.kms.generate import generate
from nitroctl.kms.infrastructure import Form, logical_name, write
from nitroctl.kms.key_policy import NOTHING_KEPT, Kept, KeyPolicy
from nitroctl.kms.principals import roles
from nitroctl.kms.targets import Targets
from tests.records import active

ROLE = "arn:aws:iam::111122223333:role"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#: What HCL could take for a template, what a heredoc could end with, and letters beyond ASCII.
ODD = {
    "Sid": "POLICY",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "kms:Sign",
    "Resource": "*",
    "Condition": {
        "StringNotLike": {
            "aws:userid": [
                "*:${aws:username}",
                "%{if true}",
                "$${x}",
                'a\\b"c"\n\t<&>\'clés\u009b',
                "${*}",
                "EOT\nPOLICY\n",
            ]
        }
    },
}


def targets(**changes: Any) -> Targets:
    given: dict[str, Any] = {
        "enclave_roles": roles([f"{ROLE}/signer"], option=""),
        "admin_roles": roles([f"{ROLE}/admin"], option=""),
        "policy_writers": roles([f"{ROLE}/writer"], option=""),
    }
    return Targets(**(given | changes))


def made(kept: Kept = NOTHING_KEPT) -> KeyPolicy:
    return generate([active("1"), active("2")], targets(), kept)


LAYERED = made(Kept(before=(ODD,), id="mine"))


def terraform(policy: KeyPolicy, **changes: Any) -> tuple[str, Any]:
    """Return the resource's head, and the policy in it as HCL reads it: its expressions are those of JSON here."""
    text = write(policy, Form.TERRAFORM, targets(**changes), name="signer")
    head, _, rest = text.partition("jsonencode(")
    body, _, end = rest.rpartition(")")
    assert end == "\n}\n"
    assert not re.search(r"[$%]\{", body)  # nothing that HCL would evaluate
    return head, json.loads(body)


@pytest.mark.parametrize("policy", [made(), LAYERED], ids=["ours", "with-kept"])
def test_terraform_is_given_the_same_policy(policy: KeyPolicy) -> None:
    head, value = terraform(policy, key=KEY)
    assert head == f'resource "aws_kms_key_policy" "signer" {{\n  key_id = "{KEY}"\n  policy = '
    assert value == policy.document()


def test_without_a_key_the_resource_refers_to_one_of_the_same_name() -> None:
    assert "  key_id = aws_kms_key.signer.key_id\n" in terraform(made())[0]


def test_in_terraform_no_escape_is_left_that_hcl_does_not_know() -> None:
    text = write(LAYERED, Form.TERRAFORM, targets())
    assert set(re.findall(r"\\(.)", text.replace("\\\\", ""))) <= set('nrt"u')


def test_what_terraform_plans_of_it_is_read_back_by_kms_lint(tmp_path: Path) -> None:
    resource = {
        "address": "aws_kms_key_policy.signer",
        "type": "aws_kms_key_policy",
        "values": {"key_id": KEY, "policy": json.dumps(terraform(LAYERED)[1])},
    }
    plan = {"format_version": "1.2", "planned_values": {"root_module": {"resources": [resource]}}}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (subject,) = lint_sources.read(str(tmp_path / "plan.json"), {}).subjects
    assert subject.document.raw == LAYERED.document()


@pytest.mark.parametrize("policy", [made(), LAYERED], ids=["ours", "with-kept"])
def test_the_template_is_read_back_by_kms_lint(tmp_path: Path, policy: KeyPolicy) -> None:
    (tmp_path / "template.json").write_text(write(policy, Form.CLOUDFORMATION, targets(), name="the-signer"))
    (subject,) = lint_sources.read(str(tmp_path / "template.json"), {}).subjects
    assert (subject.name, subject.document.raw) == ("TheSignerKey", policy.document())


def test_the_template_keeps_the_key_when_the_stack_goes() -> None:
    template = json.loads(write(made(), Form.CLOUDFORMATION, targets(), name="signer"))
    assert template == {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "SignerKey": {
                "Type": "AWS::KMS::Key",
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": {"KeyPolicy": made().document()},
            }
        },
    }


def test_a_key_to_agree_on_keys_is_said_to_be_one() -> None:
    template = json.loads(write(made(), Form.CLOUDFORMATION, targets(actions=("kms:DeriveSharedSecret",))))
    assert template["Resources"]["EnclaveKey"]["Properties"]["KeyUsage"] == "KEY_AGREEMENT"


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:userid": "{{resolve:ssm:name}}"}},
        {"StringEquals": {"{{resolve:ssm:name}}": "x"}},
        {"Fn::Sub": {"aws:userid": "x"}},
        {"Ref": {"aws:userid": "x"}},
    ],
)
def test_what_cloudformation_would_put_something_else_for_is_refused(condition: dict[str, Any]) -> None:
    policy = made(Kept(after=(ODD | {"Condition": condition},)))
    with pytest.raises(CannotAnswer) as caught:
        write(policy, Form.CLOUDFORMATION, targets())
    assert caught.value.code == "kms.not-expressible"
    assert caught.value.message.startswith("/Statement/")
    for form in set(Form) - {Form.CLOUDFORMATION}:
        assert write(policy, form, targets())


@pytest.mark.parametrize("form", [Form.JSON, Form.COMPACT])
def test_json_is_the_policy_itself(form: Form) -> None:
    assert json.loads(write(LAYERED, form, targets())) == LAYERED.document()


@pytest.mark.parametrize(
    ("name", "logical"), [("signer", "SignerKey"), ("a-b_c9", "ABC9Key"), ("enclave", "EnclaveKey")]
)
def test_cloudformation_knows_letters_and_digits_only(name: str, logical: str) -> None:
    assert logical_name(name) == logical
