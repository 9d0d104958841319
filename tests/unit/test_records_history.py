"""What a ledger may have become, and two that grew from one: each change alone."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl.checks import Outcome
from nitroctl.records import Artifact, Build, Entry, Ledger, Signer, Source, Status, history, lifecycle
from nitroctl.records.ledger import first_fault
from nitroctl.records.merge import Merged, merge
from tests.property.test_records import ledgers
from tests.records import AT, active, entry, full, pcrs

LATER, LATEST = AT + timedelta(days=1), AT + timedelta(days=2)
BEFORE = Ledger.of([full(), entry("1.5.0"), active("1.3.0", environment="staging")])
FULL = full()


def changed(**members: Any) -> Ledger:
    """Return BEFORE with the full entry changed."""
    return BEFORE.replacing([dataclasses.replace(FULL, **members)])


def built(**parts: Any) -> Ledger:
    """Return BEFORE with the full entry's build changed."""
    assert FULL.build is not None
    return changed(build=dataclasses.replace(FULL.build, **parts))


def failing(before: Ledger, after: Ledger) -> dict[str, str]:
    report = history.compare(before, after, since="main")
    return {check.id: check.detail for check in report if check.outcome is not Outcome.PASS}


def test_what_is_as_it_was_follows_itself() -> None:
    report = history.compare(BEFORE, BEFORE, since="main")
    assert report.passed
    assert [check.outcome for check in report] == [Outcome.PASS] * 6


@pytest.mark.parametrize(
    ("after", "check", "detail"),
    [
        (Ledger.of(BEFORE.entries[1:]), "history.entries", "since main: signer-1.4.2@prod is gone"),
        (
            changed(pcrs=pcrs("x", 0, 1, 2, 8)),
            "history.measurements",
            "since main: signer-1.4.2@prod: PCR0, PCR1, PCR2, PCR8",
        ),
        (
            changed(pcrs={**FULL.pcrs, 3: b"\1" * 48}),
            "history.measurements",
            "since main: signer-1.4.2@prod: PCR3",
        ),
        (
            changed(pin=(0,)),
            "history.measurements",
            "since main: signer-1.4.2@prod: pinned are PCR0, and were PCR0, PCR1, PCR2, PCR8",
        ),
        (
            changed(platform="other"),
            "history.measurements",
            "since main: signer-1.4.2@prod: platform other, was nitro-enclave",
        ),
        (
            changed(recorded_at=AT - timedelta(days=1)),
            "history.times",
            "since main: signer-1.4.2@prod: recorded_at 2026-11-19T10:00:00Z, was 2026-11-20T10:00:00Z",
        ),
        (
            changed(artifact=Artifact("signer.eif", "ac" * 32, 12_345_678)),
            "history.origin",
            "since main: signer-1.4.2@prod: artifact",
        ),
        (changed(source=None), "history.origin", "since main: signer-1.4.2@prod: source"),
        (changed(signer=Signer("ce" * 32)), "history.origin", "since main: signer-1.4.2@prod: signer"),
        (changed(build=Build(builder="me")), "history.origin", "since main: signer-1.4.2@prod: build"),
        (built(recipe=None), "history.origin", "since main: signer-1.4.2@prod: build"),
        (built(inputs={"kernel": "ab" * 32}), "history.origin", "since main: signer-1.4.2@prod: build"),
        (changed(build=None), "history.origin", "since main: signer-1.4.2@prod: build"),
    ],
)
def test_rewritten_history_is_named(after: Ledger, check: str, detail: str) -> None:
    assert failing(BEFORE, after) == {check: detail}


