"""The tar reader: every form that container tools write, and nothing that two readers would understand differently."""

import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from nitroctl.eif import tar
from nitroctl.errors import CannotAnswer
from tests.oci_images import (
    GNU,
    V7,
    archive,
    directory,
    file,
    hard_link,
    header,
    long_name,
    padded,
    pax,
    pax_records,
    symlink,
)


class Pipe(io.BytesIO):
    """A stream that cannot seek, as unpacked layers cannot."""

    def seekable(self) -> bool:
        return False


def read(data: bytes, *, end: bool = True, pipe: bool = True) -> list[tuple[tar.Member, bytes]]:
    found = tar.Archive((Pipe if pipe else io.BytesIO)(data), where="layer", end=end)
    return [(member, b"".join(found.chunks())) for member in found]


def one(data: bytes) -> tuple[tar.Member, bytes]:
    [found] = read(archive(data))
    return found


def refusal(data: bytes, *, end: bool = True) -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as raised:
        read(data, end=end)
    return raised.value.code, raised.value.message


def test_a_regular_file_has_all_that_its_header_says() -> None:
    member, content = one(file(b"bin/app", b"x" * 1000, mode=0o4755, uid=7, gid=8, mtime=99))
    assert member == tar.Member(name=b"bin/app", kind=tar.REGULAR, mode=0o4755, uid=7, gid=8, mtime=99, size=1000)
    assert content == b"x" * 1000


@pytest.mark.parametrize(
    ("data", "kind", "link", "rdev"),
    [
        (directory(b"d"), tar.DIRECTORY, b"", (0, 0)),
        (symlink(b"s", b"../x"), tar.SYMLINK, b"../x", (0, 0)),
        (hard_link(b"h", b"x"), tar.LINK, b"x", (0, 0)),
        (header(b"c", b"3", rdev=(1, 3)), tar.CHARACTER, b"", (1, 3)),
        (header(b"b", b"4", rdev=(8, 1)), tar.BLOCK_DEVICE, b"", (8, 1)),
        (header(b"p", b"6"), tar.FIFO, b"", (0, 0)),
        (header(b"old", b"\0", magic=V7), tar.REGULAR, b"", (0, 0)),
        (header(b"old/", b"\0", magic=V7), tar.DIRECTORY, b"", (0, 0)),
        (header(b"whole", b"7"), tar.REGULAR, b"", (0, 0)),
    ],
)
def test_every_kind_is_told(data: bytes, kind: bytes, link: bytes, rdev: tuple[int, int]) -> None:
    member, _ = one(data)
    assert (member.kind, member.link, member.rdev) == (kind, link, rdev)


@pytest.mark.parametrize("pipe", [True, False])
def test_members_that_are_not_read_are_passed_over(*, pipe: bool) -> None:
    data = archive(file(b"a", b"1" * 513), file(b"b", b"2"), file(b"c", b"3" * 5_000_000), file(b"d"))
    found = tar.Archive((Pipe if pipe else io.BytesIO)(data), where="layer")
    assert [(member.name, found.offset) for member in found] == [
        (b"a", 512),
        (b"b", 2048),
        (b"c", 3072),
        (b"d", 3072 + 5_000_192 + 512),
    ]


def test_long_names_of_every_kind_are_whole() -> None:
    name, link = b"n/" * 150 + b"end", b"t/" * 150 + b"end"
    assert one(file(b"end", prefix=b"n/n"))[0].name == b"n/n/end"
    assert one(long_name(name) + file(b"cut"))[0].name == name
    assert one(long_name(link, b"K") + long_name(name) + symlink(b"cut", b"cut"))[0].link == link
    assert one(pax(path=name, linkpath=link) + symlink(b"cut", b"cut"))[0].link == link
    assert one(pax(path=b"\xff\n=\x01") + file(b"cut"))[0].name == b"\xff\n=\x01"


def test_an_extended_header_is_about_one_member_only() -> None:
    members = read(archive(pax(path="first", mtime="5"), file(b"a"), file(b"b")))
    assert [(member.name, member.mtime) for member, _ in members] == [(b"first", 5), (b"b", 1000)]


def test_gnu_headers_have_no_prefix() -> None:
    assert one(file(b"name", magic=GNU, prefix=b"12345670123\0"))[0].name == b"name"
    assert one(file(b"name", magic=b"ustar\0\xff\xff", prefix=b"p"))[0].name == b"p/name"
    assert "header of the oldest form" in refusal(archive(file(b"name", magic=V7, prefix=b"p")))[1]


