"""Targets as a file: read strictly, every fault named with its line and what to do."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from nitroctl import pcr
from nitroctl.errors import CannotAnswer, NitroctlError, UsageError
from nitroctl.kms import targets_file
from nitroctl.kms.targets import Placement, parse_key
from nitroctl.kms.targets_file import KeyTargets, read
from tests.conftest import ROOT
from tests.schemas import validator

ROLE = "arn:aws:iam::111122223333:role"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PEM = ROOT / "nitroctl" / "evidence" / "aws_root_g1.pem"
START = resources.files("nitroctl.kms").joinpath("starting_targets.yaml").read_text("utf-8")
SIGNER: dict[str, Any] = {
    "enclave_roles": [f"{ROLE}/signer"],
    "admin_roles": [f"{ROLE}/admin"],
    "policy_writers": [f"{ROLE}/writer"],
}
FULL: dict[str, Any] = SIGNER | {
    "key": KEY,
    "environment": "prod",
    "components": ["signer", "api"],
    "enclave_roles": [f"{ROLE}/signer-b", f"{ROLE}/signer-a"],
    "data_writers": [f"{ROLE}/path/provisioner"],
    "actions": ["kms:GenerateDataKey", "decrypt"],
    "encryption_context": {"b": "2", "a": "1 x"},
    "placement": {
        "parent_roles": [f"{ROLE}/signer"],
        "instances": ["i-0123456789abcdef0"],
        "signers": ["signing.pem", "AB" * 48],
    },
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signing.pem").write_bytes(PEM.read_bytes())
    return tmp_path


def document(*, name: str = "signer", **changes: Any) -> dict[str, Any]:
    """Return a good file's value, with changes of its key; a change to None takes a field out."""
    key = {field: value for field, value in (SIGNER | changes).items() if value is not None}
    return {"schema": "urn:nitroctl:kms-targets:1", "keys": {name: key}}


def written(value: object, name: str = "targets.json") -> str:
    Path(name).write_text(json.dumps(value))
    return name


def of(**changes: Any) -> KeyTargets:
    return read(written(document(**changes))).keys["signer"]


def refused(text: str) -> NitroctlError:
    Path("targets.yaml").write_text(text)
    with pytest.raises(NitroctlError) as caught:
        read("targets.yaml")
    return caught.value


def test_what_is_left_out_is_the_least() -> None:
    found = of()
    assert [role.arn for role in found.targets.enclave_roles] == [f"{ROLE}/signer"]
    assert found.targets.data_writers == ()
    assert found.targets.actions == ("kms:Decrypt",)
    assert (found.targets.encryption_context, found.targets.placement, found.targets.key) == ({}, Placement(), "")
    assert (found.components, found.environment) == ((), None)


def test_every_field_is_read() -> None:
    found = of(**(FULL | {"placement": FULL["placement"] | {"signers": ["signing.pem"]}}))
    assert [role.arn for role in found.targets.enclave_roles] == [f"{ROLE}/signer-a", f"{ROLE}/signer-b"]
    assert [role.name for role in found.targets.data_writers] == ["provisioner"]
    assert found.targets.actions == ("kms:Decrypt", "kms:GenerateDataKey")
    assert list(found.targets.encryption_context.items()) == [("a", "1 x"), ("b", "2")]
    assert found.targets.key == KEY
    assert (found.components, found.environment) == (("signer", "api"), "prod")
    certificate = pcr.for_certificate(pcr.certificate_der(PEM.read_bytes(), where=""))
    assert found.targets.placement.registers == {
        3: {pcr.for_role(f"{ROLE}/signer")},
        4: {pcr.for_instance("i-0123456789abcdef0")},
        8: {certificate},
    }


def test_a_signer_may_be_the_register_itself() -> None:
    assert of(placement={"signers": ["AB" * 48]}).targets.placement.signers == (bytes.fromhex("ab" * 48),)


def test_a_certificate_is_looked_for_beside_the_file() -> None:
    Path("there").mkdir()
    Path("signing.pem").rename("there/signing.pem")
    path = written(document(placement={"signers": ["signing.pem"]}), "there/targets.json")
    assert read(path).keys["signer"].targets.placement.signers


