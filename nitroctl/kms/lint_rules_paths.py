"""Rules about ways to the data: who reaches it, through what, and whether a Deny is in the way.

Source: KMS Developer Guide, "Default key policy", "Grants in AWS KMS", "Cryptographic attestation"; IAM "Principal".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nitroctl.kms.letters import folded
from nitroctl.kms.lint_gates import Stranger
from nitroctl.kms.lint_reading import (
    CALLER_KEYS,
    CREATE_GRANT,
    DATA4,
    REENCRYPT,
    Reading,
    View,
    accounts_of,
    matching,
    wild,
)
from nitroctl.kms.lint_rules import Finding, Severity, found
from nitroctl.kms.lint_rules_conditions import loose

_READS: Final = DATA4 | {REENCRYPT, "kms:Decapsulate"}
_WRITES: Final = frozenset({"kms:Encrypt", "kms:Encapsulate"})
_DENY: Final = "deny all four attested actions without attestation to everybody, as nitroctl kms generate does"


def unattested_allow(reading: Reading) -> Iterator[Finding]:
    """KP001: an Allow for data with neither a condition that restricts it nor Denies that close it."""
    for view in reading.allows:
        direct = view.everybody or len(view.names) > len(view.accounts)
        if direct and not view.has({"kms:viaservice"}) and not any(loose(view)):
            ways = reading.ways(view, DATA4)
            if ways:
                fix = f"bind it to an image with a condition on kms:RecipientAttestation:PCR0, or {_DENY}"
                yield found("KP001", f"{_who(view)} {_told(ways)}", fix, view.statement)


def root_delegation(reading: Reading) -> Iterator[Finding]:
    """KP002: an Allow to a whole account, whose IAM policies then decide and know nothing of attestation."""
    for view in reading.allows:
        ways = reading.ways(view, DATA4) if view.accounts else {}
        if ways:
            yield found(
                "KP002",
                f"any IAM policy of account {', '.join(view.accounts)} {_told(ways)}",
                f"name roles and management actions in place of the account, or {_DENY}",
                view.statement,
            )


def wildcard_principal(reading: Reading) -> Iterator[Finding]:
    """KP003: an Allow to everybody that says nothing else of the caller."""
    for view in reading.allows:
        if view.everybody and not view.principal.negated and not view.has(CALLER_KEYS):
            severity = Severity.HIGH if view.attested else None
            what = "with the image, in every account," if view.attested else "in every account"
            yield found(
                "KP003",
                f"everybody {what} is allowed {_listed(sorted(view.actions))}",
                "name the role, or add a condition on aws:PrincipalArn, aws:PrincipalAccount or aws:PrincipalOrgID",
                view.statement,
                severity=severity,
            )


def wildcard_action(reading: Reading) -> Iterator[Finding]:
    """KP004: a wildcard that reaches more than it seems to: ``kms:De*`` is Decrypt and DeriveSharedSecret."""
    for view in reading.allows:
        for pattern in filter(wild, view.statement.actions):
            reached = matching(pattern)
            left = {each for way in reading.ways(view, reached & _READS).values() for each in way}
            severity = None
            if not left:
                left = {each for way in reading.ways(view, reached & _WRITES).values() for each in way}
                severity = Severity.MEDIUM
            if left:
                yield found(
                    "KP004",
                    f"{pattern} reaches {_listed(sorted(left))}",
                    "list the actions that are meant",
                    view.statement,
                    severity=severity,
                )


def create_grant(reading: Reading) -> Iterator[Finding]:
    """KP005: an Allow for CreateGrant; a grant allows data to whom it likes and never asks for attestation."""
    if all(reading.denied_to_all(who) >= DATA4 | {REENCRYPT} for who in Stranger):
        return  # what a grant gives is denied again
    for view in reading.allows:
        if reading.reaches(view, CREATE_GRANT) and not _tight(view):
            yield found(
                "KP005",
                f"{_who(view)} can make a grant for kms:Decrypt, which no condition on a register restricts",
                "take kms:CreateGrant out (also of wildcards), or deny it to everybody",
                view.statement,
            )


def _tight(view: View) -> bool:
    """Whether the grants that may be made are only for operations that give no data."""
    harmful = DATA4 | {REENCRYPT, CREATE_GRANT}
    for condition in view.others:
        operator = condition.operator
        if folded(condition.key) == "kms:grantoperations" and folded(operator.name) in (
            "stringequals",
            "stringequalsignorecase",
        ):
            named = {folded(f"kms:{value}") for value in condition.values}
            return operator.set_operator == "ForAllValues" and named.isdisjoint(each.lower() for each in harmful)
    return False


def reencrypt_from(reading: Reading) -> Iterator[Finding]:
    """KP006: an Allow for ReEncryptFrom: under a key of one's own the data is then open, and nothing was attested."""
    for view in reading.allows:
        if reading.reaches(view, REENCRYPT):
            yield found(
                "KP006",
                f"{_who(view)} can re-encrypt the data to another key",
                "take kms:ReEncryptFrom out (also of kms:ReEncrypt*), or deny it to everybody",
                view.statement,
            )


