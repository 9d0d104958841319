"""The answer of ``nitroctl kms prove``, for machines and for people."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from nitroctl.checks import Outcome
from nitroctl.cli.kms_prove_replay import Files, command
from nitroctl.cli.kms_prove_sources import Source
from nitroctl.errors import CannotAnswer
from nitroctl.kms.authorize import Traced
from nitroctl.kms.caller import Is
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.explain_registers import listed
from nitroctl.kms.explain_statements import shown
from nitroctl.kms.grants import Grant
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.operators import negated
from nitroctl.kms.prove import GATE, Bypass, Kind, Opening, Proof, Property, Then
from nitroctl.kms.prove_search import PLAYED
from nitroctl.kms.request import Request, register
from nitroctl.kms.truth import Truth
from nitroctl.pcr import as_hex
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Fields, Headline, Lines, Text, Value

MEANINGS: Final = {
    Property.NO_UNATTESTED_DECRYPT: "nobody gets data who attests nothing, debug mode, or an image that the policy does"
    " not name",
    Property.ONLY_RECORDED: "nobody gets data whose document matches no active record, or a revoked one",
    Property.ONLY_WRITERS: "nobody but the roles that were named may replace the policy",
}
KINDS: Final = {
    Kind.NOTHING: "attests nothing",
    Kind.SERVICE: "comes through an AWS service",
    Kind.REENCRYPT: "re-encrypts to another key",
    Kind.GRANT: "makes a grant",
    Kind.DEBUG: "attests debug mode",
    Kind.IMAGE: "attests another image",
    Kind.TPM: "attests another NitroTPM state",
    Kind.WRITER: "replaces the policy",
}
_VERDICTS: Final = {Truth.YES: "proved", Truth.NO: "refuted", Truth.OPEN: "open"}
#: What a reason begins with that is no Deny.
CONDITIONS: Final = "the conditions of "
#: Callers of one action that people are shown, and statements that close one way.
_SHOWN, _CLOSING = 8, 4
NOT_MODELLED: Final = (
    "service control policies, resource control policies, permissions boundaries, session policies and VPC endpoint"
    " policies (they could only deny)"
)
_DENIES: Final = (
    "let Denies for everybody ask for attestation and for the image, as nitroctl kms generate writes them, or take the"
    " statement out"
)
_DECIDABLE: Final = "ask kms simulate about the requests that matter, or write the condition so that it can be decided"
THE_KEY: Final = "the key itself: its state, its usage, imported material, replicas with policies of their own"


def result(
    proof: Proof, files: Files, sources: Sequence[Source], records: str, policies: Sequence[PolicyDocument]
) -> Result:
    """Return the answer. ``records``: which records counted, in words; empty when none. ``policies``: of the key."""
    missing = not_looked_at(proof, files)
    data: dict[str, object] = {
        "verdict": _VERDICTS[proof.holds],
        "properties": [{"property": each.value, "meaning": MEANINGS[each]} for each in proof.properties],
        "sources": [{"what": each.what, "path": each.path, "sha256": each.sha256} for each in sources],
        "as_of": _time(proof.at),
        "bypasses": [_bypass(each, files) for each in proof.bypasses],
        "depends_on": list(proof.open),
        "closed_by": [
            {"action": action, "request": kind, "closed_by": list(reasons)}
            for (action, kind), reasons in proof.reasons.items()
        ],
        "may_change_the_gate": [_opening(each) for each in proof.openings],
        "closed_to_grants": proof.grants_closed.value,
        "steps": proof.steps,
        "not_looked_at": missing,
    }
    view: list[Block] = [
        _headline(proof),
        Fields(_rows(proof, sources, records)),
        *_bypass_blocks(proof, files),
        *_reason_blocks(proof),
        *_opening_blocks(proof),
        Text(""),
        Text(f"Not looked at: {'; '.join(missing)}."),
    ]
    trouble = []
    if proof.holds is Truth.OPEN:
        hints = [_DENIES] if any(each.endswith(PLAYED) for each in proof.open) else []
        hints += [] if all(each.endswith(PLAYED) for each in proof.open) else [_DECIDABLE]
        what = f"neither proved nor refuted: it depends on {'; '.join(proof.open)}"
        trouble.append(CannotAnswer(what, "kms.unproved", hints))
    return Result(
        schema="kms.prove/1",
        data=data,
        view=view,
        refused=proof.holds is not Truth.YES,
        notes=mixtures(policies) if proof.holds is Truth.YES and Property.ONLY_RECORDED not in proof.properties else (),
        trouble=trouble,
    )


def mixtures(policies: Sequence[PolicyDocument]) -> list[str]:
    """Return a note on each Allow that lists values of several registers: a proof says nothing of which go together."""
    found = []
    for statement in (each for policy in policies for each in policy.statements if each.effect is Effect.ALLOW):
        listed = dict.fromkeys(
            condition.key.rpartition(":")[2]
            for condition in statement.conditions
            if register(condition.key) and len(set(condition.values)) > 1 and not negated(condition.operator)
        )
        if len(listed) > 1:
            found.append(
                f"{statement.label} lists values of {' and '.join(listed)}: every combination counts as named,"
                " also one that no release has (KP024); --only-recorded asks for that"
            )
    return found


def _headline(proof: Proof) -> Headline:
    names = " and ".join(each.value for each in proof.properties)
    if proof.holds is Truth.YES:
        return Headline(f"proved: {names}", Outcome.PASS)
    if proof.bypass is None:
        return Headline(f"not decided: {names} depends on {listed(map(shown, proof.open))}", Outcome.WARN)
    worst = proof.bypass
    kinds = len(proof.bypasses)
    more = f", and there {'is one more way' if kinds == 2 else f'are {kinds - 1} more ways'}" if kinds > 1 else ""  # noqa: PLR2004
    return Headline(f"no: {worst.request.action} is allowed to a caller who {KINDS[worst.kind]}{more}", Outcome.FAIL)


def _rows(proof: Proof, sources: Sequence[Source], records: str) -> list[tuple[str, Value]]:
    rows: list[tuple[str, Value]] = [(each.value, MEANINGS[each]) for each in proof.properties]
    for each in sources:
        rows += [(each.what, each.path), ("  sha256", each.sha256)]
    rows += [("that count", records)] if records else []
    rows.append(("requests from", _time(proof.at)))
    words = {
        Truth.YES: "closed to them: Denies take back what any grant gives",
        Truth.NO: "open to them: if there is one already, its grantee gets by",
        Truth.OPEN: "not decided",
    }
    others = any(each.what == "grants" for each in sources)
    rows.append(("other grants" if others else "grants", words[proof.grants_closed]))
    return rows


def not_looked_at(proof: Proof, files: Files) -> list[str]:
    """Return what could still change the answer, and how."""
    found = [NOT_MODELLED]
    if files.grants is None and proof.grants_closed is not Truth.YES:
        found.append("grants of the key, which were not given (one could allow)")
    if files.ram is None:
        found.append("a second policy of the key, AWS_RAM, which was not given (it could allow or deny)")
    return [*found, THE_KEY]


def _bypass_blocks(proof: Proof, files: Files) -> Iterator[Block]:
    for each in proof.bypasses:
        of = f" ({each.property.value})" if len(proof.properties) > 1 else ""
        yield Fields(list(_bypass_rows(each)), title=f"Who {KINDS[each.kind]}{of}")
        yield from _replay(command(each.request, files, iam=each.iam), "")
        if each.then is not None:
            yield from _grant_blocks(each.then, files)


def _bypass_rows(bypass: Bypass) -> Iterator[tuple[str, Value]]:
    yield from _request_rows(bypass.request)
    yield "who", bypass.who
    yield "IAM policies", "one that allows it is enough" if bypass.iam else "none are needed"
    allowing = [_place(each) for each in bypass.decision.deciding if each.policy in bypass.policies.key]
    if bypass.decision.grant is not None:
        allowing.append(f"grant {bypass.decision.grant.id}")
    yield "allowed by", ", ".join(allowing)


def _request_rows(request: Request) -> Iterator[tuple[str, Value]]:
    yield "action", request.action
    yield "principal", request.caller.text
    if request.attested is not None:
        for index, value in sorted(request.attested.pcrs.items()):
            yield request.attested.platform.key(index).rpartition(":")[2], value.hex()
    for name, text in request.encryption_context.items():
        yield f"context {name}", text
    for name, actual in request.given.items():
        yield name, actual.text or '""'


def _replay(words: str, what: str) -> Iterator[Block]:
    yield Text("")
    if words:
        yield Lines(f"  {what}{words}")
    else:
        yield Text("It has a name or a value that no option of kms simulate can say.")


def _grant_blocks(then: Then, files: Files) -> Iterator[Block]:
    """Yield the second step: the grant in a file, and the request that it allows."""
    request = then.decision.request
    needed = ", with an IAM policy that allows it" if then.iam else ""
    yield Text("")
    yield Text(f"With that grant in the file grant.json, {request.action} is allowed to {request.caller.text}{needed}:")
    yield Text("")
    yield Lines(f"  {_grant_json(then.grant)}")
    yield from _replay(command(request, Files(files.policy, files.ram, "grant.json"), iam=then.iam), "")


def _grant_json(grant: Grant) -> str:
    return json.dumps({"Grants": [_grant(grant)]})


def _grant(grant: Grant) -> dict[str, object]:
    constraints = {"EncryptionContextEquals": grant.equals, "EncryptionContextSubset": grant.subset}
    known = {name: dict(context) for name, context in constraints.items() if context is not None}
    found = {"GrantId": grant.id, "GranteePrincipal": grant.grantee, "Operations": list(grant.operations)}
    return found | ({"Constraints": known} if known else {})


def _reason_blocks(proof: Proof) -> Iterator[Block]:
    """Yield for each kind of request what closes it, all actions together."""
    rows: list[tuple[str, Value]] = []
    for kind in Kind:
        told = [reasons for (_, name), reasons in proof.reasons.items() if name == kind.value]
        closing = dict.fromkeys(reason for reasons in told for reason in reasons)
        if told:
            rows.append((KINDS[kind], _closing([*closing])))
    if rows and proof.holds is Truth.YES:
        yield Fields(rows, title="Who is kept out, and by what")


def _closing(reasons: Sequence[str]) -> str:
    """Return what closes a way; the conditions of many Allow statements are a number."""
    conditions = [reason for reason in reasons if reason.startswith(CONDITIONS)]
    found = [reason for reason in reasons if reason not in conditions]
    if len(conditions) == 1:
        found += conditions
    elif conditions:
        found.append(f"the conditions of {len(conditions)} Allow statements")
    more = [f"{len(found) - _CLOSING} more"] if len(found) > _CLOSING else []
    return "; ".join([*found[:_CLOSING], *more]) or "no statement allows it"


def _opening_blocks(proof: Proof) -> Iterator[Block]:
    """Yield who may change the gate; an account whose IAM policies may do it is one row."""
    openings = proof.openings
    rows: list[tuple[str, Value]] = []
    for action, does in GATE.items():
        found = dict.fromkeys(_holder(each, openings) for each in openings if each.action == action)
        shown = [*found][:_SHOWN]
        more = [f"{len(found) - _SHOWN} more (--json has them)"] if len(found) > _SHOWN else []
        rows += [(action if not at else "", who) for at, who in enumerate([*shown, *more])]
        rows += [("", Cell(f"({does})", "dim"))] if found else []
    if rows:
        aside = "" if Property.ONLY_WRITERS in proof.properties else ", which is no part of the answer"
        yield Fields(rows, title=f"Who may change the gate{aside}")


def _holder(opening: Opening, openings: Sequence[Opening]) -> str:
    caller = opening.who.caller
    own = [each for each in openings if each.action == opening.action and each.who.caller.account == caller.account]
    root = any(each.who.caller.kind is Is.ROOT for each in own)
    if opening.request is None:
        return f"{opening.name or caller.text}, as far as can be decided"
    if root and any(each.iam for each in own) and (opening.iam or caller.kind is Is.ROOT):
        return f"account {caller.account}: its root user, and whomever its IAM policies let"
    return caller.text + (", with an IAM policy" if opening.iam else "")


# For machines -----------------------------------------------------------------------------------------------------


def _bypass(bypass: Bypass, files: Files) -> dict[str, object]:
    found: dict[str, object] = {
        "kind": bypass.kind.value,
        "property": bypass.property.value,
        "who": bypass.who,
        "request": _request(bypass.request),
        "iam_policies": "everything" if bypass.iam else "none",
        "way": bypass.decision.way.value,
        "deciding": [
            {"policy": each.policy.where, "number": each.statement.number, "line": each.statement.line}
            for each in bypass.decision.deciding
            if each.policy in bypass.policies.key
        ],
        "replay": command(bypass.request, files, iam=bypass.iam),
    }
    if bypass.decision.grant is not None:
        found["grant"] = bypass.decision.grant.id
    if bypass.then is not None:
        request = bypass.then.decision.request
        found["then"] = {
            "grant": _grant(bypass.then.grant),
            "request": _request(request),
            "replay": command(request, Files(files.policy, files.ram, "grant.json"), iam=bypass.then.iam),
        }
    return found


def _request(request: Request) -> dict[str, object]:
    found: dict[str, object] = {
        "principal": request.caller.text,
        "action": request.action,
        "as_of": _time(request.at),
        "encryption_context": dict(request.encryption_context),
        "condition_keys": {
            name: {"presence": actual.presence.value, "values": list(actual.values)}
            for name, actual in request.given.items()
        },
        "attested": None
        if request.attested is None
        else {"platform": request.attested.platform.value, "pcrs": as_hex(request.attested.pcrs)},
    }
    return found | ({"key": request.key} if request.key else {})


def _opening(opening: Opening) -> dict[str, object]:
    return {
        "action": opening.action,
        "does": GATE[opening.action],
        "principal": opening.name or opening.who.caller.text,
        "who": opening.who.what,
        "iam_policies": "everything" if opening.iam else "none",
        "certain": opening.request is not None,
    }


def _place(traced: Traced) -> str:
    return f"{traced.statement.label} ({traced.policy.where} line {traced.statement.line})"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
