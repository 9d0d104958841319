"""nitro-cli's contract, from the facts about it and not from the stand-in's code.

Every flag, output key, order and exit status that a wrapper may rely on, asked of a program named ``nitro-cli`` on
PATH, as a process. The stand-in is that program; with NITROCTL_REAL_NITRO_CLI=1 the tests that need no enclave host
are asked of the real one, too, and their images are those the stand-in built.
"""
# ruff: noqa: F811  (fixtures are imported, and asked for by their names)

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from nitroctl.standin.host import StandinHost
from tests.conftest import Ran
from tests.standin_host import NitroCli, codes, image, nitro_cli, standin  # noqa: F401  (fixtures)

#: Read before the fixtures clean the environment.
REAL: Final = shutil.which("nitro-cli") if os.environ.get("NITROCTL_REAL_NITRO_CLI") else None

HEX = re.compile(r"[0-9a-f]{96}")
ENCLAVE_ID = re.compile(r"i-[0-9a-f]{17}-enc[0-9a-f]{15,16}")
BLOCK = re.compile(
    r"\[ (?P<code>E[0-9]{2}) \] (?P<text>[^\n]+(?:\n[^\n]+)?)\n\n"
    r"For more details, please visit https://docs\.aws\.amazon\.com/enclaves/latest/user/cli-errors\.html#(?P=code)\n\n"
    r'If you open a support ticket, please provide the error log found at "(?P<path>[^"]+)"\n'
)


_NO_REAL = pytest.mark.skipif(REAL is None, reason="no real nitro-cli asked for (NITROCTL_REAL_NITRO_CLI)")


@pytest.fixture(params=["stand-in", pytest.param("real", marks=_NO_REAL)])
def either(request: pytest.FixtureRequest, nitro_cli: NitroCli) -> NitroCli:
    """The stand-in, and the real program where one was asked for."""
    if request.param == "stand-in":
        return nitro_cli
    assert REAL
    return NitroCli(nitro_cli.directory, f"{Path(REAL).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Paths of a P-384 key and its certificate."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    directory = tmp_path_factory.mktemp("signer")
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, "GB"), x509.NameAttribute(NameOID.COMMON_NAME, "signer")]
    )

    def certificate(begin: datetime, end: datetime) -> bytes:
        builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, end)
        return builder.sign(key, hashes.SHA384()).public_bytes(serialization.Encoding.PEM)

    now = datetime.now(UTC).replace(microsecond=0)
    day = timedelta(days=1)
    contents = {
        "key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        "certificate": certificate(now - day, now + day),
        "expired": certificate(now - 2 * day, now - day),
        "future": certificate(now + day, now + 2 * day),
        "malformed": b"no PEM\n",
    }
    for file, content in contents.items():
        (directory / file).write_bytes(content)
    return {file: str(directory / file) for file in contents} | {"absent": str(directory / "absent")}


def signing(signer: Mapping[str, str], *, key: str = "key", certificate: str = "certificate") -> list[str]:
    return ["--private-key", signer[key], "--signing-certificate", signer[certificate]]


# -- 1.1 the program


def test_version_line(either: NitroCli) -> None:
    ran = either("--version")
    assert (ran.status, ran.stderr) == (0, "")
    assert re.fullmatch(r"Nitro CLI [0-9]+\.[0-9]+\.[0-9]+\n", ran.stdout)
    assert either("-V") == ran


def test_no_arguments_is_help_on_stderr_and_status_2(either: NitroCli) -> None:
    ran = either()
    assert (ran.status, ran.stdout) == (2, "")
    assert "Usage: nitro-cli <COMMAND>" in ran.stderr


SUBCOMMANDS = [
    "run-enclave",
    "terminate-enclave",
    "build-enclave",
    "describe-eif",
    "describe-enclaves",
    "console",
    "pcr",
    "explain",
    "sign-eif",
]


def test_the_subcommands_are_these_and_help(either: NitroCli) -> None:
    listed = re.findall(r"^  ([a-z-]+) {2,}", either("--help").stdout.partition("Commands:")[2], re.MULTILINE)
    assert [name for name in listed if not name.startswith("-")] == [*SUBCOMMANDS, "help"]


@pytest.mark.parametrize("name", ["eif-info", "list", "logs", "start", "stop", "measure", "run", "measure-enclave"])
def test_no_such_subcommand(either: NitroCli, name: str) -> None:
    refused(either(name))


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_of_each_subcommand_is_on_stdout(either: NitroCli, name: str) -> None:
    for argv in ([name, "--help"], [name, "-h"], ["help", name]):
        ran = either(*argv)
        assert (ran.status, ran.stderr) == (0, "")
        assert f"nitro-cli {name}" in ran.stdout


FLAGS = {
    "run-enclave": [
        "attach-console",
        "config",
        "cpu-count",
        "cpu-ids",
        "debug-mode",
        "eif-path",
        "enclave-cid",
        "enclave-name",
        "memory",
    ],
    "terminate-enclave": ["all", "enclave-id", "enclave-name"],
    "build-enclave": [
        "docker-dir",
        "docker-uri",
        "metadata",
        "name",
        "output-file",
        "private-key",
        "signing-certificate",
        "version",
    ],
    "describe-eif": ["eif-path"],
    "describe-enclaves": ["metadata"],
    "console": ["disconnect-timeout", "enclave-id", "enclave-name"],
    "pcr": ["input", "signing-certificate"],
    "explain": ["error-code"],
    "sign-eif": ["eif-path", "private-key", "signing-certificate"],
}


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_flags_are_long_only_and_exactly_these(either: NitroCli, name: str) -> None:
    options = either(name, "--help").stdout.partition("Options:")[2]
    assert sorted(re.findall(r"^ +--([a-z-]+)", options, re.MULTILINE)) == FLAGS[name]
    assert re.findall(r"^ +-([A-Za-z]),", options, re.MULTILINE) == ["h"]


# -- 1.2 and 1.5 usage errors: status 2, nothing on stdout, before the log is touched

