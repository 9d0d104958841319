"""What a GitHub step leaves behind: its summary in Markdown, and its outputs for the steps that follow.

Texts of checks can hold what an attacker wrote. In the summary every ASCII punctuation character is escaped (CommonMark
0.31, section 2.4), so that no text can be a link, an image, a mention, a heading or HTML. An output's value stands
between lines that hold a random word, so that no value can end itself and begin another output.
Source: GitHub, "Workflow commands for GitHub Actions": adding a job summary, setting an output parameter.
"""

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Final

from nitroctl.checks import Outcome
from nitroctl.render import ci, ci_many
from nitroctl.render.plain import visible
from nitroctl.render.result import Result
from nitroctl.render.view import Headline

#: How many findings a summary shows; GitHub takes 1 MiB of it for a step.
SHOWN: Final = 100
#: The most characters of one text in a summary.
_LONGEST: Final = 2000
_ESCAPES: Final = {ord(character): f"\\{character}" for character in string.punctuation}
_OUTPUT_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def escaped(text: str) -> str:
    """Return ``text`` so that Markdown shows it as it is, on one line."""
    shown = visible(text)
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}…"
    return shown.translate(_ESCAPES)


def answer_of(result: Result) -> str:
    """Return ``yes``, ``no``, or ``unanswered`` when something could not be looked at and nothing was refused."""
    if result.refused:
        return "no"
    return "unanswered" if result.trouble else "yes"


def summary(result: Result) -> str:
    """Return the step's summary: the answer, then a table of what was found."""
    found: list[ci.Finding] = []
    if result.subjects is not None:
        found = [line for subject in result.subjects for line in ci_many.lines(subject)]
    elif result.report is not None:
        found = [ci.finding(check, result.subject) for check in ci.findings(result.report)]
    command = result.schema.partition("/")[0].removesuffix(".many").replace(".", " ")
    mark = {"yes": ":white_check_mark:", "no": ":x:", "unanswered": ":grey_question:"}[answer_of(result)]
    sentence = next((block.text for block in result.view if isinstance(block, Headline)), result.schema)
    lines = [f"### {mark} nitroctl {escaped(command)}", "", escaped(sentence)]
    if found:
        lines += ["", "| | file | check | what was found |", "| --- | --- | --- | --- |"]
        lines += [_row(line) for line in found[:SHOWN]]
    if len(found) > SHOWN:
        lines += ["", f"and {len(found) - SHOWN} more"]
    lines += _counts(result)
    return "\n".join(lines) + "\n\n"


def _row(line: ci.Finding) -> str:
    mark = ":x:" if line.level == "error" else ":warning:"
    return f"| {mark} | {escaped(line.subject)} | {escaped(line.rule)} | {escaped(line.text)} |"


def _counts(result: Result) -> list[str]:
    if result.report is None:
        return []
    counts = ", ".join(f"{len(result.report.having(outcome))} {outcome.value}" for outcome in Outcome)
    return ["", f"{len(result.report)} checks: {counts}"]


def outputs(result: Result) -> dict[str, str]:
    """Return the step's outputs by name: the answer, and the registers (``pcr0`` …) that the answer is about."""
    found = {"answer": answer_of(result)}
    registers = result.data.get("pcrs")
    if isinstance(registers, Mapping):
        found |= {str(name).lower(): str(value) for name, value in registers.items()}
    matches = result.data.get("matches")
    if isinstance(matches, Sequence) and not isinstance(matches, str):
        found["matches"] = " ".join(map(str, matches))
    return {name: value for name, value in found.items() if _OUTPUT_NAME.fullmatch(name)}


def output_lines(values: Mapping[str, str]) -> str:
    """Return ``values`` as the lines of a ``$GITHUB_OUTPUT`` file."""
    word = f"nitroctl_{secrets.token_hex(16)}"
    return "".join(f"{name}<<{word}\n{visible(value)}\n{word}\n" for name, value in values.items())
