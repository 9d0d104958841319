"""What an image's JSON says, read by shape: a member that is there has the type it should, or the source is refused.

Source: OCI image specification, "Image Configuration"; docker image specification v1.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeGuard

from nitroctl import strict_json
from nitroctl.eif.blobs import Digest, digest
from nitroctl.eif.tree import ImageConfig
from nitroctl.errors import CannotAnswer

_MAX_LAYERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Object:
    """A JSON object of the source, and where it stands; raises CannotAnswer ``eif.source-format``."""

    members: Mapping[str, object]
    where: str

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string; ``default`` when it is absent or null."""
        found = self.members.get(key)
        if found is None and default is not None:
            return default
        return found if _is_text(found) else self.refuse(key, "a string")

    def number(self, key: str) -> int:
        """Return a whole number that is not negative."""
        found = self.members.get(key)
        if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
            return found
        return self.refuse(key, "a whole number")

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return a list of strings; None when it is absent or null."""
        found = self.members.get(key)
        if found is None:
            return None
        if isinstance(found, list) and all(_is_text(item) for item in found):
            return tuple(found)
        return self.refuse(key, "a list of strings")

    def object(self, key: str) -> "Object":
        """Return an object; an empty one when it is absent or null."""
        found = self.members.get(key)
        if found is None:
            return Object({}, f"{self.where}: {key}")
        return as_object(found, f"{self.where}: {key}")

    def objects(self, key: str) -> "Sequence[Object]":
        """Return a list of objects."""
        found = self.members.get(key)
        if not isinstance(found, list):
            self.refuse(key, "a list")
        return [as_object(item, f"{self.where}: {key}/{number}") for number, item in enumerate(found)]

    def strings(self, key: str) -> Mapping[str, str]:
        """Return an object whose members are all strings; an empty one when it is absent or null."""
        found = self.object(key).members
        return {
            name: value if _is_text(name) and _is_text(value) else self.refuse(key, "strings")
            for name, value in found.items()
        }

    def refuse(self, key: str, what: str) -> NoReturn:
        """Say that the member ``key`` is not what it should be."""
        raise CannotAnswer(f"{self.where}: {key} is not {what}", "eif.source-format")


def _is_text(value: object) -> TypeGuard[str]:
    """Say whether ``value`` is a string of Unicode characters: JSON can also write halves of one."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_object(value: object, where: str) -> Object:
    """Return ``value`` as an object. Raises CannotAnswer ``eif.source-format``."""
    if not isinstance(value, dict):
        raise CannotAnswer(f"{where}: not a JSON object", "eif.source-format")
    return Object(value, where)


def parsed(raw: bytes, where: str) -> object:
    """Return the value of a JSON blob. Raises CannotAnswer ``eif.source-format`` or ``json.*``."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CannotAnswer(f"{where}: not UTF-8", "eif.source-format") from error
    return strict_json.parse(text, where=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What points to a blob."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str]
    platform: Object
    where: str


def descriptor(found: Object) -> Descriptor:
    """Return a content descriptor. Raises CannotAnswer ``eif.source-format``."""
    return Descriptor(
        media_type=found.text("mediaType", ""),
        digest=digest(found.text("digest"), where=found.where),
        size=found.number("size"),
        annotations=found.strings("annotations"),
        platform=found.object("platform"),
        where=found.where,
    )


def configuration(raw: bytes, where: str, *, id_: str, manifest: str = "", names: Sequence[str] = ()) -> ImageConfig:
    """Return an image's configuration. Raises CannotAnswer ``eif.source-format`` or ``json.*``."""
    found = as_object(parsed(raw, where), where)
    start = found.object("config")
    root = found.object("rootfs")
    layers = root.texts("diff_ids") or ()
    if root.text("type", "layers") != "layers" or len(layers) > _MAX_LAYERS:
        raise CannotAnswer(f"{where}: rootfs is not of layers, or of more than {_MAX_LAYERS}", "eif.source-format")
    return ImageConfig(
        id=id_,
        manifest=manifest,
        names=tuple(names),
        entrypoint=start.texts("Entrypoint"),
        cmd=start.texts("Cmd"),
        env=start.texts("Env") or (),
        working_dir=start.text("WorkingDir", ""),
        user=start.text("User", ""),
        labels=start.strings("Labels"),
        architecture=found.text("architecture", ""),
        os=found.text("os", ""),
        variant=found.text("variant", ""),
        created=found.text("created", ""),
        layers=layers,
    )


def fits(platform: str, wanted: str) -> bool:
    """Say whether ``platform`` is ``wanted``, whose variant may be left open; linux/arm64 and its v8 are one."""
    platform, wanted = _plain(platform), _plain(wanted)
    return platform == wanted or platform.startswith(f"{wanted}/")


def _plain(platform: str) -> str:
    return platform.removesuffix("/v8") if platform.endswith("arm64/v8") else platform