RUN = ["run-enclave", "--eif-path", "x", "--memory", "64", "--cpu-count", "2"]
USAGE_ERRORS = [
    ["--bogus"],
    ["-x"],
    ["run-enclave", "--version"],
    ["run-enclave"],
    RUN[:-2],
    [*RUN[:3], *RUN[5:]],
    ["run-enclave", *RUN[3:]],
    [*RUN, "--cpu-ids", "1"],
    [*RUN, "--config", "c.json"],
    ["run-enclave", "--config", "c.json", "--debug-mode"],
    ["run-enclave", "--config", "c.json", "--enclave-cid", "4"],
    ["run-enclave", "--config", "c.json", "--enclave-name", "n"],
    ["run-enclave", "--config", "c.json", "--cpu-ids", "1"],
    [*RUN, "--memory", "65"],
    [*RUN, "--debug-mode", "--debug-mode"],
    [*RUN, "--debug-mode=true"],
    [*RUN, "--debug"],
    [*RUN, "stray"],
    [*RUN[:3], "--memory", "-5", "--cpu-count", "2"],
    [*RUN[:3], "--cpu-count", "2", "--memory"],
    [*RUN[:3], "--memory", "--cpu-count", "2"],
    [*RUN[:5], "--cpu-ids"],
    ["terminate-enclave"],
    ["terminate-enclave", "--all", "--enclave-id", "x"],
    ["terminate-enclave", "--all", "--enclave-name", "x"],
    ["terminate-enclave", "--enclave-id", "x", "--enclave-name", "x"],
    ["console"],
    ["console", "--enclave-id", "x", "--enclave-name", "x"],
    ["console", "--enclave-name", "x", "--disconnect-timeout", "-1"],
    ["describe-eif"],
    ["describe-enclaves", "--metadata", "x"],
    ["build-enclave", "--docker-uri", "x"],
    ["build-enclave", "--output-file", "x"],
    ["build-enclave", "--docker-uri", "x", "--output-file", "y", "--private-key", "k"],
    ["build-enclave", "--docker-uri", "x", "--output-file", "y", "--signing-certificate", "c"],
    ["sign-eif", "--eif-path", "x", "--private-key", "k"],
    ["sign-eif", "--eif-path", "x", "--signing-certificate", "c"],
    ["pcr"],
    ["pcr", "--input", "x", "--signing-certificate", "x"],
    ["explain"],
    ["explain", "E26"],
    ["help", "bogus"],
]


def refused(ran: Ran) -> None:
    assert (ran.status, ran.stdout) == (2, "")
    assert re.match(r"error: [^\n]+\n", ran.stderr)
    assert "\nUsage: nitro-cli " in ran.stderr
    assert ran.stderr.endswith("\nFor more information, try '--help'.\n")


@pytest.mark.parametrize("argv", USAGE_ERRORS, ids=" ".join)
def test_usage_error(either: NitroCli, argv: list[str]) -> None:
    refused(either(*argv, NITRO_CLI_LOGS_PATH="/nonexistent"))


def test_a_value_may_be_attached(either: NitroCli, image: str) -> None:
    assert either("describe-eif", f"--eif-path={image}") == either("describe-eif", "--eif-path", image)


# -- 1.1, 3.4 every real command opens the log first

REAL_COMMANDS = [
    ["build-enclave", "--docker-uri", "x", "--output-file", "y.eif"],
    ["describe-eif", "--eif-path", "x"],
    ["describe-enclaves"],
    ["terminate-enclave", "--all"],
    ["console", "--enclave-name", "x"],
    ["pcr", "--input", "x"],
    ["explain", "--error-code", "E26"],
    ["sign-eif"],
    RUN,
]


@pytest.mark.parametrize("argv", REAL_COMMANDS, ids=lambda argv: argv[0])
def test_without_a_log_nothing_works(either: NitroCli, argv: list[str]) -> None:
    ran = either(*argv, NITRO_CLI_LOGS_PATH="/nonexistent")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (19, "", ["E19"])
    assert "support ticket" not in ran.stderr, "there is no error file to name"
    assert not (either.directory / "y.eif").exists()


def test_log_line_form(nitro_cli: NitroCli, standin: StandinHost) -> None:
    nitro_cli.result("describe-enclaves")
    line = (standin.directory / "log/nitro_enclaves.log").read_text().splitlines()[0]
    assert re.match(r"\[nitro-cli:[0-9]+\]\[INFO\]\[[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z\]\[[^\]]+\] ", line)


# -- 2.2 build-enclave


def test_build_prints_measurements_and_says_so(nitro_cli: NitroCli) -> None:
    ran = nitro_cli("build-enclave", "--docker-uri", "hello:1", "--output-file", "hello.eif")
    assert ran.status == 0
    assert ran.stderr.splitlines() == [
        "Start building the Enclave Image...",
        "Using the locally available Docker image...",
        "Enclave Image successfully created.",
    ]
    document = json.loads(ran.stdout)
    assert list(document) == ["Measurements"]
    assert list(document["Measurements"]) == ["HashAlgorithm", "PCR0", "PCR1", "PCR2"]
    assert all(HEX.fullmatch(document["Measurements"][name]) for name in ("PCR0", "PCR1", "PCR2"))


def test_signed_build_has_pcr8_of_the_certificate(nitro_cli: NitroCli, signer: Mapping[str, str]) -> None:
    argv = ["build-enclave", "--docker-uri", "hello:1", "--output-file", "hello.eif", *signing(signer)]
    built = nitro_cli.result(*argv)["Measurements"]
    assert list(built) == ["HashAlgorithm", "PCR0", "PCR1", "PCR2", "PCR8"]
    assert nitro_cli.result("pcr", "--signing-certificate", signer["certificate"]) == {"PCR8": built["PCR8"]}
    assert nitro_cli.result("describe-eif", "--eif-path", "hello.eif")["SignatureCheck"] is True


@pytest.mark.parametrize(
    ("knob", "code", "said"),
    [
        ("fail", 48, "Linuxkit reported an error while creating the bootstrap ramfs:"),
        ("nospace", 48, "no space left on device"),
        ("docker-down", 50, "Docker error:"),
        ("pull", 50, "Docker error:"),
    ],
)
def test_a_failed_build_leaves_an_empty_file(nitro_cli: NitroCli, knob: str, code: int, said: str) -> None:
    (nitro_cli.directory / "out.eif").write_text("an older image")
    argv = ["build-enclave", "--docker-uri", "hello:1", "--output-file", "out.eif"]
    ran = nitro_cli(*argv, NITROCTL_STANDIN_BUILD=knob)
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (code, "", [f"E{code}"])
    assert said in ran.stderr
    assert (nitro_cli.directory / "out.eif").read_bytes() == b""


