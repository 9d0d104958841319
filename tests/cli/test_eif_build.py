"""``nitroctl eif build``: whole outputs, every kind of source, and the same bytes wherever it runs."""

import hashlib
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from nitroctl import pcr
from tests import images, oci_images
from tests.conftest import ROOT, Cli, Ran, as_nobody, vectors
from tests.oci_images import archive, as_archive, as_directory, directory, file, hard_link, image, symlink
from tests.unit.test_eif_parts import arm64, bzimage, elf
from tests.unit.test_eif_ramdisk import members

LAYER = archive(
    directory(b"bin", mode=0o755),
    file(b"bin/app", b"#!/bin/true\n", mode=0o755, mtime=2_000_000_000),
    hard_link(b"bin/other", b"bin/app", mode=0o755, mtime=2_000_000_000),
    symlink(b"bin/sh", b"app"),
    directory(b"etc", mode=0o755),
    file(b"etc/secret", b"s3cret", mode=0o600, uid=7, gid=8),
)
CONFIG = {"Cmd": ["/bin/app", "--serve"], "Env": ["PATH=/bin", "MODE=fast"]}
NO_DRIVER = "nitroctl: note: no nsm.ko: the kernel must have the driver built in, or the enclave cannot attest\n"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with blobs, a root file system, and an archive of docker save."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NITRO_CLI_BLOBS", "blobs")
    lay(tmp_path)
    return tmp_path


def lay(where: Path) -> None:
    blobs = where / "blobs"
    blobs.mkdir()
    cmdline = b"reboot=k panic=30 console=ttyS0\n"
    for name, content in {"bzImage": bzimage(), "init": elf(62), "nsm.ko": elf(62), "cmdline": cmdline}.items():
        (blobs / name).write_bytes(content)
    root = where / "rootfs"
    (root / "bin").mkdir(parents=True)
    (root / "bin/app").write_bytes(b"#!/bin/true\n")
    (root / "bin/app").chmod(0o755)
    about = oci_images.config([LAYER], config=CONFIG)
    (where / "app.tar").write_bytes(as_archive(oci_images.docker_save(LAYER, tags=["app:1"], about=about)))


def build(cli: Cli, source: str, *more: str) -> Any:
    """Build image.eif and return the data of the answer."""
    ran = cli("eif", "build", source, "--output-file", "image.eif", *more, "--json")
    assert (ran.status, ran.stderr) == (0, "")
    return ran.json["data"]


def sections(path: str) -> list[tuple[int, bytes]]:
    data, at, found = Path(path).read_bytes(), 548, []
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 12])
        found.append((int.from_bytes(data[at : at + 2]), data[at + 12 : at + 12 + size]))
        at += 12 + size
    return found


def ramdisk(path: str, number: int) -> dict[str, tuple[str, list[int], bytes]]:
    """The entries of a ramdisk: mode, then owner, links and time, then content."""
    data = [content for kind, content in sections(path) if kind == images.RAMDISK][number]
    return {
        name: (oct(numbers[1]), numbers[2:6], content)
        for name, numbers, content in members(data)
        if name != "TRAILER!!!"
    }


def metadata(path: str) -> Any:
    return json.loads(next(content for kind, content in sections(path) if kind == images.METADATA))


# -- what people see


def test_a_root_file_system(cli: Cli) -> None:
    ran = cli("eif", "build", "rootfs", "--cmd", "/bin/app 'two words'", "--output-file", "image.eif")
    data = Path("image.eif").read_bytes()
    registers = images.registers(data)
    assert ran == Ran(
        0,
        "✓ image.eif: built, and it measures what was written\n"
        f"size     {len(data)} bytes\n"
        f"SHA-256  {hashlib.sha256(data).hexdigest()}\n"
        "signer   not signed\n"
        f"PCR0     {registers[0].hex()}\n"
        f"PCR1     {registers[1].hex()}\n"
        f"PCR2     {registers[2].hex()}\n"
        "\n"
        "Made of\n"
        "  source   rootfs: directory, 2 files\n"
        "  command  /bin/app 'two words'\n"
        "  kernel   blobs/bzImage: bzImage 6.1.0-test, x86_64\n"
        "  init     blobs/init\n"
        "  driver   blobs/nsm.ko\n"
        "  times    no later than 2017-04-18T16:30:00Z\n",
        "",
    )


def test_what_an_image_says_that_has_no_effect_is_told(cli: Cli) -> None:
    about = oci_images.config([LAYER])
    Path("app.tar").write_bytes(as_archive(oci_images.docker_save(LAYER, about=about)))
    ran = cli("eif", "build", "app.tar", "--output-file", "image.eif")
    assert ran.status == 0
    assert ran.stderr == (
        "nitroctl: note: ENTRYPOINT is not run (/bin/app): nitro-cli runs CMD alone when an image has both; "
        "--join-entrypoint runs them as one command, as Docker does\n"
        "nitroctl: note: WORKDIR /srv is not entered: init starts the command in /\n"
        "nitroctl: note: USER app is not taken on: init starts the command as root\n"
    )
    assert ran.stdout.endswith(
        "\n"
        "Checks\n"
        "! The command is a program in the image\n"
        "  init looks for --serve in /sbin, /usr/sbin, /bin, /usr/bin, and there is no program of that name\n"
        "  fix: name it by its path, or build it into the image: the enclave would stop at once\n"
        "  [build.command]\n"
    )
    ran = cli("eif", "build", "app.tar", "--join-entrypoint", "--output-file", "image.eif", "--json")
    assert ran.json["data"]["command"] == ["/bin/app", "--serve"]
    assert ran.json["data"]["report"]["counts"] == {"pass": 3, "fail": 0, "warn": 0, "skip": 0}


