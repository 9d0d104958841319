"""From the first build to a revocation: three versions, two environments, every command's whole output.

The transcript stands in tests/assets/records-scenario.txt as a person would see it. Nothing generates it: a change of
it is a change of what people see, to be read and committed by hand. On a mismatch the test names a file with what came
out.
"""

import hashlib
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nitroctl.eif.write import write_image
from tests.conftest import ROOT, Cli

TRANSCRIPT = ROOT / "tests" / "assets" / "records-scenario.txt"
MONDAY = datetime(2026, 11, 16, 9, 0, 0, tzinfo=UTC)
ROLES = " ".join(
    f"--{name} arn:aws:iam::111122223333:role/{name}" for name in ("enclave-role", "admin-role", "policy-writer")
)

#: Minutes since Monday morning, and what is typed. Lines that begin with ! are done by hand, see the test.
STEPS = [
    (0, "! signer 1.0.0 is built"),
    (
        1,
        "pcr record --eif signer-1.0.0.eif --component signer --environment staging --release 1.0.0 --source-commit 11",
    ),
    (2, "pcr rollout signer-1.0.0@staging"),
    (3, "pcr check --eif signer-1.0.0.eif --component signer --environment staging"),
    (4, "pcr promote signer-1.0.0@staging --to prod"),
    (5, "pcr check --eif signer-1.0.0.eif --component signer --environment prod"),
    (6, "pcr rollout signer-1.0.0@prod"),
    (7, f"kms generate --environment prod {ROLES} --output policy.json"),
    (8, "pcr check --eif signer-1.0.0.eif --key-policy policy.json --component signer --environment prod"),
    (1440, "! signer 1.1.0 is built"),
    (1441, "pcr check --eif signer-1.1.0.eif --component signer --environment prod"),
    (1442, "pcr record --eif signer-1.1.0.eif --component signer --environment staging --release 1.1.0 --activate"),
    (1443, "pcr finalize signer-1.1.0@staging"),
    (1444, "pcr promote signer-1.1.0@staging --to prod"),
    (1445, "pcr rollout signer-1.1.0@prod"),
    (1446, "pcr check --eif signer-1.1.0.eif --key-policy policy.json --component signer --environment prod"),
    (1447, f"kms generate --environment prod {ROLES} --output policy.json"),
    (1448, "pcr check --eif signer-1.1.0.eif --key-policy policy.json --component signer --environment prod"),
    (1449, "pcr finalize signer-1.1.0@prod"),
    (1450, "pcr check --key-policy policy.json --component signer --environment prod"),
    (1451, f"kms generate --environment prod {ROLES} --output policy.json"),
    (2880, "! somebody builds 1.1.0 again, and it drifts"),
    (2881, "pcr check --eif drifted.eif --component signer --environment prod --format github"),
    (2882, "pcr record --eif drifted.eif --component signer --environment prod --release 1.1.0"),
    (2883, "pcr diff signer-1.1.0@prod drifted.eif"),
    (4320, "! signer 1.2.0 is built, and 1.1.0 is found to leak"),
    (4321, "pcr record --eif signer-1.2.0.eif --component signer --environment prod --release 1.2.0 --activate"),
    (4322, "pcr revoke signer-1.1.0@prod --reason 'CVE-2026-0001: it leaks the key' --dry-run"),
    (4323, "pcr revoke signer-1.1.0@prod --reason 'CVE-2026-0001: it leaks the key'"),
    (4324, "pcr check --eif signer-1.1.0.eif --component signer --environment prod"),
    (4325, "pcr check --eif signer-1.1.0.eif --component signer --environment staging"),
    (4325, f"kms generate --environment staging {ROLES} --output policy.json"),
    (4326, "pcr rollout signer-1.1.0@prod"),
    (4327, "pcr record --eif signer-1.1.0.eif --component signer --environment prod --release 1.1.1 --activate"),
    (4328, "pcr retire signer-1.2.0@prod"),
    (4329, "pcr check --key-policy policy.json --component signer --environment prod"),
    (4330, "pcr list"),
    (4331, "pcr show signer-1.1.0@prod"),
    (4332, "pcr verify --against monday.json"),
    (4333, "pcr verify monday.json --against measurements.json"),
]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """A clock that is set by hand, for every verb that writes a time."""
    now = [MONDAY]
    for module in ("pcr_record", "pcr_lifecycle"):
        monkeypatch.setattr(f"nitroctl.cli.{module}._now", lambda: now[0])
    return now


def image(path: str, application: bytes) -> dict[int, bytes]:
    """Write an image and return its registers, from the definition: the same kernel and boot ramdisk each time."""
    kernel, cmdline, boot = b"kernel", b"quiet", b"boot"
    with open(path, "wb") as stream:  # noqa: PTH123
        write_image(
            stream,
            architecture="x86_64",
            kernel=kernel,
            cmdline=cmdline,
            ramdisks=[boot, application],
            metadata=None,
            signature=None,
        )
    measured = (kernel + cmdline + boot + application, kernel + cmdline + boot, application)
    return {
        index: hashlib.sha384(bytes(48) + hashlib.sha384(data).digest()).digest() for index, data in enumerate(measured)
    }


def by_hand(what: str) -> None:
    """Do what no command of ours does in this story: the builds."""
    if "1.0.0" in what:
        image("signer-1.0.0.eif", b"one")
    elif "again" in what:
        image("drifted.eif", b"two, built on another day")
    elif "1.1.0 is built" in what:
        image("signer-1.1.0.eif", b"two")
        Path("monday.json").write_bytes(Path("measurements.json").read_bytes())
    else:
        image("signer-1.2.0.eif", b"three")


def test_the_life_of_three_versions(
    cli: Cli, clock: list[datetime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = []
    for minutes, words in STEPS:
        clock[0] = MONDAY + timedelta(minutes=minutes)
        if words.startswith("! "):
            by_hand(words)
            told.append(f"# {words[2:]}\n\n")
            continue
        ran = cli(*shlex.split(words))
        told.append(f"$ nitroctl {words}\n{ran.stdout}{ran.stderr}[{ran.status}]\n\n")
    found = "".join(told)
    (tmp_path / "found.txt").write_text(found)
    assert found == TRANSCRIPT.read_text(), f"see {tmp_path / 'found.txt'}"


def test_the_transcript_is_about_the_images_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registers in the transcript are those of the definition, not only those that were printed once."""
    monkeypatch.chdir(tmp_path)
    text = TRANSCRIPT.read_text()
    for application in (b"one", b"two", b"three"):
        for register in image("x.eif", application).values():
            assert register.hex() in text
