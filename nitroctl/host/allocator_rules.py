"""What can be wrong with an allocator file: every rule of its reader as a check, with lines and what to do.

A finding is FAIL when the allocator refuses the file, reads something else than is written, or reserves what no enclave
can use; WARN when it works but another reader would see something else.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl.checks import Check, Outcome, Report, blocked
from nitroctl.host import cpulist
from nitroctl.host.allocator import (
    CPU_COUNT,
    CPU_POOL,
    KEYS,
    MEMORY,
    AllocatorFile,
    Kind,
    Line,
    physical_lines,
)
from nitroctl.host.allocator_repair import mended_entry, start_place
from nitroctl.host.allocator_yaml import yaml_check

#: The driver gives no enclave less; below it nothing can run. (facts: nitro_enclaves driver, NE_MIN_MEM_REGION)
LEAST_MEMORY_MIB: Final = 64
#: The script multiplies by 2**20 in 64-bit signed arithmetic.
MOST_MEMORY_MIB: Final = 2**43 - 1
_SOURCE: Final = "nitro-enclaves-allocator of aws-nitro-enclaves-cli 1.5.0, parse_config"
_REPAIR: Final = "nitroctl allocator set --repair does it"
_INLINE_COMMENT = re.compile(r"(?:^|[ \t])#")
_SHOWN_LINES: Final = 6


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its check id, the title that is true when it holds, what to do, and whether ``repair`` can do it."""

    id: str
    title: str
    remedy: str
    repairable: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule does not hold. ``line``: from 1, or 0 for the whole file. ``outcome``: FAIL or WARN."""

    rule: str
    line: int
    text: str
    outcome: Outcome = Outcome.FAIL
    repairable: bool = True

    def as_json(self) -> dict[str, object]:
        """Return the finding as JSON members."""
        return {
            "check": self.rule,
            "line": self.line,
            "outcome": self.outcome.value,
            "text": self.text,
            "repairable": self.repairable,
        }


#: About bytes and lines: looked at in every file.
WHOLE_FILE: Final = (
    Rule("allocator.crlf", "lines end with LF alone", f"write LF line ends: {_REPAIR}", repairable=True),
    Rule(
        "allocator.start-marker",
        "a line is exactly ---, from which the allocator reads on",
        f"write --- alone on a line before the first setting: {_REPAIR}",
        repairable=True,
    ),
    Rule(
        "allocator.final-newline",
        "the last line ends with a newline",
        f"end the last line with a newline: {_REPAIR}",
        repairable=True,
    ),
)
#: About the lines after the start marker: blocked when there is none.
ENTRIES: Final = (
    Rule("allocator.characters", "settings are plain ASCII text", "delete the character"),
    Rule(
        "allocator.backslash",
        "no comment swallows the next line by ending in a backslash",
        f"delete the backslash: {_REPAIR}",
        repairable=True,
    ),
    Rule("allocator.blank-line", "no line after --- is blank", f"write # in place of it: {_REPAIR}", repairable=True),
    Rule(
        "allocator.second-document",
        "--- stands once",
        "keep one --- and one set of keys: the allocator reads all documents as one",
    ),
    Rule(
        "allocator.list-form",
        "the file is one flat mapping",
        "write memory_mib and one of cpu_count and cpu_pool once, without -; released allocators read no list",
    ),
    Rule(
        "allocator.unknown-key",
        "every key is memory_mib, cpu_count or cpu_pool",
        "correct the key, or write the line as a comment",
    ),
    Rule("allocator.missing-value", "every key has a value", "write the value, or the line as a comment"),
    Rule(
        "allocator.duplicate-key",
        "no key stands twice",
        f"keep the last, which the allocator takes: {_REPAIR}",
        repairable=True,
    ),
    Rule(
        "allocator.inline-comment",
        "comments stand on lines of their own",
        f"move the comment to its own line: {_REPAIR}",
        repairable=True,
    ),
    Rule("allocator.single-quotes", "no value is in single quotes", f"drop the quotes: {_REPAIR}", repairable=True),
    Rule(
        "allocator.memory",
        "memory_mib is an amount that enclaves can use",
        f"set an even number of MiB, at least {LEAST_MEMORY_MIB}: nitroctl allocator set --memory-mib N",
    ),
    Rule(
        "allocator.cpu-choice",
        "exactly one of cpu_count and cpu_pool is given",
        "nitroctl allocator set --cpu-count N, or --cpu-pool LIST, leaves one of them",
    ),
    Rule(
        "allocator.cpu-count",
        "cpu_count is a whole number above 0",
        "nitroctl allocator set --cpu-count N",
    ),
    Rule(
        "allocator.cpu-pool-syntax",
        "cpu_pool is a list of CPUs such as 2,3,6-9",
        "write numbers and ranges with commas and no blanks: nitroctl allocator set --cpu-pool LIST",
        repairable=True,
    ),
    Rule(
        "allocator.cpu-zero",
        "CPU 0 stays with the parent",
        "take CPU 0 and its sibling out of cpu_pool: nitroctl allocator set --cpu-pool LIST",
    ),
)


def findings(file: AllocatorFile) -> tuple[Finding, ...]:
    """Return everywhere a rule does not hold, in the order of the rules, then of the lines."""
    found = [*_file_findings(file)]
    if file.started:
        for line in file.lines:
            found += _line_findings(line)
        found += _key_findings(file)
        found += _value_findings(file)
    order = {rule.id: number for number, rule in enumerate((*WHOLE_FILE, *ENTRIES))}
    return tuple(sorted(found, key=lambda finding: (order[finding.rule], finding.line)))


def _file_findings(file: AllocatorFile) -> Iterator[Finding]:
    content = file.content
    ends = [number for number, line in enumerate(physical_lines(content), 1) if line.rstrip(b"\n").endswith(b"\r")]
    if ends:
        yield Finding("allocator.crlf", ends[0], f"{_count(ends, 'line')} with CR LF")
    if not file.started:
        yield _no_start(file)
    last = file.lines[-1] if file.lines else None
    if last and last.kind is Kind.LOST:
        harmless = not last.key
        text = "no newline at its end: the allocator never sees it" + ("; harmless" if harmless else "")
        yield Finding("allocator.final-newline", last.number, text, Outcome.WARN if harmless else Outcome.FAIL)


def _no_start(file: AllocatorFile) -> Finding:
    for line in file.lines:
        if line.number == 1 and line.raw.startswith(b"\xef\xbb\xbf"):
            return Finding("allocator.start-marker", line.number, "a byte order mark stands before it")
        if line.text.startswith("---") and line.text[3:4] in ("\r", " ", "\t"):
            rest = line.text[3:].strip()
            text = f"{rest!r} follows --- on its line" if rest else "a carriage return follows ---"
            mends = not rest or rest.startswith("#")
            return Finding("allocator.start-marker", line.number, f"{text}, so it does not count", repairable=mends)
    text = "there is no line --- alone: the allocator passes over the whole file"
    return Finding("allocator.start-marker", 0, text, repairable=start_place(file.lines) is not None)


def _line_findings(line: Line) -> Iterator[Finding]:
    number = line.number
    if line.kind is Kind.COMMENT and b"\n" in line.raw[:-1]:
        yield Finding("allocator.backslash", number, "the comment ends in a backslash, so the next line is part of it")
    if line.kind is Kind.BLANK:
        yield Finding("allocator.blank-line", number, "blank: the allocator fails with “unexpected:”")
    if line.kind is not Kind.ENTRY:
        return
    body = line.raw.removesuffix(b"\n").removesuffix(b"\r")
    strange = sorted({byte for byte in body if (byte < 0x20 and byte != 0x09) or byte > 0x7E})  # noqa: PLR2004
    if strange:
        shown = " ".join(f"0x{byte:02x}" for byte in strange[:_SHOWN_LINES])
        yield Finding("allocator.characters", number, f"byte {shown}", repairable=False)
    if line.text == "-" or line.text.startswith("- "):
        yield Finding("allocator.list-form", number, "a list item", repairable=False)
    elif line.key not in KEYS:
        what = f"{line.key!r}" if line.key else f"{line.text!r}"
        yield Finding("allocator.unknown-key", number, what, repairable=False)
    elif not line.value:
        yield Finding("allocator.missing-value", number, line.key, repairable=False)
    elif _INLINE_COMMENT.search(line.value):
        text = f"the value becomes {line.value!r}"
        yield Finding("allocator.inline-comment", number, text, repairable=mended_entry(line) != line.raw)
    elif line.value.startswith("'"):
        yield Finding(
            "allocator.single-quotes",
            number,
            f"the quotes stay in the value: {line.value}",
            repairable=mended_entry(line) != line.raw,
        )


def _key_findings(file: AllocatorFile) -> Iterator[Finding]:
    starts = [line.number for line in file.lines if line.kind is Kind.START]
    for number in starts[1:]:
        text = "a second ---: later values override earlier ones"
        yield Finding("allocator.second-document", number, text, Outcome.WARN, repairable=False)
    for key in KEYS:
        entries = file.entries(key)
        for line in entries[:-1]:
            text = f"{key} stands again on line {entries[-1].number}, and that one counts"
            yield Finding("allocator.duplicate-key", line.number, text, repairable=b"\\" not in line.raw)


def _value_findings(file: AllocatorFile) -> Iterator[Finding]:
    """Look at the values that count; a value that already has a finding about its form gets no second one."""
    memory, count, pool = (_last(file, key) for key in (MEMORY, CPU_COUNT, CPU_POOL))
    if memory is None:
        yield Finding("allocator.memory", 0, "there is no memory_mib", repairable=False)
    elif _plain(memory):
        problem, outcome = memory_problem(memory.value)
        if problem:
            yield Finding("allocator.memory", memory.number, problem, outcome, repairable=False)
    if count is None and pool is None:
        yield Finding("allocator.cpu-choice", 0, "there is neither cpu_count nor cpu_pool", repairable=False)
    if count is not None and pool is not None:
        text = f"cpu_count on line {count.number} and cpu_pool on line {pool.number}"
        yield Finding("allocator.cpu-choice", max(count.number, pool.number), text, repairable=False)
    if count is not None and _plain(count) and (problem := count_problem(count.value)):
        yield Finding("allocator.cpu-count", count.number, problem, repairable=False)
    if pool is not None and _plain(pool):
        yield from _pool_findings(pool)


def _pool_findings(pool: Line) -> Iterator[Finding]:
    try:
        cpus = cpulist.parse(pool.value)
    except cpulist.NotACpuList as error:
        tight = re.sub(r"[ \t]*,[ \t]*", ",", pool.value)
        try:
            cpus = cpulist.parse(tight)
        except cpulist.NotACpuList:
            yield Finding("allocator.cpu-pool-syntax", pool.number, str(error), repairable=False)
            return
        text = f"blanks stay in the value {pool.value!r}, and not every kernel takes them"
        yield Finding(
            "allocator.cpu-pool-syntax", pool.number, text, Outcome.WARN, repairable=mended_entry(pool) != pool.raw
        )
    if 0 in cpus:
        yield Finding("allocator.cpu-zero", pool.number, f"{pool.value} has CPU 0", repairable=False)


def _last(file: AllocatorFile, key: str) -> Line | None:
    return next(iter(reversed(file.entries(key))), None)


def _plain(line: Line) -> bool:
    """Whether the value has no finding of its form, so that its content is worth a look."""
    return bool(line.value) and not _INLINE_COMMENT.search(line.value) and not line.value.startswith("'")


def memory_problem(value: str) -> tuple[str, Outcome]:
    """Return why ``value`` cannot be (FAIL) or should not be (WARN) a memory_mib; the empty text when it is fine."""
    if not re.fullmatch(r"[0-9]+", value):
        return f"{value!r} is not a number of MiB", Outcome.FAIL
    if value.startswith("0") and value.strip("0"):
        return f"{value} begins with 0, which the shell takes for octal", Outcome.FAIL
    if len(value) > len(str(MOST_MEMORY_MIB)) or int(value) > MOST_MEMORY_MIB:
        return f"{value} MiB is more than the allocator can count", Outcome.FAIL
    if int(value) < LEAST_MEMORY_MIB:
        return f"{value} MiB: no enclave runs in less than {LEAST_MEMORY_MIB} MiB", Outcome.FAIL
    if int(value) % 2:
        return f"{value} MiB is odd and is rounded up: enclaves' hugepages have 2 MiB or more", Outcome.WARN
    return "", Outcome.PASS


def count_problem(value: str) -> str:
    """Return why ``value`` cannot be a cpu_count; the empty text when it can."""
    if not re.fullmatch(r"[0-9]+", value):
        return f"{value!r} is not a number of CPUs"
    if not value.strip("0"):
        return f"{value} is not above 0"
    if value.startswith("0"):
        return f"{value} begins with 0, which the shell takes for octal"
    if len(value) > len(str(cpulist.HIGHEST)) or int(value) > cpulist.HIGHEST:
        return f"{value} is more CPUs than a kernel knows"
    return ""


def report(file: AllocatorFile) -> Report:
    """Return every rule as a check of ``file``: can the allocator be given it."""
    found = findings(file)
    checks = [_check(rule, found) for rule in WHOLE_FILE]
    if not file.started:
        checks += [blocked(rule.id, rule.title, "allocator.start-marker", source=_SOURCE) for rule in ENTRIES]
        return Report.of(checks)
    absent = {CPU_COUNT: ("allocator.cpu-count",), CPU_POOL: ("allocator.cpu-pool-syntax", "allocator.cpu-zero")}
    left_out = {check_id for key, ids in absent.items() if not file.entries(key) for check_id in ids}
    checks += [_check(rule, found) for rule in ENTRIES if rule.id not in left_out]
    return Report.of([*checks, yaml_check(file)])


def _check(rule: Rule, found: Iterable[Finding]) -> Check:
    mine = [finding for finding in found if finding.rule == rule.id]
    if not mine:
        return Check(id=rule.id, title=rule.title, outcome=Outcome.PASS, source=_SOURCE)
    failed = any(finding.outcome is Outcome.FAIL for finding in mine)
    return Check(
        id=rule.id,
        title=rule.title,
        outcome=Outcome.FAIL if failed else Outcome.WARN,
        detail=_detail(mine),
        remedy=rule.remedy,
        source=_SOURCE,
        required=failed,
    )


def _detail(found: Sequence[Finding]) -> str:
    parts = [f"line {finding.line}: {finding.text}" if finding.line else finding.text for finding in found]
    more = len(parts) - _SHOWN_LINES
    return "; ".join(parts[:_SHOWN_LINES]) + (f"; and {more} more" if more > 0 else "")


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}" + ("" if len(things) == 1 else "s")
