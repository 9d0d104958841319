"""A sigstore of our own: a certificate authority, a certificate log, a signature log, and bundles that they vouch for.

Nothing here asks the library under test: what it reads is made from the formats' descriptions. Sources: sigstore bundle
and trusted root (protobuf-specs), Fulcio's certificate extensions, RFC 6962 (signed certificate timestamps, Merkle
trees), Rekor's entries (hashedrekord and dsse, 0.0.1), signed notes, DSSE v1.
"""

import base64
import dataclasses
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: When everything was signed and logged, long before any test runs; the certificate lives ten minutes.
AT = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
IDENTITY = "https://github.com/example/signer/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"

_ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SHA256 = hashes.SHA256()
_KEYS: dict[str, ec.EllipticCurvePrivateKey] = {}


def key(name: str) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key called ``name``, the same all through a run."""
    return _KEYS.setdefault(name, ec.generate_private_key(ec.SECP256R1()))


def spki(name: str) -> bytes:
    return key(name).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(name: str, data: bytes) -> bytes:
    return key(name).sign(data, ec.ECDSA(_SHA256))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True, kw_only=True)
class World:
    """Who vouches. Every name is that of a key: another name is somebody else's."""

    authority: str = "fulcio"
    certificates: str = "ctfe"
    log: str = "rekor"

    def root(self) -> x509.Certificate:
        name = _name(f"root of {self.authority}")
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key(self.authority).public_key())
            .serial_number(1)
            .not_valid_before(AT - timedelta(days=365))
            .not_valid_after(AT + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key(self.authority).public_key()), critical=False)
            .sign(key(self.authority), _SHA256)
        )

    def trusted_root(self) -> dict[str, Any]:
        """Return the file that names those who vouch."""
        valid = {"start": "2020-01-01T00:00:00Z"}

        def log(name: str) -> dict[str, Any]:
            public = {"rawBytes": b64(spki(name)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid}
            return {
                "baseUrl": f"https://{name}.example.com",
                "hashAlgorithm": "SHA2_256",
                "publicKey": public,
                "logId": {"keyId": b64(_log_id(name))},
            }

        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.log)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "example", "commonName": self.authority},
                    "uri": f"https://{self.authority}.example.com",
                    "certChain": {"certificates": [{"rawBytes": b64(self.root().public_bytes(Encoding.DER))}]},
                    "validFor": valid,
                }
            ],
            "ctlogs": [log(self.certificates)],
            "timestampAuthorities": [],
        }


WORLD = World()