def test_a_build_without_blobs_is_e19_and_leaves_the_output_alone(nitro_cli: NitroCli) -> None:
    argv = ["build-enclave", "--docker-uri", "hello:1", "--output-file", "out.eif"]
    ran = nitro_cli(*argv, NITRO_CLI_BLOBS="/nonexistent")
    assert (ran.status, codes(ran.stderr)) == (19, ["E19"])
    assert "/nonexistent/cmdline" in ran.stderr
    assert not (nitro_cli.directory / "out.eif").exists()


def test_a_dockerfile_that_is_missing_is_e49(nitro_cli: NitroCli) -> None:
    ran = nitro_cli("build-enclave", "--docker-uri", "h:1", "--docker-dir", "nowhere", "--output-file", "out.eif")
    assert (ran.status, codes(ran.stderr)) == (49, ["E49"])


def test_unwritable_output_is_e19(nitro_cli: NitroCli) -> None:
    ran = nitro_cli("build-enclave", "--docker-uri", "h:1", "--output-file", "no/such/dir.eif")
    assert (ran.status, codes(ran.stderr)) == (19, ["E19"])


@pytest.mark.parametrize(
    ("version", "status", "stdout_keys"), [("1.4.5", 0, ["HashAlgorithm", "PCR0", "PCR1", "PCR2"]), ("1.5.0", 48, None)]
)
def test_a_key_that_cannot_be_read_leaves_the_image_unsigned_before_1_5(
    nitro_cli: NitroCli, signer: Mapping[str, str], version: str, status: int, stdout_keys: list[str] | None
) -> None:
    argv = ["build-enclave", "--docker-uri", "h:1", "--output-file", "h.eif", *signing(signer, key="absent")]
    ran = nitro_cli(*argv, NITROCTL_STANDIN_VERSION=version)
    assert ran.status == status
    if stdout_keys is None:
        assert (ran.stdout, codes(ran.stderr)) == ("", ["E48"])
    else:
        assert list(json.loads(ran.stdout)["Measurements"]) == stdout_keys
        assert "Could not read signing info: " in ran.stderr
        assert nitro_cli.result("describe-eif", "--eif-path", "h.eif")["IsSigned"] is False


def test_a_malformed_certificate_crashes_the_build_but_not_sign_eif(
    nitro_cli: NitroCli, signer: Mapping[str, str], image: str
) -> None:
    malformed = signing(signer, certificate="malformed")
    ran = nitro_cli("build-enclave", "--docker-uri", "h:1", "--output-file", "h.eif", *malformed)
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (101, "", [])
    ran = nitro_cli("sign-eif", "--eif-path", image, *malformed)
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (60, "", ["E60"])


def test_sign_in_place(nitro_cli: NitroCli, signer: Mapping[str, str], image: str) -> None:
    before = nitro_cli.result("describe-eif", "--eif-path", image)
    ran = nitro_cli("sign-eif", "--eif-path", image, *signing(signer))
    assert (ran.status, ran.stderr) == (0, "Enclave Image successfully signed.\n")
    after = nitro_cli.result("describe-eif", "--eif-path", image)
    assert json.loads(ran.stdout) == {"Measurements": after["Measurements"]}
    assert {name: after["Measurements"][name] for name in before["Measurements"]} == before["Measurements"]
    assert after["IsSigned"] is after["SignatureCheck"] is after["CheckCRC"] is True
    nitro_cli.result("sign-eif", "--eif-path", image, *signing(signer))
    again = nitro_cli.result("describe-eif", "--eif-path", image)
    assert again == after, "a second signature replaces the first"


def test_sign_eif_needs_a_path_and_a_key_though_the_parser_does_not(either: NitroCli, image: str) -> None:
    ran = either("sign-eif")
    assert (ran.status, codes(ran.stderr)) == (1, ["E01"])
    ran = either("sign-eif", "--eif-path", image)
    assert (ran.status, codes(ran.stderr)) == (60, ["E60"])


def test_name_and_version_of_the_image(nitro_cli: NitroCli) -> None:
    def identity(*argv: str) -> tuple[str, str]:
        nitro_cli.result("build-enclave", "--output-file", "x.eif", *argv)
        described = nitro_cli.result("describe-eif", "--eif-path", "x.eif")
        return described["ImageName"], described["ImageVersion"]

    name, version = identity("--docker-uri", "localhost:5000/x")
    assert name == "localhost", "a registry's port cuts the name"
    assert re.fullmatch(r"[0-9a-f]{64}", version)
    assert identity("--docker-uri", "hello", "--name", "n", "--version", "v") == ("n", "v")


def test_no_home_and_no_artifacts_directory_is_e51(nitro_cli: NitroCli) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "NITRO_CLI_ARTIFACTS")}
    done = subprocess.run(
        ["nitro-cli", "build-enclave", "--docker-uri", "h", "--output-file", "h.eif"],
        cwd=nitro_cli.directory,
        env={**environment, "PATH": nitro_cli.path, "NITROCTL_STUB_PYTHON": sys.executable},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, codes(done.stderr.decode())) == (51, ["E51"])


# -- 2.6 describe-eif

DESCRIBED = ["EifVersion", "Measurements", "IsSigned", "CheckCRC", "ImageName", "ImageVersion", "Metadata"]
DESCRIBED_SIGNED = [
    "EifVersion",
    "Measurements",
    "IsSigned",
    "SigningCertificate",
    "CheckCRC",
    "SignatureCheck",
    "ImageName",
    "ImageVersion",
    "Metadata",
]
METADATA = ["BuildTime", "BuildTool", "BuildToolVersion", "OperatingSystem", "KernelVersion", "DockerInfo"]


def test_describe_eif_keys(either: NitroCli, image: str) -> None:
    ran = either("describe-eif", "--eif-path", image)
    assert (ran.status, ran.stderr) == (0, "")
    document = json.loads(ran.stdout)
    assert list(document) == DESCRIBED
    assert list(document["Metadata"]) == METADATA
    assert (document["EifVersion"], document["IsSigned"], document["CheckCRC"]) == (4, False, True)
    assert document["Metadata"]["BuildTool"] == "nitro-cli"


