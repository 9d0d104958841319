"""What goes into the ramdisks: nitro-cli's two, which the init of AWS expects, from a tree of files.

The first ramdisk holds ``dev``, ``init`` and the driver ``nsm.ko``. The second holds the files under ``rootfs/`` and
beside them ``cmd`` and ``env``, one item a line. init starts what ``cmd`` says in ``rootfs``, as root and from ``/``,
after it has mounted ``dev``, ``proc``, ``run``, ``tmp`` and ``sys`` there; it stops when one of these is missing.

What nitro-cli (its linuxkit) does to an image's files is decided here path by path, and each change is remarked:

- ``.dockerenv``, ``etc/hostname``, ``dev/console`` and what is in ``dev/pts`` and ``dev/shm`` are left out: a container
  engine leaves them behind, or puts its own over them.
- ``etc/hosts`` becomes one that knows localhost, and ``etc/resolv.conf`` a link to ``/run/resolvconf/resolv.conf``: an
  enclave has no network, a container engine would put its own over both, and a root file system has the builder's.
- ``etc/mtab`` is made a link to ``/proc/mounts`` where it is missing.
- ``dev``, ``dev/pts``, ``dev/shm``, ``proc``, ``run``, ``sys``, ``tmp`` and ``var`` are made where they are missing;
  one that is there keeps its mode (nitro-cli sets all to 0755; init mounts over all but ``var``).
- ``Dockerfile`` in the top directory, which nitro-cli leaves out, is left in: it is part of the image.

Source: aws-nitro-enclaves-sdk-bootstrap, init.c; linuxkit, moby/image.go; facts about both in the user guide are few.
"""

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from nitroctl.eif import tree
from nitroctl.eif.ramdisk import Bytes
from nitroctl.eif.tree import Concern, Content, ImageConfig, Node, Remark, Tree
from nitroctl.errors import CannotAnswer, UsageError

#: init looks commands up along this, whatever PATH the environment has.
SEARCH: Final = (b"sbin", b"usr/sbin", b"bin", b"usr/bin")
_PREFIX: Final = b"rootfs"
_LEFT_OUT: Final = (b".dockerenv", b"dev/console", b"etc/hostname")
_EMPTIED: Final = (b"dev/pts", b"dev/shm")
#: init mounts over these, and stops when one is missing; var is what nitro-cli adds.
MOUNT_POINTS: Final = (b"dev", b"proc", b"run", b"sys", b"tmp", b"var")
_HOSTS: Final = b"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
_RESOLVER: Final = b"/run/resolvconf/resolv.conf"
_EXAMPLES: Final = 5
_MAX_LINKS: Final = 40


@dataclass(frozen=True, slots=True)
class Command:
    """What the enclave runs, in words, and its environment as NAME=VALUE; what was decided on the way is remarked."""

    words: tuple[str, ...]
    environment: tuple[str, ...]
    remarks: tuple[Remark, ...] = ()


def command(
    config: ImageConfig | None,
    *,
    cmd: Sequence[str] | None = None,
    entrypoint: Sequence[str] | None = None,
    env: Sequence[str] = (),
    join: bool = False,
) -> Command:
    """Return what runs: CMD when there is one, else ENTRYPOINT, as nitro-cli has it; with ``join`` both, as Docker.

    ``cmd`` and ``entrypoint`` take the place of the image's; as in Docker, a given ``entrypoint`` sets the image's CMD
    aside. ``env``: NAME=VALUE, each in the place of the image's of that name or after all of them. Raises UsageError
    ``usage.invalid``, and CannotAnswer ``eif.no-command`` or ``eif.not-buildable`` (init reads lines, so no item can
    hold a line feed).
    """
    image = config or ImageConfig(id="")
    if cmd is not None and entrypoint is not None and not join:
        raise UsageError(
            "--cmd and --entrypoint: only one of them would run",
            "usage.invalid",
            ["add --join-entrypoint to run both as one command, as Docker does"],
        )
    first = tuple(entrypoint if entrypoint is not None else image.entrypoint or ())
    then = tuple(cmd if cmd is not None else (image.cmd or ()) if entrypoint is None else ())
    words = first + then if join else then or first
    if not words:
        raise CannotAnswer(
            "nothing says what the enclave is to run: no CMD and no ENTRYPOINT",
            "eif.no-command",
            ['add --cmd \'["/app", "--option"]\''],
        )
    remarks = []
    if first and then and not join:
        remarks.append(
            Remark(
                id="build.entrypoint",
                concern=Concern.LOST,
                detail=f"ENTRYPOINT is not run ({' '.join(first)}): nitro-cli runs CMD alone when an image has both; "
                "--join-entrypoint runs them as one command, as Docker does",
            )
        )
    if image.working_dir not in ("", "/"):
        detail = f"WORKDIR {image.working_dir} is not entered: init starts the command in /"
        remarks.append(Remark(id="build.working-directory", concern=Concern.LOST, detail=detail))
    if image.user not in ("", "0", "root", "0:0", "root:root"):
        detail = f"USER {image.user} is not taken on: init starts the command as root"
        remarks.append(Remark(id="build.user", concern=Concern.LOST, detail=detail))
    environment = _environment(image.env, env)
    for item in (*words, *environment):
        if "\n" in item or "\0" in item or not _is_text(item):
            raise CannotAnswer(
                f"a command or variable with a line feed, a NUL or half a character in it: {item!r}",
                "eif.not-buildable",
                ["set it in a script in the image"],
            )
    return Command(words, environment, tuple(remarks))