def _log_id(name: str) -> bytes:
    return hashlib.sha256(spki(name)).digest()


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True, kw_only=True)
class Signing:
    """One signing: what is signed, by whom, and what a test changes of it.

    ``payload``: an in-toto statement to wrap, in place of ``content``. ``issuers``: what the two extensions say, None
    for one that is left out. ``promised``: the log signs for the time. ``before``: other entries of the log. ``edit``:
    changes the bundle when it is made.
    """

    content: bytes = b""
    payload: bytes | None = None
    payload_type: str = IN_TOTO
    world: World = WORLD
    identity: str = IDENTITY
    issuers: tuple[str | None, str | None] = (ISSUER, ISSUER)
    logged_at: datetime = AT + timedelta(seconds=5)
    promised: bool = True
    code_signing: bool = True
    before: int = 6
    digest: bool = True
    edit: Callable[[dict[str, Any]], object] = lambda _bundle: None

    def changed(self, **changes: Any) -> "Signing":
        return dataclasses.replace(self, **changes)

    @property
    def text(self) -> str:
        """The bundle, as JSON on one line."""
        bundle = self.bundle()
        self.edit(bundle)
        return json.dumps(bundle)

    def bundle(self) -> dict[str, Any]:
        certificate = self._certificate()
        verifier = b64(certificate.public_bytes(Encoding.PEM))
        if self.payload is None:
            digest = hashlib.sha256(self.content).digest()
            signature = sign("signer", self.content)
            said: dict[str, Any] = {"messageSignature": {"signature": b64(signature)}}
            if self.digest:
                said["messageSignature"]["messageDigest"] = {"algorithm": "SHA2_256", "digest": b64(digest)}
            kind = "hashedrekord"
            spec: dict[str, Any] = {
                "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
                "signature": {"content": b64(signature), "publicKey": {"content": verifier}},
            }
        else:
            heads = [str(len(part)).encode() + b" " + part for part in (self.payload_type.encode(), self.payload)]
            signature = sign("signer", b"DSSEv1 " + b" ".join(heads))
            said = {
                "dsseEnvelope": {
                    "payload": b64(self.payload),
                    "payloadType": self.payload_type,
                    "signatures": [{"sig": b64(signature)}],
                }
            }
            kind = "dsse"
            spec = {
                "envelopeHash": {"algorithm": "sha256", "value": "00" * 32},
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(self.payload).hexdigest()},
                "signatures": [{"signature": b64(signature), "verifier": verifier}],
            }
        body = _canonical({"apiVersion": "0.0.1", "kind": kind, "spec": spec})
        return {
            "mediaType": BUNDLE,
            "verificationMaterial": {
                "certificate": {"rawBytes": b64(certificate.public_bytes(Encoding.DER))},
                "tlogEntries": [self._entry(kind, body)],
            },
            **said,
        }

    def _certificate(self) -> x509.Certificate:
        """Return the certificate with the certificate log's signature over what it is without it (RFC 6962, 3.2)."""
        authority = self.world.root()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(authority.subject)
            .public_key(key("signer").public_key())
            .serial_number(7)
            .not_valid_before(AT)
            .not_valid_after(AT + timedelta(minutes=10))
            .add_extension(_usage(certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.CODE_SIGNING if self.code_signing else ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key(self.world.authority).public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([_identity(self.identity)]), critical=True)
        )
        first, second = self.issuers
        if first is not None:
            builder = builder.add_extension(x509.UnrecognizedExtension(_ISSUER_V1, first.encode()), critical=False)
        if second is not None:
            value = b"\x0c" + bytes([len(second.encode())]) + second.encode()
            builder = builder.add_extension(x509.UnrecognizedExtension(_ISSUER_V2, value), critical=False)
        bare = builder.sign(key(self.world.authority), _SHA256).tbs_certificate_bytes
        issuer = _log_id(self.world.authority)
        entry = issuer + struct.pack("!I", len(bare))[1:] + bare
        time = struct.pack("!Q", int(AT.timestamp() * 1000))
        signature = sign(self.world.certificates, b"\0\0" + time + b"\0\1" + entry + b"\0\0")
        sct = b"\0" + _log_id(self.world.certificates) + time + b"\0\0" + b"\4\3" + _sized(signature)
        octets = _sized(_sized(sct))
        value = b"\x04" + bytes([0x81, len(octets)] if len(octets) > 127 else [len(octets)]) + octets
        signed = builder.add_extension(x509.UnrecognizedExtension(_SCTS, value), critical=False)
        return signed.sign(key(self.world.authority), _SHA256)

    def _entry(self, kind: str, body: bytes) -> dict[str, Any]:
        """Return the last of ``before`` + 1 leaves of the log's tree, and the log's signature over its head."""
        index, time = self.before, int(self.logged_at.timestamp())
        leaves = [hashlib.sha256(b"\0" + f"leaf {number}".encode()).digest() for number in range(index)]
        leaves.append(hashlib.sha256(b"\0" + body).digest())
        root = _tree(leaves)
        note = f"{self.world.log}.example.com - 1\n{len(leaves)}\n{b64(root)}\n"
        signed = b64(_log_id(self.world.log)[:4] + sign(self.world.log, note.encode()))
        entry: dict[str, Any] = {
            "logIndex": str(index),
            "logId": {"keyId": b64(_log_id(self.world.log))},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": str(time),
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": b64(root),
                "treeSize": str(len(leaves)),
                "hashes": [b64(each) for each in _path(leaves, index)],
                "checkpoint": {"envelope": f"{note}\n— {self.world.log}.example.com {signed}\n"},
            },
            "canonicalizedBody": b64(body),
        }
        if self.promised:
            promise = {
                "body": b64(body),
                "integratedTime": time,
                "logID": _log_id(self.world.log).hex(),
                "logIndex": index,
            }
            entry["inclusionPromise"] = {"signedEntryTimestamp": b64(sign(self.world.log, _canonical(promise)))}
        return entry


def _identity(text: str) -> x509.GeneralName:
    return x509.RFC822Name(text) if "@" in text and "/" not in text else x509.UniformResourceIdentifier(text)


def _sized(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def _tree(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    at = _split(len(leaves))
    return _node(_tree(leaves[:at]), _tree(leaves[at:]))


def _path(leaves: list[bytes], index: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    at = _split(len(leaves))
    if index < at:
        return [*_path(leaves[:at], index), _tree(leaves[at:])]
    return [*_path(leaves[at:], index - at), _tree(leaves[:at])]