def test_describe_signed_eif_keys(either: NitroCli, nitro_cli: NitroCli, image: str, signer: Mapping[str, str]) -> None:
    nitro_cli.result("sign-eif", "--eif-path", image, *signing(signer))
    document = either.result("describe-eif", "--eif-path", image)
    assert list(document) == DESCRIBED_SIGNED
    certificate = document["SigningCertificate"]
    assert list(certificate) == ["IssuerName", "Algorithm", "NotBefore", "NotAfter", "Signature"]
    assert certificate["IssuerName"] == {"commonName": "signer", "countryName": "GB"}
    for name in ("NotBefore", "NotAfter"):
        assert re.fullmatch(r"[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [0-9]{4} GMT", certificate[name])
    assert re.fullmatch(r"(?:[0-9A-Fa-f]{2}:)+[0-9A-Fa-f]{2}", certificate["Signature"])


def test_custom_metadata_lies_flat(nitro_cli: NitroCli, either: NitroCli) -> None:
    (nitro_cli.directory / "m.json").write_text('{"Team": "blue", "Ticket": 7}')
    argv = ["build-enclave", "--docker-uri", "h", "--output-file", "h.eif", "--metadata", "m.json"]
    nitro_cli.result(*argv)
    metadata = either.result("describe-eif", "--eif-path", "h.eif")["Metadata"]
    assert list(metadata) == [*METADATA, "Team", "Ticket"]
    assert "CustomMetadata" not in metadata


@pytest.mark.parametrize(("content", "status"), [("{", 48), ('{"a": "' + "x" * 4096 + '"}', 48), ("[1]", 0)])
def test_custom_metadata_that_is_none(nitro_cli: NitroCli, content: str, status: int) -> None:
    """What is no object is built in, and then nothing can describe the image."""
    (nitro_cli.directory / "m.json").write_text(content)
    ran = nitro_cli("build-enclave", "--docker-uri", "h", "--output-file", "h.eif", "--metadata", "m.json")
    assert ran.status == status
    ran = nitro_cli("describe-eif", "--eif-path", "h.eif")
    assert (ran.status, codes(ran.stderr)) == ((35, ["E35"]) if status else (17, ["E17"]))


def test_a_wrong_checksum_is_an_answer_with_status_0(either: NitroCli, image: str) -> None:
    path = either.directory / image
    content = bytearray(path.read_bytes())
    content[547] ^= 1
    path.write_bytes(content)
    document = either.result("describe-eif", "--eif-path", image)
    assert document["CheckCRC"] is False


def test_a_signature_of_another_image_is_an_answer_with_status_0(
    either: NitroCli, nitro_cli: NitroCli, image: str, signer: Mapping[str, str]
) -> None:
    nitro_cli.result("sign-eif", "--eif-path", image, *signing(signer))
    path = either.directory / image
    path.write_bytes(path.read_bytes().replace(b"reboot=k", b"reboot=w"))
    document = either.result("describe-eif", "--eif-path", image)
    assert (document["IsSigned"], document["SignatureCheck"], document["CheckCRC"]) == (True, False, False)


@pytest.mark.parametrize("content", [b"", b"not an image", b".eif" + bytes(543)], ids=["empty", "text", "short"])
def test_what_is_no_image_is_e35(nitro_cli: NitroCli, content: bytes) -> None:
    (nitro_cli.directory / "x.eif").write_bytes(content)
    ran = nitro_cli("describe-eif", "--eif-path", "x.eif")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (35, "", ["E35"])


# -- 2.7 pcr and explain


def test_pcr_of_a_file(either: NitroCli) -> None:
    (either.directory / "x").write_bytes(b"content")
    expected = hashlib.sha384(bytes(48) + hashlib.sha384(b"content").digest()).hexdigest()
    assert either.result("pcr", "--input", "x") == {"PCR": expected}


def test_pcr_failures(either: NitroCli) -> None:
    ran = either("pcr", "--input", "absent")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (19, "", ["E19"])
    (either.directory / "x").write_bytes(b"no PEM")
    ran = either("pcr", "--signing-certificate", "x")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (57, "", ["E57"])


def test_explain_speaks_on_stderr_and_never_fails(either: NitroCli) -> None:
    ran = either("explain", "--error-code", "E27")
    assert (ran.status, ran.stdout) == (0, "")
    assert "Insufficient memory available." in ran.stderr
    for code in ("E57", "E58", "E59", "E61", "e27", "nonsense"):
        ran = either("explain", "--error-code", code)
        assert (ran.status, ran.stdout) == (0, "")
        assert f"No such error code {code}" in ran.stderr


# -- 2.3 run-enclave, 2.4 describe-enclaves, 2.5 terminate-enclave

LAUNCHED = ["EnclaveName", "EnclaveID", "ProcessID", "EnclaveCID", "NumberOfCPUs", "CPUIDs", "MemoryMiB"]
LISTED = [*LAUNCHED, "State", "Flags", "Measurements"]


def run(image: str, *more: str, memory: str = "512") -> list[str]:
    return ["run-enclave", "--eif-path", image, "--memory", memory, "--cpu-count", "2", *more]


def test_life_of_an_enclave(nitro_cli: NitroCli, image: str) -> None:
    ran = nitro_cli(*run(image))
    assert ran.status == 0
    launched = json.loads(ran.stdout)
    assert ran.stderr.splitlines() == [
        "Start allocating memory...",
        "Started enclave with enclave-cid: 16, memory: 512 MiB, cpu-ids: [1, 5]",
    ]
    assert list(launched) == LAUNCHED
    assert ENCLAVE_ID.fullmatch(launched["EnclaveID"])
    fixed = {key: launched[key] for key in LAUNCHED if key not in ("EnclaveID", "ProcessID")}
    assert fixed == {"EnclaveName": "hello", "EnclaveCID": 16, "NumberOfCPUs": 2, "CPUIDs": [1, 5], "MemoryMiB": 512}

    [listed] = nitro_cli.result("describe-enclaves")
    assert list(listed) == LISTED
    assert {key: listed[key] for key in LAUNCHED} == launched
    assert (listed["State"], listed["Flags"]) == ("RUNNING", "NONE")
    described = nitro_cli.result("describe-eif", "--eif-path", image)
    assert listed["Measurements"] == described["Measurements"]

    [full] = nitro_cli.result("describe-enclaves", "--metadata")
    assert list(full) == [*LISTED, "ImageName", "ImageVersion", "Metadata"]
    assert full["Metadata"] == described["Metadata"]

    ran = nitro_cli("terminate-enclave", "--enclave-id", launched["EnclaveID"])
    assert (ran.status, ran.stderr) == (0, f"Successfully terminated enclave {launched['EnclaveID']}.\n")
    ended = json.loads(ran.stdout)
    assert list(ended.items()) == [
        ("EnclaveName", "hello"),
        ("EnclaveID", launched["EnclaveID"]),
        ("Terminated", True),
    ]
    assert nitro_cli.result("describe-enclaves") == []


