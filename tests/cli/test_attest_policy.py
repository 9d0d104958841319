"""``nitroctl attest policy`` and ``attest verify --policy``: whole outputs."""

import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.appraisal.policy_file import SCHEMA
from nitroctl.appraisal.policy_text import SIZE_LIMIT
from nitroctl.standin.lab_change import AT, INSTANCE, NONCE, PCRS, make, root
from tests.cli.test_attest import ROOT, ROOT_ROW, SAID, UNDER, file_rows
from tests.conftest import Cli, Ran

GOOD = make()
STARTING = resources.files("nitroctl.appraisal").joinpath("starting_policy.yaml").read_text("utf-8")
IMAGE = {f"PCR{index}": PCRS[index].hex() for index in (0, 1, 2)}
SETS = {"any_of": [{"label": "signer 1.4.2", "pcrs": IMAGE}]}
MINE = ["--root", "root.pem", "--at", "document"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory with a document, at the time at which it was made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: AT.replace(microsecond=0))
    (tmp_path / "good.cbor").write_bytes(GOOD)
    (tmp_path / "root.pem").write_bytes(root().pem)
    return tmp_path


def write(name: str = "policy.json", **fields: Any) -> str:
    """Write a policy; return its digest."""
    written = {"schema": SCHEMA, **fields}
    Path(name).write_text(json.dumps(written))
    text = json.dumps(written, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def record(status: str = "active", **changes: Any) -> None:
    from nitroctl.records import Status, new_entry
    from nitroctl.records import record as add

    options = {"component": "signer", "environment": "prod", "version": "1.4.2", "pin": (0, 1, 2)} | changes
    pcrs = options.pop("pcrs", {index: PCRS[index] for index in (0, 1, 2)})
    add("measurements.json", new_entry(pcrs=pcrs, recorded_at=AT, status=Status(status), **options))


# -- init


def test_the_starting_policy_is_printed_whole(cli: Cli) -> None:
    assert cli("attest", "policy", "init") == Ran(0, STARTING, "")
    assert cli("attest", "policy", "init", "--json").json["data"] == {"output": None, "policy": STARTING}


def test_the_starting_policy_is_written_once_and_never_over_another_file(cli: Cli) -> None:
    assert cli("attest", "policy", "init", "--output", "policy.yaml") == Ran(
        0, "wrote a policy to start from to policy.yaml\nNext: nitroctl attest policy check policy.yaml\n", ""
    )
    assert Path("policy.yaml").read_text() == STARTING
    Path("policy.yaml").write_text("mine")
    assert cli("attest", "policy", "init", "--output", "policy.yaml") == Ran(
        3,
        "",
        "nitroctl: error: policy.yaml: is there already, and a policy is not overwritten [file.exists]\n"
        "nitroctl: hint: name another file, or move this one away\n",
    )
    assert Path("policy.yaml").read_text() == "mine"
    Path("link.yaml").symlink_to("nowhere")
    assert cli("attest", "policy", "init", "--output", "link.yaml").status == 3
    assert cli("attest", "policy", "init", "--output", "-").status == 2
    assert cli("attest", "policy", "init", "--output", "absent/policy.yaml").status == 3


def test_the_starting_policy_can_be_used(cli: Cli) -> None:
    record()
    cli("attest", "policy", "init", "--output", "policy.yaml")
    digest = cli("attest", "policy", "show", "policy.yaml", "--json").json["data"]["sha256"]
    assert cli("attest", "policy", "check", "policy.yaml") == Ran(
        0, f"✓ policy.yaml: can be used\nSHA-256  {digest}, of its canonical form\n", ""
    )
    ran = cli("attest", "verify", "good.cbor", "--root", "root.pem", "--policy", "policy.yaml", "--nonce", NONCE.hex())
    assert ran == Ran(
        0,
        f"✓ {UNDER} and acceptable as of 2026-11-20T10:00:00Z (now)\n"
        f"{file_rows('good.cbor', GOOD, 16)}"
        f"policy          policy.yaml, SHA-256 {digest} of its canonical form\n"
        "replaced in it  nonce\n"
        + "".join(f"{line[:13]}   {line[15:]}\n" for line in f"{SAID}{ROOT_ROW}".splitlines())
        + "compared with   signer-1.4.2@prod\n\n"
        "64 of 65 checks hold. Not checked: revocation (AWS's text says not to). --json has them all.\n",
        "",
    )


def test_every_field_of_the_starting_policy_is_one_that_there_is() -> None:
    from nitroctl.appraisal.policy_file import FIELDS

    named = {line.lstrip("# ").split(":")[0] for line in STARTING.splitlines() if ":" in line}
    assert set(FIELDS) <= named


def test_what_is_commented_out_in_the_starting_policy_has_its_form_but_for_the_placeholders() -> None:
    """Each line that would be a field, or stands below one, is uncommented."""
    from nitroctl.appraisal import policy_file, policy_text

    below = re.compile(rf"( *)# (  +.*|(?:{'|'.join([*policy_file.FIELDS, 'any_of', 'component', 'environment'])}):.*)")
    given = {line.split(":")[0] for line in STARTING.splitlines() if line[:1].isalpha()}
    lines = []
    for line in STARTING.splitlines():
        match = below.fullmatch(line)
        name = match[2].split(":")[0] if match and not match[1] else ""
        lines.append(line if not match or name in given else match[1] + match[2])
    found, faults = policy_file.form(policy_text.parse("\n".join(lines), where="p.yaml"), where="p.yaml")
    assert found is None
    assert [fault.place.split(": ")[1] for fault in faults] == [
        "/references/any_of/0/pcrs/PCR0",
        "/registers/PCR16/0",
        "/user_data/equals",
        "/public_key/sha256",
    ]


# -- check


def test_what_cannot_be_used_is_a_no_with_every_reason(cli: Cli) -> None:
    Path("policy.yaml").write_text(
        f"schema: {SCHEMA}\nreferences:\n  any_of:\n  - label: x\n    pcrs: {{PCR0: abc}}\nmax-age: 5m\ndebug: no way\n"
    )
    assert cli("attest", "policy", "check", "policy.yaml") == Ran(
        1,
        "✗ policy.yaml: cannot be used: line 6: /max-age: unknown field\n\n"
        "✗ every field is known, and none is missing\n"
        "  line 6: /max-age: unknown field\n"
        "  fix: did you mean max_age?\n"
        "  [appraisal-policy.fields]\n"
        "✗ every value has its form\n"
        "  line 5: /references/any_of/0/pcrs/PCR0: not a SHA-384 register: 3 hexadecimal digits in place of 96; line 7:"
        ' /debug: not one of refuse, allow: "no way"\n'
        "  fix: a register is written as 96 hexadecimal digits, as nitro-cli prints it\n"
        "  [appraisal-policy.values]\n",
        "",
    )
    data = cli("attest", "policy", "check", "policy.yaml", "--json").json["data"]
    assert (data["usable"], data["sha256"], data["report"]["verdict"]) == (False, None, "fail")


def test_what_cannot_be_read_is_a_no(cli: Cli) -> None:
    Path("policy.yaml").write_text("a: &x 1\n")
    assert cli("attest", "policy", "check", "policy.yaml") == Ran(
        1,
        "✗ policy.yaml: cannot be used: line 1: the anchor &x\n\n"
        "✗ the file is one clear document\n"
        "  line 1: the anchor &x\n"
        "  fix: write the values out where they apply, so that everybody reads the same\n"
        "  [appraisal-policy.readable]\n",
        "",
    )


def test_a_file_that_is_not_there_is_no_answer(cli: Cli) -> None:
    for verb in ("check", "show"):
        ran = cli("attest", "policy", verb, "absent.yaml", "--json")
        assert (ran.status, ran.json["errors"][0]["code"]) == (3, "file.unreadable")
        ran = cli("attest", "policy", verb, "-", "--json")
        assert (ran.status, ran.json["errors"][0]["code"]) == (2, "usage.invalid")


def test_a_policy_without_reference_values_accepts_nothing(cli: Cli) -> None:
    write(regions=["eu-west-1"], nonce={"required": True})
    ran = cli("attest", "policy", "check", "policy.json")
    assert ran.status == 1
    assert ran.stdout.splitlines()[0] == (
        "✗ policy.json: cannot be used: there are none, and without them nothing is acceptable"
    )
    assert cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--nonce", "00") == Ran(
        2,
        "",
        "nitroctl: error: policy.json: no reference values, and without them nothing is acceptable "
        "[attest.no-reference-values]\n"
        "nitroctl: hint: record the image: nitroctl pcr record --help\n"
        "nitroctl: hint: or give its registers: --pcr PCR0=<96 hexadecimal digits>\n"
        "nitroctl: hint: or ask only who signed it: --authenticity-only\n",
    )
    ran = cli("attest", "verify", "good.cbor", *MINE, "--authenticity-only")
    assert ran.status == 0
    assert ran.stdout.startswith(f"✓ {UNDER}, not appraised, as of")


