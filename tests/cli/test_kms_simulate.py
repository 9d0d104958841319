"""``nitroctl kms simulate``: whole outputs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nitroctl import pcr
from tests import documents, images
from tests.conftest import Cli, Ran
from tests.kms_requests import ACCOUNT, KEY, OTHER, PCR0, ROLE, ROOT, SESSION, identity, statement
from tests.records import active, entry, pcrs, register, write

AT = ("--at", "2026-11-20T10:00:00Z")
ONE, TWO = pcrs("1", 0, 1, 2, 8), pcrs("2", 0, 1, 2, 8)
OTHERS = (
    "Not looked at: service control policies, resource control policies, permissions boundaries, session policies and"
    " VPC endpoint policies (they could only deny); "
)
GRANTS = "grants of the key, which were not given (one could allow); "
RAM = "a second policy of the key, AWS_RAM, which was not given (it could allow or deny); "
THE_KEY = "the key itself: its state, its usage, replicas with policies of their own.\n"
IAM_DENIES = "IAM policies of the caller, which were not given (they could deny); "
IAM_BOTH = "IAM policies of the caller, which were not given (they could allow or deny); "
AGAINST_ALL = "other policies and grants of the key (an explicit Deny holds against all of them).\n"
NOTE = "nitroctl: note: a register that was not given counts as unknown, and as zero where an enclave cannot set it\n"


def lay(path: str, *statements: dict[str, Any]) -> None:
    """Write a policy, a statement a line."""
    body = ",\n".join(json.dumps(each) for each in statements)
    Path(path).write_text(f'{{"Version": "2012-10-17", "Statement": [\n{body}\n]}}\n')


def allow(pinned: dict[int, bytes], sid: str) -> dict[str, Any]:
    registers = {f"kms:RecipientAttestation:PCR{index}": value.hex() for index, value in pinned.items()}
    return statement(Sid=sid, Condition={"StringEqualsIgnoreCase": registers})


UNATTESTED = statement("Deny", Sid="DenyUnattested", Principal="*", Condition={"Null": {PCR0: "true"}})
ADMIN = statement(Sid="Admin", Principal={"AWS": f"{ROLE}-admin"}, Action="kms:PutKeyPolicy")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with a policy of two releases, and the ledger that they are recorded in."""
    monkeypatch.chdir(tmp_path)
    releases = [active(version, pcrs=pcrs(version, 0, 1, 2, 8), pin=(0, 8)) for version in ("1", "2")]
    write(tmp_path / "measurements.json", *releases, entry("3", pcrs=pcrs("3", 0, 1, 2, 8)))
    one, two = ({index: image[index] for index in (0, 8)} for image in (ONE, TWO))
    lay("policy.json", ADMIN, allow(one, "One"), allow(two, "Two"), UNATTESTED)
    return tmp_path


def simulate(cli: Cli, *more: str, policy: str = "policy.json", principal: str = ROLE, **given: Any) -> Ran:
    return cli("kms", "simulate", policy, "--principal", principal, *AT, *more, **given)


def asked(attests: str, *, action: str = "kms:Decrypt", context: str = "none", key: str = "not given") -> str:
    return (
        f"action              {action}\n"
        f"principal           {ROLE}\n"
        f"attests             {attests}\n"
        f"encryption context  {context}\n"
        f"key                 {key}\n"
        "as of               2026-11-20T10:00:00Z\n\n"
    )


def test_a_recorded_release_is_allowed_and_it_is_said_by_what(cli: Cli) -> None:
    assert simulate(cli, "--entry", "signer-1@prod") == Ran(
        0,
        f"✓ yes: One (policy.json line 3) allows kms:Decrypt to {ROLE}\n"
        + asked("signer-1@prod, active")
        + "Allow One (policy.json line 3) matches\n"
        "  kms:RecipientAttestation:PCR0  holds: StringEqualsIgnoreCase\n"
        f"    expected                     {ONE[0].hex()}  (signer-1@prod)\n"
        f"    actual                       {ONE[0].hex()}\n"
        "  kms:RecipientAttestation:PCR8  holds: StringEqualsIgnoreCase\n"
        f"    expected                     {ONE[8].hex()}  (signer-1@prod)\n"
        f"    actual                       {ONE[8].hex()}\n"
        "\n"
        "Not shown: 1 statement about another principal, action or key, 2 statements not deciding"
        " (--json has them).\n\n" + OTHERS + GRANTS + IAM_DENIES + RAM + THE_KEY,
        NOTE,
    )


