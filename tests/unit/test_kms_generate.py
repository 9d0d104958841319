"""The generated key policy, held against an evaluator that knows only the IAM documentation."""

import dataclasses
import re
from typing import Any

import pytest

from nitroctl import nitrotpm, pcr
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
    room,
)
from nitroctl.kms.key_policy import Kept
from nitroctl.kms.principals import roles
from nitroctl.kms.targets import Placement
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


def test_the_order_in_which_releases_come_does_not_matter() -> None:
    assert generate(BOTH, targets()).compact() == generate(tuple(reversed(BOTH)), targets()).compact()


@pytest.mark.parametrize(("pin", "most"), [((0,), 71), ((0, 1, 2), 34)])
def test_the_capacity_of_one_policy(pin: tuple[int, ...], most: int) -> None:
    many = [active("1.0.0", component=f"app{number:03}", pcrs=pcrs(number), pin=pin) for number in range(most + 1)]
    assert generate(many[:most], targets()).left >= 0
    with pytest.raises(CannotAnswer) as caught:
        generate(many, targets())
    assert caught.value.code == "kms.policy-too-large"


def test_a_policy_that_is_too_large_says_by_how_many_releases() -> None:
    many = [active("1.0.0", component=f"app{number:03}", pcrs=pcrs(number)) for number in range(40)]
    with pytest.raises(CannotAnswer) as caught:
        generate(many, targets())
    size = caught.value.details["size_bytes"]
    assert caught.value.message == f"the policy of 40 releases has {size} bytes; KMS takes 32768: 6 releases too many"
    assert caught.value.details == {"size_bytes": size, "limit_bytes": 32768, "releases_too_many": 6}
    assert list(caught.value.hints) == [
        "retire releases that are no longer run, or pin fewer registers (PCR0 covers the whole image)",
        "give each component a key of its own: --component",
    ]


RETIRE = "retire releases that are no longer run"
APART = "give each component a key of its own: --component"
TAKE_OUT = "take out statements that are kept and no longer needed"


@pytest.mark.parametrize(
    ("components", "pin", "kept", "hints"),
    [
        (1, (0,), 0, [RETIRE]),
        (2, (0,), 0, [RETIRE, APART]),
        (1, (0,), 9_000, [RETIRE, TAKE_OUT]),
        (1, (0, 1, 2), 0, [f"{RETIRE}, or pin fewer registers (PCR0 covers the whole image)"]),
    ],
)
def test_only_what_makes_it_smaller_is_advised(
    components: int, pin: tuple[int, ...], kept: int, hints: list[str]
) -> None:
    many = [
        active(f"1.0.{number}", component=f"app{number % components}", pcrs=pcrs(number), pin=pin)
        for number in range(100)
    ]
    stays = [{"Sid": "x" * kept, "Effect": "Deny", "Principal": "*", "Action": "kms:Sign"}] if kept else []
    with pytest.raises(CannotAnswer) as caught:
        generate(many, targets(), Kept(before=tuple(stays)))
    assert list(caught.value.hints) == hints


def test_more_roles_than_one_release_has_room_for_are_no_matter_of_releases() -> None:
    many = roles([f"arn:aws:iam::111122223333:role/{'x' * 50}{number}" for number in range(400)], option="")
    with pytest.raises(CannotAnswer) as caught:
        generate([active("1")], targets(enclave_roles=many))
    size = caught.value.details["size_bytes"]
    assert list(caught.value.hints) == [f"one release alone takes {size} bytes with these targets: name fewer roles"]


def test_what_is_kept_counts_towards_the_size_and_is_named() -> None:
    long = {"Sid": "x" * 32_000, "Effect": "Deny", "Principal": "*", "Action": "kms:Sign"}
    with pytest.raises(CannotAnswer) as caught:
        generate(TWO, targets(), Kept(before=(long,)))
    size = caught.value.details["size_bytes"]
    assert caught.value.message == (
        f"the policy of 2 releases has {size} bytes, 32063 of them the statements that are"
        " kept; KMS takes 32768: too much even for one release"
    )
    (hint,) = caught.value.hints
    match = re.fullmatch(
        r"take out statements that are kept: (\d+) bytes less of them leave room for one release", hint
    )
    assert match
    for less, fits in ((int(match[1]), True), (int(match[1]) - 1, False)):
        shorter = Kept(before=(long | {"Sid": "x" * (32_000 - less)},))
        if fits:
            assert generate(TWO[:1], targets(), shorter).left == 0
        else:
            with pytest.raises(CannotAnswer):
                generate(TWO[:1], targets(), shorter)


