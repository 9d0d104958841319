"""Where documents come from: what is found, in which order, and what is said of what cannot be read."""

import contextlib
import gzip
import io
import os
import pickle
import socket
import sys
import tarfile
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nitroctl import safefile
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.evidence import archives, sources
from nitroctl.evidence.container import MAX_FILE
from nitroctl.evidence.sources import Source, documents, holds_many, one

Found = list[tuple[str, bytes | str]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*paths: str) -> Found:
    """Return each source's name and what stands there, or its fault with the code, without the name before it."""
    return [(source.name, told(source)) for source in documents(paths)]


def told(source: Source) -> bytes | str:
    if source.fault is None:
        assert source.raw is not None
        if len(source.raw) > MAX_FILE:
            with pytest.raises(CannotAnswer) as caught:
                source.unwrap()
            return f"{caught.value.message.partition(': ')[2]} [{caught.value.code}]"
        return source.raw
    assert source.raw is None
    return f"{source.fault.message.removeprefix(f'{source.name}: ')} [{source.fault.code}]"


def write(name: str, content: bytes | str = b"\x84") -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


EMPTY = "there is no document: the input is empty [evidence.empty]"
NOT_REGULAR = "not a regular file [file.not-regular]"
TOO_LARGE = "larger than 1048576 bytes, the most this command reads of one document [file.too-large]"
NOT_JSON = "the line is not a JSON string, object or array [evidence.unreadable]"


# -- files and directories


def test_paths_come_in_their_order() -> None:
    write("b", b"2")
    write("a", b"1")
    assert found("b", "a", "b") == [("b", b"2"), ("a", b"1"), ("b", b"2")]


def test_a_directory_comes_by_name_with_what_is_below_it_and_nothing_left_out() -> None:
    for name in ("heap/z", "heap/B", "heap/a/2", "heap/a/10", "heap/a/deep/er/x", "heap/.hidden/y", "heap/a.cbor"):
        write(name, name)
    Path("heap/nothing").mkdir()
    names = [
        "heap/.hidden/y",
        "heap/B",
        "heap/a/10",
        "heap/a/2",
        "heap/a/deep/er/x",
        "heap/a.cbor",
        "heap/z",
    ]
    assert found("heap") == [(name, name.encode()) for name in names]
    assert [name for name, _ in found("heap/")] == names