def test_the_order_of_lists_and_fields_does_not_matter() -> None:
    backwards = {name: list(reversed(value)) if isinstance(value, list) else value for name, value in FULL.items()}
    single = {"placement": {"parent_roles": [f"{ROLE}/b", f"{ROLE}/a"]}}
    one, two = of(**(FULL | single)), of(**(dict(reversed(list(backwards.items()))) | single))
    assert one.targets == two.targets


def test_yaml_and_json_say_the_same() -> None:
    Path("targets.yaml").write_text(yaml.safe_dump(document(**SIGNER)))
    assert read("targets.yaml").keys == read(written(document())).keys


def test_the_file_to_start_from_can_be_used_and_all_that_it_leaves_out_too() -> None:
    Path("targets.yaml").write_text(START)
    assert list(read("targets.yaml").keys) == ["signer"]
    uncommented = "\n".join(
        line.replace("# ", "", 1)
        if line.strip().startswith(("# key:", "# data_writers:", "# placement:", "#   parent", "#   inst", "#   sign"))
        else line
        for line in START.splitlines()
    )
    Path("targets.yaml").write_text(uncommented)
    found = read("targets.yaml").keys["signer"].targets
    assert found.key
    assert found.data_writers
    assert set(found.placement.registers) == {3, 4, 8}
    validator("kms-targets.1").validate(yaml.safe_load(START))
    validator("kms-targets.1").validate(yaml.safe_load(uncommented))


def test_a_file_of_several_keys_asks_which() -> None:
    value = document()
    value["keys"]["api"] = value["keys"]["signer"]
    found = read(written(value))
    assert list(found.keys) == ["api", "signer"]
    assert found.choose("api") == "api"
    for name, message in (
        (None, "targets.json: targets of several keys: api, signer"),
        ("aip", "targets.json: no key 'aip'"),
    ):
        with pytest.raises(UsageError) as caught:
            found.choose(name)
        assert (caught.value.code, caught.value.message) == ("kms-targets.choice", message)
    assert read(written(document())).choose(None) == "signer"


HEAD = "schema: urn:nitroctl:kms-targets:1\nkeys:\n  signer:\n"
BODY = HEAD + "".join(f"    {name}: [{', '.join(roles)}]\n" for name, roles in SIGNER.items())

