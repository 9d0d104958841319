"""``kms lint`` beside the evaluator: what no rule objects to is let through by nobody, and what is said open is."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl.errors import NitroctlError
from nitroctl.kms import actions, authorize, caller, document, lint, lint_fix, patterns
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Kind
from nitroctl.kms.generate import generate
from nitroctl.kms.lint_reading import Reading, matching
from nitroctl.kms.lint_rules import Severity
from nitroctl.kms.request import Attested, Platform, Request
from nitroctl.records import Entry
from tests.kms_policies import (
    ADMIN,
    DATA4,
    FOREIGN,
    KEY,
    NOBODY,
    NOTHING,
    ONE,
    ROOT,
    SIGNER,
    TWO,
    Json,
    policy,
    reading,
    statement,
)
from tests.property.test_kms_generate import releases, targets
from tests.records import register

AT = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
ARN = "arn:aws:kms:eu-west-1:111122223333:key/k"
CALLERS = [caller.parse(arn) for arn in (SIGNER, ADMIN, "arn:aws:iam::111122223333:role/other", FOREIGN)]
EVERYTHING = document.parse(
    json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}),
    where="iam",
    kind=Kind.IDENTITY,
)
#: Whoever attests nothing, or an image that no statement names.
STRANGERS = [
    None,
    Attested(platform=Platform.ENCLAVE, pcrs={n: register(("nobody", n)) for n in range(32)}, complete=True),
    Attested(platform=Platform.TPM, pcrs={n: register(("nobody", n)) for n in range(24)}, complete=True),
]
WAYS_IN = {"KP001", "KP002", "KP007", "KP008", "KP009", "KP010", "KP011", "KP039"}

names = st.sampled_from(["PCR0", "ImageSha384", "PCR8", "NitroTPMPCR4"])
values = st.sampled_from([ONE, TWO, ONE.upper(), "*", "0" * 96])
operators = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "", "ForAllValues:", "ForAnyValue:"]),
        st.sampled_from(
            ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "StringNotEquals", "StringNotEqualsIgnoreCase"]
        ),
        st.sampled_from(["", "", "IfExists"]),
    ),
)
null = st.builds(lambda name, value: {"Null": {f"{KEY}{name}": value}}, names, st.sampled_from(["true", "false"]))
compared = st.builds(
    lambda operator, keys: {operator: {f"{KEY}{name}": listed for name, listed in keys.items()}},
    operators,
    st.dictionaries(names, st.lists(values, min_size=1, max_size=2), min_size=1, max_size=2),
)
conditions = st.one_of(st.none(), null, compared, st.builds(lambda one, other: {**one, **other}, null, compared))
statements = st.builds(
    statement,
    st.sampled_from(["Allow", "Deny", "Deny"]),
    st.sampled_from([{"AWS": "*"}, {"AWS": "*"}, {"AWS": SIGNER}, {"AWS": [SIGNER, ADMIN]}, {"AWS": ROOT}]),
    st.sampled_from([DATA4, DATA4, "kms:Decrypt", "kms:*", ["kms:De*", "kms:GenerateRandom"]]),
    conditions,
)
policies = st.lists(statements, min_size=1, max_size=4).map(lambda listed: policy(*listed))


def verdicts(value: Mapping[str, Any], attested: Iterable[Attested | None]) -> dict[tuple[str, str, int], Verdict]:
    """Return what is decided for all callers and attested actions, when IAM allows everything."""
    parsed = document.parse(json.dumps(value), where="policy")
    given_ = Policies(key=(parsed,), identity=(EVERYTHING,), grants=())
    return {
        (who.arn, action, number): authorize.decide(
            Request(caller=who, action=action, at=AT, key=ARN, attested=each), given_
        ).verdict
        for who in CALLERS
        for action in DATA4
        for number, each in enumerate(attested)
    }


def rules(value: Json) -> set[str]:
    return {each.rule.number for each in lint.findings(reading(value))}


@settings(max_examples=200)
@given(policies)
def test_what_no_rule_objects_to_lets_no_stranger_in(value: Json) -> None:
    if not rules(value) & WAYS_IN:
        assert Verdict.ALLOWED not in verdicts(value, STRANGERS).values()


@settings(max_examples=200)
@given(policies)
def test_a_critical_way_in_can_be_walked(value: Json) -> None:
    ways = {"KP001", "KP002", "KP007", "KP008", "KP010"}
    critical = [
        each
        for each in lint.findings(reading(value))
        if each.rule.number in ways and each.severity is Severity.CRITICAL
    ]
    if critical:
        assert Verdict.ALLOWED in verdicts(value, STRANGERS).values(), [each.detail for each in critical]


@settings(max_examples=200)
@given(policies)
def test_mending_lets_no_stranger_in_and_leaves_nothing_to_mend(value: Json) -> None:
    fixed = lint_fix.fix(value)
    assert lint_fix.fix(fixed) == fixed
    before, after = verdicts(value, STRANGERS), verdicts(fixed, STRANGERS)
    assert {key for key, found in after.items() if found is Verdict.ALLOWED} <= {
        key for key, found in before.items() if found is Verdict.ALLOWED
    }


@settings(max_examples=50)
@given(releases(), st.lists(st.sampled_from(DATA4), min_size=1, unique=True))
def test_what_generate_writes_has_nothing_worse_than_a_remark(entries: tuple[Entry, ...], wanted: list[str]) -> None:
    made = generate(entries, targets(wanted)).document()
    assert [each.rule.number for each in lint.findings(reading(made)) if each.severity is not Severity.INFO] == []


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["Statement", "Effect", "Principal", "Action", "Resource", "Condition", "AWS", "Null"]),
                inner,
            )
        ),
    )
)
def test_whatever_is_given_is_an_answer_or_an_error(value: object) -> None:
    try:
        parsed = document.parse(json.dumps(value), where="policy")
    except NitroctlError:
        return
    lint.findings(Reading(parsed, NOTHING, NOBODY))


#: Pieces of actions, wildcards, and what would mean something in a regular expression or in a text of lines.
_PIECES = st.sampled_from(
    [
        "*",
        "*",
        "?",
        "kms:",
        "KMS:",
        "de",
        "crypt",
        "Decrypt",
        "e",
        "s",
        "key",
        "get",
        "\n",
        ".",
        "(",
        "\\",
        "$",
        "\u212a",
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join) | st.sampled_from(actions.ALL))
def test_the_actions_that_a_pattern_matches_are_those_that_match_it_one_by_one(pattern: str) -> None:
    assert matching(pattern) == {action for action in actions.ALL if patterns.matches_action(pattern, action)}
