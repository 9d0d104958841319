"""What is acceptable: reference values, debug mode, nonce, age, kind and partition."""

from dataclasses import replace
from datetime import timedelta

import pytest

from nitroctl import pcr
from nitroctl.appraisal.appraise import Appraised, appraise, duration
from nitroctl.appraisal.policy import Policy, ReferenceValues
from nitroctl.checks import Outcome
from nitroctl.errors import UsageError
from nitroctl.evidence import roots
from nitroctl.evidence.document import Document, Kind, parse
from nitroctl.evidence.verify import verify
from nitroctl.standin.lab_change import AT, INSTANCE, NONCE, PCRS, accepted, make

PARSED = parse(make())
AUTHENTIC = verify(PARSED, accepted(), at=AT)
IMAGE = {index: PCRS[index] for index in (0, 1, 2)}
SIGNER = ReferenceValues("signer-1.4.2@prod", IMAGE)


def document() -> Document:
    assert PARSED.document is not None
    return PARSED.document


def appraised(policy: Policy, of: Document | None = None, *, after: timedelta = timedelta(0)) -> Appraised:
    root = roots.AWS_ROOTS[0] if policy.partitions else accepted()[0]
    chain = replace(AUTHENTIC.chain, root=root)
    return appraise(AUTHENTIC.report, of or document(), chain, policy, at=AT + after)


def failing(found: Appraised) -> list[str]:
    return [check.id for check in found.report.having(Outcome.FAIL)]


def test_equal_registers_are_acceptable() -> None:
    found = appraised(Policy(accepted=(SIGNER,)))
    assert found.report.passed
    assert found.report["measurement.match"].detail == "all 3 registers equal those of signer-1.4.2@prod"
    assert found.comparison
    assert found.comparison.equal == (0, 1, 2)


def test_any_of_several_records_will_do() -> None:
    other = ReferenceValues("signer-1.4.1@prod", {0: b"\x01" * 48})
    assert appraised(Policy(accepted=(other, SIGNER))).report.passed
    assert appraised(Policy(accepted=(SIGNER, other))).report.passed


def test_a_retired_record_with_more_registers_does_not_outweigh_an_active_one() -> None:
    retired = ReferenceValues("old", {**IMAGE, 4: PCRS[4]})
    found = appraised(Policy(accepted=(SIGNER,), known=((retired, "retired"),)))
    assert found.report.passed
    assert found.comparison
    assert found.comparison.reference == SIGNER


def test_registers_of_two_records_do_not_add_up() -> None:
    first = ReferenceValues("a", {**IMAGE, 1: b"\x01" * 48})
    second = ReferenceValues("b", {**IMAGE, 0: b"\x01" * 48})
    assert failing(appraised(Policy(accepted=(first, second)))) == ["measurement.match", "measurement.pcr1"]


def test_the_nearest_record_is_named_with_what_differs() -> None:
    near = ReferenceValues("signer-1.4.2", {**IMAGE, 2: b"\x01" * 48})
    far = ReferenceValues("signer-1.0.0", {0: PCRS[0], 1: b"\x01" * 48, 2: b"\x01" * 48})
    found = appraised(Policy(accepted=(far, near)))
    assert failing(found) == ["measurement.match", "measurement.pcr2"]
    assert found.report["measurement.match"].detail == "2 of 3 registers equal those of signer-1.4.2; PCR2 differs"
    assert found.report["measurement.pcr2"].expected == (b"\x01" * 48).hex()
    assert found.report["measurement.pcr2"].actual == PCRS[2].hex()


def test_nothing_in_common_names_no_record_of_several() -> None:
    others = tuple(ReferenceValues(name, {0: name.encode() * 48}) for name in "ab")
    found = appraised(Policy(accepted=others))
    assert failing(found) == ["measurement.match"]
    assert found.report["measurement.match"].detail == "no register equals that of any of 2 records"
    assert found.comparison is None


def test_the_pcr2_of_images_without_application_ramdisk_makes_nothing_near() -> None:
    plain = replace(document(), pcrs={**PCRS, 2: pcr.EMPTY_PCR2})
    others = tuple(ReferenceValues(name, {0: name.encode() * 48, 2: pcr.EMPTY_PCR2}) for name in "ab")
    assert appraised(Policy(accepted=others), plain).comparison is None


def test_a_revoked_image_stays_revoked_under_another_name() -> None:
    revoked = ReferenceValues("signer-1.4.1@prod", IMAGE)
    found = appraised(Policy(accepted=(SIGNER,), known=((revoked, "revoked"),)))
    assert failing(found) == ["records.not-revoked"]
    assert found.report["records.not-revoked"].detail == "the same image is signer-1.4.1@prod, which was revoked"


def test_another_revoked_image_is_of_no_account() -> None:
    revoked = ReferenceValues("signer-1.4.1@prod", {**IMAGE, 2: b"\x01" * 48})
    assert appraised(Policy(accepted=(SIGNER,), known=((revoked, "revoked"),))).report.passed


@pytest.mark.parametrize("standing", ["candidate", "retired", "revoked"])
def test_a_record_that_is_not_active_never_accepts_but_is_named(standing: str) -> None:
    found = appraised(Policy(accepted=(), known=((SIGNER, standing),)))
    assert failing(found) == ["measurement.match"]
    which = "a candidate" if standing == "candidate" else standing
    detail = f"all 3 registers equal those of signer-1.4.2@prod, which is {which}"
    assert found.report["measurement.match"].detail == detail


