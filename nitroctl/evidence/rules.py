"""The rules an attestation document is held against: one id, one statement, one source each.

A rule makes its own checks, so that an id has the same title and source wherever it is looked at. Titles are true
when the check passes. Order here is the order of a report.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from nitroctl.checks import Check, Outcome, blocked

_PROCESS: Final = "AWS Nitro Enclaves NSM API, attestation_process.md"
_FIELDS: Final = f"{_PROCESS}, 3.2.2.2"
_SEMANTIC: Final = f"{_PROCESS}, 3.2.3"
_HABIT: Final = "observed in every AWS-signed document known to us; not documented by AWS"


@dataclass(frozen=True, slots=True)
class Rule:
    """One property of a document; makes the checks that say what became of it."""

    id: str
    title: str
    source: str
    _passed: Check = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the check of the common case once."""
        object.__setattr__(
            self, "_passed", Check(id=self.id, title=self.title, outcome=Outcome.PASS, source=self.source)
        )

    def passed(self, detail: str = "") -> Check:
        """Return that the rule holds."""
        if not detail:
            return self._passed
        return Check(id=self.id, title=self.title, outcome=Outcome.PASS, detail=detail, source=self.source)

    def failed(
        self, detail: str, *, expected: str | None = None, actual: str | None = None, remedy: str | None = None
    ) -> Check:
        """Return that the rule does not hold; ``detail`` is the sentence a report can quote."""
        return Check(
            id=self.id,
            title=self.title,
            outcome=Outcome.FAIL,
            detail=detail,
            expected=expected,
            actual=actual,
            remedy=remedy,
            source=self.source,
        )

    def warned(
        self, detail: str, *, expected: str | None = None, actual: str | None = None, remedy: str | None = None
    ) -> Check:
        """Return that something is worth knowing which does not weigh in the verdict."""
        return Check(
            id=self.id,
            title=self.title,
            outcome=Outcome.WARN,
            detail=detail,
            expected=expected,
            actual=actual,
            remedy=remedy,
            source=self.source,
            required=False,
        )

    def unknown(self, detail: str) -> Check:
        """Return that nothing could be looked at: the document, or what was asked, does not show what it is about."""
        return Check(
            id=self.id,
            title=self.title,
            outcome=Outcome.SKIP,
            detail=f"not checked: {detail}",
            source=self.source,
            required=False,
        )

    def blocked(self, by: str) -> Check:
        """Return that the rule was not looked at because the check ``by`` did not pass."""
        return blocked(self.id, self.title, by, source=self.source)

    def of(self, fault: str | None) -> Check:
        """Return passed, or failed with ``fault`` as the detail."""
        return self._passed if fault is None else self.failed(fault)


def all_blocked(rules: Iterable[Rule], by: str) -> list[Check]:
    """Return that none of ``rules`` was looked at because the check ``by`` did not pass."""
    return [rule.blocked(by) for rule in rules]


_RFC8949: Final = "RFC 8949"
CBOR_SIZE: Final = Rule("cbor.size", "the document is at most 32 KiB", "NSM driver: responses end at 12 KiB")
CBOR_COMPLETE: Final = Rule("cbor.complete", "every CBOR item ends inside the document", f"{_RFC8949}, 3")
CBOR_TYPES: Final = Rule(
    "cbor.types", "only integers, strings, arrays, maps, booleans and null occur", f"{_RFC8949}, 3.1, 3.3"
)
CBOR_TAGS: Final = Rule("cbor.tags", "there is no tag but one leading 18", "RFC 9052, 2")
CBOR_SHORTEST_HEADS: Final = Rule("cbor.shortest-heads", "every length is written the shortest way", f"{_RFC8949}, 4.1")
CBOR_DEFINITE_STRINGS: Final = Rule("cbor.definite-strings", "no string is cut into chunks", f"{_RFC8949}, 3.2.3")
CBOR_UNIQUE_KEYS: Final = Rule("cbor.unique-keys", "no map has the same key twice", f"{_RFC8949}, 5.6")
CBOR_BOUNDS: Final = Rule("cbor.bounds", "nesting and number of items are bounded", f"{_RFC8949}, 10")
CBOR_TRAILING_BYTES: Final = Rule("cbor.trailing-bytes", "nothing follows the last item", f"{_RFC8949}, 5.3.1")
CBOR_RULES: Final = (
    CBOR_SIZE,
    CBOR_COMPLETE,
    CBOR_TYPES,
    CBOR_TAGS,
    CBOR_SHORTEST_HEADS,
    CBOR_DEFINITE_STRINGS,
    CBOR_UNIQUE_KEYS,
    CBOR_BOUNDS,
    CBOR_TRAILING_BYTES,
)