@pytest.mark.parametrize("was", list(Status))
@pytest.mark.parametrize("now", list(Status))
def test_a_status_goes_only_forward(was: Status, now: Status) -> None:
    times = {Status.ACTIVE: "activated_at", Status.RETIRED: "retired_at", Status.REVOKED: "revoked_at"}

    def at(status: Status) -> Entry:
        stamp: dict[str, Any] = {times[status]: AT} if status in times else {}
        return dataclasses.replace(entry("1"), status=status, **stamp)

    found = failing(Ledger.of([at(was)]), Ledger.of([at(now)]))
    order = list(Status)
    assert ("history.status" in found) == (order.index(now) < order.index(was))
    if "history.status" in found:
        assert found["history.status"] == f"since main: signer-1@prod was {was} and is {now}"


def test_more_may_be_added_and_filled_in() -> None:
    assert FULL.build is not None
    build = dataclasses.replace(FULL.build, reproduced_by=("laptop", "auditor"))
    filled = dataclasses.replace(entry("1.5.0"), artifact=Artifact("a", "ab" * 32, 1), source=Source(uri="x"))
    assert (
        failing(BEFORE, changed(build=build, notes=f"{full().notes}; read by two").replacing([filled, entry("1.6.0")]))
        == {}
    )


def test_another_limit_is_told_and_not_refused() -> None:
    report = history.compare(BEFORE, Ledger.of(BEFORE.entries, 3), since="main")
    assert report.passed
    assert failing(BEFORE, Ledger.of(BEFORE.entries, 3)) == {"history.limit": "it was 2 and is 3"}


def test_many_faults_are_counted() -> None:
    many = Ledger.of([entry(f"{n}") for n in range(8)])
    assert failing(many, Ledger())["history.entries"].endswith("signer-4@prod is gone; and 3 more")


# -- merging


def test_what_both_sides_recorded_is_kept() -> None:
    ours, theirs = BEFORE.replacing([entry("1.6.0")]), BEFORE.replacing([entry("1.7.0")])
    assert merge(BEFORE, ours, theirs) == Merged(BEFORE.replacing([entry("1.6.0"), entry("1.7.0")]))


def test_the_status_that_is_further_on_stands_and_no_time_is_lost() -> None:
    candidate = entry("1.5.0")
    (rolled,) = lifecycle.rollout(BEFORE, candidate, LATER)
    (revoked,) = lifecycle.revoke(BEFORE, candidate, LATEST, "it leaks")
    expected = dataclasses.replace(
        candidate, status=Status.REVOKED, activated_at=LATER, revoked_at=LATEST, revoked_because="it leaks"
    )
    ours, theirs = BEFORE.replacing([rolled.after]), BEFORE.replacing([revoked.after])
    assert merge(BEFORE, ours, theirs) == Merged(BEFORE.replacing([expected])) == merge(BEFORE, theirs, ours)


def test_of_two_times_for_a_step_the_earlier_counts() -> None:
    candidate = entry("1.5.0")
    (early,), (late,) = (lifecycle.rollout(BEFORE, candidate, at) for at in (LATER, LATEST))
    assert merge(BEFORE, BEFORE.replacing([late.after]), BEFORE.replacing([early.after])).ledger == BEFORE.replacing(
        [early.after]
    )


