"""Revocation lists that are given: what they refuse, what they say, and when they are not used."""

import tracemalloc
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.checks import Check, Outcome
from nitroctl.errors import CannotAnswer
from nitroctl.evidence import certificate, crl
from nitroctl.evidence.certificate import ECDSA_SHA384
from nitroctl.evidence.der import content
from nitroctl.evidence.document import parse
from nitroctl.evidence.verify import verify
from nitroctl.standin import pki
from nitroctl.standin.lab_change import (
    AT,
    GOOD,
    INSTANCE_CA,
    LEAF,
    REGIONAL,
    ROOT,
    ZONAL,
    Change,
    accepted,
    good_chain,
    issue_chain,
    make,
    other_root,
    profiles,
    tlv,
)
from nitroctl.standin.pki import Identity

HOUR = timedelta(hours=1)
REVOKED = datetime(2026, 11, 20, 9, tzinfo=UTC)
MADE = "2026-11-20T09:00:00Z"
Extensions = Sequence[tuple[x509.ExtensionType, bool]]


def revocation_list(
    issuer: Identity,
    revoked: Sequence[Identity] = (),
    *,
    begin: timedelta = -HOUR,
    end: timedelta = HOUR,
    extensions: Extensions = (),
    hash_: hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None,
    signer: Identity | None = None,
    each: Sequence[Sequence[x509.ExtensionType]] = (),
) -> bytes:
    """Return a list in DER by ``issuer``, in force from ``begin`` to ``end`` as seen from 10 o'clock.

    ``each``: the extensions of each entry.
    """
    ten = AT.replace(microsecond=0)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(ten + begin).next_update(ten + end)
    for number, identity in enumerate(revoked):
        entry = x509.RevokedCertificateBuilder().serial_number(identity.certificate.serial_number)
        for value in each[number] if each else ():
            entry = entry.add_extension(value, critical=True)
        builder = builder.add_revoked_certificate(entry.revocation_date(REVOKED).build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    key = (signer or issuer).key
    return builder.sign(key, hash_ or hashes.SHA384()).public_bytes(Encoding.DER)


NOT_ECDSA = "is not signed with ECDSA and SHA-256, SHA-384 or SHA-512"
DELTA: Extensions = [(x509.DeltaCRLIndicator(1), True)]
UNKNOWN: Extensions = [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]
UNPROCESSED = "has the critical extension 1.2.3.4, which we do not process"


def chain() -> tuple[Identity, ...]:
    return good_chain()


def judged(*lists: bytes, at: datetime = AT, change: Change = GOOD) -> Check:
    report = verify(parse(make(change)), accepted(), at=at, crls=lists).report
    check = report["chain.revocation"]
    assert report.passed is (check.outcome is not Outcome.FAIL)
    return check


def scope(**values: Any) -> Extensions:
    given = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    } | values
    return [(x509.IssuingDistributionPoint(**given), True)]


def test_without_a_list_nothing_is_checked_and_the_report_says_so() -> None:
    check = judged()
    assert check.outcome is Outcome.SKIP
    assert not check.required
    assert check.detail.startswith(
        "not checked: AWS's text says that it must not be; the certificates name http://crl."
    )


@pytest.mark.parametrize(
    ("revoked", "called"),
    [
        (REGIONAL, "regional CA (certificate 2 of 5)"),
        (ZONAL, "zonal CA (certificate 3 of 5)"),
        (INSTANCE_CA, "instance CA (certificate 4 of 5)"),
    ],
)
def test_a_listed_certificate_is_refused(revoked: int, called: str) -> None:
    check = judged(revocation_list(chain()[revoked - 1], [chain()[revoked]]))
    assert check.outcome is Outcome.FAIL
    assert check.detail == f"the {called} is revoked since {MADE}, says its issuer's list of {MADE}"
    assert check.actual == f"serial number {chain()[revoked].certificate.serial_number:x}"


