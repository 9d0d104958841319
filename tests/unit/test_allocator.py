"""The allocator's file as the allocator reads it: every row of what was measured on the real reader is a row here."""

from pathlib import Path

import pytest

from nitroctl.checks import Outcome, Report
from nitroctl.errors import CannotAnswer
from nitroctl.host import allocator, allocator_host, allocator_rules, cpulist
from nitroctl.host.allocator import CPU_COUNT, CPU_POOL, MEMORY, Reading, parse, with_values
from nitroctl.host.allocator_repair import repair

GOOD = b"---\n# Enclave configuration.\n#\nmemory_mib: 512\n#\n# How many CPUs.\ncpu_count: 2\n#\n# cpu_pool: 2,3,6-9\n"
TAIL = b"cpu_count: 2\n"
MISSING_MEMORY = "Config error: missing memory reservation"
MISSING_CPU = "Config error: missing CPU reservation"


def count(memory: str = "512", cpus: str = "2") -> Reading:
    return Reading(memory, cpus, None)


def pool(cpus: str) -> Reading:
    return Reading("512", None, cpus)


def refused(words: str, line: int) -> Reading:
    return Reading(refusal=words, line=line)


READINGS = [
    ("the shipped form", GOOD, count()),
    ("no start marker: all passed over", b"memory_mib: 512\ncpu_count: 2\n", refused(MISSING_MEMORY, 0)),
    ("empty", b"", refused(MISSING_MEMORY, 0)),
    (
        "text, comments, directives and blanks before the marker",
        b"%YAML 1.1\n\n# x\nfoo\n---\nmemory_mib: 512\n" + TAIL,
        count(),
    ),
    ("indented keys", b"---\n  memory_mib: 512\n\tcpu_count: 2\n", count()),
    ("indented comment", b"---\n   # c\nmemory_mib: 512\n" + TAIL, count()),
    ("no space after the colon", b"---\nmemory_mib:512\ncpu_count:2\n", count()),
    ("blank line", b"---\nmemory_mib: 512\n\ncpu_count: 2\n", refused("unexpected:", 3)),
    ("line of blanks", b"---\nmemory_mib: 512\n \t \ncpu_count: 2\n", refused("unexpected:", 3)),
    ("last line without newline is lost", b"---\nmemory_mib: 512\ncpu_count: 2", Reading("512", refusal=MISSING_CPU)),
    ("a comment without newline harms nothing", b"---\nmemory_mib: 512\ncpu_count: 2\n# end", count()),
    ("CR LF", GOOD.replace(b"\n", b"\r\n"), refused(MISSING_MEMORY, 0)),
    ("CR LF but for the marker", b"---\nmemory_mib: 512\r\ncpu_count: 2\r\n", count("512\r", "2\r")),
    ("double quotes are stripped", b'---\nmemory_mib: "512"\ncpu_pool: "2,3"\n', pool("2,3")),
    ("double quotes without a space before are not", b'---\nmemory_mib:"512"\n' + TAIL, count('"512')),
    ("single quotes stay", b"---\nmemory_mib: 512\ncpu_pool: '3'\n", pool("'3'")),
    ("a comment after a value is part of it", b"---\nmemory_mib: 512 # MiB\n" + TAIL, count("512 # MiB")),
    ("list item", b"---\n- memory_mib: 512\n  cpu_count: 2\n", refused("unexpected: -", 2)),
    ("unknown key", b"---\nmemory: 512\n" + TAIL, refused("unexpected: memory", 2)),
    ("upper case", b"---\nMEMORY_MIB: 512\n" + TAIL, refused("unexpected: MEMORY_MIB", 2)),
    ("no value", b"---\nmemory_mib:\n" + TAIL, refused("missing value for memory_mib", 2)),
    ("empty quotes", b'---\nmemory_mib: ""\n' + TAIL, refused("missing value for memory_mib", 2)),
    ("end-of-document dots", b"---\nmemory_mib: 512\ncpu_count: 2\n...\n", refused("unexpected:", 4)),
    ("a directive after the marker", b"---\n%YAML 1.1\n", refused("unexpected:", 2)),
    ("second document overrides", GOOD + b"---\nmemory_mib: 1024\n", count("1024")),
    ("the same key twice: the last", b"---\nmemory_mib: 512\nmemory_mib: 1024\n" + TAIL, count("1024")),
    ("blank in a CPU list stays", b"---\nmemory_mib: 512\ncpu_pool: 2, 3\n", pool("2, 3")),
    ("the first blank goes when none follows the colon", b"---\nmemory_mib: 512\ncpu_pool:2, 3\n", pool("2,3")),
    ("blanks after the marker", b"---  \t\nmemory_mib: 512\n" + TAIL, count()),
    ("blanks before the marker", b"  ---\nmemory_mib: 512\n" + TAIL, count()),
    ("a comment on the marker's line", b"--- # x\nmemory_mib: 512\n" + TAIL, refused(MISSING_MEMORY, 0)),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD, refused(MISSING_MEMORY, 0)),
    (
        "both CPU keys",
        GOOD + b"cpu_pool: 2\n",
        Reading("512", "2", "2", "Config error: `cpu_count` conflicts with `cpu_pool`."),
    ),
    ("no memory", b"---\ncpu_count: 2\n", Reading(None, "2", None, MISSING_MEMORY)),
    ("the value follows the last colon", b"---\nmemory_mib: x: 512\n" + TAIL, count()),
    ("no colon", b"---\nmemory_mib 512\n" + TAIL, count("memory_mib512")),
    ("text after the key", b"---\nmemory_mib of all: 512\n" + TAIL, count()),
    ("a backslash goes", b"---\nmemory_mib: 5\\12\n" + TAIL, count()),
    ("an escaped blank stays", b"---\n\\ memory_mib: 512\n" + TAIL, refused("unexpected:", 2)),
    (
        "a comment that ends in a backslash swallows the next line",
        b"---\n# c \\\nmemory_mib: 512\n" + TAIL,
        Reading(None, "2", None, MISSING_MEMORY),
    ),
    ("two backslashes do not", b"---\n# c \\\\\nmemory_mib: 512\n" + TAIL, count()),
    ("an entry continued", b"---\nmemory_mib: 512\ncpu_pool: 2,\\\n3\n", pool("2,3")),
    (
        "a last line that ends in a backslash is lost",
        b"---\nmemory_mib: 512\ncpu_count: 2 \\\n",
        Reading("512", refusal=MISSING_CPU),
    ),
    ("NUL bytes are dropped", b"---\nmemory_mib: 5\x0012\n" + TAIL, count()),
]


