"""Ledgers of every kind survive the file; texts of every kind are read or refused, never more."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl import strict_json
from nitroctl.errors import CannotAnswer
from nitroctl.records import (
    Artifact,
    Build,
    Entry,
    Ledger,
    Recipe,
    Signer,
    Source,
    Status,
    form,
    new_entry,
    recipe,
)
from nitroctl.records.ledger import first_fault
from tests.records import active, entry, full

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
versions = st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}(-rc[0-9])?(\+[a-z]{1,3})?", fullmatch=True)
registers = st.binary(min_size=48, max_size=48).filter(any)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=12)
times = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
#: What a command may have in it: the ledger shows what cannot be seen as escapes.
words = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8), max_size=3)
commands = st.none() | words.filter(len).map(tuple)
recipes = st.builds(
    Recipe,
    source_date_epoch=st.integers(0, recipe.LATEST),
    kind=st.sampled_from(["", *recipe.KINDS]),
    platform=st.sampled_from(["", "linux/amd64", "linux/arm64/v8"]),
    reference=texts.filter(str.isprintable),
    exact=st.booleans(),
    as_is=st.booleans(),
    join_entrypoint=st.booleans(),
    cmd=commands,
    entrypoint=commands,
    env=words.map(tuple),
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    extra = draw(st.sets(st.integers(3, 31), max_size=3))
    pcrs = {index: draw(registers) for index in sorted({0, 1, 2} | extra)}
    pin = draw(st.sets(st.sampled_from(sorted(pcrs)))) | draw(st.sampled_from([{0}, {1, 2}]))
    made = new_entry(
        component=draw(names),
        environment=draw(names),
        version=draw(versions),
        pcrs=pcrs,
        pin=sorted(pin),
        recorded_at=draw(times),
        status=draw(st.sampled_from([Status.CANDIDATE, Status.ACTIVE])),
        artifact=draw(st.none() | st.builds(Artifact, texts, digests, st.integers(0, 2**63))),
        source=draw(st.none() | st.builds(Source, uri=texts, ref=texts, commit=texts, path=texts)),
        build=draw(
            st.none()
            | st.builds(
                Build,
                builder=texts,
                run=texts,
                versions=st.dictionaries(texts, texts, max_size=2),
                inputs=st.dictionaries(texts, digests, max_size=2),
                recipe=st.none() | recipes,
                reproduced_by=st.lists(texts, max_size=2).map(tuple),
            )
        ),
        signer=draw(st.none() | st.builds(Signer, digests)),
        notes=draw(texts),
    )
    if not draw(st.booleans()):
        return made
    ended: dict[str, Any] = {"status": Status.RETIRED, "retired_at": made.recorded_at}
    return dataclasses.replace(made, **ended)


ledgers = st.lists(entries(), max_size=4).filter(lambda found: first_fault(found) is None).map(Ledger.of)


@given(ledgers)
def test_what_is_written_is_read_again(ledger: Ledger) -> None:
    assert form.loads(form.dumps(ledger), where="m.json") == ledger


@given(ledgers)
def test_the_canonical_form_is_one(ledger: Ledger) -> None:
    text = form.dumps(ledger)
    assert form.dumps(form.loads(text, where="m.json")) == text
    assert form.dumps(Ledger(tuple(reversed(ledger.entries)))) == text
    assert text.isascii()


@given(ledgers)
def test_every_entry_matches_its_own_registers_and_is_nearest_to_them(ledger: Ledger) -> None:
    for each in ledger:
        assert each in ledger.matching(each.pcrs)
        nearest = ledger.nearest(each.pcrs)
        assert nearest is not None
        assert len(nearest.equal) >= len(each.pin)


@given(st.text(max_size=200))
def test_any_text_is_refused_in_our_own_words(text: str) -> None:
    with pytest.raises(CannotAnswer, match=r"\Am\.json: "):
        form.loads(text, where="m.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
GOOD = json.loads(form.dumps(Ledger.of([full("1"), entry("2"), active("3", environment="dev")])))
PLACES = [parts for parts, _ in strict_json.walk(GOOD) if parts]


@given(st.sampled_from(PLACES), json_values)
@settings(max_examples=300)
def test_a_ledger_with_any_other_value_anywhere_is_read_whole_or_refused(
    place: tuple[str | int, ...], value: object
) -> None:
    document = json.loads(json.dumps(GOOD))
    inner: Any = document
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    try:
        ledger = form.loads(json.dumps(document), where="m.json")
    except CannotAnswer:
        return
    written = json.loads(form.dumps(ledger))
    assert _members(written) == _members(document)  # what was read is all that was there


def _members(document: Any) -> list[str]:
    return sorted(json.dumps(_sorted(each)) for each in document["entries"])


def _sorted(value: Any) -> Any:
    """Return a document with keys sorted, and members that say nothing left out."""
    if isinstance(value, dict):
        return {key: _sorted(inner) for key, inner in sorted(value.items()) if inner not in ("", [], {})}
    return sorted(value) if isinstance(value, list) else value


@given(json_values)
def test_strict_json_reads_what_json_writes(value: object) -> None:
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return
    text = json.dumps(value)
    if "Infinity" not in text:
        assert strict_json.parse(text, where="x") == value


@given(st.lists(st.text(max_size=3), min_size=2, max_size=5))
def test_strict_json_refuses_equal_keys_and_no_others(keys: list[str]) -> None:
    text = "{" + ", ".join(f"{json.dumps(key)}: 1" for key in keys) + "}"
    if len(set(keys)) == len(keys):
        assert strict_json.parse(text, where="x") == dict.fromkeys(keys, 1)
        return
    with pytest.raises(CannotAnswer, match="occurs twice"):
        strict_json.parse(text, where="x")
