"""``nitroctl kms prove``: whole answers, and every bypass replayed by the command that it prints."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_kms_simulate import ADMIN, TWO, UNATTESTED, allow, lay
from tests.conftest import Cli, Ran
from tests.kms_requests import ACCOUNT, KEY, PCR0, ROLE, ROOT, statement
from tests.records import active, entry, pcrs, write
from tests.unit.test_kms_bypasses import SHAPES

AT = ("--at", "2026-11-20T10:00:00Z")
ONE = pcrs("1", 0, 1, 2, 8)
GATE = allow({0: ONE[0], 8: ONE[8]}, "One")
MODEL = (
    "Not looked at: service control policies, resource control policies, permissions boundaries, session policies and"
    " VPC endpoint policies (they could only deny); "
)
GRANTS = "grants of the key, which were not given (one could allow); "
REST = (
    "a second policy of the key, AWS_RAM, which was not given (it could allow or deny); the key itself: its state, its"
    " usage, imported material, replicas with policies of their own.\n"
)
MEANS = (
    "no-unattested-decrypt  nobody gets data who attests nothing, debug mode, or an image that the policy does not"
    " name\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with a policy of one release, and the ledger that it is recorded in."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "measurements.json", active("1", pcrs=ONE, pin=(0, 8)), entry("3", pcrs=pcrs("3")))
    lay("policy.json", ADMIN, GATE, UNATTESTED)
    return tmp_path


def prove(cli: Cli, *more: str, policy: str = "policy.json", **given: Any) -> Ran:
    return cli("kms", "prove", policy, *AT, *more, **given)


def sha256(path: str) -> str:
    import hashlib

    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_proof_says_what_holds_and_why(cli: Cli) -> None:
    assert prove(cli) == Ran(
        0,
        "✓ proved: no-unattested-decrypt\n"
        f"{MEANS}"
        "policy                 policy.json\n"
        f"  sha256               {sha256('policy.json')}\n"
        "requests from          2026-11-20T10:00:00Z\n"
        "grants                 open to them: if there is one already, its grantee gets by\n\n"
        "Who is kept out, and by what\n"
        "  attests nothing             the conditions of One\n"
        "  re-encrypts to another key  no statement allows it\n"
        "  makes a grant               no statement allows it\n"
        "  attests debug mode          the conditions of One\n"
        "  attests another image       only the images that are named get by\n\n"
        "Who may change the gate, which is no part of the answer\n"
        f"  kms:PutKeyPolicy  {ROLE}-admin\n"
        "                    (replaces this policy)\n\n"
        f"{MODEL}{GRANTS}{REST}",
        "",
    )


def test_a_bypass_is_shown_with_the_command_that_asks_it_again(cli: Cli) -> None:
    lay("policy.json", GATE, UNATTESTED, statement(Sid="Root", Principal={"AWS": ROOT}, Action="kms:ReEncrypt*"))
    assert prove(cli) == Ran(
        1,
        "✗ no: kms:ReEncryptFrom is allowed to a caller who re-encrypts to another key\n"
        f"{MEANS}"
        "policy                 policy.json\n"
        f"  sha256               {sha256('policy.json')}\n"
        "requests from          2026-11-20T10:00:00Z\n"
        "grants                 open to them: if there is one already, its grantee gets by\n\n"
        "Who re-encrypts to another key\n"
        "  action        kms:ReEncryptFrom\n"
        f"  principal     {ROLE}\n"
        "  who           the role that is named\n"
        "  IAM policies  one that allows it is enough\n"
        "  allowed by    Root (policy.json line 4)\n\n"
        f"  nitroctl kms simulate policy.json --principal {ROLE} --action ReEncryptFrom --any-iam-policy"
        " --at 2026-11-20T10:00:00Z\n\n"
        f"{MODEL}{GRANTS}{REST}",
        "",
    )


def test_what_is_not_decided_is_no_answer(cli: Cli) -> None:
    lay("policy.json", statement(Sid="Odd", Condition={"StringEqual": {"aws:PrincipalTag/a": "b"}}))
    ran = prove(cli)
    depends = "Odd: StringEqual, which is no condition operator"
    assert (ran.status, ran.stdout.splitlines()[0]) == (3, f"! not decided: no-unattested-decrypt depends on {depends}")
    assert ran.stderr == (
        "nitroctl: error: neither proved nor refuted: it depends on Odd: StringEqual, which is no condition operator"
        " [kms.unproved]\n"
        "nitroctl: hint: ask kms simulate about the requests that matter, or write the condition so that it can be"
        " decided\n"
    )
    answer = prove(cli, "--json").json
    assert (answer["status"], answer["data"]["verdict"]) == ("error", "open")


def test_of_whom_nobody_here_can_play_the_hint_is_a_deny(cli: Cli) -> None:
    lay("policy.json", statement(Sid="Svc", Principal={"Service": "s3.amazonaws.com"}))
    ran = prove(cli)
    depends = "s3.amazonaws.com, to whom Svc allows kms:Decrypt and whom nobody here can play"
    assert (ran.status, ran.stdout.splitlines()[0]) == (3, f"! not decided: no-unattested-decrypt depends on {depends}")
    assert ran.stderr == (
        f"nitroctl: error: neither proved nor refuted: it depends on {depends} [kms.unproved]\n"
        "nitroctl: hint: let Denies for everybody ask for attestation and for the image, as nitroctl kms generate"
        " writes them, or take the statement out\n"
    )


def test_beside_grants_that_are_given_it_is_told_of_others(cli: Cli) -> None:
    Path("grants.json").write_text('{"Grants": []}')
    told = "open to them: if there is one already, its grantee gets by\n"
    assert f"\ngrants                 {told}" in prove(cli).stdout
    ran = prove(cli, "--grants", "grants.json")
    assert "\ngrants                 grants.json\n" in ran.stdout
    assert f"\nother grants           {told}" in ran.stdout


def test_who_may_change_the_gate_is_part_of_the_answer_where_it_is_asked(cli: Cli) -> None:
    assert "\nWho may change the gate, which is no part of the answer\n" in prove(cli).stdout
    assert "\nWho may change the gate\n" in prove(cli, "--policy-writer", ROLE).stdout


def replayed(cli: Cli, ran: Ran) -> list[str]:
    """Run every command of an answer, in its order; return the kinds of the bypasses."""
    kinds = []
    for each in ran.json["data"]["bypasses"]:
        kinds.append(each["kind"])
        assert cli(*shlex.split(each["replay"])[1:]).status == 0, each["replay"]
        if "then" in each:
            Path("grant.json").write_text(json.dumps({"Grants": [each["then"]["grant"]]}))
            again = cli(*shlex.split(each["then"]["replay"])[1:])
            assert again.status == 0, each["then"]["replay"]
    return kinds


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "grant"])
def test_every_public_shape_is_refuted_and_its_commands_say_yes(cli: Cli, name: str) -> None:
    lay("shape.json", *SHAPES[name][0])
    ran = prove(cli, "--no-unattested-decrypt", "--json", policy="shape.json")
    assert ran.status == 1
    assert replayed(cli, ran)


def test_where_the_policy_names_several_accounts_the_commands_say_yes_too(cli: Cli) -> None:
    both = {"AWS": [ROLE, "arn:aws:iam::444455556666:role/x"]}
    lay("both.json", statement(Sid="Both", Principal=both, Action="kms:CreateGrant"))
    ran = prove(cli, "--json", policy="both.json")
    assert ran.status == 1
    assert replayed(cli, ran)
    told = prove(cli, policy="both.json").stdout
    assert f"kms:Decrypt is allowed to {ROLE}, with an IAM policy that allows it:\n" in told


ODD: dict[str, dict[str, Any]] = {
    "an encryption context": {"StringEquals": {"kms:EncryptionContext:app": "a b'c"}},
    "an empty one": {"StringEquals": {"kms:EncryptionContext:app": ""}},
    "several values": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/a"}, "Null": {PCR0: "true"}},
    "an absent register": {"Null": {f"{PCR0[:-1]}16": "true", PCR0: "false"}},
    "a NitroTPM": {"StringLike": {"kms:RecipientAttestation:NitroTPMPCR4": "a*"}},
    "a time to come": {"DateGreaterThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}},
    "a service": {"StringLike": {"kms:ViaService": "s3.*"}},
    "an absent tag": {"Null": {"aws:PrincipalTag/team": "true"}},
}


@pytest.mark.parametrize("name", ODD)
def test_a_command_says_all_that_the_request_has(cli: Cli, name: str) -> None:
    lay("-odd.json", statement(Principal={"AWS": [ROLE, ROOT]}, Condition=ODD[name]))
    Path("./-odd.json").rename("odd file.json")
    ran = prove(cli, "--json", "--key", KEY, policy="odd file.json")
    assert ran.status == 1
    assert replayed(cli, ran)


def test_grants_and_a_second_policy_are_named_in_the_command(cli: Cli) -> None:
    grant = {"GrantId": "g", "GranteePrincipal": ROLE, "Operations": ["Decrypt"]}
    Path("grants.json").write_text(json.dumps({"Grants": [grant]}))
    lay("ram.json", statement("Deny", Principal="*", Action="kms:Encrypt"))
    lay("policy.json", GATE)
    ran = prove(cli, "--json", "--grants", "grants.json", "--ram-policy", "ram.json")
    assert replayed(cli, ran) == ["attests-nothing", "debug-mode", "another-image"]
    first = ran.json["data"]["bypasses"][0]
    assert (first["grant"], first["way"]) == ("g", "grant")
    assert [each["what"] for each in ran.json["data"]["sources"]] == ["policy", "ram-policy", "grants"]


def test_only_recorded_asks_the_ledger(cli: Cli) -> None:
    ran = prove(cli, "--only-recorded")
    assert ran.status == 0
    assert ran.stdout.startswith(
        "✓ proved: only-recorded\n"
        "only-recorded  nobody gets data whose document matches no active record, or a revoked one\n"
        "policy         policy.json\n"
        f"  sha256       {sha256('policy.json')}\n"
        "records        measurements.json\n"
        f"  sha256       {sha256('measurements.json')}\n"
        "that count     1 active record\n"
    )
    lay("policy.json", GATE, allow({0: TWO[0]}, "Two"), UNATTESTED)
    assert prove(cli).status == 0
    ran = prove(cli, "--only-recorded", "--no-unattested-decrypt", "--json")
    assert replayed(cli, ran) == ["another-image"]
    assert prove(cli, "--only-recorded", "--environment", "test").status == 1


def test_policy_writers_are_judged_when_asked(cli: Cli) -> None:
    assert prove(cli, "--policy-writer", f"{ROLE}-admin").status == 0
    ran = prove(cli, "--policy-writer", f"{ROLE}-other", "--json")
    assert replayed(cli, ran) == ["replaces-the-policy"]


def test_the_policy_may_come_from_stdin(cli: Cli) -> None:
    text = Path("policy.json").read_bytes()
    assert prove(cli, policy="-", stdin=text).status == 0


@pytest.mark.parametrize(
    ("more", "status", "error"),
    [
        (("--records", "measurements.json"), 2, "--records says which records count, and none are asked of"),
        (("--key", "alias/a"), 2, "--key: not the ARN of a key: 'alias/a'"),
        (("--policy-writer", "admin"), 2, "--policy-writer: not the ARN of an IAM role: 'admin'"),
        (("--grants", "-", "--ram-policy", "-"), 2, "several files are standard input"),
        (("--grants", "policy.json"), 3, "policy.json: no list of grants: no member Grants"),
        (("--only-recorded", "--records", "none.json"), 3, "none.json: no recorded measurements"),
    ],
)
def test_what_cannot_be_asked_is_refused(cli: Cli, more: tuple[str, ...], status: int, error: str) -> None:
    ran = prove(cli, *more)
    assert (ran.status, ran.stdout) == (status, "")
    assert ran.stderr.startswith(f"nitroctl: error: {error} [")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"Statement": 1}', "\udcff"])
def test_what_is_no_policy_is_refused(cli: Cli, content: str) -> None:
    Path("bad.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    ran = prove(cli, policy="bad.json")
    assert (ran.status, ran.stdout) == (3, "")


def test_a_policy_made_to_be_slow_is_not_decided(cli: Cli) -> None:
    statements = [
        statement("Deny", Principal="*", Condition={"StringLike": {"aws:PrincipalTag/t": f"*{n:03}*{n + 1:03}*"}})
        for n in range(150)
    ]
    lay("slow.json", statement(Principal="*", Condition={"StringLike": {"aws:PrincipalTag/t": "*x*y*"}}), *statements)
    ran = prove(cli, policy="slow.json")
    assert ran.status == 3
    assert "the policy tells too much apart [kms.unproved]" in ran.stderr


def test_hostile_text_is_shown_escaped(cli: Cli) -> None:
    lay(
        "policy.json",
        statement(Sid="\u001b[31m::error::", Condition={"StringEquals": {"aws:PrincipalTag/t": "\u202e"}}),
    )
    ran = prove(cli)
    assert ran.status == 1
    assert "\u001b" not in ran.stdout
    assert "\u202e" not in ran.stdout


def test_an_account_is_one_row_among_those_who_may_change_the_gate(cli: Cli) -> None:
    lay("policy.json", GATE, statement(Principal={"AWS": ACCOUNT}, Action="kms:PutKeyPolicy"), UNATTESTED)
    assert (
        f"  kms:PutKeyPolicy  account {ACCOUNT}: its root user, and whomever its IAM policies let\n"
        in prove(cli).stdout
    )


def test_simulate_takes_the_worst_iam_policy_or_none(cli: Cli) -> None:
    lay("policy.json", statement(Principal={"AWS": ROOT}))
    asked = ("kms", "simulate", "policy.json", "--principal", ROLE, *AT)
    assert cli(*asked, "--any-iam-policy").status == 0
    assert cli(*asked, "--no-iam-policy").status == 1
    ran = cli(*asked, "--any-iam-policy", "--no-iam-policy")
    assert (ran.status, ran.stdout) == (2, "")
    assert "--no-iam-policy and --any-iam-policy contradict each other" in ran.stderr
