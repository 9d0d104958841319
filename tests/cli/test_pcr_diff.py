"""``nitroctl pcr diff``: whole outputs."""

import dataclasses
import json
from pathlib import Path

import pytest

from nitroctl import pcr
from nitroctl.pcr import EMPTY_PCR2
from tests.cli.test_pcr import image
from tests.conftest import Cli, Ran
from tests.records import RECIPE, active, entry, full, pcrs, write

A, B = active("1.4.1"), entry("1.4.2", pcrs={**pcrs("1.4.2"), 2: pcrs("1.4.1")[2]}, notes="new")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory of its own, with two recorded versions."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "measurements.json", A, B)
    return tmp_path


def test_two_recorded_versions(cli: Cli) -> None:
    assert cli("pcr", "diff", "signer-1.4.1", "signer-1.4.2@prod") == Ran(
        1,
        "✗ PCR0, PCR1 differ between signer-1.4.1@prod and signer-1.4.2@prod\n"
        "A  signer-1.4.1@prod\n"
        "B  signer-1.4.2@prod\n"
        "\n"
        "Registers\n"
        "  PCR0    differs\n"
        f"    A     {A.pcrs[0].hex()}\n"
        f"    B     {B.pcrs[0].hex()}\n"
        "  PCR1    differs\n"
        f"    A     {A.pcrs[1].hex()}\n"
        f"    B     {B.pcrs[1].hex()}\n"
        "  PCR2    equal\n"
        f"    A, B  {A.pcrs[2].hex()}\n"
        "\n"
        "What else the records say\n"
        "member        A                     B\n"
        "version       1.4.1                 1.4.2\n"
        "status        active                candidate\n"
        "activated_at  2026-11-20T10:00:00Z  -\n"
        "notes         -                     new\n",
        "",
    )


def test_of_two_builds_only_what_differs_is_shown(cli: Cli) -> None:
    one = full("2.0.0")
    assert one.build is not None
    assert one.artifact is not None
    build = dataclasses.replace(
        one.build,
        inputs={**one.build.inputs, "init": "34" * 32},
        recipe=dataclasses.replace(RECIPE, cmd=None),
        reproduced_by=(),
    )
    other = dataclasses.replace(
        one, version="2.0.1", build=build, artifact=dataclasses.replace(one.artifact, sha256="ef" * 32)
    )
    write(Path("measurements.json"), one, other)
    assert cli("pcr", "diff", "signer-2.0.0", "signer-2.0.1", "--json").json["data"]["members"] == [
        {"member": "version", "a": "2.0.0", "b": "2.0.1"},
        {"member": "artifact.sha256", "a": "ab" * 32, "b": "ef" * 32},
        {"member": "build.inputs.init", "a": "12" * 32, "b": "34" * 32},
        {"member": "build.recipe.cmd", "a": '["/bin/app", "--listen"]', "b": "-"},
        {"member": "build.reproduced_by", "a": '["laptop"]', "b": "-"},
    ]


def test_an_image_and_what_was_printed_of_it(cli: Cli) -> None:
    found = image("app.eif")
    assert found[2] == EMPTY_PCR2
    Path("build.json").write_text(json.dumps({"Measurements": pcr.as_hex(found)}))
    ran = cli("pcr", "diff", "app.eif", "build.json")
    assert (ran.status, ran.stdout.splitlines()[0]) == (0, "✓ app.eif and build.json have the same registers")
    data = cli("pcr", "diff", "app.eif", "signer-1.4.1", "--json").json["data"]
    assert (data["differing"], data["members"]) == (["PCR0", "PCR1", "PCR2"], [])


def test_two_ledgers(cli: Cli) -> None:
    write(Path("new.json"), active("1.4.1", pcrs=pcrs("other")), active("1.4.2", pcrs=B.pcrs), entry("1.5.0"))
    assert cli("pcr", "diff", "measurements.json", "new.json") == Ran(
        1,
        "✗ 3 entries differ\n"
        "A  measurements.json\n"
        "B  new.json\n"
        "version            what differs\n"
        "signer-1.4.1@prod  differs: measurements\n"
        "signer-1.4.2@prod  differs: status, notes, activated_at\n"
        "signer-1.5.0@prod  only in B\n",
        "",
    )
    assert cli("pcr", "diff", "new.json", "new.json").stdout.startswith("✓ new.json and new.json record the same\n")
    assert cli("pcr", "diff", "new.json", "measurements.json", "--json").json["data"]["entries"][2] == {
        "entry": "signer-1.5.0@prod",
        "what": "only in A",
    }


@pytest.mark.parametrize(
    ("sides", "status", "code"),
    [
        (("measurements.json", "signer-1.4.1"), 2, "usage.invalid"),
        (("signer-1.4.1", "signer-9"), 3, "records.no-such-entry"),
        (("signer-1.4.1", "many.json"), 2, "records.select"),
        (("signer-1.4.1", "."), 3, "file.unreadable"),
        (("signer-1.4.1", "junk.json"), 3, "json.syntax"),
        (("signer-1.4.1", "bad.eif"), 3, "eif.not-measurable"),
    ],
)
def test_sides_that_cannot_be_compared(cli: Cli, sides: tuple[str, str], status: int, code: str) -> None:
    Path("many.json").write_text(json.dumps([pcr.as_hex(A.pcrs), pcr.as_hex(B.pcrs)]))
    Path("junk.json").write_text("junk")
    Path("bad.eif").write_bytes(b".eif" + bytes(600))
    ran = cli("pcr", "diff", *sides)
    assert (ran.status, ran.stdout) == (status, "")
    assert f"[{code}]" in ran.stderr
