"""build-enclave and sign-eif: genuine images, made the way nitro-cli makes them and in the same order.

The output file is created, or emptied, before anything else that can fail, so a failed build leaves an empty file.
Kernel, configuration, ``init`` and ``nsm.ko`` come from the blobs directory; what is missing there is replaced by a
labelled placeholder (the original refuses). ``cmdline`` must be there.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from nitroctl.errors import CannotAnswer
from nitroctl.standin import images, knobs
from nitroctl.standin.failures import Failure, Panic

if TYPE_CHECKING:
    from nitroctl.standin.docker import DockerImage
    from nitroctl.standin.usage import Parsed

_METADATA_LIMIT: Final = 4096
_ARCHITECTURES: Final[dict[str, Literal["x86_64", "aarch64"]]] = {"amd64": "x86_64", "arm64": "aarch64"}
PLACEHOLDERS: Final = {
    "bzImage": b"stand-in for a kernel; nothing boots from this\n",
    "init": b"stand-in for init\n",
    "nsm.ko": b"stand-in for nsm.ko\n",
    "bzImage.config": b"#\n# stand-in for a kernel configuration\n# Linux/x86_64 4.14.256 Kernel Configuration\n#\n",
}
CMDLINE: Final = (
    b"reboot=k panic=30 pci=off nomodules console=ttyS0 i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd "
    b"random.trust_cpu=on\n"
)


def build_enclave(args: "Parsed") -> dict[str, Any]:
    """Do ``build-enclave`` and return what it prints. Raises Failure, or Panic for a malformed key or certificate."""
    _say("Start building the Enclave Image...")
    blobs = knobs.blobs()
    try:
        cmdline = (blobs / "cmdline").read_bytes().strip()
    except OSError as error:
        raise Failure(19, f"kernel command line: {error}", str(blobs / "cmdline"), "Open") from error
    output = _required(args, "output-file")
    try:
        Path(output).write_bytes(b"")
    except OSError as error:
        raise Failure(19, f"output file: {error}", output, "Open") from error
    artifacts = _artifacts()
    signer = _signer_for_build(args)
    custom = _custom_metadata(args.get("metadata"))
    image = _docker_image(args)
    _linuxkit()
    parts = _Parts(
        architecture=_architecture(image),
        kernel=_blob("bzImage"),
        cmdline=cmdline,
        ramdisks=_ramdisks(image, artifacts),
        metadata=_metadata(args, image, custom) if knobs.since("1.2.0") else None,
    )
    _write(output, parts, None, code=48)
    if signer:
        from nitroctl.eif import signature  # noqa: PLC0415  (start-up)

        key, certificate = signer
        section = signature.sign(images.read(output).pcrs[0], private_key_pem=key, certificate_pem=certificate)
        _write(output, parts, section, code=48)
    _say("Enclave Image successfully created.")
    return {"Measurements": images.read(output).measurements("build-enclave")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What an image is made of, but its signature."""

    architecture: Literal["x86_64", "aarch64"]
    kernel: bytes
    cmdline: bytes
    ramdisks: Sequence[bytes]
    metadata: bytes | None


def _write(path: str, parts: _Parts, signature: bytes | None, *, code: int) -> None:
    """Write the image. Raises Failure ``code``; what was written by then stays, as in the original."""
    from nitroctl.eif import write  # noqa: PLC0415  (start-up)

    try:
        with Path(path).open("wb") as stream:
            write.write_image(
                stream,
                architecture=parts.architecture,
                kernel=parts.kernel,
                cmdline=parts.cmdline,
                ramdisks=parts.ramdisks,
                metadata=parts.metadata,
                signature=signature,
            )
    except (OSError, CannotAnswer) as error:
        raise Failure(code, f"the image cannot be written: {error}") from error


def sign_eif(args: "Parsed") -> dict[str, Any]:
    """Do ``sign-eif``: sign in place, in place of an older signature. Raises Failure."""
    path = args.get("eif-path")
    if not path:
        raise Failure(1, "no image to sign", "eif-path")
    if not args.has("private-key"):
        raise Failure(60, "no key and certificate")
    try:
        signer = _signer(args)
    except _NoSigner as error:
        _say(f"Could not read signing info: {error}")
        raise Failure(60, str(error)) from error
    image = images.read(path)
    from nitroctl.eif import signature  # noqa: PLC0415  (start-up)

    key, certificate = signer
    try:
        section = signature.sign(image.pcrs[0], private_key_pem=key, certificate_pem=certificate)
    except Exception as error:
        raise Failure(60, f"the key or the certificate cannot be used: {error}") from error
    _replace_signature(path, section)
    _say("Enclave Image successfully signed.")
    return {"Measurements": images.read(path).measurements("sign-eif")}


