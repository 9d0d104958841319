"""The CI templates, run: every shell step of them in a project that ``nitroctl init`` wrote, against the stand-in host.

The harness (tests/ci_harness.py) is GitHub's runner and GitLab's as far as the templates use them.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from nitroctl.standin.host import StandinHost
from tests import ci_harness, ci_schemas, images
from tests.ci_harness import GitHub, GitLabJob, Job, Machine, Step, gitlab
from tests.conftest import Cli
from tests.standin_host import standin as standin  # noqa: PLC0414  (a fixture)

REQUIREMENT = "nitroctl @ git+https://example.com/nitroctl@0123456789012345678901234567890123456789"
PIP = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", REQUIREMENT]
BUILD = "Build the image with nitro-cli, in Amazon Linux"
GATE = "Only a recorded image passes"
USED = "Only a recorded image passes, and only records that were not rewritten"
RECORD = ("--component", "signer", "--environment", "prod", "--activate")
WORKFLOW = ".github/workflows/enclave.yml"
ZEROS = "0" * 40


class Project:
    """A project of ``nitroctl init`` that is a git checkout, on a machine of a CI system."""

    def __init__(self, machine: Machine, cli: Cli) -> None:
        self.machine = machine
        self.path = machine.workspace
        self._cli = cli

    def commit(self, message: str = "a change") -> str:
        """Commit all there is and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *argv: str) -> str:
        known = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *known, *argv], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout

    def record(self, release: str) -> None:
        """Record app.eif as an active version."""
        assert self._cli("pcr", "record", "--eif", "app.eif", *RECORD, "--release", release).status == 0

    def github(self, before: str | None = None, workflow: str = WORKFLOW, *, pull_request: bool = False) -> Job:
        """Run the workflow after a push, or for a pull request, to what was there ``before``."""
        event: dict[str, Any] = {"before": before} if before else {}
        if pull_request:
            event = {"pull_request": {"base": {"sha": before}}, "before": "not this one"}
        return GitHub(self.machine, event).run(workflow)

    def gitlab(self, **predefined: str) -> GitLabJob:
        given = {"NITROCTL": REQUIREMENT, "CI_COMMIT_BEFORE_SHA": ZEROS}
        return gitlab(self.machine, "ci/gitlab.yml", "enclave-gate", given | predefined)

    def gate(self, **variables: str) -> Step:
        """Run ci/gate.sh by hand, where nitroctl is installed."""
        bin_directory = self.machine.directory / "installed-bin"
        bin_directory.mkdir(exist_ok=True)
        shutil.copy(self.machine.bin / "nitroctl.program", bin_directory / "nitroctl")
        return Step("gate", *self.machine.run(["sh", "ci/gate.sh"], variables, [str(bin_directory)]))


