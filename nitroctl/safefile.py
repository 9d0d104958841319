"""Files: read with a bound and a clear error, and replaced whole or not at all.

:func:`replace` writes beside the target, flushes to the disk and renames, so that a reader sees the old bytes or
the new ones; an interrupted or failed write leaves the old file and no left-over. Owner, mode, extended attributes
and symbolic links survive.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from nitroctl.errors import CannotAnswer

STDIN: Final = "-"


def cannot_read(path: str, error: OSError) -> CannotAnswer:
    """Return the error for a file that cannot be opened or read."""
    hints = {
        errno.ENOENT: "check the path",
        errno.EACCES: "check the permissions, or run as the user who may read it",
        errno.EISDIR: "name a file in the directory",
    }
    reason = (error.strerror or type(error).__name__).lower()
    hint = hints.get(error.errno or 0)
    return CannotAnswer(f"{path}: cannot read: {reason}", "file.unreadable", [hint] if hint else [])


def cannot_write(path: str, error: OSError) -> CannotAnswer:
    """Return the error for a file that cannot be written; what was there before is untouched."""
    hints = {
        errno.EACCES: "run it as the file's owner, or with sudo",
        errno.EPERM: "run it as the file's owner, or with sudo",
        errno.ENOSPC: "free some space; the old file is unchanged",
        errno.EROFS: "the file system is read-only; the old file is unchanged",
        errno.ENOENT: "make the directory first",
    }
    reason = (error.strerror or type(error).__name__).lower()
    hint = hints.get(error.errno or 0)
    return CannotAnswer(f"{path}: cannot write: {reason}", "file.unwritable", [hint] if hint else [])


@contextlib.contextmanager
def open_regular(path: str) -> Iterator[IO[bytes]]:
    """Open a regular file for reading in binary; FIFOs, devices, sockets and directories are refused unopened.

    Raises CannotAnswer ``file.unreadable`` or ``file.not-regular``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValueError as error:
        raise CannotAnswer(f"{path}: cannot read: the name has a NUL character", "file.unreadable") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise cannot_read(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
        if not stat.S_ISREG(mode):
            raise CannotAnswer(f"{path}: not a regular file", "file.not-regular", ["copy it to a file first"])
    except CannotAnswer:  # before there is a stream: Python opens none on a directory
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def read_bytes(path: str, *, limit: int) -> bytes:
    """Return the content of a regular file, or of standard input for ``-``, of at most ``limit`` bytes.

    Raises CannotAnswer ``file.unreadable``, ``file.not-regular``, ``file.too-large`` or ``file.stdin-terminal``.
    """
    if path == STDIN:
        return _read_stdin(limit)
    with open_regular(path) as stream:
        try:
            content = stream.read(limit + 1)
        except OSError as error:
            raise cannot_read(path, error) from error
    if len(content) > limit:
        raise _too_large(path, limit)
    return content


def open_stdin() -> IO[bytes]:
    """Return standard input in binary. Raises CannotAnswer ``file.unreadable`` or ``file.stdin-terminal``."""
    if sys.stdin is None or sys.stdin.closed:
        raise CannotAnswer("standard input is closed", "file.unreadable")
    if sys.stdin.isatty():
        raise CannotAnswer(
            "standard input is a terminal", "file.stdin-terminal", ["pipe the file in, or name it in place of -"]
        )
    return sys.stdin.buffer


def _read_stdin(limit: int) -> bytes:
    content = open_stdin().read(limit + 1)
    if len(content) > limit:
        raise _too_large("standard input", limit)
    return content


def _too_large(path: str, limit: int) -> CannotAnswer:
    return CannotAnswer(f"{path}: larger than {limit} bytes, the most this command reads", "file.too-large")


def read_text(path: str, *, limit: int) -> str:
    """Return the content of a file as UTF-8 text. Raises CannotAnswer as :func:`read_bytes`, or ``file.not-utf8``."""
    content = read_bytes(path, limit=limit)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CannotAnswer(f"{path}: not UTF-8 text: byte {error.start}", "file.not-utf8") from error


@contextlib.contextmanager
def replacing(path: str, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Yield a stream whose bytes become ``path`` when the block ends well; on any exception nothing changes.

    An existing file keeps its owner, mode and extended attributes, and a symbolic link stays one (its target is
    replaced). A new file gets ``mode`` less the umask. Raises CannotAnswer ``file.unwritable``.
    """
    import tempfile  # noqa: PLC0415  (start-up: every command reads files, and few write one)

    target = _target(path)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            _inherit(target, temporary, stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, target)  # noqa: PTH105
        _sync_directory(target.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def _target(path: str) -> Path:
    """Return the file that ``path`` leads to. Raises CannotAnswer ``file.unwritable``."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:
        raise CannotAnswer(f"{path}: cannot write: the name has a NUL character", "file.unwritable") from error


def require_replaceable(path: str) -> Path:
    """Return the file that ``path`` leads to, which is a regular one or not there.

    A device, FIFO or socket would be gone after the rename, and root may do that to ``/dev/null``. Raises CannotAnswer
    ``file.unwritable`` or ``file.not-regular``.
    """
    target = _target(path)
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    except OSError as error:
        raise cannot_write(path, error) from error
    if stat.S_ISDIR(mode):
        raise CannotAnswer(f"{path}: is a directory", "file.unwritable", ["name a file in it"])
    if not stat.S_ISREG(mode):
        raise CannotAnswer(f"{path}: not a regular file", "file.not-regular", ["name a file to make"])
    return target


def _inherit(target: Path, temporary: str, descriptor: int, mode: int) -> None:
    """Give the new file the old one's owner, mode and attributes, or ``mode`` less the umask when there is none."""
    try:
        old = target.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(descriptor, mode & ~umask)
        return
    if not stat.S_ISREG(old.st_mode):
        raise CannotAnswer(f"{target}: not a regular file", "file.not-regular")
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    shutil.copystat(target, temporary)
    os.utime(temporary)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems cannot; the rename itself is done
        pass
    finally:
        os.close(descriptor)


def replace(path: str, content: bytes, *, mode: int = 0o644) -> None:
    """Make ``content`` the content of ``path``, whole or not at all. See :func:`replacing`."""
    with replacing(path, mode=mode) as stream:
        stream.write(content)


def create_private(path: str, content: bytes) -> None:
    """Make a new file that only its owner may read, whole or not at all; for secrets.

    A file that is there is never written to: its mode, or a link, could show the content to others. Raises CannotAnswer
    ``file.exists`` or ``file.unwritable``.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise CannotAnswer(
            f"{path}: is there already, and a secret is not written into it", "file.exists", ["name a new file"]
        ) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    except ValueError as error:
        raise CannotAnswer(f"{path}: cannot write: the name has a NUL character", "file.unwritable") from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(OSError):  # a directory that cannot be read: the file is there
            _sync_directory(Path(path).parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def put_in_place(finished: str, path: str) -> None:
    """Make the file ``finished``, on the same file system, become ``path``, flushed to the disk before it appears.

    A symbolic link at ``path`` stays one: its target is replaced. Raises as :func:`require_replaceable` does.
    """
    target = require_replaceable(path)
    try:
        descriptor = os.open(finished, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(finished, target)  # noqa: PTH105
        _sync_directory(target.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


@contextlib.contextmanager
def locked(path: str, *, what: str, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive advisory lock on ``path`` for the block: a directory, or a file.

    A file is made if need be and never removed. A lock that is there is opened for reading only: it may be another
    user's, and locking takes no more. ``what`` names the contended thing in the error. Raises CannotAnswer
    ``file.locked`` when ``wait`` is false and somebody else holds it, or ``file.unwritable`` when it cannot be opened.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            descriptor = os.open(path, flags | os.O_CREAT, 0o664)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise CannotAnswer(
                f"{what} is in use by another nitroctl", "file.locked", [f"wait for it to end; the lock is {path}"]
            ) from error
        yield
    finally:
        os.close(descriptor)
