"""The wrapper: what nitro-cli is told, how its answers are read, and what becomes of a nitro-cli that misbehaves."""

import json
import os
from pathlib import Path

import pytest

from nitroctl.errors import CannotAnswer, NitroCliFailed
from nitroctl.host import console, nitro_cli, replies
from nitroctl.host.nitro_cli import Build, Launch, NitroCli

PCRS = {"HashAlgorithm": "Sha384 { ... }", "PCR0": "aa" * 48, "PCR1": "bb" * 48, "PCR2": "cc" * 48}
ENCLAVE = {
    "EnclaveName": "app",
    "EnclaveID": "i-0123456789abcdef0-enc17ad2edcbfdad4b",
    "ProcessID": 4711,
    "EnclaveCID": 16,
    "NumberOfCPUs": 2,
    "CPUIDs": [1, 5],
    "MemoryMiB": 512,
    "State": "RUNNING",
    "Flags": "NONE",
    "Measurements": PCRS,
}
STARTED = {key: ENCLAVE[key] for key in list(ENCLAVE)[:7]}
E39 = """[ E39 ] Enclave process connection failure. Such error appears.

For more details, please visit https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html#E39
"""


def fake(directory: Path, body: str, *, name: str = "nitro-cli") -> NitroCli:
    """A program of a few lines of shell that answers to the name of nitro-cli."""
    directory.mkdir(exist_ok=True)
    program = directory / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return NitroCli(str(program))


# -- what it is told


@pytest.mark.parametrize(
    ("launch", "arguments"),
    [
        (
            Launch(eif_path="a.eif", memory_mib=512, cpu_count=2),
            ["run-enclave", "--eif-path=a.eif", "--memory", "512", "--cpu-count", "2"],
        ),
        (
            Launch(eif_path="a.eif", memory_mib=512, cpu_ids=(1, 3)),
            ["run-enclave", "--eif-path=a.eif", "--memory", "512", "--cpu-ids", "1", "3"],
        ),
        (
            Launch(eif_path="-a.eif", memory_mib=64, cpu_count=2, cid=16, name="-x", debug=True, console=True),
            [
                "run-enclave",
                "--eif-path=-a.eif",
                "--memory",
                "64",
                "--cpu-count",
                "2",
                "--enclave-cid",
                "16",
                "--enclave-name=-x",
                "--debug-mode",
                "--attach-console",
            ],
        ),
        (
            Launch(eif_path="a.eif", memory_mib=64, cpu_count=2, cid=0),
            ["run-enclave", "--eif-path=a.eif", "--memory", "64", "--cpu-count", "2"],
        ),
    ],
)
def test_arguments_of_run_enclave(launch: Launch, arguments: list[str]) -> None:
    assert nitro_cli.run_arguments(launch) == arguments


def test_arguments_of_build_enclave() -> None:
    assert nitro_cli.build_arguments(Build(docker_uri="app:1", output="app.eif")) == [
        "build-enclave",
        "--docker-uri=app:1",
        "--output-file=app.eif",
    ]
    everything = Build(
        docker_uri="app:1",
        output="-app.eif",
        docker_dir="d",
        certificate="c.pem",
        private_key="k.pem",
        name="n",
        version="1",
        metadata="m.json",
    )
    assert nitro_cli.build_arguments(everything) == [
        "build-enclave",
        "--docker-uri=app:1",
        "--output-file=-app.eif",
        "--docker-dir=d",
        "--signing-certificate=c.pem",
        "--private-key=k.pem",
        "--name=n",
        "--version=1",
        "--metadata=m.json",
    ]


def test_arguments_that_name_one_enclave() -> None:
    assert nitro_cli.terminate_arguments("i-1-enc2") == ["terminate-enclave", "--enclave-id=i-1-enc2"]
    assert nitro_cli.console_arguments("i-1-enc2") == ["console", "--enclave-id=i-1-enc2"]
    assert nitro_cli.console_arguments("i-1-enc2", 9) == [
        "console",
        "--enclave-id=i-1-enc2",
        "--disconnect-timeout",
        "9",
    ]


GIB = 1024**3


@pytest.mark.parametrize(
    ("eif_bytes", "memory_mib", "limit"),
    [
        (1, 64, 180),
        (6 * GIB, 100 * 1024, 180),
        (6 * GIB + 1, 100 * 1024, 270),
        (6 * GIB, 100 * 1024 + 1, 270),
        (13 * GIB, 250 * 1024, 540),
    ],
)
def test_a_launch_gets_longer_than_nitro_cli_itself_waits_for_the_boot(
    eif_bytes: int, memory_mib: int, limit: int
) -> None:
    assert nitro_cli.boot_patience_s(eif_bytes, memory_mib) == limit + nitro_cli.BOOT_MARGIN_S


