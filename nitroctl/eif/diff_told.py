"""A comparison of two images in words: the sentence that says which registers differ and why, and each cause alone."""

import stat
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from nitroctl import pcr
from nitroctl.eif.diff import Cause, Cmdlines, Compared, Difference
from nitroctl.eif.diff_ramdisk import Change, Contents, Kind
from nitroctl.eif.kernel import Kernel

#: Causes that the sentence names; the others are in the list after it.
_MOST_CAUSES: Final = 5
_MOST_WORDS: Final = 3


def registers(indexes: Iterable[int]) -> str:
    """Return ``PCR0``, ``PCR0 and PCR2`` or ``PCR0, PCR1 and PCR2``."""
    return _listed([pcr.name(index) for index in indexes])


def _listed(items: Sequence[str]) -> str:
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def sentence(compared: Compared) -> str:
    """Return the comparison in one line; the images are ``A`` and ``B``."""
    unmeasurable = compared.unmeasurable
    if compared.same_file:
        start = "A and B are the same file, byte for byte"
        return f"{start}; it cannot be measured: {unmeasurable[0][1]}" if unmeasurable else start
    causes = [cause(each) for each in compared.differences]
    why = "; ".join(causes[:_MOST_CAUSES])
    if len(causes) > _MOST_CAUSES:
        why += f"; and {len(causes) - _MOST_CAUSES} more differences"
    if unmeasurable:
        reasons = "; ".join(f"{letter} cannot be measured: {reason}" for letter, reason in unmeasurable)
        start = f"the measurements cannot be compared: {reasons}"
        return f"{start}; {_sections(compared, why)}" if compared.found else start
    if compared.differing:
        verb = "differs" if len(compared.differing) == 1 else "differ"
        return f"{registers(compared.differing)} {verb}: {why}"
    if causes:
        return f"no register differs, and yet the images do: {why}; where sections begin and end is not measured"
    return f"{registers(sorted(compared.first.pcrs))} are equal: {_only_unmeasured(compared)}"


def _sections(compared: Compared, why: str) -> str:
    """Say how the sections of images stand to each other of which one cannot be measured."""
    view = " as nitro-cli follows them" if any(compared.readers) else ""
    if why:
        return f"of the sections{view}: {why}"
    return f"kernel, command line, ramdisks and signing certificate{view} are the same"


def _only_unmeasured(compared: Compared) -> str:
    parts = list(dict.fromkeys(each.part for each in compared.unmeasured))
    if not parts:
        return "the files differ only outside of what any section holds"
    return f"the files differ only in what is not measured: {_listed(parts)}"


# -- one cause


def cause(difference: Difference) -> str:
    """Return a difference in one clause."""
    if difference.part == "signing certificate":
        return _certificate(difference)
    if difference.cause is Cause.ORDER:
        same = "the same ramdisks" if difference.part == "ramdisks" else "the same sections"
        return f"{same} stand in another order"
    if difference.cause in (Cause.ADDED, Cause.REMOVED):
        letter, size = ("B", difference.sizes[1]) if difference.cause is Cause.ADDED else ("A", difference.sizes[0])
        return f"{difference.part}, {size} bytes, is only in {letter}"
    return _changed(difference)


def _changed(difference: Difference) -> str:
    if difference.kernels:
        return _kernel(*difference.kernels)
    if difference.cmdlines:
        return _cmdline(difference.cmdlines)
    if difference.contents:
        return _ramdisk(difference.part, difference.contents)
    return f"{difference.part} differs"


def _certificate(difference: Difference) -> str:
    if difference.cause is Cause.ADDED:
        return "only B is signed"
    if difference.cause is Cause.REMOVED:
        return "only A is signed"
    if difference.certificates is None:
        return "the signatures differ, and not both can be read"
    before, after = difference.certificates
    if before == after:
        return f"signed with another certificate of the same name, {before}"
    return f"signed by {after} in place of {before}"


