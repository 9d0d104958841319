"""The survey and its anomalies: a calm heap, and heaps that differ from it in one thing each."""

import dataclasses
import hashlib
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.appraisal.judge import Judge
from nitroctl.checks import Check, Outcome, Report
from nitroctl.evidence import anomalies, survey
from nitroctl.evidence.anomalies import Finding
from nitroctl.evidence.document import Kind
from nitroctl.evidence.survey import Survey
from nitroctl.records import Ledger, Status, new_entry
from tests.conftest import ROOT
from tests.heaps import AT, IMAGE, ISSUED, ONE, ORDER, OTHER, Wanted, accepted, doubled, taken

ZERO = dict.fromkeys((0, 1, 2), pcr.ZERO)
LATER = AT + timedelta(minutes=1)
#: Two enclaves on two instances, the first with two documents under one leaf.
CALM = (
    Wanted(nonce=b"one"),
    Wanted(nonce=b"two", at=LATER),
    Wanted(nonce=b"three", instance=OTHER, enclave=2),
)


def surveyed(*documents: Wanted | bytes, ledger: Ledger | None = None) -> Survey:
    made = Survey(ledger)
    for number, wanted in enumerate(documents):
        made.add(taken(f"{number}.cbor", wanted if isinstance(wanted, bytes) else wanted.document()))
    return made


def found(*documents: Wanted | bytes, ledger: Ledger | None = None) -> list[tuple[str, str, tuple[str, ...]]]:
    return brief(anomalies.find(surveyed(*documents, ledger=ledger)))


def brief(findings: Sequence[Finding]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.anomaly.id, one.detail, tuple(seen.name for seen in one.documents)) for one in findings]


# -- what the documents come to


def test_a_calm_heap_has_no_anomaly() -> None:
    assert found(*CALM) == []


def test_nothing_surveyed() -> None:
    empty = Survey()
    assert (empty.span, empty.grouped(survey.image), anomalies.find(empty)) == (None, {}, [])


def test_counts_and_groups() -> None:
    role = pcr.for_role("arn:aws:iam::123456789012:role/signer")
    heap = surveyed(*CALM, Wanted(instance=OTHER, enclave=3, pcrs={**ZERO, 3: role, 8: b"\x08" * 48}))
    assert heap.span == (AT, LATER)
    assert [len(enclave.documents) for enclave in heap.enclaves.values()] == [2, 1, 1]
    assert len(heap.leaves) == 3
    images = heap.grouped(survey.image)
    assert [(image.debug, dict(image.pcrs), group.documents) for image, group in images.items()] == [
        (False, IMAGE, 3),
        (True, ZERO, 1),
    ]
    first, second = images.values()
    assert (first.enclaves, first.instances, first.images, first.debug, first.first, first.last) == (
        2,
        2,
        1,
        0,
        AT,
        LATER,
    )
    assert (second.images, second.debug) == (0, 1)
    documents = {key: group.documents for key, group in heap.grouped(survey.role).items()}
    assert documents == {None: 3, role: 1}
    assert list(heap.grouped(survey.signer)) == [None, b"\x08" * 48]
    assert list(heap.grouped(survey.kernel)) == [IMAGE[1], None]
    assert list(heap.grouped(survey.place)) == [("eu-west-1", accepted())]
    assert list(heap.grouped(survey.instance)) == [(ONE, "eu-west-1"), (OTHER, "eu-west-1")]


def test_a_nitrotpm_document_is_no_enclave() -> None:
    heap = surveyed(Wanted(kind="tpm", pcrs={4: b"\x04" * 48, 7: pcr.ZERO, 12: b"\x0c" * 48}))
    (image,) = heap.grouped(survey.image)
    assert (image.kind, image.debug) == (Kind.NITROTPM, False)
    assert dict(image.pcrs) == {4: b"\x04" * 48, 7: pcr.ZERO, 12: b"\x0c" * 48}
    assert heap.grouped(survey.role, Kind.ENCLAVE) == {}
    assert anomalies.find(heap) == []


JUDGED = Judge(roots=(accepted(),)).judge(CALM[0].document())


