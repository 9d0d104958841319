"""What mutation testing found that no other test would notice: edges, offsets and sentences, each pinned exactly.

Every test here fails for at least one small change of nitroctl/evidence that all the other tests let pass.
"""

import hashlib
import itertools
from datetime import timedelta

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.checks import Outcome
from nitroctl.evidence import cbor, certificate, der, document, roots, rules
from nitroctl.evidence.cose import Envelope
from nitroctl.evidence.verify import verify
from nitroctl.standin import lab, lab_change, pki
from nitroctl.standin.lab_change import AT, Change, accepted, edited, good_chain, make, profile, put
from tests.conftest import ROOT
from tests.lab_sentences import sentences


def fault(content: bytes, *, leading_tag: bool = False) -> tuple[str, int, str]:
    with pytest.raises(cbor.CborFault) as caught:
        cbor.scan(content, leading_tag=leading_tag)
    assert str(caught.value) == caught.value.message
    return caught.value.rule.id, caught.value.offset, caught.value.message


def test_every_case_of_the_lab_is_refused_in_these_words() -> None:
    """Whole sentences, what was compared, and what blocked what: ``python -m tests.generate`` writes them anew."""
    assert sentences() == (ROOT / "tests" / "assets" / "lab-sentences.txt").read_text()


# -- the reader of CBOR
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ("cbor.complete", 0, "an item is missing: the bytes end here")),
        ("9f00", ("cbor.complete", 2, "an item is missing: the bytes end here")),
        ("18", ("cbor.complete", 0, "a length is cut off: the bytes end inside it")),
        ("821900", ("cbor.complete", 1, "a length is cut off: the bytes end inside it")),
        ("1a000100", ("cbor.complete", 0, "a length is cut off: the bytes end inside it")),
        ("1b00000001000000", ("cbor.complete", 0, "a length is cut off: the bytes end inside it")),
        ("424100", None),
        ("434100", ("cbor.complete", 0, "a string of 3 bytes where 2 are left")),
        ("634142", ("cbor.complete", 0, "a string of 3 bytes where 2 are left")),
        ("82416a5820aa", ("cbor.complete", 3, "a string of 32 bytes where 1 are left")),
        ("830000", ("cbor.complete", 0, "3 items claimed where 2 bytes are left")),
        ("820000", None),
        ("a30000", ("cbor.complete", 0, "3 items claimed where 2 bytes are left")),
        ("82009bffffffffffffffff", ("cbor.complete", 2, "18446744073709551615 items claimed where 0 bytes are left")),
        ("1817", ("cbor.shortest-heads", 0, "23 is written in 1 bytes, which is not the fewest")),
        ("1900ff", ("cbor.shortest-heads", 0, "255 is written in 2 bytes, which is not the fewest")),
        ("1a0000ffff", ("cbor.shortest-heads", 0, "65535 is written in 4 bytes, which is not the fewest")),
        ("1b00000000ffffffff", ("cbor.shortest-heads", 0, "4294967295 is written in 8 bytes, which is not the fewest")),
        ("821c00", ("cbor.types", 1, "a head with the reserved value 28")),
        ("9cff", ("cbor.types", 0, "a head with the reserved value 28")),
        ("beff", ("cbor.types", 0, "a head with the reserved value 30")),
        ("5d4100ff", ("cbor.types", 0, "a head with the reserved value 29")),
        ("811f", ("cbor.types", 1, "an integer of indefinite length")),
        ("3f", ("cbor.types", 0, "an integer of indefinite length")),
        ("5fff", ("cbor.definite-strings", 0, "a string in chunks")),
        ("817fff", ("cbor.definite-strings", 1, "a string in chunks")),
        ("8200ff", ("cbor.types", 2, "a break outside a map or array")),
        ("81e0", ("cbor.types", 1, "a float or a simple value")),
        ("81fb0000000000000000", ("cbor.types", 1, "a float or a simple value")),
        ("81c0", ("cbor.tags", 1, "a tag")),
        ("81dbffffffffffffffff", ("cbor.tags", 1, "a tag")),
        ("82606361ff62", ("cbor.types", 4, "text that is not UTF-8")),
        ("a1f400", ("cbor.types", 1, "a map key that is neither a number nor a string")),
        ("a200008000", ("cbor.types", 3, "a map key that is neither a number nor a string")),
        ("a200000001", ("cbor.unique-keys", 3, "the key 0 occurs a second time")),
        ("a220002001", ("cbor.unique-keys", 3, "the key -1 occurs a second time")),
        ("a2616100616101", ("cbor.unique-keys", 4, "the key 'a' occurs a second time")),
        ("a241aa0041aa01", ("cbor.unique-keys", 4, "the key h'aa' occurs a second time")),
        ("8000ff", ("cbor.trailing-bytes", 1, "2 bytes follow the end")),
        ("9fffff", ("cbor.trailing-bytes", 2, "1 bytes follow the end")),
    ],
)
def test_where_and_how_cbor_is_refused(content: str, expected: tuple[str, int, str] | None) -> None:
    raw = bytes.fromhex(content)
    if expected is None:
        assert cbor.scan(raw).value == cbor2.loads(raw)
    else:
        assert fault(raw) == expected


