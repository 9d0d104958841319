"""What SARIF and JUnit readers require, written from the specifications: the part of either that nitroctl can write.

SARIF: OASIS "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", sections 3.13 (sarifLog), 3.14 (run),
3.19 (toolComponent), 3.27 (result), 3.29 (physicalLocation), 3.30 (region), 3.49 (reportingDescriptor), as a JSON
Schema that is closed: a member that is not described here is an error. JUnit has no specification; the elements and
attributes are those that Jenkins' xUnit schema and GitLab's unit test reports have in common. Neither is the published
schema, which no package that the tests install contains.
"""

import re
from typing import Any, Final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from jsonschema import Draft202012Validator

_MESSAGE: Final = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "minLength": 1}},
}
_RULE: Final = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {"id": {"type": "string", "minLength": 1}, "shortDescription": _MESSAGE, "help": _MESSAGE},
}
_LOCATION: Final = {
    "type": "object",
    "required": ["physicalLocation"],
    "additionalProperties": False,
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "additionalProperties": False,
                    # 3.4.3: a URI or relative reference of RFC 3986
                    "properties": {"uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+$"}},
                },
                "region": {
                    "type": "object",
                    "required": ["startLine"],
                    "additionalProperties": False,
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        }
    },
}
_RESULT: Final = {
    "type": "object",
    "required": ["message"],
    "additionalProperties": False,
    "properties": {
        "ruleId": {"type": "string", "minLength": 1},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": _MESSAGE,
        "locations": {"type": "array", "items": _LOCATION},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_RUN: Final = {
    "type": "object",
    "required": ["tool"],
    "additionalProperties": False,
    "properties": {
        "tool": {
            "type": "object",
            "required": ["driver"],
            "additionalProperties": False,
            "properties": {
                "driver": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": False,
                    "properties": {
                        "name": {"type": "string", "minLength": 1},
                        "version": {"type": "string"},
                        "rules": {"type": "array", "items": _RULE, "uniqueItems": True},
                    },
                }
            },
        },
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "results": {"type": "array", "items": _RESULT},
    },
}
_LOG: Final = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "pattern": "^https://"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": _RUN},
    },
}
#: Attributes by element, required ones first; what may stand inside; whether text may.
_JUNIT: Final[dict[str, tuple[set[str], set[str], set[str], bool]]] = {
    "testsuites": (set(), set(), {"testsuite"}, False),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, set(), {"testcase"}, False),
    "testcase": ({"classname", "name"}, set(), {"failure", "error", "skipped", "system-out"}, False),
    "failure": ({"type", "message"}, set(), set(), True),
    "error": ({"type", "message"}, set(), set(), True),
    "skipped": (set(), {"message"}, set(), True),
    "system-out": (set(), set(), set(), True),
}


def require_sarif(log: Any) -> None:
    """Hold a SARIF log against the schema, and against what the specification says in words."""
    Draft202012Validator.check_schema(_LOG)
    Draft202012Validator(_LOG).validate(log)
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        assert len({rule["id"] for rule in rules}) == len(rules)  # 3.19.23: identifiers do not collide
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]  # 3.27.6
            uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            assert not re.search(r"%(?![0-9A-F]{2})", uri)
            assert unquote(uri)


def require_junit(document: ET.Element) -> None:
    """Hold a JUnit document against the elements, attributes and counts that its readers know."""
    assert document.tag == "testsuites"
    for element in document.iter():
        required, optional, children, text = _JUNIT[element.tag]
        assert required <= set(element.attrib) <= required | optional, element.attrib
        assert {child.tag for child in element} <= children
        assert text or not (element.text or "").strip()
        assert not (element.tail or "").strip()
    for suite in document:
        cases = list(suite)
        having = {tag: sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")}
        assert suite.attrib == {
            "name": suite.get("name", ""),
            "tests": str(len(cases)),
            "failures": str(having["failure"]),
            "errors": str(having["error"]),
            "skipped": str(having["skipped"]),
        }
        for case in cases:
            assert case.get("name")
            assert len([part for part in case if part.tag in ("error", "skipped")]) <= 1
