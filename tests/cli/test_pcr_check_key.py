"""``nitroctl pcr check --key``: recorded, running, and named by the policies of a key in AWS."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests import images, records
from tests.conftest import Cli, Ran
from tests.fakes.kms import KEY, Kms, Refusal
from tests.kms_live import B, good
from tests.kms_requests import PCR0, ROLE, statement

READ = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z")
MEASURED = images.registers(images.forge())
NAMED = MEASURED[0].hex()
NOTES = (
    f"nitroctl: note: the policies are those that AWS told of {KEY} at NOW\n"
    "nitroctl: note: of the key policy, what its statements name was read; what it lets through was not proved\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory with an image and its active record."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.eif").write_bytes(images.forge())
    records.write(tmp_path / "measurements.json", records.active(pcrs={index: MEASURED[index] for index in (0, 1, 2)}))


def check(cli: Cli, *more: str) -> Ran:
    ran = cli("pcr", "check", "--key", KEY, *more)
    return Ran(ran.status, ran.stdout, READ.sub("NOW", ran.stderr))


def test_a_key_that_names_what_is_recorded_is_a_yes(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(NAMED))
    ran = check(cli)
    assert (ran.status, ran.stderr) == (0, NOTES)
    assert ran.stdout.startswith("✓ yes: what was looked at is recorded and active\n")
    data = check(cli, "--json", "--eif", "app.eif").json["data"]
    assert (data["key"]["arn"], data["key_policy"]) == (KEY, None)
    assert [(each["entry"], each["named_by"]) for each in data["entries"]] == [("signer-1.4.2@prod", ["Use"])]


def test_a_key_that_names_another_image_has_drifted_both_ways(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(B))
    ran = check(cli, "--json")
    failed = [each["id"] for each in ran.json["data"]["report"]["checks"] if each["outcome"] == "fail"]
    assert (ran.status, failed) == (1, ["drift.key-recorded", "drift.key-complete"])


def test_what_the_second_policy_names_counts_and_is_said_to_be_there(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(NAMED))
    gate = {"StringEqualsIgnoreCase": {PCR0: B}}
    kms_service.share({"Version": "2012-10-17", "Statement": [statement(Sid="Shared", Condition=gate)]})
    ran = check(cli)
    assert ran.status == 1
    assert f"AWS_RAM: Shared names PCR0 {B}, which is not recorded" in ran.stdout


def test_grants_state_and_replicas_are_told_beside_the_answer(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(NAMED), MultiRegion=True)
    replica = kms_service.replicate("eu-north-1")
    kms_service.grant(ROLE, "Decrypt")
    kms_service.state("Disabled")
    assert check(cli).stderr == (
        f"nitroctl: note: the policies are those that AWS told of {KEY} at NOW\n"
        "nitroctl: note: the key is Disabled: KMS does not use it for data now\n"
        f"nitroctl: note: the key has 1 grant, bound to no image: nitroctl kms show --key {KEY}\n"
        f"nitroctl: note: not looked at: the same key, with a policy of its own each, in {replica}\n"
        "nitroctl: note: of the key policy, what its statements name was read; what it lets through was not proved\n"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--key-policy", "policy.json"), "--key and --key-policy are one policy each"),
        (("--pcr", f"PCR0={B}"), "--pcr is compared alone"),
    ],
    ids=["policy", "pcr"],
)
def test_wrong_invocations(cli: Cli, more: tuple[str, ...], said: str) -> None:
    ran = check(cli, *more)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: {said}")


def test_a_key_that_cannot_be_read_is_no_answer(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(NAMED))
    kms_service.knobs.refuse["ListKeyPolicies"] = Refusal("AccessDeniedException", "no")
    ran: Any = check(cli)
    assert (ran.status, ran.stdout) == (5, "")
    assert "[aws.access-denied]\n" in ran.stderr
