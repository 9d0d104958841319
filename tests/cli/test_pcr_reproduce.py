"""``nitroctl pcr reproduce``: what a build records, and whether others get the same image from it."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import nitroctl
from nitroctl.errors import CannotAnswer
from nitroctl.records import Build, Ledger, reproduce
from tests import images, oci_images
from tests import records as ledgers
from tests.cli.test_eif_build import CONFIG, LAYER, SAVES, docker, lay, sign_with
from tests.conftest import Cli, Ran
from tests.oci_images import as_archive, as_directory, sha256
from tests.standin_host import standin
from tests.unit.test_eif_parts import elf

__all__ = ["standin"]

NAMING = ("--record", "--component", "app", "--environment", "prod", "--release", "1.0.0")
NO_SOURCE = "\nChecks\n– The source is as the recorded commit has it\n  not checked: {}\n  [reproduce.source]\n"
NOT_ASKED = NO_SOURCE.format("not requested (--checkout DIR); the registers say whether its files are the same")
NO_COMMIT = NO_SOURCE.format("no commit is recorded")
HINT = "nitroctl: note: --image FILE, with the recorded image of app-1.0.0@prod, says down to the file what differs\n"


def git(*arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a root file system in it; blobs and archives beside it are not committed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NITRO_CLI_BLOBS", "blobs")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    lay(tmp_path)
    git("init", "-q")
    git("remote", "add", "origin", "https://ci:secret@example.com/app.git")
    git("add", "rootfs")
    git("commit", "-q", "-m", "first")
    git("tag", "v1.0.0")
    return tmp_path


def recorded(cli: Cli, source: str = "rootfs", *more: str) -> Any:
    """Build and record the image, and return its entry."""
    options = more if source != "rootfs" else ("--cmd", "/bin/app --serve", *more)
    ran = cli("eif", "build", source, *options, "--output-file", "image.eif", *NAMING)
    assert ran.status == 0, ran.stderr
    return entry()


def entry() -> Any:
    (found,) = json.loads(Path("measurements.json").read_text())["entries"]
    return found


def again(cli: Cli, *more: str) -> Any:
    ran = cli("pcr", "reproduce", "app-1.0.0", *more, "--json")
    return ran.json["data"]


# -- what a build records


def test_a_build_records_what_decides_the_image(cli: Cli) -> None:
    found = recorded(cli, "rootfs", "--source-git", "--env", "MODE=fast")
    assert found["source"] == {
        "uri": "https://example.com/app.git",
        "ref": "refs/tags/v1.0.0",
        "commit": git("rev-parse", "HEAD"),
        "path": "rootfs",
    }
    assert found["build"] == {
        "builder": "nitroctl",
        "versions": {"nitroctl": nitroctl.__version__},
        "inputs": {
            "cmdline": sha256(Path("blobs/cmdline").read_bytes().strip()).removeprefix("sha256:"),
            "init": sha256(Path("blobs/init").read_bytes()).removeprefix("sha256:"),
            "kernel": sha256(Path("blobs/bzImage").read_bytes()).removeprefix("sha256:"),
            "nsm.ko": sha256(Path("blobs/nsm.ko").read_bytes()).removeprefix("sha256:"),
        },
        "recipe": {
            "platform": "linux/amd64",
            "cmd": ["/bin/app", "--serve"],
            "env": ["MODE=fast"],
            "source_date_epoch": 1492533000,
        },
    }


def test_a_container_image_is_recorded_by_its_id(cli: Cli) -> None:
    found = recorded(cli, "app.tar", "--source-uri", "https://example.com/app", "--source-commit", "abc")
    about = oci_images.config([LAYER], config=CONFIG)
    assert found["build"]["inputs"]["image"] == sha256(oci_images.compact(about)).removeprefix("sha256:")
    assert found["build"]["recipe"] == {"source_date_epoch": 1492533000}
    assert found["source"] == {"uri": "https://example.com/app", "commit": "abc"}


def test_no_commit_is_recorded_that_has_other_files(cli: Cli) -> None:
    Path("rootfs/more").write_text("x")
    ran = cli("eif", "build", "rootfs", "--cmd", "/bin/app", "--output-file", "image.eif", *NAMING, "--source-git")
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: rootfs: not as the commit has it: rootfs/more is untracked [git.changed]\n"
        "nitroctl: hint: commit it or remove it: nobody could build the same image from the commit\n",
    )
    assert not Path("image.eif").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--source-git",), "--activate, --component, --environment, --release and --source-… are for --record"),
        ((*NAMING, "--source-git", "--source-ref", "x"), "--source-git finds ref and commit itself, and one of them"),
        ((*NAMING, "--source-uri", "a\nb"), "source/uri: has a control or format character [records.text]"),
        ((*NAMING, "--cmd", "/bin/app " + "x" * 4097), "build/recipe/cmd: a word is longer than 4096 characters"),
    ],
)
def test_what_cannot_be_recorded_is_told_before_the_work(more: Sequence[str], said: str, cli: Cli) -> None:
    ran = cli("eif", "build", "rootfs", "--output-file", "image.eif", *more)
    assert ran.status in (2, 3)
    assert ran.stderr.startswith(f"nitroctl: error: {said}")
    assert not Path("image.eif").exists()


def test_the_entry_shows_how_it_was_built(cli: Cli) -> None:
    found = recorded(cli, "rootfs", "--source-git", "--env", "A=two words")
    shown = cli("pcr", "show", "app-1.0.0").stdout
    at = shown.index("source ")
    assert shown[at : shown.index("recorded ")] == (
        "source         https://example.com/app.git\n"
        "ref            refs/tags/v1.0.0\n"
        f"commit         {found['source']['commit']}\n"
        "path           rootfs\n"
        "built by       nitroctl\n"
        f"with           nitroctl {nitroctl.__version__}\n"
        f"input cmdline  SHA-256 {found['build']['inputs']['cmdline']}\n"
        f"input init     SHA-256 {found['build']['inputs']['init']}\n"
        f"input kernel   SHA-256 {found['build']['inputs']['kernel']}\n"
        f"input nsm.ko   SHA-256 {found['build']['inputs']['nsm.ko']}\n"
        """asked          --platform linux/amd64 --cmd '["/bin/app", "--serve"]' --env 'A=two words'\n"""
        "times          no later than 2017-04-18T16:30:00Z\n"
    )


# -- the same image


def test_a_checkout_of_the_commit_gives_the_same_image(cli: Cli) -> None:
    pcrs = recorded(cli, "rootfs", "--source-git")["measurements"]["pcrs"]
    before = Path("measurements.json").read_bytes()
    Path("before.json").write_bytes(before)
    ran = cli("pcr", "reproduce", "app-1.0.0", "--checkout", ".")
    expected = (
        "✓ app-1.0.0@prod: reproduced: PCR0, PCR1 and PCR2 are the recorded ones\n"
        f"PCR0    {pcrs['PCR0']}\n"
        f"PCR1    {pcrs['PCR1']}\n"
        f"PCR2    {pcrs['PCR2']}\n"
        "source  rootfs\n"
    )
    assert ran == Ran(0, expected, "")
    assert Path("measurements.json").read_bytes() == before
    assert sorted(os.listdir()) == sorted(  # noqa: PTH208
        [".git", "app.tar", "before.json", "blobs", "image.eif", "measurements.json", "rootfs"]
    )
    ran = cli("pcr", "reproduce", "app-1.0.0", "--checkout", ".", "--as", "auditor")
    wider = expected.replace("    ", "           ").replace("source  ", "source         ")
    assert ran == Ran(0, f"{wider}reproduced by  auditor\n", "")
    assert entry()["build"]["reproduced_by"] == ["auditor"]


def test_files_that_were_named_are_not_said_to_be_the_commit_s(cli: Cli) -> None:
    recorded(cli, "rootfs", "--source-git")
    ran = cli("pcr", "reproduce", "app-1.0.0", "--source", "rootfs")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.endswith(NOT_ASKED)


def test_whoever_reproduced_it_is_recorded_once_and_history_stands(cli: Cli) -> None:
    recorded(cli)
    Path("before.json").write_bytes(Path("measurements.json").read_bytes())
    for name, unchanged, names in (
        ("auditor", False, ["auditor"]),
        ("laptop of Ana", False, ["auditor", "laptop of Ana"]),
        ("auditor", True, ["auditor", "laptop of Ana"]),
    ):
        found = again(cli, "--source", "rootfs", "--as", name)
        assert found["credited"] == {"unchanged": unchanged, "reproduced_by": names}
    assert cli("pcr", "verify", "--against", "before.json").status == 0


def test_as_json(cli: Cli) -> None:
    was = recorded(cli, "rootfs", "--source-git")
    ran = cli("pcr", "reproduce", "app-1.0.0", "--checkout", ".", "--image", "image.eif", "--json")
    found = ran.json["data"]
    report = found.pop("report")
    assert found == {
        "records": "measurements.json",
        "entry": "app-1.0.0@prod",
        "reproduced": True,
        "pcrs": was["measurements"]["pcrs"],
        "recorded_pcrs": was["measurements"]["pcrs"],
        "differing": [],
        "inputs": [
            {"role": role, "recorded": digest, "found": digest} for role, digest in was["build"]["inputs"].items()
        ],
        "versions": {"recorded": {"nitroctl": nitroctl.__version__}, "found": {"nitroctl": nitroctl.__version__}},
        "source": "rootfs",
        "size_bytes": was["artifact"]["size"],
        "sha256": was["artifact"]["sha256"],
        "same_file": True,
        "output_file": None,
        "causes": [],
        "difference": None,
        "credited": None,
    }
    assert [(check["id"], check["outcome"]) for check in report["checks"]] == [
        ("build.measurable", "pass"),
        ("build.written", "pass"),
        ("build.command", "pass"),
        ("reproduce.source", "pass"),
        ("reproduce.builder", "pass"),
        ("reproduce.inputs", "pass"),
        ("reproduce.pcr0", "pass"),
        ("reproduce.pcr1", "pass"),
        ("reproduce.pcr2", "pass"),
    ]


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("rootfs", ["--exact"]),
        ("rootfs", ["--as-is", "--kind", "directory"]),
        ("rootfs", ["--env", "A=1", "--env", "B=two words"]),
        ("rootfs", ["--cmd", json.dumps(["/bin/app", "one\ttwo", "\u202e", ""])]),
        ("rootfs", ["--entrypoint", "/bin/app --first", "--join-entrypoint"]),
        ("app.tar", ["--reference", "app:1", "--join-entrypoint"]),
        ("app.tar", ["--platform", "linux/amd64", "--kind", "docker", "--cmd", "/bin/other"]),
        ("layout", ["--kind", "oci"]),
        ("layer.tar", ["--kind", "tar", "--cmd", "/bin/app"]),
    ],
)
def test_every_option_that_decides_the_image_is_recorded(source: str, options: Sequence[str], cli: Cli) -> None:
    Path("layer.tar").write_bytes(LAYER)
    as_directory(oci_images.image(LAYER, config=CONFIG), Path("layout"))
    recorded(cli, source, *options)
    found = again(cli, "--source", source)
    assert (found["reproduced"], found["same_file"]) == (True, True)


def test_the_instant_is_the_recorded_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert recorded(cli)["build"]["recipe"]["source_date_epoch"] == 1_000_000_000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1100000000")
    assert again(cli, "--source", "rootfs")["same_file"]


def test_names_in_the_metadata_are_not_measured(cli: Cli) -> None:
    recorded(cli, "rootfs", "--name", "signer")
    ran = cli("pcr", "reproduce", "app-1.0.0", "--source", "rootfs")
    assert (ran.status, ran.stderr) == (
        0,
        "nitroctl: note: the files differ in what is not measured: metadata, or the signature\n",
    )
    assert ran.stdout.endswith(NO_COMMIT)


def test_what_its_signer_signed_is_reproduced_unsigned(cli: Cli) -> None:
    recorded(cli, "rootfs", *sign_with(*images.pair()))
    ran = cli("pcr", "reproduce", "app-1.0.0", "--source", "rootfs")
    assert ran.status == 0
    assert ran.stdout.endswith(
        f"{NO_COMMIT}"
        "– The other recorded registers are of the signer and of the parent instance\n"
        "  not checked: PCR8, which no rebuild has\n"
        "  [reproduce.others]\n"
    )


def test_the_new_image_can_be_kept(cli: Cli) -> None:
    recorded(cli)
    assert again(cli, "--source", "rootfs", "--output-file", "again.eif")["output_file"] == "again.eif"
    assert Path("again.eif").read_bytes() == Path("image.eif").read_bytes()


def test_an_archive_of_another_name_is_found_by_its_reference(cli: Cli) -> None:
    recorded(cli, "app.tar", "--reference", "app:1")
    about = oci_images.config([LAYER], config=CONFIG)
    Path("app.tar").write_bytes(as_archive(oci_images.docker_save(LAYER, tags=["mirror/app:7"], about=about)))
    assert cli("pcr", "reproduce", "app-1.0.0", "--source", "app.tar").status == 3
    assert again(cli, "--source", "app.tar", "--reference", "mirror/app:7")["reproduced"]


def test_the_image_is_taken_from_docker(cli: Cli) -> None:
    env = docker(SAVES)
    arguments = ("--docker-uri", "app:1", "--output-file", "image.eif", "--reproducible", *NAMING)
    assert cli.program("enclave", "build", *arguments, env=env).status == 0
    ran = cli.program("pcr", "reproduce", "app-1.0.0", "--docker-uri", "app:1", "--as", "ci", env=env)
    assert (ran.status, ran.stderr) == (0, "")
    assert "source         docker: app:1\nreproduced by  ci\n" in ran.stdout
    ran = cli.program(
        "pcr", "reproduce", "app-1.0.0", "--docker-uri", "app:1", "--docker-dir", "rootfs", "--json", env=env
    )
    assert ran.json["data"]["reproduced"]
    assert "build --tag app:1 -- rootfs" in Path("docker.log").read_text().splitlines()


# -- another image


def test_another_file_is_named(cli: Cli) -> None:
    was = recorded(cli)["measurements"]["pcrs"]
    Path("rootfs/bin/app").write_bytes(b"#!/bin/false\n")
    ran = cli("pcr", "reproduce", "app-1.0.0", "--source", "rootfs", "--image", "image.eif", "--as", "me")
    now = again(cli, "--source", "rootfs")["pcrs"]
    size = Path("image.eif").stat().st_size
    assert ran == Ran(
        1,
        "✗ app-1.0.0@prod: not reproduced: PCR0 and PCR2 differ: the source is not that of the recorded build: "
        "its files differ, or what it says to run\n"
        "PCR0    differs, see below\n"
        f"PCR1    {was['PCR1']}\n"
        "PCR2    differs, see below\n"
        "source  rootfs\n"
        "\n"
        "A is the recorded image, B the new one\n"
        f"A  image.eif, {size} bytes\n"
        f"B  rebuilt.eif, {size} bytes\n"
        "\n"
        "Registers\n"
        "  PCR0    differs: the image: kernel, command line and every ramdisk\n"
        f"    A     {was['PCR0']}\n"
        f"    B     {now['PCR0']}\n"
        "  PCR1    equal\n"
        f"    A, B  {was['PCR1']}\n"
        "  PCR2    differs: application ramdisks\n"
        f"    A     {was['PCR2']}\n"
        f"    B     {now['PCR2']}\n"
        "\n"
        "Causes\n"
        "  PCR0 and PCR2  1 file in ramdisk 2 changed\n"
        "\n"
        "Ramdisk 2: entries changed\n"
        "  rootfs/bin/app  content 12 → 13 bytes\n"
        "\n"
        "Ramdisk 2: entries\n"
        "  without a difference  16\n"
        f"{NO_COMMIT}"
        "✗ PCR0 of the new image is the recorded one\n"
        "  the image: kernel, command line and every ramdisk: not the recorded one\n"
        f"  expected  {was['PCR0']}\n"
        f"  actual    {now['PCR0']}\n"
        "  [reproduce.pcr0]\n"
        "✗ PCR2 of the new image is the recorded one\n"
        "  application ramdisks: not the recorded one\n"
        f"  expected  {was['PCR2']}\n"
        f"  actual    {now['PCR2']}\n"
        "  [reproduce.pcr2]\n",
        "",
    )
    assert "reproduced_by" not in entry()["build"]


def test_another_init_is_named(cli: Cli) -> None:
    was = recorded(cli)
    Path("blobs/init").write_bytes(elf(62) + b"newer")
    ran = cli("pcr", "reproduce", "app-1.0.0", "--source", "rootfs")
    now = again(cli, "--source", "rootfs")
    assert now["differing"] == ["PCR0", "PCR1"]
    old, new = ({each["role"]: each[side] for each in now["inputs"]}["init"] for side in ("recorded", "found"))
    pcrs = was["measurements"]["pcrs"]
    assert ran == Ran(
        1,
        "✗ app-1.0.0@prod: not reproduced: PCR0 and PCR1 differ: init is another\n"
        "PCR0    differs, see below\n"
        "PCR1    differs, see below\n"
        f"PCR2    {pcrs['PCR2']}\n"
        "source  rootfs\n"
        f"{NO_COMMIT}"
        "! What went in beside the source's files is what went in then\n"
        "  init differs\n"
        f"  expected  init {old}\n"
        f"  actual    init {new}\n"
        "  fix: find the files with the recorded SHA-256, and name them with --blobs, --kernel, --init, --nsm, "
        "--cmdline or --source\n"
        "  [reproduce.inputs]\n"
        "✗ PCR0 of the new image is the recorded one\n"
        "  the image: kernel, command line and every ramdisk: not the recorded one\n"
        f"  expected  {pcrs['PCR0']}\n"
        f"  actual    {now['pcrs']['PCR0']}\n"
        "  [reproduce.pcr0]\n"
        "✗ PCR1 of the new image is the recorded one\n"
        "  kernel, command line and boot ramdisk: not the recorded one\n"
        f"  expected  {pcrs['PCR1']}\n"
        f"  actual    {now['pcrs']['PCR1']}\n"
        "  [reproduce.pcr1]\n",
        HINT,
    )


def other_kernel() -> None:
    Path("blobs/bzImage").write_bytes(Path("blobs/bzImage").read_bytes() + b"x")


def no_driver() -> None:
    Path("blobs/nsm.ko").unlink()


def other_line() -> None:
    Path("blobs/cmdline").write_text("reboot=t\n")


def file_more() -> None:
    Path("rootfs/more").write_text("")


def all_of_it() -> None:
    no_driver()
    other_line()
    file_more()


SOURCE = "the source is not that of the recorded build: its files differ, or what it says to run"


@pytest.mark.parametrize(
    ("change", "differing", "causes"),
    [
        (other_kernel, ["PCR0", "PCR1"], ["kernel is another"]),
        (other_line, ["PCR0", "PCR1"], ["command line is another"]),
        (no_driver, ["PCR0", "PCR1"], ["there was a driver nsm.ko, and now there is none"]),
        (file_more, ["PCR0", "PCR2"], [SOURCE]),
        (
            all_of_it,
            ["PCR0", "PCR1", "PCR2"],
            ["command line is another", "there was a driver nsm.ko, and now there is none", SOURCE],
        ),
    ],
)
def test_why_it_differs(change: Callable[[], None], differing: list[str], causes: list[str], cli: Cli) -> None:
    recorded(cli)
    change()
    found = again(cli, "--source", "rootfs")
    assert (found["reproduced"], found["differing"], found["causes"]) == (False, differing, causes)
    assert found["credited"] is None


def test_another_container_image_is_named(cli: Cli) -> None:
    recorded(cli, "app.tar")
    about = oci_images.config([LAYER], config={**CONFIG, "Env": ["PATH=/bin"]})
    Path("app.tar").write_bytes(as_archive(oci_images.docker_save(LAYER, tags=["app:1"], about=about)))
    found = again(cli, "--source", "app.tar")
    assert (found["differing"], found["causes"]) == (["PCR0", "PCR2"], ["container image is another"])


def test_another_version_of_nitroctl_is_a_possible_cause(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(cli)
    monkeypatch.setattr(nitroctl, "__version__", "9.9.9")
    found = again(cli, "--source", "rootfs")
    (check,) = [each for each in found["report"]["checks"] if each["id"] == "reproduce.builder"]
    assert (found["reproduced"], check["outcome"]) == (True, "warn")
    file_more()
    assert again(cli, "--source", "rootfs")["causes"][1].startswith("nitroctl is another version: 9.9.9, was ")


# -- what cannot be asked


def refused(cli: Cli, *more: str) -> tuple[int, str]:
    ran = cli("pcr", "reproduce", "app-1.0.0", *more)
    assert ran.stdout == ""
    return ran.status, ran.stderr.splitlines()[0].removeprefix("nitroctl: error: ")


def test_a_checkout_that_has_gone_on_is_refused(cli: Cli) -> None:
    was = recorded(cli, "rootfs", "--source-git")["source"]["commit"]
    Path("README").write_text("more\n")
    git("add", "README")
    git("commit", "-q", "-m", "second")
    assert cli("pcr", "reproduce", "app-1.0.0", "--checkout", ".") == Ran(
        3,
        "",
        f"nitroctl: error: .: is at commit {git('rev-parse', 'HEAD')}, and app-1.0.0@prod was built from {was} "
        "[git.commit]\n"
        f"nitroctl: hint: git -C . checkout {was}\n",
    )


def test_a_changed_checkout_is_refused(cli: Cli) -> None:
    recorded(cli, "rootfs", "--source-git")
    Path("rootfs/bin/app").write_text("other")
    assert refused(cli, "--checkout", ".") == (
        3,
        "rootfs: not as the commit has it: rootfs/bin/app is changed [git.changed]",
    )


def test_a_link_to_another_place_of_the_checkout_is_refused(cli: Cli) -> None:
    recorded(cli, "rootfs", "--source-git")
    Path("elsewhere").mkdir()
    Path("elsewhere/rootfs").symlink_to("../rootfs/bin")
    assert refused(cli, "--checkout", "elsewhere") == (
        3,
        "elsewhere/rootfs: is rootfs/bin of its checkout, and app-1.0.0@prod was built from rootfs [git.commit]",
    )


def edited(**members: object) -> None:
    """Change the one entry of the ledger by hand."""
    document = json.loads(Path("measurements.json").read_text())
    for name, value in members.items():
        document["entries"][0][name] = value
    Path("measurements.json").write_text(json.dumps(document))


@pytest.mark.parametrize("path", ["/etc", "../other", "rootfs/../../other", ".", "rootfs/", "./rootfs"])
def test_a_recorded_place_outside_of_the_commit_is_refused(path: str, cli: Cli) -> None:
    recorded(cli)
    edited(source={"commit": "0" * 40, "path": path})
    said = "app-1.0.0@prod: the recorded place of the image's files is no path within the commit"
    assert refused(cli, "--checkout", ".") == (3, f"{said}: {path!r} [records.recipe]")


@pytest.mark.parametrize("source", [{"commit": "0" * 7, "path": "rootfs"}, {"commit": "HEAD", "path": "rootfs"}, {}])
def test_a_commit_that_is_not_whole_is_refused(source: Mapping[str, str], cli: Cli) -> None:
    recorded(cli)
    edited(source=source)
    assert refused(cli, "--checkout", ".") == (
        3,
        "app-1.0.0@prod: no full commit, with the place of the image's files in it, is recorded [records.recipe]",
    )


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ({}, "does not say how it was built"),
        ({"builder": "ci"}, "does not say how ci built it"),
        (
            {"builder": "nitro-cli"},
            "was built by nitro-cli, which dates what it packs: no second build measures the same",
        ),
    ],
)
def test_an_entry_that_does_not_say_how_is_refused(build: Mapping[str, str], said: str, cli: Cli) -> None:
    recorded(cli)
    edited(build=build)
    assert refused(cli, "--source", "rootfs") == (3, f"app-1.0.0@prod {said} [records.recipe]")


def test_a_machine_image_is_refused(cli: Cli) -> None:
    recorded(cli)
    edited(platform="nitro-tpm")
    assert refused(cli, "--source", "rootfs") == (
        3,
        "app-1.0.0@prod is of nitro-tpm, and only enclave images are built again [records.recipe]",
    )


@pytest.mark.usefixtures("standin")
def test_what_nitro_cli_built_says_so(cli: Cli) -> None:
    arguments = ("--docker-uri", "app:1", "--output-file", "image.eif", "--source-commit", "abc", *NAMING)
    assert cli("enclave", "build", *arguments).status == 0
    found = entry()
    assert found["source"] == {"commit": "abc"}
    assert found["build"]["builder"] == "nitro-cli"
    assert sorted(found["build"]["versions"]) == ["nitro-cli", "nitroctl"]
    assert refused(cli, "--source", "rootfs")[1].startswith("app-1.0.0@prod was built by nitro-cli")


GONE = "the new image is compared with this file, which would be gone [usage.invalid]"
ONE = "one of --source, --checkout and --docker-uri says what to build from [usage.invalid]"


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ((), 2, ONE),
        (("--source", "rootfs", "--checkout", "."), 2, ONE),
        (("--source", "rootfs", "--docker-dir", "."), 2, "--docker-dir is for --docker-uri [usage.invalid]"),
        (
            ("--docker-uri", "a", "--reference", "b"),
            2,
            "--reference is for --source; --docker-uri names the image itself [usage.invalid]",
        ),
        (
            ("--source", "rootfs", "--output-file", "-"),
            2,
            "--output-file -: an image is not written to standard output [usage.invalid]",
        ),
        (
            ("--source", "rootfs", "--image", "image.eif", "--output-file", "./image.eif"),
            2,
            f"--output-file ./image.eif: {GONE}",
        ),
        (
            ("--source", "rootfs", "--output-file", "measurements.json"),
            2,
            f"--output-file measurements.json: {GONE}",
        ),
        (
            ("--source", "rootfs", "--output-file", "rootfs/again.eif"),
            2,
            "--output-file rootfs/again.eif: is in rootfs, and would be part of the next image [usage.invalid]",
        ),
        (("--source", "rootfs", "--as", " "), 3, "--as: not a name that can be recorded: ' ' [records.text]"),
        (
            ("--source", "rootfs", "--as", "a\x1bb"),
            3,
            "--as: not a name that can be recorded: 'a\\x1bb' [records.text]",
        ),
        (
            ("--source", "rootfs", "--as", "me", "--records", "-"),
            2,
            "--as writes to the ledger, and standard input cannot be written [usage.invalid]",
        ),
        (("--source", "nosuch"), 3, "nosuch: cannot read: no such file or directory [file.unreadable]"),
        (
            ("--source", "rootfs", "--image", "nosuch"),
            3,
            "nosuch: cannot read: no such file or directory [file.unreadable]",
        ),
        (
            ("--source", "rootfs", "--blobs", "nosuch"),
            3,
            "nosuch: no such directory to take a kernel (bzImage or Image) from [eif.blobs]",
        ),
        (("--checkout", "nosuch"), 3, "nosuch/rootfs: cannot read: no such file or directory [file.unreadable]"),
        (("--source", "rootfs", "--records", "nosuch"), 3, "nosuch: no recorded measurements [records.missing]"),
    ],
)
def test_what_cannot_be_asked(more: Sequence[str], status: int, said: str, cli: Cli) -> None:
    recorded(cli, "rootfs", "--source-git")
    before = Path("measurements.json").read_bytes(), Path("image.eif").read_bytes()
    assert refused(cli, *more) == (status, said)
    assert (Path("measurements.json").read_bytes(), Path("image.eif").read_bytes()) == before


def test_an_image_that_is_not_the_recorded_one_is_refused(cli: Cli) -> None:
    recorded(cli)
    assert cli("eif", "build", "rootfs", "--cmd", "/bin/other", "--output-file", "other.eif").status == 0
    assert refused(cli, "--source", "rootfs", "--image", "other.eif") == (
        3,
        "PCR0: other.eif measures another value than app-1.0.0@prod says [records.disagreement]",
    )


def test_an_answer_that_cannot_be_recorded_stands(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(cli)

    def gone(*_: object) -> None:
        raise CannotAnswer("app-1.0.0@prod was rewritten since it was read", "records.disagreement")

    monkeypatch.setattr(reproduce, "credited", gone)
    ran = cli("pcr", "reproduce", "app-1.0.0", "--source", "rootfs", "--as", "me", "--json")
    assert ran.status == 3
    assert (ran.json["data"]["reproduced"], ran.json["data"]["credited"]) == (True, None)
    assert [error["code"] for error in ran.json["errors"]] == ["records.disagreement"]


def test_no_place_for_the_new_image(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(cli)
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    assert refused(cli, "--source", "rootfs") == (
        3,
        "a directory for temporary files (TMPDIR): cannot write: no such file or directory [file.unwritable]",
    )


# -- the ledger by then


def test_an_entry_that_was_rewritten_meanwhile_is_not_credited() -> None:
    was = ledgers.full()
    for now, code in (
        (Ledger.of([]), "records.no-such-entry"),
        (Ledger.of([ledgers.active(pcrs=ledgers.pcrs("other"))]), "records.disagreement"),
        (Ledger.of([ledgers.active(pcrs=was.pcrs, pin=was.pin)]), "records.disagreement"),
    ):
        with pytest.raises(CannotAnswer) as caught:
            reproduce.credited(now, was, "me")
        assert caught.value.code == code


def test_a_name_that_is_too_long_is_refused() -> None:
    was = ledgers.full()
    with pytest.raises(CannotAnswer, match="longer than 4096 characters") as caught:
        reproduce.credited(Ledger.of([was]), was, "x" * 4097)
    assert caught.value.code == "records.text"


def test_registers_that_differ_without_a_known_cause_have_one_all_the_same() -> None:
    was = ledgers.full()
    assert reproduce.causes(was, was.build or Build(), [0]) == ("the sections are put together otherwise",)
    assert reproduce.causes(was, was.build or Build(), [0, 1]) == ("the boot ramdisk is packed otherwise",)
    assert reproduce.causes(was, was.build or Build(), []) == ()
