"""Taking registers from what nitro-cli prints."""

import json
from pathlib import Path
from typing import Any

import pytest

from nitroctl.errors import CannotAnswer
from nitroctl.records import nitro_cli_json
from tests.records import pcrs, register

PCRS = pcrs("x")
MEASUREMENTS = {"HashAlgorithm": "Sha384 { ... }", **{f"PCR{index}": value.hex() for index, value in PCRS.items()}}


def refusal(document: object) -> CannotAnswer:
    with pytest.raises(CannotAnswer) as caught:
        nitro_cli_json.parse(json.dumps(document), where="build.json")
    return caught.value


def with_measurements(**changes: object) -> dict[str, Any]:
    return {"Measurements": {**MEASUREMENTS, **changes}}


@pytest.mark.parametrize("algorithm", ["Sha384 { ... }", "Sha512_48 { .. }", "SHA384"])
def test_the_name_of_the_algorithm_is_not_believed_or_needed(algorithm: str) -> None:
    document = with_measurements(HashAlgorithm=algorithm)
    assert nitro_cli_json.parse(json.dumps(document), where="x") == PCRS


def test_what_describe_eif_prints_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "describe.json"
    document = {
        "EifVersion": 4,
        **with_measurements(PCR8=register(8).hex()),
        "IsSigned": True,
        "CheckCRC": True,
        "SignatureCheck": True,
        "ImageName": "signer",
        "Metadata": {"DockerInfo": None},
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
    assert nitro_cli_json.read(str(path)) == {**PCRS, 8: register(8)}


def test_upper_case_is_taken() -> None:
    assert nitro_cli_json.parse(json.dumps(with_measurements(PCR0=PCRS[0].hex().upper())), where="x") == PCRS


REFUSED: dict[str, tuple[object, str]] = {
    "list": (
        [],
        "build.json: a list, as describe-enclaves prints; it shows the image's registers even in debug mode",
    ),
    "string": ("x", "build.json: not an object"),
    "without-measurements": ({}, "build.json: no object /Measurements"),
    "measurements-null": ({"Measurements": None}, "build.json: no object /Measurements"),
    "no-register": (
        {"Measurements": {"HashAlgorithm": "Sha384 { ... }"}},
        "build.json: /Measurements has no register",
    ),
    "wrong-checksum": (
        {**with_measurements(), "CheckCRC": False},
        "build.json: /CheckCRC is not true: nitro-cli found the image's checksum wrong",
    ),
    "wrong-signature": (
        {**with_measurements(), "SignatureCheck": False},
        "build.json: /SignatureCheck is not true: nitro-cli found the image's signature wrong",
    ),
    "checksum-is-text": (
        {**with_measurements(), "CheckCRC": "true"},
        "build.json: /CheckCRC is not true: nitro-cli found the image's checksum wrong",
    ),
    "register-is-null": (with_measurements(PCR0=None), "build.json: /Measurements/PCR0: not a string"),
    "register-of-sha256": (
        with_measurements(PCR0="ab" * 32),
        (
            "build.json: /Measurements/PCR0: not a SHA-384 register: 64 hexadecimal digits in place of 96,"
            " the length of SHA-256"
        ),
    ),
    "register-32": (with_measurements(PCR32="ab" * 48), "build.json: /Measurements/PCR32: not a register"),
    "another-member": (with_measurements(Extra="ab" * 48), "build.json: /Measurements/Extra: not a register"),
    "register-in-two-cases": (with_measurements(pcr0="ab" * 48), "build.json: /Measurements gives PCR0 twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_gives_no_measurements_is_refused(name: str) -> None:
    document, message = REFUSED[name]
    error = refusal(document)
    assert (error.message, error.code) == (message, "records.measurements")


def test_a_register_given_twice_is_refused() -> None:
    text = json.dumps(with_measurements()).replace('"PCR1"', '"PCR0"', 1)
    with pytest.raises(CannotAnswer) as caught:
        nitro_cli_json.parse(text, where="build.json")
    assert caught.value.message == "build.json: /Measurements: the key 'PCR0' occurs twice"


def test_progress_before_the_json_is_refused() -> None:
    with pytest.raises(CannotAnswer) as caught:
        nitro_cli_json.parse("Start building the Enclave Image...\n{}", where="build.json")
    assert caught.value.code == "json.syntax"
