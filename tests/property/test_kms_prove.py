"""A proof holds: a search that knows nothing of classes, over a small world, agrees; and no random request walks by."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.kms import authorize, lint
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Kind, parse
from nitroctl.kms.generate import ATTESTED_ACTIONS, generate
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import Reading, Wanted
from nitroctl.kms.lint_rules import Severity
from nitroctl.kms.matrix import Answer, matrix
from nitroctl.kms.operators import ABSENT, present
from nitroctl.kms.prove import Proof, Property, prove
from nitroctl.kms.request import Attested, Platform, Request
from nitroctl.kms.truth import Truth
from nitroctl.records import Entry, Ledger
from tests.kms_requests import (
    ACCOUNT,
    AT,
    KEY,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    identity,
    policy,
    request,
    statement,
)
from tests.property.test_kms_generate import ENCLAVE, releases, targets
from tests.records import register

A, B, FRESH = register("a"), register("b"), register("fresh")
PCR0, PCR8 = "kms:RecipientAttestation:PCR0", "kms:RecipientAttestation:PCR8"
TAG, TEAM = "aws:PrincipalTag/team", "kms:EncryptionContext:app"
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
WRITER = f"arn:aws:iam::{ACCOUNT}:role/writer"
EVERYTHING = (policy(identity(Action="*"), kind=Kind.IDENTITY),)

Members = dict[str, Any]

# Small policies -----------------------------------------------------------------------------------------------------

STRINGS: Final = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
)
operators = st.builds(
    lambda prefix, name, suffix: f"{prefix}{name}{suffix}",
    st.sampled_from(["", "", "", "ForAllValues:", "ForAnyValue:"]),
    st.sampled_from(STRINGS),
    st.sampled_from(["", "", "IfExists"]),
)
REGISTERS: Final = (A.hex(), B.hex(), A.hex().upper(), pcr.ZERO.hex(), "*", "a*")
WORDS: Final = ("x", "X", "y", "x*", "")


@st.composite
def conditions(draw: st.DrawFn) -> Members:
    found: Members = {}
    for _ in range(draw(st.integers(0, 3))):
        key = draw(st.sampled_from([PCR0, PCR0, PCR0, PCR8, TAG, TEAM]))
        if draw(st.integers(0, 3)) == 0:
            found.setdefault("Null", {})[key] = draw(st.sampled_from(["true", "false"]))
        else:
            values = st.lists(st.sampled_from(REGISTERS if key in (PCR0, PCR8) else WORDS), min_size=1, max_size=2)
            found.setdefault(draw(operators), {})[key] = draw(values)
    return found


PRINCIPALS: Final = (ROLE, ADMIN, ROOT, "*", OTHER, f"arn:aws:iam::{OTHER}:role/x")


@st.composite
def statements(draw: st.DrawFn) -> Members:
    effect = draw(st.sampled_from(["Allow", "Deny"]))
    who = st.sampled_from(PRINCIPALS) if effect == "Allow" else st.sampled_from([*PRINCIPALS, "*", "*"])
    action = draw(st.sampled_from(["kms:Decrypt", "kms:Decrypt", "kms:*", "kms:ReEncryptFrom", "kms:De*"]))
    made = statement(effect, Action=action, Condition=draw(conditions()))
    return made | {"Principal": {"AWS": draw(st.lists(who, min_size=1, max_size=2, unique=True))}}


policies = st.lists(statements(), min_size=1, max_size=4)

# A small world, searched whole ----------------------------------------------------------------------------------------

WHO: Final = (
    ROLE,
    ADMIN,
    f"arn:aws:iam::{ACCOUNT}:role/nobody-in-particular",
    f"arn:aws:iam::{OTHER}:role/x",
    "arn:aws:iam::000011112222:role/stranger",
)
ACTIONS: Final = ("kms:Decrypt", "kms:ReEncryptFrom")
#: A register that begins with a, and others.
LIKE_A = bytes.fromhex("a" * 96)
IMAGES: Final = ((pcr.ZERO,) * 3, *((each, FRESH, FRESH) for each in (A, B, FRESH, LIKE_A)))
TEXTS: Final = (None, "x", "X", "y", "xz", "q")


def named(members: list[Members]) -> set[str]:
    """Return the values of PCR0 that an Allow asks for, or a Deny excepts."""
    found = set[str]()
    for each in members:
        for operator, keys in each["Condition"].items():
            negative = "Not" in operator
            if operator != "Null" and negative == (each["Effect"] == "Deny"):
                found |= {value.lower() for value in keys.get(PCR0, ()) if len(value) == 96}
    return found - {pcr.ZERO.hex()}


def world(members: list[Members]) -> Iterator[Request]:
    """Yield every request of a small world that the property forbids."""
    used = {key for each in members for keys in each["Condition"].values() for key in keys}
    tags, teams = TEXTS if TAG in used else (None,), TEXTS if TEAM in used else (None,)
    documents: list[dict[int, bytes]] = []
    if {PCR0, PCR8} & used:
        signers = (A, B, FRESH, LIKE_A) if PCR8 in used else (FRESH,)
        documents = [
            {0: zero, 1: one, 2: two, 8: eight}
            for zero, one, two in (IMAGES if PCR0 in used else IMAGES[-2:])
            for eight in signers
            if zero.hex() not in named(members)
        ]
    for who, action, tag, team in itertools.product(WHO, ACTIONS, tags, teams):
        given = {TAG.lower(): ABSENT if tag is None else present(tag)}
        given[TEAM.lower()] = ABSENT if team is None else present(team)
        asked = request(who, action, given=given)
        yield asked
        for document in documents if action == "kms:Decrypt" else ():
            yield asked.attesting(Attested(platform=Platform.ENCLAVE, pcrs=document, complete=True))


def proof(members: list[Members]) -> Proof:
    return prove(Policies(key=(policy(*members),)), at=AT, key=KEY)


@given(policies)
def test_a_search_of_a_small_world_agrees(members: list[Members]) -> None:
    found = proof(members)
    document = Policies(key=(policy(*members),), identity=EVERYTHING)
    undecided = False
    for asked in world(members):
        verdict = authorize.decide(asked, document).verdict
        undecided = undecided or verdict is Verdict.UNDECIDED
        if verdict is Verdict.ALLOWED:
            assert found.holds is Truth.NO
            break
    else:
        assert found.holds is not Truth.YES or not undecided
    for each in found.bypasses:
        assert authorize.decide(each.request, each.policies).verdict is Verdict.ALLOWED


# A wide world, of which thousands of requests are drawn -------------------------------------------------------------

TPM = "kms:RecipientAttestation:NitroTPMPCR"
NUMBERS, TIMES = ("5", "7.5", "-1"), ("2026-11-20T12:00:00Z", "2027-01-01T00:00:00Z", "2025-01-01T00:00:00Z")
ADDRESSES: Final = ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32")
ARNS: Final = (f"arn:aws:iam::{ACCOUNT}:role/*", "arn:aws:iam::*:role/a*", ROLE, f"arn:aws:iam::{OTHER}:*")
SERVICES: Final = ("s3.eu-west-1.amazonaws.com", "*.amazonaws.com", "ec2.*")
VARIED: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    PCR0: (STRINGS, REGISTERS),
    "kms:RecipientAttestation:ImageSha384": (STRINGS, REGISTERS),
    "kms:RecipientAttestation:PCR1": (STRINGS, REGISTERS),
    "kms:RecipientAttestation:PCR2": (STRINGS, REGISTERS),
    "kms:RecipientAttestation:PCR16": (STRINGS, REGISTERS),
    f"{TPM}4": (STRINGS, REGISTERS),
    f"{TPM}7": (STRINGS, REGISTERS),
    f"{TPM}12": (STRINGS, REGISTERS),
    TAG: (STRINGS, (*WORDS, "${kms:EncryptionContext:app}", "${aws:PrincipalAccount}")),
    TEAM: (STRINGS, (*WORDS, ACCOUNT)),
    "kms:EncryptionContextKeys": (STRINGS, ("app", "other", "App", "a*")),
    "aws:MultiFactorAuthAge": (("NumericLessThan", "NumericGreaterThanEquals", "NumericNotEquals"), NUMBERS),
    "aws:CurrentTime": (("DateLessThan", "DateGreaterThanEquals", "DateEquals"), TIMES),
    "aws:MultiFactorAuthPresent": (("Bool",), ("true", "false")),
    "aws:SourceIp": (("IpAddress", "NotIpAddress"), ADDRESSES),
    "aws:PrincipalArn": (("ArnLike", "ArnNotLike", "StringLike", "ArnNotEquals"), ARNS),
    "kms:CallerAccount": (STRINGS[:2], (ACCOUNT, OTHER)),
    "kms:ViaService": (STRINGS, SERVICES),
    "aws:ViaAWSService": (("Bool",), ("true", "false")),
    "aws:PrincipalType": (STRINGS[:2], ("AssumedRole", "User")),
}
NAMED: Final = (
    ROLE,
    SESSION,
    ADMIN,
    ROOT,
    ACCOUNT,
    "*",
    OTHER,
    f"arn:aws:iam::{OTHER}:role/x",
    f"arn:aws:iam::{ACCOUNT}:user/u",
)
CALLERS: Final = (
    *WHO,
    SESSION,
    f"{SESSION}1",
    ROOT,
    f"arn:aws:iam::{ACCOUNT}:user/u",
    f"arn:aws:iam::{OTHER}:role/team/abc",
    f"arn:aws:iam::{ACCOUNT}:role/abc",
)
VALUES: Final[dict[str, tuple[str, ...]]] = {
    TAG: ("x", "X", "y", "xz", "other", ACCOUNT, ""),
    "aws:MultiFactorAuthAge": ("4", "5", "6", "7.5", "8", "-2"),
    "aws:MultiFactorAuthPresent": ("true", "false"),
    "aws:SourceIp": ("10.1.2.3", "10.1.0.1", "10.9.9.9", "192.0.2.1", "2001:db8::1"),
    "kms:ViaService": ("s3.eu-west-1.amazonaws.com", "ec2.eu-west-1.amazonaws.com", "example.com"),
}
#: What the two words of an encryption context may be.
CONTEXTS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"app": "x"},
    {"app": "X"},
    {"other": "y"},
    {"app": ACCOUNT, "abc": "q"},
    {"App": "y", "other": "x"},
    {"app": "x", "App": "y"},
    {"app": "x", "App": "x", "abc": "q"},
)


@st.composite
def wide_conditions(draw: st.DrawFn) -> Members:
    found: Members = {}
    for _ in range(draw(st.integers(0, 3))):
        key = draw(st.sampled_from([PCR0, PCR0, *VARIED]))
        names, values = VARIED[key]
        if draw(st.integers(0, 3)) == 0:
            found.setdefault("Null", {})[key] = draw(st.sampled_from(["true", "false"]))
            continue
        prefixes = ["", "", "ForAllValues:", "ForAnyValue:"] if names is STRINGS else [""]
        operator = (
            draw(st.sampled_from(prefixes)) + draw(st.sampled_from(names)) + draw(st.sampled_from(["", "", "IfExists"]))
        )
        found.setdefault(operator, {})[key] = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))
    return found


@st.composite
def wide_statements(draw: st.DrawFn) -> Members:
    effect = draw(st.sampled_from(["Allow", "Deny", "Deny"]))
    who = {"AWS": draw(st.lists(st.sampled_from(NAMED), min_size=1, max_size=3, unique=True))}
    if effect == "Deny" and draw(st.booleans()):
        who = {"AWS": ["*"]}
    inverted = draw(st.integers(0, 9)) == 0
    action = draw(st.sampled_from(["kms:Decrypt", "kms:*", "kms:ReEncryptFrom", "kms:De*", "kms:CreateGrant"]))
    changes: Members = {
        "Principal": None,
        "NotPrincipal" if inverted else "Principal": who,
        "Action": action,
        "Condition": draw(wide_conditions()),
        "Resource": draw(st.sampled_from(["*", "*", KEY, f"arn:aws:kms:*:{ACCOUNT}:key/*"])),
    }
    return statement(effect, **changes)


#: What closes most of a policy: each of them is there or not.
CLOSING: Final = (
    statement("Deny", Principal={"AWS": ["*"]}, Action="kms:*", Condition={"Null": {PCR0: "true"}}),
    statement("Deny", Principal={"AWS": ["*"]}, Condition={"StringNotEqualsIgnoreCase": {PCR0: [A.hex()]}}),
    statement("Deny", Principal={"AWS": ["*"]}, Condition={"StringEquals": {PCR0: [pcr.ZERO.hex()]}}),
    statement("Deny", Principal={"AWS": ["*"]}, Action="kms:ReEncryptFrom", Condition={}),
)
closing = st.lists(st.sampled_from(CLOSING), min_size=2, max_size=4)


def exempt(members: list[Members], platform: Platform, document: dict[int, bytes]) -> bool:
    """Whether the policy names the document's image."""
    prefix = "" if platform is Platform.ENCLAVE else "NitroTPM"

    def names(index: int) -> bool:
        keys = {f"kms:recipientattestation:{prefix}pcr{index}".lower()}
        keys |= {"kms:recipientattestation:imagesha384"} if (prefix, index) == ("", 0) else set()
        values = {
            value.lower()
            for each in members
            for operator, under in each["Condition"].items()
            for key, listed in under.items()
            for value in listed
            if key.lower() in keys and operator != "Null" and ("Not" in operator) == (each["Effect"] == "Deny")
        }
        value = document.get(index, b"").hex()
        return value in values and (any(document[index]) or (prefix, index) == ("NitroTPM", 12))

    sets = ((0,), (1, 2)) if platform is Platform.ENCLAVE else ((7,), (4, 12))
    return any(all(names(index) for index in identity) for identity in sets)


