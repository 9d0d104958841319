"""Policies of random ledgers and targets, of both platforms: linted, simulated, proved, and written onto others.

Images are such as can be: PCR0 follows from PCR1 and PCR2, as an enclave's does. The requests are judged by an
evaluator that knows only the IAM documentation, and by nitroctl's own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.kms import authorize, document, lint, prove
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.generate import ATTESTED_ACTIONS, generate
from nitroctl.kms.generate_onto import split
from nitroctl.kms.infrastructure import Form, write
from nitroctl.kms.key_policy import KeyPolicy
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import Reading, Wanted
from nitroctl.kms.lint_rules import Severity
from nitroctl.kms.principals import roles
from nitroctl.kms.prove import Property
from nitroctl.kms.request import Attested, Platform
from nitroctl.kms.targets import Placement, Targets
from nitroctl.kms.truth import Truth
from nitroctl.records import NITRO_TPM, Entry, Ledger
from tests import kms_truth
from tests.kms_requests import request as asking
from tests.records import active, register

AT = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
ROLE = "arn:aws:iam::111122223333:role/"
ENCLAVE, ADMIN, WRITER, PROVISIONER = (f"{ROLE}{name}" for name in ("signer", "admin", "writer", "provisioner"))
ROOT = "arn:aws:iam::111122223333:root"
PRINCIPALS = (ENCLAVE, ADMIN, WRITER, PROVISIONER, ROOT, f"{ROLE}other")
KEY = "kms:RecipientAttestation:"
#: A statement that hands the key to the account's IAM policies, as the default policy does.
DELEGATION = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}

Registers = Mapping[int, bytes]


@dataclass(frozen=True)
class Booted:
    """What attests: a platform, and registers by index."""

    platform: Platform
    registers: Registers

    def keys(self) -> dict[str, str]:
        return {self.platform.key(index): value.hex() for index, value in self.registers.items()}


def enclave(kernel: int, application: int, **others: int) -> dict[int, bytes]:
    """Return an image's registers, and others (``PCR8=1``) by a seed; 0 is zero."""
    found = {0: register(("0", kernel, application)), 1: register(("1", kernel)), 2: register(("2", application))}
    return found | {int(name[3:]): register((name, seed)) if seed else pcr.ZERO for name, seed in others.items()}


def machine(boot: int, keys: int, line: int) -> dict[int, bytes]:
    """Return the registers of a NitroTPM by seeds; the command line 0 is the image's own."""
    return {4: register(("4", boot)), 7: register(("7", keys)), 12: register(("12", line)) if line else pcr.ZERO}


seeds = st.integers(1, 2)
images = st.builds(enclave, seeds, seeds, PCR8=st.integers(0, 2), PCR16=st.integers(0, 2))
machines = st.builds(machine, seeds, seeds, st.integers(0, 1))


@st.composite
def enclaves(draw: st.DrawFn) -> list[Entry]:
    pins = draw(st.sampled_from([[{0}, {0, 1, 2}], [{1, 2}, {0, 1, 2}]]))
    made = []
    for number in range(draw(st.integers(1, 3))):
        registers = draw(images)
        more = {index for index in draw(st.sets(st.sampled_from([8, 16]))) if not pcr.is_zero(registers[index])}
        pin = sorted(draw(st.sampled_from(pins)) | more)
        made.append(active(f"{number}.0", component=f"app{number}", pcrs=registers, pin=pin))
    return made


@st.composite
def vms(draw: st.DrawFn) -> list[Entry]:
    standard = draw(st.booleans())
    made = []
    for number in range(draw(st.integers(1, 3))):
        registers = draw(machines)
        if standard:
            registers[12] = pcr.ZERO
        pin = draw(st.sampled_from([[4], [4, 12]] if standard else [[7], [4, 7], [7, 12], [4, 7, 12]]))
        made.append(active(f"{number}.0", component=f"vm{number}", platform=NITRO_TPM, pcrs=registers, pin=pin))
    return made


ledgers = st.one_of(enclaves(), vms(), st.builds(lambda one, other: [*one, *other], enclaves(), vms()))


@st.composite
def targets(draw: st.DrawFn, *, placed: bool = False) -> Targets:
    actions = draw(st.lists(st.sampled_from(ATTESTED_ACTIONS), min_size=1, unique=True))
    context = draw(st.sampled_from(CONTEXTS))
    if "kms:DeriveSharedSecret" in actions:
        context = {}
    return Targets(
        enclave_roles=roles([ENCLAVE], option=""),
        admin_roles=roles([ADMIN], option=""),
        policy_writers=roles([WRITER, f"{WRITER}-2"], option=""),
        data_writers=roles([PROVISIONER], option="") if draw(st.booleans()) and context else (),
        actions=tuple(actions),
        encryption_context=context,
        placement=draw(st.sampled_from([Placement(), *PLACES])) if placed else Placement(),
    )


