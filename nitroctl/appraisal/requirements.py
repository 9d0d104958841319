"""What a policy can require beside reference values, kind, debug mode and freshness: each requirement its own check.

A check is made only when the policy asks for it; asked for and not answerable from the document, it fails.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from nitroctl import pcr, strict_json
from nitroctl.appraisal.policy import Content, KeyContent, Policy
from nitroctl.checks import Check
from nitroctl.errors import CannotAnswer
from nitroctl.evidence import contents
from nitroctl.evidence.certificate import Certificate
from nitroctl.evidence.derived import derive
from nitroctl.evidence.document import Document, Kind
from nitroctl.evidence.registers import unlocked
from nitroctl.evidence.rules import Rule

_POLICY: Final = "appraisal policy"
_GUIDE: Final = "Nitro Enclaves user guide"
REGISTERS: Final = Rule("appraisal.registers", "the registers beside the reference values are as wanted", _POLICY)
ROLE: Final = Rule(
    "appraisal.role", "the parent instance carries a wanted IAM role", f"{_GUIDE}: PCR3 is made from the role's ARN"
)
PARENT: Final = Rule(
    "appraisal.parent-instance",
    "PCR4 is that of the instance in the module id",
    f"{_GUIDE}: PCR4 is made from the instance id",
)
MODULE: Final = Rule("appraisal.module", "the module id is a wanted one", _POLICY)
INSTANCE: Final = Rule("appraisal.instance", "the instance is a wanted one", _POLICY)
REGION: Final = Rule("appraisal.region", "the certificates name a wanted region", _POLICY)
USER_DATA: Final = Rule("appraisal.user-data", "the user data is as wanted", _POLICY)
PUBLIC_KEY: Final = Rule("appraisal.public-key", "the public key is as wanted", _POLICY)

#: A requirement about registers, and one about where the document comes from: the rule and who judges it.
OfRegisters = tuple[Rule, Callable[[Document], Check]]
OfOrigin = tuple[Rule, Callable[[Document, Sequence[Certificate]], Check]]
#: Registers of an enclave that are always in its documents, and what it means when one is zero, that is, not present.
UNSET: Final = {
    3: "the parent instance has no IAM role",
    4: "it names no instance",
    8: "the image is not signed, or the enclave runs in debug mode",
}
_SHOWN_BYTES: Final = 64
_POSITION: Final = re.compile(r"0|[1-9][0-9]{0,5}")


def of_registers(policy: Policy) -> list[OfRegisters]:
    """Return the requirements about registers, which mean something only in a document of the policy's kind."""
    found: list[OfRegisters] = []
    if policy.registers:
        found.append((REGISTERS, lambda document: _registers(document, policy)))
    roles = policy.roles
    if roles is not None:
        found.append((ROLE, lambda document: _role(document, roles)))
    if policy.parent_instance:
        found.append((PARENT, _parent))
    return found


def of_origin(policy: Policy) -> list[OfOrigin]:
    """Return the requirements about where it comes from and what its code put there."""
    found: list[OfOrigin] = []
    modules, instances, regions = policy.module_ids, policy.instance_ids, policy.regions
    user_data, public_key = policy.user_data, policy.public_key
    if modules is not None:
        found.append((MODULE, lambda document, _: _module(document, modules)))
    if instances is not None:
        found.append((INSTANCE, lambda document, _: _instance(document, instances)))
    if regions is not None:
        found.append((REGION, lambda document, links: _region(document, links, regions)))
    if user_data is not None:
        found.append((USER_DATA, lambda document, _: held(USER_DATA, "user data", user_data, document.user_data)))
    if public_key is not None:
        found.append((PUBLIC_KEY, lambda document, _: held(PUBLIC_KEY, "public key", public_key, document.public_key)))
    return found


def _registers(document: Document, policy: Policy) -> Check:
    faults: list[tuple[int, str, str | None]] = []
    for rule in policy.registers:
        expected = " or ".join(value.hex() for value in rule.any_of) or None
        for index in rule.indexes:
            actual = document.pcrs.get(index)
            if actual is None:
                said = f"the document does not have {pcr.name(index)}{unlocked(policy.kind, index)}"
                faults.append((index, said, expected))
            elif rule.any_of:
                if actual not in rule.any_of:
                    faults.append((index, f"{pcr.name(index)} has another value", expected))
            elif policy.kind is Kind.ENCLAVE and index in UNSET and pcr.is_zero(actual):
                faults.append((index, f"{pcr.name(index)} is zero: {UNSET[index]}", None))
    if not faults:
        return REGISTERS.passed()
    index, _, expected = faults[0]
    value = document.pcrs.get(index)
    return REGISTERS.failed(
        "; ".join(detail for _, detail, _ in faults), expected=expected, actual=value.hex() if value else None
    )


def _role(document: Document, roles: Sequence[str]) -> Check:
    value = document.pcrs.get(3)
    for arn in roles:
        if value == pcr.for_role(arn):
            return ROLE.passed(arn)
    if value is None or pcr.is_zero(value):
        detail = "PCR3 is zero: the parent instance has no IAM role" if value else "the document has no PCR3"
    else:
        detail = (
            "PCR3 is that of another role" if len(roles) == 1 else f"PCR3 is that of none of the {len(roles)} roles"
        )
    return ROLE.failed(
        detail,
        expected=" or ".join(f"{pcr.for_role(arn).hex()} ({arn})" for arn in roles),
        actual=value.hex() if value else None,
        remedy="run the enclave on an instance with the role, or correct the policy's ARN",
    )


