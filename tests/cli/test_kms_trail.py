"""``nitroctl kms trail``: whole outputs."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.kms.trail import Trail
from tests import records, trails
from tests.conftest import Cli, Ran
from tests.schemas import validate_envelope
from tests.trails import KEY, KEY_ID, MODULE, allow, attested, call, delivered, denied, policy, recipient, registers
from tests.unit.test_startup import heavy, loaded

BY = f"by {trails.ADMIN} from 192.0.2.7"
NOTES = (
    "nitroctl: note: judged is what the files hold: a trail can leave out what KMS writes, and accounts and Regions"
    " have their own\n"
    "nitroctl: note: not checked: that the files are whole and unchanged (aws cloudtrail validate-logs)\n"
)
NAMES = "nitroctl: note: what a policy lets through is not worked out here, only which images its statements name\n"
DEBUG = {"recipient": recipient({**registers(), 0: pcr.ZERO, 1: pcr.ZERO, 2: pcr.ZERO})}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory with one recorded image."""
    monkeypatch.chdir(tmp_path)
    records.write(Path("measurements.json"), records.active())


def write(*events: dict[str, Any], name: str = "log.json.gz") -> str:
    Path(name).write_bytes(gzip.compress(delivered(*events)))
    return name


def line(mark: str, minute: int, name: str, said: str) -> str:
    return f"{mark} {trails.at(minute)}  {name:<19}  {KEY_ID}  {said}\n"


def documents(ran: Ran) -> list[Any]:
    """Return the documents of a JSON Lines answer, each held against its schema."""
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    for document in found:
        validate_envelope(document)
    return found


def test_uses_by_recorded_images_are_a_yes(cli: Cli) -> None:
    write(policy(1, allow()), attested(2), attested(3), denied(4))
    assert cli("kms", "trail", "log.json.gz") == Ran(
        0,
        line(
            "–",
            1,
            "PutKeyPolicy",
            f"every Allow of data names attestation; names signer-1.4.2@prod; {BY} [trail.changed]",
        )
        + line("✓", 2, "Decrypt", f"signer-1.4.2@prod, in {MODULE}")
        + line("–", 4, "Decrypt", f"denied {BY}; with what document, if any, is not logged [trail.denied]")
        + "\n"
        "✓ 4 calls on 1 key bound to attestation, 2026-11-21T10:01:00Z to 2026-11-21T10:04:00Z:"
        " 2 by images that were active then, 1 other change, 1 denied\n"
        "records  measurements.json\n"
        "\n"
        "Keys bound to attestation\n"
        f"  by its policy  {KEY}: 2 attested, 1 denied, 1 change\n"
        "\n"
        "More than once, or not told above, with the first and the last\n"
        f"✓ 2x       {trails.at(2)}  {trails.at(3)}  Decrypt              {KEY_ID}  signer-1.4.2@prod"
        " [trail.recorded]\n",
        NOTES + NAMES,
    )


def test_what_must_not_be_is_a_no(cli: Cli) -> None:
    write(attested(1), call(2), call(3), attested(4, additionalEventData=DEBUG), attested(5, "x"))
    unknown = f"an image that is not recorded, PCR0 {records.pcrs('x')[0].hex()}, in {MODULE} [trail.unknown]"
    debug = f"an enclave in debug mode: its image registers are zero, in {MODULE} [trail.debug]"
    assert cli("kms", "trail", "log.json.gz") == Ran(
        1,
        line("✓", 1, "Decrypt", f"signer-1.4.2@prod, in {MODULE}")
        + line("✗", 2, "Decrypt", f"without attestation {BY} [trail.unattested]")
        + line("✗", 4, "Decrypt", debug)
        + line("✗", 5, "Decrypt", unknown)
        + "\n"
        "✗ 4 of 5 calls on 1 key bound to attestation, 2026-11-21T10:01:00Z to 2026-11-21T10:05:00Z, must not be:"
        " 2 without attestation, 1 in debug mode, 1 by an image that is not recorded\n"
        "records  measurements.json\n"
        "\n"
        "Keys bound to attestation\n"
        f"  by its use  {KEY}: 3 attested, 2 unattested\n"
        "\n"
        "More than once, or not told above, with the first and the last\n"
        f"✗ 2x       {trails.at(2)}  {trails.at(3)}  Decrypt              {KEY_ID}  without attestation {BY}"
        " [trail.unattested]\n",
        NOTES,
    )


