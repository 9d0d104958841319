"""A document made step by step under a test root, and the one step of it that a case of the lab changes.

Everything but the keys is fixed: they are new in every process, so nothing made here can be taken for anything else.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from nitroctl import pcr
from nitroctl.evidence.roots import Root
from nitroctl.standin import nsm, pki
from nitroctl.standin.nsm import Fields
from nitroctl.standin.pki import Identity, Profile

#: When every document here is made, and the instant at which it is judged unless a case says otherwise.
AT: Final = datetime(2026, 11, 20, 10, 0, 0, 250000, tzinfo=UTC)
INSTANCE: Final = "i-0123456789abcdef0"
MODULE_ID: Final = f"{INSTANCE}-enc019aa0b0c0d0e0f0"
REGION: Final = "eu-west-1"
NONCE: Final = bytes(range(20))
PCRS: Final[Mapping[int, bytes]] = {0: b"\x10" * 48, 1: b"\x11" * 48, 2: b"\x12" * 48, 4: pcr.for_instance(INSTANCE)}
#: Places in a chain.
ROOT, REGIONAL, ZONAL, INSTANCE_CA, LEAF = range(5)
_ECDSA_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
_VERSION_3: Final = bytes.fromhex("a003020102")

Profiles = list[Profile]
Chain = tuple[Identity, ...]
Signer = Callable[[ec.EllipticCurvePrivateKey, bytes, bytes], bytes]


@functools.cache
def root() -> Identity:
    """Return the one accepted root, the same for the whole process."""
    return pki.issue(pki.root_profile(at=AT - timedelta(days=30)), None)


def accepted() -> tuple[Root, ...]:
    """Return the roots that are accepted when these documents are judged: :func:`root` alone."""
    certificate = root().certificate
    return (Root(certificate.subject.rfc4514_string(), certificate.fingerprint(hashes.SHA256()).hex()),)


def profiles() -> Profiles:
    """Return the profiles of a good chain, root first."""
    return [
        pki.root_profile(at=AT - timedelta(days=30)),
        pki.regional_profile(REGION, at=AT),
        pki.zonal_profile(REGION, at=AT),
        pki.instance_profile(INSTANCE, REGION, at=AT),
        pki.leaf_profile(MODULE_ID, REGION, at=AT),
    ]


def issue_chain(wanted: Profiles, first: Identity | None = None) -> Chain:
    """Return the chain of ``wanted`` under ``first``, the accepted root by default."""
    chain = [first or root()]
    for profile in wanted[1:]:
        chain.append(pki.issue(profile, chain[-1]))
    return tuple(chain)


@functools.cache
def good_chain() -> Chain:
    """Return a chain without fault, the same for the whole process."""
    return issue_chain(profiles())


@functools.cache
def other_root(*, same_name: bool) -> Identity:
    """Return a root that is not accepted, with the accepted one's name or another."""
    profile = pki.root_profile(at=AT - timedelta(days=30))
    if not same_name:
        profile = replace(profile, subject=pki.name(CN="evil.nitro-enclaves", order=("C", "O", "OU", "CN")))
    return pki.issue(profile, None)


@functools.cache
def other_chain(*, same_name: bool) -> Chain:
    """Return a chain under :func:`other_root`, without fault but for its root."""
    return issue_chain(profiles(), other_root(same_name=same_name))


def _same_fields(fields: Fields) -> Fields:
    return fields


def _same(content: bytes) -> bytes:
    return content


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One override for each step at which a document can be made otherwise, in the order of the steps.

    ``profiles``: of the certificates before they are issued. ``chain``: the certificates and keys. ``fields``: names
    and values of the payload. ``payload``: its CBOR before signing. ``protected``, ``unprotected``: the headers.
    ``sign``: how the signature is made. ``signature``: its bytes. ``after_signing``: the payload once it is signed.
    ``document``: the bytes at the very end.
    """

    profiles: Callable[[Profiles], Profiles] | None = None
    chain: Callable[[Chain], Chain] | None = None
    fields: Callable[[Fields], Fields] = _same_fields
    payload: Callable[[bytes], bytes] = _same
    protected: bytes = nsm.PROTECTED
    unprotected: bytes = b"\xa0"
    sign: Signer = nsm.signature
    signature: Callable[[bytes], bytes] = _same
    after_signing: Callable[[bytes], bytes] = _same
    document: Callable[[bytes], bytes] = _same


GOOD: Final = Change()


def make(change: Change = GOOD) -> bytes:
    """Return the CBOR of a document with one change; of a good one without."""
    chain = issue_chain(change.profiles(profiles())) if change.profiles else good_chain()
    if change.chain:
        chain = change.chain(chain)
    fields = nsm.fields(chain, module_id=MODULE_ID, pcrs=PCRS, at=AT, nonce=NONCE, user_data=b"hello", public_key=None)
    content = change.payload(nsm.payload(change.fields(fields)))
    signature = change.sign(chain[-1].key, change.protected, content)
    parts = change.protected, change.unprotected, change.after_signing(content), change.signature(signature)
    return change.document(nsm.envelope(*parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One document of the lab and what a verifier must say of it.

    ``name``: lower-case words joined by hyphens, unique. ``description``: one sentence. ``fails``: every check that
    must fail, and no other may; empty for a document that must be accepted. ``warns``: every check that must warn
    beside the null fields that all documents share. ``at``: the instant of judging. ``strict``: judged by AWS's
    published text to the letter, not by what AWS really signs.
    """

    name: str
    description: str
    fails: frozenset[str] = frozenset()
    warns: frozenset[str] = frozenset()
    change: Change = field(default=GOOD, repr=False)
    at: datetime = AT
    strict: bool = False

    @property
    def accepted(self) -> bool:
        """Whether a verifier must accept it."""
        return not self.fails

    @property
    def profile(self) -> str:
        """``strict`` or ``lenient``: which reading of the published text it is for."""
        return "strict" if self.strict else "lenient"

    def build(self) -> bytes:
        """Return the document's CBOR."""
        return make(self.change)