def test_debug_enclaves_list_the_images_registers(nitro_cli: NitroCli, image: str) -> None:
    nitro_cli.result(*run(image, "--debug-mode"))
    [listed] = nitro_cli.result("describe-enclaves")
    assert listed["Flags"] == "DEBUG_MODE"
    assert listed["Measurements"] == nitro_cli.result("describe-eif", "--eif-path", image)["Measurements"]


def test_names_are_made_unique_also_when_given(nitro_cli: NitroCli, image: str) -> None:
    assert nitro_cli.result(*run(image, "--enclave-name", "n"))["EnclaveName"] == "n"
    assert nitro_cli.result(*run(image, "--enclave-name", "n"))["EnclaveName"] == "n_1"
    ran = nitro_cli("terminate-enclave", "--enclave-name", "absent")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (58, "", ["E58"])
    assert nitro_cli.result("terminate-enclave", "--enclave-name", "n_1")["EnclaveName"] == "n_1"


def test_unknown_id_is_e11(nitro_cli: NitroCli) -> None:
    for argv in (["terminate-enclave"], ["console"]):
        ran = nitro_cli(*argv, "--enclave-id", "i-0123456789abcdef0-enc1")
        assert (ran.status, ran.stdout, codes(ran.stderr)) == (11, "", ["E11"])


def test_terminate_all_is_an_array_since_1_4_3(nitro_cli: NitroCli, image: str) -> None:
    assert nitro_cli.result("terminate-enclave", "--all") == []
    for _ in range(2):
        nitro_cli.result(*run(image))
    ended = nitro_cli.result("terminate-enclave", "--all")
    assert [list(one) for one in ended] == [["EnclaveName", "EnclaveID", "Terminated"]] * 2


def test_terminate_all_was_a_row_of_objects(nitro_cli: NitroCli, image: str) -> None:
    assert nitro_cli("terminate-enclave", "--all", NITROCTL_STANDIN_VERSION="1.4.2") == Ran(0, "", "")
    for _ in range(2):
        nitro_cli.result(*run(image))
    ran = nitro_cli("terminate-enclave", "--all", NITROCTL_STANDIN_VERSION="1.4.2")
    assert ran.status == 0
    assert re.sub(r'"(hello|i-)[^"]*"', '""', ran.stdout) == (
        '{\n  "EnclaveName": "",\n  "EnclaveID": "",\n  "Terminated": true\n}\n' * 2
    )


def test_terminate_all_stumbles_over_the_acm_agents_directory(nitro_cli: NitroCli, image: str) -> None:
    nitro_cli.result(*run(image), NITROCTL_STANDIN_STRAY="acm")
    assert len(nitro_cli.result("describe-enclaves")) == 1, "describe passes over it"
    ran = nitro_cli("terminate-enclave", "--all")
    assert (ran.status, codes(ran.stderr)) == (39, ["E39"])
    assert "Failed connections: 1\n" in ran.stderr
    assert [one["Terminated"] for one in json.loads(ran.stdout)] == [True]


def test_terminate_all_deletes_what_it_cannot_reach(nitro_cli: NitroCli, standin: StandinHost) -> None:
    """Any entry, while the others leave alone what does not end in .sock."""
    for name in ("stale.sock", "other"):
        (standin.directory / "run" / name).touch()
    assert nitro_cli.result("describe-enclaves") == []
    assert [path.name for path in (standin.directory / "run").iterdir()] == ["other"]
    ran = nitro_cli("terminate-enclave", "--all")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (39, "[]\n", ["E39"])
    assert list((standin.directory / "run").iterdir()) == []


def test_not_the_owner(nitro_cli: NitroCli, image: str) -> None:
    launched = nitro_cli.result(*run(image))
    ran = nitro_cli("terminate-enclave", "--enclave-id", launched["EnclaveID"], NITROCTL_STANDIN_NOT_OWNER="1")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (39, "", ["E39"])
    assert ran.stderr.startswith("Failed connections: 1\n[ E39 ] ")
    assert len(nitro_cli.result("describe-enclaves", NITROCTL_STANDIN_NOT_OWNER="1")) == 1, "all may describe"


def test_a_mute_manager_leaves_the_others_answers(nitro_cli: NitroCli, image: str) -> None:
    nitro_cli.result(*run(image))
    nitro_cli.result(*run(image), NITROCTL_STANDIN_MUTE="1")
    ran = nitro_cli("describe-enclaves")
    assert (ran.status, codes(ran.stderr)) == (39, ["E39"])
    assert ran.stderr.startswith("Failed connections: 1\n")
    assert [one["EnclaveName"] for one in json.loads(ran.stdout)] == ["hello"]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("64", 0),
        ("64M", 0),
        ("64m", 0),
        ("1G", 0),
        ("1g", 0),
        ("256MB", 3),
        ("1.5G", 3),
        ("much", 3),
        ("", 3),
        ("1T", 39),
    ],
)
def test_memory_values(nitro_cli: NitroCli, image: str, value: str, status: int) -> None:
    ran = nitro_cli(*run(image, memory=value))
    assert ran.status == status
    assert codes(ran.stderr) == {0: [], 3: ["E03"], 39: ["E27", "E39"]}[status]


def test_memory_units_came_with_1_2_3(nitro_cli: NitroCli, image: str) -> None:
    ran = nitro_cli(*run(image, memory="64M"), NITROCTL_STANDIN_VERSION="1.2.2")
    assert (ran.status, codes(ran.stderr)) == (3, ["E03"])