def test_a_call_without_attestation_is_denied_and_what_it_would_need_is_said(cli: Cli) -> None:
    assert simulate(cli) == Ran(
        1,
        f"✗ no: DenyUnattested (policy.json line 5) denies kms:Decrypt to {ROLE}\n"
        + asked("nothing: the call carries no attestation document")
        + "Deny DenyUnattested (policy.json line 5) matches\n"
        "  kms:RecipientAttestation:PCR0  holds: Null\n"
        "    expected                     true\n"
        "    actual                       absent\n"
        "\n"
        "Not shown: 1 statement about another principal, action or key (--json has them).\n"
        "\n"
        "One (policy.json line 3) would allow it, with\n"
        f"  kms:RecipientAttestation:PCR0  {ONE[0].hex()}  (signer-1@prod)\n"
        "    in place of                  absent\n"
        f"  kms:RecipientAttestation:PCR8  {ONE[8].hex()}  (signer-1@prod)\n"
        "    in place of                  absent\n"
        "\n"
        "Two (policy.json line 4) would allow it, with\n"
        f"  kms:RecipientAttestation:PCR0  {TWO[0].hex()}  (signer-2@prod)\n"
        "    in place of                  absent\n"
        f"  kms:RecipientAttestation:PCR8  {TWO[8].hex()}  (signer-2@prod)\n"
        "    in place of                  absent\n"
        "\n" + OTHERS + AGAINST_ALL,
        "",
    )


def test_the_register_that_differs_and_the_nearest_recorded_image_are_named(cli: Cli) -> None:
    mixed = ("--pcr", f"PCR0={ONE[0].hex()}", "--pcr", f"PCR8={TWO[8].hex()}")
    ran = simulate(cli, *mixed)
    assert ran == Ran(
        1,
        f"✗ no: nothing that was given allows kms:Decrypt to {ROLE}\n"
        + asked("the registers that were given")
        + "Not shown: 1 statement about another principal, action or key, 1 statement not deciding"
        " (--json has them).\n"
        "\n"
        "One (policy.json line 3) would allow it, with\n"
        f"  kms:RecipientAttestation:PCR8  {ONE[8].hex()}  (signer-1@prod)\n"
        f"    in place of                  {TWO[8].hex()}\n"
        "\n"
        "Two (policy.json line 4) would allow it, with\n"
        f"  kms:RecipientAttestation:PCR0  {TWO[0].hex()}  (signer-2@prod)\n"
        f"    in place of                  {ONE[0].hex()}\n"
        "\n"
        "nearest recorded  1 of 2 registers equal those of signer-2@prod; PCR0 differs\n"
        "\n" + OTHERS + GRANTS + RAM + THE_KEY,
        NOTE,
    )
    data = simulate(cli, *mixed, "--json").json["data"]
    assert data["nearest"] == {
        "entry": "signer-2@prod",
        "status": "active",
        "equal": ["PCR8"],
        "differing": ["PCR0"],
        "absent": [],
    }


def test_in_json_every_statement_and_condition_is_told(cli: Cli) -> None:
    document = simulate(cli, "--entry", "signer-3@prod", "--encryption-context", "a=1", "--key", KEY, "--json").json
    data = document["data"]
    assert (document["status"], data["verdict"], data["way"]) == ("refused", "denied", "nothing-allows")
    three = pcrs("3", 0, 1, 2, 8)
    assert data["request"] == {
        "principal": ROLE,
        "action": "kms:Decrypt",
        "key": KEY,
        "as_of": "2026-11-20T10:00:00Z",
        "encryption_context": {"a": "1"},
        "attested": {
            "source": "signer-3@prod, candidate",
            "platform": "nitro-enclave",
            "complete": False,
            "pcrs": pcr.as_hex(three),
        },
        "attestation_counts": True,
    }
    assert [each["matches"] for each in data["statements"]] == ["no"] * 4
    assert data["statements"][0] == {
        "policy": "policy.json",
        "number": 1,
        "line": 2,
        "sid": "Admin",
        "effect": "Allow",
        "matches": "no",
        "principal": "no",
        "account_only": False,
        "action": "no",
        "resource": "yes",
        "conditions": [],
        "depends_on": [],
    }
    assert data["statements"][1]["conditions"][0] == {
        "operator": "StringEqualsIgnoreCase",
        "key": "kms:RecipientAttestation:PCR0",
        "line": 3,
        "expected": [ONE[0].hex()],
        "actual": {"presence": "present", "values": [three[0].hex()]},
        "holds": "no",
    }
    assert [each["statement"]["sid"] for each in data["would_allow"]] == ["One", "Two"]
    assert data["would_allow"][0]["registers"][0] == {
        "key": "kms:RecipientAttestation:PCR0",
        "expected": [{"value": ONE[0].hex(), "entries": ["signer-1@prod"]}],
        "actual": three[0].hex(),
    }


