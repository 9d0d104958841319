"""What is asked of a policy before a key gets it: each question's no, and what is told and does not refuse."""

import json
from typing import Any

import pytest

from nitroctl.checks import Check, Outcome
from nitroctl.kms import apply, document, prove
from nitroctl.kms.apply import Plan, Wish
from nitroctl.kms.prove import Proof
from nitroctl.kms.truth import Truth
from tests.kms_live import AT, KEY, ROLE, SESSION, A, B, Policy, default, good, live
from tests.kms_requests import PCR0, statement


def plan(after: Policy, *, who: str = SESSION, wish: Wish | None = None, **changes: Any) -> Plan:
    text = json.dumps(after)
    return apply.plan(
        live(good(A), **changes), document.parse(text, where="new"), text, who=who, wish=wish or Wish(), at=AT
    )


def check(found: Plan, check_id: str) -> Check:
    return next(each for each in found.report if each.id == check_id)


def refusals(found: Plan) -> list[str]:
    return [each.id for each in found.report.refusals]


def test_a_good_policy_passes_every_question() -> None:
    found = plan(good(A, B))
    assert [(each.id, each.outcome) for each in found.report] == [
        (name, Outcome.PASS)
        for name in (
            *(
                "apply.customer-key",
                "apply.state",
                "apply.size",
                "apply.characters",
                "apply.principals",
                "apply.lockout",
                "apply.grants",
                "apply.findings",
                "apply.proof",
            ),
        )
    ]
    assert (found.needed, found.report.passed) == (True, True)
    assert check(found, "apply.lockout").detail == f"{SESSION} may call kms:PutKeyPolicy"


def test_what_the_key_says_already_needs_nothing() -> None:
    assert not plan(good(A)).needed


def test_a_final_policy_is_told_of_and_not_refused() -> None:
    found = plan(good(A, Writer=None), wish=Wish(bypass=True))
    assert check(found, "apply.lockout").outcome is Outcome.WARN
    assert check(found, "kp052.lockout-bypass").outcome is Outcome.WARN
    assert found.report.passed


@pytest.mark.parametrize(("state", "outcome"), [("Enabled", Outcome.PASS), ("Disabled", Outcome.WARN)])
def test_the_state_is_told_and_does_not_refuse(state: str, outcome: Outcome) -> None:
    found = plan(good(A), state=state)
    assert (check(found, "apply.state").outcome, found.report.passed) == (outcome, True)


def test_a_key_of_an_aws_service_is_refused() -> None:
    assert refusals(plan(good(A), manager="AWS")) == ["apply.customer-key"]


@pytest.mark.parametrize(("more", "outcome"), [(0, Outcome.PASS), (1, Outcome.FAIL)])
def test_the_size_is_held_to_the_byte(more: int, outcome: Outcome) -> None:
    policy = good(A)
    rest = 32_768 - len(json.dumps(policy | {"Id": ""}, separators=(",", ":")))
    found = plan(policy | {"Id": "x" * (rest + more)})
    assert (check(found, "apply.size").outcome, found.after.size) == (outcome, 32_768 + more)


