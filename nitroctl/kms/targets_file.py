"""Targets as a file: for each key by name its roles, actions, context, place, and the releases that it opens to.

The shape is ``nitroctl/schemas/kms-targets.1.json``. YAML or JSON, read as strictly as an appraisal policy
(:mod:`nitroctl.appraisal.policy_text`): an unknown field is refused, not ignored, and a word that could be read in two
ways is no value. Measurements are not in it: who writes them in CI need not be able to write this file.
"""

import difflib
import json
import os.path
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

from nitroctl import pcr, safefile
from nitroctl.appraisal import policy_text
from nitroctl.appraisal.policy_text import Form, Path, Text, short
from nitroctl.errors import CannotAnswer, NitroctlError, UsageError
from nitroctl.kms import principals
from nitroctl.kms.principals import Role
from nitroctl.kms.targets import Placement, Targets, context_problem, parse_action, parse_key

#: Value of the field ``schema``; the last part is the version of the form.
SCHEMA: Final = "urn:nitroctl:kms-targets:1"
SIZE_LIMIT: Final = 128 * 1024
FORM: Final = Form(
    noun="file of targets",
    start="nitroctl kms generate --init writes one to start from",
    syntax="kms-targets.syntax",
    duplicate_key="kms-targets.duplicate-key",
    feature="kms-targets.yaml-feature",
)

_FAMILY: Final = "urn:nitroctl:kms-targets:"
_TOP: Final = ("schema", "description", "keys")
_ROLES: Final = ("enclave_roles", "admin_roles", "policy_writers", "data_writers")
_FIELDS: Final = ("key", "environment", "components", *_ROLES, "actions", "encryption_context", "placement")
_REQUIRED: Final = _ROLES[:3]
_PLACES: Final = ("parent_roles", "instances", "signers")
#: A name that Terraform takes for a resource as it stands.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_RECORDED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ONE_LINE: Final = 4096
_CERTIFICATE_LIMIT: Final = 64 * 1024
_MORE: Final = 5
#: Stands for an option's name with the parsers of options; the place in the file takes its place.
_HERE: Final = "here"
_NOBODY: Final[tuple[Role, ...]] = ()
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class KeyTargets:
    """The targets of one key, and the releases it opens to; ``components`` empty and ``environment`` None mean any."""

    targets: Targets
    components: tuple[str, ...] = ()
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class TargetsFile:
    """The file as read. ``keys``: by name, sorted."""

    file: str
    keys: Mapping[str, KeyTargets]

    def choose(self, name: str | None) -> str:
        """Return the name of the key that is meant; without one there may only be one.

        Raises UsageError ``kms-targets.choice``.
        """
        names = ", ".join(self.keys)
        if name is None and len(self.keys) == 1:
            return next(iter(self.keys))
        if name is None:
            raise UsageError(f"{self.file}: targets of several keys: {names}", "kms-targets.choice", ["--target NAME"])
        if name not in self.keys:
            raise UsageError(f"{self.file}: no key {name!r}", "kms-targets.choice", [f"it has {names}"])
        return name


def read(path: str) -> TargetsFile:
    """Return the targets in the file ``path``; certificates that it names are read too.

    Raises CannotAnswer ``file.*``, ``json.*`` or ``kms-targets.*`` with the first fault, the others as hints;
    UsageError for standard input.
    """
    if path == safefile.STDIN:
        raise UsageError("targets are not read from standard input", "usage.invalid", ["name a file"])
    reading = _Reading(policy_text.parse(safefile.read_text(path, limit=SIZE_LIMIT), where=path, form=FORM), path)
    keys = reading.keys()
    if reading.faults:
        raise reading.error()
    return TargetsFile(path, dict(sorted(keys.items())))


@dataclass(frozen=True, slots=True)
class _Fault:
    line: int
    message: str
    code: str
    hint: str


class _Refused(Exception):
    """A value does not have its form; the fault is noted."""


