"""The certificate chain, walked link by link in the order in which the document gives it.

Root first, the certificate that signs the document last; nothing is searched for, reordered or left out. Each property
is its own check over all links, and its detail names the link. What depends on the bytes alone is judged once for the
same bytes; periods are judged at the instant asked, every link, every time.
Revocation is not asked here: :mod:`nitroctl.evidence.crl`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nitroctl.checks import Check, Outcome
from nitroctl.evidence import certificate, roots, rules
from nitroctl.evidence.certificate import Certificate, CertificateFault
from nitroctl.evidence.document import Document
from nitroctl.evidence.remembered import remembered
from nitroctl.evidence.roots import Root

_AWS_NAMES: Final = ("aws.nitro-enclaves", "aws-us-gov.nitro-enclaves")
#: Few, because little is saved beside what :mod:`nitroctl.evidence.certificate` remembers.
_REMEMBERED: Final = 128
_ROLES: Final = ("root", "regional CA", "zonal CA", "instance CA", "leaf")


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificates that could be read (all, or none) and the accepted root the bundle begins with, if any."""

    certificates: tuple[Certificate, ...] = ()
    root: Root | None = None


def walk(document: Document, accepted: tuple[Root, ...], at: datetime) -> tuple[list[Check], Chain]:
    """Hold the document's chain against every rule at the instant ``at`` (aware)."""
    timeless, chain = _walk(document.chain, accepted)
    links = chain.certificates
    if not links:
        return list(timeless), chain
    return [*timeless, _contains(links, document.time), _begun(links, at), _unexpired(links, at)], chain


@remembered(_REMEMBERED)
def _walk(ders: tuple[bytes, ...], accepted: tuple[Root, ...]) -> tuple[tuple[Check, ...], Chain]:
    """Judge what depends on these exact bytes and on nothing else."""
    root = roots.find(ders[0], accepted)
    der, links = _load(ders)
    if links is None:
        later = rules.all_blocked(rules.CHAIN_RULES[2:], der.id)
        return (der, _pinned(ders[0], None, root, accepted), *later), Chain((), root)
    extensions = _each(rules.CHAIN_EXTENSIONS, links, lambda link: link.extension_fault)
    algorithms = _each(rules.CHAIN_ALGORITHMS, links, lambda link: link.algorithm_fault)
    keys = _each(rules.CHAIN_KEYS, links, lambda link: link.key_fault)
    return (
        der,
        _pinned(ders[0], links[0], root, accepted),
        _names(links),
        algorithms,
        keys,
        _signatures(links, (algorithms, keys)),
        extensions,
        *(_extension_checks(links) if extensions.outcome is Outcome.PASS else _extensions_blocked()),
    ), Chain(links, root)


def role(number: int, count: int) -> str:
    """Return what the certificate ``number`` (from 0) of ``count`` is, by the order AWS uses."""
    if count == len(_ROLES):
        return _ROLES[number]
    return "root" if number == 0 else "leaf" if number == count - 1 else f"intermediate {number}"


def instant(at: datetime) -> str:
    """Return an aware instant as RFC 3339 in UTC, with milliseconds only when there are any."""
    utc = at.astimezone(UTC)
    text = utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def _load(ders: Sequence[bytes]) -> tuple[Check, tuple[Certificate, ...] | None]:
    links, faults = [], []
    for number, der in enumerate(ders):
        try:
            links.append(certificate.load(der))
        except CertificateFault as fault:
            faults.append(f"the {role(number, len(ders))} (certificate {number + 1} of {len(ders)}) {fault}")
    if faults:
        return rules.CHAIN_DER.failed("; ".join(faults)), None
    return rules.CHAIN_DER.passed(), tuple(links)


def _pinned(der: bytes, first: Certificate | None, root: Root | None, accepted: tuple[Root, ...]) -> Check:
    if root:
        which = f"{root.name} (partition {root.partition})" if root.aws else f"{root.name}, which is not an AWS root"
        return rules.CHAIN_ROOT_PINNED.passed(which)
    known = roots.find(der, roots.AWS_ROOTS)
    if known:
        detail = f"the bundle begins with {known.name}, which is not among the roots given"
    elif first:
        detail = f"the bundle begins with {first.subject_text}, which is not an accepted root"
        if first.common_name in _AWS_NAMES or first.subject_text in {root.name for root in accepted}:
            detail += ": it has that name, but is not that certificate"
    else:
        detail = "the bundle does not begin with an accepted root"
    return rules.CHAIN_ROOT_PINNED.failed(
        detail,
        expected=" or ".join(root.fingerprint for root in accepted),
        actual=first.fingerprint if first else None,
        remedy="a root that is not AWS's is accepted only when --root names it",
    )


def _each(
    rule: rules.Rule,
    links: Sequence[Certificate],
    fault: Callable[[Certificate], str | None],
) -> Check:
    """Judge a rule on every link alone; the first fault is the detail."""
    for number, link in enumerate(links):
        wrong = fault(link)
        if wrong:
            return rule.failed(f"the {_called(links, number)} {wrong}")
    return rule.passed()


def _called(links: Sequence[Certificate], number: int) -> str:
    return f"{role(number, len(links))} (certificate {number + 1} of {len(links)})"


