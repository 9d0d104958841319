"""Which image used which key when, and what went past it: one change each."""

import dataclasses
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.checks import Outcome
from nitroctl.errors import CannotAnswer, NitroctlError
from nitroctl.kms.trail import Line, Trail, gravest
from nitroctl.kms.trail_files import Found
from nitroctl.kms.trail_image import Images
from nitroctl.records import NITRO_TPM, Entry, Ledger, Status
from tests import records, trails
from tests.trails import allow, attested, call, denied, policy, recipient, registers

#: Ten minutes after records.AT, when entries are recorded, the day before any call.
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ACTIVE = records.active()


def minute(number: int) -> datetime:
    return T0 + timedelta(minutes=number)


def follow(
    found: Iterable[Mapping[str, Any] | NitroctlError],
    *entries: Entry,
    named: Sequence[str] = (),
    window: int = 10_000,
    ledger: bool = True,
) -> tuple[list[Line | NitroctlError], Trail]:
    trail = Trail(Images(Ledger.of(entries or [ACTIVE]) if ledger else None), named, window=window)
    items = [each if isinstance(each, NitroctlError) else Found(f"log: {n}", each) for n, each in enumerate(found)]
    return list(trail.lines(items)), trail


def told(found: Iterable[Mapping[str, Any]], *entries: Entry, **how: Any) -> list[tuple[str, str]]:
    """Return finding and words of each line."""
    return [(line.id, line.said) for line in follow(found, *entries, **how)[0] if isinstance(line, Line)]


def only(found: Iterable[Mapping[str, Any]], *entries: Entry, **how: Any) -> Line:
    (line,) = follow(found, *entries, **how)[0]
    assert isinstance(line, Line)
    return line


def test_an_attested_use_by_an_image_that_is_active() -> None:
    line = only([attested(1)])
    assert (line.id, line.outcome, line.said) == ("trail.recorded", Outcome.PASS, "signer-1.4.2@prod")
    assert line.judged is not None
    assert line.judged.entry == ACTIVE
    assert line.judged.compared == (0, 1, 2)
    assert line.policy is None


def lived(version: str = "1.4.2", **times: Any) -> Entry:
    """Return an entry whose life had these steps."""
    status = Status.REVOKED if "revoked_at" in times else Status.RETIRED if "retired_at" in times else Status.ACTIVE
    return dataclasses.replace(records.entry(version), status=status, **times)


@pytest.mark.parametrize(
    ("entry", "finding", "outcome", "said"),
    [
        (lived(activated_at=minute(5)), "trail.recorded", "pass", ""),
        (lived(activated_at=minute(6)), "trail.early", "warn", ", which became active only at 2026-11-21T10:06:00Z"),
        (records.entry(), "trail.candidate", "fail", ", which was not active"),
        (lived(activated_at=T0, retired_at=minute(6)), "trail.recorded", "pass", ""),
        (lived(activated_at=T0, retired_at=minute(5)), "trail.retired", "fail", ", retired since 2026-11-21T10:05:00Z"),
        (lived(retired_at=minute(6)), "trail.candidate", "fail", ", which was not active"),
        (
            lived(activated_at=T0, revoked_at=minute(6)),
            "trail.revoked-later",
            "warn",
            ", active then, revoked at 2026-11-21T10:06:00Z",
        ),
        (lived(activated_at=T0, revoked_at=minute(5)), "trail.revoked", "fail", ", revoked since 2026-11-21T10:05:00Z"),
    ],
)
def test_the_status_at_the_time_of_the_call_counts(entry: Entry, finding: str, outcome: str, said: str) -> None:
    line = only([attested(5)], entry)
    assert (line.id, line.outcome, line.said) == (finding, outcome, f"signer-1.4.2@prod{said}")


def test_an_image_revoked_under_another_name_is_revoked() -> None:
    other = dataclasses.replace(lived(activated_at=T0, revoked_at=minute(1)), component="other")
    assert only([attested(5)], ACTIVE, other).id == "trail.revoked"
    assert only([attested(0)], ACTIVE, other).id == "trail.revoked-later"


