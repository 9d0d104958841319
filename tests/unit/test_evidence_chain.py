"""The chain at other instants and under other roots, and that nothing remembered changes an answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.checks import Outcome
from nitroctl.errors import CannotAnswer
from nitroctl.evidence import certificate, remembered, roots
from nitroctl.evidence.chain import instant, role
from nitroctl.evidence.document import parse
from nitroctl.evidence.verify import Verified, verify
from nitroctl.standin import pki
from nitroctl.standin.lab_change import AT, Change, accepted, bundle, good_chain, make, other_chain, profile, put, root


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
        "over too: the instance CA"
    )
    earlier = judged(datetime(2026, 11, 20, 9, 30, tzinfo=UTC)).report["chain.begun"]
    assert earlier.detail == (
        "the leaf (certificate 5 of 5) begins at 2026-11-20T09:59:57Z, after 2026-11-20T09:30:00Z; "
        "not begun either: the instance CA"
    )


def test_another_zone_is_the_same_instant() -> None:
    assert judged(AT.astimezone(timezone(timedelta(hours=-7)))).report.passed


def test_an_instant_without_a_zone_is_a_bug() -> None:
    with pytest.raises(ValueError, match=r"^the instant must be aware$"):
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


def test_the_roots_are_those_that_aws_publishes() -> None:
    """The fingerprints as the Nitro Enclaves and the GovCloud user guides give them."""
    assert [(known.name, known.fingerprint, known.partition, known.file, known.aws) for known in roots.AWS_ROOTS] == [
        (
            "AWS Nitro Enclaves Root G1",
            "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b",
            "aws",
            "aws_root_g1.pem",
            True,
        ),
        (
            "AWS GovCloud (US) Nitro Enclaves root",
            "20bcd30a3e168ea03789e1c45912bc123c4de3c977b8a6e1c125c7929d668b3b",
            "aws-us-gov",
            "aws_us_gov_root.pem",
            True,
        ),
    ]
    assert roots.Root("x", "00") == roots.Root("x", "00", None, None)
    assert not roots.Root("x", "00").aws


@pytest.mark.parametrize("name", ["aws.nitro-enclaves", "aws-us-gov.nitro-enclaves", "aws-cn.nitro-enclaves"])
def test_a_root_with_a_name_of_aws_is_told_from_one_with_another(name: str) -> None:
    subject = pki.name(CN=name, order=("C", "O", "OU", "CN"))
    chain = pki.issue(replace(pki.root_profile(at=AT), subject=subject), None), *good_chain()[1:]
    check = verify(parse(make(Change(chain=lambda _: chain))), at=AT).report["chain.root-pinned"]
    known = "" if name.startswith("aws-cn") else ": it has that name, but is not that certificate"
    assert check.outcome is Outcome.FAIL
    assert check.detail == (
        f"the bundle begins with {chain[0].certificate.subject.rfc4514_string()}, which is not an accepted root{known}"
    )
    assert check.expected == f"{roots.AWS_ROOTS[0].fingerprint} or {roots.AWS_ROOTS[1].fingerprint}"
    assert check.remedy == "a root that is not AWS's is accepted only when --root names it"


def test_what_is_said_of_the_root_is_of_the_first_certificate_though_another_cannot_be_read() -> None:
    known = roots.AWS_ROOTS[0]
    first = x509.load_pem_x509_certificate(roots.pem(known)).public_bytes(Encoding.DER)
    check = verify(parse(make(Change(fields=put(cabundle=[first, b"\x30\x00"])))), accepted(), at=AT).report
    assert check["chain.der"].outcome is Outcome.FAIL
    assert check["chain.root-pinned"].detail == (
        f"the bundle begins with {known.name}, which is not among the roots given"
    )


def test_a_link_that_names_another_issuer_is_told_with_the_name_it_should_have() -> None:
    swapped = Change(fields=bundle(lambda ders: [ders[0], ders[1], ders[3], ders[2]]))
    before = good_chain()[1].certificate.subject.rfc4514_string()
    assert verify(parse(make(swapped)), accepted(), at=AT).report["chain.names"].detail == (
        "the zonal CA (certificate 3 of 5) names another issuer than the certificate before it, " + before
    )


def test_a_document_outside_a_period_is_told_with_both_times() -> None:
    late = profile(2, not_before=AT.replace(microsecond=0) + timedelta(seconds=60))
    check = verify(parse(make(late)), accepted(), at=AT + timedelta(seconds=90)).report["chain.document-time"]
    assert (check.outcome, check.expected, check.actual) == (
        Outcome.FAIL,
        "2026-11-20T10:01:00Z to 2026-11-26T10:00:00Z",
        "2026-11-20T10:00:00.250Z",
    )


PEM = roots.pem(roots.AWS_ROOTS[0])


@pytest.mark.parametrize(
    ("content", "code", "message", "hints"),
    [
        (PEM + PEM, "evidence.root", "x: more than one certificate in it", ["pass one file for each root"]),
        (
            b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            "evidence.root",
            "x: the certificate cannot be decoded: ",
            [],
        ),
        (b"", "pcr.certificate", "x: no PEM certificate in it", None),
    ],
    ids=["two", "no certificate", "empty"],
)
def test_a_root_file_holds_one_certificate(content: bytes, code: str, message: str, hints: list[str] | None) -> None:
    with pytest.raises(CannotAnswer) as caught:
        roots.from_pem(content, where="x")
    assert caught.value.code == code
    assert caught.value.message.startswith(message)
    assert hints is None or list(caught.value.hints) == hints


def test_a_root_of_somebody_else_is_named_as_it_names_itself() -> None:
    found = roots.from_pem(root().certificate.public_bytes(Encoding.PEM), where="x")
    assert found == roots.Root(root().certificate.subject.rfc4514_string(), accepted()[0].fingerprint)


def test_only_the_pinned_certificate_is_given_out() -> None:
    with pytest.raises(CannotAnswer) as caught:
        roots.pem(accepted()[0])
    assert caught.value.code == "evidence.root"
    assert caught.value.message == f"{accepted()[0].name} is not one of the roots in this package"
    first, second = roots.AWS_ROOTS
    with pytest.raises(CannotAnswer) as caught:
        roots.pem(replace(first, file=second.file))
    assert caught.value.code == "evidence.root"
    assert caught.value.message == "aws_us_gov_root.pem: not the certificate that is pinned"
    assert list(caught.value.hints) == ["install nitroctl anew"]


def test_roles_and_instants_are_written_plainly() -> None:
    assert [role(number, 5) for number in range(5)] == ["root", "regional CA", "zonal CA", "instance CA", "leaf"]
    assert [role(number, 3) for number in range(3)] == ["root", "intermediate 1", "leaf"]
    assert instant(AT) == "2026-11-20T10:00:00.250Z"
    assert instant(AT.replace(microsecond=0)) == "2026-11-20T10:00:00Z"
