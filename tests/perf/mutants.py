"""Change a module in small ways and see whether its tests notice: ``python -m tests.perf.mutants FILE...``.

    python -m tests.perf.mutants nitroctl/appraisal/result.py

A mutant is one change (``tests.perf.mutations`` says which). It is killed when a test fails, timed out when the tests
do not end with it, and alive otherwise: either a test is missing, or the change cannot be observed. The latter are
explained, a line each, in ``tests/perf/mutants.toml``. Exit status 1 when any is alive that is not explained there,
or explained and not alive.

The tests run once, watched for which functions they call; those that are slow, or do not pass twice, are left out and
named. Then, in a copy of that process, a mutant's functions get its byte code, and the tests that call them run until
one fails. A mutant that is still alive is tried in a process that imports it, with the tests of the files that name the
module; and what a copy cannot show at all (tables, defaults, what runs while the module is imported) with the others
too. Each of the three has at most ``--seconds`` of tests, the quickest first.

``--results FILE`` keeps what was measured; what a test noticed is not tried again while the module is the same.
Linux only. One process at a time.
"""

import argparse
import hashlib
import importlib
import json
import os
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.perf.mutants_forks import forked
from tests.perf.mutants_trial import ALIVE, KILLED, PYTEST, TIMEOUT, Session, Subject, Watched, imported
from tests.perf.mutations import Module, Mutant

EXPLAINED: Final = Path(__file__).with_suffix(".toml")
_EVIDENCE: Final = (
    *("tests/unit/test_evidence*.py", "tests/unit/test_appraisal*.py"),
    *("tests/cli/test_attest*.py", "tests/*/test_lab.py"),
)
#: The tests of a package's modules, without --tests.
TESTS: Final[Mapping[str, Sequence[str]]] = {
    "evidence": _EVIDENCE,
    "appraisal": _EVIDENCE,
    "nitrotpm": ("tests/unit/test_nitrotpm.py", *_EVIDENCE),
    "kms": (
        "tests/unit/test_kms*.py",
        "tests/unit/test_evidence_recipient.py",
        "tests/cli/test_kms*.py",
        "tests/cli/test_attest_recipient.py",
    ),
}
#: Imported once, by the process from which the others are forked.
_PRELOADED: Final = (
    *(
        "hypothesis.strategies",
        "jsonschema",
        "yaml",
        "typer",
        "rich.console",
        "rich.table",
        "cbor2",
        "cryptography.x509",
    ),
    *("cryptography.hazmat.primitives.asymmetric.ec", "cryptography.hazmat.primitives.serialization"),
)
_ALL_DAY: Final = 86_400.0
#: How much longer than with the module unchanged tests may take: seconds, and so many times as long.
_GRACE, _SLACK = 10.0, 4.0
#: What stands for the files that do not name a module.
_OTHERS: Final = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one mutant."""

    module: str
    sha256: str  # of the module's source
    mutant: str
    line: int
    verdict: str
    test: str = ""  # that noticed
    imported: bool = False  # or tried in a copy, which shows it


@dataclass
class Record:
    """The rows of a measurement, kept in a file as they come."""

    file: Path
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)

    def put(self, subject: Subject, mutant: Mutant, verdict: str, test: str, *, imported: bool = False) -> None:
        row = Row(subject.name, subject.sha256, mutant.name, mutant.line, verdict, test, imported)
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(row)) + "\n")

    def read(self, subjects: Iterable[Subject]) -> None:
        """Read what was measured of these sources, the last of each mutant."""
        sources = {subject.name: subject.sha256 for subject in subjects}
        for line in self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []:
            row = Row(**json.loads(line))
            if sources.get(row.module) == row.sha256:
                self.rows[row.module, row.mutant] = row

    def open(self, subject: Subject) -> list[Mutant]:
        """Return the mutants of which no test is known that notices them."""
        rows = ((mutant, self.rows.get((subject.name, mutant.name))) for mutant in subject.module.mutants)
        return [mutant for mutant, row in rows if row is None or row.verdict == ALIVE]


def subject(path: str) -> Subject:
    """Read a module, given by its file's path from here."""
    source = Path(path).read_bytes()
    full = Path(path).resolve()
    name = ".".join(full.relative_to(Path.cwd()).with_suffix("").parts)
    return Subject(name, str(full), hashlib.sha256(source).hexdigest(), Module(source.decode(), str(full)))


def measure(subjects: Sequence[Subject], tests: Sequence[str], record: Record, *, seconds: float) -> None:
    """Try every mutant that is open, and record what becomes of it."""
    for name in _PRELOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as directory:
        watched = _swapped(subjects, tests, record, seconds=seconds, file=Path(directory, "watched.json"))
    record.read(subjects)
    for each in subjects:
        _imported(each, watched, record, seconds=seconds)
    record.read(subjects)


def _swapped(
    subjects: Sequence[Subject], tests: Sequence[str], record: Record, *, seconds: float, file: Path
) -> Watched:
    """Watch the tests, and try what can be tried in copies of the process that ran them, in a process of its own."""
    stderr = os.dup(2)
    plugin = Session(
        [(each, record.open(each)) for each in subjects],
        record.put,
        lambda text: _say(text, stderr),
        seconds=seconds,
        file=file,
    )
    status, _ = forked(lambda _: int(pytest.main([*PYTEST, *tests], plugins=[plugin])), _ALL_DAY)
    os.close(stderr)
    if status != 0:
        raise SystemExit(f"the tests cannot be run as they are (pytest ends with {status})")
    return Watched.from_json(json.loads(file.read_text(encoding="utf-8")))