def test_what_the_account_decides_is_not_decided_without_its_policies(cli: Cli) -> None:
    lay("root.json", statement(Sid="Root", Principal={"AWS": ROOT}, Action="kms:*"))
    assert simulate(cli, policy="root.json") == Ran(
        3,
        f"! not decided: kms:Decrypt for {ROLE} depends on the IAM policies of the caller, which were not given\n"
        + asked("nothing: the call carries no attestation document")
        + "Allow Root (root.json line 2) matches, and lets the account's IAM policies decide\n"
        "  conditions  none\n"
        "\n" + OTHERS + GRANTS + IAM_BOTH + RAM + THE_KEY,
        "nitroctl: error: not decided: it depends on the IAM policies of the caller, which were not given"
        " [kms.undecided]\n"
        "nitroctl: hint: give the caller's IAM policies with --iam-policy FILE, or say --no-iam-policy\n",
    )
    assert simulate(cli, "--no-iam-policy", policy="root.json").status == 1
    lay("iam.json", identity(Sid="All"))
    ran = simulate(cli, "--iam-policy", "iam.json", policy="root.json")
    assert ran.status == 0
    assert ran.stdout.startswith(
        f"✓ yes: Root (root.json line 2) and All (iam.json line 2) allow kms:Decrypt to {ROLE}\n"
    )
    assert simulate(cli, "--iam-policy", "iam.json").status == 1  # the Deny of those without attestation


def test_a_grant_to_another_account_takes_an_iam_policy_which_is_named(cli: Cli) -> None:
    who = "arn:aws:iam::444455556666:role/x"
    lay("allows.json", ADMIN, allow(ONE, "One"))
    lay("iam.json", identity(Sid="Mine"))
    grant = {"GrantId": "g-1", "GranteePrincipal": who, "Operations": ["Decrypt"]}
    Path("grants.json").write_text(json.dumps({"Grants": [grant]}))
    more = ("--grants", "grants.json", "--iam-policy", "iam.json", "--key", KEY)
    ran = cli("kms", "simulate", "allows.json", "--principal", who, "--at", "2026-11-20T10:00:00Z", *more)
    assert (ran.status, ran.stdout.splitlines()[0]) == (
        0,
        f"✓ yes: the grant g-1 and Mine (iam.json line 2) allow kms:Decrypt to {who}",
    )
    data = cli("kms", "simulate", "allows.json", "--principal", who, *more, "--json").json["data"]
    assert (data["way"], data["grant"], [each["sid"] for each in data["deciding"]]) == ("grant", "g-1", ["Mine"])


def test_what_an_answer_depends_on_is_told_one_after_the_other(cli: Cli) -> None:
    lay("alone.json", statement(Sid="Use", Principal={"AWS": ROLE}))
    ran = simulate(cli, "--json", policy="alone.json")
    told = ran.json["data"]["depends_on"]
    assert len(told) == 2
    ran = simulate(cli, policy="alone.json")
    assert ran.stdout.splitlines()[0] == f"! not decided: kms:Decrypt for {ROLE} depends on {'; '.join(told)}"


def test_what_nobody_documents_is_not_said_to_be_missing(cli: Cli) -> None:
    lay("accent.json", statement(Condition={"StringEquals": {"kms:EncryptionContext:é": "x"}}), ADMIN)
    ran = simulate(cli, "--context", "kms:EncryptionContext:É=x", policy="accent.json")
    depends = "whether KMS has kms:EncryptionContext:é in such a request, which is not documented"
    assert ran.status == 3
    assert ran.stdout.splitlines()[0] == f"! not decided: kms:Decrypt for {ROLE} depends on {depends}"
    assert ran.stderr == f"nitroctl: error: not decided: it depends on {depends} [kms.undecided]\n"


