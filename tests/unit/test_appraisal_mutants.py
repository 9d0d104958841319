"""What mutation testing found that no other test of nitroctl.appraisal would notice, pinned exactly."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitroctl import nitrotpm, pcr
from nitroctl.appraisal.appraise import (
    AGE,
    FUTURE,
    KIND,
    Comparison,
    _age,
    _debug,
    _future,
    _kind,
    _measurements,
    _nonce,
    _partition,
    appraise,
    compare,
    debug_registers,
    duration,
    listed,
)
from nitroctl.appraisal.effective import _plain
from nitroctl.appraisal.judge import Judge
from nitroctl.appraisal.policy import Content, KeyContent, Names, Policy, ReferenceValues, RegisterRule, Source
from nitroctl.appraisal.requirements import PUBLIC_KEY, USER_DATA, _parent, _registers, _role, held
from nitroctl.checks import Check, Outcome, Report
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.evidence.chain import Chain
from nitroctl.evidence.document import Document, Kind, parse
from nitroctl.evidence.roots import AWS_ROOTS
from nitroctl.standin.lab_change import AT, INSTANCE, NONCE, accepted, make

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
    assert Comparison(Kind.ENCLAVE, values, standing, equal, differing).sentence == sentence


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


def test_more_registers_equal_count_before_fewer_that_differ() -> None:
    few = reference("few", pcr0=A, pcr1=D)
    many = reference("many", pcr0=A, pcr1=B, pcr2=D, pcr8=D)
    assert nearest(few, many) == nearest(many, few) == "2 of 4 registers equal those of many; PCR2 and PCR8 differ"


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


def test_what_was_not_asked_of_freshness_says_how_to_ask() -> None:
    policy, said = Policy(accepted=()), shown()
    skipped = "not checked: not requested (--max-age)", False
    check = _age(said, policy, AT)
    assert (check.id, check.outcome, check.detail, check.required) == ("freshness.age", Outcome.SKIP, *skipped)
    check = _future(said, policy, None)
    assert (check.outcome, check.detail, check.required, check.source) == (
        Outcome.SKIP,
        "not checked: at its own time no document is from the future",
        False,
        "RFC 9334, 10.1",
    )
    check = _age(said, replace(policy, max_age=timedelta(1)), None)
    assert (check.outcome, check.detail) == (Outcome.FAIL, "at its own time a document has no age")
    check = _nonce(said, replace(policy, nonce_required=True))
    assert (check.outcome, check.remedy) == (Outcome.FAIL, "give the nonce that was asked for: --nonce")


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


DEBUGGED = {"pcr0": pcr.ZERO, "pcr1": pcr.ZERO, "pcr2": pcr.ZERO}


@pytest.mark.parametrize(
    ("registers", "said"),
    [({"pcr1": B, "pcr2": C}, "PCR0 is zero"), ({"pcr1": B}, "PCR0 and PCR2 are zero")],
)
def test_debug_mode_is_said_in_good_grammar(registers: dict[str, bytes], said: str) -> None:
    document = shown(Kind.ENCLAVE, **{**DEBUGGED, **registers})
    policy = Policy(accepted=(reference("x", pcr0=A),))
    check = _debug(document, policy)
    detail = f"{said}: the enclave runs in debug mode, so its console is open and no image is attested"
    remedy = "run the enclave without --debug-mode and without --attach-console"
    assert (check.outcome, check.detail, check.remedy) == (Outcome.FAIL, detail, remedy)
    check = _debug(document, replace(policy, allow_debug=True))
    assert (check.outcome, check.detail) == (Outcome.WARN, f"{detail}; allowed by --allow-debug")


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize(
    ("registers", "said"),
    [
        ({"pcr1": B, "pcr2": C}, "PCR0 is"),
        ({"pcr1": pcr.ZERO}, "PCR0 and PCR2 are"),
        ({}, "PCR0, PCR1 and PCR2 are"),
    ],
)
def test_an_image_register_that_is_not_there_is_no_debug_mode(
    registers: dict[str, bytes],
    said: str,
    allowed: bool,  # noqa: FBT001  (a table's column)
) -> None:
    check = _debug(shown(Kind.ENCLAVE, **registers), Policy(accepted=(), allow_debug=allowed))
    assert (check.outcome, check.detail, check.remedy) == (
        Outcome.FAIL,
        f"{said} not in the document, as in no enclave's: no image is attested",
        "find out what made the document: an enclave's has PCR0 to PCR15",
    )


@pytest.mark.parametrize("overridden", [(), ("nonce",)])
def test_debug_mode_that_the_policy_file_allows_is_said_to_be_that(overridden: tuple[str, ...]) -> None:
    policy = Policy(accepted=(), allow_debug=True, source=Source(file="p", sha256="", overridden=overridden))
    assert _debug(shown(Kind.ENCLAVE, **DEBUGGED), policy).detail.endswith("; allowed by the policy")


def test_debug_mode_that_a_flag_allows_beside_a_policy_file_is_said_to_be_that() -> None:
    policy = Policy(accepted=(), allow_debug=True, source=Source(file="p", sha256="", overridden=("debug",)))
    assert _debug(shown(Kind.ENCLAVE, **DEBUGGED), policy).detail.endswith("; allowed by --allow-debug")


# -- what is judged of evidence that must not be
NO_DOCUMENT, NO_ROOT, NOT_AUTHENTIC = {"document": None}, {"chain": Chain((), None)}, {"authentic": Report.of([])}


@pytest.mark.parametrize("missing", [NO_DOCUMENT, NO_ROOT, NOT_AUTHENTIC], ids=["document", "root", "report"])
def test_without_authentic_evidence_every_check_is_blocked(missing: dict[str, Any]) -> None:
    root = accepted()[0]
    policy = Policy(accepted=(), parent_instance=True, regions=frozenset({"eu-west-1"}), max_age=timedelta(1))
    whole = {"authentic": Report.of([KIND.passed()]), "document": shown(), "chain": Chain((), root)}
    found = appraise(**{**whole, **missing}, policy=policy, at=AT)
    assert found.comparison is None
    assert [(check.id, check.outcome, check.required, check.detail) for check in found.report] == [
        (each, Outcome.SKIP, True, "not checked: blocked by evidence")
        for each in (
            *("appraisal.kind", "appraisal.debug", "measurement.match", "appraisal.parent-instance"),
            *("appraisal.region", "freshness.nonce", "freshness.future", "freshness.age"),
        )
    ]


def test_the_check_that_refused_the_evidence_is_named_as_what_blocks() -> None:
    authentic = Report.of([FUTURE.passed(), AGE.failed("x"), KIND.failed("y")])
    found = appraise(authentic, shown(), Chain((), accepted()[0]), Policy(accepted=()), at=AT)
    assert {check.detail for check in found.report} == {"not checked: blocked by freshness.age"}


# -- what is said of the registers
@pytest.mark.parametrize(
    ("accepted_count", "known_count", "detail"),
    [
        (0, 0, "the policy has no reference values, so nothing is acceptable"),
        (2, 0, "no register equals that of any of 2 records"),
        (0, 2, "no register equals that of any of 2 records"),
        (1, 3, "no register equals that of any of 4 records"),
    ],
)
def test_how_many_records_have_nothing_in_common(accepted_count: int, known_count: int, detail: str) -> None:
    one = reference("x", pcr0=D)
    policy = Policy(accepted=(one,) * accepted_count, known=((one, "retired"),) * known_count)
    (check,) = _measurements(shown(pcr0=A, pcr1=B, pcr2=C), policy, None)
    assert (check.detail, check.remedy) == (detail, WANTED)
    (check,) = _measurements(shown(pcr0=pcr.ZERO), policy, None)
    assert (check.detail, check.remedy) == (detail, IN_DEBUG_MODE)


WANTED = "if this image is wanted, record it as active; if not, find out who runs it"
IN_DEBUG_MODE = "in debug mode PCR0 to PCR2 are zero whatever runs: no record of an image can match"


@pytest.mark.parametrize(
    ("kind", "registers", "warning"),
    [
        (
            Kind.ENCLAVE,
            {"pcr4": D},
            "neither PCR0, PCR8 nor both of PCR1 and PCR2 are compared, so other images than the recorded one pass",
        ),
        (
            Kind.NITROTPM,
            {"pcr4": D},
            (
                "neither PCR4 with PCR12 nor PCR7 of Secure Boot is compared, "
                "so other images, or another command line, pass"
            ),
        ),
        (Kind.NITROTPM, {"pcr4": D, "pcr12": pcr.ZERO}, None),
        (Kind.NITROTPM, {"pcr7": D}, None),
        (Kind.ENCLAVE, {"pcr8": D}, None),
    ],
)
def test_a_set_that_does_not_name_the_image_is_warned_about(
    kind: Kind, registers: dict[str, bytes], warning: str | None
) -> None:
    policy = Policy(accepted=(reference("x", **registers),), kind=kind)
    document = shown(kind, **registers)
    checks = _measurements(document, policy, compare(document.pcrs, policy))
    found = [(check.id, check.detail) for check in checks if check.outcome is Outcome.WARN]
    assert found == ([("measurement.image", warning)] if warning else [])


def test_a_tpm_has_no_debug_mode_to_be_told_of() -> None:
    root, policy = accepted()[0], Policy(accepted=(reference("x", pcr4=D),), kind=Kind.NITROTPM)
    authentic, blocked = Report.of([KIND.passed()]), Report.of([])
    for report, document in (
        (authentic, shown(Kind.NITROTPM, pcr4=D)),
        (authentic, shown(pcr4=D)),
        (blocked, shown(Kind.NITROTPM, pcr4=D)),
    ):
        found = appraise(report, document, Chain((), root), policy, at=AT).report
        assert "appraisal.debug" not in [check.id for check in found]
        assert found["measurement.match"].id == "measurement.match"


@pytest.mark.parametrize(
    ("kind", "index", "value", "said"),
    [
        (Kind.ENCLAVE, 0, B, "the register differs"),
        (Kind.ENCLAVE, 15, None, "the document does not have it"),
        (Kind.ENCLAVE, 16, None, "the document does not have it: it was never locked"),
        (Kind.NITROTPM, 16, None, "the document does not have it"),
    ],
)
def test_a_register_that_is_not_the_recorded_one(kind: Kind, index: int, value: bytes | None, said: str) -> None:
    policy = Policy(accepted=(reference("x", **{f"pcr{index}": A}),), kind=kind)
    document = shown(kind, **({f"pcr{index}": value} if value else {}))
    checks = _measurements(document, policy, compare(document.pcrs, policy))
    found = {check.id: (check.outcome, check.detail, check.expected, check.actual) for check in checks}
    assert found[f"measurement.pcr{index}"] == (Outcome.FAIL, said, A.hex(), value.hex() if value else None)


# -- what the digest of what was required is made of
def test_a_value_that_no_policy_has_is_not_digested() -> None:
    with pytest.raises(TypeError, match="a policy has no object"):
        _plain(object())


# -- which sets say anything
ANY_INSTANCE = "x: every register is expected to be as any instance's can be"


@pytest.mark.parametrize(
    ("registers", "names"),
    [
        ("0", Names.IMAGE),
        ("08", Names.IMAGE),
        ("8", Names.SIGNER),
        ("18", Names.SIGNER),
        ("12", Names.IMAGE),
        ("1", Names.NOTHING),
        ("2", Names.NOTHING),
        ("34", Names.NOTHING),
        ("13", Names.NOTHING),
        ("23", Names.NOTHING),
    ],
)
def test_which_registers_say_which_image_runs(registers: str, names: Names) -> None:
    assert ReferenceValues("x", {int(index): A for index in registers}).names(Kind.ENCLAVE) is names


@pytest.mark.parametrize(
    ("registers", "names"),
    [
        ({4: A}, Names.NOTHING),
        ({4: A, 12: pcr.ZERO}, Names.IMAGE),
        ({4: A, 7: B, 12: pcr.ZERO}, Names.IMAGE),
        ({4: A, 7: B}, Names.SIGNER),
        ({7: nitrotpm.NO_SECURE_BOOT}, Names.NOTHING),
        ({0: A, 8: B}, Names.NOTHING),
    ],
)
def test_which_registers_of_a_tpm_say_what_was_booted(registers: dict[int, bytes], names: Names) -> None:
    assert ReferenceValues("x", registers).names(Kind.NITROTPM) is names


@pytest.mark.parametrize(
    ("registers", "more", "said"),
    [
        ({0: pcr.ZERO, 1: B}, {}, "x: PCR0 is expected to be zero, which every debug-mode enclave satisfies"),
        ({1: B, 2: pcr.ZERO}, {}, "x: PCR2 is expected to be zero, which every debug-mode enclave satisfies"),
        ({0: A, 8: pcr.ZERO}, {}, "x: PCR8 is expected to be zero, which every unsigned image satisfies"),
        (
            {0: A, 8: pcr.ZERO},
            {"allow_debug": True},
            "x: PCR8 is expected to be zero, which every unsigned image satisfies",
        ),
        ({0: pcr.ZERO}, {"allow_debug": True}, None),
        ({0: A, 3: pcr.ZERO}, {}, None),
        ({3: pcr.ZERO}, {}, "x: every register is expected to be zero, which nearly everything satisfies"),
        (
            {3: pcr.ZERO},
            {"allow_debug": True},
            "x: every register is expected to be zero, which nearly everything satisfies",
        ),
        (
            {8: pcr.ZERO},
            {"kind": Kind.NITROTPM},
            "x: every register is expected to be zero, which nearly everything satisfies",
        ),
        (
            {0: pcr.ZERO},
            {"kind": Kind.NITROTPM},
            "x: every register is expected to be zero, which nearly everything satisfies",
        ),
        ({4: A, 8: pcr.ZERO}, {"kind": Kind.NITROTPM}, None),
        ({7: nitrotpm.NO_SECURE_BOOT}, {"kind": Kind.NITROTPM}, ANY_INSTANCE),
        ({2: nitrotpm.SEPARATOR, 12: pcr.ZERO, 17: nitrotpm.ONES}, {"kind": Kind.NITROTPM}, ANY_INSTANCE),
        ({4: A, 7: nitrotpm.NO_SECURE_BOOT}, {"kind": Kind.NITROTPM}, None),
        ({7: nitrotpm.NO_SECURE_BOOT}, {}, None),
    ],
)
def test_sets_that_would_accept_anybody_cannot_be_made(
    registers: dict[int, bytes], more: dict[str, Any], said: str | None
) -> None:
    reference_values = ReferenceValues("x", registers)
    if said is None:
        Policy(accepted=(reference_values,), **more)
        return
    with pytest.raises(UsageError) as caught:
        Policy(accepted=(reference_values,), **more)
    assert (caught.value.code, caught.value.message) == ("attest.zero-reference", said)
    of_a_tpm = "pin PCR4 and PCR12, or with Secure Boot PCR7"
    of_an_image = "use the measurements of the image itself: nitroctl eif measure"
    assert caught.value.hints == (of_a_tpm if said == ANY_INSTANCE else of_an_image,)


# -- what a requirement shows beside its no
def compared(check: Check) -> tuple[Outcome, str | None, str | None]:
    return check.outcome, check.expected, check.actual


def test_a_register_that_is_another_shows_both() -> None:
    policy = Policy(accepted=(reference("x", pcr0=A),), registers=(RegisterRule((16, 17), (A, B)),))
    no, found = Outcome.FAIL, f"{A.hex()} or {B.hex()}"
    assert compared(_registers(shown(pcr16=A, pcr17=C), policy)) == (no, found, C.hex())
    assert compared(_registers(shown(pcr16=A), policy)) == (no, found, None)
    assert compared(_registers(shown(pcr16=C, pcr17=D), policy)) == (no, found, C.hex())
    assert compared(_registers(shown(pcr16=A, pcr17=B), policy)) == (Outcome.PASS, None, None)
    present = replace(policy, registers=(RegisterRule((16,)),))
    assert compared(_registers(shown(pcr0=A), present)) == (no, None, None)
    assert compared(_registers(shown(pcr16=pcr.ZERO), present)) == (Outcome.PASS, None, None)


def test_a_role_or_parent_that_is_another_shows_both() -> None:
    role = "arn:aws:iam::111122223333:role/signer"
    wanted = f"{pcr.for_role(role).hex()} ({role})"
    assert compared(_role(shown(pcr3=A), (role,))) == (Outcome.FAIL, wanted, A.hex())
    assert compared(_role(shown(pcr0=A), (role,))) == (Outcome.FAIL, wanted, None)
    parent = pcr.for_instance(INSTANCE).hex()
    assert compared(_parent(shown(pcr4=A))) == (Outcome.FAIL, parent, A.hex())
    assert compared(_parent(shown(pcr0=A))) == (Outcome.FAIL, parent, None)


def test_content_that_is_another_shows_both() -> None:
    rule, no = USER_DATA, Outcome.FAIL
    assert compared(held(rule, "d", Content(equals=b"\x01"), b"\x02")) == (no, "01", "02")
    assert compared(held(rule, "d", Content(equals=bytes(64)), bytes(63))) == (no, "00" * 64, "00" * 63)
    long = f"65 bytes with the SHA-256 {hashlib.sha256(bytes(65)).hexdigest()}"
    assert compared(held(rule, "d", Content(equals=b"\x01"), bytes(65))) == (no, "01", long)
    digest = hashlib.sha256(b"\x02").hexdigest()
    assert compared(held(rule, "d", Content(sha256=bytes(32)), b"\x02")) == (no, "00" * 32, digest)


@pytest.mark.parametrize(
    ("wanted", "content", "expected", "actual"),
    [
        ("x", {}, '"x"', None),
        ("x", {"a": "y"}, '"x"', '"y"'),
        (1, {"a": True}, "1", "true"),
        (None, {"a": {}}, "null", "an object"),
        (None, {"a": []}, "null", "an array"),
        ("0", {"a": 0}, '"0"', "0"),
    ],
)
def test_a_member_that_is_another_shows_both(
    wanted: str | int | None, content: Any, expected: str, actual: str
) -> None:
    check = held(USER_DATA, "d", Content(members=(("a", wanted),)), json.dumps(content).encode())
    assert compared(check) == (Outcome.FAIL, expected, actual)


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("/a/10", True), ("/a/1", False), ("/a/11", False), ("/a/01", False), ("/b/0", False), ("/a/-1", False)],
)
def test_positions_are_of_lists_only(pointer: str, found: bool) -> None:  # noqa: FBT001  (a table's column)
    content = json.dumps({"a": [0] * 10 + ["x"], "b": "xyz"}).encode()
    outcome = held(USER_DATA, "d", Content(members=((pointer, "x"),)), content).outcome
    assert outcome is (Outcome.PASS if found else Outcome.FAIL)


ED25519 = bytes.fromhex("302a300506032b6570032100") + bytes([9]) + bytes(31)
RSA = (
    rsa.RSAPublicNumbers(65537, (1 << 2047) + 1)
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.parametrize(
    ("wanted", "content", "outcome", "expected"),
    [
        (KeyContent(minimum_bits=2048), RSA, Outcome.PASS, None),
        (KeyContent(minimum_bits=2049), RSA, Outcome.FAIL, "any type, at least 2049 bits"),
        (KeyContent(minimum_bits=1), ED25519, Outcome.FAIL, "any type, at least 1 bits"),
        (KeyContent(type="ed25519"), RSA, Outcome.FAIL, "Ed25519"),
        (KeyContent(type="ed25519"), ED25519, Outcome.PASS, None),
        (KeyContent(type="rsa", minimum_bits=2048), RSA, Outcome.PASS, None),
    ],
)
def test_a_key_has_the_type_and_the_size(
    wanted: KeyContent, content: bytes, outcome: Outcome, expected: str | None
) -> None:
    check = held(PUBLIC_KEY, "k", wanted, content)
    assert (check.outcome, check.expected) == (outcome, expected)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (KeyContent(type="rsa"), "RSA"),
        (KeyContent(type="ec", minimum_bits=384), "elliptic curve, at least 384 bits"),
        (KeyContent(minimum_bits=4096), "any type, at least 4096 bits"),
    ],
)
def test_a_key_that_is_another_shows_both(wanted: KeyContent, words: str) -> None:
    check = held(PUBLIC_KEY, "k", wanted, ED25519)
    assert (check.outcome, check.expected) == (Outcome.FAIL, words)
    assert check.actual
    assert check.actual.startswith("Ed25519")
    assert compared(held(PUBLIC_KEY, "k", wanted, b"\x01")) == (Outcome.FAIL, words, "01")


def test_the_judge_holds_revocation_lists_against_the_chain() -> None:
    judge = Judge(roots=accepted(), at=AT)
    assert judge.judge(make()).passed
    with pytest.raises(CannotAnswer) as caught:
        replace(judge, crls=(b"not a list",)).judge(make())
    assert caught.value.code == "evidence.crl"


def test_a_policys_source_says_where_it_is_from() -> None:
    source = Source(file="p.yaml", sha256="ab", overridden=("nonce",))
    assert source.text == "p.yaml, SHA-256 ab of its canonical form"
    assert source.as_json() == {"file": "p.yaml", "sha256": "ab", "overridden": ["nonce"]}
    assert Source(file="p.yaml", sha256="ab").overridden == ()