def test_what_one_side_filled_in_is_kept_and_reproducers_add_up() -> None:
    bare = entry("1.5.0")
    one = dataclasses.replace(bare, build=Build(builder="ci", reproduced_by=("a",)), notes="one")
    other = dataclasses.replace(
        bare, build=Build(builder="ci", reproduced_by=("b", "a")), notes="other", signer=Signer("ab" * 32)
    )
    (found,) = merge(Ledger.of([bare]), Ledger.of([one]), Ledger.of([other])).ledger
    assert found == dataclasses.replace(
        bare, build=Build(builder="ci", reproduced_by=("a", "b")), notes="one; other", signer=Signer("ab" * 32)
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "conflict"),
    [
        (
            changed(pcrs=pcrs("x", 0, 1, 2, 8)),
            BEFORE,
            (
                "signer-1.4.2@prod: it has other measurements on the two sides; "
                "give one of the two builds a version of its own"
            ),
        ),
        (
            Ledger.of(BEFORE.entries[1:]),
            BEFORE,
            "signer-1.4.2@prod was recorded before both sides, and is gone from ours",
        ),
        (
            BEFORE,
            Ledger.of(BEFORE.entries[1:]),
            "signer-1.4.2@prod was recorded before both sides, and is gone from theirs",
        ),
        (changed(signer=Signer("ce" * 32)), BEFORE, "signer-1.4.2@prod: it has another signer on the two sides"),
        (changed(build=Build(builder="me")), BEFORE, "signer-1.4.2@prod: it has another build on the two sides"),
        (built(recipe=None), BEFORE, "signer-1.4.2@prod: it has another build on the two sides"),
        (built(inputs={}), BEFORE, "signer-1.4.2@prod: it has another build on the two sides"),
        (
            BEFORE.replacing([active("1.5.0")]),
            BEFORE.replacing([active("1.6.0")]),
            "more than 2 active entries of signer in prod",
        ),
    ],
)
def test_what_cannot_both_be_meant_is_a_conflict(ours: Ledger, theirs: Ledger, conflict: str) -> None:
    assert merge(BEFORE, ours, theirs) == Merged(ours, (conflict,))


def test_a_life_that_would_go_back_in_time_is_a_conflict() -> None:
    candidate = entry("1.5.0")
    (retired,) = lifecycle.retire(BEFORE, candidate, LATER)
    (rolled,) = lifecycle.rollout(BEFORE, candidate, LATEST)
    merged = merge(BEFORE, BEFORE.replacing([retired.after]), BEFORE.replacing([rolled.after]))
    assert merged.conflicts == ("signer-1.5.0@prod: 2026-11-21T10:00:00Z is before activated_at, 2026-11-22T10:00:00Z",)


@pytest.mark.parametrize(("ours", "theirs", "limit"), [(2, 3, 3), (4, 2, 4), (4, 3, 3), (2, 2, 2), (1, 2, 1)])
def test_a_limit_that_one_side_changed_stands_and_of_two_the_stricter(ours: int, theirs: int, limit: int) -> None:
    empty = Ledger()
    assert merge(empty, Ledger((), ours), Ledger((), theirs)).ledger.max_active == limit


@settings(max_examples=40)
@given(ledgers, ledgers, st.data())
def test_a_merge_follows_both_of_its_sides(one: Ledger, other: Ledger, data: st.DataObject) -> None:
    base = Ledger.of(data.draw(st.lists(st.sampled_from(one.entries or (FULL,)), unique_by=lambda e: e.id)))
    ours, theirs = base.replacing(one.entries), base.replacing(other.entries)
    if first_fault(ours.entries) or first_fault(theirs.entries):
        return
    merged = merge(base, ours, theirs)
    if merged.conflicts:
        assert merged.ledger == ours
        return
    for side in (base, ours, theirs):
        assert history.compare(side, merged.ledger, since="a side").passed
    assert merge(merged.ledger, merged.ledger, merged.ledger) == Merged(merged.ledger)


def test_a_note_is_not_rewritten_and_may_get_more() -> None:
    assert failing(BEFORE, changed(notes="nothing was found")) == {
        "history.origin": "since main: signer-1.4.2@prod: notes"
    }
    assert failing(BEFORE, changed(notes=f"{FULL.notes}; read by two")) == {}


def test_what_two_revoked_for_different_reasons_follows_both_when_merged() -> None:
    sides = [
        BEFORE.replacing(step.after for step in lifecycle.revoke(BEFORE, FULL, LATER, because))
        for because in ("it leaks", "it is slow; it leaks")
    ]
    both = merge(BEFORE, *sides)
    assert both.conflicts == ()
    assert [failing(side, both.ledger) for side in sides] == [{}, {}]
    assert merge(BEFORE, both.ledger, sides[1]).ledger == both.ledger
