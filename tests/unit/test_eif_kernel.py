"""What kernel files say they are, against headers laid out by hand from Linux' boot protocol documents."""

import gzip
import io
import struct

import pytest

from nitroctl.eif.kernel import Kernel, identify
from tests.conftest import vectors

BANNER = b"6.1.0-56-cloud-amd64 (builder@host) #1 SMP Debian 6.1.192-2 (2026-11-16)"
SPOKEN = b"Linux version 6.1.134 (builder@host) (gcc 12.2.0, ld 2.40) #1 SMP Thu Jan 1 00:00:00 UTC 1970\n\0"
SAID = "6.1.134 (builder@host) (gcc 12.2.0, ld 2.40) #1 SMP Thu Jan 1 00:00:00 UTC 1970"


def bz_image(
    *,
    protocol: int = 0x20F,
    flags: int = 1,
    pointer: int = 0x400,
    sectors: int = 4,
    payload: bytes = b"\x28\xb5\x2f\xfd",
) -> bytes:
    """Return a kernel by the x86 boot protocol with its version at ``pointer`` after the boot sector."""
    head = bytearray(512 * (sectors or 4) + 512)
    head[0x1F1] = sectors
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, protocol)
    struct.pack_into("<H", head, 0x20E, pointer)
    head[0x211] = flags
    struct.pack_into("<H", head, 0x236, 0x7F)
    struct.pack_into("<II", head, 0x248, 0x20, len(payload))
    if pointer:
        head[0x200 + pointer : 0x200 + pointer + len(BANNER) + 1] = BANNER + b"\0"
    return bytes(head) + bytes(0x20) + payload + bytes(100)


def arm64(text: bytes = SPOKEN, *, before: int = 3 << 20) -> bytes:
    head = bytearray(64)
    head[0x38:0x3C] = b"ARM\x64"
    return bytes(head) + bytes(before) + text + bytes(100)


def found(raw: bytes) -> Kernel:
    return identify(io.BytesIO(b"before" + raw + b"Linux version 9.9.9 (no kernel of this section) #1"), 6, len(raw))


def test_a_bz_image_says_its_version_in_its_header() -> None:
    assert found(bz_image()) == Kernel(
        format="bzImage",
        version="6.1.0-56-cloud-amd64",
        banner=BANNER.decode(),
        architecture="x86_64",
        compression="zstd",
        protocol="2.15",
    )


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\x1f\x8b", "gzip"),
        (b"BZh", "bzip2"),
        (b"\x5d\x00\x00", "lzma"),
        (b"\xfd7zXZ", "xz"),
        (b"\x89LZO", "lzo"),
        (b"\x02\x21\x4c\x18", "lz4"),
        (b"\x7fELF", "none"),
        (b"????", ""),
    ],
)
def test_the_compression_of_the_kernel_inside(start: bytes, name: str) -> None:
    assert found(bz_image(payload=start)).compression == name


def test_a_low_kernel_is_a_z_image() -> None:
    assert found(bz_image(flags=0)).format == "zImage"


def test_an_old_protocol_does_not_say_processor_and_compression() -> None:
    old = found(bz_image(protocol=0x207))
    assert (old.protocol, old.architecture, old.compression, old.version) == ("2.07", "", "", "6.1.0-56-cloud-amd64")


def test_a_setup_of_no_sectors_means_four() -> None:
    assert found(bz_image(sectors=0)).compression == "zstd"


def test_a_header_without_a_pointer_has_no_version() -> None:
    assert (found(bz_image(pointer=0)).version, found(bz_image(pointer=0)).format) == ("", "bzImage")


def test_a_pointer_beyond_the_file_finds_nothing() -> None:
    raw = bytearray(bz_image())
    struct.pack_into("<H", raw, 0x20E, 0xFFFF)
    assert found(bytes(raw)).version == ""


def test_an_arm64_image_says_its_version_somewhere_in_its_data() -> None:
    assert found(arm64()) == Kernel(
        format="arm64 Image", version="6.1.134", banner=SAID, architecture="aarch64", compression="none"
    )


@pytest.mark.parametrize("cut", range(0, 140, 7))
def test_a_version_across_two_pieces_is_found(cut: int) -> None:
    assert found(arm64(before=(1 << 20) - 64 - cut)).version == "6.1.134"


def test_a_version_at_the_very_end_is_found() -> None:
    raw = arm64()
    assert found(raw[: raw.index(SPOKEN) + len(SPOKEN) - 2]).banner == SAID


def test_a_format_string_is_no_version() -> None:
    text = b"Linux version %s (%s)\0"
    assert found(arm64(text)).version == ""
    assert found(arm64(text + SPOKEN)).version == "6.1.134"


def test_a_compressed_arm64_image_is_looked_into() -> None:
    assert found(gzip.compress(arm64())) == Kernel(
        format="gzip arm64 Image", version="6.1.134", banner=SAID, architecture="aarch64", compression="gzip"
    )


def test_a_compressed_something_is_unknown() -> None:
    assert found(gzip.compress(b"hello")) == Kernel(compression="gzip")


def test_a_compressed_image_cut_short_is_known_as_far_as_it_goes() -> None:
    cut = gzip.compress(arm64())
    assert found(cut[: len(cut) // 2]).format == "gzip arm64 Image"
    assert found(cut[:12]) == Kernel(compression="gzip")


@pytest.mark.parametrize(("machine", "name"), [(62, "x86_64"), (183, "aarch64"), (8, "machine 8")])
def test_an_elf_kernel(machine: int, name: str) -> None:
    head = bytearray(64)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<H", head, 18, machine)
    kernel = found(bytes(head) + SPOKEN)
    assert (kernel.format, kernel.architecture, kernel.version) == ("ELF", name, "6.1.134")


def test_an_efi_zboot_kernel_names_its_compression() -> None:
    head = bytearray(256)
    head[:8] = b"MZ\0\0zimg"
    head[24:28] = b"zstd"
    struct.pack_into("<I", head, 0x3C, 0x80)
    head[0x80:0x86] = b"PE\0\0" + struct.pack("<H", 0xAA64)
    assert found(bytes(head)) == Kernel(format="EFI zboot", architecture="aarch64", compression="zstd")


@pytest.mark.parametrize("raw", [b"", b"M", b"\x7fELF", b"kernel" * 7, bytes(4096), b"\x55\xaa" * 300])
def test_what_is_no_kernel_is_unknown(raw: bytes) -> None:
    assert found(raw) == Kernel()


def test_a_version_with_escapes_is_text() -> None:
    raw = bz_image()
    kernel = found(raw.replace(b"6.1.0-56", b"6\x1b[2J\xff-56"))
    assert kernel.version == "6\x1b[2J\\xff-56-cloud-amd64"


def test_a_kernel_without_a_header_in_an_image_by_the_aws_builder() -> None:
    """Its 4113 bytes are a placeholder."""
    with vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif").open("rb") as stream:
        assert identify(stream, 560, 4113) == Kernel()
