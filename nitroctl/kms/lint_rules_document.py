"""Rules about the policy as a document and about who may change it.

Source: KMS Developer Guide, "Key policies in AWS KMS", "Resource quotas"; KMS API reference, PutKeyPolicy (lockout
check); IAM "Principal", "NotPrincipal", "NotAction".
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from nitroctl import strict_json
from nitroctl.kms.caller import account_of, deleted
from nitroctl.kms.document import VERSION, Statement
from nitroctl.kms.key_policy import SIZE_LIMIT
from nitroctl.kms.lint_gates import Stranger
from nitroctl.kms.lint_reading import (
    CREATE_GRANT,
    DATA4,
    PUT_POLICY,
    SOME_ACCOUNT,
    Reading,
    View,
    matching,
    names_key,
)
from nitroctl.kms.lint_rules import Finding, Severity, found

_REFUSED: Final = re.compile(r"[^\t\n\r\u0020-\u00ff]")
_NEARLY: Final = SIZE_LIMIT * 8 // 10


def deny_locks_out(reading: Reading) -> Iterator[Finding]:
    """KP028: a Deny of PutKeyPolicy to everybody can never be taken back."""
    for view in reading.denies:
        always = view.applies and view.everybody and not view.others
        open_ = view.open_to(Stranger.UNATTESTED)  # as every kms:PutKeyPolicy comes
        if PUT_POLICY in view.actions and always and open_:
            yield found(
                "KP028",
                "nobody can ever change the policy again: kms:PutKeyPolicy is denied to everybody",
                "deny the attested actions by name, not kms:*",
                view.statement,
            )


def inverted_element(reading: Reading) -> Iterator[Finding]:
    """KP029: what is excepted is easily more than was thought of; an Allow with NotPrincipal is for everybody else."""
    for view in reading.views:
        statement = view.statement
        for name, used, fix in (
            (
                "NotPrincipal",
                statement.principal.negated,
                'name principals; in a Deny, "*" with ArnNotEquals on aws:PrincipalArn',
            ),
            ("NotAction", bool(statement.not_actions), "name the actions"),
            ("NotResource", bool(statement.not_resources), 'write "Resource": "*", which is this key'),
        ):
            if used:
                public = name == "NotPrincipal" and view.allows
                told = "allows everybody else, in every account" if public else "also means what nobody thought of"
                yield found("KP029", f"{name} {told}", fix, statement)


def policy_writers(reading: Reading) -> Iterator[Finding]:
    """KP030: whoever can write the policy can open it."""
    enclaves = {name for view in reading.allows if view.attested and view.actions & DATA4 for name in view.names}
    writers = reading.wanted.writers
    for view in reading.allows:
        if not reading.reaches(view, PUT_POLICY):
            continue
        severity = None
        told = ""
        if view.everybody:
            told = "everybody can replace the policy"
        elif writers is not None:
            others = sorted(set(_writers(reading, view)) - set(writers))
            told = f"{', '.join(others)} can replace the policy, and is no --policy-writer" if others else ""
        elif own := enclaves & set(_writers(reading, view)):
            who = ", ".join(sorted(own))
            told = f"{who} uses the key from an enclave, and its parent can replace the policy"
        elif accounts := _at_home(reading, view):
            told = f"any IAM policy of account {', '.join(accounts)} can let somebody replace the policy"
            severity = Severity.MEDIUM
        if told:
            fix = "allow kms:PutKeyPolicy (also in wildcards) to one role that does nothing else"
            yield found("KP030", told, fix, view.statement, severity=severity)


def separate_duties(reading: Reading) -> Iterator[Finding]:
    """KP031: one principal that uses data and may let itself do so in other ways too."""
    data = DATA4 | {"kms:Encrypt"}
    using = set[str]()
    for view in reading.allows:
        if view.actions & data and (view.attested or reading.ways(view, data)):
            using.update(view.names)
    told = set[str]()
    for view in reading.allows:
        powers = [each for each in (PUT_POLICY, CREATE_GRANT) if reading.reaches(view, each)]
        if not powers or view.everybody:
            continue
        for name in view.names:
            if name in using and name not in told and not name.endswith(":root") and not name.isdigit():
                told.add(name)
                yield found(
                    "KP031",
                    f"{name} uses data and has {' and '.join(powers)}",
                    "give the two duties to two roles",
                    view.statement,
                )


def lockout(reading: Reading) -> Iterator[Finding]:
    """KP032: nobody, or nobody who still is, can change the policy; AWS Support must help then."""
    allowed = [view for view in reading.allows if reading.reaches(view, PUT_POLICY)]
    writing = [view for view in allowed if view.everybody or _writers(reading, view)]
    names = {name for view in writing for name in _writers(reading, view)}
    if not writing or (names and all(deleted(name) for name in names)):
        told = "only deleted principals have kms:PutKeyPolicy"
        if not allowed:
            told = "nobody is allowed kms:PutKeyPolicy"
        elif not writing:
            told = f"only other accounts have kms:PutKeyPolicy, which KMS takes from the key's alone: {reading.home}"
        fix = "allow kms:PutKeyPolicy to a role; --accept KP032 if the policy is meant to be final"
        yield found("KP032", told, fix, allowed[0].statement if allowed else None)
    elif len(names) == 1 and not any(_at_home(reading, view) or view.everybody for view in writing):
        yield found(
            "KP032",
            f"{names.pop()} alone can change the policy: deleted, nobody can",
            "name a second role for an emergency",
            writing[0].statement,
            severity=Severity.INFO,
        )


def _writers(reading: Reading, view: View) -> tuple[str, ...]:
    """Return whom of a statement's principals KMS takes PutKeyPolicy from: nobody of another account than the key's."""
    return tuple(name for name in view.names if _is_home(reading, account_of(name)))


def _at_home(reading: Reading, view: View) -> tuple[str, ...]:
    """Return the accounts that a statement names whole, and that may be the key's."""
    return tuple(account for account in view.accounts if _is_home(reading, account))


