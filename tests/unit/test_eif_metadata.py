"""The metadata section: the published shape is read, what readers differ on is refused with a reason."""

import json
from typing import Any

import pytest

from nitroctl.checks import Outcome
from nitroctl.eif.metadata import Metadata, examine
from tests.images import DOCUMENT, METADATA_JSON


def changed(**members: Any) -> bytes:
    return json.dumps({**DOCUMENT, **members}).encode()


def build(**members: Any) -> bytes:
    return changed(BuildMetadata={**dict(DOCUMENT["BuildMetadata"]), **members})  # type: ignore[call-overload]


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in DOCUMENT.items() if key != name}).encode()


def test_the_published_shape_is_read() -> None:
    check, metadata = examine(METADATA_JSON)
    assert check.outcome is Outcome.PASS
    assert metadata == Metadata(
        image_name="signer",
        image_version="1.4.2",
        build_time="2026-11-20T10:00:00+00:00",
        build_tool="nitro-cli",
        build_tool_version="1.4.2",
        operating_system="Linux",
        kernel_version="4.14.256",
        docker_info={"Os": "linux"},
        custom=None,
    )


@pytest.mark.parametrize(
    "data",
    [
        changed(Unknown=[1, 2]),
        build(Unknown=1),
        changed(CustomMetadata={"team": "payments"}),
        changed(CustomMetadata=[1]),
        changed(DockerInfo=None),
        changed(ImageName="[[[["),
        changed(ImageName='\\"[{'),
        changed(ImageName="\N{GRINNING FACE}\x1b[31m"),
        changed(CustomMetadata=json.loads("[" * 62 + "]" * 62)),
    ],
)
def test_what_nitro_cli_reads_is_read(data: bytes) -> None:
    check, metadata = examine(data)
    assert (check.outcome, check.detail) == (Outcome.PASS, "")
    assert metadata is not None


def test_a_document_without_custom_metadata_is_told_and_not_refused() -> None:
    check, metadata = examine(without("CustomMetadata"))
    assert (check.outcome, check.required) == (Outcome.WARN, False)
    assert check.detail == (
        "CustomMetadata is absent: the published schema allows that, nitro-cli describe-eif fails on it"
    )
    assert metadata is not None
    assert metadata.custom is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{nope", "is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (METADATA_JSON + b"{}", f"is not JSON: Extra data: line 1 column {len(METADATA_JSON) + 1} "),
        (METADATA_JSON[:-1], "is not JSON: Expecting ',' delimiter"),
        (b"\xef\xbb\xbf" + METADATA_JSON, "is not JSON: Unexpected UTF-8 BOM"),
        (b'"' + b'\\"' * 1_000_000, "is not JSON: Unterminated string"),
        (METADATA_JSON.replace(b"signer", b"sign\xe9r"), "is not UTF-8 text: byte 18"),
        (b"[]", "is of another shape: document is not an object"),
        (b"null", "is of another shape: document is not an object"),
        (without("ImageName"), "is of another shape: ImageName is missing"),
        (without("BuildMetadata"), "is of another shape: BuildMetadata is missing"),
        (without("DockerInfo"), "is of another shape: DockerInfo is missing"),
        (changed(ImageName=None), "is of another shape: ImageName is not a string"),
        (changed(ImageVersion=1), "is of another shape: ImageVersion is not a string"),
        (changed(BuildMetadata=[]), "is of another shape: BuildMetadata is not an object"),
        (build(BuildTime=1), "is of another shape: BuildTime is not a string"),
        (METADATA_JSON[:-1] + b',"ImageName":"other"}', "has the member 'ImageName' twice"),
        (changed(CustomMetadata={"n": float("nan")}), "is not JSON: NaN is no number"),
        (changed(CustomMetadata={"n": float("-inf")}), "is not JSON: -Infinity is no number"),
        (METADATA_JSON.replace(b'"linux"', b"1e999"), "has a number out of range: 1e999"),
        (METADATA_JSON.replace(b'"linux"', b"9" * 5000), "is not JSON: Exceeds the limit"),
        (METADATA_JSON.replace(b"signer", b"\\ud800"), "has half of a surrogate pair in a string"),
        (b"[" * 65 + b"]" * 65, "is nested more than 64 deep"),
        (b"[" * 1_000_000, "is nested more than 64 deep"),
        (b'{"a":' * 700_000, "is nested more than 64 deep"),
        (b" " * (4 << 20) + b"1", "has 4194305 bytes, more than the 4194304 that nitroctl reads"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(data: bytes, said: str) -> None:
    check, metadata = examine(data)
    assert metadata is None
    assert (check.id, check.outcome, check.required) == ("eif.metadata", Outcome.FAIL, True)
    assert check.detail.startswith(f"the metadata {said}")
    assert len(check.detail) < 200
