"""Print how many records a second ``nitroctl kms trail`` judges, beside parsing the same JSON with the library.

    python -m tests.perf.kms_trail [--records 40000] [--memory 400000]

``mixed``: one record of KMS in three, as management events are; ``kms``: all of KMS, half of them attested. ``library``
is ``json.loads`` of the whole file, for which it must be in memory; ``trail`` reads, checks, judges and orders, and
makes no lines; ``lines`` writes JSON Lines too. All are CPU time of this process, in turns, because the machine is
shared; the best round of each counts. Memory is the peak of a process of its own over a file and one ten times as long.
Nothing is asserted here.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from nitroctl.cli.kms_trail_line import Writer
from nitroctl.cli.output import Canvas
from nitroctl.kms.trail import Trail
from nitroctl.kms.trail_files import Files
from nitroctl.kms.trail_image import Images
from nitroctl.records import Ledger
from tests import records, trails

ROUNDS: Final = 5
IMAGES: Final = 20


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def events(count: int, *, every: int) -> Iterator[dict[str, Any]]:
    """Yield records: one of KMS in ``every``, of which every other is attested, by one of the recorded images."""
    for number in range(count):
        minutes, second = divmod(number // 20, 60)
        hour, minute = divmod(minutes, 60)
        at = f"2026-11-{21 + hour // 24:02}T{hour % 24:02}:{minute:02}:{second:02}Z"
        more: dict[str, Any] = {"eventTime": at, "eventID": f"{number:08x}-0000-4000-8000-000000000000"}
        if number % every:
            other: dict[str, Any] = {
                "eventSource": "s3.amazonaws.com",
                "resources": [{"ARN": f"arn:aws:s3:::bucket-{number}"}],
            }
            yield trails.call(name="GetBucketAcl", **more, **other)
        elif number // every % 2:
            yield trails.attested(seed=number % IMAGES, **more)
        else:
            yield trails.call(resources=[{"ARN": trails.OTHER}], **more)


def write(path: Path, count: int, *, every: int) -> Path:
    """Write a file of records, as CloudTrail delivers it, without holding it."""
    with gzip.open(path, "wt", compresslevel=1) if path.suffix == ".gz" else path.open("w") as stream:
        stream.write('{"Records":[')
        for number, event in enumerate(events(count, every=every)):
            stream.write(("," if number else "") + json.dumps(event, separators=(",", ":")))
        stream.write("]}")
    return path


def ledger() -> Ledger:
    return Ledger.of(records.active(f"1.{number}", pcrs=records.pcrs(number)) for number in range(IMAGES))


def library(path: Path) -> None:
    json.loads(path.read_bytes())


def followed(path: Path, writer: Writer | None = None) -> None:
    for line in Trail(Images(ledger())).lines(Files([str(path)]).found()):
        if writer:
            writer.line(line)


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def compare(label: str, path: Path, count: int) -> None:
    writer = Writer("json", Canvas(colour=False, width=None, encoding="utf-8"), every=True)
    works: dict[str, Callable[[], object]] = {
        "library": lambda: library(path),
        "trail": lambda: followed(path),
        "lines": lambda: followed(path, writer),
    }
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            best[name] = min(best[name], seconds(work))
    rates = ", ".join(
        f"{name} {count / best[name]:,.0f}/s ({best[name] / best['library']:.2f}x the time)" for name in works
    )
    say(f"{label}: {count} records of {path.stat().st_size // count} bytes: {rates}")


def peak(path: Path) -> int:
    """Return the peak memory of a process that follows ``path``, in KiB (Linux).

    Not getrusage's: what that gives begins with the memory of the process that forked this one.
    """
    script = (
        "import re, sys, pathlib\nfrom tests.perf import kms_trail\n"
        "kms_trail.followed(pathlib.Path(sys.argv[1]))\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast CloudTrail's records are judged.")
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--memory", type=int, default=400_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for label, every in (("mixed", 3), ("kms", 1)):
            compare(label, write(Path(directory, f"{label}.json"), given.records, every=every), given.records)
        for count in (given.memory // 10, given.memory):
            path = write(Path(directory, "memory.json.gz"), count, every=1)
            say(f"memory over {count} records of KMS: {peak(path) / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
