"""Refusing a launch: each rule shown by one change to a launch that would go well."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from nitroctl import pcr, records
from nitroctl.checks import Check, Outcome
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.host import enclaves, identity, launch
from nitroctl.host.machine import HugePages, Machine
from nitroctl.host.nitro_cli import Launch
from nitroctl.host.replies import Enclave

if TYPE_CHECKING:
    from nitroctl.eif.measure import Measured

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
PCRS = {0: b"\xaa" * 48, 1: b"\xbb" * 48, 2: b"\xcc" * 48}
REQUEST = Launch(eif_path="dir/app.eif", memory_mib=512, cpu_count=2)
MACHINE = Machine(
    device=True,
    usable=True,
    pool=(1, 2, 5, 6),
    pages=(HugePages(0, 2048, 512, 512),),
    first_core=(0, 4),
    instance_id=None,
)
RUNNING = Enclave(
    name="other",
    id="i-0-enc1",
    process_id=1,
    cid=16,
    cpu_count=2,
    cpu_ids=(1, 5),
    memory_mib=512,
    state="RUNNING",
    flags="NONE",
    pcrs=PCRS,
)


@dataclasses.dataclass
class Image:
    """As much of a measured image as a launch looks at."""

    size: int = 1024 * 1024
    signature: object = None


def check(
    check_id: str,
    request: Launch = REQUEST,
    *,
    image: Image | None = None,
    machine: Machine = MACHINE,
    running: Sequence[Enclave] = (),
) -> Check:
    report = launch.preflight(request, cast("Measured", image or Image()), machine, running, at=AT)
    assert report.passed is (report[check_id].outcome is not Outcome.FAIL), report
    return report[check_id]


def change(**changes: Any) -> Launch:
    return dataclasses.replace(REQUEST, **changes)


def test_a_launch_that_would_go_well() -> None:
    report = launch.preflight(REQUEST, cast("Measured", Image()), MACHINE, [], at=AT)
    assert report.passed
    assert {item.id: item.outcome.value for item in report} == {
        "launch.memory-for-image": "pass",
        "launch.hugepages": "pass",
        "launch.cpus": "pass",
        "launch.full-cores": "pass",
        "launch.cid": "pass",
        "launch.name": "pass",
        "launch.certificate-dates": "skip",
        "launch.slots": "pass",
        "launch.debug-mode": "pass",
    }


@pytest.mark.parametrize(
    ("memory_mib", "size", "least"),
    [
        (512, 128 * 1024 * 1024, None),
        (512, 128 * 1024 * 1024 + 1, 513),
        (512, 1000 * 1024 * 1024, 4000),
        (64, 1, None),
        (63, 1, 64),
    ],
)
def test_memory_is_four_times_the_image(memory_mib: int, size: int, least: int | None) -> None:
    found = check("launch.memory-for-image", change(memory_mib=memory_mib), image=Image(size))
    assert found.outcome is (Outcome.PASS if least is None else Outcome.FAIL)
    assert found.expected == (f"{least} MiB or more" if least else None)
    if least:
        assert found.detail.endswith(f": {least - memory_mib} MiB short")


def test_too_few_free_hugepages_names_what_is_missing() -> None:
    machine = dataclasses.replace(MACHINE, pages=(HugePages(0, 2048, 512, 200),))
    found = check("launch.hugepages", machine=machine)
    assert found.outcome is Outcome.FAIL
    assert found.detail == "112 MiB short; free hugepages: 200 of 512 x 2 MiB"


def test_no_hugepages_at_all() -> None:
    found = check("launch.hugepages", machine=dataclasses.replace(MACHINE, pages=()))
    assert found.outcome is Outcome.FAIL
    assert found.detail == "512 MiB short; free hugepages: none are set aside"


def test_a_large_page_taken_for_a_small_request_is_a_warning() -> None:
    found = check("launch.hugepages", machine=dataclasses.replace(MACHINE, pages=(HugePages(0, 1048576, 1, 1),)))
    assert found.outcome is Outcome.WARN
    assert found.detail == "1024 MiB will be taken for 512: memory comes in whole hugepages"


def test_memory_spread_over_two_nodes_is_a_warning() -> None:
    pages = (HugePages(0, 2048, 128, 128), HugePages(1, 2048, 128, 128))
    found = check("launch.hugepages", machine=dataclasses.replace(MACHINE, pages=pages))
    assert found.outcome is Outcome.WARN
    assert "no NUMA node has enough by itself" in found.detail


def test_more_cpus_than_are_free_names_who_has_them() -> None:
    found = check("launch.cpus", change(cpu_count=4), running=[RUNNING])
    assert found.outcome is Outcome.FAIL
    assert found.detail == "2 of 4 CPUs short; pool 1-2,5-6; free: 2,6; the others run other"
    assert (found.expected, found.actual) == ("4 free", "2 free")


def test_an_empty_pool() -> None:
    found = check("launch.cpus", machine=dataclasses.replace(MACHINE, pool=()))
    assert found.outcome is Outcome.FAIL
    assert found.detail == "no CPU is set aside for enclaves: the pool is empty"


def test_cpus_by_id_that_are_free() -> None:
    assert check("launch.cpus", change(cpu_count=None, cpu_ids=(2, 6)), running=[RUNNING]).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("cpu_ids", "detail"),
    [((2, 7), "not in the pool: 7; pool 1-2,5-6; free: 2,6"), ((1, 2), "in use: 1 by other; pool 1-2,5-6; free: 2,6")],
)
def test_cpus_by_id_that_are_not(cpu_ids: tuple[int, ...], detail: str) -> None:
    found = check("launch.cpus", change(cpu_count=None, cpu_ids=cpu_ids), running=[RUNNING])
    assert (found.outcome, found.detail) == (Outcome.FAIL, detail)


@pytest.mark.parametrize(
    ("count", "core", "outcome"),
    [(2, (0, 4), "pass"), (3, (0, 4), "fail"), (1, (0,), "pass"), (1, (0, 4), "fail"), (1, (), "skip")],
)
def test_whole_cores(count: int, core: tuple[int, ...], outcome: str) -> None:
    machine = dataclasses.replace(MACHINE, first_core=core)
    assert check("launch.full-cores", change(cpu_count=count), machine=machine).outcome.value == outcome


@pytest.mark.parametrize(
    ("cpu_ids", "core", "outcome", "detail"),
    [
        ((2, 6), (0, 4), "pass", "2 CPUs at 2 threads per core"),
        ((6, 1, 2, 5), (0, 4), "pass", "4 CPUs at 2 threads per core"),
        ((2,), (0, 4), "fail", "1 CPUs at 2 threads per core"),
        (
            (1, 2),
            (0, 4),
            "fail",
            "half cores: 1 without 5, 2 without 6 (going by CPU 0's core)",
        ),
        ((1, 2), (0,), "pass", "2 CPUs at 1 threads per core"),
        (
            (1, 2),
            (0, 2),  # then the pool 1-2,5-6 would not be whole cores
            "skip",
            "not checked: which of these CPUs share a core cannot be told while they are set aside",
        ),
        ((1, 2), (), "skip", "not checked: the threads per core of this host cannot be read"),
    ],
)
def test_whole_cores_by_id(cpu_ids: tuple[int, ...], core: tuple[int, ...], outcome: str, detail: str) -> None:
    """Two CPUs can be half of two cores, which the driver refuses only once memory is taken."""
    machine = dataclasses.replace(MACHINE, first_core=core)
    found = check("launch.full-cores", change(cpu_count=None, cpu_ids=cpu_ids), machine=machine)
    assert (found.outcome.value, found.detail) == (outcome, detail)


def test_a_cid_in_use() -> None:
    found = check("launch.cid", change(cid=16), running=[RUNNING])
    assert (found.outcome, found.detail) == (Outcome.FAIL, "CID 16 is other's (i-0-enc1)")


def test_a_name_in_use_is_refused_when_it_was_given() -> None:
    found = check("launch.name", change(name="other"), running=[RUNNING])
    assert found.outcome is Outcome.FAIL
    assert "nitro-cli would silently add a number" in found.detail


def test_a_name_in_use_is_nobodys_fault_when_none_was_given() -> None:
    running = [dataclasses.replace(RUNNING, name="app")]
    assert check("launch.name", running=running).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("first", "last", "outcome"), [(-1, 1, "pass"), (0, 0, "pass"), (-2, -1, "fail"), (1, 2, "fail")]
)
def test_the_dates_of_a_signed_image(first: int, last: int, outcome: str) -> None:
    @dataclasses.dataclass
    class Certificate:
        not_before: datetime = AT + timedelta(days=first)
        not_after: datetime = AT + timedelta(days=last)

    @dataclasses.dataclass
    class Signature:
        certificate: Certificate

    found = check("launch.certificate-dates", image=Image(signature=Signature(Certificate())))
    assert found.outcome.value == outcome
    assert found.detail.endswith("; as of 2026-11-20T10:00:00Z")


def test_a_fifth_enclave_is_a_warning() -> None:
    running = [dataclasses.replace(RUNNING, id=f"i-0-enc{n}", cpu_ids=()) for n in range(4)]
    assert check("launch.slots", running=running).outcome is Outcome.WARN


@pytest.mark.parametrize("changes", [{"debug": True}, {"console": True}])
def test_debug_mode_is_a_warning(changes: dict[str, bool]) -> None:
    assert check("launch.debug-mode", change(**changes)).outcome is Outcome.WARN


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cpu_count": None}, "name either --cpu-count or --cpu-ids"),
        ({"cpu_ids": (1, 2)}, "name either --cpu-count or --cpu-ids"),
        ({"cpu_count": None, "cpu_ids": (1, 1)}, "a CPU is named twice: 1 1"),
        ({"cpu_count": 0}, "an enclave has at least one CPU, not 0"),
        ({"cid": 1}, "CID 1 is reserved"),
        ({"cid": 3}, "CID 3 is reserved"),
        ({"cid": 2**32 - 1}, "CID 4294967295 is out of range"),
    ],
)
def test_requests_that_no_host_can_fulfil(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        launch.require_arguments(change(**changes))
    assert caught.value.message == message


@pytest.mark.parametrize("changes", [{}, {"cid": 0}, {"cid": 4}, {"cid": 2**32 - 2}])
def test_requests_that_some_host_can_fulfil(changes: dict[str, Any]) -> None:
    launch.require_arguments(change(**changes))


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"device": False}, "host.not-enclave-enabled", "there is no /dev/nitro_enclaves"),
        ({"pool": None}, "host.not-enclave-enabled", "the driver nitro_enclaves is not loaded"),
        ({"usable": False}, "host.no-permission", "no permission to use /dev/nitro_enclaves"),
    ],
)
def test_hosts_without_enclaves(changes: dict[str, Any], code: str, said: str) -> None:
    launch.require_host(MACHINE)
    with pytest.raises(CannotAnswer) as caught:
        launch.require_host(dataclasses.replace(MACHINE, **changes))
    assert caught.value.code == code
    assert said in caught.value.message


# -- the lock


def test_one_launch_at_a_time(tmp_path: Path) -> None:
    environ = {"NITRO_CLI_SOCKETS_PATH": str(tmp_path)}
    with launch.alone(environ, wait=False):
        with pytest.raises(CannotAnswer) as caught, launch.alone(environ, wait=False):
            pass
        assert caught.value.code == "file.locked"
    with launch.alone(environ, wait=False):
        assert list(tmp_path.iterdir()) == []


def test_a_host_without_the_sockets_directory(tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as caught, launch.alone({"NITRO_CLI_SOCKETS_PATH": f"{tmp_path}/x"}, wait=False):
        pass
    assert caught.value.code == "host.no-sockets"


# -- what runs, compared


def test_a_running_enclave_that_is_the_image() -> None:
    assert identity.compare(PCRS, RUNNING, debug=False).passed


@pytest.mark.parametrize(
    ("running", "detail"),
    [
        ({**PCRS, 0: b"\x01" * 48}, "PCR0 of"),
        ({**PCRS, 1: b"\x01" * 48, 2: b"\x02" * 48}, "PCR1, PCR2 of"),
        ({**PCRS, 8: b"\x01" * 48}, "PCR8 of"),
        ({0: PCRS[0], 1: PCRS[1]}, "PCR2 of"),
    ],
)
def test_a_running_enclave_that_is_not_the_image(running: dict[int, bytes], detail: str) -> None:
    found = identity.compare(PCRS, dataclasses.replace(RUNNING, pcrs=running), debug=False)["launch.measurements"]
    assert found.outcome is Outcome.FAIL
    assert found.detail.startswith(detail)


def test_a_signed_image_that_runs_without_its_signature() -> None:
    assert not identity.compare({**PCRS, 8: b"\x08" * 48}, RUNNING, debug=False).passed


@pytest.mark.parametrize(("flags", "debug"), [("DEBUG_MODE", False), ("NONE", True), ("ODD", False)])
def test_an_enclave_in_another_mode_than_was_asked_for(flags: str, debug: bool) -> None:  # noqa: FBT001
    report = identity.compare(PCRS, dataclasses.replace(RUNNING, flags=flags), debug=debug)
    assert [refusal.id for refusal in report.refusals] == ["launch.mode"]


def entry(version: str, status: records.Status, pcrs: dict[int, bytes]) -> records.Entry:
    made = records.new_entry(
        component="app", environment="prod", version=version, pcrs=pcrs, recorded_at=AT, status=records.Status.CANDIDATE
    )
    return dataclasses.replace(made, status=status)


def ledger(*entries: records.Entry) -> records.Ledger:
    return records.Ledger.of(entries)


def test_an_image_that_is_an_active_record() -> None:
    found = identity.recorded(ledger(entry("1", records.Status.ACTIVE, PCRS)), PCRS, of="x")
    assert (found.outcome, found.detail) == (Outcome.PASS, "app-1@prod")


@pytest.mark.parametrize("status", ["candidate", "retired", "revoked"])
def test_an_image_whose_record_is_not_active(status: str) -> None:
    found = identity.recorded(ledger(entry("1", records.Status(status), PCRS)), PCRS, of="x")
    assert (found.outcome, found.detail) == (Outcome.FAIL, f"app-1@prod is {status}, not active")


def test_an_image_that_was_revoked_is_not_recorded_whatever_else_it_is() -> None:
    both = ledger(entry("1", records.Status.REVOKED, PCRS), entry("2", records.Status.ACTIVE, PCRS))
    found = identity.recorded(both, PCRS, of="x")
    assert (found.outcome, found.detail) == (Outcome.FAIL, "app-1@prod is revoked, not active")


def test_an_image_that_is_near_a_record() -> None:
    found = identity.recorded(ledger(entry("1", records.Status.ACTIVE, PCRS)), {**PCRS, 0: b"\x01" * 48}, of="x")
    assert found.outcome is Outcome.FAIL
    assert found.detail == "no entry of x matches; nearest: 2 of 3 registers equal those of app-1@prod; PCR0 differs"


def test_an_image_that_is_near_nothing() -> None:
    found = identity.recorded(ledger(), PCRS, of="x")
    assert (found.outcome, found.detail) == (Outcome.FAIL, "no entry of x has any register in common with it")


def test_a_record_that_also_pins_the_parent_is_judged_by_the_image() -> None:
    pinned = {**PCRS, 4: pcr.for_instance("i-0123456789abcdef0")}
    assert identity.recorded(ledger(entry("1", records.Status.ACTIVE, pinned)), PCRS, of="x").outcome is Outcome.PASS


def test_a_record_of_another_platform_says_nothing_about_enclaves() -> None:
    other = records.new_entry(
        component="ami",
        environment="prod",
        version="1",
        pcrs={4: b"\x04" * 48, 7: b"\x07" * 48},
        recorded_at=AT,
        platform=records.NITRO_TPM,
        status=records.Status.ACTIVE,
    )
    assert identity.entries_for(ledger(other), PCRS) == ()
    assert identity.recorded(ledger(other), PCRS, of="x").outcome is Outcome.FAIL


def test_an_unsigned_image_is_not_the_signed_record() -> None:
    signed = {**PCRS, 8: b"\x08" * 48}
    assert identity.recorded(ledger(entry("1", records.Status.ACTIVE, signed)), PCRS, of="x").outcome is Outcome.FAIL


# -- which enclave

A = dataclasses.replace(RUNNING, name="a", id="i-0-enc1")
B = dataclasses.replace(RUNNING, name="b", id="i-0-enc2")
B2 = dataclasses.replace(RUNNING, name="b", id="i-0-enc3")


@pytest.mark.parametrize(("wanted", "found"), [("a", A), ("i-0-enc1", A), ("i-0-enc3", B2)])
def test_an_enclave_is_found_by_name_or_id(wanted: str, found: Enclave) -> None:
    assert enclaves.resolve([A, B, B2], wanted) is found


def test_an_id_goes_before_a_name() -> None:
    trap = dataclasses.replace(RUNNING, name="i-0-enc1", id="i-0-enc9")
    assert enclaves.resolve([trap, A], "i-0-enc1") is A


def test_a_name_that_two_have() -> None:
    with pytest.raises(CannotAnswer) as caught:
        enclaves.resolve([A, B, B2], "b")
    assert (caught.value.message, caught.value.hints) == (
        "2 enclaves are named 'b'",
        ("use an id: i-0-enc2, i-0-enc3",),
    )


def test_a_name_that_nobody_has_lists_what_runs() -> None:
    with pytest.raises(CannotAnswer) as caught:
        enclaves.resolve([A, B], "i-0-enc", partial=True)
    assert caught.value.hints == (
        "running: a (i-0-enc1), b (i-0-enc2)",
        "not every enclave answered; run it again, or as root",
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [("app.eif", "app"), ("/a/b.eif/app.eif.eif", "app"), ("app.img", "app.img"), ("d/app", "app"), (".eif", "")],
)
def test_the_name_nitro_cli_gives(path: str, name: str) -> None:
    assert enclaves.default_name(path) == name


@pytest.mark.parametrize(
    ("name", "config", "acm"),
    [
        ("p11ne", None, True),
        ("p11ne_1", None, True),
        ("p11ne_x", None, False),
        ("p11ne2", None, False),
        ("mine", None, False),
        ("mine", "enclave:\n  image_path: /opt/mine.eif  # ours\n", True),
        ("mine_2", 'enclave:\n  image_path: "/opt/mine.eif"\n', True),
        ("p11ne", "enclave:\n  image_path: /opt/mine.eif\n", True),
        ("mine", "\xff", False),
    ],
)
def test_which_enclave_is_the_acm_agents(name: str, config: str | None, acm: bool, tmp_path: Path) -> None:  # noqa: FBT001
    if config is not None:
        (tmp_path / "etc/nitro_enclaves").mkdir(parents=True)
        (tmp_path / "etc/nitro_enclaves/acm.yaml").write_text(config, encoding="latin-1")
    names = enclaves.acm_names(str(tmp_path))
    assert enclaves.is_acm(dataclasses.replace(RUNNING, name=name), names) is acm
