"""What a host can give: the kernel's files, present, absent and odd, and which hugepages a request takes."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from nitroctl.host import machine
from nitroctl.host.machine import MIB, HugePages, plan_pages

GIB_KIB = 1024 * 1024
TWO_MIB_KIB = 2048


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


HOST = {
    "dev/nitro_enclaves": "",
    "sys/module/nitro_enclaves/parameters/ne_cpus": "1,5-6\n",
    "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages": "256\n",
    "sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages": "250\n",
    "sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages": "2\n",
    "sys/devices/system/node/node1/hugepages/hugepages-1048576kB/free_hugepages": "1\n",
    "sys/devices/system/node/possible": "0-1\n",
    "sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0,4\n",
    "sys/devices/virtual/dmi/id/board_asset_tag": "i-0123456789abcdef0\n",
}


def test_a_host_that_is_set_up(tmp_path: Path) -> None:
    host = machine.read(str(lay(tmp_path, HOST)))
    assert host == machine.Machine(
        device=True,
        usable=True,
        pool=(1, 5, 6),
        pages=(HugePages(0, TWO_MIB_KIB, 256, 250), HugePages(1, GIB_KIB, 2, 1)),
        first_core=(0, 4),
        instance_id="i-0123456789abcdef0",
    )
    assert host.free_bytes == (500 + 1024) * MIB


def test_a_machine_that_is_no_enclave_host(tmp_path: Path) -> None:
    assert machine.read(str(tmp_path)) == machine.Machine(
        device=False, usable=False, pool=None, pages=(), first_core=(), instance_id=None
    )


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("sys/module/nitro_enclaves/parameters/ne_cpus", "\n", "pool", ()),
        ("sys/module/nitro_enclaves/parameters/ne_cpus", "no list", "pool", ()),
        ("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0\n", "threads_per_core", 1),
        ("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "?", "threads_per_core", None),
        ("sys/devices/virtual/dmi/id/board_asset_tag", "Not Specified\n", "instance_id", None),
    ],
)
def test_one_file_is_different(name: str, text: str, attribute: str, value: object, tmp_path: Path) -> None:
    host = machine.read(str(lay(tmp_path, {**HOST, name: text})))
    assert getattr(host, attribute) == value


@pytest.mark.parametrize(
    ("first", "pool", "core"),
    [
        ((0, 4), (1, 2, 5, 6), {1: (1, 5), 5: (1, 5), 2: (2, 6), 6: (2, 6)}),
        ((0, 48), (24, 72), {24: (24, 72), 72: (24, 72)}),  # the second of two sockets
        ((0, 1), (2, 3, 6, 7), {2: (2, 3), 3: (2, 3), 6: (6, 7), 7: (6, 7)}),
        ((0,), (1, 3), {1: (1,), 3: (3,)}),
        ((0, 4), (1, 2, 3), {1: (), 2: (), 3: ()}),  # no whole cores: their numbers mean something else
        ((), (1, 2), {1: (), 2: ()}),
        ((0, 4), (), {1: ()}),
        ((0, 4), None, {1: ()}),
    ],
)
def test_cores_go_by_how_the_first_one_is_numbered(
    first: tuple[int, ...], pool: tuple[int, ...] | None, core: Mapping[int, tuple[int, ...]]
) -> None:
    host = machine.Machine(device=True, usable=True, pool=pool, pages=(), first_core=first, instance_id=None)
    assert {cpu: host.core(cpu) for cpu in core} == core


def test_a_page_count_that_is_no_number_is_none(tmp_path: Path) -> None:
    count = "sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages"
    host = machine.read(str(lay(tmp_path, {**HOST, count: "many\n"})))
    assert host.pages[0] == HugePages(0, TWO_MIB_KIB, 256, 0)


@pytest.mark.parametrize(
    ("need_mib", "small", "large", "taken", "missing_mib"),
    [
        (512, 256, 0, {TWO_MIB_KIB: 256}, 0),
        (511, 256, 0, {TWO_MIB_KIB: 256}, 0),
        (514, 256, 0, {TWO_MIB_KIB: 256}, 2),
        (256, 0, 1, {GIB_KIB: 1}, 0),
        (256, 100, 1, {TWO_MIB_KIB: 100, GIB_KIB: 1}, 0),
        (1536, 256, 4, {GIB_KIB: 1, TWO_MIB_KIB: 256}, 0),
        (2048, 1000, 2, {GIB_KIB: 2}, 0),
        (4096, 256, 2, {GIB_KIB: 2, TWO_MIB_KIB: 256}, 1536),
        (64, 0, 0, {}, 64),
    ],
)
def test_which_pages_a_request_takes(
    need_mib: int, small: int, large: int, taken: dict[int, int], missing_mib: int
) -> None:
    pages = [HugePages(0, TWO_MIB_KIB, small, small), HugePages(0, GIB_KIB, large, large)]
    plan = plan_pages(need_mib * MIB, pages)
    assert dict(plan.taken) == taken
    assert plan.missing_bytes == missing_mib * MIB


def test_pages_smaller_than_2_mib_are_of_no_use() -> None:
    assert plan_pages(64 * MIB, [HugePages(0, 64, 100_000, 100_000)]).missing_bytes == 64 * MIB


def test_pages_of_one_size_on_several_nodes_count_together() -> None:
    pages = [HugePages(0, TWO_MIB_KIB, 16, 16), HugePages(1, TWO_MIB_KIB, 16, 16)]
    assert plan_pages(64 * MIB, pages) == machine.PagePlan({TWO_MIB_KIB: 32}, 0)
