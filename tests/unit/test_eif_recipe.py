"""What goes into the ramdisks: the command, nitro-cli's changes one by one, and what init needs."""

import stat
from collections.abc import Mapping

import pytest

from nitroctl.eif import recipe
from nitroctl.eif.ramdisk import Bytes
from nitroctl.eif.recipe import Command
from nitroctl.eif.tree import ImageConfig, Node, Tree, canonical
from nitroctl.errors import CannotAnswer, UsageError

EPOCH = 1_000_000_000
START = Command(("/app", "-x"), ("A=1",))


def directory(name: bytes, permissions: int = 0o755) -> Node:
    return Node(name=name, mode=stat.S_IFDIR | permissions)


def file(name: bytes, data: bytes = b"", **more: bytes) -> Node:
    content = None if more else Bytes(data)
    return Node(name=name, mode=stat.S_IFREG | 0o644, content=content, hard_link=more.get("hard_link", b""))


def symlink(name: bytes, target: bytes) -> Node:
    return Node(name=name, mode=stat.S_IFLNK | 0o777, target=target)


def tree(*nodes: Node) -> Tree:
    ordered = sorted(nodes, key=lambda node: canonical(node.name))
    return Tree(kind="tar", root=directory(b""), nodes={node.name: node for node in ordered})


def put(source: Tree, *, as_is: bool = False) -> tuple[Mapping[bytes, Node], Mapping[str, tuple[bytes, ...]]]:
    """The second ramdisk's nodes by name, and the remarks' examples by their ids."""
    found = recipe.application(source, START, epoch=EPOCH, as_is=as_is)
    return {node.name: node for node in found.nodes}, {remark.id: remark.examples for remark in found.remarks}


def data(node: Node) -> bytes:
    return b"".join(node.content.chunks()) if node.content else node.target


# -- the command


@pytest.mark.parametrize(
    ("image", "given", "words"),
    [
        (ImageConfig(id="", cmd=("c",)), {}, ("c",)),
        (ImageConfig(id="", entrypoint=("e",)), {}, ("e",)),
        (ImageConfig(id="", entrypoint=("e",), cmd=("c",)), {}, ("c",)),
        (ImageConfig(id="", entrypoint=("e",), cmd=()), {}, ("e",)),
        (ImageConfig(id="", entrypoint=("e",), cmd=("c",)), {"join": True}, ("e", "c")),
        (ImageConfig(id="", entrypoint=("e",), cmd=("c",)), {"cmd": ["n", "m"]}, ("n", "m")),
        (ImageConfig(id="", entrypoint=("e",), cmd=("c",)), {"entrypoint": ["n"]}, ("n",)),
        (ImageConfig(id="", entrypoint=("e",), cmd=("c",)), {"cmd": ["n"], "join": True}, ("e", "n")),
        (ImageConfig(id="", entrypoint=("e",), cmd=("c",)), {"entrypoint": ["n"], "join": True}, ("n",)),
        (ImageConfig(id=""), {"entrypoint": ["n"], "cmd": ["m"], "join": True}, ("n", "m")),
        (None, {"cmd": ["n"]}, ("n",)),
    ],
)
def test_cmd_runs_when_there_is_one_else_entrypoint(
    image: ImageConfig | None, given: dict[str, object], words: tuple[str, ...]
) -> None:
    assert recipe.command(image, **given).words == words  # type: ignore[arg-type]


@pytest.mark.parametrize("image", [None, ImageConfig(id=""), ImageConfig(id="", cmd=(), entrypoint=())])
def test_nothing_to_run(image: ImageConfig | None) -> None:
    with pytest.raises(CannotAnswer) as caught:
        recipe.command(image)
    assert caught.value.code == "eif.no-command"


def test_two_commands_of_which_one_would_run() -> None:
    with pytest.raises(UsageError, match="--cmd and --entrypoint: only one of them would run"):
        recipe.command(None, cmd=["a"], entrypoint=["b"])


def test_variables_take_the_place_of_the_image_s_and_the_others_follow() -> None:
    image = ImageConfig(id="", cmd=("c",), env=("PATH=/bin", "A=1", "B"))
    found = recipe.command(image, env=["C=3", "A=2=2", "B=", "C=4"])
    assert found.environment == ("PATH=/bin", "A=2=2", "B=", "C=4")


@pytest.mark.parametrize("item", ["", "A", "=1"])
def test_what_is_no_variable(item: str) -> None:
    with pytest.raises(UsageError, match="not a variable"):
        recipe.command(None, cmd=["a"], env=[item])