def test_only_an_authentic_document_has_facts() -> None:
    parsed, chain = JUDGED.parsed, JUDGED.verified.chain
    assert survey.facts("x", parsed, chain).name == "x"
    for lacking, walked in (
        (dataclasses.replace(parsed, document=None), chain),
        (dataclasses.replace(parsed, envelope=None), chain),
        (parsed, dataclasses.replace(chain, root=None)),
        (parsed, dataclasses.replace(chain, certificates=())),
    ):
        with pytest.raises(ValueError, match="only an authentic document"):
            survey.facts("x", lacking, walked)


def test_a_serial_number_that_tells_no_time_leaves_the_period() -> None:
    leaf = JUDGED.verified.chain.certificates[-1]
    begins = leaf.not_before - timedelta(seconds=1)
    odd = dataclasses.replace(
        JUDGED.verified.chain, certificates=(dataclasses.replace(leaf, serial=1 << 128, not_before=begins),)
    )
    assert survey.facts("x", JUDGED.parsed, JUDGED.verified.chain).issued == ISSUED
    assert survey.facts("x", JUDGED.parsed, odd).issued == begins


# -- what documents share, and what sets them apart
FACTS = taken("one", CALM[0].document())


def both(ledger: Ledger | None = None, **changes: Any) -> tuple[survey.Registers, survey.Registers]:
    """Return what the registers of a document come to, and of one that differs."""
    heap = Survey(ledger)
    heap.add(FACTS)
    heap.add(dataclasses.replace(FACTS, **changes))
    first, second = heap.documents
    return first.registers, second.registers


def test_documents_with_the_same_registers_share_them() -> None:
    one, other = both(pcrs={**FACTS.pcrs, 5: b"\x05" * 48})
    assert one is other
    assert (one.role, one.signer, one.instance_holds, one.records) == (None, None, True, ())


@pytest.mark.parametrize(
    ("register", "role", "signer", "holds"),
    [(3, b"\x03" * 48, None, True), (8, None, b"\x08" * 48, True), (4, None, None, False)],
)
def test_what_sets_registers_apart(register: int, role: bytes | None, signer: bytes | None, holds: bool) -> None:  # noqa: FBT001
    one, other = both(pcrs={**FACTS.pcrs, register: bytes([register]) * 48})
    assert one.image is other.image
    assert (other.role, other.signer, other.instance_holds) == (role, signer, holds)
    assert (one.role, one.signer, one.instance_holds) == (None, None, True)


def test_a_register_that_a_record_pins_sets_documents_apart() -> None:
    pinning = new_entry(
        component="a", environment="b", version="1", pcrs={**IMAGE, 5: b"\x05" * 48}, pin=(0, 5), recorded_at=AT
    )
    one, other = both(Ledger.of([pinning]), pcrs={**FACTS.pcrs, 5: b"\x05" * 48})
    assert (one.records, [entry.id for entry in other.records]) == ((), ["a-1@b"])


def test_the_same_values_in_a_tpm_are_another_image() -> None:
    tpm = {4: IMAGE[0], 7: IMAGE[1], 12: IMAGE[2]}
    heap = Survey()
    heap.add(dataclasses.replace(FACTS, instance_id=None))
    heap.add(dataclasses.replace(FACTS, module_id="x", kind=Kind.NITROTPM, instance_id=None, pcrs=tpm))
    one, other = (seen.registers for seen in heap.documents)
    assert (one.image.kind, other.image.kind) == (Kind.ENCLAVE, Kind.NITROTPM)
    assert (dict(one.image.pcrs), dict(other.image.pcrs)) == (IMAGE, tpm)
    assert (one.instance_holds, other.instance_holds) == (None, None)


def test_registers_that_a_document_does_not_have_are_not_in_its_image() -> None:
    one, other = both(pcrs={0: IMAGE[0]})
    assert (one.image.debug, other.image.debug) == (False, True)
    assert dict(other.image.pcrs) == {0: IMAGE[0]}
    assert (other.role, other.signer, other.instance_holds) == (None, None, False)


def test_groups_of_one_kind_come_largest_first_and_then_earliest() -> None:
    tpm = Wanted(kind="tpm", pcrs={4: b"\x04" * 48})
    late, early = Wanted(region="us-east-1", at=LATER), Wanted(region="eu-north-1")
    heap = surveyed(late, early, *CALM, tpm)
    regions = [(place[0], group.documents) for place, group in heap.grouped(survey.place, Kind.ENCLAVE).items()]
    assert regions == [("eu-west-1", 3), ("eu-north-1", 1), ("us-east-1", 1)]
    assert [group.documents for group in heap.grouped(survey.place, Kind.NITROTPM).values()] == [1]
    assert [group.documents for group in heap.grouped(survey.place).values()] == [4, 1, 1]


