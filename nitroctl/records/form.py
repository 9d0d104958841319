"""The ledger as text: read strictly, written in one canonical form.

Canonical: ASCII JSON (other characters as escapes, so that a reviewer sees what is there), two spaces, LF, members in
the order of the schema, entries by component, environment, time and version. Equal ledgers are equal files.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NoReturn

from nitroctl import strict_json
from nitroctl.errors import CannotAnswer
from nitroctl.records import ledger as rules
from nitroctl.records import quick
from nitroctl.records.entry import Artifact, Build, Entry, Fault, Signer, Source, Status, first_fault
from nitroctl.records.ledger import MAX_ACTIVE, MAX_ACTIVE_LIMIT, Ledger
from nitroctl.records.recipe import Recipe

#: Value of the member ``schema``; the last part is the version of the form.
SCHEMA: Final = "urn:nitroctl:measurements:1"

_SCHEMA_FAMILY: Final = "urn:nitroctl:measurements:"
_PCR_NAME: Final = re.compile(r"PCR(?:[0-9]|[12][0-9]|3[01])")
_HEX: Final = re.compile(r"[0-9a-f]{96}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_STATUSES: Final = tuple(status.value for status in Status)
_REQUIRED: Final = frozenset(
    {"id", "component", "environment", "platform", "version", "status", "measurements", "pin", "recorded_at"}
)
_OPTIONAL: Final = frozenset(
    {"artifact", "source", "build", "signer", "activated_at", "retired_at", "revoked_at", "revoked_because", "notes"}
)
_BUILD: Final = frozenset({"builder", "run", "versions", "inputs", "recipe", "reproduced_by"})
_RECIPE: Final = frozenset(
    {"kind", "platform", "reference", "exact", "as_is", "join_entrypoint", "cmd", "entrypoint", "env"}
)


def dumps(ledger: Ledger) -> str:
    """Return the canonical text of ``ledger``, ending in a line feed."""
    with quick.uncollected():
        return "".join(_parts(ledger))


def is_canonical(text: str, ledger: Ledger) -> bool:
    """Whether ``text`` is what :func:`dumps` makes of ``ledger``, without making all of it."""
    at = 0
    with quick.uncollected():
        for part in _parts(ledger):
            if not text.startswith(part, at):
                return False
            at += len(part)
    return at == len(text)


def _parts(ledger: Ledger) -> Iterator[str]:
    """Yield the canonical text, an entry at a time."""
    yield f'{{\n  "schema": "{SCHEMA}",\n'
    if ledger.max_active != MAX_ACTIVE:
        yield f'  "max_active": {ledger.max_active},\n'
    before = '  "entries": [\n    '
    for entry in Ledger.of(ledger.entries):
        yield before + strict_json.indented(entry.as_json(), 2)
        before = ",\n    "
    yield "\n  ]\n}\n" if len(ledger) else '  "entries": []\n}\n'


def loads(text: str, *, where: str, known: quick.Known | None = None) -> Ledger:
    """Return the ledger that ``text`` holds; ``where`` names the file in errors. ``known``: see :mod:`.quick`.

    Raises CannotAnswer ``json.*`` (not one clear JSON document), ``records.schema`` (another form), ``records.member``
    (a member unknown, missing or of the wrong type), or the code of the rule that an entry breaks. Every message
    names the place as a JSON Pointer.
    """
    in_order = quick.ledger(text, SCHEMA, known)
    if in_order is not None:
        return in_order
    try:
        return _ledger(strict_json.parse(text, where=where))
    except _Wrong as wrong:
        place = f"{wrong.fault.place}: " if wrong.fault.place else ""
        hints = [wrong.fault.hint] if wrong.fault.hint else []
        raise CannotAnswer(f"{where}: {place}{wrong.fault.message}", wrong.fault.code, hints) from None


class _Wrong(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _refuse(place: str, message: str, hint: str = "", code: str = "records.member") -> NoReturn:
    raise _Wrong(Fault(place, message, code, hint))


def _ledger(document: object) -> Ledger:
    top = _object(document, "", frozenset({"schema", "entries"}), frozenset({"max_active"}))
    schema = _text(top["schema"], "/schema")
    if schema != SCHEMA:
        newer = schema.startswith(_SCHEMA_FAMILY)
        hint = "a newer nitroctl wrote it: upgrade this one" if newer else f'a ledger has "schema": "{SCHEMA}"'
        _refuse("/schema", f"not a form this nitroctl knows: {schema!r}", hint, "records.schema")
    max_active = _max_active(top.get("max_active", MAX_ACTIVE))
    entries = [_entry(value, f"/entries/{number}") for number, value in enumerate(_list(top["entries"], "/entries"))]
    broken = rules.first_fault(entries, max_active)
    if broken:
        position, fault = broken
        raise _Wrong(Fault(f"/entries/{position}{fault.place}", fault.message, fault.code, fault.hint))
    return Ledger.of(entries, max_active)


def _max_active(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_ACTIVE_LIMIT:
        _refuse("/max_active", f"not a whole number from 1 to {MAX_ACTIVE_LIMIT}: {_shown(value)}")
    return value


def _entry(value: object, at: str) -> Entry:
    members = _object(value, at, _REQUIRED, _OPTIONAL)
    status = _text(members["status"], f"{at}/status")
    if status not in _STATUSES:
        _refuse(f"{at}/status", f"not one of {', '.join(_STATUSES)}: {_shown(status)}")
    entry = Entry(
        component=_text(members["component"], f"{at}/component"),
        environment=_text(members["environment"], f"{at}/environment"),
        version=_text(members["version"], f"{at}/version"),
        pcrs=_pcrs(members["measurements"], f"{at}/measurements"),
        pin=_pin(members["pin"], f"{at}/pin"),
        recorded_at=_time(members["recorded_at"], f"{at}/recorded_at"),
        platform=_text(members["platform"], f"{at}/platform"),
        status=Status(status),
        artifact=_artifact(members["artifact"], f"{at}/artifact") if "artifact" in members else None,
        source=_source(members["source"], f"{at}/source") if "source" in members else None,
        build=_build(members["build"], f"{at}/build") if "build" in members else None,
        signer=_signer(members["signer"], f"{at}/signer") if "signer" in members else None,
        activated_at=_time(members["activated_at"], f"{at}/activated_at") if "activated_at" in members else None,
        retired_at=_time(members["retired_at"], f"{at}/retired_at") if "retired_at" in members else None,
        revoked_at=_time(members["revoked_at"], f"{at}/revoked_at") if "revoked_at" in members else None,
        revoked_because=_text(members["revoked_because"], f"{at}/revoked_because")
        if "revoked_because" in members
        else "",
        notes=_text(members["notes"], f"{at}/notes") if "notes" in members else "",
    )
    fault = first_fault(entry)
    if fault:
        raise _Wrong(Fault(at + fault.place, fault.message, fault.code, fault.hint))
    if members["id"] != entry.id:
        _refuse(
            f"{at}/id", f"not {entry.id!r}: {_shown(members['id'])}", "the id is <component>-<version>@<environment>"
        )
    return entry


def _pcrs(value: object, at: str) -> dict[int, bytes]:
    members = _object(value, at, frozenset({"algorithm", "pcrs"}), frozenset())
    if members["algorithm"] != "sha384":
        _refuse(f"{at}/algorithm", f"not 'sha384': {_shown(members['algorithm'])}")
    found = dict[int, bytes]()
    registers = members["pcrs"]
    if not isinstance(registers, dict):
        _refuse(f"{at}/pcrs", f"not an object: {_shown(registers)}")
    for name, text in registers.items():
        if not _PCR_NAME.fullmatch(name):
            place = f"{at}/pcrs{strict_json.pointer([name])}"
            _refuse(place, "not a register: they are named PCR0 to PCR31")
        if not isinstance(text, str) or not _HEX.fullmatch(text):
            place = f"{at}/pcrs/{name}"
            _refuse(place, _value_fault(text), "write the register as 96 lower-case hexadecimal digits")
        found[int(name[3:])] = bytes.fromhex(text)
    return dict(sorted(found.items()))


def _value_fault(value: object) -> str:
    if isinstance(value, str) and _HEX.fullmatch(value.lower()):
        return "upper-case hexadecimal digits"
    if isinstance(value, str):
        return f"not a SHA-384 register in hexadecimal: {len(value)} characters"
    return f"not a SHA-384 register in hexadecimal: {_shown(value)}"


def _pin(value: object, at: str) -> tuple[int, ...]:
    names = _texts(value, at)
    for number, name in enumerate(names):
        if not _PCR_NAME.fullmatch(name):
            _refuse(f"{at}/{number}", f"not a register: {name!r}", "they are named PCR0 to PCR31")
    if len(set(names)) != len(names):
        _refuse(at, "a register is named twice")
    return tuple(sorted(int(name[3:]) for name in names))


def _artifact(value: object, at: str) -> Artifact:
    members = _object(value, at, frozenset({"name", "sha256", "size"}), frozenset())
    size = members["size"]
    if not isinstance(size, int) or isinstance(size, bool):
        _refuse(f"{at}/size", f"not a whole number of bytes: {_shown(size)}")
    return Artifact(_text(members["name"], f"{at}/name"), _text(members["sha256"], f"{at}/sha256"), size)


def _source(value: object, at: str) -> Source:
    members = _object(value, at, frozenset(), frozenset({"uri", "ref", "commit", "path"}))
    return Source(**{name: _text(text, f"{at}/{name}") for name, text in members.items()})


def _build(value: object, at: str) -> Build:
    members = _object(value, at, frozenset(), _BUILD)
    return Build(
        builder=_text(members.get("builder", ""), f"{at}/builder"),
        run=_text(members.get("run", ""), f"{at}/run"),
        versions=_named(members.get("versions", {}), f"{at}/versions"),
        inputs=_named(members.get("inputs", {}), f"{at}/inputs"),
        recipe=_recipe(members["recipe"], f"{at}/recipe") if "recipe" in members else None,
        reproduced_by=tuple(_texts(members.get("reproduced_by", []), f"{at}/reproduced_by")),
    )


def _named(value: object, at: str) -> dict[str, str]:
    if not isinstance(value, dict):
        _refuse(at, f"not an object: {_shown(value)}")
    return {name: _text(text, f"{at}{strict_json.pointer([name])}") for name, text in value.items()}


def _recipe(value: object, at: str) -> Recipe:
    members = _object(value, at, frozenset({"source_date_epoch"}), _RECIPE)
    epoch = members["source_date_epoch"]
    if not isinstance(epoch, int) or isinstance(epoch, bool):
        _refuse(f"{at}/source_date_epoch", f"not a whole number of seconds: {_shown(epoch)}")
    return Recipe(
        source_date_epoch=epoch,
        kind=_text(members.get("kind", ""), f"{at}/kind"),
        platform=_text(members.get("platform", ""), f"{at}/platform"),
        reference=_text(members.get("reference", ""), f"{at}/reference"),
        exact=_flag(members, "exact", at),
        as_is=_flag(members, "as_is", at),
        join_entrypoint=_flag(members, "join_entrypoint", at),
        cmd=tuple(_texts(members["cmd"], f"{at}/cmd")) if "cmd" in members else None,
        entrypoint=tuple(_texts(members["entrypoint"], f"{at}/entrypoint")) if "entrypoint" in members else None,
        env=tuple(_texts(members.get("env", []), f"{at}/env")),
    )


def _flag(members: Mapping[str, object], name: str, at: str) -> bool:
    if name in members and members[name] is not True:
        _refuse(f"{at}/{name}", f"not true: {_shown(members[name])}", "leave the member out where it was not asked")
    return name in members


def _signer(value: object, at: str) -> Signer:
    members = _object(value, at, frozenset({"certificate_sha256"}), frozenset())
    return Signer(_text(members["certificate_sha256"], f"{at}/certificate_sha256"))


def _object(value: object, at: str, required: frozenset[str], optional: frozenset[str]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        _refuse(at, f"not an object: {_shown(value)}")
    keys = value.keys()
    for name in sorted(keys - required - optional):
        _refuse(
            f"{at}{strict_json.pointer([name])}",
            "unknown member",
            f"known here: {', '.join(sorted(required | optional))}",
        )
    absent = required - keys
    if absent:
        _refuse(at, f"missing: {', '.join(sorted(absent))}")
    return value


def _list(value: object, at: str) -> Sequence[object]:
    if not isinstance(value, list):
        _refuse(at, f"not an array: {_shown(value)}")
    return value


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        _refuse(at, f"not a string: {_shown(value)}")
    return value


def _texts(value: object, at: str) -> list[str]:
    return [_text(item, f"{at}/{number}") for number, item in enumerate(_list(value, at))]


def _time(value: object, at: str) -> datetime:
    text = _text(value, at)
    if _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
        except ValueError:
            pass
    _refuse(at, f"not a time: {_shown(text)}", "write it in UTC, like 2026-11-20T10:00:00Z")


def _shown(value: object) -> str:
    """Return a value of any size in a few characters."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:56]}…"  # noqa: PLR2004
