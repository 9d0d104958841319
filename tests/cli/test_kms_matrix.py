"""``nitroctl kms matrix``: the whole table, and what became of it since."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitroctl import __version__
from nitroctl.records import Status
from tests.cli.test_kms_simulate import ADMIN, UNATTESTED, allow, lay
from tests.conftest import Cli, Ran
from tests.kms_requests import ACCOUNT, ROLE, ROOT, statement
from tests.records import AT as WHEN
from tests.records import active, entry, pcrs, register, write

AT = ("--at", "2026-11-20T10:00:00Z")
ONE = pcrs("1", 0, 1, 2, 8)
GATE = allow({0: ONE[0], 8: ONE[8]}, "One")
ANYBODY = f"arn:aws:iam::{ACCOUNT}"
REST = (
    "With IAM: a caller whose IAM policies allow it too, and no other unless it depends on something.\n\n"
    "Not looked at: service control policies, resource control policies, permissions boundaries, session policies and"
    " VPC endpoint policies (they could only deny); grants of the key, which were not given (one could allow); a second"
    " policy of the key, AWS_RAM, which was not given (it could allow or deny); the key itself: its state, its usage,"
    " imported material, replicas with policies of their own.\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with a policy of one release, and a ledger of that and a candidate."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "measurements.json", active("1", pcrs=ONE, pin=(0, 8)), entry("3", pcrs=pcrs("3", 0, 1, 2, 8)))
    lay("policy.json", ADMIN, GATE, UNATTESTED)
    return tmp_path


def matrix(cli: Cli, *more: str, policy: str = "policy.json", **given: Any) -> Ran:
    return cli("kms", "matrix", policy, *AT, *more, **given)


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def head(answer: str, records: int = 2) -> str:
    return (
        f"{answer}\n"
        "policy              policy.json\n"
        f"  sha256            {sha256('policy.json')}\n"
        "records             measurements.json\n"
        f"  sha256            {sha256('measurements.json')}\n"
        f"records that count  {records}\n"
        "key                 not given\n"
        "encryption context  none\n"
        "as of               2026-11-20T10:00:00Z\n"
        f"nitroctl            {__version__}\n"
    )


SIZE = "8 principals, 6 states of attestation"


def test_the_whole_table(cli: Cli) -> None:
    assert matrix(cli) == Ran(
        0,
        head(f"what the key policy lets by: {SIZE}") + "\n"
        f"principal   {ROLE}-admin\n"
        "attests     anything, or nothing\n"
        "  may       nothing with data\n"
        "and anyway\n"
        "  may       PutKeyPolicy\n\n"
        f"principal   {ROLE}\n"
        "attests     signer-1@prod (active)\n"
        "  may       Decrypt\n"
        "attests     nothing\n"
        "            debug mode\n"
        "            an image that nobody recorded\n"
        "            signer-1@prod (active), another PCR8\n"
        "            signer-3@prod (candidate)\n"
        "  may       nothing with data\n"
        "and anyway\n"
        "  may       nothing else\n\n"
        f"principal   {ANYBODY}:role/anybody  (a role of account {ACCOUNT} that nobody names)\n"
        f"            {ANYBODY}:user/anybody  (a user of account {ACCOUNT} that nobody names)\n"
        f"            {ANYBODY}:root\n"
        "            arn:aws:iam::999988887777:role/anybody  (a role of an account that nobody names)\n"
        "            arn:aws:iam::999988887777:user/anybody  (a user of an account that nobody names)\n"
        "            arn:aws:iam::999988887777:root  (the root user of an account that nobody names)\n"
        "attests     anything, or nothing\n"
        "  may       nothing with data\n"
        "and anyway\n"
        f"  may       nothing else\n\n{REST}",
        "",
    )


def cells(ran: Ran, principal: str, action: str = "kms:Decrypt") -> dict[str, str]:
    """Return the answers for an action by what is attested."""
    [row] = [each for each in ran.json["data"]["principals"] if each["principal"] == principal]
    return {each["attests"]: each["answers"][action] for each in row["attested"]}


def test_an_account_needs_its_iam_policies(cli: Cli) -> None:
    lay("policy.json", statement(Principal={"AWS": ROOT}, Action="kms:*"), GATE)
    ran = matrix(cli, "--json")
    assert set(cells(ran, f"{ANYBODY}:role/anybody").values()) == {"allowed-with-iam"}
    assert cells(ran, ROLE)["signer-1@prod (active)"] == "allowed"
    assert cells(ran, ROLE)["nothing"] == "allowed-with-iam"
    assert "  may with IAM  Decrypt, DeriveSharedSecret, GenerateDataKey, GenerateDataKeyPair\n" in matrix(cli).stdout


def test_every_status_is_a_state_and_only_what_the_policy_names_gets_by(cli: Cli, here: Path) -> None:
    retired = active("retired", pcrs=pcrs("retired", 0, 1, 2, 8))
    others = [
        replace(retired, status=Status.RETIRED, retired_at=WHEN),
        replace(active("revoked", pcrs=pcrs("revoked", 0, 1, 2, 8)), status=Status.REVOKED, revoked_at=WHEN),
    ]
    write(here / "measurements.json", active("1", pcrs=ONE, pin=(0, 8)), *others)
    revoked = pcrs("revoked", 0, 1, 2, 8)
    lay("policy.json", GATE, allow({0: revoked[0]}, "Forgotten"), ADMIN)
    assert cells(matrix(cli, "--json"), ROLE) == {
        "nothing": "denied",
        "debug mode": "denied",
        "an image that nobody recorded": "denied",
        "signer-1@prod (active)": "allowed",
        "signer-1@prod (active), another PCR8": "denied",
        "signer-retired@prod (retired)": "denied",
        "signer-revoked@prod (revoked)": "allowed",
    }


def test_a_register_that_is_not_recorded_is_as_the_statement_asks_and_another(cli: Cli) -> None:
    lay("policy.json", allow({0: ONE[0], 3: register("role")}, "Placed"), ADMIN)
    assert cells(matrix(cli, "--json"), ROLE) == {
        "nothing": "denied",
        "debug mode": "denied",
        "an image that nobody recorded": "denied",
        "signer-1@prod (active), PCR3 as Placed asks": "allowed",
        "signer-1@prod (active), another PCR3": "denied",
        "signer-3@prod (candidate), another PCR3": "denied",
    }


def test_a_nitrotpm_has_states_of_its_own(cli: Cli) -> None:
    boot = register("boot").hex()
    lay("policy.json", statement(Condition={"StringEquals": {"kms:RecipientAttestation:NitroTPMPCR4": boot}}))
    assert cells(matrix(cli, "--json"), ROLE)["a NitroTPM state that nobody recorded"] == "denied"


def test_an_encryption_context_is_the_one_that_a_statement_asks_for(cli: Cli) -> None:
    context = {"StringEquals": {"kms:EncryptionContext:app": "signer"}}
    lay("policy.json", GATE | {"Condition": GATE["Condition"] | context}, ADMIN)
    ran = matrix(cli, "--json")
    assert ran.json["data"]["encryption_contexts"] == [{}, {"app": "signer"}]
    assert cells(ran, ROLE)["signer-1@prod (active)"] == "allowed"
    ran = matrix(cli, "--json", "--encryption-context", "app=else")
    assert cells(ran, ROLE)["signer-1@prod (active)"] == "denied"


def test_what_depends_on_what_was_not_given_is_open(cli: Cli) -> None:
    lay("policy.json", statement(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), ADMIN)
    assert set(cells(matrix(cli, "--json"), ROLE).values()) == {"open"}
    assert "depends on  aws:PrincipalOrgID, which was not given\n" in matrix(cli).stdout.replace("   ", "")
    assert set(cells(matrix(cli, "--json", "--context", "aws:PrincipalOrgID=o-1"), ROLE).values()) == {"allowed"}


def test_the_same_table_is_as_expected(cli: Cli) -> None:
    Path("matrix.json").write_text(matrix(cli, "--json").stdout)
    ran = matrix(cli, "--expect", "matrix.json")
    assert (ran.status, ran.stdout.splitlines()[0]) == (0, f"✓ as expected: {SIZE}")
    assert matrix(cli, "--expect", "matrix.json", "--json").json["data"]["changes"] == []
    assert matrix(cli, "--expect", "-", stdin=Path("matrix.json").read_bytes()).status == 0


def test_another_answer_is_a_change(cli: Cli) -> None:
    Path("matrix.json").write_text(matrix(cli, "--json").stdout)
    lay("policy.json", ADMIN, GATE, statement(Sid="Added", Action="kms:Encrypt"), UNATTESTED)
    ran = matrix(cli, "--expect", "matrix.json")
    assert ran.status == 1
    assert ran.stdout.startswith(
        head(f"✗ no: one answer is another than expected, of {SIZE}")
        + f"\nChanged\n  kms:Encrypt  {ROLE}: allowed, was denied\n"
    )
    assert matrix(cli, "--expect", "matrix.json", "--json").json["data"]["changes"] == [
        {"principal": ROLE, "attests": "", "action": "kms:Encrypt", "before": "denied", "now": "allowed"}
    ]


def test_another_principal_is_a_change(cli: Cli) -> None:
    Path("matrix.json").write_text(matrix(cli, "--json").stdout)
    lay("policy.json", ADMIN, GATE, GATE | {"Principal": {"AWS": f"{ROLE}2"}}, UNATTESTED)
    ran = matrix(cli, "--expect", "matrix.json", "--json")
    assert ran.status == 1
    assert {each["principal"] for each in ran.json["data"]["changes"]} == {f"{ROLE}2"}


@pytest.mark.parametrize("content", ["[]", '{"principals": 1}', '{"schema": "nitroctl/kms.prove/1", "data": {}}'])
def test_what_is_no_earlier_answer_is_refused(cli: Cli, content: str) -> None:
    Path("bad.json").write_text(content)
    ran = matrix(cli, "--expect", "bad.json")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith("nitroctl: error: bad.json: no answer of kms matrix [kms.matrix]\n")


def test_without_a_ledger_there_are_no_recorded_images(cli: Cli, here: Path) -> None:
    (here / "measurements.json").unlink()
    names = [each["attests"] for each in matrix(cli, "--json").json["data"]["attests"]]
    assert names == ["nothing", "debug mode", "an image that nobody recorded"]
    assert matrix(cli, "--records", "none.json").status == 3


def test_the_policy_may_come_from_stdin_and_nothing_else_then(cli: Cli) -> None:
    assert matrix(cli, policy="-", stdin=Path("policy.json").read_bytes()).status == 0
    assert matrix(cli, "--expect", "-", policy="-").status == 2


def test_hostile_text_is_shown_escaped(cli: Cli) -> None:
    lay("policy.json", statement(Condition={"StringEquals": {"kms:EncryptionContext:\u001b[31m": "\u202e"}}))
    ran = matrix(cli)
    assert ran.status == 0
    assert not {"\u001b", "\u202e"} & set(ran.stdout)
    assert json.loads(matrix(cli, "--json").stdout)["status"] == "ok"
