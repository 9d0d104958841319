"""The texts of an entry, and the digests in it: what a reviewer can read, and what has the form that it says."""

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitroctl.records import recipe

if TYPE_CHECKING:
    from nitroctl.records.entry import Build, Entry

#: The members of a source.
SOURCE: Final = ("uri", "ref", "commit", "path")

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
#: Control, format, surrogate, line and paragraph separator: what a reviewer of the file could not see.
_UNREADABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_TEXT_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True)
class Wrong:
    """What cannot stand: JSON Pointer within the entry, what is wrong, and what to do."""

    place: str
    message: str
    hint: str = ""


def first_wrong(entry: "Entry") -> Wrong | None:
    """Return the first text, digest or size in ``entry`` that cannot stand in the ledger; None when all can."""
    for place, text in () if _all_readable(entry) else _texts(entry):
        if len(text) > _TEXT_LIMIT:
            return Wrong(place, f"longer than {_TEXT_LIMIT} characters")
        if not text.isprintable() and any(unicodedata.category(character) in _UNREADABLE for character in text):
            return Wrong(
                place,
                "has a control or format character",
                "write plain text on one line",
            )
    if entry.artifact:
        if not _SHA256.fullmatch(entry.artifact.sha256):
            return Wrong("/artifact/sha256", "not 64 lower-case hexadecimal digits")
        if entry.artifact.size < 0:
            return Wrong("/artifact/size", "negative")
    if entry.signer and not _SHA256.fullmatch(entry.signer.certificate_sha256):
        return Wrong("/signer/certificate_sha256", "not 64 lower-case hexadecimal digits")
    return _build_fault(entry.build) if entry.build else None


def _build_fault(build: "Build") -> Wrong | None:
    bad = [role for role, digest in build.inputs.items() if not _SHA256.fullmatch(digest)]
    if bad:
        return Wrong("/build/inputs", f"{bad[0][:40]!r}: not 64 lower-case hexadecimal digits")
    wrong = recipe.fault(build.recipe) if build.recipe else None
    return Wrong(f"/build/recipe/{wrong[0]}", wrong[1]) if wrong else None


def _all_readable(entry: "Entry") -> bool:
    """Whether no text can be wrong: all of them together are printable, and no longer than one may be."""
    found = [entry.notes, entry.revoked_because]
    if entry.artifact:
        found.append(entry.artifact.name)
    if entry.source:
        found += (entry.source.uri, entry.source.ref, entry.source.commit, entry.source.path)
    if entry.build:
        build = entry.build
        found += (build.builder, build.run, *build.versions, *build.versions.values(), *build.inputs)
        found += build.reproduced_by
    together = "".join(found)
    return len(together) <= _TEXT_LIMIT and together.isprintable()


def _texts(entry: "Entry") -> list[tuple[str, str]]:
    found = [("/notes", entry.notes), ("/revoked_because", entry.revoked_because)]
    if entry.artifact:
        found.append(("/artifact/name", entry.artifact.name))
    if entry.source:
        found += [(f"/source/{name}", getattr(entry.source, name)) for name in SOURCE]
    if entry.build:
        found += [("/build/builder", entry.build.builder), ("/build/run", entry.build.run)]
        found += [("/build/versions", text) for pair in entry.build.versions.items() for text in pair]
        found += [("/build/inputs", role) for role in entry.build.inputs]
        found += [(f"/build/reproduced_by/{n}", text) for n, text in enumerate(entry.build.reproduced_by)]
    return found
