import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl import __version__
from nitroctl.checks import Check, Outcome, Report, blocked, not_requested
from nitroctl.render import ci, ci_many, envelope
from nitroctl.render.plain import inert_xml
from nitroctl.render.result import Result, Subject
from tests.ci_harness import command_in
from tests.conftest import Cli, Ran

HOSTILE = "a,b:c%\n::error::x\r\x1b]]></testcase>"
REPORT = Report.of(
    [
        Check(id="chain.root-pinned", title="the root is pinned", outcome=Outcome.PASS),
        Check(
            id="measurement.pcr0",
            title="PCR0 is recorded",
            outcome=Outcome.FAIL,
            detail=HOSTILE,
            expected="1",
            actual="2",
            remedy="record it",
        ),
        Check(id="habit.serial", title="the serial agrees", outcome=Outcome.WARN, required=False),
        blocked("measurement.pcr1", "PCR1 is recorded", "measurement.pcr0"),
        not_requested("freshness.nonce", "the nonce is ours", "--nonce"),
    ]
)
RESULT = Result(schema="attest.verify/1", data={}, view=[], refused=True, report=REPORT, subject="a b/d%.cbor")
MESSAGE = "not so: PCR0 is recorded; a,b:c%\\n::error::x\\r\\x1b]]></testcase>; expected 1, found 2; fix: record it"


def test_a_check_that_could_not_be_made_is_a_finding_when_nothing_else_is() -> None:
    report = Report.of([blocked("c.d", "it follows", "a.b")])
    assert ci.github(Result(schema="a.b/1", data={}, view=[], refused=True), report).splitlines()[0] == (
        "::error title=c.d::not so: it follows; not checked: blocked by a.b"
    )


def test_sarif_has_a_rule_for_each_check_and_a_result_for_each_finding() -> None:
    log = json.loads(ci.sarif(RESULT, REPORT))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["version"] == __version__
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [check.id for check in REPORT]
    assert [(found["ruleId"], found["ruleIndex"], found["level"]) for found in run["results"]] == [
        ("measurement.pcr0", 1, "error"),
        ("habit.serial", 2, "warning"),
    ]
    assert run["results"][0]["message"]["text"] == MESSAGE
    assert run["results"][0]["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "a%20b/d%25.cbor"}}}]
    fingerprints = {found["partialFingerprints"]["nitroctl/1"] for found in run["results"]}
    assert len(fingerprints) == 2


def test_junit_has_a_case_for_each_check() -> None:
    (suite,) = ET.fromstring(ci.junit(RESULT, REPORT))
    assert suite.attrib == {
        "name": "nitroctl attest.verify/1",
        "tests": "5",
        "failures": "1",
        "errors": "0",
        "skipped": "2",
    }
    assert [(case.get("name"), [(part.tag, part.get("message")) for part in case]) for case in suite] == [
        ("chain.root-pinned", []),
        ("measurement.pcr0", [("failure", MESSAGE)]),
        ("habit.serial", [("system-out", None)]),
        ("measurement.pcr1", [("skipped", "not checked: blocked by measurement.pcr0")]),
        ("freshness.nonce", [("skipped", "not checked: not requested (--nonce)")]),
    ]


def test_github_annotations_cannot_be_injected() -> None:
    assert ci.github(RESULT, REPORT) == (
        f"::error file=a b/d%25.cbor,title=measurement.pcr0::{MESSAGE.replace('%', '%25')}\n"
        "::warning file=a b/d%25.cbor,title=habit.serial::not so: the serial agrees\n"
        "nitroctl attest.verify/1: refused (1 pass, 1 fail, 1 warn, 2 skip)\n"
    )


def test_github_shows_ten_and_sums_up_the_rest() -> None:
    many = Report.of(Check(id=f"a.n{n}", title="t", outcome=Outcome.FAIL) for n in range(12))
    lines = ci.github(Result(schema="a.b/1", data={}, view=[], refused=True), many).splitlines()
    assert len(lines) == 12
    assert lines[10] == "::error title=nitroctl::and 2 more: a.n10, a.n11"


def test_a_hostile_file_name_stays_a_property() -> None:
    result = Result(schema="a.b/1", data={}, view=[], refused=True, subject="x,title=y::z\n::error::")
    (line, _) = ci.github(result, Report.of([Check(id="a.b", title="t", outcome=Outcome.FAIL)])).splitlines()
    assert line == "::error file=x%2Ctitle=y%3A%3Az\\n%3A%3Aerror%3A%3A,title=a.b::not so: t"


@pytest.mark.parametrize("form", ci.FORMATS)
def test_a_command_without_checks_says_so(cli: Cli, form: str) -> None:
    ran = cli("schema", "--format", form)
    assert ran == Ran(
        2,
        "",
        f"nitroctl: error: --format {form} is for commands that answer with checks, and this one does not "
        "[usage.invalid]\n"
        "nitroctl: hint: this command has human, json\n",
    )


def test_what_could_not_be_looked_at_is_an_annotation(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("eif", "measure", "a\n::error::b.eif", "--format", "github") == Ran(
        3,
        "::error title=file.unreadable::a\\n::error::b.eif: cannot read: no such file or directory; "
        "fix: check the path\n",
        "nitroctl: error: a\\n::error::b.eif: cannot read: no such file or directory [file.unreadable]\n"
        "nitroctl: hint: check the path\n",
    )


@pytest.mark.parametrize("form", ci.FORMATS)
def test_the_older_form_of_a_command_is_none_either(form: str) -> None:
    check = Check(id="a.b", title="t", outcome=Outcome.FAIL, detail="x ##[set-env name=PATH;]/tmp ###[error]x")
    result = Result(schema="a.b/1", data={}, view=[], refused=True)
    subject = Subject("##[error]x", [check], refused=True)
    for text in (ci.FORMATS[form](result, Report.of([check])), ci_many.FORMATS[form](result, [subject])):
        commands = [command for line in text.splitlines() if (command := command_in(line))]
        assert [command.properties["title"] for command in commands] == (["a.b"] if form == "github" else [])


@given(st.text(alphabet="#[]x\\\"'<&\n:"))
def test_what_is_printed_for_machines_says_the_same_and_is_no_command(text: str) -> None:
    printed = envelope.dumps({text: [text]})
    assert json.loads(printed) == {text: [text]}
    element = ET.Element("a", b=text.replace("\n", ""))
    element.text = text
    document = inert_xml(ET.tostring(element, encoding="unicode"))
    read = ET.fromstring(document)
    assert (read.get("b"), read.text or "") == (text.replace("\n", ""), text)
    for each in (printed, envelope.line({text: [text]}), document.replace("\n", "")):
        assert not [line for line in each.splitlines() if command_in(line)]
        assert "##[" not in each


def test_a_wrong_invocation_is_none(cli: Cli) -> None:
    ran = cli("eif", "measure", "--no-such-option", "--format", "github")
    assert (ran.status, ran.stdout) == (2, "")
