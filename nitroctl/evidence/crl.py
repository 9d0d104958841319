"""Certificate revocation lists that somebody supplies (RFC 5280, 5 and 6.3).

AWS's text says that revocation must not be checked, and AWS's chains name lists for two of their four links only; so
nothing is fetched, and without a list the report says that nothing was checked. A list that is given counts as far as
it goes: a certificate that its own issuer's list names is refused, whatever the list is limited to and whenever it was
made; that a certificate is *not* on it says something only when the list was in force at the instant asked, and only
about the certificates that it speaks of. What a list names that its issuer is not known to have signed is told, as a
warning.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl import safefile
from nitroctl.checks import Check
from nitroctl.errors import CannotAnswer
from nitroctl.evidence import certificate, rules
from nitroctl.evidence.certificate import Certificate
from nitroctl.evidence.chain import instant, role
from nitroctl.evidence.der import content as der_content
from nitroctl.evidence.remembered import remembered

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

#: The most that is read of a list: room for about 100,000 revoked certificates.
MAX_BYTES: Final = 4 * 1024 * 1024
#: The most that is held of all lists together.
MAX_TOTAL: Final = 16 * 1024 * 1024
_PEM: Final = b"-----BEGIN X509 CRL-----"
_VERSION_2: Final = bytes.fromhex("020101")
#: AlgorithmIdentifiers of ecdsa-with-SHA256, -SHA384 and -SHA512, without parameters (RFC 5758, 3.2).
_ECDSA: Final = tuple(bytes.fromhex("300a06082a8648ce3d0403") + bytes([number]) for number in (2, 3, 4))
#: More lists than there are regions.
_REMEMBERED: Final = 256
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    Warning,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True, eq=False)
class RevocationList:
    """What a list says, but for the certificates on it, which may be many.

    ``fault``: why nothing on it is known to be revoked by its issuer, or None. ``limit``: why nothing follows from not
    being on it, or None. ``addresses``: the distribution points it is limited to, empty when it is not. ``only``:
    ``leaf`` or ``ca`` when it lists such certificates alone. ``mixed``: whether an entry may say something else than
    that the issuer revoked a certificate of its own.
    """

    der: bytes
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    fault: str | None
    limit: str | None
    addresses: frozenset[str]
    only: str | None
    mixed: bool


def load_all(paths: Sequence[str]) -> tuple[bytes, ...]:
    """Return the lists in the files ``paths``, one in each, as DER. Raises CannotAnswer ``file.*`` or ``evidence.crl``.

    In bytes they have at most ``MAX_TOTAL`` together.
    """
    lists: list[bytes] = []
    size = 0
    for path in paths:
        lists.append(load(safefile.read_bytes(path, limit=MAX_BYTES), where=path))
        size += len(lists[-1])
        if size > MAX_TOTAL:
            raise CannotAnswer(
                f"{path}: with this one the revocation lists are larger than {MAX_TOTAL} bytes, the most that is read",
                "evidence.crl",
                ["give only the lists of issuers in the chain"],
            )
    return tuple(lists)


def load(raw: bytes, *, where: str) -> bytes:
    """Return the one list in ``raw``, PEM or DER, as DER. Raises CannotAnswer ``evidence.crl``."""
    if raw.count(_PEM) > 1:
        raise CannotAnswer(f"{where}: more than one revocation list in it", "evidence.crl", ["one file for each list"])
    der = raw
    if _PEM in raw:
        try:
            der = x509.load_pem_x509_crl(raw).public_bytes(Encoding.DER)
        except ValueError as error:
            raise CannotAnswer(f"{where}: the PEM of the revocation list is damaged", "evidence.crl") from error
    try:
        read(der)
    except CannotAnswer as error:
        raise CannotAnswer(f"{where}: {error.message}", error.code, error.hints) from error
    return der


@remembered(_REMEMBERED)
def read(der: bytes) -> RevocationList:
    """Return what the list ``der`` says; remembered by its exact bytes. Raises CannotAnswer ``evidence.crl``."""
    if len(der) > MAX_BYTES:
        raise CannotAnswer(f"a revocation list of {len(der)} bytes; at most {MAX_BYTES} are read", "evidence.crl")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = x509.load_der_x509_crl(der)
            return _read(der, found)
        except _UNREADABLE as error:
            raise CannotAnswer(
                f"not a certificate revocation list: {certificate.reason(error)}",
                "evidence.crl",
                ["pass a list as its issuer publishes it, in DER or PEM"],
            ) from error


def check(links: Sequence[Certificate], lists: Sequence[bytes], at: datetime) -> Check:
    """Return ``chain.revocation``: what the given lists (DER) say about each link at ``at``.

    ``links``: the chain, root first. The root is pinned, not certified, and so on no list. ``lists``: at least one.
    """
    given = [read(der) for der in lists]
    covered: dict[int, str] = {}
    unproven: dict[str, str] = {}
    unused: list[tuple[int, str]] = []
    for subject in range(1, len(links)):
        issuer = links[subject - 1]
        for number, found in enumerate(given, 1):
            if found.issuer != issuer.subject:
                continue
            since = _listed(found.der, links[subject].serial)
            fault = found.fault or _not_by(issuer, found)
            if since and not fault:
                return _revoked(links, subject, found, since)
            reason = fault or _limit(found, links, subject) or _out_of_force(found, at)
            called = f"list {number} of {len(given)}, by the {role(subject - 1, len(links))},"
            if since:
                listed = f"{called} names the serial number of the {role(subject, len(links))} as revoked"
                unproven[f"{listed}, but {reason}: not used"] = f"{links[subject].serial:x}"
            elif reason:
                unused.append((subject, f"{called} {reason}: not used"))
            else:
                covered[subject] = f"the {role(subject, len(links))} is not on its issuer's list of {_made(found)}"
    return _summary(links, covered, unproven, [reason for subject, reason in unused if subject not in covered])


def _summary(
    links: Sequence[Certificate], covered: dict[int, str], unproven: dict[str, str], unused: list[str]
) -> Check:
    """Return what the lists come to. ``unproven``: what was listed and does not count, with the serial number."""
    rest = [f"the {role(number, len(links))}" for number in range(1, len(links)) if number not in covered]
    left = [f"nothing is known of {_and(rest)}"] if rest else []
    rule = rules.CHAIN_REVOCATION
    detail = "; ".join([*unproven, *covered.values(), *unused, *left])
    if unproven:
        return rule.warned(
            detail,
            actual=f"serial number {_and(list(dict.fromkeys(unproven.values())))}",
            remedy="ask the issuer whether it is revoked, before you rely on it",
        )
    if unused:
        return rule.warned(detail, remedy="get the issuer's list that was in force at the instant asked")
    if not covered:
        return rule.unknown("no list that was given is by an issuer of this chain")
    return rule.passed(detail)


def _revoked(links: Sequence[Certificate], number: int, found: RevocationList, since: datetime) -> Check:
    limit = _limit(found, links, number)
    return rules.CHAIN_REVOCATION.failed(
        f"the {role(number, len(links))} (certificate {number + 1} of {len(links)}) is revoked since {instant(since)}, "
        f"says its issuer's list of {_made(found)}" + (f", which {limit}" if limit else ""),
        actual=f"serial number {links[number].serial:x}",
        remedy="take nothing that was signed under it as authentic; the list does not say what was signed before",
    )


@remembered(_REMEMBERED)
def _listed(der: bytes, serial: int) -> datetime | None:
    """Return since when that certificate of the list's own issuer is revoked by the list; None when it is not.

    The list is searched anew for every number: a set of them would take several times the room of the list.
    """
    found = x509.load_der_x509_crl(der)
    if read(der).mixed:
        entry = next((own for own in _own(found) if own.serial_number == serial), None)
    else:
        entry = found.get_revoked_certificate_by_serial_number(serial)
    return entry.revocation_date_utc if entry else None


def _own(found: x509.CertificateRevocationList) -> Iterator[x509.RevokedCertificate]:
    """Yield the entries that revoke a certificate of the list's own issuer (RFC 5280, 5.3.1 and 5.3.3)."""
    own = True
    for entry in found:
        values = [extension.value for extension in entry.extensions]
        for value in values:
            if isinstance(value, x509.CertificateIssuer):  # holds for the entries after this one too
                own = x509.DirectoryName(found.issuer) in list(value)
        if own and x509.CRLReason(x509.ReasonFlags.remove_from_crl) not in values:
            yield entry


