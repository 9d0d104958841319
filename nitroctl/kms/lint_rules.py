"""What ``kms lint`` looks for: every rule's number, severity and what holds when it finds nothing.

Why a rule is there and what to do stands in :mod:`nitroctl.catalogue` under its id. Numbers are stable and never used
again. Source: KMS Developer Guide (condition keys for attestation, default key policy, grants); IAM condition operators
reference (absent keys, set operators).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nitroctl.kms.document import Statement


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    def reaches(self, threshold: "Severity") -> bool:
        """Whether it is as bad as ``threshold`` or worse."""
        order = list(Severity)
        return order.index(self) <= order.index(threshold)


@dataclass(frozen=True, slots=True)
class Rule:
    """``id``: dotted, as the catalogue has it. ``severity``: a finding's, at most. ``title``: true without one."""

    id: str
    severity: Severity
    title: str

    @property
    def number(self) -> str:
        """What people call it: ``KP001``."""
        return self.id.partition(".")[0].upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule found. ``detail``: what, without where. ``fix``: what to do here. ``statement``: None for the whole.

    ``line``: of what is to be changed, 0 when it is nowhere in the file. ``severity``: at most the rule's.
    """

    rule: Rule
    severity: Severity
    detail: str
    fix: str
    statement: Statement | None
    line: int


_C, _H, _M, _L, _I = Severity

RULES: Final[Mapping[str, Rule]] = {
    rule.number: rule
    for rule in (
        Rule("kp001.unattested-allow", _C, "whoever may use data must attest a named image"),
        Rule("kp002.root-delegation", _C, "no account's IAM policies can open the key without attestation"),
        Rule("kp003.wildcard-principal", _C, "nothing is allowed to everybody"),
        Rule("kp004.wildcard-action", _H, "no wildcard reaches an action on data"),
        Rule("kp005.create-grant", _C, "nobody can make a grant that goes past attestation"),
        Rule("kp006.reencrypt-from", _C, "nobody can re-encrypt to another key, which needs no attestation"),
        Rule("kp007.if-exists", _C, "no attestation condition holds when there is no attestation (IfExists)"),
        Rule("kp008.for-all-values", _C, "no attestation condition holds when there is no attestation (ForAllValues)"),
        Rule("kp009.negated-allow", _C, "every Allow says which image it is for, not which it is not for"),
        Rule("kp010.any-attestation", _C, "no Allow is content with just any attestation"),
        Rule("kp011.wildcard-value", _C, "registers are compared whole"),
        Rule("kp012.zero-register", _C, "no image register may be zero, as in debug mode"),
        Rule("kp013.no-image-register", _H, "whatever attests and is allowed is bound to its image"),
        Rule("kp014.signer-only", _H, "a signing certificate is not all that is asked of an image"),
        Rule("kp015.zero-binding", _H, "no Allow is for an unsigned image or a parent without a role"),
        Rule("kp016.no-placement", _L, "every attested Allow says where the image may run"),
        Rule("kp017.instance-bound", _L, "no Allow ends with one EC2 instance"),
        Rule("kp018.register-form", _H, "registers are written as 96 hexadecimal digits"),
        Rule("kp019.register-case", _M, "registers are lower case and compared without regard to case"),
        Rule("kp020.unknown-key", _H, "every attestation key is one that KMS knows"),
        Rule("kp021.unattested-action", _H, "attestation is asked for where KMS evaluates it"),
        Rule("kp022.generate-random", _L, "GenerateRandom, which has no key, is left to IAM"),
        Rule("kp023.image-conflict", _H, "PCR0 and ImageSha384 of a statement agree"),
        Rule("kp024.cross-product", _M, "registers of two releases cannot be mixed"),
        Rule("kp025.deny-all-differ", _H, "a Deny does not wait for several registers to differ at once"),
        Rule("kp026.deny-absent", _H, "what is denied to an attestation is denied without one too"),
        Rule("kp027.deny-scope", _H, "use without attestation is denied to everybody and for every attested action"),
        Rule("kp028.deny-locks-out", _C, "no Deny takes the policy out of everybody's hands"),
        Rule("kp029.inverted-element", _H, "principals, actions and resources are named, not excepted"),
        Rule("kp030.policy-writers", _H, "only those who are meant to can rewrite the policy"),
        Rule("kp031.separate-duties", _M, "nobody both uses data and decides who may"),
        Rule("kp032.lockout", _H, "somebody can change the policy"),
        Rule("kp033.deleted-principal", _M, "every principal is there"),
        Rule("kp034.dead-statement", _H, "every statement can match a request for this key"),
        Rule("kp035.size", _H, "the policy fits into what KMS takes"),
        Rule("kp036.text", _M, "characters, Sids and JSON keys are such as KMS takes"),
        Rule("kp037.encrypt-open", _M, "whoever prepares data is held to an encryption context"),
        Rule("kp038.no-encryption-context", _I, "decryption is held to an encryption context"),
        Rule("kp039.via-service", _H, "no AWS service uses data for somebody without attestation"),
        Rule("kp040.cross-account", _H, "no other account decides who uses the key"),
        Rule("kp041.key-usage", _H, "the key's operations are such as KMS evaluates attestation for"),
        Rule("kp042.key-origin", _M, "the key's material is known to KMS alone"),
        Rule("kp043.multi-region", _H, "no replica of the key has a policy of its own"),
        Rule("kp044.live-grants", _C, "no grant that exists goes past attestation"),
        Rule("kp045.ram-policy", _H, "the key has this policy and no other"),
        Rule("kp046.unrecorded-register", _H, "every register that is named belongs to an active record"),
        Rule("kp047.missing-release", _M, "every active record of the same releases is named"),
        Rule("kp048.tpm-command-line", _H, "a NitroTPM boot measurement is bound together with its command line"),
        Rule("kp049.tpm-constant", _I, "no NitroTPM register is bound that is the same for every image"),
        Rule("kp050.platform-mix", _H, "no Allow asks for an enclave and a NitroTPM at once"),
        Rule("kp051.version", _L, "the policy is of the version 2012-10-17"),
        Rule("kp052.lockout-bypass", _M, "the lockout check of KMS is left on"),
    )
}


def found(  # noqa: PLR0913  (what, what to do, where, and how bad)
    number: str,
    detail: str,
    fix: str,
    statement: Statement | None = None,
    *,
    line: int = 0,
    severity: Severity | None = None,
) -> Finding:
    """Return a finding of the rule ``number``; its line is the statement's and its severity the rule's if not given."""
    rule = RULES[number]
    return Finding(
        rule=rule,
        severity=severity or rule.severity,
        detail=detail,
        fix=fix,
        statement=statement,
        line=line or (statement.line if statement else 0),
    )
