"""An appraisal policy as a file: every field held to its form, one canonical form, and a digest of that.

The shape is ``nitroctl/schemas/appraisal-policy.1.json``; :mod:`.policy_text` reads the text. An unknown field is
refused, not ignored: it may be a requirement that somebody believes in. Two files that require the same in the same
words have the same digest, whatever their comments, order of fields, white space, and whether YAML or JSON.
"""

import os.path
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeVar

from nitroctl import pcr
from nitroctl.appraisal import policy_canonical as canonical
from nitroctl.appraisal import policy_text
from nitroctl.appraisal.policy import (
    CLOCK_SKEW,
    Content,
    KeyContent,
    Policy,
    ReferenceValues,
    RegisterRule,
    Scalar,
    Source,
)
from nitroctl.appraisal.policy_text import Path, Text
from nitroctl.appraisal.policy_values import Fault, Refused, Values, near, shown
from nitroctl.errors import CannotAnswer, NitroctlError
from nitroctl.evidence.document import Kind

#: Value of the field ``schema``; the last part is the version of the form.
SCHEMA: Final = "urn:nitroctl:appraisal-policy:1"
FIELDS: Final = (
    "schema",
    "description",
    "kind",
    "references",
    "registers",
    "debug",
    "nonce",
    "user_data",
    "public_key",
    "module_ids",
    "instance_ids",
    "regions",
    "partitions",
    "roles",
    "pcr4_matches_module_id",
    "max_age",
    "clock_skew",
    "roots",
    "strict",
)
KEY_TYPES: Final = ("rsa", "ec", "ed25519")
_FAMILY: Final = "urn:nitroctl:appraisal-policy:"
_NAME: Final = re.compile(r"PCR([0-9]|[12][0-9]|3[01])")
_RANGE: Final = re.compile(r"PCR([0-9]|[12][0-9]|3[01])-PCR([0-9]|[12][0-9]|3[01])")
_REGISTERS: Final = tuple(pcr.name(index) for index in range(32))
_FORMS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "module_ids": (re.compile(r"[\x21-\x7e]{1,128}"), "a module id, like i-0123456789abcdef0-enc0123456789abcdef"),
    "instance_ids": (re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})"), "an instance id: i- and 17 (or 8) lower-case hex"),
    "regions": (re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}"), "a region, like eu-west-1"),
    "partitions": (re.compile(r"aws[a-z-]{0,20}"), "a partition, like aws or aws-us-gov"),
    "roots": (re.compile(r"[0-9a-fA-F]{64}"), "the SHA-256 of a root certificate: 64 hexadecimal digits"),
}
_LABEL_LIMIT: Final = 128
_IMAGE: Final = (0, 1, 2)
_SIGNER: Final = 8
_KINDS: Final = ("enclave", "nitrotpm")
_DEBUG: Final = ("refuse", "allow")
_NO_REFERENCES: Final[tuple["Records | None", tuple[ReferenceValues, ...]]] = (None, ())
_NO_RULES: Final[tuple[RegisterRule, ...]] = ()
_NO_NONCE: Final[tuple[bytes | None, bool]] = (None, False)
_T = TypeVar("_T")
_D = TypeVar("_D")