def case(  # noqa: PLR0913  (the columns of the table)
    name: str,
    description: str,
    fails: str = "",
    change: Change = GOOD,
    *,
    warns: str = "",
    at: datetime = AT,
    strict: bool = False,
) -> Case:
    """Return a row of the lab's table; ``fails`` and ``warns`` are check ids separated by blanks."""
    return Case(
        name=name,
        description=description,
        fails=frozenset(fails.split()),
        warns=frozenset(warns.split()),
        change=change,
        at=at,
        strict=strict,
    )


def put(**values: object) -> Callable[[Fields], Fields]:
    """Replace the values of fields, keeping their order; ``...`` leaves the field out; a new name is appended."""

    def change(fields: Fields) -> Fields:
        kept = [(name, values.get(name, value)) for name, value in fields]
        new = [(name, value) for name, value in values.items() if name not in dict(fields)]
        return [(name, value) for name, value in [*kept, *new] if value is not ...]

    return change


def also(name: object, value: object) -> Callable[[Fields], Fields]:
    """Append an entry to the payload's map, whatever its key is."""
    return lambda fields: [*fields, (cast("str", name), value)]


def rename(old: str, new: str) -> Callable[[Fields], Fields]:
    """Give a field another name."""
    return lambda fields: [(new if name == old else name, value) for name, value in fields]


def bundle(change: Callable[[list[bytes]], Sequence[object]]) -> Callable[[Fields], Fields]:
    """Change the list of the authorities' certificates."""
    return lambda fields: put(cabundle=list(change(cast("list[bytes]", dict(fields)["cabundle"]))))(fields)


def certificate(change: Callable[[bytes], object]) -> Callable[[Fields], Fields]:
    """Change the bytes of the leaf."""
    return lambda fields: put(certificate=change(cast("bytes", dict(fields)["certificate"])))(fields)


def profile(number: int, **values: object) -> Change:
    """Change the profile of the certificate at one place of the chain."""

    def change(wanted: Profiles) -> Profiles:
        return [replace(found, **values) if i == number else found for i, found in enumerate(wanted)]  # type: ignore[arg-type]  # the caller's names are the profile's

    return Change(profiles=change)


def flip(content: bytes, position: int = -1, bit: int = 0) -> bytes:
    """Return ``content`` with one bit changed."""
    edited = bytearray(content)
    edited[position] ^= 1 << bit
    return bytes(edited)


def rewritten(number: int, edit: Callable[[bytes], bytes]) -> Callable[[Fields], Fields]:
    """Change the signed part of one certificate in any way; the certificate before it signs it anew.

    So come about certificates that no builder would make.
    """

    def change(fields: Fields) -> Fields:
        chain = good_chain()
        der = signed_certificate(edit(chain[number].certificate.tbs_certificate_bytes), chain[number - 1].key)
        if number == LEAF:
            return put(certificate=der)(fields)
        return bundle(lambda ders: [*ders[:number], der, *ders[number + 1 :]])(fields)

    return change


def edited(number: int, old: str, new: str) -> Callable[[Fields], Fields]:
    """Replace, in the signed part of one certificate, the hexadecimal ``old``, which occurs once, by ``new``.

    Both are of one length.
    """

    def edit(signed: bytes) -> bytes:
        before, mark, after = signed.partition(bytes.fromhex(old))
        if not mark or bytes.fromhex(old) in after or len(old) != len(new):
            raise ValueError(old)
        return before + bytes.fromhex(new) + after

    return rewritten(number, edit)


def serial(number: int, octets: bytes) -> Callable[[Fields], Fields]:
    """Give one certificate the serial number that DER writes as ``octets``."""

    def edit(signed: bytes) -> bytes:
        body = signed[4:]  # after a head of four bytes: version, serial number, the rest
        start = len(_VERSION_3)
        return tlv(0x30, body[:start] + tlv(0x02, octets) + body[start + 2 + body[start + 1] :])

    return rewritten(number, edit)


def signed_certificate(signed: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the certificate whose signed part is ``signed``, under ``key``."""
    signature = key.sign(signed, ec.ECDSA(hashes.SHA384()))
    return tlv(0x30, signed + _ECDSA_SHA384 + tlv(0x03, b"\x00" + signature))


def tlv(tag: int, content: bytes) -> bytes:
    """Return an ASN.1 item in DER: tag, length, content."""
    size = len(content)
    head = bytes([size]) if size < 0x80 else b"\x81" + bytes([size]) if size < 0x100 else b"\x82" + size.to_bytes(2)  # noqa: PLR2004  (X.690, 8.1.3)
    return bytes([tag]) + head + content


def extension(oid: str) -> x509.UnrecognizedExtension:
    """Return an extension nobody knows."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\x05\x00")