def test_how_it_can_be_made_again_is_explained(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    digests = {name: hashlib.sha256(Path("blobs", name).read_bytes()).hexdigest() for name in ("bzImage", "init")}
    cmdline = hashlib.sha256(b"reboot=k panic=30 console=ttyS0").hexdigest()
    ran = cli(
        *("eif", "build", "app.tar", "--reference", "app:1", "--output-file", "image.eif"),
        "--explain-reproducibility",
    )
    told = ran.stdout.partition("\nReproducibility\n")[2]
    set_ = [
        (
            "modification times before 1970 or after 2023-11-14T22:13:20Z were set to the nearer end",
            "2: bin/app, bin/other",
        )
    ]
    set_ += [("added, as nitro-cli does", "3: etc/hosts, etc/mtab, etc/resolv.conf")]
    set_ += [("made: init needs them to be there", "8: dev, dev/pts, dev/shm, proc, run, …")]
    unpinned = [
        "the image was chosen by the tag app:1, which can be given to another one",
        f"kernel is whatever blobs/bzImage holds: SHA-256 {digests['bzImage']}",
        f"cmdline is whatever blobs/cmdline holds: SHA-256 {cmdline} (of the text as measured)",
        f"init is whatever blobs/init holds: SHA-256 {digests['init']}",
        f"nsm.ko is whatever blobs/nsm.ko holds: SHA-256 {digests['init']}",
    ]
    unpinned.append(
        "SOURCE_DATE_EPOCH=1700000000 is taken from the environment: it decides times in the ramdisks, so set it "
        "wherever the image is built again (unset, it is 1492533000)"
    )
    assert told.splitlines() == [
        *(f"  not pinned       {text}" for text in unpinned),
        *(f"  set by nitroctl  {text} ({names})" for text, names in set_),
    ]


# -- what is in the image


def test_the_image_is_laid_out_as_nitro_cli_does(cli: Cli) -> None:
    data = build(cli, "app.tar")
    found = sections("image.eif")
    assert [kind for kind, _ in found] == [1, 2, 5, 3, 3]
    assert found[0][1] == Path("blobs/bzImage").read_bytes()
    assert found[1][1] == b"reboot=k panic=30 console=ttyS0"
    assert ramdisk("image.eif", 0) == {
        "dev": ("0o40755", [0, 0, 2, 1492533000], b""),
        "init": ("0o100755", [0, 0, 1, 1492533000], elf(62)),
        "nsm.ko": ("0o100755", [0, 0, 1, 1492533000], elf(62)),
    }
    entries = ramdisk("image.eif", 1)
    assert {name: entry for name, entry in entries.items() if "/" not in name or name.startswith("rootfs/bin")} == {
        "cmd": ("0o100644", [0, 0, 1, 1492533000], b"/bin/app\n--serve\n"),
        "env": ("0o100644", [0, 0, 1, 1492533000], b"PATH=/bin\nMODE=fast\n"),
        "rootfs": entries["rootfs"],
        "rootfs/bin": ("0o40755", [0, 0, 2, 1000], b""),
        "rootfs/bin/app": ("0o100755", [0, 0, 2, 1492533000], b""),
        "rootfs/bin/other": ("0o100755", [0, 0, 2, 1492533000], b"#!/bin/true\n"),
        "rootfs/bin/sh": ("0o120777", [0, 0, 1, 1000], b"app"),
    }
    assert entries["rootfs"][0] == "0o40755"
    assert entries["rootfs/etc/secret"] == ("0o100600", [7, 8, 1, 1000], b"s3cret")
    assert list(entries) == sorted(entries, key=lambda name: name.split("/"))
    assert data["pcrs"] == pcr.as_hex(images.registers(Path("image.eif").read_bytes()))


def test_the_metadata_is_complete(cli: Cli) -> None:
    Path("more.json").write_text('{"team": "signing", "ticket": 7}')
    build(cli, "app.tar", "--metadata", "more.json")
    about = oci_images.compact(oci_images.config([LAYER], config=CONFIG))
    identity = hashlib.sha256(about).hexdigest()
    assert metadata("image.eif") == {
        "ImageName": "app",
        "ImageVersion": identity,
        "BuildMetadata": {
            "BuildTime": "2017-04-18T16:30:00Z",
            "BuildTool": "nitroctl",
            "BuildToolVersion": cli("--version").stdout.split()[-1],
            "OperatingSystem": "Linux",
            "KernelVersion": "6.1.0-test",
        },
        "DockerInfo": {
            "Id": f"sha256:{identity}",
            "RepoTags": ["app:1"],
            "Architecture": "amd64",
            "Os": "linux",
            "Config": {
                "User": "",
                "Env": ["PATH=/bin", "MODE=fast"],
                "Cmd": ["/bin/app", "--serve"],
                "WorkingDir": "",
                "Entrypoint": None,
                "Labels": {},
            },
        },
        "CustomMetadata": {"team": "signing", "ticket": 7},
    }
    verified = cli("eif", "verify", "image.eif", "--json").json["data"]["report"]
    assert verified["counts"]["fail"] == verified["counts"]["warn"] == 0


def test_a_root_file_system_has_no_name_of_its_own(cli: Cli) -> None:
    build(cli, "rootfs", "--cmd", "/bin/app")
    found = metadata("image.eif")
    assert (found["ImageName"], found["ImageVersion"], found["DockerInfo"]) == ("rootfs", "unversioned", None)
    build(cli, "rootfs", "--cmd", "/bin/app", "--name", "signer", "--image-version", "1.4")
    found = metadata("image.eif")
    assert (found["ImageName"], found["ImageVersion"]) == ("signer", "1.4")


@pytest.mark.parametrize(
    ("tag", "name"),
    [("localhost:5000/team/app:1", "localhost:5000/team/app"), ("localhost:5000/app", "localhost:5000/app")],
)
def test_a_registry_with_a_port_is_no_tag(cli: Cli, tag: str, name: str) -> None:
    about = oci_images.config([LAYER], config=CONFIG)
    Path("app.tar").write_bytes(as_archive(oci_images.docker_save(LAYER, tags=[tag], about=about)))
    build(cli, "app.tar")
    assert metadata("image.eif")["ImageName"] == name


def test_every_form_of_one_image_measures_the_same(cli: Cli) -> None:
    """What a layer is packed with and what holds the image is in no register."""
    forms = {"app.tar": "docker"}
    for number, packing in enumerate(("", "+gzip", "+zstd")):
        as_directory(image(LAYER, packing=packing, config=CONFIG), Path(f"layout-{number}"))
        forms[f"layout-{number}"] = "oci"
    Path("layout.tar").write_bytes(as_archive(image(LAYER, config=CONFIG)))
    forms["layout.tar"] = "oci"
    answers = {source: build(cli, source) for source in forms}
    assert {source: answer["source"]["kind"] for source, answer in answers.items()} == forms
    assert len({json.dumps(answer["pcrs"]) for answer in answers.values()}) == 1
    Path("layer.tar").write_bytes(LAYER)
    answer = build(cli, "layer.tar", "--cmd", "/bin/app --serve", "--env", "PATH=/bin", "--env", "MODE=fast")
    assert answer["source"]["kind"] == "tar"
    assert answer["pcrs"] == answers["app.tar"]["pcrs"]


def test_when_its_layers_were_made_is_in_no_register(cli: Cli) -> None:
    """What moves PCR2 most often: the same Dockerfile, built again."""
    found = []
    for day in (1_700_000_000, 1_800_000_000):
        layer = archive(directory(b"bin", mode=0o755, mtime=day), file(b"bin/app", b"app", mode=0o755, mtime=day + 7))
        about = oci_images.config([layer], config=CONFIG, created=f"2026-01-01T00:00:{day % 60:02}Z")
        Path("app.tar").write_bytes(as_archive(oci_images.docker_save(layer, about=about)))
        found.append(build(cli, "app.tar"))
    assert found[0]["source"]["image_id"] != found[1]["source"]["image_id"]
    assert found[0]["pcrs"] == found[1]["pcrs"]


def test_the_boot_ramdisk_is_that_of_the_aws_builder(cli: Cli) -> None:
    reference = vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif")
    disks = [content for kind, content in sections(str(reference)) if kind == images.RAMDISK]
    parts = {name: content for name, _, content in members(disks[0])}
    for name in ("init", "nsm.ko"):
        Path("blobs", name).write_bytes(parts[name])
    build(cli, "app.tar")
    assert next(content for kind, content in sections("image.eif") if kind == images.RAMDISK) == disks[0]


# -- the same bytes


def elsewhere(where: Path, *, backwards: bool) -> None:
    """Lay a root file system: the same files, made in another order and at another time."""
    lay(where)
    names = [f"{number}-{name}" for number in range(40) for name in ("a", "é", "Z")]
    for name in reversed(names) if backwards else names:
        place = where / "rootfs" / f"d{len(name) % 3}"
        place.mkdir(exist_ok=True)
        (place / name).write_text(name)
        (place / name).chmod(0o666 if backwards else 0o644)
        os.utime(place / name, (1_900_000_000, 1_900_000_000) if backwards else (1_600_000_000, 1_600_000_000))
    (where / "rootfs/link").symlink_to("bin/app")


@pytest.fixture
def machines() -> Iterator[Sequence[Path]]:
    """Two directories that any user can reach; the tests' own are the user's who runs them."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        for name in (one, two):
            Path(name).chmod(0o755)
        yield Path(one), Path(two)


LATER = """
import datetime, sys, time
real = time.time
time.time = lambda: real() + 5e8
class Later(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
datetime.datetime = Later
from nitroctl.__main__ import main
sys.argv = ["nitroctl", *sys.argv[1:]]
raise SystemExit(main())
"""


@pytest.mark.parametrize("source", ["rootfs", "app.tar"])
def test_two_machines_make_the_same_image(machines: Sequence[Path], source: str) -> None:
    """Another user, umask, locale, time zone, directory order, hash seed, working directory and clock."""
    key, certificate = images.pair()
    outputs = []
    for where, backwards in zip(machines, (False, True), strict=True):
        elsewhere(where, backwards=backwards)
        (where / "key.pem").write_bytes(key)
        (where / "certificate.pem").write_bytes(certificate)
        out = where / "out"
        out.mkdir()
        words = ["eif", "build", source, "--cmd", "/bin/app é", "--env", "A=é", "--name", "é"]
        words += ["--private-key", "key.pem", "--signing-certificate", "certificate.pem"]
        environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "NITRO_CLI_BLOBS": "blobs"}
        if backwards:
            out.chmod(0o777)
            argv = [*as_nobody(), sys.executable, "-c", LATER, *words, "--output-file", "out/image.eif"]
            environment |= {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7", "HOME": "/nonexistent"}
            environment |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
            mask = 0o077
        else:
            argv = [sys.executable, "-m", "nitroctl", *words, "--output-file", "out/image.eif"]
            environment |= {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "HOME": str(where)}
            mask = 0o002
        done = subprocess.run(
            argv, cwd=where, env=environment, umask=mask, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        outputs.append((out / "image.eif").read_bytes())
        assert stat.S_IMODE((out / "image.eif").stat().st_mode) == 0o666 & ~mask
    assert outputs[0] == outputs[1]


def test_source_date_epoch_is_honoured(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = build(cli, "app.tar")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "500")
    found = build(cli, "app.tar")
    assert found["source_date_epoch"] == 500
    assert metadata("image.eif")["BuildMetadata"]["BuildTime"] == "1970-01-01T00:08:20Z"
    assert {numbers[3] for _, numbers, _ in (*ramdisk("image.eif", 0).values(), *ramdisk("image.eif", 1).values())} <= {
        0,
        500,
    }
    assert found["pcrs"]["PCR2"] != plain["pcrs"]["PCR2"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")
    assert build(cli, "app.tar")["pcrs"] == plain["pcrs"]


@pytest.mark.parametrize("value", ["yesterday", "-1", "1.5", "4294967296", "99999999999", "１"])
def test_an_epoch_that_is_none(cli: Cli, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    ran = cli("eif", "build", "app.tar", "--output-file", "image.eif")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(
        f"nitroctl: error: SOURCE_DATE_EPOCH is not a number of seconds from 0 to 4294967295: {value!r}"
    )
    assert not Path("image.eif").exists()


def test_of_a_directory_only_what_a_copy_keeps_counts_unless_it_is_exact(cli: Cli) -> None:
    secret = Path("rootfs/secret")
    secret.write_bytes(b"s3cret")
    secret.chmod(0o4600)
    os.utime(secret, (1000, 1000))
    build(cli, "rootfs", "--cmd", "/bin/app")
    assert ramdisk("image.eif", 1)["rootfs/secret"] == ("0o100644", [0, 0, 1, 1492533000], b"s3cret")
    build(cli, "rootfs", "--cmd", "/bin/app", "--exact")
    owner = [secret.stat().st_uid, secret.stat().st_gid]
    assert ramdisk("image.eif", 1)["rootfs/secret"] == ("0o104600", [*owner, 1, 1000], b"s3cret")


def test_what_nitro_cli_replaces_can_be_kept(cli: Cli) -> None:
    Path("rootfs/etc").mkdir()
    Path("rootfs/etc/hosts").write_bytes(b"127.0.0.1 kms\n")
    data = build(cli, "rootfs", "--cmd", "/bin/app", "--as-is")
    assert ramdisk("image.eif", 1)["rootfs/etc/hosts"][2] == b"127.0.0.1 kms\n"
    assert "rootfs/etc/resolv.conf" not in ramdisk("image.eif", 1)
    assert [remark["id"] for remark in data["remarks"] if remark["id"].startswith("build.m")] == ["build.mount-points"]
    build(cli, "rootfs", "--cmd", "/bin/app")
    assert (
        ramdisk("image.eif", 1)["rootfs/etc/hosts"][2]
        == b"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
    )


PEAK = """
import sys
from pathlib import Path
from nitroctl.__main__ import main
sys.argv = ["nitroctl", *sys.argv[1:]]
status = main()
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0], file=sys.stderr)
raise SystemExit(status)
"""


def test_the_data_is_never_in_memory() -> None:
    with Path("rootfs/large").open("wb") as stream:
        stream.truncate(256 << 20)
    words = ["eif", "build", "rootfs", "--cmd", "/bin/app", "--output-file", "image.eif", "--quiet"]
    done = subprocess.run([sys.executable, "-c", PEAK, *words], capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stderr) < 128 << 10, "KiB at the most"
    assert Path("image.eif").stat().st_size > 256 << 20


def test_a_source_of_zeros_is_no_root_file_system(cli: Cli) -> None:
    """What a copy that broke off leaves reads as an empty archive."""
    Path("zeros").write_bytes(bytes(10_240))
    assert cli("eif", "build", "zeros", "--cmd", "/bin/app", "--output-file", "image.eif") == Ran(
        3,
        "",
        "nitroctl: error: zeros: an empty tar archive, and an enclave could run nothing of it [eif.source-empty]\n"
        "nitroctl: hint: a file of zeros is an empty archive too: was it written to its end?\n",
    )
    assert not Path("image.eif").exists()


@pytest.mark.parametrize("option", ["--kernel", "--init", "--nsm"])
def test_a_part_as_large_as_a_disk_is_refused_before_the_source_is_read(cli: Cli, option: str) -> None:
    with Path("disk.img").open("wb") as stream:
        stream.truncate(200 << 30)
    role = {"--nsm": "nsm.ko"}.get(option, option.removeprefix("--"))
    assert cli("eif", "build", "absent.tar", option, "disk.img", "--output-file", "image.eif") == Ran(
        3,
        "",
        f"nitroctl: error: disk.img: 214748364800 bytes, and no {role} is larger than 1 GiB [file.too-large]\n",
    )


# -- signing and recording


def sign_with(key: bytes, certificate: bytes) -> Sequence[str]:
    Path("key.pem").write_bytes(key)
    Path("certificate.pem").write_bytes(certificate)
    return "--private-key", "key.pem", "--signing-certificate", "certificate.pem"


def test_it_signs(cli: Cli) -> None:
    key, certificate = images.pair()
    data = build(cli, "app.tar", *sign_with(key, certificate))
    assert data["signed"]
    assert data["pcrs"]["PCR8"] == images.extended(hashlib.sha384(images.der(certificate)).digest()).hex()
    assert [kind for kind, _ in sections("image.eif")] == [1, 2, 5, 3, 3, 4]
    checks = {check["id"]: check["outcome"] for check in data["report"]["checks"]}
    assert checks["build.signed"] == "pass"
    assert "eif.certificate-dates" in checks
    unsigned = build(cli, "app.tar")
    assert {name: data["pcrs"][name] for name in unsigned["pcrs"]} == unsigned["pcrs"]


ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_it_signs_with_a_key_that_others_hold(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pem, certificate = images.pair()
    loaded = serialization.load_pem_private_key(pem, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    key: ec.EllipticCurvePrivateKey = loaded

    class Remote:
        name = ARN
        remarks = ("the alias leads elsewhere tomorrow",)
        public_key = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

        def sign(self, digest: bytes) -> bytes:
            return key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA384())))

    def reach(arn: str) -> Remote:
        assert arn == ARN
        return Remote()

    monkeypatch.setattr("nitroctl.aws.kms_key", reach)
    Path("certificate.pem").write_bytes(certificate)
    signing = ("--private-key", ARN, "--signing-certificate", "certificate.pem")
    ran = cli("eif", "build", "app.tar", "--output-file", "image.eif", *signing, "--explain-reproducibility")
    assert (ran.status, ran.stderr.splitlines()[-1]) == (0, "nitroctl: note: the alias leads elsewhere tomorrow")
    assert "  not pinned       the signature differs from run to run" in ran.stdout
    checked = cli("eif", "measure", "image.eif", "--json").json["data"]
    assert checked["pcrs"]["PCR8"] == images.extended(hashlib.sha384(images.der(certificate)).digest()).hex()


def test_half_of_a_pair(cli: Cli) -> None:
    ran = cli("eif", "build", "app.tar", "--output-file", "image.eif", "--private-key", "key.pem")
    assert ran.status == 2
    assert "signing takes both --signing-certificate and --private-key [enclave.signing]" in ran.stderr


def test_a_key_that_cannot_sign_is_told_before_the_work(cli: Cli) -> None:
    options = sign_with(b"no key", images.pair()[1])
    ran = cli("eif", "build", "nosuch.tar", "--output-file", "image.eif", *options)
    assert ran.status == 3
    assert "[eif.signing-key]" in ran.stderr


def test_it_records(cli: Cli) -> None:
    naming = ("--record", "--component", "app", "--environment", "prod", "--release", "1.0.0", "--activate")
    data = build(cli, "app.tar", *naming)
    assert data["recorded"]["outcome"] == "added"
    (entry,) = json.loads(Path("measurements.json").read_text())["entries"]
    assert (entry["status"], entry["measurements"]["pcrs"]) == ("active", data["pcrs"])
    assert (entry["id"], entry["artifact"]["sha256"]) == (data["recorded"]["id"], data["sha256"])


def test_a_bad_name_for_the_record_is_told_before_the_work(cli: Cli) -> None:
    naming = ("--record", "--component", "a b", "--environment", "prod", "--release", "1")
    ran = cli("eif", "build", "nosuch.tar", "--output-file", "image.eif", *naming)
    assert "nosuch.tar" not in ran.stderr
    assert ran.status != 0


# -- what keeps it from being built


def refused(cli: Cli, *arguments: str) -> tuple[int, str]:
    """Status and first line on stderr of a build that leaves what was there before."""
    Path("image.eif").write_bytes(b"before")
    ran = cli("eif", "build", *arguments, "--output-file", "image.eif")
    assert ran.stdout == ""
    assert Path("image.eif").read_bytes() == b"before"
    assert not list(Path().glob(".image.eif*"))
    return ran.status, ran.stderr.splitlines()[0].removeprefix("nitroctl: error: ")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("nosuch",), 3, "nosuch: cannot read: no such file or directory [file.unreadable]"),
        (("rootfs",), 3, "nothing says what the enclave is to run: no CMD and no ENTRYPOINT [eif.no-command]"),
        (("rootfs", "--cmd", "["), 2, "--cmd: not a command: "),
        (("rootfs", "--cmd", "[1]"), 2, "--cmd: not a JSON array of strings with a command in it [usage.invalid]"),
        (("rootfs", "--cmd", "[]"), 2, "--cmd: not a JSON array of strings with a command in it [usage.invalid]"),
        (("rootfs", "--cmd", '[""]'), 2, "--cmd: not a JSON array of strings with a command in it [usage.invalid]"),
        (("rootfs", "--cmd", "[" * 100_000), 2, "--cmd: not a command: maximum recursion depth exceeded"),
        (("rootfs", "--cmd", "'a"), 2, "--cmd: not a command: No closing quotation [usage.invalid]"),
        (("rootfs", "--cmd", "a", "--env", "B"), 2, "--env 'B': not a variable [usage.invalid]"),
        (("rootfs", "--cmd", "a", "--kind", "zip"), 2, "--kind: not one of auto, oci, docker, directory, tar: 'zip' "),
        (("rootfs", "--cmd", "a", "--blobs", "nosuch"), 3, "nosuch: no such directory to take a kernel (bzImage or "),
        (("rootfs", "--cmd", "a", "--kernel", "nosuch"), 3, "nosuch: cannot read: no such file or directory "),
        (
            ("rootfs", "--cmd", "a", "--platform", "linux/arm64"),
            3,
            "the image is for aarch64, and blobs has a kernel for x86_64 [eif.architecture]",
        ),
        (("rootfs", "--cmd", "a", "--metadata", "list.json"), 3, "list.json: the metadata is of another shape: "),
        (
            ("rootfs", "--cmd", "a", "--metadata", "taken.json"),
            3,
            "taken.json: BuildTime is a member that the builder ",
        ),
        (("rootfs", "--cmd", "a", "--metadata", "large.json"), 3, "large.json: larger than 4096 bytes, the most this "),
        (
            ("rootfs", "--cmd", "a", "--activate"),
            2,
            "--activate, --component, --environment, --release and --source-… are for ",
        ),
    ],
)
def test_what_cannot_be_built(cli: Cli, arguments: Sequence[str], status: int, said: str) -> None:
    Path("list.json").write_text("[]")
    Path("taken.json").write_text('{"BuildTime": 1}')
    Path("large.json").write_text('{"a": "' + "a" * 4096 + '"}')
    found = refused(cli, *arguments)
    assert found[0] == status
    assert found[1].startswith(said)


def test_an_image_for_a_processor_that_enclaves_do_not_have(cli: Cli) -> None:
    about = oci_images.config([LAYER], config=CONFIG, architecture="riscv64")
    Path("app.tar").write_bytes(as_archive(oci_images.docker_save(LAYER, about=about)))
    status, said = refused(cli, "app.tar")
    assert status == 3
    assert said == (
        "app.tar: is for linux/riscv64, and enclaves run on linux/amd64 (x86_64) and linux/arm64 (aarch64) "
        "[eif.architecture]"
    )


def test_an_image_for_arm_is_marked_so(cli: Cli) -> None:
    """The flag in the file header is the one that says it; both kernels may be there."""
    about = oci_images.config([LAYER], config=CONFIG, architecture="arm64", variant="v8")
    Path("app.tar").write_bytes(as_archive(oci_images.docker_save(LAYER, about=about)))
    assert refused(cli, "app.tar")[1].endswith(
        "the image is for aarch64, and blobs has a kernel for x86_64 [eif.architecture]"
    )
    Path("blobs/Image").write_bytes(arm64())
    for name in ("init", "nsm.ko"):
        Path("blobs", name).write_bytes(elf(183))
    data = build(cli, "app.tar")
    assert (data["architecture"], data["kernel"]) == ("aarch64", {"format": "arm64 Image", "version": "5.10.9"})
    assert Path("image.eif").read_bytes()[6:8] == b"\0\1"
    assert build(cli, "rootfs", "--cmd", "/bin/app", "--platform", "linux/arm64/v8")["architecture"] == "aarch64"
    assert refused(cli, "rootfs", "--cmd", "/bin/app")[1].startswith("blobs: has a kernel for each processor")


@pytest.mark.parametrize("platform", ["arm64", "windows/amd64", "linux/riscv64", "linux/amd64/"])
def test_a_platform_that_enclaves_do_not_have(cli: Cli, platform: str) -> None:
    assert refused(cli, "rootfs", "--cmd", "/bin/app", "--platform", platform) == (
        2,
        f"--platform: enclaves run on linux/amd64 and linux/arm64, not on {platform!r} [usage.invalid]",
    )


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("app.tar",), "app.tar"),
        (("app.tar",), "link.tar"),
        (("app.tar", "--kernel", "blobs/bzImage"), "blobs/bzImage"),
        (("app.tar", "--init", "blobs/init"), "blobs/../blobs/init"),
        (("app.tar",), "blobs/bzImage"),
        (("app.tar",), "blobs/cmdline"),
        (("app.tar",), "blobs/init"),
        (("app.tar",), "blobs/nsm.ko"),
    ],
)
def test_the_image_is_not_written_over_what_it_is_made_of(cli: Cli, arguments: Sequence[str], output: str) -> None:
    Path("link.tar").symlink_to("app.tar")
    before = Path(output).read_bytes()
    ran = cli("eif", "build", *arguments, "--output-file", output)
    assert (ran.status, ran.stdout) == (2, "")
    assert "the image is made of this file, which would be gone [usage.invalid]" in ran.stderr
    assert Path(output).read_bytes() == before


def test_the_image_is_not_written_over_its_record(cli: Cli) -> None:
    Path("ledger.json").write_text("records")
    for command in (("eif", "build", "app.tar"), ("enclave", "build", "--docker-uri", "app:1")):
        naming = ("--record", "--component", "a", "--environment", "b", "--release", "1", "--records", "ledger.json")
        ran = cli(*command, "--output-file", "./ledger.json", *naming)
        assert ran == Ran(
            2,
            "",
            "nitroctl: error: --output-file ./ledger.json: the image would be recorded in this file, which would be "
            "gone [usage.invalid]\nnitroctl: hint: name another file\n",
        )
    assert Path("ledger.json").read_text() == "records"


@pytest.mark.parametrize("option", ["--private-key", "--signing-certificate", "--metadata"])
def test_the_image_of_nitro_cli_is_not_written_over_what_it_is_made_of(option: str, cli: Cli) -> None:
    Path("mine").write_text("the only copy")
    files = {"--private-key": "key.pem", "--signing-certificate": "certificate.pem", option: "mine"}
    options = [text for pair in files.items() for text in pair]
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "mine", *options)
    assert (ran.status, ran.stdout) == (2, "")
    assert "--output-file mine: the image is made of this file, which would be gone [usage.invalid]" in ran.stderr
    assert Path("mine").read_text() == "the only copy"


def test_the_image_is_not_written_into_its_source(cli: Cli) -> None:
    ran = cli("eif", "build", "rootfs", "--cmd", "/bin/app", "--output-file", "rootfs/bin/image.eif")
    assert ran == Ran(
        2,
        "",
        "nitroctl: error: --output-file rootfs/bin/image.eif: is in rootfs, and would be part of the next image "
        "[usage.invalid]\nnitroctl: hint: name a file elsewhere\n",
    )


def test_standard_output_is_no_place_for_an_image(cli: Cli) -> None:
    ran = cli("eif", "build", "app.tar", "--output-file", "-")
    assert ran.status == 2
    assert "an image is not written to standard output" in ran.stderr


@pytest.mark.parametrize("output", ["rootfs", "nosuch/image.eif", "/dev/null"])
def test_places_where_no_image_can_be(cli: Cli, output: str) -> None:
    ran = cli("eif", "build", "app.tar", "--output-file", output)
    assert (ran.status, ran.stdout) == (3, "")


def test_a_full_disk_leaves_what_was_there() -> None:
    Path("image.eif").write_bytes(b"before")
    done = subprocess.run(
        [sys.executable, "-m", "nitroctl", "eif", "build", "rootfs", "--cmd", "/bin/app", "--output-file", "image.eif"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)),
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "nitroctl: error: image.eif: cannot write: file too large [file.unwritable]\n"
    assert Path("image.eif").read_bytes() == b"before"
    assert not list(Path().glob(".image.eif*"))


def test_a_file_that_measures_otherwise_is_not_put_in_place(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from nitroctl.eif import write

    class Wrong(write.ImageWriter):
        def finish(self) -> write.Written:
            found = super().finish()
            return write.Written({**found.pcrs, 2: bytes(48)}, found.crc32, found.size, found.sections)

    monkeypatch.setattr("nitroctl.eif.build.ImageWriter", Wrong)
    ran = cli("eif", "build", "app.tar", "--output-file", "image.eif")
    assert ran.status == 1
    assert ran.stdout.startswith("✗ image.eif: not written: PCR2 of the file is another than was written\n")
    assert not Path("image.eif").exists()


def test_the_source_may_be_read_only(cli: Cli) -> None:
    """Nothing is written beside the source, whoever reads it."""
    before = sorted(Path().rglob("*"))
    Path("out").mkdir()
    assert cli("eif", "build", "app.tar", "--output-file", "out/image.eif").status == 0
    shutil.rmtree("out")
    assert sorted(Path().rglob("*")) == before


# -- enclave build --reproducible


def reproduced(cli: Cli, *more: str, env: Mapping[str, str] | None = None) -> Ran:
    arguments = ("enclave", "build", "--docker-uri", "app:1", "--output-file", "again.eif", "--reproducible", *more)
    return cli.program(*arguments, env=env)


def test_the_main_command_builds_the_same_image(cli: Cli) -> None:
    data = build(cli, "app.tar", "--reference", "app:1")
    ran = reproduced(cli, "--image-archive", "app.tar", "--json")
    assert (ran.status, ran.stderr) == (0, "")
    found = ran.json["data"]
    assert Path("again.eif").read_bytes() == Path("image.eif").read_bytes()
    assert (found["pcrs"], found["nitro_cli_pcrs"], found["sha256"]) == (data["pcrs"], {}, data["sha256"])
    assert found["reproducible"]["command"] == ["/bin/app", "--serve"]
    assert found["reproducible"]["source"]["path"] == "app.tar"


def docker(body: str) -> Mapping[str, str]:
    """A directory with a docker of a few lines of shell, first on PATH."""
    Path("bin").mkdir()
    Path("bin/docker").write_text(f'#!/bin/sh\necho "$@" >> docker.log\n{body}\n')
    Path("bin/docker").chmod(0o755)
    return {"PATH": f"{Path('bin').absolute()}:{os.environ['PATH']}"}


SAVES = 'test "$2" = save && cp app.tar "$4"; true'


def test_the_image_is_taken_from_docker(cli: Cli) -> None:
    build(cli, "app.tar", "--reference", "app:1")
    ran = reproduced(cli, env=docker(SAVES))
    assert ran.status == 0
    assert "  source   docker: app:1: docker, 6 files (app:1)\n" in ran.stdout
    assert Path("again.eif").read_bytes() == Path("image.eif").read_bytes()
    log = Path("docker.log").read_text().splitlines()
    assert log[0] == "image inspect -- app:1"
    assert log[1].startswith("image save --output ")
    assert log[1].endswith("/image.tar -- app:1")
    assert not list(Path().glob(".again*"))


def test_the_image_is_pulled_only_when_docker_has_none(cli: Cli) -> None:
    ran = reproduced(cli, env=docker(f'test "$2" = inspect && exit 1; {SAVES}'))
    assert ran.status == 0
    assert [line.split()[0] for line in Path("docker.log").read_text().splitlines()] == ["image", "pull", "image"]


def test_the_image_is_built_first(cli: Cli) -> None:
    assert reproduced(cli, "--docker-dir", "rootfs", env=docker(SAVES)).status == 0
    assert Path("docker.log").read_text().splitlines()[0] == "build --tag app:1 -- rootfs"


def test_an_image_named_by_its_digest_is_found_by_the_id_that_docker_has_for_it(cli: Cli) -> None:
    build(cli, "app.tar", "--reference", "app:1")
    about = oci_images.config([LAYER], config=CONFIG)
    id_ = oci_images.sha256(oci_images.compact(about))
    uri = "team/app@sha256:" + "0" * 64
    arguments = ("enclave", "build", "--docker-uri", uri, "--output-file", "again.eif", "--reproducible")
    path = docker(f'test "$3" = --format && echo {id_}; {SAVES}')
    ran = cli.program(*arguments, env=path)
    assert (ran.status, ran.stdout.splitlines()[0]) == (0, "✓ again.eif: built, and it measures what was written")
    assert Path("docker.log").read_text().splitlines()[-1] == f"image inspect --format {{{{.Id}}}} -- {uri}"
    assert Path("again.eif").read_bytes() == Path("image.eif").read_bytes()


@pytest.mark.parametrize("said", ["sha256:" + "1" * 64, "app:1", ""])
def test_another_image_than_docker_has_under_the_digest_is_refused(said: str, cli: Cli) -> None:
    uri = "team/app@sha256:" + "0" * 64
    arguments = ("enclave", "build", "--docker-uri", uri, "--output-file", "again.eif", "--reproducible")
    ran = cli.program(*arguments, env=docker(f'test "$3" = --format && echo "{said}"; {SAVES}'))
    assert (ran.status, ran.stdout) == (3, "")
    wanted = f"{said} is not in it [eif.source-choice]" if said.startswith("sha256:") else f"image: {said!r} [docker.f"
    assert wanted in ran.stderr
    assert not Path("again.eif").exists()


def test_docker_says_why_not(cli: Cli) -> None:
    ran = reproduced(cli, env=docker("echo first >&2; echo no such image >&2; exit 1"))
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: docker pull failed: no such image [docker.failed]\nnitroctl: hint: docker: first\n",
    )
    assert not Path("again.eif").exists()


def test_without_docker_an_archive_will_do(cli: Cli) -> None:
    ran = reproduced(cli, env={"PATH": "/nonexistent"})
    assert ran == Ran(
        3,
        "",
        "nitroctl: error: docker: no such program on PATH [docker.missing]\n"
        "nitroctl: hint: docker save -o image.tar app:1, where docker is, and name the file with --image-archive\n",
    )


def test_an_archive_of_another_image_is_refused(cli: Cli) -> None:
    about = oci_images.config([LAYER], config=CONFIG)
    Path("app.tar").write_bytes(as_archive(oci_images.docker_save(LAYER, tags=["other:1"], about=about)))
    ran = reproduced(cli, "--image-archive", "app.tar")
    assert ran.status == 3
    assert "app:1" in ran.stderr


@pytest.mark.parametrize("option", [("--image-archive", "app.tar"), ("--join-entrypoint",)])
def test_options_of_the_reproducible_build_alone_mean_nothing(cli: Cli, option: Sequence[str]) -> None:
    ran = cli("enclave", "build", "--docker-uri", "app:1", "--output-file", "again.eif", *option)
    assert ran.status == 2
    assert "are for --reproducible [usage.invalid]" in ran.stderr
