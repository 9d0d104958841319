"""A policy as a file: every field's form, the canonical form and its digest, and the schema that says the same."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.appraisal import policy_canonical, policy_file, policy_text
from nitroctl.appraisal.policy import CLOCK_SKEW, Content, KeyContent, RegisterRule, parse_duration
from nitroctl.appraisal.policy_file import SCHEMA, PolicyFile
from nitroctl.appraisal.policy_text import Text
from nitroctl.appraisal.policy_values import Fault
from nitroctl.errors import CannotAnswer
from nitroctl.evidence.document import Kind
from nitroctl.evidence.roots import AWS_ROOTS
from tests.schemas import validator

A, B = "ab" * 48, "cd" * 48
ASCENDING, RANGE = "neither a register nor an ascending range of them", "write PCR16, or PCR16-PCR19 for several"
SHA = "ef" * 32
ROLE = "arn:aws:iam::111122223333:role/signer"
MODULE = "i-0123456789abcdef0-enc019aa0b0c0d0e0f0"
SETS = {"any_of": [{"label": "one", "pcrs": {"PCR0": A, "PCR1": B}}, {"label": "two", "pcrs": {"PCR8": B}}]}

#: every field, each with a value that is not its default and the one it is read as
GOOD: dict[str, Any] = {
    "description": "production",
    "kind": "enclave",
    "references": {"records": {"file": "m.json", "component": "signer", "environment": "prod"}, **SETS},
    "registers": {"PCR16-PCR18": "present", "PCR19": [B, A], "PCR3": [A]},
    "debug": "allow",
    "nonce": {"required": True, "equals": "00FF"},
    "user_data": {"equals": "00", "sha256": SHA, "json": {"v": 1, "/a/b": "x", "n": None, "t": True}},
    "public_key": {"type": "rsa", "minimum_bits": 2048, "equals": "0102", "sha256": SHA},
    "module_ids": [MODULE],
    "instance_ids": ["i-0123456789abcdef0", "i-01234567"],
    "regions": ["us-gov-west-1", "eu-west-1"],
    "partitions": ["aws", "aws-us-gov"],
    "roles": [ROLE],
    "pcr4_matches_module_id": True,
    "max_age": "5m",
    "clock_skew": "0s",
    "roots": [AWS_ROOTS[0].fingerprint.upper()],
    "strict": True,
}


def form(value: object) -> tuple[PolicyFile | None, list[tuple[str, str]]]:
    found, faults = policy_file.form(Text(value, {}), where="p.json")
    return found, [(fault.code.removeprefix("appraisal-policy."), f"{fault.place}{fault.message}") for fault in faults]


def policy(**fields: Any) -> PolicyFile:
    found, faults = form({"schema": SCHEMA, **fields})
    assert faults == []
    assert found
    return found


def fault(**fields: Any) -> tuple[str, str]:
    found, faults = form({"schema": SCHEMA, **fields})
    assert found is None
    assert len(faults) == 1, faults
    return faults[0]


def test_every_field_is_read() -> None:
    assert {"schema", *GOOD} == set(policy_file.FIELDS)
    found = policy(**GOOD)
    required = found.policy
    assert [(each.label, {k: v.hex() for k, v in each.pcrs.items()}) for each in required.accepted] == [
        ("one", {0: A, 1: B}),
        ("two", {8: B}),
    ]
    assert (required.kind, required.allow_debug) == (Kind.ENCLAVE, True)
    assert required.registers == (
        RegisterRule((3,), (bytes.fromhex(A),)),
        RegisterRule((16, 17, 18)),
        RegisterRule((19,), (bytes.fromhex(A), bytes.fromhex(B))),
    )
    assert (required.nonce, required.nonce_required) == (b"\x00\xff", True)
    members = (("/a/b", "x"), ("n", None), ("t", True), ("v", 1))
    assert required.user_data == Content(equals=b"\x00", sha256=bytes.fromhex(SHA), members=members)
    key = KeyContent(type="rsa", minimum_bits=2048, equals=b"\x01\x02", sha256=bytes.fromhex(SHA))
    assert required.public_key == key
    assert required.module_ids == frozenset({MODULE})
    assert required.instance_ids == frozenset({"i-0123456789abcdef0", "i-01234567"})
    assert required.regions == frozenset({"us-gov-west-1", "eu-west-1"})
    assert required.partitions == frozenset({"aws", "aws-us-gov"})
    assert (required.roles, required.parent_instance) == ((ROLE,), True)
    assert (required.max_age, required.clock_skew) == (timedelta(minutes=5), timedelta(0))
    assert found.records == policy_file.Records("m.json", "signer", "prod")
    assert (found.roots, found.strict, found.description) == ((AWS_ROOTS[0].fingerprint,), True, "production")
    assert required.source
    assert (required.source.file, required.source.sha256, required.source.overridden) == ("p.json", found.sha256, ())


def test_nothing_but_the_schema_is_the_defaults() -> None:
    found = policy()
    assert found.canonical == {"schema": SCHEMA}
    assert found.sha256 == hashlib.sha256(b'{"schema":"urn:nitroctl:appraisal-policy:1"}').hexdigest()
    required = found.policy
    assert (required.accepted, required.kind, required.allow_debug, required.requires_more) == (
        (),
        Kind.ENCLAVE,
        False,
        False,
    )
    assert (required.nonce, required.nonce_required, required.max_age, required.partitions) == (None, False, None, None)
    assert required.clock_skew == CLOCK_SKEW
    assert (found.records, found.records_path, found.roots, found.strict) == (None, None, None, False)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_every_field_counts_in_the_digest(name: str) -> None:
    rest = {key: value for key, value in GOOD.items() if key != name}
    if name == "kind":
        assert policy(**rest).sha256 == policy(**GOOD).sha256  # its default
        return
    assert policy(**rest).sha256 != policy(**GOOD).sha256


def test_the_canonical_form_is_a_policy_with_the_same_digest() -> None:
    found = policy(**GOOD)
    again, faults = form(json.loads(json.dumps(found.canonical)))
    assert faults == []
    assert again
    assert (again.canonical, again.sha256, again.policy) == (found.canonical, found.sha256, found.policy)
    validator("appraisal-policy.1").validate(found.canonical)


def test_defaults_order_case_and_units_do_not_change_the_digest() -> None:
    one = policy(
        debug="refuse", strict=False, max_age="300s", regions=["eu-west-1", "us-east-1"], nonce={"equals": "ff"}
    )
    other = policy(nonce={"equals": "FF", "required": False}, regions=["us-east-1", "eu-west-1"], max_age="5m")
    assert one.sha256 == other.sha256


def test_yaml_and_json_with_the_same_content_have_the_same_digest(tmp_path: Path) -> None:
    written = {"schema": SCHEMA, **GOOD}
    (tmp_path / "p.json").write_text(json.dumps(written))
    (tmp_path / "p.yaml").write_text("# a comment\n" + yaml.safe_dump(written, width=10_000))
    assert policy_file.read(str(tmp_path / "p.yaml")).sha256 == policy_file.read(str(tmp_path / "p.json")).sha256


def test_the_digest_is_sha256_of_sorted_compact_ascii_json() -> None:
    text = '{"description":"caf\\u00e9","schema":"urn:nitroctl:appraisal-policy:1"}'
    assert policy(description="café").sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_records_are_beside_the_policy() -> None:
    found, _ = policy_file.form(
        Text({"schema": SCHEMA, "references": {"records": {"file": "../m.json"}}}, {}), where="deploy/p.yaml"
    )
    assert found
    assert found.records_path == "deploy/../m.json"
    absolute, _ = policy_file.form(
        Text({"schema": SCHEMA, "references": {"records": {"file": "/srv/m.json"}}}, {}), where="deploy/p.yaml"
    )
    assert absolute
    assert absolute.records_path == "/srv/m.json"


Bad = list[tuple[dict[str, Any], str, str]]
BAD: Bad = [
    ({"debgu": "allow"}, "field", "/debgu: unknown field"),
    ({"references": {"record": {}}}, "field", "/references/record: unknown field"),
    ({"references": {"records": {"component": "x"}}}, "field", "/references/records: missing: file"),
    ({"references": {"records": {"file": "-"}}}, "value", "/references/records/file: not the name of a file"),
    ({"references": {"records": "m.json"}}, "value", '/references/records: not a map of fields: "m.json"'),
    ({"references": None}, "value", "/references: not a map of fields: null"),
    ({"references": {"any_of": []}}, "value", "/references/any_of: empty: nothing would be acceptable"),
    ({"references": {"any_of": [{"label": "x"}]}}, "field", "/references/any_of/0: missing: pcrs"),
    (
        {"references": {"any_of": [{"label": "x", "pcrs": {}}]}},
        "value",
        "/references/any_of/0/pcrs: no register in it: that would match everything",
    ),
    (
        {"references": {"any_of": [{"label": "x", "pcrs": {"PCR32": A}}]}},
        "value",
        "/references/any_of/0/pcrs/PCR32: not a register: they are named PCR0 to PCR31",
    ),
    (
        {"references": {"any_of": [{"label": "x", "pcrs": {"PCR0": A[:62]}}]}},
        "value",
        "/references/any_of/0/pcrs/PCR0: not a SHA-384 register: 62 hexadecimal digits in place of 96",
    ),
    (
        {"references": {"any_of": [{"label": "x", "pcrs": {"PCR0": 5}}]}},
        "value",
        "/references/any_of/0/pcrs/PCR0: not text: 5",
    ),
    (
        {"references": {"any_of": [{"label": "x", "pcrs": {"PCR0": A}}, {"label": "x", "pcrs": {"PCR0": B}}]}},
        "value",
        '/references/any_of/1/label: the label of another set: "x"',
    ),
    (
        {"references": {"any_of": [{"label": "", "pcrs": {"PCR0": A}}]}},
        "value",
        "/references/any_of/0/label: not 1 to 128 characters",
    ),
    ({"registers": {}}, "value", "/registers: empty"),
    ({"registers": {"PCR0": [A]}}, "value", "/registers/PCR0: PCR0, PCR1 and PCR2 belong together"),
    ({"registers": {"PCR2-PCR3": "present"}}, "value", "/registers/PCR2-PCR3: PCR0, PCR1 and PCR2 belong together"),
    (
        {"registers": {"PCR17-PCR16": "present"}},
        "value",
        "/registers/PCR17-PCR16: neither a register nor an ascending range of them",
    ),
    (
        {"registers": {"16": "present"}},
        "value",
        "/registers/16: neither a register nor an ascending range of them",
    ),
    ({"registers": {"PCR16": A}}, "value", f'/registers/PCR16: neither present nor a list of values: "{A[:55]}…'),
    ({"registers": {"PCR16": []}}, "value", "/registers/PCR16: empty: nothing would be acceptable"),
    ({"debug": True}, "value", "/debug: not one of refuse, allow: true"),
    ({"debug": "allowed"}, "value", '/debug: not one of refuse, allow: "allowed"'),
    ({"kind": "tpm"}, "value", '/kind: not one of enclave, nitrotpm: "tpm"'),
    ({"nonce": "00"}, "value", '/nonce: not a map of fields: "00"'),
    ({"nonce": {}}, "value", "/nonce: empty"),
    ({"nonce": {"required": "yes"}}, "value", '/nonce/required: neither true nor false: "yes"'),
    ({"nonce": {"equals": ""}}, "value", '/nonce/equals: not bytes in hexadecimal: ""'),
    ({"nonce": {"equals": "abc"}}, "value", '/nonce/equals: not bytes in hexadecimal: "abc"'),
    ({"user_data": True}, "value", "/user_data: neither absent, nor present, nor a map: true"),
    ({"user_data": None}, "value", "/user_data: neither absent, nor present, nor a map: null"),
    ({"user_data": {}}, "value", "/user_data: empty"),
    ({"user_data": "any"}, "value", '/user_data: not one of absent, present: "any"'),
    ({"user_data": {"prefix": "00"}}, "field", "/user_data/prefix: unknown field"),
    ({"user_data": {"json": {}}}, "value", "/user_data/json: no member in it"),
    (
        {"user_data": {"json": {"a": {"b": 1}}}},
        "value",
        "/user_data/json/a: not text, a whole number, true, false or null: a map",
    ),
    (
        {"user_data": {"json": {"a": 1.5}}},
        "value",
        "/user_data/json/a: not text, a whole number, true, false or null: 1.5",
    ),
    ({"user_data": {"sha256": A}}, "value", f'/user_data/sha256: not a SHA-256: "{A[:55]}…'),
    ({"public_key": {"type": "RSA"}}, "value", '/public_key/type: not one of rsa, ec, ed25519: "RSA"'),
    (
        {"public_key": {"minimum_bits": 2048}},
        "value",
        "/public_key/minimum_bits: sizes of keys of different types do not compare",
    ),
    (
        {"public_key": {"type": "rsa", "minimum_bits": True}},
        "value",
        "/public_key/minimum_bits: not a number of bits: true",
    ),
    (
        {"public_key": {"type": "rsa", "minimum_bits": 0}},
        "value",
        "/public_key/minimum_bits: not a number of bits: 0",
    ),
    ({"public_key": {"json": {"a": 1}}}, "field", "/public_key/json: unknown field"),
    ({"module_ids": MODULE}, "value", f'/module_ids: not a list: "{MODULE}"'),
    ({"module_ids": []}, "value", "/module_ids: empty: nothing would be acceptable"),
    ({"module_ids": [MODULE, MODULE]}, "value", f'/module_ids/1: named twice: "{MODULE}"'),
    (
        {"instance_ids": ["i-0123"]},
        "value",
        '/instance_ids/0: not an instance id: i- and 17 (or 8) lower-case hex: "i-0123"',
    ),
    ({"regions": ["eu-west"]}, "value", '/regions/0: not a region, like eu-west-1: "eu-west"'),
    ({"regions": [1]}, "value", "/regions/0: not text: 1"),
    ({"partitions": ["gov"]}, "value", '/partitions/0: not a partition, like aws or aws-us-gov: "gov"'),
    ({"roles": ["signer"]}, "value", "/roles/0: not an IAM role ARN: 'signer'"),
    ({"pcr4_matches_module_id": 1}, "value", "/pcr4_matches_module_id: neither true nor false: 1"),
    ({"max_age": 300}, "value", "/max_age: not a duration: 300"),
    ({"max_age": "0s"}, "value", "/max_age: nothing is that young"),
    ({"max_age": "5 m"}, "value", '/max_age: not a duration: "5 m"'),
    ({"clock_skew": "-5m"}, "value", '/clock_skew: not a duration: "-5m"'),
    (
        {"roots": ["AWS"]},
        "value",
        '/roots/0: not the SHA-256 of a root certificate: 64 hexadecimal digits: "AWS"',
    ),
    ({"strict": "true"}, "value", '/strict: neither true nor false: "true"'),
    ({"description": "a\u202eb"}, "value", "/description: has a control, format or other unprintable character"),
    ({"description": "x" * 4097}, "value", "/description: longer than 4096 characters"),
    ({"kind": "nitrotpm", "roles": [ROLE]}, "value", "/roles: says nothing about a NitroTPM document"),
    ({"kind": "nitrotpm", "debug": "refuse"}, "value", "/debug: says nothing about a NitroTPM document"),
]


@pytest.mark.parametrize(("fields", "code", "message"), BAD, ids=[row[2][:70] for row in BAD])
def test_a_value_without_its_form_is_refused_with_its_place(fields: dict[str, Any], code: str, message: str) -> None:
    found = fault(**fields)
    assert (found[0], found[1][: len(message)]) == (code, message)
    assert message.endswith("…") or found[1] == message


#: refused by rules that a schema cannot say, or says elsewhere
_BEYOND_SCHEMA = ("named twice", "label of another", "says nothing", "unprintable", "belong together", "not the name")


@pytest.mark.parametrize(("fields", "code", "message"), BAD, ids=[row[2][:70] for row in BAD])
def test_the_schema_refuses_it_too(fields: dict[str, Any], code: str, message: str) -> None:
    assert code in {"field", "value"}
    beyond = any(
        words in message for words in (*_BEYOND_SCHEMA, "do not compare", "nothing is that young", "ascending")
    )
    valid = validator("appraisal-policy.1").is_valid({"schema": SCHEMA, **fields})
    assert not valid or beyond


def test_the_schema_accepts_every_field() -> None:
    validator("appraisal-policy.1").validate({"schema": SCHEMA, **GOOD})


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        (None, "value", "not a map of fields: null"),
        ([], "value", "not a map of fields: a list"),
        ("x", "value", 'not a map of fields: "x"'),
        ({}, "schema", "missing: schema"),
        (
            {"schema": "urn:nitroctl:measurements:1"},
            "schema",
            '/schema: not a form this nitroctl knows: "urn:nitroctl:measurements:1"',
        ),
        (
            {"schema": "urn:nitroctl:appraisal-policy:2"},
            "schema",
            '/schema: not a form this nitroctl knows: "urn:nitroctl:appraisal-policy:2"',
        ),
        ({"schema": 1}, "schema", "/schema: not a form this nitroctl knows: 1"),
    ],
)
def test_what_is_no_policy_is_said_to_be_none(value: object, code: str, message: str) -> None:
    assert form(value) == (None, [(code, message)])


@pytest.mark.parametrize("index", [0, 1, 2, 8])
def test_reference_values_that_anything_satisfies_are_refused(index: int) -> None:
    zero: dict[str, Any] = {"references": {"any_of": [{"label": "x", "pcrs": {"PCR3": A, f"PCR{index}": "00" * 48}}]}}
    whose = "unsigned image" if index == 8 else "debug-mode enclave"
    assert fault(**zero) == (
        "attest.zero-reference",
        f"/references: x: PCR{index} is expected to be zero, which every {whose} satisfies",
    )


@pytest.mark.parametrize("name", ["PCR8", "PCR8-PCR9", "PCR7-PCR8", "PCR3-PCR31"])
@pytest.mark.parametrize("values", [["00" * 48], [A, "00" * 48]], ids=["alone", "among"])
def test_a_rule_that_every_unsigned_image_satisfies_is_refused(name: str, values: list[str]) -> None:
    _, faults = policy_file.form(Text({"schema": SCHEMA, "registers": {name: values}}, {}), where="p")
    said = "PCR8 is expected to be zero, which every unsigned image satisfies"
    hint = "write the PCR8 of a signed image, or present"
    assert faults == (Fault(0, f"/registers/{name}: ", said, hint, "attest.zero-reference"),)
    tpm = policy(kind="nitrotpm", registers={name: values}).policy
    assert pcr.ZERO in tpm.registers[0].any_of


@pytest.mark.parametrize("name", ["PCR7", "PCR9", "PCR3-PCR7", "PCR9-PCR15", "PCR18"])
def test_a_rule_may_want_another_register_to_be_zero(name: str) -> None:
    assert policy(registers={name: ["00" * 48]}).policy.registers[0].any_of == (pcr.ZERO,)
    assert policy(registers={"PCR8": [A]}).policy.registers[0].any_of == (bytes.fromhex(A),)
    assert policy(registers={"PCR8": "present"}).policy.registers[0].any_of == ()


def test_it_is_looked_for_what_was_meant_by_the_first_unknown_names_only() -> None:
    """Each of thousands would take time, and none of the later ones is told."""
    unknown: dict[str, Any] = {f"max_ag{number}": 1 for number in range(22)}
    _, faults = policy_file.form(Text({"schema": SCHEMA, **unknown}, {}), where="p")
    assert [each.hint for each in faults] == ["did you mean max_age?"] * 20 + [""] * 2
    assert {each.message for each in faults} == {"unknown field"}


def test_names_are_compared_with_all_before_them() -> None:
    _, faults = policy_file.form(
        Text({"schema": SCHEMA, "regions": ["us-west-1", "eu-west-1", "us-west-1"]}, {}), where="p"
    )
    assert [(each.place, each.message) for each in faults] == [("/regions/2: ", 'named twice: "us-west-1"')]
    found = policy(regions=["us-west-1", "eu-west-1"])
    assert found.canonical["regions"] == ["eu-west-1", "us-west-1"]


def test_a_set_of_zero_registers_is_refused() -> None:
    zero = {"references": {"any_of": [{"label": "x", "pcrs": {"PCR5": "00" * 48}}]}}
    said = "/references: x: every register is expected to be zero, which nearly everything satisfies"
    assert fault(**zero) == ("attest.zero-reference", said)
    assert fault(kind="nitrotpm", **zero) == ("attest.zero-reference", said)
    some = {"references": {"any_of": [{"label": "x", "pcrs": {"PCR8": "00" * 48, "PCR4": A}}]}}
    assert policy(kind="nitrotpm", **some).policy.accepted


def test_every_fault_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"strict: maybe\ndebug: x\nnonsense: 1\nschema: {SCHEMA}\nmax_age: soon\n")
    found, faults = policy_file.form(policy_text.read(str(path)), where=str(path))
    assert found is None
    assert [(each.line, each.message) for each in faults] == [
        (1, 'neither true nor false: "maybe"'),
        (2, 'not one of refuse, allow: "x"'),
        (3, "unknown field"),
        (5, 'not a duration: "soon"'),
    ]
    with pytest.raises(CannotAnswer) as caught:
        policy_file.read(str(path))
    assert caught.value.message == (
        f'{path}: line 1: /strict: neither true nor false: "maybe" (and 3 more: nitroctl attest policy check {path})'
    )
    assert caught.value.code == "appraisal-policy.value"


@pytest.mark.parametrize(
    ("name", "meant"), [("max-age", "max_age"), ("nonces", "nonce"), ("region", "regions"), ("userdata", "user_data")]
)
def test_an_unknown_field_says_what_may_be_meant(name: str, meant: str) -> None:
    _, faults = policy_file.form(Text({"schema": SCHEMA, name: 1}, {}), where="p")
    assert [each.hint for each in faults] == [f"did you mean {meant}?"]


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"debug": "allowed"}, "did you mean allow?"),
        ({"kind": "nitro-tpm"}, "did you mean nitrotpm?"),
        ({"user_data": "pressent"}, "did you mean present?"),
        ({"kind": "sgx"}, ""),
        ({"debug": True}, ""),
    ],
)
def test_a_word_that_is_no_choice_says_which_may_be_meant(fields: dict[str, Any], hint: str) -> None:
    _, faults = policy_file.form(Text({"schema": SCHEMA, **fields}, {}), where="p")
    assert [each.hint for each in faults] == [hint]


def test_what_stands_beside_an_unknown_field_is_judged_too() -> None:
    key = {"kind": "rsa", "minimum_bits": "many"}
    _, faults = policy_file.form(Text({"schema": SCHEMA, "public_key": key}, {}), where="p")
    assert [(each.place, each.message) for each in faults] == [
        ("/public_key/kind: ", "unknown field"),
        ("/public_key/minimum_bits: ", 'not a number of bits: "many"'),
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([A, SHA, "5m", "allow"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(policy_file.FIELDS), JSON | st.sampled_from(list(GOOD.values()))))
def test_any_values_are_a_policy_or_faults_and_never_a_crash(fields: dict[str, Any]) -> None:
    found, faults = policy_file.form(Text({**fields, "schema": SCHEMA}, {}), where="p")
    assert (found is None) == bool(faults)
    if found:
        again, _ = policy_file.form(Text(found.canonical, {}), where="p")
        assert again == found
        validator("appraisal-policy.1").validate(found.canonical)
        assert policy_canonical.digest(found.canonical) == found.sha256


@pytest.mark.parametrize("name", ["PCR0", "PCR1", "PCR2", "PCR2-PCR4", "PCR0-PCR1"])
def test_registers_of_the_image_are_written_as_a_set(name: str) -> None:
    _, faults = policy_file.form(Text({"schema": SCHEMA, "registers": {name: "present"}}, {}), where="p")
    assert [(each.message, each.hint) for each in faults] == [
        ("PCR0, PCR1 and PCR2 belong together", "write them as one set: references, any_of, pcrs")
    ]
    found, _ = policy_file.form(
        Text({"schema": SCHEMA, "kind": "nitrotpm", "registers": {name: "present"}}, {}), where="p"
    )
    assert found is not None


@pytest.mark.parametrize(("name", "meant"), [("PCR 31", "PCR31"), ("pcr0", "PCR0"), ("PCR032", "PCR32")])
def test_a_register_that_is_none_says_which_may_be_meant(name: str, meant: str) -> None:
    sets = [{"label": "x", "pcrs": {name: A}}]
    _, faults = policy_file.form(Text({"schema": SCHEMA, "references": {"any_of": sets}}, {}), where="p")
    assert [each.message for each in faults] == ["not a register: they are named PCR0 to PCR31"]
    assert (faults[0].hint == f"did you mean {meant}?") is (meant != "PCR32")


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        ("urn:nitroctl:appraisal-policy:2", "a newer nitroctl is needed: upgrade this one"),
        ("urn:nitroctl:other:1", f"write schema: {SCHEMA}"),
        (1, f"write schema: {SCHEMA}"),
    ],
)
def test_another_schema_says_what_to_do(schema: object, hint: str) -> None:
    _, faults = policy_file.form(Text({"schema": schema}, {}), where="p")
    assert [(each.code, each.hint) for each in faults] == [("appraisal-policy.schema", hint)]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("module_ids", "a module id, like i-0123456789abcdef0-enc0123456789abcdef"),
        ("instance_ids", "an instance id: i- and 17 (or 8) lower-case hex"),
        ("regions", "a region, like eu-west-1"),
        ("partitions", "a partition, like aws or aws-us-gov"),
        ("roots", "the SHA-256 of a root certificate: 64 hexadecimal digits"),
    ],
)
def test_a_name_that_has_not_its_form_says_which(name: str, says: str) -> None:
    _, faults = policy_file.form(Text({"schema": SCHEMA, name: [" "]}, {}), where="p")
    assert [each.message for each in faults] == [f'not {says}: " "']


@pytest.mark.parametrize("name", ["debug", "roles", "pcr4_matches_module_id"])
def test_what_says_nothing_of_a_tpm_is_refused(name: str) -> None:
    _, faults = policy_file.form(Text({"schema": SCHEMA, "kind": "nitrotpm", name: GOOD[name]}, {}), where="p")
    assert (f"/{name}: ", "says nothing about a NitroTPM document") in [(each.place, each.message) for each in faults]


@pytest.mark.parametrize("name", ["file", "component", "environment"])
def test_a_fault_in_the_records_says_where(name: str) -> None:
    records = {"file": "x", name: 1}
    _, faults = policy_file.form(Text({"schema": SCHEMA, "references": {"records": records}}, {}), where="p")
    assert [each.place for each in faults] == [f"/references/records/{name}: "]


def test_a_zero_reference_comes_with_its_hint() -> None:
    sets = [{"label": "x", "pcrs": {"PCR0": "00" * 48}}]
    _, faults = policy_file.form(Text({"schema": SCHEMA, "references": {"any_of": sets}}, {}), where="p")
    assert [(each.code, each.hint) for each in faults] == [
        ("attest.zero-reference", "use the measurements of the image itself: nitroctl eif measure")
    ]


@pytest.mark.parametrize(
    ("fields", "message", "hints"),
    [
        ("strict: 1", "line 2: /strict: neither true nor false: 1", ()),
        ("roots: x", 'line 2: /roots: not a list: "x"', ("write [one, two], or a line with a dash for each",)),
        ("strict: 1\nroots: x", "line 2: /strict: neither true nor false: 1 (and 1 more: {check})", ()),
        ("strict: 1\nroots: x\ndebug: 1", "line 2: /strict: neither true nor false: 1 (and 2 more: {check})", ()),
    ],
    ids=["one", "hint", "two", "three"],
)
def test_reading_tells_the_first_fault_and_how_many_more(
    fields: str, message: str, hints: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"schema: {SCHEMA}\n{fields}\n")
    with pytest.raises(CannotAnswer) as caught:
        policy_file.read(str(path))
    check = f"nitroctl attest policy check {path}"
    assert (caught.value.message, caught.value.hints) == (f"{path}: {message.format(check=check)}", hints)


def one_set(**members: object) -> dict[str, object]:
    return {"references": {"any_of": [{"label": "x", "pcrs": {"PCR0": A}, **members}]}}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"references": {"records": 1}}, "/references/records: "),
        ({"references": {"records": {"file": ""}}}, "/references/records/file: "),
        ({"references": {"records": {"file": "-"}}}, "/references/records/file: "),
        ({"references": {"any_of": [{"pcrs": {"PCR0": A}}]}}, "/references/any_of/0: "),
        (one_set(label=1), "/references/any_of/0/label: "),
        (one_set(label=""), "/references/any_of/0/label: "),
        (one_set(label="x" * 129), "/references/any_of/0/label: "),
        (one_set(pcrs=1), "/references/any_of/0/pcrs: "),
        (one_set(pcrs={"PCR0": 1}), "/references/any_of/0/pcrs/PCR0: "),
        ({"registers": {"PCR16": [A, 1]}}, "/registers/PCR16/1: "),
        ({"registers": {"PCR16": "absent"}}, "/registers/PCR16: "),
        ({"nonce": {"equals": 1}}, "/nonce/equals: "),
        ({"nonce": {"required": 1}}, "/nonce/required: "),
        ({"user_data": {"equals": 1}}, "/user_data/equals: "),
        ({"user_data": {"sha256": 1}}, "/user_data/sha256: "),
        ({"user_data": {"json": 1}}, "/user_data/json: "),
        ({"user_data": {"json": {"a": []}}}, "/user_data/json/a: "),
        ({"user_data": {"json": {"a": "\n"}}}, "/user_data/json/a: "),
        ({"user_data": {"json": {"a\n": 1}}}, "/user_data/json/a\n: "),
        ({"user_data": "other"}, "/user_data: "),
        ({"public_key": {"equals": 1}}, "/public_key/equals: "),
        ({"public_key": {"sha256": 1}}, "/public_key/sha256: "),
        ({"public_key": {"type": "dsa"}}, "/public_key/type: "),
        ({"public_key": {"type": "rsa", "minimum_bits": "1"}}, "/public_key/minimum_bits: "),
        ({"public_key": {"type": "ed25519", "minimum_bits": 1}}, "/public_key/minimum_bits: "),
        ({"public_key": {"minimum_bits": 1}}, "/public_key/minimum_bits: "),
        ({"public_key": "other"}, "/public_key: "),
        ({"roles": ["x"]}, "/roles/0: "),
        ({"max_age": "0s"}, "/max_age: "),
        ({"clock_skew": "x"}, "/clock_skew: "),
    ],
    ids=str,
)
def test_a_fault_says_where_it_stands(fields: dict[str, object], place: str) -> None:
    _, faults = policy_file.form(Text({"schema": SCHEMA, **fields}, {}), where="p")
    assert [each.place for each in faults] == [place]


@pytest.mark.parametrize("label", ["x", "x" * 128])
def test_a_label_has_1_to_128_characters(label: str) -> None:
    found, _ = policy_file.form(Text({"schema": SCHEMA, **one_set(label=label)}, {}), where="p")
    assert found is not None
    assert [each.label for each in found.policy.accepted] == [label]


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("absent", KeyContent(absent=True)),
        ("present", KeyContent()),
        ({"type": "rsa", "minimum_bits": 2048}, KeyContent(type="rsa", minimum_bits=2048)),
        ({"type": "ec", "minimum_bits": 384}, KeyContent(type="ec", minimum_bits=384)),
        ({"type": "ed25519"}, KeyContent(type="ed25519")),
        ({"equals": "00ff"}, KeyContent(equals=b"\x00\xff")),
        ({"sha256": "ab" * 32}, KeyContent(sha256=b"\xab" * 32)),
    ],
    ids=str,
)
def test_what_is_required_of_the_key_and_of_user_data(written: object, wanted: KeyContent) -> None:
    found, _ = policy_file.form(Text({"schema": SCHEMA, "public_key": written}, {}), where="p")
    assert found is not None
    assert found.policy.public_key == wanted
    if wanted.type is None:
        found, _ = policy_file.form(Text({"schema": SCHEMA, "user_data": written}, {}), where="p")
        assert found is not None
        assert found.policy.user_data == Content(absent=wanted.absent, equals=wanted.equals, sha256=wanted.sha256)


@pytest.mark.parametrize("name", ["user_data", "public_key"])
@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        (1, "neither absent, nor present, nor a map: 1", ""),
        ({}, "empty", "write absent or present, or what it has to be"),
    ],
    ids=["number", "empty"],
)
def test_what_can_stand_instead_of_a_map_is_said(name: str, written: object, message: str, hint: str) -> None:
    _, faults = policy_file.form(Text({"schema": SCHEMA, name: written}, {}), where="p")
    assert [(each.message, each.hint) for each in faults] == [(message, hint)]


@pytest.mark.parametrize(("bits", "fits"), [(0, False), (1, True), (16384, True), (16385, False), (True, False)])
def test_a_key_has_1_to_16384_bits(bits: int, fits: bool) -> None:  # noqa: FBT001  (a table's column)
    found, _ = policy_file.form(
        Text({"schema": SCHEMA, "public_key": {"type": "rsa", "minimum_bits": bits}}, {}), where="p"
    )
    assert (found is not None) is fits


@pytest.mark.parametrize(("length", "fits"), [(4096, True), (4097, False)])
def test_a_text_has_at_most_4096_characters(length: int, fits: bool) -> None:  # noqa: FBT001  (a table's column)
    found, _ = policy_file.form(Text({"schema": SCHEMA, "description": "x" * length}, {}), where="p")
    assert (found is not None) is fits


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"description": 1}, Fault(0, "/description: ", "not text: 1", "put it in quotes")),
        ({"description": []}, Fault(0, "/description: ", "not text: a list")),
        (
            {"nonce": {"zzz": 1}},
            Fault(0, "/nonce/zzz: ", "unknown field", "known here: required, equals", "appraisal-policy.field"),
        ),
        ({"registers": {"PCR16-PCR16": "present"}}, Fault(0, "/registers/PCR16-PCR16: ", ASCENDING, RANGE)),
        ({"registers": {"PCR17-PCR16": "present"}}, Fault(0, "/registers/PCR17-PCR16: ", ASCENDING, RANGE)),
    ],
    ids=["number", "list", "unknown", "one", "descending"],
)
def test_a_fault_whole(fields: dict[str, object], fault: Fault) -> None:
    _, faults = policy_file.form(Text({"schema": SCHEMA, **fields}, {}), where="p")
    assert faults == (fault,)


def test_members_of_json_come_by_name_whatever_their_values() -> None:
    found, _ = policy_file.form(Text({"schema": SCHEMA, "user_data": {"json": {"b": 1, "a": "x"}}}, {}), where="p")
    assert found is not None
    assert found.policy.user_data == Content(members=(("a", "x"), ("b", 1)))


def test_the_canonical_form_whole() -> None:
    fields = {
        "references": {
            "records": {"file": "r.json", "component": "c", "environment": "e"},
            "any_of": [{"label": "x", "pcrs": {"PCR8": B, "PCR0": A.upper()}}],
        },
        "registers": {"PCR16-PCR17": [B, A], "PCR18": "present"},
        "nonce": {"required": True, "equals": "00FF"},
        "user_data": {"json": {"b": 1, "a": "é"}, "sha256": SHA.upper()},
        "public_key": {"type": "rsa", "minimum_bits": 2048},
        "max_age": "5m",
        "clock_skew": "1h",
        "description": "é",
    }
    found, _ = policy_file.form(Text({**fields, "schema": SCHEMA}, {}), where="p")
    assert found is not None
    assert found.canonical == {
        "references": {
            "records": {"file": "r.json", "component": "c", "environment": "e"},
            "any_of": [{"label": "x", "pcrs": {"PCR0": A, "PCR8": B}}],
        },
        "registers": {"PCR16-PCR17": [A, B], "PCR18": "present"},
        "nonce": {"equals": "00ff", "required": True},
        "user_data": {"sha256": SHA, "json": {"a": "é", "b": 1}},
        "public_key": {"type": "rsa", "minimum_bits": 2048},
        "max_age": "300s",
        "clock_skew": "3600s",
        "description": "é",
        "schema": SCHEMA,
    }
    text = json.dumps(found.canonical, sort_keys=True, separators=(",", ":"))
    assert text.isascii()
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()
    turned = dict(sorted(found.canonical.items(), reverse=True))
    assert policy_canonical.digest(turned) == found.sha256


@pytest.mark.parametrize("name", ["user_data", "public_key"])
@pytest.mark.parametrize("written", ["absent", "present"])
def test_the_canonical_form_of_a_word_is_the_word(name: str, written: str) -> None:
    found, _ = policy_file.form(Text({"schema": SCHEMA, name: written}, {}), where="p")
    assert found is not None
    assert found.canonical == {"schema": SCHEMA, name: written}


@pytest.mark.parametrize(
    ("references", "canonical"),
    [
        ({"records": {"file": "r"}}, {"records": {"file": "r"}}),
        ({"any_of": [{"label": "x", "pcrs": {"PCR0": A}}]}, {"any_of": [{"label": "x", "pcrs": {"PCR0": A}}]}),
    ],
    ids=["records", "sets"],
)
def test_the_canonical_form_has_no_member_for_what_is_not_there(references: object, canonical: object) -> None:
    found, _ = policy_file.form(Text({"schema": SCHEMA, "references": references}, {}), where="p")
    assert found is not None
    assert found.canonical["references"] == canonical


@pytest.mark.parametrize("nonce", [{"required": True}, {"equals": "00"}])
def test_the_canonical_form_of_half_a_nonce_is_half(nonce: dict[str, object]) -> None:
    found, _ = policy_file.form(Text({"schema": SCHEMA, "nonce": {**nonce}}, {}), where="p")
    assert found is not None
    assert found.canonical["nonce"] == nonce


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("30s", 30), ("5m", 300), ("3h", 10800), ("2d", 172800)])
def test_every_unit_of_a_duration(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert timedelta(minutes=5) == CLOCK_SKEW
