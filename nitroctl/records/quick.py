"""Reading a ledger that is in order, fast: a ledger of 100,000 entries stays something a person can ask.

:mod:`.form` words every fault with its place, and pays for that with a function call for every value. Nearly every file
it reads has no fault. Here an entry is taken apart in one go, and whatever is not exactly as it should be, ends the
attempt: the answer is then None, and form's reader says what is wrong. So this module can be wrong only by returning a
ledger that form would not return; tests/property/test_records_quick.py holds the two against each other.

A file that nitroctl wrote is cut into its entries before it is parsed: the text of an entry can then be recognised as
one that was read before, in another version of the same ledger, and what is parsed is gone again with its entry.
"""

import gc
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from nitroctl.records import ledger as rules
from nitroctl.records.entry import Artifact, Build, Entry, Signer, Source, Status, first_fault
from nitroctl.records.ledger import MAX_ACTIVE, MAX_ACTIVE_LIMIT, Ledger
from nitroctl.records.recipe import Recipe

_INDEXES: Final = {f"PCR{index}": index for index in range(32)}
_STATUSES: Final = {status.value: status for status in Status}
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_HEX: Final = re.compile(r"[0-9a-f]*")
_HEX_DIGITS: Final = 96
#: White space between a key and its colon: it would spoil the count of keys.
_SPACED_KEY: Final = re.compile(r'"\n\s*:')
_REQUIRED: Final = ("id", "component", "environment", "platform", "version", "status", "measurements", "pin")
_TIMES: Final = ("recorded_at", "activated_at", "retired_at", "revoked_at")
_MEMBERS: Final = frozenset({*_REQUIRED, *_TIMES, "artifact", "source", "build", "signer", "revoked_because", "notes"})
_SOURCE: Final = frozenset({"uri", "ref", "commit", "path"})
_BUILD: Final = frozenset({"builder", "run", "versions", "inputs", "recipe", "reproduced_by"})
_RECIPE: Final = frozenset(
    {
        *("kind", "platform", "reference", "exact", "as_is", "join_entrypoint"),
        *("cmd", "entrypoint", "env", "source_date_epoch"),
    }
)


#: What stands around the entries in a file that nitroctl wrote, and between them.
_HEAD: Final = re.compile(
    r'\{\n  "schema": "([a-z0-9:-]*)",\n(?:  "max_active": ([1-9][0-9]?),\n)?  "entries": \[\n    \{\n'
)
_BETWEEN: Final = "\n    },\n    {\n"
_TAIL: Final = "\n    }\n  ]\n}\n"

#: Entries that were read before, by their text.
Known = dict[str, Entry]


class _Unusual(Exception):
    """Something is not as it nearly always is; the careful reader has to look."""