def _kernel(before: Kernel, after: Kernel) -> str:
    if before.version and after.version and before.version != after.version:
        return f"the kernel is another: {before.version} in A, {after.version} in B"
    if before.version and before.version == after.version:
        same = "and the same build" if before.banner and before.banner == after.banner else "built another time"
        return f"the kernel differs: {before.version} in both, {same}"
    return "the kernel is another"


def _cmdline(lines: Cmdlines) -> str:
    if lines.removed or lines.added:
        parts = [
            f"{_words(words)} only in {letter}" for letter, words in (("A", lines.removed), ("B", lines.added)) if words
        ]
        return f"the command line differs: {', '.join(parts)}"
    if lines.first == lines.second:
        return f"the command line differs after its first {len(lines.first)} bytes"
    if lines.first.split() != lines.second.split():
        return "the command line has the same words in another order"
    return "the command line differs only in spaces, or in how it ends"


def _words(words: Sequence[str]) -> str:
    shown = [repr(word) for word in words[:_MOST_WORDS]]
    more = len(words) - len(shown)
    return _listed([*shown, f"{more} more words"] if more else shown)


# -- a ramdisk


def _ramdisk(part: str, contents: Contents) -> str:
    kinds = contents.kinds
    if kinds.keys() - {Kind.RECORD, Kind.COMPRESSION, Kind.UNREAD}:
        kinds.pop(Kind.RECORD, None)  # a consequence: an entry more, and those after it are numbered otherwise
    clauses: list[str] = []
    for kind, text in _ENTRIES.items():
        if count := kinds.get(kind):
            subject = f"{count:,} {_noun(contents.of_kind(kind), count)} in {part}" if not clauses else f"{count:,}"
            clauses.append(f"{subject} {text(count)}")
    for kind, text_of in _WHOLE.items():
        if kind in kinds:
            clauses.append(text_of(part, contents, bool(clauses)))
    return ", ".join(clauses)


def _noun(changes: Sequence[Change], count: int) -> str:
    """Return what the entries are called: files when they are all that."""
    members = [member for change in changes for member in (change.first, change.second) if member]
    files = members and all(stat.S_ISREG(member.mode) for member in members)
    singular, plural = ("file", "files") if files else ("entry", "entries")
    return singular if count == 1 else plural


def _was(word: str) -> Callable[[int], str]:
    return lambda count: f"{'was' if count == 1 else 'were'} {word}"


def _verb(singular: str, plural: str, rest: str) -> Callable[[int], str]:
    return lambda count: f"{singular if count == 1 else plural} {rest}"


_ENTRIES: Final[dict[Kind, Callable[[int], str]]] = {
    Kind.CHANGED: lambda _: "changed",
    Kind.ADDED: _was("added"),
    Kind.REMOVED: _was("removed"),
    Kind.MODE: _verb("has", "have", "another mode or owner"),
    Kind.MTIME: _verb("differs", "differ", "only in mtime"),
    Kind.RECORD: _verb("differs", "differ", "only in the archive's own numbers"),
    Kind.ORDER: _verb("stands", "stand", "in another order"),
}


def _compression(part: str, contents: Contents, more: bool) -> str:  # noqa: FBT001  (whether other clauses stand before)
    before, after = (" and ".join(dict.fromkeys(names)) or "none" for names in contents.compressions)
    how = f"{before} in A, {after} in B" if before != after else f"both {before}"
    if more:
        return f"it is compressed otherwise ({how})"
    return f"{part} has the same entries, compressed otherwise ({how})"


def _archive(part: str, _: Contents, __: bool) -> str:  # noqa: FBT001
    return f"{part} has the same entries, and only the archive's padding or notation differs"


def _unread(part: str, contents: Contents, more: bool) -> str:  # noqa: FBT001
    sides = [f"in {letter} {text}" for letter, text in zip("AB", contents.stopped, strict=True) if text]
    return f"{'it' if more else part} cannot be read to the end: {'; '.join(sides)}"


_WHOLE: Final[dict[Kind, Callable[[str, Contents, bool], str]]] = {
    Kind.COMPRESSION: _compression,
    Kind.ARCHIVE: _archive,
    Kind.UNREAD: _unread,
}
