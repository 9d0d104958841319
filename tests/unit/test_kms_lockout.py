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
    return lockout.judge(live(good(A)), after, who, bypass=bypass, at=AT).check


def writer(principal: str, condition: dict[str, Any] | None = None, *, sid: str = "Writer") -> dict[str, Any]:
    return statement(Sid=sid, Principal={"AWS": principal}, Action="kms:PutKeyPolicy", Condition=condition)


def denying(
    principal: str, condition: dict[str, Any] | None = None, action: str = "kms:PutKeyPolicy"
) -> dict[str, Any]:
    named = principal if principal == "*" else {"AWS": principal}
    return statement("Deny", Sid="No", Principal=named, Action=action, Condition=condition)


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
IN_2027 = {"StringLike": {"aws:CurrentTime": "2027-*"}}
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
NEEDS_MFA = f"for {SESSION} it depends on aws:MultiFactorAuthPresent, which was not given; KMS asks it too"
ONLY_THIS = "no other session of its role may: Writer names this session, not its role"
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
        (f"{MAY}, and from {CHRISTMAS} on no other session of its role may: Writer names this session, not its role;"
        " Deputy holds for a time only"),
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
        (f"{MAY}, and for another session of its role it depends on NotPrincipal, which names the caller but not its"
        " session: what IAM then does varies: No names this session, not its role"),
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
    "only this session, with MFA": (
        {"Writer": writer(SESSION, MFA)}, f"{NEEDS_MFA}; {ONLY_THIS}", NAME_THE_ROLE,
    ),
    "only this session, from an address": (
        {"Writer": writer(SESSION, {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})},
        f"for {SESSION} it depends on aws:SourceIp, which was not given; KMS asks it too; {ONLY_THIS}",
        NAME_THE_ROLE,
    ),
    "only this session, with MFA until a time": (
        {"Writer": writer(SESSION, MFA | before(CHRISTMAS))},
        (f"{NEEDS_MFA}; from {CHRISTMAS} on nothing allows it: Writer names this session, not its role;"
        " Writer holds for a time only"),
        f"{NAME_THE_ROLE}; {AT_ANY_TIME}",
    ),
    "only sessions": (
        {"Writer": writer(SESSION), "Deputy": writer(SESSION.upper().replace("ARN:AWS:STS", "arn:aws:sts").replace(
            "ASSUMED-ROLE/POLICY/CI", "assumed-role/POLICY/second"), sid="Deputy")},
        f"{MAY}, and no session of its role may that is not named: Writer names this session, not its role",
        NAME_THE_ROLE,
    ),
    "a session of another role is nobody's here": (
        {"Writer": writer(SESSION), "Deputy": writer(OTHER_SESSION, sid="Deputy")}, f"{MAY}, and {ONLY_THIS}",
        NAME_THE_ROLE,
    ),
    "a session that is denied lets nobody in": (
        {"Writer": writer(SESSION), "No": denying(f"{SESSION}-2")}, f"{MAY}, and {ONLY_THIS}", NAME_THE_ROLE,
    ),
    "the account, for the role alone": (
        {
            "Writer": writer(SESSION),
            "Account": writer(ROOT, {"ArnEquals": {"aws:PrincipalArn": WRITER}}, sid="Account"),
        },
        (f"{MAY}, and for another session of its role it depends on aws:PrincipalArn, which was not given; the IAM"
        " policies of the caller, which were not given: Writer names this session, not its role"),
        NAME_THE_ROLE,
    ),
    "the role until a time, and then with MFA": (
        {"Writer": writer(WRITER, before(CHRISTMAS)), "Deputy": writer(WRITER, MFA, sid="Deputy")},
        (f"{MAY}, and from {CHRISTMAS} on it depends on aws:MultiFactorAuthPresent, which was not given:"
        " Writer holds for a time only"),
        AT_ANY_TIME,
    ),
    "a second of denial": (
        {"No": denying("*", {"DateEquals": {"aws:CurrentTime": CHRISTMAS}})},
        f"{MAY}, but for a while from {CHRISTMAS} on it may not: No denies it later",
        AT_ANY_TIME,
    ),
    "every year but one, of all other actions": (
        {
            "Writer": statement(
                Sid="Writer",
                Principal={"AWS": WRITER},
                Action=None,
                NotAction="kms:Decrypt",
                Condition={"StringNotLike": {"aws:CurrentTime": "2027-*"}},
            )
        },
        f"{MAY}, but perhaps not at all times: Writer compares the time as text",
        AT_ANY_TIME,
    ),
    "a denial in a year that is compared as text": (
        {"No": denying("*", IN_2027)},
        f"{MAY}, but perhaps not at all times: No compares the time as text",
        AT_ANY_TIME,
    ),
    "the like, whatever the case of it": (
        {"No": denying("*", {"stringLIKE": {"AWS:epochtime": "18*"}})},
        f"{MAY}, but perhaps not at all times: No compares the time as text",
        AT_ANY_TIME,
    ),
    "every year but one": (
        {"Writer": writer(WRITER, {"StringNotLike": {"aws:CurrentTime": "2027-*"}})},
        f"{MAY}, but perhaps not at all times: Writer compares the time as text",
        AT_ANY_TIME,
    ),
    "a denial in a year that is compared as text, with MFA": (
        {"Writer": writer(WRITER, MFA), "No": denying("*", IN_2027)},
        f"{NEEDS_MFA}; at some times perhaps nothing allows it: No compares the time as text",
        AT_ANY_TIME,
    ),
    "a denial in a year that is compared as text, without MFA": (
        {"No": denying("*", IN_2027 | {"Bool": {"aws:MultiFactorAuthPresent": "false"}})},
        (f"{MAY}, and at some times perhaps it depends on aws:MultiFactorAuthPresent, which was not given: No compares"
        " the time as text"),
        AT_ANY_TIME,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WEAK)