@pytest.mark.parametrize(("content", "expected"), [row[1:] for row in READINGS], ids=[row[0] for row in READINGS])
def test_the_reader(content: bytes, expected: Reading) -> None:
    file = parse(content)
    assert file.content == content
    assert allocator.read(file) == expected
    assert allocator.read(file).accepted is (not expected.refusal)


def report(content: bytes) -> Report:
    return allocator_rules.report(parse(content))


def wrong(content: bytes) -> dict[str, str]:
    """Return the checks that are FAIL or WARN with what they found."""
    found = report(content)
    return {
        check.id: f"{check.outcome}: {check.detail}" for check in found if check.outcome in (Outcome.FAIL, Outcome.WARN)
    }


def changed(old: bytes, new: bytes) -> bytes:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


M, C = b"memory_mib: 512", b"cpu_count: 2"
YAML_SAYS = "allocator.yaml-agrees"
BAD_DOCUMENT = "warn: YAML cannot read it: expected '<document start>', but found '<block mapping start>', line 7"
RULES = [
    (
        "crlf",
        changed(M, M + b"\r"),
        {
            "allocator.crlf": "fail: line 4: 1 line with CR LF",
            "allocator.memory": "fail: line 4: '512\\r' is not a number of MiB",
            YAML_SAYS: "warn: memory_mib: the allocator takes '512\\r', YAML says '512'",
        },
    ),
    (
        "blank line",
        changed(M, M + b"\n"),
        {"allocator.blank-line": "fail: line 5: blank: the allocator fails with “unexpected:”"},
    ),
    (
        "no final newline",
        GOOD + b"# x",
        {"allocator.final-newline": "warn: line 10: no newline at its end: the allocator never sees it; harmless"},
    ),
    (
        "unknown key",
        changed(C, b"cpus: 2\n" + C),
        {
            "allocator.unknown-key": "fail: line 7: 'cpus'",
            YAML_SAYS: "warn: cpus: the allocator takes nothing, YAML says '2'",
        },
    ),
    ("dots", GOOD + b"...\n", {"allocator.unknown-key": "fail: line 10: '...'"}),
    (
        "missing value",
        changed(M, b"memory_mib:"),
        {
            "allocator.missing-value": "fail: line 4: memory_mib",
            YAML_SAYS: "warn: memory_mib: the allocator takes '', YAML says ' (null)'",
        },
    ),
    (
        "duplicate key",
        changed(M, b"memory_mib: 64\n" + M),
        {
            "allocator.duplicate-key": "fail: line 4: memory_mib stands again on line 5, and that one counts",
            YAML_SAYS: "warn: memory_mib stands twice",
        },
    ),
    (
        "inline comment",
        changed(M, M + b" # MiB"),
        {
            "allocator.inline-comment": "fail: line 4: the value becomes '512 # MiB'",
            YAML_SAYS: "warn: memory_mib: the allocator takes '512 # MiB', YAML says '512'",
        },
    ),
    (
        "single quotes",
        changed(C, b"cpu_pool: '3'"),
        {
            "allocator.single-quotes": "fail: line 7: the quotes stay in the value: '3'",
            YAML_SAYS: "warn: cpu_pool: the allocator takes \"'3'\", YAML says '3'",
        },
    ),
    ("double quotes", changed(C, b'cpu_pool: "3"'), {}),
    ("no space", changed(M, b"memory_mib:512"), {YAML_SAYS: BAD_DOCUMENT}),
    ("indented", changed(M, b"  memory_mib: 512"), {YAML_SAYS: BAD_DOCUMENT}),
    (
        "octal to the shell",
        changed(M, b"memory_mib: 0512"),
        {
            "allocator.memory": "fail: line 4: 0512 begins with 0, which the shell takes for octal",
            YAML_SAYS: "warn: memory_mib: the allocator takes '0512', YAML says '0512 (int)'",
        },
    ),
    (
        "underscore",
        changed(M, b"memory_mib: 1_024"),
        {
            "allocator.memory": "fail: line 4: '1_024' is not a number of MiB",
            YAML_SAYS: "warn: memory_mib: the allocator takes '1_024', YAML says '1_024 (int)'",
        },
    ),
    (
        "no memory at all",
        changed(M, b"memory_mib: 0"),
        {"allocator.memory": "fail: line 4: 0 MiB: no enclave runs in less than 64 MiB"},
    ),
    (
        "under the least",
        changed(M, b"memory_mib: 62"),
        {"allocator.memory": "fail: line 4: 62 MiB: no enclave runs in less than 64 MiB"},
    ),
    ("the least", changed(M, b"memory_mib: 64"), {}),
    (
        "odd",
        changed(M, b"memory_mib: 513"),
        {"allocator.memory": "warn: line 4: 513 MiB is odd and is rounded up: enclaves' hugepages have 2 MiB or more"},
    ),
    (
        "more than can be counted",
        changed(M, b"memory_mib: 8796093022208"),
        {"allocator.memory": "fail: line 4: 8796093022208 MiB is more than the allocator can count"},
    ),
    (
        "more digits than Python converts",
        changed(M, b"memory_mib: " + b"9" * 5000),
        {"allocator.memory": f"fail: line 4: {'9' * 5000} MiB is more than the allocator can count"},
    ),
    (
        "neither CPU key",
        changed(C, b"# none"),
        {"allocator.cpu-choice": "fail: there is neither cpu_count nor cpu_pool"},
    ),
    (
        "both CPU keys",
        GOOD + b"cpu_pool: 2\n",
        {"allocator.cpu-choice": "fail: line 10: cpu_count on line 7 and cpu_pool on line 10"},
    ),
    ("no CPUs", changed(C, b"cpu_count: 0"), {"allocator.cpu-count": "fail: line 7: 0 is not above 0"}),
    (
        "a list as count",
        changed(C, b"cpu_count: 2,3"),
        {"allocator.cpu-count": "fail: line 7: '2,3' is not a number of CPUs"},
    ),
    (
        "YAML list as pool",
        changed(C, b"cpu_pool: [2]"),
        {
            "allocator.cpu-pool-syntax": "fail: line 7: '[2]' is not a CPU number or a range such as 6-9",
            YAML_SAYS: "warn: cpu_pool: the allocator takes '[2]', YAML says 'a sequence'",
        },
    ),
    (
        "blank in the pool",
        changed(C, b"cpu_pool: 2, 3"),
        {"allocator.cpu-pool-syntax": "warn: line 7: blanks stay in the value '2, 3', and not every kernel takes them"},
    ),
    (
        "range down",
        changed(C, b"cpu_pool: 9-6"),
        {"allocator.cpu-pool-syntax": "fail: line 7: the range 9-6 goes down"},
    ),
    ("CPU 0", changed(C, b"cpu_pool: 0-3"), {"allocator.cpu-zero": "fail: line 7: 0-3 has CPU 0"}),
    (
        "list form",
        b"---\n- memory_mib: 512\n  cpu_count: 2\n",
        {
            "allocator.list-form": "fail: line 2: a list item",
            "allocator.memory": "fail: there is no memory_mib",
            YAML_SAYS: "warn: to YAML it is not a mapping",
        },
    ),
    (
        "second document",
        GOOD + b"---\n",
        {
            "allocator.second-document": "warn: line 10: a second ---: later values override earlier ones",
            YAML_SAYS: "warn: YAML cannot read it: but found another document, line 10",
        },
    ),
    (
        "swallowed line",
        changed(b"How many CPUs.", b"How \\"),
        {
            "allocator.backslash": "fail: line 6: the comment ends in a backslash, so the next line is part of it",
            "allocator.cpu-choice": "fail: there is neither cpu_count nor cpu_pool",
            YAML_SAYS: "warn: cpu_count: the allocator takes nothing, YAML says '2'",
        },
    ),
    (
        "no-break space",
        changed(C, b"cpu_count:\xc2\xa02"),
        {
            "allocator.characters": "fail: line 7: byte 0xa0 0xc2",
            "allocator.cpu-count": "fail: line 7: '\\xa02' is not a number of CPUs",
            YAML_SAYS: "warn: YAML cannot read it: could not find expected ':', line 8",
        },
    ),
    (
        "NUL",
        changed(M, b"memory_mib: 5\x0012"),
        {"allocator.characters": "fail: line 4: byte 0x00", YAML_SAYS: "warn: YAML cannot read it: ReaderError"},
    ),
    (
        "no character",
        changed(C, b'cpu_count: "\\UFFFFFFFF"'),
        {
            "allocator.cpu-count": "fail: line 7: 'UFFFFFFFF' is not a number of CPUs",
            YAML_SAYS: "warn: YAML cannot read it: OverflowError",
        },
    ),
    (
        "no version",
        b"%YAML 1." + b"9" * 5000 + b"\n" + GOOD,
        {YAML_SAYS: "warn: YAML cannot read it: ValueError"},
    ),
    (
        "YAML tag",
        changed(M, b"memory_mib: !!python/name:os.system 512"),
        {
            "allocator.memory": "fail: line 4: 'os.system512' is not a number of MiB",
            YAML_SAYS: "warn: memory_mib: the allocator takes 'os.system512', YAML says '512 (os.system)'",
        },
    ),
]


