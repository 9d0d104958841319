"""Whether whoever gives a key a policy can replace it again: now, as another session, and when times have passed."""

import json
from typing import Any

import pytest

from nitroctl.checks import Check, Outcome
from nitroctl.kms import document, lockout
from tests.kms_live import AT, ROLE, SESSION, WRITER, A, good, live
from tests.kms_requests import ROOT, statement

OTHER_SESSION = SESSION.replace("/policy/", "/policies/")
BOB = "arn:aws:sts::111122223333:federated-user/bob"


def judge(who: str = SESSION, *, bypass: bool = False, **changes: Any) -> Check:
    after = document.parse(json.dumps(good(A, **changes)), where="new")
    return lockout.judge(live(good(A)), after, who, bypass=bypass, at=AT)


def writer(principal: str, condition: dict[str, Any] | None = None, *, sid: str = "Writer") -> dict[str, Any]:
    return statement(Sid=sid, Principal={"AWS": principal}, Action="kms:PutKeyPolicy", Condition=condition)


def before(time: str) -> dict[str, Any]:
    return {"DateLessThan": {"aws:CurrentTime": time}}


#: Who calls, the statement about the writer, and what the question about the lockout answers.
LOCKOUT: dict[str, tuple[str, dict[str, Any], Outcome, str]] = {
    "a role that is named": (WRITER, {}, Outcome.PASS, f"{WRITER} may call kms:PutKeyPolicy"),
    "a role that is not": (
        ROLE, {}, Outcome.FAIL,
        f"{ROLE} may not call kms:PutKeyPolicy under the new policy: no statement allows it",
    ),
    "a session of another name": (
        OTHER_SESSION, {}, Outcome.FAIL,
        f"{OTHER_SESSION} may not call kms:PutKeyPolicy under the new policy: no statement allows it",
    ),
    "nobody any more": (SESSION, {"Writer": None}, Outcome.FAIL,
        f"{SESSION} may not call kms:PutKeyPolicy under the new policy: no statement allows it"),
    "a denial": (
        SESSION,
        {"No": statement("Deny", Sid="No", Principal="*", Action="kms:Put*")},
        Outcome.FAIL,
        f"{SESSION} may not call kms:PutKeyPolicy under the new policy: No denies it",
    ),
    "the account's IAM policies": (
        SESSION,
        {"Writer": statement(Sid="Writer", Principal={"AWS": ROOT}, Action="kms:PutKeyPolicy")},
        Outcome.WARN,
        f"for {SESSION} it depends on the IAM policies of the caller, which were not given; KMS asks it too",
    ),
    "the account itself": (
        ROOT,
        {"Writer": statement(Sid="Writer", Principal={"AWS": ROOT}, Action="kms:PutKeyPolicy")},
        Outcome.PASS,
        f"{ROOT} may call kms:PutKeyPolicy",
    ),
    "only without the bypass": (
        SESSION,
        {
            "Writer": statement(
                Sid="Writer",
                Principal={"AWS": WRITER},
                Action="kms:PutKeyPolicy",
                Condition={"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "true"}},
            )
        },
        Outcome.FAIL,
        f"{SESSION} may not call kms:PutKeyPolicy under the new policy: no statement allows it",
    ),
    "a federated user": (
        BOB, {}, Outcome.WARN,
        f"whether it can was not judged: {BOB} is neither a role, a user nor an account's root; KMS asks it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOCKOUT)
def test_the_caller_is_not_locked_out(name: str) -> None:
    who, changes, outcome, detail = LOCKOUT[name]
    found = judge(who, **changes)
    assert (found.outcome, found.detail) == (outcome, detail)


def test_a_final_policy_is_told_of() -> None:
    found = judge(bypass=True, Writer=None)
    assert (found.outcome, found.detail) == (
        Outcome.WARN,
        f"{SESSION} may not replace it again: no statement allows it; accepted with --bypass-lockout-check",
    )


MAY = f"{SESSION} may call kms:PutKeyPolicy"
NAME_THE_ROLE = "name the role in place of its session: aws iam get-role --role-name policy shows its ARN"
AT_ANY_TIME = "let a role replace the policy at any time, without a condition on the time"
CHRISTMAS, NEW_YEAR = "2026-12-24T00:00:00Z", "2027-01-01T00:00:00Z"
FUTURE = {"DateGreaterThan": {"aws:CurrentTime": CHRISTMAS}}
OPEN = f"for {SESSION} it depends on the IAM policies of the caller, which were not given; KMS asks it too"

#: What lets the caller back in and does not last: the statements, what is said of them, and what to do.
WEAK: dict[str, tuple[dict[str, Any], str, str]] = {
    "only this session": (
        {"Writer": writer(SESSION)},
        f"{MAY}, and no other session of its role may: Writer names this session, not its role",
        NAME_THE_ROLE,
    ),
    "until a time": (
        {"Writer": writer(WRITER, before(CHRISTMAS))},
        f"{MAY} until {CHRISTMAS} only: Writer holds for a time only",
        AT_ANY_TIME,
    ),
    "up to a time and its last second": (
        {"Writer": writer(WRITER, {"DateLessThanEquals": {"aws:CurrentTime": CHRISTMAS}})},
        f"{MAY} until {CHRISTMAS} only: Writer holds for a time only",
        AT_ANY_TIME,
    ),
    "until a time in another zone": (
        {"Writer": writer(WRITER, before("2026-12-24T01:00:00+01:00"))},
        f"{MAY} until {CHRISTMAS} only: Writer holds for a time only",
        AT_ANY_TIME,
    ),
    "until a time without a zone": (
        {"Writer": writer(WRITER, before("2026-12-24"))},
        f"{MAY} until {CHRISTMAS} only: Writer holds for a time only",
        AT_ANY_TIME,
    ),
    "until a time in seconds": (
        {"Writer": writer(WRITER, {"NumericLessThan": {"aws:EpochTime": "1798070400"}})},
        f"{MAY} until {CHRISTMAS} only: Writer holds for a time only",
        AT_ANY_TIME,
    ),
    "a year that is compared as text": (
        {"Writer": writer(WRITER, {"StringLike": {"aws:CurrentTime": "2026-*"}})},
        f"{MAY} for a time only: Writer holds for a time only",
        AT_ANY_TIME,
    ),
    "a time whatever the case of its key": (
        {"Writer": writer(WRITER, {"datelessthan": {"AWS:currentTIME": CHRISTMAS}})},
        f"{MAY} until {CHRISTMAS} only: Writer holds for a time only",
        AT_ANY_TIME,
    ),
    "the later of two times": (
        {
            "Writer": writer(WRITER, before(CHRISTMAS)),
            "Deputy": writer(WRITER, before(NEW_YEAR), sid="Deputy"),
        },
        f"{MAY} until {NEW_YEAR} only: Writer holds for a time only; Deputy holds for a time only",
        AT_ANY_TIME,
    ),
    "this session, until a time": (
        {"Writer": writer(SESSION, before(CHRISTMAS))},
        f"{MAY} until {CHRISTMAS} only: Writer names this session, not its role; Writer holds for a time only",
        f"{NAME_THE_ROLE}; {AT_ANY_TIME}",
    ),
    "this session, and the role until a time": (
        {"Writer": writer(SESSION), "Deputy": writer(WRITER, before(CHRISTMAS), sid="Deputy")},
        f"{MAY} until {CHRISTMAS} only: Writer names this session, not its role; Deputy holds for a time only",
        f"{NAME_THE_ROLE}; {AT_ANY_TIME}",
    ),
    "a denial from a time on": (
        {"No": statement("Deny", Sid="No", Principal="*", Action="kms:PutKeyPolicy", Condition=FUTURE)},
        f"{MAY} until {CHRISTMAS} only: No denies it later",
        AT_ANY_TIME,
    ),
    "a denial that excepts this session": (
        {
            "Writer": writer(WRITER),
            "No": statement(
                "Deny",
                Sid="No",
                Principal=None,
                NotPrincipal={"AWS": ["111122223333", WRITER, SESSION]},
                Action="kms:PutKeyPolicy",
            ),
        },
        f"{MAY}, and no other session of its role may: No names this session, not its role",
        NAME_THE_ROLE,
    ),
    "the account's IAM policies until a time": (
        {"Writer": writer(ROOT, before(CHRISTMAS))},
        f"{OPEN}; from {CHRISTMAS} on nothing allows it: Writer holds for a time only",
        AT_ANY_TIME,
    ),
    "the account's IAM policies for a year that is compared as text": (
        {"Writer": writer(ROOT, {"StringLike": {"aws:CurrentTime": "2026-*"}})},
        f"{OPEN}; from some time on nothing allows it: Writer holds for a time only",
        AT_ANY_TIME,
    ),
}


@pytest.mark.parametrize("name", WEAK)
def test_a_way_back_that_does_not_last_is_told_and_does_not_refuse(name: str) -> None:
    changes, detail, remedy = WEAK[name]
    found = judge(**changes)
    assert (found.outcome, found.detail, found.remedy) == (Outcome.WARN, detail, remedy)
    assert not found.required


LATER = f"{MAY}, and later whoever the account's IAM policies let"
#: What lasts, by whatever statement, beside one that does not.
LASTING: dict[str, tuple[dict[str, Any], str]] = {
    "the role": ({"Writer": writer(WRITER)}, MAY),
    "the role beside its session": ({"Writer": writer(WRITER), "This": writer(SESSION, sid="This")}, MAY),
    "the role beside a time": ({"Writer": writer(WRITER), "Now": writer(WRITER, before(CHRISTMAS), sid="Now")}, MAY),
    "everybody": ({"Writer": writer("*")}, MAY),
    "the account beside the session": ({"Writer": writer(SESSION), "Account": writer(ROOT, sid="Account")}, LATER),
    "the account beside a time": (
        {"Writer": writer(WRITER, before(CHRISTMAS)), "Account": writer(ROOT, sid="Account")},
        LATER,
    ),
    "from a time that has passed": ({"Writer": writer(WRITER, {"DateGreaterThan": {"aws:CurrentTime": "2026"}})}, MAY),
    "a denial that has passed": (
        {
            "No": statement(
                "Deny", Sid="No", Principal="*", Action="kms:PutKeyPolicy", Condition=before("2026-11-20T00:00:00Z")
            )
        },
        MAY,
    ),
    "a denial of something else": (
        {"No": statement("Deny", Sid="No", Principal="*", Action="kms:Decrypt", Condition=FUTURE)},
        MAY,
    ),
}


@pytest.mark.parametrize("name", LASTING)
def test_a_way_back_that_lasts_passes(name: str) -> None:
    changes, detail = LASTING[name]
    found = judge(**changes)
    assert (found.outcome, found.detail, found.remedy) == (Outcome.PASS, detail, None)


def test_a_user_needs_no_session() -> None:
    user = "arn:aws:iam::111122223333:user/eve"
    assert judge(user, Writer=writer(user)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({}, f"{MAY}, but for a while from {CHRISTMAS} on it may not: No denies it later"),
        (
            {"Writer": writer(ROOT)},
            f"{OPEN}; for a while from {CHRISTMAS} on nothing allows it: No denies it later",
        ),
        (
            {"Writer": writer(WRITER, before("2027-06-01T00:00:00Z"))},
            f"{MAY} until {CHRISTMAS} only: No denies it later",  # the first of two ends, which is the one to know
        ),
    ],
    ids=["the-role", "the-account", "a-role-that-ends"],
)
def test_a_lockout_between_two_times_is_told_as_what_it_is(changes: dict[str, Any], detail: str) -> None:
    between = {"DateGreaterThan": {"aws:CurrentTime": CHRISTMAS}, "DateLessThan": {"aws:CurrentTime": NEW_YEAR}}
    found = judge(
        **changes, No=statement("Deny", Sid="No", Principal="*", Action="kms:PutKeyPolicy", Condition=between)
    )
    assert (found.outcome, found.detail, found.remedy) == (Outcome.WARN, detail, AT_ANY_TIME)


def test_of_many_times_the_last_counts_all_the_same() -> None:
    times = [f"{2100 + number}-01-01T00:00:00Z" for number in range(300)]
    found = judge(Writer=writer(WRITER, {"DateLessThan": {"aws:CurrentTime": times}}))
    assert (found.outcome, found.detail) == (Outcome.WARN, f"{MAY} for a time only: Writer holds for a time only")


def test_a_time_that_is_none_leaves_it_to_kms() -> None:
    found = judge(Writer=writer(WRITER, before("tomorrow")))
    assert (found.outcome, found.detail) == (
        Outcome.WARN,
        f"for {SESSION} it depends on the condition on aws:CurrentTime: 'tomorrow' is no time; KMS asks it too",
    )


NOT_JUDGED = f"whether it can was not judged: {BOB} is neither a role, a user nor an account's root; KMS asks it"


def test_a_federated_session_that_is_named_ends() -> None:
    found = judge(BOB, Writer=writer(BOB))
    assert (found.outcome, found.detail, found.remedy) == (
        Outcome.WARN,
        f"{NOT_JUDGED}; Writer names it, and a federated session ends",
        "name a role or a user in place of the session, and run it as that one",
    )


def test_a_federated_session_beside_the_account_is_only_not_judged() -> None:
    found = judge(BOB, Writer=writer(BOB), Account=writer(ROOT, sid="Account"))
    assert (found.outcome, found.detail, found.remedy) == (Outcome.WARN, NOT_JUDGED, None)
