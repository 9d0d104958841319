"""Faults that known builders leave in images that are otherwise well-formed, by name.

None of them keeps an image from being measured or run, so each is told and none refuses: what an image's builder got
wrong is in the metadata, which is not measured, or is measured as it stands. Faults on which readers disagree (the
stale table size after signing again, a second signature section) are :mod:`nitroctl.eif.structure`'s, and refuse.
Source: observed output of nitro-cli 1.5.0 and eif_build 0.3.1; images found in the wild.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from nitroctl.checks import Check, Outcome
from nitroctl.eif.format import SectionType
from nitroctl.eif.kernel import Kernel
from nitroctl.eif.metadata import Metadata

if TYPE_CHECKING:
    from nitroctl.eif.measure import Measured

#: Every check in the order it is made: id to title (true when it passes).
TITLES: Final[dict[str, str]] = {
    "builder.image-version": "The image version is not the name written twice",
    "builder.image-name": "The image name is not cut at a registry's port",
    "builder.custom-metadata": "Custom metadata hides no other member where nitro-cli shows it",
    "builder.cmdline-end": "The command line ends where nitro-cli would end it",
    "builder.cmdline-length": "The kernel sees the whole command line that is measured",
    "builder.signed-hash": "The signature is about a SHA-384 register",
    "builder.architecture": "Header, kernel and Docker image are for the same processor",
    "builder.kernel-version": "The metadata names the kernel that is in the image",
}
#: Linux's COMMAND_LINE_SIZE on x86-64 and arm64, less the NUL that ends it.
CMDLINE_SEEN: Final = 2047
#: The members beside which ``describe-eif`` prints those of CustomMetadata.
_SHOWN_BESIDE: Final = (
    "BuildTime",
    "BuildTool",
    "BuildToolVersion",
    "OperatingSystem",
    "KernelVersion",
    "DockerInfo",
)
#: A signature's payload up to the number of bytes that the register has, which is the next byte.
_CLAIM: Final = b"\xa2\x6eregister_index\x00\x6eregister_value\x98"
_HASHES: Final = {32: "sha256", 64: "sha512"}


def examine(measured: "Measured", kernel: Kernel | None) -> list[Check]:
    """Return a check for each known fault: always the same ids, in the order of :data:`TITLES`.

    ``kernel``: what the image's kernel is; None when it has none, or several.
    """
    found = {
        "builder.image-version": _image_version(measured.metadata),
        "builder.image-name": _image_name(measured.metadata),
        "builder.custom-metadata": _custom_metadata(measured.metadata),
        "builder.cmdline-end": _cmdline_end(measured),
        "builder.cmdline-length": _cmdline_length(measured),
        "builder.signed-hash": _signed_hash(measured),
        "builder.architecture": _architecture(measured, kernel),
        "builder.kernel-version": _kernel_version(measured.metadata, kernel),
    }
    return [_check(check_id, title, *found[check_id]) for check_id, title in TITLES.items()]


#: What was found, empty for nothing wrong, and what to do; or the SKIP for an image that lacks what is looked at.
_Found = tuple[str, str] | tuple[None, str]


def _check(check_id: str, title: str, fault: str | None, remedy: str) -> Check:
    if fault is None:
        detail = f"not checked: {remedy}"
        return Check(id=check_id, title=title, outcome=Outcome.SKIP, detail=detail, required=False)
    return Check(
        id=check_id,
        title=title,
        outcome=Outcome.WARN if fault else Outcome.PASS,
        detail=fault,
        remedy=remedy if fault else None,
        source="known faults of builders",
        required=False,
    )


_NO_METADATA: Final = (None, "the image has no metadata that can be read")
_NO_CMDLINE: Final = (None, "the image has no one command line")


def _image_version(metadata: Metadata | None) -> _Found:
    if metadata is None:
        return _NO_METADATA
    twice = metadata.build_tool == "eif_build" and metadata.image_name == metadata.image_version
    return (
        f"both are {metadata.image_name!r}: eif_build 0.3.1 writes its --name as the version too" if twice else "",
        "take the version from elsewhere, or build with a current eif_build",
    )


def _image_name(metadata: Metadata | None) -> _Found:
    """Find the reference that the name is the beginning of: nitro-cli takes what stands before the first colon."""
    if metadata is None:
        return _NO_METADATA
    for reference in _references(metadata.docker_info):
        cut, colon, rest = reference.partition(":")
        if colon and cut == metadata.image_name and "/" in rest:
            fault = f"it is {cut!r}, and the image is {reference!r}: nitro-cli cuts the name at the first colon"
            return fault, "build with nitro-cli build-enclave --name"
    return "", ""


def _references(docker_info: object) -> Iterator[str]:
    """Yield the names that ``docker inspect`` lists for the image."""
    if isinstance(docker_info, dict):
        for member in ("RepoTags", "RepoDigests"):
            listed = docker_info.get(member)
            yield from (each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, str))


def _custom_metadata(metadata: Metadata | None) -> _Found:
    if metadata is None:
        return _NO_METADATA
    hidden = [name for name in _SHOWN_BESIDE if isinstance(metadata.custom, dict) and name in metadata.custom]
    fault = f"custom metadata has {', '.join(hidden)}, which describe-eif prints beside the builder's own"
    return fault if hidden else "", "believe neither: metadata is not measured; nitroctl eif inspect keeps them apart"


def _cmdline_size(measured: "Measured") -> int | None:
    """Return how many bytes the command line has, None for an image without one, or with one for each reader."""
    sections = measured.layout.of_type(SectionType.CMDLINE) if measured.layout.agreed else ()
    return sections[0].size if len(sections) == 1 else None


def _cmdline_end(measured: "Measured") -> _Found:
    size, text = _cmdline_size(measured), measured.cmdline
    if size is None or text is None:
        return _NO_CMDLINE
    if size > len(text):
        return None, f"it is longer than the {len(text)} bytes that are kept of it"
    ends = {b"\n": "a line feed", b"\0": "a NUL", b" ": "a space"}
    last = ends.get(text[-1:], "")
    fault = f"its last byte is {last}, which nitro-cli would not write; it is measured, so PCR0 and PCR1 differ"
    return fault if last else "", "expect other registers than those of a nitro-cli build of the same parts"


def _cmdline_length(measured: "Measured") -> _Found:
    size = _cmdline_size(measured)
    if size is None:
        return _NO_CMDLINE
    fault = f"it has {size} bytes and all are measured, and the kernel sees the first {CMDLINE_SEEN}"
    return fault if size > CMDLINE_SEEN else "", "shorten it, or find out what stands behind what the kernel takes"


def _signed_hash(measured: "Measured") -> _Found:
    """Tell a register of another hash by its length: no platform has such a register."""
    if measured.signature is None:
        return None, "the image has no signature that can be read"
    payload = measured.signature.payload
    length = payload[len(_CLAIM)] if payload.startswith(_CLAIM) and len(payload) > len(_CLAIM) else 0
    if length not in _HASHES:
        return "", ""
    fault = f"it is about a register of {length} bytes: eif_build was run with --algo {_HASHES[length]}"
    return fault, "sign with SHA-384, the one hash that enclaves are measured with"


#: Docker's names of the processors.
_DOCKER: Final = {"amd64": "x86_64", "arm64": "aarch64"}


def _architecture(measured: "Measured", kernel: Kernel | None) -> _Found:
    """Compare what nitro-cli takes from different places: the header's bit from the Docker image, the kernel here."""
    header = measured.layout.header
    if header is None or kernel is None:
        return None, "the image has no one kernel"
    docker = measured.metadata.docker_info if measured.metadata else None
    named = docker.get("Architecture") if isinstance(docker, dict) else None
    said = {
        "the header": header.architecture,
        "the kernel": kernel.architecture,
        "the Docker image": _DOCKER.get(named, "") if isinstance(named, str) else "",
    }
    known = {who: what for who, what in said.items() if what}
    if len(known) == 1:
        return None, "neither the kernel nor the metadata says which it is for"
    told = ", ".join(f"{who} says {what}" for who, what in known.items())
    return told if len(
        {*known.values()}
    ) > 1 else "", "build it on, and with the kernel of, the processor it is to run on"


def _kernel_version(metadata: Metadata | None, kernel: Kernel | None) -> _Found:
    if metadata is None:
        return _NO_METADATA
    if kernel is None or not kernel.version or not metadata.kernel_version:
        return None, "the kernel's version cannot be told, or the metadata has none"
    same = metadata.kernel_version == kernel.version
    fault = f"the metadata says {metadata.kernel_version!r}, the kernel {kernel.version!r}"
    return "" if same else fault, "believe the kernel: it is measured, and the metadata is not"
