"""What KMS answers an attested request with: opened with the right key, and with nothing else."""

import base64
import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.evidence import recipient
from nitroctl.kms import exchange
from nitroctl.kms.exchange import Operation, Parts
from nitroctl.standin import kms_recipient as kms
from nitroctl.standin.kms_recipient import Answer

needs_asn1crypto = pytest.mark.skipif(
    not recipient.available(), reason="asn1crypto absent: the extra 'recipient' is not installed"
)
PLAINTEXT = bytes(range(32))
_DER = serialization.Encoding.DER
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@functools.cache
def _private(_number: int, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def private(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    return _private(number, bits)


def spki(number: int = 0, bits: int = 2048) -> bytes:
    return private(number, bits).public_key().public_bytes(_DER, _SPKI)


def pem(key: Any, protection: serialization.KeySerializationEncryption | None = None) -> bytes:
    made: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        protection or serialization.NoEncryption(),
    )
    return made


def message(**changes: Any) -> bytes:
    return Answer(**changes).wrap(PLAINTEXT, spki())


def opened(ber: bytes, key: rsa.RSAPrivateKey | None = None) -> bytes:
    return recipient.open_message(recipient.parse(ber), key or private())


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(CannotAnswer) as caught:
        call()
    return caught.value.code


# -- messages that are opened


@needs_asn1crypto
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"chunk": None},
        {"chunk": 16},
        {"chunk": 1},
        {"outer_definite": True},
        {"outer_definite": True, "chunk": None},
        {"outer_definite": True, "chunk": None, "by_serial_number": True},
    ],
    ids=["as-kms", "one-string", "chunks", "chunks-of-a-byte", "definite", "der", "as-localstack"],
)
def test_every_way_of_writing_it_is_opened(changes: dict[str, Any]) -> None:
    assert opened(message(**changes)) == PLAINTEXT


@needs_asn1crypto
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 32, 1217, 2375, 4096])
def test_every_size_of_plaintext_is_opened(size: int) -> None:
    assert opened(Answer().wrap(bytes(size), spki())) == bytes(size)


@needs_asn1crypto
def test_a_key_of_4096_bits() -> None:
    key = private(2, 4096)
    assert opened(Answer().wrap(PLAINTEXT, spki(2, 4096)), key) == PLAINTEXT


@needs_asn1crypto
def test_how_the_recipient_is_named() -> None:
    import hashlib

    found = recipient.parse(message())
    assert found.recipient == f"subject key identifier {hashlib.sha256(spki()).hexdigest()}"
    assert recipient.parse(message(by_serial_number=True)).recipient == "issuer and serial number 1"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl absent: no second opinion")
@pytest.mark.parametrize("chunk", [None, 16, 1024])
def test_openssl_opens_what_the_stand_in_makes(tmp_path: Path, chunk: int | None) -> None:
    (tmp_path / "message").write_bytes(message(chunk=chunk))
    (tmp_path / "key.pem").write_bytes(pem(private()))
    command = ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", "message", "-inkey", "key.pem"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout == PLAINTEXT


@needs_asn1crypto
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl absent: no second opinion")
def test_what_openssl_makes_in_the_same_way_is_opened(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem(private()))
    (tmp_path / "plain").write_bytes(PLAINTEXT)
    certify = "openssl req -x509 -new -key key.pem -subj /CN=drill -days 1 -out cert.pem"
    encrypt = (
        "openssl cms -encrypt -binary -in plain -outform DER -out message -aes256 -keyid -stream -recip cert.pem "
        "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256"
    )
    for command in (certify, encrypt):
        subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=True)
    ber = (tmp_path / "message").read_bytes()
    assert ber[:2] == b"\x30\x80"
    assert opened(ber) == PLAINTEXT


# -- messages that are not, each a good one with one change


