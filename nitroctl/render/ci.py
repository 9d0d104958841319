"""Reports for CI: SARIF 2.1.0, JUnit XML, and GitHub workflow commands.

Check texts can hold hostile strings (a file name, metadata of an image): they are made visible first, and then escaped
by the rules of the format, so that they can neither end an element nor start a workflow command.
Sources: OASIS SARIF 2.1.0; GitHub "Workflow commands for GitHub Actions".
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from nitroctl import __version__
from nitroctl.checks import Check, Outcome, Report
from nitroctl.errors import NitroctlError
from nitroctl.render.plain import inert_json, inert_xml, visible
from nitroctl.render.result import Result

_SARIF_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
#: GitHub shows ten annotations of each kind a step; the rest is summed up.
_ANNOTATIONS: Final = 10


def findings(report: Report) -> Sequence[Check]:
    """Return the checks worth a line: those that refuse, then those that warn.

    What was not checked because another check failed is left to that one: a cause gives one line, not twenty.
    """
    refusals = [check for check in report.refusals if check.outcome is not Outcome.SKIP] or report.refusals
    return [*refusals, *(check for check in report.having(Outcome.WARN) if not check.required)]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line in a CI system. ``rule``: id of a check or code of an error; ``title``: what that stands for, always.

    ``level``: ``error`` or ``warning``. ``text``: what was found, made visible. ``subject``: path of what was judged.
    ``line``: in that file, from 1, where one line is to blame.
    """

    rule: str
    title: str
    level: str
    text: str
    subject: str
    line: int | None = None


def finding(check: Check, subject: str) -> Finding:
    """Return the line for a check that is worth one."""
    level = "warning" if check.outcome is Outcome.WARN and not check.required else "error"
    return Finding(check.id, check.title, level, message(check), subject.removeprefix("./"), check.line)


def failure(error: NitroctlError, subject: str = "") -> Finding:
    """Return the line for what could not be looked at: in CI nothing may pass unread."""
    text = "; fix: ".join([error.message, *error.hints[:1]])
    return Finding(error.code, "it can be read", "error", visible(text), subject.removeprefix("./"))


def message(check: Check) -> str:
    """Return what was found in one visible line, with what to do."""
    parts = [check.title if check.outcome is Outcome.PASS else f"not so: {check.title}"]
    if check.detail:
        parts.append(check.detail)
    if check.expected is not None and check.actual is not None:
        parts.append(f"expected {check.expected}, found {check.actual}")
    if check.remedy:
        parts.append(f"fix: {check.remedy}")
    return visible("; ".join(parts))


def sarif(result: Result, report: Report) -> str:
    """Return the report as a SARIF 2.1.0 log: a rule for each check, a result for each finding."""
    found = [finding(check, result.subject) for check in findings(report)]
    return sarif_log({check.id: check.title for check in report}, found, otherwise=result.schema)


def sarif_log(rules: Mapping[str, str], found: Iterable[Finding], *, otherwise: str) -> str:
    """Return a SARIF log. ``rules``: titles by id; ``otherwise``: the location of a finding without a subject.

    A finding keeps its fingerprint as long as the rule and the name of what was judged stay the same; of several in one
    file each is told apart by what it says.
    """
    numbers = {rule: number for number, rule in enumerate(rules)}
    results = [
        {
            "ruleId": line.rule,
            "ruleIndex": numbers[line.rule],
            "level": line.level,
            "message": {"text": line.text},
            "locations": [{"physicalLocation": _place(line, otherwise)}],
            "partialFingerprints": {"nitroctl/1": _fingerprint(line)},
        }
        for line in found
    ]
    described = [
        {"id": rule, "shortDescription": {"text": visible(title)}, "help": {"text": f"nitroctl explain {rule}"}}
        for rule, title in rules.items()
    ]
    run = {
        "tool": {"driver": {"name": "nitroctl", "version": __version__, "rules": described}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    log = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return inert_json(json.dumps(log, indent=2)) + "\n"


def _place(line: Finding, otherwise: str) -> dict[str, object]:
    place: dict[str, object] = {"artifactLocation": {"uri": _uri(line.subject or otherwise)}}
    return place | ({"region": {"startLine": line.line}} if line.line else {})


def _fingerprint(line: Finding) -> str:
    text = f"{line.rule}\0{line.subject}" + (f"\0{line.text}" if line.line else "")
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _uri(path: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415  (only SARIF needs it)

    return quote(path.encode("utf-8", "surrogateescape"))


def junit(result: Result, report: Report) -> str:
    """Return the report as JUnit XML: one test case a check."""
    refusals = set(findings(report)) & set(report.refusals)
    suite = ET.Element(
        "testsuite",
        name=f"nitroctl {result.schema}",
        tests=str(len(report)),
        failures=str(len(refusals)),
        errors="0",
        skipped=str(sum(check.outcome is Outcome.SKIP and check not in refusals for check in report)),
    )
    for check in report:
        case = ET.SubElement(suite, "testcase", classname=f"nitroctl.{result.schema.partition('/')[0]}", name=check.id)
        if check in refusals:
            ET.SubElement(case, "failure", type=check.id, message=message(check))
        elif check.outcome is Outcome.SKIP:
            ET.SubElement(case, "skipped", message=visible(check.detail))
        elif check.outcome is Outcome.WARN:
            ET.SubElement(case, "system-out").text = f"warning: {message(check)}"
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return inert_xml(ET.tostring(suites, encoding="unicode", xml_declaration=False)) + "\n"


def github(result: Result, report: Report) -> str:
    """Return the report as GitHub annotations, with one line that sums it up."""
    counts = ", ".join(f"{len(report.having(outcome))} {outcome.value}" for outcome in Outcome)
    summary = f"nitroctl {result.schema}: {'refused' if result.refused else 'ok'} ({counts})"
    lines = annotations([finding(check, result.subject) for check in findings(report)])
    return "\n".join([*lines, summary]) + "\n"


def annotations(found: Sequence[Finding]) -> list[str]:
    """Return workflow commands for the first findings of each level, and one for the rest of it."""
    lines = []
    for level in ("error", "warning"):
        of_level = [line for line in found if line.level == level]
        for line in of_level[:_ANNOTATIONS]:
            place = f"file={_property(line.subject)}," if line.subject else ""
            place += f"line={line.line}," if line.subject and line.line else ""
            lines.append(f"::{level} {place}title={_property(line.rule)}::{_data(line.text)}")
        rest = of_level[_ANNOTATIONS:]
        if rest:
            rules = ", ".join(dict.fromkeys(line.rule for line in rest))
            lines.append(f"::{level} title=nitroctl::{_data(f'and {len(rest)} more: {rules}')}")
    return lines


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")


FORMATS: Final[dict[str, Callable[[Result, Report], str]]] = {"sarif": sarif, "junit": junit, "github": github}
