"""What mutation testing found that no other test of nitroctl.appraisal would notice, pinned exactly."""

from dataclasses import replace
from datetime import timedelta

import pytest

from nitroctl import pcr
from nitroctl.appraisal.appraise import (
    Comparison,
    _age,
    _debug,
    _future,
    _kind,
    _nonce,
    _partition,
    compare,
    debug_registers,
    duration,
    listed,
)
from nitroctl.appraisal.policy import Policy, ReferenceValues
from nitroctl.checks import Outcome
from nitroctl.evidence.document import Document, Kind, parse
from nitroctl.evidence.roots import AWS_ROOTS
from nitroctl.standin.lab_change import AT, NONCE, accepted, make

A, B, C, D = (bytes([value]) * 48 for value in b"\xaa\xbb\xcc\xdd")
SHOWN = {0: A, 1: B, 2: C, 4: D}


def reference(label: str, **registers: bytes) -> ReferenceValues:
    return ReferenceValues(label, {int(name[3:]): value for name, value in registers.items()})


def nearest(*accepted: ReferenceValues, known: tuple[tuple[ReferenceValues, str], ...] = ()) -> str | None:
    found = compare(SHOWN, Policy(accepted=accepted, known=known))
    return found.sentence if found else None


@pytest.mark.parametrize(
    ("equal", "differing", "standing", "sentence"),
    [
        ((0,), (), "", "PCR0 equals that of signer-1"),
        ((0, 2), (), "", "all 2 registers equal those of signer-1"),
        ((0, 1, 2), (), "retired", "all 3 registers equal those of signer-1, which is retired"),
        ((8,), (), "candidate", "PCR8 equals that of signer-1, which is a candidate"),
        ((), (0,), "", "PCR0 differs from signer-1"),
        ((), (0, 1), "revoked", "PCR0 and PCR1 differ from signer-1, which is revoked"),
        ((0,), (2,), "", "1 of 2 registers equal those of signer-1; PCR2 differs"),
        ((0, 1), (2, 8), "", "2 of 4 registers equal those of signer-1; PCR2 and PCR8 differ"),
    ],
)
def test_the_sentence_of_a_comparison(
    equal: tuple[int, ...], differing: tuple[int, ...], standing: str, sentence: str
) -> None:
    values = reference("signer-1", **{f"pcr{index}": A for index in (*equal, *differing)})
    assert Comparison(values, standing, equal, differing).sentence == sentence


def test_of_sets_that_match_the_one_that_says_most_is_named() -> None:
    one, two = reference("one", pcr0=A), reference("two", pcr0=A, pcr1=B)
    assert nearest(one, two) == nearest(two, one) == "all 2 registers equal those of two"


def test_a_set_that_may_accept_goes_before_one_that_is_known() -> None:
    known = ((reference("old", pcr0=A, pcr1=B, pcr2=C), "retired"),)
    assert nearest(reference("new", pcr0=A), known=known) == "PCR0 equals that of new"


def test_the_nearest_has_most_registers_equal() -> None:
    far = reference("far", pcr0=A, pcr1=D, pcr2=D)
    near = reference("near", pcr0=A, pcr1=B, pcr2=D)
    assert nearest(far, near) == nearest(near, far) == "2 of 3 registers equal those of near; PCR2 differs"


def test_of_equally_many_the_nearest_has_fewest_that_differ() -> None:
    far = reference("far", pcr0=A, pcr1=D, pcr2=D)
    near = reference("near", pcr0=A, pcr1=D)
    assert nearest(far, near) == nearest(near, far) == "1 of 2 registers equal those of near; PCR1 differs"


def test_of_equally_near_the_one_that_may_accept_is_named() -> None:
    known = ((reference("old", pcr0=A, pcr1=D), "retired"),)
    assert nearest(reference("new", pcr0=A, pcr1=D), known=known) == "1 of 2 registers equal those of new; PCR1 differs"


def test_a_known_set_that_is_equal_whole_goes_before_one_that_is_nearly() -> None:
    known = ((reference("old", pcr0=A), "retired"),)
    almost = reference("new", pcr0=A, pcr1=B, pcr2=D)
    assert nearest(almost, known=known) == "PCR0 equals that of old, which is retired"


def test_the_register_that_everybody_shares_makes_nobody_near() -> None:
    shown = {0: A, 2: pcr.EMPTY_PCR2}
    far = Policy(accepted=(reference("x", pcr0=B, pcr2=pcr.EMPTY_PCR2), reference("y", pcr0=C)))
    assert compare(shown, far) is None
    alone = compare(shown, Policy(accepted=(reference("x", pcr0=B, pcr2=pcr.EMPTY_PCR2),)))
    assert alone is not None
    assert alone.sentence == "1 of 2 registers equal those of x; PCR0 differs"
    assert compare(shown, Policy(accepted=())) is None


