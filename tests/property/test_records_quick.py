"""The fast reader of ledgers never says more than the careful one."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl.errors import CannotAnswer
from nitroctl.records import Ledger, form, quick
from tests.property.test_records import ledgers
from tests.records import active, entry, full

TEXT = form.dumps(Ledger.of([full(), active("1.4.1"), entry("1.4.3", notes="a : b"), entry("9", component="parser")]))
DOCUMENT = json.loads(TEXT)


def careful(text: str, monkeypatch: pytest.MonkeyPatch) -> Ledger | None:
    """Return what the careful reader makes of ``text``, or None when it refuses it."""
    with monkeypatch.context() as patched:
        patched.setattr(quick, "ledger", lambda *_: None)
        try:
            return form.loads(text, where="m.json")
        except CannotAnswer:
            return None


@given(ledgers)
def test_what_is_written_is_read_fast(ledger: Ledger) -> None:
    text = form.dumps(ledger)
    beginning_with_a_colon = re.search(r'(?:: |^ *)":', text, re.MULTILINE)  # looks like the end of a key
    if "\\" not in text and '" ' not in text and not beginning_with_a_colon:
        assert quick.ledger(text, form.SCHEMA) == ledger


def test_an_ordinary_ledger_is_read_fast() -> None:
    assert quick.ledger(TEXT, form.SCHEMA) == form.loads(TEXT, where="m.json")


def test_another_layout_is_read_fast_too() -> None:
    assert quick.ledger(json.dumps(DOCUMENT, indent=1), form.SCHEMA) == quick.ledger(TEXT, form.SCHEMA)


@given(ledgers, ledgers)
def test_entries_that_were_read_before_are_read_no_otherwise(one: Ledger, other: Ledger) -> None:
    known: quick.Known = {}
    for ledger in (one, other, one):
        text = form.dumps(ledger)
        found = quick.ledger(text, form.SCHEMA, known)
        assert found == ledger or (found is None and quick.ledger(text, form.SCHEMA) is None)
    assert form.is_canonical(text, ledger)


@given(st.data())
def test_canonical_is_what_would_be_written(data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(SPOTS))
    text = TEXT[:place] + data.draw(st.sampled_from(PIECES)) + TEXT[place + data.draw(st.sampled_from([0, 1, 2])) :]
    ledger = quick.ledger(text, form.SCHEMA)
    if ledger is not None:
        assert form.is_canonical(text, ledger) == (form.dumps(ledger) == text)


ENTRY = TEXT[TEXT.index("    {\n") + len("    {\n") : TEXT.index("\n    },\n")]


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n    },\n    {\n", "\n    },\n    {},\n    {\n", 1),
        TEXT.replace("\n    },\n    {\n", "\n    },\n    {\n    },\n    {\n", 1),
        TEXT.replace('"notes": "', '"notes": [\n    {\n    },\n    {\n    }\n], "more": "', 1),
        TEXT.replace(ENTRY, f"{ENTRY}}}, {{{ENTRY}", 1),
        TEXT.replace(ENTRY, f"{ENTRY}}}], [{{{ENTRY}", 1),
        TEXT.replace('  "entries"', '  "entries": [],\n  "entries"', 1),
        TEXT.replace('  "entries"', '  "max_active": 2,\n  "max_active": 2,\n  "entries"', 1),
        TEXT.replace('  "entries"', '  "max_active": 0,\n  "entries"', 1),
        TEXT.replace('  "entries"', '  "max_active": 02,\n  "entries"', 1),
        TEXT.replace('measurements:1"', 'measurements:2"', 1),
        TEXT + TEXT,
        TEXT[:-1] + ",\n" + TEXT[1:],
    ],
    ids=range(12),
)
def test_nothing_that_is_cut_elsewhere_is_read(text: str) -> None:
    assert text != TEXT
    assert quick.ledger(text, form.SCHEMA) is None
    assert careful(text, pytest.MonkeyPatch()) is None


SPOTS = sorted({place for place, character in enumerate(TEXT) if character in '":,{}[]\n' or place % 7 == 0})
PIECES = [
    *('"', ":", ",", "{", "}", "[", "]", "\\", "\t", "\r", "\n", " ", "0", "A", "a", "null", "true", "1", "-1", "1e3"),
    *(
        '"id": "x", ',
        '"id" : "x", ',
        '"id"\n: "x", ',
        '"x\\": 1, ',
        '": "',
        "NaN",
        "Infinity",
        "\u202e",
        "\\u0000",
        '""',
    ),
    *('"pin": ["PCR0"], ', '"PCR0": "' + "00" * 48 + '", ', '"PCR32"', "PCR00", "revoked", "2026-02-30T00:00:00Z"),
]


@given(st.data())
def test_a_changed_text_is_read_no_otherwise(data: st.DataObject) -> None:
    monkeypatch = pytest.MonkeyPatch()
    text = TEXT
    for _ in range(data.draw(st.integers(1, 3))):
        place = min(data.draw(st.sampled_from(SPOTS)), len(text))
        cut = data.draw(st.sampled_from([0, 0, 1, 2, 8, 20]))
        text = text[:place] + data.draw(st.sampled_from(PIECES)) + text[place + cut :]
    found = quick.ledger(text, form.SCHEMA)
    assert found is None or found == careful(text, monkeypatch)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path, *(place for key, item in inner for place in leaves(item, (*path, key)))]


VALUES = [
    None,
    True,
    False,
    0,
    3,
    1.5,
    -1,
    "",
    "x",
    "PCR0",
    "a\x00b",
    [],
    ["PCR0", "PCR0"],
    {},
    {"PCR0": "00" * 48},
    "é" * 5000,
]


@given(st.sampled_from(leaves(DOCUMENT)), st.sampled_from(VALUES), st.sampled_from(["set", "drop", "add"]))
def test_a_changed_value_is_read_no_otherwise(path: tuple[Any, ...], value: object, how: str) -> None:
    document = json.loads(TEXT)
    if not path:
        document = value
    else:
        here = document
        for step in path[:-1]:
            here = here[step]
        if how == "drop":
            del here[path[-1]]
        elif how == "set" or isinstance(here, list):
            here[path[-1]] = value
        else:
            here["more"] = value
    text = json.dumps(document, indent=2) + "\n"
    found = quick.ledger(text, form.SCHEMA)
    assert found is None or found == careful(text, pytest.MonkeyPatch())


@pytest.mark.parametrize(
    "second",
    ['"id": "x"', '"id" : "x"', '"id"\n : "x"', '"id"\t: "x"', '"notes": "a\\":"', '"notes": ":"', '"notes": "\\\\"'],
)
def test_a_key_that_occurs_twice_is_never_lost(second: str) -> None:
    text = TEXT.replace('"component"', f'"status": "revoked", {second}, "component"', 1)
    assert quick.ledger(text, form.SCHEMA) is None