@needs_asn1crypto
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"content_type": kms.DATA}, "the content type is data, not enveloped_data"),
        ({"key_cipher": kms.RSA_PKCS1}, "the key's cipher is rsaes_pkcs1v15, not rsaes_oaep"),
        ({"oaep_hash": kms.SHA_1}, "the hash of OAEP is sha1, not sha256"),
        ({"mask_hash": kms.SHA_1}, "the hash of OAEP's mask generation is sha1, not sha256"),
        ({"label": b"x"}, "the label of OAEP is b'x', not b''"),
        ({"content_cipher": kms.AES_128_CBC}, "the content's cipher is aes128_cbc, not aes256_cbc"),
        ({"recipients": 2}, "the number of recipients is 2, not 1"),
        ({"recipients": 0}, "the number of recipients is 0, not 1"),
    ],
    ids=["type", "key-cipher", "oaep-hash", "mask-hash", "label", "content-cipher", "two-recipients", "no-recipient"],
)
def test_another_wrapping_is_refused_by_name(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        recipient.parse(message(**changes))
    assert (caught.value.code, caught.value.message, caught.value.hints) == (
        "recipient.unsupported",
        f"{what} as in KMS's answers",
        ("KMS wraps with RSAES-OAEP SHA-256 and AES-256-CBC; openssl cms -decrypt opens other messages",),
    )


@needs_asn1crypto
def test_content_of_another_type_is_refused() -> None:
    good = message()
    assert good.count(kms.DATA) == 1
    with pytest.raises(CannotAnswer) as caught:
        recipient.parse(good.replace(kms.DATA, kms.ENVELOPED_DATA))
    assert caught.value.message == "the content is enveloped_data, not data as in KMS's answers"


@needs_asn1crypto
def test_a_long_identifier_is_not_repeated() -> None:
    with pytest.raises(CannotAnswer) as caught:
        recipient.parse(message(content_type=kms.definite(0x06, b"\x2a" * 200)))
    assert caught.value.message == "the content type is another, not enveloped_data as in KMS's answers"


@needs_asn1crypto
def test_another_mask_generation_is_refused_by_name() -> None:
    mgf1, other = bytes.fromhex("06092a864886f70d010108"), bytes.fromhex("06092a864886f70d010107")
    good = message()
    assert good.count(mgf1) == 1
    with pytest.raises(CannotAnswer) as caught:
        recipient.parse(good.replace(mgf1, other))
    assert caught.value.message.startswith("the mask generation of OAEP is ")
    assert caught.value.message.endswith(", not mgf1 as in KMS's answers")


def test_a_recipient_of_another_kind_is_refused_by_name() -> None:
    kind = SimpleNamespace(name="kekri")
    outer = {"content_type": SimpleNamespace(native="enveloped_data"), "content": {"recipient_infos": [kind]}}
    with pytest.raises(CannotAnswer) as caught:
        recipient._read(outer)
    assert caught.value.message == "the recipient's kind is kekri, not ktri as in KMS's answers"


@pytest.mark.parametrize(
    ("actual", "shown"), [("a" * 64, "a" * 64), ("a" * 65, "another"), (True, "True"), ([1], "[1]")], ids=str
)
def test_what_was_found_instead_is_shown_up_to_64_characters(actual: object, shown: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        recipient._expect("it", actual, 1)
    assert caught.value.message == f"it is {shown}, not 1 as in KMS's answers"


@needs_asn1crypto
@pytest.mark.parametrize(
    "error", [ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError]
)
def test_whatever_asn1crypto_raises_is_no_message(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise error("why")

    monkeypatch.setattr(recipient, "_read", fail)
    with pytest.raises(CannotAnswer) as caught:
        recipient.parse(message())
    assert (caught.value.code, caught.value.message) == (
        "recipient.unreadable",
        "not a CMS message, or a damaged one",
    )


@needs_asn1crypto
@pytest.mark.parametrize(
    ("size", "said"),
    [(16384, "not a CMS message, or a damaged one"), (16385, "the message has 16385 bytes; one of KMS's has at most")],
)
def test_a_message_has_at_most_16_kib(size: int, said: str) -> None:
    with pytest.raises(CannotAnswer, match=f"^{said}"):
        recipient.parse(bytes(size))


@needs_asn1crypto
def test_whether_messages_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recipient.available() is True
    monkeypatch.setitem(sys.modules, "asn1crypto.cms", None)
    assert recipient.available() is False


def test_a_key_of_an_unknown_kind_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UnsupportedAlgorithm("why")

    monkeypatch.setattr(serialization, "load_pem_private_key", fail)
    with pytest.raises(CannotAnswer, match=r"^key\.pem: no private key in PEM, or a damaged one$"):
        recipient.load_key(b"", where="key.pem")


def _flipped(ber: bytes, place: int) -> bytes:
    return ber[:place] + bytes([ber[place] ^ 1]) + ber[place + 1 :]


UNREADABLE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "first-byte-alone": lambda ber: ber[:1],
    "cut-in-half": lambda ber: ber[: len(ber) // 2],
    "last-byte-lost": lambda ber: ber[:-1],
    "end-marks-lost": lambda ber: ber[:-2],
    "a-byte-more": lambda ber: ber + b"\x00",
    "a-second-message": lambda ber: ber + ber,
    "a-set-in-place-of-the-sequence": lambda ber: b"\x31" + ber[1:],
    "claims-more-than-there-is": lambda _: b"\x30\x84\xff\xff\xff\xff",
    "nested-without-end": lambda _: b"\x30\x80" * 8000,
    "another-format": lambda _: b"\x84\x44\xa1\x01\x38\x22",
    "too-large": lambda _: b"\x30\x80" + bytes(recipient.MAX_MESSAGE),
}


@needs_asn1crypto
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_one_whole_message_is_refused(name: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        recipient.parse(UNREADABLE[name](message()))
    hints = ("pass the CiphertextForRecipient of KMS's answer: raw, base64, or the JSON of aws kms decrypt",)
    assert caught.value.code == "recipient.unreadable"
    assert caught.value.hints == (("check the file",) if name == "too-large" else hints)


@needs_asn1crypto
def test_content_that_is_no_whole_number_of_blocks_is_refused() -> None:
    ber = Answer().message(b"\x01" * 256, kms.definite(0x80, bytes(32)), b"\x01" * 33)
    assert code_of(lambda: recipient.parse(ber)) == "recipient.unreadable"
    assert code_of(lambda: recipient.parse(Answer().message(b"\x01" * 256, kms.definite(0x80, bytes(32)), b""))) == (
        "recipient.unreadable"
    )


@needs_asn1crypto
def test_an_initialisation_vector_of_another_length_is_refused() -> None:
    good = message()
    iv = recipient.parse(good).iv
    cipher, shorter = (kms.definite(0x30, kms.AES_256_CBC, kms.definite(0x04, part)) for part in (iv, iv[:15]))
    assert good.count(cipher) == 1
    with pytest.raises(CannotAnswer) as caught:
        recipient.parse(good.replace(cipher, shorter))
    message_ = "the initialisation vector's length is 15, not 16 as in KMS's answers"
    assert (caught.value.message, caught.value.code) == (message_, "recipient.unsupported")


def _with_encrypted_key(change: Callable[[bytes], bytes]) -> bytes:
    good = recipient.parse(message())
    return Answer(iv=good.iv).message(change(good.encrypted_key), kms.definite(0x80, bytes(32)), good.content)


NOT_OPENED: dict[str, Callable[[], bytes]] = {
    "another-key": lambda: Answer().wrap(PLAINTEXT, spki(1)),
    "padding-of-nothing": lambda: message(padding_byte=0),
    "padding-beyond-the-block": lambda: message(padding_byte=17),
    "padding-not-repeated": lambda: message(padding_byte=2),
    "a-content-key-of-128-bits": lambda: message(content_key=bytes(16)),
    "a-changed-encrypted-key": lambda: _with_encrypted_key(lambda key: _flipped(key, 200)),
    "a-short-encrypted-key": lambda: _with_encrypted_key(lambda key: key[:-1]),
    "a-long-encrypted-key": lambda: _with_encrypted_key(lambda key: key + b"\x00"),
    "an-empty-encrypted-key": lambda: _with_encrypted_key(lambda _: b""),
    "an-encrypted-key-beyond-the-modulus": lambda: _with_encrypted_key(lambda key: b"\xff" * len(key)),
}


@needs_asn1crypto
@pytest.mark.parametrize("name", NOT_OPENED)
def test_every_failure_to_decrypt_is_the_same_error(name: str) -> None:
    parsed = recipient.parse(NOT_OPENED[name]())
    with pytest.raises(CannotAnswer) as caught:
        recipient.open_message(parsed, private())
    assert (caught.value.message, caught.value.code, caught.value.hints, caught.value.details) == (
        "the message cannot be opened with this key",
        "recipient.not-opened",
        ("it was made for another key, or was damaged; which of the two, nobody is told",),
        {},
    )
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@needs_asn1crypto
def test_a_random_key_whose_padding_happens_to_hold_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    key = bytes(32)
    monkeypatch.setattr("secrets.token_bytes", lambda _: key)
    parsed = recipient.parse(Answer(content_key=key).wrap(PLAINTEXT, spki(1)))
    assert code_of(lambda: recipient.open_message(parsed, private())) == "recipient.not-opened"


@pytest.mark.parametrize("module", ["asn1crypto", "asn1crypto.cms"])
def test_without_asn1crypto_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, "asn1crypto.cms", None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CannotAnswer) as caught:
        recipient.parse(b"")
    assert (caught.value.code, caught.value.hints) == ("recipient.extra", ("pip install 'nitroctl[recipient]'",))
    assert not recipient.available()


# -- keys


def test_both_forms_of_an_rsa_key_are_read() -> None:
    traditional = private().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    for form in (pem(private()), traditional):
        assert recipient.load_key(form, where="key.pem").private_numbers() == private().private_numbers()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no private key in PEM, or a damaged one"),
        (b"\x30\x82", "no private key in PEM, or a damaged one"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a certificate, or a damaged one"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "not an RSA key, and KMS encrypts to no other"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "not an RSA key, and KMS encrypts to no other"),
        (pem(private(), serialization.BestAvailableEncryption(b"secret")), "the key is encrypted"),
    ],
    ids=["empty", "der", "certificate", "p384", "ed25519", "encrypted"],
)
def test_another_key_is_refused(content: bytes, what: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        recipient.load_key(content, where="key.pem")
    assert (caught.value.message, caught.value.code) == (f"key.pem: {what}", "recipient.key")
    if what.endswith("damaged one"):
        assert caught.value.hints == ("pass the PEM file of the private key",)


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_a_key_that_kms_encrypts_to(bits: int) -> None:
    assert recipient.recipient_key(spki(2, bits)).bits == bits


def _pkcs1() -> bytes:
    return private().public_key().public_bytes(_DER, serialization.PublicFormat.PKCS1)


@pytest.mark.parametrize(
    ("public_key", "what"),
    [
        (None, "the document has no public_key, so KMS has nothing to encrypt its answer to"),
        (b"", "the document's public_key is empty"),
        (b"hello", "the document's public_key, 5 bytes, is not a SubjectPublicKeyInfo in DER"),
        (
            ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(_DER, _SPKI),
            "the document's public_key is elliptic curve secp384r1, 384 bits; KMS encrypts to RSA only",
        ),
        (
            ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(_DER, _SPKI),
            "the document's public_key is Ed25519; KMS encrypts to RSA only",
        ),
        (spki(3, 1024), "the document's public_key is RSA, 1024 bits; KMS takes 2048, 3072 or 4096 bits"),
        (spki() + b"\x00", "the document's public_key, 295 bytes, is not a SubjectPublicKeyInfo in DER"),
        (_pkcs1(), "the document's public_key is an RSA key, but not its SubjectPublicKeyInfo in exact DER"),
        (
            private().public_key().public_bytes(serialization.Encoding.PEM, _SPKI),
            "the document's public_key is PEM text; KMS takes the DER in it",
        ),
    ],
    ids=["none", "empty", "text", "p384", "ed25519", "1024", "trailing-byte", "pkcs1", "pem"],
)
def test_a_key_that_kms_does_not_encrypt_to(public_key: bytes | None, what: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        recipient.recipient_key(public_key)
    assert (caught.value.message, caught.value.code) == (what, "recipient.public-key")


# -- the files around it

RAW = b"\x30\x80\x00\x00"
TEXT = base64.b64encode(RAW).decode()
MEMBER = "CiphertextForRecipient"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (RAW, "raw"),
        (TEXT.encode(), "base64"),
        (f" {TEXT[:4]}\r\n{TEXT[4:]}\n".encode(), "base64"),
        (json.dumps({MEMBER: TEXT, "KeyId": "k"}).encode(), f"json {MEMBER}"),
        (json.dumps({MEMBER: TEXT, "Plaintext": ""}).encode(), f"json {MEMBER}"),
        (json.dumps({MEMBER: TEXT, "Plaintext": None}).encode(), f"json {MEMBER}"),
    ],
    ids=["raw", "base64", "wrapped", "json", "json-empty-plaintext", "json-null-plaintext"],
)
def test_a_blob_is_read_in_every_form_of_the_aws_cli(content: bytes, encoding: str) -> None:
    assert exchange.blob(content, MEMBER) == exchange.Blob(RAW, encoding)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "recipient.unreadable"),
        (b" \n", "recipient.unreadable"),
        (TEXT.encode()[:-1], "recipient.unreadable"),
        (TEXT.replace("A==", "B==").encode(), "recipient.unreadable"),
        (b"{}", "recipient.unreadable"),
        (b'{"CiphertextForRecipient": 1}', "recipient.unreadable"),
        (b'{"CiphertextForRecipient": ""}', "recipient.unreadable"),
        (b'{"CiphertextForRecipient": "*"}', "recipient.unreadable"),
        ('{"CiphertextForRecipient": "é"}'.encode(), "recipient.unreadable"),
        (b'{"CiphertextForRecipient": "\xff"}', "recipient.unreadable"),
        (b"{", "json.syntax"),
        (b'{"a": 1, "a": 1}', "json.duplicate-key"),
        (b'{"a": ' * 200_000, "json.nesting"),
        (json.dumps({MEMBER: TEXT, "Plaintext": "c2VjcmV0"}).encode(), "recipient.plaintext"),
        (json.dumps({MEMBER: TEXT, "PrivateKeyPlaintext": "c2VjcmV0"}).encode(), "recipient.plaintext"),
        (json.dumps({MEMBER: TEXT, "SharedSecret": "c2VjcmV0"}).encode(), "recipient.plaintext"),
    ],
)
def test_what_is_not_a_blob_is_refused(content: bytes, code: str) -> None:
    assert code_of(lambda: exchange.blob(content, MEMBER)) == code


