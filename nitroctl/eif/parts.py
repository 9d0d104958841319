"""The parts of an image that do not come from the application: kernel, command line, init and driver.

nitro-cli takes them from its blobs directory, by fixed names, for the processor of the machine it runs on; the
processor that an image is marked with comes from elsewhere, so the two can be mixed there. Here each part is asked
which processor it is for, and a mixture is refused. Kernel and driver belong together: with another kernel, the driver
of the blobs directory would not load and init would stop, so it is left out.
Source: aws-nitro-enclaves-cli, blobs; System V ABI, ELF header.
"""

import hashlib
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from nitroctl import safefile
from nitroctl.eif import kernel as kernel_file
from nitroctl.eif.format import ARCHITECTURES
from nitroctl.eif.kernel import Kernel
from nitroctl.eif.tree import CHUNK
from nitroctl.eif.write import Architecture
from nitroctl.errors import CannotAnswer

DEFAULT_DIRECTORY: Final = "/usr/share/nitro_enclaves/blobs"
KERNELS: Final[dict[str, Architecture]] = {"bzImage": "x86_64", "Image": "aarch64"}
#: Every file of the directory that an image may be made of.
NAMES: Final = (*KERNELS, *(f"{name}.config" for name in KERNELS), "cmdline", "init", "nsm.ko")
#: What OCI and Docker call the processors that enclaves run on.
PLATFORMS: Final[dict[str, Architecture]] = {"amd64": "x86_64", "arm64": "aarch64"}
#: No kernel, init or driver comes near it; what is larger is another file, and would be copied whole.
PART_LIMIT: Final = 1 << 30
_CONFIG_LIMIT: Final = 4 * 1024 * 1024
_CMDLINE_LIMIT: Final = 64 * 1024
#: Linux cuts the command line here, on both processors, and boots with what is left.
CMDLINE_MAX: Final = 2047
_ELF: Final = {62: "x86_64", 183: "aarch64"}
#: A 64-bit little-endian ELF header: where its program headers are, the size of each, and how many there are.
_ELF_HEADER: Final = struct.Struct("<32xQ14xHH6x")
_ELF_TABLE_LIMIT: Final = 64 * 1024
_INTERPRETER: Final = struct.pack("<I", 3)
_CONFIG_LINE: Final = re.compile(r"#\s*([^\s/]{1,64})/\S+ (\S{1,128}) ")


@dataclass(slots=True)
class Input:
    """A file that goes into an image as it is: opened only to be read, and digested as it passes.

    ``size``: bytes, when it was found. ``sha256``: of what was read last, empty until then.
    """

    role: str
    path: str
    size: int
    sha256: str = ""

    @classmethod
    def find(cls, role: str, path: str) -> "Input":
        """Return the file ``path``, which is not read yet.

        Raises CannotAnswer ``file.*``, among them ``file.too-large`` for more than :data:`PART_LIMIT` bytes, and
        ``eif.not-buildable`` for an empty file.
        """
        with safefile.open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
        if not size:
            raise CannotAnswer(f"{path}: empty, it cannot be the image's {role}", "eif.not-buildable")
        if size > PART_LIMIT:
            raise CannotAnswer(f"{path}: {size} bytes, and no {role} is larger than 1 GiB", "file.too-large")
        return cls(role, path, size)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content. Raises CannotAnswer ``file.*``, and ``eif.source-changed`` when its size is another."""
        digest, left = hashlib.sha256(), self.size
        with safefile.open_regular(self.path) as stream:
            while chunk := self._read(stream):
                left -= len(chunk)
                digest.update(chunk)
                yield chunk
        if left:
            raise CannotAnswer(
                f"{self.path}: changed while it was read",
                "eif.source-changed",
                ["wait until nothing writes to it, then build again"],
            )
        self.sha256 = digest.hexdigest()

    def _read(self, stream: IO[bytes]) -> bytes:
        try:
            return stream.read(CHUNK)
        except OSError as error:
            raise safefile.cannot_read(self.path, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts, found and known to be for ``architecture``.

    ``cmdline``: as it will be measured. ``release``: the kernel's own, or the configuration's; with ``system`` it goes
    into the metadata. ``pinned``: every file there is a digest to give of.
    """

    architecture: Architecture
    kernel: Input
    cmdline: bytes
    cmdline_path: str
    init: Input
    nsm: Input | None
    identity: Kernel
    system: str = "Linux"
    release: str = "unknown"
    remarks: tuple[str, ...] = field(default=())

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The files, in the order in which they are measured."""
        return tuple(part for part in (self.kernel, self.init, self.nsm) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Where the parts are to come from: ``directory``, and files that take the place of what is in it."""

    directory: str = DEFAULT_DIRECTORY
    kernel: str | None = None
    cmdline: str | None = None
    init: str | None = None
    nsm: str | None = None

    def require(self) -> None:
        """Look at the files that were named, before anything long is begun. Raises as :meth:`Input.find` does."""
        for role, path in (("kernel", self.kernel), ("init", self.init), ("nsm.ko", self.nsm)):
            if path is not None:
                Input.find(role, path)


