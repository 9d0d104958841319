"""Reading the ledger: every wrong file is a good one changed in a single place, and the error names the place."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nitroctl import records
from nitroctl.errors import CannotAnswer
from nitroctl.records import Ledger, form
from tests.records import active, entry, full

GOOD = json.loads(form.dumps(Ledger.of([full("1"), entry("2")])))
ABSENT = object()


def refusal(text: str) -> CannotAnswer:
    with pytest.raises(CannotAnswer) as caught:
        form.loads(text, where="m.json")
    return caught.value


def changed(*path: str | int, to: object = ABSENT) -> str:
    """Return the good ledger as text with the member at ``path`` set to ``to``, or removed."""
    document: Any = copy.deepcopy(GOOD)
    place = document
    for part in path[:-1]:
        place = place[part]
    if to is ABSENT:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return json.dumps(document)


def test_the_good_ledger_is_read() -> None:
    assert form.loads(json.dumps(GOOD), where="m.json") == Ledger.of([full("1"), entry("2")])


def test_members_and_entries_are_read_in_any_order() -> None:
    document = {
        "entries": [dict(reversed(each.items())) for each in reversed(GOOD["entries"])],
        "schema": GOOD["schema"],
    }
    assert form.loads(json.dumps(document), where="m.json") == Ledger.of([full("1"), entry("2")])


def test_an_empty_ledger_is_read_and_written() -> None:
    assert form.loads(form.dumps(Ledger()), where="m.json") == Ledger()


E = ("entries", 0)
REFUSED: dict[str, tuple[str, str, str]] = {
    "array": ("[]", "records.member", "m.json: not an object: an array"),
    "no-schema": (changed("schema"), "records.member", "m.json: missing: schema"),
    "schema-is-a-number": (changed("schema", to=1), "records.member", "m.json: /schema: not a string: 1"),
    "newer-schema": (
        changed("schema", to="urn:nitroctl:measurements:2"),
        "records.schema",
        "m.json: /schema: not a form this nitroctl knows: 'urn:nitroctl:measurements:2'",
    ),
    "other-schema": (
        changed("schema", to="x"),
        "records.schema",
        "m.json: /schema: not a form this nitroctl knows: 'x'",
    ),
    "unknown-member-at-the-top": (changed("extra", to=1), "records.member", "m.json: /extra: unknown member"),
    "entries-is-an-object": (changed("entries", to={}), "records.member", "m.json: /entries: not an array: an object"),
    "entry-is-null": (changed("entries", 0, to=None), "records.member", "m.json: /entries/0: not an object: null"),
    "unknown-member": (changed(*E, "a/b~c", to=1), "records.member", "m.json: /entries/0/a~1b~0c: unknown member"),
    "id-of-another": (
        changed(*E, "id", to="signer-2@prod"),
        "records.member",
        "m.json: /entries/0/id: not 'signer-1@prod': \"signer-2@prod\"",
    ),
    "component-null": (
        changed(*E, "component", to=None),
        "records.member",
        "m.json: /entries/0/component: not a string: null",
    ),
    "version-number": (changed(*E, "version", to=1), "records.member", "m.json: /entries/0/version: not a string: 1"),
    "unknown-status": (
        changed(*E, "status", to="ACTIVE"),
        "records.member",
        'm.json: /entries/0/status: not one of candidate, active, retired, revoked: "ACTIVE"',
    ),
    "active-without-time": (
        changed(*E, "activated_at"),
        "records.status",
        "m.json: /entries/0/activated_at: missing: the status is active",
    ),
    "candidate-with-time": (
        changed("entries", 1, "activated_at", to="2026-11-20T10:00:00Z"),
        "records.status",
        "m.json: /entries/1/activated_at: given, but the status is candidate",
    ),
    "active-and-retired": (
        changed(*E, "retired_at", to="2026-11-20T10:00:00Z"),
        "records.status",
        "m.json: /entries/0/retired_at: given, but the status is active",
    ),
    "retired-without-time": (
        changed("entries", 1, "status", to="retired"),
        "records.status",
        "m.json: /entries/1/retired_at: missing: the status is retired",
    ),
    "revoked-without-time": (
        changed("entries", 1, "status", to="revoked"),
        "records.status",
        "m.json: /entries/1/revoked_at: missing: the status is revoked",
    ),
    "time-without-zone": (
        changed(*E, "recorded_at", to="2026-11-20T10:00:00"),
        "records.member",
        'm.json: /entries/0/recorded_at: not a time: "2026-11-20T10:00:00"',
    ),
    "time-of-another-zone": (
        changed(*E, "recorded_at", to="2026-11-20T10:00:00+01:00"),
        "records.member",
        'm.json: /entries/0/recorded_at: not a time: "2026-11-20T10:00:00+01:00"',
    ),
    "thirtieth-of-february": (
        changed(*E, "recorded_at", to="2026-02-30T10:00:00Z"),
        "records.member",
        'm.json: /entries/0/recorded_at: not a time: "2026-02-30T10:00:00Z"',
    ),
    "time-is-a-number": (
        changed(*E, "recorded_at", to=1_700_000_000),
        "records.member",
        "m.json: /entries/0/recorded_at: not a string: 1700000000",
    ),
    "artifact-null": (
        changed(*E, "artifact", to=None),
        "records.member",
        "m.json: /entries/0/artifact: not an object: null",
    ),
    "artifact-without-size": (
        changed(*E, "artifact", "size"),
        "records.member",
        "m.json: /entries/0/artifact: missing: size",
    ),
    "size-true": (
        changed(*E, "artifact", "size", to=True),
        "records.member",
        "m.json: /entries/0/artifact/size: not a whole number of bytes: true",
    ),
    "size-fraction": (
        changed(*E, "artifact", "size", to=1.5),
        "records.member",
        "m.json: /entries/0/artifact/size: not a whole number of bytes: 1.5",
    ),
    "digest-short": (
        changed(*E, "artifact", "sha256", to="ab"),
        "records.text",
        "m.json: /entries/0/artifact/sha256: not 64 lower-case hexadecimal digits",
    ),
    "another-algorithm": (
        changed(*E, "measurements", "algorithm", to="sha256"),
        "records.member",
        "m.json: /entries/0/measurements/algorithm: not 'sha384': \"sha256\"",
    ),
    "registers-in-a-list": (
        changed(*E, "measurements", "pcrs", to=[]),
        "records.member",
        "m.json: /entries/0/measurements/pcrs: not an object: an array",
    ),
    "register-without-prefix": (
        changed(*E, "measurements", "pcrs", "3", to="ab" * 48),
        "records.member",
        "m.json: /entries/0/measurements/pcrs/3: not a register: they are named PCR0 to PCR31",
    ),
    "register-with-leading-zero": (
        changed(*E, "measurements", "pcrs", "PCR00", to="ab" * 48),
        "records.member",
        "m.json: /entries/0/measurements/pcrs/PCR00: not a register: they are named PCR0 to PCR31",
    ),
    "register-32": (
        changed(*E, "measurements", "pcrs", "PCR32", to="ab" * 48),
        "records.member",
        "m.json: /entries/0/measurements/pcrs/PCR32: not a register: they are named PCR0 to PCR31",
    ),
    "register-upper-case": (
        changed(*E, "measurements", "pcrs", "PCR0", to="AB" * 48),
        "records.member",
        "m.json: /entries/0/measurements/pcrs/PCR0: upper-case hexadecimal digits",
    ),
    "register-sha256": (
        changed(*E, "measurements", "pcrs", "PCR0", to="ab" * 32),
        "records.member",
        "m.json: /entries/0/measurements/pcrs/PCR0: not a SHA-384 register in hexadecimal: 64 characters",
    ),
    "register-with-0x": (
        changed(*E, "measurements", "pcrs", "PCR0", to="0x" + "ab" * 48),
        "records.member",
        "m.json: /entries/0/measurements/pcrs/PCR0: not a SHA-384 register in hexadecimal: 98 characters",
    ),
    "register-with-space": (
        changed(*E, "measurements", "pcrs", "PCR0", to="ab" * 47 + "a "),
        "records.member",
        "m.json: /entries/0/measurements/pcrs/PCR0: not a SHA-384 register in hexadecimal: 96 characters",
    ),
    "register-null": (
        changed(*E, "measurements", "pcrs", "PCR0", to=None),
        "records.member",
        "m.json: /entries/0/measurements/pcrs/PCR0: not a SHA-384 register in hexadecimal: null",
    ),
    "register-zero": (
        changed(*E, "measurements", "pcrs", "PCR0", to="00" * 48),
        "records.zero",
        (
            "m.json: /entries/0/measurements/pcrs/PCR0: PCR0 is zero, as an enclave in debug mode attests;"
            " that would admit any debug enclave"
        ),
    ),
    "register-missing": (
        changed(*E, "measurements", "pcrs", "PCR1"),
        "records.registers",
        "m.json: /entries/0/measurements/pcrs: PCR1 missing: an enclave image is recorded with PCR0, PCR1 and PCR2",
    ),
    "pin-is-a-number": (changed(*E, "pin", to=[0]), "records.member", "m.json: /entries/0/pin/0: not a string: 0"),
    "pin-of-no-register": (
        changed(*E, "pin", to=["PCR0", "pcr1"]),
        "records.member",
        "m.json: /entries/0/pin/1: not a register: 'pcr1'",
    ),
    "pin-twice": (
        changed(*E, "pin", to=["PCR0", "PCR0"]),
        "records.member",
        "m.json: /entries/0/pin: a register is named twice",
    ),
    "pin-not-recorded": (
        changed(*E, "pin", to=["PCR0", "PCR4"]),
        "records.pin",
        "m.json: /entries/0/pin: PCR4 is pinned but not recorded",
    ),
    "pin-empty": (
        changed(*E, "pin", to=[]),
        "records.pin",
        "m.json: /entries/0/pin: neither PCR0 nor both of PCR1 and PCR2 are pinned: any image could pass",
    ),
    "source-with-unknown-member": (
        changed(*E, "source", "branch", to="x"),
        "records.member",
        "m.json: /entries/0/source/branch: unknown member",
    ),
    "source-is-a-string": (
        changed(*E, "source", to="https://example.com"),
        "records.member",
        'm.json: /entries/0/source: not an object: "https://example.com"',
    ),
    "build-versions-in-a-list": (
        changed(*E, "build", "versions", to=[]),
        "records.member",
        "m.json: /entries/0/build/versions: not an object: an array",
    ),
    "build-version-is-a-number": (
        changed(*E, "build", "versions", "a/b", to=1),
        "records.member",
        "m.json: /entries/0/build/versions/a~1b: not a string: 1",
    ),
    "reproduced-by-a-number": (
        changed(*E, "build", "reproduced_by", to=["x", 1]),
        "records.member",
        "m.json: /entries/0/build/reproduced_by/1: not a string: 1",
    ),
    "inputs-in-a-list": (
        changed(*E, "build", "inputs", to=[]),
        "records.member",
        "m.json: /entries/0/build/inputs: not an object: an array",
    ),
    "input-upper-case": (
        changed(*E, "build", "inputs", "kernel", to="AB" * 32),
        "records.text",
        "m.json: /entries/0/build/inputs: 'kernel': not 64 lower-case hexadecimal digits",
    ),
    "recipe-without-its-instant": (
        changed(*E, "build", "recipe", to={"exact": True}),
        "records.member",
        "m.json: /entries/0/build/recipe: missing: source_date_epoch",
    ),
    "recipe-with-unknown-member": (
        changed(*E, "build", "recipe", "private_key", to="key.pem"),
        "records.member",
        "m.json: /entries/0/build/recipe/private_key: unknown member",
    ),
    "recipe-with-a-word-for-a-flag": (
        changed(*E, "build", "recipe", "exact", to="yes"),
        "records.member",
        'm.json: /entries/0/build/recipe/exact: not true: "yes"',
    ),
    "recipe-that-says-what-was-not-asked": (
        changed(*E, "build", "recipe", "as_is", to=False),
        "records.member",
        "m.json: /entries/0/build/recipe/as_is: not true: false",
    ),
    "recipe-with-a-flag-for-an-instant": (
        changed(*E, "build", "recipe", "source_date_epoch", to=True),
        "records.member",
        "m.json: /entries/0/build/recipe/source_date_epoch: not a whole number of seconds: true",
    ),
    "recipe-of-an-instant-that-no-ramdisk-holds": (
        changed(*E, "build", "recipe", "source_date_epoch", to=2**32),
        "records.text",
        "m.json: /entries/0/build/recipe/source_date_epoch: not a number of seconds from 0 to 4294967295",
    ),
    "recipe-of-another-platform": (
        changed(*E, "build", "recipe", "platform", to="windows/amd64"),
        "records.text",
        "m.json: /entries/0/build/recipe/platform: not a platform that enclaves run on: 'windows/amd64'",
    ),
    "recipe-of-another-kind": (
        changed(*E, "build", "recipe", "kind", to="zip"),
        "records.text",
        "m.json: /entries/0/build/recipe/kind: not one of oci, docker, directory, tar: 'zip'",
    ),
    "recipe-with-an-invisible-reference": (
        changed(*E, "build", "recipe", "reference", to="signer\u202e"),
        "records.text",
        "m.json: /entries/0/build/recipe/reference: has a control or format character, or is too long",
    ),
    "recipe-with-a-command-in-one-string": (
        changed(*E, "build", "recipe", "cmd", to="/bin/app"),
        "records.member",
        'm.json: /entries/0/build/recipe/cmd: not an array: "/bin/app"',
    ),
    "recipe-with-a-command-of-no-words": (
        changed(*E, "build", "recipe", "cmd", to=[]),
        "records.text",
        "m.json: /entries/0/build/recipe/cmd: no words",
    ),
    "recipe-with-a-word-that-ends-early": (
        changed(*E, "build", "recipe", "entrypoint", to=["/bin/app\0"]),
        "records.text",
        "m.json: /entries/0/build/recipe/entrypoint: a word has a byte that is no UTF-8, or is zero",
    ),
    "recipe-with-half-a-character": (
        changed(*E, "build", "recipe", "env", to=["A=\udcff"]),
        "records.text",
        "m.json: /entries/0/build/recipe/env: a word has a byte that is no UTF-8, or is zero",
    ),
    "recipe-with-a-long-word": (
        changed(*E, "build", "recipe", "cmd", to=["x" * 4097]),
        "records.text",
        "m.json: /entries/0/build/recipe/cmd: a word is longer than 4096 characters",
    ),
    "recipe-with-many-words": (
        changed(*E, "build", "recipe", "env", to=["A="] * 1025),
        "records.text",
        "m.json: /entries/0/build/recipe/env: more than 1024 words",
    ),
    "signer-upper-case": (
        changed(*E, "signer", "certificate_sha256", to="AB" * 32),
        "records.text",
        "m.json: /entries/0/signer/certificate_sha256: not 64 lower-case hexadecimal digits",
    ),
    "notes-with-escape": (
        changed(*E, "notes", to="\x1b]0;x\x07"),
        "records.text",
        "m.json: /entries/0/notes: has a control or format character",
    ),
    "long-value": (
        changed(*E, "status", to="x" * 1_000_000),
        "records.member",
        f'm.json: /entries/0/status: not one of candidate, active, retired, revoked: "{"x" * 55}…',
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_a_ledger_is_refused_with_its_place(name: str) -> None:
    text, code, message = REFUSED[name]
    error = refusal(text)
    assert (error.message, error.code) == (message, code)


def test_one_version_twice_is_refused() -> None:
    document = copy.deepcopy(GOOD)
    document["entries"].append(document["entries"][0])
    error = refusal(json.dumps(document))
    assert error.message == "m.json: /entries/2: signer-1@prod is recorded twice, first at /entries/0"
    assert error.code == "records.version-taken"


def test_three_active_versions_are_refused() -> None:
    entries = [active(number).as_json() for number in ("1", "2", "3")]
    error = refusal(json.dumps({"schema": form.SCHEMA, "entries": entries}))
    assert error.message == "m.json: /entries/2/status: more than 2 active entries of signer in prod"
    assert error.code == "records.too-many-active"


def at_line_six(text: str) -> str:
    lines = json.dumps(GOOD, indent=2).split("\n")
    return "\n".join([*lines[:5], text, *lines[5:]])


TEXTS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "empty": (lambda _: "", "json.syntax", "m.json: empty, not JSON"),
    "blank": (lambda _: " \n", "json.syntax", "m.json: empty, not JSON"),
    "cut-short": (lambda good: good[:-2], "json.syntax", "m.json: line 1, column {end}: not JSON: "),
    "two-documents": (lambda good: good + good, "json.syntax", "m.json: line 1, column {end2}: not JSON: extra data"),
    "byte-order-mark": (lambda good: "\ufeff" + good, "json.byte-order-mark", "m.json: begins with a byte order mark"),
    "conflict-ours": (
        lambda _: at_line_six("<<<<<<< HEAD"),
        "json.conflict-markers",
        "m.json: line 6: a merge conflict that was not resolved",
    ),
    "conflict-middle-with-carriage-return": (
        lambda _: at_line_six("=======\r"),
        "json.conflict-markers",
        "m.json: line 6: a merge conflict that was not resolved",
    ),
    "conflict-base": (
        lambda _: at_line_six("||||||| merged common ancestors"),
        "json.conflict-markers",
        "m.json: line 6: a merge conflict that was not resolved",
    ),
    "conflict-theirs": (
        lambda _: at_line_six(">>>>>>> branch"),
        "json.conflict-markers",
        "m.json: line 6: a merge conflict that was not resolved",
    ),
    "key-twice": (
        lambda good: good.replace('"status": "active"', '"status": "candidate", "status": "active"'),
        "json.duplicate-key",
        "m.json: /entries/0: the key 'status' occurs twice",
    ),
    "register-twice": (
        lambda good: good.replace('"PCR1":', f'"PCR0": "{"ab" * 48}", "PCR1":', 1),
        "json.duplicate-key",
        "m.json: /entries/0/measurements/pcrs: the key 'PCR0' occurs twice",
    ),
    "key-twice-at-the-top": (
        lambda good: '{"schema": "x", ' + good[1:],
        "json.duplicate-key",
        "m.json: /: the key 'schema' occurs twice",
    ),
    "not-a-number": (
        lambda good: good.replace("12345678", "NaN"),
        "json.not-a-number",
        "m.json: /entries/0/artifact/size: NaN is not a JSON number",
    ),
    "infinity": (
        lambda good: good.replace("12345678", "-Infinity"),
        "json.not-a-number",
        "m.json: /entries/0/artifact/size: -Infinity is not a JSON number",
    ),
    "number-without-end": (
        lambda good: good.replace("12345678", "1" * 5000),
        "json.syntax",
        "m.json: not JSON: a number with too many digits",
    ),
    "huge-exponent": (
        lambda good: good.replace("12345678", "1e999"),
        "records.member",
        "m.json: /entries/0/artifact/size: not a whole number of bytes: Infinity",
    ),
    "deep-arrays": (lambda _: "[" * 200_000, "json.nesting", "m.json: nested too deeply to be what it should be"),
    "deep-objects": (
        lambda _: '{"a":' * 200_000,
        "json.nesting",
        "m.json: nested too deeply to be what it should be",
    ),
    "single-quotes": (lambda good: good.replace('"', "'"), "json.syntax", "m.json: line 1, column 2: not JSON: "),
    "comment": (lambda good: "// x\n" + good, "json.syntax", "m.json: line 1, column 1: not JSON: expecting value"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_not_clear_json_is_refused(name: str) -> None:
    change, code, message = TEXTS[name]
    good = json.dumps(GOOD)
    error = refusal(change(good))
    assert error.code == code
    assert error.message.startswith(message.format(end=len(good) - 1, end2=len(good) + 1))


def test_a_duplicate_below_a_duplicate_is_still_refused() -> None:
    error = refusal('{"schema": {"a": 1, "a": 2}, "schema": "x", "entries": []}')
    assert error.message == "m.json: /: the key 'schema' occurs twice"


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(form.dumps(Ledger.of([entry()])).encode("utf-16"))
    with pytest.raises(CannotAnswer) as caught:
        records.load(str(path))
    assert (caught.value.code, caught.value.message) == ("file.not-utf8", f"{path}: not UTF-8 text: byte 0")


def test_a_ledger_larger_than_any_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nitroctl.records import store

    monkeypatch.setattr(store, "SIZE_LIMIT", 1000)
    path = tmp_path / "m.json"
    with path.open("wb") as stream:
        stream.truncate(10 * 1024**3)
    with pytest.raises(CannotAnswer) as caught:
        records.load(str(path))
    assert caught.value.code == "file.too-large"