def test_a_way_back_that_does_not_last_is_told_and_does_not_refuse(name: str) -> None:
    changes, detail, remedy = WEAK[name]
    found = judge(**changes)
    assert (found.outcome, found.detail, found.remedy) == (Outcome.WARN, detail, remedy)
    assert not found.required


def with_mfa_denied(**condition: Any) -> dict[str, Any]:
    return denying("*", {"Bool": {"aws:MultiFactorAuthPresent": "false"}} | condition)


def test_what_a_denial_has_to_do_with_it_is_told_and_no_other() -> None:
    excepted = statement(
        "Deny", Sid="Excepted", Principal=None, NotPrincipal={"AWS": [SESSION]}, Action="kms:PutKeyPolicy"
    )
    varies = "NotPrincipal, which names the caller but not its account, role or user: what IAM then does varies"
    assert judge(Excepted=excepted).detail == (
        f"for {SESSION} it depends on {varies}; KMS asks it too; no other session of its role may: Excepted names this"
        " session, not its role"
    )
    assert judge(Writer=writer(SESSION), No=with_mfa_denied()).detail == f"{NEEDS_MFA}; {ONLY_THIS}"
    ends = judge(Writer=writer(WRITER, before(NEW_YEAR)), No=with_mfa_denied(**before(CHRISTMAS)))
    assert ends.detail == f"{NEEDS_MFA}; from {NEW_YEAR} on nothing allows it: Writer holds for a time only"


def test_a_session_that_is_not_known_is_no_other_one() -> None:
    assert judge(WRITER, Writer=writer(SESSION)).detail == (
        f"for {WRITER} it depends on the caller's session, which was not given: {SESSION} is one of the role's;"
        " KMS asks it too"
    )


def test_what_becomes_surer_is_not_told() -> None:
    found = judge(Writer=writer(WRITER, MFA), Deputy=writer(WRITER, FUTURE, sid="Deputy"))
    assert (found.detail, found.remedy) == (NEEDS_MFA, None)