def find(given: Given, *, architecture: Architecture | None, wanted_by: str = "the image") -> Parts:
    """Return the parts for ``architecture``, or, when it is None, for the one that the kernel is for.

    ``wanted_by``: what says the architecture, for the error. Raises CannotAnswer ``eif.blobs`` for a part that is
    missing, ``eif.architecture`` for parts of different processors or when nothing says which, ``eif.not-buildable``
    for a command line that Linux would not take as it is, and ``file.*``.
    """
    kernel = _kernel(given, architecture)
    with safefile.open_regular(kernel.path) as stream:
        try:
            identity = kernel_file.identify(stream, 0, kernel.size)
        except OSError as error:
            raise safefile.cannot_read(kernel.path, error) from error
    found = next((known for known in ARCHITECTURES if known == identity.architecture), None)
    if identity.architecture and found is None:
        raise _mixed(f"{kernel.path} is a kernel for {identity.architecture}, enclaves run on x86_64 and aarch64")
    if architecture and found and architecture != found:
        raise _mixed(f"{wanted_by} is for {architecture}, and {kernel.path} is a kernel for {found}")
    decided = architecture or _narrowed(found)
    if decided is None:
        raise CannotAnswer(
            f"{kernel.path}: nothing says which processor the image is for, and this is no kernel that is known",
            "eif.architecture",
            ["add --platform linux/amd64 or --platform linux/arm64"],
        )
    init = _part(given, given.init, "init")
    nsm = _driver(given)
    for part in (init, nsm):
        machine = _machine(part) if part else ""
        if part and machine and machine != decided:
            raise _mixed(f"the image is for {decided}, and {part.path} is a program for {machine}")
    cmdline_path = given.cmdline or os.path.join(given.directory, "cmdline")  # noqa: PTH118  (as it was written)
    system, release = _release(kernel.path)
    return Parts(
        architecture=decided,
        kernel=kernel,
        cmdline=_cmdline(cmdline_path, given),
        cmdline_path=cmdline_path,
        init=init,
        nsm=nsm,
        identity=identity,
        system=system or "Linux",
        release=release or identity.version or "unknown",
        remarks=tuple(_remarks(kernel, identity, init, nsm)),
    )


def _remarks(kernel: Input, identity: Kernel, init: Input, nsm: Input | None) -> Iterator[str]:
    """Yield what is likely to keep the enclave from coming up, or from attesting."""
    if identity.format not in ("bzImage", "arm64 Image"):
        kind = "no kernel that is known" if identity.format == kernel_file.UNKNOWN else identity.format
        yield f"{kernel.path} is {kind}; enclaves boot a bzImage, or an arm64 Image that is not compressed"
    why = _not_alone(init)
    if why:
        yield f"{init.path} {why}: it is started in the boot ramdisk, where there is nothing else"
    if nsm is None:
        yield "no nsm.ko: the kernel must have the driver built in, or the enclave cannot attest"


def _narrowed(name: str | None) -> Architecture | None:
    return next((known for known in KERNELS.values() if known == name), None)


def _kernel(given: Given, architecture: Architecture | None) -> Input:
    if given.kernel is not None:
        return Input.find("kernel", given.kernel)
    there = [name for name in KERNELS if _exists(given.directory, name)]
    fitting = [name for name in there if architecture in (None, KERNELS[name])]
    if len(fitting) == 1:
        return Input.find("kernel", os.path.join(given.directory, fitting[0]))  # noqa: PTH118
    if fitting:
        raise CannotAnswer(
            f"{given.directory}: has a kernel for each processor, and nothing says which one is wanted",
            "eif.architecture",
            ["add --platform linux/amd64 or --platform linux/arm64"],
        )
    if there:
        raise _mixed(f"the image is for {architecture}, and {given.directory} has a kernel for {KERNELS[there[0]]}")
    raise _missing(given, "a kernel (bzImage or Image)", "--kernel")