@pytest.mark.parametrize(("content", "expected"), [row[1:] for row in RULES], ids=[row[0] for row in RULES])
def test_each_rule(content: bytes, expected: dict[str, str]) -> None:
    assert wrong(content) == expected
    assert report(content).passed is not any(text.startswith("fail") for text in expected.values())


def test_the_good_file_passes_every_rule() -> None:
    assert wrong(GOOD) == {}
    assert {check.outcome for check in report(GOOD)} == {Outcome.PASS}


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"memory_mib: 512\ncpu_count: 2\n", "there is no line --- alone: the allocator passes over the whole file"),
        (b"", "there is no line --- alone: the allocator passes over the whole file"),
        (GOOD.replace(b"---", b"--- # x"), "line 1: '# x' follows --- on its line, so it does not count"),
        (GOOD.replace(b"---", b"---\r"), "line 1: a carriage return follows ---, so it does not count"),
        (b"\xef\xbb\xbf" + GOOD, "line 1: a byte order mark stands before it"),
    ],
    ids=["none", "empty", "comment", "cr", "bom"],
)
def test_without_a_start_marker_the_entries_are_not_judged(content: bytes, detail: str) -> None:
    found = report(content)
    assert found["allocator.start-marker"].outcome is Outcome.FAIL
    assert found["allocator.start-marker"].detail == detail
    assert found["allocator.memory"].outcome is Outcome.SKIP
    assert found["allocator.memory"].detail == "not checked: blocked by allocator.start-marker"
    assert not found.passed


