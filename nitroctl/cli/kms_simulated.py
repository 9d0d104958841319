"""The answer of ``nitroctl kms simulate``, for machines and for people."""

from typing import TYPE_CHECKING, Final

from nitroctl.checks import Outcome
from nitroctl.cli import kms_traced as traced
from nitroctl.kms.authorize import Decision, Policies, Verdict, Way, from_abroad
from nitroctl.kms.explain_statements import shown
from nitroctl.kms.request import account_of_key
from nitroctl.kms.trace import label, would_allow
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Fields, Headline, Text

if TYPE_CHECKING:
    from nitroctl.cli.kms_attested import Source
    from nitroctl.records import Ledger

_OUTCOMES: Final = {Verdict.ALLOWED: Outcome.PASS, Verdict.DENIED: Outcome.FAIL, Verdict.UNDECIDED: Outcome.WARN}


def result(decision: Decision, policies: Policies, source: "Source", ledger: "Ledger") -> Result:
    """Return the answer: the decision, its trace, and what would have to be attested for another one."""
    others = would_allow(decision, policies)
    not_looked_at = traced.not_looked_at(decision, policies)
    nearest = traced.nearest(decision, ledger)
    data: dict[str, object] = {
        "request": traced.request_members(decision.request, source.what),
        "verdict": decision.verdict.value,
        "way": decision.way.value,
        "deciding": [traced.place(each) for each in decision.deciding],
        **({"grant": decision.grant.id} if decision.grant else {}),
        "depends_on": list(decision.open),
        "statements": [traced.statement_members(each) for each in decision.statements],
        "would_allow": [traced.would_allow_members(each, ledger) for each in others],
        **({"nearest": traced.nearest_members(nearest)} if nearest else {}),
        "not_looked_at": not_looked_at,
    }
    view: list[Block] = [
        Headline(_headline(decision), _OUTCOMES[decision.verdict]),
        Fields(traced.request_rows(decision.request, source.what)),
        *traced.trace_blocks(decision, others, ledger),
        *traced.other_blocks(others, ledger),
    ]
    if nearest:
        view += [Text(""), Fields([("nearest recorded", nearest.text)])]
    view += [Text(""), Text(f"Not looked at: {'; '.join(not_looked_at)}.")]
    return Result(
        schema="kms.simulate/1",
        data=data,
        view=view,
        refused=decision.verdict is not Verdict.ALLOWED,
        notes=[*([source.note] if source.note else []), *traced.case_notes(decision), *_abroad(decision)],
        trouble=[traced.undecided(decision)] if decision.verdict is Verdict.UNDECIDED else [],
    )


def _abroad(decision: Decision) -> list[str]:
    """Return why statements that match do not allow it, for those who do not read the first line."""
    if decision.way is not Way.NOTHING or not from_abroad(decision.request):
        return []
    account = account_of_key(decision.request.key)
    return [
        f"the key is of account {account}: {decision.request.action} is for nobody else, whatever its policy allows"
    ]


def _headline(decision: Decision) -> str:
    action, who = decision.request.action, decision.request.caller.text
    statements = " and ".join(label(each) for each in decision.deciding)
    match decision.way:
        case Way.DENY:
            first, more = label(decision.deciding[0]), len(decision.deciding) - 1
            also = f", and so {'does' if more == 1 else 'do'} {more} more" if more else ""
            return f"no: {first} denies {action} to {who}{also}"
        case Way.NOTHING if from_abroad(decision.request):
            return f"no: KMS takes {action} from the key's own account alone, and {who} is of another"
        case Way.NOTHING:
            return f"no: nothing that was given allows {action} to {who}"
        case Way.OPEN:
            return f"not decided: {action} for {who} depends on {'; '.join(map(shown, decision.open))}"
        case Way.GRANT:
            grant = f"the grant {decision.grant.id if decision.grant else ''}"
            return f"yes: {grant} {f'and {statements} allow' if statements else 'allows'} {action} to {who}"
        case _:
            verb = "allows" if len(decision.deciding) == 1 else "allow"
            return f"yes: {statements} {verb} {action} to {who}"
