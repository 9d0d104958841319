"""Re-writing an image: the signature is all that changes, and whatever goes wrong nothing is lost."""

import hashlib
import os
import resource
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitroctl.eif import rewrite as rewriting
from nitroctl.eif.measure import Measured, measure
from nitroctl.eif.rewrite import require_signable, rewrite
from nitroctl.eif.sign import sign
from nitroctl.errors import CannotAnswer
from tests import images
from tests.conftest import vectors
from tests.images import CMDLINE, GOOD, KERNEL, METADATA, RAMDISK, SIGNATURE, Part, forge


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.eif"
    path.write_bytes(forge())
    return path


def section(curve: str = "secp384r1", parts: list[Part] | None = None) -> bytes:
    key, certificate = images.pair(curve)
    return sign(images.registers(forge(parts or GOOD))[0], private_key_pem=key, certificate_pem=certificate)


def pcr8(curve: str = "secp384r1") -> bytes:
    return images.extended(hashlib.sha384(images.der(images.pair(curve)[1])).digest())


def signed(path: Path, output: Path | None = None, curve: str = "secp384r1") -> Measured:
    measured = measure(str(path))
    key, certificate = images.pair(curve)
    data = sign(measured.pcrs[0], private_key_pem=key, certificate_pem=certificate)
    return rewrite(measured, str(output or path), data, pcr8=pcr8(curve))


def failing(path: Path, output: Path | None = None) -> CannotAnswer:
    """Return why signing ``path`` failed, after nothing was left and nothing changed."""
    target = output or path
    before = target.read_bytes() if target.exists() else None
    names = set(path.parent.iterdir())
    with pytest.raises(CannotAnswer) as caught:
        signed(path, output)
    assert set(path.parent.iterdir()) == names
    assert (target.read_bytes() if target.exists() else None) == before
    return caught.value


@pytest.mark.parametrize("place", range(len(GOOD) + 1))
@pytest.mark.parametrize(("old", "new"), [("secp256r1", "secp521r1"), ("secp521r1", "secp256r1")])
def test_a_signature_keeps_its_place_and_everything_behind_it_moves(
    image: Path, place: int, old: str, new: str
) -> None:
    parts = list(GOOD)
    image.write_bytes(forge([*parts[:place], (SIGNATURE, section(old)), *parts[place:]]))
    written = signed(image, curve=new)
    assert image.read_bytes() == forge([*parts[:place], (SIGNATURE, section(new)), *parts[place:]])
    assert (written.path, written.pcrs[8]) == (str(image), pcr8(new))
    rewrite(measure(str(image)), str(image), None, pcr8=None)
    assert image.read_bytes() == forge(parts)


def with_header(image: bytes, change: Callable[[bytearray], None]) -> bytes:
    """Return the image with its header changed and its checksum made right."""
    new = bytearray(image)
    change(new)
    new[544:548] = zlib.crc32(new[548:], zlib.crc32(new[:544])).to_bytes(4)
    return bytes(new)


def odd(header: bytearray) -> None:
    struct.pack_into(">HQQH", header, 6, 0xFFFE, 123456789, 77, 0xABCD)  # flags, memory, CPUs, reserved
    struct.pack_into(">Q", header, 28 + 8 * 31, 0x1122334455667788)  # the last slot of the table, unused
    struct.pack_into(">Q", header, 284 + 8 * 31, 0x99)
    struct.pack_into(">I", header, 540, 0xDEADBEEF)


def test_what_no_reader_understands_in_the_header_stays(image: Path) -> None:
    before = with_header(forge(), odd)
    image.write_bytes(before)
    signed(image)
    assert image.read_bytes() == with_header(forge([*GOOD, (SIGNATURE, section())]), odd)
    rewrite(measure(str(image)), str(image), None, pcr8=None)
    assert image.read_bytes() == before


def test_unknown_metadata_stays_byte_for_byte(image: Path) -> None:
    metadata = images.METADATA_JSON[:-1] + b',  "Unknown": [1.50, "\\u00e9"] }\n'
    parts = [(kind, metadata if kind == METADATA else data) for kind, data in GOOD]
    image.write_bytes(forge(parts))
    signed(image)
    assert image.read_bytes() == forge([*parts, (SIGNATURE, section(parts=parts))])


def test_an_image_resigned_by_a_faulty_signer_is_not_measured_and_ours_is(image: Path) -> None:
    """nitro-cli's signer leaves the size of the old signature in the table; this one does not."""
    signed(image, curve="secp256r1")
    signed(image, curve="secp521r1")
    data = image.read_bytes()
    count = struct.unpack_from(">H", data, 26)[0]
    at, size = (
        struct.unpack_from(">Q", data, 28 + 8 * (count - 1))[0],
        struct.unpack_from(">Q", data, 284 + 8 * (count - 1))[0],
    )
    assert (struct.unpack_from(">HHQ", data, at), at + 12 + size) == ((SIGNATURE, 0, size), len(data))
    assert measure(str(image)).measurable


