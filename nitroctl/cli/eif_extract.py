"""Files out of a ramdisk: the options ``--extract`` and ``--extract-to`` of ``nitroctl eif inspect``."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Final

from nitroctl.cli.eif_contents import entry_json, text_of
from nitroctl.errors import ExitCode, UsageError
from nitroctl.render.result import Result, Stream
from nitroctl.render.view import Block, Fields, Headline, Table, Value

if TYPE_CHECKING:
    from nitroctl.cli.eif_image import Found
    from nitroctl.eif.contents import Listing
    from nitroctl.eif.format import Section

_IN_MEMORY: Final = 8 * 1024 * 1024
_CHUNK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be taken out of which ramdisk: one ``path``, to ``output``, or all of it, to ``directory``."""

    ramdisk: int
    path: str | None
    output: str
    directory: str | None


def wanted(*, ramdisk: int | None, path: str | None, output: str, directory: str | None, listed: bool) -> Wanted | None:
    """Return what the options ask for, None when nothing is to be taken out. Raises UsageError."""
    from nitroctl.cli.output import EXPORTS, asked

    given = [
        name
        for name, there in (
            ("--list", listed),
            ("--extract", path is not None),
            ("--extract-to", directory is not None),
        )
        if there
    ]
    if len(given) > 1:
        raise _usage(f"{' and '.join(given)} exclude each other", "ask for one at a time")
    if output != "-" and path is None:
        raise _usage("--output is for --extract", "name the file to take out: --extract PATH")
    if ramdisk is not None and not given:
        raise _usage(
            "--ramdisk: what to do with it is not said", "add --list, --extract PATH or --extract-to DIRECTORY"
        )
    if given and asked().form in EXPORTS:
        raise _usage(f"{given[0]}: --format {asked().form} has no place for it", "use --json")
    if path is None and directory is None:
        return None
    if ramdisk is None:
        raise _usage(f"{given[0]}: which ramdisk is not said", "add --ramdisk 1 for the first; --list shows all")
    if path is not None and output == "-" and asked().form != "human":
        raise _usage(f"--format {asked().form} and the file itself cannot both go to stdout", "add --output FILE")
    return Wanted(ramdisk, path, output, directory)


def _usage(message: str, hint: str) -> UsageError:
    return UsageError(message, "usage.invalid", [hint])


def extract(found: "Found", asked_for: Wanted, answer: Result) -> Result | Stream:
    """Take out what is wanted of an image; ``answer`` is the one about the image itself.

    Exit status 1: the path is not that of a file, or the image is refused, whose files are then written nevertheless.
    """
    number = asked_for.ramdisk
    section, listing = found.ramdisks[number - 1], found.listings[number]
    refused = [f"the image is refused: {found.measured.report.refusals[0].detail}"] if answer.refused else []
    answer = replace(answer, view=[], notes=refused, exports={})
    if asked_for.directory is not None:
        return _unpack(found, section, listing, asked_for, answer)
    return _one(found, section, listing, asked_for, answer)


def _one(found: "Found", section: "Section", listing: "Listing", asked_for: Wanted, answer: Result) -> Result | Stream:
    from tempfile import SpooledTemporaryFile

    from nitroctl import safefile
    from nitroctl.eif import extract as taking

    path = asked_for.path or ""
    located = taking.locate(listing, os.fsencode(path))
    if located.entry is None or located.content is None:
        note = f"{found.measured.path}, ramdisk {asked_for.ramdisk}: {path}: {located.reason}"
        return _told(answer, asked_for, listing, located.entry, reason=located.reason, notes=[note], refused=True)
    entry, content = located.entry, located.content
    if asked_for.output != safefile.STDIN:
        if safefile.require_replaceable(asked_for.output) == safefile.require_replaceable(found.measured.path):
            raise _usage("--output: it is the image itself", "name another file")
        with safefile.replacing(asked_for.output) as stream:
            member = taking.copy(found.image.stream, section, content, stream.write)
            found.image.require_unchanged()
        digest = member.sha256.hex() if member.sha256 else ""
        told = _told(answer, asked_for, listing, entry, digest=digest)
        view: list[Block] = [
            Headline(
                f"wrote {member.size} bytes of {path} in ramdisk {asked_for.ramdisk} to {asked_for.output}",
            ),
            Fields([("sha256", digest)]),
        ]
        return replace(told, view=view)
    spool = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  (closed when the answer is written)
    try:
        taking.copy(found.image.stream, section, content, spool.write)
        found.image.require_unchanged()
    except BaseException:
        spool.close()
        raise
    finish = ExitCode.REFUSED if answer.refused else ExitCode.OK
    return Stream(chunks=_pieces(spool), finish=lambda: finish, notes=answer.notes)


def _pieces(spool: "IO[bytes]") -> Iterator[bytes]:
    with spool:
        spool.seek(0)
        while piece := spool.read(_CHUNK):
            yield piece


def _told(
    answer: Result,
    asked_for: Wanted,
    listing: "Listing",
    entry: int | None,
    *,
    digest: str | None = None,
    reason: str | None = None,
    notes: "list[str] | None" = None,
    refused: bool = False,
) -> Result:
    extracted = {
        "ramdisk": asked_for.ramdisk,
        "path": asked_for.path,
        "found": reason is None,
        "reason": reason,
        "entry": None if entry is None else {**entry_json(listing, entry), "sha256": digest},
        "output": None if reason else asked_for.output,
    }
    return replace(
        answer,
        data={**answer.data, "extracted": extracted},
        notes=[*answer.notes, *(notes or [])],
        refused=refused or answer.refused,
    )


def _unpack(found: "Found", section: "Section", listing: "Listing", asked_for: Wanted, answer: Result) -> Result:
    from collections import Counter

    from nitroctl.eif import extract as taking

    directory = asked_for.directory or ""
    with taking.extracting(found.image.stream, section, listing, directory) as made:
        found.image.require_unchanged()
    reasons = Counter(skipped.reason for skipped in made.skipped)
    rows: list[tuple[str, Value]] = [
        ("files", str(made.files)),
        ("directories", str(made.directories)),
        ("hard links", str(made.hard_links)),
        ("bytes", str(made.size_bytes)),
    ]
    missing = "" if listing.complete else ", as far as it could be read"
    view: list[Block] = [
        Headline(f"wrote the files of ramdisk {asked_for.ramdisk} to {directory}{missing}"),
        Fields(rows),
    ]
    if reasons:
        counted = [(str(count), reason) for reason, count in sorted(reasons.items())]
        view.append(Table(("entries", "why"), counted, title="Not made (each is named by --json)"))
    unpacked = {
        "ramdisk": asked_for.ramdisk,
        "directory": directory,
        "complete": listing.complete,
        "files": made.files,
        "directories": made.directories,
        "hard_links": made.hard_links,
        "size_bytes": made.size_bytes,
        "skipped": [
            {"name": text_of(skipped.name), "kind": skipped.kind, "reason": skipped.reason} for skipped in made.skipped
        ],
    }
    return replace(
        answer,
        data={**answer.data, "unpacked": unpacked},
        view=view,
        refused=answer.refused or not listing.complete,
    )
