"""A judgement in the words of others: an EAT Attestation Result, and a SLSA Verification Summary.

Neither says more than was checked. The EAR's trustworthiness vector (AR4SI) has an entry for what was really appraised:

- ``hardware``: who signed. 2 genuine: authentic under one of AWS's roots. -33: authentic under a root that is not
  AWS's but was named by the operator. 99: the signature or a link of the chain does not hold. 97: another root.
  96: revoked. -97: nothing stands against it but a certificate's period. 1: not a document that can be read.
- ``executables``: what runs, only of authentic evidence and with a policy. 3: the image loaded at boot is a recorded
  one, by PCR0 or by PCR1 and PCR2 (NitroTPM: PCR4 and PCR12). -2: it is signed with a recorded certificate (PCR8;
  NitroTPM: PCR7 of Secure Boot). -33: accepted, but no register
  that names the image was compared. 33: not recognised, as in debug mode. 96: recorded, but no longer acceptable, or
  revoked under another name.
- ``configuration``: 96 debug mode, 32 debug mode that the policy allows. Otherwise nothing is claimed.
- ``instance-identity``: only where the policy names instances. 2 a wanted one, 97 another.

Everything else (file system, runtime and storage opacity, sourced data) is not appraised and has no entry. The status
is contraindicated for every refusal, none for authenticity alone, else that of the worst entry.

Both are unsigned: whoever vouches for them signs them. Sources: draft-ietf-rats-ear-04; draft-ietf-rats-ar4si, 2.3;
slsa.dev/spec, Verification Summary Attestation v1; in-toto Statement v1.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from nitroctl import __version__, pcr
from nitroctl.appraisal.effective import effective_digest
from nitroctl.appraisal.policy import Names
from nitroctl.checks import Outcome
from nitroctl.errors import UsageError
from nitroctl.evidence.chain import instant
from nitroctl.evidence.document import Kind

if TYPE_CHECKING:
    from nitroctl.appraisal.judge import Judge, Judgement
    from nitroctl.appraisal.policy import Policy

EAR_PROFILE: Final = "tag:ietf.org,2026:rats/ear#04"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
VSA: Final = "https://slsa.dev/verification_summary/v1"
#: The level of a summary when, and only when, the same judgement's EAR is affirming.
LEVEL: Final = "NITROCTL_AUTHENTIC_AND_ACCEPTABLE"
_VERIFIER: Final = "urn:nitroctl:verifier"
_EXTENSION: Final = "urn:nitroctl:verification"
_SUBMODULES: Final = {Kind.ENCLAVE: "aws-nitro-enclave", Kind.NITROTPM: "aws-nitrotpm", None: "unreadable-evidence"}

#: AR4SI's tiers of a claim's value, worst last; a refusal's status is the worst whatever the claims say.
NONE, AFFIRMING, WARNING, CONTRAINDICATED = "none", "affirming", "warning", "contraindicated"
_TIERS: Final = (NONE, AFFIRMING, WARNING, CONTRAINDICATED)
_FIRST_WARNING: Final = 32
_FIRST_CONTRAINDICATION: Final = 96
_GENUINE: Final = 2
_RECOGNISED_INSTANCE: Final = 2
_BOOTED_RECORDED: Final = 3
_SIGNED_AS_RECORDED: Final = -2
_NAMED_ROOT: Final = -33
_IMAGE_NOT_COMPARED: Final = -33
_EXPOSED_CONFIGURATION: Final = 32
_NOT_RECOGNISED: Final = 33
_NO_LONGER_ACCEPTABLE: Final = 96
_UNACCEPTABLE_CONFIGURATION: Final = 96
_REVOKED: Final = 96
_UNKNOWN_HARDWARE: Final = 97
_ANOTHER_INSTANCE: Final = 97
_NOT_CRYPTOGRAPHICALLY_SOUND: Final = 99
_OUTSIDE_PERIOD: Final = -97
_CANNOT_EVALUATE: Final = 1

_OF_TIME: Final = frozenset({"chain.begun", "chain.unexpired", "chain.document-time"})
_ROOT: Final = "chain.root-pinned"
_REVOCATION: Final = "chain.revocation"
_SIGNATURE: Final = "cose.signature"
_DEBUG: Final = "appraisal.debug"
_NOT_REVOKED: Final = "records.not-revoked"
_IDENTITY: Final = ("appraisal.module", "appraisal.instance")
#: Records whose image was good once and is not wanted any more.
_WITHDRAWN: Final = ("retired", "revoked")
_RECOGNISED: Final = {
    Names.IMAGE: _BOOTED_RECORDED,
    Names.SIGNER: _SIGNED_AS_RECORDED,
    Names.NOTHING: _IMAGE_NOT_COMPARED,
}
#: RFC 9711, 4.1: how long a nonce may be.
_NONCE_BYTES: Final = range(8, 64 + 1)


def tier(value: int) -> str:
    """Return the AR4SI tier of a trustworthiness claim's value (draft-ietf-rats-ar4si, 2.3.2)."""
    if -1 <= value <= 1:
        return NONE
    magnitude = max(value, -value - 1)  # -2 to -32 are what 2 to 31 are, and so on
    if magnitude < _FIRST_WARNING:
        return AFFIRMING
    return WARNING if magnitude < _FIRST_CONTRAINDICATION else CONTRAINDICATED


