"""Open what KMS answers an attested request with: a CMS message for the key that the attestation document names.

KMS wraps the plaintext as EnvelopedData (RFC 5652, 6) in BER with indefinite lengths: one key-transport recipient named
by a subject key identifier, RSAES-OAEP with SHA-256 and MGF1 over SHA-256 for the content key, AES-256-CBC for the
content. Nothing else is opened here. Both ways of writing lengths are, and a recipient named by issuer and serial
number too: emulators of KMS answer with those. Who may open the message is decided by the key, not by that name.

ASN.1 is read by asn1crypto, an optional dependency (``nitroctl[recipient]``) that nothing else here needs. A message
says nothing about who made it, and AES-CBC does not protect what it carries: this is for tests and drills.
"""

import importlib
import secrets
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding as asymmetric
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from nitroctl.errors import CannotAnswer
from nitroctl.evidence import contents

#: KMS's own limit of an answer is 6144 bytes.
MAX_MESSAGE: Final = 16 * 1024
#: Of the RSA keys that KMS encrypts to.
KEY_BITS: Final = (2048, 3072, 4096)
_BLOCK: Final = 16
_CONTENT_KEY: Final = 32
#: An algorithm's identifier can be as long as the message.
_SHOWN: Final = 64
_UNREADABLE: Final = "recipient.unreadable"
_UNSUPPORTED: Final = "recipient.unsupported"
_KEY: Final = "recipient.key"
_PUBLIC_KEY: Final = "recipient.public-key"
_PEM: Final = b"-----BEGIN"
#: What asn1crypto raises on malformed input: it reads lazily, so at any member.
_MALFORMED: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as KMS makes it, read but not opened. ``recipient``: how it names its recipient's key."""

    recipient: str
    encrypted_key: bytes
    iv: bytes
    content: bytes


def parse(ber: bytes) -> Message:
    """Return the CMS message ``ber``, of at most MAX_MESSAGE bytes.

    Raises CannotAnswer ``recipient.unreadable`` when it is not one CMS message and nothing else,
    ``recipient.unsupported`` when it is wrapped in another way than KMS does, ``recipient.extra`` without asn1crypto.
    """
    cms = _asn1crypto()
    if len(ber) > MAX_MESSAGE:
        raise CannotAnswer(
            f"the message has {len(ber)} bytes; one of KMS's has at most 6144", _UNREADABLE, ["check the file"]
        )
    try:
        return _read(cms.ContentInfo.load(ber, strict=True))
    except _MALFORMED as error:
        raise CannotAnswer(
            "not a CMS message, or a damaged one",
            _UNREADABLE,
            ["pass the CiphertextForRecipient of KMS's answer: raw, base64, or the JSON of aws kms decrypt"],
        ) from error


def available() -> bool:
    """Whether asn1crypto is installed, without which no message can be read."""
    try:
        _asn1crypto()
    except CannotAnswer:
        return False
    return True


def _asn1crypto() -> Any:  # noqa: ANN401  (it has no types)
    try:
        return importlib.import_module("asn1crypto.cms")  # optional, so not among the imports
    except ImportError as error:
        raise CannotAnswer(
            "reading CMS needs asn1crypto, which is not installed",
            "recipient.extra",
            ["pip install 'nitroctl[recipient]'"],
        ) from error


def _read(outer: Any) -> Message:  # noqa: ANN401
    """Read every member that matters; whatever is malformed, or absent and so None, raises one of _MALFORMED."""
    _expect("the content type", outer["content_type"].native, "enveloped_data")
    enveloped = outer["content"]
    recipients = enveloped["recipient_infos"]
    _expect("the number of recipients", len(recipients), 1)
    _expect("the recipient's kind", recipients[0].name, "ktri")
    transport = recipients[0].chosen
    _expect_oaep(transport["key_encryption_algorithm"])
    inner = enveloped["encrypted_content_info"]
    cipher = inner["content_encryption_algorithm"]
    _expect("the content", inner["content_type"].native, "data")
    _expect("the content's cipher", cipher["algorithm"].native, "aes256_cbc")
    message = Message(
        recipient=_recipient(transport["rid"]),
        encrypted_key=transport["encrypted_key"].native,
        iv=cipher["parameters"].native,
        content=inner["encrypted_content"].native,
    )
    _expect("the initialisation vector's length", len(message.iv), _BLOCK)
    if not message.content or len(message.content) % _BLOCK:
        raise CannotAnswer(
            f"the content has {len(message.content)} bytes, which is not a whole number of AES blocks", _UNREADABLE
        )
    return message


def _expect_oaep(algorithm: Any) -> None:  # noqa: ANN401
    _expect("the key's cipher", algorithm["algorithm"].native, "rsaes_oaep")
    parameters = algorithm["parameters"]
    mask = parameters["mask_gen_algorithm"]
    label = parameters["p_source_algorithm"]
    _expect("the hash of OAEP", parameters["hash_algorithm"]["algorithm"].native, "sha256")
    _expect("the mask generation of OAEP", mask["algorithm"].native, "mgf1")
    _expect("the hash of OAEP's mask generation", mask["parameters"]["algorithm"].native, "sha256")
    _expect("the label of OAEP", label["parameters"].native, b"")