#: Text of a file that is wrong in one way, the error's code, its message after the file's name, and its first hint.
WRONG: dict[str, tuple[str, str, str, str]] = {
    "empty": ("", "kms-targets.syntax", "empty", "nitroctl kms generate --init writes one to start from"),
    "a-list": ("- a\n", "kms-targets.value", "line 1: not a map of fields: a list", ""),
    "not-yaml": (
        "schema: [\n",
        "kms-targets.syntax",
        "line 2: not YAML: expected the node content, but found '<stream end>'",
        "",
    ),
    "another-form": (
        "schema: urn:nitroctl:appraisal-policy:1\n",
        "kms-targets.schema",
        'line 1: /schema: not a form this nitroctl knows: "urn:nitroctl:appraisal-policy:1"',
        "write schema: urn:nitroctl:kms-targets:1",
    ),
    "a-newer-form": (
        "schema: urn:nitroctl:kms-targets:2\n",
        "kms-targets.schema",
        'line 1: /schema: not a form this nitroctl knows: "urn:nitroctl:kms-targets:2"',
        "a newer nitroctl is needed: upgrade this one",
    ),
    "no-form": (
        "keys: {}\n",
        "kms-targets.schema",
        "line 1: missing: schema",
        "write schema: urn:nitroctl:kms-targets:1",
    ),
    "no-keys": ("schema: urn:nitroctl:kms-targets:1\n", "kms-targets.field", "line 1: missing: keys", ""),
    "no-key": (
        "schema: urn:nitroctl:kms-targets:1\nkeys: {}\n",
        "kms-targets.value",
        "line 2: /keys: no key in it",
        "write a name and below it the key's targets",
    ),
    "a-name-with-a-dot": (
        BODY.replace("signer:", "a.b:"),
        "kms-targets.value",
        "line 3: /keys/a.b: not a name for a key: 'a.b'",
        "a letter, then letters, digits, '-' and '_', at most 64",
    ),
    "unknown-field": (
        BODY + "    enclave_role: x\n",
        "kms-targets.field",
        "line 7: /keys/signer/enclave_role: unknown field",
        "did you mean enclave_roles?",
    ),
    "field-at-the-top": (
        BODY + "enclave_roles: []\n",
        "kms-targets.field",
        "line 7: /enclave_roles: unknown field",
        "known here: schema, description, keys",
    ),
    "no-roles": (
        HEAD + "    environment: prod\n",
        "kms-targets.field",
        "line 3: /keys/signer: missing: enclave_roles, admin_roles, policy_writers",
        "",
    ),
    "a-key-twice": (
        BODY + f"    admin_roles: [{ROLE}/x]\n",
        "kms-targets.duplicate-key",
        "line 7: the key 'admin_roles' occurs twice",
        "keep one; the first stands in line 5",
    ),
    "an-anchor": (
        BODY.replace("admin_roles: [", "admin_roles: &a ["),
        "kms-targets.yaml-feature",
        "line 5: the anchor &a",
        "write the values out where they apply, so that everybody reads the same",
    ),
    "aliases-without-end": (
        BODY + "    placement: *a\n",
        "kms-targets.yaml-feature",
        "line 7: the alias *a",
        "write the values out where they apply, so that everybody reads the same",
    ),
    "a-merge": (
        HEAD + "    <<: {}\n",
        "kms-targets.yaml-feature",
        "line 4: the merge key <<",
        "write the values out where they apply, so that everybody reads the same",
    ),
    "a-tag": (
        BODY + "    environment: !!python/name:os.system\n",
        "kms-targets.yaml-feature",
        "line 7: the tag tag:yaml.org,2002:python/name:os.system",
        "leave the tag out",
    ),
    "norway": (
        BODY + "    environment: no\n",
        "kms-targets.yaml-feature",
        "line 7: 'no' can be read as text or as a bool",
        'put it in quotes when it is text: "no", or write true or false',
    ),
    "a-number": (
        BODY + "    environment: 7\n",
        "kms-targets.value",
        "line 7: /keys/signer/environment: not text: 7",
        "put it in quotes",
    ),
    "a-second-document": (
        BODY + "---\n" + BODY,
        "kms-targets.yaml-feature",
        "line 7: a second document",
        "keep one file of targets in a file",
    ),
    "nested": (
        HEAD + "    placement: " + "{a: " * 20 + "1" + "}" * 20 + "\n",
        "kms-targets.syntax",
        "line 4: nested too deeply to be a file of targets",
        "",
    ),
    "one-role-as-text": (
        BODY.replace(f"[{ROLE}/admin]", f"{ROLE}/admin"),
        "kms-targets.value",
        f'line 5: /keys/signer/admin_roles: not a list: "{ROLE}/admin"',
        "write [one, two], or a line with a dash for each",
    ),
    "no-role": (
        BODY.replace(f"[{ROLE}/admin]", "[]"),
        "kms-targets.value",
        "line 5: /keys/signer/admin_roles: empty",
        "leave the field out, or name one",
    ),
    "a-session": (
        BODY.replace(f"{ROLE}/signer]", "arn:aws:sts::111122223333:assumed-role/signer/i-0]"),
        "kms.principal",
        (
            "line 4: /keys/signer/enclave_roles/0: a session of a role, not the role:"
            " 'arn:aws:sts::111122223333:assumed-role/signer/i-0'"
        ),
        f"name the role: {ROLE}/signer (with its path, if it has one)",
    ),
    "an-account": (
        BODY.replace(f"{ROLE}/admin", "'111122223333'"),
        "kms.principal",
        (
            "line 5: /keys/signer/admin_roles/0: a whole account, whose IAM policies could then let anybody decrypt"
            " without attestation: '111122223333'"
        ),
        "name a role; aws iam get-role --role-name <name> shows a role's ARN",
    ),
    "a-role-twice": (
        BODY.replace(f"{ROLE}/signer]", f"{ROLE}/signer, {ROLE}/Signer]"),
        "kms-targets.value",
        f"line 4: /keys/signer/enclave_roles/1: a role that was named before: '{ROLE}/Signer'",
        "",
    ),
    "two-duties": (
        BODY.replace(f"{ROLE}/writer", f"{ROLE}/signer"),
        "kms.separation",
        f"line 3: /keys/signer: {ROLE}/signer is both enclave role and policy writer",
        "an enclave's parent must not manage the key that guards its secrets; name another role",
    ),
    "an-alias": (
        BODY + "    key: alias/signer\n",
        "kms.key",
        "line 7: /keys/signer/key: an alias, which can be pointed at another key: 'alias/signer'",
        "write arn:aws:kms:<region>:<12-digit account>:key/<id>; aws kms describe-key shows it",
    ),
    "an-action-that-cannot-attest": (
        BODY + "    actions: [Encrypt]\n",
        "kms.action",
        "line 7: /keys/signer/actions/0: KMS does not evaluate attestation for 'Encrypt'",
        (
            "the attested actions on a key: kms:Decrypt, kms:DeriveSharedSecret, kms:GenerateDataKey,"
            " kms:GenerateDataKeyPair"
        ),
    ),
    "an-action-twice": (
        BODY + "    actions: [Decrypt, kms:decrypt]\n",
        "kms-targets.value",
        "line 7: /keys/signer/actions/1: an action that was named before: kms:Decrypt",
        "",
    ),
    "an-empty-context": (
        BODY + "    encryption_context: {}\n",
        "kms-targets.value",
        "line 7: /keys/signer/encryption_context: empty",
        "leave the field out to require no encryption context",
    ),
    "a-variable-in-the-context": (
        BODY + '    encryption_context: {app: "${aws:username}"}\n',
        "kms.context",
        "line 7: /keys/signer/encryption_context/app: a policy would read ${…} as a variable",
        "",
    ),
    "a-context-beyond-ascii": (
        BODY + "    encryption_context: {app: clé}\n",
        "kms.context",
        "line 7: /keys/signer/encryption_context/app: only printable ASCII can be compared safely in a policy",
        "",
    ),
    "a-context-twice": (
        BODY + "    encryption_context: {app: x, App: y}\n",
        "kms.context",
        "line 7: /keys/signer/encryption_context/App: the name is given twice (case does not count in condition keys)",
        "",
    ),
    "a-component-that-cannot-be": (
        BODY + '    components: ["a b"]\n',
        "kms-targets.value",
        "line 7: /keys/signer/components/0: not a name in the records: 'a b'",
        "nitroctl pcr list shows the names",
    ),
    "an-empty-placement": (
        BODY + "    placement: {}\n",
        "kms-targets.value",
        "line 7: /keys/signer/placement: empty",
        "leave the field out to bind no place",
    ),
    "an-instance-profile": (
        BODY + '    placement: {parent_roles: ["arn:aws:iam::111122223333:instance-profile/x"]}\n',
        "pcr.role",
        (
            "line 7: /keys/signer/placement/parent_roles/0: an instance profile, not a role:"
            " 'arn:aws:iam::111122223333:instance-profile/x'"
        ),
        "PCR3 is made from the role's ARN: aws iam get-instance-profile shows it",
    ),
    "no-instance": (
        BODY + "    placement: {instances: [i-0]}\n",
        "pcr.instance",
        "line 7: /keys/signer/placement/instances/0: not an EC2 instance id: 'i-0'",
        "write i- and 17 (or 8) lower-case hex digits",
    ),
    "no-certificate": (
        BODY + "    placement: {signers: [absent.pem]}\n",
        "file.unreadable",
        "line 7: /keys/signer/placement/signers/0: absent.pem: cannot read: no such file or directory",
        "check the path",
    ),
    "standard-input-as-certificate": (
        BODY + '    placement: {signers: ["-"]}\n',
        "usage.invalid",
        "line 7: /keys/signer/placement/signers/0: a certificate is not read from standard input",
        "name a file",
    ),
    "nobody-signed": (
        BODY + f'    placement: {{signers: ["{"0" * 96}"]}}\n',
        "pcr.value",
        "line 7: /keys/signer/placement/signers/0: PCR8 is zero: an image that nobody signed",
        "name who signs",
    ),
    "two-lists-of-places": (
        BODY + f"    placement: {{parent_roles: [{ROLE}/a, {ROLE}/b], instances: [i-01234567, i-12345678]}}\n",
        "kms.placement",
        ("line 3: /keys/signer: PCR3 and PCR4 may each have several values, and every combination would be accepted"),
        "give several roles, or instances, or signers; not several of two kinds",
    ),
    "writers-without-a-context": (
        BODY + f"    data_writers: [{ROLE}/p]\n",
        "kms.data-writer",
        (
            "line 3: /keys/signer: data writers without an encryption context: what they encrypt for one purpose could"
            " be given to the enclave for another"
        ),
        "say what the data is for: --encryption-context name=value, which every request must then carry",
    ),
    "hostile-text": (
        BODY + '    environment: "a\\e[31mb"\n',
        "kms-targets.value",
        "line 7: /keys/signer/environment: longer than 4096 characters, or with one that cannot be printed",
        "",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_fault_is_named_with_its_line_and_what_to_do(name: str) -> None:
    text, code, message, hint = WRONG[name]
    error = refused(text)
    assert (error.code, error.message) == (code, f"targets.yaml: {message}")
    assert (error.hints[0] if error.hints else "") == hint


def test_all_faults_are_told_at_once() -> None:
    wrong = BODY.replace(f"{ROLE}/admin", "x").replace(f"{ROLE}/writer", "y") + "    actions: [z]\n"
    error = refused(wrong)
    assert error.message == "targets.yaml: line 5: /keys/signer/admin_roles/0: not the ARN of an IAM role: 'x'"
    assert error.hints == (
        "write arn:aws:iam::<12-digit account>:role/<name>",
        "also wrong: line 6: /keys/signer/policy_writers/0: not the ARN of an IAM role: 'y'",
        "also wrong: line 7: /keys/signer/actions/0: KMS does not evaluate attestation for 'z'",
    )


def test_very_many_faults_are_counted() -> None:
    error = refused(BODY + "".join(f"    x{number}: 1\n" for number in range(20)))
    assert error.hints[-1] == "and 14 more"


def test_in_json_a_fault_has_its_place() -> None:
    with pytest.raises(CannotAnswer) as caught:
        read(written(document(actions=["x"])))
    assert caught.value.message == ("targets.json: /keys/signer/actions/0: KMS does not evaluate attestation for 'x'")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"schema": 1, "schema": 2}', "json.duplicate-key"),
        ('{"schema": NaN}', "json.not-a-number"),
        ("{", "json.syntax"),
    ],
)
def test_json_is_read_as_strictly(text: str, code: str) -> None:
    Path("targets.json").write_text(text)
    with pytest.raises(CannotAnswer) as caught:
        read("targets.json")
    assert caught.value.code == code


