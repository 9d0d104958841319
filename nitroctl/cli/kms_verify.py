"""``nitroctl kms verify``: whether a key in AWS has the policy that was wanted, and holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.kms_live import KeyOption
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Value

if TYPE_CHECKING:
    from nitroctl.kms.live import LiveKey
    from nitroctl.kms.verify import Probed, Verified, Wanted

_ARN = "arn:aws:kms:eu-west-1:111122223333"

EXAMPLES = f"""
nitroctl kms verify policy.json --key {_ARN}:alias/signer --wait 60
nitroctl kms verify policy.json --key {_ARN}:alias/signer --live
nitroctl kms verify --records measurements.json --environment prod --key {_ARN}:alias/signer
"""
_REFUSAL = (
    "what KMS refuses it refuses this caller, in this encryption context, at this moment: a probe does not prove that"
    " others are refused, nor that an attested call is let in"
)
#: Seconds: a pause doubles up to this.
_LONGEST_PAUSE_S = 8.0
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def verify(
    policy: Annotated[
        str | None,
        typer.Argument(help="The key policy that was wanted, as kms generate wrote it; - is stdin.", metavar="POLICY"),
    ] = None,
    *,
    key: KeyOption,
    records: Annotated[
        str | None,
        typer.Option("--records", help="The images that may use the key: this file of records.", metavar="FILE"),
    ] = None,
    component: Annotated[
        str | None, typer.Option("--component", help="Only entries of this component.", metavar="NAME")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="Only entries for this environment.", metavar="NAME")
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="Ask KMS for data without attestation as well: dry runs, as you.", show_default=False
        ),
    ] = False,
    encryption_context: Annotated[
        list[str] | None,
        typer.Option("--encryption-context", help="With --live: send this. Repeatable.", metavar="NAME=VALUE"),
    ] = None,
    ciphertext: Annotated[
        str | None,
        typer.Option(
            "--ciphertext",
            help="With --live: something encrypted under the key; needed only for an old botocore.",
            metavar="FILE",
        ),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            help="How long to ask again for what KMS may not have spread yet.",
            metavar="SECONDS",
            max=600,
            min=0,
        ),
    ] = 0,
) -> Result:
    """Say whether a key in AWS has the policy that was wanted, and gives nobody data without attestation.

    Compared is what policies say, not how they are written. The proof is of the key's policies and grants as they were
    read. With --live KMS is asked too: a refusal is about this caller, this encryption context and this moment only; an
    answer that it would succeed is a no. Dry runs are billed and logged in CloudTrail.
    """
    from nitroctl.kms import document
    from nitroctl.kms.verify import Wanted

    if not live and (encryption_context or ciphertext is not None):
        given = "--encryption-context" if encryption_context else "--ciphertext"
        raise UsageError(f"{given} is for a probe", "usage.invalid", ["add --live"])
    if records is None and (component or environment):
        given = "--component" if component else "--environment"
        raise UsageError(f"{given} chooses among records", "usage.invalid", ["add --records FILE"])
    if [policy, ciphertext].count("-") > 1:
        raise UsageError("several files are standard input", "usage.invalid", ["name one of them"])
    wanted = Wanted(
        policy=None if policy is None else document.read(policy),
        ledger=None,
        probe=live,
        encryption_context=_context(encryption_context),
    )
    if records is not None:
        import dataclasses

        from nitroctl import records as ledger

        wanted = dataclasses.replace(wanted, ledger=ledger.load(records).concerning(component, environment))
    blob = None if ciphertext is None else _ciphertext(ciphertext)
    return _result(_asked(key, wanted, blob, wait), wanted, records)


def _context(texts: "list[str] | None") -> "Mapping[str, str]":
    if not texts:
        return {}
    from nitroctl.kms.generate import parse_context

    return parse_context(texts)


def _ciphertext(path: str) -> bytes:
    """Return a ciphertext, raw, in base64, or in the JSON of aws kms encrypt. Raises CannotAnswer."""
    from nitroctl import safefile
    from nitroctl.errors import CannotAnswer
    from nitroctl.kms import exchange

    raw = safefile.read_bytes(path, limit=exchange.MAX_FILE)
    try:
        return exchange.blob(raw, "CiphertextBlob").content
    except CannotAnswer as error:
        raise CannotAnswer(f"{path}: {error.message}", error.code, error.hints) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What was found. ``who``: ARN of the caller, empty when nothing was probed. ``tries``, ``waited_s``: of --wait."""

    live: "LiveKey"
    found: "Verified"
    probed: "tuple[Probed, ...]"
    who: str
    tries: int
    waited_s: float


def _asked(key: str, wanted: "Wanted", ciphertext: bytes | None, wait: float) -> _Answer:
    """Ask AWS, and ask again while all that refuses may be otherwise in a moment. Raises AwsFailed, CannotAnswer."""
    import time

    from nitroctl.cli import progress

    waited, tries = 0.0, 0
    for pause in (0.0, *_pauses(wait)):
        if tries == 1:
            progress.note(f"{key}: not yet; asking again for {wait:g} s")
        time.sleep(pause)
        waited, tries = waited + pause, tries + 1
        answer = _once(key, wanted, ciphertext, tries, waited)
        if not answer.found.passing:
            break
    return answer


