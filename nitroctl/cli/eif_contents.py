"""What an image's kernel and ramdisks hold, for people and for machines."""

import stat
from typing import TYPE_CHECKING, Final

from nitroctl.instants import rfc3339_of
from nitroctl.render.view import Block, Cell, Fields, Heading, Raw, Table, Text, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nitroctl.checks import Check
    from nitroctl.eif.contents import Listing, Summary
    from nitroctl.eif.kernel import Kernel

_DIGEST_COLUMNS: Final = 64
#: Narrower than this, the digest of a file stands on a line of its own.
_ONE_LINE: Final = 130
_PLURALS: Final = {"directory": "directories"}


def text_of(name: bytes) -> str:
    r"""Return a name as text, with bytes that are no UTF-8 as ``\xNN``."""
    return name.decode("utf-8", "backslashreplace")


# -- the kernel


def kernel_block(kernel: "Kernel") -> Block:
    """Return what a kernel says it is."""
    boot = f", boot protocol {kernel.protocol}" if kernel.protocol else ""
    rows: list[tuple[str, Value]] = [
        ("kind", Cell("not recognised", "warn") if kernel.format == "unknown" else f"{kernel.format}{boot}")
    ]
    rows += [
        (label, value)
        for label, value in (
            ("version", kernel.banner or kernel.version),
            ("processor", kernel.architecture),
            ("compression", kernel.compression),
        )
        if value
    ]
    return Fields(rows, title="Kernel")


def kernel_json(kernel: "Kernel") -> dict[str, object]:
    """Return what a kernel says it is, as JSON members."""
    return {
        "format": kernel.format,
        "version": kernel.version or None,
        "banner": kernel.banner or None,
        "architecture": kernel.architecture or None,
        "compression": kernel.compression or None,
        "boot_protocol": kernel.protocol or None,
    }


# -- the ramdisks


def ramdisks_block(summaries: "Sequence[Summary]") -> Block:
    """Return one row a ramdisk, numbered from 1."""
    rows: list[list[Value]] = [
        [
            str(number),
            "PCR0, PCR1" if number == 1 else "PCR0, PCR2",
            str(summary.size_bytes),
            ", ".join(dict.fromkeys(summary.compressions)) or "–",
            str(sum(summary.counts.values())),
            str(summary.content_bytes),
            Cell("whole") if summary.complete else Cell("in part", "warn"),
        ]
        for number, summary in enumerate(summaries, 1)
    ]
    columns = ("#", "measured in", "bytes", "compression", "entries", "bytes in files", "read")
    return Table(columns, rows, title="Ramdisks", empty="no ramdisk")


def faults_block(summaries: "Iterable[tuple[int, Summary]]") -> list[Block]:
    """Return what is wrong with the ramdisks, a paragraph each; nothing when nothing is."""
    lines: list[str] = []
    more = 0
    for number, summary in summaries:
        more += summary.more_faults
        lines += [
            f"ramdisk {number}, byte {fault.offset}: {fault.text}{' (reading ended there)' if fault.final else ''}"
            for fault in summary.faults
        ]
    if more:
        lines.append(f"and {more} more")
    return [Heading("Faults of ramdisks"), *(Text(line) for line in lines)] if lines else []


def check(summaries: "Sequence[Summary]") -> "Check":
    """Return whether Linux unpacks every ramdisk."""
    from nitroctl.eif.contents import unpacked

    faults = [(number, fault) for number, summary in enumerate(summaries, 1) for fault in summary.faults]
    return unpacked(faults, sum(summary.more_faults for summary in summaries), len(summaries))


def ramdisk_json(number: int, summary: "Summary", listing: "Listing | None") -> dict[str, object]:
    """Return one ramdisk as JSON members, with the entries of ``listing`` when they were asked for."""
    return {
        "ramdisk": number,
        "measured_in": ["PCR0", "PCR1" if number == 1 else "PCR2"],
        "size_bytes": summary.size_bytes,
        "expanded_bytes": summary.expanded_bytes,
        "compressions": list(dict.fromkeys(summary.compressions)),
        "archives": summary.archives,
        "counts": dict(summary.counts),
        "content_bytes": summary.content_bytes,
        "complete": summary.complete,
        "faults": [{"offset": fault.offset, "text": fault.text, "final": fault.final} for fault in summary.faults],
        "more_faults": summary.more_faults,
        "entries": [entry_json(listing, index) for index in range(len(listing.members))]
        if listing is not None
        else None,
    }