def test_a_listed_leaf_is_refused_when_its_issuer_may_sign_lists() -> None:
    def may(wanted: list[Any]) -> list[Any]:
        usage = frozenset({"key_cert_sign", "crl_sign"})
        return [replace(p, key_usage=usage) if number == INSTANCE_CA else p for number, p in enumerate(wanted)]

    issued = issue_chain(may(profiles()))
    change = Change(chain=lambda _: issued)
    assert judged(revocation_list(issued[INSTANCE_CA], [issued[LEAF]]), change=change).outcome is Outcome.FAIL
    assert judged(revocation_list(issued[INSTANCE_CA]), change=change).outcome is Outcome.PASS


def test_a_list_that_does_not_name_it_says_which_links_it_covers_and_which_not() -> None:
    check = judged(revocation_list(chain()[ROOT]), revocation_list(chain()[REGIONAL], [chain()[LEAF]]))
    assert check.outcome is Outcome.PASS
    assert check.detail == (
        f"the regional CA is not on its issuer's list of {MADE}; the zonal CA is not on its issuer's list of {MADE}; "
        "nothing is known of the instance CA and the leaf"
    )


def test_a_list_of_somebody_else_says_nothing() -> None:
    check = judged(revocation_list(other_root(same_name=False), [chain()[ZONAL]]))
    assert check.outcome is Outcome.SKIP
    assert check.detail == "not checked: no list that was given is by an issuer of this chain"


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (lambda: revocation_list(chain()[ROOT], begin=-3 * HOUR, end=-HOUR), f"was to be replaced by {MADE}"),
        (lambda: revocation_list(chain()[ROOT], begin=HOUR, end=3 * HOUR), "was made at 2026-11-20T11:00:00Z, after"),
        (lambda: revocation_list(chain()[ROOT], signer=other_root(same_name=True)), "is not signed with that"),
        (lambda: revocation_list(chain()[ROOT], hash_=hashes.SHA224()), f"{NOT_ECDSA}: not used"),
        (lambda: revocation_list(chain()[ROOT], extensions=UNKNOWN), f"{UNPROCESSED}: not used"),
        (
            lambda: revocation_list(chain()[ROOT], extensions=DELTA),
            "says only what has changed since another list: not",
        ),
        (
            lambda: revocation_list(chain()[ROOT], extensions=[(x509.DeltaCRLIndicator(1), False)]),
            "says only what has changed since another list: not",
        ),
        (
            lambda: revocation_list(chain()[ROOT], extensions=scope(indirect_crl=True)),
            "may list certificates of other issuers",
        ),
        (
            lambda: revocation_list(
                chain()[ROOT], extensions=scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))
            ),
            "lists certificates revoked for some reasons only",
        ),
        (
            lambda: revocation_list(chain()[ROOT], extensions=scope(only_contains_attribute_certs=True)),
            "lists attribute certificates",
        ),
        (
            lambda: revocation_list(chain()[ROOT], extensions=scope(only_contains_user_certs=True)),
            "lists certificates that are no authorities only",
        ),
        (
            lambda: revocation_list(
                chain()[ROOT], extensions=scope(full_name=[x509.UniformResourceIdentifier("http://elsewhere.invalid/")])
            ),
            "is for another distribution point than the regional CA names",
        ),
    ],
)
def test_a_list_that_cannot_be_used_warns_and_says_why(der: Any, reason: str) -> None:
    check = judged(der())
    assert check.outcome is Outcome.WARN
    assert check.detail.startswith(f"list 1 of 1, by the root, {reason}")
    assert check.detail.endswith(
        ": not used; nothing is known of the regional CA, the zonal CA, the instance CA and the leaf"
    )


def test_a_list_by_an_authority_that_may_not_sign_lists_is_not_used() -> None:
    check = judged(revocation_list(chain()[INSTANCE_CA], [chain()[LEAF]]))
    assert check.outcome is Outcome.WARN
    assert check.detail == (
        "list 1 of 1, by the instance CA, names the serial number of the leaf as revoked, "
        "but is not for that authority to sign: keyUsage lacks cRLSign: not used; "
        "nothing is known of the regional CA, the zonal CA, the instance CA and the leaf"
    )