def ledger(text: str, schema: str, known: Known | None = None) -> Ledger | None:
    """Return the ledger that ``text`` holds, or None when it has to be read with care.

    ``schema``: what the member of that name must say. ``known``: entries of other versions of the ledger, which those
    of this one are added to.
    """
    # Python's parser takes the last of two equal keys. None is lost when there are as many keys as '":' in the text,
    # provided that no key is written in a way that has none, or ends in what looks like an escaped quotation mark.
    if "\t" in text or "\r" in text or ("\\" in text and '\\":' in text) or '" ' in text or _SPACED_KEY.search(text):
        return None
    with uncollected():
        try:
            head = _HEAD.match(text)
            if head and text.endswith(_TAIL):
                return _cut(text, head, schema, known)
            return _ledger(_PARSER.decode(text), text.count('":'), schema)
        except (_Unusual, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from walking over ever more objects, none of which is garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _unusual(_value: object = None) -> float:
    raise _Unusual


_PARSER: Final = json.JSONDecoder(parse_constant=_unusual)


def _ledger(document: dict[str, Any], keys: int, schema: str) -> Ledger:
    if document.keys() - {"schema", "entries", "max_active"} or document["schema"] != schema:
        _unusual()
    max_active = document.get("max_active", MAX_ACTIVE)
    if type(document["entries"]) is not list:
        _unusual()
    reader = _Reader()
    entries = [reader.entry(members) for members in document["entries"]]
    if reader.keys + len(document) != keys:
        _unusual()
    return _together(entries, max_active)


def _together(entries: list[Entry], max_active: object) -> Ledger:
    if type(max_active) is not int or not 1 <= max_active <= MAX_ACTIVE_LIMIT or rules.first_fault(entries, max_active):
        raise _Unusual
    return Ledger.of(entries, max_active)


def _cut(text: str, head: re.Match[str], schema: str, known: Known | None) -> Ledger:
    """Return the ledger in ``text``, which begins and ends as nitroctl writes it.

    Each piece between is parsed in the braces that it was cut from. When all are objects, there is only one way to read
    the whole: as the array of them. A string cannot hold what is cut at, for it can hold no line feed.
    """
    if head[1] != schema:
        _unusual()
    reader = _Reader()
    entries = []
    for piece in _pieces(text, head.end()):
        found = known.get(piece) if known is not None else None
        if found is None:
            before = reader.keys
            found = reader.entry(_PARSER.decode(f"{{{piece}}}"))
            if reader.keys - before != piece.count('":'):
                _unusual()
            if known is not None:
                known[piece] = found
        entries.append(found)
    return _together(entries, int(head[2]) if head[2] else MAX_ACTIVE)


def _pieces(text: str, start: int) -> Iterable[str]:
    end = len(text) - len(_TAIL)
    while True:
        cut = text.find(_BETWEEN, start, end)
        if cut < 0:
            break
        yield text[start:cut]
        start = cut + len(_BETWEEN)
    yield text[start:end]


class _Reader:
    """Reads entries. ``keys``: how many members there were, in all objects."""

    def __init__(self) -> None:
        self.keys = 0
        self._times: dict[str, datetime] = {}

    def entry(self, members: dict[str, Any]) -> Entry:
        """Return the entry that ``members`` are. Raises _Unusual, or what a value of another type raises."""
        if members.keys() - _MEMBERS:
            _unusual()
        component, environment, version = members["component"], members["environment"], members["version"]
        measurements = members["measurements"]
        registers = measurements["pcrs"]
        if measurements["algorithm"] != "sha384" or len(measurements) != 2:  # noqa: PLR2004  (algorithm and pcrs)
            _unusual()
        pins = [_INDEXES[name] for name in _list(members["pin"])]
        if len(set(pins)) != len(pins):
            _unusual()
        self.keys += len(members) + len(measurements) + len(registers)
        found = Entry(
            component=_text(component),
            environment=_text(environment),
            version=_text(version),
            pcrs=_registers(registers),
            pin=tuple(sorted(pins)),
            recorded_at=self._time(members["recorded_at"]),
            platform=_text(members["platform"]),
            status=_STATUSES[members["status"]],
            artifact=self._artifact(members["artifact"]) if "artifact" in members else None,
            source=self._source(members["source"]) if "source" in members else None,
            build=self._build(members["build"]) if "build" in members else None,
            signer=self._signer(members["signer"]) if "signer" in members else None,
            activated_at=self._time(members["activated_at"]) if "activated_at" in members else None,
            retired_at=self._time(members["retired_at"]) if "retired_at" in members else None,
            revoked_at=self._time(members["revoked_at"]) if "revoked_at" in members else None,
            revoked_because=_text(members.get("revoked_because", "")),
            notes=_text(members.get("notes", "")),
        )
        if members["id"] != found.id or first_fault(found):
            _unusual()
        return found

    def _time(self, text: str) -> datetime:
        known = self._times.get(text)
        if known is None:
            if not _TIME.fullmatch(text):
                _unusual()
            known = self._times[text] = datetime.fromisoformat(text)
        return known

    def _artifact(self, members: dict[str, Any]) -> Artifact:
        self.keys += len(members)
        if len(members) != 3 or type(members["size"]) is not int:  # noqa: PLR2004  (name, sha256, size)
            _unusual()
        return Artifact(_text(members["name"]), _text(members["sha256"]), members["size"])

    def _source(self, members: dict[str, Any]) -> Source:
        self.keys += len(members)
        if members.keys() - _SOURCE:
            _unusual()
        uri, ref, commit = members.get("uri", ""), members.get("ref", ""), members.get("commit", "")
        return Source(uri=_text(uri), ref=_text(ref), commit=_text(commit), path=_text(members.get("path", "")))

    def _build(self, members: dict[str, Any]) -> Build:
        versions, inputs = members.get("versions", {}), members.get("inputs", {})
        self.keys += len(members) + len(versions) + len(inputs)
        if members.keys() - _BUILD:
            _unusual()
        return Build(
            builder=_text(members.get("builder", "")),
            run=_text(members.get("run", "")),
            versions={name: _text(text) for name, text in versions.items()},
            inputs={role: _text(digest) for role, digest in inputs.items()},
            recipe=self._recipe(members["recipe"]) if "recipe" in members else None,
            reproduced_by=_texts(members.get("reproduced_by", [])),
        )

    def _recipe(self, members: dict[str, Any]) -> Recipe:
        self.keys += len(members)
        if members.keys() - _RECIPE or type(members["source_date_epoch"]) is not int:
            _unusual()
        return Recipe(
            source_date_epoch=members["source_date_epoch"],
            kind=_text(members.get("kind", "")),
            platform=_text(members.get("platform", "")),
            reference=_text(members.get("reference", "")),
            exact=_flag(members, "exact"),
            as_is=_flag(members, "as_is"),
            join_entrypoint=_flag(members, "join_entrypoint"),
            cmd=_texts(members["cmd"]) if "cmd" in members else None,
            entrypoint=_texts(members["entrypoint"]) if "entrypoint" in members else None,
            env=_texts(members.get("env", [])),
        )

    def _signer(self, members: dict[str, Any]) -> Signer:
        self.keys += len(members)
        if len(members) != 1:
            _unusual()
        return Signer(_text(members["certificate_sha256"]))


def _text(value: object) -> str:
    if type(value) is not str:
        raise _Unusual
    return value


def _flag(members: dict[str, Any], name: str) -> bool:
    if name in members and members[name] is not True:
        _unusual()
    return name in members


def _list(value: object) -> list[Any]:
    if type(value) is not list:
        raise _Unusual
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, _list(value)))


def _registers(members: dict[str, str]) -> dict[int, bytes]:
    """Return registers by index, in order; all their digits are looked at in one go."""
    digits = "".join(members.values())
    if not _HEX.fullmatch(digits) or any(len(text) != _HEX_DIGITS for text in members.values()):
        _unusual()
    octets = bytes.fromhex(digits)
    size = _HEX_DIGITS // 2
    found = {_INDEXES[name]: octets[at * size : (at + 1) * size] for at, name in enumerate(members)}
    return dict(sorted(found.items()))
