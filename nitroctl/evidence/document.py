"""The attestation document: parsed by the published format, every rule its own check.

Two profiles. By default what AWS really signs beside its own text is accepted: null for absent is noted, since every
document has it; what is rare (nonces beyond 512 bytes, an empty public key, a field that no text names) is warned
about. The strict profile holds to the published text and refuses each of these. Whatever else is wrong is refused in
both. Parsing stops where going on would mean guessing; the rules not reached say what blocked them.
Source: attestation_process.md of the NSM API, 2.2 and 3.2; EC2 user guide, "NitroTPM attestation document".
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from nitroctl import pcr
from nitroctl.checks import Check, Outcome, Report
from nitroctl.evidence import cbor, cose, rules
from nitroctl.evidence.cose import Envelope, described

#: The NSM's driver ends a response at 12 KiB; nothing genuine is larger.
MAX_BYTES: Final = 32 * 1024
_MAX_CERTIFICATE: Final = 1024
_MAX_BUNDLE: Final = 10
_MAX_REGISTERS: Final = 32
_PUBLISHED: Final = 512
_PUBLISHED_ELSEWHERE: Final = 1024
_LAST_MILLISECOND: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CBOR_PASSED: Final = tuple(rule.passed() for rule in rules.CBOR_RULES)
_OPTIONAL: Final = ("public_key", "user_data", "nonce")
_KNOWN: Final = frozenset(
    {"module_id", "digest", "timestamp", "pcrs", "nitrotpm_pcrs", "certificate", "cabundle", *_OPTIONAL}
)


class Kind(StrEnum):
    """Whose document it is."""

    ENCLAVE = "enclave"
    NITROTPM = "nitrotpm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a well-formed document says. Nothing here is verified: that is :func:`nitroctl.evidence.verify.verify`.

    ``timestamp``: milliseconds since 1970. ``pcrs``: 48 bytes each. ``cabundle``: root first, DER. The optional
    fields are None when absent or null, and empty bytes when present and empty.
    """

    kind: Kind
    module_id: str
    timestamp: int
    pcrs: Mapping[int, bytes]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None

    @property
    def time(self) -> datetime:
        """When the document says it was made, UTC."""
        return _EPOCH + timedelta(milliseconds=self.timestamp)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates in DER, root first, the one that signs the document last."""
        return (*self.cabundle, self.certificate)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The format checks, the envelope when there is one, and the document when each of its fields can be read.

    A document may be here although the report's verdict is FAIL (a wrong header, say): for people to look at.
    """

    report: Report
    envelope: Envelope | None = None
    document: Document | None = None


def parse(data: bytes, *, strict: bool = False) -> Parsed:
    """Hold ``data``, the CBOR of a document, against the published format. Never raises for bad content.

    ``strict``: refuse what departs from the published text, although AWS signs such documents.
    """
    if len(data) > MAX_BYTES:
        size = rules.CBOR_SIZE.failed(f"the document has {len(data)} bytes; a genuine one has at most 12288")
        return _stopped([size], size)
    try:
        scanned = cbor.scan(data, leading_tag=True)
        envelope_checks, envelope = cose.open_envelope(scanned)
        failed = [check for check in envelope_checks if check.outcome is Outcome.FAIL]
        if envelope is None or rules.COSE_PAYLOAD_SIZE.id in {check.id for check in failed}:
            reached = "in the envelope; the payload was not looked at"
            stopped = [*(rule.passed(reached) for rule in rules.CBOR_RULES), *envelope_checks]
            return _stopped(stopped, failed[0])
        payload = _payload(envelope)
    except cbor.CborFault as fault:
        return _cbor_refused(fault)
    checks = [*_CBOR_PASSED, *envelope_checks]
    if type(payload) is not dict or any(type(key) is not str for key in payload):
        what = described(payload) if type(payload) is not dict else "a map with keys that are not text"
        wrong = rules.DOCUMENT_MAP.failed(f"the payload is {what}")
        return _stopped([*checks, wrong], wrong)
    field_checks, document = _read(payload, strict=strict)
    return Parsed(Report.of([*checks, *field_checks]), envelope, document)


def _payload(envelope: Envelope) -> Any:  # noqa: ANN401  (whatever it is)
    try:
        return cbor.scan(envelope.payload).value
    except cbor.CborFault as fault:
        offset = envelope.payload_offset + fault.offset
        raise cbor.CborFault(fault.rule, offset, f"{fault.message}, in the payload") from fault