@pytest.mark.parametrize("period", [(-3 * HOUR, -HOUR), (HOUR, 3 * HOUR)], ids=["stale", "later"])
def test_what_a_list_names_is_refused_whenever_the_list_was_made(period: tuple[timedelta, timedelta]) -> None:
    der = revocation_list(chain()[ROOT], [chain()[REGIONAL]], begin=period[0], end=period[1])
    assert judged(der).outcome is Outcome.FAIL


def test_a_stale_list_beside_a_current_one_does_not_matter() -> None:
    stale = revocation_list(chain()[ROOT], begin=-3 * HOUR, end=-HOUR)
    assert judged(stale, revocation_list(chain()[ROOT])).outcome is Outcome.PASS


def test_what_is_covered_is_said_beside_what_was_not_used() -> None:
    stale = revocation_list(chain()[REGIONAL], begin=-3 * HOUR, end=-HOUR)
    check = judged(revocation_list(chain()[ROOT]), stale)
    assert check.outcome is Outcome.WARN
    assert check.detail == (
        f"the regional CA is not on its issuer's list of {MADE}; list 2 of 2, by the regional CA, was to be replaced "
        f"by {MADE}, before 2026-11-20T10:00:00.250Z: not used; "
        "nothing is known of the zonal CA, the instance CA and the leaf"
    )


def test_one_certificate_of_which_nothing_is_known() -> None:
    check = judged(*(revocation_list(chain()[number]) for number in (ROOT, REGIONAL, ZONAL)))
    assert check.outcome is Outcome.PASS
    assert check.detail.endswith("; nothing is known of the leaf")


def test_an_issuer_without_key_usage_may_not_sign_lists() -> None:
    wanted = [replace(p, key_usage=frozenset()) if number == REGIONAL else p for number, p in enumerate(profiles())]
    issued = issue_chain(wanted)
    found = parse(make(Change(chain=lambda _: issued)))
    report = verify(found, accepted(), at=AT, crls=[revocation_list(issued[REGIONAL])]).report
    assert report["chain.revocation"].detail.startswith(
        "list 1 of 1, by the regional CA, is not for that authority to sign: keyUsage lacks cRLSign: not used; "
    )


def test_the_first_thing_wrong_with_a_list_is_told() -> None:
    everything = [*scope(indirect_crl=True, only_contains_attribute_certs=True), *UNKNOWN, *DELTA]
    found = crl.read(revocation_list(chain()[ROOT], hash_=hashes.SHA224(), extensions=everything))
    assert (found.fault, found.limit) == (NOT_ECDSA, "may list certificates of other issuers")
    for first, second in ((DELTA, UNKNOWN), (UNKNOWN, DELTA)):
        found = crl.read(revocation_list(chain()[ROOT], extensions=[*first, *second]))
        alone = crl.read(revocation_list(chain()[ROOT], extensions=first))
        assert (found.fault, found.limit) == (None, alone.limit)
    reasons = scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}), only_contains_ca_certs=True)
    found = crl.read(revocation_list(chain()[ROOT], extensions=[*UNKNOWN, *reasons]))
    assert (found.fault, found.limit, found.only) == (None, UNPROCESSED, "ca")


REASONS = frozenset({x509.ReasonFlags.key_compromise})


@pytest.mark.parametrize(
    ("extensions", "limit"),
    [
        (scope(only_some_reasons=REASONS), "lists certificates revoked for some reasons only"),
        (scope(only_contains_user_certs=True), "lists certificates that are no authorities only"),
        (
            scope(full_name=[x509.UniformResourceIdentifier("http://elsewhere.invalid/")]),
            "is for another distribution point than the regional CA names",
        ),
        (scope(indirect_crl=True), "may list certificates of other issuers"),
        (DELTA, "says only what has changed since another list"),
        (UNKNOWN, UNPROCESSED),
    ],
    ids=["some reasons", "others only", "another point", "indirect", "delta", "unknown extension"],
)
def test_a_list_that_is_limited_revokes_what_it_names(extensions: Extensions, limit: str) -> None:
    check = judged(revocation_list(chain()[ROOT], [chain()[REGIONAL]], extensions=extensions))
    assert check.outcome is Outcome.FAIL
    assert check.detail == (
        f"the regional CA (certificate 2 of 5) is revoked since {MADE}, says its issuer's list of {MADE}, which {limit}"
    )


