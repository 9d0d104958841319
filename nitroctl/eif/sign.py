"""Making the signature section: a certificate, and the key that answers to it, in a file or in KMS.

A :class:`Signer` is made before the work begins, so that a key that cannot sign is told then and not after a build;
what it signs is verified with the certificate before anybody gets to write it. With a key in a file the signature is
deterministic (RFC 6979) where the linked OpenSSL can do that: the same image, key and certificate give the same bytes.
Keys that others hold are reached through :class:`RemoteKey`; nothing here knows of the network.
Source: aws-nitro-enclaves-image-format, README "Signature section"; RFC 9052 section 4.4; RFC 6979.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from nitroctl import safefile
from nitroctl.eif import signature_section as section
from nitroctl.eif.format import SIGNATURE_LIMIT
from nitroctl.errors import CannotAnswer

#: An EC key in PEM has about 400 bytes; a certificate's file must fit into the section.
_KEY_LIMIT: Final = 64 * 1024
_CERTIFICATE_LIMIT: Final = 64 * 1024
_ARN: Final = "arn:"
_MAKE_KEY: Final = "make one with: openssl ecparam -name secp384r1 -genkey -noout"


class RemoteKey(Protocol):
    """A signing key that others hold. ``name``: its one name there. ``public_key``: DER SubjectPublicKeyInfo."""

    @property
    def name(self) -> str:
        """The key's one name: no alias."""

    @property
    def public_key(self) -> bytes:
        """DER SubjectPublicKeyInfo."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the operator should know of how the key was found."""

    def sign(self, digest: bytes) -> bytes:
        """Return a DER Ecdsa-Sig-Value over ``digest``, whose length says which hash made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key and the certificate made from it, known to be two halves of one pair.

    ``key``: the key's file, or its ARN. ``deterministic``: the same image gives the same signature. ``remarks``:
    sentences for the operator. ``pem``: the certificate's file as it will be stored. ``ecdsa``: from the message to a
    DER Ecdsa-Sig-Value.
    """

    certificate: section.Certificate
    algorithm: str
    key: str
    kind: Literal["file", "kms"]
    deterministic: bool
    remarks: tuple[str, ...]
    pem: bytes
    public_key: ec.EllipticCurvePublicKey
    ecdsa: Callable[[bytes], bytes]

    def sign(self, pcr0: bytes) -> bytes:
        """Return the data of a signature section over ``pcr0`` (48 bytes), as ``nitro-cli sign-eif`` writes it.

        The signature is verified with the certificate before it is returned. Raises CannotAnswer
        ``eif.signing-result``, and what the key's holder raises.
        """
        algorithm = _algorithm(self.public_key)
        payload = section.payload_of(pcr0)
        encoded = self.ecdsa(section.to_be_signed(algorithm.protected, payload))
        try:
            r, s = utils.decode_dss_signature(encoded)
            value = r.to_bytes(algorithm.width) + s.to_bytes(algorithm.width)
        except (ValueError, OverflowError) as error:
            raise _bad_result(self.key, f"what came back is no {algorithm.name} signature") from error
        data = section.write(self.pem, algorithm.protected, payload, value)
        try:
            fault = section.fault(*section.read(data))
        except section.Malformed as error:  # only by its size: the certificate was read before
            raise _too_large(len(data)) from error
        if fault:
            raise _bad_result(self.key, fault)
        return data


def signer(private_key: str, certificate: str, *, kms: Callable[[str], RemoteKey]) -> Signer:
    """Return the signer for a private key (a PEM file, or a KMS key's ARN) and a certificate's PEM file.

    ``kms``: reaches the key that an ARN names; called for ARNs only. Raises CannotAnswer ``eif.signing-key`` for a key
    that is encrypted, not on P-256, P-384 or P-521, or not the certificate's, ``eif.signing-certificate`` for a
    certificate that no reader would take, ``file.*``, and what ``kms`` raises.
    """
    pem = safefile.read_bytes(certificate, limit=_CERTIFICATE_LIMIT)
    if private_key.startswith(_ARN):
        found = _certificate(pem, certificate)  # before anything is asked of the network
        return _remote(kms(private_key), pem, found, certificate)
    key_pem = safefile.read_bytes(private_key, limit=_KEY_LIMIT)
    return _local(key_pem, pem, key_name=private_key, certificate_name=certificate)


def sign(pcr0: bytes, *, private_key_pem: bytes, certificate_pem: bytes) -> bytes:
    """Return the data of a signature section over ``pcr0`` (48 bytes) by a key and a certificate in PEM.

    Raises CannotAnswer as :func:`signer` does.
    """
    names = {"key_name": "the private key", "certificate_name": "the signing certificate"}
    return _local(private_key_pem, certificate_pem, **names).sign(pcr0)


