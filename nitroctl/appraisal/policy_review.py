"""A policy before it is used: what it requires in words, and whether it is one that can and should be used.

A review refuses what makes a policy useless (it cannot be read, accepts nothing, contradicts itself) and warns about
what makes it weaker than it looks.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from nitroctl import pcr
from nitroctl.appraisal import policy_text
from nitroctl.appraisal.appraise import duration, listed
from nitroctl.appraisal.policy import Content, KeyContent, Names, ReferenceValues
from nitroctl.appraisal.policy_canonical import range_name
from nitroctl.appraisal.policy_file import PolicyFile, form
from nitroctl.appraisal.policy_possible import contradictions
from nitroctl.appraisal.policy_values import TOLD, Fault
from nitroctl.appraisal.requirements import UNSET
from nitroctl.checks import Check, Report
from nitroctl.errors import NitroctlError, UsageError
from nitroctl.evidence.document import Kind
from nitroctl.evidence.roots import AWS_ROOTS
from nitroctl.evidence.rules import Rule, all_blocked

_SCHEMA: Final = "urn:nitroctl:appraisal-policy:1"
READABLE: Final = Rule("appraisal-policy.readable", "the file is one clear document", "RFC 8259; YAML 1.1 and 1.2")
FIELDS: Final = Rule("appraisal-policy.fields", "every field is known, and none is missing", _SCHEMA)
VALUES: Final = Rule("appraisal-policy.values", "every value has its form", _SCHEMA)
REFERENCES: Final = Rule("appraisal-policy.references", "there are reference values that accept", "RFC 9334, 4.2")
POSSIBLE: Final = Rule("appraisal-policy.possible", "no contradiction is seen in its requirements", _SCHEMA)
IMAGE: Final = Rule(
    "appraisal-policy.image",
    "every set says which image it is",
    "Nitro Enclaves and EC2 user guides: PCR0; PCR4, PCR12",
)
SIGNER: Final = Rule(
    "appraisal-policy.signer", "no set goes by the signer alone", "Nitro Enclaves and EC2 user guides: PCR8; PCR7"
)
INSTANCE: Final = Rule("appraisal-policy.instance", "no set names one instance", "Nitro Enclaves user guide: PCR4")
FRESHNESS: Final = Rule("appraisal-policy.freshness", "a new nonce is required", "RFC 9334, 10.2")
DEBUG: Final = Rule("appraisal-policy.debug", "debug mode is refused", "Nitro Enclaves user guide: debug mode")
AGE: Final = Rule("appraisal-policy.age", "the age is limited below the certificates'", "observed: leaves last 3 hours")
SKEW: Final = Rule("appraisal-policy.skew", "the clock's skew is small", "RFC 9334, 10.1")
ROOTS: Final = Rule("appraisal-policy.roots", "every root named is AWS's", "AWS's published root certificates")
_UNNAMED: Final = "no register in it names the image, so other images pass: {}"
_UNNAMED_BOOT: Final = (
    "neither PCR4 with PCR12 nor PCR7 of Secure Boot is in it, so other images, or another command line, pass: {}"
)
_OF_FIELDS: Final = ("appraisal-policy.field", "appraisal-policy.schema")
_LATER: Final = (REFERENCES, POSSIBLE)
_RECORD: Final = "record the image as active: nitroctl pcr record --help"
_LEAF_LIFE: Final = timedelta(hours=3)
_SKEW: Final = timedelta(minutes=10)
_INSTANCE_REGISTER: Final = 4

#: Reads the ledger a policy names: its active entries as reference values. Raises NitroctlError.
Ledger = Callable[[PolicyFile], Sequence[ReferenceValues]]


def review(path: str, ledger: Ledger) -> tuple[Report, PolicyFile | None]:
    """Review the policy file ``path``. Raises what opening it does: a file that is not there is no bad policy."""
    try:
        text = policy_text.read(path)
    except UsageError:
        raise
    except NitroctlError as error:
        if error.code.startswith("file.") and error.code != "file.not-utf8":
            raise
        unreadable = READABLE.failed(error.message.removeprefix(f"{path}: "), remedy="; ".join(error.hints) or None)
        return Report.of([unreadable, *all_blocked((FIELDS, VALUES, *_LATER), READABLE.id)]), None
    found, faults = form(text, where=path)
    fields = [fault for fault in faults if fault.code in _OF_FIELDS]
    values = [fault for fault in faults if fault.code not in _OF_FIELDS]
    checks = [READABLE.passed(), _formed(FIELDS, fields), _formed(VALUES, values)]
    if found is None:
        return Report.of([*checks, *all_blocked(_LATER, FIELDS.id if fields else VALUES.id)]), None
    recorded, references = _references(found, ledger)
    sets = (*found.policy.accepted, *recorded)
    return Report.of([*checks, references, _possible(found, sets), *_weaknesses(found, sets)]), found


def _formed(rule: Rule, faults: Sequence[Fault]) -> Check:
    if not faults:
        return rule.passed()
    hints = dict.fromkeys(fault.hint for fault in faults[:TOLD] if fault.hint)
    detail = _listed([f"{fault.place}{fault.message}" for fault in faults])
    return rule.failed(detail, remedy="; ".join(hints) or None)


def _listed(faults: Sequence[str]) -> str:
    """Return faults as one sentence: the first of them, and how many more there are."""
    told = "; ".join(faults[:TOLD])
    return f"{told}; and {len(faults) - TOLD} more" if len(faults) > TOLD else told


def _references(found: PolicyFile, ledger: Ledger) -> tuple[Sequence[ReferenceValues], Check]:
    inline = len(found.policy.accepted)
    if found.records is None:
        if inline:
            return (), REFERENCES.passed(_counted(inline, "set in the policy", "sets in the policy"))
        return (), REFERENCES.failed(
            "there are none, and without them nothing is acceptable",
            remedy="name the ledger under references, records, file; or write sets under references, any_of",
        )
    try:
        recorded = ledger(found)
        replace(found.policy, accepted=tuple(recorded))  # refuses those that anything satisfies
    except NitroctlError as error:
        remedy = _RECORD if error.code == "records.missing" else "; ".join(error.hints) or None
        return (), REFERENCES.failed(error.message, remedy=remedy)
    sets = f"{_counted(len(recorded), 'active entry', 'active entries')} of {found.records_path}"
    if not recorded and not inline:
        wanted = " ".join(name for name in (found.records.component, found.records.environment) if name)
        which = f" for {wanted}" if wanted else ""
        return (), REFERENCES.failed(f"no active entry{which} in {found.records_path}", remedy=_RECORD)
    inline_text = f", {_counted(inline, 'set in the policy', 'sets in the policy')}" if inline else ""
    return recorded, REFERENCES.passed(f"{sets}{inline_text}")


def _possible(found: PolicyFile, sets: Sequence[ReferenceValues]) -> Check:
    return POSSIBLE.of(_listed(contradictions(found.policy, found.roots, sets)) or None)


def _weaknesses(found: PolicyFile, sets: Sequence[ReferenceValues]) -> list[Check]:
    policy = found.policy
    enclave = policy.kind == "enclave"
    unnamed = [each.label for each in sets if each.names(policy.kind) is Names.NOTHING]
    signed = [each.label for each in sets if each.names(policy.kind) is Names.SIGNER]
    placed = [each.label for each in sets if enclave and _INSTANCE_REGISTER in each.pcrs]
    foreign = [root for root in found.roots or () if root not in {known.fingerprint for known in AWS_ROOTS}]
    return [
        _warned(IMAGE, unnamed, _UNNAMED if enclave else _UNNAMED_BOOT),
        _warned(SIGNER, signed, "every image signed with the key passes, older ones too: {}"),
        _warned(INSTANCE, placed, "it holds for one instance, and not for the one that replaces it: {}"),
        _freshness(found),
        DEBUG.warned("debug mode is allowed: then no image is attested and the console is open")
        if policy.allow_debug
        else DEBUG.passed(),
        AGE.warned(f"max_age is {duration(policy.max_age)}: the certificate ends after 3 h")
        if policy.max_age is not None and policy.max_age >= _LEAF_LIFE
        else AGE.passed(),
        SKEW.warned(f"documents from {duration(policy.clock_skew)} in the future are accepted")
        if policy.clock_skew > _SKEW
        else SKEW.passed(),
        _warned(ROOTS, foreign, "not AWS's, so accepted only with --root: {}"),
    ]


def _warned(rule: Rule, labels: Sequence[str], detail: str) -> Check:
    return rule.warned(detail.format(", ".join(labels))) if labels else rule.passed()


def _freshness(found: PolicyFile) -> Check:
    policy = found.policy
    remedy = "write nonce: {required: true}, and give --nonce with every request"
    if policy.nonce is not None:
        return FRESHNESS.warned("the nonce is fixed: a document that carries it can be played again", remedy=remedy)
    if policy.nonce_required:
        return FRESHNESS.passed()
    until = f" for {duration(policy.max_age)}" if policy.max_age is not None else " as long as its certificate holds"
    return FRESHNESS.warned(f"no nonce is required: a document can be played again{until}", remedy=remedy)


def _counted(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def words(found: PolicyFile) -> list[tuple[str, str]]:
    """Return what the policy requires, a label and a sentence for each requirement."""
    policy = found.policy
    enclave = policy.kind == "enclave"
    rows = [("kind", {"enclave": "a Nitro Enclave", "nitrotpm": "a NitroTPM of an EC2 instance"}[policy.kind.value])]
    rows += [("reference values", text) for text in _reference_words(found)]
    for rule in policy.registers:
        values = " or ".join(value.hex() for value in rule.any_of) or _present(rule.indexes, policy.kind)
        rows.append((range_name(rule.indexes), f"each is {values}" if len(rule.indexes) > 1 else values))
    if enclave:
        rows.append(("debug mode", "allowed: then no image is attested" if policy.allow_debug else "refused"))
    lists = (
        ("module id", policy.module_ids),
        ("instance", policy.instance_ids),
        ("region", policy.regions),
        ("partition", policy.partitions),
        ("role, by PCR3", policy.roles),
    )
    rows += [(label, " or ".join(sorted(each))) for label, each in lists if each is not None]
    rows += [("PCR4", "the one made from the instance id in the module id")] if policy.parent_instance else []
    if policy.nonce is not None:
        rows.append(("nonce", policy.nonce.hex()))
    elif policy.nonce_required:
        rows.append(("nonce", "the one given with --nonce, without which nothing is acceptable"))
    rows += [(label, _content_words(each)) for label, each in _contents(found) if each is not None]
    if policy.max_age is not None:
        rows.append(("age", f"at most {duration(policy.max_age)}"))
    rows.append(("clock skew", f"at most {duration(policy.clock_skew)} in the future"))
    rows.append(("root", " or ".join(_root_name(root) for root in found.roots) if found.roots else "AWS's, any"))
    rows += (
        [("format", "strict: AWS's published text, where AWS's own documents depart from it")] if found.strict else []
    )
    return rows


def _present(indexes: Sequence[int], kind: Kind) -> str:
    """Return what it means that registers are present."""
    if kind is not Kind.ENCLAVE:
        return "present"
    unset = [index for index in indexes if index in UNSET]
    if len(unset) == len(indexes):
        return "present and not zero"
    return "present, that is, locked" + (f", and {listed(unset)} not zero" if unset else "")


def _reference_words(found: PolicyFile) -> list[str]:
    texts = []
    if found.records:
        only = [text for text in (found.records.component, found.records.environment) if text]
        texts.append(f"the active entries{' of ' + ' in '.join(only) if only else ''} in {found.records_path}")
    for each in found.policy.accepted:
        texts.append(f"{each.label}: {', '.join(pcr.name(index) for index in sorted(each.pcrs))}")  # noqa: PERF401
    return texts or ["none: nothing is acceptable"]


def _contents(found: PolicyFile) -> list[tuple[str, Content | None]]:
    return [("user data", found.policy.user_data), ("public key", found.policy.public_key)]


def _content_words(content: Content) -> str:
    if content.absent:
        return "absent"
    parts = []
    if isinstance(content, KeyContent) and content.type:
        parts.append({"rsa": "RSA", "ec": "elliptic curve", "ed25519": "Ed25519"}[content.type])
        parts += [f"at least {content.minimum_bits} bits"] if content.minimum_bits else []
    parts += [f"exactly {content.equals.hex()}"] if content.equals is not None else []
    parts += [f"with the SHA-256 {content.sha256.hex()}"] if content.sha256 is not None else []
    parts += [f"JSON whose {name} is {_json(value)}" for name, value in content.members]
    return ", ".join(parts) or "present"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _root_name(fingerprint: str) -> str:
    name = next((root.name for root in AWS_ROOTS if root.fingerprint == fingerprint), "with --root, the one")
    return f"{name}, SHA-256 {fingerprint}"
