"""The generated key policy, held against an evaluator that knows only the IAM documentation."""

import dataclasses
import re
from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.errors import CannotAnswer, NitroctlError, UsageError
from nitroctl.kms.generate import (
    ADMIN_ACTIONS,
    ATTESTED_ACTIONS,
    WRITER_ACTIONS,
    Targets,
    generate,
    parse_action,
    parse_context,
    releases,
)
from nitroctl.kms.principals import roles
from nitroctl.records import Entry, Ledger, Status
from tests.kms_truth import Request, allowed, attested, holds
from tests.records import AT, active, entry, pcrs, register

ACCOUNT = "arn:aws:iam::111122223333"
ENCLAVE, ADMIN, WRITER = f"{ACCOUNT}:role/signer", f"{ACCOUNT}:role/admin", f"{ACCOUNT}:role/writer"
EVERYONE = (ENCLAVE, ADMIN, WRITER, f"{ACCOUNT}:root", f"{ACCOUNT}:user/eve", "arn:aws:iam::444455556666:role/x")


def targets(**changes: Any) -> Targets:
    given: dict[str, Any] = {
        "enclave_roles": roles([ENCLAVE], option=""),
        "admin_roles": roles([ADMIN], option=""),
        "policy_writers": roles([WRITER], option=""),
    }
    return Targets(**(given | changes))


def policy(*entries: Entry, **changes: Any) -> dict[str, Any]:
    return generate(entries, targets(**changes)).document()


def statements(document: dict[str, Any]) -> dict[str, Any]:
    return {re.sub(r"(Allow).*", r"\1", each["Sid"]): each for each in document["Statement"]}


# -- the evaluator itself, row by row


@pytest.mark.parametrize(
    ("operator", "absent", "equal", "other_case", "different"),
    [
        ("StringEquals", False, True, False, False),
        ("StringEqualsIgnoreCase", False, True, True, False),
        ("StringNotEqualsIgnoreCase", True, False, False, True),
    ],
)
def test_the_truth_table(*, operator: str, absent: bool, equal: bool, other_case: bool, different: bool) -> None:
    found = [holds(operator, actual, ["ab"]) for actual in (None, "ab", "AB", "cd")]
    assert found == [absent, equal, other_case, different]


def test_the_truth_table_of_null() -> None:
    assert [holds("Null", actual, ["true"]) for actual in (None, "ab")] == [True, False]
    assert [holds("Null", actual, ["false"]) for actual in (None, "ab")] == [False, True]


# -- what the policy decides


TWO = (active("1"), active("2"))


@pytest.mark.parametrize("action", ATTESTED_ACTIONS)
def test_the_role_may_use_the_key_from_each_recorded_image(action: str) -> None:
    document = policy(*TWO, actions=(action,))
    for each in TWO:
        assert allowed(document, attested(ENCLAVE, each.pcrs, action))


def test_registers_in_upper_case_are_the_same_registers() -> None:
    request = attested(ENCLAVE, TWO[0].pcrs)
    upper = Request(request.principal, request.action, {key: value.upper() for key, value in request.context.items()})
    assert allowed(policy(*TWO), upper)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["alone", "with-iam-or-grant"])
@pytest.mark.parametrize("action", ATTESTED_ACTIONS)
class TestNobody:
    """Whoever asks, and whatever an IAM policy or a grant says."""

    def test_without_attestation(self, *, action: str, elsewhere: bool) -> None:
        for principal in EVERYONE:
            assert not allowed(policy(*TWO, actions=ATTESTED_ACTIONS), Request(principal, action), elsewhere=elsewhere)

    def test_from_a_debug_enclave(self, *, action: str, elsewhere: bool) -> None:
        zeros = dict.fromkeys((0, 1, 2, 3, 8), pcr.ZERO)
        for principal in EVERYONE:
            request = attested(principal, zeros, action)
            assert not allowed(policy(*TWO, actions=ATTESTED_ACTIONS), request, elsewhere=elsewhere)

    def test_from_a_debug_enclave_whose_other_registers_are_right(self, *, action: str, elsewhere: bool) -> None:
        request = attested(ENCLAVE, {**TWO[0].pcrs, 0: pcr.ZERO}, action)
        assert not allowed(policy(*TWO, actions=ATTESTED_ACTIONS), request, elsewhere=elsewhere)

    def test_from_another_image(self, *, action: str, elsewhere: bool) -> None:
        for principal in EVERYONE:
            request = attested(principal, pcrs("3"), action)
            assert not allowed(policy(*TWO, actions=ATTESTED_ACTIONS), request, elsewhere=elsewhere)

    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_with_one_other_register(self, *, action: str, elsewhere: bool, index: int) -> None:
        request = attested(ENCLAVE, {**TWO[0].pcrs, index: register("other")}, action)
        assert not allowed(policy(*TWO, actions=ATTESTED_ACTIONS), request, elsewhere=elsewhere)

    def test_from_a_nitrotpm_instance(self, *, action: str, elsewhere: bool) -> None:
        request = Request(ENCLAVE, action, {"kms:RecipientAttestation:NitroTPMPCR4": TWO[0].pcrs[0].hex()})
        assert not allowed(policy(*TWO, actions=ATTESTED_ACTIONS), request, elsewhere=elsewhere)


