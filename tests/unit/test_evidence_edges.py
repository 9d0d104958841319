"""Both sides of every limit, and which link or value a refusal names."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from nitroctl.checks import Check, Outcome, Report
from nitroctl.evidence.cose import Envelope
from nitroctl.evidence.document import parse
from nitroctl.evidence.verify import verify
from nitroctl.standin import nsm
from nitroctl.standin.lab_change import (
    AT,
    GOOD,
    LEAF,
    ROOT,
    ZONAL,
    Change,
    accepted,
    edited,
    good_chain,
    make,
    other_chain,
    profile,
    put,
    rewritten,
    tlv,
)


def judged(change: Change) -> Report:
    return verify(parse(make(change)), accepted(), at=AT).report


def fields(**values: object) -> Change:
    return Change(fields=put(**values))


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 16384, 65535])
def test_the_signed_bytes_are_what_an_encoder_writes(size: int) -> None:
    content = bytes(size)
    envelope = Envelope(protected=nsm.PROTECTED, payload=content, signature=b"", payload_offset=0)
    assert envelope.signed_bytes == nsm.signed_bytes(nsm.PROTECTED, content)
    envelope = Envelope(protected=content, payload=b"x", signature=b"", payload_offset=0)
    assert envelope.signed_bytes == nsm.signed_bytes(content, b"x")


def test_a_payload_of_16384_bytes_is_the_largest() -> None:
    def sized(size: int) -> Change:
        return Change(payload=lambda payload: payload[:-1] + b"\x63pad" + _filler(size - len(payload) - 4) + b"\xff")

    for size, outcome in ((16384, Outcome.PASS), (16385, Outcome.FAIL)):
        parsed = parse(make(sized(size)))
        assert parsed.report["cose.payload-size"].outcome is outcome
        assert parsed.envelope is None or len(parsed.envelope.payload) == size


def _filler(size: int) -> bytes:
    """Return a byte string that takes ``size`` bytes with its head."""
    return b"\x59" + (size - 3).to_bytes(2) + bytes(size - 3)


@pytest.mark.parametrize("document", [b"\x00", b"\x04", b"\x44abcd", b"\x64abcd", b"\xf6", b"\xa4" + bytes(range(8))])
def test_what_is_no_array_is_no_document(document: bytes) -> None:
    report = parse(document).report
    assert [check.id for check in report.having(Outcome.FAIL)] == ["cose.shape"]


def test_the_documents_time_may_be_the_first_and_the_last_of_its_certificates() -> None:
    leaf = good_chain()[LEAF].certificate
    millisecond = timedelta(milliseconds=1)
    for at, outcome in (
        (leaf.not_valid_before_utc, Outcome.PASS),
        (leaf.not_valid_before_utc - millisecond, Outcome.FAIL),
        (leaf.not_valid_after_utc, Outcome.PASS),
        (leaf.not_valid_after_utc + millisecond, Outcome.FAIL),
    ):
        assert judged(fields(timestamp=nsm.milliseconds(at)))["chain.document-time"].outcome is outcome


@pytest.mark.parametrize(
    ("protected", "actual"),
    [
        ("a10126", "ES256 (-7)"),
        ("a1013823", "ES512 (-36)"),
        ("a10127", "EdDSA (-8)"),
        ("a1013824", "PS256 (-37)"),
        ("a101390100", "RS256 (-257)"),
        ("a10101", "1"),
        ("a101654553333834", "'ES384'"),
        ("a10180", "[]"),
        ("a101f5", "True"),
    ],
)
def test_another_algorithm_is_named(protected: str, actual: str) -> None:
    check = judged(Change(protected=bytes.fromhex(protected)))["cose.algorithm"]
    assert (check.outcome, check.expected, check.actual) == (Outcome.FAIL, "ES384 (-35)", actual)


def test_another_root_is_shown_with_what_was_expected() -> None:
    other = other_chain(same_name=True)[ROOT]
    check = judged(Change(chain=lambda _: other_chain(same_name=True)))["chain.root-pinned"]
    assert check.expected == accepted()[0].fingerprint
    assert check.actual is not None
    assert bytes.fromhex(check.actual) == other.certificate.fingerprint(hashes.SHA256())
    assert check.detail == (
        f"the bundle begins with {accepted()[0].name}, which is not an accepted root: "
        "it has that name, but is not that certificate"
    )
    stranger = judged(Change(chain=lambda _: other_chain(same_name=False)))["chain.root-pinned"]
    assert stranger.detail.endswith(", which is not an accepted root")


@pytest.mark.parametrize(
    ("change", "check", "detail"),
    [
        (
            lambda: Change(chain=lambda _: (good_chain()[0], *other_chain(same_name=True)[1:])),
            "chain.signatures",
            "the regional CA (certificate 2 of 5) is not signed with the key of the root",
        ),
        (
            lambda: fields(certificate=good_chain()[LEAF].der + b"\x00"),
            "chain.der",
            "the leaf (certificate 5 of 5) cannot be decoded: ",
        ),
        (
            lambda: profile(ZONAL, path_length=0),
            "chain.path-length",
            "the zonal CA (certificate 3 of 5) allows 0 authorities below it and has 1",
        ),
        (
            lambda: fields(cabundle=[identity.der for identity in good_chain()[:2]]),
            "chain.names",
            "the leaf (certificate 3 of 3) names another issuer than the certificate before it, CN=",
        ),
        (
            lambda: profile(LEAF, curve=ec.SECP256R1()),
            "chain.keys",
            "the leaf (certificate 5 of 5) has a key on the curve secp256r1",
        ),
        (
            lambda: profile(LEAF, hash_=hashes.SHA256()),
            "chain.algorithms",
            "the leaf (certificate 5 of 5) is signed with ecdsa-with-SHA256",
        ),
        (
            lambda: Change(fields=edited(LEAF, "300a06082a8648ce3d040303", "300a06082a8648ce3d040302")),
            "chain.algorithms",
            "the leaf (certificate 5 of 5) names its signature algorithm with parameters, or another one inside",
        ),
    ],
    ids=["signature", "encoding", "path length", "name", "curve", "digest", "parameters"],
)
def test_a_refusal_names_the_link(change: Callable[[], Change], check: str, detail: str) -> None:
    found: Check = judged(change())[check]
    assert found.outcome is Outcome.FAIL
    assert found.detail.startswith(detail)


def test_a_leaf_with_a_path_length_is_refused() -> None:
    """Without the CA bit there is none (RFC 5280, 4.2.1.9): it is no readable extension."""
    oid, plain, limited = (bytes.fromhex(part) for part in ("0603551d130101ff", "04023000", "04053003020100"))
    usage = bytes.fromhex("300b0603551d0f0404030206c0")

    def extensions(constraints: bytes) -> bytes:
        return tlv(0xA3, tlv(0x30, tlv(0x30, oid + constraints) + usage))

    def limit(signed: bytes) -> bytes:
        before, found, after = signed[4:].partition(extensions(plain))
        assert found
        return tlv(0x30, before + extensions(limited) + after)

    report = judged(Change(fields=rewritten(LEAF, limit)))
    assert [check.id for check in report.having(Outcome.FAIL)] == ["chain.extensions"]
    assert report["chain.extensions"].detail.startswith("the leaf (certificate 5 of 5) has an extension that cannot be")


def test_the_good_one_is_good() -> None:
    assert judged(GOOD).passed
