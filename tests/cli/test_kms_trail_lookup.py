"""``nitroctl kms trail --lookup``: CloudTrail's event history, from an HTTP service on this machine."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests import records, trails
from tests.conftest import Cli, Ran
from tests.fakes.cloudtrail import EventHistory
from tests.fakes.kms import Kms, Refusal
from tests.schemas import validate_envelope
from tests.trails import KEY, KEY_ID, MODULE, OTHER, attested, call

PERIOD = ("--since", "2026-11-20T00:00:00Z", "--until", "2026-11-22T00:00:00Z")
NOTES = (
    "nitroctl: note: judged is CloudTrail's event history of eu-west-1 from 2026-11-20T00:00:00Z to"
    " 2026-11-22T00:00:00Z: management events of the caller's account, among which KMS's uses of keys are\n"
    "nitroctl: note: the event history goes 90 days back and lacks the last minutes; other accounts and Regions have"
    " their own\n"
    "nitroctl: note: AWS's word was taken for the events: only a trail's files can be validated\n"
)
BY_KEY = (
    "nitroctl: note: looked up by the key's ARN: calls that are logged without it are not found; --region NAME asks"
    " for all\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory with one recorded image, and without waiting between requests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.aws.events.INTERVAL_S", 0)
    records.write(Path("measurements.json"), records.active())


@pytest.fixture
def history(kms_service: Kms) -> EventHistory:
    """Return the event history that AWS calls come to."""
    found = EventHistory()
    kms_service.operations["LookupEvents"] = found
    return found


def look_up(cli: Cli, *more: str) -> Ran:
    return cli("kms", "trail", "--lookup", *PERIOD, *more)


def line(mark: str, minute: int, said: str) -> str:
    return f"{mark} {trails.at(minute)}  {'Decrypt':<19}  {KEY_ID}  {said}\n"


def test_the_events_of_a_key_are_looked_up_and_told_oldest_first(cli: Cli, history: EventHistory) -> None:
    other = call(3, resources=[{"ARN": OTHER}])
    history.events = [attested(1), call(2), other]
    by = f"by {trails.ADMIN} from 192.0.2.7"
    assert look_up(cli, "--key", KEY) == Ran(
        1,
        line("✓", 1, f"signer-1.4.2@prod, in {MODULE}")
        + line("✗", 2, f"without attestation {by} [trail.unattested]")
        + "\n"
        "✗ 1 of 2 calls on 1 key bound to attestation, 2026-11-21T10:01:00Z to 2026-11-21T10:02:00Z, must not be:"
        " 1 without attestation\n"
        "records  measurements.json\n"
        "\n"
        "Keys bound to attestation\n"
        f"  named  {KEY}: 1 attested, 1 unattested\n",
        NOTES + BY_KEY,
    )
    assert [each["LookupAttributes"] for each in history.requests] == [
        [{"AttributeKey": "ResourceName", "AttributeValue": KEY}]
    ]


def test_of_a_region_everything_is_looked_up(cli: Cli, history: EventHistory) -> None:
    history.events = [attested(1), call(2, resources=[]), call(3, resources=[{"ARN": OTHER}])]
    ran = look_up(cli, "--region", "eu-west-1", "--json")
    documents = [json.loads(text) for text in ran.stdout.splitlines()]
    for document in documents:
        validate_envelope(document)
    assert documents[-1]["data"]["looked_up"] == {
        "regions": ["eu-west-1"],
        "keys": [],
        "since": "2026-11-20T00:00:00Z",
        "until": "2026-11-22T00:00:00Z",
    }
    assert (documents[-1]["data"]["kms_records"], documents[-1]["data"]["files"]) == (3, 1)
    assert documents[0]["data"]["where"] == "event history of eu-west-1, answer 1: record 3"
    history.events = [attested(1)]
    assert look_up(cli, "--region", "eu-west-1").stderr == NOTES


def test_pages_are_followed_and_slices_do_not_overlap(cli: Cli, history: EventHistory) -> None:
    days = [f"2026-11-{day:02}T{hour:02}:00:00Z" for day in range(1, 11) for hour in range(24)]
    history.events = [attested(eventTime=when, eventID=f"event-{when}") for when in days]
    ran = cli(
        *("kms", "trail", "--lookup", "--key", KEY, "--json"),
        *("--since", days[0], "--until", days[-1]),
    )
    lines = [json.loads(text)["data"] for text in ran.stdout.splitlines()]
    assert [each["time"] for each in lines[:-1]] == days
    assert (lines[-1]["doubled"], lines[-1]["out_of_order"], lines[-1]["unread"]) == (0, 0, 0)
    spans = list(dict.fromkeys((each["StartTime"], each["EndTime"]) for each in history.requests))
    assert [later[0] - earlier[1] for earlier, later in itertools.pairwise(spans)] == [1] * 3
    assert len(history.requests) == 3 * 2 + 1
    assert {each["MaxResults"] for each in history.requests} == {50}


def test_a_refusal_before_anything_is_aws_failing(cli: Cli, kms_service: Kms, history: EventHistory) -> None:
    history.refuse_after, history.refusal = 0, Refusal("AccessDeniedException", "not authorized")
    ran = look_up(cli, "--key", KEY)
    assert (ran.status, ran.stdout) == (5, "")
    assert ran.stderr.startswith(
        "nitroctl: error: eu-west-1: cloudtrail:LookupEvents was refused: AccessDeniedException: not authorized"
    )


def test_a_refusal_after_some_answers_leaves_them_and_is_no_whole_answer(cli: Cli, history: EventHistory) -> None:
    history.events = [attested(minute % 60, eventID=f"event-{minute}") for minute in range(60)]
    history.refuse_after = 1
    ran = look_up(cli, "--key", KEY)
    assert ran.status == 3
    assert (
        "– not read: eu-west-1: cloudtrail:LookupEvents was refused: ThrottlingException: Rate exceeded" in ran.stdout
    )
    assert ran.stderr.endswith(
        "nitroctl: error: 1 file or record could not be read [kms.trail-unread]\nnitroctl: hint: the findings say why\n"
    )


def test_what_is_damaged_in_an_answer_is_told_and_not_passed_over(cli: Cli, history: EventHistory) -> None:
    history.events, history.bare = [attested(1)], True
    ran = look_up(cli, "--key", KEY)
    assert ran.status == 3
    assert (
        "– not read: event history of eu-west-1, answer 1: record 1: no eventSource, so it is no record of CloudTrail"
        " [kms.trail-unreadable]\n"
    ) in ran.stdout


def test_pages_that_never_end_end(cli: Cli, history: EventHistory) -> None:
    history.events, history.same_token = [attested(1)], True
    history_asked = look_up(cli, "--key", KEY)
    assert history_asked.status == 3
    assert "the same page again" in history_asked.stdout


def test_hostile_events_are_escaped(cli: Cli, history: EventHistory) -> None:
    history.events = [call(1, userIdentity={"arn": "x\x1b[31m\u202e\n::error::"})]
    ran = look_up(cli, "--key", KEY)
    assert ran.status == 1
    assert not set("\x1b\u202e") & set(ran.stdout)


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], "usage.invalid", "no file to read"),
        (["log.json", "--since", "2026-11-20T00:00:00Z"], "usage.invalid", "--since is for --lookup"),
        (["--lookup"], "usage.invalid", "nothing to look up"),
        (["--lookup", "log.json"], "usage.invalid", "--lookup asks AWS in place of reading files"),
        (["--lookup", "--key", KEY_ID], "aws.key-arn", "not the ARN of a KMS key"),
        (["--lookup", "--region", "Europe"], "usage.invalid", "--region: not the name of one"),
        (["--lookup", "--key", KEY, "--since", "document"], "attest.at", "--since: not a time"),
        (
            ["--lookup", "--key", KEY, "--since", "2026-11-20T00:00:00Z", "--until", "2026-11-19T00:00:00Z"],
            "usage.invalid",
            "--since is later than --until",
        ),
    ],
    ids=["nothing", "since", "no-place", "both", "id", "region", "document-time", "backwards"],
)
def test_wrong_invocations(cli: Cli, argv: list[str], code: str, said: str) -> None:
    ran = cli("kms", "trail", *argv)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: {said}")
    assert f"[{code}]\n" in ran.stderr


def test_the_history_is_asked_for_ninety_days_unless_said(cli: Cli, history: EventHistory) -> None:
    cli("kms", "trail", "--lookup", "--key", KEY)
    first, last = history.requests[0]["StartTime"], history.requests[-1]["EndTime"]
    assert last - first == 90 * 24 * 60 * 60
    assert len(history.requests) == 31


def test_the_program_looks_up_too(cli: Cli, kms_service: Kms, history: EventHistory) -> None:
    from tests.fakes import kms

    history.events = [attested(1)]
    environment: dict[str, Any] = kms.environment(kms_service)
    ran = cli.program("kms", "trail", "--lookup", "--key", KEY, *PERIOD, env=environment, cwd=Path.cwd())
    assert (ran.status, ran.stdout.splitlines()[0]) == (0, line("✓", 1, f"signer-1.4.2@prod, in {MODULE}").rstrip())