def test_pax_numbers_count_before_the_headers_own() -> None:
    data = pax(uid="4000000000", gid="5", mtime="1700000000.999", size="3") + header(b"f", size=0) + padded(b"abc")
    member, content = one(data)
    assert (member.uid, member.gid, member.mtime, member.size, content) == (4_000_000_000, 5, 1_700_000_000, 3, b"abc")


@pytest.mark.parametrize(("text", "seconds"), [("-1.5", -2), ("-1.0", -1), ("-1", -1), ("7.", 7), ("0.9999999999", 0)])
def test_times_are_rounded_down(text: str, seconds: int) -> None:
    assert one(pax(mtime=text) + file(b"f"))[0].mtime == seconds


def test_numbers_in_gnus_binary_form_are_read() -> None:
    uid = b"\x80" + (4_000_000_000).to_bytes(7, "big")
    mtime = (-5).to_bytes(12, "big", signed=True)
    member, _ = one(header(b"f", magic=GNU, fields={108: uid, 136: mtime}))
    assert (member.uid, member.mtime) == (4_000_000_000, -5)


def test_numbers_may_be_filled_up_with_spaces_or_nul() -> None:
    member, _ = one(header(b"f", fields={100: b"   755 \0", 108: b"\0" * 8, 116: b"7\0" + b"junk  "}))
    assert (member.mode, member.uid, member.gid) == (0o755, 0, 7)


def test_a_checksum_over_signed_bytes_is_taken() -> None:
    block = header(b"\xffname")
    signed = sum(block) - sum(block[148:156]) + 8 * 32 - 256
    assert one(header(b"\xffname", checksum=signed))[0].name == b"\xffname"


def test_names_of_extended_attributes_are_kept() -> None:
    records: list[tuple[str, bytes | str]]
    records = [("SCHILY.xattr.security.capability", b"\x01\0\n="), ("LIBARCHIVE.xattr.user.a", "eA"), ("comment", "c")]
    assert one(pax_records(records) + file(b"f"))[0].xattrs == (
        b"SCHILY.xattr.security.capability",
        b"LIBARCHIVE.xattr.user.a",
    )


SEGMENTS = ((0, 512), (5000, 100), (9000, 0))
STORED = b"a" * 512 + b"b" * 100


def old_sparse(entries: Sequence[tuple[int, int]], *, size: int = 9000, stored: bytes = STORED) -> bytes:
    """Return a member in GNU's old form, with as many extension blocks as it takes."""
    packed = [b"%011o\0%011o\0" % entry for entry in entries]
    first, rest = packed[:4], packed[4:]
    fields = {386: b"".join(first), 482: b"\1" if rest else b"\0", 483: b"%011o\0" % size}
    data = header(b"f", b"S", size=len(stored), magic=GNU, fields=fields)
    while rest:
        block, rest = rest[:21], rest[21:]
        data += (b"".join(block).ljust(504, b"\0") + (b"\1" if rest else b"\0")).ljust(512, b"\0")
    return data + padded(stored)


def pax_sparse(version: str, segments: Sequence[tuple[int, int]] = SEGMENTS, size: int = 9000, **changes: str) -> bytes:
    numbers = [str(number) for segment in segments for number in segment]
    if version == "1.0":
        table = padded("\n".join([str(len(segments)), *numbers, ""]).encode())
        records = {"major": "1", "minor": "0", "name": "f", "realsize": str(size), **changes}
        return pax_records([(f"GNU.sparse.{key}", value) for key, value in records.items()]) + file(
            b"x", table + STORED
        )
    records = {"size": str(size), "numblocks": str(len(segments)), "name": "f"}
    pairs = [(f"GNU.sparse.{key}", value) for key, value in records.items()]
    if version == "0.1":
        pairs.append(("GNU.sparse.map", ",".join(numbers)))
    else:
        for offset, length in segments:
            pairs += [("GNU.sparse.offset", str(offset)), ("GNU.sparse.numbytes", str(length))]
    return pax_records(pairs) + file(b"x", STORED)


@pytest.mark.parametrize("data", [old_sparse(SEGMENTS), *(pax_sparse(version) for version in ("0.0", "0.1", "1.0"))])
def test_sparse_files_of_all_four_forms_are_one_and_the_same(data: bytes) -> None:
    [(member, content), (after, _)] = read(archive(data, file(b"after")))
    assert (member.name, member.size, member.segments, content) == (b"f", 9000, SEGMENTS, STORED)
    assert after.name == b"after"


