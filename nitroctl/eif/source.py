"""From a path to a tree: what the path is, and who reads it."""

import io
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Final

from nitroctl.eif import docker_archive, oci, tar
from nitroctl.eif.blobs import Blobs, Directory, Packed, Slice, apply_layer, json_blob, opened_archive
from nitroctl.eif.directory import Reader
from nitroctl.eif.image import parsed
from nitroctl.eif.layers import Budget, FileSystem
from nitroctl.eif.remarks import Remarks
from nitroctl.eif.spool import Spool, Unmoved
from nitroctl.eif.tree import CHUNK, Kind, Limits, Tree
from nitroctl.errors import CannotAnswer

#: An archive of an image is told by a name among its first members; it never has as many.
_LOOK_AT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is to be read, and how; as :func:`nitroctl.eif.tree.open_source` says."""

    path: str
    kind: Kind
    platform: str | None
    reference: str | None
    epoch: int
    exact: bool
    scratch: str | None
    limits: Limits

    def read(self) -> Tree:
        """Return the tree. Raises CannotAnswer ``eif.source-*``, ``file.*``, ``json.*``."""
        with ExitStack() as owned:
            budget, remarks = Budget(self.limits, self.path), Remarks()
            if os.path.isdir(self.path):  # noqa: PTH112  (as the user wrote it)
                tree = self._of_directory(owned, budget, remarks)
            else:
                tree = self._of_archive(owned, budget, remarks)
            if not tree.nodes:
                tree.close()
                raise self._empty(tree.kind)
            owned.pop_all()
        return tree

    def _empty(self, kind: Kind) -> CannotAnswer:
        what = {"directory": "an empty directory", "tar": "an empty tar archive"}.get(kind, "an image without a file")
        hints = ["a file of zeros is an empty archive too: was it written to its end?"] if kind == "tar" else []
        return CannotAnswer(f"{self.path}: {what}, and an enclave could run nothing of it", "eif.source-empty", hints)

    def _of_directory(self, owned: ExitStack, budget: Budget, remarks: Remarks) -> Tree:
        blobs = Directory(self.path)
        kind = self.kind
        if kind == "auto":
            kind = "oci" if blobs.has(oci.LAYOUT) and blobs.has(oci.INDEX) else "directory"
        if kind == "tar":
            raise CannotAnswer(f"{self.path}: is a directory, not a tar archive", "eif.source-kind")
        if kind != "directory":
            return self._of_image(kind, blobs, owned, budget, remarks)
        reader = Reader(self.path, budget, remarks, epoch=self.epoch, exact=self.exact)
        owned.callback(reader.close)
        nodes = reader.nodes()
        return Tree(kind=kind, root=reader.root(), nodes=nodes, remarks=remarks.all(), owned=owned.pop_all())

    def _of_archive(self, owned: ExitStack, budget: Budget, remarks: Remarks) -> Tree:
        if self.kind == "directory":
            raise CannotAnswer(f"{self.path}: is no directory", "eif.source-kind")
        stream = opened_archive(self.path, owned, Budget(self.limits, self.path), self.scratch)
        kind = self.kind if self.kind != "auto" else self._recognised(stream)
        if kind != "tar":
            return self._of_image(kind, Packed(stream, where=self.path, budget=budget), owned, budget, remarks)
        files = self._files(owned, budget, remarks)
        reader = io.BufferedReader(Slice(stream, where=self.path), CHUNK >> 2)
        files.apply(reader, where=self.path, place=Unmoved(stream, self.path))
        return self._tree(kind, files, owned, remarks)

    def _recognised(self, stream: IO[bytes]) -> Kind:
        """Return what an archive is by the names in it. Raises CannotAnswer ``eif.source-kind``, ``eif.source-tar``."""
        found = set[bytes]()
        reader = io.BufferedReader(Slice(stream, where=self.path), CHUNK >> 2)
        for number, member in enumerate(tar.Archive(reader, where=self.path)):
            name = member.name.removeprefix(b"./")
            if name in (b"oci-layout", b"index.json", b"manifest.json") and member.kind == tar.REGULAR:
                found.add(name)
            if found >= {b"oci-layout", b"index.json"}:
                return "oci"
            if number > _LOOK_AT:
                break
        if b"manifest.json" in found and self._lists_images(stream):
            return "docker"
        return "tar"

    def _lists_images(self, stream: IO[bytes]) -> bool:
        """Say whether manifest.json is docker's, and not just a file of that name in a root file system."""
        blobs = Packed(stream, where=self.path, budget=Budget(self.limits, self.path))
        try:
            found = parsed(json_blob(blobs, docker_archive.MANIFEST), "")
        except CannotAnswer:
            return False
        return isinstance(found, list) and all(isinstance(one, dict) and "Config" in one for one in found)

    def _of_image(self, kind: Kind, blobs: Blobs, owned: ExitStack, budget: Budget, remarks: Remarks) -> Tree:
        choose = oci.choose if kind == "oci" else docker_archive.choose
        image = choose(blobs, platform=self.platform, reference=self.reference, remarks=remarks)
        if kind == "oci" and blobs.has(docker_archive.MANIFEST) and self.platform is self.reference is None:
            docker_archive.check_agrees(blobs, image)
        files = self._files(owned, budget, remarks)
        for layer in image.layers:
            apply_layer(files, blobs, layer, budget)
        tree = self._tree(kind, files, owned, remarks)
        return Tree(
            kind=kind, root=tree.root, nodes=tree.nodes, config=image.config, remarks=tree.remarks, owned=tree.owned
        )

    def _files(self, owned: ExitStack, budget: Budget, remarks: Remarks) -> FileSystem:
        return FileSystem(Spool(owned, self.scratch), budget, remarks, epoch=self.epoch)

    def _tree(self, kind: Kind, files: FileSystem, owned: ExitStack, remarks: Remarks) -> Tree:
        nodes, root = files.nodes(), files.root()
        return Tree(kind=kind, root=root, nodes=nodes, remarks=remarks.all(), owned=owned.pop_all())
