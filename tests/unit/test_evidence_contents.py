"""What the fields that enclave code fills can be read as: exact readings, and guesses that say so."""

import hashlib
import warnings

import cbor2
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitroctl.evidence import contents

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
P256 = ec.generate_private_key(ec.SECP256R1()).public_key()
K1 = ec.generate_private_key(ec.SECP256K1()).public_key()
ED = ed25519.Ed25519PrivateKey.generate().public_key()
SPKI = PublicFormat.SubjectPublicKeyInfo
KEYS = [
    (RSA.public_bytes(Encoding.DER, SPKI), "RSA, 2048 bits", "SubjectPublicKeyInfo in DER", True),
    (RSA.public_bytes(Encoding.PEM, SPKI), "RSA, 2048 bits", "SubjectPublicKeyInfo in PEM", False),
    (RSA.public_bytes(Encoding.DER, PublicFormat.PKCS1), "RSA, 2048 bits", "PKCS #1 in DER", False),
    (RSA.public_bytes(Encoding.PEM, PublicFormat.PKCS1), "RSA, 2048 bits", "PKCS #1 in PEM", False),
    (P256.public_bytes(Encoding.DER, SPKI), "elliptic curve secp256r1, 256 bits", "SubjectPublicKeyInfo in DER", False),
    (ED.public_bytes(Encoding.DER, SPKI), "Ed25519", "SubjectPublicKeyInfo in DER", False),
]
UNUSUAL = "an unusual SubjectPublicKeyInfo in DER"
BEGINS = "it begins with the"
GUESSES = [
    (bytes(20), "every byte is 00: a placeholder"),
    (b"\x01" * 64, "every byte is 01: a placeholder"),
    (bytes(range(20)), "20 bytes: the length of SHA-1, and of an Ethereum address"),
    (bytes(range(32)), "32 bytes: the length of SHA-256, and of a random challenge"),
    (b"\xff" + bytes(range(47)), "48 bytes: the length of SHA-384, and of a register"),
    (b"\xff" + bytes(range(63)), "64 bytes: the length of SHA-512, and of an Ed25519 signature"),
    (hashlib.sha256().digest(), "the SHA-256 of nothing"),
    (
        hashlib.sha256().digest() + bytes(32),
        f"zero from byte 32 on: padded to 64 bytes, as report data of other TEEs is; {BEGINS} SHA-256 of nothing",
    ),
    (hashlib.sha384().digest(), "the SHA-384 of nothing"),
    (hashlib.sha512().digest(), "the SHA-512 of nothing"),
    (
        hashlib.sha384().digest() + bytes(48),
        f"zero from byte 48 on: padded to 96 bytes, as report data of other TEEs is; {BEGINS} SHA-384 of nothing",
    ),
    (b"\x01\x02" + bytes(2), "zero from byte 2 on: padded to 4 bytes, as report data of other TEEs is"),
    (b"\x05\x05", "every byte is 05: a placeholder"),
    (b"2000000000", "a Unix time in seconds: 2033-05-18T03:33:20Z"),
    (b"1769923183", "a Unix time in seconds: 2026-02-01T05:19:43Z"),
    (b"ab185e3d-86d5-471b-9d1a-016a3a7e6c53", "a UUID"),
    (b"0x" + b"ab" * 16 + b"\n", "16 bytes written in hexadecimal"),
    (
        b"\x08\xadtype.googleapis.com/google.crypto.tink.EciesAeadHkdfPublicKey",
        "a serialised Tink keyset (protocol buffers)",
    ),
]


@pytest.mark.parametrize(("content", "name", "form", "kms"), KEYS, ids=[f"{key[1]}-{key[2]}" for key in KEYS])
def test_a_key_is_what_it_is(content: bytes, name: str, form: str, kms: bool) -> None:  # noqa: FBT001
    reading = contents.read(content, is_key=True)
    assert reading.key is not None
    assert (reading.key.name, reading.key.form, reading.key.serves_kms) == (name, form, kms)
    assert reading.key.fingerprint == hashlib.sha256(reading.key.spki).hexdigest()
    assert contents.public_key(reading.key.pem) is not None
    assert reading.guesses == ()


@pytest.mark.parametrize(("content", "guess"), GUESSES, ids=[guess[:30] for _, guess in GUESSES])
def test_a_shape_is_a_guess(content: bytes, guess: str) -> None:
    reading = contents.read(content)
    assert reading.guesses == (guess,)
    assert reading.key is None


