"""In what two key policies differ, for people and for machines; also what ``kms apply`` shows before it writes."""

import json
from collections.abc import Iterator

from nitroctl.kms.canonical import Canonical, Change, Difference, Kind, Part
from nitroctl.render.view import Block, Diff

#: Columns that a member has for its name and a value, on whatever terminal.
_WIDTH = 80
_MARKS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: " "}


def counted(difference: Difference) -> str:
    """Return how much differs, in words: ``1 statement changed, 2 added``."""
    told: list[str] = []
    for kind in (Kind.CHANGED, Kind.ADDED, Kind.REMOVED):
        count = sum(change.kind is kind for change in difference.changes)
        if count:
            noun = "" if told else f" statement{'s' if count > 1 else ''}"
            told.append(f"{count}{noun} {kind.value}")
    return ", ".join([*told, *(f"{part.path[0]} changed" for part in difference.heads)]) or "no difference"


def blocks(difference: Difference) -> list[Block]:
    """Return the difference statement by statement; nothing when there is none."""
    lines = [*_heads(difference), *(line for change in difference.changes for line in _change(change))]
    return [Diff("\n".join(lines) + "\n")] if lines else []


def as_json(difference: Difference) -> dict[str, object]:
    """Return the difference as JSON members (``$defs/difference`` of the schemas)."""
    return {
        "equal": difference.none,
        "heads": [_part_json(part) for part in difference.heads],
        "changes": [_change_json(change) for change in difference.changes],
        "unchanged_statements": difference.same,
    }


def _heads(difference: Difference) -> Iterator[str]:
    for part in difference.heads:
        yield from _part(part, "")


def _change(change: Change) -> Iterator[str]:
    yield f"{_MARKS[change.kind]} {_named(change)}: {change.kind.value}"
    for part in change.parts:
        if part.path != ("Sid",):
            yield from _part(part, "    ")


def _part(part: Part, indent: str) -> Iterator[str]:
    """Yield a member's values on its line each, or below it where one is long: a register must not be broken up."""
    name = _line("/".join(part.path))
    values = [(mark, _line(each)) for mark, listed in (("-", part.removed), ("+", part.added)) for each in listed]
    lines = [f"{mark} {indent}{name}: {value}" for mark, value in values]
    if all(len(line) <= _WIDTH for line in lines):
        yield from lines
        return
    marks = {mark for mark, _ in values}
    yield f"{marks.pop() if len(marks) == 1 else ' '} {indent}{name}:"
    yield from (f"{mark} {indent}    {value}" for mark, value in values)


def _line(text: str) -> str:
    """Return a text on one line: a line break in it would look like a line of the difference."""
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')


def _named(change: Change) -> str:
    """Return what to call a statement; a Sid that says ``statement 3`` is none of the third's."""
    which = change.after or change.before
    return f"statement {_line(which.sid)}" if which and which.sid else change.label


def _change_json(change: Change) -> dict[str, object]:
    return {
        "kind": change.kind.value,
        "label": change.label,
        "before": _statement(change.before),
        "after": _statement(change.after),
        "parts": [_part_json(part) for part in change.parts] if change.kind is Kind.CHANGED else [],
    }


def _part_json(part: Part) -> dict[str, object]:
    return {"path": list(part.path), "removed": list(part.removed), "added": list(part.added)}


def _statement(statement: Canonical | None) -> dict[str, object] | None:
    return None if statement is None else statement.as_json()
