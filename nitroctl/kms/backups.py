"""The policies that were replaced: each in a file of its own, written before the new one is sent, never overwritten.

A backup says whose policy it was, when and by whom it was replaced and by what, so that ``kms undo`` can tell whether
the key still has what was put in its place. Its member ``Policy`` is the text as KMS had it: ``kms diff``, ``kms lint``
and ``kms apply`` read the file as they read what ``aws kms get-key-policy`` prints.
"""

import itertools
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from nitroctl import safefile, strict_json
from nitroctl.errors import CannotAnswer
from nitroctl.kms import canonical, document
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.live import LiveKey

SCHEMA: Final = "urn:nitroctl:key-policy-backup:1"
_NAME: Final = re.compile(
    r"(?P<account>[0-9]{12})\.(?P<region>[a-z0-9-]+)\.(?P<id>[A-Za-z0-9-]+)\."
    r"(?P<stamp>[0-9]{8}T[0-9]{6}Z)(?:-(?P<number>[0-9]{1,6}))?\.json"
)
_MEMBERS: Final = ("schema", "key", "saved_at", "saved_by", "sha256", "replaced_by_sha256", "Policy")
_LIMIT: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A policy that a key had. ``saved_by``: ARN of who replaced it. ``replaced_by``: canonical digest of the new."""

    path: str
    key: str
    saved_at: str
    saved_by: str
    replaced_by: str
    policy: PolicyDocument
    text: str


def directory(environ: Mapping[str, str]) -> str:
    """Return where backups are kept unless somebody says otherwise: below the user's state directory.

    A relative one counts for nothing, as the XDG base directory specification has it: it would be another in every
    directory, and no undo would find it. Raises CannotAnswer ``kms.backup-directory`` when there is none.
    """
    home = environ.get("HOME")
    places = (environ.get("XDG_STATE_HOME", ""), f"{home}/.local/state" if home else "")
    state = next((place for place in places if os.path.isabs(place)), None)  # noqa: PTH117
    if state is None:
        raise CannotAnswer(
            "there is no home directory to keep the replaced policy in",
            "kms.backup-directory",
            ["say where: --backup-dir DIR"],
        )
    return str(Path(state) / "nitroctl" / "key-policies")


def prepare(where: str) -> None:
    """Make the directory of backups, for its owner only. Raises CannotAnswer ``file.unwritable``."""
    try:
        Path(where).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise safefile.cannot_write(where, error) from error
    except ValueError as error:
        raise CannotAnswer(f"{where!r}: cannot write: the name has a NUL character", "file.unwritable") from error


def save(  # noqa: PLR0913  (what the file says)
    where: str, live: LiveKey, before: PolicyDocument, after: PolicyDocument, *, who: str, at: datetime
) -> str:
    """Write the policy that ``live`` has to a new file in ``where``, for its owner only, and return its path.

    The caller holds the key's lock. Raises CannotAnswer ``file.unwritable``.
    """
    content = {
        "schema": SCHEMA,
        "key": live.arn,
        "saved_at": _time(at),
        "saved_by": who,
        "sha256": canonical.digest(before),
        "replaced_by_sha256": canonical.digest(after),
        "Policy": json.dumps(before.raw, separators=(",", ":"), ensure_ascii=False),
    }
    prepare(where)
    stem = f"{live.account}.{live.region}.{live.arn.rpartition('/')[2]}.{at.astimezone(UTC).strftime('%Y%m%dT%H%M%SZ')}"
    raw, name = (json.dumps(content, indent=2) + "\n").encode(), f"{stem}.json"
    for number in itertools.count(2):
        path = str(Path(where) / name)
        try:  # one step, which follows no link: whoever else writes there, now or meanwhile, loses nothing
            safefile.create_private(path, raw)
        except CannotAnswer as error:
            if error.code != "file.exists":
                raise
            name = f"{stem}-{number}.json"
        else:
            break
    return path


def load(path: str) -> Backup:
    """Return the backup in a file. Raises CannotAnswer ``file.*``, ``json.*``, ``kms.document`` or ``kms.backup``."""
    text = safefile.read_text(path, limit=_LIMIT)
    members = strict_json.parse(text, where=path)
    if not isinstance(members, dict) or members.get("schema") != SCHEMA:
        raise _refused(path, "not a backup that nitroctl kms apply wrote")
    for name in _MEMBERS:
        if not isinstance(members.get(name), str):
            raise _refused(path, f"no text in {name}")
    policy = document.parse(members["Policy"], where=path)
    if canonical.digest(policy) != members["sha256"]:
        raise _refused(path, "the policy is not the one that was saved: its digest is another")
    return Backup(
        path=path,
        key=members["key"],
        saved_at=members["saved_at"],
        saved_by=members["saved_by"],
        replaced_by=members["replaced_by_sha256"],
        policy=policy,
        text=members["Policy"],
    )


def of_key(where: str, live: LiveKey) -> tuple[str, ...]:
    """Return the paths of the key's backups in ``where``, the newest first."""
    found = []
    try:
        names = sorted(os.listdir(where))  # noqa: PTH208  (names are what is matched)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise safefile.cannot_read(where, error) from error
    for name in names:
        match = _NAME.fullmatch(name)
        if match and (match["account"], match["region"], match["id"]) == (
            live.account,
            live.region,
            live.arn.rpartition("/")[2],
        ):
            found.append(((match["stamp"], int(match["number"] or 1)), str(Path(where) / name)))
    return tuple(path for _, path in sorted(found, reverse=True))


def replaced(where: str, live: LiveKey, now: PolicyDocument) -> Backup | None:
    """Return the newest backup of a policy in whose place ``now`` was put; None when there is none.

    Raises CannotAnswer as :func:`load` does: a backup that cannot be read may be the one.
    """
    wanted = canonical.digest(now)
    for path in of_key(where, live):
        backup = load(path)
        if backup.key == live.arn and backup.replaced_by == wanted:
            return backup
    return None


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refused(path: str, what: str) -> CannotAnswer:
    return CannotAnswer(f"{path}: {what}", "kms.backup", ["name a file that kms apply wrote: --from FILE"])