def _pauses(wait: float) -> Iterator[float]:
    pause, left = 1.0, wait
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _once(key: str, wanted: "Wanted", ciphertext: bytes | None, tries: int, waited: float) -> _Answer:
    from nitroctl import aws
    from nitroctl.aws import probe
    from nitroctl.kms import verify

    live = aws.keys.read(key)
    who = aws.identity.caller(live.region) if wanted.probe else ""
    operations = verify.probes(live) if wanted.probe else ()
    probed = probe.unattested(live, operations, wanted.encryption_context, ciphertext)
    found = verify.verify(live, wanted, probed, who, live.read_at)
    return _Answer(live=live, found=found, probed=probed, who=who, tries=tries, waited_s=waited)


def _result(answer: _Answer, wanted: "Wanted", records: str | None) -> Result:
    from nitroctl.checks import Outcome
    from nitroctl.cli import kms_diff_view
    from nitroctl.kms.verify import NOT_LOOKED_AT

    live, found = answer.live, answer.found
    refused = not found.report.passed
    outcome = Outcome.WARN if found.trouble else Outcome.FAIL if refused else Outcome.PASS
    data: dict[str, object] = {
        "answer": _sentence(answer, wanted),
        "key": {"arn": live.arn, "asked": live.asked, "state": live.state, "read_at": live.read_at.strftime(_TIME)},
        "policy": wanted.policy.where if wanted.policy else None,
        "records": records,
        "difference": kms_diff_view.as_json(found.difference) if found.difference else None,
        "caller": answer.who or None,
        "probes": [_probe(each) for each in answer.probed],
        "tries": answer.tries,
        "waited_s": answer.waited_s,
        "not_looked_at": NOT_LOOKED_AT,
        "report": found.report.as_json(),
    }
    view: list[Block] = [Headline(_sentence(answer, wanted), outcome), Fields(list(_rows(answer, wanted, records)))]
    view.append(Checks(found.report))
    if found.difference and not found.difference.none:
        view += kms_diff_view.blocks(found.difference)
    return Result(
        schema="kms.verify/1",
        data=data,
        view=view,
        refused=refused,
        notes=_notes(answer, wanted),
        report=found.report,
        subject=wanted.policy.where if wanted.policy else live.arn,
        trouble=found.trouble,
    )


def _sentence(answer: _Answer, wanted: "Wanted") -> str:
    from nitroctl.checks import Outcome

    arn, report = answer.live.arn, answer.found.report
    failed = report.having(Outcome.FAIL)
    if failed:
        more = f"; and {len(failed) - 1} more" if len(failed) > 1 else ""
        return f"no: {arn}: {failed[0].detail}{more}"
    doubts = [each.message.removeprefix(f"{arn}: ") for each in answer.found.trouble]
    doubts = doubts or [each.detail for each in report.refusals]
    if doubts:
        more = f"; and {len(doubts) - 1} more" if len(doubts) > 1 else ""
        return f"not known: {arn}: {doubts[0]}{more}"
    parts = [f"has the policy of {wanted.policy.where}"] if wanted.policy else []
    parts += ["names the active records"] if wanted.ledger else []
    parts += ["lets nobody by who attests none of its images, as far as its policies and grants go"]
    parts += [f"refused {answer.who} without attestation"] if answer.probed else []
    state = answer.live.state
    parts += [] if state == "Enabled" else [f"is {state}, and gives data to nobody now"]
    return f"yes: {arn} {'; '.join(parts)}"


def _rows(answer: _Answer, wanted: "Wanted", records: str | None) -> Iterator[tuple[str, Value]]:
    from nitroctl.checks import Outcome
    from nitroctl.kms.verify import PROBES

    live = answer.live
    yield "key", live.arn if live.asked == live.arn else f"{live.arn}, asked for as {live.asked}"
    yield "state", live.state
    yield "policy", wanted.policy.where if wanted.policy else "not compared"
    yield "records", records or "not compared"
    yield "caller", answer.who or "nothing was probed"
    for each in answer.probed:
        check = answer.found.report[PROBES[each.operation]]
        if check.outcome is Outcome.PASS:
            yield each.operation, check.detail.replace(f"KMS refused it to {answer.who}", "refused")
    yield "as of", live.read_at.strftime(_TIME)
    if answer.tries > 1:
        yield "asked", f"{answer.tries} times in {answer.waited_s:g} s"


def _probe(probed: "Probed") -> dict[str, object]:
    details = probed.error.details if probed.error else {}
    return {
        "operation": probed.operation,
        "answer": probed.said.value,
        "aws_code": details.get("aws_code"),
        "request_id": details.get("request_id"),
    }


def _notes(answer: _Answer, wanted: "Wanted") -> list[str]:
    from nitroctl.kms.live import DEFAULT
    from nitroctl.kms.verify import NOT_LOOKED_AT

    live = answer.live
    others = [name for name in live.names() if name != DEFAULT]
    notes = [f"the proof is of both policies of the key; compared is not {name}" for name in others]
    if live.replicas:
        notes.append(f"not looked at: the same key, with a policy of its own each, in {', '.join(live.replicas)}")
    if answer.probed:
        notes += [_REFUSAL, "the probes are dry runs, billed and logged in CloudTrail as calls of this caller"]
    if wanted.policy is not None and answer.found.difference is not None and answer.found.difference.none:
        notes.append("what was read is what one server of KMS had: others may take some minutes more")
    return [*notes, NOT_LOOKED_AT]