# -- entries


def listing_blocks(number: int, listing: "Listing", width: int | None) -> list[Block]:
    """Return every entry of a ramdisk, a line each on a wide screen, two where the digest needs its own."""
    counts = ", ".join(
        f"{count} {_PLURALS.get(kind, kind.replace('-', ' ') + 's') if count > 1 else kind.replace('-', ' ')}"
        for kind, count in listing.counts.items()
    )
    wide = width is None or width >= _ONE_LINE
    owners = [f"{member.uid}:{member.gid}" for member in listing.members]
    sizes = [_size(listing, index) for index in range(len(listing.members))]
    owner_width, size_width = max(map(len, owners), default=0), max(map(len, sizes), default=0)
    lines = []
    for index, member in enumerate(listing.members):
        digest = _digest(listing, index)
        owner, size = f"{owners[index]:<{owner_width}}", f"{sizes[index]:>{size_width}}"
        start = f"{stat.filemode(member.mode)} {owner} {size} {rfc3339_of(member.mtime)}"
        name = _line(f"{text_of(member.name)}{_leads(listing, index)}")
        if wide:
            lines.append(f"{start} {digest:<{_DIGEST_COLUMNS}} {name}")
        else:
            lines.append(f"{start} {name}")
            lines += [f"           {digest}"] if digest else []
    blocks: list[Block] = [Heading(f"Ramdisk {number}: {counts or 'no entry'}")]
    # drawing a hundred thousand lines one by one takes seconds; these are escaped, and hold nothing to draw
    return [*blocks, Raw("".join(f"{line}\n" for line in lines))] if lines else blocks


def entry_json(listing: "Listing", index: int) -> dict[str, object]:
    """Return one entry as JSON members; size and digest are those of what Linux finds under its name."""
    from nitroctl.eif.contents import KINDS

    member = listing.members[index]
    kind = stat.S_IFMT(member.mode)
    is_device = kind in (stat.S_IFCHR, stat.S_IFBLK)
    link = listing.hard_link(index)
    return {
        "name": text_of(member.name),
        "name_hex": None if _is_text(member.name) else member.name.hex(),
        "kind": KINDS[kind],
        "mode": f"{stat.S_IMODE(member.mode):04o}",
        "uid": member.uid,
        "gid": member.gid,
        "mtime": rfc3339_of(member.mtime),
        "size_bytes": listing.holder(index).size,
        "sha256": _digest(listing, index) or None,
        "target": text_of(member.target) if kind == stat.S_IFLNK else None,
        "hard_link_to": text_of(link) if link else None,
        "device": {"major": member.rdev[0], "minor": member.rdev[1]} if is_device else None,
        "archive": member.archive,
        "compression": member.compression,
    }


def _is_text(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _digest(listing: "Listing", index: int) -> str:
    found = listing.holder(index).sha256
    return found.hex() if found else ""


def _size(listing: "Listing", index: int) -> str:
    member = listing.members[index]
    if stat.S_ISCHR(member.mode) or stat.S_ISBLK(member.mode):
        return f"{member.rdev[0]},{member.rdev[1]}"
    return str(listing.holder(index).size)


def _leads(listing: "Listing", index: int) -> str:
    member = listing.members[index]
    if stat.S_ISLNK(member.mode):
        return f" -> {text_of(member.target)}"
    link = listing.hard_link(index)
    return f" = {text_of(link)}" if link else ""


def _line(text: str) -> str:
    """Return a name on one line, holding nothing that a terminal or the log of a CI job obeys."""
    from nitroctl.render.plain import inert, visible

    return inert(visible(text))