@dataclass(frozen=True, slots=True)
class Records:
    """The recorded measurements a policy goes by: a ledger's active entries, of one component or environment if said.

    ``file`` as written, relative to the policy file.
    """

    file: str
    component: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A policy as written. ``policy`` has the inline reference values only: ``records`` are for the caller to read.

    ``roots``: SHA-256 fingerprints in hex that narrow the accepted roots. ``canonical``: the form that is digested.
    ``sha256``: its digest in hex.
    """

    file: str
    policy: Policy
    canonical: Mapping[str, object]
    sha256: str
    records: Records | None
    roots: tuple[str, ...] | None
    strict: bool
    description: str

    @property
    def records_path(self) -> str | None:
        """The path of the records, None when the policy names none."""
        return str(os.path.join(os.path.dirname(self.file), self.records.file)) if self.records else None  # noqa: PTH118, PTH120  (as written: pathlib would tidy it)


def read(path: str) -> PolicyFile:
    """Return the policy in the file ``path``.

    Raises what :func:`policy_text.read` does, and CannotAnswer ``appraisal-policy.schema``,
    ``appraisal-policy.field``, ``appraisal-policy.value`` or ``attest.zero-reference`` with the first fault and how
    many more there are.
    """
    found, faults = form(policy_text.read(path), where=path)
    if found is None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more: nitroctl attest policy check {path})" if len(faults) > 1 else ""
        hints = [first.hint] if first.hint else []
        raise CannotAnswer(f"{path}: {first.place}{first.message}{more}", first.code, hints)
    return found


def form(text: Text, *, where: str) -> tuple[PolicyFile | None, tuple[Fault, ...]]:
    """Hold a policy's values against the form: the policy when nothing is wrong, else every fault in file order."""
    reading = _Reading(text)
    found = reading.policy(where)
    faults = tuple(sorted(reading.faults, key=lambda fault: fault.line))
    return (None if faults else found), faults


