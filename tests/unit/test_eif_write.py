"""The image writer: nitro-cli's order, a right table and checksum, AWS's bytes for AWS's parts."""

import hashlib
import io
import json
import struct
from collections.abc import Sequence

import pytest

from nitroctl.eif.format import SectionType
from nitroctl.eif.write import ImageWriter, metadata_json, write_image
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


# -- the stream


def streamed(piece: int) -> tuple[bytes, ImageWriter]:
    """The image of tests.images, its data handed over ``piece`` bytes at a time."""
    stream = io.BytesIO()
    with ImageWriter(stream, architecture="x86_64") as image:
        for kind, data in images.GOOD:
            with image.section(SectionType(kind)) as section:
                for start in range(0, len(data), piece):
                    section.write(data[start : start + piece])
        written_ = image.finish()
    assert written_.pcrs == images.registers(stream.getvalue())
    assert written_.size == len(stream.getvalue())
    assert [(section.kind, section.size) for section in written_.sections] == [
        ("kernel", len(images.KERNEL_BYTES)),
        ("cmdline", len(images.CMDLINE_BYTES)),
        ("metadata", len(images.METADATA_JSON)),
        ("ramdisk", len(images.BOOT_BYTES)),
        ("ramdisk", len(images.APPLICATION_BYTES)),
    ]
    return stream.getvalue(), image


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_how_the_data_is_cut_does_not_matter(piece: int) -> None:
    assert streamed(piece)[0] == images.forge()


def test_data_larger_than_a_block_is_hashed_and_summed_whole() -> None:
    large = bytes(range(256)) * 12345  # 3 MiB and a bit
    parts = [*images.GOOD, (images.RAMDISK, large)]
    stream = io.BytesIO()
    with ImageWriter(stream, architecture="x86_64") as image:
        for kind, data in parts:
            with image.section(SectionType(kind)) as section:
                for start in range(0, len(data), 700_001):
                    section.write(memoryview(data)[start : start + 700_001])
        assert image.pcrs == image.finish().pcrs
    assert stream.getvalue() == images.forge(parts)


def test_a_buffer_may_be_used_again_after_it_was_written() -> None:
    stream, buffer = io.BytesIO(), bytearray(b"first")
    with ImageWriter(stream, architecture="x86_64") as image, image.section(SectionType.RAMDISK) as section:
        section.write(memoryview(buffer))
        buffer[:] = b"other"
    assert stream.getvalue().endswith(b"first")


def test_one_ramdisk_leaves_pcr2_at_nothing() -> None:
    stream = io.BytesIO()
    with ImageWriter(stream, architecture="x86_64") as image:
        for kind, data in images.GOOD[:4]:
            image.add(SectionType(kind), data)
        pcrs = image.finish().pcrs
    assert pcrs == images.registers(stream.getvalue())
    assert pcrs[0] == pcrs[1]
    assert pcrs[2].hex().startswith("21b9efbc1848")


def test_an_image_that_was_not_finished_is_none() -> None:
    stream = io.BytesIO()
    with ImageWriter(stream, architecture="x86_64") as image:
        image.add(SectionType.KERNEL, b"kernel")
        with pytest.raises(CannotAnswer, match="no ramdisk"):
            image.finish()
    assert stream.getvalue()[:548] == bytes(548)


def test_what_is_measured_comes_in_the_order_of_the_registers() -> None:
    with ImageWriter(io.BytesIO(), architecture="x86_64") as image:
        image.add(SectionType.RAMDISK, b"")
        with pytest.raises(CannotAnswer, match="the kernel comes after a ramdisk"):
            image.add(SectionType.KERNEL, b"")


def test_more_sections_than_the_table_holds() -> None:
    with ImageWriter(io.BytesIO(), architecture="x86_64") as image:
        for _ in range(32):
            image.add(SectionType.RAMDISK, b"")
        with pytest.raises(CannotAnswer, match="more than 32 sections"):
            image.add(SectionType.RAMDISK, b"")


def test_a_section_that_no_reader_would_take() -> None:
    with ImageWriter(io.BytesIO(), architecture="x86_64") as image:
        with pytest.raises(CannotAnswer, match="32769 bytes of signature, at most 32768 are read"):
            image.add(SectionType.SIGNATURE, bytes(32769))
        assert image.pcrs == {index: images.extended(hashlib.sha384().digest()) for index in range(3)}