def _names(links: Sequence[Certificate]) -> Check:
    for number in range(1, len(links)):
        if links[number].issuer != links[number - 1].subject:
            called = _called(links, number)
            return rules.CHAIN_NAMES.failed(
                f"the {called} names another issuer than the certificate before it, {links[number - 1].subject_text}"
            )
    return rules.CHAIN_NAMES.passed()


def _signatures(links: Sequence[Certificate], needed: Iterable[Check]) -> Check:
    for check in needed:
        if check.outcome is not Outcome.PASS:
            return rules.CHAIN_SIGNATURES.blocked(check.id)
    for number in range(1, len(links)):
        if not certificate.signed_by(links[number - 1].der, links[number].der):
            called, before = _called(links, number), role(number - 1, len(links))
            return rules.CHAIN_SIGNATURES.failed(f"the {called} is not signed with the key of the {before}")
    return rules.CHAIN_SIGNATURES.passed()


def _extension_checks(links: Sequence[Certificate]) -> list[Check]:
    authorities, leaf = links[:-1], links[-1]
    return [
        _each(rules.CHAIN_CRITICAL_EXTENSIONS, links, _unprocessed),
        _authorities(rules.CHAIN_CA, links, lambda link: None if link.ca else "is not a certificate authority"),
        _authorities(rules.CHAIN_CA_KEY_USAGE, links, _cannot_certify),
        _path_lengths(authorities, links),
        # a path length without the CA bit is an extension that cannot be read
        rules.CHAIN_LEAF.of("the leaf is a certificate authority" if leaf.ca else None),
        rules.CHAIN_LEAF_KEY_USAGE.of(_leaf_usage_fault(leaf)),
    ]


def _extensions_blocked() -> list[Check]:
    after = rules.CHAIN_RULES.index(rules.CHAIN_EXTENSIONS) + 1
    until = rules.CHAIN_RULES.index(rules.CHAIN_DOCUMENT_TIME)
    return rules.all_blocked(rules.CHAIN_RULES[after:until], rules.CHAIN_EXTENSIONS.id)


def _authorities(rule: rules.Rule, links: Sequence[Certificate], fault: Callable[[Certificate], str | None]) -> Check:
    for number, link in enumerate(links[:-1]):
        wrong = fault(link)
        if wrong:
            return rule.failed(f"the {_called(links, number)} {wrong}")
    return rule.passed()


def _unprocessed(link: Certificate) -> str | None:
    return f"has the critical extension {link.unprocessed[0]}" if link.unprocessed else None


def _cannot_certify(link: Certificate) -> str | None:
    if link.usages is None:
        return "has no keyUsage"
    return None if "keyCertSign" in link.usages else "may not sign certificates: keyUsage lacks keyCertSign"


def _path_lengths(authorities: Sequence[Certificate], links: Sequence[Certificate]) -> Check:
    for number, link in enumerate(authorities):
        below = len(authorities) - number - 1
        if link.path_length is not None and below > link.path_length:
            called = _called(links, number)
            return rules.CHAIN_PATH_LENGTH.failed(
                f"the {called} allows {link.path_length} authorities below it and has {below}"
            )
    return rules.CHAIN_PATH_LENGTH.passed()


def _leaf_usage_fault(leaf: Certificate) -> str | None:
    if leaf.usages is None:
        return "the leaf has no keyUsage"
    if "digitalSignature" not in leaf.usages:
        return "the leaf's keyUsage lacks digitalSignature"
    others = sorted(leaf.usages & {"keyCertSign", "cRLSign"})
    return f"the leaf's keyUsage has {others[0]}" if others else None


def _contains(links: Sequence[Certificate], time: datetime) -> Check:
    for number, link in enumerate(links):
        if not link.not_before <= time <= link.not_after:
            called, period = _called(links, number), f"{instant(link.not_before)} to {instant(link.not_after)}"
            return rules.CHAIN_DOCUMENT_TIME.failed(
                f"the document says {instant(time)}, outside the period of the {called}",
                expected=period,
                actual=instant(time),
            )
    return rules.CHAIN_DOCUMENT_TIME.passed()


def _begun(links: Sequence[Certificate], at: datetime) -> Check:
    late = [number for number, link in enumerate(links) if at < link.not_before]
    if not late:
        return rules.CHAIN_BEGUN.passed()
    worst = max(late, key=lambda number: links[number].not_before)
    return rules.CHAIN_BEGUN.failed(
        f"the {_called(links, worst)} begins at {instant(links[worst].not_before)}, after {instant(at)}"
        + _others("not begun either", late, worst, links)
    )


def _unexpired(links: Sequence[Certificate], at: datetime) -> Check:
    over = [number for number, link in enumerate(links) if at > link.not_after]
    if not over:
        return rules.CHAIN_UNEXPIRED.passed()
    worst = min(over, key=lambda number: links[number].not_after)
    return rules.CHAIN_UNEXPIRED.failed(
        f"the {_called(links, worst)} ended at {instant(links[worst].not_after)}, before {instant(at)}"
        + _others("over too", over, worst, links)
    )


def _others(said: str, numbers: Sequence[int], but: int, links: Sequence[Certificate]) -> str:
    names = [f"the {role(number, len(links))}" for number in reversed(numbers) if number != but]
    return f"; {said}: {', '.join(names)}" if names else ""
