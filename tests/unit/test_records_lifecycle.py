"""The steps in an entry's life, each from a ledger that says all there is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nitroctl import records
from nitroctl.errors import CannotAnswer
from nitroctl.records import Entry, Ledger, Status, Step, lifecycle
from nitroctl.records.entry import first_fault
from tests.records import AT, active, entry, pcrs, write

LATER = AT + timedelta(days=3, microseconds=7)
SECOND = AT + timedelta(days=3)
OLD, NEW = active("1.4.1"), entry("1.4.2")
BOTH = Ledger.of([OLD, NEW])


def refused(code: str, act: Callable[[], object]) -> CannotAnswer:
    with pytest.raises(CannotAnswer) as caught:
        act()
    assert caught.value.code == code
    return caught.value


def in_status(status: Status, version: str = "1.4.0") -> Entry:
    """Return an entry that has come as far as ``status``."""
    found = active(version) if status is not Status.CANDIDATE else entry(version)
    ledger = Ledger.of([found])
    if status is Status.RETIRED:
        (step,) = lifecycle.retire(ledger, found, AT, last=True)
        return step.after
    if status is Status.REVOKED:
        (step,) = lifecycle.revoke(ledger, found, AT, "it leaks")
        return step.after
    return found


def test_a_rollout_makes_the_candidate_active_and_leaves_the_old_one() -> None:
    (step,) = lifecycle.rollout(BOTH, NEW, LATER)
    assert step == Step(NEW, step.after)
    assert (step.after.status, step.after.activated_at) == (Status.ACTIVE, SECOND)
    assert [each.id for each in BOTH.replacing([step.after]).active()] == [OLD.id, NEW.id]


def test_a_rollout_of_what_is_active_changes_nothing() -> None:
    assert lifecycle.rollout(BOTH, OLD, LATER) == (Step(OLD, OLD),)
    assert lifecycle.changed([Step(OLD, OLD)]) == ()


@pytest.mark.parametrize("status", [Status.RETIRED, Status.REVOKED])
def test_what_has_ended_does_not_become_active_again(status: Status) -> None:
    ended = in_status(status)
    error = refused("records.transition", lambda: lifecycle.rollout(Ledger.of([ended]), ended, LATER))
    because = ": it leaks" if status is Status.REVOKED else ""
    assert error.message == (
        f"signer-1.4.0@prod is {status} since 2026-11-20T10:00:00Z{because}; it does not become active again"
    )


def test_a_third_active_entry_is_refused_and_the_way_out_named() -> None:
    ledger = Ledger.of([OLD, active("1.4.0"), NEW])
    error = refused("records.too-many-active", lambda: lifecycle.rollout(ledger, NEW, LATER))
    assert error.hints == ("finish the last rollout first: nitroctl pcr finalize signer-1.4.1@prod",)
    (step,) = lifecycle.rollout(Ledger(ledger.entries, max_active=3), NEW, LATER)
    assert step.after.status is Status.ACTIVE


def test_active_entries_elsewhere_do_not_count() -> None:
    ledger = Ledger.of([OLD, active("1.4.0"), entry("1.4.2", environment="staging"), active("9", component="other")])
    staging = ledger.select(environment="staging").entries[0]
    assert lifecycle.rollout(ledger, staging, LATER)[0].after.status is Status.ACTIVE


def test_a_revoked_image_under_another_name_is_not_rolled_out() -> None:
    again = entry("1.4.9", pcrs=pcrs("1.4.0"))
    ledger = Ledger.of([in_status(Status.REVOKED), again])
    error = refused("records.not-revoked", lambda: lifecycle.rollout(ledger, again, LATER))
    assert error.message == (
        "signer-1.4.9@prod is the same image as signer-1.4.0@prod, revoked at 2026-11-20T10:00:00Z: it leaks"
    )


def test_finalize_retires_every_other_active_entry_of_its_group() -> None:
    stays = active("1.4.2")
    ledger = Ledger.of([OLD, stays, active("1", environment="staging"), entry("1.4.3")])
    steps = lifecycle.finalize(ledger, stays, LATER)
    assert [(step.after.id, step.after.status, step.unchanged) for step in steps] == [
        (stays.id, Status.ACTIVE, True),
        (OLD.id, Status.RETIRED, False),
    ]
    assert steps[1].after.retired_at == SECOND
    assert steps[1].after.activated_at == OLD.activated_at


@pytest.mark.parametrize("status", [Status.CANDIDATE, Status.RETIRED, Status.REVOKED])
def test_only_an_active_entry_finishes_a_rollout(status: Status) -> None:
    chosen = in_status(status)
    error = refused("records.transition", lambda: lifecycle.finalize(Ledger.of([OLD, chosen]), chosen, LATER))
    assert error.message == f"signer-1.4.0@prod is {status}: a rollout is finished by the entry that stays active"


def test_the_last_active_entry_is_retired_only_when_that_is_meant() -> None:
    ledger = Ledger.of([OLD, NEW])
    refused("records.last-active", lambda: lifecycle.retire(ledger, OLD, LATER))
    (step,) = lifecycle.retire(ledger, OLD, LATER, last=True)
    assert (step.after.status, step.after.retired_at) == (Status.RETIRED, SECOND)
    (step,) = lifecycle.retire(ledger, NEW, LATER)  # a candidate accepts nothing
    assert (step.after.status, step.after.activated_at) == (Status.RETIRED, None)


def test_retiring_twice_changes_nothing_and_the_revoked_stay_revoked() -> None:
    retired, revoked = in_status(Status.RETIRED), in_status(Status.REVOKED)
    assert lifecycle.retire(Ledger.of([retired]), retired, LATER) == (Step(retired, retired),)
    refused("records.transition", lambda: lifecycle.retire(Ledger.of([revoked]), revoked, LATER))


@pytest.mark.parametrize("status", [Status.CANDIDATE, Status.ACTIVE, Status.RETIRED])
def test_everything_can_be_revoked_with_a_reason(status: Status) -> None:
    chosen = in_status(status)
    (step,) = lifecycle.revoke(Ledger.of([chosen]), chosen, LATER, " key leaked ")
    assert step.before == chosen
    assert (step.after.status, step.after.revoked_at, step.after.revoked_because) == (
        Status.REVOKED,
        SECOND,
        "key leaked",
    )
    assert first_fault(step.after) is None
    assert lifecycle.revoke(Ledger.of([step.after]), step.after, LATER, "again")[0].unchanged


def test_a_revocation_has_a_reason_that_can_be_read() -> None:
    refused("records.reason", lambda: lifecycle.revoke(BOTH, OLD, LATER, " "))
    refused("records.text", lambda: lifecycle.revoke(BOTH, OLD, LATER, "a\x1b[2Jb"))


def test_everywhere_revokes_the_same_image_under_every_name() -> None:
    same = active("1.4.1", environment="staging")
    other = active("2", component="parser", pcrs=pcrs("1.4.1"))
    ledger = Ledger.of([OLD, NEW, same, other])
    steps = lifecycle.revoke(ledger, OLD, LATER, "it leaks", everywhere=True)
    assert {step.after.id for step in steps} == {OLD.id, same.id, other.id}
    assert all(step.after.status is Status.REVOKED for step in steps)
    assert steps[0].after.id == OLD.id


def test_promote_takes_the_image_over_as_a_candidate() -> None:
    chosen = in_status(Status.RETIRED)
    (step,) = lifecycle.promote(Ledger.of([chosen]), chosen, "canary", LATER)
    assert step.before is None
    assert step.after == entry("1.4.0", environment="canary", recorded_at=SECOND)
    assert lifecycle.promote(Ledger.of([chosen, step.after]), chosen, "canary", LATER) == (
        Step(step.after, step.after),
    )


def test_promote_refuses_the_revoked_the_taken_and_what_is_no_environment() -> None:
    revoked = in_status(Status.REVOKED)
    refused("records.transition", lambda: lifecycle.promote(Ledger.of([revoked]), revoked, "canary", LATER))
    taken = entry("1.4.1", environment="canary", pcrs=pcrs("other"))
    refused("records.version-taken", lambda: lifecycle.promote(Ledger.of([OLD, taken]), OLD, "canary", LATER))
    refused("records.name", lambda: lifecycle.promote(BOTH, OLD, "-", LATER))


@pytest.mark.parametrize(
    "step",
    [
        lambda at: lifecycle.rollout(BOTH, NEW, at),
        lambda at: lifecycle.retire(BOTH, OLD, at, last=True),
        lambda at: lifecycle.revoke(BOTH, OLD, at, "it leaks"),
        lambda at: lifecycle.promote(BOTH, OLD, "canary", at),
        lambda at: lifecycle.finalize(Ledger.of([OLD, active("2")]), active("2"), at),
    ],
)
def test_a_clock_that_went_back_dates_nothing(step: Callable[[datetime], object]) -> None:
    error = refused("records.time-order", lambda: step(AT - timedelta(seconds=1)))
    assert error.message.endswith("has its status since 2026-11-20T10:00:00Z, and the clock says 2026-11-20T09:59:59Z")


def test_times_are_written_in_utc_whole_seconds() -> None:
    (step,) = lifecycle.rollout(BOTH, NEW, LATER.astimezone())
    assert step.after.activated_at == SECOND
    assert step.after.activated_at.tzinfo is UTC


# -- in the file


def test_a_change_is_written_whole_and_only_when_there_is_one(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", OLD, NEW)
    before = path.stat()
    taken = records.change(str(path), lambda ledger: lifecycle.rollout(ledger, OLD, LATER))
    assert (taken, path.stat()) == ((Step(OLD, OLD),), before)
    records.change(str(path), lambda ledger: lifecycle.rollout(ledger, NEW, LATER))
    (step,) = lifecycle.rollout(BOTH, NEW, LATER)
    assert records.load(str(path)) == Ledger.of([OLD, step.after])


def test_a_step_that_is_refused_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", OLD)
    before = path.read_bytes(), path.stat()
    refused(
        "records.last-active", lambda: records.change(str(path), lambda ledger: lifecycle.retire(ledger, OLD, LATER))
    )
    assert (path.read_bytes(), path.stat()) == before


def test_a_file_says_how_many_may_be_active(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    three = Ledger.of([OLD, active("1"), active("2")], 3)
    path.write_text(records.form.dumps(three))
    assert '\n  "max_active": 3,\n' in path.read_text()
    assert records.load(str(path)) == three
    path.write_text(path.read_text().replace('"max_active": 3', '"max_active": 0'))
    assert refused("records.member", lambda: records.load(str(path))).message.endswith(
        "/max_active: not a whole number from 1 to 64: 0"
    )


def test_recording_a_revoked_image_as_active_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", in_status(Status.REVOKED))
    refused("records.not-revoked", lambda: records.record(str(path), active("1.4.9", pcrs=pcrs("1.4.0"))))
    assert records.record(str(path), entry("1.4.9", pcrs=pcrs("1.4.0"))).entry.status is Status.CANDIDATE


def test_times_that_go_back_are_refused_when_read(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", OLD)
    path.write_text(path.read_text().replace('"activated_at": "2026-11-20T10', '"activated_at": "2026-11-20T09'))
    error = refused("records.time-order", lambda: records.load(str(path)))
    assert error.message.endswith(
        "/entries/0/activated_at: 2026-11-20T09:00:00Z is before recorded_at, 2026-11-20T10:00:00Z"
    )