class _Reading:
    """One reading of a file's values. All faults are noted before any is told."""

    def __init__(self, text: Text, path: str) -> None:
        self.text = text
        self.path = path
        self.faults: list[_Fault] = []

    def error(self) -> CannotAnswer:
        """Return the first fault as an error that names the others too."""
        first, *others = sorted(self.faults, key=lambda fault: fault.line)
        hints = [first.hint] if first.hint else []
        hints += [f"also wrong: {fault.message}" for fault in others[:_MORE]]
        hints += [f"and {len(others) - _MORE} more"] if len(others) > _MORE else []
        return CannotAnswer(f"{self.path}: {first.message}", first.code, hints)

    def note(self, path: Path, message: str, hint: str = "", code: str = "kms-targets.value") -> None:
        self.faults.append(_Fault(self.text.lines.get(path, 0), self.text.place(path) + message, code, hint))

    def refuse(self, path: Path, message: str, hint: str = "", code: str = "kms-targets.value") -> NoReturn:
        self.note(path, message, hint, code)
        raise _Refused

    def keys(self) -> dict[str, KeyTargets]:
        try:
            self._schema(self._mapping(self.text.value, ()))
            top = self._members(self.text.value, (), _TOP, required=("keys",))
            found = self._mapping(top["keys"], ("keys",))
            if "description" in top:
                self._line(top["description"], ("description",))
            if not found:
                self.refuse(("keys",), "no key in it", "write a name and below it the key's targets")
        except _Refused:
            return {}
        keys = {}
        for name, value in found.items():
            try:
                if not _NAME.fullmatch(name):
                    self.refuse(
                        ("keys", name),
                        f"not a name for a key: {short(name)!r}",
                        "a letter, then letters, digits, '-' and '_', at most 64",
                    )
                keys[name] = self._key(value, ("keys", name))
            except _Refused:
                continue
        return keys

    def _schema(self, top: Mapping[str, object]) -> None:
        """Refuse a file that is of another form before anything in it is called wrong."""
        value = top.get("schema")
        if value == SCHEMA:
            return
        newer = isinstance(value, str) and value.startswith(_FAMILY)
        hint = "a newer nitroctl is needed: upgrade this one" if newer else f"write schema: {SCHEMA}"
        message = f"not a form this nitroctl knows: {_shown(value)}" if "schema" in top else "missing: schema"
        self.refuse(("schema",) if "schema" in top else (), message, hint, "kms-targets.schema")

    def _key(self, value: object, path: Path) -> KeyTargets:
        members = self._members(value, path, _FIELDS, required=_REQUIRED)

        def field(name: str, read: Callable[[object, Path], _T], default: _T) -> _T:
            return self._or(default, read, members[name], (*path, name)) if name in members else default

        before = len(self.faults)
        duties = {name: field(name, self._roles, _NOBODY) for name in _ROLES}
        found = KeyTargets(
            Targets(
                enclave_roles=duties["enclave_roles"],
                admin_roles=duties["admin_roles"],
                policy_writers=duties["policy_writers"],
                data_writers=duties["data_writers"],
                actions=field("actions", self._actions, ("kms:Decrypt",)),
                encryption_context=field("encryption_context", self._context, {}),
                placement=field("placement", self._placement, Placement()),
                key=field("key", self._arn, ""),
            ),
            components=field("components", self._components, ()),
            environment=field("environment", self._recorded, None),
        )
        if len(self.faults) == before:
            try:
                found.targets.hold()
            except UsageError as error:
                self.note(path, error.message, error.hints[0] if error.hints else "", error.code)
        return found

    def _or(self, default: _T, read: Callable[[object, Path], _T], value: object, path: Path) -> _T:
        try:
            return read(value, path)
        except _Refused:
            return default

    def _roles(self, value: object, path: Path) -> tuple[Role, ...]:
        found: list[Role] = []
        for number, text in enumerate(self._texts(value, path)):
            here = (*path, number)
            role = self._asked(here, lambda text=text: principals.parse(text, option=_HERE))  # type: ignore[misc]
            if role.identity in {each.identity for each in found}:
                self.refuse(here, f"a role that was named before: {role.arn!r}")
            found.append(role)
        return tuple(sorted(found, key=lambda each: each.arn))

    def _asked(self, path: Path, question: Callable[[], _T]) -> _T:
        """Return what a parser of options says; its error becomes a fault at ``path``, with the parser's own code."""
        try:
            return question()
        except NitroctlError as error:
            message = error.message.removeprefix(f"{_HERE}: ")
            self.refuse(path, message, error.hints[0] if error.hints else "", error.code)

    def _arn(self, value: object, path: Path) -> str:
        text = self._line(value, path)
        return self._asked(path, lambda: parse_key(text, option=_HERE))

    def _actions(self, value: object, path: Path) -> tuple[str, ...]:
        found = []
        for number, text in enumerate(self._texts(value, path)):
            action = self._asked((*path, number), lambda text=text: parse_action(text, option=_HERE))  # type: ignore[misc]
            if action in found:
                self.refuse((*path, number), f"an action that was named before: {action}")
            found.append(action)
        return tuple(sorted(found))

    def _context(self, value: object, path: Path) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for name, text in self._mapping(value, path).items():
            problem = context_problem(name, self._line(text, (*path, name)), found)
            if problem:
                self.refuse((*path, name), problem, code="kms.context")
            found[name] = str(text)
        if not found:
            self.refuse(path, "empty", "leave the field out to require no encryption context")
        return dict(sorted(found.items()))

    def _components(self, value: object, path: Path) -> tuple[str, ...]:
        return tuple(self._recorded(each, (*path, number)) for number, each in enumerate(self._texts(value, path)))

    def _recorded(self, value: object, path: Path) -> str:
        text = self._line(value, path)
        if not _RECORDED.fullmatch(text):
            self.refuse(path, f"not a name in the records: {short(text)!r}", "nitroctl pcr list shows the names")
        return text

    def _placement(self, value: object, path: Path) -> Placement:
        members = self._members(value, path, _PLACES)
        if not members:
            self.refuse(path, "empty", "leave the field out to bind no place")

        def texts(name: str, read: Callable[[str], _T]) -> tuple[_T, ...]:
            here = (*path, name)
            found = []
            for number, text in enumerate(self._texts(members[name], here) if name in members else ()):
                found.append(self._asked((*here, number), lambda text=text: read(text)))  # type: ignore[misc]
            return tuple(found)

        def derived(derive: Callable[[str], bytes]) -> Callable[[str], str]:
            def read(text: str) -> str:
                derive(text)  # for its error only
                return text.strip()

            return read

        return Placement(
            parent_roles=tuple(sorted(texts("parent_roles", derived(pcr.for_role)))),
            instances=tuple(sorted(texts("instances", derived(pcr.for_instance)))),
            signers=tuple(sorted(texts("signers", lambda text: signer(text, beside=self.path)))),
        )

    def _members(
        self, value: object, path: Path, known: Sequence[str], *, required: Sequence[str] = ()
    ) -> Mapping[str, object]:
        found = self._mapping(value, path)
        for name in found:
            if name not in known:
                near = difflib.get_close_matches(name[:128], known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
                self.note((*path, name), "unknown field", hint, "kms-targets.field")
        absent = [name for name in required if name not in found]
        if absent:
            self.refuse(path, f"missing: {', '.join(absent)}", code="kms-targets.field")
        return found

    def _mapping(self, value: object, path: Path) -> Mapping[str, object]:
        if not isinstance(value, dict):
            self.refuse(path, f"not a map of fields: {_shown(value)}")
        return value

    def _texts(self, value: object, path: Path) -> Sequence[str]:
        if not isinstance(value, list):
            self.refuse(path, f"not a list: {_shown(value)}", "write [one, two], or a line with a dash for each")
        if not value:
            self.refuse(path, "empty", "leave the field out, or name one")
        return [self._line(each, (*path, number)) for number, each in enumerate(value)]

    def _line(self, value: object, path: Path) -> str:
        if not isinstance(value, str):
            hint = "put it in quotes" if isinstance(value, int) else ""
            self.refuse(path, f"not text: {_shown(value)}", hint)
        if len(value) > _ONE_LINE or not value.isprintable():
            self.refuse(path, f"longer than {_ONE_LINE} characters, or with one that cannot be printed")
        return value


def signer(text: str, *, beside: str = "", option: str = _HERE) -> bytes:
    """Return PCR8 for a signer: ``text`` is the register in hexadecimal, or a certificate's PEM file.

    ``beside``: the file that names it, to which the name is relative. Raises CannotAnswer ``file.*`` or
    ``pcr.certificate``, UsageError ``pcr.value`` for a register of zero (an image that nobody signed).
    """
    if re.fullmatch(r"[0-9a-fA-F]{96}", text.strip()):
        value = pcr.parse_value(text)
        if pcr.is_zero(value):
            raise UsageError(f"{option}: PCR8 is zero: an image that nobody signed", "pcr.value", ["name who signs"])
        return value
    if text == safefile.STDIN:
        raise UsageError(f"{option}: a certificate is not read from standard input", "usage.invalid", ["name a file"])
    path = os.path.join(os.path.dirname(beside), text)  # noqa: PTH118, PTH120  (as written: pathlib would tidy it)
    return pcr.for_certificate(pcr.certificate_der(safefile.read_bytes(path, limit=_CERTIFICATE_LIMIT), where=path))


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    return short(json.dumps(value))