@pytest.mark.parametrize("pin", [(0,), (0, 1, 2), (1, 2)])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_just_as_many_releases_fit_as_are_said_to(pin: tuple[int, ...], count: int) -> None:
    def of(number: int) -> Entry:
        return active("1.0.0", component=f"app{number:03}", pcrs=pcrs(number), pin=pin)

    there = [of(number) for number in range(count)]
    more = room(generate(there, targets()), there, targets())
    generate([of(number) for number in range(count + more)], targets())
    with pytest.raises(CannotAnswer):
        generate([of(number) for number in range(count + more + 2)], targets())  # their names may be shorter


# -- what an image does not fix


def signed(version: str, certificate: str, **changes: Any) -> Entry:
    return active(version, pcrs={**pcrs(version), 8: register(certificate)}, pin=(0, 8), **changes)


MIXED = {
    "two-signers": (
        (signed("1", "a"), signed("2", "b")),
        {**pcrs("1"), 8: register("b")},
    ),
    "one-unsigned": (
        (active("1"), signed("2", "b")),
        {**pcrs("2"), 8: pcr.ZERO},
    ),
    "without-pcr0": (
        (active("1", pin=(1, 2)), active("2", pin=(1, 2))),
        {0: register("mixed"), 1: pcrs("1")[1], 2: pcrs("2")[2]},
    ),
    "three-signers": (
        (signed("1", "a"), signed("2", "a"), signed("3", "b")),
        {**pcrs("2"), 8: register("b")},
    ),
}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["alone", "with-iam-or-grant"])
@pytest.mark.parametrize("name", MIXED)
def test_registers_of_two_releases_do_not_mix_through_iam_or_grants_either(*, name: str, elsewhere: bool) -> None:
    releases_, mixed = MIXED[name]
    document = policy(*releases_)
    assert not allowed(document, attested(ENCLAVE, mixed), elsewhere=elsewhere)
    for each in releases_:
        assert allowed(document, attested(ENCLAVE, each.pcrs))


def test_where_nothing_can_be_mixed_there_is_no_statement_about_it() -> None:
    for releases_ in (TWO, (signed("1", "a"), signed("2", "a")), (signed("1", "a"),)):
        assert "Mixed" not in str(policy(*releases_))


def test_images_of_one_signer_share_a_statement() -> None:
    found = [each for each in generate(MIXED["three-signers"][0], targets()).statements if "Mixed" in each.sid]
    images = [each.conditions["StringEqualsIgnoreCase"]["kms:RecipientAttestation:PCR0"] for each in found]
    assert sorted(len(listed) for listed in images) == [1, 2]


def test_an_image_that_two_releases_have_may_have_the_registers_of_both() -> None:
    same = (signed("1", "a"), active("2", pcrs={**pcrs("1"), 8: register("b")}, pin=(0, 8)))
    for each in same:
        assert allowed(policy(*same), attested(ENCLAVE, each.pcrs))


# -- NitroTPM


def tpm(version: str, *pin: int, **changes: Any) -> Entry:
    registers = {index: pcr.ZERO if index == 12 else register((version, index)) for index in pin}
    return active(version, platform="nitro-tpm", **({"pcrs": registers, "pin": pin} | changes))


def booted(principal: str, registers: dict[int, bytes], action: str = "kms:Decrypt") -> Request:
    keys = {f"kms:RecipientAttestation:NitroTPMPCR{index}": value.hex() for index, value in registers.items()}
    return Request(principal, action, keys)


STANDARD = (tpm("1", 4, 12), tpm("2", 4, 12))
SECURE = (tpm("1", 7), tpm("2", 4, 7))


def registers_of(entry: Entry) -> dict[int, bytes]:
    return dict(entry.pcrs)


@pytest.mark.parametrize("releases", [STANDARD, SECURE], ids=["standard-boot", "secure-boot"])
def test_a_nitrotpm_instance_may_use_the_key_with_a_recorded_boot(releases: tuple[Entry, ...]) -> None:
    for each in releases:
        assert allowed(policy(*releases), booted(ENCLAVE, registers_of(each)))