def _not_by(issuer: Certificate, found: RevocationList) -> str | None:
    """Say why the certificate of that name is not the list's issuer, or None."""
    if "cRLSign" not in (issuer.usages or ()):
        return "is not for that authority to sign: keyUsage lacks cRLSign"
    signed = issuer.verifier is not None and _signed_by(issuer.der, found.der)
    return None if signed else "is not signed with that certificate's key"


@remembered(_REMEMBERED)
def _signed_by(issuer_der: bytes, der: bytes) -> bool:
    """Whether the P-384 key of the certificate signed the list, with any hash; remembered by both exact bytes."""
    key = cast("ec.EllipticCurvePublicKey", x509.load_der_x509_certificate(issuer_der).public_key())
    return x509.load_der_x509_crl(der).is_signature_valid(key)


def _made(found: RevocationList) -> str:
    return instant(found.this_update)


def _limit(found: RevocationList, links: Sequence[Certificate], subject: int) -> str | None:
    """Say why the list may be silent about that certificate though it is revoked, or None (RFC 5280, 6.3.3 (b)(2))."""
    if found.limit:
        return found.limit
    link = links[subject]
    if found.only and (found.only == "ca") != bool(link.ca):
        return f"lists {'authorities' if found.only == 'ca' else 'certificates that are no authorities'} only"
    if found.addresses and found.addresses.isdisjoint(link.crl_addresses):
        return f"is for another distribution point than the {role(subject, len(links))} names"
    return None


