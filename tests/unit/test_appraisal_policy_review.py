"""A policy reviewed check by check, and in words where no command's whole output shows them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nitroctl.appraisal import policy_file
from nitroctl.appraisal.policy import ReferenceValues
from nitroctl.appraisal.policy_file import PolicyFile
from nitroctl.appraisal.policy_review import review, words
from nitroctl.appraisal.policy_text import Text
from nitroctl.checks import Check, Outcome
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.evidence.roots import AWS_ROOTS

FIRST, SECOND = AWS_ROOTS
OTHER = "ab" * 32


@pytest.mark.parametrize(
    ("roots", "said"),
    [
        ([FIRST.fingerprint], f"{FIRST.name}, SHA-256 {FIRST.fingerprint}"),
        ([SECOND.fingerprint], f"{SECOND.name}, SHA-256 {SECOND.fingerprint}"),
        ([OTHER], f"with --root, the one, SHA-256 {OTHER}"),
    ],
    ids=["aws", "govcloud", "another"],
)
def test_a_root_is_named_when_it_is_one_of_awss(roots: list[str], said: str) -> None:
    found, faults = policy_file.form(Text({"schema": policy_file.SCHEMA, "roots": roots}, {}), where="p")
    assert found is not None, faults
    assert [text for label, text in words(found) if label == "root"] == [said]


# -- a review, check by check
A = "ab" * 48
SOUND: dict[str, Any] = {
    "schema": policy_file.SCHEMA,
    "references": {"any_of": [{"label": "x", "pcrs": {"PCR0": A}}]},
    "nonce": {"required": True},
}
LEDGER = {"records": {"file": "r.json"}}
RECORD = "record the image as active: nitroctl pcr record --help"


def recorded(*sets: dict[int, bytes]) -> Any:
    return lambda _: tuple(ReferenceValues(f"r{number}", pcrs) for number, pcrs in enumerate(sets))


def reviewed(path: Path, fields: dict[str, Any], ledger: Any = recorded()) -> dict[str, Check]:  # noqa: B008
    path.write_text(json.dumps({**SOUND, **fields}))
    return {check.id.removeprefix("appraisal-policy."): check for check in review(str(path), ledger)[0]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p.json"


EVERY = ["readable", "fields", "values", "references", "possible", "image", "signer", "instance", "freshness"]


def test_a_sound_policy_passes_every_check(path: Path) -> None:
    checks = reviewed(path, {})
    assert [*checks] == [*EVERY, "debug", "age", "skew", "roots"]
    assert {check.outcome for check in checks.values()} == {Outcome.PASS}
    assert review(str(path), recorded())[1] == policy_file.read(str(path))


def said(checks: dict[str, Check]) -> list[tuple[str, Outcome, str, str | None]]:
    return [
        (name, check.outcome, check.detail, check.remedy)
        for name, check in checks.items()
        if check.outcome is not Outcome.PASS
    ]


NO, SKIP, WARN = Outcome.FAIL, Outcome.SKIP, Outcome.WARN


@pytest.mark.parametrize(
    ("name", "text", "detail", "remedy"),
    [
        ("p.json", b"\xff", "not UTF-8 text: byte 0", None),
        ("p.json", b"{", "line 1, column 2: not JSON: expecting property name enclosed in double quotes", None),
        (
            "p.yaml",
            b"a: *x",
            "line 1: the alias *x",
            "write the values out where they apply, so that everybody reads the same",
        ),
    ],
    ids=["bytes", "json", "yaml"],
)
def test_a_file_that_is_no_clear_document(
    name: str, text: bytes, detail: str, remedy: str | None, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(text)
    report, found = review(str(tmp_path / name), recorded())
    first, *later = report
    assert (first.id, first.outcome, first.detail, first.remedy) == ("appraisal-policy.readable", NO, detail, remedy)
    assert found is None
    assert [(check.id, check.detail) for check in later] == [
        (f"appraisal-policy.{each}", "not checked: blocked by appraisal-policy.readable")
        for each in ("fields", "values", "references", "possible")
    ]


def test_a_file_that_is_not_there_is_no_bad_policy(path: Path) -> None:
    with pytest.raises(CannotAnswer, match="no such file"):
        review(str(path), recorded())
    with pytest.raises(UsageError):
        review("-", recorded())


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"strict": 1}, [("values", "/strict: neither true nor false: 1", None)]),
        (
            {"schema": "x"},
            [("fields", '/schema: not a form this nitroctl knows: "x"', f"write schema: {policy_file.SCHEMA}")],
        ),
        (
            {"zzz": 1, "strict": 1},
            [
                ("fields", "/zzz: unknown field", f"known here: {', '.join(policy_file.FIELDS)}"),
                ("values", "/strict: neither true nor false: 1", None),
            ],
        ),
        (
            {"max_age": 1, "clock_skew": 1, "roots": 1},
            [
                (
                    "values",
                    "/roots: not a list: 1; /max_age: not a duration: 1; /clock_skew: not a duration: 1",
                    "write [one, two], or a line with a dash for each; write 30s, 5m, 3h or 2d",
                )
            ],
        ),
    ],
    ids=["value", "schema", "both", "hints"],
)
def test_what_has_not_its_form(fields: dict[str, Any], found: list[tuple[str, str, str | None]], path: Path) -> None:
    checks = reviewed(path, fields)
    failed = [(name, check.detail) for name, check in checks.items() if check.outcome is NO]
    assert failed == [(name, detail) for name, detail, _ in found]
    assert [checks[name].remedy for name, _, _ in found] == [remedy for _, _, remedy in found]
    blocked = f"not checked: blocked by appraisal-policy.{found[0][0]}"
    assert [(checks[name].outcome, checks[name].detail) for name in ("references", "possible")] == [(SKIP, blocked)] * 2


ONE, TWO = {0: b"\x01" * 48}, {0: b"\x02" * 48}


@pytest.mark.parametrize(
    ("references", "ledger", "detail"),
    [
        (SOUND["references"], recorded(), "1 set in the policy"),
        ({"any_of": [{"label": name, "pcrs": {"PCR0": A}} for name in "ab"]}, recorded(), "2 sets in the policy"),
        (LEDGER, recorded(ONE), "1 active entry of {}"),
        (LEDGER, recorded(ONE, TWO), "2 active entries of {}"),
        ({**LEDGER, **SOUND["references"]}, recorded(), "0 active entries of {}, 1 set in the policy"),
        ({**LEDGER, **SOUND["references"]}, recorded(ONE), "1 active entry of {}, 1 set in the policy"),
    ],
    ids=range(6),
)
def test_reference_values_are_counted(references: Any, ledger: Any, detail: str, path: Path) -> None:
    check = reviewed(path, {"references": references}, ledger)["references"]
    assert (check.outcome, check.detail) == (Outcome.PASS, detail.format(path.parent / "r.json"))


@pytest.mark.parametrize(
    ("records", "which"),
    [
        ({}, ""),
        ({"component": "c"}, " for c"),
        ({"environment": "e"}, " for e"),
        ({"component": "c", "environment": "e"}, " for c e"),
    ],
    ids=range(4),
)
def test_a_ledger_without_an_active_entry(records: dict[str, str], which: str, path: Path) -> None:
    check = reviewed(path, {"references": {"records": {"file": "r.json", **records}}})["references"]
    detail = f"no active entry{which} in {path.parent / 'r.json'}"
    assert (check.outcome, check.detail, check.remedy) == (NO, detail, RECORD)


@pytest.mark.parametrize(
    ("code", "hints", "remedy"),
    [("records.missing", ("x",), RECORD), ("records.form", ("x", "y"), "x; y"), ("records.form", (), None)],
)
def test_a_ledger_that_cannot_be_read(code: str, hints: tuple[str, ...], remedy: str | None, path: Path) -> None:
    def ledger(_: PolicyFile) -> Sequence[ReferenceValues]:
        raise CannotAnswer("r.json: why", code, hints)

    check = reviewed(path, {"references": LEDGER}, ledger)["references"]
    assert (check.outcome, check.detail, check.remedy) == (NO, "r.json: why", remedy)


def test_recorded_values_that_anything_satisfies_are_refused_as_verify_refuses_them(path: Path) -> None:
    ledger = recorded(ONE, {0: b"\x01" * 48, 8: bytes(48)})
    check = reviewed(path, {"references": LEDGER}, ledger)["references"]
    assert (check.outcome, check.detail, check.remedy) == (
        NO,
        "r1: PCR8 is expected to be zero, which every unsigned image satisfies",
        "use the measurements of the image itself: nitroctl eif measure",
    )


def test_no_reference_values_at_all(path: Path) -> None:
    path.write_text(json.dumps({"schema": policy_file.SCHEMA}))
    check = review(str(path), recorded())[0]["appraisal-policy.references"]
    assert (check.outcome, check.detail, check.remedy) == (
        NO,
        "there are none, and without them nothing is acceptable",
        "name the ledger under references, records, file; or write sets under references, any_of",
    )


I1, I2 = "i-0123456789abcdef0", "i-0fedcba9876543210"
M1 = f"{I1}-enc0123456789abcdef"
R1 = "arn:aws:iam::111122223333:role/a"
ALL_TPM = "every module id is of a NitroTPM, and the policy is for enclaves"


def at(**pcrs: bytes) -> dict[int, bytes]:
    return {0: b"\x01" * 48, **{int(name[3:]): value for name, value in pcrs.items()}}


@pytest.mark.parametrize(
    ("fields", "sets", "fault"),
    [
        ({}, [ONE], None),
        ({"partitions": ["aws"], "roots": [SECOND.fingerprint]}, [ONE], "no accepted root is of the partition aws"),
        (
            {"registers": {"PCR0": [A]}, "kind": "nitrotpm"},
            [ONE],
            "PCR0 in the reference values is not one of /registers/PCR0",
        ),
        (
            {"partitions": ["aws-cn"], "module_ids": ["x-tpm"]},
            [],
            f"{ALL_TPM}; no accepted root is of the partition aws-cn",
        ),
    ],
    ids=range(4),
)
def test_contradictions_are_told_together(fields: Any, sets: Any, fault: str | None, path: Path) -> None:
    """Each of them: test_appraisal_policy_possible."""
    check = reviewed(path, {**fields, "references": LEDGER}, recorded(*sets))["possible"]
    assert (check.outcome, check.detail) == ((NO, fault) if fault else (Outcome.PASS, ""))


@pytest.mark.parametrize(("count", "more"), [(20, ""), (21, "; and 1 more"), (1000, "; and 980 more")])
def test_twenty_faults_are_told_and_the_others_counted(count: int, more: str, path: Path) -> None:
    checks = reviewed(path, {f"zz{number}": 1 for number in range(count)})
    known = f"known here: {', '.join(policy_file.FIELDS)}"
    told = "; ".join(f"/zz{number}: unknown field" for number in range(20))
    assert (checks["fields"].detail, checks["fields"].remedy) == (f"{told}{more}", known)
    assert checks["values"].outcome is Outcome.PASS
    rules = {f"PCR{index}": ["02" * 48] for index in range(32)}
    rules |= {f"PCR{index}-PCR{index + 1}": ["02" * 48] for index in range(31)}
    sets = recorded(dict.fromkeys(range(32), b"\x01" * 48))
    detail = reviewed(path, {"kind": "nitrotpm", "registers": rules, "references": LEDGER}, sets)["possible"].detail
    assert detail.count("; ") == 20
    assert detail.endswith("; and 74 more")


def test_a_hint_is_that_of_a_fault_that_is_told(path: Path) -> None:
    faults = {f"zz{number}": 1 for number in range(19)}
    fixes = reviewed(path, {**faults, "max_age": 1})["values"].remedy
    assert fixes == "write 30s, 5m, 3h or 2d"
    last = reviewed(path, {**faults, "stric": 1})["fields"].remedy
    assert last is not None
    assert last.endswith("; did you mean strict?")
    beyond = reviewed(path, {**faults, "zz19": 1, "stric": 1})["fields"].remedy
    assert beyond == f"known here: {', '.join(policy_file.FIELDS)}"


REMEDY = "write nonce: {required: true}, and give --nonce with every request"


@pytest.mark.parametrize(
    ("fields", "sets", "warned"),
    [
        ({}, [at(pcr8=A.encode()[:48])], []),
        ({}, [{3: b"\x03" * 48}], [("image", "no register in it names the image, so other images pass: r0", None)]),
        ({}, [{8: b"\x03" * 48}], [("signer", "every image signed with the key passes, older ones too: r0", None)]),
        ({}, [{1: b"\x01" * 48, 2: b"\x01" * 48}], []),
        (
            {},
            [{2: b"\x01" * 48, 8: b"\x01" * 48}],
            [("signer", "every image signed with the key passes, older ones too: r0", None)],
        ),
        (
            {},
            [{1: b"\x01" * 48, 8: b"\x01" * 48}] * 2,
            [("signer", "every image signed with the key passes, older ones too: r0, r1", None)],
        ),
        (
            {},
            [at(pcr4=b"\x01" * 48)],
            [("instance", "it holds for one instance, and not for the one that replaces it: r0", None)],
        ),
        (
            {"kind": "nitrotpm"},
            [{4: b"\x03" * 48}, {8: b"\x03" * 48}],
            [
                (
                    "image",
                    (
                        "neither PCR4 with PCR12 nor PCR7 of Secure Boot is in it, so other images, or another command "
                        "line, pass: r0, r1"
                    ),
                    None,
                )
            ],
        ),
        ({"kind": "nitrotpm"}, [{4: b"\x03" * 48, 12: bytes(48)}], []),
        (
            {"kind": "nitrotpm"},
            [{7: b"\x03" * 48}],
            [("signer", "every image signed with the key passes, older ones too: r0", None)],
        ),
        (
            {"debug": "allow"},
            [ONE],
            [("debug", "debug mode is allowed: then no image is attested and the console is open", None)],
        ),
        ({"max_age": "10799s"}, [ONE], []),
        ({"max_age": "3h"}, [ONE], [("age", "max_age is 3 h: the certificate ends after 3 h", None)]),
        ({"clock_skew": "10m"}, [ONE], []),
        ({"clock_skew": "601s"}, [ONE], [("skew", "documents from 10 min 1 s in the future are accepted", None)]),
        ({"roots": [FIRST.fingerprint]}, [ONE], []),
        (
            {"roots": [FIRST.fingerprint, OTHER]},
            [ONE],
            [("roots", f"not AWS's, so accepted only with --root: {OTHER}", None)],
        ),
        (
            {"nonce": {"equals": "00"}},
            [ONE],
            [("freshness", "the nonce is fixed: a document that carries it can be played again", REMEDY)],
        ),
        (
            {"nonce": {"required": False}},
            [ONE],
            [
                (
                    "freshness",
                    "no nonce is required: a document can be played again as long as its certificate holds",
                    REMEDY,
                )
            ],
        ),
        (
            {"nonce": {"required": False}, "max_age": "5m"},
            [ONE],
            [("freshness", "no nonce is required: a document can be played again for 5 min", REMEDY)],
        ),
    ],
    ids=range(20),
)
def test_what_makes_a_policy_weaker_than_it_looks(fields: Any, sets: Any, warned: Any, path: Path) -> None:
    checks = reviewed(path, {**fields, "references": LEDGER}, recorded(*sets))
    assert said(checks) == [(name, WARN, detail, remedy) for name, detail, remedy in warned]


# -- a policy in words


def told(**fields: Any) -> list[tuple[str, str]]:
    """Return the words of a policy that are not there without ``fields``."""
    plain, _ = policy_file.form(Text({"schema": policy_file.SCHEMA}, {}), where="d/p")
    found, faults = policy_file.form(Text({"schema": policy_file.SCHEMA, **fields}, {}), where="d/p")
    assert plain is not None
    assert found is not None, faults
    return [row for row in words(found) if row not in words(plain)]


def test_an_empty_policy_in_words() -> None:
    plain, _ = policy_file.form(Text({"schema": policy_file.SCHEMA}, {}), where="p")
    assert plain is not None
    assert words(plain) == [
        ("kind", "a Nitro Enclave"),
        ("reference values", "none: nothing is acceptable"),
        ("debug mode", "refused"),
        ("clock skew", "at most 5 min in the future"),
        ("root", "AWS's, any"),
    ]


REFERENCES = {"records": {"file": "r"}, "any_of": [{"label": "x", "pcrs": {"PCR8": A, "PCR0": A}}]}


@pytest.mark.parametrize(
    ("fields", "rows"),
    [
        ({"kind": "nitrotpm"}, [("kind", "a NitroTPM of an EC2 instance")]),
        (
            {"references": REFERENCES},
            [("reference values", "the active entries in d/r"), ("reference values", "x: PCR0, PCR8")],
        ),
        (
            {"references": {"records": {"file": "r", "component": "c"}}},
            [("reference values", "the active entries of c in d/r")],
        ),
        (
            {"references": {"records": {"file": "r", "environment": "e"}}},
            [("reference values", "the active entries of e in d/r")],
        ),
        (
            {"references": {"records": {"file": "r", "component": "c", "environment": "e"}}},
            [("reference values", "the active entries of c in e in d/r")],
        ),
        ({"registers": {"PCR16": "present"}}, [("PCR16", "present, that is, locked")]),
        ({"registers": {"PCR16-PCR17": "present"}}, [("PCR16-PCR17", "each is present, that is, locked")]),
        ({"registers": {"PCR8": "present"}}, [("PCR8", "present and not zero")]),
        ({"registers": {"PCR3-PCR4": "present"}}, [("PCR3-PCR4", "each is present and not zero")]),
        (
            {"registers": {"PCR4-PCR8": "present"}},
            [("PCR4-PCR8", "each is present, that is, locked, and PCR4 and PCR8 not zero")],
        ),
        ({"registers": {"PCR16": [A]}}, [("PCR16", A)]),
        ({"registers": {"PCR16-PCR17": [A, "cd" * 48]}}, [("PCR16-PCR17", f"each is {A} or {'cd' * 48}")]),
        (
            {"kind": "nitrotpm", "registers": {"PCR8": "present"}},
            [("kind", "a NitroTPM of an EC2 instance"), ("PCR8", "present")],
        ),
        ({"debug": "allow"}, [("debug mode", "allowed: then no image is attested")]),
        ({"module_ids": [M1]}, [("module id", M1)]),
        ({"instance_ids": [I2, I1]}, [("instance", f"{I1} or {I2}")]),
        ({"regions": ["eu-west-1"]}, [("region", "eu-west-1")]),
        ({"partitions": ["aws-cn", "aws"]}, [("partition", "aws or aws-cn")]),
        ({"roles": [R1]}, [("role, by PCR3", R1)]),
        ({"pcr4_matches_module_id": True}, [("PCR4", "the one made from the instance id in the module id")]),
        ({"nonce": {"equals": "00ff"}}, [("nonce", "00ff")]),
        ({"nonce": {"required": True}}, [("nonce", "the one given with --nonce, without which nothing is acceptable")]),
        ({"max_age": "5m"}, [("age", "at most 5 min")]),
        ({"clock_skew": "1m"}, [("clock skew", "at most 1 min in the future")]),
        ({"strict": True}, [("format", "strict: AWS's published text, where AWS's own documents depart from it")]),
        ({"user_data": "absent"}, [("user data", "absent")]),
        ({"user_data": "present"}, [("user data", "present")]),
        ({"user_data": {"equals": "00"}}, [("user data", "exactly 00")]),
        ({"user_data": {"sha256": OTHER}}, [("user data", f"with the SHA-256 {OTHER}")]),
        (
            {"user_data": {"json": {"b": None, "a": "é"}, "equals": "00"}},
            [("user data", 'exactly 00, JSON whose a is "é", JSON whose b is null')],
        ),
        ({"public_key": "absent"}, [("public key", "absent")]),
        ({"public_key": {"type": "rsa", "minimum_bits": 2048}}, [("public key", "RSA, at least 2048 bits")]),
        ({"public_key": {"equals": "00"}}, [("public key", "exactly 00")]),
        ({"public_key": {"type": "ec"}}, [("public key", "elliptic curve")]),
        ({"public_key": {"type": "ed25519"}}, [("public key", "Ed25519")]),
        ({"roots": [OTHER]}, [("root", f"with --root, the one, SHA-256 {OTHER}")]),
    ],
    ids=range(36),
)
def test_every_requirement_in_words(fields: dict[str, Any], rows: list[tuple[str, str]]) -> None:
    assert told(**fields) == rows
