"""Where ``kms lint`` finds policies: plans and templates, followed as far as they say what will be."""

import json
from pathlib import Path
from typing import Any

import pytest

from nitroctl.errors import CannotAnswer
from nitroctl.kms import lint, lint_key, lint_sources
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import Reading
from nitroctl.kms.lint_sources import Source, Subject
from tests.kms_policies import GOOD, KEY, NOBODY, NOTHING, ONE, Json, allow, bound, policy

ROLE = "arn:aws:iam::000000000000:role/Parent"


def read(tmp_path: Path, content: object, *, name: str = "file.json", **parameters: str) -> Source:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return lint_sources.read(str(path), parameters)


def rules(subject: Subject) -> set[str]:
    return {each.rule.number for each in lint.findings(Reading(subject.document, subject.key, NOBODY))}


def plan(*resources: Json, unknown: tuple[str, ...] = (), configured: Any = (), modules: Any = ()) -> Json:
    return {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": list(resources), "child_modules": list(modules)}},
        "resource_changes": [{"address": each, "change": {"after_unknown": {"policy": True}}} for each in unknown],
        "configuration": {"root_module": {"resources": list(configured)}},
    }


def resource(kind: str = "aws_kms_key", name: str = "k", **values: object) -> Json:
    return {"address": f"{kind}.{name}", "type": kind, "name": name, "values": values}


def template(value: Any = GOOD, **properties: object) -> Json:
    properties = {"KeyPolicy": value, **properties}
    return {
        "Parameters": {"Pcr0": {"Type": "String"}, "Purpose": {"Type": "String", "Default": "signing"}},
        "Resources": {
            "Key": {"Type": "AWS::KMS::Key", "Properties": {k: v for k, v in properties.items() if v is not None}},
            "Parent": {"Type": "AWS::IAM::Role"},
        },
    }


