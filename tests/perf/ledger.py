"""Print what ``pcr check`` costs on a large ledger, as a ratio to parsing the same JSON.

    python -m tests.perf.ledger [--entries 100000] [--runs 3]

CPU time (user + system) of whole processes, interleaved; the minimum of each is compared. Both processes start Python
and read the file; the one only parses it with the standard library, the other holds every entry to the rules and
answers. Peak memory is that of the process. Nothing is asserted here.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from nitroctl.records import Ledger, Status, form
from tests.records import AT, full

#: Versions of one component, of which the last two are active.
_VERSIONS = 10


def write(path: Path, entries: int) -> dict[int, bytes]:
    """Write a ledger of full entries and return the registers of its last one."""
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
    path.write_text(form.dumps(Ledger.of(made)))
    return dict(made[-1].pinned)


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
        path = Path(directory, "measurements.json")
        registers = [f"--pcr=PCR{index}={value.hex()}" for index, value in write(path, options.entries).items()]
        parse = (sys.executable, "-c", f"import json; json.load(open({str(path)!r}))")
        check = (sys.executable, "-m", "nitroctl", "pcr", "check", "--records", str(path), *registers, "--json")
        costs = [(cost(parse), cost(check)) for _ in range(options.runs)]
        parsed, checked = min(cost[0] for cost in costs), min(cost[1] for cost in costs)
        size = path.stat().st_size / 2**20
    print(  # noqa: T201  (a script's answer)
        f"entries={options.entries} size={size:.0f}MiB json.load={parsed[0]:.2f}s/{parsed[1]:.0f}MiB "
        f"check={checked[0]:.2f}s/{checked[1]:.0f}MiB ratio={checked[0] / parsed[0]:.2f}"
    )


if __name__ == "__main__":
    main()
