"""What holds for all policies: a Deny never allows, attestation never allows more, and two evaluators agree."""

from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.kms import authorize
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Condition, Kind, operator
from nitroctl.kms.operators import ABSENT, Actual, judge, present
from nitroctl.kms.request import Request
from nitroctl.kms.trace import would_allow
from nitroctl.kms.truth import Truth
from tests import kms_truth
from tests.kms_requests import KEY, OTHER, PCR0, ROLE, ROOT, SESSION, attested, identity, policy, request, statement
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
principals = st.sampled_from([ROLE, SESSION, ROOT, "*", f"{ROLE}2", OTHER])
named = st.sampled_from(["kms:Decrypt", "kms:*", "kms:Encrypt", "kms:Re*"])


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None) -> dict[str, Any]:
    who = {"AWS": draw(st.lists(principals, max_size=2))}
    return (
        statement(
            effect or draw(st.sampled_from(["Allow", "Deny"])),
            **{draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"])): who if who["AWS"] else "*"},
            Action=draw(named),
            Resource=draw(st.sampled_from(["*", KEY, None])),
            Condition=draw(conditions),
        )
        | {}
    )


@st.composite
def requests(draw: st.DrawFn) -> Request:
    registers = draw(st.dictionaries(st.sampled_from(["PCR0", "PCR8"]), st.sampled_from(VALUES).map(bytes.fromhex)))
    document = attested(complete=draw(st.booleans()), **registers) if registers else None
    who = draw(st.sampled_from([ROLE, SESSION, ROOT, f"arn:aws:iam::{OTHER}:role/x"]))
    return request(who, draw(st.sampled_from(["kms:Decrypt", "kms:Encrypt"])), attested=document)


def one_principal(members: dict[str, Any]) -> dict[str, Any]:
    """Return the statement with one of Principal and NotPrincipal."""
    return {name: value for name, value in members.items() if name != "Principal" or "NotPrincipal" not in members}


listed = st.lists(statements().map(one_principal), max_size=4)
iam = st.none() | st.lists(
    st.builds(lambda effect, action: identity(effect, Action=action), st.sampled_from(["Allow", "Deny"]), named),
    max_size=2,
)


def verdict(asked: Request, key: list[dict[str, Any]], given_iam: list[dict[str, Any]] | None) -> int:
    identities = None if given_iam is None else (policy(*given_iam, kind=Kind.IDENTITY),)
    return ORDER[authorize.decide(asked, Policies(key=(policy(*key),), identity=identities)).verdict]


@settings(max_examples=300)
@given(requests(), listed, iam, statements("Deny").map(one_principal))
def test_adding_a_deny_never_allows(
    asked: Request, key: list[dict[str, Any]], given_iam: list[dict[str, Any]] | None, deny: dict[str, Any]
) -> None:
    assert verdict(asked, [*key, deny], given_iam) <= verdict(asked, key, given_iam)


@settings(max_examples=300)
@given(requests(), listed, iam, statements("Allow").map(one_principal), operators, st.sampled_from(KEYS[:3]), st.data())
def test_adding_an_attestation_condition_to_an_allow_never_allows_more(
    asked: Request,
    key: list[dict[str, Any]],
    given_iam: list[dict[str, Any]] | None,
    allow: dict[str, Any],
    written: str,
    name: str,
    data: st.DataObject,
) -> None:
    value = data.draw(st.sampled_from(VALUES))
    tighter = allow | {
        "Condition": {**allow["Condition"], written: {**allow["Condition"].get(written, {}), name: value}}
    }
    if name in allow["Condition"].get(written, {}):  # it would replace a condition, not add one
        return
    assert verdict(asked, [*key, tighter], given_iam) <= verdict(asked, [*key, allow], given_iam)


@given(requests(), listed, iam, listed)
def test_adding_an_allow_never_denies(
    asked: Request,
    key: list[dict[str, Any]],
    given_iam: list[dict[str, Any]] | None,
    more: list[dict[str, Any]],
) -> None:
    allows = [
        each
        for each in more
        if each["Effect"] == "Allow" and each["Principal" if "Principal" in each else "NotPrincipal"]
    ]
    # Only where whose key it is stays the same: the accounts that a policy names say that, when the ARN does not.
    assert verdict(asked, [*key, *allows], given_iam) >= verdict(asked, key, given_iam)


@given(requests(), listed)
def test_what_would_be_allowed_is_allowed(asked: Request, key: list[dict[str, Any]]) -> None:
    policies = Policies(key=(policy(*key),), identity=())
    for found in would_allow(authorize.decide(asked, policies), policies):
        registers = dict(asked.attested.pcrs) if asked.attested else {}
        registers |= {change.index: bytes.fromhex(change.expected[0]) for change in found.changes}
        document = attested(complete=asked.attested is not None and asked.attested.complete)
        mended = asked.attesting(type(document)(platform=document.platform, pcrs=registers, complete=document.complete))
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


@given(releases(), images, st.sampled_from(PRINCIPALS[:3]), st.booleans())
def test_the_tests_own_evaluator_agrees_on_generated_policies(
    entries: tuple[Any, ...], image: dict[int, bytes], principal: str, attests: bool
) -> None:
    from nitroctl.kms.document import parse
    from nitroctl.kms.generate import generate

    made = generate(entries, targets(["kms:Decrypt"]))
    document = parse(made.compact(), where="policy.json")
    said = attested(**{f"PCR{index}": value for index, value in image.items()}) if attests else None
    decision = authorize.decide(request(principal, attested=said), Policies(key=(document,), identity=()))
    theirs = kms_truth.attested(principal, image) if attests else kms_truth.Request(principal)
    assert (decision.verdict is Verdict.ALLOWED) == kms_truth.allowed(made.document(), theirs)
    if principal != ENCLAVE:
        assert decision.verdict is Verdict.DENIED
