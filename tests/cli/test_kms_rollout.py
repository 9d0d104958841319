"""``kms rollout`` and ``kms finalize``: the key, then the records; whatever stops between is finished by a repeat."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nitroctl import records as ledgers
from nitroctl.aws import policies
from nitroctl.records import Entry, Ledger, Step, lifecycle
from tests import records
from tests.conftest import Cli, Ran, as_nobody
from tests.kms_live import ADMIN, KEY, ROLE, WRITER, Policy
from tests.kms_requests import PCR0, statement

if TYPE_CHECKING:
    from tests.fakes.kms import Kms

ENTRY = "signer-1.4.3@prod"
OWN = statement(Sid="Mine", Principal={"AWS": ADMIN}, Action="kms:ListAliases")
START: Policy = {
    "Version": "2012-10-17",
    "Statement": [
        OWN,
        statement(Sid="Writer", Principal={"AWS": WRITER}, Action=["kms:GetKeyPolicy", "kms:PutKeyPolicy"]),
    ],
}


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(policies, "_sleep", lambda _: None)
    write_records()
    write_targets()


def write_records(*entries: Entry) -> None:
    records.write(Path("measurements.json"), *(entries or (records.active("1.4.2"), records.entry("1.4.3"))))


def write_targets(key: str = KEY, **changes: Any) -> None:
    members = {
        "key": key,
        "environment": "prod",
        "components": ["signer"],
        "enclave_roles": [ROLE],
        "admin_roles": [ADMIN],
        "policy_writers": [WRITER],
    } | changes
    kept = {name: value for name, value in members.items() if value is not None}
    document = {"schema": "urn:nitroctl:kms-targets:1", "keys": {"signer": kept}}
    Path("targets.yaml").write_text(json.dumps(document))


def run(cli: Cli, verb: str, *argv: str, entry: str = ENTRY) -> Ran:
    return cli("kms", verb, entry, "--targets", "targets.yaml", *argv)


def statuses() -> dict[str, str]:
    return {entry.id: entry.status.value for entry in ledgers.load("measurements.json")}


def images(policy: Policy) -> list[str]:
    """Return the PCR0 values that the policy's Allows name."""
    found = [
        each.get("Condition", {}).get("StringEqualsIgnoreCase", {}).get(PCR0, [])
        for each in policy["Statement"]
        if each["Effect"] == "Allow"
    ]
    return sorted(value for each in found for value in ([each] if isinstance(each, str) else each))


def pcr0(*versions: str) -> list[str]:
    return sorted(records.pcrs(version)[0].hex() for version in versions)