def test_documents_that_name_no_instance_are_of_no_instance() -> None:
    heap = Survey()
    heap.add(dataclasses.replace(FACTS, module_id="x", instance_id=None))
    (group,) = heap.grouped(survey.image).values()
    assert (group.documents, group.enclaves, group.instances) == (1, 1, 0)


def test_a_document_keeps_a_few_hundred_bytes() -> None:
    one = taken("name", CALM[0].document())
    heap, count = Survey(), 5000
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            digest = hashlib.sha256(b"%d" % number).digest()
            heap.add(
                dataclasses.replace(
                    one,
                    name=f"evidence/{number:08}.cbor",
                    payload=digest,
                    nonce=digest * 16,
                    signature=digest * 3,
                    time=AT + timedelta(milliseconds=number),
                    pcrs=dict(one.pcrs),
                )
            )
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept / count < 900


# -- one change each


def test_nonce_reused() -> None:
    assert found(*CALM[:2], dataclasses.replace(CALM[2], nonce=b"one")) == [
        ("survey.nonce-reused", "one nonce in 2 documents of 2 enclaves", ("0.cbor", "2.cbor"))
    ]


def test_three_documents_with_one_nonce_are_one_finding() -> None:
    fourth = Wanted(nonce=b"one", instance=OTHER, enclave=3)
    assert found(CALM[0], dataclasses.replace(CALM[1], nonce=b"one"), CALM[2], fourth) == [
        ("survey.nonce-reused", "one nonce in 3 documents of 2 enclaves", ("0.cbor", "3.cbor", "1.cbor"))
    ]


@pytest.mark.parametrize("nonce", [None, b""])
def test_no_nonce_is_no_reuse(nonce: bytes | None) -> None:
    assert found(*(dataclasses.replace(wanted, nonce=nonce) for wanted in CALM)) == []


def test_leaf_reused() -> None:
    other = dataclasses.replace(CALM[2], instance=ONE, leaf_of=CALM[0].module_id)
    assert found(*CALM[:2], other) == [
        (
            "survey.leaf-reused",
            "one leaf certificate signs for 2 module ids",
            ("0.cbor", "2.cbor", "1.cbor"),
        )
    ]


def test_document_before_its_leaf_was_issued() -> None:
    early = dataclasses.replace(CALM[1], at=AT - timedelta(seconds=2))
    assert found(CALM[0], early, CALM[2]) == [
        (
            "survey.clock-jump",
            "a document says 2026-11-20T09:59:58.250Z, before its leaf was issued at 2026-11-20T10:00:00Z",
            ("1.cbor",),
        )
    ]


def test_a_document_of_the_second_of_issue_is_not_early() -> None:
    assert found(CALM[0], dataclasses.replace(CALM[1], at=ISSUED)) == []


NEWER = Wanted(nonce=b"four", issued=ISSUED + timedelta(hours=2), at=AT + timedelta(hours=2))


def test_document_under_an_old_leaf_after_a_newer_was_issued() -> None:
    late = dataclasses.replace(CALM[1], at=NEWER.issued + timedelta(seconds=1))
    assert found(CALM[0], late, NEWER) == [
        (
            "survey.clock-jump",
            (
                "a document of 2026-11-20T12:00:01Z is signed under the leaf of 2026-11-20T10:00:00Z, although a newer "
                "one was issued at 2026-11-20T12:00:00Z"
            ),
            ("2.cbor", "1.cbor"),
        )
    ]


def test_a_leaf_follows_another_within_the_second_of_issue() -> None:
    last = dataclasses.replace(CALM[1], at=NEWER.issued + timedelta(milliseconds=999))
    assert found(CALM[0], last, NEWER) == []


def test_leaves_at_the_end_of_the_calendar() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
    heap = Survey()
    for number, issued in enumerate((AT, last)):
        fact = taken("a", CALM[0].document())
        heap.add(dataclasses.replace(fact, payload=bytes([number]), leaf=bytes([number]), issued=issued, time=last))
    assert [finding.anomaly.id for finding in anomalies.find(heap)] == ["survey.nonce-reused"]


