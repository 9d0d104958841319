"""What a step leaves to GitHub: whole texts, and nothing in them that a hostile string decides."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl.checks import Check, Outcome, Report
from nitroctl.errors import CannotAnswer
from nitroctl.render import ci_github
from nitroctl.render.result import Result, Subject
from nitroctl.render.view import Headline
from tests.conftest import Cli, Ran

HOSTILE = "a|b`c`<img src=x>\n::error::x\n@team [l](http://x) \x1b]# h"
ESCAPED = r"a\|b\`c\`\<img src\=x\>\\n\:\:error\:\:x\\n\@team \[l\]\(http\:\/\/x\) \\x1b\]\# h"  # on one line, as it is
FAILED = Check(id="a.b", title="t", outcome=Outcome.FAIL, detail=HOSTILE)
WARNED = Check(id="a.c", title="u", outcome=Outcome.WARN, required=False)
PASSED = Check(id="a.d", title="v", outcome=Outcome.PASS)


def result(*checks: Check, **changes: object) -> Result:
    given: dict[str, object] = {
        "schema": "eif.measure/1",
        "data": {"pcrs": {"PCR0": "00" * 48, "evil\n": "x"}, "matches": ["a-1@b", "c-2@d"]},
        "view": [Headline("it is so")],
        "refused": any(check.outcome is Outcome.FAIL for check in checks),
        "report": Report.of(checks),
        "subject": "a b.eif",
    }
    return Result(**(given | changes))  # type: ignore[arg-type]


def test_a_summary_shows_the_answer_and_what_was_found() -> None:
    assert ci_github.summary(result(FAILED, WARNED, PASSED)) == (
        "### :x: nitroctl eif measure\n\n"
        "it is so\n\n"
        "| | file | check | what was found |\n"
        "| --- | --- | --- | --- |\n"
        f"| :x: | a b\\.eif | a\\.b | not so\\: t\\; {ESCAPED} |\n"
        "| :warning: | a b\\.eif | a\\.c | not so\\: u |\n\n"
        "3 checks: 1 pass, 1 fail, 1 warn, 0 skip\n\n"
    )


def test_a_summary_of_a_yes_is_short() -> None:
    assert ci_github.summary(result(PASSED)) == (
        "### :white_check_mark: nitroctl eif measure\n\nit is so\n\n1 checks: 1 pass, 0 fail, 0 warn, 0 skip\n\n"
    )


def test_a_summary_of_many_names_each_and_has_an_end() -> None:
    unread = CannotAnswer("x: gone", "file.unreadable")
    subjects = [Subject("x", (), False, unread), *(Subject(f"{n}", [FAILED], True) for n in range(ci_github.SHOWN))]
    lines = ci_github.summary(
        result(schema="attest.verify.many/1", report=None, subjects=subjects, trouble=[unread])
    ).splitlines()
    assert lines[0] == "### :grey_question: nitroctl attest verify"
    assert lines[6] == r"| :x: | x | file\.unreadable | x\: gone |"
    assert lines[-3:] == ["", "and 1 more", ""]
    assert len(lines) == 6 + ci_github.SHOWN + 3


@given(st.text())
def test_no_text_is_more_than_text_in_a_summary(text: str) -> None:
    shown = ci_github.escaped(text)
    assert "\n" not in shown
    assert "\r" not in shown
    assert not re.search(r"[!-/:-@\[-`{-~]", re.sub(r"\\[!-/:-@\[-`{-~]", "", shown))


def test_a_long_text_is_cut() -> None:
    assert len(ci_github.escaped("x" * 10_000)) == 2001


def test_outputs_are_the_answer_and_the_registers() -> None:
    assert ci_github.outputs(result(FAILED)) == {"answer": "no", "pcr0": "00" * 48, "matches": "a-1@b c-2@d"}


@given(st.text())
def test_no_value_ends_itself(value: str) -> None:
    lines = ci_github.output_lines({"a": value, "b": "2"}).split("\n")
    word = lines[0].removeprefix("a<<")
    assert re.fullmatch(r"nitroctl_[0-9a-f]{32}", word)
    assert lines[2:] == [word, f"b<<{word}", "2", word, ""]


def test_each_step_has_a_word_of_its_own() -> None:
    assert ci_github.output_lines({"a": ""}) != ci_github.output_lines({"a": ""})


def test_a_step_hands_over_where_the_runner_says(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.eif").write_bytes(b"no image")
    Path("summary").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary")
    monkeypatch.setenv("GITHUB_OUTPUT", "output")
    assert cli("eif", "measure", "x.eif", "--format", "github").status == 1
    assert Path("summary").read_text().startswith("before\n### :x: nitroctl eif measure\n\nx\\.eif cannot be measured")
    assert Path("output").read_text().splitlines()[1:2] == ["no"]
    assert cli("eif", "measure", "x.eif", "--json").status == 1
    assert Path("output").read_text().count("answer<<") == 1


def test_a_step_whose_summary_cannot_be_written_says_so(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.eif").write_bytes(b"no image")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    ran = cli("eif", "measure", "x.eif", "--format", "github")
    assert ran == Ran(
        3,
        ran.stdout,
        f"nitroctl: error: {tmp_path}: cannot write: is a directory [file.unwritable]\n"
        "nitroctl: hint: it is named by GITHUB_STEP_SUMMARY, which the runner sets\n",
    )
