"""Reports for CI: SARIF 2.1.0, JUnit XML, and GitHub workflow commands.

Check texts can hold hostile strings (a file name, metadata of an image): they are made visible first, and then escaped
by the rules of the format, so that they can neither end an element nor start a workflow command.
Sources: OASIS SARIF 2.1.0; GitHub "Workflow commands for GitHub Actions".
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from nitroctl import __version__
from nitroctl.checks import Check, Outcome, Report
from nitroctl.render.plain import visible
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
    rules = {check.id: check for check in report}
    run: dict[str, object] = {
        "tool": {
            "driver": {
                "name": "nitroctl",
                "version": __version__,
                "rules": [
                    {
                        "id": check.id,
                        "shortDescription": {"text": visible(check.title)},
                        "help": {"text": f"nitroctl explain {check.id}"},
                    }
                    for check in rules.values()
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(check, list(rules), result) for check in findings(report)],
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _sarif_result(check: Check, rules: list[str], result: Result) -> dict[str, object]:
    fingerprint = hashlib.sha256(f"{check.id}\0{result.subject}".encode("utf-8", "surrogateescape")).hexdigest()
    return {
        "ruleId": check.id,
        "ruleIndex": rules.index(check.id),
        "level": "warning" if check.outcome is Outcome.WARN and not check.required else "error",
        "message": {"text": message(check)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(result.subject or result.schema)}}}],
        "partialFingerprints": {"nitroctl/1": fingerprint},
    }


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
    return ET.tostring(suites, encoding="unicode", xml_declaration=False) + "\n"


def github(result: Result, report: Report) -> str:
    """Return the report as GitHub annotations, with one line that sums it up."""
    lines: list[str] = []
    by_level: dict[str, list[Check]] = {"error": [], "warning": []}
    for check in findings(report):
        by_level["error" if check in report.refusals else "warning"].append(check)
    for level, checks in by_level.items():
        for check in checks[:_ANNOTATIONS]:
            place = f"file={_property(result.subject)}," if result.subject else ""
            lines.append(f"::{level} {place}title={_property(check.id)}::{_data(message(check))}")
        if len(checks) > _ANNOTATIONS:
            rest = ", ".join(check.id for check in checks[_ANNOTATIONS:])
            lines.append(f"::{level} title=nitroctl::{_data(f'and {len(checks) - _ANNOTATIONS} more: {rest}')}")
    counts = ", ".join(f"{len(report.having(outcome))} {outcome.value}" for outcome in Outcome)
    lines.append(f"nitroctl {result.schema}: {'refused' if result.refused else 'ok'} ({counts})")
    return "\n".join(lines) + "\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")


FORMATS: Final[dict[str, Callable[[Result, Report], str]]] = {"sarif": sarif, "junit": junit, "github": github}
