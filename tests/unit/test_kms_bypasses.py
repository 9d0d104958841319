"""Key policies that name a register and still let others by: each shape, and the request that walks around it.

The shapes are those that samples, tools and questions in public have; the last step of each shows that the Denies of
``kms generate`` close it, and that the enclave itself still gets in.
"""

from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.kms import authorize
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Kind, PolicyDocument
from nitroctl.kms.generate import Targets, generate
from nitroctl.kms.grants import Grant
from nitroctl.kms.principals import roles
from nitroctl.kms.request import Request
from tests.kms_requests import ACCOUNT, PCR0, ROLE, ROOT, attested, identity, policy, request, statement
from tests.records import active, register

IMAGE, IMAGE_1, SIGNER = register("image"), register("image-1"), register("certificate")
OTHER_IMAGE = register("another image")
RIGHT = attested(PCR0=IMAGE, PCR1=IMAGE_1, PCR8=SIGNER)
WRONG = attested(PCR0=OTHER_IMAGE, PCR1=IMAGE_1, PCR8=SIGNER)
DEBUG = attested(PCR0=pcr.ZERO, PCR1=pcr.ZERO, PCR2=pcr.ZERO, PCR8=SIGNER)
HEX = IMAGE.hex()
PCR1, PCR8 = "kms:RecipientAttestation:PCR1", "kms:RecipientAttestation:PCR8"
NAMES = ("signer", "keeper", "writer")
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
IAM = (policy(identity(), kind=Kind.IDENTITY),)


def gate(**condition: dict[str, Any]) -> dict[str, Any]:
    return statement(Condition=condition)


GOOD = gate(StringEqualsIgnoreCase={PCR0: HEX})
ROOT_ALL = statement(Principal={"AWS": ROOT}, Action="kms:*")
UNATTESTED, OTHER, AS_DEBUG = request(), request(attested=WRONG), request(attested=DEBUG)

#: Statements of the key policy, the request that walks around the register, and what else it has.
SHAPES: dict[str, tuple[list[dict[str, Any]], Request, dict[str, Any]]] = {
    "root-delegation": ([ROOT_ALL, GOOD], UNATTESTED, {"identity": IAM}),
    "root-delegation-wrong-image": ([ROOT_ALL, GOOD], OTHER, {"identity": IAM}),
    "admin-with-everything": ([statement(Principal={"AWS": ADMIN}, Action="kms:*"), GOOD], request(ADMIN), {}),
    "grant": ([GOOD], UNATTESTED, {"grants": (Grant(id="g", grantee=ROLE, operations=("Decrypt",)),)}),
    "second-allow": ([GOOD, statement()], UNATTESTED, {}),
    "wildcard-action": ([GOOD, statement(Action="kms:De*")], UNATTESTED, {}),
    "if-exists": ([gate(StringEqualsIfExists={PCR0: HEX})], UNATTESTED, {}),
    "for-all-values": ([gate(**{"ForAllValues:StringEquals": {PCR0: HEX}})], UNATTESTED, {}),
    "blocklist": ([gate(StringNotEquals={PCR0: OTHER_IMAGE.hex()})], UNATTESTED, {}),
    "null-only": ([gate(Null={PCR0: "false"})], AS_DEBUG, {}),
    "like-everything": ([gate(StringLike={PCR0: "*"})], OTHER, {}),
    "zeros": ([gate(StringEquals={PCR0: "00" * 48})], AS_DEBUG, {}),
    "signer-only": ([gate(StringEquals={PCR8: SIGNER.hex()})], OTHER, {}),
    "signer-only-debug": ([gate(Null={PCR0: "false"}, StringLike={PCR8: "*"})], OTHER, {}),
    "boot-only": ([gate(StringEquals={PCR1: IMAGE_1.hex()})], OTHER, {}),
    "everybody-but": ([GOOD, statement(Principal=None, NotPrincipal={"AWS": ADMIN})], UNATTESTED, {}),
    "deny-without-absence": (
        [ROOT_ALL, GOOD, statement("Deny", Principal="*", Condition={"ForAnyValue:StringNotEquals": {PCR0: HEX}})],
        UNATTESTED,
        {"identity": IAM},
    ),
    "deny-of-the-role-only": (
        [ROOT_ALL, GOOD, statement("Deny", Condition={"Null": {PCR0: "true"}})],
        request(ADMIN),
        {"identity": IAM},
    ),
    "deny-of-two-keys-at-once": (
        [
            statement(),
            statement("Deny", Principal="*", Condition={"StringNotEquals": {PCR0: HEX, PCR8: SIGNER.hex()}}),
        ],
        OTHER,
        {},
    ),
    "detour-re-encryption": (
        [GOOD, statement(Action="kms:Re*", Principal={"AWS": ADMIN})],
        request(ADMIN, "kms:ReEncryptFrom"),
        {},
    ),
    "detour-create-grant": (
        [GOOD, statement(Action="kms:Create*", Principal={"AWS": ADMIN})],
        request(ADMIN, "kms:CreateGrant"),
        {},
    ),
    "another-attested-action": (
        [GOOD, statement(Action="kms:Generate*", Principal={"AWS": ADMIN})],
        request(ADMIN, "kms:GenerateDataKeyPair"),
        {},
    ),
}


