"""The lab: named documents that a verifier must refuse, and some it must accept, to hold any verifier against.

Each refused one is a good document with one thing wrong and says which checks of ours it must trip, and no others.
All are signed under one root that is made for the occasion, so a suite is complete in itself: its documents, the
root, and a manifest. Instants, fields and names are fixed; keys, and with them certificates, signatures and the few
random names in them, are new in every suite.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nitroctl import safefile
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.evidence.chain import instant
from nitroctl.standin import lab_accepted, lab_cbor, lab_chain, lab_cose, lab_fields, lab_keys
from nitroctl.standin.lab_change import Case, accepted, root

CASES: Final[tuple[Case, ...]] = (
    *lab_accepted.CASES,
    *lab_cbor.CASES,
    *lab_cose.CASES,
    *lab_fields.CASES,
    *lab_chain.CASES,
    *lab_keys.CASES,
    *lab_accepted.STRICT_CASES,
)
MANIFEST: Final = "manifest.json"
ROOT_FILE: Final = "root.pem"
_SUGGESTED: Final = 3


@dataclass(frozen=True, slots=True)
class Minted:
    """A suite that was written: where, the paths of its parts, the cases in it, and the SHA-256 of its root's DER."""

    directory: str
    manifest: str
    root: str
    root_sha256: str
    cases: tuple[Case, ...]


def find(names: Sequence[str]) -> tuple[Case, ...]:
    """Return the cases called ``names``, in the table's order. Raises UsageError ``lab.unknown-name``."""
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            raise UsageError(f"no case of the lab is called {name!r}", "lab.unknown-name", _hints(name, list(known)))
    return tuple(case for case in CASES if case.name in names)


def _hints(name: str, known: Sequence[str]) -> list[str]:
    import difflib  # noqa: PLC0415  (only a misspelt name needs it)

    near = difflib.get_close_matches(name, known, _SUGGESTED)
    return [f"did you mean {' or '.join(near)}?"] if near else ["see nitroctl lab list"]


def mint(cases: Sequence[Case], directory: str) -> Minted:
    """Write a suite of ``cases`` as ``directory``, which must not exist or be empty: all of it, or nothing.

    Raises CannotAnswer ``lab.directory`` or ``file.unwritable``.
    """
    target = Path(os.path.abspath(directory))  # noqa: PTH100  (".." is undone, links are not followed)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise CannotAnswer(f"{directory}: is not a directory", "lab.directory", ["name a new directory"])
    if target == Path.cwd():
        raise CannotAnswer(
            f"{directory}: is the working directory", "lab.directory", ["name a new one inside it, such as ./suite"]
        )
    try:
        if target.exists() and any(target.iterdir()):
            raise CannotAnswer(
                f"{directory}: is not empty", "lab.directory", ["name a new one: the keys of two suites do not mix"]
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            _write(cases, scratch)
            scratch.chmod(0o755)
            scratch.replace(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise safefile.cannot_write(directory, error) from error
    place = Path(directory)
    return Minted(directory, str(place / MANIFEST), str(place / ROOT_FILE), _fingerprint(), tuple(cases))


def _fingerprint() -> str:
    return accepted()[0].fingerprint


def _write(cases: Sequence[Case], directory: Path) -> None:
    (directory / ROOT_FILE).write_bytes(root().pem)
    entries = []
    for case in cases:
        content, file = case.build(), f"{case.name}.cbor"
        (directory / file).write_bytes(content)
        entries.append({**as_json(case), "file": file, "sha256": hashlib.sha256(content).hexdigest()})
    manifest = {
        "schema": "nitroctl/lab.manifest/1",
        "root": {"file": ROOT_FILE, "sha256": _fingerprint()},
        "cases": entries,
    }
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def as_json(case: Case) -> dict[str, object]:
    """Return what is fixed of a case as JSON members."""
    return {
        "name": case.name,
        "description": case.description,
        "expected": "accepted" if case.accepted else "refused",
        "checks": sorted(case.fails),
        "warnings": sorted(case.warns),
        "at": instant(case.at),
        "profile": case.profile,
    }
