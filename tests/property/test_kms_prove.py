"""A proof holds: a search that knows nothing of classes, over a small world, agrees; and no random request walks by."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.kms import authorize
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Kind
from nitroctl.kms.operators import ABSENT, present
from nitroctl.kms.prove import Proof, prove
from nitroctl.kms.request import Platform, Request
from nitroctl.kms.truth import Truth
from tests.kms_requests import (
    ACCOUNT,
    AT,
    KEY,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    attested,
    identity,
    policy,
    request,
    statement,
)
from tests.records import register

A, B, FRESH = register("a"), register("b"), register("fresh")
PCR0, PCR8 = "kms:RecipientAttestation:PCR0", "kms:RecipientAttestation:PCR8"
TAG, TEAM = "aws:PrincipalTag/team", "kms:EncryptionContext:app"
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
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
            yield asked.attesting(attested(**{f"PCR{index}": value for index, value in document.items()}))


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
