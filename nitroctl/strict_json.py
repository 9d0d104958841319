"""JSON read without forgiveness, and written for people: what two readers could understand differently is refused.

Python's own reader takes the last of two equal keys, accepts ``NaN`` and ``Infinity``, and ends in a ``RecursionError``
on deep nesting. A file that decides what is accepted may have none of these. Faults are named with their place: line
and column for syntax, a JSON Pointer (RFC 6901) for the rest. Source: RFC 8259; I-JSON, RFC 7493 sections 2.1 to 2.3.
"""

import json
import re
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final

from nitroctl.errors import CannotAnswer

_CONFLICT: Final = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?:[ \t].*)?\r?$", re.MULTILINE)


class _Doubled(dict[str, object]):
    """An object in which a key occurs twice; ``key`` is the first such."""

    __slots__ = ("key",)

    key: str


class _NotANumber(float):
    """One of the constants that JSON does not have."""

    __slots__ = ()


def pointer(parts: Iterable[str | int]) -> str:
    """Return the JSON Pointer (RFC 6901) of ``parts``: ``/entries/3/pin``; the empty string for the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def parse(text: str, *, where: str) -> object:
    """Return the value that the JSON ``text`` holds; ``where`` names it in errors.

    Raises CannotAnswer ``json.syntax``, ``json.conflict-markers``, ``json.byte-order-mark``, ``json.nesting``,
    ``json.duplicate-key`` or ``json.not-a-number``.
    """
    if text.startswith("\ufeff"):
        raise CannotAnswer(
            f"{where}: begins with a byte order mark", "json.byte-order-mark", ["save it as UTF-8 without BOM"]
        )
    odd: list[object] = []
    try:
        value = _decode(text, odd)
    except RecursionError as error:
        raise CannotAnswer(f"{where}: nested too deeply to be what it should be", "json.nesting") from error
    except ValueError as error:
        raise _syntax(text, where, error) from error
    if odd:
        _refuse_odd(value, where)
    return value


def _decode(text: str, odd: list[object]) -> object:
    """Parse, leaving what JSON should not have in the value as a marker, and in ``odd``."""

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        doubled = _Doubled(found)
        seen = set[str]()
        doubled.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        odd.append(doubled)
        return doubled

    def constant(name: str) -> float:
        odd.append(name)
        return _NotANumber(name)

    value: object = json.loads(text, object_pairs_hook=members, parse_constant=constant)
    return value


def _refuse_odd(value: object, where: str) -> None:
    """Find the first marker in document order and refuse it with its place."""
    for parts, found in walk(value):
        if isinstance(found, _Doubled):
            raise CannotAnswer(
                f"{where}: {pointer(parts) or '/'}: the key {found.key!r} occurs twice",
                "json.duplicate-key",
                ["keep one; readers disagree about which counts"],
            )
        if isinstance(found, _NotANumber):
            raise CannotAnswer(
                f"{where}: {pointer(parts) or '/'}: {json.dumps(float(found))} is not a JSON number",
                "json.not-a-number",
            )
    # A marker can only be out of sight below the losing one of two equal keys, and then the object is itself a marker.
    raise AssertionError(where)


def walk(value: object) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Yield every value inside ``value`` (itself first) with the path to it, in document order, without recursion."""
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while waiting:
        parts, here = waiting.pop()
        yield parts, here
        if isinstance(here, dict):
            waiting.extend(((*parts, key), inner) for key, inner in reversed(here.items()))
        elif isinstance(here, list):
            waiting.extend(((*parts, number), here[number]) for number in reversed(range(len(here))))


def _syntax(text: str, where: str, error: ValueError) -> CannotAnswer:
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        return CannotAnswer(
            f"{where}: line {line}: a merge conflict that was not resolved",
            "json.conflict-markers",
            ["keep the entries of both sides, remove the marker lines, and run the command again"],
        )
    if not text.strip():
        return CannotAnswer(f"{where}: empty, not JSON", "json.syntax")
    if isinstance(error, json.JSONDecodeError):
        reason = error.msg[:1].lower() + error.msg[1:].rstrip(".")
        return CannotAnswer(f"{where}: line {error.lineno}, column {error.colno}: not JSON: {reason}", "json.syntax")
    return CannotAnswer(f"{where}: not JSON: a number with too many digits", "json.syntax")


def indented(value: object, depth: int = 0) -> str:
    """Return ``value`` as ``json.dumps(value, indent=2, allow_nan=False)`` writes it, in half the time.

    ``depth``: of the objects and arrays around it, in whose text it goes; its keys have to be strings then. The
    library's fast writer knows no indentation, and a ledger has millions of values. Raises what the library raises:
    ValueError for a number that JSON has not, TypeError for what is no JSON.
    """
    try:
        return _written(value, "\n" + "  " * depth)
    except TypeError:
        if depth:
            raise
        return json.dumps(value, indent=2, allow_nan=False)


def _written(value: object, newline: str) -> str:
    """Return the text of ``value``. ``newline``: a line feed and the indentation of the line it begins on."""
    # Most values are strings, and a call for each would cost more than writing it.
    if isinstance(value, dict):
        inner = newline + "  "
        members = [
            f"{_quoted(key)}: {_quoted(each) if type(each) is str else _written(each, inner)}"
            for key, each in value.items()
        ]
        return f"{{{inner}{f',{inner}'.join(members)}{newline}}}" if members else "{}"
    if isinstance(value, list | tuple):
        inner = newline + "  "
        items = [_quoted(each) if type(each) is str else _written(each, inner) for each in value]
        return f"[{inner}{f',{inner}'.join(items)}{newline}]" if items else "[]"
    return json.dumps(value, allow_nan=False)
