"""The repair of an allocator file: what is wrong in a way that has one way out, mended line by line."""

import re
from collections.abc import Sequence
from typing import Final

from nitroctl.host.allocator import CPU_POOL, KEYS, AllocatorFile, Kind, Line, continues, parse


def repair(content: bytes) -> bytes:
    """Return ``content`` with everything mended that has one way out; comments and values stay.

    Line ends, the start marker, blank lines, a missing last newline, comments after values, single quotes, blanks in
    a CPU list, a backslash at a comment's end, and earlier ones of equal keys (kept as comments). What is wrong in
    another way stays as it is, for the report to say.
    """
    for _ in range(_ROUNDS):
        mended = _mended(content)
        if mended == content:
            break
        content = mended
    return content


_ROUNDS: Final = 8  # mending one thing can bring another to light; nothing needs more than four


def _mended(content: bytes) -> bytes:
    content = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if content and not content.endswith(b"\n"):
        content += b"\n"
    if continues(content):  # nothing follows that the last line could go on with
        content = content[:-2] + b"\n"
    file = parse(content)
    if not file.started:
        return _with_start(file)
    return b"".join(_mended_line(file, line) for line in file.lines)


def _with_start(file: AllocatorFile) -> bytes:
    for number, line in enumerate(file.lines):
        rest = line.text[3:].strip()
        if line.text.startswith("---") and line.text[3:4] in (" ", "\t") and rest.startswith("#"):
            raws = [other.raw for other in file.lines]
            raws[number] = b"---\n" + line.raw.lstrip(b" \t").removeprefix(b"---").lstrip(b" \t")
            return b"".join(raws)
        if line.text.startswith("---") and line.text[3:4] in (" ", "\t"):
            return file.content
    place = start_place(file.lines)
    if place is None:
        return file.content
    return b"".join([line.raw for line in file.lines[:place]] + [b"---\n"] + [line.raw for line in file.lines[place:]])


def _mended_line(file: AllocatorFile, line: Line) -> bytes:
    raw = line.raw
    if line.kind is Kind.COMMENT and b"\n" in raw[:-1]:
        first, newline, rest = raw.partition(b"\n")
        return first[:-1] + newline + rest
    if line.kind is Kind.COMMENT and continues(raw):
        return raw[:-2] + b"\n"
    if line.kind is Kind.BLANK:
        return b"#\n"
    if not line.known:
        return raw
    if line == file.entries(line.key)[-1]:
        return mended_entry(line)
    return raw if b"\\" in raw else b"# " + raw.strip() + b"\n"


def mended_entry(line: Line) -> bytes:
    """Return an entry's line with its comment moved, or its single quotes or the blanks in its list gone."""
    raw = line.raw
    if b"\\" in raw:
        return raw
    head, colon, value = raw.removesuffix(b"\n").partition(b":")
    comment = re.search(rb"[ \t]+(#.*)", value, re.DOTALL)
    if colon and comment:
        return comment[1] + b"\n" + head + colon + value[: comment.start()] + b"\n"
    if colon and re.fullmatch(r"'[^']*'", line.value) and value.count(b"'") == 2:  # noqa: PLR2004
        return head + colon + value.replace(b"'", b"") + b"\n"
    if colon and line.key == CPU_POOL and re.fullmatch(r"[-0-9]+([ \t]*,[ \t]*[-0-9]+)+", line.value):
        spacing = value[: len(value) - len(value.lstrip(b" \t"))]
        return head + colon + spacing + re.sub(rb"[ \t]*,[ \t]*", b",", value.strip(b" \t")) + b"\n"
    return raw


def start_place(lines: Sequence[Line]) -> int | None:
    """Return before which line ``---`` belongs; None when there is no setting, or a directive after it."""
    settings = [number for number, line in enumerate(lines) if _setting(line)]
    directives = [number for number, line in enumerate(lines) if line.text.startswith("%")]
    place = directives[-1] + 1 if directives else 0
    return place if settings and settings[0] >= place else None


def _setting(line: Line) -> bool:
    return line.text.partition(":")[0] in KEYS and ":" in line.text