def test_a_policy_is_not_taken_where_nothing_is_appraised(cli: Cli) -> None:
    write(references={"any_of": [{"label": "x", "pcrs": {"PCR0": "ab" * 48}}]})
    for more in ([], ["--strict"], ["--json"]):
        ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--authenticity-only", *more)
        assert ran.status == 2
    assert cli("attest", "verify", "good.cbor", "--policy", "absent.json", "--authenticity-only") == Ran(
        2,
        "",
        "nitroctl: error: --authenticity-only appraises nothing, so --policy would be ignored [usage.invalid]\n"
        "nitroctl: hint: leave one of the two out\n",
    )


def test_a_line_that_editors_do_not_show_is_no_part_of_a_policy(cli: Cli) -> None:
    Path("policy.yaml").write_text(f"schema: {SCHEMA}\n# of release 1.4.\u2028debug: allow\n")
    said = "line 2: the character U+2028, at which some readers begin a line and others do not"
    fix = "take it out, or begin a new line in its place"
    assert cli("attest", "policy", "check", "policy.yaml") == Ran(
        1,
        f"✗ policy.yaml: cannot be used: {said}\n\n"
        "✗ the file is one clear document\n"
        f"  {said}\n"
        f"  fix: {fix}\n"
        "  [appraisal-policy.readable]\n",
        "",
    )
    assert cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.yaml") == Ran(
        3,
        "",
        f"nitroctl: error: policy.yaml: {said} [appraisal-policy.yaml-feature]\nnitroctl: hint: {fix}\n",
    )