@pytest.mark.parametrize(
    ("build", "needed"),
    [
        (Build(docker_uri="a", output="b"), (0, 0, 0)),
        (Build(docker_uri="a", output="b", certificate="c", private_key="k.pem"), (0, 0, 0)),
        (Build(docker_uri="a", output="b", name="n"), (1, 2, 0)),
        (Build(docker_uri="a", output="b", version="n"), (1, 2, 0)),
        (Build(docker_uri="a", output="b", metadata="n"), (1, 2, 0)),
        (Build(docker_uri="a", output="b", certificate="c", private_key="arn:aws:kms:eu-west-1:1:key/x"), (1, 4, 0)),
    ],
)
def test_options_that_only_newer_versions_know(build: Build, needed: tuple[int, int, int]) -> None:
    assert build.needs[0] == needed


@pytest.mark.parametrize(("version", "refused"), [("1.1.0", True), ("1.2.0", False), ("1.10.0", False)])
def test_an_option_is_refused_where_nitro_cli_does_not_know_it(version: str, refused: bool, tmp_path: Path) -> None:  # noqa: FBT001
    cli = fake(tmp_path, f"echo 'Nitro CLI {version}'")
    if not refused:
        cli.require((1, 2, 0), "--name")
        return
    with pytest.raises(CannotAnswer) as caught:
        cli.require((1, 2, 0), "--name")
    assert caught.value.code == "nitro-cli.too-old"
    assert caught.value.message == "nitro-cli 1.1.0 does not know --name: it came with 1.2.0"


# -- how its answers are read


@pytest.mark.parametrize(
    ("text", "version"),
    [("Nitro CLI 1.5.0\n", (1, 5, 0)), ("Nitro CLI 1.1.0", (1, 1, 0)), ("warning\nNitro CLI 1.4.10-rc1", (1, 4, 10))],
)
def test_the_version(text: str, version: tuple[int, int, int]) -> None:
    assert replies.version(text) == version


@pytest.mark.parametrize("text", ["", "1.5.0", "nitro-cli 1.5.0", "Nitro CLI 1.5", "Nitro CLI x.y.z"])
def test_what_is_not_a_version(text: str) -> None:
    with pytest.raises(replies.Nonsense, match="not a version"):
        replies.version(text)


def test_enclaves_with_everything_a_version_may_add() -> None:
    more = {**ENCLAVE, "ImageName": "app", "Metadata": {"BuildTime": "x"}, "Uptime": 3}
    more["Measurements"] = {**PCRS, "HashAlgorithm": "Sha512_48 { .. }", "PCR8": "DD" * 48, "PCRX": 1}
    (enclave,) = replies.enclaves(json.dumps([more], indent=2) + "\n")
    assert (enclave.name, enclave.id, enclave.process_id, enclave.cid) == ("app", ENCLAVE["EnclaveID"], 4711, 16)
    assert (enclave.cpu_count, enclave.cpu_ids, enclave.memory_mib) == (2, (1, 5), 512)
    assert enclave.pcrs == {0: b"\xaa" * 48, 1: b"\xbb" * 48, 2: b"\xcc" * 48, 8: b"\xdd" * 48}
    assert enclave.other == {"ImageName": "app", "Metadata": {"BuildTime": "x"}, "Uptime": 3}
    assert not enclave.debug


@pytest.mark.parametrize(("flags", "debug"), [("NONE", False), ("DEBUG_MODE", True), ("", True), ("none", True)])
def test_only_the_one_word_that_says_so_means_no_debug_mode(flags: str, debug: bool) -> None:  # noqa: FBT001
    (enclave,) = replies.enclaves(json.dumps([{**ENCLAVE, "Flags": flags}]))
    assert enclave.debug is debug


def test_no_enclaves() -> None:
    assert replies.enclaves("[]\n") == ()