def test_every_call_has_a_line_when_asked(cli: Cli) -> None:
    write(attested(1), attested(2))
    told = cli("kms", "trail", "log.json.gz", "--every").stdout
    assert told.startswith("".join(line("✓", n, "Decrypt", f"signer-1.4.2@prod, in {MODULE}") for n in (1, 2)))


def test_in_json_a_line_for_each_call_and_one_for_all(cli: Cli) -> None:
    write(policy(1, allow()), attested(2), call(3))
    ran = cli("kms", "trail", "log.json.gz", "missing.json", "--json")
    change, good, bad, unread, total = documents(ran)[0:3] + documents(ran)[3:]
    lines = {document["data"].get("time", ""): document for document in (change, good, bad, unread)}
    assert lines[""]["errors"][0]["code"] == "file.unreadable"
    assert lines[trails.at(1)]["data"]["finding"] == "trail.changed"
    assert lines[trails.at(3)]["exit_code"] == 1
    assert lines[trails.at(2)]["data"] == {
        "time": trails.at(2),
        "event": "Decrypt",
        "event_id": "event-2-Decrypt",
        "outcome": "pass",
        "finding": "trail.recorded",
        "remarks": [],
        "said": "signer-1.4.2@prod",
        "first_of_its_kind": True,
        "key": KEY,
        "key_id": KEY_ID,
        "region": "eu-west-1",
        "principal": f"arn:aws:sts::{trails.ACCOUNT}:assumed-role/signer/{trails.INSTANCE}",
        "role": trails.ROLE,
        "source_address": "192.0.2.7",
        "user_agent": "aws-cli/2.31.0",
        "error_code": None,
        "attestation": {
            "platform": "nitro-enclave",
            "module_id": MODULE,
            "instance_id": trails.INSTANCE,
            "pcrs": pcr.as_hex(registers()),
            "unreadable": None,
        },
        "image": {
            "entry": "signer-1.4.2@prod",
            "status_now": "active",
            "compared": ["PCR0", "PCR1", "PCR2"],
            "not_logged": [],
            "nearest": None,
        },
        "policy": {"time": trails.at(1), "event_id": "event-1-PutKeyPolicy", "names_image": True},
        "where": "log.json.gz: record 2",
    }
    assert total["data"] == {
        "answer": "1 of 3 calls on 1 key bound to attestation, 2026-11-21T10:01:00Z to 2026-11-21T10:03:00Z,"
        " must not be: 1 without attestation",
        "records": "measurements.json",
        "files": 1,
        "records_read": 3,
        "kms_records": 3,
        "unread": 1,
        "doubled": 0,
        "out_of_order": 0,
        "first": trails.at(1),
        "last": trails.at(3),
        "counts": [
            {"outcome": "skip", "finding": "trail.changed", "calls": 1},
            {"outcome": "pass", "finding": "trail.recorded", "calls": 1},
            {"outcome": "fail", "finding": "trail.unattested", "calls": 1},
        ],
        "remarks": [],
        "keys": [
            {
                "key": KEY,
                "key_id": KEY_ID,
                "bound": "policy",
                "attested": 1,
                "unattested": 1,
                "unattested_before_bound": 0,
                "denied": 0,
                "changes": 1,
            }
        ],
        "kinds": [
            {
                "outcome": outcome,
                "finding": finding,
                "event": event,
                "key_id": KEY_ID,
                "said": said,
                "calls": 1,
                "first": trails.at(minute),
                "last": trails.at(minute),
            }
            for outcome, finding, event, said, minute in (
                ("fail", "trail.unattested", "Decrypt", f"without attestation {BY}", 3),
                ("pass", "trail.recorded", "Decrypt", "signer-1.4.2@prod", 2),
                (
                    "skip",
                    "trail.changed",
                    "PutKeyPolicy",
                    f"every Allow of data names attestation; names signer-1.4.2@prod; {BY}",
                    1,
                ),
            )
        ],
    }
    assert total["notes"][-1] == "1 file or record could not be read; of that nothing is said"
    assert (total["exit_code"], ran.status) == (1, 1)