def test_an_aws_built_image_round_trips(tmp_path: Path) -> None:
    image = tmp_path / "image.eif"
    for name in ("ref-tiny-unsigned.eif", "ref-tiny-emptycmdline.eif"):
        original = vectors("eif", name).read_bytes()
        image.write_bytes(original)
        signed(image)
        assert image.read_bytes() != original
        rewrite(measure(str(image)), str(image), None, pcr8=None)
        assert image.read_bytes() == original


def test_another_file_leaves_the_image_alone(image: Path, tmp_path: Path) -> None:
    output = tmp_path / "signed.eif"
    output.write_bytes(b"something else")
    signed(image, output)
    assert (image.read_bytes(), measure(str(output)).pcrs[8]) == (forge(), pcr8())


def test_an_image_with_the_same_signature_is_not_touched(image: Path) -> None:
    image.write_bytes(forge([*GOOD[:2], (SIGNATURE, section()), *GOOD[2:]]))
    before = image.stat()
    measured = measure(str(image))
    assert rewrite(measured, str(image), section(), pcr8=pcr8()) is measured
    after = image.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_image_with_the_same_signature_is_copied_to_another_file(image: Path, tmp_path: Path) -> None:
    signed(image)
    output = tmp_path / "new.eif"
    assert signed(image, output).path == str(output)
    assert output.read_bytes() == image.read_bytes()
    output.write_bytes(b"something else")
    signed(image, output)
    assert output.read_bytes() == image.read_bytes()


def test_a_version_without_signatures_is_refused(image: Path) -> None:
    image.write_bytes(forge([part for part in GOOD if part[0] != METADATA], version=2))
    error = failing(image)
    assert (error.code, error.message) == (
        "eif.not-signable",
        f"{image}: cannot be signed: version 2 of the format has no signatures",
    )


def test_a_full_table_is_refused_unless_a_signature_is_among_it(image: Path) -> None:
    parts = [*GOOD, *((RAMDISK, bytes([number])) for number in range(32 - len(GOOD)))]
    image.write_bytes(forge(parts))
    error = failing(image)
    assert (error.code, error.message) == (
        "eif.not-signable",
        f"{image}: cannot be signed: it has 32 sections already, all that the format holds",
    )
    with_signature = [*parts[:-1], (SIGNATURE, section(parts=parts[:-1]))]
    image.write_bytes(forge(with_signature))
    require_signable(measure(str(image)))
    signed(image, curve="secp256r1")
    assert measure(str(image)).pcrs[8] == pcr8("secp256r1")


def test_an_image_changed_after_it_was_measured_is_not_copied(image: Path, tmp_path: Path) -> None:
    measured = measure(str(image))
    other = forge([(KERNEL, b"evil!!" * 7), *GOOD[1:]])
    assert len(other) == len(forge())
    for content in (other, forge()[:-1], forge() + b"x", b""):
        image.write_bytes(content)
        with pytest.raises(CannotAnswer) as caught:
            rewrite(measured, str(tmp_path / "out.eif"), section(), pcr8=pcr8())
        assert caught.value.code == "eif.changed"
        assert list(tmp_path.iterdir()) == [image]


