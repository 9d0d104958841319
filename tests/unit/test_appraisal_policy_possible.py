"""Contradictions in a policy, each beside the policy that differs in one thing and has none."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitroctl import pcr
from nitroctl.appraisal import policy_file
from nitroctl.appraisal.policy import ReferenceValues
from nitroctl.appraisal.policy_possible import contradictions
from nitroctl.appraisal.policy_text import Text
from nitroctl.evidence.derived import derive
from nitroctl.evidence.document import parse
from nitroctl.evidence.roots import AWS_ROOTS
from nitroctl.standin.lab_change import make

COMMERCIAL, GOVCLOUD = (root.fingerprint for root in AWS_ROOTS)
OTHER = "ab" * 32
A, B, C = b"\x01" * 48, b"\x02" * 48, b"\x03" * 48
HEX_A, HEX_B, HEX_C, ZERO = A.hex(), B.hex(), C.hex(), "00" * 48
I1, I2 = "i-0123456789abcdef0", "i-0fedcba9876543210"
SHORT = "i-01234567"
M1, M2 = f"{I1}-enc0123456789abcdef", f"{I2}-enc0123456789abcdef"
T1 = f"{I1}-tpm0000000000000000"
R1, R2 = "arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"
TPM = {"kind": "nitrotpm"}

NO_MODULE = "no module id is of a wanted instance"
UNNAMED = "no module id names an instance, from whose id PCR4 is to be made"
ALL_TPM = "every module id is of a NitroTPM, and the policy is for enclaves"
ALL_ENCLAVE = "every module id is of an enclave, and the policy is for NitroTPMs"
NO_ROLE = "PCR3 in the reference values is not that of a wanted role"
NO_INSTANCE = "PCR4 in the reference values is not that of a wanted instance"


def seen(fields: dict[str, Any], *sets: dict[int, bytes]) -> list[str]:
    found, faults = policy_file.form(Text({"schema": policy_file.SCHEMA, **fields}, {}), where="p")
    assert found is not None, faults
    references = [ReferenceValues(f"r{number}", pcrs) for number, pcrs in enumerate(sets)]
    return contradictions(found.policy, found.roots, references)


def at(**pcrs: bytes) -> dict[int, bytes]:
    return {0: A, **{int(name[3:]): value for name, value in pcrs.items()}}


Rows = list[tuple[dict[str, Any], list[str]]]
IDS: Rows = [
    ({}, []),
    ({"module_ids": [M1]}, []),
    ({"module_ids": [T1]}, [ALL_TPM]),
    ({"module_ids": ["x-tpm"]}, [ALL_TPM]),
    ({"module_ids": [T1, M1]}, []),
    ({"module_ids": [M1], **TPM}, [ALL_ENCLAVE]),
    ({"module_ids": [T1], **TPM}, []),
    ({"module_ids": [T1, M1], **TPM}, []),
    ({"module_ids": [T1, M1], "instance_ids": [I2], **TPM}, [NO_MODULE]),
    ({"module_ids": [T1, M2], "instance_ids": [I2], **TPM}, [NO_MODULE]),
    ({"module_ids": [T1, M2], "instance_ids": [I1], **TPM}, []),
    ({"module_ids": [T1, M2], "instance_ids": [I1]}, [NO_MODULE]),
    ({"module_ids": [M1], "instance_ids": [I2]}, [NO_MODULE]),
    ({"module_ids": [M1], "instance_ids": [I1, I2]}, []),
    ({"module_ids": [M1, M2], "instance_ids": [I2]}, []),
    ({"module_ids": ["x"], "instance_ids": [I2]}, [NO_MODULE]),
    ({"module_ids": [f"{SHORT}-enc0123456789abcdef"], "instance_ids": [SHORT]}, []),
    ({"module_ids": [f"{I1}-enc0123456789abcde"], "instance_ids": [I1]}, [NO_MODULE]),
    ({"instance_ids": [I2]}, []),
    ({"module_ids": ["x"]}, []),
    ({"module_ids": ["x"], "pcr4_matches_module_id": True}, [UNNAMED]),
    ({"module_ids": ["x", M1], "pcr4_matches_module_id": True}, []),
    ({"module_ids": ["x"], "pcr4_matches_module_id": True, "instance_ids": [I1]}, [NO_MODULE]),
    ({"pcr4_matches_module_id": True}, []),
]


@pytest.mark.parametrize(("fields", "faults"), IDS, ids=range(len(IDS)))
def test_module_ids_instances_and_kind(fields: dict[str, Any], faults: list[str]) -> None:
    assert seen(fields) == faults


def test_a_module_id_names_the_instance_that_a_document_is_judged_to_be_of() -> None:
    """The same ids name one here as there: else a policy that can be met would be refused."""
    from dataclasses import replace

    document = parse(make()).document
    assert document is not None
    ids = [
        M1,
        T1,
        f"{SHORT}-enc0123456789abcdef",
        f"{I1}-enc0123456789abcde",
        f"{I1}-tpm00",
        f"{I1}-xxx0123456789abcdef",
    ]
    for module in [*ids, f"x{M1}", f"{M1}0", M1.upper(), "i-0123-enc0123456789abcdef"]:
        kind = TPM if "-tpm" in module else {}
        named = derive(replace(document, module_id=module), ()).instance_id
        faults = seen({"module_ids": [module], "instance_ids": [named or I1], **kind})
        assert faults == ([] if named else [NO_MODULE]), module


def no_partition(which: str) -> list[str]:
    return [f"no accepted root is of the partition {which}"]


def no_region(which: str) -> list[str]:
    return [f"no accepted root is of the region {which}"]


PLACES: Rows = [
    ({"partitions": ["aws"]}, []),
    ({"partitions": ["aws-us-gov"]}, []),
    ({"partitions": ["aws-cn"]}, no_partition("aws-cn")),
    ({"partitions": ["aws-us", "aws-cn"]}, no_partition("aws-cn or aws-us")),
    ({"partitions": ["aws", "aws-cn"]}, []),
    ({"partitions": ["aws"], "roots": [GOVCLOUD]}, no_partition("aws")),
    ({"partitions": ["aws"], "roots": [COMMERCIAL]}, []),
    ({"partitions": ["aws"], "roots": [OTHER]}, no_partition("aws")),
    ({"partitions": ["aws"], "roots": [OTHER, COMMERCIAL]}, []),
    ({"regions": ["us-gov-west-1"]}, []),
    ({"regions": ["us-gov-west-1"], "partitions": ["aws"]}, no_region("us-gov-west-1")),
    (
        {"regions": ["us-gov-west-1", "us-gov-east-1"], "partitions": ["aws"]},
        no_region("us-gov-east-1 or us-gov-west-1"),
    ),
    ({"regions": ["us-gov-west-1", "us-east-1"], "partitions": ["aws"]}, []),
    ({"regions": ["us-gov-west-1"], "partitions": ["aws", "aws-us-gov"]}, []),
    ({"regions": ["us-gov-west-1"], "partitions": ["aws-us-gov"]}, []),
    ({"regions": ["eu-west-1"], "partitions": ["aws-us-gov"]}, no_region("eu-west-1")),
    ({"regions": ["eu-west-1"], "partitions": ["aws", "aws-us-gov"]}, []),
    ({"regions": ["eu-west-1"], "partitions": ["aws"]}, []),
    ({"regions": ["eu-west-1"], "partitions": ["aws", "aws-us-gov"], "roots": [GOVCLOUD]}, no_region("eu-west-1")),
    ({"regions": ["eu-west-1"], "roots": [GOVCLOUD]}, no_region("eu-west-1")),
    ({"regions": ["eu-west-1"], "roots": [GOVCLOUD, COMMERCIAL]}, []),
    ({"regions": ["eu-west-1"], "roots": [GOVCLOUD, OTHER]}, []),
    ({"regions": ["eu-west-1"], "roots": [OTHER]}, []),
    ({"regions": ["eu-west-1"], "partitions": ["aws-cn"]}, no_partition("aws-cn")),
]


@pytest.mark.parametrize(("fields", "faults"), PLACES, ids=range(len(PLACES)))
def test_partitions_regions_and_roots(fields: dict[str, Any], faults: list[str]) -> None:
    assert seen(fields) == faults


def apart(register: str, *what: str) -> list[str]:
    return [f"{register} cannot at once be {' and '.join(what)}"]


INSTANCE, ROLE = "that of a wanted instance", "that of a wanted role"
REGISTERS: Rows = [
    ({"registers": {"PCR5": [HEX_A], "PCR4-PCR6": [HEX_A]}}, []),
    (
        {"registers": {"PCR5": [HEX_A], "PCR4-PCR6": [HEX_B]}},
        apart("PCR5", "one of /registers/PCR4-PCR6", "one of /registers/PCR5"),
    ),
    ({"registers": {"PCR5": [HEX_A, HEX_B], "PCR4-PCR6": [HEX_B, HEX_C]}}, []),
    (
        {"registers": {"PCR5": [HEX_A, HEX_B], "PCR4-PCR5": [HEX_B, HEX_C], "PCR5-PCR6": [HEX_A, HEX_C]}},
        apart("PCR5", "one of /registers/PCR4-PCR5", "one of /registers/PCR5", "one of /registers/PCR5-PCR6"),
    ),
    (
        {"registers": {"PCR16-PCR17": [HEX_A], "PCR16-PCR18": [HEX_B]}},
        [
            *apart("PCR16", "one of /registers/PCR16-PCR17", "one of /registers/PCR16-PCR18"),
            *apart("PCR17", "one of /registers/PCR16-PCR17", "one of /registers/PCR16-PCR18"),
        ],
    ),
    ({"registers": {"PCR5": "present", "PCR4-PCR6": [ZERO]}}, []),
    ({"registers": {"PCR3": [ZERO]}}, []),
    ({"registers": {"PCR3": [HEX_A], "PCR3-PCR9": "present"}}, []),
    ({"registers": {"PCR3": [HEX_A, ZERO], "PCR3-PCR9": "present"}}, []),
    (
        {"registers": {"PCR3": [ZERO], "PCR3-PCR9": "present"}},
        apart("PCR3", "one of /registers/PCR3", "present and not zero"),
    ),
    ({"registers": {"PCR3": [ZERO], "PCR3-PCR9": "present"}, **TPM}, []),
    ({"registers": {"PCR8": [ZERO]}, **TPM}, []),
    ({"registers": {"PCR3": [pcr.for_role(R1).hex()]}, "roles": [R1, R2]}, []),
    ({"registers": {"PCR3": [HEX_A]}, "roles": [R1]}, apart("PCR3", ROLE, "one of /registers/PCR3")),
    ({"registers": {"PCR3": [ZERO]}, "roles": [R1]}, apart("PCR3", ROLE, "one of /registers/PCR3")),
    ({"registers": {"PCR3": "present"}, "roles": [R1]}, []),
    ({"registers": {"PCR4": [pcr.for_instance(I1).hex()]}, "instance_ids": [I1, I2]}, []),
    ({"registers": {"PCR4": [HEX_A]}, "instance_ids": [I1]}, apart("PCR4", INSTANCE, "one of /registers/PCR4")),
    ({"registers": {"PCR4": [HEX_A]}, "instance_ids": [I1], **TPM}, []),
    ({"registers": {"PCR4": [HEX_A]}, "module_ids": [M1]}, []),
    (
        {"registers": {"PCR4": [HEX_A]}, "module_ids": [M1], "pcr4_matches_module_id": True},
        apart("PCR4", INSTANCE, "one of /registers/PCR4"),
    ),
    (
        {"registers": {"PCR4": [pcr.for_instance(I1).hex()]}, "module_ids": [M1], "pcr4_matches_module_id": True},
        [],
    ),
    (
        {
            "registers": {"PCR4": [pcr.for_instance(I1).hex()]},
            "module_ids": [M1, M2],
            "instance_ids": [I2],
        },
        apart("PCR4", INSTANCE, "one of /registers/PCR4"),
    ),
    (
        {
            "registers": {"PCR4": [pcr.for_instance(I2).hex()]},
            "module_ids": [M1, M2],
            "instance_ids": [I2],
        },
        [],
    ),
    ({"registers": {"PCR4": [HEX_A]}, "pcr4_matches_module_id": True}, []),
    (
        {"registers": {"PCR4": [ZERO]}, "pcr4_matches_module_id": True},
        apart("PCR4", "made from an instance's id", "one of /registers/PCR4"),
    ),
    ({"registers": {"PCR4": [ZERO]}}, []),
]


@pytest.mark.parametrize(("fields", "faults"), REGISTERS, ids=range(len(REGISTERS)))
def test_what_is_asked_of_one_register(fields: dict[str, Any], faults: list[str]) -> None:
    assert seen(fields) == faults
    assert seen(fields, at()) == faults


NO_SET = ["no set of reference values has all its registers as they are asked for"]
SETS: list[tuple[dict[str, Any], list[dict[int, bytes]], list[str]]] = [
    ({"roles": [R1]}, [at(pcr3=pcr.for_role(R2))], [NO_ROLE]),
    ({"roles": [R1]}, [at(pcr3=pcr.for_role(R1))], []),
    ({"roles": [R1]}, [at(pcr3=pcr.for_role(R2)), at(pcr3=pcr.for_role(R1))], []),
    ({"roles": [R1]}, [at(pcr3=pcr.for_role(R2)), at()], []),
    ({"instance_ids": [I1]}, [at(pcr4=pcr.for_instance(I2))], [NO_INSTANCE]),
    ({"instance_ids": [I1]}, [at(pcr4=pcr.for_instance(I1))], []),
    ({"instance_ids": [I1], **TPM}, [at(pcr4=B)], []),
    ({"roles": [R1], "instance_ids": [I1]}, [at(pcr3=B, pcr4=B)], [NO_ROLE, NO_INSTANCE]),
    ({"pcr4_matches_module_id": True}, [at(pcr4=B)], []),
    (
        {"pcr4_matches_module_id": True},
        [at(pcr4=bytes(48))],
        ["PCR4 in the reference values is not made from an instance's id"],
    ),
    (
        {"registers": {"PCR16": [HEX_A]}},
        [at(pcr16=B)],
        ["PCR16 in the reference values is not one of /registers/PCR16"],
    ),
    ({"registers": {"PCR16": [HEX_A, HEX_B]}}, [at(pcr16=B)], []),
    ({"registers": {"PCR16": "present"}}, [at(pcr16=bytes(48))], []),
    (
        {"registers": {"PCR3": "present"}},
        [at(pcr3=bytes(48))],
        ["PCR3 in the reference values is not present and not zero"],
    ),
    ({"registers": {"PCR3": "present"}}, [at(pcr3=B)], []),
    ({"registers": {"PCR16": [HEX_A], "PCR17": [HEX_A]}}, [at(pcr16=A, pcr17=B), at(pcr16=B, pcr17=A)], NO_SET),
    ({"registers": {"PCR16": [HEX_A], "PCR17": [HEX_A]}}, [at(pcr16=A, pcr17=B), at(pcr17=A)], []),
    (
        {"registers": {"PCR16-PCR17": [HEX_A], "PCR16": [HEX_B]}},
        [at(pcr16=A)],
        [
            *apart("PCR16", "one of /registers/PCR16", "one of /registers/PCR16-PCR17"),
            "PCR16 in the reference values is not one of /registers/PCR16",
        ],
    ),
    (
        {"registers": {"PCR16-PCR17": [HEX_A], "PCR16": [HEX_B]}},
        [at(pcr16=A), at(pcr16=B)],
        apart("PCR16", "one of /registers/PCR16", "one of /registers/PCR16-PCR17"),
    ),
]


@pytest.mark.parametrize(("fields", "sets", "faults"), SETS, ids=range(len(SETS)))
def test_registers_beside_the_reference_values(fields: Any, sets: list[dict[int, bytes]], faults: list[str]) -> None:
    assert seen(fields, *sets) == faults


def test_without_reference_values_there_is_nothing_to_hold_them_against() -> None:
    assert seen({"roles": [R1], "registers": {"PCR16": [HEX_A]}}) == []


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def refused(field: str, detail: str) -> list[str]:
    return [f"what /{field}/equals asks for would be refused: {detail}"]


KEY = (
    ec.derive_private_key(1, ec.SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
CONTENTS: Rows = [
    ({"user_data": "present"}, []),
    ({"user_data": "absent", "public_key": "absent"}, []),
    ({"user_data": {"equals": "00"}}, []),
    ({"user_data": {"equals": "00", "sha256": sha256(b"\0")}}, []),
    (
        {"user_data": {"equals": "00", "sha256": sha256(b"\1")}},
        refused("user_data", "the user data has another SHA-256"),
    ),
    (
        {"user_data": {"equals": "ff", "json": {"a": 1}}},
        refused("user_data", "the user data is not JSON: not UTF-8 text"),
    ),
    ({"user_data": {"equals": b'{"a":1}'.hex(), "json": {"a": 1}}}, []),
    (
        {"user_data": {"equals": b'{"a":1}'.hex(), "json": {"a": True}}},
        refused("user_data", "the member a of the user data is another"),
    ),
    ({"user_data": {"sha256": sha256(b"\0"), "json": {"a": 1}}}, []),
    ({"user_data": {"sha256": sha256(b"")}}, ["/user_data/sha256 is that of nothing, and what is empty is refused"]),
    ({"public_key": {"sha256": sha256(b"")}}, ["/public_key/sha256 is that of nothing, and what is empty is refused"]),
    ({"public_key": {"equals": KEY.hex(), "type": "ec", "minimum_bits": 256}}, []),
    (
        {"public_key": {"equals": KEY.hex(), "type": "ec", "minimum_bits": 257}},
        refused("public_key", "the public key is too small"),
    ),
    (
        {"public_key": {"equals": KEY.hex(), "type": "rsa"}},
        refused("public_key", "the public key is of another type"),
    ),
    ({"public_key": {"equals": "00", "type": "rsa"}}, refused("public_key", "the public key cannot be read as one")),
    (
        {"user_data": {"sha256": sha256(b"")}, "public_key": {"equals": "00", "sha256": sha256(b"")}},
        [
            "/user_data/sha256 is that of nothing, and what is empty is refused",
            *refused("public_key", "the public key has another SHA-256"),
        ],
    ),
    ({"public_key": {"type": "ec", "minimum_bits": 571}}, []),
    ({"public_key": {"type": "ec", "minimum_bits": 572}}, ["no elliptic curve has 572 bits"]),
    ({"public_key": {"type": "rsa", "minimum_bits": 572}}, []),
    ({"public_key": {"type": "ec"}}, []),
]


@pytest.mark.parametrize(("fields", "faults"), CONTENTS, ids=range(len(CONTENTS)))
def test_content_that_enclave_code_chooses(fields: dict[str, Any], faults: list[str]) -> None:
    assert seen(fields) == faults


MEMBERS: list[tuple[dict[str, Any], str | None]] = [
    ({"a": 1, "b": 2}, None),
    ({"a": 1, "/a": 1}, None),
    ({"a": 1, "/a": 2}, "/a and a"),
    ({"a": 1, "/a": True}, "/a and a"),
    ({"a": None, "/a": None}, None),
    ({"/a": 1, "/a/b": 1}, "/a and /a/b"),
    ({"/a": 1, "/a/b/c": 1}, "/a and /a/b/c"),
    ({"/a": 1, "/ab": 1}, None),
    ({"/a/b": 1, "/a/c": 1}, None),
    ({"/a/0": 1, "/a/x": 1}, None),
    ({"a/b": 1, "/a~1b": 2}, "/a~1b and a/b"),
    ({"a": 1, "/a": 1, "/a/-": 1, "/a/.": 1}, "a and /a/-"),
    ({"x" * 61: 1, "/" + "x" * 61: 2}, f"/{'x' * 55}… and {'x' * 56}…"),
]


@pytest.mark.parametrize(("members", "two"), MEMBERS, ids=range(len(MEMBERS)))
def test_members_of_json(members: dict[str, Any], two: str | None) -> None:
    said = [f"no JSON has both {two} as /user_data/json asks for them"] if two else []
    assert seen({"user_data": {"json": members}}) == said
    assert seen({"user_data": {"json": dict(reversed(members.items()))}}) == said


def test_every_kind_of_contradiction_is_told_in_order() -> None:
    fields = {
        "module_ids": [T1],
        "partitions": ["aws-cn"],
        "roles": [R1],
        "user_data": {"sha256": sha256(b"")},
    }
    assert seen(fields, at(pcr3=B)) == [
        ALL_TPM,
        *no_partition("aws-cn"),
        NO_ROLE,
        "/user_data/sha256 is that of nothing, and what is empty is refused",
    ]