def without(key: str) -> str:
    return json.dumps([{name: value for name, value in ENCLAVE.items() if name != key}])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it printed nothing"),
        ("oops\n", r"not JSON: 'oops\n'"),
        ("\x1b[31m" + "x" * 500, "not JSON: '\\x1b[31m" + "x" * 115 + "'…"),
        ("{}", "not a list of enclaves: '{}'"),
        ("[] []", "something follows the JSON: ' []'"),
        ("[1]", "an enclave is not an object: '1'"),
        (without("EnclaveID"), "an enclave lacks EnclaveID: "),
        (without("Flags"), "an enclave lacks Flags: "),
        (without("Measurements"), "an enclave lacks Measurements: "),
        (json.dumps([{**ENCLAVE, "EnclaveCID": "16"}]), "EnclaveCID of an enclave is not a number: '\"16\"'"),
        (json.dumps([{**ENCLAVE, "EnclaveCID": True}]), "EnclaveCID of an enclave is not a number: 'true'"),
        (json.dumps([{**ENCLAVE, "EnclaveCID": -1}]), "EnclaveCID of an enclave is below zero: -1"),
        (json.dumps([{**ENCLAVE, "CPUIDs": [1, "5"]}]), "CPUIDs of an enclave is not a list of numbers: "),
        (json.dumps([{**ENCLAVE, "Measurements": {"PCR0": "aa" * 48}}]), "the measurements lack PCR1, PCR2: "),
        (json.dumps([{**ENCLAVE, "Measurements": {**PCRS, "PCR0": "aa" * 32}}]), "PCR0 is not 96 hexadecimal digits: "),
        ("[" * 100_000, "not JSON: "),
    ],
)
def test_what_cannot_be_a_list_of_enclaves_is_refused_showing_where_it_begins(text: str, said: str) -> None:
    with pytest.raises(replies.Nonsense) as caught:
        replies.enclaves(text)
    assert str(caught.value).startswith(said)
    assert str(caught.value).isascii() or "…" in str(caught.value)


def test_a_started_enclave_with_the_console_behind_it() -> None:
    text = json.dumps(STARTED, indent=2) + "\nConnecting to the console for enclave 16...\n{not json}"
    launched = replies.launched(text)
    assert (launched.name, launched.id, launched.cid, launched.cpu_ids, launched.memory_mib) == (
        "app",
        ENCLAVE["EnclaveID"],
        16,
        (1, 5),
        512,
    )


ONE = {"EnclaveName": "a", "EnclaveID": "i-1", "Terminated": True}
TWO = {"EnclaveName": "b", "EnclaveID": "i-2", "Terminated": True}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (json.dumps(ONE, indent=2) + "\n", ["i-1"]),
        (json.dumps([ONE, TWO], indent=2) + "\n", ["i-1", "i-2"]),
        (json.dumps(ONE, indent=2) + "\n" + json.dumps(TWO, indent=2) + "\n", ["i-1", "i-2"]),
        ("[]\n", []),
        ("", []),
    ],
    ids=["one", "array since 1.4.3", "in a row before 1.4.3", "none since 1.4.3", "none before 1.4.3"],
)
def test_terminated_enclaves(text: str, ids: list[str]) -> None:
    assert [ended.id for ended in replies.ended(text)] == ids


@pytest.mark.parametrize("hash_algorithm", ["Sha384 { ... }", "Sha512_48 { .. }", "", None])
def test_the_hash_algorithm_is_never_looked_at(hash_algorithm: str | None) -> None:
    text = json.dumps({"Measurements": {**PCRS, "HashAlgorithm": hash_algorithm}})
    assert sorted(replies.measurements(text)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("buffer", "end"),
    [
        (b"", None),
        (b'{"a": ', None),
        (b'{"a": 1}', 8),
        (b'\n {"a": "\xc3\xa4"}\xff console', 13),
        (b"console text", None),
    ],
)
def test_where_the_first_reply_ends(buffer: bytes, end: int | None) -> None:
    assert replies.complete(buffer) == end


@pytest.mark.parametrize(
    ("chunks", "left"),
    [
        ([b"Connecting to the console for enclave 16...\nSuccessfully connected to the console.\nboot\n"], b"boot\n"),
        (
            [
                b"Connecting to the con",
                b"",
                b"sole for enclave 16...\r\nSuccess",
                b"fully connected to the console.\r\nx",
            ],
            b"x",
        ),
        (
            [b"boot\nConnecting to the console for enclave 16...\n"],
            b"boot\nConnecting to the console for enclave 16...\n",
        ),
        ([b"Connecting to the console for enclave 16...\nother\n"], b"other\n"),
        ([b"no end of line"], b"no end of line"),
        ([b"x" * 300, b"y"], b"x" * 300 + b"y"),
        ([b"", b""], b""),
    ],
)
def test_the_console_comes_without_nitro_clis_own_words(chunks: list[bytes], left: bytes) -> None:
    assert b"".join(console.without_banner(chunks)) == left