def _imported(subject: Subject, watched: Watched, record: Record, *, seconds: float) -> None:
    """Try what is still open in processes that import it: file by file of those that name the module, then the others.

    What a copy shows has met all the tests that call it; the others are for what it does not show.
    """
    left = record.open(subject)
    began = time.monotonic()
    near, others = _order(subject, watched, seconds)
    limits: dict[str, float] = {}
    wins: Counter[str] = Counter()
    for mutant in left:
        code = subject.module.mutated(mutant)
        row = record.rows.get((subject.name, mutant.name))
        verdict, test = ALIVE, ""
        for file in [*sorted(near, key=lambda file: -wins[file]), *([_OTHERS] if row is None or row.imported else [])]:
            tests = near.get(file, others)
            if not tests:
                continue
            if file not in limits:
                limits[file] = _unchanged(subject, tests, watched.seconds)
            verdict, test = imported(subject, code, tests, limits[file], watched.seconds)
            if verdict != ALIVE:
                wins[file] += 1
                break
        record.put(subject, mutant, verdict, test, imported=True)
    if left:
        _say(f"{subject.name}: {len(left)} imported, {time.monotonic() - began:.0f} s")


def _unchanged(subject: Subject, tests: Sequence[str], known: Collection[str]) -> float:
    """Return how long these tests may take, after seeing that they pass where the module is imported unchanged."""
    began = time.monotonic()
    verdict, test = imported(subject, subject.module.code, tests, _ALL_DAY, known)
    if verdict != ALIVE:
        raise SystemExit(f"{subject.name} unchanged: {test or 'its tests'} {verdict}: nothing can be believed")
    return _GRACE + _SLACK * (time.monotonic() - began)


def _order(subject: Subject, watched: Watched, seconds: float) -> tuple[dict[str, list[str]], list[str]]:
    """Return the tests of the files that name a module, and the other tests, the quickest first.

    A file that takes less is before one that takes more: a table is compared whole by a small one, or by none.
    """
    files: dict[str, list[str]] = defaultdict(list)
    for test in sorted(set(watched.seconds).difference(watched.left_out), key=watched.seconds.__getitem__):
        files[test.partition("::")[0]].append(test)
    spent = {file: sum(watched.seconds[test] for test in tests) for file, tests in files.items()}
    near: dict[str, list[str]] = {}
    left = seconds
    for file in sorted(subject.near(files), key=lambda file: ("/cli/" in file, spent[file])):
        if left > 0:
            near[file] = watched.within(files[file], left)
            left -= spent[file]
    others = sorted(
        (test for file in files if file not in near for test in files[file]), key=watched.seconds.__getitem__
    )
    return near, watched.within(others, seconds)


def _say(text: str, descriptor: int = 2) -> None:
    os.write(descriptor, f"{text}\n".encode())


# -- what it comes to


def explanations() -> Mapping[str, Mapping[str, str]]:
    """Return module -> mutant -> why it cannot be noticed."""
    explained: Mapping[str, Mapping[str, str]] = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    return explained


def table(subjects: Sequence[Subject], record: Record, explained: Mapping[str, Mapping[str, str]]) -> tuple[str, bool]:
    """Return the table with the mutants that are alive, and whether all of these are explained and no others."""
    lines = [f"{'module':32}{'mutants':>8}{'killed':>8}{'timeouts':>9}{'alive':>7}{'explained':>10}"]
    total: Counter[str] = Counter()
    alive: list[str] = []
    good = True
    for each in subjects:
        reasons = explained.get(each.name, {})
        rows = [record.rows[each.name, mutant.name] for mutant in each.module.mutants]
        count = Counter(row.verdict for row in rows)
        left = [row for row in rows if row.verdict == ALIVE]
        count["explained"] = sum(row.mutant in reasons for row in left)
        count["mutants"] = len(rows)
        total += count
        lines.append(_line(each.name, count))
        alive += [
            f"{each.name}:{row.line} {row.mutant}\n    {reasons.get(row.mutant, 'NOT EXPLAINED')}" for row in left
        ]
        stale = set(reasons) - {row.mutant for row in left}
        alive += [f"{each.name}: explained, and not alive: {name}" for name in sorted(stale)]
        good = good and not stale and count["explained"] == len(left)
    return "\n".join([*lines, _line("all", total), "", *alive]), good


def _line(name: str, count: Counter[str]) -> str:
    numbers = (count["mutants"], count[KILLED], count[TIMEOUT], count[ALIVE], count["explained"])
    return f"{name:32}" + "".join(f"{number:>{width}}" for number, width in zip(numbers, (8, 8, 9, 7, 10), strict=True))


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a module of nitroctl")
    parser.add_argument("--tests", nargs="+", metavar="FILE", help="test files, in place of the package's")
    parser.add_argument("--seconds", type=float, default=10, help="of tests for a mutant, in each of its runs (10)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="keep what is measured, and go on from it")
    asked = parser.parse_args()
    subjects = [subject(path) for path in asked.files]
    patterns = asked.tests or {pattern for each in subjects for pattern in TESTS[each.name.split(".")[1]]}
    tests = sorted({str(path) for pattern in patterns for path in Path().glob(pattern)})
    with tempfile.TemporaryDirectory() as directory:
        record = Record(asked.results or Path(directory, "results.jsonl"))
        record.read(subjects)
        measure(subjects, tests, record, seconds=asked.seconds)
    text, good = table(subjects, record, explanations())
    sys.stdout.write(f"{text}\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
