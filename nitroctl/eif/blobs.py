"""The parts of an image by their names: files of a directory, or members of an archive that is not unpacked.

And what reads one to its end with its digest and size checked. Source: OCI image specification, "Content Descriptors".
"""

import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from nitroctl.eif import tar
from nitroctl.eif.compression import compression, unpacked
from nitroctl.eif.layers import Budget, FileSystem
from nitroctl.eif.tree import CHUNK
from nitroctl.errors import CannotAnswer
from nitroctl.safefile import cannot_read, cannot_write, open_regular

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]  # 3.12

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
#: The longest JSON blob that is read; registries take manifests of at most 4 MiB.
MAX_JSON: Final = 8 << 20
#: Errors that damage does not cause, and after which reading on would be what they forbid.
_NOT_OF_DAMAGE: Final = frozenset({"eif.source-limit", "eif.source-zstd", "file.unreadable", "file.unwritable"})
_MAX_LINKS: Final = 8
_READ: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Digest:
    """``algorithm:hex`` as OCI writes it; sha256 or sha512."""

    text: str

    @property
    def algorithm(self) -> str:
        """``sha256`` or ``sha512``."""
        return self.text.partition(":")[0]

    @property
    def path(self) -> str:
        """Where the blob lies in a layout."""
        return "blobs/" + self.text.replace(":", "/", 1)


def digest(text: str, *, where: str) -> Digest:
    """Return ``text`` as a digest. Raises CannotAnswer ``eif.source-format``."""
    if not _DIGEST.fullmatch(text):
        raise CannotAnswer(f"{where}: {text[:200]!r} is no sha256 or sha512 digest", "eif.source-format")
    return Digest(text)


class Blobs(Protocol):
    """Named parts. ``where`` is how errors name the whole."""

    where: str

    def has(self, name: str) -> bool:
        """Say whether there is a part called ``name``."""

    def open(self, name: str) -> AbstractContextManager[io.RawIOBase | IO[bytes]]:
        """Open a part. Raises CannotAnswer ``file.*`` or ``eif.source-format``."""


class Directory:
    """A layout in a directory. Links are followed, as other readers do: every part has a digest, which is checked."""

    def __init__(self, path: str) -> None:
        self.where = path

    def has(self, name: str) -> bool:
        """Say whether there is a part called ``name``."""
        return os.path.lexists(self._path(name))

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a part. Raises CannotAnswer ``file.*`` or ``eif.source-format``."""
        return open_regular(self._path(name))

    def _path(self, name: str) -> str:
        if ".." in name.split("/") or name.startswith("/") or "\0" in name:
            raise CannotAnswer(f"{self.where}: {name[:200]!r} is no name of a part", "eif.source-format")
        return os.path.join(self.where, name)  # noqa: PTH118  (the path as the user wrote it, for errors)


class Packed:
    """An archive of parts: where each lies. ``stream`` is a file, uncompressed."""

    def __init__(self, stream: IO[bytes], *, where: str, budget: Budget) -> None:
        self.where = where
        self._stream = stream
        self._parts: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        archive = tar.Archive(io.BufferedReader(Slice(stream, where=where), _READ), where=where)
        for member in archive:
            budget.entry()
            name = _plain(member.name)
            if member.kind == tar.DIRECTORY:
                continue
            if name in self._parts or name in self._links:
                raise CannotAnswer(f"{where}: two members are called {name!r}", "eif.source-format")
            if member.kind == tar.REGULAR and member.segments is None:
                self._parts[name] = (archive.offset, member.size)
            elif member.kind == tar.SYMLINK:
                self._links[name] = _plain(os.path.dirname(member.name) + b"/" + member.link)  # noqa: PTH120
            elif member.kind == tar.LINK:
                self._links[name] = _plain(member.link)

    def has(self, name: str) -> bool:
        """Say whether there is a part called ``name``."""
        return self._resolved(name) in self._parts

    def _resolved(self, name: str) -> str:
        """Follow the links by which docker stores one layer under two names."""
        name = _plain(name.encode("utf-8", "surrogateescape"))
        for _ in range(_MAX_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return name

    @contextmanager
    def open(self, name: str) -> Iterator[io.RawIOBase]:
        """Open a part. Raises CannotAnswer ``eif.source-format``."""
        try:
            start, size = self._parts[self._resolved(name)]
        except KeyError as error:
            raise CannotAnswer(f"{self.where}: {name!r} is missing from the archive", "eif.source-format") from error
        yield Slice(self._stream, start, size, where=self.where)


def _plain(name: bytes) -> str:
    """Return a member's name without ``.`` and ``..``, which may not lead further up than the top."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts).decode("utf-8", "surrogateescape")


