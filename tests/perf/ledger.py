"""Print what the verbs on records cost on a large ledger, as a ratio to parsing the same JSON.

    python -m tests.perf.ledger [--entries 100000] [--runs 3]

CPU time (user + system) of whole processes, interleaved; the minimum of each is compared. All processes start Python
and read the file; the first only parses it with the standard library, the others hold every entry to the rules and
answer. ``verify --against`` reads two files of the size, ``merge`` three and writes one. Peak memory is that of the
process. Nothing is asserted here.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from nitroctl.records import Entry, Ledger, Status, form
from tests.records import AT, full

#: Versions of one component, of which the last two are active.
_VERSIONS = 10


#: How many entries each of two branches adds.
_ADDED = 5


def make(entries: int) -> list[Entry]:
    """Return full entries, ten versions of each component, the last two of them active."""
    made = []
    for number in range(entries):
        version = number % _VERSIONS
        at = AT + timedelta(minutes=version)
        entry = dataclasses.replace(
            full(f"1.{number}"), component=f"component-{number // _VERSIONS}", recorded_at=at, activated_at=at
        )
        if version < _VERSIONS - 2:
            entry = dataclasses.replace(entry, status=Status.RETIRED, retired_at=at + timedelta(days=1))
        made.append(entry)
    return made


def commands(directory: Path, entries: int) -> dict[str, Sequence[str]]:
    """Write a ledger, what it was before, and two branches of it; return what to run, the plain parser first."""
    made = make(entries)
    before = made[: -2 * _ADDED]
    whole, base, ours, theirs = (str(directory / name) for name in ("measurements.json", "base", "ours", "theirs"))
    for path, these in (
        (whole, made),
        (base, before),
        (ours, made[:-_ADDED]),
        (theirs, [*before, *made[-_ADDED:]]),
    ):
        Path(path).write_text(form.dumps(Ledger.of(these)))
    registers = [f"--pcr=PCR{index}={value.hex()}" for index, value in made[-1].pinned.items()]
    nitroctl = (sys.executable, "-m", "nitroctl", "pcr")
    return {
        "json.load": (sys.executable, "-c", f"import json; json.load(open({whole!r}))"),
        "check": (*nitroctl, "check", "--records", whole, *registers, "--json"),
        "list": (*nitroctl, "list", "--records", whole),
        "list --json": (*nitroctl, "list", "--records", whole, "--json"),
        "verify": (*nitroctl, "verify", whole),
        "verify --against": (*nitroctl, "verify", whole, "--against", base),
        "merge": (*nitroctl, "merge", base, ours, theirs),
    }


def cost(argv: Sequence[str]) -> tuple[float, float]:
    """Return the CPU seconds and the peak memory in MiB of a process that must answer yes."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    pid = os.posix_spawn(argv[0], list(argv), os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, quiet, 1)])
    os.close(quiet)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(argv[:4])} … ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        asked = commands(Path(directory), options.entries)
        size = Path(directory, "measurements.json").stat().st_size / 2**20
        costs = {name: [cost(argv)] for name, argv in asked.items()}
        for _ in range(options.runs - 1):
            for name, argv in asked.items():
                costs[name].append(cost(argv))
    print(f"entries={options.entries} size={size:.0f}MiB")  # noqa: T201  (a script's answer)
    parsed = min(costs["json.load"])[0]
    for name, each in costs.items():
        seconds, memory = min(each)
        print(f"{name:<16} {seconds:7.2f}s {memory:6.0f}MiB ratio={seconds / parsed:.2f}")  # noqa: T201  (the same)


if __name__ == "__main__":
    main()