# -- checks of their own
def shown(kind: Kind = Kind.ENCLAVE, **registers: bytes) -> Document:
    document = parse(make()).document
    assert document is not None
    return replace(document, kind=kind, pcrs={int(name[3:]): value for name, value in registers.items()})


def test_which_registers_mean_debug_mode() -> None:
    zero = pcr.ZERO
    assert debug_registers(shown(pcr0=A, pcr1=B, pcr2=C)) == ()
    assert debug_registers(shown(pcr0=zero, pcr1=B, pcr2=zero)) == (0, 2)
    assert debug_registers(shown(pcr0=A, pcr2=C)) == (1,)
    assert debug_registers(shown(Kind.NITROTPM, pcr0=zero)) == ()


def test_a_document_of_the_other_kind_says_both() -> None:
    policy = Policy(accepted=(reference("x", pcr4=D),))
    check = _kind(shown(Kind.NITROTPM, pcr4=D), policy)
    assert (check.outcome, check.expected, check.actual) == (Outcome.FAIL, "enclave", "nitrotpm")
    assert check.detail == "it is a nitrotpm document, whose registers mean other things"
    assert _kind(shown(pcr4=D), policy).detail == "enclave document"


def test_a_partition_that_is_not_wanted_says_both() -> None:
    policy = Policy(accepted=(reference("x", pcr0=A),), partitions=frozenset({"aws-us-gov", "aws-cn"}))
    (check,) = _partition(AWS_ROOTS[0], policy)
    assert (check.outcome, check.expected, check.actual) == (Outcome.FAIL, "aws-cn, aws-us-gov", "aws")
    (check,) = _partition(accepted()[0], policy)
    assert (check.outcome, check.actual) == (Outcome.FAIL, f"none: {accepted()[0].name}")
    (check,) = _partition(AWS_ROOTS[1], policy)
    assert (check.outcome, check.detail) == (Outcome.PASS, "aws-us-gov")
    assert _partition(AWS_ROOTS[1], replace(policy, partitions=None)) == []


def test_what_was_compared_is_shown_of_freshness() -> None:
    policy = Policy(accepted=(reference("x", pcr0=A),), nonce=b"\x01\x02", max_age=timedelta(minutes=5))
    said = shown(pcr0=A)
    check = _nonce(said, policy)
    assert (check.expected, check.actual, check.detail) == ("0102", NONCE.hex(), "the document has another nonce")
    check = _nonce(replace(said, nonce=None), policy)
    assert (check.expected, check.actual, check.detail) == ("0102", None, "the document has no nonce")
    assert _nonce(replace(said, nonce=b""), policy).actual == ""
    check = _future(said, policy, AT - timedelta(minutes=5, milliseconds=1))
    assert (check.expected, check.actual) == ("2026-11-20T09:55:00.249Z", "2026-11-20T10:00:00.250Z")
    assert _future(said, policy, AT - timedelta(minutes=5)).outcome is Outcome.PASS
    check = _age(said, policy, AT + timedelta(minutes=5, milliseconds=1))
    assert (check.outcome, check.expected, check.actual) == (Outcome.FAIL, "at most 5 min", "5 min")
    assert _age(said, policy, AT + timedelta(minutes=5)).detail == "5 min old"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((-1, "0 s"), (0, "0 s"), (1, "1 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3600, "1 h")),
        *((86400, "1 d"), (86399, "23 h 59 min"), (90061, "1 d 1 h"), (86405, "1 d 5 s")),
    ],
)
def test_a_span_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_registers_as_a_phrase() -> None:
    assert [listed(found) for found in ((), (0,), (0, 8), (0, 1, 2))] == [
        "",
        "PCR0",
        "PCR0 and PCR8",
        "PCR0, PCR1 and PCR2",
    ]


@pytest.mark.parametrize(("registers", "verb"), [({"pcr0": pcr.ZERO}, "PCR0 is zero"), ({}, "PCR0 and PCR2 are zero")])
def test_debug_mode_is_said_in_good_grammar(registers: dict[str, bytes], verb: str) -> None:
    document = shown(Kind.ENCLAVE, pcr1=B, **({**registers, "pcr2": C} if registers else {}))
    policy = Policy(accepted=(reference("x", pcr0=A),))
    assert _debug(document, policy).detail.startswith(f"{verb}: the enclave runs in debug mode")
    assert _debug(document, replace(policy, allow_debug=True)).detail.endswith("; allowed by --allow-debug")
