"""What the statements of a key policy name, and when they let others by: one change each."""

import json
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from nitroctl.kms.named import Named, parse

A, B = "ab" * 48, "cd" * 48
PCR0 = "kms:RecipientAttestation:PCR0"


def read(condition: object = None, **changes: object) -> tuple[Named, ...]:
    statement: dict[str, object] = {"Sid": "S", "Effect": "Allow", "Action": "kms:Decrypt"} | changes
    if condition is not None:
        statement["Condition"] = condition
    return parse(json.dumps({"Statement": [statement]}), where="p")


def named(
    *values: str, index: int = 0, open_: bool = False, tpm: Mapping[int, str] = MappingProxyType({})
) -> tuple[Named, ...]:
    registers = {index: frozenset(map(bytes.fromhex, values))} if values else {}
    of_tpm = {number: frozenset({bytes.fromhex(value)}) for number, value in tpm.items()}
    return (Named(label="S", registers=registers, open=open_, tpm=of_tpm),)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {PCR0: A}}, named(A)),
        ({"StringEqualsIgnoreCase": {PCR0.upper(): [A.upper(), B]}}, named(A, B)),
        ({"StringLike": {"kms:RecipientAttestation:ImageSha384": A}}, named(A)),
        ({"stringequals": {"kms:RecipientAttestation:PCR8": A}}, named(A, index=8)),
        ({"ForAnyValue:StringEquals": {PCR0: A}}, named(A)),
        ({"ForAllValues:StringEquals": {PCR0: A}}, named(A, open_=True)),
        ({"StringEqualsIfExists": {PCR0: A}}, named(A, open_=True)),
        ({"StringEqualsIfExists": {PCR0: A}, "StringEquals": {PCR0: A}}, named(A)),
        ({"StringEquals": {PCR0: [A, B]}, "StringEqualsIgnoreCase": {PCR0: B}}, named(B)),
        ({"StringNotEquals": {PCR0: A}}, named(open_=True)),
        ({"Null": {PCR0: "false"}}, named(open_=True)),
        ({"StringEquals": {"aws:PrincipalArn": "x"}}, named(open_=True)),
        ({"StringEquals": {"kms:RecipientAttestation:NitroTPMPCR4": A}}, named(tpm={4: A})),
        ({"StringEquals": {"KMS:RecipientAttestation:NITROTPMPCR12": A.upper(), PCR0: B}}, named(B, tpm={12: A})),
        ({"StringEqualsIfExists": {"kms:RecipientAttestation:NitroTPMPCR7": A}}, named(tpm={7: A}, open_=True)),
        ({"StringEquals": {"kms:RecipientAttestation:NitroTPMImageSha384": A}}, named(open_=True)),
        (None, named(open_=True)),
    ],
)
def test_what_a_condition_names(condition: object, expected: tuple[Named, ...]) -> None:
    assert read(condition) == expected


@pytest.mark.parametrize(
    ("action", "serves"),
    [
        ({"Action": "kms:*"}, True),
        ({"Action": "*"}, True),
        ({"Action": ["kms:DescribeKey", "KMS:generatedatakey"]}, True),
        ({"Action": "kms:Generate*"}, True),
        ({"Action": "kms:Decryp?"}, True),
        ({"Action": "kms:[D]ecrypt"}, False),
        ({"Action": ["kms:DescribeKey", "kms:Encrypt", "kms:ReEncrypt*"]}, False),
        ({"NotAction": "kms:Encrypt", "Action": []}, True),
        ({"NotAction": "kms:*", "Action": []}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_which_statements_are_for_enclaves(action: dict[str, object], serves: bool) -> None:  # noqa: FBT001
    assert bool(read(**action)) == serves


def test_a_policy_around_which_aws_prints_another_document() -> None:
    inner = {"Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Condition": {"StringEquals": {PCR0: A}}}}
    (found,) = parse(json.dumps({"Policy": json.dumps(inner), "PolicyName": "default"}), where="p")
    assert found == Named(label="statement 1", registers={0: frozenset({bytes.fromhex(A)})}, open=False)