def _replace_signature(path: str, section: bytes) -> None:
    """Write the image anew with ``section`` as its signature; the other sections keep bytes and order."""
    from nitroctl.eif.format import Header  # noqa: PLC0415  (start-up)

    data = Path(path).read_bytes()
    contents: dict[int, list[bytes]] = {kind: [] for kind in range(1, 6)}
    for kind, content in images.sections(data):
        contents[kind].append(content)
    kernels, cmdlines, ramdisks, _, metadata = contents.values()
    if len(kernels) != 1 or len(cmdlines) != 1:
        raise Failure(60, "the image has not one kernel and one command line")
    parts = _Parts(
        architecture="aarch64" if Header.parse(data).flags & 1 else "x86_64",
        kernel=kernels[0],
        cmdline=cmdlines[0],
        ramdisks=ramdisks,
        metadata=metadata[0] if metadata else None,
    )
    _write(path, parts, section, code=60)


class _NoSigner(Exception):
    """Key or certificate cannot be had."""


def _signer(args: "Parsed") -> tuple[bytes, bytes]:
    """Return key and certificate as PEM. There is no KMS here: a key's ARN fails as KMS without credentials does."""
    key, certificate = _required(args, "private-key"), _required(args, "signing-certificate")
    if knobs.get("SIGNING") == "fail":
        raise _NoSigner("the key could not be used (NITROCTL_STANDIN_SIGNING)")
    if key.startswith("arn:") and ":alias/" not in key and knobs.since("1.4.0"):
        raise _NoSigner("KMS: no credentials in the provider chain")
    try:
        return Path(key).read_bytes(), Path(certificate).read_bytes()
    except OSError as error:
        raise _NoSigner(str(error)) from error


def _signer_for_build(args: "Parsed") -> tuple[bytes, bytes] | None:
    """Return the signer, None for an unsigned image. Before 1.5.0 a signer that cannot be had is one not asked for."""
    if not args.has("private-key"):
        return None
    try:
        signer = _signer(args)
    except _NoSigner as error:
        if knobs.since("1.5.0"):
            raise Failure(48, f"SignImageError({error})") from error
        _say(f"Could not read signing info: {error}")
        return None
    from nitroctl.eif import signature  # noqa: PLC0415  (start-up)

    try:
        signature.sign(bytes(48), private_key_pem=signer[0], certificate_pem=signer[1])
    except Exception as error:
        raise Panic(f"malformed signing information: {error}") from error
    return signer


def _artifacts() -> Path:
    where = os.environ.get("NITRO_CLI_ARTIFACTS")
    if not where:
        if "HOME" not in os.environ:
            raise Failure(51, "neither HOME nor NITRO_CLI_ARTIFACTS is set")
        where = f"{os.environ['HOME']}/.nitro_cli/"
    try:
        Path(where).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(19, str(error), where, "Create") from error
    return Path(where)


def _custom_metadata(path: str | None) -> Any:  # noqa: ANN401  (any JSON)
    if path is None:
        return None
    try:
        content = Path(path).read_bytes()
        if len(content) > _METADATA_LIMIT:
            raise Failure(48, f"MetadataError: {len(content)} bytes, at most {_METADATA_LIMIT}")
        return json.loads(content)
    except OSError as error:
        raise Failure(48, f"MetadataPathError: {error}") from error
    except ValueError as error:
        raise Failure(48, f"MetadataError: {error}") from error


