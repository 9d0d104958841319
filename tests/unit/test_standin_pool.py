"""What the stand-in gives to enclaves: CPUs, huge pages, slots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl.standin import pool
from nitroctl.standin.failures import Failure

EIGHT = pool.Hardware(cpus=8, threads_per_core=2, nodes=1)


@given(st.sets(st.integers(0, 300)))
def test_lists_of_cpus_are_read_as_written(cpus: set[int]) -> None:
    assert pool.parse_cpus(pool.format_cpus(list(cpus))) == sorted(cpus)


@pytest.mark.parametrize(("text", "code"), [("x", 23), ("1-", 23), ("-1", 23), ("1-2-3", 23), ("5-1", 24)])
def test_lists_of_cpus_that_are_none(text: str, code: int) -> None:
    with pytest.raises(Failure) as caught:
        pool.parse_cpus(text)
    assert caught.value.code == code


def test_siblings_and_nodes() -> None:
    assert list(EIGHT.siblings(1)) == list(EIGHT.siblings(5)) == [1, 5]
    two = pool.Hardware(cpus=8, threads_per_core=2, nodes=2)
    assert [two.node(cpu) for cpu in range(8)] == [0, 0, 1, 1, 0, 0, 1, 1]


def test_whole_cores_are_given_first() -> None:
    assert pool.choose_cpus(2, None, [1, 2, 5, 6], [], EIGHT) == [1, 5]
    assert pool.choose_cpus(2, None, [1, 2, 5, 6], [1, 5], EIGHT) == [2, 6]


def test_one_cpu_will_do_without_hyperthreads() -> None:
    arm = pool.Hardware(cpus=4, threads_per_core=1, nodes=1)
    assert pool.choose_cpus(1, None, [2, 3], [], arm) == [2]


@pytest.mark.parametrize(
    ("count", "ids", "used"), [(0, None, []), (3, None, []), (4, None, [1, 5]), (None, [1, 2], []), (None, [1, 5], [5])]
)
def test_what_the_driver_refuses(count: int | None, ids: list[int] | None, used: list[int]) -> None:
    with pytest.raises(Failure) as caught:
        pool.choose_cpus(count, ids, [1, 2, 5, 6], used, EIGHT)
    assert caught.value.code == 29


def test_cpus_of_two_nodes_are_refused() -> None:
    two = pool.Hardware(cpus=8, threads_per_core=2, nodes=2)
    with pytest.raises(Failure, match="NUMA"):
        pool.choose_cpus(None, [1, 5, 2, 6], [1, 2, 5, 6], [], two)


@pytest.mark.parametrize(
    ("wanted", "free", "taken"),
    [
        (256, {2048: 512}, {2048: 128}),
        (257, {2048: 512}, {2048: 129}),
        (256, {1048576: 1, 2048: 0}, {1048576: 1}),
        (1026, {1048576: 1, 2048: 9}, {1048576: 1, 2048: 1}),
        (1500, {1048576: 2, 2048: 9}, {1048576: 2, 2048: 9}),
    ],
)
def test_pages_are_taken_from_the_largest_down_and_the_rest_from_the_smallest_up(
    wanted: int, free: dict[int, int], taken: dict[int, int]
) -> None:
    assert pool.choose_pages(wanted, free) == taken


@given(st.integers(1, 5000), st.integers(0, 5), st.integers(0, 600))
def test_pages_taken_are_there_and_enough(wanted: int, large: int, small: int) -> None:
    free = {1048576: large, 2048: small}
    if 1024 * large + 2 * small < wanted:
        with pytest.raises(Failure) as caught:
            pool.choose_pages(wanted, free)
        assert caught.value.code == 27
    else:
        taken = pool.choose_pages(wanted, free)
        assert all(0 < number <= free[size] for size, number in taken.items())
        assert sum(size * number for size, number in taken.items()) >= wanted * 1024


def test_slots_begin_with_the_launch_time() -> None:
    assert pool.new_slot(0x1A1FCB80CC59) >> 16 == 0x1A1FCB80CC59


def test_least_memory_is_told_in_whole_mib() -> None:
    pool.check_memory(4, 1024 * 1024)
    with pytest.raises(Failure) as caught:
        pool.check_memory(4, 1024 * 1024 + 1)
    assert (caught.value.code, caught.value.info) == (26, ("4", "8"))
