"""What is said about a source beside its files: what was changed, what was lost, what nothing pins."""

from collections.abc import Mapping
from typing import Final

from nitroctl.eif.tree import Concern, Remark
from nitroctl.instants import rfc3339_of

_EXAMPLES: Final = 5

#: id -> why it is worth reading, and what is so; ``{}`` is filled in by whoever tells it.
_KNOWN: Final[Mapping[str, tuple[Concern, str]]] = {
    "source.times-clamped": (Concern.CHANGED, "modification times before 1970 or after {} were set to the nearer end"),
    "source.times-set": (Concern.CHANGED, "modification times were set to {}: a directory's are those of its copy"),
    "source.owners-set": (Concern.CHANGED, "owners were set to 0:0: a directory's are those of its copy"),
    "source.modes-set": (Concern.CHANGED, "modes were set to 0755 (directories, executable files) or 0644"),
    "source.special-bits": (Concern.CHANGED, "set-user-id, set-group-id and sticky bits were dropped"),
    "source.links-split": (Concern.CHANGED, "hard links became files of their own: copies of a directory lose them"),
    "source.link-attributes": (
        Concern.CHANGED,
        "hard links say another mode or owner than the file has: theirs counts for all its names, as with Docker",
    ),
    "source.parents-made": (
        Concern.CHANGED,
        "directories that no entry describes were made, with mode 0755 and owner 0:0",
    ),
    "source.capabilities": (Concern.LOST, "file capabilities: a ramdisk has no place for them"),
    "source.xattrs": (Concern.LOST, "extended attributes or access lists: a ramdisk has no place for them"),
    "source.sockets": (Concern.LOST, "sockets were left out: they are made by the program that listens"),
    "source.housekeeping": (Concern.LOST, "entries by which a storage driver kept its own books were left out"),
    "source.whiteout-names": (Concern.UNPINNED, "names that would hide others, were this archive a layer of an image"),
    "source.tag": (Concern.UNPINNED, "the image was chosen by the tag {}, which can be given to another one"),
    "source.platform-label": (
        Concern.UNPINNED,
        "the index says the image is for {}, which its configuration contradicts",
    ),
}


class Remarks:
    """Collects remarks; says the same for the same names, whatever order they come in."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int, list[bytes]]] = {}

    def about(self, code: str, name: bytes | None = None, *, value: str = "") -> None:
        """Note that ``code`` is so of ``name``, or of the whole."""
        text, count, names = self._found.get(code, (value, 0, []))
        if name is not None:
            count += 1
            if len(names) < _EXAMPLES:
                names.append(name)
        self._found[code] = (text, count, names)

    def clamped(self, mtime: int, epoch: int, name: bytes) -> int:
        """Return the nearest time that is allowed, and note where that is another one."""
        nearest = min(max(mtime, 0), epoch)
        if nearest != mtime:
            self.about("source.times-clamped", name, value=rfc3339_of(epoch))
        return nearest

    def all(self) -> tuple[Remark, ...]:
        """Return the remarks in the order of the list above."""
        return tuple(
            Remark(id=code, concern=concern, detail=sentence.replace("{}", text), count=count, examples=tuple(names))
            for code, (concern, sentence) in _KNOWN.items()
            if code in self._found
            for text, count, names in (self._found[code],)
        )