def _parent(document: Document) -> Check:
    instance_id = derive(document, ()).instance_id
    value = document.pcrs.get(4)
    if instance_id is None:
        return PARENT.failed(f"the module id does not name an instance: {document.module_id}")
    expected = pcr.for_instance(instance_id)
    if value == expected:
        return PARENT.passed(instance_id)
    return PARENT.failed(
        f"PCR4 is not the one made from {instance_id}" if value else "the document has no PCR4",
        expected=expected.hex(),
        actual=value.hex() if value else None,
    )


def _one_of(rule: Rule, what: str, actual: str | None, wanted: Collection[str]) -> Check:
    if actual in wanted:
        return rule.passed(str(actual))
    detail = f"the {what} is another" if actual else f"the document does not show the {what}"
    return rule.failed(detail, expected=" or ".join(sorted(wanted)), actual=actual)


def _module(document: Document, wanted: Collection[str]) -> Check:
    return _one_of(MODULE, "module id", document.module_id, wanted)


def _instance(document: Document, wanted: Collection[str]) -> Check:
    return _one_of(INSTANCE, "instance", derive(document, ()).instance_id, wanted)


def _region(document: Document, links: Sequence[Certificate], wanted: Collection[str]) -> Check:
    return _one_of(REGION, "region", derive(document, links).region, wanted)


def held(rule: Rule, what: str, wanted: Content, content: bytes | None) -> Check:
    """Judge bytes that enclave code chose. Empty is present, and neither absent nor enough for anything else."""
    if wanted.absent:
        return rule.passed("absent") if content is None else rule.failed(f"the {what} is not absent: {_sized(content)}")
    if not content:
        return rule.failed(f"the document has no {what}" if content is None else f"the {what} is present and empty")
    digest = hashlib.sha256(content).digest()
    if wanted.equals is not None and content != wanted.equals:
        return rule.failed(f"the {what} is another", expected=_hex(wanted.equals), actual=_hex(content))
    if wanted.sha256 is not None and digest != wanted.sha256:
        return rule.failed(f"the {what} has another SHA-256", expected=wanted.sha256.hex(), actual=digest.hex())
    if isinstance(wanted, KeyContent):
        return _key(rule, wanted, content)
    return _members(rule, what, wanted, content) if wanted.members else rule.passed(_sized(content))


def _members(rule: Rule, what: str, wanted: Content, content: bytes) -> Check:
    try:
        value = strict_json.parse(content.decode("utf-8"), where=f"the {what}")
    except UnicodeDecodeError:
        return rule.failed(f"the {what} is not JSON: not UTF-8 text")
    except CannotAnswer as error:
        return rule.failed(error.message)
    for name, expected in wanted.members:
        found = _member(value, name)
        if found is _ABSENT:
            return rule.failed(f"the {what} has no member {name}", expected=_written(expected))
        if type(found) is not type(expected) or found != expected:
            return rule.failed(
                f"the member {name} of the {what} is another", expected=_written(expected), actual=_written(found)
            )
    return rule.passed(f"{len(wanted.members)} of its members compared")


_ABSENT: Final = object()


def member_path(name: str) -> tuple[str, ...]:
    """Return the keys that ``name``, a name or a JSON Pointer (RFC 6901), leads through."""
    if not name.startswith("/"):
        return (name,)
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in name.split("/")[1:])


def _member(value: object, name: str) -> object:
    """Return the member of JSON ``value`` that ``name``, a name or a JSON Pointer, leads to."""
    for key in member_path(name):
        if isinstance(value, Mapping):
            value = value.get(key, _ABSENT)
        elif isinstance(value, list) and _POSITION.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            return _ABSENT
    return value


def _key(rule: Rule, wanted: KeyContent, content: bytes) -> Check:
    if not wanted.type and not wanted.minimum_bits:
        return rule.passed(_sized(content))
    key = contents.public_key(content)
    if key is None:
        return rule.failed(
            "the public key cannot be read as one",
            expected=_key_words(wanted),
            actual=_hex(content),
            remedy="the enclave should write a SubjectPublicKeyInfo in DER, or PEM",
        )
    kind = "ec" if key.kind.startswith("elliptic curve") else key.kind.lower()
    if wanted.type is not None and kind != wanted.type:
        return rule.failed("the public key is of another type", expected=_key_words(wanted), actual=key.name)
    if wanted.minimum_bits is not None and (key.bits or 0) < wanted.minimum_bits:
        return rule.failed("the public key is too small", expected=_key_words(wanted), actual=key.name)
    return rule.passed(key.name)


def _key_words(wanted: KeyContent) -> str:
    name = {"rsa": "RSA", "ec": "elliptic curve", "ed25519": "Ed25519", None: "any type"}[wanted.type]
    return f"{name}, at least {wanted.minimum_bits} bits" if wanted.minimum_bits else name


def _sized(content: bytes) -> str:
    return f"{len(content)} byte{'s' if len(content) != 1 else ''}"


def _hex(content: bytes) -> str:
    """Return bytes in hex; of many the SHA-256, which says as much in a comparison."""
    if len(content) <= _SHOWN_BYTES:
        return content.hex()
    return f"{len(content)} bytes with the SHA-256 {hashlib.sha256(content).hexdigest()}"


def _written(value: object) -> str:
    """Return a member's value as JSON writes it, an object or array only by its kind."""
    import json  # noqa: PLC0415  (only to show a difference)

    return "an object" if isinstance(value, Mapping) else "an array" if isinstance(value, list) else json.dumps(value)