def test_an_image_that_is_not_recorded_and_the_nearest_that_is() -> None:
    logged = {**registers(), 2: records.register("x"), 0: records.register("y")}
    line = only([attested(1, additionalEventData={"recipient": recipient(logged)})])
    near = "1 of 3 registers equal those of signer-1.4.2@prod; PCR0, PCR2 differ"
    assert (line.id, line.outcome) == ("trail.unknown", Outcome.FAIL)
    assert line.said == f"an image that is not recorded, PCR0 {records.register('y').hex()}; {near}"
    assert line.judged is not None
    assert line.judged.nearest == near


def test_one_image_register_that_differs_is_another_image() -> None:
    logged = {**registers(), 1: records.register("x")}
    assert only([attested(1, additionalEventData={"recipient": recipient(logged)})]).id == "trail.unknown"


def test_a_pinned_role_that_differs_is_told_apart_from_another_image() -> None:
    entry = records.active(pcrs={**records.pcrs("1.4.2"), 3: pcr.for_role(trails.ROLE)})
    assert only([attested(1)], entry).id == "trail.recorded"
    entry = records.active(pcrs={**records.pcrs("1.4.2"), 3: records.register("x")})
    line = only([attested(1)], entry)
    assert (line.id, line.said) == (
        "trail.registers",
        "the image of signer-1.4.2@prod, but PCR3 is not what is recorded",
    )


def test_what_is_pinned_and_not_logged_is_not_compared_and_that_is_said() -> None:
    entry = records.active(pcrs={**records.pcrs("1.4.2"), 16: records.register("x")})
    lines, trail = follow([attested(1)], entry)
    assert isinstance(lines[0], Line)
    assert lines[0].id == "trail.recorded"
    assert trail.not_logged == {16}


def test_an_old_trail_logs_pcr0_alone() -> None:
    logged = {0: registers()[0]}
    entry = records.active(pin=(1, 2))
    line = only([attested(1, additionalEventData={"recipient": recipient(logged)})], entry)
    assert line.judged is not None
    assert (line.id, line.judged.compared, line.judged.not_logged) == ("trail.recorded", (0,), (1, 2))


@pytest.mark.parametrize("zero", [(0, 1, 2), (0, 1, 2, 3, 4, 8)])
def test_debug_mode(zero: Sequence[int]) -> None:
    logged = registers() | dict.fromkeys(zero, pcr.ZERO)
    line = only([attested(1, additionalEventData={"recipient": recipient(logged)})])
    assert (line.id, line.outcome) == ("trail.debug", Outcome.FAIL)
    assert only([attested(1, additionalEventData={"recipient": recipient(logged)})], ledger=False).id == "trail.debug"


def test_registers_that_cannot_be_read_are_a_no() -> None:
    line = only([attested(1, additionalEventData={"recipient": {}})])
    assert (line.id, line.outcome) == ("trail.registers-unreadable", Outcome.FAIL)


def test_without_records_nothing_is_said_of_the_image() -> None:
    line = only([attested(1)], ledger=False)
    said = f"attested by PCR0 {registers()[0].hex()}, not compared"
    assert (line.id, line.outcome, line.said) == ("trail.not-compared", Outcome.SKIP, said)


def tpm(version: str = "7", **changed: bytes) -> dict[str, Any]:
    values = {4: records.register((version, 4)), 7: records.register((version, 7))}
    values |= {int(name[1:]): value for name, value in changed.items()}
    block = {f"attestationDocumentNitroTPMPCR{index}": value.hex() for index, value in values.items()}
    return {"recipient": {"attestationDocumentModuleId": f"{trails.INSTANCE}-tpm0000000000000000"} | block}