def test_leaves_of_two_enclaves_need_no_order() -> None:
    late = dataclasses.replace(CALM[1], at=NEWER.issued + timedelta(seconds=1))
    assert found(CALM[0], late, dataclasses.replace(NEWER, instance=OTHER)) == []


def test_pcr4_of_another_instance() -> None:
    wrong = dataclasses.replace(CALM[2], pcrs={4: pcr.for_instance(ONE)})
    assert found(*CALM[:2], wrong) == [
        ("survey.pcr4", f"PCR4 is not SHA-384(48 zero bytes ‖ {OTHER})", ("2.cbor",)),
    ]


def test_module_changed_image() -> None:
    assert found(CALM[0], dataclasses.replace(CALM[1], pcrs={0: b"\xff" * 48}), CALM[2]) == [
        ("survey.module-changed-image", "one enclave attests 2 different images", ("0.cbor", "1.cbor"))
    ]


def test_a_tpm_may_change_what_it_boots() -> None:
    tpm = Wanted(kind="tpm", pcrs={4: b"\x04" * 48})
    assert found(tpm, dataclasses.replace(tpm, at=LATER, pcrs={4: b"\x05" * 48})) == []


def test_instance_changed_region() -> None:
    moved = dataclasses.replace(CALM[2], instance=ONE, region="us-east-1")
    assert found(*CALM[:2], moved) == [
        (
            "survey.instance-changed-region",
            "the certificates of one instance name eu-west-1 and us-east-1",
            ("0.cbor", "2.cbor", "1.cbor"),
        )
    ]


@pytest.mark.parametrize("unknown", [{"region": None}, {"instance_id": None, "region": "us-east-1"}])
def test_what_does_not_name_both_instance_and_region_has_not_moved(unknown: dict[str, str | None]) -> None:
    heap = Survey()
    first = taken("a", CALM[0].document())
    heap.add(dataclasses.replace(first, instance_id=unknown.get("instance_id", first.instance_id)))
    other = taken("b", CALM[1].document())
    changes: dict[str, Any] = {"module_id": "x", "leaf": b"x", **unknown}
    heap.add(dataclasses.replace(other, **changes))
    assert anomalies.find(heap) == []


def test_leaves_issued_in_one_second_have_no_order() -> None:
    heap = Survey()
    heap.add(taken("a", CALM[0].document()))
    heap.add(dataclasses.replace(taken("b", CALM[1].document()), leaf=b"x"))
    assert anomalies.find(heap) == []


def test_the_same_bytes_twice_are_one_document_and_no_reuse_of_its_nonce() -> None:
    document = CALM[0].document()
    assert found(document, CALM[2], document) == [
        (
            "survey.duplicate",
            "2 documents hold one signed payload, under the same signature",
            ("0.cbor", "2.cbor"),
        )
    ]


def test_a_doubled_signature_is_the_same_document() -> None:
    document = CALM[0].document()
    assert doubled(document) != document
    assert found(document, doubled(document)) == [
        (
            "survey.duplicate",
            (
                "2 documents hold one signed payload, under a signature r ‖ s and its double r ‖ n − s, which anybody "
                "can make"
            ),
            ("0.cbor", "1.cbor"),
        )
    ]


def test_a_payload_signed_twice() -> None:
    assert found(CALM[0].document(), CALM[0].document()) == [
        (
            "survey.duplicate",
            "2 documents hold one signed payload, under 2 signatures made one by one",
            ("0.cbor", "1.cbor"),
        )
    ]


@pytest.mark.parametrize("register", [0, 1, 2])
def test_debug(register: int) -> None:
    assert found(*CALM[:2], dataclasses.replace(CALM[2], pcrs={register: pcr.ZERO})) == [
        ("survey.debug", "PCR0, PCR1 or PCR2 is zero", ("2.cbor",))
    ]


def ledger(status: Status) -> Ledger:
    entry = new_entry(
        component="signer", environment="prod", version="1.4.2", pcrs=IMAGE, pin=(0, 1, 2), recorded_at=AT
    )
    changed = {
        Status.CANDIDATE: entry,
        Status.ACTIVE: dataclasses.replace(entry, status=status, activated_at=AT),
        Status.RETIRED: dataclasses.replace(entry, status=status, retired_at=AT),
        Status.REVOKED: dataclasses.replace(entry, status=status, revoked_at=AT),
    }
    return Ledger.of([changed[status]])


