"""What holds for all policies: a Deny never allows, attestation never allows more, and two evaluators agree."""

from typing import Any, Final

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.kms import authorize
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Condition, Kind, operator, parse
from nitroctl.kms.generate import generate
from nitroctl.kms.operators import ABSENT, Actual, judge, present
from nitroctl.kms.request import Attested, Platform, Request
from nitroctl.kms.trace import would_allow
from nitroctl.kms.truth import Truth
from tests import kms_truth
from tests.kms_requests import KEY, OTHER, PCR0, ROLE, ROOT, SESSION, identity, policy, request, statement
from tests.property.test_kms_generate import ENCLAVE, PRINCIPALS, images, releases, targets
from tests.records import register

ORDER: Final = {Verdict.DENIED: 0, Verdict.UNDECIDED: 1, Verdict.ALLOWED: 2}
VALUES: Final = (register("a").hex(), register("b").hex(), register("a").hex().upper(), pcr.ZERO.hex())
KEYS: Final = (PCR0, "kms:RecipientAttestation:ImageSha384", "kms:RecipientAttestation:PCR8", "aws:PrincipalOrgID")
STRINGS: Final = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
)

Members = dict[str, Any]

operators = st.builds(
    lambda prefix, name, suffix: f"{prefix}{name}{suffix}",
    st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]),
    st.sampled_from(STRINGS),
    st.sampled_from(["", "IfExists"]),
)
conditions = st.dictionaries(
    operators | st.sampled_from(["Null", "Nonsense"]),
    st.dictionaries(st.sampled_from(KEYS), st.lists(st.sampled_from([*VALUES, "true", "false", "*"]), max_size=2)),
    max_size=2,
)
more_conditions = st.tuples(operators, st.sampled_from(KEYS[:3]), st.sampled_from(VALUES))
principals = st.lists(st.sampled_from([ROLE, SESSION, ROOT, "*", f"{ROLE}2", OTHER]), min_size=1, max_size=2)
named = st.sampled_from(["kms:Decrypt", "kms:*", "kms:Encrypt", "kms:Re*"])
effects = st.sampled_from(["Allow", "Deny"])


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None) -> Members:
    members = statement(
        effect or draw(effects),
        Principal=None,
        Action=draw(named),
        Resource=draw(st.sampled_from(["*", KEY, None])),
        Condition=draw(conditions),
    )
    return members | {draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"])): {"AWS": draw(principals)}}


def attesting(pcrs: dict[int, bytes], *, complete: bool = True) -> Attested:
    return Attested(platform=Platform.ENCLAVE, pcrs=pcrs, complete=complete)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    registers = draw(st.dictionaries(st.sampled_from([0, 8]), st.sampled_from(VALUES).map(bytes.fromhex)))
    document = attesting(registers, complete=draw(st.booleans())) if registers else None
    who = draw(st.sampled_from([ROLE, SESSION, ROOT, f"arn:aws:iam::{OTHER}:role/x"]))
    return request(who, draw(st.sampled_from(["kms:Decrypt", "kms:Encrypt"])), attested=document)


listed = st.lists(statements(), max_size=4)
iam = st.none() | st.lists(
    st.builds(lambda effect, action: identity(effect, Action=action), effects, named), max_size=2
)


def verdict(asked: Request, key: list[Members], given_iam: list[Members] | None) -> int:
    identities = None if given_iam is None else (policy(*given_iam, kind=Kind.IDENTITY),)
    return ORDER[authorize.decide(asked, Policies(key=(policy(*key),), identity=identities)).verdict]


@given(requests(), listed, iam, statements("Deny"))
def test_adding_a_deny_never_allows(
    asked: Request, key: list[Members], given_iam: list[Members] | None, deny: Members
) -> None:
    assert verdict(asked, [*key, deny], given_iam) <= verdict(asked, key, given_iam)


@given(requests(), listed, iam, statements("Allow"))
def test_adding_an_allow_never_denies(
    asked: Request, key: list[Members], given_iam: list[Members] | None, allow: Members
) -> None:
    assert verdict(asked, [*key, allow], given_iam) >= verdict(asked, key, given_iam)


@settings(max_examples=200)
@given(requests(), listed, iam, statements("Allow"), more_conditions)
def test_adding_an_attestation_condition_to_an_allow_never_allows_more(
    asked: Request, key: list[Members], given_iam: list[Members] | None, allow: Members, more: tuple[str, str, str]
) -> None:
    written, name, value = more
    under = allow["Condition"].get(written, {})
    assume(name not in under)  # it would take a condition's place
    tighter = allow | {"Condition": {**allow["Condition"], written: {**under, name: value}}}
    assert verdict(asked, [*key, tighter], given_iam) <= verdict(asked, [*key, allow], given_iam)


@given(requests(), listed)
def test_what_would_be_allowed_is_allowed(asked: Request, key: list[Members]) -> None:
    policies = Policies(key=(policy(*key),), identity=())
    for found in would_allow(authorize.decide(asked, policies), policies):
        registers = dict(asked.attested.pcrs) if asked.attested else {}
        registers |= {change.index: bytes.fromhex(change.expected[0]) for change in found.changes}
        complete = asked.attested is not None and asked.attested.complete
        mended = asked.attesting(attesting(registers, complete=complete))
        assert authorize.decide(mended, policies).verdict is Verdict.ALLOWED


@given(
    st.sampled_from(["StringEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"]),
    st.none() | st.sampled_from(VALUES),
    st.lists(st.sampled_from(VALUES), min_size=1),
)
def test_the_tests_own_evaluator_agrees_on_conditions(written: str, actual: str | None, values: list[str]) -> None:
    state: Actual = ABSENT if actual is None else present(actual)
    found = judge(Condition(operator(written), PCR0, tuple(values), 1), state).truth
    assert found is (Truth.YES if kms_truth.holds(written, actual, values) else Truth.NO)


@given(releases(), images, st.sampled_from(PRINCIPALS[:3]))
def test_the_tests_own_evaluator_agrees_on_generated_policies(
    entries: tuple[Any, ...], image: dict[int, bytes], principal: str
) -> None:
    made = generate(entries, targets(["kms:Decrypt"]))
    document = parse(made.compact(), where="policy.json")
    for said, theirs in (
        (attesting(image), kms_truth.attested(principal, image)),
        (None, kms_truth.Request(principal)),
    ):
        decision = authorize.decide(request(principal, attested=said), Policies(key=(document,), identity=()))
        assert (decision.verdict is Verdict.ALLOWED) == kms_truth.allowed(made.document(), theirs)
        if principal != ENCLAVE or said is None:
            assert decision.verdict is Verdict.DENIED