def decided(key: PolicyDocument, asked: Request, **others: Any) -> Verdict:
    return authorize.decide(asked, Policies(**({"key": (key,), "identity": ()} | others))).verdict


def closed(shape: list[dict[str, Any]]) -> PolicyDocument:
    """Return the shape's policy with the statements of ``kms generate`` for the right image beside it."""
    entry = active("1", pcrs={0: IMAGE, 1: IMAGE_1, 2: register("2"), 8: SIGNER}, pin=(0, 8))
    signer, keeper, writer = (roles([f"arn:aws:iam::{ACCOUNT}:role/{name}"], option="") for name in NAMES)
    made = generate([entry], Targets(enclave_roles=signer, admin_roles=keeper, policy_writers=writer))
    return policy(*shape, *(each.as_json() for each in made.statements))


@pytest.mark.parametrize("name", SHAPES)
def test_the_bypass_is_allowed_and_the_generated_denies_close_it(name: str) -> None:
    shape, bypass, others = SHAPES[name]
    assert decided(policy(*shape), bypass, **others) is Verdict.ALLOWED
    assert decided(closed(shape), bypass, **others) is Verdict.DENIED


@pytest.mark.parametrize("name", [name for name in SHAPES if not name.startswith("deny-")])
def test_the_enclave_itself_still_gets_in(name: str) -> None:
    shape, _, others = SHAPES[name]
    assert decided(closed(shape), request(attested=RIGHT), **others) is Verdict.ALLOWED


def test_a_good_gate_alone_lets_nobody_else_in() -> None:
    good = policy(GOOD)
    assert decided(good, request(attested=RIGHT)) is Verdict.ALLOWED
    for asked in (UNATTESTED, OTHER, AS_DEBUG, request(ADMIN, attested=RIGHT)):
        assert decided(good, asked, identity=IAM) is Verdict.DENIED


def test_a_gate_on_an_action_without_attestation_is_dead() -> None:
    for action in ("kms:Sign", "kms:Encrypt", "kms:PutKeyPolicy", "kms:Decapsulate"):
        dead = policy(GOOD | {"Action": action})
        assert decided(dead, request(action=action, attested=RIGHT)) is Verdict.DENIED


def test_a_deny_on_a_key_that_does_not_exist_shuts_everybody_out() -> None:
    broken = statement("Deny", Principal="*", Condition={"Null": {"kms:RecipientAttestation": "true"}})
    assert decided(policy(GOOD, broken), request(attested=RIGHT)) is Verdict.DENIED


def test_lists_of_values_accept_mixtures_of_releases() -> None:
    mixed = {PCR0: [HEX, OTHER_IMAGE.hex()], PCR1: [IMAGE_1.hex(), register("b").hex()]}
    asked = request(attested=attested(PCR0=OTHER_IMAGE, PCR1=IMAGE_1))
    assert decided(policy(gate(StringEquals=mixed)), asked) is Verdict.ALLOWED