def test_a_grant_goes_around_a_conditional_allow(cli: Cli) -> None:
    lay("allows.json", ADMIN, allow(ONE, "One"))
    Path("grants.json").write_text(
        json.dumps({"Grants": [{"GrantId": "g-1", "GranteePrincipal": ROLE, "Operations": ["Decrypt"]}]})
    )
    ran = simulate(cli, "--grants", "grants.json", policy="allows.json")
    assert (ran.status, ran.stdout.splitlines()[0]) == (0, f"✓ yes: the grant g-1 allows kms:Decrypt to {ROLE}")
    assert simulate(cli, "--grants", "grants.json", "--json", policy="allows.json").json["data"]["grant"] == "g-1"
    assert simulate(cli, "--grants", "grants.json").status == 1


def test_a_second_policy_of_the_key_counts(cli: Cli) -> None:
    lay("ram.json", statement(Sid="Shared", Principal={"AWS": f"arn:aws:iam::{OTHER}:role/x"}))
    who = f"arn:aws:iam::{OTHER}:role/x"
    lay("iam.json", identity())
    lay("allows.json", ADMIN)
    plain = simulate(cli, "--key", KEY, "--iam-policy", "iam.json", policy="allows.json", principal=who)
    shared = ("--ram-policy", "ram.json", "--key", KEY, "--iam-policy", "iam.json")
    assert (plain.status, simulate(cli, *shared, policy="allows.json", principal=who).status) == (1, 0)


def test_a_document_is_judged_and_everything_in_it_counts(cli: Cli) -> None:
    Path("document.cbor").write_bytes(documents.document())
    Path("root.pem").write_bytes(documents.root().pem)
    lay("by-document.json", allow(documents.PCRS, "Exact"), UNATTESTED, ADMIN)
    ran = simulate(cli, "--document", "document.cbor", "--root", "root.pem", policy="by-document.json")
    assert ran.status == 0
    assert ran.stderr == (
        "nitroctl: note: the document is authentic at its own time; KMS refuses it once its certificate has expired\n"
    )
    attested = simulate(cli, "--document", "document.cbor", "--root", "root.pem", "--json").json["data"]["request"]
    assert attested["attested"]["complete"] is True
    assert attested["attested"]["pcrs"] == pcr.as_hex(dict.fromkeys(range(16), pcr.ZERO) | documents.PCRS)
    ran = simulate(cli, "--document", "document.cbor")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith("nitroctl: error: document.cbor: not authentic: ")
    assert "[kms.evidence]\n" in ran.stderr


def test_an_image_is_measured_and_unsigned_it_has_no_certificate(cli: Cli) -> None:
    Path("app.eif").write_bytes(images.forge())
    measured = images.registers(images.forge())
    lay("image.json", allow({0: measured[0]}, "Image"), UNATTESTED, ADMIN)
    ran = simulate(cli, "--eif", "app.eif", policy="image.json")
    assert (ran.status, "attests             app.eif, as measured\n" in ran.stdout) == (0, True)
    lay("signed.json", allow({0: measured[0], 8: register("certificate")}, "Signed"), UNATTESTED, ADMIN)
    assert simulate(cli, "--eif", "app.eif", policy="signed.json").status == 1
    Path("cut.eif").write_bytes(images.forge()[:-1])
    ran = simulate(cli, "--eif", "cut.eif", policy="image.json")
    assert (ran.status, "[eif.not-measurable]" in ran.stderr) == (3, True)


def test_a_debug_enclave_attests_zeros(cli: Cli) -> None:
    lay("zeros.json", allow({0: pcr.ZERO}, "Zeros"), UNATTESTED, ADMIN)
    ran = simulate(cli, "--debug-mode", policy="zeros.json")
    assert (ran.status, "attests             an enclave in debug mode\n" in ran.stdout) == (0, True)
    ran = simulate(cli, "--entry", "signer-1@prod", "--debug-mode")
    assert (ran.status, "attests             signer-1@prod, active in debug mode\n" in ran.stdout) == (1, True)


def test_registers_of_a_nitrotpm_have_keys_of_their_own(cli: Cli) -> None:
    gate = {"StringEquals": {"kms:RecipientAttestation:NitroTPMPCR4": register("t").hex()}}
    lay("tpm.json", statement(Condition=gate), ADMIN)
    given = ("--pcr", f"PCR4={register('t').hex()}")
    assert simulate(cli, *given, "--platform", "nitro-tpm", policy="tpm.json").status == 0
    assert simulate(cli, *given, policy="tpm.json").status == 1


