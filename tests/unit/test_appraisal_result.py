"""A judgement in the words of others: whole results, and that neither format ever says more than was checked."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nitroctl import __version__, pcr
from nitroctl.appraisal import result
from nitroctl.appraisal.effective import effective_digest
from nitroctl.appraisal.judge import Judge, Judgement
from nitroctl.appraisal.policy import Content, KeyContent, Policy, ReferenceValues, RegisterRule, Source
from nitroctl.checks import Check, Outcome, Report
from nitroctl.errors import UsageError
from nitroctl.evidence.document import Kind
from nitroctl.evidence.roots import Root
from nitroctl.standin.lab import CASES
from nitroctl.standin.lab_change import AT, INSTANCE, LEAF, MODULE_ID, NONCE, PCRS, Case, Change, accepted, make
from tests.schemas import validator

ISSUED = datetime(2026, 11, 21, 9, 0, 0, tzinfo=UTC)
IMAGE = {index: PCRS[index] for index in (0, 1, 2)}
FILE_SHA256 = "ab" * 32
SIGNER = ReferenceValues("signer-1.4.2@prod", IMAGE, FILE_SHA256)
WANTED = Policy(accepted=(SIGNER,))
GOOD = make()
ZEROES = {**PCRS, 0: pcr.ZERO, 1: pcr.ZERO, 2: pcr.ZERO}
DEBUG = make(Change(fields=lambda fields: [(k, ZEROES if k == "pcrs" else v) for k, v in fields]))
TAMPERED = make(Change(signature=lambda signature: signature[:-1] + bytes([signature[-1] ^ 1])))
ALL_PCRS = pcr.as_hex(dict.fromkeys(range(16), pcr.ZERO) | dict(PCRS))


def aws_roots() -> tuple[Root, ...]:
    """The lab's root under an AWS partition's name: how a document under AWS's root is judged."""
    return tuple(replace(root, name="AWS", partition="aws") for root in accepted())


def judged(
    cbor: bytes = GOOD, policy: Policy | None = WANTED, roots: tuple[Root, ...] | None = None, **judge: Any
) -> Judgement:
    return Judge(roots=aws_roots() if roots is None else roots, policy=policy, **judge).judge(cbor)


def sha256(cbor: bytes) -> str:
    return hashlib.sha256(cbor).hexdigest()


def ear(judgement: Judgement, cbor: bytes = GOOD) -> Any:
    made = result.ear(judgement, sha256=sha256(cbor), issued=ISSUED)
    validator("ear.1").validate(made)
    return made


def vsa(judgement: Judgement, cbor: bytes = GOOD) -> Any:
    made = result.vsa(judgement, sha256=sha256(cbor), issued=ISSUED)
    validator("vsa.1").validate(made)
    return made


def vector(judgement: Judgement) -> tuple[str, dict[str, int]]:
    (appraisal,) = ear(judgement)["submods"].values()
    return appraisal["ear_status"], appraisal["ear_trustworthiness_vector"]


SAID = {
    "answer": "authentic and acceptable as of 2026-11-20T10:00:00.250Z (document time)",
    "authentic": True,
    "acceptable": True,
    "at": "2026-11-20T10:00:00.250Z",
    "at_chosen_by": "document",
    "root": {"name": "AWS", "sha256": accepted()[0].fingerprint, "partition": "aws"},
    "reference": {
        "label": "signer-1.4.2@prod",
        "matches": True,
        "status": "active",
        "equal": ["PCR0", "PCR1", "PCR2"],
        "differing": [],
    },
    "failed": [],
    "warned": [],
    "not_requested": ["chain.revocation", "freshness.nonce", "freshness.future", "freshness.age"],
}


# -- whole results


