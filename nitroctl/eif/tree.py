"""What goes into the application's ramdisk: one tree of files, whatever it was read from.

:func:`open_source` reads an OCI image layout, an archive of ``docker save``, a root file system in a directory or in a
tar archive, and gives the same :class:`Tree` for the same input on every machine: nodes in one order, owners, modes and
times by stated rules, hard links resolved. Nothing is ever extracted into a file system: contents lie in one unnamed
temporary file and are referred to by their offset, so no link can be followed and no right is needed.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Final, Literal, Protocol, Self

#: Later times are set to this one (2017-04-18T16:30:00Z, as nitro-cli dates the files it adds itself).
EPOCH: Final = 1492533000
#: The largest piece that :meth:`Content.chunks` yields.
CHUNK: Final = 1 << 20

Kind = Literal["auto", "oci", "docker", "directory", "tar"]


class Content(Protocol):
    """What is in a regular file; can be read again and again while the tree is open."""

    @property
    def size(self) -> int:
        """How many bytes :meth:`chunks` yields altogether."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in pieces of at most 1 MiB. Raises CannotAnswer when it can no longer be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One name in the tree.

    ``name``: path without a leading slash, never empty, no ``.`` or ``..`` in it; ``mode``: type and permission bits as
    in stat(2); ``mtime``: seconds since 1970. ``content``: of a regular file that is no further name of another one.
    ``target``: where a symbolic link points. ``rdev``: major and minor of a device. ``hard_link``: the name of the
    regular file that this is another name of, and which comes before it; mode, owner and time are equal.
    """

    name: bytes
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = EPOCH
    content: Content | None = None
    target: bytes = b""
    rdev: tuple[int, int] = (0, 0)
    hard_link: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What an image says about how it is started, and what it is called.

    ``entrypoint`` and ``cmd`` are None where the image has none, which is not the same as an empty list.
    ``id``: digest of the configuration, what docker shows as the image's id; ``manifest``: digest of the manifest, ""
    in archives without one. ``names``: tags the source gives the image; they pin nothing.
    ``platform``: ``linux/amd64``, ``linux/arm64/v8``. ``created``: as written, unchecked.
    """

    id: str
    manifest: str = ""
    names: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str = ""
    layers: tuple[str, ...] = ()

    @property
    def platform(self) -> str:
        """Operating system, architecture and variant, as ``--platform`` takes them."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Concern(StrEnum):
    """Why a remark is worth reading."""

    CHANGED = "changed"  # set to a stated value, so that machines agree
    LOST = "lost"  # a ramdisk cannot hold it
    UNPINNED = "unpinned"  # another run may find something else


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing about a source that was not carried over as it stood, or that nothing pins.

    ``id``: dotted lower-case nouns, has an entry in the catalogue. ``detail``: one sentence. ``count``: how many names
    it is about, 0 when it is about the whole; ``examples``: a few of them.
    """

    id: str
    concern: Concern
    detail: str
    count: int = 0
    examples: tuple[bytes, ...] = ()


def canonical(name: bytes) -> bytes:
    """Return the sort key of a name: byte by byte, a directory directly before what is in it."""
    return name.replace(b"/", b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The files of one source. Owns temporary files: use it in a ``with`` block, and read contents inside it.

    ``nodes``: by name, in :func:`canonical` order; a parent is always there and always a directory. ``root``: the
    attributes of the top directory, whose name is empty. ``config``: None for a directory or a plain tar archive.
    ``kind``: what the source was taken for.
    """

    kind: Kind
    root: Node
    nodes: Mapping[bytes, Node]
    config: ImageConfig | None = None
    remarks: tuple[Remark, ...] = ()
    owned: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the temporary files back."""
        self.owned.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a source may make us keep: against archives that unpack to more than anybody has.

    ``entries``: names in all layers together; ``size``: unpacked bytes of all layers together, holes included;
    ``names``: bytes of all full names of the result.
    """

    entries: int = 500_000
    size: int = 16 << 30
    names: int = 256 << 20


def open_source(  # noqa: PLR0913  (what a build of an image can ask of its files)
    path: str,
    *,
    kind: Kind = "auto",
    platform: str | None = None,
    reference: str | None = None,
    epoch: int = EPOCH,
    exact: bool = False,
    scratch: str | None = None,
    limits: Limits | None = None,
) -> Tree:
    """Return the files and the configuration of ``path``, every digest checked.

    ``platform`` (``linux/arm64``) and ``reference`` (a tag, or a manifest's digest) choose where a source holds several
    images; a platform that the only image is not for is refused. Times after ``epoch`` become ``epoch``; those of a
    directory all do, its owners become 0:0 and its modes 0755 or 0644, unless ``exact``. Contents are kept in an
    unnamed file in the directory ``scratch`` (default: the system's for temporary files). Raises CannotAnswer
    ``eif.source-*`` or ``file.*``.
    """
    from nitroctl.eif.source import Source  # noqa: PLC0415  (the readers build on the values above)

    return Source(
        path=path,
        kind=kind,
        platform=platform,
        reference=reference,
        epoch=epoch,
        exact=exact,
        scratch=scratch,
        limits=limits or Limits(),
    ).read()