@pytest.mark.parametrize("hash_", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda hash_: hash_.name)
def test_a_list_is_signed_with_any_of_three_hashes(hash_: hashes.SHA256 | hashes.SHA384 | hashes.SHA512) -> None:
    issuer = chain()[ROOT]
    assert judged(revocation_list(issuer, [chain()[REGIONAL]], hash_=hash_)).outcome is Outcome.FAIL
    assert judged(revocation_list(issuer, hash_=hash_)).outcome is Outcome.PASS
    assert judged(revocation_list(issuer, hash_=hash_, signer=chain()[ZONAL])).outcome is Outcome.WARN


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (
            lambda: revocation_list(chain()[ROOT], [chain()[REGIONAL]], signer=chain()[ZONAL]),
            "is not signed with that certificate's key",
        ),
        (lambda: revocation_list(chain()[ROOT], [chain()[REGIONAL]], hash_=hashes.SHA224()), NOT_ECDSA),
        (
            lambda: revocation_list(
                chain()[ROOT], [chain()[REGIONAL]], extensions=scope(only_contains_attribute_certs=True)
            ),
            "lists attribute certificates",
        ),
    ],
    ids=["another key", "another algorithm", "attribute certificates"],
)
def test_what_a_list_names_that_is_not_known_to_be_its_issuers_word_is_told_and_does_not_refuse(
    listed: Any, why: str
) -> None:
    told = f"by the root, names the serial number of the regional CA as revoked, but {why}: not used; "
    check = judged(listed())
    assert (check.outcome, check.actual, check.remedy) == (
        Outcome.WARN,
        f"serial number {chain()[REGIONAL].certificate.serial_number:x}",
        "ask the issuer whether it is revoked, before you rely on it",
    )
    assert check.detail == (
        f"list 1 of 1, {told}nothing is known of the regional CA, the zonal CA, the instance CA and the leaf"
    )
    beside = judged(revocation_list(chain()[ROOT]), listed())
    assert beside.outcome is Outcome.WARN, "another list by the same issuer does not make it unsaid"
    assert beside.detail == (
        f"list 2 of 2, {told}the regional CA is not on its issuer's list of {MADE}; "
        "nothing is known of the zonal CA, the instance CA and the leaf"
    )


def test_two_certificates_that_lists_name_without_proof() -> None:
    pairs = ((ROOT, REGIONAL), (REGIONAL, ZONAL), (ROOT, REGIONAL))
    given = [revocation_list(chain()[issuer], [chain()[named]], signer=chain()[LEAF]) for issuer, named in pairs]
    first, second = (f"{chain()[number].certificate.serial_number:x}" for number in (REGIONAL, ZONAL))
    check = judged(*given)
    assert (check.outcome, check.actual) == (Outcome.WARN, f"serial number {first} and {second}")
    why = "is not signed with that certificate's key: not used; "
    assert check.detail == (
        f"list 1 of 3, by the root, names the serial number of the regional CA as revoked, but {why}"
        f"list 3 of 3, by the root, names the serial number of the regional CA as revoked, but {why}"
        f"list 2 of 3, by the regional CA, names the serial number of the zonal CA as revoked, but {why}"
        "nothing is known of the regional CA, the zonal CA, the instance CA and the leaf"
    )


def test_a_later_list_that_is_signed_refuses_what_an_unsigned_one_names() -> None:
    unsigned = revocation_list(chain()[ROOT], [chain()[REGIONAL]], signer=chain()[ZONAL])
    assert judged(unsigned, revocation_list(chain()[ROOT], [chain()[REGIONAL]])).outcome is Outcome.FAIL


def by(*names: x509.Name) -> x509.CertificateIssuer:
    return x509.CertificateIssuer([x509.DNSName("a.invalid"), *(x509.DirectoryName(name) for name in names)])


OFF = x509.CRLReason(x509.ReasonFlags.remove_from_crl)
HOLD = x509.CRLReason(x509.ReasonFlags.certificate_hold)


