"""Every code the source uses is explained, and nothing else is."""

import ast
import re

from nitroctl.catalogue import CATALOGUE
from nitroctl.host.nitro_cli_errors import NITRO_CLI_ERRORS
from tests.conftest import ROOT

CODE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9]+(-[a-z0-9]+)*)+")


def strings() -> set[str]:
    """Return every string constant of the package that has the form of a code."""
    found = set[str]()
    for path in sorted((ROOT / "nitroctl").rglob("*.py")):
        if path.name == "catalogue.py":
            continue
        found |= {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
        }
    return found


def raised() -> set[str]:
    """Return the codes given to errors and checks as literals."""
    found = set[str]()
    for path in sorted((ROOT / "nitroctl").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                values: list[ast.expr] = []
                if name.endswith(("Error", "CannotAnswer", "Declined", "Failed")) and len(node.args) > 1:
                    values = [node.args[1]]
                values += [word.value for word in node.keywords if word.arg in ("id", "code")]
                found |= {v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)}
    return {code for code in found if CODE.fullmatch(code)}


def test_every_code_that_is_used_is_explained() -> None:
    assert sorted(raised() - set(CATALOGUE)) == []


def test_every_explained_code_is_used() -> None:
    templates = re.compile(r"measurement\.pcr[0-9]+")
    assert sorted(code for code in set(CATALOGUE) - strings() if not templates.fullmatch(code)) == []


def test_every_explanation_is_complete() -> None:
    for code, found in CATALOGUE.items():
        assert CODE.fullmatch(code), code
        assert found.meaning.endswith("."), code
        assert found.remedy.endswith("."), code
        assert found.causes, code


def test_all_sixty_one_errors_of_nitro_cli_are_explained() -> None:
    assert list(NITRO_CLI_ERRORS) == [f"E{number:02d}" for number in range(61)]