@pytest.mark.parametrize("status", [Status.CANDIDATE, Status.ACTIVE, Status.RETIRED])
def test_a_recorded_image_is_known_whatever_its_status(status: Status) -> None:
    heap = surveyed(*CALM, ledger=ledger(status))
    assert anomalies.find(heap) == []
    assert {entry.id for seen in heap.documents for entry in seen.registers.records} == {"signer-1.4.2@prod"}


def test_revoked_record() -> None:
    assert found(*CALM[:2], ledger=ledger(Status.REVOKED)) == [
        ("survey.revoked-record", "the registers are those of a revoked record", ("0.cbor", "1.cbor"))
    ]


def test_unknown_image() -> None:
    other = dataclasses.replace(CALM[2], pcrs={0: b"\xee" * 48})
    heap = surveyed(*CALM[:2], other, ledger=ledger(Status.ACTIVE))
    (finding,) = anomalies.find(heap)
    assert brief([finding]) == [("survey.unknown-image", "no record has these registers", ("2.cbor",))]
    assert finding.subject == "enclave image " + "; ".join(
        f"PCR{index} {value.hex()}" for index, value in {**IMAGE, 0: b"\xee" * 48}.items()
    )


def test_debug_mode_is_debug_and_not_an_unknown_image() -> None:
    debug = dataclasses.replace(CALM[2], pcrs=ZERO)
    assert [kind for kind, _, _ in found(debug, ledger=ledger(Status.ACTIVE))] == ["survey.debug"]


def test_a_record_of_a_tpm_names_it() -> None:
    entry = new_entry(
        component="host",
        environment="prod",
        version="1",
        platform="nitro-tpm",
        pcrs={4: b"\x04" * 48},
        pin=(4,),
        recorded_at=AT,
    )
    heap = surveyed(Wanted(kind="tpm", pcrs={4: b"\x04" * 48}), ledger=Ledger.of([entry]))
    assert [entry.id for entry in heap.documents[0].registers.records] == ["host-1@prod"]


def test_records_of_an_enclave_do_not_name_a_tpm() -> None:
    tpm = Wanted(kind="tpm")
    assert [kind for kind, _, _ in found(tpm, ledger=ledger(Status.ACTIVE))] == ["survey.unknown-image"]


# -- the checks


def outcomes(documents: Sequence[Wanted], *, required: bool, refused: int = 0, ledger: bool = False) -> dict[str, str]:
    findings = anomalies.find(surveyed(*documents))
    made = anomalies.checks(findings, ledger=ledger, refused=refused, required=required)
    assert [check.id for check in made] == [anomalies.REFUSED, *(anomaly.id for anomaly in anomalies.ANOMALIES)]
    assert {check.required for check in made if check.outcome is not Outcome.SKIP} == {required}
    assert Report.of(made).passed is not (required and bool(findings or refused))
    return {check.id: check.outcome.value for check in made if check.outcome is not Outcome.PASS}


SKIPPED = {"survey.revoked-record": "skip", "survey.unknown-image": "skip"}
DEBUG = (*CALM[:2], dataclasses.replace(CALM[2], pcrs=ZERO))


def test_checks_of_a_calm_heap() -> None:
    assert outcomes(CALM, required=True) == SKIPPED
    assert outcomes(CALM, required=True, ledger=True) == {}
    assert Report.of(anomalies.checks([], ledger=False, refused=0, required=True)).passed


def test_an_anomaly_warns_unless_it_is_asked_to_fail() -> None:
    assert outcomes(DEBUG, required=False) == {**SKIPPED, "survey.debug": "warn"}
    assert outcomes(DEBUG, required=True) == {**SKIPPED, "survey.debug": "fail"}


def test_a_refused_document_counts_as_an_anomaly_does() -> None:
    assert outcomes(CALM, required=False, refused=1) == {**SKIPPED, "survey.refused": "warn"}
    assert outcomes(CALM, required=True, refused=1) == {**SKIPPED, "survey.refused": "fail"}