def test_an_accepted_document_as_ear() -> None:
    judgement = judged()
    warned = [check.id for check in judgement.report.having(Outcome.WARN)]
    assert ear(judgement) == {
        "eat_profile": "tag:ietf.org,2026:rats/ear#04",
        "iat": 1795251600,
        "ear_verifier_id": {"developer": "nitroctl", "build": f"nitroctl {__version__}"},
        "submods": {
            "aws-nitro-enclave": {
                "ear_status": "affirming",
                "ear_trustworthiness_vector": {"executables": 3, "hardware": 2},
                "ear_appraisal_policy_ids": [f"urn:nitroctl:effective-policy:sha256:{effective_digest(judgement.by)}"],
                "eat_nonce": "AAECAwQFBgcICQoLDA0ODxAREhM",
                "ear_attester_claims": {
                    "nitroctl": {
                        "kind": "enclave",
                        "module_id": MODULE_ID,
                        "time": "2026-11-20T10:00:00.250Z",
                        "pcrs": ALL_PCRS,
                    }
                },
                "ear_verifier_claims": {
                    "nitroctl": {"evidence_sha256": sha256(GOOD), **SAID, "warned": warned},
                },
            }
        },
    }


def test_an_accepted_document_as_vsa() -> None:
    judgement = judged()
    digest = effective_digest(judgement.by)
    uri = f"urn:nitroctl:effective-policy:sha256:{digest}"
    warned = [check.id for check in judgement.report.having(Outcome.WARN)]
    assert vsa(judgement) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "signer-1.4.2@prod", "digest": {"sha256": FILE_SHA256}}],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": {"id": "urn:nitroctl:verifier", "version": {"nitroctl": __version__}},
            "timeVerified": "2026-11-21T09:00:00Z",
            "resourceUri": "urn:nitroctl:record:signer-1.4.2@prod",
            "policy": {"uri": uri, "digest": {"sha256": digest}},
            "inputAttestations": [{"name": "attestation-document", "digest": {"sha256": sha256(GOOD)}}],
            "verificationResult": "PASSED",
            "verifiedLevels": ["NITROCTL_AUTHENTIC_AND_ACCEPTABLE"],
            "urn:nitroctl:verification": {"policy_ids": [uri], **SAID, "warned": warned},
        },
    }


def test_a_refused_document_as_ear_says_only_that() -> None:
    judgement = judged(TAMPERED)
    reason = "the signature is not this document's: it was changed, or another key signed it"
    warned = [check.id for check in judgement.report.having(Outcome.WARN)]
    assert ear(judgement, TAMPERED)["submods"] == {
        "aws-nitro-enclave": {
            "ear_status": "contraindicated",
            "ear_trustworthiness_vector": {"hardware": 99},
            "ear_appraisal_policy_ids": [f"urn:nitroctl:effective-policy:sha256:{effective_digest(judgement.by)}"],
            "ear_verifier_claims": {
                "nitroctl": {
                    "evidence_sha256": sha256(TAMPERED),
                    **SAID,
                    "answer": f"refused: not authentic as of 2026-11-20T10:00:00.250Z (document time): {reason}",
                    "authentic": False,
                    "acceptable": False,
                    "reference": None,
                    "failed": ["cose.signature"],
                    "warned": warned,
                    "not_requested": ["chain.revocation"],
                }
            },
        }
    }


def test_a_refused_document_as_vsa_is_about_itself() -> None:
    made = vsa(judged(TAMPERED), TAMPERED)
    assert made["subject"] == [{"name": "attestation-document", "digest": {"sha256": sha256(TAMPERED)}}]
    assert made["predicate"]["resourceUri"] == f"urn:nitroctl:evidence:sha256:{sha256(TAMPERED)}"
    assert made["predicate"]["verificationResult"] == "FAILED"
    assert made["predicate"]["verifiedLevels"] == ["FAILED"]
    assert made["predicate"]["urn:nitroctl:verification"]["failed"] == ["cose.signature"]


def test_what_cannot_be_read_at_all() -> None:
    (label,) = ear(judged(b"\xff"))["submods"]
    assert label == "unreadable-evidence"
    assert vector(judged(b"\xff")) == ("contraindicated", {"hardware": 1})
    assert vsa(judged(b"\xff"))["predicate"]["verificationResult"] == "FAILED"


# -- the vector


def other(index: int) -> ReferenceValues:
    return ReferenceValues("other", {**IMAGE, index: b"\x77" * 48}, "cd" * 32)