def test_a_long_sparse_map_goes_on_in_further_blocks() -> None:
    segments = [(number * 1000, 10) for number in range(60)]
    [(member, content)] = read(archive(old_sparse(segments, size=100_000, stored=b"x" * 600)))
    assert (member.segments, len(content)) == (tuple(segments), 600)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (pax_sparse("0.1", ((100, 512), (0, 100))), "overlap or lie outside"),
        (pax_sparse("0.1", ((0, 512), (8950, 100))), "overlap or lie outside"),
        (pax_sparse("0.1", ((0, 512),)), "does not fit what is stored"),
        (pax_sparse("0.1", ((0, 512), (600, 101))), "does not fit what is stored"),
        (pax_sparse("1.0", ((0, 512), (600, 100)), size=50), "overlap or lie outside"),
        (pax_sparse("1.0", major="2"), "of a form that is not known"),
        (old_sparse(((0, 600), (100, 12))), "overlap or lie outside"),
        (pax(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_name="f") + file(b"x"), "no GNU.sparse.realsize"),
        (pax(GNU_sparse_map="1,a", GNU_sparse_numblocks="1", GNU_sparse_size="9") + file(b"x"), "not numbers"),
        (pax(GNU_sparse_map="1,2", GNU_sparse_numblocks="2", GNU_sparse_size="9") + file(b"x"), "as many entries"),
        (
            pax(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_realsize="9") + file(b"x", b"9" * 2048),
            "not numbers",
        ),
        (
            pax(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_realsize="9") + file(b"x", padded(b"99\n1\n")),
            "does not end",
        ),
        (
            pax(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_realsize="9") + file(b"x", padded(b"65537\n")),
            "more than 65536 parts",
        ),
    ],
)
def test_a_sparse_map_that_does_not_add_up_is_refused(data: bytes, what: str) -> None:
    code, message = refusal(archive(data))
    assert code == "eif.source-tar"
    assert what in message


GOOD = file(b"f", b"content")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (archive(header(b"f", checksum=1)), "layer: not a tar archive"),
        (b"", "layer: not a tar archive"),
        (b"\x7fELF" * 100, "layer: not a tar archive"),
        (GOOD + b"junk" * 128 + bytes(1024), "at byte 1536: a header whose checksum is wrong"),
        (GOOD, "at byte 1024: ends without the blocks of zeros that end an archive"),
        (GOOD[:-1], "at byte 1023: ends in the middle of a file"),
        (GOOD[:515], "at byte 515: ends in the middle of a file"),
        (GOOD + GOOD[:100], "at byte 1024: ends in the middle of a header"),
        (GOOD + bytes(512) + GOOD + bytes(1024), "at byte 2048: a single block of zeros between members"),
        (archive(header(b"f", b"Q")), "at byte 512: a member of type b'Q', which is not known"),
        (archive(header(b"f/")), "at byte 512: a name that ends in / and is no directory's"),
        (archive(header(b"f", fields={124: b"12x45670123\0"})), "at byte 512: a header whose size is no number"),
        (
            archive(header(b"f", magic=GNU, fields={124: b"\xff" * 12})),
            "at byte 512: a header whose size is -1",
        ),
        (
            archive(header(b"f", magic=GNU, fields={108: b"\x80\0\0\1\0\0\0\0"})),
            "at byte 512: a uid of 4294967296, which no file can have",
        ),
        (archive(header(b"pax", b"x", size=1 << 30)), "at byte 512: an extended header of 1073741824 bytes"),
        (archive(header(b"pax", b"x", size=1 << 19)), "at byte 512: ends in an extended header"),
        (archive(pax(path="a") + pax(path="b") + GOOD), "two extended headers of one kind before a member"),
        (archive(pax(path="a") + long_name(b"b") + GOOD), "two long names for one member"),
        (archive(header(b"n", b"L", size=5) + padded(b"12345") + GOOD), "a long name that is empty or does not end"),
        (archive(long_name(b"") + GOOD), "a long name that is empty or does not end"),
        *[
            (archive(pax_records([(key, "")]) + GOOD), f"a pax header with an empty {key}, which readers")
            for key in ("path", "linkpath", "size", "uid", "gid", "mtime")
        ],
        (archive(header(b"f", fields={124: b"\0\0\0" + b"7" * 9})), "at byte 512: a header whose size is no number"),
        (archive(pax(path="a")), "ends after an extended header"),
        (archive(pax(path=b"a\0b") + GOOD), "a name with a NUL in it"),
        (archive(pax(uid="-1") + GOOD), "a pax header whose uid is no number"),
        (archive(pax(mtime="soon") + GOOD), "a pax header whose mtime is no time"),
        (archive(pax(size="99999999999999999999") + GOOD), "a pax header whose size is no number"),
        (archive(pax_records([("uid", "1"), ("uid", "2")]) + GOOD), "a pax header with two records of b'uid'"),
        (
            archive(header(b"pax", b"x", size=9) + padded(b"9 path=ab") + GOOD),
            "a pax header that is no list of records",
        ),
        (
            archive(header(b"pax", b"x", size=9) + padded(b"99 path=\n") + GOOD),
            "a pax header that is no list of records",
        ),
        (
            archive(header(b"pax", b"x", size=9) + padded(b"0 path=a\n") + GOOD),
            "a pax header that is no list of records",
        ),
        (archive(pax(b"g", path="everywhere") + GOOD), "a global pax header, which container engines ignore"),
        (
            archive(pax_records([("GNU.sparse.numbytes", "1"), ("GNU.sparse.offset", "1")]) + GOOD),
            "a sparse map whose offsets and lengths do not alternate",
        ),
    ],
)
def test_what_readers_would_understand_differently_is_refused(data: bytes, message: str) -> None:
    assert message in refusal(data)[1]


