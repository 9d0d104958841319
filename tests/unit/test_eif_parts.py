"""Kernel, command line, init and driver: where they come from, and that they are for one processor."""

import struct
from pathlib import Path
from typing import Any

import pytest

from nitroctl.eif import parts
from nitroctl.eif.parts import Given, Input
from nitroctl.errors import CannotAnswer

CMDLINE = b"reboot=k panic=30\n"


def bzimage(*, architecture: int = 1, version: bytes = b"6.1.0-test (b@h) #1\0") -> bytes:
    """The header of the x86 boot protocol, as far as it is read."""
    head = bytearray(1024)
    head[0x1F1] = 1
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<HxxxxxxH", head, 0x206, 0x020F, 0x100)
    head[0x211] = 1
    struct.pack_into("<H", head, 0x236, architecture)
    head[0x300 : 0x300 + len(version)] = version
    return bytes(head)


def arm64() -> bytes:
    head = bytearray(4096)
    head[0x38:0x3C] = b"ARM\x64"
    banner = b"Linux version 5.10.9 (b@h) (cc) #1 SMP date\n"
    head[0x400 : 0x400 + len(banner)] = banner
    return bytes(head)


def elf(machine: int, *segments: int) -> bytes:
    """A program of nothing but headers. ``segments``: the types of its program headers."""
    head = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    )
    return head + b"".join(struct.pack("<I52x", kind) for kind in segments)


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    files = {"bzImage": bzimage(), "init": elf(62), "nsm.ko": elf(62), "cmdline": CMDLINE, "linuxkit": b"#!/bin/sh\n"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def refusal(given: Given, **how: Any) -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as caught:
        parts.find(given, architecture=how.get("architecture"), wanted_by="app:1")
    return caught.value.code, caught.value.message


def test_nitro_cli_s_blobs_are_found_by_their_names(blobs: Path) -> None:
    found = parts.find(Given(directory=str(blobs)), architecture="x86_64")
    assert [(part.role, Path(part.path).name) for part in found.inputs] == [
        ("kernel", "bzImage"),
        ("init", "init"),
        ("nsm.ko", "nsm.ko"),
    ]
    assert (found.architecture, found.cmdline, found.remarks) == ("x86_64", b"reboot=k panic=30", ())
    assert (found.identity.format, found.system, found.release) == ("bzImage", "Linux", "6.1.0-test")


def test_the_configuration_beside_the_kernel_says_system_and_release(blobs: Path) -> None:
    (blobs / "bzImage.config").write_text("#\n# made by hand\n# Linux/x86_64 4.14.256 Kernel Configuration\n#\n")
    found = parts.find(Given(directory=str(blobs)), architecture=None)
    assert (found.system, found.release) == ("Linux", "4.14.256")


@pytest.mark.parametrize("config", ["", "#\n#\n", "#\n#\nnothing\n", "\n\n# Linux/x86_64\n"])
def test_a_configuration_that_says_nothing_leaves_it_to_the_kernel(blobs: Path, config: str) -> None:
    (blobs / "bzImage.config").write_text(config)
    assert parts.find(Given(directory=str(blobs)), architecture=None).release == "6.1.0-test"


def test_the_kernel_decides_the_processor_when_nothing_else_does(blobs: Path) -> None:
    assert parts.find(Given(directory=str(blobs)), architecture=None).architecture == "x86_64"


def test_of_two_kernels_the_image_chooses(blobs: Path) -> None:
    (blobs / "Image").write_bytes(arm64())
    (blobs / "init").write_bytes(b"#!script")
    (blobs / "nsm.ko").unlink()
    found = parts.find(Given(directory=str(blobs)), architecture="aarch64")
    assert (found.architecture, found.identity.format, found.release) == ("aarch64", "arm64 Image", "5.10.9")
    assert refusal(Given(directory=str(blobs))) == (
        "eif.architecture",
        f"{blobs}: has a kernel for each processor, and nothing says which one is wanted",
    )


def test_a_mixture_is_refused(blobs: Path) -> None:
    where = Given(directory=str(blobs))
    assert refusal(where, architecture="aarch64") == (
        "eif.architecture",
        f"the image is for aarch64, and {blobs} has a kernel for x86_64",
    )
    (blobs / "arm").write_bytes(arm64())
    assert refusal(Given(directory=str(blobs), kernel=str(blobs / "arm")), architecture="x86_64") == (
        "eif.architecture",
        f"app:1 is for x86_64, and {blobs}/arm is a kernel for aarch64",
    )
    for name in ("nsm.ko", "init"):
        (blobs / name).write_bytes(elf(183))
        assert refusal(where) == (
            "eif.architecture",
            f"the image is for x86_64, and {blobs}/{name} is a program for aarch64",
        )
    (blobs / "init").write_bytes(elf(3))
    assert refusal(where)[1].endswith("/init is a program for machine 3")
    (blobs / "bzImage").write_bytes(bzimage(architecture=0))
    assert refusal(where) == (
        "eif.architecture",
        f"{blobs}/bzImage is a kernel for i386, enclaves run on x86_64 and aarch64",
    )


def test_a_kernel_that_is_not_known_leaves_the_processor_to_be_said(blobs: Path) -> None:
    (blobs / "bzImage").write_bytes(b"kernel")
    assert refusal(Given(directory=str(blobs))) == (
        "eif.architecture",
        f"{blobs}/bzImage: nothing says which processor the image is for, and this is no kernel that is known",
    )
    found = parts.find(Given(directory=str(blobs)), architecture="x86_64")
    assert (found.architecture, found.identity.format, found.release) == ("x86_64", "unknown", "unknown")


def test_another_kernel_is_not_given_the_driver_of_the_blobs(blobs: Path) -> None:
    (blobs / "other").write_bytes(bzimage())
    found = parts.find(Given(directory=str(blobs), kernel=str(blobs / "other")), architecture=None)
    assert [part.role for part in found.inputs] == ["kernel", "init"]
    assert found.remarks == ("no nsm.ko: the kernel must have the driver built in, or the enclave cannot attest",)
    given = Given(directory=str(blobs), kernel=str(blobs / "other"), nsm=str(blobs / "nsm.ko"))
    assert [part.role for part in parts.find(given, architecture=None).inputs] == ["kernel", "init", "nsm.ko"]


def test_files_can_take_the_place_of_every_part(blobs: Path, tmp_path: Path) -> None:
    given = Given(
        directory=str(tmp_path / "nowhere"),
        kernel=str(blobs / "bzImage"),
        cmdline=str(blobs / "cmdline"),
        init=str(blobs / "init"),
        nsm=str(blobs / "nsm.ko"),
    )
    assert len(parts.find(given, architecture=None).inputs) == 3


@pytest.mark.parametrize(
    ("missing", "what"),
    [("bzImage", "a kernel (bzImage or Image)"), ("init", "init"), ("cmdline", "cmdline")],
)
def test_a_part_that_is_missing(blobs: Path, missing: str, what: str) -> None:
    (blobs / missing).unlink()
    assert refusal(Given(directory=str(blobs))) == ("eif.blobs", f"{blobs}: has no {what}")


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    where = str(tmp_path / "nowhere")
    message = f"{where}: no such directory to take a kernel (bzImage or Image) from"
    assert refusal(Given(directory=where)) == ("eif.blobs", message)


@pytest.mark.parametrize(
    ("init", "said"),
    [
        (elf(62, 1, 1), None),
        (elf(62, 1, 3, 1), "needs a loader (it is not statically linked)"),
        (b"#!/bin/sh\n", "is a script"),
        (elf(62, 3)[:40], None),
        (elf(62, 3)[:32] + b"\xff" * 8 + elf(62, 3)[40:], None),
        (elf(62, 3)[:54] + bytes(2) + elf(62, 3)[56:], None),
    ],
)
def test_an_init_that_cannot_run_alone_is_remarked(blobs: Path, init: bytes, said: str | None) -> None:
    (blobs / "init").write_bytes(init)
    remarks = parts.find(Given(directory=str(blobs)), architecture="x86_64").remarks
    wanted = f"{blobs}/init {said}: it is started in the boot ramdisk, where there is nothing else"
    assert remarks == ((wanted,) if said else ())


def test_a_kernel_that_may_not_boot_is_remarked(blobs: Path) -> None:
    (blobs / "bzImage").write_bytes(b"kernel")
    wanted = "is no kernel that is known; enclaves boot a bzImage, or an arm64 Image that is not compressed"
    found = parts.find(Given(directory=str(blobs)), architecture="x86_64")
    assert found.remarks == (f"{blobs}/bzImage {wanted}",)


@pytest.mark.parametrize("name", ["bzImage", "init", "nsm.ko"])
def test_a_part_that_is_empty(blobs: Path, name: str) -> None:
    (blobs / name).write_bytes(b"")
    assert refusal(Given(directory=str(blobs)))[0] == "eif.not-buildable"


@pytest.mark.parametrize(("name", "role"), [("bzImage", "kernel"), ("init", "init"), ("nsm.ko", "nsm.ko")])
def test_a_part_that_is_a_disk_s_image_by_mistake(blobs: Path, name: str, role: str) -> None:
    size = 200 << 30
    with (blobs / name).open("ab") as stream:
        stream.truncate(size)
    message = f"{blobs}/{name}: {size} bytes, and no {role} is larger than 1 GiB"
    assert refusal(Given(directory=str(blobs))) == ("file.too-large", message)
    with (blobs / name).open("ab") as stream:
        stream.truncate(parts.PART_LIMIT)
    assert Input.find(role, str(blobs / name)).size == parts.PART_LIMIT


def test_a_part_that_is_no_file(blobs: Path) -> None:
    (blobs / "init").unlink()
    (blobs / "init").mkdir()
    assert refusal(Given(directory=str(blobs))) == ("file.unreadable", f"{blobs}/init: cannot read: is a directory")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a\nb", "has control or non-ASCII characters"),
        (b"a\0b", "has control or non-ASCII characters"),
        ("é".encode(), "has control or non-ASCII characters"),
        (b"a" * 2048, "2048 characters, and Linux takes 2047 and drops the rest"),
    ],
)
def test_a_command_line_that_linux_would_not_take_as_it_is(blobs: Path, text: bytes, said: str) -> None:
    (blobs / "cmdline").write_bytes(text)
    code, message = refusal(Given(directory=str(blobs)))
    assert code == "eif.not-buildable"
    assert said in message


@pytest.mark.parametrize("text", [b"a" * 2047, b"", b" \n"])
def test_command_lines_at_the_edges(blobs: Path, text: bytes) -> None:
    (blobs / "cmdline").write_bytes(text)
    assert parts.find(Given(directory=str(blobs)), architecture=None).cmdline == text.strip()


def test_a_file_is_digested_as_it_passes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    found = Input.find("init", str(tmp_path / "a"))
    assert (found.size, found.sha256) == (3, "")
    assert b"".join(found.chunks()) == b"abc"
    assert found.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("content", [b"ab", b"abcd"])
def test_a_file_that_changes_before_it_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    found = Input.find("init", str(tmp_path / "a"))
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(CannotAnswer) as caught:
        list(found.chunks())
    assert caught.value.code == "eif.source-changed"