@pytest.mark.parametrize(
    ("extensions", "each", "outcome"),
    [
        (scope(indirect_crl=True), lambda _own, other: [[], [by(other)]], Outcome.WARN),
        (scope(indirect_crl=True), lambda _own, other: [[by(other)], []], Outcome.WARN),
        (scope(indirect_crl=True), lambda own, other: [[by(other)], [by(own)]], Outcome.FAIL),
        (scope(indirect_crl=True), lambda own, other: [[by(other)], [by(other, own)]], Outcome.FAIL),
        (scope(indirect_crl=True), lambda own, _: [[by(own)], [HOLD]], Outcome.FAIL),
        (DELTA, lambda *_: [[OFF], [HOLD]], Outcome.FAIL),
        (DELTA, lambda *_: [[HOLD], [OFF]], Outcome.WARN),
        ([*DELTA, *scope(only_contains_ca_certs=True)], lambda *_: [[HOLD], [OFF]], Outcome.WARN),
        ([], lambda *_: [[HOLD], [OFF]], Outcome.FAIL),
    ],
    ids=[
        "another's",
        "after another's",
        "back",
        "among names",
        "its own",
        "added",
        "taken off",
        "limited too",
        "no delta",
    ],
)
def test_an_entry_that_is_of_another_issuer_or_taken_off_does_not_revoke(
    extensions: Extensions, each: Any, outcome: Outcome
) -> None:
    own, other = (chain()[number].certificate.subject for number in (ROOT, ZONAL))
    named = [chain()[LEAF], chain()[REGIONAL]]
    check = judged(revocation_list(chain()[ROOT], named, extensions=extensions, each=each(own, other)))
    assert check.outcome is outcome
    assert "names the serial number" not in check.detail


def test_an_entry_that_cannot_be_read_is_an_error_where_it_matters_whose_it_is() -> None:
    named = [chain()[REGIONAL], chain()[LEAF]]
    for extensions, is_error in ((scope(indirect_crl=True), True), (DELTA, True), ([], False)):
        der = revocation_list(chain()[ROOT], named, extensions=extensions, each=[[HOLD], [HOLD]])
        before, reason, after = der.rpartition(b"\x0a\x01\x06")
        assert reason
        changed = before + b"\x0a\x01\x07" + after  # a reason that there is not
        if is_error:
            refused(changed, "Unsupported reason code: 7")
        else:
            assert crl.load(changed, where="a.crl") == changed


def test_lists_are_read_from_files_up_to_16_mib_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert crl.MAX_TOTAL == 16 * 1024 * 1024
    ders = [revocation_list(chain()[ROOT]), revocation_list(chain()[REGIONAL])]
    paths = [str(tmp_path / name) for name in ("a.crl", "b.crl")]
    for path, der in zip(paths, ders, strict=True):
        Path(path).write_bytes(x509.load_der_x509_crl(der).public_bytes(Encoding.PEM))
    total = sum(map(len, ders))
    monkeypatch.setattr(crl, "MAX_TOTAL", total)
    assert crl.load_all(paths) == tuple(ders)
    monkeypatch.setattr(crl, "MAX_TOTAL", total - 1)
    with pytest.raises(CannotAnswer) as caught:
        crl.load_all(paths)
    assert (caught.value.code, caught.value.message, list(caught.value.hints)) == (
        "evidence.crl",
        f"{paths[1]}: with this one the revocation lists are larger than {total - 1} bytes, the most that is read",
        ["give only the lists of issuers in the chain"],
    )
    assert crl.load_all([]) == ()


def test_no_more_is_read_of_a_list_than_it_may_have(tmp_path: Path) -> None:
    path = tmp_path / "large.crl"
    with path.open("wb") as stream:
        stream.truncate(crl.MAX_BYTES + 1)
    with pytest.raises(CannotAnswer) as caught:
        crl.load_all([str(path)])
    assert caught.value.code == "file.too-large"
    with path.open("r+b") as stream:
        stream.truncate(crl.MAX_BYTES)
    with pytest.raises(CannotAnswer) as caught:
        crl.load_all([str(path)])
    assert caught.value.code == "evidence.crl"


def long(content: bytes) -> bytes:
    """Return a sequence of 64 KiB to 16 MiB in DER."""
    return b"\x30\x83" + len(content).to_bytes(3) + content