def test_a_policy_that_is_wrong_in_every_line_is_told_in_short(cli: Cli) -> None:
    Path("policy.yaml").write_text(f"schema: {SCHEMA}\n" + "".join(f"k{number}: 1\n" for number in range(300)))
    ran = cli("attest", "policy", "check", "policy.yaml")
    told = "; ".join(f"line {number + 2}: /k{number}: unknown field" for number in range(20))
    assert ran.status == 1
    assert ran.stdout.splitlines()[0] == f"✗ policy.yaml: cannot be used: {told}; and 280 more"
    assert len(ran.stdout) < 3000
    assert cli("attest", "policy", "show", "policy.yaml").stderr.startswith(
        "nitroctl: error: policy.yaml: line 2: /k0: unknown field (and 299 more: "
    )


def test_an_image_that_is_not_signed_has_no_pcr8(cli: Cli) -> None:
    write(references=SETS, registers={"PCR8": "present"})
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json")
    said = "PCR8 is zero: the image is not signed, or the enclave runs in debug mode"
    assert (ran.status, ran.stdout.splitlines()[0].rpartition("acceptable: ")[2]) == (1, said)
    write(references=SETS, registers={"PCR8": ["00" * 48]})
    assert cli("attest", "policy", "check", "policy.json").stdout.splitlines()[0] == (
        "✗ policy.json: cannot be used: /registers/PCR8: PCR8 is expected to be zero, which every unsigned image"
        " satisfies"
    )
    write(references=SETS, registers={"PCR8": "present"})
    assert "  PCR8              present and not zero\n" in cli("attest", "policy", "show", "policy.json").stdout