CONTEXTS: tuple[dict[str, str], ...] = ({}, {"app": "signer"}, {"b": "2", "a": "1"})
PLACES = (
    Placement(parent_roles=(ENCLAVE, f"{ROLE}other")),
    Placement(instances=("i-01234567",)),
    Placement(parent_roles=(ENCLAVE,), instances=("i-01234567", "i-12345678")),
)

sids = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=12).filter(
    lambda text: not text.lower().startswith("nitroctl")
)
texts = st.sampled_from(["${aws:username}", "%{x}", "$${y}", "a\tb", "clé", "\\", '"', "<&>", "vpce-1", "\n}\n"]) | sids
foreign = st.builds(
    lambda sid, effect, action, value: {
        "Effect": effect,
        "Sid": sid,
        "Action": [action],
        "Principal": {"AWS": [f"{ROLE}auditor"]},
        "Resource": "*",
        "Condition": {"StringLike": {"aws:PrincipalTag/team": [value, "x"]}},
    },
    sids,
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["kms:Sign", "kms:GetPublicKey", "kms:Describe*"]),
    texts,
)


def parsed(policy: KeyPolicy) -> document.PolicyDocument:
    return document.parse(policy.compact(), where="policy.json")


def layered(
    statements: Sequence[Mapping[str, Any]], entries: Sequence[Entry], wanted: Targets, **members: str
) -> KeyPolicy:
    value = {"Version": "2012-10-17"} | members | {"Statement": list(statements)}
    return generate(entries, wanted, split(document.parse(json.dumps(value), where="current.json")).kept)


def bindings(entry: Entry) -> Booted:
    """Return the registers that a release is bound to, by the words of the documentation."""
    bound = dict(entry.pinned)
    if entry.platform != NITRO_TPM:
        return Booted(Platform.ENCLAVE, bound)
    return Booted(Platform.TPM, bound if 7 in bound else bound | {12: pcr.ZERO})


def meant(entries: Sequence[Entry], asked: Booted) -> bool:
    """Return whether a release is bound to registers that ``asked`` has: the whole specification of the Allows."""
    return any(
        each.platform is asked.platform and each.registers.items() <= asked.registers.items()
        for each in map(bindings, entries)
    )


def recorded_twice(entries: Sequence[Entry]) -> bool:
    """Return whether two releases have the same values in all that every release of their platform pins."""
    for platform in Platform:
        there = [each.registers for each in map(bindings, entries) if each.platform is platform]
        every = sorted(set.intersection(*map(set, there))) if there else []
        if len({tuple(each[index] for index in every) for each in there}) < len(there):
            return True
    return False


booted = st.one_of(
    st.builds(Booted, st.just(Platform.ENCLAVE), images), st.builds(Booted, st.just(Platform.TPM), machines)
)


@given(ledgers, targets(), booted, st.sampled_from(PRINCIPALS), st.sampled_from(ATTESTED_ACTIONS))
def test_exactly_the_role_with_what_a_release_is_bound_to_is_let_in(
    entries: list[Entry], wanted: Targets, asked: Booted, principal: str, action: str
) -> None:
    policy = generate(entries, wanted)
    right = principal == ENCLAVE and action in wanted.actions and meant(entries, asked)
    context = {f"kms:EncryptionContext:{name}": value for name, value in wanted.encryption_context.items()}
    theirs = kms_truth.Request(principal, action, asked.keys() | context)
    assert kms_truth.allowed(policy.document(), theirs) == right
    attested = Attested(platform=asked.platform, pcrs=asked.registers, complete=True)
    ours = asking(principal, action, attested=attested, encryption_context=wanted.encryption_context)
    decision = authorize.decide(ours, Policies(key=(parsed(policy),), identity=()))
    assert (decision.verdict is Verdict.ALLOWED) == right


@given(ledgers, targets(), booted, st.sampled_from(ATTESTED_ACTIONS))
def test_iam_and_grants_reach_no_registers_of_two_releases(
    entries: list[Entry], wanted: Targets, asked: Booted, action: str
) -> None:
    """What another Allow gives is held to a release in all that every release pins, and in each register besides."""
    policy = generate(entries, wanted).document()
    assert not kms_truth.allowed(policy, kms_truth.Request(ROOT, action), elsewhere=True)
    if not kms_truth.allowed(policy, kms_truth.Request(ROOT, action, asked.keys()), elsewhere=True):
        return
    there = [each for each in map(bindings, entries) if each.platform is asked.platform]
    every = set.intersection(*(set(each.registers) for each in there))
    same = [each.registers for each in there if all(asked.registers[i] == each.registers[i] for i in every)]
    assert same
    for index, value in asked.registers.items():
        assert any(each.get(index, value) == value for each in same)


