"""``nitroctl init``: the whole tree, and what is in it works as far as it can without an enclave."""

import ast
import contextlib
import importlib.util
import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cbor2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nitroctl.host import allocator, allocator_rules
from tests.conftest import ROOT, Cli, Ran

FILES = [
    ".github/workflows/enclave.yml",
    ".gitignore",
    "README.md",
    "allocator.yaml",
    "ci/action.yml",
    "ci/gate.sh",
    "ci/gitlab.yml",
    "enclave/Dockerfile",
    "enclave/service.py",
    "kms/policy.sh",
    "nitroctl.toml",
    "parent/client.py",
]
WIDTH = max(map(len, FILES))
TABLE = f"{'file':<{WIDTH}}  action\n"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tree(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def table(**actions: str) -> str:
    kept = {name.replace("__", "/"): action for name, action in actions.items()}
    return TABLE + "".join(f"{name:<{WIDTH}}  {kept.get(name, 'created')}\n" for name in FILES)


def expected(name: str) -> dict[str, bytes]:
    """The templates with the name in place, read without the code under test."""
    source = ROOT / "templates"
    return {
        str(path.relative_to(source)).replace("dot-", "."): path.read_bytes().replace(b"@NAME@", name.encode())
        for path in sorted(source.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def test_a_new_directory_gets_the_whole_project(cli: Cli, directory: Path) -> None:
    assert cli("init", "signer") == Ran(
        0,
        f"signer: 12 files of project signer written\n{table()}Next: cd signer, and follow README.md.\n",
        "",
    )
    assert tree(directory / "signer") == expected("signer")
    assert sorted(tree(directory / "signer")) == FILES
    assert [path.name for path in directory.iterdir()] == ["signer"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((directory / "signer").stat().st_mode) == 0o777 & ~umask


def test_as_json(cli: Cli) -> None:
    data = cli("init", "signer", "--name", "other-1", "--json").json["data"]
    assert data == {
        "directory": "signer",
        "name": "other-1",
        "files": [{"path": name, "action": "created"} for name in FILES],
    }


def test_the_name_is_everywhere_and_no_placeholder_is_left(cli: Cli, directory: Path) -> None:
    cli("init", "x", "--name", "my-signer")
    content = tree(directory / "x")
    assert not [name for name, text in content.items() if b"@NAME@" in text]
    named = {name for name, text in content.items() if b"my-signer" in text}
    assert named == {
        ".github/workflows/enclave.yml",
        "README.md",
        "ci/action.yml",
        "ci/gate.sh",
        "ci/gitlab.yml",
        "enclave/service.py",
        "kms/policy.sh",
        "parent/client.py",
    }


def test_an_empty_directory_is_filled_and_stays_the_same_directory(cli: Cli, directory: Path) -> None:
    (directory / "signer").mkdir()
    before = (directory / "signer").stat().st_ino
    assert cli("init", "signer").status == 0
    assert (directory / "signer").stat().st_ino == before
    assert tree(directory / "signer") == expected("signer")


def test_the_directory_one_is_in(cli: Cli, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "signer").mkdir()
    monkeypatch.chdir(directory / "signer")
    assert cli("init", ".").stdout.startswith(".: 12 files of project signer written\n")


def test_a_directory_with_files_is_refused(cli: Cli, directory: Path) -> None:
    (directory / "signer").mkdir()
    (directory / "signer/mine").write_text("mine")
    assert cli("init", "signer") == Ran(
        3,
        "",
        "nitroctl: error: signer: not empty [init.not-empty]\n"
        "nitroctl: hint: name a new directory, or add --force to add what is missing\n",
    )
    assert tree(directory / "signer") == {"mine": b"mine"}


def test_force_adds_what_is_missing_and_overwrites_nothing(cli: Cli, directory: Path) -> None:
    cli("init", "signer")
    (directory / "signer/README.md").write_text("mine")
    (directory / "signer/enclave/Dockerfile").unlink()
    actions = {name.replace("/", "__"): "unchanged" for name in FILES}
    ran = cli("init", "signer", "--force")
    assert ran == Ran(
        0,
        "signer: 1 file of project signer written\n"
        + table(**{**actions, "README.md": "kept", "enclave__Dockerfile": "created"})
        + "Next: cd signer, and follow README.md.\n",
        "nitroctl: note: signer/README.md differs from what init writes, and is kept as it is\n",
    )
    assert tree(directory / "signer") == {**expected("signer"), "README.md": b"mine"}


@pytest.mark.parametrize("kind", ["file", "fifo", "dangling"])
def test_what_is_not_a_directory_is_refused(cli: Cli, directory: Path, kind: str) -> None:
    path = directory / "signer"
    if kind == "file":
        path.touch()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("none")
    ran = cli("init", "signer", "--force")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith("nitroctl: error: signer: not a directory [init.not-empty]\n")


def test_force_writes_through_no_link(cli: Cli, directory: Path) -> None:
    (directory / "outside").mkdir()
    (directory / "signer").mkdir()
    (directory / "signer/enclave").symlink_to("../outside")
    ran = cli("init", "signer", "--force")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith(
        "nitroctl: error: signer/enclave/Dockerfile: a link leads out of its place [init.outside]\n"
    )
    assert tree(directory) == {}


@pytest.mark.parametrize("name", ["Signer", "1signer", "-x", "a" * 64, "a_b", "a b", "ä", "../x", "a\nb", "@NAME@"])
def test_names_that_are_not_names(cli: Cli, directory: Path, name: str) -> None:
    ran = cli("init", "x", f"--name={name}")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.endswith(
        "[init.name]\n"
        "nitroctl: hint: give --name: a lower-case letter, then up to 62 lower-case letters, digits or hyphens\n"
    )
    assert list(directory.iterdir()) == []


def test_a_place_that_is_not_there(cli: Cli) -> None:
    assert cli("init", "none/signer") == Ran(
        3,
        "",
        "nitroctl: error: none/signer: cannot write: no such file or directory [file.unwritable]\n"
        "nitroctl: hint: make the directory first\n",
    )


@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_nothing(directory: Path, *, exists: bool) -> None:
    if exists:
        (directory / "signer").mkdir()
    script = (
        "import resource, signal, sys; from nitroctl.cli import run\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "sys.exit(run(['init', 'signer']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 3
    assert b"cannot write: file too large [file.unwritable]" in done.stderr
    assert [str(path.relative_to(directory)) for path in directory.rglob("*")] == (["signer"] if exists else [])


def test_an_interrupt_leaves_nothing(cli: Cli, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupt)
    assert cli("init", "signer").status == 130
    assert list(directory.iterdir()) == []


# -- what was written


@pytest.fixture
def project(cli: Cli, directory: Path) -> Path:
    assert cli("init", "signer").status == 0
    return directory / "signer"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


SERVICE = load(ROOT / "templates/enclave/service.py")


@pytest.mark.parametrize("name", ["enclave/service.py", "parent/client.py"])
def test_the_programs_need_the_standard_library_only(project: Path, name: str) -> None:
    parsed = ast.parse((project / name).read_text())
    imported = {alias.name for node in ast.walk(parsed) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(parsed) if isinstance(node, ast.ImportFrom)}
    assert imported
    assert imported <= sys.stdlib_module_names


def test_the_allocator_file_passes_every_check(project: Path) -> None:
    file = allocator.parse((project / "allocator.yaml").read_bytes())
    assert allocator_rules.findings(file) == ()
    assert allocator_rules.report(file).passed


def test_the_settings_are_settings(cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    found = {row["name"]: row for row in cli("config", "show", "--json").json["data"]["settings"]}
    assert (found["records"]["value"], found["records"]["origin"]) == ("measurements.json", f"{project}/nitroctl.toml")


def test_the_image_has_one_command_a_pinned_base_and_no_secret(project: Path) -> None:
    lines = [line for line in (project / "enclave/Dockerfile").read_text().splitlines() if line and line[0] != "#"]
    assert [line.split()[0] for line in lines] == ["FROM", "ENV", "COPY", "CMD"]
    assert re.fullmatch(r"FROM [a-z0-9./-]+:\d+\.\d+\.\d+-[a-z-]+", lines[0])
    assert json.loads(lines[-1].removeprefix("CMD ")) == ["python3", "/service.py"]
    assert not re.search(r"(?i)secret|passw|token|key", "\n".join(lines))


def test_the_workflow_is_yaml_with_least_permissions_and_the_gate(project: Path) -> None:
    workflow = yaml.safe_load((project / ".github/workflows/enclave.yml").read_text())
    assert sorted(workflow) == ["env", "jobs", "name", "on", "permissions"]
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["image"]["steps"]
    assert [step["uses"] for step in steps if "uses" in step] == ["actions/checkout@v4", "./ci"]
    assert not [step for step in steps if "${{" in step.get("run", "")]
    (gate,) = [step["with"] for step in steps if step.get("uses") == "./ci"]
    assert (gate["component"], gate["environment"], gate["eif"]) == ("signer", "prod", "app.eif")


def test_the_action_hands_its_inputs_over_as_variables_only(project: Path) -> None:
    action = yaml.safe_load((project / "ci/action.yml").read_text())
    scripts = [step["run"] for step in action["runs"]["steps"]]
    assert len(scripts) == 2
    assert not [script for script in scripts if "${{" in script]
    named = set(re.findall(r"inputs\.([a-z]+)", json.dumps(action["runs"])))
    assert named == set(action["inputs"])
    assert set(re.findall(r"outputs\.([a-z0-9]+)", json.dumps(action["outputs"]))) == set(action["outputs"])


def test_nitroctl_is_installed_from_nowhere_until_somebody_says_where(project: Path) -> None:
    """What becomes of a run without it is in test_ci_templates.py."""
    workflow = yaml.safe_load((project / ".github/workflows/enclave.yml").read_text())
    gitlab = yaml.safe_load((project / "ci/gitlab.yml").read_text())
    action = yaml.safe_load((project / "ci/action.yml").read_text())
    assert workflow["env"] == {"NITROCTL": ""}
    assert gitlab["enclave-gate"]["variables"]["NITROCTL"] == ""
    assert "default" not in action["inputs"]["nitroctl"]


def test_what_is_measured_of_the_files_is_set_the_same_by_hand_and_in_the_workflow(project: Path) -> None:
    workflow = yaml.safe_load((project / ".github/workflows/enclave.yml").read_text())
    (build,) = [step["run"] for step in workflow["jobs"]["image"]["steps"] if "docker build" in step.get("run", "")]
    by_hand = [line.strip() for line in (project / "README.md").read_text().splitlines() if line[:9] == "    find "]
    assert [line for line in build.splitlines() if line.startswith("find ")] == by_hand
    (project / "enclave/service.py").chmod(0o600)
    subprocess.run(["sh", "-ec", "\n".join(by_hand)], cwd=project, check=True)
    found = [path.stat() for path in sorted((project / "enclave").iterdir())]
    assert {(status.st_mtime, status.st_mode & 0o777) for status in found} == {(0.0, 0o644)}


def commands(project: Path) -> Iterator[list[str]]:
    """Every nitroctl command that the project's files tell people to type."""
    readme = re.sub(r"\\\n", " ", (project / "README.md").read_text())
    script = re.sub(r"\\\n", " ", (project / "kms/policy.sh").read_text())
    workflow = yaml.safe_load((project / ".github/workflows/enclave.yml").read_text())
    lines = [line[4:] for line in readme.splitlines() if line.startswith("    ")]
    lines += [line.removeprefix("exec ") for line in script.splitlines() if not line.startswith("#")]
    lines += [step["run"] for step in workflow["jobs"]["image"]["steps"] if "run" in step]
    for line in lines:
        if line.startswith("nitroctl "):
            yield line.split()[1:]


def test_every_command_in_it_is_one_that_exists(cli: Cli, project: Path) -> None:
    found = list(commands(project))
    assert len(found) > 10
    for words in found:
        verb = words[: 2 if len(words) > 1 and not words[1].startswith("-") else 1]
        text = cli(*verb, "--help")
        assert text.status == 0, words
        for option in (word for word in words if word.startswith("--")):
            assert re.search(rf"{re.escape(option)}\b", text.stdout), (words, option)


def test_the_policy_script_writes_a_policy(cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    registers = {f"PCR{number}": str(number + 1) * 96 for number in (0, 1, 2)}
    said = json.dumps({"Measurements": {"HashAlgorithm": "Sha384 { ... }", **registers}})
    record = ("pcr", "record", "--component", "signer", "--environment", "prod", "--release", "1.0.0", "--activate")
    assert cli(*record, "--measurements", "-", stdin=said.encode()).status == 0
    bin_directory = project.parent / "bin"
    bin_directory.mkdir()
    (bin_directory / "nitroctl").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nitroctl "$@"\n')
    (bin_directory / "nitroctl").chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_directory}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "kms/policy.sh"], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    policy = json.loads((project / "kms/policy.json").read_text())
    assert "1" * 96 in json.dumps(policy)
    assert "arn:aws:iam::111122223333:role/signer" in json.dumps(policy)


# -- the enclave's service


def test_the_request_is_cbor_as_others_write_it() -> None:
    request = SERVICE.attestation_request(b"data", b"n" * 300, None)
    assert cbor2.loads(request) == {"Attestation": {"user_data": b"data", "nonce": b"n" * 300, "public_key": None}}
    assert request == cbor2.dumps({"Attestation": {"user_data": b"data", "nonce": b"n" * 300, "public_key": None}})


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 4000])
def test_lengths_of_every_head(size: int) -> None:
    value = {"Attestation": {"user_data": b"x" * size, "nonce": None, "public_key": None}}
    assert SERVICE.cbor_encode(value) == cbor2.dumps(value)
    assert SERVICE.cbor_encode(b"x" * 70000) == cbor2.dumps(b"x" * 70000)


def test_a_request_the_nsm_would_not_take_is_refused() -> None:
    assert len(SERVICE.attestation_request(b"x" * 4050, None, None)) == 4096  # what a real NSM was seen to sign
    with pytest.raises(SERVICE.Refused, match="the request has 4097 bytes, the NSM takes 4096"):
        SERVICE.attestation_request(b"x" * 4051, None, None)


def indefinite(document: bytes) -> bytes:
    inner = b"\xbf" + cbor2.dumps("document") + cbor2.dumps(document) + b"\xff"
    return b"\xbf" + cbor2.dumps("Attestation") + inner + b"\xff"


@pytest.mark.parametrize("size", [1, 24, 300, 12000])
@pytest.mark.parametrize("encode", [lambda d: cbor2.dumps({"Attestation": {"document": d}}), indefinite])
def test_the_document_is_taken_out_of_the_reply(size: int, encode: Callable[[bytes], bytes]) -> None:
    assert SERVICE.attestation_document(encode(b"d" * size)) == b"d" * size


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (cbor2.dumps({"Error": "InputTooLarge"}), "the NSM says InputTooLarge"),
        (cbor2.dumps({"Attestation": {"document": b""}}), "the NSM's reply has no document"),
        (cbor2.dumps({"Attestation": {"document": "text"}}), "the NSM's reply has no document"),
        (cbor2.dumps({"GetRandom": {"random": b"x"}}), "the NSM's reply has no document"),
        (cbor2.dumps("LockPCR"), "the NSM's reply has no document"),
        (cbor2.dumps({"Attestation": {"document": b"x"}}) + b"\0", "1 bytes after the NSM's reply"),
        (cbor2.dumps({"Attestation": {"document": b"xyz"}})[:-1], "the NSM's reply is cut short"),
        (cbor2.dumps({1: 2}), "CBOR major type 0"),
        (b"\xa2\x61a\x40\x61a\x40", "a map whose keys are not different texts"),
        (b"\x5f\x41x\xff", "a CBOR head that is not read here: 0x5f"),
        (b"\x61\xff", "text that is not UTF-8"),
        (b"\xa1\x61a" * 9 + b"\x40", "nested too deep"),
        (b"", "cut short"),
    ],
)
def test_replies_that_are_no_document_are_refused(reply: bytes, words: str) -> None:
    with pytest.raises(SERVICE.Refused, match=words):
        SERVICE.attestation_document(reply)


@given(st.binary(max_size=200))
def test_no_reply_raises_anything_else(reply: bytes) -> None:
    try:
        value = SERVICE.cbor_decode(reply)
    except SERVICE.Refused:
        return
    assert cbor2.loads(reply) == value


def ask(request: bytes, attest: Callable[..., bytes]) -> bytes:
    """Send a request to the service over a socket pair and return what comes back."""
    ours, theirs = socket.socketpair()
    ours.sendall(request)
    ours.shutdown(socket.SHUT_WR)
    with theirs:
        SERVICE.answer(theirs, attest)
    answer = b""
    with ours:
        while chunk := ours.recv(65536):
            answer += chunk
    return answer


def test_a_request_gets_the_document() -> None:
    asked: list[tuple[object, ...]] = []

    def attest(*arguments: object) -> bytes:
        asked.append(arguments)
        return b"document"

    assert ask(b'{"nonce": "0aff", "user_data": "00", "public_key": null}\n', attest) == b"document"
    assert ask(b"{}\n", attest) == b"document"
    assert asked == [(b"\0", b"\x0a\xff", None), (None, None, None)]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (b"", "not one line of JSON"),
        (b"{}", "not one line of JSON"),
        (b"x" * 20000 + b"\n", "not one line of JSON"),
        (b"nonsense\n", "not JSON"),
        (b"[" * 9000 + b"\n", "not JSON"),
        (b"[]\n", "not an object"),
        (b'{"nonces": null}\n', "not an object"),
        (b'{"nonce": "xy"}\n', "nonce is not hexadecimal"),
        (b'{"nonce": 1}\n', "nonce is not hexadecimal"),
    ],
)
def test_requests_that_cannot_be_served_get_nothing(
    request_: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(request_, lambda *_: b"document") == b""
    assert words in capsys.readouterr().err


# -- the parent's client, against a server that speaks the protocol


@pytest.fixture
def enclave(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[Any]]]:
    """A unix socket where the project's own service answers, with the requests in place of documents."""
    path = str(tmp_path_factory.mktemp("s") / "5005.sock")
    asked: list[Any] = []

    def attest(user_data: bytes | None, nonce: bytes | None, public_key: bytes | None) -> bytes:
        asked.append((user_data, nonce, public_key))
        return b"" if user_data == b"nothing" else b"\x84" + b"d" * (100_000 if user_data == b"much" else 5000)

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(4)

    def serve() -> None:
        with contextlib.suppress(OSError):  # the listener is closed at the end of the test
            SERVICE.serve(listener, attest)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield path, asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def client(project: Path, *argv: str) -> Ran:
    done = subprocess.run(
        [sys.executable, "parent/client.py", *argv], cwd=project, capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_the_client_fetches_a_document(project: Path, enclave: tuple[str, list[Any]]) -> None:
    path, asked = enclave
    ran = client(project, "--socket", path, "--nonce", "00FF", "--user-data", "hello", "--output", "evidence.bin")
    assert ran == Ran(0, "nonce: 00ff\ndocument: evidence.bin (5001 bytes)\n", "")
    assert (project / "evidence.bin").read_bytes() == b"\x84" + b"d" * 5000
    assert asked == [(b"hello", b"\0\xff", None)]


def test_the_client_makes_a_nonce_and_says_it(project: Path, enclave: tuple[str, list[Any]]) -> None:
    path, asked = enclave
    nonces = []
    for _ in range(2):
        ran = client(project, "--socket", path, "--output", "evidence.bin")
        nonces.append(bytes.fromhex(ran.stdout.splitlines()[0].removeprefix("nonce: ")))
    assert [len(nonce) for nonce in nonces] == [32, 32]
    assert nonces[0] != nonces[1]
    assert [nonce for _, nonce, _ in asked] == nonces


@pytest.mark.parametrize(
    ("user_data", "words"),
    [
        ("nothing", "the enclave closed the connection without a document"),
        ("much", "the answer is longer than 65536 bytes"),
        ("x" * 9000, "the enclave closed the connection without a document"),
    ],
    ids=["nothing", "much", "too long to ask"],
)
def test_the_client_keeps_the_old_file_when_there_is_no_document(
    project: Path, enclave: tuple[str, list[Any]], user_data: str, words: str
) -> None:
    (project / "evidence.bin").write_bytes(b"old")
    ran = client(project, "--socket", enclave[0], "--user-data", user_data, "--output", "evidence.bin")
    assert ran == Ran(1, "", f"client: error: {words}\n")
    assert (project / "evidence.bin").read_bytes() == b"old"
    assert sorted(tree(project)) == sorted([*FILES, "evidence.bin"])


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (("--socket", "none.sock", "--output", "x"), 1, "client: error: [Errno 2] No such file or directory"),
        (("--output", "x"), 2, "one of the arguments --cid --socket is required"),
        (("--socket", "x", "--cid", "16", "--output", "x"), 2, "not allowed with argument"),
        (("--socket", "x", "--nonce", "xyz", "--output", "x"), 2, "not hexadecimal: 'xyz'"),
        (("--cid", "x", "--output", "x"), 2, "invalid int value: 'x'"),
    ],
)
def test_the_client_says_what_is_wrong(project: Path, argv: tuple[str, ...], status: int, words: str) -> None:
    ran = client(project, *argv)
    assert (ran.status, ran.stdout) == (status, "")
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
