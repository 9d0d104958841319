"""A comparison of two images as JSON members (schema: eif.diff/1); all of it, however much there is."""

import stat
from typing import TYPE_CHECKING

from nitroctl.instants import rfc3339_of

if TYPE_CHECKING:
    from nitroctl.eif.cpio import Member
    from nitroctl.eif.diff import Compared, Difference
    from nitroctl.eif.diff_ramdisk import Change, Contents
    from nitroctl.eif.kernel import Kernel
    from nitroctl.eif.measure import Measured


def data(compared: "Compared", sentence: str) -> dict[str, object]:
    """Return the whole comparison."""
    return {
        "sentence": sentence,
        "same": compared.same,
        "same_file": compared.same_file,
        "first": _file(compared.first, compared.readers[0]),
        "second": _file(compared.second, compared.readers[1]),
        "registers": _registers(compared),
        "compared": compared.found,
        "differences": [_difference(each) for each in compared.differences],
        "not_measured": [
            {"part": each.part, "field": each.field, "first": each.first, "second": each.second}
            for each in compared.unmeasured
        ],
    }


def _file(measured: "Measured", reader: str) -> dict[str, object]:
    from nitroctl import pcr

    return {
        "file": measured.path,
        "size_bytes": measured.size,
        "sha256": measured.sha256 or None,
        "measurable": measured.measurable,
        "refusal": None if measured.measurable else measured.report.refusals[0].id,
        "sections_as_seen_by": reader or "every reader",
        "pcrs": pcr.as_hex(measured.pcrs),
    }


def _registers(compared: "Compared") -> list[dict[str, object]] | None:
    from nitroctl import pcr

    if compared.differing is None:
        return None
    one, other = compared.first.pcrs, compared.second.pcrs
    return [
        {
            "name": pcr.name(index),
            "meaning": pcr.meaning(index),
            "equal": index not in compared.differing,
            "first": one[index].hex() if index in one else None,
            "second": other[index].hex() if index in other else None,
        }
        for index in sorted({*one, *other})
    ]


def _difference(difference: "Difference") -> dict[str, object]:
    from nitroctl import pcr
    from nitroctl.eif.diff_told import cause

    found: dict[str, object] = {
        "part": difference.part,
        "cause": difference.cause.value,
        "text": cause(difference),
        "registers": [pcr.name(index) for index in difference.registers],
        "first": _section(difference.numbers[0], difference.sizes[0]),
        "second": _section(difference.numbers[1], difference.sizes[1]),
    }
    if difference.kernels:
        found["kernels"] = [_kernel(each) for each in difference.kernels]
    if difference.cmdlines:
        lines = difference.cmdlines
        found["command_lines"] = {
            "first": lines.first.decode("utf-8", "backslashreplace"),
            "second": lines.second.decode("utf-8", "backslashreplace"),
            "removed": list(lines.removed),
            "added": list(lines.added),
        }
    if difference.certificates:
        found["certificates"] = [subject or None for subject in difference.certificates]
    if difference.contents:
        found["contents"] = _contents(difference.contents)
    return found


def _section(number: int | None, size: int | None) -> dict[str, object] | None:
    return None if size is None else {"ramdisk": number, "size_bytes": size}


def _kernel(kernel: "Kernel") -> dict[str, object]:
    return {
        "format": kernel.format,
        "version": kernel.version,
        "banner": kernel.banner,
        "architecture": kernel.architecture,
    }


def _contents(contents: "Contents") -> dict[str, object]:
    return {
        "complete": contents.complete,
        "stopped": [text or None for text in contents.stopped],
        "kinds": {kind.value: count for kind, count in contents.kinds.items()},
        "same_entries": contents.same,
        "moved_entries": contents.moved,
        "compressions": [list(names) for names in contents.compressions],
        "archives": list(contents.archives),
        "entries": [_change(change) for change in contents.changes],
    }


def _change(change: "Change") -> dict[str, object]:
    return {
        "path": change.name.decode("utf-8", "backslashreplace"),
        "kind": change.kind.value,
        "aspects": [aspect.value for aspect in change.aspects],
        "first": _member(change.first),
        "second": _member(change.second),
    }


def _member(member: "Member | None") -> dict[str, object] | None:
    from nitroctl.eif.contents import KINDS

    if member is None:
        return None
    link = stat.S_ISLNK(member.mode)
    device = stat.S_ISCHR(member.mode) or stat.S_ISBLK(member.mode)
    return {
        "type": KINDS[stat.S_IFMT(member.mode)],
        "mode": f"{stat.S_IMODE(member.mode):04o}",
        "uid": member.uid,
        "gid": member.gid,
        "mtime": rfc3339_of(member.mtime),
        "size_bytes": member.size,
        "sha256": member.sha256.hex() if member.sha256 else None,
        "target": member.target.decode("utf-8", "backslashreplace") if link else None,
        "device": list(member.rdev) if device else None,
    }
