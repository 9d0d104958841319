"""What campaigns of ``tests.perf.fuzz_eif`` found worth keeping, tried again: one input for each kind of answer.

Each line of the asset is a subject, the word for what becomes of the input, and the input (zlib, base64). Inputs that
once broke a promise stand among them. A campaign in small runs here too, always the same one.
"""

import base64
import random
import zlib
from pathlib import Path

import pytest

from tests import eif_model
from tests.perf import fuzz_eif
from tests.perf.fuzz_eif_subjects import SUBJECTS, Subject

KEPT = Path(__file__).parent.parent / "assets" / "hostile-eif.txt"
#: What becomes of each subject's seeds, from which all mutations begin: most are good ones.
SEEDS = {
    "image": ["accepted", "accepted", "refused", "accepted", "accepted", *["malformed"] * 5],
    "metadata": ["accepted"] * 3,
    "signature": ["accepted"] * 3 + ["malformed"] * 2,
    "kernel": ["bzImage", "arm64", "gzip", "ELF", "EFI"],
    "ramdisk": [*["clean"] * 7, "faulty", "clean"],
    "tar": ["read"] * 13,
    "layers": ["applied"] * 12,
    "source": ["oci", "oci", "docker"],
    "archive": ["oci", "oci", "docker", "tar", "tar"],
    "compression": ["unpacked"] * 5,
}


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject]:
    return {subject.name: subject for subject in fuzz_eif.load([])}


def kept() -> list[list[str]]:
    return [line.split(" ") for line in KEPT.read_text().splitlines()]


def test_seeds_are_what_they_are_meant_to_be(subjects: dict[str, Subject]) -> None:
    found = {name: [subject.judge(seed)[0] for seed in subject.seeds] for name, subject in subjects.items()}
    assert found == SEEDS


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_kept_input_keeps_every_promise_and_has_its_answer(subjects: dict[str, Subject], name: str) -> None:
    mine = [(word, zlib.decompress(base64.b64decode(data))) for subject, word, data in kept() if subject == name]
    assert mine
    subject = subjects[name]
    assert [(fuzz_eif.weighed(subject, data)[0], data) for _, data in mine] == mine


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_small_campaign_finds_nothing(subjects: dict[str, Subject], name: str, tmp_path: Path) -> None:
    subject, chance = subjects[name], random.Random(4)
    campaign = fuzz_eif.Campaign([subject], tmp_path)
    for _ in range(150):
        campaign.execute(subject, fuzz_eif.mutated(chance, subject, chance.choice(subject.seeds)))
    assert not campaign.broken, [path.read_text() for path in tmp_path.glob("*.txt")]
    assert campaign.executions == 150


def test_a_campaign_notices_and_keeps_what_breaks_a_promise(
    subjects: dict[str, Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = subjects["image"]
    monkeypatch.setattr(eif_model, "every_reader_agrees", lambda _: False)
    campaign = fuzz_eif.Campaign([subject], tmp_path)
    for seed in subject.seeds:
        campaign.execute(subject, seed)
    assert campaign.broken == SEEDS["image"].count("accepted")
    [found] = [path for path in tmp_path.iterdir() if path.suffix != ".txt"]
    assert found.read_bytes() == subject.seeds[0]
    assert "readers do not agree on it" in capsys.readouterr().err
