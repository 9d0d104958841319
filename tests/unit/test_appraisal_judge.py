"""One judge for many documents: the same bytes get the same judgement, here and in another process."""

import json
import pickle
from dataclasses import replace
from datetime import timedelta

import pytest

from nitroctl import pcr
from nitroctl.appraisal import facts
from nitroctl.appraisal.judge import Judge, gravest, reason
from nitroctl.appraisal.policy import Content, KeyContent, Policy, ReferenceValues, RegisterRule, Source
from nitroctl.checks import Report
from nitroctl.evidence import rules
from nitroctl.evidence.roots import AWS_ROOTS
from nitroctl.standin.lab_change import AT, NONCE, PCRS, Change, accepted, flip, make
from tests.schemas import validator

GOOD = make()
SIGNER = ReferenceValues("signer", {index: PCRS[index] for index in (0, 1, 2)})
EVERYTHING = Policy(
    accepted=(SIGNER,),
    known=((ReferenceValues("old", {0: b"\x01" * 48}), "retired"),),
    registers=(RegisterRule((4,)),),
    nonce=NONCE,
    user_data=Content(members=(("v", 1),)),
    public_key=KeyContent(type="rsa"),
    regions=frozenset({"eu-west-1"}),
    max_age=timedelta(minutes=5),
    source=Source(file="p.yaml", sha256="ab" * 32, overridden=("nonce",)),
)


def judge(**changes: object) -> Judge:
    return Judge(**({"roots": accepted(), "policy": Policy(accepted=(SIGNER,)), "at": None} | changes))  # type: ignore[arg-type]


def test_a_judge_can_go_to_another_process_and_judges_the_same_there() -> None:
    one = judge(policy=EVERYTHING, at=AT, chosen="given", strict=True)
    other = pickle.loads(pickle.dumps(one))
    assert other == one
    assert other.judge(GOOD).as_json() == one.judge(GOOD).as_json()


def test_nothing_is_kept_from_one_document_to_the_next() -> None:
    one = judge()
    first = one.judge(GOOD).as_json()
    for other in (flip(GOOD), GOOD[:-1], b"", b"\xff" * 100):
        assert not one.judge(other).passed
    assert one.judge(GOOD).as_json() == first


@pytest.mark.parametrize("cbor", [b"", b"\xff", GOOD[:-1], GOOD + b"\x00", b"\x84" * 40_000, flip(GOOD)])
def test_bad_content_is_an_answer_of_the_same_shape(cbor: bytes) -> None:
    for policy in (None, EVERYTHING):
        found = judge(policy=policy, at=AT).judge(cbor)
        assert not found.passed
        assert found.sentence.startswith("refused: not authentic ")
        members = {"file": "x", "encoding": "raw", "size_bytes": 1, "sha256": "ab" * 32, **found.as_json()}
        validator("attest.verify.1").validate(json.loads(json.dumps(members)))


def test_without_an_instant_each_document_is_judged_at_its_own_time() -> None:
    found = judge().judge(GOOD)
    assert (found.passed, found.at) == (True, AT)
    late = judge(at=AT + timedelta(days=1), chosen="given").judge(GOOD)
    assert (late.passed, late.verified.only_expired) == (False, True)
    assert judge().judge(b"").at is None


def test_authenticity_alone_is_no_acceptance() -> None:
    found = judge(policy=None).judge(GOOD)
    assert found.passed
    assert found.appraised is None
    assert (found.as_json()["acceptable"], found.as_json()["policy"]) == (None, None)
    assert "not appraised" in found.sentence


def test_strictness_and_the_policys_source_come_through() -> None:
    assert judge().judge(GOOD).passed
    assert not judge(strict=True).judge(GOOD).passed
    found = judge(policy=EVERYTHING, at=AT, chosen="given").judge(GOOD)
    assert found.as_json()["policy"] == {"file": "p.yaml", "sha256": "ab" * 32, "overridden": ["nonce"]}


def test_the_reason_is_the_gravest_refusal() -> None:
    over = rules.CHAIN_UNEXPIRED.failed("it is over")
    forged = rules.COSE_SIGNATURE.failed("it was changed")
    assert gravest(Report.of([over, forged])).id == "cose.signature"
    assert reason(Report.of([over, forged])) == "it was changed"
    assert reason(Report.of([over])) == "it is over"


@pytest.mark.parametrize("period", [rules.CHAIN_BEGUN, rules.CHAIN_UNEXPIRED], ids=["begun", "unexpired"])
def test_a_period_says_less_than_anything_else(period: rules.Rule) -> None:
    time, skipped = period.failed("time"), rules.CHAIN_DER.blocked("cbor.complete")
    assert gravest(Report.of([time, rules.COSE_SIGNATURE.failed("changed")])).detail == "changed"
    assert gravest(Report.of([skipped, time])) is time
    assert gravest(Report.of([rules.COSE_SIGNATURE.passed(), skipped])) is skipped


UNDER = f"authentic under {accepted()[0].name} (not an AWS root, accepted because --root names it)"
NOW = "as of 2026-11-20T10:00:00.250Z (now)"
FLIPPED = "refused: not authentic as of 2026-11-20T10:00:00.250Z (now): "