LATER = f"{MAY}, and later whoever the account's IAM policies let"
#: What lasts, by whatever statement, beside one that does not.
LASTING: dict[str, tuple[dict[str, Any], str]] = {
    "the role": ({"Writer": writer(WRITER)}, MAY),
    "the role, of this policy by name": (
        {"Writer": writer(WRITER, {"StringEquals": {"kms:PolicyName": "default"}})},
        MAY,
    ),
    "the role, by another text than the time": (
        {"Writer": writer(WRITER, {"StringLike": {"aws:PrincipalType": "Assumed*"}})},
        MAY,
    ),
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
    "the role beside a denial of another session": ({"No": denying(f"{SESSION}-2")}, MAY),
    "a denial of something else in a year that is compared as text": (
        {"No": denying("*", IN_2027, "kms:Decrypt")},
        MAY,
    ),
    "a denial of another role in a year that is compared as text": ({"No": denying(ROLE, IN_2027)}, MAY),
    "another text beside that of the time": (
        {"No": denying("*", {"StringLike": {"aws:CurrentTime": "2027-*", "aws:PrincipalType": "U*"}})},
        MAY,
    ),
    "a text beside a time that has passed": ({"No": denying("*", IN_2027 | before("2026-11-20"))}, MAY),
    "the role beside a year that is compared as text": (
        {"Writer": writer(WRITER), "Now": writer(WRITER, {"StringLike": {"aws:CurrentTime": "2026-*"}}, sid="Now")},
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


@pytest.mark.parametrize("seconds", ["1e12", "1e17", "1e20", "1e300"])
def test_a_time_that_no_clock_has_is_none_to_ask_about(seconds: str) -> None:
    found = judge(Writer=writer(WRITER, {"NumericLessThan": {"aws:EpochTime": seconds}}))
    assert "until" not in found.detail


@pytest.mark.parametrize("who", ["nobody", "arn:aws:sts::111122223333:something/else", "arn:aws:iam::cloudfront:x"])
def test_a_caller_that_is_none_is_not_judged(who: str) -> None:
    found = judge(who, Writer=writer(who))
    assert (found.outcome, found.detail) == (
        Outcome.WARN,
        f"whether it can was not judged: {who} is neither a role, a user nor an account's root; KMS asks it",
    )


@pytest.mark.parametrize(
    "changes",
    [{"No": denying(BOB)}, {"Other": statement(Sid="Other", Principal={"AWS": BOB}, Action="kms:GetKeyPolicy")}],
    ids=["a-denial", "another-action"],
)
def test_a_federated_session_that_is_named_for_something_else_is_only_not_judged(changes: dict[str, Any]) -> None:
    assert judge(BOB, **changes).detail == NOT_JUDGED


@pytest.mark.parametrize("condition", [before(CHRISTMAS), FUTURE], ids=["now", "later"])
def test_a_federated_session_beside_the_account_for_a_time_is_told(condition: dict[str, Any]) -> None:
    found = judge(BOB, Writer=writer(BOB), Account=writer(ROOT, condition, sid="Account"))
    assert found.detail == f"{NOT_JUDGED}; Writer names it, and a federated session ends"


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


SECOND = json.dumps({"Version": "2012-10-17", "Statement": [denying("*")]})


def with_second(text: str, **changes: Any) -> Check:
    policies = {"default": json.dumps(good(A)), "AWS_RAM": text}
    after = document.parse(json.dumps(good(A, **changes)), where="new")
    return lockout.judge(live(good(A), policies=policies), after, SESSION, bypass=False, at=AT).check


def test_a_denial_in_the_second_policy_locks_out_as_well() -> None:
    found = with_second(SECOND)
    assert (found.outcome, found.detail) == (
        Outcome.FAIL,
        f"{SESSION} may not call kms:PutKeyPolicy under the new policy: AWS_RAM: No denies it",
    )


def test_a_denial_in_the_second_policy_that_comes_later_is_told_as_its() -> None:
    found = with_second(json.dumps({"Version": "2012-10-17", "Statement": [denying("*", FUTURE)]}))
    assert found.detail == f"{MAY} until {CHRISTMAS} only: AWS_RAM: No denies it later"


def test_what_the_second_policy_allows_is_not_what_kms_asks() -> None:
    allowed = json.dumps({"Version": "2012-10-17", "Statement": [writer("*")]})
    assert with_second(allowed).detail == MAY
    assert with_second(allowed, Writer=None).outcome is Outcome.FAIL


def test_of_the_present_policy_nothing_counts() -> None:
    shut = live(good(A, No=denying("*")))
    after = document.parse(json.dumps(good(A)), where="new")
    assert lockout.judge(shut, after, SESSION, bypass=False, at=AT).check.outcome is Outcome.PASS


FOREIGN = "444455556666"


@pytest.mark.parametrize(
    "who",
    [
        f"arn:aws:iam::{FOREIGN}:role/x",
        f"arn:aws:sts::{FOREIGN}:assumed-role/x/ci",
        f"arn:aws:sts::{FOREIGN}:federated-user/bob",
        f"arn:aws:iam::{FOREIGN}:root",
    ],
)
@pytest.mark.parametrize("bypass", [False, True])
def test_nobody_of_another_account_can_replace_a_policy(who: str, *, bypass: bool) -> None:
    found = judge(who, bypass=bypass, Writer=writer(who), Account=writer(FOREIGN, sid="Account"))
    assert (found.outcome, found.detail, found.remedy) == (
        Outcome.FAIL,
        f"{who} may not call kms:PutKeyPolicy: KMS takes it from the key's own account only, 111122223333",
        "run it as a role of the account 111122223333",
    )


def test_nobody_of_another_account_goes_back() -> None:
    who = f"arn:aws:iam::{FOREIGN}:role/x"
    after = document.parse(json.dumps(good(A)), where="new")
    found = lockout.judge(live(good(A)), after, who, bypass=True, at=AT)
    assert found.no_way_back == f"{who} cannot, for KMS takes it from the key's own account only, 111122223333"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"Writer": writer(ROOT)}, ""),
        ({"Writer": None}, "nobody can, for no statement lets anybody call kms:PutKeyPolicy"),
        ({"Writer": denying("*")}, "nobody can, for no statement lets anybody call kms:PutKeyPolicy"),
        ({"Writer": writer(ROLE)}, f"{SESSION} cannot, for no statement allows it"),
        ({"No": denying(WRITER)}, f"{SESSION} cannot, for No denies it"),
    ],
    ids=["it-may", "kms-says", "nothing", "a-denial-alone", "another-role", "a-denial"],
)
def test_who_cannot_go_back_is_told(changes: dict[str, Any], told: str) -> None:
    after = document.parse(json.dumps(good(A, **changes)), where="new")
    for bypass in (False, True):
        assert lockout.judge(live(good(A)), after, SESSION, bypass=bypass, at=AT).no_way_back == told