def test_the_numbers_on_a_list_are_not_held() -> None:
    """As objects they take three times the room of the list."""
    issuer = chain()[ROOT].certificate
    time = b"\x17\x0d" + AT.strftime("%y%m%d%H%M%SZ").encode()
    numbers = [*range(1 << 150, (1 << 150) + 20_000), chain()[REGIONAL].certificate.serial_number]
    entries = b"".join(tlv(0x30, tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1)) + time) for number in numbers)
    begin = b"\x02\x01\x01" + ECDSA_SHA384 + issuer.subject.public_bytes() + 2 * time
    signed = long(begin + long(entries))
    signature = chain()[ROOT].key.sign(signed, ec.ECDSA(hashes.SHA384()))
    der = long(signed + ECDSA_SHA384 + tlv(0x03, b"\x00" + signature))
    links = [certificate.load(identity.der) for identity in chain()]
    tracemalloc.start()
    assert crl.check(links, [der], AT).outcome is Outcome.FAIL
    assert crl.check([links[0], replace(links[1], serial=1 << 149)], [der], AT).outcome is Outcome.WARN
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(der)


def test_a_key_that_is_not_on_the_curve_signs_no_list() -> None:
    links = [certificate.load(identity.der) for identity in chain()]
    der = revocation_list(chain()[ROOT], [chain()[REGIONAL]])
    assert crl.check(links, [der], AT).outcome is Outcome.FAIL
    check = crl.check([replace(links[0], verifier=None), *links[1:]], [der], AT)
    assert (check.outcome, "is not signed with that certificate's key" in check.detail) == (Outcome.WARN, True)


def test_a_list_is_in_force_from_its_update_to_the_next_one_ends_included() -> None:
    der = revocation_list(chain()[ROOT])
    ten = AT.replace(microsecond=0)
    inside = (AT, ten + HOUR)
    assert [judged(der, at=at).outcome for at in inside] == [Outcome.PASS] * 2
    begun = revocation_list(chain()[ROOT], begin=timedelta(0))
    assert judged(begun, at=ten).outcome is Outcome.PASS
    assert judged(begun, at=ten - timedelta(microseconds=1)).outcome is Outcome.WARN
    found = crl.read(der)
    assert (found.this_update, found.next_update) == (ten - HOUR, ten + HOUR)
    assert judged(der, at=ten + HOUR + timedelta(microseconds=1)).outcome is Outcome.WARN


def test_a_list_limited_to_the_point_the_certificate_names_is_used() -> None:
    point = x509.UniformResourceIdentifier("http://crl.standin.invalid/crl/root.crl")
    named = scope(full_name=[point], only_contains_ca_certs=True)
    assert judged(revocation_list(chain()[ROOT], extensions=named)).outcome is Outcome.PASS
    assert judged(revocation_list(chain()[ROOT], [chain()[REGIONAL]], extensions=named)).outcome is Outcome.FAIL


def test_a_list_is_not_asked_when_the_certificates_cannot_be_read() -> None:
    broken = Change(document=lambda document: document[:-1])
    report = verify(parse(make(broken)), accepted(), at=AT, crls=[revocation_list(chain()[ROOT])]).report
    assert "chain.revocation" not in {check.id for check in report}


def test_pem_and_der_are_loaded() -> None:
    der = revocation_list(chain()[ROOT], [chain()[REGIONAL]])
    pem = x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
    assert crl.load(der, where="a.crl") == der
    assert crl.load(b"issued on a Friday\n" + pem, where="a.crl") == der


