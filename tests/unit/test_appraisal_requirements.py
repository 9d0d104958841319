"""Requirements beside the reference values: each is asked for alone, and each refusal is that check's alone."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitroctl import pcr
from nitroctl.appraisal import requirements
from nitroctl.appraisal.appraise import Appraised, appraise
from nitroctl.appraisal.policy import Content, KeyContent, Policy, ReferenceValues, RegisterRule
from nitroctl.checks import Outcome
from nitroctl.evidence.document import Document, Kind, parse
from nitroctl.evidence.verify import verify
from nitroctl.standin.lab_change import AT, INSTANCE, MODULE_ID, PCRS, REGION, accepted, make

PARSED = parse(make())
AUTHENTIC = verify(PARSED, accepted(), at=AT)
SIGNER = ReferenceValues("signer", {index: PCRS[index] for index in (0, 1, 2)})
ROLE = "arn:aws:iam::111122223333:role/signer"
OTHER = "arn:aws:iam::111122223333:role/other"


def der(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


RSA_2048 = der(rsa.generate_private_key(65537, 2048))
P384 = der(ec.generate_private_key(ec.SECP384R1()))
ED25519 = der(ed25519.Ed25519PrivateKey.generate())


def document(**changes: Any) -> Document:
    assert PARSED.document is not None
    pcrs = {**PARSED.document.pcrs, **changes.pop("pcrs", {})}
    return replace(PARSED.document, pcrs={k: v for k, v in pcrs.items() if v is not None}, **changes)


def appraised(of: Document, **required: Any) -> Appraised:
    policy = Policy(accepted=(SIGNER,), **required)
    assert policy.requires_more or policy.nonce_required
    return appraise(AUTHENTIC.report, of, AUTHENTIC.chain, policy, at=AT)


def failing(found: Appraised) -> dict[str, str]:
    return {check.id: check.detail for check in found.report.having(Outcome.FAIL)}


KEY = "appraisal.public-key"
DATA = "appraisal.user-data"
#: what is required, the document that has it, the document that does not, the check and what it says
Table = list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str, str]]
REQUIREMENTS: Table = [
    (
        {"registers": (RegisterRule((16, 17)),)},
        {"pcrs": {16: pcr.ZERO, 17: b"\x01" * 48}},
        {"pcrs": {16: pcr.ZERO}},
        "appraisal.registers",
        "the document does not have PCR17: it was never locked",
    ),
    (
        {"registers": (RegisterRule((16,), (b"\x01" * 48, b"\x02" * 48)),)},
        {"pcrs": {16: b"\x02" * 48}},
        {"pcrs": {16: b"\x03" * 48}},
        "appraisal.registers",
        "PCR16 has another value",
    ),
    (
        {"registers": (RegisterRule((8,)),)},
        {"pcrs": {8: b"\x01" * 48}},
        {"pcrs": {8: pcr.ZERO}},
        "appraisal.registers",
        "PCR8 is zero: the image is not signed, or the enclave runs in debug mode",
    ),
    (
        {"registers": (RegisterRule((3, 4)),)},
        {"pcrs": {3: b"\x01" * 48, 4: b"\x01" * 48}},
        {"pcrs": {3: pcr.ZERO, 4: pcr.ZERO}},
        "appraisal.registers",
        "PCR3 is zero: the parent instance has no IAM role; PCR4 is zero: it names no instance",
    ),
    (
        {"registers": (RegisterRule((3,), (pcr.ZERO, b"\x01" * 48)),)},
        {"pcrs": {3: pcr.ZERO}},
        {"pcrs": {3: b"\x02" * 48}},
        "appraisal.registers",
        "PCR3 has another value",
    ),
    (
        {"roles": (OTHER, ROLE)},
        {"pcrs": {3: pcr.for_role(ROLE)}},
        {"pcrs": {3: pcr.for_role(f"{ROLE}2")}},
        "appraisal.role",
        "PCR3 is that of none of the 2 roles",
    ),
    (
        {"roles": (ROLE,)},
        {"pcrs": {3: pcr.for_role(ROLE)}},
        {"pcrs": {3: pcr.for_role(OTHER)}},
        "appraisal.role",
        "PCR3 is that of another role",
    ),
    (
        {"roles": (ROLE,)},
        {"pcrs": {3: pcr.for_role(ROLE)}},
        {"pcrs": {3: pcr.ZERO}},
        "appraisal.role",
        "PCR3 is zero: the parent instance has no IAM role",
    ),
    (
        {"roles": (ROLE,)},
        {"pcrs": {3: pcr.for_role(ROLE)}},
        {"pcrs": {3: None}},
        "appraisal.role",
        "the document has no PCR3",
    ),
    (
        {"parent_instance": True},
        {},
        {"pcrs": {4: pcr.for_instance("i-0123456789abcdef1")}},
        "appraisal.parent-instance",
        f"PCR4 is not the one made from {INSTANCE}",
    ),
    (
        {"parent_instance": True},
        {},
        {"pcrs": {4: None}},
        "appraisal.parent-instance",
        "the document has no PCR4",
    ),
    (
        {"parent_instance": True},
        {},
        {"module_id": "elsewhere"},
        "appraisal.parent-instance",
        "the module id does not name an instance: elsewhere",
    ),
    (
        {"module_ids": frozenset({MODULE_ID, "another"})},
        {},
        {"module_id": f"{MODULE_ID}0"},
        "appraisal.module",
        "the module id is another",
    ),
    (
        {"instance_ids": frozenset({INSTANCE})},
        {},
        {"module_id": "i-0123456789abcdef1-enc019aa0b0c0d0e0f0"},
        "appraisal.instance",
        "the instance is another",
    ),
    (
        {"instance_ids": frozenset({INSTANCE})},
        {},
        {"module_id": "elsewhere"},
        "appraisal.instance",
        "the document does not show the instance",
    ),
    (
        {"user_data": Content(absent=True)},
        {"user_data": None},
        {"user_data": b"x"},
        DATA,
        "the user data is not absent: 1 byte",
    ),
    (
        {"user_data": Content(absent=True)},
        {"user_data": None},
        {"user_data": b""},
        DATA,
        "the user data is not absent: 0 bytes",
    ),
    ({"user_data": Content()}, {"user_data": b"x"}, {"user_data": None}, DATA, "the document has no user data"),
    ({"user_data": Content()}, {"user_data": b"x"}, {"user_data": b""}, DATA, "the user data is present and empty"),
    (
        {"user_data": Content(equals=b"hello")},
        {"user_data": b"hello"},
        {"user_data": b"hello!"},
        DATA,
        "the user data is another",
    ),
    (
        {"user_data": Content(sha256=hashlib.sha256(b"hello").digest())},
        {"user_data": b"hello"},
        {"user_data": b"hell"},
        DATA,
        "the user data has another SHA-256",
    ),
    (
        {"user_data": Content(members=(("v", 1),))},
        {"user_data": b'{"v": 1}'},
        {"user_data": b'{"v": 2}'},
        DATA,
        "the member v of the user data is another",
    ),
    (
        {"user_data": Content(members=(("/a/0/b~1c", None),))},
        {"user_data": b'{"a": [{"b/c": null}]}'},
        {"user_data": b'{"a": [{}]}'},
        DATA,
        "the user data has no member /a/0/b~1c",
    ),
    (
        {"user_data": Content(members=(("v", 1),))},
        {"user_data": b'{"v": 1}'},
        {"user_data": b'{"v": 2, "v": 1}'},
        DATA,
        "the user data: /: the key 'v' occurs twice",
    ),
    (
        {"user_data": Content(members=(("v", 1),))},
        {"user_data": b'{"v": 1}'},
        {"user_data": b"\xff"},
        DATA,
        "the user data is not JSON: not UTF-8 text",
    ),
    (
        {"public_key": KeyContent()},
        {"public_key": b"x"},
        {"public_key": b""},
        KEY,
        "the public key is present and empty",
    ),
    (
        {"public_key": KeyContent(type="rsa", minimum_bits=2048)},
        {"public_key": RSA_2048},
        {"public_key": P384},
        KEY,
        "the public key is of another type",
    ),
    (
        {"public_key": KeyContent(type="ec", minimum_bits=384)},
        {"public_key": P384},
        {"public_key": b"\x04" + bytes(96)},
        KEY,
        "the public key cannot be read as one",
    ),
    (
        {"public_key": KeyContent(type="ed25519")},
        {"public_key": ED25519},
        {"public_key": RSA_2048},
        KEY,
        "the public key is of another type",
    ),
    (
        {"public_key": KeyContent(sha256=hashlib.sha256(P384).digest(), type="ec")},
        {"public_key": P384},
        {"public_key": der(ec.generate_private_key(ec.SECP384R1()))},
        KEY,
        "the public key has another SHA-256",
    ),
]


@pytest.mark.parametrize(
    ("required", "has", "lacks", "check", "detail"), REQUIREMENTS, ids=[f"{row[3]}: {row[4]}" for row in REQUIREMENTS]
)
def test_only_the_check_that_was_asked_for_refuses(
    required: dict[str, Any], has: dict[str, Any], lacks: dict[str, Any], check: str, detail: str
) -> None:
    good = appraised(document(**has), **required)
    assert failing(good) == {}
    assert good.report[check].outcome is Outcome.PASS
    made = [each.id for each in good.report if each.id.startswith("appraisal.")]
    assert sorted(made) == sorted(["appraisal.kind", "appraisal.debug", check])
    assert failing(appraised(document(**lacks), **required)) == {check: detail}


def test_the_region_is_that_of_every_certificate() -> None:
    assert failing(appraised(document(), regions=frozenset({REGION, "us-east-1"}))) == {}
    refused = appraised(document(), regions=frozenset({"us-east-1"}))
    assert failing(refused) == {"appraisal.region": "the region is another"}
    assert (refused.report["appraisal.region"].expected, refused.report["appraisal.region"].actual) == (
        "us-east-1",
        REGION,
    )
    unreadable = replace(AUTHENTIC.chain, certificates=AUTHENTIC.chain.certificates[:-1])
    policy = Policy(accepted=(SIGNER,), regions=frozenset({REGION}))
    found = appraise(AUTHENTIC.report, document(), unreadable, policy, at=AT)
    assert failing(found) == {"appraisal.region": "the document does not show the region"}


def test_a_key_one_bit_too_small_is_refused() -> None:
    wanted = KeyContent(type="rsa", minimum_bits=2049)
    assert failing(appraised(document(public_key=RSA_2048), public_key=wanted)) == {KEY: "the public key is too small"}
    assert failing(appraised(document(public_key=P384), public_key=KeyContent(type="ec", minimum_bits=385)))
    assert not failing(appraised(document(public_key=RSA_2048), public_key=KeyContent(type="rsa", minimum_bits=2048)))


@pytest.mark.parametrize("other", ['"1"', "1.0", "true", "null", "[1]", '{"v": 1}', "01", "1e0"])
def test_a_json_member_has_the_same_type_and_value(other: str) -> None:
    wanted = Content(members=(("v", 1),))
    found = appraised(document(user_data=f'{{"v": {other}}}'.encode()), user_data=wanted)
    assert list(failing(found)) == [DATA]


@pytest.mark.parametrize("value", ["1", "0", '"true"', "[true]"])
def test_true_is_not_one(value: str) -> None:
    wanted = Content(members=(("v", True),))
    assert failing(appraised(document(user_data=f'{{"v": {value}}}'.encode()), user_data=wanted))
    assert not failing(appraised(document(user_data=b'{"v": true}'), user_data=wanted))


@pytest.mark.parametrize("pointer", ["/a/1", "/a/00", "/a/-1", "/a/-", "/a/x", "/a/0/b", "/b", "a/0", "/a/\u0660"])
def test_a_pointer_that_leads_nowhere_is_not_equal(pointer: str) -> None:
    wanted = Content(members=((pointer, 7),))
    found = appraised(document(user_data=b'{"a": [7]}'), user_data=wanted)
    assert failing(found) == {DATA: f"the user data has no member {pointer}"}


def test_user_data_that_is_no_map_has_no_members() -> None:
    for data in (b"[]", b"1", b'"v"', b"null"):
        assert failing(appraised(document(user_data=data), user_data=Content(members=(("v", 1),))))


def test_long_bytes_are_told_by_their_digest() -> None:
    found = appraised(document(user_data=bytes(65)), user_data=Content(equals=bytes(64)))
    check = found.report[DATA]
    assert check.expected == bytes(64).hex()
    assert check.actual == f"65 bytes with the SHA-256 {hashlib.sha256(bytes(65)).hexdigest()}"


def test_a_required_nonce_that_nobody_gave_is_a_refusal() -> None:
    found = appraised(document(), nonce_required=True)
    assert failing(found) == {"freshness.nonce": "the policy requires a nonce, and none was given to compare with"}


def test_nothing_is_checked_that_was_not_asked_for() -> None:
    found = appraise(AUTHENTIC.report, document(), AUTHENTIC.chain, Policy(accepted=(SIGNER,)), at=AT)
    assert [check.id for check in found.report] == [
        "appraisal.kind",
        "appraisal.debug",
        "measurement.match",
        "measurement.pcr0",
        "measurement.pcr1",
        "measurement.pcr2",
        "freshness.nonce",
        "freshness.future",
        "freshness.age",
    ]


EVERYTHING: dict[str, Any] = {
    "registers": (RegisterRule((16,)),),
    "roles": (ROLE,),
    "parent_instance": True,
    "module_ids": frozenset({MODULE_ID}),
    "instance_ids": frozenset({INSTANCE}),
    "regions": frozenset({REGION}),
    "user_data": Content(),
    "public_key": KeyContent(),
}


def test_of_evidence_that_is_not_authentic_every_requirement_is_blocked() -> None:
    refused = verify(PARSED, at=AT)
    policy = Policy(accepted=(SIGNER,), **EVERYTHING)
    found = appraise(refused.report, PARSED.document, refused.chain, policy, at=AT)
    assert {check.outcome for check in found.report} == {Outcome.SKIP}
    asked = {check.id for check in found.report}
    assert {KEY, DATA, "appraisal.registers", "appraisal.role", "appraisal.region", "appraisal.instance"} < asked
    assert not found.report.passed


def test_requirements_about_registers_are_not_held_against_another_kind() -> None:
    found = appraised(document(kind=Kind.NITROTPM, user_data=b"x", public_key=b"x"), **EVERYTHING)
    assert failing(found) == {"appraisal.kind": "it is a nitrotpm document, whose registers mean other things"}
    skipped = [check.id for check in found.report.having(Outcome.SKIP) if check.required]
    assert skipped == [
        "appraisal.debug",
        "measurement.match",
        "appraisal.registers",
        "appraisal.role",
        "appraisal.parent-instance",
    ]


@pytest.mark.parametrize("index", [index for index in range(3, 32) if index not in {3, 4, 8}])
def test_a_register_that_is_present_may_be_zero_where_zero_is_a_value(index: int) -> None:
    rule = (RegisterRule((index,)),)
    assert failing(appraised(document(pcrs={index: pcr.ZERO}), registers=rule)) == {}


@pytest.mark.parametrize("index", [3, 4, 8])
def test_of_a_nitrotpm_a_register_that_is_present_may_be_zero(index: int) -> None:
    policy = Policy(accepted=(SIGNER,), kind=Kind.NITROTPM, registers=(RegisterRule((index,)),))
    found = requirements.of_registers(policy)
    assert [judge(document(kind=Kind.NITROTPM, pcrs={index: pcr.ZERO})).outcome for _, judge in found] == [Outcome.PASS]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a", ("a",)),
        ("", ("",)),
        ("a/b~1", ("a/b~1",)),
        ("/", ("",)),
        ("/a", ("a",)),
        ("/a/b", ("a", "b")),
        ("/a//0", ("a", "", "0")),
        ("/a~1b~0c~01", ("a/b~c~1",)),
    ],
)
def test_a_member_is_reached_by_its_name_or_by_a_pointer(name: str, path: tuple[str, ...]) -> None:
    assert requirements.member_path(name) == path


def test_an_age_of_nothing_is_not_negative() -> None:
    policy = Policy(accepted=(SIGNER,), max_age=timedelta(seconds=1))
    assert appraise(AUTHENTIC.report, document(), AUTHENTIC.chain, policy, at=AT).report.passed


Shown = list[tuple[dict[str, Any], dict[str, Any], str, str | None, str | None]]
SHOWN: Shown = [
    ({"registers": (RegisterRule((16,)),)}, {}, "appraisal.registers", None, None),
    (
        {"registers": (RegisterRule((16,), (b"\x01" * 48, b"\x02" * 48)),)},
        {"pcrs": {16: b"\x03" * 48}},
        "appraisal.registers",
        f"{'01' * 48} or {'02' * 48}",
        "03" * 48,
    ),
    ({"registers": (RegisterRule((8,)),)}, {"pcrs": {8: pcr.ZERO}}, "appraisal.registers", None, "00" * 48),
    ({"roles": (ROLE,)}, {"pcrs": {3: None}}, "appraisal.role", f"{pcr.for_role(ROLE).hex()} ({ROLE})", None),
    (
        {"parent_instance": True},
        {"pcrs": {4: pcr.ZERO}},
        "appraisal.parent-instance",
        pcr.for_instance(INSTANCE).hex(),
        "00" * 48,
    ),
    (
        {"parent_instance": True},
        {"pcrs": {4: None}},
        "appraisal.parent-instance",
        pcr.for_instance(INSTANCE).hex(),
        None,
    ),
    ({"user_data": Content(members=(("v", 1),))}, {"user_data": b'{"v": "1"}'}, DATA, "1", '"1"'),
    ({"user_data": Content(members=(("v", 1),))}, {"user_data": b'{"v": [1]}'}, DATA, "1", "an array"),
    ({"user_data": Content(members=(("v", 1),))}, {"user_data": b'{"v": {"v": 1}}'}, DATA, "1", "an object"),
    ({"user_data": Content(members=(("a~1b", 1),))}, {"user_data": b'{"a/b": 1}'}, DATA, "1", None),
    (
        {"public_key": KeyContent(type="rsa", minimum_bits=4096)},
        {"public_key": RSA_2048},
        KEY,
        "RSA, at least 4096 bits",
        "RSA, 2048 bits",
    ),
    ({"public_key": KeyContent(type="ec")}, {"public_key": RSA_2048}, KEY, "elliptic curve", "RSA, 2048 bits"),
]


@pytest.mark.parametrize(("required", "has", "check", "expected", "actual"), SHOWN)
def test_a_refusal_shows_what_was_compared(
    required: dict[str, Any], has: dict[str, Any], check: str, expected: str | None, actual: str | None
) -> None:
    found = appraised(document(**has), **required).report[check]
    assert (found.outcome, found.expected, found.actual) == (Outcome.FAIL, expected, actual)