@pytest.mark.parametrize(
    ("block", "finding"),
    [
        (tpm(), "trail.recorded"),
        (tpm(p12=pcr.ZERO), "trail.recorded"),
        (tpm(p12=records.register("x")), "trail.registers"),
        (tpm(p4=records.register("x")), "trail.unknown"),
    ],
)
def test_nitrotpm(block: dict[str, Any], finding: str) -> None:
    entry = records.active("7", platform=NITRO_TPM, pcrs={**records.pcrs("7", 4, 7), 12: pcr.ZERO})
    assert only([attested(1, additionalEventData=block)], entry).id == finding
    assert only([attested(1, additionalEventData=block)]).id == "trail.unknown"  # an enclave's records say nothing


@pytest.mark.parametrize(
    ("changes", "outcome", "remark"),
    [
        ({}, Outcome.PASS, None),
        (
            {"userIdentity": trails.identity(session="i-0aaaaaaaaaaaaaaaa")},
            Outcome.WARN,
            ("trail.credentials", f"credentials of i-0aaaaaaaaaaaaaaaa with a document of {trails.INSTANCE}"),
        ),
        (
            {"userIdentity": trails.identity(role="other")},
            Outcome.WARN,
            (
                "trail.role",
                f"PCR3 is not that of arn:aws:iam::{trails.ACCOUNT}:role/other, whose credentials were used",
            ),
        ),
        (
            {"additionalEventData": {"recipient": recipient({**registers(), 4: records.register("x")})}},
            Outcome.FAIL,
            ("trail.instance", f"PCR4 is not that of {trails.INSTANCE}, which its module id names"),
        ),
        (
            {"additionalEventData": {"recipient": recipient({**registers(), 3: pcr.ZERO, 4: pcr.ZERO})}},
            Outcome.PASS,
            None,
        ),
    ],
)
def test_document_and_credentials_must_fit(
    changes: dict[str, Any], outcome: Outcome, remark: tuple[str, str] | None
) -> None:
    line = only([attested(1, **changes)])
    assert (line.outcome, line.remarks) == (outcome, (remark,) if remark else ())


BY = f"by {trails.ADMIN} from 192.0.2.7"


@pytest.mark.parametrize("name", ["Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair"])
def test_an_unattested_use_of_a_bound_key_is_a_no(name: str) -> None:
    line = only([call(1, name)], named=[trails.KEY_ID])
    assert (line.id, line.outcome, line.said) == ("trail.unattested", Outcome.FAIL, f"without attestation {BY}")


def test_a_dry_run_that_would_have_been_allowed_is_a_no() -> None:
    line = only([call(1, errorCode="DryRunOperation")], named=[trails.KEY_ID])
    assert (line.id, line.said) == ("trail.unattested", f"a dry run would have been allowed without attestation {BY}")


def test_reencryption_is_decryption_without_attestation() -> None:
    line = only([call(1, "ReEncrypt")], named=[trails.KEY_ID])
    assert (line.id, line.outcome) == ("trail.reencrypt", Outcome.FAIL)


@pytest.mark.parametrize("how", ["used", "policy", "named"])
def test_a_key_is_bound_by_its_use_its_policy_or_its_name(how: str) -> None:
    event = {"used": [attested(9)], "policy": [policy(9, allow())], "named": []}[how]
    lines, trail = follow([call(1), *event], named=[trails.KEY_ID] if how == "named" else [])
    assert isinstance(lines[0], Line)
    assert lines[0].id == "trail.unattested"
    assert [key.bound for key in trail.bound()] == [how]
    assert trail.refused


@pytest.mark.parametrize(
    "event",
    [
        policy(9, allow() | {"Condition": {}}),
        policy(9, allow()) | {"errorCode": "AccessDenied"},
        attested(9) | {"errorCode": "AccessDenied"},
        attested(9, resources=[{"ARN": trails.OTHER}]),
    ],
)
def test_a_key_is_not_bound_by_less(event: dict[str, Any]) -> None:
    _, trail = follow([call(1), event])
    assert trails.KEY_ID not in {key.id for key in trail.bound()}
    assert "trail.unattested" not in {finding for _, finding in trail.counts}


def test_replicas_share_what_a_key_is_bound_to() -> None:
    replica = trails.KEY.replace("eu-west-1", "us-east-1")
    assert told([attested(1), call(2, resources=[{"ARN": replica}])])[1][0] == "trail.unattested"


