"""What differs between two documents, member by member."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nitroctl.cli import attest_file
from nitroctl.evidence import compared
from nitroctl.evidence.compared import LinkPair, Pair, Relation, Side, TimePair, compare, subject
from nitroctl.evidence.document import parse
from tests.documents import AT, LATER, PCRS, document
from tests.schemas import validator


def side(data: bytes) -> Side:
    parsed = parse(data)
    assert parsed.document is not None
    assert parsed.envelope is not None
    return Side(data, parsed.envelope, parsed.document, attest_file.certificates(parsed))


ONE, NEXT = side(document()), side(document(at=LATER))
DEFINITE = replace(ONE.envelope, payload=b"\xa9" + ONE.envelope.payload[1:-1])
SIGNATURE = Pair("signature", "signature", ONE.envelope.signature.hex(), NEXT.envelope.signature.hex(), usual=True)


def form(first: str, second: str) -> Pair:
    return Pair("form", "encoding", first, second, usual=True)


@pytest.mark.parametrize(
    ("second", "pairs"),
    [
        (ONE, ()),
        (NEXT, (SIGNATURE,)),
        (
            replace(ONE, data=b"\xd2" + ONE.data),
            (form("no tag, payload map of indefinite length", "tag 18, payload map of indefinite length"),),
        ),
        (
            replace(ONE, envelope=DEFINITE),
            (form("no tag, payload map of indefinite length", "no tag, payload map of definite length"),),
        ),
    ],
    ids=["same", "signature", "tag", "map"],
)
def test_envelopes_that_differ(second: Side, pairs: tuple[Pair, ...]) -> None:
    assert compare(ONE, second).form == pairs


def test_how_two_documents_stand_to_each_other() -> None:
    assert compare(ONE, ONE).relation is Relation.SAME_DOCUMENT
    assert compare(ONE, replace(ONE, data=b"\xd2" + ONE.data)).relation is Relation.SAME_PAYLOAD
    assert compare(ONE, NEXT).relation is Relation.SAME_MODULE
    named: Any = validator("attest.diff.1").schema
    assert [*Relation, None] == named["properties"]["relation"]["enum"]
    nameless = replace(ONE.document, module_id="x"), replace(NEXT.document, module_id="y")
    one, other = replace(ONE, document=nameless[0]), replace(NEXT, document=nameless[1])
    assert compare(one, other).relation is Relation.SAME_INSTANCE  # by the name of their authority
    bare = (
        replace(ONE, links=()),
        replace(NEXT, links=(), document=replace(NEXT.document, module_id=f"{ONE.document.module_id[:-1]}f")),
    )
    assert compare(*bare).relation is Relation.SAME_INSTANCE  # by their module ids
    elsewhere = side(document(instance="i-0fedcba9876543210"))
    unnamed = replace(elsewhere, document=replace(elsewhere.document, module_id="z"))
    assert compare(one, elsewhere).relation is compare(one, unnamed).relation is Relation.OTHER_INSTANCE
    for untold in (compare(one, replace(unnamed, links=())), compare(replace(unnamed, links=()), one)):
        assert untold.relation is Relation.UNKNOWN_INSTANCE
        assert subject(untold) == "another module, and whether on the same instance is not told"


def test_everything_that_names_an_enclave_is_compared() -> None:
    other = side(document(instance="i-0fedcba9876543210", region="us-east-1"))
    assert [(pair.key, pair.label, pair.usual) for pair in compare(ONE, other).identity] == [
        ("module_id", "module id", False),
        ("instance_id", "instance id", False),
        ("region", "region", False),
    ]
    tpm = side(document(tpm=True, module="i-0123456789abcdef0-tpm0000000000000000"))
    assert compare(ONE, tpm).identity[0] == Pair("kind", "kind", "enclave", "nitrotpm")
    assert compare(ONE, tpm).registers is None


def test_registers_of_a_tpm_mean_what_they_mean_there() -> None:
    module = "i-0123456789abcdef0-tpm0000000000000000"
    first, second = (side(document(tpm=True, module=module, pcrs=pcrs)) for pcrs in (PCRS, {**PCRS, 20: b"x" * 48}))
    (pair,) = compare(first, second).registers or ()
    assert (pair.index, pair.meaning) == (20, "not used")


# -- chains


def test_of_chains_that_cannot_be_read_only_the_root_is_compared() -> None:
    other = replace(NEXT.document, cabundle=(b"x", *NEXT.document.cabundle[1:]))
    for one, two in ((ONE, replace(NEXT, links=())), (replace(ONE, links=()), NEXT)):
        assert compare(one, two).links == (LinkPair("root", "same", None, None),)
    assert compare(ONE, replace(NEXT, links=(), document=other)).links == (LinkPair("root", "other", None, None),)


def test_chains_of_different_lengths_are_compared_to_the_end_of_the_longer() -> None:
    shorter = replace(NEXT, links=NEXT.links[:4])
    for one, two in ((ONE, shorter), (shorter, ONE)):
        pairs = compare(one, two).links
        assert [pair.relation for pair in pairs] == ["same", "same", "same", "same", "other"]
        assert (pairs[4].first, pairs[4].second) == ((ONE.links[4], None) if one is ONE else (None, ONE.links[4]))


def test_only_another_root_is_more_than_the_next_document() -> None:
    found = compare(ONE, NEXT)
    root, regional = LinkPair("root", "same", None, None), LinkPair("regional CA", "other", None, None)
    assert found.same
    assert replace(found, links=(root, regional)).same
    assert not replace(found, links=(replace(root, relation="other"), regional)).same


# -- times


def test_how_far_apart_two_documents_are() -> None:
    assert compare(ONE, NEXT).apart == LATER - AT
    assert compare(NEXT, ONE).apart == AT - LATER
    assert compare(ONE, ONE).apart == timedelta(0)


def test_instants_are_apart_when_both_are_known() -> None:
    assert TimePair("x", "x", AT, LATER).apart == LATER - AT
    assert (TimePair("x", "x", None, AT).apart, TimePair("x", "x", AT, None).apart) == (None, None)


def test_what_is_not_usual_is_not_said_to_be() -> None:
    (nonce, data) = compared._differing(
        (("nonce", "nonce", "a"), ("user_data", "user data", "a")),
        (("nonce", "nonce", "b"), ("user_data", "user data", "b")),
        usual=("nonce",),
    )
    assert (nonce.usual, data.usual) == (True, False)