def _docker_image(args: "Parsed") -> "DockerImage":
    from nitroctl.standin import docker  # noqa: PLC0415  (start-up)

    directory = args.get("docker-dir")
    uri = _required(args, "docker-uri")
    uri = uri if ":" in uri else f"{uri}:latest"
    architecture = knobs.get("ARCHITECTURE", "amd64")
    code = 49 if directory else 50
    ending = knobs.get("BUILD")
    if ending == "docker-down":
        _say("Docker error: error trying to connect: No such file or directory (os error 2)")
        raise Failure(code, "BuildError" if directory else "PullError")
    if ending == "pull" and not directory:
        _say(f"Docker error: pull access denied for {uri.partition(':')[0]}")
        raise Failure(code, "PullError")
    if ending == "dockerfile" and directory:
        _say("Output error: The command '/bin/sh -c false' returned a non-zero code: 1")
        raise Failure(code, "BuildError")
    try:
        if directory:
            return docker.build(directory, uri, architecture)
    except (docker.DockerError, OSError) as error:
        _say(f"Docker error: {error}")
        raise Failure(code, "BuildError") from error
    _say("Using the locally available Docker image...")
    return docker.pull(uri, architecture)


def _architecture(image: "DockerImage") -> Literal["x86_64", "aarch64"]:
    if image.architecture not in _ARCHITECTURES:
        raise Failure(48, f"UnsupportedArchError: {image.architecture}")
    return _ARCHITECTURES[image.architecture]


def _linuxkit() -> None:
    """Be as slow, as loud and as unlucky as the knobs want."""
    line = "linuxkit: level=info msg=copying layer sha256:5d3938eb\n"
    for _ in range(int(knobs.get("LINUXKIT", "0")) * 1024 // len(line)):
        sys.stderr.write(line)
    sys.stderr.flush()
    time.sleep(knobs.seconds("SLOW_BUILD"))
    ending = knobs.get("BUILD")
    if ending == "hang":
        while True:
            time.sleep(3600)
    if ending == "panic":
        raise Panic("called `Result::unwrap()` on an `Err` value")
    if ending == "fail":
        _say("Linuxkit reported an error while creating the bootstrap ramfs: exit status 1")
        raise Failure(48, "LinuxkitExecError")
    if ending == "nospace":
        _say("Linuxkit reported an error while creating the customer ramfs: write /tmp/layer: no space left on device")
        raise Failure(48, "LinuxkitExecError")


def _ramdisks(image: "DockerImage", artifacts: Path) -> list[bytes]:
    from nitroctl.eif import ramdisk  # noqa: PLC0415  (start-up)
    from nitroctl.standin.docker import environment  # noqa: PLC0415

    command = image.cmd or image.entrypoint
    if not command:
        raise Failure(48, "DockerError: neither CMD nor ENTRYPOINT in the image")
    try:
        boot = ramdisk.boot(init=_blob("init"), nsm=_blob("nsm.ko"))
        application = ramdisk.application(image.files, command=command, environment=environment(image.env))
        (artifacts / "bootstrap-initrd.img-initrd.img").write_bytes(boot)
        (artifacts / "customer-initrd.img-initrd.img").write_bytes(application)
    except (OSError, ValueError) as error:
        raise Failure(48, f"ramdisk: {error}") from error
    return [boot, application]


def _metadata(args: "Parsed", image: "DockerImage", custom: Any) -> bytes:  # noqa: ANN401  (any JSON)
    from nitroctl.eif import write  # noqa: PLC0415  (start-up)

    lines = _blob("bzImage.config").decode("utf-8", "replace").splitlines()
    system, _, rest = (lines[2] if len(lines) > 2 else "").lstrip("# ").partition("/")  # noqa: PLR2004  (third line)
    words = rest.split()
    return write.metadata_json(
        image_name=args.get("name") or image.uri.partition(":")[0],
        image_version=args.get("version") or image.id,
        build_time=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "000+00:00"),
        build_tool="nitro-cli",
        build_tool_version=knobs.version(),
        operating_system=system or "Linux",
        kernel_version=words[1] if len(words) > 1 else "4.14.256",
        docker_info=image.inspect(),
        custom=custom,
    )


def _blob(name: str) -> bytes:
    with contextlib.suppress(OSError):
        return (knobs.blobs() / name).read_bytes()
    return PLACEHOLDERS[name]


def _required(args: "Parsed", name: str) -> str:
    value = args.get(name)
    assert value is not None, name  # noqa: S101  (the parser saw to it)
    return value


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def lay_blobs(directory: Path) -> Iterator[Path]:
    """Write the blobs that the stand-in's images are made of, placeholders all; yields each path."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in {**PLACEHOLDERS, "cmdline": CMDLINE, "linuxkit": b"#!/bin/sh\nexit 1\n"}.items():
        path = directory / name
        path.write_bytes(content)
        yield path