@settings(max_examples=60)
@given(ledgers, targets(placed=True))
def test_the_rules_of_lint_find_nothing_from_medium_on(entries: list[Entry], wanted: Targets) -> None:
    if any(entry.platform == NITRO_TPM for entry in entries):
        wanted = replace(wanted, placement=Placement())
    policy = generate(entries, wanted)
    writers = tuple(role.arn for role in wanted.policy_writers)
    reading = Reading(parsed(policy), KeyFacts(), Wanted(writers=writers, ledger=Ledger.of(entries)))
    found = [each for each in lint.findings(reading) if each.severity.reaches(Severity.MEDIUM)]
    # KP035, of a policy that is nearly full, is no fault of its statements: four releases are far from it
    assert [(each.rule.number, each.detail) for each in found] == []


@settings(max_examples=60)
@given(ledgers, targets(placed=True), st.booleans())
def test_it_is_proved_that_nobody_else_gets_in(entries: list[Entry], wanted: Targets, delegated: bool) -> None:  # noqa: FBT001
    """Also beside a statement that hands the key to the account's IAM policies.

    But for an image that is recorded twice with different registers pinned: what both pin is held to then, and of the
    rest what either leaves open.
    """
    if any(entry.platform == NITRO_TPM for entry in entries):
        wanted = replace(wanted, placement=Placement())
    assume(not recorded_twice(entries))
    policy = layered([DELEGATION] if delegated else [], entries, wanted)
    proof = prove.prove(
        Policies(key=(parsed(policy),)),
        at=AT,
        properties=(Property.NO_UNATTESTED_DECRYPT, Property.ONLY_RECORDED),
        recorded=Ledger.of(entries),
    )
    assert proof.holds is Truth.YES, (proof.bypass, proof.open)


@given(ledgers, targets(placed=True), st.randoms(use_true_random=False))
def test_the_bytes_depend_on_no_order(entries: list[Entry], wanted: Targets, random: Any) -> None:
    if any(entry.platform == NITRO_TPM for entry in entries):
        wanted = replace(wanted, placement=Placement())
    shuffled = random.sample(entries, len(entries))
    turned = replace(
        wanted,
        policy_writers=tuple(reversed(wanted.policy_writers)),
        actions=tuple(reversed(wanted.actions)),
        encryption_context=dict(reversed(list(wanted.encryption_context.items()))),
        placement=replace(
            wanted.placement,
            parent_roles=tuple(reversed(wanted.placement.parent_roles)),
            instances=tuple(reversed(wanted.placement.instances)),
        ),
    )
    assert generate(shuffled, turned).compact() == generate(entries, wanted).compact()


@given(ledgers, ledgers, targets(), st.lists(foreign, max_size=4), st.data())
def test_nothing_of_the_operators_is_lost_and_nothing_of_ours_is_left(
    before: list[Entry], after: list[Entry], wanted: Targets, theirs: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Wherever the statements of an earlier policy stand among the operator's."""
    old = [each.as_json() for each in generate(before, wanted).statements]
    places = data.draw(st.lists(st.booleans(), min_size=len(old) + len(theirs), max_size=len(old) + len(theirs)))
    mine, others = iter(old), iter(theirs)
    merged = [each for mark in places for each in [next(mine if mark else others, None)] if each] + [*mine, *others]
    policy = layered(merged, after, wanted)
    statements: list[Any] = json.loads(policy.compact())["Statement"]
    ours = [each.as_json() for each in generate(after, wanted).statements]
    kept = [each for each in statements if not each.get("Sid", "").startswith("Nitroctl")]
    assert [json.dumps(each) for each in kept] == [json.dumps(each) for each in merged if each not in old]
    assert [each for each in statements if each not in kept] == ours
    again = layered(json.loads(policy.compact())["Statement"], after, wanted)
    assert again.compact() == policy.compact()


@given(targets(), st.lists(foreign, max_size=3))
def test_terraform_and_cloudformation_are_given_the_same_policy(wanted: Targets, theirs: list[dict[str, Any]]) -> None:
    policy = layered(theirs, [active("1")], wanted)
    body = write(policy, Form.TERRAFORM, wanted).partition("jsonencode(")[2].rpartition(")")[0]
    assert json.loads(body) == policy.document()
    assert "${" not in body
    assert "%{" not in body
    template = json.loads(write(policy, Form.CLOUDFORMATION, wanted))
    assert template["Resources"]["EnclaveKey"]["Properties"]["KeyPolicy"] == policy.document()