def _part(given: Given, path: str | None, name: str) -> Input:
    if path is None:
        if not _exists(given.directory, name):
            raise _missing(given, name, f"--{name}")
        path = os.path.join(given.directory, name)  # noqa: PTH118
    return Input.find(name, path)


def _driver(given: Given) -> Input | None:
    if given.nsm is not None:
        return Input.find("nsm.ko", given.nsm)
    if given.kernel is None and _exists(given.directory, "nsm.ko"):
        return Input.find("nsm.ko", os.path.join(given.directory, "nsm.ko"))  # noqa: PTH118
    return None


def _exists(directory: str, name: str) -> bool:
    return os.path.exists(os.path.join(directory, name))  # noqa: PTH110, PTH118  (pathlib's raises where one may not look)


def _cmdline(path: str, given: Given) -> bytes:
    if given.cmdline is None and not _exists(given.directory, "cmdline"):
        raise _missing(given, "cmdline", "--cmdline")
    text = safefile.read_bytes(path, limit=_CMDLINE_LIMIT).strip()
    if any(not 0x20 <= byte <= 0x7E for byte in text):  # noqa: PLR2004  (printable ASCII)
        raise CannotAnswer(
            f"{path}: has control or non-ASCII characters; all of it would be measured, and Linux reads one plain line",
            "eif.not-buildable",
        )
    if len(text) > CMDLINE_MAX:
        raise CannotAnswer(
            f"{path}: {len(text)} characters, and Linux takes {CMDLINE_MAX} and drops the rest", "eif.not-buildable"
        )
    return text


def _release(kernel: str) -> tuple[str, str]:
    """Return system and release from line 3 of the configuration beside the kernel, empty where there is none."""
    path = f"{kernel}.config"
    if not Path(path).is_file():
        return "", ""
    lines = safefile.read_bytes(path, limit=_CONFIG_LIMIT).decode("utf-8", "replace").splitlines()
    match = _CONFIG_LINE.match(f"{lines[2]} " if len(lines) > 2 else "")  # noqa: PLR2004  (the third line)
    return (match[1], match[2]) if match else ("", "")


def _machine(part: Input) -> str:
    """Return the processor of an ELF file, empty for another kind of file."""
    with safefile.open_regular(part.path) as stream:
        try:
            head = stream.read(20)
        except OSError as error:
            raise safefile.cannot_read(part.path, error) from error
    if head[:4] != b"\x7fELF" or len(head) < 20:  # noqa: PLR2004
        return ""
    number = struct.unpack_from(">H" if head[5] == 2 else "<H", head, 18)[0]  # noqa: PLR2004  (ELFDATA2MSB)
    return _ELF.get(number, f"machine {number}")


def _not_alone(part: Input) -> str:
    """Return what a program needs beside itself: an interpreter, or a loader for its libraries; empty for nothing."""
    with safefile.open_regular(part.path) as stream:
        try:
            head = stream.read(_ELF_HEADER.size)
            if head[:2] == b"#!":
                return "is a script"
            if head[:6] != b"\x7fELF\x02\x01" or len(head) < _ELF_HEADER.size:
                return ""
            table, size, count = _ELF_HEADER.unpack(head)
            stream.seek(table)
            headers = stream.read(min(size * count, _ELF_TABLE_LIMIT))
        except (OSError, ValueError, OverflowError):  # a file that lies about itself: Linux will say what it is
            return ""
    kinds = (headers[at : at + 4] for at in range(0, len(headers), size)) if size else ()
    return "needs a loader (it is not statically linked)" if _INTERPRETER in kinds else ""


def _missing(given: Given, what: str, option: str) -> CannotAnswer:
    there = Path(given.directory).is_dir()
    return CannotAnswer(
        f"{given.directory}: has no {what}" if there else f"{given.directory}: no such directory to take {what} from",
        "eif.blobs",
        [
            "name nitro-cli's blobs directory with --blobs or NITRO_CLI_BLOBS (package aws-nitro-enclaves-cli-devel)",
            f"or name the file with {option}",
        ],
    )


def _mixed(text: str) -> CannotAnswer:
    return CannotAnswer(
        text, "eif.architecture", ["take kernel, init, nsm.ko and application for one and the same processor"]
    )