@pytest.mark.parametrize("how", ["replaced", "replaced by one of the same size and time", "written to", "removed"])
def test_an_image_that_somebody_else_changes_meanwhile_is_not_overwritten(
    image: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another signer was faster: its work is not lost."""
    same_size = how.endswith("size and time")
    other = forge([(KERNEL, b"Kernel" * 7), *GOOD[1:]] if same_size else [*GOOD, (RAMDISK, b"more")])
    before = image.stat()
    assert (len(other) == before.st_size) is same_size

    def interfere(path: str, **options: Any) -> Measured:
        if path.startswith("/proc/"):
            if how.startswith("replaced"):
                image.with_name("new").write_bytes(other)
                if how != "replaced":
                    os.utime(image.with_name("new"), ns=(before.st_atime_ns, before.st_mtime_ns))
                image.with_name("new").replace(image)
            elif how == "written to":
                image.write_bytes(other)
            else:
                image.unlink()
        return measure(path, **options)

    measured = measure(str(image))
    monkeypatch.setattr(rewriting, "measure", interfere)
    with pytest.raises(CannotAnswer) as caught:
        rewrite(measured, str(image), section(), pcr8=pcr8())
    assert caught.value.code == "eif.changed"
    found = {path.name: path.read_bytes() for path in image.parent.iterdir()}
    assert found == ({} if how == "removed" else {"image.eif": other})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "it does not measure: "),
        (lambda _: forge([*GOOD[:-1], (RAMDISK, b"evil")]), "its registers are not those of "),
        (lambda _: forge(), "its registers are not those of "),
        (
            lambda _: forge(
                [
                    (kind, images.METADATA_JSON.replace(b"1.4.2", b"6.6.6") if kind == METADATA else part)
                    for kind, part in GOOD
                ]
                + [(SIGNATURE, section())]
            ),
            "its metadata or command line is not the old one's",
        ),
    ],
)
def test_a_new_file_that_is_not_what_was_meant_never_takes_the_name(
    image: Path, damage: Callable[[bytes], bytes], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that returns other bytes than were written."""

    def damaged(path: str, **options: Any) -> Measured:
        if path.startswith("/proc/"):
            with Path(path).open("r+b") as stream:
                content = damage(stream.read())
                stream.seek(0)
                stream.truncate()
                stream.write(content)
        return measure(path, **options)

    measured = measure(str(image))
    monkeypatch.setattr(rewriting, "measure", damaged)
    with pytest.raises(CannotAnswer) as caught:
        rewrite(measured, str(image), section(), pcr8=pcr8())
    assert caught.value.code == "eif.not-rewritten"
    assert caught.value.message.startswith(f"{image}: the new image is not as it should be: {said}")
    assert {path.name: path.read_bytes() for path in image.parent.iterdir()} == {"image.eif": forge()}


def test_a_full_disk_leaves_the_image(image: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        error = failing(image)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (error.code, error.message) == ("file.unwritable", f"{image}: cannot write: file too large")


class Broken:
    """A stream that can no longer be read once it has given ``whole`` bytes."""

    def __init__(self, stream: Any, whole: int) -> None:
        self.stream, self.whole = stream, whole

    def seek(self, at: int) -> None:
        self.stream.seek(at)

    def read(self, count: int) -> bytes:
        if self.whole < count:
            raise OSError(5, "Input/output error")
        self.whole -= count
        return self.stream.read(count)  # type: ignore[no-any-return]


@pytest.mark.parametrize("whole", [0, len(forge()) // 2, len(forge())], ids=["at once", "midway", "at the end"])
def test_a_fault_of_the_source_is_told_of_the_source(
    image: Path, whole: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = rewriting._copy
    monkeypatch.setattr(rewriting, "_copy", lambda source, *rest: copy(Broken(source, whole), *rest))  # type: ignore[arg-type]
    error = failing(image, tmp_path / "out.eif")
    assert (error.code, error.message) == ("file.unreadable", f"{image}: cannot read: input/output error")


def test_a_signature_that_cannot_be_read_any_more_is_told_of_the_source(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed(image)
    present = rewriting._present
    monkeypatch.setattr(rewriting, "_present", lambda source, measured: present(Broken(source, 0), measured))  # type: ignore[arg-type]
    error = failing(image)
    assert (error.code, error.message) == ("file.unreadable", f"{image}: cannot read: input/output error")


@pytest.mark.parametrize("target", ["fifo", "directory", "device"])
def test_only_a_regular_file_is_replaced(image: Path, tmp_path: Path, target: str) -> None:
    output = tmp_path / "out"
    if target == "fifo":
        os.mkfifo(output)
    elif target == "directory":
        output.mkdir()
    else:
        output.symlink_to("/dev/null")
    with pytest.raises(CannotAnswer):
        signed(image, output)
    assert sorted(tmp_path.iterdir()) == [image, output]
    assert Path("/dev/null").is_char_device()


def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    image = tmp_path / "large.eif"
    image.write_bytes(forge([(KERNEL, b"k"), (CMDLINE, b"c"), (RAMDISK, bytes(48 << 20))], version=3))
    measured = measure(str(image))
    key, certificate = images.pair()
    data = sign(measured.pcrs[0], private_key_pem=key, certificate_pem=certificate)
    tracemalloc.start()
    try:
        rewrite(measured, str(image), data, pcr8=pcr8())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20


@given(
    data=st.data(),
    fields=st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 9)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_signing_and_unsigning_is_no_change(
    tmp_path: Path, data: st.DataObject, fields: tuple[int, int, int, int]
) -> None:
    ramdisks = data.draw(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
    parts = [(KERNEL, data.draw(st.binary(min_size=1, max_size=40))), (CMDLINE, data.draw(st.binary(max_size=20)))]
    parts += [(RAMDISK, ramdisk) for ramdisk in ramdisks]
    parts.insert(data.draw(st.integers(0, len(parts))), (METADATA, images.METADATA_JSON))
    before = with_header(forge(parts), lambda header: struct.pack_into(">HQQH", header, 6, *fields))
    image = tmp_path / "image.eif"
    image.write_bytes(before)
    if not measure(str(image)).measurable:
        return
    written = signed(image, curve=data.draw(st.sampled_from(["secp256r1", "secp384r1", "secp521r1"])))
    assert {index: written.pcrs[index] for index in (0, 1, 2)} == images.registers(before)
    assert image.read_bytes()[6:26] == before[6:26]
    rewrite(measure(str(image)), str(image), None, pcr8=None)
    assert image.read_bytes() == before
