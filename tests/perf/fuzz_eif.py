"""Throw hostile bytes at the readers of images and of what they are built from:

    python -m tests.perf.fuzz_eif --seconds 60 [--subject image --subject tar …] [--engine atheris]

Each execution mutates an input of one subject (see ``fuzz_eif_subjects``), perhaps makes its checksums and digests
right again, and asks: does only an answer or a NitroctlError come out; is it the same a second time (sampled); do
independent readers agree with it; is memory bounded by the input (sampled; and no allocation may be larger than what
the process has left); does it end in time? ``--engine atheris`` lets coverage guide the mutations where that package
is installed; an input begins with the number of its subject then. Inputs that break a promise are kept in
``--keep DIR``; the last line counts.
"""

import argparse
import hashlib
import importlib
import random
import resource
import signal
import sys
import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.perf.fuzz_eif_subjects import Subject

#: What is sampled is done once in so many executions.
TWICE, WEIGHED = 64, 2048
REPAIRED: Final = 0.5
REPORTED: Final = 15.0
#: Seconds that no input may take, and bytes that no input may make the process grow by.
PATIENCE, ROOM = 20, 1 << 30
LONGEST: Final = 16384
#: Memory that an answer may take for each byte of the input, beside the subject's constant.
PER_BYTE: Final = 512
INTERESTING: Final = bytes.fromhex("00010a0d20222f30373f405b5c5d7b7d7f8089989f9fbfc0e0ff")


class Slow(BaseException):
    """An input took too long; not an Exception, so that no reader takes it for its own."""


@dataclass
class Campaign:
    """Counts, and keeps what breaks a promise."""

    subjects: Sequence["Subject"]
    keep: Path
    began: float = field(default_factory=time.monotonic)
    began_cpu: float = field(default_factory=time.process_time)
    said: float = 0.0
    executions: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    seen: set[str] = field(default_factory=set)

    def execute(self, subject: "Subject", data: bytes) -> None:
        """Try one input."""
        self.executions += 1
        try:
            word, answer = (weighed if self.executions % WEIGHED == 0 else judged)(subject, data)
            if self.executions % TWICE == 0 and whole(judged(subject, data)) != whole((word, answer)):
                raise AssertionError("another answer on the second run")
            self.outcomes[f"{subject.name}.{word}"] += 1
        except (Exception, Slow) as error:  # noqa: BLE001  (any exception is the finding)
            self.found(subject, data, error)
        if self.executions % 256 == 0:
            signal.alarm(PATIENCE)
            if time.monotonic() - self.said > REPORTED:
                self.say()

    def found(self, subject: "Subject", data: bytes, error: BaseException) -> None:
        """Keep the input, once for each place."""
        self.broken += 1
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{subject.name}-{type(error).__name__}-{Path(frame.filename).stem}-{frame.lineno}"
        if place in self.seen:
            return
        self.seen.add(place)
        self.keep.mkdir(parents=True, exist_ok=True)
        name = f"{place}-{hashlib.sha256(data).hexdigest()[:12]}"
        (self.keep / name).write_bytes(data)
        (self.keep / f"{name}.txt").write_text("".join(traceback.format_exception(error)))
        sys.stderr.write(f"FOUND {place}: {error}\n")

    def say(self) -> None:
        """Write the counts so far."""
        self.said = time.monotonic()
        spent, cpu = self.said - self.began, time.process_time() - self.began_cpu
        counts = " ".join(f"{name}={count}" for name, count in sorted(self.outcomes.items()))
        sys.stderr.write(
            f"executions={self.executions} seconds={spent:.0f} per_second={self.executions / spent:.0f} "
            f"per_cpu_second={self.executions / cpu:.0f} broken={self.broken} {counts}\n"
        )
        sys.stderr.flush()


def judged(subject: "Subject", data: bytes) -> tuple[str, object]:
    """Judge an input."""
    return subject.judge(data)


def whole(answer: tuple[str, object]) -> object:
    """Return an answer as it can be compared."""
    return answer[0], answer[1]() if callable(answer[1]) else answer[1]