def test_a_ledger_without_an_active_entry_of_the_component_accepts_nothing(cli: Cli) -> None:
    record("candidate")
    record(component="other")
    write(references={"records": {"file": "measurements.json", "component": "signer"}}, nonce={"required": True})
    ran = cli("attest", "policy", "check", "policy.json")
    assert ran.status == 1
    assert ran.stdout.splitlines()[0] == (
        "✗ policy.json: cannot be used: no active entry for signer in measurements.json"
    )
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--nonce", NONCE.hex())
    assert ran.status == 1
    assert ran.stdout.splitlines()[0].endswith("equal those of signer-1.4.2@prod, which is a candidate")


Warned = list[tuple[dict[str, Any], str, str]]
WARNED: Warned = [
    (
        {"nonce": {"equals": "00"}},
        "freshness",
        "the nonce is fixed: a document that carries it can be played again",
    ),
    (
        {"nonce": {"required": False}, "max_age": "5m"},
        "freshness",
        "no nonce is required: a document can be played again for 5 min",
    ),
    ({"debug": "allow"}, "debug", "debug mode is allowed: then no image is attested and the console is open"),
    ({"max_age": "3h"}, "age", "max_age is 3 h: the certificate ends after 3 h"),
    ({"clock_skew": "601s"}, "skew", "documents from 10 min 1 s in the future are accepted"),
    (
        {"references": {"any_of": [{"label": "ci", "pcrs": {"PCR8": "ab" * 48}}]}},
        "signer",
        "every image signed with the key passes, older ones too: ci",
    ),
    (
        {"references": {"any_of": [{"label": "x", "pcrs": {"PCR3": "ab" * 48}}]}},
        "image",
        "no register in it names the image, so other images pass: x",
    ),
    (
        {"references": {"any_of": [{"label": "x", "pcrs": {**IMAGE, "PCR4": "ab" * 48}}]}},
        "instance",
        "it holds for one instance, and not for the one that replaces it: x",
    ),
    ({"roots": ["ab" * 32]}, "roots", f"not AWS's, so accepted only with --root: {'ab' * 32}"),
]


@pytest.mark.parametrize(("fields", "check", "detail"), WARNED, ids=[row[1] for row in WARNED])
def test_a_weakness_is_a_warning_alone(cli: Cli, fields: dict[str, Any], check: str, detail: str) -> None:
    write(**{"references": SETS, "nonce": {"required": True}, **fields})
    ran = cli("attest", "policy", "check", "policy.json", "--json")
    assert ran.status == 0
    checks = ran.json["data"]["report"]["checks"]
    told = [(each["id"], each["detail"]) for each in checks if each["outcome"] != "pass"]
    assert told == [(f"appraisal-policy.{check}", detail)]
    assert cli("attest", "policy", "check", "policy.json").stdout.startswith(
        "✓ policy.json: can be used; 1 thing to know\n"
    )


Contradictions = list[tuple[dict[str, Any], str]]
CONTRADICTIONS: Contradictions = [
    (
        {"instance_ids": [INSTANCE], "module_ids": ["i-0123456789abcdef1-enc019aa0b0c0d0e0f0"]},
        "no module id is of a wanted instance",
    ),
    (
        {"partitions": ["aws-us-gov"], "roots": ["641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"]},
        "no accepted root is of the partition aws-us-gov",
    ),
    ({"partitions": ["aws-cn"]}, "no accepted root is of the partition aws-cn"),
    (
        {
            "roles": ["arn:aws:iam::111122223333:role/a"],
            "references": {
                "any_of": [
                    {"label": "x", "pcrs": {**IMAGE, "PCR3": pcr.for_role("arn:aws:iam::111122223333:role/b").hex()}}
                ]
            },
        },
        "PCR3 in the reference values is not that of a wanted role",
    ),
    (
        {
            "instance_ids": [INSTANCE],
            "references": {"any_of": [{"label": "x", "pcrs": {**IMAGE, "PCR4": "ab" * 48}}]},
        },
        "PCR4 in the reference values is not that of a wanted instance",
    ),
    (
        {"registers": {"PCR5": ["ab" * 48], "PCR4-PCR6": ["cd" * 48]}},
        "PCR5 cannot at once be one of /registers/PCR4-PCR6 and one of /registers/PCR5",
    ),
    (
        {"user_data": {"equals": "00", "json": {"a": 1}}},
        "what /user_data/equals asks for would be refused: the user data: line 1, column 1: not JSON: expecting value",
    ),
]