def _is_home(reading: Reading, account: str) -> bool:
    """Whether an account may be the key's."""
    return not account or reading.home in {"", SOME_ACCOUNT, account}


def deleted_principal(reading: Reading) -> Iterator[Finding]:
    """KP033: KMS shows a deleted role or user by its unique id, and takes no policy that names one."""
    for view in reading.views:
        gone = [name for name in view.principal.aws if deleted(name)]
        if gone:
            yield found(
                "KP033",
                f"{', '.join(gone)} was deleted: the policy cannot be put as it is",
                "take it out, or name the role that replaces it by its ARN",
                view.statement,
                line=view.principal.line,
            )


def dead_statement(reading: Reading) -> Iterator[Finding]:
    """KP034: a statement that KMS stores and that never matches, or not as far as it seems."""
    for view in reading.views:
        statement = view.statement
        dead = _dead(view, reading)
        if dead:
            yield found("KP034", f"matches nothing: {dead[0]}", dead[1], statement)
            continue
        lost = [text for text in (*statement.actions, *statement.not_actions) if text != "*" and not matching(text)]
        if lost:
            yield found(
                "KP034",
                f"{', '.join(lost[:5])} is no action of KMS",
                "correct the name, or take it out",
                statement,
                severity=Severity.MEDIUM,
            )


def _dead(view: View, reading: Reading) -> tuple[str, str] | None:  # noqa: PLR0911  (one for each way to be dead)
    """Return why a statement matches nothing and what to do; None when it can match."""
    statement = view.statement
    here = 'write "Resource": "*", which is this key'
    if not statement.actions and not statement.not_actions:
        return "it has no Action", "name the actions"
    if not statement.resources and not statement.not_resources:
        return "it has no Resource", here
    if not view.names and not view.principal.negated:
        return "it has no principal", "name the principals"
    if statement.resources and not any(names_key(each, reading.key.arn, guess=True) for each in statement.resources):
        return f"{', '.join(statement.resources[:3])} is not this key", here
    if not view.actions:
        return "none of its actions is one of KMS", "correct the names"
    if view.attested and view.has({"kms:viaservice"}):
        return (
            "an enclave calls KMS itself, so kms:ViaService is never there with an attestation",
            "drop kms:ViaService",
        )
    return None


def size(reading: Reading) -> Iterator[Finding]:
    """KP035: KMS takes 32,768 bytes, and no quota raises that."""
    count = reading.document.size
    if count > _NEARLY:
        over = count > SIZE_LIMIT
        yield found(
            "KP035",
            f"{count} bytes as compact JSON; KMS takes {SIZE_LIMIT}",
            "retire releases that are no longer run, or give each component a key of its own",
            severity=None if over else Severity.MEDIUM,
        )


def text(reading: Reading) -> Iterator[Finding]:
    """KP036: characters that KMS refuses, and Sids that are not unique."""
    seen = Counter(view.statement.sid for view in reading.views if view.statement.sid)
    told = set[str]()
    for view in reading.views:
        sid = view.statement.sid
        if seen[sid] > 1 and sid in told:
            yield found("KP036", f"the Sid {sid!r} is there twice", "give every statement its own Sid", view.statement)
        told.add(sid)
    for parts, value in strict_json.walk(reading.document.raw):
        strings = [value] if isinstance(value, str) else list(value) if isinstance(value, dict) else []
        for each in strings:
            odd = _REFUSED.search(each)
            if odd:
                place = strict_json.pointer(parts) or "/"
                statement = _at(reading, parts)
                told_of = f"{place}: the character U+{ord(odd[0]):04X}, which KMS does not take"
                yield found("KP036", told_of, "write ASCII", statement)


def _at(reading: Reading, parts: tuple[str | int, ...]) -> Statement | None:
    """Return the statement that a path leads into."""
    if parts[:1] != ("Statement",):
        return None
    number = parts[1] if len(parts) > 1 and isinstance(parts[1], int) else 0
    return reading.document.statements[number] if number < len(reading.document.statements) else None


def version(reading: Reading) -> Iterator[Finding]:
    """KP051: in another version, or without one, ``${…}`` is literal text."""
    if reading.document.version != VERSION:
        has = reading.document.version or "missing"
        yield found("KP051", f"Version is {has}, so variables are literal text", f'write "Version": "{VERSION}"')


RULES: Final = (
    deny_locks_out,
    inverted_element,
    policy_writers,
    separate_duties,
    lockout,
    deleted_principal,
    dead_statement,
    size,
    text,
    version,
)
