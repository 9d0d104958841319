"""``nitroctl pcr check`` over what is recorded, what runs, and what the key policy names: whole outputs."""

import dataclasses
import json
from pathlib import Path

import pytest

from nitroctl import pcr
from nitroctl.records import Entry, Status
from nitroctl.standin.host import StandinHost
from nitroctl.standin.lab_change import PCRS
from tests.cli.test_pcr_import import write_document
from tests.conftest import Cli, Ran
from tests.records import active, entry, pcrs, write
from tests.standin_host import standin  # noqa: F401  (a fixture)

IMAGE = {index: PCRS[index] for index in (0, 1, 2)}
NAMED_ONLY = (
    "nitroctl: note: of the key policy, what its statements name was read; what it lets through was not proved\n"
)
NO_PARENT = (
    "nitroctl: note: an image and nitro-cli cannot know PCR3 and PCR4; pinned ones were compared in documents only\n"
)
ROLE = "arn:aws:iam::111122223333:role/signer"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def statement(sid: str, *entries: Entry, **changes: object) -> dict[str, object]:
    """Return an Allow for the image of ``entries``, as kms generate writes them."""
    found = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {
            "StringEqualsIgnoreCase": {
                f"kms:RecipientAttestation:PCR{index}": [each.pcrs[index].hex() for each in entries]
                for index in (0, 1, 2)
            }
        },
    }
    return found | changes


def policy(*statements: dict[str, object]) -> None:
    Path("policy.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def test_everything_agrees(cli: Cli) -> None:
    old, new = active("1.4.1"), active("1.4.2", pcrs=IMAGE)
    write(Path("measurements.json"), old, new, entry("1.5.0"))
    write_document()
    policy(statement("One", old), statement("Two", new))
    Path("build.json").write_text(json.dumps({"Measurements": pcr.as_hex(IMAGE)}))
    asked = ["--document", "doc.cbor", "--at", "document", "--root", "root.pem", "--measurements", "build.json"]
    assert cli("pcr", "check", *asked, "--key-policy", "policy.json", "--component", "signer") == Ran(
        0,
        "✓ yes: what was looked at is recorded and active\n"
        "records  measurements.json, entries of signer in any environment\n"
        "version            recorded  build       document  key policy names it\n"
        "signer-1.4.1@prod  active    -           -         One\n"
        "signer-1.4.2@prod  active    build.json  doc.cbor  Two\n"
        "✓ What the build printed is an active record\n"
        "✓ The document attests an active record\n"
        "✓ The key policy names active records only\n"
        "✓ The key policy names every active record\n"
        "✓ Every statement of the key policy that serves enclaves is bound to an image\n",
        "nitroctl: note: doc.cbor: authentic under CN=standin.nitro-enclaves,OU=test,O=nitroctl stand-in,C=US "
        "(not an AWS root, accepted because --root names it), not appraised, as of 2026-11-20T10:00:00.250Z "
        "(document time)\n" + NAMED_ONLY + NO_PARENT,
    )


def test_the_policy_that_is_generated_names_what_is_recorded(cli: Cli) -> None:
    write(Path("measurements.json"), active("1.4.1"), active("1.4.2"))
    roles = [
        f"--{name}=arn:aws:iam::111122223333:role/{name}" for name in ("enclave-role", "admin-role", "policy-writer")
    ]
    Path("policy.json").write_text(cli("kms", "generate", *roles).stdout)
    data = cli("pcr", "check", "--key-policy", "policy.json", "--json").json["data"]
    assert [(each["entry"], len(each["named_by"])) for each in data["entries"]] == [
        ("signer-1.4.1@prod", 1),
        ("signer-1.4.2@prod", 1),
    ]
    assert [(check["id"], check["outcome"]) for check in data["report"]["checks"]] == [
        ("drift.key-recorded", "pass"),
        ("drift.key-complete", "pass"),
        ("drift.key-bound", "pass"),
    ]


REVOKED = dataclasses.replace(
    active("1.4.0"), status=Status.REVOKED, revoked_at=active().recorded_at, revoked_because="it leaks"
)


def test_every_drift_of_a_policy_is_named(cli: Cli) -> None:
    write(Path("measurements.json"), active("1.4.1"), active("1.4.2"), entry("1.5.0"), REVOKED)
    unknown = entry("9")
    root: dict[str, object] = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    policy(statement("Old", REVOKED, active("1.4.1")), statement("Odd", unknown), root)
    ran = cli("pcr", "check", "--key-policy", "policy.json")
    assert (ran.status, ran.stderr) == (1, NAMED_ONLY)
    assert ran.stdout == (
        "✗ no: 2 drifts: Old names signer-1.4.0@prod, revoked since 2026-11-20T10:00:00Z (it leaks); "
        + "; ".join(f"Odd names PCR{n} {unknown.pcrs[n].hex()}, which is not recorded" for n in (0, 1, 2))
        + "\n"
        "records  measurements.json, entries of any component in any environment\n"
        "version            recorded  key policy names it\n"
        "signer-1.4.0@prod  revoked   Old\n"
        "signer-1.4.1@prod  active    Old\n"
        "signer-1.4.2@prod  active    no\n"
        "✗ The key policy names active records only\n"
        "  Old names signer-1.4.0@prod, revoked since 2026-11-20T10:00:00Z (it leaks); "
        + "; ".join(f"Odd names PCR{n} {unknown.pcrs[n].hex()}, which is not recorded" for n in (0, 1, 2))
        + "\n"
        "  fix: write the policy again from the records: nitroctl kms generate\n"
        "  [drift.key-recorded]\n"
        "✗ The key policy names every active record\n"
        "  no statement names signer-1.4.2@prod: it cannot use the key by an attested request\n"
        "  fix: write the policy again from the records: nitroctl kms generate\n"
        "  [drift.key-complete]\n"
        "! Every statement of the key policy that serves enclaves is bound to an image\n"
        "  statement 3: matches requests without attestation; whether a Deny stops them was not looked at\n"
        "  fix: bind it to an image by PCR0 (NitroTPM: PCR4 or PCR7), or take the data operations out of it\n"
        "  [drift.key-bound]\n"
    )


def test_running_enclaves_beside_the_records(cli: Cli, standin: StandinHost) -> None:  # noqa: F811
    naming = ("--component", "signer", "--environment", "prod", "--release", "1.4.2")
    assert cli("pcr", "check", "--running", "--records", "none.json").status == 3
    built = cli(
        "enclave", "build", "--docker-uri", "app:1", "--output-file", "app.eif", "--record", "--activate", *naming
    )
    assert built.status == 0
    assert cli("pcr", "check", "--running").stdout.startswith("✗ no: no enclave runs on this host")
    run = ("enclave", "run", "--eif-path", "app.eif", "--memory", "128", "--cpu-count", "2", "--enclave-name")
    assert cli(*run, "good").status == 0
    assert cli("pcr", "check", "--running", "--eif", "app.eif") == Ran(
        0,
        "✓ yes: what was looked at is recorded and active\n"
        "records  measurements.json, entries of any component in any environment\n"
        "version            recorded  image    running\n"
        "signer-1.4.2@prod  active    app.eif  good\n"
        "✓ The image file is an active record\n"
        "✓ The running enclave is an active record\n",
        NO_PARENT,
    )
    assert cli("enclave", "terminate", "good").status == 0
    assert cli(*run, "bad", "--debug-mode").status == 0
    assert cli("pcr", "check", "--running").stdout == (
        "✗ no: 1 drift: bad runs in debug mode, and attests no image\n"
        "records  measurements.json, entries of any component in any environment\n"
        "version            recorded  running\n"
        "signer-1.4.2@prod  active    -\n"
        "debug mode         -         bad\n"
        "✗ The running enclave is an active record\n"
        "  bad runs in debug mode, and attests no image\n"
        "  fix: end it, and run a version that is active\n"
        "  [drift.running]\n"
    )


def test_what_is_not_recorded_is_told_with_what_is_near(cli: Cli) -> None:
    write(Path("measurements.json"), active("1.4.2"))
    drifted = {**pcrs("1.4.2"), 2: b"\7" * 48}
    Path("build.json").write_text(json.dumps({"Measurements": pcr.as_hex(drifted)}))
    ran = cli("pcr", "check", "--measurements", "build.json", "--format", "github")
    assert ran == Ran(
        1,
        "::error file=measurements.json,title=drift.build::not so: What the build printed is an active record; "
        "build.json is not recorded; 2 of 3 registers equal those of signer-1.4.2@prod; PCR2 differs; "
        "fix: use a version that is active\n"
        "nitroctl pcr.check.accounts/1: refused (0 pass, 1 fail, 0 warn, 0 skip)\n",
        "",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "policy.json: not a key policy: no member Statement"),
        ('{"Statement": [1]}', "policy.json: /Statement/0: not an object"),
        ('{"Policy": "{}"}', "policy.json: not a key policy: no member Statement"),
        (
            json.dumps(
                {"Statement": statement("a", Condition={"StringEquals": {"kms:RecipientAttestation:PCR0": "x"}})}
            ),
            (
                "policy.json: /Statement/0/Condition/StringEquals/kms:RecipientAttestation:PCR0: "
                "not a SHA-384 register in hexadecimal: 'x'"
            ),
        ),
        (
            json.dumps({"Statement": statement("a", Action=[1])}),
            "policy.json: /Statement/0/Action: neither a string nor a list of strings",
        ),
    ],
)
def test_what_is_no_policy(cli: Cli, content: str, message: str) -> None:
    write(Path("measurements.json"), active("1.4.2"))
    Path("policy.json").write_text(content)
    ran = cli("pcr", "check", "--key-policy", "policy.json")
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr.startswith(f"nitroctl: error: {message} [kms.policy]\n")


