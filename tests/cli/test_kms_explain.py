"""``nitroctl kms explain``: whole outputs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nitroctl import pcr
from tests import documents, explained, records
from tests.conftest import Cli, Ran
from tests.explained import ADMIN, UNATTESTED, allow, deny_all_but, document, lay
from tests.kms_requests import KEY, PCR0, ROLE, ROOT, SESSION, identity, statement

if TYPE_CHECKING:
    from tests.fakes.kms import Kms

AT = ("--at", "2026-11-20T10:00:00Z", "--root", "root.pem")
UNDER = (
    "nitroctl: note: the document is under CN=standin.nitro-enclaves,OU=test,O=nitroctl stand-in,C=US, which --root"
    " names; KMS accepts documents under AWS's roots\n"
)
ONE, TWO, THREE = (records.pcrs(seed)[0].hex() for seed in ("1", "2", "3"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with a policy of two releases, the records, and a document of each."""
    monkeypatch.chdir(tmp_path)
    records.write(tmp_path / "measurements.json", *explained.ledger())
    (tmp_path / "root.pem").write_bytes(documents.root().pem)
    for seed in ("1", "3"):
        (tmp_path / f"{seed}.cbor").write_bytes(document(seed))
    lay(tmp_path / "policy.json", ADMIN, allow("1", "One"), allow("2", "Two"), UNATTESTED, deny_all_but("1", "2"))
    return tmp_path


def explain(cli: Cli, *more: str, file: str = "3.cbor", policy: str = "policy.json", at: Any = AT, **given: Any) -> Ran:
    return cli("kms", "explain", file, "--policy", policy, "--principal", ROLE, *at, *more, **given)


def asked(seed: str) -> str:
    return (
        "action              kms:Decrypt\n"
        f"principal           {ROLE}\n"
        f"attests             {seed}.cbor, made 2026-11-20T10:00:00Z on {documents.module_id()}\n"
        "encryption context  none\n"
        "key                 not given\n"
        "as of               2026-11-20T10:00:00Z\n"
    )


NOT_SENT = (
    "– the document may not have been in the request: without one KMS would refuse it in the same words"
    " [explain.not-sent]\n"
    "  do  see that the call itself has Recipient with AttestationDocument and RSAES_OAEP_SHA_256; CloudTrail does not"
    " log the document of a refused call\n"
)
OTHERS = (
    "Not looked at: service control policies, resource control policies, permissions boundaries, session policies and"
    " VPC endpoint policies (they could only deny); "
)


def test_a_session_that_a_policy_names_is_asked_for(cli: Cli, here: Path) -> None:
    lay(here / "policy.json", ADMIN, allow("1", "One", Principal={"AWS": SESSION}))
    ran = explain(cli, file="1.cbor")
    assert ran.status == 3
    assert ran.stderr.endswith(
        "nitroctl: hint: name the session: --principal arn:aws:sts::<account>:assumed-role/<role>/<session>\n"
    )


def test_reasons_are_wrapped_to_the_width(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = explain(cli).stdout.split("\nStatements\n")[0].splitlines()
    assert [line for line in lines if len(line) > 80 and ONE not in line and THREE not in line] == []


@pytest.mark.parametrize(
    ("seed", "changes", "note"),
    [
        ("0.8", {}, "signer-0.8@prod is revoked, and these policies let it in"),
        ("0.9", {}, "signer-0.9@prod is retired, and these policies let it in"),
        (
            "1",
            dict.fromkeys((0, 1, 2), pcr.ZERO),
            "the enclave ran in debug mode, and these policies let it in: no policy should name zeros",
        ),
    ],
    ids=["revoked", "retired", "debug"],
)
def test_what_is_let_in_and_should_not_be_is_told(
    cli: Cli, here: Path, seed: str, changes: dict[int, bytes], note: str
) -> None:
    (here / "d.cbor").write_bytes(document(seed, changes))
    lay(here / "policy.json", ADMIN, allow(seed, "Old", {0: explained.registers(seed, changes)[0]}))
    ran = explain(cli, file="d.cbor")
    assert (ran.status, f"nitroctl: note: {note}\n" in ran.stderr) == (0, True)


def test_a_document_that_is_old_by_now_asks_first_when_the_call_was(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 21, 10, tzinfo=UTC)
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: now)
    ran = explain(cli, file="1.cbor", at=AT[2:])
    assert ran.status == 1
    assert ran.stdout.splitlines()[0] == (
        "✗ no: 1.cbor is out of date: its certificates ended at 2026-11-20T13:00:00Z, and the call is taken to be made"
        " now, at 2026-11-21T10:00:00Z; give the time of the call with --at; if it is made now, let the enclave ask the"
        " NSM for a new document"
    )