def test_a_policy_by_itself_is_one_policy(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert (found.kind, [each.name for each in found.subjects], found.troubles) == ("policy", [""], ())
    assert rules(found.subjects[0]) == set()


def test_what_the_aws_cli_prints_is_read(tmp_path: Path) -> None:
    [subject] = read(tmp_path, {"Policy": json.dumps(policy(allow())), "PolicyName": "default"}).subjects
    assert "KP001" in rules(subject)


def test_a_plan_is_read_with_what_it_says_of_the_key(tmp_path: Path) -> None:
    made = resource(
        policy=json.dumps(GOOD), key_usage="SIGN_VERIFY", multi_region=True, bypass_policy_lockout_safety_check=True
    )
    found = read(tmp_path, plan(made))
    [subject] = found.subjects
    assert (found.kind, subject.name) == ("terraform", "aws_kms_key.k")
    assert subject.key == KeyFacts(usage="SIGN_VERIFY", origin="AWS_KMS", multi_region=True, bypass=True)
    assert {"KP041", "KP043", "KP052"} <= rules(subject)


def test_the_line_of_a_plan_is_that_of_the_policy(tmp_path: Path) -> None:
    value = plan(resource(policy=json.dumps(policy(allow()))))
    text = json.dumps(value, indent=1)
    [subject] = read(tmp_path, text).subjects
    lines = {statement.line for statement in subject.document.statements}
    assert [text.splitlines()[line - 1].strip()[:9] for line in lines] == ['"policy":']


def test_keys_in_modules_are_found(tmp_path: Path) -> None:
    inner = {"address": "module.a", "resources": [resource(policy=json.dumps(GOOD), name="in")]}
    found = read(tmp_path, plan(modules=[{"address": "module.x", "child_modules": [inner]}]))
    assert [each.name for each in found.subjects] == ["aws_kms_key.in"]


@pytest.mark.parametrize(
    ("kind", "origin"),
    [
        ("aws_kms_external_key", "EXTERNAL"),
        ("aws_kms_replica_external_key", "EXTERNAL"),
        ("aws_kms_replica_key", None),
        ("aws_kms_key", "AWS_KMS"),
    ],
)
def test_the_origin_of_a_key_follows_from_its_resource(kind: str, origin: str | None, tmp_path: Path) -> None:
    [subject] = read(tmp_path, plan(resource(kind, policy=json.dumps(GOOD)))).subjects
    assert (subject.key.origin, subject.key.multi_region) == (origin, "replica" in kind)


def test_a_custom_key_store_is_an_origin(tmp_path: Path) -> None:
    made = [
        resource(policy=json.dumps(GOOD), name="a", custom_key_store_id="c"),
        resource(policy=json.dumps(GOOD), name="b", custom_key_store_id="c", xks_key_id="x"),
    ]
    found = read(tmp_path, plan(*made))
    assert [each.key.origin for each in found.subjects] == ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"]


def test_a_policy_that_is_known_only_after_apply_is_an_error_and_hides_no_other(tmp_path: Path) -> None:
    made = [resource(name="open"), resource(name="known", policy=json.dumps(policy(allow())))]
    configured = [{"address": "aws_kms_key.open", "expressions": {"policy": {"references": ["x"]}}}]
    found = read(tmp_path, plan(*made, unknown=("aws_kms_key.open",), configured=configured))
    assert [each.name for each in found.subjects] == ["aws_kms_key.known"]
    [trouble] = found.troubles
    assert trouble.code == "kms.template"
    assert "aws_kms_key.open: the policy is known only after apply" in trouble.message


def test_a_key_without_a_policy_gets_the_default_one(tmp_path: Path) -> None:
    configured = [{"address": "aws_kms_key.k", "expressions": {"description": {}}}]
    [subject] = read(tmp_path, plan(resource(), unknown=("aws_kms_key.k",), configured=configured)).subjects
    assert "KP002" in rules(subject)
    assert subject.assumed == (
        "aws_kms_key.k has no policy: KMS gives it one that leaves all to the account's IAM policies",
    )


def test_a_key_whose_policy_is_a_resource_of_its_own_is_judged_by_that(tmp_path: Path) -> None:
    made = [resource(), resource(name="other"), resource("aws_kms_key_policy", "p", policy=json.dumps(GOOD))]
    configured = [
        {
            "address": "aws_kms_key_policy.p",
            "type": "aws_kms_key_policy",
            "expressions": {"key_id": {"references": ["aws_kms_key.k.id", "aws_kms_key.k"]}},
        }
    ]
    found = read(tmp_path, plan(*made, configured=configured))
    assert [each.name for each in found.subjects] == ["aws_kms_key.other", "aws_kms_key_policy.p"]


def test_a_key_in_a_module_beside_a_policy_resource_is_not_guessed_about(tmp_path: Path) -> None:
    inner = {**resource(), "address": "module.m.aws_kms_key.k"}
    policies = resource("aws_kms_key_policy", "p", policy=json.dumps(GOOD))
    found = read(tmp_path, plan(policies, modules=[{"resources": [inner]}]))
    assert [each.code for each in found.troubles] == ["kms.template"]


@pytest.mark.parametrize(
    "value",
    [
        plan(),
        {"planned_values": {}},
        {"planned_values": {"root_module": []}},
        {"planned_values": {"root_module": {"resources": {}}}},
        {"Resources": {}},
        {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}, "Odd": 7}},
    ],
)
def test_a_file_without_a_key_is_an_error(value: Json, tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as caught:
        read(tmp_path, value)
    assert caught.value.code == "kms.template"


def test_modules_without_end_are_an_error(tmp_path: Path) -> None:
    module: Json = {"resources": []}
    for _ in range(80):
        module = {"child_modules": [module]}
    with pytest.raises(CannotAnswer):
        read(tmp_path, {"planned_values": {"root_module": module}})


def test_a_template_is_read_with_what_it_says_of_the_key(tmp_path: Path) -> None:
    found = read(tmp_path, template(KeyUsage="SIGN_VERIFY", MultiRegion="true", BypassPolicyLockoutSafetyCheck=True))
    [subject] = found.subjects
    assert (found.kind, subject.name, subject.key.account) == ("cloudformation", "Key", "000000000000")
    assert {"KP041", "KP043", "KP052"} <= rules(subject)
    assert subject.assumed == (
        "Key: the account is written 000000000000, and the template's own roles are called by logical name",
    )


def test_functions_are_followed(tmp_path: Path) -> None:
    principals = [
        {"Fn::GetAtt": ["Parent", "Arn"]},
        {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Purpose}"},
        {"Fn::Sub": ["${Arn}", {"Arn": {"Ref": "AWS::AccountId"}}]},
        {"Fn::Join": [":", ["arn", "aws", "iam", "", {"Ref": "AWS::AccountId"}, "user/${x}"]]},
        {"Fn::Sub": "${Parent.Arn}-${!Literal}"},
    ]
    value = policy(allow(condition=bound(PCR0={"Ref": "Pcr0"}), to=principals))
    [subject] = read(tmp_path, template(value), Pcr0=ONE).subjects
    statement = subject.document.statements[1]
    assert statement.principal.aws == (
        ROLE,
        "arn:aws:iam::000000000000:role/signing",
        "000000000000",
        "arn:aws:iam::000000000000:user/${x}",
        f"{ROLE}-${{Literal}}",
    )
    assert statement.conditions[0].values == (ONE,)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"Ref": "Pcr0"}, "the parameter Pcr0 has no value here"),
        ({"Ref": "Nobody"}, "the parameter Nobody has no value here"),
        ({"Fn::If": ["A", "b", "c"]}, "Fn::If is not followed: what it gives is known only when the stack is made"),
        ({"Fn::GetAtt": ["Key", "KeyId"]}, "Fn::GetAtt is not followed"),
        ({"Fn::GetAtt": ["Lambda", "Arn"]}, "Lambda.Arn is known only when the stack is made"),
        ({"Fn::Join": ["", [["a"]]]}, "a list or an object where text is to be put in"),
        ({"Fn::Sub": "${Parent.RoleId}"}, "Parent.RoleId is known only when the stack is made"),
    ],
)
def test_what_a_template_leaves_open_is_an_error_with_its_line(value: Json, why: str, tmp_path: Path) -> None:
    text = json.dumps(template(policy(allow(condition=bound(PCR0=value)))), indent=1)
    found = read(tmp_path, text)
    assert found.subjects == ()
    [trouble] = found.troubles
    assert why in trouble.message
    line = int(trouble.message.partition("line ")[2].partition(":")[0])
    assert f"{KEY}PCR0" in text.splitlines()[line - 1]


