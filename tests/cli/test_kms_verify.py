"""``nitroctl kms verify``: a key in AWS held against what was wanted, and probed; an HTTP service stands for KMS."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from tests import records
from tests.conftest import Cli, Ran
from tests.fakes.kms import ADMIN, KEY, Kms, Refusal
from tests.fakes.kms import environment as kms_environment
from tests.kms_live import REQUEST, SESSION, A, B, default, good, write
from tests.kms_requests import ROLE, statement

READ = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z")
OTHERS = (
    "nitroctl: note: not looked at: service and resource control policies, permissions boundaries, session policies and"
    " VPC endpoint policies, which only deny; of IAM policies the proof takes the worst\n"
)
PROBED = (
    "nitroctl: note: what KMS refuses it refuses this caller, in this encryption context, at this moment: a probe does"
    " not prove that others are refused, nor that an attested call is let in\n"
    "nitroctl: note: the probes are dry runs, billed and logged in CloudTrail as calls of this caller\n"
)
SPREAD = "nitroctl: note: what was read is what one server of KMS had: others may take some minutes more\n"
AS_FAR = "as far as its policies and grants go"
DENIES = "policy default line LINE"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with the policy that is wanted, and never sleep."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.sleep", lambda _: None)
    write(tmp_path / "policy.json", good(A))
    return tmp_path


def verify(cli: Cli, *more: str, policy: str | None = "policy.json") -> Ran:
    ran = cli("kms", "verify", *([policy] if policy else []), "--key", KEY, *more)
    return Ran(ran.status, READ.sub("NOW", ran.stdout), READ.sub("NOW", ran.stderr))


def without_lines(text: str) -> str:
    """Return the text without the places of statements, which are where KMS prints them."""
    return re.sub(r"policy default line [0-9]+", "policy default line LINE", text)


def outcomes(ran: Ran) -> dict[str, str]:
    return {each["id"]: each["outcome"] for each in ran.json["data"]["report"]["checks"]}


def test_a_key_that_has_the_policy_and_holds(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    assert verify(cli) == Ran(
        0,
        f"✓ yes: {KEY} has the policy of policy.json; lets nobody by who attests none of its images, as far as its"
        " policies and grants go\n"
        f"key      {KEY}\n"
        "state    Enabled\n"
        "policy   policy.json\n"
        "records  not compared\n"
        "caller   nothing was probed\n"
        "as of    NOW\n"
        "– KMS refuses Decrypt without attestation to this caller\n"
        "  not checked: not requested (--live)\n"
        "  [verify.decrypt]\n"
        "– KMS refuses GenerateDataKey without attestation to this caller\n"
        "  not checked: not requested (--live)\n"
        "  [verify.data-key]\n"
        "– KMS refuses GenerateDataKeyPair without attestation to this caller\n"
        "  not checked: not requested (--live)\n"
        "  [verify.data-key-pair]\n"
        "✓ Nobody gets data without attesting an image that the policy names\n"
        "✓ The key has the policy that was wanted\n"
        "✓ The key is enabled\n",
        SPREAD + OTHERS,
    )
    assert not kms_service.asked("Decrypt")


def test_a_probe_says_who_was_refused_and_by_what(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    ran = verify(cli, "--live")
    by = f"Unattested ({DENIES}) denies it, whatever IAM policies and grants there are"
    assert (ran.status, ran.stderr) == (0, PROBED + SPREAD + OTHERS)
    assert without_lines(ran.stdout) == (
        f"✓ yes: {KEY} has the policy of policy.json; lets nobody by who attests none of its images, as far as its"
        f" policies and grants go; refused {SESSION} without attestation\n"
        f"key                  {KEY}\n"
        "state                Enabled\n"
        "policy               policy.json\n"
        "records              not compared\n"
        f"caller               {SESSION}\n"
        f"Decrypt              refused; {by}\n"
        f"GenerateDataKey      refused; {by}\n"
        f"GenerateDataKeyPair  refused; {by}\n"
        "as of                NOW\n"
        "✓ KMS refuses Decrypt without attestation to this caller\n"
        "✓ KMS refuses GenerateDataKey without attestation to this caller\n"
        "✓ KMS refuses GenerateDataKeyPair without attestation to this caller\n"
        "✓ Nobody gets data without attesting an image that the policy names\n"
        "✓ The key has the policy that was wanted\n"
        "✓ The key is enabled\n"
    )
    assert without_lines(verify(cli, "--live", "--json").json["data"]["report"]["checks"][0]["detail"]) == (
        f"KMS refused it to {SESSION}; {by}"
    )
    assert kms_service.asked("Decrypt")[0] == {"KeyId": KEY, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert kms_service.asked("GenerateDataKey")[0] == {"KeyId": KEY, "DryRun": True, "KeySpec": "AES_256"}
    assert kms_service.asked("GenerateDataKeyPair")[0]["DryRun"] is True


def test_a_probe_that_would_succeed_is_a_loud_no(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(default())
    ran = verify(cli, "--live", policy=None)
    assert ran.status == 1
    assert ran.stdout.splitlines()[0] == (
        f"✗ no: {KEY}: KMS would give {SESSION} data by Decrypt without any attestation; the key's policies leave that"
        " to the IAM policies of the caller, which were not given; and 3 more"
    )
    data = verify(cli, "--live", "--json", policy=None).json["data"]
    assert [(each["operation"], each["answer"]) for each in data["probes"]] == [
        ("Decrypt", "would-succeed"),
        ("GenerateDataKey", "would-succeed"),
        ("GenerateDataKeyPair", "would-succeed"),
    ]


def test_a_service_that_takes_no_notice_of_a_dry_run_is_a_no_and_its_plaintext_is_not_shown(
    cli: Cli, kms_service: Kms
) -> None:
    kms_service.create(good(A))
    secret = base64.b64encode(b"the secret").decode()
    kms_service.operations["Decrypt"] = lambda _: {"KeyId": KEY, "Plaintext": secret}
    for ran in (verify(cli, "--live"), verify(cli, "--live", "--json")):
        assert ran.status == 1
        assert "secret" not in ran.stdout + ran.stderr
        assert secret not in ran.stdout + ran.stderr
        assert f"KMS GAVE, in spite of the dry run, {SESSION} data by Decrypt without any attestation" in ran.stdout


def test_a_refusal_that_rests_on_iam_is_said_to_be_this_callers(cli: Cli, kms_service: Kms) -> None:
    from tests.fakes.kms import allow

    kms_service.create(default())
    kms_service.iam = allow("kms:Describe*", "kms:Get*", "kms:List*")
    ran = verify(cli, "--live", "--json", policy=None)
    assert (ran.status, outcomes(ran)["verify.decrypt"], outcomes(ran)["verify.proof"]) == (1, "pass", "fail")
    assert (
        "leave that to the IAM policies of the caller, which were not given, so that the next caller may be let in"
    ) in ran.stdout


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal("DisabledException", "the key is disabled"), "aws.key-state"),
        (Refusal("ThrottlingException", "Rate exceeded"), "aws.throttled"),
        (Refusal("ValidationException", "what is IGNORE_CIPHERTEXT?"), "aws.refused"),
        (Refusal("ExpiredTokenException", "expired"), "aws.credentials"),
    ],
    ids=["disabled", "throttled", "modifier", "expired"],
)
def test_an_answer_that_is_no_refusal_is_no_yes(cli: Cli, kms_service: Kms, refusal: Refusal, code: str) -> None:
    kms_service.create(good(A))
    kms_service.knobs.refuse["Decrypt"] = refusal
    ran = verify(cli, "--live")
    assert (ran.status, ran.stdout[0]) == (5, "!")
    assert f"[{code}]\n" in ran.stderr
    assert "✓ KMS refuses Decrypt" not in ran.stdout
    kms_service.put(default())  # what is certain is told before what is not known
    assert verify(cli, "--live").status == 1


def test_a_policy_that_was_changed_is_shown_statement_by_statement(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(B, Extra=statement(Sid="Extra", Principal={"AWS": ADMIN}, Action="kms:DescribeKey")))
    ran = verify(cli)
    assert ran.status == 1
    assert ran.stdout.splitlines()[0] == (
        f"✗ no: {KEY}: its policy is not that of policy.json: Use differs; Other differs; Extra is in the key's only"
    )
    assert ran.stdout.endswith(
        "+ statement Extra: added\n"
        "+     Effect: Allow\n"
        f"+     Principal/AWS: {ADMIN}\n"
        "+     Action: kms:DescribeKey\n"
        "+     Resource: *\n"
    )
    assert verify(cli, "--json").json["data"]["difference"]["equal"] is False


def test_without_a_policy_the_key_is_judged_by_itself(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    ran = verify(cli, "--json", policy=None)
    assert (ran.status, outcomes(ran)["verify.policy"], ran.json["data"]["difference"]) == (0, "skip", None)


def test_grants_that_let_somebody_by_are_a_no(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A, Unattested=None, Other=None))
    write(Path("policy.json"), good(A, Unattested=None, Other=None))
    kms_service.grant(ROLE, "Decrypt")
    assert outcomes(verify(cli, "--json"))["verify.proof"] == "fail"


def test_the_records_are_what_is_wanted(cli: Cli, kms_service: Kms, here: Path) -> None:
    release = records.active()
    records.write(here / "measurements.json", release)
    pinned = {f"kms:RecipientAttestation:PCR{index}": value.hex() for index, value in release.pinned.items()}
    use = statement(Sid="Use", Condition={"StringEqualsIgnoreCase": pinned})
    kms_service.create(good(release.pcrs[0].hex(), Use=use))
    ran = verify(cli, "--records", "measurements.json", policy=None)
    assert (ran.status, ran.stdout.splitlines()[0]) == (
        0,
        f"✓ yes: {KEY} names the active records; lets nobody by who attests none of its images, {AS_FAR}",
    )
    kms_service.put(good(A))
    found = outcomes(verify(cli, "--records", "measurements.json", "--json", policy=None))
    assert {name for name, outcome in found.items() if outcome == "fail"} == {
        "drift.key-complete",
        "drift.key-recorded",
        "verify.proof",
    }


def test_what_cannot_be_proved_is_no_answer(cli: Cli, kms_service: Kms, here: Path) -> None:
    policy = good(A, Use=statement(Sid="Use", Condition={"Nonsense": {"aws:x": "y"}}), Unattested=None, Other=None)
    write(here / "policy.json", policy)
    kms_service.create(policy)
    ran = verify(cli)
    assert (ran.status, ran.stdout[0]) == (3, "!")
    assert "[kms.undecided]\n" in ran.stderr


def test_waiting_ends_as_soon_as_the_policy_is_seen(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(B))
    kms_service.knobs.after["GetKeyPolicy"] = lambda: kms_service.put(good(A))
    ran = verify(cli, "--wait", "60")
    assert ran.status == 0
    assert "asked    2 times in 1 s\n" in ran.stdout
    assert ran.stderr.startswith(f"nitroctl: note: {KEY}: not yet; asking again for 60 s\n")


def test_waiting_is_bounded(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(B))
    ran = verify(cli, "--wait", "20", "--json")
    assert (ran.status, ran.json["data"]["tries"], ran.json["data"]["waited_s"]) == (1, 6, 20)


def test_what_no_time_mends_is_not_waited_for(cli: Cli, kms_service: Kms, here: Path) -> None:
    write(here / "policy.json", default())
    kms_service.create(default())
    ran = verify(cli, "--wait", "60", "--json")
    assert (ran.status, ran.json["data"]["tries"], outcomes(ran)["verify.policy"]) == (1, 1, "pass")


def test_what_the_policy_before_lets_by_is_waited_out(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(default())
    kms_service.knobs.after["GetKeyPolicy"] = lambda: kms_service.put(good(A))
    ran = verify(cli, "--wait", "60", "--live", "--json")
    assert (ran.status, ran.json["data"]["tries"]) == (0, 2)


def test_a_probe_that_comes_late_is_asked_again(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    late = Refusal("DryRunOperationException", "The request would have succeeded", 412)
    kms_service.knobs.stumble["Decrypt"] = [late]
    ran = verify(cli, "--wait", "60", "--live", "--json")
    assert (ran.status, ran.json["data"]["tries"]) == (0, 2)
    kms_service.knobs.stumble["Decrypt"] = [late]
    assert verify(cli, "--live").status == 1


def test_a_context_is_sent_and_an_alias_asked_for(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    alias = kms_service.alias("signer")
    ran = cli("kms", "verify", "policy.json", "--key", alias, "--live", "--encryption-context", "app=signer", "--json")
    assert (ran.status, ran.json["data"]["key"]["arn"], ran.json["data"]["key"]["asked"]) == (0, KEY, alias)
    asked = [kms_service.asked(name)[0] for name in ("Decrypt", "GenerateDataKey", "GenerateDataKeyPair")]
    assert [(each["KeyId"], each["EncryptionContext"]) for each in asked] == [(KEY, {"app": "signer"})] * 3


def test_a_ciphertext_is_sent_when_it_is_given(cli: Cli, kms_service: Kms, here: Path) -> None:
    kms_service.create(good(A))
    (here / "blob").write_bytes(b"\x01\x02ciphertext")
    assert verify(cli, "--live", "--ciphertext", "blob").status == 0
    [body] = kms_service.asked("Decrypt")
    assert base64.b64decode(body.pop("CiphertextBlob")) == b"\x01\x02ciphertext"
    assert body == {"KeyId": KEY, "DryRun": True}


def test_a_key_without_anything_to_probe_says_so(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A), KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
    ran = verify(cli, "--live")
    assert ran.status == 3
    what = "no operation of the key can be probed: it is for SIGN_VERIFY"
    assert ran.stdout.splitlines()[0] == f"! not known: {KEY}: {what}"  # and no yes, of what was not asked
    assert f"nitroctl: error: {KEY}: {what} [kms.no-probe]\n" in ran.stderr
    assert verify(cli, "--live", "--json").json["data"]["answer"] == f"not known: {KEY}: {what}"
    assert verify(cli).status == 0


def test_a_probe_that_kms_does_not_answer_is_told_once(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A))
    disabled = Refusal("DisabledException", "the key is disabled")
    kms_service.knobs.refuse = {"Decrypt": disabled, "GenerateDataKey": disabled}
    ran = verify(cli, "--live")
    assert ran.status == 5
    assert ran.stdout.splitlines()[0] == (
        f"! not known: {KEY}: kms:Decrypt was refused: DisabledException: the key is disabled {REQUEST}; and 1 more"
    )


def test_an_asymmetric_key_is_probed_for_decrypt_alone(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A), KeyUsage="ENCRYPT_DECRYPT", KeySpec="RSA_2048")
    data = verify(cli, "--live", "--encryption-context", "a=b", "--json").json["data"]
    assert [each["operation"] for each in data["probes"]] == ["Decrypt"]
    [body] = kms_service.asked("Decrypt")
    assert (body["EncryptionAlgorithm"], "EncryptionContext" in body) == ("RSAES_OAEP_SHA_256", False)


def test_a_second_policy_replicas_and_the_state_are_told(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A), MultiRegion=True)
    replica = kms_service.replicate("eu-north-1")
    kms_service.share({"Version": "2012-10-17", "Statement": [statement(Sid="Shared", Principal="*")]})
    kms_service.state("Disabled")
    ran = verify(cli)
    assert ran.status == 0  # the Denies of the first policy hold against the second
    assert ran.stdout.splitlines()[0].endswith(" grants go; is Disabled, and gives data to nobody now")
    assert ran.stderr == (
        "nitroctl: note: the proof is of both policies of the key; compared is not AWS_RAM\n"
        f"nitroctl: note: not looked at: the same key, with a policy of its own each, in {replica}\n" + SPREAD + OTHERS
    )
    assert "! The key is enabled\n  it is Disabled, and gives data to nobody whatever its policy says\n" in ran.stdout


def test_hostile_texts_are_escaped(cli: Cli, kms_service: Kms) -> None:
    kms_service.create(good(A, Use=statement(Sid="a\x9b\xad", Principal="*")))
    ran = verify(cli, "--live")
    assert ran.status == 1
    assert not set("\x9b\xad") & set(ran.stdout)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--encryption-context", "a=b"), "--encryption-context is for a probe"),
        (("--ciphertext", "blob"), "--ciphertext is for a probe"),
        (("--environment", "prod"), "--environment chooses among records"),
        (("--live", "--encryption-context", "a"), "--encryption-context 'a': write name=value"),
    ],
    ids=["context", "ciphertext", "environment", "no-assignment"],
)
def test_wrong_invocations(cli: Cli, kms_service: Kms, more: tuple[str, ...], said: str) -> None:
    ran = verify(cli, *more)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"nitroctl: error: {said}")
    assert not kms_service.requests


@pytest.mark.parametrize("operation", ["DescribeKey", "GetKeyPolicy", "ListGrants", "GetCallerIdentity"])
def test_what_could_not_be_read_is_no_answer(cli: Cli, kms_service: Kms, operation: str) -> None:
    kms_service.create(good(A))
    kms_service.knobs.refuse[operation] = Refusal("AccessDeniedException", "no")
    ran = verify(cli, "--live")
    assert (ran.status, ran.stdout) == (5, "")


def test_the_program_verifies_too(cli: Cli, kms_service: Kms, here: Path) -> None:
    kms_service.create(good(A))
    environment: dict[str, Any] = kms_environment(kms_service)
    ran = cli.program("kms", "verify", "policy.json", "--key", KEY, "--live", env=environment, cwd=here)
    assert (ran.status, ran.stdout[0]) == (0, "✓")