def test_uses_before_the_key_was_known_to_be_bound_are_told_at_the_end(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trail.__init__, "__kwdefaults__", {"window": 1})
    write(call(1), call(2), call(3, "DescribeKey"), attested(4), attested(5))
    told = cli("kms", "trail", "log.json.gz")
    assert (
        "\n✗ 1x       2026-11-21T10:01:00Z  2026-11-21T10:01:00Z  "
        "without attestation, before anything in the files said that the key is bound [trail.unattested]\n"
    ) in told.stdout
    assert told.status == 1


def test_what_could_not_be_read_is_no_yes(cli: Cli) -> None:
    write(attested(1))
    Path("cut.json").write_bytes(delivered(attested(2), attested(3))[:-5])
    ran = cli("kms", "trail", "log.json.gz", "cut.json", "missing.json")
    assert ran.status == 3
    assert (
        "– not read: cut.json: after 1 record: not CloudTrail's JSON: expecting ',' delimiter [kms.trail-unreadable]\n"
    ) in ran.stdout
    assert "– not read: missing.json: cannot read: no such file or directory [file.unreadable]\n" in ran.stdout
    assert "\n! 2 calls on 1 key bound to attestation, " in ran.stdout
    assert ran.stderr.endswith(
        "nitroctl: error: 2 files or records could not be read [kms.trail-unread]\n"
        "nitroctl: hint: the findings say why\n"
    )


@pytest.mark.parametrize(
    ("events", "among", "what"),
    [
        ((), "0 records", "no record of KMS among 0 records"),
        ((call(1) | {"eventSource": "s3.amazonaws.com"},), "0 records", "no record of KMS among 1 record"),
        ((call(1),), "1 record", "none of 1 record of KMS has to do with attestation"),
    ],
)
def test_nothing_about_attestation_is_no_answer(
    cli: Cli, events: tuple[dict[str, Any], ...], among: str, what: str
) -> None:
    write(*events)
    ran = cli("kms", "trail", "log.json.gz")
    assert (ran.status, ran.stdout) == (
        3,
        f"! no key is bound to attestation among {among} of KMS\nrecords  measurements.json\n",
    )
    assert ran.stderr == (
        f"{NOTES}nitroctl: error: {what} [kms.trail-empty]\n"
        "nitroctl: hint: a trail can leave out what KMS writes: aws cloudtrail get-event-selectors\n"
        "nitroctl: hint: name the key that may be used with attestation only: --key ARN\n"
    )


def test_where_an_image_ran_is_told_before_what_else_there_is_to_say(cli: Cli) -> None:
    write(policy(1, allow("other")), attested(2), attested(2))
    ran = cli("kms", "trail", "log.json.gz")
    remark = f"the policy set at {trails.at(1)} does not name it"
    assert ran.stdout.splitlines()[1] == (
        line("!", 2, "Decrypt", f"signer-1.4.2@prod, in {MODULE}; {remark} [trail.recorded]").rstrip()
    )
    assert "nitroctl: note: 1 record was read twice and is counted once\n" in ran.stderr


def test_a_named_key_that_was_not_used_is_an_answer(cli: Cli) -> None:
    write(call(1, resources=[{"ARN": trails.OTHER}]))
    ran = cli("kms", "trail", "log.json.gz", "--key", KEY)
    assert ran == Ran(
        0,
        "! no use of 1 key bound to attestation among 1 record of KMS\n"
        "records  measurements.json\n"
        "\n"
        "Keys bound to attestation\n"
        f"  named  {KEY_ID}: not in the files\n",
        NOTES,
    )


def test_a_use_that_does_not_name_its_key_is_no_yes(cli: Cli) -> None:
    write(attested(1), call(2, resources=[]))
    ran = cli("kms", "trail", "log.json.gz")
    assert "\n! 1 call on 1 key bound to attestation, " in ran.stdout
    assert ran.stderr.endswith(
        "nitroctl: error: 1 unattested use without the key's ARN or id, and so not judged [kms.trail-keys]\n"
        "nitroctl: hint: take the whole records, with their member resources\n"
    )
    assert ran.status == 3