def test_special_files_are_reported_and_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("heap").mkdir()
    os.mkfifo("heap/fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("heap/socket")
    Path("heap/link").symlink_to("fifo")
    Path("heap/null").symlink_to("/dev/null")
    opened: list[str] = []
    really = os.open

    def watched(path: str, *rest: int) -> int:
        opened.append(path)
        return really(path, *rest)

    monkeypatch.setattr(os, "open", watched)
    assert found("heap", "heap/fifo") == [
        ("heap/fifo", NOT_REGULAR),
        ("heap/link", NOT_REGULAR),
        ("heap/null", NOT_REGULAR),
        ("heap/socket", NOT_REGULAR),
        ("heap/fifo", NOT_REGULAR),
    ]
    assert opened == ["heap"]
    listener.close()


def test_links_cannot_loop() -> None:
    write("heap/inner/a", b"1")
    Path("heap/inner/up").symlink_to("..")
    Path("heap/self").symlink_to("self")
    Path("heap/gone").symlink_to("nowhere")
    Path("heap/file").symlink_to("inner/a")
    Path("other").symlink_to("heap")
    assert found("heap") == [
        ("heap/file", b"1"),
        ("heap/gone", "cannot read: no such file or directory [file.unreadable]"),
        ("heap/inner/a", b"1"),
        ("heap/inner/up", "a symbolic link to a directory, not followed [file.not-regular]"),
        ("heap/self", "cannot read: too many levels of symbolic links [file.unreadable]"),
    ]
    assert [name for name, _ in found("other")][:1] == ["other/file"], "a link that is named is followed"


def test_a_directory_swapped_for_a_link_is_not_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    write("heap/a", b"1")
    write("elsewhere/secret", b"2")
    Path("heap/sub").symlink_to("../elsewhere")
    monkeypatch.setattr(sources, "_is_directory", lambda path: path == "heap/sub")  # as it was a moment ago
    assert found("heap") == [("heap/a", b"1"), ("heap/sub", "cannot read: not a directory [file.unreadable]")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "cannot read: no such file or directory [file.unreadable]"),
        ("empty", EMPTY),
        ("no-files", "there is no document: the directory has no files [evidence.empty]"),
        ("huge", TOO_LARGE),
        ("largest", b"\x84" * MAX_FILE),
        ("a\0b", "cannot read: the name has a NUL character [file.unreadable]"),
        ("n" * 300, "cannot read: file name too long [file.unreadable]"),
        ("plain/below", "cannot read: not a directory [file.unreadable]"),
        ("x.ZIP", b"1"),
        ("not-utf8-\udcff", b"1"),
        ("not-*-a-pattern", b"1"),
    ],
)
def test_one_path(name: str, said: str | bytes) -> None:
    for plain in ("plain", "x.ZIP", "not-utf8-\udcff", "not-*-a-pattern"):
        write(plain, b"1")
    write("empty", b"")
    Path("no-files/at/all").mkdir(parents=True)
    write("largest", b"\x84" * MAX_FILE)
    with Path("huge").open("wb") as huge:
        huge.truncate(1 << 40)
    assert found(name) == [(name, said)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_without_permission() -> None:
    write("heap/secret")
    Path("heap/secret").chmod(0)
    denied = "cannot read: permission denied [file.unreadable]"
    assert found("heap") == [("heap/secret", denied)]


def test_patterns_that_no_shell_expanded() -> None:
    for name in ("b.cbor", "a.cbor", ".c.cbor", "day-1/x", "day-2/y"):
        write(name, name)
    assert found("*.cbor") == [("a.cbor", b"a.cbor"), ("b.cbor", b"b.cbor")]
    assert found("day-[12]") == [("day-1/x", b"day-1/x"), ("day-2/y", b"day-2/y")]
    assert found("?.tar") == [("?.tar", "nothing matches the pattern [file.unreadable]")]


# -- JSON Lines


def test_json_lines() -> None:
    write("dump.jsonl", b'\xef\xbb\xbf"aa"\r\n\n  \n{"document": "hE"}\nhEaa\n[132, 1]\n\x84\x00\xff\n"last"')
    assert found("dump.jsonl") == [
        ("dump.jsonl:1", b'"aa"'),
        ("dump.jsonl:4", b'{"document": "hE"}'),
        ("dump.jsonl:5", NOT_JSON),
        ("dump.jsonl:6", b"[132, 1]"),
        ("dump.jsonl:7", NOT_JSON),
        ("dump.jsonl:8", b'"last"'),
    ]


def test_a_line_that_is_too_long_is_passed_over() -> None:
    longest = b'"' + b"a" * (MAX_FILE - 2) + b'"'
    write("dump.NDJSON", longest + b"\n" + b"a" + longest + b'\n"b"\n')
    assert found("dump.NDJSON") == [
        ("dump.NDJSON:1", longest),
        ("dump.NDJSON:2", TOO_LARGE),
        ("dump.NDJSON:3", b'"b"'),
    ]


def test_a_line_that_does_not_end_is_given_up() -> None:
    with Path("dump.jsonl").open("wb") as sparse:
        sparse.write(b'"a"\n')
        sparse.truncate(1 << 40)
    assert found("dump.jsonl") == [
        ("dump.jsonl:1", b'"a"'),
        ("dump.jsonl:2", TOO_LARGE),
        ("dump.jsonl:2", "the line does not end; what follows is not read [file.too-large]"),
    ]


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_line_is_passed_over_up_to_64_mib_beyond_what_is_read_of_it(beyond: int) -> None:
    with Path("dump.jsonl").open("wb") as sparse:
        sparse.seek(MAX_FILE + 1 + 64 * 1024 * 1024 - 1 + beyond)
        sparse.write(b'\n"a"\n')
    after = ("dump.jsonl:1", "the line does not end; what follows is not read [file.too-large]")
    assert found("dump.jsonl") == [("dump.jsonl:1", TOO_LARGE), after if beyond else ("dump.jsonl:2", b'"a"')]


@pytest.mark.parametrize("content", [b"", b"\n \n\n"])
def test_json_lines_without_a_line(content: bytes) -> None:
    write("dump.jsonl", content)
    assert found("dump.jsonl") == [("dump.jsonl", EMPTY)]


@pytest.mark.parametrize(
    ("content", "several"),
    [
        (b'"aa"\n"bb"\n', True),
        (b'\xef\xbb\xbf{"document":"aa"}\r\n\r\nnonsense', True),
        (b"[1]\n[2]", True),
        (b'"aa"\n\n  \n', False),
        (b'{"document":"aa"}', False),
        (b'{\n"document": "aa"\n}\n', False),
        (b'{"a": {"b": 1},\n"document": "aa"}\n', False),
        (b"hEaa\nhEbb\n", False),
        (b'"damaged\n"bb"\n', False),
        (b"[" * 100_000 + b"\n1", False),
        (b"\x84\x0a\x0a", False),
        (b"1\ntrue\nnull\n", False),
        (b'"' + b"a" * (MAX_FILE - 3) + b'"\n[1]', True),
        (b'"' + b"a" * (MAX_FILE - 2) + b'"\n[1]', False),
        (b"", False),
    ],
)
def test_json_lines_by_what_they_look_like(content: bytes, *, several: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    write("dump", content)
    assert holds_many("dump") is several
    assert (len(found("dump")) > 1 or found("dump")[0][0] != "dump") is several
    stdin(monkeypatch, content)
    assert holds_many("-") is several
    assert [said for _, said in found("-")] == [said for _, said in found("dump")], "looking takes nothing away"


# -- tar archives


def tar(name: str, members: Iterable[tuple[str, bytes]] = (), mode: str = "w", *special: tarfile.TarInfo) -> bytes:
    with tarfile.open(name, mode) as archive:  # type: ignore[call-overload]
        for member, content in members:
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in special:
            archive.addfile(info)
    return Path(name).read_bytes()


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


HOSTILE = [
    ("../../etc/passwd", b"1"),
    ("/root/\x1b[31m\u202e", b"2"),
    ("n" * 300 + "/é", b"3"),
    ("lines.jsonl", b'"x"\n"y"'),
    ("inner.tgz", b"4"),
    ("inner.zip", b"5"),
    ("large", bytes(MAX_FILE + 1)),
    ("nothing", b""),
    ("last", b"6" * 513),
]


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar", "w:gz"), ("a.TGZ", "w:gz"), ("a.tar.gz", "w:gz")])
def test_members_are_read_in_place_whatever_they_are_called(name: str, mode: str, here: Path) -> None:
    kinds = {
        "directory": tarfile.DIRTYPE,
        "symbolic": tarfile.SYMTYPE,
        "hard": tarfile.LNKTYPE,
        "device": tarfile.BLKTYPE,
        "fifo": tarfile.FIFOTYPE,
    }
    tar(name, HOSTILE, mode, *(special(member, kind) for member, kind in kinds.items()))
    assert found(name) == [
        (f"{name}!../../etc/passwd", b"1"),
        (f"{name}!/root/\x1b[31m\u202e", b"2"),
        (f"{name}!{'n' * 300}/é", b"3"),
        (f"{name}!lines.jsonl:1", b'"x"'),
        (f"{name}!lines.jsonl:2", b'"y"'),
        (f"{name}!inner.tgz", "an archive in an archive is not read [evidence.unreadable]"),
        (f"{name}!inner.zip", b"5"),
        (f"{name}!large", TOO_LARGE),
        (f"{name}!nothing", EMPTY),
        (f"{name}!last", b"6" * 513),
        *((f"{name}!{kind}", NOT_REGULAR) for kind in kinds if kind != "directory"),
    ]
    assert [path.name for path in here.iterdir()] == [name], "nothing is unpacked"


GOOD = [("a", b"1" * 600), ("b", b"2" * 512), ("c", b"3")]


def broken(reason: str) -> str:
    return f"the archive cannot be read on: {reason} [evidence.unreadable]"


@pytest.mark.parametrize(
    ("change", "kept", "said"),
    [
        (lambda raw: raw[:512], 0, "it is cut off in a"),
        (lambda raw: raw[:1000], 0, "it is cut off in a"),
        (lambda raw: raw[:1536], 1, "it ends without an end mark at byte 1536; what follows is not read"),
        (lambda raw: raw[:1700], 1, "it ends without an end mark at byte 1536; what follows is not read"),
        (lambda raw: raw[:1540] + b"\xff" + raw[1541:], 1, "it is damaged at byte 1536; what follows is not read"),
        (lambda raw: raw + raw, 3, "something follows its end mark, and is not read"),
        (lambda _: b"x" * 1024, 0, "invalid header"),
        (lambda raw: raw[:100], 0, "truncated header"),
        (lambda _: b"", 0, "empty file"),
    ],
    ids=["no-content", "cut", "no-end-mark", "cut-header", "damaged-header", "second", "other", "short", "empty"],
)
def test_an_archive_that_breaks_off_says_so(change: Any, kept: int, said: str) -> None:
    raw = tar("a.tar", GOOD)
    write("a.tar", change(raw))
    expected: Found = [(f"a.tar!{name}", content) for name, content in GOOD]
    assert found("a.tar") == [*expected[:kept], ("a.tar", broken(said))]


FILLED = f"more than {16 << 20} zeros follow its end mark; what follows them is not read"


@pytest.mark.parametrize(
    ("zeros", "said"), [(16 << 20, None), ((16 << 20) + 1, FILLED), (1 << 40, FILLED)], ids=["most", "more", "sparse"]
)
def test_an_archive_may_be_filled_with_16_mib_of_zeros(zeros: int, said: str | None) -> None:
    with Path("a.tar").open("wb") as archive:
        archive.write(sized(0) + bytes(tarfile.BLOCKSIZE))
        archive.truncate(archive.tell() + zeros)
    assert found("a.tar") == [("a.tar!claim", EMPTY), *([("a.tar", broken(said))] if said else [])]


def test_a_sparse_file_is_not_read_to_its_end_for_being_called_an_archive() -> None:
    with Path("a.tar").open("wb") as archive:
        archive.truncate(1 << 40)
    assert found("a.tar") == [("a.tar", broken(FILLED))]


def test_an_archive_without_files() -> None:
    tar("a.tar", (), "w", special("directory", tarfile.DIRTYPE))
    assert found("a.tar") == [("a.tar", "there is no document: the archive has no files [evidence.empty]")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw[:-200], "Compressed file ended before the end-of-stream marker was reached"),
        (lambda raw: raw[:-8] + bytes(4) + raw[-4:], "CRC check failed"),
        (lambda raw: raw + b"x", "Not a gzipped file"),
    ],
    ids=["cut", "checksum", "trailing"],
)
def test_damaged_compression_says_so(change: Any, said: str) -> None:
    raw = tar("a.tgz", [("a", os.urandom(2000))], "w:gz")
    write("a.tgz", change(raw))
    assert str(found("a.tgz")[-1][1]).startswith(f"the archive cannot be read on: {said}")


