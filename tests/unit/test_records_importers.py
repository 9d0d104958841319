"""Measurements that others wrote down: each form, and what is wrong with it, by a single change."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.errors import CannotAnswer
from nitroctl.records import Ledger, form, importers
from nitroctl.records.importers import Imported
from tests.records import entry, pcrs

A, B, TPM = pcrs("a"), pcrs("b"), pcrs("t", 4, 7, 12)
HEX = pcr.as_hex(A)
BARE = {str(index): value.hex() for index, value in A.items()}
ENCLAVE = {
    "EnclaveName": "signer",
    "EnclaveID": "i-1-enc2",
    "Flags": "NONE",
    "Measurements": {"HashAlgorithm": "x", **HEX},
}
MANIFEST = {
    "component": "signer",
    "release": {"version": "1.4.2"},
    "measurements": {"algorithm": "sha384", "pcrs": BARE},
}
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "app.eif", "digest": {"sha256": "ab" * 32}}],
    "predicateType": "https://example.com/measurements/v1",
    "predicate": MANIFEST,
}
BELIEVED = "this is what nitro-cli on that host said; an attestation document would prove it"


def parse(document: object) -> importers.Source:
    return importers.parse(json.dumps(document), where="m.json")


def refusal(document: object) -> CannotAnswer:
    with pytest.raises(CannotAnswer) as caught:
        parse(document)
    return caught.value


def one(label: str = "", registers: dict[int, bytes] = A) -> tuple[Imported, ...]:
    return (Imported(label=label, pcrs=registers),)


@pytest.mark.parametrize(
    ("document", "form_", "found", "caution"),
    [
        ({"Measurements": {"HashAlgorithm": "Sha384 { ... }", **HEX}}, "the output of nitro-cli", one(), ""),
        ({"Measurements": HEX, "ImageName": "signer", "CheckCRC": True}, "the output of nitro-cli", one("signer"), ""),
        ({"Measurements": pcr.as_hex(TPM)}, "the output of nitro-tpm-pcr-compute", one("", TPM), ""),
        ([ENCLAVE], "the output of nitro-cli describe-enclaves", one("signer"), BELIEVED),
        ([{**ENCLAVE, "EnclaveName": None}], "the output of nitro-cli describe-enclaves", one("i-1-enc2"), BELIEVED),
        (HEX, "an object of registers", one(), ""),
        (BARE, "an object of registers", one(), ""),
        ({name: value.upper() for name, value in HEX.items()}, "an object of registers", one(), ""),
        ({"HashAlgorithm": "SHA384", **HEX}, "an object of registers", one(), ""),
        ({"pcrs": BARE, "more": 1}, "an object of registers under pcrs", one(), ""),
        ({"PCRs": HEX}, "an object of registers under PCRs", one(), ""),
        (MANIFEST, "a release manifest with measurements", one("1.4.2"), ""),
        ({**MANIFEST, "release": None, "version": "2"}, "a release manifest with measurements", one("2"), ""),
        ({"measurements": {"pcrs": HEX}, "version": "2"}, "a release manifest with measurements", one("2"), ""),
        (
            [{**HEX, "timestamp": 7, "signature": "x"}, {**pcr.as_hex(B), "version": "2"}],
            "a list of measurements",
            (*one("7"), *one("2", B)),
            "signatures in it were not verified",
        ),
        ([HEX], "a list of measurements", one(), ""),
        (
            STATEMENT,
            "an in-toto statement, predicate https://example.com/measurements/v1",
            one("1.4.2"),
            "its signature was not verified",
        ),
        (
            {**STATEMENT, "predicate": {"Measurements": HEX}},
            "an in-toto statement, predicate https://example.com/measurements/v1",
            one(),
            "its signature was not verified",
        ),
    ],
)
def test_a_form_is_recognised(document: object, form_: str, found: tuple[Imported, ...], caution: str) -> None:
    assert parse(document) == importers.Source(form=form_, found=found, caution=caution)


VALUE = "ab" * 48


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        ({}, "records.form", "m.json: none of the forms in which measurements are written down"),
        ("x", "records.form", "m.json: none of the forms in which measurements are written down"),
        ([1], "records.form", "m.json: none of the forms in which measurements are written down"),
        ({**HEX, "more": 1}, "records.form", "m.json: none of the forms in which measurements are written down"),
        ([], "records.measurements", "m.json: no enclave was running"),
        (
            [{**ENCLAVE, "Flags": "DEBUG_MODE"}],
            "records.measurements",
            "m.json: /0/Flags: 'DEBUG_MODE': a debug-mode enclave attests zeros, whatever is printed here",
        ),
        (
            [{**ENCLAVE, "Measurements": None}],
            "records.measurements",
            "m.json: /0/Measurements: no object of registers",
        ),
        (
            {"Measurements": HEX, "CheckCRC": False},
            "records.measurements",
            "m.json: /CheckCRC is not true: nitro-cli found the image's checksum wrong",
        ),
        (
            {"PCR0": "ab" * 32},
            "records.measurements",
            "m.json: /PCR0: not a SHA-384 register: 64 hexadecimal digits in place of 96, the length of SHA-256",
        ),
        (
            {"PCR0": f"0x{VALUE}"},
            "records.measurements",
            "m.json: /PCR0: not a SHA-384 register: it begins with 0x; leave that out",
        ),
        (
            {"PCR0": base64.b64encode(bytes(range(48))).decode()},
            "records.measurements",
            "m.json: /PCR0: not a SHA-384 register: it looks like base64, as CloudTrail writes registers",
        ),
        ({"PCR0": 7}, "records.measurements", "m.json: /PCR0: not a string"),
        ({"PCR0": VALUE, "0": VALUE}, "records.measurements", "m.json: /: PCR0 is given twice"),
        ({"pcrs": {"PCR99": VALUE}}, "records.measurements", "m.json: /pcrs/PCR99: not a register"),
        ({"pcrs": {}}, "records.measurements", "m.json: /pcrs: no object of registers"),
        (
            {**MANIFEST, "measurements": {"algorithm": "sha256", "pcrs": BARE}},
            "records.measurements",
            "m.json: /measurements/algorithm: not sha384: 'sha256'",
        ),
        (
            {**STATEMENT, "predicate": {"x": 1}},
            "records.measurements",
            "m.json: /predicate: no measurements in a form that is known: 'https://example.com/measurements/v1'",
        ),
        (
            {**STATEMENT, "predicate": None, "predicateType": 1},
            "records.measurements",
            "m.json: /predicate: no measurements in a form that is known: 1",
        ),
        (
            {"payloadType": "application/vnd.in-toto+json", "payload": "", "signatures": []},
            "records.form",
            "m.json: a signed envelope (DSSE) around 'application/vnd.in-toto+json'",
        ),
        (
            json.loads(form.dumps(Ledger.of([entry()]))),
            "records.form",
            "m.json: it is a file of recorded measurements itself: urn:nitroctl:measurements:1",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(document: object, code: str, message: str) -> None:
    error = refusal(document)
    assert (error.code, error.message) == (code, message)


def test_a_platform_is_told_from_its_registers_or_asked_for() -> None:
    assert importers.platform_of(A, where="x") == "nitro-enclave"
    assert importers.platform_of(pcrs("x", *range(16)), where="x") == "nitro-enclave"
    assert importers.platform_of(TPM, where="x") == "nitro-tpm"
    assert importers.platform_of(pcrs("x", 7), where="x") == "nitro-tpm"
    for odd in (pcrs("x", 0, 1), pcrs("x", 4, 7, 11), pcrs("x", 9), {}):
        with pytest.raises(CannotAnswer) as caught:
            importers.platform_of(odd, where="x")
        assert caught.value.code == "records.platform"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.just(VALUE),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["PCR0", "1", "Measurements", "measurements", "pcrs", "EnclaveID", "_type", "predicate", "release", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_anything_is_taken_or_refused(document: Any) -> None:
    text, source = json.dumps(document), None
    with contextlib.suppress(CannotAnswer):
        source = importers.parse(text, where="m.json")
    for found in source.found if source else ():
        assert found.pcrs
        assert all(0 <= index < 32 and len(value) == 48 for index, value in found.pcrs.items())