def test_many_places_are_counted_and_the_first_ones_named() -> None:
    found = report(GOOD + b"\n" * 9)["allocator.blank-line"]
    assert found.detail.startswith("line 10: blank")
    assert found.detail.endswith("; and 3 more")


REPAIRS = [
    ("nothing to do", GOOD, GOOD),
    ("crlf", GOOD.replace(b"\n", b"\r\n"), GOOD),
    ("final newline", GOOD[:-1], GOOD),
    ("byte order mark", b"\xef\xbb\xbf" + GOOD, GOOD),
    ("marker", GOOD.removeprefix(b"---\n"), GOOD),
    ("marker after directives", b"%YAML 1.1\n" + GOOD.removeprefix(b"---\n"), b"%YAML 1.1\n" + GOOD),
    ("comment on the marker's line", GOOD.replace(b"---", b"--- # x"), GOOD.replace(b"---", b"---\n# x")),
    ("content on the marker's line stays", b"--- {a: 1}\n" + GOOD[4:], b"--- {a: 1}\n" + GOOD[4:]),
    ("blank", changed(M, M + b"\n"), changed(M, M + b"\n#")),
    ("inline comment", changed(M, M + b"  # MiB"), changed(M, b"# MiB\n" + M)),
    ("single quotes", changed(C, b"cpu_pool: '2,3'"), changed(C, b"cpu_pool: 2,3")),
    ("blanks in the pool", changed(C, b"cpu_pool:  2 , 3,6-9"), changed(C, b"cpu_pool:  2,3,6-9")),
    ("duplicate", changed(M, b"memory_mib: 64\n" + M), changed(M, b"# memory_mib: 64\n" + M)),
    ("backslash", changed(b"How many CPUs.", b"How \\"), changed(b"How many CPUs.", b"How ")),
    ("unknown key stays", GOOD + b"x: 1\n", GOOD + b"x: 1\n"),
    ("list stays", b"---\n- memory_mib: 512\n", b"---\n- memory_mib: 512\n"),
    ("all at once", b"memory_mib: 512 # MiB\r\n\r\ncpu_pool: '2'", b"---\n# MiB\nmemory_mib: 512\n#\ncpu_pool: 2\n"),
    ("nothing in it", b"# just a comment\n", b"# just a comment\n"),
]


