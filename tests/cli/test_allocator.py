"""``nitroctl allocator`` as people and programs meet it."""

import os
import pty
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nitroctl import safefile
from nitroctl.host import allocator, allocator_store
from tests.conftest import Cli, Ran, program
from tests.unit.test_allocator import GOOD, kernel

NOT_A_HOST = (
    "– the kernel has set aside what the file asks for\n"
    "  not checked: no Nitro Enclaves driver here\n"
    "  [allocator.kernel-agrees]\n"
)
TITLES = (
    "✓ lines end with LF alone\n"
    "✓ a line is exactly ---, from which the allocator reads on\n"
    "✓ the last line ends with a newline\n"
    "✓ settings are plain ASCII text\n"
    "✓ no comment swallows the next line by ending in a backslash\n"
    "✓ no line after --- is blank\n"
    "✓ --- stands once\n"
    "✓ the file is one flat mapping\n"
    "✓ every key is memory_mib, cpu_count or cpu_pool\n"
    "✓ every key has a value\n"
    "✓ no key stands twice\n"
    "✓ comments stand on lines of their own\n"
    "✓ no value is in single quotes\n"
    "✓ memory_mib is an amount that enclaves can use\n"
    "✓ exactly one of cpu_count and cpu_pool is given\n"
    "✓ cpu_count is a whole number above 0\n"
    "✓ a YAML reader sees what the allocator reads\n"
)
DIFF = """\
--- allocator.yaml
+++ allocator.yaml (new)
@@ -1,7 +1,7 @@
 ---
 # Enclave configuration.
 #
-memory_mib: 512
+memory_mib: 1024
 #
 # How many CPUs.
 cpu_count: 2
"""
NOTES = (
    "nitroctl: note: nothing was restarted; the allocator reads the file when its service does\n"
    "nitroctl: note: the restart fails while enclaves run\n"
    "nitroctl: note: CPUs given to the pool go offline on this host; people have lost their SSH session to it: "
    "have another way in\n"
)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a good file and a host without the driver."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "allocator.yaml").write_bytes(GOOD)
    (tmp_path / "root").mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("NITROCTL_HOST_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("NITROCTL_ALLOCATOR", "allocator.yaml")
    return work


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def test_show_on_a_machine_that_is_no_host(cli: Cli) -> None:
    assert cli("allocator", "show") == Ran(
        0,
        "allocator.yaml: the allocator will reserve 512 MiB and 2 CPUs\n"
        "kernel's pool       no Nitro Enclaves driver here\n"
        "kernel's hugepages  none known here\n"
        "agree               not known: no Nitro Enclaves driver here\n",
        "",
    )


def test_show_on_a_host(cli: Cli, tmp_path: Path) -> None:
    kernel(tmp_path / "root", pool="1,5", pages=256)
    assert cli("allocator", "show") == Ran(
        0,
        "allocator.yaml: the allocator will reserve 512 MiB and 2 CPUs\n"
        "kernel's pool       CPUs 1,5\n"
        "kernel's hugepages  512 MiB\n"
        "agree               yes\n"
        "\n"
        "Hugepages\n"
        "node  page     reserved  free\n"
        "0     2048 kB  256       256\n",
        "",
    )


def test_show_as_json(cli: Cli, tmp_path: Path) -> None:
    kernel(tmp_path / "root", pool="1,5", pages=128)
    assert cli("allocator", "show", "--json").json["data"] == {
        "file": "allocator.yaml",
        "reading": {
            "accepted": True,
            "memory_mib": "512",
            "cpu_count": "2",
            "cpu_pool": None,
            "refusal": None,
            "line": None,
        },
        "kernel": {
            "driver": True,
            "cpu_pool": "1,5",
            "cpus": [1, 5],
            "hugepages": [{"node": 0, "size_kib": 2048, "reserved_pages": 128, "free_pages": 128}],
            "reserved_mib": 256,
        },
        "agrees": False,
    }


def test_show_says_when_the_allocator_refuses_the_file(cli: Cli, directory: Path) -> None:
    (directory / "allocator.yaml").write_bytes(b"---\nmemory_mib: 512\n\ncpu_count: 2\n")
    assert cli("allocator", "show") == Ran(
        0,
        "✗ allocator.yaml: the allocator refuses it: line 3: unexpected:\n"
        "kernel's pool       no Nitro Enclaves driver here\n"
        "kernel's hugepages  none known here\n"
        "agree               not known: no Nitro Enclaves driver here\n",
        "nitroctl: note: nitroctl allocator check says everything that is wrong with it, and what to do\n",
    )


def test_check_of_a_good_file(cli: Cli) -> None:
    head = "✓ allocator.yaml: the allocator will reserve 512 MiB and 2 CPUs\n"
    assert cli("allocator", "check") == Ran(0, head + TITLES + NOT_A_HOST, "")


def test_check_of_a_file_with_a_blank_line(cli: Cli, directory: Path) -> None:
    (directory / "allocator.yaml").write_bytes(GOOD + b"\n")
    ran = cli("allocator", "check")
    expected = TITLES.replace(
        "✓ no line after --- is blank\n",
        "✗ no line after --- is blank\n"
        "  line 10: blank: the allocator fails with “unexpected:”\n"
        "  fix: write # in place of it: nitroctl allocator set --repair does it\n"
        "  [allocator.blank-line]\n",
    )
    assert ran == Ran(1, "✗ allocator.yaml: 1 of 18 checks fail\n" + expected + NOT_A_HOST, "")


def test_check_as_json_names_the_lines(cli: Cli, directory: Path) -> None:
    (directory / "allocator.yaml").write_bytes(GOOD + b"\nfoo: 1\n")
    document = cli("allocator", "check", "--json").json
    assert (document["status"], document["data"]["report"]["verdict"]) == ("refused", "fail")
    assert document["data"]["findings"] == [
        {
            "check": "allocator.blank-line",
            "line": 10,
            "outcome": "fail",
            "text": "blank: the allocator fails with “unexpected:”",
            "repairable": True,
        },
        {"check": "allocator.unknown-key", "line": 11, "outcome": "fail", "text": "'foo'", "repairable": False},
    ]


def test_check_without_a_start_marker_does_not_list_what_was_not_looked_at(cli: Cli, directory: Path) -> None:
    (directory / "allocator.yaml").write_bytes(GOOD.removeprefix(b"---\n"))
    assert cli("allocator", "check") == Ran(
        1,
        "✗ allocator.yaml: 1 of 19 checks fail\n"
        "✓ lines end with LF alone\n"
        "✗ a line is exactly ---, from which the allocator reads on\n"
        "  there is no line --- alone: the allocator passes over the whole file\n"
        "  fix: write --- alone on a line before the first setting: nitroctl allocator set --repair does it\n"
        "  [allocator.start-marker]\n"
        "✓ the last line ends with a newline\n"
        + NOT_A_HOST
        + "15 more checks are not made: the allocator reads nothing"
        " before a line that is ---.\n",
        "",
    )


def test_check_asks_what_this_host_can_do(cli: Cli, directory: Path, tmp_path: Path) -> None:
    kernel(tmp_path / "root")
    (directory / "allocator.yaml").write_bytes(GOOD.replace(b"cpu_count: 2", b"cpu_count: 3"))
    document = cli("allocator", "check", "--json").json
    failed = [check["id"] for check in document["data"]["report"]["checks"] if check["outcome"] == "fail"]
    assert (document["exit_code"], failed) == (1, ["allocator.host-cores"])


def test_set_writes_after_showing_and_keeps_the_old_file(cli: Cli, directory: Path) -> None:
    ran = cli("allocator", "set", "--memory-mib", "1024", "--yes")
    backups = list(directory.glob("*.bak-*"))
    assert [backup.read_bytes() for backup in backups] == [GOOD]
    assert re.fullmatch(r"allocator\.yaml\.bak-\d{8}T\d{6}Z", backups[0].name)
    assert (directory / "allocator.yaml").read_bytes() == GOOD.replace(b"512", b"1024")
    assert ran == Ran(
        0,
        f"allocator.yaml: written\n{DIFF}"
        "the allocator will reserve  1024 MiB and 2 CPUs\n"
        f"old file                    {backups[0]}\n"
        "to apply                    sudo systemctl restart nitro-enclaves-allocator.service\n",
        NOTES,
    )


def test_set_to_what_is_there_writes_nothing(cli: Cli, directory: Path) -> None:
    before = (directory / "allocator.yaml").stat()
    ran = cli("allocator", "set", "--memory-mib", "512", "--cpu-count", "2")
    assert ran == Ran(0, "allocator.yaml: already so; nothing written\n", "")
    assert (directory / "allocator.yaml").stat().st_ino == before.st_ino
    assert names(directory) == ["allocator.yaml"]


@pytest.mark.parametrize(("extra", "status"), [((), 0), (("--check",), 1)])
def test_dry_run_shows_and_writes_nothing(cli: Cli, directory: Path, extra: tuple[str, ...], status: int) -> None:
    ran = cli("allocator", "set", "--memory-mib", "1024", "--dry-run", *extra)
    assert ran == Ran(status, f"allocator.yaml: would change; nothing written\n{DIFF}", "")
    assert (directory / "allocator.yaml").read_bytes() == GOOD


def test_dry_run_of_no_change_is_0_with_check(cli: Cli) -> None:
    assert cli("allocator", "set", "--memory-mib", "512", "--dry-run", "--check").status == 0


def test_set_as_json(cli: Cli, directory: Path) -> None:
    data = cli("allocator", "set", "--cpu-pool", "2,3", "--yes", "--json").json["data"]
    assert (data["changed"], data["written"]) == (True, True)
    assert (data["before"]["cpu_count"], data["after"]["cpu_count"], data["after"]["cpu_pool"]) == ("2", None, "2,3")
    assert data["restart_command"] == allocator.RESTART
    assert Path(data["backup"]).read_bytes() == GOOD
    assert (directory / "allocator.yaml").read_bytes() == GOOD.replace(b"cpu_count: 2", b"cpu_pool: 2,3")


def test_set_keeps_mode_and_a_symbolic_link(cli: Cli, directory: Path) -> None:
    (directory / "allocator.yaml").rename(directory / "real.yaml")
    (directory / "real.yaml").chmod(0o640)
    (directory / "allocator.yaml").symlink_to("real.yaml")
    assert cli("allocator", "set", "--memory-mib", "1024", "--yes").status == 0
    assert (directory / "allocator.yaml").is_symlink()
    assert (directory / "real.yaml").read_bytes() == GOOD.replace(b"512", b"1024")
    assert stat.S_IMODE((directory / "real.yaml").stat().st_mode) == 0o640
    assert [stat.S_IMODE(path.stat().st_mode) for path in directory.glob("real.yaml.bak-*")] == [0o640]


def test_five_backups_are_kept_and_nobody_elses_file_is_removed(cli: Cli, directory: Path) -> None:
    (directory / "allocator.yaml.bak-mine").write_text("mine")
    for number in range(7):
        assert cli("allocator", "set", "--memory-mib", str(1024 + 2 * number), "--yes").status == 0
    contents = {path.read_bytes() for path in directory.glob("allocator.yaml.bak-2*")}
    assert contents == {GOOD.replace(b"512", str(1024 + 2 * number).encode()) for number in range(1, 6)}
    assert (directory / "allocator.yaml.bak-mine").read_text() == "mine"


def test_repair_mends_and_shows(cli: Cli, directory: Path) -> None:
    (directory / "allocator.yaml").write_bytes(b"memory_mib: 512 # MiB\r\n\r\ncpu_pool: '2'")
    ran = cli("allocator", "set", "--repair", "--dry-run")
    assert ran.stdout == (
        "allocator.yaml: would change; nothing written\n"
        "--- allocator.yaml\n"
        "+++ allocator.yaml (new)\n"
        "@@ -1,3 +1,5 @@\n"
        "-memory_mib: 512 # MiB\\r\n"
        "-\\r\n"
        "-cpu_pool: '2'\n"
        "\\ No newline at end of file\n"
        "+---\n"
        "+# MiB\n"
        "+memory_mib: 512\n"
        "+#\n"
        "+cpu_pool: 2\n"
    )
    assert cli("allocator", "set", "--repair", "--yes").status == 0
    assert cli("allocator", "check").status == 0


REFUSED = [
    (
        b"\n",
        "line 10: blank: the allocator fails with “unexpected:” [allocator.blank-line]",
        ["run it again with --repair, which mends that"],
    ),
    (
        b"foo: 1\n",
        "line 10: 'foo' [allocator.unknown-key]",
        ["line 10: 'foo': correct the key, or write the line as a comment"],
    ),
    (
        b"\nfoo: 1\n",
        "line 10: blank: the allocator fails with “unexpected:” [allocator.blank-line] (and 1 more)",
        ["line 11: 'foo': correct the key, or write the line as a comment", "the rest is mended by --repair"],
    ),
]


@pytest.mark.parametrize(("tail", "words", "hints"), REFUSED)
def test_a_file_that_would_still_be_refused_is_not_written(
    cli: Cli, directory: Path, tail: bytes, words: str, hints: list[str]
) -> None:
    (directory / "allocator.yaml").write_bytes(GOOD + tail)
    ran = cli("allocator", "set", "--memory-mib", "1024", "--yes")
    lines = [f"error: allocator.yaml: nothing written: {words} [allocator.unfit]"]
    lines += [f"hint: {hint}" for hint in [*hints, "nitroctl allocator check says everything that is wrong"]]
    assert ran == Ran(3, "", "".join(f"nitroctl: {line}\n" for line in lines))
    assert names(directory) == ["allocator.yaml"]
    assert (directory / "allocator.yaml").read_bytes() == GOOD + tail


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--memory-mib", "0", "--memory-mib: 0 MiB: no enclave runs in less than 64 MiB"),
        (
            "--memory-mib",
            "1023",
            "--memory-mib: 1023 MiB is odd and is rounded up: enclaves' hugepages have 2 MiB or more",
        ),
        ("--memory-mib", "-2", "--memory-mib: '-2' is not a number of MiB"),
        ("--memory-mib", str(2**43), "--memory-mib: 8796093022208 MiB is more than the allocator can count"),
        ("--cpu-count", "0", "--cpu-count: 0 is not above 0"),
        ("--cpu-pool", "0-3", "--cpu-pool '0-3': CPU 0 stays with the parent"),
        ("--cpu-pool", "2, 3", "--cpu-pool: ' 3' is not a CPU number or a range such as 6-9"),
        (
            "--cpu-pool",
            "2\nmemory_mib: 1",
            "--cpu-pool: '2\\nmemory_mib: 1' is not a CPU number or a range such as 6-9",
        ),
    ],
)
def test_values_that_could_not_work_are_refused(cli: Cli, directory: Path, option: str, value: str, words: str) -> None:
    ran = cli("allocator", "set", f"{option}={value}", "--yes")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: {words} [allocator.value]"
    assert (directory / "allocator.yaml").read_bytes() == GOOD


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((), "nothing to set"),
        (("--cpu-count", "2", "--cpu-pool", "2,3"), "--cpu-count and --cpu-pool exclude each other"),
        (("--memory-mib", "512", "--check"), "--check goes with --dry-run"),
        (("--memory-mib", "512", "--file", "-"), "the allocator's file is a file, not standard input"),
    ],
)
def test_contradictory_options(cli: Cli, argv: tuple[str, ...], words: str) -> None:
    ran = cli("allocator", "set", *argv)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: {words} [usage.invalid]"


