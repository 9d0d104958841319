"""The answer of ``nitroctl kms explain``, for machines and for people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from nitroctl.checks import Outcome
from nitroctl.cli import kms_traced as traced
from nitroctl.evidence.chain import instant
from nitroctl.kms.authorize import Decision, Policies, Verdict
from nitroctl.kms.explain import Explanation
from nitroctl.kms.explain_reason import Bearing, Difference, Reason
from nitroctl.kms.explain_registers import debug
from nitroctl.kms.trace import WouldAllow, label, would_allow
from nitroctl.pcr import as_hex
from nitroctl.records.entry import Status
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Fields, Heading, Headline, Text, Value

if TYPE_CHECKING:
    from nitroctl.kms.explain_document import Presented
    from nitroctl.kms.live import LiveKey
    from nitroctl.records import Entry, Ledger

_OUTCOMES: Final = {Verdict.ALLOWED: Outcome.PASS, Verdict.DENIED: Outcome.FAIL, Verdict.UNDECIDED: Outcome.WARN}
_MARKS: Final = {Bearing.DECIDES: Outcome.FAIL, Bearing.ALSO: Outcome.WARN, Bearing.POSSIBLE: Outcome.SKIP}
_HEADINGS: Final = {
    Bearing.DECIDES: "What decides",
    Bearing.ALSO: "What does not let it in either",
    Bearing.POSSIBLE: "What the files cannot show",
}
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
#: Expected values of one register that people are shown.
_SHOWN: Final = 3


def result(
    found: Explanation, policies: Policies, ledger: "Ledger", file: str, live: "LiveKey | None" = None
) -> Result:
    """Return the answer: one sentence, the reasons in order, and the trace. ``file``: of the document.

    ``live``: the key in AWS whose policies were read; None for files.
    """
    decision = found.decision
    others = would_allow(decision, policies) if decision else ()
    nearest = traced.nearest(decision, ledger) if decision and not found.recorded else None
    not_looked_at = traced.not_looked_at(decision, policies, live=live is not None) if decision else []
    what = f"{file}, made {_made(found)}" if found.presented.authentic else f"{file}, not authentic"
    data: dict[str, object] = {
        "answer": found.sentence,
        "verdict": found.verdict.value,
        "kms_answers": found.error or None,
        "document": _document(found.presented, file),
        "request": traced.request_members(found.request, what),
        "reasons": [_reason(each) for each in found.reasons],
        "recorded": [_entry(entry) for entry in found.recorded],
        **({"nearest": traced.nearest_members(nearest)} if nearest else {}),
        "policies": _decided(decision, others, ledger) if decision else None,
        "without_document": _without(found),
        "not_looked_at": not_looked_at,
        **({"key": _key(live)} if live else {}),
    }
    view: list[Block] = [
        Headline(found.sentence, _OUTCOMES[found.verdict]),
        Fields([*_rows(found, what, ledger), *([("nearest recorded", nearest.text)] if nearest else [])]),
        *_reasons(found),
    ]
    if decision:
        trace = [*traced.trace_blocks(decision, others, ledger), *traced.other_blocks(others, ledger)]
        view += [Heading("Statements"), *trace] if trace else []
        view += [Text(""), Text(f"Not looked at: {'; '.join(not_looked_at)}.")]
    open_ = decision is not None and found.verdict is Verdict.UNDECIDED
    return Result(
        schema="kms.explain/1",
        data=data,
        view=view,
        refused=found.verdict is not Verdict.ALLOWED,
        notes=[*_of_key(live), *_notes(found)],
        trouble=[traced.undecided(decision)] if decision and open_ else [],
    )


def _made(found: Explanation) -> str:
    document = found.presented.document
    return f"{document.time:%Y-%m-%dT%H:%M:%SZ} on {document.module_id}" if document else ""


def _notes(found: Explanation) -> list[str]:
    notes = []
    root = found.presented.root
    if root is not None and not root.aws:
        notes.append(f"the document is under {root.name}, which --root names; KMS accepts documents under AWS's roots")
    if found.without.verdict is Verdict.ALLOWED:
        notes.append("the same call without any document would be allowed: these policies hold nobody to an image")
    notes += _let_in(found)
    return [*notes, *(traced.case_notes(found.decision) if found.decision else [])]


def _let_in(found: Explanation) -> list[str]:
    """Return what should not be let in, and is."""
    attested = found.presented.attested
    if found.verdict is not Verdict.ALLOWED or attested is None:
        return []
    gone = [each for each in found.recorded[:1] if each.status in (Status.REVOKED, Status.RETIRED)]
    notes = [f"{each.id} is {each.status.value}, and these policies let it in" for each in gone]
    if debug(attested):
        notes.append("the enclave ran in debug mode, and these policies let it in: no policy should name zeros")
    return notes


def _of_key(live: "LiveKey | None") -> list[str]:
    """Return what is to be known of the key in AWS beside its policies."""
    if live is None:
        return []
    notes = [f"the policies and grants are those that AWS told of {live.arn} at {live.read_at.strftime(_TIME)}"]
    if live.state != "Enabled":
        notes.append(f"the key is {live.state}: KMS refuses every use of it, with an error of its own")
    if live.replicas:
        notes.append(f"the same key, with a policy of its own each, is {', '.join(live.replicas)}")
    return notes


# For machines -----------------------------------------------------------------------------------------------------


def _document(presented: "Presented", file: str) -> dict[str, object]:
    document = presented.document
    return {
        "file": file,
        "authentic": presented.authentic,
        "in_its_period": presented.lasting,
        "begins": instant(presented.begins) if presented.begins else None,
        "ends": instant(presented.ends) if presented.ends else None,
        "kind": document.kind.value if document else None,
        "module_id": document.module_id if document else None,
        "made_at": instant(document.time) if document else None,
        "pcrs": as_hex(document.pcrs) if document else None,
    }


def _key(live: "LiveKey") -> dict[str, object]:
    return {"arn": live.arn, "state": live.state, "read_at": live.read_at.strftime(_TIME)}


def _reason(reason: Reason) -> dict[str, object]:
    return {
        "id": reason.id,
        "bearing": reason.bearing.value,
        "said": reason.said,
        "do": reason.do,
        "statements": [traced.place(each) for each in reason.statements],
        "registers": [_difference(each) for each in reason.registers],
    }


def _difference(each: Difference) -> dict[str, object]:
    return {
        "key": each.key,
        "expected": [
            {"value": value, "entries": [entry.id for entry in each.expected_of if _has(entry, each, value)]}
            for value in each.expected
        ],
        "actual": each.value.hex() if each.value is not None else None,
        "actual_entries": [entry.id for entry in each.actual_of],
        "since": each.since.id if each.since else None,
        "until": each.until.id if each.until else None,
    }


def _has(entry: "Entry", each: Difference, value: str) -> bool:
    return entry.pcrs[each.index].hex() == value


def _entry(entry: "Entry") -> dict[str, object]:
    return {"entry": entry.id, "status": entry.status.value}


def _decided(decision: Decision, others: tuple[WouldAllow, ...], ledger: "Ledger") -> dict[str, object]:
    return {
        "verdict": decision.verdict.value,
        "way": decision.way.value,
        "deciding": [traced.place(each) for each in decision.deciding],
        **({"grant": decision.grant.id} if decision.grant else {}),
        "depends_on": list(decision.open),
        "statements": [traced.statement_members(each) for each in decision.statements],
        "would_allow": [traced.would_allow_members(each, ledger) for each in others],
    }


def _without(found: Explanation) -> dict[str, object]:
    return {
        "verdict": found.without.verdict.value,
        "way": found.without.way.value,
        "deciding": [traced.place(each) for each in found.without.deciding],
    }


# For people -------------------------------------------------------------------------------------------------------


def _rows(found: Explanation, what: str, ledger: "Ledger") -> Iterator[tuple[str, Value]]:
    answers = {
        Verdict.ALLOWED: "what was asked",
        Verdict.UNDECIDED: "AccessDeniedException, if it refuses",
        Verdict.DENIED: "an error that AWS does not document",
    }
    yield "KMS answers", found.error or answers[found.verdict]
    presented = found.presented
    if presented.begins and presented.ends:
        period = f"{instant(presented.begins)} to {instant(presented.ends)}"
        yield "document", Cell(f"authentic; taken {period}", "good" if presented.lasting else "bad")
    else:
        yield "document", Cell("not authentic", "bad")
    if presented.authentic:
        ids = ", ".join(f"{entry.id} ({entry.status.value})" for entry in found.recorded)
        yield "image", ids or ("not recorded" if len(ledger) else "not compared: nothing is recorded")
    yield from traced.request_rows(found.request, what)


def _reasons(found: Explanation) -> Iterator[Block]:
    for bearing, heading in _HEADINGS.items():
        reasons = [each for each in found.reasons if each.bearing is bearing]
        if not reasons:
            continue
        yield Heading(heading)
        for each in reasons:
            yield Headline(f"{each.said} [{each.id}]", _MARKS[bearing])
            yield Fields([("  do", each.do), *_register_rows(each)])


def _register_rows(reason: Reason) -> Iterator[tuple[str, Value]]:
    for each in reason.registers:
        for value in each.expected[:_SHOWN]:
            of = [entry.id for entry in each.expected_of if _has(entry, each, value)]
            yield f"  {each.name} expected", f"{value}  ({', '.join(of)})" if of else value
        if len(each.expected) > _SHOWN:
            yield "", f"or one of {len(each.expected) - _SHOWN} more (--json has them)"
        of = [entry.id for entry in each.actual_of]
        yield f"  {each.name} actual", Cell(f"{each.actual}  ({', '.join(of)})" if of else each.actual, "bad")
        if each.since and each.until and each.index != 0:  # PCR0 is another in every version
            yield "", f"so since {each.since.id}; {each.until.id} was the last with an expected value"
    if len(reason.statements) > 1:
        yield "  statements", ", ".join(label(each) for each in reason.statements)
