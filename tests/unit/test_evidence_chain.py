"""The chain at other instants and under other roots, and that nothing remembered changes an answer."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from nitroctl.checks import Outcome
from nitroctl.errors import CannotAnswer
from nitroctl.evidence import certificate, remembered, roots
from nitroctl.evidence.chain import instant, role
from nitroctl.evidence.document import parse
from nitroctl.evidence.verify import Verified, verify
from nitroctl.standin.lab_change import AT, accepted, good_chain, make, other_chain, root


def judged(at: datetime) -> Verified:
    return verify(parse(make()), accepted(), at=at)


def failed(verified: Verified) -> list[str]:
    return [check.id for check in verified.report.having(Outcome.FAIL)]


def test_every_period_is_judged_at_the_instant_asked_ends_included() -> None:
    leaf = good_chain()[-1].certificate
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    assert failed(judged(begin)) == failed(judged(end)) == []
    assert failed(judged(begin - timedelta(microseconds=1))) == ["chain.begun"]
    assert failed(judged(end + timedelta(microseconds=1))) == ["chain.unexpired"]
    assert judged(end + timedelta(seconds=1)).only_expired
    assert not judged(begin - timedelta(seconds=1)).only_expired


def test_the_sentence_about_time_names_the_worst_link_and_the_others() -> None:
    later = judged(datetime(2026, 11, 24, tzinfo=UTC)).report["chain.unexpired"]
    assert later.detail == (
        "the leaf (certificate 5 of 5) ended at 2026-11-20T13:00:00Z, before 2026-11-24T00:00:00Z; "
        "so did the instance CA"
    )
    earlier = judged(datetime(2026, 11, 20, 9, 30, tzinfo=UTC)).report["chain.begun"]
    assert earlier.detail == (
        "the leaf (certificate 5 of 5) begins at 2026-11-20T09:59:57Z, after 2026-11-20T09:30:00Z; "
        "so does the instance CA"
    )


def test_another_zone_is_the_same_instant() -> None:
    assert judged(AT.astimezone(timezone(timedelta(hours=-7)))).report.passed


def test_an_instant_without_a_zone_is_a_bug() -> None:
    with pytest.raises(ValueError, match="aware"):
        judged(AT.replace(tzinfo=None))


def test_a_test_root_is_not_accepted_unless_it_is_named() -> None:
    document = parse(make())
    assert failed(verify(document, at=AT)) == ["chain.root-pinned"]
    assert verify(document, accepted(), at=AT).report["chain.root-pinned"].detail == (
        "CN=standin.nitro-enclaves,OU=test,O=nitroctl stand-in,C=US, which is not an AWS root"
    )
    assert failed(verify(document, (), at=AT)) == ["chain.root-pinned"]


def test_what_is_remembered_changes_no_answer() -> None:
    first = judged(AT).report
    assert judged(AT).report == first
    assert failed(judged(AT + timedelta(days=1))) == ["chain.unexpired"]
    remembered.forget()
    assert judged(AT).report == first
    with remembered.nothing():
        assert judged(AT).report == first
        assert failed(judged(AT + timedelta(days=1))) == ["chain.unexpired"]


def test_a_link_is_remembered_with_its_exact_parent() -> None:
    regional = good_chain()[1].der
    assert certificate.signed_by(root().der, regional)
    assert not certificate.signed_by(other_chain(same_name=True)[0].der, regional)


def test_the_roots_in_the_package_are_the_pinned_ones() -> None:
    for known in roots.AWS_ROOTS:
        assert roots.from_pem(roots.pem(known), where="x") == known
    assert [known.partition for known in roots.AWS_ROOTS] == ["aws", "aws-us-gov"]


def test_a_root_file_holds_one_certificate() -> None:
    pem = roots.pem(roots.AWS_ROOTS[0])
    for content in (pem + pem, b"", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"):
        with pytest.raises(CannotAnswer):
            roots.from_pem(content, where="x")
    with pytest.raises(CannotAnswer):
        roots.pem(accepted()[0])


def test_roles_and_instants_are_written_plainly() -> None:
    assert [role(number, 5) for number in range(5)] == ["root", "regional CA", "zonal CA", "instance CA", "leaf"]
    assert [role(number, 3) for number in range(3)] == ["root", "intermediate 1", "leaf"]
    assert instant(AT) == "2026-11-20T10:00:00.250Z"
    assert instant(AT.replace(microsecond=0)) == "2026-11-20T10:00:00Z"
