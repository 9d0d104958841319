"""The ledger: rules of entries, questions asked of them, and the file they are kept in."""

import dataclasses
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from nitroctl import pcr, records
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.records import Artifact, Entry, Ledger, Outcome, Signer, Source, Status, form, store
from tests.records import AT, active, entry, full, pcrs, register, write


def refusal(call: Any, *args: Any, **changes: Any) -> CannotAnswer:
    with pytest.raises(CannotAnswer) as caught:
        call(*args, **changes)
    return caught.value


# -- one entry


def test_an_entry_knows_its_id_its_pinned_registers_and_since_when_it_is_what_it_is() -> None:
    made = entry(pin=(2, 0, 0))
    assert made.id == "signer-1.4.2@prod"
    assert made.pin == (0, 2)
    assert made.pinned == {index: made.pcrs[index] for index in (0, 2)}
    assert made.since == AT
    retired = dataclasses.replace(made, status=Status.RETIRED, retired_at=AT + timedelta(days=1))
    assert retired.since == AT + timedelta(days=1)


def test_recording_an_active_entry_dates_its_activation() -> None:
    assert (active().recorded_at, active().activated_at) == (AT, AT)
    assert entry().activated_at is None


def test_times_are_kept_in_utc_and_whole_seconds() -> None:
    local = datetime(2026, 11, 20, 12, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert entry(recorded_at=local).as_json()["recorded_at"] == "2026-11-20T10:00:00Z"


def test_a_time_without_zone_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        entry(recorded_at=datetime(2026, 11, 20))  # noqa: DTZ001  (the point)


@pytest.mark.parametrize("status", [Status.RETIRED, Status.REVOKED])
def test_nothing_is_recorded_as_retired_or_revoked(status: Status) -> None:
    with pytest.raises(ValueError, match="begins as candidate or active"):
        entry(status=status)


def test_without_a_pin_every_register_is_pinned() -> None:
    assert entry(pcrs=pcrs("x", 0, 1, 2, 3, 8)).pin == (0, 1, 2, 3, 8)


def test_without_a_pin_registers_that_say_nothing_are_left_out() -> None:
    unsigned = {**pcrs("x"), 3: pcr.ZERO, 4: pcr.ZERO, 8: pcr.ZERO}
    assert entry(pcrs=unsigned).pin == (0, 1, 2)


def test_a_nitrotpm_entry_pins_the_zero_that_its_command_line_register_must_have() -> None:
    made = entry(platform="nitro-tpm", pcrs={**pcrs("x", 4), 12: pcr.ZERO})
    assert made.pin == (4, 12)


GOOD_PCRS = pcrs("1.4.2")
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "component-with-space": ({"component": "my app"}, "records.name", "not a name for the component: 'my app'"),
    "component-empty": ({"component": ""}, "records.name", "not a name for the component: ''"),
    "component-looks-like-an-option": (
        {"component": "-x"},
        "records.name",
        "not a name for the component: '-x'",
    ),
    "component-with-line-feed": ({"component": "a\n"}, "records.name", "not a name for the component: 'a\\n'"),
    "component-65-characters": ({"component": "a" * 65}, "records.name", f"not a name for the component: '{'a' * 65}'"),
    "environment-with-at": ({"environment": "a@b"}, "records.name", "not a name for the environment: 'a@b'"),
    "version-with-slash": ({"version": "1/2"}, "records.name", "not a name for the version: '1/2'"),
    "platform-upper-case": ({"platform": "Nitro"}, "records.name", "not a name for the platform: 'Nitro'"),
    **{
        f"zero-pcr{index}": (
            {"pcrs": {**GOOD_PCRS, index: pcr.ZERO}},
            "records.zero",
            f"PCR{index} is zero, as an enclave in debug mode attests; that would admit any debug enclave",
        )
        for index in (0, 1, 2)
    },
    "no-pcr2": (
        {"pcrs": {0: GOOD_PCRS[0], 1: GOOD_PCRS[1]}},
        "records.registers",
        "PCR2 missing: an enclave image is recorded with PCR0, PCR1 and PCR2",
    ),
    "no-registers": (
        {"pcrs": {}, "platform": "other"},
        "records.registers",
        "no register is recorded",
    ),
    "pcr32": ({"pcrs": {**GOOD_PCRS, 32: register(1)}}, "records.registers", "PCR32 is not a SHA-384 register"),
    "47-bytes": ({"pcrs": {**GOOD_PCRS, 2: bytes(47)}}, "records.registers", "PCR2 is not a SHA-384 register"),
    "pin-not-recorded": ({"pin": (0, 8)}, "records.pin", "PCR8 is pinned but not recorded"),
    "pin-empty": ({"pin": (), "platform": "other"}, "records.pin", "no register is pinned"),
    "pin-without-the-image": (
        {"pin": (3,), "pcrs": {**GOOD_PCRS, 3: register(3)}},
        "records.pin",
        "neither PCR0 nor both of PCR1 and PCR2 are pinned: any image could pass",
    ),
    "pin-kernel-only": (
        {"pin": (1,)},
        "records.pin",
        "neither PCR0 nor both of PCR1 and PCR2 are pinned: any image could pass",
    ),
    **{
        f"pin-zero-pcr{index}": (
            {"pin": (0, index), "pcrs": {**GOOD_PCRS, index: pcr.ZERO}},
            "records.zero",
            f"PCR{index} is zero and cannot be pinned: it says nothing about the {what}",
        )
        for index, what in ((3, "parent's role"), (4, "parent instance"), (8, "signer"))
    },
    "note-with-escape": ({"notes": "\x1b[2J"}, "records.text", "notes: has a control or format character"),
    "note-with-line-feed": ({"notes": "a\nb"}, "records.text", "notes: has a control or format character"),
    "note-with-bidi-override": ({"notes": "a\u202eb"}, "records.text", "notes: has a control or format character"),
    "note-with-surrogate": ({"notes": "\ud800"}, "records.text", "notes: has a control or format character"),
    "note-too-long": ({"notes": "a" * 4097}, "records.text", "notes: longer than 4096 characters"),
    "source-with-nul": (
        {"source": Source(commit="\0")},
        "records.text",
        "source/commit: has a control or format character",
    ),
    "digest-upper-case": (
        {"artifact": Artifact("a.eif", "AB" * 32, 1)},
        "records.text",
        "artifact/sha256: not 64 lower-case hexadecimal digits",
    ),
    "negative-size": ({"artifact": Artifact("a.eif", "ab" * 32, -1)}, "records.text", "artifact/size: negative"),
    "signer-not-a-digest": (
        {"signer": Signer("x")},
        "records.text",
        "signer/certificate_sha256: not 64 lower-case hexadecimal digits",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_entry_that_breaks_a_rule_is_not_made(name: str) -> None:
    changes, code, message = FAULTS[name]
    error = refusal(entry, **changes)
    assert (error.code, error.message) == (code, message)


# -- questions


def test_entries_stand_by_component_environment_time_and_version() -> None:
    later = AT + timedelta(seconds=1)
    expected = [
        entry("9", component="api"),
        entry("2", environment="dev"),
        entry("2"),
        entry("3"),
        entry("1", recorded_at=later),
    ]
    assert list(Ledger.of(reversed(expected))) == expected


def test_only_active_entries_are_active() -> None:
    ledger = Ledger.of([entry("1"), active("2"), active("3", environment="dev"), active("4", component="api")])
    assert [each.version for each in ledger.active()] == ["4", "3", "2"]
    assert [each.version for each in ledger.active("signer", "prod")] == ["2"]
    assert ledger.active("signer", "nowhere") == ()


def test_an_entry_matches_when_all_its_pinned_registers_are_equal() -> None:
    ledger = Ledger.of([entry("1", pin=(0,)), entry("2")])
    assert [each.version for each in ledger.matching(pcrs("1"))] == ["1"]
    assert [each.version for each in ledger.matching({0: pcrs("1")[0]})] == ["1"]
    assert [each.version for each in ledger.matching({**pcrs("2"), 8: register(8)})] == ["2"]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_register_that_differs_or_is_absent_is_no_match(index: int) -> None:
    ledger = Ledger.of([entry("2")])
    assert ledger.matching({**pcrs("2"), index: register("other")}) == ()
    assert ledger.matching({key: value for key, value in pcrs("2").items() if key != index}) == ()


def test_no_registers_match_nothing() -> None:
    assert Ledger.of([entry()]).matching({}) == ()


def test_the_nearest_entry_has_most_registers_equal() -> None:
    ledger = Ledger.of([entry("1"), entry("2")])
    nearest = ledger.nearest({0: pcrs("1")[0], 1: pcrs("2")[1], 2: pcrs("2")[2]})
    assert nearest is not None
    assert (nearest.entry.version, nearest.equal, nearest.differing, nearest.absent) == ("2", (1, 2), (0,), ())
    assert nearest.text == "2 of 3 registers equal those of signer-2@prod; PCR0 differs"


def test_the_nearest_entry_says_what_was_not_given() -> None:
    nearest = Ledger.of([entry("1")]).nearest({0: pcrs("1")[0]})
    assert nearest is not None
    assert (nearest.equal, nearest.differing, nearest.absent) == ((0,), (), (1, 2))
    assert nearest.text == "1 of 3 registers equal those of signer-1@prod; PCR1, PCR2 not given"


def test_nothing_in_common_is_not_near() -> None:
    assert Ledger.of([entry("1")]).nearest(pcrs("2")) is None
    assert Ledger().nearest(pcrs("1")) is None


def test_the_empty_pcr2_that_all_simple_images_share_does_not_make_them_near() -> None:
    simple = {**pcrs("1"), 2: pcr.EMPTY_PCR2}
    assert Ledger.of([entry("1", pcrs=simple)]).nearest({**pcrs("2"), 2: pcr.EMPTY_PCR2}) is None


def test_of_equally_near_entries_the_active_one_is_named_and_then_the_latest() -> None:
    shared = pcrs("kernel")[1]
    older, newer, running = (
        entry("1", pcrs={**pcrs("1"), 1: shared}),
        entry("2", pcrs={**pcrs("2"), 1: shared}, recorded_at=AT + timedelta(hours=1)),
        active("0", pcrs={**pcrs("0"), 1: shared}),
    )
    for entries, expected in (([older, newer], newer), ([older, newer, running], running)):
        nearest = Ledger.of(entries).nearest({1: shared})
        assert nearest is not None
        assert nearest.entry is expected


def test_an_entry_is_found_by_id_or_by_id_without_environment() -> None:
    ledger = Ledger.of([entry("1"), entry("1", environment="dev"), entry("2")])
    assert [each.id for each in ledger.find("signer-1@dev")] == ["signer-1@dev"]
    assert [each.id for each in ledger.find("signer-1")] == ["signer-1@dev", "signer-1@prod"]
    assert ledger.find("signer") == ()


# -- the file


def test_recording_makes_the_file_and_reading_gives_the_same_entry(tmp_path: Path) -> None:
    path = str(tmp_path / "measurements.json")
    assert records.record(path, full()) == records.Recorded(full(), Outcome.ADDED)
    assert records.load(path) == Ledger((full(),))


def test_a_missing_ledger_is_said_or_empty_as_asked(tmp_path: Path) -> None:
    path = str(tmp_path / "measurements.json")
    assert records.load(path, missing_ok=True) == Ledger()
    error = refusal(records.load, path)
    assert (error.code, error.message) == ("records.missing", f"{path}: no recorded measurements")


def test_recording_again_is_a_no_op_that_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", entry())
    before = path.stat()
    again = entry(recorded_at=AT + timedelta(days=1), notes="again", artifact=Artifact("b.eif", "cd" * 32, 2))
    assert store.record(str(path), again) == store.Recorded(entry(), Outcome.UNCHANGED, ("artifact", "notes"))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_version_is_never_recorded_with_another_register(tmp_path: Path, index: int) -> None:
    path = write(tmp_path / "m.json", entry())
    before = path.read_bytes()
    error = refusal(store.record, str(path), entry(pcrs={**pcrs("1.4.2"), index: register("other")}))
    assert error.code == "records.version-taken"
    assert error.message == (
        f"{path}: signer-1.4.2@prod is already recorded with other measurements: PCR{index} differs"
    )
    assert path.read_bytes() == before


def test_a_version_is_never_recorded_with_another_pin(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", entry())
    error = refusal(store.record, str(path), entry(pin=(0,)))
    assert error.message.endswith("with other measurements: other registers are pinned")


def test_two_versions_whose_names_make_one_id_are_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", entry("1-2"))
    error = refusal(store.record, str(path), entry("2", component="signer-1", pcrs=pcrs("1-2")))
    assert error.message == f"{path}: the id signer-1-2@prod is taken by version 1-2 of signer"


def test_recording_a_candidate_as_active_activates_it_and_keeps_its_history(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", entry(notes="as reviewed"))
    later = AT + timedelta(days=1)
    done = store.record(str(path), active(recorded_at=later, notes="other"))
    assert done.outcome is Outcome.ACTIVATED
    assert done.ignored == ("notes",)
    expected = dataclasses.replace(entry(notes="as reviewed"), status=Status.ACTIVE, activated_at=later)
    assert records.load(str(path)) == Ledger((expected,))


def test_recording_an_active_entry_as_candidate_leaves_it_active(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", active())
    assert store.record(str(path), entry()) == store.Recorded(active(), Outcome.UNCHANGED)


@pytest.mark.parametrize("status", [Status.RETIRED, Status.REVOKED])
def test_what_was_retired_or_revoked_does_not_become_active_again(tmp_path: Path, status: Status) -> None:
    ended: dict[str, Any] = {"status": status, f"{status.value}_at": AT}
    over = dataclasses.replace(active(), **ended)
    path = write(tmp_path / "m.json", over)
    error = refusal(store.record, str(path), active())
    assert error.code == "records.not-active"
    assert error.message == f"{path}: signer-1.4.2@prod is {status.value} and does not become active again"
    assert store.record(str(path), entry()) == store.Recorded(over, Outcome.UNCHANGED)


def test_at_most_two_versions_are_active_in_one_environment(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", active("1"), active("2"))
    before = path.read_bytes()
    error = refusal(store.record, str(path), active("3"))
    assert error.code == "records.too-many-active"
    assert error.message == (
        f"{path}: signer-3@prod would be one more than 2 active entries: signer-1@prod, signer-2@prod"
    )
    assert path.read_bytes() == before
    for other in (entry("3"), active("3", environment="dev"), active("3", component="api")):
        assert store.record(str(path), other).outcome is Outcome.ADDED


def test_recording_in_standard_input_is_wrong() -> None:
    with pytest.raises(UsageError):
        store.record("-", entry())


def test_recording_where_no_directory_is_says_so(tmp_path: Path) -> None:
    error = refusal(store.record, str(tmp_path / "no" / "m.json"), entry())
    assert (error.code, error.hints) == ("file.unwritable", ("make the directory first",))


def test_a_ledger_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("{")
    assert refusal(store.record, str(path), entry()).code == "json.syntax"
    assert path.read_text() == "{"


def test_recording_through_a_symbolic_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = write(tmp_path / "real" / "m.json", entry("1"))
    link = tmp_path / "m.json"
    link.symlink_to(target)
    store.record(str(link), entry("2"))
    assert link.is_symlink()
    assert [each.version for each in records.load(str(target))] == ["1", "2"]


def test_nothing_but_the_ledger_is_left_in_the_directory(tmp_path: Path) -> None:
    store.record(str(tmp_path / "m.json"), entry())
    assert [found.name for found in tmp_path.iterdir()] == ["m.json"]


def test_a_full_disk_leaves_the_old_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.json", entry("1"))
    before = path.read_bytes()

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    error = refusal(store.record, str(path), entry("2"))
    assert error.message == f"{path}: cannot write: no space left on device"
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["m.json"]


def test_a_lock_that_is_never_released_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.0)
    path = tmp_path / "m.json"
    with store._alone(str(path)):
        error = refusal(store.record, str(path), entry())
    assert error.code == "records.busy"
    assert not path.exists()


def test_a_directory_that_cannot_be_locked_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(_descriptor: int, _operation: int) -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("fcntl.flock", no_locks)
    error = refusal(store.record, str(tmp_path / "m.json"), entry())
    assert error.code == "records.busy"
    assert error.message.endswith(f"the directory {tmp_path} cannot be locked: bad file descriptor")


WORKER = """
import sys
from nitroctl.records import record
from tests.records import entry
for line in sys.stdin:
    record(line.rstrip("\\n"), entry(f"{sys.argv[1]}.0"))
    print("recorded", flush=True)
"""


def test_ten_processes_that_record_at_once_lose_nothing(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(10)
    ]
    try:
        for turn in range(5):
            path = tmp_path / f"{turn}.json"
            for worker in workers:
                assert worker.stdin is not None
                worker.stdin.write(f"{path}\n")
                worker.stdin.flush()
            for worker in workers:
                assert worker.stdout is not None
                assert worker.stdout.readline() == "recorded\n"
            ledger = records.load(str(path))
            assert sorted(each.version for each in ledger) == sorted(f"{number}.0" for number in range(10))
            assert path.read_text() == form.dumps(ledger)
    finally:
        for worker in workers:
            worker.communicate()
    assert [worker.returncode for worker in workers] == [0] * 10


def test_every_member_of_an_entry_is_in_the_schema_and_in_its_order() -> None:
    from tests.schemas import validator

    schema = validator("measurements.1").schema
    assert isinstance(schema, dict)
    properties = list(schema["$defs"]["entry"]["properties"])
    whole = dataclasses.replace(full(), status=Status.REVOKED, retired_at=AT, revoked_at=AT, revoked_because="x")
    assert list(whole.as_json()) == properties
    assert set(dataclasses.asdict(whole)) | {"id", "measurements"} == {*properties, "pcrs"}


def test_what_is_written_is_what_the_schema_says(tmp_path: Path) -> None:
    import json

    from tests.schemas import validator

    path = write(tmp_path / "m.json", full("1"), entry("2"), entry("3", platform="nitro-tpm", pcrs=pcrs("x", 4, 12)))
    validator("measurements.1").validate(json.loads(path.read_text()))


def test_the_canonical_form_is_ascii_with_line_feeds_and_two_spaces() -> None:
    text = form.dumps(Ledger.of([entry(notes="Zürich")]))
    assert text.isascii()
    assert "Z\\u00fcrich" in text
    assert text.startswith('{\n  "schema": "urn:nitroctl:measurements:1",\n  "entries": [\n    {\n      "id": ')
    assert text.endswith("\n    }\n  ]\n}\n")
    assert not re.search(r"[ \t\r]\n", text)


def test_the_order_of_recording_does_not_change_the_file() -> None:
    entries: list[Entry] = [entry("1"), entry("2"), full("3")]
    assert form.dumps(Ledger(tuple(entries))) == form.dumps(Ledger(tuple(reversed(entries))))


def test_whoever_asks_about_one_environment_sees_what_was_revoked_in_any() -> None:
    ours, other = active("1.4.2"), active("1.4.2", environment="staging")
    revoked = dataclasses.replace(other, status=Status.REVOKED, revoked_at=AT)
    retired = dataclasses.replace(active("1", environment="staging"), status=Status.RETIRED, retired_at=AT)
    ledger = Ledger.of([ours, revoked, retired, active("7", component="parser")])
    assert ledger.concerning("signer", "prod") == Ledger.of([ours, revoked])
    assert ledger.concerning() == ledger
