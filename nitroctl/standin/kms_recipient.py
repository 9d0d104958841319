"""Answer like KMS: wrap a plaintext for a document's RSA key in the CMS message that KMS would send.

EnvelopedData in BER as captured answers have it: indefinite lengths outside, the content as constructed octet strings
of a chunk or several. Each part is an argument, so that a wrong message is a right one with one argument changed. The
few bytes of BER are written here because no library at hand writes indefinite lengths.
"""

import os
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

ENVELOPED_DATA: Final = bytes.fromhex("06092a864886f70d010703")
DATA: Final = bytes.fromhex("06092a864886f70d010701")
RSAES_OAEP: Final = bytes.fromhex("06092a864886f70d010107")
RSA_PKCS1: Final = bytes.fromhex("06092a864886f70d010101")
MGF1: Final = bytes.fromhex("06092a864886f70d010108")
P_SPECIFIED: Final = bytes.fromhex("06092a864886f70d010109")
SHA_1: Final = bytes.fromhex("06052b0e03021a")
SHA_256: Final = bytes.fromhex("0609608648016503040201")
AES_256_CBC: Final = bytes.fromhex("060960864801650304012a")
AES_128_CBC: Final = bytes.fromhex("0609608648016503040102")
_NULL: Final = b"\x05\x00"
_INTEGER, _OCTETS, _SEQUENCE, _SET = 0x02, 0x04, 0x30, 0x31
_CONTEXT_0: Final = 0x80
_CONTEXT_1: Final = 0xA1
_CONTEXT_2: Final = 0xA2
_CONSTRUCTED: Final = 0x20
_SHORT: Final = 0x80
_BLOCK_BITS: Final = 128


def definite(tag: int, *parts: bytes) -> bytes:
    """Return an item with its length written before it (X.690, 8.1.3.3 to 8.1.3.5)."""
    content = b"".join(parts)
    if len(content) < _SHORT:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, _SHORT | len(length)]) + length + content


def indefinite(tag: int, *parts: bytes) -> bytes:
    """Return a constructed item that ends with two zero bytes (X.690, 8.1.3.6)."""
    return bytes([tag | _CONSTRUCTED, _SHORT]) + b"".join(parts) + b"\x00\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a message is made of, by default as KMS makes it. Lengths in bytes.

    ``chunk``: how much of the content one octet string holds; None for one primitive string. ``outer``: how the outer
    items are written. ``padding_byte``: in place of the last byte of the padded plaintext. ``content_key``: 32 random
    bytes unless given.
    """

    content_type: bytes = ENVELOPED_DATA
    key_cipher: bytes = RSAES_OAEP
    oaep_hash: bytes = SHA_256
    mask_hash: bytes = SHA_256
    label: bytes = b""
    content_cipher: bytes = AES_256_CBC
    recipients: int = 1
    by_serial_number: bool = False
    chunk: int | None = 1024
    outer_definite: bool = False
    padding_byte: int | None = None
    content_key: bytes = field(default_factory=lambda: os.urandom(32))
    iv: bytes = field(default_factory=lambda: os.urandom(16))

    def wrap(self, plaintext: bytes, public_key: bytes) -> bytes:
        """Return the message for the RSA key ``public_key``, a SubjectPublicKeyInfo in DER."""
        key = serialization.load_der_public_key(public_key)
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError("KMS encrypts to RSA keys only")
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        return self.message(key.encrypt(self.content_key, oaep), self._identifier(key), self._encrypted(plaintext))

    def _encrypted(self, plaintext: bytes) -> bytes:
        padder = PKCS7(_BLOCK_BITS).padder()
        padded = padder.update(plaintext) + padder.finalize()
        if self.padding_byte is not None:
            padded = padded[:-1] + bytes([self.padding_byte])
        encryptor = Cipher(algorithms.AES(self.content_key), modes.CBC(self.iv)).encryptor()
        return encryptor.update(padded) + encryptor.finalize()

    def _identifier(self, key: rsa.RSAPublicKey) -> bytes:
        if self.by_serial_number:
            return definite(_SEQUENCE, definite(_SEQUENCE), definite(_INTEGER, b"\x01"))
        spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        digest = hashes.Hash(hashes.SHA256())
        digest.update(spki)
        return definite(_CONTEXT_0, digest.finalize())

    def message(self, encrypted_key: bytes, identifier: bytes, content: bytes) -> bytes:
        """Return the message around parts that are encrypted already."""
        outer = definite if self.outer_definite else indefinite
        transport = definite(
            _SEQUENCE,
            definite(_INTEGER, b"\x00" if self.by_serial_number else b"\x02"),
            identifier,
            self._key_algorithm(),
            definite(_OCTETS, encrypted_key),
        )
        cipher = definite(_SEQUENCE, self.content_cipher, definite(_OCTETS, self.iv))
        info = outer(_SEQUENCE, DATA, cipher, self._content(content))
        enveloped = outer(_SEQUENCE, definite(_INTEGER, b"\x02"), definite(_SET, *[transport] * self.recipients), info)
        return outer(_SEQUENCE, self.content_type, outer(_CONTEXT_0 | _CONSTRUCTED, enveloped))

    def _content(self, content: bytes) -> bytes:
        if self.chunk is None:
            return definite(_CONTEXT_0, content)
        chunks = [
            definite(_OCTETS, content[start : start + self.chunk]) for start in range(0, len(content), self.chunk)
        ]
        return indefinite(_CONTEXT_0, *chunks)

    def _key_algorithm(self) -> bytes:
        if self.key_cipher != RSAES_OAEP:
            return definite(_SEQUENCE, self.key_cipher, _NULL)
        hash_ = definite(_SEQUENCE, self.oaep_hash, _NULL)
        mask_hash = definite(_SEQUENCE, self.mask_hash, _NULL)
        mask = definite(_SEQUENCE, MGF1, mask_hash)
        parts = [definite(0xA0, hash_), definite(_CONTEXT_1, mask)]
        if self.label:  # the default, an empty one, is left out
            parts.append(definite(_CONTEXT_2, definite(_SEQUENCE, P_SPECIFIED, definite(_OCTETS, self.label))))
        parameters = definite(_SEQUENCE, *parts)
        return definite(_SEQUENCE, self.key_cipher, parameters)
