"""A comparison of two images for people: registers, causes, the files behind them; bounded, with how many more."""

import stat
from typing import TYPE_CHECKING, Final

from nitroctl.instants import rfc3339_of
from nitroctl.render.view import Block, Cell, Fields, Text, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.eif.cpio import Member
    from nitroctl.eif.diff import Compared, Difference
    from nitroctl.eif.diff_ramdisk import Change, Contents, Kind
    from nitroctl.eif.diff_unmeasured import Unmeasured
    from nitroctl.eif.kernel import Kernel

#: Rows of one kind that are shown; of times alone fewer, for one is like the other.
_MOST: Final = 10
_MOST_TIMES: Final = 3
_LONGEST: Final = 160
#: Two values of at most so many characters stand on one line.
_SHORT: Final = 32


def blocks(compared: "Compared") -> list[Block]:
    """Return everything below the first line."""
    found: list[Block] = [_files(compared), *_registers(compared)]
    if compared.differences:
        found.append(_causes(compared.differences))
    for difference in compared.differences:
        found += _detail(difference)
    if compared.unmeasured:
        found += _unmeasured(compared.unmeasured)
    return found


def _files(compared: "Compared") -> Fields:
    rows: list[tuple[str, Value]] = []
    for letter, side, reader in zip("AB", (compared.first, compared.second), compared.readers, strict=True):
        seen = ", sections as nitro-cli follows them" if reader and compared.found else ""
        rows.append((letter, f"{side.path}, {side.size} bytes{seen}"))
    return Fields(rows)


def _registers(compared: "Compared") -> list[Block]:
    from nitroctl import pcr

    if compared.differing is None or compared.same_file:
        return []
    one, other = compared.first.pcrs, compared.second.pcrs
    rows: list[tuple[str, Value]] = []
    for index in sorted({*one, *other}):
        if index in compared.differing:
            rows.append((pcr.name(index), Cell(f"differs: {pcr.meaning(index)}", "dim")))
            rows += [(f"  {letter}", _register(side.get(index))) for letter, side in (("A", one), ("B", other))]
        else:
            rows += [(pcr.name(index), Cell("equal", "dim")), ("  A, B", one[index].hex())]
    return [Fields(rows, title="Registers")]


def _register(value: bytes | None) -> Value:
    return value.hex() if value else Cell("zero: not signed", "dim")


def _causes(differences: "Sequence[Difference]") -> Fields:
    """Return each cause with the registers it moves: the widest first column is ``PCR0 and PCR2``."""
    from nitroctl.eif.diff_told import cause, registers

    rows: list[tuple[str, Value]] = [
        (registers(each.registers) if each.registers else "no register", cause(each)) for each in differences
    ]
    return Fields(rows, title="Causes")


def _detail(difference: "Difference") -> list[Block]:
    if difference.kernels:
        return [Fields(_pair(*(_kernel(each) for each in difference.kernels)), title="Kernel")]
    if difference.cmdlines:
        lines = (_text(each.decode("utf-8", "backslashreplace")) for each in _lines(difference))
        return [Fields(_pair(*lines), title="Command line")]
    if difference.certificates:
        subjects = (subject or Cell("not signed", "dim") for subject in difference.certificates)
        return [Fields(_pair(*subjects), title="Signing certificate")]
    return _contents(difference.part, difference.contents) if difference.contents else []


def _lines(difference: "Difference") -> tuple[bytes, bytes]:
    lines = difference.cmdlines
    return (lines.first, lines.second) if lines else (b"", b"")


def _pair(first: Value, second: Value) -> list[tuple[str, Value]]:
    return [("A", first), ("B", second)]


def _kernel(kernel: "Kernel") -> Value:
    what = ", ".join(part for part in (kernel.format, kernel.architecture, kernel.banner or kernel.version) if part)
    return what if kernel.version else Cell(f"{what}: no version in it", "dim")


# -- the entries of a ramdisk