FROM_KMS = ("pass KMS's answer as aws kms prints it",)


@pytest.mark.parametrize(
    ("content", "message", "hints"),
    [
        (b" ", "the file is empty", ()),
        (TEXT.encode()[:-1], "the text is not base64, or was cut short", ("copy it again, whole",)),
        (b'{"CiphertextForRecipient": "*"}', f"{MEMBER} is not base64, or was cut short", ("copy it again, whole",)),
        (
            b'{"CiphertextForRecipient": "AAAA*"}',
            f"{MEMBER} is not base64, or was cut short",
            ("copy it again, whole",),
        ),
        (b'{"CiphertextForRecipient": "AB=="}', f"{MEMBER} is base64 with left-over bits, which no encoder writes", ()),
        (b"{}", f"the JSON has no member {MEMBER}", FROM_KMS),
        (b'{"CiphertextForRecipient": "\xff"}', "the file looks like JSON but is not UTF-8", ()),
        (
            json.dumps({MEMBER: TEXT, "Plaintext": "c2VjcmV0"}).encode(),
            "the answer has Plaintext: it was given without attestation, to anybody who asked",
            ("send the request with a Recipient, and let the key policy refuse it without one",),
        ),
    ],
)
def test_what_is_not_a_blob_is_told_with_what_to_do(content: bytes, message: str, hints: tuple[str, ...]) -> None:
    with pytest.raises(CannotAnswer) as caught:
        exchange.blob(content, MEMBER)
    assert (caught.value.message, caught.value.hints) == (message, hints)


