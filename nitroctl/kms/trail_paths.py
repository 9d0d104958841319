"""The files below a directory of logs, as they are copied from S3: every one of them, in the order of their names."""

import os
from collections.abc import Iterator
from pathlib import Path

from nitroctl import safefile
from nitroctl.errors import CannotAnswer, NitroctlError


def below(argument: str) -> Iterator[str | NitroctlError]:
    """Yield the file that an argument names, or those below a directory, depth first, by name."""
    if not _is_directory(argument):
        yield argument
        return
    waiting, found = [argument], False
    while waiting:
        path = waiting.pop()
        if path != argument and not _is_directory(path):
            found = True
            yield path
        elif path != argument and Path(path).is_symlink():
            found = True
            yield CannotAnswer(
                f"{path}: a symbolic link to a directory, not followed",
                "file.not-regular",
                ["name the directory itself as well"],
            )
        else:
            try:
                names = sorted(os.listdir(path), reverse=True)  # noqa: PTH208  (names, as they are)
            except OSError as error:
                found = True
                yield safefile.cannot_read(path, error)
            else:
                waiting.extend(os.path.join(path, name) for name in names)  # noqa: PTH118  (a Path would mend them)
    if not found:
        yield CannotAnswer(f"{argument}: there is no file in the directory", "kms.trail-unreadable", ["check the path"])


def _is_directory(path: str) -> bool:
    try:
        return path != safefile.STDIN and os.path.isdir(path)  # noqa: PTH112  (a name may hold anything)
    except ValueError:
        return False