@pytest.fixture
def project(cli: Cli, standin: StandinHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A new project, committed, whose workflow says where nitroctl comes from. No image is built and none recorded."""
    if shutil.which("git") is None or shutil.which("bash") is None:
        pytest.skip("needs git and bash")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.delenv("NITROCTL_ALLOCATOR")
    assert cli("init", str(tmp_path / "signer")).status == 0
    monkeypatch.chdir(tmp_path / "signer")
    path = Path(WORKFLOW)
    path.write_text(path.read_text().replace('NITROCTL: ""', f'NITROCTL: "{REQUIREMENT}"'))
    made = Project(Machine(tmp_path / "signer", tmp_path / "machine"), cli)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("nitroctl init")
    return made


def an_image(application: bytes = b"application") -> bytes:
    return images.forge([*images.GOOD[:4], (images.RAMDISK, application)])


@pytest.fixture
def released(project: Project) -> Project:
    """The project with an image that is recorded and committed, and ready to be built on."""
    Path("app.eif").write_bytes(an_image())
    project.record("1.0.0")
    project.commit("release 1.0.0")
    return project


# -- GitHub


def test_the_workflow_passes_what_was_recorded_and_stops_what_drifted(project: Project) -> None:
    first = project.github(before=ZEROS)
    assert [(step.name, step.outcome) for step in first.steps] == [
        (BUILD, "success"),
        ("Install nitroctl", "success"),
        (GATE, "failure"),
        (USED, "failure"),
    ]
    assert first[GATE].status == 3
    assert [found.text for found in first.annotations] == [
        "measurements.json: no recorded measurements; fix: nitroctl pcr record makes it"
    ]
    project.record("1.0.0")
    before = project.commit("release 1.0.0")

    second = project.github(before=before)
    assert second.passed
    assert [step.name for step in second.steps] == [
        BUILD,
        "Install nitroctl",
        GATE,
        USED,
        "What it is made of",
        "Check what the allocator will read",
    ]
    registers = {f"pcr{index}": value.hex() for index, value in images.registers(Path("app.eif").read_bytes()).items()}
    assert second[USED].outputs == {"answer": "yes", "matches": "signer-1.0.0@prod", **registers, "pcr8": ""}
    assert second.annotations == []
    assert second.summary.startswith(
        "### :white_check_mark: nitroctl pcr check\n\nyes\\: app\\.eif is signer\\-1\\.0\\.0\\@prod\n"
    )
    assert project.machine.installed == 2 * PIP

    service = Path("enclave/service.py")
    service.write_text(service.read_text() + "# one more line\n")
    project.commit("a change of the service")
    third = project.github(before=before)
    assert [(step.name, step.outcome) for step in third.steps][2:] == [(GATE, "failure"), (USED, "failure")]
    assert third[GATE].status == 1
    drifted = {f"pcr{index}": value.hex() for index, value in images.registers(Path("app.eif").read_bytes()).items()}
    assert drifted["pcr1"] == registers["pcr1"]
    assert third[USED].outputs == {"answer": "no", "matches": "", **drifted, "pcr8": ""}
    assert [(found.name, found.properties["file"], found.properties["title"]) for found in third.annotations] == [
        ("error", "app.eif", "records.match"),
        ("error", "app.eif", "measurement.pcr0"),
        ("error", "app.eif", "measurement.pcr2"),
    ]
    nearest, _, application = [found.text for found in third.annotations]
    assert "; 1 of 3 registers equal those of signer-1.0.0@prod; PCR0, PCR2 differ; fix: build from" in nearest
    assert application == (
        "not so: PCR2 equals that of signer-1.0.0@prod; application ramdisks: not the recorded one; "
        f"expected {registers['pcr2']}, found {drifted['pcr2']}"
    )
    assert third.summary.startswith("### :x: nitroctl pcr check\n\nno\\: 1 of 3 registers equal those of signer")


@pytest.mark.parametrize("pull_request", [False, True])
def test_a_change_that_rewrites_what_was_recorded_is_stopped(released: Project, *, pull_request: bool) -> None:
    before = released.git("rev-parse", "HEAD").strip()
    Path("measurements.json").unlink()
    released.record("1.0.1")
    released.commit("nobody will notice")
    Path("gate.yml").write_text(
        workflow_of_the_gate("${{ github.event.pull_request.base.sha || github.event.before }}")
    )
    job = released.github(before=before, workflow="gate.yml", pull_request=pull_request)
    assert job[GATE].status == 1
    assert [(found.properties["file"], found.properties["title"]) for found in job.annotations] == [
        ("measurements.json", "history.entries")
    ]
    assert "since standard input: signer-1.0.0@prod is gone" in job.annotations[0].text
    # of the image, and nothing else, the outputs speak
    assert job["gate"].outputs["answer"] == "yes"
    assert job["gate"].outputs["matches"] == "signer-1.0.1@prod"


def workflow_of_the_gate(before: str = "", *, eif: str = "app.eif", sarif: str = "", after: str = "") -> str:
    """Return a workflow of the gate alone, the image being there; ``after``: a script for a step that follows."""
    steps: list[dict[str, Any]] = [
        {
            "name": "gate",
            "uses": "./ci",
            "with": {"nitroctl": REQUIREMENT, "eif": eif, "before": before, "sarif": sarif},
        }
    ]
    if after:
        steps.append({"name": "after", "run": after})
    job = {"runs-on": "ubuntu-24.04", "steps": steps}
    return yaml.safe_dump({"name": "t", "on": {"push": None}, "jobs": {"gate": job}}, sort_keys=False)


def test_the_action_leaves_sarif_also_of_a_no(released: Project) -> None:
    Path("gate.yml").write_text(workflow_of_the_gate(sarif="gate.sarif"))
    assert released.github(workflow="gate.yml").passed
    log = json.loads(Path("gate.sarif").read_text())
    ci_schemas.require_sarif(log)
    assert log["runs"][0]["results"] == []
    Path("app.eif").write_bytes(an_image(b"drifted"))
    assert released.github(workflow="gate.yml")[GATE].status == 1
    log = json.loads(Path("gate.sarif").read_text())
    ci_schemas.require_sarif(log)
    assert [found["ruleId"] for found in log["runs"][0]["results"]] == [
        "records.match",
        "measurement.pcr0",
        "measurement.pcr2",
    ]


def test_the_action_installs_nothing_that_nobody_named(released: Project) -> None:
    Path("gate.yml").write_text(workflow_of_the_gate().replace(REQUIREMENT, "''"))
    job = released.github(workflow="gate.yml")
    assert [step.outcome for step in job.steps] == ["failure", "failure"]
    assert "NITROCTL: the input nitroctl is empty" in job.steps[0].stderr
    assert released.machine.installed == []


# -- GitLab


def test_gitlab_passes_what_was_recorded_and_shows_what_drifted(released: Project) -> None:
    passed = released.gitlab()
    assert (passed.status, passed.stderr) == (0, "")
    assert passed.stdout.startswith("✓ yes: app.eif is signer-1.0.0@prod\n")
    assert passed.stdout.endswith(
        "gate: no commit before this one is named: whether records were rewritten was not asked\n"
    )
    suite = junit(passed)
    assert (suite.get("tests"), suite.get("failures")) == ("5", "0")
    assert released.machine.installed == PIP

    Path("app.eif").write_bytes(an_image(b"drifted"))
    stopped = released.gitlab()
    assert (stopped.status, stopped.stderr) == (1, "")
    assert stopped.stdout.startswith("✗ no: 1 of 3 registers equal those of signer-1.0.0@prod; PCR0, PCR2 differ\n")
    failed = [case.get("name") for case in junit(stopped) if case.find("failure") is not None]
    assert failed == ["records.match", "measurement.pcr0", "measurement.pcr2"]


def junit(job: GitLabJob) -> ET.Element:
    document = ET.fromstring(job.reports["junit"].read_text())
    ci_schemas.require_junit(document)
    (suite,) = document
    return suite


def test_gitlab_asks_of_a_merge_request_what_was_recorded_where_it_branched_off(released: Project) -> None:
    base = released.git("rev-parse", "HEAD").strip()
    assert released.gitlab(CI_MERGE_REQUEST_DIFF_BASE_SHA=base).status == 0
    Path("measurements.json").unlink()
    released.record("1.0.1")
    for known in ({"CI_MERGE_REQUEST_DIFF_BASE_SHA": base}, {"CI_COMMIT_BEFORE_SHA": base}):
        stopped = released.gitlab(**known)
        assert stopped.status == 1
        assert "✗ no: measurements.json: since standard input: signer-1.0.0@prod is gone\n" in stopped.stdout


def test_gitlab_installs_nothing_that_nobody_named(released: Project) -> None:
    ran = released.gitlab(NITROCTL="")
    assert ran.status != 0
    assert "NITROCTL: set it in ci/gitlab.yml" in ran.stderr
    assert released.machine.installed == []
    assert ran.reports == {}


# -- any other


def test_the_gate_by_hand(released: Project) -> None:
    passed = released.gate(BEFORE="HEAD")
    assert (passed.status, passed.stderr) == (0, "")
    assert [line for line in passed.stdout.splitlines() if "yes" in line] == [
        "✓ yes: app.eif is signer-1.0.0@prod",
        "✓ yes: measurements.json is in order and follows standard input",
    ]
    assert released.gate(ENVIRONMENT="staging").status == 1
    assert released.gate(COMPONENT="wallet").status == 1


def test_the_worst_of_the_answers_is_the_status(released: Project) -> None:
    before = released.git("rev-parse", "HEAD").strip()
    Path("measurements.json").unlink()
    released.record("1.0.1")
    Path("app.eif").unlink()
    both = released.gate(BEFORE=before)
    assert both.status == 3
    assert "app.eif: cannot read: no such file or directory [file.unreadable]" in both.stderr
    assert "signer-1.0.0@prod is gone" in both.stdout


@pytest.mark.parametrize("before", ["f" * 40, "no-such-branch", "HEAD^{tree}", "--help", "HEAD:README.md"])
def test_a_past_that_cannot_be_looked_at_is_no_yes(released: Project, before: str) -> None:
    ran = released.gate(BEFORE=before)
    assert ran.status == 3
    assert ran.stderr == f"gate: no such commit in this checkout: {before} (fetch the whole history)\n"


def test_before_the_first_record_there_is_nothing_to_keep(released: Project) -> None:
    first = released.git("rev-list", "--max-parents=0", "HEAD").strip()
    assert released.gate(BEFORE=first).status == 0


def test_records_that_were_taken_away_are_no_yes(released: Project) -> None:
    Path("measurements.json").unlink()
    ran = released.gate(BEFORE="HEAD")
    assert ran.status == 3
    assert ran.stderr.count("[records.missing]") == 1
    assert ran.stderr.count("[file.unreadable]") == 1


def test_without_git_the_past_cannot_be_looked_at(released: Project) -> None:
    shutil.rmtree(".git")
    assert released.gate(BEFORE="HEAD").status == 3
    assert released.gate().status == 0


def test_records_elsewhere_in_the_checkout(released: Project) -> None:
    Path("signed off").mkdir()
    Path("measurements.json").rename("signed off/ledger.json")
    released.commit("moved")
    assert released.gate(BEFORE="HEAD", RECORDS="signed off/ledger.json").status == 0
    Path("signed off/ledger.json").unlink()
    Path("measurements.json").unlink(missing_ok=True)
    released.record("1.0.1")
    Path("measurements.json").rename("signed off/ledger.json")
    assert released.gate(BEFORE="HEAD", RECORDS="signed off/ledger.json").status == 1


def test_a_file_that_cannot_be_written_is_told(released: Project) -> None:
    ran = released.gate(SARIF="no/such/place.sarif", JUNIT="gate.xml")
    assert ran.status == 2
    assert "no/such/place.sarif" in ran.stderr
    ci_schemas.require_junit(ET.parse("gate.xml").getroot())


# -- what an attacker wrote into an image or a record is text, and stays text

HOSTILE = (
    "x\r\n::error file=/etc/passwd,title=owned::owned\n  ::set-output name=answer::yes\n::add-path::/tmp/owned\n"
    "##[error]owned\n##[set-env name=PATH;]/tmp/owned\n::stop-commands::owned\n::add-mask::signer\n"
    "answer=yes\nanswer<<owned\nyes\nowned\n<img src=x onerror=alert(1)> [owned](http://owned) @owned "
    "```\n# owned\n| a | b |\n]]></testcase><testcase name='owned'/>\x1b]0;owned\x07\u202e%0A::error::owned"
)
FIELDS = {
    **images.DOCUMENT,
    "ImageName": HOSTILE,
    "ImageVersion": HOSTILE,
    "BuildMetadata": dict.fromkeys(
        ("BuildTime", "BuildTool", "BuildToolVersion", "OperatingSystem", "KernelVersion"), HOSTILE
    ),
    "DockerInfo": {HOSTILE: HOSTILE},
    "CustomMetadata": {HOSTILE: [HOSTILE]},
}
#: The parts that are hostile, the gate's answer, and whether what they say is shown by anything.
HOSTILE_IMAGES: dict[str, tuple[list[tuple[int, bytes]], int, bool]] = {
    "metadata": ([(images.METADATA, json.dumps(FIELDS).encode())], 1, True),
    "metadata that is no JSON": ([(images.METADATA, HOSTILE.encode())], 3, False),
    "metadata of another shape": (
        [(images.METADATA, json.dumps({**FIELDS, "ImageName": {HOSTILE: 1}}).encode())],
        3,
        False,
    ),
    "command line": ([(images.CMDLINE, HOSTILE.encode())], 1, True),
}
LOOKED_AT = [
    "eif measure app.eif",
    "eif inspect app.eif",
    "eif verify app.eif",
    "eif verify app.eif --records measurements.json --component signer --environment prod",
    "eif diff app.eif recorded.eif",
    "pcr check --eif app.eif",
    "pcr diff signer-1.0.0@prod app.eif",
]
WITH_CHECKS = [line for line in LOOKED_AT if "diff" not in line]


@pytest.mark.parametrize("what", HOSTILE_IMAGES)
def test_what_an_image_says_of_itself_is_no_command_no_output_and_no_markup(
    released: Project, cli: Cli, what: str
) -> None:
    hostile, status, shown = HOSTILE_IMAGES[what]
    Path("app.eif").rename("recorded.eif")
    replaced = {kind for kind, _ in hostile}
    parts = [part for part in images.GOOD if part[0] not in replaced]
    Path("app.eif").write_bytes(images.forge([*parts, *hostile]))
    Path("gate.yml").write_text(workflow_of_the_gate(sarif="gate.sarif"))
    gate = released.github(workflow="gate.yml")[GATE]
    assert gate.status == status
    assert gate.commands
    assert_text_only(gate)
    if status == 1:
        ci_schemas.require_sarif(json.loads(Path("gate.sarif").read_text()))

    # the gate ends the job; another image passes it, and the next step can look at this one in every way
    script = [f"nitroctl {line} || true" for line in LOOKED_AT]
    script += [f"nitroctl {line} --format github || true" for line in WITH_CHECKS]
    Path("gate.yml").write_text(workflow_of_the_gate(eif="recorded.eif", after="\n".join(script)))
    looked = released.github(workflow="gate.yml")["after"]
    assert ("owned" in looked.stdout) == shown
    assert looked.summary.count("### ") == len(WITH_CHECKS) - (status == 3)
    assert_text_only(looked)
    for line in WITH_CHECKS:
        for form in ("json", "sarif", "junit"):
            printed = cli(*line.split(), "--format", form).stdout
            assert not [each for each in printed.splitlines() if ci_harness.command_in(each)]


def test_what_an_image_says_of_itself_is_text_in_gitlab_too(released: Project) -> None:
    parts = [part for part in images.GOOD if part[0] not in (images.METADATA, images.CMDLINE)]
    hostile = [(images.METADATA, json.dumps(FIELDS).encode()), (images.CMDLINE, HOSTILE.encode())]
    Path("app.eif").write_bytes(images.forge([*parts, *hostile]))
    ran = released.gitlab()
    assert ran.status == 1
    assert [case.get("name") for case in junit(ran)] == ["records.active", "records.match"]
    assert all(line.isprintable() for line in (ran.stdout + ran.stderr).splitlines())


@pytest.mark.parametrize("there", [True, False])
def test_the_name_of_an_image_is_text_too(released: Project, *, there: bool) -> None:
    name = "a b,title=owned::owned\n::error::owned\n##[error]%0A::error::owned <img> [owned](http:owned) @owned |.eif"
    if there:
        Path(name).write_bytes(an_image(b"drifted"))
    Path("gate.yml").write_text(workflow_of_the_gate(eif=name, sarif="gate.sarif"))
    gate = released.github(workflow="gate.yml")[GATE]
    assert gate.status == (1 if there else 3)
    shown = name.replace("\n", "\\n")
    assert {command.properties.get("file") for command in gate.commands} == ({shown} if there else {None})
    assert len(gate.commands) == (3 if there else 1)
    assert_text_only(gate, shown)
    if there:
        ci_schemas.require_sarif(json.loads(Path("gate.sarif").read_text()))


def assert_text_only(step: Step, image: str = "app.eif") -> None:
    """What the runner obeys, takes as output and shows as Markdown is nitroctl's own."""
    for command in step.commands:
        assert command.name in ("error", "warning"), command
        assert set(command.properties) <= {"file", "title"}
        assert command.properties.get("file", image) in (image, "measurements.json")
        assert re.fullmatch(r"[a-z0-9.-]+", command.properties["title"])
        assert "owned" not in command.properties["title"]
        assert command.text.isprintable()
    assert set(step.outputs) <= {"answer", "matches", "pcr0", "pcr1", "pcr2", "pcr8"}
    assert step.outputs.get("answer", "no") in ("yes", "no")
    assert "owned" not in "".join(step.outputs.values())
    for line in step.summary.splitlines():
        markup = re.sub(r"\\[!-/:-@\[-`{-~]", "", line)  # without what is escaped
        assert re.fullmatch(
            r"(### :(white_check_mark|x|grey_question): )?[^!-/:-@\[-`{-~]*|[0-9, a-z:]*|\|.*\|", markup
        )
        assert not re.search(r"[<>`\[\]()@\\]", markup)
        assert markup.count("|") in (0, 5)
    assert all(line.isprintable() for line in (step.stdout + step.stderr).splitlines())


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (HOSTILE, 3),
        ("::error::owned ##[error]owned %0A::error::owned <img src=owned> [owned](http://owned) @owned |", 1),
    ],
)
def test_a_reason_that_was_recorded_is_text_too(released: Project, cli: Cli, reason: str, status: int) -> None:
    assert cli("pcr", "revoke", "signer-1.0.0@prod", "--reason", "leaks the key").status == 0
    ledger = Path("measurements.json")
    ledger.write_text(ledger.read_text().replace('"leaks the key"', json.dumps(reason)))
    Path("gate.yml").write_text(workflow_of_the_gate())
    gate = released.github(workflow="gate.yml")[GATE]
    assert gate.status == status
    assert [command.name for command in gate.commands] == ["error"]
    assert_text_only(gate)


