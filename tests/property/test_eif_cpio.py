"""Whatever a ramdisk holds, reading it ends with an answer; what was written is read again, here and by others."""

import bz2
import gzip
import hashlib
import io
import lzma
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitroctl.eif import contents, cpio, extract, kernel, ramdisk
from nitroctl.eif.cpio import Limits
from nitroctl.eif.format import Section

bounded = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
few = settings(bounded, max_examples=40)

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 1),
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": lambda data: zstandard.ZstdCompressor(level=1).compress(data),
}
LIMITS = Limits(members=200, streams=20, text=1 << 16, faults=8, expanded=1 << 20, ratio=16)

components = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda text: text not in (".", ".."))
words = st.integers(0, 0xFFFFFFFF)


@st.composite
def entries(draw: st.DrawFn) -> list[ramdisk.Entry]:
    """Return entries of a tree: directories before what is in them, every name once."""
    found: dict[str, ramdisk.Entry] = {}
    for parts in draw(st.lists(st.lists(components, min_size=1, max_size=3), max_size=8)):
        for depth in range(1, len(parts)):
            name = "/".join(parts[:depth])
            found.setdefault(name, ramdisk.directory(name))
        name = "/".join(parts)
        if name in found or name == "TRAILER!!!":
            continue
        above = found.get("/".join(parts[:-1]))
        if above and not stat.S_ISDIR(above.mode):
            continue
        kind = draw(st.sampled_from([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR]))
        data = draw(st.binary(min_size=1, max_size=300)) if kind in (stat.S_IFREG, stat.S_IFLNK) else b""
        found[name] = ramdisk.Entry(
            name=name,
            mode=kind | draw(st.integers(0, 0o7777)),
            data=data.replace(b"\0", b"0") if kind == stat.S_IFLNK else data,
            mtime=draw(words),
            uid=draw(words),
            gid=draw(words),
        )
    return [entry for name, entry in found.items() if all(_is_directory(found, name))]


def _is_directory(found: dict[str, ramdisk.Entry], name: str) -> list[bool]:
    parts = name.split("/")
    return [stat.S_ISDIR(found["/".join(parts[:depth])].mode) for depth in range(1, len(parts))]


@bounded
@given(tree=entries(), packer=st.sampled_from(sorted(PACKERS)), zeros=st.integers(0, 9))
def test_what_is_written_is_read_again(tree: list[ramdisk.Entry], packer: str, zeros: int) -> None:
    archive = ramdisk.newc(tree)
    raw = PACKERS[packer](archive) + bytes(zeros)
    listing = contents.listing_of(io.BytesIO(b"x" * 5 + raw), 5, len(raw))
    assert (listing.faults, listing.complete, listing.archives, listing.compressions) == ((), True, 1, (packer,))
    assert listing.expanded_bytes == (0 if packer == "none" else len(archive))
    ordered = sorted(tree, key=lambda entry: entry.name.split("/"))
    assert [member.name for member in listing.members] == [entry.name.encode() for entry in ordered]
    for member, entry in zip(listing.members, ordered, strict=True):
        assert (member.mode, member.uid, member.gid, member.mtime) == (entry.mode, entry.uid, entry.gid, entry.mtime)
        if stat.S_ISREG(entry.mode):
            assert (member.size, member.sha256) == (len(entry.data), hashlib.sha256(entry.data).digest())
        if stat.S_ISLNK(entry.mode):
            assert member.target == entry.data


@bounded
@given(tree=entries())
def test_reading_without_contents_finds_the_same_entries(tree: list[ramdisk.Entry]) -> None:
    raw = ramdisk.newc(tree)
    whole, quick = (contents.listing_of(io.BytesIO(raw), 0, len(raw), digests=digests) for digests in (True, False))
    assert [member.name for member in whole.members] == [member.name for member in quick.members]
    assert [member.offset for member in whole.members] == [member.offset for member in quick.members]
    assert whole.content_bytes == quick.content_bytes


def answered(raw: bytes) -> None:
    """Hold what is true of every answer."""
    for digests in (True, False):
        listing = contents.listing_of(io.BytesIO(raw), 0, len(raw), digests=digests, limits=LIMITS)
        assert sum(fault.final for fault in listing.faults) == (0 if listing.complete else 1)
        assert len(listing.members) <= LIMITS.members
        assert listing.expanded_bytes <= max(LIMITS.expanded, LIMITS.ratio * len(raw)) + 256 * 1024
        for index, member in enumerate(listing.members):
            assert member.name
            assert b"\0" not in member.name
            assert stat.S_IFMT(member.mode) in contents.KINDS
            assert (member.sha256 is not None) is (digests and stat.S_ISREG(member.mode))
            listing.holder(index)
            listing.hard_link(index)
        assert set(listing.final.values()) <= set(range(len(listing.members)))
        extract.locate(listing, b"init")


@bounded
@given(raw=st.binary(max_size=2000), start=st.sampled_from([b"", b"070701", b"\x1f\x8b\x08\0", b"BZh9", b"\xfd7zXZ\0"]))
def test_arbitrary_bytes_get_an_answer(raw: bytes, start: bytes) -> None:
    answered(start + raw)


