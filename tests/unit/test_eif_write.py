"""The image writer: nitro-cli's order, a right table and checksum, AWS's bytes for AWS's parts."""

import io
import json
import struct
from collections.abc import Sequence

import pytest

from nitroctl.eif.write import metadata_json, write_image
from nitroctl.errors import CannotAnswer
from tests import images
from tests.conftest import vectors


def written(
    *,
    ramdisks: Sequence[bytes] = (images.BOOT_BYTES, images.APPLICATION_BYTES),
    metadata: bytes | None = images.METADATA_JSON,
    signature: bytes | None = None,
) -> bytes:
    stream = io.BytesIO()
    write_image(
        stream,
        architecture="x86_64",
        kernel=images.KERNEL_BYTES,
        cmdline=images.CMDLINE_BYTES,
        ramdisks=ramdisks,
        metadata=metadata,
        signature=signature,
    )
    return stream.getvalue()


def test_an_image_is_laid_out_as_the_format_describes_it() -> None:
    assert written() == images.forge()


def test_a_signature_comes_last() -> None:
    assert written(signature=b"signature") == images.forge([*images.GOOD, (images.SIGNATURE, b"signature")])


def test_without_metadata_the_version_is_one_that_does_not_ask_for_it() -> None:
    parts = [part for part in images.GOOD if part[0] != images.METADATA]
    assert written(metadata=None) == images.forge(parts, version=3)


def test_aarch64_is_bit_zero_of_the_flags() -> None:
    stream = io.BytesIO()
    write_image(
        stream, architecture="aarch64", kernel=b"k", cmdline=b"", ramdisks=[b"r"], metadata=b"{}", signature=None
    )
    assert struct.unpack_from(">H", stream.getvalue(), 6) == (1,)


@pytest.mark.parametrize("name", ["ref-2ramdisk-x86_64-signed-p384", "ref-tiny-emptycmdline", "ref-tiny-unsigned"])
def test_the_parts_of_an_image_by_the_aws_builder_give_the_same_file(name: str) -> None:
    image = vectors("eif", f"{name}.eif").read_bytes()
    parts: dict[int, list[bytes]] = {}
    at = 548
    while at < len(image):
        kind, _, size = struct.unpack_from(">HHQ", image, at)
        parts.setdefault(kind, []).append(image[at + 12 : at + 12 + size])
        at += 12 + size
    stream = io.BytesIO()
    write_image(
        stream,
        architecture="x86_64",
        kernel=parts[images.KERNEL][0],
        cmdline=parts[images.CMDLINE][0],
        ramdisks=parts[images.RAMDISK],
        metadata=parts[images.METADATA][0],
        signature=parts[images.SIGNATURE][0] if images.SIGNATURE in parts else None,
    )
    assert stream.getvalue() == image


def test_metadata_is_compact_json_with_the_keys_in_order() -> None:
    data = metadata_json(
        image_name="café",
        image_version="1",
        build_time="2026-11-20T10:00:00Z",
        build_tool="nitro-cli",
        build_tool_version="1.4.2",
        operating_system="Linux",
        kernel_version="4.14.256",
        docker_info={"Os": "linux"},
    )
    assert data.decode() == (
        '{"ImageName":"café","ImageVersion":"1","BuildMetadata":{"BuildTime":"2026-11-20T10:00:00Z",'
        '"BuildTool":"nitro-cli","BuildToolVersion":"1.4.2","OperatingSystem":"Linux","KernelVersion":"4.14.256"},'
        '"DockerInfo":{"Os":"linux"},"CustomMetadata":null}'
    )


def test_metadata_by_the_aws_builder_is_reproduced() -> None:
    image = vectors("eif", "ref-tiny-unsigned.eif").read_bytes()
    at = image.index(b'{"ImageName"')
    size = struct.unpack_from(">Q", image, at - 8)[0]
    found = json.loads(image[at : at + size])
    build = found["BuildMetadata"]
    assert image[at : at + size] == metadata_json(
        image_name=found["ImageName"],
        image_version=found["ImageVersion"],
        build_time=build["BuildTime"],
        build_tool=build["BuildTool"],
        build_tool_version=build["BuildToolVersion"],
        operating_system=build["OperatingSystem"],
        kernel_version=build["KernelVersion"],
    )


@pytest.mark.parametrize(
    ("ramdisks", "metadata", "signature", "said"),
    [
        ([], b"{}", None, "no ramdisk, an enclave needs at least one"),
        ([b""] * 30, b"{}", None, "33 sections, the format holds 32"),
        ([b""], bytes((4 << 20) + 1), None, "4194305 bytes of metadata, at most 4194304 are read"),
        ([b""], b"{}", bytes(32769), "32769 bytes of signature, at most 32768 are read"),
    ],
)
def test_what_no_reader_would_take_is_not_written(
    ramdisks: list[bytes], metadata: bytes, signature: bytes | None, said: str
) -> None:
    with pytest.raises(CannotAnswer) as caught:
        written(ramdisks=ramdisks, metadata=metadata, signature=signature)
    assert caught.value.code == "eif.not-buildable"
    assert caught.value.message == f"the image cannot be written: {said}"


@pytest.mark.parametrize(("name", "custom"), [("\udce9", None), ("a", {"x": float("nan")})])
def test_metadata_that_is_no_json_is_not_written(name: str, custom: dict[str, object] | None) -> None:
    with pytest.raises(CannotAnswer) as caught:
        metadata_json(
            image_name=name,
            image_version="",
            build_time="",
            build_tool="",
            build_tool_version="",
            operating_system="",
            kernel_version="",
            custom=custom,
        )
    assert caught.value.code == "eif.not-buildable"
