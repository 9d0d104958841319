"""What nitro-cli prints on standard output, read: versions 1.1 to 1.5.

A tolerant reader: unknown members are kept, and text after the first JSON value is not looked at where nitro-cli is
known to add some. A required member that is missing or of another type is :class:`Nonsense`, never a guess.
``HashAlgorithm`` is a debug rendering that changes between versions; it is kept and never compared.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nitroctl import pcr

_SHOWN: Final = 120
_DECODER: Final = json.JSONDecoder()
_BLANKS: Final = " \t\r\n"
_PCR_KEY = re.compile(r"PCR(0|[1-9][0-9]?)")
_VERSION = re.compile(r"Nitro CLI (\d{1,5})\.(\d{1,5})\.(\d{1,5})(?![0-9])")


class Nonsense(ValueError):
    """The text is not what nitro-cli prints; the message says what is wrong and shows where it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclave:
    """One running enclave, as ``describe-enclaves`` lists it.

    ``pcrs``: of the image it was started from; an enclave in debug mode lists them too although its attestation says
    zeros. ``other``: members this reader does not know. ``memory_mib``: what was taken, in whole hugepages.
    """

    name: str
    id: str
    process_id: int
    cid: int
    cpu_count: int
    cpu_ids: tuple[int, ...]
    memory_mib: int
    state: str
    flags: str
    pcrs: Mapping[int, bytes]
    other: Mapping[str, object] = field(default_factory=dict)

    @property
    def debug(self) -> bool:
        """Whether it runs in debug mode: anything but the one value that says it does not counts as yes."""
        return self.flags != "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """What ``run-enclave`` says about the enclave it started. ``name``: the real one, perhaps with ``_1`` added."""

    name: str
    id: str
    process_id: int
    cid: int
    cpu_ids: tuple[int, ...]
    memory_mib: int
    other: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """What ``terminate-enclave`` says about one enclave."""

    name: str
    id: str
    terminated: bool


def version(text: str) -> tuple[int, int, int]:
    """Return the version that ``nitro-cli --version`` prints: ``Nitro CLI 1.5.0``. Raises Nonsense."""
    match = _VERSION.search(text[:1000])
    if not match:
        raise Nonsense(f"not a version: {_beginning(text)}")
    return int(match[1]), int(match[2]), int(match[3])


def first_value(text: str) -> tuple[object, str]:
    """Return the first JSON value of ``text`` and what comes after it (a console, perhaps). Raises Nonsense."""
    stripped = text.lstrip(_BLANKS)
    if not stripped:
        raise Nonsense("it printed nothing")
    try:
        value, end = _DECODER.raw_decode(stripped)
    except (ValueError, RecursionError) as error:
        raise Nonsense(f"not JSON: {_beginning(stripped)}") from error
    return value, stripped[end:]


def one_value(text: str) -> object:
    """Return the one JSON value of ``text``. Raises Nonsense when there is none, or something after it."""
    value, rest = first_value(text)
    if rest.strip(_BLANKS):
        raise Nonsense(f"something follows the JSON: {_beginning(rest)}")
    return value


def complete(buffer: bytes) -> int | None:
    """Return where the first JSON object of ``buffer`` ends, or None while it is not complete (for a console)."""
    text = buffer.decode("utf-8", "surrogateescape")
    start = len(text) - len(text.lstrip(_BLANKS))
    try:
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return len(text[:end].encode("utf-8", "surrogateescape"))


def enclaves(text: str) -> tuple[Enclave, ...]:
    """Return the enclaves of ``describe-enclaves``, in nitro-cli's order, which means nothing. Raises Nonsense."""
    value = one_value(text)
    if not isinstance(value, list):
        raise Nonsense(f"not a list of enclaves: {_beginning(text)}")
    return tuple(_enclave(item) for item in value)


def launched(text: str) -> Launched:
    """Return what ``run-enclave`` started; console text may follow. Raises Nonsense."""
    value, _ = first_value(text)
    members = _Members(value, "the started enclave")
    return Launched(
        name=members.text("EnclaveName"),
        id=members.text("EnclaveID"),
        process_id=members.number("ProcessID"),
        cid=members.number("EnclaveCID"),
        cpu_ids=members.numbers("CPUIDs"),
        memory_mib=members.number("MemoryMiB"),
        other=members.rest("NumberOfCPUs"),
    )