def test_what_this_host_cannot_do_is_refused_for_its_own_file_only(cli: Cli, directory: Path, tmp_path: Path) -> None:
    kernel(tmp_path / "root")
    refused = cli("allocator", "set", "--cpu-count", "3", "--yes")
    words = "cpu_count is 3, not a multiple of 2, the threads of a core"
    assert refused == Ran(
        3,
        "",
        f"nitroctl: error: allocator.yaml: nothing written: {words} [allocator.host-cores] [allocator.impossible]\n"
        "nitroctl: hint: for another host's file, name it with --file\n",
    )
    named = cli("allocator", "set", "--cpu-count", "3", "--yes", "--file", "allocator.yaml")
    assert named.status == 0
    assert f"nitroctl: note: this host could not do it: {words}\n" in named.stderr


def test_without_a_terminal_nothing_is_written_unasked(cli: Cli, directory: Path) -> None:
    assert cli("allocator", "set", "--memory-mib", "1024") == Ran(
        3,
        "",
        "nitroctl: error: allocator.yaml: not written: there is no terminal to ask on [allocator.declined]\n"
        "nitroctl: hint: add --yes to write it; --dry-run shows the change\n",
    )
    assert names(directory) == ["allocator.yaml"]


@pytest.mark.parametrize(
    ("answer", "status", "memory"),
    [(b"y\n", 0, b"1024"), (b"\n", 3, b"512"), (b"no\n", 3, b"512"), (b"\x04", 3, b"512")],
)
def test_on_a_terminal_the_change_is_shown_and_asked_about(
    directory: Path, answer: bytes, status: int, memory: bytes
) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        program("allocator", "set", "--memory-mib", "1024"), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while b"[y/N] " not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, answer)
        assert process.stdout
        stdout = process.stdout.read()
    os.close(ours)
    assert shown.decode().replace("\r\n", "\n") == f"{DIFF}Write this to allocator.yaml? [y/N] "
    assert process.returncode == status
    assert bool(stdout) is (status == 0)
    assert (directory / "allocator.yaml").read_bytes() == GOOD.replace(b"512", memory)


