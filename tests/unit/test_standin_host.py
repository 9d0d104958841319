"""The stand-in host as a directory, and the knobs."""
# ruff: noqa: F811  (fixtures are imported, and asked for by their names)

import json
import re
import subprocess
from pathlib import Path

import pytest

from nitroctl.standin import host as module
from nitroctl.standin import knobs
from nitroctl.standin.host import StandinHost, create
from tests.standin_host import NitroCli, codes, image, nitro_cli, standin  # noqa: F401  (fixtures)

RUN = ["run-enclave", "--eif-path", "hello.eif", "--memory", "512", "--cpu-count", "2"]


def shown(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_fresh_host(standin: StandinHost) -> None:
    files = shown(standin.root)
    assert files["sys/module/nitro_enclaves/parameters/ne_cpus"] == "1-2,5-6\n"
    assert files["sys/devices/system/cpu/online"] == "0,3-4,7\n"
    assert files["sys/devices/system/cpu/offline"] == "1-2,5-6\n"
    assert files["sys/devices/system/cpu/cpu0/topology/thread_siblings_list"] == "0,4\n"
    assert "sys/devices/system/cpu/cpu1/topology/core_id" not in files, "CPUs that are offline show no topology"
    assert files["sys/devices/system/node/node0/cpulist"] == "0,3-4,7\n"
    assert files["sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"] == "1024\n"
    assert files["sys/devices/system/node/node0/hugepages/hugepages-1048576kB/free_hugepages"] == "0\n"
    assert files["sys/devices/virtual/dmi/id/board_asset_tag"] == f"{module.INSTANCE_ID}\n"
    assert (standin.root / "dev/nitro_enclaves").exists()
    lines = [line for line in standin.allocator.read_text().splitlines() if not line.startswith("#")]
    assert lines == ["---", "memory_mib: 2048", "cpu_count: 4"]
    assert (standin.directory / "run").is_dir()
    assert standin.root_certificate.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


def test_the_environment_is_enough_from_any_directory(standin: StandinHost, tmp_path: Path) -> None:
    """A program in the caller's directory that is named like a module of ours is not taken for it."""
    (tmp_path / "nitroctl.py").write_text("raise SystemExit('the wrong one')\n")
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')\n")
    done = subprocess.run(
        ["nitro-cli", "describe-enclaves"],
        cwd=tmp_path,
        env=standin.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_allocating_anew(standin: StandinHost) -> None:
    standin.allocate("3,7", 64, pages_1g=2)
    files = shown(standin.root)
    assert files["sys/module/nitro_enclaves/parameters/ne_cpus"] == "3,7\n"
    assert files["sys/devices/system/cpu/online"] == "0-2,4-6\n"
    assert files["sys/devices/system/cpu/cpu1/topology/thread_siblings_list"] == "1,5\n"
    assert "sys/devices/system/cpu/cpu7/topology/core_id" not in files
    assert files["sys/devices/system/node/node0/hugepages/hugepages-1048576kB/free_hugepages"] == "2\n"
    standin.allocate("", 0)
    assert (standin.root / "sys/module/nitro_enclaves/parameters/ne_cpus").read_text() == ""


def test_memory_is_on_the_node_of_the_pool(tmp_path: Path) -> None:
    files = shown(create(tmp_path / "h", cpus=8, numa_nodes=2, pool_cpus="2,6", memory_mib=64).root)
    pages = "sys/devices/system/node/node{}/hugepages/hugepages-2048kB/nr_hugepages"
    assert (files[pages.format(0)], files[pages.format(1)]) == ("0\n", "32\n")


def test_a_second_object_is_the_same_host(standin: StandinHost, nitro_cli: NitroCli, image: str) -> None:
    process = nitro_cli.result(*RUN)["ProcessID"]
    again = StandinHost(standin.directory)
    assert again.managers() == [process]
    assert again.environment == standin.environment


def test_without_a_host_nothing_runs_but_images_are_built(
    nitro_cli: NitroCli,
    image: str,
) -> None:
    ran = nitro_cli(*RUN, NITROCTL_STANDIN_HOST="")
    assert (ran.status, codes(ran.stderr)) == (39, ["E19", "E39"])
    assert "/sys/module/nitro_enclaves/parameters/ne_cpus" in ran.stderr
    build = ["build-enclave", "--docker-uri", "h", "--output-file", "h.eif"]
    assert nitro_cli(*build, NITROCTL_STANDIN_HOST="").status == 0


# -- the knobs


def test_every_knob_is_in_the_table() -> None:
    table = (module.__doc__ or "").partition("The knobs")[2]
    rows = re.findall(r"^([A-Z_]+) {2,}", table, re.MULTILINE)
    assert sorted(rows) == sorted({*knobs.KNOBS, "NITROCTL_STANDIN_"} - {"NITROCTL_STANDIN_"})


def test_a_misspelt_knob_stops_the_program(nitro_cli: NitroCli) -> None:
    ran = nitro_cli("--version", NITROCTL_STANDIN_HARTBEAT="fail")
    assert (ran.status, ran.stdout) == (70, "")
    assert ran.stderr == "stand-in for nitro-cli: no such knob: NITROCTL_STANDIN_HARTBEAT\n"


def test_version(nitro_cli: NitroCli) -> None:
    assert nitro_cli("--version", NITROCTL_STANDIN_VERSION="1.3.4").stdout == "Nitro CLI 1.3.4\n"


@pytest.mark.parametrize(
    ("kind", "stdout"),
    [("empty", b""), ("null", b"null\n"), ("scalar", b"42\n"), ("text", None), ("truncated", None), ("binary", None)],
)
def test_nonsense(nitro_cli: NitroCli, image: str, kind: str, stdout: bytes | None) -> None:
    done = subprocess.run(
        ["nitro-cli", "describe-eif", "--eif-path", image],
        cwd=nitro_cli.directory,
        env=nitro_cli.environment(NITROCTL_STANDIN_NONSENSE=kind),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    if stdout is not None:
        assert done.stdout == stdout
    else:
        assert done.stdout
        with pytest.raises(ValueError, match=r"."):
            json.loads(done.stdout)


@pytest.mark.parametrize("command", ["build-enclave", "describe-eif", "describe-enclaves"])
def test_tampering_is_with_one_command_only(nitro_cli: NitroCli, image: str, command: str) -> None:
    nitro_cli.result(*RUN)
    honest = nitro_cli.result("describe-eif", "--eif-path", image)["Measurements"]
    told = {
        "build-enclave": ["build-enclave", "--docker-uri", "hello:1", "--output-file", "again.eif"],
        "describe-eif": ["describe-eif", "--eif-path", image],
        "describe-enclaves": ["describe-enclaves"],
    }
    for name, argv in told.items():
        answer = nitro_cli.result(*argv, NITROCTL_STANDIN_TAMPER=command)
        measurements = (answer[0] if isinstance(answer, list) else answer)["Measurements"]
        assert (measurements["PCR0"] == honest["PCR0"]) == (name != command)
        assert measurements["PCR1"] == honest["PCR1"]


def test_hanging(nitro_cli: NitroCli, image: str) -> None:
    assert nitro_cli("describe-eif", "--eif-path", image, NITROCTL_STANDIN_HANG="describe-enclaves").status == 0
    with nitro_cli.start("describe-enclaves", NITROCTL_STANDIN_HANG="describe-enclaves") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=0.5)
        process.terminate()


def test_a_build_that_hangs_has_begun(nitro_cli: NitroCli) -> None:
    build = ["build-enclave", "--docker-uri", "h", "--output-file", "h.eif"]
    with nitro_cli.start(*build, NITROCTL_STANDIN_BUILD="hang") as process:
        assert process.stderr
        assert process.stderr.readline() == "Start building the Enclave Image...\n"
        assert process.stderr.readline() == "Using the locally available Docker image...\n"
        assert (nitro_cli.directory / "h.eif").read_bytes() == b""
        process.terminate()


def test_a_build_can_be_loud(nitro_cli: NitroCli) -> None:
    build = ["build-enclave", "--docker-uri", "h", "--output-file", "h.eif"]
    ran = nitro_cli(*build, NITROCTL_STANDIN_LINUXKIT="300")
    assert ran.status == 0
    assert 290 * 1024 < len(ran.stderr) < 310 * 1024


def test_architecture(nitro_cli: NitroCli) -> None:
    build = ["build-enclave", "--docker-uri", "h", "--output-file", "h.eif"]
    assert nitro_cli(*build, NITROCTL_STANDIN_ARCHITECTURE="arm64").status == 0
    assert (nitro_cli.directory / "h.eif").read_bytes()[6:8] == b"\x00\x01"
    ran = nitro_cli(*build, NITROCTL_STANDIN_ARCHITECTURE="riscv64")
    assert (ran.status, codes(ran.stderr)) == (48, ["E48"])


def test_state(nitro_cli: NitroCli, image: str) -> None:
    nitro_cli.result(*RUN, NITROCTL_STANDIN_STATE="TERMINATING")
    assert nitro_cli.result("describe-enclaves")[0]["State"] == "TERMINATING"


def test_hash_algorithm(nitro_cli: NitroCli, image: str) -> None:
    document = nitro_cli.result("describe-eif", "--eif-path", image, NITROCTL_STANDIN_HASH_ALGORITHM="odd")
    assert document["Measurements"]["HashAlgorithm"] == "odd"


def test_a_dockerfile_that_fails(nitro_cli: NitroCli) -> None:
    (nitro_cli.directory / "Dockerfile").write_text("FROM scratch\nCMD x\n")
    build = ["build-enclave", "--docker-uri", "h", "--docker-dir", ".", "--output-file", "h.eif"]
    assert nitro_cli(*build).status == 0
    ran = nitro_cli(*build, NITROCTL_STANDIN_BUILD="dockerfile")
    assert (ran.status, codes(ran.stderr)) == (49, ["E49"])
    assert "Output error:" in ran.stderr
    assert nitro_cli(*build, NITROCTL_STANDIN_BUILD="panic").status == 101


def test_signing_that_fails(nitro_cli: NitroCli) -> None:
    for name in ("k", "c"):
        (nitro_cli.directory / name).write_text("not looked at")
    build = ["build-enclave", "--docker-uri", "h", "--output-file", "h.eif"]
    sign = ["--private-key", "k", "--signing-certificate", "c"]
    ran = nitro_cli(*build, *sign, NITROCTL_STANDIN_SIGNING="fail")
    assert (ran.status, codes(ran.stderr)) == (48, ["E48"])
    ran = nitro_cli(*build, *sign, NITROCTL_STANDIN_SIGNING="fail", NITROCTL_STANDIN_VERSION="1.4.5")
    assert (ran.status, "PCR8" in ran.stdout) == (0, False)


def test_blobs_that_are_there_are_used(standin: StandinHost, nitro_cli: NitroCli) -> None:
    build = ["build-enclave", "--docker-uri", "h", "--output-file", "h.eif"]
    first = nitro_cli.result(*build)["Measurements"]
    (standin.directory / "blobs/init").write_bytes(b"another init")
    second = nitro_cli.result(*build)["Measurements"]
    assert (first["PCR1"] != second["PCR1"], first["PCR2"] == second["PCR2"]) == (True, True)
    assert sorted(path.name for path in (standin.directory / "artifacts").iterdir()) == [
        "bootstrap-initrd.img-initrd.img",
        "customer-initrd.img-initrd.img",
    ]