@pytest.mark.parametrize(("content", "expected"), [row[1:] for row in REPAIRS], ids=[row[0] for row in REPAIRS])
def test_repair(content: bytes, expected: bytes) -> None:
    assert repair(content) == expected
    assert repair(expected) == expected


EDITS = [
    ("memory", GOOD, {MEMORY: "1024"}, changed(M, b"memory_mib: 1024")),
    ("the same value", GOOD, {MEMORY: "512", CPU_COUNT: "2"}, GOOD),
    ("the same value in quotes", changed(M, b'memory_mib: "512"'), {MEMORY: "512"}, changed(M, b'memory_mib: "512"')),
    (
        "indentation and spacing",
        changed(M, b"  memory_mib:   512  "),
        {MEMORY: "64"},
        changed(M, b"  memory_mib:   64"),
    ),
    ("no space", changed(M, b"memory_mib:512"), {MEMORY: "64"}, changed(M, b"memory_mib: 64")),
    ("inline comment kept", changed(M, M + b" # MiB"), {MEMORY: "64"}, changed(M, b"memory_mib: 64 # MiB")),
    ("count to pool", GOOD, {CPU_POOL: "2,3"}, changed(C, b"cpu_pool: 2,3")),
    ("pool to count", changed(C, b"cpu_pool: 2,3"), {CPU_COUNT: "4"}, changed(C, b"cpu_count: 4")),
    ("both given: one left", GOOD + b"cpu_pool: 2\n", {CPU_POOL: "2"}, changed(C + b"\n", b"") + b"cpu_pool: 2\n"),
    (
        "the last of two",
        changed(M, b"memory_mib: 64\n" + M),
        {MEMORY: "128"},
        changed(M, b"memory_mib: 64\nmemory_mib: 128"),
    ),
    ("missing", changed(C, b"# none"), {CPU_COUNT: "2"}, changed(C, b"# none").replace(M, M + b"\ncpu_count: 2")),
    ("nothing there", b"---\n# x\n", {MEMORY: "64", CPU_COUNT: "2"}, b"---\nmemory_mib: 64\ncpu_count: 2\n# x\n"),
    (
        "continued entry",
        b"---\nmemory_mib: 512\ncpu_pool: 2,\\\n3\n",
        {CPU_POOL: "4"},
        b"---\nmemory_mib: 512\ncpu_pool: 4\n",
    ),
    ("no colon", changed(M, b"memory_mib 512"), {MEMORY: "64"}, changed(M, b"memory_mib: 64")),
]


