"""Ten processes record in one ledger at once, round after round: ``python -m tests.perf.ledger_race --rounds 1000``.

Each round starts with an empty directory. Every process waits for the same start, records versions of its own, and
rolls one out now and then; afterwards every version must be there, with the registers it was recorded with, and the
file must be canonical. The last line counts what was lost.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from nitroctl import records
from nitroctl.records import form, lifecycle
from tests.records import AT, entry, pcrs

_VERSIONS = 3


def work(path: str, worker: int, start: float) -> None:
    """Record this process's versions, and make the first of them active."""
    while time.monotonic() < start:
        pass
    for version in range(_VERSIONS):
        name = f"{worker}.{version}"
        records.record(path, entry(name, component=f"c{worker}", pcrs=pcrs(name)))
    records.change(path, lambda ledger: lifecycle.rollout(ledger, ledger.find(f"c{worker}-{worker}.0")[0], AT))


def race(directory: Path, workers: int) -> list[str]:
    """Run one round and return what was lost or spoilt."""
    path = str(directory / "measurements.json")
    start = time.monotonic() + 0.02
    children = []
    for worker in range(workers):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(path, worker, start)
                status = 0
            except BaseException:  # noqa: BLE001  (it is told, and the process ends)
                traceback.print_exc()
            os._exit(status)
        children.append(child)
    lost = [f"process {child} failed" for child in children if os.waitpid(child, 0)[1]]
    text = Path(path).read_text()
    ledger = form.loads(text, where=path)
    if form.dumps(ledger) != text:
        lost.append("not canonical")
    for worker in range(workers):
        for version in range(_VERSIONS):
            name = f"{worker}.{version}"
            found = ledger.find(f"c{worker}-{name}")
            if len(found) != 1 or found[0].pcrs != pcrs(name):
                lost.append(name)
            elif version == 0 and found[0].status is not records.Status.ACTIVE:
                lost.append(f"{name} not active")
    names = [found.name for found in directory.iterdir()]
    if names != ["measurements.json"]:
        lost.append(f"left behind: {names}")
    return lost


def main() -> None:
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=10)
    options = parser.parse_args()
    lost = []
    for number in range(options.rounds):
        directory = Path(tempfile.mkdtemp())
        lost += [f"round {number}: {what}" for what in race(directory, options.workers)]
        shutil.rmtree(directory)
    written = options.rounds * options.workers * (_VERSIONS + 1)
    sys.stdout.write("".join(f"{what}\n" for what in lost))
    sys.stdout.write(f"rounds={options.rounds} processes={options.workers} writes={written} lost={len(lost)}\n")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