def test_a_check_tells_its_finding_or_how_many_there_are() -> None:
    other = dataclasses.replace(CALM[0], pcrs=ZERO)
    details = [
        anomalies.checks(anomalies.find(surveyed(*heap)), ledger=False, refused=refused, required=False)
        for heap, refused in ((CALM, 0), (DEBUG, 1), ((*DEBUG[2:], other), 2))
    ]
    means = anomalies.DEBUG.meaning
    assert [checks[-1].detail for checks in details] == [
        "",
        f"PCR0, PCR1 or PCR2 is zero. {means}",
        f"2 findings in 2 documents. {means}",
    ]
    remedy = "nitroctl attest verify FILE --at document --authenticity-only says why"
    assert [(checks[0].detail, checks[0].remedy) for checks in details] == [
        ("", None),
        ("1 document refused, and of no account in the rest", remedy),
        ("2 documents refused, and of no account in the rest", remedy),
    ]


def signature(r: int, s: int) -> bytes:
    return r.to_bytes(48) + s.to_bytes(48)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([], "under the same signature"),
        ([(5, ORDER - 7)], "under a signature r ‖ s and its double r ‖ n − s, which anybody can make"),
        ([(5, 8)], "under 2 signatures made one by one"),
        ([(6, 7)], "under 2 signatures made one by one"),
        ([(6, ORDER - 7)], "under 2 signatures made one by one"),
        ([(5, ORDER - 7), (6, 7)], "under 3 signatures made one by one"),
    ],
)
def test_how_signatures_over_one_payload_differ(others: list[tuple[int, int]], said: str) -> None:
    assert anomalies._alike({signature(5, 7), *(signature(r, s) for r, s in others)}) == said


def test_findings_come_by_kind_and_then_by_time() -> None:
    heap = (
        Wanted(pcrs=ZERO, enclave=4, at=LATER),
        Wanted(pcrs=ZERO, enclave=3),
        Wanted(nonce=b"x", at=LATER),
        Wanted(nonce=b"x", at=LATER, user_data=b"y"),
    )
    assert [(kind, names) for kind, _, names in found(*heap)] == [
        ("survey.nonce-reused", ("2.cbor", "3.cbor")),
        ("survey.debug", ("1.cbor",)),
        ("survey.debug", ("0.cbor",)),
    ]


def test_documents_of_one_time_come_by_name() -> None:
    heap = Survey()
    for name in ("b", "a", "c"):
        heap.add(taken(name, Wanted(pcrs=ZERO, user_data=name.encode()).document()))
    (finding,) = anomalies.find(heap)
    assert [seen.name for seen in finding.documents] == ["a", "b", "c"]


def test_every_anomaly_says_in_one_sentence_what_it_may_mean_and_what_not() -> None:
    for anomaly in anomalies.ANOMALIES:
        assert anomaly.meaning.startswith("It may be "), anomaly.id
        assert "it does not " in anomaly.meaning or "is not " in anomaly.meaning, anomaly.id
        assert anomaly.meaning.count(". ") == 0, anomaly.id


def test_every_anomaly_in_its_words() -> None:
    """A changed word is seen: the file is what a survey shows of an anomaly, and is edited with it."""
    stated = "".join(
        f"{each.id}\n  {each.name}\n  {each.title}\n  {each.meaning}\n  {'--records' if each.needs_ledger else '-'}\n"
        for each in anomalies.ANOMALIES
    )
    assert stated == (ROOT / "tests" / "assets" / "survey-anomalies.txt").read_text()


@pytest.mark.parametrize("required", [False, True])
def test_a_check_has_its_title_and_what_it_rests_on(required: bool) -> None:  # noqa: FBT001  (a table's column)
    checks = anomalies.checks(anomalies.find(surveyed(*DEBUG)), ledger=False, refused=0, required=required)
    source = "nitroctl: comparison of documents with each other"
    refused, nonce, *_, revoked, _, debug = checks
    assert (refused.title, refused.source) == ("every document is authentic", None)
    assert nonce == Check(
        id="survey.nonce-reused",
        title=anomalies.NONCE_REUSED.title,
        outcome=Outcome.PASS,
        required=required,
        source=source,
    )
    assert revoked == Check(
        id="survey.revoked-record",
        title=anomalies.REVOKED_RECORD.title,
        outcome=Outcome.SKIP,
        detail="not checked: not requested (--records)",
        required=False,
    )
    assert debug == Check(
        id="survey.debug",
        title=anomalies.DEBUG.title,
        outcome=Outcome.FAIL if required else Outcome.WARN,
        detail=f"PCR0, PCR1 or PCR2 is zero. {anomalies.DEBUG.meaning}",
        required=required,
        source=source,
    )