def weighed(subject: "Subject", data: bytes) -> tuple[str, object]:
    """Judge an input and hold the memory that it takes to the subject's bound."""
    tracemalloc.start()
    try:
        answer = subject.judge(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > subject.memory + PER_BYTE * len(data):
        raise AssertionError(f"{peak} bytes of memory for {len(data)} bytes of input")
    return answer


def guard() -> None:
    """Let an input that takes long, or asks for much memory, be noticed; and let what is meant to be large be less."""
    vars(importlib.import_module("nitroctl.eif.compression"))["_RATIO_FROM"] = 1 << 22

    def slow(_number: int, _frame: FrameType | None) -> None:
        raise Slow(f"more than {PATIENCE} seconds")

    signal.signal(signal.SIGALRM, slow)
    signal.alarm(PATIENCE)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, resource.RLIM_INFINITY))


def mutated(chance: random.Random, subject: "Subject", data: bytes) -> bytes:
    """Return ``data`` with one to four small changes, half the time made consistent again."""
    edited = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        place = chance.randrange(len(edited) + 1)
        match chance.randrange(9):
            case 0 | 1 if place < len(edited):
                edited[place] ^= 1 << chance.randrange(8)
            case 2:
                edited[place : place + 1] = bytes([chance.choice(INTERESTING)])
            case 3:
                del edited[place : place + chance.choice((1, 1, 2, 4, 50, 512))]
            case 4:
                edited[place:place] = chance.choice(subject.tokens)
            case 5:
                token = chance.choice(subject.tokens)
                edited[place : place + len(token)] = token
            case 6:
                start = chance.randrange(len(edited) + 1)
                edited[place:place] = edited[start : start + chance.choice((1, 4, 110, 512, 1024))]
            case 7:
                other = chance.choice(subject.seeds)
                edited[place:] = other[chance.randrange(len(other) + 1) :]
            case _:
                edited[place : place + 2] = chance.randbytes(chance.choice((1, 2, 4)))
    content = bytes(edited[: 4 * LONGEST])
    return subject.repair(chance, content) if chance.random() < REPAIRED else content


def by_chance(campaign: Campaign, seconds: float, chance: random.Random) -> None:
    """Mutate by chance until the time is over, the subjects in turn."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for subject in campaign.subjects:
            for _ in range(64):
                campaign.execute(subject, mutated(chance, subject, chance.choice(subject.seeds)))


def by_coverage(atheris: Any, campaign: Campaign, seconds: float, corpus: Path) -> None:
    """Let libFuzzer keep what reaches new code. Does not return: the engine ends the process."""
    subjects = campaign.subjects
    corpus.mkdir(parents=True, exist_ok=True)
    for number, subject in enumerate(subjects):
        for count, seed in enumerate(subject.seeds):
            (corpus / f"seed-{subject.name}-{count}").write_bytes(bytes([number]) + seed)

    def execute(data: bytes) -> None:
        if data:
            campaign.execute(subjects[data[0] % len(subjects)], data[1:])

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        number = data[0] % len(subjects) if data else chance.randrange(len(subjects))
        subject, content = subjects[number], data[1:]
        if content and chance.random() < 0.5:
            content = bytes(atheris.Mutate(content, max(1, most - 1)))
            if chance.random() < REPAIRED:
                content = subject.repair(chance, content)
        else:
            content = mutated(chance, subject, content or chance.choice(subject.seeds))
        return (bytes([number]) + content)[:most]

    arguments = [f"-max_total_time={int(seconds)}", f"-max_len={LONGEST}", "-rss_limit_mb=2048", "-verbosity=0"]
    atheris.Setup(["fuzz", *arguments, str(corpus)], execute, custom_mutator=mutator)
    atheris.Fuzz()


def load(names: Sequence[str]) -> Sequence["Subject"]:
    """Import the readers, late, so that an engine can watch them."""
    return list(importlib.import_module("tests.perf.fuzz_eif_subjects").chosen(names))


def main() -> None:
    """Run a campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--subject", action="append", default=[], help="can be repeated; default: all, in turn")
    parser.add_argument("--engine", choices=["random", "atheris"], default="random")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--seed", type=int, default=None, help="for --engine random; a fresh one is printed")
    options = parser.parse_args()
    if options.engine == "atheris":
        atheris = importlib.import_module("atheris")
        with atheris.instrument_imports(include=["nitroctl.eif", "nitroctl.strict_json"]):
            campaign = Campaign(load(options.subject), options.keep)
        guard()
        by_coverage(atheris, campaign, options.seconds, options.keep / "corpus")
        return
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    sys.stderr.write(f"seed={seed}\n")
    campaign = Campaign(load(options.subject), options.keep)
    guard()
    by_chance(campaign, options.seconds, random.Random(seed))
    campaign.say()
    sys.exit(1 if campaign.broken else 0)


if __name__ == "__main__":
    main()
