"""Answers about several things for CI: SARIF 2.1.0, JUnit XML, and GitHub workflow commands.

What could not be read is a finding like any other, by the code of its error: in CI nothing may pass unread.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from nitroctl.render import ci
from nitroctl.render.plain import inert_xml, visible
from nitroctl.render.result import Result, Subject


def lines(subject: Subject) -> list[ci.Finding]:
    """Return what there is to say of one of several things: its findings, or why it could not be looked at."""
    error = subject.trouble
    if error is None:
        return [ci.finding(check, subject.name) for check in subject.findings]
    return [ci.failure(error, subject.name)]


def sarif(result: Result, subjects: Sequence[Subject]) -> str:
    """Return one SARIF log with the findings about all ``subjects``, and a rule for each check that found something."""
    found = [line for subject in subjects for line in lines(subject)]
    return ci.sarif_log({line.rule: line.title for line in found}, found, otherwise=result.schema)


def junit(result: Result, subjects: Sequence[Subject]) -> str:
    """Return JUnit XML: one test case for each of ``subjects``, with everything that is wrong with it."""
    troubled = sum(subject.trouble is not None for subject in subjects)
    suite = ET.Element(
        "testsuite",
        name=f"nitroctl {result.schema}",
        tests=str(len(subjects)),
        failures=str(sum(subject.refused for subject in subjects)),
        errors=str(troubled),
        skipped="0",
    )
    for subject in subjects:
        case = ET.SubElement(
            suite, "testcase", classname=f"nitroctl.{result.schema.partition('/')[0]}", name=visible(subject.name)
        )
        if subject.trouble is not None:
            ET.SubElement(case, "error", type=subject.trouble.code, message=visible(subject.trouble.message))
            continue
        found = lines(subject)
        for line in found:
            if line.level == "error":
                ET.SubElement(case, "failure", type=line.rule, message=line.text)
        warnings = [f"warning: {line.text}" for line in found if line.level == "warning"]
        if warnings:
            ET.SubElement(case, "system-out").text = "\n".join(warnings)
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return inert_xml(ET.tostring(suites, encoding="unicode", xml_declaration=False)) + "\n"


def github(result: Result, subjects: Sequence[Subject]) -> str:
    """Return GitHub annotations, the first ten of each kind, with one line that sums them up."""
    found = [line for subject in subjects for line in lines(subject)]
    outcomes = Counter(
        "not read" if subject.trouble else "refused" if subject.refused else "ok" for subject in subjects
    )
    counts = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in ("ok", "refused", "not read"))
    answer = "ok" if outcomes["ok"] == len(subjects) else "refused" if result.refused else "not read"
    return "\n".join([*ci.annotations(found), f"nitroctl {result.schema}: {answer} ({counts})"]) + "\n"


FORMATS: Final[dict[str, Callable[[Result, Sequence[Subject]], str]]] = {
    "sarif": sarif,
    "junit": junit,
    "github": github,
}
