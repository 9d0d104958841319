"""The metadata section: what the builder says about the image. Neither measured nor signed, so nothing in it is known.

JSON with the members ImageName, ImageVersion, BuildMetadata, DockerInfo and CustomMetadata. Read strictly, because
readers differ on everything else: UTF-8, no member twice, no NaN or number out of range, bounded depth.
Source: aws-nitro-enclaves-image-format, README "Metadata section" and its schema; the reader of nitro-cli.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from nitroctl.checks import Check, Outcome
from nitroctl.eif.format import METADATA_LIMIT
from nitroctl.errors import CannotAnswer

SOURCE: Final = "EIF specification, metadata section"
MAX_DEPTH: Final = 64
_BUILD_FIELDS: Final = ("BuildTime", "BuildTool", "BuildToolVersion", "OperatingSystem", "KernelVersion")
#: A string (skipped whole, so that brackets in it do not count), or one bracket. Linear: it never backtracks.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)

CHECK_ID: Final = "eif.metadata"
TITLE: Final = "The metadata section is JSON of the published shape"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The members of the section; all of it unverified text from whoever built the image.

    ``docker_info`` and ``custom``: any JSON value, None for null or absent.
    """

    image_name: str
    image_version: str
    build_time: str
    build_tool: str
    build_tool_version: str
    operating_system: str
    kernel_version: str
    docker_info: object
    custom: object


class _Malformed(Exception):
    """The section is not what the format says; the message is the clause for people."""


def examine(data: bytes) -> tuple[Check, Metadata | None]:
    """Return the check of a metadata section, and what it holds; None when that could not be read.

    A WARN, not a FAIL, for a document without CustomMetadata: the published schema allows it, nitro-cli does not.
    """
    try:
        metadata, remark = _parse(data)
    except _Malformed as error:
        check = Check(
            id=CHECK_ID,
            title=TITLE,
            outcome=Outcome.FAIL,
            detail=f"the metadata {error}",
            remedy="build the image again; nitro-cli describe-eif refuses it too",
            source=SOURCE,
        )
        return check, None
    return (
        Check(
            id=CHECK_ID,
            title=TITLE,
            outcome=Outcome.WARN if remark else Outcome.PASS,
            detail=remark,
            remedy='write "CustomMetadata": null' if remark else None,
            source=SOURCE,
            required=not remark,
        ),
        metadata,
    )


def custom(data: bytes, *, where: str) -> Mapping[str, object]:
    """Return the operator's own members for CustomMetadata from a JSON file, read as strictly as the section is.

    An object, because nitro-cli shows its members beside those of BuildMetadata, so that none may have the name of one
    of those. Raises CannotAnswer ``eif.custom-metadata``; ``where`` is the file's name.
    """
    hints = ["write a JSON object with the members to be added"]
    try:
        members = _object(_decode(data), "document")
    except _Malformed as error:
        raise CannotAnswer(f"{where}: the metadata {error}", "eif.custom-metadata", hints) from error
    taken = [name for name in members if name in (*_BUILD_FIELDS, "DockerInfo")]
    if taken:
        raise CannotAnswer(f"{where}: {taken[0]} is a member that the builder writes", "eif.custom-metadata", hints)
    return members


def _parse(data: bytes) -> tuple[Metadata, str]:
    if len(data) > METADATA_LIMIT:
        raise _Malformed(f"has {len(data)} bytes, more than the {METADATA_LIMIT} that nitroctl reads")
    document = _object(_decode(data), "document")
    build = _object(_member(document, "BuildMetadata"), "BuildMetadata")
    fields = {name: _text(build, name) for name in _BUILD_FIELDS}
    metadata = Metadata(
        image_name=_text(document, "ImageName"),
        image_version=_text(document, "ImageVersion"),
        build_time=fields["BuildTime"],
        build_tool=fields["BuildTool"],
        build_tool_version=fields["BuildToolVersion"],
        operating_system=fields["OperatingSystem"],
        kernel_version=fields["KernelVersion"],
        docker_info=_member(document, "DockerInfo"),
        custom=document.get("CustomMetadata"),
    )
    if "CustomMetadata" not in document:
        return (
            metadata,
            "CustomMetadata is absent: the published schema allows that, nitro-cli describe-eif fails on it",
        )
    return metadata, ""


def _decode(data: bytes) -> object:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Malformed(f"is not UTF-8 text: byte {error.start}") from error
    if _depth(text) > MAX_DEPTH:
        raise _Malformed(f"is nested more than {MAX_DEPTH} deep")
    try:
        document: object = json.loads(
            text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_not_a_number
        )
    except ValueError as error:  # JSONDecodeError, or an integer of thousands of digits
        raise _Malformed(f"is not JSON: {error}") from error
    if "\\u" in text:
        _refuse_half_characters(document)
    return document


def _depth(text: str) -> int:
    deepest = depth = 0
    for match in _STRUCTURE.finditer(text):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise _Malformed(f"has the member {name[:40]!r} twice")
        members[name] = value
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Malformed(f"has a number out of range: {text[:40]}")
    return number


def _not_a_number(text: str) -> NoReturn:
    raise _Malformed(f"is not JSON: {text} is no number")


def _refuse_half_characters(document: object) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _Malformed("has half of a surrogate pair in a string") from error


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Malformed(f"is of another shape: {what} is not an object")
    return value


def _member(members: Mapping[str, object], name: str) -> object:
    if name not in members:
        raise _Malformed(f"is of another shape: {name} is missing")
    return members[name]


def _text(members: Mapping[str, object], name: str) -> str:
    value = _member(members, name)
    if not isinstance(value, str):
        raise _Malformed(f"is of another shape: {name} is not a string")
    return value
