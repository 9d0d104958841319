"""One image under several names, and registers of several platforms: what was revoked is refused, nothing is mixed."""

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from nitroctl import records
from nitroctl.checks import Outcome
from nitroctl.errors import CannotAnswer
from nitroctl.host import identity
from nitroctl.kms import generate
from nitroctl.records import Entry, Ledger, Status, lifecycle
from nitroctl.records.compare import compare
from nitroctl.records.threeway import Account, View
from tests.records import AT, active, entry, pcrs, register, write

IMAGE = pcrs("1.4.2")


def revoked(**changes: object) -> Entry:
    """Return a revoked entry of the image IMAGE in staging."""
    made = active(pcrs=IMAGE, environment="staging")
    return dataclasses.replace(made, status=Status.REVOKED, revoked_at=AT, revoked_because="it leaks", **changes)  # type: ignore[arg-type]


#: The same image, pinned in other ways: to a parent's role, to a signer, by its parts.
PINNED_OTHERWISE = [
    revoked(pcrs={**IMAGE, 3: register("role")}, pin=(0, 1, 2, 3)),
    revoked(pcrs={**IMAGE, 8: register("signer")}, pin=(0, 8)),
    revoked(pin=(1, 2)),
]


@pytest.mark.parametrize("gone", PINNED_OTHERWISE, ids=["role", "signer", "parts"])
def test_a_revoked_image_is_refused_also_where_the_revoked_entry_pins_more(gone: Entry) -> None:
    ledger = Ledger.of([active(), gone])
    compared = compare(IMAGE, ledger, what="signer in prod")
    assert not compared.report.passed
    assert compared.report["records.not-revoked"].outcome is Outcome.FAIL
    assert not View(ledger, [Account(kind="image", name="app.eif", pcrs=IMAGE)], None).report.passed
    assert identity.recorded(ledger, IMAGE, of="records").outcome is Outcome.FAIL
    with pytest.raises(CannotAnswer) as caught:
        generate.releases(ledger, environment="prod")
    assert caught.value.code == "records.not-revoked"
    with pytest.raises(CannotAnswer) as caught:
        lifecycle.rollout(Ledger.of([gone]), entry(), AT)
    assert caught.value.code == "records.not-revoked"


@pytest.mark.parametrize("gone", PINNED_OTHERWISE, ids=["role", "signer", "parts"])
def test_everywhere_means_the_image_and_not_what_an_entry_pins(gone: Entry) -> None:
    same = dataclasses.replace(gone, status=Status.ACTIVE, revoked_at=None, revoked_because="")
    steps = lifecycle.revoke(Ledger.of([active(), same]), active(), AT, "it leaks", everywhere=True)
    assert [step.after.id for step in steps] == ["signer-1.4.2@prod", "signer-1.4.2@staging"]


def test_another_image_is_not_revoked_because_of_its_role() -> None:
    other = {**pcrs("other"), 3: register("role")}
    gone = revoked(pcrs={**IMAGE, 3: register("role")}, pin=(0, 1, 2, 3))
    ledger = Ledger.of([active("1.5.0", pcrs=pcrs("other")), gone])
    assert compare(other, ledger, what="signer in prod").report.passed


def test_registers_of_another_platform_are_no_match() -> None:
    made = active(platform="nitro-tpm", pcrs={8: bytes(48), 2: register("x")}, pin=(2,))
    account = Account(kind="running", name="app", pcrs={2: register("x")})
    assert account.matching(Ledger.of([made])) == ()
    assert dataclasses.replace(account, platform="nitro-tpm").matching(Ledger.of([made])) == (made,)
    assert Ledger.of([made]).on("nitro-enclave").entries == ()


def test_what_a_tpm_computer_printed_is_compared_by_its_registers() -> None:
    made = active(platform="nitro-tpm", pcrs=pcrs("x", 4, 7, 12))
    account = Account(kind="build", name="out.json", pcrs=pcrs("x", 4, 7, 12), platform="nitro-tpm")
    assert account.matching(Ledger.of([made])) == (made,)
    less = dataclasses.replace(account, pcrs=pcrs("x", 4, 7))
    assert less.matching(Ledger.of([made])) == ()


def test_activating_by_recording_again_under_a_clock_that_went_back_leaves_a_ledger_that_can_be_read(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "measurements.json", entry())
    before = path.read_bytes()
    with pytest.raises(CannotAnswer) as caught:
        records.record(str(path), active(recorded_at=AT - timedelta(days=1)))
    assert caught.value.code == "records.time-order"
    assert path.read_bytes() == before