def test_uses_before_anything_said_that_the_key_is_bound_are_told_at_the_end() -> None:
    lines, trail = follow([call(1), call(2), call(3), attested(9)], window=1)
    assert [line.id for line in lines if isinstance(line, Line)] == ["trail.unattested", "trail.recorded"]
    (key,) = trail.missed()
    assert (key.missed, key.missed_first, key.missed_last) == (2, trails.at(1), trails.at(2))
    assert trail.refused


def test_a_replica_has_a_policy_of_its_own() -> None:
    there: dict[str, Any] = {
        "resources": [{"ARN": trails.KEY.replace("eu-west-1", "us-east-1")}],
        "awsRegion": "us-east-1",
    }
    lines, _ = follow([policy(1, allow("9.9.9")), attested(2, **there)])
    assert isinstance(lines[1], Line)
    assert (lines[1].policy, lines[1].outcome) == (None, Outcome.PASS)


def test_with_named_keys_no_other_is_looked_at() -> None:
    other: dict[str, Any] = {"resources": [{"ARN": trails.OTHER}]}
    assert told([call(1, **other), attested(2, **other), attested(3)], named=[trails.KEY_ID]) == [
        ("trail.recorded", "signer-1.4.2@prod")
    ]


@pytest.mark.parametrize(
    ("event", "finding", "said"),
    [
        (denied(2), "trail.denied", f"denied {BY}; with what document, if any, is not logged"),
        (call(2, errorCode="ThrottlingException"), "trail.failed", f"failed {BY}: ThrottlingException"),
        (denied(2, name="PutKeyPolicy"), "trail.failed", f"failed {BY}: AccessDenied"),
    ],
)
def test_what_kms_did_not_do_is_told_and_not_judged(event: dict[str, Any], finding: str, said: str) -> None:
    lines, trail = follow([event], named=[trails.KEY_ID])
    assert isinstance(lines[0], Line)
    assert (lines[0].id, lines[0].outcome, lines[0].said) == (finding, Outcome.SKIP, said)
    assert not trail.refused


def test_a_denied_call_on_a_key_that_is_not_bound_is_not_told() -> None:
    assert told([denied(1), call(2, "CreateGrant")]) == []


def test_random_bytes_are_judged_when_they_are_attested() -> None:
    found = [attested(1, name="GenerateRandom", resources=[]), call(2, "GenerateRandom", resources=[])]
    lines, trail = follow(found)
    assert [(line.id, line.event.key_id) for line in lines if isinstance(line, Line)] == [("trail.recorded", "")]
    assert (trail.bound(), trail.keyless) == ([], 0)


def test_an_unattested_use_that_names_no_key_is_counted() -> None:
    assert follow([call(1, resources=[])])[1].keyless == 1
    assert follow([call(1, resources=[])], named=[trails.KEY_ID])[1].keyless == 1


@pytest.mark.parametrize(
    ("event", "finding", "said"),
    [
        (policy(2, allow()), "trail.changed", f"every Allow of data names attestation; names signer-1.4.2@prod; {BY}"),
        (
            policy(2, allow("1.4.2"), allow("9.9.9")),
            "trail.weakened",
            f"every Allow of data names attestation; names signer-1.4.2@prod; names 1 image that is not recorded; {BY}",
        ),
        (
            policy(2, allow() | {"Condition": {}}),
            "trail.weakened",
            f"open without attestation, unless a Deny covers it: Release 1.4.2; {BY}",
        ),
        (
            call(2, "CreateGrant", requestParameters={"granteePrincipal": "p", "operations": ["Decrypt"]}),
            "trail.weakened",
            f"to p: Decrypt; {BY}",
        ),
        (call(2, "RetireGrant", requestParameters={"grantId": "g"}), "trail.changed", f"g; {BY}"),
        (call(2, "ScheduleKeyDeletion"), "trail.changed", BY),
        (call(2, "ImportKeyMaterial"), "trail.weakened", BY),
    ],
)
def test_changes_of_bound_keys(event: dict[str, Any], finding: str, said: str) -> None:
    assert told([event], named=[trails.KEY_ID]) == [(finding, said)]