def _cbor_refused(fault: cbor.CborFault) -> Parsed:
    """Report the one rule of CBOR that is broken; the others were not looked at to the end."""
    refused = fault.rule.failed(f"byte {fault.offset}: {fault.message}")
    checks = [
        refused
        if rule is fault.rule
        else rules.CBOR_SIZE.passed()
        if rule is rules.CBOR_SIZE
        else rule.blocked(refused.id)
        for rule in rules.CBOR_RULES
    ]
    return _stopped(checks, refused)


def _stopped(checks: list[Check], by: Check) -> Parsed:
    """Return the checks made so far and every later rule of the format as blocked."""
    made = {check.id for check in checks}
    later = (*rules.CBOR_RULES, *rules.COSE_RULES, *rules.DOCUMENT_RULES)
    return Parsed(Report.of([*checks, *(rule.blocked(by.id) for rule in later if rule.id not in made)]))


def _read(payload: dict[str, Any], *, strict: bool) -> tuple[list[Check], Document | None]:
    """Judge every field on its own; the document when no rule is broken."""
    kind, kind_check = _kind(payload)
    registers = payload.get("pcrs" if kind is Kind.ENCLAVE else "nitrotpm_pcrs")
    checks = [
        rules.DOCUMENT_MAP.passed(),
        kind_check,
        rules.DOCUMENT_MODULE_ID.of(_module_id_fault(payload)),
        _digest(payload),
        rules.DOCUMENT_TIMESTAMP.of(_timestamp_fault(payload)),
        *_registers(registers, known=kind is not None),
        rules.DOCUMENT_CERTIFICATE.of(_certificate_fault(payload.get("certificate", ...), "the certificate")),
        rules.DOCUMENT_CABUNDLE.of(_bundle_fault(payload.get("cabundle", ...))),
        *(_optional(rule, name, payload) for rule, name in _OPTIONAL_RULES),
    ]
    readable = all(check.outcome is Outcome.PASS for check in checks)
    checks += _deviations(payload, strict=strict)
    if kind is None or not readable:
        return checks, None
    return checks, Document(
        kind=kind,
        module_id=payload["module_id"],
        timestamp=payload["timestamp"],
        pcrs=dict(sorted(registers.items())) if registers else {},
        certificate=payload["certificate"],
        cabundle=tuple(payload["cabundle"]),
        public_key=payload.get("public_key"),
        user_data=payload.get("user_data"),
        nonce=payload.get("nonce"),
    )


_OPTIONAL_RULES: Final = (
    (rules.DOCUMENT_PUBLIC_KEY, "public_key"),
    (rules.DOCUMENT_USER_DATA, "user_data"),
    (rules.DOCUMENT_NONCE, "nonce"),
)


def _kind(payload: dict[str, Any]) -> tuple[Kind | None, Check]:
    """Tell an enclave's document from a NitroTPM's; PCR numbers mean other things in each, so doubt is refusal."""
    rule = rules.DOCUMENT_KIND
    enclave, tpm = "pcrs" in payload, "nitrotpm_pcrs" in payload
    if enclave and tpm:
        return None, rule.failed("it has both pcrs and nitrotpm_pcrs")
    if not enclave and not tpm:
        looks = "; pubkey is how Huawei's QingTian enclaves write it" if "pubkey" in payload else ""
        return None, rule.failed(f"it has neither pcrs nor nitrotpm_pcrs{looks}")
    kind = Kind.ENCLAVE if enclave else Kind.NITROTPM
    module_id = payload.get("module_id")
    other = "-tpm" if kind is Kind.ENCLAVE else "-enc"
    if isinstance(module_id, str) and other in module_id:
        field = "pcrs" if enclave else "nitrotpm_pcrs"
        return None, rule.failed(f"it has {field}, but its module id is of the other kind: {module_id}")
    return kind, _OF_KIND[kind]


_OF_KIND: Final = {kind: rules.DOCUMENT_KIND.passed(f"{kind.value} document") for kind in Kind}


def _module_id_fault(payload: dict[str, Any]) -> str | None:
    value = payload.get("module_id")
    if type(value) is not str:
        return f"module_id is {described(payload.get('module_id', ...))}"
    return None if value else "module_id is empty"


def _digest(payload: dict[str, Any]) -> Check:
    value = payload.get("digest")
    if value == "SHA384":
        return rules.DOCUMENT_DIGEST.passed()
    actual = value if isinstance(value, str) else described(payload.get("digest", ...))
    return rules.DOCUMENT_DIGEST.failed("the digest is another", expected="SHA384", actual=actual)