@pytest.mark.parametrize(("fields", "detail"), CONTRADICTIONS, ids=[row[1] for row in CONTRADICTIONS])
def test_a_policy_that_contradicts_itself_is_refused(cli: Cli, fields: dict[str, Any], detail: str) -> None:
    write(**{"references": SETS, "nonce": {"required": True}, **fields})
    ran = cli("attest", "policy", "check", "policy.json", "--json")
    checks = ran.json["data"]["report"]["checks"]
    assert ran.status == 1
    assert [(each["id"], each["detail"]) for each in checks if each["outcome"] == "fail"] == [
        ("appraisal-policy.possible", detail)
    ]


def test_a_review_is_a_report_for_ci(cli: Cli) -> None:
    write(references=SETS)
    ran = cli("attest", "policy", "check", "policy.json", "--format", "github")
    assert (ran.status, ran.stderr) == (0, "")
    assert "file=policy.json" in ran.stdout
    assert "no nonce is required" in ran.stdout


# -- show


def test_show_says_it_in_words_with_the_digest(cli: Cli) -> None:
    digest = write(
        description="production",
        references={"records": {"file": "m.json", "component": "signer"}, **SETS},
        registers={"PCR16-PCR17": "present"},
        user_data={"json": {"version": 3}},
        public_key={"type": "rsa", "minimum_bits": 2048},
        regions=["eu-west-1", "us-east-1"],
        pcr4_matches_module_id=True,
        nonce={"required": True},
        max_age="300s",
        strict=True,
    )
    assert cli("attest", "policy", "show", "policy.json") == Ran(
        0,
        "policy.json: an appraisal policy\n"
        "description  production\n"
        f"SHA-256      {digest}, of its canonical form\n\n"
        "Requires\n"
        "  kind              a Nitro Enclave\n"
        "  reference values  the active entries of signer in m.json\n"
        "  reference values  signer 1.4.2: PCR0, PCR1, PCR2\n"
        "  PCR16-PCR17       each is present, that is, locked\n"
        "  debug mode        refused\n"
        "  region            eu-west-1 or us-east-1\n"
        "  PCR4              the one made from the instance id in the module id\n"
        "  nonce             the one given with --nonce, without which nothing is acceptable\n"
        "  user data         JSON whose version is 3\n"
        "  public key        RSA, at least 2048 bits\n"
        "  age               at most 5 min\n"
        "  clock skew        at most 5 min in the future\n"
        "  root              AWS's, any\n"
        "  format            strict: AWS's published text, where AWS's own documents depart from it\n",
        "",
    )
    data = cli("attest", "policy", "show", "policy.json", "--json").json["data"]
    assert data["sha256"] == digest
    Path("canonical.json").write_text(json.dumps(data["policy"]))
    assert cli("attest", "policy", "show", "canonical.json", "--json").json["data"]["sha256"] == digest


# -- verify --policy