def vector(judgement: "Judgement") -> dict[str, int]:
    """Return the trustworthiness vector: an entry for each aspect that was appraised, and for no other."""
    claims: dict[str, int | None] = {"hardware": _hardware(judgement)}
    if judgement.verified.report.passed:
        outcomes = _outcomes(judgement)
        claims["configuration"] = {
            Outcome.FAIL: _UNACCEPTABLE_CONFIGURATION,
            Outcome.WARN: _EXPOSED_CONFIGURATION,
        }.get(outcomes.get(_DEBUG, Outcome.PASS))
        claims["executables"] = _executables(judgement, outcomes)
        claims["instance-identity"] = _identity(outcomes)
    return {name: value for name, value in sorted(claims.items()) if value is not None}


def status(judgement: "Judgement") -> str:
    """Return the overall tier: never better than the worst claim, and never affirming where nothing was appraised."""
    if not judgement.passed:
        return CONTRAINDICATED
    if judgement.appraised is None:
        return NONE
    return max((tier(value) for value in vector(judgement).values()), key=_TIERS.index)


def ear(judgement: "Judgement", *, sha256: str, issued: datetime) -> dict[str, object]:
    """Return the unsigned claims-set of an EAT Attestation Result (draft-ietf-rats-ear-04) of one document.

    ``sha256``: of the document's CBOR, in hex. ``issued``: aware, when the result is made; the instant that was judged
    at is among the verifier's claims. Schema: ear/1.
    """
    document = judgement.parsed.document
    proven = document if judgement.verified.report.passed else None
    appraisal: dict[str, object] = {
        "ear_status": status(judgement),
        "ear_trustworthiness_vector": vector(judgement),
    }
    if judgement.by.policy is not None:
        appraisal["ear_appraisal_policy_ids"] = _policy_ids(judgement.by, judgement.by.policy)
    if proven is not None and proven.nonce is not None and len(proven.nonce) in _NONCE_BYTES:
        appraisal["eat_nonce"] = base64.urlsafe_b64encode(proven.nonce).rstrip(b"=").decode("ascii")
    if proven is not None:
        appraisal["ear_attester_claims"] = {
            "nitroctl": {
                "kind": proven.kind.value,
                "module_id": proven.module_id,
                "time": instant(proven.time),
                "pcrs": pcr.as_hex(proven.pcrs),
            }
        }
    appraisal["ear_verifier_claims"] = {"nitroctl": {"evidence_sha256": sha256, **_said(judgement)}}
    return {
        "eat_profile": EAR_PROFILE,
        "iat": int(issued.timestamp()),
        "ear_verifier_id": {"developer": "nitroctl", "build": f"nitroctl {__version__}"},
        "submods": {_SUBMODULES[document.kind if document else None]: appraisal},
    }


def vsa(judgement: "Judgement", *, sha256: str, issued: datetime) -> dict[str, object]:
    """Return a SLSA Verification Summary of one document, as an unsigned in-toto Statement.

    The subject is the image file of the record that matched, when the EAR would be affirming and PCR0 is that record's:
    the summary speaks of an artifact, and the evidence is what it was verified by. In every other case
    nothing ties the evidence to an artifact, and a summary that named one could be shown around as if it did (or, a
    FAILED one, against an artifact that was never at fault): the subject is then the document itself. For the same
    reason ``resourceUri`` names the record with its environment, or the document. Schema: vsa/1.

    Raises UsageError ``usage.invalid`` without a policy: a summary names the policy that was verified against.
    """
    policy = judgement.by.policy
    if policy is None:
        raise UsageError(
            "--format vsa: a verification summary is of a policy, and --authenticity-only has none",
            "usage.invalid",
            ["give reference values: --records or --pcr; or use --format ear"],
        )
    digest = effective_digest(judgement.by)
    artifact = _artifact(judgement)
    if artifact is None:
        subject, resource = {"name": "attestation-document", "digest": {"sha256": sha256}}, f"evidence:sha256:{sha256}"
    else:
        label, file_sha256 = artifact
        subject, resource = {"name": label, "digest": {"sha256": file_sha256}}, f"record:{quote(label, safe='@')}"
    affirmed = [LEVEL] if status(judgement) == AFFIRMING else []
    extension = {"policy_ids": _policy_ids(judgement.by, policy), **_said(judgement)}
    return {
        "_type": STATEMENT,
        "subject": [subject],
        "predicateType": VSA,
        "predicate": {
            "verifier": {"id": _VERIFIER, "version": {"nitroctl": __version__}},
            "timeVerified": instant(issued),
            "resourceUri": f"urn:nitroctl:{resource}",
            "policy": {"uri": _effective_uri(digest), "digest": {"sha256": digest}},
            "inputAttestations": [{"name": "attestation-document", "digest": {"sha256": sha256}}],
            "verificationResult": "PASSED" if judgement.passed else "FAILED",
            "verifiedLevels": affirmed if judgement.passed else ["FAILED"],
            _EXTENSION: extension,
        },
    }


