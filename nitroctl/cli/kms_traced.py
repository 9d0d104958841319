"""A decision of KMS laid out: statements and conditions for machines and for people, and what it does not rest on."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from nitroctl.errors import CannotAnswer
from nitroctl.kms import authorize, operators
from nitroctl.kms.authorize import Decision, Met, Policies, Traced, Verdict, Way
from nitroctl.kms.explain_statements import shown
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.request import Attested, Request, register
from nitroctl.kms.trace import WouldAllow, label
from nitroctl.kms.truth import Truth
from nitroctl.pcr import as_hex, name
from nitroctl.render.view import Block, Cell, Fields, Style, Text, Value

if TYPE_CHECKING:
    from nitroctl.kms.request import Platform
    from nitroctl.records import Ledger
    from nitroctl.records.ledger import Nearest

#: How the evaluator begins to say that a statement names a session.
_SESSION: Final = "the caller's session, which was not given"
#: Values of one condition that people are shown.
_SHOWN: Final = 4
#: Statements that come near which people are shown when no other register would help.
_NEAR: Final = 3
_STYLES: Final[Mapping[Truth, Style]] = {Truth.YES: "good", Truth.NO: "bad", Truth.OPEN: "warn"}
_NEVER: Final = (
    "service control policies",
    "resource control policies",
    "permissions boundaries",
    "session policies",
    "VPC endpoint policies",
)


def request_members(request: Request, what: str) -> dict[str, object]:
    """Return a request as JSON members. ``what``: where what it attests is from, in words."""
    found: dict[str, object] = {
        "principal": request.caller.text,
        "action": request.action,
        "as_of": request.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "encryption_context": dict(request.encryption_context),
        "attested": _attested(request.attested, what) if request.attested else None,
        "attestation_counts": request.carries_attestation,
    }
    return found | ({"key": request.key} if request.key else {})


def _attested(attested: Attested, what: str) -> dict[str, object]:
    return {
        "source": what,
        "platform": attested.platform.value,
        "complete": attested.complete,
        "pcrs": as_hex(attested.pcrs),
    }


def request_rows(request: Request, what: str) -> list[tuple[str, Value]]:
    """Return a request for people. ``what``: where what it attests is from, in words."""
    context = ", ".join(f"{key}={value}" for key, value in request.encryption_context.items())
    if request.attested is not None and not request.carries_attestation:
        what = f"{what}; does not count: {request.action} takes no attestation document"
    return [
        ("action", request.action),
        ("principal", request.caller.text),
        ("attests", what),
        ("encryption context", context or "none"),
        ("key", request.key or "not given"),
        ("as of", request.at.strftime("%Y-%m-%dT%H:%M:%SZ")),
    ]


def place(traced: Traced) -> dict[str, object]:
    """Return where a statement stands, as JSON members."""
    statement = traced.statement
    found: dict[str, object] = {
        "policy": traced.policy.where,
        "number": statement.number,
        "line": statement.line,
        "effect": statement.effect.value,
    }
    return found | ({"sid": statement.sid} if statement.sid else {})


def statement_members(traced: Traced) -> dict[str, object]:
    """Return a statement and whether it is about the request, part by part, as JSON members."""
    return {
        **place(traced),
        "matches": traced.truth.value,
        "principal": traced.principal.value,
        "account_only": traced.named.direct is Truth.NO and traced.named.account is Truth.YES,
        "action": traced.action.value,
        "resource": traced.resource.value,
        "conditions": [_met(met) for met in traced.conditions],
        "depends_on": list(traced.reasons),
    }


def _met(met: Met) -> dict[str, object]:
    return {
        "operator": met.condition.operator.text,
        "key": met.condition.key,
        "line": met.condition.line,
        "expected": list(met.condition.values),
        "actual": {"presence": met.actual.presence.value, "values": list(met.actual.values)},
        "holds": met.truth.value,
    }


def would_allow_members(each: WouldAllow, ledger: "Ledger") -> dict[str, object]:
    """Return a statement and the registers with which it would allow the request, as JSON members."""
    return {
        "statement": place(each.statement),
        "registers": [
            {
                "key": change.key,
                "expected": [
                    {"value": value, "entries": recorded(ledger, (change.platform, change.index), value)}
                    for value in change.expected
                ],
                "actual": change.actual,
            }
            for change in each.changes
        ],
    }


def nearest_members(nearest: "Nearest") -> dict[str, object]:
    """Return the nearest recorded version as JSON members."""
    return {
        "entry": nearest.entry.id,
        "status": nearest.entry.status.value,
        "equal": [name(index) for index in nearest.equal],
        "differing": [name(index) for index in nearest.differing],
        "absent": [name(index) for index in nearest.absent],
    }


def recorded(ledger: "Ledger", place: "tuple[Platform, int] | None", value: str) -> list[str]:
    """Return the ids of the recorded versions that have this value in a register."""
    if place is None:
        return []
    platform, index = place
    return [
        entry.id
        for entry in ledger
        if entry.platform == platform and index in entry.pcrs and entry.pcrs[index].hex() == value.lower()
    ]


def trace_blocks(decision: Decision, others: Sequence[WouldAllow], ledger: "Ledger") -> Iterator[Block]:
    """Yield the statements that decide or might, and when nothing allows it those that come near.

    Those that would allow it with other registers are told of after these.
    """
    about = [each for each in decision.statements if Truth.NO not in (each.principal, each.action, each.resource)]
    later = [each.statement for each in others]
    told = [each for each in about if _tells(each, decision)]
    if decision.verdict is not Verdict.ALLOWED and not later:
        missed = (each for each in about if each.statement.effect is Effect.ALLOW and each.truth is Truth.NO)
        told += islice(missed, _NEAR)
    for each in told:
        words = {Truth.YES: "matches", Truth.NO: "does not match", Truth.OPEN: "may match"}
        how = ""
        if each.named.direct is Truth.NO and each.named.account is Truth.YES:
            how = ", and lets the account's IAM policies decide"
        rows = [row for met in each.conditions for row in _condition_rows(met, ledger)]
        rows += [("depends on", shown(reason)) for reason in each.reasons]
        title = f"{each.statement.effect.value} {label(each)} {words[each.truth]}{how}"
        yield Fields(rows or [("conditions", "none")], title=title)
    aside, rest = len(decision.statements) - len(about), len(about) - len(told) - len(later)
    hidden = [
        f"{count} {'statement' if count == 1 else 'statements'} {what}"
        for count, what in ((aside, "about another principal, action or key"), (rest, "not deciding"))
        if count
    ]
    if hidden:
        yield Text("")
        yield Text(f"Not shown: {', '.join(hidden)} (--json has them).")


def _tells(traced: Traced, decision: Decision) -> bool:
    """Whether a statement decides, might, or allows as much as it can without the account's IAM policies."""
    half = traced.statement.effect is Effect.ALLOW and decision.verdict is not Verdict.ALLOWED
    return traced in decision.deciding or traced.truth is Truth.OPEN or (half and traced.truth is Truth.YES)