@pytest.mark.parametrize("elsewhere", [False, True], ids=["alone", "with-iam-or-grant"])
@pytest.mark.parametrize("action", ATTESTED_ACTIONS)
@pytest.mark.parametrize("releases", [STANDARD, SECURE], ids=["standard-boot", "secure-boot"])
class TestNobodyBoots:
    """The key of NitroTPM releases is closed to whatever is not one of them."""

    def test_without_attestation(self, *, releases: tuple[Entry, ...], action: str, elsewhere: bool) -> None:
        for principal in EVERYONE:
            assert not allowed(policy(*releases), Request(principal, action), elsewhere=elsewhere)

    def test_with_another_boot(self, *, releases: tuple[Entry, ...], action: str, elsewhere: bool) -> None:
        other = {index: register(("other", index)) for index in (4, 7)} | {12: pcr.ZERO}
        assert not allowed(policy(*releases), booted(ENCLAVE, other, action), elsewhere=elsewhere)

    def test_from_an_enclave_with_the_same_numbers(
        self, *, releases: tuple[Entry, ...], action: str, elsewhere: bool
    ) -> None:
        registers = {0: register("0")} | registers_of(releases[0])
        assert not allowed(policy(*releases), attested(ENCLAVE, registers, action), elsewhere=elsewhere)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["alone", "with-iam-or-grant"])
@pytest.mark.parametrize("added", [register("console=ttyS0"), None], ids=["another", "absent"])
def test_a_command_line_from_outside_the_image_is_refused(*, elsewhere: bool, added: bytes | None) -> None:
    """GHSA-xrv8-2pf5-f3q7: PCR4 alone does not see it."""
    registers = {4: STANDARD[0].pcrs[4]} | ({12: added} if added else {})
    assert not allowed(policy(*STANDARD), booted(ENCLAVE, registers), elsewhere=elsewhere)


def test_a_release_without_a_recorded_command_line_is_bound_to_none_all_the_same() -> None:
    found = policy(tpm("1", 4))["Statement"][2]["Condition"]["StringEqualsIgnoreCase"]
    assert found["kms:RecipientAttestation:NitroTPMPCR12"] == "0" * 96


def test_a_register_of_no_secure_boot_does_not_stand_for_the_command_line() -> None:
    found = policy(tpm("1", 4, 7, pcrs={4: register(4), 7: nitrotpm.NO_SECURE_BOOT}))
    condition = found["Statement"][2]["Condition"]["StringEqualsIgnoreCase"]
    assert condition["kms:RecipientAttestation:NitroTPMPCR12"] == "0" * 96


def test_under_secure_boot_no_command_line_is_asked_for_unless_it_is_pinned() -> None:
    line = register("the recorded command line")
    pinned = tpm("1", 7, 12, pcrs={7: register("keys"), 12: line})
    assert "NitroTPMPCR12" not in str(policy(tpm("1", 4, 7)))
    assert line.hex() in str(policy(pinned))


def test_the_statements_of_a_nitrotpm_key_and_their_order() -> None:
    assert [each.sid for each in generate(STANDARD, targets()).statements] == [
        "NitroctlAdmin",
        "NitroctlPolicyWriter",
        "NitroctlAllowSigner1Proddc5b3b7b",
        "NitroctlAllowSigner2Prodacfe2732",
        "NitroctlDenyUnattested",
        "NitroctlDenyOtherNitroTPMPCR4",
        "NitroctlDenyOtherNitroTPMPCR12",
        "NitroctlDenyDetours",
    ]