def test_attestation_on_an_action_that_takes_none_does_not_count(cli: Cli) -> None:
    lay("encrypt.json", allow(ONE, "One") | {"Action": "kms:Encrypt"})
    ran = simulate(cli, "--entry", "signer-1@prod", "--action", "encrypt", policy="encrypt.json")
    assert ran.status == 1
    assert (
        "attests             signer-1@prod, active; does not count: kms:Encrypt takes no attestation document\n"
    ) in ran.stdout


def test_other_condition_keys_are_given(cli: Cli) -> None:
    lay("org.json", statement(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), ADMIN)
    ran = simulate(cli, policy="org.json")
    assert (ran.status, ran.stderr) == (
        3,
        (
            "nitroctl: error: not decided: it depends on aws:PrincipalOrgID, which was not given [kms.undecided]\n"
            "nitroctl: hint: say what the call has: --context KEY=VALUE, --absent KEY\n"
        ),
    )
    assert simulate(cli, "--context", "aws:PrincipalOrgID=o-1", policy="org.json").status == 0
    assert simulate(cli, "--absent", "aws:PrincipalOrgID", policy="org.json").status == 1
    lay("set.json", statement(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}), ADMIN)
    assert simulate(cli, "--context", "aws:TagKeys=a", "--context", "aws:TagKeys=b", policy="set.json").status == 0
    assert simulate(cli, "--context", "aws:TagKeys=a", "--context", "aws:TagKeys=c", policy="set.json").status == 1


def test_the_account_of_a_key_is_not_taken_from_who_calls(cli: Cli) -> None:
    lay("all.json", statement(Sid="All", Principal="*"))
    foreign = f"arn:aws:iam::{OTHER}:role/x"
    ran = simulate(cli, "--no-iam-policy", policy="all.json", principal=foreign)
    assert (ran.status, ran.stdout.splitlines()[0], ran.stderr) == (
        3,
        (
            f"! not decided: kms:Decrypt for {foreign} depends on whether the key is of the caller's account: its ARN"
            " was not given"
        ),
        (
            "nitroctl: error: not decided: it depends on whether the key is of the caller's account: its ARN was"
            " not given [kms.undecided]\n"
            "nitroctl: hint: name the key: --key ARN\n"
        ),
    )
    lay("all.json", statement(Sid="All", Principal="*"), ADMIN)
    assert simulate(cli, "--no-iam-policy", policy="all.json", principal=foreign).status == 3
    assert simulate(cli, "--no-iam-policy", policy="all.json").status == 0


def test_the_policy_is_replaced_from_the_keys_account_alone(cli: Cli) -> None:
    foreign = f"arn:aws:iam::{OTHER}:role/x"
    lay("put.json", statement(Sid="Put", Principal={"AWS": foreign}, Action="kms:*"), ADMIN)
    given = ("--any-iam-policy", "--key", KEY)
    for action in ("PutKeyPolicy", "GetKeyPolicy"):
        ran = simulate(cli, *given, "--action", action, policy="put.json", principal=foreign)
        assert (ran.status, ran.stdout.splitlines()[0]) == (
            1,
            f"✗ no: KMS takes kms:{action} from the key's own account alone, and {foreign} is of another",
        )
        told = f"the key is of account {ACCOUNT}: kms:{action} is for nobody else, whatever its policy allows"
        assert ran.stderr == f"nitroctl: note: {told}\n"
    assert simulate(cli, *given, "--action", "ListGrants", policy="put.json", principal=foreign).status == 0
    assert simulate(cli, *given, "--action", "PutKeyPolicy", policy="put.json", principal=f"{ROLE}-admin").status == 0
    lay("none.json", statement(Sid="Other"))
    ran = simulate(cli, *given, "--action", "PutKeyPolicy", policy="none.json")
    assert ran.stdout.splitlines()[0] == f"✗ no: nothing that was given allows kms:PutKeyPolicy to {ROLE}"
    assert ran.stderr == ""
    lay("deny.json", statement("Deny", Sid="Nobody", Principal="*", Action="kms:*"))
    ran = simulate(cli, *given, "--action", "PutKeyPolicy", policy="deny.json", principal=foreign)
    assert (ran.stdout.splitlines()[0], ran.stderr) == (
        f"✗ no: Nobody (deny.json line 2) denies kms:PutKeyPolicy to {foreign}",
        "",
    )