def test_an_image_that_the_policy_does_not_name_is_explained_from_sentence_to_statement(cli: Cli) -> None:
    assert explain(cli) == Ran(
        1,
        "✗ no: the image is signer-3@prod, candidate since 2026-11-20T10:00:00Z, and the policy does not name it: One"
        " (policy.json line 3) asks for that of signer-1@prod; make it active (nitroctl pcr rollout signer-3@prod),"
        " then write the policy again from the records (nitroctl kms generate) and put it on the key\n"
        "KMS answers         AccessDeniedException\n"
        "document            authentic; taken 2026-11-20T09:59:57Z to 2026-11-20T13:00:00Z\n"
        "image               signer-3@prod (candidate)\n" + asked("3") + "\nWhat decides\n"
        "✗ the image is signer-3@prod, candidate since 2026-11-20T10:00:00Z, and the policy does not name it: One"
        " (policy.json line 3) asks for that of signer-1@prod [explain.image]\n"
        "  do             make it active (nitroctl pcr rollout signer-3@prod), then write the policy again from the"
        " records (nitroctl kms generate) and put it on the key\n"
        f"  PCR0 expected  {ONE}  (signer-1@prod)\n"
        f"  PCR0 actual    {THREE}  (signer-3@prod)\n"
        "  statements     One (policy.json line 3), Images (policy.json line 6)\n"
        "\nWhat the files cannot show\n" + NOT_SENT + "\nStatements\n"
        "\n"
        "Deny Images (policy.json line 6) matches\n"
        "  kms:RecipientAttestation:PCR0  holds: StringNotEqualsIgnoreCase\n"
        f"    expected                     {ONE}  (signer-1@prod)\n"
        f"    expected                     {TWO}  (signer-2@prod)\n"
        f"    actual                       {THREE}\n"
        "\n"
        "Not shown: 1 statement about another principal, action or key, 1 statement not deciding (--json has them).\n"
        "\n"
        "One (policy.json line 3) would allow it, with\n"
        f"  kms:RecipientAttestation:PCR0  {ONE}  (signer-1@prod)\n"
        f"    in place of                  {THREE}\n"
        "\n"
        "Two (policy.json line 4) would allow it, with\n"
        f"  kms:RecipientAttestation:PCR0  {TWO}  (signer-2@prod)\n"
        f"    in place of                  {THREE}\n"
        "\n" + OTHERS + "other policies and grants of the key (an explicit Deny holds against all of them).\n",
        UNDER,
    )


def test_what_would_be_allowed_has_its_cause_elsewhere(cli: Cli) -> None:
    ran = explain(cli, file="1.cbor")
    assert (ran.status, ran.stderr) == (0, UNDER)
    assert ran.stdout.startswith(
        "✓ yes: One (policy.json line 3) would allow it; if KMS refused, see first that the document was in the"
        " request\n"
        "KMS answers         what was asked\n"
        "document            authentic; taken 2026-11-20T09:59:57Z to 2026-11-20T13:00:00Z\n"
        "image               signer-1@prod (active)\n"
        + asked("1")
        + "\nWhat the files cannot show\n"
        + NOT_SENT
        + "– another policy may have been in effect, or another key: an alias, a replica, a Region"
        " [explain.other-policy]\n"
        "  do  compare with aws kms get-key-policy; what was put takes effect after seconds to minutes\n"
        "– what only denies was not looked at: service and resource control policies, permissions boundaries, session"
        " policies, VPC endpoint policies [explain.only-denies]\n"
        "  do  read the whole message of the AccessDeniedException: it names the kind of policy that denied\n"
        "\nStatements\n"
    )


def test_what_is_no_document_is_an_answer_and_no_policy_is_asked(cli: Cli) -> None:
    ran = explain(cli, at=AT[:2])
    assert ran == Ran(
        1,
        "✗ no: 3.cbor is not an authentic attestation document: the bundle begins with CN=standin.nitro-enclaves,"
        "OU=test,O=nitroctl stand-in,C=US, which is not an accepted root; send the document as the NSM returned it;"
        " nitroctl attest verify 3.cbor --authenticity-only shows all\n"
        "KMS answers         ValidationException\n"
        "document            not authentic\n"
        "action              kms:Decrypt\n"
        f"principal           {ROLE}\n"
        "attests             3.cbor, not authentic\n"
        "encryption context  none\n"
        "key                 not given\n"
        "as of               2026-11-20T10:00:00Z\n"
        "\nWhat decides\n"
        "✗ 3.cbor is not an authentic attestation document: the bundle begins with CN=standin.nitro-enclaves,OU=test,"
        "O=nitroctl stand-in,C=US, which is not an accepted root [explain.authentic]\n"
        "  do  send the document as the NSM returned it; nitroctl attest verify 3.cbor --authenticity-only shows all\n",
        "",
    )
    data = explain(cli, "--json", at=AT[:2]).json["data"]
    assert (data["policies"], data["request"]["attested"], data["document"]["authentic"]) == (None, None, False)
    assert (data["kms_answers"], data["not_looked_at"]) == ("ValidationException", [])
    assert (data["document"]["module_id"], data["document"]["in_its_period"]) == (documents.module_id(), False)


