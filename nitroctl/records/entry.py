"""One entry of the ledger: what one version of one component measures to, and the rules that hold for it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from nitroctl import pcr
from nitroctl.errors import CannotAnswer
from nitroctl.records import texts
from nitroctl.records.recipe import Recipe

NITRO_ENCLAVE: Final = "nitro-enclave"
NITRO_TPM: Final = "nitro-tpm"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_PLATFORM: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LAST_INDEX: Final = 31
#: Registers in which a pinned zero would admit a debug enclave, an unsigned image, or a parent without a role.
_NEVER_PINNED_ZERO: Final = (0, 1, 2, 3, 4, 8)
_IMAGE: Final = (0, 1, 2)


class Status(StrEnum):
    """Where an entry stands in its life. Only ``active`` ones are reference values for acceptance and key policies."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


#: status -> the time that it must have, and those that it may have: a retired entry may never have been active.
_ALL_TIMES: Final = ("activated_at", "retired_at", "revoked_at")
_TIMES: Final[Mapping[Status, tuple[str, Sequence[str]]]] = {
    Status.CANDIDATE: ("", ()),
    Status.ACTIVE: ("activated_at", _ALL_TIMES[:1]),
    Status.RETIRED: ("retired_at", _ALL_TIMES[:2]),
    Status.REVOKED: ("revoked_at", _ALL_TIMES),
}