@pytest.mark.parametrize(
    "content",
    [b"\x05", b"a" * 14 + b"b", b"0x" + b"a" * 16 + b"b", b"3000000000", b"\x01\x02\x03" + bytes(2), bytes(range(31))],
    ids=["byte", "short", "odd", "beyond", "more than half", "31"],
)
def test_a_shape_of_no_meaning_is_not_guessed_at(content: bytes) -> None:
    assert contents.read(content).guesses == ()


def test_points_are_told_from_bytes_of_their_length() -> None:
    for key, curve in ((P256, "P-256"), (K1, "secp256k1")):
        for form in (PublicFormat.UncompressedPoint, PublicFormat.CompressedPoint):
            (guess,) = contents.read(key.public_bytes(Encoding.X962, form), is_key=True).guesses
            assert guess.removeprefix("a point on ").split(": ")[0].split(" or ").count(curve) == 1
    assert contents.read(b"\x04" + b"\xfe" * 64, is_key=True).guesses == ()


@pytest.mark.parametrize(("curve", "name"), [(ec.SECP384R1(), "P-384"), (ec.SECP521R1(), "P-521")], ids=["384", "521"])
@pytest.mark.parametrize("form", [PublicFormat.UncompressedPoint, PublicFormat.CompressedPoint], ids=["whole", "short"])
def test_points_on_the_larger_curves(curve: ec.EllipticCurve, name: str, form: PublicFormat) -> None:
    point = ec.generate_private_key(curve).public_key().public_bytes(Encoding.X962, form)
    assert contents.read(point).guesses == (f"a point on {name}: a bare elliptic curve public key",)


def test_a_curve_that_is_not_there_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> None:
        raise UnsupportedAlgorithm("this build of OpenSSL has no such curve")

    monkeypatch.setattr(ec.EllipticCurvePublicKey, "from_encoded_point", absent)
    assert contents.read(P256.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).guesses == ()


def test_an_rsa_key_without_the_null_parameters_is_not_called_pkcs1() -> None:
    key = KEYS[0][0]
    without = bytes.fromhex("30820120300b06092a864886f70d010101") + key[19:]
    found = contents.public_key(without)
    assert found is not None
    assert (found.name, found.form, found.serves_kms, found.spki) == ("RSA, 2048 bits", UNUSUAL, False, key)


def test_a_compressed_point_in_a_subject_public_key_info_is_unusual() -> None:
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    found = contents.public_key(head + P256.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    assert found is not None
    assert (found.name, found.form) == ("elliptic curve secp256r1, 256 bits", UNUSUAL)


def test_a_key_on_an_unknown_curve_is_not_one() -> None:
    known, unknown = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177")
    spki = P256.public_bytes(Encoding.DER, SPKI).replace(known, unknown)
    assert contents.public_key(spki) is None


def test_what_is_readable_is_not_guessed_at() -> None:
    tink = b"type.googleapis.com/google.crypto.tink."
    key = rsa.RSAPublicNumbers(65537, int.from_bytes(b"\xc0" + tink + b"\x01" * 216)).public_key()
    assert contents.read(key.public_bytes(Encoding.DER, SPKI)).guesses == ()
    unprintable = '["{}a"]'.format("\u200b" * 9).encode()
    assert len(unprintable) == 32
    reading = contents.read(unprintable)
    assert (reading.text, reading.json, reading.guesses) == (None, ["\u200b" * 9 + "a"], ())


def test_a_64_byte_key_is_only_a_length() -> None:
    (guess,) = contents.read(b"\xff" + bytes(range(63)), is_key=True).guesses
    assert guess == "64 bytes: the length of two 256-bit coordinates"


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', "[NaN]", "[-Infinity]", "[1e999]", "1", '"text"', "[1"])
def test_what_is_not_one_clear_json_object_or_array_is_not_read_as_json(text: str) -> None:
    assert contents.read(text.encode()).json is None


def test_a_32_byte_key_is_only_a_length() -> None:
    raw = ED.public_bytes(Encoding.Raw, PublicFormat.Raw)
    (guess,) = contents.read(raw, is_key=True).guesses
    assert guess == "32 bytes: the length of an Ed25519 or X25519 public key; every value has that form"


@pytest.mark.parametrize(
    ("first", "second", "application"),
    [
        (b"\xab" * 32, bytes(32), "zero, so none was set"),
        (b"\xab" * 32, b"\xcd" * 32, "cd" * 32),
        (bytes(32), b"\xcd" * 32, "cd" * 32),
    ],
    ids=["none", "both", "zero"],
)
def test_nitridings_two_multihashes(first: bytes, second: bytes, application: str) -> None:
    (guess,) = contents.read(b"\x12\x20" + first + b"\x12\x20" + second).guesses
    assert guess == (
        "two SHA-256 multihashes, the form in which nitriding writes the hash of its TLS certificate, "
        f"{first.hex()}, and that of the application's key material, {application}"
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"hello", "hello"),
        (b"Hello World!\n", "Hello World!\n"),
        (b"\x1b[2Jabcdef", "\x1b[2Jabcdef"),
        (b"", None),
        (b"\xff\xfe", None),
        (b"\x01" * 8, None),
        (b"\x00\x01\x02abc", None),
        (b"abc\x1b", "abc\x1b"),
        (b"ab\x1b", None),
        (b"a\r\n\t\r\n\t", "a\r\n\t\r\n\t"),
    ],
)
def test_text_is_what_is_mostly_printable(content: bytes, text: str | None) -> None:
    assert contents.shown_text(content) == text