def test_a_verdict_names_the_policy_and_what_was_replaced_in_it(cli: Cli) -> None:
    digest = write(references=SETS, nonce={"required": True}, regions=["us-east-1"])
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--nonce", NONCE.hex(), "--json")
    assert ran.status == 1
    assert ran.json["data"]["policy"] == {"file": "policy.json", "sha256": digest, "overridden": ["nonce"]}
    assert ran.json["data"]["answer"].endswith("but not acceptable: the region is another")
    again = cli(
        *("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--nonce", NONCE.hex(), "--json"),
        *("--region", "eu-west-1", "--region", "eu-west-2"),
    )
    assert again.status == 0
    assert again.json["data"]["policy"]["overridden"] == ["nonce", "regions"]
    assert again.json["data"]["reference"]["label"] == "signer 1.4.2"


OVERRIDES: list[tuple[dict[str, Any], list[str], str]] = [
    ({"nonce": {"equals": "00"}}, ["--nonce", NONCE.hex()], "freshness.nonce"),
    ({"regions": ["us-east-1"]}, ["--region", "eu-west-1"], "appraisal.region"),
    (
        {"references": {"any_of": [{"label": "x", "pcrs": {"PCR0": "ab" * 48}}]}},
        ["--records", "m.json"],
        "measurement.match",
    ),
    (
        {"references": {"any_of": [{"label": "x", "pcrs": {"PCR0": "ab" * 48}}]}},
        [f"--pcr={name}={value}" for name, value in IMAGE.items()],
        "measurement.match",
    ),
]


@pytest.mark.parametrize(("fields", "flags", "check"), OVERRIDES, ids=[row[1][0] for row in OVERRIDES])
def test_a_flag_replaces_the_policys_field(cli: Cli, fields: dict[str, Any], flags: list[str], check: str) -> None:
    record()
    Path("measurements.json").rename("m.json")
    write(**{"references": SETS, **fields})
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--json")
    failed = [each["id"] for each in ran.json["data"]["report"]["checks"] if each["outcome"] == "fail"]
    assert (ran.status, failed[0]) == (1, check)
    assert cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", *flags).status == 0


def test_max_age_on_the_command_line_replaces_the_policys(cli: Cli) -> None:
    write(references=SETS, max_age="30s")
    at = ["--root", "root.pem", "--at", "2026-11-20T10:01:00Z", "--policy", "policy.json"]
    assert cli("attest", "verify", "good.cbor", *at).status == 1
    assert cli("attest", "verify", "good.cbor", *at, "--max-age", "2m").status == 0


def test_strict_and_debug_can_be_in_the_policy(cli: Cli) -> None:
    zero = {f"PCR{index}": "00" * 48 for index in (0, 1, 2)}
    write(debug="allow", references={"any_of": [{"label": "debug", "pcrs": zero}]})
    from tests.cli.test_attest import DEBUG

    Path("debug.cbor").write_bytes(DEBUG)
    ran = cli("attest", "verify", "debug.cbor", *MINE, "--policy", "policy.json")
    assert ran.status == 0
    assert "so its console is open and no image is attested; allowed by the policy\n" in ran.stdout
    write(references=SETS, strict=True)
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--json")
    failed = [each["id"] for each in ran.json["data"]["report"]["checks"] if each["outcome"] == "fail"]
    assert failed == ["document.nulls"]
    lenient = write(references=SETS)
    assert cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--strict").status == 1
    assert lenient


def test_a_policy_narrows_the_roots_and_cannot_add_one(cli: Cli) -> None:
    write(references=SETS, roots=[ROOT.fingerprint])
    ran = cli("attest", "verify", "good.cbor", "--at", "document", "--policy", "policy.json")
    assert ran == Ran(
        2,
        "",
        "nitroctl: error: policy.json: the policy accepts none of AWS's roots [attest.policy-roots]\n"
        "nitroctl: hint: a policy narrows the roots and cannot add one: name the certificate with --root as well\n",
    )
    assert cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json").status == 0
    write(references=SETS, roots=["ab" * 32])
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (2, "attest.policy-roots")
    assert ran.json["errors"][0]["message"] == "policy.json: the policy accepts none of the roots that --root names"


