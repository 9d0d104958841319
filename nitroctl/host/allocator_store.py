"""The allocator's file on disk: read with a bound, replaced under a lock, the old one kept beside it."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitroctl import safefile
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.host.allocator import LIMIT

if TYPE_CHECKING:
    from datetime import datetime

#: Backups kept beside the file, the newest; older ones of ours are removed.
BACKUPS_KEPT: Final = 5
_LOCK: Final = "nitroctl-allocator.lock"


def read(path: str) -> bytes:
    """Return the file's bytes. Raises CannotAnswer ``file.*``, UsageError ``usage.invalid`` for standard input."""
    if path == safefile.STDIN:
        raise UsageError("the allocator's file is a file, not standard input", "usage.invalid", ["name it with --file"])
    return safefile.read_bytes(path, limit=LIMIT)


def require_writable(path: str) -> None:
    """Raise CannotAnswer ``file.unwritable`` when this user may not replace ``path``: before anybody is asked."""
    directory = os.path.dirname(os.path.realpath(path))  # noqa: PTH120  (pathlib has no realpath of a link's target)
    if not os.access(directory, os.W_OK | os.X_OK):
        error = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        raise safefile.cannot_write(path, error) from error


def write(path: str, old: bytes, new: bytes, *, lock_dir: str, at: "datetime") -> str:
    """Make ``new`` the content of ``path``, whole or not at all, and return the path of the backup of ``old``.

    Owner, mode, extended attributes and a symbolic link survive; the backup stands beside the real file. ``at``: now,
    for the backup's name. Raises CannotAnswer ``allocator.changed`` when the file is no longer ``old``, ``file.locked``
    when another nitroctl edits it, ``file.unwritable``.
    """
    with safefile.locked(str(Path(lock_dir) / _LOCK), what=path, wait=False):
        if read(path) != old:
            raise CannotAnswer(
                f"{path}: changed by somebody else meanwhile; nothing written",
                "allocator.changed",
                ["look at it with nitroctl allocator show, then run the command again"],
            )
        real = Path(os.path.realpath(path))
        backup = _backup(real, old, at)
        try:
            safefile.replace(path, new)
        except CannotAnswer:
            with contextlib.suppress(OSError):
                backup.unlink()
            raise
        _prune(real)
    return str(backup)


def _backup(real: Path, old: bytes, at: "datetime") -> Path:
    """Write ``old`` beside the file under a name not yet taken, for its owner to read."""
    from datetime import UTC  # noqa: PLC0415  (start-up: only writing needs it)

    stem = f"{real.name}.bak-{at.astimezone(UTC).strftime('%Y%m%dT%H%M%SZ')}"
    last = max((_age(backup) for backup in _backups(real) if backup.name.startswith(stem)), default=("", 0))[1]
    backup = real.with_name(f"{stem}-{last + 1}" if last else stem)
    if os.path.lexists(backup):
        raise CannotAnswer(f"{backup}: in the way of the backup", "file.unwritable", ["remove it"])
    safefile.replace(str(backup), old, mode=stat.S_IMODE(real.stat().st_mode))
    return backup


def _prune(real: Path) -> None:
    """Remove the oldest backups beyond BACKUPS_KEPT; a failure leaves one too many, which harms nothing."""
    for backup in sorted(_backups(real), key=_age)[:-BACKUPS_KEPT]:
        with contextlib.suppress(OSError):
            backup.unlink()


def _backups(real: Path) -> Iterator[Path]:
    form = re.compile(re.escape(real.name) + r"\.bak-[0-9]{8}T[0-9]{6}Z(-[0-9]{1,9})?")
    for entry in real.parent.iterdir():
        if form.fullmatch(entry.name) and entry.is_file() and not entry.is_symlink():
            yield entry


def _age(backup: Path) -> tuple[str, int]:
    stamp, _, number = backup.name.rpartition("Z")
    return stamp, int(number.removeprefix("-") or 1)