def _condition_rows(met: Met, ledger: "Ledger") -> Iterator[tuple[str, Value]]:
    style = _STYLES[met.truth]
    words = {Truth.YES: "holds", Truth.NO: "does not hold", Truth.OPEN: "open"}
    yield shown(met.condition.key), Cell(f"{words[met.truth]}: {shown(met.condition.operator.text)}", style)
    place = register(met.condition.key)
    for value in met.condition.values[:_SHOWN]:
        yield "  expected", _recorded_as(value, recorded(ledger, place, value))
    more = len(met.condition.values) - _SHOWN
    if more > 0:
        yield "  expected", f"or one of {more} more (--json has them)"
    yield "  actual", shown(met.actual.text)


def _recorded_as(value: str, entries: Sequence[str]) -> str:
    return f"{value}  ({', '.join(entries)})" if entries else shown(value)


def other_blocks(others: Sequence[WouldAllow], ledger: "Ledger") -> Iterator[Block]:
    """Yield what would have to be attested for the answer to be yes."""
    for each in others:
        rows: list[tuple[str, Value]] = []
        for change in each.changes:
            value = change.expected[0]
            entries = recorded(ledger, (change.platform, change.index), value)
            rows.append((change.key, _recorded_as(value, entries)))
            if len(change.expected) > 1:
                rows.append(("", f"or one of {len(change.expected) - 1} more"))
            rows.append(("  in place of", change.actual))
        yield Fields(rows, title=f"{label(each.statement)} would allow it, with")