def having(registers: dict[int, bytes]) -> Policy:
    return Policy(accepted=(ReferenceValues("partly", registers, FILE_SHA256),))


def signed_image(pcrs: Mapping[int, bytes] = PCRS) -> bytes:
    return make(Change(fields=lambda f: [(k, {**pcrs, 8: b"\x18" * 48} if k == "pcrs" else v) for k, v in f]))


def late() -> bytes:
    """A document that says that it was made a day after its certificates."""
    moment = int((AT + timedelta(days=1)).timestamp() * 1000)
    return make(Change(fields=lambda fields: [(k, moment if k == "timestamp" else v) for k, v in fields]))


def tpm(*indexes: int) -> Judgement:
    """Judge a NitroTPM's document by some registers."""
    pcrs = {number: bytes([number + 1]) * 48 for number in range(24)}
    names = {"pcrs": ("nitrotpm_pcrs", pcrs), "module_id": ("module_id", f"{INSTANCE}-tpm0000000000000000")}
    cbor = make(Change(fields=lambda fields: [names.get(k, (k, v)) for k, v in fields]))
    reference = ReferenceValues("ami", {index: pcrs[index] for index in indexes}, FILE_SHA256)
    judgement = judged(cbor, Policy(accepted=(reference,), kind=Kind.NITROTPM))
    assert judgement.passed
    assert list(ear(judgement, cbor)["submods"]) == ["aws-nitrotpm"]
    assert vsa(judgement, cbor)["subject"][0]["name"] == "attestation-document"
    return judgement


def link_fault() -> bytes:
    """A chain whose signatures hold, and whose last certificate is an authority."""
    return make(Change(profiles=lambda wanted: [*wanted[:LEAF], replace(wanted[LEAF], ca=True)]))