COSE_SHAPE: Final = Rule("cose.shape", "it is a COSE_Sign1: header, header map, payload and signature", "RFC 9052, 4.2")
COSE_PROTECTED_HEADER: Final = Rule(
    "cose.protected-header", "the protected header names the algorithm and nothing else", f"{_PROCESS}, 2.1"
)
COSE_ALGORITHM: Final = Rule("cose.algorithm", "the algorithm is ES384", f"{_PROCESS}, 2.1")
COSE_UNPROTECTED_EMPTY: Final = Rule("cose.unprotected-empty", "the unprotected header is empty", f"{_PROCESS}, 2.1")
COSE_PAYLOAD_SIZE: Final = Rule("cose.payload-size", "the payload has 1 to 16384 bytes", f"{_PROCESS}, 3.2.1")
COSE_SIGNATURE_SIZE: Final = Rule("cose.signature-size", "the signature has 96 bytes, r and s", "RFC 9053, 2.1")
COSE_RULES: Final = (
    COSE_SHAPE,
    COSE_PROTECTED_HEADER,
    COSE_ALGORITHM,
    COSE_UNPROTECTED_EMPTY,
    COSE_PAYLOAD_SIZE,
    COSE_SIGNATURE_SIZE,
)

DOCUMENT_MAP: Final = Rule("document.map", "the payload is a map with text keys", _FIELDS)
DOCUMENT_KIND: Final = Rule("document.kind", "it is of one kind: an enclave's or a NitroTPM's", _FIELDS)
DOCUMENT_MODULE_ID: Final = Rule("document.module-id", "the module id is a text that is not empty", _FIELDS)
DOCUMENT_DIGEST: Final = Rule("document.digest", "the digest is SHA384", _FIELDS)
DOCUMENT_TIMESTAMP: Final = Rule("document.timestamp", "the timestamp is milliseconds since 1970", _FIELDS)
DOCUMENT_PCRS: Final = Rule("document.pcrs", "the registers are a map of 1 to 32 entries", _FIELDS)
DOCUMENT_PCR_INDEXES: Final = Rule("document.pcr-indexes", "register indexes are 0 to 31", _FIELDS)
DOCUMENT_PCR_SIZES: Final = Rule("document.pcr-sizes", "every register has the 48 bytes of SHA-384", _FIELDS)
DOCUMENT_CERTIFICATE: Final = Rule("document.certificate", "the certificate is 1 to 1024 bytes", _FIELDS)
DOCUMENT_CABUNDLE: Final = Rule("document.cabundle", "the bundle is 1 to 10 items of 1 to 1024 bytes", _FIELDS)
DOCUMENT_PUBLIC_KEY: Final = Rule("document.public-key", "the public key is bytes or absent", _FIELDS)
DOCUMENT_USER_DATA: Final = Rule("document.user-data", "the user data is bytes or absent", _FIELDS)
DOCUMENT_NONCE: Final = Rule("document.nonce", "the nonce is bytes or absent", _FIELDS)
DOCUMENT_NULLS: Final = Rule(
    "document.nulls", "null stands only where AWS writes it for an absent field", f"{_FIELDS}: no field may be null"
)
DOCUMENT_LENGTHS: Final = Rule("document.lengths", "optional fields keep to the published lengths", _FIELDS)
DOCUMENT_FIELDS: Final = Rule("document.fields", "every field is one that AWS has published", f"{_PROCESS}, 2.2")
#: In the order in which they are made.
DOCUMENT_RULES: Final = (
    DOCUMENT_MAP,
    DOCUMENT_KIND,
    DOCUMENT_MODULE_ID,
    DOCUMENT_DIGEST,
    DOCUMENT_TIMESTAMP,
    DOCUMENT_PCRS,
    DOCUMENT_PCR_INDEXES,
    DOCUMENT_PCR_SIZES,
    DOCUMENT_CERTIFICATE,
    DOCUMENT_CABUNDLE,
    DOCUMENT_PUBLIC_KEY,
    DOCUMENT_USER_DATA,
    DOCUMENT_NONCE,
)