PEM = b"-----BEGIN X509 CRL-----\n"
GIVEN = revocation_list(chain()[ROOT])
NO_LIST = "a.crl: not a certificate revocation list: "


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", NO_LIST),
        (b"\x30\x00", NO_LIST),
        (GIVEN + b"\x00", NO_LIST),
        (GIVEN[:-1], NO_LIST),
        (chain()[ROOT].der, NO_LIST),
        (b"-----BEGIN X509 CRL-----\n", "a.crl: the PEM of the revocation list is damaged"),
        (b"-----BEGIN X509 CRL-----\n" * 2, "a.crl: more than one revocation list in it"),
        (bytes(5 * 1024 * 1024), "a.crl: a revocation list of 5242880 bytes; at most 4194304 are read"),
    ],
    ids=["empty", "no members", "a byte more", "a byte less", "a certificate", "damaged PEM", "two", "large"],
)
def test_what_is_no_list_is_an_error(raw: bytes, message: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        crl.load(raw, where="a.crl")
    assert caught.value.code == "evidence.crl"
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_a_list_of_exactly_4_mib_is_looked_at() -> None:
    with pytest.raises(CannotAnswer, match="not a certificate revocation list"):
        crl.read(bytes(4 * 1024 * 1024))


def test_a_list_by_the_leaf_is_by_no_issuer() -> None:
    check = judged(revocation_list(chain()[LEAF], [chain()[ROOT]]))
    assert check.detail == "not checked: no list that was given is by an issuer of this chain"


def test_what_to_do_is_said() -> None:
    revoked = judged(revocation_list(chain()[ROOT], [chain()[REGIONAL]]))
    assert revoked.remedy == (
        "take nothing that was signed under it as authentic; the list does not say what was signed before"
    )
    unused = judged(revocation_list(chain()[ROOT], begin=-3 * HOUR, end=-HOUR))
    assert unused.remedy == "get the issuer's list that was in force at the instant asked"
    for raw, hint in (
        (b"", "pass a list as its issuer publishes it, in DER or PEM"),
        (2 * PEM, "one file for each list"),
    ):
        with pytest.raises(CannotAnswer) as caught:
            crl.load(raw, where="a.crl")
        assert list(caught.value.hints) == [hint]


def without_end(listed: bytes) -> bytes:
    """Return a list by the root without the time of the next one."""
    ten = AT.replace(microsecond=0)
    time = b"\x17\x0d" + (ten + HOUR).strftime("%y%m%d%H%M%SZ").encode()
    signed = x509.load_der_x509_crl(listed).tbs_certlist_bytes
    before, found, after = signed[content(signed, 0) :].partition(time)
    assert found
    body = tlv(0x30, before + after)
    signature = chain()[ROOT].key.sign(body, ec.ECDSA(hashes.SHA384()))
    return tlv(0x30, body + ECDSA_SHA384 + tlv(0x03, b"\x00" + signature))


def test_a_list_that_does_not_say_how_long_it_holds_is_used_only_to_refuse() -> None:
    check = judged(without_end(revocation_list(chain()[ROOT])))
    assert check.outcome is Outcome.WARN
    assert check.detail.startswith("list 1 of 1, by the root, does not say until when it holds: not used")
    assert judged(without_end(revocation_list(chain()[ROOT], [chain()[REGIONAL]]))).outcome is Outcome.FAIL


def test_a_point_named_in_a_relative_way_is_not_used() -> None:
    name = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
    check = judged(revocation_list(chain()[ROOT], extensions=scope(relative_name=name)))
    assert check.outcome is Outcome.WARN
    assert "by the root, names its distribution point in a relative way: not used" in check.detail


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ([], (frozenset(), None)),
        (scope(only_contains_user_certs=True), (frozenset(), "leaf")),
        (scope(only_contains_ca_certs=True), (frozenset(), "ca")),
        (scope(full_name=[x509.UniformResourceIdentifier("http://a/")]), (frozenset({"http://a/"}), None)),
    ],
)
def test_what_a_list_is_limited_to(extensions: Extensions, expected: tuple[frozenset[str], str | None]) -> None:
    found = crl.read(revocation_list(chain()[ROOT], extensions=extensions))
    assert (found.addresses, found.only, found.fault, found.limit, found.mixed) == (*expected, None, None, False)