@pytest.mark.parametrize("bad", ["a\nb", "a\0b", "\ud800"])
def test_an_item_that_init_would_read_as_two(bad: str) -> None:
    with pytest.raises(
        CannotAnswer, match="a command or variable with a line feed, a NUL or half a character in it"
    ) as caught:
        recipe.command(None, cmd=[bad])
    assert caught.value.code == "eif.not-buildable"
    with pytest.raises(CannotAnswer, match="with a line feed, a NUL"):
        recipe.command(ImageConfig(id="", cmd=("a",), env=(f"A={bad}",)))


def test_what_of_an_image_has_no_effect_is_remarked() -> None:
    image = ImageConfig(id="", entrypoint=("/run", "-v"), cmd=("serve",), working_dir="/srv", user="app")
    assert [remark.detail for remark in recipe.command(image).remarks] == [
        (
            "ENTRYPOINT is not run (/run -v): nitro-cli runs CMD alone when an image has both; "
            "--join-entrypoint runs them as one command, as Docker does"
        ),
        "WORKDIR /srv is not entered: init starts the command in /",
        "USER app is not taken on: init starts the command as root",
    ]


@pytest.mark.parametrize("user", ["", "0", "root", "0:0"])
def test_what_has_its_effect_is_not_remarked(user: str) -> None:
    image = ImageConfig(id="", entrypoint=("/run",), cmd=("serve",), working_dir="/", user=user)
    assert recipe.command(image, join=True).remarks == ()
    assert recipe.command(ImageConfig(id="", entrypoint=("/run",))).remarks == ()


# -- the ramdisks


def test_the_boot_ramdisk_is_nitro_cli_s() -> None:
    nodes = recipe.boot(Bytes(b"i"), Bytes(b"n"), epoch=EPOCH)
    assert [(node.name, oct(node.mode), node.mtime) for node in nodes] == [
        (b"dev", "0o40755", EPOCH),
        (b"init", "0o100755", EPOCH),
        (b"nsm.ko", "0o100755", EPOCH),
    ]
    assert [node.name for node in recipe.boot(Bytes(b"i"), None, epoch=EPOCH)] == [b"dev", b"init"]


def test_an_empty_root_file_system_comes_up() -> None:
    nodes, remarks = put(tree())
    names = "dev dev/pts dev/shm etc etc/hosts etc/mtab etc/resolv.conf proc run sys tmp var"
    assert {name for name in nodes if name.startswith(b"rootfs/")} == {f"rootfs/{n}".encode() for n in names.split()}
    assert set(nodes) - {name for name in nodes if name.startswith(b"rootfs/")} == {b"cmd", b"env", b"rootfs"}
    assert data(nodes[b"cmd"]) == b"/app\n-x\n"
    assert data(nodes[b"env"]) == b"A=1\n"
    assert data(nodes[b"rootfs/etc/hosts"]) == b"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
    assert data(nodes[b"rootfs/etc/resolv.conf"]) == b"/run/resolvconf/resolv.conf"
    assert data(nodes[b"rootfs/etc/mtab"]) == b"/proc/mounts"
    assert {node.mtime for name, node in nodes.items() if name != b"rootfs"} == {EPOCH}
    assert remarks == {
        "build.added": (b"etc", b"etc/hosts", b"etc/mtab", b"etc/resolv.conf"),
        "build.mount-points": (b"dev", b"dev/pts", b"dev/shm", b"proc", b"run"),
    }


def test_what_a_container_engine_leaves_behind_is_left_out() -> None:
    left = [file(b".dockerenv"), file(b"dev/console"), file(b"dev/pts/0"), file(b"dev/shm/x"), file(b"etc/hostname")]
    kept = [file(b"Dockerfile"), file(b"dev/null"), file(b"etc/passwd"), file(b"srv/.dockerenv")]
    above = [directory(name) for name in (b"dev", b"dev/pts", b"dev/shm", b"etc", b"srv")]
    nodes, remarks = put(tree(*left, *kept, *above))
    assert not {b"rootfs/" + node.name for node in left} & set(nodes)
    assert {b"rootfs/" + node.name for node in (*kept, *above)} <= set(nodes)
    assert remarks["build.left-out"] == tuple(sorted((node.name for node in left), key=canonical))