@pytest.mark.parametrize(
    "content",
    [
        *("17", "1818", "18ff", "190100", "19ffff", "1a00010000", "1b0000000100000000", "1bffffffffffffffff", "20"),
        *("37", "3818", "3bffffffffffffffff", "f4", "f5", "f6", "40", "60", "80", "a0", "9fff", "bfff"),
        *("9f9f00ffbf0000ffff", "a400012002410304616105"),
    ],
)
def test_what_has_one_reading_is_read_as_cbor2_reads_it(content: str) -> None:
    raw = bytes.fromhex(content)
    assert repr(cbor.scan(raw).value) == repr(cbor2.loads(raw))


@pytest.mark.parametrize("opening", [b"\x81", b"\x9f", b"\xa1\x00", b"\xbf\x00"])
def test_eight_levels_are_read_and_a_ninth_is_not(opening: bytes) -> None:
    def nested(levels: int) -> bytes:
        closing = b"\xff" * levels if opening[0] & 0x1F == 0x1F else b""
        return opening * levels + b"\x00" + closing

    assert repr(cbor.scan(nested(8)).value) == repr(cbor2.loads(nested(8)))
    assert fault(nested(9)) == ("cbor.bounds", 8 * len(opening), "nesting deeper than 8")


def test_maps_inside_keys_are_no_deeper() -> None:
    """A map is no key, but it is read before that is known."""
    assert fault(b"\xa1" * 8 + b"\x00" * 9) == ("cbor.types", 7, "a map key that is neither a number nor a string")
    assert fault(b"\xa1" * 9 + b"\x00" * 10) == ("cbor.bounds", 8, "nesting deeper than 8")
    assert fault(b"\xbf" * 2000) == ("cbor.bounds", 8, "nesting deeper than 8")


def test_2048_items_are_read_and_one_more_is_not() -> None:
    def items(count: int) -> bytes:
        return b"\x9f" + b"\x00" * (count - 1) + b"\xff"

    assert cbor.scan(items(2048)).value == [0] * 2047
    assert fault(items(2049)) == ("cbor.bounds", 2048, "more than 2048 items")


def test_one_tag_18_may_lead_where_it_is_let() -> None:
    assert cbor.scan(b"\xd2\x81\x00", leading_tag=True) == cbor.Scanned([0], 1, ((2, 3),))
    assert fault(b"\xd2\x81\x00") == ("cbor.tags", 0, "a tag")
    assert fault(b"\xd2\xd2\x00", leading_tag=True) == ("cbor.tags", 1, "a tag")
    assert fault(b"\xd2", leading_tag=True) == ("cbor.complete", 1, "an item is missing: the bytes end here")


def test_the_places_of_the_parts() -> None:
    assert cbor.scan(bytes.fromhex("8341aa8100f6")) == cbor.Scanned([b"\xaa", [0], None], 0, ((1, 3), (3, 5), (5, 6)))
    found = cbor.scan(bytes.fromhex("a24161810020a10000"))
    assert found == cbor.Scanned({b"a": [0], -1: {0: 0}}, 0, ((1, 3), (3, 5), (5, 6), (6, 9)))


# -- the envelope
@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 257, 16384, 65535])
def test_the_signed_bytes_are_those_of_an_independent_encoder(size: int) -> None:
    content, other = bytes(size), b"\x07"
    assert Envelope(other, content, b"", 0).signed_bytes == cbor2.dumps(["Signature1", other, b"", content])
    assert Envelope(content, other, b"", 0).signed_bytes == cbor2.dumps(["Signature1", content, b"", other])


# -- certificates
def test_a_key_that_cannot_be_used_has_signed_nothing() -> None:
    (rsa,) = lab.find(["key-rsa"])
    found = document.parse(rsa.build()).document
    assert found is not None
    assert certificate.key_signed(found.certificate, b"", b"") is False


