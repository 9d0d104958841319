"""CloudTrail's records: damage is an error in its place and never a crash, and no piecing hides a record."""

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nitroctl.checks import Outcome
from nitroctl.errors import NitroctlError
from nitroctl.kms import trail_files
from nitroctl.kms.trail import Line, Trail
from nitroctl.kms.trail_files import Files, Found
from nitroctl.kms.trail_image import Images
from nitroctl.records import Ledger
from tests import records, trails

EVENTS = [trails.policy(1, trails.allow()), trails.attested(2), trails.call(3), trails.denied(4)]
IMAGES = Images(Ledger.of([records.active()]))
FORMS = [
    trails.delivered(*EVENTS),
    trails.looked_up(*EVENTS),
    json.dumps(EVENTS, indent=1).encode(),
    b"\n".join(json.dumps(event).encode() for event in EVENTS),
    gzip.compress(trails.delivered(*EVENTS), mtime=0),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from([trails.KEY, "A" * 64, "0" * 96]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def found_in(content: bytes) -> list[Found | NitroctlError]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "log")
        path.write_bytes(content)
        return list(Files([str(path)]).found())


@given(st.data(), st.sampled_from(FORMS))
@settings(max_examples=300)
def test_damaged_files_give_records_and_errors_and_nothing_else(data: st.DataObject, content: bytes) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged)))
        length = data.draw(st.integers(0, 8))
        damaged[place : place + length] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"{", b"]", b",", b"\\"])
        )
    for each in Trail(IMAGES).lines(found_in(bytes(damaged))):
        assert isinstance(each, Line | NitroctlError)


@given(st.binary(max_size=200))
def test_any_bytes_give_errors_or_nothing(content: bytes) -> None:
    assert not [each for each in found_in(content) if isinstance(each, Found)]


@given(st.data(), st.sampled_from(EVENTS))
@settings(max_examples=300)
def test_members_of_any_kind_never_make_a_good_use_of_a_bad_one(data: st.DataObject, event: dict[str, Any]) -> None:
    """Whatever stands in a record, only an attested use of the recorded image passes."""
    changed = json.loads(json.dumps(event))
    for name in data.draw(st.lists(st.sampled_from(sorted(changed)), max_size=3)):
        here, key = changed, name
        while isinstance(here.get(key), dict) and here[key] and data.draw(st.booleans()):
            here = here[key]
            key = data.draw(st.sampled_from(sorted(here)))
        here[key] = data.draw(JSON)
    for line in Trail(IMAGES, [trails.KEY_ID]).lines([Found("log", changed)]):
        if isinstance(line, Line) and line.outcome is Outcome.PASS:
            assert line.event.attested is not None
            assert dict(line.event.attested.registers)[0] == trails.registers()[0]


@given(st.integers(1, 300), st.sampled_from(FORMS))
def test_pieces_of_any_size_give_the_same(size: int, content: bytes) -> None:
    whole = [each.record for each in found_in(content) if isinstance(each, Found)]
    before = trail_files._CHUNK
    trail_files._CHUNK = size  # type: ignore[misc]
    try:
        assert [each.record for each in found_in(content) if isinstance(each, Found)] == whole
    finally:
        trail_files._CHUNK = before  # type: ignore[misc]
    assert len(whole) == len(EVENTS)
