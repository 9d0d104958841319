"""Print the time of ``nitroctl eif measure`` as a ratio to ``openssl dgst -sha384`` of the same file.

    python -m tests.perf.eif_measure [--pairs 7] [--mib 1024] [--directory DIR]

Whole processes, start-up included, file in the page cache, run in pairs of which every other one begins with OpenSSL.
What else runs on the machine disturbs wall time, and two processors more than one. So there is more to see: the median
of the pairs' ratios; the ratio of the two minima; the median ratio to two OpenSSLs side by side, which is what two
hashes cost with the processors there were at that moment; and the least CPU seconds of each. Memory is the process's
peak over that of a bare interpreter.
The images are random bytes (no holes) in a temporary directory, removed after: one large ramdisk, a small and a large
one as nitro-cli builds them, and a small image, which must stay as light as it was. Nothing is asserted here.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nitroctl.eif.format import HEADER_BYTES, SECTION_HEADER, Section, SectionType, pack_header
from tests import images

#: As installed: with compiled modules, whatever this shell says about writing them.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Run:
    """What one process took, in seconds."""

    wall: float
    cpu: float


def run(argv: Sequence[str], *, copies: int = 1) -> Run:
    """Run ``argv`` with its output thrown away, so many times side by side."""
    actions = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    began = time.perf_counter()
    children = [os.posix_spawn(argv[0], list(argv), _ENVIRONMENT, file_actions=actions) for _ in range(copies)]
    cpu = 0.0
    for child in children:
        _, status, usage = os.wait4(child, 0)
        cpu += usage.ru_utime + usage.ru_stime
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"{' '.join(argv)}: exit status {os.waitstatus_to_exitcode(status)}")
    return Run(time.perf_counter() - began, cpu)


def peak(*argv: str) -> float:
    """Return the peak of resident memory, in MiB, of a Python that runs nitroctl with ``argv``, or nothing at all.

    Told by the process itself: what the parent is told also counts the parent's own memory, before the exec.
    """
    script = (
        "import sys\n"
        "if sys.argv[1:]:\n"
        "    from nitroctl.__main__ import main\n"
        "    main()\n"
        "status = open('/proc/self/status').read().split()\n"
        "print(status[status.index('VmHWM:') + 1], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *argv], capture_output=True, text=True, check=True)
    return int(done.stderr) / 1024


def write(path: Path, ramdisks: Sequence[int]) -> None:
    """Write an image whose ramdisks hold so many random bytes each, in constant memory."""
    parts: list[tuple[SectionType, int]] = [
        (SectionType.KERNEL, min(6 * _MIB, max(ramdisks))),
        (SectionType.CMDLINE, 100),
        (SectionType.METADATA, len(images.METADATA_JSON)),
        *((SectionType.RAMDISK, size) for size in ramdisks),
    ]
    sections, offset = [], HEADER_BYTES
    for kind, size in parts:
        sections.append(Section(offset, kind, 0, size))
        offset = sections[-1].end
    with path.open("w+b") as stream:
        stream.write(_header(sections, 0))
        for section in sections:
            stream.write(SECTION_HEADER.pack(section.type, section.flags, section.size))
            for chunk in _contents(section):
                stream.write(chunk)
        crc32 = _checksum(stream, _header(sections, 0))
        stream.seek(0)
        stream.write(_header(sections, crc32))


def _header(sections: Sequence[Section], crc32: int) -> bytes:
    return pack_header(version=4, flags=0, default_memory=1 << 30, default_cpus=2, sections=sections, crc32=crc32)


def _contents(section: Section) -> Iterator[bytes]:
    if section.type == SectionType.METADATA:
        yield images.METADATA_JSON
        return
    if section.type == SectionType.CMDLINE:
        yield b"x" * section.size
        return
    left = section.size
    while left:
        yield os.urandom(min(left, _MIB))
        left -= min(left, _MIB)


def _checksum(stream: IO[bytes], header: bytes) -> int:
    value = zlib.crc32(header[:-4])
    stream.seek(HEADER_BYTES)
    while chunk := stream.read(_MIB):
        value = zlib.crc32(chunk, value)
    return value


def compare(image: Path, pairs: int, options: Sequence[str]) -> str:
    """Return a line about measuring ``image``."""
    openssl = shutil.which("openssl") or sys.exit("there is no openssl to compare with")
    ours_argv = (sys.executable, "-m", "nitroctl", "eif", "measure", str(image), "--json", *options)
    theirs_argv = (openssl, "dgst", "-sha384", str(image))
    run(theirs_argv)  # the file is in the page cache now, and our modules are compiled
    run(ours_argv)
    ours: list[Run] = []
    theirs: list[Run] = []
    side_by_side: list[Run] = []
    for number in range(pairs):
        for argv, runs in ((ours_argv, ours), (theirs_argv, theirs))[:: 1 if number % 2 else -1]:
            runs.append(run(argv))
        side_by_side.append(run(theirs_argv, copies=2))
    ratio = statistics.median(mine.wall / other.wall for mine, other in zip(ours, theirs, strict=True))
    to_two = statistics.median(mine.wall / other.wall for mine, other in zip(ours, side_by_side, strict=True))
    wall, other_wall = min(found.wall for found in ours), min(found.wall for found in theirs)
    cpu, other_cpu = min(found.cpu for found in ours), min(found.cpu for found in theirs)
    memory = peak(*ours_argv[3:]) - peak()
    values = (ratio, wall / other_wall, to_two, wall, other_wall, cpu, other_cpu)
    return " ".join(f"{value:7.3f}" for value in values) + f" {memory:7.1f}"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--mib", type=int, default=1024, help="size of the large images")
    parser.add_argument("--directory", type=Path, help="where the images are laid; default: the system's for such")
    options = parser.parse_args()
    large = options.mib * _MIB
    small = 3 * _MIB
    cases = {
        "one ramdisk": ([large], ()),
        "two ramdisks": ([small, large - small], ()),
        "two halves": ([large // 2, large // 2], ()),
        "two ramdisks, --sha256": ([small, large - small], ("--sha256",)),
        "small": ([small // 3], ()),
    }
    columns = ("median", "min/min", "to two", "ours s", "openssl", "cpu s", "openssl", "MiB")
    sys.stdout.write(f"{'image':<24} {' '.join(f'{name:>7}' for name in columns)}\n")
    for label, (ramdisks, extra) in cases.items():
        with tempfile.TemporaryDirectory(dir=options.directory) as name:
            image = Path(name) / "image.eif"
            write(image, ramdisks)
            sys.stdout.write(f"{label:<24} {compare(image, options.pairs, extra)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