def test_what_a_certificate_says() -> None:
    leaf, instance, zonal = (certificate.load(lab_change.good_chain()[place].der) for place in (4, 3, 2))
    assert leaf.usages == frozenset({"digitalSignature", "nonRepudiation"})
    assert instance.usages == frozenset({"keyCertSign"})
    assert zonal.usages == frozenset({"digitalSignature", "keyCertSign", "cRLSign"})
    assert (leaf.ca, instance.ca, leaf.path_length, instance.path_length, zonal.path_length) == (
        False,
        True,
        None,
        0,
        1,
    )
    assert (leaf.crl_addresses, zonal.crl_addresses) == ((), ("http://crl-eu-west-1.standin.invalid/crl/zonal.crl",))
    assert leaf.common_name == f"{lab_change.MODULE_ID}.{lab_change.REGION}.aws"
    assert leaf.fingerprint == hashlib.sha256(leaf.der).hexdigest()


# -- the document
@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("timestamp", -1, "timestamp is -1"),
        ("timestamp", 0, "timestamp is 0"),
        ("timestamp", 1, ""),
        ("timestamp", 253_402_300_799_999, ""),
        ("timestamp", 253_402_300_800_000, "timestamp is 253402300800000, after the year 9999"),
        ("certificate", b"", "the certificate is 0 bytes"),
        ("certificate", b"\x00", ""),
        ("certificate", bytes(1024), ""),
        ("certificate", bytes(1025), "the certificate is 1025 bytes"),
        ("cabundle", [], "the bundle has 0 certificates"),
        ("cabundle", [b"\x00"], ""),
        ("cabundle", [bytes(1024)] * 10, ""),
        ("cabundle", [bytes(1)] * 11, "the bundle has 11 certificates"),
        ("cabundle", [b"\x00", b""], "certificate 2 of the bundle is 0 bytes"),
        ("cabundle", [b"\x00", bytes(1025)], "certificate 2 of the bundle is 1025 bytes"),
    ],
)
def test_both_ends_of_every_limit(field: str, value: object, detail: str) -> None:
    check = document.parse(make(Change(fields=put(**{field: value})))).report[f"document.{field}"]
    assert (check.outcome, check.detail) == (Outcome.FAIL if detail else Outcome.PASS, detail)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (False, "a boolean"),
        (1, "a number"),
        (-1, "a number"),
        ("a", "a text"),
        ([], "an array"),
        ({}, "a map"),
        (None, "null"),
        (b"", "0 bytes"),
    ],
)
def test_what_stands_in_place_of_bytes_is_named(value: object, kind: str) -> None:
    check = document.parse(make(Change(fields=put(certificate=value)))).report["document.certificate"]
    assert check.detail == f"the certificate is {kind}"


def test_every_length_beside_the_text_is_told() -> None:
    check = document.parse(make(Change(fields=put(nonce=bytes(513), user_data=bytes(514))))).report["document.lengths"]
    told = [f"{field} has {size} bytes" for field, size in (("user_data", 514), ("nonce", 513))]
    assert check.detail == "; ".join(f"{what}; AWS publishes 512 in one place and 1024 in another" for what in told)


def test_every_rule_is_in_every_report_once_and_in_order() -> None:
    parts = (rules.CBOR_RULES, rules.COSE_RULES, rules.DOCUMENT_RULES, rules.CHAIN_RULES)
    every = [rule.id for rule in itertools.chain(*parts)]
    apart = {rule.id for rule in (rules.DOCUMENT_NULLS, rules.DOCUMENT_LENGTHS, rules.DOCUMENT_FIELDS)}
    apart |= {rule.id for rule in (*rules.HABIT_RULES, rules.CHAIN_REVOCATION, rules.COSE_SIGNATURE)}
    wrong = (Change(), Change(fields=put(certificate=b"\x30")), leaf_with(("2.5.29.17", "30")))
    for content in (*(make(change) for change in wrong), b"\xff", b"\x80", bytes(32769)):
        ids = [check.id for check in verify(document.parse(content), accepted(), at=AT).report]
        assert [check for check in ids if check not in apart] == every
        assert len(set(ids)) == len(ids)
        assert rules.COSE_SIGNATURE.id in ids


# -- the chain
def test_every_certificate_that_cannot_be_read_is_named() -> None:
    change = Change(fields=put(certificate=b"\x30", cabundle=[good_chain()[0].der, b"\x31"]))
    detail = verify(document.parse(make(change)), accepted(), at=AT).report["chain.der"].detail
    first, second = detail.split("; ")
    assert first.startswith("the intermediate 1 (certificate 2 of 3) cannot be decoded: ")
    assert second.startswith("the leaf (certificate 3 of 3) cannot be decoded: ")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "AWS Nitro Enclaves Root G1 (partition aws)"),
        (1, "AWS GovCloud (US) Nitro Enclaves root (partition aws-us-gov)"),
    ],
)
def test_a_pinned_root_of_aws_is_told_with_its_partition(number: int, words: str) -> None:
    known = roots.AWS_ROOTS[number]
    first = x509.load_pem_x509_certificate(roots.pem(known)).public_bytes(Encoding.DER)
    parsed = document.parse(make(Change(fields=put(cabundle=[first]))))
    assert verify(parsed, at=AT).report["chain.root-pinned"].detail == words
    check = verify(parsed, roots.AWS_ROOTS[1 - number : 2 - number], at=AT).report["chain.root-pinned"]
    assert check.outcome is Outcome.FAIL
    assert check.detail == f"the bundle begins with {known.name}, which is not among the roots given"