def _is_text(item: str) -> bool:
    """Whether the item can be written: as UTF-8, or as the bytes that were given to the program."""
    try:
        item.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _environment(image: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    wanted: dict[str, str] = {}
    for item in given:
        name, sign, _ = item.partition("=")
        if not name or not sign:
            raise UsageError(f"--env {item!r}: not a variable", "usage.invalid", ["write --env NAME=VALUE"])
        wanted[name] = item
    kept = [wanted.pop(name, item) for item, name in ((item, item.partition("=")[0]) for item in image)]
    return (*kept, *wanted.values())


def boot(init: Content, nsm: Content | None, *, epoch: int) -> list[Node]:
    """Return the entries of the first ramdisk."""
    nodes = [_directory(b"dev", epoch), _file(b"init", init, epoch, permissions=0o755)]
    if nsm is not None:
        nodes.append(_file(b"nsm.ko", nsm, epoch, permissions=0o755))
    return nodes


@dataclass(frozen=True, slots=True)
class Application:
    """The entries of the second ramdisk, and what became of the tree's files on the way."""

    nodes: Sequence[Node]
    remarks: tuple[Remark, ...]


def application(source: Tree, start: Command, *, epoch: int, as_is: bool = False) -> Application:
    """Return the second ramdisk for the files of ``source`` and the command ``start``.

    ``as_is``: leave out and replace nothing, only make the missing mount points. Raises CannotAnswer
    ``eif.not-buildable`` for a mount point that is no directory.
    """
    changes = _Changes(dict(source.nodes), epoch)
    if not as_is:
        changes.leave_out()
        changes.replace_settings()
    changes.make_mount_points(as_is=as_is)
    nodes = [replace(source.root, name=_PREFIX, mode=stat.S_IFDIR | stat.S_IMODE(source.root.mode))]
    for name, node in changes.nodes.items():
        link = _under(node.hard_link) if node.hard_link else b""
        nodes.append(replace(node, name=_under(name), hard_link=link))
    for name, items in ((b"cmd", start.words), (b"env", start.environment)):
        text = "".join(f"{item}\n" for item in items).encode("utf-8", "surrogateescape")
        nodes.append(_file(name, Bytes(text), epoch))
    return Application(nodes, tuple(changes.remarks))


def _under(name: bytes) -> bytes:
    return _PREFIX + b"/" + name


class _Changes:
    """The tree's files as they are being changed, and the remarks about it."""

    def __init__(self, nodes: dict[bytes, Node], epoch: int) -> None:
        self.nodes = nodes
        self.remarks: list[Remark] = []
        self._epoch = epoch

    def leave_out(self) -> None:
        """Drop what a container engine leaves behind."""
        emptied = tuple(name + b"/" for name in _EMPTIED)
        gone = [name for name in self.nodes if name.startswith(emptied)]
        gone += [name for name in _LEFT_OUT if name in self.nodes and not self._is_directory(name)]
        gone += [name for name in _EMPTIED if name in self.nodes and not self._is_directory(name)]
        self._drop(gone)
        if gone:
            self._remark("build.left-out", "left out, as nitro-cli does: what a container engine leaves behind", gone)

    def _drop(self, gone: Sequence[bytes]) -> None:
        """Remove names; a file that has another name stays, under that one."""
        holders = {name: self.nodes.pop(name) for name in gone}
        heirs: dict[bytes, bytes] = {}
        for name, node in self.nodes.items():
            if node.hard_link in holders:
                heir = heirs.setdefault(node.hard_link, name)
                content = holders[node.hard_link].content if heir == name else None
                self.nodes[name] = replace(node, hard_link=b"" if heir == name else heir, content=content)

    def replace_settings(self) -> None:
        """Make hosts and resolv.conf what nitro-cli makes them, and mtab where it is missing."""
        if b"etc" in self.nodes and not self._is_directory(b"etc"):
            return
        hosts, resolver = b"etc/hosts", b"etc/resolv.conf"
        wanted = {
            hosts: _file(hosts, Bytes(_HOSTS), self._epoch),
            resolver: _symlink(resolver, _RESOLVER, self._epoch),
        }
        there = [name for name in wanted if name in self.nodes and not self._same(self.nodes[name], wanted[name])]
        directories = [name for name in there if self._is_directory(name)]
        if directories:
            raise _no_place(directories[0], "a directory")
        self._drop(there)
        if there:
            self._remark("build.replaced", "replaced, as nitro-cli does: an enclave has no network", there)
        missing = [] if b"etc" in self.nodes else [_directory(b"etc", self._epoch)]
        missing += [node for name, node in wanted.items() if name not in self.nodes and name not in there]
        if b"etc/mtab" not in self.nodes:
            missing.append(_symlink(b"etc/mtab", b"/proc/mounts", self._epoch))
        for node in (*missing, *wanted.values()):
            self.nodes[node.name] = node
        if missing:
            self._remark("build.added", "added, as nitro-cli does", [node.name for node in missing])

    def make_mount_points(self, *, as_is: bool) -> None:
        """Make the directories that init mounts over."""
        wanted = MOUNT_POINTS if as_is else (*MOUNT_POINTS, *_EMPTIED)
        missing = []
        for name in wanted:
            if name not in self.nodes:
                parent = name.rpartition(b"/")[0]
                if parent and not self._is_directory(parent):  # dev is a link: what it leads to is not ours to fill
                    continue
                self.nodes[name] = _directory(name, self._epoch)
                missing.append(name)
            elif not self._leads_to_directory(name):
                raise _no_place(name, "not a directory, and init mounts over it")
        if missing:
            self._remark("build.mount-points", "made: init needs them to be there", missing)

    def _is_directory(self, name: bytes) -> bool:
        return stat.S_ISDIR(self.nodes[name].mode)

    def _leads_to_directory(self, name: bytes) -> bool:
        found = lookup(self.nodes, name)
        return found is not None and (found == b"" or self._is_directory(found))

    @staticmethod
    def _same(one: Node, other: Node) -> bool:
        return bool(other.target) and (one.mode, one.target) == (other.mode, other.target)

    def _remark(self, remark_id: str, detail: str, names: Sequence[bytes]) -> None:
        names = sorted(names, key=tree.canonical)
        self.remarks.append(
            Remark(
                id=remark_id,
                concern=Concern.CHANGED,
                detail=detail,
                count=len(names),
                examples=tuple(names[:_EXAMPLES]),
            )
        )


def lookup(nodes: Mapping[bytes, Node], path: bytes) -> bytes | None:
    """Return the name that ``path`` leads to when ``nodes`` are the whole file system; None when it leads nowhere.

    Symbolic links are followed, absolute ones from the top, as after chroot. The top directory is ``b""``.
    """
    at: list[bytes] = []
    todo = path.split(b"/")[::-1]
    links = 0
    while todo:
        part = todo.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            del at[-1:]
            continue
        at.append(part)
        node = nodes.get(b"/".join(at))
        if node is None:
            return None
        if stat.S_ISLNK(node.mode):
            links += 1
            if links > _MAX_LINKS:
                return None
            at = [] if node.target.startswith(b"/") else at[:-1]
            todo += node.target.split(b"/")[::-1]
        elif todo and not stat.S_ISDIR(node.mode):
            return None
    return b"/".join(at)


def find_program(source: Tree, word: str) -> bytes | None:
    """Return the file that init will run for the first ``word`` of a command, None when there is none.

    A word with a slash is a path from ``/``; another one is looked up along :data:`SEARCH`.
    """
    name = word.encode("utf-8", "surrogateescape")
    places = [name] if b"/" in name else [place + b"/" + name for place in SEARCH]
    for place in places:
        found = lookup(source.nodes, place)
        if found and stat.S_ISREG(source.nodes[found].mode) and source.nodes[found].mode & 0o111:
            return found
    return None


def _no_place(name: bytes, why: str) -> CannotAnswer:
    shown = name.decode("utf-8", "backslashreplace")
    return CannotAnswer(f"the root file system cannot be used: {shown} is {why}", "eif.not-buildable")


def _directory(name: bytes, epoch: int) -> Node:
    return Node(name=name, mode=stat.S_IFDIR | 0o755, mtime=epoch)


def _file(name: bytes, content: Content, epoch: int, *, permissions: int = 0o644) -> Node:
    return Node(name=name, mode=stat.S_IFREG | permissions, mtime=epoch, content=content)


def _symlink(name: bytes, target: bytes, epoch: int) -> Node:
    return Node(name=name, mode=stat.S_IFLNK | 0o777, mtime=epoch, target=target)
