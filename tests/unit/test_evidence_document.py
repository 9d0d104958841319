"""What a parsed document says beside its checks: deviations, offsets, contents and what can be derived."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitroctl.checks import Outcome
from nitroctl.evidence import contents, habits
from nitroctl.evidence.derived import derive
from nitroctl.evidence.document import MAX_BYTES, parse
from nitroctl.evidence.verify import verify
from nitroctl.standin import nsm
from nitroctl.standin.lab_change import AT, INSTANCE, MODULE_ID, PCRS, REGION, Change, accepted, make, put


def fields(**values: Any) -> Change:
    return Change(
        fields=lambda pairs: [
            *((k, values.get(k, v)) for k, v in pairs),
            *((k, v) for k, v in values.items() if k not in dict(pairs)),
        ]
    )


@pytest.mark.parametrize(
    ("change", "check", "detail"),
    [
        (fields(public_key=b""), "document.lengths", "public_key is empty; AWS's text asks for at least one byte"),
        (
            fields(nonce=bytes(513)),
            "document.lengths",
            "nonce has 513 bytes; AWS publishes 512 in one place and 1024 in another",
        ),
        (
            fields(user_data=bytes(1025)),
            "document.lengths",
            "user_data has 1025 bytes, beyond every length AWS has published (512, elsewhere 1024)",
        ),
        (fields(zone="a", area=1), "document.fields", "unknown fields, not interpreted: area, zone"),
    ],
)
def test_what_aws_signs_beside_its_text_is_warned_about(change: Change, check: str, detail: str) -> None:
    report = parse(make(change)).report
    assert report.passed
    assert report[check].outcome is Outcome.WARN
    assert report[check].detail == detail
    strict = parse(make(change), strict=True).report
    assert not strict.passed
    assert strict[check].outcome is Outcome.FAIL
    assert strict[check].detail == detail


TPM = Change(fields=put(module_id=f"{INSTANCE}-tpm0123456789abcdef", pcrs=..., nitrotpm_pcrs={0: bytes(48)}))


@pytest.mark.parametrize(("change", "whose"), [(Change(), "enclave document"), (TPM, "nitrotpm document")])
def test_the_check_of_the_kind_says_whose_document_it_is(change: Change, whose: str) -> None:
    assert parse(make(change)).report["document.kind"].detail == whose


def test_null_in_place_of_absent_is_noted_and_refused_by_the_strict_profile() -> None:
    document = make(fields(nonce=None))
    noted, refused = parse(document).report["document.nulls"], parse(document, strict=True).report["document.nulls"]
    assert (noted.outcome, noted.detail) == (
        Outcome.PASS,
        "public_key, nonce: null in place of absent, as AWS writes it",
    )
    assert (refused.outcome, refused.detail) == (Outcome.FAIL, "public_key, nonce: null in place of absent")


def test_a_document_within_the_text_passes_the_strict_profile() -> None:
    good = Change(fields=lambda pairs: [(name, value) for name, value in pairs if value is not None])
    assert parse(make(good), strict=True).report.passed
    assert not parse(make(good), strict=True).report.having(Outcome.WARN)


def test_512_bytes_and_a_key_of_1024_are_within_the_text() -> None:
    report = parse(make(fields(nonce=bytes(512), user_data=b"", public_key=bytes(1024)))).report
    assert not report.having(Outcome.WARN)


def test_a_fault_in_the_payload_is_placed_in_the_whole_document() -> None:
    document = make(fields(nonce=nsm.Encoded(b"\xf7")))
    parsed = parse(document)
    assert (
        parsed.report["cbor.types"].detail
        == f"byte {document.rindex(b'nonce') + 5}: a float or a simple value, in the payload"
    )
    assert document[document.rindex(b"nonce") + 5] == 0xF7


def test_a_fault_in_the_protected_header_is_placed_too() -> None:
    detail = parse(make(Change(protected=bytes.fromhex("a1013822ff")))).report["cbor.trailing-bytes"].detail
    assert detail == "byte 6: 1 bytes follow the end, in the protected header"


def test_what_could_not_be_reached_says_what_blocked_it() -> None:
    report = verify(parse(b"\xff"), accepted(), at=AT).report
    assert report["chain.names"].detail == "not checked: blocked by cbor.types"
    assert {check.outcome for check in report} == {Outcome.FAIL, Outcome.SKIP, Outcome.PASS}
    assert [check.id for check in report.having(Outcome.PASS)] == ["cbor.size"]


def test_when_the_envelope_is_no_envelope_the_payload_was_not_looked_at() -> None:
    report = parse(b"\x80").report
    assert report["cbor.unique-keys"].detail == "in the envelope; the payload was not looked at"
    assert report["document.map"].detail == "not checked: blocked by cose.shape"


def test_nothing_beyond_32_kib_is_scanned() -> None:
    assert parse(b"\x84" * MAX_BYTES).report["cbor.size"].outcome is Outcome.PASS
    refused = parse(b"\x84" * (MAX_BYTES + 1)).report["cbor.size"]
    assert refused.outcome is Outcome.FAIL
    assert refused.detail == "the document has 32769 bytes; a genuine one has at most 12288"


def test_a_wrong_header_does_not_hide_what_the_document_says() -> None:
    parsed = parse(make(Change(unprotected=bytes.fromhex("a10441aa"))))
    assert not parsed.report.passed
    assert parsed.document is not None
    assert parsed.document.module_id == MODULE_ID


def test_the_time_is_exact_to_the_millisecond() -> None:
    document = parse(make()).document
    assert document is not None
    assert document.time == AT
    assert replace(document, timestamp=253_402_300_799_999).time.year == 9999


def test_what_can_be_derived() -> None:
    parsed = parse(make())
    assert parsed.document is not None
    links = verify(parsed, accepted(), at=AT).chain.certificates
    found = derive(parsed.document, links)
    assert found.instance_id == found.instance_name == INSTANCE
    assert found.enclave_id == found.serial_enclave_id == "019aa0b0c0d0e0f0"
    assert found.launched == datetime.fromtimestamp(0x019AA0B0C0D0 / 1000, UTC)
    assert found.leaf_name == MODULE_ID
    assert found.region == REGION
    assert found.regions == (REGION,) * 4
    assert found.issued == AT.replace(microsecond=0)
    unknown = derive(replace(parsed.document, module_id="sandbox"), ())
    assert (unknown.instance_id, unknown.launched, unknown.issued, unknown.region) == (None,) * 4


@pytest.mark.parametrize(
    ("changed", "warned"),
    [
        ({"module_id": "i-0123456789abcdef0-sandbox1"}, {"habit.module-id", "habit.serial"}),
        (
            {"module_id": f"i-{'0' * 17}-enc019aa0b0c0d0e0f0"},
            {"habit.leaf-name", "habit.instance-name", "habit.pcr4"},
        ),
        ({"module_id": f"{INSTANCE}-enc{'0' * 16}"}, {"habit.leaf-name", "habit.serial"}),
        ({"module_id": f"{INSTANCE}-enc{'f' * 12}0000"}, {"habit.leaf-name", "habit.serial"}),
        ({"pcrs": {**PCRS, 4: bytes(48)}}, {"habit.pcr4"}),
        ({"pcrs": {0: bytes(48)}}, {"habit.pcr4"}),
        ({"timestamp": nsm.milliseconds(AT - timedelta(seconds=1))}, {"habit.times"}),
    ],
)
def test_a_broken_habit_warns(changed: dict[str, Any], warned: set[str]) -> None:
    parsed = parse(make())
    assert parsed.document is not None
    chain = verify(parsed, accepted(), at=AT).chain
    checks = habits.compare(replace(parsed.document, **changed), chain)
    assert not [
        check
        for check in checks
        if check.outcome is Outcome.FAIL or (check.required and check.outcome is not Outcome.PASS)
    ]
    assert {check.id for check in checks if check.outcome is Outcome.WARN} >= warned


def test_public_keys_are_recognised() -> None:
    keys: dict[str, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey] = {
        "RSA, 2048 bits": rsa.generate_private_key(65537, 2048).public_key(),
        "elliptic curve secp384r1, 384 bits": ec.generate_private_key(ec.SECP384R1()).public_key(),
        "Ed25519": ed25519.Ed25519PrivateKey.generate().public_key(),
    }
    for name, key in keys.items():
        for encoding in (Encoding.DER, Encoding.PEM):
            found = contents.public_key(key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo))
            assert found is not None
            assert found.name == name
    for other in (b"", b"\x00" * 32, b"-----BEGIN PUBLIC KEY-----\n", base64.b64encode(b"x")):
        assert contents.public_key(other) is None


def test_text_is_shown_only_when_it_is_printable() -> None:
    assert contents.text_of("grüß".encode()) == "grüß"
    for other in (b"", b"\xff", b"a\x1b[0m", "a\u202eb".encode(), b"a\nb"):
        assert contents.text_of(other) is None