def test_no_reference_values_is_no_acceptance() -> None:
    found = appraised(Policy(accepted=()))
    assert failing(found) == ["measurement.match"]
    assert not found.report.passed


def test_an_absent_register_is_not_zero_and_not_equal() -> None:
    locked = ReferenceValues("locked", {**IMAGE, 16: pcr.ZERO})
    found = appraised(Policy(accepted=(locked,)))
    assert failing(found) == ["measurement.match", "measurement.pcr16"]
    assert found.report["measurement.pcr16"].detail == "the document does not have it: it was never locked"


def test_reference_values_that_match_everything_cannot_be_made() -> None:
    with pytest.raises(UsageError) as caught:
        ReferenceValues("x", {})
    assert caught.value.code == "attest.no-reference-values"
    for index in (0, 1, 2, 8):
        with pytest.raises(UsageError) as caught:
            Policy(accepted=(ReferenceValues("x", {**IMAGE, index: pcr.ZERO}),))
        assert caught.value.code == "attest.zero-reference"


def test_without_an_image_register_it_warns() -> None:
    found = appraised(Policy(accepted=(ReferenceValues("x", {4: pcr.for_instance(INSTANCE)}),)))
    assert found.report.passed
    assert [check.id for check in found.report.having(Outcome.WARN)] == ["measurement.image"]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_any_zero_image_register_is_debug_mode(index: int) -> None:
    debug = replace(document(), pcrs={**PCRS, index: pcr.ZERO})
    reference = ReferenceValues("x", {i: v for i, v in IMAGE.items() if i != index})
    assert failing(appraised(Policy(accepted=(reference,)), debug)) == ["appraisal.debug"]
    absent = replace(document(), pcrs={i: v for i, v in PCRS.items() if i != index})
    assert failing(appraised(Policy(accepted=(reference,)), absent)) == ["appraisal.debug"]
    allowed = appraised(Policy(accepted=(reference,), allow_debug=True), debug)
    assert allowed.report.passed
    assert "appraisal.debug" in [check.id for check in allowed.report.having(Outcome.WARN)]


def test_allowed_debug_mode_may_be_expected_to_be_zero_but_not_the_signer() -> None:
    zero = ReferenceValues("x", dict.fromkeys((0, 1, 2), pcr.ZERO))
    debug = replace(document(), pcrs={**PCRS, **zero.pcrs})
    assert appraised(Policy(accepted=(zero,), allow_debug=True), debug).report.passed
    with pytest.raises(UsageError):
        Policy(accepted=(ReferenceValues("x", {8: pcr.ZERO}),), allow_debug=True)


@pytest.mark.parametrize(
    ("nonce", "detail"),
    [
        (NONCE[:-1], "the document has another nonce"),
        (NONCE + b"\x00", "the document has another nonce"),
        (b"", "the document has another nonce"),
        (None, "the document has no nonce"),
    ],
)
def test_the_nonce_must_be_exactly_the_one_asked_for(nonce: bytes | None, detail: str) -> None:
    policy = Policy(accepted=(SIGNER,), nonce=NONCE)
    assert appraised(policy).report.passed
    found = appraised(policy, replace(document(), nonce=nonce))
    assert failing(found) == ["freshness.nonce"]
    assert found.report["freshness.nonce"].detail == detail


def test_age_is_counted_from_the_documents_time_its_end_included() -> None:
    policy = Policy(accepted=(SIGNER,), max_age=timedelta(minutes=5))
    assert appraised(policy, after=timedelta(minutes=5)).report.passed
    found = appraised(policy, after=timedelta(minutes=5, microseconds=1))
    assert failing(found) == ["freshness.age"]
    assert found.report["freshness.age"].detail == "the document is 5 min old"


def test_a_document_from_the_future_is_refused_beyond_the_clocks_skew() -> None:
    policy = Policy(accepted=(SIGNER,))
    assert appraised(policy, after=-timedelta(minutes=5)).report.passed
    assert failing(appraised(policy, after=-timedelta(minutes=5, seconds=1))) == ["freshness.future"]


def test_a_tpm_document_is_not_held_against_an_enclaves_registers() -> None:
    found = appraised(Policy(accepted=(SIGNER,)), replace(document(), kind=Kind.NITROTPM))
    assert failing(found) == ["appraisal.kind"]
    assert found.report["measurement.match"].outcome is Outcome.SKIP
    assert found.comparison is None


def test_the_partition_can_be_required() -> None:
    assert appraised(Policy(accepted=(SIGNER,), partitions=frozenset({"aws"}))).report.passed
    found = appraised(Policy(accepted=(SIGNER,), partitions=frozenset({"aws-us-gov"})))
    assert failing(found) == ["appraisal.partition"]


def test_evidence_that_is_not_authentic_is_not_appraised() -> None:
    refused = verify(PARSED, at=AT)
    found = appraise(refused.report, PARSED.document, refused.chain, Policy(accepted=(SIGNER,)), at=AT)
    assert {check.outcome for check in found.report} == {Outcome.SKIP}
    assert {check.detail for check in found.report} == {"not checked: blocked by chain.root-pinned"}
    assert not found.report.passed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (3600, "1 h"), (3661, "1 h 1 min"), (90061, "1 d 1 h"), (86400, "1 d")],
)
def test_durations_are_written_in_their_two_largest_units(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text