def _out_of_force(found: RevocationList, at: datetime) -> str | None:
    if at < found.this_update:
        return f"was made at {_made(found)}, after {instant(at)}"
    if found.next_update is None:
        return "does not say until when it holds"
    if at > found.next_update:
        return f"was to be replaced by {instant(found.next_update)}, before {instant(at)}"
    return None


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _read(der: bytes, found: x509.CertificateRevocationList) -> RevocationList:
    fault, limit = _form(found)
    addresses: frozenset[str] = frozenset()
    only = None
    mixed = False
    for extension in found.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.only_contains_attribute_certs:
                fault = fault or "lists attribute certificates"
            limit = limit or _scope(value)
            mixed = mixed or value.indirect_crl
            only = "leaf" if value.only_contains_user_certs else "ca" if value.only_contains_ca_certs else None
            addresses = frozenset(str(name.value) for name in value.full_name or ())
        elif isinstance(value, x509.DeltaCRLIndicator):
            limit = limit or "says only what has changed since another list"
            mixed = True
        elif extension.critical:
            limit = limit or f"has the critical extension {extension.oid.dotted_string}, which we do not process"
    if mixed:
        for _ in _own(found):  # so that every entry can be read
            pass
    return RevocationList(
        der=der,
        issuer=found.issuer.public_bytes(),
        this_update=found.last_update_utc,
        next_update=found.next_update_utc,
        fault=fault,
        limit=limit,
        addresses=addresses,
        only=only,
        mixed=mixed,
    )


def _form(found: x509.CertificateRevocationList) -> tuple[str | None, str | None]:
    """Judge algorithm and version, in this order, by their exact bytes; the library refuses another one outside."""
    signed = found.tbs_certlist_bytes
    start = der_content(signed, 0)
    second = signed.startswith(_VERSION_2, start)
    limit = None if second else "is not a list of version 2"
    if signed.startswith(_ECDSA, start + second * len(_VERSION_2)):
        return None, limit
    return "is not signed with ECDSA and SHA-256, SHA-384 or SHA-512", limit


def _scope(point: x509.IssuingDistributionPoint) -> str | None:
    if point.indirect_crl:
        return "may list certificates of other issuers"
    if point.only_some_reasons:
        return "lists certificates revoked for some reasons only"
    return "names its distribution point in a relative way" if point.relative_name else None
