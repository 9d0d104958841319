"""A policy is put once, with its name, and what became of it is read back: never taken for granted."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from nitroctl.aws import identity, keys, policies
from nitroctl.aws.policies import Seen, Written
from nitroctl.errors import AwsFailed
from nitroctl.kms.document import parse
from tests.kms_live import KEY, REQUEST, SESSION, A, B, Policy, default, good

if TYPE_CHECKING:
    from tests.fakes.kms import Kms


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    taken: list[float] = []
    monkeypatch.setattr(policies, "_sleep", taken.append)
    return iter([taken])


def put(
    before: Policy, after: Policy, *, wait_s: float = 4, said: list[str] | None = None, bypass: bool = False
) -> Written:
    live = keys.read(KEY)
    return policies.write(
        live,
        json.dumps(after),
        before=parse(json.dumps(before), where="before"),
        after=parse(json.dumps(after), where="after"),
        bypass=bypass,
        wait_s=wait_s,
        say=(said if said is not None else []).append,
    )


def refused(after: Policy, **how: float) -> AwsFailed:
    with pytest.raises(AwsFailed) as caught:
        put(good(A), after, **how)  # type: ignore[arg-type]
    return caught.value


def test_the_policy_is_put_under_its_name_and_seen(kms_service: "Kms", pauses: Iterator[list[float]]) -> None:
    kms_service.create(good(A))
    written = put(good(A), good(A, B))
    assert (written.seen, written.doubt, written.unread) == (Seen.NEW, None, None)
    assert kms_service.asked("PutKeyPolicy") == [
        {
            "KeyId": KEY,
            "PolicyName": "default",
            "Policy": json.dumps(good(A, B)),
            "BypassPolicyLockoutSafetyCheck": False,
        }
    ]
    assert next(pauses) == [0.0]


def test_a_late_policy_is_waited_for(kms_service: "Kms", pauses: Iterator[list[float]]) -> None:
    kms_service.create(good(A))
    kms_service.knobs.late = 3
    assert put(good(A), good(B), wait_s=30).seen is Seen.NEW
    assert next(pauses) == [0.0, 0.5, 1.0, 2.0]


def test_waiting_ends(kms_service: "Kms", pauses: Iterator[list[float]]) -> None:
    kms_service.create(good(A))
    kms_service.knobs.late = 1000
    assert put(good(A), good(B), wait_s=60).seen is Seen.OLD
    taken = next(pauses)
    assert (sum(taken), max(taken)) == (60, 8)


def test_without_waiting_it_is_read_once(kms_service: "Kms", pauses: Iterator[list[float]]) -> None:
    kms_service.create(good(A))
    kms_service.knobs.late = 1
    assert put(good(A), good(B), wait_s=0).seen is Seen.OLD
    assert next(pauses) == [0.0]


def test_another_writer_after_ours_is_seen(kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.knobs.after["PutKeyPolicy"] = lambda: kms_service.put(good("ef" * 48))
    written = put(good(A), good(B))
    assert written.seen is Seen.OTHER
    assert written.found is not None
    assert "ef" * 48 in json.dumps(dict(written.found.raw))


def test_a_write_without_an_answer_may_have_been_done(kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.knobs.hang_up.add("PutKeyPolicy")
    written = put(good(A), good(B), wait_s=0)
    assert (written.seen, written.doubt and written.doubt.code) == (Seen.OLD, "aws.unreachable")


def test_a_write_whose_answer_was_lost_is_found_done(kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    kms_service.create(good(A))
    kms_service.knobs.replace["PutKeyPolicy"] = lambda _: Refusal("KMSInternalException", "it broke", 500)
    written = put(good(A), good(B))
    assert (written.seen, written.doubt and written.doubt.code) == (Seen.NEW, "aws.unavailable")
    assert len(kms_service.asked("PutKeyPolicy")) == 4


@pytest.mark.parametrize("broken", [True, False])
@pytest.mark.parametrize("aws_code", ["AccessDeniedException", "ThrottlingException"])
def test_a_refusal_after_a_lost_answer_does_not_say_that_nothing_was_written(
    kms_service: "Kms", *, broken: bool, aws_code: str
) -> None:
    from tests.fakes.kms import Refusal

    answers: Iterator[Any] = iter([Refusal("KMSInternalException", "it broke", 500) if broken else None])
    kms_service.create(good(A))
    kms_service.knobs.replace["PutKeyPolicy"] = lambda _: next(answers, Refusal(aws_code))
    written = put(good(A), good(B), bypass=True)
    assert (written.seen, written.doubt and written.doubt.details["aws_code"]) == (Seen.NEW, aws_code)


def test_a_policy_that_cannot_be_read_back_is_not_taken_for_there(kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    kms_service.create(good(A))
    kms_service.knobs.after["PutKeyPolicy"] = lambda: kms_service.knobs.refuse.update(
        GetKeyPolicy=Refusal("AccessDeniedException")
    )
    written = put(good(A), good(B))
    assert (written.seen, written.found) == (Seen.NOTHING, None)
    assert written.unread is not None
    assert written.unread.code == "aws.access-denied"


def test_a_new_role_is_waited_for(kms_service: "Kms", pauses: Iterator[list[float]]) -> None:
    kms_service.create(good(A))
    kms_service.knobs.late_roles = 3
    said: list[str] = []
    assert put(good(A), good(B), wait_s=60, said=said).seen is Seen.NEW
    assert said == [f"{KEY}: KMS does not know a principal of the policy, yet; trying again for 60 s"]
    assert next(pauses) == [2.0, 2.0, 2.0, 0.0]


def test_a_role_that_never_comes_is_told_of(kms_service: "Kms", pauses: Iterator[list[float]]) -> None:
    kms_service.create(good(A))
    kms_service.roles = set()
    error = refused(good(B), wait_s=10)
    assert (error.code, len(next(pauses)), len(kms_service.asked("PutKeyPolicy"))) == ("aws.invalid-principals", 5, 6)
    assert error.message == (
        f"{KEY}: kms:PutKeyPolicy was refused: MalformedPolicyDocumentException: Policy contains a statement with one "
        f"or more invalid principals {REQUEST}"
    )
    assert kms_service.policy() == parse_stored(good(A))


def parse_stored(policy: Policy) -> Policy:
    from tests.fakes import kms_policy

    return dict(json.loads(kms_policy.stored(json.dumps(policy))))


def test_a_key_that_is_being_made_is_waited_for(kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    kms_service.create(good(A))
    kms_service.state("Creating")
    kms_service.knobs.stumble["PutKeyPolicy"] = [Refusal("KMSInvalidStateException", "key is Creating")] * 2
    said: list[str] = []
    assert put(good(A), good(B), wait_s=60, said=said).seen is Seen.NEW
    assert said == [f"{KEY}: the key is Creating; trying again for 60 s"]


#: What KMS refuses: the policy, our code, and how often it is put (botocore takes a limit for throttling).
REFUSED = {
    "too large": (good(A, Admin={**default()["Statement"][0], "Sid": "x" * 33_000}), "aws.limit", 4),
    "a lockout": (good(B, Writer=None), "aws.policy-malformed", 1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_kms_refuses_was_not_written(kms_service: "Kms", name: str) -> None:
    after, code, tries = REFUSED[name]
    kms_service.create(good(A))
    assert refused(after).code == code
    assert len(kms_service.asked("PutKeyPolicy")) == tries
    assert kms_service.policy() == parse_stored(good(A))


def test_the_lockout_check_is_left_out_only_when_that_was_said(kms_service: "Kms") -> None:
    kms_service.create(good(A))
    assert put(good(A), good(B, Writer=None), bypass=True).seen is Seen.NEW
    assert kms_service.asked("PutKeyPolicy")[0]["BypassPolicyLockoutSafetyCheck"] is True


@pytest.mark.parametrize(
    ("aws_code", "code"),
    [
        ("AccessDeniedException", "aws.access-denied"),
        ("ThrottlingException", "aws.throttled"),
        ("ExpiredTokenException", "aws.credentials"),
        ("KMSInvalidStateException", "aws.key-state"),
        ("NotFoundException", "aws.not-found"),
        ("UnsupportedOperationException", "aws.refused"),
        ("ValidationException", "aws.refused"),
    ],
)
def test_a_refusal_is_raised_with_its_code(kms_service: "Kms", aws_code: str, code: str) -> None:
    from tests.fakes.kms import Refusal

    kms_service.create(good(A))
    kms_service.knobs.refuse["PutKeyPolicy"] = Refusal(aws_code)
    assert refused(good(B)).code == code


def test_sts_says_who_calls(kms_service: "Kms") -> None:
    assert identity.caller("eu-west-1") == SESSION


def test_who_calls_is_not_known_without_sts(kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    kms_service.knobs.refuse["GetCallerIdentity"] = Refusal("ExpiredToken", "The security token expired", 403)
    with pytest.raises(AwsFailed) as caught:
        identity.caller("eu-west-1")
    assert (caught.value.code, caught.value.details["operation"]) == ("aws.credentials", "sts:GetCallerIdentity")