def test_an_archive_that_swells_is_given_up() -> None:
    size = archives._ALWAYS_EXPANDED + 10 * archives._MAX_RATIO * 1024
    header = tarfile.TarInfo("zeros")
    header.size = size
    with gzip.open("bomb.tgz", "wb") as bomb:
        bomb.write(header.tobuf())
        for _ in range(size // (1 << 20) + 1):
            bomb.write(bytes(1 << 20))
    assert Path("bomb.tgz").stat().st_size < 100_000
    assert found("bomb.tgz") == [
        ("bomb.tgz!zeros", TOO_LARGE),
        ("bomb.tgz", broken("it expands to more than 200 times its size")),
    ]


def test_no_more_is_read_of_a_member_than_a_document_may_have() -> None:
    tar("a.tar", [("a", b"1" * (3 * MAX_FILE)), ("b", b"2")])
    assert [source.raw for source in documents(["a.tar"])] == [b"1" * (MAX_FILE + 1), b"2"]


@pytest.mark.parametrize("beyond", [0, tarfile.BLOCKSIZE])
def test_an_archive_may_swell_to_64_mib(beyond: int) -> None:
    header = tarfile.TarInfo("zeros")
    header.size = 64 * 1024 * 1024 + beyond - 3 * tarfile.BLOCKSIZE  # and the header, and two blocks at the end
    Path("a.tgz").write_bytes(gzip.compress(header.tobuf() + bytes(header.size + 2 * tarfile.BLOCKSIZE), 1))
    refused = [("a.tgz", broken("it expands to more than 200 times its size"))] if beyond else []
    assert found("a.tgz") == [("a.tgz!zeros", TOO_LARGE), *refused]


def sized(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return a header that claims ``size``, which the library would not write itself."""
    info = tarfile.TarInfo("claim")
    info.type = kind
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (sized(1 << 40, tarfile.GNUTYPE_LONGNAME), "a header at byte 512 claims to have 1099511627776 bytes"),
        (sized(1 << 40, tarfile.XHDTYPE), "a header at byte 512 claims to have 1099511627776 bytes"),
        (sized(-1024), "a header before byte 512 points back"),
        (sized(-512), "a header before byte 512 points back"),
    ],
    ids=["long-name", "attributes", "back", "itself"],
)
def test_sizes_are_not_believed(header: bytes, said: str) -> None:
    write("a.tar", header + bytes(2048))
    assert found("a.tar")[-1] == ("a.tar", broken(said))


@pytest.mark.parametrize("kind", ["old", "1.0"])
def test_a_map_of_a_sparse_file_without_end_is_given_up(kind: str) -> None:
    """The library would hold all of it, as objects."""
    header = tarfile.TarInfo("sparse")
    if kind == "old":
        header.type = tarfile.GNUTYPE_SPARSE
        begin = bytearray(header.tobuf(tarfile.GNU_FORMAT))
        begin[482] = 1  # the map goes on in the next block
        begin[148:156] = b" " * 8
        begin[148:156] = b"%06o\0 " % sum(begin)
        blocks = (bytes(504) + b"\x01" + bytes(7)) * 5000
    else:
        header.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        begin = bytearray(header.tobuf(tarfile.PAX_FORMAT))
        blocks = b"0999999\n" + b"1\n" * (256 * 5000 - 4)
    write("a.tar", bytes(begin) + blocks + bytes(1024))
    assert found("a.tar") == [("a.tar", broken("its headers do not end"))]


def test_the_headers_of_one_member_have_at_most_1_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    onward = archives._Onward(io.BytesIO(bytes(3 << 20)), None)
    for _ in range(16):
        onward.read(64 * 1024)
    with pytest.raises(archives._Broken, match=r"^its headers do not end$"):
        onward.read(1)
    monkeypatch.setattr(archives, "_MAX_HEADERS", 1 + tarfile.BLOCKSIZE)  # the byte before it is read too
    tar("short.tar", GOOD)
    assert found("short.tar") == [(f"short.tar!{name}", content) for name, content in GOOD], "each begins anew"


def test_all_headers_may_have_more_than_those_of_one_member() -> None:
    write("many.tar", tar("a.tar", ((f"{number:0300}", b"1") for number in range(600))))
    assert len(found("many.tar")) == 600


def test_headers_without_end_are_given_up() -> None:
    attributes = tarfile.TarInfo.create_pax_global_header({"comment": "x"})
    write("a.tar", attributes * 2000 + bytes(1024))
    assert found("a.tar") == [("a.tar", broken("its headers do not end"))]


def test_what_was_read_is_not_kept() -> None:
    with Path("dump.jsonl").open("wb") as dump:
        dump.writelines(b'"' + b"a" * 1000 + b'"\n' for _ in range(5000))
    tar("dump.tar", ((f"{number}", b"a" * 1000) for number in range(5000)))
    for name in ("dump.jsonl", "dump.tar"):
        tracemalloc.start()
        assert sum(1 for _ in documents([name])) == 5000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3 * MAX_FILE, name


def test_what_headers_say_is_not_kept() -> None:
    """Neither the members of an archive nor what its global headers say of all that follows them."""
    with Path("a.tar").open("wb") as archive:
        for number in range(1000):
            archive.write(tarfile.TarInfo.create_pax_global_header({f"key{number}": "x" * 1000}))
            archive.write(tarfile.TarInfo(f"{number}").tobuf())
        archive.write(bytes(1024))
    tracemalloc.start()
    assert sum(1 for _ in documents(["a.tar"])) == 1000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MAX_FILE // 2


def test_the_largest_member_and_a_sparse_one() -> None:
    tar("a.tar", [("largest", b"\x84" * MAX_FILE)], "w", special("sparse", tarfile.GNUTYPE_SPARSE))
    assert found("a.tar") == [("a.tar!largest", b"\x84" * MAX_FILE), ("a.tar!sparse", NOT_REGULAR)]


def test_what_is_wrong_in_an_archive_comes_with_what_to_do() -> None:
    tar("a.tar", [("inner.tar", b"1")], "w", special("link", tarfile.SYMTYPE))
    write("cut.tar", Path("a.tar").read_bytes()[:600])
    assert [source.fault.hints for source in documents(["a.tar", "cut.tar"]) if source.fault] == [
        ("unpack the outer one",),
        ("put a copy of the file itself into the archive",),
        ("unpack the outer one",),
        ("copy the archive again, whole",),
    ]


def test_lines_in_an_archive_that_breaks_off() -> None:
    write("a.tar", tar("a.tar", [("dump.jsonl", b'"1"\n' * 200)])[: 512 + 400])
    assert found("a.tar")[-2:] == [
        ("a.tar!dump.jsonl:100", b'"1"'),
        ("a.tar", broken("it is cut off 400 bytes before the end of a member")),
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        *((kind("why"), "why") for kind in (tarfile.TarError, zlib.error, OSError, EOFError, ValueError)),
        *((kind("why"), "why") for kind in (OverflowError, IndexError)),
        (EOFError(), "EOFError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_whatever_the_library_raises_is_told(error: Exception, said: str) -> None:
    class Damaged(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise error

    (source,) = archives.members("a.tar", Damaged())
    assert told(source) == broken(said)
    assert source.fault
    assert source.fault.hints == ("copy the archive again, whole",)


def test_a_header_has_at_most_64_kib() -> None:
    onward = archives._Onward(io.BytesIO(bytes(1 << 20)), None)
    assert (onward.read(0), len(onward.read(1)), len(onward.read(64 * 1024))) == (b"", 1, 64 * 1024)
    for size in (-1, 64 * 1024 + 1):
        with pytest.raises(archives._Broken, match=f"at byte 65537 claims to have {size} bytes"):
            onward.read(size)


@pytest.mark.parametrize(("compressed", "most"), [(0, 1000), (4, 1000), (6, 1200)])
def test_an_archive_swells_to_its_limit_and_no_further(
    compressed: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_ALWAYS_EXPANDED", 1000)
    source = io.BytesIO(bytes(100))
    source.seek(compressed)
    onward = archives._Onward(io.BytesIO(bytes(5000)), source)
    onward.seek(most)
    assert onward.tell() == most
    with pytest.raises(archives._Broken, match="more than 200 times its size"):
        onward.seek(most + 1)


def test_an_archive_is_read_onwards_only() -> None:
    stream = io.BytesIO(bytes(1000))
    for compressed in (None, io.BytesIO(bytes(1000))):
        onward = archives._Onward(stream, compressed)
        stream.seek(0)
        onward.seek(10)
        onward.seek(10)
        with pytest.raises(archives._Broken, match="a header before byte 10 points back"):
            onward.seek(9)
    onward.seek(2000)
    assert (onward.tell(), stream.tell()) == (1000, 1000)
    beyond = archives._Onward(stream, None)
    beyond.seek(2000)
    assert (beyond.tell(), stream.tell()) == (2000, 2000)


# -- standard input


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def test_standard_input_is_one_document_or_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, b"\x84\n\x00")
    assert found("-") == [("-", b"\x84\n\x00")]
    stdin(monkeypatch, b'"a"\n\nb\n')
    assert found("-") == [("-:1", b'"a"'), ("-:3", NOT_JSON)]
    stdin(monkeypatch, b"")
    assert found("-") == [("-", EMPTY)]
    stdin(monkeypatch, b"\x84" * (MAX_FILE + 1))
    assert found("-") == [("-", TOO_LARGE)]


def test_standard_input_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert found("-") == [("-", "standard input is closed [file.unreadable]")]
    assert not holds_many("-")
    monkeypatch.setattr(sys, "stdin", _Terminal())
    assert found("-") == [("-", "standard input is a terminal [file.stdin-terminal]")]
    assert not holds_many("-")


def test_standard_input_can_be_named_once() -> None:
    with pytest.raises(UsageError, match="named twice"):
        documents(["-", "a", "-"])


def test_a_slow_pipe_is_not_waited_for() -> None:
    """Lines come out as they come in: the second is there before the third is written."""
    out, into = os.pipe()
    with os.fdopen(out, "rb") as stream, os.fdopen(into, "wb", buffering=0) as producer:
        producer.write(b'"1"\n"2"\n')
        several, head = sources._begin_lines(stream)
        assert several
        lines = sources.lines("-", sources._PutBack.before(head, stream))
        assert [next(lines).raw, next(lines).raw] == [b'"1"', b'"2"']
        producer.write(b'"3"\n')
        assert next(lines).raw == b'"3"'


GZIPPED = "the input is compressed with gzip [evidence.unreadable]"


def unread(path: str) -> str:
    """Return what is said of the one document at a path that cannot be read, without the path."""
    with pytest.raises(CannotAnswer) as caught:
        one(path).unwrap()
    return f"{caught.value.message.partition(': ')[2]} [{caught.value.code}]"


@pytest.mark.parametrize("size", [100, MAX_FILE, MAX_FILE + 1, 2 * MAX_FILE])
def test_what_is_compressed_is_named_whatever_its_size_alone_and_among_others(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"\x1f\x8b" + bytes(size - 2)
    write("a.cbor", content)
    tar("a.tar", [("a.cbor", content)])
    stdin(monkeypatch, content)
    for path, name in (("a.cbor", "a.cbor"), ("a.tar", "a.tar!a.cbor"), ("-", "standard input")):
        (source,) = documents([path])
        with pytest.raises(CannotAnswer) as caught:
            source.unwrap()
        assert (caught.value.message, caught.value.code) == (
            f"{name}: the input is compressed with gzip",
            "evidence.unreadable",
        )
        assert caught.value.hints == ("decompress it first: gunzip",)
    assert unread("a.cbor") == GZIPPED
    stdin(monkeypatch, content)
    assert unread("-") == GZIPPED


def test_one_document_is_read_however_its_file_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.zip", "a.gz", "a.tar", "a.jsonl", "a*"):
        write(name)
        assert one(name) == Source(name, b"\x84")
    write("largest", b"\x84" * MAX_FILE)
    write("larger", b"\x84" * (MAX_FILE + 2))
    assert one("largest").raw == b"\x84" * MAX_FILE
    assert one("larger").raw == b"\x84" * (MAX_FILE + 1)
    assert unread("larger") == TOO_LARGE
    stdin(monkeypatch, b"\x84" * 3 * MAX_FILE)
    assert one("-").raw == b"\x84" * (MAX_FILE + 1)


def test_one_document_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo("fifo")
    for name, said in (("fifo", "not a regular file"), ("missing", "cannot read: no such file or directory")):
        with pytest.raises(CannotAnswer, match=f"^{name}: {said}$"):
            one(name)

    class Failing(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(5, "Input/output error")

    @contextlib.contextmanager
    def opened(_: str) -> Iterator[io.BytesIO]:
        yield Failing()

    monkeypatch.setattr(safefile, "open_regular", opened)
    monkeypatch.setattr(safefile, "open_stdin", Failing)
    for name, called in (("a", "a"), ("-", "standard input")):
        with pytest.raises(CannotAnswer) as caught:
            one(name)
        assert (caught.value.message, caught.value.code) == (
            f"{called}: cannot read: input/output error",
            "file.unreadable",
        )


def test_what_is_wrong_comes_with_what_to_do() -> None:
    write("empty", b"")
    write("dump.jsonl", b"X{}\n")
    os.mkfifo("fifo")
    faults = [source.fault for source in documents(["empty", "dump.jsonl", "fifo", "nothing-*"])]
    assert [fault.hints for fault in faults if fault] == [
        ("capture the documents again",),
        ('write one document a line: "hE…" in base64 or hexadecimal, or {"attestation_document": "hE…"}',),
        ("copy it to a file first",),
        ("check the path",),
    ]


def test_the_last_line_may_have_no_end() -> None:
    longest = b'"' + b"a" * (MAX_FILE - 2) + b'"'
    write("dump.jsonl", longest)
    assert found("dump.jsonl") == [("dump.jsonl:1", longest)]
    write("long.jsonl", longest + b"a")
    assert found("long.jsonl") == [("long.jsonl:1", TOO_LARGE)]


@pytest.mark.parametrize(
    ("most", "line", "ended"),
    [(8, "a" * 7, True), (8, "a" * 8, False), (9, "a" * 9, True), (9, "a" * 12, False), (9, "", True)],
)
def test_a_line_is_passed_over_so_far(most: int, line: str, ended: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    monkeypatch.setattr(sources, "_MAX_SKIPPED", most)
    monkeypatch.setattr(sources, "_CHUNK", 4)
    assert sources._pass_over_line(io.BytesIO(f"{line}\n{{}}".encode())) is ended


# -- what many and one are; what a source gives


def test_what_may_hold_many() -> None:
    write("one.cbor")
    write("dump.jsonl", b"")
    write("a.tar", b"")
    Path("heap").mkdir()
    os.mkfifo("fifo")
    write("a*b")
    many = ["heap", "dump.jsonl", "a.tar", "*.cbor", "missing-?"]
    single = ["one.cbor", "a*b", "fifo", "missing", "a\0b", ""]
    assert [name for name in [*many, *single] if holds_many(name)] == many


def test_what_cannot_be_opened_is_for_the_reading_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    write("one.cbor")
    assert holds_many("one.cbor") is False

    def refuse(_: str) -> None:
        raise CannotAnswer("one.cbor: not a regular file", "file.not-regular")

    monkeypatch.setattr(safefile, "open_regular", refuse)
    assert holds_many("one.cbor") is False
    assert found("one.cbor") == [("one.cbor", NOT_REGULAR)]


def test_a_source_without_anything_raises_its_fault() -> None:
    (missing,) = documents(["missing"])
    with pytest.raises(CannotAnswer, match=r"^missing: cannot read"):
        missing.unwrap()


def test_unwrapping_names_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    write("dump.jsonl", b'"%%"\n"hEGg"\n')
    first, second = documents(["dump.jsonl"])
    with pytest.raises(CannotAnswer, match=r"^dump.jsonl:1: the text is not base64") as raised:
        first.unwrap()
    assert raised.value.code == "evidence.unreadable"
    assert second.unwrap().cbor == bytes.fromhex("8441a0")
    write("empty", b"")
    (nothing,) = documents(["empty"])
    with pytest.raises(CannotAnswer, match=r"^empty: there is no document"):
        nothing.unwrap()
    stdin(monkeypatch, b"%%")
    (piped,) = documents(["-"])
    with pytest.raises(CannotAnswer, match=r"^standard input: the text is not"):
        piped.unwrap()


def test_a_fault_reaches_another_process_whole() -> None:
    (source,) = documents(["missing"])
    there = pickle.loads(pickle.dumps(source))
    assert type(there.fault) is type(source.fault)
    assert vars(there.fault) == vars(source.fault)


def test_a_file_that_fails_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a", b"1")
    write("b.jsonl", b'"1"')

    def fail(*_: object) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sources, "_begin_lines", fail)
    monkeypatch.setattr(sources, "lines", fail)
    said = "cannot read: input/output error [file.unreadable]"
    assert found("a", "b.jsonl") == [("a", said), ("b.jsonl", said)]
    stdin(monkeypatch, b"1")
    assert holds_many("-") is False
    assert found("-") == [("-", f"standard input: {said}")]


def test_a_name_that_is_gone_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("heap").mkdir()
    monkeypatch.setattr(sources, "_names", lambda *_, **__: ["gone"])
    assert found("heap") == [("heap/gone", "cannot read: no such file or directory [file.unreadable]")]


@pytest.mark.parametrize(
    ("begin", "fill", "read"),
    [(b"", b"a", MAX_FILE + 1), (b"{}\n", b"a", MAX_FILE + 4), (b"{}\n", b"\n", MAX_FILE + 1)],
    ids=["line", "second line", "empty lines"],
)
def test_no_more_is_read_to_tell_than_has_to_be(begin: bytes, fill: bytes, read: int) -> None:
    stream = io.BytesIO(begin + fill * (3 * MAX_FILE))
    sources._begin_lines(stream)
    assert stream.tell() == read


def test_looking_for_a_second_line_does_not_copy_what_came_before() -> None:
    """Joined to bytes one by one, a mebibyte of empty lines was copied a million times."""
    copied = 0

    class Line(bytes):
        def __add__(self, other: bytes, /) -> "Line":  # type: ignore[override]  # counts what is copied
            nonlocal copied
            copied += len(self)
            return Line(bytes(self) + other)

    class Stream(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            return Line(super().readline(size))

    content = b"{}\n" + b"\n" * 3000
    assert sources._begin_lines(Stream(content)) == (False, content)
    assert copied < 2 * len(content)


def test_what_is_put_back_is_not_copied_for_each_piece() -> None:
    stream = sources._PutBack(b"ab" * MAX_FILE, io.BytesIO(b"rest"))
    tracemalloc.start()
    pieces = [stream.read(1000) for _ in range(10)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pieces == [b"ab" * 500] * 10
    assert peak < MAX_FILE // 8
    rest = stream.readall()
    assert (len(rest), rest[-5:]) == (2 * MAX_FILE - 10_000 + 4, b"brest")


@pytest.mark.parametrize(("head", "read"), [(2, MAX_FILE - 1), (MAX_FILE + 1, 0), (2 * MAX_FILE, 0)])
def test_no_more_is_read_of_one_document_than_it_may_have(head: int, read: int) -> None:
    stream = io.BytesIO(bytes(3 * MAX_FILE))
    assert told(sources._one("x", bytes(head), stream)) == TOO_LARGE
    assert stream.tell() == read


def test_a_document_with_an_early_line_end_may_be_as_large_and_no_larger() -> None:
    write("largest", b"\n" + b"a" * (MAX_FILE - 1))
    write("larger", b"\n" + b"a" * MAX_FILE)
    assert found("largest", "larger") == [("largest", b"\n" + b"a" * (MAX_FILE - 1)), ("larger", TOO_LARGE)]


def test_directories_are_closed_when_they_were_read() -> None:
    write("heap/sub/a")
    before = descriptors()
    assert len(found("heap")) == 1
    assert descriptors() == before


def test_files_are_closed_when_nobody_reads_on() -> None:
    write("dump.jsonl", b'"1"\n"2"\n')
    before = descriptors()
    found = documents(["dump.jsonl"])
    next(found)
    assert len(descriptors()) == len(before) + 1
    del found
    assert descriptors() == before


def descriptors() -> list[str]:
    """Return this process's open files."""
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())
