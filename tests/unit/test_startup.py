"""Start-up is held by what may be imported, not by a clock: each command's process is asked what it loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nitroctl.records import Ledger, form
from tests import images, trails
from tests.conftest import ROOT

#: Heavy or unneeded modules. subprocess is not among them: typer imports it.
HEAVY = {
    "asyncio",
    "boto3",
    "botocore",
    "cbor2",
    "cryptography",
    "email",
    "http",
    "importlib.metadata",
    "pydantic",
    "rich",
    "ssl",
    "urllib.request",
    "yaml",
}
ROLE = "arn:aws:iam::123456789012:role/signer"


def loaded(*argv: str, cwd: Path) -> set[str]:
    """Return every module a command's process has loaded when it ends."""
    script = (
        "import sys, json, contextlib, io\n"
        "from nitroctl.__main__ import main\n"
        f"sys.argv = ['nitroctl', *{argv!r}]\n"
        "with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding='utf-8')):\n"
        "    status = main()\n"
        "print(json.dumps([status, sorted(sys.modules)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=cwd, timeout=60
    )
    status, modules = json.loads(done.stdout)
    assert status == 0, done.stderr
    return set(modules)


def heavy(modules: set[str]) -> set[str]:
    """Return which of HEAVY were loaded (a name or anything below it)."""
    return {name for name in HEAVY if name in modules or any(found.startswith(f"{name}.") for found in modules)}


def test_the_version_imports_nothing_of_ours_but_the_version(tmp_path: Path) -> None:
    modules = loaded("--version", cwd=tmp_path)
    assert {name for name in modules if name.startswith("nitroctl")} == {"nitroctl", "nitroctl.__main__"}
    assert heavy(modules) == set()


@pytest.mark.parametrize(
    ("argv", "allowed"),
    [
        (["--help"], set()),
        (["attest", "--help"], set()),
        (["enclave", "--help"], set()),
        (["kms", "generate", "--help"], set()),
        (["kms", "generate", "--init", "--json"], set()),
        (
            [
                *("kms", "simulate", "policy.json", "--principal", ROLE, "--pcr", f"PCR0={'ab' * 48}"),
                *("--key", "arn:aws:kms:eu-west-1:123456789012:key/k", "--json"),
            ],
            set(),
        ),
        (["kms", "diff", "policy.json", "policy.json", "--json"], set()),
        (["kms", "apply", "--help"], set()),
        (["kms", "show", "--help"], set()),
        (["kms", "lint", "policy.json", "--exit-zero", "--json"], set()),
        (["kms", "trail", "trail.json", "--no-records", "--exit-zero", "--json"], set()),
        (["kms", "matrix", "policy.json", "--json"], set()),
        (["kms", "prove", "policy.json", "--json", "--exit-zero"], set()),
        (["pcr", "role", ROLE, "--json"], set()),
        (["pcr", "role", ROLE], {"rich"}),
        (["allocator", "show", "--file", "allocator.yaml", "--json"], set()),
        (["config", "show", "--json"], set()),
        (["explain", "E36", "--json"], set()),
        (["pcr", "list", "--records", "measurements.json", "--json"], set()),
        (
            [
                *("attest", "verify", "document.cbor", "--json", "--at", "document", "--authenticity-only"),
                *("--root", "pki/root.pem"),
            ],
            {"cryptography", "email"},
        ),
        (
            [
                *("kms", "explain", "document.cbor", "--policy", "policy.json", "--principal", ROLE, "--json"),
                *("--root", "pki/root.pem", "--at", "2026-01-01T00:00:00Z", "--exit-zero"),
            ],
            {"cryptography", "email"},
        ),
        (["attest", "show", "document.cbor", "--json"], {"cbor2", "cryptography", "email"}),
        (["pcr", "verify", "measurements.json", "--json"], set()),
        (["pcr", "check", "--eif", "image.eif", "--records", "measurements.json", "--exit-zero"], {"rich"}),
        (["eif", "measure", "image.eif", "--json"], set()),
        (["eif", "inspect", "image.eif", "--json"], set()),
        (["eif", "verify", "image.eif", "--json"], set()),
        (["eif", "verify", "image.eif"], {"rich"}),
        (["eif", "diff", "image.eif", "image.eif", "--json"], set()),
        (["eif", "build", "--help"], set()),
        (["eif", "sign", "--help"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_imports_only_what_it_needs(argv: list[str], allowed: set[str], tmp_path: Path) -> None:
    (tmp_path / "allocator.yaml").write_text("---\nmemory_mib: 512\ncpu_count: 2\n")
    (tmp_path / "policy.json").write_text(
        json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}})
    )
    (tmp_path / "measurements.json").write_text(form.dumps(Ledger()))
    (tmp_path / "trail.json").write_text(json.dumps({"Records": [trails.attested()]}))
    if "image.eif" in argv:
        (tmp_path / "image.eif").write_bytes(images.forge())
    if "document.cbor" in argv:
        _document(tmp_path / "document.cbor")
    assert heavy(loaded(*argv, cwd=tmp_path)) <= allowed


def _document(path: Path) -> None:
    from datetime import UTC, datetime

    from nitroctl.standin import nsm, pki

    at = datetime(2026, 1, 1, tzinfo=UTC)
    authority = pki.create(path.parent / "pki", at=at)
    path.write_bytes(
        nsm.attest(
            authority,
            module_id="i-0123456789abcdef0-enc0190e0c0368d490d",
            region="eu-west-1",
            pcrs={},
            at=at,
            nonce=None,
            user_data=None,
            public_key=None,
        )
    )


def test_the_end_of_a_command_is_not_spent_on_looking_for_garbage() -> None:
    """What a command loaded goes with its process; a tenth of a short command's time was the look through it."""
    script = (
        "import gc, sys\n"
        "from nitroctl.__main__ import main\n"
        "sys.argv = ['nitroctl', 'explain', 'E36', '--json']\n"
        "before, status = gc.get_freeze_count(), main()\n"
        "sys.exit(status or (0 if gc.get_freeze_count() > before else 1))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_verb_module_imports_more_than_the_tree_at_its_top() -> None:
    """``NOUN --help`` imports the noun's module: its top may not load what its verbs need."""
    script = (
        "import sys, json, importlib\n"
        "from nitroctl.cli.tree import GROUPS\n"
        "for module, _ in GROUPS.values(): importlib.import_module(f'nitroctl.cli.{module}')\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert heavy(set(json.loads(done.stdout))) == set()