def test_in_json_everything_is_told(cli: Cli) -> None:
    document = explain(cli, "--json").json
    data = document["data"]
    assert (document["status"], data["verdict"], data["kms_answers"]) == (
        "refused",
        "denied",
        "AccessDeniedException",
    )
    place = {"policy": "policy.json", "number": 2, "line": 3, "effect": "Allow", "sid": "One"}
    deny = {"policy": "policy.json", "number": 5, "line": 6, "effect": "Deny", "sid": "Images"}
    assert data["reasons"][0]["statements"] == [place, deny]
    assert data["reasons"][0]["registers"] == [
        {
            "key": PCR0,
            "expected": [{"value": ONE, "entries": ["signer-1@prod"]}],
            "actual": THREE,
            "actual_entries": ["signer-3@prod"],
            "since": "signer-3@prod",
            "until": "signer-1@prod",
        }
    ]
    assert data["recorded"] == [{"entry": "signer-3@prod", "status": "candidate"}]
    assert data["document"] | {"pcrs": None} == {
        "file": "3.cbor",
        "authentic": True,
        "in_its_period": True,
        "begins": "2026-11-20T09:59:57Z",
        "ends": "2026-11-20T13:00:00Z",
        "kind": "enclave",
        "module_id": documents.module_id(),
        "made_at": "2026-11-20T10:00:00.250Z",
        "pcrs": None,
    }
    assert data["without_document"]["verdict"] == "denied"
    assert [each["sid"] for each in data["without_document"]["deciding"]] == ["Unattested", "Images"]
    assert [each["statement"]["sid"] for each in data["policies"]["would_allow"]] == ["One", "Two"]


def test_what_depends_on_iam_policies_is_no_answer_without_them(cli: Cli, here: Path) -> None:
    lay(here / "root.json", statement(Sid="Root", Principal={"AWS": ROOT}, Action="kms:*"), allow("1", "One"))
    ran = explain(cli, policy="root.json")
    assert ran.status == 3
    assert ran.stdout.splitlines()[0] == (
        "! not decided: it depends on the IAM policies of the caller, which were not given; what is certain: the image"
        " is signer-3@prod, candidate since 2026-11-20T10:00:00Z, and the policy does not name it: One (root.json line"
        " 3) asks for that of signer-1@prod"
    )
    assert "[kms.undecided]\nnitroctl: hint: give the caller's IAM policies with --iam-policy FILE" in ran.stderr
    assert explain(cli, "--no-iam-policy", policy="root.json").status == 1
    (here / "iam.json").write_text(json.dumps({"Statement": [identity()]}))
    allowed = explain(cli, "--iam-policy", "iam.json", policy="root.json")
    assert (allowed.status, allowed.stderr) == (
        0,
        UNDER + "nitroctl: note: the same call without any document would be allowed: these policies hold nobody to an"
        " image\n",
    )


def test_encryption_context_grants_key_and_action_are_taken(cli: Cli, here: Path) -> None:
    context = {"StringEquals": {"kms:EncryptionContext:app": "signer"}}
    lay(here / "context.json", statement(Sid="Context", Condition=context))
    (here / "grants.json").write_text(
        json.dumps({"Grants": [{"GrantId": "g-1", "GranteePrincipal": ROLE, "Operations": ["Encrypt"]}]})
    )
    plain = explain(cli, "--grants", "grants.json", "--key", KEY, "--json", policy="context.json").json["data"]
    assert [each["id"] for each in plain["reasons"]] == ["explain.context", "explain.grant", "explain.not-sent"]
    assert explain(cli, "--encryption-context", "app=signer", "--key", KEY, policy="context.json").status == 0
    encrypt = explain(cli, "--action", "encrypt", "--json").json["data"]
    assert [each["id"] for each in encrypt["reasons"]] == ["explain.not-allowed", "explain.action"]