def ended(text: str) -> tuple[Ended, ...]:
    """Return what ``terminate-enclave`` ended: one object, a list (since 1.4.3), or objects in a row (before)."""
    found: list[Ended] = []
    rest = text
    while rest.strip(_BLANKS):
        value, rest = first_value(rest)
        for item in value if isinstance(value, list) else [value]:
            members = _Members(item, "the terminated enclave")
            found.append(Ended(members.text("EnclaveName"), members.text("EnclaveID"), members.truth("Terminated")))
    return tuple(found)


def measurements(text: str) -> dict[int, bytes]:
    """Return the registers that ``build-enclave``, ``sign-eif`` or ``describe-eif`` print. Raises Nonsense."""
    return _registers(_Members(one_value(text), "the reply").mapping("Measurements"))


def _enclave(value: object) -> Enclave:
    members = _Members(value, "an enclave")
    return Enclave(
        name=members.text("EnclaveName"),
        id=members.text("EnclaveID"),
        process_id=members.number("ProcessID"),
        cid=members.number("EnclaveCID"),
        cpu_count=members.number("NumberOfCPUs"),
        cpu_ids=members.numbers("CPUIDs"),
        memory_mib=members.number("MemoryMiB"),
        state=members.text("State"),
        flags=members.text("Flags"),
        pcrs=_registers(members.mapping("Measurements")),
        other=members.rest(),
    )


def _registers(measured: Mapping[str, object]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for key, value in measured.items():
        match = _PCR_KEY.fullmatch(key)
        if match is None:
            continue
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]{96}", value) or int(match[1]) > 31:  # noqa: PLR2004
            raise Nonsense(f"{key} is not 96 hexadecimal digits: {_beginning(json.dumps(value))}")
        found[int(match[1])] = bytes.fromhex(value)
    missing = [pcr.name(index) for index in (0, 1, 2) if index not in found]
    if missing:
        raise Nonsense(f"the measurements lack {', '.join(missing)}: {_beginning(json.dumps(dict(measured)))}")
    return found


class _Members:
    """The members of one JSON object, taken by name and type."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise Nonsense(f"{what} is not an object: {_beginning(json.dumps(value))}")
        self._value: dict[str, Any] = value
        self._what = what
        self._taken: set[str] = set()

    def _take(self, key: str, kind: type, said: str) -> Any:  # noqa: ANN401  (JSON)
        self._taken.add(key)
        if key not in self._value:
            raise Nonsense(f"{self._what} lacks {key}: {_beginning(json.dumps(self._value))}")
        value = self._value[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise Nonsense(f"{key} of {self._what} is not {said}: {_beginning(json.dumps(value))}")
        return value

    def text(self, key: str) -> str:
        return str(self._take(key, str, "text"))

    def number(self, key: str) -> int:
        value = int(self._take(key, int, "a number"))
        if value < 0:
            raise Nonsense(f"{key} of {self._what} is below zero: {value}")
        return value

    def truth(self, key: str) -> bool:
        return bool(self._take(key, bool, "true or false"))

    def mapping(self, key: str) -> Mapping[str, object]:
        found: Mapping[str, object] = self._take(key, dict, "an object")
        return found

    def numbers(self, key: str) -> tuple[int, ...]:
        found: Sequence[object] = self._take(key, list, "a list")
        numbers: list[int] = [item for item in found if isinstance(item, int) and not isinstance(item, bool)]
        if len(numbers) < len(found) or min(numbers, default=0) < 0:
            raise Nonsense(f"{key} of {self._what} is not a list of numbers: {_beginning(json.dumps(found))}")
        return tuple(numbers)

    def rest(self, *known: str) -> dict[str, object]:
        return {key: value for key, value in self._value.items() if key not in self._taken and key not in known}


def _beginning(text: str) -> str:
    """Return the first characters of ``text``, quoted and escaped."""
    return ascii(text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")