def test_hosts_and_resolver_are_replaced() -> None:
    source = tree(directory(b"etc"), file(b"etc/hosts", b"10.0.0.1 x"), file(b"etc/resolv.conf", b"nameserver 1.1.1.1"))
    nodes, remarks = put(source)
    assert data(nodes[b"rootfs/etc/hosts"]).startswith(b"127.0.0.1 localhost\n")
    assert data(nodes[b"rootfs/etc/resolv.conf"]) == b"/run/resolvconf/resolv.conf"
    assert remarks["build.replaced"] == (b"etc/hosts", b"etc/resolv.conf")
    assert remarks["build.added"] == (b"etc/mtab",)


def test_as_is_only_the_mount_points_are_made() -> None:
    source = tree(
        directory(b"etc"), file(b"etc/hosts", b"10.0.0.1 x"), file(b"etc/hostname", b"h"), file(b".dockerenv")
    )
    nodes, remarks = put(source, as_is=True)
    assert data(nodes[b"rootfs/etc/hosts"]) == b"10.0.0.1 x"
    assert set(remarks) == {"build.mount-points"}
    names = ".dockerenv dev etc etc/hostname etc/hosts proc run sys tmp var"
    assert sorted(name[7:] for name in nodes if name.startswith(b"rootfs/")) == [n.encode() for n in names.split()]


def test_a_mount_point_that_is_there_keeps_its_mode() -> None:
    nodes, _ = put(tree(directory(b"tmp", 0o1777)))
    assert oct(nodes[b"rootfs/tmp"].mode) == "0o41777"


def test_a_mount_point_may_be_a_link_to_a_directory() -> None:
    nodes, _ = put(tree(directory(b"var"), directory(b"var/run"), symlink(b"run", b"/var/run")))
    assert data(nodes[b"rootfs/run"]) == b"/var/run"


@pytest.mark.parametrize("node", [file(b"proc"), symlink(b"proc", b"nowhere"), symlink(b"proc", b"proc")])
def test_a_mount_point_that_is_no_directory_is_refused(node: Node) -> None:
    with pytest.raises(CannotAnswer, match="proc is not a directory, and init mounts over it"):
        put(tree(node))


def test_a_directory_in_the_place_of_a_file_is_refused() -> None:
    with pytest.raises(CannotAnswer, match="etc/hosts is a directory"):
        put(tree(directory(b"etc"), directory(b"etc/hosts")))


def test_a_file_keeps_its_other_name_when_one_is_left_out() -> None:
    source = tree(
        directory(b"etc"),
        file(b"etc/hostname", b"content"),
        file(b"etc/kept", hard_link=b"etc/hostname"),
        file(b"etc/more", hard_link=b"etc/hostname"),
    )
    nodes, _ = put(source)
    assert data(nodes[b"rootfs/etc/kept"]) == b"content"
    assert nodes[b"rootfs/etc/kept"].hard_link == b""
    assert nodes[b"rootfs/etc/more"].hard_link == b"rootfs/etc/kept"
    assert nodes[b"rootfs/etc/more"].content is None


def test_a_link_in_the_place_of_etc_is_left_alone() -> None:
    nodes, remarks = put(tree(symlink(b"etc", b"/usr/etc")))
    assert {name for name in nodes if name.startswith(b"rootfs/etc")} == {b"rootfs/etc"}
    assert set(remarks) == {"build.mount-points"}


# -- the command's program


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("/app/run", b"app/run"),
        ("app/run", b"app/run"),
        ("./app/../app/run", b"app/run"),
        ("sh", b"usr/bin/busybox"),
        ("/bin/sh", b"usr/bin/busybox"),
        ("run", None),
        ("/app", None),
        ("/app/data", None),
        ("/app/run/x", None),
        ("/loop", None),
        ("/nowhere", None),
        ("/../../app/run", b"app/run"),
    ],
)
def test_a_program_is_found_as_init_finds_it(word: str, found: bytes | None) -> None:
    program = stat.S_IFREG | 0o755
    source = tree(
        directory(b"app"),
        Node(name=b"app/run", mode=program, content=Bytes(b"")),
        file(b"app/data"),
        symlink(b"bin", b"usr/bin"),
        directory(b"usr"),
        directory(b"usr/bin"),
        symlink(b"usr/bin/sh", b"/bin/busybox"),
        Node(name=b"usr/bin/busybox", mode=program, content=Bytes(b"")),
        symlink(b"loop", b"loop"),
    )
    assert recipe.find_program(source, word) == found