def test_characters_are_counted_in_bytes() -> None:
    policy = good(A)
    rest = 32_768 - len(json.dumps(policy | {"Id": ""}, separators=(",", ":")))
    assert check(plan(policy | {"Id": "é" * (rest // 2 + 1)}), "apply.size").outcome is Outcome.FAIL


def test_the_default_policy_is_refused_for_each_reason() -> None:
    assert refusals(plan(default())) == [
        "kp002.root-delegation", "kp005.create-grant", "kp006.reencrypt-from", "apply.proof",
    ]  # fmt: skip


def test_what_is_accepted_is_told_and_does_not_refuse() -> None:
    wish = Wish(accepted=("KP002", "KP005", "KP006", "proof"))
    found = plan(default(), wish=wish)
    assert found.report.passed
    assert check(found, "kp002.root-delegation").detail.startswith("critical, accepted: ")
    assert check(found, "apply.proof").detail.endswith("; accepted")


def test_one_that_was_not_accepted_refuses_still() -> None:
    assert refusals(plan(default(), wish=Wish(accepted=("KP002", "KP006", "proof")))) == ["kp005.create-grant"]


def test_a_grant_that_the_new_policy_leaves_open_refuses() -> None:
    grant = {"GrantId": "g-1", "GranteePrincipal": ROLE, "Operations": ["Decrypt"]}
    shut = plan(good(A), grants=(grant,))
    assert refusals(shut) == []
    assert check(shut, "apply.grants").detail == f"shut by the policy's Denies only: g-1 to {ROLE}"
    assert refusals(plan(good(A, Unattested=None, Other=None), grants=(grant,))) == ["kp044.live-grants", "apply.proof"]


def test_of_many_grants_some_are_named_and_all_are_counted() -> None:
    grants = [{"GrantId": f"g-{number}", "GranteePrincipal": ROLE, "Operations": ["Decrypt"]} for number in range(500)]
    named = ", ".join(f"g-{number} to {ROLE}" for number in range(5))
    assert check(plan(good(A), grants=tuple(grants)), "apply.grants").detail == (
        f"shut by the policy's Denies only: {named} and 495 more; nitroctl kms show lists them"
    )


@pytest.mark.parametrize(
    ("grants", "shared", "words"),
    [(0, False, ""), (1, False, " --grants GRANTS"), (0, True, " --ram-policy AWS_RAM"),
     (1, True, " --grants GRANTS --ram-policy AWS_RAM")],
    ids=["neither", "grants", "second-policy", "both"],
)  # fmt: skip
def test_the_command_that_proves_the_same_is_told(grants: int, words: str, *, shared: bool) -> None:
    open_ = json.dumps(good(A, Use=statement(Sid="Use"), Unattested=None, Other=None))
    listed = ({"GrantId": "g-1", "GranteePrincipal": ROLE, "Operations": ["Decrypt"]},) * grants
    policies = {"default": open_} | ({"AWS_RAM": open_} if shared else {})
    found = plan(json.loads(open_), grants=listed, policies=policies)
    told = f"nitroctl kms prove POLICY --key {KEY}{words} shows the request; or --accept proof"
    assert check(found, "apply.proof").remedy == told


def test_the_second_policy_takes_part_in_the_proof() -> None:
    shared = {
        "Version": "2012-10-17",
        "Statement": [statement(Sid="Shared", Action="kms:GenerateDataKeyWithoutPlaintext")],
    }
    policies = {"default": json.dumps(good(A)), "AWS_RAM": json.dumps(shared)}
    found = plan(good(A), policies=policies)
    assert check(found, "kp045.ram-policy").outcome is Outcome.WARN
    opening = {"Version": "2012-10-17", "Statement": [statement(Sid="Shared")]}
    without = good(A, Unattested=None, Other=None)
    found = plan(without, policies={"default": json.dumps(without), "AWS_RAM": json.dumps(opening)})
    assert "apply.proof" in refusals(found)


def test_a_proof_that_is_open_is_told_and_does_not_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def undecided(*_: object, **__: object) -> Proof:
        return Proof(properties=(), at=AT, holds=Truth.OPEN, open=("the weather", "the hour"))

    monkeypatch.setattr(prove, "prove", undecided)
    found = plan(good(A))
    assert check(found, "apply.proof").detail == "not proved: it depends on the weather; the hour"
    assert (check(found, "apply.proof").outcome, found.report.passed) == (Outcome.WARN, True)


def test_a_condition_on_a_register_that_can_be_absent_is_refused() -> None:
    loose = statement(Sid="Use", Condition={"StringEqualsIfExists": {PCR0: A}})
    assert "kp007.if-exists" in refusals(plan(good(A, Use=loose, Unattested=None, Other=None)))


@pytest.mark.parametrize(
    ("text", "detail"),
    [("€", "it has U+20AC"), ("\x7f", ""), ("é", ""), ("\ud800", "it has U+D800"), ("\x1f", "it has U+001F")],
)
def test_characters_that_kms_does_not_take_are_refused(text: str, detail: str) -> None:
    policy = good(A) | {"Id": text}
    compact = json.dumps(policy, ensure_ascii=False).replace("\\u001f", "\x1f")
    found = apply.plan(
        live(good(A)), document.parse(json.dumps(policy), where="new"), compact, who=SESSION, wish=Wish(), at=AT
    )
    assert (check(found, "apply.characters").detail, found.report.passed) == (detail, not detail)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("AROAEXAMPLEEXAMPLE", "the id of one that was deleted"),
        ("AIDAEXAMPLEEXAMPLE", "the id of one that was deleted"),
        ("arn:aws:iam::111122223333:role/sign*", "a pattern"),
    ],
)
def test_principals_that_kms_never_takes_are_refused_at_once(name: str, what: str) -> None:
    found = plan(good(A, Old=statement(Sid="Old", Principal={"AWS": [ROLE, name]}, Action="kms:DescribeKey")))
    assert refusals(found) == ["apply.principals"]
    assert check(found, "apply.principals").detail == f"Old names {name}, {what}"