@st.composite
def wide_requests(draw: st.DrawFn) -> Request:
    action = draw(st.sampled_from(["kms:Decrypt", "kms:Decrypt", "kms:ReEncryptFrom"]))
    given: dict[str, Any] = {"aws:viaawsservice": present("false")}
    via = action == "kms:ReEncryptFrom" or draw(st.integers(0, 5)) == 0
    for key, values in VALUES.items():
        given[key.lower()] = draw(st.sampled_from([ABSENT, *(present(value) for value in values)]))
    if via and given["kms:viaservice"] is not ABSENT:
        given["aws:viaawsservice"] = present("true")
    else:
        given["kms:viaservice"] = ABSENT
    who = draw(st.sampled_from(CALLERS))
    if ":sts:" in who:
        given["aws:principalarn"] = present(ROLE)
    asked = request(who, action, given=given, encryption_context=draw(st.sampled_from(CONTEXTS)))
    hours = draw(st.sampled_from([0, 1, 2, 3, 20_000]))
    asked = replace(asked, at=AT + timedelta(hours=hours))
    if action != "kms:Decrypt" or via or draw(st.booleans()):
        return asked
    platform = draw(st.sampled_from(list(Platform)))
    indexes = (0, 1, 2, 16) if platform is Platform.ENCLAVE else (4, 7, 12)
    registers = {index: draw(st.sampled_from([A, B, FRESH, LIKE_A])) for index in indexes}
    if platform is Platform.ENCLAVE and draw(st.booleans()):
        registers |= dict.fromkeys((0, 1, 2), pcr.ZERO)
    if draw(st.booleans()):
        registers[indexes[-1]] = pcr.ZERO
    if draw(st.booleans()):
        del registers[indexes[-1]]
    document = Attested(platform=platform, pcrs=registers, complete=True)
    return replace(asked, attested=document)