# -- the harness refuses what it does not know, so that no template relies on it


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("runs-on:", "strategy: {}\n    runs-on:"),
        lambda text: text.replace("uses: ./ci", "uses: somebody/else@v1"),
        lambda text: text.replace("eif: app.eif", "oef: app.eif"),
        lambda text: text.replace("eif: app.eif", "eif: ${{ fromJSON(github.event) }}"),
        lambda text: text.replace("eif: app.eif", "eif: ${{ secrets.EIF }}"),
        lambda text: text.replace("name: gate\n", "name: gate\n      if: always()\n"),
    ],
)
def test_what_the_harness_does_not_know_is_refused(released: Project, change: Callable[[str], str]) -> None:
    text = workflow_of_the_gate()
    assert change(text) != text
    Path("gate.yml").write_text(change(text))
    with pytest.raises(ci_harness.Refused):
        released.github(workflow="gate.yml")


def test_the_harness_refuses_an_expression_in_a_script(released: Project) -> None:
    Path("gate.yml").write_text(workflow_of_the_gate(after="echo ${{ github.event.before }}"))
    with pytest.raises(ci_harness.Refused, match="an expression in a script is how scripts are injected"):
        released.github(workflow="gate.yml")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("::error file=a b,title=c::d%0Ae%25", ("error", {"file": "a b", "title": "c"}, "d\ne%")),
        (" \t ::WARNING::x", ("warning", {}, "x")),
        ("text ##[set-env name=PATH;]/tmp", ("set-env", {"name": "PATH"}, "/tmp")),
        ("::nothing::x", None),
        ("text ::error::x", None),
    ],
)
def test_the_harness_obeys_what_the_runner_obeys(line: str, found: tuple[str, dict[str, str], str] | None) -> None:
    command = ci_harness.command_in(line)
    assert (command and (command.name, command.properties, command.text)) == found
    job = Job([Step("s", 0, stdout=f"text\n{line}\n")])
    assert len(job.annotations) == (found is not None and found[0] in ("error", "warning"))


def test_the_harness_reads_outputs_as_the_runner_does() -> None:
    assert dict(ci_harness.parsed_outputs("a=1\nb<<W\nx=2\ny\nW\nc=<<\n")) == {"a": "1", "b": "x=2\ny", "c": "<<"}
    with pytest.raises(ci_harness.Refused):
        dict(ci_harness.parsed_outputs("a\n"))
