"""``nitroctl kms show``: a key as it is in AWS: state, policies, grants, replicas, and what is wrong with them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.kms_live import KeyOption
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Checks, Fields, Heading, Headline, Raw, Table, Value

if TYPE_CHECKING:
    from nitroctl.kms.document import PolicyDocument, Statement
    from nitroctl.kms.live import LiveKey
    from nitroctl.kms.live_findings import Found
    from nitroctl.kms.live_grants import Judged

_ARN = "arn:aws:kms:eu-west-1:111122223333"

EXAMPLES = f"""
nitroctl kms show --key {_ARN}:alias/signer
nitroctl kms show --key {_ARN}:key/1234abcd-12ab-34cd-56ef-1234567890ab --policy-only > policy.json
"""


def show(
    *,
    key: KeyOption,
    policy_only: Annotated[
        bool, typer.Option("--policy-only", help="Print nothing but the policy, as a file has it.", show_default=False)
    ] = False,
) -> Result:
    """Show a key as it is in AWS: its state, policies, grants and replicas, and what is wrong with them.

    AWS is only asked, nothing is changed: kms:DescribeKey, ListKeyPolicies, GetKeyPolicy and ListGrants. Findings are
    those of kms lint that are critical or high; none is no proof that the policy holds (kms prove, kms simulate).
    """
    import json

    from nitroctl import aws
    from nitroctl.cli import kms_live
    from nitroctl.kms import lint, live_findings, live_grants
    from nitroctl.kms.lint_reading import Wanted
    from nitroctl.kms.live import DEFAULT

    live = aws.keys.read(key)
    documents, facts = live.named(), live.facts()
    findings = live_findings.findings(documents, facts, Wanted())
    judged = live_grants.judge(live.granted(), live_findings.joint(documents, facts, Wanted()))
    data: dict[str, object] = {
        "key": _key(live),
        "policies": [_policy(name, each) for name, each in documents.items()],
        "grants": [_grant(row, each) for row, each in zip(live.grants, judged, strict=True)],
        "findings": [_finding(each) for each in findings],
        "not_looked_at": lint.NOT_MODELLED_OF_A_KEY,
    }
    notes = [*kms_live.notes(live, second=""), lint.NOT_MODELLED_OF_A_KEY]
    if policy_only:
        view: list[Block] = [Raw(json.dumps(documents[DEFAULT].raw, indent=2) + "\n")]
    else:
        view = _view(live, documents, judged, findings)
    return Result(schema="kms.show/1", data=data, view=view, notes=notes)


def _key(live: "LiveKey") -> dict[str, object]:
    return {
        "arn": live.arn,
        "asked": live.asked,
        "account": live.account,
        "region": live.region,
        "state": live.state,
        "usage": live.usage,
        "spec": live.spec,
        "origin": live.origin,
        "manager": live.manager,
        "multi_region": live.multi_region,
        "region_type": live.region_type,
        "replicas": list(live.replicas),
        "read_at": live.read_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _policy(name: str, document: "PolicyDocument") -> dict[str, object]:
    from nitroctl.kms import canonical

    return {
        "name": name,
        "sha256": canonical.digest(document),
        "size_bytes": document.size,
        "policy": document.raw,
    }


def _grant(row: Mapping[str, object], judged: "Judged") -> dict[str, object]:
    return {"row": row, "data_operations": list(judged.data), "open_operations": list(judged.open)}


def _finding(found: "Found") -> dict[str, object]:
    finding = found.finding
    members: dict[str, object] = {
        "policy": found.policy,
        "rule": finding.rule.number,
        "severity": finding.severity.value,
        "sid": finding.statement.sid if finding.statement else "",
        "what": finding.detail,
        "fix": finding.fix,
    }
    return {name: value for name, value in members.items() if value}


def _view(
    live: "LiveKey", documents: "Mapping[str, PolicyDocument]", judged: "Sequence[Judged]", findings: "Sequence[Found]"
) -> list[Block]:
    from nitroctl.kms.key_policy import SIZE_LIMIT

    sizes = [f"{name}, {each.size} of {SIZE_LIMIT} bytes" for name, each in documents.items()]
    regions = f"{live.region_type.lower()} of {', '.join(live.replicas) or 'no other'}" if live.multi_region else "no"
    rows: list[tuple[str, Value]] = [
        *([("asked for", live.asked)] if live.asked != live.arn else []),
        ("state", Cell(live.state, "good" if live.state == "Enabled" else "warn")),
        ("usage", f"{live.usage}, {live.spec}"),
        ("material", live.origin if live.manager == "CUSTOMER" else f"{live.origin}, managed by {live.manager}"),
        ("multi-Region", regions),
        ("policies", "; ".join(sizes)),
        ("read at", live.read_at.strftime("%Y-%m-%dT%H:%M:%SZ")),
    ]
    view: list[Block] = [Headline(f"{live.arn}: {_summary(live, findings, judged)}"), Fields(rows)]
    for name, document in documents.items():
        statements = [_statement(each) for each in document.statements]
        view.append(Table(("statement", "effect", "who", "what", "if"), statements, title=f"Policy {name}"))
    view.append(_grants(judged))
    view += _findings(findings, several=len(documents) > 1)
    return view


def _summary(live: "LiveKey", findings: "Sequence[Found]", judged: "Sequence[Judged]") -> str:
    from nitroctl.kms.lint_rules import Severity

    told = [live.state]
    for severity in (Severity.CRITICAL, Severity.HIGH):
        count = sum(each.finding.severity is severity for each in findings)
        told += [f"{count} {severity.value} finding{'s' if count > 1 else ''}"] if count else []
    told += ["no critical or high findings"] if len(told) == 1 else []
    count = sum(bool(each.open) for each in judged)
    return ", ".join([*told, *([f"{count} open grant{'s' if count > 1 else ''}"] if count else [])])


def _statement(statement: "Statement") -> tuple[str, str, str, str, str]:
    principal = statement.principal
    who = [*principal.aws, *principal.services, *principal.federated, *principal.canonical_users]
    actions = statement.actions or tuple(f"all but {each}" for each in statement.not_actions)
    return (
        statement.label,
        statement.effect.value,
        ("all but " if principal.negated else "") + (", ".join(who) or "nobody"),
        ", ".join(actions) or "nothing",
        ", ".join(f"{each.operator.text} {each.key}" for each in statement.conditions) or "always",
    )


def _grants(judged: "Sequence[Judged]") -> Table:
    rows = [
        (
            each.grant.id,
            each.grant.grantee,
            ", ".join(each.grant.operations),
            Cell(f"open: {', '.join(each.open)}", "bad")
            if each.open
            else Cell("shut by the policy" if each.data else "no data"),
        )
        for each in judged
    ]
    return Table(("grant", "who", "operations", "data"), rows, title="Grants")


def _findings(findings: "Sequence[Found]", *, several: bool) -> list[Block]:
    import dataclasses

    from nitroctl.checks import Report
    from nitroctl.kms import lint
    from nitroctl.kms.lint_rules import Severity

    worst = [each for each in findings if each.finding.severity.reaches(Severity.HIGH)]
    if not worst:
        return []
    report = lint.report(
        [dataclasses.replace(each.finding, line=0) for each in worst],
        {},
        fail_on=Severity.HIGH,
        names=[each.policy if several else "" for each in worst],
    )
    critical = {check for check in report.refusals if check.detail.startswith(Severity.CRITICAL)}
    return [Heading("Findings"), Checks(Report.of(sorted(report.refusals, key=lambda check: check not in critical)))]