@pytest.mark.parametrize(("content", "values", "expected"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS])
def test_edit(content: bytes, values: dict[str, str], expected: bytes) -> None:
    assert with_values(parse(content), values).content == expected


@pytest.mark.parametrize(
    ("text", "cpus"), [("", ()), ("2", (2,)), ("2,3,6-9", (2, 3, 6, 7, 8, 9)), ("3,2,2", (2, 3)), ("8191", (8191,))]
)
def test_cpu_list(text: str, cpus: tuple[int, ...]) -> None:
    assert cpulist.parse(text) == cpus
    assert cpulist.parse(cpulist.show(cpus)) == cpus


@pytest.mark.parametrize(
    "text", ["a", "1,", ",1", "1 ,2", "-1", "1-", "2-1", "8192", "1-2-3", "0x1", "²", "1_0", "999999"]
)
def test_not_a_cpu_list(text: str) -> None:
    with pytest.raises(cpulist.NotACpuList):
        cpulist.parse(text)


def test_cpu_list_as_the_kernel_writes_it() -> None:
    assert cpulist.show([9, 8, 2, 3, 6, 7, 0]) == "0,2-3,6-9"
    assert cpulist.show([]) == ""


def kernel(
    root: Path, *, pool: str | None = "", cpus: int = 8, threads: int = 2, nodes: int = 1, pages: int = 0
) -> str:
    """Lay a small sysfs: CPU n and n + cpus/threads are one core; cores are dealt to nodes in halves."""
    files = {}
    if pool is not None:
        files["sys/module/nitro_enclaves/parameters/ne_cpus"] = pool
    files["sys/devices/system/cpu/present"] = f"0-{cpus - 1}"
    cores = cpus // threads
    for cpu in range(cpus):
        siblings = ",".join(str(cpu % cores + cores * thread) for thread in range(threads))
        files[f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"] = siblings
        files[f"sys/devices/system/cpu/cpu{cpu}/node{cpu % cores * nodes // cores}/cpulist"] = ""
    for node in range(nodes):
        files[f"sys/devices/system/node/node{node}/meminfo"] = f"Node {node} MemTotal:  8388608 kB"
        base = f"sys/devices/system/node/node{node}/hugepages/hugepages-2048kB"
        files[f"{base}/nr_hugepages"] = files[f"{base}/free_hugepages"] = str(pages if node == 0 else 0)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return str(root)


HOST = [
    ("fits", {}, "cpu_count: 2", {}),
    (
        "count above all",
        {},
        "cpu_count: 10",
        {
            "host-cpus": "cpu_count is 10, the host has 8 CPUs",
            "host-node": "cpu_count is 10, and no NUMA node has more than 6 beside CPU 0's core",
        },
    ),
    (
        "count above what is left",
        {},
        "cpu_count: 8",
        {"host-node": "cpu_count is 8, and no NUMA node has more than 6 beside CPU 0's core"},
    ),
    ("half a core", {}, "cpu_count: 3", {"host-cores": "cpu_count is 3, not a multiple of 2, the threads of a core"}),
    ("no hyperthreads", {"threads": 1}, "cpu_count: 3", {}),
    ("a core", {}, "cpu_pool: 1,5", {}),
    ("CPU that is not there", {}, "cpu_pool: 1,5,9", {"host-cpus": "there is no CPU 9; there are 0-7"}),
    ("incomplete core", {}, "cpu_pool: 1-2,5", {"host-cores": "CPU 2 without the other thread of its core, CPU 6"}),
    (
        "sibling of CPU 0",
        {},
        "cpu_pool: 1,4-5",
        {"host-cores": "CPU 4 is CPU 0 or its sibling, which stay with the parent"},
    ),
    ("two nodes", {"nodes": 2}, "cpu_pool: 1,3,5,7", {"host-node": "CPUs 1,3,5,7 are on NUMA nodes 0, 1"}),
    ("second node", {"nodes": 2}, "cpu_pool: 2,6", {}),
    (
        "too much memory",
        {},
        "memory_mib: 8192\ncpu_count: 2",
        {"host-memory": "memory_mib is 8192, and the NUMA node has 8192 MiB in all"},
    ),
]


@pytest.mark.parametrize(("host", "entry", "expected"), [row[1:] for row in HOST], ids=[row[0] for row in HOST])
def test_what_the_host_can_do(tmp_path: Path, host: dict[str, int], entry: str, expected: dict[str, str]) -> None:
    memory = "" if "memory" in entry else "memory_mib: 512\n"
    reading = allocator.read(parse(f"---\n{memory}{entry}\n".encode()))
    state = allocator_host.state(kernel(tmp_path, **host))  # type: ignore[arg-type]
    found = allocator_host.report(reading, state)
    failed = {check.id.removeprefix("allocator."): check.detail for check in found.having(Outcome.FAIL)}
    assert failed == expected
    assert found.passed is (not expected)


@pytest.mark.parametrize(
    ("pool", "pages", "entry", "outcome", "detail"),
    [
        (None, 0, "cpu_count: 2", Outcome.SKIP, "not checked: no Nitro Enclaves driver here"),
        ("1,5", 256, "cpu_count: 2", Outcome.PASS, ""),
        ("1,5", 256, "cpu_pool: 5,1", Outcome.PASS, ""),
        ("1,5", 257, "cpu_count: 2", Outcome.PASS, ""),  # rounded up to the smallest page
        ("1,5", 258, "cpu_count: 2", Outcome.WARN, "the file asks for 512 MiB, the kernel has 516 MiB of hugepages"),
        ("", 256, "cpu_count: 2", Outcome.WARN, "the file asks for 2 CPUs, the kernel's pool is empty"),
        ("2,6", 256, "cpu_pool: 1,5", Outcome.WARN, "the file asks for CPUs 1,5, the kernel's pool is 2,6"),
        ("1,5", 256, "cpus: 2", Outcome.SKIP, "not checked: the allocator refuses the file"),
    ],
)
def test_whether_the_kernel_agrees(  # noqa: PLR0917  (the columns of the table)
    tmp_path: Path, pool: str | None, pages: int, entry: str, outcome: Outcome, detail: str
) -> None:
    reading = allocator.read(parse(f"---\nmemory_mib: 512\n{entry}\n".encode()))
    check = allocator_host.agreement(reading, allocator_host.state(kernel(tmp_path, pool=pool, pages=pages)))
    assert (check.outcome, check.detail, check.required) == (outcome, detail, False)


def test_a_host_that_says_nothing_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "sys/module/nitro_enclaves/parameters/ne_cpus"
    path.parent.mkdir(parents=True)
    path.write_text("\n")
    found = allocator_host.report(allocator.read(parse(GOOD)), allocator_host.state(str(tmp_path)))
    assert {check.id: check.outcome for check in found if check.id != "allocator.kernel-agrees"} == dict.fromkeys(
        ("allocator.host-cpus", "allocator.host-cores", "allocator.host-node", "allocator.host-memory"), Outcome.SKIP
    )


def test_offline_cpus_of_the_pool_are_not_called_half_a_core(tmp_path: Path) -> None:
    root = kernel(tmp_path, pool="1,5", pages=256)
    for cpu in (1, 5):
        (tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").unlink()
    outcomes = {}
    for cpus in ("1,5", "1,2,6", "1,2", "2,6"):
        reading = allocator.read(parse(changed(C, f"cpu_pool: {cpus}".encode())))
        outcomes[cpus] = allocator_host.report(reading, allocator_host.state(root))["allocator.host-cores"].outcome
    # what the kernel holds is whole; of what it does not show, nothing is said
    assert outcomes == {"1,5": Outcome.PASS, "1,2,6": Outcome.SKIP, "1,2": Outcome.FAIL, "2,6": Outcome.PASS}


def test_cpus_whose_node_is_not_known_are_not_counted_out(tmp_path: Path) -> None:
    root = kernel(tmp_path, pool="1-2,5-6", pages=256)
    for cpu in (1, 2, 5, 6):
        (tmp_path / f"sys/devices/system/cpu/cpu{cpu}/node0/cpulist").unlink()
        (tmp_path / f"sys/devices/system/cpu/cpu{cpu}/node0").rmdir()
    reading = allocator.read(parse(changed(C, b"cpu_count: 4")))
    found = allocator_host.report(reading, allocator_host.state(root))
    assert (found["allocator.host-node"].outcome, found.passed) == (Outcome.SKIP, True)


@pytest.mark.parametrize("text", ["x", "0-99999", "\x80"])
def test_a_kernel_file_in_another_form_is_an_error(tmp_path: Path, text: str) -> None:
    root = kernel(tmp_path)
    (tmp_path / "sys/devices/system/cpu/present").write_text(text, encoding="latin-1")
    with pytest.raises(CannotAnswer) as caught:
        allocator_host.state(root)
    assert caught.value.code == "allocator.kernel-file"