def test_what_aws_printed_is_read_from_standard_input(cli: Cli) -> None:
    ran = cli("kms", "trail", "-", stdin=trails.looked_up(attested(1), call(2), NextToken="more"))
    assert [text[:3] for text in ran.stdout.splitlines()[:2]] == ["✓ 2", "✗ 2"]
    assert ran.stderr.endswith("nitroctl: note: 1 of AWS's answers says that there is more, which is not in it\n")
    assert ran.status == 1


def test_directories_as_they_are_in_s3(cli: Cli) -> None:
    for region in ("eu-west-1", "us-east-1"):
        day = Path("AWSLogs", trails.ACCOUNT, "CloudTrail", region, "2026", "11", "21")
        day.mkdir(parents=True)
        minute = 2 if region == "eu-west-1" else 1
        (day / "a.json.gz").write_bytes(gzip.compress(delivered(attested(minute, awsRegion=region))))
    ran = cli("kms", "trail", "AWSLogs", "--every")
    assert [text[2:22] for text in ran.stdout.splitlines()[:2]] == [trails.at(1), trails.at(2)]
    assert ran.status == 0


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ([], "trail.recorded"),
        (["--environment", "prod"], "trail.recorded"),
        (["--component", "signer"], "trail.recorded"),
        (["--environment", "staging"], "trail.unknown"),
        (["--no-records"], "trail.not-compared"),
    ],
)
def test_which_images_are_accepted(cli: Cli, options: list[str], finding: str) -> None:
    records.write(Path("measurements.json"), records.active(), records.active("2", environment="staging"))
    write(attested(1))
    assert documents(cli("kms", "trail", "log.json.gz", "--json", *options))[0]["data"]["finding"] == finding


def test_without_records_the_answer_is_no_plain_yes(cli: Cli) -> None:
    Path("measurements.json").unlink()
    write(attested(1))
    ran = cli("kms", "trail", "log.json.gz", "--no-records")
    assert "\n! 1 call on 1 key bound to attestation, " in ran.stdout
    assert ran.stderr == f"{NOTES}nitroctl: note: the images were not compared with any records\n"
    assert ran.status == 0


@pytest.mark.parametrize(
    ("argv", "status", "code"),
    [
        (["log.json.gz", "--records", "missing.json"], 3, "records.missing"),
        (["log.json.gz", "--environment", "nowhere"], 3, "kms.trail-records"),
        (["log.json.gz", "--key", "alias/signer"], 2, "kms.trail-key"),
        (["log.json.gz", "--no-records", "--environment", "prod"], 2, "usage.invalid"),
        (["-", "-"], 2, "usage.invalid"),
        (["log.json.gz", "--format", "sarif"], 2, "usage.invalid"),
        ([], 2, "usage.invalid"),
    ],
)
def test_wrong_invocations(cli: Cli, argv: list[str], status: int, code: str) -> None:
    write(attested(1))
    ran = cli("kms", "trail", *argv)
    assert (ran.status, ran.stdout) == (status, "")
    assert f"[{code}]" in ran.stderr


def test_hostile_text_is_shown_and_not_obeyed(cli: Cli) -> None:
    identity = trails.identity() | {"arn": "\x1b[2J::error::\u202e"}
    write(attested(1), call(2, userIdentity=identity, sourceIPAddress="\x9b1m"))
    ran = cli("kms", "trail", "log.json.gz", "--color", "never")
    assert "without attestation by \\x1b[2J::error::\\u202e from \\x9b1m" in ran.stdout
    assert not {"\x1b", "\u202e", "\x9b"} & set(ran.stdout)


def test_several_environments_are_noted(cli: Cli) -> None:
    records.write(Path("measurements.json"), records.active(), records.active("2", environment="staging"))
    write(attested(1))
    ran = cli("kms", "trail", "log.json.gz")
    assert "note: images of every recorded environment count as recorded; --environment names one\n" in ran.stderr


def test_it_imports_only_what_it_needs(tmp_path: Path) -> None:
    write(attested(1))
    assert heavy(loaded("kms", "trail", "log.json.gz", "--json", cwd=tmp_path)) == set()
    assert heavy(loaded("kms", "trail", "log.json.gz", cwd=tmp_path)) == {"rich"}
