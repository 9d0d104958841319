"""A policy written onto another: whether its releases are let in still, and nobody else."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nitroctl.checks import Check, Outcome
from nitroctl.kms import document
from nitroctl.kms.generate import generate
from nitroctl.kms.generate_judge import judge
from nitroctl.kms.generate_onto import split
from nitroctl.kms.key_policy import Kept, KeyPolicy
from nitroctl.kms.principals import roles
from nitroctl.kms.targets import Placement, Targets
from nitroctl.records import Entry
from tests.records import active, register

AT = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
PCR0, PCR8 = "kms:RecipientAttestation:PCR0", "kms:RecipientAttestation:PCR8"
BEFORE, ONE, TWO = active("0"), active("1"), active("2")


def targets(**changes: Any) -> Targets:
    given: dict[str, Any] = {
        "enclave_roles": roles([f"{ROLE}/signer"], option=""),
        "admin_roles": roles([f"{ROLE}/admin"], option=""),
        "policy_writers": roles([f"{ROLE}/writer"], option=""),
    }
    return Targets(**(given | changes))


def statement(effect: str, **members: Any) -> dict[str, Any]:
    given = {"Sid": "Mine", "Effect": effect, "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    return given | members


def judged(*kept: dict[str, Any], entries: tuple[Entry, ...] = (ONE, TWO), **changes: Any) -> dict[str, Check]:
    wanted = targets(**changes)
    existing = split(document.parse(json.dumps({"Version": "2012-10-17", "Statement": list(kept)}), where="x"))
    report = judge(generate(entries, wanted, existing.kept), entries, wanted, at=AT)
    return {check.id: check for check in report}


ROOT = statement("Allow", Sid="Root", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Action="kms:*")
SAFE = statement("Allow", Principal={"AWS": f"{ROLE}/auditor"}, Action="kms:GetKeyPolicy")


@pytest.mark.parametrize("kept", [(), (SAFE,), (ROOT,)], ids=["nothing", "safe", "root"])
def test_releases_are_let_in_and_nobody_else(kept: tuple[dict[str, Any], ...]) -> None:
    found = judged(*kept)
    assert found["generated.let-in"].outcome is Outcome.PASS
    assert found["generated.nobody-else"].outcome is Outcome.PASS


@pytest.mark.parametrize("kept", [(), (SAFE,)], ids=["nothing", "safe"])
def test_nothing_else_is_found_where_nothing_is(kept: tuple[dict[str, Any], ...]) -> None:
    assert set(judged(*kept)) == {"generated.let-in", "generated.nobody-else"}


def test_what_the_account_may_do_besides_is_told() -> None:
    found = judged(ROOT)
    assert found["kp030.policy-writers"].detail == (
        f"high: statement 1 (Root): arn:aws:iam::{ACCOUNT}:root can replace the policy, and is no --policy-writer"
    )
    assert not found["kp030.policy-writers"].required


def test_a_stale_deny_of_other_images_shuts_the_new_release_out() -> None:
    stale = statement("Deny", Condition={"StringNotEqualsIgnoreCase": {PCR0: BEFORE.pcrs[0].hex()}})
    check = judged(stale, entries=(ONE,))["generated.let-in"]
    assert check.outcome is Outcome.FAIL
    assert check.detail == "kms:Decrypt to signer with signer-1@prod is denied by Mine"


def test_a_deny_that_depends_on_the_network_is_told_and_refuses_nothing() -> None:
    endpoint = statement("Deny", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})
    check = judged(endpoint)["generated.let-in"]
    assert (check.outcome, check.required) == (Outcome.WARN, False)
    assert check.detail.startswith("depends on ")
    assert "aws:SourceVpce" in check.detail


def test_a_way_past_ours_is_a_no() -> None:
    """The searched-for bypass is told of with the statement that allows it."""
    made = generate((ONE, TWO), targets())
    weakened = KeyPolicy(tuple(each for each in made.statements if each.sid != "NitroctlDenyUnattested"), Kept((ROOT,)))
    weakened = KeyPolicy(tuple(each for each in weakened.statements if "Other" not in each.sid), weakened.kept)
    checks = {check.id: check for check in judge(weakened, (ONE, TWO), targets(), at=AT)}
    assert checks["generated.nobody-else"].outcome is Outcome.FAIL
    assert "kms:Decrypt is allowed by Root (attests-nothing)" in checks["generated.nobody-else"].detail


def test_places_and_contexts_are_part_of_what_is_let_in() -> None:
    place = Placement(parent_roles=(f"{ROLE}/signer", f"{ROLE}/other"))
    for changes in ({"placement": place}, {"encryption_context": {"app": "signer"}}):
        assert judged(**changes)["generated.let-in"].outcome is Outcome.PASS


def test_a_role_of_another_account_is_let_in_as_far_as_the_key_is_concerned() -> None:
    foreign = roles(["arn:aws:iam::444455556666:role/signer"], option="")
    assert judged(enclave_roles=foreign)["generated.let-in"].outcome is Outcome.PASS


def test_a_nitrotpm_key_is_judged_the_same() -> None:
    booted = active("1", platform="nitro-tpm", pcrs={4: register(4), 12: bytes(48)})
    found = judged(ROOT, entries=(booted,))
    assert [found[name].outcome for name in ("generated.let-in", "generated.nobody-else")] == [Outcome.PASS] * 2