def test_an_image_is_held_against_the_policy_that_was_set_last_before() -> None:
    found = [policy(1, allow()), attested(2), policy(3, allow("9.9.9")), attested(3), policy(4, allow())]
    lines = [line for line in follow(found)[0] if isinstance(line, Line) and line.judged]
    assert [line.policy for line in lines] == [
        (trails.at(1), "event-1-PutKeyPolicy", True),
        (trails.at(3), "event-3-PutKeyPolicy", False),
    ]
    assert lines[1].outcome is Outcome.WARN
    assert lines[1].remarks == (("trail.policy", "the policy set at 2026-11-21T10:03:00Z does not name it"),)


def test_lines_are_in_order_of_time_as_far_as_the_window_reaches() -> None:
    found = [attested(number) for number in range(20)]
    random.Random(7).shuffle(found)
    lines, trail = follow(found)
    assert [line.event.time for line in lines if isinstance(line, Line)] == [trails.at(n) for n in range(20)]
    assert trail.disordered == 0
    lines, trail = follow(list(reversed([attested(number) for number in range(20)])), window=5)
    assert trail.disordered > 0
    assert (trail.first, trail.last, len(lines)) == (trails.at(0), trails.at(19), 20)


def test_a_record_that_is_read_twice_is_counted_once_and_another_with_its_id_is_not() -> None:
    lines, trail = follow([attested(1), attested(1), attested(1, "x"), call(2, eventID=""), call(2, eventID="")])
    assert (len(lines), trail.doubled) == (4, 1)


def test_the_memory_of_records_is_bounded_and_reaches_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.kms.trail._REMEMBERED", 3)
    events = [attested(number) for number in range(9)]
    assert follow([*events, events[8], events[6], events[5]])[1].doubled == 2
    assert follow([*events, attested(10), events[2]])[1].doubled == 0


def test_calls_of_one_kind_are_new_once() -> None:
    lines, trail = follow([attested(1), attested(2), attested(3, "x"), call(4), call(5), policy(6, allow())])
    assert [line.new for line in lines if isinstance(line, Line)] == [True, False, True, True, False, True]
    groups = gravest(trail.groups.values())
    assert [(group.line.id, group.count, group.first, group.last) for group in groups] == [
        ("trail.unknown", 1, trails.at(3), trails.at(3)),
        ("trail.unattested", 2, trails.at(4), trails.at(5)),
        ("trail.recorded", 2, trails.at(1), trails.at(2)),
        ("trail.changed", 1, trails.at(6), trails.at(6)),
    ]


def test_more_keys_than_are_followed_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.kms.trail._MOST_KEYS", 1)
    _, trail = follow([attested(1), call(2, resources=[{"ARN": trails.OTHER}])])
    assert (trail.overflow, trail.keyless) == (1, 0)


def test_errors_are_passed_on_and_counted() -> None:
    fault = CannotAnswer("x", "kms.trail-unreadable")
    lines, trail = follow([fault, call(1, eventTime="yesterday"), attested(2)])
    assert lines[0] is fault
    assert isinstance(lines[1], CannotAnswer)
    assert trail.unread == 2


BAD = [call(0), attested(0, "x"), attested(0, additionalEventData={"recipient": {}}), call(0, "ReEncrypt")]


@given(
    st.lists(st.sampled_from([attested(0), denied(0), policy(0, allow()), call(0, "DescribeKey"), *BAD]), max_size=12),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_whatever_surrounds_it_one_use_that_must_not_be_is_a_no(
    around: list[dict[str, Any]], window: int, shuffled: random.Random
) -> None:
    """No order, window or company of records hides one: not even that the key is bound only later."""
    found = [
        event | {"eventTime": trails.at(shuffled.randrange(60)), "eventID": f"e{number}"}
        for number, event in enumerate([attested(0), *around])
    ]
    shuffled.shuffle(found)
    _, trail = follow(found, window=window)
    assert trail.refused == any(event in BAD for event in around)