def test_a_release_is_rolled_out_and_the_old_one_closed(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    first = run(cli, "rollout", "--yes", "--json", "--quiet")
    assert (first.status, first.json["data"]["releases"]) == (0, ["signer-1.4.2@prod", ENTRY])
    undo = "nitroctl kms undo puts the key's policy back, and leaves measurements.json as it is now"
    assert first.json["notes"] == [undo]
    assert first.json["data"]["ledger"] == {
        "records": "measurements.json",
        "written": True,
        "changed": [{"entry": ENTRY, "before": "candidate", "after": "active"}],
    }
    assert images(kms_service.policy()) == pcr0("1.4.2", "1.4.3")
    assert statuses() == {"signer-1.4.2@prod": "active", ENTRY: "active"}
    last = run(cli, "finalize", "--yes", "--quiet")
    shown = last.stdout.splitlines()
    assert (last.status, shown[0]) == (0, f"✓ {KEY} has the new policy: 3 statements changed, 1 removed")
    assert shown[1] == f"from           targets.yaml, for {ENTRY}"
    assert shown[-3:] == [
        "measurements.json follows",
        "version            was     is",
        "signer-1.4.2@prod  active  retired",
    ]
    assert images(kms_service.policy()) == pcr0("1.4.3")
    assert statuses() == {"signer-1.4.2@prod": "retired", ENTRY: "active"}
    assert OWN in kms_service.policy()["Statement"]  # the operator's own stays through both


def test_a_candidate_is_not_finalized_and_the_next_step_is_with_the_key(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    ran = run(cli, "finalize", "--yes")
    assert (ran.status, ran.stdout, kms_service.requests) == (3, "", [])
    assert ran.stderr == (
        f"nitroctl: error: {ENTRY} is candidate: a rollout is finished by the entry that stays active"
        " [records.transition]\n"
        f"nitroctl: hint: nitroctl kms rollout {ENTRY} --targets targets.yaml\n"
    )


#: Options that were given, and how a command repeats them.
GIVEN = {
    "the-key": (("--key", KEY), f" --key {KEY}"),
    "the-target": (("--target", "signer"), " --target signer"),
    "the-backups": (("--backup-dir", "kept here"), " --backup-dir 'kept here'"),
    "the-replicas": (("--replicas", "none"), " --replicas none"),
    "all": (
        (
            "--replicas",
            "all",
            "--backup-dir",
            "kept",
            "--records",
            "my records.json",
            "--target",
            "signer",
            "--key",
            KEY,
        ),
        f" --target signer --key {KEY} --records 'my records.json' --backup-dir kept --replicas all",
    ),
}


@pytest.mark.parametrize("which", GIVEN)
def test_the_next_step_has_the_options_that_were_given(cli: Cli, kms_service: "Kms", which: str) -> None:
    kms_service.create(START)
    Path("my records.json").write_text(Path("measurements.json").read_text())
    given, told = GIVEN[which]
    ran = run(cli, "finalize", "--yes", *given)
    assert (ran.status, ran.stderr.splitlines()[-1]) == (
        3,
        f"nitroctl: hint: nitroctl kms rollout {ENTRY} --targets targets.yaml{told}",
    )


def test_what_is_to_be_finished_first_is_finished_with_the_key(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    write_records(records.active("1.4.1"), records.active("1.4.2"), records.entry("1.4.3"))
    ran = run(cli, "rollout", "--yes", "--records", "measurements.json")
    assert (ran.status, kms_service.requests) == (3, [])
    assert ran.stderr == (
        f"nitroctl: error: {ENTRY} would be one more than 2 active entries: signer-1.4.1@prod, signer-1.4.2@prod"
        " [records.too-many-active]\n"
        "nitroctl: hint: finish the last rollout first: nitroctl kms finalize signer-1.4.2@prod --targets targets.yaml"
        " --records measurements.json\n"
    )


@pytest.mark.parametrize(
    ("given", "told"), [((), ""), (("--records", "measurements.json"), " --records measurements.json")]
)
def test_an_entry_that_is_not_there_is_looked_for_in_the_same_records(
    cli: Cli, kms_service: "Kms", given: tuple[str, ...], told: str
) -> None:
    kms_service.create(START)
    ran = run(cli, "rollout", *given, entry="other@prod")
    assert ran.stderr.splitlines()[-1] == f"nitroctl: hint: nitroctl pcr list{told} lists them"


def test_a_repeat_changes_nothing(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    run(cli, "rollout", "--yes")
    ran = run(cli, "rollout")  # nothing to write: nobody is asked
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == f"✓ {KEY} has this policy already: nothing was written\nmeasurements.json says so already\n"
    assert len(kms_service.asked("PutKeyPolicy")) == 1


def test_a_dry_run_changes_neither(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    ran = run(cli, "rollout", "--dry-run")
    assert ran.status == 0
    assert ran.stdout.splitlines()[0] == (
        f"{KEY}: would be written from targets.yaml, for signer-1.4.2@prod, {ENTRY}: 10 statements added"
    )
    assert ran.stdout.endswith(
        f"measurements.json would follow\nversion            is         would be\n{ENTRY}  candidate  active\n"
    )
    assert (kms_service.asked("PutKeyPolicy"), statuses()[ENTRY]) == ([], "candidate")


def test_nobody_to_ask_changes_neither(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    ran = run(cli, "rollout")
    assert (ran.status, "[kms.declined]" in ran.stderr) == (3, True)
    assert (kms_service.asked("PutKeyPolicy"), statuses()[ENTRY]) == ([], "candidate")


def test_a_key_that_refuses_leaves_the_records(cli: Cli, kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    kms_service.create(START)
    kms_service.knobs.refuse["PutKeyPolicy"] = Refusal("AccessDeniedException")
    assert (run(cli, "rollout", "--yes").status, statuses()[ENTRY]) == (5, "candidate")


def test_a_policy_that_is_not_seen_leaves_the_records_and_a_repeat_finishes(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    kms_service.knobs.late = 1000
    ran = run(cli, "rollout", "--yes", "--quiet", "--wait", "3")
    assert (ran.status, statuses()[ENTRY]) == (1, "candidate")
    assert ran.stdout.splitlines()[-3] == f"look first     nitroctl kms show --key {KEY}"
    assert ran.stdout.splitlines()[-2].startswith(f"to go back     nitroctl kms undo --key {KEY} --from /")
    assert ran.stdout.splitlines()[-1] == (
        "measurements.json was not changed: the same command, run again, looks at the key and finishes it"
    )
    kms_service.knobs.late = 0
    assert (run(cli, "rollout").status, statuses()[ENTRY]) == (0, "active")
    assert len(kms_service.asked("PutKeyPolicy")) == 1


def test_another_writer_leaves_the_records(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    kms_service.knobs.after["PutKeyPolicy"] = lambda: kms_service.put(START)
    assert (run(cli, "rollout", "--yes", "--wait", "0").status, statuses()[ENTRY]) == (1, "candidate")


def revoke_the_old_one() -> None:
    """Do what ``pcr revoke`` does at another desk."""

    def steps(now: Ledger) -> tuple[Step, ...]:
        return lifecycle.revoke(now, now.find("signer-1.4.2@prod")[0], datetime.now(UTC), "leaked")

    ledgers.change("measurements.json", steps)


def test_records_that_changed_meanwhile_do_not_follow_and_a_repeat_sets_the_key_right(
    cli: Cli, kms_service: "Kms"
) -> None:
    kms_service.create(START)
    kms_service.knobs.after["PutKeyPolicy"] = revoke_the_old_one
    ran = run(cli, "rollout", "--yes", "--quiet")
    assert (ran.status, statuses()) == (3, {"signer-1.4.2@prod": "revoked", ENTRY: "candidate"})
    assert ran.stderr == (
        "nitroctl: error: measurements.json: changed by somebody else meanwhile [kms.records-changed]\n"
        "nitroctl: hint: the key has its new policy, and measurements.json has not followed\n"
        "nitroctl: hint: run the same command again: it leaves the key as it is where that fits the records\n"
        "nitroctl: hint: look at it: nitroctl pcr list\n"
    )
    assert images(kms_service.policy()) == pcr0("1.4.2", "1.4.3")
    assert (run(cli, "rollout", "--yes").status, images(kms_service.policy())) == (0, pcr0("1.4.3"))
    assert statuses() == {"signer-1.4.2@prod": "revoked", ENTRY: "active"}


def test_the_records_to_look_at_are_those_that_were_given(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    kms_service.knobs.after["PutKeyPolicy"] = revoke_the_old_one
    ran = run(cli, "rollout", "--yes", "--quiet", "--records", "measurements.json")
    assert ran.stderr.splitlines()[-1] == ("nitroctl: hint: look at it: nitroctl pcr list --records measurements.json")


def test_records_that_cannot_be_written_stop_it_before_the_key(kms_service: "Kms", tmp_path: Path) -> None:
    import subprocess

    from tests.conftest import program

    kms_service.create(START)
    tmp_path.chmod(0o755)
    command = [
        *as_nobody(),
        *program("kms", "rollout", ENTRY, "--targets", "targets.yaml", "--yes", "--backup-dir", "/tmp"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, "[file.unwritable]" in done.stderr) == (3, True), done.stderr
    assert kms_service.asked("PutKeyPolicy") == []


def test_what_opens_the_key_besides_is_refused(cli: Cli, kms_service: "Kms") -> None:
    open_ = statement(Sid="Old", Action="kms:ReEncrypt*", Principal={"AWS": ADMIN})
    shut = statement("Deny", Sid="Stale", Principal="*", Condition={"StringNotEquals": {PCR0: "ab" * 48}})
    kms_service.create({**START, "Statement": [*START["Statement"], open_, shut]})
    ran = run(cli, "rollout", "--yes")
    assert (ran.status, statuses()[ENTRY]) == (1, "candidate")
    assert "✗ every release may use the key\n" in ran.stdout
    assert "[generated.let-in]" in ran.stdout
    assert kms_service.asked("PutKeyPolicy") == []


def test_a_refusal_that_no_option_accepts_names_no_option(cli: Cli, kms_service: "Kms") -> None:
    shut = statement("Deny", Sid="Shut", Principal="*", Action="kms:Decrypt")
    kms_service.create({**START, "Statement": [*START["Statement"], shut]})
    ran = run(cli, "rollout", "--yes")
    assert (ran.status, "[generated.let-in]" in ran.stdout, "--accept" in ran.stdout + ran.stderr) == (1, True, False)
    assert (kms_service.asked("PutKeyPolicy"), statuses()[ENTRY]) == ([], "candidate")


def test_a_statement_that_looks_like_ours_and_is_not_is_refused(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create({**START, "Statement": [*START["Statement"], statement(Sid="NitroctlMine")]})
    ran = run(cli, "rollout", "--yes")
    assert (ran.status, "[kms.foreign-sid]" in ran.stderr) == (3, True)
    assert f"{KEY}: policy default" in ran.stderr


def test_the_key_may_be_an_alias_of_the_one_in_the_targets(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    assert run(cli, "rollout", "--yes", "--key", kms_service.alias("signer")).status == 0


#: What is asked for, and the words of the refusal; AWS is asked nothing.
WRONG: dict[str, tuple[dict[str, Any], list[str], str, str]] = {
    "a key nobody named": ({"key": None}, [], ENTRY, "[kms.key]"),
    "another component": ({"components": ["signer", "other"]}, [], "other-1.0.0@prod", "[records.no-such-entry]"),
    "another environment": ({"environment": "staging"}, [], ENTRY, "[kms.not-of-key]"),
    "an entry that is not there": ({}, [], "signer-9@prod", "[records.no-such-entry]"),
    "a target that is not there": ({}, ["--target", "other"], ENTRY, "[kms-targets.choice]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_meant_asks_aws_nothing(cli: Cli, kms_service: "Kms", name: str) -> None:
    changes, argv, entry, code = WRONG[name]
    write_targets(**({"key": KEY} | changes))
    ran = run(cli, "rollout", "--yes", *argv, entry=entry)
    assert (ran.status in (2, 3), ran.stdout, code in ran.stderr) == (True, "", True), ran.stderr
    assert kms_service.requests == []


def test_another_key_than_that_of_the_targets_is_refused(cli: Cli, kms_service: "Kms") -> None:
    other = kms_service.create(START, key_id="0000abcd-12ab-34cd-56ef-1234567890ab")
    ran = run(cli, "rollout", "--yes", "--key", other)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: --key: targets.yaml says another key: {KEY} [kms.other-key]\n")
    assert kms_service.asked("PutKeyPolicy") == []


def test_a_revoked_image_is_not_rolled_out(cli: Cli, kms_service: "Kms") -> None:
    cli("pcr", "revoke", ENTRY, "--reason", "leaked")
    ran = run(cli, "rollout", "--yes")
    assert (ran.status, "[records.transition]" in ran.stderr, kms_service.requests) == (3, True, [])


def test_an_image_that_was_revoked_under_another_name_is_shown_from_the_same_records(
    cli: Cli, kms_service: "Kms"
) -> None:
    write_records(records.entry("1.4.2", pcrs=records.pcrs("1.4.3")), records.entry("1.4.3"))
    cli("pcr", "revoke", "signer-1.4.2@prod", "--reason", "leaked")
    ran = run(cli, "rollout", "--yes", "--records", "measurements.json")
    assert (ran.status, kms_service.requests) == (3, [])
    assert ran.stderr.splitlines()[1:] == [
        "nitroctl: hint: build another image",
        "nitroctl: hint: nitroctl pcr show signer-1.4.2@prod --records measurements.json shows what was revoked",
    ]


@pytest.mark.parametrize("verb", ["apply", "diff"])
@pytest.mark.parametrize(
    ("given", "told"), [((), ""), (("--records", "measurements.json"), " --records measurements.json")]
)
def test_what_makes_a_candidate_active_is_told_with_the_records_given(
    cli: Cli, kms_service: "Kms", verb: str, given: tuple[str, ...], told: str
) -> None:
    kms_service.create(START)
    write_records(records.entry("1.4.3"))
    ran = cli("kms", verb, "--targets", "targets.yaml", *given)
    assert (ran.status, ran.stderr.splitlines()[-1]) == (
        3,
        f"nitroctl: hint: {ENTRY} is a candidate: nitroctl pcr rollout {ENTRY}{told} makes it active",
    )


def test_a_rollout_asks_in_one_sentence_for_the_key_and_the_records(kms_service: "Kms") -> None:
    from tests.cli.test_kms_apply import on_a_terminal

    kms_service.create(START)
    shown, code = on_a_terminal("kms", "rollout", ENTRY, "--targets", "targets.yaml", typed="n\n")
    assert code == 3
    assert f"\nWrite this to {KEY} and make active {ENTRY} in measurements.json? [y/N] " in shown


def test_finalize_of_a_candidate_is_refused(cli: Cli, kms_service: "Kms") -> None:
    ran = run(cli, "finalize", "--yes")
    assert (ran.status, "[records.transition]" in ran.stderr, kms_service.requests) == (3, True, [])


def test_every_replica_is_rolled_out(cli: Cli, kms_service: "Kms") -> None:
    name = "mrk-1234abcd12ab34cd56ef1234567890ab"
    primary = kms_service.create(START, key_id=name, MultiRegion=True)
    replica = kms_service.replicate("us-east-1", START, key_id=name)
    write_targets(key=primary)
    assert run(cli, "rollout", "--yes").status == 2
    ran = run(cli, "rollout", "--yes", "--replicas", "all", "--quiet", "--json")
    assert (ran.status, [each["outcome"] for each in ran.json["data"]["targets"]]) == (0, ["written", "written"])
    assert images(kms_service.policy(arn=replica)) == pcr0("1.4.2", "1.4.3")
    assert statuses()[ENTRY] == "active"


def test_diff_and_apply_hold_the_key_to_its_targets(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    write_records(records.active("1.4.2"), records.active("1.4.3"))
    source = f"targets.yaml, for signer-1.4.2@prod, {ENTRY}"
    ran = cli("kms", "diff", "--targets", "targets.yaml")
    assert (ran.status, ran.stdout.splitlines()[0]) == (1, f"✗ {KEY} and {source} differ: 10 statements added")
    ran = cli("kms", "apply", "--targets", "targets.yaml", "--yes", "--quiet")
    assert (ran.status, ran.stdout.splitlines()[1]) == (0, f"from           {source}")
    ran = cli("kms", "diff", "--targets", "targets.yaml")
    assert (ran.status, ran.stdout, ran.stderr) == (0, f"✓ {KEY} and {source} say the same\n", "")


def test_after_a_revocation_apply_closes_the_key(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(START)
    write_records(records.active("1.4.2"), records.active("1.4.3"))
    cli("kms", "apply", "--targets", "targets.yaml", "--yes")
    revoke_the_old_one()
    assert cli("kms", "apply", "--targets", "targets.yaml", "--yes").status == 0
    assert images(kms_service.policy()) == pcr0("1.4.3")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["apply", "policy.json", "--targets", "targets.yaml"], "POLICY and --targets are two policies"),
        (["apply", "policy.json"], "what is to be given to which key: write POLICY and --key ARN, or --targets"),
        (["apply", "--key", KEY], "what is to be given to which key: write POLICY and --key ARN, or --targets"),
        (["apply", "p", "--key", KEY, "--target", "x"], "--target names a key of --targets, which is not given"),
        (["diff", "policy.json", "--targets", "targets.yaml"], "POLICY and --targets are two policies"),
        (["diff", "p", "--key", KEY, "--records", "r"], "--target and --records are for --targets, which is not given"),
    ],
)
def test_what_is_given_is_one_policy(cli: Cli, kms_service: "Kms", argv: list[str], message: str) -> None:
    ran = cli("kms", *argv)
    assert (ran.status, ran.stdout, kms_service.requests) == (2, "", [])
    assert ran.stderr.startswith(f"nitroctl: error: {message} [usage.invalid]\n")