class Slice(io.RawIOBase):
    """A part of a file, read by position so that many can be open at once."""

    def __init__(self, stream: IO[bytes], start: int = 0, size: int | None = None, *, where: str) -> None:
        self._descriptor, self._start, self._where = stream.fileno(), start, where
        self._at, self._size = 0, os.fstat(self._descriptor).st_size if size is None else size

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def seekable(self) -> bool:
        """Say that this can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in this part."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence, self._size))
        return self._at

    def readinto(self, buffer: "Buffer") -> int:
        """Fill ``buffer`` as far as one read goes. Raises CannotAnswer ``file.unreadable``."""
        view = memoryview(buffer).cast("B")
        try:
            count = os.preadv(
                self._descriptor, [view[: max(0, min(len(view), self._size - self._at))]], self._start + self._at
            )
        except OSError as error:
            raise cannot_read(self._where, error) from error
        self._at += count
        return count


class Tap(io.RawIOBase):
    """A stream that is counted, in ``budget`` too, and hashed as it is read."""

    def __init__(
        self,
        stream: "io.RawIOBase | IO[bytes] | io.BufferedReader[Any]",
        algorithms: Iterable[str],
        *,
        budget: Budget | None = None,
    ) -> None:
        self._stream = stream
        self._hashes = {name: hashlib.new(name) for name in algorithms}
        self._budget = budget
        self.count = 0

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: "Buffer") -> int:
        """Fill ``buffer`` as far as one read goes."""
        view = memoryview(buffer).cast("B")
        count = self._stream.readinto(view) or 0  # type: ignore[union-attr]  # every binary stream has it
        for found in self._hashes.values():
            found.update(view[:count])
        self.count += count
        if self._budget is not None:
            self._budget.bytes(count)
        return count

    def has(self, expected: Digest) -> bool:
        """Say whether what was read has the digest ``expected``."""
        return self._hashes[expected.algorithm].hexdigest() == expected.text.partition(":")[2]

    def drain(self) -> None:
        """Read to the end."""
        buffer = bytearray(_READ)
        while self.readinto(buffer):
            pass


def mismatch(where: str, expected: Digest) -> CannotAnswer:
    """Return the error for content that is not what was promised."""
    return CannotAnswer(
        f"{where}: the content does not have the digest {expected.text}",
        "eif.source-digest",
        ["the source is damaged or was changed; save or pull the image again"],
    )


def json_blob(blobs: Blobs, name: str, *, expected: Digest | None = None, size: int | None = None) -> bytes:
    """Return a JSON part whole, of the digest and size that were promised.

    Raises CannotAnswer ``eif.source-digest``, ``eif.source-format``, ``file.*``.
    """
    where = f"{blobs.where}: {name}"
    with blobs.open(name) as stream:
        tap = Tap(stream, [expected.algorithm] if expected else [])
        raw = io.BufferedReader(tap).read(MAX_JSON + 1)
    if len(raw) > MAX_JSON:
        raise CannotAnswer(f"{where}: larger than {MAX_JSON} bytes, the most that is read", "eif.source-limit")
    if expected is not None and not tap.has(expected):
        raise mismatch(where, expected)
    if size is not None and len(raw) != size:
        raise _wrong_size(where, len(raw), size)
    return raw


def _wrong_size(where: str, found: int, size: int) -> CannotAnswer:
    return CannotAnswer(f"{where}: has {found} bytes, but its descriptor says {size}", "eif.source-digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer, the part ``name``. ``diff``: digest when unpacked; ``blob``, ``size``: of the part itself."""

    name: str
    diff: Digest
    blob: Digest | None = None
    size: int | None = None


def apply_layer(files: FileSystem, blobs: Blobs, layer: Layer, budget: Budget) -> None:
    """Put ``layer`` over ``files``, both digests checked when it has been read to the end.

    A damaged blob is told as that, not as the fault of the archive in it that comes of the damage. Raises CannotAnswer
    ``eif.source-digest`` or whatever is wrong with the archive.
    """
    where = f"{blobs.where}: {layer.name}"
    algorithms = {layer.diff.algorithm, layer.blob.algorithm if layer.blob else layer.diff.algorithm}
    with blobs.open(layer.name) as stream:
        packed = Tap(stream, algorithms)
        buffered = io.BufferedReader(packed, _READ)
        is_packed = bool(compression(buffered.peek(8)[:8]))
        try:
            content = Tap(unpacked(buffered, where=where), [layer.diff.algorithm] if is_packed else [], budget=budget)
            files.apply(io.BufferedReader(content, CHUNK), where=where)
            content.drain()
        except CannotAnswer as error:
            if error.code not in _NOT_OF_DAMAGE:
                _check_blob(layer, packed, where, is_packed=is_packed)
            raise
        _check_blob(layer, packed, where, is_packed=is_packed)
    if is_packed and not content.has(layer.diff):
        raise mismatch(f"{where}, unpacked", layer.diff)


def _check_blob(layer: Layer, packed: Tap, where: str, *, is_packed: bool) -> None:
    """Read to the end and check the size and whatever digests are of the part as it is stored."""
    packed.drain()
    if layer.size is not None and packed.count != layer.size:
        raise _wrong_size(where, packed.count, layer.size)
    if layer.blob is not None and not packed.has(layer.blob):
        raise mismatch(where, layer.blob)
    if not is_packed and not packed.has(layer.diff):
        raise mismatch(f"{where}, unpacked", layer.diff)


def opened_archive(path: str, owned: ExitStack, budget: Budget, scratch: str | None) -> IO[bytes]:
    """Return the archive ``path`` as an uncompressed file: itself, or unpacked into an unnamed one.

    Raises CannotAnswer ``file.*``, ``eif.source-compression``, ``eif.source-limit``.
    """
    stream = owned.enter_context(open_regular(path))
    reader = io.BufferedReader(Slice(stream, where=path), _READ)
    if not compression(reader.peek(8)[:8]):
        return stream
    where = scratch or tempfile.gettempdir()
    try:
        made: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115  (closed with the tree)
        owned.callback(made.close)
        content = unpacked(reader, where=path)
        while piece := content.read(CHUNK):
            budget.bytes(len(piece))
            made.write(piece)
        made.flush()
    except OSError as error:
        raise cannot_write(where, error) from error
    return made