UNIDENTIFIED = {
    "no-boot": (tpm("1", 8), "signer-1@prod pins neither PCR4 nor PCR7, so any image could have its registers"),
    "zero-boot": (
        tpm("1", 4, pcrs={4: pcr.ZERO}),
        "signer-1@prod pins a PCR4 of zero: nothing was measured",
    ),
    "zero-keys": (
        tpm("1", 4, 7, pcrs={4: register(4), 7: pcr.ZERO}),
        "signer-1@prod pins a PCR7 of zero: nothing was measured",
    ),
    "ones-boot": (
        tpm("1", 4, 12, pcrs={4: nitrotpm.ONES, 12: pcr.ZERO}),
        "signer-1@prod pins a PCR4 of ones: nothing was measured",
    ),
    "separator-boot": (
        tpm("1", 4, 12, pcrs={4: nitrotpm.SEPARATOR, 12: pcr.ZERO}),
        "signer-1@prod pins a PCR4 of the firmware's separator alone: nothing was measured",
    ),
    "separator-boot-with-keys": (
        tpm("1", 4, 7, pcrs={4: nitrotpm.SEPARATOR, 7: register(7)}),
        "signer-1@prod pins a PCR4 of the firmware's separator alone: nothing was measured",
    ),
    "ones-keys": (
        tpm("1", 7, pcrs={7: nitrotpm.ONES}),
        "signer-1@prod pins a PCR7 of ones: nothing was measured",
    ),
    "separator-keys": (
        tpm("1", 4, 7, pcrs={4: register(4), 7: nitrotpm.SEPARATOR}),
        "signer-1@prod pins a PCR7 of the firmware's separator alone: nothing was measured",
    ),
    "command-line": (
        tpm("1", 4, pcrs={4: register(4), 12: register(12)}),
        (
            "signer-1@prod has a PCR12 that is not zero: a command line or credentials from outside the image were"
            " measured"
        ),
    ),
    "keys-of-nobody": (
        tpm("1", 7, pcrs={7: nitrotpm.NO_SECURE_BOOT}),
        "signer-1@prod pins a PCR7 that every instance without Secure Boot has, and no PCR4",
    ),
    "command-line-without-secure-boot": (
        tpm("1", 4, 7, pcrs={4: register(4), 7: nitrotpm.NO_SECURE_BOOT, 12: register(12)}),
        (
            "signer-1@prod has a PCR12 that is not zero: a command line or credentials from outside the image were"
            " measured"
        ),
    ),
    "no-key-of-kms": (tpm("1", 4, 24), "signer-1@prod pins PCR24, for which KMS has no condition key"),
}


@pytest.mark.parametrize("name", UNIDENTIFIED)
def test_a_nitrotpm_release_that_nothing_identifies_is_refused(name: str) -> None:
    entry_, message = UNIDENTIFIED[name]
    with pytest.raises(CannotAnswer) as caught:
        generate([entry_], targets())
    assert (caught.value.code, caught.value.message) == ("kms.tpm-registers", message)


def test_standard_boot_and_secure_boot_have_no_register_in_common() -> None:
    with pytest.raises(CannotAnswer) as caught:
        generate([tpm("1", 4, 12), tpm("2", 7)], targets())
    assert caught.value.message == (
        "the active releases have no image register in common: neither PCR4 (with PCR12) nor PCR7 is pinned by all"
    )


# -- a key for both


BOTH = (*TWO, *(dataclasses.replace(each, component="vm") for each in STANDARD))


def test_a_mixed_key_opens_to_both_platforms() -> None:
    document = policy(*BOTH)
    for each in BOTH:
        asks = attested(ENCLAVE, each.pcrs) if each.platform == "nitro-enclave" else booted(ENCLAVE, dict(each.pcrs))
        assert allowed(document, asks)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["alone", "with-iam-or-grant"])
def test_a_mixed_key_is_closed_to_all_else_on_both_platforms(*, elsewhere: bool) -> None:
    document = policy(*BOTH)
    vm = dict(STANDARD[0].pcrs)
    for asked in (
        Request(ENCLAVE),
        attested(ENCLAVE, pcrs("3")),
        attested(ENCLAVE, {**TWO[0].pcrs, 1: register("other")}),
        attested(ENCLAVE, dict.fromkeys((0, 1, 2, 8), pcr.ZERO)),
        booted(ENCLAVE, {**vm, 4: register("other")}),
        booted(ENCLAVE, {**vm, 12: register("other")}),
        booted(ENCLAVE, {4: vm[4]}),
        booted(ENCLAVE, {12: pcr.ZERO}),
    ):
        assert not allowed(document, asked, elsewhere=elsewhere)


def test_each_deny_of_a_mixed_key_waits_for_its_own_platform() -> None:
    found = statements(policy(*BOTH))
    key = "kms:RecipientAttestation:"
    assert found["NitroctlDenyUnattested"]["Condition"] == {
        "Null": {f"{key}PCR0": "true", f"{key}NitroTPMPCR4": "true"}
    }
    for sid, guard in (
        ("NitroctlDenyOtherPCR0", "PCR0"),
        ("NitroctlDenyOtherPCR2", "PCR0"),
        ("NitroctlDenyOtherNitroTPMPCR4", "NitroTPMPCR4"),
        ("NitroctlDenyOtherNitroTPMPCR12", "NitroTPMPCR4"),
    ):
        assert found[sid]["Condition"]["Null"] == {f"{key}{guard}": "false"}