def test_a_key_without_a_policy_in_a_template_gets_the_default_one(tmp_path: Path) -> None:
    [subject] = read(tmp_path, template(None)).subjects
    assert "KP002" in rules(subject)


YAML = f"""\
Resources:
  Key:
    Type: AWS::KMS::ReplicaKey
    Properties:
      KeyPolicy:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal:
              AWS: !GetAtt Parent.Arn
            Action: kms:Decrypt
            Resource: "*"
            Condition:
              StringLike:
                kms:RecipientAttestation:PCR0: !Sub "{ONE[:20]}*"
  Parent:
    Type: AWS::IAM::Role
"""


def test_yaml_is_read_with_its_own_functions_and_lines(tmp_path: Path) -> None:
    [subject] = read(tmp_path, YAML, name="template.yaml").subjects
    [statement] = subject.document.statements
    assert (statement.line, statement.conditions[0].line) == (8, 15)
    assert statement.principal.aws == (ROLE,)
    assert subject.key.multi_region is True
    assert "KP011" in rules(subject)


@pytest.mark.parametrize(
    "text",
    [
        "Resources: [",
        "Resources:\n  a: 1\n  a: 2\n",
        "Resources:\n  <<: {a: 1}\n",
        "Resources: x\n",
        "Resources:\n  a: \x01\n",
        "Resources:\n  ? [a]\n  : 1\n",
        "Resources:\n  a: " + "[" * 5000,
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 9)) + "Resources: *a8\n",
        'Resources:\n  a: "\\U00110000"\n',
        'Resources:\n  a: "\\UFFFFFFFF"\n',
        f"%YAML 1.{'9' * 5000}\n---\nResources: {{}}\n",
    ],
    ids=[
        *("syntax", "twice", "merge", "scalar", "control", "odd-key", "deep", "anchors"),
        *("no-character", "no-number", "no-version"),
    ],
)
def test_odd_yaml_is_an_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as caught:
        read(tmp_path, text, name="template.yaml")
    assert caught.value.code == "kms.template"


def test_text_that_is_neither_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as caught:
        read(tmp_path, "hello\n")
    assert caught.value.code == "json.syntax"


METADATA = {
    "KeyMetadata": {
        "Arn": "arn:aws:kms:eu-west-1:111122223333:key/k",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "Origin": "EXTERNAL",
        "MultiRegion": False,
    }
}


def test_what_the_aws_cli_says_of_a_key_is_put_together(tmp_path: Path) -> None:
    described, listed = tmp_path / "key.json", tmp_path / "names.json"
    described.write_text(json.dumps(METADATA))
    listed.write_text(json.dumps({"PolicyNames": ["default", "AWS_RAM"]}))
    known = lint_key.read(str(listed), lint_key.read(str(described), NOTHING))
    assert known == KeyFacts(
        arn="arn:aws:kms:eu-west-1:111122223333:key/k",
        usage="ENCRYPT_DECRYPT",
        origin="EXTERNAL",
        multi_region=False,
        policies=("default", "AWS_RAM"),
    )
    assert known.account == "111122223333"


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"KeyMetadata": []},
        {"KeyMetadata": {}},
        {"KeyMetadata": {"Arn": 1}},
        {"KeyMetadata": {"Arn": "a", "MultiRegion": "false"}},
        {"PolicyNames": "default"},
        {"PolicyNames": [1]},
        {"PolicyNames": ["default"], "Truncated": True},
        {"Grants": []},
    ],
)
def test_a_file_about_a_key_that_is_something_else_is_an_error(value: object, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(value))
    with pytest.raises(CannotAnswer) as caught:
        lint_key.read(str(path), NOTHING)
    assert caught.value.code == "kms.key-facts"
