"""The forms that values in a policy file have, and what is said of one that does not have its form.

Faults are collected, so that all of them can be told at once: a value that is refused is left out, and reading goes on.
"""

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NoReturn

from nitroctl import pcr
from nitroctl.appraisal.policy import parse_duration
from nitroctl.appraisal.policy_text import Path, Text, short
from nitroctl.errors import NitroctlError

#: So many faults are told one by one, and so often it is looked for what may have been meant, which takes time.
TOLD: Final = 20
_FIELD: Final = "appraisal-policy.field"
_VALUE: Final = "appraisal-policy.value"
_NEAR_LIMIT: Final = 128
_TEXT_LIMIT: Final = 4096
_MOST_BITS: Final = 16384


@dataclass(frozen=True, slots=True)
class Fault:
    """A place in a policy file that does not have its form. ``line``: from 1, 0 when not known (JSON).

    ``place``: ends in ``: `` unless empty. ``code``: ``appraisal-policy.field`` for an unknown or missing one, else
    ``appraisal-policy.value`` or the code of the rule that is broken.
    """

    line: int
    place: str
    message: str
    hint: str = ""
    code: str = _VALUE


class Refused(Exception):
    """A value does not have its form; the fault is noted."""


class Values:
    """Values with their places, each asked for by the form it has to have. ``faults``: what was refused."""

    def __init__(self, text: Text) -> None:
        """Begin without faults."""
        self.text = text
        self.faults: list[Fault] = []

    def note(self, path: Path, message: str, hint: str = "", code: str = _VALUE) -> None:
        """Note a fault at ``path``."""
        self.faults.append(Fault(self.text.lines.get(path, 0), self.text.place(path), message, hint, code))

    def refuse(self, path: Path, message: str, hint: str = "", code: str = _VALUE) -> NoReturn:
        """Note a fault at ``path`` and give up the value."""
        self.note(path, message, hint, code)
        raise Refused

    def members(
        self, value: object, path: Path, known: Sequence[str], *, required: Sequence[str] = (), scalars: str = ""
    ) -> Mapping[str, object]:
        """Return a map with names from ``known`` only. ``scalars``: the words that could stand in its place."""
        found = self.mapping(value, path, scalars)
        for name in (each for each in found if each not in known):
            hint = (near(name, known) or f"known here: {', '.join(known)}") if len(self.faults) < TOLD else ""
            self.note((*path, name), "unknown field", hint, _FIELD)
        absent = [name for name in required if name not in found]
        if absent:
            self.refuse(path, f"missing: {', '.join(absent)}", code=_FIELD)
        return found

    def mapping(self, value: object, path: Path, scalars: str = "") -> Mapping[str, object]:
        """Return a map with any names; not an empty one where ``scalars`` could stand."""
        if not isinstance(value, dict):
            what = f"neither {scalars.replace(' or ', ', nor ')}, nor a map" if scalars else "not a map of fields"
            self.refuse(path, f"{what}: {shown(value)}")
        if scalars and not value:
            self.refuse(path, "empty", f"write {scalars}, or what it has to be")
        return value

    def items(self, value: object, path: Path) -> Sequence[object]:
        """Return a list that is not empty."""
        if not isinstance(value, list):
            self.refuse(path, f"not a list: {shown(value)}", "write [one, two], or a line with a dash for each")
        if not value:
            self.refuse(path, "empty: nothing would be acceptable", "leave the field out to accept any")
        return value

    def texts(self, value: object, path: Path, check: Callable[[str, Path], str]) -> tuple[str, ...]:
        """Return a list of texts, none twice, sorted, each as ``check`` returns it."""
        found = set[str]()
        for number, item in enumerate(self.items(value, path)):
            here = (*path, number)
            text = check(self.line(item, here), here)
            if text in found:
                self.refuse(here, f"named twice: {shown(text)}")
            found.add(text)
        return tuple(sorted(found))

    def line(self, value: object, path: Path) -> str:
        """Return a text on one line, of printable characters."""
        if not isinstance(value, str):
            hint = "put it in quotes" if isinstance(value, int | float) else ""
            self.refuse(path, f"not text: {shown(value)}", hint)
        if len(value) > _TEXT_LIMIT:
            self.refuse(path, f"longer than {_TEXT_LIMIT} characters")
        if not value.isprintable():
            self.refuse(path, "has a control, format or other unprintable character")
        return value

    def boolean(self, value: object, path: Path) -> bool:
        """Return true or false."""
        if not isinstance(value, bool):
            self.refuse(path, f"neither true nor false: {shown(value)}")
        return value

    def bits(self, value: object, path: Path) -> int:
        """Return the size of a key."""
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_BITS:
            self.refuse(path, f"not a number of bits: {shown(value)}", "write a whole number, like 2048")
        return value

    def choice(self, value: object, path: Path, choices: Sequence[str]) -> str:
        """Return one of ``choices``."""
        if not isinstance(value, str) or value not in choices:
            hint = near(value, choices) if isinstance(value, str) else ""
            self.refuse(path, f"not one of {', '.join(choices)}: {shown(value)}", hint)
        return value

    def duration(self, value: object, path: Path) -> timedelta:
        """Return a time span."""
        span = parse_duration(value) if isinstance(value, str) else None
        if span is None:
            self.refuse(path, f"not a duration: {shown(value)}", "write 30s, 5m, 3h or 2d")
        return span

    def hexadecimal(self, value: object, path: Path) -> bytes:
        """Return bytes, at least one."""
        if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", value):
            self.refuse(path, f"not bytes in hexadecimal: {shown(value)}", "write two hexadecimal digits a byte")
        return bytes.fromhex(value)

    def sha256(self, value: object, path: Path) -> bytes:
        """Return 32 bytes."""
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", value):
            self.refuse(path, f"not a SHA-256: {shown(value)}", "write 64 hexadecimal digits")
        return bytes.fromhex(value)

    def register(self, value: object, path: Path) -> bytes:
        """Return a register's 48 bytes."""
        text = self.line(value, path)
        try:
            return pcr.parse_value(text, where="")
        except NitroctlError as error:
            self.refuse(path, error.message.removeprefix(": "), error.hints[0])


def near(name: str, known: Sequence[str]) -> str:
    """Return the hint that names what ``name`` may be meant to be, or nothing."""
    found = difflib.get_close_matches(name[:_NEAR_LIMIT], known, 1)
    return f"did you mean {found[0]}?" if found else ""


def shown(value: object) -> str:
    """Return a value of any size in a few characters."""
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    return short(json.dumps(value))