def test_a_sparse_map_that_comes_twice_or_not_whole_is_refused() -> None:
    both = [("GNU.sparse.map", "0,1"), ("GNU.sparse.offset", "0"), ("GNU.sparse.numbytes", "1")]
    assert "a pax header with two sparse maps" in refusal(archive(pax_records(both) + GOOD))[1]
    assert "ends in a sparse map" in refusal(old_sparse([(number, 0) for number in range(5)])[:512])[1]


def test_a_comment_for_all_members_is_passed_over() -> None:
    assert one(pax(b"g", comment="a commit") + GOOD)[0].name == b"f"


def test_a_layer_may_lack_the_end_marker_for_its_digest_is_known() -> None:
    assert len(read(GOOD, end=False)) == 1


@pytest.mark.parametrize("stored", [519, 520, 1023])
def test_a_layer_may_lack_what_fills_up_its_last_block_as_those_of_umoci_insert_do(stored: int) -> None:
    [(_, content)] = read(GOOD[:stored], end=False)
    assert content == b"content"
    [member] = tar.Archive(Pipe(GOOD[:stored]), where="layer", end=False)  # its content passed over
    assert member.size == 7


def test_a_layer_may_not_lack_a_byte_of_a_content() -> None:
    assert refusal(GOOD[:518], end=False)[1] == "layer: tar archive, at byte 518: ends in the middle of a file"
    with pytest.raises(CannotAnswer, match="at byte 518: ends in the middle of a file"):
        list(tar.Archive(Pipe(GOOD[:518]), where="layer", end=False))


def test_bytes_after_the_end_are_nobodys() -> None:
    assert len(read(archive(GOOD) + b"junk")) == 1


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_python_writes_is_read_as_python_reads_it(form: int) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as made:
        for number, name in enumerate(("a", "d" * 90 + "/" + "e" * 90, "ü" if form != tarfile.USTAR_FORMAT else "u")):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime, info.uid = number * 700, 0o640 + number, 1_600_000_000 + number, number
            made.addfile(info, io.BytesIO(bytes([number]) * info.size))
    stream.seek(0)
    with tarfile.open(fileobj=stream) as expected:
        theirs = [(i.name.encode(), i.mode, i.uid, i.mtime, i.size) for i in expected]
    assert [(m.name, m.mode, m.uid, m.mtime, m.size) for m, _ in read(stream.getvalue())] == theirs


@pytest.mark.parametrize(
    "options",
    [["--format=gnu"], ["--format=gnu", "--sparse"], ["--format=v7"], ["--format=ustar"]]
    + [["--format=posix", "--sparse", f"--sparse-version={version}"] for version in ("0.0", "0.1", "1.0")],
    ids=" ".join,
)
def test_what_gnu_tar_writes_is_read_whole(options: Sequence[str], tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    with (place / "sparse").open("wb") as stream:
        stream.write(b"start")
        stream.seek(3_000_000)
        stream.write(b"end")
    (place / "f").write_bytes(b"content")
    (place / "link").hardlink_to(place / "f")
    (place / "s").symlink_to("f")
    done = subprocess.run(
        ["tar", *options, "--sort=name", "-C", str(place), "-cf", "-", "."], capture_output=True, check=True
    )
    found = {member.name: (member, content) for member, content in read(done.stdout)}
    assert list(found) == [b"./", b"./f", b"./link", b"./s", b"./sparse"]
    assert found[b"./link"][0].link == b"./f"
    member, content = found[b"./sparse"]
    whole = bytearray(member.size)
    for offset, length in member.segments or ((0, member.size),):
        whole[offset : offset + length], content = content[:length], content[length:]
    assert bytes(whole) == (place / "sparse").read_bytes()