@dataclass(frozen=True, slots=True)
class Artifact:
    """The file that was measured: its name without directories, SHA-256 in hex, and size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the image was built from: repository ``uri``, ``ref`` (branch or tag) and ``commit``; empty when unknown.

    ``path``: of the directory or archive within the commit that is the image's root file system; ``.`` for all of it.
    """

    uri: str = ""
    ref: str = ""
    commit: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Who built it: ``builder``, ``run`` (a URI), tool ``versions`` by name, and who else reproduced it.

    ``inputs``: SHA-256 in hex by role (``kernel``, ``image``: a container image's id). ``recipe``: None when not ours.
    """

    builder: str = ""
    run: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    recipe: Recipe | None = None
    reproduced_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signer:
    """The certificate that signed the image, by the SHA-256 of its DER in hex; PCR8 stands among the registers."""

    certificate_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One recorded version. Made by :func:`new_entry` or read from the ledger, both of which hold it to the rules.

    ``pcrs``: registers by index, 48 bytes each. ``pin``: the indexes that comparison and key policies go by.
    Times are aware, in UTC, whole seconds.
    """

    component: str
    environment: str
    version: str
    pcrs: Mapping[int, bytes]
    pin: tuple[int, ...]
    recorded_at: datetime
    platform: str = NITRO_ENCLAVE
    status: Status = Status.CANDIDATE
    artifact: Artifact | None = None
    source: Source | None = None
    build: Build | None = None
    signer: Signer | None = None
    activated_at: datetime | None = None
    retired_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_because: str = ""
    notes: str = ""

    @property
    def id(self) -> str:
        """``signer-1.4.2@prod``: derived, so that one version of a component in an environment has one entry."""
        return f"{self.component}-{self.version}@{self.environment}"

    @property
    def pinned(self) -> Mapping[int, bytes]:
        """The pinned registers by index."""
        return {index: self.pcrs[index] for index in self.pin}

    @property
    def image(self) -> Mapping[int, bytes]:
        """The registers of the image itself by index: an enclave's PCR0 to PCR2; what is pinned on other platforms."""
        return {index: self.pcrs[index] for index in _IMAGE} if self.platform == NITRO_ENCLAVE else self.pinned

    def is_image(self, pcrs: Mapping[int, bytes]) -> bool:
        """Whether ``pcrs`` are of the image of this entry, wherever it runs and whoever signed it.

        Of an enclave PCR0 alone says that, and PCR1 and PCR2 together do: the parent's role and instance (PCR3, PCR4)
        and the signer (PCR8) are no part of the image, also where the entry pins them. Of other platforms all that is
        pinned has to be equal.
        """
        if self.platform != NITRO_ENCLAVE:
            return all(pcrs.get(index) == value for index, value in self.image.items())
        return pcrs.get(0) == self.pcrs[0] or all(pcrs.get(index) == self.pcrs[index] for index in (1, 2))

    @property
    def since(self) -> datetime:
        """When the entry got the status it has."""
        times = {
            Status.ACTIVE: self.activated_at,
            Status.RETIRED: self.retired_at,
            Status.REVOKED: self.revoked_at,
        }
        return times.get(self.status) or self.recorded_at

    def as_json(self) -> dict[str, object]:
        """Return the entry's members in the ledger's order, absent ones left out (schema: measurements/1)."""
        members: dict[str, object] = {
            "id": self.id,
            "component": self.component,
            "environment": self.environment,
            "platform": self.platform,
            "version": self.version,
            "status": self.status.value,
            "artifact": self.artifact
            and {"name": self.artifact.name, "sha256": self.artifact.sha256, "size": self.artifact.size},
            "measurements": {"algorithm": "sha384", "pcrs": pcr.as_hex(self.pcrs)},
            "pin": [pcr.name(index) for index in self.pin],
            "source": self.source and _given(**{name: getattr(self.source, name) for name in texts.SOURCE}),
            "build": self.build
            and _given(
                builder=self.build.builder,
                run=self.build.run,
                versions=dict(sorted(self.build.versions.items())),
                inputs=dict(sorted(self.build.inputs.items())),
                recipe=self.build.recipe and self.build.recipe.as_json(),
                reproduced_by=list(self.build.reproduced_by),
            ),
            "signer": self.signer and {"certificate_sha256": self.signer.certificate_sha256},
            "recorded_at": time_text(self.recorded_at),
            "activated_at": self.activated_at and time_text(self.activated_at),
            "retired_at": self.retired_at and time_text(self.retired_at),
            "revoked_at": self.revoked_at and time_text(self.revoked_at),
            "revoked_because": self.revoked_because,
            "notes": self.notes,
        }
        return {key: value for key, value in members.items() if value is not None and value != ""}


def _given(**members: object) -> dict[str, object]:
    return {key: value for key, value in members.items() if value}


def time_text(at: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC, whole seconds, ending in Z."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that an entry breaks: JSON Pointer within the entry, what is wrong, error code, and what to do."""

    place: str
    message: str
    code: str
    hint: str = ""


def new_entry(  # noqa: PLR0913  (an entry has these members)
    *,
    component: str,
    environment: str,
    version: str,
    pcrs: Mapping[int, bytes],
    recorded_at: datetime,
    platform: str = NITRO_ENCLAVE,
    status: Status = Status.CANDIDATE,
    pin: Sequence[int] | None = None,
    artifact: Artifact | None = None,
    source: Source | None = None,
    build: Build | None = None,
    signer: Signer | None = None,
    notes: str = "",
) -> Entry:
    """Return a new candidate or active entry that keeps every rule; ``recorded_at`` must be aware.

    Without ``pin`` all of ``pcrs`` are pinned, less an enclave's PCR3, PCR4 and PCR8 where they are zero (no role, no
    signature). Raises CannotAnswer ``records.name``, ``records.zero``,
    ``records.registers``, ``records.pin`` or ``records.text``; ValueError for a status that is not a beginning.
    """
    if status not in (Status.CANDIDATE, Status.ACTIVE):
        raise ValueError(f"an entry begins as candidate or active, not {status}")
    if recorded_at.tzinfo is None:
        raise ValueError("recorded_at has no time zone")
    at = recorded_at.astimezone(UTC).replace(microsecond=0)
    entry = Entry(
        component=component,
        environment=environment,
        version=version,
        pcrs=dict(sorted(pcrs.items())),
        pin=tuple(sorted(set(_telling(platform, pcrs) if pin is None else pin))),
        recorded_at=at,
        platform=platform,
        status=status,
        artifact=artifact,
        source=source,
        build=build,
        signer=signer,
        activated_at=at if status is Status.ACTIVE else None,
        notes=notes,
    )
    fault = first_fault(entry)
    if fault:
        what = f"{fault.place[1:]}: " if fault.code == "records.text" else ""  # the other messages say it themselves
        raise CannotAnswer(what + fault.message, fault.code, [fault.hint] if fault.hint else [])
    return entry


def _telling(platform: str, pcrs: Mapping[int, bytes]) -> list[int]:
    empty = (3, 4, 8) if platform == NITRO_ENCLAVE else ()
    return [index for index, value in pcrs.items() if index not in empty or not pcr.is_zero(value)]


def first_fault(entry: Entry) -> Fault | None:
    """Return the first rule that ``entry`` breaks, or None: names, registers, pins, times, texts, in that order."""
    return _name_fault(entry) or _register_fault(entry) or _pin_fault(entry) or _time_fault(entry) or _text_fault(entry)


def _name_fault(entry: Entry) -> Fault | None:
    for place, value, form, says in (
        ("component", entry.component, _NAME, "letters, digits, '.', '_' and '-', at most 64"),
        ("environment", entry.environment, _NAME, "letters, digits, '.', '_' and '-', at most 64"),
        ("version", entry.version, _VERSION, "letters, digits, '.', '_', '+' and '-', at most 128"),
        ("platform", entry.platform, _PLATFORM, "lower-case letters, digits and '-', at most 64"),
    ):
        if not form.fullmatch(value):
            return Fault(
                f"/{place}",
                f"not a name for the {place}: {value!r}",
                "records.name",
                f"use {says}, no '-' or '.' first",
            )
    return None


def _register_fault(entry: Entry) -> Fault | None:
    for index, value in entry.pcrs.items():
        place = f"/measurements/pcrs/{pcr.name(index)}"
        if not 0 <= index <= _LAST_INDEX or len(value) != pcr.PCR_BYTES:
            return Fault(place, f"{pcr.name(index)} is not a SHA-384 register", "records.registers")
        if entry.platform == NITRO_ENCLAVE and index in _IMAGE and pcr.is_zero(value):
            return Fault(
                place,
                f"{pcr.name(index)} is zero, as an enclave in debug mode attests; that would admit any debug enclave",
                "records.zero",
                "measure the image itself: nitroctl eif measure FILE",
            )
    if entry.platform == NITRO_ENCLAVE and not all(index in entry.pcrs for index in _IMAGE):
        absent = ", ".join(pcr.name(index) for index in _IMAGE if index not in entry.pcrs)
        return Fault(
            "/measurements/pcrs",
            f"{absent} missing: an enclave image is recorded with PCR0, PCR1 and PCR2",
            "records.registers",
        )
    if not entry.pcrs:
        return Fault("/measurements/pcrs", "no register is recorded", "records.registers")
    return None


def _pin_fault(entry: Entry) -> Fault | None:
    for index in entry.pin:
        if index not in entry.pcrs:
            return Fault("/pin", f"{pcr.name(index)} is pinned but not recorded", "records.pin")
        if entry.platform == NITRO_ENCLAVE and index in _NEVER_PINNED_ZERO and pcr.is_zero(entry.pcrs[index]):
            return Fault(
                "/pin",
                f"{pcr.name(index)} is zero and cannot be pinned: it says nothing about the {_zero_means(index)}",
                "records.zero",
            )
    if entry.platform == NITRO_ENCLAVE and 0 not in entry.pin and not {1, 2} <= set(entry.pin):
        return Fault(
            "/pin",
            "neither PCR0 nor both of PCR1 and PCR2 are pinned: any image could pass",
            "records.pin",
            "pin PCR0",
        )
    return None if entry.pin else Fault("/pin", "no register is pinned", "records.pin")


def _zero_means(index: int) -> str:
    return {3: "parent's role", 4: "parent instance", 8: "signer"}.get(index, "image")


def _time_fault(entry: Entry) -> Fault | None:
    needed, allowed = _TIMES[entry.status]
    if needed and getattr(entry, needed) is None:
        return Fault(f"/{needed}", f"missing: the status is {entry.status}", "records.status")
    for name in _ALL_TIMES:
        if name not in allowed and getattr(entry, name) is not None:
            return Fault(f"/{name}", f"given, but the status is {entry.status}", "records.status")
    if entry.revoked_because and entry.status is not Status.REVOKED:
        return Fault("/revoked_because", f"given, but the status is {entry.status}", "records.status")
    return _order_fault(entry)


def _order_fault(entry: Entry) -> Fault | None:
    """Return the fault of a life whose times go back."""
    before, since = "recorded_at", entry.recorded_at
    for name in _ALL_TIMES:
        at = getattr(entry, name)
        if at is None:
            continue
        if at < since:
            return Fault(
                f"/{name}",
                f"{time_text(at)} is before {before}, {time_text(since)}",
                "records.time-order",
                "a clock was wrong, or the file was edited: restore the times from its history",
            )
        before, since = name, at
    return None


def _text_fault(entry: Entry) -> Fault | None:
    wrong = texts.first_wrong(entry)
    return Fault(wrong.place, wrong.message, "records.text", wrong.hint) if wrong else None