def test_an_edit_by_somebody_else_meanwhile_is_not_overwritten(
    cli: Cli, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = directory / "allocator.yaml"
    original = allocator_store.require_writable

    def slow(name: str) -> None:
        original(name)
        path.write_bytes(GOOD + b"# theirs\n")

    monkeypatch.setattr(allocator_store, "require_writable", slow)
    ran = cli("allocator", "set", "--memory-mib", "1024", "--yes")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.splitlines()[0] == (
        "nitroctl: error: allocator.yaml: changed by somebody else meanwhile; nothing written [allocator.changed]"
    )
    assert names(directory) == ["allocator.yaml"]
    assert path.read_bytes() == GOOD + b"# theirs\n"


def test_two_edits_at_once_are_refused(cli: Cli, directory: Path) -> None:
    lock = Path(os.environ["NITROCTL_LOCK_DIR"]) / "nitroctl-allocator.lock"
    with safefile.locked(str(lock), what="test"):
        ran = cli("allocator", "set", "--memory-mib", "1024", "--yes")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith("nitroctl: error: allocator.yaml is in use by another nitroctl [file.locked]\n")
    assert (directory / "allocator.yaml").read_bytes() == GOOD


def test_without_permission_the_command_for_root_is_printed() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody who may not")
    script = (
        "import os, sys; from nitroctl.cli import run\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(run(['allocator', 'set', '--memory-mib', '1024', '--cpu-pool', '2,3', '--yes']))"
    )
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are closed to others
        Path(name).chmod(0o755)
        path = Path(name) / "allocator.yaml"
        path.write_bytes(GOOD)
        done = subprocess.run(
            [sys.executable, "-c", PRELOAD + script],
            cwd=name,
            env={**os.environ, "NITROCTL_HOST_ROOT": name},
            capture_output=True,
            text=True,
            check=False,
        )
        assert path.read_bytes() == GOOD
    assert done.stderr == (
        "nitroctl: error: allocator.yaml: cannot write: permission denied [file.unwritable]\n"
        f"nitroctl: hint: run: sudo nitroctl allocator set --memory-mib 1024 --cpu-pool 2,3 --file {path}\n"
    )
    assert (done.returncode, done.stdout) == (3, "")


#: The interpreter's files may not be readable to the other user: what is needed is imported before.
PRELOAD = (
    "import yaml, difflib, datetime, shlex\n"
    "import nitroctl.cli.tree, nitroctl.cli.allocator, nitroctl.settings, nitroctl.safefile, nitroctl.render.plain\n"
    "import nitroctl.host.allocator_repair, nitroctl.host.allocator_rules, nitroctl.host.allocator_host\n"
    "import nitroctl.host.allocator_store, typer.exceptions, nitroctl.render.envelope\n"
)


def test_a_full_disk_leaves_the_old_file_and_no_backup(directory: Path) -> None:
    script = (
        "import resource, signal, sys; from nitroctl.cli import run\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))\n"
        "sys.exit(run(['allocator', 'set', '--memory-mib', '1024', '--yes']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 3
    assert b"cannot write: file too large [file.unwritable]" in done.stderr
    assert names(directory) == ["allocator.yaml"]
    assert (directory / "allocator.yaml").read_bytes() == GOOD


@pytest.mark.parametrize("verb", [("show",), ("check",), ("set", "--memory-mib", "1024", "--yes")], ids=" ".join)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "cannot read: no such file or directory [file.unreadable]"),
        ("directory", "cannot read: is a directory [file.unreadable]"),
        ("fifo", "not a regular file [file.not-regular]"),
        ("huge", "larger than 65536 bytes, the most this command reads [file.too-large]"),
    ],
)
def test_files_that_cannot_be_looked_at(
    cli: Cli, directory: Path, verb: tuple[str, ...], kind: str, words: str
) -> None:
    path = directory / "x"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "huge":
        with path.open("wb") as stream:
            stream.truncate(10 * 2**30)
    ran = cli("allocator", *verb, "--file", "x")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: x: {words}"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"\x7fELF" + bytes(range(256))], ids=["empty", "utf16", "binary"]
)
def test_files_that_are_no_allocator_files_get_a_no(cli: Cli, directory: Path, content: bytes) -> None:
    (directory / "allocator.yaml").write_bytes(content)
    document = cli("allocator", "check", "--json").json
    assert (document["exit_code"], document["data"]["reading"]["accepted"]) == (1, False)
    assert cli("allocator", "set", "--memory-mib", "1024", "--yes").status == 3
    assert (directory / "allocator.yaml").read_bytes() == content