# -- a nitro-cli that misbehaves


def test_a_name_is_looked_up_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = fake(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nitro_cli.find("nitro-cli") == cli


def test_an_absent_nitro_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotAnswer) as caught:
        nitro_cli.find("nitro-cli")
    assert (caught.value.code, caught.value.message) == ("nitro-cli.missing", "nitro-cli: no such program on PATH")


def test_a_nitro_cli_without_the_execute_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nitro-cli").write_text("")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotAnswer) as caught:
        nitro_cli.find("nitro-cli")
    assert caught.value.code == "nitro-cli.not-executable"


@pytest.mark.parametrize("content", ["#!/nonexistent/interpreter\n", "\x7fELF not really"])
def test_a_nitro_cli_that_the_kernel_refuses(content: str, tmp_path: Path) -> None:
    program = tmp_path / "nitro-cli"
    program.write_text(content)
    program.chmod(0o755)
    with pytest.raises(CannotAnswer) as caught:
        NitroCli(str(program)).version()
    assert caught.value.code == "nitro-cli.not-executable"


def test_a_nitro_cli_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nitro_cli, "PATIENCE_S", 0.5)
    cli = fake(tmp_path, "echo 'waiting for a miracle' >&2; sleep 1000")
    with pytest.raises(CannotAnswer) as caught:
        cli.describe()
    assert caught.value.code == "nitro-cli.timeout"
    assert caught.value.hints == ("run it by hand to see what it waits for", "its last words: waiting for a miracle")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo no", r"not JSON: 'no\n'"),
        ("exit 0", "it printed nothing"),
        (r"printf '[\377]'", r"not JSON: '[\\xff]'"),
        ("head -c 20000000 /dev/zero", "its answer is larger than any it has to give"),
    ],
)
def test_a_nitro_cli_that_prints_nonsense(body: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as caught:
        fake(tmp_path, body).describe()
    assert caught.value.code == "nitro-cli.nonsense"
    assert caught.value.message == f"nitro-cli describe-enclaves: its answer cannot be used: {said}"


def test_a_nitro_cli_that_is_killed(tmp_path: Path) -> None:
    with pytest.raises(NitroCliFailed) as caught:
        fake(tmp_path, "kill -SEGV $$").describe()
    assert caught.value.message == "nitro-cli describe-enclaves failed: ended by SIGSEGV"
    assert caught.value.details["signal"] == "SIGSEGV"


def test_a_partial_description_keeps_what_answered(tmp_path: Path) -> None:
    (tmp_path / "out").write_text(json.dumps([ENCLAVE], indent=2))
    (tmp_path / "err").write_text(f"Failed connections: 1\n{E39}")
    described = fake(tmp_path, f"cat {tmp_path}/out; cat {tmp_path}/err >&2; exit 39").describe()
    assert [enclave.name for enclave in described.enclaves] == ["app"]
    assert described.trouble is not None
    assert described.trouble.details["nitro_cli_code"] == "E39"


@pytest.mark.parametrize("out", ["", "[", "[{}]"])
def test_a_failed_description_without_usable_output_is_the_failure(out: str, tmp_path: Path) -> None:
    (tmp_path / "err").write_text(E39)
    with pytest.raises(NitroCliFailed) as caught:
        fake(tmp_path, f"printf '{out}'; cat {tmp_path}/err >&2; exit 39").describe()
    assert caught.value.details["nitro_cli_code"] == "E39"


@pytest.mark.parametrize(
    "reply",
    [
        "[]",
        '{"EnclaveName": "a", "EnclaveID": "i-2", "Terminated": true}',
        '{"EnclaveName": "a", "EnclaveID": "i-1", "Terminated": false}',
    ],
)
def test_a_termination_that_does_not_say_so_is_not_believed(reply: str, tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer) as caught:
        fake(tmp_path, f"echo '{reply}'").terminate("i-1")
    assert caught.value.code == "nitro-cli.nonsense"


def test_what_is_added_to_the_environment_reaches_it_beside_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITRO_CLI_BLOBS", "/blobs")
    cli = fake(tmp_path, f'echo "$NITRO_CLI_ARTIFACTS $NITRO_CLI_BLOBS" > {tmp_path}/seen; echo Nitro CLI 1.5.0')
    NitroCli(cli.path, {"NITRO_CLI_ARTIFACTS": "/mine"}).version()
    assert (tmp_path / "seen").read_text() == "/mine /blobs\n"
    assert "NITRO_CLI_ARTIFACTS" not in os.environ
