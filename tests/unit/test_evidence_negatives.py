"""Every named violation is refused by exactly the checks that are there for it."""

import pytest

from nitroctl.checks import Outcome
from nitroctl.evidence.document import parse
from nitroctl.evidence.verify import verify
from nitroctl.standin.lab import CASES
from nitroctl.standin.lab_change import AT, Case, Change, accepted, make

#: Those that are refused when judged, leniently, at their own time.
NEGATIVES = [case for case in CASES if not case.accepted and not case.strict and case.at == AT]


def failing(document: bytes, *, strict: bool = False) -> frozenset[str]:
    report = verify(parse(document, strict=strict), accepted(), at=AT).report
    assert not report.passed
    return frozenset(check.id for check in report.having(Outcome.FAIL))


@pytest.mark.parametrize("negative", NEGATIVES, ids=lambda negative: negative.name)
def test_refused_by_exactly(negative: Case) -> None:
    assert failing(negative.build()) == negative.fails


@pytest.mark.parametrize("negative", NEGATIVES, ids=lambda negative: negative.name)
def test_the_strict_profile_refuses_it_for_the_same_and_for_what_departs_from_the_text(negative: Case) -> None:
    departures = {"document.nulls", "document.lengths", "document.fields"}
    strict = failing(negative.build(), strict=True)
    assert strict >= negative.fails
    assert strict - negative.fails <= departures


def test_without_a_change_it_is_authentic() -> None:
    report = verify(parse(make()), accepted(), at=AT).report
    assert [check.id for check in report if check.outcome is not Outcome.PASS] == ["chain.revocation"]
    assert report.passed


@pytest.mark.parametrize(
    "change",
    [
        Change(document=lambda d: b"\xd2" + d),
        Change(payload=lambda p: b"\xa9" + p[1:-1]),
        Change(fields=lambda fields: [item for item in fields if item[0] != "public_key"]),
        Change(fields=lambda fields: fields[::-1]),
        Change(fields=lambda fields: [*fields, ("from_the_future", [1, True, {"a": None}])]),
        Change(fields=lambda fields: [(k, b"" if k == "public_key" else v) for k, v in fields]),
        Change(fields=lambda fields: [(k, bytes(4050) if k == "user_data" else v) for k, v in fields]),
        Change(document=lambda d: b"\x9f" + d[1:] + b"\xff"),
    ],
    ids=[
        "tag 18",
        "definite map",
        "absent field",
        "other order",
        "unknown field",
        "empty key",
        "long data",
        "open array",
    ],
)
def test_what_aws_does_or_may_do_is_accepted(change: Change) -> None:
    assert verify(parse(make(change)), accepted(), at=AT).report.passed


def test_the_other_half_of_the_curve_signs_as_well() -> None:
    order = int("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)
    twin = Change(signature=lambda raw: raw[:48] + (order - int.from_bytes(raw[48:])).to_bytes(48))
    assert verify(parse(make(twin)), accepted(), at=AT).report.passed


def test_every_check_that_can_fail_is_the_only_one_in_some_negative() -> None:
    from nitroctl.evidence import rules

    made = (*rules.CBOR_RULES, *rules.COSE_RULES, *rules.DOCUMENT_RULES, *rules.CHAIN_RULES, rules.COSE_SIGNATURE)
    alone = {next(iter(negative.fails)) for negative in NEGATIVES if len(negative.fails) == 1}
    at_another_instant = {"chain.begun", "chain.unexpired"}  # tested in test_evidence_chain
    assert {rule.id for rule in made} - alone - at_another_instant == set()


def test_names_are_unique_and_there_are_enough() -> None:
    names = [negative.name for negative in NEGATIVES]
    assert len(set(names)) == len(names) >= 100
