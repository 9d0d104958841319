"""``nitroctl pcr check`` with several accounts: what is recorded, what runs, and what the key policy names."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitroctl.cli.pcr_options import from_image
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Checks, Fields, Headline, Style, Table, Value

if TYPE_CHECKING:
    from nitroctl.errors import NitroctlError
    from nitroctl.kms.live import LiveKey
    from nitroctl.records import Entry
    from nitroctl.records.threeway import Account, View

    _Matches = Sequence[tuple[Account, Sequence[Entry]]]


_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Asked:
    """The accounts that were asked for; None or nothing where not. ``at``, ``root``: how to judge ``documents``."""

    eif: str | None
    measurements: str | None
    running: bool
    documents: Sequence[str]
    at: str
    root: Sequence[str]
    key_policy: str | None
    key: str | None = None


def check(asked: Asked, path: str, component: str | None, environment: str | None) -> Result:
    """Return every account beside the ledger at ``path``, with each drift a check that failed."""
    from nitroctl import records
    from nitroctl.kms import named
    from nitroctl.records.threeway import View

    ledger = records.load(path).concerning(component, environment)
    accounts, notes, trouble = _accounts(asked)
    key = named.read(asked.key_policy) if asked.key_policy is not None else None
    live = None
    if asked.key is not None:
        from nitroctl import aws
        from nitroctl.kms import live_named

        live = aws.keys.read(asked.key)
        key = live_named.read(live)
        notes += _notes(live)
    answer = _result(View(ledger, accounts, key), asked, path, (component, environment), trouble)
    read = {"key": {"arn": live.arn, "read_at": live.read_at.strftime(_TIME)}} if live else {}
    return dataclasses.replace(answer, data={**answer.data, **read}, notes=[*notes, *answer.notes])


def _notes(live: "LiveKey") -> list[str]:
    notes = [f"the policies are those that AWS told of {live.arn} at {live.read_at.strftime(_TIME)}"]
    if live.state != "Enabled":
        notes.append(f"the key is {live.state}: KMS does not use it for data now")
    if live.grants:
        count = f"{len(live.grants)} grant{'' if len(live.grants) == 1 else 's'}"
        notes.append(f"the key has {count}, bound to no image: nitroctl kms show --key {live.arn}")
    if live.replicas:
        notes.append(f"not looked at: the same key, with a policy of its own each, in {', '.join(live.replicas)}")
    return notes


def _accounts(asked: Asked) -> "tuple[list[Account], list[str], list[NitroctlError]]":
    """Return the accounts, what is to be known of them, and what kept nitro-cli from telling of all that runs."""
    from nitroctl.cli import pcr_sources
    from nitroctl.records.threeway import Account

    accounts: list[Account] = []
    notes: list[str] = []
    trouble: list[NitroctlError] = []
    if asked.eif is not None:
        accounts.append(Account(kind="image", name=asked.eif, pcrs=from_image(asked.eif)[0]))
    if asked.measurements is not None:
        from nitroctl.records import importers, nitro_cli_json

        told = nitro_cli_json.read(asked.measurements)
        platform = importers.platform_of(told, where=asked.measurements)
        accounts.append(Account(kind="build", name=asked.measurements, pcrs=told, platform=platform))
    for file in asked.documents:
        attested = pcr_sources.attested(file, at=asked.at, root=asked.root)
        accounts.append(Account(kind="document", name=file, pcrs=attested.pcrs, whole=True, platform=attested.platform))
        notes.append(attested.note)
    if asked.running:
        described, trouble = pcr_sources.running()
        accounts += [
            Account(kind="running", name=enclave.name, pcrs=enclave.pcrs, debug=enclave.debug) for enclave in described
        ]
    return accounts, notes, trouble


_STATUS: dict[str, Style] = {"active": "good", "revoked": "bad", "retired": "dim"}


def _result(
    view: "View",
    asked: Asked,
    path: str,
    which: tuple[str | None, str | None],
    trouble: "list[NitroctlError]",
) -> Result:
    from nitroctl.checks import Outcome
    from nitroctl.pcr import as_hex

    report = view.report
    matches = [(account, account.matching(view.ledger)) for account in view.accounts]
    drifts = [check for check in report if check.outcome is Outcome.FAIL]
    of = f"{which[0] or 'any component'} in {which[1] or 'any environment'}"
    if drifts:
        headline = Headline(
            f"no: {len(drifts)} {'drift' if len(drifts) == 1 else 'drifts'}: {drifts[0].detail}", Outcome.FAIL
        )
    elif not view.accounts and view.key is None:
        headline = Headline("no: no enclave runs on this host, and nothing else was given", Outcome.FAIL)
    else:
        headline = Headline("yes: what was looked at is recorded and active", Outcome.PASS)
    blocks: list[Block] = [
        headline,
        Fields([("records", f"{path}, entries of {of}")]),
        _table(view, matches),
        Checks(report),
    ]
    data = {
        "records": path,
        "component": which[0],
        "environment": which[1],
        "accounts": [
            {
                "kind": account.kind,
                "name": account.name,
                "debug_mode": account.debug,
                "pcrs": as_hex(account.pcrs),
                "entries": [entry.id for entry in found],
            }
            for account, found in matches
        ],
        "entries": [
            {
                "entry": entry.id,
                "status": entry.status.value,
                "accounts": [account.name for account, found in matches if entry in found],
                "named_by": list(view.naming(entry)) if view.key is not None else None,
            }
            for entry in _shown(view, matches)
        ],
        "key_policy": asked.key_policy,
        "report": report.as_json(),
    }
    notes = []
    if view.key is not None:
        notes.append("of the key policy, what its statements name was read; what it lets through was not proved")
    if any(not account.whole for account in view.accounts):
        notes.append("an image and nitro-cli cannot know PCR3 and PCR4; pinned ones were compared in documents only")
    return Result(
        schema="pcr.check.accounts/1",
        data=data,
        view=blocks,
        refused=not report.passed,
        notes=notes,
        report=report,
        subject=asked.eif or path,
        trouble=trouble,
    )


def _shown(view: "View", matches: "_Matches") -> "list[Entry]":
    """Return the entries worth a row: the active ones, and those that anything else is."""
    from nitroctl.records import Status

    seen = {entry.id for _, found in matches for entry in found}
    return [entry for entry in view.ledger if entry.status is Status.ACTIVE or entry.id in seen or view.naming(entry)]


def _table(view: "View", matches: "_Matches") -> Table:
    kinds = list(dict.fromkeys(account.kind for account in view.accounts))
    columns = ["version", "recorded", *kinds, *(["key policy names it"] if view.key is not None else [])]
    rows: list[list[Value]] = []
    for entry in _shown(view, matches):
        row: list[Value] = [entry.id, Cell(entry.status.value, _STATUS.get(entry.status.value, ""))]
        for kind in kinds:
            names = [account.name for account, found in matches if account.kind == kind and entry in found]
            row.append(", ".join(names) or Cell("-", "dim"))
        if view.key is not None:
            row.append(", ".join(view.naming(entry)) or Cell("no", "dim"))
        rows.append(row)
    for account, found in matches:
        if not found:
            what = Cell("debug mode" if account.debug else "not recorded", "bad")
            cells: list[Value] = [account.name if kind == account.kind else Cell("-", "dim") for kind in kinds]
            rows.append([what, Cell("-", "dim"), *cells, *([Cell("-", "dim")] if view.key is not None else [])])
    return Table(columns, rows)