def test_files_that_are_none() -> None:
    Path("binary").write_bytes(b"\xff\xfe")
    Path("huge").write_bytes(b"#" * (targets_file.SIZE_LIMIT + 1))
    Path("directory").mkdir()
    for name, code in (
        ("absent", "file.unreadable"),
        ("directory", "file.unreadable"),
        ("binary", "file.not-utf8"),
        ("huge", "file.too-large"),
        ("-", "usage.invalid"),
    ):
        with pytest.raises(NitroctlError) as caught:
            read(name)
        assert caught.value.code == code


def test_the_schema_takes_what_the_reader_takes() -> None:
    for value in (document(), document(**FULL), {**document(), "description": "words"}):
        validator("kms-targets.1").validate(value)


@pytest.mark.parametrize(
    "name",
    [
        "no-form", "no-keys", "no-key", "a-name-with-a-dot", "unknown-field", "field-at-the-top", "no-roles",
        "a-number", "one-role-as-text", "no-role", "a-session", "an-alias", "an-empty-context",
        "a-context-beyond-ascii", "a-component-that-cannot-be", "an-empty-placement",
    ],
)  # fmt: skip
def test_the_schema_refuses_what_it_can_say(name: str) -> None:
    assert list(validator("kms-targets.1").iter_errors(yaml.safe_load(WRONG[name][0])))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("alias/x", "an alias, which can be pointed at another key"),
        ("arn:aws:kms:eu-west-1:111122223333:alias/x", "an alias, which can be pointed at another key"),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", "not the ARN of a key"),
        ("", "not the ARN of a key"),
    ],
)
def test_a_key_is_named_by_its_arn(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_key(text, option="--key")
    assert (caught.value.code, caught.value.message) == ("kms.key", f"--key: {problem}: {text!r}")
    assert parse_key(f" {KEY} ", option="--key") == KEY
