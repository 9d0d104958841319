"""The stand-in's reading of images: the reference reader's answers, its blind spots included."""
# ruff: noqa: F811  (fixtures are imported, and asked for by their names)

import csv
import json
import re
from pathlib import Path

import pytest

from nitroctl.eif.measure import measure
from nitroctl.standin import images
from nitroctl.standin.failures import Failure, Panic
from tests.conftest import vectors
from tests.standin_host import NitroCli, image, nitro_cli, standin  # noqa: F401  (fixtures)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_reference_images_measure_as_the_reference_builder_said() -> None:
    seen = 0
    for row in rows(vectors("eif", "MANIFEST.tsv")):
        path = vectors("eif", row["file"])
        shown = images.describe(str(path))["Measurements"]
        assert {name: shown[name] for name in shown if name != "HashAlgorithm"} == json.loads(row["expected_pcrs"])
        seen += 1
    assert seen == 3


def test_malformed_images_fare_as_with_the_reference_reader() -> None:
    seen = 0
    for row in rows(vectors("eif", "malformed", "OBSERVED.tsv")):
        path = str(vectors("eif", "malformed", row["file"]))
        observed = row["aws_reference_reader_0.5.0"]
        if observed.startswith("accept"):
            described = images.describe(path)
            fields = dict(re.findall(r"(\w+)=(\S+)", observed))
            shown = described["Measurements"]
            assert str(described["CheckCRC"]) == fields["crc"], row["file"]
            assert (shown["PCR0"], shown["PCR2"]) == (fields["PCR0"], fields["PCR2"]), row["file"]
        elif observed.startswith("reject"):
            with pytest.raises(Failure, match="E35"):
                images.describe(path)
        else:
            with pytest.raises(Panic) as caught:
                images.describe(path)
            assert caught.value.abort == ("rc=-6" in observed), row["file"]
        seen += 1
    assert seen > 15


def test_both_measurers_agree_on_what_the_stand_in_builds(nitro_cli: NitroCli, image: str) -> None:
    path = str(nitro_cli.directory / image)
    assert dict(measure(path).pcrs) == dict(images.read(path).pcrs)


def test_an_image_that_kills_the_reader_kills_the_program(nitro_cli: NitroCli) -> None:
    (nitro_cli.directory / "x.eif").write_bytes(bytes(548) + b"\x00\x01\x00\x00" + (1 << 50).to_bytes(8))
    ran = nitro_cli("describe-eif", "--eif-path", "x.eif")
    assert (ran.status, ran.stdout) == (-6, "")