def test_what_the_enclave_must_do_is_said() -> None:
    with pytest.raises(CannotAnswer) as caught:
        recipient.recipient_key(None)
    hint = "the enclave must ask for the document with its RSA key's SubjectPublicKeyInfo in DER"
    assert caught.value.hints == (hint,)


# -- requests

RECIPIENT = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "ZG9j"}


@pytest.mark.parametrize(
    ("operation", "parts", "members"),
    [
        (Operation.DECRYPT, Parts(ciphertext=b"\x01\x02"), {"CiphertextBlob": "AQI="}),
        (
            Operation.DECRYPT,
            Parts(ciphertext=b"\x01", key_id="alias/signer", context={"stage": "prod", "who": ""}),
            {
                "KeyId": "alias/signer",
                "CiphertextBlob": "AQ==",
                "EncryptionContext": {"stage": "prod", "who": ""},
            },
        ),
        (Operation.GENERATE_DATA_KEY, Parts(key_id="k"), {"KeyId": "k", "KeySpec": "AES_256"}),
        (Operation.GENERATE_DATA_KEY, Parts(key_id="k", key_spec="AES_128"), {"KeyId": "k", "KeySpec": "AES_128"}),
        (
            Operation.GENERATE_DATA_KEY_PAIR,
            Parts(key_id="k", key_spec="RSA_2048"),
            {"KeyId": "k", "KeyPairSpec": "RSA_2048"},
        ),
        (
            Operation.GENERATE_DATA_KEY_PAIR,
            Parts(key_id="k", key_spec="RSA_2048", context={"a": "b"}),
            {"KeyId": "k", "KeyPairSpec": "RSA_2048", "EncryptionContext": {"a": "b"}},
        ),
        (
            Operation.GENERATE_DATA_KEY,
            Parts(key_id="k", context={"a": "b"}),
            {"KeyId": "k", "KeySpec": "AES_256", "EncryptionContext": {"a": "b"}},
        ),
        (Operation.GENERATE_RANDOM, Parts(random_bytes=1, context={}), {"NumberOfBytes": 1}),
        (Operation.GENERATE_RANDOM, Parts(random_bytes=1024), {"NumberOfBytes": 1024}),
        (Operation.GENERATE_RANDOM, Parts(random_bytes=32), {"NumberOfBytes": 32}),
        (
            Operation.DERIVE_SHARED_SECRET,
            Parts(key_id="k", peer_key=b"\x30"),
            {"KeyId": "k", "KeyAgreementAlgorithm": "ECDH", "PublicKey": "MA=="},
        ),
    ],
)
def test_the_body_of_each_request(operation: Operation, parts: Parts, members: dict[str, object]) -> None:
    assert exchange.request(operation, b"doc", parts) == {**members, "Recipient": RECIPIENT}


