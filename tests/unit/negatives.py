"""Named documents that must be refused, each a good one with a single change, and the checks that must refuse it.

``make`` builds a document under the stand-in's PKI; every step of the way can be overridden.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from nitroctl import pcr
from nitroctl.evidence.roots import Root
from nitroctl.standin import nsm, pki
from nitroctl.standin.nsm import Encoded, Fields
from nitroctl.standin.pki import Identity, Profile

AT = datetime(2026, 11, 20, 10, 0, 0, 250000, tzinfo=UTC)
INSTANCE = "i-0123456789abcdef0"
MODULE_ID = f"{INSTANCE}-enc019aa0b0c0d0e0f0"
REGION = "eu-west-1"
NONCE = bytes(range(20))
PCRS = {0: b"\x10" * 48, 1: b"\x11" * 48, 2: b"\x12" * 48, 4: pcr.for_instance(INSTANCE)}
ROOT, REGIONAL, ZONAL, INSTANCE_CA, LEAF = range(5)

Profiles = list[Profile]
Chain = tuple[Identity, ...]


@functools.cache
def root() -> Identity:
    """The accepted root of these tests."""
    return pki.issue(pki.root_profile(at=AT - timedelta(days=30)), None)


def accepted() -> tuple[Root, ...]:
    """The roots that are accepted when these documents are judged."""
    certificate = root().certificate
    return (Root(certificate.subject.rfc4514_string(), certificate.fingerprint(hashes.SHA256()).hex()),)


def profiles() -> Profiles:
    """The profiles of a good chain."""
    return [
        pki.root_profile(at=AT - timedelta(days=30)),
        pki.regional_profile(REGION, at=AT),
        pki.zonal_profile(REGION, at=AT),
        pki.instance_profile(INSTANCE, REGION, at=AT),
        pki.leaf_profile(MODULE_ID, REGION, at=AT),
    ]


def issue_chain(wanted: Profiles, first: Identity | None = None) -> Chain:
    chain = [first or root()]
    for profile in wanted[1:]:
        chain.append(pki.issue(profile, chain[-1]))
    return tuple(chain)


@functools.cache
def good_chain() -> Chain:
    return issue_chain(profiles())


@dataclass(frozen=True, kw_only=True)
class Change:
    """One override for each step at which a document can be made wrong."""

    profiles: Callable[[Profiles], Profiles] | None = None
    chain: Callable[[Chain], Chain] | None = None
    fields: Callable[[Fields], Fields] = lambda fields: fields
    payload: Callable[[bytes], bytes] = lambda payload: payload
    protected: bytes = nsm.PROTECTED
    unprotected: bytes = b"\xa0"
    signature: Callable[[bytes], bytes] = lambda signature: signature
    after_signing: Callable[[bytes], bytes] = lambda payload: payload
    document: Callable[[bytes], bytes] = lambda document: document


def make(change: Change = Change()) -> bytes:
    """Return a document with one change; a good one without."""
    chain = issue_chain(change.profiles(profiles())) if change.profiles else good_chain()
    if change.chain:
        chain = change.chain(chain)
    fields = nsm.fields(chain, module_id=MODULE_ID, pcrs=PCRS, at=AT, nonce=NONCE, user_data=b"hello", public_key=None)
    content = change.payload(nsm.payload(change.fields(fields)))
    signature = nsm.signature(chain[-1].key, change.protected, content)
    parts = change.protected, change.unprotected, change.after_signing(content), change.signature(signature)
    return change.document(nsm.envelope(*parts))


@dataclass(frozen=True)
class Negative:
    """``fails``: every check that must fail; no other may."""

    name: str
    fails: frozenset[str]
    change: Change = field(repr=False)

    def build(self) -> bytes:
        return make(self.change)


NEGATIVES: list[Negative] = []


def _add(name: str, fails: str, **change: Any) -> None:
    NEGATIVES.append(Negative(name, frozenset(fails.split()), Change(**change)))


def _set(**values: object) -> Callable[[Fields], Fields]:
    """Replace the values of fields, keeping their order; ``...`` leaves the field out; a new name is appended."""

    def change(fields: Fields) -> Fields:
        kept = [(name, values.get(name, value)) for name, value in fields]
        new = [(name, value) for name, value in values.items() if name not in dict(fields)]
        return [(name, value) for name, value in [*kept, *new] if value is not ...]

    return change


def _profile(number: int, **values: Any) -> Callable[[Profiles], Profiles]:
    def change(wanted: Profiles) -> Profiles:
        return [replace(profile, **values) if i == number else profile for i, profile in enumerate(wanted)]

    return change


def _bundle(change: Callable[[list[bytes]], Sequence[object]]) -> Callable[[Fields], Fields]:
    def edit(fields: Fields) -> Fields:
        bundle = dict(fields)["cabundle"]
        assert isinstance(bundle, list)
        return _set(cabundle=list(change(bundle)))(fields)

    return edit


def _certificate(change: Callable[[bytes], bytes]) -> Callable[[Fields], Fields]:
    def edit(fields: Fields) -> Fields:
        certificate = dict(fields)["certificate"]
        assert isinstance(certificate, bytes)
        return _set(certificate=change(certificate))(fields)

    return edit


def flip(content: bytes, position: int = -1, bit: int = 0) -> bytes:
    """Return ``content`` with one bit changed."""
    edited = bytearray(content)
    edited[position] ^= 1 << bit
    return bytes(edited)


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    head = bytes([size]) if size < 0x80 else b"\x81" + bytes([size]) if size < 0x100 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + head + content


def resign(chain: Chain, edit: Callable[[bytes], bytes]) -> Callable[[Fields], Fields]:
    """Put in a leaf whose signed part was edited and signed anew by the instance CA: what no builder would make."""
    signed = edit(chain[LEAF].certificate.tbs_certificate_bytes)
    signature = chain[INSTANCE_CA].key.sign(signed, ec.ECDSA(hashes.SHA384()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040303")
    return _set(certificate=_tlv(0x30, signed + algorithm + _tlv(0x03, b"\x00" + signature)))


def _edited_leaf(old: str, new: str) -> Callable[[Fields], Fields]:
    def edit(signed: bytes) -> bytes:
        assert signed.count(bytes.fromhex(old)) == 1, old
        return signed.replace(bytes.fromhex(old), bytes.fromhex(new))

    return resign(good_chain(), edit)


@functools.cache
def other_root(*, same_name: bool) -> Identity:
    profile = pki.root_profile(at=AT - timedelta(days=30))
    if not same_name:
        profile = replace(profile, subject=pki.name(CN="evil.nitro-enclaves", order=("C", "O", "OU", "CN")))
    return pki.issue(profile, None)


@functools.cache
def other_chain(*, same_name: bool) -> Chain:
    return issue_chain(profiles(), other_root(same_name=same_name))


def _der_signature(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:48]), int.from_bytes(raw[48:]))


# -- CBOR
_add("a byte after the document", "cbor.trailing-bytes", document=lambda d: d + b"\x00")
_add("a line feed after the document", "cbor.trailing-bytes", document=lambda d: d + b"\n")
_add("a byte after the payload's map", "cbor.trailing-bytes", payload=lambda p: p + b"\x00")
_add("a byte after the protected header's map", "cbor.trailing-bytes", protected=nsm.PROTECTED + b"\x00")
_add("the nonce twice", "cbor.unique-keys", fields=lambda fields: [*fields, ("nonce", b"other")])
_add(
    "a register twice",
    "cbor.unique-keys",
    fields=_set(pcrs=Encoded(b"\xa2" + (b"\x00\x58\x30" + bytes(48)) * 2)),
)
_add("the algorithm twice", "cbor.unique-keys", protected=bytes.fromhex("a2013822013822"))
_add("a long head on the array", "cbor.shortest-heads", document=lambda d: b"\x98\x04" + d[1:])
_add(
    "a register's index in two bytes",
    "cbor.shortest-heads",
    fields=_set(pcrs=Encoded(b"\xa1\x18\x00\x58\x30" + bytes(48))),
)
_add("a nonce's length in three bytes", "cbor.shortest-heads", fields=_set(nonce=Encoded(b"\x59\x00\x01\xaa")))
_add("a chunked nonce", "cbor.definite-strings", fields=_set(nonce=Encoded(b"\x5f\x41\xaa\xff")))
_add("a chunked module id", "cbor.definite-strings", fields=_set(module_id=Encoded(b"\x7f\x61\x69\xff")))
_add("tag 18 twice", "cbor.tags", document=lambda d: b"\xd2\xd2" + d)
_add("tag 17", "cbor.tags", document=lambda d: b"\xd1" + d)
_add("the self-described tag", "cbor.tags", document=lambda d: b"\xd9\xd9\xf7" + d)
_add("tag 18 in the long form", "cbor.tags", document=lambda d: b"\xd8\x12" + d)
_add("tag 18 on the payload", "cbor.tags", payload=lambda p: b"\xd2" + p)
_add(
    "a bignum as timestamp", "cbor.tags", fields=_set(timestamp=Encoded(b"\xc2\x48" + nsm.milliseconds(AT).to_bytes(8)))
)
_add("a shared reference", "cbor.tags", fields=_set(nonce=Encoded(bytes.fromhex("d81c81d81d00"))))
_add("a float as timestamp", "cbor.types", fields=_set(timestamp=1.5e12))
_add("an undefined nonce", "cbor.types", fields=_set(nonce=Encoded(b"\xf7")))
_add("a simple value", "cbor.types", fields=_set(nonce=Encoded(b"\xf8\x20")))
_add("a module id that is not UTF-8", "cbor.types", fields=_set(module_id=Encoded(b"\x61\xff")))
_add("null as a key", "cbor.types", fields=lambda fields: [*fields, (None, 1)])
_add("an array as a key", "cbor.types", fields=lambda fields: [*fields, (Encoded(b"\x80"), 1)])
_add("a reserved head", "cbor.types", fields=_set(nonce=Encoded(b"\x1c")))
_add("a break in place of a value", "cbor.types", payload=lambda p: p[:-1] + b"\x61\x78\xff")
_add("a break outside", "cbor.types", document=lambda _: b"\xff")
_add("a document cut by one byte", "cbor.complete", document=lambda d: d[:-1])
_add("a document cut in its head", "cbor.complete", document=lambda d: d[:7])
_add("only the tag", "cbor.complete", document=lambda _: b"\xd2")
_add("a payload without its break", "cbor.complete", payload=lambda p: p[:-1])
_add("an empty protected header", "cbor.complete", protected=b"")
_add("a nonce that claims 2^63 bytes", "cbor.complete", fields=_set(nonce=Encoded(b"\x5b\x80" + bytes(7))))
_add("an array that claims 2^64-1 items", "cbor.complete", fields=_set(nonce=Encoded(b"\x9b" + b"\xff" * 8)))
_add(
    "a map that claims 2^32 pairs",
    "cbor.complete",
    fields=_set(pcrs=Encoded(b"\xbb" + bytes.fromhex("0000000100000000"))),
)
_add("nesting of twenty", "cbor.bounds", fields=_set(nonce=Encoded(b"\x81" * 20 + b"\x00")))
_add("nesting of ten thousand", "cbor.bounds", document=lambda _: b"\x9f" * 10000)
_add("three thousand items", "cbor.bounds", fields=_set(more=[0] * 3000))
_add("forty thousand bytes", "cbor.size", fields=_set(user_data=bytes(40000)))

# -- COSE
_add("algorithm ES256", "cose.algorithm", protected=bytes.fromhex("a10126"))
_add("algorithm ES512", "cose.algorithm", protected=bytes.fromhex("a1013823"))
_add("algorithm as text", "cose.algorithm", protected=bytes.fromhex("a101654553333834"))
_add("no algorithm", "cose.algorithm", protected=b"\xa0")
_add(
    "the algorithm only where nothing signs it",
    "cose.algorithm cose.unprotected-empty",
    protected=b"\xa0",
    unprotected=b"\xa1\x01\x38\x22",
)
_add("a key id in the signed header", "cose.protected-header", protected=bytes.fromhex("a20138220441aa"))
_add("a critical header", "cose.protected-header", protected=bytes.fromhex("a2013822028104"))
_add("an array as protected header", "cose.protected-header", protected=b"\x80")
_add("a key id in the unsigned header", "cose.unprotected-empty", unprotected=bytes.fromhex("a10441aa"))
_add("null as unsigned header", "cose.shape", unprotected=b"\xf6")
_add("an array of five", "cose.shape", document=lambda d: b"\x85" + d[1:] + b"\x00")
_add("an array of three", "cose.shape", document=lambda d: b"\x83" + d[1:-98])
_add("a map in place of the array", "cose.shape", document=lambda d: b"\xa2" + d[1:])
_add("an empty array", "cose.shape", document=lambda _: b"\x80")
_add("a signature that is text", "cose.shape", document=lambda d: d[:-98] + b"\x61x")
_add("an empty payload", "cose.payload-size", payload=lambda _: b"")
_add("a payload of 17000 bytes", "cose.payload-size", fields=_set(user_data=bytes(17000)))
_add("a signature in DER", "cose.signature-size", signature=_der_signature)
_add("a signature with a byte more", "cose.signature-size", signature=lambda s: s + b"\x00")
_add("an empty signature", "cose.signature-size", signature=lambda _: b"")
_add("a signature with a bit changed", "cose.signature", signature=flip)
_add("a signature of zeros", "cose.signature", signature=lambda _: bytes(96))
_add("a signature of ones", "cose.signature", signature=lambda _: b"\xff" * 96)
_add("r and s exchanged", "cose.signature", signature=lambda s: s[48:] + s[:48])
_add("a nonce changed after signing", "cose.signature", after_signing=lambda p: p.replace(NONCE, flip(NONCE)))
_add("PCR0 changed after signing", "cose.signature", after_signing=lambda p: p.replace(PCRS[0], flip(PCRS[0])))
_add(
    "the signature of another key",
    "cose.signature",
    signature=lambda _: nsm.signature(other_root(same_name=True).key, nsm.PROTECTED, b"x"),
)

# -- fields
_add("an empty module id", "document.module-id", fields=_set(module_id=""))
_add("a module id in bytes", "document.module-id", fields=_set(module_id=MODULE_ID.encode()))
_add("no module id", "document.module-id", fields=_set(module_id=...))
_add("digest SHA256", "document.digest", fields=_set(digest="SHA256"))
_add("digest sha384", "document.digest", fields=_set(digest="sha384"))
_add("no digest", "document.digest", fields=_set(digest=...))
_add("timestamp zero", "document.timestamp", fields=_set(timestamp=0))
_add("timestamp true", "document.timestamp", fields=_set(timestamp=True))
_add("a negative timestamp", "document.timestamp", fields=_set(timestamp=-1))
_add("timestamp 2^64-1", "document.timestamp", fields=_set(timestamp=2**64 - 1))
_add("a timestamp in text", "document.timestamp", fields=_set(timestamp="2026-11-20T10:00:00Z"))
_add("no timestamp", "document.timestamp", fields=_set(timestamp=...))
_add("a timestamp in seconds", "chain.document-time", fields=_set(timestamp=int(AT.timestamp())))
_add("null registers", "document.pcrs", fields=_set(pcrs=None))
_add("no register", "document.pcrs", fields=_set(pcrs=Encoded(b"\xa0")))
_add("registers as an array", "document.pcrs", fields=_set(pcrs=[bytes(48)] * 16))
_add("33 registers", "document.pcrs", fields=_set(pcrs={i: bytes(48) for i in range(33)}))
_add("register 32", "document.pcr-indexes", fields=_set(pcrs={**PCRS, 32: bytes(48)}))
_add("register -1", "document.pcr-indexes", fields=_set(pcrs={**PCRS, -1: bytes(48)}))
_add("register '0'", "document.pcr-indexes", fields=_set(pcrs=dict[object, bytes]([*PCRS.items(), ("0", bytes(48))])))
_add("a register of 32 bytes", "document.pcr-sizes", fields=_set(pcrs={**PCRS, 5: bytes(32)}))
_add("an empty register", "document.pcr-sizes", fields=_set(pcrs={**PCRS, 5: b""}))
_add("a register in text", "document.pcr-sizes", fields=_set(pcrs={**PCRS, 5: "0" * 48}))
_add("both kinds of registers", "document.kind", fields=_set(nitrotpm_pcrs=PCRS))
_add("neither kind of registers", "document.kind", fields=_set(pcrs=...))
_add("a TPM's module id", "document.kind", fields=_set(module_id=f"{INSTANCE}-tpm0000000000000000"))
_add("a TPM's registers", "document.kind", fields=_set(pcrs=..., nitrotpm_pcrs=PCRS))
_add("an empty certificate", "document.certificate", fields=_set(certificate=b""))
_add("a certificate of 1025 bytes", "document.certificate", fields=_set(certificate=bytes(1025)))
_add("no certificate", "document.certificate", fields=_set(certificate=...))
_add("an empty bundle", "document.cabundle", fields=_set(cabundle=[]))
_add("a null bundle", "document.cabundle", fields=_set(cabundle=None))
_add("text in the bundle", "document.cabundle", fields=_bundle(lambda bundle: [*bundle, "x"]))
_add("nothing in the bundle", "document.cabundle", fields=_bundle(lambda bundle: [*bundle, b""]))
_add("1025 bytes in the bundle", "document.cabundle", fields=_bundle(lambda bundle: [*bundle, bytes(1025)]))
_add("eleven in the bundle", "document.cabundle", fields=_bundle(lambda bundle: [*bundle, *bundle, *bundle][:11]))
_add("a nonce in text", "document.nonce", fields=_set(nonce="6e6f6e6365"))
_add("user data in an array", "document.user-data", fields=_set(user_data=[1, 2]))
_add("a number as public key", "document.public-key", fields=_set(public_key=5))
_add("an array as payload", "document.map", payload=lambda _: b"\x80")
_add("numbers as payload keys", "document.map", fields=lambda fields: [*fields, (1, b"x")])

# -- chain
_add("another root of the same name", "chain.root-pinned", chain=lambda _: other_chain(same_name=True))
_add("another root of another name", "chain.root-pinned", chain=lambda _: other_chain(same_name=False))
_add(
    "the accepted root, then a chain under another of the same name",
    "chain.signatures",
    chain=lambda _: (root(), *other_chain(same_name=True)[1:]),
)
_add(
    "the accepted root, then a chain under another of another name",
    "chain.names chain.signatures",
    chain=lambda _: (root(), *other_chain(same_name=False)[1:]),
)
_add(
    "the accepted root, then another root with its chain",
    "chain.names chain.signatures",
    chain=lambda _: (root(), *other_chain(same_name=False)),
)
_add(
    "two authorities exchanged",
    "chain.names chain.signatures chain.path-length",
    chain=lambda chain: (chain[ROOT], chain[ZONAL], chain[REGIONAL], *chain[INSTANCE_CA:]),
)
_add(
    "the bundle backwards",
    "chain.root-pinned chain.names chain.signatures chain.path-length",
    fields=_bundle(lambda bundle: bundle[::-1]),
)
_add("a link left out", "chain.names chain.signatures", fields=_bundle(lambda bundle: [bundle[0], *bundle[2:]]))
_add("only the root in the bundle", "chain.names chain.signatures", fields=_bundle(lambda bundle: bundle[:1]))
_add(
    "no root in the bundle",
    "chain.root-pinned",
    fields=_bundle(lambda bundle: bundle[1:]),
)
_add(
    "a leaf whose period was over",
    "chain.document-time chain.unexpired",
    profiles=_profile(LEAF, not_after=AT - timedelta(seconds=1)),
)
_add(
    "a leaf whose period had not begun",
    "chain.document-time chain.begun",
    profiles=_profile(LEAF, not_before=AT + timedelta(seconds=1)),
)
_add(
    "a zonal authority whose period was over",
    "chain.document-time chain.unexpired",
    profiles=_profile(ZONAL, not_after=AT - timedelta(seconds=1)),
)
_add("a leaf that is an authority", "chain.leaf", profiles=_profile(LEAF, ca=True))
_add(
    "a leaf that may sign certificates",
    "chain.leaf-key-usage",
    profiles=_profile(LEAF, key_usage=frozenset({"digital_signature", "key_cert_sign"})),
)
_add(
    "a leaf that may sign revocation lists",
    "chain.leaf-key-usage",
    profiles=_profile(LEAF, key_usage=frozenset({"digital_signature", "crl_sign"})),
)
_add(
    "a leaf that may not sign",
    "chain.leaf-key-usage",
    profiles=_profile(LEAF, key_usage=frozenset({"content_commitment"})),
)
_add("a leaf without key usage", "chain.leaf-key-usage", profiles=_profile(LEAF, key_usage=frozenset()))
_add("an authority that is none", "chain.ca", profiles=_profile(INSTANCE_CA, ca=False))
_add("an authority without basic constraints", "chain.ca", profiles=_profile(ZONAL, ca=None))
_add(
    "an authority that may not sign certificates",
    "chain.ca-key-usage",
    profiles=_profile(ZONAL, key_usage=frozenset({"digital_signature", "crl_sign"})),
)
_add("an authority without key usage", "chain.ca-key-usage", profiles=_profile(REGIONAL, key_usage=frozenset()))
_add("a zonal authority with path length 0", "chain.path-length", profiles=_profile(ZONAL, path_length=0))
_add("a regional authority with path length 1", "chain.path-length", profiles=_profile(REGIONAL, path_length=1))
_add("a P-256 authority", "chain.keys", profiles=_profile(ZONAL, curve=ec.SECP256R1()))
_add("a P-256 leaf", "chain.keys", profiles=_profile(LEAF, curve=ec.SECP256R1()))
_add("a secp256k1 authority", "chain.keys", profiles=_profile(INSTANCE_CA, curve=ec.SECP256K1()))
_add("a link with SHA-256", "chain.algorithms", profiles=_profile(INSTANCE_CA, hash_=hashes.SHA256()))
_add("a link with SHA-512", "chain.algorithms", profiles=_profile(LEAF, hash_=hashes.SHA512()))
_add(
    "another algorithm inside the signed part",
    "chain.algorithms",
    fields=_edited_leaf("300a06082a8648ce3d040303", "300a06082a8648ce3d040302"),
)
_add(
    "an unknown critical extension",
    "chain.critical-extensions",
    profiles=_profile(
        LEAF, extra=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"), True),)
    ),
)
_add(
    "critical name constraints",
    "chain.critical-extensions",
    profiles=_profile(ZONAL, extra=((x509.NameConstraints([x509.DNSName("aws")], None), True),)),
)
_add(
    "an extension twice",
    "chain.extensions",
    fields=_edited_leaf("0603551d13", "0603551d0f"),
)
_add("another issuer's name", "chain.names", profiles=_profile(LEAF, issuer=pki.name(CN="x", order=("CN",))))
_add("a certificate's signature with a bit changed", "chain.signatures", fields=_certificate(lambda der: flip(der, -2)))
_add("a byte after a certificate", "chain.der", fields=_certificate(lambda der: der + b"\x00"))
_add("a certificate cut by one byte", "chain.der", fields=_certificate(lambda der: der[:-1]))
_add("a certificate of zeros", "chain.der", fields=_certificate(lambda der: bytes(len(der))))
_add("a byte after an authority", "chain.der", fields=_bundle(lambda bundle: [*bundle[:-1], bundle[-1] + b"\x00"]))
_add("a negative serial number", "chain.der", fields=_edited_leaf("0210019aa0b0", "0210819aa0b0"))
_add("a version 1 leaf", "chain.der", fields=_edited_leaf("a003020102", "a003020100"))
