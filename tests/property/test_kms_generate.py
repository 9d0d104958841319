"""Policies of random ledgers, judged by an evaluator that knows only the IAM documentation."""

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.kms.generate import ATTESTED_ACTIONS, Targets, generate
from nitroctl.kms.key_policy import SIZE_LIMIT
from nitroctl.kms.principals import roles
from nitroctl.records import Entry, Ledger
from tests.kms_truth import Request, allowed, attested
from tests.records import active, register

ROLE = "arn:aws:iam::111122223333:role/"
ENCLAVE = f"{ROLE}signer"
PRINCIPALS = (ENCLAVE, f"{ROLE}admin", f"{ROLE}writer", "arn:aws:iam::111122223333:root", f"{ROLE}other")
OPTIONAL = (3, 8, 16)


@st.composite
def releases(draw: st.DrawFn) -> tuple[Entry, ...]:
    """Return active releases of one environment whose registers are drawn from few values, and may be shared."""
    image_pins = draw(st.sampled_from([[{0}, {0, 1}, {0, 1, 2}], [{1, 2}, {0, 1, 2}]]))
    made = []
    for number in range(draw(st.integers(1, 4))):
        seeds = {index: draw(st.integers(0, 2)) for index in (0, 1, 2, *OPTIONAL)}
        pin = draw(st.sampled_from(image_pins)) | draw(st.sets(st.sampled_from(OPTIONAL)))
        pcrs = {index: register((index, seed)) for index, seed in seeds.items() if index < 3 or index in pin}
        made.append(active(f"{number}.0", component=f"app{number}", pcrs=pcrs, pin=sorted(pin)))
    return Ledger.of(made).entries


def targets(actions: Sequence[str]) -> Targets:
    return Targets(
        enclave_roles=roles([ENCLAVE], option=""),
        admin_roles=roles([f"{ROLE}admin"], option=""),
        policy_writers=roles([f"{ROLE}writer"], option=""),
        actions=tuple(actions),
    )


actions = st.lists(st.sampled_from(ATTESTED_ACTIONS), min_size=1, unique=True)
images = st.fixed_dictionaries({index: st.integers(0, 3) for index in (0, 1, 2, *OPTIONAL)}).map(
    lambda seeds: {index: register((index, seed)) for index, seed in seeds.items()}
)


@given(releases(), actions)
def test_the_size_is_counted_right_and_the_bytes_depend_on_nothing_else(
    entries: tuple[Entry, ...], wanted: list[str]
) -> None:
    policy = generate(entries, targets(wanted))
    text = policy.compact()
    assert policy.size == len(text.encode("utf-8"))
    assert policy.left == SIZE_LIMIT - policy.size
    assert json.loads(text) == json.loads(policy.pretty()) == policy.document()
    assert generate(entries, targets(sorted(wanted, reverse=True))).compact() == text


@given(releases(), actions)
def test_every_release_has_its_allow_and_is_let_in(entries: tuple[Entry, ...], wanted: list[str]) -> None:
    document = generate(entries, targets(wanted)).document()
    for entry in entries:
        for action in wanted:
            assert allowed(document, attested(ENCLAVE, entry.pcrs, action))


@given(releases(), images, st.sampled_from(PRINCIPALS), st.sampled_from(ATTESTED_ACTIONS))
def test_exactly_the_role_with_a_pinned_tuple_is_let_in(
    entries: tuple[Entry, ...], image: dict[int, bytes], principal: str, action: str
) -> None:
    """The whole specification in one line, over images that share single registers with the recorded ones."""
    document = generate(entries, targets(ATTESTED_ACTIONS)).document()
    recorded = any(all(image[index] == entry.pcrs[index] for index in entry.pin) for entry in entries)
    assert allowed(document, attested(principal, image, action)) == (recorded and principal == ENCLAVE)


@given(releases(), images, st.sampled_from(PRINCIPALS), st.sampled_from(ATTESTED_ACTIONS))
def test_iam_and_grants_reach_no_image_that_shares_no_register_that_all_pin(
    entries: tuple[Entry, ...], image: dict[int, bytes], principal: str, action: str
) -> None:
    document = generate(entries, targets(ATTESTED_ACTIONS)).document()
    common = set.intersection(*(set(entry.pin) for entry in entries))
    foreign = any(image[index] not in {entry.pcrs[index] for entry in entries} for index in common)
    if foreign:
        assert not allowed(document, attested(principal, image, action), elsewhere=True)
    assert not allowed(document, Request(principal, action), elsewhere=True)
    assert not allowed(document, attested(principal, {**image, 0: pcr.ZERO}, action), elsewhere=True)