def test_options_that_would_be_ignored_are_refused(cli: Cli) -> None:
    write(Path("measurements.json"), active("1.4.2"))
    assert cli("pcr", "check", "--running", "--pcr", f"PCR0={'ab' * 48}").status == 2
    assert cli("pcr", "check", "--eif", "a", "--at", "document").status == 2


def condition(**registers: str) -> dict[str, object]:
    return {"StringEquals": {f"kms:RecipientAttestation:{name}": value for name, value in registers.items()}}


def test_a_statement_that_also_asks_for_the_parents_role_names_the_image(cli: Cli) -> None:
    made = active()
    write(Path("measurements.json"), made)
    asked = {f"PCR{index}": made.pcrs[index].hex() for index in (0, 1, 2)} | {"PCR3": "ab" * 48}
    policy(statement("One", Condition=condition(**asked)))
    ran = cli("pcr", "check", "--key-policy", "policy.json")
    assert (ran.status, ran.stdout.splitlines()[0]) == (0, "✓ yes: what was looked at is recorded and active")


def test_a_statement_bound_to_a_role_alone_is_not_bound_to_an_image(cli: Cli) -> None:
    made = active()
    write(Path("measurements.json"), made)
    policy(statement("One", made), statement("Any", Condition=condition(PCR3="ab" * 48)))
    ran = cli("pcr", "check", "--key-policy", "policy.json")
    assert (
        "! Every statement of the key policy that serves enclaves is bound to an image\n"
        "  Any: asks for PCR3 only, which more than one image can have; whether a Deny stops them was not looked at\n"
    ) in ran.stdout