def test_of_the_periods_that_have_not_begun_the_last_to_begin_is_named() -> None:
    late = profile(2, not_before=AT + timedelta(hours=2), not_after=AT + timedelta(days=2))
    report = verify(document.parse(make(late)), accepted(), at=AT - timedelta(hours=2)).report
    assert report["chain.begun"].detail == (
        "the zonal CA (certificate 3 of 5) begins at 2026-11-20T12:00:00Z, after 2026-11-20T08:00:00.250Z; "
        "not begun either: the leaf, the instance CA, the regional CA"
    )


def leaf_with(*extensions: tuple[str, str]) -> Change:
    """A leaf with further extensions, not critical, by their identifiers and what is in them, in hexadecimal."""
    extra = tuple(
        (x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), bytes.fromhex(value)), False)
        for oid, value in extensions
    )
    return profile(4, extra=extra)


def chain_check(change: Change, check: str) -> tuple[Outcome, str]:
    found = verify(document.parse(make(change)), accepted(), at=AT).report[check]
    return found.outcome, found.detail


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (leaf_with(("2.5.29.17", "3002a300")), "x400Address/EDIPartyName are not supported types"),
        (leaf_with(("2.5.29.17", "300fa40d300b3109300706035504030300")), "oid must be X500_UNIQUE_IDENTIFIER"),
        (leaf_with(("2.5.29.17", "30")), "error parsing asn1 value"),
    ],
    ids=["a kind of name", "a name in a bit string", "no ASN.1"],
)
def test_an_extension_that_the_library_cannot_read_is_refused(change: Change, reason: str) -> None:
    outcome, detail = chain_check(change, "chain.extensions")
    assert outcome is Outcome.FAIL
    assert detail.startswith(f"the leaf (certificate 5 of 5) has an extension that cannot be read: {reason}")


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (("0c3569", "033569"), "oid must be X500_UNIQUE_IDENTIFIER"),
        (("020102021001", "020102021081"), "Parsed a serial number which wasn't positive"),
        (("a003020102021001", "a003020103021001"), "3 is not a valid X509 version"),
    ],
    ids=["a name in a bit string", "a negative serial number", "another version"],
)
def test_a_certificate_that_the_library_does_not_take_is_refused(edit: tuple[str, str], reason: str) -> None:
    outcome, detail = chain_check(Change(fields=edited(4, *edit)), "chain.der")
    assert outcome is Outcome.FAIL
    assert detail.startswith(f"the leaf (certificate 5 of 5) cannot be decoded: {reason}")


def test_a_key_that_cannot_be_read_is_refused() -> None:
    outcome, detail = chain_check(Change(fields=edited(4, "06052b81040022", "06052b81040024")), "chain.keys")
    assert outcome is Outcome.FAIL
    assert detail.startswith("the leaf (certificate 5 of 5) has a key that cannot be read: ")


def test_only_addresses_count_as_distribution_points() -> None:
    name = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
    points = [
        x509.DistributionPoint(None, name, None, None),
        x509.DistributionPoint([x509.DNSName("a"), x509.UniformResourceIdentifier("http://a/")], None, None, None),
        x509.DistributionPoint([x509.UniformResourceIdentifier("http://b/")], None, None, None),
    ]
    extra = ((x509.CRLDistributionPoints(points), False),)
    found = document.parse(make(profile(4, extra=extra))).document
    assert found is not None
    assert certificate.load(found.certificate).crl_addresses == ("http://a/", "http://b/")


def test_a_name_counts_when_there_is_one() -> None:
    def common_name(*names: str) -> str:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name) for name in names])
        return certificate.load(
            pki.issue(pki.Profile(subject=subject, not_before=AT, not_after=AT), None).der
        ).common_name

    assert (common_name(), common_name("a"), common_name("a", "b")) == ("", "a", "")


def test_a_reason_is_one_line_and_not_long() -> None:
    assert certificate.reason(ValueError("  a\n b\tc ")) == "a b c"
    assert certificate.reason(ValueError("x" * 121)) == "x" * 120


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 129, 255, 256, 300, 65535])
def test_where_the_content_of_an_item_begins_and_ends(size: int) -> None:
    item = lab_change.tlv(0x30, bytes(size))
    assert der.content(item, 0) == len(item) - size
    assert der._end(b"\xff" + item + b"\xff", 1) == 1 + len(item)