# -- where enclaves may run


PARENT, INSTANCE = f"{ACCOUNT}:role/parent", "i-0123456789abcdef0"
SIGNED = register("certificate")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["alone", "with-iam-or-grant"])
@pytest.mark.parametrize(
    ("placement", "index", "right"),
    [
        (Placement(parent_roles=(PARENT,)), 3, pcr.for_role(PARENT)),
        (Placement(instances=(INSTANCE,)), 4, pcr.for_instance(INSTANCE)),
        (Placement(signers=(SIGNED,)), 8, SIGNED),
    ],
    ids=["role", "instance", "signer"],
)
def test_an_enclave_elsewhere_is_refused(*, placement: Placement, index: int, right: bytes, elsewhere: bool) -> None:
    document = policy(*TWO, placement=placement)
    assert allowed(document, attested(ENCLAVE, {**TWO[0].pcrs, index: right}))
    for other in ({}, {index: register("elsewhere")}, {index: pcr.ZERO}):
        assert not allowed(document, attested(ENCLAVE, {**TWO[0].pcrs, **other}), elsewhere=elsewhere)


def test_of_several_places_any_one_is_right() -> None:
    two = (PARENT, f"{PARENT}-2")
    document = policy(*TWO, placement=Placement(parent_roles=two))
    for arn in two:
        assert allowed(document, attested(ENCLAVE, {**TWO[0].pcrs, 3: pcr.for_role(arn)}))
    reverse = policy(*TWO, placement=Placement(parent_roles=tuple(reversed(two))))
    assert reverse == document


def test_several_places_of_two_kinds_would_accept_every_pair() -> None:
    with pytest.raises(UsageError) as caught:
        policy(*TWO, placement=Placement(parent_roles=(PARENT, f"{PARENT}-2"), instances=(INSTANCE, "i-01234567")))
    assert caught.value.code == "kms.placement"
    assert caught.value.message == (
        "PCR3 and PCR4 may each have several values, and every combination would be accepted"
    )


def test_a_release_that_pins_its_place_is_held_to_it_and_may_not_contradict() -> None:
    pinned = active("1", pcrs={**pcrs("1"), 8: SIGNED})
    both = Placement(signers=(SIGNED, register("next certificate")))
    document = policy(pinned, placement=both)
    assert allowed(document, attested(ENCLAVE, pinned.pcrs))
    assert not allowed(document, attested(ENCLAVE, {**pinned.pcrs, 8: register("next certificate")}))
    with pytest.raises(UsageError) as caught:
        policy(pinned, placement=Placement(signers=(register("next certificate"),)))
    assert caught.value.message == "signer-1@prod pins another PCR8 than the targets' signers"


def test_the_registers_of_a_nitrotpm_do_not_say_where_it_runs() -> None:
    with pytest.raises(UsageError) as caught:
        policy(*STANDARD, placement=Placement(parent_roles=(PARENT,)))
    assert caught.value.code == "kms.placement"


# -- who prepares the secrets


PROVISIONER = f"{ACCOUNT}:role/provisioner"


def written(**changes: Any) -> dict[str, Any]:
    context = {"encryption_context": {"app": "signer"}}
    return policy(*TWO, **({"data_writers": roles([PROVISIONER], option="")} | context | changes))


@pytest.mark.parametrize("action", ["kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext"])
def test_a_data_writer_encrypts_for_the_purpose_and_for_no_other(action: str) -> None:
    context = {"kms:EncryptionContext:app": "signer"}
    assert allowed(written(), Request(PROVISIONER, action, context))
    assert not allowed(written(), Request(PROVISIONER, action))
    assert not allowed(written(), Request(PROVISIONER, action, {"kms:EncryptionContext:app": "other"}))
    assert not allowed(written(), Request(ENCLAVE, action, context))