class _Reading(Values):
    """One reading of a policy's values."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.top: Mapping[str, object] = {}
        self.canonical: dict[str, object] = {}

    def policy(self, where: str) -> PolicyFile | None:
        try:
            self.schema(self.mapping(self.text.value, ()))
            self.top = self.members(self.text.value, (), FIELDS)
        except Refused:
            return None
        kind = Kind(self.field("kind", lambda value, path: self.choice(value, path, _KINDS), "enclave"))
        debug = self.field("debug", lambda value, path: self.choice(value, path, _DEBUG), "refuse")
        records, accepted = self.field("references", self.references, _NO_REFERENCES, canonical.references)
        nonce, nonce_required = self.field("nonce", self.nonce, _NO_NONCE, canonical.nonce)
        roots = self.names("roots")
        strict = self.field("strict", self.boolean, default=False)
        description = self.field("description", self.line, "")
        self.of_enclaves_only(kind)
        try:
            policy = Policy(
                accepted=accepted,
                kind=kind,
                allow_debug=debug == "allow",
                registers=self.field(
                    "registers", lambda value, path: self.registers(value, path, kind), _NO_RULES, canonical.registers
                ),
                nonce=nonce,
                nonce_required=nonce_required,
                user_data=self.field("user_data", self.user_data, None, canonical.content),
                public_key=self.field("public_key", self.public_key, None, canonical.content),
                module_ids=_set(self.names("module_ids")),
                instance_ids=_set(self.names("instance_ids")),
                regions=_set(self.names("regions")),
                partitions=_set(self.names("partitions")),
                roles=self.field("roles", self.roles, None, canonical.names),
                parent_instance=self.field("pcr4_matches_module_id", self.boolean, default=False),
                max_age=self.field("max_age", self.age, None, canonical.duration),
                clock_skew=self.field("clock_skew", self.duration, CLOCK_SKEW, canonical.duration),
            )
        except NitroctlError as error:  # reference values that anything satisfies
            self.note(("references",), error.message, error.hints[0], error.code)
            return None
        self.canonical["schema"] = SCHEMA
        sha256 = canonical.digest(self.canonical)
        return PolicyFile(
            file=where,
            policy=replace(policy, source=Source(file=where, sha256=sha256)),
            canonical=self.canonical,
            sha256=sha256,
            records=records,
            roots=roots,
            strict=strict,
            description=description,
        )

    def schema(self, top: Mapping[str, object]) -> None:
        """Refuse a file that is of another form before anything in it is called wrong."""
        value = top.get("schema")
        if value == SCHEMA:
            return
        newer = isinstance(value, str) and value.startswith(_FAMILY)
        hint = "a newer nitroctl is needed: upgrade this one" if newer else f"write schema: {SCHEMA}"
        message = f"not a form this nitroctl knows: {shown(value)}" if "schema" in top else "missing: schema"
        self.refuse(("schema",) if "schema" in top else (), message, hint, "appraisal-policy.schema")

    def of_enclaves_only(self, kind: Kind) -> None:
        for name in ("debug", "roles", "pcr4_matches_module_id"):
            if kind is Kind.NITROTPM and name in self.top:
                self.note((name,), "says nothing about a NitroTPM document", "leave it out, or write kind: enclave")

    def field(
        self,
        name: str,
        read: Callable[[object, Path], _T],
        default: _D,
        written: Callable[[_T], object] = lambda value: value,
    ) -> _T | _D:
        """Return a field's value, noting its canonical form unless it is the default; the default after a fault."""
        if name not in self.top:
            return default
        try:
            value = read(self.top[name], (name,))
        except Refused:
            return default
        if value != default:
            self.canonical[name] = written(value)
        return value

    def names(self, name: str) -> tuple[str, ...] | None:
        """Return a field that is a list of ids or places."""
        pattern, says = _FORMS[name]

        def check(text: str, path: Path) -> str:
            if not pattern.fullmatch(text):
                self.refuse(path, f"not {says}: {shown(text)}")
            return text.lower() if name == "roots" else text

        def read(value: object, path: Path) -> tuple[str, ...]:
            return self.texts(value, path, check)

        return self.field(name, read, None, canonical.names)

    def references(self, value: object, path: Path) -> tuple[Records | None, tuple[ReferenceValues, ...]]:
        members = self.members(value, path, ("records", "any_of"))
        records = self.records(members["records"], (*path, "records")) if "records" in members else None
        return records, self.sets(members["any_of"], (*path, "any_of")) if "any_of" in members else ()

    def records(self, value: object, path: Path) -> Records:
        members = self.members(value, path, ("file", "component", "environment"), required=("file",))
        texts = {name: self.line(each, (*path, name)) for name, each in members.items()}
        if not texts["file"] or texts["file"] == "-":
            self.refuse((*path, "file"), "not the name of a file", "write the ledger's path, relative to this file")
        return Records(texts["file"], texts.get("component"), texts.get("environment"))

    def sets(self, value: object, path: Path) -> tuple[ReferenceValues, ...]:
        found: list[ReferenceValues] = []
        labels = set[str]()
        for number, item in enumerate(self.items(value, path)):
            here = (*path, number)
            members = self.members(item, here, ("label", "pcrs"), required=("label", "pcrs"))
            label = self.line(members["label"], (*here, "label"))
            if not 1 <= len(label) <= _LABEL_LIMIT:
                self.refuse((*here, "label"), f"not 1 to {_LABEL_LIMIT} characters")
            if label in labels:
                self.refuse((*here, "label"), f"the label of another set: {shown(label)}")
            labels.add(label)
            found.append(ReferenceValues(label, self.pcrs(members["pcrs"], (*here, "pcrs"))))
        return tuple(found)

    def pcrs(self, value: object, path: Path) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for name, text in self.mapping(value, path).items():
            match = _NAME.fullmatch(name)
            if not match:
                hint = near(name.upper(), _REGISTERS)
                self.refuse((*path, name), "not a register: they are named PCR0 to PCR31", hint)
            found[int(match[1])] = self.register(text, (*path, name))
        if not found:
            self.refuse(path, "no register in it: that would match everything")
        return dict(sorted(found.items()))

    def registers(self, value: object, path: Path, kind: Kind) -> tuple[RegisterRule, ...]:
        found = [self.rule(name, wanted, (*path, name), kind) for name, wanted in self.mapping(value, path).items()]
        if not found:
            self.refuse(path, "empty", "leave the field out to require nothing of other registers")
        return tuple(sorted(found, key=lambda rule: rule.indexes))

    def rule(self, name: str, wanted: object, path: Path, kind: Kind) -> RegisterRule:
        indexes = _indexes(name)
        if not indexes:
            hint = "write PCR16, or PCR16-PCR19 for several"
            self.refuse(path, "neither a register nor an ascending range of them", hint)
        if kind is Kind.ENCLAVE and {*indexes} & {*_IMAGE}:
            hint = "write them as one set: references, any_of, pcrs"
            self.refuse(path, "PCR0, PCR1 and PCR2 belong together", hint)
        if wanted == "present":
            return RegisterRule(indexes)
        if not isinstance(wanted, list):
            self.refuse(path, f"neither present nor a list of values: {shown(wanted)}")
        values = {self.register(each, (*path, number)) for number, each in enumerate(self.items(wanted, path))}
        if kind is Kind.ENCLAVE and _SIGNER in indexes and pcr.ZERO in values:
            message = "PCR8 is expected to be zero, which every unsigned image satisfies"
            self.refuse(path, message, "write the PCR8 of a signed image, or present", "attest.zero-reference")
        return RegisterRule(indexes, tuple(sorted(values)))

    def nonce(self, value: object, path: Path) -> tuple[bytes | None, bool]:
        members = self.members(value, path, ("required", "equals"))
        if not members:
            self.refuse(path, "empty", "write required: true, or equals: and the nonce in hexadecimal")
        equals = self.hexadecimal(members["equals"], (*path, "equals")) if "equals" in members else None
        return equals, self.boolean(members["required"], (*path, "required")) if "required" in members else False

    def user_data(self, value: object, path: Path) -> Content:
        if isinstance(value, str):
            return Content(absent=self.choice(value, path, ("absent", "present")) == "absent")
        members = self.members(value, path, ("equals", "sha256", "json"), scalars="absent or present")
        return Content(
            equals=self.hexadecimal(members["equals"], (*path, "equals")) if "equals" in members else None,
            sha256=self.sha256(members["sha256"], (*path, "sha256")) if "sha256" in members else None,
            members=self.json(members["json"], (*path, "json")) if "json" in members else (),
        )

    def public_key(self, value: object, path: Path) -> KeyContent:
        if isinstance(value, str):
            return KeyContent(absent=self.choice(value, path, ("absent", "present")) == "absent")
        known = ("type", "minimum_bits", "equals", "sha256")
        members = self.members(value, path, known, scalars="absent or present")
        type_ = self.choice(members["type"], (*path, "type"), KEY_TYPES) if "type" in members else None
        bits = self.bits(members["minimum_bits"], (*path, "minimum_bits")) if "minimum_bits" in members else None
        if bits is not None and type_ not in {"rsa", "ec"}:
            hint = "write type: rsa or type: ec beside it"
            self.refuse((*path, "minimum_bits"), "sizes of keys of different types do not compare", hint)
        return KeyContent(
            type=type_,
            minimum_bits=bits,
            equals=self.hexadecimal(members["equals"], (*path, "equals")) if "equals" in members else None,
            sha256=self.sha256(members["sha256"], (*path, "sha256")) if "sha256" in members else None,
        )

    def json(self, value: object, path: Path) -> tuple[tuple[str, Scalar], ...]:
        found: list[tuple[str, Scalar]] = []
        for name, wanted in self.mapping(value, path).items():
            here = (*path, name)
            self.line(name, here)
            if wanted is not None and not isinstance(wanted, str | int):
                hint = "name the member inside it with a JSON Pointer, like /build/commit"
                self.refuse(here, f"not text, a whole number, true, false or null: {shown(wanted)}", hint)
            found.append((name, self.line(wanted, here) if isinstance(wanted, str) else wanted))
        if not found:
            self.refuse(path, "no member in it")
        return tuple(sorted(found, key=lambda member: member[0]))

    def roles(self, value: object, path: Path) -> tuple[str, ...]:
        return self.texts(value, path, self.role)

    def role(self, arn: str, path: Path) -> str:
        try:
            pcr.for_role(arn)
        except NitroctlError as error:
            self.refuse(path, error.message, error.hints[0])
        return arn

    def age(self, value: object, path: Path) -> timedelta:
        span = self.duration(value, path)
        if not span:
            self.refuse(path, "nothing is that young", "write 30s, 5m, 3h or 2d")
        return span


def _indexes(name: str) -> tuple[int, ...]:
    """Return the registers that ``PCR16`` or ``PCR16-PCR19`` names, none when it is neither."""
    single, several = _NAME.fullmatch(name), _RANGE.fullmatch(name)
    if single:
        return (int(single[1]),)
    return tuple(range(int(several[1]), int(several[2]) + 1)) if several and several[1] != several[2] else ()


def _set(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)