def _contents(part: str, contents: "Contents") -> list[Block]:
    from nitroctl.eif.diff_ramdisk import Kind

    titles = {
        Kind.CHANGED: "changed",
        Kind.ADDED: "only in B",
        Kind.REMOVED: "only in A",
        Kind.MODE: "with another mode or owner",
        Kind.MTIME: "that differ only in mtime",
    }
    found: list[Block] = []
    for kind, title in titles.items():
        changes = contents.of_kind(kind)
        if changes:
            most = _MOST_TIMES if kind is Kind.MTIME else _MOST
            rows = [(_name(change), _what(change, kind)) for change in changes[:most]]
            found.append(Fields(rows, title=f"{part.capitalize()}: entries {title}"))
            found += _more(len(changes) - len(rows))
    rest = {
        "without a difference": contents.same,
        "with other numbers of the archive's own (inode, links, name as stored)": len(contents.of_kind(Kind.RECORD)),
        "that stand elsewhere in the order of unpacking": contents.moved,
    }
    rows = [(what, f"{count:,}") for what, count in rest.items() if count]
    return [*found, Fields(rows, title=f"{part.capitalize()}: entries")] if rows else found


def _name(change: "Change") -> str:
    return change.name.decode("utf-8", "backslashreplace")


def _what(change: "Change", kind: "Kind") -> str:
    from nitroctl.eif.diff_ramdisk import Kind

    if change.first is None or change.second is None:
        member = change.first or change.second
        return _whole(member) if member else ""
    parts = _parts(change.first, change.second)
    named = [aspect.value for aspect in change.aspects if aspect.value in parts]
    if kind is Kind.MTIME:
        return parts["mtime"]
    return "; ".join(f"{name} {parts[name]}".strip() for name in named)


def _parts(first: "Member", second: "Member") -> dict[str, str]:
    """Return how each aspect changed, in words; content by its size, digests are for --json."""
    from nitroctl.eif.contents import KINDS

    sizes = f"{first.size} → {second.size} bytes" if first.size != second.size else f"{first.size} bytes in both"
    return {
        "type": f"{KINDS[stat.S_IFMT(first.mode)]} → {KINDS[stat.S_IFMT(second.mode)]}",
        "content": sizes,
        "target": f"{_shown(first.target)} → {_shown(second.target)}",
        "device": f"{first.rdev[0]}:{first.rdev[1]} → {second.rdev[0]}:{second.rdev[1]}",
        "mode": f"{stat.S_IMODE(first.mode):04o} → {stat.S_IMODE(second.mode):04o}",
        "owner": f"{first.uid}:{first.gid} → {second.uid}:{second.gid}",
        "mtime": f"{rfc3339_of(first.mtime)} → {rfc3339_of(second.mtime)}",
    }


def _whole(member: "Member") -> str:
    from nitroctl.eif.contents import KINDS

    kind = KINDS[stat.S_IFMT(member.mode)]
    size = f", {member.size} bytes" if stat.S_ISREG(member.mode) else ""
    target = f" → {_shown(member.target)}" if member.target else ""
    return (
        f"{kind}{target}{size}, {stat.S_IMODE(member.mode):04o}, {member.uid}:{member.gid}, {rfc3339_of(member.mtime)}"
    )


def _shown(target: bytes) -> str:
    return target.decode("utf-8", "backslashreplace") or "nowhere"


# -- what is not measured


def _unmeasured(found: "Sequence[Unmeasured]") -> list[Block]:
    rows: list[tuple[str, Value]] = []
    for each in found[:_MOST]:
        label, values = f"{each.part}: {each.field}", (_value(each.first), _value(each.second))
        if each.first is each.second is None:
            rows.append((label, Cell("differs", "dim")))
        elif max(len(value.text) for value in values) <= _SHORT:
            rows.append((label, " → ".join(value.text for value in values)))
        else:
            rows += [(f"{label}  {letter}", value) for letter, value in zip("AB", values, strict=True)]
    return [Fields(rows, title="Not measured"), *_more(len(found) - _MOST)]


def _value(text: str | None) -> Cell:
    if not text:
        return Cell("none" if text is None else "empty", "dim")
    return Cell(_text(text))


def _text(text: str) -> str:
    """Return a text from an image, cut where a person would stop reading; --json has the whole of it."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text)} characters, --json has all)"


def _more(count: int) -> list[Block]:
    return [Text(f"  and {count:,} more; --json has all", "dim")] if count > 0 else []
