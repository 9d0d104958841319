"""Certificate revocation lists that somebody supplies (RFC 5280, 5 and 6.3).

AWS's text says that revocation must not be checked, and AWS's chains name lists for two of their four links only; so
nothing is fetched, and without a list the report says that nothing was checked. A list that is given counts as far as
it goes: a certificate on it is refused; that a certificate is *not* on it says something only when the list was in
force at the instant asked, and only about the certificates of its own issuer.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.checks import Check
from nitroctl.errors import CannotAnswer
from nitroctl.evidence import certificate, rules
from nitroctl.evidence.certificate import Certificate
from nitroctl.evidence.chain import instant, role
from nitroctl.evidence.der import content as der_content
from nitroctl.evidence.remembered import remembered

#: The most that is read of a list: room for about 100,000 revoked certificates.
MAX_BYTES: Final = 4 * 1024 * 1024
_PEM: Final = b"-----BEGIN X509 CRL-----"
_VERSION_2: Final = bytes.fromhex("020101")
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
    """What a list says. ``fault``: why it can be used for nothing, or None. ``serials``: the revoked ones.

    ``addresses``: the distribution points it is limited to, empty when it is not. ``only``: ``leaf`` or ``ca`` when it
    lists such certificates alone.
    """

    der: bytes
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    serials: frozenset[int]
    fault: str | None
    addresses: frozenset[str]
    only: str | None


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
    unused: list[tuple[int, str]] = []
    for subject in range(1, len(links)):
        issuer = links[subject - 1]
        for number, found in enumerate(given, 1):
            if found.issuer != issuer.subject:
                continue
            reason = found.fault or _not_by(issuer, found) or _out_of_scope(found, links, subject)
            if reason is None and links[subject].serial in found.serials:
                return _revoked(links, subject, found)
            reason = reason or _out_of_force(found, at)
            if reason is None:
                covered[subject] = f"the {role(subject, len(links))} is not on its issuer's list of {_made(found)}"
            else:
                called = f"list {number} of {len(given)}, by the {role(subject - 1, len(links))},"
                unused.append((subject, f"{called} {reason}: not used"))
    return _summary(links, covered, [reason for subject, reason in unused if subject not in covered])


def _summary(links: Sequence[Certificate], covered: dict[int, str], unused: list[str]) -> Check:
    rest = [f"the {role(number, len(links))}" for number in range(1, len(links)) if number not in covered]
    left = [f"nothing is known of {_and(rest)}"] if rest else []
    rule = rules.CHAIN_REVOCATION
    if unused:
        return rule.warned(
            "; ".join([*covered.values(), *unused, *left]),
            remedy="get the issuer's list that was in force at the instant asked",
        )
    if not covered:
        return rule.unknown("no list that was given is by an issuer of this chain")
    return rule.passed("; ".join([*covered.values(), *left]))


def _revoked(links: Sequence[Certificate], number: int, found: RevocationList) -> Check:
    entry = x509.load_der_x509_crl(found.der).get_revoked_certificate_by_serial_number(links[number].serial)
    since = f" since {instant(entry.revocation_date_utc)}" if entry else ""
    return rules.CHAIN_REVOCATION.failed(
        f"the {role(number, len(links))} (certificate {number + 1} of {len(links)}) is revoked{since}, "
        f"says its issuer's list of {_made(found)}",
        actual=f"serial number {links[number].serial:x}",
        remedy="take nothing that was signed under it as authentic; the list does not say what was signed before",
    )


def _not_by(issuer: Certificate, found: RevocationList) -> str | None:
    """Say why the certificate of that name is not the list's issuer, or None."""
    if "cRLSign" not in (issuer.usages or ()):
        return "who may not sign lists: keyUsage lacks cRLSign"
    return None if _signed_by(issuer.der, found.der) else "is not signed with that certificate's key"


@remembered(_REMEMBERED)
def _signed_by(issuer_der: bytes, der: bytes) -> bool:
    """Whether the certificate's key signed the list; remembered by both exact bytes."""
    found = x509.load_der_x509_crl(der)
    return certificate.key_signed(issuer_der, found.signature, found.tbs_certlist_bytes)


def _made(found: RevocationList) -> str:
    return instant(found.this_update)


def _out_of_scope(found: RevocationList, links: Sequence[Certificate], subject: int) -> str | None:
    """Say why the list does not speak of that certificate, or None (RFC 5280, 6.3.3 (b)(2))."""
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
    fault = _form_fault(found)
    addresses: frozenset[str] = frozenset()
    only = None
    for extension in found.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            fault = fault or _scope_fault(value)
            only = "leaf" if value.only_contains_user_certs else "ca" if value.only_contains_ca_certs else None
            addresses = frozenset(str(name.value) for name in value.full_name or ())
        elif extension.critical:
            fault = fault or f"has the critical extension {extension.oid.dotted_string}, which we do not process"
    return RevocationList(
        der=der,
        issuer=found.issuer.public_bytes(),
        this_update=found.last_update_utc,
        next_update=found.next_update_utc,
        serials=frozenset(entry.serial_number for entry in found),
        fault=fault,
        addresses=addresses,
        only=only,
    )


def _form_fault(found: x509.CertificateRevocationList) -> str | None:
    """Judge version and algorithm by their exact bytes; the library refuses another algorithm outside."""
    signed = found.tbs_certlist_bytes
    inside = signed[der_content(signed, 0) :]
    if not inside.startswith(_VERSION_2):
        return "is not a list of version 2"
    if not inside.startswith(_VERSION_2 + certificate.ECDSA_SHA384):
        return "is not signed with ecdsa-with-SHA384"
    return None


def _scope_fault(point: x509.IssuingDistributionPoint) -> str | None:
    if point.indirect_crl:
        return "lists certificates of other issuers"
    if point.only_some_reasons:
        return "lists certificates revoked for some reasons only"
    if point.only_contains_attribute_certs:
        return "lists attribute certificates"
    return "names its distribution point in a relative way" if point.relative_name else None