def _effective_uri(digest: str) -> str:
    return f"urn:nitroctl:effective-policy:sha256:{digest}"


def _policy_ids(judge: "Judge", policy: "Policy") -> list[str]:
    """Return the policy file's id, when there is one, and that of what was required in effect."""
    written = [f"urn:nitroctl:policy:sha256:{policy.source.sha256}"] if policy.source else []
    return [*written, _effective_uri(effective_digest(judge))]


def _outcomes(judgement: "Judgement") -> dict[str, Outcome]:
    return {check.id: check.outcome for check in judgement.report}


def _hardware(judgement: "Judgement") -> int:
    if judgement.verified.report.passed:
        return _GENUINE if judgement.root is not None and judgement.root.aws else _NAMED_ROOT
    failed = {check.id for check in judgement.verified.report.having(Outcome.FAIL)}
    unsound = {each for each in failed if each.startswith("chain.")} - _OF_TIME - {_ROOT, _REVOCATION}
    if unsound or _SIGNATURE in failed:
        return _NOT_CRYPTOGRAPHICALLY_SOUND
    if _ROOT in failed:
        return _UNKNOWN_HARDWARE
    if _REVOCATION in failed:
        return _REVOKED
    return _OUTSIDE_PERIOD if failed and failed <= _OF_TIME else _CANNOT_EVALUATE


def _executables(judgement: "Judgement", outcomes: Mapping[str, Outcome]) -> int | None:
    """Return what is known of the code, None when no register was compared."""
    comparison = judgement.appraised.comparison if judgement.appraised else None
    if outcomes.get(_DEBUG) in (Outcome.FAIL, Outcome.WARN):
        return _NOT_RECOGNISED
    if outcomes.get(_NOT_REVOKED) is Outcome.FAIL:  # an active record has the same image
        return _NO_LONGER_ACCEPTABLE
    if comparison is None:
        return _NOT_RECOGNISED if outcomes.get("measurement.match") is Outcome.FAIL else None
    if not comparison.accepts:
        withdrawn = not comparison.differing and comparison.standing in _WITHDRAWN
        return _NO_LONGER_ACCEPTABLE if withdrawn else _NOT_RECOGNISED
    return _RECOGNISED[comparison.names]


def _identity(outcomes: Mapping[str, Outcome]) -> int | None:
    asked = {outcomes[each] for each in _IDENTITY if each in outcomes}
    if not asked:
        return None
    return _RECOGNISED_INSTANCE if asked == {Outcome.PASS} else _ANOTHER_INSTANCE


def _artifact(judgement: "Judgement") -> tuple[str, str] | None:
    """Return label and SHA-256 of the recorded image that the evidence is of, None when nothing ties it to one."""
    if status(judgement) != AFFIRMING:
        return None
    comparison = judgement.appraised.comparison if judgement.appraised else None
    document = judgement.parsed.document
    if comparison is None or document is None:  # for the type checker: what is affirmed has both
        return None
    label, artifact = comparison.reference.label, comparison.reference.artifact
    booted = document.kind is Kind.ENCLAVE and 0 in comparison.equal
    return (label, artifact) if booted and artifact is not None else None


def _said(judgement: "Judgement") -> dict[str, object]:
    """Return what the verdict rests on: schema ear/1, verifier claims."""
    said = judgement.as_json()
    report = judgement.report
    return {
        **{
            name: said[name]
            for name in ("answer", "authentic", "acceptable", "at", "at_chosen_by", "root", "reference")
        },
        "failed": [check.id for check in report.having(Outcome.FAIL)],
        "warned": [check.id for check in report.having(Outcome.WARN)],
        "not_requested": [check.id for check in report.having(Outcome.SKIP) if not check.required],
    }