@pytest.mark.parametrize(
    ("chosen", "words"), [("now", "now"), ("document", "document time"), ("given", "as asked")], ids=str
)
def test_an_answer_says_when_and_how_that_was_chosen(chosen: str, words: str) -> None:
    found = judge(policy=None, at=AT, chosen=chosen).judge(GOOD)
    assert found.sentence == f"{UNDER}, not appraised, as of 2026-11-20T10:00:00.250Z ({words})"


def test_every_answer_in_its_words() -> None:
    other = Policy(accepted=(ReferenceValues("x", {0: b"\x01" * 48}),))
    assert judge(at=AT, chosen="now").judge(GOOD).sentence == f"{UNDER} and acceptable {NOW}"
    refused = judge(at=AT, chosen="now", policy=other).judge(GOOD)
    assert refused.sentence == f"refused: {UNDER} {NOW}, but not acceptable: PCR0 differs from x"
    assert judge(at=AT, chosen="now").judge(flip(GOOD)).sentence.startswith(FLIPPED)
    assert judge().judge(b"").sentence.startswith("refused: not authentic at any time: ")
    aws = replace(judge(policy=None).judge(GOOD), by=judge(policy=None, chosen="now"))
    chain = replace(aws.verified.chain, root=AWS_ROOTS[0])
    assert replace(aws, verified=replace(aws.verified, chain=chain)).sentence == f"authentic, not appraised, {NOW}"


EXPIRED = (
    "nothing but time stands against it: its certificates last three hours. Judge it with --at document; that proves "
    "that it was signed then, not that it is fresh"
)
IN_DEBUG_MODE = "the enclave runs in debug mode: the document does not say which image it is"


def in_debug_mode(fields: list[tuple[str, object]]) -> list[tuple[str, object]]:
    return [(name, {**PCRS, 0: pcr.ZERO} if name == "pcrs" else value) for name, value in fields]


def test_every_note_stands_where_it_belongs() -> None:
    late = judge(policy=None, at=AT + timedelta(days=1), chosen="given")
    zero = make(Change(fields=in_debug_mode))
    assert late.judge(GOOD).notes == (EXPIRED,)
    assert judge(policy=None).judge(GOOD).notes == ()
    assert judge(policy=None).judge(zero).notes == (IN_DEBUG_MODE,)
    assert judge().judge(zero).notes == ()
    assert late.judge(zero).notes == (EXPIRED,)
    assert judge(policy=None).judge(flip(zero)).notes == ()
    assert judge(policy=None).judge(b"").notes == ()


def test_every_member_of_an_answer() -> None:
    root = accepted()[0]
    found = judge(at=AT, chosen="given").judge(GOOD)
    said = found.as_json()
    assert found.parsed.document is not None
    assert said == {
        "answer": f"{UNDER} and acceptable as of 2026-11-20T10:00:00.250Z (as asked)",
        "authentic": True,
        "acceptable": True,
        "at": "2026-11-20T10:00:00.250Z",
        "at_chosen_by": "given",
        "root": {"name": root.name, "sha256": root.fingerprint, "partition": None},
        "reference": {
            "label": "signer",
            "matches": True,
            "status": "active",
            "equal": ["PCR0", "PCR1", "PCR2"],
            "differing": [],
        },
        "policy": None,
        "document": facts.as_json(found.parsed.document, found.verified.chain.certificates),
        "report": found.report.as_json(),
    }
    assert found.as_json(every=False)["report"] == found.report.as_json(every=False) != said["report"]


def test_a_judge_is_of_awss_roots_and_the_documents_own_time() -> None:
    plain = Judge()
    assert (plain.roots, plain.policy, plain.at, plain.chosen, plain.strict, plain.crls) == (
        AWS_ROOTS,
        None,
        None,
        "document",
        False,
        (),
    )


def test_every_member_of_an_answer_about_nothing() -> None:
    said = judge(policy=Policy(accepted=(), known=((SIGNER, "retired"),))).judge(b"").as_json()
    assert {name: said[name] for name in ("acceptable", "at", "root", "reference", "policy", "document")} == {
        "acceptable": False,
        "at": None,
        "root": None,
        "reference": None,
        "policy": None,
        "document": None,
    }
    found = judge(policy=Policy(accepted=(), known=((replace(SIGNER, pcrs={0: PCRS[0], 8: PCRS[0]}), "retired"),)))
    assert found.judge(GOOD).as_json()["reference"] == {
        "label": "signer",
        "matches": False,
        "status": "retired",
        "equal": ["PCR0"],
        "differing": ["PCR8"],
    }


def test_a_replay_is_warned_about_only_when_no_nonce_was_compared() -> None:
    without = judge().judge(GOOD)
    assert [note.split(":")[0] for note in without.notes] == ["it may be an old document played again"]
    assert judge(policy=Policy(accepted=(SIGNER,), nonce=NONCE)).judge(GOOD).notes == ()
    refused = judge(policy=Policy(accepted=(ReferenceValues("x", {0: pcr.EMPTY_PCR2}),))).judge(GOOD)
    assert refused.notes == ()


def test_at_its_own_time_no_document_is_young_enough() -> None:
    limited = Policy(accepted=(SIGNER,), max_age=timedelta(minutes=5))
    assert judge(policy=limited, at=AT).judge(GOOD).passed
    found = judge(policy=limited).judge(GOOD)
    assert [check.id for check in found.report.refusals] == ["freshness.age"]
    assert gravest(found.report).detail == "at its own time a document has no age"