def undecided(decision: Decision) -> CannotAnswer:
    """Return why a decision is open, with what to give so that it can be made."""
    return CannotAnswer(
        f"not decided: it depends on {'; '.join(map(shown, decision.open))}", "kms.undecided", _hints(decision)
    )


def _hints(decision: Decision) -> list[str]:
    hints = []
    if authorize.NO_IAM in decision.open:
        hints.append("give the caller's IAM policies with --iam-policy FILE, or say --no-iam-policy")
    if any(reason.startswith(_SESSION) for reason in decision.open):
        hints.append("name the session: --principal arn:aws:sts::<account>:assumed-role/<role>/<session>")
    if any("ARN was not given" in reason for reason in decision.open):
        hints.append("name the key: --key ARN")
    keys = [reason for reason in decision.open if ":" in reason and reason.endswith(", which was not given")]
    if keys:
        registers = any(reason.lower().startswith("kms:recipientattestation:") for reason in keys)
        hints.append(f"say what the call has: --context KEY=VALUE, --absent KEY{', --pcr PCR=HEX' * registers}")
    return hints


def not_looked_at(decision: Decision, policies: Policies, *, live: bool = False) -> list[str]:
    """Return what could still change the answer, and how. ``live``: all policies of a key in AWS were read."""
    found = [f"{', '.join(_NEVER[:-1])} and {_NEVER[-1]} (they could only deny)"]
    if decision.way is Way.DENY:
        return [*found, "other policies and grants of the key (an explicit Deny holds against all of them)"]
    if policies.grants is None:
        found.append("grants of the key, which were not given (one could allow)")
    if policies.identity is None and decision.verdict is not Verdict.DENIED:  # they alone allow nothing
        effect = "they could allow or deny" if authorize.NO_IAM in decision.open else "they could deny"
        found.append(f"IAM policies of the caller, which were not given ({effect})")
    if live:
        return found
    if len(policies.key) == 1:
        found.append("a second policy of the key, AWS_RAM, which was not given (it could allow or deny)")
    found.append("the key itself: its state, its usage, replicas with policies of their own")
    return found


def case_notes(decision: Decision) -> list[str]:
    """Return what was assumed of the case of registers, where a condition depends on it."""
    if not decision.request.carries_attestation:
        return []
    names = {
        name
        for each in decision.statements
        for met in each.conditions
        if register(met.condition.key) is not None
        and (name := operators.name(met.condition.operator)).startswith("String")
        and not name.endswith("IgnoreCase")
    }
    if not names:
        return []
    return [f"registers are taken to be in lower case, which AWS does not document and {_listed(names)} depends on"]


def nearest(decision: Decision, ledger: "Ledger") -> "Nearest | None":
    """Return the recorded version that comes closest to what was refused, of the same platform."""
    from nitroctl.records import Ledger

    attested = decision.request.attested
    if attested is None or decision.verdict is Verdict.ALLOWED:
        return None
    return Ledger.of(entry for entry in ledger if entry.platform == attested.platform).nearest(attested.pcrs)


def _listed(names: set[str]) -> str:
    return " or ".join(sorted(names))