@pytest.mark.parametrize("action", [*ATTESTED_ACTIONS, "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:CreateGrant"])
def test_a_data_writer_reads_nothing_and_learns_no_data_key(action: str) -> None:
    request = Request(PROVISIONER, action, {"kms:EncryptionContext:app": "signer"})
    assert not allowed(written(), request)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"encryption_context": {}}, "kms.data-writer"),
        ({"encryption_context": {}, "actions": ("kms:DeriveSharedSecret",)}, "kms.data-writer"),
        ({"data_writers": roles([ENCLAVE], option="")}, "kms.separation"),
        ({"data_writers": roles([WRITER], option="")}, "kms.separation"),
    ],
)
def test_a_data_writer_that_could_do_more_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        written(**changes)
    assert caught.value.code == code


def test_a_key_of_another_partition_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        policy(*TWO, key="arn:aws-cn:kms:cn-north-1:111122223333:key/k")
    assert caught.value.code == "kms.principal"


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


REVOKED = dataclasses.replace(entry("0", pcrs=pcrs("image")), status=Status.REVOKED, revoked_at=AT)
RECORD = "nitroctl pcr list shows the records; pcr record … --activate makes one active"
FIVE = ", ".join(f"signer-{number}@prod" for number in range(1, 6))
ROLLOUT = "signer-1@prod is a candidate: nitroctl pcr rollout signer-1@prod makes it active"


@pytest.mark.parametrize(
    ("entries", "given", "hint"),
    [
        ([], {}, RECORD),
        ([entry("1")], {}, ROLLOUT),
        ([entry("1"), entry("2", environment="dev")], {"environment": "prod"}, ROLLOUT),
        ([entry("1")], {"environment": "dev"}, RECORD),
        ([entry("1"), entry("2", component="api")], {"components": ["signer"]}, ROLLOUT),
        ([active("3"), entry("1"), entry("2", component="api")], {"components": ["typo"]}, RECORD),
        (
            [active("3"), entry("2", component="api")],
            {"components": ["signer", "api"]},
            ROLLOUT.replace("signer-1", "api-2"),
        ),
        ([REVOKED, entry("1", pcrs=pcrs("image"))], {}, RECORD),
        (
            [entry("1"), entry("2")],
            {},
            "candidates are signer-1@prod, signer-2@prod: nitroctl pcr rollout ID makes one active",
        ),
        (
            [entry(str(number)) for number in range(1, 9)],
            {},
            f"candidates are {FIVE} and 3 more: nitroctl pcr rollout ID makes one active",
        ),
    ],
)
def test_without_an_active_release_the_hint_names_the_candidates(
    entries: list[Entry], given: dict[str, Any], hint: str
) -> None:
    with pytest.raises(CannotAnswer) as caught:
        releases(Ledger.of(entries), **given)
    assert (caught.value.code, list(caught.value.hints)) == ("kms.no-active-records", [hint])


FILE = "the records.json"
THAT = "--records 'the records.json'"


@pytest.mark.parametrize(
    ("entries", "hint"),
    [
        ([], f"nitroctl pcr list {THAT} shows the records; pcr record … {THAT} --activate makes one active"),
        ([entry("1")], ROLLOUT.replace("signer-1@prod makes", f"signer-1@prod {THAT} makes")),
        (
            [entry("1"), entry("2")],
            f"candidates are signer-1@prod, signer-2@prod: nitroctl pcr rollout ID {THAT} makes one active",
        ),
    ],
)
def test_what_to_do_is_said_of_the_records_that_were_given(entries: list[Entry], hint: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        releases(Ledger.of(entries), records=FILE)
    assert list(caught.value.hints) == [hint]


def test_no_key_is_bound_to_an_image_that_was_revoked_under_another_version() -> None:
    revoked = dataclasses.replace(entry("1", pcrs=pcrs("image")), status=Status.REVOKED, revoked_at=AT)
    ledger = Ledger.of([revoked, active("2", pcrs=pcrs("image"))])
    for records, option in ((None, ""), (FILE, f" {THAT}")):
        with pytest.raises(CannotAnswer) as caught:
            releases(ledger, records=records)
        assert caught.value.message == "signer-2@prod is active, but the same image is signer-1@prod, which is revoked"
        assert caught.value.code == "records.not-revoked"
        hint = f"revoke or retire it too: nitroctl pcr revoke signer-2@prod{option} --reason TEXT"
        assert list(caught.value.hints) == [hint]