@pytest.mark.parametrize("value", ["1", "2", "3", "4294967295", "4294967296", "x", "1.5"])
def test_cids_that_cannot_be(nitro_cli: NitroCli, image: str, value: str) -> None:
    ran = nitro_cli(*run(image, "--enclave-cid", value))
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (3, "", ["E03"])
    assert ran.stderr.count("MISSING_INFO") == (2 if value.isdecimal() else 0)


def test_cids(nitro_cli: NitroCli, image: str) -> None:
    assert nitro_cli.result(*run(image, "--enclave-cid", "4"))["EnclaveCID"] == 4
    ran = nitro_cli(*run(image, "--enclave-cid", "0"))
    assert ran.stderr.startswith("The enclave CID will be auto-generated as the provided CID is 0\n")
    assert json.loads(ran.stdout)["EnclaveCID"] == 16
    nitro_cli.result("terminate-enclave", "--enclave-name", "hello_1")
    ran = nitro_cli(*run(image, "--enclave-cid", "4"))
    assert (ran.status, codes(ran.stderr)) == (39, ["E29", "E39"]), "in use"


@pytest.mark.parametrize(
    ("cpus", "status", "found"),
    [
        (["--cpu-count", "x"], 3, ["E03"]),
        (["--cpu-ids", "1,5"], 3, ["E03"]),
        (["--cpu-ids", "1", "5", "1"], 39, ["E20", "E39"]),
        (["--cpu-ids", "1", "3"], 39, ["E21", "E39"]),
        (["--cpu-count", "6"], 39, ["E22", "E39"]),
        (["--cpu-count", "0"], 39, ["E29", "E39"]),
        (["--cpu-count", "1"], 39, ["E29", "E39"]),
        (["--cpu-ids", "1", "2"], 39, ["E29", "E39"]),
        (["--cpu-ids", "2", "6"], 0, []),
        (["--cpu-count", "4"], 0, []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_cpus(nitro_cli: NitroCli, image: str, cpus: list[str], status: int, found: list[str]) -> None:
    ran = nitro_cli("run-enclave", "--eif-path", image, "--memory", "64", *cpus)
    assert (ran.status, codes(ran.stderr)) == (status, found)


def test_used_cpus_are_e29_not_e22(nitro_cli: NitroCli, image: str) -> None:
    nitro_cli.result(*run(image, memory="64"))
    ran = nitro_cli("run-enclave", "--eif-path", image, "--memory", "64", "--cpu-count", "4")
    assert (ran.status, codes(ran.stderr)) == (39, ["E29", "E39"])


# -- 3.1 the shape of errors


def test_a_failed_launch_is_told_in_two_blocks_with_a_file_each(nitro_cli: NitroCli, image: str) -> None:
    ran = nitro_cli(*run(image, memory="4096"))
    assert (ran.status, ran.stdout) == (39, "")
    head, _, rest = ran.stderr.partition("\n")
    assert head == "Start allocating memory..."
    first, middle, second = rest.partition("Failed connections: 1\n")
    assert middle
    for text, code, words in (
        (first, "E27", "Insufficient memory available."),
        (second, "E39", "Enclave process connection failure."),
    ):
        block = BLOCK.fullmatch(text)
        assert block
        assert block["code"] == code
        assert block["text"].startswith(words)
        assert ("\n" in block["text"]) == (code == "E27"), "E27 has a second line"
        assert re.search(r"/err[0-9]{4}-[0-9]{2}-[0-9]{2}T[^/]*\.log$", block["path"])
        file = Path(block["path"]).read_text()
        keys = re.findall(r"^  ([A-Z][a-z ]+):", file, re.MULTILINE)
        assert keys == ["Action", "Subactions", "Root error file", "Root error line", "Version"]
        assert "  Action: Run Enclave\n  Subactions:\n    " in file


def test_error_files_named_the_build_before_1_2_1(nitro_cli: NitroCli) -> None:
    ran = nitro_cli("describe-eif", "--eif-path", "absent", NITROCTL_STANDIN_VERSION="1.2.0")
    block = BLOCK.fullmatch(ran.stderr)
    assert block
    assert re.search(r"^  Build commit: ", Path(block["path"]).read_text(), re.MULTILINE)


def test_backtrace_on_request(either: NitroCli) -> None:
    assert "Backtrace:" not in either("describe-eif", "--eif-path", "absent").stderr
    assert "Backtrace:" in either("describe-eif", "--eif-path", "absent", BACKTRACE="1").stderr


def test_e19_names_the_file_in_its_second_line(either: NitroCli) -> None:
    ran = either("pcr", "--input", "absent-file")
    assert (ran.status, codes(ran.stderr)) == (19, ["E19"])
    assert "absent-file" in ran.stderr.splitlines()[1]


PREFIXES = """\
Unspecified error.|Missing mandatory argument.|Conflicting arguments.|Invalid argument provided.
Socket pair creation failure.|Process spawn failure.|Daemonize process failure.|Read from disk failure.
Unusable connection error.|Socket close error.|Socket connect set timeout error.|Socket error.|Epoll error.
Inotify error.|Invalid command.|Lock acquire failure.|Thread join failure.|Serde error.|File permissions error.
File operation failure.|Invalid CPU configuration.|No such CPU available in the pool.
Insufficient CPUs available in the pool.|Malformed CPU ID error.|CPU error.|No such hugepage flag error.
Insufficient memory requested.|Insufficient memory available.|Invalid enclave descriptor.|Ioctl failure."""


def test_first_words_of_the_errors(nitro_cli: NitroCli) -> None:
    for number, words in enumerate(PREFIXES.replace("\n", "|").split("|")):
        assert nitro_cli("explain", "--error-code", f"E{number:02}").stderr.startswith(words)


# -- 3.6 the order of the checks


def test_checks_come_in_nitro_clis_order(
    nitro_cli: NitroCli,
    standin: StandinHost,
    signer: Mapping[str, str],
    image: str,
) -> None:
    """Everything is wrong at once; what is wrong is mended in the order in which it is reported."""
    pool = standin.root / "sys/module/nitro_enclaves/parameters/ne_cpus"
    device = standin.root / "dev/nitro_enclaves"
    pages = standin.root / "sys/devices/system/node/node0/hugepages/hugepages-2048kB"
    path = nitro_cli.directory / "bad.eif"
    argv = ["run-enclave", "--eif-path", "bad.eif", "--memory", "64", "--cpu-count", "2"]

    def first(memory: str = "64", **variables: str) -> str:
        argv[4] = memory
        ran = nitro_cli(*argv, **variables)
        assert ran.status == 39
        found = codes(ran.stderr)
        assert found[1:] == ["E39"]
        started = "Start allocating memory..." in ran.stderr
        assert started == (found[0] in ("E27", "E29", "E36"))
        return found[0]

    content, names = pool.read_text(), {name: (pages / name).read_text() for name in ("nr_hugepages", "free_hugepages")}
    pool.unlink()
    device.unlink()
    for name in names:
        (pages / name).write_text("0\n")
    assert first() == "E19", "no image"
    nitro_cli.result(
        "build-enclave", "--docker-uri", "h", "--output-file", "bad.eif", *signing(signer, certificate="expired")
    )
    with path.open("ab") as stream:
        stream.truncate(17 * 1024 * 1024)
    assert first() == "E19", "no driver"
    pool.write_text("\n")
    assert first() == "E22", "no CPUs in the pool"
    pool.write_text("2-1\n")
    assert first() == "E24"
    pool.write_text("x\n")
    assert first() == "E23"
    pool.write_text(content)
    assert first() == "E26", "less than four times the image"
    assert first("128") == "E19", "no device"
    device.touch()
    assert first("128") == "E35", "what was added to the image's end is no section"
    nitro_cli.result(
        "build-enclave", "--docker-uri", "h", "--output-file", "bad.eif", *signing(signer, certificate="expired")
    )
    assert first() == "E59", "an expired certificate"
    shutil.copy(nitro_cli.directory / image, path)
    assert first() == "E27", "no huge pages"
    for name, number in names.items():
        (pages / name).write_text(number)
    argv[-1] = "1"
    assert first() == "E29", "half a core"
    argv[-1] = "2"
    assert first(NITROCTL_STANDIN_CLASH="1") == "E36", "another launch"
    assert nitro_cli(*argv).status == 0


def test_no_heartbeat_comes_after_started(nitro_cli: NitroCli, image: str) -> None:
    ran = nitro_cli(*run(image), NITROCTL_STANDIN_HEARTBEAT="fail")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (39, "", ["E36", "E39"])
    assert ran.stderr.index("Started enclave with enclave-cid: 16") < ran.stderr.index("[ E36 ]")
    assert nitro_cli.result("describe-enclaves") == []


def test_a_clash_comes_before_started(nitro_cli: NitroCli, image: str) -> None:
    ran = nitro_cli(*run(image), NITROCTL_STANDIN_CLASH="1")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (39, "", ["E36", "E39"])
    assert "Started enclave" not in ran.stderr


@pytest.mark.parametrize("certificate", ["expired", "future"])
def test_a_certificate_out_of_date_is_described_but_not_run(
    nitro_cli: NitroCli, signer: Mapping[str, str], certificate: str
) -> None:
    build = ["build-enclave", "--docker-uri", "h", "--output-file", "h.eif", *signing(signer, certificate=certificate)]
    nitro_cli.result(*build)
    assert nitro_cli.result("describe-eif", "--eif-path", "h.eif")["SignatureCheck"] is True
    ran = nitro_cli(*run("h.eif"))
    assert (ran.status, codes(ran.stderr)) == (39, ["E59", "E39"])


# -- 3.7 memory


def test_memory_is_taken_in_whole_pages(nitro_cli: NitroCli, standin: StandinHost, image: str) -> None:
    assert nitro_cli.result(*run(image, memory="65"))["MemoryMiB"] == 66
    nitro_cli.result("terminate-enclave", "--all")
    standin.allocate("1-2,5-6", 0, pages_1g=1)
    assert nitro_cli.result(*run(image, memory="256"))["MemoryMiB"] == 1024, "a lone page is taken whole"


def test_four_times_the_image_is_the_least(nitro_cli: NitroCli, standin: StandinHost) -> None:
    """``4 * size > memory`` fails; the least that is named is four times the image in whole MiB."""
    (standin.directory / "blobs/bzImage").write_bytes(bytes(20 * 1024 * 1024))
    nitro_cli.result("build-enclave", "--docker-uri", "h", "--output-file", "big.eif")
    size = (nitro_cli.directory / "big.eif").stat().st_size
    assert 20 * 2**20 < size < 20.5 * 2**20
    ran = nitro_cli(*run("big.eif", memory="80"))
    assert (ran.status, codes(ran.stderr)) == (39, ["E26", "E39"])
    assert "84 MiB" in ran.stderr
    assert nitro_cli(*run("big.eif", memory="82")).status == 0, "82 is enough: the test is on bytes"


def test_the_drivers_least_memory_is_64_mib(nitro_cli: NitroCli, image: str) -> None:
    ran = nitro_cli(*run(image, memory="62"))
    assert (ran.status, codes(ran.stderr)) == (39, ["E29", "E39"])


# -- 1.2 --config


def config(nitro_cli: NitroCli, **keys: object) -> list[str]:
    given = {"eif_path": "hello.eif", "memory_mib": 64, "cpu_count": 2} | keys
    (nitro_cli.directory / "c.json").write_text(
        json.dumps({key: value for key, value in given.items() if value != "absent"})
    )
    return ["run-enclave", "--config", "c.json"]


@pytest.mark.parametrize(
    ("keys", "status", "found"),
    [
        ({}, 0, []),
        ({"unknown": 1}, 0, []),
        ({"enclave_name": None, "enclave_cid": None}, 0, []),
        ({"cpu_count": None, "cpu_ids": [1, 5]}, 0, []),
        ({"cpu_count": "absent"}, 1, ["E01"]),
        ({"cpu_ids": [1, 5]}, 2, ["E02"]),
        ({"eif_path": "absent"}, 17, ["E17"]),
        ({"memory_mib": "absent"}, 17, ["E17"]),
        ({"memory_mib": "64"}, 17, ["E17"]),
        ({"cpu_count": True}, 17, ["E17"]),
        ({"cpu_count": None, "cpu_ids": ["1"]}, 17, ["E17"]),
        ({"debug_mode": 1}, 17, ["E17"]),
        ({"enclave_cid": 3}, 39, ["E29", "E39"]),
    ],
    ids=repr,
)
def test_config(nitro_cli: NitroCli, image: str, keys: dict[str, object], status: int, found: list[str]) -> None:
    ran = nitro_cli(*config(nitro_cli, **keys))
    assert (ran.status, codes(ran.stderr)) == (status, found)
    if found in (["E01"], ["E02"]):
        assert "MISSING_INFO" in ran.stderr


def test_config_file_trouble(nitro_cli: NitroCli) -> None:
    ran = nitro_cli("run-enclave", "--config", "absent.json")
    assert (ran.status, codes(ran.stderr)) == (19, ["E19"])
    (nitro_cli.directory / "c.json").write_text("{")
    ran = nitro_cli("run-enclave", "--config", "c.json")
    assert (ran.status, codes(ran.stderr)) == (17, ["E17"])


def test_attach_console_beside_config_is_ignored(nitro_cli: NitroCli, image: str) -> None:
    ran = nitro_cli(*config(nitro_cli), "--attach-console")
    assert ran.status == 0
    assert list(json.loads(ran.stdout)) == LAUNCHED
    assert nitro_cli.result("describe-enclaves")[0]["Flags"] == "NONE"


def attached(nitro_cli: NitroCli, *argv: str) -> tuple[str, str]:
    """Run with the console attached, end the enclave when the console said all it has to, return both streams."""
    with nitro_cli.start(*argv, NITROCTL_STANDIN_CONSOLE="hello from inside") as process:
        assert process.stdout
        stdout = ""
        for line in process.stdout:
            stdout += line
            if line == "hello from inside\n":
                break
        nitro_cli.result("terminate-enclave", "--all")
        rest, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, "the console ends with the enclave"
    return stdout + rest, stderr


@pytest.mark.parametrize("source", ["flag", "config"])
def test_an_attached_console_follows_the_json_on_stdout(nitro_cli: NitroCli, image: str, source: str) -> None:
    argv = run(image, "--attach-console") if source == "flag" else config(nitro_cli, attach_console=True)
    stdout, stderr = attached(nitro_cli, *argv)
    assert "Started enclave" in stderr
    first, end = json.JSONDecoder().raw_decode(stdout)
    assert list(first) == LAUNCHED
    lines = stdout[end:].splitlines()
    assert lines[:3] == ["", "Connecting to the console for enclave 16...", "Successfully connected to the console."]
    assert lines[-1] == "hello from inside"


# -- 2.3, 2.7 the console


def test_the_console_timer_runs_from_the_connection(nitro_cli: NitroCli, image: str) -> None:
    nitro_cli.result(*run(image, "--debug-mode"))
    ran = nitro_cli("console", "--enclave-name", "hello", "--disconnect-timeout", "1")
    assert (ran.status, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[:2] == ["Connecting to the console for enclave 16...", "Successfully connected to the console."]
    assert len(nitro_cli.result("describe-enclaves")) == 1, "the enclave goes on"


def test_console_of_an_enclave_without_debug_mode_is_e44(nitro_cli: NitroCli, image: str) -> None:
    nitro_cli.result(*run(image))
    ran = nitro_cli("console", "--enclave-name", "hello")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (44, "", ["E44"])


def test_console_timeout_is_a_number(nitro_cli: NitroCli) -> None:
    ran = nitro_cli("console", "--enclave-name", "x", "--disconnect-timeout", "soon")
    assert (ran.status, codes(ran.stderr)) == (3, ["E03"])


# -- 0 and 3.5 versions and places

VERSIONED = [
    ("1.0.9", ["describe-eif", "--eif-path", "x"]),
    ("1.0.9", ["pcr", "--input", "x"]),
    ("1.0.9", [*RUN, "--enclave-name", "x"]),
    ("1.0.9", ["console", "--enclave-id", "x", "--disconnect-timeout", "1"]),
    ("1.1.9", ["build-enclave", "--docker-uri", "x", "--output-file", "y", "--name", "n"]),
    ("1.1.9", ["build-enclave", "--docker-uri", "x", "--output-file", "y", "--metadata", "n"]),
    ("1.1.9", [*RUN, "--attach-console"]),
    ("1.1.9", ["describe-enclaves", "--metadata"]),
    ("1.3.9", ["sign-eif", "--eif-path", "x"]),
]


@pytest.mark.parametrize(("version", "argv"), VERSIONED, ids=repr)
def test_not_yet_there(nitro_cli: NitroCli, version: str, argv: list[str]) -> None:
    refused(nitro_cli(*argv, NITROCTL_STANDIN_VERSION=version))


def test_images_before_1_2_have_no_metadata(nitro_cli: NitroCli) -> None:
    argv = ["build-enclave", "--docker-uri", "h", "--output-file", "h.eif"]
    nitro_cli.result(*argv, NITROCTL_STANDIN_VERSION="1.1.0")
    document = nitro_cli.result("describe-eif", "--eif-path", "h.eif")
    assert list(document) == ["EifVersion", "Measurements", "IsSigned", "CheckCRC"]
    assert document["EifVersion"] == 3


def test_describe_before_1_1_knows_no_names_and_no_registers(nitro_cli: NitroCli, image: str) -> None:
    nitro_cli.result(*run(image))
    [listed] = nitro_cli.result("describe-enclaves", NITROCTL_STANDIN_VERSION="1.0.10")
    assert list(listed) == [key for key in LISTED if key not in ("EnclaveName", "Measurements")]


@pytest.mark.parametrize(("version", "text"), [("1.4.5", "Sha384 { ... }"), ("1.5.0", "Sha512_48 { .. }")])
def test_hash_algorithm_is_a_debug_rendering(nitro_cli: NitroCli, image: str, version: str, text: str) -> None:
    document = nitro_cli.result("describe-eif", "--eif-path", image, NITROCTL_STANDIN_VERSION=version)
    assert document["Measurements"]["HashAlgorithm"] == text


def test_no_sockets_directory_is_e07(nitro_cli: NitroCli, image: str) -> None:
    for argv in (["describe-enclaves"], run(image), ["terminate-enclave", "--enclave-name", "x"]):
        ran = nitro_cli(*argv, NITRO_CLI_SOCKETS_PATH="/nonexistent")
        assert (ran.status, ran.stdout, codes(ran.stderr)) == (7, "", ["E07"])
    ran = nitro_cli("terminate-enclave", "--all", NITRO_CLI_SOCKETS_PATH="/nonexistent")
    assert (ran.status, ran.stdout, codes(ran.stderr)) == (19, "", ["E19"])