def _timestamp_fault(payload: dict[str, Any]) -> str | None:
    value = payload.get("timestamp")
    if type(value) is not int:
        return f"timestamp is {described(payload.get('timestamp', ...))}"
    if value <= 0:
        return f"timestamp is {value}"
    return None if value <= _LAST_MILLISECOND else f"timestamp is {value}, after the year 9999"


def _registers(registers: Any, *, known: bool) -> list[Check]:  # noqa: ANN401
    made = (rules.DOCUMENT_PCRS, rules.DOCUMENT_PCR_INDEXES, rules.DOCUMENT_PCR_SIZES)
    if not known:
        return rules.all_blocked(made, rules.DOCUMENT_KIND.id)
    fault = None
    if type(registers) is not dict:
        fault = f"the registers are {described(registers)}, not a map"
    elif not 1 <= len(registers) <= _MAX_REGISTERS:
        fault = f"there are {len(registers)} registers"
    if fault:
        return [rules.DOCUMENT_PCRS.failed(fault), *rules.all_blocked(made[1:], rules.DOCUMENT_PCRS.id)]
    indexes = [key for key in registers if type(key) is not int or not 0 <= key < _MAX_REGISTERS]
    sizes = [key for key, value in registers.items() if type(value) is not bytes or len(value) != pcr.PCR_BYTES]
    return [
        rules.DOCUMENT_PCRS.passed(),
        rules.DOCUMENT_PCR_INDEXES.of(f"there is a register {indexes[0]!r}" if indexes else None),
        rules.DOCUMENT_PCR_SIZES.of(_size_fault(sizes[0], registers[sizes[0]]) if sizes else None),
    ]


def _size_fault(index: object, value: object) -> str:
    return f"register {index!r} is {_sized(value)}"


def _certificate_fault(value: object, name: str) -> str | None:
    if type(value) is not bytes or not 1 <= len(value) <= _MAX_CERTIFICATE:
        return f"{name} is {_sized(value)}"
    return None


def _bundle_fault(value: Any) -> str | None:  # noqa: ANN401
    if type(value) is not list:
        return f"the bundle is {described(value)}, not an array"
    if not 1 <= len(value) <= _MAX_BUNDLE:
        return f"the bundle has {len(value)} certificates"
    faults = (_certificate_fault(item, f"certificate {number} of the bundle") for number, item in enumerate(value, 1))
    return next((fault for fault in faults if fault), None)


def _optional(rule: rules.Rule, name: str, payload: dict[str, Any]) -> Check:
    value = payload.get(name)
    return rule.of(None if value is None or type(value) is bytes else f"{name} is {described(value)}")


def _deviations(payload: dict[str, Any], *, strict: bool) -> list[Check]:
    """Judge where the document departs from AWS's text in a way that AWS's own documents do, or may do one day."""
    nulls = tuple([name for name in _OPTIONAL if name in payload and payload[name] is None])
    lengths = [text for name in _OPTIONAL if (text := _length_remark(name, payload.get(name)))]
    unknown = payload.keys() - _KNOWN
    fields = f"unknown fields, not interpreted: {', '.join(sorted(unknown))}" if unknown else ""
    return [
        _nulls(nulls, strict=strict),
        _deviation(rules.DOCUMENT_LENGTHS, "; ".join(lengths), strict=strict),
        _deviation(rules.DOCUMENT_FIELDS, fields, strict=strict),
    ]


@functools.cache
def _nulls(nulls: tuple[str, ...], *, strict: bool) -> Check:
    """Judge null in place of absent; every genuine document has all nine fields, so by default it is only noted."""
    if not nulls:
        return rules.DOCUMENT_NULLS.passed()
    detail = f"{', '.join(nulls)}: null in place of absent"
    return rules.DOCUMENT_NULLS.failed(detail) if strict else rules.DOCUMENT_NULLS.passed(f"{detail}, as AWS writes it")


def _deviation(rule: rules.Rule, detail: str, *, strict: bool) -> Check:
    if not detail:
        return rule.passed()
    return rule.failed(detail) if strict else rule.warned(detail)


def _length_remark(name: str, value: object) -> str | None:
    if type(value) is not bytes:
        return None
    size = len(value)
    if size > _PUBLISHED_ELSEWHERE:
        return f"{name} has {size} bytes, beyond every length AWS has published (512, elsewhere 1024)"
    if name == "public_key":
        return None if size else "public_key is empty; AWS's text asks for at least one byte"
    return f"{name} has {size} bytes; AWS publishes 512 in one place and 1024 in another" if size > _PUBLISHED else None


def _sized(value: object) -> str:
    return f"{len(value)} bytes" if type(value) is bytes else described(value)
