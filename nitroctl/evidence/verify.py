"""Is it authentic? Format, chain and signature, at one instant, under named roots. Nothing about what it says.

Authentic at an instant means: the Nitro hypervisor behind an accepted root signed exactly these bytes, and every
certificate's period contains that instant. It says nothing about freshness (that takes a nonce or a clock) or about
whether the measurements are wanted (:mod:`nitroctl.appraisal`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nitroctl.checks import Check, Outcome, Report
from nitroctl.evidence import chain as chains
from nitroctl.evidence import cose, habits, rules
from nitroctl.evidence.chain import Chain
from nitroctl.evidence.cose import Envelope
from nitroctl.evidence.document import Parsed
from nitroctl.evidence.roots import AWS_ROOTS, Root


@dataclass(frozen=True, slots=True)
class Verified:
    """Every check, and the chain that was walked. Only ``report.passed`` says that the document is authentic."""

    report: Report
    chain: Chain

    @property
    def only_expired(self) -> bool:
        """Whether nothing but the instant asked, later than the certificates' periods, stands against it."""
        return [check.id for check in self.report.refusals] == [rules.CHAIN_UNEXPIRED.id]


def verify(
    parsed: Parsed, roots: tuple[Root, ...] = AWS_ROOTS, *, at: datetime, crls: Sequence[bytes] = ()
) -> Verified:
    """Judge authenticity at ``at`` (aware) with ``roots`` as the only anchors.

    ``crls``: revocation lists in DER, as :func:`nitroctl.evidence.crl.load` returns them; without any, the report says
    that revocation was not checked. Raises CannotAnswer ``evidence.crl`` for bytes that are none.
    Rules that are independent of each other are all judged; what cannot be reached says what blocked it.
    """
    if at.tzinfo is None:
        message = "the instant must be aware"
        raise ValueError(message)
    if parsed.document is None or parsed.envelope is None:
        blocker = next(check for check in parsed.report.checks if check.outcome is Outcome.FAIL)
        later = rules.all_blocked((*rules.CHAIN_RULES, rules.COSE_SIGNATURE), blocker.id)
        return Verified(parsed.report + Report.of(later), Chain())
    checks, chain = chains.walk(parsed.document, roots, at)
    signature = _signature(parsed.envelope, chain)
    revocation = [_revocation(chain, crls, at)] if chain.certificates else []
    compared = habits.compare(parsed.document, chain)
    return Verified(parsed.report + Report.of([*checks, *revocation, signature, *compared]), chain)


def _revocation(chain: Chain, crls: Sequence[bytes], at: datetime) -> Check:
    if not crls:
        addresses = [address for link in chain.certificates for address in link.crl_addresses]
        where = f"; the certificates name {' and '.join(addresses)}" if addresses else ""
        return rules.CHAIN_REVOCATION.unknown(f"AWS's text says that it must not be{where}")
    from nitroctl.evidence import crl  # noqa: PLC0415  (start-up: hardly anybody has lists)

    return crl.check(chain.certificates, crls, at)


def _signature(envelope: Envelope, chain: Chain) -> Check:
    if envelope.fault:
        return rules.COSE_SIGNATURE.blocked(envelope.fault)
    if not chain.certificates:
        return rules.COSE_SIGNATURE.blocked(rules.CHAIN_DER.id)
    verifier = chain.certificates[-1].verifier
    if verifier is None:
        return rules.COSE_SIGNATURE.blocked(rules.CHAIN_KEYS.id)
    if cose.signature_holds(envelope, verifier):
        return rules.COSE_SIGNATURE.passed()
    return rules.COSE_SIGNATURE.failed("the signature is not this document's: it was changed, or another key signed it")