@given(
    st.lists(wide_statements(), min_size=1, max_size=5),
    st.just([]) | closing,
    st.lists(wide_requests(), min_size=20, max_size=40),
)
def test_what_is_proved_no_request_walks_around(
    members: list[Members], closed: list[Members], drawn: list[Request]
) -> None:
    members = [*members, *closed]
    document = policy(*members)
    found = prove(Policies(key=(document,)), at=AT, key=KEY)
    for each in found.bypasses:
        assert authorize.decide(each.request, each.policies).verdict is Verdict.ALLOWED
    for asked in drawn:
        if asked.attested and exempt(members, asked.attested.platform, dict(asked.attested.pcrs)):
            continue
        verdict = authorize.decide(asked, Policies(key=(document,), identity=EVERYTHING)).verdict
        if verdict is Verdict.ALLOWED:
            assert found.holds is Truth.NO
        elif verdict is Verdict.UNDECIDED:
            assert found.holds is not Truth.YES


# What kms generate writes -------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(releases(), st.lists(st.sampled_from(ATTESTED_ACTIONS), min_size=1, unique=True))
def test_what_is_generated_passes_lint_matrix_and_prove(entries: tuple[Entry, ...], actions: list[str]) -> None:
    made, ledger = generate(entries, targets(actions)), Ledger.of(entries)
    document = parse(made.compact(), where="policy.json")
    found = prove(Policies(key=(document,)), at=AT, properties=[*Property], recorded=ledger, writers=[WRITER])
    assert (found.holds, found.open) == (Truth.YES, ())
    # A grant could mix registers of two releases, but reaches no image that nobody named.
    assert prove(Policies(key=(document,)), at=AT).grants_closed is Truth.YES
    assert [each.who.caller.arn for each in found.openings if each.action == "kms:PutKeyPolicy"] == [WRITER]
    severe = [
        each.rule.number
        for each in lint.findings(Reading(document, KeyFacts(), Wanted(ledger=ledger)))
        if each.severity in (Severity.CRITICAL, Severity.HIGH)
    ]
    assert severe == []
    table = matrix(Policies(key=(document,)), ledger, at=AT)
    kinds = {column.name: column for column in table.columns}
    for row in table.rows:
        for name, answers in row.attested.items():
            for action, answer in answers.items():
                enclave = row.who.caller.arn == ENCLAVE and action in actions
                recorded = kinds[name].kind == "recorded" or (
                    kinds[name].entry and matches(entries, kinds[name].attested)
                )
                assert answer is (Answer.ALLOWED if enclave and recorded else Answer.DENIED), (name, action)
        assert row.open == ()
        assert row.others["kms:CreateGrant"] is Answer.DENIED
        assert row.others["kms:ReEncryptFrom"] is Answer.DENIED


def matches(entries: tuple[Entry, ...], document: Attested | None) -> bool:
    """Whether a document has what some release pins."""
    return document is not None and any(
        all(document.pcrs.get(index) == value for index, value in entry.pinned.items()) for entry in entries
    )