def test_nobody_else_from_a_recorded_image() -> None:
    for principal in set(EVERYONE) - {ENCLAVE}:
        assert not allowed(policy(*TWO), attested(principal, TWO[0].pcrs))


def test_registers_of_two_releases_do_not_mix() -> None:
    mixed = {0: TWO[0].pcrs[0], 1: TWO[1].pcrs[1], 2: TWO[1].pcrs[2]}
    assert not allowed(policy(*TWO), attested(ENCLAVE, mixed))


def test_an_action_that_was_not_asked_for_is_not_allowed() -> None:
    for action in set(ATTESTED_ACTIONS) - {"kms:Decrypt"}:
        assert not allowed(policy(*TWO), attested(ENCLAVE, TWO[0].pcrs, action))


@pytest.mark.parametrize("action", ["kms:ReEncryptFrom", "kms:CreateGrant", "kms:ReplicateKey"])
def test_the_detours_are_closed_to_everybody(action: str) -> None:
    for principal in EVERYONE:
        assert not allowed(policy(*TWO), Request(principal, action), elsewhere=True)
        assert not allowed(policy(*TWO), attested(principal, TWO[0].pcrs, action), elsewhere=True)


def test_the_key_can_still_be_managed_and_its_policy_replaced() -> None:
    document = policy(*TWO)
    for action in ADMIN_ACTIONS:
        assert allowed(document, Request(ADMIN, action))
        assert not allowed(document, Request(ENCLAVE, action))
    for action in WRITER_ACTIONS:
        assert allowed(document, Request(WRITER, action))
    assert not allowed(document, Request(ADMIN, "kms:PutKeyPolicy"))


def test_no_duty_reaches_data_grants_or_a_second_key() -> None:
    reach = {action.lower() for action in (*ADMIN_ACTIONS, *WRITER_ACTIONS)}
    for word in ("encrypt", "decrypt", "generate", "derive", "sign", "mac", "create", "replicate", "import", "alias"):
        assert not [action for action in reach if word in action]
    assert "kms:putkeypolicy" not in {action.lower() for action in ADMIN_ACTIONS}


def test_no_statement_has_a_wildcard_action_or_names_the_account() -> None:
    for statement in policy(*TWO)["Statement"]:
        assert "*" not in str(statement["Action"])
        assert ":root" not in str(statement["Principal"])
        assert statement["Effect"] == "Deny" or statement["Principal"]["AWS"] != "*"


def test_an_encryption_context_must_be_met() -> None:
    document = policy(*TWO, encryption_context={"app": "signer"})
    assert allowed(document, attested(ENCLAVE, TWO[0].pcrs, app="signer"))
    assert not allowed(document, attested(ENCLAVE, TWO[0].pcrs, app="other"))
    assert not allowed(document, attested(ENCLAVE, TWO[0].pcrs, app="Signer"))
    assert not allowed(document, attested(ENCLAVE, TWO[0].pcrs))


def test_several_roles_are_all_served() -> None:
    document = policy(*TWO, enclave_roles=roles([ENCLAVE, f"{ENCLAVE}-2"], option=""))
    for role in (ENCLAVE, f"{ENCLAVE}-2"):
        assert allowed(document, attested(role, TWO[0].pcrs))


# -- its shape


def test_the_statements_and_their_order() -> None:
    found = generate(TWO, targets())
    assert [(each.sid, each.entry) for each in found.statements] == [
        ("NitroctlAdmin", ""),
        ("NitroctlPolicyWriter", ""),
        ("NitroctlAllowSigner1Proddc5b3b7b", "signer-1@prod"),
        ("NitroctlAllowSigner2Prodacfe2732", "signer-2@prod"),
        ("NitroctlDenyUnattested", ""),
        ("NitroctlDenyOtherPCR0", ""),
        ("NitroctlDenyOtherPCR1", ""),
        ("NitroctlDenyOtherPCR2", ""),
        ("NitroctlDenyDebug", ""),
        ("NitroctlDenyDetours", ""),
    ]


