"""Archives of ``docker save``: the file manifest.json, and layers by whatever name it gives them.

Docker before 25 stores every layer in a directory of its own, newer ones store an OCI layout and manifest.json beside
its index; skopeo and podman write a third arrangement. The configuration's name is its digest where it looks like one,
and the configuration holds the digest of every layer. Source: docker image specification v1.2.
"""

import hashlib
import re
from typing import Final

from nitroctl.eif.blobs import Blobs, Digest, Layer, digest, json_blob
from nitroctl.eif.image import Object, as_object, configuration, parsed
from nitroctl.eif.oci import Image, nothing_fits, pick
from nitroctl.eif.remarks import Remarks
from nitroctl.errors import CannotAnswer

MANIFEST: Final = "manifest.json"
_NAMED_BY_DIGEST: Final = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")
_BLOB: Final = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_MAX_IMAGES: Final = 1000


def choose(blobs: Blobs, *, platform: str | None, reference: str | None, remarks: Remarks) -> Image:
    """Return the one image that is meant.

    Raises CannotAnswer ``eif.source-choice`` when none or several fit, ``eif.source-format``, ``eif.source-digest``.
    """
    images = list({image.config.id: image for image in (_image(blobs, found) for found in manifests(blobs))}.values())
    named = [
        image
        for image in images
        if reference is None
        or image.config.id == reference
        or any(name == reference or name.endswith(f"/{reference}") for name in image.config.names)
    ]
    if not named:
        raise nothing_fits(
            blobs.where,
            reference or "an image",
            [name for image in images for name in image.config.names or (image.config.id,)],
        )
    image = pick(blobs.where, named, platform=platform)
    if reference is not None and reference != image.config.id:
        remarks.about("source.tag", value=reference)
    return image


def manifests(blobs: Blobs) -> list[Object]:
    """Return what manifest.json lists. Raises CannotAnswer ``eif.source-format``."""
    where = f"{blobs.where}: {MANIFEST}"
    if not blobs.has(MANIFEST):
        raise CannotAnswer(
            f"{where} is missing", "eif.source-format", ["save the image again with Docker 1.10 or later"]
        )
    found = parsed(json_blob(blobs, MANIFEST), where)
    if not isinstance(found, list) or len(found) > _MAX_IMAGES:
        raise CannotAnswer(f"{where}: not a list of at most {_MAX_IMAGES} images", "eif.source-format")
    return [as_object(one, f"{where}: {number}") for number, one in enumerate(found)]


def check_agrees(blobs: Blobs, image: Image) -> None:
    """Refuse an archive whose manifest.json and index are about different images: readers would take different ones.

    Where it lists several, or the index has several platforms, they need not list the same. Raises CannotAnswer
    ``eif.source-format``.
    """
    listed = [found.text("Config") for found in manifests(blobs)]
    if len(listed) == 1 and _digest_in(listed[0]) != image.config.id:
        raise CannotAnswer(
            f"{blobs.where}: {MANIFEST} is about the image {listed[0][:200]}, the index about {image.config.id}",
            "eif.source-format",
            ["save the image again, alone"],
        )


def _digest_in(name: str) -> str:
    found = _NAMED_BY_DIGEST.fullmatch(name)
    return f"sha256:{found[1]}" if found else ""


def _image(blobs: Blobs, found: Object) -> Image:
    name = found.text("Config")
    named = _digest_in(name)
    raw = json_blob(blobs, name, expected=Digest(named) if named else None)
    where = f"{blobs.where}: {name}"
    id_ = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    config = configuration(raw, where, id_=id_, names=sorted(found.texts("RepoTags") or ()))
    layers = found.texts("Layers") or ()
    if len(layers) != len(config.layers):
        raise CannotAnswer(
            f"{found.where}: {len(layers)} layers, but the configuration has {len(config.layers)}", "eif.source-format"
        )
    return Image(
        platform=config.platform,
        config=config,
        layers=[
            Layer(name=layer, diff=digest(diff, where=where), blob=_blob(layer))
            for layer, diff in zip(layers, config.layers, strict=True)
        ],
    )


def _blob(name: str) -> Digest | None:
    found = _BLOB.fullmatch(name)
    return Digest(f"sha256:{found[1]}") if found else None