def encrypt_open(reading: Reading) -> Iterator[Finding]:
    """KP037: whoever encrypts, or knows a data key in plain text, can put it in place of another."""
    for view in reading.allows:
        if view.context or view.attested:
            continue
        left = reading.ways(view, {"kms:Encrypt", "kms:GenerateDataKey"}).get(Stranger.UNATTESTED, [])
        if left:
            yield found(
                "KP037",
                f"{_who(view)} is allowed {_listed(left)} under any encryption context",
                "ask for a kms:EncryptionContext:… that says what the data is for",
                view.statement,
            )


def no_encryption_context(reading: Reading) -> Iterator[Finding]:
    """KP038: without an encryption context one record's ciphertext can be given in place of another's."""
    for view in reading.allows:
        if view.attested and "kms:Decrypt" in view.actions and not view.context:
            yield found(
                "KP038",
                "the enclave may decrypt whatever was encrypted with the key, for whatever purpose",
                "add a condition on kms:EncryptionContext:…, if the data has one (generate: --encryption-context)",
                view.statement,
            )


def via_service(reading: Reading) -> Iterator[Finding]:
    """KP039: an Allow for an AWS service that calls on somebody's behalf, without attestation."""
    for view in reading.allows:
        ways = reading.ways(view, DATA4) if view.has({"kms:viaservice"}) else {}
        if ways:
            services = [value for each in view.others if folded(each.key) == "kms:viaservice" for value in each.values]
            yield found(
                "KP039",
                f"{_who(view)} {_told(ways)}, by way of {_listed(services)}",
                "take the data actions out: a key for enclaves is not a key for a service's storage",
                view.statement,
            )


def cross_account(reading: Reading) -> Iterator[Finding]:
    """KP040: principals of another account with data or grants, where that account's IAM policies decide."""
    everyone = frozenset[str]().union(*(accounts_of(view) for view in reading.allows))
    for view in reading.allows:
        foreign = sorted(accounts_of(view) - {reading.home})
        if not foreign or (not reading.home and len(everyone) < 2):  # noqa: PLR2004
            continue
        if reading.ways(view, DATA4) or reading.reaches(view, CREATE_GRANT):
            told = f"account {', '.join(foreign)} " + (
                f"is not the key's ({reading.home})" if reading.home else "may not be the key's, which is not known"
            )
            unsure = "" if reading.key.account else "; --facts FILE says which account the key is in"
            yield found(
                "KP040",
                f"{told}, and its IAM policies decide who uses the key without attestation",
                f"bind the statement to an image, or take it out{unsure}",
                view.statement,
            )


def _who(view: View) -> str:
    return "everybody" if view.everybody else _listed(view.names)


def _told(ways: Mapping[Stranger, Sequence[str]]) -> str:
    """Return what is open to whom; who attests nothing says all that there is to say."""
    if Stranger.UNATTESTED in ways:
        return f"can use {_listed(ways[Stranger.UNATTESTED])} {Stranger.UNATTESTED}"
    return "; ".join(f"can use {_listed(actions)} {who}" for who, actions in ways.items())


def _listed(names: Sequence[str]) -> str:
    """Return a few names of many; the rest is a number."""
    most = 6
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "nobody"


RULES: Final = (
    unattested_allow,
    root_delegation,
    wildcard_principal,
    wildcard_action,
    create_grant,
    reencrypt_from,
    encrypt_open,
    no_encryption_context,
    via_service,
    cross_account,
)
