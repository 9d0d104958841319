"""The allocator's editor under arbitrary input: what is set is read, everything else stays, nothing raises."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from nitroctl.errors import NitroctlError
from nitroctl.host import allocator, allocator_rules, allocator_yaml, cpulist
from nitroctl.host.allocator import CPU_COUNT, CPU_POOL, MEMORY, parse, with_values
from nitroctl.host.allocator_repair import repair

PIECES = [
    b"---",
    b"---\n",
    b"\n",
    b"memory_mib",
    b": ",
    b":",
    b"512",
    b"cpu_count",
    b"cpu_pool",
    b"2,3",
    b"2, 3",
    b"#",
    b" # c",
    b"\\",
    b"\\\n",
    b'"',
    b"'",
    b" ",
    b"\t",
    b"\r\n",
    b"\r",
    b"- ",
    b"x",
    b"...",
    b"\0",
    b"memory_mib: 512\n",
    b"cpu_count: 2\n",
    b"cpu_pool: '2'\n",
    b"%YAML 1.1\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"[[[[",
    b"{",
    b"&a",
    b"*a",
]
jumble = st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))

#: Lines that the allocator passes over, before and after the start marker.
comments = st.lists(
    st.sampled_from([b"# c\n", b"#\n", b"  # memory_mib: 1\n", b"#\xc3\xa9\n", b"# a: b # c\n"]), max_size=3
)
spaces = st.sampled_from([b"", b" ", b"   ", b"\t"])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Files that the allocator accepts, in all the ways it does."""
    memory = st.sampled_from([b"512", b'"64"', b"2048  "])
    cpus = st.sampled_from([(b"cpu_count", b"2"), (b"cpu_pool", b"2,3"), (b"cpu_pool", b'"6-9"')])
    key, value = draw(cpus)
    entries = [draw(spaces) + b"memory_mib: " + draw(spaces) + draw(memory) + b"\n"]
    entries.append(draw(spaces) + key + b":" + draw(spaces.filter(bool)) + value + b"\n")
    first, second = draw(st.permutations(entries))
    return b"".join([*draw(comments), b"---\n", *draw(comments), first, *draw(comments), second, *draw(comments)])


cpu_lists = st.sets(st.integers(1, cpulist.HIGHEST), min_size=1, max_size=12)
values = st.fixed_dictionaries({}, optional={MEMORY: st.integers(32, 10**6).map(lambda n: str(2 * n))}).flatmap(
    lambda memory: st.one_of(
        st.just(memory),
        st.integers(1, 256).map(lambda n: {**memory, CPU_COUNT: str(n)}),
        cpu_lists.map(lambda cpus: {**memory, CPU_POOL: cpulist.show(cpus)}),
    )
)


@given(content=files(), wanted=values)
def test_what_is_set_is_read_and_every_other_line_stays(content: bytes, wanted: dict[str, str]) -> None:
    before = parse(content)
    after = with_values(before, wanted)
    reading, old = allocator.read(after), allocator.read(before)
    assert old.accepted
    assert reading.accepted
    taken = {MEMORY: reading.memory_mib, CPU_COUNT: reading.cpu_count, CPU_POOL: reading.cpu_pool}
    assert wanted.items() <= taken.items()
    if MEMORY not in wanted:
        assert reading.memory_mib == old.memory_mib
    if wanted.keys() <= {MEMORY}:
        assert (reading.cpu_count, reading.cpu_pool) == (old.cpu_count, old.cpu_pool)
    assert len(after.lines) == len(before.lines)
    touched = [(a, b) for a, b in zip(before.lines, after.lines, strict=True) if a.raw != b.raw]
    assert len(touched) <= len(wanted)
    assert all(line.known for pair in touched for line in pair)
    assert with_values(after, wanted).content == after.content
    assert allocator_rules.report(after).passed


PLAIN_LINES = """---|# c: d # e|#|  # c|# \\|memory_mib: 512|memory_mib: 64|cpu_count: 2|cpu_count: 02|cpu_pool: 2,3
cpu_pool: 22,3,14|cpu_pool: 1,000|cpu_pool: 2-3|cpu_pool: 2|""".replace("\n", "|").split("|")
plain_lines = st.sampled_from([f"{line}\n".encode() for line in PLAIN_LINES])


@given(st.lists(plain_lines, max_size=8).map(b"".join))
def test_what_is_called_plain_is_what_yaml_agrees_with(content: bytes) -> None:
    file = parse(content)
    agrees = allocator_yaml.yaml_check(file).detail
    assert agrees in ("", allocator_yaml.by_yaml(file))
    assert bool(agrees) is bool(allocator_yaml.by_yaml(file))


@given(jumble)
def test_the_lines_are_the_file(content: bytes) -> None:
    assert parse(content).content == content


@given(jumble, values)
def test_no_bytes_raise_anything_but_our_own_errors(content: bytes, wanted: dict[str, str]) -> None:
    with contextlib.suppress(NitroctlError):
        file = parse(content)
        allocator.read(file)
        allocator_rules.report(file)
        allocator_rules.findings(with_values(file, wanted))
        allocator_rules.report(parse(repair(content)))


@given(jumble)
def test_a_file_that_passes_is_one_the_allocator_accepts(content: bytes) -> None:
    file = parse(content)
    if allocator_rules.report(file).passed:
        assert allocator.read(file).accepted


@given(jumble)
def test_repair_is_done_once_and_leaves_nothing_it_could_do(content: bytes) -> None:
    once = repair(content)
    assert repair(once) == once
    file = parse(once)
    left = [finding for finding in allocator_rules.findings(file) if finding.repairable]
    assert left == []


@given(files())
def test_repair_changes_nothing_that_is_right(content: bytes) -> None:
    assert repair(content) == content


@given(st.sets(st.integers(0, cpulist.HIGHEST), max_size=40))
def test_cpu_lists_survive_writing_and_reading(cpus: set[int]) -> None:
    assert cpulist.parse(cpulist.show(cpus)) == tuple(sorted(cpus))


@given(st.text(max_size=20))
def test_a_cpu_list_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(cpulist.NotACpuList):
        assert all(0 <= cpu <= cpulist.HIGHEST for cpu in cpulist.parse(text))
