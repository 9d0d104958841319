"""Rules of ``kms lint``: each finds its fault, and lets the nearest policy without it pass."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from nitroctl import nitrotpm
from nitroctl.catalogue import CATALOGUE
from nitroctl.checks import Outcome
from nitroctl.kms import actions, document, lint
from nitroctl.kms.grants import Grant
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import DATA4 as READ
from nitroctl.kms.lint_reading import DATA5, Reading, Wanted, matching
from nitroctl.kms.lint_rules import RULES, Severity
from nitroctl.records import NITRO_TPM, Ledger, Status
from tests.conftest import ROOT as PROJECT
from tests.kms_policies import (
    ACCOUNT,
    ADMIN,
    CALLED,
    DATA4,
    DETOURS,
    FOREIGN,
    GOOD,
    KEY,
    MANAGE,
    NOBODY,
    NOTHING,
    ONE,
    OTHERS,
    RELEASE,
    ROOT,
    SIGNER,
    TWO,
    UNATTESTED,
    WRITER,
    ZERO,
    Json,
    allow,
    bound,
    deny,
    found,
    policy,
    reading,
    statement,
)
from tests.records import active, entry, pcrs

CLOSED = (UNATTESTED, OTHERS, DETOURS)
NO_SECURE_BOOT, SEPARATOR = nitrotpm.NO_SECURE_BOOT.hex(), nitrotpm.SEPARATOR.hex()
ATTESTED = allow(condition=bound(PCR0=ONE))
FOREIGN_ROOT = FOREIGN.replace("role/x", "root")
HERE = KeyFacts(arn=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab")


@dataclass(frozen=True)
class Case:
    """A policy with a fault and the nearest one without; where the fault is (a statement's number) and how bad."""

    number: str
    bad: Json
    good: Json
    at: int | None = 2
    severity: Severity | None = None
    key: KeyFacts = NOTHING
    good_key: KeyFacts | None = None
    wanted: Wanted = NOBODY
    good_wanted: Wanted | None = None
    note: str = field(default="", compare=False)


def ledger(*entries: Any) -> Wanted:
    return Wanted(ledger=Ledger.of(entries))


RECORDED = pcrs("1")[0].hex()
C, H, M, L, I = Severity  # noqa: E741  (as the rules' table has them)

CASES = [
    Case("KP001", policy(allow()), policy(RELEASE)),
    Case("KP001", policy(allow(), UNATTESTED, DETOURS), policy(allow(), *CLOSED), note="only unattested use is denied"),
    Case("KP001", policy(allow(condition={"Null": {f"{KEY}PCR0": "true"}})), policy(ATTESTED), note="none wanted"),
    Case(
        "KP001",
        policy(allow(), deny(to=SIGNER, condition=bound("StringNotEqualsIgnoreCase", PCR0=ONE), Action="kms:Encrypt")),
        policy(allow(), deny(to=SIGNER, condition=bound("StringNotEqualsIgnoreCase", PCR0=ONE))),
        note="denied to the same principal",
    ),
    Case(
        "KP001",
        policy(allow(), deny(condition={**OTHERS["Condition"], "Bool": {"aws:SecureTransport": "true"}})),
        policy(allow(), OTHERS),
        note="a Deny with a further condition is not counted",
    ),
    Case(
        "KP001",
        policy(allow(), deny(condition=bound("StringEquals", PCR0="nobody")), UNATTESTED),
        policy(allow(), OTHERS, UNATTESTED),
        note="a Deny of some image is none of the others",
    ),
    Case("KP002", policy(allow("kms:*", to=ROOT)), policy(allow("kms:*", to=ROOT), *CLOSED)),
    Case("KP002", policy(allow(to=ACCOUNT)), policy(allow("kms:DescribeKey", to=ACCOUNT)), note="a bare account"),
    Case(
        "KP003",
        policy(allow("kms:DescribeKey", to="*")),
        policy(allow("kms:DescribeKey", {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, to="*")),
    ),
    Case(
        "KP003",
        policy(allow("kms:DescribeKey", {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, to=["*"])),
        policy(allow("kms:DescribeKey", {"StringEquals": {"kms:CallerAccount": ACCOUNT}}, to=["*"])),
    ),
    Case("KP003", policy(allow(condition=bound(PCR0=ONE), to="*")), policy(ATTESTED), severity=H),
    Case("KP004", policy(allow("kms:De*")), policy(allow("kms:Des*"))),
    Case("KP004", policy(allow("kms:*crypt*", to=ADMIN)), policy(allow("kms:Get*", to=ADMIN))),
    Case("KP004", policy(allow("kms:Re*")), policy(allow("kms:Revoke*"))),
    Case("KP004", policy(allow("kms:En*")), policy(allow("kms:Ena*")), severity=M),
    Case("KP005", policy(allow("kms:CreateGrant")), policy(allow("kms:CreateGrant"), DETOURS)),
    Case(
        "KP005",
        policy(allow("kms:Create*")),
        policy(
            allow(
                "kms:Create*",
                {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "DescribeKey"]}},
            )
        ),
    ),
    Case(
        "KP005",
        policy(allow("kms:CreateGrant", {"Bool": {"kms:GrantIsForAWSResource": "true"}})),
        policy(allow("kms:CreateGrant"), *CLOSED[:2], deny("kms:ReEncryptFrom")),
        note="what grants give is denied again",
    ),
    Case("KP006", policy(allow("kms:ReEncrypt*")), policy(allow("kms:ReEncryptTo"))),
    Case("KP006", policy(allow("kms:ReEncryptFrom")), policy(allow("kms:ReEncryptFrom"), DETOURS)),
    Case(
        "KP007",
        policy(allow(condition=bound("StringEqualsIgnoreCaseIfExists", PCR0=ONE))),
        policy(ATTESTED),
    ),
    Case("KP007", policy(allow(condition=bound("StringEqualsIfExists", PCR0=ONE)), *CLOSED), GOOD, severity=M),
    Case(
        "KP008",
        policy(allow(condition=bound("ForAllValues:StringEquals", PCR0=ONE))),
        policy(allow(condition={**bound("ForAllValues:StringEquals", PCR0=ONE), "Null": {f"{KEY}PCR0": "false"}})),
    ),
    Case("KP009", policy(allow(condition=bound("StringNotEquals", PCR0=ONE))), policy(ATTESTED)),
    Case("KP009", policy(allow(condition=bound("ForAnyValue:StringNotLike", PCR0=ONE))), policy(ATTESTED)),
    Case(
        "KP010",
        policy(allow(condition={"Null": {f"{KEY}PCR0": "false"}})),
        policy(allow(condition={"Null": {f"{KEY}PCR0": "false"}, **bound(PCR0=ONE)})),
    ),
    Case(
        "KP011",
        policy(allow(condition=bound("StringLike", PCR0=f"{ONE[:20]}*"))),
        policy(allow(condition=bound("StringLike", PCR0=ONE))),
    ),
    Case("KP011", policy(deny(condition=bound("StringNotLike", PCR0="a?"))), GOOD, severity=H),
    Case("KP012", policy(allow(condition=bound(ImageSha384=ZERO))), policy(ATTESTED)),
    Case(
        "KP012",
        policy(allow(condition=bound(PCR0=[ONE, ZERO]))),
        policy(allow(condition=bound(NitroTPMPCR4=ONE, NitroTPMPCR12=ZERO))),
        severity=I,
        wanted=Wanted(debug=True),
        note="--allow-debug; and the zero that a NitroTPM must have",
    ),
    Case("KP013", policy(allow(condition=bound(PCR3=ONE))), policy(allow(condition=bound(PCR3=ONE, PCR0=ONE)))),
    Case("KP013", policy(allow(condition=bound(PCR1=ONE))), policy(allow(condition=bound(PCR1=ONE, PCR2=TWO)))),
    Case("KP013", policy(allow(condition=bound(PCR16=ONE))), policy(allow(condition=bound(PCR16=ONE)), OTHERS)),
    *(
        Case("KP013", policy(allow(condition=bound(**bad))), policy(allow(condition=bound(**good))))
        for bad, good in (
            ({"NitroTPMPCR12": ZERO}, {"NitroTPMPCR12": ZERO, "NitroTPMPCR4": ONE}),
            ({"NitroTPMPCR0": ONE, "NitroTPMPCR7": NO_SECURE_BOOT}, {"NitroTPMPCR0": ONE, "NitroTPMPCR7": ONE}),
            ({"NitroTPMPCR7": [ONE, NO_SECURE_BOOT.upper()]}, {"NitroTPMPCR7": [ONE, TWO]}),
            ({"NitroTPMPCR4": ZERO, "NitroTPMPCR12": ZERO}, {"NitroTPMPCR4": "x", "NitroTPMPCR12": ZERO}),
        )
    ),
    Case(
        "KP013",
        policy(allow(condition=bound(NitroTPMPCR7=NO_SECURE_BOOT))),
        policy(
            allow(condition=bound(NitroTPMPCR7=NO_SECURE_BOOT)),
            deny(condition=bound("StringNotEquals", NitroTPMPCR4=ONE)),
            deny(condition=bound("StringNotEquals", NitroTPMPCR12=ZERO)),
        ),
        note="a Deny of every other boot",
    ),
    *(
        Case(
            number,
            policy(
                allow(condition=bound(**asked)),
                *(deny(condition=bound("StringNotEquals", **{each: values})) for each, values in bad.items()),
            ),
            policy(
                allow(condition=bound(**asked)),
                *(deny(condition=bound("StringNotEquals", **{each: values})) for each, values in good.items()),
            ),
            note=f"a Deny of others by {' and '.join(bad)} for {' and '.join(asked)}, not {' and '.join(good)}",
        )
        for number, asked, bad, good in (
            ("KP014", {"PCR8": ONE}, {"PCR8": ONE}, {"PCR0": ONE}),
            ("KP013", {"PCR3": ONE}, {"PCR3": ONE}, {"PCR0": ONE.upper()}),
            ("KP013", {"PCR5": ONE}, {"PCR5": ONE}, {"ImageSha384": ONE}),
            ("KP013", {"PCR5": ONE}, {"PCR0": [ONE, ZERO]}, {"PCR0": [ONE, TWO, "0" * 95]}),
            ("KP013", {"PCR5": ONE}, {"PCR1": ONE}, {"PCR1": ONE, "PCR2": TWO}),
            ("KP013", {"PCR5": ONE}, {"PCR1": ONE, "PCR2": [ZERO, TWO]}, {"PCR2": ONE, "PCR1": TWO}),
            ("KP013", {"PCR1": ONE}, {"PCR1": ONE}, {"PCR2": ONE}),
            ("KP013", {"PCR1": ZERO}, {"PCR2": ONE}, {"PCR2": ONE, "PCR1": TWO}),
            ("KP013", {"NitroTPMPCR0": ONE}, {"NitroTPMPCR0": ONE}, {"NitroTPMPCR7": ONE}),
            ("KP013", {"NitroTPMPCR11": ONE}, {"NitroTPMPCR11": ONE}, {"NitroTPMPCR7": ONE}),
            ("KP013", {"NitroTPMPCR11": ONE}, {"NitroTPMPCR7": [ONE, NO_SECURE_BOOT]}, {"NitroTPMPCR7": [ONE, TWO]}),
            ("KP013", {"NitroTPMPCR11": ONE}, {"NitroTPMPCR4": ONE}, {"NitroTPMPCR4": ONE, "NitroTPMPCR12": ZERO}),
            ("KP013", {"NitroTPMPCR12": ZERO}, {"NitroTPMPCR4": [ONE, SEPARATOR]}, {"NitroTPMPCR4": [ONE]}),
        )
    ),
    Case(
        "KP001",
        policy(
            allow(),
            deny(condition={"Null": {f"{KEY}PCR8": "true"}}),
            deny(condition=bound("StringNotEquals", PCR8=ONE)),
        ),
        policy(allow(), UNATTESTED, OTHERS),
        note="Denies by the signer alone",
    ),
    Case(
        "KP001",
        policy(
            allow(),
            deny(condition={"Null": {f"{KEY}PCR8": "false"}, "StringNotEquals": {f"{KEY}PCR0": ONE}}),
            UNATTESTED,
        ),
        policy(
            allow(),
            deny(condition={"Null": {f"{KEY}PCR1": "false"}, "StringNotEquals": {f"{KEY}PCR0": ONE}}),
            UNATTESTED,
        ),
        note="a Deny of other images that are signed",
    ),
    Case("KP014", policy(allow(condition=bound(PCR8=ONE))), policy(allow(condition=bound(PCR8=ONE, PCR0=ONE)))),
    Case("KP014", policy(allow(condition=bound(PCR8=ONE, PCR3=TWO))), policy(ATTESTED), severity=M),
    Case("KP015", policy(allow(condition=bound(PCR0=ONE, PCR8=ZERO))), policy(ATTESTED)),
    Case("KP015", policy(allow(condition=bound(PCR0=ONE, PCR3=ZERO))), policy(allow(condition=bound(PCR3=ONE)))),
    Case("KP016", policy(allow(condition=bound(PCR0=ONE), to=ROOT)), policy(ATTESTED)),
    Case(
        "KP016",
        policy(allow(condition=bound(PCR0=ONE), to="*")),
        policy(allow(condition=bound(PCR0=ONE, PCR3=TWO), to="*")),
    ),
    Case("KP017", policy(allow(condition=bound(PCR0=ONE, PCR4=TWO))), policy(allow(condition=bound(PCR3=TWO)))),
    Case("KP018", policy(allow(condition=bound(PCR0=f"0x{ONE}"))), policy(ATTESTED)),
    Case("KP018", policy(deny(condition=bound("StringNotEquals", PCR0=ONE[:64]))), GOOD, note="SHA-256"),
    Case("KP018", policy(allow(condition=bound(PCR0=f"{ONE} "))), policy(ATTESTED), note="white space"),
    Case("KP019", policy(allow(condition=bound("StringEquals", PCR0=ONE))), policy(ATTESTED)),
    Case("KP019", policy(allow(condition=bound(PCR0=ONE.upper()))), policy(ATTESTED), severity=L),
    Case("KP020", policy(deny(condition={"Null": {"kms:RecipientAttestation": "true"}})), GOOD, note="a real slip"),
    Case("KP020", policy(allow(condition=bound(PCR32=ONE))), policy(allow(condition=bound(PCR31=ONE)))),
    Case("KP020", policy(allow(condition=bound(NitroTPMPCR24=ONE))), policy(allow(condition=bound(NitroTPMPCR23=ONE)))),
    Case(
        "KP020",
        policy(allow(condition={"StringEquals": {"kms:RecipientAttestion:PCR0": ONE}})),
        policy(allow(condition={"StringEquals": {"KMS:recipientattestation:pcr0": ONE}})),
        note="case does not count",
    ),
    Case("KP021", policy(allow(["kms:Decrypt", "kms:Sign"], bound(PCR0=ONE))), policy(ATTESTED, allow("kms:Sign"))),
    Case(
        "KP021",
        policy(allow("kms:GenerateDataKey*", bound(PCR0=ONE))),
        policy(allow(["kms:GenerateDataKey", "kms:GenerateRandom"], bound(PCR0=ONE))),
        severity=L,
    ),
    Case("KP022", policy(allow(["kms:Decrypt", "kms:generateRandom"])), policy(allow("kms:*"))),
    Case(
        "KP023",
        policy(allow(condition=bound(PCR0=ONE, ImageSha384=TWO))),
        policy(allow(condition=bound(PCR0=ONE, ImageSha384=[ONE, TWO]))),
    ),
    Case(
        "KP024",
        policy(allow(condition=bound(PCR0=[ONE, TWO], PCR8=[ONE, TWO]))),
        policy(allow(condition=bound(PCR0=[ONE, TWO], PCR8=ONE))),
    ),
    Case("KP025", policy(deny(condition=bound("StringNotEquals", PCR0=ONE, PCR8=TWO))), policy(OTHERS)),
    Case(
        "KP025",
        policy(deny(condition=bound("StringNotEqualsIgnoreCase", PCR0=ONE, ImageSha384=ONE, PCR1=TWO))),
        policy(deny(condition=bound("StringNotEqualsIgnoreCase", PCR0=ONE, ImageSha384=ONE, NitroTPMPCR4=ONE))),
        note="two names of one register, and one register for each platform",
    ),
    Case("KP026", policy(deny(condition=bound(PCR0=ZERO))), policy(deny(condition=bound(PCR0=ZERO)), UNATTESTED)),
    Case(
        "KP026",
        policy(deny(condition=bound("ForAnyValue:StringNotEquals", PCR0=ONE))),
        policy(deny(condition=bound("StringNotEquals", PCR0=ONE))),
    ),
    Case("KP027", policy(deny(DATA4[:3], UNATTESTED["Condition"])), policy(UNATTESTED)),
    Case("KP027", policy(deny(condition=UNATTESTED["Condition"], to=ADMIN)), policy(UNATTESTED)),
    Case(
        "KP027",
        policy(deny(condition={**UNATTESTED["Condition"], "ArnNotEquals": {"aws:PrincipalArn": ADMIN}})),
        policy(deny(DATA4[:2], UNATTESTED["Condition"]), deny(DATA4[2:], UNATTESTED["Condition"])),
    ),
    Case(
        "KP028",
        policy(deny("kms:*")),
        policy(deny("kms:*", {"ArnNotEquals": {"aws:PrincipalArn": ADMIN}})),
    ),
    Case("KP028", policy(deny("kms:Put*", UNATTESTED["Condition"])), policy(UNATTESTED), note="always absent there"),
    Case(
        "KP029",
        policy(statement("Allow", ..., "kms:DescribeKey", NotPrincipal={"AWS": ADMIN})),
        policy(allow("kms:DescribeKey", to=ADMIN)),
    ),
    Case("KP029", policy(allow(..., NotAction="kms:Decrypt")), policy(allow())),
    Case("KP029", policy(deny(Resource=..., NotResource="arn:aws:kms:*:*:key/x")), policy(deny())),
    Case("KP030", policy(allow("kms:Put*", to="*")), policy(allow("kms:Get*", to="*"))),
    Case("KP030", policy(allow("kms:PutKeyPolicy"), RELEASE), policy(allow("kms:PutKeyPolicy", to=WRITER), RELEASE)),
    Case("KP030", policy(allow("kms:PutKeyPolicy", to=ROOT)), policy(RELEASE), severity=M),
    Case(
        "KP030",
        policy(RELEASE),
        policy(RELEASE),
        at=1,
        wanted=Wanted(writers=(WRITER,)),
        good_wanted=Wanted(writers=(ADMIN, WRITER)),
        note="who was not declared",
    ),
    *(
        Case(
            "KP030",
            {**GOOD, "Statement": [RELEASE, {**MANAGE, "Principal": {"AWS": bad}}]},
            {**GOOD, "Statement": [RELEASE, {**MANAGE, "Principal": {"AWS": [WRITER, good]}}]},
            key=HERE,
            wanted=wanted,
            at=2,
            severity=severity,
            note="who is of another account cannot",
        )
        for bad, good, wanted, severity in (
            (ADMIN, FOREIGN, Wanted(writers=(WRITER,)), None),
            (ROOT, FOREIGN_ROOT, NOBODY, M),
        )
    ),
    Case("KP031", policy(allow("kms:Encrypt", to=WRITER)), policy(allow("kms:Encrypt")), at=1),
    Case("KP031", policy(allow("kms:CreateGrant"), RELEASE), policy(allow("kms:CreateGrant"), DETOURS, RELEASE)),
    Case("KP032", {**GOOD, "Statement": [RELEASE]}, GOOD, at=None),
    Case(
        "KP032", policy(RELEASE, deny("kms:PutKeyPolicy")), policy(RELEASE, deny("kms:PutKeyPolicy", to=SIGNER)), None
    ),
    Case(
        "KP032",
        {**GOOD, "Statement": [{**MANAGE, "Principal": {"AWS": "AROAEXAMPLEID1234567A"}}]},
        {**GOOD, "Statement": [{**MANAGE, "Principal": {"AWS": ["AROAEXAMPLEID1234567A", ADMIN, WRITER]}}]},
        at=1,
    ),
    Case(
        "KP032", {**GOOD, "Statement": [{**MANAGE, "Principal": {"AWS": WRITER}}]}, GOOD, at=1, severity=I, note="one"
    ),
    *(
        Case(
            "KP032",
            {**GOOD, "Statement": [{**MANAGE, "Principal": {"AWS": bad}}]},
            {**GOOD, "Statement": [{**MANAGE, "Principal": {"AWS": good}}]},
            at=1,
            key=HERE,
            severity=severity,
            note=note,
        )
        for bad, good, severity, note in (
            ([FOREIGN, f"{FOREIGN}2"], [ADMIN, WRITER], None, "of another account"),
            ([WRITER, FOREIGN], [WRITER, ADMIN, FOREIGN], I, "one, and one of another account"),
            ([WRITER, FOREIGN_ROOT], [WRITER, ROOT], I, "one, and another account"),
            ([FOREIGN_ROOT], [FOREIGN, "*"], None, "another account"),
        )
    ),
    Case("KP033", policy(allow("kms:Encrypt", to=[SIGNER, "AIDAEXAMPLEID1234567A"])), policy(allow("kms:Encrypt"))),
    Case("KP034", policy(allow(...)), policy(allow())),
    Case("KP034", policy(allow(Resource=...)), policy(allow())),
    Case(
        "KP034",
        policy(allow(Resource="arn:aws:kms:eu-west-1:1:alias/x")),
        policy(allow(Resource="arn:aws:kms:*:*:key/*")),
    ),
    Case("KP034", policy(allow("kms:Decript")), policy(allow("kms:decrypt"))),
    Case("KP034", policy(allow(["kms:Decrypt", "s3:GetObject"])), policy(allow()), severity=M),
    Case("KP034", policy(allow(to=[])), policy(allow())),
    Case(
        "KP034",
        policy(allow(Resource=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/other")),
        policy(allow(Resource=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/mine")),
        key=KeyFacts(arn=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/mine"),
    ),
    Case(
        "KP034",
        policy(allow(condition={**bound(PCR0=ONE), "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
        policy(ATTESTED),
    ),
    Case("KP035", policy(allow(condition=bound(PCR0=[f"{n:096x}" for n in range(400)]))), GOOD, at=None),
    Case("KP035", policy(allow(condition=bound(PCR0=[f"{n:096x}" for n in range(280)]))), GOOD, at=None, severity=M),
    Case("KP036", policy({**RELEASE, "Sid": "Manage"}), policy(RELEASE)),
    Case("KP036", policy({**RELEASE, "Sid": "na\u2011me"}), policy({**RELEASE, "Sid": "na me \u00e9"})),
    Case("KP037", policy(allow("kms:Encrypt")), policy(allow("kms:Encrypt", {"StringEquals": CALLED}))),
    Case(
        "KP037",
        policy(allow("kms:GenerateDataKey", {"StringLike": {"kms:EncryptionContext:x": "*"}})),
        policy(allow("kms:GenerateDataKey"), *CLOSED),
    ),
    Case("KP038", policy(ATTESTED), policy(RELEASE)),
    Case(
        "KP039",
        policy(allow(condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
        policy(allow(condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}), *CLOSED),
    ),
    Case("KP040", policy(allow(to=FOREIGN)), policy(allow(to=SIGNER))),
    Case("KP040", policy(allow("kms:CreateGrant", to=FOREIGN)), policy(allow(condition=bound(PCR0=ONE), to=FOREIGN))),
    Case(
        "KP040",
        policy(allow()),
        policy(allow()),
        key=KeyFacts(arn="arn:aws:kms:eu-west-1:999900001111:key/x"),
        good_key=KeyFacts(arn=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/x"),
    ),
    Case("KP041", GOOD, GOOD, None, key=KeyFacts(usage="SIGN_VERIFY"), good_key=KeyFacts(usage="KEY_AGREEMENT")),
    Case("KP042", GOOD, GOOD, None, key=KeyFacts(origin="EXTERNAL"), good_key=KeyFacts(origin="AWS_KMS")),
    Case(
        "KP043",
        GOOD,
        GOOD,
        None,
        severity=M,
        key=KeyFacts(multi_region=True),
        good_key=KeyFacts(multi_region=False),
    ),
    Case(
        "KP043",
        policy(allow("kms:Replicate*")),
        policy(allow("kms:ReplicateKey"), deny("kms:ReplicateKey")),
        severity=L,
    ),
    Case(
        "KP044",
        policy(RELEASE),
        GOOD,
        None,
        key=KeyFacts(grants=(Grant(id="g1", grantee="arn:aws:iam::1:role/x", operations=("Decrypt",)),)),
    ),
    Case(
        "KP044",
        policy(RELEASE),
        policy(RELEASE),
        None,
        key=KeyFacts(grants=(Grant(id="g1", grantee="x", operations=("CreateGrant",)),)),
        good_key=KeyFacts(grants=(Grant(id="g1", grantee="x", operations=("Encrypt", "DescribeKey")),)),
    ),
    Case(
        "KP045",
        GOOD,
        GOOD,
        None,
        key=KeyFacts(policies=("default", "AWS_RAM")),
        good_key=KeyFacts(policies=("default",)),
    ),
    Case(
        "KP046",
        policy(ATTESTED),
        policy(allow(condition=bound(PCR0=RECORDED))),
        wanted=ledger(active("1", pin=(0,))),
    ),
    Case(
        "KP046",
        policy(allow(condition=bound(PCR0=RECORDED.upper()))),
        policy(allow(condition=bound(PCR0=RECORDED.upper()))),
        wanted=ledger(entry("1", status=Status.CANDIDATE)),
        good_wanted=ledger(active("1")),
    ),
    Case(
        "KP047",
        policy(allow(condition=bound(PCR0=RECORDED))),
        policy(allow(condition=bound(PCR0=[RECORDED, pcrs("2")[0].hex()]))),
        None,
        wanted=ledger(active("1"), active("2")),
    ),
    Case(
        "KP047",
        policy(RELEASE),
        policy(allow(condition=bound(PCR0=RECORDED))),
        None,
        wanted=ledger(active("1"), active("1", component="other", pcrs=pcrs("o"))),
        note="another component's releases are another key's",
    ),
    Case(
        "KP048",
        policy(allow(condition=bound(NitroTPMPCR4=ONE))),
        policy(allow(condition=bound(NitroTPMPCR4=ONE, NitroTPMPCR12=ZERO))),
    ),
    Case("KP048", policy(allow(condition=bound(NitroTPMPCR4=ONE))), policy(allow(condition=bound(NitroTPMPCR7=ONE)))),
    Case(
        "KP048",
        policy(allow(condition=bound(NitroTPMPCR4=ONE, NitroTPMPCR7=NO_SECURE_BOOT))),
        policy(allow(condition=bound(NitroTPMPCR4=ONE, NitroTPMPCR7=TWO))),
    ),
    Case(
        "KP049",
        policy(allow(condition=bound(NitroTPMPCR0=ONE, NitroTPMPCR7=ONE))),
        policy(allow(condition=bound(NitroTPMPCR7=ONE))),
    ),
    Case(
        "KP049",
        policy(allow(condition=bound(NitroTPMPCR4=ONE, NitroTPMPCR7=NO_SECURE_BOOT, NitroTPMPCR12=ZERO))),
        policy(allow(condition=bound(NitroTPMPCR4=ONE, NitroTPMPCR7=ONE, NitroTPMPCR12=ZERO))),
    ),
    Case(
        "KP050",
        policy(allow(condition=bound(PCR0=ONE, NitroTPMPCR4=ONE))),
        policy(ATTESTED, allow(condition=bound(NitroTPMPCR4=ONE))),
    ),
    Case("KP051", {**GOOD, "Version": "2008-10-17"}, GOOD, None),
    Case("KP051", {"Statement": [RELEASE]}, GOOD, None),
    Case("KP052", GOOD, GOOD, None, key=KeyFacts(bypass=True), good_key=KeyFacts(bypass=False)),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.number} {case.note}".strip() for case in CASES])
def test_a_rule_finds_its_fault_where_it_is(case: Case) -> None:
    hits = found(case.bad, case.number, case.key, case.wanted)
    assert hits, "nothing found"
    assert case.at in {each.statement.number if each.statement else None for each in hits}
    assert max(hits, key=lambda each: -list(Severity).index(each.severity)).severity is (
        case.severity or RULES[case.number].severity
    )
    for each in hits:
        assert each.detail
        assert each.fix


@pytest.mark.parametrize("case", CASES, ids=[f"{case.number} {case.note}".strip() for case in CASES])
def test_a_rule_lets_the_nearest_policy_without_the_fault_pass(case: Case) -> None:
    key = case.key if case.good_key is None else case.good_key
    wanted = case.wanted if case.good_wanted is None else case.good_wanted
    assert [each.detail for each in found(case.good, case.number, key, wanted)] == []


def test_every_rule_has_both_tests_and_a_number_that_nobody_else_has() -> None:
    assert sorted({case.number for case in CASES}) == [f"KP{number:03d}" for number in range(1, 53)] == list(RULES)


def test_a_policy_of_the_recommended_shape_has_no_findings() -> None:
    assert lint.findings(reading(GOOD)) == ()


def test_no_finding_is_worse_than_its_rule_says() -> None:
    for case in CASES:
        for each in lint.findings(reading(case.bad, case.key, case.wanted)):
            assert RULES[each.rule.number].severity.reaches(each.severity), each


def test_a_finding_has_the_line_of_what_is_to_be_changed() -> None:
    text = json.dumps(policy(allow(condition=bound("StringEqualsIfExists", PCR0=ONE))), indent=1)
    read = Reading(document.parse(text, where="p"), KeyFacts(), Wanted())
    [hit] = [each for each in lint.findings(read) if each.rule.number == "KP007"]
    assert f"{KEY}PCR0" in text.splitlines()[hit.line - 1]


def test_the_table_of_actions_splits_into_those_with_a_key_and_the_one_without() -> None:
    assert sorted(READ) == DATA4
    assert {"kms:GenerateRandom"} == DATA5 - READ
    assert matching("kms:*") == matching("*") == frozenset(actions.ALL)
    assert matching("kms:de*") == {
        "kms:Decapsulate", "kms:Decrypt", "kms:DeleteAlias", "kms:DeleteCustomKeyStore",
        "kms:DeleteImportedKeyMaterial", "kms:DeriveSharedSecret", "kms:DescribeCustomKeyStores", "kms:DescribeKey",
    }  # fmt: skip


def test_a_rule_that_could_not_be_asked_is_skipped_and_says_what_would_tell() -> None:
    read = reading(GOOD)
    made = lint.report(lint.findings(read), lint.unknown(read))
    skipped = made.having(Outcome.SKIP)
    assert [check.id[:5] for check in skipped] == [f"kp0{number}" for number in (41, 42, 43, 44, 45, 46, 47, 52)]
    assert all("not requested" in check.detail for check in skipped)
    assert made.passed


def test_what_is_known_of_the_key_is_asked() -> None:
    key = KeyFacts(usage="ENCRYPT_DECRYPT", origin="AWS_KMS", multi_region=False, grants=(), policies=(), bypass=False)
    assert lint.unknown(reading(GOOD, key, ledger())) == {}


def test_a_threshold_decides_which_findings_refuse() -> None:
    hits = lint.findings(reading(policy(ATTESTED, *CLOSED)))
    assert [each.severity for each in hits] == [I]
    assert lint.report(hits, {}).passed
    assert not lint.report(hits, {}, fail_on=I).passed


def test_an_accepted_rule_is_told_of_and_does_not_refuse() -> None:
    hits = lint.findings(reading({**GOOD, "Statement": [RELEASE]}))
    made = lint.report(hits, {}, accepted=("KP032",))
    [check] = [check for check in made if check.outcome is Outcome.WARN]
    assert (check.id, check.detail) == ("kp032.lockout", "high, accepted: nobody is allowed kms:PutKeyPolicy")
    assert made.passed
    assert not lint.report(hits, {}).passed


def test_every_rule_is_on_a_line_of_the_page() -> None:
    lines = (PROJECT / "docs" / "kms-lint.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| KP")]
    assert rows == [
        f"| {rule.number} | {rule.id.partition('.')[2]} | {rule.severity.value} | {CATALOGUE[rule.id].meaning} |"
        f" {CATALOGUE[rule.id].remedy} |"
        for rule in RULES.values()
    ]


@pytest.mark.parametrize("value", ["*", "kms:*", "kms:[a", "kms:" + "*?" * 500])
def test_a_hostile_pattern_is_matched_in_time(value: str) -> None:
    lint.findings(reading(policy(allow([value] * 200))))


def test_a_thousand_statements_are_read_in_time() -> None:
    many = [allow("kms:*", bound(PCR0=f"{n:096x}"), to=f"{SIGNER}{n}") for n in range(450)]
    others = [deny("kms:*", bound("StringNotEquals", PCR0=f"{n:096x}"), to=f"{SIGNER}{n}") for n in range(450)]
    assert lint.findings(reading(policy(*many, *others)))


def test_a_nitrotpm_release_is_compared_with_records_of_its_platform() -> None:
    registers = {4: bytes.fromhex(ONE), 7: bytes.fromhex(TWO), 12: bytes(48)}
    wanted = ledger(active("1", platform=NITRO_TPM, pcrs=registers, pin=(4, 12)))
    good = policy(allow(condition=bound(NitroTPMPCR4=ONE, NitroTPMPCR12=ZERO)))
    assert found(good, "KP046", wanted=wanted) == found(good, "KP047", wanted=wanted) == []
    assert found(policy(allow(condition=bound(PCR0=ONE))), "KP046", wanted=wanted)