VECTORS: dict[str, tuple[Callable[[], Judgement], str, dict[str, int]]] = {
    "by-pcr0": (lambda: judged(policy=having({0: PCRS[0]})), "affirming", {"executables": 3, "hardware": 2}),
    "by-pcr1-and-pcr2": (
        lambda: judged(policy=having({1: PCRS[1], 2: PCRS[2]})),
        "affirming",
        {"executables": 3, "hardware": 2},
    ),
    "by-its-signer": (
        lambda: judged(signed_image(), having({8: b"\x18" * 48})),
        "affirming",
        {"executables": -2, "hardware": 2},
    ),
    "by-no-register-of-the-image": (
        lambda: judged(policy=having({4: PCRS[4]})),
        "warning",
        {"executables": -33, "hardware": 2},
    ),
    "by-pcr1-alone": (lambda: judged(policy=having({1: PCRS[1]})), "warning", {"executables": -33, "hardware": 2}),
    "by-pcr2-alone": (lambda: judged(policy=having({2: PCRS[2]})), "warning", {"executables": -33, "hardware": 2}),
    "of-a-tpm-by-pcr4-and-pcr12": (lambda: tpm(4, 12), "affirming", {"executables": 3, "hardware": 2}),
    "of-a-tpm-by-pcr0-pcr4-and-pcr12": (lambda: tpm(0, 4, 12), "affirming", {"executables": 3, "hardware": 2}),
    "of-a-tpm-by-pcr4": (lambda: tpm(4), "warning", {"executables": -33, "hardware": 2}),
    "of-a-tpm-by-pcr0-and-pcr4": (lambda: tpm(0, 4), "warning", {"executables": -33, "hardware": 2}),
    "of-a-tpm-by-pcr7": (lambda: tpm(7), "affirming", {"executables": -2, "hardware": 2}),
    "of-a-tpm-by-pcr0": (lambda: tpm(0), "warning", {"executables": -33, "hardware": 2}),
    "of-a-tpm-by-pcr8": (lambda: tpm(8), "warning", {"executables": -33, "hardware": 2}),
    "under-a-named-root": (lambda: judged(roots=accepted()), "warning", {"executables": 3, "hardware": -33}),
    "authenticity-only": (lambda: judged(policy=None), "none", {"hardware": 2}),
    "authenticity-only-under-a-named-root": (
        lambda: judged(policy=None, roots=accepted()),
        "none",
        {"hardware": -33},
    ),
    "another-image": (
        lambda: judged(policy=Policy(accepted=(other(0),))),
        "contraindicated",
        {"executables": 33, "hardware": 2},
    ),
    "a-revoked-image": (
        lambda: judged(policy=Policy(accepted=(other(0),), known=((SIGNER, "revoked"),))),
        "contraindicated",
        {"executables": 96, "hardware": 2},
    ),
    "a-retired-image": (
        lambda: judged(policy=Policy(accepted=(other(0),), known=((SIGNER, "retired"),))),
        "contraindicated",
        {"executables": 96, "hardware": 2},
    ),
    "not-quite-a-retired-image": (
        lambda: judged(policy=Policy(accepted=(), known=((other(0), "retired"),))),
        "contraindicated",
        {"executables": 33, "hardware": 2},
    ),
    "an-accepted-image-that-is-revoked-under-another-name": (
        lambda: judged(policy=Policy(accepted=(SIGNER,), known=((replace(SIGNER, label="again"), "revoked"),))),
        "contraindicated",
        {"executables": 96, "hardware": 2},
    ),
    "a-candidate": (
        lambda: judged(policy=Policy(accepted=(other(0),), known=((SIGNER, "candidate"),))),
        "contraindicated",
        {"executables": 33, "hardware": 2},
    ),
    "no-reference-values": (
        lambda: judged(policy=Policy(accepted=())),
        "contraindicated",
        {"executables": 33, "hardware": 2},
    ),
    "debug-mode": (
        lambda: judged(DEBUG),
        "contraindicated",
        {"configuration": 96, "executables": 33, "hardware": 2},
    ),
    "debug-mode-of-a-recorded-signer": (
        lambda: judged(signed_image(ZEROES), having({8: b"\x18" * 48})),
        "contraindicated",
        {"configuration": 96, "executables": 33, "hardware": 2},
    ),
    "debug-mode-of-which-nothing-else-is-asked": (
        lambda: judged(DEBUG, policy=None),
        "none",
        {"hardware": 2},
    ),
    "debug-mode-allowed": (
        lambda: judged(
            DEBUG,
            Policy(accepted=(ReferenceValues("debug", dict.fromkeys(IMAGE, pcr.ZERO)),), allow_debug=True),
        ),
        "warning",
        {"configuration": 32, "executables": 33, "hardware": 2},
    ),
    "another-nonce": (
        lambda: judged(policy=replace(WANTED, nonce=b"another nonce")),
        "contraindicated",
        {"executables": 3, "hardware": 2},
    ),
    "another-kind": (
        lambda: judged(policy=Policy(accepted=(SIGNER,), kind=Kind.NITROTPM)),
        "contraindicated",
        {"hardware": 2},
    ),
    "the-wanted-instance": (
        lambda: judged(policy=replace(WANTED, instance_ids=frozenset({INSTANCE}))),
        "affirming",
        {"executables": 3, "hardware": 2, "instance-identity": 2},
    ),
    "another-instance": (
        lambda: judged(policy=replace(WANTED, instance_ids=frozenset({"i-00000000000000000"}))),
        "contraindicated",
        {"executables": 3, "hardware": 2, "instance-identity": 97},
    ),
    "one-of-instance-and-module-is-another": (
        lambda: judged(policy=replace(WANTED, instance_ids=frozenset({INSTANCE}), module_ids=frozenset({"i-0-enc0"}))),
        "contraindicated",
        {"executables": 3, "hardware": 2, "instance-identity": 97},
    ),
    "expired": (
        lambda: judged(at=AT + timedelta(days=1), chosen="given"),
        "contraindicated",
        {"hardware": -97},
    ),
    "not-begun": (
        lambda: judged(at=AT - timedelta(days=1), chosen="given"),
        "contraindicated",
        {"hardware": -97},
    ),
    "made-outside-its-certificate's-period": (
        lambda: judged(late(), at=AT, chosen="given"),
        "contraindicated",
        {"hardware": -97},
    ),
    "not-an-accepted-root": (
        lambda: judged(roots=(Root("nobody's", "00" * 32, "aws"),)),
        "contraindicated",
        {"hardware": 97},
    ),
    "a-link-that-does-not-hold": (lambda: judged(link_fault()), "contraindicated", {"hardware": 99}),
    "a-fault-in-the-chain-outweighs-its-root": (
        lambda: judged(link_fault(), roots=(Root("nobody's", "00" * 32, "aws"),)),
        "contraindicated",
        {"hardware": 99},
    ),
    "another-root-outweighs-its-period": (
        lambda: judged(roots=(Root("nobody's", "00" * 32, "aws"),), at=AT + timedelta(days=1), chosen="given"),
        "contraindicated",
        {"hardware": 97},
    ),
    "malformed": (
        lambda: judged(make(Change(document=lambda cbor: cbor + b"\x00"))),
        "contraindicated",
        {"hardware": 1},
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_vector_has_what_was_appraised(name: str) -> None:
    make_judgement, status, claims = VECTORS[name]
    assert vector(make_judgement()) == (status, claims)


OF_TIME = ("chain.begun", "chain.unexpired", "chain.document-time")


@pytest.mark.parametrize(
    ("failing", "hardware"),
    [
        (("chain.revocation",), 96),
        (("chain.revocation", *OF_TIME), 96),
        (("chain.revocation", "chain.root-pinned"), 97),
        (("chain.revocation", "cose.signature"), 99),
        *(((each,), -97) for each in OF_TIME),
        (OF_TIME, -97),
        ((*OF_TIME, "document.digest"), 1),
        ((), 1),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_refuses_decides_what_is_claimed_of_the_hardware(failing: tuple[str, ...], hardware: int) -> None:
    """Whatever it is, evidence that is not authentic, if only for want of an answer, is never genuine."""
    good = judged()
    answers = {check.id: check for check in good.verified.report}
    made = [replace(check, outcome=Outcome.FAIL) if check.id in failing else check for check in answers.values()]
    made += [Check(id=each, title="-", outcome=Outcome.FAIL) for each in failing if each not in answers]
    report = Report(tuple(made) if failing else ())
    refused = replace(good, verified=replace(good.verified, report=report))
    assert set(failing) == {check.id for check in report.having(Outcome.FAIL)}
    assert result.vector(refused) == {"hardware": hardware}


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ((1, 0, -1), "none"),
        ((2, 1), "affirming"),
        ((2, 31, -2, -32), "affirming"),
        ((2, 32), "warning"),
        ((96, 32, 2), "contraindicated"),
        ((2, -97), "contraindicated"),
    ],
)
def test_the_status_is_never_better_than_the_worst_claim(
    monkeypatch: pytest.MonkeyPatch, claims: tuple[int, ...], status: str
) -> None:
    monkeypatch.setattr(result, "vector", lambda _: dict(enumerate(claims)))
    assert result.status(judged()) == status


@pytest.mark.parametrize("value", range(-128, 128))
def test_every_value_has_its_tier(value: int) -> None:
    tiers = {"none": range(-1, 2), "affirming": (*range(2, 32), *range(-32, -1))}
    tiers |= {"warning": (*range(32, 96), *range(-96, -32)), "contraindicated": (*range(96, 128), *range(-128, -96))}
    assert [name for name, values in tiers.items() if value in values] == [result.tier(value)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_case_of_the_lab_is_affirmed_that_is_refused(case: Case) -> None:
    cbor = make(case.change)
    judgement = judged(cbor, at=case.at, chosen="given", strict=case.strict)
    status, claims = vector(judgement)
    summary = vsa(judgement, cbor)["predicate"]
    assert (status == "contraindicated") is not judgement.passed
    assert summary["verificationResult"] == ("PASSED" if judgement.passed else "FAILED")
    if not judgement.verified.report.passed:
        assert list(claims) == ["hardware"]
        assert result.tier(claims["hardware"]) in ("contraindicated", "none")
    if status == "affirming":
        assert {result.tier(value) for value in claims.values()} == {"affirming"}


# -- what is left out


def test_evidence_that_is_not_authentic_lends_no_claims() -> None:
    (appraisal,) = ear(judged(TAMPERED), TAMPERED)["submods"].values()
    assert not {"ear_attester_claims", "eat_nonce"} & appraisal.keys()


@pytest.mark.parametrize(
    ("nonce", "there"), [(bytes(7), False), (bytes(8), True), (bytes(64), True), (bytes(65), False)]
)
def test_a_nonce_is_echoed_only_in_the_sizes_of_an_eat(nonce: bytes, *, there: bool) -> None:
    cbor = make(Change(fields=lambda fields: [(k, nonce if k == "nonce" else v) for k, v in fields]))
    (appraisal,) = ear(judged(cbor), cbor)["submods"].values()
    assert ("eat_nonce" in appraisal) is there


def test_authenticity_alone_names_no_policy() -> None:
    (appraisal,) = ear(judged(policy=None))["submods"].values()
    assert "ear_appraisal_policy_ids" not in appraisal
    assert appraisal["ear_verifier_claims"]["nitroctl"]["acceptable"] is None


def test_there_is_no_summary_without_a_policy() -> None:
    with pytest.raises(UsageError) as caught:
        vsa(judged(policy=None))
    assert (caught.value.code, caught.value.hints) == (
        "usage.invalid",
        ("give reference values: --records or --pcr; or use --format ear",),
    )


# -- the subject of a summary


@pytest.mark.parametrize(
    "judgement",
    [
        pytest.param(lambda: judged(policy=Policy(accepted=(replace(SIGNER, artifact=None),))), id="no-file-recorded"),
        pytest.param(lambda: judged(policy=having({4: PCRS[4]})), id="image-not-compared"),
        pytest.param(lambda: judged(policy=having({1: PCRS[1], 2: PCRS[2]})), id="pcr0-not-compared"),
        pytest.param(lambda: judged(roots=accepted()), id="under-a-named-root"),
        pytest.param(lambda: judged(policy=replace(WANTED, nonce=b"another nonce")), id="refused"),
    ],
)
def test_only_evidence_of_the_recorded_file_speaks_of_it(judgement: Callable[[], Judgement]) -> None:
    made = vsa(judgement())
    assert made["subject"] == [{"name": "attestation-document", "digest": {"sha256": sha256(GOOD)}}]
    assert made["predicate"]["resourceUri"] == f"urn:nitroctl:evidence:sha256:{sha256(GOOD)}"


def test_a_reservation_reaches_no_level() -> None:
    made = vsa(judged(roots=accepted()))["predicate"]
    assert (made["verificationResult"], made["verifiedLevels"]) == ("PASSED", [])


def test_a_label_cannot_break_out_of_the_uri() -> None:
    hostile = replace(SIGNER, label="a b/../c?d#e\u202e")
    made = vsa(judged(policy=Policy(accepted=(hostile,))))
    assert made["predicate"]["resourceUri"] == "urn:nitroctl:record:a%20b/../c%3Fd%23e%E2%80%AE".replace("/", "%2F")


# -- the policy's digest


def digest(policy: Policy | None = WANTED, **judge: Any) -> str:
    return effective_digest(Judge(policy=policy, **judge))


def test_the_form_that_is_digested_is_fixed() -> None:
    """A change of this form is a change of every policy's id: it takes another version of the form."""
    registers = ",".join(f'"{index}":"{IMAGE[index].hex()}"' for index in (0, 1, 2))
    accepting = f'{{"artifact":"{FILE_SHA256}","label":"signer-1.4.2@prod","pcrs":{{{registers}}}}}'
    policy = (
        f'{{"accepted":[{accepting}],"allow_debug":false,"clock_skew":300.0,"instance_ids":null,"kind":"enclave",'
        '"max_age":60.0,"module_ids":null,"nonce":true,"nonce_required":false,"parent_instance":false,'
        '"partitions":["aws","aws-us-gov"],"public_key":null,"regions":null,"registers":[],"roles":null,'
        '"user_data":null}'
    )
    form = (
        f'{{"crls":["{hashlib.sha256(b"a list").hexdigest()}"],"form":"nitroctl/effective-policy/1",'
        f'"instant":"now","policy":{policy},"roots":["{accepted()[0].fingerprint}"],"strict":true}}'
    )
    wanted = replace(WANTED, nonce=NONCE, max_age=timedelta(minutes=1), partitions=frozenset({"aws-us-gov", "aws"}))
    judge = Judge(policy=wanted, roots=accepted(), crls=(b"a list",), strict=True, chosen="now")
    assert effective_digest(judge) == hashlib.sha256(form.encode()).hexdigest()


def test_the_same_requirements_have_the_same_digest() -> None:
    first, second = SIGNER, other(0)
    assert digest(Policy(accepted=(first, second))) == digest(Policy(accepted=(second, first)))
    reordered = ReferenceValues(SIGNER.label, dict(reversed(IMAGE.items())), FILE_SHA256)
    assert digest(Policy(accepted=(reordered,))) == digest()
    assert digest(replace(WANTED, known=((other(0), "retired"),))) == digest()
    assert digest(replace(WANTED, source=Source(file="policy.yaml", sha256="0" * 64))) == digest()
    assert digest(replace(WANTED, nonce=NONCE)) == digest(replace(WANTED, nonce=b"another nonce"))
    assert digest(at=AT, chosen="given") == digest(at=ISSUED, chosen="given")


@pytest.mark.parametrize(
    "change",
    [
        {"accepted": (other(0),)},
        {"accepted": (SIGNER, other(0))},
        {"accepted": (replace(SIGNER, label="signer-1.4.2@dev"),)},
        {"accepted": (replace(SIGNER, artifact=None),)},
        {"kind": Kind.NITROTPM},
        {"allow_debug": True},
        {"nonce": NONCE},
        {"nonce_required": True},
        {"module_ids": frozenset({MODULE_ID})},
        {"instance_ids": frozenset({INSTANCE})},
        {"regions": frozenset({"eu-west-1"})},
        {"partitions": frozenset({"aws"})},
        {"roles": ("arn:aws:iam::111122223333:role/signer",)},
        {"parent_instance": True},
        {"max_age": timedelta(minutes=5)},
        {"clock_skew": timedelta(0)},
        {"registers": (RegisterRule((16,)),)},
        {"registers": (RegisterRule((16,), (b"\x16" * 48,)),)},
        {"user_data": Content(equals=b"hello")},
        {"user_data": Content(members=(("version", 1),))},
        {"public_key": KeyContent(type="rsa", minimum_bits=2048)},
    ],
    ids="-".join,
)
def test_another_requirement_has_another_digest(change: dict[str, Any]) -> None:
    assert digest(replace(WANTED, **change)) != digest()


@pytest.mark.parametrize(
    "judge",
    [
        {"roots": accepted()},
        {"strict": True},
        {"crls": (b"a list",)},
        {"chosen": "now"},
        {"policy": None},
    ],
    ids="-".join,
)
def test_another_judge_has_another_digest(judge: dict[str, Any]) -> None:
    assert digest(**judge) != digest()


def test_a_policy_file_is_named_beside_what_was_required_in_effect() -> None:
    source = Source(file="policy.yaml", sha256="0" * 64, overridden=("max_age",))
    judgement = judged(policy=replace(WANTED, source=source))
    effective = f"urn:nitroctl:effective-policy:sha256:{digest(roots=aws_roots())}"
    (appraisal,) = ear(judgement)["submods"].values()
    ids = [f"urn:nitroctl:policy:sha256:{'0' * 64}", effective]
    assert appraisal["ear_appraisal_policy_ids"] == ids
    summary = vsa(judgement)["predicate"]
    assert summary["policy"]["uri"] == effective
    assert summary["urn:nitroctl:verification"]["policy_ids"] == ids


def test_results_are_the_same_whatever_was_judged_before() -> None:
    first = ear(judged())
    judged(TAMPERED)
    assert ear(judged()) == first