@pytest.mark.parametrize("limit", ["only_contains_user_certs", "only_contains_ca_certs"])
def test_a_list_of_authorities_or_of_others_alone_says_by_silence_something_of_those(limit: str) -> None:
    usage = frozenset({"key_cert_sign", "crl_sign"})
    wanted = [replace(p, key_usage=usage) if number == INSTANCE_CA else p for number, p in enumerate(profiles())]
    issued = issue_chain(wanted)
    for issuer, authority in ((ZONAL, True), (INSTANCE_CA, False)):
        speaks = authority is (limit == "only_contains_ca_certs")
        given = revocation_list(issued[issuer], extensions=scope(**{limit: True}))
        check = judged(given, change=Change(chain=lambda _: issued))
        assert check.outcome is (Outcome.PASS if speaks else Outcome.WARN)
        which = "certificates that are no authorities" if authority else "authorities"
        assert speaks or f"lists {which} only: not used" in check.detail


def refused(raw: bytes, reason: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        crl.load(raw, where="a.crl")
    assert (caught.value.code, caught.value.message[: len(NO_LIST)]) == ("evidence.crl", NO_LIST)
    assert reason in caught.value.message


def test_an_issuer_whose_name_breaks_the_rules_of_names_is_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        country = x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "USA", _validate=False)
        issuer = pki.issue(pki.Profile(subject=x509.Name([country]), not_before=AT, not_after=AT), None)
        listed = revocation_list(issuer)
    refused(listed, "Attribute's length must be >= 2 and <= 2, but it was 3")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x04\x03\x03", "oid must be X500_UNIQUE_IDENTIFIER"),
        (b"\x86\x09http://a/", b"\xa3\x09http://a/", "x400Address/EDIPartyName are not supported types"),
    ],
    ids=["a name in a bit string", "a kind of name"],
)
def test_names_that_the_library_does_not_take_are_an_error(old: bytes, new: bytes, reason: str) -> None:
    der = revocation_list(chain()[ROOT], extensions=scope(full_name=[x509.UniformResourceIdentifier("http://a/")]))
    changed = der.replace(old, new, 1)
    assert changed != der
    refused(changed, reason)


def test_another_curve_signs_no_list() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = revocation_list(chain()[ROOT], signer=replace(chain()[ROOT], key=key))
    assert judged(der).outcome is Outcome.WARN


def test_a_list_of_the_first_version_is_used_only_to_refuse() -> None:
    for revoked in ([], [chain()[REGIONAL]]):
        signed = x509.load_der_x509_crl(revocation_list(chain()[ROOT], revoked)).tbs_certlist_bytes
        _, version, rest = signed.partition(bytes.fromhex("020101"))
        assert version
        signed = tlv(0x30, rest)
        signature = chain()[ROOT].key.sign(signed, ec.ECDSA(hashes.SHA384()))
        check = judged(tlv(0x30, signed + ECDSA_SHA384 + tlv(0x03, b"\x00" + signature)))
        if revoked:
            assert check.outcome is Outcome.FAIL
            assert check.detail.endswith(f"says its issuer's list of {MADE}, which is not a list of version 2")
        else:
            assert check.outcome is Outcome.WARN
            assert "by the root, is not a list of version 2: not used" in check.detail


def fate(raw: bytes) -> str:
    """What becomes of a file that is given as a list: the outcome, or the code of the error."""
    try:
        return judged(crl.load(raw, where="a.crl")).outcome.value
    except CannotAnswer as error:
        return error.code


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("0603551d14", "0603551d1c", "evidence.crl"),  # the list's number becomes a second distribution point
        ("300a06082a8648ce3d040303", "300a06082a8648ce3d040302", "evidence.crl"),
        ("020101", "020102", "evidence.crl"),
    ],
    ids=["an extension twice", "another algorithm", "another version"],
)
def test_a_list_that_was_changed_is_an_error_or_not_used(old: str, new: str, expected: str) -> None:
    der = revocation_list(chain()[ROOT], extensions=[*scope(only_contains_ca_certs=True), (x509.CRLNumber(1), False)])
    changed = der.replace(bytes.fromhex(old), bytes.fromhex(new), 1)
    assert changed != der
    assert fate(der) == "pass"
    assert fate(changed) == expected


def test_no_byte_of_a_list_can_be_changed_without_its_being_refused_or_unused() -> None:
    der = revocation_list(chain()[ROOT])
    changed = [der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :] for at in range(0, len(der), 3)]
    assert fate(der) == "pass"
    assert {fate(raw) for raw in changed} == {"warn", "skip", "evidence.crl"}