def test_ids_that_look_alike_get_sids_of_their_own() -> None:
    alike = (active("1.42"), active("1-42", component="Signer"), active("142", component="signer"))
    sids = [each.sid for each in generate(alike, targets()).statements if each.entry]
    assert len(set(sids)) == 3


def test_a_long_id_gets_a_short_sid() -> None:
    long = active("1" * 128, component="a" * 64, environment="b" * 64)
    sid = generate((long,), targets()).statements[2].sid
    assert re.fullmatch(r"NitroctlAllow[A-Za-z0-9]{40}[0-9a-f]{8}", sid)


def test_each_deny_of_other_images_names_one_register_with_every_release() -> None:
    found = statements(policy(*TWO))
    for index in (0, 1, 2):
        assert found[f"NitroctlDenyOtherPCR{index}"]["Condition"] == {
            "StringNotEqualsIgnoreCase": {
                f"kms:RecipientAttestation:PCR{index}": sorted(each.pcrs[index].hex() for each in TWO)
            }
        }


def test_a_value_that_releases_share_stands_once() -> None:
    same_kernel = active("2", pcrs={**pcrs("2"), 1: TWO[0].pcrs[1]})
    found = statements(policy(TWO[0], same_kernel))
    assert found["NitroctlDenyOtherPCR1"]["Condition"]["StringNotEqualsIgnoreCase"] == {
        "kms:RecipientAttestation:PCR1": TWO[0].pcrs[1].hex()
    }


def test_a_register_that_one_release_does_not_pin_shuts_no_release_out() -> None:
    signed = active("2", pcrs=pcrs("2", 0, 1, 2, 8))
    document = policy(active("1"), signed)
    assert "NitroctlDenyOtherPCR8" not in statements(document)
    assert allowed(document, attested(ENCLAVE, {**pcrs("1"), 8: pcr.ZERO}))
    assert allowed(document, attested(ENCLAVE, signed.pcrs))
    assert not allowed(document, attested(ENCLAVE, {**signed.pcrs, 8: register("another signer")}))


def test_a_register_that_every_release_pins_is_denied_otherwise() -> None:
    signed = (active("1", pcrs=pcrs("1", 0, 1, 2, 8)), active("2", pcrs=pcrs("2", 0, 1, 2, 8)))
    request = attested(f"{ACCOUNT}:root", {**signed[0].pcrs, 8: register("another signer")})
    assert not allowed(policy(*signed), request, elsewhere=True)


def test_releases_pinned_without_pcr0_are_denied_otherwise_by_the_two_that_stand_for_it() -> None:
    document = policy(active("1", pin=(1, 2)), active("2"))
    assert allowed(document, attested(ENCLAVE, pcrs("1")))
    assert not allowed(document, attested(ENCLAVE, pcrs("3")), elsewhere=True)


def test_releases_without_a_common_image_register_are_refused() -> None:
    with pytest.raises(CannotAnswer) as caught:
        generate((active("1", pin=(0,)), active("2", pin=(1, 2))), targets())
    assert caught.value.code == "kms.no-common-register"
    with pytest.raises(CannotAnswer) as caught:
        generate((active("1", pin=(0, 1)), active("2", pin=(1, 2))), targets())
    assert caught.value.code == "kms.no-common-register"


def test_the_order_in_which_roles_and_actions_are_named_does_not_matter() -> None:
    forward, back = (roles(names, option="") for names in ([ENCLAVE, f"{ENCLAVE}-2"], [f"{ENCLAVE}-2", ENCLAVE]))
    one = generate(TWO, targets(enclave_roles=forward, actions=("kms:GenerateDataKey", "kms:Decrypt")))
    two = generate(TWO, targets(enclave_roles=back, actions=("kms:Decrypt", "kms:GenerateDataKey")))
    assert one.compact() == two.compact()


@pytest.mark.parametrize(("pin", "most"), [((0,), 71), ((0, 1, 2), 34)])
def test_the_capacity_of_one_policy(pin: tuple[int, ...], most: int) -> None:
    many = [active("1.0.0", component=f"app{number:03}", pcrs=pcrs(number), pin=pin) for number in range(most + 1)]
    assert generate(many[:most], targets()).left >= 0
    with pytest.raises(CannotAnswer) as caught:
        generate(many, targets())
    assert caught.value.code == "kms.policy-too-large"