def _expect(what: str, actual: object, expected: object) -> None:
    if type(actual) is not type(expected) or actual != expected:
        shown = str(actual)
        raise CannotAnswer(
            f"{what} is {shown if len(shown) <= _SHOWN else 'another'}, not {expected} as in KMS's answers",
            _UNSUPPORTED,
            ["KMS wraps with RSAES-OAEP SHA-256 and AES-256-CBC; openssl cms -decrypt opens other messages"],
        )


def _recipient(identifier: Any) -> str:  # noqa: ANN401
    if identifier.name == "subject_key_identifier":
        return f"subject key identifier {identifier.native.hex()}"
    return f"issuer and serial number {identifier.chosen['serial_number'].native:x}"


def load_key(pem: bytes, *, where: str) -> rsa.RSAPrivateKey:
    """Return the RSA private key in ``pem``, unencrypted. Raises CannotAnswer ``recipient.key``; shows none of it."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        hint = "decrypt it first: openssl pkey -in KEY -out PLAIN; and remove that copy afterwards"
        raise CannotAnswer(f"{where}: the key is encrypted", _KEY, [hint]) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        what = "a certificate" if b"-----BEGIN CERTIFICATE-----" in pem else "no private key in PEM"
        raise CannotAnswer(
            f"{where}: {what}, or a damaged one", _KEY, ["pass the PEM file of the private key"]
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CannotAnswer(f"{where}: not an RSA key, and KMS encrypts to no other", _KEY)
    return key


def open_message(message: Message, key: rsa.RSAPrivateKey) -> bytes:
    """Return the plaintext of ``message``.

    Raises CannotAnswer ``recipient.not-opened``, and that alone, whatever was wrong: which step failed would tell
    whoever can send messages here about the key and the plaintext. A content key that cannot be unwrapped is
    replaced by a random one and the content is decrypted all the same, so that the steps do not differ either.
    """
    try:
        content_key = key.decrypt(
            message.encrypted_key, asymmetric.OAEP(asymmetric.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        )
        unwrapped = len(content_key) == _CONTENT_KEY
    except ValueError:
        unwrapped = False
    if not unwrapped:
        content_key = secrets.token_bytes(_CONTENT_KEY)
    decryptor = Cipher(algorithms.AES256(content_key), modes.CBC(message.iv)).decryptor()
    unpadder = PKCS7(_BLOCK * 8).unpadder()
    padded = decryptor.update(message.content) + decryptor.finalize()
    try:
        plaintext = unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        unwrapped = False
    if not unwrapped:
        raise CannotAnswer(
            "the message cannot be opened with this key",
            "recipient.not-opened",
            ["it was made for another key, or was damaged; which of the two, nobody is told"],
        )
    return plaintext


@dataclass(frozen=True, slots=True)
class RecipientKey:
    """The key in a document that KMS encrypts to. ``fingerprint``: SHA-256 of the SubjectPublicKeyInfo."""

    bits: int
    fingerprint: str


def recipient_key(public_key: bytes | None) -> RecipientKey:
    """Return the key of a document's ``public_key`` when KMS can encrypt to it.

    It must be an RSA key of 2048 to 4096 bits as a SubjectPublicKeyInfo in DER (AWS KMS API, RecipientInfo). Raises
    CannotAnswer ``recipient.public-key`` with what is wrong.
    """
    if public_key is None:
        raise _unfit("the document has no public_key, so KMS has nothing to encrypt its answer to")
    if not public_key:
        raise _unfit("the document's public_key is empty")
    if public_key.startswith(_PEM):
        raise _unfit("the document's public_key is PEM text; KMS takes the DER in it")
    found = contents.public_key(public_key)
    if found is None:
        raise _unfit(f"the document's public_key, {len(public_key)} bytes, is not a SubjectPublicKeyInfo in DER")
    if found.kind != "RSA" or found.bits is None:
        raise _unfit(f"the document's public_key is {found.name}; KMS encrypts to RSA only")
    if found.bits not in KEY_BITS:
        raise _unfit(f"the document's public_key is {found.name}; KMS takes 2048, 3072 or 4096 bits")
    key = serialization.load_der_public_key(public_key)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    if key.public_bytes(serialization.Encoding.DER, form) != public_key:
        raise _unfit("the document's public_key is an RSA key, but not its SubjectPublicKeyInfo in exact DER")
    return RecipientKey(found.bits, found.fingerprint)


def _unfit(message: str) -> CannotAnswer:
    return CannotAnswer(
        message, _PUBLIC_KEY, ["the enclave must ask for the document with its RSA key's SubjectPublicKeyInfo in DER"]
    )
