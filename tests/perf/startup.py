"""Print the start-up of real commands as ratios to ``python -c pass``, measured in the same run.

    python -m tests.perf.startup [--runs 15]

CPU time (user + system) of whole processes, the runs of all commands interleaved; the minimum of each is compared,
because the machine can only add to it. Nothing is asserted here: the import allow-lists in tests/unit/test_startup.py
hold start-up in the tests; these ratios are what docs and notes quote.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nitroctl import pcr
from nitroctl.standin import nsm, pki

#: As installed: with compiled modules, whatever this shell says about writing them.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
_ROLE = "arn:aws:iam::111122223333:role/signer"
_KEY = "arn:aws:kms:eu-west-1:111122223333:key/k"
NITROCTL = (sys.executable, "-m", "nitroctl")


def cases(directory: Path) -> Mapping[str, tuple[Sequence[str], float | None]]:
    """Return each command with its budget, with the files it needs laid in ``directory``."""
    now = datetime.now(UTC)
    authority = pki.create(directory / "pki", at=now)
    document = nsm.attest(
        authority,
        module_id="i-0123456789abcdef0-enc0190e0c0368d490d",
        region="eu-west-1",
        pcrs={0: b"\1" * 48, 1: b"\1" * 48, 2: b"\1" * 48, 4: pcr.for_instance("i-0123456789abcdef0")},
        at=now,
        nonce=None,
        user_data=None,
        public_key=None,
    )
    (directory / "document.cbor").write_bytes(document)
    (directory / "allocator.yaml").write_text("---\nmemory_mib: 512\ncpu_count: 2\n")
    verify = ("attest", "verify", str(directory / "document.cbor"), "--pcr", f"PCR0={'01' * 48}", "--json")
    (directory / "policy.json").write_text(json.dumps({"Statement": _releases(50)}))
    simulate = (
        *("kms", "simulate", str(directory / "policy.json"), "--pcr", f"PCR0={49:096x}"),
        *("--principal", _ROLE, "--key", _KEY),
    )
    root = ("--root", str(directory / "pki" / "root.pem"))
    return {
        "python -c pass": ((sys.executable, "-c", "pass"), None),
        "--version": ((*NITROCTL, "--version"), 1.6),
        "--help": ((*NITROCTL, "--help"), 9),
        "attest --help": ((*NITROCTL, "attest", "--help"), 9),
        "pcr role ARN --json": ((*NITROCTL, "pcr", "role", "arn:aws:iam::123456789012:role/a", "--json"), 10),
        "allocator show --json": (
            (*NITROCTL, "allocator", "show", "--file", str(directory / "allocator.yaml"), "--json"),
            10,
        ),
        "pcr role ARN": ((*NITROCTL, "pcr", "role", "arn:aws:iam::123456789012:role/a"), 15),
        "kms simulate --json": ((*NITROCTL, *simulate, "--json"), 12),
        "kms simulate": ((*NITROCTL, *simulate), 20),
        "attest verify --json": ((*NITROCTL, *verify, *root), 16),
        "attest verify": ((*NITROCTL, *verify[:-1], *root), 20),
    }


def _releases(count: int) -> Sequence[Mapping[str, object]]:
    """Return the statements of a key policy of as many releases."""
    return [
        {
            "Effect": "Allow",
            "Principal": {"AWS": _ROLE},
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": f"{number:096x}"}},
        }
        for number in range(count)
    ]


def cpu_seconds(argv: Sequence[str]) -> float:
    """Run ``argv`` with its output thrown away and return the CPU seconds of its process."""
    child = os.posix_spawn(
        argv[0],
        list(argv),
        _ENVIRONMENT,
        file_actions=[(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)],
    )
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(argv)}: exit status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        measured = cases(Path(name))
        for argv, _ in measured.values():
            cpu_seconds(argv)
        times: dict[str, list[float]] = {label: [] for label in measured}
        for _ in range(runs):
            for label, (argv, _) in measured.items():
                times[label].append(cpu_seconds(argv))
    floor = min(times["python -c pass"])
    sys.stdout.write(f"{'command':<24} {'ms cpu':>7} {'ratio':>6} {'budget':>6}\n")
    for label, (_, budget) in measured.items():
        best = min(times[label])
        sys.stdout.write(f"{label:<24} {best * 1000:7.1f} {best / floor:6.2f} {budget or '':>6}\n")


if __name__ == "__main__":
    main()
