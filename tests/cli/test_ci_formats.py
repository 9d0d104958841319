"""Every command that answers with checks, in every form that CI systems read: the same answer, about the same file.

Which commands these are is what their schemas say, so that a new one is missed here until it has a case that says yes
and one that says no, or a reason why it cannot say no.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from nitroctl.checks import Report
from nitroctl.render import ci
from nitroctl.render.result import Result
from nitroctl.standin.host import StandinHost
from tests import documents, images, kms_live
from tests.ci_harness import command_in, parsed_outputs
from tests.ci_schemas import require_junit, require_sarif
from tests.conftest import ROOT, Cli
from tests.fakes.kms import Kms
from tests.kms_requests import ROLE, statement
from tests.records import active, entry, pcrs, write
from tests.schemas import SCHEMAS
from tests.standin_host import standin as standin  # noqa: PLC0414  (a fixture)
from tests.unit.test_eif_parts import bzimage, elf

SIGNER = "--component signer --environment prod"
MINE = "--root root.pem --at document"
RUN = "enclave run --memory 64 --cpu-count 2 --eif-path"
BUILD = "enclave build --docker-uri app:1 --output-file"
KEY = "--private-key key.pem --signing-certificate certificate.pem"
HELD, FRESH, OPEN, CLOSED = (kms_live.KEY.replace("1234abcd", number * 8) for number in "1234")


@dataclass(frozen=True)
class Case:
    """A command and what it answers. ``subject``: the file that lines about it name. ``variables``: of the stand-in."""

    schema: str
    command: str
    status: int
    subject: str
    variables: dict[str, str] = field(default_factory=dict)


CASES = [
    Case("allocator.check", "allocator check --file allocator.yaml", 0, "allocator.yaml"),
    Case("allocator.check", "allocator check --file broken.yaml", 1, "broken.yaml"),
    Case("attest.policy.check", "attest policy check policy.json", 0, "policy.json"),
    Case("attest.policy.check", "attest policy check empty.json", 1, "empty.json"),
    Case("attest.show", "attest show good.cbor", 0, "good.cbor"),
    Case("attest.show", "attest show cut.cbor", 1, "cut.cbor"),
    Case("attest.survey", f"attest survey heap/good.cbor --check --records heap.json {MINE}", 0, "heap/good.cbor"),
    Case("attest.survey", f"attest survey heap --check --records heap.json {MINE}", 1, "heap"),
    Case("attest.verify", f"attest verify good.cbor --authenticity-only {MINE}", 0, "good.cbor"),
    Case("attest.verify", "attest verify good.cbor --authenticity-only --at document", 1, "good.cbor"),
    Case("attest.verify.many", f"attest verify good.cbor heap/good.cbor --authenticity-only {MINE}", 0, ""),
    Case("attest.verify.many", f"attest verify good.cbor cut.cbor --authenticity-only {MINE}", 1, "cut.cbor"),
    Case("eif.build", "eif build rootfs --cmd /app --platform linux/amd64 --output-file new.eif", 0, "new.eif"),
    Case("eif.inspect", "eif inspect app.eif", 0, "app.eif"),
    Case("eif.inspect", "eif inspect cut.eif", 1, "cut.eif"),
    Case("eif.measure", "eif measure app.eif", 0, "app.eif"),
    Case("eif.measure", "eif measure cut.eif", 1, "cut.eif"),
    Case("eif.sign", f"eif sign app.eif {KEY} --output-file signed.eif", 0, "app.eif"),
    Case("eif.sign", f"eif sign cut.eif {KEY} --output-file signed.eif", 1, "cut.eif"),
    Case("eif.unsign", "eif unsign app.eif --output-file unsigned.eif", 0, "app.eif"),
    Case("eif.unsign", "eif unsign cut.eif --output-file unsigned.eif", 1, "cut.eif"),
    Case("eif.verify", "eif verify app.eif", 0, "app.eif"),
    Case("eif.verify", "eif verify cut.eif", 1, "cut.eif"),
    Case("eif.verify.many", "eif verify app.eif signed-app.eif", 0, ""),
    Case("eif.verify.many", "eif verify app.eif cut.eif", 1, "cut.eif"),
    Case("enclave.build", f"{BUILD} built.eif", 0, "built.eif"),
    Case("enclave.build", f"{BUILD} built.eif", 1, "built.eif", {"NITROCTL_STANDIN_TAMPER": "build-enclave"}),
    Case("enclave.run", f"{RUN} app.eif", 0, "app.eif"),
    Case("enclave.run", f"{RUN} drifted.eif --require-recorded", 1, "drifted.eif"),
    Case("kms.apply", f"kms apply good.json --key {HELD} --dry-run", 0, "good.json"),
    Case("kms.apply", f"kms apply open.json --key {HELD} --dry-run", 1, "open.json"),
    Case("kms.finalize", "kms finalize signer-1.4.2@prod --targets good.yaml --dry-run", 0, FRESH),
    Case("kms.finalize", "kms finalize signer-1.4.2@prod --targets bad.yaml --dry-run", 1, OPEN),
    Case("kms.lint", "kms lint bound.json", 0, "bound.json"),
    Case("kms.lint", "kms lint open.json", 1, "open.json"),
    Case("kms.rollout", "kms rollout signer-1.4.3@prod --targets good.yaml --dry-run", 0, FRESH),
    Case("kms.rollout", "kms rollout signer-1.4.3@prod --targets bad.yaml --dry-run", 1, OPEN),
    Case("kms.undo", f"kms undo --key {HELD} --from held.json --dry-run", 0, "held.json"),
    Case("kms.undo", f"kms undo --key {CLOSED} --from closed.json --dry-run", 1, "closed.json"),
    Case("kms.verify", f"kms verify good.json --key {HELD}", 0, "good.json"),
    Case("kms.verify", f"kms verify open.json --key {HELD}", 1, "open.json"),
    Case("pcr.check", f"pcr check --eif app.eif {SIGNER}", 0, "app.eif"),
    Case("pcr.check", f"pcr check --eif ./drifted.eif {SIGNER}", 1, "drifted.eif"),
    Case("pcr.check.accounts", f"pcr check --measurements build.json {SIGNER}", 0, "measurements.json"),
    Case("pcr.check.accounts", f"pcr check --eif drifted.eif --measurements build.json {SIGNER}", 1, "drifted.eif"),
    Case("pcr.merge", "pcr merge base.json ours.json theirs.json --dry-run", 0, "ours.json"),
    Case("pcr.merge", "pcr merge base.json ours.json conflict.json", 1, "ours.json"),
    Case("pcr.reproduce", "pcr reproduce made-1.0.0@prod --source rootfs", 0, "measurements.json"),
    Case("pcr.reproduce", "pcr reproduce made-1.0.0@prod --source changed", 1, "measurements.json"),
    Case("pcr.verify", "pcr verify ours.json --against base.json", 0, "ours.json"),
    Case("pcr.verify", "pcr verify base.json --against ours.json", 1, "base.json"),
]
#: Commands whose answer is never no, and why.
ONLY_YES = {"eif.build": "what it builds it has built to measure; a fault in that is a bug, and tested as one"}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: StandinHost, cli: Cli) -> Path:
    """A directory on the stand-in host with something good and something bad of every kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nitroctl.cli.attest_options.now", lambda: documents.AT + timedelta(days=1))
    for name, content in {
        "root.pem": documents.root().pem,
        "good.cbor": documents.document(),
        "cut.cbor": documents.document()[:-1],
        "heap/good.cbor": documents.document(),
        "heap/debug.cbor": documents.document(pcrs={index: bytes(48) for index in range(5)}),
        "broken.yaml": b"---\nmemory_mib: 512\n",
        "allocator.yaml": (ROOT / "templates/allocator.yaml").read_bytes(),
        "rootfs/app": b"#!/bin/true\n",
        "changed/app": b"#!/bin/false\n",
        "blobs/bzImage": bzimage(),
        "blobs/init": elf(62),
        "blobs/nsm.ko": elf(62),
        "blobs/cmdline": b"reboot=k panic=30 console=ttyS0\n",
        "key.pem": images.pair()[0],
        "certificate.pem": images.pair()[1],
    }.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(content)
    for root in ("rootfs", "changed"):
        Path(root).joinpath("app").chmod(0o755)
    monkeypatch.setenv("NITRO_CLI_BLOBS", "blobs")
    for name in ("app", "drifted"):
        ran = cli("enclave", "build", "--docker-uri", f"{name}:1", "--output-file", f"{name}.eif", "--json")
        assert ran.status == 0, ran.stderr
        if name == "app":
            Path("build.json").write_text(
                json.dumps({"Measurements": {"HashAlgorithm": "Sha384 { ... }", **ran.json["data"]["pcrs"]}})
            )
    assert cli(*f"pcr record --eif app.eif {SIGNER} --release 1.0.0 --activate".split()).status == 0
    made = "eif build rootfs --cmd /app --platform linux/amd64 --output-file made.eif --record --release 1.0.0"
    assert cli(*f"{made} --component made --environment prod".split()).status == 0
    assert cli(*f"eif sign app.eif {KEY} --output-file signed-app.eif".split()).status == 0
    Path("cut.eif").write_bytes(Path("app.eif").read_bytes()[:-5])
    image = {f"PCR{index}": documents.PCRS[index].hex() for index in (0, 1, 2)}
    policy = {"schema": "urn:nitroctl:appraisal-policy:1"}
    references = {"references": {"any_of": [{"label": "signer", "pcrs": image}]}}
    roles = " ".join(
        f"--{name} arn:aws:iam::111122223333:role/{name}" for name in ("enclave-role", "admin-role", "policy-writer")
    )
    assert cli(*f"kms generate --component signer --environment prod {roles} --output bound.json".split()).status == 0
    anybody = {"Sid": "Open", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    Path("open.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [anybody]}))
    Path("policy.json").write_text(json.dumps(policy | references))
    Path("empty.json").write_text(json.dumps(policy | {"references": {"any_of": []}}))
    write(Path("heap.json"), active(pcrs={index: documents.PCRS[index] for index in (0, 1, 2)}))
    write(Path("base.json"), active("1.4.1"))
    write(Path("ours.json"), active("1.4.1"), entry("1.4.2"))
    write(Path("theirs.json"), active("1.4.1"), entry("1.4.3"))
    write(Path("conflict.json"), active("1.4.1"), entry("1.4.2", pcrs=pcrs("other")))
    return tmp_path


#: Commands that ask AWS.
IN_AWS = {"kms.apply", "kms.finalize", "kms.rollout", "kms.undo", "kms.verify"}


def keys_in_aws(service: Kms, cli: Cli) -> None:
    """Make keys: one that holds, one without data for anybody, one with a statement for everybody, one that had it.

    What the first and the last had before is in held.json and closed.json.
    """
    good, anybody = kms_live.good(kms_live.A), statement(Sid="Mine", Principal="*", Action="kms:*")
    start = {**good, "Statement": [each for each in good["Statement"] if each["Sid"] in {"Admin", "Writer"}]}
    for arn in (HELD, FRESH, OPEN, CLOSED):
        had = start if arn in {HELD, FRESH} else {**start, "Statement": [*start["Statement"], anybody]}
        service.create(had, key_id=arn.rpartition("/")[2])
    kms_live.write(Path("good.json"), good)
    for name, arn in (("held", HELD), ("closed", CLOSED)):
        ran = cli("kms", "apply", "good.json", "--key", arn, "--yes", "--backup-dir", name)
        assert ran.status == 0, ran.stderr
        [kept] = Path(name).iterdir()
        kept.rename(f"{name}.json")
    write(Path("measurements.json"), active("1.4.2"), entry("1.4.3"))
    roles = {"enclave_roles": [ROLE], "admin_roles": [kms_live.ADMIN], "policy_writers": [kms_live.WRITER]}
    for name, arn in (("good", FRESH), ("bad", OPEN)):
        keys = {"signer": {"key": arn, "environment": "prod", "components": ["signer"]} | roles}
        Path(f"{name}.yaml").write_text(json.dumps({"schema": "urn:nitroctl:kms-targets:1", "keys": keys}))


def test_every_command_with_checks_is_here() -> None:
    having = set()
    for path in SCHEMAS.glob("*.json"):
        properties = json.loads(path.read_text()).get("properties", {})
        name = path.name.removesuffix(".json").rpartition(".")[0]
        if "report" in properties or name.endswith(".many"):
            having.add(name)
    assert {case.schema for case in CASES} == having - {"envelope"}
    assert {case.schema for case in CASES if case.status == 0} == having
    assert {case.schema for case in CASES if case.status == 1} == having - set(ONLY_YES)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.schema}-{case.status}" for case in CASES])
def test_every_form_gives_the_same_answer(
    cli: Cli, work: Path, case: Case, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if case.schema in IN_AWS:
        keys_in_aws(request.getfixturevalue("kms_service"), cli)
    for name, value in case.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITHUB_OUTPUT", "output")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary")
    words = case.command.split()
    subjects: list[str] = []
    monkeypatch.setitem(ci.FORMATS, "github", lambda result, report: _noting(subjects, result, report))
    told = {form: _asked(cli, words, form, case.status) for form in ("json", "sarif", "junit", "github")}
    assert _schema(told["json"]) == case.schema

    assert subjects == ([] if case.schema.endswith(".many") else [case.subject])

    log = json.loads(told["sarif"])
    require_sarif(log)
    results = log["runs"][0]["results"]
    found = [(result["level"], result["ruleId"], _place(result)) for result in results]
    refused = [rule for level, rule, _ in found if level == "error"]
    assert bool(refused) == (case.status == 1)
    if case.subject:
        several = case.schema.endswith(".many")  # others may have warnings
        assert {place for level, _, place in found if level == "error" or not several} <= {quote(case.subject)}

    suites = ET.fromstring(told["junit"])
    require_junit(suites)
    failures = [part.get("type") for part in suites.iter("failure")]
    assert failures == refused

    lines = told["github"].splitlines()
    commands = [command_in(line) for line in lines[:-1]]
    assert command_in(lines[-1]) is None
    annotated = [
        (command.name, command.properties["title"], quote(command.properties["file"]))
        for command in commands
        if command and command.properties["title"] != "nitroctl"
    ]
    errors, warnings = ([each for each in found if each[0] == level][:10] for level in ("error", "warning"))
    assert annotated == [*errors, *warnings]
    answer = dict(parsed_outputs(Path("output").read_text()))["answer"]
    assert answer == ("no" if case.status else "yes")
    mark = ":x:" if case.status else ":white_check_mark:"
    assert Path("summary").read_text().startswith(f"### {mark} nitroctl {' '.join(_verb(case))}\n")


def _noting(subjects: list[str], result: Result, report: Report) -> str:
    subjects.append(result.subject.removeprefix("./"))
    return ci.github(result, report)


def _asked(cli: Cli, words: Sequence[str], form: str, status: int) -> str:
    ran = cli(*words, "--format", form)
    assert ran.status == status, (form, ran.stderr)
    if words[:2] == ["enclave", "run"] and status == 0:
        assert cli("enclave", "terminate", "--all", "--yes").status == 0
    return ran.stdout


def _verb(case: Case) -> list[str]:
    return case.schema.removesuffix(".many").split(".")


def _schema(text: str) -> str:
    """The name of the answer's schema; of JSON Lines, the last one's."""
    try:
        document: Any = json.loads(text)
    except ValueError:
        document = json.loads(text.splitlines()[-1])
    return str(document["schema"]).removeprefix("nitroctl/").rpartition("/")[0]


def _place(result: dict[str, Any]) -> str:
    return str(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
