"""OCI image layouts: from the index to one image's configuration and layers, every step by digest.

Source: OCI image specification v1.1, "Image Layout", "Image Index", "Image Manifest".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl.eif.blobs import Blobs, Layer, digest, json_blob
from nitroctl.eif.image import Descriptor, Object, as_object, configuration, descriptor, fits, parsed
from nitroctl.eif.remarks import Remarks
from nitroctl.eif.tree import ImageConfig
from nitroctl.errors import CannotAnswer

LAYOUT: Final = "oci-layout"
INDEX: Final = "index.json"
_INDEXES: Final = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
_MANIFESTS: Final = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)
_CONFIGS: Final = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
_LAYERS: Final = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    }
)
_NAMES: Final = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
_MAX_DEPTH: Final = 4
_MAX_MANIFESTS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: its configuration, and its layers from the lowest up.

    ``platform``: what the index says it is for, or else its configuration.
    """

    platform: str
    config: ImageConfig
    layers: Sequence[Layer]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A manifest that the index leads to; ``digests``: its own and those of the indexes above it."""

    found: Descriptor
    names: tuple[str, ...]
    digests: tuple[str, ...]


def choose(blobs: Blobs, *, platform: str | None, reference: str | None, remarks: Remarks) -> Image:
    """Return the one image that is meant.

    An index may list platforms that were not saved with it: they cannot be chosen. ``reference``: a tag, the digest of
    a manifest or an index (alone, or after a name and @), or the image's id. Raises CannotAnswer ``eif.source-choice``
    when none or several fit, ``eif.source-format``, ``eif.source-digest``.
    """
    _check_version(blobs)
    where = f"{blobs.where}: {INDEX}"
    every = list(_candidates(blobs, as_object(parsed(json_blob(blobs, INDEX), where), where)))
    named = [one for one in every if reference is None or _is_called(one, reference)]
    is_id = not named and reference is not None and reference.startswith("sha256:")
    if is_id:
        named = every
    by_digest = {one.found.digest.text: one for one in named if not _is_attestation(one.found)}
    there = [one for one in by_digest.values() if blobs.has(one.found.digest.path)] or list(by_digest.values())
    images = [_image(blobs, one, _names(named, one)) for one in there]
    images = [image for image in images if not is_id or image.config.id == reference]
    if not images:
        raise nothing_fits(blobs.where, reference or "an image", sorted({name for one in every for name in one.names}))
    image = pick(blobs.where, images, platform=platform)
    chosen = by_digest[image.config.manifest]
    if not (fits(image.config.platform, image.platform) or fits(image.platform, image.config.platform)):
        remarks.about("source.platform-label", value=image.platform)
    if reference is not None and reference.rpartition("@")[2] not in (*chosen.digests, image.config.id):
        remarks.about("source.tag", value=reference)
    return image


def _check_version(blobs: Blobs) -> None:
    where = f"{blobs.where}: {LAYOUT}"
    version = as_object(parsed(json_blob(blobs, LAYOUT), where), where).text("imageLayoutVersion")
    if not version.startswith("1."):
        raise CannotAnswer(f"{where}: layout version {version[:50]!r} is not known", "eif.source-format")


def _candidates(blobs: Blobs, index: Object) -> Iterator[_Candidate]:
    """Yield the manifests of an index and of the indexes in it."""
    waiting: list[tuple[Object, tuple[str, ...], tuple[str, ...], int]]
    waiting = [(found, (), (), 1) for found in reversed(index.objects("manifests"))]
    seen = 0
    while waiting:
        raw, names, digests, depth = waiting.pop()
        seen += 1
        if seen > _MAX_MANIFESTS or depth > _MAX_DEPTH:
            raise CannotAnswer(
                f"{blobs.where}: more than {_MAX_MANIFESTS} manifests, or more than {_MAX_DEPTH} indexes deep",
                "eif.source-limit",
            )
        found = descriptor(raw)
        names += tuple(found.annotations[key] for key in _NAMES if key in found.annotations)
        digests += (found.digest.text,)
        if found.media_type in _INDEXES:
            where = f"{blobs.where}: {found.digest.path}"
            inner = parsed(json_blob(blobs, found.digest.path, expected=found.digest, size=found.size), where)
            below = as_object(inner, where).objects("manifests")
            waiting += [(one, names, digests, depth + 1) for one in reversed(below)]
        elif found.media_type in _MANIFESTS:
            yield _Candidate(found=found, names=names, digests=digests)


def _is_called(one: _Candidate, reference: str) -> bool:
    return reference.rpartition("@")[2] in one.digests or any(
        name == reference or name.endswith((f"/{reference}", f":{reference}")) for name in one.names
    )


def _is_attestation(found: Descriptor) -> bool:
    """Say whether this is what a builder says about an image: it is kept beside the images, for no platform."""
    return "vnd.docker.reference.type" in found.annotations or platform_of(found.platform) == "unknown/unknown"


def _names(every: Sequence[_Candidate], one: _Candidate) -> Sequence[str]:
    return sorted({name for other in every if other.found.digest == one.found.digest for name in other.names})


def platform_of(found: Object) -> str:
    """Return a platform object as ``os/architecture/variant``."""
    return "/".join(part for key in ("os", "architecture", "variant") if (part := found.text(key, "")))


def _image(blobs: Blobs, one: _Candidate, names: Sequence[str]) -> Image:
    """Return the image of a manifest. Raises CannotAnswer ``eif.source-format``, ``eif.source-digest``."""
    path = one.found.digest.path
    where = f"{blobs.where}: {path}"
    raw = json_blob(blobs, path, expected=one.found.digest, size=one.found.size)
    manifest = as_object(parsed(raw, where), where)
    if manifest.number("schemaVersion") != 2 or manifest.text("mediaType", "") not in (*_MANIFESTS, ""):  # noqa: PLR2004
        raise CannotAnswer(f"{where}: not an image manifest of schema version 2", "eif.source-format")
    about = descriptor(manifest.object("config"))
    if about.media_type not in _CONFIGS:
        raise CannotAnswer(
            f"{where}: its configuration is {about.media_type[:200]!r}: another thing than an image",
            "eif.source-format",
        )
    config = configuration(
        json_blob(blobs, about.digest.path, expected=about.digest, size=about.size),
        f"{blobs.where}: {about.digest.path}",
        id_=about.digest.text,
        manifest=one.found.digest.text,
        names=names,
    )
    layers = [descriptor(found) for found in manifest.objects("layers")]
    if len(layers) != len(config.layers):
        raise CannotAnswer(
            f"{where}: {len(layers)} layers, but its configuration has {len(config.layers)}", "eif.source-format"
        )
    return Image(
        platform=platform_of(one.found.platform) or config.platform,
        config=config,
        layers=[_layer(found, diff) for found, diff in zip(layers, config.layers, strict=True)],
    )


def _layer(found: Descriptor, diff: str) -> Layer:
    if found.media_type not in _LAYERS:
        raise CannotAnswer(
            f"{found.where}: a layer of type {found.media_type[:200]!r}, which cannot be used",
            "eif.source-format",
            ["foreign and encrypted layers have no place in an image that should be the same for everybody"],
        )
    return Layer(name=found.digest.path, diff=digest(diff, where=found.where), blob=found.digest, size=found.size)


def pick(where: str, images: Sequence[Image], *, platform: str | None) -> Image:
    """Return the one image that is for ``platform``. Raises CannotAnswer ``eif.source-choice``."""
    fitting = [image for image in images if platform is None or fits(image.platform, platform)]
    said = [
        f"{image.platform} {', '.join(image.config.names)} {image.config.manifest or image.config.id}"
        for image in images
    ]
    if not fitting:
        raise nothing_fits(where, f"an image for {platform}" if platform else "an image", said)
    if len(fitting) > 1:
        raise CannotAnswer(
            f"{where}: {len(fitting)} images fit",
            "eif.source-choice",
            ["choose by platform or by reference, a tag or a digest", *said[:20]],
        )
    return fitting[0]


def nothing_fits(where: str, wanted: str, there: Sequence[str]) -> CannotAnswer:
    """Return the error for a source without what is ``wanted``; ``there``: what it has."""
    hints = [f"it has {one}" for one in there[:20]]
    return CannotAnswer(f"{where}: {wanted} is not in it", "eif.source-choice", hints)