@bounded
@given(
    fields=st.lists(st.lists(words | st.sampled_from([0, 0o100644, 0o120777, 0o40755]), min_size=13, max_size=13)),
    bodies=st.lists(st.binary(max_size=200)),
    packer=st.sampled_from(sorted(PACKERS)),
)
def test_arbitrary_headers_get_an_answer(fields: list[list[int]], bodies: list[bytes], packer: str) -> None:
    raw = b""
    for numbers, body in zip(fields, bodies, strict=False):
        raw += b"070701" + b"".join(b"%08x" % number for number in numbers) + body
        raw += bytes(-len(raw) % 4)
    answered(PACKERS[packer](raw))


@bounded
@given(tree=entries(), packer=st.sampled_from(sorted(PACKERS)), data=st.data())
def test_a_changed_archive_gets_an_answer(tree: list[ramdisk.Entry], packer: str, data: st.DataObject) -> None:
    raw = bytearray(PACKERS[packer](ramdisk.newc(tree)) + ramdisk.newc(tree))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        if data.draw(st.booleans()):
            raw[at] = data.draw(st.integers(0, 255))
        else:
            del raw[at : at + data.draw(st.integers(1, 40))]
            raw += b"\0"
    answered(bytes(raw))


@bounded
@given(raw=st.binary(max_size=1500), start=st.sampled_from([b"", b"MZ\0\0zimg", b"\x7fELF\x02\x01", b"\x1f\x8b\x08\0"]))
def test_any_bytes_are_a_kernel_or_unknown(raw: bytes, start: bytes) -> None:
    boot = start + raw
    found = kernel.identify(io.BytesIO(boot), 0, len(boot))
    assert found.format in {"unknown", "bzImage", "zImage", "ELF", "EFI zboot", "arm64 Image", "gzip arm64 Image"}


nasty = st.lists(st.sampled_from([b"..", b".", b"", b"a", b"b", b"\xff", b"\n", b"a" * 300]), min_size=1, max_size=4)


@few
@given(
    names=st.lists(
        st.tuples(nasty.map(b"/".join), st.sampled_from([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO])),
        max_size=8,
    ),
    links=st.booleans(),
)
def test_no_name_leads_outside(tmp_path: Path, names: list[tuple[bytes, int]], *, links: bool) -> None:
    raw = b""
    for name, kind in names:
        body = b"" if kind in (stat.S_IFDIR, stat.S_IFIFO) else b"/etc"
        numbers = (7, kind | 0o777, 0, 0, 2 if links else 1, 0, len(body), 0, 0, 0, 0, len(name) + 1, 0)
        raw += b"070701" + b"".join(b"%08x" % number for number in numbers) + name + b"\0"
        raw += bytes(-len(raw) % 4) + body
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    (root / "witness").write_bytes(b"untouched")
    listing = contents.listing_of(io.BytesIO(raw), 0, len(raw))
    section = Section(-12, 3, 0, len(raw))
    with extract.extracting(io.BytesIO(raw), section, listing, str(root / "out")) as made:
        pass
    assert sorted(path.name for path in root.iterdir()) == ["out", "witness"]
    assert (root / "witness").read_bytes() == b"untouched"
    below = list((root / "out").rglob("*"))
    assert all(path.is_file() or path.is_dir() for path in below)
    assert not any(path.is_symlink() for path in below)
    assert sum(path.is_file() for path in below) == made.files + made.hard_links
    assert sum(path.is_dir() for path in below) == made.directories


@few
@given(tree=entries())
def test_what_gzip_packs_is_read(tree: list[ramdisk.Entry]) -> None:
    program = shutil.which("gzip")
    if program is None:
        pytest.skip("gzip is not installed")
    archive = ramdisk.newc(tree)
    packed = subprocess.run([program, "-n9"], input=archive, capture_output=True, check=True).stdout
    members = list(cpio.read(io.BytesIO(packed), 0, len(packed)))
    assert [member.name for member in members] == [
        member.name for member in cpio.read(io.BytesIO(archive), 0, len(archive))
    ]


@few
@given(tree=entries())
def test_what_is_written_is_listed_by_cpio(tree: list[ramdisk.Entry]) -> None:
    program = shutil.which("cpio")
    if program is None:
        pytest.skip("cpio is not installed")
    plain = [entry for entry in tree if entry.name.isascii() and entry.name.isprintable()]
    archive = ramdisk.newc(plain)
    ran = subprocess.run([program, "-it", "--quiet"], input=archive, capture_output=True, check=True)
    assert sorted(ran.stdout.decode().splitlines()) == sorted(entry.name for entry in plain)
    members = cpio.read(io.BytesIO(archive), 0, len(archive))
    assert ran.stdout.decode().splitlines() == [member.name.decode() for member in members]


@few
@given(files=st.dictionaries(st.text("abcdef", min_size=1, max_size=6), st.binary(max_size=2000), max_size=5))
def test_what_cpio_writes_is_read(tmp_path: Path, files: dict[str, bytes]) -> None:
    program = shutil.which("cpio")
    if program is None:
        pytest.skip("cpio is not installed")
    root = tmp_path / "tree"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, data in files.items():
        (root / name).write_bytes(data)
    listed = "".join(f"{name}\n" for name in files).encode()
    for form in ("newc", "crc"):
        ran = subprocess.run(
            [program, "-o", "--quiet", "-H", form], input=listed, capture_output=True, check=True, cwd=root
        )
        reading = cpio.read(io.BytesIO(ran.stdout), 0, len(ran.stdout))
        found = {member.name.decode(): member.sha256 for member in reading}
        assert found == {name: hashlib.sha256(data).digest() for name, data in files.items()}
        assert reading.faults == []