_RFC5280: Final = "RFC 5280"
CHAIN_DER: Final = Rule("chain.der", "every certificate is one X.509 v3 certificate in DER", f"{_RFC5280}, 4.1")
CHAIN_ROOT_PINNED: Final = Rule("chain.root-pinned", "the bundle begins with an accepted root", f"{_SEMANTIC}: root")
CHAIN_NAMES: Final = Rule(
    "chain.names", "every issuer is the certificate before it, by name", f"{_RFC5280}, 6.1.3 (a)(4)"
)
CHAIN_ALGORITHMS: Final = Rule(
    "chain.algorithms", "every certificate is signed with ecdsa-with-SHA384", "RFC 5758, 3.2; RFC 5280, 4.1.1.2"
)
CHAIN_KEYS: Final = Rule("chain.keys", "every key is an uncompressed P-384 point", "RFC 5480, 2")
CHAIN_SIGNATURES: Final = Rule(
    "chain.signatures", "every certificate is signed by the one before it", f"{_RFC5280}, 6.1.3 (a)(1)"
)
CHAIN_EXTENSIONS: Final = Rule("chain.extensions", "extensions can be read and occur once", f"{_RFC5280}, 4.2")
CHAIN_CRITICAL_EXTENSIONS: Final = Rule(
    "chain.critical-extensions", "no critical extension is one we do not process", f"{_RFC5280}, 6.1.4 (o)"
)
CHAIN_CA: Final = Rule("chain.ca", "every issuer is a certificate authority", f"{_SEMANTIC}; RFC 5280, 6.1.4 (k)")
CHAIN_CA_KEY_USAGE: Final = Rule(
    "chain.ca-key-usage", "every issuer may sign certificates", f"{_SEMANTIC}; RFC 5280, 6.1.4 (n)"
)
CHAIN_PATH_LENGTH: Final = Rule(
    "chain.path-length", "no path is longer than its authorities allow", f"{_SEMANTIC}; RFC 5280, 6.1.4 (m)"
)
CHAIN_LEAF: Final = Rule("chain.leaf", "the last certificate is not an authority", f"{_SEMANTIC}: leaf")
CHAIN_LEAF_KEY_USAGE: Final = Rule(
    "chain.leaf-key-usage", "the last certificate may sign data, and no certificates or lists", f"{_SEMANTIC}: leaf"
)
CHAIN_DOCUMENT_TIME: Final = Rule(
    "chain.document-time", "the document's time lies inside every certificate's period", f"{_SEMANTIC}: validity"
)
CHAIN_BEGUN: Final = Rule("chain.begun", "every certificate's period has begun", f"{_RFC5280}, 6.1.3 (a)(2)")
CHAIN_UNEXPIRED: Final = Rule("chain.unexpired", "no certificate's period has ended", f"{_RFC5280}, 6.1.3 (a)(2)")
CHAIN_REVOCATION: Final = Rule(
    "chain.revocation",
    "no certificate is on a revocation list that was given",
    f"{_SEMANTIC}: CRL checks are off; {_RFC5280}, 6.3",
)
#: In the order in which they are made.
CHAIN_RULES: Final = (
    CHAIN_DER,
    CHAIN_ROOT_PINNED,
    CHAIN_NAMES,
    CHAIN_ALGORITHMS,
    CHAIN_KEYS,
    CHAIN_SIGNATURES,
    CHAIN_EXTENSIONS,
    CHAIN_CRITICAL_EXTENSIONS,
    CHAIN_CA,
    CHAIN_CA_KEY_USAGE,
    CHAIN_PATH_LENGTH,
    CHAIN_LEAF,
    CHAIN_LEAF_KEY_USAGE,
    CHAIN_DOCUMENT_TIME,
    CHAIN_BEGUN,
    CHAIN_UNEXPIRED,
)
COSE_SIGNATURE: Final = Rule(
    "cose.signature", "the document is signed with the last certificate's key", "RFC 9052, 4.4; RFC 9053, 2.1"
)

HABIT_MODULE_ID: Final = Rule("habit.module-id", "the module id has the form AWS gives it", _HABIT)
HABIT_LEAF_NAME: Final = Rule("habit.leaf-name", "the last certificate is named after the module id", _HABIT)
HABIT_INSTANCE_NAME: Final = Rule("habit.instance-name", "its issuer is named after the instance", _HABIT)
HABIT_REGION: Final = Rule("habit.region", "all certificates name the same region", _HABIT)
HABIT_PCR4: Final = Rule("habit.pcr4", "PCR4 is made from the instance id", "Nitro Enclaves user guide, PCR4")
HABIT_SERIAL: Final = Rule("habit.serial", "the last serial number holds the enclave id and time of issue", _HABIT)
HABIT_TIMES: Final = Rule("habit.times", "launch, issue and document follow each other", _HABIT)
#: In the order in which they are made. They warn and never fail: AWS may change a habit.
HABIT_RULES: Final = (
    HABIT_MODULE_ID,
    HABIT_LEAF_NAME,
    HABIT_INSTANCE_NAME,
    HABIT_REGION,
    HABIT_PCR4,
    HABIT_SERIAL,
    HABIT_TIMES,
)
