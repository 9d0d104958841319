"""The arrows of docs/architecture.md, held against the imports that the source really has."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "nitroctl"
DOMAIN = {"pcr", "nitrotpm", "checks", "instants", "strict_json", "eif", "evidence", "appraisal", "records", "kms"}
EDGES = {"host", "safefile", "aws", "settings"}
#: layer -> layers it may import. errors is open to all; safefile reads and writes bytes for all.
ALLOWED = {
    "errors": set[str](),
    "instants": set[str](),
    "strict_json": set[str](),
    "catalogue": set[str](),
    "settings": set[str](),
    "safefile": set[str](),
    "aws": DOMAIN,
    "render": DOMAIN,
    **dict.fromkeys(DOMAIN - {"strict_json", "instants"}, DOMAIN),
    "host": DOMAIN | EDGES,
    "standin": DOMAIN,
    "cli": DOMAIN | EDGES | {"render", "catalogue"},
    "__main__": {"cli"},
}
#: third-party or system module -> places (relative to the package) that may import it.
CONFINED = {
    "typer": ("cli/",),
    "rich": ("render/human.py",),
    "boto3": ("aws/",),
    "botocore": ("aws/",),
    "subprocess": ("host/",),
    "cbor2": ("eif/", "evidence/", "standin/"),
    "cryptography": ("eif/", "evidence/", "standin/", "records/signature.py", "records/bundle_signer.py"),
    "sigstore": ("records/bundle",),
    "sigstore_models": ("records/bundle",),
    "asn1crypto": ("evidence/",),
    "awscrt": ("evidence/",),
    "click": (),
}
FILES = sorted(PACKAGE.rglob("*.py"))


def layer(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "nitroctl"


def imports(path: Path) -> set[str]:
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {f"{module}.{name.name}" if module == "nitroctl" else module for name in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path: Path) -> None:
    here = path.relative_to(PACKAGE)
    mine = here.parts[0].removesuffix(".py")
    if mine == "__init__":
        return
    allowed = ALLOWED[mine] | {mine, "errors", "safefile"}
    if here.as_posix() in {"cli/demo.py", "cli/lab.py"}:
        allowed |= {"standin"}
    used = {layer(name) for name in imports(path) if name.startswith("nitroctl")} - {"nitroctl", "__version__"}
    assert used <= allowed, f"{here} may not import {sorted(used - allowed)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_outside_modules_stay_where_they_belong(path: Path) -> None:
    here = path.relative_to(PACKAGE).as_posix()
    for name in imports(path):
        places = CONFINED.get(name.partition(".")[0])
        assert places is None or here.startswith(places), f"{here} may not import {name}"


def test_no_module_is_named_after_nothing() -> None:
    empty = {"utils", "helpers", "common", "managers", "services", "base"}
    assert not [path for path in FILES if path.stem in empty]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_readable_in_one_sitting(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400 or "over 400 lines because" in text.lower(), "split it by noun, or say why"