def test_a_comparison_that_depends_on_case_is_noted(cli: Cli) -> None:
    lay("case.json", statement(Condition={"StringEquals": {PCR0: ONE[0].hex().upper()}}))
    ran = simulate(cli, "--entry", "signer-1@prod", policy="case.json")
    assert ran.status == 1
    assert ran.stderr == NOTE + (
        "nitroctl: note: registers are taken to be in lower case, which AWS does not document and StringEquals"
        " depends on\n"
    )


def test_standard_input_is_a_policy(cli: Cli) -> None:
    wrapped = json.dumps({"PolicyName": "default", "Policy": Path("policy.json").read_text()})
    ran = simulate(cli, "--entry", "signer-1@prod", policy="-", stdin=wrapped.encode())
    assert ran.stdout.startswith(f"✓ yes: One (standard input line 1) allows kms:Decrypt to {ROLE}\n")


def test_a_hostile_sid_is_shown_escaped(cli: Cli) -> None:
    lay("hostile.json", statement(Sid="\x1b[2J\u202e::error::x"))
    out = simulate(cli, policy="hostile.json").stdout
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b[2J" in out


def test_a_register_that_was_not_given_is_asked_for_by_its_option(cli: Cli) -> None:
    lay("eight.json", statement(Condition={"StringEquals": {f"{PCR0[:-1]}8": ONE[8].hex()}}))
    ran = simulate(cli, "--pcr", f"PCR0={ONE[0].hex()}", policy="eight.json")
    assert ran.status == 3
    assert ran.stderr.endswith(
        "nitroctl: hint: say what the call has: --context KEY=VALUE, --absent KEY, --pcr PCR=HEX\n"
    )


@pytest.mark.parametrize("part", ["value", "key", "operator", "sid"])
def test_long_text_of_a_policy_is_cut_for_people_and_whole_for_machines(cli: Cli, part: str) -> None:
    text = "x" * 100_000
    names = {"value": "v", "key": "aws:k", "operator": "StringEquals", "sid": "S"} | {part: text}
    lay("long.json", statement(Sid=names["sid"], Condition={names["operator"]: {names["key"]: names["value"]}}))
    ran = simulate(cli, policy="long.json")
    assert len(ran.stdout) + len(ran.stderr) < 5_000
    assert "x" * 50 in ran.stdout
    assert text in simulate(cli, "--json", policy="long.json").stdout


def test_many_values_are_not_all_shown(cli: Cli) -> None:
    values = [register(number).hex() for number in range(300)]
    lay("many.json", statement("Deny", Condition={"StringNotEquals": {PCR0: values}}), statement())
    out = simulate(cli, policy="many.json").stdout
    assert out.count("expected ") == 5
    assert "or one of 296 more (--json has them)\n" in out


REFUSED = {
    "no-principal": (("policy.json",), 2, "missing option '--principal' [usage.invalid]"),
    "bad-principal": (
        ("policy.json", "--principal", "signer"),
        2,
        "--principal: neither a role, a session, a user nor an account's root: 'signer' [kms.caller]",
    ),
    "bad-action": (
        ("policy.json", "--principal", ROLE, "--action", "Decryptt"),
        2,
        "--action: KMS has no action 'Decryptt' [kms.unknown-action]",
    ),
    "bad-key": (
        ("policy.json", "--principal", ROLE, "--key", "alias/x"),
        2,
        "--key: not the ARN of a key: 'alias/x' [kms.key]",
    ),
    "context-of-no-use": (
        ("policy.json", "--principal", ROLE, "--action", "DeriveSharedSecret", "--encryption-context", "a=1"),
        2,
        "kms:DeriveSharedSecret takes no encryption context [usage.invalid]",
    ),
    "two-sources": (
        ("policy.json", "--principal", ROLE, "--entry", "signer-1@prod", "--eif", "x.eif"),
        2,
        "--entry and --eif each say what is attested [usage.invalid]",
    ),
    "document-and-registers": (
        ("policy.json", "--principal", ROLE, "--document", "x", "--debug-mode"),
        2,
        "a document says itself what is attested [usage.invalid]",
    ),
    "root-without-document": (
        ("policy.json", "--principal", ROLE, "--root", "x"),
        2,
        "--root judges a document, and none is given [usage.invalid]",
    ),
    "platform-without-registers": (
        ("policy.json", "--principal", ROLE, "--platform", "nitro-tpm"),
        2,
        "--platform says what --pcr is of, and nothing else needs it [usage.invalid]",
    ),
    "unknown-platform": (
        ("policy.json", "--principal", ROLE, "--platform", "tpm", "--pcr", f"PCR0={ONE[0].hex()}"),
        2,
        "--platform: 'tpm' is none of nitro-enclave, nitro-tpm [usage.invalid]",
    ),
    "register-of-no-tpm": (
        ("policy.json", "--principal", ROLE, "--platform", "nitro-tpm", "--pcr", f"PCR24={ONE[0].hex()}"),
        2,
        "--pcr PCR24: nitro-tpm has PCR0 to PCR23 [pcr.name]",
    ),
    "registers-in-context": (
        ("policy.json", "--principal", ROLE, "--context", f"{PCR0}=x"),
        2,
        f"--context: {PCR0} is attested [usage.invalid]",
    ),
    "context-without-value": (
        ("policy.json", "--principal", ROLE, "--context", "aws:x"),
        2,
        "--context: not an assignment: 'aws:x' [usage.invalid]",
    ),
    "given-and-absent": (
        ("policy.json", "--principal", ROLE, "--context", "aws:x=1", "--absent", "AWS:X"),
        2,
        "--absent: AWS:X is also given by --context [usage.invalid]",
    ),
    "iam-and-none": (
        ("policy.json", "--principal", ROLE, "--iam-policy", "x", "--no-iam-policy"),
        2,
        "--no-iam-policy and --iam-policy contradict each other [usage.invalid]",
    ),
    "two-stdins": (
        ("-", "--principal", ROLE, "--grants", "-"),
        2,
        "several files are standard input [usage.invalid]",
    ),
    "time-of-document": (
        ("policy.json", "--principal", ROLE, "--at", "document"),
        2,
        "--at document: a call is made at a time of its own [attest.at]",
    ),
    "missing": (
        ("no.json", "--principal", ROLE),
        3,
        "no.json: cannot read: no such file or directory [file.unreadable]",
    ),
    "directory": ((".", "--principal", ROLE), 3, ".: cannot read: is a directory [file.unreadable]"),
    "fifo": (("fifo", "--principal", ROLE), 3, "fifo: not a regular file [file.not-regular]"),
    "huge": (
        ("huge", "--principal", ROLE),
        3,
        "huge: larger than 1048576 bytes, the most this command reads [file.too-large]",
    ),
    "not-text": (("binary", "--principal", ROLE), 3, "binary: not UTF-8 text: byte 0 [file.not-utf8]"),
    "ledger": (
        ("measurements.json", "--principal", ROLE),
        3,
        "measurements.json: line 2: /schema: 'schema' is no member of a policy [kms.document]",
    ),
    "no-such-entry": (
        ("policy.json", "--principal", ROLE, "--entry", "signer-9@prod"),
        3,
        "measurements.json: no entry 'signer-9@prod' [records.no-such-entry]",
    ),
    "no-ledger": (
        ("policy.json", "--principal", ROLE, "--records", "no.json"),
        3,
        "no.json: no recorded measurements [records.missing]",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_simulated_is_said(cli: Cli, name: str) -> None:
    os.mkfifo("fifo")
    Path("binary").write_bytes(b"\xff\xfe")
    with Path("huge").open("wb") as huge:
        huge.truncate(2**33)
    arguments, status, message = REFUSED[name]
    ran = cli("kms", "simulate", *arguments)
    assert (ran.status, ran.stdout) == (status, "")
    assert ran.stderr.splitlines()[0] == f"nitroctl: error: {message}"


def test_without_a_ledger_it_works_all_the_same(cli: Cli) -> None:
    Path("measurements.json").unlink()
    registers = ("--pcr", f"PCR0={ONE[0].hex()}", "--pcr", f"PCR8={ONE[8].hex()}")
    assert simulate(cli, *registers).status == 0


def test_a_session_is_the_role(cli: Cli) -> None:
    assert simulate(cli, "--entry", "signer-1@prod", principal=SESSION).status == 0