def test_a_required_nonce_has_to_be_given(cli: Cli) -> None:
    write(references=SETS, nonce={"required": True})
    assert cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json") == Ran(
        2,
        "",
        "nitroctl: error: policy.json: the policy requires a nonce to compare with, and none was given "
        "[attest.nonce-required]\n"
        "nitroctl: hint: give the one that was asked for: --nonce HEX\n",
    )


def test_a_policys_age_says_nothing_at_the_documents_own_time(cli: Cli) -> None:
    write(references=SETS, max_age="5m")
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (2, "usage.invalid")
    assert ran.json["errors"][0]["message"].startswith("policy.json: max_age says nothing with --at document")


def test_the_records_filter_of_a_policy_holds(cli: Cli) -> None:
    record()
    for component, status in (("signer", 0), ("other", 2)):
        write(references={"records": {"file": "measurements.json", "component": component}})
        assert cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json").status == status
    write(references={"records": {"file": "absent.json"}})
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (3, "records.missing")


def test_the_records_are_found_beside_the_policy_from_any_directory(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    record()
    write(references={"records": {"file": "measurements.json"}})
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    ran = cli(
        "attest", "verify", "../good.cbor", "--root", "../root.pem", "--at", "document", "--policy", "../policy.json"
    )
    assert ran.status == 0


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"schema: [\n", "appraisal-policy.syntax", "p.yaml: line 2: not YAML: "),
        (b"a: 1\na: 2\n", "appraisal-policy.duplicate-key", "p.yaml: line 2: the key 'a' occurs twice"),
        (b"a: &b 1\n", "appraisal-policy.yaml-feature", "p.yaml: line 1: the anchor &b"),
        (b"a: no\n", "appraisal-policy.yaml-feature", "p.yaml: line 1: 'no' can be read as text or as a bool"),
        (b"\xff\xfe", "file.not-utf8", "p.yaml: not UTF-8 text: byte 0"),
        (b"#" * (SIZE_LIMIT + 1), "file.too-large", f"p.yaml: larger than {SIZE_LIMIT} bytes"),
        (b"a: 1\n", "appraisal-policy.schema", "p.yaml: line 1: missing: schema"),
        (f"schema: {SCHEMA}\nnonces: x\n".encode(), "appraisal-policy.field", "p.yaml: line 2: /nonces: unknown field"),
        (
            f"schema: {SCHEMA}\nmax_age: 5\n".encode(),
            "appraisal-policy.value",
            "p.yaml: line 2: /max_age: not a duration: 5",
        ),
    ],
    ids=["syntax", "twice", "anchor", "no", "bytes", "huge", "schema", "field", "value"],
)
def test_a_bad_policy_is_one_clear_error(cli: Cli, content: bytes, code: str, message: str) -> None:
    Path("p.yaml").write_bytes(content)
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "p.yaml", "--json")
    assert ran.status == 3
    assert ran.json["errors"][0]["code"] == code
    assert ran.json["errors"][0]["message"].startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--region", "Ireland"], "--region: not a name of one: 'Ireland'"),
        (["--partition", "gov"], "--partition: not a name of one: 'gov'"),
        (
            ["--authenticity-only", "--region", "eu-west-1"],
            "--authenticity-only appraises nothing, so --region would be ignored",
        ),
        (
            ["--policy", "policy.json", "--records", "m.json", "--pcr", "PCR0=00"],
            "--records and --pcr exclude each other",
        ),
        (["--policy", "-"], "a policy is not read from standard input"),
    ],
)
def test_options_that_say_nothing_are_wrong(cli: Cli, options: list[str], message: str) -> None:
    ran = cli("attest", "verify", "good.cbor", *MINE, *options, "--json")
    assert (ran.status, ran.json["errors"][0]["message"]) == (2, message)


def test_the_partition_of_a_root_that_is_not_awss_is_none(cli: Cli) -> None:
    write(references=SETS)
    ran = cli("attest", "verify", "good.cbor", *MINE, "--policy", "policy.json", "--partition", "aws")
    assert ran.status == 1
    assert ran.stdout.splitlines()[0].endswith("but not acceptable: the root belongs to another partition")