def test_hostile_text_in_policies_is_shown_escaped(cli: Cli, here: Path) -> None:
    lay(here / "hostile.json", allow("1", "a\x1b[31m\u202e::error::", Principal={"AWS": "x\x07\n::add-mask::"}))
    ran = explain(cli, policy="hostile.json")
    assert ran.status == 1
    assert not set("\x1b\x07\u202e") & set(ran.stdout)
    assert "\n::" not in ran.stdout


def test_documents_and_policies_on_standard_input(cli: Cli, here: Path) -> None:
    ran = explain(cli, "--json", file="-", stdin=(here / "1.cbor").read_bytes())
    assert (ran.status, ran.json["data"]["document"]["file"]) == (0, "standard input")
    both = explain(cli, file="-", policy="-")
    assert (both.status, both.stderr.splitlines()[0]) == (
        2,
        "nitroctl: error: several files are standard input [usage.invalid]",
    )


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--at", "document"), "attest.at"),
        (("--key", "alias/app"), "kms.key"),
        (("--action", "Decode"), "kms.unknown-action"),
        (("--principal", "me"), "kms.caller"),
        (("--iam-policy", "policy.json", "--no-iam-policy"), "usage.invalid"),
        (("--action", "Sign", "--encryption-context", "a=b"), "usage.invalid"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_wrong_invocations(cli: Cli, more: tuple[str, ...], code: str) -> None:
    ran = explain(cli, *more)
    assert (ran.status, ran.stdout) == (2, "")
    assert f"[{code}]\n" in ran.stderr


@pytest.mark.parametrize("name", ["missing", "directory", "empty", "huge"])
def test_a_document_that_cannot_be_read_is_no_answer(cli: Cli, here: Path, name: str) -> None:
    (here / "directory").mkdir()
    (here / "empty").touch()
    with (here / "huge").open("wb") as sparse:
        sparse.truncate(1 << 40)
    ran = explain(cli, file=name)
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith(f"nitroctl: error: {name}: ")


def test_without_records_images_are_not_named(cli: Cli, here: Path) -> None:
    (here / "measurements.json").unlink()
    ran = explain(cli)
    assert ran.stdout.splitlines()[0] == (
        "✗ no: the policy does not name the image: One (policy.json line 3) asks for another PCR0; run the image that"
        " the policy is for, or name this one; --records FILE tells which version either is"
    )
    assert "image               not compared: nothing is recorded\n" in ran.stdout
    assert explain(cli, "--records", "missing.json").status == 3


def test_the_policies_of_a_key_in_aws_are_read_where_no_file_is_named(cli: Cli, kms_service: "Kms", here: Path) -> None:
    from tests.fakes.kms import KEY as LIVE

    kms_service.create(json.loads((here / "policy.json").read_text()))
    kms_service.grant(ROLE, "Encrypt")
    ran = cli("kms", "explain", "3.cbor", "--key", LIVE, "--principal", ROLE, *AT)
    assert ran.status == 1
    place = f"{LIVE}: policy default line"
    assert ran.stdout.startswith(
        "✗ no: the image is signer-3@prod, candidate since 2026-11-20T10:00:00Z, and the policy does not name it: One"
        f" ({place} "
    )
    assert f"nitroctl: note: the policies and grants are those that AWS told of {LIVE} at 20" in ran.stderr
    data = cli("kms", "explain", "1.cbor", "--key", LIVE, "--principal", ROLE, *AT, "--json").json["data"]
    assert (data["verdict"], data["key"]["arn"], data["request"]["key"]) == ("allowed", LIVE, LIVE)
    assert data["not_looked_at"] == [
        OTHERS.removeprefix("Not looked at: ").removesuffix("; "),
        "IAM policies of the caller, which were not given (they could deny)",
    ]


def test_a_disabled_key_in_aws_is_told_as_disabled(cli: Cli, kms_service: "Kms", here: Path) -> None:
    from tests.fakes.kms import KEY as LIVE

    kms_service.create(json.loads((here / "policy.json").read_text()))
    kms_service.state("Disabled")
    ran = cli("kms", "explain", "1.cbor", "--key", LIVE, "--principal", ROLE, *AT)
    assert "nitroctl: note: the key is Disabled: KMS refuses every use of it, with an error of its own\n" in ran.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "no key policy to go by"),
        (("--key", KEY, "--grants", "grants.json"), "AWS says what --ram-policy and --grants would"),
        (("--key", KEY, "--ram-policy", "ram.json"), "AWS says what --ram-policy and --grants would"),
    ],
    ids=["nothing", "grants", "ram"],
)
def test_without_a_policy_there_must_be_a_key_alone(cli: Cli, more: tuple[str, ...], said: str) -> None:
    ran = cli("kms", "explain", "1.cbor", "--principal", ROLE, *more)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: {said}")
