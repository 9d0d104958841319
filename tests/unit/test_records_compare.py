"""Comparing registers with active records: a yes needs every pinned register, a no says why."""

import dataclasses

import pytest

from nitroctl import pcr
from nitroctl.checks import Outcome
from nitroctl.records import Entry, Ledger, Status
from nitroctl.records.compare import Compared, compare
from tests.records import AT, active, entry, pcrs, register


def asked(given: dict[int, bytes], *entries: Entry) -> Compared:
    return compare(given, Ledger.of(entries), what="signer in prod")


def outcomes(compared: Compared) -> dict[str, str]:
    return {check.id: check.outcome.value for check in compared.report}


def test_an_active_record_with_equal_registers_is_a_yes() -> None:
    compared = asked(pcrs("2"), active("1"), active("2"))
    assert compared.report.passed
    assert [each.version for each in compared.matches] == ["2"]
    assert outcomes(compared) == {
        "records.active": "pass",
        "records.match": "pass",
        "measurement.pcr0": "pass",
        "measurement.pcr1": "pass",
        "measurement.pcr2": "pass",
    }
    assert compared.passed_over == ()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_one_register_that_differs_is_a_no_that_names_it(index: int) -> None:
    compared = asked({**pcrs("2"), index: register("other")}, active("1"), active("2"))
    assert not compared.report.passed
    assert compared.report["records.match"].detail == (
        f"2 of 3 registers equal those of signer-2@prod; PCR{index} differs"
    )
    check = compared.report[f"measurement.pcr{index}"]
    assert (check.outcome, check.expected, check.actual) == (
        Outcome.FAIL,
        pcrs("2")[index].hex(),
        register("other").hex(),
    )


@pytest.mark.parametrize("index", [0, 1, 2])
def test_one_register_that_was_not_given_is_not_a_yes(index: int) -> None:
    given = {key: value for key, value in pcrs("2").items() if key != index}
    compared = asked(given, active("2"))
    assert not compared.report.passed
    assert compared.report["records.match"].outcome is Outcome.SKIP
    assert compared.report[f"measurement.pcr{index}"].outcome is Outcome.SKIP


def test_a_register_that_is_not_pinned_is_not_compared_and_that_is_known() -> None:
    compared = asked({**pcrs("2"), 8: register(8)}, active("2"))
    assert compared.report.passed
    assert compared.passed_over == (8,)


def test_no_active_record_is_a_no() -> None:
    compared = asked(pcrs("1"), entry("1"))
    assert not compared.report.passed
    assert outcomes(compared) == {"records.active": "fail"}
    assert compared.report["records.active"].detail == "no entry of signer in prod is active"


ENDED = dataclasses.replace(active("1"), status=Status.RETIRED, retired_at=AT)


@pytest.mark.parametrize(
    ("known", "says"),
    [
        (entry("1"), "which is a candidate and accepts nothing yet"),
        (ENDED, "which is retired since 2026-11-20T10:00:00Z"),
        (
            dataclasses.replace(ENDED, status=Status.REVOKED, revoked_at=AT),
            "which was revoked at 2026-11-20T10:00:00Z",
        ),
    ],
    ids=lambda value: value.status.value if isinstance(value, Entry) else "",
)
def test_a_record_that_is_not_active_is_a_no_that_says_what_it_is(known: Entry, says: str) -> None:
    compared = asked(pcrs("1"), known, active("2"))
    assert not compared.report.passed
    assert compared.elsewhere == (known,)
    assert compared.report["records.match"].detail == f"the registers are those of signer-1@prod, {says}"


def test_a_debug_enclave_is_recognised() -> None:
    compared = asked(dict.fromkeys(range(3), pcr.ZERO), active("1"))
    assert compared.report["records.match"].detail == (
        "PCR0, PCR1 or PCR2 is zero, as an enclave in debug mode attests"
    )


def test_nothing_in_common_is_a_no_without_a_nearest() -> None:
    compared = asked(pcrs("2"), active("1"))
    assert compared.nearest is None
    assert outcomes(compared) == {"records.active": "pass", "records.match": "fail"}
    assert compared.report["records.match"].detail == "no register is that of an active record of signer in prod"


def test_no_registers_are_not_a_yes() -> None:
    assert not asked({}, active("1")).report.passed


def test_an_image_that_was_revoked_stays_so_under_an_active_version() -> None:
    revoked = dataclasses.replace(entry("1", pcrs=pcrs("image")), status=Status.REVOKED, revoked_at=AT)
    compared = asked(pcrs("image"), revoked, active("2", pcrs=pcrs("image")))
    assert not compared.report.passed
    assert compared.report["records.not-revoked"].detail == (
        "the same image is signer-1@prod, revoked at 2026-11-20T10:00:00Z"
    )
    assert outcomes(compared)["records.match"] == "pass"


@pytest.mark.parametrize("status", [Status.CANDIDATE, Status.RETIRED])
def test_an_active_version_outweighs_the_same_image_as_candidate_or_retired(status: Status) -> None:
    other = dataclasses.replace(
        entry("1", pcrs=pcrs("image")), status=status, retired_at=AT if status is Status.RETIRED else None
    )
    assert asked(pcrs("image"), other, active("2", pcrs=pcrs("image"))).report.passed
