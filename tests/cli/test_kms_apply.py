"""``kms apply`` and ``kms undo``: judged, shown, kept, written, seen; and put back. Whole outputs."""

import fcntl
import json
import os
import pty
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nitroctl.aws import policies
from nitroctl.errors import AwsFailed
from nitroctl.kms import canonical
from nitroctl.kms.document import Kind, parse
from tests.conftest import ROOT, Cli, Ran, program
from tests.fakes import kms_policy
from tests.kms_live import ADMIN, KEY, REQUEST, ROLE, SESSION, A, B, Policy, default, good, write
from tests.kms_requests import PCR0, statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.kms import Kms

NAME = "111122223333.eu-west-1.1234abcd-12ab-34cd-56ef-1234567890ab"
#: What stands before the answer on stderr: the change from image A to A and B.
SHOWN = (
    f"{KEY}, from policy.json: 2 statements changed\n"
    "  statement Use: changed\n"
    f"+     Condition/StringEqualsIgnoreCase/{PCR0}:\n+         {B}\n"
    "  statement Other: changed\n"
    f"+     Condition/StringNotEqualsIgnoreCase/{PCR0}:\n+         {B}\n"
)


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(policies, "_sleep", lambda _: None)


def digest(policy: Policy) -> str:
    return canonical.digest(parse(json.dumps(policy), where="policy"))


def stored(policy: Policy) -> Policy:
    return dict(json.loads(kms_policy.stored(json.dumps(policy))))


def kept() -> list[Path]:
    return sorted((Path(os.environ["HOME"]) / ".local/state/nitroctl/key-policies").glob("*.json"))


def apply(cli: Cli, policy: Policy, *argv: str, file: str = "policy.json") -> Ran:
    write(Path(file), policy)
    return cli("kms", "apply", file, "--key", KEY, *argv)