def test_json_and_cbor_are_shown_as_such_and_not_guessed_at() -> None:
    assert contents.read(b' {"a": [1, 2.5, null]} ').json == {"a": [1, 2.5, None]}
    reading = contents.read(cbor2.dumps({1: b"\x00" * 40}))
    assert (reading.cbor, reading.json, reading.guesses) == (f"{{\n  1: h'{'00' * 40}'\n}}", None, ())
    assert contents.read(cbor2.dumps(5)).cbor is None
    assert contents.read(cbor2.dumps({1: 2}) + b"\x00").cbor is None


@pytest.mark.parametrize(("depth", "read"), [(32, True), (33, False), (100_000, False)])
def test_json_is_read_to_a_depth(depth: int, read: bool) -> None:  # noqa: FBT001  (a table's column)
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        inner = depth - 1
        text = opening * inner + ("[]" if opening == "[" else "{}") + closing * inner
        assert (contents.read(text.encode()).json is not None) is read


@pytest.mark.parametrize(
    ("value", "shown"),
    [([1, b"\xff"], "[1, h'ff']"), ({1: b"\xff"}, "{1: h'ff'}"), (cbor2.CBORTag(18, b"\xff"), "18(h'ff')")],
)
def test_a_whole_array_map_or_tagged_item_is_cbor(value: object, shown: str) -> None:
    assert contents.read(cbor2.dumps(value)).cbor == shown


@pytest.mark.parametrize("content", [b"\x44\xff\xfe\xfd\xfc", b"\x38\xff", b"\xf9\xff\xff"])
def test_bytes_numbers_and_simple_values_are_too_easily_cbor(content: bytes) -> None:
    assert contents.read(content).cbor is None


def test_text_that_is_also_cbor_is_shown_as_text() -> None:
    reading = contents.read("À".encode())  # c3 80: in CBOR, tag 3 of an empty array
    assert (reading.text, reading.cbor) == ("À", None)


def test_only_text_without_any_unprintable_character_is_given_as_text() -> None:
    assert [contents.text_of(content) for content in (b"a b", b"a\n", b"", b"\xff")] == ["a b", None, None, None]


def test_nothing_is_nothing() -> None:
    reading = contents.read(b"")
    assert (reading.text, reading.json, reading.cbor, reading.key, reading.guesses) == (None, None, None, None, ())


#: RFC 2409, 6.2: the prime of the second Oakley group.
PRIME = (
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff"
)


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x81, size])
    return bytes([tag]) + length + content


def test_a_key_of_a_kind_that_goes_out_of_use_is_shown_without_a_warning() -> None:
    """A Diffie-Hellman key, of whose end the library warns whoever reads one, is shown as any other."""
    prime, generator, value = (der(2, number) for number in (b"\x00" + bytes.fromhex(PRIME), b"\x02", b"\x04"))
    algorithm = der(6, bytes.fromhex("2a864886f70d010301")) + der(0x30, prime + generator)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = contents.public_key(der(0x30, der(0x30, algorithm) + der(3, b"\x00" + value)))
    assert found is None or found.name == "DH"  # None once the library knows it no more