# -- the two kinds of key


def _local(key_pem: bytes, pem: bytes, *, key_name: str, certificate_name: str) -> Signer:
    key = _private_key(key_pem, key_name)
    certificate, public = _certificate(pem, certificate_name)
    if public != key.public_key():
        raise _mismatch(key_name, certificate_name)
    algorithm = _algorithm(public)
    ecdsa, deterministic = _ecdsa(algorithm.hash)
    remark = (
        "the OpenSSL behind nitroctl has no deterministic ECDSA (RFC 6979), which came with 3.2: "
        "signing this image again gives other bytes"
    )
    return Signer(
        certificate=certificate,
        algorithm=algorithm.name,
        key=key_name,
        kind="file",
        deterministic=deterministic,
        remarks=() if deterministic else (remark,),
        pem=pem,
        public_key=public,
        ecdsa=lambda message: key.sign(message, ecdsa),
    )


def _remote(
    key: RemoteKey, pem: bytes, found: tuple[section.Certificate, ec.EllipticCurvePublicKey], certificate_name: str
) -> Signer:
    certificate, public = found
    try:
        held = serialization.load_der_public_key(key.public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(key.name, "its public key cannot be read") from error
    if not isinstance(held, ec.EllipticCurvePublicKey) or section.algorithm_of(held) is None:
        raise _unusable(key.name, f"it is not on {section.CURVES}", "make a KMS key of the type ECC_NIST_P384")
    if held != public:
        raise _mismatch(key.name, certificate_name)
    algorithm = _algorithm(public)
    return Signer(
        certificate=certificate,
        algorithm=algorithm.name,
        key=key.name,
        kind="kms",
        deterministic=False,
        remarks=key.remarks,
        pem=pem,
        public_key=public,
        ecdsa=functools.partial(_sign_remotely, key, algorithm.hash),
    )


def _sign_remotely(key: RemoteKey, algorithm: hashes.HashAlgorithm, message: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(message)
    return key.sign(digest.finalize())


def _algorithm(key: ec.EllipticCurvePublicKey) -> section.Algorithm:
    found = section.algorithm_of(key)
    assert found is not None  # noqa: S101  (a key on another curve does not get this far)
    return found


def _ecdsa(algorithm: hashes.HashAlgorithm) -> tuple[ec.ECDSA, bool]:
    """Return how to sign, and whether the same message always gets the same signature."""
    try:
        return ec.ECDSA(algorithm, deterministic_signing=True), True
    except UnsupportedAlgorithm:
        return ec.ECDSA(algorithm), False


# -- reading


def _private_key(pem: bytes, name: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise _unusable(
            name,
            "it is encrypted",
            "give the key unencrypted, from memory: openssl pkey -in key.pem | nitroctl eif sign ... --private-key -",
            "or keep the key in KMS and give its ARN",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(name, "not a PEM private key", _MAKE_KEY) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or section.algorithm_of(key.public_key()) is None:
        raise _unusable(name, f"it is not on {section.CURVES}", _MAKE_KEY)
    return key


def _certificate(pem: bytes, name: str) -> tuple[section.Certificate, ec.EllipticCurvePublicKey]:
    if b"PRIVATE KEY-----" in pem:  # the file is stored as it is, for everybody to read
        raise CannotAnswer(
            f"{name}: a private key is in it, and the whole file would be stored in the image",
            "eif.signing-certificate",
            ["name a PEM file that holds the certificate alone"],
        )
    try:
        return section.read_certificate(pem)
    except section.Malformed as error:
        raise CannotAnswer(
            f"{name}: the certificate {error}",
            "eif.signing-certificate",
            ["name the PEM certificate of the private key"],
        ) from error


def _unusable(name: str, why: str, *hints: str) -> CannotAnswer:
    return CannotAnswer(f"{name}: the key cannot be used: {why}", "eif.signing-key", hints)


def _mismatch(key: str, certificate: str) -> CannotAnswer:
    return CannotAnswer(
        f"{key}: the key is not that of the certificate {certificate}",
        "eif.signing-key",
        ["name the two halves of one pair"],
    )


def _bad_result(key: str, why: str) -> CannotAnswer:
    return CannotAnswer(
        f"{key}: the signature cannot be used: {why}", "eif.signing-result", ["sign again; nothing was written"]
    )


def _too_large(size: int) -> CannotAnswer:
    return CannotAnswer(
        f"the signing certificate's file is too large: the section would have {size} bytes, "
        f"at most {SIGNATURE_LIMIT} are allowed",
        "eif.signing-certificate",
        ["name a PEM file that holds the one certificate"],
    )