def test_a_policy_is_written_kept_and_seen(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    ran = apply(cli, good(A, B), "--yes")
    [backup] = kept()
    assert (ran.status, ran.stderr) == (0, SHOWN)
    assert ran.stdout == (
        f"✓ {KEY} has the new policy: 2 statements changed\n"
        "from           policy.json\n"
        f"policy before  {digest(good(A))}\n"
        f"policy wanted  {digest(good(A, B))}\n"
        f"kept in        {backup}\n"
        f"to go back     nitroctl kms undo --key {KEY}\n"
    )
    assert backup.name.startswith(f"{NAME}.20")
    assert kms_service.policy() == stored(good(A, B))
    assert [name for name, _ in kms_service.requests] == [
        *("DescribeKey", "ListKeyPolicies", "GetKeyPolicy", "ListGrants", "GetCallerIdentity"),
        *("GetKeyPolicy", "PutKeyPolicy", "GetKeyPolicy"),
    ]
    assert kms_service.asked("PutKeyPolicy")[0]["Policy"] == json.dumps(good(A, B), separators=(",", ":"))


def test_the_answer_as_json(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    ran = apply(cli, good(A, B), "--yes", "--json", "--quiet")
    data = ran.json["data"]
    [backup] = kept()
    [target] = data["targets"]
    assert (ran.status, ran.stderr) == (0, "")
    assert (data["dry_run"], data["caller"], data["report"]["verdict"]) == (False, SESSION, "pass")
    assert [check["id"] for check in data["report"]["checks"]] == [
        *(
            "apply.customer-key",
            "apply.state",
            "apply.size",
            "apply.characters",
            "apply.principals",
            "apply.lockout",
            "apply.grants",
            "apply.findings",
            "apply.proof",
        ),
    ]
    assert {check["outcome"] for check in data["report"]["checks"]} == {"pass"}
    changes = target.pop("difference")["changes"]
    assert [change["label"] for change in changes] == ["Use", "Other"]
    assert target == {
        "key": KEY,
        "outcome": "written",
        "before": {"source": KEY, "sha256": digest(good(A)), "statements": 6, "size_bytes": 1408},
        "after": {"source": "policy.json", "sha256": digest(good(A, B)), "statements": 6, "size_bytes": 1586},
        "backup": str(backup),
        "undo": f"nitroctl kms undo --key {KEY}",
        "found_sha256": digest(good(A, B)),
    }


def test_a_dry_run_writes_nothing(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    ran = apply(cli, good(A, B), "--dry-run")
    first, rest = SHOWN.split("\n", 1)
    assert first == f"{KEY}, from policy.json: 2 statements changed"
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == f"{KEY}: would be written from policy.json: 2 statements changed\n{rest}"
    assert (kms_service.asked("PutKeyPolicy"), kept()) == ([], [])


def test_what_the_key_has_already_is_not_written_again(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A, B))
    ran = apply(cli, good(B, A))
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == f"✓ {KEY} has this policy already: nothing was written\n"
    assert (kms_service.asked("PutKeyPolicy"), kept()) == ([], [])


def test_nobody_to_ask_is_a_no(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    ran = apply(cli, good(A, B))
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr == (
        "nitroctl: error: nothing was written: there is no terminal to ask on [kms.declined]\n"
        "nitroctl: hint: add --yes to write it; --dry-run shows the change\n"
    )
    assert (kms_service.asked("PutKeyPolicy"), kept()) == ([], [])


@pytest.mark.parametrize(("typed", "status"), [("y\n", 0), ("yes\n", 0), ("n\n", 3), ("\n", 3), ("", 3)])
def test_on_a_terminal_it_asks(kms_service: "Kms", typed: str, status: int) -> None:
    kms_service.create(good(A))
    write(Path("policy.json"), good(A, B))
    shown, code = on_a_terminal("kms", "apply", "policy.json", "--key", KEY, typed=typed)
    assert code == status
    assert f"\nWrite this to {KEY}? [y/N] " in shown
    assert len(kms_service.asked("PutKeyPolicy")) == (1 if status == 0 else 0)
    declined = "\nnitroctl: error: nothing was written: declined [kms.declined]\n"
    assert shown.endswith(declined) == (status == 3)  # on a line of its own, and no word of --yes to who said no


def on_a_terminal(*argv: str, typed: str) -> tuple[str, int]:
    """Run nitroctl on a terminal on which ``typed`` is typed (nothing: the end of input), and return what it shows."""
    parent, child = pty.openpty()
    running = subprocess.Popen(program(*argv), stdin=child, stdout=child, stderr=child, close_fds=True)
    os.close(child)
    shown = b""
    while b"[y/N] " not in shown and b"to write it: " not in shown and running.poll() is None:
        shown += _read(parent)
    os.write(parent, typed.encode() or b"\x04")
    while chunk := _read(parent):
        shown += chunk
    os.close(parent)
    return shown.decode().replace("\r\n", "\n"), running.wait()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""


def test_a_policy_with_a_way_around_is_refused(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    grant = kms_service.grant(ROLE, "Decrypt")
    ran = apply(cli, good(A, Unattested=None, Other=None), "--yes")
    assert ran.status == 1
    assert ran.stdout == (
        f"✗ {KEY}: not written from policy.json: 2 checks refused it\n"
        "- statement Unattested: removed\n"
        "-     Effect: Deny\n"
        "-     Principal/AWS: *\n"
        "-     Action: kms:Decrypt\n"
        "-     Action: kms:DeriveSharedSecret\n"
        "-     Action: kms:GenerateDataKey\n"
        "-     Action: kms:GenerateDataKeyPair\n"
        "-     Resource: *\n"
        f"-     Condition/Null/{PCR0}: true\n"
        "- statement Other: removed\n"
        "-     Effect: Deny\n"
        "-     Principal/AWS: *\n"
        "-     Action: kms:Decrypt\n"
        "-     Action: kms:DeriveSharedSecret\n"
        "-     Action: kms:GenerateDataKey\n"
        "-     Action: kms:GenerateDataKeyPair\n"
        "-     Resource: *\n"
        f"-     Condition/StringNotEqualsIgnoreCase/{PCR0}:\n-         {A}\n"
        "✗ no grant that exists goes past attestation\n"
        f"  critical: the grant {grant} lets {ROLE} use kms:Decrypt without a named image\n"
        f"  fix: aws kms revoke-grant --region eu-west-1 --key-id {KEY} --grant-id {grant}, or deny unattested use"
        " to everybody; or --accept KP044\n"
        "  [kp044.live-grants]\n"
        "✗ nobody gets data without attesting an image that the policy names\n"
        "  the role that is named is allowed kms:Decrypt (attests nothing)\n"
        f"  fix: nitroctl kms prove POLICY --key {KEY} --grants GRANTS shows the request; or --accept proof\n"
        "  [apply.proof]\n"
    )
    assert ran.stderr == "nitroctl: note: to write it all the same, add --accept KP044 --accept proof\n"
    assert (kms_service.asked("PutKeyPolicy"), kept()) == ([], [])


SECOND = "nitroctl: note: the key has a second policy, AWS_RAM, which allows as much as this one and "


def test_the_second_policy_is_judged_together_with_the_new_one(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.share({"Version": "2012-10-17", "Statement": [statement(Sid="Use")]})
    ran = apply(cli, good(B), "--dry-run")
    assert (ran.status, ran.stderr) == (0, f"{SECOND}was judged together with it, and is not written\n")
    assert ran.stdout == (
        f"{KEY}: would be written from policy.json: 2 statements changed\n"
        "  statement Use: changed\n"
        f"      Condition/StringEqualsIgnoreCase/{PCR0}:\n-         {A}\n+         {B}\n"
        "  statement Other: changed\n"
        f"      Condition/StringNotEqualsIgnoreCase/{PCR0}:\n-         {A}\n+         {B}\n"
        "! the key has this policy and no other\n"
        "  high: default: the key has a second policy, AWS_RAM, which is judged together with this one\n"
        "  fix: see that what it allows is meant, or end the sharing in Resource Access Manager\n"
        "  [kp045.ram-policy]\n"
    )
    ran = apply(cli, good(A, Unattested=None, Other=None), "--yes")
    assert ran.status == 1
    assert ran.stderr == (
        f"{SECOND}was judged together with it, and is not written\n"
        "nitroctl: note: to write it all the same, add --accept KP001 --accept proof\n"
    )
    assert "  critical: AWS_RAM, statement 1 (Use), line 4: " in ran.stdout
    assert cli("kms", "diff", "policy.json", "--key", KEY).stderr == f"{SECOND}is not compared here\n"


def test_a_policy_that_is_too_large_is_told_so_once(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    ran = apply(cli, good(A) | {"Id": "x" * 33_000}, "--yes")
    assert (ran.status, ran.stderr, kms_service.asked("PutKeyPolicy")) == (1, "", [])
    assert ran.stdout == (
        f"✗ {KEY}: not written from policy.json: 1 check refused it\n"
        "+ Id:\n"
        f"+     {'x' * 33_000}\n"
        "✗ the policy fits into what KMS takes\n"
        "  34392 bytes as compact JSON\n"
        "  expected  at most 32768\n"
        "  fix: retire releases that are no longer run\n"
        "  [apply.size]\n"
    )


def test_what_was_accepted_by_name_is_written_and_told(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    names = ["--accept", "kp002.root-delegation", "--accept", "KP005", "--accept", "kp006", "--accept", "proof"]
    ran = apply(cli, default(), "--yes", *names)
    assert (ran.status, ran.stdout.splitlines()[0]) == (0, f"✓ {KEY} has the new policy: 1 statement added, 6 removed")
    assert ran.stderr.count("accepted") == 4
    assert kms_service.policy() == stored(default())


def test_a_policy_that_locks_the_caller_out_is_not_even_sent(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.caller = "arn:aws:iam::111122223333:role/stranger"
    ran = apply(cli, good(A, B), "--yes")
    assert ran.status == 1
    assert ran.stdout.endswith(
        "✗ the caller can still replace the policy afterwards\n"
        "  arn:aws:iam::111122223333:role/stranger may not call kms:PutKeyPolicy under the new policy: "
        "no statement allows it\n"
        "  fix: run it as a role that the policy lets replace it, or add this one; --bypass-lockout-check "
        "if it is meant to be final\n"
        "  [apply.lockout]\n"
    )
    assert (ran.stderr, kms_service.asked("PutKeyPolicy")) == ("", [])


def test_a_final_policy_needs_its_own_word(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    assert apply(cli, good(A, Writer=None), "--yes").status == 1
    ran = apply(cli, good(A, Writer=None), "--yes", "--bypass-lockout-check")
    assert (ran.status, ran.stdout.splitlines()[0]) == (0, f"✓ {KEY} has the new policy: 1 statement removed")
    assert (
        f"{SESSION} may not replace it again: no statement allows it; accepted with --bypass-lockout-check"
        in ran.stderr
    )
    assert "[kp052.lockout-bypass]" in ran.stderr
    assert ran.stdout.endswith("\nto go back     nobody can, for no statement lets anybody call kms:PutKeyPolicy\n")
    assert kms_service.asked("PutKeyPolicy")[0]["BypassPolicyLockoutSafetyCheck"] is True


def test_after_a_final_policy_no_command_is_told_that_cannot_work(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    ran = apply(cli, good(A, Writer=None), "--yes", "--bypass-lockout-check", "--json", "--quiet")
    [target] = ran.json["data"]["targets"]
    assert (target["outcome"], target["undo"]) == ("written", None)
    assert "kms undo" not in ran.stdout + ran.stderr


def test_a_bypass_that_was_not_needed_leaves_the_way_back(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    ran = apply(cli, good(A, B), "--yes", "--bypass-lockout-check", "--quiet")
    assert ran.stdout.endswith(f"\nto go back     nitroctl kms undo --key {KEY}\n")


def test_whoever_else_may_replace_it_the_caller_is_told_that_it_may_not(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    other = statement(Sid="Writer", Principal={"AWS": ADMIN}, Action="kms:PutKeyPolicy")
    ran = apply(cli, good(A, Writer=other), "--yes", "--bypass-lockout-check", "--quiet")
    assert ran.stdout.endswith(f"\nto go back     {SESSION} cannot, for no statement allows it\n")


def test_a_final_policy_is_confirmed_with_the_keys_id(kms_service: "Kms") -> None:
    kms_service.create(good(A))
    write(Path("policy.json"), good(A, Writer=None))
    argv = ["kms", "apply", "policy.json", "--key", KEY, "--bypass-lockout-check"]
    assert on_a_terminal(*argv, typed="y\n")[1] == 3
    assert on_a_terminal(*argv, typed="1234abcd-12ab-34cd-56ef-1234567890ab\n")[1] == 0


def test_a_policy_of_another_kind_of_key_is_refused(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.state("Enabled", key_manager="AWS")
    ran = apply(cli, good(A, B), "--yes")
    assert (ran.status, "[apply.customer-key]" in ran.stdout) == (1, True)
    assert kms_service.asked("PutKeyPolicy") == []


def test_a_policy_that_is_too_large_is_not_sent(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    large = {f"R{number}": statement(Sid=f"R{number}", Condition={"StringEquals": {PCR0: A}}) for number in range(150)}
    ran = apply(cli, good(A, **large), "--yes")
    assert (ran.status, "[apply.size]" in ran.stdout) == (1, True)
    assert kms_service.asked("PutKeyPolicy") == []


def test_a_key_that_waits_for_its_deletion_is_told_of(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.state("PendingDeletion")
    ran = apply(cli, good(A, B), "--yes", "--quiet", "--json")
    checks = {check["id"]: check for check in ran.json["data"]["report"]["checks"]}
    assert (ran.status, checks["apply.state"]["outcome"]) == (0, "warn")


def test_another_writer_before_ours_is_not_overwritten(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.knobs.after["GetCallerIdentity"] = lambda: kms_service.put(good(A, Admin=None))
    ran = apply(cli, good(A, B), "--yes", "--quiet")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr == (
        f"nitroctl: error: {KEY}: another writer changed the policy meanwhile: 1 statement removed; "
        "nothing was written to it [kms.changed-meanwhile]\n"
        "nitroctl: hint: run it again: the new policy is then planned against what the key has now\n"
    )
    assert kms_service.policy() == stored(good(A, Admin=None))
    assert kept() == []


def test_another_writer_after_ours_is_a_no_with_the_way_back(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.knobs.after["PutKeyPolicy"] = lambda: kms_service.put(good(A, B, Admin=None))
    ran = apply(cli, good(A, B), "--yes", "--quiet")
    [backup] = kept()
    assert (ran.status, ran.stderr) == (1, "")
    assert ran.stdout == (
        f"✗ {KEY}: written, and now it has another policy than the new one\n"
        "what it has differs from what was written: 1 statement removed\n"
        "- statement Admin: removed\n"
        "-     Effect: Allow\n"
        "-     Principal/AWS: arn:aws:iam::111122223333:role/admin\n"
        "-     Action: kms:DescribeKey\n"
        "-     Action: kms:EnableKey\n"
        "-     Resource: *\n"
        "from           policy.json\n"
        f"policy before  {digest(good(A))}\n"
        f"policy wanted  {digest(good(A, B))}\n"
        f"kept in        {backup}\n"
        f"look first     another writer, or KMS keeps it otherwise: nitroctl kms show --key {KEY}\n"
        f"to go back     nitroctl kms undo --key {KEY} --from {backup}\n"
        f"to look again  nitroctl kms diff policy.json --key {KEY}\n"
    )


def test_a_policy_that_is_not_seen_in_time_is_no_yes(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.knobs.late = 1000
    ran = apply(cli, good(A, B), "--yes", "--quiet", "--wait", "5")
    assert (ran.status, ran.stderr) == (1, "")
    [backup] = kept()
    assert ran.stdout == (
        f"✗ {KEY}: KMS took the new policy, and still shows the old one after 5 s\n"
        "from           policy.json\n"
        f"policy before  {digest(good(A))}\n"
        f"policy wanted  {digest(good(A, B))}\n"
        f"kept in        {backup}\n"
        f"look first     nitroctl kms diff policy.json --key {KEY}\n"
        f"to go back     nitroctl kms undo --key {KEY} --from {backup}\n"
    )


def test_the_way_back_from_what_was_not_seen_goes_one_step_only(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(B))
    assert apply(cli, good(A), "--yes", "--quiet").status == 0
    kms_service.knobs.after["PutKeyPolicy"] = lambda: setattr(kms_service.knobs, "late", 1000)
    ran = apply(cli, good(A, B), "--yes", "--quiet", "--wait", "5", "--json")
    command = shlex.split(ran.json["data"]["targets"][0]["undo"])
    assert command[-2] == "--from"
    # KMS still shows A, in whose place an older policy was kept: an undo that names none would go back to that
    assert cli("kms", "undo", "--key", KEY, "--dry-run").stdout.startswith(f"{KEY}: would be written from ")
    assert cli(*command[1:], "--yes").stdout == f"✓ {KEY} has this policy already: nothing was written\n"
    kms_service.knobs.late = 0
    assert cli(*command[1:], "--yes", "--quiet").status == 0
    assert kms_service.policy() == stored(good(A))


def test_an_answer_that_was_lost_is_trouble_and_the_state_is_told(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.knobs.hang_up.add("PutKeyPolicy")
    ran = apply(cli, good(A, B), "--yes", "--quiet", "--wait", "5")
    assert ran.status == 5
    assert ran.stdout.splitlines()[0] == f"✗ {KEY}: KMS did not confirm the write, and shows the old policy after 5 s"
    assert ran.stderr.startswith(f"nitroctl: error: {KEY}: kms:PutKeyPolicy failed: ")
    assert len(kept()) == 1


def test_a_policy_that_cannot_be_read_back_is_trouble(cli: Cli, kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    kms_service.create(good(A))
    kms_service.knobs.after["PutKeyPolicy"] = lambda: kms_service.knobs.refuse.update(
        GetKeyPolicy=Refusal("ThrottlingException", "Rate exceeded")
    )
    ran = apply(cli, good(A, B), "--yes", "--quiet", "--wait", "5")
    assert ran.status == 5
    assert ran.stdout.splitlines()[0] == f"✗ {KEY}: written, and what it has now could not be read"
    assert ran.stderr.startswith(
        f"nitroctl: error: {KEY}: kms:GetKeyPolicy was refused: ThrottlingException: Rate exceeded {REQUEST} "
        "[aws.throttled]\n"
    )


def test_an_interruption_after_the_write_says_what_may_be(
    cli: Cli, kms_service: "Kms", monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    kms_service.create(good(A))
    monkeypatch.setattr(policies, "_sleep", interrupted)
    ran = apply(cli, good(A, B), "--yes")
    [backup] = kept()
    assert (ran.status, ran.stdout) == (130, "")
    assert ran.stderr == SHOWN + (
        f"nitroctl: note: {KEY}: stopped while writing: KMS may have the new policy; the old one is {backup}; "
        f"nitroctl kms show --key {KEY} tells, nitroctl kms undo --key {KEY} --from {backup} puts it back\n"
        "nitroctl: note: interrupted\n"
    )


def test_an_interruption_of_a_final_policy_says_that_nobody_goes_back(
    cli: Cli, kms_service: "Kms", monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    kms_service.create(good(A))
    monkeypatch.setattr(policies, "_sleep", interrupted)
    ran = apply(cli, good(A, Writer=None), "--yes", "--quiet", "--bypass-lockout-check")
    [backup] = kept()
    assert (ran.status, ran.stdout) == (130, "")
    assert ran.stderr == (
        f"nitroctl: note: {KEY}: stopped while writing: KMS may have the new policy; the old one is {backup}; "
        f"nitroctl kms show --key {KEY} tells, to go back: nobody can, for no statement lets anybody call"
        " kms:PutKeyPolicy\n"
        "nitroctl: note: interrupted\n"
    )


def test_an_interruption_is_told_of_under_quiet_with_every_key_that_was_written(
    cli: Cli, kms_service: "Kms", monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, replica = replicated(kms_service, good(A), good(A))
    pauses = iter([None])

    def interrupted(_: float) -> None:
        if next(pauses, True):
            raise KeyboardInterrupt

    monkeypatch.setattr(policies, "_sleep", interrupted)
    write(Path("policy.json"), good(B))
    way = ("--yes", "--quiet", "--replicas", "all", "--backup-dir", "kept here")
    ran = cli("kms", "apply", "policy.json", "--key", primary, *way)
    first, second = sorted(Path("kept here").glob("*.json"))
    assert (ran.status, ran.stdout) == (130, "")
    undo, taking = (
        "nitroctl kms undo --key {}{} --backup-dir 'kept here' --replicas none puts it back\n",
        f" --from '{second}'",
    )
    assert ran.stderr == (
        f"nitroctl: note: {replica}: stopped while writing: KMS may have the new policy; the old one is {second}; "
        f"nitroctl kms show --key {replica} tells, {undo.format(replica, taking)}"
        f"nitroctl: note: {primary} was written to before that; the old policy is {first}; {undo.format(primary, '')}"
        "nitroctl: note: interrupted\n"
    )


def test_a_last_look_that_fails_does_not_unsay_that_kms_took_the_policy(
    cli: Cli, kms_service: "Kms", monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes.kms import Refusal

    def paused(seconds: float) -> None:
        if seconds:
            kms_service.knobs.refuse["GetKeyPolicy"] = Refusal("AccessDeniedException", "no more")

    kms_service.create(good(A))
    kms_service.knobs.late = 1000
    monkeypatch.setattr(policies, "_sleep", paused)
    ran = apply(cli, good(A, B), "--yes", "--quiet", "--wait", "5")
    assert (ran.status, "kms:GetKeyPolicy was refused: AccessDeniedException: no more" in ran.stderr) == (5, True)
    assert ran.stdout.splitlines()[0] == (
        f"✗ {KEY}: KMS took the new policy, still showed the old one, and then could not be asked"
    )


def test_a_final_policy_in_whose_place_another_was_put_leaves_the_way_back(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.knobs.after["PutKeyPolicy"] = lambda: kms_service.put(good(A, B))
    ran = apply(cli, good(A, Writer=None), "--yes", "--quiet", "--bypass-lockout-check")
    [backup] = kept()
    assert f"to go back     nitroctl kms undo --key {KEY} --from {backup}\n" in ran.stdout
    assert "nobody can" not in ran.stdout


def test_a_final_policy_that_is_not_seen_yet_has_no_way_back(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.knobs.late = 100
    ran = apply(cli, good(A, Writer=None), "--yes", "--quiet", "--bypass-lockout-check", "--wait", "0")
    assert ran.stdout.endswith("\nto go back     nobody can, for no statement lets anybody call kms:PutKeyPolicy\n")


def test_a_write_that_was_not_confirmed_is_not_called_written(cli: Cli, kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    def lost(_: object) -> Refusal:
        kms_service.put(good("ef" * 48))
        return Refusal("KMSInternalException", "it broke", 500)

    kms_service.create(good(A))
    kms_service.knobs.replace["PutKeyPolicy"] = lost
    ran = apply(cli, good(A, B), "--yes", "--quiet")
    first = f"✗ {KEY}: KMS did not confirm the write, and now it has another policy than the new one"
    assert (ran.status, ran.stdout.splitlines()[0]) == (5, first)
    assert "kms:PutKeyPolicy was refused: KMSInternalException" in ran.stderr


def test_a_final_policy_whose_answer_was_lost_is_not_called_refused(cli: Cli, kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    answers: Iterator[Any] = iter([None])
    kms_service.create(good(A))
    kms_service.knobs.replace["PutKeyPolicy"] = lambda _: next(answers, Refusal("AccessDeniedException"))
    kms_service.knobs.after["PutKeyPolicy"] = lambda: kms_service.knobs.refuse.update(
        GetKeyPolicy=Refusal("AccessDeniedException")
    )
    ran = apply(cli, good(B, Writer=None), "--yes", "--quiet", "--bypass-lockout-check")
    first = f"✗ {KEY}: KMS did not confirm the write, and what it has now could not be read"
    assert (ran.status, ran.stdout.splitlines()[0], len(kept())) == (5, first, 1)


def test_a_policy_that_is_read_back_as_nonsense_is_trouble(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    kms_service.knobs.after["PutKeyPolicy"] = lambda: kms_service.knobs.replace.update(
        GetKeyPolicy=lambda answer: {**answer, "Policy": '{"Statement": [], "Statement": []}'}
    )
    ran = apply(cli, good(A, B), "--yes", "--quiet")
    assert (ran.status, "[json.duplicate-key]" in ran.stderr) == (3, True)
    assert ran.stdout.splitlines()[0] == f"✗ {KEY}: written, and what it has now could not be read"


def test_what_kms_refuses_leaves_nothing_behind(cli: Cli, kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    kms_service.create(good(A))
    kms_service.knobs.refuse["PutKeyPolicy"] = Refusal("AccessDeniedException", "not you.")
    ran = apply(cli, good(A, B), "--yes", "--quiet")
    assert (ran.status, ran.stdout) == (5, "")
    assert ran.stderr == (
        f"nitroctl: error: {KEY}: kms:PutKeyPolicy was refused: AccessDeniedException: not you {REQUEST} "
        "[aws.access-denied]\n"
        "nitroctl: hint: nothing was written: the key has the policy it had\n"
        "nitroctl: hint: the caller needs kms:PutKeyPolicy on the key, in its IAM policy or the key's policy\n"
    )
    assert kept() == []


def test_a_backup_that_cannot_be_written_stops_it_before_the_write(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    Path("file").write_text("")
    ran = apply(cli, good(A, B), "--yes", "--quiet", "--backup-dir", "file/below")
    assert (ran.status, "[file.unwritable]" in ran.stderr) == (3, True)
    assert kms_service.asked("PutKeyPolicy") == []


def test_two_runs_on_one_key_keep_apart(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    lock = Path(os.environ["NITROCTL_LOCK_DIR"]) / f"nitroctl-kms-{NAME.replace('.', '-')}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = apply(cli, good(A, B), "--yes")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr == (
        f"nitroctl: error: {KEY} is in use by another nitroctl [file.locked]\n"
        f"nitroctl: hint: wait for it to end; the lock is {lock}\n"
    )
    assert kms_service.asked("PutKeyPolicy") == []
    assert apply(cli, good(A, B), "--yes").status == 0


def test_without_a_lock_directory_the_backups_directory_has_the_lock(
    cli: Cli, kms_service: "Kms", monkeypatch: pytest.MonkeyPatch
) -> None:
    kms_service.create(good(A))
    monkeypatch.setenv("NITROCTL_LOCK_DIR", "/nowhere")
    ran = apply(cli, good(A, B), "--yes", "--backup-dir", "kept")
    assert ran.status == 0
    assert ran.stderr == (
        "nitroctl: note: /nowhere cannot be written to: locked in kept, which keeps only this user's runs apart\n"
        + SHOWN
    )
    assert f"to go back     nitroctl kms undo --key {KEY} --backup-dir kept\n" in ran.stdout


def replicated(kms: "Kms", here: Policy, there: Policy) -> tuple[str, str]:
    name = "mrk-1234abcd12ab34cd56ef1234567890ab"
    return kms.create(here, key_id=name, MultiRegion=True), kms.replicate("us-east-1", there, key_id=name)


def test_of_a_key_in_several_regions_somebody_says_which(cli: Cli, kms_service: "Kms") -> None:
    primary, replica = replicated(kms_service, good(A), good(A))
    write(Path("policy.json"), good(A, B))
    ran = cli("kms", "apply", "policy.json", "--key", primary, "--yes")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"nitroctl: error: {primary} is one key in several Regions, each with a policy of its own: {replica} "
        "[kms.replicas]\n"
        "nitroctl: hint: --replicas all gives them the same policy, one after another\n"
        "nitroctl: hint: --replicas none leaves them as they are\n"
    )
    assert cli("kms", "apply", "policy.json", "--key", primary, "--yes", "--replicas", "none").status == 0
    assert kms_service.policy(arn=replica) == stored(good(A))
    assert cli("kms", "apply", "policy.json", "--key", primary, "--yes", "--replicas", "some").status == 2


def test_all_replicas_are_judged_before_the_first_is_written(cli: Cli, kms_service: "Kms") -> None:
    primary, replica = replicated(kms_service, good(A), good(A))
    kms_service.state("Enabled", arn=replica, key_manager="AWS")
    write(Path("policy.json"), good(A, B))
    ran = cli("kms", "apply", "policy.json", "--key", primary, "--yes", "--replicas", "all", "--json", "--quiet")
    assert ran.status == 1
    assert [each["outcome"] for each in ran.json["data"]["targets"]] == ["planned", "refused"]
    ran = cli("kms", "apply", "policy.json", "--key", primary, "--yes", "--replicas", "all", "--quiet")
    first, second, *_ = ran.stdout.splitlines()
    assert first == f"✗ {primary}: not written, because another was refused: 2 statements changed"
    assert second == f"✗ {replica}: not written from policy.json: 1 check refused it"
    assert kms_service.asked("PutKeyPolicy") == []


def test_each_replica_is_written_to(cli: Cli, kms_service: "Kms") -> None:
    primary, replica = replicated(kms_service, good(A), good(B))
    write(Path("policy.json"), good(B))
    ran = cli("kms", "apply", "policy.json", "--key", primary, "--yes", "--replicas", "all", "--json", "--quiet")
    assert (ran.status, [each["outcome"] for each in ran.json["data"]["targets"]]) == (0, ["written", "unchanged"])
    assert kms_service.policy(arn=primary) == kms_service.policy(arn=replica) == stored(good(B))
    back = shlex.split(ran.json["data"]["targets"][0]["undo"])  # of this one, and it asks nothing about the others
    assert cli(*back[1:], "--yes", "--quiet").status == 0
    assert (kms_service.policy(arn=primary), kms_service.policy(arn=replica)) == (stored(good(A)), stored(good(B)))


def test_a_replica_that_cannot_be_written_is_told_with_what_was(cli: Cli, kms_service: "Kms") -> None:
    from tests.fakes.kms import Refusal

    primary, replica = replicated(kms_service, good(A), good(A))
    kms_service.knobs.after["PutKeyPolicy"] = lambda: kms_service.knobs.refuse.update(
        PutKeyPolicy=Refusal("AccessDeniedException")
    )
    write(Path("policy.json"), good(B))
    ran = cli("kms", "apply", "policy.json", "--key", primary, "--yes", "--replicas", "all", "--quiet")
    assert ran.status == 5
    first = ran.stdout.splitlines()[0]
    assert first == f"✓ {primary} has the new policy: 2 statements changed"
    assert ran.stdout.endswith(f"✗ {replica}: not written, it has the policy it had\n")
    assert ran.stderr.startswith(f"nitroctl: error: {replica}: kms:PutKeyPolicy was refused: AccessDeniedException")
    assert kms_service.policy(arn=replica) == stored(good(A))


@pytest.mark.parametrize(
    ("argv", "status", "error"),
    [
        (["--key", "alias/signer"], 2, "not the ARN of a KMS key: 'alias/signer' [aws.key-arn]"),
        (["--key", KEY, "--accept", "KP099"], 2, "--accept: no such rule: 'KP099' [kms.rule]"),
        (
            ["--key", KEY, "--wait", "601"],
            2,
            "invalid value for '--wait': 601.0 is not in the range 0<=x<=600 [usage.invalid]",
        ),
        (["--key", KEY, "--wait", "nan"], 2, "--wait: not a number of seconds: nan [usage.invalid]"),
    ],
)
def test_a_wrong_invocation_asks_aws_nothing(
    cli: Cli, kms_service: "Kms", argv: list[str], status: int, error: str
) -> None:
    write(Path("policy.json"), good(A))
    ran = cli("kms", "apply", "policy.json", *argv)
    assert (ran.status, ran.stdout) == (status, "")
    assert ran.stderr.startswith(f"nitroctl: error: {error}"), ran.stderr
    assert kms_service.requests == []


#: What a file may be in place of a policy.
SPOILT = {
    "absent": (None, "policy.json: cannot read: no such file or directory [file.unreadable]"),
    "empty": ("", "policy.json: empty, not JSON [json.syntax]"),
    "a list": ("[]", "policy.json: line 1: /: not an object, as a policy must be [kms.document]"),
    "a key twice": ('{"Statement": [], "Statement": []}', "policy.json: "),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_file_that_is_no_policy_asks_aws_nothing(cli: Cli, kms_service: "Kms", name: str) -> None:
    content, message = SPOILT[name]
    if content is not None:
        Path("policy.json").write_text(content)
    ran = cli("kms", "apply", "policy.json", "--key", KEY, "--yes")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith(f"nitroctl: error: {message}"), ran.stderr
    assert kms_service.requests == []


def undo(cli: Cli, *argv: str) -> Ran:
    return cli("kms", "undo", "--key", KEY, "--yes", "--quiet", *argv)


def test_an_undo_puts_the_old_policy_back_and_can_be_undone(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    apply(cli, good(A, B), "--yes", "--quiet")
    [backup] = kept()
    ran = undo(cli)
    [again] = set(kept()) - {backup}
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == (
        f"✓ {KEY} has the new policy: 2 statements changed\n"
        f"from           {backup}\n"
        f"policy before  {digest(good(A, B))}\n"
        f"policy wanted  {digest(good(A))}\n"
        f"kept in        {again}\n"
        f"to go back     nitroctl kms undo --key {KEY}\n"
    )
    assert kms_service.policy() == stored(good(A))
    assert undo(cli).status == 0
    assert kms_service.policy() == stored(good(A, B))


def test_the_way_back_that_is_told_works_as_it_stands(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    ran = apply(cli, good(A, B), "--yes", "--quiet", "--backup-dir", "kept here", "--json")
    command = shlex.split(ran.json["data"]["targets"][0]["undo"])
    assert cli(*command[1:], "--yes").status == 0
    assert kms_service.policy() == stored(good(A))


def test_an_undo_where_nothing_is_kept_asks_where(cli: Cli, kms_service: "Kms", tmp_path: Path) -> None:
    kms_service.create(good(A))
    ran = undo(cli, "--backup-dir", "elsewhere")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr == (
        f"nitroctl: error: {KEY}: no policy of it is kept in elsewhere [kms.nothing-to-undo]\n"
        "nitroctl: hint: say where the replaced policies are kept: --backup-dir DIR\n"
    )
    assert not (tmp_path / "elsewhere").exists()


def test_an_undo_of_what_somebody_changed_since_names_no_policy_by_itself(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    apply(cli, good(A, B), "--yes", "--quiet")
    kms_service.put(good(B))
    [backup] = kept()
    ran = undo(cli)
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr == (
        f"nitroctl: error: {KEY}: its present policy replaced none of the kept ones (1 in {backup.parent}) "
        "[kms.nothing-to-undo]\n"
        f"nitroctl: hint: the newest is {backup}: nitroctl kms diff {backup} --key {KEY}, then --from it\n"
        "nitroctl: hint: say where the replaced policies are kept: --backup-dir DIR\n"
    )
    assert undo(cli, "--from", str(backup)).status == 0
    assert kms_service.policy() == stored(good(A))


def test_an_undo_to_an_open_policy_is_refused_like_any_other(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(default())
    apply(cli, good(A), "--yes", "--quiet")
    ran = cli("kms", "undo", "--key", KEY, "--yes")
    assert (ran.status, kms_service.policy()) == (1, stored(good(A)))
    assert ran.stderr == (
        "nitroctl: note: to write it all the same, add --accept KP002 --accept KP005 --accept KP006 --accept proof\n"
    )
    accepted = [f"--accept={name}" for name in ("KP002", "KP005", "KP006", "proof")]
    assert (undo(cli, *accepted).status, kms_service.policy()) == (0, stored(default()))


def test_an_undo_says_what_it_takes(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    apply(cli, good(A, B), "--yes", "--quiet")
    [backup] = kept()
    ran = cli("kms", "undo", "--key", KEY, "--dry-run", "--json")
    taken: dict[str, Any] = ran.json["data"]["taken"][KEY]
    assert (ran.status, taken["backup"], taken["saved_by"]) == (0, str(backup), SESSION)
    assert kms_service.policy() == stored(good(A, B))


def test_another_keys_policy_is_not_put_back(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    other = kms_service.create(good(A), key_id="0000abcd-12ab-34cd-56ef-1234567890ab")
    write(Path("policy.json"), good(A, B))
    cli("kms", "apply", "policy.json", "--key", other, "--yes")
    [backup] = kept()
    ran = undo(cli, "--from", str(backup))
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"nitroctl: error: {backup}: kept of another key: {other} [kms.other-key]\nnitroctl: hint: --key {other}\n"
    )


def test_a_key_in_a_kept_file_is_no_command(cli: Cli, kms_service: "Kms") -> None:
    kms_service.create(good(A))
    apply(cli, good(A, B), "--yes")
    members = json.loads(kept()[0].read_text())
    Path("hostile.json").write_text(json.dumps(members | {"key": "x; touch y"}))
    ran = undo(cli, "--from", "hostile.json")
    assert (ran.status, ran.stderr.splitlines()[1:]) == (2, ["nitroctl: hint: --key 'x; touch y'"])


def role_of_the_docs() -> dict[str, Any]:
    """Return the IAM policy that docs/live-keys.md gives a CI role."""
    text = (ROOT / "docs" / "live-keys.md").read_text()
    return dict(json.loads(text.partition("```json\n")[2].partition("```")[0]))


def test_the_role_of_the_docs_is_enough_for_every_verb_and_for_nothing_else(
    cli: Cli, kms_service: "Kms", tmp_path: Path
) -> None:
    role = "arn:aws:iam::111122223333:role/ci"
    reads = parse(json.dumps(role_of_the_docs()), where="docs", kind=Kind.IDENTITY)
    assert [statement.sid for statement in reads.statements] == ["ReadTheKey", "WriteItsPolicy", "NoData"]
    kms_service.create(good(A, Root=default()["Statement"][0]))
    kms_service.enforce, kms_service.caller, kms_service.iam = True, role, role_of_the_docs()
    accepted = ["--accept=KP005", "--accept=KP006", "--accept=KP002", "--accept=proof"]
    write(Path("policy.json"), good(A, B, Root=default()["Statement"][0]))
    assert cli("kms", "show", "--key", KEY).status == 0
    assert cli("kms", "diff", "policy.json", "--key", KEY).status == 1
    assert cli("kms", "apply", "policy.json", "--key", KEY, "--yes", *accepted).status == 0
    assert cli("kms", "undo", "--key", KEY, "--yes", *accepted).status == 0
    final = cli("kms", "apply", "policy.json", "--key", KEY, "--yes", "--bypass-lockout-check", *accepted)
    assert (final.status, "[aws.access-denied]" in final.stderr) == (5, True)
    from nitroctl import aws

    service = aws.client("kms", "eu-west-1")
    others: dict[str, dict[str, Any]] = {
        "generate_data_key": {"KeySpec": "AES_256"},
        "create_grant": {"GranteePrincipal": role, "Operations": ["Decrypt"]},
        "schedule_key_deletion": {},
    }
    for operation, arguments in others.items():
        with pytest.raises(AwsFailed) as caught, aws.calling(f"kms:{operation}", KEY):
            getattr(service, operation)(KeyId=KEY, **arguments)
        assert caught.value.code == "aws.access-denied"