@pytest.mark.parametrize(
    ("operation", "parts", "what"),
    [
        (Operation.DECRYPT, Parts(), "decrypt needs --ciphertext"),
        (Operation.DECRYPT, Parts(ciphertext=b"x", random_bytes=1), "decrypt has no --bytes"),
        (Operation.DECRYPT, Parts(ciphertext=b"x", key_spec="AES_256"), "decrypt has no --key-spec"),
        (
            Operation.GENERATE_RANDOM,
            Parts(random_bytes=1, context={"a": "b"}),
            "generate-random has no --encryption-context",
        ),
        (Operation.GENERATE_DATA_KEY, Parts(), "generate-data-key needs --key-id"),
        (Operation.GENERATE_DATA_KEY_PAIR, Parts(), "generate-data-key-pair needs --key-id and --key-spec"),
        (Operation.DERIVE_SHARED_SECRET, Parts(), "derive-shared-secret needs --key-id and --peer-key"),
        (Operation.GENERATE_RANDOM, Parts(random_bytes=1, key_id="k"), "generate-random has no --key-id"),
        (Operation.GENERATE_RANDOM, Parts(random_bytes=0), "--bytes: KMS gives 1 to 1024 at a time, not 0"),
        (Operation.GENERATE_RANDOM, Parts(random_bytes=1025), "--bytes: KMS gives 1 to 1024 at a time, not 1025"),
        (
            Operation.GENERATE_DATA_KEY,
            Parts(key_id="k", key_spec="aes"),
            "--key-spec: not written as KMS writes it (RSA_2048): 'aes'",
        ),
        (Operation.GENERATE_DATA_KEY, Parts(key_id="k\n"), "--key-id: not a key's id, ARN or alias: 'k\\n'"),
    ],
)
def test_parts_that_do_not_fit_are_refused(operation: Operation, parts: Parts, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        exchange.request(operation, b"doc", parts)
    assert caught.value.message == what


def test_a_ciphertext_that_kms_would_not_take_is_refused() -> None:
    with pytest.raises(CannotAnswer) as caught:
        exchange.request(Operation.DECRYPT, b"doc", Parts(ciphertext=bytes(6145)))
    assert (caught.value.code, caught.value.message, caught.value.hints) == (
        "recipient.unreadable",
        "the ciphertext has 6145 bytes; KMS takes at most 6144",
        ("KMS decrypts keys; decrypt the data itself with the key it gives",),
    )
    exchange.request(Operation.DECRYPT, b"doc", Parts(ciphertext=bytes(6144)))


def test_a_part_that_an_operation_does_not_have_is_to_be_left_out() -> None:
    with pytest.raises(UsageError) as caught:
        exchange.request(Operation.DECRYPT, b"doc", Parts(ciphertext=b"x", random_bytes=1))
    assert caught.value.hints == ("leave it out",)


def test_an_encryption_context_is_exact() -> None:
    assert len(exchange.context([f"k{number}=v" for number in range(64)])) == 64
    assert exchange.context(["a=b", "c=d=e", "f="]) == {"a": "b", "c": "d=e", "f": ""}


@pytest.mark.parametrize("pairs", [["a"], ["=b"], ["a=1", "a=2"], [f"k{n}=v" for n in range(65)]])
def test_an_encryption_context_that_is_none(pairs: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        exchange.context(pairs)
    assert caught.value.message.startswith("--encryption-context: ")
