"""Whether a sigstore bundle vouches for the ledger, or for the image of an entry: who signed, and what.

The library ``sigstore`` (optional: ``nitroctl[sigstore]``) judges the certificate, its log, the signature's log and the
signature, as of the time that the log signed for; what is signed, and what a statement says, is compared here. Nothing
is fetched: who is trusted to vouch is a file, or what came with the library. Sources: sigstore client specification;
in-toto Attestation Framework v1; RFC 6962.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nitroctl import safefile, strict_json
from nitroctl.checks import Check, Outcome, blocked
from nitroctl.errors import CannotAnswer
from nitroctl.records.bundle_signer import Signer
from nitroctl.records.bundle_trust import (
    SIZE_LIMIT,
    Root,
    bounded,
    called,
    quiet,
    trusted_root,
    verifier,
    version,
    words,
)
from nitroctl.records.entry import Entry
from nitroctl.records.statement import PREDICATE_TYPE, artifact_of, uncovered

if TYPE_CHECKING:
    from sigstore.models import Bundle, TrustedRoot

#: What GitHub and others attest of a build when nothing else is asked for.
PROVENANCE: Final = "https://slsa.dev/provenance/v1"
#: Both have subjects and a predicate type, and no more of them is read.
STATEMENTS: Final = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
IN_TOTO: Final = "application/vnd.in-toto+json"

_SHOWN: Final = 3
_TITLES: Final = {
    "sigstore.bundle": "The bundle is one that can be verified",
    "sigstore.signature": "The certificate, its log, the signature's log and the signature hold",
    "sigstore.identity": "The certificate is that of the identity",
    "sigstore.issuer": "The identity was vouched for by the issuer",
    "sigstore.predicate": "What is attested is of the type that was asked for",
    "sigstore.subject": "What is signed is {}",
    "sigstore.statement": "The statement says what is recorded",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a bundle is to be. ``path``: its file. ``identity``, ``issuer``: the signer's, whole and exact.

    ``trusted_root``: the file that names those who vouch; None for what came with the library. ``entry``: whose image
    is to be signed; None for the ledger's file. ``predicate_type``: of an attestation; None for those that are known.
    """

    path: str
    identity: str
    issuer: str
    trusted_root: str | None = None
    entry: Entry | None = None
    predicate_type: str | None = None

    @property
    def subject(self) -> str:
        """What is to be signed, in words."""
        return f"the image of {self.entry.id}" if self.entry else "the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The answer about a bundle.

    ``kind``: signature or attestation, empty when it is neither. ``logged_at``: the time that the log signed for, None
    when the signature does not hold or another source says the time.
    """

    checks: tuple[Check, ...]
    root: Root
    kind: str = ""
    predicate_type: str = ""
    logged_at: datetime | None = None


def judge(content: bytes, asked: Asked) -> Judged:
    """Return whether the bundle that ``asked`` names is by that identity, over ``content`` or the entry's image.

    Raises CannotAnswer ``sigstore.missing`` (the library is not installed), ``sigstore.trusted-root``,
    ``records.no-artifact`` for an entry whose image file is not known, ``file.*`` or ``json.*`` for a bundle that is no
    JSON.
    """
    library = version()
    with quiet():
        trusted, root = trusted_root(asked.trusted_root, library)
        text = safefile.read_text(asked.path, limit=SIZE_LIMIT)
        document = strict_json.parse(text, where=called(asked.path))
        return _Judge(content, asked, root).judge(document, trusted)


@dataclass(slots=True)
class _Judge:
    """Judges one bundle over ``content``, collecting checks."""

    content: bytes
    asked: Asked
    root: Root
    checks: list[Check] = field(default_factory=list)

    def judge(self, document: object, trusted: "TrustedRoot") -> Judged:
        """Return the answer about the bundle in ``document``; a hostile one makes the library raise what it likes."""
        from sigstore.models import Bundle  # noqa: PLC0415

        try:
            bundle = Bundle.from_json(json.dumps(document))
            made = json.loads(bundle.to_json())
        except Exception as error:  # noqa: BLE001  (see above: the answer is no)
            self._say("sigstore.bundle", _no_bundle(document, error), remedy=_remedy(document))
            for each in ("sigstore.signature", "sigstore.identity", "sigstore.issuer", "sigstore.subject"):
                self._block(each, "sigstore.bundle")
            return Judged(checks=tuple(self.checks), root=self.root)
        self._say("sigstore.bundle", "")
        if "dsseEnvelope" in made:
            return self._attestation(bundle, trusted, made)
        return self._signature(bundle, trusted, made)

    def _signature(self, bundle: "Bundle", trusted: "TrustedRoot", made: Mapping[str, Any]) -> Judged:
        from sigstore.hashes import Hashed  # noqa: PLC0415
        from sigstore_models.common.v1 import HashAlgorithm  # noqa: PLC0415

        wanted = bytes.fromhex(self._wanted)
        said = _digest(made["messageSignature"].get("messageDigest"))
        # Whether it is authentic over what it says it signs, and whether that is ours, are two questions.
        hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=said or wanted)
        held = self._held(trusted, lambda verifier, policy: verifier.verify_artifact(hashed, bundle, policy))
        if self.asked.predicate_type is not None:
            self._say(
                "sigstore.predicate", "a signature over bytes attests nothing", expected=self.asked.predicate_type
            )
        if not held:
            self._block("sigstore.subject", "sigstore.signature")
        elif (said or wanted) != wanted:
            self._say("sigstore.subject", f"{self.asked.path} is over other bytes", self._wanted, (said or b"").hex())
        else:
            self._say("sigstore.subject", "")
        return self._judged("signature", held=held, made=made)

    def _attestation(self, bundle: "Bundle", trusted: "TrustedRoot", made: Mapping[str, Any]) -> Judged:
        payloads: list[tuple[str, bytes]] = []
        held = self._held(trusted, lambda verifier, policy: payloads.append(verifier.verify_dsse(bundle, policy)))
        if not held:
            self._block("sigstore.predicate", "sigstore.signature")
            self._block("sigstore.subject", "sigstore.signature")
            return self._judged("attestation", held=held, made=made)
        try:
            statement = _statement(*payloads[0])
        except CannotAnswer as error:
            self._say("sigstore.predicate", str(error))
            self._block("sigstore.subject", "sigstore.predicate")
            return self._judged("attestation", held=held, made=made)
        predicate_type = statement["predicateType"]
        expected = self._predicate_types
        fits = predicate_type in expected
        self._say(
            "sigstore.predicate",
            "" if fits else "the attestation is about something else",
            None if fits else " or ".join(expected),
            None if fits else bounded(predicate_type),
            "it is about the image of one entry: --entry ID"
            if predicate_type == PREDICATE_TYPE and not self.asked.entry
            else "name the type that says what you want to hear: --predicate-type URI",
        )
        digests = _digests(statement["subject"])
        if self._wanted in digests:
            self._say("sigstore.subject", "")
        else:
            others = ", ".join(map(bounded, digests[:_SHOWN])) + (
                f" and {len(digests) - _SHOWN} more" if len(digests) > _SHOWN else ""
            )
            self._say("sigstore.subject", "the attestation is about other files", self._wanted, others or "no SHA-256")
        if predicate_type == PREDICATE_TYPE and self.asked.entry:
            wrong = uncovered(statement.get("predicate"), self.asked.entry)
            self._say("sigstore.statement", wrong and f"it says other than {self.asked.entry.id}: {wrong}")
        return self._judged("attestation", held=held, made=made, predicate_type=bounded(predicate_type))

    @property
    def _wanted(self) -> str:
        """The SHA-256 of what is to be signed, in hex."""
        entry = self.asked.entry
        return artifact_of(entry).sha256 if entry else hashlib.sha256(self.content).hexdigest()

    @property
    def _predicate_types(self) -> tuple[str, ...]:
        if self.asked.predicate_type is not None:
            return (self.asked.predicate_type,)
        return (PREDICATE_TYPE, PROVENANCE) if self.asked.entry else (PROVENANCE,)

    def _held(self, trusted: "TrustedRoot", verify: Any) -> bool:  # noqa: ANN401  (of the library)
        """Let the library verify; say whether signature, identity and issuer hold."""
        signer = Signer(self.asked.identity, self.asked.issuer)
        trouble = ""
        try:
            verify(verifier(trusted), signer)
        except Exception as error:  # noqa: BLE001  (as in judge)
            trouble = words(error)
        # Asked about the certificate, the library had found it authentic; it had not looked at the signature yet.
        if signer.identities is None:
            self._say("sigstore.signature", trouble, remedy=self._whose(signer))
            self._block("sigstore.identity", "sigstore.signature")
            self._block("sigstore.issuer", "sigstore.signature")
            return False
        for name, holds, expected, actual in (
            ("identity", signer.identity_holds, self.asked.identity, signer.identities),
            ("issuer", signer.issuer_holds, self.asked.issuer, signer.issuers),
        ):
            self._say(
                f"sigstore.{name}",
                "" if holds else f"the certificate is of another {name}",
                None if holds else expected,
                None if holds else bounded(", ".join(actual) or "none"),
                f"if that is who should sign, say so: --{name}",
            )
        if signer.identity_holds and signer.issuer_holds:
            self._say("sigstore.signature", trouble, remedy=self._whose(signer))
        else:
            self._block("sigstore.signature", "sigstore.issuer" if signer.identity_holds else "sigstore.identity")
        return not trouble

    def _whose(self, signer: Signer) -> str:
        if signer.identities is not None:
            return "get the bundle and the file again; see that the log's entry is of this signature"
        return "see that the trusted root is that of the sigstore that signed: --trusted-root"

    def _judged(self, kind: str, *, held: bool, made: Mapping[str, Any], predicate_type: str = "") -> Judged:
        entry = made["verificationMaterial"]["tlogEntries"][0]
        # The library has held the certificate against this time because the log signed for it.
        promised = held and "inclusionPromise" in entry and "integratedTime" in entry
        at = datetime.fromtimestamp(int(entry["integratedTime"]), UTC) if promised else None
        return Judged(checks=tuple(self.checks), root=self.root, kind=kind, predicate_type=predicate_type, logged_at=at)

    def _title(self, check_id: str) -> str:
        return _TITLES[check_id].format(self.asked.subject)

    def _block(self, check_id: str, by: str) -> None:
        self.checks.append(blocked(check_id, self._title(check_id), by))

    def _say(
        self,
        check_id: str,
        fault: str,
        expected: str | None = None,
        actual: str | None = None,
        remedy: str = "get the bundle of this file, or sign it again",
    ) -> None:
        self.checks.append(
            Check(
                id=check_id,
                title=self._title(check_id),
                outcome=Outcome.FAIL if fault else Outcome.PASS,
                detail=fault,
                expected=expected,
                actual=actual,
                remedy=remedy if fault else None,
            )
        )


def _no_bundle(document: object, error: Exception) -> str:
    if isinstance(document, dict) and {"base64Signature", "SignedEntryTimestamp"} & document.keys():
        return "a bundle of cosign's own older form, which has no proof that the log has it"
    return f"not a bundle that sigstore verifies: {words(error)}"


def _remedy(document: object) -> str:
    if isinstance(document, dict) and "attestations" in document:
        return "give one bundle: the member bundle of one of the attestations"
    return "cosign 2 writes the form with --new-bundle-format; of several lines (gh attestation download) give one"


def _digest(said: object) -> bytes | None:
    """Return the SHA-256 that a signature says it is over, None when it says none (in a form that is understood)."""
    if not isinstance(said, dict) or said.get("algorithm") != "SHA2_256":
        return None
    try:
        return base64.b64decode(str(said.get("digest", "")), validate=True) or None
    except binascii.Error:
        return None


def _statement(payload_type: str, payload: bytes) -> dict[str, Any]:
    """Return the statement that was attested. Raises CannotAnswer for what is none, or could be read in two ways."""

    def refused(what: str) -> CannotAnswer:
        return CannotAnswer(f"what is attested is no in-toto statement: {what}", "sigstore.predicate")

    if payload_type != IN_TOTO:
        raise refused(f"it is of the type {bounded(payload_type)}")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused("not UTF-8") from error
    document = strict_json.parse(text, where="what is attested")
    if not isinstance(document, dict) or document.get("_type") not in STATEMENTS:
        raise refused("no member _type that says so")
    if not isinstance(document.get("predicateType"), str) or not isinstance(document.get("subject"), list):
        raise refused("no predicateType, or no list of subjects")
    return document


def _digests(subjects: Sequence[object]) -> list[str]:
    """Return the SHA-256 of every subject that has one."""
    digests = [each["digest"] for each in subjects if isinstance(each, dict) and isinstance(each.get("digest"), dict)]
    return [digest["sha256"] for digest in digests if isinstance(digest.get("sha256"), str)]
