"""What the fields that enclave code fills can be read as: exact readings, and guesses that say so."""

import hashlib

import cbor2
import pytest
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


def test_points_are_told_from_bytes_of_their_length() -> None:
    for key, curve in ((P256, "P-256"), (K1, "secp256k1")):
        for form in (PublicFormat.UncompressedPoint, PublicFormat.CompressedPoint):
            (guess,) = contents.read(key.public_bytes(Encoding.X962, form), is_key=True).guesses
            assert curve in guess
    assert contents.read(b"\x04" + b"\xfe" * 64, is_key=True).guesses == ()


def test_a_32_byte_key_is_only_a_length() -> None:
    raw = ED.public_bytes(Encoding.Raw, PublicFormat.Raw)
    (guess,) = contents.read(raw, is_key=True).guesses
    assert guess == "32 bytes: the length of an Ed25519 or X25519 public key; every value has that form"


@pytest.mark.parametrize("second", [bytes(32), b"\xcd" * 32])
def test_nitridings_two_multihashes(second: bytes) -> None:
    (guess,) = contents.read(b"\x12\x20" + b"\xab" * 32 + b"\x12\x20" + second).guesses
    assert "nitriding" in guess
    assert "ab" * 32 in guess
    assert ("cd" * 32 in guess) is any(second)


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


def test_nothing_is_nothing() -> None:
    reading = contents.read(b"")
    assert (reading.text, reading.json, reading.cbor, reading.key, reading.guesses) == (None, None, None, None, ())