# -- what it is made from


@pytest.mark.parametrize("text", ["Decrypt", "decrypt", "kms:Decrypt", "KMS:decrypt", " Decrypt "])
def test_an_action_is_named_with_or_without_its_service(text: str) -> None:
    assert parse_action(text) == "kms:Decrypt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("GenerateRandom", "kms:GenerateRandom uses no key, so a key policy cannot allow or bind it"),
        ("Encrypt", "--action: KMS does not evaluate attestation for 'Encrypt'"),
        ("kms:*", "--action: KMS does not evaluate attestation for 'kms:*'"),
        ("kms:ReEncryptFrom", "--action: KMS does not evaluate attestation for 'kms:ReEncryptFrom'"),
        ("", "--action: KMS does not evaluate attestation for ''"),
    ],
)
def test_an_action_without_attestation_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_action(text)
    assert (caught.value.message, caught.value.code) == (message, "kms.action")


def test_an_encryption_context_is_read() -> None:
    assert parse_context(["b=2=3", "a=1 x"]) == {"a": "1 x", "b": "2=3"}


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["a"], "write name=value"),
        (["=x"], "name and value must not be empty"),
        (["a="], "name and value must not be empty"),
        (["a b=x"], "only printable ASCII can be compared safely in a policy"),
        (["a=ü"], "only printable ASCII can be compared safely in a policy"),
        (["a=x\n"], "only printable ASCII can be compared safely in a policy"),
        (["a=${aws:username}"], "a policy would read ${…} as a variable"),
        (["a=1", "A=1"], "the name is given twice (case does not count in condition keys)"),
    ],
)
def test_an_encryption_context_that_a_policy_cannot_require_is_refused(texts: list[str], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_context(texts)
    assert (caught.value.message, caught.value.code) == (
        f"--encryption-context {texts[-1]!r}: {problem}",
        "kms.context",
    )


def test_a_context_that_derive_shared_secret_could_never_meet_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        generate(TWO, targets(actions=("kms:DeriveSharedSecret",), encryption_context={"a": "1"}))
    assert caught.value.code == "kms.context"


def test_only_active_releases_of_the_wanted_environment_and_component_are_chosen() -> None:
    ledger = Ledger.of([active("1"), entry("2"), active("3", environment="dev"), active("4", component="api")])
    chosen = releases(ledger, components=["signer"], environment="prod")
    assert [each.id for each in chosen] == ["signer-1@prod"]
    shared = releases(ledger, components=["signer", "api"], environment="prod")
    assert [each.id for each in shared] == ["api-4@prod", "signer-1@prod"]


SEVERAL = Ledger.of([active("1"), active("3", environment="dev"), active("4", component="api")])


@pytest.mark.parametrize(
    ("ledger", "given", "code", "message"),
    [
        (
            Ledger(),
            {},
            "kms.no-active-records",
            "no active record of any component in any environment: there is nothing to bind a key to",
        ),
        (
            Ledger.of([entry("1")]),
            {"environment": "prod"},
            "kms.no-active-records",
            "no active record of any component in prod: there is nothing to bind a key to",
        ),
        (
            Ledger.of([active("1")]),
            {"components": ["signer", "typo"]},
            "kms.no-active-records",
            "no active record of typo in any environment: there is nothing to bind a key to",
        ),
        (SEVERAL, {}, "kms.several-environments", "active records are of several environments: dev, prod"),
        (
            SEVERAL,
            {"environment": "prod"},
            "kms.several-components",
            "active records are of several components: api, signer",
        ),
        (
            Ledger.of([active("1", platform="sandbox", pcrs={4: register(4), 12: pcr.ZERO})]),
            {},
            "kms.platform",
            "signer-1@prod is of the platform sandbox; policies are written for nitro-enclave and nitro-tpm only",
        ),
    ],
)
def test_a_choice_that_is_not_clear_is_refused(ledger: Ledger, given: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(NitroctlError) as caught:
        releases(ledger, **given)
    assert (caught.value.code, caught.value.message) == (code, message)


def test_no_key_is_bound_to_an_image_that_was_revoked_under_another_version() -> None:
    revoked = dataclasses.replace(entry("1", pcrs=pcrs("image")), status=Status.REVOKED, revoked_at=AT)
    with pytest.raises(CannotAnswer) as caught:
        releases(Ledger.of([revoked, active("2", pcrs=pcrs("image"))]))
    assert caught.value.message == "signer-2@prod is active, but the same image is signer-1@prod, which is revoked"
    assert caught.value.code == "records.not-revoked"
